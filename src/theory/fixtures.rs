//! A small world for the tests of this module, to be varied.

use crate::model::{
    Arrivals, Binds, Client, Destination, Distribution, Ending, EndpointPick, Host, PortRange,
    PortSet, ReuseKey, SelectionKind, SocketOptions, Target, TcpSettings, TimerGrid, World,
};
use crate::units::SimDuration;

pub(super) fn secs(value: f64) -> SimDuration {
    SimDuration::from_secs_f64(value)
}

/// 300 Poisson connections a second of 1 s on average, closed by the client.
pub(super) fn client() -> Client {
    Client {
        name: "fetcher".into(),
        targets: vec![Target { destination: 0, weight: 1.0 }],
        arrivals: Arrivals::Poisson { rate_per_s: 300.0 },
        lifetime: Distribution::Exponential { mean: secs(1.0) },
        closes: vec![(Ending::Client, 1.0)],
        second_fin: Distribution::Constant(SimDuration::ZERO),
        binds: Binds::Connect,
        socket: SocketOptions::default(),
    }
}

/// One machine with the 16,384 dynamic ports, 60 s of TIME-WAIT, and [`client`].
pub(super) fn host() -> Host {
    Host {
        name: "crawler".into(),
        count: 1,
        addresses: 1,
        ports: PortRange::IANA_DYNAMIC,
        reserved: PortSet::default(),
        listeners: PortSet::default(),
        squatters: Vec::new(),
        time_wait: secs(60.0),
        timer_grid: TimerGrid::Exact,
        selection: SelectionKind::Linux,
        reuse_key: ReuseKey::FourTuple,
        tcp: TcpSettings::default(),
        search_cost: None,
        clients: vec![client()],
    }
}

/// `host` towards `api` of one endpoint and `cdn` of four.
pub(super) fn world(host: Host) -> World {
    let destination = |name: &str, endpoints| Destination {
        name: name.into(),
        endpoints,
        pick: EndpointPick::Random,
        answers: true,
        loopback: false,
    };
    World { hosts: vec![host], destinations: vec![destination("api", 1), destination("cdn", 4)] }
}
