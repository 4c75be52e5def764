//! Which port Linux's `connect()` takes, and how many it looks at.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// How long Linux hashes a destination to the same start (`secure_ipv4_port_ephemeral`).
const EPHEMERAL_SECRET_LIFE: u64 = 10_000_000_000;
/// Counters of `table_perturb` (`CONFIG_INET_TABLE_PERTURB_ORDER` = 16).
const TABLE_PERTURB: usize = 1 << 16;

/// Linux's choice of a port in `connect()` towards one destination
/// (`net/ipv4/inet_hashtables.c:__inet_hash_connect`, 6.18).
///
/// Ports are counted from the low end of the range. Those with the parity of the low end are taken
/// first, from a start that moves on with every connection; the others when none of these is left.
pub struct LinuxChooser {
    ports: u32,
    /// Ports of the low end's parity, and the others; bit `k` is port `2 k` or `2 k + 1`.
    free: [FreeBitmap; 2],
    table_perturb: Vec<u32>,
    key: u64,
    /// Until when `slot` and `offset` hold.
    rehash_at: u64,
    slot: usize,
    offset: u32,
}

impl LinuxChooser {
    pub fn new(ports: u32, key: u64) -> Self {
        let evens = ports.div_ceil(2) as usize;
        Self {
            ports,
            free: [FreeBitmap::new(evens), FreeBitmap::new(ports as usize - evens)],
            table_perturb: vec![0; TABLE_PERTURB],
            key,
            rehash_at: 0,
            slot: 0,
            offset: 0,
        }
    }

    /// Takes a port, if there is one, and says how many it looked at.
    pub fn connect(&mut self, now: u64, rng: &mut Xoshiro256PlusPlus) -> (Option<u16>, u32) {
        if now >= self.rehash_at {
            self.rehash(now);
        }
        // An odd range is walked in steps that wrap by one less than its size.
        let wrap = self.ports & !1;
        let start = (self.table_perturb[self.slot].wrapping_add(self.offset) % wrap) & !1;
        let first = (start / 2) as usize;
        for parity in [0, 1] {
            let ring = self.ring(parity, first);
            let free = &mut self.free[parity];
            let found =
                free.first_in(first, ring.end).map(|index| (index, index - first)).or_else(|| {
                    let index = free.first_in(ring.start, first)?;
                    Some((index, ring.end - first + index - ring.start))
                });
            if let Some((index, skipped)) = found {
                free.take(index);
                let walked = 2 * skipped as u32;
                let jitter = 2 * rng.random_range(0..8_u32);
                let perturb = &mut self.table_perturb[self.slot];
                *perturb = perturb.wrapping_add(walked.max(jitter) + 2);
                let earlier_pass = parity as u32 * (wrap / 2);
                return (Some((2 * index + parity) as u16), earlier_pass + skipped as u32 + 1);
            }
        }
        (None, wrap)
    }

    /// The bits of one parity that a walk from bit `first` sees; `first` is among them. In an odd
    /// range the highest port stands in for the lowest, unless the walk starts there.
    fn ring(&self, parity: usize, first: usize) -> std::ops::Range<usize> {
        let half = (self.ports / 2) as usize;
        if parity == 0 && self.ports % 2 == 1 && first > 0 { 1..half + 1 } else { 0..half }
    }

    pub fn release(&mut self, port: u16) {
        self.free[usize::from(port % 2)].put_back(usize::from(port / 2));
    }

