//! A world built by hand, written as a scenario: the readers of scenarios then check it, and say what is wrong
//! with it in the same words, pointing at the line that they would not have taken.
//!
//! Written is what differs from a machine with the newest Linux. Recorded attempts and samples cannot be
//! written; a stand-in takes their place in the text, and what is peculiar to them is checked here.

use std::fmt::Write as _;

use super::keys::{
    ADDRESS_CHOICES, BINDS, COUNTS, ENDINGS, GATEWAY_KEYS, IDLE_CHECKS, NAT_EXHAUSTED,
    NAT_SELECTIONS, NOTICES, NatKeyWord, OVERFLOWS, PICKS, REUSE_KEYS, SELECTIONS, SHARE_GROWTHS,
    SPACINGS, STARTS, TAKES,
};
use super::load::parse;
use super::preset::Preset;
use super::read::{host as read_host, out_of_kind};
use super::text::problem::{Problem, Problems};
use super::text::walk::Walk;
use super::written::Text;
use super::{Scenario, duration};
use crate::model::nat::{NatShare, NatTimers};
use crate::model::{
    Arrivals, Binds, Change, Client, Destination, Distribution, FixedPort, Gateway, Host,
    KeepAlive, NatKey, PortSet, Replications, Retries, RunSettings, Spacing, SquatterAddress,
    SynTimeout, TimerGrid, TraceAttempt, TwReuse, World,
};
use crate::units::{SimDuration, SimTime};

/// What messages call the text of a world built by hand.
const ORIGIN: &str = "the world as a scenario";

impl Preset {
    /// A machine with these defaults: one source address, nothing reserved, no clients yet.
    ///
    /// # Panics
    /// When the preset makes no machine: the program was built wrong.
    ///
    /// ```
    /// let windows = portsim::scenario::preset("windows").unwrap();
    /// assert_eq!(windows.host("frontend").usable_ports(), 16_384);
    /// ```
    #[must_use]
    pub fn host(&self, name: &str) -> Host {
        let walk = Walk::default();
        let host = read_host::of_preset(&walk, self, name);
        host.unwrap_or_else(|| panic!("preset {} makes no host", self.name))
    }
}

impl Scenario {
    /// The scenario of a world built by hand, checked as one that was written.
    ///
    /// # Errors
    /// All that is wrong with it at once.
    ///
    /// ```
    /// use portsim::{Client, Host, RunSettings, Scenario, SimDuration, World};
    /// let fetcher = Client::poisson("fetcher", 600.0, SimDuration::from_millis(200));
    /// let host = Host { addresses: 0, clients: vec![fetcher], ..Host::linux("crawler") };
    /// let settings = RunSettings::of(SimDuration::from_secs(600));
    /// let problems = Scenario::of(World::of(host), settings).unwrap_err();
    /// assert_eq!(problems.iter().next().unwrap().message(), "addresses = 0 is not possible");
    /// ```
    pub fn of(world: World, settings: RunSettings) -> Result<Self, Problems> {
        let read = read(&world, &settings)?;
        // Its text would not bring back what stands in for a record.
        Ok(Self { world, settings, text: Text::default(), ..read })
    }

    /// Checks its world and settings as they are now.
    ///
    /// # Errors
    /// All that is wrong with them at once.
    pub fn check(&self) -> Result<(), Problems> {
        read(&self.world, &self.settings).map(drop)
    }
}

/// What the readers make of a world.
fn read(world: &World, settings: &RunSettings) -> Result<Scenario, Problems> {
    let problems: Vec<Problem> = beyond_text(world).into_iter().map(Problem::nowhere).collect();
    if !problems.is_empty() {
        return Err(Problems { problems, ..Problems::default() });
    }
    let name = world.hosts.first().map_or("world", |host| &host.name);
    let scenario = parse(name, ORIGIN, written(world, settings), &[])?;
    for change in &world.changes {
        read(&change.world, settings)?;
    }
    Ok(scenario)
}

