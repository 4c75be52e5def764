//! The simulation against closed forms.
//!
//! Every random test has a fixed seed, so it passes always or never. Where a formula must lie in an
//! interval, the interval is first shown to be narrow enough that a model 2 % off would fall out.

mod support;

use portsim::engine::{self, Job, Observer, Opening, Workspace};
use portsim::model::{
    Arrivals, Binds, Client, Distribution, Ending, PortRange, Replications, RunSettings,
    SelectionKind, Spacing, Squatter, SquatterAddress, Start, SynTimeout, TcpSettings, TimerGrid,
    TwReuse, World,
};
use portsim::replicate::{Unwatched, replicate};
use portsim::stats::{Estimate, HostTally, Outcome, Window};
use portsim::theory::{Expected, Leak, engset_call_congestion, erlang_b};
use portsim::units::SimDuration;
use support::{client, host, laws, settings, world};

const REPLICATIONS: u32 = 20;
/// Half of a 95 % interval over 20 replications is this many standard errors (Student's t).
const T_95: f64 = 2.093;

fn run(world: &World, settings: &RunSettings) -> Outcome {
    replicate(world, settings, &Unwatched).expect("nobody stops it")
}

fn standard_error(estimate: Estimate) -> f64 {
    (estimate.hi - estimate.lo) / 2.0 / T_95
}

/// A loss system of `ports` ports offered `load` erlangs a port, with holds of mean 1 s.
fn loss_system(ports: u32, load: f64, lifetime: Distribution) -> World {
    let rate_per_s = f64::from(ports) * load;
    world(host(ports, vec![client(Arrivals::Poisson { rate_per_s }, lifetime)]))
}

fn stationary(secs: f64) -> RunSettings {
    RunSettings { start: Start::Stationary, ..settings(secs, REPLICATIONS) }
}

/// Seconds to simulate so that the interval is narrow: small systems need many holds, and large
/// ones have many arrivals in each.
const SIZES: [(u32, f64); 4] = [(10, 8_000.0), (100, 1_600.0), (1_024, 200.0), (16_384, 20.0)];

/// Counts attempts by windows of time.
struct Windows {
    seconds: u64,
    counts: Vec<f64>,
}

impl Observer for Windows {
    fn opened(&mut self, opening: &Opening) {
        let window = opening.at.as_nanos() / (self.seconds * 1_000_000_000);
        self.counts[window as usize] += 1.0;
    }
}

/// Goal: on-off bursts are a Markov-modulated Poisson process.
/// Method: mean and variance of the counts in windows much shorter and much longer than a burst, against Fischer and
/// Meier-Hellstern, "The Markov-modulated Poisson process (MMPP) cookbook", Performance Evaluation 18(2), 1993.
#[test]
fn bursts_have_the_mean_and_the_variance_of_their_process() {
    let [on, off, burst, pause] = [200.0, 20.0, 5.0, 25.0];
    let lasts = [burst, pause].map(SimDuration::from_secs_f64);
    let arrivals = Arrivals::OnOff { rates_per_s: [on, off], lasts };
    let world =
        world(host(30_000, vec![client(arrivals, Distribution::Constant(SimDuration::ZERO))]));
    let share = burst / (burst + pause);
    let (mean, turns) = (on * share + off * (1.0 - share), 1.0 / burst + 1.0 / pause);
    for seconds in [1, 10, 50] {
        let length = 400_000_u64;
        let settings = settings(length as f64, 1);
        let window = Window::new(settings.warm_up, settings.duration);
        let mut tally = HostTally::new(1, window);
        let mut seen = Windows { seconds, counts: vec![0.0; (length / seconds) as usize] };
        let (host, machine, replication, timer_phase) = (0, 0, 0, None);
        let job =
            Job { world: &world, settings: &settings, host, machine, replication, timer_phase };
        assert!(engine::run(job, &mut Workspace::default(), &mut tally, &mut seen).is_continue());
        let windows = seen.counts.len() as f64;
        let found = seen.counts.iter().sum::<f64>() / windows;
        let of = |count: &f64| (count - found).powi(2);
        let variance = seen.counts.iter().map(of).sum::<f64>() / (windows - 1.0);
        let t = seconds as f64;
        let x = turns * t;
        let expected = mean * t
            + 2.0 * (on - off) * (on - off) * share * (1.0 - share) * (x - 1.0 + (-x).exp())
                / (turns * turns);
        assert!((found / (mean * t) - 1.0).abs() < 0.02, "{seconds} s: {found} {}", mean * t);
        let off = variance / expected - 1.0;
        println!("{seconds} s: {variance:.1} of {expected:.1}, a Poisson process {:.1}", mean * t);
        // Four standard deviations of a variance, and what neighbours have in common.
        assert!(off.abs() < 4.0 * (2.0 / windows).sqrt() + 0.02, "{seconds} s: {off}");
    }
}

