//! A connection that was seen, and for how long it held its port.

use std::net::SocketAddr;
use std::time::Duration;

use super::Limits;
use super::demand::Micros;

/// How a connection ended, as far as a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The side that opened it closed first.
    Client,
    /// The other side closed first.
    Server,
    /// A reset of either side.
    Reset,
    /// It was never answered.
    Unanswered,
    /// The opener closed and the other side never did.
    Half,
    /// It was open when it was last seen.
    Open,
    /// It ended, and nothing tells how.
    Unknown,
}

/// A connection that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// When it was opened.
    pub start: Micros,
    /// How long it lasted, or had lasted when it was last seen; `None` where that is not told.
    pub duration: Option<Duration>,
    /// The side that opened it.
    pub source: SocketAddr,
    /// The side that it was opened to.
    pub destination: SocketAddr,
    /// How it ended.
    pub end: End,
}

impl Connection {
    /// The last moment at which it was seen.
    #[must_use]
    pub fn last_seen(&self) -> Micros {
        self.start.saturating_add(micros(self.duration.unwrap_or_default()))
    }

    /// When its port is free again, on a machine with these limits.
    #[must_use]
    pub fn released(&self, limits: &Limits) -> Micros {
        let loopback = self.source.ip().is_loopback() || self.destination.ip().is_loopback();
        let held = micros(limits.held_after(self.end, loopback));
        match self.end {
            // It is tried until the system gives up.
            End::Unanswered => self.last_seen().max(self.start.saturating_add(held)),
            _ => self.last_seen().saturating_add(held),
        }
    }
}

fn micros(span: Duration) -> Micros {
    Micros::try_from(span.as_micros()).unwrap_or(Micros::MAX)
}
