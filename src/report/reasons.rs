//! Why attempts were refused, under the names that the host's own platform gives.
//!
//! Of Linux the errors are verified against the kernel; of other platforms only the call is known
//! that finds no port, so only the call is named.

use crate::model::Refusal;
use crate::scenario::Scenario;
use crate::stats::{Figures, Outcome};

/// The name of a reason and how often it came.
pub(super) type Count = (&'static str, u64);

/// What is known of errors on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Platform {
    is_linux: bool,
}

impl Platform {
    /// That of the host called `name`; one that the scenario does not have is not known to be Linux.
    pub(super) fn of(scenario: &Scenario, name: &str) -> Self {
        let host = scenario.world.hosts.iter().find(|host| host.name == name);
        Self { is_linux: host.is_some_and(|host| host.is_linux()) }
    }

    /// `connect:EADDRNOTAVAIL` on Linux, else `connect`.
    const fn name(self, refusal: Refusal) -> &'static str {
        match refusal {
            _ if self.is_linux => refusal.on_linux(),
            Refusal::NoPort | Refusal::TupleTaken => "connect",
            Refusal::BindInUse => "bind",
        }
    }

    /// Refusals of `figures` by reason; those of one name are one.
    pub(super) fn counts(self, figures: &Figures) -> Vec<Count> {
        let counted = Refusal::ALL.into_iter().zip(figures.refused);
        add(counted.map(|(refusal, count)| (self.name(refusal), count)))
    }
}

/// Refusals of everything together, by reason.
pub(super) fn of_whole(scenario: &Scenario, outcome: &Outcome) -> Vec<Count> {
    let of_limit = |limit: &crate::stats::LimitFigures| {
        Platform::of(scenario, &limit.name).counts(&limit.figures)
    };
    add(outcome.limits.iter().flat_map(of_limit))
}

/// Counts of one name added up, names in the order of their first coming; what did not happen is
/// left out.
fn add(counts: impl Iterator<Item = Count>) -> Vec<Count> {
    let mut sums: Vec<Count> = Vec::new();
    for (name, count) in counts.filter(|(_, count)| *count > 0) {
        match sums.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += count,
            None => sums.push((name, count)),
        }
    }
    sums
}

/// Attempts whose port was bound, but taken towards the same destination: a part of those that
/// `connect()` refused.
pub(super) const fn tuple_taken(figures: &Figures) -> u64 {
    figures.refused[Refusal::TupleTaken as usize]
}

/// Is there more to tell than that `connect()` found no port?
pub(super) fn is_unusual(counts: &[Count]) -> bool {
    counts.len() > 1 || counts.iter().any(|(name, _)| !name.starts_with("connect"))
}

/// How often the reason called `name` came.
pub(super) fn count_of(counts: &[Count], name: &str) -> u64 {
    counts.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count)
}

/// What attempts are called that nobody answered; Linux's error, where all hosts are Linux.
pub(super) fn timed_out(scenario: &Scenario) -> &'static str {
    let linux = scenario.world.hosts.iter().all(|host| host.is_linux());
    if linux { "timed out (ETIMEDOUT)" } else { "timed out" }
}

/// `connect:EADDRNOTAVAIL` as words: `connect EADDRNOTAVAIL`.
pub(super) fn in_words(name: &str) -> String {
    name.replace(':', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SelectionKind;
    use crate::report::samples;

    fn counts(refused: [u64; 3], selection: SelectionKind) -> Vec<Count> {
        let (mut scenario, mut outcome) = samples::overloaded();
        scenario.world.hosts[0].selection = selection;
        outcome.limits[0].figures.refused = refused;
        of_whole(&scenario, &outcome)
    }

    #[test]
    fn linux_has_the_errors_of_the_kernel_and_others_only_the_call() {
        let linux = counts([5, 3, 2], SelectionKind::Linux);
        assert_eq!(linux, [("connect:EADDRNOTAVAIL", 7), ("bind:EADDRINUSE", 3)]);
        let macos = counts([5, 3, 0], SelectionKind::Sequential);
        assert_eq!(macos, [("connect", 5), ("bind", 3)]);
    }

    #[test]
    fn what_did_not_happen_has_no_name() {
        assert_eq!(counts([0, 0, 0], SelectionKind::Linux), []);
        assert_eq!(counts([0, 4, 0], SelectionKind::Linux), [("bind:EADDRINUSE", 4)]);
    }

    #[test]
    fn only_a_plain_connect_is_usual() {
        assert!(!is_unusual(&[]));
        assert!(!is_unusual(&[("connect:EADDRNOTAVAIL", 5)]));
        assert!(is_unusual(&[("bind", 1)]));
        assert!(is_unusual(&[("connect", 5), ("bind", 1)]));
    }
}