/// Goal: the day on which a leak has used up the ports, and its spread, are those of simulation, for leaks that are
/// slow against the holds of all other connections and for fast ones.
/// Method: 400 runs each; the quantiles predicted must lie where so many of the runs have been refused before.
#[test]
fn a_leak_uses_up_the_ports_when_it_is_said_to() {
    for (ports, rate_per_s, share, life, secs) in [
        (1_000, 50.0, 0.01, 12.0, 1_500.0),
        (400, 4.0, 0.002, 50.0, 45_000.0),
        (2_000, 10.0, 0.5, 40.0, 700.0),
        (300, 1.0, 0.05, 1.0, 12_000.0),
    ] {
        let life = Distribution::Exponential { mean: SimDuration::from_secs_f64(life) };
        let mut leaky = client(Arrivals::Poisson { rate_per_s }, life);
        leaky.closes = vec![(Ending::Server, 1.0 - share), (Ending::CloseWait, share)];
        let world = world(host(ports, vec![leaky]));
        let leak = Leak::of(&world, &world.hosts[0]).expect("it leaks");
        assert!((leak.rate_per_s / (rate_per_s * share) - 1.0).abs() < 1e-9);
        let outcome = run(&world, &settings(secs, 400));
        let first = outcome.whole.first_blocked.expect("each run comes to it");
        assert_eq!(first.share_of_replications, 1.0);
        println!("{leak:?} {first:?}");
        // Of 400 runs the earliest and the latest lie two to four standard deviations apart from the median. The time
        // at which leaks and mean load fill the range is 2 to 8 % later, and would fall out.
        let sd = (leak.hi_s - leak.lo_s) / 3.92;
        let off = first.median / leak.median_s - 1.0;
        assert!(off.abs() < 0.02, "{off}: {leak:?} {first:?}");
        let reach = [leak.median_s - first.earliest, first.latest - leak.median_s];
        assert!(reach.iter().all(|far| (1.7 * sd..4.2 * sd).contains(far)), "{leak:?} {first:?}");
    }
}

