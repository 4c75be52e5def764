//! portsim says whether, when and why a machine runs out of ephemeral ports.

pub mod chart;
pub mod engine;
pub mod model;
pub mod replicate;
pub mod report;
pub mod scenario;
pub mod stats;
pub mod theory;
pub mod units;
