//! The oracle of real clients: what they did with a series of requests, held against the pools of their presets.
//!
//! `tests/oracle/clients/` has the requests as they were made (`traces/`) and what was counted at a server on the
//! same machine (`cases.json`). Each case is replayed by the scenario that a person would write for it. One line a
//! case is printed with `cargo test --test clients -- --nocapture`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portsim::engine::{Failed, Job, Observer, Opening, Release, Served, Workspace, run};
use portsim::model::{Arrivals, ServerKeeps, TraceAttempt};
use portsim::scenario::{Scenario, parse};
use portsim::stats::{HostTally, Window};
use portsim::units::{SimDuration, SimTime};
use rayon::prelude::*;
use serde_json::Value;

fn oracle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/clients")
}

/// One request of a trace.
#[derive(Clone, Copy, Debug)]
struct Request {
    at: SimTime,
    service: SimDuration,
    think: SimDuration,
}

fn trace(name: &str) -> Vec<Request> {
    let text = fs::read_to_string(oracle().join(format!("traces/{name}.csv"))).expect(name);
    let number = |cell: &str| cell.parse::<f64>().unwrap_or(0.0);
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        Request {
            at: SimTime::START + SimDuration::from_secs_f64(number(cells[1])),
            service: SimDuration::from_secs_f64(number(cells[2]) / 1e3),
            think: SimDuration::from_secs_f64(number(cells[3]) / 1e3),
        }
    };
    text.lines().skip(1).map(line).collect()
}

