//! A part of a range, seen as a range of its own: what IP_LOCAL_PORT_RANGE leaves of it, one of the halves that
//! `bind()` with SO_REUSEADDR searches one after the other, or what the range is for a while when it changes.

use super::{Choice, FreePorts, Layout};

/// A part of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// How far its lowest port lies above that of the range.
    pub first: u32,
    /// Ports in it, at least 1.
    pub length: u32,
}

/// A part of a range, seen as a range of its own.
pub struct Narrow<'a, P> {
    /// The whole range.
    pub ports: &'a P,
    /// The part.
    pub part: Part,
    /// How ports are laid out, in the range and in the part.
    pub layout: Layout,
}

impl<P: FreePorts> Narrow<'_, P> {
    /// The bit of the whole range that stands for the port of `bit` of the part.
    fn whole(&self, bit: u32) -> u32 {
        let offset = self.layout.offset(bit, self.part.length);
        self.layout.bit(self.part.first + offset, self.ports.num_ephemeral())
    }

    /// A choice in the part as one of the whole range.
    #[must_use]
    pub fn of_the_range(&self, choice: Choice) -> Choice {
        Choice { bit: choice.bit.map(|bit| self.whole(bit)), ..choice }
    }

    /// The first free port, as its offset in the part, of those in `from..to`.
    fn first_in_order(&self, from: u32, to: u32) -> Option<u32> {
        let of_parity = |parity: u32| {
            let first = from + ((from ^ parity) & 1);
            let last = to.checked_sub(1)?;
            let last = last - ((last ^ parity) & 1).min(last);
            if first > last || (last ^ parity) & 1 == 1 {
                return None;
            }
            let bit = |offset| Layout::ByParity.bit(offset, self.part.length);
            let found = self.first_free(bit(first), bit(last) + 1)?;
            Some(Layout::ByParity.offset(found, self.part.length))
        };
        match (of_parity(0), of_parity(1)) {
            (Some(even), Some(odd)) => Some(even.min(odd)),
            (even, odd) => even.or(odd),
        }
    }
}

impl<P: FreePorts> FreePorts for Narrow<'_, P> {
    fn num_ephemeral(&self) -> u32 {
        self.part.length
    }

    /// `from..to` lies inside one parity, as all walks by parity ask for it.
    fn first_free(&self, from: u32, to: u32) -> Option<u32> {
        if from >= to {
            return None;
        }
        let first = self.whole(from);
        let found = self.ports.first_free(first, self.whole(to - 1) + 1)?;
        Some(from + (found - first))
    }

    fn is_free(&self, bit: u32) -> bool {
        self.ports.is_free(self.whole(bit))
    }

    fn is_known_full(&self) -> bool {
        self.ports.is_known_full()
    }

    fn is_known_exhausted(&self, _: bool) -> bool {
        false
    }
}

/// One walk over all ports, one a step, from `start`; the bit found, and the steps before it.
pub(super) fn walk_in_order(ports: &Narrow<'_, impl FreePorts>, start: u32) -> (Choice, u32) {
    let n = ports.num_ephemeral();
    let ahead = ports.first_in_order(start, n).map(|offset| (offset, offset - start));
    let found =
        ahead.or_else(|| Some(ports.first_in_order(0, start)?).map(|at| (at, n - start + at)));
    match found {
        Some((offset, steps)) => {
            let bit = Layout::ByParity.bit(offset, n);
            (Choice { bit: Some(bit), probes: steps + 1 }, steps)
        }
        None => (Choice { bit: None, probes: n }, 0),
    }
}
