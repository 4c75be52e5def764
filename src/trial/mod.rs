//! Experiments that the model and a real kernel can both make: what they are, what the model predicts,
//! and whether a kernel agrees.

mod builtin;
mod case;
mod churn;
mod judge;
mod live;
mod machine;
mod predict;

pub use builtin::{builtin, cost_case};
pub use case::{
    Attempt, Call, Case, Churn, ChurnMeasured, Close, CostLevel, Destinations, Errors, Experiment,
    Hold, How, Measured, Order, OrderMeasured, Setup, Squat, SquatterKind, Step, StepMeasured,
    TimeWaits,
};
pub use judge::{Judgement, draws, judge};
pub use live::{Live, live};
pub use predict::{Draw, Kernel, order_of, predict, probes_at};
