//! Problems as text: what rustc would print, plain or coloured.

use std::fmt::{self, Write as _};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::problem::{Problem, Problems};
use super::source::{Source, Span, floor_boundary};

/// More than this many reports help nobody; the last line still says how many there are.
const SHOWN: usize = 50;

impl Problems {
    /// All problems as rustc-like reports with file, line and column, for a terminal.
    ///
    /// Ends with a line that counts them. `colour` adds ANSI styles; without it the text is plain.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for problem in self.iter().take(SHOWN) {
            let report = report(problem, self);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}\n", renderer.render(&report));
        }
        if !self.is_empty() {
            let _ = writeln!(text, "{}", count(self));
        }
        text
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// "3 mistakes in crawler.toml", or its like for warnings.
fn count(problems: &Problems) -> String {
    let origin = problems.sources.first().map_or("the scenario", |source| &*source.origin);
    let what = if problems.warnings { "warning" } else { "mistake" };
    let plural = if problems.len() == 1 { "" } else { "s" };
    let hidden = match problems.len().saturating_sub(SHOWN) {
        0 => String::new(),
        _ => format!(" (the first {SHOWN} are shown)"),
    };
    let origin = annotate_snippets::normalize_untrusted_str(origin);
    format!("{} {what}{plural} in {origin}{hidden}", problems.len())
}

fn report<'a>(problem: &'a Problem, problems: &'a Problems) -> Vec<Group<'a>> {
    let level = if problems.warnings { Level::WARNING } else { Level::ERROR };
    let mut group = Group::with_title(level.primary_title(&problem.message));
    let main = problem.at.and_then(|at| Some((at, problems.sources.get(at.source)?)));
    group = match main {
        Some((at, source)) => match shared_context(problem, at) {
            Some((span, label)) => group.element(snippet(source, at, problem, Some((span, label)))),
            None => {
                let group = group.element(snippet(source, at, problem, None));
                match &problem.context {
                    Some((span, label)) => with_far_context(group, problems, *span, label),
                    None => group,
                }
            }
        },
        None => match problems.sources.first() {
            Some(source) => group.element(Origin::path(&*source.origin)),
            None => group,
        },
    };
    for help in &problem.help {
        group = group.element(Level::HELP.message(help));
    }
    vec![group]
}

/// The second place, when it lies in the same text as the first.
fn shared_context(problem: &Problem, at: Span) -> Option<(Span, &str)> {
    let (span, label) = problem.context.as_ref()?;
    (span.source == at.source).then_some((*span, label))
}

fn with_far_context<'a>(
    group: Group<'a>,
    problems: &'a Problems,
    span: Span,
    label: &'a str,
) -> Group<'a> {
    match problems.sources.get(span.source) {
        Some(source) => {
            let lines = source.lines_around(span.range());
            let annotation =
                AnnotationKind::Context.span(within(source, span, lines.start)).label(label);
            group.element(cut(source, lines).annotation(annotation))
        }
        None => group,
    }
}

fn snippet<'a>(
    source: &'a Source,
    at: Span,
    problem: &'a Problem,
    context: Option<(Span, &'a str)>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let (first, last) = match context {
        Some((span, _)) => (at.start.min(span.start), at.end.max(span.end)),
        None => (at.start, at.end),
    };
    let lines = source.lines_around(first..last);
    let start = lines.start;
    let label = (!problem.label.is_empty()).then_some(problem.label.as_str());
    let mut annotations =
        vec![AnnotationKind::Primary.span(within(source, at, start)).label(label)];
    if let Some((span, label)) = context {
        annotations.push(AnnotationKind::Context.span(within(source, span, start)).label(label));
    }
    cut(source, lines).annotations(annotations)
}

/// Only the lines concerned: the renderer then never has to walk a long file, and its folding
/// still shortens what lies between two places.
fn cut<'a>(
    source: &'a Source,
    lines: std::ops::Range<usize>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let (line, _) = source.position(lines.start);
    Snippet::source(source.slice(lines)).line_start(line).path(&*source.origin)
}

/// `span` counted from `start`, forced onto character boundaries of its source.
fn within(source: &Source, span: Span, start: usize) -> std::ops::Range<usize> {
    let from = floor_boundary(&source.text, span.start);
    let to = floor_boundary(&source.text, span.end).max(from);
    from - start..to - start
}
