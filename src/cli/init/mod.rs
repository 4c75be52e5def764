//! `portsim init`: a first scenario with comments, for one of a few questions.

use portsim::report::file;

use super::Status;
use super::args::InitArgs;
use super::terminal::{self, Terminal, tame};

/// A question and the scenario that answers it.
struct Start {
    name: &'static str,
    asks: &'static str,
    text: &'static str,
}

const STARTS: [Start; 5] = [
    Start {
        name: "proxy",
        asks: "will a proxy run out of source ports towards its backend?",
        text: include_str!("proxy.toml"),
    },
    Start {
        name: "load-test",
        asks: "will the machine of a load test run out before the server does?",
        text: include_str!("load-test.toml"),
    },
    Start {
        name: "crawler",
        asks: "will a crawler that opens a connection for every page?",
        text: include_str!("crawler.toml"),
    },
    Start {
        name: "nat",
        asks: "are the ports of a NAT enough for the machines behind it?",
        text: include_str!("nat.toml"),
    },
    Start {
        name: "test-suite",
        asks: "will a test suite on a CI machine?",
        text: include_str!("test-suite.toml"),
    },
];

/// Prints a first scenario, writes it to a file that is not there yet, or lists the questions.
pub fn init(args: &InitArgs) -> Status {
    let mut terminal = Terminal::new(false);
    let Some(name) = &args.question else {
        let widest = STARTS.iter().map(|start| start.name.len()).max().unwrap_or(0);
        for Start { name, asks, .. } in &STARTS {
            terminal.print(&format!("{name:widest$}  {asks}\n"));
        }
        terminal.print("\nportsim init NAME > my.toml, then portsim run my.toml\n");
        return terminal.status();
    };
    let Some(start) = STARTS.iter().find(|start| start.name == name) else {
        let names: Vec<&str> = STARTS.iter().map(|start| start.name).collect();
        terminal::error(format!(
            "there is no question `{}`; there are {}",
            tame(name),
            names.join(", ")
        ));
        return Status::WrongInput;
    };
    let Some(out) = &args.out else {
        terminal.print(start.text);
        return terminal.status();
    };
    if out.exists() {
        let out = out.display().to_string();
        terminal::error(format!("{} is there already: choose another name", tame(&out)));
        return Status::WrongInput;
    }
    match file::write_whole(out, start.text.as_bytes()) {
        Ok(()) => {
            terminal::talk(&format!(
                "written; next: portsim run {}",
                tame(&out.display().to_string())
            ));
            Status::Done
        }
        Err(error) => {
            terminal::error(tame(&error.to_string()));
            Status::CouldNotFinish
        }
    }
}

#[cfg(test)]
mod tests {
    use portsim::replicate::{Unwatched, replicate};
    use portsim::report::verdict;
    use portsim::scenario::parse;

    use super::*;

    /// Each is fine as it is, runs, and is answered with a verdict.
    #[test]
    fn every_first_scenario_runs_without_a_word_of_warning() {
        for start in &STARTS {
            let mut scenario = parse(start.name, start.name, start.text, &[])
                .unwrap_or_else(|problems| panic!("{problems}"));
            assert!(scenario.warnings.is_empty(), "{}", start.name);
            assert!(scenario.asks.is_some() && start.text.contains("<-"), "{}", start.name);
            scenario.settings.replications = portsim::model::Replications::Fixed(1);
            let outcome = replicate(&scenario.world, &scenario.settings, &Unwatched).unwrap();
            let told = verdict::sentence(&scenario, &outcome);
            assert!(
                told.contains("runs dry") || told.contains("It holds"),
                "{}: {told}",
                start.name
            );
            println!("{}: {told}", start.name);
        }
    }
}
