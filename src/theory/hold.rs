//! How long a connection holds its port, for every way in which it may end.

use crate::model::{Client, Distribution, Ending, Host, Life, Remote, Timers, Will, World};
use crate::units::{SimDuration, SimTime};

use super::lifetimes::{ClientAttempts, in_parts, target_shares};

/// How long a connection of one client holds its port, until somebody else may have it:
///
/// * TIME-WAIT follows its life when the client closes first; where it may be taken over
///   (`tcp_tw_reuse`), only the part of it before that counts;
/// * between the FINs of both sides lies FIN-WAIT-2 or CLOSE-WAIT, where the second comes late. A
///   FIN that comes after FIN-WAIT-2 is over is followed by nothing more;
/// * towards a destination that does not answer it is SYN-SENT, and nothing else.
///
/// Timers count with their mean over all places of their grid (TIME-WAIT of 60 s with 61.02 s at
/// HZ=250), not with their spread.
#[derive(Clone, Debug)]
pub struct HoldLaw<'a> {
    parts: Vec<HoldClass<'a>>,
}

/// The connections that go where their end is alike.
#[derive(Clone, Debug)]
struct HoldClass<'a> {
    /// Share of all connections.
    share: f64,
    /// Their lifetimes; `None` where nobody answers.
    lifetimes: Option<ClientAttempts<'a>>,
    /// How long a port is held beyond the lifetime: probability and seconds.
    then: Vec<(f64, f64)>,
    /// Share of the part that is never closed.
    never: f64,
}

impl<'a> HoldLaw<'a> {
    /// The hold of a connection of `client` on `host`, wherever it goes.
    ///
    /// ```
    /// # use portsim::model::*;
    /// # use portsim::units::SimDuration;
    /// # let client = Client::poisson("fetcher", 300.0, SimDuration::from_secs(1));
    /// # let host = Host { timer_grid: TimerGrid::Exact, ..Host::linux("crawler") };
    /// # let mut world = World::of(host.clone());
    /// use portsim::theory::HoldLaw;
    /// // Connections of 1 s that the client closes.
    /// assert_eq!(HoldLaw::of(&world, &host, &client).mean_s(), Some(61.0));
    /// // Over loopback, Linux takes a port out of TIME-WAIT after a second.
    /// world.destinations[0].loopback = true;
    /// let hold = HoldLaw::of(&world, &host, &client).mean_s().unwrap();
    /// assert!((hold - 2.0005).abs() < 1e-9);
    /// ```
    #[must_use]
    pub fn of(world: &World, host: &Host, client: &'a Client) -> Self {
        let recorded = ClientAttempts::of(client, None).know_their_target();
        let mut kinds: Vec<(Remote, Option<usize>, f64)> = Vec::new();
        for (number, share) in target_shares(client).into_iter().enumerate() {
            let remote = remote(world, host, client, number);
            match kinds.iter_mut().find(|kind| kind.0 == remote && !recorded) {
                Some(kind) => kind.2 += share,
                None => kinds.push((remote, recorded.then_some(number), share)),
            }
        }
        let ends = ClientEnds::of(host, client);
        let part =
            |(remote, target, share)| ends.part(remote, ClientAttempts::of(client, target), share);
        Self { parts: kinds.into_iter().map(part).collect() }
    }

    /// The hold of a connection of `client` on `host` to its target number `target`.
    #[must_use]
    pub(super) fn towards(world: &World, host: &Host, client: &'a Client, target: usize) -> Self {
        let remote = remote(world, host, client, target);
        let attempts = ClientAttempts::of(client, Some(target));
        Self { parts: vec![ClientEnds::of(host, client).part(remote, attempts, 1.0)] }
    }

    /// Mean hold in seconds; `None` when it is infinite: some connections are never closed, or the
    /// lifetime, or the wait for the second FIN, has no mean.
    #[must_use]
    pub fn mean_s(&self) -> Option<f64> {
        if self.never_share() > 0.0 {
            return None;
        }
        self.mean_of_those_that_end_s()
    }

    /// Share of the connections that are never closed.
    pub(super) fn never_share(&self) -> f64 {
        self.used().map(|part| part.share * part.never).sum()
    }

