//! Attempts are made a batch at a time, and what becomes of each is told.

use crate::model::{Attempt, ConnectionId, Ending};
use crate::units::{SimDuration, SimTime};

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
    /// Connections without an end that are to be closed before the attempts are made.
    pub closes: Vec<Close>,
}

/// A connection that is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// When.
    pub at: SimTime,
    /// Which.
    pub connection: ConnectionId,
    /// By whom, and how.
    pub ending: Ending,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It was refused.
    Refused,
    /// It got a port.
    Opened {
        /// Its number, where it is followed.
        connection: ConnectionId,
        /// When its client has it behind it: at the first FIN, or when it is given up.
        closes: SimTime,
    },
}
