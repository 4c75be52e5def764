//! What all charts draw on: plotters writes the SVG, resvg turns the same SVG into a PNG.
//!
//! plotters' coordinates are integers, which shows as stair-steps at 900 pixels. So everything is
//! drawn [`K`] times as large and only the outer size is written small; the view box keeps the
//! large coordinates, and every viewer scales smoothly. The font is compiled in: a picture looks
//! the same on a machine that has none.

use std::fmt::Write as _;
use std::sync::Once;

use plotters::backend::SVGBackend;
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, TextStyle, register_font};
use resvg::tiny_skia::{FilterQuality, Pixmap, PixmapPaint, Transform};
use resvg::usvg;

use super::Picture;
use super::raster::Raster;
use super::style::{PAPER, Pen, WIDTH};
pub(super) use super::text::{Align, Type, bold, plain};
use super::text::{BOLD, REGULAR, outline};

/// How many times as large as shown everything is drawn.
const K: f64 = 8.0;
/// Pixels of the PNG for each nominal pixel.
const PNG_SCALE: f32 = 2.0;
/// plotters divides font sizes by this before it writes them down.
const PLOTTERS_FONT_FACTOR: f64 = 1.24;
/// Ascent and descent of DejaVu Sans in em: what plotters' metrics take for the font size.
const FONT_HEIGHT_EM: f64 = 2384.0 / 2048.0;
/// How far below a text's top plotters puts its base line, in em.
const TOP_TO_BASELINE_EM: f64 = 0.76;

/// A sheet of [`WIDTH`] nominal pixels; the origin is the upper left corner.
pub(super) struct Canvas<'a> {
    backend: SVGBackend<'a>,
    rasters: Vec<(Raster, [f64; 4])>,
    /// All texts so far, for the PNG.
    outlines: Vec<String>,
}

impl Canvas<'_> {
    /// A line through all of `points`.
    pub(super) fn path(&mut self, points: &[(f64, f64)], pen: Pen) {
        if points.len() > 1 {
            let points = points.iter().map(|&point| large(point));
            self.backend.draw_path(points, &pen.scaled(K)).expect(INTO_MEMORY);
        }
    }

    /// A straight line of dashes, each `dash` long with `gap` between.
    pub(super) fn dashes(
        &mut self,
        from: (f64, f64),
        to: (f64, f64),
        dash_gap: (f64, f64),
        pen: Pen,
    ) {
        self.dashes_along(&[from, to], dash_gap, pen);
    }

    /// A line of dashes through all of `points`, each `dash` long with `gap` between.
    pub(super) fn dashes_along(
        &mut self,
        points: &[(f64, f64)],
        (dash, gap): (f64, f64),
        pen: Pen,
    ) {
        // What is left of the current dash (or of the gap after it), and the dash as far as it is.
        let (mut inked, mut left, mut stroke) = (true, dash, Vec::new());
        for ends in points.windows(2) {
            let (mut at, to) = (ends[0], ends[1]);
            loop {
                if inked && stroke.is_empty() {
                    stroke.push(at);
                }
                let rest = (to.0 - at.0).hypot(to.1 - at.1);
                if rest <= left {
                    left -= rest;
                    if inked {
                        stroke.push(to);
                    }
                    break;
                }
                at = (at.0 + (to.0 - at.0) * left / rest, at.1 + (to.1 - at.1) * left / rest);
                if inked {
                    stroke.push(at);
                    self.path(&stroke, pen);
                    stroke.clear();
                }
                inked = !inked;
                left = if inked { dash } else { gap };
            }
        }
        self.path(&stroke, pen);
    }

    /// The area inside `outline`.
    pub(super) fn area(&mut self, outline: &[(f64, f64)], pen: Pen) {
        if outline.len() > 2 {
            let outline = outline.iter().map(|&point| large(point));
            self.backend.fill_polygon(outline, &pen.scaled(K)).expect(INTO_MEMORY);
        }
    }

    /// A filled rectangle.
    pub(super) fn block(&mut self, left: f64, top: f64, right: f64, bottom: f64, pen: Pen) {
        self.area(&[(left, top), (right, top), (right, bottom), (left, bottom)], pen);
    }

    /// A filled circle.
    pub(super) fn dot(&mut self, centre: (f64, f64), radius: f64, pen: Pen) {
        let radius = (radius * K).round() as u32;
        self.backend.draw_circle(large(centre), radius, &pen.scaled(K), true).expect(INTO_MEMORY);
    }

    /// A text whose base line is at `y`.
    pub(super) fn text(&mut self, text: &str, (x, y): (f64, f64), align: Align, look: Type) {
        let text = &*crate::names::tame(text);
        let horizontal = match align {
            Align::Left => HPos::Left,
            Align::Middle => HPos::Center,
            Align::Right => HPos::Right,
        };
        let place = Pos::new(horizontal, VPos::Top);
        let style = font(look).color(&look.colour).pos(place);
        let top = y - TOP_TO_BASELINE_EM * look.size;
        let (text, at) = (printable(text), large((x, top)));
        self.backend.draw_text(&text, &style, at).expect(INTO_MEMORY);
        let base = f64::from(at.1) + TOP_TO_BASELINE_EM * look.size * K;
        self.outlines.push(outline(&text, (at.0.into(), base), align, look, K));
    }

    /// A text on a strip of paper, for places where something else may lie beneath.
    pub(super) fn label(&mut self, text: &str, (x, y): (f64, f64), align: Align, look: Type) {
        let width = text_width(text, look);
        let left = match align {
            Align::Left => x,
            Align::Middle => x - width / 2.0,
            Align::Right => x - width,
        };
        let paper = super::style::sheer(PAPER, 0.8, 0.0);
        let (top, bottom) = (y - 0.85 * look.size, y + 0.3 * look.size);
        self.block(left - 2.0, top, left + width + 2.0, bottom, paper);
        self.text(text, (x, y), align, look);
    }

    /// A raster, beneath everything that is drawn.
    pub(super) fn raster(&mut self, raster: Raster, left: f64, top: f64, width: f64, height: f64) {
        self.rasters.push((raster, [left, top, width, height]));
    }
}

