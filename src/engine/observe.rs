//! Seeing a run port by port, at no cost to a run that nobody watches.

use std::ops::ControlFlow;

use crate::model::PoolId;
use crate::units::SimTime;

/// Is told what happens on one machine, in the order in which it happens.
pub trait Observer {
    /// A connection got the port of `bit` in `pool`: established until `close`, its port held until
    /// `release`.
    fn opened(&mut self, pool: PoolId, port: u16, open: SimTime, close: SimTime, release: SimTime);

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
