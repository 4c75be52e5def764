//! The world that a run simulates: hosts, the clients on them, and where these connect to.
//!
//! Plain data, checked before it is run: `scenario` makes it out of what a person wrote; a program builds it
//! by hand out of [`Host::linux`], [`Client::poisson`] and the like, names what differs and leaves the rest
//! to `..`. What changes while a run goes on is said by further worlds, each from an instant on.

use std::sync::Arc;

use super::gateway::Gateway;
use super::keep_alive::{KeepAlive, ServerKeeps};
use super::rates::Rates;
use super::retries::Retries;
use super::tcp::{SearchCost, SocketOptions, TcpSettings};
use super::timer::TimerGrid;
use super::{PortRange, PortSet};
use crate::units::{SimDuration, SimTime};

/// Everything that one run simulates.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// The hosts; those that share no limit never influence each other.
    pub hosts: Vec<Host>,
    /// What clients connect to; [`Target::destination`] is an index into this.
    pub destinations: Vec<Destination>,
    /// What connections pass on their way; [`Host::gateway`] is an index into this.
    pub gateways: Vec<Gateway>,
    /// What becomes of it while a run goes on, in the order of time.
    pub changes: Vec<Change>,
}

/// A change of the world in the middle of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// From when on; after the start, and never before that of the change before it.
    pub at: SimTime,
    /// What changes, as a person would say it: `client.web.arrivals.rate = "900 / s"`.
    pub what: String,
    /// The world from then on: the same hosts, clients and destinations in the same order, and no changes
    /// of its own.
    pub world: World,
}

/// `count` identical machines, each with its own ports and its own copy of every client.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// The name in `[host.NAME]`.
    pub name: String,
    /// How many identical machines, at least 1. Each runs every client at that client's full rate.
    pub count: u32,
    /// Source addresses of each machine, at least 1; connections take them in turn.
    pub addresses: u32,
    /// The ephemeral port range.
    pub ports: PortRange,
    /// Ports that the chooser skips (`net.ipv4.ip_local_reserved_ports`); those outside the range
    /// change nothing.
    pub reserved: PortSet,
    /// Ports on which something listens, or is bound and idle, on the wildcard address; inside the
    /// range they are lost to every `connect()` and every `bind()`.
    pub listeners: PortSet,
    /// The same on single addresses: lost to every `connect()`, whatever its address, and to `bind()`
    /// on that address.
    pub squatters: Vec<Squatter>,
    /// A server that starts in the middle of a run and wants a port of its own.
    pub server: Option<FixedPort>,
    /// How long a port stays in TIME-WAIT after the client closed first.
    pub time_wait: SimDuration,
    /// How the end of TIME-WAIT is rounded.
    pub timer_grid: TimerGrid,
    /// How a port is chosen.
    pub selection: SelectionKind,
    /// Which connections of a plain `connect()` may not share a port.
    pub reuse_key: ReuseKey,
    /// The settings of its TCP.
    pub tcp: TcpSettings,
    /// What searching for a port costs, where that was measured; costs no simulated time.
    pub search_cost: Option<SearchCost>,
    /// The gateway that its machines reach the world through, as an index into [`World::gateways`].
    pub gateway: Option<usize>,
    /// The clients that run on each machine.
    pub clients: Vec<Client>,
}

impl World {
    /// One kind of machine, and one server called `server` that its clients connect to.
    #[must_use]
    pub fn of(host: Host) -> Self {
        let destinations = vec![Destination::new("server")];
        Self { hosts: vec![host], destinations, gateways: Vec::new(), changes: Vec::new() }
    }

