//! `portsim import` from outside: records in, a report or a scenario out, and how it ends.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::{contains, is_empty, starts_with};
use serde_json::Value;
use tempfile::TempDir;

/// A directory with records in it.
struct Desk {
    directory: TempDir,
}

impl Desk {
    fn with(name: &str, text: impl AsRef<[u8]>) -> Self {
        let desk = Self { directory: tempfile::tempdir().unwrap() };
        fs::write(desk.path(name), text).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn portsim(&self, arguments: &[&str]) -> Assert {
        self.command(arguments).assert()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portsim"));
        command.args(arguments).current_dir(self.directory.path());
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
            command.env_remove(variable);
        }
        command
    }
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

/// Without the ends of lines, which depend on the width.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn json(assert: &Assert) -> Value {
    serde_json::from_slice(&assert.get_output().stdout).expect("stdout is one JSON document")
}

/// 20 connections a second for ten minutes, 0.1 to 0.3 s long; three quarters are closed by the client.
fn zeek() -> String {
    let mut text = String::from(
        "#separator \\x09\n#unset_field\t-\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\t\
         id.resp_p\tproto\tduration\tconn_state\thistory\n",
    );
    for number in 0..12_000_u64 {
        let history = if number % 4 == 3 { "ShADadfF" } else { "ShADadFf" };
        text.push_str(&format!(
            "{}.{:06}\tC{number}\t10.0.0.1\t{}\t10.0.0.5\t443\ttcp\t0.{:03}\tSF\t{history}\n",
            1_795_516_930 + number / 20,
            number % 20 * 50_000,
            32_768 + number % 28_232,
            100 + number * 7 % 200,
        ));
    }
    text
}

#[test]
fn a_zeek_log_is_told_with_its_peak() {
    // 20 / s: 3 in 4 held for some 61.2 s, the others for 0.2 s: 15 * 61.2 + 5 * 0.2 = 919, and the last
    // ten minutes' peak is within the batch of the closing.
    Desk::with("conn.log", zeek())
        .portsim(&["import", "conn.log"])
        .success()
        .stderr(is_empty())
        .stdout(
            contains("It fits: 10.0.0.1 held at most 9").and(contains("of 28,232 ports (3.3 %)")),
        )
        .stdout(contains("to 10.0.0.5:443"))
        .stdout(contains("12,000 rows: 12,000 connections."))
        .stdout(contains("client 75 %"));
}

#[test]
fn the_report_for_programs_has_the_same_figures() {
    let found =
        json(&Desk::with("conn.log", zeek()).portsim(&["import", "conn.log", "--format", "json"]));
    assert_eq!((&found["kind"], &found["verdict"]), (&"zeek".into(), &"fits".into()));
    assert_eq!((&found["rows"], &found["connections"]), (&12_000.into(), &12_000.into()));
    let source = &found["sources"][0];
    let rate = source["rate_per_s"].as_f64().unwrap();
    assert!((rate - 20.0).abs() < 0.02, "{rate}");
    let peak = source["peak_to_one"]["ports"].as_u64().unwrap();
    assert!((915..=925).contains(&peak), "{peak}");
    assert_eq!(source["peak_to_one"]["at_least"].as_u64(), Some(peak));
    assert_eq!(source["destinations"][0]["ends"]["server"], 3_000);
}

