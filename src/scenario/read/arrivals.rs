//! When a client tries to connect: `arrivals = { process = "poisson", rate = "600 / s" }`.

use super::distribution::law;
use super::fields::Fields;
use super::tagged::Tagged;
use crate::model::Arrivals;
use crate::scenario::keys::{ARRIVALS, SPACINGS};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::suggest::shown;
use crate::scenario::text::tree::{Node, Value};
use crate::scenario::text::walk::Walk;

/// What makes a client connect.
#[derive(Debug)]
pub(crate) enum Demand<'a> {
    /// A law.
    Drawn(Arrivals),
    /// A record, in the file that is named here; that is missing where nothing is.
    Recorded(Option<&'a Node>),
    /// The same, made in its order by so many workers.
    RecordedLoop(Option<&'a Node>, Option<u32>),
}

/// The demand that `node` describes.
pub(crate) fn demand<'a>(walk: &'a Walk, node: &'a Node, key: &str) -> Option<Demand<'a>> {
    if let Value::Text(text) = &node.value {
        // A rate alone does not say whether it is even or random, and that decides the answer.
        let rate = if crate::scenario::text::quantity::rate(text).is_ok() {
            shown(text)
        } else {
            "600 / s".into()
        };
        let problem = Problem::at(node.at, format!("{key} must say which process they follow"))
            .label("this is text")
            .help(format!("write {key} = {{ process = \"poisson\", rate = \"{rate}\" }}"));
        walk.report(problem);
        return None;
    }
    let process = Tagged::read(walk, node, key, &ARRIVALS)?;
    let arrivals = match process.kind.name {
        "trace" => return Some(Demand::Recorded(process.need("file"))),
        "trace-loop" => {
            let workers = process.need_as("workers", Fields::small);
            return Some(Demand::RecordedLoop(process.need("file"), workers));
        }
        "poisson" => rate(process).map(|rate_per_s| Arrivals::Poisson { rate_per_s }),
        "constant" => rate(process).map(|rate_per_s| Arrivals::Constant { rate_per_s }),
        "batches" => batches(process),
        "rates" => super::rates::moving(process),
        "on-off" => on_off(process),
        _ => closed_loop(process),
    };
    arrivals.map(Demand::Drawn)
}

fn rate(process: Tagged<'_>) -> Option<f64> {
    process.need_as("rate", Fields::rate)
}

fn batches(process: Tagged<'_>) -> Option<Arrivals> {
    let every = process.need_as("every", Fields::time);
    let size = process.need_as("size", Fields::small);
    let spacing = process.fields.word("spacing", SPACINGS);
    Some(Arrivals::Batches { every: every?, size: size?, spacing: spacing? })
}

fn on_off(process: Tagged<'_>) -> Option<Arrivals> {
    let on = process.need_as("rate", Fields::rate);
    let off = super::rates::rate_or_none(&process.fields, "pause_rate");
    let burst = process.need_as("burst", Fields::time);
    let pause = process.need_as("pause", Fields::time);
    Some(Arrivals::OnOff { rates_per_s: [on?, off?], lasts: [burst?, pause?] })
}

fn closed_loop(process: Tagged<'_>) -> Option<Arrivals> {
    let workers = process.need_as("workers", Fields::small);
    let think = process.need("think").and_then(|_| law(&process.fields, "think"));
    Some(Arrivals::ClosedLoop { workers: workers?, think: think? })
}
