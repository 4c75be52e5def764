//! Requests over time: what is asked, answered and lost, and the connections that wait for more.

use super::Picture;
use super::axis::{Panel, Scale, count_ticks, number_ticks, time_ticks};
use super::canvas::{Align, Canvas, bold, paint, plain};
use super::changes;
use super::frame::{Heading, LegendKey, Sign, cut, legend};
use super::pressure::{area_between, outline};
use super::style::{
    BLOCKED, ESTABLISHED, GREY, INK, MEDIUM, PLOT_LEFT, PLOT_RIGHT, RIM, SMALL, line, sheer,
};
use super::verdict::facts;
use crate::numbers::{amount, percent};
use crate::scenario::Scenario;
use crate::stats::{LimitFigures, Outcome, RequestRow};

/// Heights of a host's panels, and what stands above and between them.
const HEIGHT: f64 = 150.0;
const IDLE_HEIGHT: f64 = 60.0;
const ABOVE: f64 = 44.0;
const BETWEEN: f64 = 30.0;
const GUTTER: f64 = 34.0;
/// Hosts that are drawn.
const MOST: usize = 4;
/// How dark areas are: what fails stands out from what is answered in a grey print too.
const ANSWERED_SHADE: f64 = 0.25;
const FAILED_SHADE: f64 = 0.75;
/// Points of a curve.
const POINTS: usize = 240;

/// Requests made, answered and failed a second over time, and idle connections, of the first four hosts that
/// have any; `None` where none has.
#[must_use]
pub fn requests(scenario: &Scenario, outcome: &Outcome) -> Option<Picture> {
    let asks = |limit: &&LimitFigures| !limit.requests.is_empty();
    let limits: Vec<&LimitFigures> = outcome.limits.iter().filter(asks).take(MOST).collect();
    if limits.is_empty() {
        return None;
    }
    let facts = facts(outcome);
    let heading = Heading::new(&finding(&limits), &scenario.title, &facts);
    let top = heading.height() + 30.0;
    let beneath = top + ABOVE + HEIGHT + BETWEEN + IDLE_HEIGHT + 52.0;
    let height = beneath + changes::height(&outcome.stretches);
    let columns = limits.len() as f64;
    let width = (PLOT_RIGHT - PLOT_LEFT - GUTTER * (columns - 1.0)) / columns;
    let rows: Vec<Vec<RequestRow>> = limits.iter().map(|limit| thinned(&limit.requests)).collect();
    let most = |value: fn(&RequestRow) -> f64| {
        rows.iter().flatten().map(value).fold(0.0, f64::max).max(1e-9)
    };
    let (rates, idle) =
        (most(|row| row.made.max(row.served).max(row.failed)), most(|row| row.idle));
    Some(paint(height, &heading.finding(), |canvas| {
        heading.draw(canvas);
        legend(canvas, &keys(), top - 6.0);
        let length = outcome.duration.as_secs_f64().max(1e-9);
        let (unit, times) = time_ticks(length);
        let sparse: Vec<(f64, String)> = times.into_iter().step_by(limits.len()).collect();
        for (number, (limit, rows)) in limits.iter().zip(&rows).enumerate() {
            let left = PLOT_LEFT + number as f64 * (width + GUTTER);
            let panel = |top: f64, height: f64, most: f64| Panel {
                left,
                right: left + width,
                top,
                bottom: top + height,
                x: Scale::Linear(0.0, length),
                y: Scale::Linear(0.0, most * 1.08),
            };
            let of_rates = panel(top + ABOVE, HEIGHT, rates);
            let of_idle = panel(of_rates.bottom + BETWEEN, IDLE_HEIGHT, idle);
            let name = cut(&limit.name, bold(MEDIUM, INK), width);
            canvas.text(&name, (left, of_rates.top - 24.0), Align::Left, bold(MEDIUM, INK));
            let look = plain(SMALL, GREY);
            let found = cut(&finding_of(limit), look, width);
            canvas.text(&found, (left, of_rates.top - 9.0), Align::Left, look);
            of_rates.y_axis(canvas, &first_only(number, number_ticks(rates, 5)));
            draw_rates(canvas, &of_rates, rows);
            of_rates.base_line(canvas, &sparse);
            of_idle.y_axis(canvas, &first_only(number, count_ticks(idle)));
            let curve = curve(rows, |row| row.idle);
            let floor: Vec<(f64, f64)> = curve.iter().map(|&(at, _)| (at, 0.0)).collect();
            area_between(canvas, &of_idle, &floor, &curve, sheer(GREY, ANSWERED_SHADE, 0.0));
            outline(canvas, &of_idle, &curve, line(GREY, 1.0));
            of_idle.x_axis(canvas, &sparse, &format!("time ({unit})"));
            changes::lines(canvas, &[&of_rates, &of_idle], &limit.stretches);
            changes::recoveries(canvas, &of_rates, &limit.stretches);
        }
        changes::key(canvas, beneath, &outcome.stretches);
        let look = bold(SMALL, GREY);
        canvas.text("/ s", (RIM, top + ABOVE - 9.0), Align::Left, look);
        canvas.text("idle", (RIM, top + ABOVE + HEIGHT + BETWEEN - 9.0), Align::Left, look);
    }))
}

