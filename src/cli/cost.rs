//! What a run would cost, before it is begun: a typing error in a rate must not take the machine.

use portsim::model::{Binds, Client, Host, Replications, ReuseKey, RunSettings, Start, World};
use portsim::report::numbers;
use portsim::scenario::Scenario;
use portsim::theory::{self, HoldLaw};

/// What one attempt takes, roughly.
const ATTEMPT_S: f64 = 1.0 / 20e6;
/// What it takes more for every doubling of the machine's clients: they wait in a heap.
const DOUBLING_OF_CLIENTS_S: f64 = 15e-9;
/// What it takes more where `connect()` and `bind()` take ports from each other.
const MIXED_S: f64 = 0.8e-6;
/// Memory that a machine fills in a second while it is set up.
const SET_UP_BYTES_A_S: f64 = 7e9;
/// What every machine fills, however few its ports.
const LEAST_SET_UP_BYTES: f64 = 128.0 * 1024.0;
/// Memory comes from the system in pieces of this size.
const PAGE_BYTES: f64 = 2.0 * 1024.0 * 1024.0;
/// What a precision is first judged by, so the least that it takes.
const LEAST_FOR_PRECISION: f64 = 20.0;
/// Above this a run is announced.
const LONG_S: f64 = 5.0 * 60.0;
/// Above this it is refused.
const TOO_LONG_S: f64 = 24.0 * 3_600.0;
/// What a machine is taken to have that does not say.
const ASSUMED_MEMORY: f64 = 16.0 * GIB;
const GIB: f64 = (1_u64 << 30) as f64;
/// What the counters of one replication take, histograms and timeline bins included.
const BYTES_A_TALLY: f64 = 256.0 * 1024.0;

/// The cost of one or more scenarios.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Attempts to connect, all machines and replications.
    pub connections: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Memory.
    pub bytes: f64,
}

/// What to do about a cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Nothing worth saying.
    Go,
    /// Go on, but say so.
    Announce(String),
    /// Do not begin.
    Refuse(String),
}

/// Attempts of one scenario.
pub fn connections(scenario: &Scenario) -> f64 {
    let Scenario { world, settings, .. } = scenario;
    let hosts = world.hosts.iter();
    let each: f64 = hosts.map(|host| f64::from(host.count) * attempts(world, host, settings)).sum();
    each * replications(settings)
}

/// Seconds that one core takes for one scenario.
pub fn core_seconds(scenario: &Scenario) -> f64 {
    let Scenario { world, settings, .. } = scenario;
    let hosts = world.hosts.iter();
    let each: f64 =
        hosts.map(|host| f64::from(host.count) * machine_seconds(world, host, settings)).sum();
    each * replications(settings)
}

/// The cost of running `scenarios` together on `threads` threads.
pub fn of(scenarios: &[Scenario], threads: usize) -> Cost {
    let connections: f64 = scenarios.iter().map(connections).sum();
    let runs: f64 = scenarios
        .iter()
        .map(|s| {
            let machines: f64 = s.world.hosts.iter().map(|host| f64::from(host.count)).sum();
            replications(&s.settings) * machines
        })
        .sum();
    // One machine in one replication is the smallest piece of work.
    let busy = (threads as f64).min(runs).max(1.0);
    let largest = scenarios
        .iter()
        .flat_map(|s| s.world.hosts.iter().map(|host| machine_bytes(&s.world, host, &s.settings)))
        .fold(0.0, f64::max);
    Cost {
        connections,
        seconds: scenarios.iter().map(core_seconds).sum::<f64>() / busy,
        bytes: busy * (largest + BYTES_A_TALLY),
    }
}

impl Cost {
    /// What to do on a machine with `memory` bytes available.
    pub fn advice(&self, memory: f64) -> Advice {
        let takes = format!(
            "about {} and {} for {} connections",
            numbers::span(self.seconds.ceil()),
            bytes(self.bytes),
            numbers::amount(self.connections.ceil())
        );
        if self.bytes > memory {
            return Advice::Refuse(format!(
                "this would take {takes}, but only {} of memory are available; use fewer --jobs, \
                 or make addresses, endpoints or the range smaller (--force runs it all the same)",
                bytes(memory)
            ));
        }
        if self.seconds > TOO_LONG_S {
            return Advice::Refuse(format!(
                "this would take {takes}; make it shorter, for example with \
                 --set run.duration='1 min' or --replications 5 (--force runs it all the same)"
            ));
        }
        if self.seconds > LONG_S {
            return Advice::Announce(format!(
                "this takes {takes}; --set run.duration=... or --replications make it shorter"
            ));
        }
        Advice::Go
    }
}

/// Memory that a run may take.
pub fn available_memory() -> f64 {
    std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| mem_available(&text))
        .unwrap_or(ASSUMED_MEMORY)
}

fn mem_available(meminfo: &str) -> Option<f64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

fn replications(settings: &RunSettings) -> f64 {
    match settings.replications {
        Replications::Fixed(count) => f64::from(count),
        Replications::Precision(_) => LEAST_FOR_PRECISION,
    }
}

/// Attempts of one machine in one replication.
fn attempts(world: &World, host: &Host, settings: &RunSettings) -> f64 {
    theory::attempts(world, host, settings.duration.as_secs_f64()).iter().sum()
}

