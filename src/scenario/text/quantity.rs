//! Numbers with units as a person writes them: `250 ms`, `1 min 30 s`, `36k / min`, `25 %`.
//!
//! A quantity without its unit is refused and never guessed: `60` may be seconds or milliseconds,
//! and a simulation that is off by a thousand looks like a discovery.

use std::ops::Range;

use super::scan::{Scan, Wrong};
use super::suggest::{nearest, shown};
use crate::units::{NANOS_PER_SECOND, SimDuration};

/// Longest span of time that a scenario may name: ten years of 365.25 days.
const LONGEST_S: f64 = 10.0 * 365.25 * 86_400.0;
/// Highest rate that a scenario may name, a second.
const HIGHEST_RATE: f64 = 1e9;
/// Lowest rate above zero that a scenario may name, a second: once in 30 years.
const LOWEST_RATE: f64 = 1e-9;

/// Units of time: the name that messages use, nanoseconds, and other spellings.
const TIMES: [(&str, f64, &[&str]); 8] = [
    ("ns", 1.0, &["nanosecond", "nanoseconds", "nsec"]),
    ("us", 1e3, &["µs", "μs", "usec", "microsecond", "microseconds"]),
    ("ms", 1e6, &["msec", "msecs", "millisecond", "milliseconds", "millis"]),
    ("s", 1e9, &["sec", "secs", "second", "seconds"]),
    ("min", 60e9, &["mins", "minute", "minutes"]),
    ("h", 3_600e9, &["hr", "hrs", "hour", "hours"]),
    ("d", 86_400e9, &["day", "days"]),
    ("w", 604_800e9, &["week", "weeks"]),
];

/// Nanoseconds in the unit called `name`.
fn time_unit(name: &str) -> Option<f64> {
    let name = name.to_lowercase();
    TIMES
        .iter()
        .find(|(unit, _, others)| *unit == name || others.contains(&name.as_str()))
        .map(|&(_, nanos, _)| nanos)
}

/// Every spelling of every unit of time.
pub(crate) fn time_units() -> impl Iterator<Item = &'static str> {
    TIMES.iter().flat_map(|(name, _, others)| std::iter::once(*name).chain(others.iter().copied()))
}

/// A span of time as people write it, `90 s` or `2 min`; `None` for what is none.
///
/// ```
/// use portsim::units::SimDuration;
/// assert_eq!(portsim::scenario::duration("1.5 min"), Some(SimDuration::from_secs(90)));
/// assert_eq!(portsim::scenario::duration("soon"), None);
/// ```
#[must_use]
pub fn span(text: &str) -> Option<SimDuration> {
    duration(text).ok()
}

/// A span of time: one or more numbers with units, which are added up.
pub(crate) fn duration(text: &str) -> Result<SimDuration, Wrong> {
    let example = "write a number and a unit, for example \"250 ms\", \"60 s\" or \"10 min\"";
    let mut rest = Scan::new(text);
    let mut nanos = 0.0;
    rest.skip_space();
    if rest.is_done() {
        return Err(rest.wrong(0..text.len(), "this is empty", "no time is given", example));
    }
    while !rest.is_done() {
        let (number, number_at) = rest.number("a span of time", example)?;
        rest.skip_space();
        let (unit, unit_at) = rest.word();
        if unit.is_empty() {
            return Err(rest.no_unit(number_at, number, &["s", "ms", "min"]));
        }
        let Some(size) = time_unit(unit) else { return Err(unknown_time(text, unit, unit_at)) };
        nanos += number * size;
        rest.skip_space();
    }
    if nanos > LONGEST_S * 1e9 {
        return Err(rest.wrong(
            0..text.len(),
            format!("`{}` is longer than ten years", shown(text)),
            "too long",
            "the longest span of time is \"3652 d\"",
        ));
    }
    // Rounded to the nanosecond; whole seconds are exact for all of the ten years.
    Ok(SimDuration::from_nanos((nanos + 0.5) as u64))
}

fn unknown_time(text: &str, unit: &str, at: Range<usize>) -> Wrong {
    let number = text[..at.start].trim();
    let (message, help) = if unit.eq_ignore_ascii_case("m") {
        (
            "`m` may be minutes or milliseconds".to_owned(),
            format!("write \"{0} min\" or \"{0} ms\"", shown(number)),
        )
    } else {
        let meant = match nearest(unit, time_units()) {
            Some(name) if unit.len() > 1 => format!("did you mean `{name}`? "),
            _ => String::new(),
        };
        (
            format!("`{}` is not a unit of time", shown(unit)),
            format!("{meant}units of time are ns, us, ms, s, min, h, d and w"),
        )
    };
    Wrong { message, label: "this unit is not known".to_owned(), help, range: at }
}

/// What comes at a rate, as people write it in front of the slash.
const EVENTS: [&str; 14] = [
    "req",
    "reqs",
    "request",
    "requests",
    "conn",
    "conns",
    "connection",
    "connections",
    "attempt",
    "attempts",
    "call",
    "calls",
    "query",
    "queries",
];

