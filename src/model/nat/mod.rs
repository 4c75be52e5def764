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

impl NatRules {
    /// Ports of each address, for connections from a port of 1,024 or above.
    #[must_use]
    pub fn num_ephemeral(&self) -> u32 {
        self.ports.map_or(u32::from(u16::MAX) - 1_023, PortRange::num_ephemeral)
    }
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
    /// The number of the NAT's address, where the connection does not keep its own.
    pub address: Option<u32>,
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
        let NatRules { most_each, most_entries, selection, .. } = self.rules;
        let mut evicted = [None; 2];
        let of_each = self.each.get(&syn.inside.address).copied().unwrap_or(0);
        let mut is_full = false;
        if most_each.is_some_and(|most| of_each >= most) {
            evicted[0] = self.make_room(syn, |inside, _| inside.address == syn.inside.address);
            is_full = evicted[0].is_none();
        }
        if !is_full && most_entries.is_some_and(|most| self.len() >= most as usize) {
            evicted[0] = self.drop_early(syn.at, rng).or_else(|| self.make_room(syn, |_, _| true));
            is_full = evicted[0].is_none();
        }
        if is_full {
            return Err(Dropped { probes: 0, own, evicted: None });
        }
        let (address, found) = if selection == NatSelection::OwnPort {
            (None, Found { bit: u32::from(syn.inside.port), probes: 0, evicted: None })
        } else {
            let found = self.choose(syn, rng).or_else(|probes| self.evict_for(syn, probes));
            let dropped = |probes| Dropped { probes, own, evicted: evicted[0] };
            let (address, found) = found.map_err(dropped)?;
            (Some(address), found)
        };
        if let Some(old) = found.evicted {
            self.free(old, syn.at);
            evicted[1] = Some(old);
        }
        let row = address.map_or(NOWHERE, |address| self.row(address, syn.destination));
        let entry = self.entries.add(syn.inside, syn.endpoint, (row, found.bit), syn.sequence);
        if let Some(address) = address {
            self.rows.take(row, found.bit, entry, syn.at);
            if let Some(shares) = &mut self.shares {
                shares.take(address, found.bit);
            }
        }
        if most_each.is_some() {
            *self.each.entry(syn.inside.address).or_default() += 1;
        }
        let port = address.map_or(syn.inside.port, |_| self.rows.port(found.bit));
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
    ///
    /// # Errors
    /// Ports looked at in vain, where it is kept.
    fn evict_for(&self, syn: &Syn, probes: u32) -> Result<(u32, Found), u32> {
        if self.rules.exhausted != NatExhausted::EvictOldest {
            return Err(probes);
        }
        let oldest = self.entries.oldest(|inside, row| {
            row % self.destinations == syn.destination
                && (self.shares.is_none() || inside.address == syn.inside.address)
        });
        let oldest = oldest.ok_or(probes)?;
        let (row, bit) = self.entries.place(oldest);
        Ok((row / self.destinations, Found { bit, probes, evicted: Some(oldest) }))
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
        let NatRules { choice, addresses, .. } = self.rules;
        let mut probes = 0;
        if self.shares.is_some() {
            return self.choose_of_share(syn, rng);
        }
        let span = self.rows.part(syn.inside.port);
        for address in choice.order(syn.pair, addresses, rng) {
            match self.look(syn, Part { address, span }, rng) {
                Ok(found) => return Ok((address, found.after(probes))),
                Err(more) => probes += more,
            }
        }
        Err(probes)
    }

    /// The same among the ports that the address of `syn` has for itself, and those that it gets now.
    fn choose_of_share(
        &mut self,
        syn: &Syn,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<(u32, Found), u32> {
        let (inside, mut looked, mut probes) = (syn.inside.address, 0, 0);
        loop {
            let shares = self.shares.as_mut().expect("asked where each has a share");
            let Some(&part) = shares.of(inside).get(looked) else {
                if shares.grow(inside, syn.at) {
                    continue;
                }
                return Err(probes);
            };
            looked += 1;
            match self.look(syn, part, rng) {
                Ok(found) => return Ok((part.address, found.after(probes))),
                Err(more) => probes += more,
            }
        }
    }

    /// Looks for a port for `syn` in a part of them.
    ///
    /// # Errors
    /// Ports looked at in vain.
    fn look(
        &self,
        syn: &Syn,
        Part { address, span }: Part,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Found, u32> {
        let row = self.row(address, syn.destination);
        let yields = |owner| self.entries.yields(owner, syn.at, syn.sequence);
        self.rows.search(self.rules.selection, row, span, syn.inside.port, yields, rng)
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
