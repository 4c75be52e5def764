//! What holds in every run, whatever the scenario: conservation, order, and the same bytes.

mod support;

use portsim::engine::{Job, Workspace, run};
use portsim::model::{
    Arrivals, Binds, Distribution, Ending, Host, Replications, RunSettings, SelectionKind,
    SocketOptions, Spacing, World, shares_ports,
};
use portsim::replicate::{Unwatched, Watch, replicate};
use portsim::stats::{BinRow, ClientTally, HostTally, Outcome, Window};
use portsim::units::SimDuration;
use proptest::prelude::*;
use support::worlds::{Auditor, worlds};
use support::{client, host, settings, world};

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Laws: a port is never given out while it is held; what the statistics say was held is what was
    /// held (Little's law, to the nanosecond); every attempt is opened or blocked, in the totals and
    /// in the timeline.
    #[test]
    fn what_is_counted_is_what_happened(world in worlds(), seed in any::<u64>()) {
        let settings = RunSettings { seed, ..settings(60.0, 1) };
        let window = Window::new(settings.warm_up, settings.duration);
        let mut tally = HostTally::new(world.hosts[0].clients.len(), window);
        let mut auditor = Auditor { end: window.end(), ..Auditor::default() };
        let job = Job { world: &world, settings: &settings, host: 0, machine: 0, replication: 0, timer_phase: None };
        let mut workspace = Workspace::default();
        prop_assert!(run(job, &mut workspace, &mut tally, &mut auditor).is_continue());
        // In the memory of the first the same run is the same.
        let mut again = HostTally::new(world.hosts[0].clients.len(), window);
        let mut unseen = portsim::engine::Unobserved;
        prop_assert!(run(job, &mut workspace, &mut again, &mut unseen).is_continue());
        prop_assert_eq!(format!("{again:?}"), format!("{tally:?}"));
        auditor.check();

        let opened: u64 = tally.clients.iter().map(|client| client.opened).sum();
        let attempts: u64 = tally.clients.iter().map(|client| client.opened + client.blocked).sum();
        prop_assert_eq!(opened, auditor.opened);
        let sum = |part: fn(&ClientTally) -> u128| tally.clients.iter().map(part).sum::<u128>();
        prop_assert_eq!(sum(|c| c.connecting + c.established), auditor.before_close);
        prop_assert_eq!(sum(|c| c.closing + c.time_wait), auditor.after_close);
        let refused = tally.clients.iter().flat_map(|client| client.refused).sum::<u64>();
        prop_assert_eq!((refused, attempts - opened), (auditor.refused, auditor.refused));
        let unanswered = tally.clients.iter().map(|client| client.unanswered).sum::<u64>();
        prop_assert_eq!(unanswered, auditor.unanswered);

        let rows: Vec<BinRow> = tally.bins.rows().collect();
        prop_assert_eq!(rows.iter().map(|row| row.opened).sum::<u64>(), opened);
        prop_assert_eq!(rows.iter().map(|row| row.blocked).sum::<u64>(), attempts - opened);
        let in_bins = |part: fn(&BinRow) -> i128| rows.iter().map(part).sum::<i128>() as u128;
        prop_assert_eq!(in_bins(|row| row.connecting), sum(|c| c.connecting));
        prop_assert_eq!(in_bins(|row| row.established), sum(|c| c.established));
        prop_assert_eq!(in_bins(|row| row.closing), sum(|c| c.closing));
        prop_assert_eq!(in_bins(|row| row.time_wait), sum(|c| c.time_wait));
        for row in &rows {
            let parts = [row.connecting, row.established, row.closing, row.time_wait];
            prop_assert!(parts.iter().all(|&part| part >= 0), "{row:?}");
        }

        // Probes are counted once for each attempt, and the reuses are all openings but the first of
        // each port.
        prop_assert_eq!(tally.limit.probes.histogram().len(), attempts);
        let first_uses = auditor.held.len() as u64;
        prop_assert_eq!(tally.limit.reuse.histogram().len(), opened - first_uses);
    }

    /// Law: a machine whose sockets might take ports from each other, but do not, does what one does
    /// whose pools are independent.
    #[test]
    fn independent_pools_are_a_special_case_of_shared_ones(world in worlds(), seed in any::<u64>()) {
        let mut world = world;
        let host = &mut world.hosts[0];
        host.tcp.max_tw_buckets = None;
        for client in &mut host.clients {
            client.socket = SocketOptions::default();
            client.binds = Binds::Connect;
        }
        let settings = RunSettings { seed, ..settings(60.0, 1) };
        let tally = |world: &World| {
            let window = Window::new(settings.warm_up, settings.duration);
            let mut tally = HostTally::new(world.hosts[0].clients.len(), window);
            let job = Job { world, settings: &settings, host: 0, machine: 0, replication: 0, timer_phase: None };
            let mut unseen = portsim::engine::Unobserved;
            assert!(run(job, &mut Workspace::default(), &mut tally, &mut unseen).is_continue());
            format!("{tally:?}")
        };
        prop_assert!(!shares_ports(&world.hosts[0]));
        let alone = tally(&world);
        world.hosts[0].tcp.max_tw_buckets = Some(u32::MAX);
        prop_assert!(shares_ports(&world.hosts[0]));
        let shared = tally(&world);
        let differs = alone.bytes().zip(shared.bytes()).position(|(a, b)| a != b);
        if let Some(at) = differs.or((alone.len() != shared.len()).then_some(0)) {
            // Whole tallies would be screens full of zeros.
            let around = |text: &str| text.get(at.saturating_sub(200)..).unwrap_or("").chars().take(260).collect::<String>();
            prop_assert!(false, "alone: {}\nshared: {}", around(&alone), around(&shared));
        }
    }

    /// Law: the most ports in use at once is never more than there are, and free ones never negative.
    #[test]
    fn ports_in_use_and_free_make_up_the_range(world in worlds(), seed in any::<u64>()) {
        let settings = RunSettings { seed, ..settings(60.0, 2) };
        let outcome = replicate(&world, &settings, &Unwatched).unwrap();
        let whole = &outcome.whole;
        prop_assert!(whole.peak_in_use <= whole.capacity);
        prop_assert!(whole.utilisation.mean <= 1.0 + 1e-12);
        prop_assert!((0.0..=1.0 + 1e-12).contains(&whole.blocked_time_share.mean));
        prop_assert_eq!(whole.opened + whole.blocked, whole.attempts);
        for row in &outcome.timeline.rows {
            let sum = row.connecting.mean
                + row.established.mean
                + row.closing.mean
                + row.time_wait.mean
                + row.free.mean;
            prop_assert!(row.free.min >= 0.0);
            prop_assert!((sum - whole.capacity as f64).abs() < 1e-6 * whole.capacity.max(1) as f64);
        }
    }
}

