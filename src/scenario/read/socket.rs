//! How a client comes by its ports: the call, and the options of its sockets.

use super::fields::Fields;
use super::host::ReadHost;
use super::ports::{port_set, range};
use crate::model::{Binds, PortRange, PortSet, SocketOptions};
use crate::scenario::keys::{self, BINDS, Place};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::tree::{Node, Table, Value};
use crate::scenario::text::walk::Walk;

/// A client's keys, and the host that it runs on where that could be read.
pub(crate) struct Socket<'a> {
    pub fields: Fields<'a>,
    pub host: Option<&'a ReadHost>,
}

impl Socket<'_> {
    /// The call and the options.
    pub fn read(&self) -> Option<(Binds, SocketOptions)> {
        let binds = self.binds();
        let reuse_address = self.reuse("reuse_address", "SO_REUSEADDR");
        let reuse_port = self.reuse("reuse_port", "SO_REUSEPORT");
        let port_range = self.port_range(binds.as_ref().is_some_and(|(b, _)| *b == Binds::Port));
        let address = self.address();
        let (binds, source_ports) = binds?;
        let options = SocketOptions {
            reuse_address: reuse_address?,
            reuse_port: reuse_port?,
            port_range: port_range?,
            address: address?,
            source_ports,
        };
        Some((binds, options))
    }

    fn binds(&self) -> Option<(Binds, PortSet)> {
        let node = self.fields.value("binds")?;
        let help = "to bind to ports of its own choice: binds = { ports = \"40000-40009\" }";
        match &node.value {
            Value::Table(table) => self.own_ports(node, table, help),
            Value::Integer(_) | Value::List(_) => {
                self.fields.walk.wrong_kind(node, "binds", "a word or a table", help);
                None
            }
            _ => {
                let binds = self.fields.word("binds", BINDS)?;
                let lacks = |host: &ReadHost| host.preset.lacks("IP_BIND_ADDRESS_NO_PORT", node.at);
                let lacking = self.host.filter(|_| binds == Binds::BindNoPort).and_then(lacks);
                if let Some(problem) = lacking {
                    let help = "binds = \"bind\" is what it can do; preset = \"linux\" is newer";
                    self.fields.walk.report(problem.help(help));
                    return None;
                }
                Some((binds, PortSet::default()))
            }
        }
    }

    /// `{ port = 40010 }` or `{ ports = "40000-40009" }`.
    fn own_ports(&self, node: &Node, table: &Table, help: &str) -> Option<(Binds, PortSet)> {
        let walk = self.fields.walk;
        walk.known_keys(table, "binds", &keys::names(Place::OwnPorts));
        let (key, entry) = match (table.get("port"), table.get("ports")) {
            (Some(port), None) => ("port", port),
            (None, Some(ports)) => ("ports", ports),
            (Some(port), Some(ports)) => {
                let message = "`port` and `ports` cannot both be given";
                let problem = Problem::at(ports.key_at, message)
                    .label("this one is too much")
                    .context(port.key_at, "given here")
                    .help("write all of them into `ports`");
                walk.report(problem);
                return None;
            }
            (None, None) => {
                if table.entries.is_empty() {
                    let problem = Problem::at(node.at, "binds names no port").label("empty");
                    walk.report(problem.help(help));
                }
                return None;
            }
        };
        let ports = port_set(walk, &entry.node, key)?;
        if ports.ports().is_empty() {
            let problem = Problem::at(entry.node.at, "binds names no port").label("empty");
            walk.report(problem.help(help));
            return None;
        }
        Some((Binds::Port, ports))
    }

    fn reuse(&self, key: &str, option: &str) -> Option<bool> {
        let set = self.fields.flag(key)?;
        if set && !self.on_linux() {
            self.not_linux(self.fields.find(key)?, &format!("what {option} does to ports"));
            return None;
        }
        Some(set)
    }

    fn port_range(&self, explicit: bool) -> Option<Option<PortRange>> {
        let walk = self.fields.walk;
        let Some(node) = self.fields.find("port_range") else { return Some(None) };
        let range = range(walk, node, "port_range")?;
        if explicit && let Some(binds) = self.fields.find("binds") {
            let message = "`port_range` says nothing where `binds` names the port";
            let problem = Problem::at(node.at, message)
                .label("IP_LOCAL_PORT_RANGE is for ports that the kernel chooses")
                .context(binds.at, "chosen here")
                .help("keep one of them");
            walk.report(problem);
            return None;
        }
        if !self.on_linux() {
            self.not_linux(node, "IP_LOCAL_PORT_RANGE");
            return None;
        }
        let Some(host) = self.host else { return Some(Some(range)) };
        if let Some(problem) = host.preset.lacks("IP_LOCAL_PORT_RANGE", node.at) {
            let help = "take port_range out, or give the host a newer kernel: preset = \"linux\"";
            walk.report(problem.help(help));
            return None;
        }
        warn_of_outside(walk, node, range, host.host.ports);
        Some(Some(range))
    }

    fn address(&self) -> Option<Option<u32>> {
        let Some(node) = self.fields.find("address") else { return Some(None) };
        let most = self.host.map_or(65_536, |host| host.host.addresses);
        let number = self.fields.walk.small_integer(node, "address", 1, most)?;
        Some(Some(number - 1))
    }

    /// Is it on Linux, or perhaps so because its host could not be read?
    fn on_linux(&self) -> bool {
        self.host.is_none_or(|host| host.host.is_linux())
    }

    fn not_linux(&self, node: &Node, what: &str) {
        let message = format!("{what} is modelled for Linux only");
        let preset = self.host.map_or("", |host| &host.preset.name);
        let problem = Problem::at(node.at, message)
            .label("its host does not choose ports as Linux does")
            .help(format!("take it out: the host has preset = \"{preset}\""));
        self.fields.walk.report(problem);
    }
}

/// Says what becomes of a range that does not lie inside the host's: each end counts where it does
/// (`net/ipv4/inet_connection_sock.c:inet_sk_get_local_port_range`, Linux 6.18).
fn warn_of_outside(walk: &Walk, node: &Node, range: PortRange, host: PortRange) {
    let (min, max) = (range.min_ephemeral(), range.max_ephemeral());
    let (low, high) = match (host.contains(min), host.contains(max)) {
        (true, true) => return,
        (true, false) => (min, host.max_ephemeral()),
        (false, true) => (host.min_ephemeral(), max),
        (false, false) => (host.min_ephemeral(), host.max_ephemeral()),
    };
    let outcome = match (low, high) == (host.min_ephemeral(), host.max_ephemeral()) {
        true => format!("the whole range {host} remains"),
        false => format!("{low}-{high} remains"),
    };
    let message = format!("port_range {range} does not lie inside {host}: {outcome}");
    let problem = Problem::at(node.at, message)
        .label("the kernel ignores an end outside the host's range")
        .help(format!("write both ends from {} to {}", host.min_ephemeral(), host.max_ephemeral()));
    walk.warn(problem);
}
