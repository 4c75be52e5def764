//! Does a kernel agree with the model? What was measured must lie within what the model says for some
//! phase of the timer grid and some random numbers; what depends on neither must be equal.

use std::fmt::Display;

use super::case::{Case, Churn, Experiment};
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
    /// Where the kernel does not agree, each with both numbers: empty where it does.
    pub differs: Vec<String>,
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
    fn new(differs: Checks, kernel: impl Into<String>, model: impl Into<String>) -> Self {
        Self { differs: differs.0, kernel: kernel.into(), model: model.into(), unfit: None }
    }

    /// Does the kernel agree?
    #[must_use]
    pub const fn agrees(&self) -> bool {
        self.differs.is_empty()
    }

    /// The same, with `more` looked at.
    fn and(self, more: impl FnOnce(&mut Checks)) -> Self {
        let mut checks = Checks(self.differs);
        more(&mut checks);
        Self { differs: checks.0, ..self }
    }
}

/// What did not fit, in words with both numbers.
#[derive(Default)]
struct Checks(Vec<String>);

impl Checks {
    /// `what` was `found`, and the model says so.
    fn hold(&mut self, fits: bool, what: &str, found: impl Display, model: impl Display) {
        if !fits {
            self.0.push(format!("{what} {found}, model {model}"));
        }
    }

    /// A number that must lie within the model's.
    fn count(&mut self, what: &str, found: u32, [low, high]: [u32; 2]) {
        self.hold(low <= found && found <= high, what, found, spread(low, high));
    }

    /// A time that must lie within the model's, the tolerances included.
    fn time(&mut self, what: &str, found: f64, [low, high]: [f64; 2]) {
        let fits = low <= found && found <= high;
        self.hold(
            fits,
            what,
            format_args!("{found:.3} s"),
            format_args!("{low:.3} to {high:.3} s"),
        );
    }
}

fn spread(low: u32, high: u32) -> String {
    if low == high { low.to_string() } else { format!("{low} to {high}") }
}

/// The least and the greatest.
fn counts(values: impl Iterator<Item = u32> + Clone) -> [u32; 2] {
    [values.clone().min().unwrap_or(0), values.max().unwrap_or(0)]
}

/// Compares what a kernel did with what the model says for many draws of what is not known; the experiment
/// itself did something `late_s` seconds after its time at worst.
///
/// # Panics
/// When there is no prediction, or one of another experiment than the case's.
#[must_use]
pub fn judge(case: &Case, measured: &Measured, late_s: f64, predicted: &[Measured]) -> Judgement {
    assert!(!predicted.is_empty(), "there is nothing to compare with");
    let (mut judgement, late_s) = match measured {
        Measured::Churn(found) => (churn(case, found, predicted), found.max_late_s),
        _ => (of_others(case, measured, late_s, predicted), late_s),
    };
    if !judgement.agrees() && late_s > LATE_S {
        judgement.unfit = Some(format!(
            "something was done {late_s:.1} s late, so that this is not what the model was asked: this \
             machine is too slow or too busy for it"
        ));
    }
    judgement
}

fn of_others(case: &Case, measured: &Measured, late_s: f64, predicted: &[Measured]) -> Judgement {
    match measured {
        Measured::Hold { per_pair, distinct_ports, errors } => {
            let rows = predicted.iter().map(|one| match one {
                Measured::Hold { per_pair, distinct_ports, errors } => {
                    counted(per_pair, ("different ports", *distinct_ports), errors)
                }
                other => wrong(other),
            });
            by_counts(&counted(per_pair, ("different ports", *distinct_ports), errors), rows)
        }
        Measured::Squat { per_destination, squatted_ports_reused, errors } => {
            const REUSED: &str = "squatted ports that were got";
            let rows = predicted.iter().map(|one| match one {
                Measured::Squat { per_destination, squatted_ports_reused, errors } => {
                    counted(per_destination, (REUSED, *squatted_ports_reused), errors)
                }
                other => wrong(other),
            });
            by_counts(&counted(per_destination, (REUSED, *squatted_ports_reused), errors), rows)
        }
        Measured::Fixed { ok, errors } => {
            let rows = predicted.iter().map(|one| match one {
                Measured::Fixed { ok, errors } => counted(&[*ok], ("", 0), errors),
                other => wrong(other),
            });
            by_counts(&counted(&[*ok], ("", 0), errors), rows)
        }
        Measured::Mix { steps } => mix(steps, predicted),
        Measured::FinWait2 { freed_after_s } => {
            times(freed_after_s, late_s, predicted, "free after")
        }
        Measured::SynSent { begun, ended } => {
            let at: Vec<f64> = ended.iter().map(|end| end.0).collect();
            let model = predicted.iter().map(|one| match one {
                Measured::SynSent { begun, .. } => *begun,
                other => wrong(other),
            });
            times(&at, late_s, predicted, "given up after").and(|checks| {
                checks.count("attempts begun", *begun, counts(model));
                for (_, error) in ended.iter().filter(|end| end.1 != "ETIMEDOUT").take(1) {
                    checks.hold(false, "it ended in", error, "ETIMEDOUT");
                }
            })
        }
        Measured::TwTime { closed_s, taken_s } => {
            let (low, high) = bounds(taken_s);
            let mean = taken_s.iter().sum::<f64>() / taken_s.len().max(1) as f64;
            tw_time([low, mean, high], late_s, predicted).and(|checks| {
                checks.count("ports that came free", taken_s.len() as u32, [case.setup.n; 2]);
                batches_fit(&batches(closed_s, taken_s), late_s, predicted, checks);
            })
        }
        Measured::TwTimeSummary { min_s, mean_s, max_s, batch_gaps_s, batch_sizes, .. } => {
            let found: Vec<(u32, f64)> = batch_sizes
                .iter()
                .copied()
                .zip(batch_gaps_s.iter().copied().chain([0.0]))
                .collect();
            tw_time([*min_s, *mean_s, *max_s], late_s, predicted)
                .and(|checks| batches_fit(&found, late_s, predicted, checks))
        }
        Measured::Order { destinations } => order(case, destinations, predicted),
        Measured::Cost { levels } => cost(levels, predicted),
        Measured::Churn(_) => unreachable!("it is judged apart"),
    }
}

