//! Figures by name: what `[expect]` bounds, and what a program asks a result for.

use super::figure::{Facet, Figure, Reading, Unit};
use super::figures::FIGURES;
use super::outcome::Outcome;
use super::subject::Subject;

/// What can be read and bounded: a figure, or a quantile of one.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The figure.
    pub figure: &'static Figure,
    /// Which part of it.
    pub part: Facet,
}

impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.figure.key == other.figure.key && self.part == other.part
    }
}

impl Metric {
    /// As `[expect]` names it: `first_blocked`, `probes_p99`.
    #[must_use]
    pub fn name(self) -> String {
        match self.part {
            Facet::Itself => self.figure.stem().to_owned(),
            part => format!("{}_{}", self.figure.stem(), part.key()),
        }
    }

    /// All that `[expect]` can bound.
    pub fn expected() -> impl Iterator<Item = Self> {
        FIGURES.iter().flat_map(|figure| figure.expected.iter().map(|&part| Self { figure, part }))
    }

    /// The one called `name`: a key, the same without its unit, or a quantile of either.
    ///
    /// # Errors
    /// Where there is no such figure.
    ///
    /// ```
    /// use portsim::stats::Metric;
    /// assert_eq!(Metric::named("first_blocked_s")?.name(), "first_blocked");
    /// let misspelt = Metric::named("blocking_rate").unwrap_err();
    /// assert_eq!(
    ///     misspelt.to_string(),
    ///     "there is no figure `blocking_rate`; did you mean `blocking_ratio`?"
    /// );
    /// # Ok::<(), portsim::stats::UnknownFigure>(())
    /// ```
    pub fn named(name: &str) -> Result<Self, UnknownFigure> {
        let all = || FIGURES.iter().filter(|figure| figure.unit != Unit::Group);
        let found = all().find_map(|figure| {
            let rest =
                name.strip_prefix(figure.key).or_else(|| name.strip_prefix(figure.stem()))?;
            let is_part = |part: &Facet| rest.strip_prefix('_') == Some(part.key());
            let part = match rest {
                "" => Facet::Itself,
                _ => Facet::QUANTILES.into_iter().find(is_part)?,
            };
            Some(Self { figure, part })
        });
        found.ok_or_else(|| {
            let likeness = |key: &&str| strsim::jaro_winkler(name, key);
            let keys = all().map(|figure| figure.key);
            let nearest = keys.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            UnknownFigure { name: name.to_owned(), nearest: nearest.expect("the table has rows") }
        })
    }

    /// What `subject` has of it, with its interval; `None` where there is no such figure.
    #[must_use]
    pub fn of(self, subject: &Subject<'_>) -> Option<Reading> {
        self.figure.value(subject).map(|value| value.part(self.part))
    }
}

/// There is no figure of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no figure `{name}`; did you mean `{nearest}`?")]
pub struct UnknownFigure {
    /// The name asked for.
    pub name: String,
    /// The one most like it.
    pub nearest: &'static str,
}

impl Subject<'_> {
    /// A figure by its name, as [`Metric::named`] knows it; `None` where nothing of the kind happened.
    ///
    /// # Errors
    /// Where there is no such figure.
    pub fn figure(&self, name: &str) -> Result<Option<Reading>, UnknownFigure> {
        Ok(Metric::named(name)?.of(self))
    }
}

impl Outcome {
    /// A figure of everything together by its name, as [`Subject::figure`].
    ///
    /// # Errors
    /// Where there is no such figure.
    pub fn figure(&self, name: &str) -> Result<Option<Reading>, UnknownFigure> {
        self.subject().figure(name)
    }
}
