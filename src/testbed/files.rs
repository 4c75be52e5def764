//! How many files this process may open: a connection takes two, and a range has tens of thousands.

use std::sync::Once;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::Failure;

/// As many as the kernel allows anyone by default (`fs.nr_open`).
const ENOUGH: u64 = 1 << 20;

/// Raises the limit as far as this process may, once.
pub(super) fn raise_limit() {
    static RAISED: Once = Once::new();
    RAISED.call_once(|| {
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
        // Only who may raise the hard limit gets the first; what fails is told when files run out.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, ENOUGH.max(soft), ENOUGH.max(hard))
            .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    });
}

/// What to say of a system call that should not have failed.
pub(super) fn failed(doing: &str, errno: Errno) -> Failure {
    if matches!(errno, Errno::EMFILE | Errno::ETOOMANYREFS) {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
        return Failure::TooManyFiles { limit };
    }
    Failure::System { doing: doing.to_owned(), why: errno.to_string() }
}

/// The same for an error of the standard library.
pub(super) fn io_failed(doing: &str, error: &std::io::Error) -> Failure {
    match error.raw_os_error() {
        Some(number) => failed(doing, Errno::from_raw(number)),
        None => Failure::System { doing: doing.to_owned(), why: error.to_string() },
    }
}
