//! A NAT: it gives each connection that passes a port of its own addresses, and keeps an entry of it until the
//! timer of what became of the connection is over.
//!
//! What is unique is the reply: two entries never have the same port of the same address towards one destination, as
//! its key tells destinations apart (`net/netfilter/nf_nat_core.c:nf_nat_used_tuple`). So a port serves as many
//! connections as there are such destinations, whoever asks.
//!
//! Nothing here knows when an entry is over: it is told, by [`Nat::free`].

mod address;
mod entries;
mod entry_life;
mod scan;
mod shares;
mod timers;

use std::collections::HashMap;

use rand::rngs::Xoshiro256PlusPlus;

pub use address::{NatAddresses, Pair};
use entries::Entries;
pub use entries::{EntryId, Inside};
pub use entry_life::EntryLife;
pub use scan::NatSelection;
use scan::{Found, Rows};
pub use shares::NatShare;
use shares::{Part, Shares};
pub use timers::NatTimers;

use super::PortRange;
use crate::units::SimTime;

/// How a NAT gives out ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatRules {
    /// Its own addresses, at least 1.
    pub addresses: u32,
    /// How one of them is chosen.
    pub choice: NatAddresses,
    /// The ports of each; `None`: those of the class of the connection's own port, as netfilter does where a rule
    /// names no range.
    pub ports: Option<PortRange>,
    /// How a port is chosen.
    pub selection: NatSelection,
    /// Which connections of one inside end have the same port.
    pub mapping: Mapping,
    /// May a closing entry be evicted by a SYN whose sequence number is ahead of it (Linux from 6.5 on)?
    pub evicts_closing: bool,
    /// What of its ports each address behind it may have; `None`: all of them together have all.
    pub share: Option<NatShare>,
    /// Connections that an address behind it has at most at one time.
    pub most_each: Option<u32>,
    /// Entries that there are at most, of all addresses together.
    pub most_entries: Option<u32>,
    /// Does a full table drop an entry that nobody answered, where it meets one
    /// (`net/netfilter/nf_conntrack_core.c:early_drop`)?
    pub evicts_unanswered: bool,
    /// What becomes of a SYN for which there is no place.
    pub exhausted: NatExhausted,
}

/// What a NAT does with a SYN for which it has no port or no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatExhausted {
    /// It drops it, and tells nobody.
    Drop,
    /// It answers with a reset, or an ICMP error, on which `connect()` fails.
    Reset,
    /// It takes the place of the connection that was opened first.
    EvictOldest,
}

/// Which connections of one inside end, a client's address and port, have the same port of the NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// None need to.
    EachItsOwn,
    /// Where the newest of them has one that is free towards the new destination, the new one has it too
    /// (`nf_nat_core.c:find_appropriate_src`).
    SameWhereFree,
    /// All of them (RFC 4787, REQ-1: endpoint-independent mapping); destinations are not told apart then.
    Same,
}

/// The first SYN of a connection, as it comes to a NAT.
#[derive(Clone, Copy, Debug)]
pub struct Syn {
    /// When.
    pub at: SimTime,
    /// From whom.
    pub inside: Inside,
    /// To which endpoint.
    pub endpoint: u32,
    /// The number of what the NAT tells apart of destinations: that of the endpoint, of its address, or 0.
    pub destination: u32,
    /// The addresses of both.
    pub pair: Pair,
    /// Its sequence number, the same however often it is sent.
    pub sequence: u32,
}

/// The port that a connection has at a NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// To tell what becomes of it.
    pub entry: EntryId,
    /// The number of the NAT's address.
    pub address: u32,
    /// The port.
    pub port: u16,
    /// Ports looked at.
    pub probes: u32,
    /// What was left of a connection between the same ends is gone.
    pub own: Option<EntryId>,
    /// The entries that it evicted: for a place in the table, and for its port.
    pub evicted: [Option<EntryId>; 2],
}

/// A SYN for which there is no place: nothing passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Ports looked at.
    pub probes: u32,
    /// What was left of a connection between the same ends is gone all the same,
    pub own: Option<EntryId>,
    /// and so is the entry whose place in the table it had.
    pub evicted: Option<EntryId>,
}

/// Where the port of an entry is that has none of the NAT's.
const NOWHERE: u32 = u32::MAX;

/// The entries of one NAT, of one protocol.
#[derive(Clone, Debug)]
pub struct Nat {
    rules: NatRules,
    /// Destinations that are told apart.
    destinations: u32,
    rows: Rows,
    entries: Entries,
    shares: Option<Shares>,
    /// How many entries each address behind it has, where that is limited.
    each: HashMap<u32, u32>,
}

