//! Drawing from laws of durations, the same on every machine.
//!
//! Own samplers instead of a library's, for one reason: the same seed must give the same bytes next
//! year and elsewhere, and libraries of distributions promise neither the algorithm nor the
//! platform's `exp` and `ln`. Here everything goes through `libm`, which is plain arithmetic.
//!
//! Source of the ziggurat: Marsaglia, Tsang, "The ziggurat method for generating random variables",
//! J. Stat. Software 5(8), 2000, with 256 layers for both laws, and with layer and place from
//! different bits, as Doornik asks for ("An improved ziggurat method to generate normal random
//! samples", 2005). A tail and its area are right when the last layer ends at the density's peak.

use std::sync::{Arc, LazyLock};

use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::model::Distribution;
use crate::units::SimDuration;

const LAYERS: usize = 256;

/// Layers of equal area under a falling density: right edges and the density there.
struct Ziggurat {
    edge: [f64; LAYERS + 1],
    density: [f64; LAYERS + 1],
}

impl Ziggurat {
    /// `tail` is where the tail begins, `area` that of each layer.
    fn new(tail: f64, area: f64, density: fn(f64) -> f64, inverse: fn(f64) -> f64) -> Self {
        let mut edge = [0.0; LAYERS + 1];
        edge[0] = area / density(tail);
        edge[1] = tail;
        for layer in 2..LAYERS {
            edge[layer] = inverse(area / edge[layer - 1] + density(edge[layer - 1]));
        }
        edge[LAYERS] = 0.0;
        Self { edge, density: edge.map(density) }
    }
}

const EXP_TAIL: f64 = 7.697_117_470_131_05;
static EXPONENTIAL: LazyLock<Ziggurat> = LazyLock::new(|| {
    Ziggurat::new(EXP_TAIL, 0.003_949_659_822_581_557, |x| libm::exp(-x), |y| -libm::log(y))
});

const NORMAL_TAIL: f64 = 3.654_152_885_361_009;
static NORMAL: LazyLock<Ziggurat> = LazyLock::new(|| {
    Ziggurat::new(
        NORMAL_TAIL,
        0.004_928_673_233_974_655,
        |x| libm::exp(-x * x / 2.0),
        |y| (-2.0 * libm::log(y)).sqrt(),
    )
});

/// A number in `0.0..1.0`, all 53 bits of it random.
#[inline]
pub fn unit(rng: &mut Xoshiro256PlusPlus) -> f64 {
    fraction(rng.next_u64())
}

/// The highest 53 bits as a number in `0.0..1.0`. By way of `i64`, which processors convert in one
/// step and `u64` not.
#[inline]
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as i64 as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// A number in `0.0..=1.0` that is never 0, for logarithms.
fn positive_unit(rng: &mut Xoshiro256PlusPlus) -> f64 {
    1.0 - unit(rng)
}

/// Draws from the exponential law of mean 1.
#[derive(Clone, Copy)]
pub struct Exponential(&'static Ziggurat);

impl Exponential {
    /// The law, its tables at hand.
    #[must_use]
    pub fn new() -> Self {
        Self(&EXPONENTIAL)
    }

    /// One draw.
    #[inline]
    pub fn draw(self, rng: &mut Xoshiro256PlusPlus) -> f64 {
        let bits = rng.next_u64();
        // The layer takes the lowest 8 bits, the place in it the highest 53: none is used twice.
        let layer = bits as usize % LAYERS;
        let x = fraction(bits) * self.0.edge[layer];
        if x < self.0.edge[layer + 1] { x } else { exponential_edge(self.0, layer, x, rng) }
    }
}

/// A draw from the exponential law of mean 1.
#[inline]
pub fn exponential(rng: &mut Xoshiro256PlusPlus) -> f64 {
    Exponential::new().draw(rng)
}

/// The rare draws that fall outside a layer's safe part: place `x` of layer `layer`.
#[cold]
fn exponential_edge(
    table: &Ziggurat,
    mut layer: usize,
    mut x: f64,
    rng: &mut Xoshiro256PlusPlus,
) -> f64 {
    loop {
        if x < table.edge[layer + 1] {
            return x;
        }
        if layer == 0 {
            return EXP_TAIL - libm::log(positive_unit(rng));
        }
        if in_wedge(table, layer, unit(rng), libm::exp(-x)) {
            return x;
        }
        let bits = rng.next_u64();
        layer = bits as usize % LAYERS;
        x = fraction(bits) * table.edge[layer];
    }
}

/// A draw from the normal law of mean 0 and variance 1.
#[inline]
pub fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let table = &*NORMAL;
    loop {
        let bits = rng.next_u64();
        let layer = bits as usize % LAYERS;
        // Sign included: -1 to 1.
        let place = (bits as i64 >> 11) as f64 * (1.0 / (1_u64 << 52) as f64);
        let x = place * table.edge[layer];
        if x.abs() < table.edge[layer + 1] {
            return x;
        }
        if layer == 0 {
            return normal_tail(rng).copysign(place);
        }
        if in_wedge(table, layer, unit(rng), libm::exp(-x * x / 2.0)) {
            return x;
        }
    }
}

