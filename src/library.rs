//! A scenario in a program: opened, changed by key, run.

use std::path::Path;

use crate::replicate::{Unwatched, replicate};
use crate::scenario::{Override, Problems, Scenario, Text, load, parse};
use crate::stats::Outcome;

impl Scenario {
    /// Reads and checks a scenario file; files that it names are looked for beside it.
    ///
    /// # Errors
    /// All that is wrong with it at once.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Problems> {
        load(path.as_ref(), &[])
    }

    /// Checks the text of a scenario; files that it names are looked for in the working directory.
    ///
    /// # Errors
    /// All that is wrong with it at once.
    pub fn from_text(text: &str) -> Result<Self, Problems> {
        parse("scenario", "scenario", text, &[])
    }

    /// The same scenario with one key changed, as `--set` does: `key` is `client.fetcher.arrivals.rate`,
    /// `value` is TOML or a bare string.
    ///
    /// It is read anew from its text, so what was changed in `world` or `settings` since is not in it; of a
    /// world built by hand change the fields instead.
    ///
    /// # Errors
    /// All that is wrong with it then, a key that is not there among it.
    pub fn set(&self, key: &str, value: &str) -> Result<Self, Problems> {
        let Text { origin, text, overrides } = &self.text;
        let change = Override { key: key.to_owned(), value: value.to_owned() };
        let overrides = [&overrides[..], &[change]].concat();
        Ok(Self { name: self.name.clone(), ..parse(&self.name, origin, text, &overrides)? })
    }

    /// Checks it again, since its fields may have been changed, and runs all its replications on all cores.
    ///
    /// # Errors
    /// All that is wrong with its world and settings, as [`Scenario::of`] tells it.
    pub fn run(&self) -> Result<Outcome, Problems> {
        self.check()?;
        let outcome = replicate(&self.world, &self.settings, &Unwatched);
        Ok(outcome.expect("nobody stopped it"))
    }
}
