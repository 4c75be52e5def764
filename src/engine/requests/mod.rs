//! Requests over connections that are kept: the pools of all clients of one machine that have any.
//!
//! A request takes an idle connection, or one is opened for it, or it waits for one. What a connection does
//! next is decided when its answer is there: it is handed to who waits, kept, or closed. All that is due is
//! in one queue, in the order of time; what the machine has to be asked for comes out as [`Action`]s.

mod changes;
mod idle;
mod keeping;
mod retries;
mod serving;
mod state;

use std::collections::VecDeque;

use idle::Idle;
pub(super) use state::{Action, Requests};
use state::{Dial, Event, Keeper, NONE, Pool, Request, Server, waits};

use super::batch::Became;
use super::calendar::Calendar;
use super::client::ClientStream;
use super::endpoints::EndpointNumbers;
use super::job::Job;
use super::observe::{Failure, Observer};
use super::random::Purpose;
use crate::model::{Attempt, Client, IdleCheck, KeepAlive, Overflow, Retries, Take, World};
use crate::units::{SimDuration, SimTime};

impl Requests {
    /// The pools of the clients on the machine of `job`, if any has one.
    pub(super) fn new(job: Job<'_>, numbers: &EndpointNumbers) -> Option<Self> {
        let host = job.host();
        let plain = |client: &Client| client.pool.is_none() && client.retries.is_none();
        if host.clients.iter().all(plain) {
            return None;
        }
        let keepers = host.clients.iter().enumerate().map(|(number, client)| {
            if plain(client) {
                return None;
            }
            let ever = |what: fn(&KeepAlive) -> bool| {
                let pool_in = |world: &World| world.hosts[job.host].clients[number].pool.clone();
                job.world.stretches().filter_map(pool_in).any(|keeps| what(&keeps))
            };
            Some(Keeper {
                keeps: client.pool.clone().unwrap_or_default(),
                pooled: client.pool.is_some(),
                by_opening: ever(|keeps| {
                    keeps.take == Take::First || keeps.overflow == Overflow::First
                }),
                limited_together: ever(|keeps| keeps.max_idle_total.is_some()),
                retries: client.retries.clone(),
                rng: job.streams().of_client(&client.name, Purpose::Retries),
                saved: 0.0,
                failures: 0,
                has_workers: client.arrivals.has_workers(),
                pools: vec![NONE; numbers.count() as usize],
                by_return: VecDeque::new(),
                idle: 0,
                opened: 0,
                asked: 0,
            })
        });
        Some(Self {
            keepers: keepers.collect(),
            servers: Server::all(job, numbers),
            pools: Vec::new(),
            connections: Vec::new(),
            vacant: Vec::new(),
            requests: Vec::new(),
            idle_requests: Vec::new(),
            events: Calendar::new(4_096, SimDuration::from_secs(1)),
            actions: VecDeque::new(),
            dialing: VecDeque::new(),
            now: SimTime::START,
        })
    }

    /// Has client number `client` a pool?
    #[inline]
    pub(super) fn keeps(&self, client: u16) -> bool {
        self.keepers[usize::from(client)].is_some()
    }

    /// Lets a worker of a client begin at `at`, after the time that it thinks.
    pub(super) fn begin(&mut self, client: u16, at: SimTime, stream: &mut ClientStream) {
        self.events.push(at + stream.think(), Event::Worker(client));
    }

