//! The engine is open: a second limit on the path, retries, and a range that changes while the run goes on,
//! each written here from outside and run by the same loop.

mod support;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use portsim::engine::{
    Batch, Became, Calendar, Clients, Demand, Job, Machine, Observer, Opening, Run,
};
use portsim::model::{
    Arrivals, Attempt, ConnectionId, Distribution, Fate, Holder, Host, Limit, Mark, Marks, PoolId,
    PortRange, PortSpace, Refusal, Refused, Remote, Reshape, RunSettings, Taken, Timers, World,
};
use portsim::theory::erlang_b;
use portsim::units::{SimDuration, SimTime};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use support::{client, host, settings, world};

/// Counts what is told; the most connections at once too.
#[derive(Default)]
struct Counts {
    opened: u64,
    refused: u64,
    in_use: u64,
    most: u64,
    ports: Vec<(SimTime, u16)>,
}

impl Observer for Counts {
    fn opened(&mut self, opening: &Opening) {
        self.opened += 1;
        self.in_use += 1;
        self.most = self.most.max(self.in_use);
        self.ports.push((opening.at, opening.port));
    }

    fn released(&mut self, _: &portsim::engine::Release) {
        self.in_use -= 1;
    }

    fn refused(&mut self, _: SimTime, _: u16, _: &Refused) {
        self.refused += 1;
    }
}

/// Poisson attempts for connections of `life` on average, whose ports are free as soon as they end.
fn attempts(ports: u32, rate_per_s: f64, life: SimDuration) -> World {
    let arrivals = Arrivals::Poisson { rate_per_s };
    let mut host = host(ports, vec![client(arrivals, Distribution::Exponential { mean: life })]);
    host.time_wait = SimDuration::ZERO;
    world(host)
}

fn job<'a>(world: &'a World, settings: &'a RunSettings) -> Job<'a> {
    Job { world, settings, host: 0, machine: 0, replication: 0, timer_phase: None }
}

fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(1)
}

fn range_of(job: Job<'_>) -> PortSpace {
    PortSpace::new(job.host(), job.plan(), SimTime::START, &mut rng())
}

fn machine<L: Limit>(limit: L, timers: Timers) -> Machine<L> {
    Machine::new(limit, timers, rng(), Calendar::new(1_000, SimDuration::from_secs(1)))
}

fn after(secs: u64) -> SimTime {
    SimTime::START + SimDuration::from_secs(secs)
}

// A second limit in series.

/// A table of entries behind a range of ports: a connection needs a place in both.
struct Series<A> {
    first: A,
    entries: u32,
}

impl<A: Limit> Limit for Series<A> {
    type Ticket = A::Ticket;
    type Step = A::Step;

    fn take(
        &mut self,
        attempt: &Attempt,
        connection: ConnectionId,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Taken<A::Ticket>, Refused> {
        let taken = self.first.take(attempt, connection, rng)?;
        let Some(left) = self.entries.checked_sub(1) else {
            self.first.free(taken.ticket, false, attempt.at);
            let Taken { pool, probes, .. } = taken;
            return Err(Refused { refusal: Refusal::NoPort, pool, probes });
        };
        self.entries = left;
        Ok(taken)
    }

    fn reach(&mut self, ticket: A::Ticket, mark: Mark, at: SimTime) -> Fate {
        self.first.reach(ticket, mark, at)
    }

    fn free(&mut self, ticket: A::Ticket, taken_over: bool, at: SimTime) {
        self.first.free(ticket, taken_over, at);
        self.entries += 1;
    }

    fn holder(&self, ticket: A::Ticket) -> Holder {
        self.first.holder(ticket)
    }

    fn port(&self, bit: u32) -> u16 {
        self.first.port(bit)
    }

    fn bits(&self) -> u32 {
        self.first.bits()
    }

    fn exhausted_until(&self, end: SimTime) -> u128 {
        self.first.exhausted_until(end)
    }
}

/// Goal: the table binds, and it blocks as Erlang's formula says.
/// Method: 40 erlangs on 50 entries behind 1,000 ports, for 100,000 holds.
#[test]
fn a_second_limit_in_series_blocks_as_erlang_b_says() {
    let world = attempts(1_000, 40.0, SimDuration::from_secs(1));
    let settings = settings(2_500.0, 1);
    let job = job(&world, &settings);
    let path = Series { first: range_of(job), entries: 50 };
    let mut run = Run::new(machine(path, job.timers()), Clients::new(job));
    let mut counts = Counts::default();
    assert!(run.until(after(2_500), &mut counts).is_continue());
    assert_eq!(counts.most, 50, "no more than the table holds");
    let ratio = counts.refused as f64 / (counts.opened + counts.refused) as f64;
    let theory = erlang_b(50, 40.0);
    assert!((ratio / theory - 1.0).abs() < 0.1, "{ratio} against {theory}");
}

// Retries.

/// Clients that ask again a fixed time after each refusal, at most so many times.
struct Retries {
    clients: Clients,
    first: Batch,
    made: usize,
    again: BinaryHeap<Reverse<(SimTime, u64, u32)>>,
    /// By number: attempts that were made, and how often.
    known: Vec<(Attempt, u32)>,
    asked: u64,
}

impl Retries {
    const MOST: u32 = 3;
    const DELAY: SimDuration = SimDuration::from_millis(100);
}

impl Demand for Retries {
    fn next_attempts(&mut self, end: SimTime, into: &mut Batch, observer: &mut impl Observer) {
        into.attempts.clear();
        if self.made == self.first.attempts.len() {
            self.clients.next_attempts(end, &mut self.first, observer);
            self.made = 0;
        }
        let first = self.first.attempts[self.made];
        match self.again.peek() {
            Some(&Reverse((at, _, number))) if at <= first.at => {
                self.again.pop();
                self.known[number as usize].1 += 1;
                into.attempts.push(Attempt { at, ..self.known[number as usize].0 });
            }
            _ => {
                self.made += 1;
                self.known.push((first, 1));
                into.attempts.push(first);
            }
        }
        self.asked += 1;
    }

