//! Connections, one by one and in any order, put together by source and destination in bounded memory.
//!
//! What cannot be told apart any more is summed and counted, never forgotten: destinations with few
//! connections become "others" of their source, sources with few connections become "other sources".

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::demand::{Micros, Peak, Track};
use super::{FlowSurvey, Limits};

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

    /// When its port is free again, on a machine with these limits. What is not told counts as what holds
    /// the port longest: closed by this side, tried until the system gives up.
    #[must_use]
    pub fn released(&self, limits: &Limits) -> Micros {
        let close = self.last_seen();
        match self.end {
            End::Server | End::Reset => close,
            End::Client | End::Half | End::Open | End::Unknown => {
                close.saturating_add(micros(limits.time_wait))
            }
            End::Unanswered => close.max(self.start.saturating_add(micros(limits.syn_sent))),
        }
    }
}

fn micros(span: Duration) -> Micros {
    Micros::try_from(span.as_micros()).unwrap_or(Micros::MAX)
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Changes in the tracks of all flows together, 16 bytes each.
    pub changes: usize,
    /// Flows (source address and destination) that are told apart.
    pub flows: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { changes: 2 << 20, flows: 8_192 }
    }
}

/// Puts connections together.
#[derive(Debug)]
pub struct Collector {
    limits: Limits,
    budget: Budget,
    /// Bins of tracks are `2^width` microseconds wide.
    width: u32,
    changes: usize,
    numbers: HashMap<(IpAddr, SocketAddr), u32>,
    flows: Vec<Flow>,
    sources: HashMap<IpAddr, Others>,
    left_out: LeftOut,
    starts: Window,
    ends: Window,
}

#[derive(Debug)]
struct Flow {
    seen: FlowSurvey,
    track: Track,
    outside: u64,
}

/// What is summed of a source.
#[derive(Debug, Default)]
struct Others {
    flow: Option<FlowSurvey>,
    track: Track,
    outside: u64,
}

/// Sources that are not told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many times a source was left out.
    pub sources: u64,
    /// Their connections.
    pub connections: u64,
    /// The most connections that one of them had: more ports it never held.
    pub most: u64,
}

/// From the first to the last of some moments.
#[derive(Clone, Copy, Debug)]
struct Window(Micros, Micros);

impl Window {
    const NONE: Self = Self(Micros::MAX, Micros::MIN);

    fn add(&mut self, moment: Micros) {
        *self = Self(self.0.min(moment), self.1.max(moment));
    }

    fn seconds(self) -> f64 {
        if self.0 > self.1 { 0.0 } else { (self.1 as f64 - self.0 as f64) * 1e-6 }
    }
}

impl Collector {
    /// Nothing was seen yet on machines with these limits.
    #[must_use]
    pub fn new(limits: Limits, budget: Budget) -> Self {
        Self {
            limits,
            budget,
            width: 0,
            changes: 0,
            numbers: HashMap::new(),
            flows: Vec::new(),
            sources: HashMap::new(),
            left_out: LeftOut::default(),
            starts: Window::NONE,
            ends: Window::NONE,
        }
    }

    /// Counts a connection.
    pub fn add(&mut self, connection: &Connection) {
        self.starts.add(connection.start);
        self.ends.add(connection.last_seen());
        let number = self.number(connection);
        let flow = &mut self.flows[number];
        let before = flow.track.len();
        flow.track.hold(connection.start, connection.released(&self.limits), self.width);
        flow.seen.count(connection);
        flow.outside += u64::from(!self.limits.range.contains(connection.source.port()));
        self.changes = (self.changes + flow.track.len()).saturating_sub(before);
        if self.changes > self.budget.changes {
            self.widen();
        }
    }

    /// Number of the flow that it belongs to.
    fn number(&mut self, connection: &Connection) -> usize {
        let key = (connection.source.ip(), connection.destination);
        if let Some(&number) = self.numbers.get(&key) {
            return number as usize;
        }
        if self.flows.len() >= self.budget.flows {
            self.sum_the_small();
        }
        let seen = FlowSurvey::new(key.0, key.1);
        self.flows.push(Flow { seen, track: Track::default(), outside: 0 });
        self.sources.entry(key.0).or_default();
        let number = self.flows.len() - 1;
        self.numbers.insert(key, number as u32);
        number
    }

    /// Makes bins wider until half of the budget is enough.
    fn widen(&mut self) {
        while self.changes > self.budget.changes / 2 && self.width < 62 {
            self.width += 1;
            self.flows.iter_mut().for_each(|flow| flow.track.widen());
            self.sources.values_mut().for_each(|others| others.track.widen());
            let flows: usize = self.flows.iter().map(|flow| flow.track.len()).sum();
            let others: usize = self.sources.values().map(|others| others.track.len()).sum();
            self.changes = flows + others;
        }
    }

    /// Sums the half of the flows that has the fewest connections.
    fn sum_the_small(&mut self) {
        self.flows.sort_by_key(|flow| std::cmp::Reverse(flow.seen.opened));
        for flow in self.flows.split_off(self.budget.flows / 2) {
            self.numbers.remove(&(flow.seen.source, flow.seen.destination));
            self.sources.entry(flow.seen.source).or_default().take(flow);
        }
        for (number, flow) in self.flows.iter().enumerate() {
            self.numbers.insert((flow.seen.source, flow.seen.destination), number as u32);
        }
        if self.sources.len() > self.budget.flows {
            self.leave_out_sources();
        }
        self.changes = self.flows.iter().map(|flow| flow.track.len()).sum::<usize>()
            + self.sources.values().map(|others| others.track.len()).sum::<usize>();
    }

