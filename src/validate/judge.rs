//! Does a kernel agree with the model? What was measured must lie within what the model says for some
//! phase of the timer grid and some random numbers; what depends on neither must be equal.

use super::case::{Case, Experiment};
use super::measured::{ChurnMeasured, CostLevel, Errors, Measured, OrderMeasured, StepMeasured};

/// Failures that a measured case of taken-over TIME-WAITs may lie outside the model's spread: whether a
/// port is a millisecond too young depends on when in it each call came.
const REUSE_SLACK: u32 = 4;

/// How much later than it happens an experiment may notice a single event, in seconds: scheduling and
/// polling, on a busy machine.
const NOTICED_WITHIN_S: f64 = 0.065;

/// What came of comparing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Does the kernel agree?
    pub agrees: bool,
    /// What the kernel did, in a few words.
    pub kernel: String,
    /// What the model says, in a few words.
    pub model: String,
    /// Why the two cannot be compared, if they cannot.
    pub unfit: Option<String>,
}

/// Attempts that come later than this were not those that the model made, in seconds.
const LATE_S: f64 = 0.1;

impl Judgement {
    fn new(agrees: bool, kernel: impl Into<String>, model: impl Into<String>) -> Self {
        Self { agrees, kernel: kernel.into(), model: model.into(), unfit: None }
    }
}

/// Compares what a kernel did with what the model says for many draws of what is not known.
///
/// # Panics
/// When there is no prediction, or one of another experiment than the case's.
#[must_use]
pub fn judge(case: &Case, measured: &Measured, predicted: &[Measured]) -> Judgement {
    assert!(!predicted.is_empty(), "there is nothing to compare with");
    match measured {
        Measured::Hold { per_pair, distinct_ports, errors } => {
            let counts: Vec<Vec<u32>> = predicted
                .iter()
                .map(|one| match one {
                    Measured::Hold { per_pair, distinct_ports, errors } => {
                        counted(per_pair, &[*distinct_ports], errors)
                    }
                    other => wrong(other),
                })
                .collect();
            let found = counted(per_pair, &[*distinct_ports], errors);
            by_counts(per_pair, &found, &counts, per_pair.len())
        }
        Measured::Squat { per_destination, squatted_ports_reused, errors } => {
            let counts: Vec<Vec<u32>> = predicted
                .iter()
                .map(|one| match one {
                    Measured::Squat { per_destination, squatted_ports_reused, errors } => {
                        counted(per_destination, &[*squatted_ports_reused], errors)
                    }
                    other => wrong(other),
                })
                .collect();
            let found = counted(per_destination, &[*squatted_ports_reused], errors);
            by_counts(per_destination, &found, &counts, per_destination.len())
        }
        Measured::Fixed { ok, errors } => {
            let counts: Vec<Vec<u32>> = predicted
                .iter()
                .map(|one| match one {
                    Measured::Fixed { ok, errors } => counted(&[*ok], &[], errors),
                    other => wrong(other),
                })
                .collect();
            by_counts(&[*ok], &counted(&[*ok], &[], errors), &counts, 1)
        }
        Measured::Mix { steps } => mix(steps, predicted),
        Measured::FinWait2 { freed_after_s } => times(freed_after_s, predicted, "free after"),
        Measured::SynSent { begun, ended } => {
            let at: Vec<f64> = ended.iter().map(|end| end.0).collect();
            let mut judgement = times(&at, predicted, "given up after");
            let as_many = predicted.iter().any(|one| match one {
                Measured::SynSent { begun: model, .. } => model == begun,
                other => wrong(other),
            });
            judgement.agrees &= as_many && ended.iter().all(|end| end.1 == "ETIMEDOUT");
            judgement
        }
        Measured::TwTime { closed_s, taken_s } => {
            let (low, high) = bounds(taken_s);
            let mean = taken_s.iter().sum::<f64>() / taken_s.len().max(1) as f64;
            let mut judgement = tw_time([low, mean, high], predicted);
            judgement.agrees &= taken_s.len() == case.setup.n as usize
                && batches_fit(&batches(closed_s, taken_s), predicted);
            judgement
        }
        Measured::TwTimeSummary { min_s, mean_s, max_s, batch_gaps_s, batch_sizes, .. } => {
            let mut judgement = tw_time([*min_s, *mean_s, *max_s], predicted);
            let found: Vec<(u32, f64)> = batch_sizes
                .iter()
                .copied()
                .zip(batch_gaps_s.iter().copied().chain([0.0]))
                .collect();
            judgement.agrees &= batches_fit(&found, predicted);
            judgement
        }
        Measured::Order { destinations } => order(case, destinations, predicted),
        Measured::Churn(found) => churn(case, found, predicted),
        Measured::Cost { levels } => cost(levels, predicted),
    }
}

