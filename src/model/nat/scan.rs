//! The ports of a NAT's addresses, and how a free one is looked for.

use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use super::entries::EntryId;
use crate::model::PortRange;
use crate::model::bitmap::Bitmaps;
use crate::model::exhaustion::Exhaustion;
use crate::model::selection::below;
use crate::units::SimTime;

/// How a NAT looks for a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatSelection {
    /// The connection's own port where it lies in the range and is free, else netfilter's scan.
    Netfilter,
    /// Netfilter's scan alone (`random` and `fully-random`, which do the same).
    NetfilterRandom,
    /// Any of those that are free, each with the same probability.
    Uniform,
    /// None: connections keep their own, and only have an entry here.
    OwnPort,
}

/// A port that was found.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its bit.
    pub bit: u32,
    /// Ports looked at.
    pub probes: u32,
    /// Whose it was until now.
    pub evicted: Option<EntryId>,
}

impl Found {
    /// The same after so many more were looked at in vain.
    pub fn after(self, probes: u32) -> Self {
        Self { probes: self.probes + probes, ..self }
    }
}

/// Looks of the first round of netfilter's scan, and of the last one (`nf_nat_core.c:nf_nat_l4proto_unique_tuple`:
/// NF_NAT_MAX_ATTEMPTS, and attempts below 16 are the last).
const MOST_LOOKS: u32 = 128;
const LAST_ROUND: u32 = 16;

/// In so many looks at the end of a round a closing entry may be evicted (NF_NAT_HARDER_THRESH, 6.5).
const HARDER_LOOKS: u32 = 32;

/// Draws before all free ports are counted.
const DRAWS: u32 = 32;

/// What of the ports a connection may have: the first bit, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    first: u32,
    length: u32,
}

impl Span {
    pub const fn new(first: u32, length: u32) -> Self {
        Self { first, length }
    }

    pub const fn length(self) -> u32 {
        self.length
    }

    #[cfg(test)]
    pub const fn first(self) -> u32 {
        self.first
    }
}

/// Rows of ports, one for each address and destination that is told apart; made when they are first asked for.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The port of bit 0.
    lowest: u16,
    bits: u32,
    /// Has it the classes of ports of a rule without a range?
    classes: bool,
    /// Where each row is kept, plus one; 0 is nowhere.
    places: Vec<u32>,
    free: Bitmaps,
    /// How many are free in each.
    left: Vec<u32>,
    exhaustion: Exhaustion,
    /// The number of the entry that has each port, where one may be evicted.
    owners: Option<Vec<u32>>,
}

impl Rows {
    pub fn new(rows: u32, ports: Option<PortRange>, keeps_owners: bool, from: SimTime) -> Self {
        let (lowest, bits) = match ports {
            Some(range) => (range.min_ephemeral(), range.num_ephemeral()),
            None => (0, 1 << 16),
        };
        Self {
            lowest,
            bits,
            classes: ports.is_none(),
            places: vec![0; rows as usize],
            free: Bitmaps::full(0, bits, &[]),
            left: Vec::new(),
            exhaustion: Exhaustion::new(rows as usize, from),
            owners: keeps_owners.then(Vec::new),
        }
    }

    /// What a connection from `port` may have (`nf_nat_l4proto_unique_tuple`: where no range is given).
    pub fn part(&self, port: u16) -> Span {
        let (first, last) = match port {
            _ if !self.classes => return Span { first: 0, length: self.bits },
            0..512 => (1, 511),
            512..1024 => (600, 1_023),
            1024.. => (1_024, 65_535),
        };
        Span { first, length: last - first + 1 }
    }

    /// Ports of a row.
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// The number of the port of `bit`.
    pub fn port(&self, bit: u32) -> u16 {
        self.lowest + bit as u16
    }

    /// Has nobody the port of `bit` in `row`?
    pub fn is_free(&self, row: u32, bit: u32) -> bool {
        self.place(row).is_none_or(|place| self.free.is_set(place, bit))
    }

    /// `entry` has the port of `bit` in `row` from now on.
    pub fn take(&mut self, row: u32, bit: u32, entry: EntryId, at: SimTime) {
        let place = match self.place(row) {
            Some(place) => place,
            None => {
                let place = self.free.add_row();
                self.places[row as usize] = place as u32 + 1;
                self.left.push(self.bits);
                if let Some(owners) = &mut self.owners {
                    owners.resize((place + 1) * self.bits as usize, 0);
                }
                place
            }
        };
        if self.free.is_set(place, bit) {
            self.free.clear(place, bit);
            self.left[place] -= 1;
            if self.left[place] == 0 {
                self.exhaustion.begin(row as usize, at);
            }
        }
        if let Some(owners) = &mut self.owners {
            owners[place * self.bits as usize + bit as usize] = entry.number();
        }
    }

    /// Nobody has the port of `bit` in `row` any more.
    pub fn free(&mut self, row: u32, bit: u32, at: SimTime) {
        let place = self.place(row).expect("what is freed was taken");
        if self.left[place] == 0 {
            self.exhaustion.end(row as usize, at);
        }
        self.left[place] += 1;
        self.free.set(place, bit);
    }

