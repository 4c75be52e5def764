//! How much is blocked at which load, beside what Erlang expects: all scenarios in one picture.

use super::Picture;
use super::axis::{Panel, Scale, number_ticks, percent_ticks};
use super::axis::{short, trimmed};
use super::canvas::{Align, Canvas, Type, bold, paint, plain, text_width};
use super::erlang::{Curve, curves};
use super::frame::{Heading, cut};
use super::style::{ESTABLISHED, GREY, INK, PAPER, PLOT_LEFT, RIM, SMALL, WIDTH, line};
use crate::numbers::{count, percent, percent_beside, percent_with_interval, plural};
use crate::scenario::Scenario;
use crate::stats::{Estimate, LimitFigures, Outcome};

/// Size of the panel in nominal pixels, and of what lies beneath it.
const PANEL_RIGHT: f64 = 590.0;
const LEAST_HEIGHT: f64 = 380.0;
const BENEATH: f64 = 52.0;
/// Left edge of the key.
const KEY_LEFT: f64 = 622.0;
/// Heights of its entries: two lines each as long as there are few.
const TALL_ENTRY: f64 = 34.0;
const SHORT_ENTRY: f64 = 18.0;
const MOST_TALL_ENTRIES: usize = 10;
/// The key names this many points; the rest stay numbered dots.
const MOST_ENTRIES: usize = 80;
/// Loads beyond this many erlangs a port stand at the edge with their figure.
const MOST_LOAD: f64 = 2.5;

/// Blocked share against offered load for scenarios that ran together, beside Erlang B.
///
/// Only limits whose load is known in erlangs are shown: a closed loop has none.
pub fn blocking(runs: &[(&Scenario, &Outcome)]) -> Picture {
    let points = points(runs);
    let heading = Heading::new(&finding(&points), "", &context(&points));
    let chart = Blocking::new(&points, heading.height() + 30.0);
    paint(chart.panel.bottom + BENEATH, &heading.finding(), |canvas| {
        heading.draw(canvas);
        chart.draw(canvas);
    })
}

/// One limit of one scenario.
struct Point {
    name: String,
    /// Its scenario has more than one.
    one_of_several: bool,
    /// Erlangs a port.
    load: f64,
    blocked: Estimate,
    erlang_b: Option<f64>,
    /// Ports of one pool.
    pool: u64,
}

fn points(runs: &[(&Scenario, &Outcome)]) -> Vec<Point> {
    let all = runs.iter().flat_map(|(scenario, outcome)| {
        let known = |limit: &&LimitFigures| {
            limit.of_one_machine() > 0
                && limit.theory.offered_load_erl.is_some_and(|load| load.is_finite() && load >= 0.0)
        };
        let several = outcome.limits.iter().filter(known).count() > 1;
        outcome.limits.iter().filter(known).map(move |limit| Point {
            name: match several {
                true => format!("{}, {}", scenario.name, limit.name),
                false => scenario.name.clone(),
            },
            one_of_several: several,
            load: limit.theory.offered_load_erl.unwrap_or(0.0) / limit.of_one_machine() as f64,
            blocked: limit.figures.blocking_ratio,
            erlang_b: limit.theory.erlang_b,
            pool: limit.figures.num_ephemeral,
        })
    });
    // Those that refuse something are numbered, so they come first.
    let (refusing, others): (Vec<Point>, Vec<Point>) =
        all.partition(|point| point.blocked.mean > 0.0);
    refusing.into_iter().chain(others).collect()
}

fn finding(points: &[Point]) -> String {
    let worst = points.iter().max_by(|a, b| a.blocked.mean.total_cmp(&b.blocked.mean));
    let Some(worst) = worst else {
        return "no scenario has a load in erlangs".to_owned();
    };
    let blocking = points.iter().filter(|point| point.blocked.mean > 0.0).count();
    let share = percent(worst.blocked.mean);
    let kind = if points.iter().any(|point| point.one_of_several) { "hosts" } else { "scenarios" };
    match (points.len(), blocking) {
        (1, 0) => format!("{} refuses nothing at {}", worst.name, load(worst.load)),
        (1, _) => format!("{} refuses {share} at {}", worst.name, load(worst.load)),
        (all, 0) => format!("None of {all} {kind} refuses anything"),
        (all, some) => {
            format!("{some} of {all} {kind} refuse attempts: {} {share}, the most", worst.name)
        }
    }
}

