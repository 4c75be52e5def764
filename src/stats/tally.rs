//! What one host's machines did in one replication: whole numbers only.
//!
//! Everything here is a sum, a least or a greatest of integers, so tallies can be merged in any
//! order, by any number of threads, and come out the same to the bit.

use super::log_linear::LogLinear;
use super::request_bins::RequestBins;
use super::stretches::StretchTally;
use super::window::Window;
use crate::model::Refusal;
use crate::units::SimTime;

/// What the machines of one host did in one replication.
#[derive(Clone, Debug)]
pub struct HostTally {
    /// One for each client of the host.
    pub clients: Vec<ClientTally>,
    /// The port range as a limit.
    pub limit: LimitTally,
    /// Everything over time.
    pub bins: Bins,
    /// Requests over time.
    pub requests: RequestBins,
    /// Servers that want a port of their own.
    pub servers: ServerTally,
    /// What happened from each change to the next, the start being one; empty where nothing changes.
    pub stretches: Vec<StretchTally>,
}

/// What one client did.
#[derive(Clone, Debug, Default)]
pub struct ClientTally {
    /// Attempts of the steady state that got a port.
    pub opened: u64,
    /// Attempts of the steady state that got none.
    pub blocked: u64,
    /// The same by reason, in the order of [`Refusal::ALL`].
    pub refused: [u64; Refusal::ALL.len()],
    /// Attempts of the steady state that got a port and were never answered.
    pub unanswered: u64,
    /// Those that were answered at a SYN after the first.
    pub late: u64,
    /// Open connections that a gateway forgot in the steady state, for others to have their place.
    pub cut_off: u64,
    /// Nanoseconds of the steady state times connections that are being set up.
    pub connecting: u128,
    /// Nanoseconds of the steady state times established connections.
    pub established: u128,
    /// Nanoseconds of the steady state times connections that are being closed.
    pub closing: u128,
    /// Nanoseconds of the steady state times ports in TIME-WAIT.
    pub time_wait: u128,
    /// Most ports in use at once on one machine.
    pub peak_in_use: u64,
    /// Spells in which every attempt was refused.
    pub blocking: Blocking,
    /// Its requests, where it makes any.
    pub requests: RequestTally,
}

/// What became of the requests of one client.
#[derive(Clone, Debug, Default)]
pub struct RequestTally {
    /// Requests that were made in the steady state.
    pub made: u64,
    /// Tries of the steady state after the first one.
    pub retried: u64,
    /// Requests of the steady state that were answered.
    pub served: u64,
    /// Requests of the steady state that failed.
    pub failed: u64,
    /// Nanoseconds of the steady state times idle connections.
    pub idle: u128,
    /// How long each that was answered waited for a connection, in units of [`RequestTally::UNIT_S`].
    pub waited: LogLinear,
}

impl RequestTally {
    /// A microsecond: waits of up to 71 minutes are told.
    pub const UNIT_S: f64 = 1e-6;

    fn merge(&mut self, other: &Self) {
        self.made += other.made;
        self.retried += other.retried;
        self.served += other.served;
        self.failed += other.failed;
        self.idle += other.idle;
        self.waited.merge(&other.waited);
    }
}

/// What became of servers that want a port of their own, one on each machine.
#[derive(Clone, Debug, Default)]
pub struct ServerTally {
    /// Those that started.
    pub started: u64,
    /// Those whose port was taken then.
    pub refused: u64,
    /// Those that never got it.
    pub never: u64,
    /// How long each that was refused and got it waited, in units of [`ServerTally::UNIT_S`].
    pub waited: LogLinear,
}

impl ServerTally {
    /// A millisecond: waits of up to 49 days are told.
    pub const UNIT_S: f64 = 1e-3;

    /// Adds what became of others.
    pub fn merge(&mut self, other: &Self) {
        self.started += other.started;
        self.refused += other.refused;
        self.never += other.never;
        self.waited.merge(&other.waited);
    }
}

/// What one host's port range did.
#[derive(Clone, Debug, Default)]
pub struct LimitTally {
    /// Most ports in use at once on one machine.
    pub peak_in_use: u64,
    /// Nanoseconds of the steady state times pools without a free port.
    pub full: u128,
    /// Spells in which every attempt at a pool was refused.
    pub blocking: Blocking,
    /// Ports looked at by each attempt.
    pub probes: LogLinear,
    /// Time from one opening to the next on the same port, in units of [`ReuseClock`].
    pub reuse: LogLinear,
}

