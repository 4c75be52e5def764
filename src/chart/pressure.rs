//! Will it run dry, and when? Ports by state over time under their ceiling, what is blocked below.

use plotters::style::RGBColor;

use super::Picture;
use super::axis::{Panel, Scale, count_ticks, number_ticks, time_ticks};
use super::bins::{Bin, bins, coarser, curve};
use super::canvas::{Align, Canvas, bold, paint, plain, text_width};
use super::changes;
use super::frame::{Heading, LegendKey, Sign, legend};
use super::style::{
    BLOCKED, CLOSING, CONNECTING, ESTABLISHED, GREY, INK, PAPER, PLOT_LEFT, PLOT_RIGHT, Pen, SMALL,
    TIME_WAIT, line, sheer,
};
use super::verdict::{ceiling, facts, of_host, of_replications, pressure_finding, whose};
use crate::numbers::{count, span};
use crate::scenario::Scenario;
use crate::stats::{LimitFigures, Moments, Outcome, StretchFigures};
use crate::units::SimDuration;

/// Heights of both panels and of what lies between and beneath them.
const PORTS_HEIGHT: f64 = 280.0;
const BETWEEN: f64 = 44.0;
const BLOCKED_HEIGHT: f64 = 92.0;
const BENEATH: f64 = 52.0;

/// Below this share of the ceiling, what is in use would be a thin line: the axis ends lower then
/// and the ceiling is named, not drawn.
const CEILING_OUT_OF_SIGHT: f64 = 0.2;

/// A peak so many times what is drawn was smoothed away by the means and is drawn by itself.
const HIDDEN: f64 = 1.02;

/// Areas that are never as high, in nominal pixels, cannot be seen.
const THIN: f64 = 0.8;

/// One state of ports: its name, its colour, how many.
pub(super) type State = (&'static str, RGBColor, fn(&Bin) -> f64);

/// From the bottom of the stack to its top.
pub(super) const STATES: [State; 4] = [
    ("established", ESTABLISHED, |bin| bin.established),
    ("connecting", CONNECTING, |bin| bin.connecting),
    ("half-closed", CLOSING, |bin| bin.closing),
    ("TIME-WAIT", TIME_WAIT, |bin| bin.time_wait),
];

/// Ports by state over time, the ceiling, the first refusal; blocked per second beneath.
///
/// Of one limit: ports of several hosts add up to a level that none of them has.
pub fn pressure(scenario: &Scenario, outcome: &Outcome, limit: &LimitFigures) -> Picture {
    let finding = of_host(outcome, limit, &pressure_finding(outcome, limit));
    let bins = bins(&limit.timeline, outcome.duration);
    let facts = whose(outcome, limit) + &facts(outcome) + &points(&bins, limit);
    let heading = Heading::new(&finding, &scenario.title, &facts);
    let chart = Pressure::new(outcome, limit, bins, heading.height() + 34.0);
    let beneath = chart.blocked.bottom + BENEATH;
    paint(beneath + changes::height(&limit.stretches), &heading.finding(), |canvas| {
        heading.draw(canvas);
        chart.draw(canvas);
        changes::key(canvas, beneath, &limit.stretches);
    })
}

/// Everything the chart is made of, laid out.
struct Pressure<'a> {
    outcome: &'a Outcome,
    limit: &'a LimitFigures,
    bins: Vec<Bin>,
    /// The same with enough attempts in each for rates.
    rates: Vec<Bin>,
    ports: Panel,
    blocked: Panel,
    /// Length of the time axis in seconds.
    length: f64,
    ceiling_in_sight: bool,
    /// Most ports in use at one moment, where that is clearly more than any bin's mean.
    hidden_peak: Option<f64>,
}

/// What a point of the chart is: ` · sums of 16 machines · means over 2 s`.
fn points(bins: &[Bin], limit: &LimitFigures) -> String {
    let Some(bin) = bins.first() else { return String::new() };
    let machines = match limit.machines {
        0 | 1 => String::new(),
        machines => format!(" · sums of {} machines", count(u64::from(machines))),
    };
    let length = SimDuration::from_secs_f64(bin.end - bin.start);
    format!("{machines} · means over {length}")
}

