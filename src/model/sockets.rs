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

use rand::rngs::Xoshiro256PlusPlus;

use super::Attempt;
use super::bitmap::Bitmaps;
use super::buckets::{Buckets, Class};
use super::callers::Caller;
use super::left::Left;
use super::life::{Mark, Timers};
use super::limit::{
    ConnectionId, Fate, Followed, Holder, Limit, Marks, Refusal, Refused, Reshape, Taken,
};
use super::numbering::PortNumbers;
use super::pools::{PoolId, PoolPlan};
use super::selection::{Choice, Narrow, Part, Selector};
use super::server_waits::ServerWaits;
use super::tcp::{SocketOptions, TcpSettings};
use super::view::View;
use super::world::{Binds, Ending, Host, SquatterAddress};
use crate::units::SimTime;

/// A port that a connection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketTicket {
    /// The row of its (source address, destination) among the tuples.
    row: u32,
    bit: u16,
    /// The number of the way in which its client asked.
    caller: u16,
}

/// The ports of one machine.
#[derive(Clone, Debug)]
pub struct Sockets {
    plan: PoolPlan,
    tcp: TcpSettings,
    timers: Timers,
    numbers: PortNumbers,
    /// Bits of a row.
    bits: u32,
    /// The number of the first pool of `bind()`.
    first_bound: u32,
    /// The ways in which clients ask, and have asked.
    callers: Vec<Caller>,
    /// How each client asks now.
    asks: Vec<u16>,
    /// Those that bind, each way of asking once.
    binders: Vec<usize>,
    /// What of the range that ports are numbered in is the range now, if not all of it.
    narrowed: Option<Part>,
    /// May it change while it runs?
    may_change: bool,
    /// Does a server want a port of its own?
    has_server: bool,
    /// The bit of the port that it has.
    listens: Option<u32>,
    /// May a bound socket get a port that another connection has towards the same destination?
    meets_owners: bool,
    /// One row a tuple: ports that nobody has towards it, or that may be taken over.
    tuples: Bitmaps,
    buckets: Buckets,
    left: Left,
    /// The connection that has each port towards each tuple, plus one, 0 is none; [`WAITS`] is set while
    /// it is a TIME-WAIT bucket.
    owners: Vec<u32>,
    /// TIME-WAIT buckets, where their number is limited.
    time_waits: u32,
    server_waits: ServerWaits,
    connect: Selector,
    bind: Selector,
}

/// See [`Sockets::owners`].
const WAITS: u32 = 1 << 31;

