//! A limit: anything on its path that a connection must have a place in.
//!
//! The port range of a machine is one; so are a NAT's ports and a table of entries. The loop of the engine
//! knows no more of them than is said here, and never which one it has.

use std::convert::Infallible;
use std::fmt::Debug;

use rand::rngs::Xoshiro256PlusPlus;

use super::life::Mark;
use super::{Attempt, Host, Life, PoolId, Timers, Will};
use crate::units::SimTime;

/// Gives out places and takes them back.
pub trait Limit {
    /// What a place is given back with.
    type Ticket: Copy + Ord + Debug;
    /// [`Infallible`] where all that becomes of a connection is settled when it opens, so that it needs one
    /// event and no record; [`Followed`] where something may happen to it before its port is free.
    type Step: Step;

    /// Gives a place to the connection of `attempt`, numbered `connection` if it is followed.
    ///
    /// # Errors
    /// Why there is none; nothing has changed then.
    fn take(
        &mut self,
        attempt: &Attempt,
        connection: ConnectionId,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Taken<Self::Ticket>, Refused>;

    /// The connection of `ticket` reaches `mark` at `at`; told of marks that its [`Taken::sees`] names.
    fn reach(&mut self, ticket: Self::Ticket, mark: Mark, at: SimTime) -> Fate;

    /// The connection of `ticket` is to live like that, as it `will` do; told when it has its place, and whenever that
    /// becomes another life.
    #[inline(always)]
    fn lives(&mut self, ticket: Self::Ticket, life: &Life, will: &Will) {
        let _ = (ticket, life, will);
    }

    /// The timers of machine number `machine`, where the limit is that of several.
    #[inline(always)]
    fn timers(&self, machine: u32) -> Option<&Timers> {
        let _ = machine;
        None
    }

    /// Nothing is left of the connection of `ticket` at `at`; another one has its port already, if it was
    /// `taken_over`.
    fn free(&mut self, ticket: Self::Ticket, taken_over: bool, at: SimTime);

    /// Whose the place of `ticket` is.
    fn holder(&self, ticket: Self::Ticket) -> Holder;

    /// The number of the port that `bit` of a [`Taken`] stands for.
    fn port(&self, bit: u32) -> u16;

    /// Bits that a [`Taken`] may have: all are below this.
    fn bits(&self) -> u32;

    /// Nanoseconds that its pools had no port left until `end`, summed over the pools.
    fn exhausted_until(&self, end: SimTime) -> u128;
}

/// A limit that can change while connections hold places in it.
pub trait Reshape: Limit {
    /// The machine is one of `host` with these timers from `at` on. What is held stays held: the places of `held`, in
    /// no order, are those of connections that are followed.
    fn reshape(&mut self, host: &Host, timers: Timers, held: &[Self::Ticket], at: SimTime);
}

/// Number of a connection that is followed, given again when nothing is left of it.
pub type ConnectionId = u32;

/// How a connection comes back to the limit from the queue of what is due; see [`Limit::Step`].
pub trait Step: Copy + Ord + Debug {
    /// The next step of a connection, the `generation`-th of its number; `None` where there are none.
    fn new(connection: ConnectionId, generation: u32) -> Option<Self>;
    /// Its number and generation.
    fn parts(self) -> (ConnectionId, u32);
}

impl Step for Infallible {
    #[inline(always)]
    fn new(_: ConnectionId, _: u32) -> Option<Self> {
        None
    }

    fn parts(self) -> (ConnectionId, u32) {
        match self {}
    }
}

/// A step of a connection that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Followed {
    connection: ConnectionId,
    generation: u32,
}

impl Step for Followed {
    fn new(connection: ConnectionId, generation: u32) -> Option<Self> {
        Some(Self { connection, generation })
    }

    fn parts(self) -> (ConnectionId, u32) {
        (self.connection, self.generation)
    }
}

/// A place in a limit.
#[derive(Clone, Copy, Debug)]
pub struct Taken<T> {
    /// To give it back with.
    pub ticket: T,
    /// The pool that it is from.
    pub pool: PoolId,
    /// The bit of its port.
    pub bit: u32,
    /// Ports looked at.
    pub probes: u32,
    /// Does the port come from `bind()`?
    pub bound: bool,
    /// The connection whose TIME-WAIT it took over: nothing is left of that.
    pub replaced: Option<ConnectionId>,
    /// What the limit has to be told of; a connection that comes to none of these is never taken over. With
    /// [`Mark::Syn`] its SYN has not passed, and it is asked again whenever that is sent again.
    pub sees: Marks,
    /// Its SYN was answered with a reset: the place is to be given back at once, and the attempt has failed.
    pub reset: Option<Refused>,
}

impl<T> Taken<T> {
    /// The same place, given back with another ticket.
    #[must_use]
    pub fn with_ticket<U>(self, ticket: U) -> Taken<U> {
        let Self { pool, bit, probes, bound, replaced, sees, reset, .. } = self;
        Taken { ticket, pool, bit, probes, bound, replaced, sees, reset }
    }
}

/// An attempt that a limit refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// The pool that had nothing for it.
    pub pool: PoolId,
    /// Ports looked at in vain.
    pub probes: u32,
}

/// Who has a place, as figures tell it; eight bytes, for the queue is full of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The pool that it is from.
    pub pool: PoolId,
    /// The bit of its port.
    pub bit: u16,
    /// Number of the client on its host.
    pub client: u16,
}

/// Marks that a limit wants to be told of, beside the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u8);

impl Marks {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// These and `mark`, if `wanted`.
    #[must_use]
    pub const fn with(self, mark: Mark, wanted: bool) -> Self {
        Self(self.0 | (wanted as u8) << mark as u8)
    }

    /// These without `mark`.
    #[must_use]
    pub const fn with_none_of(self, mark: Mark) -> Self {
        Self(self.0 & !(1 << mark as u8))
    }

    /// Is `mark` among them?
    #[must_use]
    pub const fn has(self, mark: Mark) -> bool {
        self.0 >> mark as u8 & 1 == 1
    }
}

/// What becomes of a connection at a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Stays,
    /// Nothing is left of it: it is to be freed.
    Gone,
    /// Its SYN has passed ([`Mark::Syn`]).
    Passes,
}

/// Why an attempt was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Refusal {
    /// `connect()` found no port: EADDRNOTAVAIL.
    NoPort,
    /// `bind()` found no port, or the one asked for is in use: EADDRINUSE.
    BindInUse,
    /// The port was bound, but somebody has it towards the same destination: `connect()` gives
    /// EADDRNOTAVAIL.
    TupleTaken,
    /// A gateway has no port for it: its SYN is dropped, and nobody is told.
    Dropped,
    /// A gateway has no port for it and says so: `connect()` fails.
    Reset,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::NoPort, Self::BindInUse, Self::TupleTaken, Self::Dropped, Self::Reset];

    /// The call and the error that Linux gives: `connect:EADDRNOTAVAIL`.
    #[must_use]
    pub const fn on_linux(self) -> &'static str {
        match self {
            Self::NoPort | Self::TupleTaken => "connect:EADDRNOTAVAIL",
            Self::BindInUse => "bind:EADDRINUSE",
            Self::Dropped => "dropped",
            // A reset; after ICMP host unreachable it is EHOSTUNREACH (`net/ipv4/tcp_ipv4.c:tcp_v4_err`).
            Self::Reset => "connect:ECONNREFUSED",
        }
    }
}
