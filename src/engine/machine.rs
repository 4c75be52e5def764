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
use super::observe::Observer;
use super::random::{Purpose, Streams};
use super::sample::unit;
use super::stationary;
use super::target::EndpointNumbers;
use crate::model::{
    Ending, HoldTimer, Host, PoolId, PoolPlan, PortSpace, RunSettings, Start, World,
};
use crate::stats::{HostTally, ReuseClock, Window};
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
const ATTEMPTS_A_LOOK: u32 = 1 << 16;

/// Runs one machine from start to end and adds what it did to `tally`.
///
/// [`ControlFlow::Break`] when the observer gave it up: `tally` is of no use then.
pub fn run(job: Job<'_>, tally: &mut HostTally, observer: &mut impl Observer) -> ControlFlow<()> {
    let mut machine = Machine::new(job, tally);
    machine.start(observer);
    let end = SimTime::from_nanos(machine.window.end());
    loop {
        for _ in 0..ATTEMPTS_A_LOOK {
            match machine.demand.next_attempt() {
                Some(attempt) if attempt.at < end => {
                    machine.release_until(attempt.at);
                    machine.attempt(&attempt, observer);
                }
                _ => {
                    machine.finish();
                    return observer.reached(end);
                }
            }
        }
        observer.reached(machine.now)?;
    }
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
    clock: ReuseClock,
    /// When each port of each pool was last taken, in ticks of the clock plus one; 0 is never.
    last_taken: Vec<u32>,
}

impl<'a> Machine<'a> {
    fn new(job: Job<'a>, tally: &'a mut HostTally) -> Self {
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
        let client = ClientState { in_use: 0, blocked_since: SimTime::FAR_FUTURE };
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
            releases: calendar(host, plan, job.settings.duration),
            now: SimTime::START,
            instant_releases: Vec::new(),
            pools: vec![pool; pools],
            clients: vec![client; host.clients.len()],
            in_use: 0,
            clock: ReuseClock::new(window),
            last_taken: vec![0; pools * ports.num_ephemeral() as usize],
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
                self.tally.bins.hold(0, held.close.as_nanos(), held.release.as_nanos());
                self.hold(held.client, held.pool, bit, SimTime::START, held.close, held.release);
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
        self.ports.release(held.pool, u32::from(held.bit));
        self.in_use -= 1;
        self.clients[usize::from(held.client)].in_use -= 1;
        let pool = &mut self.pools[held.pool.0 as usize];
        if pool.full_since != SimTime::FAR_FUTURE {
            let since = self.window.clip(pool.full_since.as_nanos());
            self.tally.limit.full += u128::from(self.window.clip(due.as_nanos()) - since);
            pool.full_since = SimTime::FAR_FUTURE;
        }
    }

    #[inline(always)]
    fn attempt(&mut self, attempt: &Attempt, observer: &mut impl Observer) {
        let now = attempt.at;
        let steady = self.window.is_steady(now);
        let choice = self.ports.allocate(attempt.pool, now, &mut self.selection);
        let client = &mut self.tally.clients[usize::from(attempt.client)];
        client.attempts += u64::from(steady);
        if steady {
            self.tally.limit.probes.record(choice.probes);
        }
        let Some(bit) = choice.bit else {
            return self.block(attempt);
        };
        client.opened += u64::from(steady);

        let close = now + attempt.lifetime;
        let (close, release) = match attempt.ending {
            Ending::Client => (close, self.time_wait.expires(close)),
            Ending::Server | Ending::Reset => (close, close),
            Ending::Never => (SimTime::FAR_FUTURE, SimTime::FAR_FUTURE),
        };
        self.tally.bins.hold(now.as_nanos(), close.as_nanos(), release.as_nanos());
        self.note_reuse(attempt.pool, bit, now, steady);
        self.end_episodes(attempt);
        self.hold(attempt.client, attempt.pool, bit, now, close, release);
        observer.opened(attempt.pool, self.ports.port(bit), now, close, release);
        self.demand.worker_free(attempt, close);
    }

