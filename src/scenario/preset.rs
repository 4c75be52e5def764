//! Platform presets: every value with its source and the date at which it was true.
//!
//! Those of Linux are the table of facts at a version, so that there is one for every version; those of
//! other systems are data files.

use std::sync::OnceLock;

use toml::de::DeTable;

use crate::platform::{self, Fact, Kind, Linux};
use crate::scenario::keys::{REUSE_KEYS, SELECTIONS};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::source::Span;
use crate::scenario::text::tree::{Entry, Node, Table, Value};

/// The data files of systems other than Linux, in the order in which they are listed.
const FILES: [(&str, &str); 4] = [
    ("windows", include_str!("presets/windows.toml")),
    ("macos", include_str!("presets/macos.toml")),
    ("freebsd", include_str!("presets/freebsd.toml")),
    ("iana", include_str!("presets/iana.toml")),
];

/// A platform's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// What `preset = "..."` calls it.
    pub name: String,
    /// One line that says what it describes.
    pub title: String,
    /// Its values, in the order in which they are shown.
    pub values: Vec<PresetValue>,
    /// The version of Linux that it describes; `None` for another system.
    pub kernel: Option<Linux>,
    nodes: Table,
}

/// One value of a preset, and why it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresetValue {
    /// The key of `[host.NAME]` that it sets.
    pub key: String,
    /// The value as it would be written in a scenario.
    pub value: String,
    /// Where it is from: source file and version, RFC section, vendor's page.
    pub source: String,
    /// The date at which it was looked up or measured, `2026-11-23`.
    pub as_of: String,
    /// True when it was measured or read in the platform's own source; false for what is only
    /// documented, contradicted or a stand-in.
    pub verified: bool,
    /// What else to know of it; may be empty.
    pub note: String,
}

impl Preset {
    /// What the preset says of `key`.
    pub(super) fn node(&self, key: &str) -> Option<&Node> {
        self.nodes.get(key).map(|entry| &entry.node)
    }

    /// The complaint that its kernel has no `what` (a sysctl, a socket option), where it has not.
    pub(super) fn lacks(&self, what: &str, at: Span) -> Option<Problem> {
        let kernel = self.kernel.filter(|kernel| !kernel.has(what))?;
        let since = Linux::first_with(what).filter(|since| *since > kernel)?;
        let message = format!("Linux {kernel} has no {what}: it came with {since}");
        Some(Problem::at(at, message).label(format!("not in preset `{}`", self.name)))
    }
}

/// The presets that have a name of their own: the newest Linux, those versions of it that people run for
/// years, and other systems. Every other version of Linux has one too ([`preset`]).
#[must_use]
pub fn presets() -> Vec<&'static Preset> {
    let linux = std::iter::once(Linux::NEWEST).chain(Linux::well_known()).map(of_linux);
    linux.chain(others()).collect()
}

/// The preset called `name`.
///
/// ```
/// let linux = portsim::scenario::preset("linux-5.4").unwrap();
/// let ports = linux.values.iter().find(|value| value.key == "ports").unwrap();
/// assert_eq!(ports.value, "\"32768-60999\"");
/// ```
#[must_use]
pub fn preset(name: &str) -> Option<&'static Preset> {
    let linux = Linux::of_preset(name).map(of_linux);
    linux.or_else(|| others().iter().find(|preset| preset.name == name))
}

/// The presets of clients and proxies that keep connections: what `pool = "..."` names.
#[must_use]
pub fn pool_presets() -> &'static [Preset] {
    static POOLS: OnceLock<Vec<Preset>> = OnceLock::new();
    POOLS.get_or_init(|| read_table(include_str!("presets/pools.toml")))
}

/// The one of them called `name`.
#[must_use]
pub fn pool_preset(name: &str) -> Option<&'static Preset> {
    let plain = name.trim().to_lowercase().replace(['_', ' ', '.'], "-");
    pool_presets().iter().find(|preset| preset.name == plain)
}

