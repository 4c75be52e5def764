//! CSV with a header: a connection in each row, whatever its columns are called.
//!
//! A field in quotes can hold the delimiter, but not the end of a line: a quote that is never closed
//! would otherwise take the rest of the record into memory.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::csv_columns::{
    DESTINATION, DESTINATION_PORT, DURATION, END, FIELDS, Layout, PROTOCOL, SOURCE, SOURCE_PORT,
    START, STOP, cells, delimiter,
};
use super::fields::{Unit, address, duration, likelier_unit, moment, port, shown, span};
use super::lines::Lines;
use super::{ImportError, Importer};
use crate::model::Ending;
use crate::traffic::{Connection, LastSeen, Micros};

/// Reads all of it; true when it was stopped.
pub(super) fn read(
    lines: &mut Lines<'_, impl Read>,
    reading: &mut Importer<'_>,
) -> Result<bool, ImportError> {
    let mut known: Option<(Layout, u8)> = None;
    reading.each_line(lines, |reading, line, number| {
        if line.trim_ascii().is_empty() || line[0] == b'#' {
            return Ok(());
        }
        let Some((layout, separator)) = &known else {
            let text = String::from_utf8_lossy(line);
            let separator = delimiter(&text);
            let header = cells(&super::tally::excerpt(line, 10_000), separator);
            let layout =
                Layout::of(&header, &reading.options.columns).map_err(ImportError::Unfit)?;
            lacks(reading, &layout);
            known = Some((layout, separator));
            return Ok(());
        };
        reading.tally.rows += 1;
        // Quotes are rare, and splitting without them is ten times as fast.
        if line.contains(&b'"') {
            let text = String::from_utf8_lossy(line);
            let cells = cells(&text, *separator);
            let cells: Vec<&[u8]> = cells.iter().map(String::as_bytes).collect();
            row(reading, layout, &cells, line, number);
        } else {
            let cells: Vec<&[u8]> =
                line.split(|byte| byte == separator).map(<[u8]>::trim_ascii).collect();
            row(reading, layout, &cells, line, number);
        }
        Ok(())
    })
}

/// Says what it means that a column is not there.
fn lacks(reading: &mut Importer<'_>, layout: &Layout) {
    let is_missing = |field: usize| layout.columns[field].is_none();
    if is_missing(DURATION) && is_missing(STOP) {
        reading.tally.lacks(
            "No column says how long connections lasted, or when they ended: only TIME-WAIT holds ports \
             here.",
        );
    }
    if is_missing(END) {
        reading.tally.lacks(
            "No column says how connections ended: they count as closed by this side, which costs ports.",
        );
    }
    if is_missing(PROTOCOL) {
        reading.tally.lacks("No column says the protocol: all rows count as TCP.");
    }
}

fn row(reading: &mut Importer<'_>, layout: &Layout, cells: &[&[u8]], line: &[u8], number: u64) {
    let get = |field: usize| -> &[u8] {
        layout.columns[field].and_then(|at| cells.get(at)).copied().unwrap_or_default()
    };
    let protocol = get(PROTOCOL);
    if !protocol.is_empty() && !protocol.eq_ignore_ascii_case(b"tcp") && protocol != b"6" {
        reading.tally.leave_out("of other protocols than TCP");
        return;
    }
    match connection(layout, &get) {
        Ok(connection) => reading.add(&connection),
        Err(why) => reading.tally.bad(number, why, line),
    }
}

fn connection<'a>(layout: &Layout, get: &impl Fn(usize) -> &'a [u8]) -> Result<Connection, String> {
    let start = time(get(START), layout, START)?;
    let duration = match (get(DURATION), get(STOP)) {
        (b"" | b"-", b"" | b"-") => None,
        (b"" | b"-", stop) => Some(until(start, time(stop, layout, STOP)?)?),
        (text, _) => Some(duration(text, layout.units[DURATION])?),
    };
    // Port 0 stands for one that is not told.
    let (source, port) = end_point(get(SOURCE), get(SOURCE_PORT))?;
    let source = SocketAddr::new(source, port.unwrap_or(0));
    let (destination, port) = end_point(get(DESTINATION), get(DESTINATION_PORT))?;
    let destination = SocketAddr::new(destination, port.ok_or("no port of the destination")?);
    Ok(Connection { start, duration, source, destination, seen: end(get(END))? })
}

/// A moment; one that cannot be is told with the unit that it may have.
fn time(text: &[u8], layout: &Layout, field: usize) -> Result<Micros, String> {
    let unit = layout.units[field];
    moment(text, unit).map_err(|why| match likelier_unit(text) {
        Some(likelier) if unit == Unit::Seconds => {
            let field = FIELDS[field].0;
            format!("{why} in seconds; in {likelier}? --columns {field}=COLUMN:{likelier} says so")
        }
        _ => why,
    })
}

fn until(start: i64, stop: i64) -> Result<Duration, String> {
    span(stop.saturating_sub(start))
        .map_err(|why| if stop < start { "it ends before it starts".to_owned() } else { why })
}

/// An address with its port in a column of its own, or behind a colon, or nowhere.
fn end_point(host: &[u8], own: &[u8]) -> Result<(IpAddr, Option<u16>), String> {
    if !matches!(own, b"" | b"-") {
        return Ok((address(host)?, Some(port(own)?)));
    }
    let both: Option<SocketAddr> =
        std::str::from_utf8(host).ok().and_then(|text| text.parse().ok());
    match both {
        Some(both) if both.port() == 0 => Err("port 0 is none".to_owned()),
        Some(both) => Ok((both.ip().to_canonical(), Some(both.port()))),
        None => Ok((address(host)?, None)),
    }
}

/// The words of `closes`, and what else a record can say.
fn end(word: &[u8]) -> Result<LastSeen, String> {
    let plain: Vec<u8> = word
        .iter()
        .map(
            |letter| if matches!(letter, b'_' | b' ') { b'-' } else { letter.to_ascii_lowercase() },
        )
        .collect();
    Ok(match &plain[..] {
        b"client" => LastSeen::Ended(Ending::Client),
        b"server" => LastSeen::Ended(Ending::Server),
        b"reset" | b"server-reset" | b"client-reset" | b"reset-server" | b"unread" => {
            LastSeen::Ended(Ending::Reset)
        }
        b"half" => LastSeen::Ended(Ending::Half),
        b"never" | b"open" => LastSeen::Open,
        b"unanswered" | b"timeout" => LastSeen::Unanswered,
        b"" | b"-" | b"unknown" => LastSeen::Unknown,
        _ => return Err(format!("`{}` is not a way to end", shown(word))),
    })
}
