//! The scenario file as a JSON Schema (draft 7), for editors that complete and check TOML by one.
//!
//! It knows what a row of `keys` says: which keys there are, what each may be, what is usual. What needs the rest
//! of the file (is there such a host?) only `read` can say.

use serde_json::{Map, Value, json};

use super::keys::{self, Is, Key, Kinds, Place, System, Usual};
use super::preset::{gateway_presets, pool_presets, presets};
use super::text::quantity::time_units;
use crate::stats::{Metric, Unit};

/// A number as quantities have it.
const NUMBER: &str = r"\+?[0-9._]+([eE][+-]?[0-9]+)?";
/// A port or a range of ports.
const RANGE: &str = r"\s*[0-9]+\s*((\.\.=|\.\.|-|\u2013|to|:|\s)\s*[0-9]+\s*)?";
/// The name of a sysctl, or the first part of one.
const SYSCTL: &str = r"^-?\s*(net|vm|kernel|fs|dev|user|debug|sunrpc|abi|crypto)([./].*)?$";

/// The schema as JSON over several lines.
///
/// ```
/// assert!(portsim::scenario::schema().contains("blocking_ratio"));
/// ```
#[must_use]
pub fn schema() -> String {
    let mut root = table(Place::Top);
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("A scenario of portsim");
    root["definitions"] = json!({
        "time": pattern(&format!("^\\s*({NUMBER}\\s*({})\\s*)+$", units())),
        "rate": pattern(&format!("^\\s*{NUMBER}\\s*[kKMG]?\\s*(/|per)\\s*({NUMBER}\\s*)?({})\\s*$", units())),
        "percent": pattern(&format!("^\\s*{NUMBER}\\s*(%|percent)?\\s*$")),
        "share": {"anyOf": [to("percent"), {"type": "number", "minimum": 0}]},
        "weights": {"type": "object", "minProperties": 1, "additionalProperties": to("share")},
        "range": pattern(&format!("^{RANGE}$")),
        "ports": {"anyOf": [port(), ports(), {"type": "array", "items": {"anyOf": [port(), ports()]}}]},
        "law": {"anyOf": [to("time"), kinds(&keys::LAWS)]},
        "arrivals": kinds(&keys::ARRIVALS),
    });
    let mut text = format!("{root:#}");
    text.push('\n');
    text
}

/// The object that a table at `place` is.
fn table(place: Place) -> Value {
    let rows: Vec<&Key> = keys::of(place).collect();
    let properties: Map<String, Value> =
        rows.iter().map(|row| (row.name.to_owned(), property(row))).collect();
    let needed = rows.iter().filter(|row| row.usual == Usual::Needed).map(|row| row.name);
    let mut object = object(properties, needed.collect());
    if place == Place::Host {
        object["patternProperties"] = json!({ SYSCTL: {} });
    }
    object
}

fn object(properties: Map<String, Value>, required: Vec<&str>) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// What one key may be, with what is said of it.
fn property(row: &Key) -> Value {
    let mut said = value(&row.is);
    if said.get("$ref").is_some() {
        // Beside a reference, draft 7 reads nothing else.
        said = json!({ "allOf": [said] });
    }
    said["description"] = json!(described(row));
    if let Usual::Value(usual) = row.usual {
        said["default"] = as_json(usual);
    }
    if !row.example.is_empty() {
        said["examples"] = json!([as_json(row.example)]);
    }
    if row.changes {
        said["x-changes"] = json!(true);
    }
    said
}

/// What an editor shows of a key.
fn described(row: &Key) -> String {
    let mut text = sentence(row.doc);
    match row.usual {
        Usual::Value(usual) | Usual::Is(usual) => text.push_str(&format!(" Usual: {usual}.")),
        Usual::Preset => text.push_str(" Usual: as the preset says."),
        Usual::Needed => {}
    }
    match row.on {
        System::Sysctl => text.push_str(&format!(" Linux, net.ipv4.{}", row.name)),
        System::Linux => text.push_str(" Linux"),
        System::Others => text.push_str(" Systems other than Linux."),
        System::Any => {}
    }
    if let System::Sysctl | System::Linux = row.on {
        if let Some(since) = row.since() {
            text.push_str(&format!(", since {since}"));
        }
        let source = if row.source.is_empty() { "" } else { ": " };
        text.push_str(&format!("{source}{}.", row.source));
    }
    text
}

