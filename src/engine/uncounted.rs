//! What has happened and is not counted yet.
//!
//! The loop of a machine settles who gets which port; that is serial and leaves few registers for
//! anything else. What statistics need of it is written down here and entered some hundred at a
//! time, in straight loops. By itself that saves 3 % of the instructions (776 to 753 an attempt);
//! above all it lets the loop take its attempts a batch at a time.

use super::batch::BATCH;
use crate::stats::{BinCursor, ClientTally, HostTally, ReuseClock, Window};
use crate::units::SimTime;

/// A connection that opened, all times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// When it opened.
    pub at: u64,
    /// When it is closed.
    pub close: u64,
    /// When its port is free again after TIME-WAIT; the close, where an [`Ended`] tells what follows that.
    pub release: u64,
    /// Its port: number of the pool times ports of the range, plus the bit.
    pub place: u32,
    /// Ports looked at to find it.
    pub probes: u32,
    /// Number of the client on its host.
    pub client: u16,
    /// False for what was there when the run started: no attempt of the run opened it.
    pub attempted: bool,
    /// Is its close not known yet? A [`Lived`] tells it.
    pub endless: bool,
}

/// A connection of which something was not known when it opened, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Lived {
    /// Since when nobody had answered it, where that is told now.
    pub waited: Option<u64>,
    /// When it was answered, or given up.
    pub answered: u64,
    /// When it was closed; beyond the end where it never was, `None` where that is told later.
    pub close: Option<u64>,
    /// Number of the client on its host.
    pub client: u16,
}

/// What became of a connection after its close, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// When it was closed.
    pub close: u64,
    /// When the second FIN came or was waited for no longer.
    pub second_fin: u64,
    /// When its port was free again.
    pub release: u64,
    /// Number of the client on its host.
    pub client: u16,
}

/// Entries that there is room for: two batches of attempts.
const ENTRIES: usize = 2 * BATCH;

/// When each port of each pool was last taken: the largest part of what a machine needs.
#[derive(Clone, Debug, Default)]
pub struct LastTaken(Vec<u32>);

/// What has happened on one machine and is not counted yet.
#[derive(Clone, Debug)]
pub struct Uncounted {
    window: Window,
    clock: ReuseClock,
    cursor: BinCursor,
    /// May an answer come later than the opening, or the second FIN later than the first?
    stages: bool,
    begun: Vec<Begun>,
    /// When each of those is answered, or given up, where that may be later. Apart, for every byte of an
    /// entry shows in the loop.
    answered: Vec<u64>,
    /// Ports looked at by attempts of the steady state that were blocked.
    in_vain: Vec<u32>,
    ended: Vec<Ended>,
    lived: Vec<Lived>,
    /// In ticks of the clock plus one; 0 is never.
    last_taken: Vec<u32>,
}

impl Uncounted {
    /// Nothing yet on a machine with `places` ports, all pools together, in the memory of another one.
    #[must_use]
    pub fn new(window: Window, places: usize, stages: bool, memory: LastTaken) -> Self {
        let mut last_taken = memory.0;
        last_taken.clear();
        last_taken.resize(places, 0);
        Self {
            window,
            clock: ReuseClock::new(window),
            cursor: BinCursor::default(),
            stages,
            begun: Vec::with_capacity(ENTRIES),
            answered: Vec::new(),
            in_vain: Vec::with_capacity(ENTRIES),
            ended: Vec::new(),
            lived: Vec::new(),
            last_taken,
        }
    }

    /// The memory of what is no longer needed.
    #[must_use]
    pub fn into_memory(self) -> LastTaken {
        LastTaken(self.last_taken)
    }

    /// An attempt of the steady state looked at `probes` ports and got none.
    pub fn blocked(&mut self, probes: u32) {
        self.in_vain.push(probes);
    }

    /// A connection opened.
    #[inline(always)]
    pub fn begun(&mut self, entry: Begun) {
        self.begun.push(entry);
    }

    /// The connection that opened last is answered at `nanos`, or given up; told of each where that may be
    /// later than its opening.
    pub fn answered(&mut self, nanos: u64) {
        self.answered.push(nanos);
    }

    /// A connection ended.
    #[inline]
    pub fn ended(&mut self, entry: Ended) {
        self.ended.push(entry);
    }

    /// A connection was closed, or never will be, of which that was not known when it opened.
    #[inline]
    pub fn lived(&mut self, entry: Lived) {
        self.lived.push(entry);
    }

