//! `portsim validate`: the same attempts made by the model and by this machine's own kernel, side by side.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Instant;

use portsim::chart::{self, Both, Connects};
use portsim::inspect;
use portsim::numbers;
use portsim::report::agreement::{Agreement, Compared, MeasuredCost, Outcome};
use portsim::report::file::WriteError;
use portsim::testbed::{self, Failure, Made, Sandbox};
use portsim::validate::{
    Call, Case, ChurnMeasured, CostLevel, Draw, Experiment, Judgement, Kernel, Measured, as_made,
    builtin, cost_case, judge, live, predictions, probes_at,
};
use rayon::prelude::*;

use super::args::{Format, ValidateArgs};
use super::experiments;
use super::output::{Folder, Output};
use super::progress::Progress;
use super::terminal::{self, BAD, BOLD, GOOD, OPEN, Terminal, styled, tame, wrap};
use super::{Status, interrupt, load};

/// Compares model and kernel as `args` say, and says how it ended.
pub fn validate(args: &ValidateArgs) -> Status {
    let cases = match cases(args) {
        Ok(cases) => cases,
        Err(status) => return status,
    };
    if args.list {
        return list(&cases);
    }
    // Before there is a second thread: without privileges the whole process enters a user namespace.
    let sandbox = match testbed::enter() {
        Ok(sandbox) => sandbox,
        Err(not_here) => {
            terminal::error(&not_here);
            terminal::talk(&format!("  help: {}", not_here.help()));
            return Status::CouldNotFinish;
        }
    };
    interrupt::catch();
    let output = match Output::prepare(&args.out, std::iter::once("validate")) {
        Ok(output) => output,
        Err(error) => {
            terminal::error(format!("{error}; choose another place with --out DIR"));
            return Status::WrongInput;
        }
    };
    let status = ValidateSession::new(args, cases, sandbox, &output).run();
    output.remove_empty();
    status
}

/// The cases that are asked for: those of scenario files, and built-in ones.
fn cases(args: &ValidateArgs) -> Result<Vec<Case>, Status> {
    let scenarios = load::load(&args.paths, &args.all_overrides()).map_err(|wrong| {
        wrong.iter().for_each(|message| terminal::talk(message.trim_end()));
        Status::WrongInput
    })?;
    if !args.quiet {
        load::warn(&scenarios);
    }
    let mut cases = Vec::new();
    for scenario in &scenarios {
        let ready = live(&scenario.name, &scenario.world, &scenario.settings, args.length);
        match ready {
            Ok(ready) => {
                let notes = ready.notes.join("; ");
                cases.push(Case { notes, ..ready.case });
            }
            Err(why) => {
                let name = tame(&scenario.name);
                terminal::error(format!("scenario `{name}` cannot be run on a kernel: {why}"));
                return Err(Status::WrongInput);
            }
        }
    }
    if args.paths.is_empty() || args.quick || args.full {
        let quick = args.quick && !args.full;
        cases.extend(builtin(quick));
        cases.push(cost_case(quick));
    }
    if !args.cases.is_empty() {
        cases.retain(|case| args.cases.iter().any(|part| case.name.contains(part)));
        if cases.is_empty() {
            let parts = args.cases.join("`, `");
            terminal::error(format!(
                "no case has `{}` in its name; --list shows all",
                tame(&parts)
            ));
            return Err(Status::WrongInput);
        }
    }
    Ok(cases)
}

fn list(cases: &[Case]) -> Status {
    let mut terminal = Terminal::new(false);
    let longest = cases.iter().map(|case| case.name.len()).max().unwrap_or(0);
    for case in cases {
        let text = format!("{:longest$}  {}", case.name, case.notes);
        terminal.print(&format!("{}\n", wrap(text.trim_end(), terminal::width(), longest + 2)));
    }
    terminal.status()
}

struct ValidateSession<'a> {
    args: &'a ValidateArgs,
    cases: Vec<Case>,
    sandbox: Sandbox,
    output: &'a Output,
    release: String,
    kernel: Kernel,
    terminal: Terminal,
}

