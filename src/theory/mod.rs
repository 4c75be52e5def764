//! Closed forms: pure arithmetic, against which the simulation is held.

mod expected;

pub use expected::Expected;
