//! One row of the table: what is so, since when, and why it is believed.

use super::version::Linux;
use crate::model::{ReuseKey, SelectionKind};
use crate::units::SimDuration;

/// One thing that Linux does, from one version on.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// The sysctl or the socket option, else the key of `[host.NAME]` that says it.
    pub key: &'static str,
    /// The first version of which it is true.
    pub since: Linux,
    /// What the fact is of.
    pub kind: Kind,
    /// What is so.
    pub value: Value,
    /// Where it is from: file, function, commit.
    pub source: &'static str,
    /// The oldest kernel in whose source it was read.
    pub read: Option<Linux>,
    /// The kernels on which it was measured.
    pub measured: &'static [Linux],
    /// The date at which it was looked up, `2026-11-23`.
    pub as_of: &'static str,
    /// What else to know of it.
    pub note: &'static str,
}

/// What a fact is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How the kernel goes about it, which no sysctl changes.
    Rule,
    /// A sysctl and its default.
    Sysctl,
    /// There is no such sysctl, and the kernel goes about it as if it were there with this value.
    Instead,
    /// There is such a thing, a sysctl or a socket option, and presets say nothing of it.
    There,
    /// There is no such thing any more.
    Gone,
}

/// What is so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Nothing but that it is there, or is not.
    Nothing,
    /// A number as the sysctl has it.
    Number(u32),
    /// Yes or no.
    Flag(bool),
    /// A time.
    Span(SimDuration),
    /// A range of ports, lowest and highest.
    Ports(u16, u16),
    /// How a port is chosen.
    Selection(SelectionKind),
    /// Which connections may not share a port.
    ReuseKey(ReuseKey),
}

impl Fact {
    /// Is there what it is of?
    #[must_use]
    pub fn is_there(&self) -> bool {
        !matches!(self.kind, Kind::Instead | Kind::Gone)
    }

    /// Was it measured on `version`?
    #[must_use]
    pub fn is_measured_on(&self, version: Linux) -> bool {
        self.measured.contains(&version)
    }

    /// Was it measured on `version`, or read in the source of one that is not newer?
    #[must_use]
    pub fn is_verified_for(&self, version: Linux) -> bool {
        self.is_measured_on(version) || self.read.is_some_and(|read| read <= version)
    }
}
