//! What stands above every chart: the finding, what it was found on, and the legend.

use plotters::style::RGBColor;

use super::canvas::{Align, Canvas, Type, bold, plain, text_width};
use super::style::{GREY, INK, MEDIUM, Pen, RIM, SMALL, WIDTH, line};

/// The finding in one line (or two), and beneath it what it was found on.
#[derive(Debug)]
pub(super) struct Heading {
    finding: Vec<String>,
    look: Type,
    context: String,
}

impl Heading {
    /// A heading that fits: a long finding gets smaller, then a second line, then an ellipsis.
    ///
    /// `subject` is whatever a person wrote, `facts` is what must not be cut off after it.
    pub(super) fn new(finding: &str, subject: &str, facts: &str) -> Self {
        // A sentence elsewhere, a title here.
        let finding = finding.trim_end_matches('.');
        let room = WIDTH - 2.0 * RIM;
        let sizes = [(18.0, 1), (16.0, 1), (17.0, 2), (15.0, 2), (13.0, 2)];
        let fitted = sizes.into_iter().find_map(|(size, most)| {
            let look = bold(size, INK);
            let lines = wrap(finding, look, room);
            (lines.len() <= most).then_some((lines, look))
        });
        let (finding, look) = fitted.unwrap_or_else(|| {
            let look = bold(13.0, INK);
            let mut lines = wrap(finding, look, room);
            lines.truncate(2);
            lines[1] = cut(&format!("{}…………", lines[1]), look, room);
            (lines, look)
        });
        let context = plain(MEDIUM, GREY);
        let rest = room - text_width(facts, context);
        let context = if subject.is_empty() {
            facts.to_owned()
        } else {
            format!("{}{facts}", cut(subject, context, rest))
        };
        Self { finding, look, context }
    }

    /// Height in nominal pixels, the rim above included.
    pub(super) fn height(&self) -> f64 {
        RIM + self.finding.len() as f64 * (self.look.size + 5.0) + 20.0
    }

    /// The finding as one text.
    pub(super) fn finding(&self) -> String {
        self.finding.join(" ")
    }

    /// Draws it at the top of the sheet.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>) {
        let mut y = RIM - 5.0;
        for text in &self.finding {
            y += self.look.size + 5.0;
            canvas.text(text, (RIM, y), Align::Left, self.look);
        }
        canvas.text(&self.context, (RIM, y + 20.0), Align::Left, plain(MEDIUM, GREY));
    }
}

/// `text` in lines of at most `room` nominal pixels; words longer than a line are broken.
///
/// Stops after the third line: no caller shows more than two.
fn wrap(text: &str, look: Type, room: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let current = lines.last_mut().expect("there is always a line");
        let longer = if current.is_empty() { word.to_owned() } else { format!("{current} {word}") };
        if text_width(&longer, look) <= room {
            *current = longer;
            continue;
        }
        if !current.is_empty() {
            lines.push(String::new());
        }
        let mut rest = word;
        while text_width(rest, look) > room && lines.len() < 3 {
            let head = fitting(rest, look, room);
            *lines.last_mut().expect("there is always a line") = head.to_owned();
            lines.push(String::new());
            rest = &rest[head.len()..];
        }
        *lines.last_mut().expect("there is always a line") = rest.to_owned();
        if lines.len() > 2 {
            break;
        }
    }
    lines
}

/// `text`, or as much of it as fits into `room` with an ellipsis.
pub(super) fn cut(text: &str, look: Type, room: f64) -> String {
    if text_width(text, look) <= room {
        return text.to_owned();
    }
    let head = fitting(text, look, room - text_width("…", look));
    format!("{}…", head.trim_end_matches(['…', ' ']))
}

/// The longest beginning of `text` that is at most `room` wide, at least one character.
fn fitting(text: &str, look: Type, room: f64) -> &str {
    let mut end = 0;
    for (start, character) in text.char_indices() {
        let next = start + character.len_utf8();
        if end > 0 && text_width(&text[..next], look) > room {
            break;
        }
        end = next;
    }
    &text[..end]
}

/// One entry of a legend.
#[derive(Debug)]
pub(super) struct LegendKey {
    /// What it stands for.
    pub text: String,
    /// How it is drawn.
    pub sign: Sign,
}

/// How something that a legend explains is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sign {
    /// An area of that colour.
    Area(RGBColor),
    /// A sheer area between two thin lines.
    Band(Pen, Pen),
    /// A line.
    Line(Pen),
    /// A line of dashes, each so long with such gaps.
    Dashes(Pen, (f64, f64)),
    /// A quarter to all of the second colour in the first, as the port map mixes them.
    Blend(RGBColor, RGBColor),
}

/// Draws a legend in one row that ends at the right of the sheet, its base line at `y`.
pub(super) fn legend(canvas: &mut Canvas<'_>, keys: &[LegendKey], y: f64) {
    let look = plain(SMALL, GREY);
    let widths = keys.iter().map(|key| key.sign.width() + 6.0 + text_width(&key.text, look) + 18.0);
    let mut x = WIDTH - RIM - widths.sum::<f64>() + 18.0;
    for key in keys {
        key.sign.draw(canvas, x, y);
        x += key.sign.width() + 6.0;
        canvas.text(&key.text, (x, y), Align::Left, look);
        x += text_width(&key.text, look) + 18.0;
    }
}

impl Sign {
    fn width(self) -> f64 {
        match self {
            Self::Area(_) => 12.0,
            Self::Band(..) | Self::Line(_) => 20.0,
            // Two dashes must be seen.
            Self::Dashes(..) => 32.0,
            Self::Blend(..) => 44.0,
        }
    }

    fn draw(self, canvas: &mut Canvas<'_>, x: f64, y: f64) {
        let (top, bottom, right) = (y - 9.5, y + 1.5, x + self.width());
        match self {
            Self::Area(colour) => {
                canvas.block(x, top, right, bottom, line(GREY, 1.0));
                canvas.block(x + 0.75, top + 0.75, right - 0.75, bottom - 0.75, line(colour, 1.0));
            }
            Self::Band(area, edge) => {
                canvas.block(x, top, right, bottom, area);
                canvas.path(&[(x, top), (right, top)], edge);
                canvas.path(&[(x, bottom), (right, bottom)], edge);
            }
            Self::Line(pen) => canvas.path(&[(x, y - 4.0), (right, y - 4.0)], pen),
            Self::Dashes(pen, dash) => {
                canvas.dashes((x, y - 4.0), (right, y - 4.0), dash, pen);
            }
            Self::Blend(from, to) => {
                canvas.block(x, top, right, bottom, line(GREY, 1.0));
                for step in 0..4 {
                    let left = x + 0.75 + f64::from(step) * 10.625;
                    let colour = super::style::mix(
                        from,
                        to,
                        super::style::strength(f64::from(step + 1) / 4.0),
                    );
                    canvas.block(left, top + 0.75, left + 10.625, bottom - 0.75, line(colour, 1.0));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_of_any_length_fits_into_two_lines() {
        for finding in ["", "short", &"word ".repeat(500), &"x".repeat(5_000), &"端口".repeat(900)]
        {
            let heading = Heading::new(finding, &"long ".repeat(200), " · 20 replications");
            assert!(heading.finding.len() <= 2);
            for text in &heading.finding {
                assert!(text_width(text, heading.look) <= WIDTH - 2.0 * RIM);
            }
            assert!(text_width(&heading.context, plain(MEDIUM, GREY)) <= WIDTH - 2.0 * RIM);
            assert!(heading.context.ends_with("… · 20 replications"));
        }
    }
}
