//! `portsim inspect 60103`: who has this port.

use std::collections::BTreeMap;

use portsim::inspect::{
    self, Owners, PortClass, Protocol, Service, Socket, System, TcpState, Unreadable, own_command,
};
use portsim::numbers::{count, plural, span};
use portsim::report::inspection::ProcessDocument;
use serde::Serialize;

use super::super::Status;
use super::super::args::{InspectArgs, InspectFormat};
use super::super::terminal::{self, BOLD, GOOD, OPEN, Terminal, styled, tame, wrap};
use super::names::Names;
use super::picture;
use super::table::{TableColumn, table};

/// Sockets that are listed; a server's port can have a hundred thousand.
const ROWS: usize = 20;

/// Everything about one port.
struct PortUse {
    port: u16,
    /// Nothing where the range cannot be read; the port may be somebody's all the same.
    system: Option<System>,
    /// Those whose own port it is, listeners first.
    sockets: Vec<Socket>,
    /// Connections of this machine to that port of other machines.
    towards: usize,
    owners: Owners,
    services: Vec<(Protocol, Service)>,
}

pub(super) fn inspect(args: &InspectArgs, port: u16) -> Status {
    if args.format == InspectFormat::Prometheus {
        terminal::error("a page for Prometheus is of the whole machine: leave out the port");
        return Status::WrongInput;
    }
    let seen = match PortUse::now(port) {
        Ok(seen) => seen,
        Err(unreadable) => return super::refused(&unreadable),
    };
    let many = args.top.unwrap_or(ROWS);
    let mut terminal = Terminal::new(args.quiet);
    let text = match args.format {
        InspectFormat::Json => seen.document(many),
        _ => {
            let shown = seen.sockets.iter().take(many).map(|socket| socket.remote.ip());
            let mut names = Names::default();
            if args.resolve {
                names.ask(shown.collect());
            }
            seen.picture(&names, many, terminal::width())
        }
    };
    match super::deliver(args.out.as_deref(), &text, &mut terminal) {
        Ok(()) => terminal.status(),
        Err(()) => Status::CouldNotFinish,
    }
}

impl PortUse {
    fn now(port: u16) -> Result<Self, Unreadable> {
        let mut all = inspect::sockets(Protocol::Tcp)?;
        all.extend(inspect::sockets(Protocol::Udp)?);
        let towards = all.iter().filter(|socket| socket.remote.port() == port).count();
        let mut sockets: Vec<Socket> =
            all.into_iter().filter(|socket| socket.local.port() == port).collect();
        sockets.sort_by_key(|s| (s.is_connection(), s.protocol, s.state, s.local, s.remote));
        let owners = inspect::owners(&sockets);
        let services = [Protocol::Tcp, Protocol::Udp]
            .into_iter()
            .filter_map(|protocol| Some((protocol, inspect::service(port, protocol)?)))
            .collect();
        Ok(Self { port, system: inspect::system().ok(), sockets, towards, owners, services })
    }

    fn picture(&self, names: &Names, many: usize, width: usize) -> String {
        let style = if self.sockets.is_empty() { GOOD } else { BOLD };
        let mut text = format!("{}\n\n", styled(style, wrap(&self.verdict(), width, 0)));
        for (name, told) in self.facts() {
            text += &format!("{}\n", wrap(&format!("{name:9}{told}"), width, 9));
        }
        text += &self.listing(names, many, width);
        for note in self.notes() {
            text += &format!("\n{}\n", styled(OPEN, wrap(&note, width, 0)));
        }
        for (what, command) in self.commands() {
            // Not broken: it is there to be copied.
            let command = command.replace('\n', "\n  ");
            text += &format!("\n{}\n  {command}\n", wrap(what, width, 0));
        }
        text
    }

    /// Who has it, in a sentence.
    fn verdict(&self) -> String {
        let port = self.port;
        if self.sockets.is_empty() {
            return format!(
                "Port {port} is nobody's now: no TCP or UDP socket of this machine has it."
            );
        }
        let first = &self.sockets[0];
        let holder = self.holder(first);
        let sentence = if first.state == TcpState::TimeWait {
            format!("Port {port} is in TIME-WAIT: no process holds it any more{}", back(first))
        } else if first.is_connection() {
            format!("Port {port} is the source port of a connection to {}: {holder}", first.remote)
        } else {
            let does = match (first.protocol, first.state) {
                (Protocol::Udp, _) => "receives",
                (_, TcpState::Listen) => "listens",
                _ => "is bound",
            };
            format!("Port {port}: {holder} {does} on {} ({})", first.local, first.protocol)
        };
        match self.sockets.len() - 1 {
            0 => format!("{sentence}."),
            more => format!(
                "{sentence}; {} too.",
                plural(more as u64, "other socket has it", "other sockets have it")
            ),
        }
    }

