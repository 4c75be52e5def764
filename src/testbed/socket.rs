//! The clients' sockets: options, `bind()`, `connect()`, and what the kernel refuses.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, SetSockOpt, SockFlag, SockType, SockaddrIn, SockaddrLike, bind, connect,
    getsockname, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::Failure;
use super::files::failed;
use crate::validate::{Call, How};

/// A handshake over the loopback device takes microseconds; if it takes so long, something else is wrong.
pub(super) const PATIENCE_S: i64 = 10;

mod option {
    use nix::{libc, setsockopt_impl, sockopt_impl};

    /// include/uapi/linux/in.h, Linux 6.3.
    const IP_LOCAL_PORT_RANGE: libc::c_int = 51;

    sockopt_impl!(
        /// The range that this socket's port is chosen from: low end + (high end << 16).
        LocalPortRange, SetOnly, libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, u32
    );
}

/// What an experiment is about: the kernel has no port to give. `connect:EADDRNOTAVAIL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    call: &'static str,
    errno: Errno,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:?}", self.call, self.errno)
    }
}

/// What a call came to, unless the experiment itself failed.
pub(super) type Outcome<T> = Result<Result<T, Refusal>, Failure>;

/// What the client says of its own address before it connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Local {
    /// Nothing.
    Unbound,
    /// The address; `connect()` chooses the port.
    Address(Ipv4Addr),
    /// The address; `bind()` chooses the port.
    AnyPort(Ipv4Addr),
    /// Both.
    Port(Ipv4Addr, u16),
}

impl Local {
    /// What `call` needs for source address `number` (from 1). Where there is only one address,
    /// `connect()` finds it without being told.
    pub(super) fn of(call: Call, number: u32, several: bool) -> Self {
        let address = source_address(number);
        match call {
            Call::Connect if !several => Self::Unbound,
            Call::Connect | Call::BindNoPort => Self::Address(address),
            Call::Bind => Self::AnyPort(address),
        }
    }
}

/// Source address `number`, from 1: 127.0.0.1 and so on.
pub(super) fn source_address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 0, 0).to_bits() + number)
}

/// A socket that only has to be connected.
pub(super) fn prepare(how: &How, local: Local) -> Outcome<OwnedFd> {
    let fd = new_socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty())?;
    if how.reuse_address {
        set(&fd, sockopt::ReuseAddr, &true, "SO_REUSEADDR")?;
    }
    if how.reuse_port {
        set(&fd, sockopt::ReusePort, &true, "SO_REUSEPORT")?;
    }
    if let Some((lo, hi)) = how.port_range {
        let both = u32::from(lo) | u32::from(hi) << 16;
        set(&fd, option::LocalPortRange, &both, "IP_LOCAL_PORT_RANGE")?;
    }
    let (address, port) = match local {
        Local::Unbound => return Ok(Ok(fd)),
        Local::Address(address) => {
            set(&fd, sockopt::IpBindAddressNoPort, &true, "IP_BIND_ADDRESS_NO_PORT")?;
            (address, 0)
        }
        Local::AnyPort(address) => (address, 0),
        Local::Port(address, port) => (address, port),
    };
    let bound = bind_to(&fd, &SockaddrIn::from(SocketAddrV4::new(address, port)));
    Ok(bound.map(|()| fd))
}

/// `bind()`.
pub(super) fn bind_to(fd: &OwnedFd, address: &dyn SockaddrLike) -> Result<(), Refusal> {
    bind(fd.as_raw_fd(), address).map_err(|errno| Refusal { call: "bind", errno })
}

/// `connect()`, waiting for the answer where the socket does.
pub(super) fn connect_to(fd: &OwnedFd, target: SocketAddrV4) -> Outcome<()> {
    match connect(fd.as_raw_fd(), &SockaddrIn::from(target)) {
        Ok(()) => Ok(Ok(())),
        // The bound of `bound_wait` is over.
        Err(errno @ Errno::EINPROGRESS) => Err(failed("waiting for a connection", errno)),
        Err(errno) => Ok(Err(Refusal { call: "connect", errno })),
    }
}

/// The same without waiting: the port is taken when this returns, whatever becomes of the connection.
pub(super) fn begin_connect(fd: &OwnedFd, target: SocketAddrV4) -> Result<(), Refusal> {
    match connect(fd.as_raw_fd(), &SockaddrIn::from(target)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(()),
        Err(errno) => Err(Refusal { call: "connect", errno }),
    }
}

/// The port that a socket got.
pub(super) fn port_of(fd: &OwnedFd) -> Result<u16, Failure> {
    let address: Result<SockaddrIn, Errno> = getsockname(fd.as_raw_fd());
    address.map(|address| address.port()).map_err(|errno| failed("asking for the port", errno))
}

/// Bounds how long `connect()` waits on this socket.
pub(super) fn bound_wait(fd: &OwnedFd) -> Result<(), Failure> {
    set(fd, sockopt::SendTimeout, &TimeVal::seconds(PATIENCE_S), "SO_SNDTIMEO")
}

/// Makes the next `close()` of the socket a reset: SO_LINGER, 0 seconds.
pub(super) fn abort_on_close(fd: &impl AsFd) -> Result<(), Failure> {
    set(fd, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 }, "SO_LINGER")
}

/// A socket of any kind.
pub(super) fn new_socket(
    family: AddressFamily,
    kind: SockType,
    flags: SockFlag,
) -> Result<OwnedFd, Failure> {
    socket(family, kind, flags | SockFlag::SOCK_CLOEXEC, None).map_err(|errno| match errno {
        Errno::EAFNOSUPPORT => {
            Failure::Unsupported(format!("{family:?} is not there on this kernel"))
        }
        other => failed("making a socket", other),
    })
}

/// Sets an option of a socket.
pub(super) fn set<O: SetSockOpt>(
    fd: &impl AsFd,
    option: O,
    value: &O::Val,
    name: &str,
) -> Result<(), Failure> {
    setsockopt(fd, option, value).map_err(|errno| match errno {
        Errno::ENOPROTOOPT => Failure::Unsupported(format!("{name} is not there on this kernel")),
        other => failed(&format!("setting {name}"), other),
    })
}
