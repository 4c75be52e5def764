//! `[host.NAME]`: a preset, and what overrides it.

use super::port_text::port_list;
use super::preset::{self, Preset};
use super::problem::Problem;
use super::suggest::{instead, shown};
use super::tree::{Entry, Node, Table, Value};
use super::walk::Walk;
use crate::model::{Host, PortSet, ReuseKey, SelectionKind, TcpSettings, TimerGrid};

/// The keys of `[host.NAME]`.
pub(super) const KEYS: [&str; 10] = [
    "preset",
    "count",
    "addresses",
    "ports",
    "reserved",
    "listeners",
    "time_wait",
    "hz",
    "selection",
    "reuse_key",
];

/// The preset of a host that names none.
const USUAL_PRESET: &str = "linux";

const SELECTIONS: [(&str, SelectionKind); 7] = [
    ("linux", SelectionKind::Linux),
    ("simple_randomization", SelectionKind::SimpleRandomization),
    ("another_simple_randomization", SelectionKind::AnotherSimpleRandomization),
    ("simple_hash", SelectionKind::SimpleHash),
    ("double_hash", SelectionKind::DoubleHash),
    ("random_increments", SelectionKind::RandomIncrements),
    ("sequential", SelectionKind::Sequential),
];

const REUSE_KEYS: [(&str, ReuseKey); 3] = [
    ("four-tuple", ReuseKey::FourTuple),
    ("source-address", ReuseKey::SourceAddress),
    ("host", ReuseKey::Host),
];

/// Reads the host of one entry of `[host]`; its clients come later.
pub(super) fn host(walk: &Walk, entry: &Entry) -> Option<Host> {
    let name = format!("[host.{}]", shown(&entry.key));
    let help = format!("write a line {name} and its keys below it");
    let table = walk.table(&entry.node, &name, &KEYS, &help)?;
    let preset = match table.get("preset") {
        Some(entry) => named_preset(walk, &entry.node),
        None => preset::find(USUAL_PRESET),
    };
    // With an unknown preset, what the host itself says is still checked.
    let fields = Fields { walk, table, preset: preset.or_else(|| preset::find(USUAL_PRESET))? };
    let host = fields.read(&entry.key);
    preset?;
    let host = host?;
    if host.usable_ports() == 0 {
        fields.report_no_ports(&host, entry);
        return None;
    }
    Some(host)
}

/// The host of a file that has none.
pub(super) fn implicit(walk: &Walk, name: &str) -> Option<Host> {
    let preset = preset::find(USUAL_PRESET)?;
    Fields { walk, table: &Table::default(), preset }.read(name)
}

/// Reads a preset as a host, to see that it makes one.
#[cfg(test)]
pub(super) fn of_preset(walk: &Walk, preset: &'static Preset) -> Option<Host> {
    Fields { walk, table: &Table::default(), preset }.read(&preset.name)
}

fn named_preset(walk: &Walk, node: &Node) -> Option<&'static Preset> {
    let name = walk.text(node, "preset", "for example preset = \"linux\"")?;
    let found = preset::find(&name);
    if found.is_none() {
        let names: Vec<&str> =
            preset::presets().iter().map(|preset| preset.name.as_str()).collect();
        let message = format!("there is no preset `{}`", shown(&name));
        let problem = Problem::at(node.at, message)
            .label("not known")
            .help(instead(&name, &names, "preset"))
            .help("`portsim presets` shows them all");
        walk.report(problem);
    }
    found
}

/// A host's keys over those of its preset.
struct Fields<'a> {
    walk: &'a Walk,
    table: &'a Table,
    preset: &'a Preset,
}

