//! Zeek's conn.log: tab-separated text with its own header, or JSON lines.
//!
//! Source: Zeek's documentation, "conn.log" (docs.zeek.org/en/master/logs/conn.html), "Zeek Log Formats
//! and Inspection" (docs.zeek.org/en/master/log-formats.html), and the script
//! base/protocols/conn/main.zeek for `conn_state` and `history`.
//!
//! A row is written when the connection is over, so what is still open when the log ends is not in it.

use std::io::Read;

use super::lines::Lines;
use super::zeek_row::{NAMES, NEEDED, connection};
use super::{ImportError, Importer, zeek_json};

/// What the header says; it can come again where logs were put one behind the other.
struct Header {
    separator: u8,
    /// Have its tabs become spaces, as they do when text is pasted?
    spaced: bool,
    unset: Vec<u8>,
    /// Which of [`NAMES`] is in each column, up to the last that is needed.
    columns: Vec<Option<usize>>,
    /// Is it conn.log that follows?
    conn: bool,
}

/// Reads all of it; true when it was stopped.
pub(super) fn read(
    lines: &mut Lines<'_, impl Read>,
    reading: &mut Importer<'_>,
) -> Result<bool, ImportError> {
    let mut header = Header {
        separator: b'\t',
        spaced: false,
        unset: b"-".to_vec(),
        columns: Vec::new(),
        conn: true,
    };
    let mut missing = [true; NAMES.len() - NEEDED];
    let stopped = reading.each_line(lines, |reading, line, number| {
        match line.first() {
            None => return Ok(()),
            Some(b'#') => return header.take(line, reading),
            _ => reading.tally.rows += 1,
        }
        if line[0] == b'{' {
            zeek_json::row(reading, line, number, &mut missing);
            return Ok(());
        }
        if !header.conn {
            reading.tally.leave_out("of another of Zeek's logs");
            return Ok(());
        }
        if header.columns.is_empty() {
            reading.tally.bad(number, "no #fields line before it", line);
            return Ok(());
        }
        missing.fill(false);
        let tabbed = header.spaced.then(|| with_tabs(line, header.separator));
        match header.row(tabbed.as_deref().unwrap_or(line)) {
            Ok(row) => connection(reading, &row, line, number),
            Err(why) => reading.tally.bad(number, why, line),
        }
        Ok(())
    })?;
    // In JSON, Zeek leaves out what is not set: a field is missing when no row has it.
    if missing != [true; NAMES.len() - NEEDED] {
        for (name, _) in NAMES[NEEDED..].iter().zip(missing).filter(|(_, missing)| *missing) {
            lacks(reading, name);
        }
    }
    Ok(stopped)
}

impl Header {
    fn take(&mut self, line: &[u8], reading: &mut Importer<'_>) -> Result<(), ImportError> {
        let text = String::from_utf8_lossy(line);
        if let Some(separator) = text.strip_prefix("#separator ") {
            self.separator = separator_of(separator.trim());
            return Ok(());
        }
        if !text.contains(char::from(self.separator)) && text.trim().contains(' ') {
            if text.starts_with("#fields") {
                self.spaced = true;
                reading.tally.lacks(
                    "Its tabs have become spaces: fields are told apart by spaces, which empty ones \
                     or such with spaces would upset.",
                );
            }
            let tabbed = with_tabs(line, self.separator);
            return self.take(&tabbed, reading);
        }
        let mut words = text.split(char::from(self.separator));
        match words.next() {
            Some("#unset_field") => {
                self.unset = words.next().unwrap_or("-").as_bytes().to_vec();
            }
            Some("#path") => {
                let path = words.next().unwrap_or_default().trim();
                self.conn = path.starts_with("conn");
                if !self.conn && reading.tally.rows == 0 {
                    return Err(ImportError::Unfit(format!(
                        "this is Zeek's {}.log; conn.log is the one that tells of connections",
                        super::fields::shown(path.as_bytes())
                    )));
                }
            }
            Some("#fields") if self.conn => self.fields(&words.collect::<Vec<_>>(), reading)?,
            _ => {}
        }
        Ok(())
    }

    fn fields(&mut self, names: &[&str], reading: &mut Importer<'_>) -> Result<(), ImportError> {
        let known = |name: &&str| NAMES.iter().position(|known| *known == name.trim());
        let columns: Vec<Option<usize>> = names.iter().map(known).collect();
        for (number, name) in NAMES.iter().enumerate() {
            if columns.contains(&Some(number)) {
                continue;
            }
            if number < NEEDED {
                return Err(ImportError::Unfit(format!(
                    "the #fields of this log have no `{name}`, without which nothing can be counted"
                )));
            }
            lacks(reading, name);
        }
        let last = columns.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.columns = columns;
        self.columns.truncate(last);
        Ok(())
    }

    /// The fields of a row, in the order of [`NAMES`]; empty where it has none.
    fn row<'a>(&self, line: &'a [u8]) -> Result<[&'a [u8]; NAMES.len()], &'static str> {
        let mut row: [&[u8]; NAMES.len()] = [b""; NAMES.len()];
        let mut rest = Some(line);
        for column in &self.columns {
            let Some(text) = rest else { return Err("fewer fields than the header names") };
            let end = memchr::memchr(self.separator, text);
            let field = &text[..end.unwrap_or(text.len())];
            rest = end.map(|end| &text[end + 1..]);
            if let Some(number) = column {
                row[*number] = if field == self.unset { b"" } else { field };
            }
        }
        Ok(row)
    }
}

/// The words of `line` with `separator` between them.
fn with_tabs(line: &[u8], separator: u8) -> Vec<u8> {
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.collect::<Vec<&[u8]>>().join(&separator)
}

/// `\x09` as a byte.
fn separator_of(text: &str) -> u8 {
    let hex = text.strip_prefix("\\x").and_then(|hex| u8::from_str_radix(hex, 16).ok());
    hex.or(text.bytes().next()).unwrap_or(b'\t')
}

/// Says what it means that a field is not there.
fn lacks(reading: &mut Importer<'_>, name: &str) {
    let meaning = match name {
        "proto" => "all rows count as TCP",
        "duration" => "how long connections lasted is not told",
        "conn_state" => "what was never answered, or is still open, is told by `history` alone",
        _ => "who closed is told for some connections only, by `conn_state`",
    };
    reading.tally.lacks(format!("There is no field `{name}`: {meaning}."));
}
