//! Connections kept open that nothing more is done with, however few files a process may open.
//!
//! A range of 28,232 ports held by one process takes 56,464 open files, and some machines allow a
//! thousand. A file that was sent through a socket pair and not received yet is open without being in
//! anybody's table (unix(7), SCM_RIGHTS): so what there is no room for waits there until the pair is
//! closed.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};

use super::Failure;
use super::files::failed;
use super::pair::Pair;

/// The kernel takes 253 files in one message (include/net/scm.h: SCM_MAX_FD): whole connections are sent.
const PAIRS_A_MESSAGE: usize = 126;

/// Keeps connections open until it is dropped.
pub(super) struct Keeper {
    /// Those that are in the process's table.
    open: Vec<Pair>,
    /// How many of those there may be.
    room: usize,
    /// Socket pairs with all others.
    under_way: Vec<(OwnedFd, OwnedFd)>,
}

impl Keeper {
    /// An empty one. It leaves three quarters of the files that the process may open to others.
    pub(super) fn new() -> Self {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
        let room = usize::try_from(limit / 8).unwrap_or(usize::MAX);
        Self { open: Vec::new(), room, under_way: Vec::new() }
    }

    /// Keeps one more.
    pub(super) fn keep(&mut self, pair: Pair) -> Result<(), Failure> {
        self.open.push(pair);
        if self.open.len() <= self.room {
            return Ok(());
        }
        let open = std::mem::take(&mut self.open);
        open.chunks(PAIRS_A_MESSAGE).try_for_each(|pairs| self.send(pairs))
    }

    fn send(&mut self, pairs: &[Pair]) -> Result<(), Failure> {
        let fds: Vec<RawFd> = pairs
            .iter()
            .flat_map(|pair| [pair.client.as_raw_fd(), pair.server.as_raw_fd()])
            .collect();
        let doing = "keeping connections open";
        if let Some((end, _)) = self.under_way.last() {
            match send_to(end, &fds) {
                Ok(()) => return Ok(()),
                Err(Errno::EAGAIN) => {} // It is full.
                Err(errno) => return Err(failed(doing, errno)),
            }
        }
        let ends = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|errno| failed(doing, errno))?;
        send_to(&ends.0, &fds).map_err(|errno| failed(doing, errno))?;
        self.under_way.push(ends);
        Ok(())
    }
}

/// A byte, and the files with it.
fn send_to(end: &OwnedFd, fds: &[RawFd]) -> Result<(), Errno> {
    let files = [ControlMessage::ScmRights(fds)];
    let byte = [IoSlice::new(b"x")];
    sendmsg::<()>(end.as_raw_fd(), &byte, &files, MsgFlags::MSG_DONTWAIT, None).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;

    use super::Keeper;
    use crate::testbed::link;
    use crate::testbed::pair::Pair;

    /// Sockets in state ESTABLISHED of this thread's namespace.
    fn established() -> usize {
        let table = fs::read_to_string("/proc/thread-self/net/tcp").expect("a table of sockets");
        table.lines().filter(|line| line.split_whitespace().nth(3) == Some("01")).count()
    }

    #[test]
    fn connections_stay_open_without_open_files_and_close_with_the_keeper() {
        let test = || {
            if let Err(failure) = link::new_namespace() {
                eprintln!("skipped: {failure}");
                return;
            }
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let address = listener.local_addr().expect("an address");
            let files = || fs::read_dir("/proc/thread-self/fd").expect("open files").count();
            let before = files();
            let mut keeper = Keeper { room: 10, ..Keeper::new() };
            for _ in 0..300 {
                let client = TcpStream::connect(address).expect("a connection");
                let (server, peer) = listener.accept().expect("its other end");
                keeper.keep(Pair { client, server, port: peer.port() }).expect("room");
            }
            assert_eq!(established(), 600);
            assert!(files() < before + 60, "{} files are open", files());
            drop(keeper);
            assert_eq!(established(), 0);
        };
        thread::spawn(test).join().expect("the test passes");
    }
}
