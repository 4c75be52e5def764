//! Moments of a record as a person reads them.

use crate::numbers::span;
use crate::traffic::Micros;

/// Before this, a moment counts from the start of an experiment and not from 1970: ten years.
const REAL: Micros = 10 * 366 * 86_400 * 1_000_000;

/// `2026-11-24 10:42:10 UTC`, or `12.5 s` in a record that counts from its own start.
///
/// ```
/// assert_eq!(portsim::import::clock(1_795_516_930_250_000), "2026-11-24 10:42:10 UTC");
/// assert_eq!(portsim::import::clock(12_500_000), "12.5 s");
/// ```
#[must_use]
pub fn clock(at: Micros) -> String {
    let moment = jiff::Timestamp::from_microsecond(at).ok().filter(|_| at >= REAL);
    match moment {
        Some(moment) => moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => span(at as f64 * 1e-6),
    }
}

/// The same of a moment that was told to a program.
#[must_use]
pub fn clock_of(told: &str) -> String {
    match (told.parse::<jiff::Timestamp>(), told.parse::<f64>()) {
        (Ok(moment), _) => clock(moment.as_microsecond()),
        (_, Ok(seconds)) => clock((seconds * 1e6).round() as i64),
        _ => told.to_owned(),
    }
}

/// The same for programs: RFC 3339, or seconds.
pub(super) fn rfc3339(at: Micros) -> String {
    let moment = jiff::Timestamp::from_microsecond(at).ok().filter(|_| at >= REAL);
    moment.map_or_else(|| format!("{}", at as f64 * 1e-6), |moment| moment.to_string())
}
