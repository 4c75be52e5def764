//! The ports of one Linux machine as its kernel keeps them, where sockets take ports from each other:
//! plain and bound ones, explicit ports, options that share a port, TIME-WAITs that are taken over.
//!
//! Two tables decide. The **tuples** say who has a port towards a destination; a TIME-WAIT that may be
//! taken over counts as nobody. The **buckets**, one a port whatever the address, say who uses a port:
//! * a port with a bound user, on whatever address, is closed to every `connect()`
//!   (`net/ipv4/inet_hashtables.c:__inet_hash_connect`, 6.18: a bind has left the bucket's `fastreuse`
//!   and `fastreuseport` at 0 or more, and the walk goes on);
//! * a port that anybody of the same source address uses, TIME-WAITs included, is closed to `bind()` to
//!   port 0 (`net/ipv4/inet_connection_sock.c:inet_csk_bind_conflict`), unless `ip_autobind_reuse` and
//!   SO_REUSEADDR on all of them let it in;
//! * `bind()` to a port of one's own choice goes by the options of those who use it already.
//!
//! Where all clients of a host use the same call without options, [`super::PortSpace`] does the same
//! with less.

use std::collections::HashMap;

use rand::rngs::Xoshiro256PlusPlus;

use super::bitmap::Bitmaps;
use super::buckets::{Buckets, Class};
use super::pools::PoolPlan;
use super::selection::{Choice, FreePorts, Part, Selector};
use super::space::PortNumbers;
use super::tcp::{SocketOptions, TcpSettings};
use super::world::{Binds, Host, SquatterAddress};
use crate::units::SimTime;

/// A connection, or what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(u32);

impl SocketId {
    /// Its number: small, and given again when the connection is gone.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The server's end of one connection over loopback, in TIME-WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerWait {
    tuple: u32,
    bit: u32,
    number: u64,
}

/// What an attempt asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The call that chooses the port.
    pub binds: Binds,
    /// What is set on the socket.
    pub options: &'a SocketOptions,
    /// The row of its (source address, destination) among the tuples.
    pub tuple: u32,
    /// The port of its own choice, if it has one.
    pub port: Option<u16>,
}

/// What an attempt got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Got {
    /// The connection.
    pub socket: SocketId,
    /// The bit of its port.
    pub bit: u32,
    /// Ports looked at.
    pub probes: u32,
    /// The connection whose TIME-WAIT it took over; gone now.
    pub replaced: Option<SocketId>,
}

/// Why an attempt was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Refusal {
    /// `connect()` found no port: EADDRNOTAVAIL.
    NoPort,
    /// `bind()` found no port, or the one asked for is in use: EADDRINUSE.
    BindInUse,
    /// The port was bound, but somebody has it towards the same destination: `connect()` gives
    /// EADDRNOTAVAIL.
    TupleTaken,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NoPort, Self::BindInUse, Self::TupleTaken];

    /// The call and the error that Linux gives: `connect:EADDRNOTAVAIL`.
    #[must_use]
    pub const fn on_linux(self) -> &'static str {
        match self {
            Self::NoPort | Self::TupleTaken => "connect:EADDRNOTAVAIL",
            Self::BindInUse => "bind:EADDRINUSE",
        }
    }
}

/// One connection.
#[derive(Clone, Copy, Debug)]
struct Socket {
    tuple: u32,
    bit: u32,
    class: Class,
    /// Did it get its port from `bind()`?
    bound: bool,
    /// Is it a TIME-WAIT bucket now?
    waits: bool,
}

/// The ports of one machine.
#[derive(Clone, Debug)]
pub struct Sockets {
    plan: PoolPlan,
    tcp: TcpSettings,
    linux: bool,
    numbers: PortNumbers,
    /// One row a tuple: ports that nobody has towards it, or that may be taken over.
    tuples: Bitmaps,
    buckets: Buckets,
    sockets: Vec<Socket>,
    vacant: Vec<u32>,
    /// The socket that has each port towards each tuple, plus one; 0 is none.
    owners: Vec<u32>,
    /// TIME-WAIT buckets.
    time_waits: u32,
    /// Those of them that are the server's end of a connection over loopback, by the client's tuple and
    /// bit: which of all there have been.
    server_waits: HashMap<(u32, u32), u64>,
    /// How many of those there have been.
    servers_waited: u64,
    connect: Selector,
    bind: Selector,
}

/// A row behind a mask that others share.
struct Masked<'a> {
    free: &'a Bitmaps,
    row: usize,
    mask: &'a Bitmaps,
    mask_row: usize,
    num_ephemeral: u32,
}

