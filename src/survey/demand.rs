//! How many ports were held at once, straight from what was seen: before any model.
//!
//! Connections come as (opened, released) in no order that one may rely on, so nothing can be counted
//! while they come: a [`Track`] keeps how many were opened and released in each bin of time. That is
//! compact where it is dense; where it is not, whoever keeps many tracks makes the bins of all of them
//! twice as wide once there are too many.
//!
//! Inside a bin all openings count before all releases, so a peak is an upper bound; it is exact where no
//! bin that matters has both. Bins begin as single microseconds, the finest that any record tells.

/// A moment in microseconds since 1970.
pub type Micros = i64;

/// A track with fewer changes than this is not put in order before its end.
const FEW: usize = 64;

/// The most ports that were held at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// How many.
    pub ports: u64,
    /// Since when: the beginning of a bin.
    pub at: Micros,
}

/// Openings and releases over time.
///
/// ```
/// use portsim::survey::Track;
/// let mut track = Track::default();
/// track.hold(0, 5, 0);
/// track.hold(3, 9, 0);
/// track.hold(7, 8, 0);
/// assert_eq!((track.peak(0).ports, track.peak(0).at), (2, 3));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// By bin, and in order up to `in_order`.
    changes: Vec<Change>,
    in_order: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    bin: i64,
    opened: u32,
    released: u32,
}

impl Track {
    /// A port was held from `opened` to `released`; bins are `2^width` microseconds wide.
    pub fn hold(&mut self, opened: Micros, released: Micros, width: u32) {
        self.changes.push(Change { bin: opened >> width, opened: 1, released: 0 });
        self.changes.push(Change { bin: released >> width, opened: 0, released: 1 });
        // As much as is in order already: each change is put in order a few times at most.
        if self.changes.len() >= FEW && self.changes.len() >= 2 * self.in_order {
            self.put_in_order();
        }
    }

    /// How many changes it remembers.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.changes.len()
    }

    /// Was no port held?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Adds what `other` remembers, of bins as wide.
    pub fn absorb(&mut self, other: Self) {
        self.changes.extend(other.changes);
    }

    /// Makes every bin twice as wide.
    pub fn widen(&mut self) {
        self.changes.iter_mut().for_each(|change| change.bin >>= 1);
        self.put_in_order();
        self.changes.shrink_to_fit();
    }

    /// The most ports that were held at once, with bins of `2^width` microseconds; the first time of
    /// several.
    #[must_use]
    pub fn peak(&self, width: u32) -> Peak {
        let mut ordered = self.clone();
        ordered.put_in_order();
        let (mut held, mut peak) = (0_u64, Peak::default());
        for change in ordered.changes {
            held += u64::from(change.opened);
            if held > peak.ports {
                peak = Peak { ports: held, at: change.bin << width };
            }
            // A release never comes before its opening, nor in an earlier bin.
            held -= u64::from(change.released);
        }
        peak
    }

    /// One change for each bin, in order.
    fn put_in_order(&mut self) {
        // Mostly a few runs that rise: stable sorting finds them.
        self.changes.sort_by_key(|change| change.bin);
        self.changes.dedup_by(|later, kept| {
            let sum = kept.opened.checked_add(later.opened);
            let gone = kept.released.checked_add(later.released);
            let same = later.bin == kept.bin;
            let (Some(opened), Some(released), true) = (sum, gone, same) else { return false };
            (kept.opened, kept.released) = (opened, released);
            true
        });
        self.in_order = self.changes.len();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The most held at once, looked for at every opening.
    fn brute_force(holds: &[(Micros, Micros)]) -> u64 {
        let at = |moment: Micros| {
            holds.iter().filter(|(from, to)| *from <= moment && moment <= *to).count() as u64
        };
        holds.iter().map(|(from, _)| at(*from)).max().unwrap_or(0)
    }

    prop_compose! {
        fn hold()(from in -2_000_i64..2_000, length in 0_i64..900) -> (Micros, Micros) {
            (from, from + length)
        }
    }

    proptest! {
        /// Where an opening and a release fall together, the opening counts first.
        #[test]
        fn a_peak_is_exact_in_any_order(holds in prop::collection::vec(hold(), 0..300)) {
            let mut track = Track::default();
            holds.iter().for_each(|&(from, to)| track.hold(from, to, 0));
            let peak = track.peak(0);
            prop_assert_eq!(peak.ports, brute_force(&holds));
            let then = holds.iter().filter(|(from, to)| *from <= peak.at && peak.at <= *to).count();
            prop_assert_eq!(then as u64, peak.ports);
        }

        /// Wider bins never say less, and no more than is held within a bin of the peak.
        #[test]
        fn a_peak_of_wider_bins_is_an_upper_bound(
            holds in prop::collection::vec(hold(), 1..300),
            width in 1_u32..8,
            half in 0_usize..300,
        ) {
            let mut track = Track::default();
            let half = half.min(holds.len());
            holds[..half].iter().for_each(|&(from, to)| track.hold(from, to, 0));
            (0..width).for_each(|_| track.widen());
            holds[half..].iter().for_each(|&(from, to)| track.hold(from, to, width));
            let binned: Vec<_> = holds.iter().map(|&(from, to)| (from >> width, to >> width)).collect();
            let found = track.peak(width).ports;
            prop_assert_eq!(found, brute_force(&binned));
            prop_assert!(found >= brute_force(&holds));
        }

        #[test]
        fn what_is_absorbed_counts_too(
            one in prop::collection::vec(hold(), 0..200),
            other in prop::collection::vec(hold(), 0..200),
        ) {
            let [mut track, mut second] = [Track::default(), Track::default()];
            one.iter().for_each(|&(from, to)| track.hold(from, to, 0));
            other.iter().for_each(|&(from, to)| second.hold(from, to, 0));
            track.absorb(second);
            prop_assert_eq!(track.peak(0).ports, brute_force(&[one, other].concat()));
        }
    }

    #[test]
    fn a_dense_track_stays_small() {
        let mut track = Track::default();
        (0..100_000).for_each(|i| track.hold(i % 500, i % 500 + 100, 0));
        assert!(track.len() <= 2 * 600 + 2, "{}", track.len());
        assert_eq!(track.peak(0).ports, 101 * 200);
    }
}
