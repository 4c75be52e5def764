//! A world that changes in the middle of a run: what is held stays held, what comes after goes by the new world,
//! and what does not change goes on as if nothing had happened.

mod support;

use std::sync::Arc;

use portsim::engine::{Job, Observer, Opening, Served, Unobserved, Workspace, run};
use portsim::model::{
    Arrivals, Binds, Change, Client, Distribution, Ending, Host, KeepAlive, PortRange, Rates,
    Retries, RunSettings, Spacing, TcpSettings, TimerGrid, TwReuse, World,
};
use portsim::replicate::{Unwatched, replicate};
use portsim::stats::{BinRow, ClientTally, HostTally, Window};
use portsim::units::{SimDuration, SimTime};
use proptest::prelude::*;
use support::worlds::{Auditor, hosts, worlds};
use support::{client, host, settings, world};

fn after(secs: f64) -> SimTime {
    SimTime::START + SimDuration::from_secs_f64(secs)
}

fn secs(secs: f64) -> SimDuration {
    SimDuration::from_secs_f64(secs)
}

/// What is changed, and at which second.
type Later<'a> = (f64, &'a dyn Fn(&mut World));

/// `world` that becomes each of `later`.
fn changing(world: &World, later: &[Later<'_>]) -> World {
    let mut whole = world.clone();
    let mut now = world.clone();
    for (at, change) in later {
        change(&mut now);
        let (at, what) = (after(*at), "something".to_owned());
        whole.changes.push(Change { at, what, world: now.clone() });
    }
    whole
}

fn job<'a>(world: &'a World, settings: &'a RunSettings) -> Job<'a> {
    Job { world, settings, host: 0, machine: 0, replication: 0, timer_phase: None }
}

fn watched(world: &World, settings: &RunSettings, observer: &mut impl Observer) -> HostTally {
    let window = Window::new(settings.warm_up, settings.duration);
    let mut tally = HostTally::new(world.hosts[0].clients.len(), window);
    let mut workspace = Workspace::default();
    assert!(run(job(world, settings), &mut workspace, &mut tally, observer).is_continue());
    tally
}

/// What one machine did, but for how it is told from change to change.
fn tally(world: &World, settings: &RunSettings) -> String {
    let mut tally = watched(world, settings, &mut Unobserved);
    tally.stretches.clear();
    format!("{tally:?}")
}

/// Each opening: when, by whom, which port.
#[derive(Default)]
struct Openings(Vec<(SimTime, u16, u16)>);

impl Observer for Openings {
    fn opened(&mut self, opening: &Opening) {
        self.0.push((opening.at, opening.client, opening.port));
    }
}

fn opened(world: &World, settings: &RunSettings) -> Vec<(SimTime, u16, u16)> {
    let mut openings = Openings::default();
    watched(world, settings, &mut openings);
    openings.0
}

fn between(openings: &[(SimTime, u16, u16)], from: f64, to: f64) -> usize {
    openings.iter().filter(|opening| (after(from)..after(to)).contains(&opening.0)).count()
}

/// A host that is `now`, and becomes what of `later` can change: everything but how its clients come to ask.
fn becomes(now: &Host, later: &Host) -> Host {
    let kind = |arrivals: &Arrivals| arrivals.has_workers();
    let clients = now.clients.iter().enumerate().map(|(number, client)| {
        let Some(other) = later.clients.get(number) else { return client.clone() };
        let arrivals = if kind(&client.arrivals) == kind(&other.arrivals) { other } else { client };
        Client { name: client.name.clone(), arrivals: arrivals.arrivals.clone(), ..other.clone() }
    });
    Host {
        clients: clients.collect(),
        selection: now.selection,
        reuse_key: now.reuse_key,
        timer_grid: now.timer_grid,
        name: now.name.clone(),
        ..later.clone()
    }
}

/// Worlds that change twice, in everything that can.
fn changing_worlds() -> impl Strategy<Value = World> {
    (worlds(), hosts(), hosts(), 1_u32..4, any::<bool>()).prop_map(
        |(mut world, second, third, endpoints, answers)| {
            let mut now = world.clone();
            for (at, next) in [(20.0, second), (35.5, third)] {
                now.hosts[0] = becomes(&now.hosts[0], &next);
                now.destinations[1].endpoints = endpoints;
                now.destinations[0].answers = answers || at > 30.0;
                world.changes.push(Change {
                    at: after(at),
                    what: String::new(),
                    world: now.clone(),
                });
            }
            world
        },
    )
}

/// Holds every opening against the range and the reservations of its moment.
struct Inside<'a> {
    auditor: Auditor,
    world: &'a World,
}

