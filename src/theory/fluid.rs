//! The fluid limit: ports as a tank that fills at one rate and drains at another.
//!
//! With thousands of ports chance matters little, and the questions of an incident have plain
//! answers: how long until the tank is full, and which inflow never fills it.

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
