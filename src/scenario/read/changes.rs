//! `[[change]]`: what becomes another in the middle of a run.
//!
//! A change is put into the tree of the file, on top of those before it, and the whole is read again by the same
//! readers: so it may say whatever the file may say, and is told the same mistakes.

use super::fields::Fields;
use crate::model::{Arrivals, Client, World};
use crate::scenario::keys::{self, Is, Key, Place};
use crate::scenario::overrides::{Part, set};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::source::Span;
use crate::scenario::text::suggest::shown;
use crate::scenario::text::tree::{Entry, Node, Table, Value};
use crate::scenario::text::walk::Walk;
use crate::units::{SimDuration, SimTime};

const HELP: &str = "for example

    [[change]]
    at = \"5 min\"
    client.fetcher.arrivals.rate = \"900 / s\"";

/// Changes of one scenario: each reads all of it again.
const MOST: usize = 1_000;

/// A change, and the whole file as it is from then on.
#[derive(Debug)]
pub(crate) struct Later {
    pub at: SimTime,
    pub what: String,
    pub root: Table,
    /// Where it stands.
    pub span: Span,
}

/// The changes of the file `root` that come before the end of a run, in the order of time.
pub(crate) fn later(walk: &Walk, root: &Table, duration: SimDuration) -> Vec<Later> {
    let Some(entry) = root.get("change") else { return Vec::new() };
    let Value::List(items) = &entry.node.value else {
        walk.wrong_kind(&entry.node, "change", "a list of tables", HELP);
        return Vec::new();
    };
    if items.len() > MOST {
        let problem = Problem::at(entry.node.at, format!("{} changes are too many", items.len()))
            .label("too many")
            .help(format!("at most {MOST}; a rate that moves is said by process = \"rates\""));
        walk.report(problem);
        return Vec::new();
    }
    let mut read: Vec<(SimTime, &Node, Fields<'_>)> = Vec::new();
    for item in items {
        let Some(fields) = Fields::open(walk, item, Place::Change, "[[change]]", HELP) else {
            continue;
        };
        if fields.need("at", item.at, "[[change]]").is_none() {
            continue;
        }
        let Some(after) = fields.time("at") else { continue };
        if after >= duration {
            let problem = Problem::at(item.at, format!("the change at {after} is left out"))
                .label("after the end of the run")
                .help(format!("the run takes {duration}: write a longer duration in [run]"));
            walk.warn(problem);
            continue;
        }
        read.push((SimTime::START + after, item, fields));
    }
    read.sort_by_key(|one| one.0);
    let mut now = root.clone();
    now.remove("change");
    let all = read.into_iter().filter_map(|(at, item, fields)| {
        let mut said = Vec::new();
        let before = walk.count();
        for family in ["host", "destination", "client"] {
            let Some(entry) = fields.entry(family) else { continue };
            let Some(place) = keys::family(family) else { continue };
            family_of(walk, &mut now, entry, place, &mut said);
        }
        if walk.count() > before {
            return None;
        }
        if said.is_empty() {
            let problem = Problem::at(item.at, "this change changes nothing")
                .label("says when and not what")
                .help(HELP);
            walk.report(problem);
            return None;
        }
        let what = fields.text("title").unwrap_or_else(|| said.join(", "));
        Some(Later { at, what, root: now.clone(), span: item.at })
    });
    // Those of one instant are one change.
    all.fold(Vec::new(), |mut all: Vec<Later>, next| {
        match all.last_mut().filter(|last| last.at == next.at) {
            Some(last) => {
                *last = Later { what: format!("{}, {}", last.what, next.what), ..next };
            }
            None => all.push(next),
        }
        all
    })
}

/// Puts what a change says of one family of tables into `root`.
fn family_of(walk: &Walk, root: &mut Table, family: &Entry, place: Place, said: &mut Vec<String>) {
    let name = &family.key;
    let Some(tables) = family.node.as_table() else {
        let help = format!("write {name}.NAME.KEY = VALUE");
        walk.wrong_kind(&family.node, name, "a table", &help);
        return;
    };
    for named in &tables.entries {
        let mut path = vec![part(family), part(named)];
        let Some(table) = named.node.as_table() else {
            let help = format!("write {name}.NAME.KEY = VALUE");
            walk.wrong_kind(&named.node, &shown(&named.key), "a table", &help);
            continue;
        };
        below(walk, root, (place, name), table, &mut path, said);
    }
}

/// Puts the keys of `table`, which stands at `place`, into `root`.
fn below(
    walk: &Walk,
    root: &mut Table,
    (place, owner): (Place, &str),
    table: &Table,
    path: &mut Vec<Part>,
    said: &mut Vec<String>,
) {
    let changeable: Vec<&str> =
        keys::of(place).filter(|key| key.changes).map(|key| key.name).collect();
    for entry in &table.entries {
        path.push(part(entry));
        match keys::find(place, &entry.key) {
            // The long names of sysctls: net.ipv4.tcp_tw_reuse.
            None if place == Place::Host && ["net", "vm"].contains(&entry.key.as_str()) => {
                leaf(walk, root, entry, path, said);
            }
            None => walk.unknown_key(entry, &format!("what can change of a {owner}"), &changeable),
            Some(key) if !key.changes => {
                let message = format!("`{}` cannot change while a run goes on", entry.key);
                let problem = Problem::at(entry.key_at, message)
                    .label("is what it is from the start")
                    .help(format!("of a {owner} these can: {}", changeable.join(", ")));
                walk.report(problem);
            }
            Some(key) => match (inner(key), entry.node.as_table()) {
                (Some((place, tag)), Some(table))
                    if tag.is_none_or(|tag| table.get(tag).is_none()) =>
                {
                    open(root, path, tag);
                    below(walk, root, (place, owner), table, path, said);
                }
                _ => leaf(walk, root, entry, path, said),
            },
        }
        path.pop();
    }
}

/// The place of the keys of a table that `key` may be, and the one that makes another table of it.
fn inner(key: &Key) -> Option<(Place, Option<&'static str>)> {
    match key.is {
        Is::Table(place) => Some((place, None)),
        Is::Pool => Some((Place::Pool, Some("preset"))),
        Is::Arrivals => Some((Place::Arrivals, Some(keys::ARRIVALS.tag))),
        Is::Law => Some((Place::Law, Some(keys::LAWS.tag))),
        _ => None,
    }
}

/// Where `path` is the name of a preset in `root`, writes that as a table, so that keys can be put over it.
fn open(root: &mut Table, path: &[Part], tag: Option<&str>) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut table = root;
    for part in parents {
        let Some(entry) = table.get_mut(&part.name) else { return };
        let Value::Table(inner) = &mut entry.node.value else { return };
        table = inner;
    }
    let Some(entry) = table.get_mut(&last.name) else { return };
    if let (Value::Text(_), Some(tag @ "preset")) = (&entry.node.value, tag) {
        let named = Entry { key: tag.to_owned(), key_at: entry.key_at, node: entry.node.clone() };
        entry.node.value = Value::Table(Table { entries: vec![named] });
    }
}

