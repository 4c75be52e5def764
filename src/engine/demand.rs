//! Demand: the attempts that the clients of one machine make, in the order of time.
//!
//! A client with open arrivals is a stream: its attempts are drawn some hundred at a time, each
//! property in a straight loop from its own random stream, and they are the same whatever becomes
//! of them. Workers of a closed loop come back when their connection is closed, so they wait in a
//! queue.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::batch::{BATCH, Batch, Became};
use super::client::ClientStream;
use super::endpoints::EndpointNumbers;
use super::machine::LateAnswer;
use super::observe::{Observer, Unobserved};
use super::requests::{Action, Requests};
use crate::model::Attempt;
use crate::units::{SimDuration, SimTime};

/// What the clients of `job`'s machine attempt before `until`, at most `most` of it; for arrivals that do not
/// depend on what becomes of them.
#[must_use]
pub fn recorded(job: super::Job<'_>, until: SimTime, most: usize) -> Vec<Attempt> {
    let mut clients = Clients::new(job);
    let (mut drawn, mut all) = (Batch::default(), Vec::new());
    loop {
        clients.next_attempts(until, &mut drawn, &mut Unobserved);
        let batch = &drawn.attempts;
        let before = batch.partition_point(|attempt| attempt.at < until);
        all.extend_from_slice(&batch[..before]);
        if before < batch.len() || batch.is_empty() || all.len() >= most {
            all.truncate(most);
            return all;
        }
    }
}

/// Those who ask a machine for ports.
pub trait Demand {
    /// Puts what is asked next into `into`, in the order of time: some hundred attempts at most, or a single one
    /// where what becomes of it decides what comes next; and connections that are to be closed before.
    /// Nothing when nothing more comes before `end`; attempts at `end` or later are made when the run goes on.
    fn next_attempts(&mut self, end: SimTime, into: &mut Batch, observer: &mut impl Observer);

    /// What became of an attempt, told before anything later happens.
    fn hear(&mut self, attempt: &Attempt, became: Became, observer: &mut impl Observer);
}

/// All clients of one machine.
#[derive(Clone, Debug)]
pub struct Clients {
    clients: Vec<ClientStream>,
    /// The endpoints that they connect to at any time.
    numbers: EndpointNumbers,
    /// Requests over connections that are kept, where some client makes such.
    requests: Option<Box<Requests>>,
    has_workers: bool,
    /// Does any client have a time between its two FINs?
    has_second_fins: bool,
    /// Where there are several clients: the time of the next attempt of each.
    heads: BinaryHeap<Reverse<(SimTime, u16)>>,
    /// The client whose attempt was taken last. It waits for the next one only when that is asked
    /// for, since it may depend on what has become of this one.
    last: Option<u16>,
}

impl Clients {
    /// The clients on the machine of `job`.
    ///
    /// # Panics
    /// When the host has more than 65,536 clients.
    #[must_use]
    pub fn new(job: super::Job<'_>) -> Self {
        let numbers = job.numbers();
        let until = job.world.changes.first().map_or(SimTime::FAR_FUTURE, |change| change.at);
        let clients = job.host().clients.iter().enumerate().map(|(number, client)| {
            let number = u16::try_from(number).expect("at most 65,536 clients on a host");
            ClientStream::new(number, job, &numbers, client, until)
        });
        let mut clients: Vec<ClientStream> = clients.collect();
        let mut requests = Requests::new(job, &numbers).map(Box::new);
        for (number, stream) in clients.iter_mut().enumerate() {
            match requests.as_mut().filter(|requests| requests.keeps(number as u16)) {
                Some(requests) => {
                    for _ in 0..stream.workers() {
                        requests.begin(number as u16, SimTime::START, stream);
                    }
                }
                None => stream.begin(),
            }
        }
        let has_workers = clients.iter().any(ClientStream::listens);
        let has_second_fins = clients.iter().any(ClientStream::has_second_fins);
        let (heads, last) = (BinaryHeap::new(), None);
        let mut new =
            Self { clients, numbers, requests, has_workers, has_second_fins, heads, last };
        new.all_wait();
        new
    }

    /// Goes on from `at` as the clients of the machine of `job`, which they are `until` then. What was asked
    /// before stays asked, and `late` ones of it are answered yet; random numbers go on where they are.
    pub(super) fn reshape(
        &mut self,
        job: super::Job<'_>,
        [at, until]: [SimTime; 2],
        late: &[LateAnswer],
        observer: &mut impl Observer,
    ) {
        for (number, client) in job.host().clients.iter().enumerate() {
            let stream = &mut self.clients[number];
            let more = stream.reshape(job, &self.numbers, client, [at, until]);
            let number = number as u16;
            for _ in 0..more {
                match self.requests.as_mut().filter(|requests| requests.keeps(number)) {
                    Some(requests) => requests.begin(number, at, stream),
                    None => stream.worker_free(at, false),
                }
            }
        }
        if let Some(requests) = &mut self.requests {
            requests.reshape(job, &self.numbers, at, late, observer);
        }
        self.has_second_fins = self.clients.iter().any(ClientStream::has_second_fins);
        self.last = None;
        self.all_wait();
    }

