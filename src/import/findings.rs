//! What a record says of ports: how many were held at once, against how many there are.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::moment::{clock, rfc3339};
use super::{Imported, Kind};
use crate::numbers::{count, percent, plural};
use crate::traffic::{Collected, Ends, FlowSurvey, Limits, Peak, SourceSurvey, Watched};

/// Above this share of the range it is tight.
const TIGHT: f64 = 0.8;
/// From this share of connections in no peak on, the verdict says so.
const RELEVANT: f64 = 0.001;
/// Sources that are told.
const SOURCES: usize = 8;
/// Destinations of a source that are told.
const DESTINATIONS: usize = 10;

/// Do the ports suffice?
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// The most that were held leave room.
    Fits,
    /// More than 80 % were held.
    Tight,
    /// More were wanted than there are.
    RunsDry,
}

/// Which time was watched: see [`Watched`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchedSpan {
    /// From the first opening to the last one.
    Openings,
    /// From the first end to the last one, which is shorter.
    Ends,
    /// All were opened at one moment: until the last end; no rate can be told.
    AtOnce,
    /// One moment.
    Look,
}

impl WatchedSpan {
    /// What happened in that time, as the end of a sentence; nothing where no rate was told.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Openings => ", in which all were opened",
            Self::Ends => ", in which all ended",
            Self::AtOnce => ": all were opened at one moment, and no rate can be told",
            Self::Look => "",
        }
    }
}

impl From<Watched> for WatchedSpan {
    fn from(watched: Watched) -> Self {
        match watched {
            Watched::Openings => Self::Openings,
            Watched::Ends => Self::Ends,
            Watched::AtOnce(_) => Self::AtOnce,
            Watched::Look => Self::Look,
        }
    }
}

/// Everything that is told of a record; also the JSON that programs get.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Findings {
    /// The version of portsim.
    pub version: &'static str,
    /// The format: `zeek`.
    pub kind: &'static str,
    /// Was reading stopped before the end?
    pub partial: bool,
    /// Do the ports suffice?
    pub verdict: Fit,
    /// The same in a sentence, with the figures.
    pub sentence: String,
    /// Rows of the record.
    pub rows: u64,
    /// Connections, or sockets, that were counted.
    pub connections: u64,
    /// Rows that do not count, by the reason.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Rows that cannot be read.
    pub bad: u64,
    /// The first of them.
    pub first_bad: Vec<Bad>,
    /// What the record does not tell.
    pub missing: Vec<String>,
    /// Which time was watched: what rates are of.
    pub watched: WatchedSpan,
    /// How long that is; of a snapshot, for how long TIME-WAITs came.
    pub seconds: f64,
    /// When it begins; `null` of a snapshot.
    pub first: Option<String>,
    /// When it ends; likewise.
    pub last: Option<String>,
    /// When not 0, destinations with fewer connections from one source are not told apart, and the peaks
    /// of those that came late lack as many ports.
    pub threshold: u32,
    /// What demand is held against.
    pub limit: Limit,
    /// How many source addresses there are, told or not.
    pub all_sources: u64,
    /// Are there more, because there were too many to remember them all?
    pub all_sources_at_least: bool,
    /// Sources, the one with the highest peak first; the first eight.
    pub sources: Vec<SourceFindings>,
    /// Destinations of all sources together, the one with the highest peak from one source first; the
    /// first ten.
    pub destinations: Vec<DestinationFindings>,
    /// Connections of source addresses that were not told apart, all along or for a while: they are in no
    /// peak.
    pub connections_of_other_sources: u64,
}

/// The JSON Schema of [`Findings`] as JSON: of what `portsim import --format json` prints.
///
/// ```
/// let schema = portsim::import::schema();
/// assert!(schema.contains("What demand is held against."));
/// ```
#[must_use]
pub fn schema() -> String {
    // What is written is what is described, not what could be read.
    let settings = SchemaSettings::draft07().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Findings>();
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Bad {
    /// The file, as it was named.
    pub file: String,
    /// Number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
    /// How it begins.
    pub text: String,
}

/// What demand is held against.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Limit {
    /// The range: `32768-60999`.
    pub ports: String,
    /// How many of it can be had.
    pub usable_ports: u32,
    /// Can two destinations share a port?
    pub by_destination: bool,
    /// How long TIME-WAIT lasts on average.
    pub time_wait_s: f64,
}

/// A peak of ports.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct PeakFindings {
    /// How many, at most.
    pub ports: u64,
    /// How many, at least: the same where the record was short enough to be counted to the microsecond.
    pub at_least: u64,
    /// Which share of those that there are.
    pub share: f64,
    /// When; `null` of a snapshot.
    pub at: Option<String>,
}

