//! How Linux chooses: `connect()` and `bind()` to port 0, as of 6.18, and `connect()` before 5.12.
//!
//! Both walk every other port, from a start that differs between them: `connect()` continues a
//! sequence of its own for each (source, destination) with random increments, `bind()` draws afresh
//! each time. `connect()` first tries the ports of the lowest port's parity, `bind()` the others, so
//! that the two keep out of each other's way until half the range is gone. A range that a socket set
//! for itself is walked port by port.

use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use super::part::{Narrow, Part, walk_in_order};
use super::rfc6056::walk;
use super::{Choice, FreePorts, Layout, Remainder, below, mix};
use crate::units::{SimDuration, SimTime};

/// The counters' table has `2^16` entries (`CONFIG_INET_TABLE_PERTURB_ORDER`), all zero here: the
/// kernel fills it with random bytes, but the start is a sum with a keyed hash anyway.
const PERTURB_TABLE: usize = 1 << 16;

/// The start of every sequence is drawn anew this often
/// (`net/core/secure_seq.c:EPHEMERAL_PORT_SHUFFLE_PERIOD`, 6.18).
const SHUFFLE_PERIOD: SimDuration = SimDuration::from_secs(10);

/// Ports are tried two apart (`net/ipv4/inet_hashtables.c:__inet_hash_connect`, 6.18).
const STEP: u32 = 2;

/// `connect()` on an unbound socket: `__inet_hash_connect` with `secure_ipv4_port_ephemeral`.
#[derive(Clone, Debug)]
pub struct LinuxConnect {
    /// Key of the hash.
    secret: u64,
    /// `table_perturb`.
    perturb: Box<[u32; PERTURB_TABLE]>,
    /// How often the starts have been drawn anew.
    shuffles: u64,
    /// The key of the hash until the next time.
    period_secret: u64,
    /// When they are drawn anew next.
    next_shuffle: SimTime,
    /// Random bits for increments, three at a time; a 1 above those that are left.
    noise: u64,
    /// Remainders by the length of a walk.
    by_walk: Remainder,
}

impl LinuxConnect {
    /// A chooser on a machine whose uptime is arbitrary at the start of the run.
    #[must_use]
    pub fn new(num_ephemeral: u32, rng: &mut Xoshiro256PlusPlus) -> Self {
        let secret = rng.next_u64();
        let into_period = rng.next_u64() % SHUFFLE_PERIOD.as_nanos();
        Self {
            secret,
            perturb: vec![0; PERTURB_TABLE].try_into().expect("the table has this length"),
            shuffles: 0,
            period_secret: mix(secret),
            next_shuffle: SimTime::from_nanos(SHUFFLE_PERIOD.as_nanos() - into_period),
            noise: 1,
            by_walk: Remainder::by(walk_length(num_ephemeral)),
        }
    }

    /// Searches for a port for the (source, destination) that `key` stands for.
    #[inline(always)]
    pub fn choose(
        &mut self,
        key: u64,
        now: SimTime,
        ports: &impl FreePorts,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        let (slot, offset) = self.start(key, now);
        let (choice, walked) = parity_walk(ports, self.by_walk.of(offset) / 2, Parity::Low);
        if choice.bit.is_some() {
            self.move_on(slot, walked, STEP, rng);
        }
        choice
    }

    /// The same inside the part of the range that a socket keeps to (IP_LOCAL_PORT_RANGE): `by_one`
    /// port by port (since 6.8), else by parity.
    #[inline(never)]
    pub fn choose_within(
        &mut self,
        part: Part,
        by_one: bool,
        key: u64,
        now: SimTime,
        ports: &impl FreePorts,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        let (slot, offset) = self.start(key, now);
        let narrow = Narrow { ports, part, layout: Layout::ByParity };
        let (choice, walked, step) = if by_one {
            let (choice, walked) = walk_in_order(&narrow, offset % part.length);
            (choice, walked, 1)
        } else {
            let start = offset % walk_length(part.length);
            let (choice, walked) = parity_walk(&narrow, start / 2, Parity::Low);
            (choice, walked, STEP)
        };
        if choice.bit.is_some() {
            self.move_on(slot, walked, step, rng);
        }
        narrow.of_the_range(choice)
    }

