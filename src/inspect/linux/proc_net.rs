//! `/proc/net/tcp` and its likes: the list of sockets as text, for where netlink is refused.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nix::errno::Errno;

use super::super::{Protocol, Socket, Unreadable, plain};
use super::diag;

/// Times in `/proc` are told in hundredths of a second on every machine (USER_HZ,
/// include/asm-generic/param.h).
const TICK: Duration = Duration::from_millis(10);
/// As [`diag`] has it.
const TIMER_TIME_WAIT: &str = "03";

/// All sockets of `protocol`, since netlink said `errno`.
pub(super) fn sockets(protocol: Protocol, errno: Errno) -> Result<Vec<Socket>, Unreadable> {
    let name = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let text = fs::read_to_string(format!("/proc/net/{name}")).map_err(|error| Unreadable {
        what: "the list of sockets".to_owned(),
        why: format!("netlink says {errno}, /proc/net/{name} says {error}"),
    })?;
    // Not there without IPv6.
    let more = fs::read_to_string(format!("/proc/net/{name}6")).unwrap_or_default();
    let lines = text.lines().skip(1).chain(more.lines().skip(1));
    Ok(lines.filter_map(|line| socket_of(line, protocol)).collect())
}

/// One line (net/ipv4/tcp_ipv4.c:get_tcp4_sock): number, local and remote address, state, queues, timer,
/// retransmissions, user, time-outs, file.
fn socket_of(line: &str, protocol: Protocol) -> Option<Socket> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, state, _, timer, _, uid, _, inode, ..] = words[..] else { return None };
    let state = diag::state(u8::from_str_radix(state, 16).ok()?)?;
    let (kind, when) = timer.split_once(':')?;
    let held_by_none = kind == TIMER_TIME_WAIT;
    let ticks = u32::from_str_radix(when, 16).ok()?;
    Some(Socket {
        remaining: held_by_none.then_some(TICK * ticks),
        uid: uid.parse().ok().filter(|_| !held_by_none),
        inode: inode.parse().ok()?,
        ..Socket::new(protocol, state, endpoint(local)?, endpoint(remote)?)
    })
}

/// `0100007F:9C40`: the address in words of four bytes, each as the machine reads it.
fn endpoint(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let words: Vec<u8> = (0..address.len() / 8)
        .filter_map(|word| address.get(word * 8..word * 8 + 8))
        .filter_map(|digits| u32::from_str_radix(digits, 16).ok())
        .flat_map(u32::to_ne_bytes)
        .collect();
    let ip = match words.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(words).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?)),
        _ => return None,
    };
    Some(plain(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::super::super::TcpState;
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn a_line_of_proc_net_tcp_is_a_socket() {
        let line = "   1: 0100007F:9C40 0500000A:01BB 06 00000000:00000000 03:000016D8 00000000     0        0 0 3 0000000000000000";
        let socket = socket_of(line, Protocol::Tcp).unwrap();
        assert_eq!(socket.state, TcpState::TimeWait);
        assert_eq!(socket.local, "127.0.0.1:40000".parse().unwrap());
        assert_eq!(socket.remote, "10.0.0.5:443".parse().unwrap());
        assert_eq!(socket.remaining, Some(Duration::from_millis(58_480)));
        assert_eq!(socket.uid, None);
        let line = "   0: 0000000000000000FFFF00000100007F:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0";
        let socket = socket_of(line, Protocol::Tcp).unwrap();
        assert_eq!(socket.local, "127.0.0.1:22".parse().unwrap());
        assert_eq!((socket.state, socket.uid, socket.inode), (TcpState::Listen, Some(1000), 4711));
    }

    #[test]
    fn what_is_no_socket_is_left_out() {
        for line in ["", "sl local rem", "0: zz:zz 00:00 0A 0:0 0:0 0 0 0 0"] {
            assert_eq!(socket_of(line, Protocol::Tcp), None);
        }
    }
}
