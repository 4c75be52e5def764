//! How soon a port is used again, on a logarithmic axis of time.

use plotters::style::RGBColor;

use super::Picture;
use super::axis::{Panel, Scale, log_time_ticks, percent_ticks};
use super::canvas::{Align, Canvas, bold, paint, text_width};
use super::frame::Heading;
use super::style::{BLOCKED, ESTABLISHED, INK, PLOT_LEFT, PLOT_RIGHT, Pen, SMALL, line, sheer};
use super::verdict::{facts, of_host, whose};
use crate::numbers::{count, span};
use crate::scenario::Scenario;
use crate::stats::{LimitFigures, Outcome, Quantiles};
use crate::units::SimDuration;

/// Height of the panel in nominal pixels, and of what lies beneath it.
const HEIGHT: f64 = 330.0;
const BENEATH: f64 = 52.0;
/// Room for the labels of the marks, above the highest step.
const MARKS: f64 = 72.0;
/// The axis leaves out this share at both ends: one late port would squeeze all others together.
const OUTLIERS: f64 = 0.001;
/// Steps of the distribution.
/// From so many times its start on an axis is logarithmic.
const WIDE: f64 = 6.0;
const STEPS: usize = 100;

/// Time between two uses of a port of one limit.
pub fn reuse(scenario: &Scenario, outcome: &Outcome, limit: &LimitFigures) -> Picture {
    let intervals = &limit.figures.reuse_interval;
    // Without a single reuse there is nothing to hold TIME-WAIT against.
    let holds = if intervals.histogram.is_empty() { Vec::new() } else { holds(scenario, limit) };
    let (lo, hi) = ends(intervals, &holds);
    let finding = of_host(outcome, limit, &finding(intervals));
    let facts = format!(
        "{} · {} reuses{}{}",
        whose(outcome, limit),
        count(intervals.histogram.len()),
        beyond(intervals, lo, hi),
        facts(outcome)
    );
    let heading = Heading::new(&finding, &scenario.title, &facts);
    let top = heading.height() + 30.0;
    // Over a few seconds of a minute a logarithmic axis would only puzzle.
    let (x, name) = match hi / lo < WIDE {
        true => (Scale::Linear(lo, hi), "time from one use of a port to the next"),
        false => (Scale::Log(lo, hi), "time from one use of a port to the next (logarithmic)"),
    };
    let steps = steps(intervals, x, lo, hi);
    let highest = steps.iter().copied().fold(0.0, f64::max);
    let panel = Panel {
        left: PLOT_LEFT,
        right: PLOT_RIGHT,
        top,
        bottom: top + HEIGHT,
        x,
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
        panel.x_axis(canvas, &log_time_ticks(lo, hi), name);
        draw_marks(canvas, &panel, marks(intervals, &holds));
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
        span(intervals.p50),
        span(intervals.p99)
    )
}

/// The length of TIME-WAIT on the limit's host, where there is one that ends, and the step of the timers
/// that end it.
fn holds(scenario: &Scenario, limit: &LimitFigures) -> Vec<[SimDuration; 2]> {
    let host = scenario.world.hosts.iter().find(|host| host.name == limit.name);
    let hold = host.map(|host| [host.time_wait, host.timer_grid.step(host.time_wait)]);
    hold.filter(|[hold, _]| !hold.is_zero() && *hold != SimDuration::FOREVER).into_iter().collect()
}

/// Where the time axis begins and ends, in seconds: around all that is shown, with some room.
fn ends(intervals: &Quantiles, holds: &[[SimDuration; 2]]) -> (f64, f64) {
    let recorded = [OUTLIERS, 1.0 - OUTLIERS].map(|quantile| at_quantile(intervals, quantile));
    let shown = recorded
        .into_iter()
        .chain(holds.iter().map(|[hold, _]| hold.as_secs_f64()))
        .filter(|secs| secs.is_finite() && *secs > 0.0);
    let (lo, hi) = shown.fold((f64::INFINITY, 0.0), |(lo, hi), secs| (secs.min(lo), secs.max(hi)));
    if lo > hi {
        return (1.0, 100.0);
    }
    // A tenth of the axis to both sides, and never so narrow that the histogram's rounding shows.
    let room = (hi / lo).powf(0.12).max(1.015);
    (lo / room, hi * room)
}

fn at_quantile(intervals: &Quantiles, quantile: f64) -> f64 {
    intervals.histogram.value_at_quantile(quantile) as f64 * intervals.scale
}

/// What lies beyond the axis, in words.
fn beyond(intervals: &Quantiles, lo: f64, hi: f64) -> String {
    let (least, most) = (at_quantile(intervals, 0.0), at_quantile(intervals, 1.0));
    let mut text = String::new();
    if intervals.histogram.is_empty() {
        return text;
    }
    if least < lo {
        text += &format!(", earliest {}", span(least));
    }
    if most > hi {
        text += &format!(", latest {}", span(most));
    }
    text
}