impl<'a> ValidateSession<'a> {
    fn new(args: &'a ValidateArgs, cases: Vec<Case>, sandbox: Sandbox, output: &'a Output) -> Self {
        let info = inspect::kernel_info();
        let release = info.as_ref().map_or_else(String::new, |info| info.release.clone());
        let hz = info.as_ref().and_then(|info| info.hz);
        if hz.is_none() {
            terminal::talk("note: this kernel does not say its HZ; 250 is assumed");
        }
        let hz = hz.unwrap_or(Kernel::MEASURED.hz);
        let version = info.and_then(|info| info.version()).unwrap_or(Kernel::MEASURED.version);
        if version != version.nearest_known() {
            let taken = version.nearest_known();
            terminal::talk(&format!(
                "note: Linux {version} is not known; the model is that of {taken}"
            ));
        }
        let kernel = Kernel { version, hz };
        Self { args, cases, sandbox, output, release, kernel, terminal: Terminal::new(args.quiet) }
    }

    fn run(mut self) -> Status {
        self.announce();
        let mut predicted: Vec<Vec<Measured>> =
            self.cases.par_iter().map(|case| predictions(case, self.kernel)).collect();
        let mut measured: BTreeMap<usize, Measured> = BTreeMap::new();
        let mut compared: BTreeMap<usize, Compared> = BTreeMap::new();
        self.measure(&mut predicted, &mut measured, &mut compared);
        let cases = compared.into_values().collect();
        let mut agreement =
            Agreement::new(self.release.clone(), self.kernel.hz, cases, self.cases.len());
        agreement.search_cost = self.search_cost(&measured);
        self.tell(&agreement);
        let written = self.write(&agreement, &predicted, &measured);
        let failed = written.map_err(terminal::error).is_err();
        if interrupt::stopped() {
            Status::Interrupted
        } else if failed || agreement.agree + agreement.differ == 0 {
            Status::CouldNotFinish
        } else if agreement.differ > 0 {
            Status::NotHeld
        } else {
            self.terminal.status()
        }
    }

    /// Says what is going to happen, and where.
    fn announce(&self) {
        let right = match self.sandbox {
            Sandbox::Privileged => "network namespaces of their own",
            Sandbox::UserNamespace => "network namespaces of their own, in a user namespace",
        };
        let longest = self.cases.iter().map(testbed::at_most_s).fold(0.0, f64::max);
        let lasts = if longest > 2.0 {
            format!(", for at most {}", numbers::span(longest.ceil()))
        } else {
            String::new()
        };
        self.terminal.note(&format!(
            "Linux {} (HZ={}): {} in {right}, over loopback{lasts}.",
            self.release,
            self.kernel.hz,
            numbers::plural(self.cases.len() as u64, "case", "cases")
        ));
        let scenarios = self.cases.iter().filter(|case| case.name.starts_with("scenario/"));
        for Case { name, notes, .. } in scenarios.filter(|case| !case.notes.is_empty()) {
            self.terminal.note(&format!("note: {}: {notes}", tame(name)));
        }
    }

    /// Makes all cases; prints each as it ends.
    fn measure(
        &mut self,
        predicted: &mut [Vec<Measured>],
        measured: &mut BTreeMap<usize, Measured>,
        compared: &mut BTreeMap<usize, Compared>,
    ) {
        let longest = self.cases.iter().map(testbed::at_most_s).fold(0.0, f64::max);
        let progress = Progress::new("validate".to_owned(), !self.args.quiet);
        let part = progress.of_part(1.0);
        let (cases, kind, kernel) = (&self.cases, self.args.format, self.kernel);
        let terminal = &mut self.terminal;
        let width = terminal::width();
        let names = cases.iter().map(|case| case.name.len()).max().unwrap_or(0);
        std::thread::scope(|scope| {
            let _end = progress.finish_on_drop();
            scope.spawn(|| progress.show());
            let (begun, mut shown) = (Instant::now(), 0.0);
            experiments::side_by_side(
                cases,
                interrupt::flag(),
                |(at, result)| {
                    let case = &cases[at];
                    let one = match result {
                        Err(Failure::Stopped) => return,
                        Err(failure) => {
                            Compared::skipped(&case.name, &failure.to_string(), &case.notes)
                        }
                        Ok(Made { measured: found, late_s }) => {
                            let judgement =
                                judged(case, &found, late_s, &mut predicted[at], kernel);
                            measured.insert(at, found);
                            Compared::judged(&case.name, judgement, &case.notes)
                        }
                    };
                    if kind == Format::Table {
                        progress.aside(|| terminal.print(&line(&one, names, width)));
                    }
                    compared.insert(at, one);
                },
                || {
                    use portsim::replicate::Watch as _;
                    let share = (begun.elapsed().as_secs_f64() / (longest + 1.0)).min(0.99);
                    part.advanced(share - shown);
                    shown = share;
                },
            );
        });
    }

