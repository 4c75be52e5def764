//! Lines of a stream, without a copy of each and never more than [`LONGEST`] bytes of one.

use std::io::{self, Read};

/// A line that is longer is bad, and skipped without being kept.
pub(super) const LONGEST: usize = 256 << 10;

/// A stream as lines.
pub(super) struct Lines<'s, R> {
    input: R,
    /// Is asked whether to stop when the input says that it was interrupted.
    stop: &'s dyn Fn() -> bool,
    buffer: Vec<u8>,
    /// What of the buffer is not yet used.
    start: usize,
    end: usize,
    number: u64,
    done: bool,
    stopped: bool,
}

/// One line, without its end.
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// Its bytes; `None` when there are too many.
    pub text: Option<&'a [u8]>,
}

impl<'s, R: Read> Lines<'s, R> {
    pub fn new(input: R, stop: &'s dyn Fn() -> bool) -> Self {
        let buffer = vec![0; LONGEST];
        Self { input, stop, buffer, start: 0, end: 0, number: 0, done: false, stopped: false }
    }

    /// Was it stopped, so that the rest is missing?
    pub const fn was_stopped(&self) -> bool {
        self.stopped
    }

    /// The first bytes, as many as come at once but some lines where there are; they stay to be read.
    pub fn head(&mut self) -> io::Result<&[u8]> {
        while !self.done && self.end < 4_096 {
            self.fill()?;
        }
        if self.number == 0 && self.buffer[self.start..self.end].starts_with(b"\xef\xbb\xbf") {
            self.start += 3;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// The next line.
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut looked_at = self.start;
        let mut too_long = false;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[looked_at..self.end]) {
                let line = self.start..looked_at + at;
                self.start = line.end + 1;
                return Ok(Some(self.line(line, too_long)));
            }
            if self.done {
                // A line that was cut off by a stop says nothing.
                if self.stopped || (self.start == self.end && !too_long) {
                    return Ok(None);
                }
                let line = self.start..self.end;
                self.start = self.end;
                return Ok(Some(self.line(line, too_long)));
            }
            looked_at = self.end;
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                looked_at -= self.start;
                (self.start, self.end) = (0, looked_at);
            } else if self.end == self.buffer.len() {
                too_long = true;
                (self.end, looked_at) = (0, 0);
            }
            self.fill()?;
        }
    }

    fn line(&mut self, range: std::ops::Range<usize>, too_long: bool) -> Line<'_> {
        self.number += 1;
        let text = &self.buffer[range];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Line { number: self.number, text: (!too_long).then_some(text) }
    }

    fn fill(&mut self) -> io::Result<()> {
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.done = true,
                Ok(more) => self.end += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if !(self.stop)() {
                        continue;
                    }
                    (self.done, self.stopped) = (true, true);
                }
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives as many bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let now = self.0.len().min(self.1).min(buffer.len());
            buffer[..now].copy_from_slice(&self.0[..now]);
            self.0 = &self.0[now..];
            Ok(now)
        }
    }

    fn lines(text: &[u8], at_once: usize) -> Vec<Option<String>> {
        let mut lines = Lines::new(Slow(text, at_once), &|| false);
        lines.head().unwrap();
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            assert_eq!(line.number as usize, found.len() + 1);
            found.push(line.text.map(|text| String::from_utf8_lossy(text).into_owned()));
        }
        found
    }

    fn text(line: &str) -> Option<String> {
        Some(line.to_owned())
    }

    #[test]
    fn lines_are_found_however_the_bytes_come() {
        for at_once in [1, 3, 7, 4_096] {
            assert_eq!(lines(b"one\r\ntwo\n\nlast", at_once), ["one", "two", "", "last"].map(text));
            assert_eq!(lines(b"one\n", at_once), [text("one")]);
            assert_eq!(lines(b"", at_once), []);
            assert_eq!(lines(b"\xef\xbb\xbfone\n", at_once), [text("one")]);
        }
    }

    /// Is interrupted again and again when it has nothing more.
    struct Interrupted<'a>(&'a [u8]);

    impl Read for Interrupted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::ErrorKind::Interrupted.into()),
                read => Ok(read),
            }
        }
    }

    #[test]
    fn whole_lines_are_kept_when_it_is_stopped() {
        let asked = std::cell::Cell::new(0);
        let stop = || asked.replace(asked.get() + 1) == 3;
        let mut lines = Lines::new(Interrupted(b"one\ntwo\nthr"), &stop);
        assert_eq!(lines.head().unwrap(), b"one\ntwo\nthr");
        assert!(lines.was_stopped());
        for meant in ["one", "two"] {
            assert_eq!(lines.next().unwrap().unwrap().text, Some(meant.as_bytes()));
        }
        assert!(lines.next().unwrap().is_none());
    }

    #[test]
    fn a_line_without_end_is_skipped_and_not_kept() {
        let long = [vec![b'x'; 3 * LONGEST + 5], b"\nnext\n".to_vec()].concat();
        assert_eq!(lines(&long, 1_000), [None, text("next")]);
        assert_eq!(lines(&vec![b'x'; LONGEST + 1], 9_999), [None]);
        let fits = vec![b'x'; LONGEST - 1];
        assert_eq!(lines(&[&fits[..], b"\nnext"].concat(), 9_999)[1], text("next"));
    }
}