fn load(erlangs_a_port: f64) -> String {
    format!("{} erlangs a port", trimmed(erlangs_a_port, 2))
}

/// How far the measured shares lie from Erlang B.
fn context(points: &[Point]) -> String {
    let gap = |point: &Point| {
        point.erlang_b.map(|expected| (point.blocked.mean - expected, point.name.clone()))
    };
    let widest = points.iter().filter_map(gap).max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
    match widest {
        Some((gap, _)) if gap.abs() < 5e-5 => "bars: 95 % intervals · all on Erlang B".to_owned(),
        Some((gap, name)) => format!(
            "bars: 95 % intervals · furthest from Erlang B: {}, {}{} points",
            cut(&name, plain(super::style::MEDIUM, GREY), 300.0),
            if gap < 0.0 { "−" } else { "+" },
            trimmed(gap.abs() * 100.0, if gap.abs() < 0.01 { 2 } else { 1 })
        ),
        None => "bars: 95 % intervals".to_owned(),
    }
}

struct Blocking<'a> {
    points: &'a [Point],
    curves: Vec<Curve>,
    panel: Panel,
}

impl<'a> Blocking<'a> {
    fn new(points: &'a [Point], top: f64) -> Self {
        let most = |value: fn(&Point) -> f64| points.iter().map(value).fold(0.0, f64::max);
        let highest_load = (most(|point| point.load) * 1.12).clamp(1.25, MOST_LOAD);
        let curves = curves(points.iter().map(|point| point.pool).collect(), highest_load);
        let measured = most(|point| point.blocked.hi.max(point.blocked.mean));
        let expected = curves.iter().filter_map(|curve| curve.points.last());
        let expected = expected.map(|&(_, share)| share).fold(0.0, f64::max);
        let highest = (measured.max(expected) * 1.1).clamp(0.02, 1.04);
        let entries = match points.len() {
            few if few <= MOST_TALL_ENTRIES => few as f64 * TALL_ENTRY,
            many => (many.min(MOST_ENTRIES) + 1) as f64 * SHORT_ENTRY,
        };
        let key = 12.0 + curves.len() as f64 * 17.0 + entries;
        let panel = Panel {
            left: PLOT_LEFT,
            right: PANEL_RIGHT,
            top,
            bottom: top + LEAST_HEIGHT.max(key),
            x: Scale::Linear(0.0, highest_load),
            y: Scale::Linear(0.0, highest),
        };
        Self { points, curves, panel }
    }

    fn draw(&self, canvas: &mut Canvas<'_>) {
        let panel = &self.panel;
        let (Scale::Linear(_, load), Scale::Linear(_, share)) = (panel.x, panel.y) else {
            unreachable!("both axes are even")
        };
        panel.caption(canvas, "attempts refused");
        if self.points.is_empty() {
            panel
                .says(canvas, "closed loops and connections that never close have no offered load");
            return;
        }
        panel.y_axis(canvas, &percent_ticks(share.min(1.0)));
        panel.x_axis(canvas, &number_ticks(load, 6), "offered load (erlangs a port)");
        self.draw_capacity(canvas);
        self.draw_curves(canvas);
        self.draw_points(canvas);
        self.draw_key(canvas);
    }

    /// Where the load is just what the ports can carry.
    fn draw_capacity(&self, canvas: &mut Canvas<'_>) {
        let (x, panel) = (self.panel.x_of(1.0), &self.panel);
        canvas.dashes((x, panel.top), (x, panel.bottom), (2.0, 3.0), line(GREY, 1.0));
        let at = (x - 5.0, panel.top + 10.0);
        canvas.label("load = ports", at, Align::Right, plain(SMALL, GREY));
    }

    fn draw_curves(&self, canvas: &mut Canvas<'_>) {
        let panel = &self.panel;
        for (curve, dash) in self.curves.iter().zip(DASHES) {
            let points: Vec<(f64, f64)> =
                curve.points.iter().map(|&(x, y)| panel.at(x, y)).collect();
            dashed(canvas, &points, dash);
        }
    }

