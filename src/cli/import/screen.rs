//! What a person sees of a record.

use portsim::import::{Findings, Fit, Lifetime, clock_of};
use portsim::numbers::{amount, count, percent, plural, rate, span};
use portsim::traffic::Ends;

use super::super::table;
use super::super::terminal::{BAD, BOLD, GOOD, OPEN, styled, tame, wrap};

/// The whole report.
pub fn report(findings: &Findings, title: &str, width: usize) -> String {
    let mut text = format!("{}\n", styled(BOLD, wrap(&tame(title), width, 0)));
    let style = match findings.verdict {
        Fit::Fits => GOOD,
        Fit::Tight => OPEN,
        Fit::RunsDry => BAD,
    };
    text.push_str(&format!("{}\n\n", styled(style, wrap(&tame(&findings.sentence), width, 0))));
    text.push_str(&format!("{}\n\n", wrap(&read(findings), width, 2)));
    text.push_str(&sources(findings, width));
    text.push('\n');
    text.push_str(&destinations(findings, width));
    for note in notes(findings) {
        text.push_str(&format!("\n{}\n", wrap(&tame(&note), width, 2)));
    }
    text + &bad(findings, width)
}

/// What became of the rows, in a sentence.
fn read(findings: &Findings) -> String {
    let snapshot = findings.first.is_none();
    let (one, many) = match findings.kind {
        "ss" | "netstat" => {
            ("socket that was opened from here", "sockets that were opened from here")
        }
        _ if snapshot => ("entry that holds a port", "entries that hold a port"),
        _ => ("connection", "connections"),
    };
    let mut parts = vec![format!(
        "{}: {}",
        plural(findings.rows, "row", "rows"),
        plural(findings.connections, one, many)
    )];
    parts.extend(findings.left_out.iter().map(|(why, rows)| format!("{} {why}", count(*rows))));
    if findings.bad > 0 {
        parts.push(format!("{} that cannot be read", count(findings.bad)));
    }
    let over = match (&findings.first, &findings.last) {
        (Some(first), Some(last)) => {
            let (first, last) = (clock_of(first), clock_of(last));
            let what = findings.watched.in_words();
            format!(" Over {}, {first} to {last}{what}.", span(findings.seconds))
        }
        _ => String::new(),
    };
    let partial = if findings.partial { " Interrupted: the rest was not read." } else { "" };
    format!("{}.{over}{partial}", parts.join(", "))
}

fn sources(findings: &Findings, width: usize) -> String {
    let snapshot = findings.first.is_none();
    let [to_one, to_all] = if snapshot {
        ["held to one destination", "held to all"]
    } else {
        ["peak to one destination", "peak to all"]
    };
    let head = ["source", "connections", "rate", to_one, "at", to_all];
    let rows: Vec<Vec<String>> = findings
        .sources
        .iter()
        .map(|source| {
            let peak = &source.peak_to_one;
            vec![
                source.address.clone(),
                count(source.connections),
                rate_or_none(source.rate_per_s),
                format!("{} ({})", count(peak.ports), percent(peak.share)),
                peak.at.as_deref().map_or_else(|| "-".to_owned(), time_of_day),
                count(source.peak_to_all.ports),
            ]
        })
        .collect();
    without_empty(&head, rows, width)
}

fn destinations(findings: &Findings, width: usize) -> String {
    let peak = if findings.first.is_none() { "held" } else { "peak" };
    let head = ["destination", peak, "rate", "p50", "p90", "p99", "closed by"];
    let rows: Vec<Vec<String>> = findings
        .destinations
        .iter()
        .map(|there| {
            let life = |of: fn(&Lifetime) -> f64| {
                let seen = there.lifetime_s.as_ref().filter(|life| !life.assumed);
                seen.map_or_else(|| "-".to_owned(), |life| span(of(life)))
            };
            vec![
                there.destination.clone(),
                count(there.peak.ports),
                rate_or_none(there.rate_per_s),
                life(|life| life.p50),
                life(|life| life.p90),
                life(|life| life.p99),
                closed_by(&there.ends),
            ]
        })
        .collect();
    without_empty(&head, rows, width)
}

