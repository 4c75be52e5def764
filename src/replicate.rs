//! Many replications of one world over rayon, merged in a fixed order.
//!
//! The unit of work is one machine in one replication: machines share no limit, so they run in any
//! order. What they leave behind is whole numbers, and what is not a plain sum is kept by number of
//! replication, so a result has the same bytes on 1 thread and on 64.

use std::ops::ControlFlow;
use std::sync::Mutex;

use rayon::prelude::*;

use crate::engine::island::{Island, OfOne};
use crate::engine::{EndpointNumbers, Job, Observer, PortMapper, Workspace, run};
use crate::model::nat::{NatRules, NatSelection};
use crate::model::{
    Client, Host, NatKey, PoolPlan, Replications, RunSettings, Squatter, SquatterAddress, World,
    most_connections, reachable_ports,
};
use crate::stats::{
    ClientFigures, Estimate, Ground, HostTally, LimitFigures, LogLinear, Outcome, PortMap,
    RequestBins, Sample, SearchTime, ServerTally, StretchTally, TimelineSum, Window, figures,
    no_quantiles, probe_quantiles, reuse_quantiles, server, stretches,
};
use crate::theory::Expected;
use crate::units::{SimDuration, SimTime};

/// Replications that a precision is first judged by.
const FIRST_ROUND: u32 = 20;

/// A precision that is not reached by so many replications never is.
const MOST_REPLICATIONS: u32 = 10_000;

/// Watches a run from outside: is told of progress, and says when to stop.
pub trait Watch: Sync {
    /// `share` more of the whole run has been done; all calls add up to 1. Less than nothing when a
    /// precision turns out to need more replications than thought. Called from any thread.
    fn advanced(&self, share: f64);

    /// True as soon as the run should end: replications that are not finished are given up.
    fn stopped(&self) -> bool;
}

/// Watches nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn advanced(&self, _share: f64) {}

    fn stopped(&self) -> bool {
        false
    }
}

/// Runs all replications on the current rayon pool and merges them.
///
/// `None` when `watch` stopped it before the first replication was finished.
pub fn replicate(world: &World, settings: &RunSettings, watch: &dyn Watch) -> Option<Outcome> {
    let runner = Runner::new(world, settings, watch);
    let mut done: Vec<Option<Replication>> = Vec::new();
    let mut told = 0.0;
    loop {
        let Round { wanted, expected } = match settings.replications {
            Replications::Fixed(count) => Round { wanted: count, expected: count },
            Replications::Precision(share) => next_round(&done, share),
        };
        let from = done.len() as u32;
        let ended = from >= wanted || watch.stopped();
        let share = 1.0 / f64::from(if ended { from.max(1) } else { expected });
        if from > 0 {
            watch.advanced(f64::from(from) * share - told);
        }
        if ended {
            break;
        }
        told = f64::from(wanted) * share;
        done.par_extend(
            (from..wanted).into_par_iter().map(|index| runner.replication(index, share)),
        );
    }
    runner.outcome(&done)
}

/// How many replications there have to be before the precision is judged again, and how many it takes in
/// all, as far as one can tell.
struct Round {
    wanted: u32,
    expected: u32,
}

fn next_round(done: &[Option<Replication>], precision: f64) -> Round {
    let ratios: Vec<f64> =
        done.iter().flatten().map(|replication| replication.whole.blocking_ratio()).collect();
    let count = done.len() as u32;
    if count < FIRST_ROUND {
        return Round { wanted: FIRST_ROUND, expected: FIRST_ROUND };
    }
    let estimate = Estimate::of(&ratios);
    let (half, asked) = ((estimate.hi - estimate.lo) / 2.0, precision * estimate.mean);
    if half <= asked {
        return Round { wanted: count, expected: count };
    }
    // An interval shrinks with the root of the number of replications.
    let expected = f64::from(count) * (half / asked).powi(2);
    let wanted = (count + count / 2).min(MOST_REPLICATIONS);
    Round { wanted, expected: (expected as u32).clamp(wanted, MOST_REPLICATIONS) }
}

