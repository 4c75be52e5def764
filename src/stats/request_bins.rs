//! Requests over time: made, answered and failed in each bin, and how many connections are idle.

use super::window::Window;
use crate::units::{SimDuration, SimTime};

/// What happened to requests in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    made: u64,
    served: u64,
    failed: u64,
    /// Nanoseconds times idle connections.
    idle: u128,
}

/// Requests by bin; no bins where none was ever made.
#[derive(Clone, Debug, Default)]
pub struct RequestBins(Vec<Cell>);

/// A moment of the timeline of requests: means over replications.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RequestRow {
    /// When the bin begins, in seconds.
    pub start: f64,
    /// When it ends.
    pub end: f64,
    /// Requests made a second.
    pub made: f64,
    /// Requests answered a second.
    pub served: f64,
    /// Requests failed a second.
    pub failed: f64,
    /// Idle connections.
    pub idle: f64,
}

impl RequestBins {
    #[inline]
    fn cell(&mut self, window: Window, at: SimTime) -> &mut Cell {
        if self.0.is_empty() {
            self.0.resize(window.bins(), Cell::default());
        }
        &mut self.0[window.place(at.as_nanos()).0]
    }

    /// A request is made.
    #[inline]
    pub fn made(&mut self, window: Window, at: SimTime) {
        self.cell(window, at).made += 1;
    }

    /// A request is answered.
    #[inline]
    pub fn served(&mut self, window: Window, at: SimTime) {
        self.cell(window, at).served += 1;
    }

    /// A request failed for good.
    pub fn failed(&mut self, window: Window, at: SimTime) {
        self.cell(window, at).failed += 1;
    }

    /// So many connections were idle from `since` to `to`.
    #[inline]
    pub fn idle(&mut self, window: Window, count: u32, [since, to]: [SimTime; 2]) {
        let end = to.as_nanos().min(window.end());
        let mut from = since.as_nanos();
        if count == 0 || from >= end {
            return;
        }
        let mut index = window.place(from).0;
        self.cell(window, since);
        while from < end {
            let until = window.bin_end(index).min(end);
            self.0[index].idle += u128::from(count) * u128::from(until - from);
            (from, index) = (until, index + 1);
        }
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for (sum, more) in self.0.iter_mut().zip(&other.0) {
            sum.made += more.made;
            sum.served += more.served;
            sum.failed += more.failed;
            sum.idle += more.idle;
        }
    }

    /// The means over so many replications; nothing where no request was made.
    #[must_use]
    pub fn rows(&self, window: Window, replications: u32) -> Vec<RequestRow> {
        let runs = f64::from(replications.max(1));
        let mut start = 0;
        let row = |(index, cell): (usize, &Cell)| {
            let end = window.bin_end(index);
            let length = (end - start) as f64 * 1e-9;
            let [from, to] = [start, end].map(|nanos| SimDuration::from_nanos(nanos).as_secs_f64());
            start = end;
            let rate = |count: u64| count as f64 / length / runs;
            RequestRow {
                start: from,
                end: to,
                made: rate(cell.made),
                served: rate(cell.served),
                failed: rate(cell.failed),
                idle: cell.idle as f64 * 1e-9 / length / runs,
            }
        };
        self.0.iter().enumerate().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_idle_over_several_bins_is_in_each() {
        let secs = SimDuration::from_secs;
        let window = Window::new(SimDuration::ZERO, secs(10));
        let at = |s: u64| SimTime::START + secs(s);
        let mut bins = RequestBins::default();
        bins.made(window, at(0));
        bins.idle(window, 3, [at(2), at(20)]);
        let rows = bins.rows(window, 1);
        let whole: f64 = rows.iter().map(|row| row.idle * (row.end - row.start)).sum();
        assert!((whole - 24.0).abs() < 1e-9, "{whole}");
        let last = rows.last().expect("there are bins");
        assert!(last.end == 10.0 && (last.idle - 3.0).abs() < 1e-9, "{last:?}");
        assert!(RequestBins::default().rows(window, 1).is_empty());
    }
}
