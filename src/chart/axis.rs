//! Panels with axes: which numbers stand beside them, and where a value lies.

use super::canvas::{Align, Canvas, bold, plain};
use super::style::{GREY, GRID, SMALL, line};

/// How values are spread along one side of a panel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Evenly from the first to the second.
    Linear(f64, f64),
    /// By their logarithms from the first to the second, both above zero.
    Log(f64, f64),
}

impl Scale {
    /// Where `value` lies, 0 at the low end to 1 at the high end; what lies beyond is put at the
    /// end, what is no number at the low end.
    pub(super) fn share(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear(lo, hi) => (value - lo) / (hi - lo),
            Self::Log(lo, hi) => (value / lo).ln() / (hi / lo).ln(),
        };
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }
}

/// The rectangle in which values are drawn, in nominal pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panel {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
    pub x: Scale,
    pub y: Scale,
}

impl Panel {
    /// Where `x` lies.
    pub(super) fn x_of(&self, x: f64) -> f64 {
        self.left + self.x.share(x) * (self.right - self.left)
    }

    /// Where `y` lies.
    pub(super) fn y_of(&self, y: f64) -> f64 {
        self.bottom - self.y.share(y) * (self.bottom - self.top)
    }

    /// Where a pair of values lies.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x_of(x), self.y_of(y))
    }

    /// Light lines at `values` of the y axis, with their numbers to the left.
    pub(super) fn y_axis(&self, canvas: &mut Canvas<'_>, ticks: &[(f64, String)]) {
        for (value, text) in ticks {
            let y = self.y_of(*value);
            canvas.path(&[(self.left, y), (self.right, y)], line(GRID, 1.0));
            let at = (self.left - 8.0, y + 0.36 * SMALL);
            canvas.text(text, at, Align::Right, plain(SMALL, GREY));
        }
    }

    /// The base line with ticks, their numbers if wanted, and the axis's name below.
    pub(super) fn x_axis(&self, canvas: &mut Canvas<'_>, ticks: &[(f64, String)], name: &str) {
        self.base_line(canvas, ticks);
        for (value, text) in ticks {
            let at = (self.x_of(*value), self.bottom + 18.0);
            canvas.text(text, at, Align::Middle, plain(SMALL, GREY));
        }
        let middle = (self.left + self.right) / 2.0;
        canvas.text(name, (middle, self.bottom + 37.0), Align::Middle, plain(SMALL, GREY));
    }

    /// The base line with ticks alone.
    pub(super) fn base_line(&self, canvas: &mut Canvas<'_>, ticks: &[(f64, String)]) {
        canvas.path(&[(self.left, self.bottom), (self.right, self.bottom)], line(GREY, 1.0));
        for (value, _) in ticks {
            let x = self.x_of(*value);
            canvas.path(&[(x, self.bottom), (x, self.bottom + 4.0)], line(GREY, 1.0));
        }
    }

    /// What the panel shows, above its upper left corner.
    pub(super) fn caption(&self, canvas: &mut Canvas<'_>, text: &str) {
        canvas.text(text, (super::style::RIM, self.top - 8.0), Align::Left, bold(SMALL, GREY));
    }

    /// A sentence in the middle of a panel that has nothing to show.
    pub(super) fn says(&self, canvas: &mut Canvas<'_>, text: &str) {
        let middle = ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0 + 4.0);
        canvas.label(text, middle, Align::Middle, plain(13.0, GREY));
    }
}

/// About `wanted` round values from `lo` to `hi`: multiples of 1, 2 or 5 times a power of ten.
pub(super) fn round_values(lo: f64, hi: f64, wanted: u32) -> Vec<f64> {
    let rough = (hi - lo) / f64::from(wanted.max(1));
    if !(rough.is_finite() && rough > 0.0) {
        return vec![lo];
    }
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&step| step >= rough * 0.999)
        .unwrap_or(10.0 * power);
    multiples(lo, hi, step)
}