/// Rates a second in one word.
const A_SECOND: [&str; 4] = ["rps", "cps", "qps", "hz"];

/// Events a second: `600 / s`, `900 req/s`, `900 rps`, `36k / min`, `1 per 10 s`.
pub(crate) fn rate(text: &str) -> Result<f64, Wrong> {
    let example = "write a number, a slash and a unit of time, for example \"600 / s\"";
    let mut rest = Scan::new(text);
    rest.skip_space();
    let (number, number_at) = rest.number("a rate", example)?;
    rest.skip_space();
    let (mut word, mut word_at) = rest.word();
    let mut number = number;
    if let Some(times) = multiplier(word) {
        number *= times;
        rest.skip_space();
        (word, word_at) = rest.word();
    }
    let is_one_of = |words: &[&str]| words.contains(&word.to_lowercase().as_str());
    if is_one_of(&A_SECOND) {
        rest.skip_space();
        rest.nothing_more(example)?;
        return per_second(text, number, 1.0);
    }
    match word {
        "" => {}
        "per" => rest.at = word_at.start,
        _ if is_one_of(&EVENTS) => {}
        _ => {
            let hint = "k, M and G mean thousand, million and billion: \"36k / min\"";
            let message = format!("`{}` does not belong in a rate", shown(word));
            return Err(rest.wrong(word_at, message, "not known here", hint));
        }
    }
    rest.skip_space();
    let (per, per_at) = rest.word();
    if per != "per" && !rest.take('/') {
        if per.is_empty() && rest.is_done() {
            return Err(rest.no_unit(number_at, number, &["/ s", "/ min", "/ h"]));
        }
        rest.at = per_at.start;
        return Err(rest.wrong(
            per_at.start..text.len(),
            format!("`{}` is not a rate", shown(text)),
            "a slash was expected here",
            example,
        ));
    }
    rest.skip_space();
    let period_at = rest.at;
    // "1 / 10 s" is as good as "6 / min".
    let period = if rest.starts_with_digit() { rest.number("a rate", example)?.0 } else { 1.0 };
    rest.skip_space();
    let (unit, unit_at) = rest.word();
    if unit.is_empty() {
        let range = period_at..text.len();
        return Err(rest.wrong(
            range,
            "the unit of time is missing after the slash",
            "per what?",
            example,
        ));
    }
    let Some(size) = time_unit(unit) else { return Err(unknown_time(text, unit, unit_at)) };
    rest.skip_space();
    rest.nothing_more(example)?;
    per_second(text, number, period * size / NANOS_PER_SECOND as f64)
}

/// `number` every `seconds`, when that is a rate that can be run.
fn per_second(text: &str, number: f64, seconds: f64) -> Result<f64, Wrong> {
    let wrong = |message: String, label: &str, help: &str| Wrong {
        message,
        label: label.to_owned(),
        help: help.to_owned(),
        range: 0..text.len(),
    };
    let rate = number / seconds;
    let text = shown(text);
    if number == 0.0 {
        let help = "write a rate above zero, or leave this client out";
        return Err(wrong("a rate of zero never connects".to_owned(), "nothing comes", help));
    }
    if !rate.is_finite() || rate > HIGHEST_RATE {
        let help = "the highest rate is \"1G / s\" (1e9 a second)";
        return Err(wrong(format!("`{text}` is more than 1e9 a second"), "too high", help));
    }
    if rate < LOWEST_RATE {
        let help = "the lowest rate is about once in 30 years (1e-9 a second)";
        return Err(wrong(format!("`{text}` is less than once in 30 years"), "too low", help));
    }
    Ok(rate)
}

fn multiplier(word: &str) -> Option<f64> {
    match word {
        "k" | "K" => Some(1e3),
        "M" => Some(1e6),
        "G" => Some(1e9),
        _ => None,
    }
}

