//! Counting what happens, and saying how sure the figures are.

mod collect;
mod figure;
mod figures;
mod interval;
mod log_linear;
mod metric;
mod outcome;
mod port_map;
mod refusals;
mod request_bins;
mod search_time;
mod stretches;
mod subject;
mod tally;
mod window;

pub use collect::{
    Ground, Sample, TimelineSum, figures, no_quantiles, probe_quantiles, reuse_quantiles, server,
};
pub use figure::{Facet, Figure, InSummary, Read, Reading, Unit, Value};
pub use figures::FIGURES;
pub use interval::student_t_975;
pub use log_linear::LogLinear;
pub use metric::{Metric, UnknownFigure};
pub use outcome::{
    ClientFigures, Estimate, Figures, Fullest, LimitFigures, Moments, Outcome, Quantiles,
    RequestFigures, SearchTime, ServerFigures, Spread, StretchFigures, Timeline, TimelineRow,
};
pub use port_map::{PortCell, PortMap};
pub use refusals::{Refusals, is_unusual};
pub use request_bins::{RequestBins, RequestRow};
pub use search_time::search_seconds;
pub use stretches::{StretchTally, stretches};
pub use subject::{Subject, SubjectKind};
pub use tally::{
    BinCursor, BinRow, Bins, Blocking, ClientTally, HostTally, LimitTally, ReuseClock, ServerTally,
};
pub use window::Window;
