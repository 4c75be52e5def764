//! `[client.NAME]`: what opens connections, from where, to where, when and for how long.

use super::arrivals::{Demand, demand};
use super::distribution::law;
use super::fields::Fields;
use super::host::ReadHost;
use super::parts::Parts;
use super::pool::{ReadPool, pool};
use super::retries::retries;
use super::shares::{closes, weights};
use super::socket::Socket;
use super::stationary::Start;
use super::trace::{Record, record};
use super::trace_lines::Way;
use crate::model::{Arrivals, Client, Destination, Distribution, Ending, Target};
use crate::scenario::keys::Place;
use crate::scenario::text::problem::Problem;
use crate::scenario::text::source::Span;
use crate::scenario::text::suggest::{instead, listed, shown};
use crate::scenario::text::tree::{Entry, Node, Value};
use crate::scenario::text::walk::Walk;

/// What a client can refer to.
#[derive(Debug)]
pub(crate) struct Around<'a> {
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
pub(crate) struct ReadClient {
    pub host: Option<usize>,
    /// Numbers of the destinations it names, even where something else was wrong.
    pub named: Vec<usize>,
    pub client: Option<Client>,
}

/// Reads the client of one entry of `[client]`.
pub(crate) fn client(walk: &Walk, entry: &Entry, around: &Around<'_>) -> ReadClient {
    let name = format!("[client.{}]", shown(&entry.key));
    let help = format!("write a line {name} and its keys below it");
    let Some(fields) = Fields::open(walk, &entry.node, Place::Client, &name, &help) else {
        return ReadClient { host: None, named: Vec::new(), client: None };
    };
    let reader = Reader { walk, entry, fields, around };
    let host = reader.host();
    let demand = reader.demand();
    let recorded = matches!(demand, Some(Demand::Recorded(_) | Demand::RecordedLoop(..)));
    let targets = reader.targets(recorded);
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
        Start { fields, asked, at, host, destinations }.check(&parts);
    }
    ReadClient { host, named, client: parts.together(&entry.key) }
}

struct Reader<'a> {
    walk: &'a Walk,
    entry: &'a Entry,
    fields: Fields<'a>,
    around: &'a Around<'a>,
}

