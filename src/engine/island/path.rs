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
    PortSpace, Refusal, Refused, Sockets, Taken, Timers, Will, mix,
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
    /// The machine of `job`, whose first source address has the number `address` on the island.
    pub fn new(island: &Island<'_>, job: Job<'_>, address: u32) -> Self {
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
        let mut secrets = job.streams().of_machine(Purpose::Gateway);
        Self {
            own,
            timers,
            rng,
            host: island.hosts.iter().position(|&host| host == job.host).expect("it is one") as u16,
            route: job.world.path(job.host).iter().map(on_island).collect(),
            address,
            endpoints,
            secret: secrets.next_u64(),
        }
    }

    /// The number of its first source address among all addresses of the island.
    pub const fn address(&self) -> u32 {
        self.address
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
    endpoint: (u32, u32),
    sequence: u32,
    /// How many gateways it has passed, and how many it has asked.
    passed: u8,
    asked: u8,
    /// Its entry at each gateway that it has passed.
    entries: [Option<EntryId>; MOST_GATEWAYS],
    /// Whence it comes to each: the number of the address, and the port.
    insides: [(u32, u16); MOST_GATEWAYS],
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

    /// The limits of `members`; the first address of each gateway has that number of `addresses` on the island.
    pub(super) fn new(members: Vec<Member>, tolls: Vec<Toll<'a>>, addresses: Vec<u32>) -> Self {
        Self { addresses, members, tolls, passages: Vec::new(), vacant: Vec::new() }
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

    /// Lets the SYN of a connection pass the gateways that it has not passed.
    ///
    /// # Errors
    /// What one of them says against it.
    fn pass(&mut self, number: u32, at: SimTime) -> Result<(), Refused> {
        let passage = &mut self.passages[number as usize];
        let member = &self.members[passage.machine as usize];
        let (endpoint, destination) = passage.endpoint;
        // Where an entry's time is over meanwhile, the SYN needs a new one, and all behind it with it.
        let mut route = member.route.iter().zip(passage.entries);
        let mut stays = |(&gateway, entry): (&usize, Option<EntryId>)| {
            entry.is_some_and(|entry| self.tolls[gateway].keeps(entry, at))
        };
        passage.passed = route.position(|step| !stays(step)).unwrap_or(member.route.len()) as u8;
        while let Some(&gateway) = member.route.get(usize::from(passage.passed)) {
            let (step, toll) = (usize::from(passage.passed), &mut self.tolls[gateway]);
            let (address, port) = passage.insides[step];
            let syn = Syn {
                at,
                inside: Inside { address, port },
                endpoint,
                destination: toll.destination(endpoint, destination),
                // Of private networks; any would do, but netfilter chooses an address of its own by them.
                pair: Pair { client: 0x0a01_0101 + address, destination: 0x0a02_0101 + endpoint },
                sequence: passage.sequence,
            };
            let first = passage.asked == passage.passed;
            passage.asked = passage.asked.max(passage.passed + 1);
            let (entry, address, port) = match toll.pass(&syn, member.host, first) {
                Ok(mapped) => mapped,
                Err(refused) => {
                    passage.entries[step] = None;
                    return Err(refused);
                }
            };
            passage.entries[step] = Some(entry);
            passage.passed += 1;
            let outside = address.map(|address| self.addresses[gateway] + address);
            let address = outside.unwrap_or(passage.insides[step].0);
            if let Some(next) = passage.insides.get_mut(step + 1) {
                *next = (address, port);
            }
        }
        Ok(())
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
                // Its ports are free for all as soon as anybody may have them.
                let sees = taken.sees.with(Mark::Takeable, true);
                let place = Taken { sees, ..taken.with_ticket(0) };
                (OwnTicket::Independent(taken.ticket), own.port(taken.bit), place)
            }
            Own::Shared(own) => {
                let taken = own.take(attempt, connection, &mut member.rng)?;
                (OwnTicket::Shared(taken.ticket), own.port(taken.bit), taken.with_ticket(0))
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
            endpoint,
            sequence: (mix(member.secret ^ ends) as u32).wrapping_add(clock),
            passed: 0,
            asked: 0,
            entries: [None; MOST_GATEWAYS],
            insides: [(member.address + source, port); MOST_GATEWAYS],
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
        let sees = taken.sees.with(Mark::Syn, passes.is_err());
        let reset = passes.err().filter(|refused| refused.refusal == Refusal::Reset);
        Ok(Taken { ticket: number, bit: u32::from(port), sees, reset, ..taken })
    }

    fn reach(&mut self, ticket: u32, mark: Mark, at: SimTime) -> Fate {
        if mark == Mark::Syn {
            return match self.pass(ticket, at) {
                Ok(()) => Fate::Passes,
                Err(refused) if refused.refusal == Refusal::Reset => Fate::Gone,
                Err(_) => Fate::Stays,
            };
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

    fn holder(&self, _: u32) -> Holder {
        unreachable!("every connection of an island is followed")
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
