//! Hostile input: whatever is handed in is answered, and never ends the program.
//!
//! Plain Rust, seeded: pieces of good scenarios and records are cut, doubled, swapped and broken. By default each
//! target runs for a few seconds with a fixed seed; `FUZZ_SECONDS=60 cargo test --test fuzz` runs longer, and
//! `FUZZ_SEED=7` elsewhere. The seed and the counts are printed; a failure prints its input.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use portsim::import::{Columns, Importer, Options};
use portsim::replicate::{Unwatched, replicate};
use portsim::report::{Summary, markdown, verdict};
use portsim::scenario::{Scenario, parse};
use portsim::traffic::{Budget, Limits};
use portsim::units::SimDuration;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// What a target made of its inputs.
#[derive(Default)]
struct Counts {
    inputs: u64,
    accepted: u64,
}

/// Feeds `target` with inputs made of `seeds` for as long as is wanted; it says whether it accepted one.
fn fuzz(name: &str, seeds: &[Vec<u8>], target: impl Fn(&[u8]) -> bool) {
    let seed = number("FUZZ_SEED", 1);
    let end = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS", 4));
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut counts = Counts::default();
    while Instant::now() < end {
        let input = mutated(seeds, &mut rng);
        match catch_unwind(AssertUnwindSafe(|| target(&input))) {
            Ok(accepted) => counts.accepted += u64::from(accepted),
            Err(_) => panic!(
                "{name}, seed {seed}: this input ends it:\n{}",
                String::from_utf8_lossy(&input)
            ),
        }
        counts.inputs += 1;
    }
    println!("{name}: {} inputs, {} accepted, seed {seed}", counts.inputs, counts.accepted);
    assert!(counts.inputs > 50, "{name}: only {} inputs", counts.inputs);
    assert!(counts.accepted > 0, "{name}: nothing was ever accepted, so little was tried");
}

/// One of `seeds`, changed in a few places.
fn mutated(seeds: &[Vec<u8>], rng: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    const ODD: [&str; 24] = [
        "0",
        "-1",
        "1e300",
        "18446744073709551616",
        "nan",
        "inf",
        "\"\"",
        "{}",
        "[]",
        "\u{202e}",
        "\0",
        "\n",
        "=",
        "[",
        "]",
        "\"\"\"",
        "65536",
        "0 s",
        "1 ns",
        "3652 d",
        "100 %",
        "1G / s",
        "\t",
        "é",
    ];
    let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
    for _ in 0..rng.random_range(0..4) {
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let line = rng.random_range(0..lines.len().max(1));
        let mut changed: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
        if changed.is_empty() {
            return bytes;
        }
        match rng.random_range(0..6) {
            0 => drop(changed.remove(line)),
            1 => changed.insert(line, changed[line].clone()),
            2 => {
                let other = seeds[rng.random_range(0..seeds.len())].clone();
                let other: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
                changed.insert(line, other[rng.random_range(0..other.len())].to_vec());
            }
            3 => {
                let odd = ODD[rng.random_range(0..ODD.len())].as_bytes();
                let at = rng.random_range(0..=changed[line].len());
                changed[line].splice(at..at, odd.iter().copied());
            }
            4 => {
                // A number becomes another one.
                let odd = ODD[rng.random_range(0..ODD.len())].as_bytes();
                let digits = |byte: &u8| byte.is_ascii_digit();
                if let Some(from) = changed[line].iter().position(digits) {
                    let to = changed[line][from..].iter().position(|byte| !digits(byte));
                    let to = to.map_or(changed[line].len(), |to| from + to);
                    changed[line].splice(from..to, odd.iter().copied());
                }
            }
            _ => {
                let at = rng.random_range(0..changed[line].len().max(1));
                if let Some(byte) = changed[line].get_mut(at) {
                    *byte = rng.random();
                }
            }
        }
        bytes = changed.concat();
    }
    bytes
}

fn files(directory: &str, ending: &str) -> Vec<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut paths: Vec<PathBuf> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Goal: every text is a scenario that runs and is reported, or is told what is wrong with it.
#[test]
fn any_text_is_a_scenario_or_is_told_why_not() {
    let mut seeds = files("scenarios", "toml");
    seeds.extend(files("tests/messages", "toml"));
    fuzz("scenarios", &seeds, |text| match parse("fuzz", "fuzz.toml", text, &[]) {
        Ok(scenario) => {
            run_a_little(scenario);
            true
        }
        Err(problems) => {
            assert!(!problems.render(false).is_empty());
            false
        }
    });
}

