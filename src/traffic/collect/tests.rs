//! Against plain counting, with budgets large and small.

use std::net::Ipv4Addr;

use super::*;

const SECOND: Micros = 1_000_000;

fn linux() -> Limits {
    Limits::of("linux", &[]).unwrap()
}

fn at(number: u32, port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + number), port))
}

fn connection(start: Micros, secs: u64, seen: LastSeen) -> Connection {
    let duration = Some(Duration::from_secs(secs));
    Connection { start, duration, source: at(1, 40_000), destination: at(9, 443), seen }
}

fn collected(connections: &[Connection], budget: Budget) -> Collected {
    let mut collector = Collector::new(linux(), budget);
    connections.iter().for_each(|connection| collector.add(connection));
    collector.finish()
}

#[test]
fn nothing_seen_is_nothing() {
    let nothing = collected(&[], Budget::default());
    assert!(nothing.sources.is_empty());
    assert_eq!((nothing.first, nothing.last, nothing.seconds), (0, 0, 0.0));
}

/// A port is held through TIME-WAIT where this side closed, or may have.
#[test]
fn a_port_is_held_as_long_as_the_end_says() {
    let limits = linux();
    for (seen, held) in [
        (LastSeen::Ended(Ending::Client), 71.024),
        (LastSeen::Ended(Ending::Half), 71.024),
        (LastSeen::Open, 71.024),
        (LastSeen::Unknown, 71.024),
        (LastSeen::Ended(Ending::Server), 10.0),
        (LastSeen::Ended(Ending::Reset), 10.0),
    ] {
        let released = limits.released(&connection(0, 10, seen));
        assert_eq!(released, (held * 1e6) as Micros, "{seen:?}");
    }
    let given_up = limits.released(&connection(0, 10, LastSeen::Unanswered));
    assert_eq!(given_up, limits.syn_sent.as_micros() as Micros);
}

/// One a second for 300 s, each held for 1 s and 61.024 s: 63 at once.
#[test]
fn demand_is_counted_over_time() {
    let connections: Vec<_> =
        (0..300).map(|i| connection(i * SECOND, 1, LastSeen::Ended(Ending::Client))).collect();
    let all = collected(&connections, Budget::default());
    let source = &all.sources[0];
    assert_eq!((source.opened, source.outside), (300, 0));
    assert_eq!(source.peak, Peak { ports: 63, at_least: 63, at: 62 * SECOND });
    assert_eq!(source.tightest(), source.peak);
    assert_eq!((all.first, all.last, all.seconds), (0, 299 * SECOND, 299.0));
    assert_eq!(all.watched, Watched::Openings);
    assert_eq!(all.bin, Duration::from_micros(1));
}

/// What is logged at its end began long before the log: the log's own length counts.
#[test]
fn a_long_connection_does_not_stretch_the_time_watched() {
    let mut connections: Vec<_> =
        (0..=60).map(|i| connection(i * SECOND, 1, LastSeen::Ended(Ending::Server))).collect();
    connections.push(connection(-3_600 * SECOND, 3_630, LastSeen::Ended(Ending::Server)));
    let all = collected(&connections, Budget::default());
    assert_eq!((all.first, all.last, all.seconds), (SECOND, 61 * SECOND, 60.0));
    assert_eq!(all.watched, Watched::Ends);
}

/// Of what was opened at one moment no rate is known, only how long ports were held.
#[test]
fn openings_at_one_moment_have_no_rate() {
    let connections: Vec<_> =
        (1..=3).map(|i| connection(0, 20 * i, LastSeen::Ended(Ending::Server))).collect();
    let all = collected(&connections, Budget::default());
    assert_eq!((all.first, all.last, all.seconds), (0, 60 * SECOND, 60.0));
    assert_eq!(all.watched, Watched::AtOnce(Duration::from_secs(60)));
    let one = collected(&[connection(0, 0, LastSeen::Ended(Ending::Server))], Budget::default());
    assert_eq!((one.seconds, one.watched), (0.0, Watched::AtOnce(Duration::ZERO)));
}

#[test]
fn few_flows_in_memory_lose_no_connection() {
    let budget = Budget { changes: 1 << 20, flows: 16 };
    let mut connections = Vec::new();
    for i in 0..2_000_u32 {
        let mut one = connection(i64::from(i) * SECOND / 10, 1, LastSeen::Ended(Ending::Server));
        // Every other one goes to the same place, the rest to 200 places.
        if i % 2 == 1 {
            one.destination = at(100 + i % 400, 80);
        }
        connections.push(one);
    }
    let exact = collected(&connections, Budget::default());
    let small = collected(&connections, budget);
    assert_eq!((exact.threshold, exact.sources[0].destinations.len()), (0, 201));
    assert!(small.threshold > 0);
    let (exact, source) = (&exact.sources[0], &small.sources[0]);
    assert!(source.destinations.len() <= 16);
    assert_eq!(source.opened, 2_000);
    assert_eq!(source.destinations[0], exact.destinations[0]);
    assert_eq!(source.peak, exact.peak, "the total is of all of them");
    let others = source.others.as_ref().unwrap();
    let told: u64 = source.destinations.iter().map(|(flow, _)| flow.opened).sum();
    assert_eq!(others.opened + told, 2_000);
    assert_eq!(others.endpoints as usize + source.destinations.len(), 201);
}