impl Fields<'_> {
    /// What the file says of `key`, else what the preset says.
    fn find(&self, key: &str) -> Option<&Node> {
        self.table.get(key).map(|entry| &entry.node).or_else(|| self.preset.node(key))
    }

    /// Reads every field before any failure counts, so that all mistakes are reported.
    fn read(&self, name: &str) -> Option<Host> {
        let walk = self.walk;
        let count = self.count("count", 1_000_000);
        let addresses = self.count("addresses", 65_536);
        let ports = self.find("ports").and_then(|node| self.range(node));
        let reserved = self.ports("reserved");
        let listeners = self.ports("listeners");
        let time_wait = self.find("time_wait").and_then(|node| walk.duration(node, "time_wait"));
        let timer_grid = self.find("hz").and_then(|node| self.grid(node));
        let selection =
            self.find("selection").and_then(|node| walk.choice(node, "selection", &SELECTIONS));
        let reuse_key =
            self.find("reuse_key").and_then(|node| walk.choice(node, "reuse_key", &REUSE_KEYS));
        Some(Host {
            name: name.to_owned(),
            count: count?,
            addresses: addresses?,
            ports: ports?,
            reserved: reserved?,
            listeners: listeners?,
            squatters: Vec::new(),
            time_wait: time_wait?,
            timer_grid: timer_grid?,
            selection: selection?,
            reuse_key: reuse_key?,
            tcp: TcpSettings::default(),
            search_cost: None,
            clients: Vec::new(),
        })
    }

    fn count(&self, key: &str, most: u32) -> Option<u32> {
        match self.find(key) {
            Some(node) => self.walk.small_integer(node, key, 1, most),
            None => Some(1),
        }
    }

    fn range(&self, node: &Node) -> Option<crate::model::PortRange> {
        if let Value::List(items) = &node.value
            && let [
                Node { value: Value::Integer(Some(low)), .. },
                Node { value: Value::Integer(Some(high)), .. },
            ] = items.as_slice()
        {
            let help = format!("write ports = \"{low}-{high}\"");
            self.walk.wrong_kind(node, "ports", "a range in quotes", &help);
            return None;
        }
        let help = "for example ports = \"32768-60999\"";
        let Value::Text(text) = &node.value else {
            self.walk.wrong_kind(node, "ports", "a range in quotes", help);
            return None;
        };
        match super::port_text::port_range(text) {
            Ok(range) => Some(range),
            Err(wrong) => {
                self.walk.report_wrong(node, text, wrong);
                None
            }
        }
    }

    fn grid(&self, node: &Node) -> Option<TimerGrid> {
        let hz = self.walk.small_integer(node, "hz", 0, 10_000)?;
        match hz {
            0 => Some(TimerGrid::Exact),
            // The slowest clock that any Linux port was ever built with.
            1..24 => {
                let problem = Problem::at(node.at, format!("hz = {hz} is not possible"))
                    .label("too small")
                    .help("Linux kernels are built with 100, 250, 300 or 1000")
                    .help("write hz = 0 for timers that fire when they are due");
                self.walk.report(problem);
                None
            }
            _ => Some(TimerGrid::LinuxWheel { hz }),
        }
    }

    /// A set of ports: a list of numbers and texts, or one text with commas.
    fn ports(&self, key: &str) -> Option<PortSet> {
        let Some(node) = self.find(key) else { return Some(PortSet::default()) };
        let mut chosen = vec![false; 65_536];
        let fine = match &node.value {
            Value::List(items) => {
                let mut fine = true;
                for item in items {
                    fine &= self.add_ports(item, key, &mut chosen);
                }
                fine
            }
            _ => self.add_ports(node, key, &mut chosen),
        };
        fine.then(|| (1..=u16::MAX).filter(|&port| chosen[usize::from(port)]).collect())
    }

    fn add_ports(&self, node: &Node, key: &str, chosen: &mut [bool]) -> bool {
        let walk = self.walk;
        match &node.value {
            Value::Integer(number) => match walk.port(node, *number) {
                Some(port) => {
                    chosen[usize::from(port)] = true;
                    true
                }
                None => false,
            },
            Value::Text(text) => match port_list(text) {
                Ok(ranges) => {
                    for range in ranges {
                        let (low, high) = (range.min_ephemeral(), range.max_ephemeral());
                        chosen[usize::from(low)..=usize::from(high)].fill(true);
                    }
                    true
                }
                Err(wrongs) => {
                    for wrong in wrongs {
                        walk.report_wrong(node, text, wrong);
                    }
                    false
                }
            },
            _ => {
                let help = format!("for example {key} = [60103, \"40000-40009\"]");
                walk.wrong_kind(node, key, "a list of ports", &help);
                false
            }
        }
    }

    fn report_no_ports(&self, host: &Host, entry: &Entry) {
        let message = format!(
            "host `{}` has no port left: all {} of {} are reserved or listened on",
            shown(&host.name),
            host.ports.num_ephemeral(),
            host.ports,
        );
        let culprit = ["reserved", "listeners"].into_iter().find_map(|key| self.table.get(key));
        let at = culprit.map_or(entry.key_at, |entry| entry.node.at);
        let mut problem = Problem::at(at, message)
            .label("takes all ports away")
            .help("reserve fewer ports, or write a wider range");
        if let Some(range) = self.table.get("ports") {
            problem = problem.context(range.node.at, "the range");
        }
        self.walk.report(problem);
    }
}
