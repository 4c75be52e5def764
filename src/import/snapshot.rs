//! One moment of a machine: what is open, what is in TIME-WAIT, and what rates follow from that.
//!
//! A TIME-WAIT lasts a known time, so their number over that time is the rate at which connections end
//! here. The number open over that rate is how long one lasts on average (Little's law). No more can be
//! known from one look; what never closes here first (server closes, resets) is not seen at all.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::inspect::TcpState;
use crate::traffic::{
    Collected, FlowSurvey, LeftOut, Lifetimes, Limits, Peak, SourceSurvey, Watched,
};

/// Flows that are told apart: more than a machine has sockets for, some 100 MB.
const MOST_FLOWS: usize = 1 << 19;

/// `nf_conntrack_tcp_timeout_time_wait`: Linux, Documentation/networking/nf_conntrack-sysctl.rst.
pub(super) const CONNTRACK_TIME_WAIT: Duration = Duration::from_secs(120);

/// Connections that are known again when they come a second time; as much memory again as flows.
const MOST_KNOWN: usize = 1 << 20;

/// Why a row is left out that tells of a connection again: in a later look, or in another zone.
pub(super) const SEEN: &str = "of a connection that an earlier row told of";

/// With fewer TIME-WAITs of known age, the oldest says little about since when they come.
const ENOUGH: u64 = 100;

/// One socket, or one entry of a connection table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub state: TcpState,
    /// The side that opened it.
    pub source: SocketAddr,
    pub destination: SocketAddr,
    /// How long a TIME-WAIT will stay, where that is told.
    pub remaining: Option<Duration>,
}

/// All entries, by source address and destination.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    flows: HashMap<(IpAddr, SocketAddr), Counts>,
    /// Who has been counted.
    known: HashSet<(SocketAddr, SocketAddr)>,
    /// Ports that something listens on: connections of theirs were opened by others.
    listening: HashSet<u16>,
    left_out: u64,
    /// Is a TIME-WAIT one of the side that closed first?
    pub tells_who: bool,
    /// TIME-WAITs whose age is known, and the least that one of them has left.
    aged: u64,
    least_left: Option<Duration>,
    most_left: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    open: u64,
    time_wait: u64,
    unanswered: u64,
    closing: u64,
    /// The source port of the first; `None` when another has another one.
    only_port: Option<u16>,
    /// Ports outside the range.
    outside: u64,
}

impl Counts {
    const fn all(&self) -> u64 {
        self.open + self.time_wait + self.unanswered + self.closing
    }
}

impl Snapshot {
    /// Something listens on `port`.
    pub fn listens(&mut self, port: u16) {
        self.listening.insert(port);
    }

    /// Counts an entry, if it tells of none that was counted; `outside` when its port is not from the range.
    pub fn add(&mut self, entry: &Entry, outside: bool) -> bool {
        let tuple = (entry.source, entry.destination);
        let seen = match self.known.len() < MOST_KNOWN {
            true => !self.known.insert(tuple),
            false => self.known.contains(&tuple),
        };
        if !seen {
            self.count(entry, outside);
        }
        !seen
    }

    fn count(&mut self, entry: &Entry, outside: bool) {
        let key = (entry.source.ip(), entry.destination);
        if self.flows.len() >= MOST_FLOWS && !self.flows.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let port = entry.source.port();
        let counts = self
            .flows
            .entry(key)
            .or_insert_with(|| Counts { only_port: Some(port), ..Counts::default() });
        counts.only_port = counts.only_port.filter(|only| *only == port);
        counts.outside += u64::from(outside);
        match entry.state {
            TcpState::TimeWait => {
                counts.time_wait += 1;
                if let Some(left) = entry.remaining {
                    self.aged += 1;
                    self.least_left = Some(self.least_left.map_or(left, |least| least.min(left)));
                    self.most_left = Some(self.most_left.map_or(left, |most| most.max(left)));
                }
            }
            TcpState::SynSent => counts.unanswered += 1,
            TcpState::FinWait1 | TcpState::FinWait2 | TcpState::LastAck | TcpState::Closing => {
                counts.closing += 1;
            }
            _ => counts.open += 1,
        }
    }

    /// Everything as rates and ports held, the source that holds most first.
    pub fn finish(mut self, limits: &Limits) -> Collected {
        let listening = std::mem::take(&mut self.listening);
        self.flows
            .retain(|_, counts| !counts.only_port.is_some_and(|port| listening.contains(&port)));
        let window = self.window(limits);
        let mut sources: HashMap<IpAddr, SourceSurvey> = HashMap::new();
        for ((address, destination), counts) in &self.flows {
            let source = sources.entry(*address).or_insert_with(|| SourceSurvey {
                address: *address,
                opened: 0,
                peak: Peak::default(),
                destinations: Vec::new(),
                others: None,
                outside: 0,
                tracks: Default::default(),
            });
            let flow = flow(self.tells_who, *address, *destination, counts, window, limits);
            source.opened += flow.opened;
            source.peak.ports += counts.all();
            source.peak.at_least = source.peak.ports;
            source.outside += counts.outside;
            let (ports, at_least) = (counts.all(), counts.all());
            source.destinations.push((flow, Peak { ports, at_least, at: 0 }));
        }
        let mut sources: Vec<SourceSurvey> = sources.into_values().collect();
        for source in &mut sources {
            source.destinations.sort_by(|(a, at), (b, bt)| {
                bt.ports.cmp(&at.ports).then(a.destination.cmp(&b.destination))
            });
        }
        sources.sort_by(|a, b| {
            let held = |source: &SourceSurvey| source.tightest().ports;
            held(b).cmp(&held(a)).then(a.address.cmp(&b.address))
        });
        Collected {
            sources,
            left_out: LeftOut { connections: self.left_out, ..LeftOut::default() },
            threshold: 0,
            watched: Watched::Look,
            first: 0,
            last: 0,
            seconds: window.as_secs_f64(),
            bin: Duration::ZERO,
        }
    }

    /// The time in which the TIME-WAITs of now were made: as long as one lasts, or since the oldest, where
    /// their ages say that they only began to come.
    fn window(&self, limits: &Limits) -> Duration {
        let lasts = limits.time_wait.max(self.most_left.unwrap_or_default());
        let all: u64 = self.flows.values().map(|counts| counts.time_wait).sum();
        match self.least_left {
            Some(least) if self.aged >= ENOUGH && self.aged == all => {
                (lasts - least).max(Duration::from_secs(1)).min(lasts)
            }
            _ => lasts,
        }
    }
}

/// The rates that follow from what is there.
fn flow(
    tells_who: bool,
    source: IpAddr,
    destination: SocketAddr,
    counts: &Counts,
    window: Duration,
    limits: &Limits,
) -> FlowSurvey {
    let mut flow = FlowSurvey::new(source, destination);
    let unanswered =
        counts.unanswered as f64 * window.as_secs_f64() / limits.syn_sent.as_secs_f64();
    flow.ends.unanswered = unanswered.round() as u64;
    flow.opened = counts.time_wait + flow.ends.unanswered;
    if counts.time_wait == 0 {
        flow.standing = counts.open;
        return flow;
    }
    // conntrack keeps a TIME-WAIT whoever closed first; a socket in it is of the side that did.
    match tells_who {
        false => flow.ends.unknown = counts.time_wait,
        true => flow.ends.client = counts.time_wait,
    }
    flow.lifetimes =
        Lifetimes::assumed(window.mul_f64(counts.open as f64 / counts.time_wait as f64));
    flow
}