    /// The case that measured the cost of a search, and what it found.
    fn costs<'m>(
        &self,
        measured: &'m BTreeMap<usize, Measured>,
    ) -> Option<(&Case, &'m [CostLevel])> {
        measured.iter().find_map(|(&at, measured)| match measured {
            Measured::Cost { levels } => Some((&self.cases[at], &levels[..])),
            _ => None,
        })
    }

    /// Ports that the model looks at, at these levels of a case that measures the cost of a search.
    fn probes(&self, case: &Case, levels: &[f64]) -> Vec<f64> {
        /// Searches at each level.
        const REPS: u32 = 20;
        let draw = Draw::spread(1, self.kernel).next().expect("one is asked for");
        probes_at(&case.setup, levels, REPS, draw)
    }

    /// The cost of a search out of the case that measured it.
    fn search_cost(&self, measured: &BTreeMap<usize, Measured>) -> Option<MeasuredCost> {
        let (case, levels) = self.costs(measured)?;
        let connect_us = levels.first()?.median_us;
        let fill: Vec<f64> = levels.iter().map(|level| level.fill_percent).collect();
        // Where searches are long: what a probe costs shows nowhere else.
        let each = levels
            .iter()
            .zip(self.probes(case, &fill))
            .filter(|(level, _)| level.fill_percent > 50.0 && level.fill_percent < 100.0);
        let costs: Vec<f64> =
            each.map(|(level, probes)| (level.median_us - connect_us) * 1e3 / probes).collect();
        let probe_ns = costs.iter().sum::<f64>() / costs.len().max(1) as f64;
        Some(MeasuredCost { connect_us, probe_ns })
    }

    fn tell(&mut self, agreement: &Agreement) {
        match self.args.format {
            Format::Json => self.terminal.print(&agreement.to_json()),
            Format::Csv => self.terminal.print(&agreement.to_csv()),
            Format::Markdown => self.terminal.print(&agreement.to_markdown()),
            Format::Table => {
                let sentence = styled(BOLD, agreement.sentence());
                self.terminal.print(&format!("\n{sentence}\n"));
                if let Some(cost) = agreement.search_cost {
                    let MeasuredCost { connect_us, probe_ns } = cost;
                    self.terminal.print(&format!(
                        "A search costs, on this machine:\n  search_cost = {{ connect = \
                         \"{connect_us:.1} us\", probe = \"{probe_ns:.0} ns\" }}\n"
                    ));
                }
            }
        }
    }

    fn write(
        &self,
        agreement: &Agreement,
        predicted: &[Vec<Measured>],
        measured: &BTreeMap<usize, Measured>,
    ) -> Result<(), WriteError> {
        if agreement.cases.is_empty() {
            return Ok(());
        }
        let mut folder = self.output.folder("validate");
        folder.write("validate.json", agreement.to_json().as_bytes())?;
        if !self.args.no_charts {
            self.draw(agreement, predicted, measured, &mut folder)?;
            self.draw_cost(agreement, measured, &mut folder)?;
        }
        self.terminal.note(&folder.listing());
        Ok(())
    }

    /// The experiments that last, those with most refusals first.
    fn draw(
        &self,
        agreement: &Agreement,
        predicted: &[Vec<Measured>],
        measured: &BTreeMap<usize, Measured>,
        folder: &mut Folder,
    ) -> Result<(), WriteError> {
        let of = |measured: &'_ Measured| match measured {
            Measured::Churn(churn) => Some(churn.clone()),
            _ => None,
        };
        let mut rows: Vec<(usize, ChurnMeasured, Vec<ChurnMeasured>)> = measured
            .iter()
            .filter_map(|(&at, found)| {
                let model = predicted[at].iter().filter_map(of).collect();
                Some((at, of(found)?, model))
            })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        // A scenario asked for comes first; then what shows most waves.
        rows.sort_by_key(|(at, found, _)| {
            let case = &self.cases[*at];
            let seconds = testbed::at_most_s(case) as u64;
            (!case.name.starts_with("scenario/"), found.fail == 0, Reverse(seconds), *at)
        });
        let models: Vec<Vec<&ChurnMeasured>> =
            rows.iter().map(|(_, _, model)| model.iter().collect()).collect();
        let both = rows.iter().zip(&models).map(|((at, kernel, _), model)| Both {
            name: &self.cases[*at].name,
            ports: self.cases[*at].setup.n,
            destinations: pools(&self.cases[*at].experiment),
            length_s: length_s(&self.cases[*at].experiment),
            kernel,
            model,
        });
        let both: Vec<Both<'_>> = both.collect();
        let facts = format!(
            "the same attempts, made by the kernel and by the model for {} phases of its timer grid",
            models[0].len()
        );
        folder.write_picture("validate", &chart::agreement(&agreement.sentence(), &facts, &both))
    }

    /// The time of a connect by occupancy, where it was measured.
    fn draw_cost(
        &self,
        agreement: &Agreement,
        measured: &BTreeMap<usize, Measured>,
        folder: &mut Folder,
    ) -> Result<(), WriteError> {
        let (Some((case, levels)), Some(cost)) = (self.costs(measured), agreement.search_cost)
        else {
            return Ok(());
        };
        let held = held_percent();
        let probes: Vec<(f64, f64)> = held.iter().copied().zip(self.probes(case, &held)).collect();
        let MeasuredCost { connect_us, probe_ns } = cost;
        let connects = Connects { levels, connect_us, probe_ns, probes: &probes };
        let (lo, n) = (u32::from(case.setup.lo), case.setup.n);
        let facts = format!(
            "Linux {}, {} over loopback ({lo}-{})",
            short_release(&self.release),
            numbers::plural(n.into(), "port", "ports"),
            lo + n - 1
        );
        folder.write_picture("validate-cost", &chart::cost(&facts, &connects))
    }
}

