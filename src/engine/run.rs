//! One machine of a host, run from start to end: its clients ask, its ports answer, statistics count.

use std::ops::ControlFlow;

use super::batch::{Batch, Became};
use super::demand::{Clients, Demand};
use super::endpoints::EndpointNumbers;
use super::job::Job;
use super::machine::{LateAnswer, Machine, Opened, Queue};
use super::observe::Observer;
use super::random::Purpose;
use super::stationary;
use super::statistics::{Size, Statistics};
use super::uncounted::LastTaken;
use crate::engine::Calendar;
use crate::model::{FixedPort, Limit, PoolPlan, PortSpace, Remote, Sockets, Start};
use crate::stats::HostTally;
use crate::units::{SimDuration, SimTime};

/// The memory of a machine that has run, for the next one on the same thread: where machines are
/// many, asking for it anew each time would cost a tenth of the run.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    independent: Option<Queue<PortSpace>>,
    shared: Option<Queue<Sockets>>,
    last_taken: LastTaken,
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
    let (host, plan) = (job.host(), job.plan());
    let mut rng = job.streams().of_machine(Purpose::Selection);
    let (timers, from) = (job.timers(), SimTime::START + job.settings.warm_up);
    if plan.is_shared() {
        let room = job.world.reshapes(job.host).then(|| job.world.with_room_for(job.host));
        let room = room.as_ref().map(|room| &room.hosts[0]);
        let ports = Sockets::in_room(room, host, plan, timers, from, &mut rng);
        let machine = Machine::new(ports, timers, rng, queue(job, plan, workspace.shared.take()));
        let machine = if room.is_some() { machine.that_may_change() } else { machine };
        let queue = run_machine((job, plan), machine, OfSockets, workspace, tally, observer)?;
        workspace.shared = Some(queue);
    } else {
        let ports = PortSpace::new(host, plan, from, &mut rng);
        let machine =
            Machine::new(ports, timers, rng, queue(job, plan, workspace.independent.take()));
        let queue = run_machine((job, plan), machine, Unchanging, workspace, tally, observer)?;
        workspace.independent = Some(queue);
    }
    ControlFlow::Continue(())
}

/// [`run`] with a limit of one's own in place of the ports that the machine has.
///
/// Streams and timers are those of [`run`], so that both see the same demand. Pools of the limit are numbered
/// below those of [`Job::plan`]. It is not told of changes of the world; clients and timers change.
pub fn run_with<L: Limit>(
    job: Job<'_>,
    limit: L,
    tally: &mut HostTally,
    observer: &mut impl Observer,
) -> ControlFlow<()> {
    let (plan, rng) = (job.plan(), job.streams().of_machine(Purpose::Selection));
    let machine = Machine::new(limit, job.timers(), rng, queue(job, plan, None));
    let workspace = &mut Workspace::default();
    run_machine((job, plan), machine, Unchanging, workspace, tally, observer).map_continue(drop)
}

/// What happens to a machine beside connections.
trait Acts<L: Limit> {
    /// It is that of `job` from now on. Tells which attempts that nobody answered are answered after all.
    fn reshape(
        &self,
        machine: &mut Machine<L>,
        job: Job<'_>,
        numbers: &EndpointNumbers,
    ) -> Vec<LateAnswer>;

    /// A server tries to have its port now. Tells whether it does.
    fn listen(&self, machine: &mut Machine<L>, server: FixedPort) -> bool;
}

/// To one whose ports are kept as sockets keep them.
struct OfSockets;

impl Acts<Sockets> for OfSockets {
    fn reshape(
        &self,
        machine: &mut Machine<Sockets>,
        job: Job<'_>,
        numbers: &EndpointNumbers,
    ) -> Vec<LateAnswer> {
        if !machine.may_change() {
            return Unchanging.reshape(machine, job, numbers);
        }
        let remote = |endpoint| {
            let destination = &job.world.destinations[numbers.destination(endpoint)];
            Remote::new(destination.answers, destination.loopback)
        };
        machine.reshape(job.host(), job.timers(), remote)
    }

    fn listen(&self, machine: &mut Machine<Sockets>, server: FixedPort) -> bool {
        let now = machine.now();
        machine.limit().listen(server.port, server.reuse_address, now)
    }
}

/// To one whose ports stay as they are, and on which no server wants any.
struct Unchanging;

impl<L: Limit> Acts<L> for Unchanging {
    fn reshape(
        &self,
        machine: &mut Machine<L>,
        job: Job<'_>,
        _: &EndpointNumbers,
    ) -> Vec<LateAnswer> {
        machine.set_timers(job.timers());
        Vec::new()
    }

    fn listen(&self, _: &mut Machine<L>, _: FixedPort) -> bool {
        false
    }
}

