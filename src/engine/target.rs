//! Where a connection goes: a destination by weight, one of its endpoints, a source address.

use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use super::endpoints::EndpointNumbers;
use crate::model::{Attempt, Client, EndpointPick, PoolId, PoolPlan, Remote, Tuple, World, below};

/// How one client's connections are spread.
#[derive(Clone, Debug)]
pub struct Targets {
    rng: Xoshiro256PlusPlus,
    /// Walker's alias table over the client's destinations.
    table: Vec<AliasSlot>,
    destinations: Vec<Endpoints>,
    addresses: u32,
    /// The source address that all connections take, if it is always the same.
    address: Option<u32>,
    /// The source address that the next connection to each endpoint takes.
    next_source: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct AliasSlot {
    /// Below this (of 2^32) the slot's own destination, else `other`.
    own_below: u64,
    other: usize,
}

#[derive(Clone, Copy, Debug)]
struct Endpoints {
    first: u32,
    count: u32,
    pick: EndpointPick,
    next: u32,
    remote: Remote,
}

impl Targets {
    /// The targets of `client` on the machine of `job`.
    #[must_use]
    pub fn new(
        job: super::Job<'_>,
        numbers: &EndpointNumbers,
        client: &Client,
        rng: Xoshiro256PlusPlus,
    ) -> Self {
        let world = job.world;
        let destinations = client.targets.iter().map(|target| {
            let destination = &world.destinations[target.destination];
            Endpoints {
                first: numbers.first(target.destination).expect("a client's target is used"),
                count: destination.endpoints,
                pick: destination.pick,
                next: 0,
                remote: Remote::new(destination.answers, destination.loopback),
            }
        });
        let weights: Vec<f64> = client.targets.iter().map(|target| target.weight).collect();
        let addresses = job.host().addresses;
        let address = if addresses == 1 { Some(0) } else { client.socket.address };
        let turns = if address.is_none() { numbers.count() as usize } else { 0 };
        Self {
            rng,
            table: alias_table(&weights),
            destinations: destinations.collect(),
            addresses,
            address,
            next_source: vec![0; turns],
        }
    }

    /// Goes on as `client` of the machine of `job`, with the random numbers and the turns so far.
    pub fn reshape(&mut self, job: super::Job<'_>, numbers: &EndpointNumbers, client: &Client) {
        let mut new = Self::new(job, numbers, client, self.rng.clone());
        for endpoints in &mut new.destinations {
            let before = self.destinations.iter().find(|before| before.first == endpoints.first);
            endpoints.next = before.map_or(0, |before| before.next % endpoints.count);
        }
        for (next, before) in new.next_source.iter_mut().zip(&self.next_source) {
            *next = before % new.addresses;
        }
        *self = new;
    }

    /// The tuple and what the destination is like, if it is always the same.
    #[must_use]
    pub fn only(&self) -> Option<(Tuple, Remote)> {
        let [destination] = &self.destinations[..] else { return None };
        let source = self.address.filter(|_| destination.count == 1)?;
        Some((Tuple { source, endpoint: destination.first }, destination.remote))
    }

    /// Draws where each attempt goes.
    pub fn fill(&mut self, batch: &mut [Attempt]) {
        for attempt in batch {
            let (endpoint, remote) = self.endpoint();
            let source = self.source(endpoint);
            attempt.tuple = Tuple { source, endpoint };
            attempt.remote = remote;
        }
    }

    /// Sends an attempt to endpoint number `endpoint` of the client's target number `target`, from
    /// source address number `source`, if that is given.
    pub fn direct(
        &mut self,
        attempt: &mut Attempt,
        target: usize,
        endpoint: u32,
        source: Option<u32>,
    ) {
        let Endpoints { first, remote, .. } = self.destinations[target];
        let source = source.unwrap_or_else(|| self.source(first + endpoint));
        attempt.tuple = Tuple { source, endpoint: first + endpoint };
        attempt.remote = remote;
    }

