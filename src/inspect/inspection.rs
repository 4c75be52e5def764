//! One look at the machine, with what is concluded from it.

use super::{
    Activity, Census, Flow, Forecast, Outlook, Owners, Protocol, RECENT_S, Rates, Socket, System,
    Tracker, Unreadable, census, forecast,
};

/// What the machine is at one moment, and what it does if it was looked at before.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its settings.
    pub system: System,
    /// Its sockets, counted.
    pub census: Census,
    /// What becomes of each flow of the census, in its order.
    pub prospects: Vec<Prospect>,
    /// For how long it was watched, in seconds; zero after one look.
    pub watched_s: f64,
    /// Connections opened a second that looks have seen, over the last seconds.
    pub opening: f64,
    /// Connections begun a second by the system's own count, over the same time, where it has one.
    pub begun: Option<f64>,
    /// The sockets themselves, TCP.
    pub sockets: Vec<Socket>,
}

/// What becomes of one flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prospect {
    /// How often it opens and closes; after one look, what the ages of its TIME-WAITs tell.
    pub rates: Option<Rates>,
    /// The highest rate that its ports can sustain, a second, if connections live as long as now.
    pub sustainable: f64,
    /// When its ports are gone at these rates.
    pub forecast: Option<Forecast>,
}

/// One look at the machine.
///
/// # Errors
/// When the system does not tell its range or its sockets.
pub fn look_once() -> Result<Inspection, Unreadable> {
    let (system, sockets) = (super::system()?, super::sockets(Protocol::Tcp)?);
    Ok(Observer::default().conclude(0.0, system, sockets))
}

/// Looks at the machine again and again.
#[derive(Debug, Default)]
pub struct Observer {
    tracker: Tracker,
    begun: Vec<(f64, u64)>,
}

impl Observer {
    /// Looks now, `now` seconds after the first look.
    ///
    /// # Errors
    /// When the system does not tell its range or its sockets.
    pub fn look(&mut self, now: f64) -> Result<Inspection, Unreadable> {
        self.look_with(now, |_, _| {})
    }

    /// The same; `hear` is told each thing that has happened since the last look.
    ///
    /// # Errors
    /// As [`Observer::look`].
    pub fn look_with(
        &mut self,
        now: f64,
        hear: impl FnMut(super::FlowKey, super::Event),
    ) -> Result<Inspection, Unreadable> {
        let (system, sockets) = (super::system()?, super::sockets(Protocol::Tcp)?);
        Ok(self.enter(now, system, sockets, super::active_opens(), hear))
    }

    /// What follows from `sockets`, seen at `now`.
    pub(crate) fn enter(
        &mut self,
        now: f64,
        system: System,
        sockets: Vec<Socket>,
        begun: Option<u64>,
        hear: impl FnMut(super::FlowKey, super::Event),
    ) -> Inspection {
        self.tracker.look(now, &system, &sockets, hear);
        self.begun.extend(begun.map(|count| (now, count)));
        self.begun.retain(|&(then, _)| then >= now - RECENT_S);
        self.conclude(now, system, sockets)
    }

    fn conclude(&self, now: f64, system: System, sockets: Vec<Socket>) -> Inspection {
        let census = census(&system, &sockets);
        let prospects = census.flows.iter().map(|flow| self.prospect(now, &system, flow)).collect();
        Inspection {
            census,
            prospects,
            watched_s: now,
            opening: self.tracker.opening(),
            begun: self.begun_per_s(),
            sockets,
            system,
        }
    }

    /// Connections that were open at the last look: see [`Tracker::open`].
    pub fn open(&self) -> impl Iterator<Item = super::Open> {
        self.tracker.open()
    }

    fn begun_per_s(&self) -> Option<f64> {
        let (&(from, before), &(to, after)) = (self.begun.first()?, self.begun.last()?);
        (to > from).then(|| after.saturating_sub(before) as f64 / (to - from))
    }

