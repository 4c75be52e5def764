//! The machine of an experiment, as the model has it: its world, and sockets that a script opens and
//! closes one by one.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use super::case::{Call, Destinations, How, Setup, SquatterKind};
use crate::engine::{Calendar, Machine, Opened, Unobserved};
use crate::model::{
    Arrivals, Attempt, Binds, Client, Ending, Host, Life, PoolPlan, PortRange, PortSet, Remote,
    SocketOptions, Sockets, Squatter, SquatterAddress, SynTimeout, TcpSettings, Timers, Tuple,
    TwReuse, Will,
};
use crate::platform::Linux;
use crate::units::{SimDuration, SimTime};

/// What is not known of a machine: where its timers lie, and its random numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Where the timer grid lies, 0 to 1 of the step of TIME-WAIT.
    pub phase: f64,
    /// For all random numbers.
    pub seed: u64,
    /// The kernel.
    pub kernel: Kernel,
}

/// What the model has to know of a kernel: which rules it follows, and how coarse its timers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Its version.
    pub version: Linux,
    /// Jiffies a second.
    pub hz: u32,
}

impl Kernel {
    /// The kernel that the model was measured on.
    pub const MEASURED: Self = Self { version: Linux::NEWEST, hz: 250 };
}

/// The golden ratio less one: the fractions of its multiples are spread evenly, however many there are.
pub(super) const GOLDEN: f64 = 0.618_033_988_749_895;

impl Draw {
    /// `count` draws of a kernel: one phase in each of `count` equal parts, seeds different.
    pub fn spread(count: u32, kernel: Kernel) -> impl Iterator<Item = Self> {
        // At even distances all phases would be the same on finer grids: the place inside each part
        // follows multiples of the golden ratio.
        (0..count).map(move |index| Self {
            phase: (f64::from(index) + (f64::from(index) * GOLDEN).fract()) / f64::from(count),
            seed: u64::from(index) + 1,
            kernel,
        })
    }
}

/// `host` of a world that is set up as `setup` says, with one client for each of `hows`.
///
/// # Panics
/// When the range is none.
pub(super) fn host(setup: &Setup, draw: Draw, sources: u32, hows: &[How]) -> Host {
    let linux = draw.kernel.version;
    let highest = u32::from(setup.lo) + setup.n - 1;
    let ports = u16::try_from(highest).ok().and_then(|highest| PortRange::new(setup.lo, highest));
    Host {
        addresses: sources,
        ports: ports.expect("a case has a range of ports"),
        reserved: port_set(&setup.reserved),
        timer_grid: linux.timer_grid(draw.kernel.hz),
        tcp: tcp(setup, linux),
        clients: hows.iter().enumerate().map(|(number, how)| client(number, how)).collect(),
        ..linux.host("machine")
    }
}

/// Lets something sit on `ports` of `host` from the start.
pub(super) fn sit(host: &mut Host, kind: SquatterKind, ports: PortSet) {
    match kind {
        SquatterKind::ListenAny | SquatterKind::ListenV6Any => {
            host.listeners = host.listeners.ports().iter().chain(ports.ports()).copied().collect();
        }
        SquatterKind::ListenSource | SquatterKind::AcceptedChild => {
            host.squatters.push(Squatter { ports, on: SquatterAddress::Source(0) });
        }
        SquatterKind::ListenOther
        | SquatterKind::ListenReuseAddressOther
        | SquatterKind::BoundOther => {
            host.squatters.push(Squatter { ports, on: SquatterAddress::Other });
        }
        SquatterKind::BoundConnectTimeWait
        | SquatterKind::BoundConnectReset
        | SquatterKind::Udp => {}
    }
}

/// The sysctls of a setup on a kernel; what it leaves out has that kernel's default.
fn tcp(setup: &Setup, linux: Linux) -> TcpSettings {
    let usual = linux.tcp();
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
        autobind_reuse: match linux.has("ip_autobind_reuse") {
            true => setup.autobind_reuse != 0,
            false => usual.autobind_reuse,
        },
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
        binds: binds(how.call),
        socket: options(how),
        ..Client::new(format!("client-{number}"), Arrivals::Trace([].into()), SimDuration::ZERO)
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
    machine: Machine<Sockets>,
    timers: Timers,
    /// Each is a client of the host.
    hows: Vec<How>,
}