impl FreePorts for Masked<'_> {
    fn num_ephemeral(&self) -> u32 {
        self.num_ephemeral
    }

    fn first_free(&self, from: u32, to: u32) -> Option<u32> {
        self.free.first_common(self.row, self.mask, self.mask_row, from, to)
    }

    fn is_free(&self, bit: u32) -> bool {
        self.free.is_set(self.row, bit) && self.mask.is_set(self.mask_row, bit)
    }

    fn is_known_full(&self) -> bool {
        self.first_free(0, self.num_ephemeral).is_none()
    }

    fn is_known_exhausted(&self, _: bool) -> bool {
        false
    }
}

impl Sockets {
    /// All ports of one machine of `host`, free but for what is reserved or squatted on.
    #[must_use]
    pub fn new(host: &Host, plan: PoolPlan, rng: &mut Xoshiro256PlusPlus) -> Self {
        let numbers = PortNumbers::of(host);
        let (n, bits) = (host.ports.num_ephemeral(), numbers.bits());
        let reserved: Vec<u32> =
            host.reserved.inside(host.ports).map(|port| numbers.bit(port)).collect();
        let (addresses, tuples) = (plan.sources() as usize, plan.tuples() as usize);
        let relaxes = host.tcp.autobind_reuse
            && host.clients.iter().any(|client| client.socket.reuse_address);
        let reopen = host.tcp.buckets_reopen;
        let buckets = Buckets::new(bits, addresses, &reserved, relaxes, reopen);
        let mut new = Self {
            plan,
            tcp: host.tcp,
            linux: host.is_linux(),
            tuples: Bitmaps::full(tuples, bits, &[]),
            buckets,
            sockets: Vec::new(),
            vacant: Vec::new(),
            owners: vec![0; tuples * bits as usize],
            time_waits: 0,
            server_waits: HashMap::new(),
            servers_waited: 0,
            connect: Selector::for_connect(host.selection, n, rng),
            bind: Selector::for_bind(host.selection, rng),
            numbers,
        };
        new.squat(host);
        new
    }

    /// Puts listeners and idle bound sockets in place, which stay for good.
    fn squat(&mut self, host: &Host) {
        let sources = self.plan.sources();
        for &port in host.listeners.ports() {
            if let Some(bit) = self.numbers.find(port) {
                self.buckets.add_bound_user(bit);
                (0..sources).for_each(|source| self.buckets.add_user(bit, source, Class::STUBBORN));
            }
        }
        for squatter in &host.squatters {
            for &port in squatter.ports.ports() {
                let Some(bit) = self.numbers.find(port) else { continue };
                self.buckets.add_bound_user(bit);
                if let SquatterAddress::Source(source) = squatter.on {
                    // On a host-wide key there is one row for all addresses.
                    self.buckets.add_user(bit, source.min(sources - 1), Class::STUBBORN);
                }
            }
        }
    }

