//! A connection that was seen, and for how long it held its port.

use std::net::SocketAddr;
use std::time::Duration;

use super::demand::Micros;
use crate::model::Ending;

/// What a connection was doing when it was last seen, as far as a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastSeen {
    /// It has ended in this way. [`Ending::Reset`] is a reset of either side.
    Ended(Ending),
    /// It was never answered.
    Unanswered,
    /// It was open.
    Open,
    /// It has ended, and nothing tells how.
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
    /// What it was doing then.
    pub seen: LastSeen,
}

impl Connection {
    /// The last moment at which it was seen.
    #[must_use]
    pub fn last_moment(&self) -> Micros {
        self.start.saturating_add(micros(self.duration.unwrap_or_default()))
    }
}

pub(super) fn micros(span: Duration) -> Micros {
    Micros::try_from(span.as_micros()).unwrap_or(Micros::MAX)
}
