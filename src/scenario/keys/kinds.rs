//! Tables that come in several kinds, told apart by one key, and the keys that each kind takes.

use super::words::{SPACINGS, names};
use super::{Is, KEY, Key, Place, Usual};

/// Such tables.
#[derive(Debug)]
pub(crate) struct Kinds {
    pub at: Place,
    /// The key that tells the kinds apart.
    pub tag: &'static str,
    pub kinds: &'static [Kind],
}

/// One kind.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The value of the key that tells the kinds apart.
    pub name: &'static str,
    /// The other keys that this kind takes.
    pub keys: &'static [&'static str],
    /// Two of them, of which one is given and not the other.
    pub either: Option<[&'static str; 2]>,
    /// Keys that say all of it in place of the others.
    pub instead: &'static [&'static str],
    /// What it means.
    pub doc: &'static str,
    /// The whole table as one would write it.
    pub example: &'static str,
}

/// A kind whose keys are all needed.
const KIND: Kind = Kind { name: "", keys: &[], either: None, instead: &[], doc: "", example: "" };

/// `arrivals = { ... }`.
pub(crate) static ARRIVALS: Kinds = Kinds {
    at: Place::Arrivals,
    tag: "process",
    kinds: &[
        Kind {
            name: "poisson",
            keys: &["rate"],
            doc: "independent arrivals",
            example: "{ process = \"poisson\", rate = \"600 / s\" }",
            ..KIND
        },
        Kind {
            name: "constant",
            keys: &["rate"],
            doc: "evenly spaced",
            example: "{ process = \"constant\", rate = \"600 / s\" }",
            ..KIND
        },
        Kind {
            name: "batches",
            keys: &["every", "size", "spacing"],
            doc: "many at once, again and again",
            example: "{ process = \"batches\", every = \"30 s\", size = 2000 }",
            ..KIND
        },
        Kind {
            name: "rates",
            keys: &["rates", "file", "ramps", "repeat", "spacing"],
            either: Some(["rates", "file"]),
            doc: "at a rate that changes over time: steps, ramps, a curve of a day",
            example: "{ process = \"rates\", rates = [{ at = \"0 s\", rate = \"600 / s\" }, { at = \"5 min\", rate = \"900 / s\" }] }",
            ..KIND
        },
        Kind {
            name: "on-off",
            keys: &["rate", "pause_rate", "burst", "pause"],
            doc: "in bursts: at one rate for a while, at another in between",
            example: "{ process = \"on-off\", rate = \"2000 / s\", burst = \"5 s\", pause = \"25 s\" }",
            ..KIND
        },
        Kind {
            name: "closed-loop",
            keys: &["workers", "think"],
            doc: "each worker thinks, connects, closes",
            example: "{ process = \"closed-loop\", workers = 50, think = \"1 s\" }",
            ..KIND
        },
        Kind {
            name: "trace",
            keys: &["file"],
            doc: "attempts that were recorded",
            example: "{ process = \"trace\", file = \"attempts.csv\" }",
            ..KIND
        },
        Kind {
            name: "trace-loop",
            keys: &["file", "workers"],
            doc: "requests that were recorded, in their order, by workers; with a `pool` only",
            example: "{ process = \"trace-loop\", file = \"requests.csv\", workers = 10 }",
            ..KIND
        },
    ],
};

/// `lifetime = { ... }` and other laws of durations.
pub(crate) static LAWS: Kinds = Kinds {
    at: Place::Law,
    tag: "distribution",
    kinds: &[
        Kind {
            name: "exponential",
            keys: &["mean"],
            doc: "without memory",
            example: "{ distribution = \"exponential\", mean = \"200 ms\" }",
            ..KIND
        },
        Kind {
            name: "constant",
            keys: &["value"],
            doc: "always the same, as the time alone would say",
            example: "{ distribution = \"constant\", value = \"200 ms\" }",
            ..KIND
        },
        Kind {
            name: "lognormal",
            keys: &["mean", "median", "sigma", "p50", "p99"],
            either: Some(["mean", "median"]),
            instead: &["p50", "p99"],
            doc: "many short ones, a few very long; `p50` and `p99` say all of it",
            example: "{ distribution = \"lognormal\", mean = \"200 ms\", sigma = 1.5 }",
        },
        Kind {
            name: "pareto",
            keys: &["shape", "mean", "minimum"],
            either: Some(["mean", "minimum"]),
            doc: "a heavy tail",
            example: "{ distribution = \"pareto\", shape = 1.5, minimum = \"100 ms\" }",
            ..KIND
        },
        Kind {
            name: "uniform",
            keys: &["min", "max"],
            doc: "anything between two times",
            example: "{ distribution = \"uniform\", min = \"100 ms\", max = \"300 ms\" }",
            ..KIND
        },
        Kind {
            name: "empirical",
            keys: &["samples", "file"],
            either: Some(["samples", "file"]),
            doc: "drawn from what was measured",
            example: "{ distribution = \"empirical\", samples = [\"120 ms\", \"1.5 s\"] }",
            ..KIND
        },
    ],
};

