//! What has happened and is not counted yet.
//!
//! The loop of a machine settles who gets which port; that is serial and leaves few registers for
//! anything else. What statistics need of it is written down here and entered some hundred at a
//! time, in straight loops. By itself that saves 3 % of the instructions (776 to 753 an attempt);
//! above all it lets the loop take its attempts a batch at a time.

use super::demand::BATCH;
use crate::stats::{BinCursor, HostTally, Phase, ReuseClock, Window};
use crate::units::SimTime;

/// A connection that opened, all times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// When it opened.
    pub at: u64,
    /// When it is closed.
    pub close: u64,
    /// When its port is free again.
    pub release: u64,
    /// Its port: number of the pool times ports of the range, plus the bit.
    pub place: u32,
    /// Ports looked at to find it.
    pub probes: u32,
    /// Number of the client on its host.
    pub client: u16,
    /// False for what was there when the run started: no attempt of the run opened it.
    pub attempted: bool,
}

/// A connection of a client is in a state for a while, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// Which state.
    pub phase: Phase,
    /// From when.
    pub from: u64,
    /// To when.
    pub to: u64,
    /// Number of the client on its host.
    pub client: u16,
}

/// Entries that there is room for: two batches of attempts.
const ENTRIES: usize = 2 * BATCH;

/// The memory of a ledger: the largest part of what a machine needs.
#[derive(Clone, Debug, Default)]
pub struct LedgerMemory(Vec<u32>);

/// What has happened on one machine and is not counted yet.
#[derive(Clone, Debug)]
pub struct Ledger {
    window: Window,
    clock: ReuseClock,
    cursor: BinCursor,
    opened: Vec<Opened>,
    /// Ports looked at by attempts of the steady state that were blocked.
    in_vain: Vec<u32>,
    /// States that connections pass through.
    passed: Vec<Passed>,
    /// When each port of each pool was last taken, in ticks of the clock plus one; 0 is never.
    last_taken: Vec<u32>,
}

impl Ledger {
    /// An empty ledger for a machine with `places` ports, all pools together, in the memory of the
    /// ledger of another one.
    #[must_use]
    pub fn new(window: Window, places: usize, memory: LedgerMemory) -> Self {
        let mut last_taken = memory.0;
        last_taken.clear();
        last_taken.resize(places, 0);
        Self {
            window,
            clock: ReuseClock::new(window),
            cursor: BinCursor::default(),
            opened: Vec::with_capacity(ENTRIES),
            in_vain: Vec::with_capacity(ENTRIES),
            passed: Vec::new(),
            last_taken,
        }
    }

    /// The memory of a ledger that is no longer needed.
    #[must_use]
    pub fn into_memory(self) -> LedgerMemory {
        LedgerMemory(self.last_taken)
    }

    /// An attempt of the steady state looked at `probes` ports and got none.
    pub fn blocked(&mut self, probes: u32) {
        self.in_vain.push(probes);
    }

    /// A connection opened.
    #[inline(always)]
    pub fn opened(&mut self, entry: Opened) {
        self.opened.push(entry);
    }

    /// A connection whose [`Opened`] was entered with its state before and after passes through one
    /// between: what it is counted as otherwise is taken back.
    pub fn passed(&mut self, entry: Passed) {
        if entry.from < entry.to {
            self.passed.push(entry);
        }
    }

    /// Enters everything in `tally`, if there might not be room for another batch.
    pub fn count_if_due(&mut self, tally: &mut HostTally) {
        if self.opened.len().max(self.in_vain.len()) + BATCH > ENTRIES {
            self.count(tally);
        }
    }

    /// Enters everything in `tally`.
    #[inline(never)]
    pub fn count(&mut self, tally: &mut HostTally) {
        for &probes in &self.in_vain {
            tally.limit.probes.record(probes);
        }
        for entry in self.opened.iter().filter(|entry| entry.attempted) {
            if self.window.is_steady(SimTime::from_nanos(entry.at)) {
                tally.limit.probes.record(entry.probes);
            }
        }
        for entry in &self.opened {
            tally.bins.open(&mut self.cursor, entry.at);
            tally.bins.close(entry.close);
        }
        match &mut tally.clients[..] {
            // The same for one client, whose sums stay in registers.
            [only] => {
                let mut sums = Sums::default();
                self.opened.iter().for_each(|entry| sums.add(self.window, entry));
                sums.enter(only);
            }
            clients => {
                for entry in &self.opened {
                    let mut sums = Sums::default();
                    sums.add(self.window, entry);
                    sums.enter(&mut clients[usize::from(entry.client)]);
                }
            }
        }
        for entry in &self.opened {
            let tick = self.clock.ticks(entry.at) + 1;
            let before = std::mem::replace(&mut self.last_taken[entry.place as usize], tick);
            if before != 0 && self.window.is_steady(SimTime::from_nanos(entry.at)) {
                tally.limit.reuse.record(tick - before);
            }
        }
        self.count_passed(tally);
        self.in_vain.clear();
        self.opened.clear();
    }

    fn count_passed(&mut self, tally: &mut HostTally) {
        for Passed { phase, from, to, client } in self.passed.drain(..) {
            tally.bins.pass(phase, from, to);
            let spent = u128::from(self.window.clip(to) - self.window.clip(from));
            let client = &mut tally.clients[usize::from(client)];
            match phase {
                Phase::Connecting => {
                    client.connecting += spent;
                    client.established -= spent;
                }
                Phase::Closing => {
                    client.closing += spent;
                    client.time_wait -= spent;
                }
            }
        }
    }
}

/// What one client gains by some entries.
#[derive(Clone, Copy, Default)]
struct Sums {
    opened: u64,
    established: u128,
    time_wait: u128,
}

impl Sums {
    #[inline(always)]
    fn add(&mut self, window: Window, entry: &Opened) {
        let close = window.clip(entry.close);
        let steady = window.is_steady(SimTime::from_nanos(entry.at));
        self.opened += u64::from(steady & entry.attempted);
        self.established += u128::from(close - window.clip(entry.at));
        self.time_wait += u128::from(window.clip(entry.release) - close);
    }

    #[inline(always)]
    fn enter(self, client: &mut crate::stats::ClientTally) {
        client.opened += self.opened;
        client.established += self.established;
        client.time_wait += self.time_wait;
    }
}
