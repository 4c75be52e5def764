//! A machine whose sockets take ports from each other, or whose TIME-WAITs may be too many: what becomes
//! of a connection depends on what happens after it opened, so its close and what follows are events.

use rand::rngs::Xoshiro256PlusPlus;

use super::attempt::{Attempt, Batch};
use super::books::{Books, Size};
use super::calendar::Calendar;
use super::demand::Demand;
use super::ledger::{Opened, Passed};
use super::machine::{Job, Runs, Workspace, calendar};
use super::observe::Observer;
use super::random::Purpose;
use crate::model::{
    Binds, Closing, Ending, Got, Host, PoolId, PoolPlan, ServerWait, SocketId, Sockets, Start,
    Wanted,
};
use crate::stats::{HostTally, Phase};
use crate::units::{SimDuration, SimTime};

/// What happens to a connection at a moment that was known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The first FIN, or a reset.
    Close(Life),
    /// It becomes a TIME-WAIT bucket while in FIN-WAIT-2.
    Bucket(Life),
    /// The other side's FIN.
    SecondFin(Life),
    /// Its TIME-WAIT may be taken over from now on.
    Reusable(Life),
    /// Nothing is left of it.
    End(Life),
    /// A TIME-WAIT at the server's end of a connection over loopback is over.
    ServerWaited(ServerWait),
}

/// One connection among all that use the same record, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life {
    socket: SocketId,
    generation: u32,
}

/// What the loop knows of a connection.
#[derive(Clone, Copy, Debug)]
struct Record {
    generation: u32,
    attempt: Attempt,
    second_fin: SimDuration,
    pool: PoolId,
    bit: u32,
    close: SimTime,
    /// When it went into TIME-WAIT, if it has.
    waits_since: Option<SimTime>,
    /// Does it still count as in use?
    counts: bool,
}

/// A machine whose sockets take ports from each other.
pub(super) struct SharedMachine<'a> {
    host: &'a Host,
    plan: PoolPlan,
    books: Books<'a>,
    demand: Demand,
    sockets: Sockets,
    selection: Xoshiro256PlusPlus,
    closing: Closing,
    events: Calendar<Event>,
    now: SimTime,
    /// What happens at the instant at which it was begun, once all attempts of that instant are made.
    at_once: Vec<Event>,
    records: Vec<Record>,
    /// For each client that chooses its ports itself, how many it has chosen.
    chosen: Vec<usize>,
    workspace: Workspace,
}

impl<'a> SharedMachine<'a> {
    /// A machine in the memory of another one.
    ///
    /// # Panics
    /// When it is to start in the steady state, which is not known of such a machine.
    #[must_use]
    pub fn new(job: Job<'a>, mut workspace: Workspace, tally: &'a mut HostTally) -> Self {
        assert!(job.settings.start == Start::Empty, "no steady state is known of this machine");
        let (host, plan, streams) = (job.host(), job.plan(), job.streams());
        let mut selection = streams.of_machine(Purpose::Selection);
        let sockets = Sockets::new(host, plan, &mut selection);
        let size = Size {
            clients: host.clients.len(),
            pools: plan.pools() as usize,
            bits: sockets.bits(),
            no_port: false,
            shared: true,
        };
        let ledger = std::mem::take(&mut workspace.ledger);
        Self {
            host,
            plan,
            books: Books::new(size, job.window(), tally, ledger),
            demand: Demand::new(job.world, job.host, plan, streams),
            sockets,
            selection,
            closing: job.closing(),
            events: calendar(job, workspace.events.take()),
            now: SimTime::START,
            at_once: Vec::new(),
            records: Vec::new(),
            chosen: vec![0; host.clients.len()],
            workspace,
        }
    }

    /// Lets `event` happen at `due`.
    fn schedule(&mut self, due: SimTime, event: Event) {
        if due > self.now {
            self.events.push(due, event);
        } else {
            self.at_once.push(event);
        }
    }

    fn happen(&mut self, event: Event, at: SimTime, observer: &mut impl Observer) {
        let life = match event {
            Event::ServerWaited(wait) => return self.sockets.server_waited(wait),
            Event::Close(life)
            | Event::Bucket(life)
            | Event::SecondFin(life)
            | Event::Reusable(life)
            | Event::End(life) => life,
        };
        // Somebody took its TIME-WAIT over meanwhile.
        if self.records[life.socket.index()].generation != life.generation {
            return;
        }
        match event {
            Event::Close(_) => self.close(life, at, observer),
            Event::Bucket(_) if !self.sockets.wait(life.socket) => self.end(life, at, observer),
            Event::SecondFin(_) => self.time_wait(life, at, observer),
            Event::Reusable(_) => {
                self.sockets.may_be_taken_over(life.socket);
                self.stop_counting(life, at, observer);
            }
            Event::End(_) => self.end(life, at, observer),
            Event::Bucket(_) | Event::ServerWaited(_) => {}
        }
    }

