//! The file that is written, looked at before anything is read.

use std::path::{Path, PathBuf};

use portsim::report::file;

use super::super::Status;
use super::super::terminal::{self, tame};

/// Can `out`, which `flag` names, be written, and is it none of the records? What is wrong has been told then.
pub fn check(flag: &str, out: &Path, records: &[PathBuf]) -> Result<(), Status> {
    if let Some(record) = records.iter().find(|record| is_same(record, out)) {
        terminal::error(format!(
            "{flag} {} would write over the record {}: choose another file",
            tame(&out.display().to_string()),
            tame(&super::name(record))
        ));
        return Err(Status::WrongInput);
    }
    file::probe_file(out).map_err(|error| {
        terminal::error(format!(
            "{}; choose another place with {flag} FILE",
            tame(&error.to_string())
        ));
        Status::WrongInput
    })
}

/// Are they one file, by whatever name?
fn is_same(record: &Path, out: &Path) -> bool {
    if record == Path::new("-") {
        return stdin_is(out);
    }
    matches!((record.canonicalize(), out.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Does stdin come from the file `out`?
#[cfg(unix)]
fn stdin_is(out: &Path) -> bool {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    let stdin = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let about = (stdin.and_then(|stdin| stdin.metadata()), out.metadata());
    let (Ok(stdin), Ok(out)) = about else { return false };
    out.is_file() && (stdin.dev(), stdin.ino()) == (out.dev(), out.ino())
}

/// Elsewhere that cannot be told.
#[cfg(not(unix))]
fn stdin_is(_out: &Path) -> bool {
    false
}
