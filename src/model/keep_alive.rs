//! How a client keeps connections open for requests to come, and how long a server keeps them.
//!
//! The knobs are those in which measured clients differ (Go, Node, requests, httpx, aiohttp, curl, Java,
//! nginx, HAProxy): a preset is one set of them.

use crate::units::SimDuration;

/// How one client's requests share connections: a pool of them for each endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepAlive {
    /// Idle connections that are kept, `None` for all: one that would be too many is closed.
    pub max_idle: Option<u32>,
    /// Idle connections that are kept to all endpoints together; the longest idle one goes.
    pub max_idle_total: Option<u32>,
    /// What is held against `max_idle`.
    pub counts: Counts,
    /// Which one is closed when there would be too many.
    pub overflow: Overflow,
    /// Which idle one the next request gets.
    pub take: Take,
    /// Connections to one endpoint, `None` for no limit: who would need one more waits in a queue.
    pub max_connections: Option<u32>,
    /// For how long a request waits there until it fails.
    pub queue_timeout: Option<SimDuration>,
    /// How long a request may take in all, its waiting included: then it fails, and a connection that carries
    /// it is closed. `None` for as long as it takes.
    pub request_timeout: Option<SimDuration>,
    /// After how long an idle connection is closed, `None` for never.
    pub idle_timeout: Option<SimDuration>,
    /// When that is looked at.
    pub idle_check: IdleCheck,
    /// Does a request that waits for its own new connection take one that comes back before?
    pub late_binding: bool,
    /// After so many requests a connection is closed.
    pub requests_per_connection: Option<u32>,
    /// Requests that one connection carries at a time.
    pub streams: u32,
    /// When a close by the server is noticed.
    pub notices: Notices,
    /// From an answer until its connection can be taken again.
    pub return_lag: SimDuration,
    /// From an answer until its caller goes on.
    pub turnaround: SimDuration,
}

impl Default for KeepAlive {
    /// Keeps all for ever, takes the last one.
    fn default() -> Self {
        Self {
            max_idle: None,
            max_idle_total: None,
            counts: Counts::Idle,
            overflow: Overflow::Returning,
            take: Take::Last,
            max_connections: None,
            queue_timeout: None,
            request_timeout: None,
            idle_timeout: None,
            idle_check: IdleCheck::Timer,
            late_binding: false,
            requests_per_connection: None,
            streams: 1,
            notices: Notices::AtOnce,
            return_lag: SimDuration::ZERO,
            turnaround: SimDuration::ZERO,
        }
    }
}

/// What is held against the most idle connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Idle ones, after those that are waited for were handed on.
    Idle,
    /// All, busy ones too, before any is handed on.
    All,
}

/// Which connection is closed when there would be too many idle ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The one that comes back.
    Returning,
    /// The one that has been idle longest.
    Oldest,
    /// The idle one that was opened first.
    First,
}

/// Which idle connection the next request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// The one that came back last: LIFO.
    Last,
    /// The one that has been idle longest: FIFO.
    Oldest,
    /// The one that was opened first.
    First,
}

/// When idle connections are held against their time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleCheck {
    /// Each when it is over.
    Timer,
    /// When the pool is used next.
    Lazy,
    /// All, a time-out after the first came back, and so on while there are any.
    Sweep,
    /// Each when it is over, counted from the whole second below.
    WholeSecond,
}

/// When a client notices that the server has closed an idle connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notices {
    /// When it happens.
    AtOnce,
    /// When a request is to use it; it gets another one then.
    OnUse,
}

/// How long a server keeps connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerKeeps {
    /// After how long it closes one on which nothing is asked, `None` for never.
    pub idle_timeout: Option<SimDuration>,
    /// After so many requests it closes one.
    pub requests_per_connection: Option<u32>,
}
