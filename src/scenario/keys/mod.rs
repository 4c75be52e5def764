//! Every key that a scenario may hold, each declared once.
//!
//! A row says where a key stands, what it may be, what holds where it is left out, and what it is for. Reading,
//! `--set`, what is told of unknown and misplaced keys, `portsim schema`, completions and the tables of
//! `docs/scenario.md` walk these rows. A new key is a row here and its use in `read`.
//!
//! Not here: the figures of `[expect]`, which have a table of their own.

#![cfg_attr(not(feature = "report"), allow(dead_code, reason = "what only the schema tells"))]

mod client;
mod gateway;
mod host;
mod kinds;
mod pool;
mod retries;
mod tables;
mod words;

use std::ops::RangeInclusive;

use crate::platform::Linux;
use crate::units::SimDuration;

pub(crate) use kinds::{ARRIVALS, Kind, Kinds, LAWS};
pub(crate) use words::{
    ADDRESS_CHOICES, BINDS, COUNTS, ENDINGS, GATEWAY_KEYS, IDLE_CHECKS, NAT_EXHAUSTED,
    NAT_SELECTIONS, NOTICES, NatKeyWord, OVERFLOWS, PICKS, POOL_CLOSES, REUSE_KEYS, SELECTIONS,
    SHARE_GROWTHS, SPACINGS, STARTS, TAKES, ending,
};

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub name: &'static str,
    /// The table that it stands in.
    pub at: Place,
    pub is: Is,
    pub usual: Usual,
    pub on: System,
    /// Could it be another while a run goes on?
    pub changes: bool,
    /// What it is for, in a line.
    pub doc: &'static str,
    /// Where Linux does what it says: file and function; may be empty.
    pub source: &'static str,
    /// A value as one would write it.
    pub example: &'static str,
}

/// A table that holds keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Top,
    Run,
    Host,
    Destination,
    Client,
    Gateway,
    /// `timers = { ... }` of a gateway.
    NatTimers,
    /// `arrivals = { ... }`.
    Arrivals,
    /// `[[change]]`.
    Change,
    /// One of the rates of `arrivals = { process = "rates", ... }`.
    Rates,
    /// A law of durations: `lifetime = { ... }`.
    Law,
    /// `pool = { ... }`.
    Pool,
    /// `retries = { ... }`.
    Retries,
    /// `server = { ... }` of a host.
    Server,
    /// `search_cost = { ... }`.
    SearchCost,
    /// `binds = { ... }`.
    OwnPorts,
    /// What is expected of a figure: `{ min = ..., max = ... }`.
    Bounds,
}

/// What a value may be.
#[derive(Clone, Debug)]
pub(crate) enum Is {
    Text,
    /// The name of a file, from the directory of the scenario.
    File,
    Flag,
    /// A whole number within bounds.
    Whole(RangeInclusive<u64>),
    /// The same, or a word for no limit.
    WholeOr(RangeInclusive<u64>, &'static str),
    /// A number up to `most`; from `least`, or above it where that is not a value itself.
    Number {
        least: f64,
        above: bool,
        most: f64,
    },
    Share(RangeInclusive<f64>),
    Time,
    /// A time that is not zero.
    SomeTime,
    /// The same, or a word for none.
    SomeTimeOr(&'static str),
    /// A time, or a whole number of `unit`, as the sysctl has it.
    TimeIn {
        unit: SimDuration,
        bounds: RangeInclusive<SimDuration>,
    },
    Rate,
    /// One of a few words.
    Word(fn() -> Vec<&'static str>),
    /// The word that tells the kinds of a table apart.
    Tag(&'static Kinds),
    /// When attempts are made.
    Arrivals,
    /// A law of durations: a time, or a table.
    Law,
    /// Times in a list.
    Samples,
    /// Rates in a list, each with the time from which on it holds.
    Rates,
    /// A range of ports.
    Range,
    /// Ports and ranges of ports.
    Ports,
    /// Ports that something listens on, perhaps by address.
    Listeners,
    /// How a client comes by its ports: a word, or a table of those that it names.
    Binds,
    /// Words with their weights, or one.
    Shares(fn() -> Vec<&'static str>),
    /// The name of another table.
    Name,
    /// Such a name, or several with their weights.
    Names,
    /// A list of such names.
    NameList,
    Preset,
    /// How connections are kept: the name of a preset, or a table of keys.
    Pool,
    /// The name of such a preset.
    PoolPreset,
    /// The name of what a gateway is.
    GatewayPreset,
    /// Lines of a sysctl.conf.
    Sysctls,
    /// A table of the keys of this place.
    Table(Place),
    /// Tables of them, each with a name of its own.
    Family(Place),
    /// A list of tables of the keys of this place.
    Tables(Place),
    /// What must come out.
    Figures,
    /// A bound of a figure, in its unit.
    Bound,
}

/// What holds where a key is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usual {
    /// This value, as it would be written.
    Value(&'static str),
    /// What the preset says.
    Preset,
    /// What is said here in words.
    Is(&'static str),
    /// It may not be left out.
    Needed,
}

/// The systems that have a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Any,
    /// Linux, as a sysctl below `net.ipv4` of the same name.
    Sysctl,
    /// Linux.
    Linux,
    /// All but Linux.
    Others,
}

/// What most rows have.
const KEY: Key = Key {
    name: "",
    at: Place::Top,
    is: Is::Text,
    usual: Usual::Is("none"),
    on: System::Any,
    changes: false,
    doc: "",
    source: "",
    example: "",
};

/// All rows; those of one place stand together, in the order in which they are listed.
pub(crate) fn all() -> impl Iterator<Item = &'static Key> {
    tables::TOP
        .iter()
        .chain(host::KEYS)
        .chain(client::KEYS)
        .chain(gateway::KEYS)
        .chain(pool::KEYS)
        .chain(retries::KEYS)
        .chain(kinds::KEYS)
        .chain(tables::CHANGES)
        .chain(tables::SERVERS)
        .chain(tables::INLINE)
}

/// The rows of the keys that may stand at `place`.
pub(crate) fn of(place: Place) -> impl Iterator<Item = &'static Key> {
    all().filter(move |key| key.at == place)
}

/// Their names.
pub(crate) fn names(place: Place) -> Vec<&'static str> {
    of(place).map(|key| key.name).collect()
}

/// The row of the key `name` at `place`, if there is such a key.
pub(crate) fn find(place: Place, name: &str) -> Option<&'static Key> {
    of(place).find(|key| key.name == name)
}

/// The names of the sysctls that decide which ports are free.
pub(crate) fn sysctls() -> impl Iterator<Item = &'static str> {
    of(Place::Host).filter(|key| key.on == System::Sysctl).map(|key| key.name)
}

