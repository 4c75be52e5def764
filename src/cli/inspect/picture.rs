//! The machine as a person sees it: verdict, destinations, bound ports, settings.

use std::collections::BTreeMap;

use portsim::inspect::{
    Flow, FlowKey, Forecast, Inspection, Owners, Process, Prospect, Rates, Socket, TcpState,
};
use portsim::numbers::{count, percent, plural, rate};
use portsim::report::headroom::{Level, headroom};
use portsim::report::inspection::holders;

use super::super::terminal::{BAD, BOLD, GOOD, OPEN, styled, tame, wrap};
use super::names::Names;
use super::table::{TableColumn, table};

/// Bound ports that are listed; a table of thousands tells nobody anything.
const SQUATTERS: usize = 20;

/// Who holds the connections of each flow, in words. Kept from look to look, since holders change seldom and
/// connections often.
#[derive(Default)]
pub(super) struct FlowHolders(BTreeMap<FlowKey, String>);

impl FlowHolders {
    /// Enters what `owners` tell of the first `many` flows.
    pub(super) fn learn(&mut self, inspection: &Inspection, owners: &Owners, many: usize) {
        for flow in inspection.census.flows.iter().take(many) {
            let told = held_by(&holders(inspection, flow, owners));
            if !told.is_empty() {
                self.0.insert((flow.source, flow.destination), told);
            }
        }
    }

    fn by(&self, flow: &Flow) -> String {
        self.0.get(&(flow.source, flow.destination)).cloned().unwrap_or_default()
    }
}

/// How much of it there is room for.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// Destinations at most.
    pub many: usize,
    /// Lines of the screen, where it is one that is filled again and again.
    pub height: Option<usize>,
}

/// Everything that one look has told.
pub(super) fn whole(
    inspection: &Inspection,
    owners: &Owners,
    held: &FlowHolders,
    names: &Names,
    rows: Rows,
    width: usize,
    verbose: bool,
) -> String {
    let mut text = format!("{}\n", verdict(inspection, width));
    text += &destinations(inspection, held, names, rows.many, width);
    text += &squatters(inspection, owners, width);
    text += &sockets(inspection, width);
    text += &settings(inspection, width);
    if verbose || owners.unseen > 0 {
        text.push('\n');
        let all = super::unseen(inspection, owners);
        for note in all.iter().take(if verbose { all.len() } else { 1 }) {
            text += &format!("{}\n", wrap(&format!("Not seen: {note}"), width, 2));
        }
    }
    text
}

/// What is refreshed: verdict, destinations, the sum.
pub(super) fn frame(
    inspection: &Inspection,
    held: &FlowHolders,
    names: &Names,
    rows: Rows,
    width: usize,
) -> String {
    let head = format!("{}\n", verdict(inspection, width));
    let tail = format!("{}{}", sockets(inspection, width), begun(inspection, width));
    // Four lines: a blank one, the heading of the table, its rule, and what is left out.
    let used = head.lines().count() + tail.lines().count() + 5;
    let room = rows.height.map_or(rows.many, |height| height.saturating_sub(used).max(1));
    head + &destinations(inspection, held, names, rows.many.min(room), width) + &tail
}

fn verdict(inspection: &Inspection, width: usize) -> String {
    let told = headroom(inspection);
    let style = match told.level {
        Level::Fine => GOOD,
        Level::Tight => OPEN,
        Level::Bad => BAD,
    };
    styled(style, wrap(&told.sentence, width, 0))
}

/// Where connections go to, the fewest ports left first.
fn destinations(
    inspection: &Inspection,
    held: &FlowHolders,
    names: &Names,
    many: usize,
    width: usize,
) -> String {
    let flows: Vec<(&Flow, &Prospect)> =
        inspection.census.flows.iter().zip(&inspection.prospects).take(many).collect();
    if flows.is_empty() {
        return String::new();
    }
    let column = |title: &str, rank: u8, cell: &dyn Fn(&Flow, &Prospect) -> String| {
        TableColumn::new(
            title,
            rank,
            flows.iter().map(|(flow, prospect)| cell(flow, prospect)).collect(),
        )
    };
    let number = |value: u32| count(value.into());
    let many_others = flows.iter().any(|(flow, _)| flow.others * 10 > flow.size());
    let opening = if inspection.watched_s > 0.0 { "opened / s" } else { "closed / s" };
    let columns = vec![
        TableColumn {
            words: true,
            ..column("towards", 0, &|flow, _| names.endpoint(flow.destination))
        },
        TableColumn { words: true, ..column("from", 6, &|flow, _| flow.source.to_string()) },
        column("established", 4, &|flow, _| number(flow.established)),
        column("TIME-WAIT", if many_others { 4 } else { 3 }, &|flow, _| number(flow.time_wait)),
        column("other", if many_others { 3 } else { 8 }, &|flow, _| number(flow.others)),
        column("taken", 0, &|flow, _| percent(flow.taken())),
        column("ports left", 0, &|flow, _| number(flow.left)),
        column("back in 10 s", 5, &|flow, _| count(flow.back_within(10.0) as u64)),
        column(opening, 4, &|_, prospect| per_second(prospect, |rates| rates.opening)),
        column("closed / s", 7, &|_, prospect| match inspection.watched_s > 0.0 {
            true => per_second(prospect, |rates| rates.closing),
            false => String::new(),
        }),
        column("empty in", 1, &|_, prospect| empty_in(prospect)),
        TableColumn { words: true, ..column("held by", 2, &|flow, _| held.by(flow)) },
    ];
    let mut text = format!("\n{}", table(columns, width));
    let rest = inspection.census.flows.len() - flows.len();
    if let Some(most) = inspection.census.flows.iter().skip(flows.len()).map(|f| f.held).max() {
        let more = plural(rest as u64, "more destination", "more destinations");
        let ports = plural(most.into(), "port", "ports");
        text += &format!("{}\n", wrap(&format!("and {more}, at most {ports} each"), width, 2));
    }
    text
}