#[test]
fn a_scenario_of_what_was_seen_is_run_at_once() {
    let desk = Desk::with("conn.log", zeek());
    desk.portsim(&["import", "conn.log", "--to-scenario", "--out", "seen.toml"])
        .success()
        .stdout(is_empty())
        .stderr(contains("written: seen.toml"));
    let run = desk.portsim(&["run", "seen.toml", "--no-charts", "--format", "json"]).success();
    assert_eq!(String::from_utf8_lossy(&run.get_output().stderr).matches("warning").count(), 0);
    let summary = json(&run);
    let mean = |figure: &str| summary["whole"][figure].as_f64().unwrap();
    // 20 / s * (0.1995 s + 0.75 * 61.024 s) = 919.3. Over 20 runs of ten minutes the standard error is
    // about sqrt(919 * 2 * 46 s / 12,000 s) = 2.7.
    let in_use = mean("mean_in_use");
    assert!((in_use - 919.3).abs() < 8.0, "{in_use}");
    // 20 / s * 0.1995 s, and a standard error of sqrt(3.99 * 2 * 0.2 s / 12,000 s) = 0.012.
    let established = mean("mean_established");
    assert!((established - 3.99).abs() < 0.05, "{established}");
    let rate = mean("attempts") / 20.0 / 600.0;
    assert!((rate - 20.0).abs() < 0.16, "{rate}");
    let piped = stdout(&desk.portsim(&["import", "conn.log", "--to-scenario", "-q"]));
    assert_eq!(piped, fs::read_to_string(desk.path("seen.toml")).unwrap());
}

#[test]
fn a_range_that_is_too_small_would_have_run_dry() {
    let desk = Desk::with("conn.log", zeek());
    desk.portsim(&["import", "conn.log", "--ports", "50000-50499"])
        .success()
        .stdout(contains("It would have run dry").and(contains("of the 500 of 50000-50499")));
    desk.portsim(&["import", "conn.log", "--ports", "50000-50999"])
        .success()
        .stdout(contains("It is tight"));
}

#[test]
fn stdin_is_read_and_bad_lines_are_shown() {
    let mut record = zeek().into_bytes();
    record.extend(b"1795517530.5\tC\t10.0.0.300\t40000\t10.0.0.5\t443\ttcp\t0.1\tSF\tShADadFf\r\n");
    record.extend(b"\x1b[31mred\0\n\xff\xfe\t\t\t\n");
    record.extend(b"1795517530.5\tC\t10.0.0.1\t40000\t10.0.0.5\t70000\ttcp\t0.1\tSF\tShADadFf");
    let told = Desk::with("x", "")
        .command(&["import", "-"])
        .write_stdin(record)
        .assert()
        .success()
        .stdout(contains("4 that cannot be read"))
        .stdout(contains("stdin:12005: `10.0.0.300` is not an address"))
        .stdout(contains("stdin:12008: 70000 is not a port"));
    assert!(!stdout(&told).contains('\u{1b}'));
}

#[test]
fn every_format_is_recognised() {
    let vpc = "2 123456789010 eni-1235b8ca 10.0.0.1 10.0.0.5 40001 443 6 20 4249 1418530010 1418530075 ACCEPT OK\n";
    let ss = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
        TIME-WAIT 0 0 10.0.0.1:40001 10.0.0.5:443\nESTAB 0 0 10.0.0.1:40002 10.0.0.5:443\n";
    let conntrack = "tcp 6 87 TIME_WAIT src=192.168.0.8 dst=10.0.0.5 sport=50124 dport=443 src=10.0.0.5 \
        dst=203.0.113.9 sport=443 dport=40002 [ASSURED] mark=0 use=1\n";
    let json_lines = "{\"ts\":1795516930.25,\"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":40001,\
        \"id.resp_h\":\"10.0.0.5\",\"id.resp_p\":443,\"proto\":\"tcp\",\"duration\":0.5}\n";
    let csv = "ts,src,dst,dport,duration\n1795516930,10.0.0.1,10.0.0.5,443,0.5\n";
    for (kind, text) in
        [("vpc", vpc), ("ss", ss), ("conntrack", conntrack), ("zeek", json_lines), ("csv", csv)]
    {
        let desk = Desk::with("record", text);
        let found = json(&desk.portsim(&["import", "record", "--format", "json"]).success());
        assert_eq!(found["kind"], kind);
        assert_eq!(found["sources"][0]["destinations"][0]["destination"], "10.0.0.5:443", "{kind}");
        desk.portsim(&["import", "record"]).success().stdout(contains("It fits"));
        desk.portsim(&["import", "record", "--to-scenario", "--out", "seen.toml"]).success();
        desk.portsim(&["run", "seen.toml", "--no-charts", "--replications", "2"]).success();
    }
}