/// Writing to a `String` cannot fail, and that is all plotters does here.
const INTO_MEMORY: &str = "drawing into memory cannot fail";

/// Draws a picture of [`WIDTH`] by `height` nominal pixels; `what` describes it to screen readers.
pub(super) fn paint(height: f64, what: &str, draw: impl FnOnce(&mut Canvas<'_>)) -> Picture {
    let height = height.ceil();
    let mut drawn = String::new();
    let mut canvas = Canvas {
        backend: SVGBackend::with_string(&mut drawn, ((WIDTH * K) as u32, (height * K) as u32)),
        rasters: Vec::new(),
        outlines: Vec::new(),
    };
    register();
    draw(&mut canvas);
    canvas.backend.present().expect(INTO_MEMORY);
    let rasters = std::mem::take(&mut canvas.rasters);
    let outlines = std::mem::take(&mut canvas.outlines);
    drop(canvas);
    // What plotters opened: the header is ours, because only the outer size is small.
    let shapes = drawn.split_once('>').map_or("", |(_, shapes)| shapes);
    let header = header(height, what);
    let png = rasterise(&format!("{header}{}", outlined(shapes, &outlines)), height, &rasters);
    Picture { svg: format!("{header}{}{shapes}", backdrop(height, &rasters)), png }
}

/// The shapes with an outline in place of each text, which plotters has written one by one.
fn outlined(shapes: &str, outlines: &[String]) -> String {
    const END: &str = "</text>";
    let mut texts = outlines.iter();
    let mut parts = shapes.split("<text ");
    let mut drawn = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        drawn += texts.next().expect("a text was drawn with its outline");
        drawn += part.split_once(END).map_or("", |(_, rest)| rest);
    }
    drawn
}

/// How wide a text is, in nominal pixels.
pub(super) fn text_width(text: &str, look: Type) -> f64 {
    register();
    let width = font(look).font.box_size(&printable(text)).map_or(0, |(width, _)| width);
    f64::from(width) / K * FONT_HEIGHT_EM / PLOTTERS_FONT_FACTOR
}

fn header(height: f64, what: &str) -> String {
    let (wide, high) = (WIDTH * K, height * K);
    format!(
        "<svg width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {wide} {high}\" \
         xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\">",
        escape(&printable(what))
    )
}