    /// The counter of the (source, destination) that `key` stands for, and where its walk starts, to be
    /// reduced to the length of the walk.
    #[inline(always)]
    fn start(&mut self, key: u64, now: SimTime) -> (usize, u32) {
        while now >= self.next_shuffle {
            self.shuffles += 1;
            self.period_secret = mix(self.secret ^ mix(self.shuffles));
            self.next_shuffle = self.next_shuffle + SHUFFLE_PERIOD;
        }
        // secure_ipv4_port_ephemeral: a keyed hash of (source, destination, uptime / 10 s).
        let hash = mix(self.period_secret ^ key.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let slot = hash as usize % PERTURB_TABLE;
        (slot, self.perturb[slot].wrapping_add((hash >> 32) as u32))
    }

    /// Moves a counter on after a port was found `walked` ports from the start.
    #[inline(always)]
    fn move_on(&mut self, slot: usize, walked: u32, step: u32, rng: &mut Xoshiro256PlusPlus) {
        // "Here we want to add a little bit of randomness to the next source port that will be
        // chosen": get_random_u32_below(8) * step. One draw is enough for 21 of them.
        if self.noise == 1 {
            self.noise = rng.next_u64() | 1 << 63;
        }
        let noise = (self.noise & 7) as u32 * step;
        self.noise >>= 3;
        let slot = &mut self.perturb[slot];
        *slot = slot.wrapping_add(walked.max(noise) + step);
    }
}

/// `connect()` of Linux 4.6 to 5.11: `net/ipv4/inet_hashtables.c:__inet_hash_connect` of 4.18, whose
/// `static u32 hint` serves all destinations, on top of a keyed hash of each.
#[derive(Clone, Copy, Debug)]
pub struct LinuxSharedHint {
    secret: u64,
    hint: u32,
}

impl LinuxSharedHint {
    /// A chooser with a key of its own.
    #[must_use]
    pub fn new(rng: &mut Xoshiro256PlusPlus) -> Self {
        Self { secret: rng.next_u64(), hint: 0 }
    }

    /// Searches for a port for the (source, destination) that `key` stands for.
    #[inline(never)]
    pub fn choose(&mut self, key: u64, ports: &impl FreePorts) -> Choice {
        // secure_ipv4_port_ephemeral of 4.18 knows no uptime: the start is never drawn anew.
        let port_offset = (mix(self.secret ^ mix(key)) >> 32) as u32;
        let offset = self.hint.wrapping_add(port_offset) % walk_length(ports.num_ephemeral());
        let (choice, walked) = parity_walk(ports, offset / 2, Parity::Low);
        if choice.bit.is_some() {
            self.hint = self.hint.wrapping_add(walked + STEP); // hint += i + 2
        }
        choice
    }
}

/// `connect()` of Linux before 4.6: port by port, by one counter for all destinations on top of a keyed
/// hash of each (`net/ipv4/inet_hashtables.c:__inet_hash_connect` of 3.13 and of 4.4, `static u32 hint`).
#[derive(Clone, Copy, Debug)]
pub struct LinuxInOrder {
    /// Does it start at a port of the lowest one's parity, as since 4.2?
    even: bool,
    secret: u64,
    hint: u32,
}

impl LinuxInOrder {
    /// A chooser with a key of its own.
    #[must_use]
    pub fn new(even: bool, rng: &mut Xoshiro256PlusPlus) -> Self {
        Self { even, secret: rng.next_u64(), hint: 0 }
    }

    /// Searches for a port for the (source, destination) that `key` stands for.
    #[inline(never)]
    pub fn choose(&mut self, key: u64, ports: &impl FreePorts) -> Choice {
        let port_offset = (mix(self.secret ^ mix(key)) >> 32) as u32;
        let offset = self.hint.wrapping_add(port_offset);
        // `offset &= ~1` and i from 0; before 4.2 i from 1.
        let start = if self.even { offset & !1 } else { offset.wrapping_add(1) };
        let choice = walk(ports, start % ports.num_ephemeral());
        if choice.bit.is_some() {
            // `hint += (i + 2) & ~1`; before 4.2 `hint += i`: by either, what was looked at.
            let moved = if self.even { (choice.probes + 1) & !1 } else { choice.probes };
            self.hint = self.hint.wrapping_add(moved);
        }
        choice
    }
}

/// `bind()` to port 0: `net/ipv4/inet_connection_sock.c:inet_csk_find_open_port`, 6.18.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxBind;

impl LinuxBind {
    /// Searches for a port, the destination being unknown.
    #[inline(never)]
    pub fn choose(self, ports: &impl FreePorts, rng: &mut Xoshiro256PlusPlus) -> Choice {
        let remaining = walk_length(ports.num_ephemeral());
        let offset = below(remaining, (rng.next_u64() >> 32) as u32);
        // `offset |= 1`, and `offset - 1` for the second walk: both start at the same pair.
        parity_walk(ports, offset / 2, Parity::High).0
    }

