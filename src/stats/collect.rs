//! From tallies of replications to figures with intervals.
//!
//! A replication is boiled down to a few numbers a scope as soon as it is done; what is summed over
//! replications (timelines, histograms) is whole numbers, so the order in which replications finish
//! does not matter. Intervals are computed at the end, over the replications in their own order.

use super::log_linear::LogLinear;
use super::outcome::{
    Estimate, Figures, Moments, Quantiles, RequestFigures, ServerFigures, Spread, Timeline,
    TimelineRow,
};
use super::tally::{Bins, Blocking, ClientTally, HostTally, RequestTally, ReuseClock, ServerTally};
use super::window::Window;
use crate::model::{FixedPort, Refusal};
use crate::units::{SimDuration, SimTime};

/// How much one host can carry: the ground that figures stand on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// Usable ports of one machine.
    pub num_ephemeral: u64,
    /// Most connections at once, all machines.
    pub capacity: u64,
    /// Pools of all machines.
    pub pools: u64,
    /// Does any client keep connections, and does any try again?
    pub asks: [bool; 2],
}

impl Ground {
    /// The more of this and of `other`, in everything.
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        Self {
            num_ephemeral: self.num_ephemeral.max(other.num_ephemeral),
            capacity: self.capacity.max(other.capacity),
            pools: self.pools.max(other.pools),
            asks: [0, 1].map(|which| self.asks[which] || other.asks[which]),
        }
    }

    /// Several hosts together.
    #[must_use]
    pub fn together(grounds: &[Self]) -> Self {
        grounds.iter().fold(Self::default(), |sum, ground| Self {
            num_ephemeral: sum.num_ephemeral + ground.num_ephemeral,
            capacity: sum.capacity + ground.capacity,
            pools: sum.pools + ground.pools,
            asks: [0, 1].map(|which| sum.asks[which] || ground.asks[which]),
        })
    }
}

/// One scope (a client, a limit, the whole) in one replication.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    attempts: u64,
    opened: u64,
    refused: [u64; Refusal::ALL.len()],
    unanswered: u64,
    late: u64,
    cut_off: u64,
    connecting: u128,
    established: u128,
    closing: u128,
    time_wait: u128,
    full: u128,
    peak_in_use: u64,
    blocking: Blocking,
    requests: Requests,
}

/// What became of requests.
#[derive(Clone, Copy, Debug, Default)]
struct Requests {
    made: u64,
    retried: u64,
    served: u64,
    failed: u64,
    idle: u128,
    /// Attempts of the clients that make requests.
    attempts: u64,
}

impl Requests {
    fn of(client: &ClientTally) -> Self {
        let &RequestTally { made, retried, served, failed, idle, .. } = &client.requests;
        let attempts = if made > 0 { client.opened + client.blocked } else { 0 };
        Self { made, retried, served, failed, idle, attempts }
    }

    fn together(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::default(), |sum, part| Self {
            made: sum.made + part.made,
            retried: sum.retried + part.retried,
            served: sum.served + part.served,
            failed: sum.failed + part.failed,
            idle: sum.idle + part.idle,
            attempts: sum.attempts + part.attempts,
        })
    }
}

impl Sample {
    /// A client, whose blocked time is that of its host.
    #[must_use]
    pub fn of_client(client: &ClientTally, host: &HostTally) -> Self {
        Self {
            attempts: client.opened + client.blocked,
            opened: client.opened,
            refused: client.refused,
            unanswered: client.unanswered,
            late: client.late,
            cut_off: client.cut_off,
            connecting: client.connecting,
            established: client.established,
            closing: client.closing,
            time_wait: client.time_wait,
            full: host.limit.full,
            peak_in_use: client.peak_in_use,
            blocking: client.blocking,
            requests: Requests::of(client),
        }
    }

