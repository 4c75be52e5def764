//! Closed forms: pure arithmetic, against which the simulation is held.

mod attempts;
mod engset;
mod erlang;
mod expected;
#[cfg(test)]
mod fixtures;
mod fluid;
mod hold;
mod leaks;
mod lifetimes;
mod load;
mod moments;
mod pools;
mod safe;
mod sight;
pub(crate) mod special;
mod steady;

pub use attempts::{attempts, rate_per_s};
pub use engset::{engset_call_congestion, engset_time_congestion};
pub use erlang::{erlang_b, erlang_b_offered, erlang_b_servers};
pub use expected::Expected;
pub use hold::HoldLaw;
pub use leaks::Leak;
pub use moments::{limited_mean_s, probability_below};
pub use steady::starts_steady;