    /// `postgres (4711) of user postgres`.
    fn holder(&self, socket: &Socket) -> String {
        let holders = self.owners.of(socket);
        let user = socket.uid.map(picture::user);
        match holders[..] {
            [] if socket.state == TcpState::TimeWait => String::new(),
            [] if nobodys(socket) => match socket.state {
                TcpState::Established => "nobody yet: it waits to be accepted".to_owned(),
                TcpState::SynReceived => "nobody yet: the handshake is under way".to_owned(),
                _ => "nobody: its program has closed it".to_owned(),
            },
            [] => user.map_or_else(
                || "a process that cannot be seen".to_owned(),
                |user| format!("a process of {user} that cannot be seen"),
            ),
            [first, ..] => {
                let named: Vec<String> =
                    holders.iter().take(3).map(|p| picture::named(p)).collect();
                let more = holders.len().saturating_sub(3);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let user = first.user.as_ref().map(|name| format!("user {}", tame(name))).or(user);
                let user = user.map_or_else(String::new, |user| format!(" of {user}"));
                format!("{}{more}{user}", named.join(", "))
            }
        }
    }

    /// What is true of the port whoever has it.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let class: PortClass = inspect::class(self.port);
        let (lowest, highest) = class.bounds();
        let mut facts =
            vec![("class", format!("{class} ({lowest}-{highest}): {}", class.meaning()))];
        facts.push(("service", self.service()));
        if let Some(system) = &self.system {
            facts.push(("range", self.range(system)));
        }
        if self.towards > 0 {
            let connections = plural(self.towards as u64, "connection", "connections");
            let told = format!("{connections} of this machine go to a port {}", self.port);
            facts.push(("towards", told));
        }
        facts
    }

    fn service(&self) -> String {
        let told: Vec<String> = self
            .services
            .iter()
            .map(|(protocol, service)| {
                format!("{} over {protocol} ({})", tame(&service.name), service.source)
            })
            .collect();
        if told.is_empty() { "none is registered".to_owned() } else { told.join(", ") }
    }

    fn range(&self, system: &System) -> String {
        let range = system.range;
        let port = self.port;
        if !range.contains(port) {
            return format!(
                "outside this machine's dynamic range {range}: connect() never chooses it"
            );
        }
        if system.reserved.contains(port) {
            return format!(
                "inside this machine's dynamic range {range}, but reserved: connect() never chooses it"
            );
        }
        if self.squatted() {
            return format!(
                "inside this machine's dynamic range {range}: while it is bound, connect() cannot choose \
                 it for any destination"
            );
        }
        format!("inside this machine's dynamic range {range}: connect() may choose it at any time")
    }

    fn squatted(&self) -> bool {
        self.sockets.iter().any(|s| s.protocol == Protocol::Tcp && !s.is_connection())
    }

    fn listing(&self, names: &Names, many: usize, width: usize) -> String {
        if self.sockets.is_empty() {
            return String::new();
        }
        let told = &self.sockets[..self.sockets.len().min(many)];
        let column = |cell: &dyn Fn(&Socket) -> String| told.iter().map(cell).collect::<Vec<_>>();
        let state = |socket: &Socket| match socket.protocol {
            Protocol::Udp if !socket.is_connection() => "bound".to_owned(),
            _ => format!("{}{}", socket.state, back(socket).replace("; it comes", ",")),
        };
        let remote = |socket: &Socket| match socket.is_connection() {
            true => names.endpoint(socket.remote),
            false => String::new(),
        };
        let columns = vec![
            TableColumn::words("state", 0, column(&state)),
            TableColumn::words("over", 1, column(&|socket| socket.protocol.to_string())),
            TableColumn::words("local", 2, column(&|socket| socket.local.to_string())),
            TableColumn::words("remote", 0, column(&remote)),
            TableColumn::words("held by", 0, column(&|socket| self.holder(socket))),
        ];
        let mut text = format!("\n{}", table(columns, width));
        if self.sockets.len() > told.len() {
            let left = count((self.sockets.len() - told.len()) as u64);
            text += &format!("and {left} more ({}); --top N lists more\n", self.by_state());
        }
        text
    }

    /// `12 ESTABLISHED, 3 TIME-WAIT` of all that have the port.
    fn by_state(&self) -> String {
        let mut states: BTreeMap<TcpState, u64> = BTreeMap::new();
        self.sockets.iter().for_each(|socket| *states.entry(socket.state).or_default() += 1);
        let parts: Vec<String> =
            states.iter().map(|(state, &number)| format!("{} {state}", count(number))).collect();
        format!("in all {}", parts.join(", "))
    }

    /// What could not be seen.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let nameless = self
            .sockets
            .iter()
            .any(|socket| socket.state != TcpState::TimeWait && self.owners.of(socket).is_empty());
        if nameless && self.owners.unseen > 0 {
            notes.push(format!(
                "Not seen: the open files of {}; run it as root to see which of them it is.",
                plural(self.owners.unseen.into(), "process", "processes")
            ));
        } else if nameless {
            notes.push(
                "Not seen: no process on this machine that could be read has this socket open. It may \
                 be the kernel's own, or of a process in another namespace."
                    .to_owned(),
            );
        }
        notes
    }

    /// Commands to copy, each with what it is for.
    fn commands(&self) -> Vec<(&'static str, String)> {
        let exposed = |system: &&System| {
            let free = system.range.contains(self.port) && !system.reserved.contains(self.port);
            cfg!(target_os = "linux") && self.squatted() && free
        };
        let mut commands = Vec::new();
        if let Some(system) = self.system.as_ref().filter(exposed) {
            let ports = reserved_with(system, self.port);
            commands.push((
                "When its program restarts, a connection may have taken the port meanwhile. To keep it free:",
                format!("sysctl -w net.ipv4.ip_local_reserved_ports={ports}"),
            ));
        }
        commands.push(("The system's own command for this:", own_command(self.port)));
        commands
    }

    fn document(&self, many: usize) -> String {
        let class = inspect::class(self.port);
        let socket = |socket: &Socket| SocketDocument {
            protocol: socket.protocol.to_string(),
            state: socket.state.name(),
            local: socket.local.to_string(),
            remote: socket.is_connection().then(|| socket.remote.to_string()),
            remaining_s: socket.remaining.map(|left| left.as_secs_f64()),
            user: socket.uid.map(|uid| inspect::user(uid).unwrap_or_else(|| uid.to_string())),
            holders: self.owners.of(socket).into_iter().map(ProcessDocument::new).collect(),
        };
        let document = PortDocument {
            version: env!("CARGO_PKG_VERSION"),
            port: self.port,
            verdict: self.verdict(),
            class: match class {
                PortClass::System => "system",
                PortClass::User => "user",
                PortClass::Dynamic => "dynamic",
            },
            services: self
                .services
                .iter()
                .map(|(protocol, service)| (protocol.to_string(), service.name.clone()))
                .collect(),
            range: self.system.as_ref().map(|system| system.range.to_string()),
            in_range: self.system.as_ref().map(|system| system.range.contains(self.port)),
            reserved: self.system.as_ref().map(|system| system.reserved.contains(self.port)),
            connections_to_it_elsewhere: self.towards,
            num_sockets: self.sockets.len(),
            sockets: self.sockets.iter().take(many).map(socket).collect(),
            unseen_processes: self.owners.unseen,
            own_command: own_command(self.port),
        };
        serde_json::to_string_pretty(&document).expect("plain structs are always JSON") + "\n"
    }
}

