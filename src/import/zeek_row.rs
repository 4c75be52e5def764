//! A row of conn.log, whichever form it came in: fields in one order, and the connection they tell of.

use std::time::Duration;

use super::Importer;
use super::fields::{Unit, address, duration, moment, port};
use super::zeek_end::last_seen;
use crate::traffic::Connection;

/// What is read of a row; the first five cannot be done without.
pub(super) const NAMES: [&str; 9] = [
    "ts",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "duration",
    "conn_state",
    "history",
];
/// Of [`NAMES`], those.
pub(super) const NEEDED: usize = 5;
const TS: usize = 0;
const ORIG_H: usize = 1;
const ORIG_P: usize = 2;
const RESP_H: usize = 3;
const RESP_P: usize = 4;
const PROTO: usize = 5;
const DURATION: usize = 6;
const STATE: usize = 7;
const HISTORY: usize = 8;

/// Counts the connection of a row.
pub(super) fn connection(
    reading: &mut Importer<'_>,
    row: &[&[u8]; NAMES.len()],
    line: &[u8],
    number: u64,
) {
    if !row[PROTO].is_empty() && row[PROTO] != b"tcp" {
        reading.tally.leave_out("of other protocols than TCP");
        return;
    }
    let Some(seen) = last_seen(row[STATE], row[HISTORY]) else {
        reading.tally.leave_out("seen in midstream only (OTH), so who opened it is not known");
        return;
    };
    match parsed(row) {
        Ok((start, duration, source, destination)) => {
            reading.add(&Connection { start, duration, source, destination, seen });
        }
        Err(why) => reading.tally.bad(number, why, line),
    }
}

type Parsed = (i64, Option<Duration>, std::net::SocketAddr, std::net::SocketAddr);

fn parsed(row: &[&[u8]; NAMES.len()]) -> Result<Parsed, String> {
    let start = moment(row[TS], Unit::Seconds)?;
    let duration = match row[DURATION] {
        b"" => None,
        text => Some(duration(text, Unit::Seconds)?),
    };
    let source = (address(row[ORIG_H])?, port(row[ORIG_P])?).into();
    let destination = (address(row[RESP_H])?, port(row[RESP_P])?).into();
    Ok((start, duration, source, destination))
}
