//! The sysctls of the calling thread's network namespace: written, and read back.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};

use super::Failure;
use super::files::io_failed;
use crate::inspect::read_sysctl;
use crate::validate::{Experiment, Setup};

/// Ports below are privileged until `ip_unprivileged_port_start` says otherwise, and a range may not
/// begin there.
pub(super) const FIRST_UNPRIVILEGED: u16 = 1024;

/// Writes one. `/proc/sys/net` shows the namespace of the thread that looks.
pub(super) fn write(name: &str, value: &str) -> io::Result<()> {
    // Without O_CREAT, which makes a sysctl that is not there one that may not be made.
    OpenOptions::new().write(true).open(path(name))?.write_all(value.as_bytes())
}

fn path(name: &str) -> String {
    format!("/proc/sys/{}", name.replace('.', "/"))
}

/// Sets up the namespace as the case says. What the case leaves out stays as the kernel has it in a new
/// namespace, whatever the host has.
pub(super) fn set_up(setup: &Setup, experiment: &Experiment) -> Result<(), Failure> {
    if setup.lo < FIRST_UNPRIVILEGED {
        set("ip_unprivileged_port_start", &setup.lo.to_string())?;
    }
    let hi = u32::from(setup.lo) + setup.n - 1;
    set("ip_local_port_range", &format!("{} {hi}", setup.lo))?;
    set("tcp_tw_reuse", &setup.tw_reuse.to_string())?;
    set("tcp_timestamps", &setup.timestamps.to_string())?;
    let optional = [
        ("tcp_tw_reuse_delay", setup.tw_reuse_delay),
        ("tcp_max_tw_buckets", setup.max_tw),
        ("tcp_fin_timeout", setup.fin_timeout),
        ("ip_autobind_reuse", Some(setup.autobind_reuse.into()).filter(|&reuse| reuse != 0)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            set(name, &value.to_string())?;
        }
    }
    if !setup.reserved.is_empty() {
        set("ip_local_reserved_ports", &setup.reserved)?;
    }
    if let Experiment::SynSent { syn_retries, syn_linear, .. } = experiment {
        set("tcp_syn_retries", &syn_retries.to_string())?;
        syn_linear_timeouts(*syn_linear)?;
    }
    Ok(())
}

/// Kernels before 6.5 have no linear timeouts, and nothing to write: 0 means the same to them.
fn syn_linear_timeouts(count: u8) -> Result<(), Failure> {
    let name = "tcp_syn_linear_timeouts";
    if count == 0 && !fs::exists(path(&format!("net.ipv4.{name}"))).unwrap_or(true) {
        return Ok(());
    }
    set(name, &count.to_string())
}

fn set(name: &str, value: &str) -> Result<(), Failure> {
    let name = format!("net.ipv4.{name}");
    let doing = format!("setting {name} to {value}");
    write(&name, value).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::Unsupported(format!("{name} is not there on this kernel")),
        _ => io_failed(&doing, &error),
    })?;
    let read = read_sysctl(&path(&name)).map_err(|error| io_failed(&doing, &error))?;
    if same(value, &read) {
        return Ok(());
    }
    Err(Failure::System { doing, why: format!("it reads {} afterwards", read.trim()) })
}

/// Whether two texts say the same: the kernel writes ranges its own way (`5,6` as `5-6`), and parts
/// numbers by tabs.
fn same(one: &str, other: &str) -> bool {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    words(one) == words(other) || ports(one).is_some_and(|ports_of| Some(ports_of) == ports(other))
}

/// The ports of a list such as `8080,9000-9010`.
fn ports(list: &str) -> Option<BTreeSet<u16>> {
    let mut ports = BTreeSet::new();
    for part in list.trim().split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        ports.extend(from.trim().parse().ok()?..=to.trim().parse::<u16>().ok()?);
    }
    Some(ports)
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn what_the_kernel_spells_its_own_way_is_the_same() {
        assert!(same("40000 40049", "40000\t40049\n"));
        assert!(same("5,6,7,9", "5-7,9\n"));
        assert!(same("0", "0\n"));
    }

    #[test]
    fn other_ports_and_other_numbers_are_not_the_same() {
        assert!(!same("5-7", "5-8\n"));
        assert!(!same("1", "0\n"));
        assert!(!same("40000 40049", "32768\t60999\n"));
    }
}
