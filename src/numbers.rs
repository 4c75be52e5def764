//! Figures as a person reads them: thousands separated, a unit on each, no more digits than known.
//!
//! Tables, sentences and pictures all write them here, so that a figure looks the same wherever it is
//! met. A time has one unit and three digits (`12.5 min`), a share two (`5.4 %`). A 95 % interval, which need
//! not have its figure in the middle, is `33.02 % (32.94-33.10)`; the least and the most of several are
//! `40.5 s to 41.6 s`.

/// A whole number with thousands separated: `28,232`.
///
/// ```
/// assert_eq!(portsim::numbers::count(1_234_567), "1,234,567");
/// ```
#[must_use]
pub fn count(value: u64) -> String {
    group(&value.to_string())
}

/// A number that need not be whole, three digits at least: `17,321`, `41.2`, `0.00314`.
#[must_use]
pub fn amount(value: f64) -> String {
    let places = if value.fract() == 0.0 { 0 } else { decimals(value, 3) };
    fixed(value, places)
}

/// A share of 1 as a per cent: `33 %`, `5.4 %`, `0.020 %`, `99.95 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    percent_to(share, decimals(share * 100.0, 2))
}

/// A share of 1 as a per cent with one digit more than [`percent`], for comparing: `33.0 %`, `25 %`.
#[must_use]
pub fn fine_percent(share: f64) -> String {
    let value = share * 100.0;
    let is_whole = (value - value.round()).abs() < 1e-9;
    percent_to(share, if is_whole { 0 } else { decimals(value, 3).max(1) })
}

fn percent_to(share: f64, places: usize) -> String {
    let value = share * 100.0;
    // Rounding must not turn "nearly all" into "all".
    let (value, places) = match value {
        v if (99.5..100.0).contains(&v) => ((v * 100.0).round().min(9_999.0) / 100.0, 2),
        v if v == 100.0 => (v, 0),
        v => (v, places),
    };
    format!("{} %", fixed(value, places))
}

/// A share with as many digits as [`percent_with_interval`] gives to one that lies in `lo` to `hi`, to be
/// held against it.
#[must_use]
pub fn percent_beside(share: f64, lo: f64, hi: f64) -> String {
    if lo == hi {
        return percent(share);
    }
    format!("{} %", fixed(share * 100.0, decimals(half_width(lo, hi) * 100.0, 1)))
}

/// An estimate of a share with its 95 % interval, both with the digits that the interval bears out:
/// `33.02 % (32.97-33.07)`. With `known` false (one replication) there is no interval to show.
#[must_use]
pub fn percent_with_interval(mean: f64, lo: f64, hi: f64, known: bool) -> String {
    if !known || lo == hi {
        return percent(mean);
    }
    let places = decimals(half_width(lo, hi) * 100.0, 1);
    let [low, high] = [lo, hi].map(|end| fixed(end * 100.0, places));
    format!("{} ({low}-{high})", percent_beside(mean, lo, hi))
}

/// An estimate with its 95 % interval: `17,321 (17,309-17,333)`.
#[must_use]
pub fn amount_with_interval(mean: f64, lo: f64, hi: f64, known: bool) -> String {
    if !known || lo == hi {
        return amount(mean);
    }
    let places = decimals(half_width(lo, hi), 1);
    let [mean, lo, hi] = [mean, lo, hi].map(|value| fixed(value, places));
    format!("{mean} ({lo}-{hi})")
}

/// A span in seconds in the unit that a person would choose: `250 ms`, `41.0 s`, `12.5 min`.
#[must_use]
pub fn span(seconds: f64) -> String {
    if seconds == 0.0 {
        return "0 s".to_owned();
    }
    let (size, unit) = time_unit(seconds);
    let value = seconds / size;
    format!("{} {unit}", fixed(value, decimals(value, 3)))
}

/// A moment and the interval around it, in one unit: `41.0 s (40.8-41.2)`.
#[must_use]
pub fn span_with_interval(seconds: f64, lo: f64, hi: f64) -> String {
    if lo == hi {
        return span(seconds);
    }
    let (size, unit) = time_unit(seconds);
    // A wide interval must not leave the moment itself without digits.
    let places = decimals((hi - lo) / size / 2.0, 1).max(decimals(seconds / size, 2));
    let [mid, lo, hi] = [seconds, lo, hi].map(|s| fixed(s / size, places));
    format!("{mid} {unit} ({lo}-{hi})")
}

/// A rate: `400 / s`, `0.5 / s`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    format!("{} / s", shortened(&amount(per_second)))
}

/// A rate that may be slow, by the second, the minute, the hour or the day: `36 / h`.
#[must_use]
pub fn slow_rate(per_second: f64) -> String {
    let units = [(1.0, "s"), (60.0, "min"), (3_600.0, "h")];
    let unit = units.into_iter().find(|(secs, _)| per_second * secs >= 1.0);
    let (secs, unit) = unit.unwrap_or((86_400.0, "d"));
    format!("{} / {unit}", shortened(&amount(per_second * secs)))
}

