//! Attempts that were recorded: `arrivals = { process = "trace", file = "attempts.csv" }`.
//!
//! A CSV file with a header, read line by line, for it may hold millions of them. Where a column is
//! there, its values become the client's own laws too: what theory says of a client is then said of
//! what was recorded.

use std::io::{BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use super::trace_lines::{HELP, Lines, Way};
use crate::model::{Distribution, Ending, TraceAttempt};
use crate::scenario::text::file::{Unreadable, open};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::suggest::shown;
use crate::scenario::text::tree::Node;
use crate::scenario::text::walk::Walk;
use crate::units::SimDuration;

/// Largest file that is read.
const LARGEST_FILE: u64 = 4 << 30;

/// A file of attempts, read.
#[derive(Debug)]
pub(crate) struct Record {
    pub attempts: Vec<TraceAttempt>,
    /// How long a worker thinks after each, where that was recorded.
    pub thinks: Vec<SimDuration>,
    ways: usize,
}

impl Record {
    /// All lifetimes as a law; `None` where none was recorded.
    pub fn lifetimes(&self) -> Option<Distribution> {
        let lifetimes: Arc<[SimDuration]> =
            self.attempts.iter().filter_map(|attempt| attempt.lifetime).collect();
        (!lifetimes.is_empty()).then_some(Distribution::Empirical(lifetimes))
    }

    /// Does it say from which source addresses attempts were made?
    pub fn has_sources(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.source.is_some())
    }

    /// Each ending and how often it was recorded; `None` where none was.
    pub fn endings(&self) -> Option<Vec<(Ending, f64)>> {
        let mut counts: Vec<(Ending, f64)> = Vec::new();
        for ending in self.attempts.iter().filter_map(|attempt| attempt.ending) {
            match counts.iter_mut().find(|(other, _)| *other == ending) {
                Some((_, count)) => *count += 1.0,
                None => counts.push((ending, 1.0)),
            }
        }
        (!counts.is_empty()).then_some(counts)
    }

    /// How many attempts went each way; `None` where that was not recorded.
    pub fn visits(&self) -> Option<Vec<u64>> {
        let mut counts = vec![0; self.ways];
        for (way, _) in self.attempts.iter().filter_map(|attempt| attempt.to) {
            counts[usize::from(way)] += 1;
        }
        counts.iter().any(|count| *count > 0).then_some(counts)
    }

    /// Leaves out the ways whose count is zero: those behind them move up.
    pub fn renumber(&mut self, counts: &[u64]) {
        let mut next = 0;
        let numbers: Vec<u16> = counts
            .iter()
            .map(|&count| {
                let number = next;
                next += u16::from(count > 0);
                number
            })
            .collect();
        for (way, _) in self.attempts.iter_mut().filter_map(|attempt| attempt.to.as_mut()) {
            *way = numbers[usize::from(*way)];
        }
    }
}

/// Reads the file that `node` names; what is wrong with it is reported.
///
/// An attempt goes one of `ways`, from one of so many source `addresses`, if that is known; where they are
/// `timeless`, no time has to be recorded.
pub(crate) fn record(
    walk: &Walk,
    node: &Node,
    ways: &[Way<'_>],
    addresses: Option<u32>,
    timeless: bool,
) -> Option<Record> {
    let name = walk.text(node, "file", HELP)?;
    let path = walk.directory().join(&name);
    match attempts(walk, &path, ways, addresses, timeless) {
        Ok((attempts, thinks)) => Some(Record { attempts, thinks, ways: ways.len() }),
        Err(Failure::Reported) => None,
        Err(Failure::Whole(why)) => {
            let message = format!("the attempts in `{}` cannot be read: {why}", shown(&name));
            walk.report(Problem::at(node.at, message).label("this file").help(why.help()));
            None
        }
    }
}

/// Why a file of attempts was not read.
enum Failure {
    /// Lines of it are wrong, and that was said.
    Reported,
    /// All of it.
    Whole(Whole),
}

#[derive(Debug, thiserror::Error)]
enum Whole {
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    #[error("there are {0} destinations to choose from")]
    Destinations(usize),
    #[error("there is no attempt in it")]
    Empty,
}

impl Whole {
    /// What to do about it.
    fn help(&self) -> &'static str {
        match self {
            Self::Unreadable(Unreadable::TooLarge(_)) => "simulate a few hours of it at a time",
            Self::Unreadable(_) => "the path counts from the directory of the scenario file",
            Self::Destinations(_) => "name the one that it is about: to = \"api\"",
            Self::Empty => HELP,
        }
    }
}

impl<E: Into<Unreadable>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Whole(Whole::Unreadable(error.into()))
    }
}

fn attempts(
    walk: &Walk,
    path: &Path,
    ways: &[Way<'_>],
    addresses: Option<u32>,
    timeless: bool,
) -> Result<(Vec<TraceAttempt>, Vec<SimDuration>), Failure> {
    let file = open(path)?;
    if file.metadata()?.len() > LARGEST_FILE {
        return Err(Unreadable::TooLarge("4 GiB").into());
    }
    if ways.len() > usize::from(u16::MAX) {
        return Err(Failure::Whole(Whole::Destinations(ways.len())));
    }
    let origin = path.display().to_string();
    let mut lines = Lines::new(walk, &origin, ways, addresses, timeless);
    lines.read_all(BufReader::new(file.take(LARGEST_FILE)))?;
    if lines.wrong > 0 {
        return Err(Failure::Reported);
    }
    if lines.attempts.is_empty() {
        return Err(Failure::Whole(Whole::Empty));
    }
    Ok((lines.attempts, lines.thinks))
}