/// To as many digits as a count of seconds bears out.
fn per_second(prospect: &Prospect, which: fn(Rates) -> f64) -> String {
    let Some(value) = prospect.rates.map(which) else { return String::new() };
    let rounded = if value >= 10.0 { value.round() } else { (value * 10.0).round() / 10.0 };
    rate(rounded).trim_end_matches(" / s").to_owned()
}

fn empty_in(prospect: &Prospect) -> String {
    match prospect.forecast {
        Some(Forecast::Empty { seconds: 0.0, .. }) => "now".to_owned(),
        Some(empty @ Forecast::Empty { .. }) => empty.to_string().replace("empty in ", ""),
        Some(Forecast::Perhaps { .. }) => "perhaps".to_owned(),
        _ => String::new(),
    }
}

/// `nginx (812)`, or the busiest of several.
fn held_by(holders: &[(&Process, usize)]) -> String {
    match holders {
        [] => String::new(),
        [(one, _)] => named(one),
        [(first, _), rest @ ..] => format!("{} and {} more", named(first), rest.len()),
    }
}

/// `nginx (812)`.
pub(super) fn named(process: &Process) -> String {
    format!("{} ({})", tame(&process.name), process.pid)
}

/// Ports of the range that are taken from every destination.
fn squatters(inspection: &Inspection, owners: &Owners, width: usize) -> String {
    let squatters = &inspection.census.squatters;
    if squatters.is_empty() {
        return String::new();
    }
    let distinct: std::collections::BTreeSet<u16> =
        squatters.iter().map(|socket| socket.local.port()).collect();
    let heading = format!(
        "Taken from every destination: {} of the range, bound or listened on",
        plural(distinct.len() as u64, "port", "ports")
    );
    let told = &squatters[..squatters.len().min(SQUATTERS)];
    let column = |cell: &dyn Fn(&Socket) -> String| told.iter().map(cell).collect::<Vec<_>>();
    let holder = |socket: &Socket| {
        let holders = owners.of(socket);
        let named: Vec<String> = holders.iter().map(|process| named(process)).collect();
        match (&named[..], socket.uid) {
            ([], Some(uid)) => user(uid),
            _ => named.join(", "),
        }
    };
    let columns = vec![
        TableColumn::new("port", 0, column(&|socket| socket.local.port().to_string())),
        TableColumn::words("state", 1, column(&|socket| socket.state.to_string())),
        TableColumn::words("address", 2, column(&|socket| socket.local.ip().to_string())),
        TableColumn::words("held by", 0, column(&holder)),
    ];
    let mut text =
        format!("\n{}\n{}", styled(BOLD, wrap(&heading, width, 0)), table(columns, width));
    if squatters.len() > told.len() {
        text += &format!("  and {} more sockets\n", count((squatters.len() - told.len()) as u64));
    }
    text
}

/// `user postgres`, for a process that may not be seen.
pub(super) fn user(uid: u32) -> String {
    portsim::inspect::user(uid)
        .map_or_else(|| format!("user {uid}"), |name| format!("user {}", tame(&name)))
}

/// All sockets by state.
fn sockets(inspection: &Inspection, width: usize) -> String {
    let census = &inspection.census;
    let mut parts: Vec<String> = TcpState::ALL
        .iter()
        .filter_map(|state| Some((state, *census.states.get(state)?)))
        .map(|(state, number)| format!("{} {state}", count(number)))
        .collect();
    if parts.is_empty() {
        parts.push("none".to_owned());
    }
    let mut told = format!("TCP sockets: {}", parts.join(", "));
    if census.inbound > 0 {
        told += &format!("; {} of them accepted here", count(census.inbound));
    }
    if census.outside > 0 {
        told += &format!("; {} from ports outside the range", count(census.outside));
    }
    format!("\n{}\n", wrap(&told, width, 2))
}

/// What the system counts, where looks have missed much of it.
fn begun(inspection: &Inspection, width: usize) -> String {
    let Some(begun) = inspection.begun else { return String::new() };
    let missed = begun - inspection.opening;
    if missed < 1.0 || missed < 0.02 * begun {
        return String::new();
    }
    let told = format!(
        "{} are begun by the system's own count; {} come and go between two looks without TIME-WAIT \
         (closed by the other side or reset) and hold a port for that moment only.",
        rate(begun.round()),
        rate(missed.round()),
    );
    format!("{}\n", wrap(&told, width, 2))
}

fn settings(inspection: &Inspection, width: usize) -> String {
    let system = &inspection.system;
    let heading = format!("{}: what bears on source ports", system.name);
    let mut text = format!("\n{}\n", styled(BOLD, wrap(&heading, width, 0)));
    let cell = |cell: fn(&portsim::inspect::Setting) -> String| {
        system.settings.iter().map(cell).collect::<Vec<_>>()
    };
    let names: Vec<String> = cell(|setting| format!("{} = {}", setting.name, setting.value));
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(46);
    for (name, meaning) in names.iter().zip(cell(|setting| setting.meaning.clone())) {
        if width < 100 {
            text += &format!("{}\n", wrap(&format!("  {name}"), width, 4));
            text += &format!("{}\n", wrap(&format!("    {meaning}"), width, 4));
        } else {
            let line = format!("  {name:longest$}  {meaning}");
            text += &format!("{}\n", wrap(&line, width, longest + 4));
        }
    }
    text
}