/// What is wrong with a world that no text could say.
fn beyond_text(world: &World) -> Vec<String> {
    let mut wrong: Vec<String> =
        world.changes.iter().filter_map(|change| wrong_change(world, change)).collect();
    let known = world.gateways.len();
    let mut served = |what: &str, name: &str, by: Option<usize>| {
        if let Some(by) = by.filter(|&by| by >= known) {
            wrong.push(format!("{what} `{name}` is served by gateway {by}, but there are {known}"));
        }
    };
    world.hosts.iter().for_each(|host| served("host", &host.name, host.gateway));
    world.gateways.iter().for_each(|one| served("gateway", &one.name, one.gateway));
    for client in world.hosts.iter().flat_map(|host| &host.clients) {
        let mut say = |what: String| wrong.push(format!("client `{}` {what}", client.name));
        let known = world.destinations.len();
        for target in client.targets.iter().filter(|target| target.destination >= known) {
            say(format!("connects to destination {}, but there are {known}", target.destination));
        }
        if client.targets.is_empty() {
            say("connects to no destination".to_owned());
        }
        if client.closes.is_empty() {
            say("never says how its connections end".to_owned());
        }
        let mut laws = vec![&client.lifetime, &client.second_fin];
        match &client.arrivals {
            Arrivals::ClosedLoop { think, .. } => laws.push(think),
            Arrivals::Trace(attempts) => wrong_record(world, client, attempts).for_each(&mut say),
            Arrivals::RecordedLoop { requests, .. } => {
                wrong_record(world, client, requests).for_each(&mut say);
            }
            _ => {}
        }
        if laws.iter().any(|law| matches!(law, Distribution::Empirical(all) if all.is_empty())) {
            say("draws from no samples".to_owned());
        }
    }
    wrong
}

/// What is wrong with a change beside what is wrong with its world.
fn wrong_change(world: &World, change: &Change) -> Option<String> {
    let names = |world: &World| -> Vec<String> {
        let of_host = |host: &Host| {
            let clients = host.clients.iter().map(|client| client.name.clone());
            std::iter::once(host.name.clone()).chain(clients).collect::<Vec<String>>()
        };
        let destinations = world.destinations.iter().map(|to| to.name.clone());
        world.hosts.iter().flat_map(of_host).chain(destinations).collect()
    };
    let what = if !change.world.changes.is_empty() {
        "holds changes of its own".to_owned()
    } else if names(world) != names(&change.world) {
        "has other hosts, clients or destinations, or in another order".to_owned()
    } else {
        out_of_kind(world, &change.world)?
    };
    Some(format!("the change at {}: {what}", change.at))
}

fn wrong_record<'a>(
    world: &'a World,
    client: &'a Client,
    attempts: &'a [TraceAttempt],
) -> impl Iterator<Item = String> + use<'a> {
    let endpoints = |number: usize| {
        let target = client.targets.get(number)?;
        world.destinations.get(target.destination).map(|to| to.endpoints)
    };
    let late = attempts.windows(2).find(|pair| pair[1].at < pair[0].at);
    let late =
        late.map(|pair| format!("has an attempt at {} after one at {}", pair[1].at, pair[0].at));
    let beyond =
        |(to, endpoint): &(u16, u32)| endpoints(usize::from(*to)).is_none_or(|n| *endpoint >= n);
    let nowhere = attempts.iter().filter_map(|attempt| attempt.to).find(beyond);
    let nowhere = nowhere.map(|(to, endpoint)| {
        format!("has an attempt to endpoint {endpoint} of its target {to}, which is not there")
    });
    late.into_iter().chain(nowhere)
}

