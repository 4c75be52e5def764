//! Requests over connections that are kept: the pools of all clients of one machine that have any.
//!
//! A request takes an idle connection, or one is opened for it, or it waits for one. What a connection does
//! next is decided when its answer is there: it is handed to who waits, kept, or closed. All that is due is
//! in one queue, in the order of time; what the machine has to be asked for comes out as [`Action`]s.

use std::collections::VecDeque;

use rand::rngs::Xoshiro256PlusPlus;

use super::batch::{Became, Close};
use super::calendar::Calendar;
use super::client::ClientStream;
use super::endpoints::EndpointNumbers;
use super::idle::{Idle, Stamp};
use super::observe::{Failed, Failure, Observer, Served};
use super::random::Purpose;
use super::sample::unit;
use crate::model::{
    Attempt, Client, ConnectionId, Counts, Ending, IdleCheck, KeepAlive, Notices, Overflow, Remote,
    Retries, ServerKeeps, Take, World,
};
use crate::units::{NANOS_PER_SECOND, SimDuration, SimTime};

/// What is asked of the machine.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// To open a connection, with the time between its two FINs.
    Open(Attempt, SimDuration),
    /// To close one.
    Close(Close),
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A request on this connection is answered.
    Answered { connection: u32, request: u32 },
    /// A request on this connection is given up.
    Aborted { connection: u32, request: u32, generation: u32 },
    /// A connection can be taken again.
    Back(u32),
    /// An attempt that nobody answers is given up.
    GivenUp(u32),
    /// Some idle connection of the pool may have reached the client's time-out.
    Idle(u32),
    /// All idle connections of the pool are held against the time-out.
    Sweep(u32),
    /// Some idle connection of the pool may have reached the server's time-out.
    ServerIdle(u32),
    /// A request has waited as long as it may.
    Waited { request: u32, generation: u32 },
    /// A worker asks again.
    Worker(u16),
    /// A request is tried again.
    Retry { request: u32, generation: u32 },
    /// An attempt for a connection of its own that nobody answers is given up.
    Silent { request: u32, generation: u32 },
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// It is being opened, for this request.
    Dialing { request: u32, generation: u32 },
    /// It carries so many requests.
    Busy(u32),
    /// Nothing, and it can be taken.
    Idle,
    /// Nothing, and it cannot be taken yet.
    Returning,
    /// It is no more.
    Gone,
}

#[derive(Clone, Copy, Debug)]
struct Connection {
    /// The machine's number for it.
    id: ConnectionId,
    pool: u32,
    /// It was the so-manieth that was opened.
    opened: u64,
    /// Requests that it has carried.
    carried: u32,
    doing: Doing,
    epoch: u32,
    /// Since when it is idle.
    since: SimTime,
    /// Who closes it, as its last request says.
    ending: Ending,
    /// Has the server closed it, and the client not noticed?
    dead: bool,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    /// It counts as an attempt to the machine when a connection is opened for it.
    attempt: Attempt,
    number: u64,
    second_fin: SimDuration,
    think: SimDuration,
    /// When it was tried last, and how often it was.
    tried: SimTime,
    tries: u32,
    begun: SimTime,
    generation: u32,
    waits: bool,
}

/// What the machine was asked for.
#[derive(Clone, Copy, Debug)]
enum Dial {
    /// A connection of a pool.
    Kept(u32),
    /// A connection of its own for this request.
    Alone { request: u32, generation: u32 },
}

/// The connections to one endpoint.
#[derive(Clone, Debug)]
struct Pool {
    client: u16,
    endpoint: u32,
    server: ServerKeeps,
    /// Does the server answer nothing now?
    silent: bool,
    /// Connections and requests whose answers are due and do not come while it is.
    unanswered: Vec<(u32, u32)>,
    idle: Idle,
    /// Connections in all, also those that are being opened.
    open: u32,
    /// Those with requests and room for more; only with several streams.
    roomy: Vec<u32>,
    queue: VecDeque<(u32, u32)>,
    /// Those in the queue for whom no connection is being opened; only where they may take another's.
    undialed: VecDeque<(u32, u32)>,
    /// Is there an [`Event::Idle`], a [`Event::ServerIdle`] to come?
    timed: [bool; 2],
}

