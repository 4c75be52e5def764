//! Every survey makes a scenario, and a run of that has what was seen.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{Arrivals, Start};
use crate::replicate::{Unwatched, replicate};
use crate::traffic::FlowSurvey;

fn there(number: u32) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from(0x0a00_0500 + number), 443))
}

fn flow(source: u32, number: u32, opened: u64, millis: &[u64]) -> FlowSurvey {
    let mut flow =
        FlowSurvey::new(IpAddr::from(Ipv4Addr::from(0x0a00_0001 + source)), there(number));
    flow.opened = opened;
    millis.iter().for_each(|&millis| flow.lifetimes.record(Duration::from_millis(millis)));
    flow
}

fn survey(flows: Vec<FlowSurvey>) -> Survey {
    let mut addresses: Vec<IpAddr> = flows.iter().map(|flow| flow.source).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let host = HostSurvey {
        name: "proxy".to_owned(),
        preset: "linux".to_owned(),
        keys: Vec::new(),
        addresses,
        flows,
    };
    Survey {
        title: "What was seen".to_owned(),
        notes: vec!["From a test.".to_owned()],
        seconds: 60.0,
        hosts: vec![host],
    }
}

#[track_caller]
fn scenario(survey: &Survey) -> Scenario {
    let text = text(survey);
    assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{text}");
    for (above, line) in text.lines().zip(text.lines().skip(1)) {
        let apart = !line.starts_with('[') || above.is_empty() || above.starts_with('#');
        assert!(apart, "no blank line above {line}\n{text}");
    }
    let read = scenario::parse("survey", "survey.toml", &text, &[]);
    let scenario = read.unwrap_or_else(|problems| panic!("{}\n{text}", problems.render(false)));
    assert!(scenario.warnings.is_empty(), "{}\n{text}", scenario.warnings.render(false));
    scenario
}

/// 12,000 connections in a minute, 0.1 to 0.4 s long, three quarters of them closed here, hold
/// 200 / s * (0.25 s + 0.75 * 61.024 s) = 9,203.6 ports.
#[test]
fn a_run_has_the_rates_and_lifetimes_that_were_seen() {
    let mut seen = flow(0, 0, 12_000, &[100, 200, 300, 400]);
    seen.ends = Ends { client: 9_000, server: 3_000, ..Ends::default() };
    let scenario = scenario(&survey(vec![seen]));
    assert_eq!(scenario.settings.start, Start::Stationary);
    let outcome = replicate(&scenario.world, &scenario.settings, &Unwatched).unwrap();
    let whole = &outcome.whole;
    let per_run = whole.attempts as f64 / f64::from(outcome.replications);
    // 120,000 a run, twenty runs: the standard error is 77.
    assert!((per_run - 120_000.0).abs() < 310.0, "{per_run}");
    let in_use = whole.mean_in_use;
    assert!(in_use.lo - 1.0 < 9_203.6 && 9_203.6 < in_use.hi + 1.0, "{in_use:?}");
    let time_wait = whole.mean_time_wait;
    let meant = 200.0 * 0.75 * 61.024;
    assert!(time_wait.lo - 1.0 < meant && meant < time_wait.hi + 1.0, "{time_wait:?}");
}

#[test]
fn what_does_not_answer_and_what_stands_start_from_empty() {
    let mut seen = flow(0, 0, 600, &[100]);
    seen.ends.unanswered = 60;
    seen.ends.client = 540;
    seen.standing = 500;
    let scenario = scenario(&survey(vec![seen]));
    assert_eq!(scenario.settings.start, Start::Empty);
    assert!(!scenario.settings.warm_up.is_zero());
    let clients = &scenario.world.hosts[0].clients;
    let rates: Vec<f64> = clients
        .iter()
        .filter_map(|client| match client.arrivals {
            Arrivals::Poisson { rate_per_s } => Some(rate_per_s),
            _ => None,
        })
        .collect();
    assert_eq!(rates, [9.0, 1.0]);
    let outcome = replicate(&scenario.world, &scenario.settings, &Unwatched).unwrap();
    let in_use = outcome.whole.mean_in_use.mean;
    // 500 held, 9 / s * (0.1 s + 61.024 s) = 550, 1 / s * 133.6 s = 134.
    assert!((in_use - 1_184.0).abs() < 12.0, "{in_use}");
}

#[test]
fn assumptions_are_said_in_comments() {
    let mut seen = flow(0, 0, 60, &[]);
    seen.lifetimes = Lifetimes::assumed(Duration::from_millis(1_500));
    let text = text(&survey(vec![seen]));
    assert!(text.contains("mean = \"1.5 s\""), "{text}");
    let unbroken = text.replace("\n# ", " ");
    assert!(unbroken.contains("exponential is an assumption"), "{text}");
    assert!(unbroken.contains("count as closed by the client"), "{text}");
}

#[test]
fn nothing_seen_is_told_without_a_panic() {
    let text = text(&survey(vec![]));
    assert!(text.starts_with("# From a test.\n"), "{text}");
}

prop_compose! {
    fn any_flow()(
        source in 0_u32..3,
        number in 0_u32..60,
        opened in 1_u64..100_000,
        millis in prop::collection::vec(0_u64..100_000_000, 0..30),
        open in prop::collection::vec(0_u64..100_000_000, 0..3),
        ends in prop::array::uniform6(0_u64..1_000),
        standing in prop_oneof![Just(0), 1_u64..100_000],
        loopback in prop::bool::weighted(0.1),
        endpoints in prop_oneof![4 => Just(1_u32), 1 => 1_u32..100_000],
    ) -> FlowSurvey {
        let mut flow = flow(source, number, opened, &millis);
        open.iter().for_each(|&millis| flow.lifetimes.record_open(Duration::from_millis(millis)));
        let [client, server, reset, unanswered, half, unknown] = ends;
        flow.ends = Ends { client, server, reset, unanswered, half, unknown };
        (flow.standing, flow.loopback, flow.endpoints) = (standing, loopback, endpoints);
        flow
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_survey_makes_a_scenario(
        flows in prop::collection::vec(any_flow(), 1..80),
        title in ".{0,40}",
        note in ".{0,200}",
        split in any::<bool>(),
    ) {
        let mut survey = survey(flows);
        (survey.title, survey.notes) = (title, vec![note]);
        if split {
            let mut other = survey.hosts[0].clone();
            other.name = "10.0.0.9".to_owned();
            survey.hosts.push(other);
        }
        scenario(&survey);
    }
}
