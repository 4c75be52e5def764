//! The limits that connections of an island pass: the ports of their own machine, then one gateway after the other.

use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use super::Island;
use super::tolls::Toll;
use crate::engine::endpoints::EndpointNumbers;
use crate::engine::job::Job;
use crate::engine::random::Purpose;
use crate::model::nat::{EntryId, Inside, Pair, Syn};
use crate::model::{
    Attempt, ConnectionId, Fate, Followed, Holder, Life, Limit, MOST_GATEWAYS, Mark, PoolPlan,
    PortSpace, Refused, Sockets, Taken, Timers, Will, mix,
};
use crate::units::SimTime;

/// One machine.
pub struct Member {
    own: Own,
    timers: Timers,
    rng: Xoshiro256PlusPlus,
    /// The number of its host on the island.
    host: u16,
    /// The gateways that its connections pass, by their numbers on the island.
    route: Vec<usize>,
    /// The number of its first source address among all addresses of the island.
    address: u32,
    /// For each destination that it uses: its first endpoint's number here, that number in the world, and its own.
    endpoints: Vec<[u32; 3]>,
    /// Where its sequence numbers begin.
    secret: u64,
}

/// The ports of a machine.
enum Own {
    Independent(Box<PortSpace>),
    Shared(Box<Sockets>),
}

/// What a connection has of its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum OwnTicket {
    Independent(<PortSpace as Limit>::Ticket),
    Shared(<Sockets as Limit>::Ticket),
}

impl Member {
    pub fn new(island: &Island<'_>, job: Job<'_>) -> Self {
        let (host, plan): (_, PoolPlan) = (job.host(), job.plan());
        let mut rng = job.streams().of_machine(Purpose::Selection);
        let (timers, from) = (job.timers(), SimTime::START + job.settings.warm_up);
        let own = match plan.is_shared() {
            true => Own::Shared(Box::new(Sockets::new(host, plan, timers, from, &mut rng))),
            false => Own::Independent(Box::new(PortSpace::new(host, plan, from, &mut rng))),
        };
        let numbers = EndpointNumbers::of(job.world, job.host);
        let (mut endpoints, mut in_world) = (Vec::new(), 0);
        for (number, destination) in job.world.destinations.iter().enumerate() {
            let first = numbers.first(number);
            endpoints.extend(first.map(|first| [first, in_world, number as u32]));
            in_world += destination.endpoints;
        }
        let on_island = |gateway: &usize| {
            island.gateways.binary_search(gateway).expect("it is one of the island's")
        };
        let before = island
            .machines
            .iter()
            .take_while(|other| (other.host, other.machine) != (job.host, job.machine));
        let mut secrets = job.streams().of_machine(Purpose::Gateway);
        Self {
            own,
            timers,
            rng,
            host: island.hosts.iter().position(|&host| host == job.host).expect("it is one") as u16,
            route: job.world.path(job.host).iter().map(on_island).collect(),
            address: before.map(|job| job.host().addresses).sum(),
            endpoints,
            secret: secrets.next_u64(),
        }
    }

    /// The numbers in the world of an endpoint and of its destination.
    fn in_world(&self, endpoint: u32) -> (u32, u32) {
        let own = self.endpoints.iter().rev().find(|own| own[0] <= endpoint);
        let &[first, in_world, destination] = own.expect("endpoints are numbered from 0");
        (in_world + endpoint - first, destination)
    }

    fn free(&mut self, ticket: OwnTicket, taken_over: bool, at: SimTime) {
        match (&mut self.own, ticket) {
            (Own::Independent(own), OwnTicket::Independent(ticket)) => {
                own.free(ticket, taken_over, at)
            }
            (Own::Shared(own), OwnTicket::Shared(ticket)) => own.free(ticket, taken_over, at),
            _ => unreachable!("a machine's tickets are of its own kind"),
        }
    }
}