/// A prediction of another experiment.
fn wrong(other: &Measured) -> ! {
    panic!("this is the prediction of another experiment: {other:?}")
}

/// All that was counted, in one row: what matters first, then the rest, then errors by name.
fn counted(first: &[u32], rest: &[u32], errors: &Errors) -> Vec<u32> {
    // Two kinds of error are all there are in these experiments.
    let named = ["bind:EADDRINUSE", "connect:EADDRNOTAVAIL"];
    let of = |name: &&str| errors.get(*name).copied().unwrap_or(0);
    let others = errors.keys().filter(|name| !named.contains(&name.as_str())).count() as u32;
    let errors = named.iter().map(of).chain([others]);
    first.iter().chain(rest).copied().chain(errors).collect()
}

/// Every number within the model's spread of it; and so the sum of the first `summed`.
fn by_counts(shown: &[u32], found: &[u32], predicted: &[Vec<u32>], summed: usize) -> Judgement {
    let sum = |row: &[u32]| row[..summed].iter().sum::<u32>();
    let within = |value: u32, of: &dyn Fn(&Vec<u32>) -> u32| {
        let values = predicted.iter().map(of);
        let (low, high) = (values.clone().min().unwrap_or(0), values.max().unwrap_or(0));
        (low <= value && value <= high, low, high)
    };
    let each = (0..found.len()).all(|at| within(found[at], &|row| row[at]).0);
    let (total, low, high) = within(sum(found), &|row| sum(row));
    let spread = |low: u32, high: u32| match low == high {
        true => low.to_string(),
        false => format!("{low} to {high}"),
    };
    let (kernel, model) = if shown.len() == 1 || shown.len() > 6 {
        (format!("{} connections", sum(found)), spread(low, high))
    } else {
        let parts: Vec<String> = shown.iter().map(u32::to_string).collect();
        let model = (0..shown.len()).map(|at| {
            let (_, low, high) = within(found[at], &|row| row[at]);
            spread(low, high)
        });
        let model: Vec<String> = model.collect();
        (format!("{} connections", parts.join(" + ")), model.join(" + "))
    };
    Judgement::new(each && total, kernel, model)
}

fn mix(steps: &[StepMeasured], predicted: &[Measured]) -> Judgement {
    let told = |steps: &[StepMeasured]| {
        let parts: Vec<String> = steps.iter().map(|step| step.opened.to_string()).collect();
        parts.join(", ")
    };
    let plain =
        |step: &StepMeasured| StepMeasured { distinct_ports: 0, low_parity: 0, ..step.clone() };
    let same = |model: &[StepMeasured]| {
        model.len() == steps.len()
            && model.iter().zip(steps).all(|(model, step)| {
                // Of a release only the number is told.
                let released = step.distinct_ports == 0;
                if released { plain(model) == plain(step) } else { model == step }
            })
    };
    let of = |one: &Measured| match one {
        Measured::Mix { steps } => steps.clone(),
        other => wrong(other),
    };
    let agrees = predicted.iter().any(|one| same(&of(one)));
    Judgement::new(agrees, told(steps), told(&of(&predicted[0])))
}