fn in_wedge(table: &Ziggurat, layer: usize, height: f64, density: f64) -> bool {
    let (low, high) = (table.density[layer], table.density[layer + 1]);
    low + (high - low) * height < density
}

/// Marsaglia's exact method for `X > NORMAL_TAIL`.
fn normal_tail(rng: &mut Xoshiro256PlusPlus) -> f64 {
    loop {
        let x = -libm::log(positive_unit(rng)) / NORMAL_TAIL;
        let y = -libm::log(positive_unit(rng));
        if 2.0 * y > x * x {
            return NORMAL_TAIL + x;
        }
    }
}

/// A law of durations, ready to be drawn from. Draws are whole nanoseconds.
#[derive(Clone, Debug)]
pub enum Sampler {
    /// Always this many nanoseconds.
    Constant(u64),
    /// Mean in nanoseconds.
    Exponential(f64),
    /// `exp(location + sigma * normal)` nanoseconds.
    Lognormal { location: f64, sigma: f64 },
    /// `minimum * exp(exponential / shape)` nanoseconds.
    Pareto { minimum: f64, inverse_shape: f64 },
    /// From `min` on, `width` nanoseconds wide.
    Uniform { min: u64, width: u64 },
    /// One of the samples.
    Empirical(Arc<[SimDuration]>),
}

impl Sampler {
    /// The sampler of `law`.
    #[must_use]
    pub fn new(law: &Distribution) -> Self {
        let nanos = |span: SimDuration| span.as_nanos() as f64;
        match *law {
            Distribution::Constant(span) => Self::Constant(span.as_nanos()),
            Distribution::Exponential { mean } => Self::Exponential(nanos(mean)),
            Distribution::Lognormal { mean, sigma } => {
                // The mean of a lognormal law is exp(location + sigma^2 / 2).
                Self::Lognormal { location: libm::log(nanos(mean)) - sigma * sigma / 2.0, sigma }
            }
            Distribution::Pareto { minimum, shape } => {
                Self::Pareto { minimum: nanos(minimum), inverse_shape: 1.0 / shape }
            }
            Distribution::Uniform { min, max } => {
                Self::Uniform { min: min.as_nanos(), width: max.as_nanos() - min.as_nanos() }
            }
            Distribution::Empirical(ref samples) => Self::Empirical(Arc::clone(samples)),
        }
    }

    /// A draw, in nanoseconds, for each of `into`.
    pub fn fill<'a>(
        &self,
        into: impl Iterator<Item = &'a mut SimDuration>,
        rng: &mut Xoshiro256PlusPlus,
    ) {
        match self {
            Self::Constant(nanos) => into.for_each(|span| *span = SimDuration::from_nanos(*nanos)),
            Self::Exponential(mean) => {
                let law = Exponential::new();
                into.for_each(|span| *span = SimDuration::from_nanos(round(law.draw(rng) * mean)));
            }
            law => into.for_each(|span| *span = SimDuration::from_nanos(law.sample(rng))),
        }
    }

    /// One draw, in nanoseconds; what does not fit stops at 292 years.
    #[inline]
    pub fn sample(&self, rng: &mut Xoshiro256PlusPlus) -> u64 {
        match self {
            Self::Constant(nanos) => *nanos,
            Self::Exponential(mean) => round(exponential(rng) * mean),
            Self::Lognormal { location, sigma } => round(libm::exp(location + sigma * normal(rng))),
            Self::Pareto { minimum, inverse_shape } => {
                round(minimum * libm::exp(exponential(rng) * inverse_shape))
            }
            Self::Uniform { min, width } => min + round(unit(rng) * *width as f64),
            Self::Empirical(samples) => {
                let index = (u128::from(rng.next_u64()) * samples.len() as u128) >> 64;
                samples[index as usize].as_nanos()
            }
        }
    }

    /// One draw of what is left of a duration that a random moment has fallen into (the law's
    /// equilibrium residual): a length-biased draw, cut at a uniform place.
    ///
    /// Source: Kleinrock, *Queueing Systems* volume 1, section 5.2 (residual life).
    pub fn sample_residual(&self, rng: &mut Xoshiro256PlusPlus) -> u64 {
        let whole = match self {
            Self::Constant(nanos) => *nanos as f64,
            // Memoryless: what is left has the law itself.
            Self::Exponential(mean) => return round(exponential(rng) * mean),
            Self::Lognormal { location, sigma } => {
                libm::exp(location + sigma * sigma + sigma * normal(rng))
            }
            // x f(x) is again a Pareto density, its shape one less.
            Self::Pareto { minimum, inverse_shape } => {
                minimum * libm::exp(exponential(rng) / (1.0 / inverse_shape - 1.0))
            }
            Self::Uniform { min, width } => {
                let (low, high) = (*min as f64, (*min + *width) as f64);
                (low * low + unit(rng) * (high * high - low * low)).sqrt()
            }
            Self::Empirical(samples) => length_biased(samples, rng),
        };
        round(whole * unit(rng))
    }
}

