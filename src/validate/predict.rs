//! What the model says that an experiment finds.

use std::collections::BTreeMap;

use super::case::{
    Case, Destinations, Experiment, Hold, How, Order, Setup, Squat, SquatterKind, Step,
};
use super::churn;
use super::machine::{Draw, Kernel, Script, host, sit, with_syn};
use super::measured::{CostLevel, Errors, Measured, OrderMeasured, StepMeasured};
use crate::engine::Opened;
use crate::model::{Ending, PortSet};
use crate::units::{SimDuration, SimTime};

/// What the model finds in the experiment of `case`, for one draw of what is not known.
#[must_use]
pub fn predict(case: &Case, draw: Draw) -> Measured {
    let setup = &case.setup;
    match &case.experiment {
        Experiment::Hold(hold) => self::hold(setup, hold, draw),
        Experiment::Mix { to, steps } => mix(setup, *to, steps, draw),
        Experiment::Squat(squat) => self::squat(setup, squat, draw),
        Experiment::Fixed { port, cycles, reuse_address, close } => {
            let how = How { reuse_address: *reuse_address, ..How::default() };
            fixed(setup, *port, *cycles, how, *close, draw)
        }
        Experiment::FinWait2 { server_after, .. } => fin_wait_2(setup, *server_after, draw),
        Experiment::SynSent { syn_retries, syn_linear, .. } => {
            syn_sent(setup, *syn_retries, *syn_linear, draw)
        }
        Experiment::TwTime { gap, close, server_delay, .. } => {
            tw_time(setup, *gap, *close, *server_delay, draw)
        }
        Experiment::Order(order) => self::order(setup, order, draw),
        Experiment::Churn(experiment) => churn::churn(setup, experiment, draw),
        Experiment::Cost { levels, reps } => cost(setup, levels, *reps, draw),
    }
}

/// What the model finds for all draws of what is not known of `kernel`; nothing where workers of a closed loop
/// make attempts that depend on what becomes of them: [`super::as_made`] has those.
#[must_use]
pub fn predictions(case: &Case, kernel: Kernel) -> Vec<Measured> {
    if matches!(&case.experiment, Experiment::Churn(churn) if churn.workers.is_some()) {
        return Vec::new();
    }
    Draw::spread(draws(case), kernel).map(|draw| predict(case, draw)).collect()
}

/// How many draws a case is predicted with: enough that the model's spread is seen whole. Where only the
/// phase of the timer grid is unknown these are 64 places on it; where ports are drawn at random a kernel
/// that follows the model would lie outside so many draws once in some hundred cases.
fn draws(case: &Case) -> u32 {
    match case.experiment {
        Experiment::Order(_) | Experiment::Hold(_) => 512,
        // Which TIME-WAITs are left when there are too many depends on the ports that were drawn.
        Experiment::Churn(_) if case.setup.max_tw.is_some() => 256,
        _ => 64,
    }
}

/// Ports that a connection looked at with so much of the range held towards its destination: mean over
/// `reps` connections at each level of `levels` percent, each aborted before the next. A level of 100 % is
/// what a refusal looks at.
#[must_use]
pub fn probes_at(setup: &Setup, levels: &[f64], reps: u32, draw: Draw) -> Vec<f64> {
    let (how, to) = (How::default(), Destinations { k: 1, by_address: false });
    let mut script = Script::new(&host(setup, draw, 1, &[how]), &[how], to, draw);
    let mut held = 0;
    levels
        .iter()
        .map(|level| {
            while held < (f64::from(setup.n) * level / 100.0) as u32
                && script.open(&how, 0, 0).is_ok()
            {
                held += 1;
            }
            let mut sum = 0.0;
            for _ in 0..reps {
                match script.open(&how, 0, 0) {
                    Ok(opened) => {
                        sum += f64::from(opened.probes);
                        script.close(opened, Ending::Reset);
                    }
                    // A refusal has looked at all there are.
                    Err(_) => sum += f64::from(setup.n),
                }
            }
            sum / f64::from(reps)
        })
        .collect()
}

