//! Laws of durations: `lifetime = { distribution = "exponential", mean = "200 ms" }`.

use std::path::Path;

use super::fields::Fields;
use super::tagged::Tagged;
use crate::model::Distribution;
use crate::scenario::keys::LAWS;
use crate::scenario::text::file::{self, Unreadable};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::quantity;
use crate::scenario::text::scan::plain_number;
use crate::scenario::text::suggest::shown;
use crate::scenario::text::tree::{Node, Value};
use crate::scenario::text::walk::Walk;
use crate::units::SimDuration;

/// Largest file of samples that is read.
const LARGEST_FILE: u64 = 64 << 20;
/// So many wrong samples of one file are reported.
const SAMPLES_REPORTED: usize = 5;

/// The law that the key `key` says; plain text is a constant.
pub(crate) fn law(fields: &Fields<'_>, key: &str) -> Option<Distribution> {
    let (walk, node) = (fields.walk, fields.value(key)?);
    if let Value::Text(_) | Value::Integer(_) | Value::Float(_) = &node.value {
        return walk.duration(node, key).map(Distribution::Constant);
    }
    let law = Tagged::read(walk, node, key, &LAWS)?;
    match law.kind.name {
        "constant" => law.need_as("value", Fields::time).map(Distribution::Constant),
        "exponential" => {
            mean(walk, law.need("mean")?).map(|mean| Distribution::Exponential { mean })
        }
        "lognormal" => lognormal(law),
        "pareto" => pareto(law),
        "uniform" => uniform(law),
        _ => empirical(law),
    }
}

fn mean(walk: &Walk, node: &Node) -> Option<SimDuration> {
    walk.positive_duration(node, "mean", "for no time at all write \"0 s\" instead of the table")
}

/// The 0.99 quantile of the standard normal law.
const NORMAL_99: f64 = 2.326_347_874_040_841;

/// A lognormal law by two of its quantiles, as monitoring has them.
fn by_quantiles(law: Tagged<'_>) -> Option<Distribution> {
    let walk = law.fields.walk;
    for key in ["mean", "median", "sigma"] {
        if let Some(other) = law.fields.table.get(key) {
            let problem = Problem::at(other.key_at, format!("`{key}` follows from p50 and p99"))
                .label("this one is too much")
                .help("leave it out, or write mean and sigma instead of p50 and p99");
            walk.report(problem);
            return None;
        }
    }
    let [p50, p99] = ["p50", "p99"].map(|key| {
        let node = law.need(key)?;
        Some((node, walk.positive_duration(node, key, "for example \"80 ms\"")?))
    });
    let ((_, median), (node, most)) = (p50?, p99?);
    let sigma = libm::log(most.as_secs_f64() / median.as_secs_f64()) / NORMAL_99;
    if !(sigma > 0.0 && sigma <= 10.0) {
        let problem = Problem::at(node.at, format!("p99 {most} does not go with p50 {median}"))
            .label(if sigma > 0.0 { "too long" } else { "not longer than p50" })
            .help("p99 is longer than p50; measured lifetimes have 3 to 1,000 times as much");
        walk.report(problem);
        return None;
    }
    of_median(law, node, median, sigma)
}

fn lognormal(law: Tagged<'_>) -> Option<Distribution> {
    if ["p50", "p99"].iter().any(|key| law.fields.table.get(key).is_some()) {
        return by_quantiles(law);
    }
    let sigma = law.need_as("sigma", Fields::number);
    let (which, node) = law.need_either()?;
    let middle = law.fields.walk.positive_duration(node, which, "for example \"200 ms\"");
    let (sigma, middle) = (sigma?, middle?);
    if which == "mean" {
        return Some(Distribution::Lognormal { mean: middle, sigma });
    }
    of_median(law, node, middle, sigma)
}

fn of_median(
    law: Tagged<'_>,
    node: &Node,
    median: SimDuration,
    sigma: f64,
) -> Option<Distribution> {
    // The mean of exp(Normal(mu, sigma)) is exp(mu + sigma^2 / 2), its median exp(mu).
    let mean = median.as_secs_f64() * libm::exp(sigma * sigma / 2.0);
    let mean = SimDuration::from_secs_f64(mean);
    if mean > SimDuration::from_secs(10 * 366 * 86_400) {
        let problem = Problem::at(node.at, "the mean of this law is longer than ten years")
            .label(format!("with sigma = {}", plain_number(sigma)))
            .help("write a shorter median or a smaller sigma; measured lifetimes have 0.5 to 3");
        law.fields.walk.report(problem);
        return None;
    }
    Some(Distribution::Lognormal { mean, sigma })
}

