//! Machines that share a gateway, run together: each has its own ports, timers and clients, all go by one clock, and
//! what they have in common lies on their [`Path`].

mod demand;
mod path;
mod tolls;

use std::ops::ControlFlow;

pub use demand::Crowd;
use path::Member;
pub use path::Path;
use tolls::Toll;

use super::Calendar;
use super::job::Job;
use super::machine::Machine;
use super::observe::{Observer, Opening, Release, Settling};
use super::random::{Purpose, Streams};
use super::run::Run;
use super::statistics::{Size, Statistics};
use super::uncounted::LastTaken;
use crate::model::{Life, Refused, RunSettings, World};
use crate::stats::{HostTally, Window};
use crate::units::SimTime;

/// The machines that share a gateway, in one replication.
#[derive(Clone, Debug)]
pub struct Island<'a> {
    world: &'a World,
    settings: &'a RunSettings,
    /// The hosts, as indices into the world.
    hosts: Vec<usize>,
    /// The gateways that any of them passes, likewise.
    gateways: Vec<usize>,
    /// All machines, host by host.
    machines: Vec<Job<'a>>,
    replication: u32,
}

/// What the machines and gateways of an island did.
#[derive(Clone, Debug)]
pub struct Tallies {
    /// For each host of the island.
    pub hosts: Vec<HostTally>,
    /// For each of its gateways.
    pub gateways: Vec<HostTally>,
}

impl<'a> Island<'a> {
    /// The machines of `hosts`, which share gateways.
    #[must_use]
    pub fn new(
        world: &'a World,
        settings: &'a RunSettings,
        hosts: &[usize],
        replication: u32,
    ) -> Self {
        let machine = |(host, machine)| Job {
            world,
            settings,
            host,
            machine,
            replication,
            timer_phase: None,
        };
        let each = |&host: &usize| (0..world.hosts[host].count).map(move |number| (host, number));
        let mut gateways: Vec<usize> = hosts.iter().flat_map(|&host| world.path(host)).collect();
        gateways.sort_unstable();
        gateways.dedup();
        let machines = hosts.iter().flat_map(each).map(machine).collect();
        Self { world, settings, hosts: hosts.to_vec(), gateways, machines, replication }
    }

    /// The gateways that any of its machines passes, as indices into [`World::gateways`].
    #[must_use]
    pub fn gateways(&self) -> &[usize] {
        &self.gateways
    }

    /// The number of the first machine of a host of the world among those that observers are told of.
    #[must_use]
    pub fn first_machine(&self, host: usize) -> Option<u32> {
        self.machines.iter().position(|job| job.host == host).map(|index| index as u32)
    }

