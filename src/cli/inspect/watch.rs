//! `portsim inspect --watch`: look after look, refreshed in place.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use portsim::inspect::{Inspection, Observer, Owners};
use portsim::report::inspection::Document;

use super::super::args::{InspectArgs, InspectFormat};
use super::super::terminal::{self, Terminal};
use super::super::{Status, interrupt};
use super::names::Names;
use super::picture::{self, FlowHolders, Rows};
use super::{ROWS, SERIES, alarm, alarming, deliver, prometheus_page, refused, wait_until};

/// Holders change seldom, and finding them is dearer than all else.
const HOLDERS_EVERY: Duration = Duration::from_secs(5);

pub(super) fn watch(args: &InspectArgs) -> Status {
    if args.format == InspectFormat::Prometheus && args.out.is_none() {
        terminal::error(
            "a page for Prometheus is a file that is replaced again and again: say which with --out \
             FILE.prom, or leave out --watch",
        );
        return Status::WrongInput;
    }
    interrupt::catch_saying("");
    let mut watch = WatchScreen::new(args);
    let status = watch.run();
    watch.leave(status)
}

struct WatchScreen<'a> {
    args: &'a InspectArgs,
    terminal: Terminal,
    /// Is stdout a screen that is filled again and again?
    in_place: bool,
    many: usize,
    owners: Owners,
    held: FlowHolders,
    owners_at: Option<Instant>,
    names: Names,
    last: Option<Inspection>,
}

impl<'a> WatchScreen<'a> {
    fn new(args: &'a InspectArgs) -> Self {
        let table = args.format == InspectFormat::Table;
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let in_place = table && args.out.is_none() && io::stdout().is_terminal() && !dumb;
        let many = args.top.unwrap_or(if table { ROWS } else { SERIES });
        let terminal = Terminal::new(args.quiet);
        if in_place {
            // Another screen, and no cursor on it: what was on this one comes back at the end.
            control("\x1b[?1049h\x1b[?25l");
        }
        let (owners, held, names) = (Owners::default(), FlowHolders::default(), Names::default());
        Self { args, terminal, in_place, many, owners, held, owners_at: None, names, last: None }
    }

    fn run(&mut self) -> Status {
        let mut observer = Observer::default();
        let start = Instant::now();
        let every = Duration::from_secs_f64(self.args.every.as_secs_f64());
        let length = self.args.length.map(|length| Duration::from_secs_f64(length.as_secs_f64()));
        let mut due = start;
        loop {
            let now = start.elapsed();
            let inspection = match observer.look(now.as_secs_f64()) {
                Ok(inspection) => inspection,
                Err(unreadable) => {
                    self.restore();
                    return refused(&unreadable);
                }
            };
            let status = self.show(&inspection);
            let alarming = alarming(self.args, &inspection).is_some();
            self.last = Some(inspection);
            let over = length.is_some_and(|length| now >= length);
            if status != Status::Done || alarming || over || interrupt::stopped() {
                return status;
            }
            due += every;
            if due < Instant::now() {
                // Looking takes longer than the time between looks.
                due = Instant::now() + every;
            }
            let end = length.map_or(due, |length| due.min(start + length));
            wait_until(end);
            if interrupt::stopped() {
                return Status::Done;
            }
        }
    }

    /// Tells one look.
    fn show(&mut self, inspection: &Inspection) -> Status {
        self.refresh(inspection);
        let text = match self.args.format {
            InspectFormat::Json if self.args.out.is_none() => {
                Document::new(inspection, &self.owners, self.many).line()
            }
            InspectFormat::Json => Document::new(inspection, &self.owners, self.many).pretty(),
            InspectFormat::Prometheus => prometheus_page(inspection, self.many),
            InspectFormat::Table => self.frame(inspection),
        };
        if self.in_place {
            self.refill(&text);
        } else if deliver(self.args.out.as_deref(), &text, &mut self.terminal).is_err() {
            return Status::CouldNotFinish;
        }
        self.terminal.status()
    }

    fn refresh(&mut self, inspection: &Inspection) {
        let fresh = self.owners_at.is_some_and(|at| at.elapsed() < HOLDERS_EVERY);
        if fresh || self.args.format == InspectFormat::Prometheus {
            return;
        }
        self.owners = inspection.owners(self.many);
        self.held.learn(inspection, &self.owners, self.many);
        self.names.learn(self.args, inspection, self.many);
        self.owners_at = Some(Instant::now());
    }

    fn frame(&self, inspection: &Inspection) -> String {
        let rows = Rows { many: self.many, height: self.in_place.then(terminal::height) };
        let width = terminal::width();
        let mut text = picture::frame(inspection, &self.held, &self.names, rows, width);
        if self.in_place {
            let every = portsim::numbers::span(self.args.every.as_secs_f64());
            let told = format!("A look every {every}; rates are of the last 10 s. Ctrl-C ends it.");
            text += &format!("\n{}", terminal::wrap(&told, width, 0));
        } else {
            text.push('\n');
        }
        text
    }

    /// Writes over what is on the screen, line by line, so that nothing flickers.
    fn refill(&mut self, text: &str) {
        let height = terminal::height();
        let lines: Vec<&str> = text.lines().take(height).collect();
        control("\x1b[H");
        self.terminal.print(
            &lines.iter().map(|line| format!("{line}\x1b[K")).collect::<Vec<_>>().join("\r\n"),
        );
        control("\x1b[J");
    }

    fn restore(&mut self) {
        if std::mem::take(&mut self.in_place) {
            control("\x1b[?25h\x1b[?1049l");
        }
    }

    /// Leaves the last look behind, and says how it ended.
    fn leave(&mut self, status: Status) -> Status {
        let was_in_place = self.in_place;
        self.restore();
        let Some(inspection) = self.last.take() else { return status };
        if was_in_place {
            let text = self.frame(&inspection);
            self.terminal.print(&text);
        }
        if status != Status::Done {
            return status;
        }
        match alarm(self.args, &inspection) {
            Status::Done if interrupt::stopped() => Status::Interrupted,
            status => status,
        }
    }
}

impl Drop for WatchScreen<'_> {
    /// Also when we panic.
    fn drop(&mut self) {
        self.restore();
    }
}

/// Writes what steers the screen, whatever is thought of colours.
fn control(codes: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(codes.as_bytes()).and_then(|()| stdout.flush());
}
