//! `[expect]`: what must come out, for everything, one client or one host.

use crate::scenario::expect::{Bound, Expectation, Scope};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::scan::plain_number;
use crate::scenario::text::suggest::{instead, shown};
use crate::scenario::text::tree::{Entry, Node, Table, Value};
use crate::scenario::text::walk::Walk;
use crate::stats::{Metric, SubjectKind, Unit};

/// What expectations can speak of.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub clients: &'a [&'a str],
    pub hosts: &'a [&'a str],
    pub gateways: &'a [&'a str],
}

/// Reads `[expect]` and the tables below it; what is wrong is reported.
pub(crate) fn expectations(walk: &Walk, node: &Node, known: &Known<'_>) -> Vec<Expectation> {
    let mut found = Vec::new();
    let help = "for example blocking_ratio = { max = \"1 %\" } below a line [expect]";
    let Some(table) = node.as_table() else {
        walk.wrong_kind(node, "[expect]", "a table", help);
        return found;
    };
    for entry in &table.entries {
        match entry.key.as_str() {
            "client" => scoped(walk, entry, known.clients, Scope::Client, &mut found),
            "host" => scoped(walk, entry, known.hosts, Scope::Host, &mut found),
            "gateway" => scoped(walk, entry, known.gateways, Scope::Gateway, &mut found),
            _ => found.extend(expectation(walk, entry, &Scope::Whole)),
        }
    }
    found
}

fn scoped(
    walk: &Walk,
    entry: &Entry,
    names: &[&str],
    scope: impl Fn(String) -> Scope,
    found: &mut Vec<Expectation>,
) {
    let what = &entry.key;
    let Some(table) = entry.node.as_table() else {
        let help = format!("write a line [expect.{what}.NAME] and the figures below it");
        walk.wrong_kind(&entry.node, &format!("[expect.{what}]"), "a table", &help);
        return;
    };
    for named in &table.entries {
        if expected(&named.key).is_some() {
            let message = format!("[expect.{what}] needs the name of a {what}");
            let problem = Problem::at(named.key_at, message)
                .label("a figure, where a name was expected")
                .help(format!("write [expect.{what}.NAME]; {}", instead("", names, what)));
            walk.report(problem);
            continue;
        }
        if !names.contains(&named.key.as_str()) {
            let message =
                format!("there is no {what} `{}` to expect anything of", shown(&named.key));
            let problem = Problem::at(named.key_at, message)
                .label("not known")
                .help(instead(&named.key, names, what));
            walk.report(problem.depends());
        }
        let Some(figures) = named.node.as_table() else {
            let help = format!("write a line [expect.{what}.{}]", shown(&named.key));
            walk.wrong_kind(&named.node, "what is expected of it", "a table", &help);
            continue;
        };
        let scope = scope(named.key.clone());
        found.extend(figures.entries.iter().filter_map(|entry| expectation(walk, entry, &scope)));
    }
}

