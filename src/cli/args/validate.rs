//! `portsim validate`: its flags and help.

use std::path::PathBuf;

use clap::Args;
use portsim::scenario::Override;
use portsim::units::SimDuration;

use super::Format;
use super::values::{key_value, length, seed};

const VALIDATE_EXAMPLES: &str = "Examples:
  portsim validate --quick                     some 45 small cases, side by side, in a minute and a half
  portsim validate                             all of them, in three minutes
  portsim validate --case time-wait            only those with time-wait in their name
  portsim validate crawler.toml --for '2 min'  a scenario of yours: the very same attempts
  portsim validate --list                      what each case shows

Every case gets a network namespace of its own; real sockets are opened over its loopback device, and \
the host's own network and sysctls are not touched. It runs as root, or as anybody where the system \
allows user namespaces; where neither is, it says so and exits with 1.

The model makes the same attempts for 64 phases of the timer grid (which no program can see). A case \
agrees when what the kernel did lies within what the model says for some phase; counts that depend on \
neither phase nor chance must be equal.

Results go to OUT/validate/: validate.json and the chart validate (.svg and .png).

Exit status: 0 all that was made agrees; 1 no case could be made; 2 wrong input, nothing made; \
3 a case differs; 130 interrupted.";

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
