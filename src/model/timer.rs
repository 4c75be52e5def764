//! Timers, rounded as the platform rounds them.
//!
//! Linux keeps timers in a wheel whose far levels are coarse: a 60 s timer at HZ=250 fires on a
//! grid of 2.048 s, so TIME-WAIT lasts 60 to 62.05 s, 61.02 s on average, and ports come free in
//! batches. All timers of a host share the grid; where it lies against the start of a run is
//! arbitrary, so it is drawn once for each host and run.

use crate::units::{NANOS_PER_SECOND, SimDuration, SimTime};

/// How a platform rounds the end of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimerGrid {
    /// Timers fire when they are due.
    Exact,
    /// The Linux timer wheel at this HZ (`kernel/time/timer.c`, since 4.8).
    LinuxWheel {
        /// Jiffies a second (`CONFIG_HZ`), above zero.
        hz: u32,
    },
}

impl TimerGrid {
    /// The grid on which a timer of length `timeout` fires; zero when it is exact.
    ///
    /// Source: `kernel/time/timer.c:calc_wheel_index` and `LVL_START`, Linux 6.18: level `L` is the
    /// smallest with `timeout < 63 * 8^L` jiffies and has a granularity of `8^L` jiffies
    /// (`LVL_GRAN`). There are 9 levels at HZ above 100 and 8 at 100 and below (`LVL_DEPTH`); a
    /// longer timeout is cut to the wheel's capacity, 12 days at HZ=1000 and out of reach of
    /// TIME-WAIT.
    ///
    /// ```
    /// use portsim::model::TimerGrid;
    /// use portsim::units::SimDuration;
    /// let wheel = TimerGrid::LinuxWheel { hz: 250 };
    /// assert_eq!(wheel.step(SimDuration::from_secs(60)), SimDuration::from_millis(2048));
    /// ```
    #[must_use]
    pub fn step(self, timeout: SimDuration) -> SimDuration {
        let Self::LinuxWheel { hz } = self else { return SimDuration::ZERO };
        let jiffies =
            u128::from(timeout.as_nanos()) * u128::from(hz) / u128::from(NANOS_PER_SECOND);
        let mut step: u64 = 1;
        while jiffies >= 63 * u128::from(step) && step < 8_u64.pow(8) {
            step *= 8;
        }
        SimDuration::from_nanos(
            (u128::from(step) * u128::from(NANOS_PER_SECOND) / u128::from(hz)) as u64,
        )
    }

    /// Mean length of a timer of `timeout` that starts at an arbitrary moment.
    #[must_use]
    pub fn mean(self, timeout: SimDuration) -> SimDuration {
        timeout + SimDuration::from_nanos(self.step(timeout).as_nanos() / 2)
    }
}

/// The timers of one host in one run: all of them fire on the same absolute grid.
///
/// The wheel's levels are nested: a point of a coarse grid is one of every finer grid too (at HZ=300,
/// whose jiffies are no whole nanoseconds, to within microseconds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerWheel {
    grid: TimerGrid,
    /// How long after the start of the run a point of even the coarsest grid lies, in nanoseconds.
    origin: u64,
}

impl TimerWheel {
    /// The timers of a host whose grid for timers of `timeout` lies `phase` (0 to 1 of a step) late;
    /// where the coarser grids lie follows from `coarser`, any number.
    ///
    /// # Panics
    /// When `phase` is not in `0.0..1.0`.
    #[must_use]
    pub fn new(grid: TimerGrid, timeout: SimDuration, phase: f64, coarser: u64) -> Self {
        assert!((0.0..1.0).contains(&phase), "phase {phase} is not in 0..1");
        let step = grid.step(timeout).as_nanos();
        // Three levels further up are 12 days at HZ=1000: coarser than any timer of TCP.
        Self { grid, origin: (phase * step as f64) as u64 + step * (coarser % 512) }
    }

    /// A timer of `timeout` on this wheel.
    #[must_use]
    pub fn timer(self, timeout: SimDuration) -> Timer {
        let step = self.grid.step(timeout).as_nanos();
        let phase = if step == 0 { 0 } else { self.origin % step };
        Timer { timeout: timeout.as_nanos(), step, phase }
    }

    /// When a timer of `timeout` set at `start` fires.
    #[must_use]
    pub fn expires(self, start: SimTime, timeout: SimDuration) -> SimTime {
        self.timer(timeout).expires(start)
    }
}

/// One length of timers on one host in one run: a timeout and, where timers have a grid, its step and
/// phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    timeout: u64,
    step: u64,
    phase: u64,
}

impl Timer {
    /// A timer of `timeout` on `grid`, whose grid points lie `phase` (0 to 1 of a step) late.
    ///
    /// # Panics
    /// When `phase` is not in `0.0..1.0`.
    #[must_use]
    pub fn new(timeout: SimDuration, grid: TimerGrid, phase: f64) -> Self {
        assert!((0.0..1.0).contains(&phase), "phase {phase} is not in 0..1");
        let step = grid.step(timeout).as_nanos();
        Self { timeout: timeout.as_nanos(), step, phase: (phase * step as f64) as u64 }
    }

    /// A timer that fires when it is due.
    #[must_use]
    pub const fn exact(timeout: SimDuration) -> Self {
        Self { timeout: timeout.as_nanos(), step: 0, phase: 0 }
    }

    /// When something that lasts `timeout` by a clock that ticks every `step` is over: at the first tick
    /// by which more than `timeout` has passed since the tick at or before its start. Ticks lie `phase`
    /// (0 to 1 of a step) late.
    #[must_use]
    pub fn by_clock(timeout: SimDuration, step: SimDuration, phase: f64) -> Self {
        let step = step.as_nanos();
        Self { timeout: timeout.as_nanos(), step, phase: (phase * step as f64) as u64 }
    }