fn bounds(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
        (low.min(value), high.max(value))
    })
}

/// Single times against the model's spread; each is noticed one after the other.
fn times(found: &[f64], predicted: &[Measured], what: &str) -> Judgement {
    let model: Vec<f64> = predicted
        .iter()
        .flat_map(|one| match one {
            Measured::FinWait2 { freed_after_s } => freed_after_s.clone(),
            Measured::SynSent { ended, .. } => ended.iter().map(|end| end.0).collect(),
            other => wrong(other),
        })
        .collect();
    let (low, high) = bounds(&model);
    let fits = |(number, &time): (usize, &f64)| {
        low - 0.01 <= time && time <= high + NOTICED_WITHIN_S * (number + 1) as f64
    };
    let agrees = !found.is_empty() && found.iter().enumerate().all(fits);
    let (first, last) = bounds(found);
    Judgement::new(
        agrees,
        format!("{what} {first:.2} to {last:.2} s"),
        format!("{low:.2} to {high:.2} s"),
    )
}

fn tw_time([low, mean, high]: [f64; 3], predicted: &[Measured]) -> Judgement {
    let taken = |one: &Measured| match one {
        Measured::TwTime { taken_s, .. } => taken_s.clone(),
        other => wrong(other),
    };
    let means: Vec<f64> = predicted
        .iter()
        .map(|one| {
            let taken = taken(one);
            taken.iter().sum::<f64>() / taken.len().max(1) as f64
        })
        .collect();
    let all: Vec<f64> = predicted.iter().flat_map(taken).collect();
    let ((least, most), (least_mean, most_mean)) = (bounds(&all), bounds(&means));
    let agrees = least - 0.002 <= low
        && high <= most + 0.05
        && least_mean - 0.01 <= mean
        && mean <= most_mean + 0.02;
    Judgement::new(
        agrees,
        format!("taken for {low:.3} to {high:.3} s, mean {mean:.3}"),
        format!("{least:.3} to {most:.3} s, mean {least_mean:.3} to {most_mean:.3}"),
    )
}

/// Ports that came free together: how many, and how long before the next ones.
fn batches(closed_s: &[f64], taken_s: &[f64]) -> Vec<(u32, f64)> {
    let mut freed: Vec<f64> =
        closed_s.iter().zip(taken_s).map(|(closed, taken)| closed + taken).collect();
    freed.sort_by(f64::total_cmp);
    let mut batches: Vec<(u32, f64)> = Vec::new();
    let mut since = f64::NEG_INFINITY;
    for at in freed {
        match batches.last_mut() {
            Some((size, _)) if at - since < 0.04 => *size += 1,
            last => {
                if let Some((_, gap)) = last {
                    *gap = at - since;
                }
                batches.push((1, 0.0));
                since = at;
            }
        }
    }
    batches
}