/// Goal: engine, model and statistics agree with Erlang's loss formula, whatever the lifetimes' law.
/// Method: 4 sizes x 3 loads x 4 laws of the same mean, each from a stationary start.
#[test]
fn blocking_matches_erlang_b_whatever_the_law_of_the_lifetimes() {
    let (mut outside, mut intervals) = (0, 0);
    for (ports, secs) in SIZES {
        for load in [0.8, 1.0, 1.2] {
            let offered = f64::from(ports) * load;
            let formula = erlang_b(u64::from(ports), offered);
            let two_percent = erlang_b(u64::from(ports), offered * 1.02) - formula;
            for (law, lifetime) in laws(1.0) {
                let outcome = run(&loss_system(ports, load, lifetime), &stationary(secs));
                let ratio = outcome.whole.blocking_ratio;
                let case = format!("{ports} ports, {load} erl a port, {law}");
                println!("{case}: {:.6} to {:.6}, formula {formula:.6}", ratio.lo, ratio.hi);
                if formula < 1e-9 {
                    assert_eq!(outcome.whole.blocked, 0, "{case}");
                    continue;
                }
                let error = standard_error(ratio);
                assert!((ratio.mean - formula).abs() < 4.0 * error, "{case}: {ratio:?}");
                assert!(two_percent > T_95 * error, "{case}: too wide to tell 2 % ({error})");
                intervals += 1;
                outside += u32::from(formula < ratio.lo || formula > ratio.hi);
            }
        }
    }
    // Of 95 % intervals some miss: of 40, more than 7 with a probability of one in a thousand.
    println!("{outside} of {intervals} intervals miss the formula");
    assert!(intervals >= 32 && outside <= 6, "{outside} of {intervals} intervals miss the formula");
}

/// The tests above are worth something only if they can fail: 2 % more load must not pass.
#[test]
fn a_model_two_percent_off_falls_out_of_the_interval() {
    for (ports, secs) in SIZES {
        let formula = erlang_b(u64::from(ports), f64::from(ports));
        let lifetime = Distribution::Exponential { mean: SimDuration::from_secs_f64(1.02) };
        let ratio = run(&loss_system(ports, 1.0, lifetime), &stationary(secs)).whole.blocking_ratio;
        assert!(ratio.lo > formula, "{ports} ports: {ratio:?} holds {formula}");
    }
}

/// TIME-WAIT is part of the hold: Erlang's formula with the sum of both means.
#[test]
fn time_wait_counts_as_hold_and_its_constancy_does_not_matter() {
    let lifetime = Distribution::Exponential { mean: SimDuration::from_secs(20) };
    let mut poisson = client(Arrivals::Poisson { rate_per_s: 1.25 }, lifetime);
    poisson.closes = vec![(Ending::Client, 1.0)];
    let ratio = run(&world(host(100, vec![poisson])), &stationary(100_000.0)).whole.blocking_ratio;
    let formula = erlang_b(100, 100.0);
    assert!((ratio.mean - formula).abs() < 4.0 * standard_error(ratio), "{ratio:?}, {formula}");
    assert!(standard_error(ratio) < 0.01 * formula);
}

/// What the host says of itself and what is simulated are the same.
#[test]
fn the_theory_beside_the_figures_is_the_theory_of_the_figures() {
    let world = loss_system(100, 1.1, Distribution::Constant(SimDuration::from_secs(1)));
    let expected = Expected::of(&world, 0, Start::Stationary, SimDuration::from_secs(1_600));
    let outcome = run(&world, &stationary(1_600.0));
    let formula = expected.erlang_b.expect("Poisson arrivals have one");
    assert_eq!(outcome.limits[0].theory, expected);
    let ratio = outcome.whole.blocking_ratio;
    assert!((ratio.mean - formula).abs() < 4.0 * standard_error(ratio));
    // Carried load: offered less what was blocked.
    let carried = expected.offered_load_erl.expect("open arrivals") * (1.0 - formula);
    assert!((outcome.whole.mean_in_use.mean / carried - 1.0).abs() < 0.005);
    // Poisson arrivals see time averages.
    assert!((outcome.whole.blocked_time_share.mean / formula - 1.0).abs() < 0.05);
}

