//! What a connect takes on a kernel, by how much of its range is held, over what the model makes of it.

use super::Picture;
use super::axis::trimmed;
use super::axis::{Panel, Scale, percent_ticks};
use super::canvas::{Align, Canvas, bold, paint, plain};
use super::frame::Heading;
use super::style::{BLOCKED, ESTABLISHED, GREY, PAPER, PLOT_LEFT, PLOT_RIGHT, RIM, SMALL, line};
use crate::numbers::{percent, span};
use crate::validate::CostLevel;

/// Height of the panel, and of what lies above (two rows of a key, a caption) and beneath it.
const HEIGHT: f64 = 330.0;
const ABOVE: f64 = 76.0;
const BENEATH: f64 = 52.0;
/// Room left and right of an empty and of a full range, as a share of it: dots lie there.
const MARGIN: f64 = 0.02;
/// So many times as long is worth a title.
const STEP: f64 = 3.0;

/// What was measured, and the model's line through it.
#[derive(Clone, Copy, Debug)]
pub struct Connects<'a> {
    /// Times at rising levels of the range, the first of an empty one.
    pub levels: &'a [CostLevel],
    /// A connection that finds its port at once, in microseconds.
    pub connect_us: f64,
    /// A further port looked at, in nanoseconds.
    pub probe_ns: f64,
    /// Ports that the model looks at, by percent of the range held.
    pub probes: &'a [(f64, f64)],
}

/// The time of one `connect()` by occupancy; `facts` is what it was measured on.
#[must_use]
pub fn cost(facts: &str, connects: &Connects<'_>) -> Picture {
    let heading = Heading::new(&finding(connects.levels), "", facts);
    let top = heading.height() + ABOVE;
    let (least, most) = connects.bounds();
    let panel = Panel {
        left: PLOT_LEFT,
        right: PLOT_RIGHT,
        top,
        bottom: top + HEIGHT,
        x: Scale::Linear(-MARGIN, 1.0 + MARGIN),
        y: Scale::Log(least / 1.6, most * 1.8),
    };
    paint(panel.bottom + BENEATH, &heading.finding(), |canvas| {
        heading.draw(canvas);
        panel.caption(canvas, "time of one connect()");
        panel.y_axis(canvas, &ticks(least / 1.6, most * 1.8));
        panel.x_axis(
            canvas,
            &percent_ticks(1.0),
            "ports held towards one destination, of the range",
        );
        connects.draw(canvas, &panel);
        connects.draw_key(canvas, heading.height() + 18.0);
    })
}

/// Where calls become long, and how long.
fn finding(levels: &[CostLevel]) -> String {
    let short = levels.first().map_or(0.0, |level| level.median_us);
    let Some((from, typical)) = step(levels) else {
        let dearest = found(levels).map(|level| level.median_us).fold(0.0, f64::max);
        return format!(
            "A connect takes about as long on a range nearly full: {}",
            span(dearest * 1e-6)
        );
    };
    let from = match from.fill_percent {
        percent if (49.0..=51.0).contains(&percent) => "half".to_owned(),
        held => percent(held / 100.0),
    };
    format!(
        "From {from} full on, a connect takes {} times as long: {} instead of {}",
        two_digits(typical.median_us / short),
        span(typical.median_us * 1e-6),
        span(short * 1e-6)
    )
}

/// Levels at which there was a port to be found: a full range is another matter.
fn found(levels: &[CostLevel]) -> impl Iterator<Item = &CostLevel> {
    levels.iter().filter(|level| level.fill_percent < 100.0)
}

/// The first level of long calls, and the one of median length from there on; `None` where calls stay as
/// they are on an empty range.
fn step(levels: &[CostLevel]) -> Option<(&CostLevel, &CostLevel)> {
    let short = levels.first()?.median_us;
    let dearest = found(levels).map(|level| level.median_us).fold(0.0, f64::max);
    let times = dearest / short;
    let from = found(levels).find(|level| level.median_us * STEP >= dearest)?;
    let mut long: Vec<&CostLevel> =
        found(levels).filter(|level| level.fill_percent >= from.fill_percent).collect();
    long.sort_by(|a, b| a.median_us.total_cmp(&b.median_us));
    let typical = long[long.len() / 2];
    (times.is_finite() && times >= STEP).then_some((from, typical))
}