    /// The endpoints that they connect to.
    pub(super) const fn numbers(&self) -> &EndpointNumbers {
        &self.numbers
    }

    /// Lets all clients wait for their next attempts, where there are several.
    fn all_wait(&mut self) {
        self.heads.clear();
        if self.clients.len() > 1 || self.requests.is_some() {
            (0..self.clients.len()).for_each(|client| self.wait(client as u16));
        }
    }

    /// Puts a batch of attempts of clients that do not listen into `into`.
    fn merge(&mut self, into: &mut Batch) {
        while into.attempts.len() < BATCH {
            let Some(&Reverse((_, client))) = self.heads.peek() else { return };
            self.take_next(client, into);
            let next = self.clients[usize::from(client)].peek();
            let mut head = self.heads.peek_mut().expect("it was there a moment ago");
            match next {
                Some(at) => *head = Reverse((at, client)),
                None => drop(PeekMut::pop(head)),
            }
        }
    }

    /// Moves the next attempt of a client to `into`.
    fn take_next(&mut self, client: u16, into: &mut Batch) {
        if let Some((attempt, second_fin)) = self.clients[usize::from(client)].next_attempt() {
            into.attempts.push(attempt);
            if self.has_second_fins {
                into.second_fins.push(second_fin);
            }
        }
    }

    /// Lets a client wait for the time of its next attempt, if it has one.
    fn wait(&mut self, client: u16) {
        let asks = |requests: &Requests| requests.keeps(client);
        if self.requests.as_deref().is_some_and(asks) && self.clients[usize::from(client)].listens()
        {
            // Its workers ask by themselves.
            return;
        }
        let next = self.clients[usize::from(client)].peek();
        self.heads.extend(next.map(|at| Reverse((at, client))));
    }
}

impl Clients {
    /// Goes on until an attempt is to be made or nothing is left before `end`; what waits to be closed is
    /// gathered on the way.
    fn go_on(
        &mut self,
        requests: &mut Requests,
        end: SimTime,
        into: &mut Batch,
        observer: &mut impl Observer,
    ) {
        if let Some(client) = self.last.take() {
            self.wait(client);
        }
        let before_end = SimTime::from_nanos(end.as_nanos().saturating_sub(1));
        while into.closes.len() < BATCH {
            match requests.action() {
                Some(Action::Open(attempt, second_fin)) => {
                    into.attempts.push(attempt);
                    if self.has_second_fins {
                        into.second_fins.push(second_fin);
                    }
                    return;
                }
                Some(Action::Close(close)) => {
                    into.closes.push(close);
                    continue;
                }
                None => {}
            }
            let head = self.heads.peek().map(|&Reverse(head)| head);
            let until = head.map_or(before_end, |(at, _)| at.min(before_end));
            if requests.step(until, &mut self.clients, observer) {
                continue;
            }
            let Some((_, client)) = head.filter(|&(at, _)| at < end) else { return };
            self.heads.pop();
            if !requests.keeps(client) {
                self.take_next(client, into);
                self.last = Some(client);
                return;
            }
            let stream = &mut self.clients[usize::from(client)];
            let (attempt, second_fin) = stream.next_attempt().expect("its time is known");
            let next = stream.peek();
            self.heads.extend(next.map(|at| Reverse((at, client))));
            requests.arrive(client, attempt, [second_fin, SimDuration::ZERO], observer);
        }
    }
}

impl Demand for Clients {
    /// Simultaneous ones in the order of the clients.
    fn next_attempts(&mut self, end: SimTime, into: &mut Batch, observer: &mut impl Observer) {
        into.attempts.clear();
        into.second_fins.clear();
        if let Some(mut requests) = self.requests.take() {
            self.go_on(&mut requests, end, into, observer);
            self.requests = Some(requests);
            return;
        }
        if let [only] = &mut self.clients[..] {
            return only.next_batch(into);
        }
        if !self.has_workers {
            return self.merge(into);
        }
        // What becomes of an attempt may decide which is the next.
        if let Some(client) = self.last.take() {
            self.wait(client);
        }
        let Some(Reverse((_, client))) = self.heads.pop() else { return };
        self.take_next(client, into);
        self.last = Some(client);
    }

    #[inline(always)]
    fn hear(&mut self, attempt: &Attempt, became: Became, observer: &mut impl Observer) {
        if let Some(requests) = &mut self.requests
            && requests.keeps(attempt.client)
        {
            return requests.dialed(became, observer);
        }
        if !self.has_workers {
            return;
        }
        let client = &mut self.clients[usize::from(attempt.client)];
        match became {
            Became::Refused => client.worker_free(attempt.at, true),
            Became::Opened { closes, .. } => client.worker_free(closes, false),
        }
    }
}
