//! Worlds of all sorts, and one who checks what happens in them.
#![allow(dead_code, reason = "each test file needs a part of it")]

use std::collections::HashMap;

use portsim::engine::{Observer, Opening, Openings, Release};
use portsim::model::{
    Arrivals, Binds, Client, Destination, Distribution, Ending, EndpointPick, Host, Life, PoolId,
    PortRange, Refused, ReuseKey, SelectionKind, SocketOptions, Spacing, SynTimeout, Target,
    TcpSettings, TimerGrid, TwReuse, World,
};
use portsim::units::{SimDuration, SimTime};
use proptest::prelude::*;

use super::{client, host, world};

/// Checks every opening against all others, and adds up what ports were held.
#[derive(Default)]
pub struct Auditor {
    /// When it was told of something last.
    pub told: SimTime,
    pub open: Openings,
    /// From when to when each (pool, port) was held.
    pub held: HashMap<(PoolId, u16), Vec<(SimTime, SimTime)>>,
    pub opened: u64,
    pub refused: u64,
    pub unanswered: u64,
    pub before_close: u128,
    pub after_close: u128,
    pub end: u64,
}

impl Auditor {
    /// Nobody had a port while another had it.
    pub fn check(&mut self) {
        for opening in std::mem::take(&mut self.open).rest() {
            self.held(&opening, opening.life.takeable.max(SimTime::from_nanos(self.end)));
        }
        for ((_, port), spans) in &mut self.held {
            spans.sort_unstable();
            for pair in spans.windows(2) {
                let [(_, until), (open, _)] = pair else { unreachable!() };
                assert!(until <= open, "port {port} was taken at {open} but held until {until}");
            }
        }
    }
}

impl Auditor {
    fn held(&mut self, opening: &Opening, release: SimTime) {
        let Life { answered, first_fin, .. } = opening.life;
        let (open, close) = (opening.at, first_fin.min(release));
        assert!(open <= answered && answered <= first_fin && open <= release, "time ran backwards");
        self.held.entry((opening.pool, opening.port)).or_default().push((open, release));
        let cut = |time: SimTime| u128::from(time.as_nanos().min(self.end));
        self.before_close += cut(close) - cut(open);
        self.after_close += cut(release) - cut(close);
    }

    fn tell(&mut self, at: SimTime) {
        assert!(at >= self.told, "told of {at} after {}", self.told);
        self.told = at;
    }
}

impl Observer for Auditor {
    fn opened(&mut self, opening: &Opening) {
        self.tell(opening.at);
        self.opened += 1;
        self.unanswered += u64::from(!opening.answered);
        self.open.keep(opening);
    }

    fn released(&mut self, release: &Release) {
        self.tell(release.at);
        let opening = self.open.take(release);
        self.held(&opening, release.at);
    }

    fn refused(&mut self, at: SimTime, _: u16, _: &Refused) {
        self.tell(at);
        self.refused += 1;
    }
}

pub fn durations() -> impl Strategy<Value = Distribution> {
    let ms = SimDuration::from_millis;
    prop_oneof![
        (0_u64..3_000).prop_map(move |x| Distribution::Constant(ms(x))),
        (1_u64..3_000).prop_map(move |x| Distribution::Exponential { mean: ms(x) }),
        (0_u64..900).prop_map(move |x| Distribution::Uniform { min: ms(x), max: ms(2 * x) }),
        (1_u64..900).prop_map(move |x| Distribution::Pareto { minimum: ms(x), shape: 1.3 }),
        (1_u64..900).prop_map(move |x| Distribution::Empirical([ms(x), ms(0), ms(7 * x)].into())),
    ]
}

pub fn arrivals() -> impl Strategy<Value = Arrivals> {
    let batches = |(every, size, poisson)| Arrivals::Batches {
        every: SimDuration::from_millis(every),
        size,
        spacing: if poisson { Spacing::Poisson } else { Spacing::Constant },
    };
    prop_oneof![
        (0.5_f64..80.0).prop_map(|rate_per_s| Arrivals::Poisson { rate_per_s }),
        (0.5_f64..80.0).prop_map(|rate_per_s| Arrivals::Constant { rate_per_s }),
        (100_u64..5_000, 1_u32..60, any::<bool>()).prop_map(batches),
        (1_u32..60, durations())
            .prop_filter("a loop without any time never ends", |(_, think)| {
                think.mean_s().is_none_or(|mean| mean > 0.01)
                    && !matches!(think, Distribution::Empirical(_))
            })
            .prop_map(|(workers, think)| Arrivals::ClosedLoop { workers, think }),
    ]
}