/// The pool of a case, as a scenario has it; or why it has none.
fn pool(case: &Value) -> Result<String, &'static str> {
    let client = &case["params"]["client"];
    let options = &client["options"];
    let mut keys: BTreeMap<&str, String> = BTreeMap::new();
    let number = |value: &Value| value.as_f64().map(|number| format!("{number}"));
    let millis = |value: &Value| value.as_f64().map(|ms| format!("\"{ms} ms\""));
    let secs = |value: &Value| value.as_f64().map(|secs| format!("\"{secs} s\""));
    let mut set = |key, value: Option<String>| drop(value.map(|value| keys.insert(key, value)));
    let off = |set: &mut dyn FnMut(&'static str, Option<String>), closes: &str| {
        set("max_idle", Some("0".to_owned()));
        set("closes", Some(format!("\"{closes}\"")));
    };
    let version = case["version"].as_str().expect("a version");
    let preset = match case["client"].as_str().expect("a client") {
        "go" => {
            set("max_idle", number(&client["MaxIdleConnsPerHost"]));
            set("max_idle_total", number(&client["MaxIdleConns"]));
            set("max_connections", number(&client["MaxConnsPerHost"]));
            set("idle_timeout", millis(&client["IdleConnTimeout_ms"]));
            if client["DisableKeepAlives"] == true {
                off(&mut set, "server");
            }
            "go"
        }
        "node-http" if options.is_null() => "node",
        "node-http" => {
            set("max_connections", number(&options["maxSockets"]));
            set("max_idle", number(&options["maxFreeSockets"]));
            let timeout = millis(&options["timeout"]).unwrap_or("\"never\"".to_owned());
            set("idle_timeout", Some(timeout));
            if options["scheduling"] == "fifo" {
                set("take", Some("\"oldest\"".to_owned()));
            }
            if options["keepAlive"] == false {
                off(&mut set, if options["maxSockets"].is_null() { "server" } else { "client" });
            }
            "node"
        }
        "agentkeepalive" => {
            set("max_connections", number(&options["maxSockets"]));
            set("max_idle", number(&options["maxFreeSockets"]));
            set("idle_timeout", millis(&options["freeSocketTimeout"]));
            "agentkeepalive"
        }
        name @ ("axios" | "got") => name,
        "node-fetch" | "undici" => {
            set("max_connections", number(&options["connections"]));
            set("idle_timeout", millis(&options["keepAliveTimeout"]));
            if options["pipelining"] == 0 {
                off(&mut set, "client");
            }
            "fetch"
        }
        "requests" if client["lib"] == "requests_bare" => "requests-get",
        "requests" => {
            let slots = number(&options["pool_maxsize"]);
            if options["pool_block"] == true {
                set("max_connections", slots.clone());
            }
            set("max_idle", slots);
            "requests"
        }
        "urllib3" => {
            let slots = number(&options["maxsize"]);
            if options["block"] == true {
                set("max_connections", slots.clone());
            }
            set("max_idle", slots);
            "urllib3"
        }
        "httpx" | "httpx-async" => {
            set("max_connections", number(&options["max_connections"]));
            set("max_idle", number(&options["max_keepalive_connections"]));
            set("idle_timeout", secs(&options["keepalive_expiry"]));
            "httpx"
        }
        "aiohttp" => {
            set("max_connections", number(&options["limit"]));
            set("max_connections", number(&options["limit_per_host"]));
            set("idle_timeout", secs(&options["keepalive_timeout"]));
            if options["force_close"] == true {
                off(&mut set, "server");
            }
            "aiohttp"
        }
        "curl-multi" => {
            set("max_idle", number(&options["M_MAXCONNECTS"]));
            set("max_connections", number(&options["M_MAX_HOST_CONNECTIONS"]));
            if client["easy"]["FORBID_REUSE"] == 1 {
                off(&mut set, "client");
            }
            "curl"
        }
        "java-httpclient" => {
            set("max_idle", number(&client["props"]["jdk.httpclient.connectionPoolSize"]));
            set("idle_timeout", secs(&client["props"]["jdk.httpclient.keepalive.timeout"]));
            if version.starts_with("java 17") { "java-17" } else { "java" }
        }
        "java-urlconnection" => {
            set("max_idle", number(&client["props"]["http.maxConnections"]));
            "java-urlconnection"
        }
        "nginx" => {
            let upstream = client["upstream"].as_str().unwrap_or_default();
            let after = |word: &str| {
                let rest = upstream.split(word).nth(1)?;
                rest.split(';').next().map(|value| value.trim().to_owned())
            };
            set("max_idle", after("keepalive "));
            set("requests_per_connection", after("keepalive_requests "));
            set("idle_timeout", after("keepalive_timeout ").map(|time| format!("\"{time}\"")));
            if client["workers"].is_u64() {
                return Err("two workers, each with a pool of its own");
            }
            let old = version.starts_with("nginx 1.22");
            match (old, upstream.is_empty(), client["location"] == "") {
                (true, true, true) => "nginx-1-22",
                (true, true, false) => "requests-get",
                _ => "nginx",
            }
        }
        "haproxy" => {
            let (backend, server) = (&client["backend"], client["server"].as_str().unwrap_or(""));
            set("max_connections", server.strip_prefix("maxconn ").map(str::to_owned));
            // `timeout connect` of the proxy's configuration, which holds in its queue too.
            set("queue_timeout", Some("\"5 s\"".to_owned()));
            if backend == "option http-server-close" {
                off(&mut set, "server");
            }
            if backend == "http-reuse never" {
                // A server connection for each front connection, which the driver's own client keeps.
                set("take", Some("\"last\"".to_owned()));
            }
            if client["front_close"] == true && backend != "http-reuse always" {
                return Err("the first request of each front connection opens one");
            }
            if server.contains("pool-") {
                return Err("purging is not modelled");
            }
            "haproxy"
        }
        _ => return Err("HTTP/2 is not compared"),
    };
    let keys: String = keys.iter().map(|(key, value)| format!(", {key} = {value}")).collect();
    Ok(format!("{{ preset = \"{preset}\"{keys} }}"))
}

/// Does the time for which a request waits for a connection count into its time-out?
fn counts_waiting(case: &Value) -> bool {
    !matches!(
        case["client"].as_str(),
        Some("requests" | "urllib3" | "httpx" | "httpx-async" | "haproxy")
    )
}

/// What is compared.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    served: u64,
    failed: u64,
    opened: u64,
    peak: u64,
    /// Idle when the last request was answered, and open some time after.
    idle: u64,
    open: u64,
    /// The connection of each request, by its number.
    order: Vec<u64>,
}

