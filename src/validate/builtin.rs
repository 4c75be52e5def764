//! The cases that `portsim validate` makes: small enough for any machine, one for each thing that the
//! model says of Linux.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

use super::attempt::Attempt;
use super::case::{
    Call, Case, Churn, Destinations, Experiment, Hold, How, Order, Setup, Squat, SquatterKind, Step,
};
use crate::model::Ending;

/// Lowest port of every range: no system's default range, and nobody's well-known port.
const LO: u16 = 40_000;

/// One destination.
const ONE: Destinations = to(1);

const fn to(k: u32) -> Destinations {
    Destinations { k, by_address: false }
}

const fn how(call: Call) -> How {
    How { call, reuse_address: false, reuse_port: false, port_range: None }
}

const CONNECT: How = how(Call::Connect);
const BIND: How = how(Call::Bind);
const BIND_REUSE: How = How { reuse_address: true, ..BIND };

const fn setup(n: u32) -> Setup {
    Setup::new(LO, n)
}

fn case(name: &str, setup: Setup, experiment: Experiment, notes: &str) -> Case {
    let (kernel, notes) = (String::new(), notes.to_owned());
    Case { name: name.to_owned(), setup, experiment, measured: None, kernel, notes }
}

/// The built-in cases: those that end within a minute and a half, or all, which take three minutes. They
/// are made side by side.
#[must_use]
pub fn builtin(quick: bool) -> Vec<Case> {
    let mut cases = holds();
    cases.extend(mixes());
    cases.extend(squats());
    cases.extend(timers(quick));
    cases.extend(orders(quick));
    cases.extend(churns());
    if !quick {
        cases.extend(long_churns());
    }
    cases
}

fn holds() -> Vec<Case> {
    let hold = |how, to, sources| Experiment::Hold(Hold { how, to, sources, round_robin: false });
    let addresses = Destinations { k: 3, by_address: true };
    let narrow = How { port_range: Some((LO + 10, LO + 29)), ..CONNECT };
    vec![
        case("hold/connect/k3", setup(50), hold(CONNECT, to(3), 1), "n ports for each destination"),
        case("hold/connect/addresses", setup(50), hold(CONNECT, addresses, 1), "by address too"),
        case(
            "hold/connect/odd51",
            setup(51),
            hold(CONNECT, to(40), 1),
            "an odd range may miss one",
        ),
        case("hold/bind/k3", setup(50), hold(BIND, to(3), 1), "bind() has n in all"),
        case("hold/bind/src3", setup(50), hold(BIND, to(2), 3), "n for each address"),
        case("hold/bind-no-port/src3", setup(50), hold(how(Call::BindNoPort), to(2), 3), ""),
        case(
            "hold/bind-reuse/k3",
            setup(50),
            hold(BIND_REUSE, to(3), 1),
            "SO_REUSEADDR is no help",
        ),
        case(
            "hold/bind-reuse-port/k3",
            setup(50),
            hold(How { reuse_port: true, ..BIND }, to(3), 1),
            "nor is SO_REUSEPORT",
        ),
        case(
            "hold/bind-reuse/autobind",
            Setup { autobind_reuse: 1, ..setup(50) },
            hold(BIND_REUSE, to(3), 1),
            "with ip_autobind_reuse connect() collides",
        ),
        case(
            "hold/reserved",
            Setup { reserved: format!("{LO}-{}", LO + 9), ..setup(50) },
            hold(CONNECT, to(2), 1),
            "",
        ),
        case("hold/port-range", setup(100), hold(narrow, to(2), 1), "IP_LOCAL_PORT_RANGE"),
    ]
}

fn step(how: How, dst: u32) -> Step {
    Step::Open { how, dst, count: None, close: None, source: 1, wait: 0.0 }
}

fn some(how: How, dst: u32, count: u32, close: Option<Ending>) -> Step {
    Step::Open { how, dst, count: Some(count), close, source: 1, wait: 0.0 }
}

