//! The command line: one file a verb, and what they share of terminal, colour and progress.

use std::ffi::OsString;
use std::path::Path;

use clap::error::{ContextKind, ErrorKind};
use clap::{CommandFactory, Parser};

mod args;
mod completions;
mod cost;
mod draw;
mod experiments;
mod host_files;
mod import;
mod init;
mod inspect;
mod interrupt;
mod load;
mod output;
mod presets;
mod progress;
mod run;
mod schema;
mod screen;
mod table;
mod terminal;
mod validate;

use args::{Cli, Command};
use terminal::Terminal;

/// How the program ends; the numbers are a promise to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Done, and every expectation held.
    Done = 0,
    /// It could not finish: disk, permission, a fault of ours.
    CouldNotFinish = 1,
    /// The command line or a file is wrong; nothing was run.
    WrongInput = 2,
    /// An expectation did not hold.
    NotHeld = 3,
    /// Interrupted; what was finished is saved.
    Interrupted = 130,
}

/// Reads the command line; what is wrong with it, or the help asked for, has been printed then.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Status> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    Cli::try_parse_from(&arguments).map(|cli| cli.command).map_err(|error| {
        let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        if asked {
            let mut terminal = Terminal::new(false);
            terminal.print(&error.render().ansi().to_string());
            return terminal.status();
        }
        // Nobody to tell when stderr is closed.
        let _ = error.print();
        let hint = forgotten_verb(&error, &arguments).or_else(|| swapped_verb(&error, &arguments));
        if let Some(hint) = hint {
            terminal::talk(&hint);
        }
        Status::WrongInput
    })
}

/// `portsim crawler.toml`: what was meant is clear.
fn forgotten_verb(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let first = Path::new(arguments.get(1)?);
    let scenario = first.extension().is_some_and(|ending| ending == "toml") || first.is_dir();
    let no_verb = matches!(error.kind(), ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument);
    (scenario && no_verb).then(|| {
        let rest: Vec<_> = arguments[1..].iter().map(|word| word.to_string_lossy()).collect();
        format!("did you mean `portsim run {}`?", rest.join(" "))
    })
}

/// `portsim rnu crawler.toml`: letters that have changed places, which clap's measure of likeness
/// does not see in a short word.
fn swapped_verb(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let told = error.get(ContextKind::SuggestedSubcommand).is_some();
    if told || error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let first = arguments.get(1)?.to_str()?.to_lowercase();
    let command = Cli::command();
    let near = command.get_subcommands().map(clap::Command::get_name);
    let near = near.min_by_key(|verb| strsim::damerau_levenshtein(verb, &first))?;
    (strsim::damerau_levenshtein(near, &first) * 3 <= near.len())
        .then(|| format!("did you mean `portsim {near}`?"))
}

/// Does what `command` says.
pub fn dispatch(command: Command) -> Status {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Validate(args) => validate::validate(&args),
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Import(args) => import::import(&args),
        Command::Presets(args) => presets::presets(&args),
        Command::Init(args) => init::init(&args),
        Command::Schema(args) => schema::schema(&args),
        Command::Completions(args) => completions::completions(&args),
    }
}
