//! portsim says whether, when and why a machine runs out of ephemeral ports.
//!
//! Five lines run a scenario, here one that the [`Scenario::open`] of a file would bring:
//!
//! ```
//! use portsim::Scenario;
//!
//! let arrivals = r#"{ process = "poisson", rate = "300 / s" }"#;
//! let calm = Scenario::from_text(&format!("[client.fetcher]\nlifetime = '200 ms'\narrivals = {arrivals}"))?;
//! let outcome = calm.set("client.fetcher.arrivals.rate", "600 / s")?.run()?;
//! // 28,232 ports of Linux at 600 a second: all are taken after 47 seconds.
//! assert_eq!(outcome.figure("first_blocked_s")?.unwrap().value.round(), 47.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The same world by hand: what is not said is what is usual, and it is checked as a scenario is.
//!
//! ```
//! use portsim::{Client, Host, RunSettings, Scenario, SimDuration, World};
//!
//! let fetcher = Client::poisson("fetcher", 600.0, SimDuration::from_millis(200));
//! let host = Host { clients: vec![fetcher], ..Host::linux("crawler") };
//! let scenario = Scenario::of(World::of(host), RunSettings::of(SimDuration::from_secs(60)))?;
//! let outcome = scenario.run()?;
//! assert!(outcome.figure("blocked")?.unwrap().value > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Figures are those of [`stats::FIGURES`], of a client or a host by [`Outcome::client`] and
//! [`Outcome::limit`]. `report::Summary` writes them as JSON, and
//! `chart::pressure(&scenario, &outcome, limit).save("pressure.svg")` draws them. An allocator of one's own
//! is a [`model::Limit`]; `examples/own_allocator.rs` tries one.
//!
//! # Features
//!
//! Without default features there are the engine, scenarios and figures: 29 crates below this one
//! instead of 114.
//!
//! | feature | what it brings |
//! | --- | --- |
//! | `cli` (default) | the program `portsim`, its terminal, and all below |
//! | `charts` | `chart`: pictures as SVG and PNG |
//! | `report` | `report`: JSON, CSV, Markdown; `scenario::schema` |
//! | `inspect` | `inspect`, `import`, `traffic`: this machine, and records of real connections |
//! | `validate` | `validate`, `testbed`: the model against the kernel of this machine; and `inspect` |
//!
//! # The rooms
//!
//! What lives where; arrows of `use` run down this list and never up:
//!
//! | module | what it is |
//! | --- | --- |
//! | `testbed` | the same experiments on the kernel of this machine, each in its own network namespace |
//! | `report`, `chart` | finished results as JSON, CSV, Markdown, a sentence; as pictures |
//! | `validate` | experiments that the model and a real kernel both make, and whether they agree |
//! | `import` | records of real connections (Zeek, VPC flow logs, ss, conntrack, CSV), read as streams |
//! | `traffic` | what was seen of real connections, and the scenario that it makes |
//! | [`search`] | what searching for a port costs, by how much of the range is held |
//! | [`replicate`] | many replications in parallel, merged in a fixed order |
//! | [`engine`] | the clock, the queue, demand, and the loop that runs one machine |
//! | [`scenario`] | what a person writes, turned into a world; every mistake pointed at |
//! | `inspect` | this machine, read: its sockets, its range of ports, who holds them |
//! | [`platform`] | what a kernel does, by its version: one table of dated facts |
//! | [`stats`] | counting what happens, and saying how sure the figures are |
//! | [`theory`] | Erlang B, Engset, fluid filling: pure arithmetic |
//! | [`model`] | ports, ranges, pools, selection, holds; the world that is simulated |
//! | [`units`], [`numbers`], [`names`] | simulated time; figures as a person reads them; names made inert |
//!
//! `units`, `model`, `engine`, `stats` and `theory` read no file, clock or environment and print
//! nothing; the same world, settings and seed give the same outcome on every machine.

#![warn(missing_docs)]
#![forbid(unsafe_code)]

#[cfg(feature = "charts")]
pub mod chart;
pub mod engine;
#[cfg(feature = "inspect")]
pub mod import;
#[cfg(feature = "inspect")]
pub mod inspect;
mod library;
pub mod model;
pub mod names;
pub mod numbers;
pub mod platform;
pub mod replicate;
#[cfg(feature = "report")]
pub mod report;
pub mod scenario;
pub mod search;
pub mod stats;
#[cfg(feature = "validate")]
pub mod testbed;
pub mod theory;
#[cfg(feature = "inspect")]
pub mod traffic;
pub mod units;
#[cfg(feature = "validate")]
pub mod validate;

pub use model::{Client, Destination, Host, RunSettings, World};
pub use scenario::{Preset, Problems, Scenario};
pub use stats::Outcome;
pub use units::SimDuration;
