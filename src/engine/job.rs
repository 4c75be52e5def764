//! What is run: one machine of one host in one replication, and what follows from it before it starts.

use rand::Rng;

use super::endpoints::EndpointNumbers;
use super::random::{Purpose, Streams};
use super::sample::unit;
use crate::model::{
    Change, Client, Distribution, Ending, Host, PoolPlan, RunSettings, Timers, World,
};
use crate::stats::Window;
use crate::units::SimDuration;

/// One machine of one host in one replication.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The world it is in.
    pub world: &'a World,
    /// How it is run.
    pub settings: &'a RunSettings,
    /// Index of its host in the world.
    pub host: usize,
    /// Number of the machine, below the host's `count`.
    pub machine: u32,
    /// Number of the replication.
    pub replication: u32,
    /// Where the timer grid lies, 0 to 1 of the step of TIME-WAIT, instead of anywhere.
    pub timer_phase: Option<f64>,
}

impl<'a> Job<'a> {
    /// The model of the host.
    #[must_use]
    pub fn host(&self) -> &'a Host {
        &self.world.hosts[self.host]
    }

    /// The pools that the machine has at any time.
    #[must_use]
    pub fn plan(&self) -> PoolPlan {
        if self.world.changes.is_empty() {
            return PoolPlan::of(self.host(), self.numbers().count());
        }
        let room = self.world.with_room_for(self.host);
        let plan = PoolPlan::of(&room.hosts[0], EndpointNumbers::of(&room, 0).count());
        if self.world.reshapes(self.host) { plan.that_may_change() } else { plan }
    }

    /// The endpoints that the clients of the machine connect to at any time.
    pub(super) fn numbers(&self) -> EndpointNumbers {
        match self.world.changes[..] {
            [] => EndpointNumbers::of(self.world, self.host),
            _ => EndpointNumbers::of(&self.world.with_room_for(self.host), 0),
        }
    }

    /// The same machine after a change.
    pub(super) fn after(self, change: &'a Change) -> Self {
        Self { world: &change.world, ..self }
    }

    /// Is the machine there?
    pub(super) fn is_there(&self) -> bool {
        self.machine < self.host().count
    }

    pub(super) fn streams(&self) -> Streams {
        let name = &self.host().name;
        Streams::new(self.settings.seed, self.replication, name, self.machine)
    }

    pub(super) fn window(&self) -> Window {
        Window::of_hosts(self.settings.warm_up, self.settings.duration, self.world.hosts.len())
    }

    /// The timers of the machine in this replication.
    #[must_use]
    pub fn timers(&self) -> Timers {
        let mut rng = self.streams().of_machine(Purpose::TimerPhase);
        let phase = unit(&mut rng);
        let (coarser, tick) = (rng.next_u64() >> 32, unit(&mut rng));
        let of = |host| Timers::new(host, self.timer_phase.unwrap_or(phase), coarser, tick);
        let timers = of(self.host());
        let plain = self.world.stretches().all(|world| {
            let host = &world.hosts[self.host];
            has_plain_connections(world, host, &of(host))
        });
        if plain { timers.of_plain_connections() } else { timers }
    }
}

/// Are all connections of `host` answered, with both FINs at once, and never taken over?
fn has_plain_connections(world: &World, host: &Host, timers: &Timers) -> bool {
    let is_plain = |client: &Client| {
        let mut to = client.targets.iter().map(|target| &world.destinations[target.destination]);
        client.second_fin == Distribution::Constant(SimDuration::ZERO)
            && !client.can_end(Ending::Half)
            && !client.can_end(Ending::CloseWait)
            && to.all(|to| to.answers && !timers.may_be_taken_over(to.loopback))
    };
    host.clients.iter().all(is_plain)
}
