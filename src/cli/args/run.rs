//! `portsim run`: its flags and help.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use portsim::scenario::Override;

use super::Format;
use super::values::{key_value, seed};

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

Results go to OUT/NAME/: summary.json, timeline.csv, run.json and the charts pressure, ports, requests and \
reuse (.svg and .png). The charts show the tightest host; of several, each also has its own: \
timeline-HOST.csv, pressure-HOST and ports-HOST. Several scenarios together also give \
OUT/summary.csv and OUT/blocking.svg. \
With --format json, stdout is one document: the summary of the scenario, or \
{\"scenarios\": [...]} with one summary each when several files were given.

Exit status: 0 done, every expectation held; 1 could not finish; 2 wrong input, nothing run; \
3 an expectation did not hold (an inconclusive one only with --strict); 130 interrupted.";

/// More threads than any machine has cores; tens of thousands would take longer to start than to run.
const MOST_JOBS: i64 = 1_024;

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
    /// What to draw of each scenario: of several hosts, `pressure` has them side by side.
    #[arg(
        long,
        value_name = "NAME,...",
        value_enum,
        value_delimiter = ',',
        default_values_t = [Chart::Pressure, Chart::Ports, Chart::Requests]
    )]
    pub charts: Vec<Chart>,
    /// Draw no charts.
    #[arg(long, conflicts_with = "charts")]
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

/// A picture of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Chart {
    /// Ports in use and attempts refused over time
    Pressure,
    /// Port by port over time
    Ports,
    /// Requests made, answered and failed over time, where a client makes any
    Requests,
    /// How soon a port is used again
    Reuse,
    /// How many ports an attempt looks at
    Search,
    /// All of them
    All,
}

impl RunArgs {
    /// Is this picture asked for?
    pub fn draws(&self, chart: Chart) -> bool {
        !self.no_charts && [chart, Chart::All].iter().any(|one| self.charts.contains(one))
    }

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
