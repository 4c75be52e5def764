//! Machines for tests: a range of 1,000 ports, and connections to one destination.

use std::time::Duration;

use super::{Inspection, Observer, Protocol, Setting, Socket, System, TcpState};
use crate::model::{PortRange, PortSet, ReuseKey, TcpSettings, TwReuse};

/// Linux with ports 40000-40999.
pub fn system() -> System {
    System {
        name: "Linux 6.18.44".to_owned(),
        preset: "linux".to_owned(),
        range: PortRange::new(40_000, 40_999).unwrap(),
        reserved: PortSet::default(),
        reuse_key: ReuseKey::FourTuple,
        time_wait: Duration::from_secs(60),
        grid: Duration::from_secs(2),
        tcp: TcpSettings { tw_reuse: TwReuse::Never, ..TcpSettings::default() },
        settings: vec![Setting {
            name: "net.ipv4.ip_local_port_range",
            value: "40000-40999".to_owned(),
            meaning: "1,000 source ports".to_owned(),
        }],
        keys: Vec::new(),
        unseen: Vec::new(),
    }
}

/// `rate` connections a second for `seconds` from 10.0.0.1 to 10.0.0.5:443, all in TIME-WAIT since.
pub fn time_waits(rate: u16, seconds: u16) -> Vec<Socket> {
    let every = 1_000 / u64::from(rate);
    let one = |i: u16| {
        let (local, remote) = (([10, 0, 0, 1], 40_000 + i).into(), ([10, 0, 0, 5], 443).into());
        let remaining = Some(Duration::from_millis(60_000 - u64::from(i) * every));
        Socket { remaining, ..Socket::new(Protocol::Tcp, TcpState::TimeWait, local, remote) }
    };
    (0..rate * seconds).map(one).collect()
}

/// What one look at a machine with these sockets gives.
pub fn inspected(sockets: &[Socket]) -> Inspection {
    Observer::default().enter(0.0, system(), sockets.to_vec(), None, |_, _| {})
}
