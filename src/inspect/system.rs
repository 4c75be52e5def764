//! What a system says of itself, as far as it bears on source ports.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{Ending, PortRange, PortSet, Remote, ReuseKey, TcpSettings, Timers, Will};
use crate::units::{SimDuration, SimTime};

/// The machine's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// `Linux 6.18.44`.
    pub name: String,
    /// The preset of a scenario that comes nearest to it.
    pub preset: String,
    /// The dynamic range: where `connect()` takes source ports from.
    pub range: PortRange,
    /// Ports of the range that are never chosen.
    pub reserved: PortSet,
    /// Which connections may not share a port.
    pub reuse_key: ReuseKey,
    /// How long TIME-WAIT lasts at least.
    pub time_wait: Duration,
    /// How much later than due a timer of that length can fire.
    pub grid: Duration,
    /// What it does with TIME-WAITs, where the system takes them over at all.
    pub tcp: TcpSettings,
    /// What is worth knowing, each with what it means.
    pub settings: Vec<Setting>,
    /// The same as keys of a scenario's `[host.NAME]`, where they differ from the preset:
    /// (`tcp_tw_reuse`, `1`), values as TOML.
    pub keys: Vec<(&'static str, String)>,
    /// What nobody sees on this system, whatever his privileges; a sentence each.
    pub unseen: Vec<String>,
}

/// One setting of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// By the system's own name: `net.ipv4.tcp_tw_reuse`.
    pub name: &'static str,
    /// As the system tells it, with its unit.
    pub value: String,
    /// What that value means for source ports, in a sentence.
    pub meaning: String,
}

impl System {
    /// For how long a TIME-WAIT between these two addresses keeps its port from `connect()`, in the mean.
    #[must_use]
    pub fn hold(&self, source: IpAddr, destination: IpAddr) -> Duration {
        let will = Will {
            lifetime: SimDuration::ZERO,
            second_fin: SimDuration::ZERO,
            ending: Ending::Client,
            remote: Remote::new(true, is_loopback(source, destination)),
            bound: false,
        };
        let takeable = self.timers().life(SimTime::START, &will).takeable;
        Duration::from_nanos(takeable.since(SimTime::START).as_nanos())
    }

    /// How old a TIME-WAIT between these two addresses must be for `connect()` to take its port, if that
    /// may be before it is over.
    #[must_use]
    pub fn taken_over_from(&self, source: IpAddr, destination: IpAddr) -> Option<Duration> {
        let may_be = self.timers().may_be_taken_over(is_loopback(source, destination));
        may_be.then(|| self.hold(source, destination))
    }

    fn timers(&self) -> Timers {
        let mean = self.time_wait + self.grid / 2;
        let mean = SimDuration::from_nanos(u64::try_from(mean.as_nanos()).unwrap_or(u64::MAX));
        Timers::exact(self.tcp, true, mean)
    }
}

/// Linux 6.18 net/ipv4/tcp_ipv4.c:tcp_twsk_unique: either address suffices.
fn is_loopback(source: IpAddr, destination: IpAddr) -> bool {
    source.is_loopback() || destination.is_loopback()
}