    /// The same, where those that are never closed count nothing.
    pub(super) fn mean_of_those_that_end_s(&self) -> Option<f64> {
        let of_part = |part: &HoldClass<'_>| {
            let then: f64 = part.then.iter().map(|(share, s)| share * s).sum();
            let lives = (1.0 - part.never) * part.lifetime_s()?;
            then.is_finite().then_some(part.share * (lives + then))
        };
        self.used().map(of_part).sum()
    }

    /// Mean of the part of a hold that lies within `limit_s` of its start, in seconds.
    #[must_use]
    pub fn limited_mean_s(&self, limit_s: f64) -> f64 {
        // min(L + W, t) is t while t <= W, and W + min(L, t - W) from then on.
        let of_part = |part: &HoldClass<'_>| {
            let cut = part.then.iter().map(|(share, s)| {
                let waits = s.min(limit_s);
                share * (waits + part.limited_lifetime_s(limit_s - waits))
            });
            part.share * (part.never * limit_s + cut.sum::<f64>())
        };
        self.used().map(of_part).sum()
    }

    /// What few holds are longer than, in seconds: three times the mean lifetime (of a law without a
    /// mean, that of ten minutes), and the longest of what follows it if that is not rare.
    #[must_use]
    pub fn mostly_within_s(&self) -> f64 {
        let of_part = |part: &HoldClass<'_>| {
            let life = part.lifetime_s().unwrap_or_else(|| part.limited_lifetime_s(600.0));
            let usual = part.then.iter().filter(|then| then.0 * part.share > 0.01);
            let longest = usual.map(|then| then.1).filter(|s| s.is_finite()).fold(0.0, f64::max);
            3.0 * life + longest
        };
        self.used().map(of_part).fold(0.0, f64::max)
    }

    /// Mean time from a successful attempt until the client has it behind it, in seconds: the
    /// lifetime, or the time until the attempt is given up. What is never closed counts with its
    /// lifetime.
    pub(super) fn busy_mean_s(&self) -> Option<f64> {
        self.used().map(|part| Some(part.share * (part.given_up_s() + part.lifetime_s()?))).sum()
    }

    /// Mean of the part of that time that lies within `limit_s` of its start, in seconds.
    pub(super) fn limited_busy_mean_s(&self, limit_s: f64) -> f64 {
        let of_part = |part: &HoldClass<'_>| {
            part.share * (part.given_up_s().min(limit_s) + part.limited_lifetime_s(limit_s))
        };
        self.used().map(of_part).sum()
    }

    /// Is a port free as soon as its connection is closed, or the attempt given up?
    #[must_use]
    pub fn ends_with_the_connection(&self) -> bool {
        let at_once = |part: &HoldClass<'_>| part.then.iter().all(|(share, s)| share * s == 0.0);
        self.used().all(|part| part.lifetimes.is_none() || part.never == 0.0 && at_once(part))
    }

    fn used(&self) -> impl Iterator<Item = &HoldClass<'a>> {
        self.parts.iter().filter(|part| part.share > 0.0)
    }
}

impl HoldClass<'_> {
    fn lifetime_s(&self) -> Option<f64> {
        self.lifetimes.map_or(Some(0.0), |attempts| attempts.mean_s())
    }

    fn limited_lifetime_s(&self, limit_s: f64) -> f64 {
        self.lifetimes.map_or(0.0, |attempts| attempts.limited_mean_s(limit_s))
    }

    /// Mean time until an attempt is given up that nobody answers; zero where somebody does.
    fn given_up_s(&self) -> f64 {
        let silent = self.lifetimes.is_none();
        if silent { self.then.iter().map(|(share, s)| share * s).sum() } else { 0.0 }
    }
}

/// What a target is like, as far as it makes a difference: one on the same machine is as any other where
/// nothing is taken over, or everything.
fn remote(world: &World, host: &Host, client: &Client, target: usize) -> Remote {
    let to = &world.destinations[client.targets[target].destination];
    let differs = is_taken_over(host, client, to.loopback) != is_taken_over(host, client, false);
    Remote::new(to.answers, to.loopback && differs)
}

/// May a TIME-WAIT of `client` be taken over by `connect()`? One behind a `bind()` is not: `bind()`
/// fails before a destination is known.
pub(super) fn is_taken_over(host: &Host, client: &Client, loopback: bool) -> bool {
    !client.binds.is_bound() && timers(host).may_be_taken_over(loopback)
}