/// Has no process any socket like it? Linux gives a file's number to those only that some process has, or
/// had and passed on.
fn nobodys(socket: &Socket) -> bool {
    socket.state == TcpState::TimeWait || (cfg!(target_os = "linux") && socket.inode == 0)
}

/// `; it comes back in 12 s`, for a TIME-WAIT.
fn back(socket: &Socket) -> String {
    socket
        .remaining
        .map_or_else(String::new, |left| format!("; it comes back in {}", span(left.as_secs_f64())))
}

/// The reserved ports of `system` and `port` as the sysctl wants them: setting it replaces all.
fn reserved_with(system: &System, port: u16) -> String {
    let mut ports: Vec<u16> = system.reserved.ports().iter().copied().chain([port]).collect();
    ports.sort_unstable();
    let runs = ports.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [one] => one.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    });
    runs.collect::<Vec<_>>().join(",")
}

#[derive(Serialize)]
struct PortDocument {
    version: &'static str,
    port: u16,
    verdict: String,
    class: &'static str,
    services: BTreeMap<String, String>,
    range: Option<String>,
    in_range: Option<bool>,
    reserved: Option<bool>,
    connections_to_it_elsewhere: usize,
    num_sockets: usize,
    sockets: Vec<SocketDocument>,
    unseen_processes: u32,
    own_command: String,
}

#[derive(Serialize)]
struct SocketDocument {
    protocol: String,
    state: &'static str,
    local: String,
    remote: Option<String>,
    remaining_s: Option<f64>,
    user: Option<String>,
    holders: Vec<ProcessDocument>,
}
