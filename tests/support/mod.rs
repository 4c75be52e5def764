//! Small worlds for tests, said in a line.
#![allow(dead_code, reason = "each test file needs a part of it")]

pub mod worlds;

use portsim::model::{
    Arrivals, Client, Destination, Distribution, Ending, Host, PortRange, Replications,
    RunSettings, TimerGrid, World,
};
use portsim::units::SimDuration;

/// A client that opens connections to the first destination and lets the server close them.
pub fn client(arrivals: Arrivals, lifetime: Distribution) -> Client {
    Client { closes: vec![(Ending::Server, 1.0)], ..Client::new("client", arrivals, lifetime) }
}

/// A host of `ports` ports with exact timers and 60 s of TIME-WAIT, on which `clients` run.
pub fn host(ports: u32, clients: Vec<Client>) -> Host {
    let lowest = 65_536 - ports;
    Host {
        ports: PortRange::new(lowest as u16, 65_535).expect("a range that is not empty"),
        timer_grid: TimerGrid::Exact,
        clients,
        ..Host::linux("host")
    }
}

/// A world of one host and one destination of one endpoint.
pub fn world(host: Host) -> World {
    World { destinations: vec![Destination::new("d")], ..World::of(host) }
}

/// `replications` of `secs` seconds each, from an empty start.
pub fn settings(secs: f64, replications: u32) -> RunSettings {
    RunSettings {
        replications: Replications::Fixed(replications),
        ..RunSettings::of(SimDuration::from_secs_f64(secs))
    }
}

/// Four laws of the same mean, from no variance to a heavy tail.
pub fn laws(mean_s: f64) -> [(&'static str, Distribution); 4] {
    let secs = SimDuration::from_secs_f64;
    [
        ("constant", Distribution::Constant(secs(mean_s))),
        ("exponential", Distribution::Exponential { mean: secs(mean_s) }),
        ("lognormal", Distribution::Lognormal { mean: secs(mean_s), sigma: 1.5 }),
        ("pareto", Distribution::Pareto { minimum: secs(mean_s * 0.6), shape: 2.5 }),
    ]
}
