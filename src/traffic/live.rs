//! A survey of a machine that is watched: what the looks at its sockets tell of rates and lifetimes.
//!
//! A connection that some look saw open is known by its beginning (between two looks) and its end (the age
//! of its TIME-WAIT, or between two looks). One that no look saw open, but left a TIME-WAIT, was shorter than
//! the time between two looks; how short those are together follows from Little's law: a look sees as many
//! open as are opened in the mean lifetime.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{FlowSurvey, HostSurvey, Survey};
use crate::inspect::{Event, FlowKey, Inspection, Open, System};
use crate::numbers::{count, percent};

/// Who has not answered for so long will not: the first SYN is sent again after a second (RFC 6298 section
/// 2.1).
const UNANSWERED_S: f64 = 1.0;

/// What was seen of a machine until now.
#[derive(Clone, Debug, Default)]
pub struct LiveSurvey {
    flows: BTreeMap<FlowKey, LiveFlow>,
    /// When the last look was, in seconds since the first.
    now: f64,
    looks: u32,
    /// Flows that had no port left at some look, and the most of them in TIME-WAIT then.
    dry: BTreeMap<FlowKey, u32>,
}

#[derive(Clone, Debug)]
struct LiveFlow {
    flow: FlowSurvey,
    /// Connections that left a TIME-WAIT and that no look saw open.
    unseen_open: u32,
    /// Seconds for which those were open whose beginning was seen, together: by the connections.
    open_s: f64,
    /// The same by the looks: those open at each, times the seconds since the one before.
    open_at_looks_s: f64,
}

impl LiveSurvey {
    /// Enters something that has happened.
    pub fn hear(&mut self, (source, destination): FlowKey, event: Event) {
        let seen = self.seen((source, destination));
        match event {
            Event::Opened { .. } => seen.flow.opened += 1,
            Event::Closed(closed) => {
                let ends = &mut seen.flow.ends;
                if closed.unanswered {
                    // Of those that began before the first look as many are left out as are still tried.
                    ends.unanswered += u64::from(closed.opened.is_some());
                } else if closed.time_wait {
                    ends.client += 1;
                } else {
                    ends.server += 1;
                }
                match closed.opened.filter(|_| !closed.unanswered) {
                    Some(_) if !closed.seen_open => seen.unseen_open += 1,
                    Some(opened) => {
                        let lifetime = (closed.at - opened).max(0.0);
                        seen.open_s += lifetime;
                        seen.flow.lifetimes.record(Duration::from_secs_f64(lifetime));
                    }
                    None => {}
                }
            }
        }
    }

    /// Enters a look and what was open at it: what [`crate::inspect::Observer::open`] says.
    pub fn look(&mut self, inspection: &Inspection, open: impl Iterator<Item = Open>) {
        let now = inspection.watched_s;
        let since = now - self.now;
        (self.now, self.looks) = (now, self.looks + 1);
        for flow in inspection.census.flows.iter().filter(|flow| flow.left == 0) {
            let most = self.dry.entry((flow.source, flow.destination)).or_default();
            *most = flow.time_wait.max(*most);
        }
        for one in open.filter(|one| one.opened.is_some() && one.answered) {
            self.seen(one.flow).open_at_looks_s += since;
        }
    }

    fn seen(&mut self, (source, destination): FlowKey) -> &mut LiveFlow {
        self.flows.entry((source, destination)).or_insert_with(|| LiveFlow {
            flow: FlowSurvey::new(source, destination),
            unseen_open: 0,
            open_s: 0.0,
            open_at_looks_s: 0.0,
        })
    }

