//! The keys that `--set` can name, for shells that complete them.

use super::keys::{self, Is, Kinds, Place};
use super::text::syntax;
use super::text::tree::{Node, Table};
use super::text::walk::Walk;
use crate::stats::Metric;

/// Every key that `--set` can name in the scenario `text`, as a dotted path; without a text with NAME where
/// tables have a name.
///
/// ```
/// let text = "[client.fetcher]\narrivals = { process = 'poisson', rate = '600 / s' }";
/// let keys = portsim::scenario::settable(Some(text));
/// assert!(keys.contains(&"client.fetcher.arrivals.rate".to_owned()));
/// assert!(portsim::scenario::settable(None).contains(&"host.NAME.ports".to_owned()));
/// ```
#[must_use]
pub fn settable(text: Option<&str>) -> Vec<String> {
    let walk = Walk::default();
    let root = text.map(|text| {
        walk.add_source("", text);
        syntax::parse(&walk, text).0
    });
    let mut found = Vec::new();
    below(Place::Top, "", root.as_ref(), &mut found);
    found
}

/// Adds the keys that may stand at `place`, where the file has `table`.
fn below(place: Place, prefix: &str, table: Option<&Table>, found: &mut Vec<String>) {
    for key in keys::of(place) {
        let path = format!("{prefix}{}", key.name);
        let node = table.and_then(|table| Some(&table.get(key.name)?.node));
        let inner = node.and_then(Node::as_table);
        let dotted = format!("{path}.");
        match &key.is {
            Is::Table(place) => {
                if prefix.is_empty() {
                    below(*place, &dotted, inner, found);
                } else {
                    found.push(path);
                    below(*place, &dotted, inner, found);
                }
            }
            Is::Family(place) => {
                let usual = if table.is_some() { key.name } else { "NAME" };
                let names = inner.map_or_else(|| vec![usual], Table::keys);
                for name in names {
                    let named = inner.and_then(|table| table.get(name)?.node.as_table());
                    below(*place, &format!("{dotted}{}.", quoted(name)), named, found);
                }
            }
            Is::Figures => {
                let bounds = |figure: Metric| {
                    ["min", "max"].map(|bound| format!("{dotted}{}.{bound}", figure.name()))
                };
                found.extend(Metric::expected().flat_map(bounds));
            }
            Is::Pool => {
                found.push(path);
                below(Place::Pool, &dotted, inner, found);
            }
            Is::Arrivals => of_kind(&keys::ARRIVALS, path, inner, found),
            Is::Law => of_kind(&keys::LAWS, path, inner, found),
            _ => found.push(path),
        }
    }
}

/// Adds the table `path`, and the keys of its kind where the file says which.
fn of_kind(kinds: &Kinds, path: String, table: Option<&Table>, found: &mut Vec<String>) {
    let tag = table.and_then(|table| table.get(kinds.tag)?.node.as_text());
    let kind = kinds.kinds.iter().find(|kind| Some(kind.name) == tag);
    let keys = kind.map_or(&[][..], |kind| kind.keys);
    let inner: Vec<String> = keys.iter().map(|key| format!("{path}.{key}")).collect();
    found.push(path);
    found.extend(inner);
}

/// A name as it stands in a dotted path.
fn quoted(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}
