//! A kernel's curves over the model's band: what `portsim validate` found in the experiments that last.

use super::Picture;
use super::axis::{Panel, Scale, count_ticks, time_ticks};
use super::canvas::{Align, Canvas, bold, paint, plain};
use super::frame::{Heading, LegendKey, Sign, legend};
use super::style::{
    BLOCKED, GREY, INK, PLOT_RIGHT, Pen, RIM, SMALL, TIME_WAIT, WIDTH, line, sheer,
};
use crate::numbers::count;
use crate::validate::ChurnMeasured;

/// Height of a panel, and of what lies between two rows of them.
const HEIGHT: f64 = 105.0;
const BETWEEN: f64 = 72.0;
/// Rows of one sheet: more would not be looked at.
pub const MOST_ROWS: usize = 6;
/// Moments at which curves are compared.
const MOMENTS: usize = 400;

/// One experiment that both made.
#[derive(Clone, Copy, Debug)]
pub struct Both<'a> {
    /// Its name, and what is to be known of it.
    pub name: &'a str,
    /// Ports of its range.
    pub ports: u32,
    /// Its destinations, each with a pool of its own; 1 where one pool serves all.
    pub destinations: u32,
    /// How long it lasted, in seconds.
    pub length_s: f64,
    /// What the kernel did.
    pub kernel: &'a ChurnMeasured,
    /// What the model says, for each of many phases of the timer grid; never empty.
    pub model: &'a [&'a ChurnMeasured],
}

/// The first six of `rows`, each with its TIME-WAITs and its refusals; `finding` is the title,
/// `facts` what it was found on.
#[must_use]
pub fn agreement(finding: &str, facts: &str, rows: &[Both<'_>]) -> Picture {
    let heading = Heading::new(finding, "", facts);
    let rows = &rows[..rows.len().min(MOST_ROWS)];
    let first = heading.height() + 62.0;
    let step = HEIGHT + BETWEEN;
    let bottom = first + rows.len() as f64 * step - BETWEEN + 52.0;
    paint(bottom, &heading.finding(), |canvas| {
        heading.draw(canvas);
        legend(canvas, &keys(), heading.height() + 22.0);
        for (number, row) in rows.iter().enumerate() {
            draw_row(canvas, row, first + number as f64 * step, number + 1 == rows.len());
        }
    })
}

/// The kernel's line.
fn kernel_pen() -> Pen {
    line(INK, 1.4)
}

fn keys() -> [LegendKey; 3] {
    let band = |text: &str, colour| LegendKey {
        text: text.to_owned(),
        sign: Sign::Band(sheer(colour, 0.45, 1.0), line(colour, 0.8)),
    };
    [
        LegendKey { text: "the kernel".to_owned(), sign: Sign::Line(kernel_pen()) },
        band("the model's TIME-WAIT, all timer phases", TIME_WAIT),
        band("its refusals", BLOCKED),
    ]
}

fn draw_row(canvas: &mut Canvas<'_>, row: &Both<'_>, top: f64, last: bool) {
    canvas.text(row.name, (RIM, top - 26.0), Align::Left, bold(SMALL, INK));
    let middle = WIDTH / 2.0;
    let (unit, ticks) = time_ticks(row.length_s);
    let panel = |left, right, highest: f64| Panel {
        left,
        right,
        top,
        bottom: top + HEIGHT,
        x: Scale::Linear(0.0, row.length_s),
        y: Scale::Linear(0.0, highest.max(1.0) * 1.06),
    };
    let side = |canvas: &mut Canvas<'_>, curves: Curves, left, right, what: &str, colour| {
        let panel = panel(left, right, curves.highest());
        canvas.text(what, (left - 44.0, top - 9.0), Align::Left, plain(SMALL, GREY));
        panel.y_axis(canvas, &count_ticks(curves.highest().max(1.0)));
        curves.draw(canvas, &panel, colour);
        // All rows count in the same unit or say theirs: once is enough, at the bottom.
        let name = if last { format!("time ({unit})") } else { String::new() };
        panel.x_axis(canvas, &ticks, &name);
    };
    let waits = Curves::of(row, count_at);
    let refused = Curves::of(row, |one, at_s| {
        Some(one.refused_at_s.partition_point(|&refused| refused <= at_s) as f64)
    });
    let ports = match row.destinations {
        1 => format!("ports in TIME-WAIT, of {}", count(row.ports.into())),
        k => format!("ports in TIME-WAIT, of {} in each of {k} pools", count(row.ports.into())),
    };
    side(canvas, waits, RIM + 44.0, middle - 22.0, &ports, TIME_WAIT);
    side(canvas, refused, middle + 64.0, PLOT_RIGHT, "attempts refused so far", BLOCKED);
}