    fn hear(&mut self, attempt: &Attempt, became: Became, _: &mut impl Observer) {
        // A retry keeps what its first try drew.
        let number = self.known.iter().rposition(|(first, _)| first.lifetime == attempt.lifetime);
        let number = number.expect("it was asked");
        if became == Became::Refused && self.known[number].1 < Self::MOST {
            self.again.push(Reverse((attempt.at + Self::DELAY, self.asked, number as u32)));
        }
    }
}

#[test]
fn a_retry_is_asked_until_it_is_answered_or_has_had_its_tries() {
    let world = attempts(10, 12.0, SimDuration::from_secs(1));
    let settings = settings(100.0, 1);
    let job = job(&world, &settings);
    let (clients, first) = (Clients::new(job), Batch::default());
    let (again, known) = (BinaryHeap::new(), Vec::new());
    let demand = Retries { clients, first, made: 0, again, known, asked: 0 };
    let mut run = Run::new(machine(range_of(job), job.timers()), demand);
    let mut counts = Counts::default();
    assert!(run.until(after(100), &mut counts).is_continue());
    let tries: u64 = run.demand.known.iter().map(|known| u64::from(known.1)).sum();
    assert_eq!(tries, run.demand.asked);
    let mut alone = Run::new(machine(range_of(job), job.timers()), Clients::new(job));
    let mut without = Counts::default();
    assert!(alone.until(after(100), &mut without).is_continue());
    // The same first attempts; more of them get through, at the price of more attempts in all.
    assert!(counts.opened > without.opened, "{} {}", counts.opened, without.opened);
    assert!(counts.opened + counts.refused > without.opened + without.refused);
    assert!(run.demand.known.iter().any(|known| known.1 == Retries::MOST));
}

// A range that changes while the run goes on.

/// The lowest free port of a range that can change.
struct Lowest {
    range: PortRange,
    held: Vec<u16>,
}

impl Limit for Lowest {
    type Ticket = Holder;
    type Step = std::convert::Infallible;

    fn take(
        &mut self,
        attempt: &Attempt,
        _: ConnectionId,
        _: &mut Xoshiro256PlusPlus,
    ) -> Result<Taken<Holder>, Refused> {
        let mut range = self.range.min_ephemeral()..=self.range.max_ephemeral();
        let (pool, probes) = (PoolId(0), 1);
        let Some(port) = range.find(|port| !self.held.contains(port)) else {
            return Err(Refused { refusal: Refusal::NoPort, pool, probes });
        };
        self.held.push(port);
        let (bit, bound, replaced, sees) = (u32::from(port), false, None, Marks::NONE);
        let ticket = Holder { pool, bit: port, client: attempt.client };
        Ok(Taken { ticket, pool, bit, probes, bound, replaced, sees, reset: None })
    }

    fn reach(&mut self, _: Holder, _: Mark, _: SimTime) -> Fate {
        Fate::Stays
    }

    fn free(&mut self, ticket: Holder, _: bool, _: SimTime) {
        let place = self.held.iter().position(|&port| port == ticket.bit);
        self.held.swap_remove(place.expect("what is freed was held"));
    }

    fn holder(&self, ticket: Holder) -> Holder {
        ticket
    }

    fn port(&self, bit: u32) -> u16 {
        bit as u16
    }

    fn bits(&self) -> u32 {
        1 << 16
    }

    fn exhausted_until(&self, _: SimTime) -> u128 {
        0
    }
}

impl Reshape for Lowest {
    fn reshape(&mut self, host: &Host, _: Timers, _: &[Holder], _: SimTime) {
        self.range = host.ports;
    }
}

#[test]
fn a_range_may_change_in_mid_run_and_what_is_held_stays_held() {
    let mut before = attempts(20, 20.0, SimDuration::from_secs(1));
    before.hosts[0].ports = PortRange::new(40_000, 40_019).unwrap();
    let mut later = before.hosts[0].clone();
    later.ports = PortRange::new(50_000, 50_039).unwrap();
    let settings = settings(100.0, 1);
    let job = job(&before, &settings);
    let limit = Lowest { range: before.hosts[0].ports, held: Vec::new() };
    let mut run = Run::new(machine(limit, job.timers()), Clients::new(job));
    let (mut first, mut second) = (Counts::default(), Counts::default());
    assert!(run.until(after(50), &mut first).is_continue());
    let answers = |_| Remote::Answers;
    let late = run.machine.reshape(&later, job.timers(), answers);
    assert!(late.is_empty());
    // Some ports of the old range are released in the second half.
    second.in_use = first.in_use;
    assert!(run.until(after(100), &mut second).is_continue());
    assert!(first.refused > 0 && first.most == 20);
    assert!(first.ports.iter().all(|&(at, port)| at < after(50) && port < 50_000));
    assert!(second.ports.iter().all(|&(at, port)| at >= after(50) && port >= 50_000));
    assert!(second.refused < first.refused / 10, "{} {}", second.refused, first.refused);
    assert!(first.in_use > 0 && second.most > 20);
}
