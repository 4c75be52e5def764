//! Erlang's loss formula, and the same formula asked the other way round.
//!
//! A pool of ports is Erlang's telephone exchange: `servers` are the ports of one reuse key, a
//! call is a connection with its TIME-WAIT, and an attempt that finds every port taken is lost.
//! With Poisson arrivals the steady state depends on the law of the hold time through its mean
//! alone (M/G/c/c), so a fixed TIME-WAIT behind any lifetime is exact.

/// The share of Poisson attempts that find all `servers` taken, 0 to 1, in the steady state.
///
/// Units: `offered_erl` is arrival rate times mean hold time, in erlangs; it may be infinite.
/// Right to about 1e-12 of the answer at any number of ports; where the answer is below 1e-308
/// it is 0.
///
/// Source: Erlang (1917), `B = (a^c / c!) / sum(a^k / k!)`. Summed here from the top term down,
/// `1 / B = 1 + c/a + c(c-1)/a^2 + ...`: all terms are positive, nothing cancels, and the terms
/// fade after about `8 sqrt(c)` of them, where the usual recurrence takes `c` steps.
///
/// # Panics
/// When `offered_erl` is negative or not a number.
///
/// ```
/// use portsim::theory::erlang_b;
/// // 300 connections a second, each holding its port for 61 s, on the 16,384 dynamic ports.
/// assert!((erlang_b(16_384, 300.0 * 61.0) - 0.105_162).abs() < 1e-6);
/// assert_eq!(erlang_b(0, 5.0), 1.0);
/// assert_eq!(erlang_b(5, 0.0), 0.0);
/// ```
#[must_use]
pub fn erlang_b(servers: u64, offered_erl: f64) -> f64 {
    assert!(offered_erl >= 0.0, "offered load of {offered_erl} erlangs");
    if servers == 0 {
        return 1.0;
    }
    inverse_of_falling_series(|step| {
        let left = servers - step;
        (left as f64, offered_erl)
    })
}

/// `1 / (1 + r0 + r0 r1 + r0 r1 r2 + ...)` where `r` is `numerator / denominator` of `ratio(step)`,
/// falls with every step and reaches 0; 0 when the sum is beyond all numbers.
///
/// Both loss formulas are of this shape: the probability of the top state is the inverse of the
/// sum of all states' probabilities relative to it.
pub(super) fn inverse_of_falling_series(ratio: impl Fn(u64) -> (f64, f64)) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for step in 0.. {
        let (numerator, denominator) = ratio(step);
        if numerator == 0.0 {
            break;
        }
        term *= numerator / denominator;
        sum += term;
        if sum == f64::INFINITY {
            return 0.0;
        }
        // What is left is less than a geometric series of this ratio.
        if term * numerator <= sum * f64::EPSILON / 4.0 * (denominator - numerator) {
            break;
        }
    }
    1.0 / sum
}

/// The load at which `servers` ports block `blocking` of the attempts, in erlangs.
///
/// Zero when `servers` or `blocking` is zero, infinite when `blocking` is 1: every load below the
/// answer blocks less. Right to about 1e-12 of the answer.
///
/// # Panics
/// When `blocking` is not in `0.0..=1.0`.
///
/// ```
/// use portsim::theory::erlang_b_offered;
/// // The 28,232 ports of Linux carry 28,435 erlangs at 1 % blocking, 466 connections a second
/// // that hold their port for 61 s.
/// assert!((erlang_b_offered(28_232, 0.01) / 61.0 - 466.1).abs() < 0.1);
/// ```
#[must_use]
pub fn erlang_b_offered(servers: u64, blocking: f64) -> f64 {
    assert!((0.0..=1.0).contains(&blocking), "blocking of {blocking} is no probability");
    if servers == 0 || blocking == 0.0 {
        return 0.0;
    }
    if blocking == 1.0 {
        return f64::INFINITY;
    }
    let c = servers as f64;
    let goal = libm::log(blocking);
    // Carried load never exceeds the servers, `a (1 - B) <= c`: the answer lies below this.
    let (mut low, mut high) = (0.0, c / (1.0 - blocking));
    let mut load = c.min(high);
    // Newton's rule for `ln B` over `ln a`, which is concave: it converges from everywhere. The
    // bracket catches what rounding and underflow (B of 0) do to it.
    for _ in 0..200 {
        let lost = erlang_b(servers, load);
        if lost < blocking {
            low = load
        } else {
            high = load
        }
        let slope = c - load * (1.0 - lost);
        let newton = load * libm::exp((goal - libm::log(lost)) / slope);
        let next = if newton > low && newton < high { newton } else { (low + high) / 2.0 };
        if (next - load).abs() <= load * f64::EPSILON {
            return next;
        }
        load = next;
    }
    load
}

