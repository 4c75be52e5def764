//! The machine that this runs on, read: its sockets, its range of ports, who holds them.
//!
//! Nothing is changed, no connection is opened, no name is looked up over the network. A platform module
//! tells what only its system knows (its own list of sockets, settings, processes); everything that is
//! concluded from it is in files that know no system and are tested on each.

use std::collections::BTreeMap;

use thiserror::Error;

mod census;
mod class;
#[cfg(any(target_os = "macos", windows, test))]
mod command;
#[cfg(test)]
pub(crate) mod fixtures;
mod forecast;
mod inspection;
mod kernel_info;
mod own_command;
mod rates;
mod services;
mod socket;
mod system;
mod track;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;
// What only runs elsewhere is compiled for tests, so that it cannot rot here.
#[cfg(any(target_os = "macos", test))]
#[cfg_attr(not(target_os = "macos"), allow(dead_code))]
mod macos;
#[cfg(any(windows, test))]
#[cfg_attr(not(windows), allow(dead_code))]
mod windows;

#[cfg(all(target_os = "linux", feature = "validate"))]
pub(crate) use linux::read_sysctl;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
use elsewhere as platform;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(target_os = "macos")]
use macos as platform;
#[cfg(windows)]
use windows as platform;

pub use census::{Census, Flow, Usable, age_s, census, returns_s};
pub use class::{PortClass, class};
pub use forecast::{Forecast, HORIZON_S, Outlook, forecast};
pub use inspection::{Inspection, Observer, Prospect, look_once};
pub use kernel_info::{KernelInfo, kernel_info};
pub use own_command::own_command;
pub use rates::{Activity, RECENT_S, Rates};
pub use services::{Service, service};
pub use socket::{NOBODY, Protocol, Socket, TcpState, plain};
pub use system::{Setting, System};
pub use track::{Closed, Event, FlowKey, Open, Tracker};

/// Something that the system does not let us see.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} cannot be read: {why}")]
pub struct Unreadable {
    /// What was to be read.
    pub what: String,
    /// What the system said.
    pub why: String,
}

/// The settings of this machine.
///
/// # Errors
/// When the range of ports cannot be read; all else has its default then.
pub fn system() -> Result<System, Unreadable> {
    platform::system()
}

/// All sockets of one protocol, in no order.
///
/// # Errors
/// When the system does not tell.
pub fn sockets(protocol: Protocol) -> Result<Vec<Socket>, Unreadable> {
    platform::sockets(protocol)
}

/// Which processes hold `sockets`, as far as this one may see.
#[must_use]
pub fn owners(sockets: &[Socket]) -> Owners {
    platform::owners(sockets)
}

/// How many connections the system has begun since it started, where it counts them: also those that no
/// look at the sockets has seen.
#[must_use]
pub fn active_opens() -> Option<u64> {
    platform::active_opens()
}

/// Name of the user of that number, from files of this machine only.
#[must_use]
pub fn user(uid: u32) -> Option<String> {
    platform::user(uid)
}

/// A process, as its system names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its short name: `nginx`.
    pub name: String,
    /// The user that it runs as, where that can be told.
    pub user: Option<String>,
}

/// Who holds which socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// By the number that open files have (Linux). Several processes can share a socket.
    pub by_inode: BTreeMap<u64, Vec<Process>>,
    /// By process number, where the list of sockets tells that (Windows, macOS).
    pub by_pid: BTreeMap<u32, Process>,
    /// Processes whose open files this one may not see: theirs are the sockets without a holder.
    pub unseen: u32,
}

impl Owners {
    /// The processes that hold `socket`; none for TIME-WAIT, which no process holds, and for what this
    /// process may not see.
    #[must_use]
    pub fn of(&self, socket: &Socket) -> Vec<&Process> {
        let named = socket.pid.and_then(|pid| self.by_pid.get(&pid));
        let open = self.by_inode.get(&socket.inode).filter(|_| socket.inode != 0);
        named.into_iter().chain(open.into_iter().flatten()).collect()
    }
}