/// Reads one of the counts.
type Count = fn(&Seen) -> u64;

/// Watches one replay.
#[derive(Default)]
struct Watcher {
    seen: Seen,
    now_open: u64,
}

impl Observer for Watcher {
    fn opened(&mut self, _: &Opening) {
        self.seen.opened += 1;
        self.now_open += 1;
        self.seen.peak = self.seen.peak.max(self.now_open);
    }

    fn closed(&mut self, _: u16, _: &portsim::model::Life) {
        self.now_open -= 1;
    }

    fn released(&mut self, _: &Release) {}

    fn served(&mut self, served: &Served) {
        self.seen.served += 1;
        let place = served.request as usize;
        self.seen.order.resize(self.seen.order.len().max(place + 1), u64::MAX);
        self.seen.order[place] = served.opened;
    }

    fn failed(&mut self, _: &Failed) {
        self.seen.failed += 1;
    }
}

fn scenario(case: &Value) -> Result<Scenario, &'static str> {
    let params = &case["params"];
    let mut pool = pool(case)?;
    let timeout = params["timeout_s"].as_f64().expect("a time-out");
    if counts_waiting(case) {
        pool = pool.replace(" }", &format!(", request_timeout = \"{timeout} s\" }}"));
    }
    let text = format!(
        "[client.it]\nrequests = {{ process = \"poisson\", rate = \"1 / s\" }}\nservice = \"1 s\"\npool = {pool}\n"
    );
    let mut scenario = parse("case", "case.toml", &text, &[]).unwrap_or_else(|problems| {
        panic!("{}: {:?}", case["name"], problems.iter().map(|p| p.message()).collect::<Vec<_>>())
    });
    let server = params["server"].as_str().unwrap_or_default();
    let after = |word: &str| server.strip_prefix(word).and_then(|value| value.parse::<u64>().ok());
    scenario.world.destinations[0].keeps = ServerKeeps {
        idle_timeout: after("-idle ").map(SimDuration::from_millis),
        requests_per_connection: after("-maxreq ").map(|most| most as u32),
    };
    if server.contains("-pause") || server.contains("-streams") || server.contains("-kahdr") {
        return Err("the server pauses, has streams or sends hints");
    }
    Ok(scenario)
}

/// Replays a case, with answers up to `late` later than they should be.
fn replay(case: &Value, scenario: &mut Scenario, late: SimDuration, draw: u64) -> Seen {
    let requests = trace(case["params"]["trace"].as_str().expect("a trace"));
    let mut state = draw.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut lateness = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (state >> 40) as f64 / (1_u64 << 24) as f64;
        SimDuration::from_secs_f64(late.as_secs_f64() * share)
    };
    // Where the seconds of the clock lay is not known.
    let phase =
        SimDuration::from_secs_f64(if draw == 0 { 0.0 } else { (draw as f64 * 0.618).fract() });
    let attempts: Arc<[TraceAttempt]> = requests
        .iter()
        .map(|request| TraceAttempt {
            at: request.at + phase,
            lifetime: Some(request.service + lateness()),
            to: None,
            source: None,
            ending: None,
        })
        .collect();
    let client = &mut scenario.world.hosts[0].clients[0];
    client.arrivals = match case["params"]["workers"].as_u64() {
        Some(workers) => Arrivals::RecordedLoop {
            workers: workers as u32,
            thinks: requests.iter().map(|request| request.think).collect(),
            requests: attempts,
        },
        None => Arrivals::Trace(attempts),
    };
    let run_until = |secs: f64, scenario: &mut Scenario| {
        scenario.settings.duration = SimDuration::from_secs_f64(secs);
        scenario.settings.warm_up = SimDuration::ZERO;
        let settings = &scenario.settings;
        let (world, host, machine) = (&scenario.world, 0, 0);
        let job = Job { world, settings, host, machine, replication: 0, timer_phase: None };
        let window = Window::new(settings.warm_up, settings.duration);
        let mut tally = HostTally::new(1, window);
        let mut watcher = LastAnswer::default();
        assert!(run(job, &mut Workspace::default(), &mut tally, &mut watcher).is_continue());
        watcher
    };
    // Once to know when the last answer comes, and then as long as the connections were watched.
    let last = run_until(600.0, scenario).last.as_secs_f64();
    let after = run_until(last + 1e-6, scenario).watcher;
    let hold = case["params"]["hold_s"].as_f64().expect("a time");
    let whole = run_until(last + hold, scenario).watcher;
    Seen { idle: after.now_open, open: whole.now_open, ..whole.seen }
}