fn value(is: &Is) -> Value {
    match is {
        Is::Text | Is::File | Is::Sysctls | Is::Name => json!({ "type": "string" }),
        Is::Flag => json!({ "type": "boolean" }),
        Is::Whole(bounds) => whole(*bounds.start(), *bounds.end()),
        Is::WholeOr(bounds, none) => {
            json!({ "anyOf": [whole(*bounds.start(), *bounds.end()), word(&[none])] })
        }
        Is::SomeTimeOr(none) => json!({ "anyOf": [to("time"), word(&[none])] }),
        Is::Pool => json!({ "anyOf": [value(&Is::PoolPreset), table(Place::Pool)] }),
        Is::PoolPreset => {
            let names: Vec<&str> =
                pool_presets().iter().map(|preset| preset.name.as_str()).collect();
            word(&names)
        }
        Is::Number { least, above, most } => {
            let from = if *above { "exclusiveMinimum" } else { "minimum" };
            json!({ "type": "number", from: least, "maximum": most })
        }
        Is::Share(bounds) => {
            let number =
                json!({ "type": "number", "minimum": bounds.start(), "maximum": bounds.end() });
            json!({ "anyOf": [to("percent"), number] })
        }
        Is::Time | Is::SomeTime => to("time"),
        Is::TimeIn { unit, bounds } => {
            let count = |span: crate::units::SimDuration| span.as_nanos() / unit.as_nanos();
            json!({ "anyOf": [to("time"), whole(count(*bounds.start()), count(*bounds.end()))] })
        }
        Is::Rate => to("rate"),
        Is::Word(words) => word(&words()),
        Is::Tag(kinds) => word(&kinds.kinds.iter().map(|kind| kind.name).collect::<Vec<_>>()),
        Is::Arrivals => to("arrivals"),
        Is::Law => to("law"),
        Is::Samples => json!({ "type": "array", "items": to("time"), "minItems": 1 }),
        Is::Rates => json!({ "type": "array", "items": table(Place::Rates), "minItems": 1 }),
        Is::Range => to("range"),
        Is::Ports => to("ports"),
        Is::Listeners => {
            let by_address = json!({
                "type": "object",
                "patternProperties": { "^(any|other|[1-9][0-9]*)$": to("ports") },
                "additionalProperties": false,
            });
            json!({ "anyOf": [to("ports"), by_address] })
        }
        Is::Binds => {
            let mut own = table(Place::OwnPorts);
            own["minProperties"] = json!(1);
            own["maxProperties"] = json!(1);
            let words: Vec<&str> = keys::BINDS.iter().map(|(word, _)| *word).collect();
            json!({ "anyOf": [word(&words), own] })
        }
        Is::Shares(words) => {
            let weights = json!({ "allOf": [to("weights")], "propertyNames": word(&words()) });
            json!({ "anyOf": [word(&words()), weights] })
        }
        Is::NameList => json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }),
        Is::GatewayPreset => {
            let names: Vec<&str> =
                gateway_presets().iter().map(|preset| preset.name.as_str()).collect();
            json!({ "enum": names })
        }
        Is::Names => json!({ "anyOf": [{ "type": "string" }, to("weights")] }),
        Is::Preset => {
            let names: Vec<&str> = presets().iter().map(|preset| preset.name.as_str()).collect();
            let any_linux = pattern(r"^linux-[0-9]+\.[0-9]+$");
            json!({ "anyOf": [{ "enum": names }, any_linux] })
        }
        Is::Table(place) => table(*place),
        Is::Family(place) => json!({ "type": "object", "additionalProperties": table(*place) }),
        Is::Tables(place) => {
            json!({ "type": "array", "items": changes(*place), "minItems": 1 })
        }
        Is::Figures => figures(),
        Is::Bound => json!({ "type": ["number", "string"] }),
    }
}

/// A table that says what becomes another: of each family the keys that can, of which none is needed.
fn changes(place: Place) -> Value {
    let mut whole = table(place);
    for family in keys::of(place) {
        let Is::Family(of) = family.is else { continue };
        let rows = keys::of(of).filter(|key| key.changes);
        let part = |row: &Key| match row.is {
            // A part of such a table is enough.
            Is::Arrivals | Is::Law | Is::Pool | Is::Table(_) => {
                json!({ "description": described(row) })
            }
            _ => property(row),
        };
        let properties = rows.map(|row| (row.name.to_owned(), part(row))).collect();
        let mut one = object(properties, Vec::new());
        if of == Place::Host {
            one["patternProperties"] = json!({ SYSCTL: {} });
        }
        whole["properties"][family.name]["additionalProperties"] = one;
    }
    whole
}

