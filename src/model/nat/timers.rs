//! How long an entry of a NAT lasts after what became of its connection.

use crate::model::{Ending, Life, Will};
use crate::units::{SimDuration, SimTime};

/// The time-outs of a NAT for TCP, each from the last packet that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatTimers {
    /// A SYN that nobody answered, from the first one on: those sent again do not renew it (Linux from 5.14 on).
    pub half_open: SimDuration,
    /// A connection on which nothing happens.
    pub idle: SimDuration,
    /// One side has closed and the other has not.
    pub half_closed: SimDuration,
    /// Both have.
    pub fin: SimDuration,
    /// It was reset.
    pub reset: SimDuration,
}

impl NatTimers {
    /// `net/netfilter/nf_conntrack_proto_tcp.c:tcp_timeouts`, Linux 6.18: SYN_SENT, ESTABLISHED, CLOSE_WAIT, TIME_WAIT and
    /// CLOSE.
    pub const CONNTRACK: Self = Self {
        half_open: SimDuration::from_secs(120),
        idle: SimDuration::from_secs(432_000),
        half_closed: SimDuration::from_secs(60),
        fin: SimDuration::from_secs(120),
        reset: SimDuration::from_secs(10),
    };

    /// What becomes of the entry of a connection whose first SYN came at `since`, and which lives like that at its
    /// client's end, as it was to do.
    #[must_use]
    pub fn life(&self, since: SimTime, life: &Life, will: &Will) -> EntryLife {
        let never = SimTime::FAR_FUTURE;
        if !will.remote.answers() {
            return EntryLife { closing: never, over: since + self.half_open };
        }
        if life.first_fin == never {
            // Nobody uses it, and nobody closes it.
            return EntryLife { closing: never, over: life.answered + self.idle };
        }
        let closed = |at: SimTime, timeout| EntryLife { closing: at, over: at + timeout };
        if will.ending.is_reset() {
            return closed(life.first_fin, self.reset);
        }
        let half_closed = EntryLife { closing: never, over: life.first_fin + self.half_closed };
        let second_fin = life.first_fin + will.second_fin;
        let comes = matches!(will.ending, Ending::Client | Ending::Server);
        if !comes || second_fin >= half_closed.over {
            half_closed
        } else if second_fin > life.over {
            // The client knows of no such connection any more, and answers with a reset.
            closed(second_fin, self.reset)
        } else {
            closed(second_fin, self.fin)
        }
    }
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryLife {
    /// From when on it may be evicted.
    pub closing: SimTime,
    /// Nothing is left of it.
    pub over: SimTime,
}
