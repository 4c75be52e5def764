//! Counting what happens, and saying how sure the figures are.

mod collect;
mod interval;
mod log_linear;
mod outcome;
mod port_map;
mod tally;
mod window;

pub use collect::{
    Ground, Sample, TimelineSum, figures, no_quantiles, probe_quantiles, reuse_quantiles,
};
pub use interval::student_t_975;
pub use log_linear::LogLinear;
pub use outcome::{
    ClientFigures, Estimate, Figures, LimitFigures, Moments, Outcome, Quantiles, Spread, Timeline,
    TimelineRow,
};
pub use port_map::{PortCell, PortMap};
pub use tally::{
    BinCursor, BinRow, Bins, Blocking, ClientTally, HostTally, LimitTally, ReuseClock,
};
pub use window::Window;
