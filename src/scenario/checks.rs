//! Checks that need the whole world: would a run of it ever end?

use super::problem::Problem;
use super::read_distribution::mean_s;
use super::source::Span;
use super::suggest::shown;
use super::tree::Entry;
use super::walk::Walk;
use crate::model::{Arrivals, Client, RunSettings, World};

/// Attempts that one replication may have: hours of computing at ten million a second.
const MOST_ATTEMPTS: f64 = 1e11;

/// Reports the client whose attempts alone would take a run beyond all patience.
pub(super) fn amount_of_work(
    walk: &Walk,
    world: &World,
    settings: &RunSettings,
    entries: &[Entry],
) {
    let duration = settings.duration.as_secs_f64();
    for host in &world.hosts {
        for client in &host.clients {
            let attempts = attempts_per_s(client) * duration * f64::from(host.count);
            if attempts <= MOST_ATTEMPTS {
                continue;
            }
            let at = entries
                .iter()
                .find(|entry| entry.key == client.name)
                .and_then(|entry| entry.node.as_table()?.get("arrivals"))
                .map_or(Span::BUILT_IN, |entry| entry.node.at);
            let message = format!(
                "client `{}` would make about {attempts:.0e} attempts in one replication",
                shown(&client.name)
            );
            let problem = Problem::at(at, message)
                .label(format!("over {} on {} machines", settings.duration, host.count))
                .help(format!("at most {MOST_ATTEMPTS:.0e} are simulated"))
                .help("write a shorter duration, a lower rate or fewer machines");
            walk.report(problem);
        }
    }
}

/// Attempts a second of one machine, on average.
fn attempts_per_s(client: &Client) -> f64 {
    match &client.arrivals {
        Arrivals::Poisson { rate_per_s } | Arrivals::Constant { rate_per_s } => *rate_per_s,
        Arrivals::Batches { every, size, .. } => f64::from(*size) / every.as_secs_f64(),
        Arrivals::ClosedLoop { workers, think } => {
            f64::from(*workers) / (mean_s(think) + mean_s(&client.lifetime))
        }
    }
}
