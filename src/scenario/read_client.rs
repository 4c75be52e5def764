//! `[client.NAME]`: what opens connections, from where, to where, when and for how long.

use super::problem::Problem;
use super::read_arrivals::{Demand, demand};
use super::read_distribution::distribution;
use super::read_host::ReadHost;
use super::read_shares::{closes, weights};
use super::read_socket::Socket;
use super::read_trace::{Record, Way, record};
use super::source::Span;
use super::stationary::Start;
use super::suggest::{instead, listed, shown};
use super::tree::{Entry, Node, Table, Value};
use super::walk::Walk;
use crate::model::{
    Arrivals, Binds, Client, Destination, Distribution, Ending, SocketOptions, Target,
};
use crate::units::SimDuration;

/// The keys of `[client.NAME]`.
pub(super) const KEYS: [&str; 11] = [
    "on",
    "to",
    "arrivals",
    "lifetime",
    "closes",
    "second_fin_after",
    "binds",
    "reuse_address",
    "reuse_port",
    "port_range",
    "address",
];

/// What a client can refer to.
#[derive(Debug)]
pub(super) struct Around<'a> {
    /// Names of the hosts; never empty.
    pub hosts: &'a [&'a str],
    /// The hosts themselves, where they could be read.
    pub made_hosts: &'a [Option<ReadHost>],
    /// Names of the destinations; never empty.
    pub destinations: &'a [&'a str],
    /// The destinations themselves, where they could be read.
    pub made_destinations: &'a [Option<Destination>],
    /// Does the file leave its hosts, and its destinations, to the defaults?
    pub implicit: [bool; 2],
    /// Where it says that the run starts in the steady state, if it does.
    pub stationary: Option<Span>,
}

/// A client and the number of the host it runs on. Either may be missing where it was wrong.
#[derive(Debug)]
pub(super) struct ReadClient {
    pub host: Option<usize>,
    /// Numbers of the destinations it names, even where something else was wrong.
    pub named: Vec<usize>,
    pub client: Option<Client>,
}

/// The fields of a client, each of which may have been wrong.
#[derive(Debug)]
pub(super) struct Parts {
    pub targets: Option<Vec<Target>>,
    pub arrivals: Option<Arrivals>,
    pub lifetime: Option<Distribution>,
    pub closes: Option<Vec<(Ending, f64)>>,
    pub second_fin: Option<Distribution>,
    pub socket: Option<(Binds, SocketOptions)>,
}

impl Parts {
    fn together(self, name: &str) -> Option<Client> {
        let (binds, socket) = self.socket?;
        Some(Client {
            name: name.to_owned(),
            targets: self.targets?,
            arrivals: self.arrivals?,
            lifetime: self.lifetime?,
            closes: self.closes?,
            second_fin: self.second_fin?,
            binds,
            socket,
        })
    }
}

/// Reads the client of one entry of `[client]`.
pub(super) fn client(walk: &Walk, entry: &Entry, around: &Around<'_>) -> ReadClient {
    let name = format!("[client.{}]", shown(&entry.key));
    let help = format!("write a line {name} and its keys below it");
    let Some(table) = walk.table(&entry.node, &name, &KEYS, &help) else {
        return ReadClient { host: None, named: Vec::new(), client: None };
    };
    let reader = Reader { walk, entry, table, around };
    let host = reader.host();
    let demand = reader.demand();
    let targets = reader.targets(matches!(demand, Some(Demand::Recorded(_))));
    let named = |targets: &Option<Vec<Target>>| -> Vec<usize> {
        targets.iter().flatten().map(|target| target.destination).collect()
    };
    let meant = named(&targets);
    let made = host.and_then(|host| around.made_hosts[host].as_ref());
    let parts = reader.parts(demand, targets, made);
    let named = if parts.targets.is_some() { named(&parts.targets) } else { meant };
    if let Some(asked) = around.stationary {
        let host = made.map(|made| &made.host);
        let (at, destinations) = (entry.node.at, around.made_destinations);
        Start { walk, asked, table, at, host, destinations }.check(&parts);
    }
    ReadClient { host, named, client: parts.together(&entry.key) }
}