/// A prediction of another experiment.
fn wrong(other: &Measured) -> ! {
    panic!("this is the prediction of another experiment: {other:?}")
}

/// All that was counted.
struct Counted {
    /// Connections of each pair or destination.
    each: Vec<u32>,
    /// The rest by name: what is special to the experiment, and errors.
    rest: Vec<(&'static str, u32)>,
}

fn counted(each: &[u32], special: (&'static str, u32), errors: &Errors) -> Counted {
    // Two kinds of error are all there are in these experiments.
    let named = ["bind:EADDRINUSE", "connect:EADDRNOTAVAIL"];
    let of = |name: &'static str| (name, errors.get(name).copied().unwrap_or(0));
    let others = errors.keys().filter(|name| !named.contains(&name.as_str())).count() as u32;
    let rest = [special, of(named[0]), of(named[1]), ("other errors", others)];
    Counted { each: each.to_vec(), rest: rest.into() }
}

/// Every number within the model's spread of it; and so the sum of connections.
fn by_counts(found: &Counted, predicted: impl Iterator<Item = Counted>) -> Judgement {
    let model: Vec<Counted> = predicted.collect();
    let mut checks = Checks::default();
    let each = |at: usize| counts(model.iter().map(|row| row.each[at]));
    for (at, &connections) in found.each.iter().enumerate() {
        checks.count(&format!("connections of pair {}", at + 1), connections, each(at));
    }
    for (at, &(what, number)) in found.rest.iter().enumerate() {
        checks.count(what, number, counts(model.iter().map(|row| row.rest[at].1)));
    }
    let sum = |row: &Counted| row.each.iter().sum::<u32>();
    let [low, high] = sums(&model.iter().map(sum).collect::<Vec<_>>());
    checks.count("connections in all", sum(found), [low, high]);
    let (kernel, model) = if found.each.len() == 1 || found.each.len() > 6 {
        (sum(found).to_string(), spread(low, high))
    } else {
        let parts: Vec<String> = found.each.iter().map(u32::to_string).collect();
        let model = (0..found.each.len()).map(|at| {
            let [low, high] = each(at);
            spread(low, high)
        });
        (parts.join(" + "), model.collect::<Vec<String>>().join(" + "))
    };
    Judgement::new(checks, format!("{kernel} connections"), model)
}

/// Between what may sums lie of which these are some? They are nearly normal where they are sums of many
/// that were drawn: one kernel in a million that follows the model lies outside.
fn sums(of: &[u32]) -> [u32; 2] {
    const DEVIATIONS: f64 = 5.0;
    let [least, most] = counts(of.iter().copied());
    let (mean, deviation) = moments(of.iter().map(|&sum| f64::from(sum)));
    let (low, high) = (mean - DEVIATIONS * deviation, mean + DEVIATIONS * deviation);
    [least.min(low.ceil() as u32), most.max(high as u32)]
}

/// Mean and standard deviation.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
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
    let mut checks = Checks::default();
    if !predicted.iter().any(|one| same(&of(one))) {
        let model = of(&predicted[0]);
        for (number, (found, model)) in steps.iter().zip(&model).enumerate() {
            let what = format!("step {}:", number + 1);
            checks.hold(found == model, &what, in_words(found), in_words(model));
        }
        checks.count("steps made", steps.len() as u32, [model.len() as u32; 2]);
    }
    Judgement::new(checks, told(steps), told(&of(&predicted[0])))
}

fn in_words(step: &StepMeasured) -> String {
    let StepMeasured { opened, distinct_ports, low_parity, error } = step;
    let error = error.as_deref().unwrap_or("no error");
    format!("{opened} opened on {distinct_ports} ports, {low_parity} of the first parity, {error}")
}

fn bounds(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
        (low.min(value), high.max(value))
    })
}