fn pareto(law: Tagged<'_>) -> Option<Distribution> {
    let shape = law.need_as("shape", Fields::number);
    let (which, node) = law.need_either()?;
    let span = law.fields.walk.positive_duration(node, which, "for example \"100 ms\"");
    let (shape, span) = (shape?, span?);
    if which == "minimum" {
        return Some(Distribution::Pareto { minimum: span, shape });
    }
    if shape <= 1.0 {
        let message = format!("a Pareto law of shape {} has no mean", plain_number(shape));
        let problem = Problem::at(node.at, message)
            .label("it is infinite")
            .help("write `minimum` instead of `mean`, or a shape above 1");
        law.fields.walk.report(problem);
        return None;
    }
    // mean = minimum * shape / (shape - 1)
    let minimum = SimDuration::from_secs_f64(span.as_secs_f64() * (shape - 1.0) / shape);
    if minimum.is_zero() {
        let message = "this mean leaves a minimum below one nanosecond";
        let problem = Problem::at(node.at, message)
            .label("too short for this shape")
            .help("write a longer mean, or a shape further above 1");
        law.fields.walk.report(problem);
        return None;
    }
    Some(Distribution::Pareto { minimum, shape })
}

fn uniform(law: Tagged<'_>) -> Option<Distribution> {
    let (min, max) = (law.need_as("min", Fields::time), law.need_as("max", Fields::time));
    let (min, max) = (min?, max?);
    if min > max {
        let problem =
            Problem::at(law.fields.find("min")?.at, format!("min {min} is above max {max}"))
                .label("longer than max")
                .context(law.fields.find("max")?.at, "max")
                .help(format!("write min = \"{max}\", max = \"{min}\""));
        law.fields.walk.report(problem);
        return None;
    }
    Some(Distribution::Uniform { min, max })
}

fn empirical(law: Tagged<'_>) -> Option<Distribution> {
    let (which, node) = law.need_either()?;
    let samples = if which == "file" { from_file(law, node)? } else { from_list(law, node)? };
    if samples.is_empty() {
        let problem = Problem::at(node.at, "there are no samples")
            .label("empty")
            .help(format!("for example {}", law.kind.example));
        law.fields.walk.report(problem);
        return None;
    }
    Some(Distribution::Empirical(samples.into()))
}

fn from_list(law: Tagged<'_>, node: &Node) -> Option<Vec<SimDuration>> {
    let Value::List(items) = &node.value else {
        let help = format!("for example {}", law.kind.example);
        law.fields.walk.wrong_kind(node, "samples", "a list", &help);
        return None;
    };
    let samples: Vec<Option<SimDuration>> =
        items.iter().map(|item| law.fields.walk.duration(item, "a sample")).collect();
    samples.into_iter().collect()
}

/// Samples of a file that lies beside the scenario: one a line, `#` starts a comment.
fn from_file(law: Tagged<'_>, node: &Node) -> Option<Vec<SimDuration>> {
    let help = "file = \"lifetimes.txt\": one sample with its unit a line, # starts a comment";
    let name = law.fields.walk.text(node, "file", help)?;
    let path = law.fields.walk.directory().join(&name);
    let text = match read_samples(&path) {
        Ok(text) => text,
        Err(reason) => {
            let message = format!("the samples in `{}` cannot be read: {reason}", shown(&name));
            let problem = Problem::at(node.at, message)
                .label("this file")
                .help("the path counts from the directory of the scenario file");
            law.fields.walk.report(problem);
            return None;
        }
    };
    parse_samples(law.fields.walk, &path.display().to_string(), &text)
}

fn read_samples(path: &Path) -> Result<String, Unreadable> {
    let bytes = file::read(path, LARGEST_FILE, "64 MiB")?;
    String::from_utf8(bytes).map_err(|_| Unreadable::NotText)
}

fn parse_samples(walk: &Walk, origin: &str, text: &str) -> Option<Vec<SimDuration>> {
    let mut samples = Vec::new();
    let mut wrongs = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let sample = line.split('#').next().unwrap_or("");
        let indent = sample.len() - sample.trim_start().len();
        let sample = sample.trim();
        if !sample.is_empty() {
            match quantity::duration(sample) {
                Ok(span) => samples.push(span),
                Err(wrong) => wrongs.push((start + indent, wrong)),
            }
        }
        start += line.len();
    }
    if wrongs.is_empty() {
        return Some(samples);
    }
    let source = walk.add_source(origin, text);
    for (offset, wrong) in wrongs.into_iter().take(SAMPLES_REPORTED) {
        let range = wrong.range.start + offset..wrong.range.end + offset;
        let at = crate::scenario::text::source::Span::new(source, range);
        walk.report(Problem::at(at, wrong.message).label(wrong.label).help(wrong.help));
    }
    None
}
