//! `portsim presets`: what is built in, each value with its source.

use portsim::scenario::{Preset, presets as built_in};

use super::Status;
use super::args::PresetsArgs;
use super::terminal::{self, BOLD, Terminal, styled, wrap};

/// Lists all presets, or shows one with the source of every value.
pub fn presets(args: &PresetsArgs) -> Status {
    let mut terminal = Terminal::new(false);
    let width = terminal::width();
    match &args.name {
        None => {
            let listed: Vec<String> = built_in().iter().map(|p| overview(p, width)).collect();
            terminal.print(&listed.join("\n"));
            terminal.print("\n`portsim presets NAME` shows the source of every value.\n");
        }
        Some(name) => match built_in().iter().find(|preset| preset.name == *name) {
            Some(preset) => terminal.print(&in_full(preset, width)),
            None => {
                terminal::error(unknown(name));
                return Status::WrongInput;
            }
        },
    }
    terminal.status()
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = built_in().iter().map(|preset| preset.name.as_str()).collect();
    let likeness = |known: &&&str| (strsim::jaro_winkler(known, name) * 1e6) as u64;
    let nearest = names.iter().filter(|known| likeness(known) > 750_000).max_by_key(likeness);
    let hint = nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    let name = terminal::tame(name);
    format!("there is no preset `{name}`{hint} (there are {})", names.join(", "))
}

fn overview(preset: &Preset, width: usize) -> String {
    let mut text = format!("{}  {}\n", styled(BOLD, &preset.name), preset.title);
    for value in &preset.values {
        let sure = if value.verified { "" } else { "  (not verified)" };
        let line = format!("  {} = {}{sure}", value.key, value.value);
        text.push_str(&format!("{}\n", wrap(&line, width, 6)));
    }
    text
}

fn in_full(preset: &Preset, width: usize) -> String {
    let mut text = format!("{}  {}\n", styled(BOLD, &preset.name), preset.title);
    for value in &preset.values {
        let sure = if value.verified { "" } else { " (not verified)" };
        text.push_str(&format!("\n{} = {}\n", styled(BOLD, &value.key), value.value));
        let source = format!("    {}, as of {}{sure}", value.source, value.as_of);
        text.push_str(&format!("{}\n", wrap(&source, width, 4)));
        if !value.note.is_empty() {
            text.push_str(&format!("{}\n", wrap(&format!("    {}", value.note), width, 4)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_preset_is_told_with_the_nearest() {
        assert!(unknown("linus").contains("did you mean `linux`?"));
        assert!(!unknown("qqq").contains("did you mean"));
    }

    #[test]
    fn what_is_not_verified_is_marked_in_the_list_too() {
        for preset in built_in() {
            let unsure = preset.values.iter().filter(|value| !value.verified).count();
            assert_eq!(overview(preset, 80).matches("(not verified)").count(), unsure);
        }
    }

    #[test]
    fn every_value_is_shown_with_its_source() {
        for preset in built_in() {
            let text = in_full(preset, 80);
            let unwrapped: Vec<&str> = text.split_whitespace().collect();
            let sources = unwrapped.join(" ").matches(", as of").count();
            assert_eq!(sources, preset.values.len(), "{}", preset.name);
        }
    }
}
