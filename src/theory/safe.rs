//! The rate that holds: at which a run most likely refuses nobody, where the mean would say that all fit.

use crate::model::{Arrivals, Client, Distribution, Ending, Sight};
use crate::units::SimDuration;

use super::load::{Load, comes_in_batches};
use super::pools::PoolClass;
use super::sight::blocked_share;

/// Refusals that a whole run at the safe rate may come to in the mean.
const REFUSALS: f64 = 1e-4;

/// How many standard deviations above its mean what is in use just after a batch stays, and ports for what
/// is not normal about so few.
const DEVIATIONS: f64 = 5.0;
const SPARE: f64 = 4.0;

/// The highest rate of attempts on one machine, in the clients' present proportions, at which a run of
/// `duration` on `machines` of them refuses nobody, but once in thousands of runs; a second. Zero when even
/// the least would refuse some. `None` where no formula is known.
pub(super) fn safe_rate_per_s(
    load: &Load<'_>,
    classes: &[PoolClass],
    machines: u32,
    duration: SimDuration,
) -> Option<f64> {
    load.mean_hold_s()?;
    let times = if load.clients().iter().any(comes_in_batches) {
        let times = classes.iter().map(|class| of_batches(load, class));
        times.collect::<Option<Vec<f64>>>()?.into_iter().fold(f64::INFINITY, f64::min)
    } else if let Some(times) = of_clockwork(load, classes) {
        times
    } else if load.clients().iter().all(is_even) {
        of_chance(load, classes, f64::from(machines) * duration.as_secs_f64())?
    } else {
        return None;
    };
    times.is_finite().then(|| load.rate_per_s() * times)
}

/// Do its attempts come at an even rate, by chance or by the clock?
fn is_even(client: &Client) -> bool {
    matches!(client.arrivals, Arrivals::Poisson { .. } | Arrivals::Constant { .. })
}

/// How often the present load Poisson arrivals may be. Attempts by the clock come less in crowds.
fn of_chance(load: &Load<'_>, classes: &[PoolClass], seconds: f64) -> Option<f64> {
    let refusals = |times: f64| {
        let of_class = |class: &PoolClass| {
            // Of an odd range only what every walk sees is sure.
            let (sight, ports) = match class.sight {
                Sight::AllButOne => (Sight::All, class.surely_seen()),
                sight => (sight, class.ports),
            };
            let blocked = blocked_share(sight, ports, times * load.longest_load_erl(class))?;
            Some(class.pools as f64 * load.pool_rate_per_s(class) * times * seconds * blocked)
        };
        classes.iter().map(of_class).sum::<Option<f64>>()
    };
    let (mut low, mut high) = (0.0, load.mean_times(classes)?);
    if refusals(high)? <= REFUSALS {
        return Some(high);
    }
    // To a ten thousandth of the mean: fewer digits than that are told.
    for _ in 0..14 {
        let middle = (low + high) / 2.0;
        if refusals(middle)? <= REFUSALS { low = middle } else { high = middle }
    }
    Some(low)
}

/// The same where nothing is left to chance: evenly spaced attempts at one pool, all of the same hold.
fn of_clockwork(load: &Load<'_>, classes: &[PoolClass]) -> Option<f64> {
    let [class @ PoolClass { pools: 1, .. }] = classes else { return None };
    let is_fixed = |client: &Client| {
        matches!(client.arrivals, Arrivals::Constant { .. })
            && matches!(client.lifetime, Distribution::Constant(_))
            && client.second_fin == Distribution::Constant(SimDuration::ZERO)
            && matches!(client.closes[..], [(ending, _)] if ending != Ending::Never)
            && client.targets.len() == 1
    };
    if !load.clients().iter().all(is_fixed) || !matches!(class.sight, Sight::All | Sight::AllButOne)
    {
        return None;
    }
    // Of several clients each may have one more just begun than its load says.
    let ports = class.surely_seen() as f64 - (load.clients().len() - 1) as f64;
    Some((ports / load.longest_load_erl(class)).max(0.0))
}

/// The same where attempts come in batches: what is in use just after one has to fit.
fn of_batches(load: &Load<'_>, class: &PoolClass) -> Option<f64> {
    let ports = class.surely_seen() as f64;
    let (mean, variance) = load.most_in_use(class)?;
    if class.sight == Sight::Uneven || matches!(class.sight, Sight::Draws(_)) {
        return None;
    }
    if variance <= 1e-6 * mean {
        return Some(ports / mean);
    }
    // mean x + DEVIATIONS sqrt(variance x) + SPARE = ports, for sqrt(x).
    let half = DEVIATIONS * variance.sqrt() / 2.0;
    let root = ((half * half + mean * (ports - SPARE).max(0.0)).sqrt() - half) / mean;
    Some(root * root)
}
