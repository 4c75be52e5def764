//! `sock_diag(7)`: the kernel's own list of sockets, in binary and with the time that is left to each
//! TIME-WAIT, in a tenth of what `/proc/net/tcp` takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use super::super::{Protocol, Socket, TcpState, plain};

/// include/uapi/linux/sock_diag.h.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// include/uapi/linux/netlink.h.
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// States 1 to 12, and 13: bound and nothing else, which kernels tell since 6.8 and others ignore
/// (include/net/tcp_states.h: TCP_BOUND_INACTIVE).
const ALL_STATES: u32 = 0x3ffe;
/// The timer of a TIME-WAIT (net/ipv4/inet_diag.c:inet_twsk_diag_fill).
const TIMER_TIME_WAIT: u8 = 3;
/// struct nlmsghdr, struct inet_diag_msg.
const HEADER: usize = 16;
const MESSAGE: usize = 72;
/// The kernel fills 32 KiB at most (net/netlink/af_netlink.c:netlink_recvmsg).
const BUFFER: usize = 1 << 16;

/// All sockets of `protocol`, IPv4 and IPv6. The kernel walks its whole table for each, so both are asked for
/// at the same time.
pub(super) fn sockets(protocol: Protocol) -> Result<Vec<Socket>, Errno> {
    let (v4, v6) = std::thread::scope(|scope| {
        let v6 = scope.spawn(|| dump(protocol, AddressFamily::Inet6));
        (dump(protocol, AddressFamily::Inet), v6.join().expect("reading does not panic"))
    });
    let mut sockets = v4?;
    match v6 {
        Ok(more) => sockets.extend(more),
        // A kernel without IPv6.
        Err(Errno::ENOENT | Errno::EAFNOSUPPORT | Errno::EINVAL) => {}
        Err(errno) => return Err(errno),
    }
    Ok(sockets)
}

fn dump(protocol: Protocol, family: AddressFamily) -> Result<Vec<Socket>, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let netlink =
        socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkSockDiag)?;
    sendto(
        netlink.as_raw_fd(),
        &request(protocol, family),
        &NetlinkAddr::new(0, 0),
        MsgFlags::empty(),
    )?;
    let mut sockets = Vec::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = receive(&netlink, &mut buffer)?;
        if !read_messages(&buffer[..length], protocol, &mut sockets)? {
            return Ok(sockets);
        }
    }
}

fn receive(netlink: &OwnedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match recv(netlink.as_raw_fd(), buffer, MsgFlags::empty()) {
            Err(Errno::EINTR) => {}
            Ok(0) => return Err(Errno::EPROTO),
            told => return told,
        }
    }
}

/// struct nlmsghdr and struct inet_diag_req_v2 (include/uapi/linux/inet_diag.h).
fn request(protocol: Protocol, family: AddressFamily) -> Vec<u8> {
    let number = match protocol {
        Protocol::Tcp => nix::libc::IPPROTO_TCP,
        Protocol::Udp => nix::libc::IPPROTO_UDP,
    };
    // Family, protocol, no extensions, padding; the states; no particular socket.
    let mut body = vec![family as u8, number as u8, 0, 0];
    body.extend(ALL_STATES.to_ne_bytes());
    body.extend([0; 48]);
    let length = u32::try_from(HEADER + body.len()).expect("a short message");
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    message.extend([0; 8]); // Sequence number, and from whom: the kernel knows.
    message.extend(body);
    message
}

