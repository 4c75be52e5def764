//! Small worlds for tests, said in a line.
#![allow(dead_code, reason = "each test file needs a part of it")]

use portsim::model::{
    Arrivals, Binds, Client, Destination, Distribution, Ending, EndpointPick, Host, PortRange,
    PortSet, Replications, ReuseKey, RunSettings, SelectionKind, SocketOptions, Start, Target,
    TcpSettings, TimerGrid, World,
};
use portsim::units::SimDuration;

/// A client that opens connections to the first destination and lets the server close them.
pub fn client(arrivals: Arrivals, lifetime: Distribution) -> Client {
    Client {
        name: "client".into(),
        targets: vec![Target { destination: 0, weight: 1.0 }],
        arrivals,
        lifetime,
        closes: vec![(Ending::Server, 1.0)],
        second_fin: Distribution::Constant(SimDuration::ZERO),
        binds: Binds::Connect,
        socket: SocketOptions::default(),
    }
}

/// A host of `ports` ports with exact timers and 60 s of TIME-WAIT, on which `clients` run.
pub fn host(ports: u32, clients: Vec<Client>) -> Host {
    let lowest = 65_536 - ports;
    Host {
        name: "host".into(),
        count: 1,
        addresses: 1,
        ports: PortRange::new(lowest as u16, 65_535).expect("a range that is not empty"),
        reserved: PortSet::default(),
        listeners: PortSet::default(),
        squatters: Vec::new(),
        time_wait: SimDuration::from_secs(60),
        timer_grid: TimerGrid::Exact,
        selection: SelectionKind::Linux,
        reuse_key: ReuseKey::FourTuple,
        tcp: TcpSettings::default(),
        search_cost: None,
        clients,
    }
}

/// A world of one host and one destination of one endpoint.
pub fn world(host: Host) -> World {
    let destination = Destination {
        name: "d".into(),
        endpoints: 1,
        pick: EndpointPick::Random,
        answers: true,
        loopback: false,
    };
    World { hosts: vec![host], destinations: vec![destination] }
}

/// `replications` of `secs` seconds each, from an empty start.
pub fn settings(secs: f64, replications: u32) -> RunSettings {
    RunSettings {
        duration: SimDuration::from_secs_f64(secs),
        warm_up: SimDuration::ZERO,
        start: Start::Empty,
        seed: 1,
        replications: Replications::Fixed(replications),
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