/// The model knows no microseconds: it says how many ports were held and how many calls came about.
fn cost(setup: &Setup, levels: &[f64], reps: u32, draw: Draw) -> Measured {
    let probes = probes_at(setup, levels, reps, draw);
    let level = |(&fill_percent, _): (&f64, f64)| {
        let held = (f64::from(setup.n) * fill_percent / 100.0) as u32;
        let ok = if held < setup.n { reps } else { 0 };
        CostLevel { fill_percent, held, ok, median_us: f64::NAN, p90_us: f64::NAN }
    };
    Measured::Cost { levels: levels.iter().zip(probes).map(level).collect() }
}

fn count(errors: &mut Errors, error: &str) {
    *errors.entry(error.to_owned()).or_default() += 1;
}

fn distinct(ports: impl Iterator<Item = u16>) -> u32 {
    ports.collect::<PortSet>().ports().len() as u32
}

fn hold(setup: &Setup, hold: &Hold, draw: Draw) -> Measured {
    let host = host(setup, draw, hold.sources, &[hold.how]);
    let mut script = Script::new(&host, &[hold.how], hold.to, draw);
    let pairs: Vec<(u32, u32)> =
        (0..hold.sources).flat_map(|source| (0..hold.to.k).map(move |to| (source, to))).collect();
    let mut opened: Vec<Vec<Opened>> = vec![Vec::new(); pairs.len()];
    let mut full = vec![false; pairs.len()];
    let mut errors = Errors::new();
    while full.contains(&false) {
        for (index, &(source, to)) in pairs.iter().enumerate() {
            while !full[index] {
                match script.open(&hold.how, source, to) {
                    Ok(connection) => opened[index].push(connection),
                    Err(error) => {
                        full[index] = true;
                        count(&mut errors, error);
                    }
                }
                if hold.round_robin {
                    break;
                }
            }
        }
    }
    Measured::Hold {
        per_pair: opened.iter().map(|connections| connections.len() as u32).collect(),
        distinct_ports: distinct(opened.iter().flatten().map(|connection| connection.port)),
        errors,
    }
}

fn mix(setup: &Setup, to: Destinations, steps: &[Step], draw: Draw) -> Measured {
    let opens = steps.iter().filter_map(|step| match step {
        Step::Open { how, source, .. } => Some((*how, *source)),
        Step::Release { .. } => None,
    });
    let hows: Vec<How> = opens.clone().map(|open| open.0).collect();
    let sources = opens.map(|open| open.1).max().unwrap_or(1);
    let mut script = Script::new(&host(setup, draw, sources, &hows), &hows, to, draw);
    let mut held: Vec<Vec<Opened>> = Vec::new();
    let measured = steps.iter().map(|step| {
        let (measured, keeps) = one_step(setup, &mut script, step, &mut held);
        held.push(keeps);
        measured
    });
    Measured::Mix { steps: measured.collect() }
}

/// Does one step of a mix; gives what it found and what it holds from now on.
fn one_step(
    setup: &Setup,
    script: &mut Script,
    step: &Step,
    held: &mut [Vec<Opened>],
) -> (StepMeasured, Vec<Opened>) {
    let (how, dst, most, close, source, wait) = match step {
        Step::Release { release } => {
            let gone = std::mem::take(&mut held[*release]);
            gone.iter().for_each(|&connection| script.close(connection, Ending::Reset));
            let opened = gone.len() as u32;
            return (StepMeasured { opened, ..StepMeasured::default() }, Vec::new());
        }
        Step::Open { how, dst, count, close, source, wait } => {
            (how, *dst, *count, *close, *source, *wait)
        }
    };
    script.wait(SimDuration::from_secs_f64(wait));
    let (mut ports, mut keeps, mut error) = (Vec::new(), Vec::new(), None);
    while most.is_none_or(|most| (ports.len() as u32) < most) {
        match script.open(how, source - 1, dst) {
            Ok(connection) => {
                ports.push(connection.port);
                match close {
                    Some(close) => script.close(connection, close),
                    None => keeps.push(connection),
                }
            }
            Err(told) => {
                error = Some(told.to_owned());
                break;
            }
        }
    }
    let low = |port: &&u16| (**port - setup.lo).is_multiple_of(2);
    let measured = StepMeasured {
        opened: ports.len() as u32,
        distinct_ports: distinct(ports.iter().copied()),
        low_parity: ports.iter().filter(low).collect::<std::collections::BTreeSet<_>>().len()
            as u32,
        error,
    };
    (measured, keeps)
}