/// A connection on its way.
#[derive(Clone, Copy, Debug)]
struct Passage {
    machine: u32,
    own: OwnTicket,
    /// The port that it has on its machine.
    port: u16,
    /// The first SYN.
    since: SimTime,
    endpoint: (u32, u32),
    sequence: u32,
    /// How many gateways it has passed.
    passed: u8,
    /// Its entry at each of those, and whence it comes to the next: the number of the address, and the port.
    entries: [Option<EntryId>; MOST_GATEWAYS],
    inside: (u32, u16),
}

/// The limits of an island.
pub struct Path<'a> {
    members: Vec<Member>,
    tolls: Vec<Toll<'a>>,
    /// The number of each gateway's first address among all addresses of the island.
    addresses: Vec<u32>,
    passages: Vec<Passage>,
    vacant: Vec<u32>,
}

impl<'a> Path<'a> {
    /// Bits of a pool: a bit is the number of a port.
    pub const BITS: u32 = 1 << 16;

    /// The limits of `members`, whose gateways have so many addresses each.
    pub(super) fn new(members: Vec<Member>, tolls: Vec<Toll<'a>>, sizes: &[u32]) -> Self {
        let behind = members.last().map_or(0, |last| last.address + (1 << 16));
        let addresses = sizes.iter().scan(behind, |next, &size| {
            let first = *next;
            *next += size;
            Some(first)
        });
        Self {
            addresses: addresses.collect(),
            members,
            tolls,
            passages: Vec::new(),
            vacant: Vec::new(),
        }
    }

    /// Nanoseconds that the ports of each machine were exhausted until `end`.
    pub fn each_exhausted_until(&self, end: SimTime) -> Vec<u128> {
        let each = self.members.iter().map(|member| match &member.own {
            Own::Independent(own) => own.exhausted_until(end),
            Own::Shared(own) => own.exhausted_until(end),
        });
        each.collect()
    }

    /// Closes the books of the gateways.
    pub fn close(&mut self, end: SimTime) {
        self.tolls.drain(..).for_each(|toll| toll.close(end));
    }

    /// Lets the SYN of a connection pass the gateways that it has not passed. Tells whether it passes all.
    fn pass(&mut self, number: u32, at: SimTime) -> bool {
        let passage = &mut self.passages[number as usize];
        let member = &self.members[passage.machine as usize];
        let first = passage.since == at;
        let (endpoint, destination) = passage.endpoint;
        while let Some(&gateway) = member.route.get(usize::from(passage.passed)) {
            let toll = &mut self.tolls[gateway];
            let (address, port) = passage.inside;
            let syn = Syn {
                at,
                inside: Inside { address, port },
                endpoint,
                destination: toll.destination(endpoint, destination),
                // Of private networks; any would do, but netfilter chooses an address of its own by them.
                pair: Pair { client: 0x0a01_0101 + address, destination: 0x0a02_0101 + endpoint },
                sequence: passage.sequence,
            };
            let Some((entry, address, port)) = toll.pass(&syn, member.host, first) else {
                return false;
            };
            passage.entries[usize::from(passage.passed)] = Some(entry);
            passage.passed += 1;
            passage.inside = (self.addresses[gateway] + address, port);
        }
        true
    }
}

