//! `conntrack -L`, or /proc/net/nf_conntrack: the connections that a machine or a NAT knows of now.
//!
//! Source: conntrack(8), and net/netfilter/nf_conntrack_standalone.c:ct_seq_show of Linux: protocol, its
//! number, the seconds left, the state, the tuple of the original direction and that of the reply.
//!
//! `[OFFLOAD]` and `[HW_OFFLOAD]` mark what a flow table forwards past conntrack: established, and without
//! seconds and state.
//!
//! Where the reply goes to another address than the opener's, that address is the NAT's, and it is its
//! ports that are taken.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use super::fields::{address, port, shown};
use super::lines::Lines;
use super::snapshot::Entry;
use super::{ImportError, Importer};
use crate::inspect::TcpState;

/// What stands before an event of `conntrack -E`.
const EVENTS: [&str; 3] = ["[NEW]", "[UPDATE]", "[DESTROY]"];

/// Does this line look like one of conntrack?
pub(super) fn is_one(line: &str) -> bool {
    let protocol = line.split_ascii_whitespace().any(|word| matches!(word, "tcp" | "udp"));
    protocol && ["src=", "dst=", "dport="].iter().all(|key| line.contains(key))
}

/// Reads all of it; true when it was stopped.
pub(super) fn read(
    lines: &mut Lines<'_, impl Read>,
    reading: &mut Importer<'_>,
) -> Result<bool, ImportError> {
    let stopped = reading.each_line(lines, |reading, line, number| {
        let text = String::from_utf8_lossy(line);
        if text.trim().is_empty() || text.starts_with("conntrack v") {
            return Ok(());
        }
        if EVENTS.iter().any(|event| text.contains(event)) {
            return Err(ImportError::Unfit(
                "these are events, as conntrack -E tells them: a look says what is held, so import \
                 that: conntrack -L -p tcp | portsim import -"
                    .to_owned(),
            ));
        }
        reading.tally.rows += 1;
        let mut words = text.split_ascii_whitespace().skip_while(|word| *word != "tcp");
        if words.next().is_none() {
            if text.contains("src=") {
                reading.tally.leave_out("of other protocols than TCP");
            } else {
                reading.tally.bad(number, "no entry of a connection table", line);
            }
            return Ok(());
        }
        match entry(words) {
            Ok(None) => reading.tally.leave_out("closed: it holds no port"),
            Ok(Some(entry)) => take(reading, &entry),
            Err(why) => reading.tally.bad(number, why, line),
        }
        Ok(())
    })?;
    reading.tally.lacks(
        "One look tells no lifetimes: their mean follows from the number open and the rate (Little's \
         law). Who closed is not told: all count as closed by the opener, which costs ports.",
    );
    reading.tally.lacks(
        "Rates take nf_conntrack_tcp_timeout_time_wait as its default, 120 s; entries of connections that \
         vanished without a FIN stay for up to five days and count as open.",
    );
    Ok(stopped)
}

fn take(reading: &mut Importer<'_>, entry: &Entry) {
    if reading.is_wanted(entry.source.ip()) {
        let outside = !reading.options.limits.range.contains(entry.source.port());
        if reading.snapshot.add(entry, outside) {
            reading.tally.used += 1;
        } else {
            reading.tally.leave_out(super::snapshot::SEEN);
        }
    } else {
        reading.tally.leave_out("from other source addresses");
    }
}

/// The words after `tcp`; `None` for an entry that holds no port.
fn entry<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Option<Entry>, String> {
    if words.next() != Some("6") {
        return Err("`tcp` is not followed by its number, 6".to_owned());
    }
    let mut words = words.peekable();
    let left = words.next_if(|word| !word.contains('='));
    let state = words.next_if(|word| !word.contains('='));
    let (left, state) = match (left, state) {
        // Neither is told of one that is handed over to hardware or to a flow table: see below.
        (None, _) => (None, "ESTABLISHED"),
        (Some(left), state) => {
            let left = left.parse().map(Duration::from_secs);
            let left = left.map_err(|_| "no seconds that the entry has left")?;
            (Some(left), state.ok_or("no state")?)
        }
    };
    let told = left.is_some();
    let state = match state {
        "FIN_WAIT" => TcpState::FinWait2,
        "SYN_SENT2" => TcpState::SynReceived,
        "CLOSE" | "LISTEN" | "NONE" => return Ok(None),
        _ => TcpState::parse(state)
            .ok_or_else(|| format!("`{}` is not a state", shown(state.as_bytes())))?,
    };
    let mut tuples = [Tuple::default(); 2];
    let mut offloaded = false;
    for word in words {
        offloaded |= matches!(word, "[OFFLOAD]" | "[HW_OFFLOAD]");
        let Some((key, value)) = word.split_once('=') else { continue };
        // The keys of the second tuple are those of the first again.
        for tuple in &mut tuples {
            if let Some(slot @ None) = tuple.get(key) {
                *slot = Some(value);
                break;
            }
        }
    }
    if !told && !offloaded {
        return Err("no seconds that the entry has left".to_owned());
    }
    let [(opener, server), (replier, replied_to)] = [tuples[0].ends()?, tuples[1].ends()?];
    let translated = replied_to.ip() != opener.ip();
    let (source, destination) = if translated { (replied_to, replier) } else { (opener, server) };
    Ok(Some(Entry { state, source, destination, remaining: left }))
}

/// A direction, in words.
#[derive(Clone, Copy, Default)]
struct Tuple<'a> {
    src: Option<&'a str>,
    dst: Option<&'a str>,
    sport: Option<&'a str>,
    dport: Option<&'a str>,
}

impl<'a> Tuple<'a> {
    fn get(&mut self, key: &str) -> Option<&mut Option<&'a str>> {
        match key {
            "src" => Some(&mut self.src),
            "dst" => Some(&mut self.dst),
            "sport" => Some(&mut self.sport),
            "dport" => Some(&mut self.dport),
            _ => None,
        }
    }

    fn ends(&self) -> Result<(SocketAddr, SocketAddr), String> {
        let parts = (self.src, self.sport, self.dst, self.dport);
        let (Some(src), Some(sport), Some(dst), Some(dport)) = parts else {
            return Err("not two tuples of src, dst, sport and dport".to_owned());
        };
        let end = |ip: &str, of: &str| {
            Ok::<_, String>((address(ip.as_bytes())?, port(of.as_bytes())?).into())
        };
        Ok((end(src, sport)?, end(dst, dport)?))
    }
}
