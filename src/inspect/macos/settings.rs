//! What `sysctl` of macOS prints, as the settings that bear on source ports.

use std::time::Duration;

use super::super::{Setting, System};
use crate::model::{PortRange, PortSet, ReuseKey, TcpSettings, TwReuse};

/// The range of `connect()`, and of `bind()` to port 0: xnu bsd/netinet/in_pcb.c: in_pcbbind,
/// bsd/netinet6/in6_src.c: in6_pcbsetport, both of them from `ipport_firstauto` to `ipport_lastauto`.
const FIRST: &str = "net.inet.ip.portrange.first";
const LAST: &str = "net.inet.ip.portrange.last";
/// The same, for sockets with `IP_PORTRANGE_HIGH` (`INP_HIGHPORT`).
const HIGH_FIRST: &str = "net.inet.ip.portrange.hifirst";
const HIGH_LAST: &str = "net.inet.ip.portrange.hilast";
/// Half a TIME-WAIT, in milliseconds.
const MSL: &str = "net.inet.tcp.msl";
/// Where a search begins: `tcp_use_randomport`.
const RANDOM: &str = "net.inet.tcp.randomize_ports";
const MACOS: &str = "kern.osproductversion";
const DARWIN: &str = "kern.osrelease";

/// What to ask `sysctl` for.
pub(super) const NAMES: [&str; 8] =
    [FIRST, LAST, HIGH_FIRST, HIGH_LAST, MSL, RANDOM, MACOS, DARWIN];

/// xnu bsd/netinet/tcp_timer.h: TCPTV_MSL.
const DEFAULT_MSL: u64 = 15_000;

/// TIME-WAITs end in sweeps: the next is due after a second and may come ten seconds late
/// (xnu bsd/netinet/in_pcb.c: _inpcb_sched_timeout, inpcb_timeout_lazy).
const SWEEP: Duration = Duration::from_secs(11);

/// The settings in `text`, lines of `name: value`.
pub(super) fn system(text: &str) -> Result<System, String> {
    let value = |name| value_of(text, name);
    let range = range(value(FIRST), value(LAST))
        .ok_or_else(|| format!("sysctl does not tell {FIRST} and {LAST}"))?;
    let msl = number(value(MSL)).unwrap_or(DEFAULT_MSL);
    let time_wait = Duration::from_millis(2 * msl);
    let random = number(value(RANDOM)).is_some_and(|random| random != 0);
    let mut settings = vec![range_setting(range)];
    settings.extend(high_setting(range, value(HIGH_FIRST), value(HIGH_LAST)));
    settings.push(msl_setting(value(MSL), time_wait));
    settings.push(random_setting(value(RANDOM), random));
    Ok(System {
        name: name(value(MACOS), value(DARWIN)),
        preset: "macos".to_owned(),
        range,
        reserved: PortSet::default(),
        reuse_key: ReuseKey::Host,
        time_wait,
        grid: SWEEP,
        tcp: TcpSettings { tw_reuse: TwReuse::Never, ..TcpSettings::default() },
        settings,
        keys: keys(range, msl, random),
        unseen: vec![
            "macOS does not tell how long a TIME-WAIT still lasts: when ports come back is not told, and \
             rates need a second look (--for or --watch)."
                .to_owned(),
        ],
    })
}

fn value_of<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once([':', '='])?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn number(value: Option<&str>) -> Option<u64> {
    value?.parse().ok()
}

/// The kernel counts down where `first` is above `last`; the ports are the same.
fn range(first: Option<&str>, last: Option<&str>) -> Option<PortRange> {
    let (first, last) = (first?.parse().ok()?, last?.parse().ok()?);
    PortRange::new(u16::min(first, last), u16::max(first, last))
}

fn name(macos: Option<&str>, darwin: Option<&str>) -> String {
    match (macos, darwin) {
        (Some(release), _) => format!("macOS {release}"),
        (None, Some(release)) => format!("macOS (Darwin {release})"),
        (None, None) => "macOS".to_owned(),
    }
}

fn range_setting(range: PortRange) -> Setting {
    let ports = range.num_ephemeral();
    Setting {
        name: "net.inet.ip.portrange.first, .last",
        value: range.to_string(),
        meaning: format!(
            "connect(), and bind() to port 0, choose among these {ports} ports; connect() takes only \
             one that nobody on this machine uses, wherever it goes"
        ),
    }
}

/// Told only where it is another range.
fn high_setting(usual: PortRange, first: Option<&str>, last: Option<&str>) -> Option<Setting> {
    let high = range(first, last).filter(|&high| high != usual)?;
    Some(Setting {
        name: "net.inet.ip.portrange.hifirst, .hilast",
        value: high.to_string(),
        meaning: "only for sockets that ask for it (IP_PORTRANGE_HIGH); connect() does not"
            .to_owned(),
    })
}

