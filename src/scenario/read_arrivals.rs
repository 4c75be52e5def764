//! When a client tries to connect: `arrivals = { process = "poisson", rate = "600 / s" }`.

use super::problem::Problem;
use super::read_distribution::distribution;
use super::suggest::shown;
use super::tagged::{Kind, Tagged};
use super::tree::{Node, Value};
use super::walk::Walk;
use crate::model::{Arrivals, Distribution, Spacing};

static KINDS: [Kind; 5] = [
    Kind {
        name: "poisson",
        keys: &["rate"],
        example: "{ process = \"poisson\", rate = \"600 / s\" }",
    },
    Kind {
        name: "constant",
        keys: &["rate"],
        example: "{ process = \"constant\", rate = \"600 / s\" }",
    },
    Kind {
        name: "batches",
        keys: &["every", "size", "spacing"],
        example: "{ process = \"batches\", every = \"30 s\", size = 2000 }",
    },
    Kind {
        name: "closed-loop",
        keys: &["workers", "think"],
        example: "{ process = \"closed-loop\", workers = 50, think = \"1 s\" }",
    },
    Kind {
        name: "trace",
        keys: &["file"],
        example: "{ process = \"trace\", file = \"attempts.csv\" }",
    },
];

const SPACINGS: [(&str, Spacing); 2] =
    [("constant", Spacing::Constant), ("poisson", Spacing::Poisson)];

/// What makes a client connect.
#[derive(Debug)]
pub(super) enum Demand<'a> {
    /// A law.
    Drawn(Arrivals),
    /// A record, in the file that is named here; that is missing where nothing is.
    Recorded(Option<&'a Node>),
}

/// The demand that `node` describes.
pub(super) fn demand<'a>(walk: &'a Walk, node: &'a Node) -> Option<Demand<'a>> {
    if let Value::Text(text) = &node.value {
        // A rate alone does not say whether it is even or random, and that decides the answer.
        let rate = if super::quantity::rate(text).is_ok() { shown(text) } else { "600 / s".into() };
        let problem = Problem::at(node.at, "arrivals must say which process they follow")
            .label("this is text")
            .help(format!("write arrivals = {{ process = \"poisson\", rate = \"{rate}\" }}"));
        walk.report(problem);
        return None;
    }
    let process = Tagged::read(walk, node, "arrivals", "process", &KINDS)?;
    let arrivals = match process.kind.name {
        "trace" => return Some(Demand::Recorded(process.need("file"))),
        "poisson" => rate(process).map(|rate_per_s| Arrivals::Poisson { rate_per_s }),
        "constant" => rate(process).map(|rate_per_s| Arrivals::Constant { rate_per_s }),
        "batches" => batches(process),
        _ => closed_loop(process),
    };
    arrivals.map(Demand::Drawn)
}

fn rate(process: Tagged<'_>) -> Option<f64> {
    process.walk.rate(process.need("rate")?, "rate")
}

fn batches(process: Tagged<'_>) -> Option<Arrivals> {
    let walk = process.walk;
    let every = process
        .need("every")
        .and_then(|node| walk.positive_duration(node, "every", "for example every = \"30 s\""));
    let size =
        process.need("size").and_then(|node| walk.small_integer(node, "size", 1, 10_000_000));
    let spacing = match process.get("spacing") {
        Some(node) => walk.choice(node, "spacing", &SPACINGS),
        None => Some(Spacing::Constant),
    };
    Some(Arrivals::Batches { every: every?, size: size?, spacing: spacing? })
}

fn closed_loop(process: Tagged<'_>) -> Option<Arrivals> {
    let walk = process.walk;
    let workers =
        process.need("workers").and_then(|node| walk.small_integer(node, "workers", 1, 10_000_000));
    let think = process.need("think").and_then(|node| thinking(walk, node));
    Some(Arrivals::ClosedLoop { workers: workers?, think: think? })
}

/// Think time, which must not be zero for ever: a blocked worker would try again in the same
/// instant, and simulated time would never go on.
fn thinking(walk: &Walk, node: &Node) -> Option<Distribution> {
    let think = distribution(walk, node, "think")?;
    let never = match &think {
        Distribution::Constant(value) => value.is_zero(),
        Distribution::Uniform { max, .. } => max.is_zero(),
        Distribution::Empirical(samples) => samples.iter().all(|sample| sample.is_zero()),
        _ => false,
    };
    if never {
        let problem = Problem::at(node.at, "think must be above zero")
            .label("zero")
            .help("a blocked worker would try again in the same instant, without end")
            .help("write a short time instead: think = \"1 ms\"");
        walk.report(problem);
        return None;
    }
    Some(think)
}
