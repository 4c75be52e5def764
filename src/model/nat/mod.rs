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
mod timers;

use rand::rngs::Xoshiro256PlusPlus;

pub use address::{NatAddresses, Pair};
use entries::Entries;
pub use entries::{EntryId, Inside};
pub use entry_life::EntryLife;
pub use scan::NatSelection;
use scan::{Found, Rows};
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
    /// What it replaces: what was left of a connection between the same ends, and the closing entry that it evicted.
    pub gone: [Option<EntryId>; 2],
}

/// A SYN for which there is no port: nothing passes, and nobody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Ports looked at.
    pub probes: u32,
    /// What was left of a connection between the same ends is gone all the same.
    pub own: Option<EntryId>,
}

/// The entries of one NAT, of one protocol.
#[derive(Clone, Debug)]
pub struct Nat {
    rules: NatRules,
    /// Destinations that are told apart.
    destinations: u32,
    rows: Rows,
    entries: Entries,
}

impl Nat {
    /// One without entries, towards so many destinations as its key tells apart; how long it has no port left towards
    /// some counts from `from` on.
    #[must_use]
    pub fn new(rules: NatRules, destinations: u32, from: SimTime) -> Self {
        let rows = rules.addresses * destinations;
        let rows = Rows::new(rows, rules.ports, rules.evicts_closing, from);
        Self { rules, destinations, rows, entries: Entries::default() }
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
        let (address, found) = self.choose(syn, rng).map_err(|probes| Dropped { probes, own })?;
        if let Some(evicted) = found.evicted {
            self.free(evicted, syn.at);
        }
        let row = self.row(address, syn.destination);
        let entry = self.entries.add(syn.inside, syn.endpoint, (row, found.bit), syn.sequence);
        self.rows.take(row, found.bit, entry, syn.at);
        Ok(Mapped {
            entry,
            address,
            port: self.rows.port(found.bit),
            probes: found.probes,
            gone: [own, found.evicted],
        })
    }

    /// Is an entry there yet?
    #[must_use]
    pub fn is_there(&self, entry: EntryId) -> bool {
        self.entries.is_there(entry)
    }

    /// Says what becomes of an entry.
    pub fn set_life(&mut self, entry: EntryId, life: &EntryLife) {
        self.entries.set_closing(entry, life.closing);
    }

    /// Nothing is left of an entry. Tells whether anything was until now.
    pub fn free(&mut self, entry: EntryId, at: SimTime) -> bool {
        let Some((row, bit)) = self.entries.remove(entry) else { return false };
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
        let part = self.rows.part(syn.inside.port);
        let mut probes = 0;
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
