//! How long a port stays taken after its connection was closed.
//!
//! All ports of the range are taken towards one destination. So a further `connect()` comes about only
//! when one has come free, and it says which: the one it gets. It is asked every few milliseconds, keeps
//! what it gets, and is not waited for: the port is taken when the call returns, whatever state the
//! server's end of the old connection is in. This is the question that a client's `connect()` puts, so it
//! holds for a TIME-WAIT that is taken over early as well (`tcp_tw_reuse`), and it needs no socket option
//! that older kernels lack. A `bind()` to the port would be another question: with SO_REUSEADDR it gets a
//! port in TIME-WAIT at once.

use std::collections::{HashMap, VecDeque};
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType};

use crate::testbed::Failure;
use crate::testbed::lab::Lab;
use crate::testbed::pair::Pair;
use crate::testbed::socket::{Local, begin_connect, new_socket, port_of};
use crate::validate::{Destinations, Ending, How, Measured};

/// Time from one question to the next.
const POLL_S: f64 = 0.004;

/// [`crate::validate::Experiment::TwTime`].
pub(super) struct Plan {
    pub(super) gap: f64,
    pub(super) close: Ending,
    pub(super) server_delay: f64,
    pub(super) wait_from: f64,
    pub(super) wait_to: f64,
}

/// A connection that was closed.
struct ClosedPort {
    at: f64,
    /// How long its port was taken, when it has come free.
    taken: Option<f64>,
}

/// What was closed and what has come free.
struct Releases<'a, 'b> {
    lab: &'a Lab<'b>,
    closed: Vec<ClosedPort>,
    /// Place in `closed` by port.
    by_port: HashMap<u16, usize>,
    /// Servers that have not sent their FIN yet, with when they do.
    waiting: VecDeque<(Option<f64>, TcpStream)>,
    /// What the questions got.
    got: Vec<OwnedFd>,
    /// Ports of `closed` among them.
    free: usize,
}

/// Takes all ports, closes one connection after the other, and asks for the ports.
pub(super) fn time_wait(lab: &mut Lab<'_>, plan: &Plan) -> Result<Measured, Failure> {
    lab.serve(Destinations { k: 1, by_address: false })?;
    let mut left: VecDeque<Pair> = all_ports(lab)?.into();
    lab.clock.restart();
    let total = left.len();
    let mut watch = Releases::new(lab);
    let mut closed = 0_u32;
    let mut next_question = plan.wait_from;
    loop {
        let next_close = (!left.is_empty()).then(|| f64::from(closed) * plan.gap);
        watch.wait(next_close, next_question)?;
        let now = lab.clock.now();
        watch.servers_close(now);
        if next_close.is_some_and(|due| due <= now)
            && let Some(pair) = left.pop_front()
        {
            watch.close(pair, plan)?;
            closed += 1;
        } else if next_question <= now {
            watch.ask()?;
            next_question = watch.next_question(plan.wait_from);
        }
        let over = watch.closed.last().is_some_and(|last| lab.clock.now() > last.at + plan.wait_to);
        if left.is_empty() && (over || watch.free == total) {
            break;
        }
    }
    let (closed_s, taken_s) = watch.result().into_iter().unzip();
    Ok(Measured::TwTime { closed_s, taken_s })
}

/// [`crate::validate::Experiment::FinWait2`]: closes all clients at once.
pub(super) fn fin_wait_2(
    lab: &mut Lab<'_>,
    server_after: Option<f64>,
    limit: f64,
) -> Result<Measured, Failure> {
    lab.serve(Destinations { k: 1, by_address: false })?;
    let pairs = all_ports(lab)?;
    lab.clock.restart();
    let mut watch = Releases::new(lab);
    for pair in pairs {
        watch.close_client(pair, server_after)?;
    }
    while watch.free < watch.closed.len() && lab.clock.now() < limit {
        watch.wait(None, lab.clock.now() + POLL_S)?;
        watch.servers_close(lab.clock.now());
        watch.ask()?;
    }
    let mut freed_after_s: Vec<f64> = watch.result().into_iter().map(|(_, taken)| taken).collect();
    freed_after_s.sort_by(f64::total_cmp);
    Ok(Measured::FinWait2 { freed_after_s })
}

/// As many connections as there are ports to be had.
fn all_ports(lab: &Lab<'_>) -> Result<Vec<Pair>, Failure> {
    let mut pairs = Vec::new();
    while let Ok(pair) = lab.open(&How::default(), Local::Unbound, 0)? {
        pairs.push(pair);
    }
    Ok(pairs)
}

impl<'a, 'b> Releases<'a, 'b> {
    fn new(lab: &'a Lab<'b>) -> Self {
        let (closed, by_port) = (Vec::new(), HashMap::new());
        Self { lab, closed, by_port, waiting: VecDeque::new(), got: Vec::new(), free: 0 }
    }

    /// Sleeps until something is due: a close, a server's FIN, a question.
    fn wait(&self, next_close: Option<f64>, next_question: f64) -> Result<(), Failure> {
        let server = self.waiting.front().and_then(|&(due, _)| due);
        let due = [next_close, server].into_iter().flatten().fold(next_question, f64::min);
        self.lab.clock.sleep_until(due)
    }

    fn close(&mut self, pair: Pair, plan: &Plan) -> Result<(), Failure> {
        if plan.close == Ending::Client && plan.server_delay > 0.0 {
            return self.close_client(pair, Some(plan.server_delay));
        }
        self.note(pair.port);
        let silent = pair.close(plan.close)?;
        self.waiting.extend(silent.map(|server| (None, server)));
        Ok(())
    }

    fn close_client(&mut self, pair: Pair, server_after: Option<f64>) -> Result<(), Failure> {
        self.note(pair.port);
        let due = server_after.map(|after| self.lab.clock.now() + after);
        self.waiting.push_back((due, pair.close_client()?));
        Ok(())
    }

    fn note(&mut self, port: u16) {
        self.by_port.insert(port, self.closed.len());
        self.closed.push(ClosedPort { at: self.lab.clock.now(), taken: None });
    }

    /// Lets those servers close whose time has come; all wait equally long.
    fn servers_close(&mut self, now: f64) {
        while self.waiting.front().is_some_and(|(due, _)| due.is_some_and(|due| due <= now)) {
            self.waiting.pop_front();
        }
    }

    /// Asks for ports until there is none.
    fn ask(&mut self) -> Result<(), Failure> {
        loop {
            let fd = new_socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_NONBLOCK)?;
            let asked = self.lab.clock.now();
            if begin_connect(&fd, self.lab.server(0).address).is_err() {
                return Ok(());
            }
            let port = port_of(&fd)?;
            if let Some(&index) = self.by_port.get(&port) {
                let closed = &mut self.closed[index];
                closed.taken = Some(asked - closed.at);
                self.free += 1;
            }
            self.got.push(fd);
        }
    }

    /// When to ask again: soon, but not before any port is `wait_from` old.
    fn next_question(&self, wait_from: f64) -> f64 {
        let oldest = self.closed.iter().find(|closed| closed.taken.is_none());
        let soon = self.lab.clock.now() + POLL_S;
        soon.max(oldest.map_or(0.0, |closed| closed.at) + wait_from)
    }

    /// When each was closed and how long its port was taken; without those that never came free.
    fn result(&self) -> Vec<(f64, f64)> {
        self.closed.iter().filter_map(|closed| Some((closed.at, closed.taken?))).collect()
    }
}
