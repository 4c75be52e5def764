//! A small world for the tests of this module, to be varied.

use crate::model::{Client, Destination, Distribution, Host, PortRange, TimerGrid, World};
use crate::units::SimDuration;

pub(super) fn secs(value: f64) -> SimDuration {
    SimDuration::from_secs_f64(value)
}

/// 300 Poisson connections a second of 1 s on average, closed by the client.
pub(super) fn client() -> Client {
    Client::poisson("fetcher", 300.0, Distribution::Exponential { mean: secs(1.0) })
}

/// One machine with the 16,384 dynamic ports, 60 s of TIME-WAIT, and [`client`].
pub(super) fn host() -> Host {
    Host {
        ports: PortRange::IANA_DYNAMIC,
        timer_grid: TimerGrid::Exact,
        clients: vec![client()],
        ..Host::linux("crawler")
    }
}

/// `host` towards `api` of one endpoint and `cdn` of four.
pub(super) fn world(host: Host) -> World {
    let destination = |name: &str, endpoints| Destination { endpoints, ..Destination::new(name) };
    let destinations = vec![destination("api", 1), destination("cdn", 4)];
    World { destinations, ..World::of(host) }
}