fn leaf(walk: &Walk, root: &mut Table, entry: &Entry, path: &[Part], said: &mut Vec<String>) {
    let names: Vec<&str> = path.iter().map(|part| part.name.as_str()).collect();
    said.push(format!("{} = {}", names.join("."), value(&entry.node)));
    set(walk, root, path, entry.node.clone());
}

fn part(entry: &Entry) -> Part {
    Part { name: entry.key.clone(), at: entry.key_at }
}

/// A value as a person says it in a line.
fn value(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => shown(text).into_owned(),
        Value::Integer(number) => {
            number.map_or_else(|| "...".to_owned(), |number| number.to_string())
        }
        Value::Float(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Datetime => "...".to_owned(),
        Value::List(items) => {
            format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", "))
        }
        Value::Table(table) => {
            let entry = |entry: &Entry| format!("{} = {}", entry.key, value(&entry.node));
            format!("{{ {} }}", table.entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

/// What of `later` is another kind of world than `first`, with which a run that has begun cannot go on.
pub(crate) fn out_of_kind(first: &World, later: &World) -> Option<String> {
    let kind = |client: &Client| match client.arrivals {
        Arrivals::ClosedLoop { .. } => "workers of a closed loop",
        Arrivals::RecordedLoop { .. } => "workers that make recorded requests",
        Arrivals::Trace(_) => "recorded attempts",
        _ => "arrivals",
    };
    let pairs = first.hosts.iter().zip(&later.hosts);
    for (before, after) in pairs.flat_map(|(a, b)| a.clients.iter().zip(&b.clients)) {
        let name = shown(&before.name);
        if kind(before) != kind(after) {
            let (from, to) = (kind(before), kind(after));
            return Some(format!("client `{name}` cannot go over from {from} to {to}"));
        }
        if before.pool.is_some() != after.pool.is_some() {
            return Some(format!(
                "client `{name}` has a `pool` for a part of the run only; give it one for all of it, \
                 with max_idle = 0 for no keep-alive"
            ));
        }
        if before.pool.is_none() && before.retries.is_some() != after.retries.is_some() {
            return Some(format!(
                "client `{name}` has `retries` for a part of the run only; give it some for all of it, \
                 with attempts = 1 for none"
            ));
        }
    }
    None
}