fn on_threads(threads: usize, world: &World, settings: &RunSettings) -> Outcome {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| replicate(world, settings, &Unwatched)).unwrap()
}

/// Law: an outcome does not depend on the number of threads.
#[test]
fn one_thread_and_eight_give_the_same_outcome() {
    let poisson = Arrivals::Poisson { rate_per_s: 90.0 };
    let lifetime = Distribution::Lognormal { mean: SimDuration::from_secs(1), sigma: 1.0 };
    let mut host = host(80, vec![client(poisson, lifetime)]);
    host.count = 37;
    let (world, settings) = (world(host), settings(40.0, 9));
    let one = format!("{:?}", on_threads(1, &world, &settings));
    for threads in [2, 8] {
        assert_eq!(
            format!("{:?}", on_threads(threads, &world, &settings)),
            one,
            "{threads} threads"
        );
    }
}

/// Law: on average, ports that are added never block more. (On one history they may: an extra port
/// can admit a long connection that blocks two short ones.)
#[test]
fn more_ports_block_no_more_on_the_same_demand() {
    let blocked = |ports| {
        let poisson = Arrivals::Poisson { rate_per_s: 60.0 };
        let lifetime = Distribution::Exponential { mean: SimDuration::from_secs(1) };
        let world = world(host(ports, vec![client(poisson, lifetime)]));
        replicate(&world, &settings(300.0, 10), &Unwatched).unwrap().whole.blocked
    };
    let series: Vec<u64> = [30, 40, 50, 60, 70, 90].map(blocked).into();
    assert!(series.is_sorted_by(|a, b| a > b || *a == 0), "{series:?}");
}

/// Law: two variants see the same demand: attempts do not depend on what becomes of them, nor on how
/// ports are chosen, nor on who else is there.
#[test]
fn variants_see_the_same_demand() {
    let attempts = |change: &dyn Fn(&mut Host)| {
        let poisson = Arrivals::Poisson { rate_per_s: 60.0 };
        let lifetime = Distribution::Exponential { mean: SimDuration::from_secs(1) };
        let mut host = host(50, vec![client(poisson, lifetime)]);
        change(&mut host);
        let outcome = replicate(&world(host), &settings(100.0, 3), &Unwatched).unwrap();
        outcome.clients[0].figures.attempts
    };
    let base = attempts(&|_| {});
    assert_eq!(attempts(&|host| host.selection = SelectionKind::RandomIncrements), base);
    assert_eq!(attempts(&|host| host.clients[0].closes = vec![(Ending::Client, 1.0)]), base);
    assert_eq!(
        attempts(&|host| {
            let mut other = host.clients[0].clone();
            other.name = "other".into();
            host.clients.push(other);
        }),
        base
    );
}

