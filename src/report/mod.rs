//! Finished results as a person or a program reads them: JSON, CSV, Markdown, plain words.
//!
//! Everything here is a pure function of a scenario and its outcome, so the same result gives the
//! same bytes; only [`provenance`] (what differs from run to run) and [`mod@file`] (the disk) touch the
//! world.

#[cfg(feature = "validate")]
pub mod agreement;
pub mod changes;
pub mod csv;
pub mod expectations;
pub mod file;
mod gateways;
#[cfg(feature = "inspect")]
pub mod headroom;
#[cfg(feature = "inspect")]
pub mod inspection;
mod json;
pub mod markdown;
pub mod notes;
#[cfg(feature = "inspect")]
pub mod prometheus;
pub mod provenance;
pub mod sheet;
pub mod summary;
pub mod timeline;
pub mod verdict;
pub mod warnings;
mod words;

#[cfg(test)]
pub(crate) mod samples;

pub use expectations::{Checked, Verdict};
pub use summary::Summary;