fn expectation(walk: &Walk, entry: &Entry, scope: &Scope) -> Option<Expectation> {
    let Some(metric) = expected(&entry.key) else {
        let mut names: Vec<String> = Metric::expected().map(Metric::name).collect();
        if *scope == Scope::Whole {
            names.extend(["client", "host"].map(str::to_owned));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = format!("there is no figure `{}` to expect", shown(&entry.key));
        let problem = Problem::at(entry.key_at, message)
            .label("not known")
            .help(instead(&entry.key, &names, "figure"));
        walk.report(problem);
        return None;
    };
    if !metric.figure.on.contains(&SubjectKind::Client) && matches!(scope, Scope::Client(_)) {
        let message = format!("{} are counted for hosts, not for clients", metric.figure.title);
        let problem = Problem::at(entry.key_at, message)
            .label("not known of a client")
            .help("write it into [expect] or [expect.host.NAME]");
        walk.report(problem);
        return None;
    }
    let bound = match &entry.node.value {
        Value::Table(table) => within(walk, &entry.node, table, metric)?,
        Value::Text(text) if text.trim().eq_ignore_ascii_case("never") => {
            never(walk, &entry.node, metric)?
        }
        _ => {
            report_no_bounds(walk, &entry.node, metric);
            return None;
        }
    };
    Some(Expectation { scope: scope.clone(), metric, bound })
}

/// The figure that `[expect]` knows by this name.
fn expected(name: &str) -> Option<Metric> {
    Metric::expected().find(|metric| metric.name() == name)
}

/// The one that tells whether anything was blocked at all, and so can be "never".
const FIRST_BLOCKED: &str = "first_blocked_s";

fn never(walk: &Walk, node: &Node, metric: Metric) -> Option<Bound> {
    if metric.figure.key == FIRST_BLOCKED {
        return Some(Bound::Never);
    }
    let problem = Problem::at(node.at, "only first_blocked can be \"never\"")
        .label("not possible here")
        .help("write first_blocked = \"never\" if no attempt may be blocked");
    walk.report(problem);
    None
}

fn report_no_bounds(walk: &Walk, node: &Node, metric: Metric) {
    let name = metric.name();
    let example = match metric.figure.unit {
        Unit::Time => "{ min = \"46 s\", max = \"48 s\" }",
        Unit::Share | Unit::ShareOf(_) => "{ max = \"25 %\" }",
        _ => "{ max = 28232 }",
    };
    let written = walk.written(node.at);
    let mut problem = Problem::at(node.at, format!("{name} needs bounds"))
        .label("neither `min` nor `max`")
        .help(format!("for example {name} = {example}"));
    if node.as_table().is_none() && !written.is_empty() {
        problem = problem.help(format!("a simulated figure is seldom exactly {}", shown(&written)));
    }
    if metric.figure.key == FIRST_BLOCKED {
        problem = problem.help("if no attempt may be blocked, write first_blocked = \"never\"");
    }
    walk.report(problem);
}

fn within(walk: &Walk, node: &Node, table: &Table, metric: Metric) -> Option<Bound> {
    let (name, unit) = (metric.name(), metric.figure.unit);
    walk.known_keys(table, &name, &["min", "max"]);
    let (min, max) = (table.get("min"), table.get("max"));
    if min.is_none() && max.is_none() {
        if table.entries.is_empty() {
            report_no_bounds(walk, node, metric);
        }
        return None;
    }
    let low = min.map(|entry| value(walk, &entry.node, "min", unit));
    let high = max.map(|entry| value(walk, &entry.node, "max", unit));
    let (low, high) = match (low, high) {
        (Some(None), _) | (_, Some(None)) => return None,
        (low, high) => (low.flatten(), high.flatten()),
    };
    if let (Some(low), Some(high), Some(min), Some(max)) = (low, high, min, max)
        && low > high
    {
        let problem = Problem::at(min.node.at, format!("{name} can never hold: min is above max"))
            .label("above max")
            .context(max.node.at, "max")
            .help("the smaller bound is `min`, the larger one `max`");
        walk.report(problem);
        return None;
    }
    Some(Bound::Within { min: low, max: high })
}

fn value(walk: &Walk, node: &Node, key: &str, unit: Unit) -> Option<f64> {
    match unit {
        Unit::Time => walk.duration(node, key).map(|span| span.as_secs_f64()),
        Unit::Share | Unit::ShareOf(_) => {
            let share = walk.share(node, key)?;
            if share <= 1.0 {
                return Some(share);
            }
            let message = format!("this share is above 100 %: {}", plain_number(share));
            let problem = Problem::at(node.at, message)
                .label("at most 100 %")
                .help("write per cent with its sign, or a number from 0 to 1: \"25 %\" or 0.25");
            walk.report(problem);
            None
        }
        _ => walk.number(node, key, &format!("a plain number: {key} = 28232")),
    }
}
