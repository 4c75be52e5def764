//! Running a program of the system itself, for what it prints.

use std::path::Path;
use std::process::{Command, Stdio};

use super::Unreadable;

/// What `program` prints, in English where it can: `what` is what is wanted of it.
///
/// A program that prints something and still ends with an error has answered in part: `sysctl` does
/// where one of several names is unknown. Bytes that are not UTF-8 are replaced.
///
/// # Errors
/// When it cannot be run, or prints nothing and says why.
pub(super) fn printed(
    what: &str,
    program: &Path,
    arguments: &[&str],
) -> Result<String, Unreadable> {
    let unreadable = |why: String| Unreadable { what: what.to_owned(), why };
    let name = program.display();
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| unreadable(format!("{name}: {error}")))?;
    if !output.status.success() && output.stdout.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().map(str::trim).find(|line| !line.is_empty());
        let why = said.map_or_else(|| output.status.to_string(), str::to_owned);
        return Err(unreadable(format!("{name}: {why}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_prints_is_told_even_if_it_ends_badly() {
        let shell = Path::new("/bin/sh");
        let text = printed("it", shell, &["-c", "echo $LC_ALL; exit 1"]).unwrap();
        assert_eq!(text, "C\n");
    }

    #[test]
    fn a_program_that_says_only_why_not_is_quoted() {
        let shell = Path::new("/bin/sh");
        let error = printed("it", shell, &["-c", "echo not here >&2; exit 2"]).unwrap_err();
        assert_eq!(error.to_string(), "it cannot be read: /bin/sh: not here");
        let error = printed("it", Path::new("/nowhere/at-all"), &[]).unwrap_err();
        assert!(error.why.starts_with("/nowhere/at-all: "), "{error}");
    }
}
