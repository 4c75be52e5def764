//! Reads a quantity from left to right: numbers, words, signs, and what is wrong with them.

use std::ops::Range;

use super::suggest::shown;

/// What is wrong with a text that should be a quantity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wrong {
    /// In one sentence.
    pub message: String,
    /// What stands under the text.
    pub label: String,
    /// What to type instead.
    pub help: String,
    /// Which bytes of the text are to blame.
    pub range: Range<usize>,
}

/// A number as a person would write it.
pub(crate) fn plain_number(number: f64) -> String {
    if (1e-6..1e15).contains(&number.abs()) || number == 0.0 {
        format!("{number}")
    } else {
        format!("{number:e}")
    }
}

/// Reads a text from left to right.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    text: &'a str,
    /// The byte that comes next.
    pub at: usize,
}

impl<'a> Scan<'a> {
    /// Starts at the beginning of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// What has not been read yet.
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Has everything been read?
    pub fn is_done(&self) -> bool {
        self.at == self.text.len()
    }

    /// Goes on to the next character that is not a space.
    pub fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Reads `c` if it comes next.
    pub fn take(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// Does a digit come next?
    pub fn starts_with_digit(&self) -> bool {
        self.rest().starts_with(|c: char| c.is_ascii_digit())
    }

    /// The letters that come next, perhaps none.
    pub fn word(&mut self) -> (&'a str, Range<usize>) {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let range = self.at..self.at + end;
        self.at = range.end;
        (&rest[..end], range)
    }

    /// The number that must come next: digits, perhaps with a point, `_` and an exponent.
    pub fn number(&mut self, what: &str, example: &str) -> Result<(f64, Range<usize>), Wrong> {
        let rest = self.rest();
        if rest.starts_with('-') && rest[1..].trim_start().starts_with(|c: char| c.is_ascii_digit())
        {
            let message = format!("{what} cannot be negative");
            return Err(self.wrong(self.at..self.text.len(), message, "below zero", example));
        }
        let digits = rest.strip_prefix('+').unwrap_or(rest);
        let mut length = digits
            .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
            .unwrap_or(digits.len());
        length += exponent(&digits[length..]);
        let start = self.at + rest.len() - digits.len();
        let range = start..start + length;
        if self.text[range.end..].starts_with(',') {
            return Err(self.wrong(
                range.start..range.end + 1,
                format!("`{}` has a comma", shown(self.text)),
                "a comma",
                "write a point before the decimals and nothing between thousands: 1.5, 28232",
            ));
        }
        let plain = digits[..length].replace('_', "");
        match plain.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.at = range.end;
                Ok((number, range))
            }
            Ok(_) => {
                let message = format!("`{}` is out of all proportion", shown(&plain));
                Err(self.wrong(range, message, "too large", example))
            }
            Err(_) => {
                let message = format!("`{}` is not {what}", shown(self.text));
                let label = "a number was expected here";
                Err(self.wrong(self.at..self.text.len(), message, label, example))
            }
        }
    }

    /// The number at `at` stands alone.
    pub fn no_unit(&self, at: Range<usize>, number: f64, units: &[&str]) -> Wrong {
        let list: Vec<String> =
            units.iter().map(|unit| format!("\"{} {unit}\"", plain_number(number))).collect();
        let help = format!("write the unit: {}", list.join(", "));
        let message = format!("the unit is missing after {}", shown(&self.text[at.clone()]));
        self.wrong(at, message, "which unit?", &help)
    }

    /// Refuses whatever is left.
    pub fn nothing_more(&self, example: &str) -> Result<(), Wrong> {
        if self.is_done() {
            return Ok(());
        }
        let message = format!("`{}` is not understood", shown(self.rest()));
        Err(self.wrong(self.at..self.text.len(), message, "nothing more was expected", example))
    }

    /// A mistake in `range` of the text.
    pub fn wrong(
        &self,
        range: Range<usize>,
        message: impl Into<String>,
        label: &str,
        help: &str,
    ) -> Wrong {
        Wrong { message: message.into(), label: label.to_owned(), help: help.to_owned(), range }
    }
}

/// Length of the exponent that `text` starts with; zero when it does not.
fn exponent(text: &str) -> usize {
    let Some(rest) = text.strip_prefix(['e', 'E']) else { return 0 };
    let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 { 0 } else { text.len() - digits.len() + length }
}