impl<'a> Pressure<'a> {
    fn new(outcome: &'a Outcome, limit: &'a LimitFigures, bins: Vec<Bin>, top: f64) -> Self {
        let length = outcome.duration.as_secs_f64().max(1e-9);
        let most = |value: fn(&Bin) -> f64| bins.iter().map(value).fold(0.0, f64::max);
        let drawn = most(|bin| bin.total().max(bin.in_use.1));
        let peak = limit.figures.peak_in_use as f64;
        // What is told of one machine cannot be drawn among the ports of many.
        let hidden_peak = (limit.machines == 1 && peak > drawn * HIDDEN).then_some(peak);
        let used = drawn.max(hidden_peak.unwrap_or(0.0));
        let capacity = limit.timeline.capacity as f64;
        let ceiling_in_sight = capacity > 0.0 && used >= CEILING_OUT_OF_SIGHT * capacity;
        // Room above the ceiling for its label and the date of the first refusal.
        let highest = if ceiling_in_sight { used.max(capacity) * 1.16 } else { used * 1.3 };
        let side = |top: f64, height: f64, most: f64| Panel {
            left: PLOT_LEFT,
            right: PLOT_RIGHT,
            top,
            bottom: top + height,
            x: Scale::Linear(0.0, length),
            y: Scale::Linear(0.0, if most > 0.0 { most } else { 1.0 }),
        };
        let ports = side(top, PORTS_HEIGHT, highest);
        let rates = coarser(bins.clone());
        let rate = rates.iter().map(|bin| bin.blocked.max.max(bin.attempts)).fold(0.0, f64::max);
        let blocked = side(ports.bottom + BETWEEN, BLOCKED_HEIGHT, rate * 1.08);
        Self { outcome, limit, bins, rates, ports, blocked, length, ceiling_in_sight, hidden_peak }
    }

    fn draw(&self, canvas: &mut Canvas<'_>) {
        let (unit, times) = time_ticks(self.length);
        self.draw_ports(canvas);
        self.ports.base_line(canvas, &times);
        self.draw_blocked(canvas);
        self.blocked.x_axis(canvas, &times, &format!("time since the start ({unit})"));
        self.draw_warm_up(canvas);
        changes::lines(canvas, &[&self.ports, &self.blocked], &self.limit.stretches);
        changes::recoveries(canvas, &self.blocked, &self.limit.stretches);
        if let Some(first) = &self.limit.figures.first_blocked {
            self.draw_first_refusal(canvas, first);
        }
    }

    fn draw_ports(&self, canvas: &mut Canvas<'_>) {
        let panel = &self.ports;
        panel.caption(canvas, "ports in use");
        let Scale::Linear(_, highest) = panel.y else { unreachable!("ports lie evenly") };
        if self.bins.is_empty() {
            panel.says(canvas, "no timeline was recorded");
            return;
        }
        panel.y_axis(canvas, &count_ticks(highest));
        let shown = STATES.map(|(_, _, value)| self.bins.iter().any(|bin| value(bin) > 0.0));
        self.draw_stack(canvas, shown);
        // A key to what is too thin to be seen would only puzzle.
        let seen = |value: fn(&Bin) -> f64| {
            let most = self.bins.iter().map(value).fold(0.0, f64::max);
            most / highest * (panel.bottom - panel.top) >= THIN
        };
        let mut keys = self.legend_of_states(STATES.map(|(_, _, value)| seen(value)));
        if self.outcome.replications > 1 && self.limit.timeline.capacity > 0 {
            keys.push(self.draw_range(canvas));
        }
        legend(canvas, &keys, panel.top - 8.0);
        self.draw_hidden_peak(canvas);
        self.draw_ceiling(canvas);
    }

    fn draw_stack(&self, canvas: &mut Canvas<'_>, shown: [bool; 4]) {
        let mut below = curve(&self.bins, |_| 0.0);
        for ((_, colour, value), _) in STATES.iter().zip(shown).filter(|(_, shown)| *shown) {
            let heights = curve(&self.bins, value);
            let above: Vec<(f64, f64)> = below
                .iter()
                .zip(&heights)
                .map(|(&(time, floor), &(_, height))| (time, floor + height))
                .collect();
            area_between(canvas, &self.ports, &below, &above, line(*colour, 0.0));
            // A gap of paper keeps neighbours apart whatever their colours look like in print.
            outline(canvas, &self.ports, &above, line(PAPER, 0.9));
            below = above;
        }
        outline(canvas, &self.ports, &below, line(INK, 1.0));
    }

    fn legend_of_states(&self, shown: [bool; 4]) -> Vec<LegendKey> {
        let entries = STATES.iter().zip(shown).filter(|(_, shown)| *shown);
        entries
            .map(|((name, colour, _), _)| LegendKey {
                text: (*name).to_owned(),
                sign: Sign::Area(*colour),
            })
            .collect()
    }