    /// The survey of all that was seen until the last look, where these connections are `open`. The system's own
    /// count says that so many were `begun`.
    #[must_use]
    pub fn survey(
        mut self,
        system: &System,
        open: impl Iterator<Item = Open>,
        begun: Option<u64>,
        title: String,
    ) -> Survey {
        for one in open {
            let now = self.now;
            let seen = self.seen(one.flow);
            match one.opened {
                // Tried since before the first look: neither open nor new.
                None if !one.answered => {}
                None => seen.flow.standing += 1,
                Some(opened) if !one.answered => {
                    seen.flow.ends.unanswered += u64::from(now - opened > UNANSWERED_S);
                }
                Some(opened) => {
                    let so_far = (now - opened).max(0.0);
                    seen.open_s += so_far;
                    seen.flow.lifetimes.record_open(Duration::from_secs_f64(so_far));
                }
            }
        }
        self.exhausted(system);
        let every = self.now / f64::from(self.looks.saturating_sub(1).max(1));
        let notes = self.notes(system, every, begun);
        let flows: Vec<FlowSurvey> =
            self.flows.into_values().map(|seen| seen.finished(every)).collect();
        let mut addresses: Vec<_> = flows.iter().map(|flow| flow.source).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let keys = keys(system, flows.len());
        let host = HostSurvey {
            name: "machine".to_owned(),
            preset: system.preset.to_owned(),
            keys,
            addresses,
            flows,
        };
        Survey { title, notes, seconds: self.now, hosts: vec![host] }
    }

    /// Where no port was left, connections were asked for at least as often as keeps their TIME-WAITs there; of
    /// those that came before the first look nobody has heard, and those that are refused are not seen.
    fn exhausted(&mut self, system: &System) {
        for ((source, destination), time_waits) in self.dry.clone() {
            let hold_s = system.hold(source, destination.ip()).as_secs_f64();
            let least = (f64::from(time_waits) / hold_s * self.now).ceil() as u64;
            let seen = self.seen((source, destination));
            let missing = least.saturating_sub(seen.flow.opened);
            seen.flow.opened += missing;
            seen.flow.ends.client += missing;
            // Nobody saw one open: they are shorter than the time between two looks.
            if missing > 0 {
                seen.flow.lifetimes.record(Duration::ZERO);
            }
        }
    }

    /// Destinations none of whose connections was seen to end, though some were seen to begin.
    fn endless(&self) -> impl Iterator<Item = &FlowSurvey> {
        let flows = self.flows.values().filter(|seen| seen.unseen_open == 0).map(|seen| &seen.flow);
        flows.filter(|flow| flow.lifetimes.ended() == 0 && flow.lifetimes.still_open() > 0)
    }

    /// What the reader of the scenario must know.
    fn notes(&self, system: &System, every: f64, begun: Option<u64>) -> Vec<String> {
        let flows = || self.flows.values().map(|seen| &seen.flow);
        let opened: u64 = flows().map(|flow| flow.opened).sum();
        let standing: u64 = flows().map(|flow| flow.standing).sum();
        let unseen: u64 = self.flows.values().map(|seen| u64::from(seen.unseen_open)).sum();
        let mut notes = vec![format!(
            "{}, watched for {:.0} s with a look every {:.2} s: {} connections opened, {} open all the \
             time.",
            system.name,
            self.now,
            every,
            count(opened),
            count(standing),
        )];
        if unseen > 0 {
            notes.push(format!(
                "{} of them were shorter than the time between two looks; how short they are in the mean \
                 follows from how many a look finds open.",
                percent(unseen as f64 / opened.max(1) as f64)
            ));
        }
        let endless: Vec<String> =
            self.endless().take(3).map(|flow| flow.destination.to_string()).collect();
        if !endless.is_empty() {
            let more = self.endless().count() - endless.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            notes.push(format!(
                "No connection to {}{more} was seen to end: lifetimes there are at least those below. Watch \
                 for longer to know them; where a program never closes, write closes = \"never\".",
                endless.join(", "),
            ));
        }
        if let Some((source, destination)) = self.dry.keys().next() {
            notes.push(format!(
                "No port was left for a while towards {destination} from {source}. Attempts that are refused \
                 are not seen: the rate below is the least, which keeps the range full, and the one asked for \
                 is higher."
            ));
        }
        let missed = begun.map_or(0, |begun| begun.saturating_sub(opened));
        if missed > opened / 50 {
            notes.push(format!(
                "By the system's own count {} more were begun: the other side closed or reset them between two \
                 looks, or they were refused or go out by ports outside the range. They are not below.",
                count(missed)
            ));
        }
        notes.push(
            "Which side reset a connection is not seen: those without a TIME-WAIT here count as closed by \
             the server."
                .to_owned(),
        );
        notes
    }
}

