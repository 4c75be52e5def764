//! How many ports were held at once, straight from what was seen: before any model.
//!
//! Connections come as (opened, released) in no order that one may rely on, so nothing can be counted
//! while they come: a [`Track`] keeps how many were opened and released in each bin of time. That is
//! compact where it is dense; where it is not, whoever keeps the track makes its bins twice as wide. They
//! begin as single microseconds, the finest that any record tells.
//!
//! Inside a bin all openings count before all releases, so a peak is an upper bound. How many ports were
//! held between two bins is known exactly, and the true peak is no lower: both bounds are given, and they
//! are one where no bin that matters has openings and releases.

/// A moment in microseconds since 1970.
pub type Micros = i64;

/// A track with fewer changes than this is not put in order before its end.
const FEW: usize = 64;

/// Bins of `2^40` microseconds are 13 days wide.
const WIDEST: u32 = 40;

/// The most ports that were held at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// How many, at most.
    pub ports: u64,
    /// How many, at least.
    pub at_least: u64,
    /// Since when: the beginning of a bin.
    pub at: Micros,
}

/// Ports held in one part of a [`Demand`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The fewest at once.
    pub least: u64,
    /// The most at once.
    pub most: u64,
}

/// Ports held over time, in parts of equal length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// When it begins.
    pub from: Micros,
    /// When it ends, after it has begun.
    pub to: Micros,
    /// In order; at least one.
    pub parts: Vec<Held>,
}

/// Openings and releases over time.
///
/// ```
/// use portsim::traffic::Track;
/// let mut track = Track::default();
/// track.hold(0, 5);
/// track.hold(3, 9);
/// track.hold(7, 8);
/// assert_eq!((track.peak().ports, track.peak().at_least, track.peak().at), (2, 2, 3));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// By bin, and in order up to `in_order`.
    changes: Vec<Change>,
    in_order: usize,
    /// Bins are `2^width` microseconds wide.
    width: u32,
    /// Ports that were ever held.
    holds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    bin: i64,
    opened: u32,
    released: u32,
}