    /// The range over replications of the ports in use, around the edge of the stack.
    fn draw_range(&self, canvas: &mut Canvas<'_>) -> LegendKey {
        let low = curve(&self.bins, |bin| bin.in_use.0);
        let high = curve(&self.bins, |bin| bin.in_use.1);
        let (area, edge) = (sheer(INK, 0.22, 0.0), sheer(INK, 0.55, 0.5));
        // Below the mean the states keep their hues, paler: darker they would pass for others.
        let mean = curve(&self.bins, Bin::total);
        area_between(canvas, &self.ports, &mean, &high, area);
        area_between(canvas, &self.ports, &low, &mean, sheer(PAPER, 0.45, 0.0));
        outline(canvas, &self.ports, &low, edge);
        outline(canvas, &self.ports, &high, edge);
        let text = format!("least to most of {} replications", self.outcome.replications);
        LegendKey { text, sign: Sign::Band(area, edge) }
    }

    fn draw_ceiling(&self, canvas: &mut Canvas<'_>) {
        let (panel, capacity) = (&self.ports, self.limit.timeline.capacity);
        let look = bold(SMALL, INK);
        if capacity == 0 {
            panel.says(canvas, "capacity 0: there is no port to be had");
        } else if self.ceiling_in_sight {
            let y = panel.y_of(capacity as f64);
            for (from, to, height) in self.ceilings() {
                let (left, right) = (panel.x_of(from), panel.x_of(to));
                let y = panel.y_of(height);
                canvas.dashes((left, y), (right, y), (9.0, 5.0), line(INK, 1.4));
            }
            let (x, align) = self.side_without_first_refusal();
            let reached = self.hidden_peak.is_some_and(|peak| peak >= capacity as f64);
            let text = ceiling(self.limit) + self.word_on_the_gap(reached);
            canvas.label(&text, (x, y - 7.0), align, look);
        } else {
            let text = format!("↑ {}, far above", ceiling(self.limit));
            canvas.label(&text, (panel.right, panel.top + 12.0), Align::Right, look);
        }
    }

    /// From when to when the ceiling is how high.
    fn ceilings(&self) -> Vec<(f64, f64, f64)> {
        let of = |stretch: &StretchFigures| {
            (stretch.from.as_secs_f64(), stretch.to.as_secs_f64(), stretch.capacity as f64)
        };
        match &self.limit.stretches[..] {
            [] => vec![(0.0, self.length, self.limit.timeline.capacity as f64)],
            all => all.iter().map(of).collect(),
        }
    }

