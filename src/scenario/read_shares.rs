//! What a client divides its connections among: destinations, and ways to end.

use super::problem::Problem;
use super::suggest::shown;
use super::tree::{Entry, Node, Table, Value};
use super::walk::Walk;
use crate::model::Ending;

/// The words of `closes`.
pub(super) const ENDINGS: [(&str, Ending); 7] = [
    ("client", Ending::Client),
    ("server", Ending::Server),
    ("reset", Ending::Reset),
    ("server-reset", Ending::ServerReset),
    ("unread", Ending::Unread),
    ("half", Ending::Half),
    ("never", Ending::Never),
];

const ALIASES: [(&str, Ending); 2] =
    [("client-reset", Ending::Reset), ("reset-server", Ending::ServerReset)];

/// The ending that `word` means; `-`, `_`, spaces and case do not matter.
pub(super) fn ending(word: &str) -> Option<Ending> {
    let plain = word.trim().to_lowercase().replace(['_', ' '], "-");
    let found = ENDINGS.iter().chain(&ALIASES).find(|(name, _)| *name == plain);
    found.map(|(_, ending)| *ending)
}

/// Who ends connections, with weights: one word, or a table of them.
pub(super) fn closes(walk: &Walk, node: &Node) -> Option<Vec<(Ending, f64)>> {
    let Value::Table(table) = &node.value else {
        let ending = match node.as_text().and_then(ending) {
            Some(ending) => ending,
            None => walk.choice(node, "closes", &ENDINGS)?,
        };
        return Some(vec![(ending, 1.0)]);
    };
    weights(walk, node, table, "closes", |entry| {
        let found = ending(&entry.key);
        if found.is_none() {
            walk.unknown_key(entry, "closes", &ENDINGS.map(|(name, _)| name));
        }
        found
    })
}

/// A table of weights above zero.
pub(super) fn weights<T>(
    walk: &Walk,
    node: &Node,
    table: &Table,
    key: &str,
    mut of: impl FnMut(&Entry) -> Option<T>,
) -> Option<Vec<(T, f64)>> {
    if table.entries.is_empty() {
        let problem = Problem::at(node.at, format!("{key} names nothing"))
            .label("empty")
            .help(format!("leave {key} out for its default, or write weights into the table"));
        walk.report(problem);
        return None;
    }
    let pairs: Vec<Option<(T, f64)>> = table
        .entries
        .iter()
        .map(|entry| {
            let of = of(entry);
            let weight = weight(walk, entry);
            Some((of?, weight?))
        })
        .collect();
    pairs.into_iter().collect()
}

fn weight(walk: &Walk, entry: &Entry) -> Option<f64> {
    let name = shown(&entry.key);
    let weight = walk.share(&entry.node, &format!("the weight of {name}"))?;
    if weight > 0.0 {
        return Some(weight);
    }
    let problem = Problem::at(entry.node.at, format!("the weight of {name} must be above zero"))
        .label("zero")
        .help(format!("leave {name} out, or give it a share: {name} = 0.3"));
    walk.report(problem);
    None
}