/// Single times against the model's spread; each is noticed one after the other.
fn times(found: &[f64], late_s: f64, predicted: &[Measured], what: &str) -> Judgement {
    let model: Vec<f64> = predicted
        .iter()
        .flat_map(|one| match one {
            Measured::FinWait2 { freed_after_s } => freed_after_s.clone(),
            Measured::SynSent { ended, .. } => ended.iter().map(|end| end.0).collect(),
            other => wrong(other),
        })
        .collect();
    let (low, high) = bounds(&model);
    let mut checks = Checks::default();
    checks.hold(!found.is_empty(), what, "nothing", "something");
    for (number, &time) in found.iter().enumerate() {
        let noticed = NOTICED_WITHIN_S * (number + 1) as f64 + late_s;
        checks.time(&format!("number {} {what}", number + 1), time, [low - 0.01, high + noticed]);
    }
    let (first, last) = bounds(found);
    Judgement::new(
        checks,
        format!("{what} {first:.2} to {last:.2} s"),
        format!("{low:.2} to {high:.2} s"),
    )
}

fn tw_time([low, mean, high]: [f64; 3], late_s: f64, predicted: &[Measured]) -> Judgement {
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
    let mut checks = Checks::default();
    let band = [least - 0.002, most + 0.05 + late_s];
    checks.time("the shortest", low, band);
    checks.time("the longest", high, band);
    checks.time("the mean", mean, [least_mean - 0.01, most_mean + 0.02 + late_s]);
    Judgement::new(
        checks,
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
fn batches_fit(found: &[(u32, f64)], late_s: f64, predicted: &[Measured], checks: &mut Checks) {
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
        return;
    }
    let (low, high) = bounds(&gaps);
    let largest = model.iter().flatten().map(|batch| batch.0).max().unwrap_or(0);
    let batches = counts(model.iter().map(|batches| batches.len() as u32));
    checks.count("batches that came free", found.len() as u32, batches);
    for (number, &(size, gap)) in found.iter().enumerate() {
        checks.count(&format!("ports of batch {}", number + 1), size, [0, largest + 1]);
        if gap > 0.0 {
            let noticed = 0.02 + late_s;
            let what = format!("batch {} to the next", number + 1);
            checks.time(&what, gap, [low - noticed, high + noticed]);
        }
    }
}

fn order(case: &Case, found: &[OrderMeasured], predicted: &[Measured]) -> Judgement {
    let model: Vec<&Vec<OrderMeasured>> = predicted
        .iter()
        .map(|one| match one {
            Measured::Order { destinations } => destinations,
            other => wrong(other),
        })
        .collect();
    let mut checks = Checks::default();
    for (to, found) in found.iter().enumerate() {
        let model: Vec<&OrderMeasured> = model.iter().map(|one| &one[to]).collect();
        let mut within = |what: &str, of: &dyn Fn(&OrderMeasured) -> u32| {
            let what = format!("destination {}: {what}", to + 1);
            checks.count(&what, of(found), counts(model.iter().map(|one| of(one))));
        };
        within("ports", &|one| one.count);
        within("ports of the first parity", &|one| one.in_low_parity);
        within("ports before one of the other parity", &|one| {
            one.first_index_of_other_parity.unwrap_or(one.count)
        });
        let what = |what: &str| format!("destination {}: {what}", to + 1);
        let same = same_ports(case, found, &model);
        checks.hold(same, &what("the ports"), "are others", "the same ones");
        jumps_fit(found, &model, &what("jumps"), &mut checks);
        deltas_fit(found, &model, &what("distances"), &mut checks);
    }
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
    Judgement::new(checks, told(&found[0]), told(&model[0][0]))
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
fn jumps_fit(found: &OrderMeasured, model: &[&OrderMeasured], what: &str, checks: &mut Checks) {
    let many = |one: &OrderMeasured| one.jumps_over_16.len() as u32;
    let [fewest, most] = counts(model.iter().map(|one| many(one)));
    checks.count(what, many(found), [fewest.saturating_sub(1), most + 1]);
    for pair in found.jumps_over_16.windows(2) {
        checks.time(&format!("{what} apart"), pair[1].0 - pair[0].0, [9.7, 10.3]);
    }
}

/// Are distances from port to port spread as the model's are? The sum of squared deviations from the
/// model's means, over the twelve most frequent distances, must not be greater than the model's own
/// greatest.
fn deltas_fit(found: &OrderMeasured, model: &[&OrderMeasured], what: &str, checks: &mut Checks) {
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
    let (found, most) =
        (deviation(found), model.iter().map(|one| deviation(one)).fold(0.0, f64::max));
    let told = format_args!("a squared deviation of {found:.1}");
    checks.hold(found <= most, what, told, format_args!("at most {most:.1}"));
}

fn churn(case: &Case, found: &ChurnMeasured, predicted: &[Measured]) -> Judgement {
    let model: Vec<&ChurnMeasured> = predicted
        .iter()
        .map(|one| match one {
            Measured::Churn(churn) => churn,
            other => wrong(other),
        })
        .collect();
    let [low, high] = counts(model.iter().map(|one| one.fail));
    let slack = if case.setup.tw_reuse > 0 && case.setup.timestamps > 0 { REUSE_SLACK } else { 0 };
    let mut checks = Checks::default();
    checks.count("refused", found.fail, [low.saturating_sub(slack), high + slack]);
    let firsts: Vec<f64> = model.iter().filter_map(|one| one.first_fail_s).collect();
    let (first, last) = bounds(&firsts);
    let late = found.max_late_s + 0.001;
    // One failure more or less may be the first one.
    if let Some(at) = found.first_fail_s.filter(|_| slack == 0) {
        checks.time("the first refused at", at, [first - late, last + late]);
    }
    let kinds = |one: &ChurnMeasured| one.errors.keys().cloned().collect::<Vec<_>>().join(" and ");
    let errors = found.fail == 0 || model.iter().any(|one| kinds(one) == kinds(found));
    checks.hold(errors, "refused by", kinds(found), kinds(model[0]));
    let first_of = |first: Option<f64>| {
        first.map_or_else(String::new, |at| format!(", the first at {at:.3} s"))
    };
    let spread = spread(low, high);
    let spread = if slack > 0 { format!("{spread} (and {slack} either way)") } else { spread };
    let firsts_told = match (firsts.is_empty(), last - first < 0.000_5) {
        (true, _) => String::new(),
        (_, true) => format!(", the first at {first:.3} s"),
        _ => format!(", the first at {first:.3} to {last:.3} s"),
    };
    let late = match found.max_late_s {
        late if late > 0.001 => format!(", up to {:.0} ms late", late * 1e3),
        _ => String::new(),
    };
    let first_told = first_of(found.first_fail_s);
    Judgement::new(
        checks,
        format!("{} of {} refused{first_told}{late}", found.fail, found.attempts),
        format!("{spread}{firsts_told}"),
    )
}

/// The same case with the attempts as they were made, where some were late: the model can be asked for those
/// too.
#[must_use]
pub fn as_made(case: &Case, measured: &Measured) -> Option<Case> {
    let (Experiment::Churn(churn), Measured::Churn(found)) = (&case.experiment, measured) else {
        return None;
    };
    let churn = Churn { attempts: found.made.clone(), workers: None, ..churn.clone() };
    (!found.made.is_empty()).then(|| Case { experiment: Experiment::Churn(churn), ..case.clone() })
}

/// The shape of the cost: cheap below half of the range, dear from there on, dearest on a full one.
fn cost(levels: &[CostLevel], predicted: &[Measured]) -> Judgement {
    let Measured::Cost { levels: model } = &predicted[0] else { wrong(&predicted[0]) };
    let of = |pick: &dyn Fn(&&CostLevel) -> bool| {
        let values: Vec<f64> = levels.iter().filter(pick).map(|level| level.median_us).collect();
        bounds(&values)
    };
    let (_, cheap) = of(&|level| level.fill_percent < 49.0);
    let (dear, _) = of(&|level| level.fill_percent >= 51.0 && level.fill_percent < 100.0);
    let mut checks = Checks::default();
    for (found, model) in levels.iter().zip(model) {
        let what = format!("connections with {} % held", found.fill_percent);
        checks.count(&what, found.ok, [model.ok; 2]);
    }
    let least = format_args!("over {:.0} us", 5.0 * cheap);
    checks.hold(dear > 5.0 * cheap, "above half", format_args!("{dear:.0} us"), least);
    Judgement::new(
        checks,
        format!("at most {cheap:.0} us below half of the range, at least {dear:.0} us above"),
        "a step at one half",
    )
}
