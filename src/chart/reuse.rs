//! How soon a port is used again, on a logarithmic axis of time.

use super::Picture;
use super::axis::{Panel, Scale, log_time_ticks, percent_ticks};
use super::canvas::{Align, Canvas, bold, paint, text_width};
use super::frame::Heading;
use super::style::{BLOCKED, ESTABLISHED, INK, PLOT_LEFT, PLOT_RIGHT, Pen, SMALL, line, sheer};
use super::verdict::facts;
use super::wording::{count, seconds, span};
use crate::scenario::Scenario;
use crate::stats::{Outcome, Quantiles};
use crate::units::SimDuration;

/// Height of the panel in nominal pixels, and of what lies beneath it.
const HEIGHT: f64 = 330.0;
const BENEATH: f64 = 52.0;
/// Room for the labels of the marks, above the highest step.
const MARKS: f64 = 62.0;
/// Steps of the distribution.
const STEPS: usize = 100;
/// Marks of TIME-WAIT beyond these would only be in each other's way.
const MOST_HOLDS: usize = 2;

/// Time between two uses of a port.
pub fn reuse(scenario: &Scenario, outcome: &Outcome) -> Picture {
    let intervals = &outcome.whole.reuse_interval;
    let finding = format!("{}: {}", scenario.name, finding(intervals));
    let facts = format!(" · {} reuses{}", count(intervals.histogram.len()), facts(outcome));
    let heading = Heading::new(&finding, &scenario.title, &facts);
    let top = heading.height() + 30.0;
    let holds = holds(scenario);
    let (lo, hi) = ends(intervals, &holds);
    let steps = steps(intervals, lo, hi);
    let highest = steps.iter().copied().fold(0.0, f64::max);
    let panel = Panel {
        left: PLOT_LEFT,
        right: PLOT_RIGHT,
        top,
        bottom: top + HEIGHT,
        x: Scale::Log(lo, hi),
        y: Scale::Linear(
            0.0,
            if highest > 0.0 { highest * HEIGHT / (HEIGHT - MARKS) } else { 1.0 },
        ),
    };
    paint(panel.bottom + BENEATH, &heading.finding(), |canvas| {
        heading.draw(canvas);
        panel.caption(canvas, "share of reuses (each step)");
        panel.y_axis(canvas, &if highest > 0.0 { percent_ticks(highest) } else { Vec::new() });
        draw_steps(canvas, &panel, &steps);
        panel.x_axis(
            canvas,
            &log_time_ticks(lo, hi),
            "time from one use of a port to the next (logarithmic)",
        );
        draw_marks(canvas, &panel, intervals, &holds);
        if intervals.histogram.is_empty() {
            panel.says(canvas, "no port was used twice");
        }
    })
}

fn finding(intervals: &Quantiles) -> String {
    if intervals.histogram.is_empty() {
        return "no port was used twice".to_owned();
    }
    format!(
        "a port is used again after {} (median), 1 % after {} or more",
        seconds(intervals.p50),
        seconds(intervals.p99)
    )
}

/// The lengths of TIME-WAIT of the scenario's hosts, each once, the shortest first.
fn holds(scenario: &Scenario) -> Vec<SimDuration> {
    let mut holds: Vec<SimDuration> = scenario
        .world
        .hosts
        .iter()
        .map(|host| host.time_wait)
        .filter(|hold| !hold.is_zero() && *hold != SimDuration::FOREVER)
        .collect();
    holds.sort_unstable();
    holds.dedup();
    holds.truncate(MOST_HOLDS);
    holds
}