/// A client that keeps connections, or tries again.
#[derive(Clone, Debug)]
struct Keeper {
    keeps: KeepAlive,
    /// Does it keep any? Else each request is for a connection of its own.
    pooled: bool,
    /// Are idle ones ever taken, or closed, in the order in which they were opened?
    by_opening: bool,
    /// Are those of all pools ever limited together?
    limited_together: bool,
    retries: Option<Retries>,
    rng: Xoshiro256PlusPlus,
    /// Tries again that its budget has saved up.
    saved: f64,
    /// Failures so far.
    failures: u32,
    has_workers: bool,
    /// Number of the pool of each endpoint; `NONE` until it is used.
    pools: Vec<u32>,
    /// Idle connections of all its pools by return, where they are limited together.
    by_return: VecDeque<Stamp>,
    idle: u32,
    /// Connections that were opened.
    opened: u64,
    /// Requests that were made.
    asked: u64,
}

const NONE: u32 = u32::MAX;

/// What a destination is like.
#[derive(Clone, Copy, Debug)]
struct Server {
    /// The number of its first endpoint.
    first: u32,
    keeps: ServerKeeps,
    remote: Remote,
}

impl Server {
    /// The destinations of the machine of `job`.
    fn all(job: super::Job<'_>, numbers: &EndpointNumbers) -> Vec<Self> {
        let destinations = job.world.destinations.iter().enumerate();
        let mut servers: Vec<Self> = destinations
            .filter_map(|(index, destination)| {
                let (first, keeps) = (numbers.first(index)?, destination.keeps);
                let remote = Remote::new(destination.answers, destination.loopback);
                Some(Self { first, keeps, remote })
            })
            .collect();
        servers.sort_by_key(|server| server.first);
        servers
    }

    /// The one that `endpoint` belongs to.
    fn of(servers: &[Self], endpoint: u32) -> Self {
        servers[servers.partition_point(|server| server.first <= endpoint) - 1]
    }
}

/// All pools of one machine.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    keepers: Vec<Option<Keeper>>,
    /// What destinations are like, by the number of the first endpoint of each.
    servers: Vec<Server>,
    pools: Vec<Pool>,
    connections: Vec<Connection>,
    vacant: Vec<u32>,
    requests: Vec<Request>,
    idle_requests: Vec<u32>,
    events: Calendar<Event>,
    actions: VecDeque<Action>,
    /// What the machine has been asked for and has not answered.
    dialing: VecDeque<Dial>,
    now: SimTime,
}

