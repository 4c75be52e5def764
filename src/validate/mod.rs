//! Experiments that the model and a real kernel can both make: what they are, what the model predicts,
//! and whether a kernel agrees.

mod attempt;
mod builtin;
mod case;
mod churn;
mod judge;
mod live;
mod machine;
mod measured;
mod predict;
mod workers;

pub use attempt::Attempt;
pub use builtin::{builtin, cost_case};
pub use case::{
    Call, Case, Churn, Destinations, Experiment, Hold, How, Order, Setup, Squat, SquatterKind, Step,
};
pub use judge::{Judgement, as_made, judge};
pub use live::{LiveCase, NotForKernels, live};
pub use machine::{Draw, Kernel};
pub use measured::{
    ChurnMeasured, CostLevel, Errors, Measured, OrderMeasured, StepMeasured, TimeWaits,
};
pub use predict::{order_of, predict, predictions, probes_at};
pub use workers::{Asking, Workers};

pub use crate::model::Ending;