    /// This world and all that it becomes, in the order of time.
    pub fn stretches(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.changes.iter().map(|change| &change.world))
    }

    /// The hosts and the gateways that a gateway serves, as indices.
    #[must_use]
    pub fn served_by(&self, gateway: usize) -> (Vec<usize>, Vec<usize>) {
        let is_served = |by: Option<usize>| by == Some(gateway);
        let hosts = (0..self.hosts.len()).filter(|&host| is_served(self.hosts[host].gateway));
        let others = (0..self.gateways.len()).filter(|&at| is_served(self.gateways[at].gateway));
        (hosts.collect(), others.collect())
    }

    /// Addresses that connections come from to a gateway.
    #[must_use]
    pub fn addresses_behind(&self, gateway: usize) -> u64 {
        let (hosts, others) = self.served_by(gateway);
        let hosts = hosts.iter().map(|&host| &self.hosts[host]);
        let of_hosts = hosts.map(|host| u64::from(host.count) * u64::from(host.addresses));
        let others = others.iter().map(|&other| u64::from(self.gateways[other].nat.addresses));
        of_hosts.chain(others).sum()
    }

    /// The gateways that connections of host number `host` pass, the nearest first.
    #[must_use]
    pub fn path(&self, host: usize) -> Vec<usize> {
        let next = |&gateway: &usize| self.gateways[gateway].gateway;
        // A path that came back to itself would have no end; it is cut after every gateway once.
        std::iter::successors(self.hosts[host].gateway, next).take(self.gateways.len()).collect()
    }

    /// Hosts that share a gateway, those of one number of [`World::path`]'s end together; hosts that share none are
    /// among none of them.
    #[must_use]
    pub fn islands(&self) -> Vec<Vec<usize>> {
        let mut islands: Vec<(usize, Vec<usize>)> = Vec::new();
        for host in 0..self.hosts.len() {
            let Some(&last) = self.path(host).last() else { continue };
            match islands.iter_mut().find(|island| island.0 == last) {
                Some(island) => island.1.push(host),
                None => islands.push((last, vec![host])),
            }
        }
        islands.into_iter().map(|(_, hosts)| hosts).collect()
    }

    /// The most machines of a kind that there are at any time.
    #[must_use]
    pub fn machines(&self, host: usize) -> u32 {
        self.stretches().map(|world| world.hosts[host].count).max().unwrap_or(0)
    }

    /// Does what a port is taken from, or for how long, ever change on host number `host`?
    #[must_use]
    pub fn reshapes(&self, host: usize) -> bool {
        let first = &self.hosts[host];
        let answers = |world: &Self| -> Vec<bool> {
            world.destinations.iter().map(|destination| destination.answers).collect()
        };
        self.changes.iter().any(|change| {
            !change.world.hosts[host].has_ports_of(first) || answers(&change.world) != answers(self)
        })
    }

    /// A world that has room for everything that becomes of host number `host`: that host alone, with the whole
    /// span of its ranges, the most source addresses and endpoints that there ever are, and everyone who ever
    /// asks as a client.
    #[must_use]
    pub fn with_room_for(&self, host: usize) -> Self {
        let mut room = Self {
            hosts: vec![self.hosts[host].clone()],
            destinations: self.destinations.clone(),
            gateways: self.gateways.clone(),
            changes: Vec::new(),
        };
        let whole = &mut room.hosts[0];
        for change in &self.changes {
            let next = &change.world.hosts[host];
            whole.count = whole.count.max(next.count);
            whole.addresses = whole.addresses.max(next.addresses);
            whole.ports = whole.ports.and_all_between(next.ports);
            let new = next.clients.iter().filter(|client| !whole.clients.contains(client));
            let new: Vec<Client> = new.cloned().collect();
            whole.clients.extend(new);
            let later = &change.world.destinations;
            for (destination, later) in room.destinations.iter_mut().zip(later) {
                destination.endpoints = destination.endpoints.max(later.endpoints);
            }
        }
        room
    }
}

impl Host {
    /// Ports of the range that a connection can ever get: the range without reserved ports and
    /// listeners. May be zero.
    #[must_use]
    pub fn usable_ports(&self) -> u32 {
        let lost: PortSet = self.unusable().collect();
        self.ports.num_ephemeral() - lost.ports().len() as u32
    }

    /// Ports of the range that no `connect()` can ever get: reserved, or with something bound to them
    /// on whatever address (a port may come twice).
    pub fn unusable(&self) -> impl Iterator<Item = u16> {
        let squatted = self.squatters.iter().flat_map(|squatter| squatter.ports.inside(self.ports));
        self.reserved.inside(self.ports).chain(self.listeners.inside(self.ports)).chain(squatted)
    }

    /// Does it choose ports as Linux does?
    #[must_use]
    pub const fn is_linux(&self) -> bool {
        self.selection.is_linux()
    }

    /// Do its clients come by their ports, and keep them, as those of `other` do?
    fn has_ports_of(&self, other: &Self) -> bool {
        let settings = |host: &Self| Self {
            name: String::new(),
            count: 1,
            search_cost: None,
            clients: Vec::new(),
            ..host.clone()
        };
        let asks = |client: &Client| (client.binds, client.socket.clone());
        settings(self) == settings(other)
            && self.clients.iter().map(asks).eq(other.clients.iter().map(asks))
    }
}

/// A server that listens on one port of its own choice, on the wildcard address, as soon as it can have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedPort {
    /// The port.
    pub port: u16,
    /// When it starts.
    pub at: SimTime,
    /// After how long it tries again while it is refused; above zero.
    pub every: SimDuration,
    /// SO_REUSEADDR: does it share the port with sockets that have it too?
    pub reuse_address: bool,
}

