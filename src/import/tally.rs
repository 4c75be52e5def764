//! What became of the lines of a record.

use std::collections::BTreeMap;

/// Bad lines that are shown.
const SHOWN: usize = 5;
/// Characters of a bad line that are shown.
const EXCERPT: usize = 60;

/// Lines that were read, left out and bad.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines that say something: without headers and empty ones.
    pub rows: u64,
    /// Connections, or sockets, that were counted. Several rows can make one.
    pub used: u64,
    /// Rows that are well written and do not count, by the reason.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Rows that cannot be read.
    pub bad: u64,
    /// The first of them.
    pub first_bad: Vec<BadLine>,
    /// Number of the input that is read, from 1.
    pub(super) input: usize,
    /// What the record does not have, and what that means: a sentence each.
    pub missing: Vec<String>,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Number of the input that it is in, from 1.
    pub input: usize,
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it, in a few words.
    pub why: String,
    /// How it begins.
    pub text: String,
}

impl Tally {
    /// Counts a row that does not count.
    pub(super) fn leave_out(&mut self, why: &'static str) {
        *self.left_out.entry(why).or_default() += 1;
    }

    /// Counts a bad line, and keeps the first few.
    pub(super) fn bad(&mut self, line: u64, why: impl Into<String>, text: &[u8]) {
        self.bad += 1;
        if self.first_bad.len() < SHOWN {
            let text = excerpt(text, EXCERPT);
            self.first_bad.push(BadLine { input: self.input, line, why: why.into(), text });
        }
    }

    /// Says once what the record does not have.
    pub(super) fn lacks(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.missing.contains(&sentence) {
            self.missing.push(sentence);
        }
    }
}

/// How bytes begin, as text without control characters.
pub(super) fn excerpt(text: &[u8], most: usize) -> String {
    let start = &text[..text.len().min(4 * most)];
    let shown: String = String::from_utf8_lossy(start)
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(most)
        .collect();
    let cut = text.len() > start.len() || String::from_utf8_lossy(start).chars().count() > most;
    if cut { format!("{}...", shown.trim_end()) } else { shown.trim_end().to_owned() }
}
