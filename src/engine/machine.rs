//! The loop: one limit, one clock, one queue of what is due.
//!
//! What becomes of a connection is a value that is known when it opens, its [`Life`]. Where nothing can
//! come between, the only event is the release of its port. Where something can, because sockets take
//! ports from each other or TIME-WAITs may be too many, the connection is followed from mark to mark of its
//! life, as far as the limit has to be told of them.
//!
//! **What happens at one instant**: first what was scheduled for it, in the order in which it was; then
//! what is asked at it; then what begins and ends at that very instant. So a port that is free at an
//! instant serves an attempt of that instant, and a connection that opens and ends at once keeps its port
//! until all attempts of the instant are made. Time never goes back.

use rand::rngs::Xoshiro256PlusPlus;

use super::calendar::Calendar;
use super::observe::{Observer, Opening, Release, Settling};
use crate::model::{
    Attempt, ConnectionId, Ending, Fate, Host, Life, Limit, Mark, Marks, PoolId, Refused, Remote,
    Reshape, Step, Taken, Timers, Will,
};
use crate::units::{SimDuration, SimTime};

/// Set in the number that observers are told of a settled connection, beside the place of its port.
const SETTLED: ConnectionId = 1 << 31;

/// What waits in the queue: no more than a ticket where connections are settled when they open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due<T, S> {
    /// The port of a settled connection is free.
    Free(T),
    /// A connection that is followed comes to its next mark.
    Next(S),
}

/// The queue of a machine with limit `L`.
pub type Queue<L> = Calendar<Due<<L as Limit>::Ticket, <L as Limit>::Step>>;

/// One machine while it runs.
#[derive(Debug)]
pub struct Machine<L: Limit> {
    limit: L,
    timers: Timers,
    /// For choosing ports.
    rng: Xoshiro256PlusPlus,
    queue: Queue<L>,
    /// What is due at the very instant at which it was begun.
    at_once: Vec<Due<L::Ticket, L::Step>>,
    now: SimTime,
    /// Those that are followed, by number.
    connections: Vec<Connection<L::Ticket>>,
    /// Numbers that no connection has.
    vacant: Vec<ConnectionId>,
    /// What each of those that are followed was to do, where the machine may change: then none is settled.
    /// With the endpoint that they were opened to.
    wills: Option<Vec<(Will, u32)>>,
}

/// A connection that is followed.
#[derive(Clone, Copy, Debug)]
struct Connection<T> {
    /// How many have had its number before.
    generation: u32,
    ticket: T,
    opened: SimTime,
    life: Life,
    /// What the limit has to be told of.
    sees: Marks,
    /// What waits in the queue.
    next: Mark,
    /// Does its port count as in use?
    in_use: bool,
    /// Does nobody answer yet, and may somebody?
    pending: bool,
    client: u16,
    pool: PoolId,
    port: u16,
    remote: Remote,
    bound: bool,
    machine: u32,
}

/// A connection that has just got a port.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// Its number, where it is followed.
    pub connection: ConnectionId,
    /// Its port.
    pub port: u16,
    /// Ports looked at.
    pub probes: u32,
    /// When its client has it behind it: at the first FIN, or when it is given up.
    pub closes: SimTime,
}

impl<L: Limit> Machine<L> {
    /// A machine at the start of a run on which nothing has happened.
    #[must_use]
    pub fn new(limit: L, timers: Timers, rng: Xoshiro256PlusPlus, queue: Queue<L>) -> Self {
        let now = SimTime::START;
        let (at_once, connections, vacant) = (Vec::new(), Vec::new(), Vec::new());
        let wills = None;
        Self { limit, timers, rng, queue, at_once, now, connections, vacant, wills }
    }

    /// The same, and it may be reshaped: every connection is followed to its end.
    ///
    /// # Panics
    /// When its limit follows none.
    #[must_use]
    pub fn that_may_change(self) -> Self {
        assert!(Self::follows(), "what is settled cannot change any more");
        Self { wills: Some(Vec::new()), ..self }
    }

    /// Was it told that it may change?
    #[must_use]
    pub const fn may_change(&self) -> bool {
        self.wills.is_some()
    }

    /// The limit, for what is asked of it beside connections.
    pub const fn limit(&mut self) -> &mut L {
        &mut self.limit
    }

    /// From now on connections that are opened live by these timers.
    pub fn set_timers(&mut self, timers: Timers) {
        self.timers = timers;
    }

    /// The time that has been reached.
    #[must_use]
    pub const fn now(&self) -> SimTime {
        self.now
    }

