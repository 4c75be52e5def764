//! Closed forms: pure arithmetic, against which the simulation is held.

mod attempts;
mod demand;
mod engset;
mod erlang;
mod expected;
#[cfg(test)]
mod fixtures;
mod fluid;
mod moments;
mod pools;
pub(crate) mod special;

pub use attempts::attempts;
pub use demand::{HoldLaw, rate_per_s};
pub use engset::{engset_call_congestion, engset_time_congestion};
pub use erlang::{erlang_b, erlang_b_offered, erlang_b_servers};
pub use expected::Expected;
pub use fluid::{GammaFillTime, fill_time_s, sustainable_rate_per_s};
pub use moments::{limited_mean_s, second_moment_s2};
pub use pools::{capacity, key_of, pools};
