//! A scenario as an experiment that a real kernel can make in real time: the very attempts of its first
//! replication, cut to the time there is and scaled to what one machine can do, or refused with the reason.

use std::collections::HashMap;

use super::attempt::Attempt;
use super::case::{Call, Case, Churn, Destinations, Experiment, How, Setup, SquatterKind};
use super::workers::{OwnPorts, Workers};
use crate::engine::{Job, recorded};
use crate::model::{
    Arrivals, Binds, Client, Distribution, Host, PortSet, ReuseKey, RunSettings, SquatterAddress,
    Start, SynTimeout, TcpSettings, TwReuse, World,
};
use crate::numbers;
use crate::theory;
use crate::units::{SimDuration, SimTime};

/// What an attempt costs on a kernel, client and server, roughly: a dozen system calls, and the ports that
/// a search over a full range looks at.
const ATTEMPT_S: f64 = 100e-6;
const PROBE_S: f64 = 100e-9;
/// So much of a core may go into attempts: on a busier one they come late, and are others than the model's.
const MOST_OF_A_CORE: f64 = 0.15;
/// A range is scaled down to no fewer ports than these.
const FEWEST_PORTS: u32 = 20;
/// More destinations than these have no listener each.
const MOST_DESTINATIONS: u32 = 2_000;
/// More ports than these are not listened on at once.
const MOST_SITTING: usize = 20_000;

/// A scenario made ready for a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveCase {
    /// The experiment.
    pub case: Case,
    /// What is otherwise than in the scenario, each a sentence.
    pub notes: Vec<String>,
}

/// Why a scenario cannot be run on a kernel, and what to do, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotForKernels(String);

/// Makes the scenario `name` ready, of which at most `limit` is run.
///
/// # Errors
/// Where no kernel can be asked for it.
pub fn live(
    name: &str,
    world: &World,
    settings: &RunSettings,
    limit: SimDuration,
) -> Result<LiveCase, NotForKernels> {
    ready(name, world, settings, limit).map_err(NotForKernels)
}

fn ready(
    name: &str,
    world: &World,
    settings: &RunSettings,
    limit: SimDuration,
) -> Result<LiveCase, String> {
    let [host] = &world.hosts[..] else {
        let count = world.hosts.len();
        return Err(format!(
            "it has {count} hosts, and one machine is run: keep one [host] with its clients"
        ));
    };
    let mut notes = Vec::new();
    refuse(world, host)?;
    let length = settings.duration.min(limit);
    if let Some(first) = world.changes.first()
        && first.at < SimTime::START + length
    {
        let until = first.at.since(SimTime::START);
        return Err(format!(
            "it changes in the middle of the run, and the kernel's part of it cannot: --for '{until}' runs what \
             comes before"
        ));
    }
    if length < settings.duration {
        notes.push(format!(
            "the first {length} of {} are run; --for makes it longer",
            settings.duration
        ));
    }
    if settings.start == Start::Stationary {
        notes.push("it starts empty: a kernel cannot start in the steady state".to_owned());
    }
    if host.count > 1 {
        notes.push(format!("one of its {} machines is run", host.count));
    }
    let workers = workers(world, settings, length);
    let attempts = match workers {
        Some(_) => Vec::new(),
        None => attempts(world, settings, length)?,
    };
    let made = match workers {
        Some(_) => theory::attempts(world, host, length.as_secs_f64()).iter().sum(),
        None => attempts.len() as f64,
    };
    let rate = made / length.as_secs_f64();
    let times = times(rate, host.usable_ports().into());
    if times > 1 && workers.is_some() {
        return Err(format!(
            "its workers make some {} attempts a second, more than one machine can make in time: write \
             fewer workers or a longer think",
            numbers::amount(rate.ceil())
        ));
    }
    if workers.is_some() {
        notes.push(
            "the model is asked for the very attempts that its workers came to make on the kernel"
                .to_owned(),
        );
    }
    let setup = setup(world, host, times, &mut notes)?;
    if times > 1 {
        notes.push(format!(
            "scaled 1:{times}: every {} attempt of each client to each endpoint, on {} of {} ports; what \
             is refused when stays about the same",
            ordinal(times),
            setup.n,
            host.usable_ports()
        ));
    }
    let attempts = thinned(attempts, times);
    let sitting = if times == 1 { sitting(host)? } else { Vec::new() };
    let mut hows: Vec<How> = host.clients.iter().map(how).collect();
    let churn = Churn {
        how: hows.remove(0),
        others: hows,
        to: Destinations { k: endpoints(world, host), by_address: false },
        sources: host.addresses,
        sitting,
        attempts,
        workers: workers.map(Box::new),
        trace: String::new(),
    };
    let case = Case {
        name: format!("scenario/{name}"),
        setup,
        experiment: Experiment::Churn(churn),
        measured: None,
        kernel: String::new(),
        notes: String::new(),
    };
    Ok(LiveCase { case, notes })
}