    /// A host's port range: all its clients together.
    #[must_use]
    pub fn of_limit(host: &HostTally) -> Self {
        let sum = |part: fn(&ClientTally) -> u64| host.clients.iter().map(part).sum();
        let sum_wide = |part: fn(&ClientTally) -> u128| host.clients.iter().map(part).sum();
        Self {
            attempts: sum(|client| client.opened + client.blocked),
            opened: sum(|client| client.opened),
            refused: added(host.clients.iter().map(|client| client.refused)),
            unanswered: sum(|client| client.unanswered),
            late: sum(|client| client.late),
            cut_off: sum(|client| client.cut_off),
            connecting: sum_wide(|client| client.connecting),
            established: sum_wide(|client| client.established),
            closing: sum_wide(|client| client.closing),
            time_wait: sum_wide(|client| client.time_wait),
            full: host.limit.full,
            peak_in_use: host.limit.peak_in_use,
            blocking: host.limit.blocking,
            requests: Requests::together(host.clients.iter().map(Requests::of)),
        }
    }

    /// Several hosts together; the peak is the greatest on any one machine.
    #[must_use]
    pub fn together(parts: &[Self]) -> Self {
        let mut blocking = Blocking::default();
        parts.iter().for_each(|part| blocking.merge(&part.blocking));
        Self {
            attempts: parts.iter().map(|part| part.attempts).sum(),
            opened: parts.iter().map(|part| part.opened).sum(),
            refused: added(parts.iter().map(|part| part.refused)),
            unanswered: parts.iter().map(|part| part.unanswered).sum(),
            late: parts.iter().map(|part| part.late).sum(),
            cut_off: parts.iter().map(|part| part.cut_off).sum(),
            connecting: parts.iter().map(|part| part.connecting).sum(),
            established: parts.iter().map(|part| part.established).sum(),
            closing: parts.iter().map(|part| part.closing).sum(),
            time_wait: parts.iter().map(|part| part.time_wait).sum(),
            full: parts.iter().map(|part| part.full).sum(),
            peak_in_use: parts.iter().map(|part| part.peak_in_use).max().unwrap_or(0),
            blocking,
            requests: Requests::together(parts.iter().map(|part| part.requests)),
        }
    }

    /// Attempts in the steady state.
    #[must_use]
    pub const fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Nanoseconds times connections that hold a port, in whatever state.
    const fn in_use(&self) -> u128 {
        self.connecting + self.established + self.closing + self.time_wait
    }

    /// Blocked attempts / attempts in the steady state; 0 where nothing was attempted.
    #[must_use]
    pub fn blocking_ratio(&self) -> f64 {
        (self.attempts - self.opened) as f64 / self.attempts.max(1) as f64
    }
}

/// Counts by refusal, added up.
fn added(parts: impl Iterator<Item = [u64; Refusal::ALL.len()]>) -> [u64; Refusal::ALL.len()] {
    parts.fold(Default::default(), |mut sums, part| {
        sums.iter_mut().zip(part).for_each(|(sum, more)| *sum += more);
        sums
    })
}

