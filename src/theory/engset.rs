//! Engset's loss formula: a closed loop, in which a worker that holds a port asks for no other.

use super::erlang::inverse_of_falling_series;

/// The share of the time in which all `servers` are taken by `sources` workers, 0 to 1.
///
/// Units: `idle_load_erl` is the load that one idle worker offers: mean hold time over mean think
/// time. Think times are exponential, a refused worker thinks again, hold times are of any law.
///
/// Source: Engset (1918), `E = C(S,c) b^c / sum(C(S,k) b^k)`, summed from the top term down: the
/// state below one of `k` ports is `k / ((S-k+1) b)` times as probable.
///
/// # Panics
/// When `idle_load_erl` is negative or not a number.
///
/// ```
/// use portsim::theory::{engset_call_congestion, engset_time_congestion};
/// // 20 workers on 10 ports, each holding one for half as long as it thinks.
/// assert!((engset_time_congestion(20, 10, 0.5) - 0.056_381).abs() < 5e-7);
/// assert!((engset_call_congestion(20, 10, 0.5) - 0.041_698).abs() < 5e-7);
/// ```
#[must_use]
pub fn engset_time_congestion(sources: u64, servers: u64, idle_load_erl: f64) -> f64 {
    assert!(idle_load_erl >= 0.0, "an idle source that offers {idle_load_erl} erlangs");
    if servers == 0 {
        return 1.0;
    }
    if servers > sources {
        return 0.0;
    }
    inverse_of_falling_series(|step| {
        let taken = (servers - step) as f64;
        let idle = (sources - servers + step + 1) as f64;
        (taken, idle * idle_load_erl)
    })
}

/// The share of the attempts of `sources` workers that find all `servers` taken, 0 to 1.
///
/// Units and laws as in [`engset_time_congestion`]. A worker meets the system as the others leave
/// it: the answer is the time congestion of one source less. Never more than the time congestion,
/// and zero when there are at least as many ports as workers.
///
/// # Panics
/// When `idle_load_erl` is negative or not a number.
#[must_use]
pub fn engset_call_congestion(sources: u64, servers: u64, idle_load_erl: f64) -> f64 {
    if sources == 0 {
        return 0.0;
    }
    engset_time_congestion(sources - 1, servers, idle_load_erl)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::theory::erlang_b;

    /// Method: values of the sum in 45 decimal digits.
    #[test]
    fn congestion_is_exact_to_twelve_digits_up_to_a_million_sources() {
        for (sources, servers, load, time, call) in [
            (20, 10, 0.5, 5.638_119_837_358_876e-2, 4.169_815_085_144_972e-2),
            (100, 64, 1.0, 1.562_487_532_145_332e-3, 1.124_358_576_491_964e-3),
            (5_000, 1_000, 0.25, 2.773_759_297_819_82e-2, 2.758_456_707_937_271e-2),
            (30_000, 28_232, 20.0, 2.038_773_708_983_001e-1, 2.034_329_840_429_878e-1),
            (1_000_000, 16_384, 0.0166, 4.269_595_803_006_238e-3, 4.269_059_201_452_74e-3),
        ] {
            let got = engset_time_congestion(sources, servers, load);
            assert!((got / time - 1.0).abs() < 1e-12, "time congestion of {sources}: {got:e}");
            let got = engset_call_congestion(sources, servers, load);
            assert!((got / call - 1.0).abs() < 1e-12, "call congestion of {sources}: {got:e}");
        }
    }

    #[test]
    fn a_port_for_every_worker_blocks_none() {
        assert_eq!(engset_call_congestion(10, 10, 1.0), 0.0);
        assert_eq!(engset_time_congestion(10, 10, 1.0), 1.0 / 1024.0);
        assert_eq!(engset_time_congestion(10, 11, 1.0), 0.0);
        assert_eq!(engset_call_congestion(0, 0, 1.0), 0.0);
        assert_eq!(engset_call_congestion(1, 0, 1.0), 1.0);
        assert_eq!(engset_call_congestion(10, 5, 0.0), 0.0);
        assert_eq!(engset_call_congestion(10, 5, f64::INFINITY), 1.0);
    }

    proptest! {
        #[test]
        fn many_small_sources_are_a_poisson_stream(servers in 1_u64..200, share in 0.5_f64..2.0) {
            let load = servers as f64 * share;
            let sources = 1_000_000_000;
            let engset = engset_call_congestion(sources, servers, load / sources as f64);
            let erlang = erlang_b(servers, load);
            prop_assert!((engset / erlang - 1.0).abs() < 1e-3, "{engset} {erlang}");
        }

        #[test]
        fn a_worker_is_blocked_less_than_the_clock_sees(
            sources in 2_u64..2_000, servers in 1_u64..2_000, load in 0.01_f64..10.0,
        ) {
            let time = engset_time_congestion(sources, servers, load);
            let call = engset_call_congestion(sources, servers, load);
            prop_assert!(call <= time && (0.0..=1.0).contains(&time));
        }
    }
}
