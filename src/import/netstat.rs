//! `netstat -an` of Linux, macOS, the BSDs and Windows.
//!
//! Source: netstat(8) of net-tools (`Proto Recv-Q Send-Q Local Address Foreign Address State`, with `-o` a
//! timer behind it), netstat(1) of FreeBSD and macOS (`tcp4`, `tcp46`; a point before the port, `*.*` for
//! none), and netstat of Windows (`Proto Local Address Foreign Address State`).

use std::io::Read;
use std::time::Duration;

use super::fields::shown;
use super::lines::Lines;
use super::look::{self, Look, Row};
use super::{ImportError, Importer};
use crate::inspect::TcpState;

/// Headings, of all systems.
const HEADINGS: [&str; 2] = ["Active", "Proto"];

/// Does this line look like one of netstat?
pub(super) fn is_one(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    match words[..] {
        ["Active", "Internet" | "Connections" | "LOCAL", ..] => true,
        ["Proto", "Recv-Q" | "Local", ..] => true,
        [proto, ..] if is_tcp(proto) => ends(&words[1..]).is_some_and(|(local, peer, _)| {
            end(local).is_some() && (end(peer).is_some() || peer.ends_with('*'))
        }),
        _ => false,
    }
}

fn is_tcp(word: &str) -> bool {
    matches!(word, "tcp" | "tcp4" | "tcp6" | "tcp46" | "TCP" | "TCPv6")
}

/// The two ends and what comes behind them; queues, where there are any, come first.
fn ends<'a, 'b>(words: &'b [&'a str]) -> Option<(&'a str, &'a str, &'b [&'a str])> {
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    match words {
        [received, sent, local, peer, rest @ ..] if is_number(received) && is_number(sent) => {
            Some((local, peer, rest))
        }
        [local, peer, rest @ ..] if !is_number(local) => Some((local, peer, rest)),
        _ => None,
    }
}

/// Reads all of it; true when it was stopped.
pub(super) fn read(
    lines: &mut Lines<'_, impl Read>,
    reading: &mut Importer<'_>,
) -> Result<bool, ImportError> {
    reading.snapshot.tells_who = true;
    let mut look = Look::default();
    // Sockets of the file system follow those of the network.
    let mut elsewhere = false;
    let stopped = reading.each_line(lines, |reading, line, number| {
        let text = String::from_utf8_lossy(line);
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let Some(&first) = words.first() else { return Ok(()) };
        if HEADINGS.contains(&first) {
            let unix = words.iter().any(|word| word.eq_ignore_ascii_case("unix"));
            elsewhere = unix || (elsewhere && first == "Proto");
            if first == "Active" && !elsewhere {
                look.header();
            }
            return Ok(());
        }
        reading.tally.rows += 1;
        if elsewhere || !is_tcp(first) {
            reading.tally.leave_out("of other protocols than TCP");
            return Ok(());
        }
        look.take(reading, socket(&words[1..]), line, number);
        Ok(())
    })?;
    look.lacks(reading, "netstat -ano on Linux", "netstat -an");
    Ok(stopped)
}

fn socket(words: &[&str]) -> Result<Row, String> {
    let (local, peer, rest) = ends(words).ok_or("no two addresses")?;
    let Some(state) = rest.first() else { return Err("no state".to_owned()) };
    let state = TcpState::parse(state).ok_or_else(|| {
        format!("`{}` is not a state (in English: LC_ALL=C)", shown(state.as_bytes()))
    })?;
    // `timewait (12.34/0/0)`
    let timer = rest.iter().position(|word| *word == "timewait").and_then(|at| rest.get(at + 1));
    let left = timer.and_then(|text| text.trim_start_matches('(').split('/').next());
    let left = left.and_then(|text| text.parse::<f64>().ok()).filter(|left| *left < 1e6);
    let left = left.and_then(|left| Duration::try_from_secs_f64(left).ok());
    look::row(state, [local, peer], end, left, "netstat -n")
}

/// Address and port, which BSD parts by a point: `10.0.0.1:443`, `10.0.0.1.443`, `fe80::1%lo0.53`, `*.*`.
fn end(text: &str) -> Option<(&str, &str)> {
    let is_port = |port: &str| port == "*" || port.parse::<u16>().is_ok();
    let colon = text.rsplit_once(':').filter(|(_, port)| is_port(port));
    // `::1.443` has a colon too, before the point.
    let point = text.rsplit_once('.').filter(|(host, port)| {
        is_port(port) && (host.contains(':') || host == &"*" || host.matches('.').count() == 3)
    });
    point.or(colon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_every_system_are_read() {
        for (row, ends) in [
            (
                "tcp 0 0 192.0.2.10:40001 198.51.100.7:443 TIME_WAIT",
                "192.0.2.10:40001 198.51.100.7:443",
            ),
            (
                "tcp6 0 0 ::ffff:192.0.2.1:40001 ::ffff:192.0.2.2:443 ESTABLISHED",
                "192.0.2.1:40001 192.0.2.2:443",
            ),
            ("tcp6 0 0 ::1:40001 ::1:5432 CLOSE_WAIT", "[::1]:40001 [::1]:5432"),
            (
                "tcp4 0 0 192.0.2.10.49170 198.51.100.7.443 FIN_WAIT_2",
                "192.0.2.10:49170 198.51.100.7:443",
            ),
            ("tcp6 0 0 fe80::1%lo0.49170 fe80::2%lo0.53 SYN_SENT", "[fe80::1]:49170 [fe80::2]:53"),
            (
                "TCP 192.0.2.10:49170 198.51.100.7:443 TIME_WAIT 0",
                "192.0.2.10:49170 198.51.100.7:443",
            ),
            (
                "TCP [2001:db8::1]:49170 [2001:db8::7]:443 ESTABLISHED",
                "[2001:db8::1]:49170 [2001:db8::7]:443",
            ),
        ] {
            assert!(is_one(row), "{row}");
            let words: Vec<&str> = row.split(' ').collect();
            let Ok(Row::Connected(entry)) = socket(&words[1..]) else { panic!("{row}") };
            assert_eq!(format!("{} {}", entry.source, entry.destination), ends);
        }
        for (row, port) in [
            ("tcp46 0 0 *.8080 *.* LISTEN", 8080),
            ("tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN", 22),
            ("TCP [::]:445 [::]:0 LISTENING", 445),
        ] {
            let words: Vec<&str> = row.split(' ').collect();
            assert_eq!(socket(&words[1..]), Ok(Row::Listens(port)), "{row}");
        }
        let named = socket(&["0", "0", "192.0.2.1:40000", "web:https", "ESTABLISHED"]).unwrap_err();
        assert!(named.contains("netstat -n"), "{named}");
    }

    #[test]
    fn a_timer_tells_what_is_left() {
        let words = "0 0 10.0.0.1:40000 10.0.0.2:80 TIME_WAIT timewait (12.34/0/0)";
        let words: Vec<&str> = words.split(' ').collect();
        let Ok(Row::Connected(entry)) = socket(&words) else { panic!() };
        assert_eq!(entry.remaining, Some(Duration::from_millis(12_340)));
    }
}
