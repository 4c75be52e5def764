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
    let target = target_of(path).map_err(failed)?;
    let (temporary, file) = Temporary::beside(&target).map_err(failed)?;
    // What only its owner could read stays so.
    let mode = there.map_or(Ok(()), |about| file.set_permissions(about.permissions()));
    mode.and_then(|()| fill(file, bytes))
        .and_then(|()| temporary.rename_to(&target))
        .map_err(failed)
}

/// Where what is written to `path` goes: to the end of its links, even where nothing is there yet.
fn target_of(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(target),
        }
    }
    Err(io::Error::other("its links lead in a circle"))
}

/// As many links as Linux follows (`MAXSYMLINKS`).
const MOST_LINKS: u32 = 40;

/// Removes temporary files in `directory` whose programs were killed before they could.
pub fn sweep(directory: &Path) {
    let processes = Path::new("/proc/self");
    if !processes.exists() {
        return;
    }
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let made_by = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
        let made_by = made_by.and_then(|name| name.rsplit_once('.')?.1.parse::<u32>().ok());
        if made_by.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
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
        _ => probe(match target_of(path).map_err(failed)?.parent() {
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
    fn a_link_to_nothing_stays_and_what_it_points_to_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("there", &link).unwrap();
        probe_file(&link).unwrap();
        write_whole(&link, b"new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(directory.path().join("there")).unwrap(), b"new");
        let circle = directory.path().join("circle");
        std::os::unix::fs::symlink("circle", &circle).unwrap();
        assert!(write_whole(&circle, b"new").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_only_its_owner_may_read_stays_so() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("seen.toml");
        std::fs::write(&path, b"old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_killed_program_left_is_swept_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let ours = format!(".ours.{}.tmp", std::process::id());
        // No process has a number as high as that.
        for name in [
            ".summary.json.99999999999.tmp",
            ".summary.json.4194304.tmp",
            &ours,
            "notes.tmp",
            ".x.tmp",
        ] {
            std::fs::write(directory.path().join(name), b"").unwrap();
        }
        sweep(directory.path());
        assert_eq!(
            names(directory.path()),
            [&ours, ".summary.json.99999999999.tmp", ".x.tmp", "notes.tmp"]
        );
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
