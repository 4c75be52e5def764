//! What the clients of one machine ask of its pools, and the closed forms that follow.

use crate::model::{Arrivals, Client, Distribution, Ending, Host, Sight, Spacing, World};

use super::attempts::rate_per_s;
use super::engset::engset_call_congestion;
use super::fluid::fluid_fill_time_s;
use super::hold::HoldLaw;
use super::pools::{PoolClass, TargetFlow, flows, pool_classes};
use super::sight::blocked_share;

/// A Poisson variable exceeds its mean by this many standard deviations with a probability of one in
/// a thousand million, if the mean is not small.
const SURELY: f64 = 6.0;

/// Slopes are taken over this many seconds: far less than any hold, far more than rounding.
const SLOPE_S: f64 = 1e-6;

/// Batches that are looked at before what is in use is taken to grow no more.
const MOST_BATCHES: u32 = 100_000;

/// What the clients of one machine ask for.
pub(super) struct Load<'a> {
    world: &'a World,
    host: &'a Host,
    flows: Vec<TargetFlow>,
    /// Attempts a second of each flow; of a closed loop, those it makes while none is blocked.
    rates: Vec<f64>,
    /// Hold of each flow.
    holds: Vec<HoldLaw<'a>>,
    /// The pools, where each stands for itself.
    pools: Option<Vec<PoolClass>>,
    /// May TIME-WAITs be so many that some are cut short?
    cut_short: bool,
}

impl<'a> Load<'a> {
    /// `None` when there is none, or its rate is beyond all numbers.
    pub(super) fn of(world: &'a World, host: &'a Host) -> Option<Self> {
        let flows = flows(host);
        let by_client: Vec<f64> =
            host.clients.iter().map(|client| unhindered_rate_per_s(world, host, client)).collect();
        let rates: Vec<f64> =
            flows.iter().map(|flow| by_client[flow.client] * flow.share).collect();
        let rate: f64 = rates.iter().sum();
        if rate.is_nan() || rate <= 0.0 || rate.is_infinite() {
            return None;
        }
        let hold = |flow: &TargetFlow| {
            HoldLaw::towards(world, host, &host.clients[flow.client], flow.target)
        };
        let holds = flows.iter().map(hold).collect();
        let pools = pool_classes(world, host, &flows);
        let new = Self { world, host, flows, rates, holds, pools, cut_short: false };
        let cut_short = new.may_be_cut_short();
        Some(Self { cut_short, ..new })
    }

    /// The pools, if closed forms hold for them.
    pub(super) fn pools(&self) -> Option<&[PoolClass]> {
        self.pools.as_deref().filter(|_| !self.cut_short)
    }

    pub(super) fn rate_per_s(&self) -> f64 {
        self.rates.iter().sum()
    }

