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
#[cfg(feature = "validate")]
mod cost;
mod erlang;
mod frame;
mod ports;
mod pressure;
mod raster;
mod reuse;
#[cfg(test)]
mod sample;
mod search;
mod style;
#[cfg(test)]
mod tests;
mod verdict;

#[cfg(feature = "validate")]
pub use agreement::{Both, agreement};
pub use blocking::blocking;
#[cfg(feature = "validate")]
pub use cost::{Connects, cost};
pub use ports::ports;
pub use pressure::pressure;
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
