//! Verbs and flags, and the help that teaches them.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use portsim::model::PortRange;
use portsim::record::{Columns, Kind};
use portsim::scenario::Override;
use portsim::units::SimDuration;

const ABOUT: &str = "Says whether, when and why a machine runs out of ephemeral ports.

Every outgoing connection takes a port and keeps it, with TIME-WAIT, for about a minute after it is
closed. A machine has 28,232 of them (Linux) or 16,384 (the registry's 49152-65535). portsim
simulates each port and answers: will I run out, when, for how long, and which rate would hold?";

const EXAMPLES: &str = "Examples:
  portsim run crawler.toml                     one scenario: a verdict, a table, charts
  portsim run scenarios/ --no-charts           every scenario of a directory, in parallel
  portsim run crawler.toml --set host.crawler.time_wait='30 s'
  portsim validate --quick                     does the model agree with this machine's kernel?
  portsim inspect                              this machine now: who holds the ports
  portsim inspect 60103                        who has this port
  portsim import conn.log                      what real connections took, from a record
  portsim presets                              the platforms that are built in
  portsim completions bash > ~/.local/share/bash-completion/completions/portsim

Exit status:
  0    done, and every expectation held
  1    it could not finish: disk, permission, a fault of portsim
  2    the command line or a file is wrong; nothing was run
  3    an expectation did not hold
  130  interrupted; what was finished is saved and marked as partial

`portsim run --help` shows the smallest scenario.";

const RUN_EXAMPLES: &str = "The smallest scenario, crawler.toml:
  [host.crawler]
  preset = \"linux\"

  [client.fetcher]
  on       = \"crawler\"
  arrivals = { process = \"poisson\", rate = \"600 / s\" }
  lifetime = { distribution = \"exponential\", mean = \"200 ms\" }

Examples:
  portsim run crawler.toml
  portsim run crawler.toml --set client.fetcher.arrivals.rate='400 / s' --replications 50
  portsim run scenarios/ --out results --jobs 8
  portsim run crawler.toml --format json | jq .whole.blocking_ratio.mean

Results go to OUT/NAME/: summary.json, timeline.csv, run.json and the charts pressure, ports and
reuse (.svg and .png). The charts show the tightest host; of several, each also has its own:
timeline-HOST.csv, pressure-HOST and ports-HOST. Several scenarios together also give
OUT/summary.csv and OUT/blocking.svg.
With --format json, stdout is one document: the summary of the scenario, or
{\"scenarios\": [...]} with one summary each when several files were given.

Exit status: 0 done, every expectation held; 1 could not finish; 2 wrong input, nothing run;
3 an expectation did not hold (an inconclusive one only with --strict); 130 interrupted.";

const VALIDATE_EXAMPLES: &str = "Examples:
  portsim validate --quick                     some 45 small cases, side by side, in a minute and a half
  portsim validate                             all of them, in three minutes
  portsim validate --case time-wait            only those with time-wait in their name
  portsim validate crawler.toml --for '2 min'  a scenario of yours: the very same attempts
  portsim validate --list                      what each case shows

Every case gets a network namespace of its own; real sockets are opened over its loopback device, and
the host's own network and sysctls are not touched. It runs as root, or as anybody where the system
allows user namespaces; where neither is, it says so and exits with 1.

The model makes the same attempts for 64 phases of the timer grid (which no program can see). A case
agrees when what the kernel did lies within what the model says for some phase; counts that depend on
neither phase nor chance must be equal.

Results go to OUT/validate/: validate.json and the chart validate (.svg and .png).

Exit status: 0 all that was made agrees; 1 no case could be made; 2 wrong input, nothing made;
3 a case differs; 130 interrupted.";

const INSPECT_EXAMPLES: &str = "Examples:
  portsim inspect                              who holds the ports, towards whom, how many are left
  portsim inspect 60103                        who has this port, and what it is for
  portsim inspect --watch                      refreshed every second, with rates and a forecast
  portsim inspect --watch --alert 80% && echo fine
  portsim inspect --for '10 s' --format json   one document with rates counted over ten seconds
  portsim inspect --watch --every '15 s' --format prometheus --out /var/lib/node_exporter/portsim.prom
  portsim inspect --to-scenario > machine.toml && portsim run machine.toml

Ports are counted towards each destination (address and port) from each own address, since the same port
serves every destination once: one total would mislead. TIME-WAITs are told with when they come back,
by the kernel's own timers. From one look, rates are those at which connections went into TIME-WAIT; with
--watch or --for they are counted.

It only reads: it opens no connection, changes nothing, needs no root, and looks up no name unless told to
with --resolve. Without root the processes of other users are not named; it says so.

Exit status: 0 told; 1 the system does not tell; 2 wrong command line; 3 --alert: more is taken than
allowed; 130 interrupted.";
const IMPORT_EXAMPLES: &str = "Examples:
  portsim import conn.log                       Zeek, tab-separated or JSON
  zcat conn.*.log.gz | portsim import -         packed records, by way of stdin
  ss -tano | portsim import -                   this machine, at this moment
  conntrack -L | portsim import -               a NAT: the ports of its own address
  portsim import flows.log --preset linux --ports 1024-65535
  portsim import calls.csv --columns start=begun:ms,source=client,destination=server
  portsim import conn.log --to-scenario --out seen.toml && portsim run seen.toml

Fields of --columns: start, stop, duration, source, source_port, destination, destination_port, end
(client, server, reset, half, unanswered, open, unknown), protocol. Plain numbers are seconds;
:ms, :us or :ns behind the column says otherwise. RFC 3339 is read too.

Peaks count a connection's port from its start to its end, and through TIME-WAIT where this side
closed first; where the record does not say who did, TIME-WAIT counts. They are upper bounds, straight
from the record, before any model.

docs/records.md says what each format tells and what it does not.

Exit status: 0 read, whether the ports suffice or not; 1 could not finish; 2 wrong command line, a
record that is not recognised, or nothing in it that counts; 130 interrupted (what was read until then
is reported).";

/// More threads than any machine has cores; tens of thousands would take longer to start than to run.
const MOST_JOBS: i64 = 1_024;

/// Says whether, when and why a machine runs out of ephemeral ports.
#[derive(Debug, Parser)]
#[command(name = "portsim", version, about, long_about = ABOUT, after_help = EXAMPLES)]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios and say what comes out.
    Run(RunArgs),
    /// Make the same attempts in the model and in this machine's own kernel, and compare.
    Validate(ValidateArgs),
    /// Say who holds the ports of this machine, how many are left, and until when; or who has one port.
    Inspect(InspectArgs),
    /// Read a record of real connections: how many ports they took, and a scenario of them.
    Import(ImportArgs),
    /// List the platforms that are built in, each value with its source.
    Presets(PresetsArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
}

/// `portsim run`.
#[derive(Debug, Args)]
#[command(after_long_help = RUN_EXAMPLES, after_help = "See --help for a scenario to start from.")]
pub struct RunArgs {
    /// Scenario files, or directories whose *.toml are all run.
    #[arg(required = true, value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// Where results go: DIR/NAME/ for each scenario.
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
    /// Random seed; same scenario and seed, same bytes.
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Independent replications; more make the intervals narrower.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub replications: Option<u32>,
    /// Set any key of the scenario: --set run.duration='1 min' (repeatable).
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub overrides: Vec<Override>,
    /// What stdout gets.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Draw no charts.
    #[arg(long)]
    pub no_charts: bool,
    /// Threads to use [default: all cores].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MOST_JOBS))]
    pub jobs: Option<u16>,
    /// Exit 3 for inconclusive expectations too.
    #[arg(long)]
    pub strict: bool,
    /// Run even what looks too long or too large for this machine.
    #[arg(long)]
    pub force: bool,
    /// Results and errors only: no progress, notes or warnings.
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: what is run, how long it took, every scenario's table.
    #[arg(long, short)]
    pub verbose: bool,
}

impl RunArgs {
    /// All overrides in the order in which they apply: a flag's own wins over `--set`.
    pub fn all_overrides(&self) -> Vec<Override> {
        let flag = |key: &str, value: Option<String>| {
            value.map(|value| Override { key: key.to_owned(), value })
        };
        let seed = flag("run.seed", self.seed.map(|seed| seed.to_string()));
        let replications = flag("run.replications", self.replications.map(|n| n.to_string()));
        self.overrides.iter().cloned().chain(seed).chain(replications).collect()
    }
}

/// `portsim validate`.
#[derive(Debug, Args)]
#[command(after_long_help = VALIDATE_EXAMPLES, after_help = "See --help for examples.")]
pub struct ValidateArgs {
    /// Scenario files to run on the kernel too; without one, the built-in cases are.
    #[arg(value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// Only the built-in cases that end within a minute and a half.
    #[arg(long)]
    pub quick: bool,
    /// All built-in cases (three minutes), beside the scenarios.
    #[arg(long, conflicts_with = "quick")]
    pub full: bool,
    /// Only cases with this in their name (repeatable).
    #[arg(long = "case", value_name = "PART")]
    pub cases: Vec<String>,
    /// Show the cases and what each is for; make none.
    #[arg(long)]
    pub list: bool,
    /// How much of a scenario is run: it takes as long as it says.
    #[arg(long = "for", value_name = "TIME", default_value = "150 s", value_parser = length)]
    pub length: SimDuration,
    /// Where results go: DIR/validate/.
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
    /// Random seed of a scenario's attempts.
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Set any key of the scenario: --set run.duration='1 min' (repeatable).
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub overrides: Vec<Override>,
    /// What stdout gets.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Draw no chart.
    #[arg(long)]
    pub no_charts: bool,
    /// Results and errors only: no progress, notes or warnings.
    #[arg(long, short)]
    pub quiet: bool,
}

impl ValidateArgs {
    /// All overrides in the order in which they apply.
    pub fn all_overrides(&self) -> Vec<Override> {
        let seed =
            self.seed.map(|seed| Override { key: "run.seed".into(), value: seed.to_string() });
        self.overrides.iter().cloned().chain(seed).collect()
    }
}

/// `portsim inspect`.
#[derive(Debug, Args)]
#[command(after_long_help = INSPECT_EXAMPLES, after_help = "See --help for examples.")]
pub struct InspectArgs {
    /// Only this port: who has it, and what it is for.
    #[arg(value_name = "PORT", value_parser = port)]
    pub port: Option<u16>,
    /// Look again and again, refreshed in place, until Ctrl-C, --for or --alert ends it.
    #[arg(long, short, conflicts_with = "port")]
    pub watch: bool,
    /// Time between two looks of --watch.
    #[arg(long, value_name = "TIME", default_value = "1 s", value_parser = every, requires = "watch")]
    pub every: SimDuration,
    /// Watch for so long: rates are counted then, not told from TIME-WAITs [default of --to-scenario: 60 s].
    #[arg(long = "for", value_name = "TIME", value_parser = watched, conflicts_with = "port")]
    pub length: Option<SimDuration>,
    /// Exit 3 when so much of the ports towards any destination is taken: 80%.
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with_all = ["port", "to_scenario"])]
    pub alert: Option<f64>,
    /// Write a scenario of what was seen, which `portsim run` takes.
    #[arg(long, conflicts_with_all = ["port", "watch", "format"])]
    pub to_scenario: bool,
    /// What is written: a table for people, one JSON document, a page for Prometheus.
    #[arg(long, value_enum, default_value_t = InspectFormat::Table)]
    pub format: InspectFormat,
    /// Write into this file, whole or not at all, instead of to stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Tell of so many destinations (or sockets of the port) at most [default: 10; json, prometheus: 50].
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// Look up the names of addresses; waits for name servers, 3 s at most.
    #[arg(long)]
    pub resolve: bool,
    /// Results and errors only: no progress or notes.
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: what this system does not show to anybody.
    #[arg(long, short)]
    pub verbose: bool,
}

/// What `portsim inspect` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InspectFormat {
    /// A verdict and tables for people.
    Table,
    /// One JSON document; with --watch one a look, each on a line.
    Json,
    /// A page for the text-file collector of Prometheus' node exporter.
    Prometheus,
}

/// `portsim import`.
#[derive(Debug, Args)]
#[command(after_long_help = IMPORT_EXAMPLES, after_help = "See --help for examples and formats.")]
pub struct ImportArgs {
    /// Records, read as one; - is stdin.
    #[arg(required = true, value_name = "FILE|-")]
    pub paths: Vec<PathBuf>,
    /// What they are [default: told from the first lines].
    #[arg(long, value_name = "KIND", value_parser = kind())]
    pub kind: Option<Kind>,
    /// Which column of a CSV says what: start=ts:ms,source=client_ip.
    #[arg(long, value_name = "FIELD=COLUMN,...", value_parser = columns)]
    pub columns: Option<Columns>,
    /// The platform whose range and timers demand is held against.
    #[arg(long, value_name = "NAME", default_value = "linux")]
    pub preset: String,
    /// The range of ports, where it differs from the preset's: 32768-60999.
    #[arg(long, value_name = "FROM-TO", value_parser = port_range)]
    pub ports: Option<PortRange>,
    /// Count only connections from this address (repeatable).
    #[arg(long = "source", value_name = "ADDR")]
    pub sources: Vec<IpAddr>,
    /// Print a scenario of what was seen instead of the report.
    #[arg(long, conflicts_with = "format")]
    pub to_scenario: bool,
    /// Write that to a file, whole or not at all, instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What the report is.
    #[arg(long, value_enum, default_value_t = ImportFormat::Table)]
    pub format: ImportFormat,
    /// The report and errors only: no progress or notes.
    #[arg(long, short)]
    pub quiet: bool,
}

/// What the report of `portsim import` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// A verdict and tables for people.
    Table,
    /// One JSON document.
    Json,
}