    /// Why something is refused where what is in use is drawn below the ceiling.
    fn word_on_the_gap(&self, reached_between: bool) -> &'static str {
        let full = 0.97 * self.limit.timeline.capacity as f64;
        let is_below = |bin: &Bin| bin.blocked.mean > 0.0 && bin.in_use.1 < full;
        let whole = self.limit.figures.peak_in_use >= self.limit.of_one_machine();
        if reached_between {
            ", reached between the points"
        } else if !self.bins.iter().any(is_below) {
            ""
        } else if self.limit.machines == 1 && whole {
            ", reached between the points"
        } else if self.limit.machines > 1 {
            ": single machines are full"
        } else {
            ": single pools are full"
        }
    }

    /// The peak that no bin's mean shows, unless it is the ceiling.
    fn draw_hidden_peak(&self, canvas: &mut Canvas<'_>) {
        let capacity = self.limit.timeline.capacity as f64;
        let Some(peak) = self.hidden_peak.filter(|&peak| peak < capacity) else { return };
        let (panel, y) = (&self.ports, self.ports.y_of(peak));
        canvas.dashes((panel.left, y), (panel.right, y), (2.0, 3.0), line(INK, 1.0));
        let (x, align) = self.side_without_first_refusal();
        let text = format!("most at one moment: {}", count(self.limit.figures.peak_in_use));
        canvas.label(&text, (x, y - 5.0), align, plain(SMALL, INK));
    }

    /// Where the ceiling's label does not meet the date of the first refusal.
    fn side_without_first_refusal(&self) -> (f64, Align) {
        let (left, right) = (self.ports.left + 4.0, self.ports.right);
        let first = self.limit.figures.first_blocked.map(|first| self.ports.x_of(first.median));
        match first {
            Some(x) if x > (left + right) / 2.0 => (left, Align::Left),
            _ => (right, Align::Right),
        }
    }

    fn draw_first_refusal(&self, canvas: &mut Canvas<'_>, first: &Moments) {
        let pen = line(BLOCKED, 1.6);
        let top = self.ports.top;
        let x = self.ports.x_of(first.median);
        let (early, late) = (self.ports.x_of(first.earliest), self.ports.x_of(first.latest));
        if late - early > 3.0 {
            canvas.block(early, top, late, self.ports.bottom, sheer(BLOCKED, 0.13, 0.0));
        }
        for panel in [&self.ports, &self.blocked] {
            canvas.path(&[(x, panel.top), (x, panel.bottom)], pen);
        }
        let text = self.date_of(first);
        let look = bold(SMALL, BLOCKED);
        let fits_right = x + 6.0 + text_width(&text, look) < self.ports.right;
        let (at, align) = if fits_right { (x + 6.0, Align::Left) } else { (x - 6.0, Align::Right) };
        canvas.label(&text, (at, top + 10.0), align, look);
    }

    fn date_of(&self, first: &Moments) -> String {
        let mut text = format!("first refusal {}", span(first.median));
        let (earliest, latest) = (span(first.earliest), span(first.latest));
        if earliest != latest {
            text += &format!(" ({earliest} to {latest})");
        }
        if first.share_of_replications < 1.0 {
            let some = of_replications(self.outcome, first.share_of_replications);
            text += &format!(", in {some} replications");
        }
        text
    }

    /// Where the steady-state figures begin.
    fn draw_warm_up(&self, canvas: &mut Canvas<'_>) {
        if self.outcome.warm_up.is_zero() {
            return;
        }
        let x = self.ports.x_of(self.outcome.warm_up.as_secs_f64());
        for panel in [&self.ports, &self.blocked] {
            canvas.dashes((x, panel.top), (x, panel.bottom), (2.0, 3.0), line(GREY, 1.0));
        }
        let (at, align) = if x < (self.ports.left + self.ports.right) / 2.0 {
            (x + 5.0, Align::Left)
        } else {
            (x - 5.0, Align::Right)
        };
        let look = plain(SMALL, GREY);
        canvas.label("shares count from here", (at, self.ports.bottom - 7.0), align, look);
    }

    fn draw_blocked(&self, canvas: &mut Canvas<'_>) {
        let panel = &self.blocked;
        panel.caption(canvas, "refused attempts a second");
        if self.rates.is_empty() {
            return;
        }
        let anything = self.rates.iter().any(|bin| bin.blocked.max > 0.0);
        let Scale::Linear(_, highest) = panel.y else { unreachable!("rates lie evenly") };
        panel.y_axis(canvas, &number_ticks(highest, 3));
        let attempts = curve(&self.rates, |bin| bin.attempts);
        outline(canvas, panel, &attempts, line(GREY, 1.0));
        let mut keys = Vec::new();
        if anything {
            let mean = curve(&self.rates, |bin| bin.blocked.mean);
            let floor = curve(&self.rates, |_| 0.0);
            area_between(canvas, panel, &floor, &mean, sheer(BLOCKED, 0.45, 0.0));
            if self.outcome.replications > 1 {
                let low = curve(&self.rates, |bin| bin.blocked.min);
                let high = curve(&self.rates, |bin| bin.blocked.max);
                area_between(canvas, panel, &low, &high, sheer(INK, 0.22, 0.0));
            }
            outline(canvas, panel, &mean, line(BLOCKED, 1.4));
            let sign = Sign::Band(sheer(BLOCKED, 0.45, 0.0), line(BLOCKED, 1.4));
            keys.push(LegendKey { text: "refused".to_owned(), sign });
        }
        keys.push(LegendKey { text: "all attempts".to_owned(), sign: Sign::Line(line(GREY, 1.2)) });
        legend(canvas, &keys, panel.top - 8.0);
        if !anything {
            panel.says(canvas, "nothing is refused in any replication");
        }
    }
}

/// A line through values of a panel.
pub(super) fn outline(canvas: &mut Canvas<'_>, panel: &Panel, values: &[(f64, f64)], pen: Pen) {
    let points: Vec<(f64, f64)> = values.iter().map(|&(x, y)| panel.at(x, y)).collect();
    canvas.path(&points, pen);
}

/// The area between two lines that have the same times.
pub(super) fn area_between(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    low: &[(f64, f64)],
    high: &[(f64, f64)],
    pen: Pen,
) {
    let there = high.iter();
    let points: Vec<(f64, f64)> =
        there.chain(low.iter().rev()).map(|&(x, y)| panel.at(x, y)).collect();
    canvas.area(&points, pen);
}