    /// Stands in for the kernel's keyed hash: the finalizer of SplitMix64 (Steele et al. 2014).
    fn rehash(&mut self, now: u64) {
        let period = now / EPHEMERAL_SECRET_LIFE;
        self.rehash_at = (period + 1) * EPHEMERAL_SECRET_LIFE;
        let mut hash = self.key.wrapping_add((period + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        hash ^= hash >> 31;
        self.slot = hash as usize % TABLE_PERTURB;
        self.offset = (hash >> 32) as u32;
    }
}

/// A set of small numbers that finds its next member in a few steps.
struct FreeBitmap {
    words: Vec<u64>,
    /// Bit `w` says that `words[w]` is not zero.
    summary: Vec<u64>,
}

impl FreeBitmap {
    /// All of `0..len`.
    fn new(len: usize) -> Self {
        let ones = |len: usize| -> Vec<u64> {
            let word = |bits: usize| if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
            (0..len.div_ceil(64)).map(|w| word(len - 64 * w)).collect()
        };
        let words = ones(len);
        Self { summary: ones(words.len()), words }
    }

    /// The least member in `from..to`.
    fn first_in(&self, from: usize, to: usize) -> Option<usize> {
        let index = self.first_from(from)?;
        (index < to).then_some(index)
    }

    fn first_from(&self, from: usize) -> Option<usize> {
        let word = from / 64;
        let here = self.words.get(word)? & (u64::MAX << (from % 64));
        if here != 0 {
            return Some(64 * word + here.trailing_zeros() as usize);
        }
        let word = next_one(&self.summary, word + 1)?;
        Some(64 * word + self.words[word].trailing_zeros() as usize)
    }

    fn take(&mut self, index: usize) {
        let word = &mut self.words[index / 64];
        *word &= !(1 << (index % 64));
        if *word == 0 {
            self.summary[index / 4096] &= !(1 << (index / 64 % 64));
        }
    }

    fn put_back(&mut self, index: usize) {
        self.words[index / 64] |= 1 << (index % 64);
        self.summary[index / 4096] |= 1 << (index / 64 % 64);
    }
}

/// The lowest bit of `words` that is set, from bit `from` on.
fn next_one(words: &[u64], from: usize) -> Option<usize> {
    let first = from / 64;
    let here = words.get(first)? & (u64::MAX << (from % 64));
    if here != 0 {
        return Some(64 * first + here.trailing_zeros() as usize);
    }
    let later = words[first + 1..].iter().position(|&word| word != 0)? + first + 1;
    Some(64 * later + words[later].trailing_zeros() as usize)
}

#[cfg(test)]
#[allow(unused_imports, reason = "a bench compiles tests without their harness")]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// The walk of the kernel, port by port: what [`LinuxChooser::connect`] must agree with.
    fn walk(ports: u32, start: u32, free: &[bool]) -> (Option<u32>, u32) {
        let wrap = ports & !1;
        let mut probes = 0;
        for first in [start, start + 1] {
            for i in (0..wrap).step_by(2) {
                let port = first + i;
                let port = if port >= ports { port - wrap } else { port };
                probes += 1;
                if free[port as usize] {
                    return (Some(port), probes);
                }
            }
        }
        (None, probes)
    }

    #[test]
    fn ports_and_probes_are_those_of_the_walk_port_by_port() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for ports in [2, 3, 50, 51, 127, 128, 129, 257, 5_000, 9_001] {
            let mut chooser = LinuxChooser::new(ports, 7);
            let mut free = vec![true; ports as usize];
            for attempt in 0..20_000_u64.min(400_000 / u64::from(ports) + 2_000) {
                chooser.rehash(attempt * EPHEMERAL_SECRET_LIFE);
                let wrap = ports & !1;
                let start =
                    (chooser.table_perturb[chooser.slot].wrapping_add(chooser.offset) % wrap) & !1;
                let wanted = walk(ports, start, &free);
                let now = attempt * EPHEMERAL_SECRET_LIFE;
                let (port, probes) = chooser.connect(now, &mut rng);
                assert_eq!((port.map(u32::from), probes), wanted, "{ports} ports from {start}");
                if let Some(port) = port {
                    free[usize::from(port)] = false;
                }
                // Held at the edge of exhaustion, now and then emptied.
                let releases = if attempt % 1_000 == 999 { ports } else { rng.random_range(0..2) };
                for _ in 0..releases {
                    let port = rng.random_range(0..ports) as u16;
                    if !free[usize::from(port)] {
                        free[usize::from(port)] = true;
                        chooser.release(port);
                    }
                }
            }
        }
    }
}
