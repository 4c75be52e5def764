//! The loop: one machine, one clock, one replication.
//!
//! What becomes of a connection is settled when it opens: when it is closed, by whom, and when its
//! port is free again. So a connection is one entry in the queue of releases, not three events;
//! its time in each state is entered in the statistics when it opens. Nothing waits for a close. Where
//! something does, because sockets take ports from each other, the machine is one of `shared.rs`.
//!
//! Order of simultaneous things: a release comes before an attempt made at the same instant, for it
//! was scheduled earlier; but a connection that opens and is released at one instant keeps its port
//! until all attempts of that instant are made, for those were scheduled before it.

use std::ops::ControlFlow;

use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use super::attempt::{Attempt, Batch};
use super::books::{Books, Size};
use super::calendar::Calendar;
use super::demand::Demand;
use super::ledger::{LedgerMemory, Opened, Passed};
use super::observe::Observer;
use super::random::{Purpose, Streams};
use super::sample::unit;
use super::shared::{Event, SharedMachine};
use super::stationary;
use super::target::EndpointNumbers;
use crate::model::{
    Client, Closing, Distribution, Ending, HoldTimer, Host, PoolId, PoolPlan, PortSpace, Refusal,
    RunSettings, Start, World,
};
use crate::stats::{HostTally, Phase, Window};
use crate::units::{SimDuration, SimTime};

/// One machine of one host in one replication.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The world it is in.
    pub world: &'a World,
    /// How it is run.
    pub settings: &'a RunSettings,
    /// Index of its host in the world.
    pub host: usize,
    /// Number of the machine, below the host's `count`.
    pub machine: u32,
    /// Number of the replication.
    pub replication: u32,
    /// Where the timer grid lies, 0 to 1 of the step of TIME-WAIT, instead of anywhere.
    pub timer_phase: Option<f64>,
}

impl<'a> Job<'a> {
    /// The model of the host.
    #[must_use]
    pub fn host(&self) -> &'a Host {
        &self.world.hosts[self.host]
    }

    /// The pools of the machine.
    #[must_use]
    pub fn plan(&self) -> PoolPlan {
        PoolPlan::of(self.host(), EndpointNumbers::of(self.world, self.host).count())
    }

    pub(super) fn streams(&self) -> Streams {
        let name = &self.host().name;
        Streams::new(self.settings.seed, self.replication, name, self.machine)
    }

    pub(super) fn window(&self) -> Window {
        Window::new(self.settings.warm_up, self.settings.duration)
    }

    /// The timers of the machine in this replication.
    pub(super) fn closing(&self) -> Closing {
        let mut rng = self.streams().of_machine(Purpose::TimerPhase);
        let phase = unit(&mut rng);
        let (coarser, tick) = (rng.next_u64() >> 32, unit(&mut rng));
        Closing::new(self.host(), self.timer_phase.unwrap_or(phase), coarser, tick)
    }
}

/// Attempts between two looks at the world outside.
const ATTEMPTS_A_LOOK: usize = 1 << 16;

/// Runs one machine from start to end and adds what it did to `tally`.
///
/// [`ControlFlow::Break`] when the observer gave it up: `tally` is of no use then.
pub fn run(
    job: Job<'_>,
    workspace: &mut Workspace,
    tally: &mut HostTally,
    observer: &mut impl Observer,
) -> ControlFlow<()> {
    if job.plan().is_shared() {
        let machine = SharedMachine::new(job, std::mem::take(workspace), tally);
        drive(machine, job, workspace, observer)
    } else {
        let machine = Machine::new(job, std::mem::take(workspace), tally);
        drive(machine, job, workspace, observer)
    }
}