    /// What the machine is to be asked for next.
    #[inline]
    pub(super) fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Lets the next event happen that is due by `until`, if there is one.
    #[inline]
    pub(super) fn step(
        &mut self,
        until: SimTime,
        streams: &mut [ClientStream],
        observer: &mut impl Observer,
    ) -> bool {
        let Some((at, event)) = self.events.pop_due(until) else { return false };
        self.now = at;
        match event {
            Event::Answered { connection, request } => {
                self.answered(connection, request, streams, observer);
            }
            Event::Aborted { connection, request, generation } => {
                if self.requests[request as usize].generation == generation {
                    self.aborted(connection, request, observer);
                }
            }
            Event::Back(connection) => self.back(connection, observer),
            Event::GivenUp { connection, epoch } => {
                if self.connections[connection as usize].epoch == epoch {
                    self.not_connected(connection, Failure::Unanswered, observer);
                }
            }
            Event::TooLong { connection, epoch } => {
                if self.connections[connection as usize].epoch == epoch {
                    self.not_connected(connection, Failure::TimedOut, observer);
                }
            }
            Event::Answers { connection, epoch } => {
                if self.connections[connection as usize].epoch == epoch {
                    self.connected(connection, observer);
                }
            }
            Event::Idle(pool) => self.check_idle(pool, observer),
            Event::Sweep(pool) => self.sweep(pool, observer),
            Event::ServerIdle(pool) => self.check_server_idle(pool, observer),
            Event::Waited { request, generation } => {
                if self.is_waiting((request, generation)) {
                    self.fail(request, Failure::Waited, observer);
                }
            }
            Event::Retry { request, generation } => {
                if self.requests[request as usize].generation == generation {
                    self.try_it(request, observer);
                }
            }
            Event::Silent { request, generation } => {
                if self.requests[request as usize].generation == generation {
                    self.fail(request, Failure::Unanswered, observer);
                }
            }
            Event::Worker(client) => {
                let stream = &mut streams[usize::from(client)];
                if !stream.one_leaves() {
                    self.ask(client, stream, observer);
                }
            }
        }
        true
    }

    /// A worker makes its next request now.
    fn ask(&mut self, client: u16, stream: &mut ClientStream, observer: &mut impl Observer) {
        if let Some((attempt, second_fin, think)) = stream.ask(self.now) {
            self.arrive(client, attempt, [second_fin, think], observer);
        }
    }

    /// A request is made.
    #[inline]
    pub(super) fn arrive(
        &mut self,
        client: u16,
        attempt: Attempt,
        [second_fin, think]: [SimDuration; 2],
        observer: &mut impl Observer,
    ) {
        self.now = attempt.at;
        let keeper = self.keepers[usize::from(client)].as_mut().expect("it is one of these");
        if let Some(retries) = &keeper.retries {
            if retries.stop_after.is_some_and(|most| keeper.failures >= most) {
                return;
            }
            let more = retries.budget.unwrap_or(0.0);
            keeper.saved = (keeper.saved + more).min(Retries::SAVED);
        }
        let number = keeper.asked;
        keeper.asked += 1;
        observer.asked(attempt.at, client);
        let (begun, tried, tries) = (attempt.at, attempt.at, 0);
        let (generation, waits, silent_on) = (0, false, NONE);
        let new = Request {
            attempt,
            number,
            second_fin,
            think,
            tried,
            tries,
            begun,
            generation,
            waits,
            silent_on,
        };
        let request = match self.idle_requests.pop() {
            Some(request) => {
                let entry = &mut self.requests[request as usize];
                *entry = Request { generation: entry.generation, ..new };
                request
            }
            None => {
                self.requests.push(new);
                self.requests.len() as u32 - 1
            }
        };
        self.try_it(request, observer);
    }

