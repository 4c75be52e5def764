//! The machine of an experiment, as the model has it: its world, and sockets that a script opens and
//! closes one by one.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use super::case::{Call, Close, Destinations, How, Setup};
use super::predict::{Draw, Kernel};
use crate::model::{
    Arrivals, Binds, Client, Closing, Distribution, Ending, Host, PoolPlan, PortRange, PortSet,
    ReuseKey, SearchCost, SelectionKind, SocketId, SocketOptions, Sockets, SynTimeout, Target,
    TcpSettings, TimerGrid, TwReuse, Wanted,
};
use crate::units::{SimDuration, SimTime};

/// `host` of a world that is set up as `setup` says, with one client for each of `hows`.
///
/// # Panics
/// When the range is none.
pub(super) fn host(setup: &Setup, draw: Draw, sources: u32, hows: &[How]) -> Host {
    let highest = u32::from(setup.lo) + setup.n - 1;
    let ports = u16::try_from(highest).ok().and_then(|highest| PortRange::new(setup.lo, highest));
    Host {
        name: "machine".into(),
        count: 1,
        addresses: sources,
        ports: ports.expect("a case has a range of ports"),
        reserved: port_set(&setup.reserved),
        listeners: PortSet::default(),
        squatters: Vec::new(),
        time_wait: SimDuration::from_secs(60),
        timer_grid: TimerGrid::LinuxWheel { hz: draw.kernel.hz },
        selection: if draw.kernel.version < (5, 12) {
            SelectionKind::LinuxSharedHint
        } else {
            SelectionKind::Linux
        },
        reuse_key: ReuseKey::FourTuple,
        tcp: tcp(setup, draw.kernel),
        search_cost: None::<SearchCost>,
        clients: hows.iter().enumerate().map(|(number, how)| client(number, how)).collect(),
    }
}

/// The sysctls of a setup on a kernel; what it leaves out has that kernel's default.
fn tcp(setup: &Setup, kernel: Kernel) -> TcpSettings {
    let usual = of_version(kernel.version);
    TcpSettings {
        tw_reuse: match setup.tw_reuse {
            0 => TwReuse::Never,
            1 => TwReuse::Always,
            _ => TwReuse::Loopback,
        },
        tw_reuse_delay: setup
            .tw_reuse_delay
            .map_or(usual.tw_reuse_delay, |delay| SimDuration::from_millis(delay.into())),
        timestamps: setup.timestamps != 0,
        max_tw_buckets: setup.max_tw,
        fin_timeout: setup
            .fin_timeout
            .map_or(usual.fin_timeout, |timeout| SimDuration::from_secs(timeout.into())),
        autobind_reuse: setup.autobind_reuse != 0,
        ..usual
    }
}

/// The rules of one version of Linux, as the presets have them.
fn of_version(version: (u16, u16)) -> TcpSettings {
    let since = |major, minor| version >= (major, minor);
    let usual = TcpSettings::default();
    let second = SimDuration::from_secs(1);
    // tcp_twsk_unique: an age of more than `tcp_tw_reuse_delay` in milliseconds; before 6.14 another
    // second than then; before 4.19 another than the one after that.
    let (tw_reuse_delay, tw_reuse_clock) = match version {
        _ if since(6, 14) => (usual.tw_reuse_delay, usual.tw_reuse_clock),
        _ if since(4, 19) => (SimDuration::ZERO, second),
        _ => (second, second),
    };
    TcpSettings {
        tw_reuse_delay,
        tw_reuse_clock,
        narrow_range_by_one: since(6, 8),
        buckets_reopen: since(6, 18),
        ..usual
    }
}

/// With these `tcp_syn_retries` and `tcp_syn_linear_timeouts`.
pub(super) fn with_syn(host: Host, retries: u8, linear_timeouts: u8) -> Host {
    let syn = SynTimeout::Linux { retries, linear_timeouts };
    Host { tcp: TcpSettings { syn, ..host.tcp }, ..host }
}

fn client(number: usize, how: &How) -> Client {
    Client {
        name: format!("client-{number}"),
        targets: vec![Target { destination: 0, weight: 1.0 }],
        arrivals: Arrivals::Trace([].into()),
        lifetime: Distribution::Constant(SimDuration::ZERO),
        closes: vec![(Ending::Client, 1.0)],
        second_fin: Distribution::Constant(SimDuration::ZERO),
        binds: binds(how.call),
        socket: options(how),
    }
}

