//! The settings of a host's TCP, by the names of Linux's sysctls.

use super::fields::Fields;
use crate::model::{SearchCost, SynTimeout, TcpSettings, TwReuse};
use crate::scenario::keys::Place;
use crate::scenario::preset::Preset;
use crate::scenario::text::problem::Problem;
use crate::scenario::text::tree::Node;
use crate::units::SimDuration;

const TW_REUSES: [TwReuse; 3] = [TwReuse::Never, TwReuse::Always, TwReuse::Loopback];

const MILLISECOND: SimDuration = SimDuration::from_millis(1);
const SECOND: SimDuration = SimDuration::from_secs(1);

/// What `[host.NAME]` and its preset say of its TCP.
pub(crate) fn tcp(fields: &Fields<'_>, preset: &Preset) -> Option<TcpSettings> {
    if preset.kernel.is_some() { linux(fields) } else { other(fields) }
}

fn linux(fields: &Fields<'_>) -> Option<TcpSettings> {
    let tw_reuse = fields.small("tcp_tw_reuse");
    let tw_reuse_delay = fields.time("tcp_tw_reuse_delay");
    let tw_reuse_clock = clock(fields);
    let timestamps = fields.small("tcp_timestamps");
    let max_tw_buckets = fields.maybe("tcp_max_tw_buckets", |_| fields.small("tcp_max_tw_buckets"));
    let fin_timeout = fields.time("tcp_fin_timeout");
    let retries = fields.small("tcp_syn_retries");
    let linear_timeouts = fields.small("tcp_syn_linear_timeouts");
    let autobind_reuse = fields.small("ip_autobind_reuse");
    let buckets_reopen = fields.flag("buckets_reopen");
    let narrow_range_by_one = fields.flag("narrow_range_by_one");
    let retries = u8::try_from(retries?).ok()?;
    let linear_timeouts = u8::try_from(linear_timeouts?).ok()?;
    Some(TcpSettings {
        tw_reuse: TW_REUSES[tw_reuse? as usize],
        tw_reuse_delay: tw_reuse_delay?,
        tw_reuse_clock: tw_reuse_clock?,
        timestamps: timestamps? > 0,
        max_tw_buckets: max_tw_buckets?,
        fin_timeout: fin_timeout?,
        syn: SynTimeout::Linux { retries, linear_timeouts },
        autobind_reuse: autobind_reuse? == 1,
        buckets_reopen: buckets_reopen?,
        narrow_range_by_one: narrow_range_by_one?,
    })
}

/// Systems that are not Linux have two times of their own, and nothing out of TIME-WAIT.
fn other(fields: &Fields<'_>) -> Option<TcpSettings> {
    let (connect_timeout, fin_wait_2) = (fields.time("connect_timeout"), fields.time("fin_wait_2"));
    Some(TcpSettings {
        tw_reuse: TwReuse::Never,
        syn: SynTimeout::After(connect_timeout?),
        fin_timeout: fin_wait_2?,
        ..TcpSettings::default()
    })
}

/// What a search costs.
pub(crate) fn search_cost(fields: &Fields<'_>, node: &Node) -> Option<SearchCost> {
    let key = "search_cost";
    let help = fields.example(key);
    let cost = Fields::open(fields.walk, node, Place::SearchCost, key, &help)?;
    let part = |name| {
        cost.need_as(name, node.at, key, &help)?;
        cost.time(name)
    };
    let (connect, probe) = (part("connect"), part("probe"));
    Some(SearchCost { connect: connect?, probe: probe? })
}

fn clock(fields: &Fields<'_>) -> Option<SimDuration> {
    let clock = fields.time("tw_reuse_clock")?;
    if [MILLISECOND, SECOND].contains(&clock) {
        return Some(clock);
    }
    let at = fields.find("tw_reuse_clock")?.at;
    let problem = Problem::at(at, format!("no kernel has a tw_reuse_clock of {clock}"))
        .label("not possible")
        .help("write \"1 ms\" for Linux 6.14 and later, \"1 s\" for earlier ones");
    fields.walk.report(problem);
    None
}
