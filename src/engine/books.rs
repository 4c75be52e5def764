//! The books of one machine: what is known of its pools and clients while it runs, and what statistics
//! are told of it.

use super::ledger::{Ledger, LedgerMemory, Opened, Passed};
use crate::model::{PoolId, Refusal};
use crate::stats::{BinCursor, HostTally, Window};
use crate::units::SimTime;

/// What is known of one pool.
#[derive(Clone, Copy, Debug)]
struct PoolState {
    /// Since when none is free; far future when some is.
    full_since: SimTime,
    /// Since when every attempt has been refused; far future when the last one was not.
    blocked_since: SimTime,
}

/// What is known of one client while it runs.
#[derive(Clone, Copy, Debug)]
struct ClientState {
    in_use: u64,
    peak_in_use: u64,
    blocked_since: SimTime,
}

/// The books of one machine.
pub struct Books<'a> {
    /// The time that figures are taken of.
    pub window: Window,
    /// What the machine's host has done so far.
    pub tally: &'a mut HostTally,
    ledger: Ledger,
    pools: Vec<PoolState>,
    clients: Vec<ClientState>,
    in_use: u64,
    peak_in_use: u64,
    /// Pools and clients in the middle of an episode of blocking.
    blocked: u32,
    release_cursor: BinCursor,
    /// Are there several clients? The ports in use of a single one are those of the machine.
    several: bool,
    /// Do sockets take ports from each other? Then the time from a refusal to the next success counts
    /// as full: what one call has left depends on the others.
    shared: bool,
    /// What was blocked when the machine began: others of the host have been counted before it.
    blocked_before: Vec<u64>,
}

/// What the books of a machine are laid out for.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Clients of the host.
    pub clients: usize,
    /// Pools of the machine.
    pub pools: usize,
    /// Ports of each.
    pub bits: u32,
    /// Is there no usable port at all?
    pub no_port: bool,
    /// Do sockets take ports from each other?
    pub shared: bool,
}

impl<'a> Books<'a> {
    /// Empty books, in the memory of other ones.
    #[must_use]
    pub fn new(size: Size, window: Window, tally: &'a mut HostTally, memory: LedgerMemory) -> Self {
        let pool = PoolState {
            full_since: if size.no_port && !size.shared {
                SimTime::START
            } else {
                SimTime::FAR_FUTURE
            },
            blocked_since: SimTime::FAR_FUTURE,
        };
        let client = ClientState { in_use: 0, peak_in_use: 0, blocked_since: SimTime::FAR_FUTURE };
        let blocked_before = tally.clients.iter().map(|client| client.blocked).collect();
        Self {
            window,
            tally,
            ledger: Ledger::new(window, size.pools * size.bits as usize, memory),
            pools: vec![pool; size.pools],
            clients: vec![client; size.clients],
            in_use: 0,
            peak_in_use: 0,
            blocked: 0,
            release_cursor: BinCursor::default(),
            several: size.clients > 1,
            shared: size.shared,
            blocked_before,
        }
    }

    /// A connection took a port; `last` says that its pool has none left now.
    #[inline(always)]
    pub fn opened(&mut self, pool: PoolId, entry: Opened, last: bool) {
        self.ledger.opened(entry);
        if self.several {
            let state = &mut self.clients[usize::from(entry.client)];
            state.in_use += 1;
            state.peak_in_use = state.peak_in_use.max(state.in_use);
        }
        self.in_use += 1;
        self.peak_in_use = self.peak_in_use.max(self.in_use);
        if last && !self.shared {
            self.pools[pool.0 as usize].full_since = SimTime::from_nanos(entry.at);
        }
    }

    /// A connection passed through a state between those that its [`Opened`] tells of.
    pub fn passed(&mut self, entry: Passed) {
        self.ledger.passed(entry);
    }

    /// A port of `pool` is free at `due`; `was_full` says that it had none before.
    #[inline(always)]
    pub fn released(&mut self, client: u16, pool: PoolId, due: SimTime, was_full: bool) {
        self.tally.bins.release(&mut self.release_cursor, due.as_nanos());
        self.in_use -= 1;
        if self.several {
            self.clients[usize::from(client)].in_use -= 1;
        }
        if was_full && !self.shared {
            let full_since = &mut self.pools[pool.0 as usize].full_since;
            let since = self.window.clip(full_since.as_nanos());
            self.tally.limit.full += u128::from(self.window.clip(due.as_nanos()) - since);
            *full_since = SimTime::FAR_FUTURE;
        }
    }

