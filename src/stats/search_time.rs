//! What searching for ports took: the probes that were counted, at what one costs on the host.

use super::outcome::{Figures, SearchTime};
use crate::model::SearchCost;

/// Seconds that one search takes which looks at `probes` ports.
#[must_use]
pub fn search_seconds(cost: SearchCost, probes: f64) -> f64 {
    cost.connect.as_secs_f64() + cost.probe.as_secs_f64() * (probes - 1.0).max(0.0)
}

impl SearchTime {
    /// The time that the attempts of `figures` took, in `steady_s` seconds on all machines of all
    /// replications together; `None` where no probe was recorded.
    #[must_use]
    pub fn of(cost: SearchCost, figures: &Figures, steady_s: f64) -> Option<Self> {
        let probes = &figures.probes;
        if probes.histogram.is_empty() || steady_s <= 0.0 {
            return None;
        }
        let mean = probes.histogram.mean() * probes.scale;
        let [p50, p90, p99, max] = [probes.p50, probes.p90, probes.p99, probes.max]
            .map(|probes| search_seconds(cost, probes));
        let core_share = probes.histogram.len() as f64 * search_seconds(cost, mean) / steady_s;
        Some(Self { p50, p90, p99, max, core_share })
    }
}

#[cfg(all(test, feature = "report"))]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn search_time_follows_the_probes() {
        let cost = samples::search_cost();
        let mut figures = samples::overloaded().1.whole;
        let time = SearchTime::of(cost, &figures, 4.0).unwrap();
        assert!((time.p50 - 14.07e-6).abs() < 1e-12);
        assert!((time.max - (14e-6 + 16_383.0 * 70e-9)).abs() < 1e-12);
        // Four attempts: 2, 9,000 and twice 16,384 ports; the histogram knows three digits.
        let sum = 4.0 * 14e-6 + (1.0 + 8_999.0 + 2.0 * 16_383.0) * 70e-9;
        assert!((time.core_share / (sum / 4.0) - 1.0).abs() < 1e-3, "{}", time.core_share);
        figures.probes.histogram.reset();
        assert_eq!(SearchTime::of(cost, &figures, 4.0), None);
    }
}