impl Observer for Inside<'_> {
    fn opened(&mut self, opening: &Opening) {
        let changes = self.world.changes.iter().rev();
        let now = changes.into_iter().find(|change| change.at <= opening.at);
        let host = &now.map_or(self.world, |change| &change.world).hosts[0];
        let client = &host.clients[usize::from(opening.client)];
        if client.binds == Binds::Port {
            assert!(client.socket.source_ports.contains(opening.port), "{}", opening.port);
        } else {
            let narrow = client.socket.port_range;
            let range = narrow.map_or(host.ports, |narrow| host.ports.narrowed_to(narrow));
            assert!(range.contains(opening.port), "{} is not in {range}", opening.port);
            assert!(!host.reserved.contains(opening.port), "{} is reserved", opening.port);
        }
        self.auditor.opened(opening);
    }

    fn released(&mut self, release: &portsim::engine::Release) {
        self.auditor.released(release);
    }

    fn refused(&mut self, at: SimTime, client: u16, refused: &portsim::model::Refused) {
        self.auditor.refused(at, client, refused);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Law: whatever changes, no port is given out that somebody has, none outside the range of its moment, and
    /// what is counted is what happened.
    #[test]
    fn what_is_held_stays_held_and_what_comes_after_goes_by_the_new_world(
        world in changing_worlds(),
        seed in any::<u64>(),
    ) {
        let settings = RunSettings { seed, ..settings(60.0, 1) };
        let end = Window::new(settings.warm_up, settings.duration).end();
        let mut inside = Inside { auditor: Auditor { end, ..Auditor::default() }, world: &world };
        let tally = watched(&world, &settings, &mut inside);
        let mut auditor = inside.auditor;
        auditor.check();
        let opened: u64 = tally.clients.iter().map(|client| client.opened).sum();
        let blocked: u64 = tally.clients.iter().map(|client| client.blocked).sum();
        prop_assert_eq!((opened, blocked), (auditor.opened, auditor.refused));
        let sum = |part: fn(&ClientTally) -> u128| tally.clients.iter().map(part).sum::<u128>();
        let held = sum(|c| c.connecting + c.established + c.closing + c.time_wait);
        prop_assert_eq!(held, auditor.before_close + auditor.after_close);
        let rows: Vec<BinRow> = tally.bins.rows().collect();
        let in_bins = |part: fn(&BinRow) -> i128| rows.iter().map(part).sum::<i128>() as u128;
        prop_assert_eq!(in_bins(|row| row.time_wait), sum(|c| c.time_wait));
        prop_assert_eq!(in_bins(|row| row.connecting), sum(|c| c.connecting));
        prop_assert_eq!(in_bins(|row| row.established), sum(|c| c.established));
        prop_assert_eq!(in_bins(|row| row.closing), sum(|c| c.closing));
        let in_stretches: [u64; 2] =
            [0, 1].map(|which| tally.stretches.iter().map(|one| one.attempts[which]).sum());
        prop_assert_eq!(in_stretches, [opened + blocked, blocked]);
    }

    /// Law: a world that becomes what it is already is not changed by it, to the bit.
    #[test]
    fn a_change_to_what_is_so_already_changes_nothing(world in worlds(), seed in any::<u64>()) {
        let settings = RunSettings { seed, ..settings(60.0, 1) };
        let alone = tally(&world, &settings);
        prop_assert_eq!(&tally(&changing(&world, &[(20.0, &|_| ()), (41.7, &|_| ())]), &settings), &alone);
        // A port outside the range that is reserved changes nothing, but all that the machine keeps is made anew.
        let reserves = |world: &mut World| {
            let more = [1_u16 + world.hosts[0].reserved.contains(1) as u16];
            let all = world.hosts[0].reserved.ports().iter().chain(&more).copied();
            world.hosts[0].reserved = all.collect();
        };
        let anew = changing(&world, &[(20.0, &reserves), (41.7, &reserves)]);
        prop_assert!(anew.reshapes(0));
        prop_assert_eq!(&tally(&anew, &settings), &alone);
    }

    /// Law: until the first change nobody can tell that it will come.
    #[test]
    fn nothing_is_known_of_a_change_before_it_comes(world in changing_worlds(), seed in any::<u64>()) {
        let settings = RunSettings { seed, ..settings(60.0, 1) };
        let mut world = world;
        let first = World { changes: Vec::new(), ..world.clone() };
        // Endpoints that come in later may move the numbers of others, and so the ports that hashes make of them.
        for change in &mut world.changes {
            change.world.destinations[1].endpoints = 3;
            let clients = change.world.hosts[0].clients.iter_mut();
            for (later, first) in clients.zip(&first.hosts[0].clients) {
                later.targets.clone_from(&first.targets);
            }
        }
        let until = |world: &World| {
            let mut all = opened(world, &settings);
            all.retain(|opening| opening.0 < after(20.0));
            all
        };
        prop_assert_eq!(until(&world), until(&first));
    }
}