/// Where the time axis begins and ends, in seconds: around all that is shown, with some room.
fn ends(intervals: &Quantiles, holds: &[SimDuration]) -> (f64, f64) {
    let histogram = &intervals.histogram;
    let recorded = [histogram.min_nz(), histogram.max()];
    let recorded = recorded.into_iter().filter(|_| histogram.max() > 0);
    let shown = recorded
        .map(|value| value as f64 * intervals.scale)
        .chain(holds.iter().map(|hold| hold.as_secs_f64()))
        .filter(|secs| secs.is_finite() && *secs > 0.0);
    let (lo, hi) = shown.fold((f64::INFINITY, 0.0), |(lo, hi), secs| (secs.min(lo), secs.max(hi)));
    if lo > hi {
        return (1.0, 100.0);
    }
    // A twentieth of the axis to both sides, and never so narrow that rounding would show.
    let room = (hi / lo).powf(0.06).max(1.05);
    (lo / room, hi * room)
}

/// The share of all reuses in each of [`STEPS`] equal parts of the axis.
fn steps(intervals: &Quantiles, lo: f64, hi: f64) -> Vec<f64> {
    let mut counts = vec![0u64; STEPS];
    let axis = Scale::Log(lo, hi);
    for value in intervals.histogram.iter_recorded() {
        let at = axis.share(value.value_iterated_to() as f64 * intervals.scale);
        counts[((at * STEPS as f64) as usize).min(STEPS - 1)] += value.count_at_value();
    }
    let all = intervals.histogram.len().max(1) as f64;
    counts.into_iter().map(|count| count as f64 / all).collect()
}

fn draw_steps(canvas: &mut Canvas<'_>, panel: &Panel, steps: &[f64]) {
    let width = (panel.right - panel.left) / steps.len() as f64;
    let corners = steps.iter().enumerate().flat_map(|(index, &share)| {
        let (x, y) = (panel.left + index as f64 * width, panel.y_of(share));
        [(x, y), (x + width, y)]
    });
    let edge: Vec<(f64, f64)> = corners.collect();
    if steps.iter().any(|&share| share > 0.0) {
        let mut outline = edge.clone();
        outline.extend([(panel.right, panel.bottom), (panel.left, panel.bottom)]);
        canvas.area(&outline, sheer(ESTABLISHED, 0.35, 0.0));
        canvas.path(&edge, line(ESTABLISHED, 1.4));
    }
}

/// The median, the 99th percentile and TIME-WAIT, each with a stroke and a row of its own.
fn draw_marks(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    intervals: &Quantiles,
    holds: &[SimDuration],
) {
    let (solid, long, short) = ((f64::INFINITY, 0.0), (8.0, 4.0), (2.0, 3.0));
    let mut marks: Vec<(f64, String, (f64, f64), Pen)> = Vec::new();
    if !intervals.histogram.is_empty() {
        let (p50, p99) = (intervals.p50, intervals.p99);
        marks.push((p50, format!("half within {}", seconds(p50)), solid, line(INK, 1.4)));
        marks.push((p99, format!("99 % within {}", seconds(p99)), long, line(INK, 1.4)));
    }
    for hold in holds {
        let text = format!("TIME-WAIT {}", span(*hold));
        marks.push((hold.as_secs_f64(), text, short, line(BLOCKED, 2.0)));
    }
    for (row, (secs, text, dash, pen)) in marks.into_iter().enumerate() {
        let x = panel.x_of(secs);
        let y = panel.top + 10.0 + row as f64 * 15.0;
        stroke(canvas, (x, y - 10.0), (x, panel.bottom), dash, pen);
        let look = bold(SMALL, if pen.width > 1.5 { BLOCKED } else { INK });
        let fits = x + 6.0 + text_width(&text, look) < panel.right;
        let (at, align) = if fits { (x + 6.0, Align::Left) } else { (x - 6.0, Align::Right) };
        canvas.label(&text, (at, y), align, look);
    }
}

fn stroke(canvas: &mut Canvas<'_>, from: (f64, f64), to: (f64, f64), dash: (f64, f64), pen: Pen) {
    if dash.0.is_finite() {
        canvas.dashes(from, to, dash, pen);
    } else {
        canvas.path(&[from, to], pen);
    }
}