    /// The first FIN, or a reset.
    fn close(&mut self, life: Life, at: SimTime, observer: &mut impl Observer) {
        let Record { attempt, second_fin, .. } = self.records[life.socket.index()];
        let second = at + second_fin;
        match attempt.ending {
            Ending::Reset | Ending::ServerReset | Ending::Unread => self.end(life, at, observer),
            Ending::Never => {}
            Ending::Server => {
                if attempt.remote.is_here()
                    && let Some(wait) = self.sockets.server_waits(life.socket)
                {
                    let over = self.closing.time_wait().expires(at);
                    self.schedule(over, Event::ServerWaited(wait));
                }
                if second > at {
                    self.schedule(second, Event::End(life));
                } else {
                    self.end(life, at, observer);
                }
            }
            Ending::Client if second == at => self.time_wait(life, at, observer),
            Ending::Client | Ending::Half => {
                let (bucket, given_up) = self.closing.fin_wait_2(at);
                if bucket == at && !self.sockets.wait(life.socket) {
                    return self.end(life, at, observer);
                }
                let answered = attempt.ending == Ending::Client && second < given_up;
                let over = if answered { second } else { given_up };
                if at < bucket && bucket < over {
                    self.schedule(bucket, Event::Bucket(life));
                }
                let event = if answered { Event::SecondFin(life) } else { Event::End(life) };
                self.schedule(over, event);
            }
        }
    }

    /// Both FINs are there, the client's first.
    fn time_wait(&mut self, life: Life, at: SimTime, observer: &mut impl Observer) {
        if !self.sockets.wait(life.socket) {
            return self.end(life, at, observer);
        }
        let record = &mut self.records[life.socket.index()];
        record.waits_since = Some(at);
        let Attempt { remote, client, .. } = record.attempt;
        let over = self.closing.time_wait().expires(at);
        // A bound socket's bucket stays closed to connect(), and bind() takes nothing over.
        let bound = self.host.clients[usize::from(client)].binds.is_bound();
        if !bound && self.closing.may_be_taken_over(remote.is_here()) {
            let reusable = self.closing.taken_over_from(at);
            self.schedule(reusable, Event::Reusable(life));
        }
        self.schedule(over, Event::End(life));
    }

    /// Nothing is left of a connection.
    fn end(&mut self, life: Life, at: SimTime, observer: &mut impl Observer) {
        self.stop_counting(life, at, observer);
        self.records[life.socket.index()].generation += 1;
        self.sockets.remove(life.socket);
    }

    /// The port of a connection can be had again: from now on it does not count as in use.
    fn stop_counting(&mut self, life: Life, at: SimTime, observer: &mut impl Observer) {
        let record = &mut self.records[life.socket.index()];
        if !std::mem::replace(&mut record.counts, false) {
            return;
        }
        let record = *record;
        self.books.released(record.attempt.client, record.pool, at, false);
        self.settle(record, at, observer);
    }

    /// Tells what a connection did after its close until it was released, or the run was over.
    fn settle(&mut self, record: Record, release: SimTime, observer: &mut impl Observer) {
        let Record { attempt, pool, bit, close, waits_since, .. } = record;
        self.books.waited(attempt.client, close, release);
        let passed = waits_since.unwrap_or(release).min(release);
        if close < passed {
            let (from, to) = (close.as_nanos(), passed.as_nanos());
            let client = attempt.client;
            self.books.passed(Passed { phase: Phase::Closing, from, to, client });
        }
        observer.opened(pool, self.sockets.port(bit), attempt.at, close, release);
    }

