//! What Windows' commands say of its settings, as the ones that bear on source ports.
//!
//! `netsh` writes in the language of the system: only its numbers are read, by their places.

use std::time::Duration;

use super::super::{Setting, System};
use crate::model::{PortRange, PortSet, ReuseKey, TcpSettings, TwReuse};

/// What the commands print; all but `dynamic` may be empty.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// `ver`
    pub(super) version: String,
    /// `netsh int ipv4 show dynamicport tcp`
    pub(super) dynamic: String,
    /// `netsh int ipv4 show excludedportrange protocol=tcp`
    pub(super) excluded: String,
    /// `reg query ... /v TcpTimedWaitDelay`
    pub(super) timed_wait_delay: String,
    /// `Get-NetTCPSetting`, start and number of the auto-reuse range as CSV.
    pub(super) reuse: String,
}

pub(super) const TIMED_WAIT_DELAY: &str = "TcpTimedWaitDelay";

/// As the preset has it, with its source; unverified for current releases.
const DEFAULT_TIME_WAIT: u64 = 120;

pub(super) fn system(answers: &Answers) -> Result<System, String> {
    let range = dynamic_range(&answers.dynamic).ok_or_else(|| match answers.dynamic.trim() {
        "" => "netsh says nothing".to_owned(),
        said => format!("netsh says `{said}`"),
    })?;
    let excluded: Vec<PortRange> = excluded(&answers.excluded, range);
    let delay = timed_wait_delay(&answers.timed_wait_delay);
    let reuse = auto_reuse(&answers.reuse);
    let mut settings =
        vec![range_setting(range), excluded_setting(&excluded), delay_setting(delay)];
    settings.extend(reuse.map(reuse_setting));
    let shared = reuse.is_some_and(|(_, ports)| ports > 0);
    Ok(System {
        name: name(&answers.version),
        preset: "windows".to_owned(),
        range,
        reserved: excluded.iter().flat_map(|part| ports(*part)).collect::<PortSet>(),
        reuse_key: if shared { ReuseKey::FourTuple } else { ReuseKey::SourceAddress },
        time_wait: Duration::from_secs(delay.unwrap_or(DEFAULT_TIME_WAIT)),
        grid: Duration::ZERO,
        tcp: TcpSettings { tw_reuse: TwReuse::Never, ..TcpSettings::default() },
        settings,
        keys: keys(range, &excluded, delay, shared),
        unseen: vec![
            "Windows does not tell how long a TIME-WAIT still lasts: when ports come back is not told, and \
             rates need a second look (--for or --watch)."
                .to_owned(),
        ],
    })
}

fn ports(range: PortRange) -> impl Iterator<Item = u16> {
    range.min_ephemeral()..=range.max_ephemeral()
}

/// `Microsoft Windows [Version 10.0.22631.4317]`: the first word with a dot between digits.
fn name(version: &str) -> String {
    let words = version.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let number = words.into_iter().find(|word| word.contains('.') && word.len() > 2);
    number.map_or_else(|| "Windows".to_owned(), |number| format!("Windows {number}"))
}

/// The numbers that stand alone: `IPv4` is none, and colons differ between languages.
fn numbers(line: &str) -> Vec<u32> {
    line.split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// The first two numbers: start, and how many.
fn dynamic_range(text: &str) -> Option<PortRange> {
    let mut all = text.lines().flat_map(numbers);
    let (start, count) = (all.next()?, all.next()?);
    let last = start.checked_add(count)?.checked_sub(1)?;
    PortRange::new(start.try_into().ok()?, last.try_into().ok()?)
}

/// Lines of two numbers, a first and a last port, and maybe a star: as far as they lie in `range`.
fn excluded(text: &str, range: PortRange) -> Vec<PortRange> {
    let pair = |line: &str| match numbers(line)[..] {
        [first, last] => PortRange::new(first.try_into().ok()?, last.try_into().ok()?),
        _ => None,
    };
    let inside = |part: PortRange| {
        let first = part.min_ephemeral().max(range.min_ephemeral());
        PortRange::new(first, part.max_ephemeral().min(range.max_ephemeral()))
    };
    text.lines().filter_map(pair).filter_map(inside).collect()
}

/// `    TcpTimedWaitDelay    REG_DWORD    0x1e`, in seconds; 30 to 300 are obeyed (KB 314053).
fn timed_wait_delay(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.trim_start().starts_with(TIMED_WAIT_DELAY))?;
    let digits = line.split_whitespace().last()?.strip_prefix("0x")?;
    Some(u64::from_str_radix(digits, 16).ok()?.clamp(30, 300))
}

