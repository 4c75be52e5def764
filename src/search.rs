//! What searching for a port costs: ports looked at by one more connection, by how many are held.
//!
//! The curves are what the host's own choosers do, not a formula: a range is filled port by port and
//! each attempt counted. Nothing is given back and no time passes, as in a pool that grows or leaks;
//! a run in which ports come free everywhere may find one sooner, never later than a refusal.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::model::{
    Attempt, Binds, Client, Ending, Host, Limit, PoolPlan, PortRange, Remote, SocketOptions,
    Sockets, Squatter, SquatterAddress, Timers, Tuple,
};
use crate::units::{SimDuration, SimTime};

/// Parts of a curve: one for every half per cent of the range.
const PARTS: usize = 200;

/// Attempts that a curve is the mean of, at least, so that a small range has as smooth a one.
const ATTEMPTS: u32 = 100_000;

/// Ranges filled for one curve, at least and at most; each begins at a place of its own.
const FILLINGS: (u32, u32) = (4, 400);

/// Some selections give up while a port is still free. After so many refusals in a row there is none
/// that they would find.
const REFUSALS: u32 = 64;

/// How a client asks for its port, as far as the search goes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Does `bind()` choose the port, the destination being unknown?
    pub bound: bool,
    /// SO_REUSEADDR, which makes `bind()` search the range by halves.
    pub reuse_address: bool,
    /// IP_LOCAL_PORT_RANGE.
    pub port_range: Option<PortRange>,
}

impl Call {
    /// That of `client`; `None` where it brings a port of its own, for which nothing is searched.
    fn of(client: &Client) -> Option<Self> {
        let bound = match client.binds {
            Binds::Connect | Binds::BindNoPort => false,
            Binds::Bind => true,
            Binds::Port => return None,
        };
        let reuse_address = bound && client.socket.reuse_address;
        Some(Self { bound, reuse_address, port_range: client.socket.port_range })
    }
}

/// Ports looked at by one attempt, by how many of those that can be had are held.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Who asks.
    pub call: Call,
    /// Means over equal parts of the range, from empty to full; a part in which nothing was counted,
    /// the range being small, has that of the part before.
    pub parts: Vec<f64>,
    /// What a refusal looks at, with all of them held; `None` where there is no port at all.
    pub refusal: Option<f64>,
}

/// One curve for each call that the clients of `host` use, in the order of the clients.
#[must_use]
pub fn curves(host: &Host) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for client in &host.clients {
        if let Some(call) = Call::of(client)
            && curves.iter().all(|curve| curve.call != call)
        {
            curves.push(curve(host, client, call));
        }
    }
    curves
}

fn curve(host: &Host, client: &Client, call: Call) -> Curve {
    let alone = alone(host, client, call);
    let (mut sums, mut refusal) = ([(0.0, 0_u32); PARTS], None);
    let fillings = (ATTEMPTS / host.ports.num_ephemeral()).clamp(FILLINGS.0, FILLINGS.1);
    for seed in 0..fillings {
        let filling = fill(&alone, seed.into());
        let held = filling.probes.len();
        for (index, &probes) in filling.probes.iter().enumerate() {
            let (sum, count) = &mut sums[index * PARTS / held];
            *sum += f64::from(probes);
            *count += 1;
        }
        refusal = (held > 0).then_some(f64::from(filling.refusal));
    }
    let mut last = 0.0;
    let parts = sums.into_iter().map(|(sum, count)| {
        if count > 0 {
            last = sum / f64::from(count);
        }
        last
    });
    Curve { call, parts: parts.collect(), refusal }
}

/// One machine of `host` with `client` as its only one and one source address.
fn alone(host: &Host, client: &Client, call: Call) -> Host {
    let binds = if call.bound { Binds::Bind } else { Binds::Connect };
    let socket = SocketOptions { address: None, ..client.socket.clone() };
    let squatters = host.squatters.iter().map(|squatter| {
        let on = match squatter.on {
            SquatterAddress::Source(0) => SquatterAddress::Source(0),
            SquatterAddress::Source(_) | SquatterAddress::Other => SquatterAddress::Other,
        };
        Squatter { ports: squatter.ports.clone(), on }
    });
    Host {
        count: 1,
        addresses: 1,
        squatters: squatters.collect(),
        clients: vec![Client { binds, socket, ..client.clone() }],
        ..host.clone()
    }
}

