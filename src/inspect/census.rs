//! Who holds the ports of the range, and how many are left towards each destination.
//!
//! One total would mislead: where the reuse key is the 4-tuple, a port serves every destination once, and
//! 28,000 connections to as many destinations are no trouble at all. So ports are counted for each pair of
//! source address and destination endpoint, and what is left is what `connect()` would find *there*.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::{Protocol, Socket, System, TcpState};
use crate::model::ReuseKey;

/// The sockets of a machine, counted at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Census {
    /// TCP sockets by state.
    pub states: BTreeMap<TcpState, u64>,
    /// Where connections go to, the fewest ports left first.
    pub flows: Vec<Flow>,
    /// Sockets that take their port from every destination, by port.
    pub squatters: Vec<Socket>,
    /// Ports of the range that `connect()` may choose at all: neither reserved nor squatted on.
    pub usable: u32,
    /// Connections whose own port something listens on: others have opened them.
    pub inbound: u64,
    /// Connections from ports outside the range that nothing listens on.
    pub outside: u64,
}

/// The connections of one source address to one destination endpoint that hold ports of the range.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Their own address.
    pub source: IpAddr,
    /// Where they go to.
    pub destination: SocketAddr,
    /// In ESTABLISHED.
    pub established: u32,
    /// In TIME-WAIT.
    pub time_wait: u32,
    /// In any other state.
    pub others: u32,
    /// The state that most of those are in.
    pub most_others: Option<TcpState>,
    /// Ports that the next connection there finds taken, whoever holds them: with the 4-tuple as reuse
    /// key those of this flow, else of the address or the host.
    pub held: u32,
    /// Ports that the next connection there can have.
    pub left: u32,
    /// When ports of this flow come back by themselves, in seconds from now at the earliest; rising. Each
    /// may come later by the timers' grid.
    pub returns: Vec<f64>,
    /// Ages of the TIME-WAITs of this flow in seconds, rising, where the system tells.
    pub ages: Vec<f64>,
}

impl Flow {
    /// Share of the ports that are taken there: 0 to 1.
    #[must_use]
    pub fn taken(&self) -> f64 {
        let usable = self.held + self.left;
        if usable == 0 { 1.0 } else { f64::from(self.held) / f64::from(usable) }
    }

    /// How many ports come back within `seconds`.
    #[must_use]
    pub fn back_within(&self, seconds: f64) -> usize {
        self.returns.partition_point(|&due| due <= seconds)
    }

    /// Connections a second that went into TIME-WAIT in the last `window` seconds: their ages tell, so one
    /// look is enough. Nothing where the system does not tell ages.
    #[must_use]
    pub fn closing_rate(&self, window: f64) -> Option<f64> {
        let aged = !self.ages.is_empty() || self.time_wait == 0;
        // One whose time is up is of the whole age and older: it does not count.
        aged.then(|| self.ages.partition_point(|&age| age < window) as f64 / window)
    }
}

impl Flow {
    /// Variance over mean of how many TIME-WAITs began in each second of the last `window` ones; one where
    /// they are no more uneven than Poisson's, or too few to tell.
    #[must_use]
    pub fn dispersion(&self, window: f64) -> f64 {
        let seconds = window.floor() as usize;
        if seconds < 3 {
            return 1.0;
        }
        let mut counts = vec![0_u32; seconds];
        for &age in self.ages.iter().take_while(|&&age| age < seconds as f64) {
            counts[age as usize] += 1;
        }
        let mean = f64::from(counts.iter().sum::<u32>()) / seconds as f64;
        if mean == 0.0 {
            return 1.0;
        }
        let squares: f64 = counts.iter().map(|&count| (f64::from(count) - mean).powi(2)).sum();
        (squares / (seconds - 1) as f64 / mean).max(1.0)
    }
}

/// Which ports of the range `connect()` may choose, by what squats on them.
#[derive(Clone, Debug)]
pub struct Usable {
    /// By port number.
    open: Vec<bool>,
    /// Ports that something listens on or is bound to, in the range or not.
    bound: Vec<bool>,
}

