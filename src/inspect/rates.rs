//! How often connections are opened and closed, by what happened in each interval between two looks.

/// Rates are told over this many seconds.
pub const RECENT_S: f64 = 10.0;
/// What happened longer ago is forgotten.
const MEMORY_S: f64 = 60.0;
/// A rate has changed when the last seconds are so many standard deviations from the last minute.
const CHANGED: f64 = 2.0;

/// What a flow did in the last minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    intervals: Vec<Interval>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Interval {
    /// Seconds from its beginning until now.
    age: f64,
    length: f64,
    opened: u32,
    closed: u32,
    freed_at_once: u32,
}

/// How often a flow opened and closed connections, for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// The while, in seconds.
    pub watched_s: f64,
    /// Connections opened a second.
    pub opening: f64,
    /// Connections closed a second, in whatever way.
    pub closing: f64,
    /// Those of them whose port was free at once.
    pub freed_at_once: f64,
    /// Variance over mean of the number of openings; never below that of Poisson arrivals, for few looks
    /// cannot show that arrivals are more regular.
    pub dispersion: f64,
}

impl Activity {
    /// Enters what happened in the interval of `length` seconds that is over now.
    pub(super) fn enter(&mut self, of_flow: Interval, length: f64) {
        self.intervals.iter_mut().for_each(|interval| interval.age += length);
        self.intervals.push(Interval { age: length, length, ..of_flow });
        self.intervals.retain(|interval| interval.age <= MEMORY_S.max(length));
    }

    /// The last [`RECENT_S`] seconds.
    #[must_use]
    pub fn recent(&self) -> Rates {
        let from = self.intervals.partition_point(|interval| interval.age > RECENT_S);
        rates(&self.intervals[from..])
    }

    /// The last minute where the last seconds are like it, for that tells a steady rate more exactly; else
    /// the last seconds.
    #[must_use]
    pub fn steadiest(&self) -> Rates {
        let (recent, whole) = (self.recent(), rates(&self.intervals));
        let mean = whole.opening * recent.watched_s;
        let off = (recent.opening * recent.watched_s - mean).abs();
        if off <= CHANGED * (whole.dispersion * mean).sqrt() { whole } else { recent }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.intervals.iter().all(|i| i.opened == 0 && i.closed == 0)
    }
}

fn rates(intervals: &[Interval]) -> Rates {
    let watched_s: f64 = intervals.iter().map(|interval| interval.length).sum();
    let rate = |count: fn(&Interval) -> u32| {
        let total: u32 = intervals.iter().map(count).sum();
        if watched_s > 0.0 { f64::from(total) / watched_s } else { 0.0 }
    };
    let opening = rate(|interval| interval.opened);
    Rates {
        watched_s,
        opening,
        closing: rate(|interval| interval.closed),
        freed_at_once: rate(|interval| interval.freed_at_once),
        dispersion: dispersion(intervals, opening),
    }
}

fn dispersion(intervals: &[Interval], opening: f64) -> f64 {
    if intervals.len() < 3 || opening == 0.0 {
        return 1.0;
    }
    // Each interval's count against what the mean rate gives for its length.
    let excess = intervals.iter().map(|interval| {
        let mean = opening * interval.length;
        (f64::from(interval.opened) - mean).powi(2) / mean
    });
    (excess.sum::<f64>() / (intervals.len() - 1) as f64).max(1.0)
}

impl Interval {
    pub(super) fn opens(&mut self) {
        self.opened += 1;
    }

    pub(super) fn closes(&mut self, freed_at_once: bool) {
        self.closed += 1;
        self.freed_at_once += u32::from(freed_at_once);
    }
}
