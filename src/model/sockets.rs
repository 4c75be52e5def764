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
use super::life::Timers;
use super::limit::{
    ConnectionId, Fate, Followed, Holder, Limit, Mark, Marks, Refusal, Refused, Taken,
};
use super::numbering::PortNumbers;
use super::pools::{PoolId, PoolPlan};
use super::selection::{Choice, Selector};
use super::server_waits::ServerWaits;
use super::tcp::TcpSettings;
use super::view::View;
use super::world::{Binds, Ending, Host, SquatterAddress};
use crate::units::SimTime;

/// A port that a connection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketTicket {
    /// The row of its (source address, destination) among the tuples.
    row: u32,
    bit: u16,
    client: u16,
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
    callers: Vec<Caller>,
    /// Those that bind, each way of asking once.
    binders: Vec<usize>,
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
        let numbers = PortNumbers::of(host);
        let (n, bits) = (host.ports.num_ephemeral(), numbers.bits());
        let reserved: Vec<u32> =
            host.reserved.inside(host.ports).map(|port| numbers.bit(port)).collect();
        let (addresses, rows) = (plan.sources() as usize, plan.rows() as usize);
        let callers: Vec<Caller> =
            host.clients.iter().map(|client| Caller::new(host, client, &numbers)).collect();
        let relaxes = callers.iter().any(|caller| caller.relaxes);
        let mut buckets =
            Buckets::new(bits, addresses, &reserved, relaxes, host.tcp.buckets_reopen);
        squat(host, plan.sources(), &numbers, &mut buckets);
        let left = Left::new(plan, &callers, &buckets, numbers.high_bits(), from);
        let binders = binders(&callers);
        // Where nobody binds, what is closed to connect() stays so: it is closed in every row then.
        let closed =
            (0..bits).filter(|&bit| binders.is_empty() && !buckets.for_connect.is_set(0, bit));
        let tuples = Bitmaps::full(rows, bits, &closed.collect::<Vec<u32>>());
        Self {
            plan,
            tcp: host.tcp,
            timers,
            bits,
            first_bound: plan.connect_pools(),
            meets_owners: callers.iter().any(|one| one.relaxes || one.binds == Binds::Port),
            binders,
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

    /// TIME-WAIT buckets on the machine at `now`; none are counted where their number is not limited.
    #[must_use]
    #[inline]
    pub fn time_waits(&mut self, now: SimTime) -> u32 {
        self.time_waits -= self.server_waits.end_until(now);
        self.time_waits
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
            mask: (!self.binders.is_empty()).then_some(&self.buckets.for_connect),
            num_ephemeral: self.numbers.num_ephemeral(),
            exhausted: part.is_none().then(|| self.left.exhausted(row)),
        };
        match (&mut self.connect, part) {
            (Selector::LinuxConnect(linux), Some(part)) => {
                let by_one = self.tcp.narrow_range_by_one;
                linux.choose_within(part, by_one, u64::from(row), now, &view, rng)
            }
            (selector, _) => selector.choose(u64::from(row), now, &view, rng),
        }
    }

    fn choose_for_bind(
        &mut self,
        caller: usize,
        source: u32,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        let Caller { part, by_halves, relaxes, class, .. } = self.callers[caller];
        let num_ephemeral = self.numbers.num_ephemeral();
        let selector = &mut self.bind;
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
                (other, _) => other.choose(u64::from(source), SimTime::START, &view, rng),
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
        let caller = usize::from(attempt.client);
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
fn binders(callers: &[Caller]) -> Vec<usize> {
    let mut binders: Vec<usize> = Vec::new();
    for (number, caller) in callers.iter().enumerate() {
        let known = binders.iter().any(|&other| callers[other].asks_like(caller));
        if caller.binds.is_bound() && !known {
            binders.push(number);
        }
    }
    binders
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
        let Caller { binds, class, .. } = self.callers[usize::from(client)];
        let bound = binds.is_bound();
        let pool = self.pool(bound, row);
        let (bit, probes) = self
            .choose(attempt, row, source, rng)
            .map_err(|(refusal, probes)| Refused { refusal, pool, probes })?;
        let place = self.place(row, bit);
        let old = std::mem::replace(&mut self.owners[place], connection + 1);
        self.time_waits -= u32::from(old & WAITS != 0 && self.tcp.max_tw_buckets.is_some());
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
        // Who uses a port matters to those who bind alone.
        if !self.binders.is_empty() {
            self.buckets.add_user(bit, source, class);
            self.recount(bit, source, true, at);
        }
        let capped = self.tcp.max_tw_buckets.is_some();
        let server_waits = attempt.ending == Ending::Server && attempt.remote.is_here();
        Ok(Taken {
            ticket: SocketTicket { row, bit: bit as u16, client },
            pool,
            bit,
            probes,
            bound,
            replaced: (old & !WAITS).checked_sub(1),
            sees: Marks::NONE
                .with(Mark::FirstFin, capped && server_waits)
                .with(Mark::Bucket, capped || self.meets_owners)
                .with(Mark::Takeable, true),
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
                self.time_waits += u32::from(self.tcp.max_tw_buckets.is_some());
            }
            Mark::Takeable => self.give_up_tuple(row, bit, at),
            Mark::Over => {}
        }
        Fate::Stays
    }

    fn free(&mut self, ticket: SocketTicket, taken_over: bool, at: SimTime) {
        let (row, bit) = (ticket.row, u32::from(ticket.bit));
        let place = self.place(row, bit);
        if !taken_over {
            let waits = std::mem::replace(&mut self.owners[place], 0) & WAITS != 0;
            self.time_waits -= u32::from(waits && self.tcp.max_tw_buckets.is_some());
            self.give_up_tuple(row, bit, at);
        }
        if self.binders.is_empty() {
            return;
        }
        let source = self.plan.source_of_row(row);
        let Caller { class, binds, .. } = self.callers[usize::from(ticket.client)];
        if self.buckets.remove_user(bit, source, class, binds.is_bound()) {
            self.left.opened_to_connect(bit, &self.tuples, self.buckets.is_used(bit), at);
        }
        self.recount(bit, source, false, at);
    }

    fn holder(&self, ticket: SocketTicket) -> Holder {
        let SocketTicket { row, bit, client } = ticket;
        let bound = self.callers[usize::from(client)].binds.is_bound();
        Holder { pool: self.pool(bound, row), bit, client }
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
