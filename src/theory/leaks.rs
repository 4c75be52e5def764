//! Connections that are never closed: when they have used up the ports.

use super::load::Load;
use super::pools::PoolClass;
use super::special::normal_cdf;
use crate::model::{Host, World};

/// When what is never given back leaves no port to somebody.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leak {
    /// Connections that are never closed, a second, on one machine.
    pub rate_per_s: f64,
    /// Seconds from an empty start until the first attempt is refused on one machine: median.
    pub median_s: f64,
    /// 2.5 % of runs come to it before.
    pub lo_s: f64,
    /// 97.5 % of runs have come to it by then.
    pub hi_s: f64,
}

impl Leak {
    /// The leak of one machine of `host`; `None` where nothing leaks, where its pools do not stand for
    /// themselves, or where its load is not known.
    ///
    /// A pool whose leaks have taken `k` of `n` ports refuses an attempt when the other connections, of which there
    /// are about `b` (a Poisson variable; Sevast'yanov 1957), have all `n - k` that are left. The level falls by one a
    /// leak, and a crossing of it has two sides: where it falls fast, what there is of the others when it comes by
    /// decides (their distribution function); where it falls slowly they come up to it in the meantime, which they do
    /// at a rate of `a P(B = n - k) (1 - b / (n - k))` (Aldous, *Probability Approximations via the Poisson Clumping
    /// Heuristic*, 1989, section B4, M/M/infinity). The `k`-th leak itself comes after a Gamma(k) time. Held
    /// against simulation, slow and fast, in `tests/theory.rs`.
    #[must_use]
    pub fn of(world: &World, host: &Host) -> Option<Self> {
        let load = Load::of(world, host)?;
        let classes = load.pools()?;
        let rate_per_s: f64 =
            classes.iter().map(|class| class.pools as f64 * load.leaks_per_s(class)).sum();
        let of_class = |class: &PoolClass| Some((first_refusal(&load, class)?, class.pools as f64));
        let classes: Vec<((f64, f64), f64)> = classes.iter().filter_map(of_class).collect();
        if rate_per_s <= 0.0 || classes.is_empty() {
            return None;
        }
        // The first of all pools: nobody has come to it before with the product of their probabilities.
        let until = |probability: f64| {
            let survived = |at: f64| {
                let of = |&((mean, sd), pools): &((f64, f64), f64)| {
                    pools * libm::log((1.0 - normal_cdf((at - mean) / sd)).max(1e-300))
                };
                libm::exp(classes.iter().map(of).sum::<f64>())
            };
            let most = classes.iter().map(|((mean, sd), _)| mean + 9.0 * sd).fold(0.0, f64::max);
            let (mut low, mut high) = (0.0, most);
            for _ in 0..100 {
                let middle = (low + high) / 2.0;
                if survived(middle) > 1.0 - probability { low = middle } else { high = middle }
            }
            high
        };
        let [lo_s, median_s, hi_s] = [0.025, 0.5, 0.975].map(until);
        Some(Self { rate_per_s, median_s, lo_s, hi_s })
    }
}

/// Mean and standard deviation of the time until one pool of `class` refuses for the first time.
fn first_refusal(load: &Load<'_>, class: &PoolClass) -> Option<(f64, f64)> {
    let leaks = load.leaks_per_s(class);
    if leaks <= 0.0 {
        return None;
    }
    let (ports, attempts) = (class.surely_seen(), load.pool_rate_per_s(class));
    let others = load.load_that_ends_erl(class)?;
    let below = |level: f64| normal_cdf((level - others) / others.max(1.0).sqrt()).max(1e-300);
    let (mut survived, mut mean, mut square, mut seen) = (1.0, 0.0, 0.0, 0.0);
    for taken in 0..=ports {
        let left = (ports - taken) as f64;
        let falls_to_them = libm::log(below(left + 0.5)) - libm::log(below(left - 0.5));
        let apart = (1.0 - others / left.max(1.0)).max(0.0);
        let they_come_up = attempts / leaks * poisson(left, others) * apart;
        let hazard = if taken == ports { f64::INFINITY } else { falls_to_them + they_come_up };
        let here = survived * -libm::expm1(-hazard);
        let taken = taken as f64;
        (mean, square, seen) = (mean + here * taken, square + here * taken * taken, seen + here);
        survived -= here;
        if survived < 1e-12 {
            break;
        }
    }
    let (mean, square) = (mean / seen, square / seen);
    let of_count = (square - mean * mean).max(0.0);
    Some((mean / leaks, (of_count + mean).sqrt() / leaks))
}

/// The probability of `k` of a Poisson variable.
fn poisson(k: f64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return f64::from(u8::from(k == 0.0));
    }
    libm::exp(k * libm::log(mean) - mean - libm::lgamma(k + 1.0))
}