/// Timers of which TIME-WAIT lasts as long as it does in the mean.
fn timers(host: &Host) -> Timers {
    Timers::new(host, 0.0, 0, 0.0).with_mean_time_wait(host)
}

/// The ways in which the connections of a client end.
struct ClientEnds<'a> {
    host: &'a Host,
    timers: Timers,
    second_fin: &'a Distribution,
    bound: bool,
}

impl<'a> ClientEnds<'a> {
    fn of(host: &'a Host, client: &'a Client) -> Self {
        let bound = client.binds.is_bound();
        Self { host, timers: timers(host), second_fin: &client.second_fin, bound }
    }

    fn part<'b>(&self, remote: Remote, attempts: ClientAttempts<'b>, share: f64) -> HoldClass<'b> {
        if !remote.answers() {
            let lives = self.lives(remote, Ending::Client, SimDuration::ZERO);
            let given_up: Vec<f64> =
                rising(lives.map(|(start, life)| life.answered.since(start).as_secs_f64()));
            let then = vec![(1.0, mean(&given_up))];
            return HoldClass { share, lifetimes: None, then, never: 0.0 };
        }
        let mut then = Vec::new();
        for ending in [Ending::Half, Ending::Client, Ending::Server, Ending::Reset] {
            let weight = match ending {
                Ending::Reset => {
                    attempts.share_of(&[Ending::Reset])
                        + attempts.share_of(&[Ending::ServerReset])
                        + attempts.share_of(&[Ending::Unread])
                }
                ending => attempts.share_of(&[ending]),
            };
            if weight > 0.0 {
                for (part, second_fin_s) in self.second_fins(remote, ending) {
                    let outcomes = self.outcomes(remote, ending, second_fin_s);
                    then.extend(outcomes.map(|(likely, s)| (weight * part * likely, s)));
                }
            }
        }
        then.retain(|part| part.0 > 0.0);
        let never = attempts.share_of(&[Ending::Never]) + attempts.share_of(&[Ending::CloseWait]);
        HoldClass { share, lifetimes: Some(attempts), then, never }
    }

    /// When the second FIN of a connection that ends so comes after the first: probability and seconds.
    fn second_fins(&self, remote: Remote, ending: Ending) -> Vec<(f64, f64)> {
        let at_once = *self.second_fin == Distribution::Constant(SimDuration::ZERO);
        match ending {
            Ending::Client if !at_once => {
                // Where it comes while FIN-WAIT-2 may end matters.
                let given_up = self.lives(remote, Ending::Half, SimDuration::ZERO);
                let lengths = rising(given_up.map(|(_, life)| hold_s(&life)));
                let (least, most) = (lengths[0], lengths[lengths.len() - 1]);
                let quarter = |number| least + (most - least) * f64::from(number) / 4.0;
                in_parts(self.second_fin, &(0..=4).map(quarter).collect::<Vec<f64>>())
            }
            Ending::Server if !at_once => in_parts(self.second_fin, &[]),
            _ => vec![(1.0, 0.0)],
        }
    }

    /// How long the port of a connection is held after its close: probability and mean in seconds, of those
    /// whose second FIN is waited for and of those given up before it.
    fn outcomes(
        &self,
        remote: Remote,
        ending: Ending,
        second_fin_s: f64,
    ) -> impl Iterator<Item = (f64, f64)> + use<> {
        let second_fin = SimDuration::from_secs_f64(second_fin_s);
        let is_waited_for = |life: &Life| life.second_fin == life.first_fin + second_fin;
        let (waited_for, given_up): (Vec<Life>, Vec<Life>) =
            self.lives(remote, ending, second_fin).map(|(_, life)| life).partition(is_waited_for);
        let of = |lives: Vec<Life>| {
            let holds = rising(lives.iter().map(hold_s));
            (!holds.is_empty()).then(|| (holds.len() as f64 / f64::from(PLACES), mean(&holds)))
        };
        [of(waited_for), of(given_up)].into_iter().flatten()
    }

    /// Lives of connections that are closed as soon as they are opened, at places spread over the grid of
    /// the coarsest timers, so evenly that their mean is that over all places; with their begin.
    fn lives(
        &self,
        remote: Remote,
        ending: Ending,
        second_fin: SimDuration,
    ) -> impl Iterator<Item = (SimTime, Life)> {
        let will =
            Will { lifetime: SimDuration::ZERO, second_fin, ending, remote, bound: self.bound };
        let longest = self.host.tcp.fin_timeout.max(SimDuration::from_secs(120));
        let step = self.host.timer_grid.step(longest).as_nanos() as f64;
        (0..PLACES).map(move |number| {
            // Multiples of the golden section: no grid keeps step with them.
            let place = f64::from(number) * 0.618_033_988_749_894_9;
            let start = SimTime::from_nanos((place.fract() * step) as u64);
            (start, self.timers.life(start, &will))
        })
    }
}