impl Limit for Path<'_> {
    type Ticket = u32;
    type Step = Followed;

    fn take(
        &mut self,
        attempt: &Attempt,
        connection: ConnectionId,
        _: &mut Xoshiro256PlusPlus,
    ) -> Result<Taken<u32>, Refused> {
        let member = &mut self.members[attempt.machine as usize];
        let (own, port, taken) = match &mut member.own {
            Own::Independent(own) => {
                let taken = own.take(attempt, connection, &mut member.rng)?;
                let Taken { ticket, pool, bit, probes, bound, replaced, sees } = taken;
                // Its ports are free for all as soon as anybody may have them.
                let sees = sees.with(Mark::Takeable, true);
                let rest = Taken { ticket: 0, pool, bit, probes, bound, replaced, sees };
                (OwnTicket::Independent(ticket), own.port(bit), rest)
            }
            Own::Shared(own) => {
                let taken = own.take(attempt, connection, &mut member.rng)?;
                let Taken { ticket, pool, bit, probes, bound, replaced, sees } = taken;
                let rest = Taken { ticket: 0, pool, bit, probes, bound, replaced, sees };
                (OwnTicket::Shared(ticket), own.port(bit), rest)
            }
        };
        let (at, source) = (attempt.at, attempt.tuple.source);
        let endpoint = member.in_world(attempt.tuple.endpoint);
        // `net/core/secure_seq.c:secure_tcp_seq`: a hash of both ends, and a clock of 64 ns.
        let ends = u64::from(endpoint.0) << 32 | u64::from(source) << 16 | u64::from(port);
        let clock = (at.as_nanos() >> 6) as u32;
        let passage = Passage {
            machine: attempt.machine,
            own,
            port,
            since: at,
            endpoint,
            sequence: (mix(member.secret ^ ends) as u32).wrapping_add(clock),
            passed: 0,
            entries: [None; MOST_GATEWAYS],
            inside: (member.address + source, port),
        };
        let number = match self.vacant.pop() {
            Some(number) => {
                self.passages[number as usize] = passage;
                number
            }
            None => {
                self.passages.push(passage);
                self.passages.len() as u32 - 1
            }
        };
        let passes = self.pass(number, at);
        let sees = taken.sees.with(Mark::Syn, !passes);
        Ok(Taken { ticket: number, bit: u32::from(port), sees, ..taken })
    }

    fn reach(&mut self, ticket: u32, mark: Mark, at: SimTime) -> Fate {
        if mark == Mark::Syn {
            return if self.pass(ticket, at) { Fate::Passes } else { Fate::Stays };
        }
        let passage = &self.passages[ticket as usize];
        match (&mut self.members[passage.machine as usize].own, passage.own) {
            (Own::Independent(_), OwnTicket::Independent(_)) => Fate::Gone,
            (Own::Shared(own), OwnTicket::Shared(ticket)) => own.reach(ticket, mark, at),
            _ => unreachable!("a machine's tickets are of its own kind"),
        }
    }

    fn lives(&mut self, ticket: u32, life: &Life, will: &Will) {
        let passage = &self.passages[ticket as usize];
        let member = &self.members[passage.machine as usize];
        for (&gateway, entry) in member.route.iter().zip(passage.entries) {
            let Some(entry) = entry else { return };
            self.tolls[gateway].lives(entry, life, will);
        }
    }

    fn timers(&self, machine: u32) -> Option<&Timers> {
        Some(&self.members[machine as usize].timers)
    }

    fn free(&mut self, ticket: u32, taken_over: bool, at: SimTime) {
        let Passage { machine, own, .. } = self.passages[ticket as usize];
        self.members[machine as usize].free(own, taken_over, at);
        self.vacant.push(ticket);
    }

    fn holder(&self, ticket: u32) -> Holder {
        let passage = &self.passages[ticket as usize];
        let (holder, port) = match (&self.members[passage.machine as usize].own, passage.own) {
            (Own::Independent(own), OwnTicket::Independent(ticket)) => {
                (own.holder(ticket), passage.port)
            }
            (Own::Shared(own), OwnTicket::Shared(ticket)) => (own.holder(ticket), passage.port),
            _ => unreachable!("a machine's tickets are of its own kind"),
        };
        Holder { bit: port, ..holder }
    }

    fn port(&self, bit: u32) -> u16 {
        bit as u16
    }

    fn bits(&self) -> u32 {
        Self::BITS
    }

    fn exhausted_until(&self, end: SimTime) -> u128 {
        self.each_exhausted_until(end).iter().sum()
    }
}