    fn draw_points(&self, canvas: &mut Canvas<'_>) {
        let dots: Vec<(f64, f64)> =
            self.points.iter().map(|p| self.panel.at(p.load, p.blocked.mean)).collect();
        for (point, &(x, _)) in self.points.iter().zip(&dots) {
            let (low, high) =
                (self.panel.y_of(point.blocked.lo), self.panel.y_of(point.blocked.hi));
            if low - high > 1.0 {
                for y in [low, high] {
                    canvas.path(&[(x - 4.0, y), (x + 4.0, y)], line(ESTABLISHED, 1.4));
                }
                canvas.path(&[(x, low), (x, high)], line(ESTABLISHED, 1.4));
            }
        }
        // Those that refuse nothing all lie on the axis: hollow, beneath the others, and without numbers.
        let refuses = |point: &Point| point.blocked.mean > 0.0;
        for (_, &dot) in self.points.iter().zip(&dots).filter(|(point, _)| !refuses(point)) {
            hollow(canvas, dot);
        }
        for (_, &dot) in self.points.iter().zip(&dots).filter(|(point, _)| refuses(point)) {
            canvas.dot(dot, 5.5, line(PAPER, 1.0));
            canvas.dot(dot, 4.3, line(ESTABLISHED, 1.0));
        }
        let numbers = self.numbers(&dots);
        for (_, spot, _) in &numbers {
            // Beneath all numbers: a line may have to pass another number.
            if let Some(dot) = spot.far_from {
                canvas.path(&[dot, spot.centre()], line(GREY, 0.7));
            }
        }
        for (text, spot, look) in numbers {
            let (x, y) = spot.centre();
            canvas.label(&text, (x, y + 0.36 * SMALL), Align::Middle, look);
        }
    }

    /// Each point's number and where it stands: beside its dot where no other dot or number is,
    /// further away when there is no room.
    fn numbers(&self, dots: &[(f64, f64)]) -> Vec<(String, Spot, Type)> {
        let look = bold(SMALL, INK);
        let mut taken: Vec<Spot> = dots.iter().map(|&dot| Spot::around(dot, 5.0, 5.0)).collect();
        let mut numbers = Vec::new();
        let all = self.points.iter().zip(dots).enumerate();
        for (index, (point, &dot)) in all.filter(|(_, (point, _))| point.blocked.mean > 0.0) {
            let text = match point.load > MOST_LOAD {
                true => format!("{} → {}", index + 1, short((point.load * 10.0).round() / 10.0)),
                false => (index + 1).to_string(),
            };
            let half = (text_width(&text, look) / 2.0 + 1.0, SMALL * 0.45);
            let free = |spot: &Spot| {
                spot.inside(&self.panel) && taken.iter().all(|other| !spot.meets(other))
            };
            let spots = || Spot::beside(dot, half);
            let spot = spots().find(free).or_else(|| spots().next()).expect("there are spots");
            taken.push(spot);
            numbers.push((text, spot, look));
        }
        numbers
    }

    fn draw_key(&self, canvas: &mut Canvas<'_>) {
        let mut y = self.panel.top + 4.0;
        for (curve, dash) in self.curves.iter().zip(DASHES) {
            dashed(canvas, &[(KEY_LEFT, y - 4.0), (KEY_LEFT + 26.0, y - 4.0)], dash);
            let ports = match (curve.fewest, curve.most) {
                (fewest, most) if fewest == most => plural(most, "port", "ports"),
                (fewest, most) => format!("{} to {}", count(fewest), plural(most, "port", "ports")),
            };
            let text = format!("Erlang B, {ports}");
            canvas.text(&text, (KEY_LEFT + 34.0, y), Align::Left, plain(SMALL, GREY));
            y += 17.0;
        }
        y += 8.0;
        for (index, point) in self.points.iter().enumerate().take(MOST_ENTRIES) {
            if point.blocked.mean > 0.0 {
                let number = (index + 1).to_string();
                canvas.text(&number, (KEY_LEFT + 14.0, y), Align::Right, bold(SMALL, INK));
            } else {
                hollow(canvas, (KEY_LEFT + 9.0, y - 4.0));
            }
            if self.points.len() > MOST_TALL_ENTRIES {
                short_entry(canvas, point, y);
                y += SHORT_ENTRY;
            } else {
                tall_entry(canvas, point, y);
                y += TALL_ENTRY;
            }
        }
        if self.points.len() > MOST_ENTRIES {
            let text = format!("and {} more", self.points.len() - MOST_ENTRIES);
            canvas.text(&text, (KEY_LEFT + 22.0, y), Align::Left, plain(SMALL, GREY));
        }
    }
}

