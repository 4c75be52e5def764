//! The keys at the top, of `[run]`, of `[destination.NAME]`, and of tables that belong to one key.

use super::words::{PICKS, STARTS, names};
use super::{Is, KEY, Key, Place, Usual};

const RUN: Key = Key { at: Place::Run, ..KEY };
const DESTINATION: Key = Key { at: Place::Destination, ..KEY };

pub(super) const TOP: &[Key] = &[
    Key {
        name: "title",
        usual: Usual::Is("the file's name"),
        doc: "one line that says what it is",
        example: "\"A crawler\"",
        ..KEY
    },
    Key {
        name: "asks",
        doc: "the question that it answers",
        example: "\"Do 600 connections a second fit?\"",
        ..KEY
    },
    Key {
        name: "reported",
        doc: "of an incident that really happened, what was reported; its number stands in `[expect]`",
        example: "\"28,232 distinct ports, mostly in TIME-WAIT\"",
        ..KEY
    },
    Key {
        name: "prevented",
        doc: "what would have prevented such an incident",
        example: "\"IP_BIND_ADDRESS_NO_PORT in place of bind\"",
        ..KEY
    },
    Key {
        name: "source",
        doc: "where that was reported",
        example: "\"https://github.com/istio/istio/issues/44008\"",
        ..KEY
    },
    Key {
        name: "run",
        is: Is::Table(Place::Run),
        doc: "for how long, from which start, how often",
        ..KEY
    },
    Key {
        name: "host",
        is: Is::Family(Place::Host),
        usual: Usual::Is("one machine with the preset `linux`"),
        doc: "a machine",
        ..KEY
    },
    Key {
        name: "destination",
        is: Is::Family(Place::Destination),
        usual: Usual::Is("one server"),
        doc: "what clients connect to",
        ..KEY
    },
    Key {
        name: "client",
        is: Is::Family(Place::Client),
        usual: Usual::Needed,
        doc: "what opens connections",
        ..KEY
    },
    Key {
        name: "gateway",
        is: Is::Family(Place::Gateway),
        doc: "what connections pass on their way, and where each needs a port too",
        ..KEY
    },
    Key {
        name: "change",
        is: Is::Tables(Place::Change),
        doc: "what becomes another in the middle of a run",
        ..KEY
    },
    Key { name: "expect", is: Is::Figures, doc: "what must come out", ..KEY },
    Key {
        name: "duration",
        is: Is::SomeTime,
        usual: Usual::Value("\"10 min\""),
        doc: "how long a run is; one of recorded attempts alone goes on until the last of them",
        example: "\"10 min\"",
        ..RUN
    },
    Key {
        name: "start",
        is: Is::Word(|| names(STARTS)),
        usual: Usual::Value("\"empty\""),
        doc: "with no connection, or in the steady state where one is known",
        example: "\"stationary\"",
        ..RUN
    },
    Key {
        name: "warm_up",
        is: Is::Time,
        usual: Usual::Value("\"0 s\""),
        doc: "the beginning that steady figures leave out",
        example: "\"2 min\"",
        ..RUN
    },
    Key {
        name: "seed",
        is: Is::Whole(0..=u64::MAX),
        usual: Usual::Value("1"),
        doc: "where random numbers begin: the same seed gives the same figures",
        example: "7",
        ..RUN
    },
    Key {
        name: "replications",
        is: Is::Whole(1..=100_000),
        usual: Usual::Value("20"),
        doc: "how many independent copies are run",
        example: "20",
        ..RUN
    },
    Key {
        name: "precision",
        is: Is::Share(0.0001..=1.0),
        usual: Usual::Is("off"),
        doc: "replicate until the 95 % interval is that narrow, instead of `replications`",
        example: "\"1 %\"",
        ..RUN
    },
    Key {
        name: "endpoints",
        is: Is::Whole(1..=1_000_000),
        usual: Usual::Value("1"),
        changes: true,
        doc: "distinct (address, port) pairs",
        example: "16",
        ..DESTINATION
    },
    Key {
        name: "pick",
        is: Is::Word(|| names(PICKS)),
        usual: Usual::Value("\"random\""),
        doc: "how a client chooses among them",
        example: "\"in turn\"",
        ..DESTINATION
    },
    Key {
        name: "answers",
        is: Is::Flag,
        usual: Usual::Value("true"),
        changes: true,
        doc: "`false`: connections stay in SYN-SENT until they are given up",
        example: "false",
        ..DESTINATION
    },
    Key {
        name: "loopback",
        is: Is::Flag,
        usual: Usual::Value("false"),
        doc: "`true`: on the same machine, where `tcp_tw_reuse = 2` applies",
        example: "true",
        ..DESTINATION
    },
    Key {
        name: "idle_timeout",
        is: Is::SomeTimeOr("never"),
        usual: Usual::Value("\"never\""),
        changes: true,
        doc: "after how long the server closes a kept connection on which nothing is asked",
        example: "\"60 s\"",
        ..DESTINATION
    },
    Key {
        name: "requests_per_connection",
        is: Is::WholeOr(1..=10_000_000, "none"),
        usual: Usual::Value("\"none\""),
        changes: true,
        doc: "after how many requests the server closes a kept connection",
        example: "100",
        ..DESTINATION
    },
];