/// Seconds that one core takes for one machine in one replication.
fn machine_seconds(world: &World, host: &Host, settings: &RunSettings) -> f64 {
    let attempts = attempts(world, host, settings);
    let bound = host.clients.iter().filter(|client| is_bound(client)).count();
    let mixed = if bound > 0 && bound < host.clients.len() { MIXED_S } else { 0.0 };
    let each =
        ATTEMPT_S + DOUBLING_OF_CLIENTS_S * (host.clients.len().max(1) as f64).log2() + mixed;
    let places = pools(world, host) * f64::from(host.ports.num_ephemeral());
    // The bits are all filled; of the last uses, only the pages that somebody comes by.
    let filled = LEAST_SET_UP_BYTES + places / 8.0 + (places * 4.0).min(attempts * PAGE_BYTES);
    attempts * each + filled / SET_UP_BYTES_A_S
}

fn is_bound(client: &Client) -> bool {
    client.binds == Binds::Bind
}

/// What one machine takes while it runs: a bit and the last use (4 bytes) a port and pool, 24 bytes a
/// pool, and 16 bytes for every connection that holds a port.
fn machine_bytes(world: &World, host: &Host, settings: &RunSettings) -> f64 {
    let pools = pools(world, host);
    let places = pools * f64::from(host.ports.num_ephemeral());
    let duration = settings.duration.as_secs_f64();
    let attempts = theory::attempts(world, host, duration);
    let held = host.clients.iter().zip(attempts).map(|(client, attempts)| {
        attempts / duration * HoldLaw::of(world, host, client).limited_mean_s(duration)
    });
    // The load of every client on every pool, and what stands at the start.
    let start = match settings.start {
        Start::Empty => 0.0,
        Start::Stationary => pools * (24.0 + 8.0 * host.clients.len() as f64),
    };
    places / 8.0 + places * 4.0 + pools * 24.0 + held.sum::<f64>().min(places) * 16.0 + start
}

fn pools(world: &World, host: &Host) -> f64 {
    let addresses = f64::from(host.addresses);
    let mut targets: Vec<usize> =
        host.clients.iter().flat_map(|c| c.targets.iter().map(|t| t.destination)).collect();
    targets.sort_unstable();
    targets.dedup();
    let endpoints: f64 = targets.iter().map(|&t| f64::from(world.destinations[t].endpoints)).sum();
    let binds = host.clients.iter().any(is_bound);
    let bound = if binds { addresses } else { 0.0 };
    bound
        + match host.reuse_key {
            ReuseKey::FourTuple => addresses * endpoints,
            ReuseKey::SourceAddress => addresses,
            ReuseKey::Host => 1.0,
        }
}

fn bytes(value: f64) -> String {
    let (size, unit) = match value {
        v if v < 1024.0 * 1024.0 => (1024.0, "KiB"),
        v if v < GIB => (1024.0 * 1024.0, "MiB"),
        _ => (GIB, "GiB"),
    };
    format!("{} {unit}", numbers::amount(value / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(seconds: f64, bytes: f64) -> Cost {
        Cost { connections: seconds * 40e6, seconds, bytes }
    }

    #[test]
    fn short_runs_go_long_ones_are_announced_and_days_are_refused() {
        assert_eq!(cost(10.0, GIB).advice(16.0 * GIB), Advice::Go);
        assert!(matches!(cost(400.0, GIB).advice(16.0 * GIB), Advice::Announce(_)));
        let Advice::Refuse(message) = cost(1e6, GIB).advice(16.0 * GIB) else { panic!() };
        assert!(message.contains("about 11.6 d"), "{message}");
        assert!(message.contains("--set run.duration="), "{message}");
    }

    fn scenario(text: &str) -> Scenario {
        portsim::scenario::parse("crawler", "crawler.toml", text, &[]).unwrap()
    }

    const CLIENT: &str = "[client.fetcher]
        arrivals = { process = 'poisson', rate = '100 / s' }
        lifetime = '200 ms'
        [run]
        duration = '1 s'
        replications = 10\n";

    #[test]
    fn a_machine_costs_its_set_up_even_when_it_does_little() {
        let small = core_seconds(&scenario(&format!("{CLIENT} [host.h]\n count = 1000")));
        assert!((0.1..1.0).contains(&small), "{small}");
        let text = format!(
            "{CLIENT} [host.h]\n count = 100000\n addresses = 60\n [destination.d]\n endpoints = 100"
        );
        let Advice::Announce(message) = of(&[scenario(&text)], 2).advice(64.0 * GIB) else {
            panic!()
        };
        assert!(message.contains(" h") || message.contains(" d"), "{message}");
    }

    #[test]
    fn many_clients_make_each_attempt_dearer() {
        let more: String = (0..1_000)
            .map(|n| {
                CLIENT
                    .lines()
                    .take(3)
                    .collect::<Vec<_>>()
                    .join("\n")
                    .replace("fetcher", &format!("c{n}"))
                    + "\n"
            })
            .collect();
        let many = scenario(&format!("{more}{CLIENT}"));
        let each = |s: &Scenario| core_seconds(s) / connections(s);
        assert!(each(&many) > 3.0 * ATTEMPT_S, "{}", each(&many));
    }

    #[test]
    fn more_memory_than_there_is_is_refused() {
        let Advice::Refuse(message) = cost(1.0, 32.0 * GIB).advice(16.0 * GIB) else { panic!() };
        assert!(message.contains("32 GiB"), "{message}");
        assert!(message.contains("16 GiB of memory are available"), "{message}");
    }

    #[test]
    fn available_memory_is_read_in_kibibytes() {
        assert_eq!(mem_available("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2_097_152.0));
        assert_eq!(mem_available("MemTotal: 9 kB\n"), None);
        assert!(available_memory() > 0.0);
    }
}