/// The text of a scenario with this world.
fn written(world: &World, settings: &RunSettings) -> String {
    let mut text = String::new();
    let RunSettings { duration, warm_up, start, seed, replications } = settings;
    let often = match replications {
        Replications::Fixed(count) => format!("replications = {count}"),
        Replications::Precision(share) => format!("precision = {share:?}"),
    };
    put(&mut text, "[run]".to_owned());
    put(&mut text, format!("duration = {}", span(*duration)));
    put(&mut text, format!("warm_up = {}", span(*warm_up)));
    put(&mut text, format!("start = {}\nseed = {seed}\n{often}", word(STARTS, start)));
    for host in &world.hosts {
        put(&mut text, format!("\n[host.{}]", quoted(&host.name)));
        lines_of_host(&mut text, host);
    }
    for Destination { name, endpoints, pick, answers, loopback, keeps } in &world.destinations {
        put(&mut text, format!("\n[destination.{}]\nendpoints = {endpoints}", quoted(name)));
        put(&mut text, format!("pick = {}", word(PICKS, pick)));
        put(&mut text, format!("answers = {answers}\nloopback = {loopback}"));
        put(&mut text, format!("idle_timeout = {}", time_or(keeps.idle_timeout, "never")));
        let most = count_or(keeps.requests_per_connection, "none");
        put(&mut text, format!("requests_per_connection = {most}"));
    }
    for (number, gateway) in world.gateways.iter().enumerate() {
        put(&mut text, format!("\n[gateway.{}]", quoted(&gateway.name)));
        lines_of_gateway(&mut text, world, number, gateway);
    }
    for host in &world.hosts {
        for client in &host.clients {
            put(&mut text, format!("\n[client.{}]", quoted(&client.name)));
            put(&mut text, format!("on = {}", quoted(&host.name)));
            lines_of_client(&mut text, world, client);
        }
    }
    text
}

fn put(text: &mut String, line: String) {
    text.push_str(&line);
    text.push('\n');
}

fn lines_of_gateway(text: &mut String, world: &World, number: usize, gateway: &Gateway) {
    let Gateway { nat, key, timers, .. } = gateway;
    let (hosts, others) = world.served_by(number);
    let hosts = hosts.iter().map(|&host| &world.hosts[host].name);
    let others = others.iter().map(|&other| &world.gateways[other].name);
    let serves: Vec<String> = hosts.chain(others).map(|name| quoted(name)).collect();
    put(text, format!("serves = [{}]\naddresses = {}", serves.join(", "), nat.addresses));
    if let Some(ports) = nat.ports {
        put(text, format!("ports = \"{ports}\""));
    }
    put(text, format!("address_choice = {}", word(ADDRESS_CHOICES, &nat.choice)));
    let key = match key {
        NatKey::Endpoint => NatKeyWord::Endpoint,
        NatKey::Destination => NatKeyWord::Destination,
        NatKey::None => NatKeyWord::EndpointIndependent,
    };
    put(text, format!("key = {}", word(GATEWAY_KEYS, &key)));
    put(text, format!("selection = {}", word(NAT_SELECTIONS, &nat.selection)));
    put(text, format!("evicts_closing = {}", nat.evicts_closing));
    put(text, format!("evicts_unanswered = {}", nat.evicts_unanswered));
    put(text, format!("on_exhaustion = {}", word(NAT_EXHAUSTED, &nat.exhausted)));
    put(text, format!("most_each = {}", count_or(nat.most_each, "unlimited")));
    put(text, format!("most_entries = {}", count_or(nat.most_entries, "unlimited")));
    if let Some(NatShare { base, block, most, doubles, idle }) = nat.share {
        put(text, format!("share = {base}\nshare_most = {most}\nshare_block = {block}"));
        let grows = word(SHARE_GROWTHS, &doubles);
        put(text, format!("share_grows = {grows}\nshare_idle = {}", span(idle)));
    }
    let NatTimers { half_open, idle, half_closed, fin, reset } = timers;
    let timers = [
        ("half_open", half_open),
        ("idle", idle),
        ("half_closed", half_closed),
        ("fin", fin),
        ("reset", reset),
    ];
    let timers = timers.map(|(key, time)| format!("{key} = {}", span(*time)));
    put(text, format!("timers = {{ {} }}", timers.join(", ")));
}

