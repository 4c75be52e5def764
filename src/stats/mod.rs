//! Counting what happens, and saying how sure the figures are.

mod interval;
mod outcome;
mod port_map;

pub use interval::student_t_975;
pub use outcome::{
    ClientFigures, Estimate, Figures, LimitFigures, Moments, Outcome, Quantiles, Spread, Timeline,
    TimelineRow,
};
pub use port_map::{PortCell, PortMap};
