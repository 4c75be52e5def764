//! Figures as people write them: `16,384`, `33 %`, `41.0 s`, `5 min 4 s`, `16k`.

use crate::units::SimDuration;

/// A whole number with its thousands apart: `28,232`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 port`, `2 ports`.
pub(super) fn plural(n: u64, one: &str) -> String {
    format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A share (0 to 1) in percent, two digits or more; what is not nothing is never shown as nothing,
/// and what is not all is never shown as all.
pub(super) fn percent(share: f64) -> String {
    let percent = if share.is_finite() { share * 100.0 } else { 0.0 };
    match percent {
        p if p <= 0.0 => "0 %".to_owned(),
        p if p < 0.01 => "under 0.01 %".to_owned(),
        p if p < 1.0 => format!("{p:.2} %"),
        p if p < 9.95 => format!("{p:.1} %"),
        p if p < 99.0 => format!("{p:.0} %"),
        p if p < 100.0 => format!("{:.1} %", (p * 10.0).floor() / 10.0),
        p => format!("{p:.0} %"),
    }
}

/// A moment or a span of `secs` seconds, to three digits or to the second; minutes begin where they
/// do on the time axis.
pub(super) fn seconds(secs: f64) -> String {
    let secs = if secs.is_finite() { secs.max(0.0) } else { 0.0 };
    let whole = secs.round() as u64;
    match secs {
        0.0 => "0 s".to_owned(),
        s if s < 0.000_999_5 => format!("{} µs", digits(s * 1e6)),
        s if s < 0.999_5 => format!("{} ms", digits(s * 1e3)),
        s if s < 299.5 => format!("{} s", digits(s)),
        s if s < 7_199.5 => two_units(whole, 60, "min", "s"),
        s if s < 172_770.0 => two_units((secs / 60.0).round() as u64, 60, "h", "min"),
        s => format!("{} d", digits(s / 86_400.0)),
    }
}

/// `41.0`, `5.25`, `119`: three digits, at least those before the point.
fn digits(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

fn two_units(small: u64, small_in_large: u64, large_unit: &str, small_unit: &str) -> String {
    match (small / small_in_large, small % small_in_large) {
        (large, 0) => format!("{large} {large_unit}"),
        (large, rest) => format!("{large} {large_unit} {rest} {small_unit}"),
    }
}

/// A number beside an axis: `0.5`, `800`, `16k`, `1.5M`.
pub(super) fn short(value: f64) -> String {
    let (size, unit) = match value.abs() {
        v if v >= 1e9 => (1e9, "G"),
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

/// A span as the scenario would write it: `60 s`, `1.5 h`.
pub(super) fn span(span: SimDuration) -> String {
    span.to_string().replace("us", "µs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_write_them() {
        assert_eq!(["1", "999", "28,232", "60,000,000"], [1, 999, 28_232, 60_000_000].map(count));
        let shares = [0.0, 1e-7, 0.004, 0.0543, 0.334, 0.9999, 1.0, f64::NAN];
        let shown = ["0 %", "under 0.01 %", "0.40 %", "5.4 %", "33 %", "99.9 %", "100 %", "0 %"];
        assert_eq!(shares.map(percent), shown);
        let moments = [0.0, 2e-5, 0.25, 5.247, 41.0, 164.0, 304.0, 7_199.0, 7_380.0, 3.2e7];
        let shown = [
            "0 s",
            "20.0 µs",
            "250 ms",
            "5.25 s",
            "41.0 s",
            "164 s",
            "5 min 4 s",
            "119 min 59 s",
            "2 h 3 min",
            "370 d",
        ];
        assert_eq!(moments.map(seconds), shown);
        let ticks = [0.0, 0.25, 800.0, 16_000.0, 1_500_000.0, 6e10];
        assert_eq!(ticks.map(short), ["0", "0.25", "800", "16k", "1.5M", "60G"]);
    }
}