/// What stdout gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A verdict and a table for people.
    Table,
    /// One JSON document.
    Json,
    /// A row for each limit and client, under a header.
    Csv,
    /// A table for a ticket.
    Markdown,
}

/// `portsim presets`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  portsim presets linux")]
pub struct PresetsArgs {
    /// Show only this one.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// `portsim completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  portsim completions zsh > ~/.zfunc/_portsim")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// The kinds by name, each with what it is.
fn kind() -> impl clap::builder::TypedValueParser<Value = Kind> {
    use clap::builder::TypedValueParser as _;
    let values = Kind::ALL.map(|kind| PossibleValue::new(kind.name()).help(kind.title()));
    PossibleValuesParser::new(values).map(|name| {
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        found.expect("the names are those of the kinds")
    })
}

fn columns(text: &str) -> Result<Columns, String> {
    text.parse()
}

fn port_range(text: &str) -> Result<PortRange, String> {
    let ends = text.split_once(['-', ' ']);
    let port = |text: &str| text.trim().parse::<u16>().ok();
    ends.and_then(|(min, max)| PortRange::new(port(min)?, port(max)?))
        .ok_or_else(|| "write the lowest and the highest port, for example 32768-60999".to_owned())
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

fn length(text: &str) -> Result<SimDuration, String> {
    let told = || "write a time with its unit, from '1 s' to '10 min'".to_owned();
    let length = portsim::scenario::duration(text).ok_or_else(told)?;
    let allowed = SimDuration::from_secs(1)..=SimDuration::from_secs(600);
    if allowed.contains(&length) { Ok(length) } else { Err(told()) }
}

fn watched(text: &str) -> Result<SimDuration, String> {
    let told = || "write a time with its unit, from '1 s' to '7 d'".to_owned();
    let length = portsim::scenario::duration(text).ok_or_else(told)?;
    let allowed = SimDuration::from_secs(1)..=SimDuration::from_secs(7 * 86_400);
    if allowed.contains(&length) { Ok(length) } else { Err(told()) }
}

fn every(text: &str) -> Result<SimDuration, String> {
    let told = || "write a time with its unit, from '100 ms' to '1 h'".to_owned();
    let length = portsim::scenario::duration(text).ok_or_else(told)?;
    let allowed = SimDuration::from_millis(100)..=SimDuration::from_secs(3_600);
    if allowed.contains(&length) { Ok(length) } else { Err(told()) }
}

fn share(text: &str) -> Result<f64, String> {
    let told = || "write a share such as 80%, above 0% and up to 100%".to_owned();
    let (number, of) = match text.trim().strip_suffix('%') {
        Some(number) => (number.trim(), 100.0),
        None => (text.trim(), 1.0),
    };
    let share = number.parse::<f64>().map_err(|_| told())? / of;
    if share > 0.0 && share <= 1.0 { Ok(share) } else { Err(told()) }
}

fn port(text: &str) -> Result<u16, String> {
    let told = || "a port is a number from 1 to 65535".to_owned();
    text.parse().ok().filter(|&port| port > 0).ok_or_else(told)
}

fn key_value(text: &str) -> Result<Override, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok(Override { key: key.trim().to_owned(), value: value.trim().to_owned() })
        }
        _ => Err("write KEY=VALUE, for example run.duration='1 min'".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_flags_own_overrides_come_last() {
        let cli = Cli::parse_from([
            "portsim",
            "run",
            "a.toml",
            "--seed",
            "7",
            "--set",
            "run.seed = 3",
            "--replications",
            "2",
        ]);
        let Command::Run(args) = cli.command else { panic!("not run") };
        let keys: Vec<String> =
            args.all_overrides().iter().map(|o| format!("{}={}", o.key, o.value)).collect();
        assert_eq!(keys, ["run.seed=3", "run.seed=7", "run.replications=2"]);
    }

    #[test]
    fn a_seed_is_told_its_limits() {
        for wrong in ["-1", "99999999999999999999", "1.5", "lucky"] {
            let error = Cli::try_parse_from(["portsim", "run", "a.toml", "--seed", wrong]);
            let told = error.unwrap_err().to_string();
            assert!(told.contains("from 0 to 18446744073709551615"), "{told}");
        }
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
    }

    #[test]
    fn an_override_without_a_key_is_refused() {
        assert!(key_value("=3").is_err());
        assert!(key_value("run.seed").is_err());
        assert_eq!(key_value("a=b=c").unwrap().value, "b=c");
    }
}