/// `47.8` as 48, `123` as 120: how many times is never known better.
fn two_digits(times: f64) -> String {
    let unit = if times < 10.0 { 0.1 } else { 10f64.powf(times.log10().floor() - 1.0) };
    trimmed((times / unit).round() * unit, 1)
}

/// 1, 2 and 5 times each power of ten between two times in microseconds.
fn ticks(least: f64, most: f64) -> Vec<(f64, String)> {
    let powers = (-2..9).map(|power| 10f64.powi(power));
    let round = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|times| times * power));
    let label = |us: f64| match us {
        us if us < 999.5 => format!("{} µs", trimmed(us, 2)),
        us if us < 999_500.0 => format!("{} ms", trimmed(us / 1e3, 2)),
        us => format!("{} s", trimmed(us / 1e6, 2)),
    };
    round.filter(|us| (least..=most).contains(us)).map(|us| (us, label(us))).collect()
}

impl Connects<'_> {
    /// The model's line: percent of the range held, and microseconds.
    fn line(&self) -> impl Iterator<Item = (f64, f64)> {
        self.probes.iter().map(|&(held, probes)| {
            (held, self.connect_us + self.probe_ns / 1e3 * (probes - 1.0).max(0.0))
        })
    }

    /// The least and the greatest time of all that is drawn.
    fn bounds(&self) -> (f64, f64) {
        let measured = self.levels.iter().flat_map(|level| [level.median_us, level.p90_us]);
        let all = measured.chain(self.line().map(|(_, us)| us)).filter(|us| *us > 0.0);
        let (least, most) =
            all.fold((f64::INFINITY, 0.0_f64), |(least, most), us| (least.min(us), most.max(us)));
        if least <= most { (least, most) } else { (1.0, 1.0) }
    }

    fn draw(&self, canvas: &mut Canvas<'_>, panel: &Panel) {
        let points: Vec<(f64, f64)> =
            self.line().map(|(held, us)| panel.at(held / 100.0, us)).collect();
        canvas.path(&points, line(ESTABLISHED, 2.0));
        for level in self.levels {
            draw_level(canvas, panel, level);
        }
        self.draw_labels(canvas, panel);
    }

    /// The times that the title names, and that of a refusal: more would overlap.
    fn draw_labels(&self, canvas: &mut Canvas<'_>, panel: &Panel) {
        let look = bold(SMALL, BLOCKED);
        let place = |level: &CostLevel| panel.at(level.fill_percent / 100.0, level.median_us);
        let typical = step(self.levels).map(|(_, typical)| typical);
        for level in self.levels.first().into_iter().chain(typical) {
            let (x, y) = place(level);
            // Inside the panel, and off the line, which turns at one half and at the right edge.
            let (x, align) = match level.fill_percent {
                held if held <= 75.0 => (x + 10.0, Align::Left),
                _ => (x - 10.0, Align::Right),
            };
            canvas.label(&span(level.median_us * 1e-6), (x, y + 20.0), align, look);
        }
        if let Some(full) = self.levels.iter().find(|level| level.fill_percent >= 100.0) {
            let (x, y) = place(full);
            let text = format!("a refusal: {}", span(full.median_us * 1e-6));
            canvas.label(&text, (x - 14.0, y + 4.0), Align::Right, look);
        }
    }

    /// What dots and line are, in two rows whose first has its base line at `y`.
    fn draw_key(&self, canvas: &mut Canvas<'_>, y: f64) {
        let (x, look) = (RIM + 11.0, plain(SMALL, GREY));
        canvas.path(&[(x, y - 1.0), (x, y - 10.0)], line(BLOCKED, 1.6));
        canvas.path(&[(x - 4.0, y - 10.0), (x + 4.0, y - 10.0)], line(BLOCKED, 1.6));
        canvas.dot((x, y - 2.0), 4.0, line(BLOCKED, 1.0));
        let text = "the kernel: median, and what 90 % of the calls do not exceed";
        canvas.text(text, (x + 18.0, y), Align::Left, look);
        let below = y + 18.0;
        canvas.path(&[(x - 11.0, below - 4.0), (x + 11.0, below - 4.0)], line(ESTABLISHED, 2.0));
        let text = format!(
            "the model: {} a call, and {} for each further port that it looks at",
            span(self.connect_us * 1e-6),
            span(self.probe_ns * 1e-9)
        );
        canvas.text(&text, (x + 18.0, below), Align::Left, look);
    }
}