/// Reads what one call has brought; says whether more is to come.
fn read_messages(
    mut bytes: &[u8],
    protocol: Protocol,
    sockets: &mut Vec<Socket>,
) -> Result<bool, Errno> {
    while bytes.len() >= HEADER {
        let length = number(bytes, 0) as usize;
        if length < HEADER || length > bytes.len() {
            return Err(Errno::EPROTO);
        }
        let (message, kind) = (&bytes[HEADER..length], u16::from_ne_bytes([bytes[4], bytes[5]]));
        match kind {
            NLMSG_DONE => return Ok(false),
            NLMSG_ERROR if message.len() >= 4 => {
                return Err(Errno::from_raw((number(message, 0) as i32).wrapping_neg()));
            }
            SOCK_DIAG_BY_FAMILY if message.len() >= MESSAGE => {
                sockets.extend(socket_of(message, protocol));
            }
            _ => {}
        }
        // Messages begin on multiples of four bytes.
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    Ok(true)
}

/// struct inet_diag_msg: family, state, timer, retransmissions; ports and addresses in the network's
/// order; then numbers in the machine's.
fn socket_of(message: &[u8], protocol: Protocol) -> Option<Socket> {
    let state = state(message[1])?;
    let v6 = i32::from(message[0]) == nix::libc::AF_INET6;
    let (local, remote) = (
        endpoint(&message[8..24], &message[4..6], v6),
        endpoint(&message[24..40], &message[6..8], v6),
    );
    // A bound socket is in the state it was born in (net/ipv4/inet_diag.c:inet_diag_dump_icsk).
    let is_bound = protocol == Protocol::Tcp && state == TcpState::Closed && remote.port() == 0;
    let state = if is_bound { TcpState::Bound } else { state };
    let held_by_none = message[2] == TIMER_TIME_WAIT;
    let expires = Duration::from_millis(number(message, 52).into());
    Some(Socket {
        remaining: held_by_none.then_some(expires),
        // Of a TIME-WAIT the kernel tells neither user nor file.
        uid: (!held_by_none).then_some(number(message, 64)),
        inode: number(message, 68).into(),
        ..Socket::new(protocol, state, local, remote)
    })
}

fn endpoint(address: &[u8], port: &[u8], v6: bool) -> SocketAddr {
    let ip = if v6 {
        IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(address).expect("16 bytes")))
    } else {
        IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(&address[..4]).expect("4 bytes")))
    };
    plain(SocketAddr::new(ip, u16::from_be_bytes([port[0], port[1]])))
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

/// include/net/tcp_states.h; the numbers that `/proc/net/tcp` has too.
pub(super) const fn state(number: u8) -> Option<TcpState> {
    Some(match number {
        1 => TcpState::Established,
        2 => TcpState::SynSent,
        3 | 12 => TcpState::SynReceived,
        4 => TcpState::FinWait1,
        5 => TcpState::FinWait2,
        6 => TcpState::TimeWait,
        7 => TcpState::Closed,
        8 => TcpState::CloseWait,
        9 => TcpState::LastAck,
        10 => TcpState::Listen,
        11 => TcpState::Closing,
        13 => TcpState::Bound,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A TIME-WAIT from 10.0.0.1:40000 to 10.0.0.5:443 with 58.5 s to go, as the kernel lays it out.
    fn time_wait() -> Vec<u8> {
        let mut message = vec![2, 6, TIMER_TIME_WAIT, 0];
        message.extend(40_000_u16.to_be_bytes());
        message.extend(443_u16.to_be_bytes());
        message.extend([10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        message.extend([10, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        message.extend([0; 12]); // Device, cookie.
        message.extend(58_500_u32.to_ne_bytes());
        message.extend([0; 16]); // Queues, user, file.
        message
    }

    fn packed(kind: u16, message: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(HEADER + message.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(message);
        bytes
    }

    #[test]
    fn a_time_wait_is_read_with_the_time_that_is_left() {
        let mut bytes = packed(SOCK_DIAG_BY_FAMILY, &time_wait());
        bytes.extend(packed(NLMSG_DONE, &[0; 4]));
        let mut sockets = Vec::new();
        assert_eq!(read_messages(&bytes, Protocol::Tcp, &mut sockets), Ok(false));
        let [socket] = sockets[..] else { panic!("{sockets:?}") };
        assert_eq!(socket.state, TcpState::TimeWait);
        assert_eq!(socket.local, "10.0.0.1:40000".parse().unwrap());
        assert_eq!(socket.remote, "10.0.0.5:443".parse().unwrap());
        assert_eq!(socket.remaining, Some(Duration::from_millis(58_500)));
        assert_eq!((socket.uid, socket.inode), (None, 0));
    }

    #[test]
    fn an_error_and_a_message_cut_short_are_told() {
        let refused = packed(NLMSG_ERROR, &(-13_i32).to_ne_bytes());
        assert_eq!(read_messages(&refused, Protocol::Tcp, &mut Vec::new()), Err(Errno::EACCES));
        let whole = packed(SOCK_DIAG_BY_FAMILY, &time_wait());
        let cut = &whole[..50];
        assert_eq!(read_messages(cut, Protocol::Tcp, &mut Vec::new()), Err(Errno::EPROTO));
    }
}