/// The presets of gateways.
#[must_use]
pub fn gateway_presets() -> &'static [Preset] {
    static GATEWAYS: OnceLock<Vec<Preset>> = OnceLock::new();
    GATEWAYS.get_or_init(|| read_table(include_str!("presets/gateways.toml")))
}

/// The one of them called `name`.
#[must_use]
pub fn gateway_preset(name: &str) -> Option<&'static Preset> {
    let plain = name.trim().to_lowercase().replace(['_', ' '], "-");
    gateway_presets().iter().find(|preset| preset.name == plain)
}

fn others() -> &'static [Preset] {
    static OTHERS: OnceLock<Vec<Preset>> = OnceLock::new();
    OTHERS.get_or_init(|| FILES.iter().map(|(name, text)| read(name, text)).collect())
}

/// The preset of a known version of Linux, put together when it is first asked for.
fn of_linux(kernel: Linux) -> &'static Preset {
    static PRESETS: OnceLock<Vec<(Linux, OnceLock<Preset>)>> = OnceLock::new();
    let all =
        PRESETS.get_or_init(|| Linux::known().map(|known| (known, OnceLock::new())).collect());
    let (_, preset) = all.iter().find(|(known, _)| *known == kernel).expect("a known version");
    preset.get_or_init(|| {
        let told = |fact: &&Fact| !matches!(fact.kind, Kind::There | Kind::Gone);
        let facts: Vec<&Fact> = kernel.facts().filter(told).collect();
        let entry = |fact: &&Fact| Entry {
            key: fact.key.to_owned(),
            key_at: Span::BUILT_IN,
            node: Node { value: value(fact.value), at: Span::BUILT_IN },
        };
        Preset {
            name: kernel.preset(),
            title: kernel.title(),
            values: facts.iter().map(|fact| told_of(fact, kernel)).collect(),
            kernel: Some(kernel),
            nodes: Table { entries: facts.iter().map(entry).collect() },
        }
    })
}

/// What a fact says, as the reader of the key takes it.
fn value(value: platform::Value) -> Value {
    fn word<T: PartialEq>(words: &[(&str, T)], meant: &T) -> Value {
        let word = words.iter().find(|(_, meaning)| meaning == meant);
        Value::Text(word.expect("every value has a word").0.to_owned())
    }
    match value {
        platform::Value::Nothing => unreachable!("presets tell values"),
        platform::Value::Number(number) => Value::Integer(Some(number.into())),
        platform::Value::Flag(flag) => Value::Boolean(flag),
        platform::Value::Span(span) => Value::Text(span.to_string()),
        platform::Value::Ports(low, high) => Value::Text(format!("{low}-{high}")),
        platform::Value::Selection(kind) => word(SELECTIONS, &kind),
        platform::Value::ReuseKey(key) => word(REUSE_KEYS, &key),
    }
}

/// A fact as a preset of `kernel` shows it.
fn told_of(fact: &Fact, kernel: Linux) -> PresetValue {
    let measured = fact.is_measured_on(kernel);
    let (source, note) = (fact.source, fact.note);
    PresetValue {
        key: fact.key.to_owned(),
        value: match value(fact.value) {
            Value::Text(text) => format!("\"{text}\""),
            Value::Integer(Some(number)) => number.to_string(),
            other => format!("{}", other == Value::Boolean(true)),
        },
        source: match measured {
            true => format!("Linux {kernel} {source}; measured"),
            false => format!("Linux {source}"),
        },
        as_of: fact.as_of.to_owned(),
        verified: fact.is_verified_for(kernel),
        note: match measured || fact.measured.is_empty() {
            true => note.to_owned(),
            false => format!("{note}; not measured on this kernel"),
        },
    }
}

