//! What is wrong with a scenario: one [`Problem`] a mistake, all of them in [`Problems`].
//!
//! A problem says what is wrong in a sentence, points at the text, says under it what was expected,
//! and then what to type instead. It holds positions and texts, not a rendering: the terminal,
//! JSON and tests each take what they need.

use std::sync::Arc;

use super::source::{Source, Span};

/// One mistake in a scenario, or one thing in it to think twice about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(crate) message: String,
    pub(crate) at: Option<Span>,
    pub(crate) label: String,
    /// A second place that explains the first, and what to say of it.
    pub(crate) context: Option<(Span, String)>,
    pub(crate) help: Vec<String>,
    pub(crate) standing: Standing,
}

/// Whether a problem stands on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The text is not TOML.
    Syntax,
    /// A mistake whatever else is wrong.
    Alone,
    /// Perhaps only the consequence of a mistake elsewhere: something is missing or unknown, which
    /// a line that is not TOML would have brought.
    Dependent,
}

impl Problem {
    /// A problem at `at`: `message` says what is wrong in one sentence.
    pub(crate) fn at(at: Span, message: impl Into<String>) -> Self {
        Self { at: (at != Span::BUILT_IN).then_some(at), ..Self::nowhere(message) }
    }

    /// A problem of the whole file: it is missing, or empty.
    pub(crate) fn nowhere(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            at: None,
            label: String::new(),
            context: None,
            help: Vec::new(),
            standing: Standing::Alone,
        }
    }

    /// What stands under the underlined text.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// What to type instead; may be called more than once.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// [`Problem::help`], if there is any to give.
    pub(crate) fn help_maybe(mut self, help: Option<impl Into<String>>) -> Self {
        self.help.extend(help.map(Into::into));
        self
    }

    /// A second place that explains the first.
    pub(crate) fn context(mut self, at: Span, label: impl Into<String>) -> Self {
        if at != Span::BUILT_IN {
            self.context = Some((at, label.into()));
        }
        self
    }

    /// Says that this may only follow from a mistake elsewhere.
    pub(crate) fn depends(self) -> Self {
        Self { standing: Standing::Dependent, ..self }
    }

    /// Says that the text is not TOML here.
    pub(crate) fn syntax(self) -> Self {
        Self { standing: Standing::Syntax, ..self }
    }

    /// What is wrong, in one sentence without a full stop.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What stands under the underlined text; may be empty.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.label
    }

    /// What to type instead, a line each.
    #[must_use]
    pub fn suggestions(&self) -> &[String] {
        &self.help
    }
}

/// Where a problem is, for people and for editors.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file as it was named, or "command line".
    pub origin: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The offending text.
    pub text: String,
}

/// Everything that is wrong with one scenario, ready to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    pub(crate) problems: Vec<Problem>,
    pub(crate) sources: Arc<[Source]>,
    pub(crate) warnings: bool,
}

impl Problems {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    /// Is there nothing wrong?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.problems.iter()
    }

    /// Where `problem`, one of these, is; `None` when it is the whole file that is wrong.
    #[must_use]
    pub fn place(&self, problem: &Problem) -> Option<Place> {
        let at = problem.at?;
        let source = self.sources.get(at.source)?;
        let (line, column) = source.position(at.start);
        Some(Place {
            origin: source.origin.to_string(),
            line,
            column,
            text: source.slice(at.range()).to_owned(),
        })
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::error::Error for Problems {}
