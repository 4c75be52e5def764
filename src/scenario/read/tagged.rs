//! Tables that come in several kinds, told apart by one key: `{ process = "poisson", ... }`.

use super::fields::Fields;
use crate::scenario::keys::{Kind, Kinds};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::suggest::{instead, listed, nearest, shown};
use crate::scenario::text::tree::{Node, Table};
use crate::scenario::text::walk::Walk;

/// A table whose kind is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tagged<'a> {
    pub fields: Fields<'a>,
    pub node: &'a Node,
    pub kind: &'static Kind,
    /// The key that tells the kinds apart.
    tag: &'static str,
}

impl<'a> Tagged<'a> {
    /// Reads the kind of the table `node`, called `what`; reports keys that this kind does not have.
    pub fn read(walk: &'a Walk, node: &'a Node, what: &str, kinds: &'static Kinds) -> Option<Self> {
        let Kinds { at, tag, kinds } = *kinds;
        let example = format!("for example {what} = {}", kinds[0].example);
        let Some(table) = node.as_table() else {
            walk.wrong_kind(node, what, "a table", &example);
            return None;
        };
        let choices: Vec<(&str, &'static Kind)> =
            kinds.iter().map(|kind| (kind.name, kind)).collect();
        let kind = match table.get(tag) {
            None => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
                let help = format!("{tag} is one of {}; {example}", listed(&names));
                walk.missing(node.at, what, tag, &help);
                None
            }
            Some(entry) => walk.choice(&entry.node, tag, &choices),
        };
        report_unknown_keys(walk, table, what, tag, kind, kinds);
        Some(Self { fields: Fields::new(walk, table, at), node, kind: kind?, tag })
    }

    /// What `read` makes of `key`; its absence is reported.
    pub fn need_as<T>(&self, key: &str, read: fn(&Fields<'a>, &str) -> Option<T>) -> Option<T> {
        self.need(key)?;
        read(&self.fields, key)
    }

    /// The value of `key`; its absence is reported.
    pub fn need(&self, key: &str) -> Option<&'a Node> {
        let found = self.fields.find(key);
        if found.is_none()
            && !self.fields.walk.mistyped(self.fields.table, key, &[self.tag], self.kind.keys)
        {
            let message = format!("{} \"{}\" needs a `{key}`", self.tag, self.kind.name);
            let problem = Problem::at(self.node.at, message)
                .label(format!("`{key}` is missing"))
                .help(format!("for example {}", self.kind.example));
            self.fields.walk.report(problem.depends());
        }
        found
    }

    /// The value of one of the two keys of which this kind needs exactly one, and which it was.
    pub fn need_either(&self) -> Option<(&'static str, &'a Node)> {
        let [first, second] = self.kind.either?;
        match (self.fields.table.get(first), self.fields.table.get(second)) {
            (Some(entry), None) => Some((first, &entry.node)),
            (None, Some(entry)) => Some((second, &entry.node)),
            (None, None) => {
                let keys = self.kind.keys;
                if [first, second]
                    .iter()
                    .any(|key| self.fields.walk.mistyped(self.fields.table, key, &[self.tag], keys))
                {
                    return None;
                }
                let message = format!(
                    "{} \"{}\" needs a `{first}` or a `{second}`",
                    self.tag, self.kind.name
                );
                let problem = Problem::at(self.node.at, message)
                    .label(format!("`{first}` or `{second}` is missing"))
                    .help(format!("for example {}", self.kind.example));
                self.fields.walk.report(problem.depends());
                None
            }
            (Some(one), Some(other)) => {
                let message = format!("`{first}` and `{second}` cannot both be given");
                let problem = Problem::at(other.key_at, message)
                    .label("this one is too much")
                    .context(one.key_at, "given here")
                    .help("leave one of them out: the other follows from it");
                self.fields.walk.report(problem);
                None
            }
        }
    }
}

fn report_unknown_keys(
    walk: &Walk,
    table: &Table,
    what: &str,
    tag: &str,
    kind: Option<&'static Kind>,
    kinds: &'static [Kind],
) {
    let mut all: Vec<&str> = Vec::new();
    for key in kinds.iter().flat_map(|kind| kind.keys) {
        if !all.contains(key) {
            all.push(key);
        }
    }
    let allowed: Vec<&str> = match kind {
        Some(kind) => kind.keys.to_vec(),
        None => all.clone(),
    };
    for entry in &table.entries {
        let key = entry.key.as_str();
        if key == tag || allowed.contains(&key) {
            continue;
        }
        let owner = kinds.iter().find(|kind| kind.keys.contains(&key));
        match (kind, owner) {
            (Some(kind), Some(owner)) => {
                let message = format!("{tag} \"{}\" has no `{key}`", kind.name);
                let meant = match nearest(key, allowed.iter().copied()) {
                    Some(name) => format!("did you mean `{name}`? "),
                    None => String::new(),
                };
                let problem = Problem::at(entry.key_at, message)
                    .label("not a key of this kind")
                    .help(format!("{meant}its keys: {}", listed(&allowed)))
                    .help(format!("`{key}` belongs to {tag} = \"{}\"", owner.name));
                walk.report(problem);
            }
            _ => {
                let name = match kind {
                    Some(kind) => format!("{what} of {tag} \"{}\"", kind.name),
                    None => what.to_owned(),
                };
                let mut known = vec![tag];
                known.extend(allowed.iter().copied());
                let problem =
                    Problem::at(entry.key_at, format!("unknown key `{}` in {name}", shown(key)))
                        .label("not known here")
                        .help(instead(key, &known, "key"));
                walk.report(problem);
            }
        }
    }
}
