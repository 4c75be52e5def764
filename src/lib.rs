//! portsim says whether, when and why a machine runs out of ephemeral ports.
//!
//! Five lines run a scenario:
//!
//! ```
//! use portsim::{replicate::{Unwatched, replicate}, scenario};
//! let text = r#"[client.fetcher]
//!               arrivals = { process = "poisson", rate = "600 / s" }
//!               lifetime = "200 ms""#;
//! let scenario = scenario::parse("crawler", "crawler.toml", text, &[]).unwrap();
//! let outcome = replicate(&scenario.world, &scenario.settings, &Unwatched).unwrap();
//!
//! // 28,232 ports of Linux at 600 a second: all are taken after 47 seconds.
//! let first = outcome.whole.first_blocked.unwrap();
//! assert!((first.median - 28_232.0 / 600.0).abs() < 0.5);
//! ```
//!
//! What lives where, from what a person writes down to arithmetic; arrows of `use` run down this
//! list and never up:
//!
//! | module | what it is |
//! | --- | --- |
//! | [`report`], [`chart`] | finished results as JSON, CSV, Markdown, a sentence; as pictures |
//! | [`scenario`] | what a person writes, turned into a world; every mistake pointed at |
//! | [`inspect`] | this machine, read: its sockets, its range of ports, who holds them |
//! | [`testbed`] | the same experiments on the kernel of this machine, each in its own network namespace |
//! | [`validate`] | experiments that the model and a real kernel both make, and whether they agree |
//! | [`import`] | records of real connections (Zeek, VPC flow logs, ss, conntrack, CSV), read as streams |
//! | [`traffic`] | what was seen of real connections, and the scenario that it makes |
//! | [`search`] | what searching for a port costs, by how much of the range is held |
//! | [`replicate`] | many replications in parallel, merged in a fixed order |
//! | [`engine`] | the clock, the queue, demand, and the loop that runs one machine |
//! | [`platform`] | what a kernel does, by its version: one table of dated facts |
//! | [`stats`] | counting what happens, and saying how sure the figures are |
//! | [`theory`] | Erlang B, Engset, fluid filling: pure arithmetic |
//! | [`model`] | ports, ranges, pools, selection, holds; the world that is simulated |
//! | [`units`], [`numbers`] | simulated time; figures as a person reads them |
//!
//! `units`, `model`, `engine`, `stats` and `theory` read no file, clock or environment and print
//! nothing; the same world, settings and seed give the same outcome on every machine.

#![warn(missing_docs)]
#![forbid(unsafe_code)]

pub mod chart;
pub mod engine;
pub mod import;
pub mod inspect;
pub mod model;
pub mod numbers;
pub mod platform;
pub mod replicate;
pub mod report;
pub mod scenario;
pub mod search;
pub mod stats;
pub mod testbed;
pub mod theory;
pub mod traffic;
pub mod units;
pub mod validate;
