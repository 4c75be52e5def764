//! What a run would cost, before it is begun: a typing error in a rate must not take the machine.

use portsim::model::{
    Arrivals, Binds, Client, Distribution, Ending, Host, Replications, ReuseKey, RunSettings, World,
};
use portsim::report::numbers;
use portsim::scenario::Scenario;

/// Connections that one core simulates in a second, roughly.
const CONNECTIONS_PER_CORE_S: f64 = 20e6;
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
    let a_second: f64 = world
        .hosts
        .iter()
        .map(|host| f64::from(host.count) * host.clients.iter().map(rate_per_s).sum::<f64>())
        .sum();
    a_second * settings.duration.as_secs_f64() * replications(settings)
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
        seconds: connections / CONNECTIONS_PER_CORE_S / busy,
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

fn rate_per_s(client: &Client) -> f64 {
    match &client.arrivals {
        Arrivals::Poisson { rate_per_s } | Arrivals::Constant { rate_per_s } => *rate_per_s,
        Arrivals::Batches { every, size, .. } => f64::from(*size) / every.as_secs_f64(),
        Arrivals::ClosedLoop { workers, think } => {
            // A loop without any delay would spin; a nanosecond is the least that time moves.
            let round = (mean_s(think) + mean_s(&client.lifetime)).max(1e-9);
            f64::from(*workers) / round
        }
    }
}

/// Infinite where the law has no mean.
fn mean_s(law: &Distribution) -> f64 {
    match law {
        Distribution::Constant(value) => value.as_secs_f64(),
        Distribution::Exponential { mean } | Distribution::Lognormal { mean, .. } => {
            mean.as_secs_f64()
        }
        Distribution::Pareto { minimum, shape } if *shape > 1.0 => {
            minimum.as_secs_f64() * shape / (shape - 1.0)
        }
        Distribution::Pareto { .. } => f64::INFINITY,
        Distribution::Uniform { min, max } => (min.as_secs_f64() + max.as_secs_f64()) / 2.0,
        Distribution::Empirical(samples) => {
            samples.iter().map(|s| s.as_secs_f64()).sum::<f64>() / samples.len() as f64
        }
    }
}

/// What one machine takes while it runs: a bit and the last use (4 bytes) a port and pool, and 16
/// bytes for every connection that holds a port.
fn machine_bytes(world: &World, host: &Host, settings: &RunSettings) -> f64 {
    let ports = f64::from(host.ports.num_ephemeral());
    let places = pools(world, host) * ports;
    let held: f64 = host
        .clients
        .iter()
        .map(|client| {
            let never = client.closes.iter().any(|&(ending, _)| ending == Ending::Never);
            let longest = if never { f64::INFINITY } else { mean_s(&client.lifetime) };
            let hold = longest + host.timer_grid.mean(host.time_wait).as_secs_f64();
            rate_per_s(client) * hold.min(settings.duration.as_secs_f64())
        })
        .sum();
    places / 8.0 + places * 4.0 + held.min(places) * 16.0
}

fn pools(world: &World, host: &Host) -> f64 {
    let addresses = f64::from(host.addresses);
    let mut targets: Vec<usize> =
        host.clients.iter().flat_map(|c| c.targets.iter().map(|t| t.destination)).collect();
    targets.sort_unstable();
    targets.dedup();
    let endpoints: f64 = targets.iter().map(|&t| f64::from(world.destinations[t].endpoints)).sum();
    let binds = host.clients.iter().any(|client| client.binds == Binds::Bind);
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
