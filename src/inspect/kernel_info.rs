//! Which Linux kernel this is.

use crate::platform::Linux;

/// The Linux kernel of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelInfo {
    /// Its release, as `uname -r` prints it.
    pub release: String,
    /// Jiffies a second, where it says so.
    ///
    /// The coarse clock moves once a jiffy, and the kernel gives that step as its resolution
    /// (kernel/time/posix-timers.c: posix_get_coarse_res): no configuration file has to be at hand, and
    /// nothing has to be timed.
    pub hz: Option<u32>,
}

impl KernelInfo {
    /// Its version, where the release begins with one.
    #[must_use]
    pub fn version(&self) -> Option<Linux> {
        Linux::of_release(&self.release)
    }
}

/// Says which kernel this is; nothing where it is not Linux.
#[must_use]
pub fn kernel_info() -> Option<KernelInfo> {
    #[cfg(target_os = "linux")]
    return Some(linux());
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(target_os = "linux")]
fn linux() -> KernelInfo {
    use nix::time::{ClockId, clock_getres};
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let step = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE);
    let hz = step.ok().and_then(|step| hz(step.tv_sec(), step.tv_nsec()));
    KernelInfo { release: release.trim().to_owned(), hz }
}

/// Jiffies a second, from the length of one. Nothing where that is no length a jiffy can have: what only
/// imitates Linux answers a nanosecond.
#[cfg(any(target_os = "linux", test))]
fn hz(seconds: i64, nanoseconds: i64) -> Option<u32> {
    if seconds != 0 || nanoseconds <= 0 {
        return None;
    }
    let hz = (1_000_000_000 + nanoseconds / 2) / nanoseconds;
    u32::try_from(hz).ok().filter(|hz| (24..=1200).contains(hz))
}

#[cfg(test)]
mod tests {
    use super::hz;

    #[test]
    fn a_jiffy_says_how_many_make_a_second() {
        assert_eq!(hz(0, 10_000_000), Some(100));
        assert_eq!(hz(0, 4_000_000), Some(250));
        assert_eq!(hz(0, 3_333_333), Some(300));
        assert_eq!(hz(0, 1_000_000), Some(1000));
    }

    #[test]
    fn no_jiffy_is_a_nanosecond_or_a_second_long() {
        assert_eq!(hz(0, 1), None);
        assert_eq!(hz(0, 0), None);
        assert_eq!(hz(1, 0), None);
    }
}
