//! A gateway: a machine further along the path that connections of hosts pass, and where each needs a port too.

use super::nat::{NatRules, NatTimers};

/// Gateways that a connection can pass, one behind the other.
pub const MOST_GATEWAYS: usize = 4;

/// A gateway that hosts, or other gateways, reach the world through.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// The name in `[gateway.NAME]`.
    pub name: String,
    /// How it gives out ports.
    pub nat: NatRules,
    /// Which destinations it tells apart when it does.
    pub key: NatKey,
    /// How long it keeps them.
    pub timers: NatTimers,
    /// The gateway that it reaches the world through itself, as an index into [`World::gateways`](super::World::gateways).
    pub gateway: Option<usize>,
}

/// Which connections may not have the same port of a gateway's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatKey {
    /// Those to the same endpoint.
    Endpoint,
    /// Those to the same destination, whatever the endpoint.
    Destination,
    /// Any.
    None,
}
