//! The entries of a NAT: by number, and by the inside end that they belong to.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::model::selection::{below, mix};
use crate::units::SimTime;

/// An entry of a NAT; its number is given again when nothing is left of it, with another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryId {
    number: u32,
    generation: u32,
}

/// Where a connection comes from: the inside end of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inside {
    /// The number of the address among all behind the NAT.
    pub address: u32,
    /// The port there.
    pub port: u16,
}

/// No entry.
const NONE: u32 = u32::MAX;

/// Buckets of the table in which an entry is looked for that may be dropped when it is full; with as many buckets as
/// entries, each has one (NF_CT_EVICTION_RANGE, and `nf_conntrack_init_start`: nf_conntrack_max).
const EVICTION_RANGE: u32 = 8;

#[derive(Clone, Copy, Debug)]
struct Entry {
    generation: u32,
    inside: Inside,
    endpoint: u32,
    row: u32,
    bit: u32,
    /// The last sequence number of the client.
    sequence: u32,
    /// From when on it may be evicted.
    closing: SimTime,
    /// The entry of the same inside end before it.
    older: u32,
    /// Has anybody answered?
    is_answered: bool,
    /// Those made before and after it, of all.
    before: u32,
    after: u32,
}

/// All entries of a NAT.
#[derive(Clone, Debug)]
pub struct Entries {
    all: Vec<Entry>,
    vacant: Vec<u32>,
    /// Those that were made first and last.
    ends: [u32; 2],
    /// The newest entry of each inside end.
    newest: HashMap<u64, u32, BuildHasherDefault<Mixer>>,
}