/// What the loop asks of a machine.
pub(super) trait Runs {
    /// Puts in place what is in use when the run starts.
    fn start(&mut self, observer: &mut impl Observer);
    /// The next attempts of its clients, in the order of time.
    fn next_attempts(&mut self, into: &mut Batch);
    /// Lets everything happen that is due before `now`, or at it but was scheduled earlier.
    fn advance(&mut self, now: SimTime, observer: &mut impl Observer);
    /// Makes one attempt; `second_fin` looks up the time from its first FIN to the other side's.
    fn attempt(
        &mut self,
        attempt: &Attempt,
        second_fin: impl Fn() -> SimDuration,
        observer: &mut impl Observer,
    );
    /// The time of the last attempt.
    fn now(&self) -> SimTime;
    /// Enters in the statistics what there might soon be no room for.
    fn count_if_due(&mut self);
    /// Lets time run to its end, closes the books, and leaves its memory.
    fn finish(self, observer: &mut impl Observer) -> Workspace;
}

#[inline(always)]
fn drive<M: Runs, O: Observer>(
    mut machine: M,
    job: Job<'_>,
    workspace: &mut Workspace,
    observer: &mut O,
) -> ControlFlow<()> {
    machine.start(observer);
    let end = SimTime::from_nanos(job.window().end());
    let mut batch = Batch::default();
    let mut since_look = 0;
    loop {
        machine.next_attempts(&mut batch);
        let before_end = batch.attempts.partition_point(|attempt| attempt.at < end);
        for (index, attempt) in batch.attempts[..before_end].iter().enumerate() {
            machine.advance(attempt.at, observer);
            machine.attempt(attempt, || batch.second_fin(index), observer);
        }
        machine.count_if_due();
        if before_end < batch.attempts.len() || batch.attempts.is_empty() {
            *workspace = machine.finish(observer);
            return observer.reached(end);
        }
        since_look += batch.attempts.len();
        if since_look >= ATTEMPTS_A_LOOK {
            since_look = 0;
            observer.reached(machine.now())?;
        }
    }
}

/// The memory of a machine that has run, for the next one on the same thread: where machines are
/// many, asking for it anew each time would cost a tenth of the run.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    pub(super) releases: Option<Calendar<Held>>,
    pub(super) events: Option<Calendar<Event>>,
    pub(super) ledger: LedgerMemory,
}

/// A port waiting to be free: which, and whose it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held {
    pool: PoolId,
    bit: u16,
    client: u16,
}

/// A machine whose pools are independent of each other.
struct Machine<'a> {
    job: Job<'a>,
    host: &'a Host,
    plan: PoolPlan,
    books: Books<'a>,
    demand: Demand,
    ports: PortSpace,
    selection: Xoshiro256PlusPlus,
    closing: Closing,
    /// TIME-WAIT, or, where every port may be taken over, what comes before that.
    time_wait: HoldTimer,
    /// May a connection end otherwise than by one of two FINs at once or a reset, or take time to come
    /// about, or is a TIME-WAIT taken over towards some destinations only?
    unusual: bool,
    releases: Calendar<Held>,
    /// The time of the last attempt.
    now: SimTime,
    /// Ports whose connection opened and ended at that very instant.
    instant_releases: Vec<Held>,
    workspace: Workspace,
}

impl<'a> Machine<'a> {
    fn new(job: Job<'a>, mut workspace: Workspace, tally: &'a mut HostTally) -> Self {
        let (host, plan, streams) = (job.host(), job.plan(), job.streams());
        let mut selection = streams.of_machine(Purpose::Selection);
        let ports = PortSpace::new(host, plan, &mut selection);
        let closing = job.closing();
        let size = Size {
            clients: host.clients.len(),
            pools: plan.pools() as usize,
            bits: ports.num_ephemeral(),
            no_port: host.usable_ports() == 0,
            shared: false,
        };
        let ledger = std::mem::take(&mut workspace.ledger);
        Self {
            job,
            host,
            plan,
            books: Books::new(size, job.window(), tally, ledger),
            demand: Demand::new(job.world, job.host, plan, streams),
            selection,
            closing,
            time_wait: closing.time_wait(),
            unusual: is_unusual(job.world, host, closing),
            releases: calendar(job, workspace.releases.take()),
            now: SimTime::START,
            instant_releases: Vec::new(),
            ports,
            workspace,
        }
    }

