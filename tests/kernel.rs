//! Experiments on the kernel of this machine, held against what Linux 6.18 did when the same were made
//! before. Where no network namespace can be made they say so and pass.

use std::io::{self, Write};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use portsim::testbed::{Failure, Made, Progress, measure, measure_with};
use portsim::validate::{
    Attempt, Call, Case, Churn, Destinations, Ending, Errors, Experiment, Hold, How, Measured,
    Order, Setup, Squat, SquatterKind, Step,
};

/// A range of `n` ports, all else as it is on a new machine; no takeover of TIME-WAIT.
fn setup(n: u32) -> Setup {
    Setup::new(40_000, n)
}

fn case(name: &str, setup: Setup, experiment: Experiment) -> Case {
    let (kernel, notes) = (String::new(), String::new());
    Case { name: name.to_owned(), setup, experiment, measured: None, kernel, notes }
}

const fn to(k: u32) -> Destinations {
    Destinations { k, by_address: false }
}

fn by(call: Call) -> How {
    How { call, ..How::default() }
}

fn errors<const N: usize>(list: [(&str, u32); N]) -> Errors {
    list.into_iter().map(|(error, count)| (error.to_owned(), count)).collect()
}

/// What the kernel did; nothing, said aloud, where it cannot be asked.
fn asked(case: &Case) -> Option<Measured> {
    match measure(case, &AtomicBool::new(false)) {
        Ok(made) => Some(made.measured),
        Err(Failure::NotHere(not_here)) => {
            skipped(&case.name, &format!("{not_here}; {}", not_here.help()))
        }
        Err(Failure::Unsupported(what)) => skipped(&case.name, &what),
        Err(failure) => panic!("{}: {failure}", case.name),
    }
}

/// Not by `eprintln!`, of which nobody hears when the test passes.
fn skipped<T>(name: &str, why: &str) -> Option<T> {
    writeln!(io::stderr(), "skipped: {name}: {why}").expect("stderr is open");
    None
}

fn held(name: &str, setup: Setup, hold: Hold) -> Option<(Vec<u32>, u32, Errors)> {
    match asked(&case(name, setup, Experiment::Hold(hold)))? {
        Measured::Hold { per_pair, distinct_ports, errors } => {
            Some((per_pair, distinct_ports, errors))
        }
        other => panic!("{name} measured {other:?}"),
    }
}

fn hold(how: How, to: Destinations, sources: u32) -> Hold {
    Hold { how, to, sources, round_robin: false }
}

#[test]
fn connect_uses_the_whole_range_for_each_destination() {
    let name = "hold/connect/k3";
    let Some(found) = held(name, setup(50), hold(by(Call::Connect), to(3), 1)) else { return };
    assert_eq!(found, (vec![50; 3], 50, errors([("connect:EADDRNOTAVAIL", 3)])));

    let addresses = Destinations { k: 4, by_address: true };
    let found = held("hold/connect/k4addr", setup(50), hold(by(Call::Connect), addresses, 1));
    assert_eq!(found.expect("here").0, [50; 4]);

    let in_turn = Hold { round_robin: true, ..hold(by(Call::Connect), to(20), 1) };
    let found = held("hold/connect/k20rr", setup(50), in_turn).expect("here");
    assert_eq!((found.0, found.1), (vec![50; 20], 50));
}

#[test]
fn bind_uses_the_range_once_for_each_source_address() {
    let Some(found) = held("hold/bind0/src3", setup(50), hold(by(Call::Bind), to(2), 3)) else {
        return;
    };
    assert_eq!(found, (vec![50, 0, 50, 0, 50, 0], 50, errors([("bind:EADDRINUSE", 6)])));

    let found = held("hold/bindno/src2", setup(50), hold(by(Call::BindNoPort), to(2), 2));
    assert_eq!(found.expect("here").0, [50; 4]);
}

#[test]
fn reserved_ports_and_the_socket_s_own_range_are_respected() {
    let reserved = Setup { reserved: "40000-40009".to_owned(), ..setup(50) };
    let Some(found) = held("hold/reserved/10", reserved, hold(by(Call::Connect), to(2), 1)) else {
        return;
    };
    assert_eq!((found.0, found.1), (vec![40, 40], 40));

    let own = How { port_range: Some((40_010, 40_029)), ..How::default() };
    if let Some(found) = held("hold/prange/k2", setup(100), hold(own, to(2), 1)) {
        assert_eq!((found.0, found.1), (vec![20, 20], 20));
    }
}

