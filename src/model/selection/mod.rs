//! Selection: which port is tried, how many are looked at, and when the search gives up.
//!
//! A selection sees one pool through [`FreePorts`] and answers with a port, or not, and the exact
//! number of ports that the real algorithm would have looked at. It never looks at them one by one
//! where the answer can be had by subtraction.
//!
//! Inside, ports are *bits*. [`Layout`] says which bit stands for which port: in order, or split by
//! parity for the Linux algorithms, which walk every other port.

mod linux;
mod part;
mod rfc6056;

use rand::rngs::Xoshiro256PlusPlus;

pub use linux::{LinuxBind, LinuxConnect, LinuxInOrder, LinuxSharedHint};
pub use part::{Narrow, Part};
pub use rfc6056::Rfc6056;

use super::SelectionKind;
use crate::units::SimTime;

/// What a selection may ask about one pool.
pub trait FreePorts {
    /// Ports in the range, usable or not (`num_ephemeral` in RFC 6056 section 3.3).
    fn num_ephemeral(&self) -> u32;
    /// The lowest free bit in `from..to`.
    fn first_free(&self, from: u32, to: u32) -> Option<u32>;
    /// Is this bit's port free (`check_suitable_port` in RFC 6056 section 3.3)?
    fn is_free(&self, bit: u32) -> bool;
    /// True when no port is free; may be false though none is, where knowing would cost a search.
    fn is_known_full(&self) -> bool;
    /// The same for one half of a layout by parity: the other parity's when `high`, else that of
    /// the lowest port.
    fn is_known_exhausted(&self, high: bool) -> bool;
}

/// The outcome of one search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The bit chosen; `None` when the algorithm gave up.
    pub bit: Option<u32>,
    /// Ports looked at, the chosen one included.
    pub probes: u32,
}

/// What a search finds of the ports that are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A port, if any is free.
    All,
    /// A port, if more than one is free: of an odd range Linux's walks by parity pass over the lowest port
    /// or the highest, by where they start; of three ports always over the highest.
    AllButOne,
    /// What so many draws out of so many ports happen to hit.
    Draws(u32),
    /// Not always one, by a law that depends on which ports are taken.
    Uneven,
}

impl Sight {
    /// What `kind` sees of a whole range of `num_ephemeral` ports, for `connect()` and `bind()` alike.
    #[must_use]
    pub const fn of(kind: SelectionKind, num_ephemeral: u32) -> Self {
        match kind {
            SelectionKind::AnotherSimpleRandomization => Self::Draws(num_ephemeral),
            SelectionKind::RandomIncrements => Self::Uneven,
            SelectionKind::Linux | SelectionKind::LinuxSharedHint
                if num_ephemeral > 1 && num_ephemeral % 2 == 1 =>
            {
                Self::AllButOne
            }
            _ => Self::All,
        }
    }
}

/// Which bit stands for which port of the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Bit = offset from the lowest port.
    InOrder,
    /// First all ports of the lowest port's parity, then the others.
    ByParity,
}

impl Layout {
    /// The layout that `kind` works on.
    #[must_use]
    pub const fn of(kind: SelectionKind) -> Self {
        match kind {
            SelectionKind::Linux | SelectionKind::LinuxSharedHint => Self::ByParity,
            _ => Self::InOrder,
        }
    }

    /// The bit of the port `offset` above the lowest of a range of `num_ephemeral`.
    #[must_use]
    pub const fn bit(self, offset: u32, num_ephemeral: u32) -> u32 {
        match self {
            Self::InOrder => offset,
            Self::ByParity => (offset & 1) * num_ephemeral.div_ceil(2) + (offset >> 1),
        }
    }

    /// The port of `bit`, as its offset above the lowest port: the inverse of [`Layout::bit`].
    #[must_use]
    pub const fn offset(self, bit: u32, num_ephemeral: u32) -> u32 {
        let low_parity = num_ephemeral.div_ceil(2);
        match self {
            Self::InOrder => bit,
            Self::ByParity if bit < low_parity => bit * 2,
            Self::ByParity => (bit - low_parity) * 2 + 1,
        }
    }
}

/// The chooser of one machine: an algorithm and its state. With a tag of its own, which is quicker
/// to look at than one hidden in a pointer.
#[derive(Clone, Debug)]
#[repr(u8)]
pub enum Selector {
    /// Linux `connect()`.
    LinuxConnect(LinuxConnect),
    /// Linux `connect()` of 4.6 to 5.11.
    LinuxSharedHint(LinuxSharedHint),
    /// Linux `connect()` before 4.6.
    LinuxInOrder(LinuxInOrder),
    /// Linux `bind()` to port 0.
    LinuxBind(LinuxBind),
    /// RFC 6056 algorithms, and the plain sequential one.
    Rfc6056(Rfc6056),
}

