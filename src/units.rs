//! Simulated time: an instant and a duration are two types, and only legal sums compile.
//!
//! Both count whole nanoseconds, so equal means equal and a run is the same on every machine. A
//! `u64` of nanoseconds lasts 584 years; sums that would pass its end stop there
//! ([`SimTime::FAR_FUTURE`] stands for "never").

use std::fmt;
use std::ops::{Add, Sub};

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Simulated time since the start of the run, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(u64);

/// A span of simulated time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimDuration(u64);

impl SimTime {
    /// The start of the run.
    pub const START: Self = Self(0);
    /// Later than every event: "never".
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the start of the run.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start of the run.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the start of the run.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }

    /// The span from `earlier` to here; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }
}

impl SimDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than every run: "for ever".
    pub const FOREVER: Self = Self(u64::MAX);

    /// A span of `nanos` nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A span of `secs` whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SECOND))
    }

    /// A span of `millis` whole milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// A span of `secs` seconds, rounded to the nearest nanosecond.
    ///
    /// Negative numbers and NaN give zero; what does not fit gives [`SimDuration::FOREVER`].
    #[must_use]
    pub fn from_secs_f64(secs: f64) -> Self {
        // `as` saturates at both ends and turns NaN into zero.
        Self((secs * NANOS_PER_SECOND as f64 + 0.5) as u64)
    }

    /// Nanoseconds in this span.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds in this span.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }

    /// Is this no time at all?
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add<SimDuration> for SimTime {
    type Output = Self;

    fn add(self, span: SimDuration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<SimDuration> for SimTime {
    type Output = Self;

    /// Stops at the start of the run.
    fn sub(self, span: SimDuration) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for SimDuration {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Shows a span as a person would write it: `250 ms`, `41.2 s`, `10 min`, `1.5 h`.
impl fmt::Display for SimDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, unit) = match self.0 {
            u64::MAX => return f.write_str("for ever"),
            0 => return f.write_str("0 s"),
            1..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "us"),
            1_000_000..NANOS_PER_SECOND => (1_000_000, "ms"),
            n if n < 120 * NANOS_PER_SECOND => (NANOS_PER_SECOND, "s"),
            n if n < 7_200 * NANOS_PER_SECOND => (60 * NANOS_PER_SECOND, "min"),
            n if n < 172_800 * NANOS_PER_SECOND => (3_600 * NANOS_PER_SECOND, "h"),
            _ => (86_400 * NANOS_PER_SECOND, "d"),
        };
        let value = format!("{:.3}", self.0 as f64 / size as f64);
        let value = value.trim_end_matches('0').trim_end_matches('.');
        write!(f, "{value} {unit}")
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SimDuration(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_shown_in_the_unit_a_person_would_choose() {
        for (nanos, shown) in [
            (0, "0 s"),
            (250_000_000, "250 ms"),
            (2_048_000_000, "2.048 s"),
            (61_000_000_000, "61 s"),
            (600_000_000_000, "10 min"),
            (5_400_000_000_000, "90 min"),
            (86_400_000_000_000, "24 h"),
            (u64::MAX, "for ever"),
        ] {
            assert_eq!(SimDuration::from_nanos(nanos).to_string(), shown);
        }
    }

    #[test]
    fn sums_stop_at_the_far_future_instead_of_wrapping() {
        let late = SimTime::from_nanos(u64::MAX - 5);
        assert_eq!(late + SimDuration::from_secs(1), SimTime::FAR_FUTURE);
        assert_eq!(SimDuration::from_secs_f64(1e300), SimDuration::FOREVER);
        assert_eq!(SimDuration::from_secs_f64(-1.0), SimDuration::ZERO);
    }
}
