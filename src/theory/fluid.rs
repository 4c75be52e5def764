//! The fluid limit: ports as a tank that fills at one rate and drains at another.
//!
//! With thousands of ports chance matters little, and the questions of an incident have plain
//! answers: how long until the tank is full, and which inflow never fills it.

use super::special::incomplete_gamma;

/// The rate that keeps `ports` ports just busy, a second: every port is taken again as soon as it
/// is free (Little's law, `N / h`). Infinite when nothing is held.
///
/// ```
/// use portsim::theory::sustainable_rate_per_s;
/// assert_eq!(sustainable_rate_per_s(28_232, 60.0).round(), 471.0);
/// ```
#[must_use]
pub fn sustainable_rate_per_s(ports: u64, hold_s: f64) -> f64 {
    ports as f64 / hold_s
}

/// When `ports` empty ports are all taken, in seconds, at `rate_per_s` and a constant hold;
/// `None` when the load does not exceed them. `hold_s` may be infinite.
///
/// ```
/// use portsim::theory::fill_time_s;
/// assert_eq!(fill_time_s(28_232, 500.0, 61.0), Some(56.464));
/// assert_eq!(fill_time_s(28_232, 400.0, 61.0), None);
/// ```
#[must_use]
pub fn fill_time_s(ports: u64, rate_per_s: f64, hold_s: f64) -> Option<f64> {
    (rate_per_s * hold_s > ports as f64).then(|| ports as f64 / rate_per_s)
}

/// When a rising, concave number in use reaches `ports`, in seconds; `None` when it never does.
///
/// `in_use(t)` is the mean number in use `t` seconds after an empty start as if no attempt were
/// blocked: arrival rate times the mean of `min(hold, t)`; it grows by at most `rate_per_s` a
/// second and tends to `offered_load_erl`, which may be infinite.
pub(super) fn fluid_fill_time_s(
    ports: u64,
    rate_per_s: f64,
    offered_load_erl: f64,
    in_use: impl Fn(f64) -> f64,
) -> Option<f64> {
    let ports = ports as f64;
    if offered_load_erl.is_nan() || offered_load_erl <= ports {
        return None;
    }
    let missing = |t: f64| ports - in_use(t);
    // Not before this, and at this when no port has come free by then.
    let mut early = ports / rate_per_s;
    let mut at_early = missing(early);
    let done = ports * 1e-14;
    if at_early <= done {
        return Some(early);
    }
    let mut late = early * 2.0;
    while missing(late) > 0.0 {
        if late > 1e18 {
            return None; // So near to the load it tends to that rounding decides.
        }
        (early, at_early, late) = (late, missing(late), late * 2.0);
    }
    // Regula falsi with Illinois's halving: the curve is concave and does not wriggle.
    let mut at_late = missing(late);
    for _ in 0..100 {
        let between = (early * at_late - late * at_early) / (at_late - at_early);
        let at_between = missing(between);
        if at_between.abs() <= done || late - early <= late * 1e-14 {
            return Some(between);
        }
        if at_between > 0.0 {
            (early, at_early, at_late) = (between, at_between, at_late / 2.0);
        } else {
            (late, at_late, at_early) = (between, at_between, at_early / 2.0);
        }
    }
    Some(late)
}

/// When `ports` empty ports are all taken by Poisson arrivals and none has come free: the sum of
/// as many exponential gaps, a gamma variable.
///
/// Right as long as the shortest hold is longer than the fill time, as with a TIME-WAIT. The first
/// *blocked* attempt comes one gap later.
///
/// ```
/// use portsim::theory::GammaFillTime;
/// let fill = GammaFillTime { ports: 28_232, rate_per_s: 500.0 };
/// assert_eq!(fill.mean_s(), 56.464);
/// assert!((fill.standard_deviation_s() - 0.336).abs() < 0.001);
/// let (early, late) = (fill.quantile_s(0.025), fill.quantile_s(0.975));
/// assert!((early - 55.807).abs() < 0.001 && (late - 57.124).abs() < 0.001);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GammaFillTime {
    /// Ports to be filled.
    pub ports: u64,
    /// Attempts a second, above 0.
    pub rate_per_s: f64,
}

impl GammaFillTime {
    /// Mean in seconds, `N / lambda`.
    #[must_use]
    pub fn mean_s(self) -> f64 {
        self.ports as f64 / self.rate_per_s
    }

