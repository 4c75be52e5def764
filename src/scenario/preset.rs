//! Platform presets: data files, every value with its source and the date at which it was true.

use std::fmt;
use std::sync::OnceLock;

use toml::de::DeTable;

use super::source::Span;
use super::tree::{Entry, Node, Table, Value};

/// The data files, in the order in which they are listed.
const FILES: [(&str, &str); 8] = [
    ("linux", include_str!("presets/linux.toml")),
    ("linux-6.6", include_str!("presets/linux-6.6.toml")),
    ("linux-5.15", include_str!("presets/linux-5.15.toml")),
    ("linux-4.18", include_str!("presets/linux-4.18.toml")),
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
    /// Its values, in the order of the data file.
    pub values: Vec<PresetValue>,
    /// The version of Linux that it describes; `None` for another system.
    pub(super) kernel: Option<Kernel>,
    nodes: Table,
}

/// A version of Linux: 6, 18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kernel(pub u16, pub u16);

impl Kernel {
    fn of(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// One value of a preset, and why it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// All presets that are built in.
///
/// ```
/// let linux = &portsim::scenario::presets()[0];
/// let ports = linux.values.iter().find(|value| value.key == "ports").unwrap();
/// assert_eq!((linux.name.as_str(), ports.value.as_str()), ("linux", "\"32768-60999\""));
/// ```
#[must_use]
pub fn presets() -> &'static [Preset] {
    static PRESETS: OnceLock<Vec<Preset>> = OnceLock::new();
    PRESETS.get_or_init(|| FILES.iter().map(|(name, text)| read(name, text)).collect())
}

/// The preset called `name`.
pub(super) fn find(name: &str) -> Option<&'static Preset> {
    presets().iter().find(|preset| preset.name == name)
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
    let kernel = line("kernel").and_then(Kernel::of);
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
    Preset { name: name.to_owned(), title: title.to_owned(), values, kernel, nodes }
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
    use super::super::read_host;
    use super::super::walk::Walk;
    use super::*;
    use crate::model::{
        Host, ReuseKey, SelectionKind, SynTimeout, TcpSettings, TimerGrid, TwReuse,
    };
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
            let host = read_host::of_preset(&walk, preset);
            assert!(host.is_some() && walk.count() == 0, "{}: {:?}", preset.name, walk.finish().1);
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
    fn linux_is_as_measured_on_6_18() {
        let walk = Walk::default();
        let host = read_host::implicit(&walk, "host").unwrap().host;
        assert_eq!(host.ports.num_ephemeral(), 28_232);
        assert_eq!(host.time_wait, SimDuration::from_secs(60));
        assert_eq!(host.timer_grid, TimerGrid::LinuxWheel { hz: 250 });
        assert_eq!(host.selection, SelectionKind::Linux);
        assert_eq!(host.reuse_key, ReuseKey::FourTuple);
        assert_eq!((host.count, host.addresses), (1, 1));
        assert_eq!(host.tcp, TcpSettings::default());
        assert_eq!(host.search_cost, None);
    }

    /// The host that the preset `name` makes.
    fn made(name: &str) -> Host {
        read_host::of_preset(&Walk::default(), find(name).unwrap()).unwrap()
    }

    #[test]
    fn older_kernels_differ_in_what_their_presets_say() {
        let usual = TcpSettings::default();
        let second = SimDuration::from_secs(1);
        let seconds = TcpSettings {
            tw_reuse_delay: SimDuration::ZERO,
            tw_reuse_clock: second,
            buckets_reopen: false,
            narrow_range_by_one: false,
            ..usual
        };
        assert_eq!(made("linux-6.6").tcp, seconds);
        let syn = SynTimeout::Linux { retries: 6, linear_timeouts: 0 };
        assert_eq!(made("linux-5.15").tcp, TcpSettings { syn, ..seconds });
        let old = TcpSettings { syn, tw_reuse: TwReuse::Never, tw_reuse_delay: second, ..seconds };
        assert_eq!(made("linux-4.18").tcp, old);
        assert_eq!(made("linux-4.18").selection, SelectionKind::LinuxSharedHint);
        assert_eq!(made("linux-5.15").selection, SelectionKind::Linux);
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
        let windows = find("windows").unwrap();
        let selection = windows.values.iter().find(|value| value.key == "selection").unwrap();
        assert!(!selection.verified);
        let time_wait = windows.values.iter().find(|value| value.key == "time_wait").unwrap();
        assert!(!time_wait.verified && time_wait.note.contains("240"), "{}", time_wait.note);
    }
}