fn lines_of_host(text: &mut String, host: &Host) {
    let usual = Host::linux("").tcp;
    let (tcp, after) = (&host.tcp, matches!(host.tcp.syn, SynTimeout::After(_)));
    put(text, format!("preset = \"{}\"", if after { "iana" } else { "linux" }));
    put(text, format!("count = {}\naddresses = {}", host.count, host.addresses));
    put(text, format!("ports = \"{}\"\nreserved = {}", host.ports, ports(&host.reserved)));
    let mut listeners = vec![format!("any = {}", ports(&host.listeners))];
    listeners.extend(host.squatters.iter().map(|squatter| match squatter.on {
        SquatterAddress::Other => format!("other = {}", ports(&squatter.ports)),
        SquatterAddress::Source(number) => {
            format!("{} = {}", u64::from(number) + 1, ports(&squatter.ports))
        }
    }));
    put(text, format!("listeners = {{ {} }}", listeners.join(", ")));
    if let Some(FixedPort { port, at, every, reuse_address }) = host.server {
        let (at, every) = (span(at.since(SimTime::START)), span(every));
        let server = format!(
            "server = {{ port = {port}, at = {at}, every = {every}, reuse_address = {reuse_address} }}"
        );
        put(text, server);
    }
    put(text, format!("time_wait = {}", span(host.time_wait)));
    let hz = match host.timer_grid {
        TimerGrid::Exact => 0,
        TimerGrid::LinuxWheel { hz } => hz,
    };
    put(text, format!("hz = {hz}\nselection = {}", word(SELECTIONS, &host.selection)));
    put(text, format!("reuse_key = {}", word(REUSE_KEYS, &host.reuse_key)));
    if let Some(cost) = host.search_cost {
        let (connect, probe) = (span(cost.connect), span(cost.probe));
        put(text, format!("search_cost = {{ connect = {connect}, probe = {probe} }}"));
    }
    match tcp.syn {
        SynTimeout::After(timeout) => {
            let (timeout, fin_wait_2) = (span(timeout), span(tcp.fin_timeout));
            put(text, format!("connect_timeout = {timeout}\nfin_wait_2 = {fin_wait_2}"));
            return;
        }
        SynTimeout::Linux { retries, linear_timeouts } => {
            put(text, format!("tcp_syn_retries = {retries}"));
            put(text, format!("tcp_syn_linear_timeouts = {linear_timeouts}"));
        }
    }
    let reuse = match tcp.tw_reuse {
        TwReuse::Never => 0,
        TwReuse::Always => 1,
        TwReuse::Loopback => 2,
    };
    put(text, format!("tcp_tw_reuse = {reuse}\ntcp_timestamps = {}", u8::from(tcp.timestamps)));
    // Before 6.14 there was no delay, which nobody can write.
    if tcp.tw_reuse_delay != usual.tw_reuse_delay && !tcp.tw_reuse_delay.is_zero() {
        put(text, format!("tcp_tw_reuse_delay = {}", span(tcp.tw_reuse_delay)));
    }
    put(text, format!("tw_reuse_clock = {}", span(tcp.tw_reuse_clock)));
    put(text, format!("tcp_fin_timeout = {}", span(tcp.fin_timeout)));
    put(text, format!("ip_autobind_reuse = {}", u8::from(tcp.autobind_reuse)));
    put(text, format!("buckets_reopen = {}", tcp.buckets_reopen));
    put(text, format!("narrow_range_by_one = {}", tcp.narrow_range_by_one));
    if let Some(most) = tcp.max_tw_buckets {
        put(text, format!("tcp_max_tw_buckets = {most}"));
    }
}

