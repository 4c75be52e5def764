//! Loss where a search may not see every free port.

use crate::model::Sight;

use super::erlang::erlang_b;

/// How far Erlang's formula with one port more and with one less may lie apart (0.05 percentage points)
/// for their mean to be told of searches that see all ports but one.
const APART: f64 = 0.000_5;

/// The share of Poisson attempts of `load_erl` erlangs at one pool of `ports` ports that get none, 0 to 1, in
/// the steady state; `None` where no formula is known.
pub(super) fn blocked_share(sight: Sight, ports: u64, load_erl: f64) -> Option<f64> {
    match sight {
        Sight::All => Some(erlang_b(ports, load_erl)),
        // Two are seen always and the third never, unless one of them is lost.
        Sight::AllButOne if ports == 3 => Some(erlang_b(2, load_erl)),
        Sight::AllButOne => {
            let [least, most] = [ports, ports.saturating_sub(1)].map(|n| erlang_b(n, load_erl));
            (most - least < APART).then_some((least + most) / 2.0)
        }
        Sight::Draws(draws) => Some(drawn_blocked_share(u64::from(draws), ports, load_erl)),
        Sight::Uneven => None,
    }
}

/// The same where an attempt draws `draws` times out of as many ports, `ports` of which can be had: with `k`
/// of those taken it is refused with `((draws - ports + k) / draws)^draws`.
///
/// Source: birth and death with arrivals that depend on the number there, whose steady state knows the
/// mean of the holds only (Sevast'yanov 1957); RFC 6056 section 3.3.2 for the draws.
fn drawn_blocked_share(draws: u64, ports: u64, load_erl: f64) -> f64 {
    let n = draws as f64;
    let (mut weight, mut all, mut refused) = (1.0, 0.0, 0.0);
    for taken in 0..=ports {
        let misses = libm::pow((draws - ports + taken) as f64 / n, n);
        all += weight;
        refused += weight * misses;
        weight *= load_erl * (1.0 - misses) / (taken + 1) as f64;
        // Only their proportions matter.
        if all > 1e200 {
            (weight, all, refused) = (weight * 1e-200, all * 1e-200, refused * 1e-200);
        }
    }
    refused / all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_from_two_ports_refuse_five_of_nineteen() {
        // States 0, 1, 2 weigh 1, 1, 3/8; one of four attempts misses the last free port.
        let drawn = drawn_blocked_share(2, 2, 1.0);
        assert!((drawn - 5.0 / 19.0).abs() < 1e-15, "{drawn}");
        // One port is drawn for certain.
        assert_eq!(drawn_blocked_share(1, 1, 3.0), erlang_b(1, 3.0));
        assert_eq!(drawn_blocked_share(4, 0, 3.0), 1.0);
    }

    #[test]
    fn draws_from_many_ports_come_near_erlang_from_above() {
        let (drawn, formula) =
            (drawn_blocked_share(16_384, 16_384, 18_300.0), erlang_b(16_384, 18_300.0));
        assert!(drawn > formula && drawn < formula * 1.001, "{drawn} {formula}");
    }

    #[test]
    fn one_port_unseen_is_told_of_where_it_makes_no_difference() {
        assert_eq!(blocked_share(Sight::AllButOne, 3, 3.0), Some(erlang_b(2, 3.0)));
        assert_eq!(blocked_share(Sight::AllButOne, 51, 51.0), None);
        let near = blocked_share(Sight::AllButOne, 28_233, 30_000.0).unwrap();
        assert!((near - erlang_b(28_233, 30_000.0)).abs() < APART);
        assert_eq!(blocked_share(Sight::Uneven, 10, 1.0), None);
    }
}
