//! From the tree to the world: a reader for each table of a scenario.
//!
//! `whole` reads the tables in an order in which each can refer to those before it; a table's reader
//! takes each of its keys by the row that declares it in `keys`, and asks the rest of the world what a row cannot
//! say. What is wrong is reported into one `Walk`, and reading goes on.

mod arrivals;
mod changes;
mod checks;
mod client;
mod destination;
mod distribution;
mod expect;
mod fields;
mod gateway;
pub(super) mod host;
mod parts;
mod pool;
mod ports;
mod rates;
mod retries;
mod run;
mod shares;
mod socket;
mod stationary;
mod sysctl;
mod tagged;
mod tcp;
mod trace;
mod trace_lines;
mod whole;

pub(super) use changes::out_of_kind;
pub(super) use whole::{SMALLEST, whole};