    fn opened(
        &mut self,
        attempt: &Attempt,
        second_fin: SimDuration,
        pool: PoolId,
        got: Got,
        observer: &mut impl Observer,
    ) {
        let now = attempt.at;
        let index = got.socket.index();
        if let Some(old) = got.replaced {
            let generation = self.records[old.index()].generation;
            self.stop_counting(Life { socket: old, generation }, now, observer);
            self.records[old.index()].generation += 1;
        }
        let close = match (attempt.remote.answers(), attempt.ending) {
            (false, _) => self.closing.syn_sent(now),
            (true, Ending::Never) => SimTime::FAR_FUTURE,
            (true, _) => now + attempt.lifetime,
        };
        let generation = self.records.get(index).map_or(0, |old| old.generation);
        let record = Record {
            generation,
            attempt: *attempt,
            second_fin,
            pool,
            bit: got.bit,
            close,
            waits_since: None,
            counts: true,
        };
        if index == self.records.len() {
            self.records.push(record);
        } else {
            self.records[index] = record;
        }
        let entry = Opened {
            at: now.as_nanos(),
            close: close.as_nanos(),
            release: close.as_nanos(),
            place: pool.0 * self.sockets.bits() + got.bit,
            probes: got.probes,
            client: attempt.client,
            attempted: true,
        };
        self.books.succeeded(pool, attempt.client, now);
        self.books.opened(pool, entry, false);
        let life = Life { socket: got.socket, generation };
        if attempt.remote.answers() {
            self.schedule(close, Event::Close(life));
        } else {
            let (from, to) = (now.as_nanos(), close.as_nanos());
            let phase = Phase::Connecting;
            self.books.passed(Passed { phase, from, to, client: attempt.client });
            self.books.unanswered(attempt.client, now);
            observer.unanswered(now, attempt.client, close);
            self.schedule(close, Event::End(life));
        }
        self.demand.worker_free(attempt, close);
    }

    /// The port of its own choice that a client asks for next, if it does.
    fn chosen_port(&mut self, client: u16) -> Option<u16> {
        let (number, client) = (usize::from(client), &self.host.clients[usize::from(client)]);
        if client.binds != Binds::Port {
            return None;
        }
        let ports = client.socket.source_ports.ports();
        let port = ports[self.chosen[number] % ports.len()];
        self.chosen[number] += 1;
        Some(port)
    }
}

impl Runs for SharedMachine<'_> {
    /// Only an empty start is known.
    fn start(&mut self, _: &mut impl Observer) {}

    fn next_attempts(&mut self, into: &mut Batch) {
        self.demand.next_attempts(into);
    }

    fn advance(&mut self, now: SimTime, observer: &mut impl Observer) {
        if now > self.now {
            let begun = self.now;
            // What happens may make more happen at the same instant.
            let mut next = 0;
            while let Some(&event) = self.at_once.get(next) {
                next += 1;
                self.happen(event, begun, observer);
            }
            self.at_once.clear();
        }
        while let Some((due, event)) = self.events.pop_due(now) {
            self.now = due;
            self.happen(event, due, observer);
            let mut next = 0;
            while let Some(&event) = self.at_once.get(next) {
                next += 1;
                self.happen(event, due, observer);
            }
            self.at_once.clear();
        }
        self.now = now;
    }

    fn attempt(
        &mut self,
        attempt: &Attempt,
        second_fin: impl Fn() -> SimDuration,
        observer: &mut impl Observer,
    ) {
        let client = &self.host.clients[usize::from(attempt.client)];
        let pool = self.plan.pool_of_tuple(client.binds, attempt.pool.0);
        let wanted = Wanted {
            binds: client.binds,
            options: &client.socket,
            tuple: attempt.pool.0,
            port: self.chosen_port(attempt.client),
        };
        match self.sockets.open(wanted, attempt.at, &mut self.selection) {
            Ok(got) => self.opened(attempt, second_fin(), pool, got, observer),
            Err((refusal, probes)) => {
                self.books.blocked(pool, attempt.client, attempt.at, probes);
                self.books.refused(attempt.client, attempt.at, refusal);
                observer.refused(attempt.at, attempt.client, refusal);
                self.demand.worker_free(attempt, attempt.at);
            }
        }
    }

    fn now(&self) -> SimTime {
        self.now
    }

    fn count_if_due(&mut self) {
        self.books.count_if_due();
    }

    fn finish(mut self, observer: &mut impl Observer) -> Workspace {
        let end = SimTime::from_nanos(self.books.window.end());
        self.advance(end, observer);
        for index in 0..self.records.len() {
            let record = self.records[index];
            if record.counts {
                self.settle(record, SimTime::FAR_FUTURE, observer);
            }
        }
        self.workspace.ledger = self.books.close();
        self.workspace.events = Some(self.events);
        self.workspace
    }
}