/// Do batches come at the model's intervals, with at most the model's number in each?
fn batches_fit(found: &[(u32, f64)], predicted: &[Measured]) -> bool {
    let model: Vec<Vec<(u32, f64)>> = predicted
        .iter()
        .map(|one| match one {
            Measured::TwTime { closed_s, taken_s } => batches(closed_s, taken_s),
            other => wrong(other),
        })
        .collect();
    // Where ports come free one by one there are no batches to compare.
    let gaps: Vec<f64> =
        model.iter().flatten().map(|batch| batch.1).filter(|gap| *gap > 0.0).collect();
    if gaps.is_empty() || bounds(&gaps).0 < 0.2 {
        return true;
    }
    let (low, high) = bounds(&gaps);
    let largest = model.iter().flatten().map(|batch| batch.0).max().unwrap_or(0);
    let counts = model.iter().map(|batches| batches.len());
    let (fewest, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    let fits = |batch: &(u32, f64)| {
        batch.0 <= largest + 1
            && (batch.1 == 0.0 || low - 0.02 <= batch.1 && batch.1 <= high + 0.02)
    };
    (fewest..=most).contains(&found.len()) && found.iter().all(fits)
}

fn order(case: &Case, found: &[OrderMeasured], predicted: &[Measured]) -> Judgement {
    let model: Vec<&Vec<OrderMeasured>> = predicted
        .iter()
        .map(|one| match one {
            Measured::Order { destinations } => destinations,
            other => wrong(other),
        })
        .collect();
    let agrees = found.iter().enumerate().all(|(to, found)| {
        let model: Vec<&OrderMeasured> = model.iter().map(|one| &one[to]).collect();
        let fits = |found: u32, of: &dyn Fn(&OrderMeasured) -> u32| {
            let values = model.iter().map(|one| of(one));
            values.clone().min() <= Some(found) && Some(found) <= values.max()
        };
        let none = u32::MAX;
        fits(found.count, &|one| one.count)
            && fits(found.in_low_parity, &|one| one.in_low_parity)
            && fits(found.first_index_of_other_parity.unwrap_or(none), &|one| {
                one.first_index_of_other_parity.unwrap_or(none)
            })
            && same_ports(case, found, &model)
            && jumps_fit(found, &model)
            && deltas_fit(found, &model)
    });
    let told = |one: &OrderMeasured| {
        let other = match one.first_index_of_other_parity {
            None => "of one parity".to_owned(),
            Some(0) => "the other parity first".to_owned(),
            Some(at) => format!("the other parity after {at}"),
        };
        let frequent: Vec<u32> = one.deltas.iter().take(8).map(|delta| delta.0).collect();
        let (least, most) = (frequent.iter().min(), frequent.iter().max());
        let steps = match (least, most) {
            // Single steps say something only where they are few.
            (Some(least), Some(most)) if *most <= 16 => format!(", steps of {least} to {most}"),
            _ => String::new(),
        };
        format!("{} ports, {other}{steps}", one.count)
    };
    Judgement::new(agrees, told(&found[0]), told(&model[0][0]))
}

/// Where all ports were taken and all were written down, they are the same ports.
fn same_ports(case: &Case, found: &OrderMeasured, model: &[&OrderMeasured]) -> bool {
    if found.ports_minus_lo.len() as u32 != found.count || found.count != case.setup.n {
        return found.ports_minus_lo.iter().all(|port| *port < case.setup.n);
    }
    let set = |ports: &[u32]| ports.iter().copied().collect::<std::collections::BTreeSet<u32>>();
    let wanted = set(&found.ports_minus_lo);
    model.iter().any(|one| set(&one.ports_minus_lo) == wanted)
}

/// Jumps come ten seconds apart, as often as the model's or once more or less.
fn jumps_fit(found: &OrderMeasured, model: &[&OrderMeasured]) -> bool {
    let many = found.jumps_over_16.len();
    let as_many = model.iter().any(|one| one.jumps_over_16.len().abs_diff(many) <= 1);
    let apart = |pair: &[(f64, u32)]| (pair[1].0 - pair[0].0 - 10.0).abs() < 0.3;
    as_many && found.jumps_over_16.windows(2).all(apart)
}

/// Are distances from port to port spread as the model's are? The sum of squared deviations from the
/// model's means, over the twelve most frequent distances, must not be greater than the model's own
/// greatest.
fn deltas_fit(found: &OrderMeasured, model: &[&OrderMeasured]) -> bool {
    const MOST_FREQUENT: usize = 12;
    let mut means = std::collections::BTreeMap::new();
    for one in model {
        for &(distance, count) in &one.deltas {
            *means.entry(distance).or_insert(0.0) += f64::from(count) / model.len() as f64;
        }
    }
    let deviation = |one: &OrderMeasured| -> f64 {
        let frequent = one.deltas.iter().take(MOST_FREQUENT);
        frequent
            .map(|&(distance, count)| {
                let mean = means.get(&distance).copied().unwrap_or(0.0).max(0.05);
                (f64::from(count) - mean).powi(2) / mean
            })
            .sum()
    };
    deviation(found) <= model.iter().map(|one| deviation(one)).fold(0.0, f64::max)
}

fn churn(case: &Case, found: &ChurnMeasured, predicted: &[Measured]) -> Judgement {
    let model: Vec<&ChurnMeasured> = predicted
        .iter()
        .map(|one| match one {
            Measured::Churn(churn) => churn,
            other => wrong(other),
        })
        .collect();
    let fails = model.iter().map(|one| one.fail);
    let (low, high) = (fails.clone().min().unwrap_or(0), fails.max().unwrap_or(0));
    let slack = if case.setup.tw_reuse > 0 && case.setup.timestamps > 0 { REUSE_SLACK } else { 0 };
    let in_spread = low.saturating_sub(slack) <= found.fail && found.fail <= high + slack;
    let firsts: Vec<f64> = model.iter().filter_map(|one| one.first_fail_s).collect();
    let (first, last) = bounds(&firsts);
    let late = found.max_late_s + 0.001;
    let in_time = match found.first_fail_s {
        Some(at) if slack == 0 => first - late <= at && at <= last + late,
        // One failure more or less may be the first one.
        Some(_) => true,
        None => low <= slack,
    };
    let kinds = |one: &ChurnMeasured| one.errors.keys().cloned().collect::<Vec<_>>();
    let errors = found.fail == 0 || model.iter().any(|one| kinds(one) == kinds(found));
    let first_of = |first: Option<f64>| {
        first.map_or_else(String::new, |at| format!(", the first at {at:.3} s"))
    };
    let spread = if low == high { low.to_string() } else { format!("{low} to {high}") };
    let spread = if slack > 0 { format!("{spread} (and {slack} either way)") } else { spread };
    let firsts_told = match (firsts.is_empty(), last - first < 0.000_5) {
        (true, _) => String::new(),
        (_, true) => format!(", the first at {first:.3} s"),
        _ => format!(", the first at {first:.3} to {last:.3} s"),
    };
    let mut judgement = Judgement::new(
        in_spread && in_time && errors,
        format!("{} of {} refused{}", found.fail, found.attempts, first_of(found.first_fail_s)),
        format!("{spread}{firsts_told}"),
    );
    if !judgement.agrees && found.max_late_s > LATE_S {
        judgement.unfit = Some(format!(
            "attempts came up to {:.1} s late, so they were not the model's: this machine is too slow or \
             too busy for it",
            found.max_late_s
        ));
    }
    judgement
}

/// The shape of the cost: cheap below half of the range, dear from there on, dearest on a full one.
fn cost(levels: &[CostLevel], predicted: &[Measured]) -> Judgement {
    let Measured::Cost { levels: model } = &predicted[0] else { wrong(&predicted[0]) };
    let as_many = levels.iter().zip(model).all(|(found, model)| found.ok == model.ok);
    let of = |pick: &dyn Fn(&&CostLevel) -> bool| {
        let values: Vec<f64> = levels.iter().filter(pick).map(|level| level.median_us).collect();
        bounds(&values)
    };
    let (_, cheap) = of(&|level| level.fill_percent < 49.0);
    let (dear, _) = of(&|level| level.fill_percent >= 51.0 && level.fill_percent < 100.0);
    Judgement::new(
        as_many && dear > 5.0 * cheap,
        format!("at most {cheap:.0} us below half of the range, at least {dear:.0} us above"),
        "a step at one half",
    )
}

/// How many draws a case is predicted with: enough that the model's spread is seen whole. Where only the
/// phase of the timer grid is unknown these are 64 places on it; where ports are drawn at random a kernel
/// that follows the model would lie outside so many draws once in some hundred cases.
#[must_use]
pub fn draws(case: &Case) -> u32 {
    match case.experiment {
        Experiment::Order(_) | Experiment::Hold(_) => 512,
        // Which TIME-WAITs are left when there are too many depends on the ports that were drawn.
        Experiment::Churn(_) if case.setup.max_tw.is_some() => 256,
        _ => 64,
    }
}
