//! What a finished set of replications says: the figures that reports and charts are made of.

use hdrhistogram::Histogram;

use super::request_bins::RequestRow;
use crate::model::{FixedPort, Refusal};
use crate::theory::Expected;
use crate::units::{SimDuration, SimTime};

/// The result of all replications of one scenario.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The seed that, with the scenario, names this result.
    pub seed: u64,
    /// Replications that are in the figures.
    pub replications: u32,
    /// True when the run was interrupted before all its replications were done.
    pub partial: bool,
    /// Simulated length of one replication.
    pub duration: SimDuration,
    /// Start of the steady-state window; figures marked so leave out what came before.
    pub warm_up: SimDuration,
    /// Everything together.
    pub whole: Figures,
    /// One for each client, in the order of the scenario.
    pub clients: Vec<ClientFigures>,
    /// One for each limit on the path (each host's port range), in the order of the scenario.
    pub limits: Vec<LimitFigures>,
    /// Ports by state over time, everything together; hosts share no port, so where there are
    /// several this is a sum and no one's level.
    pub timeline: Timeline,
    /// What happened from each change of the world to the next, everything together; empty where nothing changes.
    pub stretches: Vec<StretchFigures>,
}

/// Figures of one client, summed over the machines it runs on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientFigures {
    /// The client's name.
    pub name: String,
    /// The name of the host it runs on.
    pub host: String,
    /// Does that run Linux, whose errors have names?
    pub is_linux: bool,
    /// Its figures.
    pub figures: Figures,
}

/// Figures of one limit, summed over its identical machines.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LimitFigures {
    /// The host's name.
    pub name: String,
    /// Is it a gateway? Then the name is that.
    pub is_gateway: bool,
    /// Identical machines.
    pub machines: u32,
    /// Do they run Linux, whose errors have names?
    pub is_linux: bool,
    /// Its figures.
    pub figures: Figures,
    /// What searching for ports took; `None` where nothing is known of what it costs.
    pub search: Option<SearchTime>,
    /// What the formulas say.
    pub theory: Expected,
    /// Its ports by state over time, all its machines together.
    pub timeline: Timeline,
    /// Its requests over time, likewise; empty where it makes none.
    pub requests: Vec<RequestRow>,
    /// What happened to it from each change of the world to the next; empty where nothing changes.
    pub stretches: Vec<StretchFigures>,
    /// What became of the server that wants a port of its own, if there is one.
    pub server: Option<ServerFigures>,
}

/// Figures of a server that wants a port of its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerFigures {
    /// The port, and when it starts.
    pub wants: FixedPort,
    /// Share of the machines on which the port is taken when it starts, one value a replication.
    pub refused: Estimate,
    /// Share of all machines on which it never gets it.
    pub never: f64,
    /// Seconds that it waits where it is refused and gets it, all replications together.
    pub waited: Quantiles,
}

impl Outcome {
    /// The limit that decides: the one with the highest blocking ratio; where none blocks, the one whose
    /// requests fail most often, and then the one that came closest to its capacity. `None` where there is no host.
    #[must_use]
    pub fn tightest(&self) -> Option<&LimitFigures> {
        // Of equals the first in the scenario; `max_by` would take the last.
        self.limits.iter().rev().max_by(|a, b| {
            let ratio = |limit: &LimitFigures| limit.figures.blocking_ratio.mean;
            let ever = |limit: &LimitFigures| limit.figures.first_blocked.is_some();
            let share = |limit| self.fullest(limit).share;
            let fullest = share(a).total_cmp(&share(b));
            let failed = |limit: &LimitFigures| {
                limit.figures.requests.as_ref().map_or(0.0, RequestFigures::failed_share)
            };
            let failed = failed(a).total_cmp(&failed(b));
            ratio(a).total_cmp(&ratio(b)).then(ever(a).cmp(&ever(b))).then(failed).then(fullest)
        })
    }
}

/// Who comes closest to what it may have: one client of a limit, or all together.
#[derive(Clone, Copy, Debug)]
pub struct Fullest<'a> {
    /// Whose figures these are; `None` of all together.
    pub client: Option<&'a str>,
    /// Most ports in use at one moment on one machine.
    pub peak_in_use: u64,
    /// Most connections that can hold a port at once on one machine.
    pub of_one_machine: u64,
    /// The one as a share of the other, 0 to 1.
    pub share: f64,
}

/// A client is named instead of its host when its share is this many times as high.
const HIDDEN: f64 = 1.2;

