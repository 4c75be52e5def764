//! What a system says of itself, as far as it bears on source ports.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{PortRange, PortSet, ReuseKey};

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
    /// When `connect()` may take a port out of TIME-WAIT.
    pub take_over: TakeOver,
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

/// When `connect()` may take a port out of TIME-WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeOver {
    /// Never.
    Never,
    /// When it is older than this.
    After(Duration),
    /// The same, but only over the loopback device.
    LoopbackAfter(Duration),
}

impl TakeOver {
    /// How old a TIME-WAIT between these two addresses must be.
    #[must_use]
    pub fn age(self, source: IpAddr, destination: IpAddr) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::After(age) => Some(age),
            // Linux 6.18 net/ipv4/tcp_ipv4.c:tcp_twsk_unique: either address suffices.
            Self::LoopbackAfter(age) => {
                (source.is_loopback() || destination.is_loopback()).then_some(age)
            }
        }
    }
}
