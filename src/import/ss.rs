//! `ss -tan`, with timers (`-o`) and processes (`-p`) or without.
//!
//! Source: ss(8) and misc/ss.c of iproute2: `State Recv-Q Send-Q Local Address:Port Peer Address:Port`,
//! then `users:(...)` and `timer:(timewait,46sec,0)`. With several kinds of sockets `Netid` comes first.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::fields::{address, shown};
use super::lines::Lines;
use super::snapshot::Entry;
use super::{ImportError, Importer};
use crate::inspect::TcpState;

/// States as ss writes them.
const STATES: [&str; 13] = [
    "ESTAB",
    "SYN-SENT",
    "SYN-RECV",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "UNCONN",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
    "CLOSED",
    "NEW-SYN-RECV",
];

/// Does this line look like one of ss?
pub(super) fn is_one(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace().peekable();
    words.next_if(|word| *word == "Netid" || is_netid(word));
    match words.next() {
        Some("State") => words.next() == Some("Recv-Q"),
        Some(word) => {
            STATES.contains(&word) && words.next().is_some_and(|n| n.parse::<u64>().is_ok())
        }
        None => false,
    }
}

fn is_netid(word: &str) -> bool {
    [
        "tcp", "udp", "icmp6", "raw", "sctp", "mptcp", "dccp", "u_str", "u_dgr", "u_seq", "nl",
        "p_raw", "p_dgr", "v_str", "v_dgr", "???",
    ]
    .contains(&word)
}

/// Reads all of it; true when it was stopped.
pub(super) fn read(
    lines: &mut Lines<'_, impl Read>,
    reading: &mut Importer<'_>,
) -> Result<bool, ImportError> {
    reading.snapshot.tells_who = true;
    let mut listens = false;
    let mut timers = false;
    let stopped = reading.each_line(lines, |reading, line, number| {
        let text = String::from_utf8_lossy(line);
        let indented = text.starts_with([' ', '\t']);
        let mut words = text.split_ascii_whitespace().peekable();
        let netid = words.next_if(|word| *word == "Netid" || is_netid(word));
        let Some(state) = words.next() else { return Ok(()) };
        if state == "State" {
            return Ok(());
        }
        reading.tally.rows += 1;
        if indented && !STATES.contains(&state) {
            reading.tally.leave_out("details of the socket above");
            return Ok(());
        }
        if netid.is_some_and(|netid| netid != "tcp") {
            reading.tally.leave_out("of other protocols than TCP");
            return Ok(());
        }
        match socket(state, words) {
            Ok(Row::Listens(port)) => {
                listens = true;
                reading.snapshot.listens(port);
                reading.tally.leave_out("listening");
            }
            Ok(Row::Connected(entry)) => {
                timers |= entry.remaining.is_some();
                connected(reading, &entry);
            }
            Err(why) => reading.tally.bad(number, why, line),
        }
        Ok(())
    })?;
    lacks(reading, listens, timers);
    Ok(stopped)
}

fn connected(reading: &mut Importer<'_>, entry: &Entry) {
    if !reading.options.limits.range.contains(entry.source.port()) {
        reading.tally.leave_out("from ports outside the range: opened by the other side, or bound");
    } else if reading.is_wanted(entry.source.ip()) {
        reading.tally.used += 1;
        reading.snapshot.add(entry, false);
    } else {
        reading.tally.leave_out("from other source addresses");
    }
}

fn lacks(reading: &mut Importer<'_>, listens: bool, timers: bool) {
    let tally = &mut reading.tally;
    tally.lacks(
        "One look tells no lifetimes: their mean follows from the number open and the rate (Little's \
         law), and connections that leave no TIME-WAIT here are not seen to end.",
    );
    if !timers {
        tally.lacks(
            "Without timers (ss -tano) the age of TIME-WAITs is not told: they count as come evenly over \
             the time that one lasts.",
        );
    }
    if !listens {
        tally.lacks(
            "No listening sockets are listed (ss -tan shows them): connections that others opened to a \
             port inside the range would count as opened here.",
        );
    }
}

enum Row {
    Listens(u16),
    Connected(Entry),
}

