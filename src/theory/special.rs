//! Special functions that the closed forms and the intervals need, in portable arithmetic: the
//! same bits on every machine, where the system's `exp` and `log` are not.

/// Terms after which a series that converges at all has converged.
const MAX_TERMS: u32 = 1_000_000;

/// The regularised incomplete beta function `I_x(a, b)`, for `a`, `b` above 0 and `x` in 0 to 1.
///
/// Source: continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions.
pub(crate) fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let ln_front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
        + a * libm::log(x)
        + b * libm::log1p(-x);
    // d(2m) = m (b-m) x / ((a+2m-1)(a+2m)), d(2m+1) = -(a+m)(a+b+m) x / ((a+2m)(a+2m+1)).
    let fraction = continued_fraction(1.0, |step| {
        let m = f64::from(step / 2);
        let d = if step % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        (d, 1.0)
    });
    libm::exp(ln_front) / (a * fraction)
}

/// The standard normal distribution function.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// `first + a1 / (b1 + a2 / (b2 + ...))` where `(a, b)` come from `term(1)`, `term(2)`, ...
///
/// Lentz's method as modified by Thompson and Barnett (1986).
fn continued_fraction(first: f64, term: impl Fn(u32) -> (f64, f64)) -> f64 {
    const TINY: f64 = 1e-300;
    let or_tiny = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut fraction = or_tiny(first);
    let (mut c, mut d) = (fraction, 0.0);
    for step in 1..MAX_TERMS {
        let (a, b) = term(step);
        d = 1.0 / or_tiny(b + a * d);
        c = or_tiny(b + a / c);
        let change = c * d;
        fraction *= change;
        if (change - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_incomplete_beta_function_is_the_tail_of_the_binomial_law() {
        // P(X >= 3) for 10 coins is 968 of 1,024.
        assert!((incomplete_beta(3.0, 8.0, 0.5) - 968.0 / 1024.0).abs() < 1e-14);
        assert!((incomplete_beta(1.0, 1.0, 0.3) - 0.3).abs() < 1e-15);
        assert!((incomplete_beta(500_000.0, 500_000.0, 0.5) - 0.5).abs() < 1e-9);
        assert_eq!(incomplete_beta(2.0, 3.0, 0.0), 0.0);
        assert_eq!(incomplete_beta(2.0, 3.0, 1.0), 1.0);
    }

    #[test]
    fn the_normal_law_holds_95_percent_within_1_96() {
        assert!((normal_cdf(1.959_963_984_540_054) - 0.975).abs() < 1e-15);
        assert!((normal_cdf(-1.959_963_984_540_054) - 0.025).abs() < 1e-15);
    }
}