/// Without zeros at the end of a fraction.
fn shortened(number: &str) -> &str {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    }
}

/// A rate that is not to be exceeded: [`rate`], rounded down.
#[must_use]
pub fn rate_at_most(per_second: f64) -> String {
    if per_second <= 0.0 || !per_second.is_finite() {
        return rate(per_second);
    }
    let unit = 10_f64.powi(per_second.log10().floor() as i32 - 2).min(1.0);
    rate((per_second / unit * (1.0 + 1e-12)).floor() * unit)
}

/// `1 port`, `2 ports`.
#[must_use]
pub fn plural(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(value), if value == 1 { one } else { many })
}

fn half_width(lo: f64, hi: f64) -> f64 {
    (hi - lo) / 2.0
}

/// Minutes begin where they do on the time axis of a picture.
fn time_unit(seconds: f64) -> (f64, &'static str) {
    match seconds.abs() {
        s if s < 0.999_5e-6 => (1e-9, "ns"),
        s if s < 0.999_5e-3 => (1e-6, "µs"),
        s if s < 0.999_5 => (1e-3, "ms"),
        s if s < 299.5 => (1.0, "s"),
        s if s < 7_195.0 => (60.0, "min"),
        s if s < 172_500.0 => (3_600.0, "h"),
        _ => (86_400.0, "d"),
    }
}

/// Decimals after the point that show `digits` significant digits of `value`, at most 9.
fn decimals(value: f64, digits: i32) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    let magnitude = |value: f64| value.log10().floor() as i32;
    // 9.996 is 10.0 to three digits, and not 10.00.
    let half_of_last = 0.5 * 10_f64.powi(magnitude(value.abs()) + 1 - digits);
    (digits - 1 - magnitude(value.abs() + half_of_last)).clamp(0, 9) as usize
}

/// `value` with that many decimals, trailing zeros of whole numbers dropped, thousands separated.
fn fixed(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "-".to_owned() } else { "unbounded".to_owned() };
    }
    let text = format!("{value:.places$}");
    let text = if text.trim_start_matches(['-', '0', '.']).is_empty() { "0" } else { &text };
    group(text)
}

fn group(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut grouped = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (value, shown) in [(0, "0"), (999, "999"), (1_000, "1,000"), (28_232, "28,232")] {
            assert_eq!(count(value), shown);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn an_amount_shows_three_digits_and_never_cuts_a_whole_number() {
        for (value, shown) in [
            (0.0, "0"),
            (17_321.4, "17,321"),
            (268.49, "268"),
            (2.0, "2"),
            (41.04, "41.0"),
            (0.003_14, "0.00314"),
            (-1_234.0, "-1,234"),
            (f64::INFINITY, "unbounded"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(amount(value), shown);
        }
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        for (share, shown) in [
            (0.0, "0 %"),
            (1.0, "100 %"),
            (0.33, "33 %"),
            (0.054_1, "5.4 %"),
            (0.000_2, "0.020 %"),
            (0.999, "99.90 %"),
            (0.999_96, "99.99 %"),
            (0.099_6, "10 %"),
        ] {
            assert_eq!(percent(share), shown);
        }
    }

    #[test]
    fn an_interval_decides_how_many_digits_are_shown() {
        assert_eq!(
            percent_with_interval(0.330_21, 0.329_7, 0.330_7, true),
            "33.02 % (32.97-33.07)"
        );
        assert_eq!(percent_with_interval(0.330_21, 0.31, 0.35, true), "33 % (31-35)");
        assert_eq!(percent_with_interval(0.25, 0.25, 0.25, false), "25 %");
        assert_eq!(
            amount_with_interval(17_321.0, 17_309.0, 17_333.0, true),
            "17,321 (17,309-17,333)"
        );
    }

    #[test]
    fn moments_and_their_interval_share_a_unit() {
        assert_eq!(span_with_interval(41.04, 40.83, 41.21), "41.0 s (40.8-41.2)");
        assert_eq!(span_with_interval(41.0, 41.0, 41.0), "41.0 s");
        assert_eq!(span_with_interval(184.0, 84.0, 295.0), "184 s (84-295)");
        assert_eq!(span(0.25), "250 ms");
        assert_eq!(span(750.0), "12.5 min");
        assert_eq!(span(0.0), "0 s");
        assert_eq!(span(2e-5), "20.0 µs");
        assert_eq!(span(0.999_7), "1.00 s");
        assert_eq!(span(304.0), "5.07 min");
        assert_eq!(span(3.2e7), "370 d");
        for (per_second, shown) in
            [(400.0, "400 / s"), (0.5, "0.5 / s"), (39.999_8, "40 / s"), (1.25, "1.25 / s")]
        {
            assert_eq!(rate(per_second), shown);
        }
    }
}
