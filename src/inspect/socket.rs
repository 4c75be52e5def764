//! One socket of a machine, whatever system tells of it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What a port number belongs to. Each protocol has its own 65,535 ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// The Transmission Control Protocol, RFC 9293.
    Tcp,
    /// The User Datagram Protocol, RFC 768.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// State of a connection (RFC 9293 section 3.3.2), and of what is none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcpState {
    /// Data flows.
    Established,
    /// Both sides have closed, and this one did first: the port is kept from the same destination.
    TimeWait,
    /// Asked for, not answered.
    SynSent,
    /// Answered, not confirmed.
    SynReceived,
    /// Closed here, not acknowledged there.
    FinWait1,
    /// Closed here, not there.
    FinWait2,
    /// Closed there, not here: a program has not called `close()`.
    CloseWait,
    /// Closed there and then here, not acknowledged.
    LastAck,
    /// Closed on both sides at once, not acknowledged.
    Closing,
    /// Waits for connections.
    Listen,
    /// `bind()` has been called and nothing else: the port is taken from everybody.
    Bound,
    /// A UDP socket, or one about to go.
    Closed,
}

impl TcpState {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 12] = [
        Self::Established,
        Self::TimeWait,
        Self::SynSent,
        Self::SynReceived,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::LastAck,
        Self::Closing,
        Self::Listen,
        Self::Bound,
        Self::Closed,
    ];

    /// As RFC 9293 writes it: `TIME-WAIT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::TimeWait => "TIME-WAIT",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECEIVED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::LastAck => "LAST-ACK",
            Self::Closing => "CLOSING",
            Self::Listen => "LISTEN",
            Self::Bound => "BOUND",
            Self::Closed => "CLOSED",
        }
    }

    /// The state that systems and their tools write in one of many ways: `TIME_WAIT`, `TIME-WAIT`,
    /// `TimeWait`, `ESTAB`, `UNCONN`.
    ///
    /// ```
    /// use portsim::inspect::TcpState;
    /// assert_eq!(TcpState::parse("TIME_WAIT"), Some(TcpState::TimeWait));
    /// assert_eq!(TcpState::parse("fin-wait-2"), Some(TcpState::FinWait2));
    /// assert_eq!(TcpState::parse("nonsense"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters: String = text
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_uppercase())
            .collect();
        Some(match letters.as_str() {
            "ESTABLISHED" | "ESTAB" => Self::Established,
            "TIMEWAIT" => Self::TimeWait,
            "SYNSENT" => Self::SynSent,
            "SYNRECEIVED" | "SYNRECV" | "SYNRCVD" => Self::SynReceived,
            "FINWAIT1" => Self::FinWait1,
            "FINWAIT2" => Self::FinWait2,
            "CLOSEWAIT" => Self::CloseWait,
            "LASTACK" => Self::LastAck,
            "CLOSING" => Self::Closing,
            "LISTEN" | "LISTENING" => Self::Listen,
            "BOUND" => Self::Bound,
            "CLOSED" | "CLOSE" | "UNCONN" => Self::Closed,
            _ => return None,
        })
    }
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One socket, as the system tells it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Its state.
    pub state: TcpState,
    /// Its own address and port. IPv4 within IPv6 (`::ffff:10.0.0.1`) is told as IPv4: both take the
    /// same ports.
    pub local: SocketAddr,
    /// The other end; port 0 where there is none.
    pub remote: SocketAddr,
    /// For a TIME-WAIT, or a FIN-WAIT-2 that no program holds: how long it will stay, where the system
    /// tells. The timer may fire later, by [`super::System::grid`] at most.
    pub remaining: Option<Duration>,
    /// Number of the user whose it is, where the system tells.
    pub uid: Option<u32>,
    /// Number by which open files name it (Linux); 0 when no process holds it any more.
    pub inode: u64,
    /// The process that holds it, where the list of sockets tells (Windows, macOS).
    pub pid: Option<u32>,
}

impl Socket {
    /// A socket of which only addresses and state are known, as in a record of `ss -tan`.
    #[must_use]
    pub fn new(protocol: Protocol, state: TcpState, local: SocketAddr, remote: SocketAddr) -> Self {
        let (local, remote) = (plain(local), plain(remote));
        Self { protocol, state, local, remote, remaining: None, uid: None, inode: 0, pid: None }
    }

    /// Is it connected, or on the way from or to that? Else it holds its port against everybody.
    #[must_use]
    pub const fn is_connection(&self) -> bool {
        self.remote.port() != 0
    }
}

/// An address with IPv4 told as IPv4, and without the zone of an IPv6 one.
#[must_use]
pub fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// What the other end of a socket is that has none.
pub const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_as_it_is_written() {
        for state in TcpState::ALL {
            assert_eq!(TcpState::parse(state.name()), Some(state));
        }
    }

    #[test]
    fn ipv4_in_ipv6_is_ipv4() {
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:443".parse().unwrap();
        let socket = Socket::new(Protocol::Tcp, TcpState::Established, mapped, mapped);
        assert_eq!(socket.local, "10.0.0.1:443".parse().unwrap());
        assert!(socket.is_connection());
    }
}
