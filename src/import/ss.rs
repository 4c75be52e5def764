//! `ss -tan`, with timers (`-o`) and processes (`-p`) or without.
//!
//! Source: ss(8) and misc/ss.c of iproute2: `State Recv-Q Send-Q Local Address:Port Peer Address:Port`,
//! then `users:(...)` and `timer:(timewait,46sec,0)`. With several kinds of sockets `Netid` comes first; with a
//! filter by one state, the state is left out.

use std::io::Read;
use std::time::Duration;

use super::fields::shown;
use super::lines::Lines;
use super::look::{self, Look, Row};
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
        Some("Recv-Q") => words.next() == Some("Send-Q"),
        // `ss -H state ...`: two queues and two ends.
        Some(word) if is_number(word) => {
            words.next().is_some_and(is_number)
                && words.clone().count() >= 2
                && words
                    .take(2)
                    .all(|end| end.rsplit_once(':').is_some_and(|(_, port)| is_number(port)))
        }
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
    let mut look = Look::default();
    let stopped = reading.each_line(lines, |reading, line, number| {
        let text = String::from_utf8_lossy(line);
        let indented = text.starts_with([' ', '\t']);
        let mut words = text.split_ascii_whitespace().peekable();
        let netid = words.next_if(|word| *word == "Netid" || is_netid(word));
        let Some(&first) = words.peek() else { return Ok(()) };
        if matches!(first, "State" | "Recv-Q") {
            look.header();
            return Ok(());
        }
        reading.tally.rows += 1;
        if indented && !STATES.contains(&first) && !is_number(first) {
            reading.tally.leave_out("details of the socket above");
            return Ok(());
        }
        if netid.is_some_and(|netid| netid != "tcp") {
            reading.tally.leave_out("of other protocols than TCP");
            return Ok(());
        }
        // `ss state time-wait` leaves the state out.
        let state = if is_number(first) {
            reading.options.state.ok_or_else(|| ImportError::Unfit(NO_STATE.to_owned()))
        } else {
            words.next();
            Ok(match first {
                "NEW-SYN-RECV" => TcpState::SynReceived,
                _ => match TcpState::parse(first) {
                    Some(state) => state,
                    None => {
                        let why = format!("`{}` is not a state", shown(first.as_bytes()));
                        reading.tally.bad(number, why, line);
                        return Ok(());
                    }
                },
            })
        };
        look.take(reading, socket(state?, words), line, number);
        Ok(())
    })?;
    look.lacks(reading, "ss -tano", "ss -tan");
    Ok(stopped)
}

/// What to do about rows without a state.
const NO_STATE: &str = "its rows have no state, as after `ss -tan state time-wait`: say which with --state time-wait, \
                        or import all of `ss -tan`";

fn socket<'a>(state: TcpState, mut words: impl Iterator<Item = &'a str>) -> Result<Row, String> {
    let (_, _) = (words.next(), words.next());
    let (Some(local), Some(peer)) = (words.next(), words.next()) else {
        return Err("no two addresses".to_owned());
    };
    let remaining =
        words.find_map(|word| word.strip_prefix("timer:(timewait,")).and_then(time_left);
    // `10.0.0.1:443`, `[::1]:443`, `[fe80::1%eth0]:443`, `10.0.0.1%eth0:443`.
    look::row(state, [local, peer], |text| text.rsplit_once(':'), remaining, "ss -n")
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
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
        let read = |peer: &'static str| {
            socket(TcpState::Established, ["0", "0", "10.0.0.9:40000", peer].into_iter())
        };
        for (text, meant) in [
            ("10.0.0.1:443", "10.0.0.1:443"),
            ("[::ffff:10.0.0.1]:443", "10.0.0.1:443"),
            ("[fe80::1%eth0]:22", "[fe80::1]:22"),
            ("[fe80::1]%eth0:22", "[fe80::1]:22"),
            ("127.0.0.53%lo:53", "127.0.0.53:53"),
        ] {
            let Ok(Row::Connected(entry)) = read(text) else { panic!("{text}") };
            assert_eq!(entry.destination, meant.parse().unwrap(), "{text}");
        }
        for wrong in ["web:https", "10.0.0.1", "10.0.0.1:70000", ":", "[::1"] {
            assert!(read(wrong).unwrap_err().contains("(ss -n)"), "{wrong}");
        }
    }
}