    /// Lets everything happen that is due before `to`, or at it and was scheduled before.
    ///
    /// # Panics
    /// When `to` lies in the past: the model is wrong, and every later figure would be too.
    #[inline(always)] // Once an attempt.
    pub fn advance(&mut self, to: SimTime, observer: &mut impl Observer) {
        assert!(to >= self.now, "asked for {to}, but the clock is at {}", self.now);
        if to > self.now {
            self.finish_instant(observer);
        }
        while let Some((due, what)) = self.queue.pop_due(to) {
            if Self::follows() && due > self.now {
                self.finish_instant(observer);
                self.now = due;
            }
            self.happen(what, due, observer);
        }
        self.now = to;
    }

    /// Lets happen what began and ends at the instant that has been reached.
    #[inline(always)]
    fn finish_instant(&mut self, observer: &mut impl Observer) {
        let mut next = 0;
        while let Some(&what) = self.at_once.get(next) {
            next += 1;
            self.happen(what, self.now, observer);
        }
        if next > 0 {
            self.at_once.clear();
        }
    }

    /// Makes an attempt at the time that has been reached; `second_fin` is the time from the first FIN to
    /// the other side's.
    ///
    /// # Errors
    /// What the limit says against it.
    #[inline(always)] // Once an attempt.
    pub fn open(
        &mut self,
        attempt: &Attempt,
        second_fin: SimDuration,
        observer: &mut impl Observer,
    ) -> Result<Opened, Refused> {
        debug_assert_eq!(attempt.at, self.now, "attempts are made at the time reached");
        let connection = self.number();
        observer.of_machine(attempt.machine);
        let taken = match self.limit.take(attempt, connection, &mut self.rng) {
            Ok(taken) => taken,
            Err(refused) => {
                observer.refused(attempt.at, attempt.client, &refused);
                return Err(refused);
            }
        };
        if let Some(refused) = taken.reset {
            // A TIME-WAIT that it had taken over is gone all the same.
            if let Some(old) = taken.replaced {
                self.end(old, true, observer);
            }
            self.limit.free(taken.ticket, false, self.now);
            observer.of_machine(attempt.machine);
            observer.refused(attempt.at, attempt.client, &refused);
            return Err(refused);
        }
        let &Attempt { lifetime, ending, remote, .. } = attempt;
        let will = Will { lifetime, second_fin, ending, remote, bound: taken.bound };
        let life = if taken.sees.has(Mark::Syn) {
            // As if nobody answered, until its SYN passes.
            self.timers_of(attempt.machine)
                .life(attempt.at, &Will { remote: Remote::Silent, ..will })
        } else {
            self.timers_of(attempt.machine).life(attempt.at, &will)
        };
        let port = self.limit.port(taken.bit);
        self.hold((attempt, true), connection, &taken, (life, will), observer);
        Ok(Opened { connection, port, probes: taken.probes, closes: life.first_fin })
    }

    /// Puts in place a connection that is there at the start of the run, if there is a port for it.
    pub fn stand(&mut self, attempt: &Attempt, life: Life, observer: &mut impl Observer) {
        let connection = self.number();
        if let Ok(taken) = self.limit.take(attempt, connection, &mut self.rng) {
            let &Attempt { lifetime, ending, remote, .. } = attempt;
            let second_fin = SimDuration::ZERO;
            let will = Will { lifetime, second_fin, ending, remote, bound: taken.bound };
            self.hold((attempt, false), connection, &taken, (life, will), observer);
        }
    }

    /// Ends a connection that is followed now, as `ending` says, with the other side's FIN at once.
    pub fn close(
        &mut self,
        connection: ConnectionId,
        ending: Ending,
        observer: &mut impl Observer,
    ) {
        let now = self.now;
        let timers = *self.timers_of(self.connections[connection as usize].machine);
        let entry = &mut self.connections[connection as usize];
        observer.of_machine(entry.machine);
        let answered = entry.life.answered <= now;
        entry.life = if answered {
            let Connection { remote, bound, .. } = *entry;
            let (since, second_fin) = (entry.life.answered, SimDuration::ZERO);
            let will = Will { lifetime: now.since(since), second_fin, ending, remote, bound };
            if let Some(wills) = &mut self.wills {
                wills[connection as usize].0 = will;
            }
            let life = timers.life(since, &will);
            self.limit.lives(entry.ticket, &life, &will);
            life
        } else {
            // Closed in SYN-SENT, nothing is left of it (RFC 9293, 3.10.4).
            Life::abandoned(now)
        };
        if entry.pending {
            entry.settle(answered, observer);
        } else {
            observer.closed(entry.client, &entry.life);
        }
        // What was scheduled for it belongs to another life.
        entry.generation += 1;
        let due = entry.go_to(first_mark(&entry.life, entry.sees, Mark::FirstFin));
        if due <= now {
            self.go_on(connection, observer);
        } else if let Some(step) = entry.step(connection, due) {
            self.queue.push(due, Due::Next(step));
        }
    }