    /// Looks for a connection for a request.
    #[inline]
    fn try_it(&mut self, request: u32, observer: &mut impl Observer) {
        let now = self.now;
        let entry = &mut self.requests[request as usize];
        entry.tried = now;
        entry.tries += 1;
        let (attempt, second_fin, generation) = (entry.attempt, entry.second_fin, entry.generation);
        let client = attempt.client;
        if !self.keeper(client).pooled {
            self.dialing.push_back(Dial::Alone { request, generation });
            let attempt = Attempt { at: now, ..attempt };
            return self.actions.push_back(Action::Open(attempt, second_fin));
        }
        let pool = self.pool(client, attempt.tuple.endpoint);
        self.expire(pool, IdleCheck::Lazy, observer);
        if self.serve_from_idle(pool, request, observer) {
            return;
        }
        let (most, late, in_queue, in_all) = {
            let keeps = &self.keeper(client).keeps;
            let (in_queue, in_all) = (keeps.queue_timeout, keeps.request_timeout);
            (keeps.max_connections, keeps.late_binding, in_queue, in_all)
        };
        let may_open = most.is_none_or(|most| self.pools[pool as usize].open < most);
        if late || !may_open {
            let entry = &mut self.requests[request as usize];
            entry.waits = true;
            let ticket = (request, entry.generation);
            self.pools[pool as usize].queue.push_back(ticket);
            if late && !may_open {
                let requests = &self.requests;
                let entry = &mut self.pools[pool as usize];
                // Those that were served meanwhile are put away now and then.
                if entry.undialed.len() > 2 * entry.queue.len() + 64 {
                    entry.undialed.retain(|&ticket| waits(requests, ticket));
                }
                entry.undialed.push_back(ticket);
            }
            let timeouts = in_queue.filter(|_| !may_open).into_iter().chain(in_all);
            if let Some(timeout) = timeouts.min() {
                let (request, generation) = ticket;
                self.events.push(now + timeout, Event::Waited { request, generation });
            }
        }
        if may_open {
            self.dial(pool, request);
        }
    }

    /// What became of the oldest connection that the machine was asked for.
    pub(super) fn dialed(&mut self, became: Became, observer: &mut impl Observer) {
        let connection = match self.dialing.pop_front().expect("it was asked for") {
            Dial::Kept(connection) => connection,
            Dial::Alone { request, generation } => {
                return self.alone(request, generation, became, observer);
            }
        };
        let Became::Opened { connection: id, closes } = became else {
            return self.not_connected(connection, Failure::Refused, observer);
        };
        let entry = &mut self.connections[connection as usize];
        entry.id = id;
        let epoch = entry.epoch;
        if self.pools[entry.pool as usize].silent {
            let event = Event::GivenUp { connection, epoch };
            return self.wait_for_answer(connection, closes, event);
        }
        self.connected(connection, observer);
    }

    /// What became of an attempt for a connection of its own.
    fn alone(
        &mut self,
        request: u32,
        generation: u32,
        became: Became,
        observer: &mut impl Observer,
    ) {
        let Request { attempt, think, .. } = self.requests[request as usize];
        match became {
            Became::Refused => self.fail(request, Failure::Refused, observer),
            Became::Opened { closes, connection } if !attempt.remote.answers() => {
                self.requests[request as usize].silent_on = connection;
                self.events.push(closes, Event::Silent { request, generation });
            }
            Became::Opened { closes, .. } => {
                if self.keeper(attempt.client).has_workers {
                    self.events.push(closes + think, Event::Worker(attempt.client));
                }
                self.done_with(request);
            }
        }
    }

    #[inline]
    fn keeper(&self, client: u16) -> &Keeper {
        self.keepers[usize::from(client)].as_ref().expect("it is one of these")
    }

    /// The pool of a client's connections to an endpoint.
    #[inline]
    fn pool(&mut self, client: u16, endpoint: u32) -> u32 {
        let keeper = self.keepers[usize::from(client)].as_mut().expect("it is one of these");
        let known = &mut keeper.pools[endpoint as usize];
        if *known == NONE {
            *known = self.pools.len() as u32;
            let server = Server::of(&self.servers, endpoint);
            self.pools.push(Pool {
                client,
                endpoint,
                server: server.keeps,
                silent: !server.remote.answers(),
                unanswered: Vec::new(),
                idle: Idle::default(),
                open: 0,
                roomy: Vec::new(),
                queue: VecDeque::new(),
                undialed: VecDeque::new(),
                timed: [false; 2],
            });
        }
        *known
    }
}
