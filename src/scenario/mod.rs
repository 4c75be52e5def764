//! What a person writes (a TOML file) turned into what the engine runs.

use std::path::Path;

use crate::model::{RunSettings, World};

mod expect;

pub use expect::{Bound, Expectation, Metric, Scope};

/// One scenario, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file's name without its ending; results go to `results/NAME/`.
    pub name: String,
    /// One line that says what it is; the name where the file gives none.
    pub title: String,
    /// The question it answers, if the file says.
    pub asks: Option<String>,
    /// What is simulated.
    pub world: World,
    /// How it is run.
    pub settings: RunSettings,
    /// What must come out.
    pub expectations: Vec<Expectation>,
}

/// `KEY=VALUE` from the command line: sets any key of the scenario, `run.duration=1 min`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Dotted path of the key: `client.fetcher.arrivals.rate`.
    pub key: String,
    /// The value as TOML, or a bare string.
    pub value: String,
}

/// Everything that is wrong with one scenario, ready to be shown.
#[derive(Clone, Debug)]
pub struct Problems {}

impl Problems {
    /// All problems as rustc-like reports with file, line and column.
    #[must_use]
    pub fn render(&self, _colour: bool) -> String {
        String::new()
    }
}

/// Reads and checks one scenario file.
///
/// # Errors
/// All problems of the file at once.
pub fn load(_path: &Path, _overrides: &[Override]) -> Result<Scenario, Problems> {
    Err(Problems {})
}
