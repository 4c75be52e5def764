//! The whole file: its tables read in an order in which each can refer to those before it.

use super::changes::{self, Later, out_of_kind};
use super::checks;
use super::client::{self, Around, ReadClient};
use super::destination;
use super::expect::{self, Known};
use super::fields::Fields;
use super::gateway::{self, Paths};
use super::host::{self, ReadHost};
use super::run;
use crate::model::{Change, Destination, Host, RunSettings, World};
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
    pub prevented: Option<String>,
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
    let prevented = top.text("prevented");
    let mut run = run::run(walk, root.get("run").map(|entry| &entry.node));
    let tables = Families::of(walk, root);
    let parts = read_parts(walk, run.stationary, &tables);
    // As it is at the start; what only a change brings in is not known yet.
    let first = parts.as_ref().and_then(|parts| parts.assemble(&parts.used));
    run.settle(walk, first.as_ref());
    let expectations = expectations(walk, root, &tables);
    let sound = walk.count() == 0;
    let later = if sound { changes::later(walk, root, run.settings.duration) } else { Vec::new() };
    let world = match (parts, &later[..]) {
        (Some(parts), []) => {
            parts.warn_of_unused(walk, &parts.used, &tables);
            first
        }
        (Some(parts), later) => changing(walk, parts, &tables, later),
        (None, _) => None,
    };
    if let Some(world) = &world {
        let told = !sound || walk.count() > 0;
        let Families { hosts, clients, gateways, .. } = tables;
        let tables = checks::Tables { hosts, clients, gateways, stationary: run.stationary, told };
        checks::world(walk, world, &run.settings, tables);
    }
    let settings = run.settings;
    Whole { title, asks, reported, prevented, source, world, settings, expectations }
}

/// The world of `parts` and what it becomes; that a start is stationary asks nothing of what comes after.
fn changing(walk: &Walk, parts: Parts, tables: &Families<'_>, later: &[Later]) -> Option<World> {
    let before = walk.count();
    let after: Vec<Parts> = later
        .iter()
        .filter_map(|later| read_parts(walk, None, &Families::of(walk, &later.root)))
        .collect();
    if walk.count() > before || after.len() < later.len() {
        return None;
    }
    let used = after.iter().fold(parts.used.clone(), |used, part| used.or(&part.used));
    parts.warn_of_unused(walk, &used, tables);
    let mut world = parts.assemble(&used)?;
    for (later, parts) in later.iter().zip(after) {
        let next = parts.assemble(&used)?;
        if let Some(why) = out_of_kind(&world, &next) {
            walk.report(Problem::at(later.span, why).label("with this change"));
            return None;
        }
        world.changes.push(Change { at: later.at, what: later.what.clone(), world: next });
    }
    Some(world)
}

/// The named tables of the file.
#[derive(Clone, Copy)]
struct Families<'a> {
    hosts: &'a [Entry],
    destinations: &'a [Entry],
    clients: &'a [Entry],
    gateways: &'a [Entry],
}

impl<'a> Families<'a> {
    fn of(walk: &Walk, root: &'a Table) -> Self {
        Self {
            hosts: family(walk, root, "host"),
            destinations: family(walk, root, "destination"),
            clients: family(walk, root, "client"),
            gateways: family(walk, root, "gateway"),
        }
    }
}

/// What was read of all tables.
struct Parts {
    hosts: Vec<Option<ReadHost>>,
    destinations: Vec<Option<Destination>>,
    clients: Vec<ReadClient>,
    paths: Paths,
    used: Used,
}

/// Which hosts and destinations some client uses.
#[derive(Clone, Debug)]
struct Used {
    hosts: Vec<bool>,
    destinations: Vec<bool>,
}