    fn prospect(&self, now: f64, system: &System, flow: &Flow) -> Prospect {
        let counted = self.tracker.has_rates().then(|| {
            let activity = self.tracker.activity(flow.source, flow.destination);
            // Nothing has happened there for as long as it was watched.
            let idle = Rates { watched_s: now, dispersion: 1.0, ..Rates::default() };
            activity.map_or(idle, Activity::steadiest)
        });
        let rates = better(counted, rates_by_age(system, flow));
        let hold_s = system.hold(flow.source, flow.destination.ip()).as_secs_f64();
        Prospect {
            rates,
            sustainable: sustainable(flow, rates, hold_s),
            forecast: rates
                .map(|rates| told(flow, forecast(&outlook(system, flow, rates, hold_s)))),
        }
    }
}

/// What may be, with half of the ports left, is not worth a word.
fn told(flow: &Flow, forecast: Forecast) -> Forecast {
    match forecast {
        Forecast::Perhaps { .. } if flow.taken() < 0.5 => Forecast::Lasts,
        told => told,
    }
}

/// Rates that were counted, unless that was for a few seconds only and the ages of TIME-WAITs know of more
/// connections. They do not where the other side closes.
fn better(counted: Option<Rates>, by_age: Option<Rates>) -> Option<Rates> {
    let (Some(counted), Some(by_age)) = (counted, by_age) else { return counted.or(by_age) };
    // What was there for so long and did not come is over.
    let missed = by_age.opening * counted.watched_s;
    if counted.opening == 0.0 && missed > 20.0 * by_age.dispersion {
        return Some(counted);
    }
    let young = counted.watched_s < RECENT_S && counted.freed_at_once <= 0.1 * counted.closing;
    let more = by_age.opening * by_age.watched_s > counted.opening * counted.watched_s;
    Some(if young && more { by_age } else { counted })
}

/// What went into TIME-WAIT lately was opened as fast, if the number of open connections stays the same. The
/// last minute tells it more exactly, unless the last seconds were different; before the oldest TIME-WAIT
/// there may have been nothing, and older than `connect()` leaves them are not all still there.
fn rates_by_age(system: &System, flow: &Flow) -> Option<Rates> {
    if let Some(quiet_s) = quiet_s(flow) {
        return Some(Rates { watched_s: quiet_s, dispersion: 1.0, ..Rates::default() });
    }
    let since = flow.ages.last().copied().unwrap_or(RECENT_S);
    let taken_over = system.taken_over_from(flow.source, flow.destination.ip());
    let all_there = taken_over.map_or(60.0, |age| age.as_secs_f64()).min(60.0);
    let recent_s = since.clamp(1.0, RECENT_S).min(all_there);
    if recent_s < 0.1 {
        return None;
    }
    let (recent, whole) = (flow.closing_rate(recent_s)?, flow.closing_rate(all_there)?);
    let expected = whole * recent_s;
    let dispersion = flow.dispersion(all_there);
    let same = (recent * recent_s - expected).abs() <= 2.0 * (dispersion * expected).sqrt();
    let (rate, watched_s) = if same { (whole, all_there) } else { (recent, recent_s) };
    let dispersion = flow.dispersion(watched_s);
    Some(Rates { watched_s, opening: rate, closing: rate, freed_at_once: 0.0, dispersion })
}

/// For how long nothing has gone into TIME-WAIT any more, where that is much longer than ever before: a burst
/// is over. `None` where it is not, or too few are there to tell.
fn quiet_s(flow: &Flow) -> Option<f64> {
    let newest = *flow.ages.first()?;
    let gaps = flow.ages.windows(2).map(|pair| pair[1] - pair[0]);
    let longest = gaps.fold(0.0, f64::max);
    let is_over = flow.ages.len() >= ENOUGH && newest > QUIET_S.max(3.0 * longest);
    is_over.then_some(newest)
}

/// Quiet that is no burst's end: programs pause for as long.
const QUIET_S: f64 = 2.0;
/// TIME-WAITs whose ages show how far apart they come.
const ENOUGH: usize = 20;

