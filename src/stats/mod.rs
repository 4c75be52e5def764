//! Counting what happens, and saying how sure the figures are.

mod outcome;
mod port_map;

pub use outcome::{
    ClientFigures, Estimate, Figures, LimitFigures, Moments, Outcome, Quantiles, Spread, Timeline,
    TimelineRow,
};
pub use port_map::{PortCell, PortMap};