    /// The same with SO_REUSEADDR: all of the lower half of the range, then the upper one
    /// (`attempt_half`).
    #[inline(never)]
    pub fn choose_by_halves(self, ports: &impl FreePorts, rng: &mut Xoshiro256PlusPlus) -> Choice {
        let n = ports.num_ephemeral();
        if n < 4 {
            return self.choose(ports, rng);
        }
        let half = n / 4 * 2;
        let mut looked_at = 0;
        for part in [Part { first: 0, length: half }, Part { first: half, length: n - half }] {
            let narrow = Narrow { ports, part, layout: Layout::ByParity };
            let choice = narrow.of_the_range(self.choose(&narrow, rng));
            looked_at += choice.probes;
            if choice.bit.is_some() {
                return Choice { probes: looked_at, ..choice };
            }
        }
        Choice { bit: None, probes: looked_at }
    }
}

impl LinuxBind {
    /// The same inside the part of the range that a socket keeps to (IP_LOCAL_PORT_RANGE), which
    /// `bind()` walks by parity as ever.
    #[inline(never)]
    pub fn choose_within(
        self,
        part: Part,
        by_halves: bool,
        ports: &impl FreePorts,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        let narrow = Narrow { ports, part, layout: Layout::ByParity };
        let choice =
            if by_halves { self.choose_by_halves(&narrow, rng) } else { self.choose(&narrow, rng) };
        narrow.of_the_range(choice)
    }
}

/// Ports of the range rounded down to an even number, as both choosers do.
const fn walk_length(num_ephemeral: u32) -> u32 {
    if num_ephemeral > 1 { num_ephemeral & !1 } else { 1 }
}

/// Relative to the lowest port of the range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parity {
    Low,
    High,
}

/// Two walks of two ports a step, from pair number `start`: first the ports of parity `first`, then
/// the others. The second result is the kernel's loop variable `i` at the port found.
#[inline(always)] // Once an attempt: the call would cost as much as the search.
fn parity_walk(ports: &impl FreePorts, start: u32, first: Parity) -> (Choice, u32) {
    let n = ports.num_ephemeral();
    if n == 1 {
        // There is no other parity: `if ((offset & 1) && remaining > 1) goto other_parity_scan`.
        return (Choice { bit: ports.first_free(0, 1), probes: 1 }, 0);
    }
    let second = if first == Parity::Low { Parity::High } else { Parity::Low };
    if let Some((bit, steps)) = walk_one_parity(ports, n, start, first) {
        return (Choice { bit: Some(bit), probes: steps + 1 }, steps * STEP);
    }
    if let Some((bit, steps)) = walk_one_parity(ports, n, start, second) {
        return (Choice { bit: Some(bit), probes: n / 2 + steps + 1 }, steps * STEP);
    }
    (Choice { bit: None, probes: n / 2 * 2 }, 0)
}

