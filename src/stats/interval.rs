//! How sure the figures are: intervals over independent replications.
//!
//! Replications are independent and alike by construction, so the plain textbook intervals hold:
//! Student's t for a mean, order statistics for a median. Sums run in the order given, so the
//! same replications give the same bits.

use super::outcome::{Estimate, Moments};
use crate::theory::special::incomplete_beta;

/// The 0.975 quantile of the standard normal law.
const NORMAL_975: f64 = 1.959_963_984_540_054;

/// The 0.975 quantile of Student's t with `df` degrees of freedom: the half-width, in standard
/// errors, of a two-sided 95 % interval.
///
/// Right to about 1e-12. Source: the Cornish-Fisher series of Abramowitz and Stegun 26.7.5, made
/// exact by Newton's rule on the incomplete beta function (26.7.1) where the series is not.
///
/// # Panics
/// When `df` is 0.
///
/// ```
/// use portsim::stats::student_t_975;
/// assert!((student_t_975(19) - 2.093_024_05).abs() < 1e-8);
/// ```
#[must_use]
pub fn student_t_975(df: u64) -> f64 {
    assert!(df > 0, "Student's t needs a degree of freedom");
    let n = df as f64;
    match df {
        1 => return 12.706_204_736_174_705, // tan(0.475 pi)
        2 => return 4.302_652_729_749_462,  // 0.95 sqrt(2 / (1 - 0.95^2))
        _ => {}
    }
    let mut t = cornish_fisher(n);
    if df >= 2_000 {
        return t; // The series' first term left out is below 1e-13 here.
    }
    let ln_scale = libm::lgamma((n + 1.0) / 2.0)
        - libm::lgamma(n / 2.0)
        - 0.5 * libm::log(n * std::f64::consts::PI);
    for _ in 0..20 {
        let tail = 0.5 * incomplete_beta(n / 2.0, 0.5, n / (n + t * t));
        let density = libm::exp(ln_scale - (n + 1.0) / 2.0 * libm::log1p(t * t / n));
        let step = (tail - 0.025) / density;
        t += step;
        if step.abs() < 1e-14 * t {
            break;
        }
    }
    t
}

/// Abramowitz and Stegun 26.7.5 for the 0.975 quantile.
fn cornish_fisher(n: f64) -> f64 {
    let z = NORMAL_975;
    let z2 = z * z;
    let g1 = (z2 + 1.0) * z / 4.0;
    let g2 = ((5.0 * z2 + 16.0) * z2 + 3.0) * z / 96.0;
    let g3 = (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) * z / 384.0;
    let g4 = ((((79.0 * z2 + 776.0) * z2 + 1482.0) * z2 - 1920.0) * z2 - 945.0) * z / 92_160.0;
    z + (g1 + (g2 + (g3 + g4 / n) / n) / n) / n
}

impl Estimate {
    /// Mean of `values`, one a replication, with its 95 % interval by Student's t, for a figure that has no
    /// bounds.
    ///
    /// One value is its own interval, and so are values that are all the same.
    ///
    /// # Panics
    /// When `values` is empty: there is no mean of nothing.
    ///
    /// ```
    /// use portsim::stats::Estimate;
    /// let ratio = Estimate::of(&[0.21, 0.22, 0.23]);
    /// assert!((ratio.mean - 0.22).abs() < 1e-12);
    /// assert!((ratio.hi - 0.244_841).abs() < 1e-6);
    /// ```
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        assert!(!values.is_empty(), "an estimate of no replication");
        let first = values[0];
        if values.iter().all(|&value| value == first) {
            return Self { mean: first, lo: first, hi: first };
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let standard_error = (squares / (n - 1.0) / n).sqrt();
        let half_width = student_t_975(values.len() as u64 - 1) * standard_error;
        Self { mean, lo: mean - half_width, hi: mean + half_width }
    }

    /// The same of a figure that lies in 0 to `most`, which may be infinite, and so does its interval.
    ///
    /// Wilson's interval: those true means `p` from which `mean` is no further than t standard errors, where
    /// the variance is as `p (1 - p / most)`, as that of a share or a count is, and as measured at `mean`. Near
    /// the middle it is that of [`Estimate::of`]. Source: Wilson, "Probable inference", JASA 22, 1927;
    /// with the effective number of trials of Korn and Graubard, Survey Methodology 24, 1998.
    ///
    /// # Panics
    /// When `values` is empty.
    ///
    /// ```
    /// use portsim::stats::Estimate;
    /// let rare = Estimate::within(&[0.0, 0.0, 0.003], 1.0);
    /// assert!(0.0 < rare.lo && rare.hi < 0.03);
    /// ```
    #[must_use]
    pub fn within(values: &[f64], most: f64) -> Self {
        let plain = Self::of(values);
        let (mean, half_width) = (plain.mean, plain.hi - plain.mean);
        let room = mean * (1.0 - mean / most);
        if half_width == 0.0 || room <= 0.0 {
            return Self { mean, lo: mean, hi: mean };
        }
        // (mean - p)^2 = k p (1 - p / most), for p.
        let k = half_width * half_width / room;
        let (a, b) = (1.0 + k / most, mean + k / 2.0);
        let root = (b * b - a * mean * mean).max(0.0).sqrt();
        Self { mean, lo: (b - root) / a, hi: (b + root) / a }
    }
}