/// Start and number of ports, the two fields below a header.
fn auto_reuse(text: &str) -> Option<(u32, u32)> {
    let line = text.lines().filter(|line| !line.trim().is_empty()).nth(1)?;
    let mut fields = line.split(',').map(|field| field.trim().trim_matches('"').parse().ok());
    Some((fields.next()??, fields.next()??))
}

fn range_setting(range: PortRange) -> Setting {
    let ports = range.num_ephemeral();
    Setting {
        name: "dynamicport tcp (ipv4)",
        value: range.to_string(),
        meaning: format!(
            "source ports are taken from these {ports}; IPv6, and UDP, have ranges of their own"
        ),
    }
}

fn excluded_setting(excluded: &[PortRange]) -> Setting {
    let count: u32 = excluded.iter().map(|part| part.num_ephemeral()).sum();
    let list: Vec<String> = excluded.iter().map(|part| edges(*part)).collect();
    let value = if list.is_empty() { "none in the range".to_owned() } else { list.join(", ") };
    Setting {
        name: "excludedportrange tcp (ipv4)",
        value,
        meaning: format!(
            "{count} ports of the range are kept for whoever excluded them (WinNAT and Hyper-V do at \
             start-up) and given to no connection"
        ),
    }
}

fn delay_setting(delay: Option<u64>) -> Setting {
    let (value, meaning) = match delay {
        Some(seconds) => (
            format!("{seconds} s"),
            "how long TIME-WAIT lasts, if this release still obeys it (unverified)".to_owned(),
        ),
        None => (
            "not set".to_owned(),
            format!(
                "TIME-WAIT is taken to last {DEFAULT_TIME_WAIT} s, as documented for Windows XP and \
                 Server 2003: unverified for later releases"
            ),
        ),
    };
    Setting { name: TIMED_WAIT_DELAY, value, meaning }
}

fn reuse_setting((start, ports): (u32, u32)) -> Setting {
    let (value, meaning) = match ports {
        0 => (
            "0 ports".to_owned(),
            "a port serves one connection of each local address at a time (inferred, not measured)",
        ),
        _ => (
            format!("{start}-{}", start + ports - 1),
            "ports of this range are shared between destinations by connections without bind() \
             (documented, not measured)",
        ),
    };
    Setting { name: "AutoReusePortRange (Internet)", value, meaning: meaning.to_owned() }
}

fn keys(
    range: PortRange,
    excluded: &[PortRange],
    delay: Option<u64>,
    shared: bool,
) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    if range != PortRange::IANA_DYNAMIC {
        keys.push(("ports", format!("\"{range}\"")));
    }
    if !excluded.is_empty() {
        let list: Vec<String> =
            excluded.iter().map(|part| format!("\"{}\"", edges(*part))).collect();
        keys.push(("reserved", format!("[{}]", list.join(", "))));
    }
    if let Some(seconds) = delay.filter(|&seconds| seconds != DEFAULT_TIME_WAIT) {
        keys.push(("time_wait", format!("\"{seconds} s\"")));
    }
    if shared {
        keys.push(("reuse_key", "\"four-tuple\"".to_owned()));
    }
    keys
}