const ARRIVAL: Key =
    Key { at: Place::Arrivals, is: Is::SomeTime, usual: Usual::Needed, changes: true, ..KEY };
const LAW: Key = Key { at: Place::Law, ..ARRIVAL };

const OF_RATES: Key = Key { at: Place::Rates, usual: Usual::Needed, changes: true, ..KEY };

pub(super) const KEYS: &[Key] = &[
    Key { name: "at", is: Is::Time, doc: "from when on", example: "\"5 min\"", ..OF_RATES },
    Key {
        name: "rate",
        is: Is::Rate,
        doc: "how many in which time",
        example: "\"900 / s\"",
        ..OF_RATES
    },
    Key { name: "process", is: Is::Tag(&ARRIVALS), doc: "which process they follow", ..ARRIVAL },
    Key {
        name: "rate",
        is: Is::Rate,
        doc: "how many in which time",
        example: "\"600 / s\"",
        ..ARRIVAL
    },
    Key {
        name: "pause_rate",
        is: Is::Rate,
        usual: Usual::Value("\"0 / s\""),
        doc: "how many between two bursts",
        example: "\"50 / s\"",
        ..ARRIVAL
    },
    Key {
        name: "burst",
        doc: "how long a burst lasts, on average (exponential)",
        example: "\"5 s\"",
        ..ARRIVAL
    },
    Key {
        name: "pause",
        doc: "how long a pause between two bursts lasts, on average (exponential)",
        example: "\"25 s\"",
        ..ARRIVAL
    },
    Key { name: "every", doc: "from one batch to the next", example: "\"30 s\"", ..ARRIVAL },
    Key {
        name: "size",
        is: Is::Whole(1..=10_000_000),
        doc: "attempts of a batch",
        example: "2000",
        ..ARRIVAL
    },
    Key {
        name: "spacing",
        is: Is::Word(|| names(SPACINGS)),
        usual: Usual::Value("\"constant\""),
        doc: "whether batches come evenly or at random; of rates, whether attempts do (then usual: at random)",
        example: "\"poisson\"",
        ..ARRIVAL
    },
    Key {
        name: "rates",
        is: Is::Rates,
        doc: "the rate from each of these times on; the first is \"0 s\"",
        example: "[{ at = \"0 s\", rate = \"600 / s\" }, { at = \"5 min\", rate = \"900 / s\" }]",
        ..ARRIVAL
    },
    Key {
        name: "ramps",
        is: Is::Flag,
        usual: Usual::Value("false"),
        doc: "whether the rate moves evenly from one to the next",
        example: "true",
        ..ARRIVAL
    },
    Key {
        name: "repeat",
        is: Is::SomeTimeOr("never"),
        usual: Usual::Value("\"never\""),
        doc: "after how long the rates begin again",
        example: "\"24 h\"",
        ..ARRIVAL
    },
    Key {
        name: "workers",
        is: Is::Whole(1..=10_000_000),
        doc: "how many connect, one connection at a time each",
        example: "50",
        ..ARRIVAL
    },
    Key {
        name: "think",
        is: Is::Law,
        doc: "the time between two of them",
        example: "\"1 s\"",
        ..ARRIVAL
    },
    Key {
        name: "file",
        is: Is::File,
        changes: false,
        doc: "the record, as CSV",
        example: "\"attempts.csv\"",
        ..ARRIVAL
    },
    Key { name: "distribution", is: Is::Tag(&LAWS), doc: "which law they follow", ..LAW },
    Key { name: "mean", doc: "the mean", example: "\"200 ms\"", ..LAW },
    Key { name: "value", is: Is::Time, doc: "the time", example: "\"200 ms\"", ..LAW },
    Key { name: "median", doc: "as many are shorter as are longer", example: "\"200 ms\"", ..LAW },
    Key {
        name: "sigma",
        is: Is::Number { least: 0.0, above: true, most: 10.0 },
        doc: "sigma is the standard deviation of the logarithm, above 0 and at most 10",
        example: "1.5",
        ..LAW
    },
    Key { name: "p50", doc: "the median, beside `p99`", example: "\"80 ms\"", ..LAW },
    Key { name: "p99", doc: "one in a hundred is longer", example: "\"2 s\"", ..LAW },
    Key {
        name: "shape",
        is: Is::Number { least: 0.01, above: false, most: 1_000.0 },
        doc: "shape says how fast the tail falls: 1.1 to 3 for most measured lifetimes",
        example: "1.5",
        ..LAW
    },
    Key { name: "minimum", doc: "none is shorter", example: "\"100 ms\"", ..LAW },
    Key { name: "min", is: Is::Time, doc: "the shortest", example: "\"100 ms\"", ..LAW },
    Key { name: "max", is: Is::Time, doc: "the longest", example: "\"300 ms\"", ..LAW },
    Key {
        name: "samples",
        is: Is::Samples,
        doc: "what was measured",
        example: "[\"120 ms\", \"1.5 s\"]",
        ..LAW
    },
    Key {
        name: "file",
        is: Is::File,
        changes: false,
        doc: "what was measured, one sample with its unit a line; # starts a comment",
        example: "\"lifetimes.txt\"",
        ..LAW
    },
];