fn mixes() -> Vec<Case> {
    let mix = |steps| Experiment::Mix { to: to(2), steps };
    let both = How { reuse_port: true, ..BIND_REUSE };
    let shares = || Setup { autobind_reuse: 1, ..setup(50) };
    let from_another =
        Step::Open { how: BIND, dst: 0, count: None, close: None, source: 5, wait: 0.0 };
    let later =
        |wait| Step::Open { how: CONNECT, dst: 0, count: None, close: None, source: 1, wait };
    vec![
        case(
            "mix/autobind/reuse-port-asks",
            shares(),
            mix(vec![some(BIND_REUSE, 0, 40, None), step(both, 1)]),
            "SO_REUSEPORT too shares with those that have SO_REUSEADDR alone",
        ),
        case(
            "mix/autobind/reuse-port-holds",
            shares(),
            mix(vec![some(both, 0, 40, None), step(BIND_REUSE, 1)]),
            "and they with it",
        ),
        case(
            "mix/autobind/reuse-port-both",
            shares(),
            mix(vec![some(both, 0, 40, None), step(both, 1)]),
            "but not with one another",
        ),
        case(
            "mix/bind-then-connect",
            setup(40),
            mix(vec![some(BIND, 0, 10, None), step(CONNECT, 0), step(CONNECT, 1)]),
            "a bound port is lost to every destination",
        ),
        case(
            "mix/connect-then-bind",
            setup(40),
            mix(vec![some(CONNECT, 0, 10, None), step(BIND, 0), step(CONNECT, 1)]),
            "",
        ),
        case(
            "mix/bound-time-wait-then-connect",
            setup(40),
            mix(vec![some(BIND, 0, 10, Some(Ending::Client)), step(CONNECT, 0), step(CONNECT, 1)]),
            "and so is its TIME-WAIT",
        ),
        case(
            "mix/bound-time-wait-reuse",
            setup(40),
            mix(vec![some(BIND_REUSE, 0, 40, Some(Ending::Client)), step(BIND_REUSE, 0)]),
            "SO_REUSEADDR is no help out of TIME-WAIT",
        ),
        case(
            "mix/bound-over-connect-released",
            setup(40),
            mix(vec![
                step(CONNECT, 0),
                from_another,
                step(CONNECT, 1),
                Step::Release { release: 1 },
                step(CONNECT, 1),
            ]),
            "open again when the last bound socket leaves (6.18)",
        ),
        case(
            "mix/taken-over-after-1-s",
            Setup { tw_reuse: 1, ..setup(40) },
            mix(vec![
                Step::Open {
                    how: CONNECT,
                    dst: 0,
                    count: None,
                    close: Some(Ending::Client),
                    source: 1,
                    wait: 0.0,
                },
                step(CONNECT, 0),
                later(0.5),
                later(0.6),
            ]),
            "tcp_tw_reuse takes a port after a second",
        ),
    ]
}

fn squats() -> Vec<Case> {
    let squat = |name: &str, how, squatter, notes| {
        let experiment = Experiment::Squat(Squat { how, to: to(2), squatter, count: 5 });
        case(name, setup(50), experiment, notes)
    };
    vec![
        squat("squat/listen-any", CONNECT, SquatterKind::ListenAny, ""),
        squat(
            "squat/listen-other",
            CONNECT,
            SquatterKind::ListenOther,
            "a listener on another address takes the port from everybody",
        ),
        squat("squat/listen-other/bind", BIND, SquatterKind::ListenOther, "but not from bind()"),
        squat("squat/bound-other", CONNECT, SquatterKind::BoundOther, ""),
        squat("squat/listen-v6", CONNECT, SquatterKind::ListenV6Any, "on the IPv6 wildcard"),
        squat(
            "squat/accepted",
            CONNECT,
            SquatterKind::AcceptedChild,
            "a connection that outlived its listener",
        ),
        squat("squat/bound-time-wait", CONNECT, SquatterKind::BoundConnectTimeWait, ""),
        squat("squat/udp", CONNECT, SquatterKind::Udp, "UDP takes nothing from TCP"),
    ]
}