    /// Leaves out sources without a flow of their own, those with the fewest connections, until half of
    /// the budget is left.
    fn leave_out_sources(&mut self) {
        let busy: std::collections::HashSet<IpAddr> =
            self.flows.iter().map(|flow| flow.seen.source).collect();
        let mut small: Vec<(u64, IpAddr)> = self
            .sources
            .iter()
            .filter(|(address, _)| !busy.contains(*address))
            .map(|(address, others)| (others.flow.as_ref().map_or(0, |flow| flow.opened), *address))
            .collect();
        small.sort_unstable();
        small.truncate(self.sources.len().saturating_sub(self.budget.flows / 2));
        for (connections, address) in small {
            self.sources.remove(&address);
            self.left_out.sources += 1;
            self.left_out.connections += connections;
            self.left_out.most = self.left_out.most.max(connections);
        }
    }

    /// Everything that was seen, the source with the highest peak first.
    #[must_use]
    pub fn finish(self) -> Collected {
        let (seconds, starts) = (self.seconds(), self.starts);
        let last = self.ends.1.max(starts.1);
        let width = self.width;
        let mut by_source: HashMap<IpAddr, Vec<Flow>> = HashMap::new();
        for flow in self.flows {
            by_source.entry(flow.seen.source).or_default().push(flow);
        }
        let mut sources: Vec<SourceSurvey> = Vec::new();
        for (address, others) in self.sources {
            let flows = by_source.remove(&address).unwrap_or_default();
            sources.push(source(address, flows, others, width));
        }
        sources.sort_by(|a, b| {
            let key = |source: &SourceSurvey| (source.tightest().ports, source.opened);
            key(b).cmp(&key(a)).then(a.address.cmp(&b.address))
        });
        Collected {
            sources,
            left_out: self.left_out,
            first: if starts.0 > starts.1 { 0 } else { starts.0 },
            last: if starts.0 > starts.1 { 0 } else { last },
            seconds,
            bin: Duration::from_micros(1 << width),
        }
    }

    /// How long was watched. A record has what began in a window of time, or what ended in one: so it is
    /// the shorter of the two spans.
    fn seconds(&self) -> f64 {
        let (starts, ends) = (self.starts.seconds(), self.ends.seconds());
        let shorter = starts.min(ends);
        if shorter > 0.0 { shorter } else { starts.max(ends) }
    }
}

impl FlowSurvey {
    /// Counts a connection.
    fn count(&mut self, connection: &Connection) {
        self.opened += 1;
        let ends = &mut self.ends;
        match connection.end {
            End::Client => ends.client += 1,
            End::Server => ends.server += 1,
            End::Reset => ends.reset += 1,
            End::Unanswered => ends.unanswered += 1,
            End::Half => ends.half += 1,
            End::Open => {}
            End::Unknown => ends.unknown += 1,
        }
        match (connection.end, connection.duration) {
            (End::Unanswered, _) | (_, None) => {}
            (End::Open, Some(so_far)) => self.lifetimes.record_open(so_far),
            (_, Some(lifetime)) => self.lifetimes.record(lifetime),
        }
    }
}

impl Others {
    fn take(&mut self, flow: Flow) {
        match &mut self.flow {
            Some(sum) => sum.merge(&flow.seen),
            None => self.flow = Some(flow.seen),
        }
        self.track.absorb(flow.track);
        self.outside += flow.outside;
    }
}

/// All that was seen of the connections from one address.
#[derive(Clone, Debug)]
pub struct SourceSurvey {
    /// The address.
    pub address: IpAddr,
    /// Connections that it opened, or tried to.
    pub opened: u64,
    /// The most ports that it held at once, whatever they went to.
    pub peak: Peak,
    /// Its destinations, the one with the highest peak first.
    pub destinations: Vec<(FlowSurvey, Peak)>,
    /// The sum of destinations that were not told apart, if there were too many.
    pub others: Option<FlowSurvey>,
    /// Connections from ports outside the range that they are held against.
    pub outside: u64,
}

impl SourceSurvey {
    /// The most ports that it held at once to one destination.
    #[must_use]
    pub fn tightest(&self) -> Peak {
        self.destinations.first().map(|(_, peak)| *peak).unwrap_or_default()
    }
}

/// All that was seen.
#[derive(Clone, Debug)]
pub struct Collected {
    /// By source address, the one with the highest peak to one destination first.
    pub sources: Vec<SourceSurvey>,
    /// Sources that are not told apart.
    pub left_out: LeftOut,
    /// When the first connection was opened.
    pub first: Micros,
    /// When the last one was last seen.
    pub last: Micros,
    /// How long was watched: see [`SourceSurvey::opened`] as so many in this time.
    pub seconds: f64,
    /// Peaks count what is held within this time as held at once.
    pub bin: Duration,
}

fn source(address: IpAddr, flows: Vec<Flow>, others: Others, width: u32) -> SourceSurvey {
    let mut all = others.track;
    let mut outside = others.outside;
    let mut opened = others.flow.as_ref().map_or(0, |flow| flow.opened);
    let mut destinations = Vec::with_capacity(flows.len());
    for flow in flows {
        opened += flow.seen.opened;
        outside += flow.outside;
        destinations.push((flow.seen, flow.track.peak(width)));
        all.absorb(flow.track);
    }
    destinations.sort_by(|(a, at), (b, bt)| {
        (bt.ports, b.opened).cmp(&(at.ports, a.opened)).then(a.destination.cmp(&b.destination))
    });
    let peak = all.peak(width);
    SourceSurvey { address, opened, peak, destinations, others: others.flow, outside }
}

#[cfg(test)]
mod tests;
