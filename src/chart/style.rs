//! One look for all charts: colours, weights, sizes.
//!
//! Hues are Okabe and Ito's, which the common colour blindnesses keep apart; each state's lightness
//! is its own as well, so that a black-and-white print still tells them apart.

use plotters::style::{Color, RGBAColor, RGBColor, ShapeStyle};

/// Width of a chart, in nominal pixels.
pub(super) const WIDTH: f64 = 900.0;
/// Blank rim of a chart.
pub(super) const RIM: f64 = 24.0;
/// Left edge of the plots: room for the figures of a y axis.
pub(super) const PLOT_LEFT: f64 = 76.0;
/// Right edge of the plots.
pub(super) const PLOT_RIGHT: f64 = WIDTH - RIM;

/// Labels, legends, figures on the axes.
pub(super) const SMALL: f64 = 11.5;
/// The subtitle.
pub(super) const MEDIUM: f64 = 12.5;

/// Titles and what must be read first.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Axes, figures, subtitles.
pub(super) const GREY: RGBColor = RGBColor(0x55, 0x55, 0x55);
/// Lines that only guide the eye.
pub(super) const GRID: RGBColor = RGBColor(0xE3, 0xE3, 0xE3);
/// Paper.
pub(super) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);

/// Ports of established connections (dark).
pub(super) const ESTABLISHED: RGBColor = RGBColor(0x00, 0x62, 0xA0);
/// Ports of connections that are being set up (lightest).
pub(super) const CONNECTING: RGBColor = RGBColor(0xA5, 0xD8, 0xF5);
/// Ports of connections that are being closed (between).
pub(super) const CLOSING: RGBColor = RGBColor(0x00, 0x9E, 0x73);
/// Ports in TIME-WAIT (light).
pub(super) const TIME_WAIT: RGBColor = RGBColor(0xF0, 0xB4, 0x3C);
/// Ports that can never be had (darkest).
pub(super) const LOST: RGBColor = RGBColor(0x2B, 0x2B, 0x2B);
/// Free ports: a shade of paper, so that the raster's edge shows.
pub(super) const FREE: RGBColor = RGBColor(0xF4, 0xF4, 0xF4);
/// Attempts blocked, and the moment of the first.
pub(super) const BLOCKED: RGBColor = RGBColor(0xB8, 0x3A, 0x00);

/// A full-strength line, `width` nominal pixels wide.
pub(super) fn line(colour: RGBColor, width: f64) -> Pen {
    Pen { colour: colour.to_rgba(), width }
}

/// A line or an area through which what lies beneath stays visible.
pub(super) fn sheer(colour: RGBColor, opacity: f64, width: f64) -> Pen {
    Pen { colour: colour.mix(opacity), width }
}

/// How a shape is drawn; areas ignore the width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    /// Colour and opacity.
    pub colour: RGBAColor,
    /// Width of the line in nominal pixels.
    pub width: f64,
}

impl Pen {
    /// The same pen on a canvas that is drawn `scale` times as large.
    pub(super) fn scaled(self, scale: f64) -> ShapeStyle {
        let stroke_width = (self.width * scale).round().max(1.0) as u32;
        ShapeStyle { color: self.colour, filled: true, stroke_width }
    }
}

/// `from` and `to` mixed, `share` (0 to 1) of the latter.
pub(super) fn mix(from: RGBColor, to: RGBColor, share: f64) -> RGBColor {
    let channel = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round();
    RGBColor(channel(from.0, to.0) as u8, channel(from.1, to.1) as u8, channel(from.2, to.2) as u8)
}

/// How strongly a colour shows for a share of its most.
pub(super) fn strength(share: f64) -> f64 {
    share * share
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of sRGB (WCAG 2.1), 0 to 1.
    fn luminance(colour: RGBColor) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour.0) + 0.7152 * linear(colour.1) + 0.0722 * linear(colour.2)
    }

    #[test]
    fn states_differ_in_lightness_so_that_a_grey_print_tells_them_apart() {
        let states = [LOST, ESTABLISHED, CLOSING, TIME_WAIT, CONNECTING, FREE];
        for pair in states.windows(2) {
            // 1.15 is about ten steps of 256 in a grey print.
            let contrast = (luminance(pair[1]) + 0.05) / (luminance(pair[0]) + 0.05);
            assert!(contrast > 1.15, "{pair:?} differ by {contrast:.2} only");
        }
    }

    #[test]
    fn a_mixture_begins_and_ends_in_its_parts() {
        assert_eq!(mix(FREE, LOST, 0.0), FREE);
        assert_eq!(mix(FREE, LOST, 1.0), LOST);
    }
}
