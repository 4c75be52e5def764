//! Seeing a run connection by connection, at no cost to a run that nobody watches.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::model::{ConnectionId, Life, PoolId, Refused};
use crate::units::{SimDuration, SimTime};

/// Is told everything that happens on one machine, once and in the order in which it happens.
pub trait Observer {
    /// What is told from now on happened on machine number `machine` of those that share a limit.
    #[inline(always)]
    fn of_machine(&mut self, machine: u32) {
        let _ = machine;
    }

    /// A connection got a port.
    #[inline(always)]
    fn opened(&mut self, opening: &Opening) {
        let _ = opening;
    }

    /// A port can be had again.
    #[inline(always)]
    fn released(&mut self, release: &Release) {
        let _ = release;
    }

    /// A connection is closed of which it was not known when; `life` is what is to become of it now.
    fn closed(&mut self, client: u16, life: &Life) {
        let _ = (client, life);
    }

    /// How an attempt ends that was [`Opening::pending`].
    fn settles(&mut self, settling: &Settling) {
        let _ = settling;
    }

    /// The run is over and a connection that is followed still has its port; `at` is far in the future.
    fn kept(&mut self, release: &Release) {
        let _ = release;
    }

    /// An attempt of client number `client` was refused.
    #[inline(always)]
    fn refused(&mut self, at: SimTime, client: u16, refused: &Refused) {
        let _ = (at, client, refused);
    }

    /// A request of client number `client` is made.
    #[inline(always)]
    fn asked(&mut self, at: SimTime, client: u16) {
        let _ = (at, client);
    }

    /// A request has its answer.
    #[inline(always)]
    fn served(&mut self, served: &Served) {
        let _ = served;
    }

    /// A request, or an attempt of a client that tries again, has failed and will be tried again.
    fn retried(&mut self, at: SimTime, client: u16) {
        let _ = (at, client);
    }

    /// A request will never have one.
    fn failed(&mut self, failed: &Failed) {
        let _ = failed;
    }

    /// Client number `client` has one idle connection more (1) or fewer (-1).
    #[inline(always)]
    fn idles(&mut self, at: SimTime, client: u16, change: i32) {
        let _ = (at, client, change);
    }

    /// Some attempts have been made, at most [`super::BATCH`] since the last call.
    #[inline(always)]
    fn batch_made(&mut self) {}

    /// The server that wants a port of its own has it, after it waited for `waited`; `None`: it never got it.
    fn listens(&mut self, waited: Option<SimDuration>) {
        let _ = waited;
    }

    /// The world has changed; all before `at` has been told, and nothing of `at`.
    fn changed(&mut self, at: SimTime) {
        let _ = at;
    }

    /// The clock has reached `now`; called every few thousand attempts. The run is given up on
    /// [`ControlFlow::Break`].
    fn reached(&mut self, now: SimTime) -> ControlFlow<()> {
        let _ = now;
        ControlFlow::Continue(())
    }
}

/// A connection that got a port.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// When.
    pub at: SimTime,
    /// A number that no other connection of the machine has until the port is released.
    pub connection: ConnectionId,
    /// Number of the client on its host.
    pub client: u16,
    /// Is it an attempt of the run? Else it was there when the run started.
    pub attempted: bool,
    /// Does anybody answer?
    pub answered: bool,
    /// The pool that the port is from.
    pub pool: PoolId,
    /// The port.
    pub port: u16,
    /// A number for the port of the pool, below pools times bits.
    pub place: u32,
    /// Ports looked at.
    pub probes: u32,
    /// What is to become of it.
    pub life: Life,
    /// Is that settled? Else the [`Release`] tells what became of it.
    pub settled: bool,
    /// Nobody answers, and somebody may yet: [`Observer::settles`] tells how that ends.
    pub pending: bool,
}

/// How an attempt ends that nobody answered at first.
#[derive(Clone, Copy, Debug)]
pub struct Settling {
    /// Number of the client on its host.
    pub client: u16,
    /// When it was made.
    pub opened: SimTime,
    /// Is it answered? Else it is given up, or the run ends before that.
    pub answered: bool,
    /// What becomes of it.
    pub life: Life,
}

/// A port that can be had again.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    /// From when on.
    pub at: SimTime,
    /// The number of the connection that had it.
    pub connection: ConnectionId,
    /// Number of its client.
    pub client: u16,
    /// The pool that it is from.
    pub pool: PoolId,
    /// The port.
    pub port: u16,
    /// What was to become of a connection that was not settled when it opened; `at` may have cut it short.
    pub life: Option<Life>,
}

/// A request that has its answer.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// Number of the client on its host.
    pub client: u16,
    /// It is the so-manieth request of its client, from 0.
    pub request: u64,
    /// The connection that carried it.
    pub connection: ConnectionId,
    /// That is the so-manieth which its client wanted to open, from 0.
    pub opened: u64,
    /// When it was made.
    pub asked: SimTime,
    /// When it had a connection: until then it waited.
    pub begun: SimTime,
    /// When it had its answer.
    pub at: SimTime,
}

