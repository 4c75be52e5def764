//! What changes between one look at the sockets and the next: connections opened, closed, and how.
//!
//! A connection that lives shorter than the time between two looks is seen all the same if this side closes
//! it first: its TIME-WAIT stays for a minute. One that the other side closes or resets leaves nothing, and
//! is missed if no look falls into its life; [`super::active_opens`] tells how many those are.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::rates::{Activity, Interval};
use super::{Socket, System, TcpState, Usable, age_s};

/// A TIME-WAIT that began so much later than the last one on the same 4-tuple is another: the kernel tells
/// milliseconds, and the looks themselves take some.
const ANOTHER_S: f64 = 0.25;

/// A source address and a destination endpoint.
pub type FlowKey = (IpAddr, SocketAddr);

/// Something that happened to one connection since the last look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// It was opened, not earlier and not later than these seconds since the first look.
    Opened {
        /// The last look without it.
        after: f64,
        /// The first look with it, or when it was closed if that was earlier.
        before: f64,
    },
    /// It was closed.
    Closed(Closed),
}

/// How a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Closed {
    /// When, in seconds since the first look: known by the age of its TIME-WAIT, else in the middle
    /// between two looks.
    pub at: f64,
    /// When it was opened, in the middle of what is known; nothing where it was there at the first look.
    pub opened: Option<f64>,
    /// Has any look seen it open? Else it was opened and closed between two.
    pub seen_open: bool,
    /// Has it left a TIME-WAIT here? Else the other side closed it first, or it was reset.
    pub time_wait: bool,
    /// Was it never answered?
    pub unanswered: bool,
}

/// A connection that is open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Open {
    /// Whose it is.
    pub flow: FlowKey,
    /// In which second since the first look it was opened, if that was seen.
    pub opened: Option<f64>,
    /// Has it been answered?
    pub answered: bool,
}

/// One 4-tuple at the last look.
#[derive(Clone, Copy, Debug)]
struct LastLook {
    /// In which look; older ones are gone.
    look: u32,
    state: TcpState,
    /// When its TIME-WAIT began.
    closed: Option<f64>,
    /// When it was opened, if that was seen.
    opened: Option<f64>,
}

/// Looks at the sockets of a machine again and again.
#[derive(Debug, Default)]
pub struct Tracker {
    looks: u32,
    now: f64,
    seen: HashMap<(SocketAddr, SocketAddr), LastLook>,
    activities: BTreeMap<FlowKey, Activity>,
}

impl Tracker {
    /// Enters what the sockets are at `now`, in seconds since the first look, and tells `hear` each thing
    /// that has happened since the last.
    pub fn look(
        &mut self,
        now: f64,
        system: &System,
        sockets: &[Socket],
        mut hear: impl FnMut(FlowKey, Event),
    ) {
        let (first, last) = (self.looks == 0, self.now);
        self.looks += 1;
        self.now = now;
        let mut counted: BTreeMap<FlowKey, Interval> = BTreeMap::new();
        let mut count = |flow: FlowKey, event: Event| {
            let interval = counted.entry(flow).or_default();
            match event {
                Event::Opened { .. } => interval.opens(),
                Event::Closed(closed) => interval.closes(!closed.time_wait),
            }
            hear(flow, event);
        };
        let usable = Usable::new(system, sockets);
        for socket in sockets.iter().filter(|socket| usable.is_outgoing(socket)) {
            let before = self.seen.get(&(socket.local, socket.remote)).copied();
            let look = Look { number: self.looks, first, last, now };
            let seen = look.at(socket, system, before, |event| count(flow_of(socket), event));
            self.seen.insert((socket.local, socket.remote), seen);
        }
        let looks = self.looks;
        self.seen.retain(|&(local, remote), seen| {
            if seen.look != looks && seen.state != TcpState::TimeWait {
                let closed = Closed {
                    at: f64::midpoint(last, now),
                    opened: seen.opened,
                    seen_open: true,
                    time_wait: false,
                    unanswered: seen.state == TcpState::SynSent,
                };
                count((local.ip(), remote), Event::Closed(closed));
            }
            seen.look == looks
        });
        if !first {
            self.enter(counted, now - last);
        }
    }

    /// Puts the counts of one interval into the windows of all flows.
    fn enter(&mut self, counted: BTreeMap<FlowKey, Interval>, length: f64) {
        for flow in counted.keys() {
            // A flow that is new did nothing before.
            self.activities.entry(*flow).or_default();
        }
        for (flow, activity) in &mut self.activities {
            activity.enter(counted.get(flow).copied().unwrap_or_default(), length);
        }
        self.activities.retain(|_, activity| !activity.is_idle());
    }

    /// What a flow did in the last minute; nothing where nothing happened.
    #[must_use]
    pub fn activity(&self, source: IpAddr, destination: SocketAddr) -> Option<&Activity> {
        self.activities.get(&(source, destination))
    }

