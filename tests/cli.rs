//! The program from outside: what it prints where, what it writes, and how it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::{contains, is_empty, starts_with};
use serde_json::Value;
use tempfile::TempDir;

/// 20 ports and 30 attempts a second: dry within a second, so every run is short.
const OVERLOADED: &str = r#"
title = "Twenty ports"
[run]
duration     = "30 s"
replications = 8
[host.crawler]
preset = "linux"
ports  = "50000-50019"
[client.fetcher]
on       = "crawler"
arrivals = { process = "poisson", rate = "30 / s" }
lifetime = { distribution = "exponential", mean = "200 ms" }
"#;

/// A directory to run in, and the scenarios in it.
struct Workshop {
    directory: TempDir,
}

impl Workshop {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// With `crawler.toml`, which is overloaded, and this at its end.
    fn overloaded(more: &str) -> Self {
        Self::new().with("crawler.toml", &format!("{OVERLOADED}{more}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn portsim(&self, arguments: &[&str]) -> Assert {
        Command::from(self.process(arguments)).assert()
    }

    fn process(&self, arguments: &[&str]) -> Process {
        let mut process = Process::new(env!("CARGO_BIN_EXE_portsim"));
        process.args(arguments).current_dir(self.directory.path());
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
            process.env_remove(variable);
        }
        process
    }

    /// Everything below the directory, sorted.
    fn files(&self) -> Vec<String> {
        fn walk(directory: &Path, root: &Path, files: &mut Vec<String>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, root, files);
                } else {
                    let parts = path.strip_prefix(root).unwrap().iter();
                    let parts: Vec<_> = parts.map(|part| part.to_str().unwrap()).collect();
                    files.push(parts.join("/"));
                }
            }
        }
        let mut files = Vec::new();
        walk(self.directory.path(), self.directory.path(), &mut files);
        files.sort();
        files
    }
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

fn json(assert: &Assert) -> Value {
    serde_json::from_slice(&assert.get_output().stdout).expect("stdout is one JSON document")
}

// ---- help and mistakes on the command line ----

#[test]
fn help_asks_the_question_and_tells_the_exit_statuses() {
    Workshop::new()
        .portsim(&["--help"])
        .success()
        .stdout(contains("will I run out, when").and(contains("130  interrupted")))
        .stderr(is_empty());
}

#[test]
fn the_scenario_in_the_help_of_run_runs() {
    let help = stdout(&Workshop::new().portsim(&["run", "--help"]).success());
    let (_, after) = help.split_once("crawler.toml:\n").unwrap();
    let (scenario, _) = after.split_once("\nExamples:").unwrap();
    Workshop::new()
        .with("crawler.toml", scenario)
        .portsim(&["run", "crawler.toml", "--no-charts", "--replications", "1"])
        .success()
        .stdout(contains("32768-60999"));
}

#[test]
fn the_version_is_told() {
    let version = concat!("portsim ", env!("CARGO_PKG_VERSION"), "\n");
    Workshop::new().portsim(&["--version"]).success().stdout(version);
}

#[test]
fn a_mistyped_verb_or_flag_is_told_with_the_nearest() {
    let workshop = Workshop::new();
    workshop.portsim(&["rum", "x.toml"]).code(2).stderr(contains("'run'")).stdout(is_empty());
    workshop.portsim(&["rnu", "x.toml"]).code(2).stderr(contains("did you mean `portsim run`?"));
    workshop.portsim(&["run", "x.toml", "--sed", "1"]).code(2).stderr(contains("'--seed'"));
}

#[test]
fn a_scenario_without_a_verb_is_understood() {
    Workshop::overloaded("")
        .portsim(&["crawler.toml", "--no-charts"])
        .code(2)
        .stderr(contains("did you mean `portsim run crawler.toml --no-charts`?"));
}

#[test]
fn impossible_values_of_flags_are_refused() {
    let workshop = Workshop::overloaded("");
    for flags in [
        ["--jobs", "0"],
        ["--jobs", "60000"],
        ["--replications", "0"],
        ["--seed", "-1"],
        ["--set", "run.seed"],
    ] {
        workshop.portsim(&["run", "crawler.toml", flags[0], flags[1]]).code(2);
    }
    assert_eq!(workshop.files(), ["crawler.toml"]);
}

