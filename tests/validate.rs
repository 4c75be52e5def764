//! `portsim validate` from outside: what it refuses, what it finds on this machine's kernel, and what is left
//! of it when it is interrupted. Where no network namespace can be made the tests say so and pass.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Output};

use portsim::validate::{builtin, cost_case};
use serde_json::Value;
use tempfile::TempDir;

/// A scenario of a system whose kernel cannot be asked here.
const WINDOWS: &str = r#"
[host.desk]
preset = "windows"
[client.browser]
arrivals = { process = "poisson", rate = "3 / s" }
lifetime = "1 s"
"#;

/// A directory to run in.
struct Workshop {
    directory: TempDir,
}

impl Workshop {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn validate(&self, arguments: &[&str]) -> Command {
        let mut process = Command::new(env!("CARGO_BIN_EXE_portsim"));
        process.arg("validate").args(arguments).current_dir(self.directory.path());
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
            process.env_remove(variable);
        }
        process
    }

    fn ended(&self, arguments: &[&str]) -> Output {
        self.validate(arguments).output().unwrap()
    }

    /// `validate.json`, which must be there.
    fn saved(&self) -> Vec<u8> {
        fs::read(self.path("results/validate/validate.json")).unwrap()
    }

    fn wrote_nothing(&self) -> bool {
        !self.path("results").exists()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Were cases made? Where they may not be it must say why and what to do, and exit with 1; that is told here
/// too, not by `eprintln!`, of which nobody hears when the test passes.
#[track_caller]
fn made(output: &Output) -> bool {
    let told = text(&output.stderr);
    let refused = output.status.code() == Some(1) && output.stdout.is_empty();
    assert!(refused || cfg!(target_os = "linux"), "made on a kernel that is not Linux: {told}");
    if refused {
        assert!(told.contains("error: ") && told.contains("help: "), "{told}");
        writeln!(io::stderr(), "skipped: {}", told.trim_end()).expect("stderr is open");
    }
    !refused
}

#[test]
fn the_list_shows_every_case_with_its_purpose_and_makes_none() {
    let workshop = Workshop::new();
    let output = workshop.ended(&["--list"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
    let list = text(&output.stdout);
    // Purposes are wrapped: only their words are the same.
    let words: Vec<&str> = list.split_whitespace().collect();
    let expected: Vec<String> = builtin(false)
        .into_iter()
        .chain([cost_case(false)])
        .flat_map(|case| [case.name, case.notes])
        .collect();
    let expected: Vec<&str> = expected.iter().flat_map(|text| text.split_whitespace()).collect();
    assert_eq!(words, expected);
    assert!(workshop.wrote_nothing());
}

#[test]
fn the_list_of_some_cases_is_only_theirs() {
    let output = Workshop::new().ended(&["--list", "--quick", "--case", "time-wait/"]);
    let names: Vec<String> = text(&output.stdout)
        .lines()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["time-wait/fin-timeout5", "time-wait/loopback-default"]);
}

#[test]
fn what_cannot_be_made_is_refused_with_what_to_type_instead() {
    let workshop = Workshop::new();
    fs::write(workshop.path("desk.toml"), WINDOWS).unwrap();
    for (arguments, told) in [
        (&["--case", "hodl"][..], "no case has `hodl` in its name; --list shows all"),
        (&["dsk.toml"], "there is no file dsk.toml; did you mean desk.toml?"),
        (&["desk.toml"], "can only be held against preset = \"linux\""),
        (&["--for", "3h"], "'3h' for '--for <TIME>': write a time with its unit, from '1 s' to"),
        (&["--quick", "--full"], "'--quick' cannot be used with '--full'"),
    ] {
        let output = workshop.ended(arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        assert!(workshop.wrote_nothing(), "{arguments:?}");
    }
}

#[test]
fn cases_that_are_over_at_once_agree_with_this_kernel() {
    let workshop = Workshop::new();
    let output =
        workshop.ended(&["--case", "hold", "--case", "mix", "--no-charts", "--format", "json"]);
    if !made(&output) {
        assert!(workshop.wrote_nothing());
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(document["kernel"], release.trim_end());
    assert_eq!((&document["differ"], &document["partial"]), (&0.into(), &false.into()));
    let cases = document["cases"].as_array().unwrap();
    let wanted = |name: &str| name.contains("hold") || name.contains("mix");
    let all = builtin(false).into_iter().filter(|case| wanted(&case.name)).count();
    assert_eq!(cases.len(), all);
    // What this kernel has no socket option for is skipped, and said to be.
    let agrees = |case: &&Value| case["verdict"] == "agrees";
    assert_eq!(document["agree"], cases.iter().filter(agrees).count());
    assert!(cases.iter().all(|case| case["kernel"].as_str().is_some_and(|told| !told.is_empty())));
    assert_eq!(output.stdout, workshop.saved());
}

/// Goal: what a scenario lets listeners, clients with ports of their own and a closed loop do is done on the
/// kernel too, and the model agrees to the connection.
/// Method: twenty ports, two of them listened on, one that a client names, and thirty workers that want more
/// than are left.
#[test]
fn workers_listeners_and_ports_of_ones_own_agree_with_this_kernel() {
    let workshop = Workshop::new();
    let scenario = "[host.h]
        ports = '40000-40019'
        listeners = ['40004-40005']
        [client.workers]
        arrivals = { process = 'closed-loop', workers = 30, think = '300 ms' }
        lifetime = '20 ms'
        [client.server]
        binds = { port = 40011 }
        arrivals = { process = 'constant', rate = '2 / s' }
        lifetime = '100 ms'
        [run]
        duration = '3 s'";
    fs::write(workshop.path("mixed.toml"), scenario).unwrap();
    let output = workshop.ended(&["mixed.toml", "--no-charts", "--format", "json"]);
    if !made(&output) {
        return;
    }
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let case = &document["cases"][0];
    // A machine that is too busy says so.
    assert!(case["verdict"] == "agrees" || case["verdict"] == "skipped", "{case}");
    assert!(case["verdict"] == "skipped" || case["differs"] == serde_json::json!([]), "{case}");
    let told = case["kernel"].as_str().unwrap();
    assert!(case["verdict"] == "skipped" || told.contains(" refused, the first at"), "{case}");
}

#[cfg(target_os = "linux")]
mod interrupted {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::process::Stdio;

    use super::*;

    /// Goal: an interrupt keeps what is finished.
    /// Method: one case is over at once, the other takes more than a minute; the signal is sent as soon as
    /// the first is told.
    #[test]
    fn an_interrupt_saves_the_cases_that_were_made_and_marks_them_partial() {
        let workshop = Workshop::new();
        let mut process = workshop.validate(&[
            "--case",
            "hold/connect/k3",
            "--case",
            "churn/even",
            "--no-charts",
        ]);
        let mut child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        if !first.is_empty() {
            let pid = child.id().to_string();
            assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        }
        let mut rest = Vec::new();
        stdout.read_to_end(&mut rest).unwrap();
        let output = child.wait_with_output().unwrap();
        if first.is_empty() && !made(&output) {
            return;
        }
        assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
        assert!(first.starts_with("agrees   hold/connect/k3"), "{first}");
        assert!(text(&rest).contains("Interrupted: "), "{}", text(&rest));
        let document: Value = serde_json::from_slice(&workshop.saved()).unwrap();
        assert_eq!(document["partial"], true);
        assert_eq!(document["cases"].as_array().unwrap().len(), 1);
        assert_eq!(document["cases"][0]["case"], "hold/connect/k3");
    }
}