impl Nat {
    /// One without entries, towards so many destinations as its key tells apart, with the addresses `insides` behind
    /// it; how long it has no port left towards some counts from `from` on.
    #[must_use]
    pub fn new(rules: NatRules, destinations: u32, insides: &[u32], from: SimTime) -> Self {
        let rows = rules.addresses * destinations;
        let rows = Rows::new(rows, rules.ports, rules.evicts_closing, from);
        let shares =
            rules.share.map(|share| Shares::new(share, rules.addresses, rows.bits(), insides));
        let (entries, each) = (Entries::default(), HashMap::new());
        Self { rules, destinations, rows, entries, shares, each }
    }

    /// How it gives out ports.
    #[must_use]
    pub const fn rules(&self) -> &NatRules {
        &self.rules
    }

    /// Entries that there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets a SYN pass and gives its connection an entry, which is neither closing nor over until
    /// [`Nat::set_life`] says when.
    ///
    /// # Errors
    /// Where no port was found.
    pub fn take(&mut self, syn: &Syn, rng: &mut Xoshiro256PlusPlus) -> Result<Mapped, Dropped> {
        // What is left of a connection between the same ends is replaced, whatever its state
        // (`nf_conntrack_proto_tcp.c:nf_conntrack_tcp_packet`, "reopened"; on CLOSE_WAIT the server's RST clears it
        // within 12 ms).
        let own = self.entries.find(syn.inside, syn.endpoint);
        if let Some(own) = own {
            self.free(own, syn.at);
        }
        let mut evicted = [None; 2];
        let is_full = |most: Option<u32>, has: usize| most.is_some_and(|most| has as u32 >= most);
        let of_each = self.each.get(&syn.inside.address).copied().unwrap_or(0);
        if is_full(self.rules.most_each, of_each as usize) {
            let own_address = |inside: Inside, _| inside.address == syn.inside.address;
            evicted[0] = self.make_room(syn, own_address);
            if evicted[0].is_none() {
                return Err(Dropped { probes: 0, own, evicted: None });
            }
        }
        if is_full(self.rules.most_entries, self.len()) {
            evicted[0] = self.drop_early(syn.at, rng).or_else(|| self.make_room(syn, |_, _| true));
            if evicted[0].is_none() {
                return Err(Dropped { probes: 0, own, evicted: None });
            }
        }
        let (row, found, port) = if self.rules.selection == NatSelection::OwnPort {
            let own = Found { bit: u32::from(syn.inside.port), probes: 0, evicted: None };
            (NOWHERE, own, syn.inside.port)
        } else {
            let (address, found) = match self.choose(syn, rng) {
                Ok(found) => found,
                Err(probes) => self.evict_for(syn, probes).ok_or(Dropped {
                    probes,
                    own,
                    evicted: evicted[0],
                })?,
            };
            (self.row(address, syn.destination), found, self.rows.port(found.bit))
        };
        if let Some(old) = found.evicted {
            self.free(old, syn.at);
            evicted[1] = Some(old);
        }
        let entry = self.entries.add(syn.inside, syn.endpoint, (row, found.bit), syn.sequence);
        if row != NOWHERE {
            self.rows.take(row, found.bit, entry, syn.at);
            if let Some(shares) = &mut self.shares {
                shares.take(row / self.destinations, found.bit);
            }
        }
        if self.rules.most_each.is_some() {
            *self.each.entry(syn.inside.address).or_default() += 1;
        }
        let address = if row == NOWHERE { 0 } else { row / self.destinations };
        Ok(Mapped { entry, address, port, probes: found.probes, own, evicted })
    }

    /// Is an entry there yet?
    #[must_use]
    pub fn is_there(&self, entry: EntryId) -> bool {
        self.entries.is_there(entry)
    }

    /// Says what becomes of an entry, and whether its connection was answered.
    pub fn set_life(&mut self, entry: EntryId, life: &EntryLife, is_answered: bool) {
        self.entries.set_closing(entry, life.closing, is_answered);
    }

    /// Nothing is left of an entry. Tells whether anything was until now.
    pub fn free(&mut self, entry: EntryId, at: SimTime) -> bool {
        let Some((row, bit)) = self.entries.remove(entry) else { return false };
        if self.rules.most_each.is_some() {
            let inside = self.entries.inside_of(entry).address;
            *self.each.get_mut(&inside).expect("its entry was counted") -= 1;
        }
        if row == NOWHERE {
            return true;
        }
        if let Some(shares) = &mut self.shares {
            shares.free(row / self.destinations, bit, at);
        }
        // An endpoint-independent mapping lasts as long as anybody uses it.
        if !entry_shares(&self.entries, self.rules.mapping, entry, (row, bit)) {
            self.rows.free(row, bit, at);
        }
        true
    }

