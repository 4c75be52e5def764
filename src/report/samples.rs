//! Outcomes made by hand, for the tests of reports.

use hdrhistogram::Histogram;

use crate::model::{
    Client, Destination, Distribution, Host, PortRange, RunSettings, SearchCost, World,
};
use crate::scenario::{Bound, Expectation, Scenario, Scope};
use crate::stats::{
    ClientFigures, Estimate, Figures, LimitFigures, Metric, Moments, Outcome, Quantiles,
    SearchTime, Spread, Timeline, TimelineRow,
};
use crate::theory::Expected;
use crate::units::{SimDuration, SimTime};

/// 400 connections a second into the dynamic range: runs dry after 41 s.
pub(crate) fn overloaded() -> (Scenario, Outcome) {
    let scenario = scenario();
    let figures = figures();
    let outcome = Outcome {
        seed: 1,
        replications: 20,
        partial: false,
        duration: scenario.settings.duration,
        warm_up: SimDuration::ZERO,
        stretches: Vec::new(),
        whole: figures.clone(),
        clients: vec![ClientFigures {
            name: "fetcher".into(),
            host: "crawler".into(),
            is_linux: true,
            figures: Figures {
                probes: no_quantiles(),
                reuse_interval: no_quantiles(),
                ..figures.clone()
            },
        }],
        limits: vec![LimitFigures {
            is_gateway: false,
            requests: Vec::new(),
            server: None,
            stretches: Vec::new(),
            name: "crawler".into(),
            machines: 1,
            is_linux: true,
            search: None,
            figures,
            theory: Expected {
                mean_hold_s: Some(61.224),
                offered_load_erl: Some(24_489.6),
                erlang_b: Some(0.331),
                engset: None,
                sustainable_rate_per_s: Some(267.6),
                safe_rate_per_s: Some(257.2),
                offered_rate_per_s: Some(400.0),
                fill_time_s: Some(40.96),
                leak: None,
            },
            timeline: timeline(),
        }],
        timeline: timeline(),
    };
    (scenario, outcome)
}

/// The same world at a rate that holds.
pub(crate) fn holding() -> (Scenario, Outcome) {
    let (scenario, mut outcome) = overloaded();
    for figures in
        [&mut outcome.whole, &mut outcome.clients[0].figures, &mut outcome.limits[0].figures]
    {
        figures.opened = figures.attempts;
        figures.blocked = 0;
        figures.refused = Default::default();
        figures.blocking_ratio = Estimate::default();
        figures.first_blocked = None;
        figures.recovered = None;
        figures.peak_in_use = 9_994;
    }
    (scenario, outcome)
}

/// As measured on one machine with Linux 6.18.
pub(crate) fn search_cost() -> SearchCost {
    SearchCost { connect: SimDuration::from_nanos(14_000), probe: SimDuration::from_nanos(70) }
}

/// Says what the searching took that `outcome` counted.
pub(crate) fn give_search_cost(outcome: &mut Outcome) {
    for limit in &mut outcome.limits {
        limit.search = SearchTime::of(search_cost(), &limit.figures, 12_000.0);
    }
}

fn scenario() -> Scenario {
    let exponential = Distribution::Exponential { mean: SimDuration::from_millis(200) };
    Scenario {
        name: "crawler".into(),
        title: "A crawler that opens a connection for every page".into(),
        asks: None,
        reported: None,
        prevented: None,
        source: None,
        world: World {
            hosts: vec![Host {
                ports: PortRange::IANA_DYNAMIC,
                clients: vec![Client::poisson("fetcher", 400.0, exponential)],
                ..Host::linux("crawler")
            }],
            destinations: vec![Destination::new("api")],
            gateways: Vec::new(),
            changes: Vec::new(),
        },
        settings: RunSettings::of(SimDuration::from_secs(600)),
        expectations: vec![Expectation {
            scope: Scope::Whole,
            metric: Metric::named("blocking_ratio").unwrap(),
            bound: Bound::Within { min: None, max: Some(0.25) },
        }],
        warnings: crate::scenario::Problems::default(),
        text: Default::default(),
    }
}

fn figures() -> Figures {
    Figures {
        attempts: 4_800_000,
        opened: 3_215_000,
        refused: [1_585_000, 0, 0, 0, 0],
        unanswered: 0,
        late: 0,
        cut_off: 0,
        blocked: 1_585_000,
        timed_out_ratio: Estimate::default(),
        late_ratio: Estimate::default(),
        blocking_ratio: Estimate { mean: 0.330_2, lo: 0.329_4, hi: 0.331 },
        first_blocked: Some(Moments {
            median: 41.0,
            lo: 40.8,
            hi: 41.2,
            earliest: 40.5,
            latest: 41.6,
            share_of_replications: 1.0,
        }),
        recovered: Some(Moments {
            median: 599.2,
            lo: 598.9,
            hi: 599.4,
            earliest: 598.0,
            latest: 599.8,
            share_of_replications: 0.6,
        }),
        blocked_time_share: Estimate { mean: 0.31, lo: 0.3, hi: 0.32 },
        episodes: Estimate { mean: 12.5, lo: 11.0, hi: 14.0 },
        longest_episode: SimDuration::from_millis(20_500),
        mean_episode: SimDuration::from_millis(8_200),
        peak_in_use: 16_384,
        mean_in_use: Estimate { mean: 15_800.5, lo: 15_790.0, hi: 15_811.0 },
        mean_connecting: Estimate::default(),
        mean_established: Estimate { mean: 60.5, lo: 60.0, hi: 61.0 },
        mean_closing: Estimate::default(),
        mean_time_wait: Estimate { mean: 15_740.0, lo: 15_730.0, hi: 15_750.0 },
        num_ephemeral: 16_384,
        capacity: 16_384,
        utilisation: Estimate { mean: 0.964, lo: 0.963, hi: 0.965 },
        probes: quantiles([2.0, 9_000.0, 16_384.0, 16_384.0], 1.0),
        reuse_interval: quantiles([61.2, 62.4, 63.0, 71.5], 1e-6),
        requests: None,
    }
}

fn quantiles([p50, p90, p99, max]: [f64; 4], scale: f64) -> Quantiles {
    let mut histogram = Histogram::new(3).unwrap();
    for value in [p50, p90, p99, max] {
        histogram.record((value / scale) as u64).unwrap();
    }
    Quantiles { p50, p90, p99, max, histogram, scale }
}

fn no_quantiles() -> Quantiles {
    let histogram = Histogram::new(3).unwrap();
    Quantiles { p50: 0.0, p90: 0.0, p99: 0.0, max: 0.0, histogram, scale: 1.0 }
}

fn timeline() -> Timeline {
    let spread = |mean: f64| Spread { mean, min: mean - 1.0, max: mean + 1.5 };
    let row = |bin: u64| TimelineRow {
        time: SimTime::from_nanos(bin * 500_000_000),
        opened: spread(200.0),
        time_wait: spread(100.0 * bin as f64),
        ..TimelineRow::default()
    };
    Timeline {
        bin: SimDuration::from_millis(500),
        rows: (0..2).map(row).collect(),
        capacity: 16_384,
    }
}
