//! JSON as `summary.json` and `run.json` have it: indented, keys in an order of our own.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// An object whose keys come in the order of the scenario.
#[derive(Clone, Debug)]
pub(super) struct InOrder<T>(pub Vec<(String, T)>);

impl<T: Serialize> Serialize for InOrder<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// A value whose keys are found out only when it is written.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(untagged)]
pub(super) enum Json {
    Null,
    Count(u64),
    Number(f64),
    Text(String),
    Object(InOrder<Json>),
    List(Vec<Json>),
}

/// Any of our own types as indented JSON with a line feed at the end.
pub(super) fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("plain structs are always JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_order_in_which_they_came() {
        let object = InOrder(vec![("b".to_owned(), 1), ("a".to_owned(), 2)]);
        assert_eq!(pretty(&object), "{\n  \"b\": 1,\n  \"a\": 2\n}\n");
    }
}