/// The fewest ports that block at most `blocking` of the attempts of `offered_erl` erlangs.
///
/// # Panics
/// When `blocking` is not above 0, or `offered_erl` is negative, infinite or not a number: no
/// number of ports is enough.
///
/// ```
/// use portsim::theory::erlang_b_servers;
/// // 600 connections a second that hold their port for 61.2 s, one in a thousand lost.
/// assert_eq!(erlang_b_servers(600.0 * 61.2, 0.001), 36_968);
/// ```
#[must_use]
pub fn erlang_b_servers(offered_erl: f64, blocking: f64) -> u64 {
    assert!(offered_erl.is_finite() && offered_erl >= 0.0, "offered load of {offered_erl} erlangs");
    assert!(blocking > 0.0, "no number of ports blocks {blocking} of the attempts");
    let enough = |servers| erlang_b(servers, offered_erl) <= blocking;
    // `B >= 1 - c/a`, so fewer than this many are too few; a step less forgives the rounding.
    let mut too_few = (offered_erl * (1.0 - blocking.min(1.0))) as u64;
    too_few = too_few.saturating_sub(1);
    if enough(too_few) {
        return too_few; // Only when it is zero, where everything is blocked and may be.
    }
    let mut reach = 1;
    while !enough(too_few + reach) {
        too_few += reach;
        reach *= 2;
    }
    let mut enough_at = too_few + reach;
    while enough_at - too_few > 1 {
        let middle = too_few + (enough_at - too_few) / 2;
        if enough(middle) { enough_at = middle } else { too_few = middle }
    }
    enough_at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The textbook recurrence, from no server up: `B(c) = a B(c-1) / (c + a B(c-1))`.
    fn by_recurrence(servers: u64, offered_erl: f64) -> f64 {
        (1..=servers).fold(1.0, |lost, c| offered_erl * lost / (c as f64 + offered_erl * lost))
    }

    fn assert_close(got: f64, wanted: f64, relative: f64) {
        let error = (got - wanted).abs() / wanted.abs();
        assert!(error <= relative, "{got:e} is not {wanted:e} (off by {error:e})");
    }

    /// Goal: the formula and its inverse agree with tables of traffic theory.
    /// Method: servers, load in erlangs at a blocking of 0.01, 0.1, 1 and 5 %, and the blocking at
    /// a load equal to the servers, all to the digits printed.
    #[test]
    fn loads_and_blocking_match_the_published_table() {
        let table: [(u64, [f64; 4], f64); 19] = [
            (1, [0.0001, 0.0010, 0.0101, 0.0526], 0.5),
            (2, [0.014, 0.046, 0.153, 0.381], 0.4),
            (5, [0.452, 0.762, 1.361, 2.218], 0.284_868),
            (10, [2.260, 3.092, 4.461, 6.216], 0.214_582),
            (15, [4.781, 6.077, 8.108, 10.633], 0.180_316),
            (20, [7.701, 9.411, 12.031, 15.249], 0.158_892),
            (50, [28.866, 32.512, 37.901, 44.533], 0.104_787),
            (64, [39.784, 44.156, 50.603, 58.599], 0.093_407),
            (100, [69.265, 75.242, 84.064, 95.240], 0.075_700),
            (128, [93.059, 100.117, 110.566, 124.006], 0.067_316),
            (256, [206.457, 217.510, 234.143, 256.748], 0.048_248),
            (512, [442.628, 459.622, 485.906, 524.323], 0.034_447),
            (1024, [927.770, 953.632, 995.159, 1061.603], 0.024_524),
            (4032, [3851.985, 3910.630, 4015.424, 4225.648], 0.012_461),
            (16384, [16050.373, 16186.601, 16473.444, 17226.743], 0.006_208),
            (28232, [27810.831, 28000.831, 28434.925, 29698.151], 0.004_734),
            (32768, [32319.392, 32527.674, 33015.216, 34472.854], 0.004_395),
            (55000, [54442.731, 54730.241, 55467.113, 57874.871], 0.003_394),
            (64512, [63916.723, 64234.580, 65073.962, 67887.484], 0.003_135),
        ];
        for (servers, loads, at_capacity) in table {
            for (blocking, load) in [0.0001, 0.001, 0.01, 0.05].into_iter().zip(loads) {
                let printed = if servers == 1 { 0.000_051 } else { 0.000_51 };
                let got = erlang_b_offered(servers, blocking);
                assert!((got - load).abs() < printed, "{servers} at {blocking}: {got}, not {load}");
                assert_close(erlang_b(servers, got), blocking, 1e-11);
            }
            let got = erlang_b(servers, servers as f64);
            assert!((got - at_capacity).abs() < 5.1e-7, "{servers}: {got}, not {at_capacity}");
        }
    }

    /// Method: values of the recurrence in 45 decimal digits.
    #[test]
    fn blocking_is_exact_to_twelve_digits_from_hardly_any_to_nearly_all() {
        for (servers, load, blocking) in [
            (100, 1.0, 3.941_866_060_050_479e-159),
            (100, 1e6, 9.999_000_001_000_098e-1),
            (1_000, 300.0, 1.691_476_336_897_818e-221),
            (4_032, 3_000.0, 1.923_953_990_391_759e-72),
            (16_384, 15_000.0, 3.803_328_066_313_919e-30),
            (16_384, 16_384.0, 6.207_644_835_926_766e-3),
            (16_384, 18_300.0, 1.051_621_782_124_153e-1),
            (28_232, 28_232.0, 4.733_640_398_381_886e-3),
            (28_232, 30_000.0, 5.945_584_201_830_308e-2),
            (64_512, 60_000.0, 1.985_762_256_847_224e-75),
            (64_512, 64_512.0, 3.134_806_069_914_109e-3),
        ] {
            assert_close(erlang_b(servers, load), blocking, 1e-12);
        }
    }

    #[test]
    fn the_ends_of_the_domain_neither_overflow_nor_hang() {
        assert_eq!(erlang_b(0, 0.0), 1.0);
        assert_eq!(erlang_b(1, 0.0), 0.0);
        assert_eq!(erlang_b(7, f64::INFINITY), 1.0);
        assert_eq!(erlang_b(100_000_000, 1.0), 0.0);
        assert_eq!(erlang_b(100_000_000, 50_000_000.0), 0.0);
        assert_eq!(erlang_b(16_384, 12_000.0), 0.0);
        assert_close(erlang_b(100_000_000, 1e12), 1.0 - 1e-4, 1e-12);
        assert_close(erlang_b(1, 1e12), 1.0, 2e-12);
        assert_close(erlang_b(1, 1e-300), 1e-300, 1e-12);
    }

    #[test]
    fn at_full_load_blocking_falls_with_the_root_of_the_servers() {
        for servers in [10_000_u64, 1_000_000, 100_000_000] {
            let c = servers as f64;
            let limit = (2.0 / (std::f64::consts::PI * c)).sqrt();
            assert_close(erlang_b(servers, c), limit, 1.0 / c.sqrt());
        }
    }

    #[test]
    fn seven_servers_carry_two_and_a_half_erlangs_at_one_percent() {
        assert_eq!(erlang_b_servers(2.5, 0.01), 7);
        assert_close(erlang_b(7, 2.5), 0.009_983_011_310_671_951, 1e-12);
        assert_close(erlang_b(6, 2.5), 0.028_234_294_955_773_8, 1e-12);
    }

    #[test]
    fn planning_at_the_ends_asks_for_nothing_or_for_everything() {
        assert_eq!(erlang_b_offered(0, 0.5), 0.0);
        assert_eq!(erlang_b_offered(9, 0.0), 0.0);
        assert_eq!(erlang_b_offered(9, 1.0), f64::INFINITY);
        assert_eq!(erlang_b_servers(0.0, 0.01), 1);
        assert_eq!(erlang_b_servers(100.0, 1.0), 0);
    }

    proptest! {
        #[test]
        fn the_series_and_the_recurrence_are_one_formula(
            servers in 0_u64..5_000, load in 0.001_f64..20_000.0,
        ) {
            let wanted = by_recurrence(servers, load);
            let got = erlang_b(servers, load);
            prop_assert!((got - wanted).abs() <= 1e-11 * wanted + 1e-290, "{got:e} {wanted:e}");
        }

        #[test]
        fn blocking_falls_as_ports_are_added_and_rises_with_load(
            servers in 1_u64..70_000, share in 0.9_f64..3.0,
        ) {
            let load = servers as f64 * share;
            let blocking = erlang_b(servers, load);
            prop_assert!(erlang_b(servers + 1, load) < blocking);
            prop_assert!(erlang_b(servers, load * 1.001) > blocking);
            prop_assert!(blocking >= 1.0 - 1.0 / share);
        }

        #[test]
        fn the_inverses_undo_the_formula(servers in 1_u64..70_000, exponent in -12.0_f64..-0.01) {
            let blocking = libm::pow(10.0, exponent);
            let load = erlang_b_offered(servers, blocking);
            let again = erlang_b(servers, load);
            prop_assert!((again - blocking).abs() <= 1e-10 * blocking, "{again:e} {blocking:e}");
            prop_assert_eq!(erlang_b_servers(load * (1.0 - 1e-9), blocking), servers);
            prop_assert_eq!(erlang_b_servers(load * (1.0 + 1e-9), blocking), servers + 1);
        }
    }
}