impl Selector {
    /// The chooser that `kind` has for `connect()` in a range of `num_ephemeral` ports; `rng` gives
    /// its secrets and first counters.
    #[must_use]
    pub fn for_connect(
        kind: SelectionKind,
        num_ephemeral: u32,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Self {
        match kind {
            SelectionKind::Linux => Self::LinuxConnect(LinuxConnect::new(num_ephemeral, rng)),
            SelectionKind::LinuxSharedHint => Self::LinuxSharedHint(LinuxSharedHint::new(rng)),
            SelectionKind::LinuxEvenStart => Self::LinuxInOrder(LinuxInOrder::new(true, rng)),
            SelectionKind::LinuxInOrder => Self::LinuxInOrder(LinuxInOrder::new(false, rng)),
            other => Self::Rfc6056(Rfc6056::new(other, rng)),
        }
    }

    /// The chooser that `kind` has for `bind()` to port 0.
    #[must_use]
    pub fn for_bind(kind: SelectionKind, rng: &mut Xoshiro256PlusPlus) -> Self {
        match kind {
            SelectionKind::Linux | SelectionKind::LinuxSharedHint => Self::LinuxBind(LinuxBind),
            // inet_csk_get_port before 4.6: up from a random port (`rover`).
            kind if kind.is_linux() => {
                Self::Rfc6056(Rfc6056::new(SelectionKind::SimpleRandomization, rng))
            }
            other => Self::Rfc6056(Rfc6056::new(other, rng)),
        }
    }

    /// Searches `ports` at time `now` for the pool that `key` stands for.
    #[inline(always)]
    pub fn choose(
        &mut self,
        key: u64,
        now: SimTime,
        ports: &impl FreePorts,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Choice {
        match self {
            Self::LinuxConnect(linux) => linux.choose(key, now, ports, rng),
            Self::LinuxSharedHint(linux) => linux.choose(key, ports),
            Self::LinuxInOrder(linux) => linux.choose(key, ports),
            Self::LinuxBind(linux) => linux.choose(ports, rng),
            Self::Rfc6056(rfc) => rfc.choose(key, ports, rng),
        }
    }
}

/// Mixes 64 bits so that every one of them depends on every other (the finaliser of SplitMix64:
/// Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
#[inline]
#[must_use]
pub const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number in `0..bound`, from 32 random bits: Lemire's multiplication, whose bias is at most
/// `bound / 2^32` (0.002 % for a whole port range).
#[inline]
#[must_use]
pub const fn below(bound: u32, bits: u32) -> u32 {
    ((bits as u64 * bound as u64) >> 32) as u32
}

/// Remainders by one divisor, by multiplying instead of dividing.
///
/// Source: Lemire, Kaser, Kurz, "Faster remainder by direct computation", Software: Practice and
/// Experience 49(6), 2019; exact for 32-bit numbers.
#[derive(Clone, Copy, Debug)]
pub struct Remainder {
    divisor: u32,
    reciprocal: u64,
}

impl Remainder {
    /// Remainders by `divisor`.
    ///
    /// # Panics
    /// When `divisor` is 0.
    #[must_use]
    pub const fn by(divisor: u32) -> Self {
        assert!(divisor > 0, "nothing can be divided by 0");
        Self { divisor, reciprocal: (u64::MAX / divisor as u64).wrapping_add(1) }
    }

    /// `number % divisor`.
    #[inline]
    #[must_use]
    pub const fn of(self, number: u32) -> u32 {
        let fraction = self.reciprocal.wrapping_mul(number as u64);
        ((fraction as u128 * self.divisor as u128) >> 64) as u32
    }
}

#[cfg(test)]
pub(crate) mod test_support {
    use super::*;
    use crate::model::bitmap::Bitmaps;

    /// One row of a bitmap as a pool.
    pub struct Row(pub Bitmaps);

    impl FreePorts for Row {
        fn num_ephemeral(&self) -> u32 {
            self.0.bits()
        }

        fn first_free(&self, from: u32, to: u32) -> Option<u32> {
            self.0.first_in(0, from, to)
        }

        fn is_free(&self, bit: u32) -> bool {
            self.0.is_set(0, bit)
        }

        fn is_known_full(&self) -> bool {
            self.0.first_in(0, 0, self.0.bits()).is_none()
        }

        fn is_known_exhausted(&self, _: bool) -> bool {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remainders_are_exact() {
        for divisor in [1, 2, 3, 50, 16_384, 28_232, 65_534, u32::MAX] {
            let remainder = Remainder::by(divisor);
            for number in [0, 1, divisor - 1, divisor, u32::MAX - 1, u32::MAX, 0xdead_beef] {
                assert_eq!(remainder.of(number), number % divisor, "{number} % {divisor}");
            }
        }
    }

    #[test]
    fn every_port_has_one_bit_and_every_bit_one_port() {
        for layout in [Layout::InOrder, Layout::ByParity] {
            for n in [1, 2, 3, 50, 51, 28_232, 65_535] {
                let mut seen = vec![false; n as usize];
                for offset in 0..n {
                    let bit = layout.bit(offset, n);
                    assert!(!std::mem::replace(&mut seen[bit as usize], true), "{layout:?} {n}");
                    assert_eq!(layout.offset(bit, n), offset);
                }
            }
        }
    }
}
