//! What `portsim inspect --format json` says of a machine.

use std::collections::BTreeMap;

use serde::Serialize;

use super::headroom::{Level, SOON_S, headroom};
use super::json::pretty;
use crate::inspect::{Flow, Forecast, Inspection, Owners, Process, Prospect, Socket};

/// The document.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// Version of portsim.
    pub version: &'static str,
    /// `Linux 6.18.44`.
    pub system: String,
    /// The verdict, in a sentence.
    pub verdict: String,
    /// `fine`, `tight` or `bad`.
    pub level: &'static str,
    /// The dynamic range.
    pub range: String,
    /// Its size (RFC 6056 section 3.3).
    pub num_ephemeral: u32,
    /// Ports of it that `connect()` may choose: neither reserved nor squatted on.
    pub usable: u32,
    /// For how long rates were watched, in seconds; zero after one look, whose rates are those of the ages of
    /// TIME-WAITs.
    pub watched_s: f64,
    /// Connections begun a second by the system's own count.
    pub begun_per_s: Option<f64>,
    /// Settings that bear on source ports.
    pub settings: Vec<SettingDocument>,
    /// TCP sockets by state.
    pub sockets: BTreeMap<&'static str, u64>,
    /// Connections that others have opened.
    pub inbound: u64,
    /// Connections from ports outside the range.
    pub outside_range: u64,
    /// How many flows there are; `destinations` may have fewer.
    pub num_destinations: usize,
    /// One for each source address and destination endpoint, the fewest ports left first.
    pub destinations: Vec<FlowDocument>,
    /// Ports of the range that are taken from every destination.
    pub squatters: Vec<SquatterDocument>,
    /// Processes whose sockets could not be told.
    pub unseen_processes: u32,
    /// What nobody can see on this system.
    pub unseen: Vec<String>,
}

/// A setting.
#[derive(Clone, Debug, Serialize)]
pub struct SettingDocument {
    name: &'static str,
    value: String,
    meaning: String,
}

/// A flow.
#[derive(Clone, Debug, Serialize)]
pub struct FlowDocument {
    source: String,
    destination: String,
    established: u32,
    time_wait: u32,
    others: u32,
    held: u32,
    left: u32,
    taken: f64,
    back_in_10_s: usize,
    opening_per_s: Option<f64>,
    closing_per_s: Option<f64>,
    sustainable_per_s: f64,
    empty_s: Option<EmptyDocument>,
    holders: Vec<ProcessDocument>,
}

/// When no port is left, in seconds; `hi` is null when it may well not come to that.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EmptyDocument {
    middle: Option<f64>,
    lo: f64,
    hi: Option<f64>,
}

/// A bound port.
#[derive(Clone, Debug, Serialize)]
pub struct SquatterDocument {
    port: u16,
    address: String,
    state: &'static str,
    holders: Vec<ProcessDocument>,
}

/// A process.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessDocument {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// The user that it runs as.
    pub user: Option<String>,
}

impl ProcessDocument {
    /// As it stands in documents.
    #[must_use]
    pub fn new(process: &Process) -> Self {
        Self { pid: process.pid, name: process.name.clone(), user: process.user.clone() }
    }
}

impl Document {
    /// All of `inspection`, with the first `many` flows.
    #[must_use]
    pub fn new(inspection: &Inspection, owners: &Owners, many: usize) -> Self {
        let (census, system) = (&inspection.census, &inspection.system);
        let verdict = headroom(inspection);
        let flows = census.flows.iter().zip(&inspection.prospects).take(many);
        let squatter = |socket: &Socket| SquatterDocument {
            port: socket.local.port(),
            address: socket.local.ip().to_string(),
            state: socket.state.name(),
            holders: owners.of(socket).into_iter().map(ProcessDocument::new).collect(),
        };
        let setting = |setting: &crate::inspect::Setting| SettingDocument {
            name: setting.name,
            value: setting.value.clone(),
            meaning: setting.meaning.clone(),
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            system: system.name.clone(),
            verdict: verdict.sentence,
            level: match verdict.level {
                Level::Fine => "fine",
                Level::Tight => "tight",
                Level::Bad => "bad",
            },
            range: system.range.to_string(),
            num_ephemeral: system.range.num_ephemeral(),
            usable: census.usable,
            watched_s: inspection.watched_s,
            begun_per_s: inspection.begun,
            settings: system.settings.iter().map(setting).collect(),
            sockets: census.states.iter().map(|(state, &count)| (state.name(), count)).collect(),
            inbound: census.inbound,
            outside_range: census.outside,
            num_destinations: census.flows.len(),
            destinations: flows
                .map(|(flow, prospect)| FlowDocument::new(inspection, flow, prospect, owners))
                .collect(),
            squatters: census.squatters.iter().map(squatter).collect(),
            unseen_processes: owners.unseen,
            unseen: system.unseen.clone(),
        }
    }

