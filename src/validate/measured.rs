//! What experiments find: of a kernel by measuring, of the model by predicting.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;

/// What came out of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Measured {
    /// Of [`super::Experiment::Hold`].
    Hold {
        /// Connections of each pair: all destinations of the first source, then of the second ...
        per_pair: Vec<u32>,
        /// Different local ports in use.
        distinct_ports: u32,
        /// The failures, as `connect:EADDRNOTAVAIL` and how often.
        errors: Errors,
    },
    /// Of [`super::Experiment::Mix`]: one a step.
    Mix {
        /// The steps.
        steps: Vec<StepMeasured>,
    },
    /// Of [`super::Experiment::Squat`].
    Squat {
        /// Connections to each destination.
        per_destination: Vec<u32>,
        /// Squatted ports that a connection got all the same.
        squatted_ports_reused: u32,
        /// The failures.
        errors: Errors,
    },
    /// Of [`super::Experiment::Fixed`].
    Fixed {
        /// Connections that came about.
        ok: u32,
        /// The failures.
        errors: Errors,
    },
    /// Of [`super::Experiment::FinWait2`], a time for each port that became free.
    FinWait2 {
        /// Time from the client's `close()` to the port's being free.
        freed_after_s: Vec<f64>,
    },
    /// Of [`super::Experiment::SynSent`].
    SynSent {
        /// Connections begun: as many as there are ports to be had.
        begun: u32,
        /// When each was given up, and with which error.
        ended: Vec<(f64, String)>,
    },
    /// Of [`super::Experiment::TwTime`], a pair for each connection.
    TwTime {
        /// When it was closed (by the first FIN), in seconds from the first close.
        closed_s: Vec<f64>,
        /// How long its port was taken.
        taken_s: Vec<f64>,
    },
    /// A summary of the same, where single times were not kept.
    TwTimeSummary {
        /// Connections closed.
        closed: u32,
        /// Least time that a port was taken.
        min_s: f64,
        /// Mean time.
        mean_s: f64,
        /// Greatest time.
        max_s: f64,
        /// Ports that came free together.
        batch_sizes: Vec<u32>,
        /// Time from each batch to the next.
        batch_gaps_s: Vec<f64>,
    },
    /// Of [`super::Experiment::Order`]: one a destination.
    Order {
        /// The destinations.
        destinations: Vec<OrderMeasured>,
    },
    /// Of [`super::Experiment::Churn`].
    Churn(ChurnMeasured),
    /// Of [`super::Experiment::Cost`]: one a level.
    Cost {
        /// The levels.
        levels: Vec<CostLevel>,
    },
}

/// How often each error came: `bind:EADDRINUSE`, `connect:EADDRNOTAVAIL`.
pub type Errors = BTreeMap<String, u32>;

/// What one step of [`super::Experiment::Mix`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepMeasured {
    /// Connections opened; of a release, aborted.
    pub opened: u32,
    /// Different local ports among them.
    pub distinct_ports: u32,
    /// Ports of the lowest port's parity among them.
    pub low_parity: u32,
    /// The failure that ended the step.
    pub error: Option<String>,
}

/// The ports that went to one destination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrderMeasured {
    /// Connections opened.
    pub count: u32,
    /// Their ports in order, less the lowest of the range; the first some of them.
    pub ports_minus_lo: Vec<u32>,
    /// Number of the first one whose parity is not that of the lowest port.
    pub first_index_of_other_parity: Option<u32>,
    /// Ports of the lowest port's parity.
    pub in_low_parity: u32,
    /// How far each port lies above the one before, modulo the range: distance and how often it came,
    /// the most frequent first.
    pub deltas: Vec<(u32, u32)>,
    /// Jumps of more than 16 ports where none is to be expected: when, in seconds, and how far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jumps_over_16: Vec<(f64, u32)>,
}

/// How long `connect()` took at one level of [`super::Experiment::Cost`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostLevel {
    /// The level, in percent of the range.
    pub fill_percent: f64,
    /// Ports held.
    pub held: u32,
    /// Timed connections that came about; none on a full range.
    pub ok: u32,
    /// Median of one call, in microseconds, whether it came about or not.
    pub median_us: f64,
    /// 90 % of the calls took at most this, in microseconds.
    pub p90_us: f64,
}

/// What became of the attempts of [`super::Experiment::Churn`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChurnMeasured {
    /// Attempts made.
    pub attempts: u32,
    /// Those that failed.
    pub fail: u32,
    /// The failures by error.
    pub errors: Errors,
    /// When the first failed attempt was due, in seconds.
    pub first_fail_s: Option<f64>,
    /// Failures by ten seconds of the run.
    #[serde(default)]
    pub fail_per_10s: Vec<u32>,
    /// The greatest delay of an attempt against its time, in seconds: how exact the measurement is.
    #[serde(default)]
    pub max_late_s: f64,
    /// When each failed attempt was due, in seconds; empty where that was not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_at_s: Vec<f64>,
    /// The attempts with the times at which they and their ends came; empty where that was not kept.
    #[serde(skip)]
    pub made: Vec<Attempt>,
    /// TIME-WAIT sockets of the machine over time; empty where that was not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub time_waits: Vec<TimeWaits>,
}

/// TIME-WAIT sockets of the machine at one moment (`tw` of /proc/net/sockstat).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeWaits {
    /// Seconds from the start.
    pub at_s: f64,
    /// How many.
    pub count: u32,
}