impl Default for Entries {
    fn default() -> Self {
        let (all, vacant) = (Vec::new(), Vec::new());
        Self { all, vacant, ends: [NONE; 2], newest: HashMap::default() }
    }
}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len() - self.vacant.len()
    }

    /// A new one, which is not closing.
    pub fn add(
        &mut self,
        inside: Inside,
        endpoint: u32,
        (row, bit): (u32, u32),
        sequence: u32,
    ) -> EntryId {
        let number = self.vacant.pop().unwrap_or(self.all.len() as u32);
        let older = self.newest.insert(key(inside), number).unwrap_or(NONE);
        let generation = self.all.get(number as usize).map_or(0, |before| before.generation);
        let closing = SimTime::FAR_FUTURE;
        let [_, before] = self.ends;
        let (is_answered, after) = (false, NONE);
        let new = Entry {
            generation,
            inside,
            endpoint,
            row,
            bit,
            sequence,
            closing,
            older,
            is_answered,
            before,
            after,
        };
        match self.all.get_mut(before as usize) {
            Some(last) => last.after = number,
            None => self.ends[0] = number,
        }
        self.ends[1] = number;
        match self.all.get_mut(number as usize) {
            Some(entry) => *entry = new,
            None => self.all.push(new),
        }
        EntryId { number, generation }
    }

    /// Takes an entry out and tells where its port is; `None` where it is gone already.
    pub fn remove(&mut self, id: EntryId) -> Option<(u32, u32)> {
        let entry = &mut self.all[id.number as usize];
        if entry.generation != id.generation {
            return None;
        }
        entry.generation += 1;
        let Entry { inside, row, bit, older, before, after, .. } = *entry;
        match self.all.get_mut(before as usize) {
            Some(one) => one.after = after,
            None => self.ends[0] = after,
        }
        match self.all.get_mut(after as usize) {
            Some(one) => one.before = before,
            None => self.ends[1] = before,
        }
        let key = key(inside);
        let newest = self.newest[&key];
        if newest != id.number {
            let mut newer = newest;
            while self.all[newer as usize].older != id.number {
                newer = self.all[newer as usize].older;
            }
            self.all[newer as usize].older = older;
        } else if older == NONE {
            self.newest.remove(&key);
        } else {
            self.newest.insert(key, older);
        }
        self.vacant.push(id.number);
        Some((row, bit))
    }

    /// Is it there yet?
    pub fn is_there(&self, id: EntryId) -> bool {
        self.all[id.number as usize].generation == id.generation
    }

    /// From `at` on an entry may be evicted for its port; and was it answered?
    pub fn set_closing(&mut self, id: EntryId, at: SimTime, is_answered: bool) {
        let entry = &mut self.all[id.number as usize];
        if entry.generation == id.generation {
            (entry.closing, entry.is_answered) = (at, is_answered);
        }
    }

    /// The entry that was made first of those that `is_it` says yes of: of its inside end, and of its row.
    pub fn oldest(&self, is_it: impl Fn(Inside, u32) -> bool) -> Option<EntryId> {
        let entry = |number: u32| (number != NONE).then(|| (number, &self.all[number as usize]));
        std::iter::successors(entry(self.ends[0]), |&(_, one)| entry(one.after))
            .find(|(_, one)| is_it(one.inside, one.row))
            .map(|(number, one)| EntryId { number, generation: one.generation })
    }

    /// The first of those in a few places of the table that nobody answered.
    pub fn unanswered(&self, rng: &mut Xoshiro256PlusPlus) -> Option<EntryId> {
        // A number that is vacant is a place of the table with nothing in it.
        let places = self.all.len() as u32;
        let mut looks = (0..EVICTION_RANGE).map(|_| below(places, rng.next_u64() as u32));
        let is_it =
            |&number: &u32| !self.all[number as usize].is_answered && self.is_listed(number);
        let number = looks.find(is_it)?;
        Some(EntryId { number, generation: self.all[number as usize].generation })
    }

    /// Is the entry of a number there?
    fn is_listed(&self, number: u32) -> bool {
        let one = &self.all[number as usize];
        match self.all.get(one.before as usize) {
            Some(before) => before.after == number,
            None => self.ends[0] == number,
        }
    }

    /// Where the port of an entry is.
    pub fn place(&self, id: EntryId) -> (u32, u32) {
        let one = &self.all[id.number as usize];
        (one.row, one.bit)
    }

    /// May a SYN with `sequence` have the port of entry number `owner` at `now`
    /// (`nf_nat_core.c:nf_nat_may_kill` and `nf_seq_has_advanced`, 6.5)? Then its id.
    pub fn yields(&self, owner: u32, now: SimTime, sequence: u32) -> Option<EntryId> {
        let Entry { generation, closing, sequence: last, .. } = self.all[owner as usize];
        let ahead = sequence.wrapping_sub(last) as i32 > 0;
        (closing <= now && ahead).then_some(EntryId { number: owner, generation })
    }

    /// The entry of a connection from `inside` to `endpoint`.
    pub fn find(&self, inside: Inside, endpoint: u32) -> Option<EntryId> {
        self.of(inside)
            .find(|&(_, entry)| entry.endpoint == endpoint)
            .map(|(number, entry)| EntryId { number, generation: entry.generation })
    }

    /// Where the port of the newest entry of `inside` is.
    pub fn newest(&self, inside: Inside) -> Option<(u32, u32)> {
        self.of(inside).next().map(|(_, entry)| (entry.row, entry.bit))
    }

    /// Does any entry of `inside` have the port of a place?
    pub fn uses(&self, inside: Inside, (row, bit): (u32, u32)) -> bool {
        self.of(inside).any(|(_, entry)| (entry.row, entry.bit) == (row, bit))
    }

    /// The inside end that an entry has, or had.
    pub fn inside_of(&self, id: EntryId) -> Inside {
        self.all[id.number as usize].inside
    }

    /// The entries of one inside end, the newest first.
    fn of(&self, inside: Inside) -> impl Iterator<Item = (u32, &Entry)> {
        let newest = self.newest.get(&key(inside)).copied();
        let entry = |number: u32| (number != NONE).then(|| (number, &self.all[number as usize]));
        std::iter::successors(newest.and_then(entry), move |&(_, one)| entry(one.older))
    }
}

impl EntryId {
    /// Its number.
    pub const fn number(self) -> u32 {
        self.number
    }
}

fn key(inside: Inside) -> u64 {
    u64::from(inside.address) << 16 | u64::from(inside.port)
}

/// Hashes a number that is no secret to anybody.
#[derive(Clone, Copy, Debug, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(self.0 ^ number);
    }
}
