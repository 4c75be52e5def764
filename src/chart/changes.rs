//! Where the world changes: numbered lines through the panels, how long it took to get over each, and what the
//! numbers stand for beneath.

use super::axis::Panel;
use super::canvas::{Align, Canvas, bold, plain, text_width};
use super::frame::cut;
use super::style::{GREY, INK, PAPER, PLOT_LEFT, PLOT_RIGHT, SMALL, line};
use crate::numbers::span;
use crate::stats::StretchFigures;

/// Changes that are named beneath a chart; lines are drawn for all.
const MOST: usize = 8;
const LINE: f64 = 19.0;
const ABOVE: f64 = 10.0;
/// Of the disc that a number stands on.
const RADIUS: f64 = 7.5;

/// The changes among `stretches`, with their numbers from 1.
fn changes(stretches: &[StretchFigures]) -> impl Iterator<Item = (usize, &StretchFigures)> {
    stretches.iter().enumerate().filter(|(_, stretch)| stretch.what.is_some())
}

/// Draws a line for each change through all `panels`, numbered beneath the first.
pub(super) fn lines(canvas: &mut Canvas<'_>, panels: &[&Panel], stretches: &[StretchFigures]) {
    for (number, stretch) in changes(stretches) {
        for panel in panels {
            let x = panel.x_of(stretch.from.as_secs_f64());
            canvas.dashes((x, panel.top), (x, panel.bottom), (5.0, 3.0), line(INK, 1.0));
        }
        if let Some(panel) = panels.first() {
            let at = (panel.x_of(stretch.from.as_secs_f64()), panel.bottom + RADIUS + 3.0);
            disc(canvas, at, number);
        }
    }
}

/// Draws in a panel how long it took until all was well after each change, where that was some time.
pub(super) fn recoveries(canvas: &mut Canvas<'_>, panel: &Panel, stretches: &[StretchFigures]) {
    for (_, stretch) in changes(stretches) {
        let Some(took) = stretch.mostly_over().map(|m| m.median).filter(|took| *took > 0.0) else {
            continue;
        };
        let from = stretch.from.as_secs_f64();
        let (left, right) = (panel.x_of(from), panel.x_of(from + took));
        if right - left < 3.0 {
            continue;
        }
        let y = panel.top + 7.0;
        canvas.path(&[(left, y), (right, y)], line(INK, 2.0));
        canvas.path(&[(right, y - 5.0), (right, y + 5.0)], line(INK, 2.0));
        let (text, look) = (format!("over after {}", span(took)), bold(SMALL, INK));
        let until = panel.x_of(stretch.to.as_secs_f64());
        if right + 6.0 + text_width(&text, look) < until {
            canvas.label(&text, (right + 6.0, y + 4.0), Align::Left, look);
        }
    }
}

/// How high [`key`] is.
pub(super) fn height(stretches: &[StretchFigures]) -> f64 {
    match changes(stretches).count() {
        0 => 0.0,
        count => ABOVE + LINE * (count.min(MOST) + usize::from(count > MOST)) as f64,
    }
}

/// Says beneath a chart, from `top` on, what each number stands for.
pub(super) fn key(canvas: &mut Canvas<'_>, top: f64, stretches: &[StretchFigures]) {
    let look = plain(SMALL, INK);
    let mut y = top + ABOVE;
    for (number, stretch) in changes(stretches).take(MOST) {
        disc(canvas, (PLOT_LEFT + RADIUS, y - 4.0), number);
        let what = stretch.what.as_deref().unwrap_or_default();
        let became = format!(": {}", stretch.trouble());
        let room = PLOT_RIGHT - PLOT_LEFT - 24.0 - text_width(&became, look);
        let text = cut(&format!("{}, {what}", stretch.when()), look, room);
        canvas.text(&format!("{text}{became}"), (PLOT_LEFT + 24.0, y), Align::Left, look);
        y += LINE;
    }
    let more = changes(stretches).count().saturating_sub(MOST);
    if more > 0 {
        let text = format!("and {more} more");
        canvas.text(&text, (PLOT_LEFT + 24.0, y), Align::Left, plain(SMALL, GREY));
    }
}

fn disc(canvas: &mut Canvas<'_>, (x, y): (f64, f64), number: usize) {
    canvas.dot((x, y), RADIUS, line(INK, 1.0));
    canvas.text(&number.to_string(), (x, y + 4.0), Align::Middle, bold(SMALL, PAPER));
}
