//! conn.log as JSON lines (`LogAscii::use_json`): the same names, times as numbers or ISO 8601.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

use super::Importer;
use super::zeek_row::connection;

/// A row; Zeek leaves out what is not set.
#[derive(serde::Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    ts: Option<Text<'a>>,
    #[serde(borrow, rename = "id.orig_h")]
    orig_h: Option<Text<'a>>,
    #[serde(borrow, rename = "id.orig_p")]
    orig_p: Option<Text<'a>>,
    #[serde(borrow, rename = "id.resp_h")]
    resp_h: Option<Text<'a>>,
    #[serde(borrow, rename = "id.resp_p")]
    resp_p: Option<Text<'a>>,
    #[serde(borrow)]
    proto: Option<Text<'a>>,
    #[serde(borrow)]
    duration: Option<Text<'a>>,
    #[serde(borrow)]
    conn_state: Option<Text<'a>>,
    #[serde(borrow)]
    history: Option<Text<'a>>,
    #[serde(borrow, rename = "_path")]
    path: Option<Text<'a>>,
}

/// Text, or a number as it would be written.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyText)
    }
}

struct AnyText;

impl<'de> Visitor<'de> for AnyText {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a number")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed("")))
    }
}

/// Reads one row; `missing` says which of the fields that one can do without no row had yet.
pub(super) fn row(reading: &mut Importer<'_>, line: &[u8], number: u64, missing: &mut [bool; 4]) {
    let row: Row<'_> = match serde_json::from_slice(line) {
        Ok(row) => row,
        Err(error) => {
            reading.tally.bad(number, why(&error), line);
            return;
        }
    };
    if row.path.as_ref().is_some_and(|path| !path.0.starts_with("conn")) {
        reading.tally.leave_out("of another of Zeek's logs");
        return;
    }
    let optional = [&row.proto, &row.duration, &row.conn_state, &row.history];
    for (missing, field) in missing.iter_mut().zip(optional) {
        *missing &= field.is_none();
    }
    let needed = [
        ("ts", &row.ts),
        ("id.orig_h", &row.orig_h),
        ("id.orig_p", &row.orig_p),
        ("id.resp_h", &row.resp_h),
        ("id.resp_p", &row.resp_p),
    ];
    if let Some((name, _)) = needed.iter().find(|(_, field)| field.is_none()) {
        reading.tally.bad(number, format!("no `{name}`"), line);
        return;
    }
    let mut fields: [&[u8]; 9] = [b""; 9];
    let all = needed.iter().map(|(_, field)| *field).chain(optional);
    for (field, text) in fields.iter_mut().zip(all) {
        *field = text.as_ref().map_or(b"", |text| text.0.as_bytes());
    }
    connection(reading, &fields, line, number);
}

/// What is wrong with the JSON, in a few words.
fn why(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "cut off in the middle of its JSON".to_owned(),
        Category::Data => format!("a value that does not fit at column {}", error.column()),
        _ => format!("not JSON at column {}", error.column()),
    }
}