/// White paper and the rasters: what lies beneath all shapes.
fn backdrop(height: f64, rasters: &[(Raster, [f64; 4])]) -> String {
    let mut svg =
        format!("\n<rect width=\"{}\" height=\"{}\" fill=\"#FFFFFF\"/>\n", WIDTH * K, height * K);
    for (raster, place) in rasters {
        let [x, y, width, height] = place.map(|nominal| (nominal * K).round());
        let _ = writeln!(
            svg,
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" href=\"{}\"/>",
            raster.data_uri()
        );
    }
    svg
}

/// The PNG of an SVG without its backdrop.
///
/// Rasters are copied in from their pixels: resvg would need a decoder for each image format.
fn rasterise(svg: &str, height: f64, rasters: &[(Raster, [f64; 4])]) -> Vec<u8> {
    let tree = usvg::Tree::from_str(svg, &usvg::Options::default()).expect("what we wrote is SVG");
    let (wide, high) = (WIDTH as f32 * PNG_SCALE, height as f32 * PNG_SCALE);
    let mut pixels = Pixmap::new(wide as u32, high as u32).expect("a chart has a size");
    pixels.fill(resvg::tiny_skia::Color::WHITE);
    for (raster, place) in rasters {
        let [x, y, width, height] = place.map(|nominal| nominal as f32 * PNG_SCALE);
        let image = raster.pixmap();
        let fit = Transform::from_row(
            width / image.width() as f32,
            0.0,
            0.0,
            height / image.height() as f32,
            x,
            y,
        );
        let paint = PixmapPaint { quality: FilterQuality::Nearest, ..PixmapPaint::default() };
        pixels.draw_pixmap(0, 0, image.as_ref(), &paint, fit, None);
    }
    let scale = Transform::from_scale(PNG_SCALE, PNG_SCALE);
    resvg::render(&tree, scale, &mut pixels.as_mut());
    pixels.encode_png().expect("encoding into memory cannot fail")
}

/// Gives plotters the font, of which it takes the widths of texts.
fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        for (style, bytes) in [(FontStyle::Normal, REGULAR), (FontStyle::Bold, BOLD)] {
            assert!(
                register_font("sans-serif", style, bytes).is_ok(),
                "the compiled-in font can be read"
            );
        }
    });
}

fn font(look: Type) -> TextStyle<'static> {
    let style = if look.bold { FontStyle::Bold } else { FontStyle::Normal };
    let size = look.size * K * PLOTTERS_FONT_FACTOR;
    // Not `FontDesc::style`, which keeps the metrics of the style before.
    FontDesc::new(FontFamily::SansSerif, size, style).into()
}

/// Nominal pixels to plotters' own.
fn large((x, y): (f64, f64)) -> (i32, i32) {
    ((x * K).round() as i32, (y * K).round() as i32)
}

/// `text` on one line and without what XML cannot hold.
fn printable(text: &str) -> String {
    let replace = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => '\u{FFFD}',
        c => c,
    };
    text.chars().map(replace).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::style::INK;
    use super::*;

    #[test]
    fn a_text_is_as_wide_as_its_advances_say() {
        // DejaVu Sans: a digit advances 1303 of 2048 units.
        let width = text_width("0000000000", plain(20.0, INK));
        assert!((width - 10.0 * 20.0 * 1303.0 / 2048.0).abs() < 0.5, "{width}");
        // DejaVu Sans Bold: 1425.
        let width = text_width("0000000000", bold(20.0, INK));
        assert!((width - 10.0 * 20.0 * 1425.0 / 2048.0).abs() < 0.5, "{width}");
    }

    #[test]
    fn markup_and_control_characters_in_a_text_leave_the_svg_well_formed() {
        let text = "<&>\"'\u{0}\u{1b}\u{ffff}\n端口 порт";
        let picture = paint(40.0, text, |canvas| {
            canvas.text(text, (10.0, 20.0), Align::Left, plain(12.0, INK));
        });
        let tree = usvg::Tree::from_str(&picture.svg, &usvg::Options::default());
        assert!(tree.is_ok());
        assert!(picture.svg.contains("&lt;&amp;&gt;&quot;&apos;"));
        assert!(picture.svg.contains("端口 порт"));
    }
}
