//! `pool = "go"`, or a table over such a preset: how a client keeps connections for requests to come.

use super::fields::Fields;
use crate::model::{Ending, KeepAlive};
use crate::scenario::keys::{
    self, COUNTS, IDLE_CHECKS, NOTICES, OVERFLOWS, POOL_CLOSES, Place, TAKES,
};
use crate::scenario::preset::{Preset, pool_preset, pool_presets};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::suggest::{instead, shown};
use crate::scenario::text::tree::{Node, Table, Value};
use crate::scenario::text::walk::Walk;

/// A pool, and who closes what it gives up.
#[derive(Clone, Debug)]
pub(crate) struct ReadPool {
    pub keeps: KeepAlive,
    pub closes: Ending,
}

/// Reads the pool that `node` describes.
pub(crate) fn pool(walk: &Walk, node: &Node) -> Option<ReadPool> {
    let help = "for example pool = \"go\", or pool = { preset = \"go\", max_idle = 10 }";
    if let Value::Text(_) = node.value {
        let preset = named(walk, node)?;
        return read(&Fields::new(walk, &Table::default(), Place::Pool).over(preset));
    }
    let table = walk.table(node, "pool", &keys::names(Place::Pool), help)?;
    let fields = Fields::new(walk, table, Place::Pool);
    let preset = fields.entry("preset").map(|entry| named(walk, &entry.node));
    match preset {
        // What stands beside an unknown preset is checked too.
        Some(None) => read(&fields).and(None),
        Some(Some(preset)) => read(&fields.over(preset)),
        None => read(&fields),
    }
}

fn named(walk: &Walk, node: &Node) -> Option<&'static Preset> {
    let name = walk.text(node, "preset", "for example pool = \"go\"")?;
    let found = pool_preset(&name);
    if found.is_none() {
        let names: Vec<&str> = pool_presets().iter().map(|preset| preset.name.as_str()).collect();
        let problem = Problem::at(node.at, format!("there is no pool preset `{}`", shown(&name)))
            .label("not known")
            .help(instead(&name, &names, "preset"))
            .help("`portsim presets` shows them all");
        walk.report(problem);
    }
    found
}

/// Reads every field before any failure counts, so that all mistakes are reported.
fn read(fields: &Fields<'_>) -> Option<ReadPool> {
    let max_idle = fields.small_or_none("max_idle");
    let max_idle_total = fields.small_or_none("max_idle_total");
    let counts = fields.word("counts", COUNTS);
    let overflow = fields.word("overflow", OVERFLOWS);
    let take = fields.word("take", TAKES);
    let max_connections = fields.small_or_none("max_connections");
    let queue_timeout = fields.time_or_none("queue_timeout");
    let request_timeout = fields.time_or_none("request_timeout");
    let idle_timeout = fields.time_or_none("idle_timeout");
    let idle_check = fields.word("idle_check", IDLE_CHECKS);
    let late_binding = fields.flag("late_binding");
    let requests_per_connection = fields.small_or_none("requests_per_connection");
    let streams = fields.small("streams");
    let notices = fields.word("notices", NOTICES);
    let closes = fields.word("closes", POOL_CLOSES);
    let return_lag = fields.time("return_lag");
    let turnaround = fields.time("turnaround");
    let keeps = KeepAlive {
        max_idle: max_idle?,
        max_idle_total: max_idle_total?,
        counts: counts?,
        overflow: overflow?,
        take: take?,
        max_connections: max_connections?,
        queue_timeout: queue_timeout?,
        request_timeout: request_timeout?,
        idle_timeout: idle_timeout?,
        idle_check: idle_check?,
        late_binding: late_binding?,
        requests_per_connection: requests_per_connection?,
        streams: streams?,
        notices: notices?,
        return_lag: return_lag?,
        turnaround: turnaround?,
    };
    Some(ReadPool { keeps, closes: closes? })
}