impl Moments {
    /// Sums up the moments `values` (in seconds, in any order) that some of `replications` have.
    ///
    /// `None` when none has one. The interval of the median is that of the order statistics
    /// `k` and `n + 1 - k` for the greatest `k` that holds the median 95 times in 100 whatever
    /// the law: `P(Binomial(n, 1/2) < k) <= 0.025`. Below 6 values there is no such `k`, and the
    /// interval is the whole range. Source: David and Nagaraja, *Order Statistics*, section 7.1.
    ///
    /// # Panics
    /// When there are more values than replications.
    ///
    /// ```
    /// use portsim::stats::Moments;
    /// let first_blocked = Moments::of(&[47.0, 46.0, 46.5], 4).unwrap();
    /// assert_eq!(first_blocked.median, 46.5);
    /// assert_eq!(first_blocked.share_of_replications, 0.75);
    /// assert_eq!(Moments::of(&[], 4), None);
    /// ```
    #[must_use]
    pub fn of(values: &[f64], replications: u32) -> Option<Self> {
        assert!(
            values.len() <= replications as usize,
            "{} moments of {replications} replications",
            values.len()
        );
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (&earliest, &latest) = (sorted.first()?, sorted.last()?);
        let n = sorted.len();
        let median = if n % 2 == 1 {
            sorted[n / 2]
        } else {
            sorted[n / 2 - 1] + (sorted[n / 2] - sorted[n / 2 - 1]) / 2.0
        };
        let rank = median_rank(n).max(1);
        Some(Self {
            median,
            lo: sorted[rank - 1],
            hi: sorted[n - rank],
            earliest,
            latest,
            share_of_replications: n as f64 / f64::from(replications),
        })
    }
}