/// One replication, boiled down.
struct Replication {
    whole: Sample,
    /// For each host: its limit, and its clients.
    hosts: Vec<(Sample, Vec<Sample>)>,
    /// For each host: what happened from each change to the next.
    stretches: Vec<Vec<StretchTally>>,
    /// For each host: servers that started, and found their port taken.
    servers: Vec<[u64; 2]>,
    gateways: Vec<Sample>,
}

impl Replication {
    /// What happened from each change to the next on all hosts.
    fn all_stretches(&self) -> Vec<StretchTally> {
        let mut sums = self.stretches.first().cloned().unwrap_or_default();
        for host in self.stretches.iter().skip(1) {
            sums.iter_mut().zip(host).for_each(|(sum, more)| sum.merge(more));
        }
        sums
    }
}

struct Runner<'a> {
    world: &'a World,
    settings: &'a RunSettings,
    watch: &'a dyn Watch,
    window: Window,
    grounds: Vec<Ground>,
    of_gateways: Vec<Ground>,
    sums: Mutex<Sums>,
}

/// What is summed over replications as they finish: whole numbers, so the order does not matter.
struct Sums {
    /// Everything together; a sum of whole numbers, so it need not be made from the hosts'.
    whole: TimelineSum,
    hosts: Vec<HostSums>,
    gateways: Vec<HostSums>,
}

/// What is summed of one host, or one gateway.
struct HostSums {
    timeline: TimelineSum,
    probes: LogLinear,
    reuse: LogLinear,
    /// How long the requests of each client waited.
    waited: Vec<LogLinear>,
    requests: RequestBins,
    servers: ServerTally,
}

impl Sums {
    fn new(window: Window, grounds: &[Ground], of_gateways: &[Ground]) -> Self {
        let host = |ground: &Ground| HostSums {
            timeline: TimelineSum::new(window, ground.capacity),
            probes: LogLinear::default(),
            reuse: LogLinear::default(),
            waited: Vec::new(),
            requests: RequestBins::default(),
            servers: ServerTally::default(),
        };
        Self {
            whole: TimelineSum::new(window, Ground::together(grounds).capacity),
            hosts: grounds.iter().map(host).collect(),
            gateways: of_gateways.iter().map(host).collect(),
        }
    }

    /// Adds one replication, its hosts and gateways in the order of the scenario.
    fn add(&mut self, tallies: &[HostTally], of_gateways: &[HostTally]) {
        self.whole.add(&tallies.iter().map(|tally| &tally.bins).collect::<Vec<_>>());
        let hosts = self.hosts.iter_mut().zip(tallies);
        for (sums, tally) in hosts.chain(self.gateways.iter_mut().zip(of_gateways)) {
            sums.timeline.add(&[&tally.bins]);
            sums.probes.merge(&tally.limit.probes);
            sums.reuse.merge(&tally.limit.reuse);
            sums.requests.merge(&tally.requests);
            sums.servers.merge(&tally.servers);
            sums.waited.resize_with(tally.clients.len(), LogLinear::default);
            for (sum, client) in sums.waited.iter_mut().zip(&tally.clients) {
                sum.merge(&client.requests.waited);
            }
        }
    }
}

impl<'a> Runner<'a> {
    fn new(world: &'a World, settings: &'a RunSettings, watch: &'a dyn Watch) -> Self {
        let window = Window::of_hosts(settings.warm_up, settings.duration, world.hosts.len());
        let grounds: Vec<Ground> =
            (0..world.hosts.len()).map(|index| ground(world, index)).collect();
        let of_gateways: Vec<Ground> =
            world.gateways.iter().enumerate().map(|(at, _)| gateway_ground(world, at)).collect();
        let sums = Mutex::new(Sums::new(window, &grounds, &of_gateways));
        Self { world, settings, watch, window, grounds, of_gateways, sums }
    }