/// Searches that may pass over a free port block more than Erlang's formula says, and as the formula told says.
#[test]
fn searches_that_may_miss_a_free_port_block_as_their_own_formula_says() {
    for (selection, ports) in [
        (SelectionKind::AnotherSimpleRandomization, 2),
        (SelectionKind::AnotherSimpleRandomization, 20),
        (SelectionKind::Linux, 3),
    ] {
        for (law, lifetime) in laws(1.0) {
            let mut world = loss_system(ports, 1.0, lifetime);
            world.hosts[0].selection = selection;
            let theory = Expected::of(&world, 0, Start::Empty, SimDuration::from_secs(600))
                .erlang_b
                .expect("it is known");
            let ratio = run(&world, &settings(5_000.0, REPLICATIONS)).whole.blocking_ratio;
            let (case, error) =
                (format!("{selection:?}, {ports} ports, {law}"), standard_error(ratio));
            println!("{case}: {ratio:?}, formula {theory}");
            assert!(
                (ratio.mean - theory).abs() < 4.0 * error + 1e-3 * theory,
                "{case}: {ratio:?}, {theory}"
            );
            assert!(theory - erlang_b(u64::from(ports), f64::from(ports)) > 8.0 * error, "{case}");
        }
    }
}

/// The moment told for batches is that of the first refusal.
#[test]
fn batches_are_first_refused_when_the_theory_says() {
    let every = SimDuration::from_secs(30);
    for (size, lifetime_s, first_s) in [
        (200, 0.0, Some(0.0)),
        (100, 0.0, None),
        (60, 30.0, None),
        (60, 31.0, Some(30.0)),
        (40, 70.0, Some(60.0)),
    ] {
        let arrivals = Arrivals::Batches { every, size, spacing: Spacing::Constant };
        let lifetime = Distribution::Constant(SimDuration::from_secs_f64(lifetime_s));
        let outcome = run(&world(host(100, vec![client(arrivals, lifetime)])), &settings(600.0, 2));
        let limit = &outcome.limits[0];
        assert_eq!(limit.theory.fill_time_s, first_s, "{size} for {lifetime_s} s");
        assert_eq!(
            limit.figures.first_blocked.map(|first| first.median),
            first_s,
            "{size} for {lifetime_s} s"
        );
    }
}

/// `world` with every rate `times` as high, and batches as many times as large.
fn scaled(world: &World, times: f64) -> World {
    let mut world = world.clone();
    for client in world.hosts.iter_mut().flat_map(|host| &mut host.clients) {
        match &mut client.arrivals {
            Arrivals::Poisson { rate_per_s } | Arrivals::Constant { rate_per_s } => {
                *rate_per_s *= times
            }
            Arrivals::Batches { size, .. } => *size = (f64::from(*size) * times) as u32,
            other => panic!("{other:?} have no rate"),
        }
    }
    world
}

