//! Where a piece of a scenario was written: in the file, in an override, in a file of samples.
//!
//! Every key and value keeps its [`Span`] on its way through the reader, so that whatever is
//! wrong with it can be shown where it stands.

use std::ops::Range;
use std::sync::Arc;

/// One text that scenario values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// What a person calls it: the path as given, or "command line".
    pub origin: Arc<str>,
    /// The text itself.
    pub text: Arc<str>,
    /// The number of its first line: 1, or that of the one line quoted from a long file.
    pub first_line: usize,
}

impl Source {
    /// The text that `range` covers; empty when it does not lie inside on character boundaries.
    pub fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or("")
    }

    /// Line and column of a byte offset, the column from 1; it counts characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..floor_boundary(&self.text, offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + self.first_line;
        (line, before[line_start..].chars().count() + 1)
    }

    /// The byte range of the whole lines that `range` touches, without the last newline.
    pub fn lines_around(&self, range: Range<usize>) -> Range<usize> {
        let start = floor_boundary(&self.text, range.start);
        let end = floor_boundary(&self.text, range.end.max(range.start));
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        // A range that ends just behind a newline does not touch the next line.
        let search = if end > start && self.text[..end].ends_with('\n') { end - 1 } else { end };
        let line_end = self.text[search..].find('\n').map_or(self.text.len(), |at| search + at);
        line_start..line_end
    }
}

/// The nearest character boundary at or before `offset`.
pub(crate) fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A stretch of one [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Index into the sources of the scenario.
    pub source: usize,
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// Stands for a value that has no text of its own: those of presets.
    pub const BUILT_IN: Self = Self { source: usize::MAX, start: 0, end: 0 };

    /// `range` of source number `source`.
    pub fn new(source: usize, range: Range<usize>) -> Self {
        Self { source, start: range.start, end: range.end.max(range.start) }
    }

    /// The bytes covered.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { origin: "x.toml".into(), text: text.into(), first_line: 1 }
    }

    #[test]
    fn columns_count_characters_and_lines_count_newlines() {
        let source = source("a = 1\nµs = 2\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(6), (2, 1));
        assert_eq!(source.position(8), (2, 2), "µ is two bytes and one character");
        assert_eq!(source.position(7), (2, 1), "inside a character counts as its start");
        assert_eq!(source.position(999), (3, 1));
    }

    #[test]
    fn whole_lines_are_found_around_any_range() {
        let source = source("one\ntwo\nthree");
        assert_eq!(source.slice(source.lines_around(5..6)), "two");
        assert_eq!(source.slice(source.lines_around(4..8)), "two");
        assert_eq!(source.slice(source.lines_around(1..5)), "one\ntwo");
        assert_eq!(source.slice(source.lines_around(13..13)), "three");
        assert_eq!(source.slice(source.lines_around(99..120)), "three");
    }
}