#[test]
fn bound_ports_are_lost_to_connect_and_the_other_way_round() {
    let open = |call, dst, count| Step::Open {
        how: by(call),
        dst,
        count,
        close: None,
        source: 1,
        wait: 0.0,
    };
    let steps = vec![
        open(Call::Bind, 0, Some(10)),
        open(Call::Connect, 0, None),
        open(Call::Connect, 1, None),
        Step::Release { release: 0 },
        open(Call::Connect, 1, None),
    ];
    let mix = case("mix/bind0_then_connect", setup(40), Experiment::Mix { to: to(2), steps });
    let Some(measured) = asked(&mix) else { return };
    let Measured::Mix { steps } = measured else { panic!("{measured:?}") };
    let opened: Vec<u32> = steps.iter().map(|step| step.opened).collect();
    assert_eq!(opened, [10, 30, 30, 10, 10]);
    assert_eq!(steps[0].low_parity, 0);
    assert_eq!(steps[1].error.as_deref(), Some("connect:EADDRNOTAVAIL"));
}

#[test]
fn what_sits_on_a_port_takes_it_from_every_destination() {
    let squat = |squatter, count| {
        let squat = Squat { how: How::default(), to: to(2), squatter, count };
        case("squat", setup(50), Experiment::Squat(squat))
    };
    let kinds = [
        (SquatterKind::ListenAny, 5, 45, 0),
        (SquatterKind::ListenSource, 5, 45, 0),
        (SquatterKind::ListenOther, 5, 45, 0),
        (SquatterKind::ListenReuseAddressOther, 5, 45, 0),
        (SquatterKind::ListenV6Any, 5, 45, 0),
        (SquatterKind::BoundOther, 5, 45, 0),
        (SquatterKind::AcceptedChild, 1, 49, 0),
        (SquatterKind::BoundConnectTimeWait, 5, 45, 0),
        (SquatterKind::BoundConnectReset, 5, 50, 5),
        (SquatterKind::Udp, 5, 50, 5),
    ];
    for (kind, count, each, reused) in kinds {
        let Some(measured) = asked(&squat(kind, count)) else { continue };
        let Measured::Squat { per_destination, squatted_ports_reused, .. } = measured else {
            panic!("{measured:?}")
        };
        assert_eq!((per_destination, squatted_ports_reused), (vec![each; 2], reused), "{kind:?}");
    }
}

#[test]
fn a_chosen_port_leaves_time_wait_at_once_with_reuse_address_only() {
    let fixed = |reuse_address| {
        let close = Ending::Client;
        let experiment = Experiment::Fixed { port: 40_010, cycles: 20, reuse_address, close };
        asked(&case("fixed", setup(100), experiment))
    };
    let Some(measured) = fixed(true) else { return };
    assert_eq!(measured, Measured::Fixed { ok: 20, errors: Errors::new() });
    let refused = errors([("bind:EADDRINUSE", 19)]);
    assert_eq!(fixed(false), Some(Measured::Fixed { ok: 1, errors: refused }));
}

/// Goal: ports come in the order that the kernel's source says.
/// Method: `order/one/n100` and `order/free/n1000`; the lowest port's parity first, steps of 2 to 16.
#[test]
fn connect_walks_up_the_parity_of_the_lowest_port_first() {
    let order = |count, abort| {
        let order = Order { how: How::default(), to: to(1), count, gap: 0.0, abort };
        let n = if abort { 1000 } else { 100 };
        match asked(&case("order", setup(n), Experiment::Order(order)))? {
            Measured::Order { mut destinations } => destinations.pop(),
            other => panic!("{other:?}"),
        }
    };
    let Some(filled) = order(None, false) else { return };
    assert_eq!((filled.count, filled.in_low_parity), (100, 50));
    assert_eq!(filled.first_index_of_other_parity, Some(50));

    let free = order(Some(2000), true).expect("here");
    assert_eq!((free.count, free.in_low_parity), (2000, 2000));
    let usual = free.deltas.iter().filter(|(delta, _)| (2..=16).contains(delta) && delta % 2 == 0);
    // The sequence may begin anew once, where a multiple of ten seconds of uptime falls in.
    assert!(usual.map(|&(_, count)| count).sum::<u32>() >= 1998, "{:?}", free.deltas);
}

/// Goal: attempts are made when they are due, and TIME-WAIT is taken over after the delay.
/// Method: `churn/reuse1_delay200`: 50 ports carry 200 a second with 200 ms each, and not 300.
#[test]
fn time_wait_is_taken_over_after_the_delay() {
    let churn = |rate: f64| {
        let attempt = |i| Attempt {
            time: f64::from(i) / rate,
            destination: 0,
            life: 0.0,
            close: Ending::Client,
            source: None,
            how: 0,
            port: None,
        };
        let attempts = (0..(rate * 4.0) as u32).map(attempt).collect();
        let (how, trace) = (How::default(), String::new());
        let experiment = Experiment::Churn(Churn {
            how,
            others: Vec::new(),
            to: to(1),
            sources: 1,
            sitting: Vec::new(),
            attempts,
            workers: None,
            trace,
        });
        let setup = Setup { tw_reuse: 1, tw_reuse_delay: Some(200), ..setup(50) };
        let case = case("churn/reuse1_delay200", setup, experiment);
        let mut last = Progress::default();
        let measured = measure_with(&case, &AtomicBool::new(false), &mut |progress| {
            last = progress;
        });
        match measured {
            Ok(Made { measured: Measured::Churn(measured), .. }) => {
                assert_eq!((last.attempts, last.failed), (measured.attempts, measured.fail));
                Some(measured)
            }
            Err(Failure::NotHere(why)) => skipped(&case.name, &why.to_string()),
            Err(Failure::Unsupported(why)) => skipped(&case.name, &why),
            other => panic!("{other:?}"),
        }
    };
    let Some(fine) = churn(200.0) else { return };
    // A machine with other things to do makes attempts late, and those after them too soon.
    assert!(fine.fail == 0 || fine.max_late_s > 0.02, "{fine:?}");

    let too_many = churn(300.0).expect("here");
    assert_eq!(too_many.attempts, 1200);
    // 50 in 0.201 s of 60.3 that come: 17 % and the rest of the last round.
    let late = too_many.max_late_s > 0.02;
    assert!(late || (150..=260).contains(&too_many.fail), "{too_many:?}");
    let first = too_many.first_fail_s.expect("some fail");
    assert!((0.16..0.2).contains(&first), "{too_many:?}");
}