#[derive(Default)]
struct LastAnswer {
    watcher: Watcher,
    last: SimTime,
}

impl Observer for LastAnswer {
    fn opened(&mut self, opening: &Opening) {
        self.watcher.opened(opening);
    }

    fn closed(&mut self, client: u16, life: &portsim::model::Life) {
        self.watcher.closed(client, life);
    }

    fn served(&mut self, served: &Served) {
        self.last = served.at;
        self.watcher.served(served);
    }

    fn failed(&mut self, failed: &Failed) {
        self.last = failed.at;
        self.watcher.failed(failed);
    }
}

/// How a case came out.
#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    Exact,
    Within,
    Off(String),
    NotCompared(&'static str),
}

fn judge(case: &Value) -> Verdict {
    let experiment = case["experiment"].as_str().expect("an experiment");
    match experiment {
        "die" | "shide" => return Verdict::NotCompared("servers that fail are not modelled"),
        "srace" => return Verdict::NotCompared("the server closes as a request arrives"),
        "dial" => return Verdict::NotCompared("connections that take time to open"),
        _ => {}
    }
    let mut scenario = match scenario(case) {
        Ok(scenario) => scenario,
        Err(why) => return Verdict::NotCompared(why),
    };
    let measured = &case["measured"];
    let count = |key: &str| measured[key].as_u64().expect("a count");
    let in_order = experiment.starts_with("order");
    let order: Vec<u64> = match measured["connection_of_request"].as_array() {
        Some(all) if in_order => all.iter().map(|one| one.as_u64().unwrap_or(u64::MAX)).collect(),
        _ => Vec::new(),
    };
    let real = Seen {
        served: count("served"),
        failed: count("failed"),
        opened: count("connections_opened"),
        peak: count("peak_open"),
        idle: count("idle_after_end"),
        open: count("open_at_exit"),
        order,
    };
    let of = |seen: Seen| Seen { order: if in_order { seen.order } else { Vec::new() }, ..seen };
    let exact = of(replay(case, &mut scenario, SimDuration::ZERO, 0));
    let same = |seen: &Seen| Seen { peak: 0, ..seen.clone() } == Seen { peak: 0, ..real.clone() };
    if same(&exact) && (exact.opened > exact.peak || exact.peak == real.peak) {
        return Verdict::Exact;
    }
    // Answers came up to 4 ms late, and what was repeated differed.
    let late = SimDuration::from_millis(4);
    let draws: Vec<Seen> = (1..=20)
        .map(|draw| of(replay(case, &mut scenario, late, draw)))
        .chain([exact.clone()])
        .collect();
    let repeats = |key: &str, value: u64| -> Vec<u64> {
        let all = measured["repeats"][key].as_array();
        let all = all.map(|all| all.iter().filter_map(Value::as_u64).collect());
        all.unwrap_or_else(|| vec![value])
    };
    let mut off = Vec::new();
    let mut figures: Vec<(&str, Count)> = vec![
        ("served", |seen| seen.served),
        ("failed", |seen| seen.failed),
        ("connections_opened", |seen| seen.opened),
        ("idle_after_end", |seen| seen.idle),
    ];
    // The server sees a close later than the client makes it, so its peak tells only where none was closed.
    if exact.opened == exact.peak {
        figures.push(("peak_open", |seen| seen.peak));
    }
    // It sees its own close at once, and a client that notices on use does not.
    if !(experiment == "sidle" && matches!(case["client"].as_str(), Some("requests" | "urllib3"))) {
        figures.push(("open_at_exit", |seen| seen.open));
    }
    for (key, figure) in figures {
        let real = repeats(key, figure(&real));
        let model: Vec<u64> = draws.iter().map(figure).collect();
        let range =
            |all: &[u64]| (*all.iter().min().expect("some"), *all.iter().max().expect("some"));
        let ((low, high), (least, most)) = (range(&model), range(&real));
        let slack = ((high as f64 * 0.03).round() as u64).max(1)
            * u64::from(key != "served" && key != "failed");
        if most < low.saturating_sub(slack) || least > high + slack {
            off.push(format!(
                "{key}: {} measured, {} modelled",
                told(least, most),
                told(low, high)
            ));
        }
    }
    if in_order && !draws.iter().any(|seen| seen.order == real.order) {
        off.push(format!("order: {:?} measured, {:?} modelled", real.order, exact.order));
    }
    if off.is_empty() { Verdict::Within } else { Verdict::Off(off.join("; ")) }
}