/// TIME-WAITs at a moment, if they were counted.
fn count_at(one: &ChurnMeasured, at_s: f64) -> Option<f64> {
    let after = one.time_waits.partition_point(|count| count.at_s <= at_s);
    one.time_waits.get(after.checked_sub(1)?).map(|count| f64::from(count.count))
}

/// The kernel's curve, and the model's least and greatest.
struct Curves {
    kernel: Vec<(f64, f64)>,
    least: Vec<(f64, f64)>,
    greatest: Vec<(f64, f64)>,
}

impl Curves {
    fn of(row: &Both<'_>, value: impl Fn(&ChurnMeasured, f64) -> Option<f64>) -> Self {
        let moments = (0..=MOMENTS).map(|index| row.length_s * index as f64 / MOMENTS as f64);
        let (mut kernel, mut least, mut greatest) = (Vec::new(), Vec::new(), Vec::new());
        for at_s in moments {
            kernel.extend(value(row.kernel, at_s).map(|value| (at_s, value)));
            let values = row.model.iter().filter_map(|one| value(one, at_s));
            let (low, high) = values
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                    (low.min(value), high.max(value))
                });
            if low <= high {
                least.push((at_s, low));
                greatest.push((at_s, high));
            }
        }
        Self { kernel, least, greatest }
    }

    fn highest(&self) -> f64 {
        let all = self.kernel.iter().chain(&self.greatest);
        all.map(|point| point.1).fold(0.0, f64::max)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, panel: &Panel, colour: plotters::style::RGBColor) {
        let place = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            points.iter().map(|&(x, y)| panel.at(x, y)).collect()
        };
        let (least, greatest) = (place(&self.least), place(&self.greatest));
        let outline: Vec<(f64, f64)> =
            least.iter().copied().chain(greatest.iter().rev().copied()).collect();
        canvas.area(&outline, sheer(colour, 0.45, 1.0));
        canvas.path(&least, line(colour, 0.8));
        canvas.path(&greatest, line(colour, 0.8));
        if self.kernel.is_empty() || self.greatest.is_empty() {
            panel.says(canvas, "not compared: what may be taken over");
        }
        canvas.path(&place(&self.kernel), kernel_pen());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::TimeWaits;

    fn churn(fails: u32) -> ChurnMeasured {
        ChurnMeasured {
            attempts: 200,
            fail: fails,
            refused_at_s: (0..fails).map(|index| 30.0 + f64::from(index) * 0.3).collect(),
            time_waits: (0..=90)
                .map(|at| TimeWaits { at_s: f64::from(at), count: (3 * at).min(100) })
                .collect(),
            ..ChurnMeasured::default()
        }
    }

    #[test]
    fn every_experiment_has_its_curves_and_no_more_than_fit_are_drawn() {
        let (kernel, low, high) = (churn(50), churn(48), churn(53));
        let model = [&low, &high];
        let row = Both {
            name: "churn/even",
            ports: 100,
            destinations: 1,
            length_s: 90.0,
            kernel: &kernel,
            model: &model,
        };
        let picture = agreement("It agrees", "Linux 6.18", &vec![row; MOST_ROWS + 3]);
        assert_eq!(picture.svg.matches("churn/even").count(), MOST_ROWS);
        assert!(picture.svg.contains("attempts refused so far"));
        assert!(picture.png.starts_with(b"\x89PNG"));
    }
}
