//! Attempts at given times, run by the engine: the very same ones that a kernel was given.

use std::ops::ControlFlow;

use super::case::{Churn, ChurnMeasured, Errors, Measured, Setup};
use super::machine::{ending, host};
use super::predict::Draw;
use crate::engine::{Job, Observer, Workspace, run};
use crate::model::{
    Arrivals, Destination, EndpointPick, PoolId, Refusal, Replications, RunSettings, Start,
    TraceAttempt, World,
};
use crate::stats::{HostTally, Window};
use crate::units::{SimDuration, SimTime};

/// Sees what was refused, and when.
#[derive(Default)]
struct Refusals {
    at_s: Vec<f64>,
    errors: Errors,
}

impl Observer for Refusals {
    fn opened(&mut self, _: PoolId, _: u16, _: SimTime, _: SimTime, _: SimTime) {}

    fn refused(&mut self, at: SimTime, _: u16, refusal: Refusal) {
        self.at_s.push(at.as_secs_f64());
        *self.errors.entry(refusal.on_linux().to_owned()).or_default() += 1;
    }

    fn reached(&mut self, _: SimTime) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// What becomes of the attempts of `churn`, for one draw of what is not known.
pub(super) fn churn(setup: &Setup, churn: &Churn, draw: Draw) -> Measured {
    let world = world(setup, churn, draw);
    let last = churn.attempts.last().map_or(0.0, |attempt| attempt.time);
    let settings = RunSettings {
        duration: SimDuration::from_secs_f64(last + 1.0),
        warm_up: SimDuration::ZERO,
        start: Start::Empty,
        seed: draw.seed,
        replications: Replications::Fixed(1),
    };
    let mut tally = HostTally::new(1, Window::new(settings.warm_up, settings.duration));
    let job = Job {
        world: &world,
        settings: &settings,
        host: 0,
        machine: 0,
        replication: 0,
        timer_phase: Some(draw.phase),
    };
    let mut refusals = Refusals::default();
    // The observer never gives up.
    let _ = run(job, &mut Workspace::default(), &mut tally, &mut refusals);
    let mut fail_per_10s = vec![0; (last / 10.0) as usize + 1];
    refusals.at_s.iter().for_each(|&at_s| fail_per_10s[(at_s / 10.0) as usize] += 1);
    Measured::Churn(ChurnMeasured {
        attempts: churn.attempts.len() as u32,
        fail: refusals.at_s.len() as u32,
        errors: refusals.errors,
        first_fail_s: refusals.at_s.first().copied(),
        fail_per_10s,
        max_late_s: 0.0,
    })
}

fn world(setup: &Setup, churn: &Churn, draw: Draw) -> World {
    let mut host = host(setup, draw, churn.sources, &[churn.how]);
    let recorded = churn.attempts.iter().map(|attempt| TraceAttempt {
        at: SimTime::START + SimDuration::from_secs_f64(attempt.time),
        lifetime: Some(SimDuration::from_secs_f64(attempt.life)),
        to: Some((0, attempt.destination)),
        ending: Some(ending(attempt.close)),
    });
    host.clients[0].arrivals = Arrivals::Trace(recorded.collect());
    let destination = Destination {
        name: "destination".into(),
        endpoints: churn.to.k,
        pick: EndpointPick::InTurn,
        answers: true,
        loopback: true,
    };
    World { hosts: vec![host], destinations: vec![destination] }
}
