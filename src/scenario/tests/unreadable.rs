//! Paths that lead to no scenario.

use super::good::SMALLEST;
use super::*;

/// What `load` says of `path`.
#[track_caller]
fn refused(path: &std::path::Path) -> String {
    match load(path, &[]) {
        Ok(_) => panic!("{} was accepted", path.display()),
        Err(problems) => problems.render(false),
    }
}

#[test]
fn a_missing_file_is_told_with_the_nearest_name() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("crawler.toml"), SMALLEST).unwrap();
    let shown = refused(&directory.path().join("crawlr.toml"));
    assert!(shown.contains("there is no such file"), "{shown}");
    assert!(shown.contains("did you mean") && shown.contains("crawler.toml"), "{shown}");
    let shown = refused(&directory.path().join("nowhere").join("x.toml"));
    assert!(shown.contains("there is no directory"), "{shown}");
}

#[test]
fn a_directory_is_told_with_the_files_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let shown = refused(directory.path());
    assert!(shown.contains("is a directory") && shown.contains("no .toml file"), "{shown}");
    std::fs::write(directory.path().join("crawler.toml"), SMALLEST).unwrap();
    let shown = refused(directory.path());
    assert!(shown.contains("name a file in it: `crawler.toml`"), "{shown}");
}

#[test]
fn a_file_without_end_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge.toml");
    std::fs::write(&path, "# comment\n".repeat(500_000)).unwrap();
    let shown = refused(&path);
    assert!(shown.contains("larger than 4 MiB"), "{shown}");
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_told_with_the_reason() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret.toml");
    std::fs::write(&path, SMALLEST).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads everything.
    if std::fs::read(&path).is_err() {
        let shown = refused(&path);
        assert!(shown.contains("permission denied"), "{shown}");
    }
}