impl Usable {
    /// What `system` and the listening and bound ones of `sockets` leave.
    #[must_use]
    pub fn new(system: &System, sockets: &[Socket]) -> Self {
        let mut bound = vec![false; 1 << 16];
        sockets
            .iter()
            .filter(|s| squats(s))
            .for_each(|s| bound[usize::from(s.local.port())] = true);
        let mut open = vec![false; 1 << 16];
        for port in system.range.min_ephemeral()..=system.range.max_ephemeral() {
            let taken = bound[usize::from(port)] || system.reserved.contains(port);
            open[usize::from(port)] = !taken;
        }
        Self { open, bound }
    }

    /// Is it a connection that this machine has opened from a port that `connect()` may choose?
    #[must_use]
    pub fn is_outgoing(&self, socket: &Socket) -> bool {
        let port = usize::from(socket.local.port());
        socket.protocol == Protocol::Tcp && socket.is_connection() && self.open[port]
    }

    fn count(&self) -> u32 {
        self.open.iter().filter(|&&open| open).count() as u32
    }
}

/// Does it hold its port against everybody?
fn squats(socket: &Socket) -> bool {
    socket.protocol == Protocol::Tcp
        && (matches!(socket.state, TcpState::Listen | TcpState::Bound) || !socket.is_connection())
}

/// How old a TIME-WAIT is in seconds, where the system tells what is left of it.
#[must_use]
pub fn age_s(socket: &Socket, system: &System) -> Option<f64> {
    let left = socket.remaining.filter(|_| socket.state == TcpState::TimeWait)?;
    Some(system.time_wait.saturating_sub(left).as_secs_f64())
}

/// When the port of a connection that is over comes back, in seconds from now at the earliest: zero when
/// `connect()` may have it now. Nothing for one that is not over.
#[must_use]
pub fn returns_s(socket: &Socket, system: &System) -> Option<f64> {
    let left = socket.remaining?.as_secs_f64();
    let (source, destination) = (socket.local.ip(), socket.remote.ip());
    let take_over = system.taken_over_from(source, destination).map(|age| age.as_secs_f64());
    match (take_over, age_s(socket, system)) {
        (Some(from), Some(age)) => Some(left.min((from - age).max(0.0))),
        _ => Some(left),
    }
}

/// May `connect()` have the port of this TIME-WAIT now?
///
/// Linux 6.18 net/ipv4/tcp_ipv4.c:tcp_twsk_unique: its age must be greater than the delay. A TIME-WAIT
/// whose time is up still holds its port until the timer fires.
fn taken_over_now(socket: &Socket, system: &System) -> bool {
    let from = system.taken_over_from(socket.local.ip(), socket.remote.ip());
    match (from, age_s(socket, system)) {
        (Some(from), Some(age)) => age > from.as_secs_f64(),
        _ => false,
    }
}

/// Counts `sockets` of `system`; those of UDP are left out.
#[must_use]
pub fn census(system: &System, sockets: &[Socket]) -> Census {
    let usable = Usable::new(system, sockets);
    let tcp = || sockets.iter().filter(|socket| socket.protocol == Protocol::Tcp);
    let mut states = BTreeMap::new();
    tcp().for_each(|socket| *states.entry(socket.state).or_default() += 1);
    let bound = |socket: &&Socket| usable.bound[usize::from(socket.local.port())];
    let connections = || tcp().filter(|socket| socket.is_connection());
    let outside = connections().filter(|s| !bound(s) && !system.range.contains(s.local.port()));
    let mut outgoing: Vec<&Socket> = sockets.iter().filter(|s| usable.is_outgoing(s)).collect();
    outgoing.sort_by_cached_key(|socket| order(socket));
    let mut squatters: Vec<Socket> =
        tcp().filter(|s| squats(s) && system.range.contains(s.local.port())).copied().collect();
    squatters.sort_unstable_by_key(|socket| (socket.local.port(), socket.local.ip()));
    let count = usable.count();
    Census {
        states,
        flows: flows(system, &outgoing, count),
        squatters,
        usable: count,
        inbound: connections().filter(bound).count() as u64,
        outside: outside.count() as u64,
    }
}

/// Sorts by source address, destination and own port; numbers compare several times as fast as addresses.
fn order(socket: &Socket) -> (u128, u128, u32) {
    let number = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let ports = u32::from(socket.remote.port()) << 16 | u32::from(socket.local.port());
    (number(socket.local.ip()), number(socket.remote.ip()), ports)
}

