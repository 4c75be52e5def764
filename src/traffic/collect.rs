//! Connections, one by one and in any order, put together by source and destination in bounded memory.
//!
//! What cannot be told apart any more is summed and counted, never forgotten: destinations with few
//! connections become "others" of their source, sources with few connections become "other sources". As
//! soon as destinations are summed, another one is told apart only from its [`Collected::threshold`]th
//! connection on.
//!
//! Each source and each of its destinations has a [`Track`]. When all of them together remember more than
//! the budget, each keeps changes in proportion to its connections: so a peak is as far off everywhere, by
//! a number of ports and not by a share.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::connection::{Connection, LastSeen};
use super::demand::{Demand, Micros, Peak, Track};
use super::{FlowSurvey, Limits};
use crate::model::Ending;

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
        Self { changes: 3 << 20, flows: 4_096 }
    }
}

/// Puts connections together.
#[derive(Debug)]
pub struct Collector {
    limits: Limits,
    budget: Budget,
    /// A track keeps two changes for so many connections.
    coarseness: u64,
    changes: usize,
    numbers: HashMap<(IpAddr, SocketAddr), u32>,
    flows: Vec<FlowTrack>,
    sources: HashMap<IpAddr, SourceTrack>,
    /// Connections of flows that are not told apart; once there is a threshold.
    few: HashMap<(IpAddr, SocketAddr), u32>,
    threshold: u32,
    left_out: LeftOut,
    /// Addresses of sources that were left out once; some of them come again.
    gone: HashSet<IpAddr>,
    starts: Extent,
    ends: Extent,
    released: Micros,
}

#[derive(Debug)]
struct FlowTrack {
    seen: FlowSurvey,
    track: Track,
    /// Connections that it had before it was told apart; they are counted among the others.
    before: u32,
}

/// A source: all its connections, and those to destinations that are not told apart.
#[derive(Debug, Default)]
struct SourceTrack {
    track: Track,
    others: Option<FlowSurvey>,
    outside: u64,
}

/// Which flow a connection belongs to.
enum Number {
    /// One that is told apart.
    Apart(usize),
    /// One of few connections; `first` when it was not seen before.
    Few { first: bool },
}

/// A track keeps so many changes, however few connections it has.
const LEAST_CHANGES: usize = 32;

/// Sources that are not told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many addresses are missing among the sources that are told.
    pub sources: u64,
    /// Are there more of them, because there are too many to remember their addresses?
    pub more: bool,
    /// Connections that are in no source that is told, also those of sources that came again later.
    pub connections: u64,
    /// The most connections that a source had when it was left out.
    pub most: u64,
}

/// From the first to the last of some moments.
#[derive(Clone, Copy, Debug)]
struct Extent(Micros, Micros);

