//! Which ports were in which state when: one replication of one machine, seen port by port.

use crate::model::{PortRange, PortSet};
use crate::units::SimDuration;

/// Ports against time, one reuse key of one machine (the first source address towards the first
/// endpoint), as a raster of `columns` time cells by `rows` port cells.
#[derive(Clone, Debug)]
pub struct PortMap {
    /// The host's name.
    pub host: String,
    /// What the reuse key is, in words: `10.0.0.1 -> api`.
    pub key: String,
    /// The host's range; row 0 begins at its lowest port.
    pub ports: PortRange,
    /// Time covered by the raster, from the start of the run.
    pub duration: SimDuration,
    /// Time cells.
    pub columns: usize,
    /// Port cells; no more than there are ports.
    pub rows: usize,
    /// Row by row from the lowest port, each `columns` long: shares of the cell's port-time.
    pub cells: Vec<PortCell>,
    /// Ports outside the range that a client asks for by their number; rising.
    pub outside: PortSet,
    /// All of those together over time, `columns` long; empty where there are none.
    pub outside_cells: Vec<PortCell>,
}

/// Shares of one cell's port-time, each 0 to 1; the rest is free.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PortCell {
    /// By state, in the order of [`PortCell::STATES`].
    pub held: [f32; PortCell::STATES.len()],
    /// Never to be had: reserved or listened on.
    pub lost: f32,
}

impl PortCell {
    /// What holds a port: SYN-SENT, established, FIN-WAIT-2 or CLOSE-WAIT, TIME-WAIT.
    pub const STATES: [&'static str; 4] = ["connecting", "established", "half-closed", "TIME-WAIT"];

    /// Share of the port-time that anybody holds, 0 to 1.
    #[must_use]
    pub fn taken(&self) -> f32 {
        self.held.iter().sum()
    }
}
