//! Systems that nothing is known of.

use super::{Owners, Protocol, Socket, System, Unreadable};

fn unknown(what: &str) -> Unreadable {
    let why = "portsim does not know this system; it reads Linux, macOS and Windows".to_owned();
    Unreadable { what: what.to_owned(), why }
}

pub(super) fn system() -> Result<System, Unreadable> {
    Err(unknown("the dynamic range of ports"))
}

pub(super) fn sockets(_: Protocol) -> Result<Vec<Socket>, Unreadable> {
    Err(unknown("the list of sockets"))
}

pub(super) fn owners(_: &[Socket]) -> Owners {
    Owners::default()
}

pub(super) fn user(_: u32) -> Option<String> {
    None
}

pub(super) fn active_opens() -> Option<u64> {
    None
}