/// One walk over the `n / 2` ports of one parity that it can reach; the bit found and the steps
/// taken before it.
///
/// An odd range has one port of the low parity more than a walk has steps. The walk wraps by the
/// even length, so it skips the lowest port, or, when it starts there, the highest.
#[inline(always)]
fn walk_one_parity(
    ports: &impl FreePorts,
    n: u32,
    start: u32,
    parity: Parity,
) -> Option<(u32, u32)> {
    if ports.is_known_exhausted(parity == Parity::High) {
        return None;
    }
    let low_count = n.div_ceil(2);
    let odd = n % 2;
    let (base, end, wrapped) = match parity {
        Parity::Low if odd == 1 && start == 0 => (0, n / 2, 0),
        Parity::Low => (0, low_count, odd),
        Parity::High => (low_count, n, 0),
    };
    if let Some(bit) = ports.first_free(base + start, end) {
        return Some((bit, bit - base - start));
    }
    let bit = ports.first_free(base + wrapped, base + start)?;
    Some((bit, end - base - start + bit - base - wrapped))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::test_support::Row;
    use super::super::{Layout, Selector};
    use super::*;
    use crate::model::SelectionKind;
    use crate::model::bitmap::Bitmaps;

    /// The kernel's loop, port by port, as `__inet_hash_connect` has it.
    fn kernel_walk(n: u32, offset: u32, free: impl Fn(u32) -> bool) -> (Option<u32>, u32) {
        let remaining = walk_length(n);
        let mut probes = 0;
        let passes = if remaining > 1 { 2 } else { 1 };
        for first in [offset & !1, (offset & !1) + 1].into_iter().take(passes) {
            let mut i = 0;
            while i < remaining {
                let mut port = first + i;
                if port >= n {
                    port -= remaining;
                }
                probes += 1;
                if free(port) {
                    return (Some(port), probes);
                }
                i += STEP;
            }
        }
        (None, probes)
    }

    #[test]
    fn the_search_by_subtraction_equals_the_kernels_loop() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        for n in [1, 2, 3, 4, 5, 50, 51, 130, 131] {
            for _ in 0..2_000 {
                let mut row = Bitmaps::full(1, n, &[]);
                let keep = rng.next_u64() % 4;
                for bit in 0..n {
                    if rng.next_u64() % 4 > keep || keep == 0 && rng.next_u64() % 64 > 0 {
                        row.clear(0, bit);
                    }
                }
                let row = Row(row);
                let offset = (rng.next_u64() as u32) % walk_length(n);
                let (choice, _) = parity_walk(&row, offset / 2, Parity::Low);
                let (port, probes) =
                    kernel_walk(n, offset, |port| row.is_free(Layout::ByParity.bit(port, n)));
                assert_eq!(choice.bit.map(|bit| Layout::ByParity.offset(bit, n)), port, "n={n}");
                assert_eq!(choice.probes, probes, "n={n} offset={offset} port={port:?}");
            }
        }
    }

    /// The kernel's loop over the ports of IP_LOCAL_PORT_RANGE, one by one.
    #[test]
    fn a_part_of_the_range_is_walked_as_the_kernel_does() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
        for (n, first, length) in
            [(100, 10, 20), (100, 11, 21), (51, 0, 51), (9, 4, 1), (60, 59, 1)]
        {
            for _ in 0..500 {
                let mut row = Bitmaps::full(1, n, &[]);
                let keep = rng.next_u64() % 4;
                for bit in 0..n {
                    if rng.next_u64() % 4 > keep {
                        row.clear(0, bit);
                    }
                }
                let row = Row(row);
                let free = |at| row.is_free(Layout::ByParity.bit(first + at, n));
                let part = Part { first, length };
                let narrow = Narrow { ports: &row, part, layout: Layout::ByParity };
                let start = (rng.next_u64() as u32) % length;
                let order = (0..length).map(|i| (start + i) % length);
                let steps = order.clone().position(free);
                let (choice, walked) = walk_in_order(&narrow, start);
                let offset = choice.bit.map(|bit| Layout::ByParity.offset(bit, length));
                assert_eq!(offset, steps.and_then(|steps| order.clone().nth(steps)));
                assert_eq!(choice.probes, steps.map_or(length, |steps| steps as u32 + 1));
                assert_eq!(walked, steps.unwrap_or(0) as u32);
                let start = start % walk_length(length);
                let (by_parity, _) = parity_walk(&narrow, start / 2, Parity::Low);
                let offset = by_parity.bit.map(|bit| Layout::ByParity.offset(bit, length));
                assert_eq!((offset, by_parity.probes), kernel_walk(length, start, free));
            }
        }
    }

    #[test]
    fn bind_with_so_reuseaddr_takes_the_lower_half_first() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut row = Row(Bitmaps::full(1, 100, &[]));
        for index in 0..100 {
            let bit = LinuxBind.choose_by_halves(&row, &mut rng).bit.unwrap();
            row.0.clear(0, bit);
            let offset = Layout::ByParity.offset(bit, 100);
            assert_eq!(offset < 50, index < 50, "bind {index} took offset {offset}");
            assert_eq!(offset % 2 == 1, index % 50 < 25, "bind {index} took offset {offset}");
        }
        let none = LinuxBind.choose_by_halves(&row, &mut rng);
        assert_eq!(none, Choice { bit: None, probes: 100 });
    }

    #[test]
    fn before_5_12_all_destinations_share_one_counter() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut chooser = LinuxSharedHint::new(&mut rng);
        let row = Row(Bitmaps::full(1, 1_000, &[]));
        let mut next = |key| {
            let bit = chooser.choose(key, &row).bit.unwrap();
            Layout::ByParity.offset(bit, 1_000)
        };
        let (first, _other, again) = (next(1), next(2), next(1));
        assert_eq!((again + 1_000 - first) % 1_000, 4, "two connections, two ports each");
    }

    /// How many connections to one destination an empty range of `n` carries until the first failure.
    fn fills_to(n: u32, seed: u64) -> u32 {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut chooser = Selector::for_connect(SelectionKind::Linux, n, &mut rng);
        let mut row = Row(Bitmaps::full(1, n, &[]));
        let mut held = 0;
        while let Some(bit) = chooser.choose(3, SimTime::START, &row, &mut rng).bit {
            row.0.clear(0, bit);
            held += 1;
        }
        held
    }

    #[test]
    fn an_even_range_fills_to_its_last_port_low_parity_first() {
        assert_eq!(fills_to(50, 1), 50);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut chooser = Selector::for_connect(SelectionKind::Linux, 50, &mut rng);
        let mut row = Row(Bitmaps::full(1, 50, &[]));
        for index in 0..50 {
            let bit = chooser.choose(3, SimTime::START, &row, &mut rng).bit.unwrap();
            row.0.clear(0, bit);
            assert_eq!(bit < 25, index < 25, "connection {index} took bit {bit}");
        }
    }

    /// Measured on Linux 6.18: n = 51 gave 51 in 86 of 100 trials, n = 5 gave 5 in 168 of 200, n = 3
    /// always gives 2.
    #[test]
    fn an_odd_range_often_misses_its_last_port_as_measured() {
        let share = |n| (0..3_000).filter(|&seed| fills_to(n, seed) == n).count() as f64 / 3_000.0;
        assert!((share(51) - 0.89).abs() < 0.03, "n=51: {}", share(51));
        assert!((share(5) - 0.83).abs() < 0.03, "n=5: {}", share(5));
        assert_eq!(fills_to(3, 1), 2);
    }

    #[test]
    fn the_next_port_of_an_empty_range_is_two_to_sixteen_higher() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
        let mut chooser = Selector::for_connect(SelectionKind::Linux, 28_232, &mut rng);
        let row = Row(Bitmaps::full(1, 28_232, &[]));
        let mut ports = (0..).map(|_| {
            let bit = chooser.choose(9, SimTime::START, &row, &mut rng).bit.unwrap();
            Layout::ByParity.offset(bit, 28_232)
        });
        let mut counts = [0; 17];
        let mut last = ports.next().unwrap();
        for port in ports.take(8_000) {
            counts[((port + 28_232 - last) % 28_232) as usize] += 1;
            last = port;
        }
        for (delta, &count) in counts.iter().enumerate() {
            let expected = if delta > 0 && delta % 2 == 0 { 850..1150 } else { 0..1 };
            assert!(expected.contains(&count), "increment {delta} came {count} times");
        }
    }

    /// The loops of 3.13 and 4.4, port by port: the ports of `count` connections to `keys` destinations
    /// in turn, none of which is given back.
    fn old_kernel_walk(even: bool, n: u32, secret: u64, keys: u64, count: u32) -> Vec<u32> {
        let (mut hint, mut held) = (0_u32, std::collections::HashSet::new());
        let mut ports = Vec::new();
        for index in 0..u64::from(count) {
            let key = index % keys;
            let mut offset = hint.wrapping_add((mix(secret ^ mix(key)) >> 32) as u32);
            if even {
                offset &= !1;
            }
            let first = u32::from(!even);
            let i = (first..n + first).find(|i| !held.contains(&((i + offset) % n))).unwrap();
            ports.push((i + offset) % n);
            held.insert((i + offset) % n);
            hint = hint.wrapping_add(if even { (i + 2) & !1 } else { i });
        }
        ports
    }

    #[test]
    fn before_4_6_the_search_by_subtraction_equals_the_kernels_loop() {
        for (kind, even) in
            [(SelectionKind::LinuxInOrder, false), (SelectionKind::LinuxEvenStart, true)]
        {
            for n in [1, 2, 3, 50, 51, 28_233] {
                let mut rng = Xoshiro256PlusPlus::seed_from_u64(u64::from(n));
                let secret = rng.clone().next_u64();
                let mut chooser = Selector::for_connect(kind, n, &mut rng);
                let mut row = Row(Bitmaps::full(1, n, &[]));
                let count = n.min(300);
                let chosen = (0..u64::from(count)).map(|index| {
                    let choice = chooser.choose(index % 3, SimTime::START, &row, &mut rng);
                    row.0.clear(0, choice.bit.unwrap());
                    choice.bit.unwrap()
                });
                let chosen: Vec<u32> = chosen.collect();
                assert_eq!(chosen, old_kernel_walk(even, n, secret, 3, count), "{kind:?} n={n}");
            }
        }
    }

    #[test]
    fn bind_takes_the_other_parity_first() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut row = Row(Bitmaps::full(1, 40, &[]));
        for index in 0..40 {
            let bit = LinuxBind.choose(&row, &mut rng).bit.unwrap();
            row.0.clear(0, bit);
            assert_eq!(bit >= 20, index < 20, "bind {index} took bit {bit}");
        }
        assert_eq!(LinuxBind.choose(&row, &mut rng), Choice { bit: None, probes: 40 });
    }
}
