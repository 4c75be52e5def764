//! Laws of durations: `lifetime = { distribution = "exponential", mean = "200 ms" }`.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::load::{open, read_error};
use super::problem::Problem;
use super::quantity::{self, plain_number};
use super::suggest::shown;
use super::tagged::{Kind, Tagged};
use super::tree::{Node, Value};
use super::walk::Walk;
use crate::model::Distribution;
use crate::units::SimDuration;

/// Largest file of samples that is read.
const LARGEST_FILE: u64 = 64 << 20;
/// So many wrong samples of one file are reported.
const SAMPLES_REPORTED: usize = 5;

static KINDS: [Kind; 6] = [
    Kind {
        name: "exponential",
        keys: &["mean"],
        example: "{ distribution = \"exponential\", mean = \"200 ms\" }",
    },
    Kind {
        name: "constant",
        keys: &["value"],
        example: "{ distribution = \"constant\", value = \"200 ms\" }",
    },
    Kind {
        name: "lognormal",
        keys: &["mean", "median", "sigma"],
        example: "{ distribution = \"lognormal\", mean = \"200 ms\", sigma = 1.5 }",
    },
    Kind {
        name: "pareto",
        keys: &["shape", "mean", "minimum"],
        example: "{ distribution = \"pareto\", shape = 1.5, minimum = \"100 ms\" }",
    },
    Kind {
        name: "uniform",
        keys: &["min", "max"],
        example: "{ distribution = \"uniform\", min = \"100 ms\", max = \"300 ms\" }",
    },
    Kind {
        name: "empirical",
        keys: &["samples", "file"],
        example: "{ distribution = \"empirical\", samples = [\"120 ms\", \"1.5 s\"] }",
    },
];

/// The law that `node` describes; plain text is a constant.
pub(super) fn distribution(walk: &Walk, node: &Node, key: &str) -> Option<Distribution> {
    match &node.value {
        Value::Text(_) | Value::Integer(_) | Value::Float(_) => {
            walk.duration(node, key).map(Distribution::Constant)
        }
        _ => {
            let law = Tagged::read(walk, node, key, "distribution", &KINDS)?;
            match law.kind.name {
                "constant" => {
                    walk.duration(law.need("value")?, "value").map(Distribution::Constant)
                }
                "exponential" => {
                    mean(law.walk, law.need("mean")?).map(|mean| Distribution::Exponential { mean })
                }
                "lognormal" => lognormal(law),
                "pareto" => pareto(law),
                "uniform" => uniform(law),
                _ => empirical(law),
            }
        }
    }
}

fn mean(walk: &Walk, node: &Node) -> Option<SimDuration> {
    walk.positive_duration(node, "mean", "for no time at all write \"0 s\" instead of the table")
}

fn lognormal(law: Tagged<'_>) -> Option<Distribution> {
    let sigma = law.need("sigma").and_then(|node| sigma(law.walk, node));
    let (which, node) = law.need_one("mean", "median")?;
    let middle = law.walk.positive_duration(node, which, "for example \"200 ms\"");
    let (sigma, middle) = (sigma?, middle?);
    if which == "mean" {
        return Some(Distribution::Lognormal { mean: middle, sigma });
    }
    // The mean of exp(Normal(mu, sigma)) is exp(mu + sigma^2 / 2), its median exp(mu).
    let mean = middle.as_secs_f64() * libm::exp(sigma * sigma / 2.0);
    let mean = SimDuration::from_secs_f64(mean);
    if mean > SimDuration::from_secs(10 * 366 * 86_400) {
        let problem = Problem::at(node.at, "the mean of this law is longer than ten years")
            .label(format!("with sigma = {}", plain_number(sigma)))
            .help("write a shorter median or a smaller sigma; measured lifetimes have 0.5 to 3");
        law.walk.report(problem);
        return None;
    }
    Some(Distribution::Lognormal { mean, sigma })
}

fn sigma(walk: &Walk, node: &Node) -> Option<f64> {
    let help = "sigma is the standard deviation of the logarithm, above 0 and at most 10";
    let sigma = walk.number(node, "sigma", help)?;
    if sigma > 0.0 && sigma <= 10.0 {
        return Some(sigma);
    }
    let message = format!("sigma = {} is not possible", plain_number(sigma));
    walk.report(Problem::at(node.at, message).label("0 < sigma <= 10").help(help));
    None
}