#[test]
fn completions_schema_and_presets_are_printed() {
    let workshop = Workshop::overloaded("");
    workshop.portsim(&["completions", "bash"]).success().stdout(contains("_portsim"));
    workshop.portsim(&["completions", "zsh"]).success().stdout(contains(":KEY=VALUE:_portsim_set"));
    workshop.portsim(&["schema"]).success().stdout(contains("draft-07"));
    workshop.portsim(&["schema", "--keys"]).success().stdout(contains("\nhost.NAME.ports\n"));
    let with_names = contains("\nclient.fetcher.arrivals.rate\n");
    workshop.portsim(&["schema", "--keys", "crawler.toml"]).success().stdout(with_names);
    workshop.portsim(&["schema", "--keys", "no.toml"]).code(2).stderr(contains("cannot read"));
    workshop.portsim(&["presets"]).success().stdout(contains("\"32768-60999\""));
    workshop.portsim(&["presets", "linux"]).success().stdout(contains("as of 2"));
    workshop.portsim(&["presets", "linus"]).code(2).stderr(contains("did you mean `linux`?"));
}

// ---- wrong input: status 2, nothing run, nothing written ----

#[test]
fn a_missing_file_is_told_with_the_nearest() {
    Workshop::overloaded("")
        .portsim(&["run", "crawlr.toml"])
        .code(2)
        .stderr(contains("there is no file crawlr.toml; did you mean crawler.toml?"));
}

#[test]
fn a_directory_without_scenarios_is_refused() {
    let workshop = Workshop::new().with("notes/readme.md", "");
    workshop.portsim(&["run", "notes"]).code(2).stderr(contains("no scenario in notes"));
}

#[test]
fn one_bad_scenario_keeps_all_from_running_and_every_mistake_is_told() {
    let workshop = Workshop::overloaded("")
        .with("bad.toml", "[host.a]\nprots = 3\n")
        .with("worse.toml", "title = \n");
    workshop
        .portsim(&["run", "crawler.toml", "bad.toml", "worse.toml"])
        .code(2)
        .stdout(is_empty())
        .stderr(contains("prots").and(contains("worse.toml")));
    assert!(!workshop.path("results").exists());
}

#[test]
fn two_scenarios_of_one_name_are_refused() {
    let workshop = Workshop::overloaded("").with("other/crawler.toml", OVERLOADED);
    workshop
        .portsim(&["run", "crawler.toml", "other"])
        .code(2)
        .stderr(contains("two scenarios are called `crawler`"));
    assert!(!workshop.path("results").exists());
}

#[test]
fn a_scenario_named_twice_is_said_to_be() {
    Workshop::overloaded("")
        .portsim(&["run", "crawler.toml", "crawler.toml"])
        .code(2)
        .stderr(contains("crawler.toml is named twice"));
}

#[test]
fn an_unwritable_place_for_results_is_found_before_the_run() {
    Workshop::overloaded("")
        .portsim(&["run", "crawler.toml", "--out", "crawler.toml/results"])
        .code(2)
        .stderr(contains("crawler.toml is a file; choose another place with --out DIR"))
        .stdout(is_empty());
}

#[test]
fn a_run_of_weeks_is_refused_with_its_estimate() {
    let workshop = Workshop::overloaded("");
    workshop
        .portsim(&[
            "run",
            "crawler.toml",
            "--jobs=2",
            "--replications=100000",
            "--set=run.duration=1 d",
            "--set=client.fetcher.arrivals.rate=10000 / s",
        ])
        .code(2)
        .stderr(contains("this would take about").and(contains("--replications 5")));
    assert!(!workshop.path("results").exists());
}

// ---- what a run prints ----

#[test]
fn a_run_opens_with_its_title_and_its_verdict() {
    Workshop::overloaded("")
        .portsim(&["run", "crawler.toml", "--no-charts"])
        .success()
        .stdout(starts_with("Twenty ports\n50000-50019 runs dry after "))
        .stdout(contains(" refused ").and(contains("summary.json")));
}