    /// Standard deviation in seconds, `sqrt(N) / lambda`.
    #[must_use]
    pub fn standard_deviation_s(self) -> f64 {
        (self.ports as f64).sqrt() / self.rate_per_s
    }

    /// The time by which the ports are full with probability `p`, in seconds.
    ///
    /// Right to about 1e-10: Newton's rule on the incomplete gamma function, in a bracket.
    ///
    /// # Panics
    /// When `p` is not between 0 and 1, both excluded.
    #[must_use]
    pub fn quantile_s(self, p: f64) -> f64 {
        assert!(p > 0.0 && p < 1.0, "no quantile at probability {p}");
        if self.ports == 0 {
            return 0.0;
        }
        let shape = self.ports as f64;
        let ln_gamma = libm::lgamma(shape);
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut x = shape;
        for _ in 0..200 {
            let error = incomplete_gamma(shape, x) - p;
            if error < 0.0 {
                low = x
            } else {
                high = x
            }
            let density = libm::exp((shape - 1.0) * libm::log(x) - x - ln_gamma);
            let newton = x - error / density;
            let next = if newton > low && newton < high {
                newton
            } else if high.is_finite() {
                (low + high) / 2.0
            } else {
                2.0 * low
            };
            if (next - x).abs() <= x * 1e-14 {
                return next / self.rate_per_s;
            }
            x = next;
        }
        x / self.rate_per_s
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rates_of_well_known_systems_follow_from_ports_and_hold() {
        for (ports, hold_s, rate) in [
            (28_232, 60.0, 470.5),
            (16_384, 60.0, 273.1),
            (16_384, 30.0, 546.1),
            (3_976, 240.0, 16.6),
            (64_512, 65.0, 992.5),
            (28_232, 131.0, 215.5),
        ] {
            assert!((sustainable_rate_per_s(ports, hold_s) - rate).abs() < 0.051);
        }
    }

    #[test]
    fn a_pool_fills_only_when_the_load_exceeds_it() {
        assert_eq!(fill_time_s(100, 10.0, 10.0), None);
        assert_eq!(fill_time_s(100, 10.0, 10.1), Some(10.0));
        assert_eq!(fill_time_s(28_232, 1_000.0, f64::INFINITY), Some(28.232));
        assert_eq!(fill_time_s(0, 10.0, 10.0), Some(0.0));
        assert_eq!(fill_time_s(10, 0.0, f64::INFINITY), None);
    }

    /// Method: exponential holds of mean 100 s, 11 a second, 1,000 ports:
    /// `1100 (1 - exp(-t/100)) = 1000` at `100 ln 11`.
    #[test]
    fn ports_that_come_free_while_it_fills_put_the_moment_off() {
        let in_use = |t: f64| -1_100.0 * libm::expm1(-t / 100.0);
        let fill = fluid_fill_time_s(1_000, 11.0, 1_100.0, in_use).unwrap();
        assert!((fill - 100.0 * libm::log(11.0)).abs() < 1e-8, "{fill}");
        assert_eq!(fluid_fill_time_s(1_100, 11.0, 1_100.0, in_use), None);
        assert_eq!(fluid_fill_time_s(1_000, 11.0, f64::NAN, in_use), None);
    }

    #[test]
    fn a_load_a_hair_above_the_ports_fills_late_or_never_but_ends() {
        let load = 1_000.0 * (1.0 + 1e-15);
        let fill = fluid_fill_time_s(1_000, load, load, |t| -load * libm::expm1(-t));
        assert!(fill.is_none_or(|fill| fill > 30.0), "{fill:?}");
    }

    #[test]
    fn quantiles_of_one_port_are_those_of_an_exponential_gap() {
        let fill = GammaFillTime { ports: 1, rate_per_s: 2.0 };
        for p in [1e-6, 0.025, 0.5, 0.975, 1.0 - 1e-6] {
            let wanted = -libm::log1p(-p) / 2.0;
            assert!((fill.quantile_s(p) / wanted - 1.0).abs() < 1e-9, "{p}");
        }
    }

    proptest! {
        #[test]
        fn quantiles_undo_the_distribution(ports in 1_u64..70_000, p in 0.001_f64..0.999) {
            let x = GammaFillTime { ports, rate_per_s: 1.0 }.quantile_s(p);
            let again = incomplete_gamma(ports as f64, x);
            prop_assert!((again - p).abs() < 1e-9, "{again} {p}");
        }
    }
}