fn lines_of_client(text: &mut String, world: &World, client: &Client) {
    let to = client
        .targets
        .iter()
        .map(|to| (quoted(&world.destinations[to.destination].name), to.weight));
    let closes = client.closes.iter().map(|(ending, weight)| (word(ENDINGS, ending), *weight));
    put(text, format!("to = {}\ncloses = {}", weights(to), weights(closes)));
    let [when, how_long] = match &client.pool {
        Some(pool) => {
            put(text, format!("pool = {}", pool_table(pool)));
            ["requests", "service"]
        }
        None => ["arrivals", "lifetime"],
    };
    if let Some(retries) = &client.retries {
        put(text, format!("retries = {}", retries_table(retries)));
    }
    put(text, format!("{when} = {}", arrivals(&client.arrivals)));
    put(text, format!("{how_long} = {}", law(&client.lifetime)));
    put(text, format!("second_fin_after = {}", law(&client.second_fin)));
    let socket = &client.socket;
    put(
        text,
        match client.binds {
            Binds::Port => format!("binds = {{ ports = {} }}", ports(&socket.source_ports)),
            binds => format!("binds = {}", word(BINDS, &binds)),
        },
    );
    put(
        text,
        format!("reuse_address = {}\nreuse_port = {}", socket.reuse_address, socket.reuse_port),
    );
    if let Some(range) = socket.port_range {
        put(text, format!("port_range = \"{range}\""));
    }
    if let Some(number) = socket.address {
        put(text, format!("address = {}", u64::from(number) + 1));
    }
}

/// A pool as the keys of `pool = { ... }`; who closes is told by the client's own `closes`.
fn pool_table(pool: &KeepAlive) -> String {
    let keys = [
        ("max_idle", count_or(pool.max_idle, "all")),
        ("max_idle_total", count_or(pool.max_idle_total, "all")),
        ("counts", word(COUNTS, &pool.counts)),
        ("overflow", word(OVERFLOWS, &pool.overflow)),
        ("take", word(TAKES, &pool.take)),
        ("max_connections", count_or(pool.max_connections, "none")),
        ("queue_timeout", time_or(pool.queue_timeout, "never")),
        ("request_timeout", time_or(pool.request_timeout, "never")),
        ("idle_timeout", time_or(pool.idle_timeout, "never")),
        ("idle_check", word(IDLE_CHECKS, &pool.idle_check)),
        ("late_binding", pool.late_binding.to_string()),
        ("requests_per_connection", count_or(pool.requests_per_connection, "none")),
        ("streams", pool.streams.to_string()),
        ("notices", word(NOTICES, &pool.notices)),
        ("return_lag", span(pool.return_lag)),
        ("turnaround", span(pool.turnaround)),
    ];
    let keys = keys.map(|(key, value)| format!("{key} = {value}"));
    format!("{{ {} }}", keys.join(", "))
}

fn retries_table(retries: &Retries) -> String {
    let mut keys = format!(
        "attempts = {}, backoff = {}, factor = {:?}, max_backoff = {}, jitter = {:?}, deadline = {}, stop_after = {}",
        retries.attempts,
        span(retries.backoff),
        retries.factor,
        time_or(retries.max_backoff, "none"),
        retries.jitter,
        time_or(retries.deadline, "none"),
        count_or(retries.stop_after, "never"),
    );
    if let Some(budget) = retries.budget {
        let _ = write!(keys, ", budget = {budget:?}");
    }
    format!("{{ {keys} }}")
}

fn count_or(count: Option<u32>, none: &str) -> String {
    count.map_or_else(|| format!("\"{none}\""), |count| count.to_string())
}

fn time_or(time: Option<SimDuration>, none: &str) -> String {
    time.map_or_else(|| format!("\"{none}\""), span)
}

