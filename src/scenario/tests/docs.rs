//! `docs/scenario.md`: its tables of keys are made from the rows of `keys`.
//!
//! `UPDATE_DOCS=1 cargo test --lib scenario::tests::docs` writes them anew; the prose between them stays.

use std::fs;

use super::super::keys::{self, Is, Key, Kinds, Place, System, Usual};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenario.md");

/// What may stand behind a key, in a few words.
fn values(is: &Is) -> String {
    let words = |words: &[&str]| {
        let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        quoted.join(", ")
    };
    match is {
        Is::Text => "text".to_owned(),
        Is::File => "name of a file".to_owned(),
        Is::Flag => "`true`, `false`".to_owned(),
        Is::Whole(bounds) if *bounds.end() == u64::MAX => "whole number".to_owned(),
        Is::Whole(bounds) => format!("{} to {}", bounds.start(), bounds.end()),
        Is::WholeOr(bounds, word) => {
            format!("{} to {}, `\"{word}\"`", bounds.start(), bounds.end())
        }
        Is::SomeTimeOr(word) => format!("time, `\"{word}\"`"),
        Is::Pool => "name of a preset, or a table: see below".to_owned(),
        Is::PoolPreset | Is::GatewayPreset => "name of a preset".to_owned(),
        Is::Number { most, .. } => format!("number up to {most}"),
        Is::Share(_) => "share".to_owned(),
        Is::Time | Is::SomeTime => "time".to_owned(),
        Is::TimeIn { unit, bounds } => {
            let unit = if unit.as_secs_f64() < 1.0 { "milliseconds" } else { "seconds" };
            format!("{unit}, or a time; up to {}", bounds.end())
        }
        Is::Rate => "rate".to_owned(),
        Is::Word(of) => words(&of()),
        Is::Tag(kinds) => words(&kinds.kinds.iter().map(|kind| kind.name).collect::<Vec<_>>()),
        Is::Arrivals => "see below".to_owned(),
        Is::Law => "time, or a distribution: see below".to_owned(),
        Is::Samples => "list of times".to_owned(),
        Is::Rates => "list of `{ at = ..., rate = ... }`".to_owned(),
        Is::Range => "range of ports".to_owned(),
        Is::Ports => "list of ports and ranges".to_owned(),
        Is::Listeners => "list of ports and ranges, or such lists by address".to_owned(),
        Is::Binds => {
            let calls: Vec<&str> = keys::BINDS.iter().map(|(word, _)| *word).collect();
            format!("{}, `{{ port = ... }}`, `{{ ports = ... }}`", words(&calls))
        }
        Is::Shares(of) => words(&of()),
        Is::Name => "name".to_owned(),
        Is::Names => "name, or shares of several".to_owned(),
        Is::NameList => "list of names".to_owned(),
        Is::Preset => "name of a preset".to_owned(),
        Is::Sysctls => "text".to_owned(),
        Is::Tables(_) => "list of tables".to_owned(),
        Is::Table(_) | Is::Family(_) | Is::Figures | Is::Bound => "table".to_owned(),
    }
}

fn row(key: &Key) -> String {
    let usual = match key.usual {
        Usual::Value(value) => format!("`{value}`"),
        Usual::Preset => "the preset's".to_owned(),
        Usual::Is(words) => words.to_owned(),
        Usual::Needed => "needed".to_owned(),
    };
    let example = match key.example.lines().count() {
        1 => format!("`{}`", key.example),
        _ => String::new(),
    };
    let mut doc = key.doc.to_owned();
    if let Some(since) = key.since() {
        doc.push_str(&format!("; since Linux {since}"));
    }
    if !key.source.is_empty() {
        doc.push_str(&format!(" (`{}`)", key.source));
    }
    let cells = [format!("`{}`", key.name), values(&key.is), usual, example, doc];
    format!("| {} |\n", cells.join(" | "))
}

fn table(keys: impl Iterator<Item = &'static Key>) -> String {
    let rows: String = keys.map(row).collect();
    format!(
        "| key | values | default | example | what it is |\n| --- | --- | --- | --- | --- |\n{rows}"
    )
}

fn kinds(kinds: &Kinds) -> String {
    let rows = kinds.kinds.iter().map(|kind| {
        let keys = kind.keys.iter().map(|key| match kind.either {
            Some([first, second]) if *key == first => format!("`{first}` or `{second}`"),
            Some([_, second]) if *key == second => String::new(),
            _ => format!("`{key}`"),
        });
        let keys: Vec<String> = keys.filter(|key| !key.is_empty()).collect();
        format!("| `{}` | {} | {} |\n", kind.example, keys.join(", "), kind.doc)
    });
    let rows: String = rows.collect();
    format!("| `{}` | keys | |\n| --- | --- | --- |\n{rows}", kinds.tag)
}

/// The table that a marker in the file asks for.
fn asked(name: &str) -> String {
    let host = |on: &'static [System]| {
        table(keys::of(Place::Host).filter(move |key| on.contains(&key.on)))
    };
    match name {
        "run" => table(keys::of(Place::Run)),
        "host" => host(&[System::Any]),
        "sysctls" => host(&[System::Sysctl]),
        "systems" => host(&[System::Linux, System::Others]),
        "change" => table(keys::of(Place::Change)),
        "changing" => {
            let of = |(what, place): (&str, Place)| {
                let names = keys::of(place).filter(|key| key.changes).map(|key| key.name);
                let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
                format!("- of a {what}: {}\n", names.join(", "))
            };
            let places = [
                ("host", Place::Host),
                ("destination", Place::Destination),
                ("client", Place::Client),
            ];
            places.map(of).concat()
        }
        "server" => table(keys::of(Place::Server)),
        "destination" => table(keys::of(Place::Destination)),
        "gateway" => table(keys::of(Place::Gateway)),
        "gateway-timers" => table(keys::of(Place::NatTimers)),
        "client" => table(keys::of(Place::Client)),
        "retries" => table(keys::of(Place::Retries)),
        "pool" => table(keys::of(Place::Pool)),
        "arrivals" => kinds(&keys::ARRIVALS),
        "arrivals-keys" => table(keys::of(Place::Arrivals)),
        "distributions" => kinds(&keys::LAWS),
        "distributions-keys" => table(keys::of(Place::Law)),
        _ => panic!("docs/scenario.md asks for `{name}`"),
    }
}

#[test]
fn the_tables_of_keys_are_those_of_the_reader() {
    const BEGIN: &str = "<!-- keys: ";
    const END: &str = "<!-- end -->";
    let text = fs::read_to_string(FILE).expect("docs/scenario.md").replace("\r\n", "\n");
    let mut made = String::new();
    let mut rest = &*text;
    let mut count = 0;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->\n").expect("a marker ends with -->");
        let (_, after) = after.split_once(END).expect("a table ends with its marker");
        made.push_str(&format!("{before}{BEGIN}{name} -->\n{}{END}", asked(name)));
        rest = after;
        count += 1;
    }
    made.push_str(rest);
    assert_eq!(count, 17);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(FILE, made).expect("docs/scenario.md can be written");
    } else {
        assert!(made == text, "write the tables anew: UPDATE_DOCS=1 cargo test --lib tests::docs");
    }
}