impl Requests {
    /// The pools of the clients on the machine of `job`, if any has one.
    pub(super) fn new(job: super::Job<'_>, numbers: &EndpointNumbers) -> Option<Self> {
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

    /// Goes on from `at` as the clients of the machine of `job`: what they would not keep any more is closed, and
    /// what they would not let wait is let go on. Requests that wait for the answer of a server that answers
    /// again have it after as long as they take.
    pub(super) fn reshape(
        &mut self,
        job: super::Job<'_>,
        numbers: &EndpointNumbers,
        at: SimTime,
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
        for pool in 0..self.pools.len() as u32 {
            self.reshape_pool(pool, observer);
        }
    }

    fn reshape_pool(&mut self, number: u32, observer: &mut impl Observer) {
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
            Event::GivenUp(connection) => {
                self.not_connected(connection, Failure::Unanswered, observer);
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
        let (generation, waits) = (0, false);
        let new =
            Request { attempt, number, second_fin, think, tried, tries, begun, generation, waits };
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
        let entry = &mut self.connections[connection as usize];
        let Doing::Dialing { request, generation } = entry.doing else {
            unreachable!("the machine was asked for it")
        };
        let (id, closes) = match became {
            Became::Refused => {
                return self.not_connected(connection, Failure::Refused, observer);
            }
            Became::Opened { connection, closes } => (connection, closes),
        };
        entry.id = id;
        if !self.requests[request as usize].attempt.remote.answers() {
            return self.events.push(closes, Event::GivenUp(connection));
        }
        self.connected(connection, (request, generation), observer);
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
            Became::Opened { closes, .. } if !attempt.remote.answers() => {
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

    /// A connection is established that was opened for this request.
    fn connected(
        &mut self,
        connection: u32,
        (request, generation): (u32, u32),
        observer: &mut impl Observer,
    ) {
        let own = &self.requests[request as usize];
        let late = self.keeper(own.attempt.client).keeps.late_binding;
        if own.generation == generation && (own.waits || !late) {
            return self.serve(connection, request);
        }
        // Somebody else's connection came back before: this one is for whoever waits, or for later.
        self.connections[connection as usize].doing = Doing::Returning;
        self.back(connection, observer);
    }

    /// A connection was opened for a request in vain; the request fails, if nothing else has served it.
    fn not_connected(&mut self, connection: u32, why: Failure, observer: &mut impl Observer) {
        let entry = &self.connections[connection as usize];
        let Doing::Dialing { request, generation } = entry.doing else {
            unreachable!("it was being opened")
        };
        let pool = entry.pool;
        self.forget(connection);
        let own = &self.requests[request as usize];
        let late = self.keeper(own.attempt.client).keeps.late_binding;
        if own.generation == generation && (own.waits || !late) {
            self.fail(request, why, observer);
        }
        self.refill(pool, observer);
    }

    /// A request has its answer.
    #[inline]
    fn answered(
        &mut self,
        connection: u32,
        request: u32,
        streams: &mut [ClientStream],
        observer: &mut impl Observer,
    ) {
        let pool = self.connections[connection as usize].pool;
        if self.pools[pool as usize].silent {
            return self.no_answer(connection, request);
        }
        let Request { attempt, number, think, begun, .. } = self.requests[request as usize];
        let client = attempt.client;
        let keeper = self.keepers[usize::from(client)].as_ref().expect("it is one of these");
        let (workers, turnaround) = (keeper.has_workers, keeper.keeps.turnaround);
        let (lag, own_most) = (keeper.keeps.return_lag, keeper.keeps.requests_per_connection);
        let entry = &mut self.connections[connection as usize];
        let of_connection = (entry.id, entry.opened);
        let Doing::Busy(carries) = entry.doing else { unreachable!("it carries a request") };
        entry.carried += 1;
        entry.ending = attempt.ending;
        let server = self.pools[entry.pool as usize].server;
        observer.served(&Served {
            client,
            request: number,
            connection: of_connection.0,
            opened: of_connection.1,
            asked: attempt.at,
            begun,
            at: self.now,
        });
        let carried = entry.carried;
        self.done_with(request);
        let entry = &mut self.connections[connection as usize];
        if carries > 1 {
            entry.doing = Doing::Busy(carries - 1);
            self.make_room(connection);
        } else if server.requests_per_connection.is_some_and(|most| carried >= most) {
            // Its last answer says `Connection: close`, and its FIN comes with it.
            let pool = entry.pool;
            self.close(connection, Ending::Server);
            self.refill(pool, observer);
        } else if own_most.is_some_and(|most| carried >= most) {
            let (pool, ending) = (entry.pool, entry.ending);
            self.close(connection, ending);
            self.refill(pool, observer);
        } else {
            entry.doing = Doing::Returning;
            let roomy = &mut self.pools[entry.pool as usize].roomy;
            if let Some(at) = roomy.iter().position(|&known| known == connection) {
                roomy.remove(at);
            }
            if lag.is_zero() {
                self.back(connection, observer);
            } else {
                self.events.push(self.now + lag, Event::Back(connection));
            }
        }
        if workers {
            let ready = self.now + turnaround + think;
            if ready > self.now {
                self.events.push(ready, Event::Worker(client));
            } else {
                // Who does not think asks again before anybody else does anything.
                self.ask(client, &mut streams[usize::from(client)], observer);
            }
        }
    }

    /// An answer is due from a server that answers nothing now.
    #[inline(never)]
    fn no_answer(&mut self, connection: u32, request: u32) {
        let pool = &mut self.pools[self.connections[connection as usize].pool as usize];
        pool.unanswered.push((connection, request));
        let client = pool.client;
        if let Some(most) = self.keeper(client).keeps.request_timeout {
            let Request { tried, generation, .. } = self.requests[request as usize];
            let event = Event::Aborted { connection, request, generation };
            self.events.push((tried + most).max(self.now), event);
        }
    }

    /// A request took too long on its connection, which ends with it: the answer would meet no one.
    fn aborted(&mut self, connection: u32, request: u32, observer: &mut impl Observer) {
        self.fail(request, Failure::TimedOut, observer);
        let pool = self.connections[connection as usize].pool;
        self.pools[pool as usize].unanswered.retain(|&one| one != (connection, request));
        let entry = &mut self.connections[connection as usize];
        let Doing::Busy(carries) = entry.doing else { unreachable!("it carries a request") };
        if carries > 1 {
            entry.doing = Doing::Busy(carries - 1);
            return self.make_room(connection);
        }
        self.close(connection, Ending::Reset);
        self.refill(pool, observer);
    }

    /// A connection with several requests has lost one: who waits gets its room.
    fn make_room(&mut self, connection: u32) {
        if !self.has_room(connection) {
            return;
        }
        let pool = self.connections[connection as usize].pool;
        match self.next_waiting(pool) {
            Some(request) => self.serve(connection, request),
            None => {
                let roomy = &mut self.pools[pool as usize].roomy;
                if !roomy.contains(&connection) {
                    roomy.push(connection);
                }
            }
        }
    }

    /// A connection that carries nothing is handed on, kept or closed.
    #[inline]
    fn back(&mut self, connection: u32, observer: &mut impl Observer) {
        let pool = self.connections[connection as usize].pool;
        let client = self.pools[pool as usize].client;
        let (counts, most) = {
            let keeps = &self.keeper(client).keeps;
            (keeps.counts, keeps.max_idle)
        };
        self.expire(pool, IdleCheck::Lazy, observer);
        if counts == Counts::Idle
            && let Some(request) = self.next_waiting(pool)
        {
            return self.serve(connection, request);
        }
        let idle = self.pools[pool as usize].idle.len();
        let full = counts == Counts::Idle && most.is_some_and(|most| idle >= most);
        let overflow = self.keeper(client).keeps.overflow;
        if full && (overflow == Overflow::Returning || most == Some(0)) {
            let ending = self.connections[connection as usize].ending;
            self.close(connection, ending);
            return self.refill(pool, observer);
        }
        self.rest(connection, observer);
        self.keep_few(pool, observer);
        self.keep_few_in_all(client, observer);
        self.refill(pool, observer);
    }

    /// Closes idle connections of a pool until they are no more than its client keeps.
    fn keep_few(&mut self, pool: u32, observer: &mut impl Observer) {
        let keeps = &self.keeper(self.pools[pool as usize].client).keeps;
        let Some(most) = keeps.max_idle else { return };
        let (counts, overflow) = (keeps.counts, keeps.overflow);
        let too_many = |pool: &Pool| match counts {
            Counts::Idle => pool.idle.len() > most,
            Counts::All => pool.open > most,
        };
        while too_many(&self.pools[pool as usize]) {
            let order = match overflow {
                Overflow::Returning => Take::Last,
                Overflow::Oldest => Take::Oldest,
                Overflow::First => Take::First,
            };
            let Some(victim) = self.first_idle(pool, order) else { break };
            self.close_idle(victim, observer);
        }
    }

    /// Closes the longest idle connections of all pools of a client until they are no more than it keeps.
    fn keep_few_in_all(&mut self, client: u16, observer: &mut impl Observer) {
        let Some(most) = self.keeper(client).keeps.max_idle_total else { return };
        loop {
            let connections = &self.connections;
            let keeper = self.keepers[usize::from(client)].as_mut().expect("it is one of these");
            while keeper.by_return.front().is_some_and(|&stamp| !is_idle(connections, stamp)) {
                keeper.by_return.pop_front();
            }
            match keeper.by_return.front() {
                Some(&stamp) if keeper.idle > most => self.close_idle(stamp.connection, observer),
                _ => return,
            }
        }
    }

    /// Lets who waits in the queue have what there is: idle connections, or new ones where there is room.
    fn refill(&mut self, pool: u32, observer: &mut impl Observer) {
        let client = self.pools[pool as usize].client;
        let (most, late) = {
            let keeps = &self.keeper(client).keeps;
            (keeps.max_connections, keeps.late_binding)
        };
        while let Some(request) = self.peek_waiting(pool) {
            if self.first_usable(pool, observer).is_some() {
                let request = self.next_waiting(pool).expect("it was there a moment ago");
                self.serve_from_idle(pool, request, observer);
                continue;
            }
            let Some(most) = most else { return };
            if self.pools[pool as usize].open >= most {
                return;
            }
            if late {
                // Those at the head may have connections under way: one more for who has none.
                let Some(ticket) = self.pools[pool as usize].undialed.pop_front() else { return };
                if self.is_waiting(ticket) {
                    self.dial(pool, ticket.0);
                }
            } else {
                self.next_waiting(pool);
                self.dial(pool, request);
            }
        }
    }

    fn is_waiting(&self, (request, generation): (u32, u32)) -> bool {
        waits(&self.requests, (request, generation))
    }

    /// The request that has waited longest.
    #[inline]
    fn peek_waiting(&mut self, pool: u32) -> Option<u32> {
        loop {
            let &ticket = self.pools[pool as usize].queue.front()?;
            if self.is_waiting(ticket) {
                return Some(ticket.0);
            }
            self.pools[pool as usize].queue.pop_front();
        }
    }

    /// The same, which waits no longer.
    #[inline]
    fn next_waiting(&mut self, pool: u32) -> Option<u32> {
        let request = self.peek_waiting(pool)?;
        self.pools[pool as usize].queue.pop_front();
        self.requests[request as usize].waits = false;
        Some(request)
    }

    /// Asks the machine for a connection.
    fn dial(&mut self, pool: u32, request: u32) {
        let Request { attempt, generation, .. } = self.requests[request as usize];
        let keeper =
            self.keepers[usize::from(attempt.client)].as_mut().expect("it is one of these");
        let new = Connection {
            id: 0,
            pool,
            opened: keeper.opened,
            carried: 0,
            doing: Doing::Dialing { request, generation },
            epoch: 0,
            since: self.now,
            ending: attempt.ending,
            dead: false,
        };
        keeper.opened += 1;
        let connection = match self.vacant.pop() {
            Some(number) => {
                let entry = &mut self.connections[number as usize];
                *entry = Connection { epoch: entry.epoch, ..new };
                number
            }
            None => {
                self.connections.push(new);
                self.connections.len() as u32 - 1
            }
        };
        self.pools[pool as usize].open += 1;
        self.dialing.push_back(Dial::Kept(connection));
        // It has no end until it is closed.
        let attempt = Attempt { at: self.now, ending: Ending::Never, ..attempt };
        self.actions.push_back(Action::Open(attempt, SimDuration::ZERO));
    }

    /// Puts a request on a connection that is there.
    #[inline]
    fn serve(&mut self, connection: u32, request: u32) {
        let entry = &mut self.connections[connection as usize];
        let carries = match entry.doing {
            Doing::Busy(carries) => carries + 1,
            _ => 1,
        };
        entry.doing = Doing::Busy(carries);
        let pool = entry.pool;
        let asked = &mut self.requests[request as usize];
        (asked.begun, asked.waits) = (self.now, false);
        let answered = self.now + asked.attempt.lifetime;
        let (client, since, generation) = (asked.attempt.client, asked.tried, asked.generation);
        let given_up = self.keeper(client).keeps.request_timeout.map(|timeout| since + timeout);
        match given_up.filter(|&given_up| given_up < answered) {
            None => self.events.push(answered, Event::Answered { connection, request }),
            Some(at) => self.events.push(at, Event::Aborted { connection, request, generation }),
        }
        if self.keeper(client).keeps.streams > 1 {
            let has_room = self.has_room(connection);
            let roomy = &mut self.pools[pool as usize].roomy;
            match (roomy.iter().position(|&known| known == connection), has_room) {
                (None, true) => roomy.push(connection),
                (Some(at), false) => drop(roomy.remove(at)),
                _ => {}
            }
            if has_room && let Some(request) = self.next_waiting(pool) {
                self.serve(connection, request);
            }
        }
    }

    /// Can a connection that carries some requests take one more? No more at a time than it has streams, nor in
    /// all than it may carry.
    fn has_room(&self, connection: u32) -> bool {
        let entry = &self.connections[connection as usize];
        let Doing::Busy(carries) = entry.doing else { return false };
        let pool = &self.pools[entry.pool as usize];
        let keeps = &self.keeper(pool.client).keeps;
        let most = [pool.server.requests_per_connection, keeps.requests_per_connection];
        let most = most.into_iter().flatten().min();
        carries < keeps.streams && most.is_none_or(|most| entry.carried + carries < most)
    }

    /// Puts a request on an idle connection, or on one that has room, if there is any.
    #[inline]
    fn serve_from_idle(&mut self, pool: u32, request: u32, observer: &mut impl Observer) -> bool {
        if let Some(&connection) = self.pools[pool as usize].roomy.first() {
            self.serve(connection, request);
            return true;
        }
        let Some(connection) = self.first_usable(pool, observer) else { return false };
        self.wake(connection, observer);
        self.serve(connection, request);
        true
    }

    /// The idle connection that is taken next; what the server has closed and the client notices now is put
    /// away.
    #[inline]
    fn first_usable(&mut self, pool: u32, observer: &mut impl Observer) -> Option<u32> {
        let take = self.keeper(self.pools[pool as usize].client).keeps.take;
        loop {
            let connection = self.first_idle(pool, take)?;
            if !self.connections[connection as usize].dead {
                return Some(connection);
            }
            self.wake(connection, observer);
            self.close(connection, Ending::Server);
        }
    }

    #[inline]
    fn first_idle(&mut self, pool: u32, order: Take) -> Option<u32> {
        let connections = &self.connections;
        let idle = &mut self.pools[pool as usize].idle;
        idle.first(order, |stamp| is_idle(connections, stamp)).map(|stamp| stamp.connection)
    }

    /// A connection becomes idle.
    #[inline]
    fn rest(&mut self, connection: u32, observer: &mut impl Observer) {
        let now = self.now;
        let entry = &mut self.connections[connection as usize];
        entry.doing = Doing::Idle;
        entry.epoch += 1;
        entry.since = now;
        let (number, opened) = (entry.pool, entry.opened);
        let stamp = Stamp { connection, epoch: entry.epoch };
        let pool = &mut self.pools[number as usize];
        let client = pool.client;
        let keeper = self.keepers[usize::from(client)].as_mut().expect("it is one of these");
        let keeps = &keeper.keeps;
        pool.idle.put(stamp, opened, keeper.by_opening);
        keeper.idle += 1;
        if keeper.limited_together {
            keeper.by_return.push_back(stamp);
        }
        if let Some(timeout) = keeps.idle_timeout.filter(|_| !pool.timed[0]) {
            let event = match keeps.idle_check {
                IdleCheck::Lazy => None,
                IdleCheck::Sweep => Some((now + timeout, Event::Sweep(number))),
                IdleCheck::Timer => Some((now + timeout, Event::Idle(number))),
                IdleCheck::WholeSecond => Some((whole_second(now) + timeout, Event::Idle(number))),
            };
            if let Some((due, event)) = event {
                pool.timed[0] = true;
                self.events.push(due.max(now), event);
            }
        }
        if let Some(timeout) = pool.server.idle_timeout.filter(|_| !pool.timed[1]) {
            pool.timed[1] = true;
            self.events.push(now + timeout, Event::ServerIdle(number));
        }
        observer.idles(now, client, 1);
    }

    /// A connection is idle no more.
    #[inline]
    fn wake(&mut self, connection: u32, observer: &mut impl Observer) {
        let entry = &mut self.connections[connection as usize];
        entry.epoch += 1;
        entry.doing = Doing::Returning;
        let number = entry.pool;
        let (connections, pool) = (&self.connections, &mut self.pools[number as usize]);
        pool.idle.removed(|stamp| is_idle(connections, stamp));
        let client = pool.client;
        self.keepers[usize::from(client)].as_mut().expect("it is one of these").idle -= 1;
        observer.idles(self.now, client, -1);
    }

    /// Closes an idle connection for the client's own reasons.
    fn close_idle(&mut self, connection: u32, observer: &mut impl Observer) {
        self.wake(connection, observer);
        let entry = &self.connections[connection as usize];
        let ending = if entry.dead { Ending::Server } else { entry.ending };
        self.close(connection, ending);
    }

    /// Closes a connection that carries nothing and is not idle.
    fn close(&mut self, connection: u32, ending: Ending) {
        let id = self.connections[connection as usize].id;
        self.actions.push_back(Action::Close(Close { at: self.now, connection: id, ending }));
        self.forget(connection);
    }

    /// A connection is no more.
    fn forget(&mut self, connection: u32) {
        let entry = &mut self.connections[connection as usize];
        entry.epoch += 1;
        entry.doing = Doing::Gone;
        let pool = &mut self.pools[entry.pool as usize];
        pool.open -= 1;
        if let Some(at) = pool.roomy.iter().position(|&known| known == connection) {
            pool.roomy.remove(at);
        }
        self.vacant.push(connection);
    }

    /// A request will never be served.
    fn fail(&mut self, request: u32, failure: Failure, observer: &mut impl Observer) {
        let Request { attempt, number, think, tries, .. } = self.requests[request as usize];
        let client = attempt.client;
        if let Some(delay) = self.next_try(client, tries, attempt.at) {
            observer.retried(self.now, client);
            let entry = &mut self.requests[request as usize];
            // Nothing that it was asked for counts for it any more.
            entry.generation += 1;
            entry.waits = false;
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
    fn next_try(&mut self, client: u16, tries: u32, since: SimTime) -> Option<SimDuration> {
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

    fn done_with(&mut self, request: u32) {
        let entry = &mut self.requests[request as usize];
        entry.generation += 1;
        entry.waits = false;
        self.idle_requests.push(request);
    }

    /// Closes idle connections that have reached the client's time-out, where that is looked at so.
    #[inline]
    fn expire(&mut self, pool: u32, check: IdleCheck, observer: &mut impl Observer) {
        let keeps = &self.keeper(self.pools[pool as usize].client).keeps;
        let Some(timeout) = keeps.idle_timeout.filter(|_| keeps.idle_check == check) else {
            return;
        };
        while let Some(connection) = self.first_idle(pool, Take::Oldest) {
            if self.connections[connection as usize].since + timeout > self.now {
                return;
            }
            self.close_idle(connection, observer);
        }
    }

    /// The time-out of the longest idle connection, at the latest now.
    fn check_idle(&mut self, pool: u32, observer: &mut impl Observer) {
        self.pools[pool as usize].timed[0] = false;
        let keeps = &self.keeper(self.pools[pool as usize].client).keeps;
        let (Some(timeout), check) = (keeps.idle_timeout, keeps.idle_check) else { return };
        while let Some(connection) = self.first_idle(pool, Take::Oldest) {
            let since = self.connections[connection as usize].since;
            let from = if check == IdleCheck::WholeSecond { whole_second(since) } else { since };
            let due = from + timeout;
            if due > self.now {
                self.pools[pool as usize].timed[0] = true;
                return self.events.push(due, Event::Idle(pool));
            }
            self.close_idle(connection, observer);
        }
    }

    fn sweep(&mut self, pool: u32, observer: &mut impl Observer) {
        self.pools[pool as usize].timed[0] = false;
        self.expire(pool, IdleCheck::Sweep, observer);
        let keeps = &self.keeper(self.pools[pool as usize].client).keeps;
        let Some(timeout) = keeps.idle_timeout else { return };
        if self.pools[pool as usize].idle.len() > 0 {
            self.pools[pool as usize].timed[0] = true;
            self.events.push(self.now + timeout, Event::Sweep(pool));
        }
    }

    /// The server closes what has been idle for its own time-out.
    fn check_server_idle(&mut self, pool: u32, observer: &mut impl Observer) {
        self.pools[pool as usize].timed[1] = false;
        let Some(timeout) = self.pools[pool as usize].server.idle_timeout else { return };
        let notices = self.keeper(self.pools[pool as usize].client).keeps.notices;
        if notices == Notices::OnUse {
            return self.close_unnoticed(pool, timeout);
        }
        while let Some(connection) = self.first_idle(pool, Take::Oldest) {
            let due = self.connections[connection as usize].since + timeout;
            if due > self.now {
                self.pools[pool as usize].timed[1] = true;
                return self.events.push(due, Event::ServerIdle(pool));
            }
            self.wake(connection, observer);
            self.close(connection, Ending::Server);
        }
    }

    /// The same, and the client does not notice.
    fn close_unnoticed(&mut self, pool: u32, timeout: SimDuration) {
        let mut next = SimTime::FAR_FUTURE;
        for entry in &mut self.connections {
            if entry.pool == pool && entry.doing == Doing::Idle && !entry.dead {
                let due = entry.since + timeout;
                entry.dead = due <= self.now;
                next = if entry.dead { next } else { next.min(due) };
            }
        }
        if next < SimTime::FAR_FUTURE {
            self.pools[pool as usize].timed[1] = true;
            self.events.push(next, Event::ServerIdle(pool));
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

fn is_idle(connections: &[Connection], stamp: Stamp) -> bool {
    connections[stamp.connection as usize].epoch == stamp.epoch
}

fn waits(requests: &[Request], (request, generation): (u32, u32)) -> bool {
    let entry = &requests[request as usize];
    entry.generation == generation && entry.waits
}

/// The whole second below.
fn whole_second(at: SimTime) -> SimTime {
    SimTime::from_nanos(at.as_nanos() / NANOS_PER_SECOND * NANOS_PER_SECOND)
}