/// The sign of one that refuses nothing.
fn hollow(canvas: &mut Canvas<'_>, at: (f64, f64)) {
    canvas.dot(at, 4.3, line(ESTABLISHED, 1.0));
    canvas.dot(at, 2.8, line(PAPER, 1.0));
}

/// A point's name, and its figures beneath.
fn tall_entry(canvas: &mut Canvas<'_>, point: &Point, y: f64) {
    let (name, figures) = (plain(SMALL, INK), plain(SMALL - 1.0, GREY));
    let (x, room) = (KEY_LEFT + 22.0, WIDTH - RIM - KEY_LEFT - 22.0);
    canvas.text(&cut(&point.name, name, room), (x, y), Align::Left, name);
    let mut text = measured(point);
    if let Some(expected) = point.erlang_b {
        // To the digits of what is measured: the two are to be compared.
        let Estimate { lo, hi, .. } = point.blocked;
        text += &format!(", Erlang B {}", percent_beside(expected, lo, hi));
    }
    canvas.text(&cut(&text, figures, room), (x, y + 13.5), Align::Left, figures);
}

/// A point's name and what was measured, in one line.
fn short_entry(canvas: &mut Canvas<'_>, point: &Point, y: f64) {
    let (name, figures) = (plain(SMALL - 1.0, INK), plain(SMALL - 1.0, GREY));
    let text = measured(point);
    let (x, right) = (KEY_LEFT + 22.0, WIDTH - RIM);
    let room = right - x - text_width(&text, figures) - 8.0;
    canvas.text(&cut(&point.name, name, room), (x, y), Align::Left, name);
    canvas.text(&text, (right, y), Align::Right, figures);
}

fn measured(point: &Point) -> String {
    let Estimate { mean, lo, hi } = point.blocked;
    percent_with_interval(mean, lo, hi, true)
}

/// How the curves are told apart: the smallest pool's is solid.
const DASHES: [Option<(f64, f64)>; 3] = [None, Some((8.0, 4.0)), Some((2.5, 3.0))];

fn dashed(canvas: &mut Canvas<'_>, points: &[(f64, f64)], dash: Option<(f64, f64)>) {
    match dash {
        None => canvas.path(points, line(GREY, 1.3)),
        Some(dash) => canvas.dashes_along(points, dash, line(GREY, 1.3)),
    }
}

/// How far from its dot a number may stand.
const RINGS: [f64; 5] = [6.0, 14.0, 24.0, 36.0, 50.0];

/// Where beside its dot a number may stand, the best first: to the right and above.
const DIRECTIONS: [(f64, f64); 8] = [
    (0.8, -0.8),
    (1.0, 0.0),
    (-0.8, -0.8),
    (0.0, -1.0),
    (-1.0, 0.0),
    (0.8, 0.8),
    (-0.8, 0.8),
    (0.0, 1.0),
];

/// A rectangle that something covers.
#[derive(Clone, Copy)]
struct Spot {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    /// The dot it belongs to, when it is not right beside it.
    far_from: Option<(f64, f64)>,
}

impl Spot {
    /// Where a number may stand, the best first.
    fn beside(dot: (f64, f64), half: (f64, f64)) -> impl Iterator<Item = Self> {
        let ways = RINGS.iter().flat_map(|&ring| DIRECTIONS.iter().map(move |&way| (ring, way)));
        ways.map(move |(ring, (right, down))| {
            let x = dot.0 + right * (ring + half.0);
            let y = dot.1 + down * (ring + half.1);
            let far_from = (ring > RINGS[0]).then_some(dot);
            Self { far_from, ..Self::around((x, y), half.0, half.1) }
        })
    }

    fn around((x, y): (f64, f64), half_width: f64, half_height: f64) -> Self {
        let (left, right) = (x - half_width, x + half_width);
        Self { left, top: y - half_height, right, bottom: y + half_height, far_from: None }
    }

    fn centre(&self) -> (f64, f64) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }

    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn inside(&self, panel: &Panel) -> bool {
        self.left > panel.left
            && self.right < panel.right + 22.0
            && self.top > panel.top - 4.0
            && self.bottom < panel.bottom - 1.0
    }
}