/// The flows of `outgoing`, which is sorted by flow.
fn flows(system: &System, outgoing: &[&Socket], usable: u32) -> Vec<Flow> {
    let of_flow = |a: &&Socket, b: &&Socket| (a.local.ip(), a.remote) == (b.local.ip(), b.remote);
    let mut flows: Vec<Flow> =
        outgoing.chunk_by(of_flow).map(|sockets| flow(system, sockets, usable)).collect();
    match system.reuse_key {
        ReuseKey::FourTuple => {}
        ReuseKey::SourceAddress => {
            let of_source = |a: &&Socket, b: &&Socket| a.local.ip() == b.local.ip();
            let held: BTreeMap<IpAddr, u32> = outgoing
                .chunk_by(of_source)
                .map(|sockets| (sockets[0].local.ip(), distinct_ports(system, sockets)))
                .collect();
            flows.iter_mut().for_each(|flow| flow.hold(held[&flow.source], usable));
        }
        ReuseKey::Host => {
            let held = distinct_ports(system, outgoing);
            flows.iter_mut().for_each(|flow| flow.hold(held, usable));
        }
    }
    flows.sort_by_key(|flow| {
        (flow.left, std::cmp::Reverse(flow.size()), flow.source, flow.destination)
    });
    flows
}

impl Flow {
    fn hold(&mut self, held: u32, usable: u32) {
        (self.held, self.left) = (held, usable.saturating_sub(held));
    }

    /// Sockets of this flow.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.established + self.time_wait + self.others
    }
}

fn flow(system: &System, sockets: &[&Socket], usable: u32) -> Flow {
    let in_state = |wanted| sockets.iter().filter(|socket| socket.state == wanted).count() as u32;
    let (established, time_wait) = (in_state(TcpState::Established), in_state(TcpState::TimeWait));
    let mut returns: Vec<f64> = sockets
        .iter()
        .filter(|socket| !taken_over_now(socket, system))
        .filter_map(|socket| returns_s(socket, system))
        .collect();
    let mut ages: Vec<f64> = sockets.iter().filter_map(|socket| age_s(socket, system)).collect();
    returns.sort_unstable_by(f64::total_cmp);
    ages.sort_unstable_by(f64::total_cmp);
    let mut flow = Flow {
        source: sockets[0].local.ip(),
        destination: sockets[0].remote,
        established,
        time_wait,
        others: sockets.len() as u32 - established - time_wait,
        most_others: TcpState::ALL
            .into_iter()
            .filter(|state| !matches!(state, TcpState::Established | TcpState::TimeWait))
            .map(|state| (in_state(state), state))
            .filter(|&(many, _)| many > 0)
            .max_by_key(|&(many, _)| many)
            .map(|(_, state)| state),
        held: 0,
        left: 0,
        returns,
        ages,
    };
    flow.hold(distinct_ports(system, sockets), usable);
    flow
}