    /// Indented, for one look.
    #[must_use]
    pub fn pretty(&self) -> String {
        pretty(self)
    }

    /// In one line, for look after look.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("plain structs are always JSON") + "\n"
    }
}

impl FlowDocument {
    fn new(inspection: &Inspection, flow: &Flow, prospect: &Prospect, owners: &Owners) -> Self {
        Self {
            source: flow.source.to_string(),
            destination: flow.destination.to_string(),
            established: flow.established,
            time_wait: flow.time_wait,
            others: flow.others,
            held: flow.held,
            left: flow.left,
            taken: flow.taken(),
            back_in_10_s: flow.back_within(SOON_S),
            opening_per_s: prospect.rates.map(|rates| rates.opening),
            closing_per_s: prospect.rates.map(|rates| rates.closing),
            sustainable_per_s: prospect.sustainable,
            empty_s: prospect.forecast.and_then(EmptyDocument::new),
            holders: holders(inspection, flow, owners)
                .into_iter()
                .map(|(process, _)| ProcessDocument::new(process))
                .collect(),
        }
    }
}

impl EmptyDocument {
    const fn new(forecast: Forecast) -> Option<Self> {
        match forecast {
            Forecast::Empty { seconds, lo, hi } => Some(Self { middle: Some(seconds), lo, hi }),
            Forecast::Perhaps { lo } => Some(Self { middle: None, lo, hi: None }),
            Forecast::Lasts => None,
        }
    }
}

/// The processes that hold sockets of `flow`, the busiest first, with the number of sockets seen.
#[must_use]
pub fn holders<'a>(
    inspection: &Inspection,
    flow: &Flow,
    owners: &'a Owners,
) -> Vec<(&'a Process, usize)> {
    let of_flow =
        |socket: &&Socket| (socket.local.ip(), socket.remote) == (flow.source, flow.destination);
    let mut count: BTreeMap<&Process, usize> = BTreeMap::new();
    let held = inspection.sockets.iter().filter(|s| s.inode != 0 || s.pid.is_some());
    for socket in held.filter(of_flow) {
        owners.of(socket).into_iter().for_each(|process| *count.entry(process).or_default() += 1);
    }
    let mut holders: Vec<_> = count.into_iter().collect();
    holders.sort_by_key(|&(process, many)| (std::cmp::Reverse(many), process.pid));
    holders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixtures::{inspected, time_waits};

    #[test]
    fn the_document_says_how_many_ports_are_left_to_each_destination() {
        let inspection = inspected(&time_waits(40, 10));
        let document = Document::new(&inspection, &Owners::default(), 10);
        let value: serde_json::Value = serde_json::from_str(&document.line()).unwrap();
        let flow = &value["destinations"][0];
        assert_eq!((&flow["left"], &flow["time_wait"]), (&600.into(), &400.into()));
        assert_eq!(value["sockets"]["TIME-WAIT"], 400);
        assert_eq!(value["level"], "bad");
        assert!((flow["empty_s"]["middle"].as_f64().unwrap() - 15.0).abs() < 0.3);
        let pretty: serde_json::Value = serde_json::from_str(&document.pretty()).unwrap();
        assert_eq!(pretty, value);
    }

    #[test]
    fn the_number_of_destinations_is_bounded_and_told() {
        let inspection = inspected(&time_waits(40, 10));
        let document = Document::new(&inspection, &Owners::default(), 0);
        assert_eq!((document.num_destinations, document.destinations.len()), (1, 0));
    }
}
