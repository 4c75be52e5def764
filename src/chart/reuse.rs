//! How soon a port is used again.
use super::Picture;
use super::canvas::paint;
use crate::scenario::Scenario;
use crate::stats::Outcome;

/// Time between two uses of a port.
pub fn reuse(_scenario: &Scenario, _outcome: &Outcome) -> Picture {
    paint(100.0, "", |_| {})
}
