//! One file for each kind of experiment, or for several that are alike.

use std::panic;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;

use super::lab::Lab;
use super::{Failure, Made, Progress, files, link};
use crate::validate::{Case, Experiment, Measured};

mod churn;
mod cost;
mod hold;
mod order;
mod release;
mod squat;
mod steps;
mod syn_sent;

/// See [`super::measure_with`]. Namespaces and tables of open files belong to a thread, so the case gets
/// one; `watch` stays in this, for it may hold files of its own.
pub(super) fn in_own_thread(
    case: &Case,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(Progress),
) -> Result<Made, Failure> {
    files::raise_limit();
    let (sender, progress) = mpsc::channel();
    // What is said after nobody listens any more does not matter.
    let tell = move |progress| {
        let _ = sender.send(progress);
    };
    let run = move || {
        let mut lab = Lab::new(case, stop)?;
        let measured = one(&mut lab, &case.experiment, &tell)?;
        Ok(Made { measured, late_s: lab.clock.late_s() })
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("experiment".to_owned()).spawn_scoped(scope, run);
        let thread = thread.map_err(|error| files::io_failed("starting a thread", &error))?;
        // Until the thread drops its end.
        progress.iter().for_each(watch);
        thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

/// See [`super::apart`].
pub(super) fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    files::raise_limit();
    thread::scope(|scope| {
        let thread = scope.spawn(|| link::new_namespace().map(|()| work()));
        thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

fn one(
    lab: &mut Lab<'_>,
    experiment: &Experiment,
    tell: &dyn Fn(Progress),
) -> Result<Measured, Failure> {
    match experiment {
        Experiment::Hold(hold) => hold::run(lab, hold),
        Experiment::Mix { to, steps } => steps::mix(lab, *to, steps),
        Experiment::Squat(squat) => squat::run(lab, squat),
        Experiment::Fixed { port, cycles, reuse_address, close } => {
            steps::fixed(lab, *port, *cycles, *reuse_address, *close)
        }
        Experiment::FinWait2 { server_after, limit } => {
            release::fin_wait_2(lab, *server_after, *limit)
        }
        Experiment::SynSent { limit, .. } => syn_sent::run(lab, *limit),
        Experiment::TwTime { gap, close, server_delay, wait_from, wait_to } => {
            let plan = release::Plan {
                gap: *gap,
                close: *close,
                server_delay: *server_delay,
                wait_from: *wait_from,
                wait_to: *wait_to,
            };
            release::time_wait(lab, &plan)
        }
        Experiment::Order(order) => order::run(lab, order),
        Experiment::Churn(churn) => churn::run(lab, churn, tell),
        Experiment::Cost { levels, reps } => cost::run(lab, levels, *reps),
    }
}
