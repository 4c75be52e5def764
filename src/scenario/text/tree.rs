//! The parsed file as a tree that knows where each of its keys and values stands.
//!
//! Made from the TOML crate's spanned tree; entries keep the order in which they were written, so
//! that clients and hosts come out in the order of the file.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::source::Span;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub value: Value,
    pub at: Span,
}

/// What a TOML value can be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    /// `None` when it does not fit 128 bits.
    Integer(Option<i128>),
    Float(f64),
    Boolean(bool),
    Datetime,
    List(Vec<Node>),
    Table(Table),
}

/// A table's entries in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    pub entries: Vec<Entry>,
}

/// One key of a table and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub key: String,
    pub key_at: Span,
    pub node: Node,
}

impl Table {
    /// The entry of `key`.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The entry of `key`, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    /// Takes `key` out, if it is there.
    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|entry| entry.key != key);
    }

    /// The keys in the order of the text.
    pub fn keys(&self) -> Vec<&str> {
        self.entries.iter().map(|entry| entry.key.as_str()).collect()
    }

    /// The table of the spanned TOML tree `table`, which was parsed from source number `source`,
    /// `shift` bytes into it.
    pub fn from_toml(table: &DeTable<'_>, source: usize, shift: usize) -> Self {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                key_at: span(key, source, shift),
                node: Node::from_toml(value, source, shift),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_at.start);
        Self { entries }
    }
}

impl Node {
    /// The node of a spanned TOML value; see [`Table::from_toml`].
    pub fn from_toml(value: &Spanned<DeValue<'_>>, source: usize, shift: usize) -> Self {
        let at = span(value, source, shift);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(integer) => {
                Value::Integer(i128::from_str_radix(integer.as_str(), integer.radix()).ok())
            }
            // What does not parse as a float can only be out of range.
            DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::INFINITY)),
            DeValue::Boolean(flag) => Value::Boolean(*flag),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Array(list) => {
                Value::List(list.iter().map(|item| Self::from_toml(item, source, shift)).collect())
            }
            DeValue::Table(table) => Value::Table(Table::from_toml(table, source, shift)),
        };
        Self { value, at }
    }

    /// "a number", "text": what the value is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "text",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Boolean(_) => "true or false",
            Value::Datetime => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The table, if it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn span<T>(spanned: &Spanned<T>, source: usize, shift: usize) -> Span {
    let range = spanned.span();
    Span::new(source, range.start + shift..range.end + shift)
}
