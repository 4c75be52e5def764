//! The timeline in as many bins as a chart has room for.

use crate::stats::{Spread, Timeline, TimelineRow};
use crate::units::SimDuration;

/// More bins than this would be narrower than two pixels.
const MOST_BINS: usize = 390;
/// From here on a bin is so narrow that a line through the middles says the same as steps.
const FEWEST_AS_LINE: usize = 120;

/// Some rows of the timeline taken together: what happened from `start` to `end` seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bin {
    pub start: f64,
    pub end: f64,
    pub established: f64,
    pub connecting: f64,
    pub closing: f64,
    pub time_wait: f64,
    /// Ports in use in the replication that had the fewest, and the most.
    pub in_use: (f64, f64),
    /// Attempts blocked, a second.
    pub blocked: Spread,
    /// All attempts, a second.
    pub attempts: f64,
}

/// Attempts that a bin has at least, where they are drawn: of fewer it would show how they happen to fall
/// into bins, evenly spaced ones as waves.
const FEWEST_ATTEMPTS: f64 = 20.0;
/// Bins that are left at least.
const FEWEST_BINS: usize = 60;

/// Neighbours together, as many as it takes to have [`FEWEST_ATTEMPTS`] in most of them.
pub(super) fn coarser(bins: Vec<Bin>) -> Vec<Bin> {
    let Some(length) = bins.first().map(|bin| bin.end - bin.start) else { return bins };
    let attempts: f64 = bins.iter().map(|bin| bin.attempts * (bin.end - bin.start)).sum();
    let mean = attempts / bins.len() as f64;
    let wanted = (FEWEST_ATTEMPTS / mean.max(1e-9)).ceil();
    let together = wanted.min((bins.len() / FEWEST_BINS) as f64).max(1.0) as usize;
    if together == 1 || length <= 0.0 {
        return bins;
    }
    bins.chunks(together).map(Bin::together).collect()
}

impl Bin {
    /// Neighbours as one.
    fn together(parts: &[Self]) -> Self {
        let (start, end) = (parts[0].start, parts[parts.len() - 1].end);
        let mean = |value: fn(&Self) -> f64| {
            let sum: f64 = parts.iter().map(|bin| value(bin) * (bin.end - bin.start)).sum();
            sum / (end - start).max(1e-9)
        };
        Self {
            start,
            end,
            established: mean(|bin| bin.established),
            connecting: mean(|bin| bin.connecting),
            closing: mean(|bin| bin.closing),
            time_wait: mean(|bin| bin.time_wait),
            in_use: (mean(|bin| bin.in_use.0), mean(|bin| bin.in_use.1)),
            blocked: Spread {
                mean: mean(|bin| bin.blocked.mean),
                min: mean(|bin| bin.blocked.min),
                max: mean(|bin| bin.blocked.max),
            },
            attempts: mean(|bin| bin.attempts),
        }
    }

    /// Ports in use, mean over replications.
    pub(super) fn total(&self) -> f64 {
        self.established + self.connecting + self.closing + self.time_wait
    }

    fn of(rows: &[TimelineRow], end: f64, capacity: f64) -> Self {
        let start = rows[0].time.as_secs_f64();
        // Whoever draws divides by the length.
        let length = (end - start).max(1e-9);
        let mean = |value: fn(&TimelineRow) -> f64| {
            rows.iter().map(value).map(finite).sum::<f64>() / rows.len() as f64
        };
        let rate = |value: fn(&TimelineRow) -> f64| mean(value) * rows.len() as f64 / length;
        Self {
            start,
            end: start + length,
            established: mean(|row| row.established.mean),
            connecting: mean(|row| row.connecting.mean),
            closing: mean(|row| row.closing.mean),
            time_wait: mean(|row| row.time_wait.mean),
            in_use: (
                (capacity - mean(|row| row.free.max)).max(0.0),
                (capacity - mean(|row| row.free.min)).max(0.0),
            ),
            blocked: Spread {
                mean: rate(|row| row.blocked.mean),
                min: rate(|row| row.blocked.min),
                max: rate(|row| row.blocked.max),
            },
            attempts: rate(|row| row.blocked.mean) + rate(|row| row.opened.mean),
        }
    }
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}

/// The bins of `timeline`, which ends at `duration`; empty when it is.
pub(super) fn bins(timeline: &Timeline, duration: SimDuration) -> Vec<Bin> {
    let rows = &timeline.rows;
    let together = rows.len().div_ceil(MOST_BINS).max(1);
    let ends = rows.iter().skip(together).step_by(together).map(|row| row.time.as_secs_f64());
    let ends = ends.chain([duration.as_secs_f64()]);
    let groups = rows.chunks(together).zip(ends);
    groups.map(|(group, end)| Bin::of(group, end, timeline.capacity as f64)).collect()
}

/// The curve of a figure of the bins: steps where bins are few and wide, else a line through
/// their middles that is drawn out to both ends.
pub(super) fn curve(bins: &[Bin], value: impl Fn(&Bin) -> f64) -> Vec<(f64, f64)> {
    if bins.len() < FEWEST_AS_LINE {
        return bins
            .iter()
            .flat_map(|bin| [(bin.start, value(bin)), (bin.end, value(bin))])
            .collect();
    }
    // An empty machine fills from nothing: half a bin earlier it was on the same slope, only lower.
    let at_start = (1.5 * value(&bins[0]) - 0.5 * value(&bins[1])).clamp(0.0, value(&bins[0]));
    let middles = bins.iter().map(|bin| ((bin.start + bin.end) / 2.0, value(bin)));
    let last = bins.last().map(|bin| (bin.end, value(bin)));
    [(bins[0].start, at_start)].into_iter().chain(middles).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SimTime;

    fn spread(value: f64) -> Spread {
        Spread { mean: value, min: value, max: value }
    }

    /// Goal: merging loses no attempt and no port. Method: 1,000 rows of 1 s, the last of 0.5 s,
    /// with 3 blocked and 5 ports in use each.
    #[test]
    fn merged_rows_keep_the_attempts_and_the_mean_of_the_ports() {
        let row = |index: u64| TimelineRow {
            time: SimTime::from_nanos(index * 1_000_000_000),
            blocked: spread(3.0),
            established: spread(5.0),
            free: spread(2.0),
            ..TimelineRow::default()
        };
        let timeline = Timeline {
            bin: SimDuration::from_secs(1),
            rows: (0..1_000).map(row).collect(),
            capacity: 7,
        };
        let bins = bins(&timeline, SimDuration::from_millis(999_500));
        assert!(bins.len() <= MOST_BINS);
        let blocked: f64 = bins.iter().map(|bin| bin.blocked.mean * (bin.end - bin.start)).sum();
        assert!((blocked - 3_000.0).abs() < 1e-6);
        assert!(bins.iter().all(|bin| bin.total() == 5.0 && bin.in_use == (5.0, 5.0)));
        assert_eq!(bins.last().map(|bin| bin.end), Some(999.5));
    }

    #[test]
    fn no_rows_make_no_bins_and_no_curve() {
        assert!(bins(&Timeline::default(), SimDuration::from_secs(1)).is_empty());
        assert!(curve(&[], Bin::total).is_empty());
    }
}
