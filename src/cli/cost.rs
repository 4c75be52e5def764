//! What a run would cost, before it is begun: a typing error in a rate must not take the machine.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portsim::engine::typical_hold;
use portsim::model::{Host, PoolPlan, Replications, RunSettings, Start, World};
use portsim::numbers;
use portsim::replicate::{Watch, replicate};
use portsim::scenario::Scenario;
use portsim::theory::{self, HoldLaw};

/// What one attempt takes, roughly.
const ATTEMPT_S: f64 = 1.0 / 20e6;
/// What it takes more for every doubling of the machine's clients: they wait in a heap.
const DOUBLING_OF_CLIENTS_S: f64 = 15e-9;
/// What it takes more where sockets take ports from each other, so that a connection is several events
/// and each port knows who uses it: measured as 0.32 us for `connect()` and `bind()` mixed, 0.32 us
/// with a limit on TIME-WAITs, and 0.32 us for ports of the client's own choice.
const SHARED_S: f64 = 0.32e-6;
/// And what for every doubling of the events ahead beyond 2^15, which no longer fit the caches: 2.3
/// million connections took 1.06 us an attempt.
const DOUBLING_OF_EVENTS_S: f64 = 0.1e-6;
const EVENTS_IN_CACHE: f64 = 32_768.0;
/// Memory that a machine fills in a second while it is set up.
const SET_UP_BYTES_A_S: f64 = 7e9;
/// What every machine fills, however few its ports.
const LEAST_SET_UP_BYTES: f64 = 128.0 * 1024.0;
/// Memory comes from the system in pieces of this size.
const PAGE_BYTES: f64 = 2.0 * 1024.0 * 1024.0;
/// What the engine keeps of a connection where sockets take ports from each other.
const RECORD_BYTES: f64 = 130.0;
/// What a release ahead takes, and an event.
const RELEASE_BYTES: f64 = 16.0;
const EVENT_BYTES: f64 = 24.0;
/// Entries ahead for each list of the calendar, and how many lists there are at most.
const ENTRIES_A_LIST: f64 = 8.0;
const MOST_LISTS: f64 = (1_u64 << 20) as f64;
/// What a list takes itself.
const LIST_BYTES: f64 = 24.0;
/// What a precision is first judged by, so the least that it takes.
const LEAST_FOR_PRECISION: f64 = 20.0;
/// Above this a run is begun on trial, to know what it takes on this machine.
const WORTH_A_TRIAL_S: f64 = 60.0;
/// For so long, each scenario that is so much of the whole.
const TRIAL: Duration = Duration::from_millis(300);
const WORTH_A_TRIAL_SHARE: f64 = 0.05;
/// Above this a run is announced.
const LONG_S: f64 = 5.0 * 60.0;
/// Above this it is refused.
const TOO_LONG_S: f64 = 24.0 * 3_600.0;
/// What a machine is taken to have that does not say.
const ASSUMED_MEMORY: f64 = 16.0 * GIB;
const GIB: f64 = (1_u64 << 30) as f64;
/// What the counters of one replication take, histograms and timeline bins included.
const BYTES_A_TALLY: f64 = 256.0 * 1024.0;
/// What the results of a host with its clients take, of a client more, and the program itself: 5,000 hosts of
/// one client took 152 MB.
const BYTES_A_HOST: f64 = 24.0 * 1024.0;
const BYTES_A_CLIENT: f64 = 4.0 * 1024.0;
const BYTES_OF_THE_PROGRAM: f64 = 16.0 * 1024.0 * 1024.0;

/// The cost of one or more scenarios.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Attempts to connect, all machines and replications.
    pub connections: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Memory.
    pub bytes: f64,
    /// Is that the least, because a precision may take any number of replications?
    pub least: bool,
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

/// The cost of running `scenarios` together on `threads` threads: predicted, and where that is long and
/// fits into `memory` bytes, timed on their first moments.
pub fn timed(scenarios: &[Scenario], threads: usize, memory: f64) -> Cost {
    let predicted = of(scenarios, threads);
    if predicted.seconds < WORTH_A_TRIAL_S || predicted.bytes > memory {
        return predicted;
    }
    let each: Vec<f64> = scenarios.iter().map(core_seconds).collect();
    let all: f64 = each.iter().sum();
    let timed = scenarios.iter().zip(each).map(|(scenario, predicted)| {
        let trial = (predicted > WORTH_A_TRIAL_SHARE * all).then(|| Trial::of(scenario)).flatten();
        trial.unwrap_or(predicted)
    });
    Cost { seconds: predicted.seconds * timed.sum::<f64>() / all, ..predicted }
}

