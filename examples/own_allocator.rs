//! An allocator of one's own against those of Linux and RFC 6056: a queue that gives out the port that has been
//! free for the longest time.
//!
//! 266 connections a second want the 16,384 dynamic ports for 61 s each, so 99 % of them are taken. A port that
//! is given out soon after it was freed may meet packets of the connection before; the queue makes that
//! time as long as it can be, and looks at one port only. All see the same demand and none gives up early, so the
//! same attempts are blocked.
//!
//! ```text
//!                                 blocked   probes     reused      reused
//!                                              p99 1 % within half within
//! linux                            1.10 %    16399     60.5 s      62.1 s
//! simple_randomization             1.10 %    16399     60.6 s      62.2 s
//! another_simple_randomization     1.10 %    16399     60.5 s      62.3 s
//! simple_hash                      1.10 %    16399     62.1 s      62.4 s
//! double_hash                      1.10 %    16399     62.1 s      62.4 s
//! random_increments                1.10 %    16399     60.5 s      62.3 s
//! longest free (own)               1.10 %        1     62.1 s      62.4 s
//! ```

use std::collections::VecDeque;
use std::convert::Infallible;

use portsim::engine::{Job, Unobserved, Workspace, run, run_with};
use portsim::model::{
    Attempt, ConnectionId, Fate, Holder, Limit, Mark, Marks, PoolId, PortRange, Refusal, Refused,
    SelectionKind, Taken,
};
use portsim::stats::{HostTally, ReuseClock, Window};
use portsim::units::SimTime;
use portsim::{Client, Host, RunSettings, Scenario, SimDuration, World};
use rand::rngs::Xoshiro256PlusPlus;

/// Ports towards one destination, those that have been free for longest at the front.
struct LongestFree {
    free: VecDeque<u16>,
    lowest: u16,
    ports: u32,
    /// Since when no port has been free.
    exhausted: Option<SimTime>,
    exhausted_nanos: u128,
}

impl LongestFree {
    fn new(host: &Host) -> Self {
        let (lowest, highest) = (host.ports.min_ephemeral(), host.ports.max_ephemeral());
        let free: VecDeque<u16> = (lowest..=highest).collect();
        let ports = free.len() as u32;
        Self { free, lowest, ports, exhausted: None, exhausted_nanos: 0 }
    }
}

impl Limit for LongestFree {
    type Ticket = Holder;
    type Step = Infallible; // All is settled when a connection opens.

    fn take(
        &mut self,
        attempt: &Attempt,
        _: ConnectionId,
        _: &mut Xoshiro256PlusPlus,
    ) -> Result<Taken<Holder>, Refused> {
        let (pool, probes) = (PoolId(0), 1);
        let Some(port) = self.free.pop_front() else {
            return Err(Refused { refusal: Refusal::NoPort, pool, probes });
        };
        if self.free.is_empty() {
            self.exhausted = Some(attempt.at);
        }
        let ticket = Holder { pool, bit: port - self.lowest, client: attempt.client };
        let bit = u32::from(ticket.bit);
        Ok(Taken {
            ticket,
            pool,
            bit,
            probes,
            bound: false,
            replaced: None,
            sees: Marks::NONE,
            reset: None,
        })
    }

    fn reach(&mut self, _: Holder, _: Mark, _: SimTime) -> Fate {
        Fate::Stays
    }

    fn free(&mut self, ticket: Holder, _: bool, at: SimTime) {
        self.exhausted_nanos = self.exhausted_until(at);
        self.exhausted = None;
        self.free.push_back(self.lowest + ticket.bit);
    }

    fn holder(&self, ticket: Holder) -> Holder {
        ticket
    }

    fn port(&self, bit: u32) -> u16 {
        self.lowest + bit as u16
    }

    fn bits(&self) -> u32 {
        self.ports
    }

    fn exhausted_until(&self, end: SimTime) -> u128 {
        let since = self.exhausted.map_or(0, |since| end.since(since).as_nanos());
        self.exhausted_nanos + u128::from(since)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = RunSettings::of(SimDuration::from_secs(3_600));
    println!("{:<30}{:>9}{:>9}{:>11}{:>12}", "", "blocked", "probes", "reused", "reused");
    println!("{:<30}{:>9}{:>9}{:>11}{:>12}", "", "", "p99", "1 % within", "half within");
    for (name, selection) in [
        ("linux", SelectionKind::Linux),
        ("simple_randomization", SelectionKind::SimpleRandomization),
        ("another_simple_randomization", SelectionKind::AnotherSimpleRandomization),
        ("simple_hash", SelectionKind::SimpleHash),
        ("double_hash", SelectionKind::DoubleHash),
        ("random_increments", SelectionKind::RandomIncrements),
    ] {
        row(name, selection, settings, |job, tally| {
            let _ = run(job, &mut Workspace::default(), tally, &mut Unobserved);
        })?;
    }
    row("longest free (own)", SelectionKind::Linux, settings, |job, tally| {
        let _ = run_with(job, LongestFree::new(job.host()), tally, &mut Unobserved);
    })
}

/// Runs one machine once as `how` says and prints what came of it.
fn row(
    name: &str,
    selection: SelectionKind,
    settings: RunSettings,
    how: impl FnOnce(Job<'_>, &mut HostTally),
) -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::poisson("fetcher", 266.0, SimDuration::from_millis(200));
    let clients = vec![client];
    let ports = PortRange::IANA_DYNAMIC;
    let host = Host { ports, selection, clients, ..Host::linux("crawler") };
    let Scenario { world, settings, .. } = Scenario::of(World::of(host), settings)?;
    let window = Window::new(settings.warm_up, settings.duration);
    let mut tally = HostTally::new(1, window);
    let (world, settings) = (&world, &settings);
    let job = Job { world, settings, host: 0, machine: 0, replication: 0, timer_phase: None };
    how(job, &mut tally);
    let (opened, blocked) = (tally.clients[0].opened, tally.clients[0].blocked);
    let share = 100.0 * blocked as f64 / (opened + blocked) as f64;
    let probes = tally.limit.probes.histogram().value_at_quantile(0.99);
    let reuse = tally.limit.reuse.histogram();
    let within = |share| reuse.value_at_quantile(share) as f64 * ReuseClock::new(window).unit_s();
    println!("{name:<30}{share:>7.2} %{probes:>9}{:>9.1} s{:>10.1} s", within(0.01), within(0.5));
    Ok(())
}