/// Numbers beside the first panel, and lines alone in the others.
fn first_only(number: usize, ticks: Vec<(f64, String)>) -> Vec<(f64, String)> {
    let blank = |(value, text)| (value, if number == 0 { text } else { String::new() });
    ticks.into_iter().map(blank).collect()
}

/// Neighbours together, so that a curve has no more points than can be seen.
fn thinned(rows: &[RequestRow]) -> Vec<RequestRow> {
    let together = |part: &[RequestRow]| {
        let (start, end) = (part[0].start, part[part.len() - 1].end);
        let mean = |value: fn(&RequestRow) -> f64| {
            let sum: f64 = part.iter().map(|row| value(row) * (row.end - row.start)).sum();
            sum / (end - start).max(1e-9)
        };
        RequestRow {
            start,
            end,
            made: mean(|row| row.made),
            served: mean(|row| row.served),
            failed: mean(|row| row.failed),
            idle: mean(|row| row.idle),
        }
    };
    rows.chunks(rows.len().div_ceil(POINTS).max(1)).map(together).collect()
}

fn curve(rows: &[RequestRow], value: impl Fn(&RequestRow) -> f64) -> Vec<(f64, f64)> {
    let steps = |row: &RequestRow| [row.start, row.end].map(|at| (at, value(row)));
    rows.iter().flat_map(steps).collect()
}

/// What is answered as an area, what fails above it, what is asked as a line.
fn draw_rates(canvas: &mut Canvas<'_>, panel: &Panel, rows: &[RequestRow]) {
    let served = curve(rows, |row| row.served);
    let failed = curve(rows, |row| row.failed);
    let floor: Vec<(f64, f64)> = served.iter().map(|&(at, _)| (at, 0.0)).collect();
    area_between(canvas, panel, &floor, &served, sheer(ESTABLISHED, ANSWERED_SHADE, 0.0));
    outline(canvas, panel, &served, line(ESTABLISHED, 1.2));
    if rows.iter().any(|row| row.failed > 0.0) {
        area_between(canvas, panel, &floor, &failed, sheer(BLOCKED, FAILED_SHADE, 0.0));
        outline(canvas, panel, &failed, line(BLOCKED, 1.4));
    }
    outline(canvas, panel, &curve(rows, |row| row.made), line(INK, 1.2));
}

fn keys() -> [LegendKey; 4] {
    let band = |text: &str, colour, shade| LegendKey {
        text: text.to_owned(),
        sign: Sign::Band(sheer(colour, shade, 0.0), line(colour, 1.2)),
    };
    [
        LegendKey { text: "requests made".to_owned(), sign: Sign::Line(line(INK, 1.2)) },
        band("answered", ESTABLISHED, ANSWERED_SHADE),
        band("failed", BLOCKED, FAILED_SHADE),
        band("idle connections", GREY, ANSWERED_SHADE),
    ]
}

/// How many requests fail, and where most do.
fn finding(limits: &[&LimitFigures]) -> String {
    let share = |limit: &&LimitFigures| {
        limit.figures.requests.as_ref().map_or(0.0, |requests| requests.failed_share())
    };
    let worst = limits.iter().max_by(|a, b| share(a).total_cmp(&share(b)));
    match worst {
        Some(worst) if share(worst) > 0.0 && limits.len() > 1 => {
            format!("{} of the requests of {} fail", percent(share(worst)), worst.name)
        }
        Some(worst) if share(worst) > 0.0 => format!("{} of requests fail", percent(share(worst))),
        _ => "Every request is answered".to_owned(),
    }
}

fn finding_of(limit: &LimitFigures) -> String {
    let Some(requests) = &limit.figures.requests else { return String::new() };
    let opened = amount(requests.connections_per_request.mean);
    match requests.failed_share() {
        0.0 => format!("none fails, each opens {opened}"),
        share => format!("{} fail, each opens {opened}", percent(share)),
    }
}