impl Outcome {
    /// Who comes closest to its capacity on this limit: a client whose destinations are nearly full beside
    /// many that are empty, else all together.
    #[must_use]
    pub fn fullest<'a>(&'a self, limit: &'a LimitFigures) -> Fullest<'a> {
        let of = |client, figures: &Figures| {
            let of_one_machine = figures.capacity / u64::from(limit.machines.max(1));
            let share = figures.peak_in_use as f64 / of_one_machine.max(1) as f64;
            let peak_in_use = figures.peak_in_use;
            Fullest { client, peak_in_use, of_one_machine, share }
        };
        let all = of(None, &limit.figures);
        let clients = self.clients.iter().filter(|client| client.host == limit.name);
        let clients = clients.map(|client| of(Some(client.name.as_str()), &client.figures));
        // Of equals the first in the scenario; `max_by` would take the last.
        let fullest = clients.rev().max_by(|a, b| a.share.total_cmp(&b.share));
        fullest.filter(|client| client.share > HIDDEN * all.share).unwrap_or(all)
    }
}

impl LimitFigures {
    /// Most connections that can hold a port at once on one machine.
    #[must_use]
    pub fn of_one_machine(&self) -> u64 {
        self.figures.capacity / u64::from(self.machines.max(1))
    }
}

/// Counts, means and spreads; "steady" ones leave the warm-up out.
///
/// Ports and connections are counted over all machines: `mean_in_use` of 10 machines that hold
/// 100 ports each is 1,000.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Figures {
    /// Attempts to connect, all replications together, steady.
    pub attempts: u64,
    /// Attempts that got a port, all replications together, steady.
    pub opened: u64,
    /// Attempts refused for want of a port, all replications together, steady.
    pub blocked: u64,
    /// The same by reason, in the order of [`Refusal::ALL`].
    pub refused: [u64; Refusal::ALL.len()],
    /// Attempts that got a port and were given up unanswered (ETIMEDOUT), all replications together,
    /// steady; they count as opened.
    pub unanswered: u64,
    /// Attempts that got a port and were answered at a SYN after the first, all replications together, steady;
    /// they count as opened.
    pub late: u64,
    /// Of a gateway: open connections whose entry it evicted for another, all replications together, steady.
    pub cut_off: u64,
    /// `blocked / attempts`, one value a replication, steady; 0 where nothing was attempted.
    pub blocking_ratio: Estimate,
    /// `unanswered / attempts`, likewise.
    pub timed_out_ratio: Estimate,
    /// `late / attempts`, likewise.
    pub late_ratio: Estimate,
    /// When the first attempt was blocked, from the very start (warm-up included).
    pub first_blocked: Option<Moments>,
    /// When the last episode of blocking ended; replications that were never blocked, or still
    /// were at the end, are left out.
    pub recovered: Option<Moments>,
    /// Share of the time in which no port was left, 0 to 1, mean over the (source, destination)
    /// pools, steady. For a client: that of its host.
    pub blocked_time_share: Estimate,
    /// Episodes of blocking (from a refusal to the next success of the same pool), a replication, steady.
    pub episodes: Estimate,
    /// Longest episode of any replication, steady.
    pub longest_episode: SimDuration,
    /// Mean length of the episodes of all replications, steady; zero where there is none.
    pub mean_episode: SimDuration,
    /// Most ports in use at one moment on one machine of any replication (a port used towards two
    /// destinations counts twice), from the very start.
    pub peak_in_use: u64,
    /// Time-weighted mean of connections that hold a port, TIME-WAIT included, steady.
    pub mean_in_use: Estimate,
    /// Time-weighted mean of ports whose connection is being set up (SYN-SENT), steady.
    pub mean_connecting: Estimate,
    /// Time-weighted mean of ports whose connection is established, steady.
    pub mean_established: Estimate,
    /// Time-weighted mean of ports whose connection is being closed (FIN-WAIT-2, CLOSE-WAIT), steady.
    pub mean_closing: Estimate,
    /// Time-weighted mean of ports in TIME-WAIT, steady.
    pub mean_time_wait: Estimate,
    /// Ports that can be chosen: the range without reserved ports and listeners. For a client, of
    /// its host; for the whole, summed over the hosts, one machine each.
    pub num_ephemeral: u64,
    /// Most connections that can hold a port at once: `num_ephemeral` for each reuse key, over
    /// all machines; of a client, for those keys that it can use.
    pub capacity: u64,
    /// `mean_in_use / capacity`, 0 to 1.
    pub utilisation: Estimate,
    /// Ports looked at by one attempt, blocked or not; steady. Empty for the figures of clients.
    pub probes: Quantiles,
    /// Seconds from one opening of a connection to the next on the same port and reuse key; steady.
    /// Empty for the figures of clients.
    pub reuse_interval: Quantiles,
    /// Requests over connections that are kept, or what is tried again; `None` where no client does either.
    pub requests: Option<RequestFigures>,
}

