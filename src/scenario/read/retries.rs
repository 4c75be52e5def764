//! `retries = { attempts = 3, backoff = "100 ms" }`: what a client does with what fails.

use super::fields::Fields;
use crate::model::Retries;
use crate::scenario::keys::Place;
use crate::scenario::text::tree::Node;
use crate::scenario::text::walk::Walk;

/// Reads the retries that `node` describes; every field before any failure counts.
pub(crate) fn retries(walk: &Walk, node: &Node) -> Option<Retries> {
    let help = "for example retries = { attempts = 3, backoff = \"100 ms\" }";
    let fields = Fields::open(walk, node, Place::Retries, "retries", help)?;
    let attempts = fields.small("attempts");
    let backoff = fields.time("backoff");
    let factor = fields.number("factor");
    let max_backoff = fields.time_or_none("max_backoff");
    let jitter = fields.share("jitter");
    let deadline = fields.time_or_none("deadline");
    let budget = fields.maybe("budget", |_| fields.share("budget"));
    let stop_after = fields.small_or_none("stop_after");
    Some(Retries {
        attempts: attempts?,
        backoff: backoff?,
        factor: factor?,
        max_backoff: max_backoff?,
        jitter: jitter?,
        deadline: deadline?,
        budget: budget?,
        stop_after: stop_after?,
    })
}
