//! A version of Linux as the model takes it: the table's rows at that version, put together.

use super::fact::{Fact, Value};
use super::facts::FACTS;
use super::version::Linux;
use crate::model::{
    Host, PortRange, PortSet, ReuseKey, SelectionKind, SynTimeout, TcpSettings, TimerGrid, TwReuse,
};
use crate::units::SimDuration;

impl Linux {
    /// What holds for this version, in the order of the table: of each key the row that began last.
    pub fn facts(self) -> impl Iterator<Item = &'static Fact> {
        let is_over = move |next: Option<&Fact>, key| {
            next.is_some_and(|next| next.key == key && next.since <= self)
        };
        FACTS.iter().enumerate().filter_map(move |(index, fact)| {
            let holds = fact.since <= self && !is_over(FACTS.get(index + 1), fact.key);
            holds.then_some(fact)
        })
    }

    /// The row of `key` that holds for this version.
    #[must_use]
    pub fn fact(self, key: &str) -> Option<&'static Fact> {
        self.facts().find(|fact| fact.key == key)
    }

    /// Has this version the sysctl, the socket option or whatever else `key` stands for?
    #[must_use]
    pub fn has(self, key: &str) -> bool {
        self.fact(key).is_some_and(Fact::is_there)
    }

    /// The first version that has what `key` stands for.
    #[must_use]
    pub fn first_with(key: &str) -> Option<Self> {
        FACTS.iter().find(|fact| fact.key == key && fact.is_there()).map(|fact| fact.since)
    }

    /// How this version chooses ports.
    #[must_use]
    pub fn selection(self) -> SelectionKind {
        match self.value("selection") {
            Value::Selection(kind) => kind,
            other => panic!("no way of choosing ports: {other:?}"),
        }
    }

    /// Which connections may not share a port.
    #[must_use]
    pub fn reuse_key(self) -> ReuseKey {
        match self.value("reuse_key") {
            Value::ReuseKey(key) => key,
            other => panic!("no reuse key: {other:?}"),
        }
    }

    /// How long TIME-WAIT lasts.
    #[must_use]
    pub fn time_wait(self) -> SimDuration {
        self.span("time_wait")
    }

    /// The jiffies a second that most kernels of this version are built with; `None` where timers do not
    /// fire on a grid that follows from them.
    #[must_use]
    pub fn usual_hz(self) -> Option<u32> {
        Some(self.number("hz")).filter(|hz| *hz > 0)
    }

    /// How timers are rounded by a kernel of this version that was built with `hz`.
    #[must_use]
    pub fn timer_grid(self, hz: u32) -> TimerGrid {
        self.usual_hz().map_or(TimerGrid::Exact, |_| TimerGrid::LinuxWheel { hz })
    }

    /// The defaults of the sysctls, and the rules that nobody can set.
    #[must_use]
    pub fn tcp(self) -> TcpSettings {
        let number = |key| self.number(key);
        TcpSettings {
            tw_reuse: [TwReuse::Never, TwReuse::Always, TwReuse::Loopback]
                [number("tcp_tw_reuse") as usize],
            tw_reuse_delay: self.span("tcp_tw_reuse_delay"),
            tw_reuse_clock: self.span("tw_reuse_clock"),
            timestamps: number("tcp_timestamps") > 0,
            // The default depends on the machine's memory.
            max_tw_buckets: None,
            fin_timeout: self.span("tcp_fin_timeout"),
            syn: SynTimeout::Linux {
                retries: number("tcp_syn_retries") as u8,
                linear_timeouts: number("tcp_syn_linear_timeouts") as u8,
            },
            autobind_reuse: number("ip_autobind_reuse") > 0,
            buckets_reopen: self.value("buckets_reopen") == Value::Flag(true),
            narrow_range_by_one: self.value("narrow_range_by_one") == Value::Flag(true),
        }
    }

    /// A machine of this version as it comes: one source address, nothing reserved, no clients yet.
    #[must_use]
    pub fn host(self, name: impl Into<String>) -> Host {
        let ports = match self.value("ports") {
            Value::Ports(low, high) => PortRange::new(low, high),
            other => panic!("no range: {other:?}"),
        };
        Host {
            server: None,
            name: name.into(),
            count: 1,
            addresses: 1,
            ports: ports.expect("a range of the table is one"),
            reserved: PortSet::default(),
            listeners: PortSet::default(),
            squatters: Vec::new(),
            time_wait: self.time_wait(),
            timer_grid: self.timer_grid(self.number("hz")),
            selection: self.selection(),
            reuse_key: self.reuse_key(),
            tcp: self.tcp(),
            search_cost: None,
            gateway: None,
            clients: Vec::new(),
        }
    }

    fn value(self, key: &str) -> Value {
        self.nearest_known().fact(key).unwrap_or_else(|| panic!("no fact of {key}")).value
    }

    fn number(self, key: &str) -> u32 {
        match self.value(key) {
            Value::Number(number) => number,
            other => panic!("{key} is no number: {other:?}"),
        }
    }

    fn span(self, key: &str) -> SimDuration {
        match self.value(key) {
            Value::Span(span) => span,
            other => panic!("{key} is no time: {other:?}"),
        }
    }
}

impl Host {
    /// A machine with the newest Linux as it comes, [`Linux::host`]: what differs is written before `..`.
    ///
    /// ```
    /// use portsim::model::{Client, Host};
    /// use portsim::units::SimDuration;
    /// let fetcher = Client::poisson("fetcher", 600.0, SimDuration::from_millis(200));
    /// let host = Host { addresses: 2, clients: vec![fetcher], ..Host::linux("crawler") };
    /// assert_eq!(host.usable_ports(), 28_232);
    /// ```
    #[must_use]
    pub fn linux(name: impl Into<String>) -> Self {
        Linux::NEWEST.host(name)
    }
}

/// Those of the newest Linux.
impl Default for TcpSettings {
    fn default() -> Self {
        Linux::NEWEST.tcp()
    }
}