/// A connection that opens and is released at one instant keeps its port until all attempts of that
/// instant are made; one released at the instant of an attempt makes room for it.
#[test]
fn simultaneous_things_happen_in_the_order_they_were_scheduled() {
    let batch =
        Arrivals::Batches { every: SimDuration::from_secs(1), size: 3, spacing: Spacing::Constant };
    // Two ports, three at once, gone at once: the third finds both taken, each second anew.
    let nothing = Distribution::Constant(SimDuration::ZERO);
    let outcome =
        replicate(&world(host(2, vec![client(batch, nothing)])), &settings(10.0, 1), &Unwatched);
    assert_eq!(outcome.unwrap().whole.blocked, 10);
    // One port, one attempt a second, each lasting exactly until the next: never refused.
    let second = Distribution::Constant(SimDuration::from_secs(1));
    let every = Arrivals::Constant { rate_per_s: 1.0 };
    let outcome =
        replicate(&world(host(1, vec![client(every, second)])), &settings(10.0, 1), &Unwatched);
    assert_eq!(outcome.unwrap().whole.blocked, 0);
}

/// Adds up the shares that a run says it has done.
#[derive(Default)]
struct Shares(std::sync::Mutex<f64>);

impl Watch for Shares {
    fn advanced(&self, share: f64) {
        *self.0.lock().unwrap() += share;
    }

    fn stopped(&self) -> bool {
        false
    }
}

/// Progress ends at the whole, also where a precision needed more replications than thought.
#[test]
fn the_shares_that_a_run_reports_add_up_to_one() {
    let poisson = Arrivals::Poisson { rate_per_s: 60.0 };
    let lifetime = Distribution::Exponential { mean: SimDuration::from_secs(1) };
    let mut host = host(50, vec![client(poisson, lifetime)]);
    host.count = 3;
    let world = world(host);
    for replications in [Replications::Fixed(7), Replications::Precision(0.02)] {
        let (shares, settings) =
            (Shares::default(), RunSettings { replications, ..settings(50.0, 1) });
        replicate(&world, &settings, &shares).unwrap();
        let sum = *shares.0.lock().unwrap();
        assert!((sum - 1.0).abs() < 1e-6, "{replications:?}: {sum}");
    }
}

/// The precision asked for is reached, by adding replications.
#[test]
fn replications_are_added_until_the_interval_is_narrow() {
    let poisson = Arrivals::Poisson { rate_per_s: 60.0 };
    let lifetime = Distribution::Exponential { mean: SimDuration::from_secs(1) };
    let world = world(host(50, vec![client(poisson, lifetime)]));
    let settings =
        RunSettings { replications: Replications::Precision(0.01), ..settings(100.0, 1) };
    let outcome = replicate(&world, &settings, &Unwatched).unwrap();
    let ratio = outcome.whole.blocking_ratio;
    assert!((ratio.hi - ratio.lo) / 2.0 <= 0.01 * ratio.mean, "{ratio:?}");
    assert!(outcome.replications > 20 && !outcome.partial, "{}", outcome.replications);
}

/// Wants to stop as soon as something has been done, and counts how often it is told of more.
#[derive(Default)]
struct Impatient(std::sync::atomic::AtomicU32);

impl portsim::replicate::Watch for Impatient {
    fn advanced(&self, _share: f64) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }

    fn stopped(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::SeqCst) > 0
    }
}

#[test]
fn a_stop_is_obeyed_between_machines_that_do_little() {
    let text = "
        [run]
        duration = '1 s'
        replications = 2
        [host.small]
        count = 10000
        [client.fetcher]
        arrivals = { process = 'poisson', rate = '1 / s' }
        lifetime = '200 ms'";
    let scenario = portsim::scenario::parse("small", "small.toml", text, &[]).unwrap();
    let watch = Impatient::default();
    let outcome = portsim::replicate::replicate(&scenario.world, &scenario.settings, &watch);
    assert!(outcome.is_none(), "nothing was finished");
    let machines = watch.0.into_inner();
    assert!(machines < 1_000, "{machines} machines ran after the stop");
}