/// Goal: the rate told as safe refuses nobody, in whatever way attempts come, and is no idle caution: what
/// is safe on average only refuses some where chance has a part.
#[test]
fn at_the_safe_rate_nobody_is_refused() {
    let secs = SimDuration::from_secs_f64;
    let exponential = || Distribution::Exponential { mean: secs(3.0) };
    let poisson = |rate_per_s| client(Arrivals::Poisson { rate_per_s }, exponential());
    let constant = |lifetime| client(Arrivals::Constant { rate_per_s: 20.0 }, lifetime);
    let batches = |lifetime| {
        let arrivals =
            Arrivals::Batches { every: secs(5.0), size: 100, spacing: Spacing::Constant };
        client(arrivals, lifetime)
    };
    let closing = |client: Client| Client { closes: vec![(Ending::Client, 1.0)], ..client };
    let several = |machines| {
        let mut world = world(host(400, vec![poisson(20.0)]));
        world.hosts[0].count = machines;
        world
    };
    let on_grid = |ports, client| {
        let mut world = world(host(ports, vec![closing(client)]));
        world.hosts[0].timer_grid = TimerGrid::LinuxWheel { hz: 250 };
        world
    };
    let drawn = |selection, ports| {
        let mut world = world(host(ports, vec![poisson(20.0)]));
        world.hosts[0].selection = selection;
        world
    };
    let mixed = world(host(900, vec![closing(poisson(5.0)), closing(constant(exponential()))]));
    for (name, world, by_chance) in [
        ("64 ports", world(host(64, vec![poisson(20.0)])), true),
        ("4,096 ports", world(host(4_096, vec![closing(poisson(20.0))])), true),
        ("ten machines", several(10), true),
        ("timer grid", on_grid(1_024, poisson(20.0)), true),
        (
            "by the clock on the grid",
            on_grid(640, constant(Distribution::Constant(secs(1.0)))),
            false,
        ),
        (
            "by the clock",
            world(host(100, vec![constant(Distribution::Constant(secs(3.0)))])),
            false,
        ),
        ("by the clock, chance holds", world(host(100, vec![constant(exponential())])), false),
        ("poisson and by the clock", mixed, true),
        ("batches", world(host(500, vec![batches(Distribution::Constant(secs(12.0)))])), false),
        ("batches of chance holds", world(host(500, vec![batches(exponential())])), false),
        ("algorithm 2", drawn(SelectionKind::AnotherSimpleRandomization, 64), true),
        ("an odd range", drawn(SelectionKind::Linux, 65), true),
    ] {
        let run_of = settings(1_200.0, REPLICATIONS);
        let theory = Expected::of(&world, 0, Start::Empty, run_of.duration);
        let offered = theory.offered_rate_per_s.expect("open arrivals");
        let [safe, mean] =
            [theory.safe_rate_per_s, theory.sustainable_rate_per_s].map(Option::unwrap);
        println!("{name}: safe {safe:.3} / s, on average {mean:.3} / s");
        assert!(safe <= mean * (1.0 + 1e-9) && safe > 0.4 * mean, "{name}: {safe} of {mean}");
        let calm = run(&scaled(&world, safe / offered), &run_of).whole;
        assert_eq!(calm.blocked, 0, "{name} at {safe} / s");
        if by_chance {
            let refused = run(&scaled(&world, mean / offered), &run_of).whole.blocked;
            assert!(refused > 0, "{name} at {mean} / s");
        }
    }
}

/// A port that stands in use at the start was opened before it: its first reuse tells no interval.
#[test]
fn a_port_in_use_at_a_stationary_start_is_not_taken_for_opened_then() {
    let lifetime = Distribution::Constant(SimDuration::from_secs(10));
    let poisson = client(Arrivals::Poisson { rate_per_s: 100.0 }, lifetime);
    let outcome = run(&world(host(1, vec![poisson])), &stationary(60.0));
    let reuse = &outcome.limits[0].figures.reuse_interval;
    let least = reuse.histogram.min() as f64 * reuse.scale;
    assert!(
        reuse.histogram.len() > 50 && least > 9.99,
        "{least} s, {} times",
        reuse.histogram.len()
    );
}

/// A loss system of 100 ports in which a port is held for more than a lifetime of mean 1 s and a
/// TIME-WAIT.
struct Held {
    name: &'static str,
    /// Mean hold.
    hold_s: f64,
    /// What the mean hold would be if that were all.
    without_s: f64,
    /// The world, offered 1 attempt a second.
    world: World,
}

impl Held {
    fn new(
        name: &'static str,
        [hold_s, without_s]: [f64; 2],
        ports: u32,
        law: &Distribution,
    ) -> Self {
        let one = client(Arrivals::Poisson { rate_per_s: 1.0 }, law.clone());
        Self { name, hold_s, without_s, world: world(host(ports, vec![one])) }
    }

    fn client(mut self, change: impl Fn(&mut Client)) -> Self {
        self.world.hosts[0].clients.iter_mut().for_each(change);
        self
    }

    fn tcp(mut self, change: impl Fn(&mut TcpSettings)) -> Self {
        change(&mut self.world.hosts[0].tcp);
        self
    }

    fn world(mut self, change: impl Fn(&mut World)) -> Self {
        change(&mut self.world);
        self
    }