fn arrivals(arrivals: &Arrivals) -> String {
    match arrivals {
        Arrivals::Poisson { rate_per_s } => rate("poisson", *rate_per_s),
        Arrivals::Constant { rate_per_s } => rate("constant", *rate_per_s),
        Arrivals::Batches { every, size, spacing } => {
            let spacing: &Spacing = spacing;
            let (every, spacing) = (span(*every), word(SPACINGS, spacing));
            format!(
                "{{ process = \"batches\", every = {every}, size = {size}, spacing = {spacing} }}"
            )
        }
        Arrivals::Moving { rates, spacing } => {
            let points = rates.points.iter().map(|(at, rate)| {
                format!(
                    "{{ at = {}, rate = \"{rate} / s\" }}",
                    span(SimDuration::from_secs_f64(*at))
                )
            });
            let points = points.collect::<Vec<_>>().join(", ");
            let repeat = time_or(rates.repeat.map(SimDuration::from_secs_f64), "never");
            let (ramps, spacing) = (rates.ramps, word(SPACINGS, spacing));
            format!(
                "{{ process = \"rates\", rates = [{points}], ramps = {ramps}, repeat = {repeat}, spacing = {spacing} }}"
            )
        }
        Arrivals::OnOff { rates_per_s: [on, off], lasts } => {
            let [burst, pause] = lasts.map(span);
            format!(
                "{{ process = \"on-off\", rate = \"{on} / s\", pause_rate = \"{off} / s\", burst = {burst}, pause = {pause} }}"
            )
        }
        Arrivals::ClosedLoop { workers, think } => {
            format!("{{ process = \"closed-loop\", workers = {workers}, think = {} }}", law(think))
        }
        Arrivals::Trace(attempts) => rate("constant", attempts.len().max(1) as f64 * 1e-9),
        Arrivals::RecordedLoop { workers, .. } => {
            format!("{{ process = \"closed-loop\", workers = {workers}, think = \"0 s\" }}")
        }
    }
}

fn rate(process: &str, rate_per_s: f64) -> String {
    format!("{{ process = \"{process}\", rate = \"{rate_per_s} / s\" }}")
}

fn law(law: &Distribution) -> String {
    let table = |kind: &str, rest: String| format!("{{ distribution = \"{kind}\", {rest} }}");
    match law {
        Distribution::Constant(value) => span(*value),
        Distribution::Exponential { mean } => {
            table("exponential", format!("mean = {}", span(*mean)))
        }
        Distribution::Lognormal { mean, sigma } => {
            table("lognormal", format!("mean = {}, sigma = {sigma:?}", span(*mean)))
        }
        Distribution::Pareto { minimum, shape } => {
            table("pareto", format!("minimum = {}, shape = {shape:?}", span(*minimum)))
        }
        Distribution::Uniform { min, max } => {
            table("uniform", format!("min = {}, max = {}", span(*min), span(*max)))
        }
        Distribution::Empirical(_) => span(SimDuration::from_secs(1)),
    }
}

/// A table of weights, those of the same name together.
fn weights(all: impl Iterator<Item = (String, f64)>) -> String {
    let mut sums: Vec<(String, f64)> = Vec::new();
    for (name, weight) in all {
        match sums.iter_mut().find(|sum| sum.0 == name) {
            // A weight that is none stays to be seen.
            Some(sum) if weight > 0.0 && sum.1 > 0.0 => sum.1 += weight,
            Some(sum) => sum.1 = sum.1.min(weight),
            None => sums.push((name, weight)),
        }
    }
    let parts: Vec<String> =
        sums.iter().map(|(name, weight)| format!("{name} = {weight:?}")).collect();
    format!("{{ {} }}", parts.join(", "))
}

/// A span as people write it, where that is exact.
fn span(span: SimDuration) -> String {
    let text = span.to_string();
    match duration(&text) {
        Some(read) if read == span => format!("\"{text}\""),
        _ => format!("\"{} ns\"", span.as_nanos()),
    }
}

fn ports(ports: &PortSet) -> String {
    let mut text = String::from("[");
    for port in ports.ports() {
        write!(text, "{port}, ").expect("writing into memory cannot fail");
    }
    text + "]"
}

