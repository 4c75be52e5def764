//! Figures, texts and comments as a scenario has them.

use std::time::Duration;

/// Columns of a comment.
const WIDTH: usize = 100;

/// A string of TOML: a name from a record may hold anything.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ if letter.is_control() => quoted.push(' '),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// A name as a key of TOML: bare where that can be.
pub(super) fn key(name: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A paragraph as comment lines.
pub(super) fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut column = WIDTH;
    for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()) {
        let length = word.chars().count();
        let unit = ["/", "s", "*", "=", "%", "ms", "min", "h"].contains(&word);
        if column + 1 + length > WIDTH && !(unit && column < WIDTH) {
            lines.push_str(if lines.is_empty() { "#" } else { "\n#" });
            column = 1;
        }
        lines.push(' ');
        lines.push_str(word);
        column += 1 + length;
    }
    lines.push('\n');
    lines
}

/// A rate with the six digits that no record is better than: `123.457 / s`.
pub(super) fn rate(per_second: f64) -> String {
    format!("{} / s", digits(per_second, 6))
}

/// A time as a scenario takes it, with four digits: `20.5 ms`, `3612 s`.
pub(super) fn time(span: Duration) -> String {
    // Ten years is the longest that a scenario takes.
    let nanos = span.min(Duration::from_secs(3_652 * 86_400)).as_nanos() as f64;
    let (size, unit) = match nanos {
        n if n < 999.5 => (1.0, "ns"),
        n if n < 999.5e3 => (1e3, "us"),
        n if n < 999.5e6 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    let value = nanos / size;
    if value == 0.0 {
        return "0 s".to_owned();
    }
    format!("{} {unit}", digits(value, 4))
}

/// So many significant digits, no zeros behind them, and never an exponent.
fn digits(value: f64, significant: i32) -> String {
    let magnitude = value.abs().max(1e-9).log10().floor() as i32;
    let places = (significant - 1 - magnitude).clamp(0, 14) as usize;
    let text = format!("{value:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Shares of what was counted, the largest first: `client 71 %, server 29 %`.
pub(super) fn shares(counts: &[(&'static str, u64)]) -> Vec<(&'static str, f64)> {
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut shares: Vec<(&'static str, f64)> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|&(word, count)| (word, count as f64 / all as f64))
        .collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_a_record_cannot_break_the_file() {
        assert_eq!(quoted("a\"b\\c\n\u{1b}"), "\"a\\\"b\\\\c  \"");
        assert_eq!(
            (key("web-1").as_str(), key("10.0.0.5:443").as_str()),
            ("web-1", "\"10.0.0.5:443\"")
        );
        assert_eq!(comment("one\n[host.x]"), "# one [host.x]\n");
    }

    #[test]
    fn a_comment_is_broken_between_words() {
        let text = comment(&"words ".repeat(40));
        assert!(text.lines().all(|line| line.starts_with("# ") && line.len() <= WIDTH), "{text}");
        assert_eq!(text.matches("words").count(), 40);
    }

    #[test]
    fn figures_keep_their_digits() {
        assert_eq!(rate(600.0), "600 / s");
        assert_eq!(rate(1.0 / 3.0), "0.333333 / s");
        assert_eq!(rate(123_456.7), "123457 / s");
        assert_eq!(rate(2.5e-7), "0.00000025 / s");
        assert_eq!(time(Duration::from_micros(20_500)), "20.5 ms");
        assert_eq!(time(Duration::from_micros(13_266)), "13.27 ms");
        assert_eq!(time(Duration::from_nanos(999_700)), "0.9997 ms");
        assert_eq!(time(Duration::from_nanos(7)), "7 ns");
        assert_eq!(time(Duration::from_millis(3_600_250)), "3600 s");
        assert_eq!(time(Duration::MAX), "315532800 s");
    }
}
