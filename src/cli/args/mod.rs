//! Verbs and flags, and the help that teaches them.

use clap::{Args, Parser, Subcommand, ValueEnum};

mod import;
mod inspect;
mod run;
mod validate;
mod values;

pub use import::{ImportArgs, ImportFormat};
pub use inspect::{InspectArgs, InspectFormat};
pub use run::{Chart, RunArgs};
pub use validate::ValidateArgs;

const ABOUT: &str = "Says whether, when and why a machine runs out of ephemeral ports.

Every outgoing connection takes a port and keeps it, with TIME-WAIT, for about a minute after it is
closed. A machine has 28,232 of them (Linux) or 16,384 (the registry's 49152-65535). portsim
simulates each port and answers: will I run out, when, for how long, and which rate would hold?";

const EXAMPLES: &str = "Examples:
  portsim init proxy > proxy.toml              a first scenario, to be changed
  portsim run crawler.toml                     one scenario: a verdict, a table, charts
  portsim run scenarios/ --no-charts           every scenario of a directory, in parallel
  portsim run crawler.toml --set host.crawler.time_wait='30 s'
  portsim validate --quick                     does the model agree with this machine's kernel?
  portsim inspect                              this machine now: who holds the ports
  portsim inspect 60103                        who has this port
  portsim import conn.log                      what real connections took, from a record
  portsim presets                              the platforms that are built in
  portsim schema > portsim.schema.json         what a scenario may hold, for editors
  portsim completions bash > ~/.local/share/bash-completion/completions/portsim

Exit status:
  0    done, and every expectation held
  1    it could not finish: disk, permission, a fault of portsim
  2    the command line or a file is wrong; nothing was run
  3    an expectation did not hold
  130  interrupted; what was finished is saved and marked as partial

`portsim run --help` shows the smallest scenario.";

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
    /// Print a first scenario with comments, for one of a few questions.
    Init(InitArgs),
    /// List the platforms that are built in, each value with its source.
    Presets(PresetsArgs),
    /// Print what a scenario may hold, as a JSON Schema for editors.
    Schema(SchemaArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
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

/// `portsim init`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  portsim init                                 the questions
  portsim init proxy > proxy.toml && portsim run proxy.toml")]
pub struct InitArgs {
    /// Which question; without one, they are listed.
    #[arg(value_name = "QUESTION")]
    pub question: Option<String>,
    /// Write it to this file, which must not be there yet, instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<std::path::PathBuf>,
}

/// `portsim presets`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  portsim presets linux")]
pub struct PresetsArgs {
    /// Show only this one.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// `portsim schema`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  portsim schema > portsim.schema.json         then `#:schema portsim.schema.json` in a scenario's first line
  portsim schema --keys crawler.toml           what --set can change in it
  portsim schema --import                      what `portsim import --format json` prints")]
pub struct SchemaArgs {
    /// Print the keys that --set can name, one a line, instead.
    #[arg(long)]
    pub keys: bool,
    /// Print the JSON Schema of what `portsim import --format json` prints instead.
    #[arg(long, conflicts_with = "keys")]
    pub import: bool,
    /// Scenarios whose hosts, destinations and clients are named in the keys.
    #[arg(value_name = "FILE", requires = "keys")]
    pub files: Vec<std::path::PathBuf>,
}

/// `portsim completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  portsim completions zsh > ~/.zfunc/_portsim")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
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
        assert_eq!(values::seed("18446744073709551615"), Ok(u64::MAX));
    }
}
