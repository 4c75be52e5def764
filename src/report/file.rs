//! Files written whole or not at all.
//!
//! The bytes go to a temporary name in the same directory and are renamed when complete, so a
//! reader, a full disk or an interrupt never meets half a file. Temporary files in the making are
//! on a list, so that a program that must leave at once can sweep them away first.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Temporary files that exist now.
static IN_THE_MAKING: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    /// The file that was to be.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Writes `bytes` to `path`, replacing what was there, whole or not at all. What a symbolic link points to is
/// replaced, and not the link; a device or a pipe is written to, and not replaced.
///
/// # Errors
/// What the system says, with the file's name; nothing is left behind then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let failed = |source| WriteError { path: path.to_owned(), source };
    let there = std::fs::metadata(path);
    if there.as_ref().is_ok_and(|about| !about.is_file() && !about.is_dir()) {
        let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        return fill(file, bytes).map_err(failed);
    }
    let target =
        if there.is_ok() { std::fs::canonicalize(path).map_err(failed)? } else { path.into() };
    let (temporary, file) = Temporary::beside(&target).map_err(failed)?;
    fill(file, bytes).and_then(|()| temporary.rename_to(&target)).map_err(failed)
}

/// Sees whether `path` could be written, before there is anything to write.
///
/// # Errors
/// What the system says, with the file's name.
pub fn probe_file(path: &Path) -> Result<(), WriteError> {
    let failed = |source| WriteError { path: path.to_owned(), source };
    match std::fs::metadata(path) {
        Ok(about) if about.is_dir() => Err(failed(io::ErrorKind::IsADirectory.into())),
        // A pipe would wait for its reader.
        Ok(about) if !about.is_file() => Ok(()),
        Ok(_) => {
            let target = std::fs::canonicalize(path).map_err(failed)?;
            probe(target.parent().unwrap_or(Path::new("/")))
        }
        Err(_) => probe(match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }),
    }
}

/// Sees whether files can be made in `directory`, which must exist, by making one.
///
/// # Errors
/// What the system says, with the directory's name.
pub fn probe(directory: &Path) -> Result<(), WriteError> {
    Temporary::beside(&directory.join("probe"))
        .and_then(|(_temporary, file)| fill(file, b"x"))
        .map_err(|source| WriteError { path: directory.to_owned(), source })
}

/// Removes all temporary files and keeps any further one from being made or finished; for a
/// program that is about to leave. Does not wait for writers.
pub fn abandon() -> impl Sized {
    let list = in_the_making();
    for path in &*list {
        let _ = std::fs::remove_file(path);
    }
    // Whoever holds this also holds up every writer at its next step.
    list
}

fn in_the_making() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    IN_THE_MAKING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes all bytes and closes the file: some systems rename no open file.
fn fill(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.flush()
}

/// A file under a temporary name; gone when dropped unless renamed.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    /// Makes an empty one next to `path`.
    fn beside(path: &Path) -> io::Result<(Self, File)> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        // Two runs into one directory must not write into each other's temporary file.
        name.push(format!(".{}.tmp", std::process::id()));
        let path = path.with_file_name(name);
        let mut list = in_the_making();
        let file = File::create(&path)?;
        list.insert(path.clone());
        Ok((Self { path }, file))
    }

    fn rename_to(&self, path: &Path) -> io::Result<()> {
        let _list = in_the_making();
        std::fs::rename(&self.path, path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let mut list = in_the_making();
        list.remove(&self.path);
        // After a rename it is no longer there, and that is well.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_no_litter() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("summary.json");
        write_whole(&path, b"first and long").unwrap();
        write_whole(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(names(directory.path()), ["summary.json"]);
    }

    #[test]
    fn what_cannot_be_written_is_named_and_leaves_no_litter() {
        let directory = tempfile::tempdir().unwrap();
        // A directory in the way: the temporary file is made, the rename fails.
        let path = directory.path().join("summary.json");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("inside"), "").unwrap();
        let error = write_whole(&path, b"bytes").unwrap_err();
        assert!(error.to_string().contains("summary.json"), "{error}");
        assert_eq!(names(directory.path()), ["summary.json"]);
        assert!(write_whole(&directory.path().join("no/such/dir"), b"").is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_noticed_while_writing() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(fill(full, b"bytes").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_probe_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        probe(directory.path()).unwrap();
        assert_eq!(names(directory.path()), [""; 0]);
        assert!(probe(&directory.path().join("missing")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_what_it_points_to_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        std::fs::write(&file, b"old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_whole(&link, b"new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_to_and_not_replaced() {
        use std::os::unix::fs::FileTypeExt as _;
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe).unwrap()
        });
        probe_file(&pipe).unwrap();
        write_whole(&pipe, b"through").unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
        assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
    }

    #[test]
    fn a_file_that_could_not_be_written_is_known_before() {
        let directory = tempfile::tempdir().unwrap();
        assert!(probe_file(&directory.path().join("file")).is_ok());
        assert!(probe_file(&directory.path().join("none/file")).is_err());
        assert!(probe_file(directory.path()).is_err());
        assert!(names(directory.path()).is_empty());
    }
}
