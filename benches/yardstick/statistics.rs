//! What is counted on the way.

use hdrhistogram::Histogram;

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: f64 = 1e9;
/// Bins of the timeline.
pub const TIMELINE_BINS: u64 = 300;

/// What a run counted.
#[derive(Clone, Debug)]
pub struct Report {
    /// Attempts to connect.
    pub attempts: u64,
    /// Attempts that got a port.
    pub opened: u64,
    /// Attempts that found none.
    pub blocked: u64,
    /// Most ports in use at one moment, TIME-WAIT included.
    pub peak_in_use: u32,
    /// When the first attempt was blocked, in seconds.
    pub first_blocked_s: Option<f64>,
    /// Time-weighted mean of ports whose connection is established.
    pub mean_established: f64,
    /// Time-weighted mean of ports in TIME-WAIT.
    pub mean_time_wait: f64,
    /// 300 bins of equal length.
    pub timeline: Vec<Bin>,
    /// Ports looked at by an attempt, blocked or not.
    pub probes: Histogram<u64>,
    /// Microseconds from one opening to the next on the same port.
    pub reuse_interval_us: Histogram<u64>,
}

/// One bin of the timeline.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bin {
    /// Connections opened in the bin.
    pub opened: u64,
    /// Attempts blocked in the bin.
    pub blocked: u64,
    /// Integral of the ports whose connection is established, in port nanoseconds.
    pub established_ns: u64,
    /// Integral of the ports in TIME-WAIT, in port nanoseconds.
    pub time_wait_ns: u64,
}

/// What happened so far, brought up to date by every event.
pub struct Statistics {
    now: u64,
    end: u64,
    established: u32,
    time_wait: u32,
    attempts: u64,
    opened: u64,
    peak_in_use: u32,
    first_blocked: Option<u64>,
    timeline: Vec<Bin>,
    bin: usize,
    bin_end: u64,
    /// When each port was last opened.
    last_opened: Vec<Option<u64>>,
    probes: Histogram<u64>,
    reuse_interval_us: Histogram<u64>,
}

impl Statistics {
    /// Nothing yet, for a run that ends at `end`.
    pub fn new(ports: u32, end: u64) -> Self {
        let histogram = |max: u64| {
            Histogram::new_with_bounds(1, max.max(2), 3).expect("the bounds are in order")
        };
        Self {
            now: 0,
            end,
            established: 0,
            time_wait: 0,
            attempts: 0,
            opened: 0,
            peak_in_use: 0,
            first_blocked: None,
            timeline: vec![Bin::default(); TIMELINE_BINS as usize],
            bin: 0,
            bin_end: end / TIMELINE_BINS,
            last_opened: vec![None; ports as usize],
            probes: histogram(u64::from(ports)),
            reuse_interval_us: histogram(end / 1_000),
        }
    }

    /// Moves the clock: nothing changed between the last event and `now`.
    pub fn advance(&mut self, now: u64) {
        while now > self.bin_end && self.bin + 1 < self.timeline.len() {
            self.integrate(self.bin_end);
            self.bin += 1;
            self.bin_end =
                (self.end as u128 * (self.bin as u128 + 1) / TIMELINE_BINS as u128) as u64;
        }
        self.integrate(now);
    }

    fn integrate(&mut self, until: u64) {
        let span = until - self.now;
        let bin = &mut self.timeline[self.bin];
        bin.established_ns += span * u64::from(self.established);
        bin.time_wait_ns += span * u64::from(self.time_wait);
        self.now = until;
    }

    /// An attempt looked at `probes` ports.
    pub fn probed(&mut self, probes: u32) {
        self.attempts += 1;
        self.probes.saturating_record(u64::from(probes));
    }

    /// An attempt got `port`.
    pub fn opened(&mut self, port: u16) {
        self.opened += 1;
        self.timeline[self.bin].opened += 1;
        self.established += 1;
        self.peak_in_use = self.peak_in_use.max(self.established + self.time_wait);
        if let Some(before) = self.last_opened[usize::from(port)].replace(self.now) {
            self.reuse_interval_us.saturating_record((self.now - before) / 1_000);
        }
    }

    /// An attempt got none.
    pub fn blocked(&mut self) {
        self.timeline[self.bin].blocked += 1;
        self.first_blocked.get_or_insert(self.now);
    }

    /// A connection went to TIME-WAIT.
    pub fn closed(&mut self) {
        self.established -= 1;
        self.time_wait += 1;
    }

    /// A TIME-WAIT was over.
    pub fn released(&mut self) {
        self.time_wait -= 1;
    }

    /// The figures of the finished run.
    pub fn report(self) -> Report {
        let mean = |integral: fn(&Bin) -> u64| {
            self.timeline.iter().map(|bin| integral(bin) as f64).sum::<f64>() / self.end as f64
        };
        Report {
            attempts: self.attempts,
            opened: self.opened,
            blocked: self.attempts - self.opened,
            peak_in_use: self.peak_in_use,
            first_blocked_s: self.first_blocked.map(|time| time as f64 / NANOS_PER_SECOND),
            mean_established: mean(|bin| bin.established_ns),
            mean_time_wait: mean(|bin| bin.time_wait_ns),
            timeline: self.timeline,
            probes: self.probes,
            reuse_interval_us: self.reuse_interval_us,
        }
    }
}
