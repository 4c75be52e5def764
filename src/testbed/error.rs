//! Why an experiment cannot be made here, or came to nothing.

use thiserror::Error;

/// Why the kernel of this machine cannot be asked at all. [`NotHere::help`] says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotHere {
    /// Another operating system.
    #[error(
        "this is not Linux: there is no kernel here that the Linux model could be held against"
    )]
    NotLinux,
    /// The process may make no network namespace.
    #[error("this process may not make a network namespace: {why}")]
    Forbidden {
        /// What stands in the way.
        why: String,
        /// What to do about it.
        help: String,
    },
    /// A user namespace is for the whole process, so it must have one thread when it enters.
    #[error("a process with several threads cannot enter a user namespace")]
    SeveralThreads,
    /// Namespaces are allowed, but their sysctls cannot be written.
    #[error("the sysctls of a network namespace of our own cannot be written: {why}")]
    SysctlsFixed {
        /// What the kernel said.
        why: String,
    },
}

impl NotHere {
    /// What the user can do.
    #[must_use]
    pub fn help(&self) -> &str {
        match self {
            Self::NotLinux => "run this on a Linux machine, or in a Linux virtual machine",
            Self::Forbidden { help, .. } => help,
            Self::SeveralThreads => {
                "run as root, or start it in one: `unshare --user --map-root-user --net <command>`"
            }
            Self::SysctlsFixed { .. } => {
                "in a container, mount /proc/sys for writing (Docker: `--privileged`)"
            }
        }
    }
}

/// Why one experiment came to nothing. That ports run out is no failure: it is the result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// No experiment can be made here.
    #[error(transparent)]
    NotHere(#[from] NotHere),
    /// This kernel lacks something that the case needs.
    #[error("{0}")]
    Unsupported(String),
    /// The case asks for something that no machine can do.
    #[error("the case cannot be run: {0}")]
    Impossible(String),
    /// The process may not open as many files as the case needs.
    #[error("more than {limit} open files are needed; allow more with `ulimit -n`")]
    TooManyFiles {
        /// How many it may open.
        limit: u64,
    },
    /// A system call failed that should not.
    #[error("{doing}: {why}")]
    System {
        /// What was being done.
        doing: String,
        /// What the kernel said.
        why: String,
    },
    /// It was told to stop.
    #[error("stopped")]
    Stopped,
}