/// A source address.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct SourceFindings {
    /// The address.
    pub address: String,
    /// Connections that were opened, or tried.
    pub connections: u64,
    /// A second; `null` where all of the record were opened at one moment.
    pub rate_per_s: Option<f64>,
    /// The most ports held at once to one destination.
    pub peak_to_one: PeakFindings,
    /// The most ports held at once to all of them.
    pub peak_to_all: PeakFindings,
    /// Connections from ports outside the range.
    pub outside_range: u64,
    /// How many destinations there are.
    pub all_destinations: u64,
    /// Destinations, the one with the highest peak first; the first ten.
    pub destinations: Vec<DestinationFindings>,
}

/// A destination of a source.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct DestinationFindings {
    /// Address and port.
    pub destination: String,
    /// Connections that were opened, or tried.
    pub connections: u64,
    /// A second; `null` where all of the record were opened at one moment.
    pub rate_per_s: Option<f64>,
    /// The most ports held at once.
    pub peak: PeakFindings,
    /// How long connections lasted; `null` where that is not told.
    pub lifetime_s: Option<Lifetime>,
    /// How they ended.
    pub ends: Ends,
}

/// How long connections lasted, in seconds.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Lifetime {
    /// Half of them lasted no longer.
    pub p50: f64,
    /// See `p50`.
    pub p90: f64,
    /// See `p50`.
    pub p99: f64,
    /// On average.
    pub mean: f64,
    /// How many were still open when last seen.
    pub still_open: u64,
    /// Is only the mean known, by Little's law, and the rest of an exponential law?
    pub assumed: bool,
}

impl Findings {
    /// What `record` says, which was read from inputs of these names.
    #[must_use]
    pub fn new(record: &Imported, names: &[String]) -> Self {
        let (seen, tally, limits) = (&record.seen, &record.tally, &record.limits);
        let teller = Teller { limits, seen, snapshot: record.kind.is_snapshot() };
        let (verdict, mut sentence) = teller.verdict();
        sentence.push_str(&unseen(seen.left_out.connections, tally.used));
        let first_bad = tally.first_bad.iter().map(|bad| Bad {
            file: names.get(bad.input - 1).map_or("-", String::as_str).to_owned(),
            line: bad.line,
            why: bad.why.clone(),
            text: bad.text.clone(),
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            kind: record.kind.name(),
            partial: record.partial,
            verdict,
            sentence,
            rows: tally.rows,
            connections: tally.used,
            left_out: tally.left_out.clone(),
            bad: tally.bad,
            first_bad: first_bad.collect(),
            missing: tally.missing.clone(),
            watched: seen.watched.into(),
            seconds: seen.seconds,
            first: (!teller.snapshot).then(|| rfc3339(seen.first)),
            last: (!teller.snapshot).then(|| rfc3339(seen.last)),
            threshold: seen.threshold,
            limit: Limit {
                ports: limits.range.to_string(),
                usable_ports: limits.usable_ports,
                by_destination: limits.by_destination(),
                time_wait_s: limits.time_wait.as_secs_f64(),
            },
            all_sources: seen.sources.len() as u64 + seen.left_out.sources,
            all_sources_at_least: seen.left_out.more,
            sources: seen.sources.iter().take(SOURCES).map(|one| teller.source(one)).collect(),
            destinations: teller.destinations(),
            connections_of_other_sources: seen.left_out.connections,
        }
    }
}

/// What a verdict does not cover: sources that were not told apart.
fn unseen(left_out: u64, all: u64) -> String {
    let share = left_out as f64 / all.max(1) as f64;
    if share < RELEVANT {
        return String::new();
    }
    format!(
        " But that is of some sources only: {} of all connections are in no peak, because there are too \
         many source addresses to tell apart (--source ADDR counts one of them whole).",
        percent(share)
    )
}

struct Teller<'a> {
    limits: &'a Limits,
    seen: &'a Collected,
    snapshot: bool,
}