#[test]
fn output_that_is_no_terminal_is_plain_and_colour_can_be_forced() {
    let workshop = Workshop::overloaded("");
    let run = ["run", "crawler.toml", "--no-charts", "-q"];
    let escape = || contains("\u{1b}");
    workshop.portsim(&run).success().stdout(escape().not()).stderr(is_empty());
    let forced = |no_colour: bool| {
        let mut process = workshop.process(&run);
        process.env("CLICOLOR_FORCE", "1");
        if no_colour {
            process.env("NO_COLOR", "1");
        }
        Command::from(process).assert().success()
    };
    forced(false).stdout(escape());
    forced(true).stdout(escape().not());
}

#[test]
fn lines_keep_to_the_width_of_the_terminal() {
    let workshop = Workshop::overloaded("").with("second.toml", OVERLOADED);
    for columns in ["40", "80"] {
        for scenarios in [&["crawler.toml"][..], &["crawler.toml", "second.toml"]] {
            let arguments = [&["run", "--no-charts"], scenarios].concat();
            let mut process = workshop.process(&arguments);
            let output = process.env("COLUMNS", columns).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= columns.parse().unwrap(), "{longest} in {columns}:\n{text}");
        }
    }
}

#[test]
fn json_is_one_document_the_same_as_the_file() {
    let workshop = Workshop::overloaded("");
    let run = workshop.portsim(&["run", "crawler.toml", "--no-charts", "--format", "json"]);
    let run = run.success();
    let summary = json(&run);
    assert_eq!(summary["scenario"], "crawler");
    assert_eq!(summary["replications"], 8);
    assert_eq!(summary["limits"]["crawler"]["num_ephemeral"], 20);
    let (attempts, opened, blocked) =
        (&summary["whole"]["attempts"], &summary["whole"]["opened"], &summary["whole"]["blocked"]);
    assert_eq!(
        attempts.as_u64().unwrap(),
        opened.as_u64().unwrap() + blocked.as_u64().unwrap(),
        "every attempt is either opened or blocked"
    );
    assert_eq!(stdout(&run), workshop.read("results/crawler/summary.json"));
}

#[test]
fn several_scenarios_are_one_document_in_the_order_given() {
    let workshop = Workshop::overloaded("").with("a.toml", OVERLOADED);
    let run = ["run", "crawler.toml", "a.toml", "--no-charts", "--format", "json", "-q"];
    let document = json(&workshop.portsim(&run).success().stderr(is_empty()));
    assert_eq!(document["scenarios"][0]["scenario"], "crawler");
    assert_eq!(document["scenarios"][1]["scenario"], "a");
}

#[test]
fn csv_has_a_row_for_each_limit_and_client_and_markdown_a_table() {
    let workshop = Workshop::overloaded("");
    let run = |format| {
        let run = ["run", "crawler.toml", "--no-charts", "-q", "--format", format];
        stdout(&workshop.portsim(&run).success())
    };
    let csv = run("csv");
    let starts: Vec<&str> = csv.lines().map(|l| l.split(",8,").next().unwrap()).collect();
    assert!(starts[0].starts_with("scenario,scope,name,replications,attempts,"), "{csv}");
    assert_eq!(starts[1..], ["crawler,limit,crawler", "crawler,client,fetcher"]);
    assert!(run("markdown").contains("| refused |"));
}

#[test]
fn a_directory_runs_all_its_scenarios_by_name_and_ends_in_one_table() {
    let workshop = Workshop::new()
        .with("all/b.toml", OVERLOADED)
        .with("all/a.toml", OVERLOADED)
        .with("all/notes.md", "");
    let text = stdout(&workshop.portsim(&["run", "all", "--no-charts"]).success());
    assert!(text.starts_with("a: 50000-50019 runs dry"), "{text}");
    assert!(text.find("\nb: ").unwrap() < text.find(" scenario ").unwrap(), "{text}");
    assert!(workshop.read("results/summary.csv").contains("b,whole,,8,"));
}

