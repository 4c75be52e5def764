//! What happened between two changes of the world, and how long it took to get over each.

use super::outcome::{Estimate, Moments, StretchFigures};
use crate::model::Change;
use crate::numbers::{percent, span};
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

/// The figures of all stretches of a run until `end`, with the capacity of each; of each replication the tallies of
/// all its stretches.
#[must_use]
pub fn stretches(
    changes: &[Change],
    capacities: &[u64],
    end: SimTime,
    replications: &[Vec<StretchTally>],
) -> Vec<StretchFigures> {
    if changes.is_empty() {
        return Vec::new();
    }
    let begins = std::iter::once(SimTime::START).chain(changes.iter().map(|change| change.at));
    let ends = changes.iter().map(|change| change.at).chain([end]);
    // A change at the end of a run, or beyond, has no stretch of its own.
    let before_end = begins.zip(ends).filter(|(from, _)| *from < end);
    let all = before_end.enumerate().map(|(number, (from, to))| {
        let to = to.min(end);
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
            capacity: capacities[number],
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

impl StretchFigures {
    /// When it begins: `5 min`.
    #[must_use]
    pub fn when(&self) -> String {
        self.from.since(SimTime::START).to_string()
    }

    /// Requests that fail, as a share of those made, 0 to 1.
    #[must_use]
    pub fn failed_share(&self) -> f64 {
        self.failed as f64 / self.requests.max(1) as f64
    }

    /// How long it took to get over the change, if most replications did before the next one.
    #[must_use]
    pub fn mostly_over(&self) -> Option<Moments> {
        self.recovered.filter(|m| m.share_of_replications > 0.5)
    }

    /// Who is refused, or fails, and for how long: `23 % are refused, for 85 s`.
    #[must_use]
    pub fn trouble(&self) -> String {
        let (refused, failed) = (self.blocking_ratio.mean, self.failed_share());
        if refused == 0.0 && failed == 0.0 {
            return "nobody is refused".to_owned();
        }
        let what = if failed > 0.0 {
            format!("{} of requests fail", percent(failed))
        } else {
            format!("{} are refused", percent(refused))
        };
        match self.mostly_over() {
            Some(m) if m.share_of_replications < 1.0 => {
                let still = percent(1.0 - m.share_of_replications);
                format!("{what}, for {}; in {still} of replications it is not over", span(m.median))
            }
            Some(m) => format!("{what}, for {}", span(m.median)),
            None if self.what.is_none() => what,
            None => format!("{what}, and it is not over"),
        }
    }
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
