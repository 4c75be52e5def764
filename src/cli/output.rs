//! The directory that results go to: seen to be writable before a run, filled after it.

use std::io;
use std::path::{Path, PathBuf};

use portsim::chart::Picture;
use portsim::report::file::{self, WriteError};

/// `OUT` and the directories in it that were made for this run.
pub struct Output {
    root: PathBuf,
    made: Vec<PathBuf>,
}

impl Output {
    /// Makes `root` and a directory in it for each of `names`, and sees that files can be made.
    ///
    /// # Errors
    /// What stands in the way; what was made until then is removed again.
    pub fn prepare<'a>(
        root: &Path,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<Self, WriteError> {
        let mut output = Self { root: root.to_owned(), made: Vec::new() };
        let prepared = output.make_writable(root).and_then(|()| {
            names.map(|name| root.join(name)).try_for_each(|path| output.make_writable(&path))
        });
        match prepared {
            Ok(()) => Ok(output),
            Err(error) => {
                output.remove_empty();
                Err(error)
            }
        }
    }

    fn make_writable(&mut self, path: &Path) -> Result<(), WriteError> {
        // Outermost first, so that removing in reverse order finds them empty.
        let mut missing: Vec<PathBuf> = path
            .ancestors()
            .take_while(|p| !p.as_os_str().is_empty() && !p.exists())
            .map(Path::to_owned)
            .collect();
        missing.reverse();
        let made = match path.ancestors().find(|p| p.is_file()) {
            Some(file) => Err(io::Error::other(format!("{} is a file", file.display()))),
            None => std::fs::create_dir_all(path),
        };
        self.made.extend(missing.into_iter().filter(|path| path.is_dir()));
        made.map_err(|source| WriteError { path: path.to_owned(), source })?;
        file::sweep(path);
        file::probe(path)
    }

    /// Removes the directories of this run that nothing came into.
    pub fn remove_empty(&self) {
        for path in self.made.iter().rev() {
            // Refused by the system when there is something in it.
            let _ = std::fs::remove_dir(path);
        }
    }

    /// The folder of one scenario.
    pub fn folder(&self, name: &str) -> Folder {
        Folder::at(self.root.join(name))
    }

    /// The folder of what many scenarios have in common.
    pub fn common(&self) -> Folder {
        Folder::at(self.root.clone())
    }
}

/// What says how a run went, and which files it wrote.
pub const RECORD: &str = "run.json";

/// One directory of results.
pub struct Folder {
    path: PathBuf,
    written: Vec<String>,
    /// What an earlier run says it has written there.
    before: Vec<String>,
}

impl Folder {
    fn at(path: PathBuf) -> Self {
        let record = std::fs::read(path.join(RECORD)).unwrap_or_default();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap_or_default();
        let before = record["files"].as_array().into_iter().flatten();
        let plain = |name: &str| !name.contains(['/', '\\']);
        let before = before.filter_map(|name| name.as_str().filter(|name| plain(name)));
        let before = before.map(str::to_owned).collect();
        Self { path, written: Vec::new(), before }
    }

    /// The files written so far, and the record of them that is to follow.
    pub fn files(&self) -> Vec<String> {
        self.written.iter().cloned().chain([RECORD.to_owned()]).collect()
    }

    /// Writes a file whole or not at all.
    ///
    /// # Errors
    /// What the system says, with the file's name.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        file::write_whole(&self.path.join(name), bytes)?;
        self.written.push(name.to_owned());
        Ok(())
    }

    /// Writes `NAME.svg` and `NAME.png`.
    ///
    /// # Errors
    /// As [`Folder::write`].
    pub fn write_picture(&mut self, name: &str, picture: &Picture) -> Result<(), WriteError> {
        self.write(&format!("{name}.svg"), picture.svg.as_bytes())?;
        self.write(&format!("{name}.png"), &picture.png)
    }

    /// Removes files that an earlier run wrote and this one has not: charts of other figures beside a new
    /// summary would mislead. What others have put there stays.
    pub fn remove_stale(&self) {
        for name in self.before.iter().filter(|name| !self.written.contains(name)) {
            let _ = std::fs::remove_file(self.path.join(name));
        }
    }

    /// `results/crawler/: summary.json, timeline.csv`.
    pub fn listing(&self) -> String {
        // `join("")` puts the separator of this system at the end.
        format!("{}: {}", self.path.join("").display(), self.written.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_stay_empty_are_removed_again() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("deep/results");
        let output = Output::prepare(&root, ["a", "b"].into_iter()).unwrap();
        output.folder("b").write("summary.json", b"{}").unwrap();
        output.remove_empty();
        assert!(!root.join("a").exists());
        assert!(root.join("b/summary.json").exists());
    }

    #[test]
    fn a_file_in_the_way_is_found_before_the_run_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("in-the-way"), "").unwrap();
        let root = directory.path().join("in-the-way/results");
        assert!(Output::prepare(&root, ["a"].into_iter()).is_err());
        let root = directory.path().join("results");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("b"), "").unwrap();
        assert!(Output::prepare(&root, ["a", "b"].into_iter()).is_err());
        assert!(!root.join("a").exists());
    }

    #[test]
    fn an_earlier_runs_charts_do_not_stay_beside_new_figures_and_what_is_not_ours_does() {
        let directory = tempfile::tempdir().unwrap();
        let output = Output::prepare(directory.path(), ["a"].into_iter()).unwrap();
        let folder = directory.path().join("a");
        for name in ["pressure.svg", "pressure-web.svg", "pressure-mine.svg", "notes.md"] {
            std::fs::write(folder.join(name), "old").unwrap();
        }
        let record =
            r#"{"files": ["pressure.svg", "pressure-web.svg", "run.json", "../a/notes.md"]}"#;
        std::fs::write(folder.join(RECORD), record).unwrap();
        let mut written = output.folder("a");
        written.write("summary.json", b"{}").unwrap();
        assert_eq!(written.files(), ["summary.json", RECORD]);
        written.write(RECORD, b"{}").unwrap();
        written.remove_stale();
        assert!(!folder.join("pressure.svg").exists());
        assert!(!folder.join("pressure-web.svg").exists());
        assert!(folder.join("pressure-mine.svg").exists(), "no run has written it");
        assert!(folder.join("notes.md").exists());
    }
}