    /// When a timer set at `start` fires: `start + timeout`, then the next grid point after it.
    #[must_use]
    pub fn expires(self, start: SimTime) -> SimTime {
        let due = start.as_nanos().saturating_add(self.timeout);
        // `calc_index` adds a step before it rounds down, so that a timer never fires early.
        let fires = match self.step {
            0 => due,
            step => {
                let shifted = due.saturating_add(step - self.phase);
                shifted.saturating_sub(shifted % step).saturating_add(self.phase)
            }
        };
        SimTime::from_nanos(fires)
    }

    /// How long before the start of the run a timer may have been set and not have fired at it.
    ///
    /// The last grid point at or before the start fired all that were due before it, so what was
    /// set less than a timeout before that point is still there.
    #[must_use]
    pub const fn oldest_at_start(self) -> SimDuration {
        let since_grid_point = if self.phase == 0 { 0 } else { self.step - self.phase };
        SimDuration::from_nanos(self.timeout.saturating_add(since_grid_point))
    }

    /// When a timer fires that was set `ago` before the start of the run, at most
    /// [`Timer::oldest_at_start`].
    #[must_use]
    pub fn expires_if_set_before(self, ago: SimDuration) -> SimTime {
        match self.timeout.checked_sub(ago.as_nanos()) {
            Some(due) => Self { timeout: due, ..self }.expires(SimTime::START),
            // Due before the start, between two grid points: the next one is the first of the run.
            None if self.phase == 0 => SimTime::from_nanos(self.step),
            None => SimTime::from_nanos(self.phase),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_of_a_minute_follows_from_hz() {
        for (hz, step_ms) in [(100, 5_120.0), (250, 2_048.0), (300, 1_706.666), (1000, 4_096.0)] {
            let step = TimerGrid::LinuxWheel { hz }.step(SimDuration::from_secs(60));
            assert!((step.as_secs_f64() * 1e3 - step_ms).abs() < 0.001, "HZ={hz}: {step}");
        }
    }

    #[test]
    fn shorter_timers_have_finer_grids() {
        let wheel = TimerGrid::LinuxWheel { hz: 250 };
        for (secs, step_ms) in [(1, 32), (5, 256), (20, 2_048), (32, 2_048), (64, 2_048)] {
            assert_eq!(
                wheel.step(SimDuration::from_secs(secs)),
                SimDuration::from_millis(step_ms),
                "{secs} s"
            );
        }
    }

    #[test]
    fn a_timer_fires_on_the_next_grid_point_after_it_is_due() {
        let minute = SimDuration::from_secs(60);
        let timer = Timer::new(minute, TimerGrid::LinuxWheel { hz: 250 }, 0.25);
        let phase = 512_000_000;
        for start in [0, 1, 511_999_999, 512_000_000, 2_048_000_000, 77_777_777_777] {
            let fires = timer.expires(SimTime::from_nanos(start)).as_nanos();
            assert_eq!(fires % 2_048_000_000, phase, "off the grid");
            let held = fires - start;
            assert!(held > 60_000_000_000 && held <= 62_048_000_000, "held {held} ns");
        }
    }

    #[test]
    fn a_timer_set_before_the_start_fires_where_it_would_have() {
        let (minute, wheel) = (SimDuration::from_secs(60), TimerGrid::LinuxWheel { hz: 250 });
        for phase in [0.0, 0.25, 0.9] {
            let timer = Timer::new(minute, wheel, phase);
            // The same grid, seen from 50 grid steps earlier.
            let shift = 50 * timer.step;
            for ago in [0, 1, 30_000_000_000, timer.oldest_at_start().as_nanos() - 1] {
                let from_then = timer.expires(SimTime::from_nanos(shift - ago)).as_nanos() - shift;
                let fires = timer.expires_if_set_before(SimDuration::from_nanos(ago));
                assert_eq!(fires.as_nanos(), from_then, "phase {phase}, set {ago} ns before");
            }
        }
    }

    #[test]
    fn the_grids_of_a_wheel_are_nested() {
        for hz in [100, 250, 1000] {
            let minute = SimDuration::from_secs(60);
            let wheel = TimerWheel::new(TimerGrid::LinuxWheel { hz }, minute, 0.4, 77);
            let coarse = wheel.timer(SimDuration::from_secs(600));
            for secs in [1, 5, 60] {
                let fine = wheel.timer(SimDuration::from_secs(secs));
                assert_eq!(coarse.phase % fine.step, fine.phase, "HZ={hz}, {secs} s");
            }
        }
    }

    /// Measured on Linux 6.18 with `tcp_tw_reuse_delay` 1000 and 300: 1.000 to 1.002 s and 0.301 to 0.302 s.
    #[test]
    fn an_age_in_milliseconds_is_passed_within_one_of_them() {
        let millisecond = SimDuration::from_millis(1);
        let timer = Timer::by_clock(SimDuration::from_millis(300), millisecond, 0.3);
        for start in [0, 299_999, 300_000, 300_001, 5_777_777] {
            let age = timer.expires(SimTime::from_nanos(start)).as_nanos() - start;
            assert!(age > 300_000_000 && age <= 301_000_000, "{age} ns");
        }
    }

    #[test]
    fn without_a_grid_a_timer_fires_when_due() {
        let timer = Timer::new(SimDuration::from_secs(30), TimerGrid::Exact, 0.5);
        assert_eq!(timer.expires(SimTime::from_nanos(7)).as_nanos(), 30_000_000_007);
    }
}
