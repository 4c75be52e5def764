//! Where an experiment takes place: a namespace set up for it, and the servers that its clients connect
//! to.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::time::{TimeVal, TimeValLike};

use super::Failure;
use super::clock::Clock;
use super::files::io_failed;
use super::pair::Pair;
use super::socket::{
    Local, Outcome, PATIENCE_S, Refusal, bound_wait, connect_to, prepare, set, source_address,
};
use super::sysctl::FIRST_UNPRIVILEGED;
use super::{link, sysctl};
use crate::model::PortSet;
use crate::validate::{Case, Destinations, Experiment, How, Setup};

/// The first of the destinations that differ by address is 127.0.0.101.
const FIRST_DESTINATION: u32 = 101;

/// More destinations than a case usually has.
const CASE_STRIDE: usize = 101;

/// Connections that an experiment opens when nothing else ends it.
pub(super) const MOST_OPENED: u32 = 100_000;

/// A place of its own for one experiment.
pub(super) struct Lab<'a> {
    pub(super) setup: &'a Setup,
    pub(super) clock: Clock<'a>,
    servers: Vec<Server>,
    /// Ports that `connect()` never chooses, used from the end on.
    outside: Vec<u16>,
}

/// A listener, which is a destination.
pub(super) struct Server {
    listener: TcpListener,
    pub(super) address: SocketAddrV4,
}

impl<'a> Lab<'a> {
    /// Takes the calling thread into a new namespace, set up as the case says.
    pub(super) fn new(case: &'a Case, stop: &'a AtomicBool) -> Result<Self, Failure> {
        link::new_namespace()?;
        link::own_files()?;
        sysctl::set_up(&case.setup, &case.experiment)?;
        let outside = outside(&case.setup, &case.experiment);
        let clock = Clock::start(stop);
        Ok(Self { setup: &case.setup, clock, servers: Vec::new(), outside })
    }

    /// Starts the servers of these destinations, and the clock.
    pub(super) fn serve(&mut self, to: Destinations) -> Result<(), Failure> {
        let shared = if to.by_address { Some(self.spare_port()?) } else { None };
        for number in 0..to.k {
            let address = match shared {
                Some(port) => SocketAddrV4::new(source_address(FIRST_DESTINATION + number), port),
                None => SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.spare_port()?),
            };
            self.servers.push(Server::start(address)?);
        }
        self.clock.restart();
        Ok(())
    }

    /// One server more, which is no destination of the case.
    pub(super) fn serve_elsewhere(&mut self) -> Result<Server, Failure> {
        Server::start(SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.spare_port()?))
    }

    /// A port outside the range that nobody uses.
    pub(super) fn spare_port(&mut self) -> Result<u16, Failure> {
        let none = || "there are too few ports outside the range for its servers".to_owned();
        self.outside.pop().ok_or_else(|| Failure::Impossible(none()))
    }

    /// Destination `number`, from 0.
    pub(super) fn server(&self, number: u32) -> &Server {
        &self.servers[number as usize]
    }

    /// Ports of the range.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> + use<> {
        let lo = u32::from(self.setup.lo);
        (lo..lo + self.setup.n).map(|port| u16::try_from(port).expect("checked before"))
    }

    /// How far a port lies above the lowest of the range.
    pub(super) fn above_lo(&self, port: u16) -> u32 {
        u32::from(port).wrapping_sub(u32::from(self.setup.lo)) & 0xffff
    }

    /// Opens a connection to a destination.
    pub(super) fn open(&self, how: &How, local: Local, destination: u32) -> Outcome<Pair> {
        self.clock.go_on()?;
        self.server(destination).open(how, local)
    }
}

impl Server {
    /// Listens at this address.
    pub(super) fn start(address: SocketAddrV4) -> Result<Self, Failure> {
        let listener =
            TcpListener::bind(address).map_err(|e| io_failed("starting a server", &e))?;
        let patience = TimeVal::seconds(PATIENCE_S);
        set(&listener, ReceiveTimeout, &patience, "SO_RCVTIMEO")?;
        Ok(Self { listener, address })
    }

    /// Opens a connection to this server.
    pub(super) fn open(&self, how: &How, local: Local) -> Outcome<Pair> {
        let client = match prepare(how, local)? {
            Ok(socket) => socket,
            Err(refusal) => return Ok(Err(refusal)),
        };
        bound_wait(&client)?;
        match connect_to(&client, self.address)? {
            Ok(()) => self.connected(client).map(Ok),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// The pair that a connected client is one end of.
    pub(super) fn connected(&self, client: OwnedFd) -> Result<Pair, Failure> {
        let client = TcpStream::from(client);
        let address = client.local_addr().map_err(|e| io_failed("asking for the port", &e))?;
        Ok(Pair { server: self.accept(address)?, port: address.port(), client })
    }

    fn accept(&self, client: SocketAddr) -> Result<TcpStream, Failure> {
        loop {
            match self.listener.accept() {
                Ok((stream, peer)) if peer == client => return Ok(stream),
                // One that its client gave up.
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(io_failed("accepting a connection", &error)),
            }
        }
    }
}

/// Ports that lie neither in the range nor where the experiment binds. The last is the first to be used;
/// privileged ones come when there are no others.
///
/// Each case begins elsewhere: the counter that `connect()` goes on from belongs to the whole machine and
/// is found by the destination's address and port, so that cases side by side would move each other's.
fn outside(setup: &Setup, experiment: &Experiment) -> Vec<u16> {
    static CASES: AtomicUsize = AtomicUsize::new(0);
    let hi = u32::from(setup.lo) + setup.n - 1;
    let bound: Vec<u16> = match experiment {
        Experiment::Fixed { port, .. } => vec![*port],
        Experiment::Churn(churn) => {
            let own: PortSet = churn.attempts.iter().filter_map(|attempt| attempt.port).collect();
            own.ports().iter().copied().chain(churn.sitting.iter().map(|sits| sits.1)).collect()
        }
        _ => Vec::new(),
    };
    let below = 1..setup.lo;
    let above = (hi + 1..=65_535).filter_map(|port| u16::try_from(port).ok());
    let (mut privileged, mut ports): (Vec<u16>, Vec<u16>) = below
        .chain(above)
        .filter(|port| !bound.contains(port))
        .partition(|&port| port < FIRST_UNPRIVILEGED);
    if !ports.is_empty() {
        let case = CASES.fetch_add(1, Ordering::Relaxed).wrapping_mul(CASE_STRIDE);
        let begin = case.wrapping_add(std::process::id() as usize) % ports.len();
        ports.rotate_left(begin);
    }
    privileged.extend(ports);
    privileged
}

/// Counts refusals by what they say.
pub(super) fn count(errors: &mut crate::validate::Errors, refusal: Refusal) {
    *errors.entry(refusal.to_string()).or_default() += 1;
}