    /// Lets the run end: tells of connections that still have their ports.
    pub fn finish(mut self, observer: &mut impl Observer) -> Queue<L> {
        for one in &mut self.connections {
            observer.of_machine(one.machine);
            one.settle(one.remote.answers(), observer);
        }
        for (number, one) in self.connections.iter().enumerate().filter(|(_, one)| one.in_use) {
            observer.of_machine(one.machine);
            observer.kept(&one.release_at(number as ConnectionId, SimTime::FAR_FUTURE));
        }
        self.queue
    }

    /// Bits of a pool of the limit.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.limit.bits()
    }

    /// Nanoseconds that pools of the limit had no port left until `end`, summed over the pools.
    #[must_use]
    pub fn exhausted_until(&self, end: SimTime) -> u128 {
        self.limit.exhausted_until(end)
    }

    /// May something happen to a connection before its port is free?
    #[inline(always)]
    fn follows() -> bool {
        L::Step::new(0, 0).is_some()
    }

    /// The number that the next connection has if it is followed.
    #[inline(always)]
    fn number(&self) -> ConnectionId {
        if !Self::follows() {
            return 0;
        }
        self.vacant.last().copied().unwrap_or(self.connections.len() as ConnectionId)
    }

    /// Keeps the place that a connection has just taken until its life is over.
    #[inline(always)]
    fn hold(
        &mut self,
        (attempt, attempted): (&Attempt, bool),
        connection: ConnectionId,
        taken: &Taken<L::Ticket>,
        (life, will): (Life, Will),
        observer: &mut impl Observer,
    ) {
        let &Attempt { at, client, machine, .. } = attempt;
        let &Taken { ticket, pool, bit, probes, replaced, sees, bound, .. } = taken;
        let (port, place) = (self.limit.port(bit), pool.0 * self.limit.bits() + bit);
        // Nobody answers a SYN that does not pass.
        let passes = !sees.has(Mark::Syn);
        let remote = if passes { attempt.remote } else { Remote::Silent };
        // Where the limit has to be told of nothing before the end, nothing can change it any more.
        let first = first_mark(&life, sees, Mark::FirstFin);
        // Else its client may still close it, or a change give it another life.
        let ends_so = attempt.ending != Ending::Never
            && self.wills.is_none()
            && life.over < SimTime::FAR_FUTURE;
        let settled = !Self::follows() || first == Mark::Over && ends_so;
        let pending = !settled && !remote.answers();
        if !settled {
            self.vacant.pop();
        }
        if let Some(old) = replaced {
            self.end(old, true, observer);
        }
        self.limit.lives(ticket, &life, &Will { remote, ..will });
        observer.opened(&Opening {
            at,
            connection: if settled { SETTLED | place } else { connection },
            client,
            attempted,
            answered: remote.answers(),
            pool,
            port,
            place,
            probes,
            life,
            settled,
            pending,
        });
        if settled {
            return self.schedule(life.takeable, Due::Free(ticket));
        }
        let known = self.connections.get(connection as usize);
        let generation = known.map_or(0, |before| before.generation);
        let (opened, in_use) = (at, true);
        let (next, due) = match passes {
            true => (first, life.at(first)),
            false => next_syn(self.timers_of(machine), at, at, &life),
        };
        let new = Connection {
            generation,
            ticket,
            opened,
            life,
            sees,
            next,
            in_use,
            pending,
            client,
            pool,
            port,
            remote,
            bound,
            machine,
        };
        if let Some(step) = new.step(connection, due) {
            // Not before all attempts of this instant are made.
            self.schedule(due, Due::Next(step));
        }
        if let Some(wills) = &mut self.wills {
            let will = (will, attempt.tuple.endpoint);
            wills.resize(wills.len().max(connection as usize + 1), will);
            wills[connection as usize] = will;
        }
        match self.connections.get_mut(connection as usize) {
            Some(entry) => *entry = new,
            None => self.connections.push(new),
        }
    }

    #[inline(always)]
    fn schedule(&mut self, due: SimTime, what: Due<L::Ticket, L::Step>) {
        if due > self.now {
            self.queue.push(due, what);
        } else {
            self.at_once.push(what);
        }
    }

    #[inline(always)]
    fn happen(&mut self, what: Due<L::Ticket, L::Step>, at: SimTime, observer: &mut impl Observer) {
        match what {
            Due::Free(ticket) => {
                let holder = self.limit.holder(ticket);
                let (pool, bit) = (holder.pool, u32::from(holder.bit));
                let connection = SETTLED | (pool.0 * self.limit.bits() + bit);
                self.limit.free(ticket, false, at);
                observer.released(&Release {
                    at,
                    connection,
                    client: holder.client,
                    pool,
                    port: self.limit.port(bit),
                    life: None,
                });
            }
            Due::Next(step) => {
                let (connection, generation) = step.parts();
                // Another connection may have taken its TIME-WAIT over meanwhile.
                if self.connections[connection as usize].generation == generation {
                    self.go_on(connection, observer);
                }
            }
        }
    }

    /// Brings a connection to the mark that it was scheduled for, and to all that follow at this instant.
    fn go_on(&mut self, connection: ConnectionId, observer: &mut impl Observer) {
        let now = self.now;
        observer.of_machine(self.connections[connection as usize].machine);
        if self.connections[connection as usize].next == Mark::Syn {
            return self.send_again(connection, observer);
        }
        let entry = &mut self.connections[connection as usize];
        loop {
            let mark = entry.next;
            if mark == Mark::Over || self.limit.reach(entry.ticket, mark, now) == Fate::Gone {
                return self.end(connection, false, observer);
            }
            if mark == Mark::Takeable {
                entry.release(connection, now, observer);
            }
            let due = entry.go_to(first_mark(&entry.life, entry.sees, mark.next()));
            if due > now {
                if let Some(step) = entry.step(connection, due) {
                    self.queue.push(due, Due::Next(step));
                }
                return;
            }
        }
    }

    /// The SYN of a connection that did not pass is sent again.
    fn send_again(&mut self, connection: ConnectionId, observer: &mut impl Observer) {
        let now = self.now;
        let entry = self.connections[connection as usize];
        let timers = *self.timers_of(entry.machine);
        let fate = self.limit.reach(entry.ticket, Mark::Syn, now);
        let entry = &mut self.connections[connection as usize];
        if fate == Fate::Gone {
            entry.life = Life::abandoned(now);
            return self.end(connection, false, observer);
        }
        let (next, due) = if fate == Fate::Passes {
            let wills =
                self.wills.as_ref().expect("where a SYN may be dropped, everyone is followed");
            let will = wills[connection as usize].0;
            entry.sees = entry.sees.with_none_of(Mark::Syn);
            if will.remote.answers() {
                (entry.remote, entry.life) = (will.remote, timers.life(now, &will));
                entry.settle(true, observer);
            }
            self.limit.lives(entry.ticket, &entry.life, &will);
            let first = first_mark(&entry.life, entry.sees, Mark::FirstFin);
            (first, entry.life.at(first))
        } else {
            // Not this one again.
            next_syn(&timers, entry.opened, now, &entry.life)
        };
        entry.next = next;
        if due <= now {
            return self.go_on(connection, observer);
        }
        if let Some(step) = entry.step(connection, due) {
            self.queue.push(due, Due::Next(step));
        }
    }

    /// The timers of one of the machines.
    #[inline(always)]
    fn timers_of(&self, machine: u32) -> &Timers {
        self.limit.timers(machine).unwrap_or(&self.timers)
    }

    /// Nothing is left of a connection that was followed.
    #[inline]
    fn end(&mut self, connection: ConnectionId, taken_over: bool, observer: &mut impl Observer) {
        let entry = &mut self.connections[connection as usize];
        observer.of_machine(entry.machine);
        entry.settle(entry.remote.answers(), observer);
        entry.release(connection, self.now, observer);
        entry.generation += 1;
        self.limit.free(entry.ticket, taken_over, self.now);
        self.vacant.push(connection);
    }
}