/// How many ports `sockets` hold of those that `connect()` cannot have now.
fn distinct_ports(system: &System, sockets: &[&Socket]) -> u32 {
    let mut ports: Vec<u16> = sockets
        .iter()
        .filter(|socket| !taken_over_now(socket, system))
        .map(|socket| socket.local.port())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports.len() as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::inspect::fixtures;
    use crate::model::{PortRange, PortSet, TcpSettings, TwReuse};

    /// Ten ports, one of them reserved.
    fn system() -> System {
        System {
            range: PortRange::new(40_000, 40_009).unwrap(),
            reserved: [40_009, 50_000].into_iter().collect(),
            ..fixtures::system()
        }
    }

    fn socket(state: TcpState, local: &str, remote: &str) -> Socket {
        Socket::new(Protocol::Tcp, state, local.parse().unwrap(), remote.parse().unwrap())
    }

    fn time_wait(local: &str, remote: &str, left_s: u64) -> Socket {
        let remaining = Some(Duration::from_secs(left_s));
        Socket { remaining, ..socket(TcpState::TimeWait, local, remote) }
    }

    const API: &str = "10.0.0.5:443";
    const CDN: &str = "10.0.0.6:443";

    fn some_sockets() -> Vec<Socket> {
        vec![
            socket(TcpState::Listen, "0.0.0.0:40001", "0.0.0.0:0"),
            socket(TcpState::Listen, "0.0.0.0:443", "0.0.0.0:0"),
            socket(TcpState::Bound, "127.0.0.1:40002", "0.0.0.0:0"),
            socket(TcpState::Established, "10.0.0.1:443", "192.0.2.1:50000"),
            socket(TcpState::Established, "10.0.0.1:40001", "192.0.2.1:50001"),
            socket(TcpState::Established, "10.0.0.1:22222", API),
            socket(TcpState::Established, "10.0.0.1:40003", API),
            socket(TcpState::CloseWait, "10.0.0.1:40004", API),
            time_wait("10.0.0.1:40005", API, 58),
            time_wait("10.0.0.1:40006", API, 7),
            socket(TcpState::Established, "10.0.0.1:40003", CDN),
        ]
    }

    #[test]
    fn ports_are_counted_towards_each_destination() {
        let census = census(&system(), &some_sockets());
        // Ten ports, one reserved, one listened on, one bound.
        assert_eq!(census.usable, 7);
        let ports: Vec<u16> = census.squatters.iter().map(|s| s.local.port()).collect();
        assert_eq!(ports, [40_001, 40_002]);
        assert_eq!((census.inbound, census.outside), (2, 1));
        let [api, cdn] = &census.flows[..] else { panic!("{census:?}") };
        assert_eq!(api.destination, API.parse().unwrap());
        assert_eq!((api.established, api.time_wait, api.others), (1, 2, 1));
        assert_eq!(api.most_others, Some(TcpState::CloseWait));
        assert_eq!((api.held, api.left), (4, 3));
        assert_eq!((cdn.held, cdn.left), (1, 6));
        assert_eq!(census.states[&TcpState::TimeWait], 2);
    }

    #[test]
    fn time_wait_comes_back_when_its_timer_says() {
        let census = census(&system(), &some_sockets());
        let api = &census.flows[0];
        assert_eq!(api.returns, [7.0, 58.0]);
        assert_eq!((api.back_within(10.0), api.back_within(5.0)), (1, 0));
        // 58 s to go of 60: it was closed two seconds ago.
        assert_eq!(api.closing_rate(10.0), Some(0.1));
    }

    #[test]
    fn a_time_wait_that_may_be_taken_over_is_no_loss() {
        let reuse = |tw_reuse| System {
            tcp: TcpSettings { tw_reuse, ..TcpSettings::default() },
            ..system()
        };
        let taken = census(&reuse(TwReuse::Always), &some_sockets());
        let api = &taken.flows[0];
        assert_eq!((api.time_wait, api.held, api.left), (2, 2, 5));
        assert!(api.returns.is_empty());
        let young = [time_wait("10.0.0.1:40005", API, 60)];
        let young = census(&reuse(TwReuse::Always), &young);
        // A second and half a millisecond, in which ages are told.
        assert_eq!((young.flows[0].held, &young.flows[0].returns[..]), (1, &[1.0005][..]));
        // Over loopback only: not here.
        assert_eq!(census(&reuse(TwReuse::Loopback), &some_sockets()).flows[0].left, 3);
    }

    #[test]
    fn on_other_systems_a_port_is_taken_from_the_address_or_the_host() {
        let mut sockets = some_sockets();
        sockets.push(socket(TcpState::Established, "10.0.0.2:40007", API));
        let left = |reuse_key| {
            let mut flows = census(&System { reuse_key, ..system() }, &sockets).flows;
            flows.sort_by_key(|flow| (flow.destination, flow.source));
            flows.iter().map(|flow| flow.left).collect::<Vec<_>>()
        };
        assert_eq!(left(ReuseKey::FourTuple), [3, 6, 6]);
        assert_eq!(left(ReuseKey::SourceAddress), [3, 6, 3]);
        assert_eq!(left(ReuseKey::Host), [2, 2, 2]);
    }

    #[test]
    fn udp_and_an_empty_machine_are_no_trouble() {
        let empty = census(&system(), &[]);
        assert_eq!((empty.usable, empty.flows.len()), (9, 0));
        let udp = Socket { protocol: Protocol::Udp, ..some_sockets()[6] };
        assert!(census(&system(), &[udp]).flows.is_empty());
        let full = System { reserved: (40_000..=40_009).collect::<PortSet>(), ..system() };
        assert_eq!(census(&full, &some_sockets()).usable, 0);
    }
}
