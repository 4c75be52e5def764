//! What is known of requests, connections and pools.

use std::collections::VecDeque;

use rand::rngs::Xoshiro256PlusPlus;

use super::idle::{Idle, Stamp};
use crate::engine::batch::Close;
use crate::engine::calendar::Calendar;
use crate::engine::endpoints::EndpointNumbers;
use crate::engine::job::Job;
use crate::model::{Attempt, ConnectionId, Ending, KeepAlive, Remote, Retries, ServerKeeps};
use crate::units::{NANOS_PER_SECOND, SimDuration, SimTime};

/// What is asked of the machine.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) enum Action {
    /// To open a connection, with the time between its two FINs.
    Open(Attempt, SimDuration),
    /// To close one.
    Close(Close),
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A request on this connection is answered.
    Answered { connection: u32, request: u32 },
    /// A request on this connection is given up.
    Aborted { connection: u32, request: u32, generation: u32 },
    /// A connection can be taken again.
    Back(u32),
    /// An attempt that nobody answers is given up.
    GivenUp { connection: u32, epoch: u32 },
    /// It takes the request too long that it was made for.
    TooLong { connection: u32, epoch: u32 },
    /// It is answered after all.
    Answers { connection: u32, epoch: u32 },
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
pub(super) enum Doing {
    /// It is being opened, for this request, or for whoever waits first by then (`late`).
    Dialing { request: u32, generation: u32, late: bool },
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
pub(super) struct Connection {
    /// The machine's number for it.
    pub(super) id: ConnectionId,
    pub(super) pool: u32,
    /// It was the so-manieth that was opened.
    pub(super) opened: u64,
    /// Requests that it has carried.
    pub(super) carried: u32,
    pub(super) doing: Doing,
    pub(super) epoch: u32,
    /// Since when it is idle.
    pub(super) since: SimTime,
    /// Who closes it, as its last request says.
    pub(super) ending: Ending,
    /// Has the server closed it, and the client not noticed?
    pub(super) dead: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// It counts as an attempt to the machine when a connection is opened for it.
    pub(super) attempt: Attempt,
    pub(super) number: u64,
    pub(super) second_fin: SimDuration,
    pub(super) think: SimDuration,
    /// When it was tried last, and how often it was.
    pub(super) tried: SimTime,
    pub(super) tries: u32,
    pub(super) begun: SimTime,
    pub(super) generation: u32,
    pub(super) waits: bool,
    /// The connection of its own that nobody answers; `NONE` where there is no such.
    pub(super) silent_on: ConnectionId,
}

/// What the machine was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dial {
    /// A connection of a pool.
    Kept(u32),
    /// A connection of its own for this request.
    Alone { request: u32, generation: u32 },
}

/// The connections to one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) client: u16,
    pub(super) endpoint: u32,
    pub(super) server: ServerKeeps,
    /// Does the server answer nothing now?
    pub(super) silent: bool,
    /// Connections and requests whose answers are due and do not come while it is.
    pub(super) unanswered: Vec<(u32, u32)>,
    pub(super) idle: Idle,
    /// Connections in all, also those that are being opened.
    pub(super) open: u32,
    /// Those with requests and room for more; only with several streams.
    pub(super) roomy: Vec<u32>,
    pub(super) queue: VecDeque<(u32, u32)>,
    /// Those in the queue for whom no connection is being opened; only where they may take another's.
    pub(super) undialed: VecDeque<(u32, u32)>,
    /// Is there an [`Event::Idle`], a [`Event::ServerIdle`] to come?
    pub(super) timed: [bool; 2],
}

/// A client that keeps connections, or tries again.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    pub(super) keeps: KeepAlive,
    /// Does it keep any? Else each request is for a connection of its own.
    pub(super) pooled: bool,
    /// Are idle ones ever taken, or closed, in the order in which they were opened?
    pub(super) by_opening: bool,
    /// Are those of all pools ever limited together?
    pub(super) limited_together: bool,
    pub(super) retries: Option<Retries>,
    pub(super) rng: Xoshiro256PlusPlus,
    /// Tries again that its budget has saved up.
    pub(super) saved: f64,
    /// Failures so far.
    pub(super) failures: u32,
    pub(super) has_workers: bool,
    /// Number of the pool of each endpoint; `NONE` until it is used.
    pub(super) pools: Vec<u32>,
    /// Idle connections of all its pools by return, where they are limited together.
    pub(super) by_return: VecDeque<Stamp>,
    pub(super) idle: u32,
    /// Connections that were opened.
    pub(super) opened: u64,
    /// Requests that were made.
    pub(super) asked: u64,
}

pub(super) const NONE: u32 = u32::MAX;

/// What a destination is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    /// The number of its first endpoint.
    pub(super) first: u32,
    pub(super) keeps: ServerKeeps,
    pub(super) remote: Remote,
}

impl Server {
    /// The destinations of the machine of `job`.
    pub(super) fn all(job: Job<'_>, numbers: &EndpointNumbers) -> Vec<Self> {
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
    pub(super) fn of(servers: &[Self], endpoint: u32) -> Self {
        servers[servers.partition_point(|server| server.first <= endpoint) - 1]
    }
}

/// All pools of one machine.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Requests {
    pub(super) keepers: Vec<Option<Keeper>>,
    /// What destinations are like, by the number of the first endpoint of each.
    pub(super) servers: Vec<Server>,
    pub(super) pools: Vec<Pool>,
    pub(super) connections: Vec<Connection>,
    pub(super) vacant: Vec<u32>,
    pub(super) requests: Vec<Request>,
    pub(super) idle_requests: Vec<u32>,
    pub(super) events: Calendar<Event>,
    pub(super) actions: VecDeque<Action>,
    /// What the machine has been asked for and has not answered.
    pub(super) dialing: VecDeque<Dial>,
    pub(super) now: SimTime,
}

pub(super) fn is_idle(connections: &[Connection], stamp: Stamp) -> bool {
    connections[stamp.connection as usize].epoch == stamp.epoch
}

pub(super) fn waits(requests: &[Request], (request, generation): (u32, u32)) -> bool {
    let entry = &requests[request as usize];
    entry.generation == generation && entry.waits
}

/// The whole second below.
pub(super) fn whole_second(at: SimTime) -> SimTime {
    SimTime::from_nanos(at.as_nanos() / NANOS_PER_SECOND * NANOS_PER_SECOND)
}
