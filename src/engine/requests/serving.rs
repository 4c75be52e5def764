//! How a request gets its connection and its answer.

use super::state::{Connection, Dial, Doing, Event, Request, Requests, waits};
use crate::engine::client::ClientStream;
use crate::engine::observe::{Failure, Observer, Served};
use crate::engine::requests::Action;
use crate::model::{Attempt, Ending};
use crate::units::{SimDuration, SimTime};

impl Requests {
    /// The request that a connection is being opened for, if nothing else has served it, and it has not failed.
    fn dialed_for(&self, connection: u32) -> Option<u32> {
        let Doing::Dialing { request, generation, late } =
            self.connections[connection as usize].doing
        else {
            unreachable!("it is being opened")
        };
        let own = &self.requests[request as usize];
        (own.generation == generation && (own.waits || !late)).then_some(request)
    }

    /// Lets an attempt that nobody answers wait until `due`, when `event` ends it, or until it takes its request too
    /// long. Where a request takes whatever connection comes first, its own time-out does not end the attempt.
    pub(super) fn wait_for_answer(&mut self, connection: u32, due: SimTime, event: Event) {
        let entry = &self.connections[connection as usize];
        let (epoch, client) = (entry.epoch, self.pools[entry.pool as usize].client);
        let bound = !matches!(entry.doing, Doing::Dialing { late: true, .. });
        let own = self.dialed_for(connection).filter(|_| bound);
        let most = own.and(self.keeper(client).keeps.request_timeout);
        let too_long = own.zip(most).map(|(own, most)| self.requests[own as usize].tried + most);
        match too_long.filter(|&too_long| too_long < due) {
            Some(at) => self.events.push(at.max(self.now), Event::TooLong { connection, epoch }),
            None => self.events.push(due, event),
        }
    }

    /// A connection is established.
    pub(super) fn connected(&mut self, connection: u32, observer: &mut impl Observer) {
        if let Some(request) = self.dialed_for(connection) {
            return self.serve(connection, request);
        }
        // Somebody else's connection came back before: this one is for whoever waits, or for later.
        self.connections[connection as usize].doing = Doing::Returning;
        self.back(connection, observer);
    }

    /// A connection was opened for a request in vain; the request fails, if nothing else has served it. One that took
    /// too long is closed, and its port is free; of all others the kernel has told that they are no more.
    pub(super) fn not_connected(
        &mut self,
        connection: u32,
        why: Failure,
        observer: &mut impl Observer,
    ) {
        let pool = self.connections[connection as usize].pool;
        let own = self.dialed_for(connection);
        match why {
            Failure::TimedOut => self.close(connection, Ending::Reset),
            _ => self.forget(connection),
        }
        if let Some(request) = own {
            self.fail(request, why, observer);
        }
        self.refill(pool, observer);
    }

    /// A request has its answer.
    #[inline]
    pub(super) fn answered(
        &mut self,
        connection: u32,
        request: u32,
        streams: &mut [ClientStream],
        observer: &mut impl Observer,
    ) {
        let pool = self.connections[connection as usize].pool;
        if self.pools[pool as usize].silent {
            return self.no_answer(connection, request);
        }
        let Request { attempt, number, think, begun, .. } = self.requests[request as usize];
        let client = attempt.client;
        let keeper = self.keepers[usize::from(client)].as_ref().expect("it is one of these");
        let (workers, turnaround) = (keeper.has_workers, keeper.keeps.turnaround);
        let (lag, own_most) = (keeper.keeps.return_lag, keeper.keeps.requests_per_connection);
        let entry = &mut self.connections[connection as usize];
        let of_connection = (entry.id, entry.opened);
        let Doing::Busy(carries) = entry.doing else { unreachable!("it carries a request") };
        entry.carried += 1;
        entry.ending = attempt.ending;
        let server = self.pools[entry.pool as usize].server;
        observer.served(&Served {
            client,
            request: number,
            connection: of_connection.0,
            opened: of_connection.1,
            asked: attempt.at,
            begun,
            at: self.now,
        });
        let carried = entry.carried;
        self.done_with(request);
        let entry = &mut self.connections[connection as usize];
        if carries > 1 {
            entry.doing = Doing::Busy(carries - 1);
            self.make_room(connection);
        } else if server.requests_per_connection.is_some_and(|most| carried >= most) {
            // Its last answer says `Connection: close`, and its FIN comes with it.
            let pool = entry.pool;
            self.close(connection, Ending::Server);
            self.refill(pool, observer);
        } else if own_most.is_some_and(|most| carried >= most) {
            let (pool, ending) = (entry.pool, entry.ending);
            self.close(connection, ending);
            self.refill(pool, observer);
        } else {
            entry.doing = Doing::Returning;
            let roomy = &mut self.pools[entry.pool as usize].roomy;
            if let Some(at) = roomy.iter().position(|&known| known == connection) {
                roomy.remove(at);
            }
            if lag.is_zero() {
                self.back(connection, observer);
            } else {
                self.events.push(self.now + lag, Event::Back(connection));
            }
        }
        if workers {
            let ready = self.now + turnaround + think;
            if ready > self.now {
                self.events.push(ready, Event::Worker(client));
            } else {
                // Who does not think asks again before anybody else does anything.
                self.ask(client, &mut streams[usize::from(client)], observer);
            }
        }
    }

