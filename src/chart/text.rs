//! How texts look, and their outlines: the SVG keeps its texts, and the PNG is drawn from their glyphs.
//!
//! All glyphs are of the compiled-in fonts and stand one after the other, as wide as their advances say:
//! labels are Latin, Greek and figures. So resvg does without shaping, which would be a third of all that a
//! first build compiles.

use std::fmt::Write as _;
use std::sync::LazyLock;

use plotters::style::RGBColor;
use ttf_parser::{Face, GlyphId, OutlineBuilder};

pub(super) static REGULAR: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans.subset.ttf");
pub(super) static BOLD: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans-Bold.subset.ttf");

/// Where a text lies in relation to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// It begins there.
    Left,
    /// Its middle is there.
    Middle,
    /// It ends there.
    Right,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    /// Font size in nominal pixels.
    pub size: f64,
    /// Bold or not.
    pub bold: bool,
    /// Its colour.
    pub colour: RGBColor,
}

/// A text of that size and colour.
pub(super) fn plain(size: f64, colour: RGBColor) -> Type {
    Type { size, bold: false, colour }
}

/// The same in bold.
pub(super) fn bold(size: f64, colour: RGBColor) -> Type {
    Type { size, bold: true, colour }
}

static FACES: LazyLock<[Face<'static>; 2]> = LazyLock::new(|| {
    [REGULAR, BOLD].map(|bytes| Face::parse(bytes, 0).expect("the compiled-in font can be read"))
});

/// `text` as an SVG path: its base line begins, has its middle or ends at the point, in units of which a
/// nominal pixel has `scale`.
pub(super) fn outline(
    text: &str,
    (x, y): (f64, f64),
    align: Align,
    look: Type,
    scale: f64,
) -> String {
    let face = &FACES[usize::from(look.bold)];
    let em = look.size * scale / f64::from(face.units_per_em());
    // What the font lacks is a box, as everywhere.
    let glyphs = text.chars().map(|c| face.glyph_index(c).unwrap_or(GlyphId(0)));
    let advance = |glyph| f64::from(face.glyph_hor_advance(glyph).unwrap_or(0)) * em;
    let width: f64 = glyphs.clone().map(advance).sum();
    let mut outline = Outline {
        data: String::new(),
        em,
        x: match align {
            Align::Left => x,
            Align::Middle => x - width / 2.0,
            Align::Right => x - width,
        },
        y,
    };
    for glyph in glyphs {
        face.outline_glyph(glyph, &mut outline);
        outline.x += advance(glyph);
    }
    let RGBColor(red, green, blue) = look.colour;
    format!("<path fill=\"#{red:02X}{green:02X}{blue:02X}\" d=\"{}\"/>\n", outline.data)
}

/// Writes one glyph after the other as path data.
struct Outline {
    data: String,
    /// Size of a unit of the font.
    em: f64,
    x: f64,
    y: f64,
}

impl Outline {
    fn add<const N: usize>(&mut self, command: char, points: [(f32, f32); N]) {
        self.data.push(command);
        for (x, y) in points {
            let (x, y) = (self.x + f64::from(x) * self.em, self.y - f64::from(y) * self.em);
            // Writing to a `String` cannot fail.
            let _ = write!(self.data, "{x:.2} {y:.2} ");
        }
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.add('M', [(x, y)]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.add('L', [(x, y)]);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.add('Q', [(x1, y1), (x, y)]);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.add('C', [(x1, y1), (x2, y2), (x, y)]);
    }

    fn close(&mut self) {
        self.data.push('Z');
    }
}

#[cfg(test)]
mod tests {
    use super::super::canvas::text_width;
    use super::super::style::INK;
    use super::*;

    /// Where path data begins and ends on the x axis.
    fn extent(path: &str) -> (f64, f64) {
        let data = path.split("d=\"").nth(1).unwrap().trim_end_matches("\"/>\n");
        let numbers: Vec<f64> = data
            .split(|c: char| c.is_ascii_alphabetic() || c == ' ')
            .filter_map(|number| number.parse().ok())
            .collect();
        let xs = numbers.iter().step_by(2);
        xs.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &x| (lo.min(x), hi.max(x)))
    }

    #[test]
    fn an_outline_lies_where_its_text_does_and_is_as_wide() {
        let (look, text) = (plain(20.0, INK), "H 16,384 ports H");
        let width = text_width(text, look);
        for (align, left) in [
            (Align::Left, 100.0),
            (Align::Middle, 100.0 - width / 2.0),
            (Align::Right, 100.0 - width),
        ] {
            let (from, to) = extent(&outline(text, (100.0, 50.0), align, look, 1.0));
            // The bearings of an H are a tenth of an em.
            assert!((from - left - 2.0).abs() < 1.0, "{align:?}: {from}");
            assert!((to - left - width + 2.0).abs() < 1.0, "{align:?}: {to}");
        }
    }

    #[test]
    fn what_the_font_lacks_is_a_box() {
        let boxed = outline("端", (0.0, 0.0), Align::Left, plain(20.0, INK), 1.0);
        assert!(boxed.contains('M'), "{boxed}");
    }
}