impl Used {
    /// What either uses.
    fn or(self, other: &Self) -> Self {
        let either = |a: Vec<bool>, b: &[bool]| a.iter().zip(b).map(|(a, b)| *a || *b).collect();
        Self {
            hosts: either(self.hosts, &other.hosts),
            destinations: either(self.destinations, &other.destinations),
        }
    }
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

fn read_parts(walk: &Walk, stationary: Option<Span>, tables: &Families<'_>) -> Option<Parts> {
    let &Families { hosts, destinations, clients, gateways } = tables;
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
    let paths = gateway::paths(walk, gateways, &host_names);
    let around = Around {
        hosts: &host_names,
        made_hosts: &made_hosts,
        destinations: &destination_names,
        made_destinations: &made_destinations,
        implicit: [hosts.is_empty(), destinations.is_empty()],
        stationary,
    };
    if clients.is_empty() {
        let problem = Problem::nowhere("this scenario has no client, so nothing connects");
        walk.report(problem.help(SMALLEST).depends());
        return None;
    }
    let read: Vec<ReadClient> =
        clients.iter().map(|entry| client::client(walk, entry, &around)).collect();
    let mut used = Used {
        hosts: vec![false; made_hosts.len()],
        destinations: vec![false; made_destinations.len()],
    };
    for client in &read {
        client.host.into_iter().for_each(|index| used.hosts[index] = true);
        client.named.iter().for_each(|&index| used.destinations[index] = true);
    }
    let paths = paths?;
    Some(Parts { hosts: made_hosts, destinations: made_destinations, clients: read, paths, used })
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

impl Parts {
    /// Warns of hosts and destinations that are not `used`.
    fn warn_of_unused(&self, walk: &Walk, used: &Used, tables: &Families<'_>) {
        // What refers to nothing known may have meant the host that now looks idle.
        if self.clients.iter().all(|client| client.host.is_some() && !client.named.is_empty()) {
            let Families { hosts, destinations, .. } = tables;
            warn_of_unused(walk, hosts, "host", "no client runs on it", &used.hosts);
            let reason = "no client connects to it";
            warn_of_unused(walk, destinations, "destination", reason, &used.destinations);
        }
    }

    /// Puts clients onto their hosts; hosts and destinations that are not `used` are left out, so that no
    /// figure counts their ports as capacity.
    fn assemble(&self, used: &Used) -> Option<World> {
        let hosts = self.hosts.iter().map(|read| Some(read.as_ref()?.host.clone()));
        let mut hosts = hosts.collect::<Option<Vec<Host>>>()?;
        let destinations = self.destinations.iter().cloned();
        let destinations = destinations.collect::<Option<Vec<Destination>>>()?;
        // The new number of each destination once those that nobody uses are gone.
        let numbers: Vec<usize> = used
            .destinations
            .iter()
            .scan(0, |next, &kept| {
                let number = *next;
                *next += usize::from(kept);
                Some(number)
            })
            .collect();
        for (host, gateway) in hosts.iter_mut().zip(&self.paths.of_hosts) {
            host.gateway = *gateway;
        }
        for read in &self.clients {
            let mut client = read.client.clone()?;
            for target in &mut client.targets {
                target.destination = numbers[target.destination];
            }
            hosts[read.host?].clients.push(client);
        }
        let (hosts, destinations) =
            (keep(hosts, &used.hosts), keep(destinations, &used.destinations));
        let gateways = self.paths.gateways.clone();
        Some(World { hosts, destinations, gateways, changes: Vec::new() })
    }
}

fn keep<T>(items: Vec<T>, kept: &[bool]) -> Vec<T> {
    items.into_iter().zip(kept).filter_map(|(item, &kept)| kept.then_some(item)).collect()
}

fn expectations(walk: &Walk, root: &Table, tables: &Families<'_>) -> Vec<Expectation> {
    let &Families { hosts, clients, gateways, .. } = tables;
    let Some(entry) = root.get("expect") else { return Vec::new() };
    let host_names = if hosts.is_empty() { vec!["host"] } else { names(hosts) };
    let known = Known { clients: &names(clients), hosts: &host_names, gateways: &names(gateways) };
    expect::expectations(walk, &entry.node, &known)
}
