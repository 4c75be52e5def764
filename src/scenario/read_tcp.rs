//! The settings of a host's TCP, by the names of Linux's sysctls.

use super::problem::Problem;
use super::read_host::Fields;
use super::tree::{Node, Value};
use crate::model::{SearchCost, SynTimeout, TcpSettings, TwReuse};
use crate::units::SimDuration;

const TW_REUSES: [TwReuse; 3] = [TwReuse::Never, TwReuse::Always, TwReuse::Loopback];

const MILLISECOND: SimDuration = SimDuration::from_millis(1);
const SECOND: SimDuration = SimDuration::from_secs(1);

/// Linux 6.18 `net/ipv4/sysctl_net_ipv4.c:tcp_tw_reuse_delay_max`; measured: 60000 is taken, 60001 is not.
const LONGEST_REUSE_DELAY: SimDuration = SimDuration::from_secs(60);

/// So many seconds are the most that an int of milliseconds holds.
const LONGEST_FIN_TIMEOUT: SimDuration = SimDuration::from_secs(2_147_483);

impl Fields<'_> {
    /// What `[host.NAME]` and its preset say of its TCP.
    pub(super) fn tcp(&self) -> Option<TcpSettings> {
        if self.preset.kernel.is_some() { self.linux_tcp() } else { self.other_tcp() }
    }

    fn linux_tcp(&self) -> Option<TcpSettings> {
        let tw_reuse = self.number("tcp_tw_reuse", 0, 2);
        let tw_reuse_delay = self.find("tcp_tw_reuse_delay").and_then(|node| self.delay(node));
        let tw_reuse_clock = self.find("tw_reuse_clock").and_then(|node| self.clock(node));
        let timestamps = self.number("tcp_timestamps", 0, 2);
        let max_tw_buckets = match self.find("tcp_max_tw_buckets") {
            Some(_) => self.number("tcp_max_tw_buckets", 0, i32::MAX as u32).map(Some),
            None => Some(None),
        };
        let fin_timeout = self.find("tcp_fin_timeout").and_then(|node| {
            self.time(node, "tcp_fin_timeout", SECOND, SimDuration::ZERO..=LONGEST_FIN_TIMEOUT)
        });
        let retries = self.number("tcp_syn_retries", 1, 127);
        let linear_timeouts = self.number("tcp_syn_linear_timeouts", 0, 127);
        let autobind_reuse = self.number("ip_autobind_reuse", 0, 1);
        let buckets_reopen = self.flag("buckets_reopen");
        let narrow_range_by_one = self.flag("narrow_range_by_one");
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
    fn other_tcp(&self) -> Option<TcpSettings> {
        let walk = self.walk;
        let connect_timeout = self.find("connect_timeout").and_then(|node| {
            walk.positive_duration(
                node,
                "connect_timeout",
                "for example connect_timeout = \"75 s\"",
            )
        });
        let fin_wait_2 = self.find("fin_wait_2").and_then(|node| walk.duration(node, "fin_wait_2"));
        Some(TcpSettings {
            tw_reuse: TwReuse::Never,
            syn: SynTimeout::After(connect_timeout?),
            fin_timeout: fin_wait_2?,
            ..TcpSettings::default()
        })
    }

    /// What a search costs, where the file says.
    pub(super) fn search_cost(&self) -> Option<Option<SearchCost>> {
        let Some(node) = self.find("search_cost") else { return Some(None) };
        let example = "search_cost = { connect = \"14 us\", probe = \"70 ns\" }";
        let keys = ["connect", "probe"];
        let table =
            self.walk.table(node, "search_cost", &keys, &format!("for example {example}"))?;
        let part = |key: &str| {
            let found = table.get(key);
            if found.is_none() && !self.walk.mistyped(table, key, &[], &keys) {
                self.walk.missing(node.at, "search_cost", key, &format!("for example {example}"));
            }
            self.walk.duration(&found?.node, key)
        };
        let (connect, probe) = (part("connect"), part("probe"));
        Some(Some(SearchCost { connect: connect?, probe: probe? }))
    }

    fn number(&self, key: &str, least: u32, most: u32) -> Option<u32> {
        self.walk.small_integer(self.find(key)?, key, least, most)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.walk.flag(self.find(key)?, key)
    }

    fn delay(&self, node: &Node) -> Option<SimDuration> {
        // Before 6.14 there was none, and its presets say so; nobody can ask for that.
        let least = match self.is_from_preset(node) {
            true => SimDuration::ZERO,
            false => MILLISECOND,
        };
        self.time(node, "tcp_tw_reuse_delay", MILLISECOND, least..=LONGEST_REUSE_DELAY)
    }

    fn clock(&self, node: &Node) -> Option<SimDuration> {
        let clock = self.walk.duration(node, "tw_reuse_clock")?;
        if [MILLISECOND, SECOND].contains(&clock) {
            return Some(clock);
        }
        let problem = Problem::at(node.at, format!("no kernel has a tw_reuse_clock of {clock}"))
            .label("not possible")
            .help("write \"1 ms\" for Linux 6.14 and later, \"1 s\" for earlier ones");
        self.walk.report(problem);
        None
    }

    /// A time as text with its unit, or as a whole number in the sysctl's own `unit`.
    fn time(
        &self,
        node: &Node,
        key: &str,
        unit: SimDuration,
        bounds: std::ops::RangeInclusive<SimDuration>,
    ) -> Option<SimDuration> {
        let (least, most) = (*bounds.start(), *bounds.end());
        if let Value::Integer(_) = node.value {
            let count = |span: SimDuration| span.as_nanos() / unit.as_nanos();
            let number = self.walk.integer(node, key, count(least), count(most))?;
            return Some(SimDuration::from_nanos(number * unit.as_nanos()));
        }
        let span = self.walk.duration(node, key)?;
        if bounds.contains(&span) {
            return Some(span);
        }
        let problem = Problem::at(node.at, format!("{key} = \"{span}\" is not possible"))
            .label(if span < least { "too short" } else { "too long" })
            .help(format!("{key} lies between {least} and {most}"));
        self.walk.report(problem);
        None
    }
}
