//! How far the reading of a record is: a line that is written over on a terminal, else one now and then.

use std::io::{self, IsTerminal, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use portsim::numbers::{count, percent};

use super::super::terminal::talk;

/// Shorter readings show no progress.
const PATIENCE: Duration = Duration::from_secs(2);
const HEARTBEAT: Duration = Duration::from_secs(30);
const REFRESH: Duration = Duration::from_millis(200);

/// What was read, by whoever reads; shown by a thread of its own.
pub struct Meter {
    shown: bool,
    started: Instant,
    /// Bytes of all files together, where that is known.
    total: Option<u64>,
    bytes: AtomicU64,
    rows: AtomicU64,
    finished: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Meter {
    /// Nothing was read yet; never shown unless `shown`.
    pub fn new(total: Option<u64>, shown: bool) -> Self {
        Self {
            shown,
            started: Instant::now(),
            total,
            bytes: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            finished: AtomicBool::new(false),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Counts rows.
    pub fn rows(&self, more: u64) {
        self.rows.fetch_add(more, Ordering::Relaxed);
    }

    /// `input`, whose bytes are counted as they are read.
    pub fn watch<R: Read>(&self, input: R) -> impl Read {
        Metered { input, meter: self }
    }

    /// Ends [`Meter::show`].
    pub fn finish(&self) {
        let _held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.finished.store(true, Ordering::SeqCst);
        self.wake.notify_all();
    }

    /// Shows how far it is until [`Meter::finish`].
    pub fn show(&self) {
        let on_terminal = io::stderr().is_terminal();
        let mut heartbeat = HEARTBEAT;
        let mut bar: Option<ProgressBar> = None;
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.shown && !self.finished.load(Ordering::SeqCst) {
            held = self.wake.wait_timeout(held, REFRESH).unwrap_or_else(PoisonError::into_inner).0;
            let elapsed = self.started.elapsed();
            if self.finished.load(Ordering::SeqCst) || elapsed < PATIENCE {
                continue;
            }
            if on_terminal {
                bar.get_or_insert_with(line).set_message(self.told(elapsed));
            } else if elapsed >= heartbeat {
                heartbeat += HEARTBEAT;
                talk(&format!("reading: {}", self.told(elapsed)));
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }

    fn told(&self, elapsed: Duration) -> String {
        let (bytes, rows) = (self.bytes.load(Ordering::Relaxed), self.rows.load(Ordering::Relaxed));
        told(bytes, self.total, rows, elapsed)
    }
}

/// `41 % of 1,204 MB, 3,510,272 rows, 1,150,000 / s`.
fn told(bytes: u64, total: Option<u64>, rows: u64, elapsed: Duration) -> String {
    let megabytes = |bytes: u64| count(bytes.div_ceil(1_000_000));
    let done = match total.filter(|total| *total > 0) {
        Some(total) => {
            let share = (bytes as f64 / total as f64).min(1.0);
            format!("{} of {} MB", percent(share), megabytes(total))
        }
        None => format!("{} MB", megabytes(bytes)),
    };
    let rate = rows as f64 / elapsed.as_secs_f64().max(0.001);
    format!("{done}, {} rows, {} / s", count(rows), count((rate / 1e3) as u64 * 1_000))
}

fn line() -> ProgressBar {
    let style = ProgressStyle::with_template("reading: {wide_msg}").expect("the template is sound");
    ProgressBar::new_spinner().with_style(style)
}

struct Metered<'a, R> {
    input: R,
    meter: &'a Meter,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.meter.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_in_bytes_and_rows() {
        let elapsed = Duration::from_secs(3);
        let text = told(500_000_000, Some(1_204_000_000), 3_510_272, elapsed);
        assert_eq!(text, "42 % of 1,204 MB, 3,510,272 rows, 1,170,000 / s");
        assert_eq!(told(1_500_000, None, 4_096, elapsed), "2 MB, 4,096 rows, 1,000 / s");
    }

    #[test]
    fn bytes_are_counted_as_they_are_read() {
        let meter = Meter::new(None, false);
        io::copy(&mut meter.watch(&b"12345"[..]), &mut io::sink()).unwrap();
        assert_eq!(meter.bytes.load(Ordering::Relaxed), 5);
    }
}
