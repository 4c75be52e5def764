//! Means of the laws of durations, whole and cut off, and their distribution functions.

use crate::model::Distribution;

use super::special::normal_cdf;

/// Mean of `min(X, limit_s)` in seconds, `X` drawn from `law`: how long a port taken `limit_s` ago
/// has been held by now, on average.
///
/// Times the arrival rate, it is the mean number in use a time `limit_s` after an empty start.
/// Source: the integral of `P(X > u)` from 0 to `limit_s`.
///
/// ```
/// use portsim::model::Distribution;
/// use portsim::theory::limited_mean_s;
/// use portsim::units::SimDuration;
/// let law = Distribution::Uniform { min: SimDuration::ZERO, max: SimDuration::from_secs(2) };
/// assert_eq!(limited_mean_s(&law, 1.0), 0.75);
/// assert_eq!(limited_mean_s(&law, 9.0), 1.0);
/// ```
#[must_use]
pub fn limited_mean_s(law: &Distribution, limit_s: f64) -> f64 {
    if limit_s <= 0.0 {
        return 0.0;
    }
    match law {
        Distribution::Constant(value) => value.as_secs_f64().min(limit_s),
        Distribution::Exponential { mean } => {
            let mean = mean.as_secs_f64();
            if mean == 0.0 { 0.0 } else { -mean * libm::expm1(-limit_s / mean) }
        }
        Distribution::Lognormal { mean, sigma } => {
            limited_lognormal(mean.as_secs_f64(), *sigma, limit_s)
        }
        Distribution::Pareto { minimum, shape } => {
            limited_pareto(minimum.as_secs_f64(), *shape, limit_s)
        }
        Distribution::Uniform { min, max } => {
            let (min, max) = (min.as_secs_f64(), max.as_secs_f64());
            if limit_s <= min {
                return limit_s;
            }
            let beyond = limit_s.min(max) - min;
            if beyond <= 0.0 { min } else { min + beyond * (1.0 - beyond / (2.0 * (max - min))) }
        }
        Distribution::Empirical(samples) => {
            let cut = samples.iter().map(|sample| sample.as_secs_f64().min(limit_s));
            cut.sum::<f64>() / samples.len() as f64
        }
    }
}

/// The probability that `X`, drawn from `law`, is less than `limit_s` seconds.
///
/// ```
/// use portsim::model::Distribution;
/// use portsim::theory::probability_below;
/// use portsim::units::SimDuration;
/// let law = Distribution::Uniform { min: SimDuration::ZERO, max: SimDuration::from_secs(2) };
/// assert_eq!(probability_below(&law, 0.5), 0.25);
/// assert_eq!(probability_below(&Distribution::Constant(SimDuration::from_secs(2)), 2.0), 0.0);
/// ```
#[must_use]
pub fn probability_below(law: &Distribution, limit_s: f64) -> f64 {
    if limit_s <= 0.0 {
        return 0.0;
    }
    let surely = |below: bool| f64::from(u8::from(below));
    match law {
        Distribution::Constant(value) => surely(value.as_secs_f64() < limit_s),
        Distribution::Exponential { mean } => -libm::expm1(-limit_s / mean.as_secs_f64()),
        Distribution::Lognormal { mean, sigma } => {
            let mean = mean.as_secs_f64();
            if mean == 0.0 || *sigma == 0.0 {
                return surely(mean < limit_s);
            }
            let z = (libm::log(limit_s) - libm::log(mean)) / sigma;
            normal_cdf(z + sigma / 2.0)
        }
        Distribution::Pareto { minimum, shape } => {
            let minimum = minimum.as_secs_f64();
            if limit_s <= minimum {
                return 0.0;
            }
            1.0 - libm::pow(minimum / limit_s, *shape)
        }
        Distribution::Uniform { min, max } => {
            let (min, max) = (min.as_secs_f64(), max.as_secs_f64());
            if min == max {
                return surely(min < limit_s);
            }
            ((limit_s - min) / (max - min)).clamp(0.0, 1.0)
        }
        Distribution::Empirical(samples) => {
            let below = samples.iter().filter(|sample| sample.as_secs_f64() < limit_s).count();
            below as f64 / samples.len() as f64
        }
    }
}

fn limited_lognormal(mean: f64, sigma: f64, limit: f64) -> f64 {
    if mean == 0.0 || sigma == 0.0 {
        return mean.min(limit);
    }
    // ln X is normal with mean `ln mean - sigma^2 / 2`.
    let z = (libm::log(limit) - libm::log(mean)) / sigma;
    mean * normal_cdf(z - sigma / 2.0) + limit * normal_cdf(-z - sigma / 2.0)
}

