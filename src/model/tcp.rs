//! The settings of a host's TCP and of its clients' sockets that decide which ports are free.
//!
//! Names are those of Linux's sysctls and socket options (`Documentation/networking/ip-sysctl.rst`,
//! `ip(7)`, `socket(7)`). What each version of Linux has of them is told in `platform`.

use super::{PortRange, PortSet};
use crate::units::SimDuration;

/// What is set on a host, all its connections alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpSettings {
    /// `net.ipv4.tcp_tw_reuse`: may `connect()` take a port out of TIME-WAIT?
    pub tw_reuse: TwReuse,
    /// `net.ipv4.tcp_tw_reuse_delay` (since 6.14): a port must be older than this, told by a clock
    /// that ticks every `tw_reuse_clock`. Zero before: the tick alone must have changed.
    pub tw_reuse_delay: SimDuration,
    /// What the age of a TIME-WAIT is told in: milliseconds since 6.14, whole seconds before.
    pub tw_reuse_clock: SimDuration,
    /// `net.ipv4.tcp_timestamps`: without timestamps nothing is taken out of TIME-WAIT.
    pub timestamps: bool,
    /// `net.ipv4.tcp_max_tw_buckets`: with so many TIME-WAITs on the machine, a further one ends at
    /// once. `None` for no limit: the default depends on the machine's memory.
    pub max_tw_buckets: Option<u32>,
    /// `net.ipv4.tcp_fin_timeout`: how long an orphan waits in FIN-WAIT-2. It never changes TIME-WAIT.
    pub fin_timeout: SimDuration,
    /// How long a connection that nobody answers stays in SYN-SENT.
    pub syn: SynTimeout,
    /// `net.ipv4.ip_autobind_reuse` (since 5.7): may `bind()` to port 0 with SO_REUSEADDR take a port
    /// in use?
    pub autobind_reuse: bool,
    /// Is a port that bound and plain sockets share open to `connect()` again as soon as the last
    /// bound one is gone (6.18), and not only when all are?
    pub buckets_reopen: bool,
    /// Is a range of IP_LOCAL_PORT_RANGE walked port by port (since 6.8), and not by parity?
    pub narrow_range_by_one: bool,
}

/// `net.ipv4.tcp_tw_reuse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TwReuse {
    /// 0: never.
    Never,
    /// 1: towards every destination.
    Always,
    /// 2: over the loopback device only (the default since 4.18).
    Loopback,
}

/// How long a connection that nobody answers stays in SYN-SENT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SynTimeout {
    /// Linux's retransmissions.
    Linux {
        /// `net.ipv4.tcp_syn_retries`.
        retries: u8,
        /// `net.ipv4.tcp_syn_linear_timeouts` (since 6.5; 0 before).
        linear_timeouts: u8,
    },
    /// Always the same.
    After(SimDuration),
}

/// What one client sets on its sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// SO_REUSEADDR.
    pub reuse_address: bool,
    /// SO_REUSEPORT.
    pub reuse_port: bool,
    /// IP_LOCAL_PORT_RANGE (since 6.3); each end counts where it lies inside the host's range.
    pub port_range: Option<PortRange>,
    /// The source address of this number, counted from 0, instead of all in turn.
    pub address: Option<u32>,
    /// Ports that it binds to, in turn ([`super::Binds::Port`]); never empty then.
    pub source_ports: PortSet,
}

/// What searching for a port costs, as measured on some machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchCost {
    /// One `connect()` that finds its port at once.
    pub connect: SimDuration,
    /// One further port looked at.
    pub probe: SimDuration,
}
