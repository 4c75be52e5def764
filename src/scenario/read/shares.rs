//! What a client divides its connections among: destinations, and ways to end.

use crate::model::Ending;
use crate::scenario::keys::{ENDINGS, ending};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::suggest::shown;
use crate::scenario::text::tree::{Entry, Node, Table, Value};
use crate::scenario::text::walk::Walk;

/// Who ends connections, with weights: one word, or a table of them.
pub(crate) fn closes(walk: &Walk, node: &Node) -> Option<Vec<(Ending, f64)>> {
    let Value::Table(table) = &node.value else {
        let ending = match node.as_text().and_then(ending) {
            Some(ending) => ending,
            None => walk.choice(node, "closes", ENDINGS)?,
        };
        return Some(vec![(ending, 1.0)]);
    };
    weights(walk, node, table, "closes", |entry| {
        let found = ending(&entry.key);
        if found.is_none() {
            let words: Vec<&str> = ENDINGS.iter().map(|(name, _)| *name).collect();
            walk.unknown_key(entry, "closes", &words);
        }
        found
    })
}

/// A table of weights above zero.
pub(crate) fn weights<T>(
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
