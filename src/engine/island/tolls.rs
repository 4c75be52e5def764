//! What a gateway is to an island while it runs: its NAT, the entries that wait for their ends, and its statistics.

use rand::rngs::Xoshiro256PlusPlus;

use super::Island;
use crate::engine::Calendar;
use crate::engine::observe::{Observer, Opening, Release, Settling};
use crate::engine::statistics::{Size, Statistics};
use crate::engine::uncounted::LastTaken;
use crate::model::nat::{EntryId, EntryLife, Nat, NatExhausted, NatTimers, Syn};
use crate::model::{Gateway, Life, NatKey, PoolId, Refusal, Refused, Will};
use crate::stats::{HostTally, Window};
use crate::units::SimTime;

/// One gateway.
pub struct Toll<'a> {
    nat: Nat,
    key: NatKey,
    timers: NatTimers,
    rng: Xoshiro256PlusPlus,
    /// When entries are over.
    over: Calendar<EntryId>,
    /// What is known of each entry, by number.
    records: Vec<Record>,
    statistics: Statistics<'a>,
}

/// What is known of an entry.
#[derive(Clone, Copy, Debug)]
struct Record {
    entry: EntryId,
    since: SimTime,
    /// The host that it is of, by its number on the island.
    host: u16,
    port: u16,
    place: u32,
    probes: u32,
    /// Did it get its port at its first SYN? Else that was counted as dropped.
    at_once: bool,
    /// What was told of it, if anything was.
    told: Option<Life>,
    /// What becomes of it if nothing comes between. Where an open connection may be cut off its end is not told before
    /// it is there.
    life: Life,
    pending: bool,
    /// When it is over; far future while that is not known.
    over: SimTime,
}

impl<'a> Toll<'a> {
    pub fn new(
        island: &Island<'_>,
        gateway: &Gateway,
        insides: &[u32],
        rng: Xoshiro256PlusPlus,
        window: Window,
        tally: &'a mut HostTally,
    ) -> Self {
        let world = island.world;
        let destinations = match gateway.key {
            NatKey::Endpoint => world.destinations.iter().map(|one| one.endpoints).sum(),
            NatKey::Destination => world.destinations.len() as u32,
            NatKey::None => 1,
        };
        let size = Size {
            clients: island.hosts.len(),
            pools: gateway.nat.addresses as usize,
            bits: 1 << 16,
            stages: true,
            pooled: vec![false; island.hosts.len()],
            changes: false,
        };
        let from = SimTime::START + island.settings.warm_up;
        Self {
            nat: Nat::new(gateway.nat, destinations, insides, from),
            key: gateway.key,
            timers: gateway.timers,
            rng,
            over: Calendar::new(1 << 14, gateway.timers.fin),
            records: Vec::new(),
            statistics: Statistics::new(size, window, tally, LastTaken::default()),
        }
    }

    /// The number of what it tells apart of destinations.
    pub const fn destination(&self, endpoint: u32, destination: u32) -> u32 {
        match self.key {
            NatKey::Endpoint => endpoint,
            NatKey::Destination => destination,
            NatKey::None => 0,
        }
    }

    /// Lets happen what is due until `now`.
    pub fn advance(&mut self, now: SimTime) {
        while let Some((due, entry)) = self.over.pop_due(now) {
            // It may live longer than was thought when this was written down.
            let known = &self.records[entry.number() as usize];
            if (known.entry, known.over) == (entry, due) && self.nat.free(entry, due) {
                self.gone(entry, due);
            }
        }
    }

    /// Is `entry` there at `now`?
    pub fn keeps(&mut self, entry: EntryId, now: SimTime) -> bool {
        self.advance(now);
        self.nat.is_there(entry)
    }

    /// Lets a SYN of a machine of `host` pass, if there is a port for it: the first of an attempt, or one sent
    /// again. Tells the entry, the number of the gateway's address if it has one of these, and the port.
    ///
    /// # Errors
    /// Where there is none; then it is dropped, or answered with a reset.
    pub fn pass(
        &mut self,
        syn: &Syn,
        host: u16,
        first: bool,
    ) -> Result<(EntryId, Option<u32>, u16), Refused> {
        self.advance(syn.at);
        let mapped = match self.nat.take(syn, &mut self.rng) {
            Ok(mapped) => mapped,
            Err(dropped) => {
                if let Some(own) = dropped.own {
                    self.gone(own, syn.at);
                }
                if let Some(evicted) = dropped.evicted {
                    self.evicted(evicted, syn.at);
                }
                let refusal = match self.nat.rules().exhausted {
                    NatExhausted::Reset => Refusal::Reset,
                    NatExhausted::Drop | NatExhausted::EvictOldest => Refusal::Dropped,
                };
                let refused = Refused { refusal, pool: PoolId(0), probes: dropped.probes };
                if first {
                    self.statistics.refused(syn.at, host, &refused);
                    self.statistics.batch_made();
                }
                return Err(refused);
            }
        };
        if let Some(own) = mapped.own {
            self.gone(own, syn.at);
        }
        for evicted in mapped.evicted.into_iter().flatten() {
            self.evicted(evicted, syn.at);
        }
        let number = mapped.entry.number() as usize;
        let record = Record {
            entry: mapped.entry,
            since: syn.at,
            host,
            port: mapped.port,
            place: mapped.address.unwrap_or(0) << 16 | u32::from(mapped.port),
            probes: mapped.probes,
            at_once: first,
            told: None,
            life: Life::abandoned(SimTime::FAR_FUTURE),
            pending: false,
            over: SimTime::FAR_FUTURE,
        };
        self.records.resize(self.records.len().max(number + 1), record);
        self.records[number] = record;
        Ok((mapped.entry, mapped.address, mapped.port))
    }

