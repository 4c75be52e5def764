//! The whole file: its tables read in an order in which each can refer to those before it.

use super::checks;
use super::client::{self, Around, ReadClient};
use super::destination;
use super::expect::{self, Known};
use super::fields::Fields;
use super::host::{self, ReadHost};
use super::run::{self, Run};
use crate::model::{Destination, Host, RunSettings, World};
use crate::scenario::expect::Expectation;
use crate::scenario::keys::{self, Place};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::source::Span;
use crate::scenario::text::suggest::shown;
use crate::scenario::text::tree::{Entry, Table};
use crate::scenario::text::walk::Walk;

/// What a client-less file is told.
pub(crate) const SMALLEST: &str = "the smallest scenario:

    [client.fetcher]
    arrivals = { process = \"poisson\", rate = \"600 / s\" }
    lifetime = \"200 ms\"";

/// What was read; `None` in `world` where something was wrong.
#[derive(Debug)]
pub(crate) struct Whole {
    pub title: Option<String>,
    pub asks: Option<String>,
    pub reported: Option<String>,
    pub source: Option<String>,
    pub world: Option<World>,
    pub settings: RunSettings,
    pub expectations: Vec<Expectation>,
}

/// Reads everything below `root`.
pub(crate) fn whole(walk: &Walk, root: &Table) -> Whole {
    top_level(walk, root);
    let top = Fields::new(walk, root, Place::Top);
    let (title, asks) = (top.text("title"), top.text("asks"));
    let (reported, source) = (top.text("reported"), top.text("source"));
    let mut run = run::run(walk, root.get("run").map(|entry| &entry.node));
    let hosts = family(walk, root, "host");
    let destinations = family(walk, root, "destination");
    let clients = family(walk, root, "client");
    let world = world(walk, &run, hosts, destinations, clients);
    run.settle(walk, world.as_ref());
    let expectations = expectations(walk, root, hosts, clients);
    if let Some(world) = &world {
        let tables =
            checks::Tables { hosts, clients, stationary: run.stationary, told: walk.count() > 0 };
        checks::world(walk, world, &run.settings, tables);
    }
    Whole { title, asks, reported, source, world, settings: run.settings, expectations }
}

/// Reports what is at the top and should not be.
fn top_level(walk: &Walk, root: &Table) {
    let known = keys::names(Place::Top);
    for entry in root.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        walk.unknown_key(entry, "the scenario", &known);
    }
}

/// The named tables below `key`: `[host.a]`, `[host.b]`.
fn family<'a>(walk: &Walk, root: &'a Table, key: &str) -> &'a [Entry] {
    let Some(entry) = root.get(key) else { return &[] };
    let help = format!("write a line [{key}.NAME] with a name of your choice");
    let Some(table) = entry.node.as_table() else {
        walk.wrong_kind(&entry.node, &format!("[{key}]"), "a table", &help);
        return &[];
    };
    // `[host]` with `ports = ...` below it lacks a name: one message, not one for each key.
    if let Some(first) = table.entries.iter().find(|entry| entry.node.as_table().is_none())
        && keys::family(key).is_some_and(|place| keys::find(place, &first.key).is_some())
    {
        let problem = Problem::at(entry.node.at, format!("[{key}] needs a name"))
            .label(format!("which {key}?"))
            .help(help);
        walk.report(problem.depends());
        return &[];
    }
    for named in &table.entries {
        check_name(walk, named, key);
    }
    &table.entries
}

/// Names go into tables, CSV and file names: a control character in one helps nobody.
fn check_name(walk: &Walk, entry: &Entry, what: &str) {
    let name = &entry.key;
    let reason = if name.trim().is_empty() {
        "is empty"
    } else if name.chars().any(char::is_control) {
        "holds a control character"
    } else if name.chars().count() > 100 {
        "is longer than 100 characters"
    } else {
        return;
    };
    let problem = Problem::at(entry.key_at, format!("the name of this {what} {reason}"))
        .label("not a good name")
        .help(format!("give it a plain name: [{what}.crawler]"));
    walk.report(problem);
}