fn rate_or_none(per_second: Option<f64>) -> String {
    per_second.map_or_else(|| "-".to_owned(), rate)
}

/// The table without columns that say nothing.
fn without_empty(head: &[&str], rows: Vec<Vec<String>>, width: usize) -> String {
    let says = |column: &usize| rows.iter().any(|row| row[*column] != "-");
    let kept: Vec<usize> = (0..head.len()).filter(says).collect();
    let head: Vec<&str> = kept.iter().map(|&column| head[column]).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| kept.iter().map(|&column| row[column].clone()).collect()).collect();
    table::of_rows(&head, &rows, width)
}

/// `client 71 %`: what most did.
fn closed_by(ends: &Ends) -> String {
    let mut counts = [
        ("client", ends.client),
        ("server", ends.server),
        ("reset", ends.reset),
        ("unanswered", ends.unanswered),
        ("half", ends.half),
        ("not told", ends.unknown),
    ];
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    match counts[0] {
        (_, 0) => "-".to_owned(),
        (word, count) if count == all => word.to_owned(),
        (word, count) => format!("{word} {}", percent(count as f64 / all as f64)),
    }
}

/// `10:42:10` of `2026-11-24 10:42:10 UTC`.
fn time_of_day(at: &str) -> String {
    let clock = clock_of(at);
    clock.split(' ').nth(1).filter(|time| time.contains(':')).map_or(clock.clone(), str::to_owned)
}

/// What to know of the figures.
fn notes(findings: &Findings) -> Vec<String> {
    let mut notes = Vec::new();
    let limit = &findings.limit;
    let pools = if limit.by_destination {
        "Each destination has all of them to itself"
    } else {
        "All destinations share them"
    };
    notes.push(format!(
        "Held against {} ports, {}. {pools}; TIME-WAIT lasts {}.",
        count(limit.usable_ports.into()),
        limit.ports,
        span(limit.time_wait_s)
    ));
    if let Some(peak) = findings.sources.first().map(|source| &source.peak_to_one)
        && peak.ports > peak.at_least
    {
        notes.push(format!(
            "Peaks are upper bounds: of the {} ports that were held at most, {} were for sure.",
            count(peak.ports),
            count(peak.at_least)
        ));
    }
    if findings.threshold > 0 {
        notes.push(format!(
            "There are too many destinations to tell them apart: those with fewer than {} from one source \
             are in the peak to all only.",
            plural(findings.threshold.into(), "connection", "connections")
        ));
    }
    notes.extend(findings.missing.iter().cloned());
    let outside: u64 = findings.sources.iter().map(|source| source.outside_range).sum();
    let told: u64 = findings.sources.iter().map(|source| source.connections).sum();
    if outside > 0 && told > 0 {
        notes.push(format!(
            "{} of these connections came from ports outside {}: another range (--ports), or ports that \
             programs bind themselves.",
            percent(outside as f64 / told as f64),
            limit.ports
        ));
    }
    if findings.all_sources > findings.sources.len() as u64 {
        notes.push(format!(
            "{}{} source addresses in all; the {} with the highest peaks are shown.",
            if findings.all_sources_at_least { "At least " } else { "" },
            count(findings.all_sources),
            amount(findings.sources.len() as f64)
        ));
    }
    if findings.connections_of_other_sources > 0 {
        notes.push(format!(
            "{} of sources that had too few at the time to tell them apart are in no peak.",
            plural(findings.connections_of_other_sources, "connection", "connections")
        ));
    }
    notes
}

/// The first bad rows.
pub fn bad(findings: &Findings, width: usize) -> String {
    let mut text = String::new();
    for bad in &findings.first_bad {
        let name = &bad.file;
        let line = format!("{}:{}: {}: {}", tame(name), bad.line, tame(&bad.why), tame(&bad.text));
        text.push_str(&format!("\n{}", wrap(line.trim_end_matches([':', ' ']), width, 2)));
    }
    let more = findings.bad.saturating_sub(findings.first_bad.len() as u64);
    if more > 0 {
        text.push_str(&format!("\n{} more", count(more)));
    }
    if text.is_empty() { text } else { format!("{text}\n") }
}
