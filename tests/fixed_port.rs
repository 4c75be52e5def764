//! A server that wants a port of its own in the middle of a run.

mod support;

use portsim::engine::{Job, Observer, Opening, Workspace, run};
use portsim::model::{
    Arrivals, Binds, Client, Distribution, Ending, FixedPort, Host, SelectionKind, SocketOptions,
    World,
};
use portsim::replicate::{Unwatched, replicate};
use portsim::stats::{HostTally, Outcome, ServerFigures, Window};
use portsim::units::{SimDuration, SimTime};
use support::{client, host, settings, world};

fn secs(secs: f64) -> SimDuration {
    SimDuration::from_secs_f64(secs)
}

fn wants(port: u16, at: f64) -> FixedPort {
    let (at, every) = (SimTime::START + secs(at), secs(1.0));
    FixedPort { port, at, every, reuse_address: false }
}

/// 200 ports, 65336 to 65535, of which some 100 are held for 10 s by connections at random places.
fn half_full(server: FixedPort, count: u32) -> World {
    let life = Distribution::Constant(secs(10.0));
    let host = host(200, vec![client(Arrivals::Poisson { rate_per_s: 10.0 }, life)]);
    let selection = SelectionKind::SimpleRandomization;
    world(Host { selection, count, server: Some(server), ..host })
}

fn figures(outcome: &Outcome) -> &ServerFigures {
    outcome.limits[0].server.as_ref().expect("there is a server")
}

/// Goal: a port is found taken as often as it is held, and until the connection that holds it ends.
/// Method: 4,000 machines, a mean of 100 of 200 ports held at random; five standard deviations.
#[test]
fn a_port_is_taken_as_often_as_it_is_held_and_free_when_its_connection_ends() {
    let outcome = replicate(&half_full(wants(65_400, 30.0), 200), &settings(60.0, 20), &Unwatched);
    let outcome = outcome.unwrap();
    let ServerFigures { refused, never, waited, .. } = figures(&outcome);
    let sd = (0.25_f64 / 4_000.0).sqrt();
    assert!((refused.mean - 0.5).abs() < 5.0 * sd, "{}", refused.mean);
    assert!(refused.lo < 0.5 && 0.5 < refused.hi);
    // What is left of ten seconds is anything up to ten; it tries each second, and somebody else may come first: of
    // some hundred free ports each has a tenth of an attempt a second.
    assert!((5.0..7.0).contains(&waited.p50), "{}", waited.p50);
    assert!(waited.max > 10.0, "{}", waited.max);
    assert!(*never < 0.002, "{never}");
}

#[test]
fn a_port_that_is_never_given_back_is_never_had() {
    let mut world = half_full(wants(65_400, 30.0), 100);
    world.hosts[0].clients[0].closes = vec![(Ending::Never, 1.0)];
    let outcome = replicate(&world, &settings(60.0, 2), &Unwatched).unwrap();
    let ServerFigures { refused, never, .. } = figures(&outcome);
    // After 20 s all 200 are gone.
    assert_eq!((refused.mean, *never), (1.0, 1.0));
}

#[test]
fn a_reserved_port_and_one_outside_the_range_are_free() {
    let mut reserved = half_full(wants(65_400, 30.0), 20);
    reserved.hosts[0].reserved = [65_400].into_iter().collect();
    for world in [reserved, half_full(wants(8_080, 30.0), 20)] {
        let outcome = replicate(&world, &settings(40.0, 2), &Unwatched).unwrap();
        assert_eq!(figures(&outcome).refused.mean, 0.0);
    }
}

/// Seen on Linux 6.18, for established connections and for their TIME-WAITs: SO_REUSEADDR on the server helps only
/// where the sockets that use the port have it too.
#[test]
fn so_reuseaddr_helps_where_both_have_it() {
    for (server, clients, taken) in
        [(false, false, true), (true, false, true), (false, true, true), (true, true, false)]
    {
        let mut world = half_full(FixedPort { reuse_address: server, ..wants(65_400, 30.0) }, 40);
        let socket = SocketOptions { reuse_address: clients, ..SocketOptions::default() };
        let closes = vec![(Ending::Client, 1.0)];
        let client = &mut world.hosts[0].clients[0];
        *client = Client { socket, closes, binds: Binds::Connect, ..client.clone() };
        let outcome = replicate(&world, &settings(40.0, 2), &Unwatched).unwrap();
        let share = figures(&outcome).refused.mean;
        assert_eq!(share > 0.2, taken, "server {server}, clients {clients}: {share}");
    }
}

/// When each connection on a port was opened.
struct Openings(u16, Vec<SimTime>);

impl Observer for Openings {
    fn opened(&mut self, opening: &Opening) {
        if opening.port == self.0 {
            self.1.push(opening.at);
        }
    }
}

#[test]
fn nobody_gets_the_port_once_its_server_has_it() {
    let world = half_full(wants(65_400, 30.0), 1);
    let settings = settings(600.0, 1);
    let window = Window::new(settings.warm_up, settings.duration);
    for machine in 0..10 {
        let job = Job {
            world: &world,
            settings: &settings,
            host: 0,
            machine,
            replication: 0,
            timer_phase: None,
        };
        let (mut tally, mut seen) = (HostTally::new(1, window), Openings(65_400, Vec::new()));
        assert!(run(job, &mut Workspace::default(), &mut tally, &mut seen).is_continue());
        let last = seen.1.last().copied().unwrap_or(SimTime::START);
        // It would be opened some 25 times in the rest of the run.
        assert!(last < SimTime::START + secs(150.0), "{last}");
        assert_eq!((tally.servers.started, tally.servers.never), (1, 0));
    }
}
