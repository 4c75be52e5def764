//! How long the connections of one client last: by its law, or as they were recorded.

use crate::model::{Arrivals, Client, Distribution, Ending, TraceAttempt};

use super::moments::{limited_mean_s, probability_below};
use crate::units::SimDuration;

/// The attempts of one client, or those of them that go to one of its targets.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientAttempts<'a> {
    client: &'a Client,
    recorded: &'a [TraceAttempt],
    target: Option<usize>,
}

impl<'a> ClientAttempts<'a> {
    /// Those that go to target number `target` of `client`; all where it is `None`.
    pub(super) fn of(client: &'a Client, target: Option<usize>) -> Self {
        Self { client, recorded: recorded(client), target }
    }

    /// The recorded ones; without recorded destinations they are the same for every target.
    fn recorded(&self) -> impl Iterator<Item = &'a TraceAttempt> + use<'a> {
        let target = self.target;
        self.recorded.iter().filter(move |attempt| {
            let went = attempt.to.map(|(target, _)| usize::from(target));
            target.is_none() || went.is_none() || went == target
        })
    }

    /// Was it recorded where each of them went?
    pub(super) fn know_their_target(&self) -> bool {
        self.recorded.first().is_some_and(|first| first.to.is_some())
    }

    /// Mean lifetime in seconds; `None` when it is infinite.
    pub(super) fn mean_s(&self) -> Option<f64> {
        self.mean_of(self.client.lifetime.mean_s(), |span_s| span_s)
    }

    /// Mean of `min(lifetime, limit_s)` in seconds.
    pub(super) fn limited_mean_s(&self, limit_s: f64) -> f64 {
        let of_law = limited_mean_s(&self.client.lifetime, limit_s);
        self.mean_of(Some(of_law), |span_s| span_s.min(limit_s)).unwrap_or(limit_s)
    }

    /// The mean of `part` of the recorded lifetimes, and of `of_law` for those that were not.
    fn mean_of(&self, of_law: Option<f64>, part: impl Fn(f64) -> f64) -> Option<f64> {
        let (mut count, mut drawn, mut sum) = (0_u64, 0_u64, 0.0);
        for attempt in self.recorded() {
            count += 1;
            match attempt.lifetime {
                Some(span) => sum += part(span.as_secs_f64()),
                None => drawn += 1,
            }
        }
        if count == 0 {
            return of_law;
        }
        if drawn > 0 {
            sum += drawn as f64 * of_law?;
        }
        Some(sum / count as f64)
    }

    /// Share of them that end in one of `endings`, 0 to 1.
    pub(super) fn share_of(&self, endings: &[Ending]) -> f64 {
        let total: f64 = self.client.closes.iter().map(|&(_, weight)| weight).sum();
        let wanted = self.client.closes.iter().filter(|(ending, _)| endings.contains(ending));
        let by_law = wanted.map(|&(_, weight)| weight).sum::<f64>() / total;
        let share = |attempt: &TraceAttempt| {
            attempt.ending.map_or(by_law, |ending| f64::from(u8::from(endings.contains(&ending))))
        };
        let (count, sum) =
            self.recorded().fold((0_u64, 0.0), |(n, sum), attempt| (n + 1, sum + share(attempt)));
        if count == 0 { by_law } else { sum / count as f64 }
    }
}

/// The attempts of `client` that were recorded; none where arrivals are drawn.
fn recorded(client: &Client) -> &[TraceAttempt] {
    match &client.arrivals {
        Arrivals::Trace(attempts) => attempts,
        _ => &[],
    }
}

/// Was it recorded from which address the attempts of `client` were made?
pub(super) fn has_recorded_sources(client: &Client) -> bool {
    recorded(client).iter().any(|attempt| attempt.source.is_some())
}

/// Share of the attempts of `client` that go to each of its targets, 0 to 1.
pub(super) fn target_shares(client: &Client) -> Vec<f64> {
    let mut counts = vec![0.0; client.targets.len()];
    for (target, _) in recorded(client).iter().filter_map(|attempt| attempt.to) {
        counts[usize::from(target)] += 1.0;
    }
    let mut total: f64 = counts.iter().sum();
    if total == 0.0 {
        counts = client.targets.iter().map(|target| target.weight).collect();
        total = counts.iter().sum();
    }
    counts.iter().map(|count| count / total).collect()
}