impl Extent {
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
            coarseness: 1,
            changes: 0,
            numbers: HashMap::new(),
            flows: Vec::new(),
            sources: HashMap::new(),
            few: HashMap::new(),
            threshold: 0,
            left_out: LeftOut::default(),
            gone: HashSet::new(),
            starts: Extent::NONE,
            ends: Extent::NONE,
            released: Micros::MIN,
        }
    }

    /// Counts a connection.
    pub fn add(&mut self, connection: &Connection) {
        self.starts.add(connection.start);
        self.ends.add(connection.last_moment());
        let (from, to) = (connection.start, self.limits.released(connection));
        self.released = self.released.max(to);
        let number = self.number(connection);
        if self.sources.len() > 2 * self.budget.flows {
            self.leave_out_sources(connection.source.ip());
        }
        let source = self.sources.entry(connection.source.ip()).or_default();
        let before = source.track.len();
        source.track.hold(from, to);
        // Port 0 stands for one that is not told.
        let port = connection.source.port();
        source.outside += u64::from(port != 0 && !self.limits.range.contains(port));
        let mut grown = source.track.len() as isize - before as isize;
        match number {
            Number::Apart(number) => {
                let flow = &mut self.flows[number];
                let before = flow.track.len();
                flow.track.hold(from, to);
                flow.seen.count(connection);
                grown += flow.track.len() as isize - before as isize;
            }
            Number::Few { first } => source.few(connection, first),
        }
        self.changes = self.changes.saturating_add_signed(grown);
        if self.changes > self.budget.changes {
            self.shrink();
        }
    }

    /// The flow that it belongs to.
    fn number(&mut self, connection: &Connection) -> Number {
        let key = (connection.source.ip(), connection.destination);
        if let Some(&number) = self.numbers.get(&key) {
            return Number::Apart(number as usize);
        }
        let mut before = 0;
        if self.threshold > 0 {
            if self.few.len() > 16 * self.budget.flows {
                // Who comes too seldom to reach the threshold begins again.
                self.few.clear();
            }
            let seen = self.few.entry(key).or_default();
            *seen = seen.saturating_add(1);
            if *seen < self.threshold {
                return Number::Few { first: *seen == 1 };
            }
            before = *seen - 1;
            self.few.remove(&key);
        }
        if self.flows.len() >= self.budget.flows {
            self.sum_the_small();
        }
        let seen = FlowSurvey::new(key.0, key.1);
        self.flows.push(FlowTrack { seen, track: Track::default(), before });
        let number = self.flows.len() - 1;
        self.numbers.insert(key, number as u32);
        Number::Apart(number)
    }

    fn tracks(&mut self) -> impl Iterator<Item = &mut Track> {
        let flows = self.flows.iter_mut().map(|flow| &mut flow.track);
        flows.chain(self.sources.values_mut().map(|source| &mut source.track))
    }

    fn count_changes(&mut self) {
        self.changes = self.tracks().map(|track| track.len()).sum();
    }

    /// Lets tracks forget until half of the budget is enough.
    fn shrink(&mut self) {
        while self.changes > self.budget.changes / 2 && self.coarseness < 1 << 40 {
            self.coarseness *= 2;
            let each = self.coarseness;
            for track in self.tracks() {
                let most = usize::try_from(2 * track.holds() / each).unwrap_or(usize::MAX);
                track.shrink(most.max(LEAST_CHANGES));
            }
            self.count_changes();
        }
    }

    /// Sums the half of the flows that has the fewest connections, and lets no other such one in.
    fn sum_the_small(&mut self) {
        self.flows.sort_by_key(|flow| std::cmp::Reverse(flow.seen.opened));
        let small = self.flows.split_off(self.budget.flows / 2);
        let most = small.first().map_or(0, |flow| flow.seen.opened);
        self.threshold = u32::try_from(most).unwrap_or(u32::MAX).max(2 * self.threshold).max(2);
        for flow in small {
            let key = (flow.seen.source, flow.seen.destination);
            self.numbers.remove(&key);
            let seen = u32::try_from(flow.seen.opened).unwrap_or(u32::MAX);
            self.few.insert(key, flow.before.saturating_add(seen));
            self.sources.entry(flow.seen.source).or_default().take(&flow);
        }
        for (number, flow) in self.flows.iter().enumerate() {
            self.numbers.insert((flow.seen.source, flow.seen.destination), number as u32);
        }
        self.count_changes();
    }

    /// Leaves out sources without a flow of their own, those with the fewest connections, until one and a
    /// half times as many are left as flows; but not `now`.
    fn leave_out_sources(&mut self, now: IpAddr) {
        let mut busy: HashSet<IpAddr> = self.flows.iter().map(|flow| flow.seen.source).collect();
        busy.insert(now);
        let mut small: Vec<(u64, IpAddr)> = self
            .sources
            .iter()
            .filter(|(address, _)| !busy.contains(*address))
            .map(|(address, source)| (source.track.holds(), *address))
            .collect();
        small.sort_unstable();
        small
            .truncate(self.sources.len().saturating_sub(self.budget.flows + self.budget.flows / 2));
        for (connections, address) in small {
            self.sources.remove(&address);
            if self.gone.len() < 64 * self.budget.flows {
                self.gone.insert(address);
            } else if !self.gone.contains(&address) {
                self.left_out.more = true;
            }
            self.left_out.connections += connections;
            self.left_out.most = self.left_out.most.max(connections);
        }
        self.count_changes();
    }

    /// Everything that was seen, the source with the highest peak first.
    #[must_use]
    pub fn finish(mut self) -> Collected {
        let gone = self.gone.iter().filter(|address| !self.sources.contains_key(address));
        self.left_out.sources = gone.count() as u64;
        let (watched, Extent(first, last)) = self.watched();
        let bin = self.tracks().map(|track| track.bin()).max().unwrap_or(1);
        let mut by_source: HashMap<IpAddr, Vec<FlowTrack>> = HashMap::new();
        for flow in self.flows {
            by_source.entry(flow.seen.source).or_default().push(flow);
        }
        let mut sources: Vec<SourceSurvey> = Vec::new();
        for (address, source) in self.sources {
            let flows = by_source.remove(&address).unwrap_or_default();
            sources.push(told(address, flows, source));
        }
        sources.sort_by(|a, b| {
            let key = |source: &SourceSurvey| (source.tightest().ports, source.opened);
            key(b).cmp(&key(a)).then(a.address.cmp(&b.address))
        });
        Collected {
            sources,
            left_out: self.left_out,
            threshold: self.threshold,
            watched,
            first,
            last,
            seconds: Extent(first, last).seconds(),
            bin: Duration::from_micros(bin),
        }
    }

    /// The time that was watched. A record has what began in a window of time, or what ended in one: so it
    /// is the shorter of the two spans.
    fn watched(&self) -> (Watched, Extent) {
        let (starts, ends) = (self.starts, self.ends);
        if starts.0 > starts.1 {
            return (Watched::AtOnce(Duration::ZERO), Extent(0, 0));
        }
        if starts.0 == starts.1 {
            let held = u64::try_from(self.released.saturating_sub(starts.0)).unwrap_or_default();
            return (Watched::AtOnce(Duration::from_micros(held)), Extent(starts.0, ends.1));
        }
        match ends.seconds() {
            span if span > 0.0 && span < starts.seconds() => (Watched::Ends, ends),
            _ => (Watched::Openings, starts),
        }
    }
}