/// Figures of requests over connections that are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestFigures {
    /// Does any client keep connections for them? Else each is an attempt for a connection of its own.
    pub pooled: bool,
    /// Is any tried again when it fails?
    pub retries: bool,
    /// Requests that were made, all replications together, steady.
    pub made: u64,
    /// Tries after the first one, likewise.
    pub retried: u64,
    /// Requests that were answered, likewise.
    pub served: u64,
    /// Requests that failed, likewise: refused a port, never answered, or waited too long.
    pub failed: u64,
    /// Connections that were wanted for each request, one value a replication, steady.
    pub connections_per_request: Estimate,
    /// Time-weighted mean of idle connections, steady.
    pub mean_idle: Estimate,
    /// Seconds that an answered request waited for its connection; steady.
    pub waiting: Quantiles,
}

impl RequestFigures {
    /// Requests that failed, as a share of those made, 0 to 1.
    #[must_use]
    pub fn failed_share(&self) -> f64 {
        self.failed as f64 / self.made.max(1) as f64
    }
}

/// Figures of what happened between two changes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StretchFigures {
    /// From when on.
    pub from: SimTime,
    /// Until when.
    pub to: SimTime,
    /// What had changed then; nothing at the start.
    pub what: Option<String>,
    /// Most connections that can hold a port at once, over all machines.
    pub capacity: u64,
    /// Attempts to connect, all replications together, steady.
    pub attempts: u64,
    /// Attempts refused for want of a port, likewise.
    pub blocked: u64,
    /// Refused / attempts, one value a replication, steady.
    pub blocking_ratio: Estimate,
    /// Requests that were made, all replications together, steady.
    pub requests: u64,
    /// Requests that failed, likewise.
    pub failed: u64,
    /// Seconds from the change until nobody is refused any more and no request fails: zero where that never
    /// happened. Replications in which it still did when the next change came, or the end, are left out, and those
    /// in which less than a tenth of the stretch was left after it: they may not have got over it. `None` before
    /// the first change.
    pub recovered: Option<Moments>,
}

/// A mean over replications with its 95 % interval (Student's t).
///
/// With one replication there is no interval: `lo` and `hi` equal the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Mean over replications.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub lo: f64,
    /// Upper end of the 95 % interval.
    pub hi: f64,
}

/// A moment that some or all replications have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Median over the replications that have it, in seconds.
    pub median: f64,
    /// Lower end of the distribution-free 95 % interval of the median; the earliest when there
    /// are fewer than 6 replications.
    pub lo: f64,
    /// Upper end, likewise.
    pub hi: f64,
    /// The earliest of any replication, in seconds.
    pub earliest: f64,
    /// The latest of any replication, in seconds.
    pub latest: f64,
    /// Share of the replications that have it, 0 to 1.
    pub share_of_replications: f64,
}

/// A distribution's quantiles and its whole shape.
#[derive(Clone, Debug)]
pub struct Quantiles {
    /// Median.
    pub p50: f64,
    /// 90 % of the values are at most this.
    pub p90: f64,
    /// 99 % of the values are at most this.
    pub p99: f64,
    /// The largest value.
    pub max: f64,
    /// All replications together; one unit is `scale` of the figures above.
    pub histogram: Histogram<u64>,
    /// How many of the figures' units one unit of the histogram is (1e-6 for microseconds shown
    /// as seconds).
    pub scale: f64,
}

/// Time spent searching, by one attempt and by one machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchTime {
    /// Median over attempts, in seconds.
    pub p50: f64,
    /// 90 % of attempts take at most this, in seconds.
    pub p90: f64,
    /// 99 % of attempts take at most this, in seconds.
    pub p99: f64,
    /// The longest, in seconds.
    pub max: f64,
    /// Seconds of searching a second of the steady state on one machine: the share of one core.
    pub core_share: f64,
}

/// Ports by state over time: bins of equal length, the last one possibly shorter.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Length of a bin.
    pub bin: SimDuration,
    /// One row a bin.
    pub rows: Vec<TimelineRow>,
    /// Capacity over all machines: the ceiling of the ports in use.
    pub capacity: u64,
}

/// One bin of the timeline: what happened in it, mean and range over replications.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimelineRow {
    /// Start of the bin.
    pub time: SimTime,
    /// Connections opened in the bin.
    pub opened: Spread,
    /// Attempts blocked in the bin.
    pub blocked: Spread,
    /// Mean over the bin of ports whose connection is being set up.
    pub connecting: Spread,
    /// Mean over the bin of ports whose connection is established.
    pub established: Spread,
    /// Mean over the bin of ports whose connection is being closed.
    pub closing: Spread,
    /// Mean over the bin of ports in TIME-WAIT.
    pub time_wait: Spread,
    /// Mean over the bin of ports that are free (capacity less all the others).
    pub free: Spread,
}

/// Mean and range over replications.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Mean over replications.
    pub mean: f64,
    /// The least of any replication.
    pub min: f64,
    /// The most of any replication.
    pub max: f64,
}