/// Ports on which something listens, or is bound and idle, on one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Squatter {
    /// The ports; those outside the range change nothing.
    pub ports: PortSet,
    /// The address.
    pub on: SquatterAddress,
}

/// Whose address a [`Squatter`] sits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SquatterAddress {
    /// One that no client of the host connects from.
    Other,
    /// The source address of this number, counted from 0.
    Source(u32),
}

/// Where clients connect to.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// The name in `[destination.NAME]`.
    pub name: String,
    /// Distinct (address, port) pairs behind the name, at least 1.
    pub endpoints: u32,
    /// Which endpoint a connection goes to.
    pub pick: EndpointPick,
    /// Does it answer? A connection to one that does not stays in SYN-SENT until that times out.
    pub answers: bool,
    /// Is it on the same machine, reached over the loopback device?
    pub loopback: bool,
    /// How long it keeps connections on which nothing is asked.
    pub keeps: ServerKeeps,
}

impl Destination {
    /// One server that answers; what else is usual of a destination.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let (endpoints, pick) = (1, EndpointPick::Random);
        let (answers, loopback, keeps) = (true, false, ServerKeeps::default());
        Self { name: name.into(), endpoints, pick, answers, loopback, keeps }
    }
}

/// Which endpoint of a destination a connection goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointPick {
    /// Each with the same probability.
    Random,
    /// One after the other.
    InTurn,
}

/// Something that opens connections.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// The name in `[client.NAME]`.
    pub name: String,
    /// Destinations and their weights; never empty, every weight above 0.
    pub targets: Vec<Target>,
    /// When it tries to connect.
    pub arrivals: Arrivals,
    /// Time from a successful `connect()` to the first FIN or reset.
    pub lifetime: Distribution,
    /// Who ends the connection, with weights; never empty, every weight above 0.
    pub closes: Vec<(Ending, f64)>,
    /// Time from the first FIN to the other side's: of the server, where the client closes first (the
    /// port waits in FIN-WAIT-2 meanwhile), of the client, where the server does (CLOSE-WAIT).
    pub second_fin: Distribution,
    /// How it comes by its port.
    pub binds: Binds,
    /// What it sets on its sockets.
    pub socket: SocketOptions,
    /// How its connections are kept for several requests. Then `arrivals` are those of requests, and `lifetime`
    /// is how long one of them takes on its connection. `None`: each attempt is for a connection of its own.
    pub pool: Option<KeepAlive>,
    /// What it does with attempts, or requests, that fail; `None`: nothing.
    pub retries: Option<Retries>,
}

impl Client {
    /// A client that connects to the first destination and closes what it opened; what else is usual.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        arrivals: Arrivals,
        lifetime: impl Into<Distribution>,
    ) -> Self {
        Self {
            name: name.into(),
            targets: vec![Target { destination: 0, weight: 1.0 }],
            arrivals,
            lifetime: lifetime.into(),
            closes: vec![(Ending::Client, 1.0)],
            second_fin: Distribution::Constant(SimDuration::ZERO),
            binds: Binds::Connect,
            socket: SocketOptions::default(),
            pool: None,
            retries: None,
        }
    }

    /// The same with `rate_per_s` independent attempts a second, on average.
    #[must_use]
    pub fn poisson(
        name: impl Into<String>,
        rate_per_s: f64,
        lifetime: impl Into<Distribution>,
    ) -> Self {
        Self::new(name, Arrivals::Poisson { rate_per_s }, lifetime)
    }

    /// Can a connection of it end like this?
    #[must_use]
    pub fn can_end(&self, ending: Ending) -> bool {
        let recorded = match &self.arrivals {
            Arrivals::Trace(attempts) => attempts.iter().any(|a| a.ending == Some(ending)),
            _ => false,
        };
        recorded || self.closes.iter().any(|close| close.0 == ending)
    }
}

/// One destination of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Index into [`World::destinations`].
    pub destination: usize,
    /// Share of the client's connections, relative to its other targets; above 0.
    pub weight: f64,
}