fn timers(quick: bool) -> Vec<Case> {
    let fixed = |name: &str, reuse_address, notes| {
        let experiment =
            Experiment::Fixed { port: LO + 10, cycles: 20, reuse_address, close: Ending::Client };
        case(name, setup(100), experiment, notes)
    };
    let fin = |secs: u32, server_after: Option<f64>| {
        let name = match server_after {
            Some(after) => format!("fin-wait-2/{secs}s/answered-after-{after}s"),
            None => format!("fin-wait-2/{secs}s"),
        };
        // A late FIN is followed by all of TIME-WAIT.
        let limit = server_after.map_or(f64::from(secs) + 6.0, |after| after + 66.0);
        let experiment = Experiment::FinWait2 { server_after, limit };
        case(&name, Setup { fin_timeout: Some(secs), ..setup(4) }, experiment, "")
    };
    let syn = |syn_retries, syn_linear| {
        let name = format!("syn-sent/retries{syn_retries}/linear{syn_linear}");
        // tcp_model_timeout, and room for the grid.
        let limit = f64::from(2_u32 << syn_retries) * 1.1 + 5.0;
        let experiment = Experiment::SynSent { syn_retries, syn_linear, limit };
        case(&name, setup(3), experiment, "")
    };
    let wait = |name: &str, n, gap, setup: Setup, notes| {
        let experiment = Experiment::TwTime {
            gap,
            close: Ending::Client,
            server_delay: 0.0,
            wait_from: if setup.tw_reuse == 0 { 59.0 } else { 0.0 },
            wait_to: 66.0,
        };
        case(name, Setup { n, ..setup }, experiment, notes)
    };
    let mut cases = vec![
        fixed("explicit-port/reuse-address", true, "SO_REUSEADDR takes a TIME-WAIT at once"),
        fixed("explicit-port", false, ""),
        fin(5, None),
        fin(61, None),
        fin(70, None),
        fin(5, Some(3.0)),
        syn(1, 4),
        syn(2, 0),
        syn(3, 0),
        wait("time-wait", 30, 0.21, setup(30), "60 s are 61 on average"),
        wait(
            "time-wait/fin-timeout5",
            60,
            0.05,
            Setup { fin_timeout: Some(5), ..setup(60) },
            "tcp_fin_timeout does not shorten TIME-WAIT",
        ),
        wait(
            "time-wait/loopback-default",
            60,
            0.01,
            Setup { tw_reuse: 2, ..setup(60) },
            "on loopback it is 1 s by default",
        ),
    ];
    if !quick {
        cases.extend([fin(60, None), fin(120, None), syn(4, 4), syn(6, 4)]);
    }
    cases
}

fn orders(quick: bool) -> Vec<Case> {
    let order = |name: &str, n, how, count: Option<u32>, gap, notes| {
        let abort = count.is_some();
        let experiment = Experiment::Order(Order { how, to: ONE, count, gap, abort });
        case(name, setup(n), experiment, notes)
    };
    let mut cases = vec![
        order("order/connect", 100, CONNECT, None, 0.0, "the lowest port's parity first"),
        order("order/connect/free", 1_000, CONNECT, Some(3_000), 0.0, "2 to 16 ports on"),
        order("order/bind", 100, BIND, None, 0.0, "the other parity first"),
        order("order/bind-reuse", 100, BIND_REUSE, None, 0.0, "the lower half first"),
    ];
    if !quick {
        let slow = order(
            "order/redrawn",
            20_000,
            CONNECT,
            Some(350),
            0.1,
            "the start is drawn anew every 10 s",
        );
        cases.push(slow);
    }
    cases
}

/// Attempts of [`Experiment::Churn`], the same on every machine.
struct Attempts {
    rate: f64,
    random: bool,
    secs: f64,
    mean_life: f64,
    close: Ending,
    k: u32,
}

impl Attempts {
    const fn even(rate: f64, secs: f64) -> Self {
        Self { rate, random: false, secs, mean_life: 0.0, close: Ending::Client, k: 1 }
    }

    const fn poisson(rate: f64, secs: f64) -> Self {
        Self { random: true, ..Self::even(rate, secs) }
    }

    fn make(&self) -> Vec<Attempt> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut exponential = |mean: f64| {
            let unit = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
            -libm::log(1.0 - unit) * mean
        };
        let (mut attempts, mut time) = (Vec::new(), 0.0);
        while time < self.secs {
            let destination = attempts.len() as u32 % self.k;
            let life = if self.mean_life > 0.0 { exponential(self.mean_life) } else { 0.0 };
            attempts.push(Attempt {
                time,
                destination,
                life,
                close: self.close,
                source: None,
                how: 0,
                port: None,
            });
            time = if self.random {
                time + exponential(1.0 / self.rate)
            } else {
                attempts.len() as f64 / self.rate
            };
        }
        attempts
    }
}

fn churn(name: &str, setup: Setup, how: How, attempts: &Attempts, notes: &str) -> Case {
    let experiment = Churn {
        how,
        others: Vec::new(),
        to: to(attempts.k),
        sources: 1,
        sitting: Vec::new(),
        attempts: attempts.make(),
        workers: None,
        trace: String::new(),
    };
    case(name, setup, Experiment::Churn(experiment), notes)
}

