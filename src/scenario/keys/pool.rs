//! The keys of `pool = { ... }`: how a client keeps connections for requests to come.

use super::words::{COUNTS, IDLE_CHECKS, NOTICES, OVERFLOWS, POOL_CLOSES, TAKES, names};
use super::{Is, KEY, Key, Place, Usual};

const POOL: Key = Key { at: Place::Pool, changes: true, ..KEY };

/// Connections of one pool at most.
const MOST: u64 = 10_000_000;

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "preset",
        is: Is::PoolPreset,
        changes: false,
        doc: "the client or proxy whose pool it is, for what is not said here",
        example: "\"go\"",
        ..POOL
    },
    Key {
        name: "max_idle",
        is: Is::WholeOr(0..=MOST, "all"),
        usual: Usual::Value("\"all\""),
        doc: "idle connections that are kept to one endpoint; 0 is keep-alive turned off",
        example: "2",
        ..POOL
    },
    Key {
        name: "max_idle_total",
        is: Is::WholeOr(0..=MOST, "all"),
        usual: Usual::Value("\"all\""),
        doc: "idle connections that are kept to all endpoints together: the longest idle one goes",
        example: "100",
        ..POOL
    },
    Key {
        name: "counts",
        is: Is::Word(|| names(COUNTS)),
        usual: Usual::Value("\"idle\""),
        doc: "what is held against `max_idle`: idle connections, or all, busy ones too",
        example: "\"all\"",
        ..POOL
    },
    Key {
        name: "overflow",
        is: Is::Word(|| names(OVERFLOWS)),
        usual: Usual::Value("\"returning\""),
        doc: "which one is closed when there would be too many: the one that comes back, the longest idle one, \
              the one opened first",
        example: "\"oldest\"",
        ..POOL
    },
    Key {
        name: "take",
        is: Is::Word(|| names(TAKES)),
        usual: Usual::Value("\"last\""),
        doc: "which idle one a request gets: the one that came back last, the longest idle one, the one opened \
              first",
        example: "\"oldest\"",
        ..POOL
    },
    Key {
        name: "max_connections",
        is: Is::WholeOr(1..=MOST, "none"),
        usual: Usual::Value("\"none\""),
        doc: "connections to one endpoint at most; who needs one more waits, first come, first served",
        example: "100",
        ..POOL
    },
    Key {
        name: "queue_timeout",
        is: Is::SomeTimeOr("never"),
        usual: Usual::Value("\"never\""),
        doc: "for how long a request waits for one of `max_connections` until it fails",
        example: "\"1 s\"",
        ..POOL
    },
    Key {
        name: "request_timeout",
        is: Is::SomeTimeOr("never"),
        usual: Usual::Value("\"never\""),
        doc: "how long a request may take, its waiting included; then it fails, and its connection is closed",
        example: "\"5 s\"",
        ..POOL
    },
    Key {
        name: "idle_timeout",
        is: Is::SomeTimeOr("never"),
        usual: Usual::Value("\"never\""),
        doc: "after how long the client closes an idle connection",
        example: "\"90 s\"",
        ..POOL
    },
    Key {
        name: "idle_check",
        is: Is::Word(|| names(IDLE_CHECKS)),
        usual: Usual::Value("\"timer\""),
        doc: "when that is looked at: by a timer, when the pool is used next, in sweeps as far apart as the \
              time-out, by a timer from the whole second below",
        example: "\"lazy\"",
        ..POOL
    },
    Key {
        name: "late_binding",
        is: Is::Flag,
        usual: Usual::Value("false"),
        doc: "whether a request that waits for its own new connection takes one that comes back before",
        example: "true",
        ..POOL
    },
    Key {
        name: "requests_per_connection",
        is: Is::WholeOr(1..=MOST, "none"),
        usual: Usual::Value("\"none\""),
        doc: "after how many requests the client closes a connection",
        example: "1000",
        ..POOL
    },
    Key {
        name: "streams",
        is: Is::Whole(1..=10_000),
        usual: Usual::Value("1"),
        doc: "requests that one connection carries at a time (HTTP/2)",
        example: "100",
        ..POOL
    },
    Key {
        name: "notices",
        is: Is::Word(|| names(NOTICES)),
        usual: Usual::Value("\"at-once\""),
        doc: "when a close by the server is noticed: when it happens, or when a request is to use the connection",
        example: "\"on-use\"",
        ..POOL
    },
    Key {
        name: "closes",
        is: Is::Word(|| names(POOL_CLOSES)),
        usual: Usual::Value("\"client\""),
        doc: "who closes first what the pool gives up, where the client's own `closes` does not say",
        example: "\"reset\"",
        ..POOL
    },
    Key {
        name: "return_lag",
        is: Is::Time,
        usual: Usual::Value("\"0 s\""),
        doc: "from an answer until its connection can be taken again",
        example: "\"1 ms\"",
        ..POOL
    },
    Key {
        name: "turnaround",
        is: Is::Time,
        usual: Usual::Value("\"0 s\""),
        doc: "from an answer until its worker goes on, beside the time that it thinks",
        example: "\"1 ms\"",
        ..POOL
    },
];
