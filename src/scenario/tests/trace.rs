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

#[track_caller]
fn refused(scenario: &str, record: impl AsRef<[u8]>) -> Problems {
    let (_directory, path) = saved(scenario, record);
    load(&path, &[]).map(|scenario| panic!("this was accepted: {scenario:?}")).unwrap_err()
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
    let record = "time,lifetime,address\n0,1,3\n";
    let problems = refused(&two, record);
    told(&problems, (2, 5, "3"), "no source address number `3`", "from 1 to 2");
    let text = format!("{REPLAY}address = 1\n");
    let problems = refused(&text, "time,lifetime,address\n0,1,1\n");
    told(&problems, (3, 1, "address"), "`address` is given twice", "take `address` out");
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
    let late = format!("{REPLAY}[run]\nwarm_up = \"2 min\"\n");
    told(
        &refused(&late, record),
        (4, 11, "\"2 min\""),
        "leaves nothing of a run of 63 s",
        "shorter",
    );
}

#[test]
fn what_is_in_the_record_is_not_given_again() {
    let record = "time,lifetime,close,destination\n0,1,client,0\n";
    let text = format!("{REPLAY}lifetime = \"1 s\"\n");
    let message = "`lifetime` is given twice: the record has a column `lifetime`";
    told(&refused(&text, record), (3, 1, "lifetime"), message, "take `lifetime` out");
    let text = format!("{REPLAY}closes = \"client\"\n");
    told(&refused(&text, record), (3, 1, "closes"), "has a column `close`", "take `closes` out");
    let text = format!("{REPLAY}to = {{ a = 1, b = 2 }}\n[destination.a]\n[destination.b]\n");
    let message = "the record says where each attempt goes";
    told(&refused(&text, record), (3, 6, "{ a = 1, b = 2 }"), message, "take `to` out");
}

#[test]
fn what_is_neither_in_the_record_nor_in_the_file_is_missing() {
    let problems = refused(REPLAY, "time\n0\n");
    told(&problems, (1, 1, "[client.fetcher]"), "has no `lifetime`", "lifetime = {");
    let text = format!("{REPLAY}lifetime = \"1 s\"\n[destination.a]\n[destination.b]\n");
    told(&refused(&text, "time\n0\n"), (1, 1, "[client.fetcher]"), "has no `to`", "`a` and `b`");
}

/// What is wrong with a record.
#[track_caller]
fn line(record: &str, place: (usize, usize, &str), message: &str, help: &str) {
    let text = format!("{REPLAY}[destination.api]\nendpoints = 3\n");
    let problems = refused(&text, record);
    told(&problems, place, message, help);
    let at = format!("attempts.csv:{}:{}", place.0, place.1);
    assert!(problems.to_string().contains(&at), "{problems}");
}

#[test]
fn a_wrong_line_is_pointed_at_in_the_record() {
    line("time,life\n0,1\n\n# x\n1,2 parsecs\n", (5, 5, "parsecs"), "not a unit of time", "ns, us");
    line(
        "time,life\n1,1\n0.5,1\n",
        (3, 1, "0.5"),
        "time goes back, from 1 s to 500 ms",
        "sort -t,",
    );
    line("time,life\n-1,1\n", (2, 1, "-1"), "cannot be negative", "\"60 s\"");
    line("time,life\n,1\n", (2, 1, ""), "this is empty", "60 s");
    line("time,life\n1767225600,1\n", (2, 1, "1767225600"), "longer than ten years", "subtract");
    line("time,life\n1\n", (2, 1, "1"), "1 cells for 2 columns", "leave a cell empty");
    line("time,life\n1,2,3\n", (2, 5, "3"), "more than 2 columns", "as many cells");
    line("time,life,close\n1,2,cleint\n", (2, 5, "cleint"), "not a way to close", "`client`");
    line("time,life,destination\n1,2,apii\n", (2, 5, "apii"), "no destination `apii`", "`api`");
    line("time,life,destination\n1,2,api/3\n", (2, 9, "3"), "no endpoint `3`", "api/0 to api/2");
    line("time,life,destination\n1,2,3\n", (2, 5, "3"), "no endpoint number 3", "it has 3");
    line(
        "time,life,clsoe\n1,2,x\n",
        (1, 11, "clsoe"),
        "no column `clsoe`",
        "did you mean `close`?",
    );
    line("time,life,time\n", (1, 11, "time"), "there twice", "time,destination");
    line("life\n1\n", (1, 1, "life"), "there is no column `time`", "time,destination");
}

#[test]
fn the_first_wrong_lines_are_told_and_the_rest_is_not_read() {
    let record = format!("time,life\n{}", "x,1\n".repeat(1_000));
    let problems = refused(REPLAY, record);
    assert_eq!(problems.len(), 5, "{problems}");
    assert!(problems.to_string().contains("the lines below were not read"), "{problems}");
}

#[test]
fn a_file_that_is_no_record_is_refused_with_the_reason() {
    let at = (2, 40, "\"attempts.csv\"");
    told(&refused(REPLAY, ""), at, "there is no attempt in it", "time,destination");
    told(&refused(REPLAY, "time\n"), at, "there is no attempt in it", "time,destination");
    let missing = REPLAY.replace("attempts.csv", "not-there.csv");
    let problems = refused(&missing, "");
    told(&problems, (2, 40, "\"not-there.csv\""), "there is no such file", "the directory of");
    let folder = REPLAY.replace("attempts.csv", ".");
    told(&refused(&folder, ""), (2, 40, "\".\""), "it is a directory", "the directory of");
    let problems = refused(REPLAY, b"time\n\xff\xfe\n");
    assert!(problems.to_string().contains("not UTF-8"), "{problems}");
    let problems = refused(REPLAY, format!("time\n{}", "1".repeat(100_000)));
    assert!(problems.to_string().contains("longer than 64 KiB"), "{problems}");
    let unnamed = REPLAY.replace(", file = \"attempts.csv\"", "");
    told(
        &refused(&unnamed, ""),
        (2, 12, "{ process = \"trace\" }"),
        "needs a `file`",
        "attempts.csv",
    );
}

#[test]
fn a_record_has_no_steady_state() {
    let text = format!("{REPLAY}[run]\nstart = \"stationary\"\n");
    let problems = refused(&text, "time,lifetime\n0,1\n");
    let arrivals = "{ process = \"trace\", file = \"attempts.csv\" }";
    told(&problems, (2, 12, arrivals), "only known for Poisson", "start = \"empty\"");
}