#[test]
fn the_table_of_all_scenarios_tells_several_hosts_by_the_tightest() {
    let roomy = "[host.roomy]\npreset = \"linux\"\n[client.other]\non = \"roomy\"\n\
                 arrivals = { process = \"poisson\", rate = \"300 / s\" }\nlifetime = \"1 s\"\n";
    let workshop = Workshop::new()
        .with("one.toml", OVERLOADED)
        .with("two.toml", &format!("{OVERLOADED}{roomy}"));
    let run = ["run", "one.toml", "two.toml", "--no-charts"];
    let text = stdout(&workshop.portsim(&run).success());
    let row = |name: &str| -> Vec<String> {
        let row = text.lines().find(|line| line.starts_with(&format!(" {name} "))).expect(name);
        row.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(row("scenario")[..4], ["scenario", "tightest", "runs", "dry"]);
    let (one, two) = (row("one"), row("two"));
    assert_eq!((&*one[1], &*two[1]), ("-", "crawler"));
    assert_eq!(one[2..], two[2..], "the roomy host is no part of what is refused");
    let alone = stdout(&workshop.portsim(&["run", "two.toml", "--no-charts"]).success());
    let hosts = |line: &&str| line.starts_with(" crawler ") || line.starts_with(" roomy ");
    assert!(alone.lines().filter(hosts).count() >= 2, "a row a host: {alone}");
}

#[test]
fn one_replication_is_warned_of_unless_quiet() {
    let workshop = Workshop::overloaded("");
    let run = ["run", "crawler.toml", "--no-charts", "--replications", "1"];
    workshop.portsim(&run).success().stderr(contains("check this before you trust the figures"));
    workshop.portsim(&[&run[..], &["-q"]].concat()).success().stderr(is_empty());
}

/// Names and titles come from whoever wrote the scenario.
#[test]
fn nothing_that_a_name_contains_acts() {
    let workshop = Workshop::new().with(
        "evil.toml",
        r#"title = "=HYPERLINK(\"http://evil\") <script>x</script> [l](http://evil) \u202e @all"
        run = { duration = "5 s", replications = 2 }
        [host."=1+1"]
        ports = "50000-50009"
        [client."@sum\u2066 <b>"]
        on = "=1+1"
        arrivals = { process = "poisson", rate = "9 / s" }
        lifetime = "1 s"
        [client."-2+3"]
        on = "=1+1"
        arrivals = { process = "poisson", rate = "9 / s" }
        lifetime = "1 s""#,
    );
    let run = |format: &str| {
        stdout(&workshop.portsim(&["run", "evil.toml", "-q", "--format", format]).success())
    };
    for row in run("csv").lines().skip(1) {
        let name = row.split(',').nth(2).unwrap();
        assert!(!name.trim_matches('"').starts_with(['=', '@', '-', '+']), "{row}");
    }
    let markdown = run("markdown");
    for acts in ["<script", "[l](", "://", " @all", "\u{202e}", "\u{2066}"] {
        assert!(!markdown.contains(acts), "{acts}: {markdown}");
    }
    let svg = workshop.read("results/evil/pressure.svg");
    assert!(!svg.contains("<script"), "{svg}");
    for text in [run("table"), svg] {
        assert!(!text.contains(['\u{202e}', '\u{2066}', '\u{1b}']), "{text}");
    }
}

// ---- what a run writes ----

#[test]
fn a_run_writes_figures_record_and_charts_and_no_litter() {
    let workshop = Workshop::overloaded("");
    workshop.portsim(&["run", "crawler.toml"]).success();
    let results: Vec<String> =
        workshop.files().into_iter().filter(|name| name.starts_with("results")).collect();
    let expected = [
        "ports.png",
        "ports.svg",
        "pressure.png",
        "pressure.svg",
        "run.json",
        "summary.json",
        "timeline.csv",
    ];
    assert_eq!(results, expected.map(|name| format!("results/crawler/{name}")));
    let record: Value = serde_json::from_str(&workshop.read("results/crawler/run.json")).unwrap();
    assert_eq!(record["command_line"][1], "run");
    assert_eq!(record["partial"], false);
}

#[test]
fn of_several_hosts_each_has_its_own_timeline_and_charts() {
    let second = "[host.\"b/c\"]\npreset = \"linux\"\n[client.other]\non = \"b/c\"\n\
                  arrivals = { process = \"poisson\", rate = \"3 / s\" }\nlifetime = \"1 s\"\n";
    let workshop = Workshop::overloaded(second);
    workshop.portsim(&["run", "crawler.toml"]).success();
    let read = |name: &str| workshop.read(&format!("results/crawler/{name}"));
    // Side by side, and each by itself; ports are those of the host that refuses.
    assert!(read("pressure.svg").contains("1 of 2 hosts runs dry; crawler refuses"));
    assert!(read("pressure-crawler.svg").contains("crawler: runs dry"));
    assert_eq!(read("ports.svg"), read("ports-crawler.svg"));
    assert!(read("pressure-b_c.svg").contains("b/c: holds"));
    // Only what is asked for.
    assert!(!workshop.path("results/crawler/reuse.svg").exists());
    let only = ["run", "crawler.toml", "--charts", "reuse,search", "--out", "only"];
    workshop.portsim(&only).success();
    for (name, drawn) in [("reuse", true), ("search", true), ("pressure", false), ("ports", false)]
    {
        assert_eq!(workshop.path(&format!("only/crawler/{name}.svg")).exists(), drawn, "{name}");
    }
    let opened = |name: &str| -> f64 {
        let row = read(name).lines().nth(7).unwrap().to_owned();
        row.split(',').nth(1).unwrap().parse().unwrap()
    };
    let (whole, first, second) =
        (opened("timeline.csv"), opened("timeline-crawler.csv"), opened("timeline-b_c.csv"));
    assert!((whole - first - second).abs() < 1e-9, "{whole} is not {first} + {second}");
    assert!(second > 0.0 || first > 0.0);
}

#[test]
fn results_have_the_same_bytes_on_any_number_of_threads() {
    let workshop = Workshop::overloaded("");
    for (jobs, out) in [("1", "one"), ("4", "four")] {
        let run = ["run", "crawler.toml", "--no-charts", "--jobs", jobs, "--out", out];
        workshop.portsim(&run).success();
    }
    for file in ["summary.json", "timeline.csv"] {
        let one = workshop.read(&format!("one/crawler/{file}"));
        assert_eq!(one, workshop.read(&format!("four/crawler/{file}")), "{file}");
    }
}

#[test]
fn flags_change_the_scenario_and_win_over_set() {
    let workshop = Workshop::overloaded("");
    let run = [
        "run",
        "crawler.toml",
        "--no-charts",
        "-q",
        "--format",
        "json",
        "--seed",
        "7",
        "--set",
        "run.seed=3",
        "--set",
        "run.duration=5 s",
        "--replications",
        "2",
    ];
    let summary = json(&workshop.portsim(&run).success());
    assert_eq!(summary["seed"], 7);
    assert_eq!(summary["replications"], 2);
    assert_eq!(summary["duration_s"], 5.0);
}

#[test]
fn a_result_that_cannot_be_written_is_status_1_names_the_file_and_leaves_no_litter() {
    let workshop = Workshop::overloaded("").with("results/crawler/summary.json/in-the-way", "");
    workshop
        .portsim(&["run", "crawler.toml", "--no-charts"])
        .code(1)
        .stderr(contains("summary.json"))
        .stdout(contains("runs dry"));
    assert_eq!(workshop.files(), ["crawler.toml", "results/crawler/summary.json/in-the-way"]);
}

// ---- expectations and exit status ----

#[test]
fn expectations_that_hold_are_status_0() {
    Workshop::overloaded("[expect]\nblocking_ratio = { min = \"50 %\" }\n")
        .portsim(&["run", "crawler.toml", "--no-charts"])
        .code(0)
        .stdout(contains("held: blocking_ratio at least 50 %"));
}

#[test]
fn a_broken_expectation_is_status_3_and_the_results_are_there() {
    let workshop = Workshop::overloaded("[expect]\nfirst_blocked = \"never\"\n");
    workshop
        .portsim(&["run", "crawler.toml", "--no-charts"])
        .code(3)
        .stdout(contains("NOT held: first_blocked never"));
    assert!(workshop.read("results/crawler/summary.json").contains("\"verdict\": \"broken\""));
}

#[test]
fn an_inconclusive_expectation_is_said_aloud_and_status_3_only_when_strict() {
    let workshop = Workshop::overloaded("");
    let run = ["run", "crawler.toml", "--no-charts", "--format", "json", "-q"];
    let mean = json(&workshop.portsim(&run).success())["whole"]["mean_in_use"].to_string();
    // A bound at the very mean lies inside the interval.
    let expect = format!("[expect]\nmean_in_use = {{ max = {mean} }}\n");
    let workshop = Workshop::overloaded(&expect);
    let run = ["run", "crawler.toml", "--no-charts"];
    workshop.portsim(&run).code(0).stdout(contains("inconclusive: mean_in_use"));
    workshop.portsim(&[&run[..], &["--strict"]].concat()).code(3);
}

// ---- pipes and interrupts ----

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let workshop = Workshop::overloaded("");
    let run = ["run", "crawler.toml", "--no-charts", "--format", "json", "-q"];
    for arguments in [&run[..], &["run", "--help"], &["completions", "bash"]] {
        let mut process = workshop.process(arguments);
        let mut child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_status_1() {
    let workshop = Workshop::overloaded("");
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut process = workshop.process(&["run", "crawler.toml", "--no-charts"]);
    let output = process.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to stdout"));
}

#[cfg(unix)]
mod interrupted {
    use std::process::{Child, Output};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::*;

    /// Each replication takes a moment, all together many seconds.
    fn long_run(workshop: &Workshop) -> Child {
        let run = ["run", "crawler.toml", "--no-charts", "--format", "json", "--jobs", "2"];
        let more = ["--replications", "20000", "--set", "run.duration=1 h", "--force"];
        let mut process = workshop.process(&[&run[..], &more].concat());
        let child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let folder = workshop.path("results/crawler");
        let patience = Instant::now();
        while !folder.exists() && patience.elapsed() < Duration::from_secs(20) {
            sleep(Duration::from_millis(20));
        }
        // Time enough to catch signals and to finish a first replication.
        sleep(Duration::from_secs(1));
        child
    }

    /// Under nohup, which ignores SIGHUP, SIGTERM still asks for an end.
    #[test]
    fn what_is_finished_is_saved_under_nohup_too() {
        let workshop = Workshop::overloaded("");
        let mut process = Process::new("sh");
        process.current_dir(workshop.path("."));
        process.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_portsim")]);
        process.args(["run", "crawler.toml", "--no-charts", "--replications", "20000", "--force"]);
        process.args(["--set", "run.duration=1 h"]);
        let child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        sleep(Duration::from_secs(2));
        for signal in ["-HUP", "-TERM"] {
            let pid = child.id().to_string();
            assert!(Process::new("kill").args([signal, &pid]).status().unwrap().success());
            sleep(Duration::from_millis(200));
        }
        assert_eq!(end(child).status.code(), Some(130));
        assert!(workshop.read("results/crawler/summary.json").contains("\"partial\": true"));
    }

    fn interrupt(child: &Child) {
        let pid = child.id().to_string();
        assert!(Process::new("kill").args(["-INT", &pid]).status().unwrap().success());
    }

    fn end(child: Child) -> Output {
        child.wait_with_output().unwrap()
    }

    #[test]
    fn an_interrupt_saves_what_is_finished_and_marks_it_partial() {
        let workshop = Workshop::overloaded("");
        let child = long_run(&workshop);
        interrupt(&child);
        let output = end(child);
        assert_eq!(output.status.code(), Some(130));
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(summary["partial"], true);
        let replications = summary["replications"].as_u64().unwrap();
        assert!((1..20_000).contains(&replications), "{replications}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("Press Ctrl-C again"));
        let saved = workshop.read("results/crawler/summary.json");
        assert_eq!(saved.as_bytes(), output.stdout);
    }

    #[test]
    fn a_second_interrupt_leaves_at_once_without_half_written_files() {
        let workshop = Workshop::overloaded("");
        let child = long_run(&workshop);
        interrupt(&child);
        interrupt(&child);
        assert_eq!(end(child).status.code(), Some(130));
        let files = workshop.files();
        assert!(!files.iter().any(|name| name.ends_with(".tmp")), "{files:?}");
    }
}
