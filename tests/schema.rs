//! `portsim schema` against what it is for: what portsim reads, an editor finds no fault with, and what
//! `portsim import` prints is as it is described.

use std::fs;
use std::path::{Path, PathBuf};

use portsim::scenario::{load, schema, settable};
use regex::Regex;
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The part of JSON Schema that the schema is written in.
struct Schema(Value);

impl Schema {
    fn new() -> Self {
        Self::of(&schema())
    }

    fn of(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("the schema is JSON"))
    }

    /// What is wrong with `value`, the first thing if anything is.
    fn fault(&self, schema: &Value, value: &Value, at: &str) -> Option<String> {
        for (keyword, said) in schema.as_object().expect("a schema is an object") {
            let fits = match keyword.as_str() {
                "$ref" => {
                    let name = said.as_str().expect("a reference");
                    let pointer = name.strip_prefix('#').expect("a reference to a definition");
                    let definition = self.0.pointer(pointer).expect(name);
                    if let Some(fault) = self.fault(definition, value, at) {
                        return Some(fault);
                    }
                    true
                }
                "type" => types(said).any(|name| is(value, name)),
                "enum" => list(said).contains(value),
                "const" => said == value,
                "pattern" => text(value).is_none_or(|text| matches(said, text)),
                "minimum" => value.as_f64().is_none_or(|number| number >= number_of(said)),
                "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > number_of(said)),
                "maximum" => value.as_f64().is_none_or(|number| number <= number_of(said)),
                "anyOf" => self.fitting(said, value, at) >= 1,
                "oneOf" => self.fitting(said, value, at) == 1,
                "allOf" => self.fitting(said, value, at) == list(said).len(),
                "items" => {
                    let items = value.as_array().into_iter().flatten();
                    items.into_iter().all(|item| self.fault(said, item, at).is_none())
                }
                "minItems" => {
                    value.as_array().is_none_or(|items| items.len() as f64 >= number_of(said))
                }
                "required" => value.as_object().is_none_or(|object| {
                    list(said).iter().all(|key| object.contains_key(text(key).expect("a key")))
                }),
                "propertyNames" => value.as_object().is_none_or(|object| {
                    let mut names = object.keys().map(|name| Value::from(name.as_str()));
                    names.all(|name| self.fault(said, &name, at).is_none())
                }),
                "minProperties" => size(value).is_none_or(|size| size >= number_of(said)),
                "maxProperties" => size(value).is_none_or(|size| size <= number_of(said)),
                "properties" | "patternProperties" | "additionalProperties" => true,
                "$schema" | "title" | "definitions" | "description" | "default" | "examples"
                | "x-changes" | "format" => true,
                other => panic!("the schema says `{other}`, which this test does not know"),
            };
            if !fits {
                return Some(format!("{at}: {keyword}"));
            }
        }
        let mut inside = value.as_object().into_iter().flatten();
        inside.find_map(|(key, value)| {
            let at = format!("{at}.{key}");
            let pattern = schema["patternProperties"].as_object().into_iter().flatten();
            let mut pattern = pattern.filter(|(pattern, _)| regex(pattern).is_match(key));
            let of_key = schema["properties"].get(key).or_else(|| pattern.next().map(|(_, of)| of));
            match of_key.or_else(|| schema.get("additionalProperties")) {
                Some(Value::Bool(false)) => Some(format!("{at}: no such key")),
                Some(of_key) => self.fault(of_key, value, &at),
                None => None,
            }
        })
    }

    fn fitting(&self, schemas: &Value, value: &Value, at: &str) -> usize {
        list(schemas).iter().filter(|schema| self.fault(schema, value, at).is_none()).count()
    }

    /// What is wrong with a scenario; nothing where it is not TOML.
    fn of_file(&self, path: &Path) -> Option<String> {
        let text = fs::read_to_string(path).ok()?;
        let table: toml::Table = toml::from_str(&text).ok()?;
        self.fault(&self.0, &serde_json::to_value(table).expect("TOML without dates"), "")
    }
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| panic!("{error}"))
}

fn matches(pattern: &Value, text: &str) -> bool {
    regex(pattern.as_str().expect("a pattern")).is_match(text)
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn number_of(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn size(value: &Value) -> Option<f64> {
    value.as_object().map(|object| object.len() as f64)
}

fn types(said: &Value) -> impl Iterator<Item = &str> {
    let several = said.as_array().into_iter().flatten().filter_map(Value::as_str);
    said.as_str().into_iter().chain(several)
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => panic!("the schema has a type `{name}`"),
    }
}

fn scenarios(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(name)).expect(name);
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    files
}

#[test]
fn every_shipped_scenario_is_one_to_the_schema() {
    let schema = Schema::new();
    let files = scenarios("scenarios");
    assert!(files.len() >= 19, "{}", files.len());
    for path in files {
        let fault = schema.of_file(&path);
        assert_eq!(fault, None, "{}", path.display());
    }
}

