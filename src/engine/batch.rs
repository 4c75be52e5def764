//! Attempts are made a batch at a time.

use crate::model::Attempt;
use crate::units::SimDuration;

/// Attempts drawn at a time: enough to keep the loops straight, few enough for the cache.
pub const BATCH: usize = 128;

/// Attempts in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// Time from the first FIN of each to the other side's; empty where that is always zero. Apart, for
    /// every byte of an attempt shows in the loop.
    pub second_fins: Vec<SimDuration>,
}
