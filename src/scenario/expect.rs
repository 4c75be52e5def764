//! `[expect]`: what a scenario's author says must come out.

use crate::stats::Metric;

/// One line of `[expect]`: a figure and the bounds it must keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What it speaks of.
    pub scope: Scope,
    /// Which figure.
    pub metric: Metric,
    /// The bounds.
    pub bound: Bound,
}

/// What an expectation speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Everything together: `[expect]`.
    Whole,
    /// One client: `[expect.client.NAME]`.
    Client(String),
    /// One host: `[expect.host.NAME]`.
    Host(String),
    /// One gateway: `[expect.gateway.NAME]`.
    Gateway(String),
}

/// The bounds of an expectation, in the figure's base unit (seconds, ports, a share of 1).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Bound {
    /// At least `min`, at most `max`.
    Within {
        /// Least value allowed.
        min: Option<f64>,
        /// Greatest value allowed.
        max: Option<f64>,
    },
    /// `first_blocked = "never"`: must not happen in any replication.
    Never,
}
