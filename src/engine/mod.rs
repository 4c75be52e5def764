//! The clock, the queue, demand, and the loop that runs one machine for one replication.

mod calendar;
mod random;
mod sample;

pub use calendar::Calendar;
pub use random::{Purpose, Streams};