/// What a scenario calls `meant`.
fn word<T: PartialEq>(words: &[(&'static str, T)], meant: &T) -> String {
    let found = words.iter().find(|(_, meaning)| meaning == meant);
    quoted(found.expect("every value has a word").0)
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ if letter.is_control() => {
                write!(quoted, "\\U{:08X}", u32::from(letter))
                    .expect("writing into memory cannot fail");
            }
            _ => quoted.push(letter),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{load, presets};

    fn crawler(client: Client) -> World {
        World::of(Host { clients: vec![client], ..Host::linux("crawler") })
    }

    fn fetcher() -> Client {
        Client::poisson("fetcher", 600.0, SimDuration::from_millis(200))
    }

    fn told(world: World) -> String {
        let settings = RunSettings::of(SimDuration::from_secs(60));
        Scenario::of(world, settings).unwrap_err().render(false)
    }

    /// Goal: what is written says the same as the world.
    /// Method: each scenario of ours is read, written, and read again; and so is each preset.
    #[test]
    fn a_world_that_is_written_is_read_as_the_same() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut compared = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "toml") {
                continue;
            }
            let Scenario { mut world, settings, .. } = load(&path, &[]).unwrap();
            // Each world that it becomes is written by itself.
            world.changes.clear();
            let text = written(&world, &settings);
            let again =
                parse("again", ORIGIN, &text, &[]).unwrap_or_else(|p| panic!("{p}\n{text}"));
            let recorded = |client: &Client| matches!(client.arrivals, Arrivals::Trace(_));
            if !world.hosts.iter().flat_map(|host| &host.clients).any(recorded) {
                assert_eq!(again.world, world, "{text}");
                compared += 1;
            }
            assert_eq!(again.settings, settings);
            assert_eq!(Scenario::of(world.clone(), settings).unwrap().world, world);
        }
        assert!(compared > 10);
        for preset in presets() {
            let host = Host { clients: vec![fetcher()], ..preset.host("crawler") };
            let settings = RunSettings::of(SimDuration::from_secs(60));
            assert!(Scenario::of(World::of(host), settings).is_ok(), "{}", preset.name);
        }
    }

    #[test]
    fn a_world_that_cannot_be_run_is_told_as_a_scenario_would_be() {
        let host = |host: Host| told(World::of(Host { clients: vec![fetcher()], ..host }));
        let none = host(Host { addresses: 0, count: 0, ..Host::linux("crawler") });
        assert!(none.contains("addresses = 0 is not possible"), "{none}");
        assert!(none.contains("count = 0 is not possible"), "{none}");
        let taken = host(Host { listeners: (1..=u16::MAX).collect(), ..Host::linux("crawler") });
        assert!(taken.contains("has no port left"), "{taken}");
        let nan = told(crawler(Client {
            arrivals: Arrivals::Poisson { rate_per_s: f64::NAN },
            ..fetcher()
        }));
        assert!(nan.contains("NaN / s"), "{nan}");
        let idle = told(World::of(Host::linux("crawler")));
        assert!(idle.contains("no client"), "{idle}");
    }

    #[test]
    fn what_no_text_could_say_is_told_too() {
        let nowhere = told(World { destinations: Vec::new(), ..crawler(fetcher()) });
        assert!(nowhere.contains("connects to destination 0, but there are 0"), "{nowhere}");
        let never = told(crawler(Client { closes: Vec::new(), ..fetcher() }));
        assert!(never.contains("never says how its connections end"), "{never}");
        let lifetime = Distribution::Empirical([].into());
        let drawn = told(crawler(Client { lifetime, ..fetcher() }));
        assert!(drawn.contains("draws from no samples"), "{drawn}");
        let at = |secs| TraceAttempt {
            at: crate::units::SimTime::START + SimDuration::from_secs(secs),
            lifetime: None,
            to: Some((0, 1)),
            source: None,
            ending: None,
        };
        let recorded = Arrivals::Trace([at(2), at(1)].into());
        let recorded = told(crawler(Client { arrivals: recorded, ..fetcher() }));
        assert!(recorded.contains("at 1 s after one at 2 s"), "{recorded}");
        assert!(recorded.contains("endpoint 1 of its target 0"), "{recorded}");
    }
}