    /// An answer is due from a server that answers nothing now.
    #[inline(never)]
    pub(super) fn no_answer(&mut self, connection: u32, request: u32) {
        let pool = &mut self.pools[self.connections[connection as usize].pool as usize];
        pool.unanswered.push((connection, request));
        let client = pool.client;
        if let Some(most) = self.keeper(client).keeps.request_timeout {
            let Request { tried, generation, .. } = self.requests[request as usize];
            let event = Event::Aborted { connection, request, generation };
            self.events.push((tried + most).max(self.now), event);
        }
    }

    /// A request took too long on its connection, which ends with it: the answer would meet no one.
    pub(super) fn aborted(&mut self, connection: u32, request: u32, observer: &mut impl Observer) {
        self.fail(request, Failure::TimedOut, observer);
        let pool = self.connections[connection as usize].pool;
        self.pools[pool as usize].unanswered.retain(|&one| one != (connection, request));
        let entry = &mut self.connections[connection as usize];
        let Doing::Busy(carries) = entry.doing else { unreachable!("it carries a request") };
        if carries > 1 {
            entry.doing = Doing::Busy(carries - 1);
            return self.make_room(connection);
        }
        self.close(connection, Ending::Reset);
        self.refill(pool, observer);
    }

    /// A connection with several requests has lost one: who waits gets its room.
    pub(super) fn make_room(&mut self, connection: u32) {
        if !self.has_room(connection) {
            return;
        }
        let pool = self.connections[connection as usize].pool;
        match self.next_waiting(pool) {
            Some(request) => self.serve(connection, request),
            None => {
                let roomy = &mut self.pools[pool as usize].roomy;
                if !roomy.contains(&connection) {
                    roomy.push(connection);
                }
            }
        }
    }

    /// Lets who waits in the queue have what there is: idle connections, or new ones where there is room.
    pub(super) fn refill(&mut self, pool: u32, observer: &mut impl Observer) {
        let client = self.pools[pool as usize].client;
        let (most, late) = {
            let keeps = &self.keeper(client).keeps;
            (keeps.max_connections, keeps.late_binding)
        };
        while let Some(request) = self.peek_waiting(pool) {
            if self.first_usable(pool, observer).is_some() {
                let request = self.next_waiting(pool).expect("it was there a moment ago");
                self.serve_from_idle(pool, request, observer);
                continue;
            }
            let Some(most) = most else { return };
            if self.pools[pool as usize].open >= most {
                return;
            }
            if late {
                // Those at the head may have connections under way: one more for who has none.
                let Some(ticket) = self.pools[pool as usize].undialed.pop_front() else { return };
                if self.is_waiting(ticket) {
                    self.dial(pool, ticket.0);
                }
            } else {
                self.next_waiting(pool);
                self.dial(pool, request);
            }
        }
    }

    pub(super) fn is_waiting(&self, (request, generation): (u32, u32)) -> bool {
        waits(&self.requests, (request, generation))
    }

    /// The request that has waited longest.
    #[inline]
    pub(super) fn peek_waiting(&mut self, pool: u32) -> Option<u32> {
        loop {
            let &ticket = self.pools[pool as usize].queue.front()?;
            if self.is_waiting(ticket) {
                return Some(ticket.0);
            }
            self.pools[pool as usize].queue.pop_front();
        }
    }

