//! Ports as a person writes them: `32768-60999`, and lists such as `60103,40000-40009`.

use std::ops::Range;

use super::scan::Wrong;
use super::suggest::shown;
use crate::model::PortRange;

/// A range of ports, or one port alone, lowest first.
///
/// A space between the two, as in `net.ipv4.ip_local_port_range`, is as good as a `-`.
pub(crate) fn port_range(text: &str) -> Result<PortRange, Wrong> {
    let example = "write the lowest and the highest port, for example \"32768-60999\"";
    let (low, high) = match split(text) {
        Some((low, high)) => (low, high),
        None => (0..text.len(), 0..text.len()),
    };
    let min = port(text, low, example)?;
    let max = port(text, high, example)?;
    PortRange::new(min, max).ok_or_else(|| Wrong {
        message: format!("the range {min}-{max} is upside down"),
        label: "the lowest port must come first".to_owned(),
        help: format!("write \"{max}-{min}\""),
        range: 0..text.len(),
    })
}

/// Ranges and single ports between commas (`net.ipv4.ip_local_reserved_ports`).
pub(crate) fn port_list(text: &str) -> Result<Vec<PortRange>, Vec<Wrong>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut ranges = Vec::new();
    let mut wrongs = Vec::new();
    let mut start = 0;
    for item in text.split(',') {
        match port_range(item) {
            Ok(range) => ranges.push(range),
            Err(wrong) => {
                let range = wrong.range.start + start..wrong.range.end + start;
                wrongs.push(Wrong { range, ..wrong });
            }
        }
        start += item.len() + 1;
    }
    if wrongs.is_empty() { Ok(ranges) } else { Err(wrongs) }
}

/// Why a number is no port that a connection can have.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAPort {
    #[error("port 0 cannot be used: it means \"any port\"")]
    Any,
    #[error("{0} is not a port: ports are 1 to 65535")]
    Negative(i128),
    #[error("port {0} does not exist: the highest is 65535")]
    TooHigh(i128),
}

/// Is `number` a port that a connection can have?
pub(crate) fn checked_port(number: i128) -> Result<u16, NotAPort> {
    match u16::try_from(number) {
        Ok(0) => Err(NotAPort::Any),
        Ok(port) => Ok(port),
        Err(_) if number < 0 => Err(NotAPort::Negative(number)),
        Err(_) => Err(NotAPort::TooHigh(number)),
    }
}

/// The places of the two ports of a range in `text`; `None` when it is one port alone.
fn split(text: &str) -> Option<(Range<usize>, Range<usize>)> {
    let trimmed = text.trim();
    let start = text.len() - text.trim_start().len();
    let (at, width) = ["..=", "..", "-", "–", " to ", ":", "\t", " "]
        .iter()
        .find_map(|separator| trimmed.find(separator).map(|at| (at, separator.len())))?;
    Some((start..start + at, start + at + width..start + trimmed.len()))
}

fn port(text: &str, range: Range<usize>, example: &str) -> Result<u16, Wrong> {
    let part = &text[range.clone()];
    let indent = part.len() - part.trim_start().len();
    let digits = part.trim();
    let range = range.start + indent..range.start + indent + digits.len();
    let wrong = |message: String, label: &str, range: Range<usize>| Wrong {
        message,
        label: label.to_owned(),
        help: example.to_owned(),
        range,
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = 0..text.len();
        let message = format!("`{}` is not a port or a range of ports", shown(text));
        return Err(wrong(message, "a port or a range was expected", whole));
    }
    // More digits than any number of ports can have saturate, and are refused as too high.
    let number = digits.parse().unwrap_or(i128::MAX);
    if number > 1_000_000_000 {
        let message = format!("port {} does not exist: the highest is 65535", shown(digits));
        return Err(wrong(message, "not a port", range));
    }
    checked_port(number).map_err(|why| wrong(why.to_string(), "not a port", range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_people_and_sysctl_write_them() {
        for text in ["32768-60999", " 32768 - 60999 ", "32768 60999", "32768\t60999", "32768–60999"]
        {
            let range = port_range(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
            assert_eq!((range.min_ephemeral(), range.max_ephemeral()), (32_768, 60_999));
        }
        assert_eq!(port_range("80").unwrap().num_ephemeral(), 1);
    }

    #[test]
    fn a_list_is_ports_and_ranges_between_commas() {
        let ranges = port_list("60103, 40000-40009").unwrap();
        assert_eq!(ranges.iter().map(|range| range.num_ephemeral()).sum::<u32>(), 11);
        assert_eq!(port_list(" ").unwrap(), []);
    }

    #[test]
    fn what_is_not_a_port_is_pointed_at() {
        for (text, blamed, message) in [
            ("1024-70000", "70000", "port 70000 does not exist"),
            ("0-100", "0", "port 0 cannot be used"),
            ("60999-32768", "60999-32768", "upside down"),
            ("many", "many", "not a port or a range"),
            ("", "", "not a port or a range"),
            ("-5", "-5", "not a port"),
            (
                "1-99999999999999999999999999999999999999999999",
                "99999999999999999999999999999999999999999999",
                "does not exist",
            ),
        ] {
            let wrong = port_range(text).unwrap_err();
            assert!(wrong.message.contains(message), "{text}: {}", wrong.message);
            assert_eq!(&text[wrong.range], blamed, "{text}");
        }
        let text = "1,70000,2-,x";
        let wrongs = port_list(text).unwrap_err();
        let blamed: Vec<&str> = wrongs.iter().map(|wrong| &text[wrong.range.clone()]).collect();
        assert_eq!(blamed, ["70000", "2-", "x"]);
    }
}
