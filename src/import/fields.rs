//! Numbers, times and addresses out of the bytes of a record.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::traffic::Micros;

/// Seconds of a moment that a record can have: up to the year 5138.
const LATEST_S: i64 = 100_000_000_000;
/// The longest connection: ten years.
const LONGEST_S: i64 = 10 * 366 * 86_400;

/// A port that a connection can have.
pub(super) fn port(text: &[u8]) -> Result<u16, String> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok());
    match number {
        Some(0) => Err("port 0 is none".to_owned()),
        Some(port) => u16::try_from(port).map_err(|_| format!("{port} is not a port")),
        None => Err(format!("`{}` is not a port", shown(text))),
    }
}

/// An address; IPv4 within IPv6 is IPv4, as both take the same ports.
pub(super) fn address(text: &[u8]) -> Result<IpAddr, String> {
    let parsed = match ipv4(text) {
        Some(address) => Some(IpAddr::V4(address)),
        None => std::str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok()),
    };
    parsed
        .map(|address| address.to_canonical())
        .ok_or_else(|| format!("`{}` is not an address", shown(text)))
}

/// The usual case by hand: a record has two of them in each row.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    if text.len() > 15 {
        return None;
    }
    let mut octets = [0_u8; 4];
    let (mut index, mut value, mut digits) = (0, 0_u16, 0);
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + u16::from(byte - b'0');
                digits += 1;
                if digits > 3 || value > 255 {
                    return None;
                }
            }
            b'.' if digits > 0 && index < 3 => {
                octets[index] = value as u8;
                (index, value, digits) = (index + 1, 0, 0);
            }
            _ => return None,
        }
    }
    octets[3] = value as u8;
    (index == 3 && digits > 0).then(|| Ipv4Addr::from(octets))
}

/// Seconds with decimals as whole microseconds, without a detour over floating point; `scale` is how many
/// microseconds the unit has.
fn decimal(text: &[u8], scale: i64) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let point = digits.iter().position(|&byte| byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = (&digits[..point], digits.get(point + 1..).unwrap_or_default());
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut micros = 0_i64;
    for &byte in whole {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        micros = micros.checked_mul(10)?.checked_add(i64::from(digit))?;
    }
    micros = micros.checked_mul(scale)?;
    let mut place = scale;
    let mut rounded = false;
    for &byte in fraction {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        if place >= 10 {
            place /= 10;
            micros = micros.checked_add(i64::from(digit) * place)?;
        } else if !rounded {
            micros = micros.checked_add(i64::from(digit >= 5))?;
            rounded = true;
        }
    }
    Some(if negative { -micros } else { micros })
}

/// A unit of times that are plain numbers, in microseconds or parts of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

/// A plain number of `unit` as microseconds.
pub(super) fn number(text: &[u8], unit: Unit) -> Option<i64> {
    let exact = match unit {
        Unit::Seconds => decimal(text, 1_000_000),
        Unit::Millis => decimal(text, 1_000),
        Unit::Micros => decimal(text, 1),
        Unit::Nanos => decimal(text, 1).map(|nanos| nanos.div_euclid(1_000)),
    };
    // `1.5e-05` is how some programs write a short time.
    exact.or_else(|| {
        let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        let micros = match unit {
            Unit::Seconds => value * 1e6,
            Unit::Millis => value * 1e3,
            Unit::Micros => value,
            Unit::Nanos => value / 1e3,
        };
        (micros.abs() < LATEST_S as f64 * 1e6).then(|| micros.round() as i64)
    })
}

/// A moment: a plain number of `unit` since 1970, or RFC 3339; without a zone it is UTC.
pub(super) fn moment(text: &[u8], unit: Unit) -> Result<Micros, String> {
    let micros = number(text, unit).or_else(|| rfc3339(text)).or_else(|| without_zone(text));
    let valid = |micros: &Micros| micros.unsigned_abs() <= (LATEST_S * 1_000_000).unsigned_abs();
    micros.filter(valid).ok_or_else(|| format!("`{}` is not a time", shown(text)))
}

/// `2026-11-24T10:42:10.123456Z`.
pub(super) fn rfc3339(text: &[u8]) -> Option<Micros> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// `2026-11-24 10:42:10.123456`, which is taken for UTC.
fn without_zone(text: &[u8]) -> Option<Micros> {
    let civil: jiff::civil::DateTime = std::str::from_utf8(text).ok()?.parse().ok()?;
    jiff::tz::Offset::UTC.to_timestamp(civil).ok().map(jiff::Timestamp::as_microsecond)
}

/// The unit that a plain number of seconds since 1970 is likelier to be in, by its digits: those of these
/// years have 10 in seconds, and three more in each smaller unit.
pub(super) fn likelier_unit(text: &[u8]) -> Option<&'static str> {
    let whole = text.split(|&byte| byte == b'.').next().unwrap_or_default();
    match whole.len() {
        _ if !whole.iter().all(u8::is_ascii_digit) => None,
        12..=14 => Some("ms"),
        15..=17 => Some("us"),
        18..=20 => Some("ns"),
        _ => None,
    }
}

