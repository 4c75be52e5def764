//! `[client.NAME]`: what opens connections, from where, to where, when and for how long.

use super::problem::Problem;
use super::read_arrivals::arrivals;
use super::read_distribution::{distribution, mean_s};
use super::source::Span;
use super::suggest::{instead, listed, shown};
use super::tree::{Entry, Node, Table, Value};
use super::walk::Walk;
use crate::model::{Arrivals, Binds, Client, Distribution, Ending, SocketOptions, Target};
use crate::units::SimDuration;

/// The keys of `[client.NAME]`.
pub(super) const KEYS: [&str; 6] = ["on", "to", "arrivals", "lifetime", "closes", "binds"];

const ENDINGS: [(&str, Ending); 4] = [
    ("client", Ending::Client),
    ("server", Ending::Server),
    ("reset", Ending::Reset),
    ("never", Ending::Never),
];

const BINDS: [(&str, Binds); 3] =
    [("connect", Binds::Connect), ("bind", Binds::Bind), ("bind-no-port", Binds::BindNoPort)];

/// What a client can refer to.
#[derive(Debug)]
pub(super) struct Around<'a> {
    /// Names of the hosts; never empty.
    pub hosts: &'a [&'a str],
    /// Names of the destinations; never empty.
    pub destinations: &'a [&'a str],
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

/// Reads the client of one entry of `[client]`.
pub(super) fn client(walk: &Walk, entry: &Entry, around: &Around<'_>) -> ReadClient {
    let name = format!("[client.{}]", shown(&entry.key));
    let help = format!("write a line {name} and its keys below it");
    let Some(table) = walk.table(&entry.node, &name, &KEYS, &help) else {
        return ReadClient { host: None, named: Vec::new(), client: None };
    };
    let reader = Reader { walk, entry, table, around };
    let host = reader.host();
    let targets = reader.targets();
    let named = targets.iter().flatten().map(|target| target.destination).collect();
    ReadClient { host, named, client: reader.client(targets) }
}

struct Reader<'a> {
    walk: &'a Walk,
    entry: &'a Entry,
    table: &'a Table,
    around: &'a Around<'a>,
}