/// Reads a data file of ours.
///
/// # Panics
/// When the file is not as it should be: the program was built wrong.
fn read(name: &str, text: &str) -> Preset {
    let tree = DeTable::parse(text).unwrap_or_else(|error| panic!("preset {name}: {error}"));
    let root = Table::from_toml(tree.get_ref(), 0, 0);
    let line = |key: &str| root.get(key).and_then(|entry| entry.node.as_text());
    let title = line("title").unwrap_or_default();
    let mut values = Vec::new();
    let mut nodes = Table::default();
    for entry in root.entries.iter().filter(|entry| entry.node.as_table().is_some()) {
        let key = &entry.key;
        let table = entry.node.as_table().unwrap_or_else(|| panic!("preset {name}: {key}"));
        let text_of = |field: &str| {
            let node = table.get(field).map(|entry| &entry.node);
            node.and_then(Node::as_text).unwrap_or_default().to_owned()
        };
        let value = table.get("value").unwrap_or_else(|| panic!("preset {name}: {key}: value"));
        let verified = table.get("verified").unwrap_or_else(|| panic!("preset {name}: {key}"));
        values.push(PresetValue {
            key: key.clone(),
            value: text[value.node.at.range()].to_owned(),
            source: text_of("source"),
            as_of: text_of("as_of"),
            verified: &text[verified.node.at.range()] == "true",
            note: text_of("note"),
        });
        nodes.entries.push(Entry {
            key: key.clone(),
            key_at: Span::BUILT_IN,
            node: without_place(value.node.clone()),
        });
    }
    Preset { name: name.to_owned(), title: title.to_owned(), values, kernel: None, nodes }
}

/// Reads our data file of pools: a table each, whose values have one source.
///
/// # Panics
/// As [`read`].
/// Several presets of one file, a table each.
fn read_table(text: &str) -> Vec<Preset> {
    let tree = DeTable::parse(text).unwrap_or_else(|error| panic!("presets: {error}"));
    let root = Table::from_toml(tree.get_ref(), 0, 0);
    let one = |entry: &Entry| {
        let name = &entry.key;
        let table = entry.node.as_table().unwrap_or_else(|| panic!("preset {name}"));
        let said = |key: &str| {
            let entry = table.get(key).unwrap_or_else(|| panic!("preset {name}: {key}"));
            (&entry.node, text[entry.node.at.range()].trim_matches('"').to_owned())
        };
        let values = said("values").0.as_table().unwrap_or_else(|| panic!("preset {name}: values"));
        let told = |entry: &Entry| PresetValue {
            key: entry.key.clone(),
            value: text[entry.node.at.range()].to_owned(),
            source: said("source").1,
            as_of: said("as_of").1,
            verified: said("verified").1 == "true",
            note: String::new(),
        };
        let node = |entry: &Entry| Entry {
            key: entry.key.clone(),
            key_at: Span::BUILT_IN,
            node: without_place(entry.node.clone()),
        };
        Preset {
            name: name.clone(),
            title: said("title").1,
            values: values.entries.iter().map(told).collect(),
            kernel: None,
            nodes: Table { entries: values.entries.iter().map(node).collect() },
        }
    };
    root.entries.iter().map(one).collect()
}

