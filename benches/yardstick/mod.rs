//! The yardstick: the simulator that a competent engineer writes in an afternoon, against which
//! portsim's speed is measured.
//!
//! One host, one destination, Poisson arrivals, exponential lifetimes, 60 s of TIME-WAIT, and the
//! port chosen as Linux's `connect()` chooses it, with the number of ports it looks at. Every
//! arrival, close and release is an event in one [`BinaryHeap`], in order of time and, within a
//! nanosecond, of scheduling.
//!
//! It is meant to be fair. The free port is found through a two-level bitmap and not port by port
//! (which is twenty times slower), time and integrals are whole numbers, nothing is allocated per
//! event but the heap's own growth, and it keeps the statistics that portsim keeps: counts,
//! occupancy by state, the peak, the first refusal, a timeline, and histograms of probes and of
//! reuse intervals. It shares no code with portsim, so that it also says whether the two agree.
//!
//! Not modelled: more hosts, destinations or clients, other selections and holds, the timer wheel,
//! retries, warm-up.

#![allow(dead_code, reason = "a bench reads only a part of the report")]

mod chooser;
mod statistics;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use chooser::LinuxChooser;
pub use statistics::Report;
use statistics::{NANOS_PER_SECOND, Statistics, TIMELINE_BINS};

const TIME_WAIT: u64 = 60_000_000_000;

/// Simulates `duration_s` seconds from an empty start: `rate_per_s` Poisson attempts a second on
/// `ports` ports, connections of `mean_life_s` on average, closed by the client.
///
/// # Panics
/// When there are fewer than 2 or more than 65,535 ports, or a rate or time is not above 0.
pub fn run(ports: u32, rate_per_s: f64, mean_life_s: f64, duration_s: f64, seed: u64) -> Report {
    assert!((2..=65_535).contains(&ports), "{ports} ports");
    assert!(rate_per_s > 0.0 && mean_life_s > 0.0 && duration_s > 0.0);
    let mut simulation = Simulation::new(ports, rate_per_s, mean_life_s, duration_s, seed);
    simulation.run();
    simulation.report()
}

/// The blocking ratio once the start is forgotten, for comparison with Erlang B.
///
/// `periods` holds (`mean_life_s` + 60 s each) are simulated, a multiple of 300 of them, and the
/// second half counts: an empty start keeps the ports in step for a hundred periods and more, so
/// take 600. The attempts are taken as what they are on average, `rate_per_s`. An overloaded pool
/// opens almost the same number in every period, so that the ratio is much sharper than blocked
/// over attempts: within 0.00003 of the 0.105162 of Erlang B for 16,384 ports, 300 a second, 1 s.
///
/// # Panics
/// As [`run`], and when `periods` is not a multiple of 300.
pub fn steady_blocking_ratio(
    ports: u32,
    rate_per_s: f64,
    mean_life_s: f64,
    periods: u32,
    seed: u64,
) -> f64 {
    assert!(
        u64::from(periods).is_multiple_of(TIMELINE_BINS),
        "{periods} periods do not fit the bins"
    );
    let hold_s = mean_life_s + TIME_WAIT as f64 / NANOS_PER_SECOND;
    let duration_s = f64::from(periods) * hold_s;
    let report = run(ports, rate_per_s, mean_life_s, duration_s, seed);
    let second_half = &report.timeline[report.timeline.len() / 2..];
    let opened: u64 = second_half.iter().map(|bin| bin.opened).sum();
    1.0 - opened as f64 / (rate_per_s * duration_s / 2.0)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum EventKind {
    /// A client tries to connect.
    Arrival,
    /// The client closes the connection on this port, which goes to TIME-WAIT.
    Close(u16),
    /// TIME-WAIT of this port is over.
    Release(u16),
}

/// Ordered by time, then by the order of scheduling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    time: u64,
    sequence: u64,
    kind: EventKind,
}