pub fn clients() -> impl Strategy<Value = Client> {
    let endings = prop_oneof![
        Just(vec![(Ending::Client, 1.0)]),
        Just(vec![(Ending::Server, 1.0)]),
        Just(vec![(Ending::Reset, 1.0), (Ending::Client, 3.0), (Ending::Never, 0.02)]),
        Just(vec![(Ending::Half, 1.0), (Ending::Client, 3.0), (Ending::Server, 1.0)]),
    ];
    let binds = prop_oneof![
        Just(Binds::Connect),
        Just(Binds::Bind),
        Just(Binds::BindNoPort),
        Just(Binds::Port)
    ];
    let second_fin = prop_oneof![
        3 => Just(Distribution::Constant(SimDuration::ZERO)),
        1 => durations(),
    ];
    let narrow = prop::option::weighted(0.2, Just(PortRange::new(40_010, 40_019).unwrap()));
    (arrivals(), durations(), endings, binds, 0_usize..4, second_fin, narrow).prop_map(
        |(arrivals, lifetime, closes, binds, to, second_fin, port_range)| {
            let mut targets = vec![Target { destination: 0, weight: 1.0 }];
            targets.extend((to > 0).then_some(Target { destination: to.min(2), weight: 0.4 }));
            let source_ports = if binds == Binds::Port { 39_990..40_005 } else { 0..0 };
            let socket = SocketOptions {
                port_range: port_range.filter(|_| binds != Binds::Port),
                source_ports: source_ports.collect(),
                ..SocketOptions::default()
            };
            Client { targets, closes, binds, second_fin, socket, ..client(arrivals, lifetime) }
        },
    )
}

pub fn tcp() -> impl Strategy<Value = TcpSettings> {
    let reuse = prop::sample::select(vec![TwReuse::Never, TwReuse::Always, TwReuse::Loopback]);
    let most = prop::option::weighted(0.3, 0_u32..60);
    (reuse, most, 1_u64..90, any::<bool>()).prop_map(|(tw_reuse, max_tw_buckets, fin, reopen)| {
        TcpSettings {
            tw_reuse,
            max_tw_buckets,
            fin_timeout: SimDuration::from_secs(fin),
            buckets_reopen: reopen,
            syn: SynTimeout::Linux { retries: 2, linear_timeouts: 1 },
            ..TcpSettings::default()
        }
    })
}

pub fn hosts() -> impl Strategy<Value = Host> {
    let selection = prop::sample::select(vec![
        SelectionKind::Linux,
        SelectionKind::LinuxSharedHint,
        SelectionKind::LinuxEvenStart,
        SelectionKind::LinuxInOrder,
        SelectionKind::SimpleRandomization,
        SelectionKind::AnotherSimpleRandomization,
        SelectionKind::SimpleHash,
        SelectionKind::DoubleHash,
        SelectionKind::RandomIncrements,
        SelectionKind::Sequential,
    ]);
    let key =
        prop::sample::select(vec![ReuseKey::FourTuple, ReuseKey::SourceAddress, ReuseKey::Host]);
    let many = prop::collection::vec(clients(), 1..4);
    let reserved = prop::collection::vec(0_u16..90, 0..6);
    (1_u32..90, 1_u32..4, 0_u64..20, selection, key, many, reserved, tcp()).prop_map(
        |(ports, addresses, wait, selection, reuse_key, clients, reserved, tcp)| {
            let mut host = host(ports, clients);
            for (number, client) in host.clients.iter_mut().enumerate() {
                client.name = format!("client-{number}");
            }
            let lowest = host.ports.min_ephemeral();
            host.reserved =
                reserved.into_iter().map(|offset| lowest.saturating_add(offset)).collect();
            host.timer_grid =
                if wait % 2 == 0 { TimerGrid::Exact } else { TimerGrid::LinuxWheel { hz: 250 } };
            host.time_wait = SimDuration::from_secs(wait);
            Host { addresses, selection, reuse_key, tcp, ..host }
        },
    )
}

pub fn worlds() -> impl Strategy<Value = World> {
    hosts().prop_map(|host| {
        let mut world = world(host);
        world.destinations.push(Destination {
            endpoints: 3,
            pick: EndpointPick::InTurn,
            loopback: true,
            ..Destination::new("second")
        });
        world.destinations.push(Destination { answers: false, ..Destination::new("silent") });
        world
    })
}