fn of_rate(arrivals: Arrivals) -> World {
    let life = Distribution::Constant(secs(0.5));
    world(host(5_000, vec![client(arrivals, life)]))
}

#[test]
fn evenly_spaced_attempts_keep_their_phase_when_the_rate_changes() {
    let rate = |rate_per_s: f64| {
        move |world: &mut World| {
            world.hosts[0].clients[0].arrivals = Arrivals::Constant { rate_per_s };
        }
    };
    let world = of_rate(Arrivals::Constant { rate_per_s: 10.0 });
    let world = changing(&world, &[(10.05, &rate(20.0)), (20.0, &rate(4.0))]);
    let all = opened(&world, &settings(30.0, 1));
    // The attempt that would come half a gap later comes half a shorter gap later.
    assert!(all.iter().any(|opening| opening.0 == after(10.075)), "{:?}", &all[100..103]);
    assert_eq!(between(&all, 0.0, 10.05), 101);
    assert_eq!(between(&all, 10.05, 20.0), 199);
    assert_eq!(between(&all, 20.0, 30.0), 40);
}

/// Goal: independent attempts whose rate is changed are those whose rate moves by itself.
/// Method: counts in each part within five standard deviations of their Poisson law, both ways.
#[test]
fn independent_attempts_come_at_the_new_rate_from_the_change_on() {
    let rate = |rate_per_s: f64| {
        move |world: &mut World| {
            world.hosts[0].clients[0].arrivals = Arrivals::Poisson { rate_per_s };
        }
    };
    let changed = changing(
        &of_rate(Arrivals::Poisson { rate_per_s: 50.0 }),
        &[(100.0, &rate(400.0)), (200.0, &rate(5.0))],
    );
    let points = vec![(0.0, 50.0), (100.0, 400.0), (200.0, 5.0)];
    let rates = Arc::new(Rates { points, ramps: false, repeat: None });
    let moving = of_rate(Arrivals::Moving { rates, spacing: Spacing::Poisson });
    for world in [changed, moving] {
        let all = opened(&world, &settings(300.0, 1));
        for (from, to, expected) in [(0.0, 100.0, 5e3), (100.0, 200.0, 4e4), (200.0, 300.0, 500.0)]
        {
            let found = between(&all, from, to) as f64;
            assert!((found - expected).abs() < 5.0 * f64::sqrt(expected), "{found} of {expected}");
        }
    }
}