fn churns() -> Vec<Case> {
    let reuse = |delay| Setup { tw_reuse: 1, tw_reuse_delay: Some(delay), ..setup(50) };
    vec![
        churn(
            "churn/even",
            setup(100),
            CONNECT,
            &Attempts::even(3.0, 67.0),
            "full after 33 s, nothing for half a minute, then in waves",
        ),
        churn("churn/poisson", setup(100), CONNECT, &Attempts::poisson(4.0, 67.0), ""),
        churn(
            "churn/lives",
            setup(60),
            CONNECT,
            &Attempts { mean_life: 5.0, ..Attempts::poisson(2.0, 67.0) },
            "",
        ),
        churn(
            "churn/two-destinations",
            setup(60),
            CONNECT,
            &Attempts { k: 2, ..Attempts::even(4.0, 67.0) },
            "",
        ),
        churn("churn/bind", setup(60), BIND, &Attempts { k: 2, ..Attempts::even(4.0, 67.0) }, ""),
        churn(
            "churn/server-closes",
            setup(20),
            CONNECT,
            &Attempts { close: Ending::Server, ..Attempts::even(40.0, 10.0) },
            "TIME-WAIT is at the server",
        ),
        churn(
            "churn/half-closed",
            Setup { fin_timeout: Some(5), ..setup(50) },
            CONNECT,
            &Attempts { close: Ending::Half, ..Attempts::even(12.0, 30.0) },
            "tcp_fin_timeout is for FIN-WAIT-2",
        ),
        churn(
            "churn/reuse",
            Setup { tw_reuse: 1, ..setup(50) },
            CONNECT,
            &Attempts::poisson(55.0, 20.0),
            "",
        ),
        churn(
            "churn/reuse/delay200",
            reuse(200),
            CONNECT,
            &Attempts::poisson(270.0, 10.0),
            "tcp_tw_reuse_delay (6.14)",
        ),
        churn(
            "churn/reuse/bind",
            Setup { tw_reuse: 1, ..setup(50) },
            BIND,
            &Attempts::even(10.0, 15.0),
            "no help to bind()",
        ),
        churn(
            "churn/max-tw-buckets",
            Setup { max_tw: Some(30), ..setup(60) },
            CONNECT,
            &Attempts { mean_life: 5.0, ..Attempts::even(10.0, 30.0) },
            "fewer TIME-WAITs than ports: no exhaustion by them",
        ),
    ]
}

fn long_churns() -> Vec<Case> {
    let long = |name: &str, n, attempts: Attempts| churn(name, setup(n), CONNECT, &attempts, "");
    vec![
        long("churn/long/just-fits", 300, Attempts::even(4.8, 180.0)),
        long("churn/long/just-not", 300, Attempts::even(4.9, 180.0)),
        long("churn/long/even", 300, Attempts::even(6.0, 180.0)),
        long("churn/long/poisson", 300, Attempts::poisson(5.0, 180.0)),
        long(
            "churn/long/lives",
            300,
            Attempts { mean_life: 10.0, ..Attempts::poisson(5.0, 180.0) },
        ),
        churn(
            "churn/long/half-closed",
            Setup { fin_timeout: Some(60), ..setup(100) },
            CONNECT,
            &Attempts { close: Ending::Half, ..Attempts::even(3.0, 180.0) },
            "",
        ),
        churn(
            "churn/long/max-tw-buckets",
            Setup { max_tw: Some(50), ..setup(60) },
            CONNECT,
            &Attempts { mean_life: 10.0, ..Attempts::even(2.0, 180.0) },
            "",
        ),
    ]
}

/// The occupancies at which the cost of `connect()` is measured, and how often each: for a machine that has
/// nothing else to do meanwhile.
///
/// From one half on the range is filled by connects that look at half of it each: the time grows with the
/// square of the range. A quick look is at half of Linux's default, in a quarter of the time.
#[must_use]
pub fn cost_case(quick: bool) -> Case {
    let levels = vec![0.0, 25.0, 45.0, 49.0, 50.0, 60.0, 75.0, 90.0, 99.0, 100.0];
    let experiment = Experiment::Cost { levels, reps: if quick { 60 } else { 300 } };
    let setup = Setup { lo: 32_768, n: if quick { 14_116 } else { 28_232 }, ..setup(1) };
    case("cost", setup, experiment, "from half full on, each connect looks at half the range first")
}
