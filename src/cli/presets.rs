//! `portsim presets`: what is built in, each value with its source.

use portsim::platform::Linux;
use portsim::scenario::{
    Preset, PresetValue, gateway_preset, gateway_presets, pool_preset, pool_presets, preset,
    presets as built_in,
};

use super::Status;
use super::args::PresetsArgs;
use super::terminal::{self, BOLD, Terminal, styled, wrap};

/// Lists the presets that have a name of their own, or shows one with the source of every value.
pub fn presets(args: &PresetsArgs) -> Status {
    let mut terminal = Terminal::new(false);
    let width = terminal::width();
    match &args.name {
        None => {
            let mut newer = None;
            let listed = built_in().into_iter().map(|preset| {
                let text = overview(preset, newer.filter(|_| preset.kernel.is_some()), width);
                newer = Some(preset);
                text
            });
            terminal.print(&listed.collect::<Vec<String>>().join("\n"));
            terminal.print(&footer(width));
            let heading = "Pools of kept-alive connections: what `pool = \"NAME\"` of a client with `requests` names.";
            terminal.print(&format!("\n{}\n", wrap(heading, width, 0)));
            for pool in pool_presets() {
                terminal.print(&format!("\n{}", overview(pool, None, width)));
            }
            let heading = "Gateways: what `preset = \"NAME\"` of a [gateway.NAME] names.";
            terminal.print(&format!("\n{}\n", wrap(heading, width, 0)));
            for gateway in gateway_presets() {
                terminal.print(&format!("\n{}", overview(gateway, None, width)));
            }
        }
        Some(name) => {
            match preset(name).or_else(|| pool_preset(name)).or_else(|| gateway_preset(name)) {
                Some(preset) => terminal.print(&in_full(preset, width)),
                None => {
                    terminal::error(unknown(name));
                    return Status::WrongInput;
                }
            }
        }
    }
    terminal.status()
}

/// What else there is.
fn footer(width: usize) -> String {
    let (oldest, newest) = (Linux::OLDEST, Linux::NEWEST);
    let text = format!(
        "Every version of Linux from {oldest} to {newest} has a preset, for example linux-5.13; those listed \
         after `linux` show what differs from the one above. `portsim presets NAME` shows the source of every \
         value."
    );
    format!("\n{}\n", wrap(&text, width, 0))
}

fn unknown(name: &str) -> String {
    let all = built_in().into_iter().chain(pool_presets()).chain(gateway_presets());
    let names: Vec<&str> = all.map(|preset| preset.name.as_str()).collect();
    let likeness = |known: &&&str| (strsim::jaro_winkler(known, name) * 1e6) as u64;
    let nearest = names.iter().filter(|known| likeness(known) > 750_000).max_by_key(likeness);
    let hint = match (Linux::instead_of(name), nearest) {
        (Some(instead), _) => format!("; {instead}"),
        (None, Some(name)) => format!("; did you mean `{name}`?"),
        (None, None) => String::new(),
    };
    let name = terminal::tame(name);
    format!("there is no preset `{name}`{hint} (there are {})", names.join(", "))
}

/// The values of a preset, without those that it has in common with a newer one listed above.
fn overview(preset: &Preset, newer: Option<&Preset>, width: usize) -> String {
    let mut text = format!("{}  {}\n", styled(BOLD, &preset.name), preset.title);
    let as_in_newer = |told: &&PresetValue| {
        let same = |value: &PresetValue| {
            (&value.key, &value.value, value.verified) == (&told.key, &told.value, told.verified)
        };
        newer.is_some_and(|newer| newer.values.iter().any(same))
    };
    for value in preset.values.iter().filter(|value| !as_in_newer(value)) {
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
        assert!(unknown("linux-9.9").contains("preset = \"linux\""));
    }

    #[test]
    fn what_is_not_verified_is_marked_in_the_list_too() {
        for preset in built_in() {
            let unsure = preset.values.iter().filter(|value| !value.verified).count();
            assert_eq!(overview(preset, None, 80).matches("(not verified)").count(), unsure);
        }
    }

    #[test]
    fn an_older_linux_shows_what_differs_from_the_newer_one_above() {
        let text = overview(preset("linux-6.12").unwrap(), preset("linux"), 80);
        assert!(text.contains("  tw_reuse_clock = \"1 s\""), "{text}");
        assert!(!text.contains("time_wait"), "{text}");
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