    /// Keeps a port that has just been taken until `release`.
    #[inline(always)]
    fn hold(
        &mut self,
        client: u16,
        pool: PoolId,
        bit: u32,
        now: SimTime,
        close: SimTime,
        release: SimTime,
    ) {
        let end = self.window.clip(close.as_nanos());
        let tally = &mut self.tally.clients[usize::from(client)];
        tally.established += u128::from(end - self.window.clip(now.as_nanos()));
        tally.time_wait += u128::from(self.window.clip(release.as_nanos()) - end);
        let state = &mut self.clients[usize::from(client)];
        state.in_use += 1;
        tally.peak_in_use = tally.peak_in_use.max(state.in_use);
        self.in_use += 1;
        self.tally.limit.peak_in_use = self.tally.limit.peak_in_use.max(self.in_use);

        if self.ports.free(pool) == 0 && !self.plan.is_mixed() {
            self.pools[pool.0 as usize].full_since = now;
        }
        let held = Held { pool, bit: bit as u16, client };
        if release > now {
            self.releases.push(release, held);
        } else {
            self.instant_releases.push(held);
        }
    }

    #[inline]
    fn note_reuse(&mut self, pool: PoolId, bit: u32, now: SimTime, steady: bool) {
        let index = pool.0 as usize * self.ports.num_ephemeral() as usize + bit as usize;
        let tick = self.clock.ticks(now.as_nanos()) + 1;
        let before = std::mem::replace(&mut self.last_taken[index], tick);
        if before != 0 && steady {
            self.tally.limit.reuse.record(tick - before);
        }
    }

    /// A success ends the episodes of blocking of its pool and its client.
    #[inline]
    fn end_episodes(&mut self, attempt: &Attempt) {
        let pool = &mut self.pools[attempt.pool.0 as usize];
        let client = &mut self.clients[usize::from(attempt.client)];
        if pool.blocked_since != SimTime::FAR_FUTURE {
            self.tally.limit.blocking.end(pool.blocked_since, attempt.at);
            if self.plan.is_mixed() {
                let since = self.window.clip(pool.blocked_since.as_nanos());
                self.tally.limit.full +=
                    u128::from(self.window.clip(attempt.at.as_nanos()) - since);
            }
            pool.blocked_since = SimTime::FAR_FUTURE;
        }
        if client.blocked_since != SimTime::FAR_FUTURE {
            let tally = &mut self.tally.clients[usize::from(attempt.client)];
            tally.blocking.end(client.blocked_since, attempt.at);
            client.blocked_since = SimTime::FAR_FUTURE;
        }
    }

    #[inline(never)]
    fn block(&mut self, attempt: &Attempt) {
        let now = attempt.at;
        self.tally.bins.block(now.as_nanos());
        let pool = &mut self.pools[attempt.pool.0 as usize];
        if pool.blocked_since == SimTime::FAR_FUTURE {
            pool.blocked_since = now;
            self.tally.limit.blocking.begin(now);
        }
        let client = &mut self.clients[usize::from(attempt.client)];
        if client.blocked_since == SimTime::FAR_FUTURE {
            client.blocked_since = now;
            self.tally.clients[usize::from(attempt.client)].blocking.begin(now);
        }
        self.demand.worker_free(attempt, now);
    }

    /// Lets time run to its end, and closes the books.
    fn finish(mut self) {
        let end = SimTime::from_nanos(self.window.end());
        self.release_until(end);
        for pool in &self.pools {
            let mut full_since = pool.full_since;
            if pool.blocked_since != SimTime::FAR_FUTURE {
                self.tally.limit.blocking.cut(pool.blocked_since, end);
                if self.plan.is_mixed() {
                    full_since = pool.blocked_since;
                }
            }
            if full_since != SimTime::FAR_FUTURE {
                let since = self.window.clip(full_since.as_nanos());
                self.tally.limit.full += u128::from(self.window.end() - since);
            }
        }
        for (state, tally) in self.clients.iter().zip(&mut self.tally.clients) {
            if state.blocked_since != SimTime::FAR_FUTURE {
                tally.blocking.cut(state.blocked_since, end);
            }
        }
    }
}

/// A calendar laid out for what `host` will hold.
fn calendar(host: &Host, plan: PoolPlan, duration: SimDuration) -> Calendar<Held> {
    let hold = stationary::typical_hold(host).min(duration);
    let capacity = u64::from(plan.connections_a_port()) * u64::from(host.usable_ports());
    let offered = stationary::mean_rate(host) * hold.as_secs_f64();
    // `as` saturates, so an absurd rate asks for no more than the capacity.
    Calendar::new((offered as u64).min(capacity), hold)
}
