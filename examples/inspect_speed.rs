//! How long `portsim inspect` takes where there are many sockets.
//!
//! ```sh
//! cargo build --release && cargo run --release --example inspect_speed -- 100000
//! ```
//!
//! Opens and closes that many connections over loopback, in a network namespace of its own, which leaves as
//! many TIME-WAITs; then starts the program that was built beside it, seven times. Takes some 20 µs a
//! connection, and goes without a trace. Linux only, as root.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A range of 64,512 ports to each of so many destinations.
const DESTINATIONS: u8 = 8;
const RUNS: usize = 7;

fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    if let Err(failure) = portsim::testbed::apart(|| measure(count)) {
        eprintln!("error: {failure}");
        std::process::exit(1);
    }
}

fn measure(count: u32) {
    let settings = [
        ("ip_local_port_range", "1024 65535".to_owned()),
        ("tcp_tw_reuse", "0".to_owned()),
        ("tcp_max_tw_buckets", (2 * count).to_string()),
    ];
    for (name, value) in settings {
        std::fs::write(format!("/proc/sys/net/ipv4/{name}"), value)
            .expect("a namespace of our own");
    }
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).expect("port 80 is free");
    for index in 0..count {
        let number = 2 + (index % u32::from(DESTINATIONS)) as u8;
        let client = TcpStream::connect((Ipv4Addr::new(127, 0, 0, number), 80));
        let (mut server, _) = listener.accept().expect("a connection");
        drop(client.expect("a port"));
        // Once the server has heard of the end, the TIME-WAIT is the client's.
        assert_eq!(server.read(&mut [0]).expect("the end"), 0);
    }
    let here = std::env::current_exe().expect("a path");
    let program = here.ancestors().nth(2).expect("examples/ lies beside it").join("portsim");
    let mut times: Vec<f64> = (0..RUNS).map(|_| seconds(&program)).collect();
    times.sort_by(f64::total_cmp);
    let (least, median, most) = (times[0], times[RUNS / 2], times[RUNS - 1]);
    println!(
        "{count} TIME-WAITs: portsim inspect takes {median:.3} s (median of {RUNS}, {least:.3} to {most:.3})"
    );
}

fn seconds(program: &std::path::Path) -> f64 {
    let start = Instant::now();
    let ended = Command::new(program).arg("inspect").stdout(Stdio::null()).status();
    assert!(ended.expect("build it first: cargo build --release").success());
    start.elapsed().as_secs_f64()
}