impl<'a> Reader<'a> {
    fn find(&self, key: &str) -> Option<&'a Node> {
        self.fields.find(key)
    }

    fn demand(&self) -> Option<Demand<'a>> {
        self.report_misfits();
        let key = if self.asks() { "requests" } else { "arrivals" };
        let demand = demand(self.walk, self.need(key)?, key)?;
        if let Demand::RecordedLoop(..) = demand
            && !self.asks()
        {
            let at = self.need(key)?.at;
            let problem = Problem::at(at, "\"trace-loop\" is for requests")
                .label("attempts have no workers that wait for an answer")
                .help("write requests = { process = \"trace-loop\", ... } and a `pool`");
            self.walk.report(problem);
            return None;
        }
        Some(demand)
    }

    /// Does it make requests over connections that are kept?
    fn asks(&self) -> bool {
        self.find("requests").is_some()
    }

    /// Says which keys belong to the other kind of client.
    fn report_misfits(&self) {
        let Some(requests) = self.find("requests") else {
            for key in ["pool", "service"] {
                if let Some(entry) = self.fields.entry(key) {
                    let message = format!("`{key}` is for a client that makes requests");
                    let problem = Problem::at(entry.key_at, message)
                        .label("this one has no `requests`")
                        .help("write `requests` instead of `arrivals`, and `service` instead of `lifetime`");
                    self.walk.report(problem);
                }
            }
            return;
        };
        for (key, instead) in [("arrivals", "requests"), ("lifetime", "service")] {
            if let Some(entry) = self.fields.entry(key) {
                let message = format!("a client that makes requests has no `{key}`");
                let problem = Problem::at(entry.key_at, message)
                    .label(format!("`{instead}` says it"))
                    .context(requests.at, "its requests")
                    .help(format!("take `{key}` out"));
                self.walk.report(problem);
            }
        }
    }

    fn pool(&self) -> Option<Option<ReadPool>> {
        if !self.asks() {
            return Some(None);
        }
        let help = "for example pool = \"go\", or pool = { max_idle = 10 }; `portsim presets` lists those of clients and \
                    proxies";
        let owner = format!("client `{}`", shown(&self.entry.key));
        let node = self.fields.need_as("pool", self.entry.node.at, &owner, help)?;
        pool(self.walk, node).map(Some)
    }

    /// Reads every field before any failure counts, so that all mistakes are reported.
    fn parts(
        &self,
        demand: Option<Demand<'_>>,
        targets: Option<Vec<Target>>,
        host: Option<&ReadHost>,
    ) -> Parts {
        let second_fin = law(&self.fields, "second_fin_after");
        let socket = Socket { fields: self.fields, host }.read();
        let read = self.pool();
        let usual = match &read {
            Some(Some(pool)) => Some(pool.closes),
            _ => None,
        };
        let pool = read.map(|read| read.map(|read| read.keeps));
        let (arrivals, lifetime, closes) = (None, None, None);
        let retries = self.fields.maybe("retries", |node| retries(self.walk, node));
        let lacking =
            Parts { targets, arrivals, lifetime, closes, second_fin, socket, pool, retries };
        let mut parts = self.with_demand(demand, lacking, host);
        if let Some(ending) = usual.filter(|_| self.find("closes").is_none()) {
            parts.closes = parts.closes.map(|_| vec![(ending, 1.0)]);
        }
        parts
    }

    fn with_demand(
        &self,
        demand: Option<Demand<'_>>,
        lacking: Parts,
        host: Option<&ReadHost>,
    ) -> Parts {
        match demand {
            Some(Demand::Recorded(file)) => self.recorded(file, None, lacking, host),
            Some(Demand::RecordedLoop(file, workers)) => {
                self.recorded(file, Some(workers), lacking, host)
            }
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
        let key = if self.asks() { "service" } else { "lifetime" };
        self.need(key)?;
        law(&self.fields, key)
    }

    fn closes(&self) -> Option<Vec<(Ending, f64)>> {
        closes(self.walk, self.fields.value("closes")?)
    }

    /// The fields of a client whose attempts are in `file`: what is recorded there is its own law too.
    ///
    /// In a loop `workers` make them; `None` in it where that was wrong.
    fn recorded(
        &self,
        file: Option<&Node>,
        workers: Option<Option<u32>>,
        lacking: Parts,
        host: Option<&ReadHost>,
    ) -> Parts {
        let key = if self.asks() { "service" } else { "lifetime" };
        let ways = lacking.targets.as_ref().and_then(|targets| self.ways(targets));
        let record = ways.zip(file).and_then(|(ways, file)| {
            let addresses = host.map(|host| host.host.addresses);
            let record = record(self.walk, file, &ways, addresses, workers.is_some())?;
            Some((file, record))
        });
        let Some((file, mut record)) = record else {
            // Whether the record would have had the rest is not known.
            let lifetime = self.find(key).and_then(|_| self.lifetime());
            return Parts { lifetime, closes: self.closes(), ..lacking };
        };
        let targets = lacking.targets.and_then(|targets| self.visited(targets, &mut record));
        let lifetime = match record.lifetimes() {
            Some(law) => self.only_once(file, key, key).then_some(law),
            None => self.lifetime(),
        };
        let closes = match record.endings() {
            Some(law) => self.only_once(file, "closes", "close").then_some(law),
            None => self.closes(),
        };
        if record.has_sources() {
            self.only_once(file, "address", "address");
        }
        let requests = record.attempts.into();
        let arrivals = match workers {
            None => Some(Arrivals::Trace(requests)),
            Some(workers) => workers.map(|workers| {
                let thinks = record.thinks.into();
                Arrivals::RecordedLoop { workers, requests, thinks }
            }),
        };
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
            let demand = self.find("arrivals").or_else(|| self.find("requests"));
            let file = demand.map_or(to.at, |node| node.at);
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
        let Some(entry) = self.fields.entry(key) else { return true };
        let message = format!("`{key}` is given twice: the record has a column `{column}`");
        let problem = Problem::at(entry.key_at, message)
            .label("this one is too much")
            .context(file.at, "the record")
            .help(format!("take `{key}` out, or the column out of the file"));
        self.walk.report(problem);
        false
    }

    /// The value of `key`, whose absence is reported.
    fn need(&self, key: &str) -> Option<&'a Node> {
        let owner = format!("client `{}`", shown(&self.entry.key));
        self.fields.need(key, self.entry.node.at, &owner)
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