impl Teller<'_> {
    fn share(&self, ports: u64) -> f64 {
        ports as f64 / f64::from(self.limits.usable_ports.max(1))
    }

    fn rate(&self, connections: u64) -> Option<f64> {
        let told = !matches!(self.seen.watched, Watched::AtOnce(_)) && self.seen.seconds > 0.0;
        told.then(|| connections as f64 / self.seen.seconds)
    }

    fn held(&self, peak: Peak) -> PeakFindings {
        let at = (!self.snapshot).then(|| rfc3339(peak.at));
        let share = self.share(peak.ports);
        PeakFindings { ports: peak.ports, at_least: peak.at_least, share, at }
    }

    /// The peak that the range must hold.
    fn decides(&self, source: &SourceSurvey) -> Peak {
        if self.limits.by_destination() { source.tightest() } else { source.peak }
    }

    fn verdict(&self) -> (Fit, String) {
        let tightest = self.seen.sources.iter().max_by_key(|source| {
            let peak = self.decides(source).ports;
            (peak, Reverse(source.address))
        });
        let Some(source) = tightest else {
            return (Fit::Fits, "No connection was counted.".to_owned());
        };
        let peak = self.decides(source);
        let share = self.share(peak.ports);
        let fit = match share {
            share if share > 1.0 => Fit::RunsDry,
            share if share > TIGHT => Fit::Tight,
            _ => Fit::Fits,
        };
        let to = match source.destinations.first() {
            Some((flow, _)) if self.limits.by_destination() => format!(" to {}", flow.destination),
            _ => String::new(),
        };
        let when = if self.snapshot { String::new() } else { format!(" at {}", clock(peak.at)) };
        let (ports, all) = (count(peak.ports), count(self.limits.usable_ports.into()));
        let (source, of) = (source.address, percent(share));
        let range = self.limits.range;
        let sentence = match (fit, self.snapshot) {
            (Fit::RunsDry, false) => format!(
                "It would have run dry: {source} would have held {ports} ports{to}{when}, {of} of the \
                 {all} of {range}."
            ),
            (Fit::RunsDry, true) => {
                format!(
                    "It is dry: {source} holds {ports} ports{to}, {of} of the {all} of {range}."
                )
            }
            (fit, _) => {
                let how = if fit == Fit::Tight { "It is tight" } else { "It fits" };
                let held = if self.snapshot { "holds" } else { "held at most" };
                format!("{how}: {source} {held} {ports} of {all} ports ({of}){to}{when}.")
            }
        };
        (fit, sentence)
    }

    fn source(&self, source: &SourceSurvey) -> SourceFindings {
        let others = source.others.as_ref().map_or(0, |others| u64::from(others.endpoints));
        let told = source.destinations.iter().take(DESTINATIONS);
        SourceFindings {
            address: source.address.to_string(),
            connections: source.opened,
            rate_per_s: self.rate(source.opened),
            peak_to_one: self.held(source.tightest()),
            peak_to_all: self.held(source.peak),
            outside_range: source.outside,
            all_destinations: source.destinations.len() as u64 + others,
            destinations: told.map(|(flow, peak)| self.destination(flow, *peak)).collect(),
        }
    }

    /// The destinations of all sources: a peak is the highest that one source had.
    fn destinations(&self) -> Vec<DestinationFindings> {
        let mut all: BTreeMap<SocketAddr, (FlowSurvey, Peak)> = BTreeMap::new();
        for (flow, peak) in self.seen.sources.iter().flat_map(|source| &source.destinations) {
            match all.get_mut(&flow.destination) {
                Some((sum, highest)) => {
                    sum.merge(flow);
                    if peak.ports > highest.ports {
                        *highest = *peak;
                    }
                }
                None => drop(all.insert(flow.destination, (flow.clone(), *peak))),
            }
        }
        let mut all: Vec<(FlowSurvey, Peak)> = all.into_values().collect();
        all.sort_by_key(|(flow, peak)| Reverse((peak.ports, flow.opened)));
        let first = all.iter().take(DESTINATIONS);
        first.map(|(flow, peak)| self.destination(flow, *peak)).collect()
    }

    fn destination(&self, flow: &FlowSurvey, peak: Peak) -> DestinationFindings {
        let lifetimes = &flow.lifetimes;
        let quantile = |p| lifetimes.quantile(p).as_ref().map_or(0.0, Duration::as_secs_f64);
        DestinationFindings {
            destination: flow.destination.to_string(),
            connections: flow.opened,
            rate_per_s: self.rate(flow.opened),
            peak: self.held(peak),
            lifetime_s: lifetimes.mean().map(|mean| Lifetime {
                p50: quantile(0.5),
                p90: quantile(0.9),
                p99: quantile(0.99),
                mean: mean.as_secs_f64(),
                still_open: lifetimes.still_open(),
                assumed: lifetimes.is_assumed(),
            }),
            ends: flow.ends,
        }
    }
}

impl Kind {
    /// So many of what its rows are: `1 socket`.
    #[must_use]
    pub fn rows_are(self, number: u64) -> String {
        let (one, many) = match self {
            Self::Ss => ("socket", "sockets"),
            Self::Conntrack => ("entry", "entries"),
            _ => ("connection", "connections"),
        };
        plural(number, one, many)
    }
}
