//! What becomes of a connection that carries nothing: it is kept, taken again, or closed.

use super::idle::Stamp;
use super::state::{Action, Doing, Event, Pool, Requests, is_idle, whole_second};
use crate::engine::batch::Close;
use crate::engine::observe::Observer;
use crate::model::{Counts, Ending, IdleCheck, Notices, Overflow, Take};
use crate::units::{SimDuration, SimTime};

impl Requests {
    /// A connection that carries nothing is handed on, kept or closed.
    #[inline]
    pub(super) fn back(&mut self, connection: u32, observer: &mut impl Observer) {
        let pool = self.connections[connection as usize].pool;
        let client = self.pools[pool as usize].client;
        let (counts, most) = {
            let keeps = &self.keeper(client).keeps;
            (keeps.counts, keeps.max_idle)
        };
        self.expire(pool, IdleCheck::Lazy, observer);
        if counts == Counts::Idle
            && let Some(request) = self.next_waiting(pool)
        {
            return self.serve(connection, request);
        }
        let idle = self.pools[pool as usize].idle.len();
        let full = counts == Counts::Idle && most.is_some_and(|most| idle >= most);
        let overflow = self.keeper(client).keeps.overflow;
        if full && (overflow == Overflow::Returning || most == Some(0)) {
            let ending = self.connections[connection as usize].ending;
            self.close(connection, ending);
            return self.refill(pool, observer);
        }
        self.rest(connection, observer);
        self.keep_few(pool, observer);
        self.keep_few_in_all(client, observer);
        self.refill(pool, observer);
    }

    /// Closes idle connections of a pool until they are no more than its client keeps.
    pub(super) fn keep_few(&mut self, pool: u32, observer: &mut impl Observer) {
        let keeps = &self.keeper(self.pools[pool as usize].client).keeps;
        let Some(most) = keeps.max_idle else { return };
        let (counts, overflow) = (keeps.counts, keeps.overflow);
        let too_many = |pool: &Pool| match counts {
            Counts::Idle => pool.idle.len() > most,
            Counts::All => pool.open > most,
        };
        while too_many(&self.pools[pool as usize]) {
            let order = match overflow {
                Overflow::Returning => Take::Last,
                Overflow::Oldest => Take::Oldest,
                Overflow::First => Take::First,
            };
            let Some(victim) = self.first_idle(pool, order) else { break };
            self.close_idle(victim, observer);
        }
    }

    /// Closes the longest idle connections of all pools of a client until they are no more than it keeps.
    pub(super) fn keep_few_in_all(&mut self, client: u16, observer: &mut impl Observer) {
        let Some(most) = self.keeper(client).keeps.max_idle_total else { return };
        loop {
            let connections = &self.connections;
            let keeper = self.keepers[usize::from(client)].as_mut().expect("it is one of these");
            while keeper.by_return.front().is_some_and(|&stamp| !is_idle(connections, stamp)) {
                keeper.by_return.pop_front();
            }
            match keeper.by_return.front() {
                Some(&stamp) if keeper.idle > most => self.close_idle(stamp.connection, observer),
                _ => return,
            }
        }
    }

    /// The idle connection that is taken next; what the server has closed and the client notices now is put
    /// away.
    #[inline]
    pub(super) fn first_usable(&mut self, pool: u32, observer: &mut impl Observer) -> Option<u32> {
        let take = self.keeper(self.pools[pool as usize].client).keeps.take;
        loop {
            let connection = self.first_idle(pool, take)?;
            if !self.connections[connection as usize].dead {
                return Some(connection);
            }
            self.wake(connection, observer);
            self.close(connection, Ending::Server);
        }
    }

    #[inline]
    pub(super) fn first_idle(&mut self, pool: u32, order: Take) -> Option<u32> {
        let connections = &self.connections;
        let idle = &mut self.pools[pool as usize].idle;
        idle.first(order, |stamp| is_idle(connections, stamp)).map(|stamp| stamp.connection)
    }

    /// A connection becomes idle.
    #[inline]
    pub(super) fn rest(&mut self, connection: u32, observer: &mut impl Observer) {
        let now = self.now;
        let entry = &mut self.connections[connection as usize];
        entry.doing = Doing::Idle;
        entry.epoch += 1;
        entry.since = now;
        let (number, opened) = (entry.pool, entry.opened);
        let stamp = Stamp { connection, epoch: entry.epoch };
        let pool = &mut self.pools[number as usize];
        let client = pool.client;
        let keeper = self.keepers[usize::from(client)].as_mut().expect("it is one of these");
        let keeps = &keeper.keeps;
        pool.idle.put(stamp, opened, keeper.by_opening);
        keeper.idle += 1;
        if keeper.limited_together {
            keeper.by_return.push_back(stamp);
        }
        if let Some(timeout) = keeps.idle_timeout.filter(|_| !pool.timed[0]) {
            let event = match keeps.idle_check {
                IdleCheck::Lazy => None,
                IdleCheck::Sweep => Some((now + timeout, Event::Sweep(number))),
                IdleCheck::Timer => Some((now + timeout, Event::Idle(number))),
                IdleCheck::WholeSecond => Some((whole_second(now) + timeout, Event::Idle(number))),
            };
            if let Some((due, event)) = event {
                pool.timed[0] = true;
                self.events.push(due.max(now), event);
            }
        }
        if let Some(timeout) = pool.server.idle_timeout.filter(|_| !pool.timed[1]) {
            pool.timed[1] = true;
            self.events.push(now + timeout, Event::ServerIdle(number));
        }
        observer.idles(now, client, 1);
    }

