//! Which process holds which socket: `/proc/PID/fd` names sockets by the number of their file.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::{Owners, Process, Socket};

/// Of so many sockets all are found; of more, what [`SAMPLE`] files of each process tell.
const ALL_OF: usize = 64;
/// So many open files of a process are looked at, spread evenly, when many sockets are wanted: a proxy
/// with a hundred thousand would take most of a second, and all of them have one holder.
const SAMPLE: usize = 2_048;

/// The processes that hold `sockets`.
pub(crate) fn owners(sockets: &[Socket]) -> Owners {
    let wanted: HashSet<u64> =
        sockets.iter().map(|socket| socket.inode).filter(|&i| i != 0).collect();
    let mut owners = Owners::default();
    if wanted.is_empty() {
        return owners;
    }
    let mut users = BTreeMap::new();
    for directory in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = directory.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match held(&directory.path(), &wanted) {
            Some(inodes) if inodes.is_empty() => {}
            Some(inodes) => {
                let process = process(pid, &directory.path(), &mut users);
                for inode in inodes {
                    let holders: &mut Vec<Process> = owners.by_inode.entry(inode).or_default();
                    // A process may hold one socket under two numbers.
                    if !holders.contains(&process) {
                        holders.push(process.clone());
                    }
                }
            }
            None => owners.unseen += 1,
        }
    }
    owners.by_inode.values_mut().for_each(|holders| holders.sort_unstable());
    owners
}

/// Which of `wanted` a process holds; nothing where its open files may not be seen.
fn held(directory: &Path, wanted: &HashSet<u64>) -> Option<Vec<u64>> {
    let listed = match fs::read_dir(directory.join("fd")) {
        Ok(listed) => listed,
        // Ended meanwhile: it holds nothing.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(Vec::new()),
        Err(_) => return None,
    };
    let files: Vec<_> = listed.flatten().collect();
    let step = if wanted.len() <= ALL_OF { 1 } else { files.len().div_ceil(SAMPLE).max(1) };
    let links = files.iter().step_by(step).filter_map(|file| fs::read_link(file.path()).ok());
    Some(links.filter_map(|link| inode_of(&link)).filter(|i| wanted.contains(i)).collect())
}

/// `socket:[4711]`.
fn inode_of(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn process(pid: u32, directory: &Path, users: &mut BTreeMap<u32, Option<String>>) -> Process {
    let name = fs::read_to_string(directory.join("comm")).unwrap_or_default();
    let uid = fs::metadata(directory).ok().map(|about| about.uid());
    let user = uid.and_then(|uid| users.entry(uid).or_insert_with(|| user(uid)).clone());
    Process { pid, name: name.trim_end().to_owned(), user }
}

/// Name of a user by `/etc/passwd` alone: asking a directory service could wait for the network.
pub(crate) fn user(uid: u32) -> Option<String> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    name_of(uid, &text)
}

/// A line is `name:password:uid:...` (passwd(5)).
fn name_of(uid: u32, passwd: &str) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == uid).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::inspect::{Protocol, TcpState};

    #[test]
    fn a_listener_of_ours_is_found_with_its_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sockets = crate::inspect::sockets(Protocol::Tcp).unwrap();
        let ours = sockets.into_iter().find(|socket| socket.local == address).unwrap();
        assert_eq!(ours.state, TcpState::Listen);
        let owners = owners(&[ours]);
        let holders = owners.of(&ours);
        let pids: Vec<u32> = holders.iter().map(|process| process.pid).collect();
        assert!(pids.contains(&std::process::id()), "{owners:?}");
    }

    #[test]
    fn a_user_is_named_by_the_file_alone() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:33::/:/bin/false\n";
        assert_eq!(name_of(33, passwd), Some("web".to_owned()));
        assert_eq!(name_of(7, passwd), None);
    }

    #[test]
    fn a_link_names_a_socket_by_number() {
        assert_eq!(inode_of(Path::new("socket:[4711]")), Some(4711));
        assert_eq!(inode_of(Path::new("/dev/null")), None);
    }
}
