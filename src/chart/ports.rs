//! Which ports are in which state when.
use super::Picture;
use super::canvas::paint;
use crate::scenario::Scenario;
use crate::stats::PortMap;

/// Time across, port number up: each port's state.
pub fn ports(_scenario: &Scenario, _map: &PortMap) -> Picture {
    paint(100.0, "", |_| {})
}