/// A share of a whole, 0 to 1 or more: `25 %`, or the plain number `0.25`.
pub(crate) fn share(text: &str) -> Result<f64, Wrong> {
    let example = "write per cent, for example \"25 %\", or a plain number, for example 0.25";
    let mut rest = Scan::new(text);
    rest.skip_space();
    let (number, _) = rest.number("a share", example)?;
    rest.skip_space();
    let (word, word_at) = rest.word();
    let size = match word {
        "percent" => 0.01,
        "" => {
            if rest.take('%') {
                0.01
            } else {
                1.0
            }
        }
        _ => {
            let message = format!("`{}` is not a unit of a share", shown(word));
            return Err(rest.wrong(word_at, message, "not known here", example));
        }
    };
    rest.skip_space();
    rest.nothing_more(example)?;
    Ok(number * size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_usual_spelling() {
        for (text, nanos) in [
            ("250 ms", 250_000_000),
            ("250ms", 250_000_000),
            (" 60 s ", 60_000_000_000),
            ("10 min", 600_000_000_000),
            ("10 minutes", 600_000_000_000),
            ("1.5 h", 5_400_000_000_000),
            ("2 d", 172_800_000_000_000),
            ("5 us", 5_000),
            ("5 µs", 5_000),
            ("7 ns", 7),
            ("1 min 30 s", 90_000_000_000),
            ("1min30s", 90_000_000_000),
            ("1e-3 s", 1_000_000),
            ("1_000 ms", 1_000_000_000),
            ("0 s", 0),
            ("1 W", 604_800_000_000_000),
            ("9 YEARS", u64::MAX),
        ] {
            match duration(text) {
                Ok(span) => assert_eq!(span.as_nanos(), nanos, "{text}"),
                Err(_) => assert_eq!(nanos, u64::MAX, "{text} was refused"),
            }
        }
    }

    #[test]
    fn rates_are_read_in_every_usual_spelling() {
        for (text, per_second) in [
            ("600 / s", 600.0),
            ("600/s", 600.0),
            ("600 per second", 600.0),
            ("36k / min", 600.0),
            ("36 k/min", 600.0),
            ("1.2 M/h", 1.2e6 / 3_600.0),
            ("1 / 10 s", 0.1),
            ("1G / s", 1e9),
            ("900 req/s", 900.0),
            ("900 requests / s", 900.0),
            ("36k conn/min", 600.0),
            ("900 rps", 900.0),
            ("1.5k RPS", 1_500.0),
            ("60 connections per minute", 1.0),
        ] {
            let rate = rate(text).unwrap_or_else(|wrong| panic!("{text}: {}", wrong.message));
            assert!((rate / per_second - 1.0).abs() < 1e-12, "{text}: {rate}");
        }
    }

    #[test]
    fn shares_are_per_cent_or_plain_numbers() {
        for (text, value) in [("25 %", 0.25), ("25%", 0.25), ("0.25", 0.25), ("1 percent", 0.01)] {
            assert_eq!(share(text).unwrap(), value, "{text}");
        }
    }

    #[track_caller]
    fn refused<T>(result: Result<T, Wrong>, text: &str, blamed: &str, message: &str, help: &str) {
        let Err(wrong) = result else { panic!("`{text}` was accepted") };
        assert!(wrong.message.contains(message), "{text}: {}", wrong.message);
        assert!(wrong.help.contains(help), "{text}: {}", wrong.help);
        assert_eq!(&text[wrong.range], blamed, "{text}: the wrong part is blamed");
    }

    #[test]
    fn a_wrong_duration_is_told_what_to_type_instead() {
        for (text, blamed, message, help) in [
            ("60", "60", "unit is missing", "\"60 s\""),
            ("10 m", "m", "minutes or milliseconds", "\"10 min\" or \"10 ms\""),
            ("10 sceonds", "sceonds", "not a unit of time", "did you mean `seconds`"),
            ("10 fortnights", "fortnights", "not a unit of time", "ns, us, ms"),
            ("-5 s", "-5 s", "cannot be negative", "\"60 s\""),
            ("1,5 s", "1,", "comma", "1.5"),
            ("", "", "empty", "\"60 s\""),
            ("NaN s", "NaN s", "not a span of time", "\"60 s\""),
            ("1e300 s", "1e300 s", "longer than ten years", "3652 d"),
            ("1e999 s", "1e999", "proportion", "\"60 s\""),
            ("11 y", "y", "not a unit", "d and w"),
            ("4000 d", "4000 d", "ten years", "3652 d"),
            ("1.2.3 s", "1.2.3 s", "not a span of time", "\"60 s\""),
            ("1 min 30", "30", "unit is missing", "\"30 s\""),
        ] {
            refused(duration(text), text, blamed, message, help);
        }
    }

    #[test]
    fn a_wrong_rate_is_told_what_to_type_instead() {
        for (text, blamed, message, help) in [
            ("600", "600", "unit is missing", "\"600 / s\""),
            ("600 rps / s", "/ s", "not understood", "\"600 / s\""),
            ("600 apples/s", "apples", "does not belong", "k, M and G"),
            ("600 /", "", "missing after the slash", "\"600 / s\""),
            ("600 / sx", "sx", "not a unit of time", "units of time"),
            ("600 / m", "m", "minutes or milliseconds", "min"),
            ("0 / s", "0 / s", "zero never connects", "above zero"),
            ("-1 / s", "-1 / s", "cannot be negative", "\"600 / s\""),
            ("1e300/s", "1e300/s", "more than 1e9", "1e9"),
            ("2G / s", "2G / s", "more than 1e9", "1e9"),
            ("1 / 0 s", "1 / 0 s", "more than 1e9", "1e9"),
            ("1e-12 / s", "1e-12 / s", "once in 30 years", "1e-9"),
            ("fast", "fast", "not a rate", "\"600 / s\""),
            ("600 / s or so", "or so", "not understood", "\"600 / s\""),
            ("600 k 5 / s", "5 / s", "is not a rate", "\"600 / s\""),
        ] {
            refused(rate(text), text, blamed, message, help);
        }
    }
}