#[test]
fn workers_come_and_go_with_what_they_were_doing() {
    let workers = |workers: u32| {
        move |world: &mut World| {
            let think = Distribution::Constant(SimDuration::ZERO);
            world.hosts[0].clients[0].arrivals = Arrivals::ClosedLoop { workers, think };
        }
    };
    let mut world = of_rate(Arrivals::Poisson { rate_per_s: 1.0 });
    workers(40)(&mut world);
    // Each opens two a second.
    let world =
        changing(&world, &[(10.0, &workers(10)), (20.0, &workers(100)), (20.2, &workers(50))]);
    let all = opened(&world, &settings(30.0, 1));
    assert_eq!(between(&all, 0.0, 10.0), 800);
    assert_eq!(between(&all, 10.0, 20.0), 200);
    // Those who were to leave half way through their connections have left when these end.
    assert_eq!(between(&all, 20.0, 20.2), 100);
    assert_eq!(between(&all, 21.0, 30.0), 900);
}

#[test]
fn a_range_that_is_widened_in_mid_run_ends_the_refusals_at_once() {
    let mut host = host(
        1_000,
        vec![Client {
            closes: vec![(Ending::Client, 1.0)],
            ..client(Arrivals::Constant { rate_per_s: 100.0 }, Distribution::Constant(secs(1.0)))
        }],
    );
    host.ports = PortRange::new(40_000, 40_999).unwrap();
    let widened = |world: &mut World| {
        world.hosts[0].ports = PortRange::new(30_001, 59_999).unwrap();
    };
    let world = changing(&world(host), &[(30.0, &widened)]);
    let outcome = replicate(&world, &settings(100.0, 3), &Unwatched).unwrap();
    let [before, later] = &outcome.stretches[..] else { panic!("one change") };
    // A thousand ports last for ten seconds; then nobody gets any.
    assert_eq!((before.attempts, before.blocked), (9_000, 6_000));
    assert_eq!((later.attempts, later.blocked), (21_000, 0));
    assert_eq!(later.recovered.map(|m| m.median), Some(0.0));
    assert_eq!(outcome.whole.num_ephemeral, 29_999);
}

#[test]
fn tcp_tw_reuse_that_is_turned_on_frees_the_time_waits_that_are_there() {
    let mut host = host(
        1_000,
        vec![Client {
            closes: vec![(Ending::Client, 1.0)],
            ..client(Arrivals::Constant { rate_per_s: 100.0 }, Distribution::Constant(secs(0.5)))
        }],
    );
    host.tcp = TcpSettings { tw_reuse: TwReuse::Never, ..host.tcp };
    let reuse = |world: &mut World| world.hosts[0].tcp.tw_reuse = TwReuse::Always;
    let stop = |world: &mut World| world.hosts[0].tcp.tw_reuse = TwReuse::Never;
    let world = changing(&world(host), &[(30.0, &reuse), (50.0, &stop)]);
    let outcome = replicate(&world, &settings(100.0, 1), &Unwatched).unwrap();
    let blocked: Vec<u64> = outcome.stretches.iter().map(|one| one.blocked).collect();
    // Ten seconds fill the range. Turned off again, what has become free is used up once more: a connection
    // and the second after it were never taken over.
    assert_eq!(blocked[..2], [2_000, 0]);
    assert!((3_800..=4_200).contains(&blocked[2]), "{blocked:?}");
}

#[test]
fn machines_that_are_added_begin_when_they_are() {
    let count = |count: u32| move |world: &mut World| world.hosts[0].count = count;
    let world = of_rate(Arrivals::Constant { rate_per_s: 10.0 });
    let world = changing(&world, &[(10.0, &count(3)), (20.0, &count(2)), (30.0, &count(4))]);
    let outcome = replicate(&world, &settings(40.0, 1), &Unwatched).unwrap();
    let attempts: Vec<u64> = outcome.stretches.iter().map(|one| one.attempts).collect();
    assert_eq!(attempts, [100, 300, 200, 400]);
    assert_eq!(outcome.limits[0].machines, 4);
}

