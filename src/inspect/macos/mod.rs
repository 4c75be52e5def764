//! macOS, read through its own commands.
//!
//! `netstat` asks `net.inet.tcp.pcblist_n`, which has TIME-WAITs (xnu bsd/netinet/in_pcblist.c:
//! get_pcblist_n); walking the open files of all processes does not, for no process holds one. What the
//! commands print is turned into our types by functions of text alone, which are tested everywhere.

use std::path::Path;

use super::command::printed;
use super::{Owners, Protocol, Socket, System, Unreadable};

mod netstat;
mod processes;
mod settings;

const NETSTAT: &str = "/usr/sbin/netstat";
const SYSCTL: &str = "/usr/sbin/sysctl";
const PS: &str = "/bin/ps";
const DSCL: &str = "/usr/bin/dscl";

pub(super) fn system() -> Result<System, Unreadable> {
    let what = "the dynamic range of ports";
    let text = printed(what, Path::new(SYSCTL), &settings::NAMES)?;
    settings::system(&text).map_err(|why| Unreadable { what: what.to_owned(), why })
}

/// Nothing that is counted is read.
pub(super) fn active_opens() -> Option<u64> {
    None
}

pub(super) fn sockets(protocol: Protocol) -> Result<Vec<Socket>, Unreadable> {
    let what = format!("the list of {protocol} sockets");
    let name = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    // -l: IPv6 addresses at full length. network_cmds netstat.tproj/inet6.c: inet6print cuts them else.
    let text = printed(&what, Path::new(NETSTAT), &["-anvl", "-p", name])?;
    netstat::sockets(&text, protocol).map_err(|why| Unreadable { what, why })
}

pub(super) fn owners(sockets: &[Socket]) -> Owners {
    let columns = ["-axo", "pid=,uid=,comm="];
    let text = printed("the processes", Path::new(PS), &columns).unwrap_or_default();
    let names = user_names().unwrap_or_default();
    let by_pid = processes::processes(&text, sockets, &names);
    Owners { by_pid, ..Owners::default() }
}

pub(super) fn user(uid: u32) -> Option<String> {
    processes::name_of(&user_names().ok()?, uid).map(str::to_owned)
}

/// The users of this machine's own directory node (`.`): a directory on the network is not asked.
fn user_names() -> Result<String, Unreadable> {
    printed("the users", Path::new(DSCL), &[".", "-list", "/Users", "UniqueID"])
}