/// All multiples of `step` from `lo` to `hi`.
fn multiples(lo: f64, hi: f64, step: f64) -> Vec<f64> {
    let (first, last) = ((lo / step - 1e-9).ceil(), (hi / step + 1e-9).floor());
    let mut values = Vec::new();
    let mut index = first;
    while index <= last && values.len() < 100 {
        // Not -0, which would be shown as such.
        values.push(index * step + 0.0);
        index += 1.0;
    }
    values
}

/// Round counts from 0 to `hi`: never a fraction of a port.
pub(super) fn count_ticks(hi: f64) -> Vec<(f64, String)> {
    let values = if hi < 5.0 { multiples(0.0, hi, 1.0) } else { round_values(0.0, hi, 5) };
    values.into_iter().map(|value| (value, short(value))).collect()
}

/// Round numbers from 0 to `hi`, about `wanted` of them.
pub(super) fn number_ticks(hi: f64, wanted: u32) -> Vec<(f64, String)> {
    round_values(0.0, hi, wanted).into_iter().map(|value| (value, short(value))).collect()
}

/// Round shares (0 to 1) from 0 to `hi`, in percent.
pub(super) fn percent_ticks(hi: f64) -> Vec<(f64, String)> {
    let tick = |percent: f64| (percent / 100.0, format!("{} %", trimmed(percent, 3)));
    round_values(0.0, hi * 100.0, 5).into_iter().map(tick).collect()
}

/// The unit in which a time axis counts, with the seconds it has and steps that people expect.
struct TimeUnit {
    name: &'static str,
    seconds: f64,
    /// Shortest axis that is counted in it, in seconds.
    from: f64,
    /// Steps to prefer to powers of ten.
    steps: &'static [f64],
}

const TIME_UNITS: [TimeUnit; 6] = [
    TimeUnit { name: "d", seconds: 86_400.0, from: 4.0 * 86_400.0, steps: &[1.0, 7.0, 28.0] },
    TimeUnit {
        name: "h",
        seconds: 3_600.0,
        from: 5.0 * 3_600.0,
        steps: &[1.0, 2.0, 3.0, 6.0, 12.0],
    },
    TimeUnit {
        name: "min",
        seconds: 60.0,
        from: 301.0,
        steps: &[1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0],
    },
    TimeUnit {
        name: "s",
        seconds: 1.0,
        from: 1.5,
        steps: &[1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0],
    },
    TimeUnit { name: "ms", seconds: 1e-3, from: 1.5e-3, steps: &[] },
    TimeUnit { name: "µs", seconds: 1e-6, from: 0.0, steps: &[] },
];

/// A time axis from 0 to `secs` seconds: the unit's name and the ticks (in seconds).
pub(super) fn time_ticks(secs: f64) -> (&'static str, Vec<(f64, String)>) {
    let unit = TIME_UNITS.iter().find(|unit| secs >= unit.from).unwrap_or(&TIME_UNITS[5]);
    let length = secs / unit.seconds;
    let step = unit.steps.iter().copied().find(|step| (3.0..=12.0).contains(&(length / step)));
    let values = match step {
        Some(step) => multiples(0.0, length, step),
        None => round_values(0.0, length, 8),
    };
    let tick = |value: f64| (value * unit.seconds, trimmed(value, 4));
    (unit.name, values.into_iter().map(tick).collect())
}