    /// The same, which waits no longer.
    #[inline]
    pub(super) fn next_waiting(&mut self, pool: u32) -> Option<u32> {
        let request = self.peek_waiting(pool)?;
        self.pools[pool as usize].queue.pop_front();
        self.requests[request as usize].waits = false;
        Some(request)
    }

    /// Asks the machine for a connection.
    pub(super) fn dial(&mut self, pool: u32, request: u32) {
        let Request { attempt, generation, .. } = self.requests[request as usize];
        let keeper =
            self.keepers[usize::from(attempt.client)].as_mut().expect("it is one of these");
        let late = keeper.keeps.late_binding;
        let new = Connection {
            id: 0,
            pool,
            opened: keeper.opened,
            carried: 0,
            doing: Doing::Dialing { request, generation, late },
            epoch: 0,
            since: self.now,
            ending: attempt.ending,
            dead: false,
        };
        keeper.opened += 1;
        let connection = match self.vacant.pop() {
            Some(number) => {
                let entry = &mut self.connections[number as usize];
                *entry = Connection { epoch: entry.epoch, ..new };
                number
            }
            None => {
                self.connections.push(new);
                self.connections.len() as u32 - 1
            }
        };
        self.pools[pool as usize].open += 1;
        self.dialing.push_back(Dial::Kept(connection));
        // It has no end until it is closed.
        let attempt = Attempt { at: self.now, ending: Ending::Never, ..attempt };
        self.actions.push_back(Action::Open(attempt, SimDuration::ZERO));
    }

    /// Puts a request on a connection that is there.
    #[inline]
    pub(super) fn serve(&mut self, connection: u32, request: u32) {
        let entry = &mut self.connections[connection as usize];
        let carries = match entry.doing {
            Doing::Busy(carries) => carries + 1,
            _ => 1,
        };
        entry.doing = Doing::Busy(carries);
        let pool = entry.pool;
        let asked = &mut self.requests[request as usize];
        (asked.begun, asked.waits) = (self.now, false);
        let answered = self.now + asked.attempt.lifetime;
        let (client, since, generation) = (asked.attempt.client, asked.tried, asked.generation);
        let given_up = self.keeper(client).keeps.request_timeout.map(|timeout| since + timeout);
        match given_up.filter(|&given_up| given_up < answered) {
            None => self.events.push(answered, Event::Answered { connection, request }),
            // It may be over already, where a change has made it shorter.
            Some(at) => {
                let event = Event::Aborted { connection, request, generation };
                self.events.push(at.max(self.now), event);
            }
        }
        if self.keeper(client).keeps.streams > 1 {
            let has_room = self.has_room(connection);
            let roomy = &mut self.pools[pool as usize].roomy;
            match (roomy.iter().position(|&known| known == connection), has_room) {
                (None, true) => roomy.push(connection),
                (Some(at), false) => drop(roomy.remove(at)),
                _ => {}
            }
            if has_room && let Some(request) = self.next_waiting(pool) {
                self.serve(connection, request);
            }
        }
    }

    /// Can a connection that carries some requests take one more? No more at a time than it has streams, nor in
    /// all than it may carry.
    pub(super) fn has_room(&self, connection: u32) -> bool {
        let entry = &self.connections[connection as usize];
        let Doing::Busy(carries) = entry.doing else { return false };
        let pool = &self.pools[entry.pool as usize];
        let keeps = &self.keeper(pool.client).keeps;
        let most = [pool.server.requests_per_connection, keeps.requests_per_connection];
        let most = most.into_iter().flatten().min();
        carries < keeps.streams && most.is_none_or(|most| entry.carried + carries < most)
    }

    /// Puts a request on an idle connection, or on one that has room, if there is any.
    #[inline]
    pub(super) fn serve_from_idle(
        &mut self,
        pool: u32,
        request: u32,
        observer: &mut impl Observer,
    ) -> bool {
        if let Some(&connection) = self.pools[pool as usize].roomy.first() {
            self.serve(connection, request);
            return true;
        }
        let Some(connection) = self.first_usable(pool, observer) else { return false };
        self.wake(connection, observer);
        self.serve(connection, request);
        true
    }
}
