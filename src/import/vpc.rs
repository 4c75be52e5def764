//! VPC flow logs of AWS: lines of the default format, or any fields under a header.
//!
//! Source: Amazon VPC User Guide, "Flow log records" (docs.aws.amazon.com/vpc/latest/userguide/
//! flow-log-records.html), for fields, `tcp-flags` and `log-status`.
//!
//! A record is one direction of one tuple in one window of aggregation (a minute or ten), to the second.
//! So records are put together to connections first: see [`super::vpc_open`]. What is left open by that:
//! who closed first, and whether a tuple was used twice within a window.

use std::io::Read;

use super::fields::{Unit, address, moment, port, shown};
use super::lines::Lines;
use super::vpc_open::OneWay;
use super::{ImportError, Importer};
use crate::numbers::plural;

/// What is read of a record; the first seven cannot be done without.
const NAMES: [&str; 10] = [
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "start",
    "end",
    "tcp-flags",
    "log-status",
    "action",
];
const NEEDED: usize = 7;
const SRC: usize = 0;
const DST: usize = 1;
const SRC_PORT: usize = 2;
const DST_PORT: usize = 3;
const PROTOCOL: usize = 4;
const START: usize = 5;
const END: usize = 6;
const TCP_FLAGS: usize = 7;
const LOG_STATUS: usize = 8;
const ACTION: usize = 9;

/// Fields of version 2, the default, in their order.
const VERSION_2: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets \
                         bytes start end action log-status";

/// Does this line look like one of a VPC flow log?
pub(super) fn is_one(line: &str) -> bool {
    let words = split(line);
    let words = without_time(&words, 14);
    is_header(line, words) || (words.len() == 14 && words[0] == "2" && words[2].starts_with("eni-"))
}

/// The fields of a line: parted by spaces, or by commas where a query wrote it (Athena).
fn split(line: &str) -> Vec<&str> {
    if !line.contains(',') {
        return line.split_ascii_whitespace().collect();
    }
    let cells: Vec<&str> = line.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
    match cells[..] {
        // `1468862803000,2 123456789012 eni-...`: CloudWatch puts the message behind its time.
        [_, message] => message.split_ascii_whitespace().collect(),
        _ => cells,
    }
}

/// Exports of CloudWatch and S3 have a time before each record.
fn without_time<'a, 'b>(words: &'b [&'a str], fields: usize) -> &'b [&'a str] {
    match words {
        [time, record @ ..] if record.len() == fields && time.contains('T') => record,
        _ => words,
    }
}

/// One by spaces may lack what is needed, which is told then; by commas it could be any CSV.
fn is_header(line: &str, words: &[&str]) -> bool {
    let has = |name: &&str| words.iter().any(|word| normal(word) == *name);
    let needed = if line.contains(',') { NEEDED } else { 2 };
    words.len() >= 4 && NAMES[..needed].iter().all(has)
}

/// A field's name as the guide writes it; the table that it proposes for Athena has names of its own.
fn normal(word: &str) -> String {
    let name = word.trim_matches(|letter| "${}\"".contains(letter)).to_ascii_lowercase();
    match name.replace('_', "-").as_str() {
        "sourceaddress" => "srcaddr",
        "destinationaddress" => "dstaddr",
        "sourceport" => "srcport",
        "destinationport" => "dstport",
        "starttime" => "start",
        "endtime" => "end",
        "tcpflags" => "tcp-flags",
        "logstatus" => "log-status",
        "interfaceid" => "interface-id",
        other => other,
    }
    .to_owned()
}

/// Which of [`NAMES`] is in each column.
fn columns(words: &[&str]) -> Result<Vec<Option<usize>>, ImportError> {
    let known = |word: &&str| NAMES.iter().position(|name| *name == normal(word));
    let columns: Vec<Option<usize>> = words.iter().map(known).collect();
    let missing: Vec<&str> = (0..NEEDED)
        .filter(|number| !columns.contains(&Some(*number)))
        .map(|number| NAMES[number])
        .collect();
    if missing.is_empty() {
        return Ok(columns);
    }
    Err(ImportError::Unfit(format!(
        "its header has no {}: add them to the fields of the flow log (tcp-flags too, which tells how \
         connections ended)",
        missing.join(", ")
    )))
}