/// One level: the median as a dot, a whisker up to what nine calls of ten do not exceed.
fn draw_level(canvas: &mut Canvas<'_>, panel: &Panel, level: &CostLevel) {
    let (x, y) = panel.at(level.fill_percent / 100.0, level.median_us);
    let end = panel.y_of(level.p90_us);
    canvas.path(&[(x, y), (x, end)], line(BLOCKED, 1.6));
    canvas.path(&[(x - 4.0, end), (x + 4.0, end)], line(BLOCKED, 1.6));
    canvas.dot((x, y), 5.0, line(PAPER, 1.0));
    canvas.dot((x, y), 4.0, line(BLOCKED, 1.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(fill_percent: f64, median_us: f64) -> CostLevel {
        CostLevel { fill_percent, held: 0, ok: 60, median_us, p90_us: median_us * 1.3 }
    }

    fn drawn(levels: &[CostLevel]) -> Picture {
        let probes = [(0.0, 1.0), (49.9, 9.0), (50.0, 14_116.0), (100.0, 28_232.0)];
        let connects = Connects { levels, connect_us: 15.4, probe_ns: 52.0, probes: &probes };
        cost("Linux 6.18, ports 32768-60999", &connects)
    }

    #[test]
    fn the_title_says_from_where_on_and_how_many_times_as_long_a_connect_takes() {
        let times = [15.4, 15.1, 16.0, 720.0, 735.0, 741.0, 1_480.0];
        let levels = [0.0, 25.0, 49.0, 50.0, 75.0, 99.0, 100.0];
        let levels: Vec<CostLevel> =
            levels.into_iter().zip(times).map(|(x, y)| level(x, y)).collect();
        let told = "From half full on, a connect takes 48 times as long: 735 µs instead of 15.4 µs";
        assert_eq!(finding(&levels), told);
        let early: Vec<CostLevel> =
            levels.iter().map(|one| level(one.fill_percent * 0.8, one.median_us)).collect();
        assert!(finding(&early).starts_with("From 40 % full on, "), "{}", finding(&early));
        let slow = [level(0.0, 15.4), level(50.0, 1_240.0), level(100.0, 2_500.0)];
        assert!(finding(&slow).ends_with(": 1.24 ms instead of 15.4 µs"), "{}", finding(&slow));
    }

    #[test]
    fn without_a_step_the_title_says_so() {
        let told = "A connect takes about as long on a range nearly full: 18.0 µs";
        assert_eq!(finding(&[level(0.0, 15.0), level(99.0, 18.0), level(100.0, 1_500.0)]), told);
    }

    #[test]
    fn every_level_has_its_dot_and_nothing_measured_is_still_a_picture() {
        let levels =
            [level(0.0, 15.0), level(50.0, 720.0), level(75.0, 735.0), level(100.0, 1_480.0)];
        let picture = drawn(&levels);
        // Two circles each, and the one of the key.
        assert_eq!(picture.svg.matches("<circle").count(), 2 * levels.len() + 1);
        assert!(picture.svg.contains("a refusal: 1.48 ms"));
        assert!(picture.svg.contains("15.4 µs a call, and 52.0 ns for each further port"));
        assert!(picture.png.starts_with(b"\x89PNG"));
        for levels in [&[][..], &[level(0.0, 0.0)]] {
            let picture = drawn(levels);
            assert!(!picture.svg.contains("NaN") && !picture.svg.contains("inf"));
        }
    }

    #[test]
    fn ticks_are_round_times() {
        let labels: Vec<String> = ticks(8.0, 2_500.0).into_iter().map(|tick| tick.1).collect();
        let round = ["10 µs", "20 µs", "50 µs", "100 µs", "200 µs", "500 µs", "1 ms", "2 ms"];
        assert_eq!(labels, round);
    }
}
