//! One try to connect, as the clients of a machine make it and its loop takes it.

use crate::model::{Ending, PoolId};
use crate::units::{SimDuration, SimTime};

/// One try to connect, with all that would become of it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// When it is made.
    pub at: SimTime,
    /// How long the connection would last.
    pub lifetime: SimDuration,
    /// The pool that its port has to come from; where sockets take ports from each other, the tuple.
    pub pool: PoolId,
    /// Who would end it.
    pub ending: Ending,
    /// What its destination is like.
    pub remote: Remote,
    /// Number of the client on its host.
    pub client: u16,
}

/// What a destination is like; one byte, for an attempt has no more to spare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Remote {
    /// It answers, somewhere else.
    Answers,
    /// It answers on the same machine.
    AnswersHere,
    /// It never answers.
    Silent,
}

/// Attempts in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// Time from the first FIN of each to the other side's; empty where that is always zero. Apart, for
    /// every byte of an attempt shows in the loop.
    pub second_fins: Vec<SimDuration>,
}

impl Batch {
    /// Time from the first FIN of attempt number `index` to the other side's.
    #[inline]
    #[must_use]
    pub fn second_fin(&self, index: usize) -> SimDuration {
        self.second_fins.get(index).copied().unwrap_or(SimDuration::ZERO)
    }
}

impl Remote {
    /// One that answers or not, on the same machine or elsewhere.
    #[must_use]
    pub const fn new(answers: bool, loopback: bool) -> Self {
        match (answers, loopback) {
            (false, _) => Self::Silent,
            (true, true) => Self::AnswersHere,
            (true, false) => Self::Answers,
        }
    }

    /// Does it answer?
    #[must_use]
    pub fn answers(self) -> bool {
        self != Self::Silent
    }

    /// Is it on the same machine?
    #[must_use]
    pub fn is_here(self) -> bool {
        self == Self::AnswersHere
    }
}