    pub(super) fn clients(&self) -> &'a [Client] {
        &self.host.clients
    }

    /// Attempts a second; `None` where a closed loop is among the clients.
    pub(super) fn offered_rate_per_s(&self) -> Option<f64> {
        let open = self.clients().iter().all(|client| rate_per_s(&client.arrivals).is_some());
        open.then(|| self.rate_per_s())
    }

    pub(super) fn mean_hold_s(&self) -> Option<f64> {
        if self.cut_short {
            return None;
        }
        let parts = self.rates.iter().zip(&self.holds);
        let load: Option<f64> = parts.map(|(rate, hold)| Some(rate * hold.mean_s()?)).sum();
        Some(load? / self.rate_per_s())
    }

    /// Attempts a second at one pool of `class`.
    pub(super) fn pool_rate_per_s(&self, class: &PoolClass) -> f64 {
        class.shares.iter().map(|&(flow, share)| self.rates[flow] * share).sum()
    }

    /// Load of one pool of `class` in erlangs; infinite when a hold is.
    fn pool_load_erl(&self, class: &PoolClass) -> f64 {
        let load = |&(flow, share): &(usize, f64)| {
            self.rates[flow] * share * self.holds[flow].mean_s().unwrap_or(f64::INFINITY)
        };
        class.shares.iter().map(load).sum()
    }

    /// Connections of one pool of `class` that are never closed, a second.
    pub(super) fn leaks_per_s(&self, class: &PoolClass) -> f64 {
        let leaks = |&(flow, share): &(usize, f64)| {
            self.rates[flow] * share * self.holds[flow].never_share()
        };
        class.shares.iter().map(leaks).sum()
    }

    /// Load of one pool of `class` in erlangs, without those that are never closed; `None` where holds that end
    /// have no mean.
    pub(super) fn load_that_ends_erl(&self, class: &PoolClass) -> Option<f64> {
        let load = |&(flow, share): &(usize, f64)| {
            Some(self.rates[flow] * share * self.holds[flow].mean_of_those_that_end_s()?)
        };
        class.shares.iter().map(load).sum()
    }

    /// The loss formula knows only the mean of the holds, whatever their law and that of what they are
    /// made up of (Sevast'yanov 1957).
    pub(super) fn erlang_b(&self, classes: &[PoolClass]) -> Option<f64> {
        if !self.is_poisson() || self.mean_hold_s().is_none() {
            return None;
        }
        let blocked = |class: &PoolClass| {
            let attempts = class.pools as f64 * self.pool_rate_per_s(class);
            Some(attempts * blocked_share(class.sight, class.ports, self.pool_load_erl(class))?)
        };
        let blocked_per_s = classes.iter().map(blocked).sum::<Option<f64>>()?;
        Some((blocked_per_s / self.rate_per_s()).min(1.0))
    }

    pub(super) fn engset(&self, classes: &[PoolClass]) -> Option<f64> {
        let [PoolClass { pools: 1, ports, sight: Sight::All, .. }] = classes else { return None };
        let [client] = self.clients() else {
            return None;
        };
        let Arrivals::ClosedLoop { workers, think: think @ Distribution::Exponential { .. } } =
            &client.arrivals
        else {
            return None;
        };
        if !self.holds.iter().all(HoldLaw::ends_with_the_connection) {
            return None;
        }
        let idle_load_erl = self.mean_hold_s()? / think.mean_s()?;
        let known = idle_load_erl.is_finite();
        known.then(|| engset_call_congestion(u64::from(*workers), *ports, idle_load_erl))
    }

    pub(super) fn sustainable_rate_per_s(&self, classes: &[PoolClass]) -> Option<f64> {
        Some(self.rate_per_s() * self.mean_times(classes)?)
    }

    /// How many times the present load fits in the mean; `None` where nothing limits it.
    pub(super) fn mean_times(&self, classes: &[PoolClass]) -> Option<f64> {
        let times =
            |class: &PoolClass| Some(class.surely_seen() as f64 / self.most_in_use(class)?.0);
        let times = classes.iter().map(times).collect::<Option<Vec<f64>>>()?;
        // A pool without load and without ports limits nothing.
        Some(times.into_iter().fold(f64::INFINITY, f64::min)).filter(|least| least.is_finite())
    }

    pub(super) fn fill_time_s(&self, classes: &[PoolClass]) -> Option<f64> {
        let traced = |client: &Client| matches!(client.arrivals, Arrivals::Trace(_));
        if self.clients().iter().any(traced) {
            return None;
        }
        self.offered_rate_per_s()?;
        if self.clients().iter().any(comes_in_batches) {
            let times = classes.iter().filter_map(|class| self.batch_fill_time_s(class));
            return times.min_by(f64::total_cmp);
        }
        let of_class = |class: &PoolClass| {
            let in_use = |t: f64| {
                let held = |&(flow, share): &(usize, f64)| {
                    self.rates[flow] * share * self.holds[flow].limited_mean_s(t)
                };
                class.shares.iter().map(held).sum()
            };
            let (rate, load) = (self.pool_rate_per_s(class), self.pool_load_erl(class));
            fluid_fill_time_s(class.surely_seen(), rate, load, in_use)
        };
        classes.iter().filter_map(of_class).min_by(f64::total_cmp)
    }

    /// Mean and variance of the ports of one pool of `class` in use when most are, without refusals: just
    /// after a batch, where attempts come in batches. Infinite when a hold is; `None` where batches do not
    /// keep step.
    pub(super) fn most_in_use(&self, class: &PoolClass) -> Option<(f64, f64)> {
        let load = self.pool_load_erl(class);
        if self.in_batches(class).next().is_none() || load.is_infinite() {
            return Some((load, load));
        }
        let of_batches = self.in_batches(class).map(|(flow, share)| {
            self.rates[flow] * share * self.holds[flow].mean_s().unwrap_or(f64::INFINITY)
        });
        let others = (load - of_batches.sum::<f64>()).max(0.0);
        let last = self.batches(class)?.last();
        let (in_use, variance) =
            last.map_or((0.0, 0.0), |(_, in_use, variance)| (in_use, variance));
        Some((others + in_use, others + variance))
    }

    /// Load of one pool of `class` if all its timers ran as long as they may on their grid.
    pub(super) fn longest_load_erl(&self, class: &PoolClass) -> f64 {
        // Means count half a step of the grid, for those that wait for a timer.
        let rest_s = self.host.timer_grid.step(self.host.time_wait).as_secs_f64() / 2.0;
        let waits = |&&(flow, _): &&(usize, f64)| !self.holds[flow].ends_with_the_connection();
        let waiting = class.shares.iter().filter(waits);
        let per_s: f64 = waiting.map(|&(flow, share)| self.rates[flow] * share).sum();
        self.pool_load_erl(class) + per_s * rest_s
    }

    /// When the first batch finds too few ports left in a pool of `class`, in seconds; `None` when none
    /// does, or where batches do not keep step or other attempts come between.
    fn batch_fill_time_s(&self, class: &PoolClass) -> Option<f64> {
        let ports = class.surely_seen() as f64;
        let at_once = self.in_batches(class).map(|(flow, share)| {
            let Arrivals::Batches { size, .. } = self.client_of(flow).arrivals else { return 0.0 };
            f64::from(size) * self.flows[flow].share * share
        });
        if at_once.sum::<f64>() > ports {
            return Some(0.0);
        }
        if self.in_batches(class).count() < class.shares.len() {
            return None;
        }
        // Attempts are whole, and slopes are not exact.
        self.batches(class)?.find(|&(_, in_use, _)| in_use > ports + 0.5).map(|batch| batch.0)
    }

    /// The flows to a pool of `class` that come in batches, with the share that goes to one such pool.
    fn in_batches<'b>(&'b self, class: &'b PoolClass) -> impl Iterator<Item = (usize, f64)> + 'b {
        class.shares.iter().copied().filter(|&(flow, _)| comes_in_batches(self.client_of(flow)))
    }

    /// The batches at a pool of `class`, the first at the start: seconds, and ports of it that connections of
    /// batches hold just after it, mean and variance; until that grows no more. `None` where batches do not
    /// keep step.
    fn batches(&self, class: &PoolClass) -> Option<impl Iterator<Item = (f64, f64, f64)>> {
        let every = |(flow, _)| match self.client_of(flow).arrivals {
            Arrivals::Batches { every, spacing: Spacing::Constant, .. } => Some(every),
            _ => None,
        };
        let step = every(self.in_batches(class).next()?)?;
        if self.in_batches(class).any(|flow| every(flow) != Some(step)) {
            return None;
        }
        let step_s = step.as_secs_f64();
        let still_held = move |number: u32| {
            let age_s = f64::from(number) * step_s;
            let of_flow = |(flow, share): (usize, f64)| {
                // The share of holds that are longer than this is the slope of their limited mean.
                let [now, then] =
                    [age_s, age_s + SLOPE_S].map(|limit| self.holds[flow].limited_mean_s(limit));
                let size = self.rates[flow] * step_s / self.flows[flow].share;
                let held = self.flows[flow].share * share * (then - now) / SLOPE_S;
                (size * held, size * (held * (1.0 - held)).max(0.0))
            };
            let flows = self.in_batches(class).map(of_flow);
            flows.fold((0.0, 0.0), |sum, of_one| (sum.0 + of_one.0, sum.1 + of_one.1))
        };
        let held = (0..MOST_BATCHES).map(still_held).take_while(|held| held.0 > 1e-6);
        let in_use = held.scan((0.0, 0.0), |sum, held| {
            *sum = (sum.0 + held.0, sum.1 + held.1);
            Some(*sum)
        });
        let batch = move |(number, (mean, variance))| (number as f64 * step_s, mean, variance);
        Some(in_use.enumerate().map(batch))
    }

    fn client_of(&self, flow: usize) -> &'a Client {
        &self.clients()[self.flows[flow].client]
    }

    fn is_poisson(&self) -> bool {
        let poisson = |client: &Client| matches!(client.arrivals, Arrivals::Poisson { .. });
        self.clients().iter().all(poisson)
    }

    /// May there ever be as many TIME-WAITs as `tcp_max_tw_buckets` allows, so that the next one ends at
    /// once (`net/ipv4/inet_timewait_sock.c:inet_twsk_alloc`, Linux 6.18)? Not if there are not so many
    /// ports for them, and not if even without refusals so many would never be there.
    fn may_be_cut_short(&self) -> bool {
        let Some(most) = self.host.tcp.max_tw_buckets else { return false };
        let most = f64::from(most);
        let (mut of_clients, mut of_servers) = (0.0, 0.0);
        for (flow, rate) in self.flows.iter().zip(&self.rates) {
            let client = &self.clients()[flow.client];
            let to = &self.world.destinations[client.targets[flow.target].destination];
            if !to.answers {
                continue;
            }
            let most_s = self.longest_wait_s();
            if [Ending::Client, Ending::Half].into_iter().any(|ending| client.can_end(ending)) {
                of_clients += rate * most_s;
            }
            // The server's end of it is on this machine.
            if to.loopback && client.can_end(Ending::Server) {
                of_servers += rate * most_s;
            }
        }
        if of_clients == 0.0 {
            return false;
        }
        let surely =
            |mean: f64| if self.is_poisson() { mean + SURELY * mean.sqrt() } else { f64::INFINITY };
        let places = |class: &PoolClass| class.pools as f64 * class.ports as f64;
        let places = self.pools.as_ref().map(|classes| classes.iter().map(places).sum::<f64>());
        let of_servers = if of_servers > 0.0 { surely(of_servers) } else { 0.0 };
        surely(of_clients).min(places.unwrap_or(f64::INFINITY)) + of_servers > most
    }

    /// No connection is a TIME-WAIT bucket for longer, in FIN-WAIT-2 and TIME-WAIT together.
    fn longest_wait_s(&self) -> f64 {
        let grid = self.host.timer_grid;
        let both = [self.host.tcp.fin_timeout, self.host.time_wait];
        // FIN-WAIT-2 is 0.7 s at least.
        0.7 + both.iter().map(|&span| (span + grid.step(span)).as_secs_f64()).sum::<f64>()
    }
}