// Requests.

fn pooled(keeps: KeepAlive, rate_per_s: f64, service: f64) -> World {
    let life = Distribution::Constant(secs(service));
    let web = client(Arrivals::Constant { rate_per_s }, life);
    let web = Client { closes: vec![(Ending::Client, 1.0)], pool: Some(keeps), ..web };
    world(Host { timer_grid: TimerGrid::Exact, ..host(5_000, vec![web]) })
}

#[derive(Default)]
struct Answers(Vec<Served>, u64);

impl Observer for Answers {
    fn served(&mut self, served: &Served) {
        self.0.push(*served);
    }

    fn failed(&mut self, _: &portsim::engine::Failed) {
        self.1 += 1;
    }
}

#[test]
fn keep_alive_that_is_lost_closes_what_is_idle_and_opens_one_for_each_request() {
    let lost = |world: &mut World| {
        world.hosts[0].clients[0].pool =
            Some(KeepAlive { max_idle: Some(0), ..KeepAlive::default() });
    };
    let world = changing(&pooled(KeepAlive::default(), 10.0, 0.05), &[(10.0, &lost)]);
    let outcome = replicate(&world, &settings(20.0, 1), &Unwatched).unwrap();
    let opened: Vec<u64> = outcome.stretches.iter().map(|one| one.attempts).collect();
    assert_eq!(opened, [1, 100], "one connection carries all, then each its own");
    // From the change on nothing is idle.
    let idle = outcome.whole.requests.as_ref().unwrap().mean_idle.mean;
    assert!((0.2..0.3).contains(&idle), "{idle}");
}

#[test]
fn what_waits_for_a_server_that_is_silent_is_answered_when_it_is_back_or_given_up() {
    let answers = |answers: bool| move |world: &mut World| world.destinations[0].answers = answers;
    let world = pooled(KeepAlive::default(), 10.0, 0.25);
    let patient = changing(&world, &[(10.0, &answers(false)), (15.0, &answers(true))]);
    let mut seen = Answers::default();
    watched(&patient, &settings(40.0, 1), &mut seen);
    let answered = |from: f64, to: f64| {
        seen.0.iter().filter(|one| (after(from)..after(to)).contains(&one.at)).count()
    };
    assert_eq!(answered(10.0, 15.0), 0);
    // Two were on their way, one took the idle connection; one is asked when the server is back, and the SYNs of 11, 12,
    // 13 and 14 s are sent again just then.
    assert_eq!(answered(15.25, 15.251), 3 + 1 + 4);
    // No SYN waits longer than another second. Two requests are on their way at the end.
    assert_eq!(answered(15.25, 16.251), 3 + 49 + 10 + 1);
    assert_eq!((seen.0.len(), seen.1), (400 - 2, 0));
    let impatient = KeepAlive { request_timeout: Some(secs(1.0)), ..KeepAlive::default() };
    let impatient = changing(
        &pooled(impatient, 10.0, 0.25),
        &[(10.0, &answers(false)), (15.0, &answers(true))],
    );
    let mut seen = Answers::default();
    watched(&impatient, &settings(40.0, 1), &mut seen);
    // All from 9.8 s to 14.9 s fail: the first SYN that is sent again comes a second after the first, when the time of
    // its request is over.
    assert_eq!(seen.1, 52);
    assert_eq!(seen.0.len(), 400 - 2 - 52);
    // Whose request has failed gives its port back at once.
    let tally = watched(&impatient, &settings(40.0, 1), &mut Unobserved);
    assert_eq!(tally.clients[0].connecting, 49 * 1_000_000_000);
}

