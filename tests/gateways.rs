//! Laws of gateways: one that is never full changes nothing, machines behind one compete for its ports and for nothing
//! else, and Erlang's formula holds for what its ports carry.

use portsim::model::nat::{Mapping, NatAddresses, NatRules, NatSelection, NatTimers};
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
    world.gateways = vec![nat(300, timers)];
    let settings = RunSettings { warm_up: SimDuration::from_secs(60), ..settings(3_060, 10) };
    let outcome = run(&world, &settings);
    let ratio = outcome.limits[1].figures.blocking_ratio;
    let formula = erlang_b(300, 60.0 * 5.2);
    println!("simulated {} ({}-{}), Erlang B {formula}", ratio.mean, ratio.lo, ratio.hi);
    assert!((ratio.mean / formula - 1.0).abs() < 0.02, "{ratio:?} is not {formula}");
    // And one that is 2 % larger would be told from it.
    let wrong = erlang_b(306, 60.0 * 5.2);
    assert!(ratio.lo > wrong, "{ratio:?} holds {wrong} too");
}
