//! A rate that changes over time: `arrivals = { process = "rates", rates = [...] }`, or a file of such.

use super::fields::Fields;
use super::tagged::Tagged;
use crate::model::{Arrivals, Rates, Spacing};
use crate::scenario::keys::{Place, SPACINGS};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::quantity;
use crate::scenario::text::suggest::shown;
use crate::scenario::text::tree::{Node, Value};
use crate::scenario::text::walk::Walk;

const HELP: &str = "for example rates = [{ at = \"0 s\", rate = \"600 / s\" }, { at = \"5 min\", rate = \"900 / s\" }]";
const FILE_HELP: &str = "a line `time,rate`, then one for each rate: `5 min,900 / s`; plain numbers are seconds, and \
                         attempts a second";
/// Rates that are read.
const MOST: usize = 1_000_000;

/// Reads the arrivals that `process` describes.
pub(crate) fn moving(process: Tagged<'_>) -> Option<Arrivals> {
    let walk = process.fields.walk;
    let points = match process.need_either()? {
        ("rates", node) => listed(walk, node),
        (_, node) => of_file(walk, node),
    };
    let ramps = process.fields.flag("ramps");
    let repeat = process.fields.time_or_none("repeat");
    // Unlike batches, attempts are at random where nothing is said.
    let spacing = match process.fields.find("spacing") {
        Some(_) => process.fields.word("spacing", SPACINGS),
        None => Some(Spacing::Poisson),
    };
    let (points, repeat) = (points?, repeat?.map(|time| time.as_secs_f64()));
    let last = points.last()?.0;
    if let Some(node) =
        process.fields.find("repeat").filter(|_| repeat.is_some_and(|all| all <= last))
    {
        let problem = Problem::at(node.at, "the rates would begin again before the last of them")
            .label("too early")
            .help(format!("write a time after the last rate, which is at {last} s"));
        walk.report(problem);
        return None;
    }
    let rates = Rates { points, ramps: ramps?, repeat };
    Some(Arrivals::Moving { rates: rates.into(), spacing: spacing? })
}

/// Rates as a list of tables.
fn listed(walk: &Walk, node: &Node) -> Option<Vec<(f64, f64)>> {
    let Value::List(items) = &node.value else {
        walk.wrong_kind(node, "rates", "a list", HELP);
        return None;
    };
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut sound = true;
    for item in items {
        let point =
            Fields::open(walk, item, Place::Rates, "one of the rates", HELP).and_then(|one| {
                one.need("at", item.at, "one of the rates")?;
                one.need("rate", item.at, "one of the rates")?;
                let (at, rate) = (one.time("at"), rate_or_none(&one, "rate"));
                Some((at?.as_secs_f64(), rate?))
            });
        let Some(point) = point else {
            sound = false;
            continue;
        };
        if let Some(wrong) = misplaced(points.last(), point) {
            walk.report(Problem::at(item.at, wrong).label("out of order").help(HELP));
            sound = false;
        }
        points.push(point);
    }
    if items.is_empty() {
        walk.wrong_kind(node, "rates", "a list of one rate at least", HELP);
    }
    (sound && !points.is_empty()).then_some(points)
}

/// A rate, which may be none for a while.
pub(crate) fn rate_or_none(fields: &Fields<'_>, key: &str) -> Option<f64> {
    let node = fields.value(key)?;
    if node.as_text().is_some_and(is_zero) {
        return Some(0.0);
    }
    fields.rate(key)
}

/// Is it `0 / s`, or 0 in whatever time?
fn is_zero(text: &str) -> bool {
    let number = text.split(['/', ' ']).next().unwrap_or_default();
    number.parse::<f64>() == Ok(0.0)
}

/// What is wrong with a rate after the one before it.
fn misplaced(before: Option<&(f64, f64)>, (at, _): (f64, f64)) -> Option<String> {
    match before {
        None if at > 0.0 => {
            Some(format!("the first rate is at {at} s, and nothing is said before it"))
        }
        Some((last, _)) if at <= *last => {
            Some(format!("the rate at {at} s comes after the one at {last} s"))
        }
        _ => None,
    }
}

/// Rates as a CSV file with the columns `time` and `rate`.
fn of_file(walk: &Walk, node: &Node) -> Option<Vec<(f64, f64)>> {
    let name = walk.text(node, "file", FILE_HELP)?;
    let report = |message: String| {
        walk.report(Problem::at(node.at, message).label("this file").help(FILE_HELP));
    };
    let text = match std::fs::read_to_string(walk.directory().join(&name)) {
        Ok(text) => text,
        Err(error) => {
            report(format!("the rates in `{}` cannot be read: {error}", shown(&name)));
            return None;
        }
    };
    let mut points: Vec<(f64, f64)> = Vec::new();
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    for (number, line) in lines.skip(1).take(MOST) {
        let point = match point(line) {
            Ok(point) => point,
            Err(why) => {
                report(format!("line {number} of `{}`: {why}", shown(&name)));
                return None;
            }
        };
        if let Some(wrong) = misplaced(points.last(), point) {
            report(format!("line {number} of `{}`: {wrong}", shown(&name)));
            return None;
        }
        points.push(point);
    }
    if points.is_empty() {
        report(format!("there is no rate in `{}`", shown(&name)));
        return None;
    }
    Some(points)
}

fn point(line: &str) -> Result<(f64, f64), String> {
    let (time, rate) = line.split_once(',').ok_or("there is no comma in it")?;
    let (time, rate) = (time.trim(), rate.trim());
    let wrong = |cell: &str, what: &str| format!("`{}` is no {what}", shown(cell));
    let at = match time.parse::<f64>() {
        Ok(secs) if (0.0..1e9).contains(&secs) => secs,
        _ => quantity::duration(time).map_err(|_| wrong(time, "time"))?.as_secs_f64(),
    };
    let rate = match rate.parse::<f64>() {
        Ok(rate) if (0.0..1e9).contains(&rate) => rate,
        _ if is_zero(rate) => 0.0,
        _ => quantity::rate(rate).map_err(|_| wrong(rate, "rate"))?,
    };
    Ok((at, rate))
}
