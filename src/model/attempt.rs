//! One try to connect, as clients make it and limits answer it.

use super::Ending;
use crate::units::{SimDuration, SimTime};

/// One try to connect, with all that would become of it but the time of the second FIN, which is rarely
/// asked for: every byte of an attempt shows in the loop.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// When it is made.
    pub at: SimTime,
    /// How long the connection would last: from then to the first FIN or reset.
    pub lifetime: SimDuration,
    /// From where to where.
    pub tuple: Tuple,
    /// Who would end it.
    pub ending: Ending,
    /// What its destination is like.
    pub remote: Remote,
    /// Number of the client on its host.
    pub client: u16,
    /// Number of the machine among those that share a limit; 0 where there is one.
    pub machine: u32,
}

/// The ends of a connection, as far as they are not the same for all of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Number of the source address.
    pub source: u32,
    /// Number of the endpoint, counted through the destinations that the machine uses.
    pub endpoint: u32,
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