fn world(
    walk: &Walk,
    run: &Run,
    hosts: &[Entry],
    destinations: &[Entry],
    clients: &[Entry],
) -> Option<World> {
    let mut made_hosts: Vec<Option<ReadHost>> =
        hosts.iter().map(|entry| host::host(walk, entry)).collect();
    let mut made_destinations: Vec<Option<Destination>> =
        destinations.iter().map(|entry| destination::destination(walk, entry)).collect();
    let mut host_names = names(hosts);
    let mut destination_names = names(destinations);
    if hosts.is_empty() {
        host_names.push("host");
        made_hosts.push(host::implicit(walk, "host"));
    }
    if destinations.is_empty() {
        destination_names.push("destination");
        made_destinations.push(destination::implicit(walk, "destination"));
    }
    let around = Around {
        hosts: &host_names,
        made_hosts: &made_hosts,
        destinations: &destination_names,
        made_destinations: &made_destinations,
        implicit: [hosts.is_empty(), destinations.is_empty()],
        stationary: run.stationary,
    };
    if clients.is_empty() {
        let problem = Problem::nowhere("this scenario has no client, so nothing connects");
        walk.report(problem.help(SMALLEST).depends());
        return None;
    }
    let read: Vec<ReadClient> =
        clients.iter().map(|entry| client::client(walk, entry, &around)).collect();
    let mut used_hosts = vec![false; made_hosts.len()];
    let mut used = vec![false; made_destinations.len()];
    for client in &read {
        client.host.into_iter().for_each(|index| used_hosts[index] = true);
        client.named.iter().for_each(|&index| used[index] = true);
    }
    // What refers to nothing known may have meant the host that now looks idle.
    if read.iter().all(|client| client.host.is_some() && !client.named.is_empty()) {
        warn_of_unused(walk, hosts, "host", "no client runs on it", &used_hosts);
        warn_of_unused(walk, destinations, "destination", "no client connects to it", &used);
    }
    assemble(made_hosts, made_destinations, read, &used_hosts, &used)
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

fn warn_of_unused(walk: &Walk, entries: &[Entry], what: &str, reason: &str, used: &[bool]) {
    for (entry, _) in entries.iter().zip(used).filter(|(_, used)| !**used) {
        let message = format!("{what} `{}` is left out: {reason}", shown(&entry.key));
        walk.warn(Problem::at(place(entry), message).label("not used"));
    }
}

/// A whole header where there is one, else the key.
fn place(entry: &Entry) -> Span {
    if entry.node.as_table().is_some() { entry.node.at } else { entry.key_at }
}

/// Puts clients onto their hosts; hosts and destinations that nobody uses are left out, so that no
/// figure counts their ports as capacity.
fn assemble(
    hosts: Vec<Option<ReadHost>>,
    destinations: Vec<Option<Destination>>,
    clients: Vec<ReadClient>,
    kept_hosts: &[bool],
    kept: &[bool],
) -> Option<World> {
    let mut hosts =
        hosts.into_iter().map(|read| Some(read?.host)).collect::<Option<Vec<Host>>>()?;
    let destinations = destinations.into_iter().collect::<Option<Vec<Destination>>>()?;
    // The new number of each destination once those that nobody uses are gone.
    let numbers: Vec<usize> = kept
        .iter()
        .scan(0, |next, &kept| {
            let number = *next;
            *next += usize::from(kept);
            Some(number)
        })
        .collect();
    for read in clients {
        let mut client = read.client?;
        for target in &mut client.targets {
            target.destination = numbers[target.destination];
        }
        hosts[read.host?].clients.push(client);
    }
    Some(World { hosts: keep(hosts, kept_hosts), destinations: keep(destinations, kept) })
}

fn keep<T>(items: Vec<T>, kept: &[bool]) -> Vec<T> {
    items.into_iter().zip(kept).filter_map(|(item, &kept)| kept.then_some(item)).collect()
}

fn expectations(walk: &Walk, root: &Table, hosts: &[Entry], clients: &[Entry]) -> Vec<Expectation> {
    let Some(entry) = root.get("expect") else { return Vec::new() };
    let host_names = if hosts.is_empty() { vec!["host"] } else { names(hosts) };
    let known = Known { clients: &names(clients), hosts: &host_names };
    expect::expectations(walk, &entry.node, &known)
}
