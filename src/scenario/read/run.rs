//! `[run]`: for how long, from which start, how often.

use super::fields::Fields;
use crate::model::{Arrivals, Replications, RunSettings, Start, World};
use crate::scenario::keys::{Place, STARTS};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::source::Span;
use crate::scenario::text::tree::{Node, Table};
use crate::scenario::text::walk::Walk;
use crate::units::{NANOS_PER_SECOND, SimDuration, SimTime};

/// How to run, and where a start in the steady state was asked for.
#[derive(Debug)]
pub(crate) struct Run {
    pub settings: RunSettings,
    /// Where it says `start = "stationary"`.
    pub stationary: Option<Span>,
    /// Where it says how long, if it does, and whether that could be read.
    duration: Option<(Span, bool)>,
    /// Where it says `warm_up`.
    warm_up: Option<Span>,
}

impl Run {
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

/// Why a key of `[run]` has a value whatever the file says.
const USUAL: &str = "its row says what is usual";

/// Reads `[run]`; what is wrong with it is reported, and its usual value stands in.
pub(crate) fn run(walk: &Walk, node: Option<&Node>) -> Run {
    let nothing = Table::default();
    let usual = Fields::new(walk, &nothing, Place::Run);
    let help = "for example duration = \"10 min\" below a line [run]";
    let fields = node.and_then(|node| Fields::open(walk, node, Place::Run, "[run]", help));
    let fields = fields.unwrap_or(usual);
    let duration = fields.time("duration");
    let start = fields.word("start", STARTS).unwrap_or(Start::Empty);
    let place = |key: &str| fields.entry(key).map(|entry| entry.node.at);
    let settings = RunSettings {
        duration: duration.or_else(|| usual.time("duration")).expect(USUAL),
        warm_up: fields.time("warm_up").or_else(|| usual.time("warm_up")).expect(USUAL),
        start,
        seed: fields.whole("seed").or_else(|| usual.whole("seed")).expect(USUAL),
        replications: replications(&fields).or_else(|| replications(&usual)).expect(USUAL),
    };
    Run {
        settings,
        stationary: place("start").filter(|_| start == Start::Stationary),
        duration: place("duration").map(|at| (at, duration.is_some())),
        warm_up: place("warm_up"),
    }
}

fn replications(fields: &Fields<'_>) -> Option<Replications> {
    match (fields.entry("replications"), fields.entry("precision")) {
        (Some(fixed), Some(precise)) => {
            let message = "`replications` and `precision` cannot both be given";
            let problem = Problem::at(precise.key_at, message)
                .label("this one is too much")
                .context(fixed.key_at, "given here")
                .help("`precision` replicates as often as it takes, `replications` so many times");
            fields.walk.report(problem);
            None
        }
        (None, Some(_)) => fields.share("precision").map(Replications::Precision),
        (_, None) => fields.small("replications").map(Replications::Fixed),
    }
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