fn squat(setup: &Setup, squat: &Squat, draw: Draw) -> Measured {
    // What bound clients connect to is one more destination.
    let to = Destinations { k: squat.to.k + 1, ..squat.to };
    let bound = How { call: super::case::Call::Bind, ..How::default() };
    let mut host = host(setup, draw, 1, &[squat.how, bound]);
    let ports: PortSet = (setup.lo..).take(squat.count as usize).collect();
    sit(&mut host, squat.squatter, ports.clone());
    let mut script = Script::new(&host, &[squat.how, bound], to, draw);
    let close = match squat.squatter {
        SquatterKind::BoundConnectTimeWait => Some(Ending::Client),
        SquatterKind::BoundConnectReset => Some(Ending::Reset),
        _ => None,
    };
    let mut squatted: Vec<u16> = ports.ports().to_vec();
    if let Some(close) = close {
        let connections: Vec<Opened> =
            (0..squat.count).filter_map(|_| script.open(&bound, 0, squat.to.k).ok()).collect();
        squatted = connections.iter().map(|connection| connection.port).collect();
        connections.iter().for_each(|&connection| script.close(connection, close));
    }
    let (mut errors, mut got) = (Errors::new(), Vec::new());
    let per_destination = (0..squat.to.k).map(|to| {
        let mut opened = 0;
        loop {
            match script.open(&squat.how, 0, to) {
                Ok(connection) => {
                    opened += 1;
                    got.push(connection.port);
                }
                Err(error) => {
                    count(&mut errors, error);
                    return opened;
                }
            }
        }
    });
    let per_destination = per_destination.collect();
    let reused = distinct(got.into_iter().filter(|port| squatted.contains(port)));
    Measured::Squat { per_destination, squatted_ports_reused: reused, errors }
}

fn fixed(setup: &Setup, port: u16, cycles: u32, how: How, close: Ending, draw: Draw) -> Measured {
    let mut host = host(setup, draw, 1, &[how]);
    host.clients[0].socket.source_ports = [port].into_iter().collect();
    host.clients[0].binds = crate::model::Binds::Port;
    let to = Destinations { k: 1, by_address: false };
    let mut script = Script::new(&host, &[how], to, draw);
    let (mut ok, mut errors) = (0, Errors::new());
    for _ in 0..cycles {
        match script.open(&how, 0, 0) {
            Ok(connection) => {
                ok += 1;
                script.close(connection, close);
            }
            Err(error) => count(&mut errors, error),
        }
        script.wait(SimDuration::from_millis(20));
    }
    Measured::Fixed { ok, errors }
}

fn timers(setup: &Setup, draw: Draw) -> Script {
    let host = host(setup, draw, 1, &[How::default()]);
    Script::new(&host, &[How::default()], Destinations { k: 1, by_address: false }, draw)
}

fn fin_wait_2(setup: &Setup, server_after: Option<f64>, draw: Draw) -> Measured {
    let closed = SimTime::from_nanos(1_000_000_000);
    let (ending, second_fin_s) = server_after.map_or((Ending::Half, 0.0), |s| (Ending::Client, s));
    let second_fin = SimDuration::from_secs_f64(second_fin_s);
    let life = timers(setup, draw).life(closed, ending, second_fin);
    let after_s = life.over.since(closed).as_secs_f64();
    Measured::FinWait2 { freed_after_s: vec![after_s; setup.n as usize] }
}