    #[inline(always)]
    fn release(&mut self, held: Held, due: SimTime) {
        let was_full = self.ports.free(held.pool) == 0;
        self.ports.release(held.pool, u32::from(held.bit));
        self.books.released(held.client, held.pool, due, was_full);
    }

    /// When a connection that opens now is closed, and when its port is free.
    #[inline(always)]
    fn end_of(
        &mut self,
        attempt: &Attempt,
        second_fin: impl Fn() -> SimDuration,
        observer: &mut impl Observer,
    ) -> (SimTime, SimTime) {
        if self.unusual {
            return self.unusual_end_of(attempt, second_fin(), observer);
        }
        let close = attempt.at + attempt.lifetime;
        // By far the most frequent one first: a jump by a table would cost more than all of it.
        if attempt.ending == Ending::Client {
            return (close, self.time_wait.expires(close));
        }
        match attempt.ending {
            Ending::Half | Ending::Never => (SimTime::FAR_FUTURE, SimTime::FAR_FUTURE),
            _ => (close, close),
        }
    }

    #[inline(never)]
    fn unusual_end_of(
        &mut self,
        attempt: &Attempt,
        second_fin: SimDuration,
        observer: &mut impl Observer,
    ) -> (SimTime, SimTime) {
        let (at, client) = (attempt.at, attempt.client);
        let pass = |books: &mut Books<'_>, phase, from: SimTime, to: SimTime| {
            books.passed(Passed { phase, from: from.as_nanos(), to: to.as_nanos(), client });
        };
        if !attempt.remote.answers() {
            let given_up = self.closing.syn_sent(at);
            pass(&mut self.books, Phase::Connecting, at, given_up);
            self.books.unanswered(client, at);
            observer.unanswered(at, client, given_up);
            return (given_up, given_up);
        }
        let close = at + attempt.lifetime;
        let second = close + second_fin;
        match attempt.ending {
            Ending::Reset | Ending::ServerReset | Ending::Unread => (close, close),
            Ending::Never => (SimTime::FAR_FUTURE, SimTime::FAR_FUTURE),
            Ending::Server => {
                pass(&mut self.books, Phase::Closing, close, second);
                (close, second)
            }
            Ending::Half | Ending::Client => {
                let given_up = self.closing.fin_wait_2(close).1;
                if attempt.ending == Ending::Half || second >= given_up && second > close {
                    pass(&mut self.books, Phase::Closing, close, given_up);
                    return (close, given_up);
                }
                pass(&mut self.books, Phase::Closing, close, second);
                // bind() takes nothing over: it fails before a destination is known.
                let bound = self.host.clients[usize::from(client)].binds.is_bound();
                let taken_over = !bound && self.closing.may_be_taken_over(attempt.remote.is_here());
                let release = if taken_over {
                    self.closing.taken_over_from(second)
                } else {
                    self.time_wait.expires(second)
                };
                (close, release)
            }
        }
    }

    /// Keeps the port of `bit`, which `entry` has just taken from `pool`, until it is released.
    #[inline(always)]
    fn hold(&mut self, pool: PoolId, bit: u32, entry: Opened) {
        let last = self.ports.free(pool) == 0;
        self.books.opened(pool, entry, last);
        let held = Held { pool, bit: bit as u16, client: entry.client };
        if entry.release > entry.at {
            self.releases.push(SimTime::from_nanos(entry.release), held);
        } else {
            self.instant_releases.push(held);
        }
    }

    #[inline(never)]
    fn block(&mut self, attempt: &Attempt, probes: u32, observer: &mut impl Observer) {
        let Attempt { at, client, pool, .. } = *attempt;
        self.books.blocked(pool, client, at, probes);
        observer.refused(at, client, refusal_of(self.ports.is_bound(pool)));
        self.demand.worker_free(attempt, at);
    }
}