fn msl_setting(told: Option<&str>, time_wait: Duration) -> Setting {
    Setting {
        name: MSL,
        value: told.map_or_else(|| "not told".to_owned(), |value| format!("{value} ms")),
        meaning: format!(
            "TIME-WAIT lasts twice that, {}; the kernel looks for those that are due every 1 to {} s",
            length(time_wait),
            SWEEP.as_secs()
        ),
    }
}

fn random_setting(told: Option<&str>, random: bool) -> Setting {
    let meaning = if random {
        "a search for a free port starts anywhere in the range"
    } else {
        "the next higher free port is taken, and after the last the first: ports are reused as late as \
         can be"
    };
    let value = told.unwrap_or("not told").to_owned();
    Setting { name: RANDOM, value, meaning: meaning.to_owned() }
}

fn keys(range: PortRange, msl: u64, random: bool) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    if range != PortRange::IANA_DYNAMIC {
        keys.push(("ports", format!("\"{range}\"")));
    }
    if msl != DEFAULT_MSL {
        keys.push(("time_wait", format!("\"{}\"", length(Duration::from_millis(2 * msl)))));
    }
    if random {
        keys.push(("selection", "\"simple_randomization\"".to_owned()));
    }
    keys
}

/// `30 s`, or `1500 ms` where that is no whole number.
fn length(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} s", time.as_secs()),
        _ => format!("{} ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &str = "\
net.inet.ip.portrange.first: 49152
net.inet.ip.portrange.last: 65535
net.inet.ip.portrange.hifirst: 49152
net.inet.ip.portrange.hilast: 65535
net.inet.tcp.msl: 15000
net.inet.tcp.randomize_ports: 0
kern.osproductversion: 15.1
kern.osrelease: 24.1.0
";

    #[test]
    fn a_mac_as_it_comes_is_the_preset() {
        let system = system(DEFAULTS).unwrap();
        assert_eq!((system.name.as_str(), system.preset.as_str()), ("macOS 15.1", "macos"));
        assert_eq!(system.range, PortRange::IANA_DYNAMIC);
        assert_eq!(system.time_wait, Duration::from_secs(30));
        assert_eq!(system.reuse_key, ReuseKey::Host);
        assert_eq!(system.keys, []);
        let names: Vec<&str> = system.settings.iter().map(|setting| setting.name).collect();
        assert_eq!(names, ["net.inet.ip.portrange.first, .last", MSL, RANDOM]);
        assert!(system.settings[0].meaning.contains("16384 ports"));
    }

    #[test]
    fn what_was_changed_becomes_a_key_that_a_scenario_understands() {
        let text = "\
net.inet.ip.portrange.first: 65535
net.inet.ip.portrange.last: 16384
net.inet.ip.portrange.hifirst: 50000
net.inet.ip.portrange.hilast: 60000
net.inet.tcp.msl: 750
net.inet.tcp.randomize_ports: 1
kern.osrelease: 16.7.0
";
        let system = system(text).unwrap();
        assert_eq!(system.name, "macOS (Darwin 16.7.0)");
        assert_eq!(system.time_wait, Duration::from_millis(1500));
        let keys: Vec<String> =
            system.keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let expected = [
            "ports = \"16384-65535\"",
            "time_wait = \"1500 ms\"",
            "selection = \"simple_randomization\"",
        ];
        assert_eq!(keys, expected);
        let scenario = format!("[host.here]\npreset = \"macos\"\n{}\n{}", keys.join("\n"), CLIENT);
        let world = crate::scenario::parse("here", "here.toml", &scenario, &[]).unwrap().world;
        assert_eq!(world.hosts[0].ports, system.range);
        assert!(system.settings[1].meaning.contains("IP_PORTRANGE_HIGH"));
    }

    const CLIENT: &str = "\
[client.fetcher]
arrivals = { process = \"poisson\", rate = \"600 / s\" }
lifetime = \"200 ms\"
";

    #[test]
    fn names_that_a_release_does_not_have_leave_the_defaults() {
        let system =
            system("net.inet.ip.portrange.first: 1024\nnet.inet.ip.portrange.last: 2047\n");
        let system = system.unwrap();
        assert_eq!(system.time_wait, Duration::from_secs(30));
        assert_eq!(system.name, "macOS");
        assert_eq!(system.settings[1].value, "not told");
    }

    #[test]
    fn without_a_range_there_is_nothing_to_say() {
        let error = system("net.inet.tcp.msl: 15000\n").unwrap_err();
        assert!(error.contains(FIRST), "{error}");
    }
}