struct Reader<'a> {
    walk: &'a Walk,
    entry: &'a Entry,
    table: &'a Table,
    around: &'a Around<'a>,
}

impl<'a> Reader<'a> {
    fn find(&self, key: &str) -> Option<&'a Node> {
        self.table.get(key).map(|entry| &entry.node)
    }

    fn demand(&self) -> Option<Demand<'a>> {
        let example = "arrivals = { process = \"poisson\", rate = \"600 / s\" }";
        demand(self.walk, self.need("arrivals", example)?)
    }

    /// Reads every field before any failure counts, so that all mistakes are reported.
    fn parts(
        &self,
        demand: Option<Demand<'_>>,
        targets: Option<Vec<Target>>,
        host: Option<&ReadHost>,
    ) -> Parts {
        let walk = self.walk;
        let second_fin = match self.find("second_fin_after") {
            Some(node) => distribution(walk, node, "second_fin_after"),
            None => Some(Distribution::Constant(SimDuration::ZERO)),
        };
        let socket = Socket { walk, table: self.table, host }.read();
        let lacking =
            Parts { targets, arrivals: None, lifetime: None, closes: None, second_fin, socket };
        match demand {
            Some(Demand::Recorded(file)) => self.recorded(file, lacking, host),
            Some(Demand::Drawn(arrivals)) => Parts {
                arrivals: Some(arrivals),
                lifetime: self.lifetime(),
                closes: self.closes(),
                ..lacking
            },
            None => Parts { lifetime: self.lifetime(), closes: self.closes(), ..lacking },
        }
    }

    fn lifetime(&self) -> Option<Distribution> {
        let example = "lifetime = { distribution = \"exponential\", mean = \"200 ms\" }";
        distribution(self.walk, self.need("lifetime", example)?, "lifetime")
    }

    fn closes(&self) -> Option<Vec<(Ending, f64)>> {
        match self.find("closes") {
            Some(node) => closes(self.walk, node),
            None => Some(vec![(Ending::Client, 1.0)]),
        }
    }

    /// The fields of a client whose attempts are in `file`: what is recorded there is its own law too.
    fn recorded(&self, file: Option<&Node>, lacking: Parts, host: Option<&ReadHost>) -> Parts {
        let ways = lacking.targets.as_ref().and_then(|targets| self.ways(targets));
        let record = ways.zip(file).and_then(|(ways, file)| {
            let record = record(self.walk, file, &ways, host.map(|host| host.host.addresses))?;
            Some((file, record))
        });
        let Some((file, mut record)) = record else {
            // Whether the record would have had the rest is not known.
            let lifetime = self.find("lifetime").and_then(|_| self.lifetime());
            return Parts { lifetime, closes: self.closes(), ..lacking };
        };
        let targets = lacking.targets.and_then(|targets| self.visited(targets, &mut record));
        let lifetime = match record.lifetimes() {
            Some(law) => self.only_once(file, "lifetime", "lifetime").then_some(law),
            None => self.lifetime(),
        };
        let closes = match record.endings() {
            Some(law) => self.only_once(file, "closes", "close").then_some(law),
            None => self.closes(),
        };
        if record.has_sources() {
            self.only_once(file, "address", "address");
        }
        let arrivals = Some(Arrivals::Trace(record.attempts.into()));
        Parts { targets, arrivals, lifetime, closes, ..lacking }
    }

    /// The destinations that a record can name; `None` where one of them could not be read.
    fn ways(&self, targets: &[Target]) -> Option<Vec<Way<'a>>> {
        let made = self.around.made_destinations;
        targets.iter().map(|target| Some(Way::to(made[target.destination].as_ref()?))).collect()
    }

    /// The targets with their weights as recorded; without those that no attempt went to.
    fn visited(&self, targets: Vec<Target>, record: &mut Record) -> Option<Vec<Target>> {
        let Some(counts) = record.visits() else {
            if self.find("to").is_none() && targets.len() > 1 {
                self.report_no_target();
                return None;
            }
            return Some(targets);
        };
        if let Some(to) = self.find("to").filter(|to| to.as_table().is_some()) {
            let file = self.find("arrivals").map_or(to.at, |node| node.at);
            let problem = Problem::at(to.at, "the record says where each attempt goes")
                .label("shares that would not count")
                .context(file, "its column `destination`")
                .help("take `to` out: the record then names any destination of the file");
            self.walk.report(problem);
            return None;
        }
        let weighted =
            |(target, count): (&Target, &u64)| Target { weight: *count as f64, ..*target };
        let visited =
            targets.iter().zip(&counts).filter(|(_, count)| **count > 0).map(weighted).collect();
        record.renumber(&counts);
        Some(visited)
    }

    /// Is `key` given in the record alone?
    fn only_once(&self, file: &Node, key: &str, column: &str) -> bool {
        let Some(entry) = self.table.get(key) else { return true };
        let message = format!("`{key}` is given twice: the record has a column `{column}`");
        let problem = Problem::at(entry.key_at, message)
            .label("this one is too much")
            .context(file.at, "the record")
            .help(format!("take `{key}` out, or the column out of the file"));
        self.walk.report(problem);
        false
    }

    /// The value of `key`, whose absence is reported.
    fn need(&self, key: &str, example: &str) -> Option<&'a Node> {
        let found = self.find(key);
        if found.is_none() && !self.walk.mistyped(self.table, key, &[], &KEYS) {
            let owner = format!("client `{}`", shown(&self.entry.key));
            self.walk.missing(self.entry.node.at, &owner, key, &format!("for example {example}"));
        }
        found
    }

    fn host(&self) -> Option<usize> {
        let hosts = self.around.hosts;
        let Some(node) = self.find("on") else {
            if hosts.len() == 1 {
                return Some(0);
            }
            let owner = format!("client `{}`", shown(&self.entry.key));
            let help = format!("say which host it runs on: {}", listed(hosts));
            self.walk.missing(self.entry.node.at, &owner, "on", &help);
            return None;
        };
        let name =
            self.walk.text(node, "on", "the name of a host, for example on = \"crawler\"")?;
        self.lookup(node.at, &name, "host", hosts)
    }

    fn lookup(&self, at: Span, name: &str, what: &str, names: &[&str]) -> Option<usize> {
        let found = names.iter().position(|known| *known == name);
        if found.is_none() {
            let [no_host, no_destination] = self.around.implicit;
            let none = if what == "host" { no_host } else { no_destination };
            let key = if what == "host" { "on" } else { "to" };
            let help = if none {
                let name = shown(name);
                format!("write a line [{what}.{name}], or leave `{key}` out for the usual {what}")
            } else {
                instead(name, names, what)
            };
            let problem = Problem::at(at, format!("there is no {what} `{}`", shown(name)))
                .label(format!("no [{what}.{}] in this file", shown(name)))
                .help(help);
            self.walk.report(problem.depends());
        }
        found
    }

    /// Where it connects to; to all destinations alike, where `all` and nothing else is said.
    fn targets(&self, all: bool) -> Option<Vec<Target>> {
        let names = self.around.destinations;
        let Some(node) = self.find("to") else {
            if names.len() == 1 || all {
                let each = |destination| Target { destination, weight: 1.0 };
                return Some((0..names.len()).map(each).collect());
            }
            self.report_no_target();
            return None;
        };
        let Value::Table(table) = &node.value else {
            let help = "to = \"api\", or shares: to = { api = 0.7, cdn = 0.3 }";
            let name = self.walk.text(node, "to", help)?;
            let destination = self.lookup(node.at, &name, "destination", names)?;
            return Some(vec![Target { destination, weight: 1.0 }]);
        };
        let weights = weights(self.walk, node, table, "to", |entry| {
            self.lookup(entry.key_at, &entry.key, "destination", names)
        })?;
        let target = |(destination, weight)| Target { destination, weight };
        Some(weights.into_iter().map(target).collect())
    }

    fn report_no_target(&self) {
        let owner = format!("client `{}`", shown(&self.entry.key));
        let help = format!("say where it connects to: {}", listed(self.around.destinations));
        self.walk.missing(self.entry.node.at, &owner, "to", &help);
    }
}