impl Script {
    /// A machine of `host` at the start, with so many destinations; its clients do as `hows` say.
    pub fn new(host: &Host, hows: &[How], to: Destinations, draw: Draw) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(draw.seed);
        let plan = PoolPlan::of(host, to.k);
        let timers = Timers::new(host, draw.phase, draw.seed, draw.phase);
        let sockets = Sockets::new(host, plan, timers, SimTime::START, &mut rng);
        let queue = Calendar::new(u64::from(host.ports.num_ephemeral()), host.time_wait);
        let machine = Machine::new(sockets, timers, rng, queue);
        Self { machine, timers, hows: hows.to_vec() }
    }

    /// The life of a connection over loopback that is closed as `ending` says `lifetime` after it is opened
    /// at `at`, and by the other side `second_fin` later.
    pub fn life(&self, at: SimTime, ending: Ending, second_fin: SimDuration) -> Life {
        let (lifetime, remote) = (SimDuration::ZERO, Remote::AnswersHere);
        self.timers.life(at, &Will { lifetime, second_fin, ending, remote, bound: false })
    }

    /// When an attempt made at `at` that nobody answers is given up.
    pub fn given_up(&self, at: SimTime) -> SimTime {
        let (lifetime, second_fin) = (SimDuration::ZERO, SimDuration::ZERO);
        let (ending, remote) = (Ending::Never, Remote::Silent);
        self.timers.life(at, &Will { lifetime, second_fin, ending, remote, bound: false }).answered
    }

    /// The time that it has come to.
    pub fn now(&self) -> SimTime {
        self.machine.now()
    }

    /// Lets `span` pass.
    pub fn wait(&mut self, span: SimDuration) {
        self.machine.advance(self.now() + span, &mut Unobserved);
    }

    /// Opens a connection from source address number `source` to destination number `to`, both from 0;
    /// the error is spelled as `connect:EADDRNOTAVAIL`.
    ///
    /// # Panics
    /// When no client does as `how` says.
    pub fn open(&mut self, how: &How, source: u32, to: u32) -> Result<Opened, &'static str> {
        let client = self.hows.iter().position(|known| known == how).expect("a client does so");
        let attempt = Attempt {
            at: self.now(),
            lifetime: SimDuration::ZERO,
            tuple: Tuple { source, endpoint: to },
            ending: Ending::Never,
            remote: Remote::AnswersHere,
            client: client as u16,
            machine: 0,
        };
        self.machine
            .open(&attempt, SimDuration::ZERO, &mut Unobserved)
            .map_err(|refused| refused.refusal.on_linux())
    }

    /// Ends a connection.
    pub fn close(&mut self, opened: Opened, close: Ending) {
        self.machine.close(opened.connection, close, &mut Unobserved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `validate` and `run` take a kernel for the same.
    #[test]
    fn the_machine_of_an_experiment_is_what_the_preset_of_its_kernel_makes() {
        for version in Linux::known() {
            let text = format!(
                "[host.here]\npreset = \"linux-{version}\"\n[client.any]\nlifetime = \"0 s\"\n\
                 arrivals = {{ process = \"poisson\", rate = \"1 / s\" }}\n"
            );
            let read = crate::scenario::parse("here", "here.toml", text, &[]).unwrap();
            let preset = &read.world.hosts[0];
            let kernel = Kernel { version, hz: 250 };
            let setup = Setup { tw_reuse: preset.tcp.tw_reuse as u8, ..Setup::new(40_000, 50) };
            let machine = host(&setup, Draw { phase: 0.5, seed: 1, kernel }, 1, &[]);
            assert_eq!(machine.tcp, preset.tcp, "{version}");
            assert_eq!(machine.selection, preset.selection, "{version}");
            assert_eq!(machine.time_wait, preset.time_wait, "{version}");
            assert_eq!(machine.timer_grid, preset.timer_grid, "{version}");
            assert_eq!(machine.reuse_key, preset.reuse_key, "{version}");
        }
    }
}