    /// A connection whose release was not known when it opened held its port from its `close` on, in
    /// TIME-WAIT or on the way there, until `release`.
    pub fn waited(&mut self, client: u16, close: SimTime, release: SimTime) {
        let (close, release) =
            (self.window.clip(close.as_nanos()), self.window.clip(release.as_nanos()));
        self.tally.clients[usize::from(client)].time_wait += u128::from(release.max(close) - close);
    }

    /// An attempt got a port: that ends the episodes of blocking of its pool and its client.
    #[inline(always)]
    pub fn succeeded(&mut self, pool: PoolId, client: u16, at: SimTime) {
        if self.blocked > 0 {
            self.end_episodes(pool, client, at);
        }
    }

    #[inline(never)]
    fn end_episodes(&mut self, pool: PoolId, number: u16, at: SimTime) {
        let pool = &mut self.pools[pool.0 as usize];
        let client = &mut self.clients[usize::from(number)];
        if pool.blocked_since != SimTime::FAR_FUTURE {
            self.tally.limit.blocking.end(pool.blocked_since, at);
            if self.shared {
                let since = self.window.clip(pool.blocked_since.as_nanos());
                self.tally.limit.full += u128::from(self.window.clip(at.as_nanos()) - since);
            }
            pool.blocked_since = SimTime::FAR_FUTURE;
            self.blocked -= 1;
        }
        if client.blocked_since != SimTime::FAR_FUTURE {
            self.tally.clients[usize::from(number)].blocking.end(client.blocked_since, at);
            client.blocked_since = SimTime::FAR_FUTURE;
            self.blocked -= 1;
        }
    }

    /// An attempt at `pool` was refused.
    #[inline(always)] // Of its two callers, each a call itself.
    pub fn blocked(&mut self, pool: PoolId, number: u16, now: SimTime, probes: u32) {
        let tally = &mut self.tally.clients[usize::from(number)];
        if self.window.is_steady(now) {
            self.ledger.blocked(probes);
            tally.blocked += 1;
        }
        self.tally.bins.block(now.as_nanos());
        let pool = &mut self.pools[pool.0 as usize];
        if pool.blocked_since == SimTime::FAR_FUTURE {
            pool.blocked_since = now;
            self.blocked += 1;
            self.tally.limit.blocking.begin(now);
        }
        let client = &mut self.clients[usize::from(number)];
        if client.blocked_since == SimTime::FAR_FUTURE {
            client.blocked_since = now;
            self.blocked += 1;
            tally.blocking.begin(now);
        }
    }

    /// A blocked attempt was refused for a reason that not all of its client's have.
    pub fn refused(&mut self, number: u16, now: SimTime, refusal: Refusal) {
        let steady = u64::from(self.window.is_steady(now));
        self.tally.clients[usize::from(number)].refused[refusal as usize] += steady;
    }

    /// All attempts of a client that were blocked were refused for the same reason.
    pub fn all_refused(&mut self, number: usize, refusal: Refusal) {
        let tally = &mut self.tally.clients[number];
        tally.refused[refusal as usize] += tally.blocked - self.blocked_before[number];
    }

    /// An attempt got a port and is never answered.
    pub fn unanswered(&mut self, number: u16, now: SimTime) {
        let steady = u64::from(self.window.is_steady(now));
        self.tally.clients[usize::from(number)].unanswered += steady;
    }

    /// Enters in the tally what there might soon be no room for.
    pub fn count_if_due(&mut self) {
        self.ledger.count_if_due(self.tally);
    }

    /// Closes the books at the end of the run, and leaves their memory.
    pub fn close(mut self) -> LedgerMemory {
        let end = SimTime::from_nanos(self.window.end());
        self.ledger.count(self.tally);
        self.tally.limit.peak_in_use = self.tally.limit.peak_in_use.max(self.peak_in_use);
        for pool in &self.pools {
            let mut full_since = pool.full_since;
            if pool.blocked_since != SimTime::FAR_FUTURE {
                self.tally.limit.blocking.cut(pool.blocked_since, end);
                if self.shared {
                    full_since = pool.blocked_since;
                }
            }
            if full_since != SimTime::FAR_FUTURE {
                let since = self.window.clip(full_since.as_nanos());
                self.tally.limit.full += u128::from(self.window.end() - since);
            }
        }
        for (state, tally) in self.clients.iter().zip(&mut self.tally.clients) {
            let peak = if self.several { state.peak_in_use } else { self.peak_in_use };
            tally.peak_in_use = tally.peak_in_use.max(peak);
            if state.blocked_since != SimTime::FAR_FUTURE {
                tally.blocking.cut(state.blocked_since, end);
            }
        }
        self.ledger.into_memory()
    }
}
