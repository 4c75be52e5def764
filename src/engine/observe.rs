//! Seeing a run port by port, at no cost to a run that nobody watches.

use std::ops::ControlFlow;

use crate::model::{PoolId, Refusal};
use crate::units::SimTime;

/// Is told what happens on one machine.
pub trait Observer {
    /// A connection got `port` in `pool`: established until `close`, its port held until `release`.
    ///
    /// Told as soon as all of that is settled: when it opens, or, where sockets take ports from each
    /// other, when its port is free.
    fn opened(&mut self, pool: PoolId, port: u16, open: SimTime, close: SimTime, release: SimTime);

    /// An attempt of client number `client` was refused; told in the order of time.
    fn refused(&mut self, at: SimTime, client: u16, refusal: Refusal) {
        let _ = (at, client, refusal);
    }

    /// An attempt of client number `client` got a port and was never answered: it is given up at
    /// `given_up`.
    fn unanswered(&mut self, at: SimTime, client: u16, given_up: SimTime) {
        let _ = (at, client, given_up);
    }

    /// The clock has reached `now`; called every few thousand attempts. The run is given up on
    /// [`ControlFlow::Break`].
    fn reached(&mut self, now: SimTime) -> ControlFlow<()>;
}

/// Looks at nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    #[inline]
    fn opened(&mut self, _: PoolId, _: u16, _: SimTime, _: SimTime, _: SimTime) {}

    fn reached(&mut self, _: SimTime) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
