//! What a program does when it is refused.

use crate::units::SimDuration;

/// How one client tries again what failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Retries {
    /// Tries of each in all, the first one included; at least 1.
    pub attempts: u32,
    /// The time from a failure to the next try; to later ones that times `factor`, and so on.
    pub backoff: SimDuration,
    /// What each delay is to the one before it.
    pub factor: f64,
    /// No delay is longer.
    pub max_backoff: Option<SimDuration>,
    /// The share of a delay that is drawn: 0.5 is anything from half of it to all.
    pub jitter: f64,
    /// So long after its first try nothing is tried again.
    pub deadline: Option<SimDuration>,
    /// Tries again for each first try, at most; saved up for a hundred.
    pub budget: Option<f64>,
    /// After so many failures the program asks for nothing more.
    pub stop_after: Option<u32>,
}

impl Retries {
    /// Tries again that a budget saves up at most.
    pub const SAVED: f64 = 100.0;

    /// How long to wait after the `tries`-th try has failed, where `drawn` (0 to 1) decides what is drawn.
    #[must_use]
    pub fn delay(&self, tries: u32, drawn: f64) -> SimDuration {
        let most = self.max_backoff.unwrap_or(SimDuration::from_secs(86_400)).as_secs_f64();
        let times = self.factor.powi(tries.saturating_sub(1).min(1_000) as i32);
        let whole = (self.backoff.as_secs_f64() * times).min(most);
        SimDuration::from_secs_f64(whole * (1.0 - self.jitter * drawn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_most_and_jitter_takes_its_share_away() {
        let ms = SimDuration::from_millis;
        let retries = Retries {
            attempts: 9,
            backoff: ms(100),
            factor: 2.0,
            max_backoff: Some(ms(500)),
            jitter: 0.5,
            deadline: None,
            budget: None,
            stop_after: None,
        };
        let delays = [1, 2, 3, 4, 5].map(|tries| retries.delay(tries, 0.0));
        assert_eq!(delays, [100, 200, 400, 500, 500].map(ms));
        assert_eq!(retries.delay(2, 1.0), ms(100));
        assert_eq!(retries.delay(u32::MAX, 0.0), ms(500));
    }
}