/// Clients with pools of all sorts, to a server that falls silent and comes back, or is silent from the start.
fn pooled_worlds() -> impl Strategy<Value = World> {
    let millis = |most: u64| (1..most).prop_map(SimDuration::from_millis);
    let often = |span| prop::option::weighted(0.6, span);
    let keeps = (
        prop::option::of(0_u32..5),
        prop::option::of(1_u32..8),
        often(millis(4_000).boxed()),
        often(millis(6_000).boxed()),
        any::<bool>(),
        1_u32..3,
    );
    let keeps = keeps.prop_map(|(max_idle, max_connections, idle, most, late_binding, streams)| {
        let (idle_timeout, request_timeout) = (idle, most);
        let max_idle = max_idle.filter(|_| streams == 1);
        KeepAlive {
            max_idle,
            max_connections,
            idle_timeout,
            request_timeout,
            late_binding,
            streams,
            ..KeepAlive::default()
        }
    });
    let answers = (any::<bool>(), any::<bool>(), any::<bool>());
    (keeps.clone(), keeps, 0.5_f64..40.0, 0.001_f64..1.0, answers, 5_u32..60, any::<bool>())
        .prop_map(|(keeps, other, rate_per_s, service, answers, ports, retries)| {
            let mut world = pooled(keeps, rate_per_s, service);
            let host = &mut world.hosts[0];
            host.ports = PortRange::new(40_000, 40_000 + ports as u16).unwrap();
            host.time_wait = secs(3.0);
            host.clients[0].arrivals = Arrivals::Poisson { rate_per_s };
            if retries {
                host.clients[0].retries = Some(Retries {
                    attempts: 3,
                    backoff: secs(0.1),
                    factor: 2.0,
                    max_backoff: None,
                    jitter: 0.5,
                    deadline: None,
                    budget: None,
                    stop_after: None,
                });
            }
            world.destinations[0].answers = answers.0;
            let then =
                |answers: bool| move |world: &mut World| world.destinations[0].answers = answers;
            let pool = |world: &mut World| world.hosts[0].clients[0].pool = Some(other.clone());
            changing(
                &world,
                &[
                    (11.3, &then(answers.1)),
                    (17.0, &pool),
                    (23.9, &then(answers.2)),
                    (24.4, &then(!answers.2)),
                ],
            )
        })
}

/// Counts requests, and holds connections against each other.
#[derive(Default)]
struct Asked {
    auditor: Auditor,
    asked: u64,
    done: u64,
}

impl Observer for Asked {
    fn opened(&mut self, opening: &Opening) {
        self.auditor.opened(opening);
    }

    fn released(&mut self, release: &portsim::engine::Release) {
        self.auditor.released(release);
    }

    fn refused(&mut self, at: SimTime, client: u16, refused: &portsim::model::Refused) {
        self.auditor.refused(at, client, refused);
    }

    fn asked(&mut self, _: SimTime, _: u16) {
        self.asked += 1;
    }

    fn served(&mut self, _: &Served) {
        self.done += 1;
    }