impl FlowSurvey {
    /// Counts a connection.
    fn count(&mut self, connection: &Connection) {
        self.opened += 1;
        let ends = &mut self.ends;
        match connection.seen {
            LastSeen::Ended(Ending::Client) => ends.client += 1,
            LastSeen::Ended(Ending::Server) => ends.server += 1,
            LastSeen::Ended(Ending::Reset | Ending::ServerReset | Ending::Unread) => {
                ends.reset += 1
            }
            LastSeen::Unanswered => ends.unanswered += 1,
            LastSeen::Ended(Ending::Half) => ends.half += 1,
            LastSeen::Open | LastSeen::Ended(Ending::Never | Ending::CloseWait) => {}
            LastSeen::Unknown => ends.unknown += 1,
        }
        match (connection.seen, connection.duration) {
            (LastSeen::Unanswered, _) | (_, None) => {}
            (LastSeen::Open | LastSeen::Ended(Ending::Never | Ending::CloseWait), Some(so_far)) => {
                self.lifetimes.record_open(so_far)
            }
            (_, Some(lifetime)) => self.lifetimes.record(lifetime),
        }
    }
}

impl SourceTrack {
    /// Sums a flow that was told apart until now.
    fn take(&mut self, flow: &FlowTrack) {
        match &mut self.others {
            Some(sum) => {
                let endpoints = sum.endpoints + u32::from(flow.before == 0);
                sum.merge(&flow.seen);
                sum.endpoints = endpoints;
            }
            None => self.others = Some(flow.seen.clone()),
        }
    }

    /// Counts a connection to a destination that is not told apart.
    fn few(&mut self, connection: &Connection, first: bool) {
        let new = || FlowSurvey::new(connection.source.ip(), connection.destination);
        match &mut self.others {
            Some(sum) => {
                sum.endpoints += u32::from(first);
                sum.count(connection);
            }
            None => self.others.insert(new()).count(connection),
        }
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
    /// Ports held over time: to the first of `destinations`, and to all.
    pub(crate) tracks: [Track; 2],
}

impl SourceSurvey {
    /// Ports held over time, in so many parts: to the destination with the highest peak, or to all.
    #[must_use]
    pub fn demand(&self, to_all: bool, from: Micros, to: Micros, parts: usize) -> Demand {
        self.tracks[usize::from(to_all)].demand(from, to, parts)
    }

    /// The most ports that it held at once to one destination.
    #[must_use]
    pub fn tightest(&self) -> Peak {
        self.destinations.first().map(|(_, peak)| *peak).unwrap_or_default()
    }
}

/// Which time was watched: what rates are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// From the first opening to the last one.
    Openings,
    /// From the first end to the last one, where that is shorter: what began long before was recorded only
    /// because it ended then.
    Ends,
    /// From the only opening to the last end: all were opened at one moment, and no rate can be told. It is
    /// so long from then until the last port was free again.
    AtOnce(Duration),
    /// As long as the TIME-WAITs of one look took to come.
    Look,
}

/// All that was seen.
#[derive(Clone, Debug)]
pub struct Collected {
    /// By source address, the one with the highest peak to one destination first.
    pub sources: Vec<SourceSurvey>,
    /// Sources that are not told apart.
    pub left_out: LeftOut,
    /// When not 0, destinations with fewer connections from one source are not told apart, and the peaks
    /// of those that came late lack as many ports.
    pub threshold: u32,
    /// What the time from `first` to `last` is.
    pub watched: Watched,
    /// When it begins.
    pub first: Micros,
    /// When it ends.
    pub last: Micros,
    /// How long it is: see [`SourceSurvey::opened`] as so many in this time.
    pub seconds: f64,
    /// The widest bin of any track.
    pub bin: Duration,
}

fn told(address: IpAddr, flows: Vec<FlowTrack>, mut source: SourceTrack) -> SourceSurvey {
    if let Some(others) = &mut source.others {
        // Those that came to be told apart are no others any more.
        let late = flows.iter().filter(|flow| flow.before > 0).count() as u32;
        others.endpoints = others.endpoints.saturating_sub(late).max(1);
    }
    let mut destinations: Vec<(FlowTrack, Peak)> = flows
        .into_iter()
        .map(|flow| {
            let peak = flow.track.peak();
            (flow, peak)
        })
        .collect();
    destinations.sort_by(|(a, at), (b, bt)| {
        let (a, b) = (&a.seen, &b.seen);
        (bt.ports, b.opened).cmp(&(at.ports, a.opened)).then(a.destination.cmp(&b.destination))
    });
    let to_one = destinations.first_mut().map(|(flow, _)| std::mem::take(&mut flow.track));
    SourceSurvey {
        address,
        opened: source.track.holds(),
        peak: source.track.peak(),
        destinations: destinations.into_iter().map(|(flow, peak)| (flow.seen, peak)).collect(),
        others: source.others,
        outside: source.outside,
        tracks: [to_one.unwrap_or_default(), source.track],
    }
}

#[cfg(test)]
mod tests;