fn pareto(law: Tagged<'_>) -> Option<Distribution> {
    let shape = law.need("shape").and_then(|node| shape(law.walk, node));
    let (which, node) = law.need_one("mean", "minimum")?;
    let span = law.walk.positive_duration(node, which, "for example \"100 ms\"");
    let (shape, span) = (shape?, span?);
    if which == "minimum" {
        return Some(Distribution::Pareto { minimum: span, shape });
    }
    if shape <= 1.0 {
        let message = format!("a Pareto law of shape {} has no mean", plain_number(shape));
        let problem = Problem::at(node.at, message)
            .label("it is infinite")
            .help("write `minimum` instead of `mean`, or a shape above 1");
        law.walk.report(problem);
        return None;
    }
    // mean = minimum * shape / (shape - 1)
    let minimum = SimDuration::from_secs_f64(span.as_secs_f64() * (shape - 1.0) / shape);
    if minimum.is_zero() {
        let message = "this mean leaves a minimum below one nanosecond";
        let problem = Problem::at(node.at, message)
            .label("too short for this shape")
            .help("write a longer mean, or a shape further above 1");
        law.walk.report(problem);
        return None;
    }
    Some(Distribution::Pareto { minimum, shape })
}

fn shape(walk: &Walk, node: &Node) -> Option<f64> {
    let help = "shape says how fast the tail falls: 1.1 to 3 for most measured lifetimes";
    let shape = walk.number(node, "shape", help)?;
    if (0.01..=1_000.0).contains(&shape) {
        return Some(shape);
    }
    let message = format!("shape = {} is not possible", plain_number(shape));
    walk.report(Problem::at(node.at, message).label("0.01 <= shape <= 1000").help(help));
    None
}

fn uniform(law: Tagged<'_>) -> Option<Distribution> {
    let min_node = law.need("min");
    let max_node = law.need("max");
    let min = min_node.and_then(|node| law.walk.duration(node, "min"));
    let max = max_node.and_then(|node| law.walk.duration(node, "max"));
    let (min, max) = (min?, max?);
    if min > max {
        let problem = Problem::at(min_node?.at, format!("min {min} is above max {max}"))
            .label("longer than max")
            .context(max_node?.at, "max")
            .help(format!("write min = \"{max}\", max = \"{min}\""));
        law.walk.report(problem);
        return None;
    }
    Some(Distribution::Uniform { min, max })
}

fn empirical(law: Tagged<'_>) -> Option<Distribution> {
    let (which, node) = law.need_one("samples", "file")?;
    let samples = if which == "file" { from_file(law, node)? } else { from_list(law, node)? };
    if samples.is_empty() {
        let problem = Problem::at(node.at, "there are no samples")
            .label("empty")
            .help(format!("for example {}", law.kind.example));
        law.walk.report(problem);
        return None;
    }
    Some(Distribution::Empirical(samples.into()))
}

fn from_list(law: Tagged<'_>, node: &Node) -> Option<Vec<SimDuration>> {
    let Value::List(items) = &node.value else {
        let help = format!("for example {}", law.kind.example);
        law.walk.wrong_kind(node, "samples", "a list", &help);
        return None;
    };
    let samples: Vec<Option<SimDuration>> =
        items.iter().map(|item| law.walk.duration(item, "a sample")).collect();
    samples.into_iter().collect()
}

/// Samples of a file that lies beside the scenario: one a line, `#` starts a comment.
fn from_file(law: Tagged<'_>, node: &Node) -> Option<Vec<SimDuration>> {
    let help = "file = \"lifetimes.txt\": one sample with its unit a line, # starts a comment";
    let name = law.walk.text(node, "file", help)?;
    let path = law.walk.directory().join(&name);
    let text = match read_samples(&path) {
        Ok(text) => text,
        Err(reason) => {
            let message = format!("the samples in `{}` cannot be read: {reason}", shown(&name));
            let problem = Problem::at(node.at, message)
                .label("this file")
                .help("the path counts from the directory of the scenario file");
            law.walk.report(problem);
            return None;
        }
    };
    parse_samples(law.walk, &path.display().to_string(), &text)
}

fn read_samples(path: &Path) -> Result<Arc<str>, String> {
    let mut bytes = Vec::new();
    let file = open(path).map_err(|error| read_error(&error))?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(|error| read_error(&error))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("it is larger than {} MiB", LARGEST_FILE >> 20));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(_) => Err("it is not UTF-8 text".to_owned()),
    }
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
        let at = super::source::Span::new(source, range);
        walk.report(Problem::at(at, wrong.message).label(wrong.label).help(wrong.help));
    }
    None
}