    /// Runs every machine of every host once; `None` when the watch stopped it.
    fn replication(&self, index: u32, share: f64) -> Option<Replication> {
        if self.watch.stopped() {
            return None;
        }
        let hosts = 0..self.world.hosts.len();
        let machines: f64 = hosts.map(|host| f64::from(self.world.machines(host))).sum();
        let empty = |clients| HostTally::new(clients, self.window);
        let mut tallies: Vec<HostTally> =
            self.world.hosts.iter().map(|host| empty(host.clients.len())).collect();
        let mut of_gateways: Vec<HostTally> =
            self.world.gateways.iter().map(|_| empty(self.world.hosts.len())).collect();
        for host in
            (0..self.world.hosts.len()).filter(|&host| self.world.hosts[host].gateway.is_none())
        {
            tallies[host] = self.host(host, index, share / machines)?;
        }
        for hosts in self.world.islands() {
            let on: f64 = hosts.iter().map(|&host| f64::from(self.world.machines(host))).sum();
            let island = Island::new(self.world, self.settings, &hosts, index);
            let share = share * on / machines;
            let mut reporter = Reporter { runner: self, share, reached: SimTime::START };
            let ControlFlow::Continue(done) = island.run(&mut reporter) else { return None };
            hosts.iter().zip(done.hosts).for_each(|(&host, tally)| tallies[host] = tally);
            let told = island.gateways().iter().zip(done.gateways);
            told.for_each(|(&gateway, tally)| of_gateways[gateway] = tally);
        }
        self.sums.lock().expect("no thread panics while it adds").add(&tallies, &of_gateways);
        let hosts: Vec<(Sample, Vec<Sample>)> = tallies
            .iter()
            .map(|tally| {
                let clients = tally.clients.iter().map(|client| Sample::of_client(client, tally));
                (Sample::of_limit(tally), clients.collect())
            })
            .collect();
        let limits: Vec<Sample> = hosts.iter().map(|host| host.0).collect();
        let servers = tallies.iter().map(|tally| [tally.servers.started, tally.servers.refused]);
        let servers = servers.collect();
        let stretches = tallies.into_iter().map(|tally| tally.stretches).collect();
        let gateways = of_gateways.iter().map(Sample::of_limit).collect();
        Some(Replication { whole: Sample::together(&limits), hosts, stretches, servers, gateways })
    }

    /// All machines of one host in one replication, in parallel.
    fn host(&self, host: usize, replication: u32, share: f64) -> Option<HostTally> {
        let (model, count) = (&self.world.hosts[host], self.world.machines(host));
        let empty = || HostTally::new(model.clients.len(), self.window);
        let add = |part: Option<(HostTally, Workspace)>, machine: u32| {
            let (mut tally, mut workspace) = part?;
            // A machine with little to do never looks up, and there may be a million of them.
            if self.watch.stopped() {
                return None;
            }
            let job = Job {
                world: self.world,
                settings: self.settings,
                host,
                machine,
                replication,
                timer_phase: None,
            };
            let mut reporter = Reporter { runner: self, share, reached: SimTime::START };
            let end = run(job, &mut workspace, &mut tally, &mut reporter);
            end.is_continue().then_some((tally, workspace))
        };
        let begin = || Some((empty(), Workspace::default()));
        let tally = |part: Option<(HostTally, Workspace)>| part.map(|(tally, _)| tally);
        if count == 1 {
            return tally(add(begin(), 0));
        }
        let merge = |a: Option<HostTally>, b: Option<HostTally>| {
            let (mut a, b) = (a?, b?);
            a.merge(&b);
            Some(a)
        };
        let machines = (0..count).into_par_iter();
        machines.fold(begin, add).map(tally).reduce(|| Some(empty()), merge)
    }

