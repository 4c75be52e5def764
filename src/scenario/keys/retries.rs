//! The keys of `retries = { ... }`: what a client does with what fails.

use super::{Is, KEY, Key, Place, Usual};

const RETRIES: Key = Key { at: Place::Retries, changes: true, ..KEY };

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "attempts",
        is: Is::Whole(1..=1_000_000),
        usual: Usual::Value("3"),
        doc: "tries in all, the first one included",
        example: "3",
        ..RETRIES
    },
    Key {
        name: "backoff",
        is: Is::Time,
        usual: Usual::Value("\"100 ms\""),
        doc: "from a failure to the next try; no time at all is 1 ms",
        example: "\"100 ms\"",
        ..RETRIES
    },
    Key {
        name: "factor",
        is: Is::Number { least: 1.0, above: false, most: 100.0 },
        usual: Usual::Value("2.0"),
        doc: "factor is what each delay is to the one before it: 1 is a constant back-off",
        example: "2.0",
        ..RETRIES
    },
    Key {
        name: "max_backoff",
        is: Is::SomeTimeOr("none"),
        usual: Usual::Value("\"none\""),
        doc: "no delay is longer",
        example: "\"5 s\"",
        ..RETRIES
    },
    Key {
        name: "jitter",
        is: Is::Share(0.0..=1.0),
        usual: Usual::Value("0.0"),
        doc: "the share of a delay that is drawn: 0.5 is anything from half of it to all",
        example: "0.5",
        ..RETRIES
    },
    Key {
        name: "deadline",
        is: Is::SomeTimeOr("none"),
        usual: Usual::Value("\"none\""),
        doc: "so long after its first try nothing is tried again",
        example: "\"5 s\"",
        ..RETRIES
    },
    Key {
        name: "budget",
        is: Is::Share(0.0..=1.0),
        usual: Usual::Is("none"),
        doc: "tries again for each first try at most; what is not used is saved up for a hundred",
        example: "\"20 %\"",
        ..RETRIES
    },
    Key {
        name: "stop_after",
        is: Is::WholeOr(1..=1_000_000_000, "never"),
        usual: Usual::Value("\"never\""),
        doc: "after so many failures the program asks for nothing more: 1 stops at the first error",
        example: "1",
        ..RETRIES
    },
];