/// Ticks of a logarithmic axis of spans of time, `lo` above zero and below `hi`, in seconds.
///
/// Within one power of ten round values, beyond that the round spans of each unit as far as they
/// have room.
pub(super) fn log_time_ticks(lo: f64, hi: f64) -> Vec<(f64, String)> {
    const ROUND: [(f64, &str); 24] = [
        (1e-6, "1 µs"),
        (1e-5, "10 µs"),
        (1e-4, "100 µs"),
        (1e-3, "1 ms"),
        (1e-2, "10 ms"),
        (0.1, "100 ms"),
        (1.0, "1 s"),
        (2.0, "2 s"),
        (5.0, "5 s"),
        (10.0, "10 s"),
        (20.0, "20 s"),
        (30.0, "30 s"),
        (60.0, "1 min"),
        (120.0, "2 min"),
        (300.0, "5 min"),
        (600.0, "10 min"),
        (1_800.0, "30 min"),
        (3_600.0, "1 h"),
        (7_200.0, "2 h"),
        (18_000.0, "5 h"),
        (43_200.0, "12 h"),
        (86_400.0, "1 d"),
        (864_000.0, "10 d"),
        (8_640_000.0, "100 d"),
    ];
    if hi / lo < 6.0 {
        let values = round_values(lo, hi, 6).into_iter().filter(|&value| value > 0.0);
        return values.map(|value| (value, compact(value, hi))).collect();
    }
    let mut kept: Vec<(f64, String)> = Vec::new();
    for (value, text) in ROUND.into_iter().filter(|(value, _)| (lo..=hi).contains(value)) {
        // A tick of its own wants a twelfth of the axis.
        let apart = |last: &(f64, String)| (value / last.0).ln() > (hi / lo).ln() / 12.0;
        if kept.last().is_none_or(apart) {
            kept.push((value, text.to_owned()));
        }
    }
    kept
}

/// `value` seconds in the unit in which an axis that ends at `hi` seconds is best read.
fn compact(value: f64, hi: f64) -> String {
    let unit = match hi {
        // Holds of a minute or two are compared with timers that are written in seconds.
        hi if (1.5..301.0).contains(&hi) => &TIME_UNITS[3],
        hi => TIME_UNITS.iter().find(|unit| hi >= unit.from).unwrap_or(&TIME_UNITS[5]),
    };
    format!("{} {}", trimmed(value / unit.seconds, 6), unit.name)
}

/// A number beside an axis: `0.5`, `800`, `16k`, `1.5M`, `60 billion`.
pub(super) fn short(value: f64) -> String {
    let (size, unit) = match value.abs() {
        v if v >= 1e9 => (1e9, " billion"),
        v if v >= 1e6 => (1e6, "M"),
        v if v >= 1e3 => (1e3, "k"),
        v if v >= 1e-3 || v == 0.0 => (1.0, ""),
        _ => return format!("{value:.0e}"),
    };
    format!("{}{unit}", trimmed(value / size, 4))
}

/// `value` with at most `places` decimals and no idle zeros.
pub(super) fn trimmed(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let text = if text.contains('.') { text.trim_end_matches('0') } else { &text };
    text.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few_for_every_length_of_axis() {
        for power in -6..12 {
            for factor in [1.0, 1.7, 3.0, 6.1, 9.9] {
                let hi = factor * 10f64.powi(power);
                for ticks in [number_ticks(hi, 5), count_ticks(hi.max(1.0)), time_ticks(hi).1] {
                    assert!((2..=14).contains(&ticks.len()), "{hi}: {ticks:?}");
                }
                let log = log_time_ticks(hi, hi * 3.0);
                assert!((2..=8).contains(&log.len()), "{hi}: {log:?}");
            }
        }
    }

    #[test]
    fn a_time_axis_counts_in_the_unit_that_suits_its_length() {
        let units = [0.001, 0.5, 120.0, 600.0, 86_400.0, 3.15e7].map(|secs| time_ticks(secs).0);
        assert_eq!(units, ["µs", "ms", "s", "min", "h", "d"]);
    }

    #[test]
    fn values_beyond_the_panel_lie_on_its_edge() {
        let scale = Scale::Log(1.0, 100.0);
        let shares = [-1.0, 0.5, 10.0, 1e9, f64::NAN].map(|value| scale.share(value));
        assert_eq!(shares, [0.0, 0.0, 0.5, 1.0, 0.0]);
        assert_eq!(Scale::Linear(0.0, 0.0).share(0.0), 0.0);
    }
}
