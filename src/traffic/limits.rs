//! What a machine has in ports, and for how long each is held: a preset and what differs from it.

use std::time::Duration;

use super::connection::{Connection, LastSeen, micros};
use super::demand::Micros;
use crate::model::{Ending, PortRange, Remote, ReuseKey, Timers, Will};
use crate::scenario::{self, Problems};
use crate::units::{SimDuration, SimTime};

/// What demand for ports is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The range that source ports are taken from.
    pub range: PortRange,
    /// How many of it can be had: without reserved ports and those that something listens on.
    pub usable_ports: u32,
    /// Which connections may not share a port.
    pub reuse_key: ReuseKey,
    /// How long TIME-WAIT lasts on average, with what timers are rounded up by.
    pub time_wait: Duration,
    /// After how long an attempt that nobody answers is given up.
    pub syn_sent: Duration,
    timers: Timers,
}

impl Limits {
    /// The limits of a machine with this preset and these keys of `[host.NAME]`, values as TOML.
    ///
    /// # Errors
    /// What the scenario reader says against them.
    ///
    /// ```
    /// use portsim::traffic::Limits;
    /// let linux = Limits::of("linux", &[]).unwrap();
    /// assert_eq!(linux.usable_ports, 28_232);
    /// assert_eq!(linux.time_wait.as_secs_f64(), 61.024);
    /// ```
    pub fn of(preset: &str, keys: &[(String, String)]) -> Result<Self, Box<Problems>> {
        let keys: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let preset = super::wording::quoted(preset);
        let text = format!(
            "[host.machine]\npreset = {preset}\n{keys}\n[client.any]\nlifetime = \"0 s\"\n\
             arrivals = {{ process = \"poisson\", rate = \"1 / s\" }}\n"
        );
        let scenario = scenario::parse("machine", "machine", text, &[]).map_err(Box::new)?;
        let host = &scenario.world.hosts[0];
        let mut new = Self {
            range: host.ports,
            usable_ports: host.usable_ports(),
            reuse_key: host.reuse_key,
            time_wait: Duration::from_nanos(host.timer_grid.mean(host.time_wait).as_nanos()),
            syn_sent: Duration::ZERO,
            timers: Timers::in_the_mean(host),
        };
        new.syn_sent = new.held_after(LastSeen::Unanswered, false);
        Ok(new)
    }

    /// Can connections to two destinations share a port?
    #[must_use]
    pub fn by_destination(&self) -> bool {
        self.reuse_key == ReuseKey::FourTuple
    }

    /// For how long a connection holds its port after its last packet, on average; of one that nobody
    /// answered, after its first. What is not told counts as what holds the port longest: closed by this
    /// side.
    #[must_use]
    pub fn held_after(&self, seen: LastSeen, loopback: bool) -> Duration {
        let ending = match seen {
            LastSeen::Ended(ending) => ending,
            LastSeen::Open | LastSeen::Unknown | LastSeen::Unanswered => Ending::Client,
        };
        let remote = Remote::new(seen != LastSeen::Unanswered, loopback);
        let (lifetime, second_fin) = (SimDuration::ZERO, SimDuration::ZERO);
        let will = Will { lifetime, second_fin, ending, remote, bound: false };
        let takeable = self.timers.life(SimTime::START, &will).takeable;
        Duration::from_nanos(takeable.since(SimTime::START).as_nanos())
    }

    /// When the port of `connection` is free again.
    #[must_use]
    pub fn released(&self, connection: &Connection) -> Micros {
        let ends = [connection.source, connection.destination];
        let loopback = ends.iter().any(|end| end.ip().is_loopback());
        let held = micros(self.held_after(connection.seen, loopback));
        match connection.seen {
            // It is tried until the system gives up.
            LastSeen::Unanswered => {
                connection.last_moment().max(connection.start.saturating_add(held))
            }
            _ => connection.last_moment().saturating_add(held),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_preset_and_its_keys() {
        let linux = Limits::of("linux", &[]).unwrap();
        assert!((131.0..136.0).contains(&linux.syn_sent.as_secs_f64()), "{linux:?}");
        let keys = [("ports".to_owned(), "\"49152-65535\"".to_owned())];
        assert_eq!(Limits::of("linux", &keys).unwrap().usable_ports, 16_384);
        assert_eq!(Limits::of("windows", &[]).unwrap().syn_sent, Duration::from_secs(21));
        assert_eq!(Limits::of("macos", &[]).unwrap().time_wait, Duration::from_secs(30));
    }

    #[test]
    fn a_preset_that_is_not_there_is_a_problem() {
        let problems = Limits::of("linu\"x", &[]).unwrap_err();
        assert!(problems.render(false).contains("there is no preset"), "{problems:?}");
    }
}