impl<L: Reshape> Machine<L> {
    /// From now on the machine is one of `host`, with these timers, and endpoints are as `remote` says; what is held
    /// stays held, and what has not begun of its life goes by the new timers. An attempt whose SYNs nobody answered is
    /// answered at the next one, if somebody does now. What is settled goes on as it was: of a machine that was told
    /// that it [may change](Machine::that_may_change) nothing is.
    ///
    /// Tells which attempts are answered so.
    pub fn reshape(
        &mut self,
        host: &Host,
        timers: Timers,
        remote: impl Fn(u32) -> Remote,
    ) -> Vec<LateAnswer> {
        self.timers = timers;
        let now = self.now;
        let mut is_there = vec![true; self.connections.len()];
        self.vacant.iter().for_each(|&gone| is_there[gone as usize] = false);
        let (mut held, mut answered) = (Vec::new(), Vec::new());
        for (number, entry) in self.connections.iter_mut().enumerate().filter(|at| is_there[at.0]) {
            held.push(entry.ticket);
            let Some((will, endpoint)) = self.wills.as_mut().map(|wills| &mut wills[number]) else {
                continue;
            };
            let before = entry.life;
            // What is due at this instant happens yet.
            if before.at(entry.next) <= now {
                continue;
            }
            let connection = number as ConnectionId;
            let new_remote = remote(*endpoint);
            let answers_now = !entry.remote.answers() && new_remote.answers();
            entry.life = match timers.next_syn(entry.opened, now).filter(|_| answers_now) {
                Some(syn) => {
                    (will.remote, entry.remote) = (new_remote, new_remote);
                    let life = timers.life(syn, will);
                    answered.push(LateAnswer { connection, at: syn, closes: life.first_fin });
                    life
                }
                None => before.changed(timers.life(entry.counts_from(), will), now),
            };
            if entry.life == before {
                continue;
            }
            // What was scheduled for it belongs to another life.
            entry.generation += 1;
            let to_come = Mark::ALL.into_iter().find(|&mark| before.at(mark) > now);
            let next = first_mark(&entry.life, entry.sees, to_come.unwrap_or(Mark::Over));
            let due = entry.go_to(next).max(now);
            if let Some(step) = entry.step(connection, due) {
                self.queue.push(due, Due::Next(step));
            }
        }
        self.limit.reshape(host, timers, &held, now);
        answered
    }
}

