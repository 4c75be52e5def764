//! Whether this process may make network namespaces, and what to tell the user when not.

use std::fs;
use std::io;
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use super::{Failure, NotHere, Sandbox, link, sysctl};

/// Number of the capability to make namespaces (include/uapi/linux/capability.h).
const CAP_SYS_ADMIN: u32 = 21;

/// See [`super::enter`].
pub(super) fn enter() -> Result<Sandbox, NotHere> {
    let sandbox = if may_make_namespaces() {
        Sandbox::Privileged
    } else {
        enter_user_namespace()?;
        Sandbox::UserNamespace
    };
    // In a thread of its own, so that this one stays in the namespace of the host.
    thread::spawn(try_out).join().expect("the trial does not panic").map(|()| sandbox)
}

fn may_make_namespaces() -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective
        .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .is_some_and(|capabilities| capabilities >> CAP_SYS_ADMIN & 1 == 1)
}

/// Makes this process root of a user namespace in which no other user exists.
fn enter_user_namespace() -> Result<(), NotHere> {
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).map_err(|errno| match errno {
        Errno::EINVAL => NotHere::SeveralThreads,
        _ => forbidden(),
    })?;
    // The kernel wants `setgroups` given up before somebody without privileges maps a group.
    let write = |file: &str, text: String| fs::write(format!("/proc/self/{file}"), text);
    let maps = write("setgroups", "deny".to_owned())
        .and_then(|()| write("uid_map", format!("0 {uid} 1")))
        .and_then(|()| write("gid_map", format!("0 {gid} 1")));
    maps.map_err(|_| forbidden())
}

/// Makes a namespace and writes a sysctl of it.
fn try_out() -> Result<(), NotHere> {
    match link::new_namespace() {
        Ok(()) => {}
        Err(Failure::NotHere(_)) => return Err(forbidden()),
        Err(other) => {
            let help = "run as root on a machine whose kernel has network namespaces".to_owned();
            return Err(NotHere::Forbidden { why: other.to_string(), help });
        }
    }
    sysctl::write("net.ipv4.ip_local_port_range", "32768 60999")
        .map_err(|error| NotHere::SysctlsFixed { why: said(&error) })
}

fn said(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |n| Errno::from_raw(n).to_string())
}

/// Why it may not, as far as the machine tells.
fn forbidden() -> NotHere {
    let is = |file: &str, value: &str| {
        fs::read_to_string(format!("/proc/sys/{file}")).is_ok_and(|text| text.trim() == value)
    };
    let (why, help) = if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        (
            "AppArmor keeps user namespaces to root",
            "run it with sudo, or `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
        )
    } else if is("kernel/unprivileged_userns_clone", "0") {
        (
            "user namespaces are kept to root",
            "run it with sudo, or `sudo sysctl kernel.unprivileged_userns_clone=1`",
        )
    } else if is("user/max_user_namespaces", "0") {
        (
            "user namespaces are switched off",
            "run it with sudo, or `sudo sysctl user.max_user_namespaces=1024`",
        )
    } else {
        (
            "it is not root, and the system or the container does not allow user namespaces",
            "run it with sudo; in a container, give it the right to (Docker: `--privileged`)",
        )
    };
    NotHere::Forbidden { why: why.to_owned(), help: help.to_owned() }
}
