//! What a kernel does, by its version: one table of dated facts, and what follows from it.
//!
//! Linux changes what decides over ports every few releases: the default of a sysctl, the way a port is
//! chosen, the socket options that there are. Each change is one row of [`FACTS`], with the version that
//! began it, where it is from, and the kernels on which it was measured. Everything that has to know
//! asks that table: presets are its rows at a version, and so are the kernel that `validate` holds the
//! model against, the preset that `inspect` names, the sysctls and socket options that a scenario may
//! set, and [`TcpSettings::default`](crate::model::TcpSettings), which is the newest kernel's.

mod fact;
mod facts;
mod linux;
mod version;

pub use fact::{Fact, Kind, Value};
pub use facts::FACTS;
pub use version::Linux;
