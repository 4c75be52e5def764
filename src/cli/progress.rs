//! How far a run is: a bar with the time left on a terminal, else a line now and then.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use portsim::numbers;
use portsim::replicate::Watch;
use portsim::units::SimDuration;

use super::interrupt;
use super::terminal::talk;

/// Shorter runs show no progress.
const PATIENCE: Duration = Duration::from_secs(2);
const HEARTBEAT: Duration = Duration::from_secs(30);
const REFRESH: Duration = Duration::from_millis(200);

/// The whole run counts this many units, so that shares add up without a lock.
const WHOLE: f64 = 1e12;

/// Progress of all scenarios together.
pub struct Progress {
    what: String,
    shown: bool,
    started: Instant,
    done: AtomicI64,
    finished: AtomicBool,
    bar: Mutex<Option<ProgressBar>>,
    wake: Condvar,
}

impl Progress {
    /// Nothing is done of `what` yet; never shown unless `shown`.
    pub fn new(what: String, shown: bool) -> Self {
        Self {
            what,
            shown,
            started: Instant::now(),
            done: AtomicI64::new(0),
            finished: AtomicBool::new(false),
            bar: Mutex::new(None),
            wake: Condvar::new(),
        }
    }

    /// Watches one scenario that is `weight` (0 to 1) of everything.
    pub fn of_part(&self, weight: f64) -> ScenarioProgress<'_> {
        ScenarioProgress { progress: self, weight }
    }

    /// Shows progress until the value of [`Progress::finish_on_drop`] is dropped; for a thread of its own.
    pub fn show(&self) {
        let on_terminal = std::io::stderr().is_terminal();
        let mut heartbeat = HEARTBEAT;
        let mut bar = self.lock();
        while self.shown && !self.finished.load(Ordering::SeqCst) {
            bar = self.wake.wait_timeout(bar, REFRESH).unwrap_or_else(PoisonError::into_inner).0;
            let elapsed = self.started.elapsed();
            if self.finished.load(Ordering::SeqCst) || elapsed < PATIENCE {
                continue;
            }
            if on_terminal {
                let bar = bar.get_or_insert_with(|| new_bar(&self.what));
                bar.set_position((self.share() * 1_000.0) as u64);
                bar.set_message(self.left(elapsed));
            } else if elapsed >= heartbeat {
                heartbeat += HEARTBEAT;
                let share = numbers::percent(self.share());
                talk(&format!("{}: {share} done, {}", self.what, self.left(elapsed)));
            }
        }
        if let Some(bar) = bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Ends [`Progress::show`] when dropped, also by a panic: nobody would wait for it otherwise.
    pub fn finish_on_drop(&self) -> impl Drop + '_ {
        struct Finish<'a>(&'a Progress);
        impl Drop for Finish<'_> {
            fn drop(&mut self) {
                let _bar = self.0.lock();
                self.0.finished.store(true, Ordering::SeqCst);
                self.0.wake.notify_all();
            }
        }
        Finish(self)
    }

    /// Does something that prints, with the bar out of the way.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &*self.lock() {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn share(&self) -> f64 {
        (self.done.load(Ordering::Relaxed) as f64 / WHOLE).clamp(0.0, 1.0)
    }

    fn left(&self, elapsed: Duration) -> String {
        time_left(self.share(), elapsed)
    }
}

/// `about 12 s left`, from how long the share done has taken.
fn time_left(share: f64, elapsed: Duration) -> String {
    if share < 0.001 {
        return "time left not known yet".to_owned();
    }
    if share >= 1.0 {
        return "writing results".to_owned();
    }
    let seconds = elapsed.as_secs_f64() * (1.0 - share) / share;
    format!("about {} left", SimDuration::from_secs_f64(coarse(seconds)))
}

/// Rounded up to what can be known of it.
fn coarse(seconds: f64) -> f64 {
    let step = match seconds {
        s if s < 120.0 => 1.0,
        s if s < 7_200.0 => 60.0,
        _ => 3_600.0,
    };
    (seconds / step).ceil() * step
}

fn new_bar(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{wide_bar}] {percent:>3} %  {msg}")
        .expect("the template is sound")
        .progress_chars("=> ");
    ProgressBar::new(1_000).with_style(style).with_prefix(what.to_owned())
}

/// One scenario's share of the progress.
pub struct ScenarioProgress<'a> {
    progress: &'a Progress,
    weight: f64,
}

impl Watch for ScenarioProgress<'_> {
    fn advanced(&self, share: f64) {
        let units = (share * self.weight * WHOLE) as i64;
        self.progress.done.fetch_add(units, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        interrupt::stopped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_share_done() {
        let ten = Duration::from_secs(10);
        assert_eq!(time_left(0.25, ten), "about 30 s left");
        assert_eq!(time_left(0.0, ten), "time left not known yet");
        assert_eq!(time_left(1.0, ten), "writing results");
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let progress = Progress::new("two scenarios".into(), false);
        progress.of_part(0.25).advanced(1.0);
        progress.of_part(0.75).advanced(0.5);
        assert!((progress.share() - 0.625).abs() < 1e-9);
    }
}
