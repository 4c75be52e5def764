//! Nobody answers: how long a port is taken by `connect()` alone.
//!
//! The destination is a listener whose queue of connections to be accepted has room for one and holds
//! one. The kernel drops a SYN to it without a word (net/ipv4/tcp_input.c: tcp_conn_request), as a
//! firewall would, and no firewall has to be set up.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, getsockopt, listen, sockopt,
};

use crate::testbed::Failure;
use crate::testbed::files::failed;
use crate::testbed::lab::Lab;
use crate::testbed::socket::{
    Local, begin_connect, bind_to, connect_to, new_socket, prepare, source_address,
};
use crate::validate::{How, Measured};

/// Milliseconds of a wait for an end; short enough for a wish to stop to be heard.
const SLICE_MS: u16 = 50;

/// [`crate::validate::Experiment::SynSent`].
pub(super) fn run(lab: &mut Lab<'_>, limit: f64) -> Result<Measured, Failure> {
    let silent = SilentServer::start(lab)?;
    lab.clock.restart();
    let mut open: Vec<(f64, OwnedFd)> = Vec::new();
    loop {
        lab.clock.go_on()?;
        let fd = new_socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_NONBLOCK)?;
        let began = lab.clock.now();
        if begin_connect(&fd, silent.address).is_err() {
            break;
        }
        open.push((began, fd));
    }
    let begun = u32::try_from(open.len()).expect("as many as ports at most");
    let mut ended = Vec::new();
    while !open.is_empty() && lab.clock.now() < limit {
        lab.clock.go_on()?;
        wait_for_an_end(&open)?;
        let now = lab.clock.now();
        let mut left = Vec::new();
        for (began, fd) in open {
            match getsockopt(&fd, sockopt::SocketError) {
                Ok(0) => left.push((began, fd)),
                Ok(number) => ended.push((now - began, format!("{:?}", Errno::from_raw(number)))),
                Err(errno) => return Err(failed("asking how a connection ended", errno)),
            }
        }
        open = left;
    }
    Ok(Measured::SynSent { begun, ended })
}

fn wait_for_an_end(open: &[(f64, OwnedFd)]) -> Result<(), Failure> {
    let mut fds: Vec<PollFd<'_>> =
        open.iter().map(|(_, fd)| PollFd::new(fd.as_fd(), PollFlags::POLLOUT)).collect();
    match poll(&mut fds, SLICE_MS) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(failed("waiting for an end", errno)),
    }
}

/// A destination that does not answer.
struct SilentServer {
    address: SocketAddrV4,
    _listener: OwnedFd,
    _filler: OwnedFd,
}

impl SilentServer {
    fn start(lab: &mut Lab<'_>) -> Result<Self, Failure> {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, lab.spare_port()?);
        let doing = "setting up a server that does not answer";
        let listener = new_socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty())?;
        let broken = |why: String| Failure::System { doing: doing.to_owned(), why };
        bind_to(&listener, &SockaddrIn::from(address)).map_err(|r| broken(r.to_string()))?;
        // The kernel lets one more wait than the backlog says.
        let none = Backlog::new(0).map_err(|errno| failed(doing, errno))?;
        listen(&listener, none).map_err(|errno| failed(doing, errno))?;
        let outside = Local::Port(source_address(1), lab.spare_port()?);
        let filler = prepare(&How::default(), outside)?.map_err(|r| broken(r.to_string()))?;
        connect_to(&filler, address)?.map_err(|r| broken(r.to_string()))?;
        Ok(Self { address, _listener: listener, _filler: filler })
    }
}
