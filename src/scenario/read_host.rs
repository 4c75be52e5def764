//! `[host.NAME]`: a preset, and what overrides it.

use super::preset::{self, Preset, REUSE_KEYS, SELECTIONS};
use super::problem::Problem;
use super::read_ports::{listeners, port_set, range, sysctl_range};
use super::source::Span;
use super::suggest::{instead, shown};
use super::sysctl;
use super::tree::{Entry, Node, Table};
use super::walk::Walk;
use crate::model::{Host, PortRange, PortSet, Squatter, TimerGrid};
use crate::platform::Linux;

/// The keys of `[host.NAME]`; sysctls may be written there by their whole names too.
pub(super) const KEYS: [&str; 27] = [
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
    "ip_local_port_range",
    "ip_local_reserved_ports",
    "tcp_tw_reuse",
    "tcp_tw_reuse_delay",
    "tcp_timestamps",
    "tcp_max_tw_buckets",
    "tcp_fin_timeout",
    "tcp_syn_retries",
    "tcp_syn_linear_timeouts",
    "ip_autobind_reuse",
    "sysctl",
    "tw_reuse_clock",
    "buckets_reopen",
    "narrow_range_by_one",
    "connect_timeout",
    "fin_wait_2",
    "search_cost",
];

/// The preset of a host that names none.
const USUAL_PRESET: &str = "linux";

/// A host and the preset below it; its clients come later.
#[derive(Debug)]
pub(super) struct ReadHost {
    pub host: Host,
    pub preset: &'static Preset,
}

/// Reads the host of one entry of `[host]`.
pub(super) fn host(walk: &Walk, entry: &Entry) -> Option<ReadHost> {
    let name = format!("[host.{}]", shown(&entry.key));
    let Some(written) = entry.node.as_table() else {
        let help = format!("write a line {name} and its keys below it");
        walk.wrong_kind(&entry.node, &name, "a table", &help);
        return None;
    };
    let preset = match written.get("preset") {
        Some(entry) => named_preset(walk, &entry.node),
        None => preset::preset(USUAL_PRESET),
    };
    // With an unknown preset, what the host itself says is still checked.
    let assumed = preset.or_else(|| preset::preset(USUAL_PRESET))?;
    let table = sysctl::native(walk, written, assumed);
    walk.known_keys(&table, &name, &KEYS);
    let fields = Fields { walk, table: &table, preset: assumed };
    let host = fields.read(&entry.key);
    let preset = preset?;
    let host = host?;
    if host.usable_ports() == 0 {
        fields.report_no_ports(&host, entry);
        return None;
    }
    Some(ReadHost { host, preset })
}

/// The host of a file that has none.
pub(super) fn implicit(walk: &Walk, name: &str) -> Option<ReadHost> {
    let preset = preset::preset(USUAL_PRESET)?;
    let host = Fields { walk, table: &Table::default(), preset }.read(name)?;
    Some(ReadHost { host, preset })
}

/// Reads a preset as a host, to see that it makes one.
#[cfg(test)]
pub(super) fn of_preset(walk: &Walk, preset: &'static Preset) -> Option<Host> {
    Fields { walk, table: &Table::default(), preset }.read(&preset.name)
}

fn named_preset(walk: &Walk, node: &Node) -> Option<&'static Preset> {
    let name = walk.text(node, "preset", "for example preset = \"linux\"")?;
    let found = preset::preset(&name);
    if found.is_none() {
        let message = format!("there is no preset `{}`", shown(&name));
        let names: Vec<&str> =
            preset::presets().iter().map(|preset| preset.name.as_str()).collect();
        let help = Linux::instead_of(&name).unwrap_or_else(|| instead(&name, &names, "preset"));
        let problem = Problem::at(node.at, message)
            .label("not known")
            .help(help)
            .help("`portsim presets` shows them all");
        walk.report(problem);
    }
    found
}

/// A host's keys over those of its preset.
pub(super) struct Fields<'a> {
    pub walk: &'a Walk,
    pub table: &'a Table,
    pub preset: &'a Preset,
}

impl Fields<'_> {
    /// What the file says of `key`, else what the preset says.
    pub fn find(&self, key: &str) -> Option<&Node> {
        self.table.get(key).map(|entry| &entry.node).or_else(|| self.preset.node(key))
    }

    /// Is this value the preset's, and not the file's?
    pub fn is_from_preset(&self, node: &Node) -> bool {
        node.at == Span::BUILT_IN
    }

    /// Reads every field before any failure counts, so that all mistakes are reported.
    fn read(&self, name: &str) -> Option<Host> {
        let walk = self.walk;
        let count = self.count("count", 1_000_000);
        let addresses = self.count("addresses", 65_536);
        let ports = self.range();
        let reserved = self.reserved();
        let listeners = self.listeners(addresses);
        let time_wait = self.find("time_wait").and_then(|node| walk.duration(node, "time_wait"));
        let timer_grid = self.find("hz").and_then(|node| self.grid(node));
        let selection =
            self.find("selection").and_then(|node| walk.choice(node, "selection", &SELECTIONS));
        let reuse_key =
            self.find("reuse_key").and_then(|node| walk.choice(node, "reuse_key", &REUSE_KEYS));
        let tcp = self.tcp();
        let search_cost = self.search_cost();
        let (listeners, squatters) = listeners?;
        Some(Host {
            name: name.to_owned(),
            count: count?,
            addresses: addresses?,
            ports: ports?,
            reserved: reserved?,
            listeners,
            squatters,
            time_wait: time_wait?,
            timer_grid: timer_grid?,
            selection: selection?,
            reuse_key: reuse_key?,
            tcp: tcp?,
            search_cost: search_cost?,
            clients: Vec::new(),
        })
    }

    fn count(&self, key: &str, most: u32) -> Option<u32> {
        match self.find(key) {
            Some(node) => self.walk.small_integer(node, key, 1, most),
            None => Some(1),
        }
    }

    fn range(&self) -> Option<PortRange> {
        match self.table.get("ip_local_port_range") {
            Some(entry) => sysctl_range(self.walk, &entry.node),
            None => range(self.walk, self.find("ports")?, "ports"),
        }
    }

    fn reserved(&self) -> Option<PortSet> {
        let keys = ["ip_local_reserved_ports", "reserved"];
        match keys.into_iter().find_map(|key| Some((key, self.find(key)?))) {
            Some((key, node)) => port_set(self.walk, node, key),
            None => Some(PortSet::default()),
        }
    }

    fn listeners(&self, addresses: Option<u32>) -> Option<(PortSet, Vec<Squatter>)> {
        match self.find("listeners") {
            Some(node) => listeners(self.walk, node, addresses),
            None => Some((PortSet::default(), Vec::new())),
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

    fn report_no_ports(&self, host: &Host, entry: &Entry) {
        let message = format!(
            "host `{}` has no port left: all {} of {} are reserved or listened on",
            shown(&host.name),
            host.ports.num_ephemeral(),
            host.ports,
        );
        let find = |keys: &[&str]| keys.iter().find_map(|key| self.table.get(key));
        let culprit = find(&["reserved", "ip_local_reserved_ports", "listeners"]);
        let at = culprit.map_or(entry.key_at, |entry| entry.node.at);
        let mut problem = Problem::at(at, message)
            .label("takes all ports away")
            .help("reserve fewer ports, or write a wider range");
        if let Some(range) = find(&["ports", "ip_local_port_range"]) {
            problem = problem.context(range.node.at, "the range");
        }
        self.walk.report(problem);
    }
}
