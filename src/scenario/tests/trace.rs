//! Attempts that were recorded.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::model::{Arrivals, Client, Distribution, Ending, TraceAttempt};
use crate::units::{SimDuration, SimTime};

/// A scenario whose client replays a record.
const REPLAY: &str = "[client.fetcher]\n\
                      arrivals = { process = \"trace\", file = \"attempts.csv\" }\n";

/// `scenario` and `record` beside each other on the disk.
fn saved(scenario: &str, record: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("attempts.csv"), record).unwrap();
    let path = directory.path().join("replay.toml");
    std::fs::write(&path, scenario).unwrap();
    (directory, path)
}

#[track_caller]
fn replayed(scenario: &str, record: &str) -> Scenario {
    let (_directory, path) = saved(scenario, record);
    load(&path, &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

fn client(scenario: &Scenario) -> &Client {
    &scenario.world.hosts[0].clients[0]
}

#[track_caller]
fn attempts(scenario: &Scenario) -> &[TraceAttempt] {
    let Arrivals::Trace(attempts) = &client(scenario).arrivals else { panic!("not a trace") };
    attempts
}

#[test]
fn a_record_of_times_alone_leaves_the_rest_to_the_client() {
    let text = format!("{REPLAY}lifetime = \"1 s\"\ncloses = \"server\"\n");
    let scenario = replayed(&text, "# measured\n\ntime\n0.5\n 0.5 \n\"700 ms\"\n1 s\n");
    let at: Vec<u64> =
        attempts(&scenario).iter().map(|one| one.at.as_nanos() / 1_000_000).collect();
    assert_eq!(at, [500, 500, 700, 1_000]);
    let bare =
        TraceAttempt { at: SimTime::START, lifetime: None, to: None, source: None, ending: None };
    assert!(attempts(&scenario).iter().all(|one| TraceAttempt { at: bare.at, ..*one } == bare));
    let second = SimDuration::from_secs(1);
    assert_eq!(client(&scenario).lifetime, Distribution::Constant(second));
    assert_eq!(client(&scenario).closes, [(Ending::Server, 1.0)]);
}

#[test]
fn what_was_recorded_is_the_law_of_the_client_too() {
    let text = format!("{REPLAY}[destination.web]\nendpoints = 2\n[destination.api]\n");
    let record = "time,destination,life,close\n0,api,0.25,client\n0.1,web/1,1 s,rst\n\
                  0.2,0,0.25,rst_server\n0.3,2,0,client\n";
    let scenario = replayed(&text, record);
    let to: Vec<_> = attempts(&scenario).iter().filter_map(|one| one.to).collect();
    assert_eq!(to, [(1, 0), (0, 1), (0, 0), (1, 0)]);
    let ms = SimDuration::from_millis;
    let law = Distribution::Empirical([ms(250), ms(1_000), ms(250), ms(0)].into());
    assert_eq!(client(&scenario).lifetime, law);
    let closes = [(Ending::Client, 2.0), (Ending::Reset, 1.0), (Ending::ServerReset, 1.0)];
    assert_eq!(client(&scenario).closes, closes);
    let weights: Vec<f64> = client(&scenario).targets.iter().map(|target| target.weight).collect();
    assert_eq!(weights, [2.0, 2.0]);
    assert_eq!(attempts(&scenario)[1].ending, Some(Ending::Reset));
}

#[test]
fn destinations_that_no_attempt_goes_to_are_left_out() {
    let text =
        format!("{REPLAY}lifetime = \"1 s\"\n[destination.a]\n[destination.b]\n[destination.c]\n");
    let scenario = replayed(&text, "time,destination\n0,c\n1,a\n2,c\n");
    let names: Vec<&str> = scenario.world.destinations.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["a", "c"]);
    let to: Vec<_> = attempts(&scenario).iter().filter_map(|one| one.to).collect();
    assert_eq!(to, [(1, 0), (0, 0), (1, 0)]);
    assert!(scenario.warnings.render(false).contains("`b` is left out"));
}

#[test]
fn a_name_alone_goes_to_the_endpoints_as_the_destination_says() {
    let text = format!("{REPLAY}lifetime = \"1 s\"\n[destination.a]\nendpoints = 4\n");
    let record = format!("time,destination\n{}", "0,a\n".repeat(400));
    let endpoints = |scenario: &Scenario| -> Vec<u32> {
        attempts(scenario).iter().filter_map(|one| Some(one.to?.1)).collect()
    };
    let random = endpoints(&replayed(&text, &record));
    for endpoint in 0..4 {
        let count = random.iter().filter(|one| **one == endpoint).count();
        assert!((60..140).contains(&count), "endpoint {endpoint}: {count} of 400");
    }
    let in_turn = endpoints(&replayed(&format!("{text}pick = \"in turn\"\n"), &record));
    assert_eq!(in_turn[..6], [0, 1, 2, 3, 0, 1]);
}

#[test]
fn an_empty_cell_was_not_recorded() {
    let scenario = replayed(REPLAY, "time,lifetime,close\n0,2,\n1,,half\n");
    assert_eq!(attempts(&scenario)[1].lifetime, None);
    assert_eq!(attempts(&scenario)[0].ending, None);
    let two = Distribution::Empirical([SimDuration::from_secs(2)].into());
    assert_eq!(client(&scenario).lifetime, two);
}

#[test]
fn source_addresses_may_be_recorded() {
    let two = format!("{REPLAY}[host.a]\naddresses = 2\n");
    let scenario = replayed(&two, "time,lifetime,address\n0,1,2\n1,1,\n2,1,1\n");
    let sources: Vec<_> = attempts(&scenario).iter().map(|one| one.source).collect();
    assert_eq!(sources, [Some(1), None, Some(0)]);
}

#[test]
fn a_run_of_records_alone_is_as_long_as_they_are() {
    let record = "time,lifetime\n0,1\n61.2,1\n";
    assert_eq!(replayed(REPLAY, record).settings.duration, SimDuration::from_secs(63));
    let given = format!("{REPLAY}[run]\nduration = \"1 min\"\n");
    let scenario = replayed(&given, record);
    assert_eq!(scenario.settings.duration, SimDuration::from_secs(60));
    let shown = scenario.warnings.render(false);
    assert!(shown.contains("the run ends before 1 of 2 recorded attempts"), "{shown}");
    assert!(shown.contains("made at 61.2 s"), "{shown}");
    let other = "[client.other]\narrivals = { process = \"poisson\", rate = \"1 / s\" }\n\
                 lifetime = \"1 s\"\n";
    let mixed = replayed(&format!("{REPLAY}{other}"), record);
    assert_eq!(mixed.settings.duration, SimDuration::from_secs(600));
}

#[test]
fn a_line_without_end_is_not_read() {
    let (_directory, path) = saved(REPLAY, format!("time\n{}", "1".repeat(100_000)));
    let problems = load(&path, &[]).unwrap_err();
    assert!(problems.to_string().contains("longer than 64 KiB"), "{problems}");
}
