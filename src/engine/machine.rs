//! The loop: one machine, one clock, one replication.
//!
//! What becomes of a connection is settled when it opens: when it is closed, by whom, and when its
//! port is free again. So a connection is one entry in the queue of releases, not three events;
//! its time in each state is entered in the statistics when it opens. Nothing waits for a close.
//!
//! Order of simultaneous things: a release comes before an attempt made at the same instant, for it
//! was scheduled earlier; but a connection that opens and is released at one instant keeps its port
//! until all attempts of that instant are made, for those were scheduled before it.

use std::ops::ControlFlow;

use rand::rngs::Xoshiro256PlusPlus;

use super::calendar::Calendar;
use super::demand::{Attempt, Demand};
use super::ledger::{Ledger, LedgerMemory, Opened};
use super::observe::Observer;
use super::random::{Purpose, Streams};
use super::sample::unit;
use super::stationary;
use super::target::EndpointNumbers;
use crate::model::{
    Ending, HoldTimer, Host, PoolId, PoolPlan, PortSpace, RunSettings, Start, World,
};
use crate::stats::{BinCursor, HostTally, Window};
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
    let mut machine = Machine::new(job, std::mem::take(workspace), tally);
    machine.start(observer);
    let end = SimTime::from_nanos(machine.window.end());
    let mut attempts = Vec::new();
    let mut since_look = 0;
    loop {
        machine.demand.next_attempts(&mut attempts);
        let before_end = attempts.partition_point(|attempt| attempt.at < end);
        for attempt in &attempts[..before_end] {
            machine.release_until(attempt.at);
            machine.attempt(attempt, observer);
        }
        machine.ledger.count_if_due(machine.tally);
        if before_end < attempts.len() || attempts.is_empty() {
            *workspace = machine.finish();
            return observer.reached(end);
        }
        since_look += attempts.len();
        if since_look >= ATTEMPTS_A_LOOK {
            since_look = 0;
            observer.reached(machine.now)?;
        }
    }
}

/// The memory of a machine that has run, for the next one on the same thread: where machines are
/// many, asking for it anew each time would cost a tenth of the run.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    releases: Option<Calendar<Held>>,
    ledger: LedgerMemory,
}

/// A port waiting to be free: which, and whose it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    pool: PoolId,
    bit: u16,
    client: u16,
}

/// What is known of one pool beside its bits.
#[derive(Clone, Copy, Debug)]
struct PoolState {
    /// Since when none is free; far future when some is.
    full_since: SimTime,
    /// Since when every attempt has been refused; far future when the last one was not.
    blocked_since: SimTime,
}

/// What is known of one client while it runs.
#[derive(Clone, Copy, Debug)]
struct ClientState {
    in_use: u64,
    peak_in_use: u64,
    blocked_since: SimTime,
}

struct Machine<'a> {
    job: Job<'a>,
    host: &'a Host,
    window: Window,
    plan: PoolPlan,
    tally: &'a mut HostTally,
    demand: Demand,
    ports: PortSpace,
    selection: Xoshiro256PlusPlus,
    time_wait: HoldTimer,
    releases: Calendar<Held>,
    /// The time of the last attempt.
    now: SimTime,
    /// Ports whose connection opened and ended at that very instant.
    instant_releases: Vec<Held>,
    pools: Vec<PoolState>,
    clients: Vec<ClientState>,
    in_use: u64,
    peak_in_use: u64,
    /// Pools and clients in the middle of an episode of blocking.
    blocked: u32,
    ledger: Ledger,
    release_cursor: BinCursor,
    /// Are there several clients? The ports in use of a single one are those of the machine.
    several: bool,
    /// Do `connect()` and `bind()` take ports from each other on this host?
    mixed: bool,
}

