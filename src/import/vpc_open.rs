//! Records of a flow log put together to connections: two directions, many windows of aggregation.
//!
//! A table of the tuples that may go on is kept. One leaves it when nothing came of it for [`IDLE`] of the
//! record's own time, when it has ended and begins anew, or, the oldest first, when there are
//! [`MOST_OPEN`].

use std::collections::HashMap;
use std::net::SocketAddr;

use super::fields::span;
use crate::model::{Ending, PortRange};
use crate::traffic::{Connection, LastSeen, Micros};

/// A window of aggregation has ten minutes at most, and records come some minutes late.
const IDLE: Micros = 20 * 60 * 1_000_000;

/// Tuples that are remembered: some 30 MB.
const MOST_OPEN: usize = 1 << 18;

/// Bits of `tcp-flags`.
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// One record: one direction in one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneWay {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub start: Micros,
    pub end: Micros,
    /// All that were seen in the window; `None` where the log does not tell them.
    pub flags: Option<u8>,
    /// Was it dropped by a security group or a network ACL?
    pub rejected: bool,
}

/// A tuple that may go on.
#[derive(Clone, Copy, Debug)]
struct Going {
    start: Micros,
    last: Micros,
    flags: Option<u8>,
    answered: bool,
    rejected: bool,
}

/// The tuples that may go on.
pub(super) struct OpenTuples {
    range: PortRange,
    going: HashMap<(SocketAddr, SocketAddr), Going>,
    /// The latest moment of the record.
    now: Micros,
    swept: Micros,
}

impl OpenTuples {
    /// None yet; `range` is where openers take their ports from.
    pub fn new(range: PortRange) -> Self {
        Self { range, going: HashMap::new(), now: Micros::MIN, swept: Micros::MIN }
    }

    /// Takes a record, and gives the connections that are over by now to `done`. False when nothing tells
    /// who opened it.
    pub fn take(&mut self, part: &OneWay, done: &mut impl FnMut(&Connection)) -> bool {
        let known = |from, to| self.going.contains_key(&(from, to));
        let forward = if known(part.from, part.to) {
            true
        } else if known(part.to, part.from) {
            false
        } else {
            match self.is_from_opener(part) {
                Some(forward) => forward,
                None => return false,
            }
        };
        let key = if forward { (part.from, part.to) } else { (part.to, part.from) };
        let new = Going {
            start: part.start,
            last: part.end,
            flags: part.flags,
            answered: !forward,
            rejected: part.rejected,
        };
        match self.going.get_mut(&key) {
            Some(going) if going.is_continued_by(part, forward) => going.merge(&new),
            Some(going) => {
                done(&connection(key, going));
                *going = new;
            }
            None => drop(self.going.insert(key, new)),
        }
        self.now = self.now.max(part.end);
        if self.now.saturating_sub(self.swept) > IDLE / 4 || self.going.len() > MOST_OPEN {
            self.sweep(done);
        }
        true
    }

    /// Does it go from the side that opened the connection to the other?
    fn is_from_opener(&self, part: &OneWay) -> Option<bool> {
        if let Some(flags) = part.flags.filter(|flags| flags & SYN != 0) {
            return Some(flags & ACK == 0);
        }
        let (from, to) = (part.from.port(), part.to.port());
        match (self.range.contains(from), self.range.contains(to)) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            _ if from == to => None,
            _ => Some(from > to),
        }
    }

    fn sweep(&mut self, done: &mut impl FnMut(&Connection)) {
        let mut before = self.now.saturating_sub(IDLE);
        if self.going.len() > MOST_OPEN {
            let mut last: Vec<Micros> = self.going.values().map(|going| going.last).collect();
            let (_, middle, _) = last.select_nth_unstable(MOST_OPEN / 2);
            before = before.max(*middle);
        }
        self.going.retain(|key, going| {
            let goes_on = going.last > before;
            if !goes_on {
                done(&connection(*key, going));
            }
            goes_on
        });
        self.swept = self.now;
    }

    /// Gives what is left to `done`.
    pub fn finish(self, done: &mut impl FnMut(&Connection)) {
        let mut left: Vec<_> = self.going.into_iter().collect();
        left.sort_unstable_by_key(|(key, going)| (going.start, *key));
        left.iter().for_each(|(key, going)| done(&connection(*key, going)));
    }
}

impl Going {
    /// A new SYN after its end begins another connection.
    fn is_continued_by(&self, part: &OneWay, forward: bool) -> bool {
        let ended = self.flags.is_some_and(|flags| flags & (FIN | RST) != 0);
        let begins = forward && part.flags.is_some_and(|flags| flags & SYN != 0);
        !(ended && begins && part.start >= self.last)
    }

    fn merge(&mut self, more: &Self) {
        self.start = self.start.min(more.start);
        self.last = self.last.max(more.last);
        self.flags = match (self.flags, more.flags) {
            (Some(flags), Some(others)) => Some(flags | others),
            (flags, others) => flags.or(others),
        };
        self.answered |= more.answered;
        self.rejected &= more.rejected;
    }

    fn seen(&self) -> LastSeen {
        match self.flags {
            _ if self.rejected => LastSeen::Unanswered,
            Some(flags) if flags & RST != 0 => LastSeen::Ended(Ending::Reset),
            Some(flags) if flags & FIN != 0 => LastSeen::Unknown,
            Some(flags) if flags & (SYN | ACK) == SYN && !self.answered => LastSeen::Unanswered,
            Some(_) => LastSeen::Open,
            None => LastSeen::Unknown,
        }
    }
}

fn connection((source, destination): (SocketAddr, SocketAddr), going: &Going) -> Connection {
    let duration = span(going.last - going.start).ok();
    Connection { start: going.start, duration, source, destination, seen: going.seen() }
}
