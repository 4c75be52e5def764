//! Records of real connections, read line by line: what was opened, to where, for how long, who closed.
//!
//! ```text
//! bytes ─► Lines ─► one file a format ─► Connection ─► Collector     (Zeek, VPC, CSV)
//!                                     └► Entry ──────► Snapshot      (ss, netstat, conntrack)
//! ```
//!
//! Every format is read as a stream: what is kept of it does not grow with its length. A line that cannot
//! be read is counted and told, and the next one is read. What a format does not tell is never guessed in
//! silence: it is on the list of [`Tally::missing`].

use std::io::{self, Read};
use std::net::IpAddr;

use thiserror::Error;

use crate::inspect::TcpState;
use crate::traffic::{Budget, Collected, Collector, Connection, Limits};

mod conntrack;
mod csv;
mod csv_columns;
mod fields;
mod findings;
mod kind;
mod lines;
mod look;
mod moment;
mod netstat;
mod snapshot;
mod ss;
mod survey;
mod tally;
mod vpc;
mod vpc_open;
mod zeek;
mod zeek_end;
mod zeek_json;
mod zeek_row;

pub use csv_columns::{Columns, FIELDS, NamedColumn};
pub use findings::{
    Bad, DestinationFindings, Findings, Fit, Lifetime, Limit, PeakFindings, SourceFindings,
    WatchedSpan, schema,
};
pub use kind::Kind;
pub use moment::{clock, clock_of};
pub use survey::{AssumedMachine, survey};
pub use tally::{BadLine, Tally};

use lines::Lines;
use snapshot::Snapshot;
use vpc_open::OpenTuples;

/// How a record is to be read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its kind; told from its first lines where it is not given.
    pub kind: Option<Kind>,
    /// Columns of a CSV that are not called as they should be.
    pub columns: Columns,
    /// The state of sockets whose rows do not tell it: `ss -tan state time-wait`.
    pub state: Option<TcpState>,
    /// Only connections from these addresses count; from all, where there are none.
    pub only: Vec<IpAddr>,
    /// What the machines have in ports, and for how long they hold them.
    pub limits: Limits,
    /// How much is remembered.
    pub budget: Budget,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Its kind.
    pub kind: Kind,
    /// Lines: how many were read, left out, bad.
    pub tally: Tally,
    /// What was seen.
    pub seen: Collected,
    /// What demand is held against.
    pub limits: Limits,
    /// Is the end missing, because reading was stopped?
    pub partial: bool,
}

/// Why a record could not be read.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The system says so.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is packed.
    #[error("it is packed ({packer}); unpack it on the way: {command} FILE | portsim import -")]
    Packed {
        /// `gzip`.
        packer: &'static str,
        /// `zcat`.
        command: &'static str,
    },
    /// It is none of the formats known.
    #[error("what it is was not recognised: it begins with `{0}`")]
    Unknown(String),
    /// It is not what it was taken for, or says too little.
    #[error("{0}")]
    Unfit(String),
}

/// Reads records, one after the other, as if they were one.
pub struct Importer<'a> {
    options: &'a Options,
    stopped: &'a dyn Fn() -> bool,
    kind: Option<Kind>,
    partial: bool,
    tally: Tally,
    collector: Collector,
    snapshot: Snapshot,
    open: OpenTuples,
}

/// Lines after which it is asked whether to stop.
const ASKED_EVERY: u64 = 4_096;

impl<'a> Importer<'a> {
    /// Nothing was read yet. `stopped` is asked now and then whether it is enough.
    #[must_use]
    pub fn new(options: &'a Options, stopped: &'a dyn Fn() -> bool) -> Self {
        Self {
            options,
            stopped,
            kind: None,
            partial: false,
            tally: Tally::default(),
            collector: Collector::new(options.limits, options.budget),
            snapshot: Snapshot::default(),
            open: OpenTuples::new(options.limits.range),
        }
    }

