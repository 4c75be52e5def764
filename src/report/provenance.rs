//! `run.json`: what differs between two runs of the same result: when, where, how long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::report::json::pretty;

/// How one scenario came to be run.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// The scenario's name.
    pub scenario: String,
    /// Version of portsim.
    pub version: &'static str,
    /// When it was finished, UTC: `2026-11-23T13:05:33Z`.
    pub finished_at: String,
    /// Wall-clock seconds that the simulation took; others may have run beside it.
    pub simulated_in_s: f64,
    /// Attempts simulated per wall-clock second, warm-up left out of the count.
    pub attempts_per_s: Option<f64>,
    /// Threads of the pool that all scenarios shared.
    pub threads: usize,
    /// True when the run was interrupted.
    pub partial: bool,
    /// The files beside it that this run has written; the next one may remove them.
    pub files: Vec<String>,
    /// The command line.
    pub command_line: Vec<String>,
    /// The machine.
    pub machine: Machine,
}

/// What is known of the machine without asking anything but the standard library and `/proc`.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Operating system and architecture the program was built for: `linux x86_64`.
    pub platform: String,
    /// Kernel release, where the system says.
    pub kernel: Option<String>,
    /// Name of the machine, where the system says.
    pub hostname: Option<String>,
    /// Cores that the program may use.
    pub cores: Option<usize>,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn this() -> Self {
        let read = |path| {
            let text = std::fs::read_to_string(path).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        Self {
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            kernel: read("/proc/sys/kernel/osrelease"),
            hostname: read("/proc/sys/kernel/hostname"),
            cores: std::thread::available_parallelism().ok().map(usize::from),
        }
    }
}

impl Provenance {
    /// The bytes of `run.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        pretty(self)
    }
}

/// `attempts / elapsed`, unless the time was too short to measure.
#[must_use]
pub fn attempts_per_s(attempts: u64, elapsed: Duration) -> Option<f64> {
    let seconds = elapsed.as_secs_f64();
    (seconds > 0.0).then(|| (attempts as f64 / seconds).round())
}

/// A moment as RFC 3339 in UTC, whole seconds; the epoch for a clock set before it.
#[must_use]
pub fn utc(moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
    // Days to a civil date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
    // civil_from_days), for dates from 1970 on: years begin in March, so that the leap day is last.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) =
        (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_utc() {
        for (seconds, shown) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn no_time_gives_no_speed() {
        assert_eq!(attempts_per_s(5, Duration::ZERO), None);
        assert_eq!(attempts_per_s(5, Duration::from_secs(2)), Some(3.0));
    }
}