#[inline(always)]
fn run_machine<L: Limit>(
    (job, plan): (Job<'_>, PoolPlan),
    mut machine: Machine<L>,
    acts: impl Acts<L>,
    workspace: &mut Workspace,
    tally: &mut HostTally,
    observer: &mut impl Observer,
) -> ControlFlow<(), Queue<L>> {
    let (host, window) = (job.host(), job.window());
    let size = Size {
        clients: host.clients.len(),
        pools: plan.pools() as usize,
        bits: machine.bits(),
        stages: !job.timers().is_of_plain_connections(),
        pooled: host.clients.iter().map(|client| client.pool.is_some()).collect(),
        changes: !job.world.changes.is_empty(),
    };
    let memory = std::mem::take(&mut workspace.last_taken);
    let mut observer = (Statistics::new(size, window, tally, memory), observer);
    if job.settings.start == Start::Stationary {
        let mut rng = job.streams().of_machine(Purpose::Start);
        for (attempt, life) in stationary::draw(job, plan, &mut rng) {
            machine.stand(&attempt, life, &mut observer);
            observer.batch_made();
        }
    }
    let end = SimTime::from_nanos(window.end());
    let mut run = Run::new(machine, Clients::new(job));
    let mut server = host.server.map(|server| (server, server.at));
    let mut changes = job.world.changes.iter().peekable();
    loop {
        let changed_at = changes.peek().map_or(end, |change| change.at);
        let asks_at = server.map_or(end, |(_, at)| at);
        let next = changed_at.min(asks_at).min(end);
        // One call for all: a second copy of the loop costs every attempt some instructions.
        run.until(next, &mut observer)?;
        if next == end {
            break;
        }
        if let Some(change) = changes.next_if(|change| change.at == next) {
            let until = changes.peek().map_or(SimTime::FAR_FUTURE, |change| change.at);
            let changed = job.after(change);
            let late = acts.reshape(&mut run.machine, changed, run.demand.numbers());
            run.demand.reshape(changed, [next, until], &late, &mut observer);
            observer.changed(next);
        }
        if let Some((wants, _)) = server.filter(|_| asks_at == next) {
            let listens = acts.listen(&mut run.machine, wants);
            if listens {
                observer.listens(Some(next.since(wants.at)));
            }
            server = (!listens).then_some((wants, next + wants.every));
        }
    }
    if server.is_some() {
        observer.listens(None);
    }
    let exhausted = run.machine.exhausted_until(end);
    let queue = run.machine.finish(&mut observer);
    let (statistics, rest) = observer;
    workspace.last_taken = statistics.close(exhausted);
    rest.reached(end)?;
    ControlFlow::Continue(queue)
}

/// A machine and those who ask it for ports; stepped through simulated time.
#[derive(Debug)]
pub struct Run<L: Limit, D> {
    /// The machine; may be reshaped between two steps.
    pub machine: Machine<L>,
    /// Those who ask.
    pub demand: D,
    batch: Batch,
    /// How many of the batch have been made.
    made: usize,
}

impl<L: Limit, D: Demand> Run<L, D> {
    /// A run at its start.
    #[must_use]
    pub fn new(machine: Machine<L>, demand: D) -> Self {
        Self { machine, demand, batch: Batch::default(), made: 0 }
    }

    /// Goes on until `end`: all attempts before it are made, and what was scheduled for it has happened.
    ///
    /// [`ControlFlow::Break`] when the observer gave the run up.
    #[inline(always)]
    pub fn until(&mut self, end: SimTime, observer: &mut impl Observer) -> ControlFlow<()> {
        let mut since_look = 0;
        loop {
            if self.made == self.batch.attempts.len() {
                self.demand.next_attempts(end, &mut self.batch, observer);
                self.made = 0;
                let closing = !self.batch.closes.is_empty();
                for close in self.batch.closes.drain(..) {
                    self.machine.advance(close.at, observer);
                    self.machine.close(close.connection, close.ending, observer);
                }
                if closing && self.batch.attempts.is_empty() {
                    continue;
                }
            }
            let waiting = &self.batch.attempts[self.made..];
            let before_end = waiting.partition_point(|attempt| attempt.at < end);
            let has_second_fins = !self.batch.second_fins.is_empty();
            for (index, attempt) in waiting[..before_end].iter().enumerate() {
                self.machine.advance(attempt.at, observer);
                let second_fin = match has_second_fins {
                    true => self.batch.second_fins[self.made + index],
                    false => SimDuration::ZERO,
                };
                let became = match self.machine.open(attempt, second_fin, observer) {
                    Ok(Opened { connection, closes, .. }) => Became::Opened { connection, closes },
                    Err(_) => Became::Refused,
                };
                self.demand.hear(attempt, became, observer);
            }
            observer.batch_made();
            self.made += before_end;
            if self.made < self.batch.attempts.len() || self.batch.attempts.is_empty() {
                self.machine.advance(end, observer);
                return ControlFlow::Continue(());
            }
            since_look += before_end;
            if since_look >= ATTEMPTS_A_LOOK {
                since_look = 0;
                observer.reached(self.machine.now())?;
            }
        }
    }
}

/// A queue laid out for what the machine of `job` will hold, in the memory of a `used` one.
fn queue<T: Copy + Ord>(job: Job<'_>, plan: PoolPlan, used: Option<Calendar<T>>) -> Calendar<T> {
    let host = job.host();
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
