//! Results to draw in tests: a coarse machine of its own, so that charts need no engine.

use hdrhistogram::Histogram;

use crate::model::{Host, PortRange, PortSet, Replications, RunSettings, World};
use crate::scenario::Scenario;
use crate::stats::{
    Estimate, Figures, LimitFigures, Moments, Outcome, PortCell, PortMap, Quantiles, Spread,
    Timeline, TimelineRow,
};
use crate::theory::Expected;
use crate::units::{SimDuration, SimTime};

/// What to make up: rates a second, spans in seconds.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    pub name: &'static str,
    pub ports: u16,
    pub rate: fn(f64) -> f64,
    pub mean_rate: f64,
    pub life: f64,
    pub time_wait: f64,
    pub duration: f64,
    pub replications: u32,
    pub bins: usize,
}

/// 400 a second into 16,384 ports that are held for a minute: freeze and resume.
pub(super) const OVERLOAD: Sample = Sample {
    name: "sixteen-k",
    ports: 16_384,
    rate: |_| 400.0,
    mean_rate: 400.0,
    life: 0.05,
    time_wait: 60.0,
    duration: 300.0,
    replications: 8,
    bins: 300,
};

/// 280 a second into Linux's default range: it holds.
pub(super) const HOLDING: Sample = Sample {
    name: "holds",
    ports: 28_232,
    rate: |_| 280.0,
    mean_rate: 280.0,
    life: 2.0,
    duration: 600.0,
    ..OVERLOAD
};

/// A burst of 20 s every two minutes.
pub(super) const BURSTY: Sample = Sample {
    name: "bursty",
    rate: |t| if t % 120.0 < 20.0 { 900.0 } else { 120.0 },
    mean_rate: 250.0,
    life: 5.0,
    duration: 900.0,
    ..OVERLOAD
};

/// Five ports.
pub(super) const TINY: Sample = Sample {
    name: "tiny",
    ports: 5,
    rate: |_| 0.1,
    mean_rate: 0.1,
    life: 1.0,
    duration: 240.0,
    replications: 1,
    bins: 60,
    ..OVERLOAD
};

/// xorshift64: the same numbers for the same seed, everywhere.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What one replication leaves behind.
#[derive(Default)]
struct History {
    rows: Vec<[f64; 4]>,
    first: Option<f64>,
    last: Option<f64>,
    attempts: u64,
    blocked: u64,
    peak: u64,
    intervals: Vec<u64>,
    cells: Vec<PortCell>,
}

const COLUMNS: usize = 400;

impl Sample {
    fn map_rows(self) -> usize {
        usize::from(self.ports).min(256)
    }