pub(super) fn comes_in_batches(client: &Client) -> bool {
    matches!(client.arrivals, Arrivals::Batches { .. })
}

/// Attempts a second of `client` when none is blocked. In a closed loop the mean cycle of a worker
/// is think time and connection; where that is infinite so is the hold, and any rate will do.
fn unhindered_rate_per_s(world: &World, host: &Host, client: &Client) -> f64 {
    if let Some(rate) = rate_per_s(&client.arrivals) {
        return rate;
    }
    let Arrivals::ClosedLoop { workers, think } = &client.arrivals else { return 0.0 };
    match (think.mean_s(), HoldLaw::of(world, host, client).busy_mean_s()) {
        (Some(think_s), Some(busy_s)) => f64::from(*workers) / (think_s + busy_s),
        _ => f64::from(*workers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Binds, SocketOptions, Start, SynTimeout, TcpSettings, TwReuse};
    use crate::theory::fixtures::{client, host, secs, world};
    use crate::theory::{Expected, erlang_b};
    use crate::units::SimDuration;

    fn expected(host: &Host) -> Expected {
        Expected::of(&world(host.clone()), 0, Start::Empty, SimDuration::from_secs(600))
    }

    fn with(tcp: TcpSettings) -> Host {
        Host { tcp, ..host() }
    }

    fn close(got: Option<f64>, wanted: f64) {
        let got = got.unwrap();
        assert!((got - wanted).abs() <= 1e-9 * wanted.abs(), "{got} is not {wanted}");
    }

    #[test]
    fn a_time_wait_that_is_taken_over_makes_room() {
        let mut host = with(TcpSettings { tw_reuse: TwReuse::Always, ..TcpSettings::default() });
        host.clients[0].arrivals = Arrivals::Poisson { rate_per_s: 9_000.0 };
        let all = expected(&host);
        close(all.mean_hold_s, 2.0005);
        close(all.erlang_b, erlang_b(16_384, 18_004.5));
        close(all.sustainable_rate_per_s, 16_384.0 / 2.0005);
    }

    #[test]
    fn each_pool_has_the_holds_of_its_own_destination() {
        let syn = SynTimeout::Linux { retries: 6, linear_timeouts: 4 };
        let mut host = with(TcpSettings { syn, ..TcpSettings::default() });
        host.clients.push(client());
        host.clients[1].targets[0].destination = 1;
        let mut world = world(host);
        world.destinations[0].answers = false;
        let all = Expected::of(&world, 0, Start::Empty, SimDuration::from_secs(600));
        close(all.mean_hold_s, 96.0);
        close(all.sustainable_rate_per_s, 600.0 * 16_384.0 / (300.0 * 131.0));
        let (silent, other) = (erlang_b(16_384, 39_300.0), erlang_b(16_384, 4_575.0));
        close(all.erlang_b, (silent + other) / 2.0);
        close(all.fill_time_s, 16_384.0 / 300.0);
    }

    #[test]
    fn a_limit_on_time_wait_ends_all_formulas_where_it_may_be_met() {
        let limit =
            |most| with(TcpSettings { max_tw_buckets: Some(most), ..TcpSettings::default() });
        let free = expected(&host());
        // No more TIME-WAITs than ports.
        assert_eq!(expected(&limit(16_384)), free);
        let met = expected(&limit(16_383));
        let said = Expected { offered_rate_per_s: Some(300.0), ..Expected::default() };
        assert_eq!(met, said);
        // 10 a second are 1,200 in TIME-WAIT and FIN-WAIT-2 at most, give or take 35.
        let mut few = limit(1_500);
        few.clients[0].arrivals = Arrivals::Poisson { rate_per_s: 10.0 };
        close(expected(&few).mean_hold_s, 61.0);
        few.tcp.max_tw_buckets = Some(1_300);
        assert_eq!(expected(&few).mean_hold_s, None);
        few.clients[0].closes = vec![(Ending::Server, 1.0)];
        close(expected(&few).mean_hold_s, 1.0);
        // Over loopback the server's TIME-WAITs count, but nobody's is cut short but theirs.
        let mut world = world(few);
        world.destinations[0].loopback = true;
        close(Expected::of(&world, 0, Start::Empty, SimDuration::from_secs(600)).mean_hold_s, 1.0);
    }

    #[test]
    fn batches_fill_the_ports_when_one_finds_too_few_left() {
        let batches = |seconds, size, spacing| {
            let arrivals = Arrivals::Batches { every: secs(seconds), size, spacing };
            let lifetime = Distribution::Constant(SimDuration::ZERO);
            let client = Client { arrivals, lifetime, ..client() };
            expected(&Host { clients: vec![client], ..host() })
        };
        let even = |seconds, size| batches(seconds, size, Spacing::Constant);
        assert_eq!(even(30.0, 16_385).fill_time_s, Some(0.0));
        // Two at a time hold a port: the one before is released at the instant of the next but one.
        assert_eq!(even(30.0, 8_192).fill_time_s, None);
        close(even(30.0, 8_192).sustainable_rate_per_s, 16_384.0 / 60.0);
        assert_eq!(even(30.0, 8_193).fill_time_s, Some(30.0));
        assert_eq!(even(25.0, 6_000).fill_time_s, Some(50.0));
        close(even(25.0, 6_000).sustainable_rate_per_s, 240.0 * 16_384.0 / 18_000.0);
        // Where chance puts them, only the first is known.
        let odd = batches(30.0, 8_193, Spacing::Poisson);
        assert_eq!((odd.fill_time_s, odd.sustainable_rate_per_s), (None, None));
        assert_eq!(batches(30.0, 16_385, Spacing::Poisson).fill_time_s, Some(0.0));
    }

    #[test]
    fn searches_that_may_miss_a_free_port_have_formulas_of_their_own_or_none() {
        use crate::model::{PortRange, SelectionKind};
        let of = |selection, n: u16| {
            let ports = PortRange::new(50_000, 49_999 + n).unwrap();
            let mut host = Host { ports, selection, ..host() };
            host.clients[0].closes = vec![(Ending::Server, 1.0)];
            host.clients[0].arrivals = Arrivals::Poisson { rate_per_s: n.into() };
            expected(&host)
        };
        let three = of(SelectionKind::Linux, 3);
        close(three.erlang_b, erlang_b(2, 3.0));
        close(three.sustainable_rate_per_s, 2.0);
        assert_eq!(of(SelectionKind::Linux, 51).erlang_b, None);
        close(of(SelectionKind::Linux, 50).erlang_b, erlang_b(50, 50.0));
        close(of(SelectionKind::LinuxInOrder, 51).erlang_b, erlang_b(51, 51.0));
        let drawn = of(SelectionKind::AnotherSimpleRandomization, 2);
        assert!(drawn.erlang_b.unwrap() > erlang_b(2, 2.0));
        assert_eq!(of(SelectionKind::RandomIncrements, 50).erlang_b, None);
    }

    #[test]
    fn a_closed_loop_towards_nobody_follows_engset() {
        let syn = SynTimeout::After(secs(1.0));
        let mut host = with(TcpSettings { syn, ..TcpSettings::default() });
        host.ports = crate::model::PortRange::new(50_001, 50_010).unwrap();
        let think = Distribution::Exponential { mean: secs(2.0) };
        host.clients[0].arrivals = Arrivals::ClosedLoop { workers: 20, think };
        let mut world = world(host);
        world.destinations[0].answers = false;
        let all = Expected::of(&world, 0, Start::Empty, SimDuration::from_secs(600));
        close(all.engset, 4.169_815_085_144_972e-2);
        close(all.sustainable_rate_per_s, 10.0);
    }

    #[test]
    fn where_one_port_is_not_as_good_as_another_nothing_is_said_but_of_the_hold() {
        let mut host = host();
        let ports = [1_000, 1_001].into_iter().collect();
        let socket = SocketOptions { source_ports: ports, ..SocketOptions::default() };
        host.clients[0] = Client { binds: Binds::Port, socket, ..client() };
        let all = expected(&host);
        close(all.mean_hold_s, 61.0);
        let none = (all.erlang_b, all.sustainable_rate_per_s, all.fill_time_s);
        assert_eq!(none, (None, None, None));
    }
}