impl Runs for Machine<'_> {
    fn start(&mut self, observer: &mut impl Observer) {
        if self.job.settings.start == Start::Empty {
            return;
        }
        let job = self.job;
        let mut rng = job.streams().of_machine(Purpose::Start);
        let timer = self.closing.time_wait();
        for held in stationary::draw(job.world, job.host, self.plan, timer, &mut rng) {
            let choice = self.ports.allocate(held.pool, SimTime::START, &mut self.selection);
            if let Some(bit) = choice.bit {
                self.books.tally.bins.stand();
                let entry = Opened {
                    at: 0,
                    close: held.close.as_nanos(),
                    release: held.release.as_nanos(),
                    place: self.ports.place(held.pool, bit),
                    probes: choice.probes,
                    client: held.client,
                    attempted: false,
                };
                self.hold(held.pool, bit, entry);
                self.books.count_if_due();
                let port = self.ports.port(bit);
                observer.opened(held.pool, port, SimTime::START, held.close, held.release);
            }
        }
    }

    fn next_attempts(&mut self, into: &mut Batch) {
        self.demand.next_attempts(into);
    }

    #[inline(always)]
    fn advance(&mut self, now: SimTime, _: &mut impl Observer) {
        if now > self.now {
            while let Some(held) = self.instant_releases.pop() {
                self.release(held, self.now);
            }
            self.now = now;
        }
        while let Some((due, held)) = self.releases.pop_due(now) {
            self.release(held, due);
        }
    }

    #[inline(always)]
    fn attempt(
        &mut self,
        attempt: &Attempt,
        second_fin: impl Fn() -> SimDuration,
        observer: &mut impl Observer,
    ) {
        let now = attempt.at;
        let choice = self.ports.allocate(attempt.pool, now, &mut self.selection);
        let Some(bit) = choice.bit else {
            self.block(attempt, choice.probes, observer);
            return;
        };
        let (close, release) = self.end_of(attempt, second_fin, observer);
        self.books.succeeded(attempt.pool, attempt.client, now);
        let entry = Opened {
            at: now.as_nanos(),
            close: close.as_nanos(),
            release: release.as_nanos(),
            place: self.ports.place(attempt.pool, bit),
            probes: choice.probes,
            client: attempt.client,
            attempted: true,
        };
        self.hold(attempt.pool, bit, entry);
        observer.opened(attempt.pool, self.ports.port(bit), now, close, release);
        if self.demand.has_workers() {
            self.demand.worker_free(attempt, close);
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
        for (number, client) in self.host.clients.iter().enumerate() {
            self.books.all_refused(number, refusal_of(client.binds.is_bound()));
        }
        self.workspace.ledger = self.books.close();
        self.workspace.releases = Some(self.releases);
        self.workspace
    }
}

/// What a call that finds no port is told.
const fn refusal_of(bound: bool) -> Refusal {
    if bound { Refusal::BindInUse } else { Refusal::NoPort }
}

/// Is there anything that the plain rules for the end of a connection do not cover?
fn is_unusual(world: &World, host: &Host, closing: Closing) -> bool {
    host.clients.iter().any(|client| {
        let to = |client: &Client| {
            let to = client.targets.iter().map(|target| &world.destinations[target.destination]);
            to.into_iter().any(|to| !to.answers || closing.may_be_taken_over(to.loopback))
        };
        let at_once = client.second_fin == Distribution::Constant(SimDuration::ZERO);
        !at_once || to(client) || client.can_end(Ending::Half)
    })
}

/// A calendar laid out for what the machine of `job` will hold, in the memory of a `used` one.
pub(super) fn calendar<T: Copy + Ord>(job: Job<'_>, used: Option<Calendar<T>>) -> Calendar<T> {
    let (host, plan) = (job.host(), job.plan());
    let hold = stationary::typical_hold(job.world, host).min(job.settings.duration);
    let capacity = u64::from(plan.connections_a_port()) * u64::from(host.usable_ports());
    let offered = stationary::mean_rate(host) * hold.as_secs_f64();
    // `as` saturates, so an absurd rate asks for no more than the capacity.
    let entries = (offered as u64).min(capacity);
    match used {
        Some(mut used) => {
            used.start_again(entries, hold);
            used
        }
        None => Calendar::new(entries, hold),
    }
}