    fn failed(&mut self, _: &portsim::engine::Failed) {
        self.done += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Law: with a server that falls silent and comes back, in any state of a pool, what is counted is what happened;
    /// no request is answered or fails twice.
    #[test]
    fn pools_survive_a_server_that_falls_silent_and_comes_back(
        world in pooled_worlds(),
        seed in any::<u64>(),
        changes in any::<bool>(),
    ) {
        let world = World { changes: if changes { world.changes.clone() } else { Vec::new() }, ..world };
        let settings = RunSettings { seed, ..settings(60.0, 1) };
        let end = Window::new(settings.warm_up, settings.duration).end();
        let mut seen = Asked { auditor: Auditor { end, ..Auditor::default() }, ..Asked::default() };
        let tally = watched(&world, &settings, &mut seen);
        seen.auditor.check();
        prop_assert!(seen.done <= seen.asked, "{} of {}", seen.done, seen.asked);
        let client = &tally.clients[0];
        prop_assert_eq!(client.opened, seen.auditor.opened);
        let held = client.connecting + client.established + client.closing + client.time_wait;
        prop_assert_eq!(held, seen.auditor.before_close + seen.auditor.after_close);
        let rows: Vec<BinRow> = tally.bins.rows().collect();
        let in_bins = |part: fn(&BinRow) -> i128| rows.iter().map(part).sum::<i128>() as u128;
        prop_assert_eq!(in_bins(|row| row.connecting), client.connecting);
        prop_assert_eq!(in_bins(|row| row.established), client.established);
        prop_assert_eq!(in_bins(|row| row.time_wait), client.time_wait);
    }
}

#[test]
fn a_request_that_takes_too_long_gives_up_a_server_that_never_answers() {
    let keeps = KeepAlive { request_timeout: Some(secs(2.0)), ..KeepAlive::default() };
    let mut world = pooled(keeps, 10.0, 0.25);
    world.destinations[0].answers = false;
    let mut seen = Answers::default();
    let tally = watched(&world, &settings(20.0, 1), &mut seen);
    assert_eq!((seen.0.len(), seen.1), (0, 180), "those of the last two seconds wait yet");
    // Each has its port for two seconds, and leaves nothing.
    let waited: u128 = (0..200).map(|n| u128::from(2_000_u64.min(20_000 - 100 * n))).sum();
    assert_eq!(tally.clients[0].connecting, waited * 1_000_000);
    assert_eq!(tally.clients[0].time_wait, 0);
}

/// Goal: an attempt that nobody answers is answered at the first SYN that is sent when somebody does, and given up
/// where none is sent any more.
/// Method: an attempt a second for connections of half a second, while nobody answers from 10 s to 100 s.
#[test]
fn a_syn_that_is_sent_again_is_answered_when_the_server_is_back() {
    let answers = |answers: bool| move |world: &mut World| world.destinations[0].answers = answers;
    let calm = of_rate(Arrivals::Constant { rate_per_s: 1.0 });
    let world = changing(&calm, &[(10.0, &answers(false)), (100.0, &answers(true))]);
    let tally = watched(&world, &settings(300.0, 1), &mut Unobserved);
    let client = &tally.clients[0];
    // SYNs are sent again after 1, 2, 3, 4, 5, 7, 11, 19, 35 and 67 s. Of those of 10 s to 99 s all that are younger
    // than 67 s at 100 s have one to send yet; the 23 of 10 s to 32 s have none, and are given up after 131 s.
    assert_eq!((client.opened, client.unanswered), (300, 23));
    let established = (300 - 23) * 500_000_000_u128;
    assert_eq!(client.established, established - u128::from(0_u64));
    let waits = |asked: u64| -> u64 {
        let syns = [1, 2, 3, 4, 5, 7, 11, 19, 35, 67];
        syns.into_iter().find(|after| asked + after >= 100).unwrap_or(131)
    };
    let connecting: u64 = (10..100).map(waits).sum();
    assert_eq!(client.connecting, u128::from(connecting) * 1_000_000_000);
}

#[test]
fn a_change_beyond_the_end_changes_nothing() {
    let rate = |world: &mut World| {
        world.hosts[0].clients[0].arrivals = Arrivals::Poisson { rate_per_s: 900.0 };
    };
    let calm = of_rate(Arrivals::Poisson { rate_per_s: 10.0 });
    for at in [20.0, 25.0] {
        let world = changing(&calm, &[(10.0, &|_| ()), (at, &rate)]);
        let outcome = replicate(&world, &settings(20.0, 2), &Unwatched).unwrap();
        assert_eq!(outcome.stretches.len(), 2, "{at}");
        assert_eq!(outcome.stretches[1].to, after(20.0));
        let alone = replicate(&calm, &settings(20.0, 2), &Unwatched).unwrap();
        assert_eq!(outcome.whole.attempts, alone.whole.attempts);
    }
}