/// Figures of one scope out of its samples, one a replication and in their order.
#[must_use]
pub fn figures(
    samples: &[Sample],
    ground: Ground,
    window: Window,
    probes: Quantiles,
    reuse_interval: Quantiles,
    waited: &LogLinear,
) -> Figures {
    let over_time = |port_nanos: u128| port_nanos as f64 / window.steady_nanos() as f64;
    let bounded = |value: &dyn Fn(&Sample) -> f64, most: f64| {
        Estimate::within(&samples.iter().map(value).collect::<Vec<f64>>(), most)
    };
    let share = |value: &dyn Fn(&Sample) -> f64| bounded(value, 1.0);
    let level = |value: &dyn Fn(&Sample) -> f64| bounded(value, ground.capacity as f64);
    let seconds = |at: SimTime| at.as_secs_f64();
    let first: Vec<f64> = samples
        .iter()
        .filter(|sample| sample.blocking.first != SimTime::FAR_FUTURE)
        .map(|sample| seconds(sample.blocking.first))
        .collect();
    let recovered: Vec<f64> = samples
        .iter()
        .filter(|sample| sample.blocking.first != SimTime::FAR_FUTURE)
        .filter(|sample| !sample.blocking.unfinished)
        .map(|sample| seconds(sample.blocking.recovered))
        .collect();
    let replications = samples.len() as u32;
    let attempts = samples.iter().map(|sample| sample.attempts).sum();
    let opened = samples.iter().map(|sample| sample.opened).sum();
    let capacity = (ground.capacity as f64).max(1.0);
    let longest = samples.iter().map(|sample| sample.blocking.longest).max().unwrap_or(0);
    let episodes: u64 = samples.iter().map(|sample| sample.blocking.episodes).sum();
    let lasted: u128 = samples.iter().map(|sample| sample.blocking.lasted).sum();
    Figures {
        attempts,
        opened,
        blocked: attempts - opened,
        refused: added(samples.iter().map(|sample| sample.refused)),
        unanswered: samples.iter().map(|sample| sample.unanswered).sum(),
        late: samples.iter().map(|sample| sample.late).sum(),
        cut_off: samples.iter().map(|sample| sample.cut_off).sum(),
        blocking_ratio: share(&Sample::blocking_ratio),
        timed_out_ratio: share(&|sample| sample.unanswered as f64 / sample.attempts.max(1) as f64),
        late_ratio: share(&|sample| sample.late as f64 / sample.attempts.max(1) as f64),
        first_blocked: Moments::of(&first, replications),
        recovered: Moments::of(&recovered, replications),
        blocked_time_share: share(&|sample| over_time(sample.full) / ground.pools.max(1) as f64),
        episodes: bounded(&|sample| sample.blocking.episodes as f64, f64::INFINITY),
        longest_episode: SimDuration::from_nanos(longest),
        mean_episode: SimDuration::from_nanos((lasted / u128::from(episodes.max(1))) as u64),
        peak_in_use: samples.iter().map(|sample| sample.peak_in_use).max().unwrap_or(0),
        mean_in_use: level(&|sample| over_time(sample.in_use())),
        mean_connecting: level(&|sample| over_time(sample.connecting)),
        mean_established: level(&|sample| over_time(sample.established)),
        mean_closing: level(&|sample| over_time(sample.closing)),
        mean_time_wait: level(&|sample| over_time(sample.time_wait)),
        num_ephemeral: ground.num_ephemeral,
        capacity: ground.capacity,
        utilisation: share(&|sample| over_time(sample.in_use()) / capacity),
        probes,
        reuse_interval,
        requests: requests(samples, ground.asks, window, waited),
    }
}

/// Figures of requests, where there were any.
fn requests(
    samples: &[Sample],
    [pooled, retries]: [bool; 2],
    window: Window,
    waited: &LogLinear,
) -> Option<RequestFigures> {
    let all = Requests::together(samples.iter().map(|sample| sample.requests));
    let mean = |value: &dyn Fn(&Requests) -> f64| {
        let values: Vec<f64> = samples.iter().map(|sample| value(&sample.requests)).collect();
        Estimate::within(&values, f64::INFINITY)
    };
    (pooled || retries).then(|| RequestFigures {
        pooled,
        retries,
        made: all.made,
        retried: all.retried,
        served: all.served,
        failed: all.failed,
        connections_per_request: mean(&|one| one.attempts as f64 / one.made.max(1) as f64),
        mean_idle: mean(&|one| one.idle as f64 / window.steady_nanos() as f64),
        waiting: quantiles(waited, RequestTally::UNIT_S),
    })
}

/// Figures of the server that `wants` a port; of each replication how many started, and were refused.
#[must_use]
pub fn server(wants: FixedPort, replications: &[[u64; 2]], sum: &ServerTally) -> ServerFigures {
    let share = |[started, refused]: &[u64; 2]| *refused as f64 / (*started).max(1) as f64;
    let shares: Vec<f64> = replications.iter().map(share).collect();
    ServerFigures {
        wants,
        refused: Estimate::within(&shares, 1.0),
        never: sum.never as f64 / sum.started.max(1) as f64,
        waited: quantiles(&sum.waited, ServerTally::UNIT_S),
    }
}

