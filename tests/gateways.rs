//! Laws of gateways: one that is never full changes nothing, machines behind one compete for its ports and for nothing
//! else, and Erlang's formula holds for what its ports carry.

use portsim::model::nat::{
    Mapping, NatAddresses, NatExhausted, NatRules, NatSelection, NatShare, NatTimers,
};
use portsim::model::{
    Arrivals, Client, Destination, Distribution, Ending, Gateway, Host, NatKey, PortRange,
    Replications, RunSettings, Start, TraceAttempt, World,
};
use portsim::replicate::{Unwatched, replicate};
use portsim::stats::{Outcome, TimelineRow};
use portsim::theory::erlang_b;
use portsim::units::{SimDuration, SimTime};
use proptest::prelude::*;

fn settings(secs: u64, replications: u32) -> RunSettings {
    RunSettings {
        duration: SimDuration::from_secs(secs),
        warm_up: SimDuration::ZERO,
        start: Start::Empty,
        seed: 7,
        replications: Replications::Fixed(replications),
    }
}

/// A NAT with so many ports, any of which it gives whoever asks.
fn nat(ports: u16, timers: NatTimers) -> Gateway {
    Gateway {
        name: "nat".into(),
        nat: NatRules {
            addresses: 1,
            choice: NatAddresses::AnyFree,
            ports: PortRange::new(1_024, 1_023 + ports),
            selection: NatSelection::Uniform,
            mapping: Mapping::EachItsOwn,
            evicts_closing: false,
            share: None,
            most_each: None,
            most_entries: None,
            evicts_unanswered: true,
            exhausted: NatExhausted::Drop,
        },
        key: NatKey::Endpoint,
        timers,
        gateway: None,
    }
}

fn run(world: &World, settings: &RunSettings) -> Outcome {
    replicate(world, settings, &Unwatched).expect("nobody stops it")
}

/// Two kinds of machines with ranges of some ports, that close in any way.
fn hosts(ports: u16, rate: f64, endings: &[Ending], closes_late: bool) -> Vec<Host> {
    let client = |name: &str, rate: f64| Client {
        closes: endings.iter().map(|&ending| (ending, 1.0)).collect(),
        second_fin: Distribution::Constant(SimDuration::from_millis(if closes_late {
            700
        } else {
            0
        })),
        ..Client::poisson(
            name,
            rate,
            Distribution::Exponential { mean: SimDuration::from_millis(300) },
        )
    };
    let host = |name: &str, count: u32, clients: Vec<Client>| Host {
        count,
        ports: PortRange::new(40_000, 39_999 + ports).expect("a range"),
        clients,
        ..Host::linux(name)
    };
    vec![
        host("a", 2, vec![client("a", rate)]),
        host("b", 1, vec![client("b", rate), client("c", rate / 2.0)]),
    ]
}