/// When a client tries to connect.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Arrivals {
    /// Independent arrivals.
    Poisson {
        /// Attempts a second, on average.
        rate_per_s: f64,
    },
    /// Arrivals that are evenly spaced, the first at the start of the run.
    Constant {
        /// Attempts a second.
        rate_per_s: f64,
    },
    /// A rate that moves, known in advance.
    Moving {
        /// The rates.
        rates: Arc<Rates>,
        /// Are attempts evenly spaced for it, or independent?
        spacing: Spacing,
    },
    /// Independent arrivals at one rate during bursts and another between them (a Markov-modulated Poisson process);
    /// both last for exponential times, and which of them the run begins in is left to chance.
    OnOff {
        /// Attempts a second in a burst, and between two.
        rates_per_s: [f64; 2],
        /// How long a burst lasts, and a pause, on average; above zero.
        lasts: [SimDuration; 2],
    },
    /// Several at once, the first batch at the start of the run.
    Batches {
        /// Time from one batch to the next, on average.
        every: SimDuration,
        /// Attempts in a batch, at least 1.
        size: u32,
        /// How far apart batches are.
        spacing: Spacing,
    },
    /// Workers that each think, connect, close, and think again; a refused one thinks again too.
    ClosedLoop {
        /// How many workers, at least 1.
        workers: u32,
        /// How long a worker thinks; where that is no time at all, one that was refused waits for
        /// [`Arrivals::REFUSED_PAUSE`].
        think: Distribution,
    },
    /// Attempts that were recorded.
    Trace(Arc<[TraceAttempt]>),
    /// Workers that make recorded requests, in their order, whatever the time was: each takes the next one
    /// when it has its answer and has thought.
    RecordedLoop {
        /// How many workers, at least 1.
        workers: u32,
        /// The requests; their times do not count.
        requests: Arc<[TraceAttempt]>,
        /// How long its worker thinks after each; no time beyond the end.
        thinks: Arc<[SimDuration]>,
    },
}

impl Arrivals {
    /// Do the attempts depend on what becomes of those before?
    #[must_use]
    pub const fn has_workers(&self) -> bool {
        matches!(self, Self::ClosedLoop { .. } | Self::RecordedLoop { .. })
    }

    /// How soon a worker tries again that was refused and does not think: about as long as Linux takes to
    /// look at all ports of its range, and load tools do nothing else between two tries.
    pub const REFUSED_PAUSE: SimDuration = SimDuration::from_millis(1);
}

/// One recorded attempt; what was not recorded is drawn from the client's own laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceAttempt {
    /// When it was made; never before that of the attempt before it.
    pub at: SimTime,
    /// How long the connection would last.
    pub lifetime: Option<SimDuration>,
    /// Where it went: index into [`Client::targets`], and number of the endpoint of that destination.
    pub to: Option<(u16, u32)>,
    /// From where it went: number of the source address, from 0. All in turn where it is not recorded.
    pub source: Option<u32>,
    /// Who would end it.
    pub ending: Option<Ending>,
}

/// How far apart batches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Always the same.
    Constant,
    /// Exponential: the batches are a Poisson process.
    Poisson,
}

/// A law of durations.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Distribution {
    /// Always the same.
    Constant(SimDuration),
    /// Memoryless.
    Exponential {
        /// The mean.
        mean: SimDuration,
    },
    /// `exp(Normal)`.
    Lognormal {
        /// The mean of the duration itself, not of its logarithm.
        mean: SimDuration,
        /// The standard deviation of the logarithm.
        sigma: f64,
    },
    /// `P(X > x) = (minimum / x)^shape` from `minimum` on.
    Pareto {
        /// The least value.
        minimum: SimDuration,
        /// The exponent; the mean is infinite at 1 and below.
        shape: f64,
    },
    /// Every value from `min` to `max` alike.
    Uniform {
        /// The least value.
        min: SimDuration,
        /// The greatest value, not below `min`.
        max: SimDuration,
    },
    /// One of the samples, each with the same probability; never empty.
    Empirical(Arc<[SimDuration]>),
}

impl From<SimDuration> for Distribution {
    fn from(always: SimDuration) -> Self {
        Self::Constant(always)
    }
}

impl Distribution {
    /// The mean, in seconds; `None` when it is infinite (Pareto with a shape of 1 or less).
    #[must_use]
    pub fn mean_s(&self) -> Option<f64> {
        match self {
            Self::Constant(span) => Some(span.as_secs_f64()),
            Self::Exponential { mean } | Self::Lognormal { mean, .. } => Some(mean.as_secs_f64()),
            Self::Pareto { shape, .. } if *shape <= 1.0 => None,
            Self::Pareto { minimum, shape } => Some(minimum.as_secs_f64() * shape / (shape - 1.0)),
            Self::Uniform { min, max } => Some((min.as_secs_f64() + max.as_secs_f64()) / 2.0),
            Self::Empirical(samples) => {
                let total: u128 = samples.iter().map(|span| u128::from(span.as_nanos())).sum();
                Some(total as f64 * 1e-9 / samples.len() as f64)
            }
        }
    }
}