/// A law in parts: what is drawn lies in part `(p, s)` with probability `p`, and is `s` seconds on
/// average there. The mean of the whole is exact, and so is the probability to fall below any of
/// `edges_s`; in between a part stands for no more than a fifth of its value to either side.
pub(super) fn in_parts(law: &Distribution, edges_s: &[f64]) -> Vec<(f64, f64)> {
    if let Distribution::Constant(value) = law {
        return vec![(1.0, value.as_secs_f64())];
    }
    let scale = match law {
        Distribution::Pareto { minimum, .. } => minimum.as_secs_f64(),
        law => law.mean_s().unwrap_or(0.0),
    };
    let mut edges: Vec<f64> = (-40..=60).map(|k| scale * libm::exp2(f64::from(k) / 4.0)).collect();
    edges.extend(edges_s);
    edges.push(f64::INFINITY);
    edges.sort_by(f64::total_cmp);
    if let Distribution::Empirical(samples) = law {
        return sorted_into(&edges, samples);
    }
    // Up to `edge`: the probability, and the part of the mean that lies there.
    let upto = |edge: f64| {
        if edge == f64::INFINITY {
            return (1.0, law.mean_s().unwrap_or(f64::INFINITY));
        }
        let below = probability_below(law, edge);
        (below, limited_mean_s(law, edge) - edge * (1.0 - below))
    };
    let (mut parts, mut before, mut from) = (Vec::new(), (0.0, 0.0), 0.0);
    for edge in edges {
        let now = upto(edge);
        let share = now.0 - before.0;
        // What is less likely than rounding errors are large belongs to the next part.
        if share > 1e-12 || edge == f64::INFINITY && share > 0.0 {
            parts.push((share, ((now.1 - before.1) / share).clamp(from, edge)));
            (before, from) = (now, edge);
        }
    }
    parts
}

/// The samples by the parts that rising `edges` leave between them, in one pass over them all.
fn sorted_into(edges: &[f64], samples: &[SimDuration]) -> Vec<(f64, f64)> {
    let mut parts = vec![(0.0, 0.0); edges.len() + 1];
    for sample in samples {
        let s = sample.as_secs_f64();
        let (count, sum) = &mut parts[edges.partition_point(|&edge| edge <= s)];
        *count += 1.0;
        *sum += s;
    }
    let used = parts.into_iter().filter(|part| part.0 > 0.0);
    used.map(|(count, sum)| (count / samples.len() as f64, sum / count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Target;
    use crate::theory::fixtures::{client, secs};
    use crate::units::SimTime;

    #[test]
    fn a_law_in_parts_keeps_its_mean_and_the_probability_below_an_edge() {
        for law in [
            Distribution::Exponential { mean: secs(3.0) },
            Distribution::Lognormal { mean: secs(3.0), sigma: 2.0 },
            Distribution::Pareto { minimum: secs(1.0), shape: 1.5 },
            Distribution::Uniform { min: secs(2.9), max: secs(3.1) },
            Distribution::Empirical([secs(1.0), secs(5.0), secs(3.0)].into()),
        ] {
            let parts = in_parts(&law, &[3.05]);
            let mean: f64 = parts.iter().map(|(share, s)| share * s).sum();
            assert!((mean - 3.0).abs() < 1e-6, "{law:?}: {mean}");
            let below: f64 = parts.iter().filter(|part| part.1 < 3.05).map(|part| part.0).sum();
            let wanted = probability_below(&law, 3.05);
            assert!((below - wanted).abs() < 1e-9, "{law:?}: {below}, not {wanted}");
        }
        let heavy = Distribution::Pareto { minimum: secs(1.0), shape: 0.9 };
        assert_eq!(in_parts(&heavy, &[]).last().map(|part| part.1), Some(f64::INFINITY));
    }

    fn attempt(lifetime_s: Option<f64>, to: u16, ending: Option<Ending>) -> TraceAttempt {
        let lifetime = lifetime_s.map(secs);
        TraceAttempt { at: SimTime::START, lifetime, to: Some((to, 0)), source: None, ending }
    }

    #[test]
    fn what_was_recorded_counts_before_the_laws() {
        let trace = [
            attempt(Some(4.0), 0, Some(Ending::Server)),
            attempt(None, 0, None),
            attempt(Some(7.0), 1, Some(Ending::Reset)),
        ];
        let target = |destination| Target { destination, weight: 1.0 };
        let traced = Client {
            arrivals: Arrivals::Trace(trace.into()),
            targets: vec![target(0), target(1)],
            ..client()
        };
        let [all, first, second] =
            [None, Some(0), Some(1)].map(|target| ClientAttempts::of(&traced, target));
        assert_eq!(all.mean_s(), Some(4.0));
        assert_eq!(first.mean_s(), Some(2.5));
        assert_eq!(second.limited_mean_s(5.0), 5.0);
        assert_eq!(first.share_of(&[Ending::Client]), 0.5);
        assert_eq!(second.share_of(&[Ending::Reset]), 1.0);
        assert_eq!(target_shares(&traced), [2.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(target_shares(&client()), [1.0]);
    }
}