/// Episodes of blocking: from a refusal to the next success.
#[derive(Clone, Copy, Debug)]
pub struct Blocking {
    /// The first refusal; [`SimTime::FAR_FUTURE`] when there is none.
    pub first: SimTime,
    /// Episodes of which a part lies in the steady state.
    pub episodes: u64,
    /// The longest of them there, in nanoseconds.
    pub longest: u64,
    /// All of them there together, in nanoseconds.
    pub lasted: u128,
    /// When the last one ended.
    pub recovered: SimTime,
    /// Was one still going on at the end?
    pub unfinished: bool,
}

impl Default for Blocking {
    fn default() -> Self {
        Self {
            first: SimTime::FAR_FUTURE,
            episodes: 0,
            longest: 0,
            lasted: 0,
            recovered: SimTime::START,
            unfinished: false,
        }
    }
}

impl Blocking {
    /// A refusal that begins an episode.
    pub fn begin(&mut self, at: SimTime) {
        self.first = self.first.min(at);
    }

    /// The success that ends the episode begun at `since`.
    pub fn end(&mut self, since: SimTime, at: SimTime, window: Window) {
        self.count(since, at, window);
        self.recovered = self.recovered.max(at);
    }

    /// The end of the run in the middle of the episode begun at `since`.
    pub fn cut(&mut self, since: SimTime, window: Window) {
        self.count(since, SimTime::from_nanos(window.end()), window);
        self.unfinished = true;
    }

    fn count(&mut self, since: SimTime, until: SimTime, window: Window) {
        if window.is_steady(until) {
            let nanos = window.clip(until.as_nanos()) - window.clip(since.as_nanos());
            self.episodes += 1;
            self.longest = self.longest.max(nanos);
            self.lasted += u128::from(nanos);
        }
    }

    /// Adds the episodes of others.
    pub fn merge(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.episodes += other.episodes;
        self.longest = self.longest.max(other.longest);
        self.lasted += other.lasted;
        self.recovered = self.recovered.max(other.recovered);
        self.unfinished |= other.unfinished;
    }
}

impl HostTally {
    /// An empty tally for a host with `clients` clients.
    #[must_use]
    pub fn new(clients: usize, window: Window) -> Self {
        Self {
            clients: vec![ClientTally::default(); clients],
            limit: LimitTally::default(),
            bins: Bins::new(window),
            requests: RequestBins::default(),
            servers: ServerTally::default(),
            stretches: Vec::new(),
        }
    }

    /// Adds what other machines of the same host did.
    pub fn merge(&mut self, other: &Self) {
        for (sum, more) in self.clients.iter_mut().zip(&other.clients) {
            sum.merge(more);
        }
        let (sum, more) = (&mut self.limit, &other.limit);
        sum.peak_in_use = sum.peak_in_use.max(more.peak_in_use);
        sum.full += more.full;
        sum.blocking.merge(&more.blocking);
        sum.probes.merge(&more.probes);
        sum.reuse.merge(&more.reuse);
        self.bins.merge(&other.bins);
        self.requests.merge(&other.requests);
        self.servers.merge(&other.servers);
        let most = self.stretches.len().max(other.stretches.len());
        self.stretches.resize_with(most, StretchTally::default);
        for (sum, more) in self.stretches.iter_mut().zip(&other.stretches) {
            sum.merge(more);
        }
    }
}

impl ClientTally {
    fn merge(&mut self, other: &Self) {
        self.opened += other.opened;
        self.blocked += other.blocked;
        for (sum, more) in self.refused.iter_mut().zip(other.refused) {
            *sum += more;
        }
        self.unanswered += other.unanswered;
        self.late += other.late;
        self.cut_off += other.cut_off;
        self.connecting += other.connecting;
        self.established += other.established;
        self.closing += other.closing;
        self.time_wait += other.time_wait;
        self.peak_in_use = self.peak_in_use.max(other.peak_in_use);
        self.blocking.merge(&other.blocking);
        self.requests.merge(&other.requests);
    }
}

/// Ports by state, opened and blocked over time.
///
/// A bin counts the changes that fall into it and adds up how far into the bin they fall; what that
/// means in port-time is worked out at the end, by [`Bins::rows`].
#[derive(Clone, Debug)]
pub struct Bins {
    window: Window,
    cells: Vec<Bin>,
    /// Answers and second FINs, bin by bin; empty as long as they come with the opening and the first FIN.
    stages: Vec<Stages>,
}

/// The changes in one bin.
#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    opened: Changes,
    /// First FINs and resets.
    closed: Changes,
    released: Changes,
    blocked: u64,
    /// Connections that were there when the run started: among `opened`, but no attempts.
    standing: u64,
}

/// The changes in one bin between those of its [`Bin`].
#[derive(Clone, Copy, Debug, Default)]
struct Stages {
    answered: Changes,
    second_fins: Changes,
}