/// Who ends a connection, and so how long its port is held afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// The client sends the first FIN: its port goes through TIME-WAIT (RFC 9293 section 3.6.1,
    /// MUST-13).
    Client,
    /// The server sends the first FIN: TIME-WAIT is at the server, the client's port is free.
    Server,
    /// The client resets (SO_LINGER 0): no TIME-WAIT anywhere.
    Reset,
    /// The server resets: no TIME-WAIT anywhere.
    ServerReset,
    /// The client closes with unread data in its buffer, and so with a reset (RFC 2525 section 2.17;
    /// Linux 6.18 `net/ipv4/tcp.c:__tcp_close`): no TIME-WAIT anywhere.
    Unread,
    /// The client sends its FIN and the server never does: the port is held in FIN-WAIT-2, for as
    /// long as `tcp_fin_timeout` says.
    Half,
    /// The server sends its FIN and the client never does, because its program forgot the socket: the port is gone
    /// for the rest of the run, in CLOSE-WAIT.
    CloseWait,
    /// It is never closed: the port is gone for the rest of the run.
    Never,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Client,
        Self::Server,
        Self::Reset,
        Self::ServerReset,
        Self::Unread,
        Self::Half,
        Self::CloseWait,
        Self::Never,
    ];

    /// Does it end by a reset?
    #[must_use]
    pub const fn is_reset(self) -> bool {
        matches!(self, Self::Reset | Self::ServerReset | Self::Unread)
    }
}

/// How a client comes by its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binds {
    /// `connect()` on an unbound socket: the port is chosen when the destination is known.
    Connect,
    /// `bind()` to port 0 first: the port is chosen before the destination is known, so no other
    /// connection of that source address may have it.
    Bind,
    /// `bind()` with `IP_BIND_ADDRESS_NO_PORT`: only the address is bound, the port is chosen as by
    /// a plain `connect()`.
    BindNoPort,
    /// `bind()` to a port of the client's own choice: those of [`SocketOptions::source_ports`], taken in
    /// turn. They may lie outside the range.
    Port,
}

impl Binds {
    /// Does the port come from `bind()`?
    #[must_use]
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::Bind | Self::Port)
    }
}

/// Which two connections may not share a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReuseKey {
    /// The 4-tuple: one port serves every (source address, destination endpoint) once.
    FourTuple,
    /// The source address: one port serves one connection of that address, wherever it goes.
    SourceAddress,
    /// The whole host: one port serves one connection.
    Host,
}

/// How a port is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SelectionKind {
    /// Linux 6.18: double hash, parity, random increments, new start every 10 s
    /// (`__inet_hash_connect`); `bind()` draws a fresh start and prefers the other parity
    /// (`inet_csk_find_open_port`).
    Linux,
    /// Linux 4.6 to 5.11: parity as above, but one counter for all destinations, which moves by no more
    /// than what was walked over and 2, and starts that are never drawn anew
    /// (`net/ipv4/inet_hashtables.c:__inet_hash_connect` of 4.18, `static u32 hint`).
    LinuxSharedHint,
    /// Linux 4.2 to 4.5: that counter, and a start at a port of the lowest one's parity, from which
    /// `connect()` walks port by port; `bind()` walks up from a random port (the same of 4.4, and
    /// `net/ipv4/inet_connection_sock.c:inet_csk_get_port`).
    LinuxEvenStart,
    /// Linux before 4.2: the same, but the start may have either parity (the same of 3.13). It is RFC
    /// 6056 algorithm 3 for `connect()` and algorithm 1 for `bind()`.
    LinuxInOrder,
    /// RFC 6056 section 3.3.1, algorithm 1.
    SimpleRandomization,
    /// RFC 6056 section 3.3.2, algorithm 2.
    AnotherSimpleRandomization,
    /// RFC 6056 section 3.3.3, algorithm 3.
    SimpleHash,
    /// RFC 6056 section 3.3.4, algorithm 4.
    DoubleHash,
    /// RFC 6056 section 3.3.5, algorithm 5.
    RandomIncrements,
    /// The next higher port, wrapping: one counter for the host (macOS).
    Sequential,
}

impl SelectionKind {
    /// Is it one of Linux's?
    #[must_use]
    pub const fn is_linux(self) -> bool {
        matches!(
            self,
            Self::Linux | Self::LinuxSharedHint | Self::LinuxEvenStart | Self::LinuxInOrder
        )
    }
}