/// Reads all of it; true when it was stopped.
pub(super) fn read(
    lines: &mut Lines<'_, impl Read>,
    reading: &mut Importer<'_>,
) -> Result<bool, ImportError> {
    let usual: Vec<&str> = VERSION_2.split_ascii_whitespace().collect();
    let mut layout = columns(&usual)?;
    let stopped = reading.each_line(lines, |reading, line, number| {
        let text = String::from_utf8_lossy(line);
        let words = split(&text);
        if words.is_empty() || words == ["message"] {
            return Ok(());
        }
        if is_header(&text, &words) {
            layout = columns(&words)?;
            return Ok(());
        }
        reading.tally.rows += 1;
        let words = without_time(&words, layout.len());
        if words.len() != layout.len() {
            let fields = plural(words.len() as u64, "field", "fields");
            let why = format!("{fields}, not {}", layout.len());
            reading.tally.bad(number, why, line);
            return Ok(());
        }
        let mut row = [""; NAMES.len()];
        for (column, word) in layout.iter().zip(words) {
            if let Some(column) = column {
                row[*column] = word;
            }
        }
        take(reading, &row, line, number);
        Ok(())
    })?;
    if layout.contains(&Some(TCP_FLAGS)) {
        reading.tally.lacks(
            "A flow log does not say who closed: a FIN of either side counts as one of this side, \
             which costs ports.",
        );
    } else {
        reading.tally.lacks(
            "There is no field `tcp-flags`: how connections ended is not told, and what opened them is \
             told by the ports alone.",
        );
    }
    reading.tally.lacks(
        "Times are whole seconds, and a tuple that was used twice within one window of aggregation \
         counts once.",
    );
    Ok(stopped)
}

/// Takes one record.
fn take(reading: &mut Importer<'_>, row: &[&str; NAMES.len()], line: &[u8], number: u64) {
    if matches!(row[LOG_STATUS], "NODATA" | "SKIPDATA") {
        let why = if row[LOG_STATUS] == "NODATA" {
            "NODATA: nothing was seen"
        } else {
            "SKIPDATA: not recorded"
        };
        reading.tally.leave_out(why);
        return;
    }
    // Assigned Internet Protocol Numbers: 6 is TCP.
    if row[PROTOCOL] != "6" {
        if row[PROTOCOL].parse::<u8>().is_ok() {
            reading.tally.leave_out("of other protocols than TCP");
        } else {
            reading.tally.bad(
                number,
                format!("`{}` is not a protocol", shown(row[PROTOCOL].as_bytes())),
                line,
            );
        }
        return;
    }
    match part(row) {
        Ok(part) => {
            let mut over = Vec::new();
            if !reading.open.take(&part, &mut |connection| over.push(*connection)) {
                reading.tally.leave_out("between two ports that do not tell who opened it");
            }
            over.iter().for_each(|connection| reading.add(connection));
        }
        Err(why) => reading.tally.bad(number, why, line),
    }
}

fn part(row: &[&str; NAMES.len()]) -> Result<OneWay, String> {
    let bytes = row.map(str::as_bytes);
    let from = (address(bytes[SRC])?, port(bytes[SRC_PORT])?).into();
    let to = (address(bytes[DST])?, port(bytes[DST_PORT])?).into();
    let start = moment(bytes[START], Unit::Seconds)?;
    let end = moment(bytes[END], Unit::Seconds)?;
    if end < start {
        return Err("it ends before it starts".to_owned());
    }
    let flags = match row[TCP_FLAGS] {
        "" | "-" => None,
        text => Some(
            text.parse::<u8>()
                .map_err(|_| format!("`{}` are no TCP flags", shown(text.as_bytes())))?,
        ),
    };
    Ok(OneWay { from, to, start, end, flags, rejected: row[ACTION] == "REJECT" })
}
