//! Why attempts were refused, under the names that the host's own platform gives.
//!
//! Of Linux the errors are verified against the kernel; of other platforms only the call is known
//! that finds no port, so only the call is named.

use super::outcome::Figures;
use crate::model::Refusal;

/// The name of a reason (`connect:EADDRNOTAVAIL` on Linux, else `connect`) and how often it came.
pub type Refusals = Vec<(&'static str, u64)>;

/// Refusals of `figures` by reason; those of one name are one.
pub(super) fn of(is_linux: bool, figures: &Figures) -> impl Iterator<Item = (&'static str, u64)> {
    Refusal::ALL.into_iter().map(move |refusal| name(is_linux, refusal)).zip(figures.refused)
}

const fn name(is_linux: bool, refusal: Refusal) -> &'static str {
    match refusal {
        _ if is_linux => refusal.on_linux(),
        Refusal::NoPort | Refusal::TupleTaken => "connect",
        Refusal::BindInUse => "bind",
        Refusal::Dropped => "dropped",
        Refusal::Reset => "reset",
    }
}

/// Counts of one name added up, names in the order of their first coming; what did not happen is
/// left out.
pub(super) fn added(counts: impl Iterator<Item = (&'static str, u64)>) -> Refusals {
    let mut sums = Refusals::new();
    for (name, count) in counts.filter(|(_, count)| *count > 0) {
        match sums.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += count,
            None => sums.push((name, count)),
        }
    }
    sums
}

/// Is there more to tell than that `connect()` found no port?
#[must_use]
pub fn is_unusual(refusals: &[(&'static str, u64)]) -> bool {
    let usual = ["connect", Refusal::NoPort.on_linux()];
    refusals.len() > 1 || refusals.iter().any(|(name, _)| !usual.contains(name))
}

#[cfg(all(test, feature = "report"))]
mod tests {
    use super::*;
    use crate::report::samples;

    fn refusals(refused: [u64; 5], is_linux: bool) -> Refusals {
        let (_, mut outcome) = samples::overloaded();
        outcome.limits[0].is_linux = is_linux;
        outcome.limits[0].figures.refused = refused;
        outcome.subject().refusals()
    }

    #[test]
    fn linux_has_the_errors_of_the_kernel_and_others_only_the_call() {
        let linux = refusals([5, 3, 2, 0, 0], true);
        assert_eq!(linux, [("connect:EADDRNOTAVAIL", 7), ("bind:EADDRINUSE", 3)]);
        assert_eq!(refusals([5, 3, 0, 0, 0], false), [("connect", 5), ("bind", 3)]);
    }

    #[test]
    fn what_did_not_happen_has_no_name() {
        assert_eq!(refusals([0, 0, 0, 0, 0], true), []);
        assert_eq!(refusals([0, 4, 0, 0, 0], true), [("bind:EADDRINUSE", 4)]);
    }

    #[test]
    fn only_a_plain_connect_is_usual() {
        assert!(!is_unusual(&[]));
        assert!(!is_unusual(&[("connect:EADDRNOTAVAIL", 5)]));
        assert!(is_unusual(&[("bind", 1)]));
        assert!(is_unusual(&[("connect", 5), ("bind", 1)]));
    }
}