impl Sockets {
    /// All ports of one machine of `host`, free but for what is reserved or squatted on; how long pools are
    /// exhausted counts from `from` on.
    #[must_use]
    pub fn new(
        host: &Host,
        plan: PoolPlan,
        timers: Timers,
        from: SimTime,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Self {
        Self::in_room(None, host, plan, timers, from, rng)
    }

    /// The same of a machine that may change, and that `room` has room for at any time.
    #[must_use]
    pub fn in_room(
        room: Option<&Host>,
        host: &Host,
        plan: PoolPlan,
        timers: Timers,
        from: SimTime,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Self {
        let numbers = PortNumbers::of(room.unwrap_or(host));
        let (n, bits) = (host.ports.num_ephemeral(), numbers.bits());
        let rows = plan.rows() as usize;
        let clients = (0..=u16::MAX).take(host.clients.len());
        let callers: Vec<Caller> =
            clients.clone().map(|client| Caller::new(host, client, &numbers)).collect();
        let now: Vec<&Caller> = callers.iter().collect();
        let buckets = buckets(host, plan, &numbers, &now);
        let left = Left::new(plan, &now, &buckets, numbers.high_bits(), from);
        let binders = binders(&callers, &clients.clone().collect::<Vec<u16>>());
        let may_change = room.is_some();
        // Where nobody ever binds, what is closed to connect() stays so: it is closed in every row then.
        let has_server = host.server.is_some();
        let stays = binders.is_empty() && !may_change && !has_server;
        let closed = (0..bits).filter(|&bit| stays && !buckets.for_connect.is_set(0, bit));
        let tuples = Bitmaps::full(rows, bits, &closed.collect::<Vec<u32>>());
        Self {
            plan,
            tcp: host.tcp,
            timers,
            bits,
            first_bound: plan.connect_pools(),
            meets_owners: may_change
                || callers.iter().any(|one| one.relaxes || one.binds == Binds::Port),
            binders,
            asks: clients.collect(),
            narrowed: narrowed(host, &numbers),
            may_change,
            has_server,
            listens: None,
            callers,
            tuples,
            buckets,
            left,
            owners: vec![0; rows * bits as usize],
            time_waits: 0,
            server_waits: ServerWaits::default(),
            connect: Selector::for_connect(host.selection, n, rng),
            bind: Selector::for_bind(host.selection, rng),
            numbers,
        }
    }

    /// Does it keep who uses which port, beside who has it towards whom? That matters to those who bind alone.
    #[inline(always)]
    const fn keeps_users(&self) -> bool {
        !self.binders.is_empty() || self.may_change || self.has_server
    }

    /// Does it count TIME-WAIT buckets?
    #[inline(always)]
    const fn counts_waits(&self) -> bool {
        self.tcp.max_tw_buckets.is_some() || self.may_change
    }

    /// TIME-WAIT buckets on the machine at `now`; none are counted where their number is never limited.
    #[must_use]
    #[inline]
    pub fn time_waits(&mut self, now: SimTime) -> u32 {
        self.time_waits -= self.server_waits.end_until(now);
        self.time_waits
    }

    /// A server tries to listen on `port` at `at`, on the wildcard address, with SO_REUSEADDR or without. Tells whether
    /// it does: nobody may use the port, on whatever address, but sockets that have the option too; a TIME-WAIT has
    /// what its connection had (`net/ipv4/inet_connection_sock.c:inet_bind_conflict`, Linux 6.18, and seen there).
    pub fn listen(&mut self, port: u16, reuse_address: bool, at: SimTime) -> bool {
        // Nobody else can have a port that is not numbered.
        let Some(bit) = self.numbers.find(port) else { return true };
        let asking = Class::of(&SocketOptions { reuse_address, ..SocketOptions::default() });
        let sources = 0..self.plan.sources();
        if !sources.clone().all(|source| self.buckets.may_bind_to(bit, source, asking)) {
            return false;
        }
        if self.buckets.add_bound_user(bit) {
            self.left.closed_to_connect(bit, &self.tuples, self.buckets.is_used(bit), at);
        }
        for source in sources {
            self.buckets.add_user(bit, source, Class::STUBBORN);
            self.recount(bit, source, true, at);
        }
        self.listens = Some(bit);
        true
    }

    /// May there be one more TIME-WAIT bucket (`net/ipv4/inet_timewait_sock.c:inet_twsk_alloc`, 6.18)?
    #[inline]
    fn has_room(&mut self, now: SimTime) -> bool {
        self.tcp.max_tw_buckets.is_none_or(|most| self.time_waits(now) < most)
    }

    #[inline(always)] // Once an attempt, as what follows.
    fn choose_for_connect(
        &mut self,
        caller: usize,
        row: u32,
        now: SimTime,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        let part = self.callers[caller].part;
        let view = View {
            free: &self.tuples,
            row: row as usize,
            mask: self.keeps_users().then_some(&self.buckets.for_connect),
            num_ephemeral: self.numbers.num_ephemeral(),
            exhausted: part.is_none().then(|| self.left.exhausted(row)),
        };
        match (&mut self.connect, part) {
            (Selector::LinuxConnect(linux), Some(part)) => {
                let by_one = self.tcp.narrow_range_by_one;
                linux.choose_within(part, by_one, u64::from(row), now, &view, rng)
            }
            (selector, _) => {
                let Some(part) = self.narrowed else {
                    return selector.choose(u64::from(row), now, &view, rng);
                };
                if let Selector::LinuxConnect(linux) = selector {
                    return linux.choose_within(part, false, u64::from(row), now, &view, rng);
                }
                let narrow = Narrow { ports: &view, part, layout: self.numbers.layout() };
                narrow.of_the_range(selector.choose(u64::from(row), now, &narrow, rng))
            }
        }
    }

    fn choose_for_bind(
        &mut self,
        caller: usize,
        source: u32,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        let Caller { part, by_halves, relaxes, class, .. } = self.callers[caller];
        let (num_ephemeral, layout) = (self.numbers.num_ephemeral(), self.numbers.layout());
        let (selector, part) = (&mut self.bind, part.or(self.narrowed));
        let mut search = |free: &Bitmaps| {
            // No tuple is looked at.
            let (row, mask, exhausted) = (source as usize, None, None);
            let view = View { free, row, mask, num_ephemeral, exhausted };
            match (&mut *selector, part) {
                (Selector::LinuxBind(linux), Some(part)) => {
                    linux.choose_within(part, by_halves, &view, rng)
                }
                (Selector::LinuxBind(linux), None) if by_halves => {
                    linux.choose_by_halves(&view, rng)
                }
                (other, Some(part)) => {
                    let narrow = Narrow { ports: &view, part, layout };
                    let choice = other.choose(u64::from(source), SimTime::START, &narrow, rng);
                    narrow.of_the_range(choice)
                }
                (other, None) => other.choose(u64::from(source), SimTime::START, &view, rng),
            }
        };
        let choice = search(&self.buckets.for_bind);
        // `ports_exhausted`: once more, with `relax`.
        match self.buckets.for_relaxed_bind(class) {
            Some(relaxed) if choice.bit.is_none() && relaxes => {
                let again = search(relaxed);
                Choice { probes: choice.probes + again.probes, ..again }
            }
            _ => choice,
        }
    }

    /// Is the port of `bit` open to a socket that has it from `bind()` and connects to `row`?
    ///
    /// `__inet_hash_connect` with `port` set looks at the tuple alone, and takes it out of any TIME-WAIT of
    /// a connection with timestamps, whatever its age and whatever `tcp_tw_reuse` says (`tcp_twsk_unique`
    /// without `twp`).
    fn is_open_to_bound(&self, row: u32, bit: u32) -> bool {
        let owner = self.owners[self.place(row, bit)];
        owner == 0 || owner & WAITS != 0 && self.tcp.timestamps
    }

    /// The bit that an attempt gets and how many ports were looked at; else why not.
    #[inline(always)]
    fn choose(
        &mut self,
        attempt: &Attempt,
        row: u32,
        source: u32,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<(u32, u32), (Refusal, u32)> {
        let caller = usize::from(self.asks[usize::from(attempt.client)]);
        let (bit, probes) = match self.callers[caller].binds {
            Binds::Connect | Binds::BindNoPort => {
                let Choice { bit, probes } = self.choose_for_connect(caller, row, attempt.at, rng);
                return Ok((bit.ok_or((Refusal::NoPort, probes))?, probes));
            }
            Binds::Bind => {
                let Choice { bit, probes } = self.choose_for_bind(caller, source, rng);
                (bit.ok_or((Refusal::BindInUse, probes))?, probes)
            }
            Binds::Port => {
                let bit = self.callers[caller].next_port();
                if !self.buckets.may_bind_to(bit, source, self.callers[caller].class) {
                    return Err((Refusal::BindInUse, 1));
                }
                (bit, 1)
            }
        };
        let open = self.is_open_to_bound(row, bit);
        if open { Ok((bit, probes)) } else { Err((Refusal::TupleTaken, probes)) }
    }

    /// The pool of a connection of `row` whose port comes from `bind()` or not.
    const fn pool(&self, bound: bool, row: u32) -> PoolId {
        PoolId(if bound { self.first_bound + self.plan.source_of_row(row) } else { row })
    }

    const fn place(&self, row: u32, bit: u32) -> usize {
        row as usize * self.bits as usize + bit as usize
    }

    /// From now on nobody has the port of `bit` towards `row` that `connect()` cannot have it from.
    #[inline(always)]
    fn give_up_tuple(&mut self, row: u32, bit: u32, at: SimTime) {
        if !self.tuples.is_set(row as usize, bit) {
            self.tuples.set(row as usize, bit);
            if self.buckets.for_connect.is_set(0, bit) {
                self.left.given_up(row, bit, at);
            }
        }
    }

    /// A new user, or one less, of the port of `bit` on `source`.
    #[inline(always)]
    fn recount(&mut self, bit: u32, source: u32, is_new: bool, at: SimTime) {
        if !self.left.has_bind() {
            return;
        }
        // With more users it is not left to more of them, nor with fewer to fewer.
        if self.left.is_for_bind(bit, source) == is_new {
            let may_bind = |one: usize| self.callers[one].may_bind(bit, source, &self.buckets);
            let left = match self.binders[..] {
                [only] => may_bind(only),
                ref many => many.iter().any(|&one| may_bind(one)),
            };
            self.left.set_for_bind(bit, source, left, at);
        }
    }
}

/// One of each way in which the clients that bind ask.
fn binders(callers: &[Caller], asks: &[u16]) -> Vec<usize> {
    let mut binders: Vec<usize> = Vec::new();
    for number in asks.iter().map(|&number| usize::from(number)) {
        let caller = &callers[number];
        let known = binders.iter().any(|&other| callers[other].asks_like(caller));
        if caller.binds.is_bound() && !known {
            binders.push(number);
        }
    }
    binders
}

/// What of the range that `numbers` numbers is the range of `host`, if not all of it.
fn narrowed(host: &Host, numbers: &PortNumbers) -> Option<Part> {
    let part = numbers.part(host.ports);
    (part.length < numbers.num_ephemeral()).then_some(part)
}

/// The buckets of a machine of `host` on which nobody has connected yet.
fn buckets(host: &Host, plan: PoolPlan, numbers: &PortNumbers, callers: &[&Caller]) -> Buckets {
    let Part { first, length } = numbers.part(host.ports);
    let whole = (0..numbers.num_ephemeral()).map(|offset| numbers.min_ephemeral() + offset as u16);
    let outside = whole.clone().take(first as usize).chain(whole.skip((first + length) as usize));
    let unsearched = outside.chain(host.reserved.inside(host.ports));
    let unsearched: Vec<u32> = unsearched.map(|port| numbers.bit(port)).collect();
    let relaxes = callers.iter().any(|caller| caller.relaxes);
    let (sources, reopen) = (plan.sources(), host.tcp.buckets_reopen);
    let mut new = Buckets::new(numbers.bits(), sources as usize, &unsearched, relaxes, reopen);
    squat(host, sources, numbers, &mut new);
    new
}

/// Puts listeners and idle bound sockets in place, which stay for good.
fn squat(host: &Host, sources: u32, numbers: &PortNumbers, buckets: &mut Buckets) {
    for &port in host.listeners.ports() {
        if let Some(bit) = numbers.find(port) {
            buckets.add_bound_user(bit);
            (0..sources).for_each(|source| buckets.add_user(bit, source, Class::STUBBORN));
        }
    }
    for squatter in &host.squatters {
        for &port in squatter.ports.ports() {
            let Some(bit) = numbers.find(port) else { continue };
            buckets.add_bound_user(bit);
            if let SquatterAddress::Source(source) = squatter.on {
                // On a host-wide key there is one row for all addresses.
                buckets.add_user(bit, source.min(sources - 1), Class::STUBBORN);
            }
        }
    }
}

impl Limit for Sockets {
    type Ticket = SocketTicket;
    type Step = Followed;

    fn take(
        &mut self,
        attempt: &Attempt,
        connection: ConnectionId,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Taken<SocketTicket>, Refused> {
        let &Attempt { at, tuple, client, .. } = attempt;
        let row = self.plan.row(tuple);
        let source = self.plan.source_of_row(row);
        let caller = self.asks[usize::from(client)];
        let Caller { binds, class, .. } = self.callers[usize::from(caller)];
        let bound = binds.is_bound();
        let pool = self.pool(bound, row);
        let (bit, probes) = self
            .choose(attempt, row, source, rng)
            .map_err(|(refusal, probes)| Refused { refusal, pool, probes })?;
        let place = self.place(row, bit);
        let old = std::mem::replace(&mut self.owners[place], connection + 1);
        self.time_waits -= u32::from(old & WAITS != 0 && self.counts_waits());
        self.time_waits -= u32::from(self.server_waits.end(place as u32));
        if bound && self.buckets.add_bound_user(bit) {
            self.left.closed_to_connect(bit, &self.tuples, self.buckets.is_used(bit), at);
        }
        if self.tuples.is_set(row as usize, bit) {
            self.tuples.clear(row as usize, bit);
            if self.buckets.for_connect.is_set(0, bit) {
                self.left.taken(row, bit, at);
            }
        }
        if self.keeps_users() {
            self.buckets.add_user(bit, source, class);
            self.recount(bit, source, true, at);
        }
        let counted = self.counts_waits();
        let server_waits = attempt.ending == Ending::Server && attempt.remote.is_here();
        Ok(Taken {
            ticket: SocketTicket { row, bit: bit as u16, caller },
            pool,
            bit,
            probes,
            bound,
            replaced: (old & !WAITS).checked_sub(1),
            sees: Marks::NONE
                .with(Mark::FirstFin, counted && server_waits)
                .with(Mark::Bucket, counted || self.meets_owners)
                .with(Mark::Takeable, true),
            reset: None,
        })
    }

    fn reach(&mut self, ticket: SocketTicket, mark: Mark, at: SimTime) -> Fate {
        let (row, bit) = (ticket.row, u32::from(ticket.bit));
        let place = self.place(row, bit);
        match mark {
            // The server's end of a connection over loopback goes into TIME-WAIT, if there is room.
            Mark::FirstFin => {
                if self.has_room(at) {
                    self.time_waits += 1;
                    self.server_waits.begin(place as u32, self.timers.time_wait().expires(at));
                }
            }
            Mark::Bucket => {
                if !self.has_room(at) {
                    return Fate::Gone;
                }
                self.owners[place] |= WAITS;
                self.time_waits += u32::from(self.counts_waits());
            }
            Mark::Takeable => self.give_up_tuple(row, bit, at),
            Mark::Syn | Mark::Over => {}
        }
        Fate::Stays
    }

    fn free(&mut self, ticket: SocketTicket, taken_over: bool, at: SimTime) {
        let (row, bit) = (ticket.row, u32::from(ticket.bit));
        let place = self.place(row, bit);
        if !taken_over {
            let waits = std::mem::replace(&mut self.owners[place], 0) & WAITS != 0;
            self.time_waits -= u32::from(waits && self.counts_waits());
            self.give_up_tuple(row, bit, at);
        }
        if !self.keeps_users() {
            return;
        }
        let source = self.plan.source_of_row(row);
        let Caller { class, binds, .. } = self.callers[usize::from(ticket.caller)];
        if self.buckets.remove_user(bit, source, class, binds.is_bound()) {
            self.left.opened_to_connect(bit, &self.tuples, self.buckets.is_used(bit), at);
        }
        self.recount(bit, source, false, at);
    }

    fn holder(&self, ticket: SocketTicket) -> Holder {
        let SocketTicket { row, bit, caller } = ticket;
        let Caller { client, binds, .. } = self.callers[usize::from(caller)];
        Holder { pool: self.pool(binds.is_bound(), row), bit, client }
    }

    fn port(&self, bit: u32) -> u16 {
        self.numbers.port(bit)
    }

    fn bits(&self) -> u32 {
        self.bits
    }

    fn exhausted_until(&self, end: SimTime) -> u128 {
        self.left.exhausted_until(end)
    }
}

impl Reshape for Sockets {
    /// A listener that starts has its port at once, whoever else has it: it closes it to everybody who comes.
    fn reshape(&mut self, host: &Host, timers: Timers, held: &[SocketTicket], at: SimTime) {
        (self.tcp, self.timers) = (host.tcp, timers);
        for (client, asks) in (0_u16..).zip(&mut self.asks) {
            let mut new = Caller::new(host, client, &self.numbers);
            let before = &self.callers[usize::from(*asks)];
            new.go_on_from(before);
            if new != *before {
                *asks = u16::try_from(self.callers.len()).expect("few clients change so often");
                self.callers.push(new);
            }
        }
        let now: Vec<&Caller> =
            self.asks.iter().map(|&caller| &self.callers[usize::from(caller)]).collect();
        self.narrowed = narrowed(host, &self.numbers);
        let new = buckets(host, self.plan, &self.numbers, &now);
        let before = std::mem::replace(&mut self.buckets, new);
        for ticket in held {
            let Caller { class, binds, .. } = self.callers[usize::from(ticket.caller)];
            let (bit, source) = (u32::from(ticket.bit), self.plan.source_of_row(ticket.row));
            self.buckets.add_user(bit, source, class);
            if binds.is_bound() {
                self.buckets.add_bound_user(bit);
            }
        }
        if let Some(bit) = self.listens {
            self.buckets.add_bound_user(bit);
            let sources = 0..self.plan.sources();
            sources.for_each(|source| self.buckets.add_user(bit, source, Class::STUBBORN));
        }
        self.buckets.keep_closed(&before);
        let left = Left::new(self.plan, &now, &self.buckets, self.numbers.high_bits(), at);
        let before = std::mem::replace(&mut self.left, left);
        self.left.go_on_from(before, &self.tuples, &self.buckets, at);
        self.binders = binders(&self.callers, &self.asks);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::model::{Client, PortRange, Remote, TimerGrid, Tuple};
    use crate::units::SimDuration;

    /// Seen on Linux 6.18: three connections over one port that the server closed leave one TIME-WAIT.
    #[test]
    fn a_new_connection_ends_the_servers_time_wait_of_the_same_ports() {
        let host = Host {
            timer_grid: TimerGrid::Exact,
            ports: PortRange::new(40_000, 40_000).unwrap(),
            tcp: TcpSettings { max_tw_buckets: Some(10), ..TcpSettings::default() },
            clients: vec![Client {
                closes: vec![(Ending::Server, 1.0)],
                ..Client::poisson("c", 1.0, SimDuration::ZERO)
            }],
            ..Host::linux("h")
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let timers = Timers::new(&host, 0.0, 0, 0.0);
        let plan = PoolPlan::of(&host, 1);
        let mut sockets = Sockets::new(&host, plan, timers, SimTime::START, &mut rng);
        for number in 0..3 {
            let at = SimTime::START + SimDuration::from_secs(number);
            let (lifetime, remote) = (SimDuration::ZERO, Remote::AnswersHere);
            let attempt = Attempt {
                at,
                lifetime,
                tuple: Tuple::default(),
                ending: Ending::Server,
                remote,
                client: 0,
                machine: 0,
            };
            let taken = sockets.take(&attempt, number as u32, &mut rng).unwrap();
            assert_eq!(sockets.time_waits(at), 0, "the new SYN ended the one before");
            assert!(taken.sees.has(Mark::FirstFin));
            assert_eq!(sockets.reach(taken.ticket, Mark::FirstFin, at), Fate::Stays);
            sockets.free(taken.ticket, false, at);
            assert_eq!(sockets.time_waits(at), 1);
        }
        let after = |secs| SimTime::START + SimDuration::from_secs(secs);
        assert_eq!(sockets.time_waits(after(61)), 1, "timers of what is gone change nothing");
        assert_eq!(sockets.time_waits(after(62)), 0);
    }
}