    /// Connections opened a second by all flows together.
    #[must_use]
    pub fn opening(&self) -> f64 {
        self.activities.values().map(|activity| activity.recent().opening).sum()
    }

    /// Connections that were open at the last look.
    pub fn open(&self) -> impl Iterator<Item = Open> {
        let open = self.seen.iter().filter(|(_, seen)| seen.state != TcpState::TimeWait);
        open.map(|(&(local, remote), seen)| Open {
            flow: (local.ip(), remote),
            opened: seen.opened,
            answered: seen.state != TcpState::SynSent,
        })
    }

    /// Has there been more than one look?
    #[must_use]
    pub const fn has_rates(&self) -> bool {
        self.looks > 1
    }
}

fn flow_of(socket: &Socket) -> FlowKey {
    (socket.local.ip(), socket.remote)
}

/// One look at one socket.
struct Look {
    number: u32,
    first: bool,
    last: f64,
    now: f64,
}

impl Look {
    /// What has happened to the 4-tuple of `socket` since it was `before`.
    fn at(
        &self,
        socket: &Socket,
        system: &System,
        before: Option<LastLook>,
        mut tell: impl FnMut(Event),
    ) -> LastLook {
        let closed = age_s(socket, system).map(|age| self.now - age);
        let mut seen = LastLook { look: self.number, state: socket.state, closed, opened: None };
        let opened = |before: f64, tell: &mut dyn FnMut(Event)| {
            tell(Event::Opened { after: self.last, before });
            Some(f64::midpoint(self.last, before))
        };
        let is_over = socket.state == TcpState::TimeWait;
        let seen_open = before.is_some_and(|before| before.state != TcpState::TimeWait);
        // Closed since the last look, so far as can be told.
        let ended = closed.unwrap_or(self.now).clamp(self.last, self.now);
        match before {
            None if self.first => return seen,
            // The last look has missed it, for it was over by then: the kernel's list is no snapshot.
            None if closed.is_some_and(|closed| closed < self.last - ANOTHER_S) => return seen,
            None => seen.opened = opened(if is_over { ended } else { self.now }, &mut tell),
            Some(before) if before.state == TcpState::TimeWait => {
                let another = match (before.closed, closed) {
                    // One whose time is up stays until its timer fires, and says no more how old it is.
                    (Some(_), Some(_)) if socket.remaining == Some(Duration::ZERO) => false,
                    (Some(old), Some(new)) => new > old + ANOTHER_S,
                    _ => !is_over,
                };
                if !another {
                    return LastLook { look: self.number, ..before };
                }
                seen.opened = opened(if is_over { ended } else { self.now }, &mut tell);
            }
            Some(before) => seen.opened = before.opened,
        }
        if is_over {
            tell(Event::Closed(Closed {
                at: ended,
                opened: seen.opened,
                seen_open,
                time_wait: true,
                unanswered: false,
            }));
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::rates::{RECENT_S, Rates};
    use super::*;
    use crate::inspect::Protocol;
    use crate::inspect::fixtures::system;

    const API: &str = "10.0.0.5:443";

    fn socket(state: TcpState, port: u16, left_ms: Option<u64>) -> Socket {
        let local = SocketAddr::from(([10, 0, 0, 1], port));
        let remaining = left_ms.map(Duration::from_millis);
        Socket { remaining, ..Socket::new(Protocol::Tcp, state, local, API.parse().unwrap()) }
    }

    fn open(port: u16) -> Socket {
        socket(TcpState::Established, port, None)
    }

    fn time_wait(port: u16, left_ms: u64) -> Socket {
        socket(TcpState::TimeWait, port, Some(left_ms))
    }

    /// All events of looks a second apart.
    fn events(looks: &[Vec<Socket>]) -> (Tracker, Vec<Event>) {
        let (mut tracker, mut events) = (Tracker::default(), Vec::new());
        for (second, sockets) in looks.iter().enumerate() {
            tracker.look(second as f64, &system(), sockets, |_, event| events.push(event));
        }
        (tracker, events)
    }

    fn activity(tracker: &Tracker) -> Activity {
        tracker.activity([10, 0, 0, 1].into(), API.parse().unwrap()).unwrap().clone()
    }

    fn recent(tracker: &Tracker) -> Rates {
        activity(tracker).recent()
    }

    #[test]
    fn what_is_there_at_the_first_look_has_no_beginning() {
        let (_, told) = events(&[vec![open(40_000), time_wait(40_002, 30_000)]]);
        assert_eq!(told, []);
        let (_, told) = events(&[vec![open(40_000)], vec![time_wait(40_000, 59_600)]]);
        let [Event::Closed(one)] = told[..] else { panic!("{told:?}") };
        assert!((one.at - 0.6).abs() < 1e-9);
        assert_eq!((one.opened, one.time_wait, one.seen_open), (None, true, true));
    }

    #[test]
    fn a_connection_between_two_looks_is_known_by_its_time_wait() {
        let (tracker, told) = events(&[vec![], vec![time_wait(40_000, 59_600)]]);
        let [Event::Opened { after, before }, Event::Closed(closed)] = told[..] else {
            panic!("{told:?}")
        };
        assert!(!closed.seen_open);
        assert!(after == 0.0 && (before - 0.6).abs() < 1e-9 && (closed.at - 0.6).abs() < 1e-9);
        let rates = recent(&tracker);
        assert_eq!((rates.opening, rates.closing, rates.freed_at_once), (1.0, 1.0, 0.0));
    }

    #[test]
    fn a_port_that_is_used_again_is_another_connection() {
        let again = [vec![time_wait(40_000, 500)], vec![time_wait(40_000, 59_900)]];
        assert_eq!(events(&again).1.len(), 2);
        let same = [vec![time_wait(40_000, 50_000)], vec![time_wait(40_000, 49_003)]];
        assert_eq!(events(&same).1, []);
        let taken_over = [vec![time_wait(40_000, 50_000)], vec![open(40_000)]];
        let told = events(&taken_over).1;
        assert!(matches!(told[..], [Event::Opened { .. }]), "{told:?}");
    }

    #[test]
    fn a_time_wait_that_is_overdue_is_still_the_same() {
        let overdue =
            [vec![time_wait(40_000, 300)], vec![time_wait(40_000, 0)], vec![time_wait(40_000, 0)]];
        assert_eq!(events(&overdue).1, []);
    }

    #[test]
    fn a_time_wait_that_a_look_has_missed_is_not_new() {
        let looks = [vec![time_wait(40_000, 40_000)], vec![], vec![time_wait(40_000, 38_000)]];
        assert_eq!(events(&looks).1, []);
    }

    #[test]
    fn what_vanishes_without_time_wait_was_closed_by_the_other_side() {
        let (tracker, told) = events(&[vec![], vec![open(40_000)], vec![]]);
        let [Event::Opened { .. }, Event::Closed(closed)] = told[..] else { panic!("{told:?}") };
        assert_eq!((closed.time_wait, closed.unanswered), (false, false));
        assert_eq!((closed.at, closed.opened), (1.5, Some(0.5)));
        assert_eq!(recent(&tracker).freed_at_once, 0.5);
        let (_, told) = events(&[vec![socket(TcpState::SynSent, 40_000, None)], vec![]]);
        assert!(matches!(told[..], [Event::Closed(Closed { unanswered: true, .. })]), "{told:?}");
        // A TIME-WAIT that goes has been closed long ago.
        assert_eq!(events(&[vec![time_wait(40_000, 100)], vec![]]).1, []);
    }

    #[test]
    fn rates_are_of_the_last_seconds_only() {
        let mut looks: Vec<Vec<Socket>> = vec![vec![], (0..50).map(|i| open(40_000 + i)).collect()];
        looks.extend(vec![looks[1].clone(); 14]);
        let (tracker, _) = events(&looks[..6]);
        assert_eq!(tracker.opening(), 10.0);
        let (tracker, _) = events(&looks);
        assert_eq!(tracker.opening(), 0.0);
    }

    #[test]
    fn bursts_make_the_future_less_certain() {
        let bursts: Vec<Vec<Socket>> =
            [0, 0, 40, 40, 40, 80].map(|n| (0..n).map(|i| open(40_000 + i)).collect()).to_vec();
        let rates = recent(&events(&bursts).0);
        // From the first burst on: what a flow did before it began says nothing.
        assert_eq!(rates.opening, 20.0);
        assert!(rates.dispersion > 10.0, "{rates:?}");
        let even: Vec<Vec<Socket>> =
            (0..6).map(|n| (0..n * 16).map(|i| open(40_000 + i)).collect()).collect();
        assert_eq!(recent(&events(&even).0).dispersion, 1.0);
    }

    #[test]
    fn a_rate_that_changed_is_told_by_the_last_seconds_alone() {
        let opened_by = |second: u16, rate: [u16; 2]| {
            let (slow, fast) = (second.min(20), second.saturating_sub(20));
            (0..slow * rate[0] + fast * rate[1]).map(|i| open(40_000 + i)).collect()
        };
        let looks = |rate| (0..31).map(|second| opened_by(second, rate)).collect::<Vec<_>>();
        let steady = events(&looks([10, 10])).0;
        assert_eq!(activity(&steady).steadiest().watched_s, 30.0);
        let changed = activity(&events(&looks([2, 20])).0).steadiest();
        assert_eq!((changed.watched_s, changed.opening), (RECENT_S, 20.0));
    }
}
