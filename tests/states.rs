//! Refusals by reason and ports by state: what the engine counts comes out in the reports.

use portsim::model::{Destination, SearchCost, Target};
use portsim::replicate::{self, Unwatched, replicate};
use portsim::report::{Summary, timeline, verdict};
use portsim::scenario::{Scenario, parse};
use portsim::stats::Outcome;
use portsim::units::SimDuration;
use serde_json::Value;

/// 100 ports, 20 attempts a second, half of them towards a server that does not answer.
fn unanswered() -> Scenario {
    let text = "run = { duration = \"10 min\", replications = 4 }\n\
                host.web = { preset = \"linux\", ports = \"40000-40099\" }\n\
                [client.worker]\non = \"web\"\nlifetime = \"1 s\"\n\
                arrivals = { process = \"poisson\", rate = \"20 / s\" }\n";
    let mut scenario = parse("unanswered", "unanswered.toml", text, &[])
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let world = &mut scenario.world;
    let gone = Destination { name: "gone".into(), answers: false, ..world.destinations[0].clone() };
    world.destinations.push(gone);
    let target = |destination| Target { destination, weight: 1.0 };
    world.hosts[0].clients[0].targets = vec![target(0), target(1)];
    scenario
}

fn run(scenario: &Scenario) -> (Outcome, Value) {
    let outcome = replicate(&scenario.world, &scenario.settings, &Unwatched).expect("it runs");
    let text = Summary::new(scenario, &outcome, &[]).to_json();
    let json = serde_json::from_str(&text).expect("it is JSON");
    (outcome, json)
}

#[test]
fn what_is_refused_has_a_reason_and_what_is_in_use_has_a_state() {
    let (outcome, json) = run(&unanswered());
    for section in [&json["whole"], &json["limits"]["web"], &json["clients"]["worker"]] {
        let number = |key: &str| section[key].as_f64().unwrap_or_else(|| panic!("no {key}"));
        assert!(number("blocked") > 0.0);
        assert_eq!(section["refusals"]["connect:EADDRNOTAVAIL"], section["blocked"]);
        assert_eq!(section["refusals"].as_object().map(serde_json::Map::len), Some(1));
        let states = ["mean_connecting", "mean_established", "mean_closing", "mean_time_wait"];
        let sum: f64 = states.map(number).iter().sum();
        assert!((sum / number("mean_in_use") - 1.0).abs() < 1e-9, "{sum}");
        assert!(number("mean_connecting") > 50.0, "100 ports, and nobody answers");
        assert!(number("unanswered") > 0.0);
    }
    let told = verdict::sentence(&unanswered(), &outcome);
    assert!(told.contains("Connects that nobody answers are "), "{told}");
}

#[test]
fn the_timeline_has_connecting_ports_in_their_column() {
    let (outcome, _) = run(&unanswered());
    let text = timeline::to_csv(&outcome.timeline);
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let column = head.iter().position(|name| *name == "connecting").expect("the column");
    let last: Vec<&str> = lines.last().expect("a row").split(',').collect();
    assert!(last[column].parse::<f64>().expect("a number") > 50.0, "{last:?}");
}

/// Goal: a share of a core that can be checked by hand. Method: with probes that cost nothing, every
/// attempt takes 1 ms, so 20 attempts a second take a fiftieth of a core.
#[test]
fn searching_takes_its_share_of_a_core() {
    let mut scenario = unanswered();
    scenario.world.hosts[0].search_cost =
        Some(SearchCost { connect: SimDuration::from_millis(1), probe: SimDuration::ZERO });
    let (_, json) = run(&scenario);
    assert_eq!(json["whole"]["search_s"]["p99"], 0.001);
    let share = json["whole"]["search_core_share"].as_f64().expect("a share");
    assert!((share / 0.02 - 1.0).abs() < 0.02, "{share}");
}

/// A port that a client asks for by its number may lie outside the range: it is drawn apart from it.
#[test]
fn ports_bound_outside_the_range_are_drawn_apart() {
    let text = "[run]
duration = '60 s'
[host.h]
ports = '60000-60009'
[client.c]
arrivals = { process = 'poisson', rate = '10 / s' }
lifetime = '1 s'
binds = { ports = '40000-40009' }
[client.d]
arrivals = { process = 'poisson', rate = '1 / s' }
lifetime = '1 s'";
    let scenario = parse("apart", "apart.toml", text, &[]).unwrap_or_else(|all| panic!("{all}"));
    let map = replicate::port_map(&scenario.world, &scenario.settings, 0, 60, 10);
    assert_eq!(map.outside.ports().len(), 10);
    for cells in [&map.cells, &map.outside_cells] {
        assert!(cells.iter().all(|cell| (0.0..=1.001).contains(&cell.taken())));
        assert!(cells.last().is_some_and(|cell| cell.taken() > 0.9), "full to the end");
    }
    let outcome =
        replicate(&scenario.world, &scenario.settings, &Unwatched).expect("nobody stops it");
    assert!(outcome.whole.utilisation.hi <= 1.0);
}

/// When a pooled connection closes is not known when it opens: it is drawn as what it was, not as what it might
/// have been. Without keep-alive each request leaves a TIME-WAIT of 60 s behind its 100 ms.
#[test]
fn connections_of_a_pool_are_drawn_with_the_life_they_had() {
    let text = "[run]
duration = '120 s'
[host.h]
preset = 'linux'
ports = '40000-40099'
[client.c]
requests = { process = 'poisson', rate = '1 / s' }
service = '100 ms'
pool = { max_idle = 0 }";
    let scenario = parse("pool", "pool.toml", text, &[]).unwrap_or_else(|all| panic!("{all}"));
    let map = replicate::port_map(&scenario.world, &scenario.settings, 0, 60, 10);
    let of = |state: usize| -> f32 { map.cells.iter().map(|cell| cell.held[state]).sum() };
    let [connecting, established, half_closed, waiting] = [0, 1, 2, 3].map(of);
    assert_eq!((connecting, half_closed), (0.0, 0.0));
    assert!(established > 0.0 && waiting > 100.0 * established, "{established}, {waiting}");
}