    /// Bits in a row: the range, and the explicit ports outside it.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        self.numbers.bits()
    }

    /// The port that `bit` stands for.
    #[must_use]
    pub fn port(&self, bit: u32) -> u16 {
        self.numbers.port(bit)
    }

    /// TIME-WAIT buckets on the machine.
    #[must_use]
    pub const fn time_waits(&self) -> u32 {
        self.time_waits
    }

    /// Opens a connection at time `now`.
    ///
    /// # Errors
    /// Why it was refused, and how many ports were looked at; nothing has changed then.
    pub fn open(
        &mut self,
        wanted: Wanted<'_>,
        now: SimTime,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Got, (Refusal, u32)> {
        let source = self.plan.source_of_tuple(wanted.tuple);
        match wanted.binds {
            Binds::Connect | Binds::BindNoPort => {
                let Choice { bit, probes } = self.choose_for_connect(wanted, now, rng);
                let bit = bit.ok_or((Refusal::NoPort, probes))?;
                Ok(self.take(wanted, bit, source, probes))
            }
            Binds::Bind => {
                let Choice { bit, probes } = self.choose_for_bind(wanted, source, rng);
                let bit = bit.ok_or((Refusal::BindInUse, probes))?;
                self.connect_bound(wanted, bit, source, probes)
            }
            Binds::Port => {
                let port = wanted.port.expect("an explicit port is asked for");
                let bit = self.numbers.find(port).expect("explicit ports have numbers");
                if !self.buckets.may_bind_to(bit, source, wanted.options) {
                    return Err((Refusal::BindInUse, 1));
                }
                self.connect_bound(wanted, bit, source, 1)
            }
        }
    }

    fn choose_for_connect(
        &mut self,
        wanted: Wanted<'_>,
        now: SimTime,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        let num_ephemeral = self.numbers.num_ephemeral();
        let part = self.part(wanted.options);
        let view = Masked {
            free: &self.tuples,
            row: wanted.tuple as usize,
            mask: &self.buckets.for_connect,
            mask_row: 0,
            num_ephemeral,
        };
        let key = u64::from(wanted.tuple);
        match (&mut self.connect, part) {
            (Selector::LinuxConnect(linux), Some(part)) => {
                let by_one = self.tcp.narrow_range_by_one;
                linux.choose_within(part, by_one, key, now, &view, rng)
            }
            (selector, _) => selector.choose(key, now, &view, rng),
        }
    }

    /// The part of the range that a socket keeps to, if it does.
    fn part(&self, options: &SocketOptions) -> Option<Part> {
        let range = self.numbers.range();
        let part = range.narrowed_to(options.port_range?);
        let first = u32::from(part.min_ephemeral() - range.min_ephemeral());
        Some(Part { first, length: part.num_ephemeral() })
    }

    fn choose_for_bind(
        &self,
        wanted: Wanted<'_>,
        source: u32,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        let by_halves = self.linux && wanted.options.reuse_address;
        let part = self.part(wanted.options);
        let search = |mask: &Bitmaps, rng: &mut Xoshiro256PlusPlus| {
            let row = source as usize;
            let num_ephemeral = self.numbers.num_ephemeral();
            // No tuple is looked at, so the mask stands in for both.
            let view = Masked { free: mask, row, mask, mask_row: row, num_ephemeral };
            match (&self.bind, part) {
                (Selector::LinuxBind(linux), Some(part)) => {
                    linux.choose_within(part, by_halves, &view, rng)
                }
                (Selector::LinuxBind(linux), None) if by_halves => {
                    linux.choose_by_halves(&view, rng)
                }
                (Selector::LinuxBind(linux), None) => linux.choose(&view, rng),
                (other, _) => other.clone().choose(u64::from(source), SimTime::START, &view, rng),
            }
        };
        let choice = search(&self.buckets.for_bind, rng);
        // `ports_exhausted`: once more, with `relax`. Two sockets that both have SO_REUSEPORT too do
        // not share a port here (`inet_bind_conflict`), and a user of that class is as good as any.
        match &self.buckets.for_relaxed_bind {
            Some(relaxed) if choice.bit.is_none() && by_halves && !wanted.options.reuse_port => {
                let again = search(relaxed, rng);
                Choice { probes: choice.probes + again.probes, ..again }
            }
            _ => choice,
        }
    }

    /// `connect()` on a socket that has its port: `__inet_hash_connect` with `port` set looks at the
    /// tuple alone, and takes it out of any TIME-WAIT of a connection with timestamps, whatever its age
    /// and whatever `tcp_tw_reuse` says (`tcp_twsk_unique` without `twp`).
    fn connect_bound(
        &mut self,
        wanted: Wanted<'_>,
        bit: u32,
        source: u32,
        probes: u32,
    ) -> Result<Got, (Refusal, u32)> {
        let owner = self.owners[self.owner_place(wanted.tuple, bit)];
        let taken = owner != 0 && {
            let socket = self.sockets[owner as usize - 1];
            !(socket.waits && self.tcp.timestamps)
        };
        if taken {
            return Err((Refusal::TupleTaken, probes));
        }
        Ok(self.take(wanted, bit, source, probes))
    }

    /// Gives the port of `bit` to a new connection, and removes the TIME-WAIT that had it.
    fn take(&mut self, wanted: Wanted<'_>, bit: u32, source: u32, probes: u32) -> Got {
        let place = self.owner_place(wanted.tuple, bit);
        let replaced = self.owners[place].checked_sub(1).map(SocketId);
        if let Some(old) = replaced {
            self.remove(old);
        }
        // A new SYN ends the server's TIME-WAIT of the same 4-tuple
        // (`net/ipv4/tcp_minisocks.c:tcp_timewait_state_process`, TCP_TW_SYN).
        if !self.server_waits.is_empty() && self.server_waits.remove(&(wanted.tuple, bit)).is_some()
        {
            self.time_waits -= 1;
        }
        let bound = matches!(wanted.binds, Binds::Bind | Binds::Port);
        let class = Class::of(wanted.options);
        let socket = Socket { tuple: wanted.tuple, bit, class, bound, waits: false };
        let id = match self.vacant.pop() {
            Some(index) => {
                self.sockets[index as usize] = socket;
                index
            }
            None => {
                self.sockets.push(socket);
                self.sockets.len() as u32 - 1
            }
        };
        self.owners[place] = id + 1;
        self.tuples.clear(wanted.tuple as usize, bit);
        if bound {
            self.buckets.add_bound_user(bit);
        }
        self.buckets.add_user(bit, source, class);
        Got { socket: SocketId(id), bit, probes, replaced }
    }

    /// Makes a connection a TIME-WAIT bucket (in TIME-WAIT or FIN-WAIT-2). `false` when there are too
    /// many: it is to be removed then (`net/ipv4/inet_timewait_sock.c:inet_twsk_alloc`, 6.18).
    #[must_use]
    pub fn wait(&mut self, id: SocketId) -> bool {
        let socket = &mut self.sockets[id.0 as usize];
        if socket.waits {
            return true;
        }
        if self.tcp.max_tw_buckets.is_some_and(|most| self.time_waits >= most) {
            return false;
        }
        socket.waits = true;
        self.time_waits += 1;
        true
    }

    /// The server's end of a connection over loopback goes into TIME-WAIT: a bucket of this machine, though
    /// it holds no port of the range. Gives its number; `None` when there are too many.
    #[must_use]
    pub fn server_waits(&mut self, id: SocketId) -> Option<ServerWait> {
        if self.tcp.max_tw_buckets.is_some_and(|most| self.time_waits >= most) {
            return None;
        }
        let Socket { tuple, bit, .. } = self.sockets[id.0 as usize];
        self.time_waits += 1;
        self.servers_waited += 1;
        self.server_waits.insert((tuple, bit), self.servers_waited);
        Some(ServerWait { tuple, bit, number: self.servers_waited })
    }

    /// The timer of that TIME-WAIT fires: nothing is left of it, if it is still there.
    pub fn server_waited(&mut self, wait: ServerWait) {
        let place = (wait.tuple, wait.bit);
        if self.server_waits.get(&place) == Some(&wait.number) {
            self.server_waits.remove(&place);
            self.time_waits -= 1;
        }
    }

    /// From now on `connect()` may take the connection's TIME-WAIT over.
    pub fn may_be_taken_over(&mut self, id: SocketId) {
        let Socket { tuple, bit, .. } = self.sockets[id.0 as usize];
        self.tuples.set(tuple as usize, bit);
    }

    /// Removes what is left of a connection: its port is free.
    pub fn remove(&mut self, id: SocketId) {
        let Socket { tuple, bit, class, bound, waits } = self.sockets[id.0 as usize];
        let place = self.owner_place(tuple, bit);
        self.owners[place] = 0;
        self.tuples.set(tuple as usize, bit);
        self.time_waits -= u32::from(waits);
        self.buckets.remove_user(bit, self.plan.source_of_tuple(tuple), class, bound);
        self.vacant.push(id.0);
    }

    const fn owner_place(&self, tuple: u32, bit: u32) -> usize {
        tuple as usize * self.numbers.bits() as usize + bit as usize
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::model::{PortRange, PortSet, ReuseKey, SelectionKind, TimerGrid};
    use crate::units::SimDuration;

    /// Seen on Linux 6.18: three connections over one port that the server closed leave one TIME-WAIT.
    #[test]
    fn a_new_connection_ends_the_servers_time_wait_of_the_same_ports() {
        let host = Host {
            name: "h".into(),
            count: 1,
            addresses: 1,
            ports: PortRange::new(40_000, 40_000).unwrap(),
            reserved: PortSet::default(),
            listeners: PortSet::default(),
            squatters: Vec::new(),
            time_wait: SimDuration::from_secs(60),
            timer_grid: TimerGrid::Exact,
            selection: SelectionKind::Linux,
            reuse_key: ReuseKey::FourTuple,
            tcp: TcpSettings { max_tw_buckets: Some(10), ..TcpSettings::default() },
            search_cost: None,
            clients: Vec::new(),
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut sockets = Sockets::new(&host, PoolPlan::of(&host, 1), &mut rng);
        let options = SocketOptions::default();
        let wanted = Wanted { binds: Binds::Connect, options: &options, tuple: 0, port: None };
        let mut waits = Vec::new();
        for _ in 0..3 {
            let got = sockets.open(wanted, SimTime::START, &mut rng).unwrap();
            assert_eq!(sockets.time_waits(), 0, "the new SYN ended the one before");
            waits.extend(sockets.server_waits(got.socket));
            sockets.remove(got.socket);
            assert_eq!(sockets.time_waits(), 1);
        }
        waits[..2].iter().for_each(|&wait| sockets.server_waited(wait));
        assert_eq!(sockets.time_waits(), 1, "timers of what is gone change nothing");
        sockets.server_waited(waits[2]);
        assert_eq!(sockets.time_waits(), 0);
    }
}
