//! `portsim inspect --to-scenario`: what was seen of this machine, as a scenario that `run` takes.

use std::time::{Duration, SystemTime};

use portsim::inspect::{self, Observer};
use portsim::numbers::{plural, span};
use portsim::report::provenance::utc;
use portsim::traffic::{LiveSurvey, scenario};

use super::super::args::InspectArgs;
use super::super::terminal::{self, Terminal, wrap};
use super::super::{Status, interrupt};
use super::{OFTEN, deliver, refused, repeatedly};

/// Long enough for a rate of one a second to be known to a quarter.
const USUAL: Duration = Duration::from_secs(60);

pub(super) fn to_scenario(args: &InspectArgs) -> Status {
    let length = args.length.map_or(USUAL, |length| Duration::from_secs_f64(length.as_secs_f64()));
    interrupt::catch_saying("\nStopping: the scenario is of what was seen until now.");
    let (mut observer, mut live) = (Observer::default(), LiveSurvey::default());
    let before = inspect::active_opens();
    let what = "watching this machine".to_owned();
    let looked = repeatedly(length, OFTEN, what, !args.quiet, |now| {
        let inspection = observer.look_with(now, |flow, event| live.hear(flow, event))?;
        live.look(&inspection, observer.open());
        Ok(inspection)
    });
    let inspection = match looked {
        Ok(inspection) => inspection,
        Err(unreadable) => return refused(&unreadable),
    };
    let seconds = inspection.watched_s;
    let title =
        format!("This machine at {}, watched for {}", utc(SystemTime::now()), span(seconds));
    let begun = before.zip(inspect::active_opens()).map(|(before, now)| now.saturating_sub(before));
    let survey = live.survey(&inspection.system, observer.open(), begun, title);
    let flows = || survey.hosts.iter().flat_map(|host| &host.flows);
    if flows().all(|flow| flow.opened == 0 && flow.standing == 0) {
        terminal::error(format!(
            "in {} no connection of this machine held a port of {}: there is nothing to make a scenario \
             of; watch for longer with --for '10 min'",
            span(seconds),
            inspection.system.range
        ));
        return Status::CouldNotFinish;
    }
    let mut terminal = Terminal::new(args.quiet);
    if deliver(args.out.as_deref(), &scenario::text(&survey), &mut terminal).is_err() {
        return Status::CouldNotFinish;
    }
    let opened: u64 = flows().map(|flow| flow.opened).sum();
    let file = args.out.as_ref().map_or("FILE".into(), |out| out.display().to_string());
    let told = format!(
        "{} to {} in {}; run it with: portsim run {file}",
        plural(opened, "connection", "connections"),
        plural(flows().count() as u64, "destination", "destinations"),
        span(seconds)
    );
    terminal.note(&wrap(&told, terminal::width(), 2));
    match terminal.status() {
        Status::Done if interrupt::stopped() => Status::Interrupted,
        status => status,
    }
}