/// What one filling of a range counted.
struct Filling {
    /// Ports looked at by each attempt that got one.
    probes: Vec<u32>,
    /// Ports looked at by the last refusal.
    refusal: u32,
}

/// Opens connections of the only client of `host` towards one destination until it gets no more.
fn fill(host: &Host, seed: u64) -> Filling {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let timers = Timers::new(host, 0.0, 0, 0.0);
    let mut sockets = Sockets::new(host, PoolPlan::of(host, 1), timers, SimTime::START, &mut rng);
    let attempt = Attempt {
        at: SimTime::START,
        lifetime: SimDuration::ZERO,
        tuple: Tuple::default(),
        ending: Ending::Never,
        remote: Remote::Answers,
        client: 0,
        machine: 0,
    };
    let mut filling = Filling { probes: Vec::new(), refusal: 0 };
    let mut refusals = 0;
    while refusals < REFUSALS {
        let connection = filling.probes.len() as u32;
        match sockets.take(&attempt, connection, &mut rng) {
            Ok(taken) => {
                filling.probes.push(taken.probes);
                refusals = 0;
            }
            Err(refused) => {
                filling.refusal = refused.probes;
                refusals += 1;
            }
        }
    }
    filling
}

#[cfg(all(test, feature = "report"))]
mod tests {
    use super::*;
    use crate::model::SelectionKind;
    use crate::report::samples;

    /// 16,384 ports and one client.
    fn host(selection: SelectionKind, binds: Binds) -> Host {
        let mut host = samples::overloaded().0.world.hosts.remove(0);
        host.selection = selection;
        host.clients[0].binds = binds;
        host
    }

    fn curve_of(host: &Host) -> Curve {
        let mut curves = curves(host);
        assert_eq!(curves.len(), 1);
        curves.remove(0)
    }

    /// Goal: the step that was measured on Linux 6.18. Method: below one half a connect looks at few
    /// ports, from one half on at all of one parity first (facts: 14-17 us, then 900-1,800 us).
    #[test]
    fn connect_on_linux_is_a_step_at_one_half() {
        for binds in [Binds::Connect, Binds::Bind] {
            let curve = curve_of(&host(SelectionKind::Linux, binds));
            assert_eq!(curve.parts.len(), PARTS);
            assert!(curve.parts[..75].iter().all(|&probes| probes < 16.0), "{:?}", curve.parts);
            assert!(curve.parts[100..].iter().all(|&probes| probes > 8_192.0), "{:?}", curve.parts);
            assert!(curve.parts[100..180].iter().all(|&probes| probes < 8_250.0));
            assert_eq!(curve.refusal, Some(16_384.0));
        }
    }

    /// Method: a free port among `k` of `n` drawn at random is found after `(n + 1) / (k + 1)`.
    #[test]
    fn a_random_start_finds_a_port_quickly_until_few_are_left() {
        let curve = curve_of(&host(SelectionKind::AnotherSimpleRandomization, Binds::Connect));
        for (part, expected) in [(0, 1.0), (100, 2.0), (160, 5.0), (180, 10.0)] {
            let probes = curve.parts[part];
            assert!((probes / expected - 1.0).abs() < 0.1, "{probes} instead of {expected}");
        }
    }

    #[test]
    fn calls_that_search_alike_have_one_curve_and_explicit_ports_none() {
        let mut host = host(SelectionKind::Linux, Binds::Connect);
        let other = |binds| Client { binds, ..host.clients[0].clone() };
        let more = [Binds::BindNoPort, Binds::Port, Binds::Bind].map(other);
        host.clients.extend(more);
        let bound: Vec<bool> = curves(&host).iter().map(|curve| curve.call.bound).collect();
        assert_eq!(bound, [false, true]);
    }

    #[test]
    fn a_range_without_a_port_has_no_refusal_to_measure() {
        let mut host = host(SelectionKind::Linux, Binds::Connect);
        host.reserved = (49_152..=65_535).collect();
        let curve = curve_of(&host);
        assert_eq!(curve.refusal, None);
        assert!(curve.parts.iter().all(|&probes| probes == 0.0));
    }
}
