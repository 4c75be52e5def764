//! What was seen of real connections, condensed, and written down as a scenario.
//!
//! ```text
//! a record, or a live machine ─► Survey ─► scenario::text ─► `portsim run`
//!                                  └ Lifetimes: a histogram that knows of connections still open
//! connections, one by one ─► Collector: the most ports held at once, before any model; flows for a Survey
//! ```
//!
//! Nothing here reads a file, a clock or a terminal. A survey says what was seen and nothing more; what
//! had to be assumed to make a scenario of it stands in that scenario as a comment.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::Ending;

mod busiest;
mod collect;
mod connection;
mod demand;
mod lifetimes;
mod limits;
mod live;
pub mod scenario;
mod wording;

pub use collect::{Budget, Collected, Collector, LeftOut, SourceSurvey, Watched};
pub use connection::{Connection, LastSeen};
pub use demand::{Demand, Held, Micros, Peak, Track};
pub use lifetimes::Lifetimes;
pub use limits::Limits;
pub use live::LiveSurvey;

/// Everything that was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// One line that says what it is.
    pub title: String,
    /// Where it comes from and what could not be seen: comment lines at the top of the scenario.
    pub notes: Vec<String>,
    /// For how long connections were watched, in seconds: [`FlowSurvey::opened`] is of this time.
    pub seconds: f64,
    /// The machines that opened connections.
    pub hosts: Vec<HostSurvey>,
}

/// One machine, and what it connected to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostSurvey {
    /// Its name in the scenario.
    pub name: String,
    /// The preset that comes nearest to it.
    pub preset: String,
    /// Keys of `[host.NAME]` that differ from the preset: (`tcp_tw_reuse`, `1`), values as TOML.
    pub keys: Vec<(String, String)>,
    /// Its source addresses, in the order of the scenario's numbers (`address = 1` is the first).
    pub addresses: Vec<IpAddr>,
    /// Its connections, by source address and destination, in no order.
    pub flows: Vec<FlowSurvey>,
}

/// The connections from one source address to one destination.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowSurvey {
    /// The source address; one of [`HostSurvey::addresses`].
    pub source: IpAddr,
    /// Address and port that they went to.
    pub destination: SocketAddr,
    /// How many destinations were summed: 1, or more when `destination` is only one of them.
    pub endpoints: u32,
    /// Is the destination on the same machine?
    pub loopback: bool,
    /// Connections that were opened, or tried, while it was watched.
    pub opened: u64,
    /// Connections that were open all the time, neither opened nor closed.
    pub standing: u64,
    /// How long those lasted that were answered.
    pub lifetimes: Lifetimes,
    /// How they ended.
    pub ends: Ends,
}

impl FlowSurvey {
    /// Nothing was seen yet from `source` to `destination`.
    #[must_use]
    pub fn new(source: IpAddr, destination: SocketAddr) -> Self {
        Self {
            source,
            destination,
            endpoints: 1,
            loopback: source.is_loopback() || destination.ip().is_loopback(),
            opened: 0,
            standing: 0,
            lifetimes: Lifetimes::default(),
            ends: Ends::default(),
        }
    }

    /// Adds what was seen towards another destination, or the same one again.
    pub fn merge(&mut self, other: &Self) {
        if other.destination != self.destination || other.endpoints > 1 {
            self.endpoints += other.endpoints;
        }
        self.loopback &= other.loopback;
        self.opened += other.opened;
        self.standing += other.standing;
        self.lifetimes.merge(&other.lifetimes);
        self.ends.merge(other.ends);
    }
}

/// How connections ended: the number of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Ends {
    /// The side that opened it closed first: its port goes through TIME-WAIT.
    pub client: u64,
    /// The other side closed first.
    pub server: u64,
    /// By a reset of either side: no TIME-WAIT anywhere.
    pub reset: u64,
    /// Never answered: the port is held until the attempt is given up.
    pub unanswered: u64,
    /// The opener closed and the other side never did.
    pub half: u64,
    /// It ended, and nothing tells how.
    pub unknown: u64,
}

impl Ends {
    /// Adds the numbers of `other`.
    pub fn merge(&mut self, other: Self) {
        self.client += other.client;
        self.server += other.server;
        self.reset += other.reset;
        self.unanswered += other.unanswered;
        self.half += other.half;
        self.unknown += other.unknown;
    }

    /// Connections that were answered and have ended.
    #[must_use]
    pub const fn answered(&self) -> u64 {
        self.client + self.server + self.reset + self.half + self.unknown
    }

    /// How those that were answered ended, each with its share; one of unknown end where there are none.
    pub fn shares(&self) -> impl Iterator<Item = (LastSeen, f64)> + use<> {
        let unknown = if self.answered() == 0 { 1 } else { self.unknown };
        let all = self.answered().max(1) as f64;
        [
            (LastSeen::Ended(Ending::Client), self.client),
            (LastSeen::Ended(Ending::Server), self.server),
            (LastSeen::Ended(Ending::Reset), self.reset),
            (LastSeen::Ended(Ending::Half), self.half),
            (LastSeen::Unknown, unknown),
        ]
        .into_iter()
        .map(move |(end, count)| (end, count as f64 / all))
    }
}
