//! Pictures of finished results: SVG by plotters, PNG from the same SVG.
//!
//! One file a chart; each is laid out and drawn from finished figures and nothing else, so that
//! the same result is the same bytes. `canvas` is the sheet and the font, `style` the colours,
//! `axis` and `frame` what charts have in common, `wording` and `verdict` put figures into words.

#[cfg(feature = "validate")]
mod agreement;
mod axis;
mod bins;
mod blocking;
mod canvas;
mod changes;
#[cfg(feature = "validate")]
mod cost;
#[cfg(feature = "inspect")]
mod demand;
mod erlang;
mod frame;
mod hosts;
mod ports;
mod pressure;
mod raster;
mod requests;
mod reuse;
#[cfg(test)]
mod sample;
mod search;
mod style;
#[cfg(test)]
mod tests;
mod text;
mod verdict;

#[cfg(feature = "validate")]
pub use agreement::{Both, agreement};
pub use blocking::blocking;
#[cfg(feature = "validate")]
pub use cost::{Connects, cost};
#[cfg(feature = "inspect")]
pub use demand::demand;
pub use hosts::hosts;
pub use ports::ports;
pub use pressure::pressure;
pub use requests::requests;
pub use reuse::reuse;
pub use search::search;

/// A finished picture in both forms.
#[derive(Clone, Debug)]
pub struct Picture {
    /// SVG text.
    pub svg: String,
    /// PNG bytes, 1800 pixels wide.
    pub png: Vec<u8>,
}

impl Picture {
    /// Writes the picture to `path`: as PNG where its name ends so, else as SVG.
    ///
    /// ```
    /// use portsim::{Client, Host, RunSettings, Scenario, SimDuration, World, chart};
    /// let busy = Client::poisson("busy", 900.0, SimDuration::from_millis(50));
    /// let world = World::of(Host { clients: vec![busy], ..Host::linux("proxy") });
    /// let scenario = Scenario::of(world, RunSettings::of(SimDuration::from_secs(90)))?;
    /// let outcome = scenario.run()?;
    /// let tightest = outcome.tightest().expect("there is a host");
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("pressure.svg");
    /// chart::pressure(&scenario, &outcome, tightest).save(&path)?;
    /// # assert!(std::fs::read_to_string(&path)?.contains("capacity 28,232 ports"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&self, path: impl AsRef<std::path::Path>) -> std::io::Result<()> {
        let path = path.as_ref();
        std::fs::write(path, self.bytes_of(path))
    }

    /// What a file at `path` is to hold: the PNG where its name ends so, else the SVG.
    #[must_use]
    pub fn bytes_of(&self, path: impl AsRef<std::path::Path>) -> &[u8] {
        let ending = path.as_ref().extension();
        let is_png = ending.is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
        if is_png { &self.png } else { self.svg.as_bytes() }
    }
}