    fn replicate(self, seed: u64) -> History {
        let mut noise = Noise(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let ports = usize::from(self.ports);
        let phase = noise.next() * 2.048;
        let (mut free_at, mut dead_at) = (vec![0.0f64; ports], vec![0.0f64; ports]);
        let mut opened_at = vec![f64::NAN; ports];
        let mut offset = (noise.next() * ports as f64) as usize & !1;
        let mut history = History::default();
        history.cells.resize(COLUMNS * self.map_rows(), PortCell::default());
        let step = self.duration / self.bins as f64;
        let (mut t, mut full_until) = (0.0, 0.0);
        for bin in 0..self.bins {
            let end = step * (bin + 1) as f64;
            let (mut opened, mut blocked) = (0.0, 0.0);
            while t < end {
                history.attempts += 1;
                let found = (t >= full_until)
                    .then(|| {
                        (0..2 * ports).map(|k| pick(offset, k, ports)).find(|&p| free_at[p] <= t)
                    })
                    .flatten();
                if let Some(port) = found {
                    opened += 1.0;
                    offset = (port + 2) % ports;
                    if opened_at[port].is_finite() {
                        history.intervals.push(((t - opened_at[port]) * 1e6) as u64);
                    }
                    opened_at[port] = t;
                    dead_at[port] = t - self.life * (1.0 - noise.next()).ln();
                    let due = dead_at[port] + self.time_wait - phase;
                    free_at[port] = (due / 2.048).ceil() * 2.048 + phase;
                    self.mark(&mut history.cells, port, [t, dead_at[port], free_at[port]]);
                } else {
                    if t >= full_until {
                        full_until = free_at.iter().copied().fold(f64::INFINITY, f64::min);
                    }
                    blocked += 1.0;
                    history.blocked += 1;
                    history.first.get_or_insert(t);
                    history.last = Some(t);
                }
                t -= (1.0 - noise.next()).ln() / (self.rate)(t);
            }
            let live = dead_at.iter().filter(|&&dead| dead > end).count();
            let held = free_at.iter().filter(|&&free| free > end).count();
            history.peak = history.peak.max(held as u64);
            history.rows.push([opened, blocked, live as f64, (held - live) as f64]);
        }
        history
    }

    fn mark(self, cells: &mut [PortCell], port: usize, [open, dead, free]: [f64; 3]) {
        let rows = self.map_rows();
        let row = port * rows / usize::from(self.ports);
        let first_of = |row: usize| (row * usize::from(self.ports)).div_ceil(rows);
        let weight = first_of(row + 1) - first_of(row);
        let width = self.duration / COLUMNS as f64;
        let (from, to) = ((open / width) as usize, (free / width).ceil() as usize);
        for column in from..to.min(COLUMNS) {
            let (start, end) = (column as f64 * width, (column + 1) as f64 * width);
            let share = |a: f64, b: f64| {
                ((b.min(end) - a.max(start)).max(0.0) / width / weight as f64) as f32
            };
            let cell = &mut cells[row * COLUMNS + column];
            cell.held[1] += share(open, dead);
            cell.held[3] += share(dead, free);
        }
    }

    /// The scenario that could have led to it.
    pub(super) fn scenario(self) -> Scenario {
        let host = Host {
            ports: PortRange::new(u16::MAX - (self.ports - 1), u16::MAX).unwrap(),
            time_wait: SimDuration::from_secs_f64(self.time_wait),
            ..Host::linux("crawler")
        };
        Scenario {
            name: self.name.to_owned(),
            title: "A crawler that opens a connection for every page".to_owned(),
            asks: None,
            reported: None,
            prevented: None,
            source: None,
            world: World { destinations: Vec::new(), ..World::of(host) },
            settings: RunSettings {
                replications: Replications::Fixed(self.replications),
                ..RunSettings::of(SimDuration::from_secs_f64(self.duration))
            },
            warnings: crate::scenario::Problems::default(),
            text: Default::default(),
            expectations: Vec::new(),
        }
    }

    /// The result and one machine's ports.
    pub(super) fn outcome(self) -> (Outcome, PortMap) {
        let runs: Vec<History> =
            (0..self.replications).map(|index| self.replicate(u64::from(index) + 1)).collect();
        let capacity = u64::from(self.ports);
        let figures = self.figures(&runs, capacity);
        let load = self.mean_rate * (self.life + self.time_wait + 1.024);
        let theory = Expected {
            offered_load_erl: Some(load),
            erlang_b: Some((1.0 - capacity as f64 / load).max(0.0)),
            ..Expected::default()
        };
        let timeline = Timeline {
            bin: SimDuration::from_secs_f64(self.duration / self.bins as f64),
            rows: (0..self.bins).map(|bin| self.row(&runs, bin)).collect(),
            capacity,
        };
        let outcome = Outcome {
            seed: 1,
            replications: self.replications,
            partial: false,
            duration: SimDuration::from_secs_f64(self.duration),
            warm_up: SimDuration::ZERO,
            stretches: Vec::new(),
            whole: figures.clone(),
            clients: Vec::new(),
            limits: vec![LimitFigures {
                is_gateway: false,
                requests: Vec::new(),
                server: None,
                stretches: Vec::new(),
                name: "crawler".to_owned(),
                machines: 1,
                is_linux: true,
                search: None,
                figures,
                theory,
                timeline: timeline.clone(),
            }],
            timeline,
        };
        let map = PortMap {
            host: "crawler".to_owned(),
            key: "10.0.0.1 -> api".to_owned(),
            ports: PortRange::new(u16::MAX - (self.ports - 1), u16::MAX).unwrap(),
            duration: outcome.duration,
            columns: COLUMNS,
            rows: self.map_rows(),
            cells: runs[0].cells.clone(),
            outside: PortSet::default(),
            outside_cells: Vec::new(),
        };
        (outcome, map)
    }

    fn row(self, runs: &[History], bin: usize) -> TimelineRow {
        let spread = |value: fn(&[f64; 4]) -> f64| {
            let values = runs.iter().map(|run| value(&run.rows[bin]));
            Spread {
                mean: values.clone().sum::<f64>() / runs.len() as f64,
                min: values.clone().fold(f64::INFINITY, f64::min),
                max: values.fold(0.0, f64::max),
            }
        };
        let (capacity, used) = (f64::from(self.ports), spread(|row| row[2] + row[3]));
        TimelineRow {
            time: SimTime::from_nanos((self.duration / self.bins as f64 * bin as f64 * 1e9) as u64),
            opened: spread(|row| row[0]),
            blocked: spread(|row| row[1]),
            established: spread(|row| row[2]),
            time_wait: spread(|row| row[3]),
            free: Spread {
                mean: capacity - used.mean,
                min: capacity - used.max,
                max: capacity - used.min,
            },
            ..TimelineRow::default()
        }
    }

    fn figures(self, runs: &[History], capacity: u64) -> Figures {
        let ratios: Vec<f64> =
            runs.iter().map(|run| run.blocked as f64 / run.attempts.max(1) as f64).collect();
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        let estimate = |mean: f64| Estimate { mean, lo: mean * 0.97, hi: mean * 1.03 };
        let mut histogram = Histogram::new(3).unwrap();
        for &interval in runs.iter().flat_map(|run| &run.intervals) {
            histogram.record(interval).unwrap();
        }
        Figures {
            attempts: runs.iter().map(|run| run.attempts).sum(),
            opened: runs.iter().map(|run| run.attempts - run.blocked).sum(),
            blocked: runs.iter().map(|run| run.blocked).sum(),
            refused: [runs.iter().map(|run| run.blocked).sum(), 0, 0, 0, 0],
            blocking_ratio: estimate(mean),
            first_blocked: moments(runs.iter().map(|run| run.first)),
            recovered: moments(runs.iter().map(|run| run.last)),
            peak_in_use: runs.iter().map(|run| run.peak).max().unwrap_or(0),
            num_ephemeral: capacity,
            capacity,
            reuse_interval: quantiles(histogram),
            ..blank()
        }
    }
}

/// Linux's walk as far as a chart can show it: every other port, then those between.
fn pick(offset: usize, k: usize, ports: usize) -> usize {
    (offset + 2 * k + usize::from(2 * k >= ports)) % ports
}

fn moments(times: impl Iterator<Item = Option<f64>>) -> Option<Moments> {
    let all: Vec<Option<f64>> = times.collect();
    let mut some: Vec<f64> = all.iter().flatten().copied().collect();
    some.sort_by(f64::total_cmp);
    let (&earliest, &latest) = (some.first()?, some.last()?);
    Some(Moments {
        median: some[some.len() / 2],
        lo: earliest,
        hi: latest,
        earliest,
        latest,
        share_of_replications: some.len() as f64 / all.len() as f64,
    })
}

fn quantiles(histogram: Histogram<u64>) -> Quantiles {
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 * 1e-6;
    Quantiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: histogram.max() as f64 * 1e-6,
        histogram,
        scale: 1e-6,
    }
}

/// Figures of nothing at all.
pub(super) fn blank() -> Figures {
    Figures {
        attempts: 0,
        opened: 0,
        refused: Default::default(),
        unanswered: 0,
        late: 0,
        cut_off: 0,
        blocked: 0,
        blocking_ratio: Estimate::default(),
        timed_out_ratio: Estimate::default(),
        late_ratio: Estimate::default(),
        first_blocked: None,
        recovered: None,
        blocked_time_share: Estimate::default(),
        episodes: Estimate::default(),
        longest_episode: SimDuration::ZERO,
        mean_episode: SimDuration::ZERO,
        peak_in_use: 0,
        mean_in_use: Estimate::default(),
        mean_connecting: Estimate::default(),
        mean_established: Estimate::default(),
        mean_closing: Estimate::default(),
        mean_time_wait: Estimate::default(),
        num_ephemeral: 0,
        capacity: 0,
        utilisation: Estimate::default(),
        probes: quantiles(Histogram::new(3).unwrap()),
        reuse_interval: quantiles(Histogram::new(3).unwrap()),
        requests: None,
    }
}
