//! `portsim completions SHELL`: a script for the shell.
//!
//! What clap knows is written down in the script. The keys that `--set` takes depend on the names in the file
//! at hand, and so the script asks `portsim schema --keys FILE` for them.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Status;
use super::args::{Cli, CompletionsArgs};
use super::terminal::Terminal;

const BASH: &str = r#"
_portsim_set() {
    local word files=()
    if [[ "${COMP_WORDS[COMP_CWORD - 1]}" != --set ]]; then
        _portsim "$@"
        return
    fi
    for word in "${COMP_WORDS[@]}"; do
        [[ "$word" == *.toml && -f "$word" ]] && files+=("$word")
    done
    COMPREPLY=($(compgen -S = -W "$("$1" schema --keys "${files[@]}" 2>/dev/null)" -- "$2"))
    compopt -o nospace
}
complete -F _portsim_set -o bashdefault -o default portsim
"#;

const ZSH: &str = r#"
_portsim_set() {
    local -a keys
    keys=(${(f)"$($words[1] schema --keys ${(M)words:#*.toml} 2>/dev/null)"})
    compadd -S = -a keys
}
"#;

const FISH: &str = r#"
function __portsim_set_keys
    set -l words (commandline -opc)
    portsim schema --keys (string match -- "*.toml" $words) 2>/dev/null | string replace -r '$' '='
end
complete -c portsim -n "__fish_portsim_using_subcommand run validate" -l set -x -a "(__portsim_set_keys)"
"#;

/// Prints the completion script.
pub fn completions(args: &CompletionsArgs) -> Status {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "portsim", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let mut terminal = Terminal::new(false);
    terminal.print(&match args.shell {
        Shell::Bash => script + BASH,
        Shell::Fish => script + FISH,
        Shell::Zsh => with_keys(&script),
        _ => script,
    });
    terminal.status()
}

/// The script for zsh with a word of our own where the value of `--set` is asked for.
fn with_keys(script: &str) -> String {
    let (first, rest) = script.split_once('\n').unwrap_or((script, ""));
    let line = |line: &str| match line.contains("--set=[") {
        true => line.replace(":_default'", ":_portsim_set'"),
        false => line.to_owned(),
    };
    let lines: Vec<String> = rest.lines().map(line).collect();
    format!("{first}\n{ZSH}{}\n", lines.join("\n"))
}
