//! How pools go on when the world changes.

use std::collections::HashMap;

use super::state::{Doing, Event, NONE, Request, Requests, Server};
use crate::engine::endpoints::EndpointNumbers;
use crate::engine::job::Job;
use crate::engine::machine::LateAnswer;
use crate::engine::observe::Observer;
use crate::model::{ConnectionId, IdleCheck};
use crate::units::SimTime;

impl Requests {
    /// Goes on from `at` as the clients of the machine of `job`: what they would not keep any more is closed, and
    /// what they would not let wait is let go on. Requests that wait for the answer of a server that answers
    /// again have it after as long as they take.
    pub(in crate::engine) fn reshape(
        &mut self,
        job: Job<'_>,
        numbers: &EndpointNumbers,
        at: SimTime,
        late: &[LateAnswer],
        observer: &mut impl Observer,
    ) {
        self.now = at;
        self.servers = Server::all(job, numbers);
        for (keeper, client) in self.keepers.iter_mut().zip(&job.host().clients) {
            let Some(keeper) = keeper else { continue };
            keeper.keeps = client.pool.clone().unwrap_or_default();
            keeper.retries.clone_from(&client.retries);
        }
        for request in &mut self.requests {
            request.attempt.remote =
                Server::of(&self.servers, request.attempt.tuple.endpoint).remote;
        }
        self.answered_late(late);
        for pool in 0..self.pools.len() as u32 {
            self.reshape_pool(pool, observer);
        }
    }

    /// Attempts that nobody answered will be answered.
    fn answered_late(&mut self, late: &[LateAnswer]) {
        if late.is_empty() {
            return;
        }
        let late: HashMap<ConnectionId, &LateAnswer> =
            late.iter().map(|one| (one.connection, one)).collect();
        for connection in 0..self.connections.len() as u32 {
            let entry = &mut self.connections[connection as usize];
            let answered = late.get(&entry.id);
            if let (Doing::Dialing { .. }, Some(answered)) = (entry.doing, answered) {
                entry.epoch += 1;
                let epoch = entry.epoch;
                let event = Event::Answers { connection, epoch };
                self.wait_for_answer(connection, answered.at, event);
            }
        }
        let of_their_own = (0..self.requests.len() as u32).filter_map(|request| {
            let asked = &self.requests[request as usize];
            let answered = late.get(&asked.silent_on).filter(|_| asked.silent_on != NONE)?;
            Some((request, asked.attempt.client, answered.closes + asked.think))
        });
        for (request, client, ready) in of_their_own.collect::<Vec<_>>() {
            if self.keeper(client).has_workers {
                self.events.push(ready, Event::Worker(client));
            }
            self.done_with(request);
        }
    }

    pub(super) fn reshape_pool(&mut self, number: u32, observer: &mut impl Observer) {
        let pool = &mut self.pools[number as usize];
        let server = Server::of(&self.servers, pool.endpoint);
        pool.server = server.keeps;
        pool.silent = !server.remote.answers();
        let unanswered =
            if pool.silent { Vec::new() } else { std::mem::take(&mut pool.unanswered) };
        let (client, has_idle) = (pool.client, pool.idle.len() > 0);
        for (connection, request) in unanswered {
            let Request { attempt, tried, .. } = self.requests[request as usize];
            let answered = self.now + attempt.lifetime;
            let given_up = self.keeper(client).keeps.request_timeout.map(|most| tried + most);
            // One that is given up before has that in the queue.
            if given_up.is_none_or(|given_up| given_up >= answered) {
                self.events.push(answered, Event::Answered { connection, request });
            }
        }
        let keeps = &self.keeper(client).keeps;
        let looked_at = match keeps.idle_check {
            IdleCheck::Lazy => None,
            IdleCheck::Sweep => Some(Event::Sweep(number)),
            IdleCheck::Timer | IdleCheck::WholeSecond => Some(Event::Idle(number)),
        };
        let looked_at = looked_at.filter(|_| keeps.idle_timeout.is_some());
        let looked_at_there = server.keeps.idle_timeout.map(|_| Event::ServerIdle(number));
        for (which, event) in [looked_at, looked_at_there].into_iter().enumerate() {
            if let Some(event) = event.filter(|_| has_idle) {
                self.pools[number as usize].timed[which] = true;
                self.events.push(self.now, event);
            }
        }
        self.keep_few(number, observer);
        self.keep_few_in_all(client, observer);
        self.refill(number, observer);
    }
}
