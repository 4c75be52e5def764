//! Hosts of one scenario side by side: the same question answered by each, on the same axes.

use super::Picture;
use super::axis::{Panel, Scale, time_ticks};
use super::bins::{Bin, bins, coarser, curve};
use super::canvas::{Align, Canvas, bold, paint, plain};
use super::changes;
use super::frame::{Heading, LegendKey, Sign, cut, legend};
use super::pressure::{STATES, area_between, outline};
use super::style::{
    BLOCKED, GREY, INK, MEDIUM, PAPER, PLOT_LEFT, PLOT_RIGHT, RIM, SMALL, line, sheer,
};
use super::verdict::{capital, facts, kinds, refused};
use crate::numbers::{count, percent, span};
use crate::scenario::Scenario;
use crate::stats::{LimitFigures, Outcome};

/// Heights of a host's panels: ports in use, and what is refused beneath.
const PORTS_HEIGHT: f64 = 130.0;
const REFUSED_HEIGHT: f64 = 34.0;
/// What stands above a host's panels, and between them.
const ABOVE: f64 = 44.0;
const BETWEEN: f64 = 24.0;
/// Beneath the last row, and between one column and the next.
const BENEATH: f64 = 52.0;
const GUTTER: f64 = 22.0;

/// Ports in use by state, as a share of what each host has, over the share of its attempts that is refused.
///
/// For two hosts to some eight; more would be too small to read.
pub fn hosts(scenario: &Scenario, outcome: &Outcome) -> Picture {
    let facts = facts(outcome);
    let heading = Heading::new(&finding(outcome), &scenario.title, &facts);
    let many = outcome.limits.len().max(1);
    let columns = match many {
        0..=3 => many,
        4 => 2,
        5 | 6 => 3,
        _ => 4,
    };
    let rows = many.div_ceil(columns);
    let top = heading.height() + 30.0;
    let row_height = ABOVE + PORTS_HEIGHT + BETWEEN + REFUSED_HEIGHT;
    let beneath = top + rows as f64 * (row_height + 14.0) - 14.0 + BENEATH;
    let height = beneath + changes::height(&outcome.stretches);
    let width = (PLOT_RIGHT - PLOT_LEFT - GUTTER * (columns - 1) as f64) / columns as f64;
    paint(height, &heading.finding(), |canvas| {
        heading.draw(canvas);
        legend(canvas, &keys(outcome), top - 6.0);
        let length = outcome.duration.as_secs_f64().max(1e-9);
        let (unit, times) = time_ticks(length);
        // Fewer numbers where there is less room for them.
        let sparse: Vec<(f64, String)> = times.into_iter().step_by(columns).collect();
        for (index, limit) in outcome.limits.iter().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let left = PLOT_LEFT + column as f64 * (width + GUTTER);
            let ports_top = top + row as f64 * (row_height + 14.0) + ABOVE;
            let panel = |top: f64, height: f64, most: f64| Panel {
                left,
                right: left + width,
                top,
                bottom: top + height,
                x: Scale::Linear(0.0, length),
                y: Scale::Linear(0.0, most),
            };
            let ports = panel(ports_top, PORTS_HEIGHT, 1.08);
            let refused = panel(ports.bottom + BETWEEN, REFUSED_HEIGHT, 1.0);
            let name = cut(&limit.name, bold(MEDIUM, INK), width);
            canvas.text(&name, (left, ports_top - 24.0), Align::Left, bold(MEDIUM, INK));
            let found = finding_of(outcome, limit);
            let look = plain(SMALL, GREY);
            canvas.text(&cut(&found, look, width), (left, ports_top - 9.0), Align::Left, look);
            let labelled = |ticks: Vec<(f64, String)>| -> Vec<(f64, String)> {
                let blank = |(value, _)| (value, String::new());
                if column == 0 { ticks } else { ticks.into_iter().map(blank).collect() }
            };
            let halves = [0.0, 0.5, 1.0].map(|share| (share, percent(share)));
            ports.y_axis(canvas, &labelled(halves.to_vec()));
            draw_ports(canvas, &ports, outcome, limit);
            ports.base_line(canvas, &[]);
            refused.y_axis(canvas, &labelled(vec![(1.0, "100 %".to_owned())]));
            draw_refused(canvas, &refused, outcome, limit);
            changes::lines(canvas, &[&ports, &refused], &limit.stretches);
            changes::recoveries(canvas, &refused, &limit.stretches);
            let last = index + columns >= outcome.limits.len();
            match last {
                true => refused.x_axis(canvas, &sparse, &format!("time ({unit})")),
                false => refused.base_line(canvas, &sparse),
            }
        }
        changes::key(canvas, beneath, &outcome.stretches);
        for row in 0..rows {
            let ports_top = top + row as f64 * (row_height + 14.0) + ABOVE;
            for (text, y) in
                [("in use", ports_top - 9.0), ("refused", ports_top + PORTS_HEIGHT + BETWEEN - 9.0)]
            {
                canvas.text(text, (RIM, y), Align::Left, bold(SMALL, GREY));
            }
        }
    })
}