/// The node, whose place would point into a text that the person never wrote.
fn without_place(mut node: Node) -> Node {
    node.at = Span::BUILT_IN;
    if let Value::List(items) = &mut node.value {
        for item in items {
            item.at = Span::BUILT_IN;
        }
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Host, ReuseKey, SelectionKind, SynTimeout, TcpSettings, TimerGrid, TwReuse,
    };
    use crate::scenario::read::host as read_host;
    use crate::scenario::text::walk::Walk;
    use crate::units::SimDuration;

    /// What every preset of Linux says, beside what all presets do.
    const LINUX: [&str; 10] = [
        "tcp_tw_reuse",
        "tcp_tw_reuse_delay",
        "tw_reuse_clock",
        "tcp_timestamps",
        "tcp_fin_timeout",
        "tcp_syn_retries",
        "tcp_syn_linear_timeouts",
        "ip_autobind_reuse",
        "buckets_reopen",
        "narrow_range_by_one",
    ];

    #[test]
    fn every_preset_makes_a_host_without_a_complaint() {
        for preset in presets() {
            let walk = Walk::default();
            let host = read_host::of_preset(&walk, preset, "host");
            assert!(host.is_some() && walk.count() == 0, "{}: {:?}", preset.name, walk.finish().1);
            if let Some(kernel) = preset.kernel {
                assert_eq!(host, Some(kernel.host("host")), "{}", preset.name);
            }
        }
    }

    #[test]
    fn every_value_of_a_preset_has_a_source_and_a_date() {
        for preset in presets() {
            assert!(!preset.title.is_empty(), "{}", preset.name);
            let keys: Vec<&str> = preset.values.iter().map(|value| value.key.as_str()).collect();
            assert_eq!(keys[..5], ["ports", "time_wait", "hz", "selection", "reuse_key"]);
            let own: &[&str] = match preset.kernel {
                Some(_) => &LINUX,
                None => &["connect_timeout", "fin_wait_2"],
            };
            assert_eq!(&keys[5..], own, "{}", preset.name);
            for value in &preset.values {
                let at = format!("{}.{}", preset.name, value.key);
                assert!(value.source.len() > 10, "{at} has no source");
                let digits = value.as_of.bytes().filter(u8::is_ascii_digit).count();
                assert!(value.as_of.len() == 10 && digits == 8, "{at}: {}", value.as_of);
                assert!(!value.note.is_empty(), "{at} has no note");
            }
        }
    }

    #[test]
    fn every_version_of_linux_is_a_preset_and_makes_the_host_that_the_table_says() {
        for kernel in Linux::known() {
            let host = made(&kernel.preset());
            assert_eq!(host.tcp, kernel.tcp(), "{kernel}");
            assert_eq!(host.selection, kernel.selection(), "{kernel}");
            assert_eq!(host.reuse_key, kernel.reuse_key(), "{kernel}");
            assert_eq!(host.time_wait, kernel.time_wait(), "{kernel}");
            assert_eq!(host.timer_grid, kernel.timer_grid(250), "{kernel}");
        }
    }

    #[test]
    fn linux_is_as_measured_on_6_18() {
        let walk = Walk::default();
        let host = read_host::implicit(&walk, "host").unwrap().host;
        assert_eq!(host.ports.num_ephemeral(), 28_232);
        assert_eq!(host.time_wait, SimDuration::from_secs(60));
        assert_eq!(host.timer_grid, TimerGrid::LinuxWheel { hz: 250 });
        assert_eq!(host.selection, SelectionKind::Linux);
        assert_eq!(host.reuse_key, ReuseKey::FourTuple);
        assert_eq!((host.count, host.addresses), (1, 1));
        let measured = TcpSettings {
            tw_reuse: TwReuse::Loopback,
            tw_reuse_delay: SimDuration::from_secs(1),
            tw_reuse_clock: SimDuration::from_millis(1),
            timestamps: true,
            max_tw_buckets: None,
            fin_timeout: SimDuration::from_secs(60),
            syn: SynTimeout::Linux { retries: 6, linear_timeouts: 4 },
            autobind_reuse: false,
            buckets_reopen: true,
            narrow_range_by_one: true,
        };
        assert_eq!(host.tcp, measured);
        assert_eq!(host.search_cost, None);
    }

    /// The host that the preset `name` makes.
    fn made(name: &str) -> Host {
        preset(name).unwrap().host(name)
    }

    #[test]
    fn no_other_system_takes_ports_out_of_time_wait() {
        for (name, connect, fin_wait_2) in
            [("windows", 21, 120), ("macos", 75, 60), ("freebsd", 75, 600), ("iana", 180, 60)]
        {
            let tcp = made(name).tcp;
            assert_eq!(tcp.tw_reuse, TwReuse::Never, "{name}");
            assert_eq!(tcp.syn, SynTimeout::After(SimDuration::from_secs(connect)), "{name}");
            assert_eq!(tcp.fin_timeout, SimDuration::from_secs(fin_wait_2), "{name}");
        }
    }

    #[test]
    fn what_is_not_known_of_windows_is_marked() {
        let windows = preset("windows").unwrap();
        let selection = windows.values.iter().find(|value| value.key == "selection").unwrap();
        assert!(!selection.verified);
        let time_wait = windows.values.iter().find(|value| value.key == "time_wait").unwrap();
        assert!(!time_wait.verified && time_wait.note.contains("240"), "{}", time_wait.note);
    }
}
