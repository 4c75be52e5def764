//! `portsim import`: its flags and help.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ValueEnum};
use portsim::import::{Columns, Kind};
use portsim::inspect::TcpState;
use portsim::model::PortRange;

use super::values::port_range;

const IMPORT_EXAMPLES: &str = "Examples:
  portsim import conn.log                       Zeek, tab-separated or JSON
  zcat conn.*.log.gz | portsim import -         packed records, by way of stdin
  ss -tano | portsim import -                   this machine, at this moment
  netstat -an | portsim import -                the same of macOS, a BSD or Windows
  conntrack -L | portsim import -               a NAT: the ports of its own address
  portsim import conn.log --chart held.png      ports held over time, against the range
  portsim import flows.log --preset linux --ports 1024-65535
  portsim import calls.csv --columns start=begun:ms,source=client,destination=server
  portsim import conn.log --to-scenario --out seen.toml && portsim run seen.toml

Fields of --columns: start, stop, duration, source, source_port, destination, destination_port, end \
(client, server, reset, half, unanswered, open, unknown), protocol. Plain numbers are seconds; \
:ms, :us or :ns behind the column says otherwise. RFC 3339 is read too.

Peaks count a connection's port from its start to its end, and through TIME-WAIT where this side \
closed first; where the record does not say who did, TIME-WAIT counts. They are upper bounds, straight \
from the record, before any model.

docs/records.md says what each format tells and what it does not.

Exit status: 0 read, whether the ports suffice or not; 1 could not finish; 2 wrong command line, a \
record that is not recognised, or nothing in it that counts; 130 interrupted (what was read until then \
is reported).";

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
    /// The state of all sockets, where ss was asked for one and does not print it: time-wait.
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub state: Option<TcpState>,
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
    /// Draw the ports held over time against the range: to a .svg file, or a .png.
    #[arg(long, value_name = "FILE", value_parser = picture)]
    pub chart: Option<PathBuf>,
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

/// The kinds by name, each with what it is.
fn kind() -> impl clap::builder::TypedValueParser<Value = Kind> {
    use clap::builder::TypedValueParser as _;
    let values = Kind::ALL.map(|kind| PossibleValue::new(kind.name()).help(kind.title()));
    PossibleValuesParser::new(values).map(|name| {
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        found.expect("the names are those of the kinds")
    })
}

/// A file whose name says which picture it is to be.
fn picture(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    match ending.as_deref().and_then(|ending| ending.to_str()) {
        Some("svg" | "png") => Ok(path),
        _ => Err("name a file that ends in .svg or .png".to_owned()),
    }
}

fn state(text: &str) -> Result<TcpState, String> {
    let known = || TcpState::ALL.map(|state| state.name().to_lowercase()).join(", ");
    TcpState::parse(text).ok_or_else(|| format!("there is no such state (there are {})", known()))
}

fn columns(text: &str) -> Result<Columns, String> {
    text.parse()
}