    /// The same offered `times` 100 erlangs, 1,600 holds long and from empty, for its steady state is
    /// not drawn; the filling is left out.
    fn at(&self, times: f64) -> (World, RunSettings) {
        let mut world = self.world.clone();
        let clients = &mut world.hosts[0].clients;
        let rate_per_s = times * 100.0 / self.hold_s / clients.len() as f64;
        clients.iter_mut().for_each(|c| c.arrivals = Arrivals::Poisson { rate_per_s });
        let warm_up = SimDuration::from_secs_f64(20.0 * self.hold_s);
        let settings = settings(1_620.0 * self.hold_s, REPLICATIONS);
        (world, RunSettings { warm_up, ..settings })
    }
}

/// Every way in which a hold may end, and every set of ports that is a pool of its own though it is
/// not the whole range.
fn held(law: &Distribution) -> Vec<Held> {
    let secs = SimDuration::from_secs;
    let closed_by = |ending| move |c: &mut Client| c.closes = vec![(ending, 1.0)];
    let late = |law: Distribution| move |c: &mut Client| c.second_fin = law.clone();
    let three = Distribution::Constant(secs(3));
    let ten = Distribution::Exponential { mean: secs(10) };
    let in_time = -(-0.5_f64).exp_m1(); // P(second FIN within 5 s), and share of its mean by then.
    vec![
        Held::new("tcp_tw_reuse = 1", [2.0005, 61.0], 100, law)
            .client(closed_by(Ending::Client))
            .tcp(|tcp| tcp.tw_reuse = TwReuse::Always),
        Held::new("half-closed, tcp_fin_timeout 5 s", [6.0, 61.0], 100, law)
            .client(closed_by(Ending::Half))
            .tcp(|tcp| tcp.fin_timeout = secs(5)),
        Held::new("second FIN 3 s late", [64.0, 61.0], 100, law)
            .client(closed_by(Ending::Client))
            .client(late(three.clone())),
        Held::new(
            "second FIN late, often after FIN-WAIT-2",
            [1.0 + 70.0 * in_time, 71.0],
            100,
            law,
        )
        .client(closed_by(Ending::Client))
        .client(late(ten))
        .tcp(|tcp| tcp.fin_timeout = secs(5)),
        Held::new("client's FIN 3 s late", [4.0, 1.0], 100, law).client(late(three)),
        // Given up by the second timer: 1 s and half a step of 32 ms, then 2 s from a grid point on.
        Held::new("nobody answers, tcp_syn_retries 1", [3.064, 1.0], 100, law)
            .tcp(|tcp| tcp.syn = SynTimeout::Linux { retries: 1, linear_timeouts: 4 })
            .world(|world| {
                world.destinations[0].answers = false;
                world.hosts[0].timer_grid = TimerGrid::LinuxWheel { hz: 250 };
            }),
        Held::new("IP_LOCAL_PORT_RANGE", [1.0, 2.0], 400, law)
            .client(|c| c.socket.port_range = PortRange::new(65_300, 65_399)),
        Held::new("bind() beside squatters", [1.0, 2.0], 102, law)
            .client(|c| c.binds = Binds::Bind)
            .world(|world| {
                let squatter =
                    |ports: [u16; 2], on| Squatter { ports: ports.into_iter().collect(), on };
                world.hosts[0].squatters = vec![
                    squatter([65_500, 65_501], SquatterAddress::Source(0)),
                    squatter([65_510, 65_513], SquatterAddress::Other),
                ];
            }),
        Held::new("bind() and connect() to one endpoint", [61.0, 1.0], 100, law)
            .client(closed_by(Ending::Client))
            .world(|world| {
                let clients = &mut world.hosts[0].clients;
                clients.push(Client {
                    name: "bound".into(),
                    binds: Binds::Bind,
                    ..clients[0].clone()
                });
            }),
    ]
}