/// Ports over the time that a connection keeps one: while it is open (Little's law), and in TIME-WAIT if it
/// comes to that.
fn sustainable(flow: &Flow, rates: Option<Rates>, hold_s: f64) -> f64 {
    let ports = f64::from(flow.held + flow.left);
    let Some(rates) = rates.filter(|rates| rates.opening > 0.0) else { return ports / hold_s };
    let open_s = f64::from(flow.established + flow.others) / rates.opening;
    let into_time_wait =
        if rates.closing > 0.0 { 1.0 - rates.freed_at_once / rates.closing } else { 1.0 };
    ports / (open_s + into_time_wait * hold_s)
}

fn outlook(system: &System, flow: &Flow, rates: Rates, hold_s: f64) -> Outlook {
    Outlook {
        left: f64::from(flow.left),
        returns: flow.returns.clone(),
        grid_s: system.grid.as_secs_f64(),
        opening: rates.opening,
        dispersion: rates.dispersion,
        watched_s: rates.watched_s,
        freed_at_once: rates.freed_at_once,
        closing: rates.closing - rates.freed_at_once,
        hold_s,
    }
}

impl Inspection {
    /// The flow that decides: the one whose ports are gone first, else the one with the fewest left.
    #[must_use]
    pub fn tightest(&self) -> Option<(&Flow, &Prospect)> {
        let urgency = |prospect: &Prospect| match prospect.forecast {
            Some(Forecast::Empty { seconds, .. }) => seconds,
            Some(Forecast::Perhaps { lo }) => 1e6 + lo,
            _ => f64::INFINITY,
        };
        let flows = self.census.flows.iter().zip(&self.prospects);
        // The first of equals: the census has the fewest ports left first.
        flows.min_by(|a, b| urgency(a.1).total_cmp(&urgency(b.1)))
    }

    /// The largest share of its ports that any flow has taken: 0 to 1.
    #[must_use]
    pub fn most_taken(&self) -> Option<&Flow> {
        self.census.flows.iter().max_by(|a, b| a.taken().total_cmp(&b.taken()))
    }

