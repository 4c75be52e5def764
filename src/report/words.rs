//! Figures in words: every table and sentence shows a figure of one unit in the same way.

use crate::numbers::{
    amount, amount_with_interval, count, percent, percent_with_interval, rate, span,
    span_with_interval,
};
use crate::stats::{Estimate, Facet, Figure, Moments, Unit, Value};

/// A number of `unit`, which a cell has in its head where it is a plain count.
pub(super) fn number(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Of(_) | Unit::Group => amount(value),
        Unit::Share => percent(value),
        Unit::ShareOf(whole) => format!("{} of {whole}", percent(value)),
        Unit::Time => span(value),
        Unit::Rate => rate(value),
        Unit::Load => format!("{} erl", amount(value)),
    }
}

/// One part of a figure, with its interval where that is told and `known`.
pub(super) fn value(figure: &Figure, value: Option<Value>, part: Facet, known: bool) -> String {
    let interval = figure.with_interval;
    match value {
        None => figure.none.to_owned(),
        Some(Value::Count(whole)) => count(whole),
        Some(Value::Mean(Estimate { mean, lo, hi })) if interval => match figure.unit {
            Unit::Share => percent_with_interval(mean, lo, hi, known),
            _ => amount_with_interval(mean, lo, hi, known),
        },
        Some(Value::Moment(moments)) => moment(moments),
        Some(value) => number(figure.unit, value.part(part).value),
    }
}

/// `41.0 s (40.8-41.2)`; `41.0 s, in 60 % of runs`.
fn moment(moments: Moments) -> String {
    match moments {
        Moments { median, lo, hi, share_of_replications: 1.0, .. } => {
            span_with_interval(median, lo, hi)
        }
        m => format!("{}, in {} of runs", span(m.median), percent(m.share_of_replications)),
    }
}
