//! The wall clock of an experiment, and the wish to stop it.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Failure;

/// No sleep is longer, so that a wish to stop is heard.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// Seconds since the experiment began; every wait goes through it.
pub(super) struct Clock<'a> {
    start: Instant,
    /// How long after its time something was done at worst.
    late_s: Cell<f64>,
    stop: &'a AtomicBool,
}

impl<'a> Clock<'a> {
    /// Begins now.
    pub(super) fn start(stop: &'a AtomicBool) -> Self {
        Self { start: Instant::now(), late_s: Cell::new(0.0), stop }
    }

    /// Begins anew, now: setting up is no part of the experiment.
    pub(super) fn restart(&mut self) {
        self.start = Instant::now();
        self.late_s.set(0.0);
    }

    /// Seconds that something came after its time, at worst.
    pub(super) fn late_s(&self) -> f64 {
        self.late_s.get()
    }

    /// Seconds since the beginning.
    pub(super) fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Sleeps until `due`, in seconds since the beginning; not at all when that is past.
    pub(super) fn sleep_until(&self, due: f64) -> Result<(), Failure> {
        let due = self.start + Duration::from_secs_f64(due.max(0.0));
        loop {
            self.go_on()?;
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let late_s = due.elapsed().as_secs_f64();
                self.late_s.set(self.late_s.get().max(late_s));
                return Ok(());
            }
            thread::sleep(left.min(LONGEST_SLEEP));
        }
    }

    /// Fails when the experiment is to stop.
    pub(super) fn go_on(&self) -> Result<(), Failure> {
        if self.stop.load(Ordering::Relaxed) { Err(Failure::Stopped) } else { Ok(()) }
    }
}