impl<'a> Machine<'a> {
    fn new(job: Job<'a>, workspace: Workspace, tally: &'a mut HostTally) -> Self {
        let host = &job.world.hosts[job.host];
        let streams = Streams::new(job.settings.seed, job.replication, &host.name, job.machine);
        let plan = PoolPlan::of(host, EndpointNumbers::of(job.world, job.host).count());
        let mut selection = streams.of_machine(Purpose::Selection);
        let ports = PortSpace::new(host, plan, &mut selection);
        let phase = unit(&mut streams.of_machine(Purpose::TimerPhase));
        let window = Window::new(job.settings.warm_up, job.settings.duration);
        let usable = host.usable_ports();
        let pool = PoolState {
            full_since: if usable == 0 { SimTime::START } else { SimTime::FAR_FUTURE },
            blocked_since: SimTime::FAR_FUTURE,
        };
        let client = ClientState { in_use: 0, peak_in_use: 0, blocked_since: SimTime::FAR_FUTURE };
        let pools = plan.pools() as usize;
        Self {
            job,
            host,
            window,
            plan,
            tally,
            demand: Demand::new(job.world, job.host, plan, streams),
            selection,
            time_wait: HoldTimer::new(host.time_wait, host.timer_grid, phase),
            releases: calendar(host, plan, job.settings.duration, workspace.releases),
            now: SimTime::START,
            instant_releases: Vec::new(),
            pools: vec![pool; pools],
            clients: vec![client; host.clients.len()],
            in_use: 0,
            peak_in_use: 0,
            blocked: 0,
            ledger: Ledger::new(window, pools * ports.num_ephemeral() as usize, workspace.ledger),
            release_cursor: BinCursor::default(),
            several: host.clients.len() > 1,
            mixed: plan.is_mixed(),
            ports,
        }
    }

    /// Puts in place what is in use when the run starts.
    fn start(&mut self, observer: &mut impl Observer) {
        if self.job.settings.start == Start::Empty {
            return;
        }
        let job = self.job;
        let streams =
            Streams::new(job.settings.seed, job.replication, &self.host.name, job.machine);
        let mut rng = streams.of_machine(Purpose::Start);
        for held in stationary::draw(job.world, job.host, self.plan, self.time_wait, &mut rng) {
            let choice = self.ports.allocate(held.pool, SimTime::START, &mut self.selection);
            if let Some(bit) = choice.bit {
                self.tally.bins.stand();
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
                self.ledger.count_if_due(self.tally);
                let port = self.ports.port(bit);
                observer.opened(held.pool, port, SimTime::START, held.close, held.release);
            }
        }
    }

