//! Platform presets: data files, every value with its source and the date at which it was true.

use std::sync::OnceLock;

use toml::de::DeTable;

use super::source::Span;
use super::tree::{Entry, Node, Table, Value};

/// The data files, in the order in which they are listed.
const FILES: [(&str, &str); 5] = [
    ("linux", include_str!("presets/linux.toml")),
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
    nodes: Table,
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
    let title = root.get("title").and_then(|entry| entry.node.as_text()).unwrap_or_default();
    let mut values = Vec::new();
    let mut nodes = Table::default();
    for entry in root.entries.iter().filter(|entry| entry.key != "title") {
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
    Preset { name: name.to_owned(), title: title.to_owned(), values, nodes }
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
    use crate::model::{ReuseKey, SelectionKind, TimerGrid};
    use crate::units::SimDuration;

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
            assert_eq!(keys, ["ports", "time_wait", "hz", "selection", "reuse_key"]);
            for value in &preset.values {
                let at = format!("{}.{}", preset.name, value.key);
                assert!(value.source.len() > 10, "{at} has no source");
                let digits = value.as_of.bytes().filter(u8::is_ascii_digit).count();
                assert!(value.as_of.len() == 10 && digits == 8, "{at}: {}", value.as_of);
                assert!(value.verified || !value.note.is_empty(), "{at}: unverified, but why?");
            }
        }
    }

    #[test]
    fn linux_is_as_measured_on_6_18() {
        let walk = Walk::default();
        let host = read_host::implicit(&walk, "host").unwrap();
        assert_eq!(host.ports.num_ephemeral(), 28_232);
        assert_eq!(host.time_wait, SimDuration::from_secs(60));
        assert_eq!(host.timer_grid, TimerGrid::LinuxWheel { hz: 250 });
        assert_eq!(host.selection, SelectionKind::Linux);
        assert_eq!(host.reuse_key, ReuseKey::FourTuple);
        assert_eq!((host.count, host.addresses), (1, 1));
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