    /// Says what becomes of the connection of an entry, as its client's end of it lives and it `will` do.
    pub fn lives(&mut self, entry: EntryId, life: &Life, will: &Will) {
        let record = &mut self.records[entry.number() as usize];
        if record.entry != entry || !self.nat.is_there(entry) {
            return;
        }
        let of_entry = self.timers.life(record.since, life, will);
        self.nat.set_life(entry, &of_entry, will.remote.answers());
        record.over = of_entry.over;
        if of_entry.over < SimTime::FAR_FUTURE {
            self.over.push(of_entry.over, entry);
        }
        let answered = will.remote.answers();
        let mut seen = seen(life, &of_entry, answered);
        record.life = seen;
        let cuts_off = self.nat.rules().exhausted == NatExhausted::EvictOldest;
        if cuts_off && answered {
            let answered = seen.answered;
            seen = Life { answered, ..Life::abandoned(SimTime::FAR_FUTURE) };
        }
        let before = record.told.replace(seen);
        match before {
            None => {
                record.pending = !answered;
                self.statistics.opened(&Opening {
                    at: record.since,
                    connection: entry.number(),
                    client: record.host,
                    attempted: record.at_once,
                    answered,
                    pool: PoolId(0),
                    port: record.port,
                    place: record.place,
                    probes: record.probes,
                    life: seen,
                    settled: false,
                    pending: !answered,
                });
                self.statistics.batch_made();
            }
            Some(_) if record.pending && answered => {
                record.pending = false;
                let (client, opened) = (record.host, record.since);
                self.statistics.settles(&Settling { client, opened, answered, life: seen });
            }
            Some(before) if before.first_fin == SimTime::FAR_FUTURE && !cuts_off => {
                self.statistics.closed(record.host, &seen);
            }
            Some(_) => {}
        }
    }

    /// An entry had to go for another: a connection that is open is cut off.
    fn evicted(&mut self, entry: EntryId, at: SimTime) {
        let Record { host, told, life, pending, .. } = self.records[entry.number() as usize];
        if told.is_some() && !pending && life.first_fin > at {
            self.statistics.cut_off(at, host);
        }
        self.gone(entry, at);
    }

    /// Nothing is left of an entry.
    fn gone(&mut self, entry: EntryId, at: SimTime) {
        let record = self.records[entry.number() as usize];
        let Record { since, host, port, told, pending, .. } = record;
        let Some(mut life) = told else { return };
        if pending {
            life = Life::abandoned(at);
            self.statistics.settles(&Settling {
                client: host,
                opened: since,
                answered: false,
                life,
            });
        } else if life.first_fin == SimTime::FAR_FUTURE {
            let (first, second) = (record.life.first_fin.min(at), record.life.second_fin.min(at));
            life = Life { answered: life.answered, ..Life::abandoned(at) };
            (life.first_fin, life.second_fin) = (first, second);
            self.statistics.closed(host, &life);
        }
        let (connection, client, pool) = (entry.number(), host, PoolId(0));
        let life = Some(life);
        self.statistics.released(&Release { at, connection, client, pool, port, life });
    }

    /// Closes the books at the end of the run.
    pub fn close(mut self, end: SimTime) {
        self.advance(end);
        for index in 0..self.records.len() {
            let Record { entry, since, host, port, told, pending, .. } = self.records[index];
            if !self.nat.is_there(entry) {
                continue;
            }
            let Some(mut life) = told else { continue };
            let known = self.records[index].life;
            if !pending && life.first_fin > known.first_fin {
                life = known;
                self.statistics.closed(host, &life);
            }
            let (connection, client, pool) = (entry.number(), host, PoolId(0));
            if pending {
                let life = Life::abandoned(SimTime::FAR_FUTURE);
                self.statistics.settles(&Settling { client, opened: since, answered: false, life });
            }
            let (at, life) = (SimTime::FAR_FUTURE, Some(life));
            self.statistics.kept(&Release { at, connection, client, pool, port, life });
        }
        let _ = self.statistics.close(self.nat.exhausted_until(end));
    }
}

/// The life of an entry in the words of a connection: what a port is to a host, an entry is to a gateway.
fn seen(life: &Life, of_entry: &EntryLife, answered: bool) -> Life {
    let over = of_entry.over;
    if !answered {
        return Life::abandoned(over);
    }
    let first_fin = life.first_fin.min(over);
    let second_fin = of_entry.closing.min(over);
    Life {
        answered: life.answered,
        first_fin,
        bucket: second_fin,
        second_fin,
        takeable: over,
        over,
    }
}