pub(super) const fn binds(call: Call) -> Binds {
    match call {
        Call::Connect => Binds::Connect,
        Call::Bind => Binds::Bind,
        Call::BindNoPort => Binds::BindNoPort,
    }
}

pub(super) fn options(how: &How) -> SocketOptions {
    SocketOptions {
        reuse_address: how.reuse_address,
        reuse_port: how.reuse_port,
        port_range: how.port_range.and_then(|(low, high)| PortRange::new(low, high)),
        ..SocketOptions::default()
    }
}

pub(super) const fn ending(close: Close) -> Ending {
    match close {
        Close::Client => Ending::Client,
        Close::Server => Ending::Server,
        Close::Rst => Ending::Reset,
        Close::RstServer => Ending::ServerReset,
        Close::Unread => Ending::Unread,
        Close::Half => Ending::Half,
    }
}

/// The ports of a sysctl's list: `40000-40009,60103`.
fn port_set(list: &str) -> PortSet {
    let ranges = list.split(',').filter(|part| !part.trim().is_empty()).filter_map(|part| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        Some(low.trim().parse::<u16>().ok()?..=high.trim().parse().ok()?)
    });
    ranges.flatten().collect()
}

/// Sockets that a script opens and closes one by one, and a clock that it moves.
pub(super) struct Script {
    pub now: SimTime,
    sockets: Sockets,
    plan: PoolPlan,
    closing: Closing,
    rng: Xoshiro256PlusPlus,
    /// What is to happen, in no order.
    due: Vec<(SimTime, Due)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    Reusable(SocketId),
    Gone(SocketId),
}

/// A connection that a script has opened.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    pub socket: SocketId,
    pub port: u16,
    pub probes: u32,
}

impl Script {
    /// A machine of `host` at the start, with so many destinations.
    pub fn new(host: &Host, to: Destinations, draw: Draw) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(draw.seed);
        let plan = PoolPlan::of(host, to.k);
        let closing = Closing::new(host, draw.phase, draw.seed, draw.phase);
        let sockets = Sockets::new(host, plan, &mut rng);
        Self { now: SimTime::START, sockets, plan, closing, rng, due: Vec::new() }
    }

    /// The timers of the machine.
    pub const fn closing(&self) -> &Closing {
        &self.closing
    }

    /// Lets `span` pass.
    pub fn wait(&mut self, span: SimDuration) {
        let until = self.now + span;
        loop {
            let next = self.due.iter().copied().min_by_key(|entry| entry.0);
            let Some((at, due)) = next.filter(|entry| entry.0 <= until) else { break };
            self.now = at;
            self.due.retain(|entry| *entry != (at, due));
            match due {
                Due::Reusable(socket) => self.sockets.may_be_taken_over(socket),
                Due::Gone(socket) => self.sockets.remove(socket),
            }
        }
        self.now = until;
    }

    /// Opens a connection from source address number `source` to destination number `to`, both from 0;
    /// the error is spelled as `connect:EADDRNOTAVAIL`.
    pub fn open(
        &mut self,
        how: &How,
        source: u32,
        to: u32,
        port: Option<u16>,
    ) -> Result<Opened, &'static str> {
        let options = options(how);
        let binds = if port.is_some() { Binds::Port } else { binds(how.call) };
        let tuple = self.plan.tuple(source, to);
        let wanted = Wanted { binds, options: &options, tuple, port };
        let got = self
            .sockets
            .open(wanted, self.now, &mut self.rng)
            .map_err(|(refusal, _)| refusal.on_linux())?;
        if let Some(old) = got.replaced {
            // The record may be the new connection's already: nothing of the old one is due any more.
            self.due
                .retain(|(_, due)| !matches!(due, Due::Reusable(s) | Due::Gone(s) if *s == old));
        }
        Ok(Opened { socket: got.socket, port: self.sockets.port(got.bit), probes: got.probes })
    }

    /// Ends a connection; one of a bound socket is never taken over by `connect()`.
    pub fn close(&mut self, socket: SocketId, close: Close) {
        if close != Close::Client && close != Close::Half || !self.sockets.wait(socket) {
            self.sockets.remove(socket);
            return;
        }
        let gone = if close == Close::Half {
            self.closing.fin_wait_2(self.now).1
        } else {
            if self.closing.may_be_taken_over(true) {
                self.due.push((self.closing.taken_over_from(self.now), Due::Reusable(socket)));
            }
            self.closing.time_wait().expires(self.now)
        };
        self.due.push((gone, Due::Gone(socket)));
    }
}
