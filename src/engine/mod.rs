//! The clock, the queue, demand, and the loop that runs one machine for one replication.

mod batch;
mod calendar;
mod client;
mod demand;
mod endpoints;
pub mod island;
mod job;
mod machine;
mod observe;
mod port_mapper;
mod random;
mod requests;
mod run;
mod sample;
mod stationary;
mod statistics;
mod target;
mod uncounted;

pub use batch::{BATCH, Batch, Became, Close};
pub use calendar::Calendar;
pub use demand::{Clients, Demand, recorded};
pub use endpoints::EndpointNumbers;
pub use job::Job;
pub use machine::{Due, LateAnswer, Machine, Opened, Queue};
pub use observe::{
    Failed, Failure, Observer, Opening, Openings, Release, Served, Settling, Unobserved,
};
pub use port_mapper::PortMapper;
pub use run::{Run, Workspace, run, run_with};
pub use stationary::{mean_rate, typical_hold};
pub use target::pool_shares;
