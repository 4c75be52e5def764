//! `portsim inspect`: this machine now, or one port of it.

use std::path::Path;
use std::time::{Duration, Instant};

use portsim::inspect::{self, Flow, Inspection, Observer, Unreadable};
use portsim::numbers::{percent, plural};
use portsim::report::file;
use portsim::report::inspection::Document;
use portsim::report::prometheus;

use super::args::{InspectArgs, InspectFormat};
use super::progress::Progress;
use super::terminal::{self, Terminal};
use super::{Status, interrupt};

mod names;
mod picture;
mod port;
mod scenario;
mod table;
mod watch;

use names::Names;

/// Destinations that a table has unless told otherwise.
const ROWS: usize = 10;
/// Destinations that a program is told of unless told otherwise.
const SERIES: usize = 50;
/// Looks so far apart while nobody looks on.
const EVERY: Duration = Duration::from_millis(500);
/// Looks so far apart while lifetimes are measured: of shorter ones only the mean is known.
const OFTEN: Duration = Duration::from_millis(20);
/// A look may take a fifth of the time at most.
const SHARE_OF_TIME: u32 = 5;

/// Reads the machine as `args` say, and says how it ended.
pub fn inspect(args: &InspectArgs) -> Status {
    // Before anything is watched for a minute.
    if let Some(Err(error)) = args.out.as_deref().map(file::probe_file) {
        terminal::error(format!("{error}; choose another place with --out FILE"));
        return Status::WrongInput;
    }
    if let Some(number) = args.port {
        return port::inspect(args, number);
    }
    if args.watch {
        return watch::watch(args);
    }
    if args.to_scenario {
        return scenario::to_scenario(args);
    }
    let mut terminal = Terminal::new(args.quiet);
    match looked(args) {
        Ok(inspection) => conclude(args, &inspection, &mut terminal),
        Err(unreadable) => refused(&unreadable),
    }
}

/// One look; with `--for`, many of which the last is told.
fn looked(args: &InspectArgs) -> Result<Inspection, Unreadable> {
    match args.length {
        None => inspect::look_once(),
        Some(length) => {
            let mut observer = Observer::default();
            let length = Duration::from_secs_f64(length.as_secs_f64());
            interrupt::catch_saying("\nStopping: what was seen until now is told.");
            let what = "watching this machine".to_owned();
            repeatedly(length, EVERY, what, !args.quiet, |now| observer.look(now))
        }
    }
}

/// Looks again and again for `length`, with progress on stderr; the last look.
fn repeatedly<T>(
    length: Duration,
    every: Duration,
    what: String,
    shown: bool,
    mut look: impl FnMut(f64) -> Result<T, Unreadable> + Send,
) -> Result<T, Unreadable>
where
    T: Send,
{
    let progress = Progress::new(what, shown);
    std::thread::scope(|scope| {
        scope.spawn(|| progress.show());
        let _finished_whatever_happens = progress.finish_on_drop();
        let part = progress.of_part(1.0);
        let start = Instant::now();
        let mut told = 0.0;
        loop {
            let begun = Instant::now();
            let now = begun.duration_since(start);
            let seen = look(now.as_secs_f64())?;
            let share = (now.as_secs_f64() / length.as_secs_f64()).min(1.0);
            portsim::replicate::Watch::advanced(&part, share - told);
            told = share;
            if now >= length || interrupt::stopped() {
                return Ok(seen);
            }
            let next = every.max(begun.elapsed() * SHARE_OF_TIME);
            wait_until((begun + next).min(start + length));
        }
    })
}

/// Sleeps until `due`, or until an end is asked for.
fn wait_until(due: Instant) {
    const SLICE: Duration = Duration::from_millis(50);
    while !interrupt::stopped() {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(SLICE));
    }
}

fn refused(unreadable: &Unreadable) -> Status {
    terminal::error(unreadable);
    Status::CouldNotFinish
}

/// Tells what was seen, and how the program ends.
fn conclude(args: &InspectArgs, inspection: &Inspection, terminal: &mut Terminal) -> Status {
    let text = told(args, inspection, terminal::width());
    if deliver(args.out.as_deref(), &text, terminal).is_err() {
        return Status::CouldNotFinish;
    }
    let failed = terminal.status();
    if failed != Status::Done {
        failed
    } else if interrupt::stopped() {
        Status::Interrupted
    } else {
        alarm(args, inspection)
    }
}

/// The picture in the form that is asked for.
fn told(args: &InspectArgs, inspection: &Inspection, width: usize) -> String {
    let many = args.top.unwrap_or(match args.format {
        InspectFormat::Table => ROWS,
        _ => SERIES,
    });
    match args.format {
        InspectFormat::Table => {
            let mut names = Names::default();
            names.learn(args, inspection, many);
            let owners = inspection.owners(many);
            let mut held = picture::FlowHolders::default();
            held.learn(inspection, &owners, many);
            let rows = picture::Rows { many, height: None };
            picture::whole(inspection, &owners, &held, &names, rows, width, args.verbose)
        }
        InspectFormat::Json => Document::new(inspection, &inspection.owners(many), many).pretty(),
        InspectFormat::Prometheus => prometheus_page(inspection, many),
    }
}

fn prometheus_page(inspection: &Inspection, many: usize) -> String {
    prometheus::page(inspection, many)
}

/// To stdout, or whole into a file.
fn deliver(out: Option<&Path>, text: &str, terminal: &mut Terminal) -> Result<(), ()> {
    let Some(path) = out else {
        terminal.print(text);
        return Ok(());
    };
    let plain = anstream::adapter::strip_str(text).to_string();
    file::write_whole(path, plain.as_bytes()).map_err(terminal::error)
}

/// The share of `--alert` and the flow that takes as much, if one does.
fn alarming<'a>(args: &InspectArgs, inspection: &'a Inspection) -> Option<(f64, &'a Flow)> {
    args.alert.zip(inspection.most_taken()).filter(|(share, flow)| flow.taken() >= *share)
}

/// Says aloud, and by the exit status, that more is taken than `--alert` allows.
fn alarm(args: &InspectArgs, inspection: &Inspection) -> Status {
    let Some((share, flow)) = alarming(args, inspection) else { return Status::Done };
    terminal::talk(&format!(
        "alert: towards {} from {}, {} of {} are taken (alert at {})",
        flow.destination,
        flow.source,
        percent(flow.taken()),
        plural((flow.held + flow.left).into(), "port", "ports"),
        percent(share),
    ));
    Status::NotHeld
}

/// The system's own words on what it does not show.
fn unseen(inspection: &Inspection, owners: &inspect::Owners) -> Vec<String> {
    let mut told = Vec::new();
    if owners.unseen > 0 {
        let processes = plural(owners.unseen.into(), "process", "processes");
        told.push(format!(
            "The open files of {processes} could not be read, so some holders are not named: \
             run it as root to see all."
        ));
    }
    told.extend(inspection.system.unseen.iter().cloned());
    told
}