/// A request that will never have an answer.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// Number of the client on its host.
    pub client: u16,
    /// It is the so-manieth request of its client, from 0.
    pub request: u64,
    /// When it was made.
    pub asked: SimTime,
    /// When it failed.
    pub at: SimTime,
    /// Why.
    pub failure: Failure,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no port for its connection.
    Refused,
    /// Nobody answered the attempt to connect.
    Unanswered,
    /// It waited for a connection for longer than it may.
    Waited,
    /// It took longer than it may in all.
    TimedOut,
}

/// Looks at nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// Two observers, told one after the other.
impl<A: Observer, B: Observer> Observer for (A, B) {
    #[inline(always)]
    fn of_machine(&mut self, machine: u32) {
        self.0.of_machine(machine);
        self.1.of_machine(machine);
    }

    #[inline(always)]
    fn opened(&mut self, opening: &Opening) {
        self.0.opened(opening);
        self.1.opened(opening);
    }

    #[inline(always)]
    fn released(&mut self, release: &Release) {
        self.0.released(release);
        self.1.released(release);
    }

    fn closed(&mut self, client: u16, life: &Life) {
        self.0.closed(client, life);
        self.1.closed(client, life);
    }

    fn settles(&mut self, settling: &Settling) {
        self.0.settles(settling);
        self.1.settles(settling);
    }

    fn kept(&mut self, release: &Release) {
        self.0.kept(release);
        self.1.kept(release);
    }

    #[inline(always)]
    fn refused(&mut self, at: SimTime, client: u16, refused: &Refused) {
        self.0.refused(at, client, refused);
        self.1.refused(at, client, refused);
    }

    #[inline(always)]
    fn asked(&mut self, at: SimTime, client: u16) {
        self.0.asked(at, client);
        self.1.asked(at, client);
    }

    #[inline(always)]
    fn served(&mut self, served: &Served) {
        self.0.served(served);
        self.1.served(served);
    }

    fn retried(&mut self, at: SimTime, client: u16) {
        self.0.retried(at, client);
        self.1.retried(at, client);
    }

    fn failed(&mut self, failed: &Failed) {
        self.0.failed(failed);
        self.1.failed(failed);
    }

    #[inline(always)]
    fn idles(&mut self, at: SimTime, client: u16, change: i32) {
        self.0.idles(at, client, change);
        self.1.idles(at, client, change);
    }

    #[inline(always)]
    fn batch_made(&mut self) {
        self.0.batch_made();
        self.1.batch_made();
    }

    fn listens(&mut self, waited: Option<SimDuration>) {
        self.0.listens(waited);
        self.1.listens(waited);
    }

    fn changed(&mut self, at: SimTime) {
        self.0.changed(at);
        self.1.changed(at);
    }

    fn reached(&mut self, now: SimTime) -> ControlFlow<()> {
        self.0.reached(now)?;
        self.1.reached(now)
    }
}

impl<O: Observer> Observer for &mut O {
    #[inline(always)]
    fn of_machine(&mut self, machine: u32) {
        (**self).of_machine(machine);
    }

    #[inline(always)]
    fn opened(&mut self, opening: &Opening) {
        (**self).opened(opening);
    }

    #[inline(always)]
    fn released(&mut self, release: &Release) {
        (**self).released(release);
    }

    fn settles(&mut self, settling: &Settling) {
        (**self).settles(settling);
    }

    fn closed(&mut self, client: u16, life: &Life) {
        (**self).closed(client, life);
    }

    fn kept(&mut self, release: &Release) {
        (**self).kept(release);
    }

    #[inline(always)]
    fn refused(&mut self, at: SimTime, client: u16, refused: &Refused) {
        (**self).refused(at, client, refused);
    }

    #[inline(always)]
    fn asked(&mut self, at: SimTime, client: u16) {
        (**self).asked(at, client);
    }

    #[inline(always)]
    fn served(&mut self, served: &Served) {
        (**self).served(served);
    }

    fn retried(&mut self, at: SimTime, client: u16) {
        (**self).retried(at, client);
    }

    fn failed(&mut self, failed: &Failed) {
        (**self).failed(failed);
    }

    #[inline(always)]
    fn idles(&mut self, at: SimTime, client: u16, change: i32) {
        (**self).idles(at, client, change);
    }

    #[inline(always)]
    fn batch_made(&mut self) {
        (**self).batch_made();
    }

    fn listens(&mut self, waited: Option<SimDuration>) {
        (**self).listens(waited);
    }

    fn changed(&mut self, at: SimTime) {
        (**self).changed(at);
    }

    fn reached(&mut self, now: SimTime) -> ControlFlow<()> {
        (**self).reached(now)
    }
}

/// Openings whose ports are not released yet, for an observer that wants both ends at once.
#[derive(Clone, Debug, Default)]
pub struct Openings(HashMap<ConnectionId, Opening>);

impl Openings {
    /// Keeps an opening until its port is released.
    pub fn keep(&mut self, opening: &Opening) {
        self.0.insert(opening.connection, *opening);
    }

    /// The opening of what is released now, with the life that it has had.
    ///
    /// # Panics
    /// When it was not kept.
    pub fn take(&mut self, release: &Release) -> Opening {
        let mut opening = self.0.remove(&release.connection).expect("what is released was opened");
        opening.life = release.life.unwrap_or(opening.life);
        opening
    }

    /// What is left when the run is over, in no order.
    pub fn rest(self) -> impl Iterator<Item = Opening> {
        self.0.into_values()
    }
}