    /// Runs all of them from start to end.
    ///
    /// # Errors
    /// Nothing but that `observer` gave it up.
    pub fn run(&self, observer: &mut impl Observer) -> ControlFlow<(), Tallies> {
        let window =
            Window::of_hosts(self.settings.warm_up, self.settings.duration, self.world.hosts.len());
        let end = SimTime::from_nanos(window.end());
        let mut tolls = Vec::new();
        let mut of_gateways: Vec<HostTally> =
            self.gateways.iter().map(|_| HostTally::new(self.hosts.len(), window)).collect();
        // Addresses are numbered through, those of machines first.
        let mut addresses = 0;
        let mut number = |count: u32| {
            let first = addresses;
            addresses += count;
            first
        };
        let member = |&job: &Job<'a>| Member::new(self, job, number(job.host().addresses));
        let members: Vec<Member> = self.machines.iter().map(member).collect();
        let of_gateway = |&gateway: &usize| number(self.world.gateways[gateway].nat.addresses);
        let addresses: Vec<u32> = self.gateways.iter().map(of_gateway).collect();
        for (&gateway, tally) in self.gateways.iter().zip(&mut of_gateways) {
            let model = &self.world.gateways[gateway];
            let streams = Streams::new(self.settings.seed, self.replication, &model.name, 0);
            let rng = streams.of_machine(Purpose::Gateway);
            let (_, others) = self.world.served_by(gateway);
            let machines = self.machines.iter().zip(&members);
            let machines = machines.filter(|(job, _)| job.host().gateway == Some(gateway));
            let of_machines = machines.map(|(job, one)| (one.address(), job.host().addresses));
            let others = self.gateways.iter().zip(&addresses).filter(|at| others.contains(at.0));
            let of_others =
                others.map(|(&at, &first)| (first, self.world.gateways[at].nat.addresses));
            let all = of_machines.chain(of_others);
            let insides: Vec<u32> = all.flat_map(|(first, count)| first..first + count).collect();
            tolls.push(Toll::new(self, model, &insides, rng, window, tally));
        }
        let mut of_machines: Vec<HostTally> = self
            .machines
            .iter()
            .map(|job| HostTally::new(job.host().clients.len(), window))
            .collect();
        let statistics = self.machines.iter().zip(&mut of_machines).map(|(&job, tally)| {
            let host = job.host();
            let size = Size {
                clients: host.clients.len(),
                pools: job.plan().pools() as usize,
                bits: Path::BITS,
                stages: true,
                pooled: vec![false; host.clients.len()],
                changes: false,
            };
            Statistics::new(size, window, tally, LastTaken::default())
        });
        let statistics: Vec<Statistics<'_>> = statistics.collect();
        let timers = self.machines[0].timers();
        let rng = self.machines[0].streams().of_machine(Purpose::Selection);
        let hold = self.machines[0].host().time_wait.min(self.settings.duration);
        let queue = Calendar::new(1 << 16, hold);
        let path = Path::new(members, tolls, addresses);
        let machine = Machine::new(path, timers, rng, queue).that_may_change();
        let mut told = (Each { statistics, now: 0 }, observer);
        let mut run = Run::new(machine, Crowd::new(&self.machines));
        run.until(end, &mut told)?;
        let exhausted: Vec<u128> = run.machine.limit().each_exhausted_until(end);
        run.machine.limit().close(end);
        let _ = run.machine.finish(&mut told);
        for (statistics, exhausted) in told.0.statistics.into_iter().zip(exhausted) {
            let _ = statistics.close(exhausted);
        }
        told.1.reached(end)?;
        let mut hosts: Vec<HostTally> = Vec::new();
        for &host in &self.hosts {
            let mut sum = HostTally::new(self.world.hosts[host].clients.len(), window);
            let own = self.machines.iter().zip(&of_machines).filter(|(job, _)| job.host == host);
            own.for_each(|(_, tally)| sum.merge(tally));
            hosts.push(sum);
        }
        ControlFlow::Continue(Tallies { hosts, gateways: of_gateways })
    }
}

/// The statistics of each machine.
struct Each<'a> {
    statistics: Vec<Statistics<'a>>,
    now: usize,
}

impl Observer for Each<'_> {
    fn of_machine(&mut self, machine: u32) {
        self.now = machine as usize;
    }

    fn opened(&mut self, opening: &Opening) {
        let own = &mut self.statistics[self.now];
        own.opened(opening);
        own.batch_made();
    }

    fn released(&mut self, release: &Release) {
        self.statistics[self.now].released(release);
    }

    fn settles(&mut self, settling: &Settling) {
        self.statistics[self.now].settles(settling);
    }

    fn closed(&mut self, client: u16, life: &Life) {
        self.statistics[self.now].closed(client, life);
    }

    fn kept(&mut self, release: &Release) {
        self.statistics[self.now].kept(release);
    }

    fn refused(&mut self, at: SimTime, client: u16, refused: &Refused) {
        let own = &mut self.statistics[self.now];
        own.refused(at, client, refused);
        own.batch_made();
    }
}

/// Tells one observer what happens to the connections of one of the machines.
#[derive(Debug)]
pub struct OfOne<O> {
    /// The observer.
    pub observer: O,
    /// The machine.
    pub machine: u32,
    now: u32,
}

impl<O> OfOne<O> {
    /// Tells `observer` of `machine`.
    pub const fn new(observer: O, machine: u32) -> Self {
        Self { observer, machine, now: 0 }
    }
}

impl<O: Observer> Observer for OfOne<O> {
    fn of_machine(&mut self, machine: u32) {
        self.now = machine;
    }

    fn opened(&mut self, opening: &Opening) {
        if self.now == self.machine {
            self.observer.opened(opening);
        }
    }

    fn released(&mut self, release: &Release) {
        if self.now == self.machine {
            self.observer.released(release);
        }
    }

    fn settles(&mut self, settling: &Settling) {
        if self.now == self.machine {
            self.observer.settles(settling);
        }
    }

    fn closed(&mut self, client: u16, life: &Life) {
        if self.now == self.machine {
            self.observer.closed(client, life);
        }
    }

    fn kept(&mut self, release: &Release) {
        if self.now == self.machine {
            self.observer.kept(release);
        }
    }

    fn refused(&mut self, at: SimTime, client: u16, refused: &Refused) {
        if self.now == self.machine {
            self.observer.refused(at, client, refused);
        }
    }
}
