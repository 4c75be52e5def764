//! Runs one workload once, for a profiler: `workload w1|w2|overload|capped|mixed|w3|requests
//! SECONDS [HOSTS, or idle connections kept]`.
//!
//! Instructions a connection are the difference of two run lengths:
//! `valgrind --tool=callgrind target/release/examples/workload w1 2000`, then 4000.

#[allow(dead_code, reason = "a profile needs one workload at a time")]
#[path = "../benches/workloads/mod.rs"]
mod workloads;

use std::time::Instant;

use portsim::replicate::{Unwatched, replicate};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| {
        args.get(index).map_or(default, |text| text.parse().expect("a whole number"))
    };
    let world = match args.first().map(String::as_str) {
        Some("w1") => workloads::w1(),
        Some("w2") => workloads::w2(),
        Some("overload") => workloads::overload(),
        Some("capped") => workloads::capped(),
        Some("mixed") => workloads::mixed(),
        Some("requests") => workloads::requests(number(2, 1_000) as u32),
        Some("w3") => workloads::w3(number(2, 1_000) as u32),
        _ => panic!(
            "say w1, w2, overload, capped, mixed, w3 or requests, then seconds, then a number"
        ),
    };
    let begin = Instant::now();
    let outcome = replicate(&world, &workloads::settings(number(1, 600)), &Unwatched)
        .expect("nobody stops it");
    let nanos = begin.elapsed().as_nanos() as f64;
    let whole = &outcome.whole;
    println!(
        "{} attempts, {:.4} blocked, {:.1} ns an attempt",
        whole.attempts,
        whole.blocking_ratio.mean,
        nanos / whole.attempts as f64
    );
}
