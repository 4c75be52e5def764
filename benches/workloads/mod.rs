//! The workloads that speed is measured on.
//!
//! Throughout, TIME-WAIT lasts exactly 60 s and ports are chosen as Linux does.
//! * W1: 16,384 ports, one destination, Poisson 300/s, exponential lifetimes of mean 1 s: 18,300
//!   erlangs, so it blocks (Erlang B 0.105162).
//! * W2: the same at 250/s, which never fills the range.
//! * Overload: W1 at 3,000/s, eleven times what it carries: nine in ten attempts search a full range.
//! * Capped: W1 with `tcp_max_tw_buckets` at 15,000: every tenth TIME-WAIT ends at once, and nothing is
//!   blocked.
//! * Mixed: W1 with half of its connections from `bind()` to port 0, whose ports sockets share.
//! * W3: 1,000 hosts of 28,232 ports, each towards 100 destinations, 400/s a host, lognormal
//!   lifetimes of mean 1 s: 24.4 million ports held at once.
//! * Requests: 2,000 a second of 80 ms on average over a pool, all connections kept or two of them.
//! * Retries: W1 at twice its rate, each attempt made up to three times.

use portsim::model::{
    Binds, Client, Destination, Distribution, Host, KeepAlive, PortRange, Replications, Retries,
    RunSettings, Start, TimerGrid, World,
};
use portsim::units::SimDuration;

/// One replication of `secs` seconds from an empty start.
pub fn settings(secs: u64) -> RunSettings {
    RunSettings {
        duration: SimDuration::from_secs(secs),
        warm_up: SimDuration::ZERO,
        start: Start::Empty,
        seed: 1,
        replications: Replications::Fixed(1),
    }
}

/// W1.
pub fn w1() -> World {
    world(1, PortRange::IANA_DYNAMIC, 1, 300.0, exponential())
}

/// W2.
pub fn w2() -> World {
    world(1, PortRange::IANA_DYNAMIC, 1, 250.0, exponential())
}

/// W1 at ten times its rate.
pub fn overload() -> World {
    world(1, PortRange::IANA_DYNAMIC, 1, 3_000.0, exponential())
}

/// W1 with a limit on TIME-WAITs.
pub fn capped() -> World {
    let mut world = w1();
    world.hosts[0].tcp.max_tw_buckets = Some(15_000);
    world
}

/// W1 from two clients, of which one binds first.
pub fn mixed() -> World {
    let mut world = world(1, PortRange::IANA_DYNAMIC, 1, 150.0, exponential());
    let binds =
        Client { name: "binds".into(), binds: Binds::Bind, ..world.hosts[0].clients[0].clone() };
    world.hosts[0].clients.push(binds);
    world
}

/// 2,000 requests a second of 80 ms on average, over connections of which `keeps` may be idle.
pub fn requests(keeps: u32) -> World {
    let pool = KeepAlive { max_idle: Some(keeps), ..KeepAlive::default() };
    let service = Distribution::Exponential { mean: SimDuration::from_millis(80) };
    let mut world = world(1, PortRange::IANA_DYNAMIC, 1, 2_000.0, service);
    world.hosts[0].time_wait = SimDuration::from_secs(1);
    world.hosts[0].clients[0].pool = Some(pool);
    world
}

/// W1 at twice its rate, whose refused attempts are tried twice again.
pub fn retries() -> World {
    let mut world = world(1, PortRange::IANA_DYNAMIC, 1, 600.0, exponential());
    world.hosts[0].clients[0].retries = Some(Retries {
        attempts: 3,
        backoff: SimDuration::from_millis(100),
        factor: 2.0,
        max_backoff: None,
        jitter: 0.5,
        deadline: None,
        budget: None,
        stop_after: None,
    });
    world
}

/// W3 with `hosts` hosts instead of 1,000.
pub fn w3(hosts: u32) -> World {
    let range = PortRange::new(32_768, 60_999).expect("the Linux range is valid");
    let lifetime = Distribution::Lognormal { mean: SimDuration::from_secs(1), sigma: 1.0 };
    world(hosts, range, 100, 400.0, lifetime)
}

fn exponential() -> Distribution {
    Distribution::Exponential { mean: SimDuration::from_secs(1) }
}

fn world(
    hosts: u32,
    ports: PortRange,
    endpoints: u32,
    rate_per_s: f64,
    lifetime: Distribution,
) -> World {
    let host = Host {
        count: hosts,
        ports,
        timer_grid: TimerGrid::Exact,
        clients: vec![Client::poisson("client", rate_per_s, lifetime)],
        ..Host::linux("host")
    };
    let destination = Destination { endpoints, ..Destination::new("destination") };
    World { destinations: vec![destination], ..World::of(host) }
}
