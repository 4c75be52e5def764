//! `portsim import`: what a record of real connections says of ports, and a scenario of it.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use portsim::chart;
use portsim::import::{AssumedMachine, Findings, ImportError, Imported, Importer, Options, survey};
use portsim::report::file;
use portsim::traffic::{Budget, Limits, scenario};

use super::args::{ImportArgs, ImportFormat};
use super::terminal::{self, Terminal, tame};
use super::{Status, interrupt};

mod out;
mod progress;
mod screen;
mod waiting;

use progress::Meter;
use waiting::Waiting;

/// Reads everything and tells what it says.
pub fn import(args: &ImportArgs) -> Status {
    let machine = machine(args);
    let limits = match Limits::of(&args.preset, &machine.keys) {
        Ok(limits) => limits,
        Err(problems) => {
            let said = problems.iter().map(|problem| problem.message());
            terminal::error(tame(&said.collect::<Vec<_>>().join("; ")));
            return Status::WrongInput;
        }
    };
    if args.chart.is_some() && args.chart == args.out {
        terminal::error("--out and --chart name one file: choose another for one of them");
        return Status::WrongInput;
    }
    let files = [("--out", &args.out), ("--chart", &args.chart)];
    for (flag, path) in files.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?))) {
        if let Err(status) = out::check(flag, path, &args.paths) {
            return status;
        }
    }
    interrupt::catch_saying(
        "\nStopping: what was read until now is reported. Press Ctrl-C again to leave at once.",
    );
    let options = Options {
        kind: args.kind,
        columns: args.columns.clone().unwrap_or_default(),
        state: args.state,
        only: args.sources.iter().map(|source| source.to_canonical()).collect(),
        limits,
        budget: Budget::default(),
    };
    let meter = Meter::new(size(&args.paths), !args.quiet);
    let read = std::thread::scope(|scope| {
        scope.spawn(|| meter.show());
        let read = read(args, &options, &meter);
        meter.finish();
        read
    });
    match read {
        Ok(Some(record)) => tell(args, &record, &machine),
        Ok(None) => {
            terminal::talk("Interrupted: nothing had been read.");
            Status::Interrupted
        }
        Err(status) => status,
    }
}

/// The preset, and the range where that was given.
fn machine(args: &ImportArgs) -> AssumedMachine {
    let ports = args.ports.map(|ports| ("ports".to_owned(), format!("\"{ports}\"")));
    AssumedMachine { preset: args.preset.clone(), keys: ports.into_iter().collect() }
}

/// Bytes of all files; `None` where that is not known.
fn size(paths: &[std::path::PathBuf]) -> Option<u64> {
    let sizes = paths.iter().map(|path| {
        let about = std::fs::metadata(path).ok()?;
        about.is_file().then_some(about.len())
    });
    sizes.sum()
}

/// Rows between two questions whether to stop.
const ROWS: u64 = 4_096;

/// Reads all files; what is wrong has been told then.
fn read(args: &ImportArgs, options: &Options, meter: &Meter) -> Result<Option<Imported>, Status> {
    let stopped = || {
        meter.rows(ROWS);
        interrupt::stopped()
    };
    let mut importer = Importer::new(options, &stopped);
    for path in &args.paths {
        let name = name(path);
        let input = open(path, args.quiet).map_err(|error| {
            terminal::error(format!("cannot read {}: {}", tame(&name), said(&error)));
            match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => Status::WrongInput,
                _ => Status::CouldNotFinish,
            }
        })?;
        match importer.read(meter.watch(input)) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(refuse(&name, &error)),
        }
    }
    Ok(importer.finish())
}

fn open(path: &Path, quiet: bool) -> io::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        if io::stdin().is_terminal() && !quiet {
            terminal::talk("Reading from the terminal; Ctrl-D ends it.");
        }
        return Ok(Box::new(Waiting::new(|| Ok(io::stdin()), interrupt::stopped)?));
    }
    let about = std::fs::metadata(path)?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if about.is_file() {
        return Ok(Box::new(File::open(path)?));
    }
    // A pipe, such as <(zcat conn.log.gz): even to open it can take as long as nobody writes.
    let path = path.to_owned();
    Ok(Box::new(Waiting::new(|| File::open(path), interrupt::stopped)?))
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() }
}

fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory; name the files in it".to_owned(),
        _ => error.to_string(),
    }
}

fn refuse(name: &str, error: &ImportError) -> Status {
    let name = tame(name);
    match error {
        ImportError::Io(error) => {
            terminal::error(format!("cannot read {name}: {error}"));
            return Status::CouldNotFinish;
        }
        ImportError::Unknown(_) => {
            terminal::error(format!("{name}: {}", tame(&error.to_string())));
            terminal::talk("It can be one of these; --kind says which:");
            for kind in portsim::import::Kind::ALL {
                terminal::talk(&format!("  {:<10} {}", kind.name(), kind.title()));
            }
            terminal::talk(
                "Of a CSV with other names in its header, --columns says which column is which:\n  \
                 --columns start=COLUMN,source=COLUMN,destination=COLUMN",
            );
        }
        _ => terminal::error(format!("{name}: {}", tame(&error.to_string()))),
    }
    Status::WrongInput
}

/// Prints, or writes, what was asked for.
fn tell(args: &ImportArgs, record: &Imported, machine: &AssumedMachine) -> Status {
    let names: Vec<String> = args.paths.iter().map(|path| name(path)).collect();
    let title = match &names[..] {
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        [] => String::new(),
    };
    let findings = Findings::new(record, &names);
    let width = terminal::width();
    if record.seen.sources.is_empty() && !record.partial {
        return nothing(&findings, &title);
    }
    let text = if args.to_scenario {
        scenario::text(&survey(record, &findings, machine, &title))
    } else if args.format == ImportFormat::Json {
        let json = serde_json::to_string_pretty(&findings);
        json.expect("findings are plain data") + "\n"
    } else {
        let title = format!("{title}: {}", record.kind.title());
        screen::report(&findings, &title, width)
    };
    let mut terminal = Terminal::new(args.quiet);
    let write = |terminal: &mut Terminal, path: &Path, bytes: &[u8]| {
        file::write_whole(path, bytes).map_err(|error| {
            terminal::error(error);
            Status::CouldNotFinish
        })?;
        terminal.note(&format!("written: {}", tame(&path.display().to_string())));
        Ok(())
    };
    let mut written = match &args.out {
        None => {
            terminal.print(&text);
            Ok(())
        }
        Some(path) => {
            let plain = anstream::adapter::strip_str(&text).to_string();
            write(&mut terminal, path, plain.as_bytes())
        }
    };
    if let Some(path) = args.chart.as_ref().filter(|_| written.is_ok()) {
        match chart::demand(record, &findings, &title) {
            Some(picture) => written = write(&mut terminal, path, picture.bytes_of(path)),
            None => terminal::talk(
                "No picture was drawn: a look at one moment does not tell how ports were held over time.",
            ),
        }
    }
    if let Err(status) = written {
        return status;
    }
    if args.to_scenario {
        terminal.note(&terminal::wrap(&tame(&findings.sentence), width, 0));
        if findings.bad > 0 {
            terminal.note(screen::bad(&findings, width).trim());
        }
    }
    match terminal.status() {
        Status::Done if record.partial => {
            terminal.note("Interrupted: this is what was read until then.");
            Status::Interrupted
        }
        status => status,
    }
}

/// Nothing in it counts: says why.
fn nothing(findings: &Findings, title: &str) -> Status {
    let what = match (findings.rows, findings.bad, findings.left_out.is_empty()) {
        (0, ..) => "there is no row in it".to_owned(),
        (rows, bad, _) if rows == bad => "none of its rows can be read".to_owned(),
        (_, _, true) => "no connection in it was opened from here".to_owned(),
        _ => {
            let reasons = findings.left_out.iter().map(|(why, rows)| format!("{rows} {why}"));
            format!("no row in it counts: {}", reasons.collect::<Vec<_>>().join(", "))
        }
    };
    terminal::error(format!("{}: {what}", tame(title)));
    let bad = screen::bad(findings, terminal::width());
    if !bad.is_empty() {
        terminal::talk(bad.trim());
    }
    Status::WrongInput
}
