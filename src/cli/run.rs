//! `portsim run`: everything is checked, then run in parallel, shown in the order given, and saved.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use portsim::numbers::plural;
use portsim::replicate;
use portsim::report::file::WriteError;
use portsim::report::provenance::{self, Machine, Provenance};
use portsim::report::sheet::Detail;
use portsim::report::{
    Checked, Summary, Verdict, csv, expectations, markdown, summary, timeline, warnings,
};
use portsim::scenario::Scenario;
use portsim::stats::Outcome;

use super::args::{Format, RunArgs};
use super::cost::{self, Advice};
use super::output::{self, Folder, Output};
use super::progress::{Progress, ScenarioProgress};
use super::terminal::{self, OPEN, Terminal, styled, tame};
use super::{Status, draw, host_files, interrupt, load, screen, table};

/// Runs what `args` name and says how it ended.
pub fn run(args: &RunArgs) -> Status {
    let scenarios = match load::load(&args.paths, &args.all_overrides()) {
        Ok(scenarios) => scenarios,
        Err(wrong) => {
            wrong.iter().for_each(|message| terminal::talk(message.trim_end()));
            return Status::WrongInput;
        }
    };
    if !args.quiet {
        load::warn(&scenarios);
    }
    let threads = args.jobs.map_or_else(all_cores, usize::from);
    if let Err(status) = guard(args, &scenarios, threads) {
        return status;
    }
    let names = scenarios.iter().map(|scenario| scenario.name.as_str());
    let output = match Output::prepare(&args.out, names) {
        Ok(output) => output,
        Err(error) => {
            terminal::error(format!("{error}; choose another place with --out DIR"));
            return Status::WrongInput;
        }
    };
    let status = RunSession { args, scenarios: &scenarios, output: &output, threads }.run();
    output.remove_empty();
    status
}

fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Refuses what would take days or more memory than there is.
fn guard(args: &RunArgs, scenarios: &[Scenario], threads: usize) -> Result<(), Status> {
    let memory = cost::available_memory();
    match cost::timed(scenarios, threads, memory).advice(memory) {
        Advice::Refuse(message) if !args.force => {
            terminal::error(message);
            Err(Status::WrongInput)
        }
        Advice::Refuse(message) | Advice::Announce(message) if !args.quiet => {
            terminal::talk(&format!("note: {message}"));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// One scenario that came to an end.
struct Finished {
    outcome: Outcome,
    checked: Vec<Checked>,
    listing: String,
    elapsed: Duration,
    failure: Option<WriteError>,
}

/// How a scenario ended.
enum Ended {
    Finished(Box<Finished>),
    /// Before its first replication was done.
    Interrupted,
    /// A fault of ours; it has been told on stderr.
    Fault,
}

struct RunSession<'a> {
    args: &'a RunArgs,
    scenarios: &'a [Scenario],
    output: &'a Output,
    threads: usize,
}

impl RunSession<'_> {
    fn run(&self) -> Status {
        let pool = match rayon::ThreadPoolBuilder::new().num_threads(self.threads).build() {
            Ok(pool) => pool,
            Err(error) => {
                terminal::error(format!("cannot start {} threads: {error}", self.threads));
                return Status::CouldNotFinish;
            }
        };
        interrupt::catch();
        let what = match self.scenarios {
            [scenario] => tame(&scenario.name),
            many => format!("{} scenarios", many.len()),
        };
        let progress = Progress::new(what, !self.args.quiet);
        let mut terminal = Terminal::new(self.args.quiet);
        let ended = std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            scope.spawn(|| progress.show());
            let (pool, watched) = (&pool, &progress);
            scope.spawn(move || self.run_all(pool, watched, &sender));
            let _finished_whatever_happens = progress.finish_on_drop();
            self.collect(&receiver, &progress, &mut terminal)
        });
        self.conclude(&ended, &mut terminal)
    }

    /// Runs all scenarios and sends each as it ends.
    fn run_all(
        &self,
        pool: &rayon::ThreadPool,
        progress: &Progress,
        sender: &mpsc::Sender<(usize, Ended)>,
    ) {
        let costs: Vec<f64> =
            self.scenarios.iter().map(|s| cost::core_seconds(s).max(1e-9)).collect();
        let all: f64 = costs.iter().sum();
        pool.scope(|scope| {
            for (index, scenario) in self.scenarios.iter().enumerate() {
                let part = progress.of_part(costs[index] / all);
                let sender = sender.clone();
                scope.spawn(move |_| {
                    let ended = catch_unwind(AssertUnwindSafe(|| self.run_one(scenario, &part)));
                    // The receiver outlives all senders unless it has panicked itself.
                    let _ = sender.send((index, ended.unwrap_or(Ended::Fault)));
                });
            }
        });
    }

    fn run_one(&self, scenario: &Scenario, part: &ScenarioProgress<'_>) -> Ended {
        let started = Instant::now();
        let outcome = replicate::replicate(&scenario.world, &scenario.settings, part);
        let Some(outcome) = outcome else { return Ended::Interrupted };
        let elapsed = started.elapsed();
        let checked = expectations::check(scenario, &outcome);
        let mut folder = self.output.folder(&scenario.name);
        let failure = self.save(scenario, &outcome, &checked, elapsed, &mut folder).err();
        let listing = folder.listing();
        Ended::Finished(Box::new(Finished { outcome, checked, listing, elapsed, failure }))
    }

    fn save(
        &self,
        scenario: &Scenario,
        outcome: &Outcome,
        checked: &[Checked],
        elapsed: Duration,
        folder: &mut Folder,
    ) -> Result<(), WriteError> {
        let summary = Summary::new(scenario, outcome, checked);
        folder.write("summary.json", summary.to_json().as_bytes())?;
        folder.write("timeline.csv", timeline::to_csv(&outcome.timeline).as_bytes())?;
        if outcome.limits.len() > 1 {
            let hosts = host_files::names(outcome.limits.iter().map(|limit| limit.name.as_str()));
            for (limit, host) in outcome.limits.iter().zip(hosts) {
                let bytes = timeline::to_csv(&limit.timeline);
                folder.write(&format!("timeline-{host}.csv"), bytes.as_bytes())?;
            }
        }
        let drawn = draw::charts(self.args, scenario, outcome, folder);
        let record = Provenance {
            scenario: scenario.name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            finished_at: provenance::utc(SystemTime::now()),
            simulated_in_s: elapsed.as_secs_f64(),
            attempts_per_s: provenance::attempts_per_s(outcome.whole.attempts, elapsed),
            threads: self.threads,
            partial: outcome.partial,
            files: folder.files(),
            command_line: std::env::args_os()
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
            machine: Machine::this(),
        };
        folder.write(output::RECORD, record.to_json().as_bytes())?;
        folder.remove_stale();
        drawn?;
        Ok(())
    }

    /// Takes scenarios as they end and shows each as soon as all before it are shown, so that
    /// stdout has the same bytes every time.
    fn collect(
        &self,
        receiver: &mpsc::Receiver<(usize, Ended)>,
        progress: &Progress,
        terminal: &mut Terminal,
    ) -> Vec<Ended> {
        let mut waiting: Vec<Option<Ended>> = self.scenarios.iter().map(|_| None).collect();
        let mut shown = 0;
        for (index, ended) in receiver {
            waiting[index] = Some(ended);
            while let Some(Some(ended)) = waiting.get(shown) {
                progress.aside(|| self.show(&self.scenarios[shown], ended, terminal));
                shown += 1;
            }
        }
        // A scenario that never reported has taken its thread down with it.
        waiting.into_iter().map(|ended| ended.unwrap_or(Ended::Fault)).collect()
    }

    /// What can be said of one scenario at once.
    fn show(&self, scenario: &Scenario, ended: &Ended, terminal: &mut Terminal) {
        let name = tame(&scenario.name);
        let finished = match ended {
            Ended::Finished(finished) => finished,
            Ended::Interrupted => {
                terminal
                    .note(&format!("{name}: interrupted before its first replication was done"));
                return;
            }
            Ended::Fault => {
                terminal::error(format!(
                    "{name}: this is a fault of portsim, not of the scenario; please report it with \
                     the message above"
                ));
                return;
            }
        };
        let Finished { outcome, checked, listing, elapsed, failure } = &**finished;
        let width = terminal::width();
        if self.args.format == Format::Table {
            if self.scenarios.len() == 1 || self.args.verbose {
                terminal.print(&screen::full(scenario, outcome, checked, self.detail(), width));
                if self.scenarios.len() > 1 {
                    terminal.print("\n");
                }
            } else {
                terminal.print(&screen::line(scenario, outcome, width));
                let open: Vec<Checked> =
                    checked.iter().filter(|c| c.verdict != Verdict::Held).cloned().collect();
                terminal.print(&indent(&screen::expectations(&open, width.saturating_sub(2))));
            }
        }
        let doubts = warnings::about(scenario, outcome, checked);
        if !doubts.is_empty() {
            let head = styled(OPEN, format!("{name}: check this before you trust the figures:"));
            let lines: String = doubts
                .iter()
                .map(|doubt| format!("\n  - {}", terminal::wrap(doubt, width.saturating_sub(4), 4)))
                .collect();
            terminal.note(&(head + &lines));
        }
        if self.scenarios.len() == 1 || self.args.verbose {
            let written = terminal::wrap(&format!("written to {listing}"), width, 2);
            match self.args.format {
                Format::Table if !self.args.quiet => terminal.print(&format!("\n{written}\n")),
                _ => terminal.note(&written),
            }
        }
        if self.args.verbose {
            let attempts = plural(outcome.whole.attempts, "attempt", "attempts");
            let took = elapsed.as_secs_f64();
            terminal.note(&format!("{name}: {attempts} simulated in {took:.3} s"));
        }
        if let Some(failure) = failure {
            terminal::error(format!("{name}: {failure}"));
        }
    }

    fn detail(&self) -> Detail {
        if self.args.verbose { Detail::All } else { Detail::Brief }
    }

    /// What is said and written of all scenarios together, and the exit status.
    fn conclude(&self, ended: &[Ended], terminal: &mut Terminal) -> Status {
        let finished: Vec<(&Scenario, &Finished)> = self
            .scenarios
            .iter()
            .zip(ended)
            .filter_map(|(scenario, ended)| match ended {
                Ended::Finished(finished) => Some((scenario, &**finished)),
                _ => None,
            })
            .collect();
        self.print_data(&finished, terminal);
        let overview = if self.scenarios.len() > 1 && !finished.is_empty() {
            self.save_overview(&finished, terminal)
        } else {
            Ok(())
        };
        if let Err(error) = &overview {
            terminal::error(error);
        }
        if interrupt::stopped() {
            terminal.note("Interrupted: what was finished is saved; what is partial says so.");
            return Status::Interrupted;
        }
        let failed = finished.iter().any(|(_, f)| f.failure.is_some())
            || ended.iter().any(|ended| matches!(ended, Ended::Fault))
            || overview.is_err()
            || terminal.status() != Status::Done;
        let verdicts: Vec<Verdict> =
            finished.iter().flat_map(|(_, f)| f.checked.iter().map(|c| c.verdict)).collect();
        status_of(failed, &verdicts, self.args.strict)
    }

    /// Stdout in the formats that come in one piece.
    fn print_data(&self, finished: &[(&Scenario, &Finished)], terminal: &mut Terminal) {
        if finished.is_empty() {
            return;
        }
        let runs: Vec<(&Scenario, &Outcome)> =
            finished.iter().map(|(scenario, f)| (*scenario, &f.outcome)).collect();
        match self.args.format {
            Format::Table if self.scenarios.len() == 1 => {}
            Format::Table => {
                let rows: Vec<(&Scenario, &Outcome, &[Checked])> =
                    finished.iter().map(|(s, f)| (*s, &f.outcome, &f.checked[..])).collect();
                terminal.print("\n");
                terminal.print(&table::of_scenarios(&rows, terminal::width()));
                let incidents = table::of_incidents(&rows, terminal::width());
                if !incidents.is_empty() {
                    terminal.print(&format!("\n{incidents}"));
                }
            }
            Format::Json => {
                let summaries: Vec<Summary> =
                    finished.iter().map(|(s, f)| Summary::new(s, &f.outcome, &f.checked)).collect();
                terminal.print(&match &summaries[..] {
                    [one] if self.scenarios.len() == 1 => one.to_json(),
                    many => summary::many_to_json(many),
                });
            }
            Format::Csv => terminal.print(&csv::limits_and_clients(&runs)),
            Format::Markdown => {
                let sections: Vec<String> = finished
                    .iter()
                    .map(|(scenario, f)| markdown::section(scenario, &f.outcome, &f.checked))
                    .collect();
                terminal.print(&sections.join("\n"));
            }
        }
    }

    /// The files that several scenarios have in common.
    fn save_overview(
        &self,
        finished: &[(&Scenario, &Finished)],
        terminal: &mut Terminal,
    ) -> Result<(), WriteError> {
        let runs: Vec<(&Scenario, &Outcome)> =
            finished.iter().map(|(scenario, f)| (*scenario, &f.outcome)).collect();
        let mut folder = self.output.common();
        folder.write("summary.csv", csv::wholes(&runs).as_bytes())?;
        if !self.args.no_charts {
            folder.write_picture("blocking", &portsim::chart::blocking(&runs))?;
        }
        let folders = plural(finished.len() as u64, "scenario", "scenarios");
        terminal
            .note(&format!("written to {} and a folder for each of {folders}", folder.listing()));
        Ok(())
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// What could not be finished outweighs what did not hold.
fn status_of(failed: bool, verdicts: &[Verdict], strict: bool) -> Status {
    let broken = |verdict: &Verdict| match verdict {
        Verdict::Held => false,
        Verdict::Broken => true,
        Verdict::Inconclusive => strict,
    };
    if failed {
        Status::CouldNotFinish
    } else if verdicts.iter().any(broken) {
        Status::NotHeld
    } else {
        Status::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_follows_the_contract() {
        use Verdict::{Broken, Held, Inconclusive};
        for (failed, verdicts, strict, status) in [
            (false, vec![], false, Status::Done),
            (false, vec![Held, Inconclusive], false, Status::Done),
            (false, vec![Held, Inconclusive], true, Status::NotHeld),
            (false, vec![Held, Broken], false, Status::NotHeld),
            (true, vec![Broken], false, Status::CouldNotFinish),
        ] {
            assert_eq!(status_of(failed, &verdicts, strict), status, "{verdicts:?}");
        }
    }
}
