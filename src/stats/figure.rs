//! What a figure is: its name, its unit, how it is read off a result, and where it is shown.
//!
//! All of them stand in one table, [`super::FIGURES`]. JSON, CSV, Markdown, the tables, `[expect]`, the
//! documents and [`super::Outcome::figure`] walk it, so a new figure is one row.

use super::outcome::{
    Estimate, Figures, LimitFigures, Moments, Quantiles, RequestFigures, SearchTime,
};
use super::subject::{Subject, SubjectKind};
use crate::theory::Expected;

/// A row of the table of figures.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Figure {
    /// Its name in `summary.json`; of an amount with a unit, the unit comes last: `first_blocked_s`.
    pub key: &'static str,
    /// What people are told it is, in a list.
    pub title: &'static str,
    /// The same over a column.
    pub head: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Where it is read.
    pub read: Read,
    /// What the formulas say of it, for comparison.
    pub in_theory: Option<fn(&Expected) -> Option<f64>>,
    /// Of what it can be told.
    pub on: &'static [SubjectKind],
    /// The parts of it that `[expect]` can bound.
    pub expected: &'static [Facet],
    /// Does it describe the steady state, so that filling up from empty distorts it?
    pub steady: bool,
    /// How it stands in `summary.json`.
    pub summary: InSummary,
    /// Where it stands in a row of CSV: an order with gaps, 0 for nowhere.
    pub csv: u8,
    /// Where it stands among the rows that tell of one host, likewise.
    pub row: u8,
    /// Where it stands among the columns that compare several hosts, likewise.
    pub column: u8,
    /// The parts of it that people are shown.
    pub parts: &'static [Facet],
    /// Is its interval told beside it, in tables and CSV?
    pub with_interval: bool,
    /// Are people shown it only where the whole has some?
    pub rare: bool,
    /// Is it among what one needs for a ticket?
    pub brief: bool,
    /// What Linux calls it.
    pub errno: Option<&'static str>,
    /// What people are told where there is none.
    pub none: &'static str,
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Things, in the plural.
    Of(&'static str),
    /// A share, 0 to 1.
    Share,
    /// A share of something that has to be said, 0 to 1.
    ShareOf(&'static str),
    /// Seconds.
    Time,
    /// A second.
    Rate,
    /// Erlangs.
    Load,
    /// Several figures under one key, which cannot be read as one.
    Group,
}

/// How a figure stands in `summary.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InSummary {
    /// Always; `null` where there is none.
    Always,
    /// Where there is one.
    WhereKnown,
    /// With its interval in it; that of all others is under `intervals`.
    WithInterval,
    /// Among the figures of `theory`.
    InTheory,
    /// Nowhere.
    Not,
}

/// A figure, or one quantile of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Facet {
    /// The figure itself; of quantiles the median.
    Itself,
    /// The median.
    P50,
    /// What 90 % do not exceed.
    P90,
    /// What 99 % do not exceed.
    P99,
    /// The greatest.
    Max,
}

impl Facet {
    /// The quantiles, in the order in which they are written.
    pub const QUANTILES: [Self; 4] = [Self::P50, Self::P90, Self::P99, Self::Max];

    /// As a key has it: `p99`, and nothing for the figure itself.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Itself => "",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }
}

/// Where a figure is read.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Read {
    /// A whole number.
    Count(fn(&Figures) -> u64),
    /// A number without an interval.
    Number(fn(&Figures) -> f64),
    /// A mean over replications.
    Mean(fn(&Figures) -> Estimate),
    /// A moment that not every replication has.
    Moment(fn(&Figures) -> Option<Moments>),
    /// A distribution.
    Quantiles(fn(&Figures) -> &Quantiles),
    /// What only those have that make requests, or try again.
    Requests(fn(&RequestFigures) -> Option<Value>),
    /// What only a limit has.
    Limit(fn(&LimitFigures) -> Option<Value>),
    /// A closed form for one machine of a limit.
    Formula(fn(&Expected) -> Option<f64>),
    /// What was blocked, by reason.
    Refusals,
    /// What was blocked, by limit.
    Binds,
    /// The intervals of all means.
    Intervals,
    /// All closed forms.
    Theory,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A whole number.
    Count(u64),
    /// A number without an interval.
    Number(f64),
    /// A mean over replications.
    Mean(Estimate),
    /// A moment.
    Moment(Moments),
    /// Quantiles, as [`Facet::QUANTILES`] has them.
    Spectrum([f64; 4]),
}

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The figure itself.
    pub value: f64,
    /// Lower end of the interval; the value where there is none.
    pub lo: f64,
    /// Upper end, likewise.
    pub hi: f64,
}

impl Value {
    /// One part of it with its interval.
    #[must_use]
    pub fn part(self, part: Facet) -> Reading {
        let point = |value| Reading { value, lo: value, hi: value };
        match self {
            Self::Count(count) => point(count as f64),
            Self::Number(number) => point(number),
            Self::Mean(Estimate { mean, lo, hi }) => Reading { value: mean, lo, hi },
            Self::Moment(Moments { median, lo, hi, .. }) => Reading { value: median, lo, hi },
            Self::Spectrum([p50, p90, p99, max]) => point(match part {
                Facet::Itself | Facet::P50 => p50,
                Facet::P90 => p90,
                Facet::P99 => p99,
                Facet::Max => max,
            }),
        }
    }

    pub(super) const fn quantiles(q: &Quantiles) -> Self {
        Self::Spectrum([q.p50, q.p90, q.p99, q.max])
    }

    pub(super) const fn search(time: SearchTime) -> Self {
        Self::Spectrum([time.p50, time.p90, time.p99, time.max])
    }
}

impl Figure {
    /// Its key without the unit: `first_blocked`.
    #[must_use]
    pub fn stem(&self) -> &'static str {
        match self.unit {
            Unit::Time => self.key.strip_suffix("_s").unwrap_or(self.key),
            _ => self.key,
        }
    }

    /// What `subject` has of it; `None` where there is no such figure, and of a group.
    #[must_use]
    pub fn value(&self, subject: &Subject<'_>) -> Option<Value> {
        let figures = subject.figures;
        if !self.on.contains(&subject.kind) {
            return None;
        }
        match self.read {
            Read::Count(read) => Some(Value::Count(read(figures))),
            Read::Number(read) => Some(Value::Number(read(figures))),
            Read::Mean(read) => Some(Value::Mean(read(figures))),
            Read::Moment(read) => read(figures).map(Value::Moment),
            Read::Quantiles(read) => {
                let q = read(figures);
                // Zeros would pass for measured ones.
                let recorded = !q.histogram.is_empty();
                recorded.then_some(Value::quantiles(q))
            }
            Read::Requests(read) => figures.requests.as_ref().and_then(read),
            Read::Limit(read) => subject.limit.and_then(read),
            Read::Formula(read) => read(&subject.limit?.theory).map(Value::Number),
            Read::Refusals | Read::Binds | Read::Intervals | Read::Theory => None,
        }
    }
}
