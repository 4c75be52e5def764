//! Stdout for data, stderr for talk: colour, width, and pipes that close early.

use std::fmt::Display;
use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use super::Status;

/// Headings.
pub const BOLD: Style = Style::new().bold();
/// What holds.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What does not.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is open, and warnings.
pub const OPEN: Style = AnsiColor::Yellow.on_default().bold();

/// `text` in `style`; stripped again by the streams where colour is not wanted.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// `text` without characters that would steer the terminal: names and titles come from files.
pub fn tame(text: &str) -> String {
    portsim::names::tame(text).into_owned()
}

/// The two streams, and what became of stdout.
pub struct Terminal {
    quiet: bool,
    stdout_closed: bool,
    failure: Option<io::Error>,
}

impl Terminal {
    /// With `quiet`, [`Terminal::note`] says nothing.
    pub const fn new(quiet: bool) -> Self {
        Self { quiet, stdout_closed: false, failure: None }
    }

    /// Prints data. A reader that has gone away is no error: it has what it wanted.
    pub fn print(&mut self, text: &str) {
        if self.stdout_closed {
            return;
        }
        let mut stdout = AutoStream::auto(io::stdout());
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            self.stdout_closed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                talk(&format!("{} cannot write to stdout: {error}", styled(BAD, "error:")));
                self.failure = Some(error);
            }
        }
    }

    /// Says something that can be left out.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            talk(text);
        }
    }

    /// How the program ends as far as stdout is concerned.
    pub fn status(&self) -> Status {
        if self.failure.is_some() { Status::CouldNotFinish } else { Status::Done }
    }
}

/// Says something on stderr; when nobody listens, that is that.
pub fn talk(text: &str) {
    let mut stderr = AutoStream::auto(io::stderr());
    let _ = writeln!(stderr, "{text}");
}

/// Says what is wrong, on stderr.
pub fn error(text: impl Display) {
    talk(&format!("{} {text}", styled(BAD, "error:")));
}

/// Is colour wanted on stderr?
pub fn colour_on_stderr() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Columns of the terminal that stdout goes to; 80 when it is none, unless COLUMNS says otherwise.
pub fn width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen =
        || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    told.or_else(seen).filter(|&columns| columns > 0).unwrap_or(80)
}

/// Lines of the terminal that stdout goes to; 24 when it is none.
pub fn height() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(24, |(_, height)| usize::from(height.0))
}

/// What stays on one line with the number before it.
const UNITS: [&str; 11] = ["/", "%", "±", "ns", "us", "µs", "ms", "s", "min", "h", "d"];

/// `text` broken into lines of at most `width` columns, further ones indented by `indent`; a figure
/// keeps its unit.
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let unit = UNITS.contains(&word.trim_end_matches(['.', ',', ';', ':', ')']));
        match words.last_mut() {
            Some(last) if unit => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    let mut lines = String::new();
    let mut column = 0;
    for (index, word) in words.iter().enumerate() {
        let length = word.chars().count();
        if column > indent && column + 1 + length > width {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent;
        } else if index > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words() {
        assert_eq!(wrap("one two three", 7, 0), "one two\nthree");
        assert_eq!(wrap("one two three", 7, 2), "one two\n  three");
        assert_eq!(wrap("short", 80, 2), "short");
        assert_eq!(wrap("unbreakably-long word", 5, 2), "unbreakably-long\n  word");
    }

    #[test]
    fn a_figure_keeps_its_unit() {
        assert_eq!(wrap("at 461 / s; then", 8, 0), "at\n461 / s;\nthen");
        assert_eq!(wrap("ratio 33.02 %", 8, 0), "ratio\n33.02 %");
    }

    #[test]
    fn a_title_cannot_steer_the_terminal() {
        assert_eq!(tame("red\u{1b}[31m\nx"), "red [31m x");
    }
}