    /// Who holds the ports of the first `many` flows and of all squatters.
    #[must_use]
    pub fn owners(&self, many: usize) -> Owners {
        let flows: std::collections::BTreeSet<_> =
            self.census.flows.iter().take(many).map(|f| (f.source, f.destination)).collect();
        let held = self.sockets.iter().filter(|s| s.inode != 0 || s.pid.is_some());
        let of_flows = held.filter(|s| flows.contains(&(s.local.ip(), s.remote))).copied();
        let all: Vec<Socket> = of_flows.chain(self.census.squatters.iter().copied()).collect();
        super::owners(&all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixtures::{self, inspected, time_waits};
    use crate::model::{TcpSettings, TwReuse};

    fn prospect(sockets: &[Socket]) -> Prospect {
        inspected(sockets).prospects[0]
    }

    #[test]
    fn one_look_tells_the_rate_by_the_ages_of_time_waits() {
        let lasting = prospect(&time_waits(10, 60));
        let rates = lasting.rates.unwrap();
        assert!((rates.opening - 10.0).abs() < 0.2 && rates.watched_s == 60.0, "{rates:?}");
        assert!((lasting.sustainable - 1_000.0 / 61.0).abs() < 1e-9);
        assert!(matches!(lasting.forecast, Some(Forecast::Lasts)), "{lasting:?}");
    }

    #[test]
    fn a_load_that_has_just_begun_is_told_by_the_last_seconds() {
        // 40 / s for ten seconds: 400 of 1,000 ports, the rest in 15 s.
        let Some(Forecast::Empty { seconds, lo, hi: Some(hi) }) =
            prospect(&time_waits(40, 10)).forecast
        else {
            panic!()
        };
        assert!((seconds - 15.0).abs() < 0.3, "{seconds}");
        assert!(lo < 15.0 && hi > 15.0);
    }

    #[test]
    fn a_load_that_began_two_seconds_ago_is_not_taken_for_a_small_one() {
        let rates = prospect(&time_waits(100, 2)).rates.unwrap();
        assert!((rates.opening - 100.0).abs() < 1.0, "{rates:?}");
    }

    #[test]
    fn what_connect_takes_over_is_missed_by_ages_and_not_counted_on() {
        // A hundred a second on 500 ports: older ones than five seconds have been taken over.
        let system = System {
            tcp: TcpSettings { tw_reuse: TwReuse::Always, ..TcpSettings::default() },
            ..fixtures::system()
        };
        let sockets: Vec<Socket> = time_waits(100, 5);
        let inspection = Observer::default().enter(0.0, system, sockets, None, |_, _| {});
        let rates = inspection.prospects[0].rates.unwrap();
        assert!((rates.opening - 100.0).abs() < 2.0, "{rates:?}");
    }

    /// Ninety a second for three seconds, nine seconds ago.
    fn over() -> Vec<Socket> {
        let later = |socket: Socket| Socket {
            remaining: socket
                .remaining
                .map(|left| left.saturating_sub(std::time::Duration::from_secs(9))),
            ..socket
        };
        time_waits(90, 3).into_iter().map(later).collect()
    }

    #[test]
    fn when_a_burst_is_over_nothing_opens_and_no_alarm_is_given() {
        let after = prospect(&over());
        let rates = after.rates.unwrap();
        assert_eq!((rates.opening, rates.closing), (0.0, 0.0), "{rates:?}");
        assert!((rates.watched_s - 9.0).abs() < 0.5, "{rates:?}");
        assert!(matches!(after.forecast, Some(Forecast::Lasts)), "{after:?}");
        // While it lasts the range is empty soon.
        assert!(matches!(prospect(&time_waits(90, 3)).forecast, Some(Forecast::Empty { .. })));
    }

    #[test]
    fn bursts_are_told_by_ages_too() {
        // Two hundred at once every five seconds.
        let bursts: Vec<Socket> = time_waits(10, 60)
            .into_iter()
            .enumerate()
            .map(|(i, socket)| {
                let left = 60_000 - 5_000 * (i as u64 / 200) - 500;
                Socket { remaining: Some(std::time::Duration::from_millis(left)), ..socket }
            })
            .collect();
        assert!(prospect(&bursts).rates.unwrap().dispersion > 20.0);
    }

    #[test]
    fn the_first_seconds_of_a_watch_keep_what_one_look_knows() {
        let mut observer = Observer::default();
        let sockets = time_waits(10, 60);
        observer.enter(0.0, fixtures::system(), sockets.clone(), None, |_, _| {});
        let later = |socket: Socket| {
            let second = std::time::Duration::from_secs(1);
            Socket { remaining: socket.remaining.map(|left| left.saturating_sub(second)), ..socket }
        };
        let sockets = sockets.into_iter().map(later).collect();
        let second = observer.enter(1.0, fixtures::system(), sockets, None, |_, _| {});
        let rates = second.prospects[0].rates.unwrap();
        assert!((rates.opening - 10.0).abs() < 0.5, "{rates:?}");
    }

    #[test]
    fn the_flow_whose_ports_are_gone_first_is_the_tightest() {
        let mut sockets = time_waits(40, 10);
        // Five hundred that stay, to another destination.
        sockets.extend((0..500).map(|i| {
            let (local, remote) = (([10, 0, 0, 1], 40_000 + i).into(), ([10, 0, 0, 6], 443).into());
            Socket::new(Protocol::Tcp, crate::inspect::TcpState::Established, local, remote)
        }));
        let inspection = inspected(&sockets);
        let (tightest, _) = inspection.tightest().unwrap();
        assert_eq!(tightest.destination, ([10, 0, 0, 5], 443).into());
        assert_eq!(inspection.most_taken().unwrap().destination, ([10, 0, 0, 6], 443).into());
    }
}
