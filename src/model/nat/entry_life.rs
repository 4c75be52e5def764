//! What becomes of an entry of a NAT: THE statement of it, as [`Life`] is of a connection.

use super::timers::NatTimers;
use crate::model::{Ending, Life, Will};
use crate::units::SimTime;

impl NatTimers {
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