const CHANGE: Key = Key { at: Place::Change, ..KEY };

pub(super) const CHANGES: &[Key] = &[
    Key {
        name: "at",
        is: Is::SomeTime,
        usual: Usual::Needed,
        doc: "from when on",
        example: "\"5 min\"",
        ..CHANGE
    },
    Key {
        name: "title",
        usual: Usual::Is("the keys with their values"),
        doc: "what charts and the answer call it",
        example: "\"the API stops answering\"",
        ..CHANGE
    },
    Key {
        name: "host",
        is: Is::Family(Place::Host),
        doc: "what becomes another on a host",
        example: "{ proxy = { ports = \"10000-65535\" } }",
        ..CHANGE
    },
    Key {
        name: "destination",
        is: Is::Family(Place::Destination),
        doc: "what becomes another of a destination",
        example: "{ api = { answers = false } }",
        ..CHANGE
    },
    Key {
        name: "client",
        is: Is::Family(Place::Client),
        doc: "what becomes another of a client",
        example: "{ fetcher = { lifetime = \"5 s\" } }",
        ..CHANGE
    },
];

const SERVER: Key = Key { at: Place::Server, usual: Usual::Needed, ..KEY };

pub(super) const SERVERS: &[Key] = &[
    Key {
        name: "port",
        is: Is::Whole(1..=65_535),
        doc: "the port that it listens on, on the wildcard address",
        example: "60103",
        ..SERVER
    },
    Key { name: "at", is: Is::Time, doc: "when it starts", example: "\"5 min\"", ..SERVER },
    Key {
        name: "every",
        is: Is::SomeTime,
        usual: Usual::Value("\"1 s\""),
        doc: "after how long it tries again while the port is taken",
        example: "\"5 s\"",
        ..SERVER
    },
    Key {
        name: "reuse_address",
        is: Is::Flag,
        usual: Usual::Value("false"),
        doc: "SO_REUSEADDR: it shares the port with sockets that have the option too, TIME-WAITs included",
        example: "true",
        ..SERVER
    },
];

const COST: Key =
    Key { at: Place::SearchCost, is: Is::Time, usual: Usual::Needed, changes: true, ..KEY };
const OWN: Key = Key { at: Place::OwnPorts, is: Is::Ports, ..KEY };
const BOUND: Key = Key { at: Place::Bounds, is: Is::Bound, ..KEY };

pub(super) const INLINE: &[Key] = &[
    Key { name: "connect", doc: "what a connect() takes", example: "\"14 us\"", ..COST },
    Key { name: "probe", doc: "what looking at one more port takes", example: "\"70 ns\"", ..COST },
    Key { name: "port", doc: "the port", example: "40010", ..OWN },
    Key { name: "ports", doc: "the ports, in turn", example: "\"40000-40009\"", ..OWN },
    Key { name: "min", doc: "the least that is allowed", ..BOUND },
    Key { name: "max", doc: "the most that is allowed", ..BOUND },
];