    /// Enters everything in `tally`, if there might not be room for another batch.
    pub fn count_if_due(&mut self, tally: &mut HostTally) {
        if self.begun.len().max(self.in_vain.len()) + BATCH > ENTRIES {
            self.count(tally);
        }
    }

    /// Enters everything in `tally`.
    #[inline(never)]
    pub fn count(&mut self, tally: &mut HostTally) {
        if self.stages {
            tally.bins.tell_stages();
        }
        for &probes in &self.in_vain {
            tally.limit.probes.record(probes);
        }
        for entry in self.begun.iter().filter(|entry| entry.attempted) {
            if self.window.is_steady(SimTime::from_nanos(entry.at)) {
                tally.limit.probes.record(entry.probes);
            }
        }
        for entry in &self.begun {
            tally.bins.open(&mut self.cursor, entry.at);
            // Of an endless one, that is never.
            tally.bins.close(entry.close);
        }
        match &mut tally.clients[..] {
            // The same for one client, whose sums stay in registers.
            [only] if !self.stages => {
                let mut sums = Sums::default();
                self.begun.iter().for_each(|entry| sums.add(self.window, entry, entry.at));
                sums.enter(only);
            }
            clients => {
                for (index, entry) in self.begun.iter().enumerate() {
                    let answered = self.answered.get(index).copied().unwrap_or(entry.at);
                    let mut sums = Sums::default();
                    sums.add(self.window, entry, answered);
                    sums.enter(&mut clients[usize::from(entry.client)]);
                }
            }
        }
        for entry in &self.begun {
            // What stands at the start was opened before it, nobody knows when.
            let is_known = entry.attempted || entry.at > 0;
            let tick = (self.clock.ticks(entry.at) + 1) * u32::from(is_known);
            let before = std::mem::replace(&mut self.last_taken[entry.place as usize], tick);
            if before != 0 && self.window.is_steady(SimTime::from_nanos(entry.at)) {
                tally.limit.reuse.record(tick - before);
            }
        }
        if self.stages {
            self.count_stages(tally);
        }
        for Lived { waited, answered, close, client } in self.lived.drain(..) {
            let of_client = &mut tally.clients[usize::from(client)];
            if let Some(since) = waited {
                tally.bins.answer(answered);
                let spent = self.window.clip(answered) - self.window.clip(since);
                of_client.connecting += u128::from(spent);
            }
            if let Some(close) = close {
                tally.bins.close(close);
                let lived = self.window.clip(close) - self.window.clip(answered);
                of_client.established += u128::from(lived);
            }
        }
        self.count_ended(tally);
        self.in_vain.clear();
        self.begun.clear();
    }

    /// Enters what connections did before they were answered.
    fn count_stages(&mut self, tally: &mut HostTally) {
        for (&Begun { at, client, .. }, answered) in self.begun.iter().zip(self.answered.drain(..))
        {
            if answered == SimTime::FAR_FUTURE.as_nanos() {
                // A `Lived` tells it.
                continue;
            }
            tally.bins.answer(answered);
            let spent = self.window.clip(answered) - self.window.clip(at);
            let client = &mut tally.clients[usize::from(client)];
            client.connecting += u128::from(spent);
        }
    }

    /// Enters what connections did after their close.
    fn count_ended(&mut self, tally: &mut HostTally) {
        for Ended { close, second_fin, release, client } in self.ended.drain(..) {
            let second_fin = second_fin.min(release);
            if self.stages {
                tally.bins.second_fin(second_fin);
            }
            let [close, second, release] =
                [close, second_fin, release].map(|at| self.window.clip(at));
            let client = &mut tally.clients[usize::from(client)];
            client.closing += u128::from(second - close);
            client.time_wait += u128::from(release - second);
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
    fn add(&mut self, window: Window, entry: &Begun, answered: u64) {
        let close = window.clip(entry.close);
        let steady = window.is_steady(SimTime::from_nanos(entry.at));
        self.opened += u64::from(steady & entry.attempted);
        let established = close - window.clip(answered);
        self.established += u128::from(established * u64::from(!entry.endless));
        self.time_wait += u128::from(window.clip(entry.release) - close);
    }

    #[inline(always)]
    fn enter(self, client: &mut ClientTally) {
        client.opened += self.opened;
        client.established += self.established;
        client.time_wait += self.time_wait;
    }
}
