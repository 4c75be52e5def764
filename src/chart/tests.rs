//! What every chart promises, whatever it is given.

use hdrhistogram::Histogram;
use proptest::prelude::*;

use super::sample::{BURSTY, HOLDING, OVERLOAD, TINY, blank};
use super::*;
use crate::model::{PortRange, PortSet, SearchCost};
use crate::scenario::Scenario;
use crate::search::{Call, Curve};
use crate::stats::{
    Estimate, LimitFigures, Moments, Outcome, PortCell, PortMap, Spread, Timeline, TimelineRow,
};
use crate::theory::Expected;
use crate::units::{SimDuration, SimTime};

/// Width and height that a PNG's header names (RFC 2083 section 4.1.1).
fn size_of(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// What holds for every picture.
fn check(picture: &Picture) {
    assert_eq!(size_of(&picture.png).0, 1_800);
    assert!(picture.svg.starts_with("<svg width=\"900\" height=\""));
    assert!(picture.svg.contains(" viewBox=\"0 0 7200 "));
    assert!(picture.svg.len() < 300_000, "{} bytes", picture.svg.len());
    // Without the pixels of embedded images, in whose encoding anything may come.
    let words = picture.svg.split('"').filter(|part| !part.starts_with("data:"));
    let words: String = words.collect();
    for bad in ["NaN", "inf", ">\n-0\n<", "2147483647"] {
        assert!(!words.contains(bad), "{bad} in {words}");
    }
    let tree = resvg::usvg::Tree::from_str(&picture.svg, &resvg::usvg::Options::default());
    assert!(tree.is_ok(), "{tree:?}");
}

/// All charts of one result.
fn all(scenario: &Scenario, outcome: &Outcome, map: &PortMap) -> [Picture; 5] {
    let limit = &outcome.limits[0];
    [
        pressure(scenario, outcome, limit),
        blocking(&[(scenario, outcome)]),
        ports(scenario, map),
        reuse(scenario, outcome, limit),
        search(scenario, outcome, limit, &crate::search::curves(&scenario.world.hosts[0])),
    ]
}

/// A result in which nothing happened.
fn nothing(duration: SimDuration) -> (Outcome, PortMap) {
    let outcome = Outcome {
        seed: 0,
        replications: 1,
        partial: false,
        duration,
        warm_up: SimDuration::ZERO,
        stretches: Vec::new(),
        whole: blank(),
        clients: Vec::new(),
        limits: vec![LimitFigures {
            is_gateway: false,
            requests: Vec::new(),
            server: None,
            stretches: Vec::new(),
            name: "host".to_owned(),
            machines: 1,
            is_linux: true,
            search: None,
            figures: blank(),
            theory: Expected::default(),
            timeline: Timeline::default(),
        }],
        timeline: Timeline::default(),
    };
    let map = PortMap {
        host: String::new(),
        key: String::new(),
        ports: PortRange::new(1, 1).unwrap(),
        duration,
        columns: 0,
        rows: 0,
        cells: Vec::new(),
        outside: PortSet::default(),
        outside_cells: Vec::new(),
    };
    (outcome, map)
}

#[test]
fn a_result_gives_the_same_bytes_each_time() {
    let (scenario, (outcome, map)) = (TINY.scenario(), TINY.outcome());
    let (first, second) = (all(&scenario, &outcome, &map), all(&scenario, &outcome, &map));
    for (first, second) in first.iter().zip(&second) {
        check(first);
        assert_eq!((&first.svg, &first.png), (&second.svg, &second.png));
    }
}

#[test]
fn results_of_every_kind_are_drawn() {
    for sample in [OVERLOAD, HOLDING, BURSTY] {
        let (scenario, (outcome, map)) = (sample.scenario(), sample.outcome());
        all(&scenario, &outcome, &map).iter().for_each(check);
    }
}

#[test]
fn titles_say_what_was_found() {
    let (scenario, (outcome, map)) = (TINY.scenario(), TINY.outcome());
    let [pressure, blocking, ports, reuse, search] = all(&scenario, &outcome, &map);
    assert!(pressure.svg.contains("Runs dry after 40.2 s; 40 % of attempts refused"));
    assert!(blocking.svg.contains("tiny refuses 40 % at 1.24 erlangs a port"));
    assert!(ports.svg.contains("All of 5 ports taken at 38.4 s"));
    assert!(reuse.svg.contains("A port is used again after"));
    assert!(search.svg.contains("No client searches for a port"));
}

/// Two hosts, of which the second is the tighter and holds five ports.
fn two_hosts() -> (Scenario, Outcome) {
    let (mut scenario, mut outcome) = (TINY.scenario(), TINY.outcome().0);
    let (mut roomy, _) = HOLDING.outcome();
    roomy.limits[0].name = "roomy".to_owned();
    outcome.limits.insert(0, roomy.limits.remove(0));
    let mut host = scenario.world.hosts[0].clone();
    host.name = "roomy".to_owned();
    scenario.world.hosts.insert(0, host);
    (scenario, outcome)
}

#[test]
fn of_several_hosts_each_is_drawn_with_its_own_ceiling_and_refusals() {
    let (scenario, outcome) = two_hosts();
    assert_eq!(outcome.tightest().map(|limit| limit.name.as_str()), Some("crawler"));
    let [roomy, tight] = [0, 1].map(|host| pressure(&scenario, &outcome, &outcome.limits[host]));
    check(&roomy);
    check(&tight);
    assert!(tight.svg.contains("crawler: runs dry after 40.2 s"));
    assert!(tight.svg.contains("the tightest of 2 hosts"));
    assert!(tight.svg.contains("capacity 5 ports"));
    assert!(roomy.svg.contains("roomy: holds: at most"));
    assert!(roomy.svg.contains("capacity 28,232 ports"));
    assert!(!roomy.svg.contains("first refusal"));
}

#[test]
fn states_are_in_the_legend_when_they_hold_a_port() {
    let (scenario, (mut outcome, _)) = (TINY.scenario(), TINY.outcome());
    let shown = |outcome: &Outcome| {
        let svg = pressure(&scenario, outcome, &outcome.limits[0]).svg;
        ["established", "connecting", "half-closed", "TIME-WAIT"].map(|state| svg.contains(state))
    };
    assert_eq!(shown(&outcome), [true, false, false, true]);
    outcome.limits[0].timeline.rows[7].connecting = Spread { mean: 1.0, min: 0.0, max: 2.0 };
    assert_eq!(shown(&outcome), [true, true, false, true]);
    outcome.limits[0].timeline.rows[7].closing.mean = 0.5;
    assert_eq!(shown(&outcome), [true; 4]);
}

#[test]
fn a_peak_that_the_means_smooth_away_is_told() {
    let (scenario, (mut outcome, _)) = (HOLDING.scenario(), HOLDING.outcome());
    let shown = |outcome: &Outcome| pressure(&scenario, outcome, &outcome.limits[0]).svg;
    assert!(!shown(&outcome).contains("most at one moment"));
    assert!(shown(&outcome).contains("means over 2 s"));
    outcome.limits[0].figures.peak_in_use = 27_000;
    assert!(shown(&outcome).contains("most at one moment: 27,000"));
    outcome.limits[0].figures.peak_in_use = 28_232;
    assert!(shown(&outcome).contains("capacity 28,232 ports, reached between the points"));
    outcome.limits[0].machines = 2;
    assert!(!shown(&outcome).contains("reached between"));
}

#[test]
fn a_result_of_nothing_is_a_chart_that_says_so() {
    let scenario = TINY.scenario();
    for duration in [SimDuration::ZERO, SimDuration::from_secs(1), SimDuration::FOREVER] {
        let (outcome, map) = nothing(duration);
        let [pressure, blocking, ports, reuse, search] = all(&scenario, &outcome, &map);
        [&pressure, &blocking, &ports, &reuse, &search].into_iter().for_each(check);
        assert!(pressure.svg.contains("no timeline was recorded"));
        assert!(blocking.svg.contains("no scenario has a load in erlangs"));
        assert!(ports.svg.contains("no port was watched"));
        assert!(reuse.svg.contains("no port was used twice"));
        assert!(search.svg.contains("nothing is searched"));
    }
    check(&super::blocking(&[]));
}

#[test]
fn names_are_shown_as_they_are_whatever_is_in_them() {
    let (outcome, map) = nothing(SimDuration::from_secs(1));
    let mut scenario = TINY.scenario();
    for name in
        ["<&>\"'", "порт 端口 🦀", "a\u{0}\u{7}b\nc", &"long ".repeat(300), &"x".repeat(3_000)]
    {
        scenario.name = name.to_owned();
        scenario.title = name.to_owned();
        all(&scenario, &outcome, &map).iter().for_each(check);
    }
}

/// Twenty-six limits, many of them at the same load, and one far beyond the axis.
fn crowd() -> Vec<(Scenario, Outcome)> {
    let one = |index: u32| {
        let load = [0.6, 0.98, 1.0, 1.02, 1.3, 7.5][index as usize % 6] + f64::from(index) * 0.002;
        let (ports, mean) = ([50, 16_384, 28_232][index as usize % 3], (1.0 - 1.0 / load).max(0.0));
        let mut figures = blank();
        (figures.num_ephemeral, figures.capacity) = (ports, ports);
        figures.blocking_ratio = Estimate { mean, lo: mean * 0.9, hi: mean * 1.1 };
        let theory = Expected {
            offered_load_erl: Some(load * ports as f64),
            erlang_b: Some(mean),
            ..Expected::default()
        };
        let (mut outcome, _) = nothing(SimDuration::from_secs(600));
        outcome.limits = vec![LimitFigures { figures, theory, ..outcome.limits[0].clone() }];
        let mut scenario = TINY.scenario();
        scenario.name = format!("scenario-number-{index}-with-quite-a-long-name");
        (scenario, outcome)
    };
    (0..138).map(one).collect()
}

#[test]
fn many_scenarios_share_one_chart() {
    let runs = crowd();
    let runs: Vec<_> = runs.iter().map(|(scenario, outcome)| (scenario, outcome)).collect();
    let picture = blocking(&runs);
    check(&picture);
    assert!(picture.svg.contains("and 58 more"));
    assert!(picture.svg.contains(" → 7.5"));
    assert!(picture.svg.contains(" of 138 scenarios refuse attempts: "));
}

/// A few rows of whatever numbers.
fn any_timeline() -> impl Strategy<Value = (Timeline, u64)> {
    let spread = prop_oneof![Just(0.0), 0.0..10.0, 0.0..6e7, Just(f64::NAN),]
        .prop_map(|mean| Spread { mean, min: mean * 0.9, max: mean * 1.2 });
    let rows = prop::collection::vec(prop::array::uniform7(spread), 0..500);
    let capacity = prop_oneof![Just(0), Just(1), 1u64..70_000, Just(60_000_000)];
    // A bin of a microsecond to one of a day.
    (rows, capacity, 3u32..14).prop_map(|(rows, capacity, power)| {
        let bin = 10u64.pow(power);
        let row = |(index, s): (usize, [Spread; 7])| TimelineRow {
            time: SimTime::from_nanos(bin * index as u64),
            opened: s[0],
            blocked: s[1],
            connecting: s[2],
            established: s[3],
            closing: s[4],
            time_wait: s[5],
            free: s[6],
        };
        let length = bin * rows.len() as u64;
        let rows = rows.into_iter().enumerate().map(row).collect();
        (Timeline { bin: SimDuration::from_nanos(bin), rows, capacity }, length)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn any_timeline_makes_a_pressure_chart(
        (timeline, nanos) in any_timeline(),
        replications in 1u32..30,
        moments in prop::option::of((0.0..1.0f64, 0.0..1.0f64)),
        warm_up in 0.0..1.0f64,
        ratio in 0.0..1.0f64,
    ) {
        let (mut outcome, _) = nothing(SimDuration::from_nanos(nanos));
        let length = outcome.duration.as_secs_f64();
        outcome.warm_up = SimDuration::from_secs_f64(length * warm_up);
        outcome.limits[0].timeline = timeline;
        outcome.replications = replications;
        outcome.limits[0].figures.first_blocked = moments.map(|(at, share)| Moments {
            median: at * length,
            lo: at * length,
            hi: length,
            earliest: at * length * 0.9,
            latest: length,
            share_of_replications: share,
        });
        outcome.limits[0].figures.blocking_ratio.mean = ratio;
        check(&pressure(&TINY.scenario(), &outcome, &outcome.limits[0]));
    }

    #[test]
    fn any_histogram_makes_a_reuse_chart(
        values in prop::collection::vec(0u64..u64::MAX / 4, 0..20),
        power in 0u32..60,
        scale in prop_oneof![Just(1e-9), Just(1e-6), Just(1.0)],
        hold in 0u64..100_000,
    ) {
        let mut histogram = Histogram::new(3).unwrap();
        for value in values {
            histogram.record(value >> power).unwrap();
        }
        let (mut outcome, _) = nothing(SimDuration::from_secs(1));
        let intervals = &mut outcome.limits[0].figures.reuse_interval;
        intervals.p50 = histogram.value_at_quantile(0.5) as f64 * scale;
        intervals.p99 = histogram.value_at_quantile(0.99) as f64 * scale;
        (intervals.histogram, intervals.scale) = (histogram, scale);
        let mut scenario = TINY.scenario();
        scenario.world.hosts[0].time_wait = SimDuration::from_millis(hold);
        check(&reuse(&scenario, &outcome, &outcome.limits[0]));
    }

    #[test]
    fn any_curve_makes_a_search_chart(
        parts in prop::collection::vec(prop_oneof![Just(0.0), 1.0..70_000.0f64], 0..300),
        refusal in prop::option::of(0.0..70_000.0f64),
        (bound, reuse_address) in any::<(bool, bool)>(),
        cost in prop::option::of((0u64..1_000_000, 0u64..100_000)),
        held in prop_oneof![Just(f64::NAN), 0.0..1.5f64],
        probes in prop::collection::vec(1u64..70_000, 0..20),
    ) {
        let (mut outcome, _) = nothing(SimDuration::from_secs(1));
        let mut scenario = TINY.scenario();
        scenario.world.hosts[0].name = outcome.limits[0].name.clone();
        scenario.world.hosts[0].search_cost = cost.map(|(connect, probe)| SearchCost {
            connect: SimDuration::from_nanos(connect),
            probe: SimDuration::from_nanos(probe),
        });
        let figures = &mut outcome.limits[0].figures;
        figures.utilisation.mean = held;
        probes.iter().for_each(|&value| figures.probes.histogram.record(value).unwrap());
        figures.probes.scale = 1.0;
        figures.probes.p99 = figures.probes.histogram.max() as f64;
        // The more is held, the longer a search: a curve that leapt up and down would be all ink.
        let mut parts = parts;
        parts.sort_by(f64::total_cmp);
        let call = Call { bound, reuse_address, port_range: None };
        let curves = vec![Curve { call, parts, refusal }; 5];
        check(&search(&scenario, &outcome, &outcome.limits[0], &curves));
    }

    #[test]
    fn any_map_makes_a_ports_chart(
        columns in 0usize..900,
        rows in 0usize..500,
        (min, more) in (1u16..60_000, 0u16..5_000),
        shares in prop::array::uniform3(prop_oneof![Just(0.0f32), Just(1.0), Just(f32::NAN), 0.0..2.0f32]),
    ) {
        let (_, mut map) = nothing(SimDuration::from_secs(100));
        map.ports = PortRange::new(min, min + more).unwrap();
        (map.columns, map.rows) = (columns, rows);
        let [established, time_wait, lost] = shares;
        map.cells = vec![PortCell { held: [0.0, established, 0.0, time_wait], lost }; columns * rows];
        check(&ports(&TINY.scenario(), &map));
    }

    #[test]
    fn any_load_makes_a_blocking_chart(
        limits in prop::collection::vec((0u64..100_000, 0u32..20, 0.0..1e9f64, 0.0..1.0f64), 0..8),
    ) {
        let (mut outcome, _) = nothing(SimDuration::from_secs(1));
        for (capacity, machines, load, mean) in limits {
            let mut figures = blank();
            (figures.num_ephemeral, figures.capacity) = (capacity, capacity * u64::from(machines));
            figures.blocking_ratio = Estimate { mean, lo: mean / 2.0, hi: mean * 2.0 };
            let theory = Expected { offered_load_erl: Some(load), ..Expected::default() };
            let host = outcome.limits[0].clone();
            outcome.limits.push(LimitFigures { machines, figures, theory, ..host });
        }
        check(&blocking(&[(&TINY.scenario(), &outcome)]));
    }
}
