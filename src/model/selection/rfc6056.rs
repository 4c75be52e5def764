//! The algorithms of RFC 6056 section 3.3, under the RFC's names, and the plain sequential one.
//!
//! 1, 3, 4 and the sequential one walk the whole range, so they refuse only when nothing is free.
//! 2 and 5 draw, and can give up while a port is still free. The counters of 3 and 4 move by one
//! and that of 5 by a random increment for each port looked at, suitable or not, as in the RFC's
//! pseudo-code.

use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use super::{Choice, FreePorts, below, mix};
use crate::model::SelectionKind;

/// `TABLE_LENGTH` of algorithm 4 (section 3.3.4). The RFC fixes none and reports that 10 can be
/// enough to help; NetBSD has 8 (`sys/netinet/portalgo.c`), Linux 65,536. With 1,024 counters two
/// destinations rarely share one.
const TABLE_LENGTH: usize = 1024;

/// `N` of algorithm 5 (section 3.3.5), 500 as in the RFC's pseudo-code: the trade-off between
/// unpredictability and how soon a port is used again.
const MAX_INCREMENT: u32 = 500;

/// An algorithm of RFC 6056 with its state.
#[derive(Clone, Debug)]
pub struct Rfc6056 {
    kind: SelectionKind,
    /// `secret_key` of algorithms 3 and 4.
    secret: u64,
    /// `next_ephemeral`: a single counter (3, 5, sequential) or a table of them (4).
    next_ephemeral: Vec<u32>,
}

impl Rfc6056 {
    /// The algorithm `kind` with secrets and first counters from `rng`.
    ///
    /// # Panics
    /// When `kind` is one of Linux's, which are none of the RFC's.
    #[must_use]
    pub fn new(kind: SelectionKind, rng: &mut Xoshiro256PlusPlus) -> Self {
        assert!(!kind.is_linux(), "Linux has choosers of its own");
        let secret = rng.next_u64();
        let counters = if kind == SelectionKind::DoubleHash { TABLE_LENGTH } else { 1 };
        // Counters start anywhere, as on a machine that has been up for a while.
        let next_ephemeral = (0..counters).map(|_| (rng.next_u64() >> 48) as u32).collect();
        Self { kind, secret, next_ephemeral }
    }

    /// Searches `ports` for the pool that `key` stands for.
    #[inline(never)]
    pub fn choose(
        &mut self,
        key: u64,
        ports: &impl FreePorts,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        let n = ports.num_ephemeral();
        match self.kind {
            SelectionKind::SimpleRandomization => walk(ports, uniform(n, rng)),
            SelectionKind::AnotherSimpleRandomization => another_simple_randomization(ports, rng),
            SelectionKind::SimpleHash => {
                // offset = F(local_IP, remote_IP, remote_port, secret_key)
                self.walk_counter(0, (mix(self.secret ^ mix(key)) >> 32) as u32, ports)
            }
            SelectionKind::DoubleHash => {
                let hash = mix(self.secret ^ mix(key));
                // index = G(local_IP, remote_IP, remote_port, secret_key)
                let index = mix(hash) as usize % TABLE_LENGTH;
                self.walk_counter(index, (hash >> 32) as u32, ports)
            }
            SelectionKind::RandomIncrements => self.random_increments(ports, rng),
            _ => self.walk_counter(0, 0, ports),
        }
    }

    /// Algorithms 3 and 4, and the sequential one: walks up from `offset` plus a counter, which
    /// moves by the ports looked at.
    fn walk_counter(&mut self, index: usize, offset: u32, ports: &impl FreePorts) -> Choice {
        let n = ports.num_ephemeral();
        let counter = &mut self.next_ephemeral[index];
        // The counter is kept below n: the RFC's wraps at a power of two, which would make the
        // sequence jump for ranges that do not divide it.
        let choice = walk(ports, (*counter % n + offset % n) % n);
        *counter = (*counter % n + choice.probes % n) % n;
        choice
    }

    /// Algorithm 5 (section 3.3.5): moves on by a random 1 to `MAX_INCREMENT`, at most
    /// `num_ephemeral` times.
    fn random_increments(
        &mut self,
        ports: &impl FreePorts,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        let n = ports.num_ephemeral();
        let next_ephemeral = &mut self.next_ephemeral[0];
        if ports.is_known_full() {
            // The sum of so many increments is uniform over the range to any accuracy that matters.
            *next_ephemeral = uniform(n, rng);
            return Choice { bit: None, probes: n };
        }
        let mut bit = *next_ephemeral % n;
        for probes in 1..=n {
            bit = (bit + 1 + uniform(MAX_INCREMENT, rng)) % n;
            if ports.is_free(bit) {
                *next_ephemeral = bit;
                return Choice { bit: Some(bit), probes };
            }
        }
        *next_ephemeral = bit;
        Choice { bit: None, probes: n }
    }
}

