//! Against plain lists and laws that are known.

use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

use super::*;

fn of(micros: &[u64]) -> Lifetimes {
    let mut lifetimes = Lifetimes::default();
    micros.iter().for_each(|&micros| lifetimes.record(Duration::from_micros(micros)));
    lifetimes
}

fn near(found: f64, meant: f64, share: f64) {
    assert!((found - meant).abs() <= share * meant + 1e-12, "{found}, not {meant}");
}

#[test]
fn cells_follow_each_other_without_a_gap() {
    for bits in [1, 4, FINEST] {
        let keys: Vec<u32> = (0..5_000).map(|micros| key(micros, bits)).collect();
        assert!(keys.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == pair[0] + 1));
    }
    assert!(key(u64::MAX, FINEST) < 64 << FINEST);
}

#[test]
fn nothing_seen_says_nothing() {
    let none = Lifetimes::default();
    assert_eq!((none.mean(), none.quantile(0.5)), (None, None));
    assert!(none.quantiles(10).is_empty());
}

#[test]
fn lifetimes_of_zero_are_lifetimes() {
    let zero = of(&[0, 0, 0]);
    assert_eq!(zero.mean(), Some(Duration::ZERO));
    assert_eq!(zero.quantiles(3), [Duration::ZERO; 3]);
}

#[test]
fn an_assumed_law_is_exponential() {
    let assumed = Lifetimes::assumed(Duration::from_secs(2));
    assert!(assumed.is_assumed());
    near(assumed.quantile(0.5).unwrap().as_secs_f64(), 2.0 * core::f64::consts::LN_2, 1e-9);
    let slices = assumed.quantiles(100);
    let mean = slices.iter().map(Duration::as_secs_f64).sum::<f64>() / 100.0;
    near(mean, 2.0, 1e-6);
}

proptest! {
    /// Against the plain list, at any fineness.
    #[test]
    fn means_are_exact_and_quantiles_as_fine_as_the_cells(
        micros in prop::collection::vec(0_u64..5_000_000_000, 1..400),
        p in 0.0..1.0_f64,
        coarser in 0_u32..5,
    ) {
        let mut lifetimes = of(&micros);
        (0..coarser).for_each(|_| lifetimes.coarsen());
        let mut sorted = micros.clone();
        sorted.sort_unstable();
        let mean = micros.iter().sum::<u64>() as f64 * 1e-6 / micros.len() as f64;
        near(lifetimes.mean().unwrap().as_secs_f64(), mean, 1e-9);
        let rank = ((p * sorted.len() as f64).ceil() as usize).max(1) - 1;
        let width = 1.0 / f64::from(1 << (FINEST - coarser));
        near(lifetimes.quantile(p).unwrap().as_secs_f64(), sorted[rank] as f64 * 1e-6, width);
    }

    #[test]
    fn equal_shares_rise_and_keep_the_mean(
        ended in prop::collection::vec(0_u64..50_000_000, 1..200),
        open in prop::collection::vec(0_u64..50_000_000, 0..50),
        count in 1_usize..150,
    ) {
        let mut lifetimes = of(&ended);
        open.iter().for_each(|&micros| lifetimes.record_open(Duration::from_micros(micros)));
        let shares: Vec<f64> =
            lifetimes.quantiles(count).iter().map(Duration::as_secs_f64).collect();
        prop_assert_eq!(shares.len(), count);
        prop_assert!(shares.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9));
        let mean = shares.iter().sum::<f64>() / count as f64;
        near(mean, lifetimes.mean().unwrap().as_secs_f64(), 1e-6);
    }

    #[test]
    fn what_is_merged_is_what_was_recorded_in_one(
        one in prop::collection::vec(0_u64..5_000_000_000, 0..100),
        other in prop::collection::vec(0_u64..5_000_000_000, 0..100),
        coarser in 0_u32..3,
    ) {
        let mut merged = of(&one);
        let mut second = of(&other);
        (0..coarser).for_each(|_| second.coarsen());
        merged.merge(&second);
        let mut whole = of(&[one, other].concat());
        (0..coarser).for_each(|_| whole.coarsen());
        prop_assert_eq!(merged, whole);
    }
}

/// The product-limit estimate by hand: 1, 2+, 3, 4+ (+ is open) gives 1/4 at 1, 3/8 at 3, and what is
/// left, 3/8, at 4.
#[test]
fn open_ones_have_their_weight_by_kaplan_and_meier() {
    let mut lifetimes = of(&[1_000_000, 3_000_000]);
    lifetimes.record_open(Duration::from_secs(2));
    lifetimes.record_open(Duration::from_secs(4));
    near(lifetimes.mean().unwrap().as_secs_f64(), 0.25 + 0.375 * 3.0 + 0.375 * 4.0, 1e-9);
    assert_eq!((lifetimes.ended(), lifetimes.still_open()), (2, 2));
}

/// Exponential lifetimes of mean 1 s, each cut at a moment that is uniform over 3 s: a third is open.
/// By Little's law a mean of what ended alone is far too short; the estimate is restricted to 3 s,
/// where the mean is 1 - exp(-3) = 0.9502. Its standard error with 40,000 is below 0.007.
#[test]
fn censoring_of_a_known_law_is_undone() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut lifetimes = Lifetimes::default();
    let mut ended = Vec::new();
    for number in 0..40_000 {
        let left = ((rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        let life = -libm::log(left);
        let watched = 3.0 * (f64::from(number) + 0.5) / 40_000.0;
        if life <= watched {
            lifetimes.record(Duration::from_secs_f64(life));
            ended.push(life);
        } else {
            lifetimes.record_open(Duration::from_secs_f64(watched));
        }
    }
    assert!(lifetimes.bits < FINEST, "cells were put together");
    let naive = ended.iter().sum::<f64>() / ended.len() as f64;
    assert!(naive < 0.72, "{naive}");
    near(lifetimes.mean().unwrap().as_secs_f64(), 1.0 - (-3.0_f64).exp(), 0.015);
    near(lifetimes.quantile(0.5).unwrap().as_secs_f64(), core::f64::consts::LN_2, 0.02);
    near(lifetimes.quantile(0.9).unwrap().as_secs_f64(), 10.0_f64.ln(), 0.03);
}

#[test]
fn no_more_cells_than_are_kept() {
    let micros: Vec<u64> = (0..30_000).map(|i: u64| i * i * 37).collect();
    let lifetimes = of(&micros);
    assert!(lifetimes.ended.cells.len() <= MOST_CELLS);
    let mean = micros.iter().sum::<u64>() as f64 * 1e-6 / micros.len() as f64;
    near(lifetimes.mean().unwrap().as_secs_f64(), mean, 1e-9);
}