/// Where the model's cost is drawn, in percent of the range: close together where it changes, about one half
/// and just below a full range.
fn held_percent() -> Vec<f64> {
    let even = (0..=50).map(|step| f64::from(step) * 2.0);
    let close = [1.0, 0.5, 0.2, 0.1, 0.03];
    let below = close.iter().flat_map(|apart| [50.0 - apart, 100.0 - apart]);
    let mut held: Vec<f64> = even.chain(below).collect();
    held.sort_by(f64::total_cmp);
    held
}

/// A kernel's version without what a distributor or a builder appends to it.
fn short_release(release: &str) -> &str {
    release.split('-').next().unwrap_or_default()
}

/// How often each port of an experiment can be used at once.
fn pools(experiment: &Experiment) -> u32 {
    match experiment {
        Experiment::Churn(churn) => {
            let bound = churn.how.call == Call::Bind && churn.others.is_empty();
            if bound { churn.sources } else { churn.to.k * churn.sources }
        }
        _ => 1,
    }
}

/// Judges what was found; where it differs, or depends on itself, the model is asked for the attempts as
/// they were made.
fn judged(
    case: &Case,
    found: &Measured,
    late_s: f64,
    predicted: &mut Vec<Measured>,
    kernel: Kernel,
) -> Judgement {
    if !predicted.is_empty() {
        let judgement = judge(case, found, late_s, predicted);
        if judgement.agrees() {
            return judgement;
        }
    }
    predicted.extend(as_made(case, found).iter().flat_map(|made| predictions(made, kernel)));
    judge(case, found, late_s, predicted)
}

/// When the last attempt is made, in seconds.
fn length_s(experiment: &Experiment) -> f64 {
    match experiment {
        Experiment::Churn(churn) => churn.attempts.last().map_or(1.0, |last| last.time.max(1.0)),
        _ => 1.0,
    }
}

/// One case in one line, or as many as it takes.
fn line(one: &Compared, names: usize, width: usize) -> String {
    let style = match one.verdict {
        Outcome::Agrees => GOOD,
        Outcome::Differs => BAD,
        Outcome::Skipped => OPEN,
    };
    let told = match one.verdict {
        Outcome::Skipped => one.kernel.clone(),
        _ => {
            let differs: String =
                one.differs.iter().take(3).map(|what| format!("; {what}")).collect();
            format!("{}; model: {}{differs}", one.kernel, one.model)
        }
    };
    // Wrapped before it is coloured: control sequences have no width.
    let indent = if names + 12 < width / 2 { names + 11 } else { 4 };
    let text = format!("{:7}  {:names$}  {}", one.verdict.word(), tame(&one.case), tame(&told));
    let text = wrap(&text, width, indent);
    let (word, rest) = text.split_at(one.verdict.word().len());
    format!("{}{rest}\n", styled(style, word))
}
