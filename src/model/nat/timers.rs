//! How long a NAT keeps an entry, by what became of its connection: plain data.

use crate::units::SimDuration;

/// The time-outs of a NAT for TCP, each from the last packet that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatTimers {
    /// A SYN that nobody answered, from the first one on: those sent again do not renew it (Linux from 5.14 on).
    pub half_open: SimDuration,
    /// A connection on which nothing happens.
    pub idle: SimDuration,
    /// One side has closed and the other has not.
    pub half_closed: SimDuration,
    /// Both have.
    pub fin: SimDuration,
    /// It was reset.
    pub reset: SimDuration,
}

impl NatTimers {
    /// `net/netfilter/nf_conntrack_proto_tcp.c:tcp_timeouts`, Linux 6.18: SYN_SENT, ESTABLISHED, CLOSE_WAIT, TIME_WAIT and
    /// CLOSE.
    pub const CONNTRACK: Self = Self {
        half_open: SimDuration::from_secs(120),
        idle: SimDuration::from_secs(432_000),
        half_closed: SimDuration::from_secs(60),
        fin: SimDuration::from_secs(120),
        reset: SimDuration::from_secs(10),
    };
}