fn limited_pareto(minimum: f64, shape: f64, limit: f64) -> f64 {
    if limit <= minimum || minimum == 0.0 {
        return limit.min(minimum);
    }
    let ln_ratio = libm::log(limit / minimum);
    let k = shape - 1.0;
    let tail = if k == 0.0 { ln_ratio } else { -libm::expm1(-k * ln_ratio) / k };
    minimum + minimum * tail
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::SimDuration;

    fn secs(value: f64) -> SimDuration {
        SimDuration::from_secs_f64(value)
    }

    fn laws() -> Vec<Distribution> {
        vec![
            Distribution::Constant(secs(3.0)),
            Distribution::Exponential { mean: secs(3.0) },
            Distribution::Lognormal { mean: secs(3.0), sigma: 1.0 },
            Distribution::Lognormal { mean: secs(3.0), sigma: 0.0 },
            Distribution::Pareto { minimum: secs(1.0), shape: 1.5 },
            Distribution::Pareto { minimum: secs(2.0), shape: 3.0 },
            Distribution::Uniform { min: secs(1.0), max: secs(5.0) },
            Distribution::Uniform { min: secs(3.0), max: secs(3.0) },
            Distribution::Empirical([secs(1.0), secs(5.0), secs(3.0)].into()),
        ]
    }

    #[test]
    fn every_law_here_has_a_mean_of_three_seconds() {
        for law in laws() {
            assert!((law.mean_s().unwrap() - 3.0).abs() < 1e-12, "{law:?}");
        }
    }

    #[test]
    fn a_tail_may_be_too_heavy_for_a_mean() {
        let pareto = |shape| Distribution::Pareto { minimum: secs(1.0), shape };
        assert_eq!(pareto(0.9).mean_s(), None);
        assert_eq!(pareto(2.0).mean_s(), Some(2.0));
    }

    #[test]
    fn a_limit_far_out_cuts_nothing_off() {
        for law in laws() {
            let cut = limited_mean_s(&law, 1e16);
            assert!((cut - 3.0).abs() < 1e-6, "{law:?}: {cut}");
        }
    }

    #[test]
    fn an_infinite_mean_grows_with_the_logarithm_of_the_limit() {
        let law = Distribution::Pareto { minimum: secs(1.0), shape: 1.0 };
        assert!((limited_mean_s(&law, 1e6) - 1.0 - libm::log(1e6)).abs() < 1e-12);
        assert_eq!(limited_mean_s(&law, 0.5), 0.5);
    }

    /// Method: the limited mean is the integral of `P(X > u)`, here by the midpoint rule.
    #[test]
    fn limited_means_follow_from_the_distribution_functions() {
        let step = 0.001;
        for law in laws() {
            let above = |u: f64| 1.0 - probability_below(&law, u);
            for limit in [0.5, 2.5, 4.0, 9.0] {
                let steps = (limit / step) as u32;
                let integral: f64 =
                    (0..steps).map(|i| step * above((f64::from(i) + 0.5) * step)).sum();
                let wanted = limited_mean_s(&law, limit);
                assert!(
                    (integral - wanted).abs() < 2e-3,
                    "{law:?} to {limit}: {integral} {wanted}"
                );
            }
        }
    }

    #[test]
    fn below_means_strictly_below() {
        let three = Distribution::Constant(secs(3.0));
        assert_eq!(probability_below(&three, 3.0), 0.0);
        assert_eq!(probability_below(&three, 3.000_001), 1.0);
        let samples = Distribution::Empirical([secs(1.0), secs(5.0), secs(3.0)].into());
        assert_eq!(probability_below(&samples, 3.0), 1.0 / 3.0);
        for law in laws() {
            assert_eq!(probability_below(&law, 0.0), 0.0, "{law:?}");
        }
        let at_once = Distribution::Exponential { mean: SimDuration::ZERO };
        assert_eq!(probability_below(&at_once, 1e-9), 1.0);
    }

    proptest! {
        #[test]
        fn a_distribution_function_rises_from_none_to_all(limit in 0.0_f64..50.0) {
            for law in laws() {
                let [near, far] = [limit, limit + 0.5].map(|t| probability_below(&law, t));
                prop_assert!((0.0..=1.0).contains(&near) && near <= far && far <= 1.0, "{law:?}");
            }
        }

        #[test]
        fn a_limited_mean_rises_ever_more_slowly_and_stays_below_limit_and_mean(
            limit in 0.0_f64..50.0,
        ) {
            for law in laws() {
                let [near, middle, far] = [0.0, 0.5, 1.0].map(|d| limited_mean_s(&law, limit + d));
                prop_assert!(near <= limit + 1e-12 && near <= 3.0 + 1e-12, "{law:?}");
                prop_assert!(near <= middle && middle <= far, "{law:?}");
                prop_assert!(far - middle <= middle - near + 1e-12, "{law:?}");
            }
        }
    }
}