    /// Nanoseconds that it had no port left towards a destination until `end`, summed over addresses and destinations.
    #[must_use]
    pub fn exhausted_until(&self, end: SimTime) -> u128 {
        self.rows.exhausted_until(end)
    }

    /// Where a full table looks for an entry that nobody answered, and drops it (`early_drop`).
    fn drop_early(&mut self, at: SimTime, rng: &mut Xoshiro256PlusPlus) -> Option<EntryId> {
        if !self.rules.evicts_unanswered {
            return None;
        }
        let found = self.entries.unanswered(rng)?;
        self.free(found, at);
        Some(found)
    }

    /// Evicts the oldest entry of those that `is_it` says yes of, where that is what a full NAT does.
    fn make_room(&mut self, syn: &Syn, is_it: impl Fn(Inside, u32) -> bool) -> Option<EntryId> {
        if self.rules.exhausted != NatExhausted::EvictOldest {
            return None;
        }
        let oldest = self.entries.oldest(is_it)?;
        self.free(oldest, syn.at);
        Some(oldest)
    }

    /// The port of the oldest entry towards the destination of `syn`, where a full NAT gives it away: of those of the
    /// same address where each has a share.
    fn evict_for(&self, syn: &Syn, probes: u32) -> Option<(u32, Found)> {
        if self.rules.exhausted != NatExhausted::EvictOldest {
            return None;
        }
        let oldest = self.entries.oldest(|inside, row| {
            row % self.destinations == syn.destination
                && (self.shares.is_none() || inside.address == syn.inside.address)
        })?;
        let (row, bit) = self.entries.place(oldest);
        Some((row / self.destinations, Found { bit, probes, evicted: Some(oldest) }))
    }

    const fn row(&self, address: u32, destination: u32) -> u32 {
        address * self.destinations + destination
    }

    fn choose(&mut self, syn: &Syn, rng: &mut Xoshiro256PlusPlus) -> Result<(u32, Found), u32> {
        let newest = match self.rules.mapping {
            Mapping::EachItsOwn => None,
            _ => self.entries.newest(syn.inside),
        };
        if let Some((row, bit)) = newest {
            let address = row / self.destinations;
            let is_free = self.rows.is_free(self.row(address, syn.destination), bit);
            if is_free || self.rules.mapping == Mapping::Same {
                return Ok((address, Found { bit, probes: 1, evicted: None }));
            }
        }
        let NatRules { selection, choice, addresses, .. } = self.rules;
        let mut probes = 0;
        if let Some(shares) = &mut self.shares {
            let mut looked = 0;
            loop {
                for &Part { address, span } in &shares.of(syn.inside.address)[looked..] {
                    let row = address * self.destinations + syn.destination;
                    let entries = &self.entries;
                    let yields = |owner| entries.yields(owner, syn.at, syn.sequence);
                    match self.rows.search(selection, row, span, syn.inside.port, yields, rng) {
                        Ok(found) => {
                            return Ok((address, Found { probes: probes + found.probes, ..found }));
                        }
                        Err(more) => probes += more,
                    }
                }
                looked = shares.of(syn.inside.address).len();
                if !shares.grow(syn.inside.address, syn.at) {
                    return Err(probes);
                }
                // A block of its own may have come back to it.
                looked = looked.min(shares.of(syn.inside.address).len().saturating_sub(1));
            }
        }
        let part = self.rows.part(syn.inside.port);
        for address in choice.order(syn.pair, addresses, rng) {
            let row = self.row(address, syn.destination);
            let entries = &self.entries;
            let yields = |owner| entries.yields(owner, syn.at, syn.sequence);
            match self.rows.search(selection, row, part, syn.inside.port, yields, rng) {
                Ok(found) => {
                    let probes = probes + found.probes;
                    return Ok((address, Found { probes, ..found }));
                }
                Err(more) => probes += more,
            }
        }
        Err(probes)
    }
}

/// Does another entry of the inside end that `entry` had still use the port of `place`?
fn entry_shares(
    entries: &Entries,
    mapping: Mapping,
    entry: EntryId,
    (row, bit): (u32, u32),
) -> bool {
    mapping == Mapping::Same && entries.uses(entries.inside_of(entry), (row, bit))
}