/// The greatest `k` with `P(Binomial(n, 1/2) < k) <= 0.025`; 0 when there is none.
fn median_rank(n: usize) -> usize {
    // P(Binomial(n, 1/2) <= k - 1) = I_(1/2)(n - k + 1, k), rising with k.
    let rare = |k: usize| incomplete_beta((n - k + 1) as f64, k as f64, 0.5) <= 0.025;
    let (mut holds, mut fails) = (0, n / 2 + 1);
    while fails - holds > 1 {
        let middle = holds + (fails - holds) / 2;
        if rare(middle) { holds = middle } else { fails = middle }
    }
    holds
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn student_quantiles_match_the_printed_tables() {
        for (df, quantile) in [
            (1, 12.706_204_7),
            (2, 4.302_652_73),
            (3, 3.182_446_31),
            (4, 2.776_445_11),
            (5, 2.570_581_84),
            (9, 2.262_157_16),
            (19, 2.093_024_05),
            (30, 2.042_272_46),
            (120, 1.979_930_41),
            (1_000, 1.962_339_08),
            (u64::MAX, 1.959_963_98),
        ] {
            let got = student_t_975(df);
            assert!((got - quantile).abs() < 6e-9 * quantile.max(2.0), "df {df}: {got}");
        }
    }

    #[test]
    fn the_series_takes_over_without_a_step() {
        let (below, above) = (student_t_975(1_999), student_t_975(2_000));
        // dt/d(df) is about -2.372 / df^2 here.
        assert!((below - above - 2.372 / 1_999.5 / 1_999.5).abs() < 2e-9, "{below} {above}");
        assert!((cornish_fisher(1_999.0) - below).abs() < 1e-12);
    }

    #[test]
    fn one_replication_and_equal_replications_have_no_width() {
        assert_eq!(Estimate::of(&[0.1]), Estimate { mean: 0.1, lo: 0.1, hi: 0.1 });
        assert_eq!(Estimate::of(&[0.1; 7]), Estimate { mean: 0.1, lo: 0.1, hi: 0.1 });
    }

    #[test]
    fn the_interval_of_a_mean_follows_from_its_standard_error() {
        // Standard deviation sqrt(2.5), standard error sqrt(0.5), t of 4 degrees of freedom.
        let five = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(five.mean, 3.0);
        let half = 2.776_445_105_198_054 * 0.5_f64.sqrt();
        assert!((five.hi - 3.0 - half).abs() < 1e-12 && (3.0 - five.lo - half).abs() < 1e-12);
    }

    /// Goal: a 95 % interval holds the truth 95 times in 100.
    /// Method: 20,000 samples of 5 normal values (sums of 12 uniform ones) of mean 0; the share
    /// held has a standard deviation of 0.0015.
    #[test]
    fn the_interval_of_a_mean_holds_the_truth_95_times_in_100() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut normal = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        let held = (0..20_000)
            .filter(|_| {
                let sample: [f64; 5] = std::array::from_fn(|_| normal());
                let interval = Estimate::of(&sample);
                interval.lo <= 0.0 && 0.0 <= interval.hi
            })
            .count();
        let share = held as f64 / 20_000.0;
        assert!((share - 0.95).abs() < 0.006, "held {share}");
    }

    #[test]
    fn an_interval_stays_where_its_figure_can_be() {
        let mut one_of_twenty = [0.0; 20];
        for value in [1e-6, 0.5, 1.0] {
            one_of_twenty[7] = value;
            let share = Estimate::within(&one_of_twenty, 1.0);
            assert!(0.0 <= share.lo && share.lo < share.mean, "{share:?}");
            assert!(share.mean < share.hi && share.hi <= 1.0, "{share:?}");
            let count = Estimate::within(&one_of_twenty.map(|v| v * 1e3), f64::INFINITY);
            assert!(0.0 <= count.lo && count.lo < count.mean && count.mean < count.hi, "{count:?}");
        }
        let all = Estimate::within(&[1.0; 20], 1.0);
        assert_eq!((all.lo, all.hi), (1.0, 1.0));
        let [plain, same] =
            [Estimate::of(&[0.49, 0.5, 0.51]), Estimate::within(&[0.49, 0.5, 0.51], 1.0)];
        assert!((plain.lo - same.lo).abs() < 1e-3 && (plain.hi - same.hi).abs() < 1e-3, "{same:?}");
    }

    /// Method: 5,000 samples of 20 shares, each of 30 trials that succeed once in fifty.
    #[test]
    fn the_interval_of_a_rare_share_holds_the_truth_95_times_in_100() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut share = || (0..30).filter(|_| rng.random::<f64>() < 0.02).count() as f64 / 30.0;
        let mut held = |of: fn(&[f64]) -> Estimate| {
            let hits = (0..5_000).filter(|_| {
                let sample: [f64; 20] = std::array::from_fn(|_| share());
                let interval = of(&sample);
                interval.lo <= 0.02 && 0.02 <= interval.hi
            });
            hits.count() as f64 / 5_000.0
        };
        let (within, plain) = (held(|sample| Estimate::within(sample, 1.0)), held(Estimate::of));
        assert!((within - 0.95).abs() < 0.015 && within > plain, "held {within}, plain {plain}");
    }

    /// Method: 20,000 samples of 20 values of a skewed law of median 1; order statistics 6 and 15
    /// hold it with a probability of 0.9586.
    #[test]
    fn the_interval_of_a_median_holds_it_whatever_the_law() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let held = (0..20_000)
            .filter(|_| {
                let sample: [f64; 20] =
                    std::array::from_fn(|_| -libm::log2(1.0 - rng.random::<f64>()));
                let moments = Moments::of(&sample, 20).unwrap();
                moments.lo <= 1.0 && 1.0 <= moments.hi
            })
            .count();
        let share = held as f64 / 20_000.0;
        assert!((share - 0.9586).abs() < 0.006, "held {share}");
    }

    #[test]
    fn ranks_of_the_median_interval_match_the_binomial_law() {
        for (n, rank) in
            [(1, 0), (2, 0), (5, 0), (6, 1), (8, 1), (9, 2), (10, 2), (20, 6), (50, 18), (100, 40)]
        {
            assert_eq!(median_rank(n), rank, "{n} values");
        }
        // Far out the law is normal: n/2 - 0.98 sqrt(n).
        assert!(median_rank(1_000_000).abs_diff(499_020) <= 1);
    }

    #[test]
    fn few_moments_span_their_whole_range_and_six_do_too() {
        let five = Moments::of(&[5.0, 1.0, 4.0, 2.0, 3.0], 10).unwrap();
        assert_eq!((five.lo, five.median, five.hi), (1.0, 3.0, 5.0));
        assert_eq!(five.share_of_replications, 0.5);
        let two = Moments::of(&[2.0, 1.0], 2).unwrap();
        assert_eq!((two.lo, two.median, two.hi), (1.0, 1.5, 2.0));
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_own_centre(values in prop::collection::vec(-1e9_f64..1e9, 1..60)) {
            let mean = Estimate::of(&values);
            prop_assert!(mean.lo <= mean.mean && mean.mean <= mean.hi);
            let moments = Moments::of(&values, 60).unwrap();
            prop_assert!(moments.earliest <= moments.lo && moments.lo <= moments.median);
            prop_assert!(moments.median <= moments.hi && moments.hi <= moments.latest);
        }

        #[test]
        fn a_moment_does_not_depend_on_the_order_of_replications(
            mut values in prop::collection::vec(0.0_f64..1e6, 1..40),
        ) {
            let forward = Moments::of(&values, 40);
            values.reverse();
            prop_assert_eq!(forward, Moments::of(&values, 40));
        }
    }
}