fn syn_sent(setup: &Setup, retries: u8, linear: u8, draw: Draw) -> Measured {
    let how = How::default();
    let host = with_syn(host(setup, draw, 1, &[how]), retries, linear);
    let to = Destinations { k: 1, by_address: false };
    let mut script = Script::new(&host, &[how], to, draw);
    let mut begun = 0;
    while script.open(&how, 0, 0).is_ok() {
        begun += 1;
    }
    let start = SimTime::from_nanos(1_000_000_000);
    let ended = script.given_up(start).since(start).as_secs_f64();
    Measured::SynSent { begun, ended: vec![(ended, "ETIMEDOUT".to_owned()); begun as usize] }
}

fn tw_time(setup: &Setup, gap: f64, close: Ending, server_delay: f64, draw: Draw) -> Measured {
    let script = timers(setup, draw);
    // Only what the client closes first waits for the other side.
    let waits = matches!(close, Ending::Client | Ending::Half);
    let second_fin = SimDuration::from_secs_f64(if waits { server_delay } else { 0.0 });
    let closed_s: Vec<f64> = (0..setup.n).map(|index| f64::from(index) * gap).collect();
    let taken = closed_s.iter().map(|&at_s| {
        let closed = SimTime::START + SimDuration::from_secs_f64(at_s);
        let free = script.life(closed, close, second_fin).takeable;
        free.since(closed).as_secs_f64()
    });
    let taken_s = taken.collect();
    Measured::TwTime { closed_s, taken_s }
}

fn order(setup: &Setup, order: &Order, draw: Draw) -> Measured {
    let mut script = Script::new(&host(setup, draw, 1, &[order.how]), &[order.how], order.to, draw);
    let k = order.to.k as usize;
    let (mut ports, mut times) = (vec![Vec::new(); k], vec![Vec::new(); k]);
    let mut full = vec![false; k];
    let gap = SimDuration::from_secs_f64(order.gap);
    let is_over = |full: bool, taken: &Vec<u32>| {
        full || order.count.is_some_and(|most| taken.len() as u32 >= most)
    };
    while (0..k).any(|to| !is_over(full[to], &ports[to])) {
        for to in 0..k {
            if is_over(full[to], &ports[to]) {
                continue;
            }
            match script.open(&order.how, 0, to as u32) {
                Ok(connection) => {
                    ports[to].push(u32::from(connection.port - setup.lo));
                    times[to].push(script.now().as_secs_f64());
                    if order.abort {
                        script.close(connection, Ending::Reset);
                    }
                }
                Err(_) => full[to] = true,
            }
        }
        script.wait(gap);
    }
    let destinations = ports
        .into_iter()
        .zip(&times)
        .map(|(ports, times)| order_of(setup.n, ports, times, order.gap > 0.0))
        .collect();
    Measured::Order { destinations }
}

/// What is said of the order in which ports were taken: `ports` less the lowest of a range of `n`, with
/// the times in seconds at which each was; jumps count where they are `slow`.
#[must_use]
pub fn order_of(n: u32, ports: Vec<u32>, times_s: &[f64], slow: bool) -> OrderMeasured {
    let distances: Vec<u32> = ports.windows(2).map(|pair| (pair[1] + n - pair[0]) % n).collect();
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    distances.iter().for_each(|&distance| *counts.entry(distance).or_default() += 1);
    let mut deltas: Vec<(u32, u32)> = counts.into_iter().collect();
    deltas.sort_by_key(|&(distance, count)| (std::cmp::Reverse(count), distance));
    let jumps = distances.iter().zip(&times_s[1.min(times_s.len())..]);
    let jumps = jumps.filter(|(distance, _)| slow && **distance > 16);
    OrderMeasured {
        count: ports.len() as u32,
        first_index_of_other_parity: ports
            .iter()
            .position(|port| port % 2 == 1)
            .map(|at| at as u32),
        in_low_parity: ports.iter().filter(|&&port| port % 2 == 0).count() as u32,
        jumps_over_16: jumps.map(|(&distance, &at_s)| (at_s, distance)).collect(),
        deltas,
        ports_minus_lo: ports,
    }
}