    /// Intervals over the replications that were finished, in their own order.
    fn outcome(self, done: &[Option<Replication>]) -> Option<Outcome> {
        let finished: Vec<&Replication> = done.iter().flatten().collect();
        if finished.is_empty() {
            return None;
        }
        let sums = self.sums.into_inner().expect("no thread panics while it adds");
        let window = self.window;
        let changes = &self.world.changes;
        let all_hosts: Vec<usize> = (0..self.world.hosts.len()).collect();
        let told = |hosts: &[usize], of: &dyn Fn(&Replication) -> Vec<StretchTally>| {
            if changes.is_empty() {
                return Vec::new();
            }
            let capacity =
                |world: &World| hosts.iter().map(|&host| ground_now(world, host).capacity).sum();
            let capacities: Vec<u64> = self.world.stretches().map(capacity).collect();
            let each: Vec<Vec<StretchTally>> = finished.iter().map(|done| of(done)).collect();
            stretches(changes, &capacities, SimTime::from_nanos(window.end()), &each)
        };
        let steady_s = self.settings.duration.as_secs_f64() - self.settings.warm_up.as_secs_f64();
        let (mut clients, mut limits) = (Vec::new(), Vec::new());
        let (mut all_probes, mut all_reuse) = (LogLinear::default(), LogLinear::default());
        let mut all_waited = LogLinear::default();
        for (index, host) in self.world.hosts.iter().enumerate() {
            let HostSums { timeline, probes, reuse, waited, requests, servers } =
                &sums.hosts[index];
            let mut waited_here = LogLinear::default();
            waited.iter().for_each(|one| waited_here.merge(one));
            all_waited.merge(&waited_here);
            all_probes.merge(probes);
            all_reuse.merge(reuse);
            let ground = self.grounds[index];
            let samples: Vec<Sample> = finished.iter().map(|done| done.hosts[index].0).collect();
            let (probes, reuse) = (probe_quantiles(probes), reuse_quantiles(reuse, window));
            let figures_of_limit = figures(&samples, ground, window, probes, reuse, &waited_here);
            let machines = self.world.machines(index);
            let runs = f64::from(finished.len() as u32) * f64::from(machines);
            limits.push(LimitFigures {
                name: host.name.clone(),
                is_gateway: false,
                machines,
                is_linux: host.is_linux(),
                search: host
                    .search_cost
                    .and_then(|cost| SearchTime::of(cost, &figures_of_limit, steady_s * runs)),
                figures: figures_of_limit,
                theory: Expected::of(
                    self.world,
                    index,
                    self.settings.start,
                    self.settings.duration,
                ),
                timeline: timeline.timeline(),
                requests: requests.rows(window, finished.len() as u32),
                server: host.server.map(|wants| {
                    let of: Vec<[u64; 2]> =
                        finished.iter().map(|done| done.servers[index]).collect();
                    server(wants, &of, servers)
                }),
                stretches: told(&[index], &|done| done.stretches[index].clone()),
            });
            for (number, client) in host.clients.iter().enumerate() {
                let ground = client_ground(self.world, index, number);
                let samples: Vec<Sample> =
                    finished.iter().map(|done| done.hosts[index].1[number]).collect();
                clients.push(ClientFigures {
                    name: client.name.clone(),
                    host: host.name.clone(),
                    is_linux: host.is_linux(),
                    figures: {
                        let (probes, reuse) = (no_quantiles(), no_quantiles());
                        figures(&samples, ground, window, probes, reuse, &waited[number])
                    },
                });
            }
        }
        for (index, gateway) in self.world.gateways.iter().enumerate() {
            let HostSums { timeline, probes, reuse, waited, .. } = &sums.gateways[index];
            let nobody = LogLinear::default();
            let ground = self.of_gateways[index];
            let samples: Vec<Sample> = finished.iter().map(|done| done.gateways[index]).collect();
            let (probes, reuse) = (probe_quantiles(probes), reuse_quantiles(reuse, window));
            limits.push(LimitFigures {
                name: gateway.name.clone(),
                is_gateway: true,
                machines: 1,
                is_linux: false,
                search: None,
                figures: figures(
                    &samples,
                    ground,
                    window,
                    probes,
                    reuse,
                    waited.first().unwrap_or(&nobody),
                ),
                theory: Expected::default(),
                timeline: timeline.timeline(),
                requests: Vec::new(),
                server: None,
                stretches: Vec::new(),
            });
        }
        let samples: Vec<Sample> = finished.iter().map(|done| done.whole).collect();
        let (probes, reuse) = (probe_quantiles(&all_probes), reuse_quantiles(&all_reuse, window));
        let wanted = match self.settings.replications {
            Replications::Fixed(count) => count as usize,
            Replications::Precision(_) => done.len(),
        };
        Some(Outcome {
            seed: self.settings.seed,
            replications: finished.len() as u32,
            partial: finished.len() < wanted
                || (self.watch.stopped() && finished.len() < done.len()),
            duration: self.settings.duration,
            warm_up: self.settings.warm_up,
            whole: figures(
                &samples,
                Ground::together(&self.grounds),
                window,
                probes,
                reuse,
                &all_waited,
            ),
            clients,
            limits,
            timeline: sums.whole.timeline(),
            stretches: told(&all_hosts, &Replication::all_stretches),
        })
    }
}