/// An attempt that is answered after its SYN was sent again.
#[derive(Clone, Copy, Debug)]
pub struct LateAnswer {
    /// The number of its connection.
    pub connection: ConnectionId,
    /// When it is answered.
    pub at: SimTime,
    /// When it is closed, if that is known.
    pub closes: SimTime,
}

/// What an attempt of `opened` comes to next whose SYN of `now` did not pass: the next one, or that it is given up.
fn next_syn(timers: &Timers, opened: SimTime, now: SimTime, life: &Life) -> (Mark, SimTime) {
    let after = now + SimDuration::from_nanos(1);
    match timers.next_syn(opened, after) {
        Some(at) => (Mark::Syn, at),
        None => (Mark::Over, life.over),
    }
}

/// The first mark from `first` on that matters: of those that a limit `sees`, one that comes before the end.
#[inline(always)]
fn first_mark(life: &Life, sees: Marks, first: Mark) -> Mark {
    let wanted = |mark: Mark, matters: bool| first <= mark && sees.has(mark) && matters;
    // A server may go into TIME-WAIT though the client's port is free at once.
    if wanted(Mark::FirstFin, true) {
        Mark::FirstFin
    } else if wanted(Mark::Bucket, life.bucket < life.over) {
        Mark::Bucket
    } else if wanted(Mark::Takeable, life.takeable < life.over) {
        Mark::Takeable
    } else {
        Mark::Over
    }
}

impl<T> Connection<T> {
    /// Lets it come to `mark` next; gives the time.
    #[inline]
    fn go_to(&mut self, mark: Mark) -> SimTime {
        self.next = mark;
        self.life.at(mark)
    }

    /// Its next step, if it ever comes to it.
    #[inline]
    fn step<S: Step>(&self, connection: ConnectionId, due: SimTime) -> Option<S> {
        if due == SimTime::FAR_FUTURE { None } else { S::new(connection, self.generation) }
    }

    /// From when on its life counts: from its opening, or from the SYN that was answered late.
    fn counts_from(&self) -> SimTime {
        if self.remote.answers() { self.life.answered } else { self.opened }
    }

    /// What becomes of it is known, if it was not.
    #[inline]
    fn settle(&mut self, answered: bool, observer: &mut impl Observer) {
        if std::mem::replace(&mut self.pending, false) {
            let Self { client, opened, life, .. } = *self;
            observer.settles(&Settling { client, opened, answered, life });
        }
    }

    /// Its port can be had again: from now on it does not count as in use.
    #[inline]
    fn release(&mut self, connection: ConnectionId, at: SimTime, observer: &mut impl Observer) {
        if std::mem::replace(&mut self.in_use, false) {
            observer.released(&self.release_at(connection, at));
        }
    }

    /// What an observer is told when its port can be had again.
    fn release_at(&self, connection: ConnectionId, at: SimTime) -> Release {
        let Self { client, pool, port, life, .. } = *self;
        Release { at, connection, client, pool, port, life: Some(life) }
    }
}
