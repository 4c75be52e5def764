//! Closed forms: pure arithmetic, against which the simulation is held.

mod engset;
mod erlang;
mod expected;
pub(crate) mod special;

pub use engset::{engset_call_congestion, engset_time_congestion};
pub use erlang::{erlang_b, erlang_b_offered, erlang_b_servers};
pub use expected::Expected;