    #[inline]
    fn endpoint(&mut self) -> (u32, Remote) {
        let mut chosen = 0;
        if self.table.len() > 1 {
            let bits = self.rng.next_u64();
            chosen = below(self.table.len() as u32, (bits >> 32) as u32) as usize;
            let slot = self.table[chosen];
            if bits & 0xffff_ffff >= slot.own_below {
                chosen = slot.other;
            }
        }
        let endpoints = &mut self.destinations[chosen];
        let within = match endpoints.pick {
            _ if endpoints.count == 1 => 0,
            EndpointPick::Random => below(endpoints.count, (self.rng.next_u64() >> 32) as u32),
            EndpointPick::InTurn => {
                let now = endpoints.next;
                endpoints.next = (now + 1) % endpoints.count;
                now
            }
        };
        (endpoints.first + within, endpoints.remote)
    }

    /// Source addresses take turns for each endpoint by itself: one turn for all would, with as
    /// many endpoints in turn as addresses, use each address towards one endpoint only.
    #[inline]
    fn source(&mut self, endpoint: u32) -> u32 {
        if let Some(address) = self.address {
            return address;
        }
        let next = &mut self.next_source[endpoint as usize];
        let now = *next;
        *next = (now + 1) % self.addresses;
        now
    }
}

/// The pools that connections of client number `client` of `world.hosts[host]` take ports from, each
/// with its share of them. A pool may come more than once.
pub fn pool_shares(
    world: &World,
    host: usize,
    numbers: &EndpointNumbers,
    client: usize,
    plan: PoolPlan,
) -> impl Iterator<Item = (PoolId, f64)> {
    let (addresses, client) = (world.hosts[host].addresses, &world.hosts[host].clients[client]);
    let total: f64 = client.targets.iter().map(|target| target.weight).sum();
    let sources = client.socket.address.map_or(0..addresses, |address| address..address + 1);
    let addresses = sources.len() as u32;
    client.targets.iter().flat_map(move |target| {
        let first = numbers.first(target.destination).expect("a client's target is used");
        let count = world.destinations[target.destination].endpoints;
        let share = target.weight / total / f64::from(count) / f64::from(addresses);
        let sources = sources.clone();
        let bound = client.binds.is_bound();
        (first..first + count).flat_map(move |endpoint| {
            sources.clone().map(move |source| (plan.pool(bound, Tuple { source, endpoint }), share))
        })
    })
}

/// Walker's alias method (ACM TOMS 3(3), 1977), built as Vose does (IEEE TSE 17(9), 1991): one
/// look-up a draw, however many weights.
fn alias_table(weights: &[f64]) -> Vec<AliasSlot> {
    let total: f64 = weights.iter().sum();
    let n = weights.len();
    let mut share: Vec<f64> = weights.iter().map(|weight| weight / total * n as f64).collect();
    let mut table: Vec<AliasSlot> =
        (0..n).map(|own| AliasSlot { own_below: 1 << 32, other: own }).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| share[i] < 1.0);
    while let (Some(low), Some(&high)) = (small.pop(), large.last()) {
        table[low] =
            AliasSlot { own_below: (share[low] * (1_u64 << 32) as f64) as u64, other: high };
        share[high] -= 1.0 - share[low];
        if share[high] < 1.0 {
            large.pop();
            small.push(high);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_alias_table_gives_every_weight_its_share() {
        let weights = [5.0, 1.0, 0.5, 3.0, 0.5];
        let table = alias_table(&weights);
        // Exact, without drawing: a slot's own part and what others lend to it.
        let mut share = [0.0; 5];
        for (own, slot) in table.iter().enumerate() {
            let part = slot.own_below as f64 / (1_u64 << 32) as f64;
            share[own] += part / 5.0;
            share[slot.other] += (1.0 - part) / 5.0;
        }
        for (found, weight) in share.iter().zip(weights) {
            assert!((found - weight / 10.0).abs() < 1e-8, "{found} for {weight}");
        }
    }

    #[test]
    fn the_alias_table_of_one_needs_no_other() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let slot = alias_table(&[7.0])[0];
        assert!((rng.next_u64() & 0xffff_ffff) < slot.own_below);
    }
}
