//! The attempts of all machines of an island, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::engine::batch::{BATCH, Batch, Became};
use crate::engine::demand::{Clients, Demand};
use crate::engine::job::Job;
use crate::engine::observe::Observer;
use crate::model::Attempt;
use crate::units::{SimDuration, SimTime};

/// The clients of all machines; none of them listens to what becomes of its attempts.
#[derive(Debug)]
pub struct Crowd {
    each: Vec<(Clients, Batch, usize)>,
    /// The time of the next attempt of each machine.
    heads: BinaryHeap<Reverse<(SimTime, u32)>>,
    /// Has any a time between its two FINs?
    has_second_fins: bool,
    begun: bool,
}

impl Crowd {
    /// The clients on the machines of `jobs`.
    pub fn new(jobs: &[Job<'_>]) -> Self {
        let each = jobs.iter().map(|&job| (Clients::new(job), Batch::default(), 0)).collect();
        Self { each, heads: BinaryHeap::new(), has_second_fins: false, begun: false }
    }

    /// Lets a machine wait for its next attempt, if it has one.
    fn wait(&mut self, machine: u32, end: SimTime, observer: &mut impl Observer) {
        let (clients, batch, made) = &mut self.each[machine as usize];
        if *made == batch.attempts.len() {
            observer.of_machine(machine);
            clients.next_attempts(end, batch, observer);
            *made = 0;
            self.has_second_fins |= !batch.second_fins.is_empty();
        }
        if let Some(next) = batch.attempts.get(*made) {
            self.heads.push(Reverse((next.at, machine)));
        }
    }
}

impl Demand for Crowd {
    fn next_attempts(&mut self, end: SimTime, into: &mut Batch, observer: &mut impl Observer) {
        into.attempts.clear();
        into.second_fins.clear();
        if !std::mem::replace(&mut self.begun, true) {
            (0..self.each.len() as u32).for_each(|machine| self.wait(machine, end, observer));
        }
        while into.attempts.len() < BATCH {
            let Some(Reverse((_, machine))) = self.heads.pop() else { return };
            let (_, batch, made) = &mut self.each[machine as usize];
            let second_fin = batch.second_fins.get(*made).copied().unwrap_or(SimDuration::ZERO);
            if self.has_second_fins {
                into.second_fins.resize(into.attempts.len(), SimDuration::ZERO);
                into.second_fins.push(second_fin);
            }
            into.attempts.push(Attempt { machine, ..batch.attempts[*made] });
            *made += 1;
            self.wait(machine, end, observer);
        }
    }

    fn hear(&mut self, _: &Attempt, _: Became, _: &mut impl Observer) {}
}
