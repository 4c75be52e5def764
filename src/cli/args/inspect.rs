//! `portsim inspect`: its flags and help.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use portsim::units::SimDuration;

use super::values::{every, port, share, watched};

const INSPECT_EXAMPLES: &str = "Examples:
  portsim inspect                              who holds the ports, towards whom, how many are left
  portsim inspect 60103                        who has this port, and what it is for
  portsim inspect --watch                      refreshed every second, with rates and a forecast
  portsim inspect --watch --alert 80% && echo fine
  portsim inspect --for '10 s' --format json   one document with rates counted over ten seconds
  portsim inspect --watch --every '15 s' --format prometheus --out /var/lib/node_exporter/portsim.prom
  portsim inspect --to-scenario > machine.toml && portsim run machine.toml

Ports are counted towards each destination (address and port) from each own address, since the same port \
serves every destination once: one total would mislead. TIME-WAITs are told with when they come back, \
by the kernel's own timers. From one look, rates are those at which connections went into TIME-WAIT; with \
--watch or --for they are counted.

It only reads: it opens no connection, changes nothing, needs no root, and looks up no name unless told to \
with --resolve. Without root the processes of other users are not named; it says so.

Exit status: 0 told; 1 the system does not tell; 2 wrong command line; 3 --alert: more is taken than \
allowed; 130 interrupted.";

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
    #[arg(long, conflicts_with_all = ["port", "watch", "format", "top"])]
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
