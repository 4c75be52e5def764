//! What happened between two changes of the world, and how long it took to get over each.

use super::outcome::{Estimate, Moments, StretchFigures};
use crate::model::Change;
use crate::units::SimTime;

/// What the machines of one host did between two changes: whole numbers, which merge in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StretchTally {
    /// Attempts of the steady state, and those of them that were refused.
    pub attempts: [u64; 2],
    /// Requests of the steady state, and those that failed.
    pub requests: [u64; 2],
    /// The last refusal, or failure of a request; far future where there was none.
    pub last_trouble: SimTime,
}

impl Default for StretchTally {
    fn default() -> Self {
        Self { attempts: [0; 2], requests: [0; 2], last_trouble: SimTime::FAR_FUTURE }
    }
}

impl StretchTally {
    /// Adds what others did meanwhile.
    pub fn merge(&mut self, other: &Self) {
        for which in 0..2 {
            self.attempts[which] += other.attempts[which];
            self.requests[which] += other.requests[which];
        }
        self.last_trouble = match (self.last_trouble, other.last_trouble) {
            (SimTime::FAR_FUTURE, one) | (one, SimTime::FAR_FUTURE) => one,
            (a, b) => a.max(b),
        };
    }
}

/// So much of a stretch must pass in quiet before it counts as got over.
pub const QUIET: f64 = 0.1;

/// The figures of all stretches of a run until `end`; of each replication the tallies of all its stretches.
#[must_use]
pub fn stretches(
    changes: &[Change],
    end: SimTime,
    replications: &[Vec<StretchTally>],
) -> Vec<StretchFigures> {
    if changes.is_empty() {
        return Vec::new();
    }
    let begins = std::iter::once(SimTime::START).chain(changes.iter().map(|change| change.at));
    let ends = changes.iter().map(|change| change.at).chain([end]);
    let all = begins.zip(ends).enumerate().map(|(number, (from, to))| {
        let tallies = || replications.iter().map(|stretches| stretches[number]);
        let sum = |part: fn(&StretchTally) -> u64| tallies().map(|tally| part(&tally)).sum();
        let ratios: Vec<f64> = tallies()
            .map(|tally| tally.attempts[1] as f64 / tally.attempts[0].max(1) as f64)
            .collect();
        let recovered: Vec<f64> =
            tallies().filter_map(|tally| recovered_s(tally.last_trouble, from, to)).collect();
        let moments = Moments::of(&recovered, replications.len() as u32);
        StretchFigures {
            from,
            to,
            what: number.checked_sub(1).map(|change| changes[change].what.clone()),
            attempts: sum(|tally| tally.attempts[0]),
            blocked: sum(|tally| tally.attempts[1]),
            blocking_ratio: Estimate::within(&ratios, 1.0),
            requests: sum(|tally| tally.requests[0]),
            failed: sum(|tally| tally.requests[1]),
            recovered: moments.filter(|_| number > 0),
        }
    });
    all.collect()
}

/// How long after `from` all was well, if it was well before `to`.
fn recovered_s(last_trouble: SimTime, from: SimTime, to: SimTime) -> Option<f64> {
    if last_trouble == SimTime::FAR_FUTURE {
        return Some(0.0);
    }
    let (took, whole) = (last_trouble.since(from).as_secs_f64(), to.since(from).as_secs_f64());
    (took <= (1.0 - QUIET) * whole).then_some(took)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SimDuration;

    fn at(secs: u64) -> SimTime {
        SimTime::START + SimDuration::from_secs(secs)
    }

    #[test]
    fn what_still_goes_on_at_the_end_of_a_stretch_is_not_got_over() {
        assert_eq!(recovered_s(SimTime::FAR_FUTURE, at(10), at(110)), Some(0.0));
        assert_eq!(recovered_s(at(40), at(10), at(110)), Some(30.0));
        assert_eq!(recovered_s(at(105), at(10), at(110)), None);
    }

    #[test]
    fn the_last_trouble_of_several_machines_counts() {
        let of = |last_trouble| StretchTally { last_trouble, ..StretchTally::default() };
        let mut sum = StretchTally::default();
        for (other, last) in [
            (SimTime::FAR_FUTURE, SimTime::FAR_FUTURE),
            (at(5), at(5)),
            (SimTime::FAR_FUTURE, at(5)),
            (at(9), at(9)),
            (at(7), at(9)),
        ] {
            sum.merge(&of(other));
            assert_eq!(sum.last_trouble, last);
        }
    }
}