/// Bad files of `tests/messages/` whose fault is in a single key, which is all that a schema sees.
#[test]
fn what_is_wrong_with_a_single_key_is_wrong_to_the_schema() {
    let schema = Schema::new();
    for name in [
        "arrivals",
        "counts",
        "counts-of-runs",
        "expectations",
        "keys-misplaced",
        "keys-unknown",
        "lifetimes",
        "listeners",
        "missing",
        "names-unknown",
        "not-modelled",
        "ports",
        "quantities-impossible",
        "run-precision-none",
        "sockets",
        "tables-of-another-kind",
        "tables-without-name",
        "tcp",
        "units-missing",
        "units-wrong",
        "weights",
    ] {
        let path = folder("tests/messages").join(name).with_extension("toml");
        let text = fs::read_to_string(&path).expect(name);
        let is_toml = toml::from_str::<toml::Table>(&text).is_ok();
        assert!(!is_toml || schema.of_file(&path).is_some(), "{name}: no fault was found");
    }
}

/// What is refused by the schema and read by portsim would be marked in an editor for nothing.
#[test]
fn nothing_that_portsim_reads_is_wrong_to_the_schema() {
    let schema = Schema::new();
    for path in scenarios("tests/messages") {
        if let Ok(scenario) = load(&path, &[]) {
            let fault = schema.of_file(&path);
            assert_eq!(fault, None, "{}", scenario.name);
        }
    }
    let spellings = r#"
        [run]
        precision = 0.01
        [host.a]
        preset = "linux"
        selection = "Simple Hash"
        reuse_key = "four_tuple"
        tcp_fin_timeout = "1 min 30 s"
        net.ipv4.tcp_tw_reuse = 1
        listeners = { any = 80, 1 = ["90-99", 100] }
        [destination.d]
        pick = "in-turn"
        [client.c]
        arrivals = { process = "Closed_Loop", workers = 5, think = "0.5 Minutes" }
        lifetime = { distribution = "lognormal", median = "1.5e3 ms", sigma = 1 }
        closes = { client = "30 %", reset-server = 0.7 }
        binds = { ports = "1024 2047, 80" }
        [client.e]
        arrivals = { process = "poisson", rate = "36k per 2 min" }
        lifetime = { distribution = "lognormal", p50 = "80 ms", p99 = "2 s" }
        [expect]
        first_blocked = "never"
        [expect.client.c]
        utilisation = { max = "50 %" }
    "#;
    let table: toml::Table = toml::from_str(spellings).expect("TOML");
    let value = serde_json::to_value(table).expect("no dates");
    assert_eq!(schema.fault(&schema.0, &value, ""), None);
    let read = portsim::scenario::parse("x", "x.toml", spellings, &[]);
    assert!(read.is_ok(), "{}", read.unwrap_err());
}

#[test]
fn every_key_that_can_be_set_is_known_to_the_reader() {
    let text = "[client.\"a.b\"]\narrivals = { process = 'batches' }\nlifetime = '1 s'\n[host.h]\n";
    let keys = settable(Some(text));
    for key in ["client.\"a.b\".arrivals.every", "host.h.search_cost.probe", "run.seed", "title"] {
        assert!(keys.iter().any(|other| other == key), "{key}: {keys:?}");
    }
    for key in &keys {
        let set = format!("{key}=0").parse().expect(key);
        let problems = portsim::scenario::parse("x", "x.toml", text, &[set]).unwrap_err();
        let unknown = problems.iter().any(|problem| problem.message().starts_with("unknown key"));
        assert!(!unknown, "{key}: {problems}");
    }
}

/// Records with a rate and without, of a moment and of a time, and with lines that cannot be read.
#[test]
fn what_import_prints_is_as_its_schema_says() {
    const CSV: &str = "start,stop,source,destination,destination_port\n\
        1.0,1.5,10.0.0.1,192.0.2.1,443\n2.0,2.5,10.0.0.1,192.0.2.1,443\nno,row,10.0.0.1,192.0.2.1,443\n";
    const ONE: &str = "start,source,destination,destination_port\n1.0,10.0.0.1,192.0.2.1,443\n";
    const SS: &str = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
        TIME-WAIT 0 0 10.0.0.1:40000 192.0.2.1:443 timer:(timewait,12sec,0)\n";
    let schema = Schema::of(&portsim::import::schema());
    for record in [CSV, ONE, SS] {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_portsim"));
        let printed = command.args(["import", "-", "--format", "json"]).write_stdin(record);
        let printed = printed.assert().success().get_output().stdout.clone();
        let mut value: Value = serde_json::from_slice(&printed).expect("JSON");
        assert_eq!(schema.fault(&schema.0, &value, ""), None, "{record}");
        assert!(value["sources"][0]["peak_to_one"]["ports"].is_u64(), "{value}");
        value["sources"][0]["peak_to_one"]["ports"] = Value::from("2");
        assert!(schema.fault(&schema.0, &value, "").is_some(), "a word for a number is a fault");
        let said = value.as_object_mut().expect("an object");
        said.remove("sources");
        assert!(schema.fault(&schema.0, &value, "").is_some(), "what is missing is a fault");
    }
}
