//! Pictures of finished results: SVG by plotters, PNG from the same SVG.

use crate::scenario::Scenario;
use crate::stats::{Outcome, PortMap};

/// A finished picture in both forms.
#[derive(Clone, Debug)]
pub struct Picture {
    /// SVG text.
    pub svg: String,
    /// PNG bytes, 1800 pixels wide.
    pub png: Vec<u8>,
}

/// Ports by state over time, the ceiling, the first refusal; blocked per second beneath.
pub fn pressure(_scenario: &Scenario, _outcome: &Outcome) -> Picture {
    unimplemented!()
}

/// Blocked share against offered load for scenarios that ran together, beside Erlang B.
pub fn blocking(_runs: &[(&Scenario, &Outcome)]) -> Picture {
    unimplemented!()
}

/// Time across, port number up: each port's state.
pub fn ports(_scenario: &Scenario, _map: &PortMap) -> Picture {
    unimplemented!()
}

/// Time between two uses of a port.
pub fn reuse(_scenario: &Scenario, _outcome: &Outcome) -> Picture {
    unimplemented!()
}