impl Reader<'_> {
    fn find(&self, key: &str) -> Option<&Node> {
        self.table.get(key).map(|entry| &entry.node)
    }

    /// Reads every field before any failure counts, so that all mistakes are reported.
    fn client(&self, targets: Option<Vec<Target>>) -> Option<Client> {
        let arrivals = self
            .need("arrivals", "arrivals = { process = \"poisson\", rate = \"600 / s\" }")
            .and_then(|node| Some((node, arrivals(self.walk, node)?)));
        let lifetime = self
            .need("lifetime", "lifetime = { distribution = \"exponential\", mean = \"200 ms\" }")
            .and_then(|node| Some((node, distribution(self.walk, node, "lifetime")?)));
        let closes = match self.find("closes") {
            Some(node) => self.closes(node),
            None => Some(vec![(Ending::Client, 1.0)]),
        };
        let binds = match self.find("binds") {
            Some(node) => self.walk.choice(node, "binds", &BINDS),
            None => Some(Binds::Connect),
        };
        if let Some(start) = self.around.stationary {
            self.check_stationary(start, arrivals.as_ref(), lifetime.as_ref(), closes.as_deref());
        }
        Some(Client {
            name: self.entry.key.clone(),
            targets: targets?,
            arrivals: arrivals?.1,
            lifetime: lifetime?.1,
            closes: closes?,
            second_fin: Distribution::Constant(SimDuration::ZERO),
            binds: binds?,
            socket: SocketOptions::default(),
        })
    }

    /// The value of `key`, whose absence is reported.
    fn need(&self, key: &str, example: &str) -> Option<&Node> {
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

    fn targets(&self) -> Option<Vec<Target>> {
        let names = self.around.destinations;
        let Some(node) = self.find("to") else {
            if names.len() == 1 {
                return Some(vec![Target { destination: 0, weight: 1.0 }]);
            }
            let owner = format!("client `{}`", shown(&self.entry.key));
            let help = format!("say where it connects to: {}", listed(names));
            self.walk.missing(self.entry.node.at, &owner, "to", &help);
            return None;
        };
        let Value::Table(table) = &node.value else {
            let help = "to = \"api\", or shares: to = { api = 0.7, cdn = 0.3 }";
            let name = self.walk.text(node, "to", help)?;
            let destination = self.lookup(node.at, &name, "destination", names)?;
            return Some(vec![Target { destination, weight: 1.0 }]);
        };
        let weights = self.weights(node, table, "to", |entry| {
            self.lookup(entry.key_at, &entry.key, "destination", names)
        })?;
        Some(
            weights
                .into_iter()
                .map(|(destination, weight)| Target { destination, weight })
                .collect(),
        )
    }

    fn closes(&self, node: &Node) -> Option<Vec<(Ending, f64)>> {
        let Value::Table(table) = &node.value else {
            return Some(vec![(self.walk.choice(node, "closes", &ENDINGS)?, 1.0)]);
        };
        let names: Vec<&str> = ENDINGS.iter().map(|(name, _)| *name).collect();
        self.weights(node, table, "closes", |entry| {
            let found = ENDINGS.iter().find(|(name, _)| *name == entry.key);
            if found.is_none() {
                self.walk.unknown_key(entry, "closes", &names);
            }
            found.map(|(_, ending)| *ending)
        })
    }

    /// A table of weights above zero.
    fn weights<T>(
        &self,
        node: &Node,
        table: &Table,
        key: &str,
        mut of: impl FnMut(&Entry) -> Option<T>,
    ) -> Option<Vec<(T, f64)>> {
        if table.entries.is_empty() {
            let problem = Problem::at(node.at, format!("{key} names nothing"))
                .label("empty")
                .help(format!("leave {key} out for its default, or write weights into the table"));
            self.walk.report(problem);
            return None;
        }
        let pairs: Vec<Option<(T, f64)>> = table
            .entries
            .iter()
            .map(|entry| {
                let of = of(entry);
                let weight = self.weight(entry);
                Some((of?, weight?))
            })
            .collect();
        pairs.into_iter().collect()
    }

    fn weight(&self, entry: &Entry) -> Option<f64> {
        let name = shown(&entry.key);
        let weight = self.walk.share(&entry.node, &format!("the weight of {name}"))?;
        if weight > 0.0 {
            return Some(weight);
        }
        let problem =
            Problem::at(entry.node.at, format!("the weight of {name} must be above zero"))
                .label("zero")
                .help(format!("leave {name} out, or give it a share: {name} = 0.3"));
        self.walk.report(problem);
        None
    }

    /// A start in the steady state needs one that is known in advance.
    fn check_stationary(
        &self,
        start: Span,
        arrivals: Option<&(&Node, Arrivals)>,
        lifetime: Option<&(&Node, Distribution)>,
        closes: Option<&[(Ending, f64)]>,
    ) {
        let refuse = |at: Span, label: &str, reason: &str| {
            let problem = Problem::at(at, format!("a stationary start is not possible: {reason}"))
                .label(label)
                .context(start, "asked for here")
                .help("write start = \"empty\", with a warm_up if the start should not count");
            self.walk.report(problem);
        };
        if let Some((node, arrivals)) = arrivals
            && !matches!(arrivals, Arrivals::Poisson { .. })
        {
            let reason = "the steady state is only known for Poisson arrivals";
            refuse(node.at, "these are not Poisson", reason);
        }
        if let Some((node, lifetime)) = lifetime
            && mean_s(lifetime).is_infinite()
        {
            let reason = "lifetimes without a finite mean never settle";
            refuse(node.at, "its mean is infinite", reason);
        }
        if closes.is_some_and(|closes| closes.iter().any(|(ending, _)| *ending == Ending::Never)) {
            let at = self.find("closes").map_or(self.entry.node.at, |node| node.at);
            let reason = "connections that are never closed fill the range sooner or later";
            refuse(at, "never closed", reason);
        }
    }
}
