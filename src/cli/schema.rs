//! `portsim schema`: what a scenario may hold, for editors; its keys, for shells; what `import` prints.

use std::fs;

use portsim::{import, scenario};

use super::Status;
use super::args::SchemaArgs;
use super::terminal::{self, Terminal};

/// Prints the JSON Schema of scenario files or of what `portsim import` prints, or the keys that `--set` can name.
pub fn schema(args: &SchemaArgs) -> Status {
    let mut terminal = Terminal::new(false);
    if !args.keys {
        terminal.print(&if args.import { import::schema() } else { scenario::schema() });
        return terminal.status();
    }
    let mut keys: Vec<String> = Vec::new();
    for file in &args.files {
        match fs::read_to_string(file) {
            Ok(text) => keys.extend(scenario::settable(Some(&text))),
            Err(error) => {
                terminal::talk(&format!("cannot read {}: {error}", file.display()));
                return Status::WrongInput;
            }
        }
    }
    if args.files.is_empty() {
        keys = scenario::settable(None);
    }
    keys.sort();
    keys.dedup();
    for key in keys {
        terminal.print(&format!("{key}\n"));
    }
    terminal.status()
}