/// A span of time from microseconds that were told.
pub(super) fn span(micros: i64) -> Result<Duration, String> {
    match micros {
        ..0 => Err("a negative duration".to_owned()),
        _ if micros > LONGEST_S * 1_000_000 => Err("a duration of more than ten years".to_owned()),
        _ => Ok(Duration::from_micros(micros.unsigned_abs())),
    }
}

/// A duration: a plain number of `unit`, or a number with its unit.
pub(super) fn duration(text: &[u8], unit: Unit) -> Result<Duration, String> {
    if let Some(micros) = number(text, unit) {
        return span(micros);
    }
    let worded = std::str::from_utf8(text).ok().and_then(crate::scenario::duration);
    worded
        .map(|span| Duration::from_nanos(span.as_nanos()))
        .ok_or_else(|| format!("`{}` is not a duration", shown(text)))
}

/// A field as a message shows it.
pub(super) fn shown(text: &[u8]) -> String {
    super::tally::excerpt(text, 24)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_keep_their_microseconds() {
        for (text, unit, micros) in [
            ("1763980930.123456", Unit::Seconds, 1_763_980_930_123_456),
            ("1763980930", Unit::Seconds, 1_763_980_930_000_000),
            ("0.0000015", Unit::Seconds, 2),
            ("-1.5", Unit::Seconds, -1_500_000),
            ("1763980930123", Unit::Millis, 1_763_980_930_123_000),
            ("12.5", Unit::Millis, 12_500),
            ("1763980930123456789", Unit::Nanos, 1_763_980_930_123_456),
            ("1.5e-05", Unit::Seconds, 15),
            (".5", Unit::Seconds, 500_000),
        ] {
            assert_eq!(number(text.as_bytes(), unit), Some(micros), "{text}");
        }
        for wrong in ["", ".", "-", "1.2.3", "x", "1,5", "nan", "inf", "1e400"] {
            assert_eq!(number(wrong.as_bytes(), Unit::Seconds), None, "{wrong}");
        }
    }

    #[test]
    fn moments_are_numbers_or_rfc_3339() {
        let at = moment(b"2026-11-24T10:42:10.25Z", Unit::Seconds).unwrap();
        assert_eq!(at, 1_795_516_930_250_000);
        assert_eq!(moment(b"2026-11-24T11:42:10.25+01:00", Unit::Seconds), Ok(at));
        assert_eq!(moment(b"2026-11-24 10:42:10.25", Unit::Seconds), Ok(at), "UTC without a zone");
        assert_eq!(moment(b"2026-11-24 11:42:10.25+01:00", Unit::Seconds), Ok(at));
        assert!(moment(b"yesterday", Unit::Seconds).is_err());
        assert!(moment(b"99999999999999", Unit::Seconds).is_err());
    }

    #[test]
    fn a_number_that_is_no_second_of_these_years_is_likelier_in_another_unit() {
        for (text, unit) in [
            ("1763980930123", Some("ms")),
            ("1763980930123.5", Some("ms")),
            ("1763980930123456", Some("us")),
            ("1763980930123456789", Some("ns")),
            ("1763980930", None),
            ("yesterday at 1", None),
        ] {
            assert_eq!(likelier_unit(text.as_bytes()), unit, "{text}");
        }
    }

    #[test]
    fn durations_are_never_negative_or_endless() {
        assert_eq!(duration(b"0.25", Unit::Seconds), Ok(Duration::from_millis(250)));
        assert_eq!(duration(b"250 ms", Unit::Seconds), Ok(Duration::from_millis(250)));
        assert_eq!(duration(b"-1", Unit::Seconds), Err("a negative duration".to_owned()));
        assert!(duration(b"1e12", Unit::Seconds).is_err());
    }

    #[test]
    fn ports_are_from_1_to_65535() {
        assert_eq!(port(b"65535"), Ok(65_535));
        for wrong in ["0", "70000", "-1", "http", "", "99999999999999999999"] {
            assert!(port(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn addresses_are_read_as_the_standard_library_does(octets in any::<[u8; 4]>()) {
            let address_of = Ipv4Addr::from(octets);
            prop_assert_eq!(ipv4(address_of.to_string().as_bytes()), Some(address_of));
        }

        #[test]
        fn nonsense_is_no_number_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
            let _ = (number(&bytes, Unit::Seconds), address(&bytes), port(&bytes));
            let _ = (moment(&bytes, Unit::Nanos), duration(&bytes, Unit::Millis));
        }
    }

    #[test]
    fn addresses_in_all_spellings() {
        assert_eq!(address(b"::ffff:10.0.0.1"), Ok(IpAddr::from([10, 0, 0, 1])));
        assert!(address(b"2001:db8::1").unwrap().is_ipv6());
        for wrong in ["10.0.0", "10.0.0.256", "10.0.0.1.2", "1..2.3", "host", "", "1.2.3."] {
            assert!(address(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