/// Places of the timers' grid that a mean is taken over.
const PLACES: u32 = 64;

/// For how long after its close a connection holds its port, in seconds.
fn hold_s(life: &Life) -> f64 {
    life.takeable.since(life.first_fin).as_secs_f64()
}

fn rising(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The mean of rising values.
fn mean(values: &[f64]) -> f64 {
    // The sum of equal ones would not be exact.
    if values.first() == values.last() {
        return values[0];
    }
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Binds, SynTimeout, Target, TcpSettings, TimerGrid, TwReuse};
    use crate::theory::fixtures::{client, host, secs, world};

    fn closing(closes: &[(Ending, f64)]) -> Client {
        Client { closes: closes.to_vec(), ..client() }
    }

    fn mean_of(host: &Host, client: &Client) -> Option<f64> {
        HoldLaw::of(&world(host.clone()), host, client).mean_s()
    }

    fn near(got: Option<f64>, wanted: f64, tolerance: f64) {
        let got = got.unwrap();
        assert!((got - wanted).abs() <= tolerance, "{got} is not {wanted}");
    }

    #[test]
    fn time_wait_counts_for_the_share_that_the_client_closes() {
        for (closes, mean) in [
            (vec![(Ending::Client, 2.0)], Some(61.0)),
            (vec![(Ending::Server, 2.0)], Some(1.0)),
            (vec![(Ending::Reset, 1.0), (Ending::Client, 3.0)], Some(46.0)),
            (vec![(Ending::Client, 3.0), (Ending::Never, 0.001)], None),
        ] {
            assert_eq!(mean_of(&host(), &closing(&closes)), mean, "{closes:?}");
        }
    }

    #[test]
    fn a_hold_is_cut_off_behind_its_time_wait() {
        let client = Client { lifetime: Distribution::Constant(secs(2.0)), ..client() };
        let (host, world) = (host(), world(host()));
        let hold = HoldLaw::of(&world, &host, &client);
        for (limit, cut) in [(1.0, 1.0), (60.0, 60.0), (61.0, 61.0), (63.0, 62.0)] {
            assert_eq!(hold.limited_mean_s(limit), cut);
        }
        assert!(!hold.ends_with_the_connection());
    }

    #[test]
    fn a_connection_that_is_never_closed_holds_its_port_to_the_limit() {
        let client = closing(&[(Ending::Never, 1.0), (Ending::Reset, 1.0)]);
        let (host, world) = (host(), world(host()));
        let hold = HoldLaw::of(&world, &host, &client);
        assert!((hold.limited_mean_s(1e9) - 0.5e9).abs() < 1.0);
        assert!(!hold.ends_with_the_connection());
    }

    #[test]
    fn a_late_second_fin_puts_time_wait_off_or_ends_in_fin_wait_2() {
        let wheel = Host { timer_grid: TimerGrid::LinuxWheel { hz: 250 }, ..host() };
        let mut late = Client { second_fin: Distribution::Constant(secs(3.0)), ..client() };
        near(mean_of(&wheel, &late), 1.0 + 3.0 + 61.024, 1e-9);
        late.second_fin = Distribution::Constant(secs(90.0));
        near(mean_of(&host(), &late), 1.0 + 60.0, 1e-9);
        // Exactly as late as FIN-WAIT-2 is long: too late.
        late.second_fin = Distribution::Constant(secs(60.0));
        near(mean_of(&host(), &late), 1.0 + 60.0, 1e-9);
        // min(S, F), and TIME-WAIT with the probability that S is the less.
        let tcp = TcpSettings { fin_timeout: secs(5.0), ..TcpSettings::default() };
        late.second_fin = Distribution::Exponential { mean: secs(10.0) };
        let before = -libm::expm1(-0.5);
        let wanted = 1.0 + 10.0 * before + 60.0 * before;
        near(mean_of(&Host { tcp, ..host() }, &late), wanted, 1e-9);
        late.closes = vec![(Ending::Server, 1.0)];
        near(mean_of(&host(), &late), 11.0, 1e-6);
    }

    #[test]
    fn fin_wait_2_of_half_closed_connections_is_as_linux_times_it() {
        for (timeout, wanted) in [(5.0, 5.0), (0.1, 0.7), (61.0, 2.0), (120.0, 120.0)] {
            let tcp = TcpSettings { fin_timeout: secs(timeout), ..TcpSettings::default() };
            let half = closing(&[(Ending::Half, 1.0)]);
            near(mean_of(&Host { tcp, ..host() }, &half), 1.0 + wanted, 1e-9);
            // With a grid: by about half a step of each timer, and up to a whole one of the second.
            let grid = TimerGrid::LinuxWheel { hz: 250 };
            let rounded = mean_of(&Host { tcp, timer_grid: grid, ..host() }, &half).unwrap();
            let step = grid.step(secs(wanted)).as_secs_f64();
            assert!(rounded > 1.0 + wanted && rounded < 1.0 + wanted + 2.5 * step, "{rounded}");
        }
    }

    #[test]
    fn a_time_wait_that_may_be_taken_over_counts_until_then() {
        let tcp = TcpSettings { tw_reuse: TwReuse::Always, ..TcpSettings::default() };
        let reusing = Host { tcp, ..host() };
        near(mean_of(&reusing, &client()), 1.0 + 1.0005, 1e-9);
        let bound = Client { binds: Binds::Bind, ..client() };
        assert_eq!(mean_of(&reusing, &bound), Some(61.0));
        let tcp = TcpSettings { timestamps: false, ..tcp };
        assert_eq!(mean_of(&Host { tcp, ..host() }, &client()), Some(61.0));
        // Before 6.14 the second must have changed.
        let second = SimDuration::from_secs(1);
        let tcp = TcpSettings {
            tw_reuse: TwReuse::Always,
            tw_reuse_delay: SimDuration::ZERO,
            tw_reuse_clock: second,
            ..TcpSettings::default()
        };
        near(mean_of(&Host { tcp, ..host() }, &client()), 1.5, 1e-9);
    }

    #[test]
    fn each_target_counts_by_its_share() {
        let host = host();
        let mut world = world(host.clone());
        world.destinations[0].loopback = true;
        let target = |destination, weight| Target { destination, weight };
        let both = Client { targets: vec![target(0, 3.0), target(1, 1.0)], ..client() };
        near(HoldLaw::of(&world, &host, &both).mean_s(), 0.75 * 2.0005 + 0.25 * 61.0, 1e-9);
        near(HoldLaw::towards(&world, &host, &both, 1).mean_s(), 61.0, 1e-9);
    }

    #[test]
    fn an_attempt_that_nobody_answers_holds_its_port_until_it_is_given_up() {
        for (retries, linear_timeouts, wanted) in [(1, 4, 3.0), (6, 4, 131.0), (6, 0, 127.0)] {
            let syn = SynTimeout::Linux { retries, linear_timeouts };
            let host = Host { tcp: TcpSettings { syn, ..TcpSettings::default() }, ..host() };
            let mut world = world(host.clone());
            world.destinations[0].answers = false;
            let client = client();
            let hold = HoldLaw::of(&world, &host, &client);
            near(hold.mean_s(), wanted, 1e-9);
            assert_eq!(hold.limited_mean_s(2.0), 2.0);
            near(hold.busy_mean_s(), wanted, 1e-9);
            assert!(hold.ends_with_the_connection());
        }
        // Measured on Linux 6.18 at HZ=250: 3.08 s.
        let syn = SynTimeout::Linux { retries: 1, linear_timeouts: 4 };
        let tcp = TcpSettings { syn, ..TcpSettings::default() };
        let host = Host { tcp, timer_grid: TimerGrid::LinuxWheel { hz: 250 }, ..host() };
        let mut world = world(host.clone());
        world.destinations[0].answers = false;
        near(HoldLaw::of(&world, &host, &client()).mean_s(), 3.07, 0.03);
    }
}
