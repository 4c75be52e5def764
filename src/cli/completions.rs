//! `portsim completions SHELL`: a script for the shell.

use clap::CommandFactory;

use super::Status;
use super::args::{Cli, CompletionsArgs};
use super::terminal::Terminal;

/// Prints the completion script.
pub fn completions(args: &CompletionsArgs) -> Status {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "portsim", &mut script);
    let mut terminal = Terminal::new(false);
    terminal.print(&String::from_utf8_lossy(&script));
    terminal.status()
}