/// The keys of the host. A cap on TIME-WAITs that these flows cannot reach says nothing, and simulating it
/// costs time.
fn keys(system: &System, flows: usize) -> Vec<(String, String)> {
    let most = u64::from(system.range.num_ephemeral()) * flows as u64;
    let binds = |key: &str, value: &str| {
        key != "tcp_max_tw_buckets" || value.parse::<u64>().is_ok_and(|cap| cap < most)
    };
    let keys = system.keys.iter().filter(|(key, value)| binds(key, value));
    keys.map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

impl LiveFlow {
    /// Gives those that no look saw open their lifetime.
    fn finished(mut self, every: f64) -> FlowSurvey {
        if self.unseen_open > 0 {
            let left = self.open_at_looks_s - self.open_s;
            let mean = (left / f64::from(self.unseen_open)).clamp(0.0, every);
            let lifetime = Duration::from_secs_f64(mean);
            (0..self.unseen_open).for_each(|_| self.flow.lifetimes.record(lifetime));
        }
        self.flow
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixtures::system;
    use crate::inspect::{Observer, Protocol, Socket, TcpState};

    /// Connections that begin every 100 ms and live `lifetime_ms`, as looks every `look_ms` see them.
    fn watched(lifetime_ms: u64, look_ms: u64) -> Survey {
        let (mut observer, mut live) = (Observer::default(), LiveSurvey::default());
        for look in 0..=(60_000 / look_ms) {
            let now_ms = look * look_ms;
            let sockets = (0..600).filter_map(|i| socket(i, now_ms, i * 100 + 37, lifetime_ms));
            let now = now_ms as f64 / 1e3;
            let hear = |flow, event| live.hear(flow, event);
            let inspection = observer.enter(now, machine(), sockets.collect(), None, hear);
            live.look(&inspection, observer.open());
        }
        live.survey(&machine(), observer.open(), None, "a machine".to_owned())
    }

    fn machine() -> System {
        let keys = [("ports", "\"40000-40999\""), ("tcp_max_tw_buckets", "5000")];
        System { keys: keys.map(|(key, value)| (key, value.to_owned())).to_vec(), ..system() }
    }

    fn socket(i: u64, now_ms: u64, opened_ms: u64, lifetime_ms: u64) -> Option<Socket> {
        let port = 40_000 + u16::try_from(i).unwrap();
        let (local, remote) = (([10, 0, 0, 1], port).into(), ([10, 0, 0, 5], 443).into());
        let closed_ms = opened_ms + lifetime_ms;
        let state = match now_ms {
            _ if now_ms < opened_ms => return None,
            _ if now_ms < closed_ms => TcpState::Established,
            _ => TcpState::TimeWait,
        };
        let left = (closed_ms + 60_000).saturating_sub(now_ms);
        let remaining = (state == TcpState::TimeWait).then(|| Duration::from_millis(left));
        Some(Socket { remaining, ..Socket::new(Protocol::Tcp, state, local, remote) })
    }

    #[test]
    fn rates_and_lifetimes_are_those_of_the_connections() {
        let survey = watched(2_500, 500);
        let flow = &survey.hosts[0].flows[0];
        assert_eq!((flow.opened, survey.seconds), (600, 60.0));
        assert_eq!(flow.ends.client + flow.lifetimes.still_open(), 600);
        let median = flow.lifetimes.quantile(0.5).unwrap().as_secs_f64();
        assert!((median - 2.5).abs() < 0.26, "{median}");
    }

    #[test]
    fn lifetimes_shorter_than_a_look_follow_from_how_many_are_open() {
        // A look every 700 ms falls into every seventh 100 ms, at all places of it in turn.
        let survey = watched(40, 730);
        let flow = &survey.hosts[0].flows[0];
        let mean = flow.lifetimes.mean().unwrap().as_secs_f64();
        assert!((mean - 0.04).abs() < 0.02, "{mean}");
        assert!(survey.notes.iter().any(|note| note.contains("shorter than the time")));
    }

    #[test]
    fn the_scenario_of_it_is_one_that_runs() {
        let text = super::super::scenario::text(&watched(2_500, 500));
        let scenario = crate::scenario::parse("machine", "machine.toml", &text, &[]).unwrap();
        let host = &scenario.world.hosts[0];
        assert_eq!(host.ports, machine().range);
        // A cap of 5,000 on 1,000 ports to one destination is none.
        assert_eq!(host.tcp.max_tw_buckets, None);
    }

    #[test]
    fn a_range_that_ran_dry_is_said_to_hide_the_rate_asked_for() {
        let (mut observer, mut live) = (Observer::default(), LiveSurvey::default());
        let full = (0..1_000).filter_map(|i| socket(i, 10, 0, 5)).collect();
        let inspection = observer.enter(0.0, machine(), full, None, |_, _| {});
        live.look(&inspection, observer.open());
        let survey = live.survey(&machine(), observer.open(), None, String::new());
        assert!(survey.notes.iter().any(|note| note.contains("No port was left")), "{survey:?}");
    }

    #[test]
    fn what_has_run_dry_is_in_the_scenario_though_nothing_opens_any_more() {
        let (mut observer, mut live) = (Observer::default(), LiveSurvey::default());
        for second in 0..60 {
            // A thousand TIME-WAITs of the last minute, and nobody gets a port.
            let full = (0..1_000).filter_map(|i| socket(i, 10 + second * 1_000, 0, 5)).collect();
            let inspection = observer.enter(second as f64, machine(), full, None, |flow, event| {
                live.hear(flow, event);
            });
            live.look(&inspection, observer.open());
        }
        let survey = live.survey(&machine(), observer.open(), None, String::new());
        let flow = &survey.hosts[0].flows[0];
        assert!((900..1_100).contains(&flow.opened), "{flow:?}");
        let text = crate::traffic::scenario::text(&survey);
        assert!(crate::scenario::parse("dry", "dry.toml", &text, &[]).is_ok(), "{text}");
    }

    /// Watches what `sockets` are at each second.
    fn looked(seconds: u32, sockets: impl Fn(u32) -> Vec<Socket>) -> Survey {
        let (mut observer, mut live) = (Observer::default(), LiveSurvey::default());
        for second in 0..=seconds {
            let hear = |flow, event| live.hear(flow, event);
            let inspection =
                observer.enter(f64::from(second), machine(), sockets(second), None, hear);
            live.look(&inspection, observer.open());
        }
        live.survey(&machine(), observer.open(), Some(500), String::new())
    }

    fn in_state(state: TcpState, port: u32) -> Socket {
        let port = 40_000 + u16::try_from(port).unwrap();
        let (local, remote) = (([10, 0, 0, 1], port).into(), ([10, 0, 0, 9], 80).into());
        Socket::new(Protocol::Tcp, state, local, remote)
    }

    #[test]
    fn attempts_that_nobody_answers_are_not_open_connections() {
        // Ten were tried before, two more each second.
        let survey =
            looked(20, |now| (0..10 + 2 * now).map(|i| in_state(TcpState::SynSent, i)).collect());
        let flow = &survey.hosts[0].flows[0];
        assert_eq!((flow.opened, flow.standing, flow.lifetimes.number()), (40, 0, 0));
        // Those of the last second may still be answered.
        assert_eq!(flow.ends.unanswered, 38);
    }

    #[test]
    fn lifetimes_that_nobody_saw_end_are_said_to_be_longer() {
        let survey = looked(10, |now| (0..now).map(|i| in_state(TcpState::CloseWait, i)).collect());
        let told = |words: &str| survey.notes.iter().any(|note| note.contains(words));
        assert!(told("No connection to 10.0.0.9:80 was seen to end"), "{survey:?}");
        assert!(told("490 more were begun"), "{survey:?}");
    }
}
