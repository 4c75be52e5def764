//! Attempts of which the next depends on what became of the last: those of a closed loop.

use super::attempt::Attempt;
use crate::engine::{Batch, Became, Clients, Demand, Job, Unobserved};
use crate::model::{self, Binds, Client, Host, RunSettings, World};
use crate::units::SimTime;

/// Who makes them: the clients of the first replication of the first machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Workers {
    /// The world.
    pub world: World,
    /// How it is run.
    pub settings: RunSettings,
    /// Attempts before this are made.
    pub until: SimTime,
}

impl Workers {
    /// All of them at the start.
    #[must_use]
    pub fn begin(&self) -> Asking<'_> {
        let Self { world, settings, until } = self;
        let job = Job { world, settings, host: 0, machine: 0, replication: 0, timer_phase: None };
        let (clients, batch) = (Clients::new(job), Batch::default());
        let ports = OwnPorts::new(&world.hosts[0]);
        Asking { clients, ports, batch, made: 0, until: *until }
    }
}

/// Workers at work.
#[derive(Debug)]
pub struct Asking<'a> {
    clients: Clients,
    ports: OwnPorts<'a>,
    batch: Batch,
    made: usize,
    until: SimTime,
}

impl Asking<'_> {
    /// What is attempted next; to be asked when it is known what became of the last.
    pub fn next_attempt(&mut self) -> Option<Attempt> {
        if self.made == self.batch.attempts.len() {
            self.clients.next_attempts(SimTime::FAR_FUTURE, &mut self.batch, &mut Unobserved);
            self.made = 0;
        }
        let attempt = *self.batch.attempts.get(self.made).filter(|one| one.at < self.until)?;
        let mut attempt = Attempt::from(attempt);
        self.ports.give(&mut attempt);
        Some(attempt)
    }

    /// What became of it.
    pub fn hear(&mut self, refused: bool) {
        let attempt: model::Attempt = self.batch.attempts[self.made];
        self.made += 1;
        let closes = attempt.at + attempt.lifetime;
        let became =
            if refused { Became::Refused } else { Became::Opened { connection: 0, closes } };
        self.clients.hear(&attempt, became, &mut Unobserved);
    }
}

/// Ports of the clients' own choice, in turn as the model takes them (`Binds::Port`).
#[derive(Debug)]
pub(super) struct OwnPorts<'a> {
    host: &'a Host,
    asked: Vec<usize>,
}

impl<'a> OwnPorts<'a> {
    pub(super) fn new(host: &'a Host) -> Self {
        Self { host, asked: vec![0; host.clients.len()] }
    }

    /// Lets `attempt` have the next one, if its client brings any.
    pub(super) fn give(&mut self, attempt: &mut Attempt) {
        let client = usize::from(attempt.how);
        let Client { binds, socket, .. } = &self.host.clients[client];
        if *binds == Binds::Port {
            let ports = socket.source_ports.ports();
            attempt.port = Some(ports[self.asked[client] % ports.len()]);
            self.asked[client] += 1;
        }
    }
}