/// Looks at every port once, upwards from `start`, wrapping round.
pub(super) fn walk(ports: &impl FreePorts, start: u32) -> Choice {
    let n = ports.num_ephemeral();
    if let Some(bit) = ports.first_free(start, n) {
        return Choice { bit: Some(bit), probes: bit - start + 1 };
    }
    match ports.first_free(0, start) {
        Some(bit) => Choice { bit: Some(bit), probes: n - start + bit + 1 },
        None => Choice { bit: None, probes: n },
    }
}

/// Algorithm 2 (section 3.3.2): draws a port afresh each time, at most `num_ephemeral` times.
fn another_simple_randomization(ports: &impl FreePorts, rng: &mut Xoshiro256PlusPlus) -> Choice {
    let n = ports.num_ephemeral();
    if ports.is_known_full() {
        return Choice { bit: None, probes: n };
    }
    for probes in 1..=n {
        let bit = uniform(n, rng);
        if ports.is_free(bit) {
            return Choice { bit: Some(bit), probes };
        }
    }
    Choice { bit: None, probes: n }
}

fn uniform(bound: u32, rng: &mut Xoshiro256PlusPlus) -> u32 {
    below(bound, (rng.next_u64() >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::test_support::Row;
    use super::*;
    use crate::model::bitmap::Bitmaps;

    const ALL: [SelectionKind; 6] = [
        SelectionKind::SimpleRandomization,
        SelectionKind::AnotherSimpleRandomization,
        SelectionKind::SimpleHash,
        SelectionKind::DoubleHash,
        SelectionKind::RandomIncrements,
        SelectionKind::Sequential,
    ];

    fn held_when_first_refused(kind: SelectionKind, n: u32, seed: u64) -> u32 {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut algorithm = Rfc6056::new(kind, &mut rng);
        let mut row = Row(Bitmaps::full(1, n, &[]));
        let mut held = 0;
        while let Some(bit) = algorithm.choose(1, &row, &mut rng).bit {
            assert!(row.is_free(bit), "{kind:?} chose a taken port");
            row.0.clear(0, bit);
            held += 1;
        }
        held
    }

    #[test]
    fn the_walking_algorithms_refuse_only_when_nothing_is_free() {
        for kind in ALL {
            let exhaustive = !matches!(
                kind,
                SelectionKind::AnotherSimpleRandomization | SelectionKind::RandomIncrements
            );
            for n in [1, 2, 77, 1_000] {
                let held = held_when_first_refused(kind, n, u64::from(n));
                assert!(held <= n && (held == n || !exhaustive), "{kind:?}: {held} of {n}");
            }
        }
    }

    /// Algorithm 2 with one port free of n misses it with probability (1 - 1/n)^n, about 0.366 here.
    #[test]
    fn drawing_afresh_misses_the_last_free_port_as_often_as_chance_says() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut row = Row(Bitmaps::full(1, 100, &[]));
        (0..100).filter(|&bit| bit != 42).for_each(|bit| row.0.clear(0, bit));
        let missed = (0..20_000)
            .filter(|_| another_simple_randomization(&row, &mut rng).bit.is_none())
            .count() as f64;
        assert!((missed / 20_000.0 - 0.99_f64.powi(100)).abs() < 0.012, "{missed}");
    }

    #[test]
    fn sequential_goes_up_by_one_and_wraps() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut algorithm = Rfc6056::new(SelectionKind::Sequential, &mut rng);
        let row = Row(Bitmaps::full(1, 10, &[]));
        let first = algorithm.choose(1, &row, &mut rng).bit.unwrap();
        for step in 1..25 {
            let next = algorithm.choose(2, &row, &mut rng);
            assert_eq!(next, Choice { bit: Some((first + step) % 10), probes: 1 });
        }
    }

    #[test]
    fn the_double_hash_keeps_destinations_apart_and_the_simple_hash_does_not() {
        // Algorithm 3 has one counter for all destinations, so another destination's connections
        // move this one's sequence on; algorithm 4's table spares it that.
        let gap = |kind| {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
            let mut algorithm = Rfc6056::new(kind, &mut rng);
            let row = Row(Bitmaps::full(1, 1_000, &[]));
            let first = algorithm.choose(1, &row, &mut rng).bit.unwrap();
            for _ in 0..5 {
                algorithm.choose(2, &row, &mut rng);
            }
            (algorithm.choose(1, &row, &mut rng).bit.unwrap() + 1_000 - first) % 1_000
        };
        assert_eq!(gap(SelectionKind::SimpleHash), 6);
        assert_eq!(gap(SelectionKind::DoubleHash), 1);
    }

    #[test]
    fn random_increments_stay_within_their_reach() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
        let mut algorithm = Rfc6056::new(SelectionKind::RandomIncrements, &mut rng);
        let row = Row(Bitmaps::full(1, 16_384, &[]));
        let mut last = algorithm.choose(1, &row, &mut rng).bit.unwrap();
        for _ in 0..2_000 {
            let next = algorithm.choose(1, &row, &mut rng).bit.unwrap();
            let moved = (next + 16_384 - last) % 16_384;
            assert!((1..=500).contains(&moved), "moved by {moved}");
            last = next;
        }
    }
}