/// The share of all reuses in each of [`STEPS`] equal parts of the axis.
///
/// A bucket of the histogram counts in each step by how much of it lies there: counted whole, two
/// buckets in one step and three in the next would look like waves.
fn steps(intervals: &Quantiles, axis: Scale, lo: f64, hi: f64) -> Vec<f64> {
    let mut shares = vec![0.0; STEPS];
    let histogram = &intervals.histogram;
    let step_of = |secs: f64| axis.share(secs) * STEPS as f64;
    let all = histogram.len().max(1) as f64;
    for value in histogram.iter_recorded() {
        let (least, most) = (
            histogram.lowest_equivalent(value.value_iterated_to()) as f64 * intervals.scale,
            (histogram.highest_equivalent(value.value_iterated_to()) as f64 + 1.0)
                * intervals.scale,
        );
        if most < lo || least > hi {
            continue;
        }
        let (from, to) = (step_of(least), step_of(most));
        let share = value.count_at_value() as f64 / all;
        let width = (to - from).max(1e-9);
        let reached = shares.iter_mut().enumerate().take(to.ceil() as usize).skip(from as usize);
        for (step, sum) in reached {
            let inside = to.min(step as f64 + 1.0) - from.max(step as f64);
            *sum += share * (inside / width).clamp(0.0, 1.0);
        }
    }
    shares
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

/// A vertical line with its label.
struct MarkedMoment {
    secs: f64,
    text: String,
    /// Dash and gap; none for a solid line.
    dash: Option<(f64, f64)>,
    pen: Pen,
    colour: RGBColor,
}

/// The median, the 99th percentile and TIME-WAIT.
fn marks(intervals: &Quantiles, holds: &[[SimDuration; 2]]) -> Vec<MarkedMoment> {
    let of_distribution = |secs: f64, share: &str, dash: Option<(f64, f64)>| MarkedMoment {
        secs,
        text: format!("{share} within {}", span(secs)),
        dash,
        pen: line(INK, 1.4),
        colour: INK,
    };
    let of_hold = |&[hold, step]: &[SimDuration; 2]| MarkedMoment {
        secs: hold.as_secs_f64(),
        // Ports come free together at each point of the grid: peaks lie that far apart.
        text: match step.is_zero() {
            true => format!("TIME-WAIT {hold}"),
            false => format!(
                "TIME-WAIT {hold}, and on to the next of its timer's steps of {}",
                span(step.as_secs_f64())
            ),
        },
        dash: Some((2.0, 3.0)),
        pen: line(BLOCKED, 2.0),
        colour: BLOCKED,
    };
    let mut marks: Vec<MarkedMoment> = holds.iter().map(of_hold).collect();
    if !intervals.histogram.is_empty() {
        marks.push(of_distribution(intervals.p50, "half", None));
        marks.push(of_distribution(intervals.p99, "99 %", Some((8.0, 4.0))));
    }
    marks
}

/// Draws each mark with its label in a row of its own, to the right of its line if it fits there.
///
/// Lines begin at their label, so a row lower is free of the lines further out: the rows go down
/// from the left, and from the right for the labels to the left of their lines.
fn draw_marks(canvas: &mut Canvas<'_>, panel: &Panel, marks: Vec<MarkedMoment>) {
    let look = |mark: &MarkedMoment| bold(SMALL, mark.colour);
    let fits = |mark: &MarkedMoment| {
        panel.x_of(mark.secs) + 6.0 + text_width(&mark.text, look(mark)) < panel.right
    };
    let (mut rightward, mut leftward): (Vec<MarkedMoment>, Vec<MarkedMoment>) =
        marks.into_iter().partition(fits);
    rightward.sort_by(|a, b| a.secs.total_cmp(&b.secs));
    leftward.sort_by(|a, b| b.secs.total_cmp(&a.secs));
    let y_of = |row: usize| panel.top + 10.0 + row as f64 * 15.0;
    let ordered = || rightward.iter().chain(&leftward).enumerate();
    for (row, mark) in ordered() {
        let x = panel.x_of(mark.secs);
        let (from, to) = ((x, y_of(row) - 10.0), (x, panel.bottom));
        match mark.dash {
            Some(dash) => canvas.dashes(from, to, dash, mark.pen),
            None => canvas.path(&[from, to], mark.pen),
        }
    }
    for (row, mark) in ordered() {
        let (x, y) = (panel.x_of(mark.secs), y_of(row));
        let right = row < rightward.len();
        let (at, align) = if right { (x + 6.0, Align::Left) } else { (x - 6.0, Align::Right) };
        canvas.label(&mark.text, (at, y), align, look(mark));
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;

    /// Goal: steps show the distribution, not the histogram's buckets. Method: the same count of
    /// each value from 60 to 64 s must rise no faster than the steps widen.
    #[test]
    fn an_even_distribution_has_even_steps_that_sum_to_all() {
        let mut histogram = Histogram::new(3).unwrap();
        (60_000_000..64_000_000).step_by(500).for_each(|value| histogram.record(value).unwrap());
        let intervals =
            Quantiles { p50: 0.0, p90: 0.0, p99: 0.0, max: 0.0, histogram, scale: 1e-6 };
        let steps = steps(&intervals, Scale::Linear(59.0, 65.0), 59.0, 65.0);
        assert!((steps.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let inner = &steps[20..80];
        let (least, most) = inner.iter().fold((1.0f64, 0.0f64), |(l, m), &s| (l.min(s), m.max(s)));
        assert!(most / least < 1.08, "{least} to {most}");
    }
}
