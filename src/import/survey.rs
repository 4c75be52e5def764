//! What was read as a survey, of which `traffic::scenario` makes a scenario.

use std::time::Duration;

use super::{Findings, Imported, Kind, clock};
use crate::numbers::{plural, span};
use crate::traffic::{HostSurvey, SourceSurvey, Survey, Watched};

/// Sources that become a host each.
const HOSTS: usize = 8;

/// What the machines of a record are taken for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssumedMachine {
    /// The preset.
    pub preset: String,
    /// Keys of `[host.NAME]` that differ from it, values as TOML.
    pub keys: Vec<(String, String)>,
}

/// The survey of what was read from `name`: the sources with the highest peaks, a host each.
#[must_use]
pub fn survey(
    record: &Imported,
    findings: &Findings,
    machine: &AssumedMachine,
    name: &str,
) -> Survey {
    let seen = &record.seen;
    let mut machine = machine.clone();
    if record.kind == Kind::Conntrack {
        let time_wait = record.limits.time_wait.as_secs();
        machine.keys.push(("time_wait".to_owned(), format!("\"{time_wait} s\"")));
    }
    let hosts: Vec<HostSurvey> =
        seen.sources.iter().take(HOSTS).map(|source| host(source, &machine)).collect();
    Survey {
        title: format!("What {name} recorded"),
        notes: notes(record, findings, name),
        seconds: seconds(record),
        hosts,
    }
}

/// The time that rates of the scenario are of.
fn seconds(record: &Imported) -> f64 {
    match record.seen.watched {
        // Neither was any port held: a time as long as any.
        Watched::AtOnce(Duration::ZERO) => record.limits.time_wait.as_secs_f64().max(1.0),
        // So that the ports held are those that were, on average until the last one is free.
        Watched::AtOnce(held) => held.as_secs_f64(),
        _ => record.seen.seconds,
    }
}

fn host(source: &SourceSurvey, machine: &AssumedMachine) -> HostSurvey {
    let flows = source.destinations.iter().map(|(flow, _)| flow.clone());
    HostSurvey {
        // Names become names of files, where some systems allow no colon.
        name: source.address.to_string().replace(':', "-"),
        preset: machine.preset.clone(),
        keys: machine.keys.clone(),
        addresses: vec![source.address],
        flows: flows.chain(source.others.clone()).collect(),
    }
}

fn notes(record: &Imported, findings: &Findings, name: &str) -> Vec<String> {
    let (seen, tally) = (&record.seen, &record.tally);
    let mut notes = Vec::new();
    let rows = record.kind.rows_are(tally.used);
    let partial = if record.partial { ", of which only the beginning was read" } else { "" };
    let from = if record.kind.is_snapshot() {
        format!("From {name} ({}{partial}): {rows}.", record.kind.title())
    } else {
        format!(
            "From {name} ({}{partial}): {rows} in {}, {} to {}{}.",
            record.kind.title(),
            span(seen.seconds),
            clock(seen.first),
            clock(seen.last),
            findings.watched.in_words(),
        )
    };
    notes.push(from);
    if let Watched::AtOnce(_) = seen.watched {
        notes.push(format!(
            "Here they come evenly, and in {}: as long as it took until the last port was free again. So \
             ports are held as they were on average; at some moment it may have been more.",
            span(seconds(record))
        ));
    }
    notes.push(format!("Before any model: {}", findings.sentence));
    notes.extend(tally.missing.iter().cloned());
    if tally.bad > 0 {
        notes.push(format!("{} could not be read.", plural(tally.bad, "row", "rows")));
    }
    let left_out = findings.all_sources.saturating_sub(HOSTS as u64);
    if left_out > 0 || seen.left_out.connections > 0 {
        let others: u64 = seen.sources.iter().skip(HOSTS).map(|source| source.opened).sum();
        notes.push(format!(
            "The {HOSTS} source addresses with the highest peaks are hosts here; {}{} with {} are left \
             out (--source ADDR takes one of them).",
            if findings.all_sources_at_least { "at least " } else { "" },
            plural(left_out, "other", "others"),
            plural(others + seen.left_out.connections, "connection", "connections")
        ));
    }
    notes
}