impl Track {
    /// A port was held from `opened` to `released`.
    pub fn hold(&mut self, opened: Micros, released: Micros) {
        self.holds += 1;
        self.changes.push(Change { bin: opened >> self.width, opened: 1, released: 0 });
        self.changes.push(Change { bin: released >> self.width, opened: 0, released: 1 });
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

    /// How many ports were ever held.
    #[must_use]
    pub const fn holds(&self) -> u64 {
        self.holds
    }

    /// Makes bins wider until there are no more than `most` changes, or none is left to tell apart.
    pub fn shrink(&mut self, most: usize) {
        self.put_in_order();
        while self.changes.len() > most && self.width < WIDEST {
            self.width += 1;
            self.changes.iter_mut().for_each(|change| change.bin >>= 1);
            self.put_in_order();
        }
        self.changes.shrink_to_fit();
    }

    /// How wide its bins are, in microseconds.
    #[must_use]
    pub const fn bin(&self) -> u64 {
        1 << self.width
    }

    /// The most ports that were held at once; the first time of several.
    #[must_use]
    pub fn peak(&self) -> Peak {
        let mut ordered = self.clone();
        ordered.put_in_order();
        let (mut held, mut peak) = (0_u64, Peak::default());
        for change in ordered.changes {
            held += u64::from(change.opened);
            if held > peak.ports {
                (peak.ports, peak.at) = (held, change.bin << self.width);
            }
            // A release never comes before its opening, nor in an earlier bin.
            held -= u64::from(change.released);
            peak.at_least = peak.at_least.max(held);
        }
        // No record tells what came first within a microsecond: there an opening does.
        if self.width == 0 {
            peak.at_least = peak.ports;
        }
        peak
    }

    /// How many ports were held from `from` to `to`, in so many parts. As with [`Track::peak`], openings count
    /// before releases where the track does not tell them apart.
    #[must_use]
    pub fn demand(&self, from: Micros, to: Micros, parts: usize) -> Demand {
        let to = to.max(from.saturating_add(1));
        let span = i128::from(to) - i128::from(from);
        let mut ordered = self.clone();
        ordered.put_in_order();
        let mut demand = Demand { from, to, parts: Vec::with_capacity(parts.max(1)) };
        let (mut held, mut now) = (0_u64, Held::default());
        for change in ordered.changes {
            let at = i128::from(change.bin << self.width) - i128::from(from);
            if at >= span {
                break;
            }
            let part = (at.max(0) * parts.max(1) as i128 / span) as usize;
            while demand.parts.len() < part {
                demand.parts.push(now);
                now = Held { least: held, most: held };
            }
            held += u64::from(change.opened);
            now.most = now.most.max(held);
            held -= u64::from(change.released);
            // What came before the beginning is not shown: only what was left of it.
            now = if at < 0 { Held { least: held, most: held } } else { now };
            now.least = now.least.min(held);
        }
        while demand.parts.len() < parts.max(1) {
            demand.parts.push(now);
            now = Held { least: held, most: held };
        }
        demand
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
            holds.iter().for_each(|&(from, to)| track.hold(from, to));
            let peak = track.peak();
            prop_assert_eq!(peak.ports, brute_force(&holds));
            let then = holds.iter().filter(|(from, to)| *from <= peak.at && peak.at <= *to).count();
            prop_assert_eq!(then as u64, peak.ports);
        }

        /// Wider bins never say less, and at least what they say at least.
        #[test]
        fn a_peak_of_wider_bins_is_between_its_bounds(
            holds in prop::collection::vec(hold(), 1..300),
            most in 2_usize..300,
            half in 0_usize..300,
        ) {
            let mut track = Track::default();
            let half = half.min(holds.len());
            holds[..half].iter().for_each(|&(from, to)| track.hold(from, to));
            track.shrink(most);
            holds[half..].iter().for_each(|&(from, to)| track.hold(from, to));
            let (peak, width) = (track.peak(), track.width);
            let binned: Vec<_> = holds.iter().map(|&(from, to)| (from >> width, to >> width)).collect();
            prop_assert_eq!(peak.ports, brute_force(&binned));
            let truth = brute_force(&holds);
            prop_assert!(peak.at_least <= truth && truth <= peak.ports, "{:?} {}", peak, truth);
        }
    }

    proptest! {
        /// Every moment of a part lies between its fewest and its most, and both are reached.
        #[test]
        fn demand_is_what_was_held_at_each_moment(
            holds in prop::collection::vec(hold(), 0..100),
            from in -2_500_i64..2_500,
            length in 1_i64..3_000,
        ) {
            let mut track = Track::default();
            holds.iter().for_each(|&(from, to)| track.hold(from, to));
            let parts = 7;
            let demand = track.demand(from, from + length, parts);
            prop_assert_eq!(demand.parts.len(), parts);
            let at = |moment: Micros, closed: bool| {
                let holds = holds.iter().filter(|(from, to)| *from <= moment && (*to > moment || closed && *to == moment));
                holds.count() as u64
            };
            let mut expected = vec![Held { least: u64::MAX, most: 0 }; parts];
            for moment in from..from + length {
                let part = &mut expected[((moment - from) * parts as i64 / length) as usize];
                part.most = part.most.max(at(moment, true));
                part.least = part.least.min(at(moment, false));
                // What was held when the part began counts too.
                part.most = part.most.max(at(moment - 1, false));
                part.least = part.least.min(at(moment - 1, false));
            }
            for (told, expected) in demand.parts.iter().zip(&expected).filter(|(_, part)| part.least <= part.most) {
                prop_assert_eq!(told, expected);
            }
        }
    }

    #[test]
    fn a_dense_track_stays_small() {
        let mut track = Track::default();
        (0..100_000).for_each(|i| track.hold(i % 500, i % 500 + 100));
        assert!(track.len() <= 2 * 600 + 2, "{}", track.len());
        assert_eq!(track.peak().ports, 101 * 200);
    }
}