/// One of the samples, each with a probability in proportion to its length.
fn length_biased(samples: &[SimDuration], rng: &mut Xoshiro256PlusPlus) -> f64 {
    let total: f64 = samples.iter().map(|span| span.as_nanos() as f64).sum();
    let mut left = unit(rng) * total;
    let found = samples.iter().find(|span| {
        left -= span.as_nanos() as f64;
        left < 0.0
    });
    found.or(samples.last()).map_or(0.0, |span| span.as_nanos() as f64)
}

#[inline]
fn round(nanos: f64) -> u64 {
    // `as` saturates (at 292 years), and turns NaN into 0; draws are never negative.
    (nanos + 0.5) as i64 as u64
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const DRAWS: u32 = 400_000;

    fn moments(draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = std::iter::repeat_with(draw).take(DRAWS as usize).collect();
        let mean = values.iter().sum::<f64>() / f64::from(DRAWS);
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(DRAWS);
        (mean, variance)
    }

    #[test]
    fn the_exponential_law_has_its_distribution_function_layer_by_layer() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let points = [0.01, 0.1, 0.5, 1.0, 2.0, 4.0, 7.0, 7.8, 9.0];
        let mut below = [0_u32; 9];
        for _ in 0..2_000_000 {
            let x = exponential(&mut rng);
            points.iter().zip(&mut below).for_each(|(&p, count)| *count += u32::from(x < p));
        }
        for (point, count) in points.iter().zip(below) {
            let (p, n) = (1.0 - (-point).exp(), 2_000_000.0);
            let off = (f64::from(count) - n * p) / (n * p * (1.0 - p)).sqrt();
            assert!(off.abs() < 4.0, "P(X < {point}) is {off} standard errors off");
        }
    }

    #[test]
    fn the_normal_law_has_its_moments_and_tails() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let mut beyond = [0_u32; 3];
        let (mean, variance) = moments(|| {
            let x = normal(&mut rng);
            for (limit, count) in [1.96, 3.0, 3.7].iter().zip(&mut beyond) {
                *count += u32::from(x.abs() > *limit);
            }
            x
        });
        assert!(mean.abs() < 0.006 && (variance - 1.0).abs() < 0.01, "{mean} {variance}");
        for (p, count) in [0.049_996, 0.002_7, 0.000_216].into_iter().zip(beyond) {
            let n = f64::from(DRAWS);
            assert!(((f64::from(count) - n * p) / (n * p).sqrt()).abs() < 4.0, "{p}: {count}");
        }
    }

    fn laws() -> Vec<(&'static str, Distribution, f64)> {
        let ms = SimDuration::from_millis;
        vec![
            ("constant", Distribution::Constant(ms(500)), 0.0),
            ("exponential", Distribution::Exponential { mean: ms(500) }, 0.25),
            ("lognormal", Distribution::Lognormal { mean: ms(500), sigma: 0.5 }, 0.071_006),
            ("pareto", Distribution::Pareto { minimum: ms(400), shape: 5.0 }, 0.016_667),
            ("uniform", Distribution::Uniform { min: ms(100), max: ms(900) }, 0.053_333),
            ("empirical", Distribution::Empirical([ms(100), ms(900)].into()), 0.16),
        ]
    }

    #[test]
    fn every_law_has_its_mean_and_variance() {
        for (name, law, variance) in laws() {
            let (sampler, mut rng) = (Sampler::new(&law), Xoshiro256PlusPlus::seed_from_u64(3));
            let (mean, found) = moments(|| sampler.sample(&mut rng) as f64 * 1e-9);
            let error = 4.5 * (variance.max(1e-12) / f64::from(DRAWS)).sqrt();
            assert!((mean - 0.5).abs() < error.max(1e-9), "{name}: mean {mean}");
            assert!((found - variance).abs() < 0.05 * variance + 1e-12, "{name}: {found}");
        }
    }

    /// The mean residual is (variance + mean^2) / (2 mean).
    #[test]
    fn every_law_has_its_mean_residual() {
        for (name, law, variance) in laws() {
            let (sampler, mut rng) = (Sampler::new(&law), Xoshiro256PlusPlus::seed_from_u64(4));
            let (mean, _) = moments(|| sampler.sample_residual(&mut rng) as f64 * 1e-9);
            let expected = (variance + 0.25) / (2.0 * 0.5);
            assert!((mean - expected).abs() < 0.01 * expected, "{name}: {mean}, not {expected}");
        }
    }

    /// Results are promised to stay: whoever changes this changes every published figure.
    #[test]
    fn draws_are_unchanged_for_seed_1() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let drawn: Vec<u64> =
            laws().iter().map(|(_, law, _)| Sampler::new(law).sample(&mut rng)).collect();
        assert_eq!(
            drawn,
            [500_000_000, 548_396_975, 305_956_715, 429_981_433, 696_973_496, 100_000_000]
        );
    }
}