fn told(low: u64, high: u64) -> String {
    if low == high { low.to_string() } else { format!("{low} to {high}") }
}

/// What does not come out, and the most likely reason.
const OFF: &[(&str, &str)] = &[
    (
        "go/default/exp50",
        "a worker goes on some 50 us after its answer, and others come back meanwhile",
    ),
    (
        "node-fetch/default/exp10",
        "how long a connection is not free after an answer differs from turn to turn",
    ),
    ("node-fetch/default/think10", "the same: which connections go idle for 4 s depends on it"),
    ("undici/default/think10", "the same"),
    ("requests/max2/think10", "threads of Python go on late, so connections come back before"),
    ("requests/max2/order5b", "threads of Python overtake each other"),
    (
        "aiohttp/default/smaxreq",
        "two connections stay though the server closes after four requests: not understood",
    ),
    ("aiohttp/perhost2/open10", "time-outs of 5 s and more fire at whole seconds"),
    ("curl-multi/default/open2", "its usual limit is four times the handles added"),
    ("curl-multi/default/order5", "the same"),
    ("curl-multi/host5/open10", "its queue is not first come, first served"),
    ("java-httpclient/default-17/order5b", "threads of Java overtake each other"),
    ("java-httpclient/default-25/order5b", "the same"),
    ("java-httpclient/pool2/order5b", "the same"),
    ("java-httpclient/pool2/exp10", "callers go on milliseconds after their connection is back"),
    ("java-urlconnection/default-25/order5", "threads of Java overtake each other"),
    ("nginx/keepalive2-1.22/exp10", "the proxy in between makes the next request come late"),
    (
        "haproxy/always-frontclose/order5",
        "among first requests it takes connections that were reused before",
    ),
];

#[test]
fn pools_do_what_real_clients_did() {
    let text = fs::read_to_string(oracle().join("cases.json")).expect("the cases");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let verdicts: Vec<Verdict> = cases.par_iter().map(judge).collect();
    let (mut exact, mut within, mut off, mut left_out) = (0, 0, 0, 0);
    let mut wrong = Vec::new();
    for (case, verdict) in cases.iter().zip(&verdicts) {
        let name = case["name"].as_str().expect("a name");
        let known = OFF.iter().find(|(known, _)| *known == name);
        match verdict {
            Verdict::Exact => exact += 1,
            Verdict::Within => within += 1,
            Verdict::Off(_) => off += 1,
            Verdict::NotCompared(_) => left_out += 1,
        }
        match (verdict, known) {
            (Verdict::Exact, None) => println!("exact         {name}"),
            (Verdict::Within, None) => println!("within spread {name}"),
            (Verdict::NotCompared(why), None) => println!("not compared  {name}: {why}"),
            (Verdict::Off(what), Some((_, why))) => {
                println!("off           {name}: {what} ({why})")
            }
            (Verdict::Off(what), None) => wrong.push(format!("{name}: {what}")),
            (_, Some(_)) => wrong.push(format!("{name} comes out now: take it off the list")),
        }
    }
    println!("{exact} exact, {within} within the spread, {off} off, {left_out} not compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(exact >= 200 && exact + within + off + left_out == cases.len());
}
