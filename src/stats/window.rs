//! The time that a run covers: its end, the start of the steady state, and its bins.

use crate::units::{NANOS_PER_SECOND, SimDuration, SimTime};

/// Bins of a timeline are chosen so that there are at most this many.
const MOST_BINS: u64 = 400;
/// From so many hosts on each has fewer, and at least so many.
const MANY_HOSTS: u64 = 50;
const FEWEST_BINS: u64 = 10;

/// When figures are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Start of the steady state, in nanoseconds.
    warm_up: u64,
    /// End of the run, in nanoseconds.
    end: u64,
    /// Length of a bin, in nanoseconds.
    bin: u64,
    /// `2^64 / bin`, rounded up: divides by multiplying.
    reciprocal: u64,
}

impl Window {
    /// The window of a run of `duration` whose first `warm_up` is left out of steady figures.
    ///
    /// # Panics
    /// When `warm_up` is not below `duration`.
    #[must_use]
    pub fn new(warm_up: SimDuration, duration: SimDuration) -> Self {
        assert!(warm_up < duration, "a warm-up of {warm_up} leaves nothing of {duration}");
        let (warm_up, end) = (warm_up.as_nanos(), duration.as_nanos());
        Self { warm_up, end, bin: 1, reciprocal: 0 }.with_bin(bin_length(end, MOST_BINS))
    }

    /// The window of a run of `hosts` hosts: of very many, each has fewer bins, so that their timelines take
    /// kilobytes and not hundreds of them.
    ///
    /// # Panics
    /// As [`Window::new`].
    #[must_use]
    pub fn of_hosts(warm_up: SimDuration, duration: SimDuration, hosts: usize) -> Self {
        let new = Self::new(warm_up, duration);
        let bins = (MOST_BINS * MANY_HOSTS / (hosts as u64).max(1)).clamp(FEWEST_BINS, MOST_BINS);
        new.with_bin(bin_length(new.end, bins))
    }

    fn with_bin(self, bin: u64) -> Self {
        Self { bin, reciprocal: (u64::MAX / bin).saturating_add(1), ..self }
    }

    /// End of the run, in nanoseconds.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.end
    }

    /// Length of a bin.
    #[must_use]
    pub const fn bin(self) -> SimDuration {
        SimDuration::from_nanos(self.bin)
    }

    /// How many bins cover the run.
    #[must_use]
    pub const fn bins(self) -> usize {
        self.end.div_ceil(self.bin) as usize
    }

    /// End of bin `index`, in nanoseconds: the last one may be cut short by the end of the run.
    #[inline]
    #[must_use]
    pub const fn bin_end(self, index: usize) -> u64 {
        let full = (index as u64 + 1).saturating_mul(self.bin);
        if full < self.end { full } else { self.end }
    }

    /// The bin that the moment `nanos` lies in, and how far from its start.
    #[inline]
    #[must_use]
    pub const fn place(self, nanos: u64) -> (usize, u64) {
        let quotient = ((nanos as u128 * self.reciprocal as u128) >> 64) as u64;
        let offset = nanos.wrapping_sub(quotient.wrapping_mul(self.bin));
        // The reciprocal is rounded up, so the quotient can be one too high, never too low.
        if offset < self.bin {
            (quotient as usize, offset)
        } else {
            (quotient as usize - 1, offset.wrapping_add(self.bin))
        }
    }

    /// Is this moment in the steady state?
    #[inline]
    #[must_use]
    pub fn is_steady(self, at: SimTime) -> bool {
        at.as_nanos() >= self.warm_up
    }

    /// Length of the steady state, in nanoseconds.
    #[must_use]
    pub const fn steady_nanos(self) -> u64 {
        self.end - self.warm_up
    }

    /// `nanos`, moved to the nearest moment of the steady state.
    #[inline]
    #[must_use]
    pub fn clip(self, nanos: u64) -> u64 {
        nanos.clamp(self.warm_up, self.end)
    }
}

/// The shortest of 1, 2, 5, 10 ... nanoseconds, and of 1, 2, 5, 10 ... seconds, minutes, hours and
/// days from a minute on, that cuts `duration` into at most `bins`.
fn bin_length(duration: u64, bins: u64) -> u64 {
    const MINUTE: u64 = 60 * NANOS_PER_SECOND;
    let decimal = (0..11).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    let below_a_minute = decimal.filter(|&nanos| nanos < MINUTE);
    let minutes = [1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 720].map(|count| count * MINUTE);
    let days = (0..).map(|power| (1 << power) * 1_440 * MINUTE).take(20);
    below_a_minute
        .chain(minutes)
        .chain(days)
        .find(|&bin| duration.div_ceil(bin) <= bins)
        .unwrap_or(u64::MAX / bins)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_bin_of_a_moment_holds_it(duration in 1_u64..u64::MAX / 4, at in any::<u64>()) {
            let window = Window::new(SimDuration::ZERO, SimDuration::from_nanos(duration));
            prop_assert!(window.bins() >= 1 && window.bins() as u64 <= MOST_BINS);
            let at = at % duration;
            let (bin, offset) = window.place(at);
            prop_assert_eq!(bin as u64 * window.bin().as_nanos() + offset, at);
            prop_assert!(bin < window.bins() && at < window.bin_end(bin));
            prop_assert!(bin == 0 || at >= window.bin_end(bin - 1));
        }
    }

    #[test]
    fn bins_have_lengths_that_a_person_would_choose() {
        for (duration, bin) in [(600, 2_000), (60, 200), (3_600, 10_000), (86_400, 300_000)] {
            let window = Window::new(SimDuration::ZERO, SimDuration::from_secs(duration));
            assert_eq!(window.bin(), SimDuration::from_millis(bin), "{duration} s");
        }
    }
}
