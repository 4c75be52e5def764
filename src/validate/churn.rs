//! Attempts at given times, run by the engine: the very same ones that a kernel was given.

use super::attempt::Attempt;
use super::case::{Churn, How, Setup};
use super::machine::{Draw, GOLDEN, host, sit};
use super::measured::{ChurnMeasured, Errors, Measured, TimeWaits};
use crate::engine::{Job, Observer, Opening, Openings, Release, Workspace, run};
use crate::model::{
    Arrivals, Binds, Destination, Ending, EndpointPick, Refused, Replications, RunSettings,
    TraceAttempt, World,
};
use crate::stats::{HostTally, Window};
use crate::units::{SimDuration, SimTime};

/// TIME-WAITs are counted so many times over a run.
const COUNTS: u32 = 400;

/// Sees what was refused, and what was in TIME-WAIT when.
#[derive(Default)]
struct ChurnObserver {
    refused_at_s: Vec<f64>,
    errors: Errors,
    open: Openings,
    /// Changes of the number of TIME-WAITs.
    changes: Vec<(SimTime, i32)>,
}

impl Observer for ChurnObserver {
    fn opened(&mut self, opening: &Opening) {
        self.open.keep(opening);
    }

    fn released(&mut self, release: &Release) {
        let close = self.open.take(release).life.first_fin;
        self.waited(close, release.at);
    }

    fn refused(&mut self, at: SimTime, _: u16, refused: &Refused) {
        self.refused_at_s.push(at.as_secs_f64());
        *self.errors.entry(refused.refusal.on_linux().to_owned()).or_default() += 1;
    }
}

impl ChurnObserver {
    fn waited(&mut self, close: SimTime, release: SimTime) {
        if close < release {
            self.changes.extend([(close, 1), (release, -1)]);
        }
    }

    /// The number of TIME-WAITs over a run that ends at `end_s`.
    fn time_waits(&mut self, end_s: f64) -> Vec<TimeWaits> {
        for opening in std::mem::take(&mut self.open).rest() {
            self.waited(opening.life.first_fin, opening.life.takeable);
        }
        self.changes.sort_unstable();
        let (mut next, mut count) = (0, 0_i32);
        let moments = (0..=COUNTS).map(|index| end_s * f64::from(index) / f64::from(COUNTS));
        let count_at = |at_s: f64| {
            while let Some(&(at, change)) = self.changes.get(next)
                && at.as_secs_f64() <= at_s
            {
                count += change;
                next += 1;
            }
            TimeWaits { at_s, count: count.max(0) as u32 }
        };
        moments.map(count_at).collect()
    }
}

/// The longest FIN-WAIT-1 of a peer that does not close: until its delayed ACK, `TCP_DELACK_MIN` of
/// include/net/tcp.h (6.12). How much of it passes depends on the peer's timer, so it is drawn.
const DELAYED_ACK: SimDuration = SimDuration::from_millis(40);

/// What becomes of the attempts of `churn`, for one draw of what is not known.
///
/// Where TIME-WAITs may be taken over, a port that may counts as in TIME-WAIT no longer, though the kernel
/// shows it for up to a minute: they are not counted then.
pub(super) fn churn(setup: &Setup, churn: &Churn, draw: Draw) -> Measured {
    let world = world(setup, churn, draw);
    let last = churn.attempts.last().map_or(0.0, |attempt| attempt.time);
    let settings = RunSettings {
        seed: draw.seed,
        replications: Replications::Fixed(1),
        ..RunSettings::of(SimDuration::from_secs_f64(last + 1.0))
    };
    let clients = world.hosts[0].clients.len();
    let mut tally = HostTally::new(clients, Window::new(settings.warm_up, settings.duration));
    let job = Job {
        world: &world,
        settings: &settings,
        host: 0,
        machine: 0,
        replication: 0,
        timer_phase: Some(draw.phase),
    };
    let mut seen = ChurnObserver::default();
    // The observer never gives up.
    let _ = run(job, &mut Workspace::default(), &mut tally, &mut seen);
    let mut fail_per_10s = vec![0; (last / 10.0) as usize + 1];
    seen.refused_at_s.iter().for_each(|&at_s| fail_per_10s[(at_s / 10.0) as usize] += 1);
    let kept = setup.tw_reuse == 0 || setup.timestamps == 0;
    Measured::Churn(ChurnMeasured {
        attempts: churn.attempts.len() as u32,
        fail: seen.refused_at_s.len() as u32,
        first_fail_s: seen.refused_at_s.first().copied(),
        fail_per_10s,
        max_late_s: 0.0,
        made: Vec::new(),
        time_waits: if kept { seen.time_waits(last) } else { Vec::new() },
        errors: seen.errors,
        refused_at_s: seen.refused_at_s,
    })
}

fn world(setup: &Setup, churn: &Churn, draw: Draw) -> World {
    let hows: Vec<How> = std::iter::once(churn.how).chain(churn.others.iter().copied()).collect();
    let mut host = host(setup, draw, churn.sources, &hows);
    for (number, client) in host.clients.iter_mut().enumerate() {
        // Source addresses are taken in turn, whatever the destination.
        let all = (0..churn.sources).cycle().zip(&churn.attempts);
        let own = all.filter(|(_, attempt)| usize::from(attempt.how) == number);
        let recorded = own.map(|(source, attempt)| TraceAttempt {
            at: SimTime::START + SimDuration::from_secs_f64(attempt.time),
            lifetime: Some(SimDuration::from_secs_f64(attempt.life) + fin_wait_1(attempt, draw)),
            to: Some((0, attempt.destination)),
            source: Some(attempt.source.unwrap_or(source)),
            ending: Some(attempt.close),
        });
        client.arrivals = Arrivals::Trace(recorded.collect());
        let own = churn.attempts.iter().filter(|attempt| usize::from(attempt.how) == number);
        client.socket.source_ports = own.filter_map(|attempt| attempt.port).collect();
        if !client.socket.source_ports.ports().is_empty() {
            client.binds = Binds::Port;
        }
    }
    for &(kind, port) in &churn.sitting {
        sit(&mut host, kind, [port].into_iter().collect());
    }
    let destination = Destination {
        endpoints: churn.to.k,
        pick: EndpointPick::InTurn,
        loopback: true,
        ..Destination::new("destination")
    };
    World { destinations: vec![destination], ..World::of(host) }
}

/// How long the FIN of `attempt` waits for its ACK: no time where the peer's own FIN carries it.
fn fin_wait_1(attempt: &Attempt, draw: Draw) -> SimDuration {
    let share = (draw.seed as f64 * GOLDEN).fract();
    match attempt.close {
        Ending::Half => SimDuration::from_secs_f64(DELAYED_ACK.as_secs_f64() * share),
        _ => SimDuration::ZERO,
    }
}
