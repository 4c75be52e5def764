//! Tables that come in several kinds, told apart by one key: `{ process = "poisson", ... }`.

use super::problem::Problem;
use super::suggest::{instead, listed, nearest, shown};
use super::tree::{Node, Table};
use super::walk::Walk;

/// One kind of such a table.
#[derive(Debug)]
pub(super) struct Kind {
    /// The value of the key that tells the kinds apart.
    pub name: &'static str,
    /// The other keys that this kind has.
    pub keys: &'static [&'static str],
    /// The whole table as one would write it.
    pub example: &'static str,
}

/// A table whose kind is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tagged<'a> {
    pub walk: &'a Walk,
    pub node: &'a Node,
    pub table: &'a Table,
    pub kind: &'static Kind,
    /// The key that tells the kinds apart.
    pub tag: &'static str,
}

impl<'a> Tagged<'a> {
    /// Reads the kind of the table `node`, called `what`, from its key `tag`; reports keys that
    /// this kind does not have.
    pub fn read(
        walk: &'a Walk,
        node: &'a Node,
        what: &str,
        tag: &'static str,
        kinds: &'static [Kind],
    ) -> Option<Self> {
        let example = format!("for example {what} = {}", kinds[0].example);
        let Some(table) = node.as_table() else {
            walk.wrong_kind(node, what, "a table", &example);
            return None;
        };
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
        let kind = match table.get(tag) {
            None => {
                let help = format!("{tag} is one of {}; {example}", listed(&names));
                walk.missing(node.at, what, tag, &help);
                None
            }
            Some(entry) => {
                let choices: Vec<(&str, &'static Kind)> =
                    kinds.iter().map(|kind| (kind.name, kind)).collect();
                walk.choice(&entry.node, tag, &choices)
            }
        };
        report_unknown_keys(walk, table, what, tag, kind, kinds);
        Some(Self { walk, node, table, kind: kind?, tag })
    }

    /// The value of `key`; its absence is reported.
    pub fn need(&self, key: &str) -> Option<&'a Node> {
        let found = self.get(key);
        if found.is_none() && !self.walk.mistyped(self.table, key, &[self.tag], self.kind.keys) {
            let message = format!("{} \"{}\" needs a `{key}`", self.tag, self.kind.name);
            let problem = Problem::at(self.node.at, message)
                .label(format!("`{key}` is missing"))
                .help(format!("for example {}", self.kind.example));
            self.walk.report(problem.depends());
        }
        found
    }

    /// The value of `key`, if it is there.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.table.get(key).map(|entry| &entry.node)
    }

    /// The value of `first` or of `second`, of which exactly one must be there, and which it was.
    pub fn need_one(
        &self,
        first: &'static str,
        second: &'static str,
    ) -> Option<(&'static str, &'a Node)> {
        match (self.table.get(first), self.table.get(second)) {
            (Some(entry), None) => Some((first, &entry.node)),
            (None, Some(entry)) => Some((second, &entry.node)),
            (None, None) => {
                let keys = self.kind.keys;
                if [first, second]
                    .iter()
                    .any(|key| self.walk.mistyped(self.table, key, &[self.tag], keys))
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
                self.walk.report(problem.depends());
                None
            }
            (Some(one), Some(other)) => {
                let message = format!("`{first}` and `{second}` cannot both be given");
                let problem = Problem::at(other.key_at, message)
                    .label("this one is too much")
                    .context(one.key_at, "given here")
                    .help("leave one of them out: the other follows from it");
                self.walk.report(problem);
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
    let all: Vec<&str> = kinds.iter().flat_map(|kind| kind.keys.iter().copied()).collect();
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
                known.dedup();
                let problem =
                    Problem::at(entry.key_at, format!("unknown key `{}` in {name}", shown(key)))
                        .label("not known here")
                        .help(instead(key, &known, "key"));
                walk.report(problem);
            }
        }
    }
}