/// A destination that becomes busy late is told apart all the same.
#[test]
fn a_late_destination_lacks_no_more_than_the_threshold() {
    let budget = Budget { changes: 1 << 20, flows: 16 };
    let mut connections = Vec::new();
    for i in 0..10_000_u32 {
        let mut one = connection(i64::from(i) * SECOND / 100, 1, LastSeen::Ended(Ending::Server));
        one.destination = if i < 5_000 { at(100 + i % 300, 80) } else { at(9, 443) };
        connections.push(one);
    }
    let small = collected(&connections, budget);
    let (flow, peak) = &small.sources[0].destinations[0];
    assert_eq!(flow.destination, at(9, 443));
    assert!(flow.opened + u64::from(small.threshold) > 5_000, "{flow:?}");
    assert!((100..=101).contains(&peak.ports), "{peak:?}");
}

/// 100 a second for 200 s, held for 62.024 s: 6,203 at once.
#[test]
fn tracks_get_coarse_within_the_budget_and_say_so() {
    let budget = Budget { changes: 500, flows: 16 };
    let connections: Vec<_> = (0..20_000_i64)
        .map(|i| connection(i * 7_919 % 20_000 * SECOND / 100, 1, LastSeen::Ended(Ending::Client)))
        .collect();
    let exact = collected(&connections, Budget::default()).sources[0].peak;
    assert_eq!((exact.ports, exact.at_least), (6_203, 6_203));
    let coarse = collected(&connections, budget);
    assert!(coarse.bin > Duration::from_millis(100), "{:?}", coarse.bin);
    let peak = coarse.sources[0].peak;
    assert!(peak.at_least <= 6_203 && 6_203 <= peak.ports, "{peak:?}");
    // As many more as are opened within a bin.
    let within = (coarse.bin.as_secs_f64() * 100.0).ceil() as u64 + 1;
    assert!(peak.ports - peak.at_least <= within, "{peak:?} {within}");
}

/// Memory goes where the connections are: a busy destination among quiet ones stays sharp.
#[test]
fn a_busy_destination_is_as_sharp_as_the_budget_allows() {
    let budget = Budget { changes: 4_000, flows: 64 };
    let mut connections = Vec::new();
    for i in 0..40_000_i64 {
        let mut one = connection(i * SECOND / 100, 1, LastSeen::Ended(Ending::Server));
        if i % 20 == 0 {
            one.destination = at(100 + (i / 20 % 40) as u32, 80);
        }
        connections.push(one);
    }
    let exact = collected(&connections, Budget::default());
    let coarse = collected(&connections, budget);
    let (meant, found) = (exact.sources[0].tightest(), coarse.sources[0].tightest());
    assert!(found.at_least <= meant.ports && meant.ports <= found.ports, "{meant:?} {found:?}");
    // 4,000 changes are some 100 connections each; bins alike for all 41 would be eight times as wide.
    assert!(found.ports <= meant.ports + 110, "{meant:?} {found:?}");
}

#[test]
fn a_crowd_of_sources_is_bounded_and_counted() {
    let budget = Budget { changes: 1 << 20, flows: 64 };
    let mut connections = Vec::new();
    for i in 0..5_000_u32 {
        let mut one = connection(i64::from(i), 1, LastSeen::Ended(Ending::Server));
        one.source = at(1_000 + i, 50_000);
        connections.push(one);
        connections.push(connection(i64::from(i), 1, LastSeen::Ended(Ending::Server)));
    }
    let all = collected(&connections, budget);
    assert_eq!(all.sources[0].opened, 5_000);
    let told: u64 = all.sources.iter().map(|source| source.opened).sum();
    assert_eq!(told + all.left_out.connections, 10_000);
    assert_eq!(all.left_out.most, 1);
    assert!(all.sources.len() <= 129, "{}", all.sources.len());
}

/// Sources that come again and again are counted once, whoever is left out meanwhile.
#[test]
fn sources_that_are_left_out_are_counted_once() {
    let crowd = |sources: u32| {
        let budget = Budget { changes: 1 << 20, flows: 64 };
        let mut connections = Vec::new();
        for i in 0..20 * sources {
            let mut one = connection(i64::from(i), 1, LastSeen::Ended(Ending::Server));
            one.source = at(1_000 + i % sources, 50_000);
            connections.push(one);
        }
        let all = collected(&connections, budget);
        let told: u64 = all.sources.iter().map(|source| source.opened).sum();
        assert_eq!(told + all.left_out.connections, u64::from(20 * sources));
        (all.sources.len() as u64 + all.left_out.sources, all.left_out.more)
    };
    assert_eq!(crowd(500), (500, false));
    // More than 64 * 64 addresses are not remembered.
    let (at_least, more) = crowd(5_000);
    assert!(more && (4_096..=5_000).contains(&at_least), "{at_least}");
}