/// Probes of all attempts, in ports.
#[must_use]
pub fn probe_quantiles(counts: &LogLinear) -> Quantiles {
    quantiles(counts, 1.0)
}

/// Reuse intervals, in seconds.
#[must_use]
pub fn reuse_quantiles(counts: &LogLinear, window: Window) -> Quantiles {
    quantiles(counts, ReuseClock::new(window).unit_s())
}

/// No values at all.
#[must_use]
pub fn no_quantiles() -> Quantiles {
    quantiles(&LogLinear::default(), 1.0)
}

fn quantiles(counts: &LogLinear, scale: f64) -> Quantiles {
    let histogram = counts.histogram();
    // A quantile is the greatest value of its cell, which may lie above every value there was.
    let most = u64::from(counts.most());
    let at = |quantile: f64| histogram.value_at_quantile(quantile).min(most) as f64 * scale;
    Quantiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: most as f64 * scale,
        scale,
        histogram,
    }
}

/// Timelines of replications, summed.
#[derive(Clone, Debug)]
pub struct TimelineSum {
    window: Window,
    capacity: u64,
    replications: u32,
    rows: Vec<[Range; COLUMNS]>,
}

/// Opened, blocked, connecting, established, closing, TIME-WAIT, free.
const COLUMNS: usize = 7;

/// Sum, least and greatest of whole numbers.
#[derive(Clone, Copy, Debug)]
struct Range {
    sum: i128,
    min: i128,
    max: i128,
}

impl TimelineSum {
    /// No replication yet; `capacity` is the most ports that can be in use.
    #[must_use]
    pub fn new(window: Window, capacity: u64) -> Self {
        let empty = Range { sum: 0, min: i128::MAX, max: i128::MIN };
        Self { window, capacity, replications: 0, rows: vec![[empty; COLUMNS]; window.bins()] }
    }

    /// Adds one replication: the bins of everything that is summed, all of the same window.
    pub fn add(&mut self, parts: &[&Bins]) {
        self.replications += 1;
        let mut rows = vec![[0_i128; COLUMNS]; self.rows.len()];
        for bins in parts {
            for (sum, row) in rows.iter_mut().zip(bins.rows()) {
                sum[0] += i128::from(row.opened);
                sum[1] += i128::from(row.blocked);
                sum[2] += row.connecting;
                sum[3] += row.established;
                sum[4] += row.closing;
                sum[5] += row.time_wait;
            }
        }
        for (index, (range, row)) in self.rows.iter_mut().zip(&mut rows).enumerate() {
            let in_use: i128 = row[2..6].iter().sum();
            row[6] = i128::from(self.capacity) * bin_nanos(self.window, index) - in_use;
            for (range, &value) in range.iter_mut().zip(row.iter()) {
                range.sum += value;
                range.min = range.min.min(value);
                range.max = range.max.max(value);
            }
        }
    }

    /// Mean and range over the replications added.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        let bin = self.window.bin();
        let rows = self.rows.iter().enumerate().map(|(index, ranges)| {
            let count = |column: usize| self.spread(&ranges[column], 1.0);
            let level =
                |column: usize| self.spread(&ranges[column], bin_nanos(self.window, index) as f64);
            TimelineRow {
                time: SimTime::from_nanos(index as u64 * bin.as_nanos()),
                opened: count(0),
                blocked: count(1),
                connecting: level(2),
                established: level(3),
                closing: level(4),
                time_wait: level(5),
                free: level(6),
            }
        });
        Timeline { bin, rows: rows.collect(), capacity: self.capacity }
    }

    fn spread(&self, range: &Range, divisor: f64) -> Spread {
        if self.replications == 0 {
            return Spread::default();
        }
        Spread {
            mean: range.sum as f64 / f64::from(self.replications) / divisor,
            min: range.min as f64 / divisor,
            max: range.max as f64 / divisor,
        }
    }
}

/// Length of bin `index`, in nanoseconds.
fn bin_nanos(window: Window, index: usize) -> i128 {
    i128::from(window.bin_end(index)) - index as i128 * i128::from(window.bin().as_nanos())
}
