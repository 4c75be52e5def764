//! The oracle of netfilter's source NAT: what a router on Linux 6.18 did, case by case, held against the model.
//!
//! `tests/oracle/nat/cases.json` has what was measured between private namespaces. One line a case is printed with
//! `cargo test --test nat -- --nocapture`. Where the kernel draws lots, so does the model, over many seeds: what was
//! measured must lie within what these give.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fs;
use std::path::Path;

use portsim::engine::island::Island;
use portsim::engine::{Observer, Opening, Settling};
use portsim::model::nat::{
    Dropped, EntryId, Inside, Mapped, Mapping, Nat, NatAddresses, NatExhausted, NatRules,
    NatSelection, NatTimers, Pair, Syn,
};
use portsim::model::{
    Arrivals, Client, Destination, Ending, Gateway, Host, NatKey, PortRange, Refused, Remote,
    Replications, RunSettings, Start, SynTimeout, TcpSettings, Timers, TraceAttempt, TwReuse, Will,
    World, mix,
};
use portsim::units::{SimDuration, SimTime};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use serde_json::Value;

/// Worlds that a case with lots in it is run in.
const SEEDS: u64 = 400;

fn cases(experiment: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/nat/cases.json");
    let all = fs::read_to_string(path).expect("the cases are there");
    let all: Vec<Value> = serde_json::from_str(&all).expect("they are JSON");
    all.into_iter().filter(|case| case["experiment"] == experiment).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

fn secs(value: &Value) -> SimDuration {
    SimDuration::from_secs_f64(value.as_f64().unwrap_or_else(|| panic!("{value} is no number")))
}

/// A router with netfilter's NAT, and the clock of its entries.
struct Router {
    nat: Nat,
    timers: NatTimers,
    hosts: Timers,
    over: BinaryHeap<Reverse<(SimTime, EntryId)>>,
    rng: Xoshiro256PlusPlus,
    secret: u64,
    /// The lowest port of the range.
    lowest: u16,
    by_address: bool,
}

impl Router {
    fn of(case: &Value, seed: u64) -> Self {
        let params = &case["params"];
        let (lowest, n) = (number(&params["lo"]) as u16, number(&params["n"]) as u16);
        let flags = params["flags"].as_str().expect("flags");
        let random = flags.contains("random");
        let rules = NatRules {
            addresses: number(&params["addrs"]) as u32,
            choice: match flags.contains("persistent") {
                true => NatAddresses::ByClient,
                false => NatAddresses::ByPair,
            },
            ports: (n > 0).then(|| PortRange::new(lowest, lowest + n - 1)).flatten(),
            selection: match random {
                true => NatSelection::NetfilterRandom,
                false => NatSelection::Netfilter,
            },
            mapping: if random { Mapping::EachItsOwn } else { Mapping::SameWhereFree },
            evicts_closing: true,
            share: None,
            most_each: None,
            most_entries: None,
            evicts_unanswered: true,
            exhausted: NatExhausted::Drop,
        };
        let set = &params["timeouts"];
        let timeout =
            |key: &str, usual| set[key].as_f64().map_or(usual, SimDuration::from_secs_f64);
        let usual = NatTimers::CONNTRACK;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self {
            nat: Nat::new(rules, number(&params["k"]) as u32, &[], SimTime::START),
            timers: NatTimers {
                half_open: timeout("syn_sent", usual.half_open),
                idle: timeout("established", usual.idle),
                half_closed: timeout("close_wait", usual.half_closed),
                fin: timeout("time_wait", usual.fin),
                reset: timeout("close", usual.reset),
            },
            hosts: Timers::exact(TcpSettings::default(), true, SimDuration::from_secs(60)),
            over: BinaryHeap::new(),
            secret: rng.next_u64(),
            rng,
            lowest,
            by_address: params["kind"] == "addr",
        }
    }

    /// Lets a client of the network 10.1.1.0/24 connect to a server of 10.2.1.0/24, by their numbers.
    fn connect(
        &mut self,
        at: SimTime,
        client: u32,
        port: u16,
        endpoint: u32,
    ) -> Result<Mapped, Dropped> {
        while let Some(&Reverse((due, entry))) = self.over.peek()
            && due <= at
        {
            self.over.pop();
            self.nat.free(entry, due);
        }
        let server = if self.by_address { endpoint } else { 0 };
        let pair = Pair { client: 0x0a01_0101 + client, destination: 0x0a02_0101 + server };
        let ends = u64::from(client) << 32 | u64::from(endpoint) << 16 | u64::from(port);
        // `net/core/secure_seq.c:secure_tcp_seq`: a hash of the ends, and a clock of 64 ns.
        let clock = (at.as_nanos() >> 6) as u32;
        let sequence = (mix(self.secret ^ ends) as u32).wrapping_add(clock);
        let inside = Inside { address: client, port };
        let syn = Syn { at, inside, endpoint, destination: endpoint, pair, sequence };
        self.nat.take(&syn, &mut self.rng)
    }

    /// Ends a connection of `opened` after `lifetime` like that, both FINs at once. Tells when its entry is over.
    fn end(
        &mut self,
        entry: EntryId,
        opened: SimTime,
        lifetime: SimDuration,
        ending: Ending,
    ) -> SimTime {
        let second_fin = SimDuration::ZERO;
        let will = Will { lifetime, second_fin, ending, remote: Remote::Answers, bound: false };
        let life = self.timers.life(opened, &self.hosts.life(opened, &will), &will);
        self.nat.set_life(entry, &life, true);
        self.over.push(Reverse((life.over, entry)));
        life.over
    }
}

fn ending(word: &Value) -> Option<Ending> {
    Some(match word.as_str()? {
        "client" => Ending::Client,
        "server" => Ending::Server,
        "rst" => Ending::Reset,
        "rst_server" => Ending::ServerReset,
        "half" | "half_client" => Ending::Half,
        "half_server" => Ending::CloseWait,
        "idle" => Ending::Never,
        _ => return None,
    })
}

fn after(secs: f64) -> SimTime {
    SimTime::START + SimDuration::from_secs_f64(secs)
}

/// What all seeds give, rising.
fn worlds(of: impl Fn(u64) -> u64 + Sync + Send) -> Vec<u64> {
    let mut all: Vec<u64> = (0..SEEDS).into_par_iter().map(of).collect();
    all.sort_unstable();
    all
}

/// The least and the greatest of what all seeds give.
fn spread(of: impl Fn(u64) -> u64 + Sync + Send) -> (u64, u64) {
    let all = worlds(of);
    (all[0], all[all.len() - 1])
}

/// Prints a line a case and fails at the end if one is off.
#[derive(Default)]
struct Sheet(Vec<String>);

impl Sheet {
    fn line(&mut self, case: &Value, holds: bool, told: &str) {
        let name = case["name"].as_str().expect("a name");
        println!("{} {name}: {told}", if holds { "    " } else { "OFF " });
        if !holds {
            self.0.push(format!("{name}: {told}"));
        }
    }

    fn settle(self) {
        assert!(self.0.is_empty(), "{} cases are off:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// What a `hold` case came to.
#[derive(Default)]
struct Held {
    per_pair: Vec<u64>,
    own: u64,
    shared_too: u64,
    addresses: Vec<BTreeSet<u64>>,
}

/// Connects and holds until every pair of client and destination has been dropped `tries` times.
fn hold(case: &Value, seed: u64) -> Held {
    let params = &case["params"];
    let [clients, destinations, n, cap, tries] =
        ["s", "k", "n", "cap", "tries"].map(|key| number(&params[key]));
    let mut router = Router::of(case, seed);
    let pairs = (clients * destinations) as usize;
    let mut held = Held { per_pair: vec![0; pairs], ..Held::default() };
    held.addresses.resize_with(pairs, BTreeSet::new);
    let (mut tried, mut drops) = (vec![0_u64; pairs], vec![0_u64; pairs]);
    let (low, high) = (number(&params["clo"]) as u16, number(&params["chi"]) as u16);
    // The ports that connect() gives, the lower parity first, from somewhere on for each pair.
    let wide = u64::from(high - low) + 1;
    let half = wide.div_ceil(2);
    let draws =
        (0..pairs as u64).map(|pair| match number(&case["measured"]["client_port_shared"]) {
            // No two pairs had a port of their client in common.
            0 => pair * half / pairs as u64,
            _ => router.rng.next_u64() % half,
        });
    let starts: Vec<u64> = draws.collect();
    let mut ports: BTreeMap<(u64, u16), u16> = BTreeMap::new();
    let (mut now, mut pair, in_turn) = (SimTime::START, 0, params["order"] == "rr");
    let goes_on =
        |pair: usize, held: &Held, drops: &[u64]| drops[pair] < tries && held.per_pair[pair] <= cap;
    while (0..pairs).any(|pair| goes_on(pair, &held, &drops)) {
        if goes_on(pair, &held, &drops) {
            let (client, destination) = (pair as u64 / destinations, pair as u64 % destinations);
            let turn = tried[pair];
            let port = match params["ports"].as_str().expect("where ports come from") {
                "auto" if turn < half => low + ((starts[pair] + turn) % half * 2) as u16,
                "auto" if turn < wide => low + ((starts[pair] + turn) % (wide / 2) * 2 + 1) as u16,
                "own" => (number(&params["lo"]) + turn) as u16,
                "split" => (number(&params["lo"]) + client * (n / clients) + turn) as u16,
                "same" => low + turn as u16,
                other => panic!("{other}: no such ports, or none left"),
            };
            tried[pair] += 1;
            now = now + SimDuration::from_millis(1);
            match router.connect(now, client as u32, port, destination as u32) {
                Ok(mapped) => {
                    held.per_pair[pair] += 1;
                    held.own += u64::from(mapped.port == port);
                    held.addresses[pair].insert(u64::from(mapped.address.expect("one of its own")));
                    let before = ports.insert((client, port), mapped.port);
                    held.shared_too += u64::from(before == Some(mapped.port));
                }
                Err(_) => drops[pair] += 1,
            }
        }
        if in_turn || !goes_on(pair, &held, &drops) {
            pair = (pair + 1) % pairs;
        }
    }
    held
}

/// How many fit, for whom, behind which address, and who keeps its own port.
#[test]
fn a_range_holds_as_many_as_it_did() {
    let mut sheet = Sheet::default();
    for case in cases("hold") {
        let measured = &case["measured"];
        let (total, own) = (number(&measured["total"]), number(&measured["kept_own_port"]));
        let n = number(&case["params"]["n"]);
        let totals = worlds(|seed| hold(&case, seed).per_pair.iter().sum());
        let (least, most) = (totals[0], totals[totals.len() - 1]);
        // Up to 128 ports every one is looked at, but where 16 bits of offset come to their end: a look in some
        // thousand misses the last free one.
        let exact = (1..=128).contains(&n);
        let alike = totals.iter().filter(|&&one| one == total).count() as f64 / SEEDS as f64;
        let fits = if exact { alike > 0.95 } else { least <= total && total <= most };
        let (least_own, most_own) = spread(|seed| hold(&case, seed).own);
        let keeps = (least_own..=most_own).contains(&own);
        let shared = number(&measured["nat_port_shared_too"]);
        let (least_shared, most_shared) = spread(|seed| hold(&case, seed).shared_too);
        let shares = (least_shared..=most_shared).contains(&shared);
        let one = hold(&case, 1);
        let each: Vec<u64> =
            measured["per_pair"].as_array().expect("pairs").iter().map(number).collect();
        let several = number(&case["params"]["addrs"]) > 1;
        let named = |map: &Value| -> BTreeSet<u64> {
            let all = map.as_object().expect("addresses").keys();
            let last =
                |name: &String| name.rsplit('.').next().and_then(|part| part.parse::<u64>().ok());
            all.filter_map(last).map(|last| last - 11).collect()
        };
        let pairs = measured["addr_per_pair"].as_array().expect("pairs");
        let addresses: Vec<BTreeSet<u64>> = pairs.iter().filter(|_| several).map(named).collect();
        let alike = !several || one.addresses == addresses;
        let pairs = !exact || one.per_pair == each;
        let told = format!(
            "{total} fit ({least}-{most}), {own} keep their port ({least_own}-{most_own}), {shared} share it \
             ({least_shared}-{most_shared}), pairs {}, addresses {}",
            if pairs { "alike" } else { "differ" },
            if alike { "alike" } else { "differ" },
        );
        sheet.line(&case, fits && keeps && shares && pairs && alike, &told);
    }
    sheet.settle();
}

/// One try after the other while all ports but some are held: how many get through, and by which port.
#[test]
fn a_scan_finds_what_it_found() {
    let mut sheet = Sheet::default();
    for case in cases("pick") {
        let (params, measured) = (&case["params"], &case["measured"]);
        let [n, free, trials] = ["n", "free", "trials"].map(|key| number(&params[key]) as u32);
        let mut router = Router::of(&case, 1);
        // The ports that were free, where they were written down: all that anybody ever got.
        let known: Vec<u32> = measured["where"]
            .as_array()
            .map(|all| all.iter().map(|one| number(&one[0]) as u32).collect())
            .unwrap_or_default();
        let free_ports: BTreeSet<u32> = match params["pattern"].as_str().expect("a pattern") {
            _ if known.len() == free as usize => known.into_iter().collect(),
            "none" => (0..n).collect(),
            "cluster" => {
                (0..free).map(|at| (number(&params["cluster_at"]) as u32 + at) % n).collect()
            }
            _ => {
                let mut some = BTreeSet::new();
                while some.len() < free as usize {
                    some.insert(router.rng.next_u64() as u32 % n);
                }
                some
            }
        };
        router.hold_all_but(&free_ports, n);
        let (mut through, mut by_port) = (0_u32, BTreeMap::<u32, u32>::new());
        for trial in 0..trials {
            let now = after(1.0 + f64::from(trial) * 1e-3);
            let port = 10_000 + (trial % 10_000) as u16;
            if let Ok(mapped) = router.connect(now, 0, port, 0) {
                through += 1;
                *by_port.entry(u32::from(mapped.port - router.lowest)).or_default() += 1;
                router.nat.free(mapped.entry, now);
            }
        }
        let ok = number(&measured["ok"]) as u32;
        let off = |a: u32, b: u32| {
            let (a, b, all) = (f64::from(a), f64::from(b), f64::from(trials));
            let p = (a + b) / (2.0 * all);
            (a - b) / (2.0 * all * p * (1.0 - p)).sqrt().max(1.0)
        };
        let sigmas = off(ok, through);
        // The port that is taken most often has the whole block of held ones before it.
        let most = measured["where"]
            .as_array()
            .and_then(|all| all.iter().max_by_key(|one| number(&one[1])));
        let at_most = most.map(|one| {
            let (port, count) = (number(&one[0]) as u32, number(&one[1]) as u32);
            off(count, by_port.get(&port).copied().unwrap_or(0))
        });
        // The most of some hundred equals stands out by itself.
        let holds = sigmas.abs() < 4.0 && at_most.is_none_or(|sigmas| sigmas.abs() < 4.5);
        let told = format!(
            "{ok} of {trials} through, {through} by the model ({sigmas:.1} sigma), at one port {:.1} sigma",
            at_most.unwrap_or(0.0)
        );
        sheet.line(&case, holds, &told);
    }
    sheet.settle();
}

impl Router {
    /// Holds all of `n` ports but some for good.
    fn hold_all_but(&mut self, free: &BTreeSet<u32>, n: u32) {
        let (mut held, mut tries) = (Vec::new(), 0);
        // Its own port where that is kept; else until the last one happens to be found.
        while held.len() < n as usize {
            let port = self.lowest + (tries % n) as u16;
            held.extend(self.connect(SimTime::START, 1 + tries / n, port, 0));
            tries += 1;
        }
        for mapped in held.iter().filter(|one| free.contains(&u32::from(one.port - self.lowest))) {
            self.nat.free(mapped.entry, SimTime::START);
        }
    }
}

/// When another client gets the port that a connection had.
#[test]
fn a_port_comes_back_when_it_did() {
    let mut sheet = Sheet::default();
    for case in cases("release") {
        let (params, measured) = (&case["params"], &case["measured"]);
        let regained = measured["regained_s"].as_f64().expect("seconds");
        let mut router = Router::of(&case, 1);
        let (opened, lifetime) = (after(1.0), secs(&params["life"]));
        let end = match params["end"].as_str().expect("how it ends") {
            "syn_unanswered" | "syn_abandoned" => None,
            word => match ending(&Value::from(word)) {
                Some(ending) if params["probe"] != "own" => Some(ending),
                // States that no client of a scenario brings about: SYN_RECV, FIN_WAIT, LAST_ACK; a port of one's
                // own in a range of one, which waits for the collector.
                _ => {
                    println!("     {}: not compared ({word}, {})", case["name"], params["probe"]);
                    continue;
                }
            },
        };
        let mapped = router.connect(opened, 0, 12_000, 0).expect("the port is free");
        let (over, since) = match end {
            None => {
                let over = opened + router.timers.half_open;
                router.over.push(Reverse((over, mapped.entry)));
                (over, opened)
            }
            // From the last packet on.
            Some(Ending::Never) => {
                (router.end(mapped.entry, opened, lifetime, Ending::Never), opened)
            }
            Some(ending) => (router.end(mapped.entry, opened, lifetime, ending), opened + lifetime),
        };
        let closing = end.is_some_and(|end| {
            end != Ending::Never && end != Ending::Half && end != Ending::CloseWait
        });
        let at_once = params["probe"] == "ahead" && closing;
        // A try each 8 ms; behind means a sequence number that evicts nothing, ahead one that does.
        let expected = if at_once { 0.0 } else { over.since(since).as_secs_f64() };
        let late = measured["late_s"].as_f64().unwrap_or(0.0);
        let slack = if at_once { 0.1 } else { 0.025 + late };
        let holds = -0.06 < regained - expected && regained - expected < slack;
        sheet.line(&case, holds, &format!("back after {regained} s, by the model {expected} s"));
    }
    sheet.settle();
}

/// Ports full of closing entries, and how many new connections get through.
#[test]
fn closing_entries_are_evicted_as_they_were() {
    let mut sheet = Sheet::default();
    for case in cases("evict").into_iter().chain(cases("evict1")) {
        let (params, measured) = (&case["params"], &case["measured"]);
        let n = number(&params["n"]);
        let ending = ending(&params["close"]).expect("an ending");
        if ending == Ending::Server {
            // The server's own TIME-WAIT answers some of the SYNs that the NAT lets through.
            println!("     {}: not compared (the server's TIME-WAIT)", case["name"]);
            continue;
        }
        let close = |router: &mut Router, mapped: &Mapped, opened: SimTime| {
            let _ = router.end(mapped.entry, opened, SimDuration::from_millis(1), ending);
        };
        let single = case["name"].as_str().expect("a name").contains("single");
        let of = |seed: u64| -> u64 {
            if single {
                let trial = |trial: u64| {
                    let mut router = Router::of(&case, seed * 1_000 + trial);
                    for index in 0..n {
                        let opened = after(1.0 + index as f64 * 0.01);
                        let port = 12_000 + 2 * index as u16;
                        if let Ok(mapped) = router.connect(opened, 0, port, 0) {
                            close(&mut router, &mapped, opened);
                        }
                    }
                    u64::from(router.connect(after(2.0), 1, 15_000, 0).is_ok())
                };
                return (0..number(&params["trials"])).map(trial).sum();
            }
            let mut router = Router::of(&case, seed);
            let fill = params["fill"].as_u64().unwrap_or(n);
            let mut opened = Vec::new();
            let mut index = 0_u64;
            // Until so many are there: of more than 128 a scan may miss the last ones.
            while (opened.len() as u64) < fill {
                let port = 10_000 + (2 * index % 10_000) as u16;
                opened.extend(router.connect(after(1.0), 0, port, 0));
                index += 1;
            }
            opened.iter().for_each(|mapped| close(&mut router, mapped, after(1.0)));
            let count = params["count"].as_u64().unwrap_or(n);
            let new = |index: u64| {
                let at = after(1.5 + index as f64 * 1e-3);
                router.connect(at, 1, 10_000 + (2 * index % 10_000) as u16, 0).is_ok()
            };
            (0..count).map(new).filter(|&through| through).count() as u64
        };
        let (least, most) = spread(of);
        let ok = number(&measured["ok"]);
        sheet.line(&case, (least..=most).contains(&ok), &format!("{ok} through ({least}-{most})"));
    }
    sheet.settle();
}

/// Explicit steps: which port each connection gets.
#[test]
fn each_step_gets_a_port_that_it_can_get() {
    let mut sheet = Sheet::default();
    for case in cases("steps") {
        let (params, measured) = (&case["params"], &case["measured"]);
        let steps = params["steps"].as_array().expect("steps");
        let run = |seed: u64| -> Vec<Option<u64>> {
            let mut router = Router::of(&case, seed);
            let (mut now, mut all) = (after(1.0), Vec::new());
            for (step, seen) in steps.iter().zip(measured["steps"].as_array().expect("steps")) {
                now = now
                    + step["wait"].as_f64().map_or(SimDuration::ZERO, SimDuration::from_secs_f64);
                let client = step["c"].as_u64().unwrap_or(0) as u32;
                let endpoint = step["d"].as_u64().unwrap_or(0) as u32;
                let mut opened = Vec::new();
                for one in seen.as_array().expect("connections") {
                    now = now + SimDuration::from_millis(2);
                    let port = number(&one[0]) as u16;
                    let mapped = router.connect(now, client, port, endpoint);
                    all.push(mapped.ok().map(|mapped| u64::from(mapped.port - router.lowest)));
                    opened.extend(mapped.ok().map(|mapped| (mapped, now)));
                }
                if let Some(ending) = ending(&step["close"]) {
                    now = now + SimDuration::from_millis(100);
                    for (mapped, since) in opened {
                        let _ = router.end(mapped.entry, since, now.since(since), ending);
                    }
                }
            }
            all
        };
        let worlds: Vec<Vec<Option<u64>>> = (0..SEEDS).into_par_iter().map(run).collect();
        let seen: Vec<Option<u64>> = measured["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .flat_map(|step| step.as_array().expect("connections"))
            .map(|one| one[1].as_u64())
            .collect();
        let mut settled = 0;
        let possible = seen.iter().enumerate().all(|(index, port)| {
            let ports: BTreeSet<Option<u64>> = worlds.iter().map(|world| world[index]).collect();
            settled += usize::from(ports.len() == 1);
            ports.contains(port)
        });
        sheet.line(&case, possible, &format!("{} ports, {settled} without lots", seen.len()));
    }
    sheet.settle();
}

/// How the attempts of a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ends {
    at_once: u64,
    later: u64,
    failed: u64,
}

impl Observer for Ends {
    fn opened(&mut self, opening: &Opening) {
        self.at_once += u64::from(!opening.pending);
    }

    fn settles(&mut self, settling: &Settling) {
        self.later += u64::from(settling.answered);
        self.failed += u64::from(!settling.answered);
    }

    fn refused(&mut self, _: SimTime, _: u16, _: &Refused) {
        self.failed += 1;
    }
}

/// The world of a `churn` case: each client a machine of its own, behind one router.
fn churn(case: &Value) -> (World, SimDuration) {
    let params = &case["params"];
    let trace = case["trace"].as_str().expect("a trace");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/nat").join(trace);
    let text = fs::read_to_string(path).expect(trace);
    let mut attempts: Vec<Vec<TraceAttempt>> = vec![Vec::new(); number(&params["s"]) as usize];
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let secs = |cell: usize| SimDuration::from_secs_f64(cells[cell].parse().expect("a number"));
        attempts[cells[1].parse::<usize>().expect("a client")].push(TraceAttempt {
            at: SimTime::START + secs(0),
            lifetime: Some(secs(3)),
            to: Some((0, cells[2].parse().expect("a destination"))),
            source: None,
            ending: ending(&Value::from(cells[4])),
        });
    }
    let last = attempts.iter().flatten().map(|attempt| attempt.at).max().expect("some");
    let small = |key: &str, usual: u64| params[key].as_u64().unwrap_or(usual) as u8;
    let (retries, linear_timeouts) = (small("syn_retries", 6), small("syn_linear", 4));
    let timestamps = number(&params["timestamps"]) == 1;
    let tcp = TcpSettings {
        syn: SynTimeout::Linux { retries, linear_timeouts },
        tw_reuse: if number(&params["tw_reuse"]) == 1 { TwReuse::Always } else { TwReuse::Never },
        timestamps,
        ..TcpSettings::default()
    };
    let [low, high] = ["clo", "chi"].map(|key| number(&params[key]) as u16);
    let router = Router::of(case, 1);
    let gateway = Gateway {
        name: "router".into(),
        nat: *router.nat.rules(),
        key: NatKey::Endpoint,
        timers: router.timers,
        gateway: None,
    };
    let host = |(index, attempts): (usize, Vec<TraceAttempt>)| Host {
        name: format!("client-{index}"),
        ports: PortRange::new(low, high).expect("a range"),
        tcp,
        gateway: Some(0),
        clients: vec![Client::new("c", Arrivals::Trace(attempts.into()), SimDuration::ZERO)],
        ..Host::linux("client")
    };
    let hosts: Vec<Host> = attempts.into_iter().enumerate().map(host).collect();
    let destination =
        Destination { endpoints: number(&params["k"]) as u32, ..Destination::new("server") };
    let world = World {
        hosts,
        gateways: vec![gateway],
        ..World { destinations: vec![destination], ..World::of(Host::linux("none")) }
    };
    (world, last.since(SimTime::START) + SimDuration::from_secs(30))
}

/// Why a `churn` case is not compared.
fn beyond(case: &Value, world: &World) -> Option<&'static str> {
    let leaves =
        |attempt: &TraceAttempt| matches!(attempt.ending, Some(Ending::Server | Ending::Half));
    let mut clients = world.hosts.iter().flat_map(|host| &host.clients);
    let server_keeps = clients.any(|client| match &client.arrivals {
        Arrivals::Trace(attempts) => attempts.iter().any(leaves),
        _ => false,
    });
    // Whoever keeps its own port comes back with it, and the server knows it again.
    let own = case["name"].as_str().expect("a name").starts_with("churn/kube/keep");
    (server_keeps && !own).then_some("what the server keeps of its connections")
}

/// Demand over time through a router: how many connections are made at once, after a SYN sent again, and never.
#[test]
fn demand_fares_as_it_did() {
    let (mut sheet, mut sigmas) = (Sheet::default(), Vec::new());
    for case in cases("churn") {
        let (world, duration) = churn(&case);
        if let Some(why) = beyond(&case, &world) {
            println!("     {}: not compared ({why})", case["name"]);
            continue;
        }
        let hosts: Vec<usize> = (0..world.hosts.len()).collect();
        let run = |seed: u64| {
            let settings = RunSettings {
                duration,
                warm_up: SimDuration::ZERO,
                start: Start::Empty,
                seed,
                replications: Replications::Fixed(1),
            };
            let mut ends = Ends::default();
            let _ = Island::new(&world, &settings, &hosts, 0).run(&mut ends);
            ends
        };
        let all: Vec<Ends> = (1..=60_u64).into_par_iter().map(run).collect();
        let measured =
            ["at_once", "after_retry", "failed"].map(|key| number(&case["measured"][key]));
        let of: [fn(&Ends) -> u64; 3] = [|one| one.at_once, |one| one.later, |one| one.failed];
        let told: Vec<(f64, String)> = of
            .into_iter()
            .zip(measured)
            .map(|(of, measured)| {
                let all: Vec<f64> = all.iter().map(|one| of(one) as f64).collect();
                let mean = all.iter().sum::<f64>() / all.len() as f64;
                let variance = all.iter().map(|one| (one - mean).powi(2)).sum::<f64>();
                // A count that is never anything else may yet be off by none.
                let deviation = (variance / (all.len() - 1) as f64).sqrt();
                let off = (measured as f64 - mean) / deviation.max(1e-9);
                let off = if measured as f64 == mean { 0.0 } else { off };
                (off, format!("{measured} ({mean:.0}, {off:+.1} sigma)"))
            })
            .collect();
        let holds = told.iter().all(|one| one.0.abs() < 4.0);
        sigmas.push(told[0].0);
        sheet.line(
            &case,
            holds,
            &format!("{} at once, {} later, {} never", told[0].1, told[1].1, told[2].1),
        );
    }
    // As a whole they must lie as lots do: neither all to one side, nor wider.
    let count = sigmas.len() as f64;
    let mean = sigmas.iter().sum::<f64>() / count;
    let width = (sigmas.iter().map(|one| one.powi(2)).sum::<f64>() / count).sqrt();
    println!("     {count} cases: mean {mean:+.2} sigma, width {width:.2}");
    assert!(mean.abs() < 0.5 && width < 1.3, "{mean} and {width} sigma");
    sheet.settle();
}