    /// Nanoseconds that rows had no free port until `end`, summed over them.
    pub fn exhausted_until(&self, end: SimTime) -> u128 {
        self.exhaustion.until(end)
    }

    fn place(&self, row: u32) -> Option<usize> {
        self.places[row as usize].checked_sub(1).map(|place| place as usize)
    }

    /// Looks for a port of `span` in `row` for a connection from `own`; `yields` says which entry a closing owner is
    /// evicted as, if it may be.
    ///
    /// # Errors
    /// Ports looked at in vain.
    pub fn search(
        &self,
        selection: NatSelection,
        row: u32,
        span: Span,
        own: u16,
        yields: impl Fn(u32) -> Option<EntryId>,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Found, u32> {
        // Where a rule names no range, its own port is right for every connection.
        let own = u32::from(own).wrapping_sub(u32::from(self.lowest));
        let inside =
            own < self.bits && (self.classes || own.wrapping_sub(span.first) < span.length);
        if selection == NatSelection::Netfilter && inside && self.is_free(row, own) {
            return Ok(Found { bit: own, probes: 1, evicted: None });
        }
        match selection {
            NatSelection::Netfilter | NatSelection::NetfilterRandom => {
                self.netfilter(row, span, yields, rng)
            }
            NatSelection::Uniform => self.uniform(row, span, rng),
            NatSelection::OwnPort => unreachable!("where ports are kept none is looked for"),
        }
    }

    /// `nf_nat_l4proto_unique_tuple`, Linux 6.2, with the eviction of 6.5: rounds of 128, 64, 32, 16 and 8 looks from
    /// fresh offsets, or one of all ports where there are no more than 128.
    fn netfilter(
        &self,
        row: u32,
        span: Span,
        yields: impl Fn(u32) -> Option<EntryId>,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Found, u32> {
        let (mut tries, mut probes) = (span.length.min(MOST_LOOKS), 0);
        loop {
            let offset = rng.next_u64() as u16;
            // A look at the end of a round may evict.
            let soft =
                if self.owners.is_some() { tries.saturating_sub(HARDER_LOOKS) } else { tries };
            if let Some((bit, looks)) = self.first_free(row, span, offset, soft) {
                return Ok(Found { bit, probes: probes + looks, evicted: None });
            }
            for look in soft..tries {
                let bit = span.first + u32::from(offset.wrapping_add(look as u16)) % span.length;
                let evicted = match self.owner(row, bit) {
                    None => None,
                    Some(owner) => match yields(owner) {
                        None => continue,
                        evicted => evicted,
                    },
                };
                return Ok(Found { bit, probes: probes + look + 1, evicted });
            }
            probes += tries;
            if tries >= span.length || tries < LAST_ROUND {
                return Err(probes);
            }
            tries /= 2;
        }
    }

    /// The number of the entry that has the port of `bit` in `row`, if any has it.
    fn owner(&self, row: u32, bit: u32) -> Option<u32> {
        let place = self.place(row).filter(|&place| !self.free.is_set(place, bit))?;
        let owners = self.owners.as_ref().expect("owners are kept where one may be evicted");
        Some(owners[place * self.bits as usize + bit as usize])
    }

    /// The first free port of so many looks from `offset` on, and the number of the look. Offsets are 16 bits wide, so
    /// where they begin again at 0 the looks jump.
    fn first_free(&self, row: u32, span: Span, offset: u16, looks: u32) -> Option<(u32, u32)> {
        let (mut at, mut done) = (u32::from(offset), 0);
        while done < looks {
            let from = at % span.length;
            let run = (looks - done).min(span.length - from).min((1 << 16) - at);
            let first = span.first + from;
            let found = match self.place(row) {
                None => Some(first),
                Some(place) => self.free.first_in(place, first, first + run),
            };
            if let Some(bit) = found {
                return Some((bit, done + bit - first + 1));
            }
            done += run;
            at = (at + run) & 0xffff;
        }
        None
    }

    /// Any that is free.
    fn uniform(&self, row: u32, span: Span, rng: &mut Xoshiro256PlusPlus) -> Result<Found, u32> {
        for probes in 1..=DRAWS {
            let bit = span.first + below(span.length, rng.next_u64() as u32);
            if self.is_free(row, bit) {
                return Ok(Found { bit, probes, evicted: None });
            }
        }
        let place = self.place(row).expect("a row that nobody uses has free ports");
        let (from, to) = (span.first, span.first + span.length);
        let next = |at: u32| self.free.first_in(place, at, to);
        let free = || std::iter::successors(next(from), |&bit| next(bit + 1));
        let count = free().count() as u32;
        if count == 0 {
            return Err(DRAWS);
        }
        let bit = free().nth(below(count, rng.next_u64() as u32) as usize);
        Ok(Found { bit: bit.expect("it was counted"), probes: DRAWS, evicted: None })
    }
}
