//! How a world is run: for how long, from which start, how often.

use crate::units::SimDuration;

/// How to run a world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunSettings {
    /// Simulated length of one replication; above zero.
    pub duration: SimDuration,
    /// Steady-state figures leave this much out at the start; below `duration`.
    pub warm_up: SimDuration,
    /// What is in use when the run starts.
    pub start: Start,
    /// With the scenario, names the result: same seed, same bytes.
    pub seed: u64,
    /// How many independent replications.
    pub replications: Replications,
}

impl RunSettings {
    /// What is usual of a run of `duration`: from empty, seed 1, 20 replications, no warm-up.
    #[must_use]
    pub const fn of(duration: SimDuration) -> Self {
        Self {
            duration,
            warm_up: SimDuration::ZERO,
            start: Start::Empty,
            seed: 1,
            replications: Replications::Fixed(20),
        }
    }
}

/// What is in use when a run starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing: a machine that has just come up, what an incident looks like.
    Empty,
    /// A draw from the steady state of the loss system; Poisson arrivals only.
    Stationary,
}

/// How many independent replications to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Replications {
    /// This many, at least 1.
    Fixed(u32),
    /// Until the 95 % interval of the blocking ratio is at most this share of it to either side
    /// (0.01 for "1 %").
    Precision(f64),
}