/// A table that comes in several kinds.
fn kinds(kinds: &Kinds) -> Value {
    let of = |name: &str| keys::find(kinds.at, name).map(property).unwrap_or_default();
    let all = kinds.kinds.iter().map(|kind| {
        let mut properties: Map<String, Value> =
            kind.keys.iter().map(|key| ((*key).to_owned(), of(key))).collect();
        properties.insert(kinds.tag.to_owned(), word(&[kind.name]));
        let either = kind.either.unwrap_or_default();
        let needed = |key: &&str| {
            let row = keys::find(kinds.at, key);
            let alone = !either.contains(key) && !kind.instead.contains(key);
            row.is_some_and(|row| row.usual == Usual::Needed) && alone
        };
        let needed: Vec<&str> = kind.keys.iter().copied().filter(needed).collect();
        let mut ways: Vec<Vec<&str>> = match kind.either {
            Some(keys) => keys.map(|key| [&[key], &*needed].concat()).into(),
            None => vec![needed],
        };
        if !kind.instead.is_empty() {
            ways.push(kind.instead.to_vec());
        }
        let mut object = object(properties, vec![kinds.tag]);
        object["description"] = json!(sentence(kind.doc));
        object["oneOf"] = ways.iter().map(|keys| json!({ "required": keys })).collect();
        object
    });
    json!({ "type": "object", "anyOf": all.collect::<Vec<_>>() })
}

/// `[expect]`, and the tables below it.
fn figures() -> Value {
    let bounds = |unit: Unit| {
        let bound = match unit {
            Unit::Time => to("time"),
            Unit::Share | Unit::ShareOf(_) => to("share"),
            _ => json!({ "type": "number", "minimum": 0 }),
        };
        json!({
            "type": "object",
            "properties": { "min": bound, "max": bound },
            "minProperties": 1,
            "additionalProperties": false,
        })
    };
    let figure = |figure: Metric| {
        let (name, bounds) = (figure.name(), bounds(figure.figure.unit));
        let expected = match &*name {
            "first_blocked" => json!({ "anyOf": [bounds, word(&["never"])] }),
            _ => bounds,
        };
        (name, expected)
    };
    let one: Map<String, Value> = Metric::expected().map(figure).collect();
    let mut whole = one.clone();
    for scope in ["client", "host", "gateway"] {
        let named = object(one.clone(), Vec::new());
        whole.insert(scope.to_owned(), json!({ "type": "object", "additionalProperties": named }));
    }
    object(whole, Vec::new())
}

/// One of `words`: an editor offers them as they are, and takes what the reader takes, to which case and the
/// choice between `-`, `_` and a space do not matter.
fn word(words: &[&str]) -> Value {
    let loose: Vec<String> = words.iter().map(|word| any_case(word)).collect();
    json!({ "anyOf": [{ "enum": words }, pattern(&format!("^\\s*({})\\s*$", loose.join("|")))] })
}

fn any_case(word: &str) -> String {
    let of = |c: char| match c {
        '-' | '_' | ' ' => "[-_ ]".to_owned(),
        '.' => "\\.".to_owned(),
        c if c.is_ascii_alphabetic() => {
            format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase())
        }
        c => c.to_string(),
    };
    word.chars().map(of).collect()
}

/// All units of time, the longer first, as a pattern takes the first that fits.
fn units() -> String {
    let mut units: Vec<&str> = time_units().collect();
    units.sort_by_key(|unit| std::cmp::Reverse(unit.len()));
    units.into_iter().map(any_case).collect::<Vec<_>>().join("|")
}

fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn to(definition: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{definition}") })
}

fn whole(least: u64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

fn port() -> Value {
    whole(1, 65_535)
}

fn ports() -> Value {
    pattern(&format!("^({RANGE}(,{RANGE})*)?\\s*$"))
}

/// A value that a row holds as TOML.
fn as_json(toml: &str) -> Value {
    let table: toml::Table = toml::from_str(&format!("value = {toml}")).expect("rows hold TOML");
    serde_json::to_value(&table["value"]).expect("no date and no infinite number is in a row")
}

fn sentence(doc: &str) -> String {
    let mut chars = doc.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).chain(['.']).collect()
}
