//! A network namespace for the calling thread, with its loopback device up.

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};
use std::os::fd::AsRawFd;

use super::files::failed;
use super::{Failure, NotHere};

/// The loopback device is the first of every namespace (include/net/net_namespace.h: LOOPBACK_IFINDEX).
const LOOPBACK: i32 = 1;
const RTM_NEWLINK: u16 = 16;
const NLM_F_REQUEST_ACK: u16 = 1 | 4;
const IFF_UP: u32 = 1;

/// Puts the calling thread into a network namespace of its own, which goes when the last thread and socket
/// in it have gone.
pub(super) fn new_namespace() -> Result<(), Failure> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| match errno {
        Errno::EPERM => not_entered().into(),
        other => failed("making a network namespace", other),
    })?;
    loopback_up().map_err(|errno| failed("bringing the loopback device up", errno))
}

/// Gives the calling thread a table of open files of its own, so that cases side by side do not share what
/// the limit allows. The thread must not leave files that it opens to others.
pub(super) fn own_files() -> Result<(), Failure> {
    unshare(CloneFlags::CLONE_FILES).map_err(|errno| failed("making a table of open files", errno))
}

/// Who has called [`super::enter`] has heard more already.
fn not_entered() -> NotHere {
    let help = "run it as root, or as `unshare --user --map-root-user --net <command>`";
    NotHere::Forbidden {
        why: "it is not root, and in no user namespace of its own".to_owned(),
        help: help.to_owned(),
    }
}

fn loopback_up() -> Result<(), Errno> {
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    let fd = netlink.as_raw_fd();
    let kernel = NetlinkAddr::new(0, 0);
    sendto(fd, &up_request(LOOPBACK), &kernel, MsgFlags::empty())?;
    let mut answer = [0; 256];
    let length = recv(fd, &mut answer, MsgFlags::empty())?;
    // The acknowledgement: a header of 16 bytes, then 0 or a negative errno.
    let error = answer[..length].get(16..20).ok_or(Errno::EPROTO)?;
    match i32::from_ne_bytes([error[0], error[1], error[2], error[3]]) {
        0 => Ok(()),
        error => Err(Errno::from_raw(-error)),
    }
}

/// `ip link set dev <index> up`: a header (struct nlmsghdr) and a struct ifinfomsg.
fn up_request(index: i32) -> Vec<u8> {
    let mut body = vec![0_u8; 4]; // Family, padding, type of device: any.
    body.extend(index.to_ne_bytes());
    body.extend(IFF_UP.to_ne_bytes()); // The flags ...
    body.extend(IFF_UP.to_ne_bytes()); // ... and which of them are meant.
    let length = u32::try_from(16 + body.len()).expect("a short message");
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes()); // Sequence number.
    message.extend(0_u32.to_ne_bytes()); // From whom: the kernel knows.
    message.extend(body);
    message
}