    /// A connection is idle no more.
    #[inline]
    pub(super) fn wake(&mut self, connection: u32, observer: &mut impl Observer) {
        let entry = &mut self.connections[connection as usize];
        entry.epoch += 1;
        entry.doing = Doing::Returning;
        let number = entry.pool;
        let (connections, pool) = (&self.connections, &mut self.pools[number as usize]);
        pool.idle.removed(|stamp| is_idle(connections, stamp));
        let client = pool.client;
        self.keepers[usize::from(client)].as_mut().expect("it is one of these").idle -= 1;
        observer.idles(self.now, client, -1);
    }

    /// Closes an idle connection for the client's own reasons.
    pub(super) fn close_idle(&mut self, connection: u32, observer: &mut impl Observer) {
        self.wake(connection, observer);
        let entry = &self.connections[connection as usize];
        let ending = if entry.dead { Ending::Server } else { entry.ending };
        self.close(connection, ending);
    }

    /// Closes a connection that carries nothing and is not idle.
    pub(super) fn close(&mut self, connection: u32, ending: Ending) {
        let id = self.connections[connection as usize].id;
        self.actions.push_back(Action::Close(Close { at: self.now, connection: id, ending }));
        self.forget(connection);
    }

    /// A connection is no more.
    pub(super) fn forget(&mut self, connection: u32) {
        let entry = &mut self.connections[connection as usize];
        entry.epoch += 1;
        entry.doing = Doing::Gone;
        let pool = &mut self.pools[entry.pool as usize];
        pool.open -= 1;
        if let Some(at) = pool.roomy.iter().position(|&known| known == connection) {
            pool.roomy.remove(at);
        }
        self.vacant.push(connection);
    }

    /// Closes idle connections that have reached the client's time-out, where that is looked at so.
    #[inline]
    pub(super) fn expire(&mut self, pool: u32, check: IdleCheck, observer: &mut impl Observer) {
        let keeps = &self.keeper(self.pools[pool as usize].client).keeps;
        let Some(timeout) = keeps.idle_timeout.filter(|_| keeps.idle_check == check) else {
            return;
        };
        while let Some(connection) = self.first_idle(pool, Take::Oldest) {
            if self.connections[connection as usize].since + timeout > self.now {
                return;
            }
            self.close_idle(connection, observer);
        }
    }

    /// The time-out of the longest idle connection, at the latest now.
    pub(super) fn check_idle(&mut self, pool: u32, observer: &mut impl Observer) {
        self.pools[pool as usize].timed[0] = false;
        let keeps = &self.keeper(self.pools[pool as usize].client).keeps;
        let (Some(timeout), check) = (keeps.idle_timeout, keeps.idle_check) else { return };
        while let Some(connection) = self.first_idle(pool, Take::Oldest) {
            let since = self.connections[connection as usize].since;
            let from = if check == IdleCheck::WholeSecond { whole_second(since) } else { since };
            let due = from + timeout;
            if due > self.now {
                self.pools[pool as usize].timed[0] = true;
                return self.events.push(due, Event::Idle(pool));
            }
            self.close_idle(connection, observer);
        }
    }

    pub(super) fn sweep(&mut self, pool: u32, observer: &mut impl Observer) {
        self.pools[pool as usize].timed[0] = false;
        self.expire(pool, IdleCheck::Sweep, observer);
        let keeps = &self.keeper(self.pools[pool as usize].client).keeps;
        let Some(timeout) = keeps.idle_timeout else { return };
        if self.pools[pool as usize].idle.len() > 0 {
            self.pools[pool as usize].timed[0] = true;
            self.events.push(self.now + timeout, Event::Sweep(pool));
        }
    }

    /// The server closes what has been idle for its own time-out.
    pub(super) fn check_server_idle(&mut self, pool: u32, observer: &mut impl Observer) {
        self.pools[pool as usize].timed[1] = false;
        let Some(timeout) = self.pools[pool as usize].server.idle_timeout else { return };
        let notices = self.keeper(self.pools[pool as usize].client).keeps.notices;
        if notices == Notices::OnUse {
            return self.close_unnoticed(pool, timeout);
        }
        while let Some(connection) = self.first_idle(pool, Take::Oldest) {
            let due = self.connections[connection as usize].since + timeout;
            if due > self.now {
                self.pools[pool as usize].timed[1] = true;
                return self.events.push(due, Event::ServerIdle(pool));
            }
            self.wake(connection, observer);
            self.close(connection, Ending::Server);
        }
    }

    /// The same, and the client does not notice.
    pub(super) fn close_unnoticed(&mut self, pool: u32, timeout: SimDuration) {
        let mut next = SimTime::FAR_FUTURE;
        for entry in &mut self.connections {
            if entry.pool == pool && entry.doing == Doing::Idle && !entry.dead {
                let due = entry.since + timeout;
                entry.dead = due <= self.now;
                next = if entry.dead { next } else { next.min(due) };
            }
        }
        if next < SimTime::FAR_FUTURE {
            self.pools[pool as usize].timed[1] = true;
            self.events.push(next, Event::ServerIdle(pool));
        }
    }
}