/// `synsent/r1_lin4`: 3 s and what the timer wheel adds.
#[test]
fn a_connection_that_nobody_answers_ends_after_its_retries() {
    let experiment = Experiment::SynSent { syn_retries: 1, syn_linear: 4, limit: 8.0 };
    let Some(measured) = asked(&case("synsent/r1_lin4", setup(3), experiment)) else { return };
    let Measured::SynSent { begun, ended } = measured else { panic!("{measured:?}") };
    assert_eq!((begun, ended.len()), (2, 2));
    for (seconds, error) in ended {
        assert!((2.9..3.6).contains(&seconds) && error == "ETIMEDOUT", "{seconds} {error}");
    }
}

/// `finwait2/never/ft5`: 5 s and what the timer wheel adds, then no 60 s more.
#[test]
fn fin_wait_2_lasts_for_the_fin_timeout() {
    let five = Setup { fin_timeout: Some(5), ..setup(4) };
    let experiment = Experiment::FinWait2 { server_after: None, limit: 8.0 };
    let Some(measured) = asked(&case("finwait2/never/ft5", five, experiment)) else { return };
    let Measured::FinWait2 { freed_after_s } = measured else { panic!("{measured:?}") };
    assert_eq!(freed_after_s.len(), 4);
    assert!(freed_after_s.iter().all(|age| (4.95..6.2).contains(age)), "{freed_after_s:?}");
}

/// `twtime/reuse1`: a second, without what the timer wheel adds.
#[test]
fn takeover_needs_an_age_of_one_second() {
    let experiment = Experiment::TwTime {
        gap: 0.002,
        close: Ending::Client,
        server_delay: 0.0,
        wait_from: 0.0,
        wait_to: 3.0,
    };
    let reuse = Setup { tw_reuse: 1, tw_reuse_delay: Some(1000), ..setup(60) };
    let Some(measured) = asked(&case("twtime/reuse1", reuse, experiment)) else { return };
    let Measured::TwTime { closed_s, taken_s } = measured else { panic!("{measured:?}") };
    assert_eq!((closed_s.len(), taken_s.len()), (60, 60));
    assert!(taken_s.iter().all(|age| (0.999..1.5).contains(age)), "{taken_s:?}");
}

#[test]
fn connect_takes_longer_when_half_of_the_range_is_held() {
    let experiment = Experiment::Cost { levels: vec![0.0, 60.0, 100.0], reps: 50 };
    let Some(measured) = asked(&case("cost", setup(8000), experiment)) else { return };
    let Measured::Cost { levels } = measured else { panic!("{measured:?}") };
    let told: Vec<(u32, u32)> = levels.iter().map(|level| (level.held, level.ok)).collect();
    assert_eq!(told, [(0, 50), (4800, 50), (8000, 0)]);
    assert!(levels[0].median_us < levels[1].median_us, "{levels:?}");
}

#[test]
fn an_experiment_stops_when_it_is_told_to() {
    let experiment = Experiment::FinWait2 { server_after: None, limit: 60.0 };
    let case = case("finwait2", setup(4), experiment);
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    let measured = std::thread::scope(|scope| {
        let run = scope.spawn(|| measure(&case, &stop));
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Relaxed);
        run.join().expect("no panic")
    });
    match measured {
        Err(Failure::NotHere(why)) => assert_eq!(skipped::<()>(&case.name, &why.to_string()), None),
        other => assert_eq!(other, Err(Failure::Stopped)),
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_case_that_no_machine_can_do_is_refused_in_words() {
    let beyond = Setup { lo: 65_000, ..setup(1000) };
    let experiment = Experiment::Hold(hold(How::default(), to(1), 1));
    let Err(failure) = measure(&case("hold", beyond, experiment), &AtomicBool::new(false)) else {
        panic!("65000 and 1000 ports are more than there are")
    };
    let words = "the case cannot be run: there is no range of 1000 ports from 65000 on";
    assert_eq!(failure.to_string(), words);
}