#[test]
fn a_column_that_is_not_there_is_answered_with_the_nearest() {
    let desk = Desk::with("calls.csv", "begun,src,dst,dport\n1,10.0.0.1,10.0.0.5,443\n");
    desk.portsim(&["import", "calls.csv", "--columns", "start=begn"])
        .code(2)
        .stderr(contains("did you mean `begun`?"));
    desk.portsim(&["import", "calls.csv", "--columns", "strat=begun"])
        .code(2)
        .stderr(contains("did you mean `start`?"));
    desk.portsim(&["import", "calls.csv", "--columns", "start=begun"]).success();
}

#[test]
fn the_time_watched_is_the_same_in_report_json_and_scenario() {
    let row = |at: u32| format!("{at},10.0.0.1,10.0.0.5:443,1\n");
    let rows: String = (0..4).map(row).collect();
    let desk = Desk::with("calls.csv", "ts,src,dst,duration\n".to_owned() + &rows);
    let told = flat(&stdout(&desk.portsim(&["import", "calls.csv"]).success()));
    assert!(told.contains("Over 3.00 s, 0 s to 3.00 s, in which all were opened."), "{told}");
    let found = json(&desk.portsim(&["import", "calls.csv", "--format", "json"]));
    assert_eq!(
        (&found["first"], &found["last"], &found["seconds"]),
        (&"0".into(), &"3".into(), &3.0.into())
    );
    assert_eq!(found["watched"], "openings");
    let scenario = flat(&stdout(&desk.portsim(&["import", "calls.csv", "--to-scenario", "-q"])));
    assert!(scenario.contains("rate = \"1.33333 / s\""), "{scenario}");
}

#[test]
fn connections_that_begin_together_get_no_invented_rate() {
    let rows = "0,10.0.0.1,10.0.0.5:443,60\n".repeat(3);
    let desk = Desk::with("calls.csv", "ts,src,dst,duration\n".to_owned() + &rows);
    let told = flat(&stdout(&desk.portsim(&["import", "calls.csv"]).success()));
    assert!(told.contains("Over 60.0 s, 0 s to 60.0 s: all were opened at one moment"), "{told}");
    assert!(!told.contains(" / s"), "{told}");
    let found = json(&desk.portsim(&["import", "calls.csv", "--format", "json"]));
    assert_eq!(
        (&found["sources"][0]["rate_per_s"], &found["seconds"]),
        (&Value::Null, &60.0.into())
    );
    let scenario = flat(&stdout(&desk.portsim(&["import", "calls.csv", "--to-scenario", "-q"])));
    let scenario = scenario.replace("# ", "");
    // 60 s and a TIME-WAIT of 61.024 s on average: 3 / 121.024 s.
    assert!(scenario.contains("rate = \"0.0247885 / s\""), "{scenario}");
    assert!(scenario.contains("They hold 3 ports of 28,232 on average."), "{scenario}");
    assert!(scenario.contains("and no rate can be told"), "{scenario}");
}

#[test]
fn bad_lines_are_told_to_programs_with_the_name_of_their_file() {
    let desk = Desk::with("a.csv", "ts,src,dst\n1,10.0.0.1,10.0.0.5:443\n");
    fs::write(desk.path("b.csv"), "ts,src,dst\n1,10.0.0.1,web\n").unwrap();
    let found = json(&desk.portsim(&["import", "a.csv", "b.csv", "--format", "json"]));
    assert_eq!(
        (&found["first_bad"][0]["file"], &found["first_bad"][0]["line"]),
        (&"b.csv".into(), &2.into())
    );
}

#[test]
fn where_nothing_can_be_written_is_found_before_reading() {
    // The record is wrong too: that is not come to.
    let desk = Desk::with("letter.txt", "Dear sir, or madam\n");
    desk.portsim(&["import", "letter.txt", "--out", "no/such/seen.toml"])
        .code(2)
        .stderr(contains("cannot write no/such").and(contains("not recognised").not()));
    desk.portsim(&["import", "letter.txt", "--out", "."])
        .code(2)
        .stderr(contains("is a directory"));
    let names = fs::read_dir(desk.directory.path()).unwrap().count();
    assert_eq!(names, 1, "a probe leaves nothing");
}

