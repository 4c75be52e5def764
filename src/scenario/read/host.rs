//! `[host.NAME]`: a preset, and what overrides it.

use super::fields::Fields;
use super::ports::{listeners, port_set, range, sysctl_range};
use super::sysctl;
use super::tcp::{search_cost, tcp};
use crate::model::{FixedPort, Host, TimerGrid};
use crate::platform::Linux;
use crate::scenario::keys::{self, Place, REUSE_KEYS, SELECTIONS};
use crate::scenario::preset::{self, Preset};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::suggest::{instead, shown};
use crate::scenario::text::tree::{Entry, Node, Table};
use crate::scenario::text::walk::Walk;
use crate::units::SimTime;

/// The preset of a host that names none.
const USUAL_PRESET: &str = "linux";

/// A host and the preset below it; its clients come later.
#[derive(Debug)]
pub(crate) struct ReadHost {
    pub host: Host,
    pub preset: &'static Preset,
}

/// Reads the host of one entry of `[host]`.
pub(crate) fn host(walk: &Walk, entry: &Entry) -> Option<ReadHost> {
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
    walk.known_keys(&table, &name, &keys::names(Place::Host));
    let host = read(&fields(walk, &table, assumed), &entry.key, assumed);
    let preset = preset?;
    let host = host?;
    if host.usable_ports() == 0 {
        report_no_ports(walk, &table, &host, entry);
        return None;
    }
    Some(ReadHost { host, preset })
}

/// The host of a file that has none.
pub(crate) fn implicit(walk: &Walk, name: &str) -> Option<ReadHost> {
    let preset = preset::preset(USUAL_PRESET)?;
    let host = of_preset(walk, preset, name)?;
    Some(ReadHost { host, preset })
}

/// The host `name` that is as its preset has it.
pub(crate) fn of_preset(walk: &Walk, preset: &Preset, name: &str) -> Option<Host> {
    read(&fields(walk, &Table::default(), preset), name, preset)
}

fn named_preset(walk: &Walk, node: &Node) -> Option<&'static Preset> {
    let name = walk.text(node, "preset", "for example preset = \"linux\"")?;
    let found = preset::preset(&name);
    if found.is_none() {
        let names: Vec<&str> =
            preset::presets().iter().map(|preset| preset.name.as_str()).collect();
        let message = format!("there is no preset `{}`", shown(&name));
        let help = Linux::instead_of(&name).unwrap_or_else(|| instead(&name, &names, "preset"));
        let problem = Problem::at(node.at, message)
            .label("not known")
            .help(help)
            .help("`portsim presets` shows them all");
        walk.report(problem);
    }
    found
}

fn fields<'a>(walk: &'a Walk, table: &'a Table, preset: &'a Preset) -> Fields<'a> {
    Fields::new(walk, table, Place::Host).over(preset)
}

/// Reads every field before any failure counts, so that all mistakes are reported.
fn read(fields: &Fields<'_>, name: &str, preset: &Preset) -> Option<Host> {
    let walk = fields.walk;
    let count = fields.small("count");
    let addresses = fields.small("addresses");
    let ports = match fields.entry("ip_local_port_range") {
        Some(entry) => sysctl_range(walk, &entry.node),
        None => fields.maybe("ports", |node| range(walk, node, "ports")).flatten(),
    };
    let reserved = ["ip_local_reserved_ports", "reserved"];
    let reserved = reserved.into_iter().find(|key| fields.find(key).is_some());
    let reserved = reserved.unwrap_or("reserved");
    let reserved = fields.maybe(reserved, |node| port_set(walk, node, reserved));
    let listeners = fields.maybe("listeners", |node| listeners(walk, node, addresses));
    let time_wait = fields.time("time_wait");
    let timer_grid = grid(fields);
    let selection = fields.word("selection", SELECTIONS);
    let reuse_key = fields.word("reuse_key", REUSE_KEYS);
    let tcp = tcp(fields, preset);
    let search_cost = fields.maybe("search_cost", |node| search_cost(fields, node));
    let server = fields.maybe("server", |node| server(walk, node));
    let (listeners, squatters) = listeners?.unwrap_or_default();
    Some(Host {
        name: name.to_owned(),
        count: count?,
        addresses: addresses?,
        ports: ports?,
        reserved: reserved?.unwrap_or_default(),
        listeners,
        squatters,
        server: server?,
        time_wait: time_wait?,
        timer_grid: timer_grid?,
        selection: selection?,
        reuse_key: reuse_key?,
        tcp: tcp?,
        search_cost: search_cost?,
        gateway: None,
        clients: Vec::new(),
    })
}

/// A server that wants a port of its own.
fn server(walk: &Walk, node: &Node) -> Option<FixedPort> {
    let help = "for example server = { port = 60103, at = \"5 min\" }";
    let fields = Fields::open(walk, node, Place::Server, "server", help)?;
    let needed = ["port", "at"].map(|key| fields.need(key, node.at, "server").is_some());
    let (every, reuse_address) = (fields.time("every"), fields.flag("reuse_address"));
    if needed != [true; 2] {
        return None;
    }
    let (port, after) = (fields.small("port"), fields.time("at"));
    Some(FixedPort {
        port: u16::try_from(port?).ok()?,
        at: SimTime::START + after?,
        every: every?,
        reuse_address: reuse_address?,
    })
}

fn grid(fields: &Fields<'_>) -> Option<TimerGrid> {
    let hz = fields.small("hz")?;
    match hz {
        0 => Some(TimerGrid::Exact),
        // The slowest clock that any Linux port was ever built with.
        1..24 => {
            let problem = Problem::at(fields.find("hz")?.at, format!("hz = {hz} is not possible"))
                .label("too small")
                .help("Linux kernels are built with 100, 250, 300 or 1000")
                .help("write hz = 0 for timers that fire when they are due");
            fields.walk.report(problem);
            None
        }
        _ => Some(TimerGrid::LinuxWheel { hz }),
    }
}

fn report_no_ports(walk: &Walk, table: &Table, host: &Host, entry: &Entry) {
    let message = format!(
        "host `{}` has no port left: all {} of {} are reserved or listened on",
        shown(&host.name),
        host.ports.num_ephemeral(),
        host.ports,
    );
    let find = |keys: &[&str]| keys.iter().find_map(|key| table.get(key));
    let culprit = find(&["reserved", "ip_local_reserved_ports", "listeners"]);
    let at = culprit.map_or(entry.key_at, |entry| entry.node.at);
    let mut problem = Problem::at(at, message)
        .label("takes all ports away")
        .help("reserve fewer ports, or write a wider range");
    if let Some(range) = find(&["ports", "ip_local_port_range"]) {
        problem = problem.context(range.node.at, "the range");
    }
    walk.report(problem);
}
