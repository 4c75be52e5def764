//! What stands behind flags, read once: times, shares, ports, keys with values.

use portsim::model::PortRange;
use portsim::scenario::Override;
use portsim::units::SimDuration;

pub(super) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

/// A time from `least` to `most`, both as a person would write them.
fn time(text: &str, least: &str, most: &str) -> Result<SimDuration, String> {
    let of = |text| portsim::scenario::duration(text);
    let told = || format!("write a time with its unit, from '{least}' to '{most}'");
    let time = of(text).ok_or_else(told)?;
    let allowed = of(least).expect("the least is a time")..=of(most).expect("the most is a time");
    if allowed.contains(&time) { Ok(time) } else { Err(told()) }
}

/// How much of a scenario is run on a kernel.
pub(super) fn length(text: &str) -> Result<SimDuration, String> {
    time(text, "1 s", "10 min")
}

/// For how long this machine is watched.
pub(super) fn watched(text: &str) -> Result<SimDuration, String> {
    time(text, "1 s", "7 d")
}

/// How often it is looked at.
pub(super) fn every(text: &str) -> Result<SimDuration, String> {
    time(text, "100 ms", "1 h")
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    let told = || "write a share such as 80%, above 0% and up to 100%".to_owned();
    let (number, of) = match text.trim().strip_suffix('%') {
        Some(number) => (number.trim(), 100.0),
        None => (text.trim(), 1.0),
    };
    let share = number.parse::<f64>().map_err(|_| told())? / of;
    if share > 0.0 && share <= 1.0 { Ok(share) } else { Err(told()) }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    let told = || "a port is a number from 1 to 65535".to_owned();
    text.parse().ok().filter(|&port| port > 0).ok_or_else(told)
}

pub(super) fn port_range(text: &str) -> Result<PortRange, String> {
    let ends = text.split_once(['-', ' ']);
    let port = |text: &str| text.trim().parse::<u16>().ok();
    ends.and_then(|(min, max)| PortRange::new(port(min)?, port(max)?))
        .ok_or_else(|| "write the lowest and the highest port, for example 32768-60999".to_owned())
}

pub(super) fn key_value(text: &str) -> Result<Override, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok(Override { key: key.trim().to_owned(), value: value.trim().to_owned() })
        }
        _ => Err("write KEY=VALUE, for example run.duration='1 min'".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_without_a_key_is_refused() {
        assert!(key_value("=3").is_err());
        assert!(key_value("run.seed").is_err());
        assert_eq!(key_value("a=b=c").unwrap().value, "b=c");
    }

    #[test]
    fn a_share_is_a_per_cent_or_a_part_of_one() {
        assert_eq!((share("80%"), share("80 %"), share("0.8")), (Ok(0.8), Ok(0.8), Ok(0.8)));
        for wrong in ["0", "120%", "1.2", "much", "NaN%"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_outside_its_bounds_is_told_them() {
        assert_eq!(every("250 ms"), Ok(SimDuration::from_millis(250)));
        assert!(every("10 ms").unwrap_err().contains("from '100 ms' to '1 h'"));
        assert!(watched("60").unwrap_err().contains("with its unit"));
    }
}