/// How many changes of one kind, and the sum of their distances from the start of the bin in nanoseconds.
///
/// Both in one number, so that one addition counts a change: the sum in the lower 88 bits, where a bin of
/// two years has room for a change every tenth of a millisecond, and the count above.
#[derive(Clone, Copy, Debug, Default)]
struct Changes(u128);

impl Changes {
    const SUM_BITS: u32 = 88;

    #[inline]
    fn add(&mut self, offset: u64) {
        self.0 += (1 << Self::SUM_BITS) + u128::from(offset);
    }

    fn merge(&mut self, other: Self) {
        self.0 += other.0;
    }

    fn count(self) -> u64 {
        (self.0 >> Self::SUM_BITS) as u64
    }

    /// Port-nanoseconds from the changes to the end of a bin of `length`.
    fn area(self, length: i128) -> i128 {
        let offsets = self.0 & ((1 << Self::SUM_BITS) - 1);
        i128::from(self.count()) * length - offsets as i128
    }
}

/// Walks over the bins with changes that come in the order of time.
#[derive(Clone, Copy, Debug, Default)]
pub struct BinCursor {
    bin: usize,
    start: u64,
}

impl BinCursor {
    /// The bin that `nanos` lies in, and how far from its start.
    #[inline(always)]
    fn place(&mut self, window: Window, nanos: u64) -> (usize, u64) {
        let length = window.bin().as_nanos();
        while nanos - self.start >= length {
            self.start += length;
            self.bin += 1;
        }
        (self.bin, nanos - self.start)
    }
}

/// One bin, added up: port-nanoseconds by state, and counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinRow {
    /// Port-nanoseconds of connections that are being set up.
    pub connecting: i128,
    /// Port-nanoseconds of established connections.
    pub established: i128,
    /// Port-nanoseconds of connections that are being closed.
    pub closing: i128,
    /// Port-nanoseconds of TIME-WAIT.
    pub time_wait: i128,
    /// Connections opened.
    pub opened: u64,
    /// Attempts blocked.
    pub blocked: u64,
}

impl Bins {
    fn new(window: Window) -> Self {
        Self { window, cells: vec![Bin::default(); window.bins()], stages: Vec::new() }
    }

    /// From now on answers and second FINs are told by themselves; so far they came with the opening and
    /// the first FIN.
    pub fn tell_stages(&mut self) {
        if self.stages.is_empty() {
            let at_once = |bin: &Bin| Stages { answered: bin.opened, second_fins: bin.closed };
            self.stages = self.cells.iter().map(at_once).collect();
        }
    }

    /// An attempt is answered, or given up, at `at` nanoseconds, in any order.
    pub fn answer(&mut self, at: u64) {
        if at < self.window.end() {
            let (bin, offset) = self.window.place(at);
            self.stages[bin].answered.add(offset);
        }
    }

    /// The other side's FIN comes at `at` nanoseconds, or is waited for no longer; in any order.
    pub fn second_fin(&mut self, at: u64) {
        if at < self.window.end() {
            let (bin, offset) = self.window.place(at);
            self.stages[bin].second_fins.add(offset);
        }
    }

    /// A connection that opened at `at` nanoseconds; `cursor` has seen no later one.
    #[inline(always)]
    pub fn open(&mut self, cursor: &mut BinCursor, at: u64) {
        let (bin, offset) = cursor.place(self.window, at);
        self.cells[bin].opened.add(offset);
    }

    /// A connection that is closed at `at` nanoseconds, in any order.
    #[inline(always)]
    pub fn close(&mut self, at: u64) {
        if at < self.window.end() {
            let (bin, offset) = self.window.place(at);
            self.cells[bin].closed.add(offset);
        }
    }

    /// A port that is free again at `at` nanoseconds; `cursor` has seen no later one.
    #[inline(always)]
    pub fn release(&mut self, cursor: &mut BinCursor, at: u64) {
        if at < self.window.end() {
            let (bin, offset) = cursor.place(self.window, at);
            self.cells[bin].released.add(offset);
        }
    }

    /// One of the connections that are opened at `at` nanoseconds is no attempt of that time.
    pub fn stand(&mut self, at: u64) {
        self.cells[self.window.place(at).0].standing += 1;
    }

    /// An attempt blocked at `at` nanoseconds.
    #[inline]
    pub fn block(&mut self, at: u64) {
        self.cells[self.window.place(at).0].blocked += 1;
    }

    fn merge(&mut self, other: &Self) {
        if !other.stages.is_empty() {
            self.tell_stages();
        }
        for (index, sum) in self.stages.iter_mut().enumerate() {
            let bin = &other.cells[index];
            let more = other.stages.get(index);
            sum.answered.merge(more.map_or(bin.opened, |more| more.answered));
            sum.second_fins.merge(more.map_or(bin.closed, |more| more.second_fins));
        }
        for (sum, more) in self.cells.iter_mut().zip(&other.cells) {
            sum.opened.merge(more.opened);
            sum.closed.merge(more.closed);
            sum.released.merge(more.released);
            sum.blocked += more.blocked;
            sum.standing += more.standing;
        }
    }