/// How many hold, and which is worst.
fn finding(outcome: &Outcome) -> String {
    let dry = outcome.limits.iter().filter(|limit| limit.figures.first_blocked.is_some()).count();
    let all = outcome.limits.len();
    match (dry, outcome.tightest()) {
        (0, Some(worst)) if failing(worst) > 0.0 => {
            let share = percent(failing(worst));
            format!(
                "The ports of all {all} hosts hold; {share} of the requests of {} fail",
                worst.name
            )
        }
        (0, _) | (_, None) => format!("All {all} {} hold", kinds(outcome)),
        (_, Some(worst)) => {
            let some = if dry == all { "All".to_owned() } else { count(dry as u64) };
            let verb = if dry == 1 { "runs" } else { "run" };
            let share = percent(worst.figures.blocking_ratio.mean);
            let does = if worst.is_gateway { "drops" } else { "refuses" };
            let kinds = kinds(outcome);
            capital(&format!("{some} of {all} {kinds} {verb} dry; {} {does} {share}", worst.name))
        }
    }
}

/// The share of requests that fail though no port is refused.
fn failing(limit: &LimitFigures) -> f64 {
    limit.figures.requests.as_ref().map_or(0.0, |requests| requests.failed_share())
}

/// What becomes of one host, in few words.
fn finding_of(outcome: &Outcome, limit: &LimitFigures) -> String {
    let figures = &limit.figures;
    match (figures.first_blocked, &limit.server) {
        (Some(first), _) => {
            let share = percent(figures.blocking_ratio.mean);
            let [_, became] = refused(limit);
            format!("dry after {}, {share} {became}", span(first.median))
        }
        (None, Some(server)) => {
            format!("port {} taken in {}", server.wants.port, percent(server.refused.mean))
        }
        (None, None) => format!("holds, at most {} in use", percent(outcome.fullest(limit).share)),
    }
}

fn draw_ports(canvas: &mut Canvas<'_>, panel: &Panel, outcome: &Outcome, limit: &LimitFigures) {
    let bins = bins(&limit.timeline, outcome.duration);
    let capacity = (limit.timeline.capacity as f64).max(1.0);
    let share = |points: Vec<(f64, f64)>| -> Vec<(f64, f64)> {
        points.into_iter().map(|(at, ports)| (at, ports / capacity)).collect()
    };
    if bins.is_empty() {
        return panel.says(canvas, "nothing");
    }
    let mut below = curve(&bins, |_| 0.0);
    for (_, colour, value) in STATES {
        let heights = share(curve(&bins, value));
        let above: Vec<(f64, f64)> =
            below.iter().zip(&heights).map(|(&(at, low), &(_, high))| (at, low + high)).collect();
        area_between(canvas, panel, &below, &above, line(colour, 0.0));
        outline(canvas, panel, &above, line(PAPER, 0.6));
        below = above;
    }
    outline(canvas, panel, &below, line(INK, 1.0));
    let y = panel.y_of(1.0);
    canvas.dashes((panel.left, y), (panel.right, y), (6.0, 4.0), line(INK, 1.2));
}

fn draw_refused(canvas: &mut Canvas<'_>, panel: &Panel, outcome: &Outcome, limit: &LimitFigures) {
    let bins = coarser(bins(&limit.timeline, outcome.duration));
    let share = curve(&bins, |bin| match bin.attempts {
        attempts if attempts > 0.0 => bin.blocked.mean / attempts,
        _ => 0.0,
    });
    if bins.iter().all(|bin| bin.blocked.mean <= 0.0) {
        let at = (panel.left + 4.0, panel.bottom - 8.0);
        return canvas.text("none", at, Align::Left, plain(SMALL, GREY));
    }
    let floor: Vec<(f64, f64)> = share.iter().map(|&(at, _)| (at, 0.0)).collect();
    area_between(canvas, panel, &floor, &share, sheer(BLOCKED, 0.45, 0.0));
    outline(canvas, panel, &share, line(BLOCKED, 1.2));
}

/// The states that some host's ports are seen in, and refusals.
fn keys(outcome: &Outcome) -> Vec<LegendKey> {
    let seen = |value: fn(&Bin) -> f64| {
        outcome.limits.iter().any(|limit| {
            let least = limit.timeline.capacity as f64 * 0.8 / PORTS_HEIGHT;
            bins(&limit.timeline, outcome.duration).iter().any(|bin| value(bin) >= least.max(1e-9))
        })
    };
    let states = STATES.into_iter().filter(|state| seen(state.2));
    let mut keys: Vec<LegendKey> = states
        .map(|(name, colour, _)| LegendKey { text: name.to_owned(), sign: Sign::Area(colour) })
        .collect();
    let mut words: Vec<&str> = Vec::new();
    for limit in outcome.limits.iter().filter(|limit| limit.figures.first_blocked.is_some()) {
        let [_, became] = refused(limit);
        if !words.contains(&became) {
            words.push(became);
        }
    }
    if !words.is_empty() {
        let sign = Sign::Band(sheer(BLOCKED, 0.45, 0.0), line(BLOCKED, 1.4));
        keys.push(LegendKey { text: words.join(" or "), sign });
    }
    keys
}
