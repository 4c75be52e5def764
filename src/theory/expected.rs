//! What the closed forms say of one host: the figures beside which a simulation is read.

/// Closed forms for one limit. All are for one machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// Mean hold time (connection and TIME-WAIT) over all attempts, in seconds; `None` when it is
    /// infinite or the connections are never closed.
    pub mean_hold_s: Option<f64>,
    /// Arrival rate times mean hold time, in erlangs; `None` for a closed loop or infinite holds.
    pub offered_load_erl: Option<f64>,
    /// Erlang's loss formula, averaged over the reuse keys by their share of the attempts; `None`
    /// when arrivals are not Poisson.
    pub erlang_b: Option<f64>,
    /// Engset's call congestion, for a closed loop of exponential think times; else `None`.
    pub engset: Option<f64>,
    /// The highest rate of attempts that never runs out in the fluid limit, a second.
    pub sustainable_rate_per_s: Option<f64>,
    /// Attempts a second that the scenario offers; `None` for a closed loop.
    pub offered_rate_per_s: Option<f64>,
    /// When the first pool is full in the fluid limit, seconds from an empty start; `None` when it
    /// never is.
    pub fill_time_s: Option<f64>,
}