fn world(hosts: Vec<Host>, endpoints: u32) -> World {
    let destinations = vec![Destination { endpoints, ..Destination::new("server") }];
    World { hosts, destinations, ..World::of(Host::linux("none")) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Law: behind a gateway that never runs out, hosts and clients fare as they would without it, to the bit.
    #[test]
    fn a_gateway_that_is_never_full_changes_nothing(
        ports in 20_u16..400,
        rate in 1.0..30.0_f64,
        endpoints in 1_u32..4,
        ends in prop::collection::vec(0_usize..Ending::ALL.len(), 1..4),
        closes_late in any::<bool>(),
        two in any::<bool>(),
    ) {
        let endings: Vec<Ending> = ends.into_iter().map(|index| Ending::ALL[index]).collect();
        let alone = world(hosts(ports, rate, &endings, closes_late), endpoints);
        let mut behind = alone.clone();
        behind.gateways = vec![nat(64_000, NatTimers::CONNTRACK)];
        behind.hosts.iter_mut().for_each(|host| host.gateway = Some(0));
        if two {
            behind.gateways.push(Gateway { name: "outer".into(), ..nat(64_000, NatTimers::CONNTRACK) });
            behind.gateways[0].gateway = Some(1);
        }
        let settings = settings(200, 2);
        let (one, other) = (run(&alone, &settings), run(&behind, &settings));
        for (one, other) in one.limits.iter().zip(&other.limits) {
            prop_assert_eq!(format!("{:?}", one.figures), format!("{:?}", other.figures));
        }
        for (one, other) in one.clients.iter().zip(&other.clients) {
            prop_assert_eq!(format!("{:?}", one.figures), format!("{:?}", other.figures));
        }
        // What passed a gateway is what opened at its hosts, and both gateways saw the same.
        for gateway in &other.limits[2..] {
            prop_assert_eq!(gateway.figures.opened, other.whole.opened);
            prop_assert_eq!(gateway.figures.blocked, 0);
        }
    }
}

/// Two gateways, one behind the other; the outer one has a single port, which the first connection has for 3.5 s. The
/// second one, of 1 s, gets it at its SYN of 4 s and stays for 200 s: so long it has its port at the inner one too,
/// whether its entry there from the first SYN is still there (120 s) or not (2 s).
#[test]
fn an_entry_lives_with_its_connection_though_its_first_syn_came_no_further() {
    for half_open in [120, 2] {
        let attempt = |at: u64, lives_ms: u64| TraceAttempt {
            at: SimTime::START + SimDuration::from_secs(at),
            lifetime: Some(SimDuration::from_millis(lives_ms)),
            to: None,
            source: None,
            ending: Some(Ending::Reset),
        };
        let attempts = vec![attempt(0, 3_500), attempt(1, 200_000)];
        let client = Client::new("c", Arrivals::Trace(attempts.into()), SimDuration::ZERO);
        let mut world =
            world(vec![Host { clients: vec![client], gateway: Some(0), ..Host::linux("h") }], 1);
        let timers = NatTimers { reset: SimDuration::ZERO, ..NatTimers::CONNTRACK };
        let inner = NatTimers { half_open: SimDuration::from_secs(half_open), ..timers };
        let inner = Gateway { name: "inner".into(), gateway: Some(1), ..nat(1_000, inner) };
        world.gateways = vec![inner, nat(1, timers)];
        let outcome = run(&world, &settings(300, 1));
        let [host, inner, outer] = &outcome.limits[..] else { panic!("three limits") };
        assert_eq!((host.figures.late, host.figures.unanswered), (1, 0));
        assert_eq!((outer.figures.attempts, outer.figures.blocked), (2, 1));
        assert_eq!((inner.figures.attempts, inner.figures.blocked), (2, 0), "{half_open} s");
        for limit in [host, inner, outer] {
            let held = |row: &&TimelineRow| row.established.mean > 0.99;
            let secs = limit.timeline.rows.iter().filter(held).count() as f64
                * limit.timeline.bin.as_secs_f64();
            // 3.5 s and 200 s, less the parts of bins at their ends.
            assert!((200.0..=203.5).contains(&secs), "{} {half_open} s: {secs}", limit.name);
        }
    }
}

/// Three machines of 20 attempts a second behind 300 ports that are held for 5 s and 200 ms: Erlang's loss formula at
/// 312 erlangs, whoever asks. What is dropped gives up before its SYN is sent again, for a port must be had at once.
#[test]
fn a_shared_pool_blocks_as_erlang_says() {
    let timers = NatTimers { reset: SimDuration::from_secs(5), ..NatTimers::CONNTRACK };
    let ratio = offered(nat(300, timers)).limits[1].figures.blocking_ratio;
    let formula = erlang_b(300, 60.0 * 5.2);
    println!("simulated {} ({}-{}), Erlang B {formula}", ratio.mean, ratio.lo, ratio.hi);
    assert!((ratio.mean / formula - 1.0).abs() < 0.02, "{ratio:?} is not {formula}");
    // And one that is 2 % larger would be told from it.
    let wrong = erlang_b(306, 60.0 * 5.2);
    assert!(ratio.lo > wrong, "{ratio:?} holds {wrong} too");
}

/// Three machines of 20 attempts a second, lifetimes of 200 ms on average, that give up before a SYN is sent again.
fn offered(gateway: Gateway) -> Outcome {
    let client = Client {
        closes: vec![(Ending::Reset, 1.0)],
        ..Client::poisson(
            "c",
            20.0,
            Distribution::Exponential { mean: SimDuration::from_millis(200) },
        )
    };
    let mut host = Host { count: 3, clients: vec![client], gateway: Some(0), ..Host::linux("h") };
    host.tcp.syn = portsim::model::SynTimeout::After(SimDuration::from_millis(500));
    let mut world = world(vec![host], 1);
    world.gateways = vec![gateway];
    let settings = RunSettings { warm_up: SimDuration::from_secs(60), ..settings(3_060, 10) };
    run(&world, &settings)
}

/// The same 300 ports as a share of 100 for each machine are three systems of 100 places at 104 erlangs; so is a
/// most of 100 connections for each. A table of 300 entries is one of 300, and so is a pool that answers with a reset.
#[test]
fn shares_and_tables_block_as_erlang_says() {
    let timers = NatTimers { reset: SimDuration::from_secs(5), ..NatTimers::CONNTRACK };
    let with = |change: fn(&mut NatRules), ports: u16| {
        let mut gateway = nat(ports, timers);
        change(&mut gateway.nat);
        offered(gateway).limits
    };
    type Kind = (&'static str, fn(&mut NatRules), u16, u32);
    let kinds: [Kind; 4] = [
        ("a share", |nat| nat.share = Some(SHARE), 300, 100),
        ("a most for each", |nat| nat.most_each = Some(100), 60_000, 100),
        ("a table", |nat| nat.most_entries = Some(300), 60_000, 300),
        ("a reset", |nat| nat.exhausted = NatExhausted::Reset, 300, 300),
    ];
    for (what, change, ports, places) in kinds {
        let limits = with(change, ports);
        let ratio = limits[1].figures.blocking_ratio;
        let formula = erlang_b(places.into(), f64::from(places) * 60.0 * 5.2 / 300.0);
        println!("{what}: {} ({}-{}), Erlang B {formula}", ratio.mean, ratio.lo, ratio.hi);
        assert!((ratio.mean / formula - 1.0).abs() < 0.02, "{what}: {ratio:?} is not {formula}");
        let of_host = limits[0].figures.blocking_ratio.mean;
        let expected = if what == "a reset" { ratio.mean } else { 0.0 };
        assert!((of_host - expected).abs() < 1e-12, "{what}: the machines see {of_host}");
    }
}

const SHARE: NatShare =
    NatShare { base: 100, block: 100, most: 100, doubles: false, idle: SimDuration::ZERO };

/// Where the oldest has to go nobody is refused, and of 312 that would be there 300 are: those that are cut off are
/// the share that 5.2 s is too long for.
#[test]
fn the_oldest_connection_makes_room() {
    let timers = NatTimers { reset: SimDuration::from_secs(5), ..NatTimers::CONNTRACK };
    let mut gateway = nat(300, timers);
    gateway.nat.exhausted = NatExhausted::EvictOldest;
    let limits = offered(gateway).limits;
    let figures = &limits[1].figures;
    assert_eq!(figures.blocked, 0);
    assert_eq!(figures.peak_in_use, 300);
    // The oldest was opened 5 s ago: at 200 ms on average hardly any is open still.
    assert_eq!(figures.cut_off, 0);
    // As many that last for ever: from the 301st on each takes the place of one that is open.
    let mut gateway = nat(300, NatTimers { reset: SimDuration::ZERO, ..timers });
    gateway.nat.exhausted = NatExhausted::EvictOldest;
    let client = Client {
        closes: vec![(Ending::Never, 1.0)],
        ..Client::poisson("c", 20.0, Distribution::Constant(SimDuration::from_secs(1)))
    };
    let mut world =
        world(vec![Host { clients: vec![client], gateway: Some(0), ..Host::linux("h") }], 1);
    world.gateways = vec![gateway];
    let figures = &run(&world, &settings(100, 1)).limits[1].figures;
    assert_eq!(figures.cut_off, figures.attempts - 300);
}

/// Where nothing is ever full, how it would make room changes nothing.
#[test]
fn a_gateway_that_would_evict_counts_as_one_that_would_drop() {
    let figures = |exhausted| {
        let mut gateway = nat(5_000, NatTimers::CONNTRACK);
        gateway.nat.exhausted = exhausted;
        format!("{:?}", offered(gateway).limits)
    };
    assert!(figures(NatExhausted::EvictOldest) == figures(NatExhausted::Drop));
}

/// A table that is full of SYNs that nobody answered has room for one more wherever it may drop one of them.
#[test]
fn a_full_table_drops_what_nobody_answered() {
    let blocked = |evicts_unanswered| {
        let mut gateway = nat(60_000, NatTimers::CONNTRACK);
        (gateway.nat.most_entries, gateway.nat.evicts_unanswered) = (Some(300), evicts_unanswered);
        let client = Client::poisson("c", 20.0, Distribution::Constant(SimDuration::from_secs(1)));
        let host = Host { clients: vec![client], gateway: Some(0), ..Host::linux("h") };
        let mut world = world(vec![host], 1);
        world.destinations[0].answers = false;
        world.gateways = vec![gateway];
        let figures = run(&world, &settings(100, 1)).limits[1].figures.clone();
        assert_eq!(figures.peak_in_use, 300);
        figures.blocked
    };
    assert_eq!(blocked(true), 0);
    assert!(blocked(false) > 1_000, "300 fit into the two minutes that each of them stays");
}
