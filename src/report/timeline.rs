//! `timeline.csv`: ports by state over time, one row a bin, mean and range over replications.

use std::fmt::Write;

use crate::stats::{Spread, Timeline, TimelineRow};

/// The columns after `time_s`; each comes as a mean, `_min` and `_max`.
type Series = (&'static str, fn(&TimelineRow) -> Spread);

const COLUMNS: [Series; 7] = [
    ("opened", |row| row.opened),
    ("blocked", |row| row.blocked),
    ("connecting", |row| row.connecting),
    ("established", |row| row.established),
    ("closing", |row| row.closing),
    ("time_wait", |row| row.time_wait),
    ("free", |row| row.free),
];

/// The bytes of `timeline.csv`.
///
/// Numbers only, so nothing needs quoting.
#[must_use]
pub fn to_csv(timeline: &Timeline) -> String {
    let mut text = String::from("time_s");
    for (name, _) in COLUMNS {
        write!(text, ",{name},{name}_min,{name}_max").expect("a string takes all");
    }
    text.push('\n');
    for row in &timeline.rows {
        write!(text, "{}", row.time.as_secs_f64()).expect("a string takes all");
        for (_, column) in COLUMNS {
            let Spread { mean, min, max } = column(row);
            write!(text, ",{mean},{min},{max}").expect("a string takes all");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn there_is_one_row_a_bin_under_a_header() {
        let text = to_csv(&samples::overloaded().1.timeline);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("time_s,opened,opened_min,opened_max,blocked,blocked_min,"));
        assert!(lines[0].ends_with(",free,free_min,free_max"));
        assert!(lines[2].starts_with("0.5,200,199,201.5,"), "{}", lines[2]);
        for line in &lines {
            assert_eq!(line.split(',').count(), 22);
        }
    }
}
