//! Files that a scenario is in, or names.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Why a file was not read, as a person would say it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("there is no such file")]
    Missing,
    #[error("permission denied")]
    Denied,
    #[error("it is a directory")]
    Directory,
    #[error("it is a pipe or a device, not a file (`-` reads stdin)")]
    Pipe,
    #[error("it is larger than {0}")]
    TooLarge(&'static str),
    #[error("it is not UTF-8 text")]
    NotText,
    #[error("{0}")]
    Other(io::Error),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::IsADirectory => Self::Directory,
            _ => Self::Other(error),
        }
    }
}

/// Opens a file for reading. Of a directory each system says something else, and some open it.
pub(crate) fn open(path: &Path) -> Result<File, Unreadable> {
    let about = std::fs::metadata(path)?;
    if about.is_dir() {
        return Err(Unreadable::Directory);
    }
    // Opening a pipe waits for who writes into it; one that a shell has opened has its writer.
    if !about.is_file()
        && !["/dev/fd", "/dev/stdin", "/proc"].iter().any(|own| path.starts_with(own))
    {
        return Err(Unreadable::Pipe);
    }
    Ok(File::open(path)?)
}

/// All bytes of a file of at most `most`, which is `called` so.
pub(crate) fn read(path: &Path, most: u64, called: &'static str) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(Unreadable::TooLarge(called)) } else { Ok(bytes) }
}
