//! Experiments on the kernel of the machine that this runs on.
//!
//! [`measure`] makes a [`Case`] come true: in a thread of its own, in a network namespace that is made
//! for it and vanishes with it, over that namespace's loopback device. Nothing of the host's network is
//! touched, and cases can run side by side: all of their sysctls, ports and TIME-WAIT sockets are their
//! own. Only the timer wheel, the uptime and the counters behind the choice of ports belong to the whole
//! machine.
//!
//! Client and server of a connection are in the same thread. Over the loopback device the kernel has
//! finished the handshake when `connect()` returns, and a FIN has arrived when `close()` returns; so
//! "the server's FIN follows at once" costs two system calls, and no thread has to be woken for it.
//!
//! On other systems everything is there, and answers [`NotHere::NotLinux`].

use std::sync::atomic::AtomicBool;

use crate::validate::{Case, Measured};

mod check;
mod error;

#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod keeper;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod link;
#[cfg(target_os = "linux")]
mod pair;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(target_os = "linux")]
mod socket;
#[cfg(target_os = "linux")]
mod sysctl;

pub use check::at_most_s;
pub use error::{Failure, NotHere};

/// How this process may make network namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// It may anyway, being root or nearly so.
    Privileged,
    /// It has entered a user namespace, where it is root and owns nothing of the host.
    UserNamespace,
}

/// How far an experiment has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Seconds since it began.
    pub elapsed_s: f64,
    /// Attempts made.
    pub attempts: u32,
    /// Those that failed.
    pub failed: u32,
}

/// An experiment that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// What it found.
    pub measured: Measured,
    /// Seconds that something was done after its time, at worst.
    pub late_s: f64,
}

/// Makes sure that this process can make network namespaces. To be called once, while the process has
/// one thread: without privileges it enters a user namespace, which the kernel grants to a whole process
/// only.
///
/// # Errors
/// When it cannot, with what to do about it.
pub fn enter() -> Result<Sandbox, NotHere> {
    #[cfg(target_os = "linux")]
    return sandbox::enter();
    #[cfg(not(target_os = "linux"))]
    Err(NotHere::NotLinux)
}

/// Does `work` in a thread of its own, in a network namespace of its own: its sockets, those of the programs
/// that it starts, and `/proc/sys/net` are of that namespace, which goes when the last of them has gone.
///
/// # Errors
/// When no namespace can be made here.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    #[cfg(target_os = "linux")]
    return run::apart(work);
    #[cfg(not(target_os = "linux"))]
    {
        drop(work);
        Err(NotHere::NotLinux.into())
    }
}

/// Makes one experiment and says what the kernel did. Blocks for [`at_most_s`] and a few seconds more at
/// most; it ends within a tenth of a second when `stop` is set, save in the midst of a system call.
///
/// # Errors
/// When the experiment cannot be made here, needs something that this kernel lacks, or was stopped.
pub fn measure(case: &Case, stop: &AtomicBool) -> Result<Made, Failure> {
    measure_with(case, stop, &mut |_| {})
}

/// The same; `watch` hears a few times a second how an experiment with attempts gets on.
///
/// # Errors
/// As [`measure`].
pub fn measure_with(
    case: &Case,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(Progress),
) -> Result<Made, Failure> {
    check::check(case)?;
    #[cfg(target_os = "linux")]
    return run::in_own_thread(case, stop, watch);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (stop, watch);
        Err(NotHere::NotLinux.into())
    }
}