/// What people write that is not modelled yet: the names, what it is, and the nearest thing that is.
const NOT_MODELLED: &[(&[&str], &str, &str)] = &[
    (
        &["proxy", "load_balancer"],
        "proxies and load balancers are not modelled as such yet",
        "take these tables out; a proxy is a [host] whose clients are what it forwards, and what takes ports further \
         along the path is a [gateway]",
    ),
    (
        &["nf_conntrack_max", "conntrack_max"],
        "connection tracking is not modelled as a limit yet",
        "take it out: a full table refuses some that would find a port",
    ),
];

/// What `name` is that is not modelled yet, and the nearest thing that is.
pub(crate) fn not_modelled(name: &str) -> Option<(&'static str, &'static str)> {
    let found = NOT_MODELLED.iter().find(|(names, ..)| names.contains(&name));
    found.map(|&(_, what, nearest)| (what, nearest))
}

/// The one of `known` that `name` is another word for.
pub(crate) fn meant<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let other = match name {
        "duration" | "ttl" => "lifetime",
        "rate" | "rps" => "arrivals",
        "nat" | "snat" => "gateway",
        "range" | "port_range" => "ports",
        "keep_alive" | "keepalive" => "pool",
        "retry" => "retries",
        "max_attempts" | "tries" => "attempts",
        "delay" | "initial_backoff" => "backoff",
        "multiplier" => "factor",
        "max_delay" => "max_backoff",
        "max_idle_connections"
        | "max_idle_conns"
        | "max_idle_conns_per_host"
        | "maxfreesockets" => "max_idle",
        "max_conns" | "max_conns_per_host" | "maxsockets" => "max_connections",
        "idle_conn_timeout" | "keepalive_timeout" | "keep_alive_timeout" => "idle_timeout",
        "keepalive_requests" | "max_requests" => "requests_per_connection",
        _ => "",
    };
    let with_prefix =
        |key: &&&str| ["tcp_", "ip_"].iter().any(|p| key.strip_prefix(p) == Some(name));
    known.iter().find(|key| **key == other).or_else(|| known.iter().find(with_prefix)).copied()
}

/// The place of the tables `[NAME.x]`, if they are such.
pub(crate) fn family(name: &str) -> Option<Place> {
    match find(Place::Top, name)?.is {
        Is::Family(place) => Some(place),
        _ => None,
    }
}

/// Where a key is at home that was put into another table; `None` where it is unknown, or at home in
/// several.
pub(crate) fn home(name: &str) -> Option<&'static str> {
    // The first parts of the names of sysctls.
    if ["net", "vm"].contains(&name) {
        return Place::Host.home();
    }
    let mut homes = all().filter(|key| key.name == name && key.at.home().is_some());
    let key = homes.next()?;
    let is_table = matches!(key.is, Is::Table(_) | Is::Family(_) | Is::Figures);
    let alone = homes.next().is_none() && !(key.at == Place::Top && is_table);
    alone.then(|| key.at.home()).flatten()
}

impl Key {
    /// The first Linux that has this sysctl, where not all do that are known.
    pub fn since(&self) -> Option<Linux> {
        let first = Linux::first_with(self.name).filter(|_| self.on == System::Sysctl);
        first.filter(|first| *first > Linux::OLDEST)
    }
}

impl Place {
    /// Where that is, as one would say it; `None` for tables that belong to a single key.
    fn home(self) -> Option<&'static str> {
        Some(match self {
            Self::Top => "at the top of the file, before the first [table]",
            Self::Run => "in [run]",
            Self::Host => "in [host.NAME]",
            Self::Destination => "in [destination.NAME]",
            Self::Client => "in [client.NAME]",
            Self::Gateway => "in [gateway.NAME]",
            Self::NatTimers => "in a gateway's `timers = { ... }`",
            Self::Arrivals => "in a client's `arrivals = { ... }`",
            Self::Law => "in a `lifetime = { ... }` or `think = { ... }`",
            Self::Bounds => "in [expect]",
            Self::Pool => "in a client's `pool = { ... }`",
            Self::Retries => "in a client's `retries = { ... }`",
            Self::Server | Self::SearchCost | Self::OwnPorts | Self::Rates | Self::Change => {
                return None;
            }
        })
    }
}