/// `50000-50059`, or `5357`.
fn edges(range: PortRange) -> String {
    match range.num_ephemeral() {
        1 => range.min_ephemeral().to_string(),
        _ => range.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "
Protocol tcp Dynamic Port Range
---------------------------------
Start Port      : 49152
Number of Ports : 16384

";

    const SPANISH: &str = "\r
Rango de puertos dinámicos del protocolo tcp\r
---------------------------------\r
Puerto de inicio : 10000\r
Número de puertos: 2000\r
";

    const EXCLUDED: &str = "
Puerto de inicio    Puerto final
----------          --------
      1025        1124
      5357        5357
     50000       50059     *
     50060       50060
     65500       65535

* - Exclusiones de puertos administradas.
";

    const DELAY: &str = "\r
HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\r
    TcpTimedWaitDelay    REG_DWORD    0x1e\r
\r
";

    const REUSE: &str = "\
\"AutoReusePortRangeStartPort\",\"AutoReusePortRangeNumberOfPorts\"\r
\"0\",\"0\"\r
";

    fn answers(dynamic: &str) -> Answers {
        Answers { dynamic: dynamic.to_owned(), ..Answers::default() }
    }

    #[test]
    fn windows_as_it_comes_is_the_preset() {
        let version = "\r\nMicrosoft Windows [Version 10.0.22631.4317]\r\n".to_owned();
        let answers = Answers { version, reuse: REUSE.to_owned(), ..answers(ENGLISH) };
        let system = system(&answers).unwrap();
        assert_eq!(system.name, "Windows 10.0.22631.4317");
        assert_eq!(system.range, PortRange::IANA_DYNAMIC);
        assert_eq!(system.time_wait, Duration::from_secs(120));
        assert_eq!(system.reuse_key, ReuseKey::SourceAddress);
        assert_eq!(system.keys, []);
        assert!(system.settings[2].meaning.contains("unverified"));
        assert_eq!(system.settings[3].value, "0 ports");
    }

    #[test]
    fn what_was_changed_is_read_in_any_language_and_becomes_keys_that_a_scenario_understands() {
        let answers = Answers {
            excluded: EXCLUDED.to_owned(),
            timed_wait_delay: DELAY.to_owned(),
            reuse: REUSE.replace("\"0\",\"0\"", "\"10000\",\"2000\""),
            ..answers(SPANISH)
        };
        let system = system(&answers).unwrap();
        assert_eq!(system.range, PortRange::new(10_000, 11_999).unwrap());
        assert_eq!(system.reserved, PortSet::default());
        assert_eq!(system.reuse_key, ReuseKey::FourTuple);
        assert_eq!(system.settings[3].value, "10000-11999");
        let keys: Vec<String> =
            system.keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let expected =
            ["ports = \"10000-11999\"", "time_wait = \"30 s\"", "reuse_key = \"four-tuple\""];
        assert_eq!(keys, expected);
    }

    #[test]
    fn excluded_ports_of_the_range_are_reserved() {
        let answers = Answers { excluded: EXCLUDED.to_owned(), ..answers(ENGLISH) };
        let system = system(&answers).unwrap();
        assert_eq!(system.reserved.ports().len(), 60 + 1 + 36);
        assert!(system.reserved.contains(50_060) && !system.reserved.contains(50_061));
        assert_eq!(system.settings[1].value, "50000-50059, 50060, 65500-65535");
        let (key, value) = &system.keys[0];
        let scenario = format!(
            "[host.here]\npreset = \"windows\"\n{key} = {value}\n[client.fetcher]\n\
             arrivals = {{ process = \"poisson\", rate = \"600 / s\" }}\nlifetime = \"200 ms\"\n"
        );
        let world = crate::scenario::parse("here", "here.toml", &scenario, &[]).unwrap().world;
        assert_eq!(world.hosts[0].reserved, system.reserved);
    }

    #[test]
    fn a_delay_outside_what_windows_obeys_is_the_nearest_that_it_does() {
        assert_eq!(timed_wait_delay(&DELAY.replace("0x1e", "0x1")), Some(30));
        assert_eq!(timed_wait_delay(&DELAY.replace("0x1e", "0xffff")), Some(300));
        assert_eq!(timed_wait_delay("ERROR: not found"), None);
    }

    #[test]
    fn a_netsh_that_does_not_tell_is_quoted() {
        let error = system(&answers("The following command was not found.\n")).unwrap_err();
        assert_eq!(error, "netsh says `The following command was not found.`");
        assert_eq!(system(&answers("\r\n")).unwrap_err(), "netsh says nothing");
        assert!(dynamic_range("65000\n1000\n").is_none());
    }

    #[test]
    fn a_colon_may_be_of_any_width() {
        let range = dynamic_range("IPv4 协议 tcp\n启动端口\u{a0}：1024\n端口数：64511\n");
        assert_eq!(range, PortRange::new(1024, 65_534));
    }
}
