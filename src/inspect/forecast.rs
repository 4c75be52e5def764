//! When the ports towards a destination are gone, if things go on as they do.
//!
//! What is known now is used as it is known: each TIME-WAIT comes back when its own timer says, whatever the
//! rate is. What is open now is closed at the rate of the last seconds; where that gives a TIME-WAIT, the
//! port comes back one hold later, so within the first minute none of them does. Only the openings to come
//! are uncertain: their number up to a time `t` has a mean of `rate * t` and a variance of
//! `dispersion * rate * t` (a dispersion of one for Poisson arrivals), and the rate itself was measured for a
//! while only. Once openings come back, one hold later, they are no longer uncertain: more of them, more
//! returns.

use std::fmt;

use crate::numbers;

/// No further ahead does anything go on as it does.
pub const HORIZON_S: f64 = 600.0;
/// A forecast looks at times so far apart.
const STEP_S: f64 = 0.05;
/// Standard deviations of the 95 % interval.
const Z95: f64 = 1.96;

/// How a flow stands, and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// Ports that the next connection can have.
    pub left: f64,
    /// When ports that are taken come back, in seconds from now at the earliest; rising.
    pub returns: Vec<f64>,
    /// How much later than that they may come, in seconds.
    pub grid_s: f64,
    /// Connections opened a second.
    pub opening: f64,
    /// Variance of the number opened in a while, over its mean.
    pub dispersion: f64,
    /// For how long that was watched, in seconds.
    pub watched_s: f64,
    /// Connections closed a second whose port is free at once.
    pub freed_at_once: f64,
    /// Connections closed a second whose port goes into TIME-WAIT.
    pub closing: f64,
    /// How long that keeps a port in the mean, in seconds.
    pub hold_s: f64,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Forecast {
    /// No port is left, in so many seconds. The interval is of 95 %; without an end when it may well not
    /// come to that within [`HORIZON_S`].
    Empty {
        /// In the middle.
        seconds: f64,
        /// The early end.
        lo: f64,
        /// The late end.
        hi: Option<f64>,
    },
    /// It may come to that before [`HORIZON_S`], from this second on, but rather does not.
    Perhaps {
        /// The early end of the interval.
        lo: f64,
    },
    /// Ports last for [`HORIZON_S`].
    Lasts,
}

impl fmt::Display for Forecast {
    /// `empty in 41 s (31-55)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty { seconds: 0.0, .. } => f.pad("empty now"),
            Self::Empty { seconds, lo, hi: Some(hi) } => {
                write!(f, "empty in {}", numbers::span_with_interval(seconds, lo, hi))
            }
            Self::Empty { seconds, lo, hi: None } => {
                let (middle, early) = (numbers::span(seconds), numbers::span(lo));
                write!(f, "empty in {middle} (at the earliest {early})")
            }
            Self::Perhaps { lo } => write!(f, "perhaps empty in {} or later", numbers::span(lo)),
            Self::Lasts => f.pad("lasts"),
        }
    }
}

/// When the ports are gone.
#[must_use]
pub fn forecast(outlook: &Outlook) -> Forecast {
    let middle = outlook.first_empty(0.0);
    let early = outlook.first_empty(Z95);
    match (early, middle) {
        (_, Some(seconds)) => Forecast::Empty {
            seconds,
            lo: early.unwrap_or(seconds).min(seconds),
            hi: outlook.first_empty(-Z95),
        },
        (Some(lo), None) => Forecast::Perhaps { lo },
        (None, None) => Forecast::Lasts,
    }
}

impl Outlook {
    /// The first time at which no port is left if openings are `z` standard deviations from their mean.
    fn first_empty(&self, z: f64) -> Option<f64> {
        // Most flows of a machine are far from that: not worth a walk, and there can be thousands.
        if self.opened(HORIZON_S, HORIZON_S, z) < self.left - 0.5 {
            return None;
        }
        // A timer that fires late brings trouble forward.
        let late = self.grid_s * (0.5 + z.clamp(-1.0, 1.0) / 2.0);
        let mut back = 0;
        let mut times = (0..=(HORIZON_S / STEP_S) as u32).map(|step| f64::from(step) * STEP_S);
        times.find(|&t| {
            while self.returns.get(back).is_some_and(|due| due + late <= t) {
                back += 1;
            }
            // A port is a whole one.
            self.left + back as f64 - self.net_openings(t, z) < 0.5
        })
    }

    /// Openings until `t` less what they and those open now give back.
    fn net_openings(&self, t: f64, z: f64) -> f64 {
        let came_back = (t - self.hold_s).max(0.0);
        let share = if self.opening > 0.0 { (self.closing / self.opening).min(1.0) } else { 0.0 };
        let opened = self.opened(t, t - share * came_back, z);
        opened - self.freed_at_once * t - self.closing * came_back
    }