/// Goal: Erlang's formula holds for every way in which a port may be held, with the mean hold that
/// theory has for it, and theory knows how many ports there are.
/// Method: 100 ports, 100 erlangs, two laws of lifetimes; as a control, 2 % more load must fall out of
/// the interval, and so must the formula for the hold as it would be without what is tested.
#[test]
fn blocking_matches_erlang_b_however_a_hold_ends() {
    let (mut outside, mut intervals) = (0, 0_u64);
    for (law, lifetime) in [&laws(1.0)[0], &laws(1.0)[2]] {
        for case in held(lifetime) {
            // Else cases of constant holds would all be one, at another scale.
            let seed = intervals + 1;
            let (world, settings) = case.at(1.0);
            let settings = RunSettings { seed, ..settings };
            let expected = Expected::of(&world, 0, Start::Empty, SimDuration::from_secs(600));
            let name = format!("{}, {law}", case.name);
            let hold_s = expected.mean_hold_s.expect("all holds are finite");
            assert!((hold_s / case.hold_s - 1.0).abs() < 1e-3, "{name}: {hold_s} s");
            let formula = expected.erlang_b.expect("Poisson arrivals have one");
            assert!((formula / erlang_b(100, 100.0) - 1.0).abs() < 5e-3, "{name}: {formula}");
            let ratio = run(&world, &settings).whole.blocking_ratio;
            let error = standard_error(ratio);
            println!("{name}: {:.6} to {:.6}, formula {formula:.6}", ratio.lo, ratio.hi);
            assert!((ratio.mean - formula).abs() < 4.0 * error, "{name}: {ratio:?}, {formula}");
            intervals += 1;
            outside += u32::from(formula < ratio.lo || formula > ratio.hi);
            let (world, settings) = case.at(1.02);
            let settings = RunSettings { seed, ..settings };
            let more = run(&world, &settings).whole.blocking_ratio;
            assert!(more.lo > formula, "{name}: 2 % more, {more:?}, holds {formula}");
            let without = erlang_b(100, 100.0 * case.without_s / case.hold_s);
            assert!(without < ratio.lo || without > ratio.hi, "{name}: {ratio:?}, {without}");
        }
    }
    // Of 95 % intervals some miss: of 18, more than 4 with a probability of one in five hundred.
    println!("{outside} of {intervals} intervals miss the formula");
    assert!(outside <= 4, "{outside} of {intervals} intervals miss the formula");
}

/// On Linux's timer grid a port's hold depends on the clock, and Erlang's formula does not know that:
/// ports come free in batches, so more is refused than for the mean hold, but less than if every hold
/// were as long as the longest. On many ports the latter is close (1.77 % of attempts were refused
/// with 28,232 ports and erlangs; the formula has 0.50 % for the mean hold, 1.90 % for the longest).
#[test]
fn on_a_timer_grid_blocking_lies_between_the_formulas_for_the_mean_and_the_longest_hold() {
    for (ports, holds) in [(100, 1_620.0), (16_384, 40.0)] {
        let mean_s = 1.0 + 60.0 + 1.024;
        let rate_per_s = f64::from(ports) / mean_s;
        let lifetime = Distribution::Exponential { mean: SimDuration::from_secs(1) };
        let mut poisson = client(Arrivals::Poisson { rate_per_s }, lifetime);
        poisson.closes = vec![(Ending::Client, 1.0)];
        let mut world = world(host(ports, vec![poisson]));
        world.hosts[0].timer_grid = TimerGrid::LinuxWheel { hz: 250 };
        let warm_up = SimDuration::from_secs_f64(10.0 * mean_s);
        let settings = RunSettings { warm_up, ..settings(holds * mean_s, REPLICATIONS) };
        let expected = Expected::of(&world, 0, Start::Empty, SimDuration::from_secs(600))
            .erlang_b
            .expect("Poisson arrivals");
        let longest = erlang_b(u64::from(ports), rate_per_s * (mean_s + 1.024));
        let ratio = run(&world, &settings).whole.blocking_ratio;
        println!("{ports} ports: {ratio:?}, {expected} to {longest}");
        assert!(expected < ratio.lo && ratio.hi < longest, "{ports}: {ratio:?}");
    }
}