/// The first moments of a scenario that is small enough, and all that is told of them.
fn run_a_little(mut scenario: Scenario) {
    scenario.settings.duration = scenario.settings.duration.min(SimDuration::from_millis(300));
    if scenario.settings.warm_up >= scenario.settings.duration {
        scenario.settings.warm_up = SimDuration::ZERO;
    }
    scenario.settings.replications = portsim::model::Replications::Fixed(2);
    let seconds = scenario.settings.duration.as_secs_f64();
    let work: f64 = scenario
        .world
        .hosts
        .iter()
        .map(|host| {
            let attempts: f64 =
                portsim::theory::attempts(&scenario.world, host, seconds).iter().sum();
            let endpoints =
                scenario.world.destinations.iter().map(|to| u64::from(to.endpoints)).sum();
            let places = portsim::model::PoolPlan::places(host, endpoints) as f64;
            f64::from(host.count) * (attempts + places)
        })
        .sum();
    if work > 3e5 || scenario.world.hosts.len() > 50 {
        return;
    }
    let outcome =
        replicate(&scenario.world, &scenario.settings, &Unwatched).expect("nobody stops it");
    assert!(!verdict::sentence(&scenario, &outcome).is_empty());
    let json = Summary::new(&scenario, &outcome, &[]).to_json();
    serde_json::from_str::<serde_json::Value>(&json).expect("it is JSON");
    assert!(!markdown::section(&scenario, &outcome, &[]).is_empty());
}

/// Goal: every record is read as far as it can be, or refused in words.
#[test]
fn any_record_is_read_or_refused() {
    let seeds: Vec<Vec<u8>> = [
        "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\tconn_state\thistory\n\
         1795516930.25\t10.0.0.1\t40001\t10.0.0.5\t443\ttcp\t0.25\tSF\tShADadFf\n",
        "{\"ts\":1795516930.25,\"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":40001,\"id.resp_h\":\"10.0.0.5\",\
         \"id.resp_p\":443,\"proto\":\"tcp\",\"duration\":0.25,\"conn_state\":\"SF\"}\n",
        "2 123456789012 eni-0a1b 192.0.2.10 198.51.100.7 40001 443 6 20 4249 1468862800 1468862823 ACCEPT OK\n\
         2 123456789012 eni-0a1b 198.51.100.7 192.0.2.10 443 40001 6 18 4249 1468862800 1468862823 ACCEPT OK\n",
        "State Recv-Q Send-Q Local Address:Port Peer Address:Port\nLISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n\
         ESTAB 0 0 10.0.0.1:40001 10.0.0.5:443\nTIME-WAIT 0 0 10.0.0.1:40003 10.0.0.5:443 timer:(timewait,46sec,0)\n",
        "Active Internet connections\nProto Recv-Q Send-Q Local Address Foreign Address (state)\n\
         tcp4 0 0 192.0.2.10.49170 198.51.100.7.443 TIME_WAIT\n",
        "tcp      6 431999 ESTABLISHED src=192.168.0.7 dst=93.184.216.34 sport=50123 dport=443 \
         src=93.184.216.34 dst=203.0.113.9 sport=443 dport=40001 [ASSURED] mark=0 use=1\n",
        "start,duration,source,source_port,destination,destination_port,end\n\
         2026-11-24T10:42:10Z,250 ms,10.0.0.1,40001,10.0.0.5,443,client\n1795516931,0.75,10.0.0.1,40002,10.0.0.5,443,server\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    let options = Options {
        kind: None,
        columns: Columns::default(),
        state: None,
        only: Vec::new(),
        limits: Limits::of("linux", &[]).unwrap(),
        budget: Budget::default(),
    };
    fuzz("records", &seeds, |bytes| {
        let mut importer = Importer::new(&options, &|| false);
        let Ok(_) = importer.read(bytes) else { return false };
        let Some(record) = importer.finish() else { return false };
        record.tally.used > 0
    });
}