    /// Frees every port due before `now`, or at it but scheduled earlier.
    #[inline(always)]
    fn release_until(&mut self, now: SimTime) {
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
    fn release(&mut self, held: Held, due: SimTime) {
        let was_full = self.ports.free(held.pool) == 0;
        self.ports.release(held.pool, u32::from(held.bit));
        self.tally.bins.release(&mut self.release_cursor, due.as_nanos());
        self.in_use -= 1;
        if self.several {
            self.clients[usize::from(held.client)].in_use -= 1;
        }
        if was_full && !self.mixed {
            let full_since = &mut self.pools[held.pool.0 as usize].full_since;
            let since = self.window.clip(full_since.as_nanos());
            self.tally.limit.full += u128::from(self.window.clip(due.as_nanos()) - since);
            *full_since = SimTime::FAR_FUTURE;
        }
    }

    #[inline(always)]
    fn attempt(&mut self, attempt: &Attempt, observer: &mut impl Observer) {
        let now = attempt.at;
        let choice = self.ports.allocate(attempt.pool, now, &mut self.selection);
        match choice.bit {
            Some(bit) => {
                let close = now + attempt.lifetime;
                let (close, release) = match attempt.ending {
                    Ending::Client => (close, self.time_wait.expires(close)),
                    Ending::Server | Ending::Reset | Ending::ServerReset | Ending::Unread => {
                        (close, close)
                    }
                    Ending::Never | Ending::Half => (SimTime::FAR_FUTURE, SimTime::FAR_FUTURE),
                };
                if self.blocked > 0 {
                    self.end_episodes(attempt);
                }
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
            None => self.block(attempt, choice.probes),
        }
    }

    /// Keeps the port of `bit`, which `entry` has just taken from `pool`, until it is released.
    #[inline(always)]
    fn hold(&mut self, pool: PoolId, bit: u32, entry: Opened) {
        self.ledger.opened(entry);
        if self.several {
            let state = &mut self.clients[usize::from(entry.client)];
            state.in_use += 1;
            state.peak_in_use = state.peak_in_use.max(state.in_use);
        }
        self.in_use += 1;
        self.peak_in_use = self.peak_in_use.max(self.in_use);
        if self.ports.free(pool) == 0 && !self.mixed {
            self.pools[pool.0 as usize].full_since = SimTime::from_nanos(entry.at);
        }
        let held = Held { pool, bit: bit as u16, client: entry.client };
        if entry.release > entry.at {
            self.releases.push(SimTime::from_nanos(entry.release), held);
        } else {
            self.instant_releases.push(held);
        }
    }

    /// A success ends the episodes of blocking of its pool and its client.
    #[inline(never)]
    fn end_episodes(&mut self, attempt: &Attempt) {
        let pool = &mut self.pools[attempt.pool.0 as usize];
        let client = &mut self.clients[usize::from(attempt.client)];
        if pool.blocked_since != SimTime::FAR_FUTURE {
            self.tally.limit.blocking.end(pool.blocked_since, attempt.at);
            if self.mixed {
                let since = self.window.clip(pool.blocked_since.as_nanos());
                self.tally.limit.full +=
                    u128::from(self.window.clip(attempt.at.as_nanos()) - since);
            }
            pool.blocked_since = SimTime::FAR_FUTURE;
            self.blocked -= 1;
        }
        if client.blocked_since != SimTime::FAR_FUTURE {
            let tally = &mut self.tally.clients[usize::from(attempt.client)];
            tally.blocking.end(client.blocked_since, attempt.at);
            client.blocked_since = SimTime::FAR_FUTURE;
            self.blocked -= 1;
        }
    }

    #[inline(never)]
    fn block(&mut self, attempt: &Attempt, probes: u32) {
        let now = attempt.at;
        if self.window.is_steady(now) {
            self.ledger.blocked(probes);
        }
        self.tally.bins.block(now.as_nanos());
        let blocked = &mut self.tally.clients[usize::from(attempt.client)].blocked;
        *blocked += u64::from(self.window.is_steady(now));
        let pool = &mut self.pools[attempt.pool.0 as usize];
        if pool.blocked_since == SimTime::FAR_FUTURE {
            pool.blocked_since = now;
            self.blocked += 1;
            self.tally.limit.blocking.begin(now);
        }
        let client = &mut self.clients[usize::from(attempt.client)];
        if client.blocked_since == SimTime::FAR_FUTURE {
            client.blocked_since = now;
            self.blocked += 1;
            self.tally.clients[usize::from(attempt.client)].blocking.begin(now);
        }
        self.demand.worker_free(attempt, now);
    }

    /// Lets time run to its end, closes the books, and leaves its memory.
    fn finish(mut self) -> Workspace {
        let end = SimTime::from_nanos(self.window.end());
        self.release_until(end);
        self.ledger.count(self.tally);
        self.tally.limit.peak_in_use = self.tally.limit.peak_in_use.max(self.peak_in_use);
        for pool in &self.pools {
            let mut full_since = pool.full_since;
            if pool.blocked_since != SimTime::FAR_FUTURE {
                self.tally.limit.blocking.cut(pool.blocked_since, end);
                if self.mixed {
                    full_since = pool.blocked_since;
                }
            }
            if full_since != SimTime::FAR_FUTURE {
                let since = self.window.clip(full_since.as_nanos());
                self.tally.limit.full += u128::from(self.window.end() - since);
            }
        }
        for (state, tally) in self.clients.iter().zip(&mut self.tally.clients) {
            let peak = if self.several { state.peak_in_use } else { self.peak_in_use };
            tally.peak_in_use = tally.peak_in_use.max(peak);
            if state.blocked_since != SimTime::FAR_FUTURE {
                tally.blocking.cut(state.blocked_since, end);
            }
        }
        Workspace { releases: Some(self.releases), ledger: self.ledger.into_memory() }
    }
}

/// A calendar laid out for what `host` will hold, in the memory of a `used` one.
fn calendar(
    host: &Host,
    plan: PoolPlan,
    duration: SimDuration,
    used: Option<Calendar<Held>>,
) -> Calendar<Held> {
    let hold = stationary::typical_hold(host).min(duration);
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