/// Passes progress on, and the wish to stop.
struct Reporter<'a> {
    runner: &'a Runner<'a>,
    /// This machine's share of the whole run.
    share: f64,
    reached: SimTime,
}

impl Observer for Reporter<'_> {
    fn reached(&mut self, now: SimTime) -> ControlFlow<()> {
        let passed = now.since(self.reached).as_secs_f64();
        self.reached = now;
        let whole = self.runner.settings.duration.as_secs_f64();
        self.runner.watch.advanced(self.share * passed / whole);
        if self.runner.watch.stopped() && now.as_nanos() < self.runner.window.end() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// What one host can carry at any time.
fn ground(world: &World, index: usize) -> Ground {
    most(world, |world| ground_now(world, index))
}

/// The same of a world as it is.
fn ground_now(world: &World, index: usize) -> Ground {
    let host = &world.hosts[index];
    let asks = |client: &Client| [client.pool.is_some(), client.retries.is_some()];
    let each = host.clients.iter().map(asks);
    let asks = each.fold([false; 2], |sum, one| [0, 1].map(|which| sum[which] || one[which]));
    Ground { asks, ..ground_towards(host, EndpointNumbers::of(world, index).count()) }
}

/// What one client could have at any time, were it alone on its host.
fn client_ground(world: &World, host: usize, client: usize) -> Ground {
    most(world, |world| {
        let host = &world.hosts[host];
        let client = &host.clients[client];
        let reaches =
            |index: usize| client.targets.iter().any(|target| target.destination == index);
        let destinations =
            world.destinations.iter().enumerate().filter(|(index, _)| reaches(*index));
        let endpoints = destinations.map(|(_, destination)| destination.endpoints).sum();
        let asks = [client.pool.is_some(), client.retries.is_some()];
        Ground { asks, ..ground_towards(&alone(host, client), endpoints) }
    })
}

/// What a gateway can carry: every port of every address towards everything that it tells apart, as far as shares and
/// the size of its table let it.
fn gateway_ground(world: &World, number: usize) -> Ground {
    let gateway = &world.gateways[number];
    let NatRules { addresses, selection, share, most_each, most_entries, .. } = gateway.nat;
    let ports = u64::from(gateway.nat.num_ephemeral());
    let destinations: u64 = match gateway.key {
        NatKey::Endpoint => world.destinations.iter().map(|one| u64::from(one.endpoints)).sum(),
        NatKey::Destination => world.destinations.len() as u64,
        NatKey::None => 1,
    };
    let (pools, clients) = (u64::from(addresses) * destinations, world.addresses_behind(number));
    let of_ports = match selection {
        NatSelection::OwnPort => u64::MAX,
        _ => ports * pools,
    };
    let of_shares = share.map_or(u64::MAX, |share| u64::from(share.most) * destinations * clients);
    let of_each = most_each.map_or(u64::MAX, |most| u64::from(most) * clients);
    let of_table = most_entries.map_or(u64::MAX, u64::from);
    let all = [of_ports, of_shares, of_each, of_table].into_iter().min().unwrap_or(of_ports);
    // A table without an end is as large as the ports that come to it.
    let capacity = if all == u64::MAX { 0xffff * clients * destinations } else { all };
    Ground { num_ephemeral: ports, capacity, pools, asks: [false; 2] }
}

/// The most of what `of` says of a world that changes.
fn most(world: &World, of: impl Fn(&World) -> Ground) -> Ground {
    world.stretches().map(of).reduce(Ground::or_more).expect("there is a world")
}

/// `host` with nothing on it but where `client` takes its ports from.
fn alone(host: &Host, client: &Client) -> Host {
    let takes = Client {
        binds: client.binds,
        socket: client.socket.clone(),
        ..Client::poisson(client.name.as_str(), 1.0, SimDuration::ZERO)
    };
    // A client that is bound to one address is on a machine with no other.
    let own = client.socket.address;
    let squatters = host.squatters.iter().map(|squatter| Squatter {
        ports: squatter.ports.clone(),
        on: match (squatter.on, own) {
            (SquatterAddress::Source(address), Some(own)) => {
                SquatterAddress::Source(u32::from(address != own))
            }
            (on, _) => on,
        },
    });
    Host {
        name: host.name.clone(),
        addresses: if own.is_some() { 1 } else { host.addresses },
        reserved: host.reserved.clone(),
        listeners: host.listeners.clone(),
        squatters: squatters.collect(),
        clients: vec![takes],
        ..*host
    }
}

fn ground_towards(host: &Host, endpoints: u32) -> Ground {
    let plan = PoolPlan::of(host, endpoints);
    let usable = reachable_ports(host).ports().len() as u64;
    let machines = u64::from(host.count);
    Ground {
        num_ephemeral: usable,
        capacity: most_connections(host, plan) * machines,
        pools: u64::from(plan.pools()) * machines,
        asks: [false; 2],
    }
}

/// Runs the first replication of one machine of `world.hosts[host]` again and keeps what each port
/// did towards the first endpoint from the first source address.
///
/// The raster has at most `columns` x `rows` cells.
#[must_use]
pub fn port_map(
    world: &World,
    settings: &RunSettings,
    host: usize,
    columns: usize,
    rows: usize,
) -> PortMap {
    let model = &world.hosts[host];
    let key = match world.destinations.first() {
        Some(destination) => format!("first address to {}", destination.name),
        None => "whole host".to_owned(),
    };
    let window = Window::of_hosts(settings.warm_up, settings.duration, world.hosts.len());
    let mut tally = HostTally::new(model.clients.len(), window);
    let job = Job { world, settings, host, machine: 0, replication: 0, timer_phase: None };
    let room = world.with_room_for(host);
    let room = &room.hosts[0];
    let mut mapper = PortMapper::new(room, job.plan(), key, settings.duration, columns, rows);
    // The mapper never gives up.
    let Some(island) = world.islands().into_iter().find(|hosts| hosts.contains(&host)) else {
        let _ = run(job, &mut Workspace::default(), &mut tally, &mut mapper);
        return mapper.map();
    };
    let island = Island::new(world, settings, &island, 0);
    let machine = island.first_machine(host).expect("it is on its island");
    let mut of_one = OfOne::new(mapper, machine);
    let _ = island.run(&mut of_one);
    of_one.observer.map()
}