fn socket<'a>(state: &str, mut words: impl Iterator<Item = &'a str>) -> Result<Row, String> {
    let state = match state {
        "NEW-SYN-RECV" => TcpState::SynReceived,
        _ => TcpState::parse(state)
            .ok_or_else(|| format!("`{}` is not a state", shown(state.as_bytes())))?,
    };
    let (_, _) = (words.next(), words.next());
    let (Some(local), Some(peer)) = (words.next(), words.next()) else {
        return Err("no two addresses".to_owned());
    };
    let port = |text: &str| text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if matches!(state, TcpState::Listen | TcpState::Bound | TcpState::Closed)
        || peer.ends_with(":*")
    {
        let named = || format!("`{}` has no port in numbers (ss -n)", shown(local.as_bytes()));
        return port(local).map(Row::Listens).ok_or_else(named);
    }
    let remaining =
        words.find_map(|word| word.strip_prefix("timer:(timewait,")).and_then(time_left);
    Ok(Row::Connected(Entry {
        state,
        source: end_point(local)?,
        destination: end_point(peer)?,
        remaining,
    }))
}

/// `10.0.0.1:443`, `[::1]:443`, `[fe80::1%eth0]:443`, `10.0.0.1%eth0:443`.
fn end_point(text: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("`{}` is not an address and a port in numbers", shown(text.as_bytes()));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.trim_start_matches('[');
    let host = host.split(['%', ']']).next().unwrap_or(host);
    let ip: IpAddr = address(host.as_bytes()).map_err(|_| wrong())?;
    match port.parse() {
        Ok(0) | Err(_) => Err(wrong()),
        Ok(port) => Ok(SocketAddr::new(ip, port)),
    }
}

/// `46sec,0)`, `1min12sec,0)`, and below ten seconds `2.916ms,0)`, which are 2.916 s, or `850ms,0)`, which
/// are 0.85 s: misc/ss.c:print_ms_timer of iproute2 puts the milliseconds behind the seconds and a point.
fn time_left(text: &str) -> Option<Duration> {
    let number = |digits: &str| digits.parse::<u64>().ok();
    let text = text.split(',').next()?;
    let (minutes, rest) = match text.split_once("min") {
        Some((minutes, rest)) => (number(minutes)?, rest),
        None => (0, text),
    };
    let (seconds, millis) = if rest.is_empty() {
        (0, 0)
    } else if let Some(seconds) = rest.strip_suffix("sec") {
        (number(seconds)?, 0)
    } else {
        match rest.strip_suffix("ms")?.split_once('.') {
            Some((seconds, millis)) if millis.len() == 3 => (number(seconds)?, number(millis)?),
            Some(_) => return None,
            None => (0, number(rest.strip_suffix("ms")?)?),
        }
    };
    let seconds = minutes.checked_mul(60)?.checked_add(seconds)?;
    Duration::from_secs(seconds).checked_add(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_read_as_ss_writes_them() {
        for (text, millis) in [
            ("46sec,0)", 46_000),
            ("1min12sec,0)", 72_000),
            ("850ms,0)", 850),
            ("1min,0)", 60_000),
            ("2.916ms,0)", 2_916),
            ("9.050ms,0)", 9_050),
            ("7sec,0)", 7_000),
            ("050ms,0)", 50),
            ("12min,0)", 720_000),
        ] {
            assert_eq!(time_left(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["soon", "1.5sec,0)", "2.9ms,0)", "-1sec,0)", "99999999999999999999sec,0)"] {
            assert_eq!(time_left(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_are_read_as_ss_writes_them() {
        for (text, meant) in [
            ("10.0.0.1:443", "10.0.0.1:443"),
            ("[::ffff:10.0.0.1]:443", "10.0.0.1:443"),
            ("[fe80::1%eth0]:22", "[fe80::1]:22"),
            ("[fe80::1]%eth0:22", "[fe80::1]:22"),
            ("127.0.0.53%lo:53", "127.0.0.53:53"),
        ] {
            assert_eq!(end_point(text), Ok(meant.parse().unwrap()), "{text}");
        }
        for wrong in ["web:https", "10.0.0.1", "10.0.0.1:70000", "", ":", "[::1"] {
            assert!(end_point(wrong).is_err(), "{wrong}");
        }
    }
}
