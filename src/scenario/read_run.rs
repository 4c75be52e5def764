//! `[run]`: for how long, from which start, how often.

use super::problem::Problem;
use super::source::Span;
use super::tree::{Node, Table};
use super::walk::Walk;
use crate::model::{Arrivals, Replications, RunSettings, Start, World};
use crate::units::{NANOS_PER_SECOND, SimDuration, SimTime};

/// The keys of `[run]`.
pub(super) const KEYS: [&str; 6] =
    ["duration", "start", "warm_up", "seed", "replications", "precision"];

const STARTS: [(&str, Start); 2] = [("empty", Start::Empty), ("stationary", Start::Stationary)];

/// How to run, and where a start in the steady state was asked for.
#[derive(Debug)]
pub(super) struct Run {
    pub settings: RunSettings,
    /// Where it says `start = "stationary"`.
    pub stationary: Option<Span>,
    /// Where it says how long, if it does, and whether that could be read.
    duration: Option<(Span, bool)>,
    /// Where it says `warm_up`.
    warm_up: Option<Span>,
}

impl Run {
    /// What holds where `[run]` says nothing.
    fn usual() -> Self {
        let settings = RunSettings {
            duration: SimDuration::from_secs(600),
            warm_up: SimDuration::ZERO,
            start: Start::Empty,
            seed: 1,
            replications: Replications::Fixed(20),
        };
        Self { settings, stationary: None, duration: None, warm_up: None }
    }

    /// Decides what needs the whole world: a run of nothing but recorded attempts is as long as these,
    /// if nobody says otherwise; and a warm-up must leave something of it.
    pub fn settle(&mut self, walk: &Walk, world: Option<&World>) {
        let record = world.and_then(length_of_record).filter(|_| self.duration.is_none());
        self.settings.duration = record.unwrap_or(self.settings.duration);
        // Against a duration that is not known, any warm-up would look too long.
        if self.duration.map_or(world.is_some(), |(_, is_read)| is_read) {
            self.check_warm_up(walk);
        }
    }

    fn check_warm_up(&self, walk: &Walk) {
        let (warm_up, duration) = (self.settings.warm_up, self.settings.duration);
        let Some(at) = self.warm_up.filter(|_| warm_up >= duration) else { return };
        let message = format!("a warm_up of {warm_up} leaves nothing of a run of {duration}");
        let mut problem = Problem::at(at, message)
            .label("must be shorter than the duration")
            .help("write a shorter warm_up, or a longer duration");
        if let Some((at, _)) = self.duration {
            problem = problem.context(at, "the duration");
        }
        walk.report(problem);
    }
}

/// Reads `[run]`; what is wrong with it is reported, and its usual value stands in.
pub(super) fn run(walk: &Walk, node: Option<&Node>) -> Run {
    let mut run = Run::usual();
    let Some(node) = node else { return run };
    let help = "for example duration = \"10 min\" below a line [run]";
    let Some(table) = walk.table(node, "[run]", &KEYS, help) else { return run };
    let settings = &mut run.settings;
    let find = |key: &str| table.get(key).map(|entry| &entry.node);
    let too_short = "for example duration = \"10 min\"";
    let duration =
        find("duration").and_then(|node| walk.positive_duration(node, "duration", too_short));
    settings.duration = duration.unwrap_or(settings.duration);
    run.duration = find("duration").map(|node| (node.at, duration.is_some()));
    if let Some(node) = find("warm_up")
        && let Some(value) = walk.duration(node, "warm_up")
    {
        settings.warm_up = value;
        run.warm_up = Some(node.at);
    }
    if let Some(node) = find("start")
        && let Some(start) = walk.choice(node, "start", &STARTS)
    {
        settings.start = start;
        run.stationary = (start == Start::Stationary).then_some(node.at);
    }
    if let Some(seed) = find("seed").and_then(|node| walk.integer(node, "seed", 0, u64::MAX)) {
        settings.seed = seed;
    }
    if let Some(replications) = replications(walk, table) {
        settings.replications = replications;
    }
    run
}

fn replications(walk: &Walk, table: &Table) -> Option<Replications> {
    match (table.get("replications"), table.get("precision")) {
        (Some(fixed), Some(precise)) => {
            let message = "`replications` and `precision` cannot both be given";
            let problem = Problem::at(precise.key_at, message)
                .label("this one is too much")
                .context(fixed.key_at, "given here")
                .help("`precision` replicates as often as it takes, `replications` so many times");
            walk.report(problem);
            None
        }
        (Some(fixed), None) => {
            let number = walk.small_integer(&fixed.node, "replications", 1, 100_000)?;
            Some(Replications::Fixed(number))
        }
        (None, Some(precise)) => precision(walk, &precise.node).map(Replications::Precision),
        (None, None) => None,
    }
}

fn precision(walk: &Walk, node: &Node) -> Option<f64> {
    let share = walk.share(node, "precision")?;
    if (0.0001..=1.0).contains(&share) {
        return Some(share);
    }
    let problem = Problem::at(node.at, "this precision is not possible")
        .label(if share > 1.0 { "above 100 %" } else { "below 0.01 %" })
        .help("write from \"0.01 %\" to \"100 %\"; \"1 %\" is a good start");
    walk.report(problem);
    None
}

/// How long a run takes in which every client makes recorded attempts: to the second after the last,
/// and one more. `None` where a client's attempts are drawn.
fn length_of_record(world: &World) -> Option<SimDuration> {
    let clients = world.hosts.iter().flat_map(|host| &host.clients);
    let ends: Option<Vec<SimTime>> = clients
        .map(|client| match &client.arrivals {
            Arrivals::Trace(attempts) => Some(attempts.last()?.at),
            _ => None,
        })
        .collect();
    let last = ends?.into_iter().max()?;
    Some(SimDuration::from_secs(last.as_nanos().div_ceil(NANOS_PER_SECOND) + 1))
}