/// The first moments of a run, on one core.
struct Trial {
    until: Instant,
    /// Of the whole run, in units of 2^-60.
    done: AtomicU64,
}

impl Trial {
    const WHOLE: f64 = (1_u64 << 60) as f64;

    /// Seconds that one core takes for `scenario`; `None` when nothing can be told so soon.
    fn of(scenario: &Scenario) -> Option<f64> {
        let core = rayon::ThreadPoolBuilder::new().num_threads(1).build().ok()?;
        let started = Instant::now();
        let trial = Self { until: started + TRIAL, done: AtomicU64::new(0) };
        core.install(|| replicate(&scenario.world, &scenario.settings, &trial));
        let done = trial.done.into_inner() as f64 / Self::WHOLE;
        (done > 0.0).then(|| started.elapsed().as_secs_f64() / done)
    }
}

impl Watch for Trial {
    fn advanced(&self, share: f64) {
        self.done.fetch_add((share * Self::WHOLE) as u64, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        Instant::now() > self.until
    }
}

/// The cost of running `scenarios` together on `threads` threads, as predicted from measurements.
fn of(scenarios: &[Scenario], threads: usize) -> Cost {
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
    let results = scenarios.iter().flat_map(|s| &s.world.hosts);
    let results: f64 =
        results.map(|host| BYTES_A_HOST + BYTES_A_CLIENT * host.clients.len() as f64).sum();
    Cost {
        connections,
        seconds: scenarios.iter().map(core_seconds).sum::<f64>() / busy,
        bytes: busy * (largest + BYTES_A_TALLY) + results + BYTES_OF_THE_PROGRAM,
        least: scenarios
            .iter()
            .any(|s| matches!(s.settings.replications, Replications::Precision(_))),
    }
}

impl Cost {
    /// What to do on a machine with `memory` bytes available.
    pub fn advice(&self, memory: f64) -> Advice {
        let takes = format!(
            "{} {} and {} for {} connections",
            if self.least { "at least" } else { "about" },
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

/// Memory that a run may take: what the machine has, or the least that this process may have of it.
pub fn available_memory() -> f64 {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| mem_available(&text));
    let address_space = read("/proc/self/limits").and_then(|text| address_space(&text));
    let limits = [address_space, cgroup_memory(&read)];
    limits.into_iter().flatten().fold(machine.unwrap_or(ASSUMED_MEMORY), f64::min)
}

/// `RLIMIT_AS`, as `ulimit -v` sets it.
fn address_space(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// What the control group leaves, as a container has it: version 2, then version 1.
fn cgroup_memory(read: &dyn Fn(&str) -> Option<String>) -> Option<f64> {
    let group = read("/proc/self/cgroup")?;
    let path = group.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").to_owned();
    let number = |path: String| read(&path)?.trim().parse::<f64>().ok();
    let directories = [format!("/sys/fs/cgroup{path}"), "/sys/fs/cgroup".to_owned()];
    let of_version_2 = directories.into_iter().find_map(|directory| {
        let most = number(format!("{directory}/memory.max"))?;
        Some(most - number(format!("{directory}/memory.current")).unwrap_or(0.0))
    });
    of_version_2.or_else(|| {
        let directory = "/sys/fs/cgroup/memory";
        let most = number(format!("{directory}/memory.limit_in_bytes"))?;
        Some(most - number(format!("{directory}/memory.usage_in_bytes")).unwrap_or(0.0))
    })
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
    let (size, ahead) = (Size::of(world, host), Ahead::of(world, host, settings));
    let attempts = attempts(world, host, settings);
    let shared = if size.plan.is_shared() {
        SHARED_S + DOUBLING_OF_EVENTS_S * (ahead.events / EVENTS_IN_CACHE).max(1.0).log2()
    } else {
        0.0
    };
    let each =
        ATTEMPT_S + DOUBLING_OF_CLIENTS_S * (host.clients.len().max(1) as f64).log2() + shared;
    // The bits are all filled; of the rest, only the pages that somebody comes by.
    let touched = size.last_uses().max(size.owners()).min(attempts * PAGE_BYTES);
    let filled = LEAST_SET_UP_BYTES + size.bitmaps() + touched;
    attempts * each + filled / SET_UP_BYTES_A_S
}

/// What one machine takes while it runs.
fn machine_bytes(world: &World, host: &Host, settings: &RunSettings) -> f64 {
    let (size, ahead) = (Size::of(world, host), Ahead::of(world, host, settings));
    let pools = f64::from(size.plan.pools());
    // The load of every client on every pool, and what stands at the start.
    let start = match settings.start {
        Start::Empty => 0.0,
        Start::Stationary => pools * (24.0 + 8.0 * host.clients.len() as f64),
    };
    let records = if size.plan.is_shared() { ahead.held * RECORD_BYTES } else { 0.0 };
    let ports = size.bitmaps() + size.last_uses() + size.owners() + size.users();
    ports + pools * 24.0 + records + ahead.bytes + start
}

/// The tables of one machine, whose rows are pools, tuples or addresses.
struct Size {
    plan: PoolPlan,
    /// Ports in each row: the range, and ports of the clients' own choice.
    ports: f64,
}

impl Size {
    fn of(world: &World, host: &Host) -> Self {
        let mut targets: Vec<usize> =
            host.clients.iter().flat_map(|c| c.targets.iter().map(|t| t.destination)).collect();
        targets.sort_unstable();
        targets.dedup();
        let endpoints = targets.iter().map(|&target| world.destinations[target].endpoints).sum();
        let chosen: usize = host.clients.iter().map(|c| c.socket.source_ports.ports().len()).sum();
        let ports = f64::from(host.ports.num_ephemeral()) + chosen as f64;
        Self { plan: PoolPlan::of(host, endpoints), ports }
    }

    /// A bit a port, and where sockets take ports from each other, three more rows and one for each
    /// address.
    fn bitmaps(&self) -> f64 {
        let rows = if self.plan.is_shared() {
            f64::from(self.plan.rows()) + f64::from(self.plan.sources()) + 3.0
        } else {
            f64::from(self.plan.pools())
        };
        rows * self.ports / 8.0
    }

    /// When each port of each pool was last taken.
    fn last_uses(&self) -> f64 {
        f64::from(self.plan.pools()) * self.ports * 4.0
    }

    /// Who has each port towards each tuple.
    fn owners(&self) -> f64 {
        if self.plan.is_shared() { f64::from(self.plan.rows()) * self.ports * 4.0 } else { 0.0 }
    }

    /// How many use each port of each address, by their options, and each port.
    fn users(&self) -> f64 {
        let each = f64::from(self.plan.sources()) * 16.0 + 8.0;
        if self.plan.is_shared() { each * self.ports } else { 0.0 }
    }

    /// Connections that there may be at once.
    fn places(&self) -> f64 {
        f64::from(self.plan.pools().max(self.plan.rows())) * self.ports
    }
}

/// What lies ahead of one machine when most does.
struct Ahead {
    /// Connections that hold a port.
    held: f64,
    /// Entries of the calendar.
    events: f64,
    /// Memory of the calendar.
    bytes: f64,
}

impl Ahead {
    fn of(world: &World, host: &Host, settings: &RunSettings) -> Self {
        let size = Size::of(world, host);
        let duration = settings.duration.as_secs_f64();
        let attempts = theory::attempts(world, host, duration);
        let rate: f64 = attempts.iter().sum::<f64>() / duration;
        let offered = host.clients.iter().zip(attempts).map(|(client, attempts)| {
            attempts / duration * HoldLaw::of(world, host, client).limited_mean_s(duration)
        });
        let offered: f64 = offered.sum();
        let held = offered.min(size.places());
        let longest = typical_hold(world, host).min(settings.duration).as_secs_f64().max(1e-9);
        // Where sockets share ports, the end of a TIME-WAIT stays ahead when it was taken over.
        let shared = size.plan.is_shared();
        let opens = if offered > 0.0 { rate * held / offered } else { 0.0 };
        let events = if shared { held.max(opens * longest) } else { held };
        // A list has room for twice what is in it at most, be it many short ones or few long ones.
        let lists = (events / ENTRIES_A_LIST).clamp(16.0, MOST_LISTS);
        let entry = if shared { EVENT_BYTES } else { RELEASE_BYTES };
        Self { held, events, bytes: 2.0 * events * entry + lists * LIST_BYTES }
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
        Cost { connections: seconds * 40e6, seconds, bytes, least: false }
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
    fn sockets_that_take_ports_from_each_other_cost_more_time_and_memory() {
        let plain = format!("{CLIENT} [host.h]\n");
        let mixed = format!(
            "{plain} [client.bound]\n binds = 'bind'\n
            arrivals = {{ process = 'poisson', rate = '100 / s' }}\n lifetime = '200 ms'\n"
        );
        let each = |s: &Scenario| core_seconds(s) / connections(s);
        let long = |text: String| scenario(&text.replace("'1 s'", "'1 h'"));
        let [plain, mixed] = [plain, mixed].map(long);
        let dearer = each(&mixed) - each(&plain);
        assert!((SHARED_S..SHARED_S + 0.1e-6).contains(&dearer), "{dearer}");
        let bytes = |s: &Scenario| machine_bytes(&s.world, &s.world.hosts[0], &s.settings);
        // Users of each port, owners of one row of ports, last uses of a second, and records.
        assert!(bytes(&mixed) > bytes(&plain) + 28_232.0 * 24.0, "{}", bytes(&mixed));
    }

    #[test]
    fn a_calendar_has_room_for_what_is_ahead() {
        // Measured: 70 MiB for 2.3 million connections on the timer grid of Linux, 300 s.
        let text = "[client.fetcher]
            arrivals = { process = 'poisson', rate = '36430 / s' }
            lifetime = { distribution = 'exponential', mean = '1 s' }
            [destination.d]
            endpoints = 100
            [run]
            duration = '300 s'
            replications = 1\n";
        let cost = of(&[scenario(text)], 1);
        let mib = cost.bytes / (1024.0 * 1024.0);
        assert!((50.0..140.0).contains(&mib), "{mib} MiB");
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
    fn a_long_run_is_timed_on_its_first_moments() {
        let long = scenario(&format!("{}\n[host.h]", CLIENT.replace("'1 s'", "'1000 d'")));
        let predicted = of(std::slice::from_ref(&long), 2);
        let timed = timed(std::slice::from_ref(&long), 2, 16.0 * GIB);
        assert_ne!(timed.seconds, predicted.seconds);
        assert_eq!(Cost { seconds: 1.0, ..timed }, Cost { seconds: 1.0, ..predicted });
        // Whatever this machine is busy with and however this test was built.
        let ratio = timed.seconds / predicted.seconds;
        assert!((0.01..1_000.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn more_memory_than_there_is_is_refused() {
        let Advice::Refuse(message) = cost(1.0, 32.0 * GIB).advice(16.0 * GIB) else { panic!() };
        assert!(message.contains("32 GiB"), "{message}");
        assert!(message.contains("16 GiB of memory are available"), "{message}");
    }

    #[test]
    fn limits_of_the_process_and_its_group_are_known() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max address space         2147483648           unlimited            bytes\n";
        assert_eq!(address_space(limits), Some(2_147_483_648.0));
        assert_eq!(address_space(&limits.replace("2147483648", "unlimited ")), None);
        let files = |path: &str| {
            let text = match path {
                "/proc/self/cgroup" => "0::/app\n",
                "/sys/fs/cgroup/app/memory.max" => "1073741824\n",
                "/sys/fs/cgroup/app/memory.current" => "73741824\n",
                _ => return None,
            };
            Some(text.to_owned())
        };
        assert_eq!(cgroup_memory(&files), Some(1e9));
        assert_eq!(cgroup_memory(&|_: &str| None), None);
    }

    #[test]
    fn a_precision_is_told_as_a_least() {
        let text = CLIENT.replace("replications = 10", "precision = '0.1 %'");
        let cost = Cost { seconds: 400.0, ..of(&[scenario(&text)], 1) };
        let Advice::Announce(message) = cost.advice(16.0 * GIB) else { panic!() };
        assert!(message.contains("at least 6.67 min"), "{message}");
    }

    #[test]
    fn available_memory_is_read_in_kibibytes() {
        assert_eq!(mem_available("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2_097_152.0));
        assert_eq!(mem_available("MemTotal: 9 kB\n"), None);
        assert!(available_memory() > 0.0);
    }
}
