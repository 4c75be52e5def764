//! Linux: sockets by netlink (or `/proc/net`, where that is refused), settings and processes by `/proc`.

mod diag;
mod owners;
mod proc_net;
mod settings;

pub(super) use owners::{owners, user};
#[cfg(feature = "validate")]
pub(crate) use settings::read_sysctl;
pub(super) use settings::system;

use super::{Protocol, Socket, Unreadable};

/// All sockets of `protocol`; `/proc/net` is asked where there is no netlink (sandboxes, old kernels).
pub(super) fn sockets(protocol: Protocol) -> Result<Vec<Socket>, Unreadable> {
    diag::sockets(protocol).or_else(|errno| proc_net::sockets(protocol, errno))
}

/// `ActiveOpens` of `/proc/net/snmp`: a line of names, a line of numbers (RFC 4022,
/// `tcpActiveOpens`).
pub(super) fn active_opens() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/net/snmp").ok()?;
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|name| name == "ActiveOpens")?;
    numbers.split_whitespace().nth(at)?.parse().ok()
}
