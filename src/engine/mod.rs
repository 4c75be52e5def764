//! The clock, the queue, demand, and the loop that runs one machine for one replication.

mod attempt;
mod books;
mod calendar;
mod demand;
mod ledger;
mod machine;
mod observe;
mod port_mapper;
mod random;
mod sample;
mod shared;
mod stationary;
mod target;

pub use attempt::{Attempt, Remote};
pub use calendar::Calendar;
pub use demand::recorded;
pub use machine::{Job, Workspace, run};
pub use observe::{Observer, Unobserved};
pub use port_mapper::PortMapper;
pub use stationary::{mean_rate, typical_hold};
pub use target::{EndpointNumbers, pool_shares};