    /// Reads all of `input`; false when it was stopped. An input that has to wait can say
    /// [`io::ErrorKind::Interrupted`]: then it is asked at once whether to stop.
    ///
    /// # Errors
    /// When it cannot be read, is of no known format or of another one than those before, or lacks what no
    /// survey can do without. Lines that are wrong are no error: the [`Tally`] has them.
    pub fn read(&mut self, input: impl Read) -> Result<bool, ImportError> {
        self.tally.input += 1;
        let mut lines = Lines::new(input, self.stopped);
        let whole_lines = memchr::memchr(b'\n', lines.head()?).is_some();
        if lines.was_stopped() && !whole_lines {
            self.partial = true;
            return Ok(false);
        }
        let kind = self.kind_of(lines.head()?)?;
        let stopped = match kind {
            Kind::Zeek => zeek::read(&mut lines, self)?,
            Kind::Vpc => vpc::read(&mut lines, self)?,
            Kind::Ss => ss::read(&mut lines, self)?,
            Kind::Netstat => netstat::read(&mut lines, self)?,
            Kind::Conntrack => conntrack::read(&mut lines, self)?,
            Kind::Csv => csv::read(&mut lines, self)?,
        };
        self.partial |= stopped;
        Ok(!stopped)
    }

    /// The format of what begins like this.
    fn kind_of(&mut self, head: &[u8]) -> Result<Kind, ImportError> {
        if head.trim_ascii().is_empty() {
            return Err(ImportError::Empty);
        }
        if let Some((packer, command)) = kind::packed(head) {
            return Err(ImportError::Packed { packer, command });
        }
        let told = self.options.kind.or_else(|| kind::detect(head, &self.options.columns));
        let Some(kind) = told else { return Err(ImportError::Unknown(kind::excerpt(head))) };
        match self.kind.replace(kind) {
            Some(before) if before != kind => Err(ImportError::Unfit(format!(
                "this is {}, and what was read before is {}: import them one by one",
                kind.title(),
                before.title()
            ))),
            _ => Ok(kind),
        }
    }

    /// What was read; `None` when nothing was.
    #[must_use]
    pub fn finish(mut self) -> Option<Imported> {
        let kind = self.kind?;
        let open = std::mem::replace(&mut self.open, OpenTuples::new(self.options.limits.range));
        open.finish(&mut |connection| self.add(connection));
        let mut limits = self.options.limits;
        if kind == Kind::Conntrack {
            // A port of a NAT is taken for as long as its entry is there.
            limits.time_wait = snapshot::CONNTRACK_TIME_WAIT;
        }
        let seen = if kind.is_snapshot() {
            self.snapshot.finish(&limits)
        } else {
            self.collector.finish()
        };
        let Self { kind: _, tally, partial, .. } = self;
        Some(Imported { kind, tally, seen, limits, partial })
    }

    /// Goes through all lines; true when it was stopped.
    fn each_line(
        &mut self,
        lines: &mut Lines<'_, impl Read>,
        mut each: impl FnMut(&mut Self, &[u8], u64) -> Result<(), ImportError>,
    ) -> Result<bool, ImportError> {
        while let Some(line) = lines.next()? {
            let number = line.number;
            match line.text {
                Some(text) => each(self, text, number)?,
                None => {
                    self.tally.rows += 1;
                    let why = format!("longer than {} kB", lines::LONGEST >> 10);
                    self.tally.bad(number, why, b"");
                }
            }
            if number % ASKED_EVERY == 0 && (self.stopped)() {
                return Ok(true);
            }
        }
        Ok(lines.was_stopped())
    }

    /// Counts a connection, if it is from one of the addresses that were asked for.
    fn add(&mut self, connection: &Connection) {
        if self.is_wanted(connection.source.ip()) {
            self.tally.used += 1;
            self.collector.add(connection);
        } else {
            self.tally.leave_out("from other source addresses");
        }
    }

    fn is_wanted(&self, source: IpAddr) -> bool {
        self.options.only.is_empty() || self.options.only.contains(&source)
    }
}

#[cfg(test)]
mod tests;
