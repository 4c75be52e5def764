//! What figures are told of: everything together, one client, one limit.

use super::outcome::{ClientFigures, Figures, LimitFigures, Outcome};
use super::refusals::{self, Refusals};
use crate::theory::Expected;

/// The kinds of subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectKind {
    /// Everything together.
    Whole,
    /// One client.
    Client,
    /// One limit.
    Limit,
}

/// Something that has figures.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Its kind.
    pub kind: SubjectKind,
    /// Its name in the scenario; empty for the whole.
    pub name: &'a str,
    /// Its figures.
    pub figures: &'a Figures,
    /// The limit that it is; for the whole the only one, whose theory is true of the whole then.
    pub limit: Option<&'a LimitFigures>,
    refusing: Vec<Refusing<'a>>,
}

/// What one limit did to a subject.
#[derive(Clone, Copy, Debug)]
struct Refusing<'a> {
    limit: &'a str,
    is_linux: bool,
    figures: &'a Figures,
}

impl<'a> Subject<'a> {
    /// What the formulas say of it, `None` where they say nothing.
    #[must_use]
    pub fn theory(&self) -> Option<&'a Expected> {
        self.limit.map(|limit| &limit.theory)
    }

    /// Its refusals by reason.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        let counts = self.refusing.iter().flat_map(|by| refusals::of(by.is_linux, by.figures));
        refusals::added(counts)
    }

    /// The name of each limit that its attempts have to pass, and what was blocked there.
    pub fn binds(&self) -> impl Iterator<Item = (&'a str, u64)> {
        self.refusing.iter().map(|by| (by.limit, by.figures.blocked))
    }

    /// Are all its limits those of Linux?
    #[must_use]
    pub fn is_linux(&self) -> bool {
        self.refusing.iter().all(|by| by.is_linux)
    }
}

impl Outcome {
    /// Everything together.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            kind: SubjectKind::Whole,
            name: "",
            figures: &self.whole,
            limit: match &self.limits[..] {
                [only] => Some(only),
                _ => None,
            },
            refusing: self.limits.iter().map(LimitFigures::refusing).collect(),
        }
    }

    /// The client called `name`.
    #[must_use]
    pub fn client(&self, name: &str) -> Option<&ClientFigures> {
        self.clients.iter().find(|client| client.name == name)
    }

    /// The limit called `name`.
    #[must_use]
    pub fn limit(&self, name: &str) -> Option<&LimitFigures> {
        self.limits.iter().find(|limit| limit.name == name)
    }
}

impl LimitFigures {
    /// This limit.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            kind: SubjectKind::Limit,
            name: &self.name,
            figures: &self.figures,
            limit: Some(self),
            refusing: vec![self.refusing()],
        }
    }

    fn refusing(&self) -> Refusing<'_> {
        Refusing { limit: &self.name, is_linux: self.is_linux, figures: &self.figures }
    }
}

impl ClientFigures {
    /// This client.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        let (limit, is_linux, figures) = (&*self.host, self.is_linux, &self.figures);
        Subject {
            kind: SubjectKind::Client,
            name: &self.name,
            figures,
            limit: None,
            refusing: vec![Refusing { limit, is_linux, figures }],
        }
    }
}