    /// Openings until `t`, uncertain in the last `open` seconds.
    fn opened(&self, t: f64, open: f64, z: f64) -> f64 {
        let own = self.dispersion * self.opening * open;
        let of_rate = own * open / self.watched_s.max(f64::MIN_POSITIVE);
        (self.opening * t + z * (own + of_rate).sqrt()).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    /// A hundred ports left, ten connections a second that all go into TIME-WAIT.
    fn filling() -> Outlook {
        Outlook {
            left: 100.0,
            returns: Vec::new(),
            grid_s: 2.0,
            opening: 10.0,
            dispersion: 1.0,
            watched_s: 10.0,
            freed_at_once: 0.0,
            closing: 10.0,
            hold_s: 61.0,
        }
    }

    #[test]
    fn a_range_that_nothing_comes_back_to_is_empty_when_the_rate_says() {
        let Forecast::Empty { seconds, lo, hi: Some(hi) } = forecast(&filling()) else { panic!() };
        assert!((seconds - 10.0).abs() <= 2.0 * STEP_S, "{seconds}");
        assert!(lo < seconds && seconds < hi, "{lo} {hi}");
        // 100 openings to come and 100 seen: 1.96 * sqrt(100 + 100) are 28.
        assert!((lo - 7.7).abs() < 0.5 && (hi - 13.1).abs() < 0.7, "{lo} {hi}");
    }

    #[test]
    fn what_comes_back_in_time_is_counted_on() {
        let returns = (0..600).map(|i| f64::from(i) / 10.0).collect();
        let steady = Outlook { returns, watched_s: 60.0, ..filling() };
        assert_eq!(forecast(&steady), Forecast::Lasts);
        // Ports come back as fast as they go, each half a grid late: ten fewer are left meanwhile, not more.
        let fewer = |left| forecast(&Outlook { left, dispersion: 0.0, ..steady.clone() });
        assert_eq!(fewer(22.0), Forecast::Lasts);
        assert!(matches!(fewer(8.0), Forecast::Empty { .. }), "{:?}", fewer(8.0));
        // A rate that was watched for ten seconds may be a third higher: 200 of 610 ports.
        let seen_short = Outlook { watched_s: 10.0, ..steady };
        assert!(matches!(forecast(&seen_short), Forecast::Perhaps { .. }));
    }

    #[test]
    fn connections_whose_port_is_free_at_once_take_nothing() {
        let outlook = Outlook { freed_at_once: 10.0, closing: 0.0, dispersion: 0.0, ..filling() };
        assert_eq!(forecast(&outlook), Forecast::Lasts);
    }

    #[test]
    fn a_range_without_a_port_is_empty_now_and_an_idle_one_lasts() {
        let outlook = Outlook { left: 0.0, ..filling() };
        let empty = forecast(&outlook);
        assert!(matches!(empty, Forecast::Empty { seconds: 0.0, .. }), "{empty:?}");
        assert_eq!(empty.to_string(), "empty now");
        let idle = Outlook { opening: 0.0, closing: 0.0, ..filling() };
        assert_eq!(forecast(&idle), Forecast::Lasts);
    }

    /// Goal: the 95 % interval holds what happens in 95 of 100 cases. Method: Poisson arrivals, watched for ten
    /// seconds, 100 ports left then; 2,000 histories, whose share within lies 0.006 around that or less.
    #[test]
    fn the_interval_holds_what_happens_as_often_as_it_says() {
        const HISTORIES: u32 = 2_000;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut inside = 0;
        for _ in 0..HISTORIES {
            let gap =
                |random: &mut Xoshiro256PlusPlus| -libm::log(1.0 - random.random::<f64>()) / 10.0;
            let (mut now, mut seen) = (gap(&mut random), 0);
            while now < 10.0 {
                seen += 1;
                now += gap(&mut random);
            }
            // `now` is the first arrival after the watch; the hundredth takes the last port.
            let empty = (1..100).fold(now, |at, _| at + gap(&mut random)) - 10.0;
            let opening = f64::from(seen) / 10.0;
            let outlook = Outlook { opening, closing: opening, ..filling() };
            if let Forecast::Empty { lo, hi: Some(hi), .. } = forecast(&outlook) {
                inside += u32::from(lo <= empty && empty <= hi);
            }
        }
        let share = f64::from(inside) / f64::from(HISTORIES);
        // Three standard deviations of such a share are 0.015.
        assert!((share - 0.95).abs() < 0.015, "{share}, seed 7");
    }

    #[test]
    fn a_forecast_reads_as_a_sentence() {
        let told = Forecast::Empty { seconds: 41.2, lo: 31.0, hi: Some(55.0) };
        assert_eq!(told.to_string(), "empty in 41 s (31-55)");
        let told = Forecast::Empty { seconds: 41.2, lo: 31.0, hi: None };
        assert_eq!(told.to_string(), "empty in 41.2 s (at the earliest 31.0 s)");
    }
}
