//! What `ps` and `dscl` of macOS print, as processes and users.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Process, Socket};

/// Those lines of `ps -axo pid=,uid=,comm=` that hold one of `sockets`; `names` is what [`name_of`] takes.
pub(super) fn processes(text: &str, sockets: &[Socket], names: &str) -> BTreeMap<u32, Process> {
    let wanted: BTreeSet<u32> = sockets.iter().filter_map(|socket| socket.pid).collect();
    let parsed = text.lines().filter_map(process);
    let held = parsed.filter(|(pid, ..)| wanted.contains(pid));
    held.map(|(pid, uid, name)| {
        let user = uid.and_then(|uid| name_of(names, uid)).map(str::to_owned);
        (pid, Process { pid, name: name.to_owned(), user })
    })
    .collect()
}

/// `  412   0 /usr/sbin/cupsd`: number, user, and the last part of the path, which may have spaces.
fn process(line: &str) -> Option<(u32, Option<u32>, &str)> {
    let (pid, rest) = line.trim().split_once(char::is_whitespace)?;
    let (uid, path) = rest.trim_start().split_once(char::is_whitespace)?;
    let name = path.trim_start().rsplit('/').next()?;
    Some((pid.parse().ok()?, user_number(uid), name))
}

/// The name that `text`, as `dscl . -list /Users UniqueID` prints it, has for the user `uid`.
pub(super) fn name_of(text: &str, uid: u32) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (name, number) = (words.next()?, words.next()?);
        (user_number(number) == Some(uid)).then_some(name)
    })
}

/// `501`; `-2` is how the number of `nobody`, 4294967294, is written.
fn user_number(text: &str) -> Option<u32> {
    let signed = || text.parse::<i32>().ok().map(i32::cast_unsigned);
    text.parse().ok().or_else(signed)
}

#[cfg(test)]
mod tests {
    use super::super::super::{NOBODY, Protocol, TcpState};
    use super::*;

    const PS: &str = "\
    1     0 /sbin/launchd
  412     0 /usr/sbin/cupsd
  855   501 /Applications/Brave Browser.app/Contents/MacOS/Brave Browser
  900    -2 (defunct)
";

    const DSCL: &str = "\
_mdnsresponder           65
alice                    501
nobody                   -2
root                     0
";

    fn held_by(pid: u32) -> Socket {
        let local = "127.0.0.1:60103".parse().unwrap();
        let socket = Socket::new(Protocol::Tcp, TcpState::Listen, local, NOBODY);
        Socket { pid: Some(pid), ..socket }
    }

    #[test]
    fn only_processes_that_hold_a_socket_are_told_by_their_short_names() {
        let told = processes(PS, &[held_by(855), held_by(900), held_by(77)], DSCL);
        let told: Vec<_> =
            told.values().map(|p| (p.pid, p.name.as_str(), p.user.as_deref())).collect();
        let expected = [(855, "Brave Browser", Some("alice")), (900, "(defunct)", Some("nobody"))];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_user_is_known_by_number() {
        assert_eq!(name_of(DSCL, 0), Some("root"));
        assert_eq!(name_of(DSCL, 4_294_967_294), Some("nobody"));
        assert_eq!(name_of(DSCL, 7), None);
    }
}