    /// The bins, added up.
    pub fn rows(&self) -> impl Iterator<Item = BinRow> {
        let mut levels = [Level::default(); 4];
        let mut start = 0_u64;
        self.cells.iter().enumerate().map(move |(index, bin)| {
            let end = self.window.bin_end(index);
            let length = i128::from(end - start);
            start = end;
            let at_once = Stages { answered: bin.opened, second_fins: bin.closed };
            let Stages { answered, second_fins } =
                self.stages.get(index).copied().unwrap_or(at_once);
            let [connecting, established, closing, time_wait] = &mut levels;
            BinRow {
                connecting: connecting.over(length, bin.opened, answered),
                established: established.over(length, answered, bin.closed),
                closing: closing.over(length, bin.closed, second_fins),
                time_wait: time_wait.over(length, second_fins, bin.released),
                opened: bin.opened.count() - bin.standing,
                blocked: bin.blocked,
            }
        })
    }
}

/// How many there are of something, from bin to bin.
#[derive(Clone, Copy, Default)]
struct Level(i128);

impl Level {
    /// Port-nanoseconds over a bin of `length` in which some come and some go.
    fn over(&mut self, length: i128, come: Changes, go: Changes) -> i128 {
        let area = self.0 * length + come.area(length) - go.area(length);
        self.0 += i128::from(come.count()) - i128::from(go.count());
        area
    }
}

/// The unit in which reuse intervals are counted: a power of two of nanoseconds, as small as lets a
/// whole run fit into 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReuseClock {
    shift: u32,
}

impl ReuseClock {
    /// The clock of a run that lasts until `window` ends.
    #[must_use]
    pub const fn new(window: Window) -> Self {
        let bits = 64 - window.end().leading_zeros();
        Self { shift: bits.saturating_sub(31) }
    }

    /// The moment `nanos` in units of this clock.
    #[inline]
    #[must_use]
    pub const fn ticks(self, nanos: u64) -> u32 {
        (nanos >> self.shift) as u32
    }

    /// Seconds in a unit.
    #[must_use]
    pub fn unit_s(self) -> f64 {
        (1_u64 << self.shift) as f64 * 1e-9
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::SimDuration;

    #[test]
    fn changes_over_days_do_not_overflow() {
        let day = 86_400_000_000_000;
        let mut changes = Changes::default();
        (0..1_000_000).for_each(|_| changes.add(day));
        changes.merge(changes);
        assert_eq!(changes.count(), 2_000_000);
        assert_eq!(changes.area(i128::from(day) + 1), 2_000_000);
    }

    proptest! {
        /// Law: the areas of all bins add up to the time that ports were held.
        #[test]
        fn bins_add_up_to_what_was_held(
            holds in prop::collection::vec((0_u64..10_000, 0_u64..9_000, 0_u64..9_000), 0..60),
        ) {
            let window = Window::new(SimDuration::ZERO, SimDuration::from_nanos(10_000));
            let mut bins = Bins::new(window);
            let (mut established, mut time_wait) = (0, 0);
            for &(open, life, wait) in &holds {
                // Each with cursors of its own: these holds come in any order.
                bins.open(&mut BinCursor::default(), open);
                bins.close(open + life);
                bins.release(&mut BinCursor::default(), open + life + wait);
                let (close, release) = (open + life, open + life + wait);
                established += i128::from(close.min(10_000) - open);
                time_wait += i128::from(release.min(10_000) - close.min(10_000));
            }
            let rows: Vec<BinRow> = bins.rows().collect();
            prop_assert_eq!(rows.iter().map(|row| row.established).sum::<i128>(), established);
            prop_assert_eq!(rows.iter().map(|row| row.time_wait).sum::<i128>(), time_wait);
            prop_assert!(rows.iter().all(|row| row.established >= 0 && row.time_wait >= 0));
            prop_assert_eq!(rows.iter().map(|row| row.opened).sum::<u64>(), holds.len() as u64);
        }
    }

    #[test]
    fn the_reuse_clock_is_as_fine_as_the_run_allows() {
        let clock =
            |secs| ReuseClock::new(Window::new(SimDuration::ZERO, SimDuration::from_secs(secs)));
        assert_eq!(clock(2).unit_s(), 1e-9);
        assert!(clock(600).unit_s() < 6e-7);
        assert!(u64::from(clock(86_400).ticks(86_400_000_000_000)) < 1 << 31);
    }
}
