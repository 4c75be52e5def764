//! What fails, and whether it is tried again.

use super::state::{Event, NONE, Request, Requests};
use crate::engine::client::ClientStream;
use crate::engine::observe::{Failed, Failure, Observer};
use crate::engine::sample::unit;
use crate::units::{SimDuration, SimTime};

impl Requests {
    /// A request will never be served.
    pub(super) fn fail(&mut self, request: u32, failure: Failure, observer: &mut impl Observer) {
        let Request { attempt, number, think, tries, .. } = self.requests[request as usize];
        let client = attempt.client;
        if let Some(delay) = self.next_try(client, tries, attempt.at) {
            observer.retried(self.now, client);
            let entry = &mut self.requests[request as usize];
            // Nothing that it was asked for counts for it any more.
            entry.generation += 1;
            entry.waits = false;
            entry.silent_on = NONE;
            let generation = entry.generation;
            return self.events.push(self.now + delay, Event::Retry { request, generation });
        }
        observer.failed(&Failed {
            client,
            request: number,
            asked: attempt.at,
            at: self.now,
            failure,
        });
        self.done_with(request);
        if self.keeper(client).has_workers {
            let pause = ClientStream::after_refusal(think);
            self.events.push(self.now + pause, Event::Worker(client));
        }
    }

    /// How long after a failure it is tried again, if it is.
    pub(super) fn next_try(
        &mut self,
        client: u16,
        tries: u32,
        since: SimTime,
    ) -> Option<SimDuration> {
        let now = self.now;
        let keeper = self.keepers[usize::from(client)].as_mut()?;
        let retries = keeper.retries.as_ref()?;
        keeper.failures = keeper.failures.saturating_add(1);
        let stops = retries.stop_after.is_some_and(|most| keeper.failures >= most);
        if stops || tries >= retries.attempts {
            return None;
        }
        let delay = match retries.jitter {
            0.0 => retries.delay(tries, 0.0),
            _ => retries.delay(tries, unit(&mut keeper.rng)),
        };
        // Else a refusal would be tried again at the same instant, without end.
        let delay = ClientStream::after_refusal(delay);
        if retries.deadline.is_some_and(|deadline| now + delay > since + deadline) {
            return None;
        }
        if retries.budget.is_some() {
            if keeper.saved < 1.0 {
                return None;
            }
            keeper.saved -= 1.0;
        }
        Some(delay)
    }

    pub(super) fn done_with(&mut self, request: u32) {
        let entry = &mut self.requests[request as usize];
        entry.generation += 1;
        entry.waits = false;
        entry.silent_on = NONE;
        self.idle_requests.push(request);
    }
}