#[test]
fn one_is_told_as_one() {
    let desk = Desk::with("one.csv", "ts,src,dst\n1,10.0.0.1,10.0.0.5:443\n");
    desk.portsim(&["import", "one.csv"]).success().stdout(contains("1 row: 1 connection."));
    desk.portsim(&["import", "one.csv", "--to-scenario"])
        .success()
        .stdout(contains("one.csv (CSV): 1 connection in 0 s"));
    fs::write(
        desk.path("vpc.log"),
        "2 1 eni-1 10.0.0.1 10.0.0.5 40001 443 6 1 1 1 2 ACCEPT OK\n2\n",
    )
    .unwrap();
    desk.portsim(&["import", "vpc.log"]).success().stdout(contains("1 field, not 14"));
}

#[test]
fn times_of_a_csv_that_need_a_unit_or_a_name_are_told_so() {
    let desk = Desk::with("ms.csv", "when_ms,src,dst,dport\n1763980930123,10.0.0.1,10.0.0.5,443\n");
    let told = |arguments: &[&str]| desk.command(arguments).env("COLUMNS", "200").assert();
    told(&["import", "ms.csv", "--columns", "start=when_ms"])
        .code(2)
        .stderr(contains("is not a time in seconds; in ms? --columns start=COLUMN:ms says so"));
    told(&["import", "ms.csv", "--columns", "start=when_ms:ms"])
        .success()
        .stdout(contains("2025-11-24 10:42:10 UTC"));
    fs::write(desk.path("odd.csv"), "a,b,c\n1,10.0.0.1,10.0.0.5:443\n").unwrap();
    told(&["import", "odd.csv"])
        .code(2)
        .stderr(contains("--columns start=COLUMN,source=COLUMN,destination=COLUMN"));
    fs::write(desk.path("civil.csv"), "ts,src,dst\n2024-01-01 00:00:00,10.0.0.1,10.0.0.5:443\n")
        .unwrap();
    told(&["import", "civil.csv"]).success().stdout(contains("2024-01-01 00:00:00 UTC"));
}

#[test]
fn what_cannot_be_read_ends_with_2_and_says_why() {
    let desk = Desk::with("empty.log", "");
    fs::write(desk.path("letter.txt"), "Dear sir, or madam\n").unwrap();
    fs::write(desk.path("packed.gz"), b"\x1f\x8b\x08\0rest").unwrap();
    fs::write(desk.path("udp.csv"), "ts,src,dst,dport,proto\n1,10.0.0.1,10.0.0.5,53,udp\n")
        .unwrap();
    fs::write(desk.path("bad.csv"), "ts,src,dst,dport\nnever,10.0.0.1,10.0.0.5,53\n").unwrap();
    for (arguments, told) in [
        (&["import", "empty.log"][..], "empty.log: it is empty"),
        (&["import", "letter.txt"], "conntrack  output of conntrack -L"),
        (&["import", "packed.gz"], "zcat FILE | portsim import -"),
        (&["import", "udp.csv"], "1 of other protocols than TCP"),
        (&["import", "bad.csv"], "none of its rows can be read"),
        (&["import", "missing.log"], "there is no such file"),
        (&["import", "."], "it is a directory"),
        (&["import", "letter.txt", "--kind", "pcap"], "possible values: zeek, vpc"),
        (&["import", "bad.csv", "--preset", "linus"], "there is no preset"),
        (&["import", "bad.csv", "--ports", "9-1"], "for example 32768-60999"),
        (&["import"], "FILE|-"),
    ] {
        desk.portsim(arguments).code(2).stdout(is_empty()).stderr(contains(told));
    }
}

