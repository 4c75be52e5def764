//! One look at the sockets of a machine, as ss and netstat print it: what both share.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Importer;
use super::fields::{address, shown};
use super::snapshot::Entry;
use crate::inspect::TcpState;

/// What a row says.
#[derive(Debug, PartialEq)]
pub(super) enum Row {
    Listens(u16),
    Connected(Entry),
}

/// A socket in `state` with these ends, as their program wrote them; `numeric` is what makes it write numbers.
pub(super) fn row(
    state: TcpState,
    [local, peer]: [&str; 2],
    end: impl Fn(&str) -> Option<(&str, &str)>,
    remaining: Option<Duration>,
    numeric: &str,
) -> Result<Row, String> {
    let whole = |text: &str| {
        let (host, port) = end(text)?;
        let host = host.trim_start_matches('[').split(['%', ']']).next()?;
        let ip: IpAddr = address(host.as_bytes()).ok()?;
        let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
        Some(SocketAddr::new(ip, port))
    };
    let wrong = |text: &str| {
        format!("`{}` is not an address and a port in numbers ({numeric})", shown(text.as_bytes()))
    };
    if matches!(state, TcpState::Listen | TcpState::Bound | TcpState::Closed)
        || end(peer).is_some_and(|(_, port)| port == "*")
    {
        let port = end(local).and_then(|(_, port)| port.parse().ok());
        return port.map(Row::Listens).ok_or_else(|| wrong(local));
    }
    let (source, destination) = (whole(local), whole(peer));
    Ok(Row::Connected(Entry {
        state,
        source: source.ok_or_else(|| wrong(local))?,
        destination: destination.ok_or_else(|| wrong(peer))?,
        remaining,
    }))
}

/// What is known of a look while it is read.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Rows so far.
    rows: u64,
    /// Has another one begun behind it?
    over: bool,
    listens: bool,
    timers: bool,
}

impl Look {
    /// A header: of this look, or of another one behind it.
    pub fn header(&mut self) {
        self.over |= self.rows > 0;
    }

    /// Counts a row.
    pub fn take(
        &mut self,
        reading: &mut Importer<'_>,
        row: Result<Row, String>,
        line: &[u8],
        number: u64,
    ) {
        if self.over {
            reading.tally.leave_out("of later looks: the first one counts");
            return;
        }
        self.rows += 1;
        match row {
            Ok(Row::Listens(port)) => {
                self.listens = true;
                reading.snapshot.listens(port);
                reading.tally.leave_out("listening");
            }
            Ok(Row::Connected(entry)) => {
                self.timers |= entry.remaining.is_some();
                connected(reading, &entry);
            }
            Err(why) => reading.tally.bad(number, why, line),
        }
    }

    /// Says what it does not tell; `timers` and `listeners` are what makes its program show them.
    pub fn lacks(&self, reading: &mut Importer<'_>, timers: &str, listeners: &str) {
        let tally = &mut reading.tally;
        if self.over {
            tally.lacks(
                "There are several looks, one behind the other, and the first one counts: import \
                 them one by one.",
            );
        }
        tally.lacks(
            "One look tells no lifetimes: their mean follows from the number open and the rate \
             (Little's law), and connections that leave no TIME-WAIT here are not seen to end.",
        );
        if !self.timers {
            tally.lacks(format!(
                "Without timers ({timers}) the age of TIME-WAITs is not told: they count as come \
                 evenly over the time that one lasts."
            ));
        }
        if !self.listens {
            tally.lacks(format!(
                "No listening sockets are listed ({listeners} shows them): connections that others \
                 opened to a port inside the range would count as opened here."
            ));
        }
    }
}

fn connected(reading: &mut Importer<'_>, entry: &Entry) {
    if !reading.options.limits.range.contains(entry.source.port()) {
        reading.tally.leave_out("from ports outside the range: opened by the other side, or bound");
    } else if !reading.is_wanted(entry.source.ip()) {
        reading.tally.leave_out("from other source addresses");
    } else if reading.snapshot.add(entry, false) {
        reading.tally.used += 1;
    } else {
        reading.tally.leave_out(super::snapshot::SEEN);
    }
}