/// Engset: workers that think and connect, on fewer ports than workers.
#[test]
fn a_closed_loop_matches_engset_whatever_the_law_of_the_lifetimes() {
    for (workers, ports, think_s) in [(20, 10, 2.0), (100, 64, 1.0)] {
        let formula = engset_call_congestion(workers, u64::from(ports), 1.0 / think_s);
        for (law, lifetime) in laws(1.0) {
            let think = Distribution::Exponential { mean: SimDuration::from_secs_f64(think_s) };
            let arrivals = Arrivals::ClosedLoop { workers: workers as u32, think };
            let world = world(host(ports, vec![client(arrivals, lifetime)]));
            let mut settings = settings(6_000.0, REPLICATIONS);
            settings.warm_up = SimDuration::from_secs(200);
            let ratio = run(&world, &settings).whole.blocking_ratio;
            let (error, case) = (standard_error(ratio), format!("{workers} on {ports}, {law}"));
            println!("{case}: {:.6} to {:.6}, formula {formula:.6}", ratio.lo, ratio.hi);
            assert!((ratio.mean - formula).abs() < 4.0 * error, "{case}: {ratio:?}, {formula}");
            let off = engset_call_congestion(workers, u64::from(ports), 1.02 / think_s) - formula;
            assert!(off > 5.0 * error, "{case}: too wide to tell 2 % ({error} of {formula})");
        }
    }
}

/// From empty, the first refusal is the arrival after the one that took the last port: the sum of N+1
/// exponential gaps, Gamma(N+1), as long as nothing comes back before.
#[test]
fn the_first_refusal_is_gamma_distributed() {
    let (ports, rate) = (1_000, 40.0);
    let mut poisson = client(
        Arrivals::Poisson { rate_per_s: rate },
        Distribution::Constant(SimDuration::from_millis(100)),
    );
    poisson.closes = vec![(Ending::Client, 1.0)];
    let world = world(host(ports, vec![poisson]));
    let firsts: Vec<f64> = (0..400)
        .map(|seed| {
            let settings =
                RunSettings { seed, replications: Replications::Fixed(1), ..settings(60.0, 1) };
            run(&world, &settings).whole.first_blocked.expect("40 x 60 is over 1,000").median
        })
        .collect();
    let n = firsts.len() as f64;
    let mean = firsts.iter().sum::<f64>() / n;
    let sd = (firsts.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let (expected, expected_sd) = (1_001.0 / rate, 1_001_f64.sqrt() / rate);
    assert!((mean - expected).abs() < 4.0 * expected_sd / n.sqrt(), "{mean}, not {expected}");
    assert!((sd / expected_sd - 1.0).abs() < 4.0 / (2.0 * n).sqrt(), "{sd}, not {expected_sd}");
}

/// The timer grid makes 60 s of TIME-WAIT 60 to 62.048 s: measured on Linux 6.18 with 300 ports, 4.8
/// connections a second are never refused in 180 s, and 4.9 (300 / 61.2) are.
#[test]
fn on_the_linux_timer_grid_a_rate_of_n_over_60_is_too_much() {
    let blocked = |rate_per_s: f64| {
        let mut constant =
            client(Arrivals::Constant { rate_per_s }, Distribution::Constant(SimDuration::ZERO));
        constant.closes = vec![(Ending::Client, 1.0)];
        let mut host = host(300, vec![constant]);
        host.timer_grid = TimerGrid::LinuxWheel { hz: 250 };
        run(&world(host), &settings(180.0, REPLICATIONS)).whole.blocked
    };
    assert_eq!(blocked(4.8), 0);
    assert!(blocked(4.95) > 0, "300 / 60 is 5, and 4.95 is too much already");
}