#[test]
fn a_record_is_never_written_over() {
    let desk = Desk::with("conn.log", zeek());
    fs::write(desk.path("other.log"), zeek()).unwrap();
    let there = desk.path("conn.log").display().to_string();
    for arguments in [
        &["import", "conn.log", "--out", "conn.log"][..],
        &["import", "conn.log", "--to-scenario", "--out", "./conn.log"],
        &["import", "other.log", "conn.log", "--format", "json", "--out", &there],
    ] {
        desk.portsim(arguments)
            .code(2)
            .stdout(is_empty())
            .stderr(contains("would write over the record conn.log: choose another file"));
    }
    assert_eq!(fs::read_to_string(desk.path("conn.log")).unwrap(), zeek());
}

#[cfg(unix)]
#[test]
fn a_record_that_comes_by_stdin_is_never_written_over() {
    let desk = Desk::with("conn.log", zeek());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_portsim"))
        .args(["import", "-", "--out", "conn.log"])
        .current_dir(desk.directory.path())
        .stdin(fs::File::open(desk.path("conn.log")).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_to_string(desk.path("conn.log")).unwrap(), zeek());
}

#[test]
fn a_narrow_terminal_gets_lines_that_fit() {
    let desk = Desk::with("conn.log", zeek());
    for columns in [40, 60, 80] {
        let told =
            desk.command(&["import", "conn.log"]).env("COLUMNS", columns.to_string()).assert();
        let text = stdout(&told.success());
        let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= columns, "{longest} in {columns}:\n{text}");
    }
}

#[test]
fn help_shows_a_command_for_each_format() {
    Desk::with("x", "")
        .portsim(&["import", "--help"])
        .success()
        .stdout(contains("ss -tano | portsim import -"))
        .stdout(
            contains("zcat conn.*.log.gz | portsim import -").and(starts_with("Read a record")),
        );
}

#[cfg(unix)]
#[test]
fn an_interrupt_tells_what_was_read_until_then() {
    use std::io::Write;
    use std::process::{Command as Process, Stdio};

    let mut child = Process::new(env!("CARGO_BIN_EXE_portsim"))
        .args(["import", "-", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // More than the pipe holds, so that reading has begun when this is over.
    stdin.write_all(zeek().repeat(2).as_bytes()).unwrap();
    let id = child.id().to_string();
    assert!(Process::new("kill").args(["-INT", &id]).status().unwrap().success());
    // Rows go on until the program has noticed.
    while stdin.write_all(zeek().as_bytes()).is_ok() {}
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = flat(&String::from_utf8(output.stdout).unwrap());
    assert!(text.contains("Interrupted: the rest was not read."), "{text}");
}

/// Sends `bytes` and then nothing, and `signal` after a while: what is said, and how it ends.
#[cfg(unix)]
fn told_in_silence(arguments: &[&str], bytes: &[u8], signal: &str) -> std::process::Output {
    use std::io::Write;
    use std::process::{Command as Process, Stdio};
    use std::time::{Duration, Instant};

    let mut child = Process::new(env!("CARGO_BIN_EXE_portsim"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(bytes).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let id = child.id().to_string();
    assert!(Process::new("kill").args([signal, &id]).status().unwrap().success());
    let asked = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if asked.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("it goes on 20 s after {signal}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // Silent, but never closed until now.
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn a_silent_stdin_can_be_interrupted() {
    for signal in ["-INT", "-TERM"] {
        let cut = zeek() + "1795517530.5\tC\t10.0.0.";
        let output = told_in_silence(&["import", "-"], cut.as_bytes(), signal);
        assert_eq!(output.status.code(), Some(130));
        let text = flat(&String::from_utf8(output.stdout).unwrap());
        assert!(text.contains("12,000 rows: 12,000 connections."), "{text}");
        assert!(text.contains("Interrupted: the rest was not read."), "{text}");
        let talk = String::from_utf8(output.stderr).unwrap();
        assert!(talk.contains("Stopping: what was read until now is reported."), "{talk}");
    }
    let output = told_in_silence(&["import", "-"], b"", "-INT");
    assert_eq!(output.status.code(), Some(130));
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("Interrupted: nothing had been read."), "{talk}");
    assert!(output.stdout.is_empty() && !talk.contains("empty"), "{talk}");
}