/// One of `times` attempts of each client from each source address to each endpoint: of all together they
/// might be those of one client or to one endpoint alone.
fn thinned(attempts: Vec<Attempt>, times: u32) -> Vec<Attempt> {
    let mut made: HashMap<(u16, Option<u32>, u32), u32> = HashMap::new();
    let keeps = |attempt: &Attempt| {
        let made = made.entry((attempt.how, attempt.source, attempt.destination)).or_default();
        *made += 1;
        (*made - 1).is_multiple_of(times)
    };
    attempts.into_iter().filter(keeps).collect()
}

/// How many times fewer attempts and ports there have to be for a kernel to keep up.
fn times(rate_per_s: f64, ports: f64) -> u32 {
    let busy = |times: f64| rate_per_s / times * (ATTEMPT_S + PROBE_S * ports / times);
    (1..).find(|&times| busy(f64::from(times)) <= MOST_OF_A_CORE).unwrap_or(1)
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Says what no kernel would do in real time, or not this one.
fn refuse(world: &World, host: &Host) -> Result<(), String> {
    let linux = host.is_linux() && host.reuse_key == ReuseKey::FourTuple;
    if !linux {
        return Err(
            "its host is not Linux: a kernel can only be held against preset = \"linux\"".into()
        );
    }
    if host.time_wait != SimDuration::from_secs(60) {
        let wait = host.time_wait;
        return Err(format!("its time_wait is {wait}, and no kernel's is but 60 s: leave it out"));
    }
    let used =
        host.clients.iter().flat_map(|client| &client.targets).map(|target| target.destination);
    for destination in used.clone().map(|index| &world.destinations[index]) {
        if !destination.answers {
            return Err(format!(
                "destination `{}` does not answer, which takes minutes a connection: the built-in \
                 cases syn-sent do that",
                destination.name
            ));
        }
    }
    host.clients.iter().try_for_each(refuse_client)
}

fn refuse_client(client: &Client) -> Result<(), String> {
    if client.retries.is_some() {
        return Err(format!(
            "client `{}` tries again what fails, which is not run on a kernel: take `retries` out",
            client.name
        ));
    }
    if client.pool.is_some() {
        return Err(format!(
            "client `{}` makes requests over connections that it keeps, and no kernel decides when it opens one: \
             write `arrivals` as often as it opens connections",
            client.name
        ));
    }
    let name = &client.name;
    if client.second_fin != Distribution::Constant(SimDuration::ZERO) {
        return Err(format!(
            "client `{name}` has a second_fin_after, which is not run on a kernel"
        ));
    }
    Ok(())
}

/// Those who make the attempts, where any of them waits for what becomes of the last.
fn workers(world: &World, settings: &RunSettings, length: SimDuration) -> Option<Workers> {
    let mut clients = world.hosts[0].clients.iter();
    clients.any(|client| matches!(client.arrivals, Arrivals::ClosedLoop { .. })).then(|| Workers {
        world: world.clone(),
        settings: *settings,
        until: SimTime::START + length,
    })
}

/// What listens or is bound on ports from the start.
fn sitting(host: &Host) -> Result<Vec<(SquatterKind, u16)>, String> {
    let listeners = host.listeners.ports().iter().map(|&port| (SquatterKind::ListenAny, port));
    let mut all: Vec<(SquatterKind, u16)> = listeners.collect();
    for squatter in &host.squatters {
        let kind = match squatter.on {
            SquatterAddress::Source(0) => SquatterKind::ListenSource,
            SquatterAddress::Other => SquatterKind::BoundOther,
            SquatterAddress::Source(number) => {
                return Err(format!(
                    "something sits on its source address {}, and only the first is tried: leave it out",
                    number + 1
                ));
            }
        };
        all.extend(squatter.ports.ports().iter().map(|&port| (kind, port)));
    }
    if all.len() > MOST_SITTING {
        return Err(format!(
            "{} ports are listened on, more than the {MOST_SITTING} that are tried: name fewer",
            all.len()
        ));
    }
    Ok(all)
}

/// The attempts of the scenario's first replication, unscaled.
fn attempts(
    world: &World,
    settings: &RunSettings,
    length: SimDuration,
) -> Result<Vec<Attempt>, String> {
    const MOST: usize = 20_000_000;
    let job = Job { world, settings, host: 0, machine: 0, replication: 0, timer_phase: None };
    let recorded = recorded(job, SimTime::START + length, MOST);
    if recorded.is_empty() {
        return Err(format!("nothing is attempted in its first {length}"));
    }
    if recorded.len() == MOST {
        return Err(format!("it makes more than {MOST} attempts in {length}: write a lower rate"));
    }
    let mut ports = OwnPorts::new(&world.hosts[0]);
    let attempts = recorded.into_iter().map(|attempt| {
        let mut attempt = Attempt::from(attempt);
        ports.give(&mut attempt);
        attempt
    });
    Ok(attempts.collect())
}

fn endpoints(world: &World, host: &Host) -> u32 {
    let mut used: Vec<usize> =
        host.clients.iter().flat_map(|client| &client.targets).map(|to| to.destination).collect();
    used.sort_unstable();
    used.dedup();
    used.iter().map(|&index| world.destinations[index].endpoints).sum()
}

fn how(client: &Client) -> How {
    How {
        call: match client.binds {
            Binds::Connect => Call::Connect,
            Binds::Bind | Binds::Port => Call::Bind,
            Binds::BindNoPort => Call::BindNoPort,
        },
        reuse_address: client.socket.reuse_address,
        reuse_port: client.socket.reuse_port,
        port_range: client
            .socket
            .port_range
            .map(|range| (range.min_ephemeral(), range.max_ephemeral())),
    }
}

/// The range and the sysctls, with one of `times` of the ports.
fn setup(world: &World, host: &Host, times: u32, notes: &mut Vec<String>) -> Result<Setup, String> {
    let k = endpoints(world, host);
    if k > MOST_DESTINATIONS {
        return Err(format!(
            "it connects to {k} endpoints, more than the {MOST_DESTINATIONS} that are listened on"
        ));
    }
    let usable = host.usable_ports();
    let usual = TcpSettings::default();
    let tcp = host.tcp;
    let own = |client: &&Client| client.socket.port_range.is_some() || client.binds == Binds::Port;
    if let Some(client) = host.clients.iter().find(own).filter(|_| times > 1) {
        return Err(format!(
            "it would have to be scaled 1:{times}, and the ports of client `{}` with it: write a lower \
             rate",
            client.name
        ));
    }
    // Before 6.14 the age of a TIME-WAIT is told in whole seconds, and there is no sysctl for it.
    let by_age = tcp.tw_reuse_clock == usual.tw_reuse_clock;
    if !by_age || !tcp.buckets_reopen || !tcp.narrow_range_by_one {
        notes.push(
            "its preset is an older kernel; model and kernel go by the rules of this one".into(),
        );
    }
    let reserved: PortSet = host.reserved.inside(host.ports).collect();
    let n = if times == 1 { host.ports.num_ephemeral() } else { (usable / times) & !1 };
    if n < FEWEST_PORTS.min(usable) {
        return Err(format!(
            "scaled 1:{times} it would have {n} ports left, too few to mean anything: write a lower rate"
        ));
    }
    if matches!(tcp.syn, SynTimeout::After(_)) {
        return Err("its connect_timeout is not one of Linux's".into());
    }
    Ok(Setup {
        lo: host.ports.min_ephemeral(),
        n,
        tw_reuse: tw_reuse(world, host)?,
        tw_reuse_delay: (by_age && tcp.tw_reuse_delay != usual.tw_reuse_delay)
            .then(|| (tcp.tw_reuse_delay.as_nanos() / 1_000_000) as u32),
        max_tw: tcp.max_tw_buckets.map(|most| most.div_ceil(times)),
        fin_timeout: (tcp.fin_timeout != usual.fin_timeout)
            .then(|| (tcp.fin_timeout.as_secs_f64()) as u32),
        timestamps: u8::from(tcp.timestamps),
        reserved: if times == 1 { listed(&reserved) } else { String::new() },
        autobind_reuse: u8::from(tcp.autobind_reuse),
    })
}

/// The sysctl that does over loopback what the scenario's does over its network: the experiment is made
/// over loopback, where the setting 2 takes TIME-WAITs over.
fn tw_reuse(world: &World, host: &Host) -> Result<u8, String> {
    let mut loopback = host
        .clients
        .iter()
        .flat_map(|client| &client.targets)
        .map(|target| world.destinations[target.destination].loopback);
    match host.tcp.tw_reuse {
        TwReuse::Never => Ok(0),
        TwReuse::Always => Ok(1),
        TwReuse::Loopback if loopback.clone().all(|here| here) => Ok(2),
        TwReuse::Loopback if loopback.any(|here| here) => {
            Err("some of its destinations are on loopback and some are not: keep one kind".into())
        }
        TwReuse::Loopback => Ok(0),
    }
}

/// As `net.ipv4.ip_local_reserved_ports` lists them.
fn listed(ports: &PortSet) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = ports.ports();
    while let Some((&first, _)) = rest.split_first() {
        let run = rest.iter().zip(first..).take_while(|(port, next)| **port == *next).count();
        let last = rest[run - 1];
        parts.push(if first == last { first.to_string() } else { format!("{first}-{last}") });
        rest = &rest[run..];
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    fn ready(text: &str) -> Result<LiveCase, String> {
        let scenario = scenario::parse("test", "test.toml", text, &[]).unwrap();
        let longest = SimDuration::from_secs(100);
        live("test", &scenario.world, &scenario.settings, longest).map_err(|why| why.to_string())
    }

    const SMALL: &str = "[host.h]
        ports = '40000-40099'
        reserved = ['40000-40004', 40007]
        [client.c]
        arrivals = { process = 'constant', rate = '3 / s' }
        lifetime = '1 s'\n";

    #[test]
    fn a_small_scenario_is_run_as_it_is_for_as_long_as_there_is_time() {
        let LiveCase { case, notes } = ready(SMALL).unwrap();
        let Experiment::Churn(churn) = &case.experiment else { panic!() };
        assert_eq!(churn.attempts.len(), 300);
        assert_eq!((case.setup.lo, case.setup.n), (40_000, 100));
        assert_eq!(case.setup.reserved, "40000-40004,40007");
        assert_eq!(case.setup.tw_reuse, 0, "elsewhere than on loopback nothing is taken over");
        assert_eq!(notes, ["the first 100 s of 10 min are run; --for makes it longer"]);
    }

    #[test]
    fn a_fast_one_is_scaled_down_with_its_ports() {
        let text = SMALL.replace("3 / s", "5000 / s").replace("40000-40099", "32768-60999");
        let LiveCase { case, notes } = ready(&text).unwrap();
        let Experiment::Churn(churn) = &case.experiment else { panic!() };
        // 5,000 / 12 attempts a second, each at most 100 us and 28,226 / 12 times 100 ns: 14 % of a core.
        assert_eq!(churn.attempts.len(), 500_000_usize.div_ceil(12));
        assert_eq!(case.setup.n, (28_226 / 12) & !1);
        assert!(
            notes[1].starts_with("scaled 1:12: every 12th attempt of each client"),
            "{notes:?}"
        );
    }

    #[test]
    fn what_no_kernel_can_do_is_refused_with_the_reason() {
        for (text, reason) in [
            (format!("{SMALL}[host.g]\npreset = 'windows'\n[client.d]\non = 'g'\narrivals = {{ process = 'constant', rate = '1 / s' }}\nlifetime = '1 s'").replace("[client.c]", "[client.c]\non = 'h'"), "2 hosts"),
            (SMALL.replace("[host.h]", "[host.h]\npreset = 'macos'"), "not Linux"),
            (SMALL.replace("[host.h]", "[host.h]\ntime_wait = '30 s'"), "no kernel's is but 60 s"),
            (SMALL.replace("process = 'constant', rate = '3 / s'", "process = 'closed-loop', workers = 9000, think = '1 s'"), "write fewer workers"),
        ] {
            let told = ready(&text).unwrap_err();
            assert!(told.contains(reason), "{told}");
        }
    }
}