struct Simulation {
    now: u64,
    end: u64,
    queue: BinaryHeap<Reverse<Event>>,
    scheduled: u64,
    rng: Xoshiro256PlusPlus,
    mean_gap_ns: f64,
    mean_life_ns: f64,
    chooser: LinuxChooser,
    statistics: Statistics,
}

impl Simulation {
    fn new(ports: u32, rate_per_s: f64, mean_life_s: f64, duration_s: f64, seed: u64) -> Self {
        let end = (duration_s * NANOS_PER_SECOND) as u64;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self {
            now: 0,
            end,
            queue: BinaryHeap::new(),
            scheduled: 0,
            mean_gap_ns: NANOS_PER_SECOND / rate_per_s,
            mean_life_ns: mean_life_s * NANOS_PER_SECOND,
            chooser: LinuxChooser::new(ports, rng.random()),
            statistics: Statistics::new(ports, end),
            rng,
        }
    }

    fn run(&mut self) {
        self.schedule_arrival();
        while let Some(Reverse(event)) = self.queue.pop() {
            if event.time >= self.end {
                break;
            }
            self.now = event.time;
            self.statistics.advance(self.now);
            match event.kind {
                EventKind::Arrival => self.arrive(),
                EventKind::Close(port) => {
                    self.statistics.closed();
                    self.schedule(TIME_WAIT, EventKind::Release(port));
                }
                EventKind::Release(port) => {
                    self.statistics.released();
                    self.chooser.release(port);
                }
            }
        }
        self.statistics.advance(self.end);
    }

    fn arrive(&mut self) {
        let (port, probes) = self.chooser.connect(self.now, &mut self.rng);
        self.statistics.probed(probes);
        match port {
            Some(port) => {
                self.statistics.opened(port);
                let life = exponential(&mut self.rng, self.mean_life_ns);
                self.schedule(life, EventKind::Close(port));
            }
            None => self.statistics.blocked(),
        }
        self.schedule_arrival();
    }

    fn schedule_arrival(&mut self) {
        let gap = exponential(&mut self.rng, self.mean_gap_ns);
        self.schedule(gap, EventKind::Arrival);
    }

    fn schedule(&mut self, delay: u64, kind: EventKind) {
        let event = Event { time: self.now + delay, sequence: self.scheduled, kind };
        self.scheduled += 1;
        self.queue.push(Reverse(event));
    }

    fn report(self) -> Report {
        self.statistics.report()
    }
}

/// An exponential variable, rounded to the nearest whole number.
fn exponential(rng: &mut Xoshiro256PlusPlus, mean: f64) -> u64 {
    let uniform: f64 = rng.random();
    (-mean * (1.0 - uniform).ln() + 0.5) as u64
}

#[cfg(test)]
#[allow(unused_imports, reason = "a bench compiles tests without their harness")]
mod tests {
    use super::*;

    #[test]
    fn blocking_agrees_with_erlang_b() {
        let blocking = steady_blocking_ratio(16_384, 300.0, 1.0, 600, 1);
        assert!((blocking - 0.105_162).abs() < 0.000_1, "{blocking}");
    }

    #[test]
    fn figures_of_one_run_fit_together() {
        let report = run(16_384, 300.0, 1.0, 600.0, 1);
        assert_eq!(report.attempts, report.opened + report.blocked);
        assert_eq!(report.timeline.iter().map(|bin| bin.opened).sum::<u64>(), report.opened);
        assert_eq!(report.timeline.iter().map(|bin| bin.blocked).sum::<u64>(), report.blocked);
        assert_eq!(report.peak_in_use, 16_384);
        assert_eq!((report.probes.len(), report.probes.max() >> 4), (report.attempts, 1_024));
        assert!(report.reuse_interval_us.min() >= 59_900_000);
        // The gamma law of the fill time: 54.6 s, standard deviation 0.43 s.
        assert!((report.first_blocked_s.unwrap() - 54.6).abs() < 2.0);
        // Little's law for the connections, 1 s each.
        assert!((report.mean_established / (report.opened as f64 / 600.0) - 1.0).abs() < 0.02);
    }
}
