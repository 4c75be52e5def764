//! The sysctls that bear on source ports, each with what its value means.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use super::super::kernel_info::{KernelInfo, kernel_info};
use super::super::{Setting, System, Unreadable};
use crate::model::{PortRange, PortSet, SynTimeout, TcpSettings, TimerGrid, TimerWheel, TwReuse};
use crate::numbers::{count, plural, span};
use crate::platform::{Linux, Value};
use crate::units::{SimDuration, SimTime};

/// What the kernel lists since some version.
const LISTED: &str = "sock_diag of bound sockets";

/// The settings of the network namespace that this thread is in.
pub(crate) fn system() -> Result<System, Unreadable> {
    let kernel = kernel_info().expect("this is Linux");
    let read = |name: &str| {
        read_sysctl(&format!("/proc/sys/net/ipv4/{name}")).map_err(|error| error.to_string())
    };
    Sysctls { read: &read, kernel }.system()
}

/// Sysctls below `net.ipv4`, however they are read.
struct Sysctls<'a> {
    read: &'a dyn Fn(&str) -> Result<String, String>,
    kernel: KernelInfo,
}

impl Sysctls<'_> {
    fn system(&self) -> Result<System, Unreadable> {
        let range = self.range()?;
        let reserved = self.reserved();
        let linux = self.linux();
        let time_wait = linux.time_wait();
        let nanos = |span: SimDuration| Duration::from_nanos(span.as_nanos());
        let mut system = System {
            name: format!("Linux {}", self.kernel.release),
            preset: linux.preset(),
            range,
            reserved,
            reuse_key: linux.reuse_key(),
            time_wait: nanos(time_wait),
            grid: nanos(self.timer_grid().step(time_wait)),
            tcp: self.tcp(),
            settings: Vec::new(),
            keys: Vec::new(),
            unseen: self.unseen(),
        };
        self.tell(&mut system);
        Ok(system)
    }

    /// `ip_local_port_range`; it holds for IPv6 too.
    fn range(&self) -> Result<PortRange, Unreadable> {
        let unreadable = |why: String| Unreadable {
            what: "the dynamic range of ports (net.ipv4.ip_local_port_range)".to_owned(),
            why,
        };
        let text = (self.read)("ip_local_port_range").map_err(unreadable)?;
        let mut numbers = text.split_whitespace().map(str::parse);
        let ends = (numbers.next(), numbers.next());
        let (Some(Ok(low)), Some(Ok(high))) = ends else { return Err(unreadable(text)) };
        PortRange::new(low, high).ok_or_else(|| unreadable(text))
    }

    /// `ip_local_reserved_ports`: `8080,9000-9010`.
    fn reserved(&self) -> PortSet {
        let text = (self.read)("ip_local_reserved_ports").unwrap_or_default();
        let parts = text.trim().split(',').filter_map(|part| {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            Some(low.trim().parse::<u16>().ok()?..=high.trim().parse::<u16>().ok()?)
        });
        parts.flatten().collect()
    }

    /// The version that it is taken for: the nearest known one, or the newest where it names none.
    fn linux(&self) -> Linux {
        self.kernel.version().map_or(Linux::NEWEST, Linux::nearest_known)
    }

    fn timer_grid(&self) -> TimerGrid {
        let usual = self.linux().usual_hz();
        self.kernel.hz.or(usual).map_or(TimerGrid::Exact, |hz| self.linux().timer_grid(hz))
    }

    fn number(&self, name: &str) -> Option<u64> {
        (self.read)(name).ok()?.trim().parse().ok()
    }

    /// What it does with TIME-WAITs; what has no sysctl is as its version has it.
    fn tcp(&self) -> TcpSettings {
        let usual = self.linux().tcp();
        TcpSettings {
            tw_reuse: match self.number("tcp_tw_reuse") {
                Some(1) => TwReuse::Always,
                Some(2) => TwReuse::Loopback,
                _ => TwReuse::Never,
            },
            tw_reuse_delay: self
                .number("tcp_tw_reuse_delay")
                .map_or(usual.tw_reuse_delay, SimDuration::from_millis),
            timestamps: self.number("tcp_timestamps") != Some(0),
            ..usual
        }
    }

    /// What nobody sees on this kernel, root or not.
    fn unseen(&self) -> Vec<String> {
        let mut unseen = vec![
            "Linux does not tell a port that a program chose by bind() before connect() from one that \
             connect() chose; such a port is lost to every destination, not only to its own."
                .to_owned(),
        ];
        let linux = self.linux();
        if let Some(since) = Linux::first_with(LISTED).filter(|_| !linux.has(LISTED)) {
            unseen.push(format!(
                "Kernels before {since} do not list sockets that are bound and neither listen nor are \
                 connected."
            ));
        }
        if self.kernel.version().is_some_and(|version| version != linux) {
            unseen.push(format!("This kernel is not known: it is taken for Linux {linux}."));
        }
        unseen
    }

    /// Every setting with its meaning, and as a scenario's key where it is not the preset's own.
    fn tell(&self, system: &mut System) {
        let (range, lasts) = (system.range, lasts(system));
        let mut add = |name, value: String, meaning: String| {
            system.settings.push(Setting { name, value, meaning });
        };
        add(
            "net.ipv4.ip_local_port_range",
            range.to_string(),
            format!(
                "{} from each own address to each destination (address and port)",
                plural(range.num_ephemeral().into(), "source port", "source ports")
            ),
        );
        let reserved = system.reserved.inside(range).count() as u64;
        let words = match reserved {
            0 => "no port of the range is kept free of connect()".to_owned(),
            _ => format!("{} of the range are never chosen by connect()", count(reserved)),
        };
        let text = (self.read)("ip_local_reserved_ports").unwrap_or_default();
        let text = if text.trim().is_empty() { "none" } else { text.trim() };
        add("net.ipv4.ip_local_reserved_ports", text.to_owned(), words);
        add("TIME-WAIT", lasts, "a constant of the kernel; no sysctl changes it".to_owned());
        for sysctl in SYSCTLS {
            let Some(value) = self.number(sysctl.name) else { continue };
            if let Some(meaning) = (sysctl.meaning)(value, self) {
                add(sysctl.full, format!("{value}{}", sysctl.unit), meaning);
            }
        }
        self.keys(system);
    }

    /// What a scenario has to say so that it is this machine.
    fn keys(&self, system: &mut System) {
        system.keys.push(("ports", format!("\"{}\"", system.range)));
        if !system.reserved.ports().is_empty() {
            let text = (self.read)("ip_local_reserved_ports").unwrap_or_default();
            system.keys.push(("ip_local_reserved_ports", format!("\"{}\"", text.trim())));
        }
        let linux = self.linux();
        if let (Some(hz), Some(usual)) = (self.kernel.hz, linux.usual_hz())
            && hz != usual
        {
            system.keys.push(("hz", hz.to_string()));
        }
        for sysctl in SYSCTLS.iter().filter(|sysctl| linux.has(sysctl.name)) {
            let value = self.number(sysctl.name);
            if let Some(value) = value.filter(|value| Some(*value) != sysctl.usual(linux)) {
                system.keys.push((sysctl.name, value.to_string()));
            }
        }
    }
}

/// `60 s to 62.0 s`.
fn lasts(system: &System) -> String {
    let (least, grid) = (system.time_wait.as_secs_f64(), system.grid.as_secs_f64());
    if system.grid.is_zero() {
        return span(least);
    }
    format!("{} to {}", span(least), span(least + grid))
}

/// One sysctl with one number.
struct Sysctl {
    name: &'static str,
    full: &'static str,
    unit: &'static str,
    /// What a value means; nothing where it is not worth a line.
    meaning: fn(u64, &Sysctls) -> Option<String>,
}

impl Sysctl {
    /// The default of a version of Linux, as the sysctl has it; `None` where that depends on the machine.
    fn usual(&self, linux: Linux) -> Option<u64> {
        match linux.fact(self.name)?.value {
            Value::Number(number) => Some(number.into()),
            Value::Span(span) if self.unit == " ms" => Some(span.as_nanos() / 1_000_000),
            Value::Span(span) => Some(span.as_nanos() / 1_000_000_000),
            _ => None,
        }
    }
}

/// Documentation/networking/ip-sysctl.rst, Linux 6.18.
const SYSCTLS: [Sysctl; 8] = [
    Sysctl {
        name: "tcp_tw_reuse",
        full: "net.ipv4.tcp_tw_reuse",
        unit: "",
        meaning: |value, sysctls| {
            let tcp = sysctls.tcp();
            let at_most = (tcp.tw_reuse_delay + tcp.tw_reuse_clock).as_secs_f64();
            Some(match value {
                1 | 2 if !tcp.timestamps => {
                    "nothing is taken out of TIME-WAIT, since timestamps are off".to_owned()
                }
                1 => format!(
                    "connect() may take a port out of TIME-WAIT after {}, towards every destination \
                     with timestamps",
                    span(at_most)
                ),
                2 => format!(
                    "connect() may take a port out of TIME-WAIT after {}, but only over loopback",
                    span(at_most)
                ),
                _ => "a port stays in TIME-WAIT until its timer fires".to_owned(),
            })
        },
    },
    Sysctl {
        name: "tcp_tw_reuse_delay",
        full: "net.ipv4.tcp_tw_reuse_delay",
        unit: " ms",
        meaning: |value, _| {
            (value != 1_000).then(|| "how old a TIME-WAIT must be to be taken over".to_owned())
        },
    },
    Sysctl {
        name: "tcp_timestamps",
        full: "net.ipv4.tcp_timestamps",
        unit: "",
        meaning: |value, _| {
            (value == 0).then(|| "off: no port can be taken out of TIME-WAIT".to_owned())
        },
    },
    Sysctl {
        name: "tcp_fin_timeout",
        full: "net.ipv4.tcp_fin_timeout",
        unit: " s",
        meaning: |_, _| {
            Some(
                "how long FIN-WAIT-2 waits for a server that never closes; TIME-WAIT is another timer"
                    .to_owned(),
            )
        },
    },
    Sysctl {
        name: "tcp_max_tw_buckets",
        full: "net.ipv4.tcp_max_tw_buckets",
        unit: "",
        meaning: |value, _| {
            let most = plural(value, "TIME-WAIT", "TIME-WAITs");
            Some(format!("with {most} on the machine, a further one ends at once"))
        },
    },
    Sysctl {
        name: "tcp_syn_retries",
        full: "net.ipv4.tcp_syn_retries",
        unit: "",
        meaning: |value, sysctls| {
            let linear = sysctls.number("tcp_syn_linear_timeouts").unwrap_or(0);
            let after = syn_timeout(value, linear, sysctls)?;
            let after = count(after.round() as u64);
            Some(format!("a connection that nobody answers holds its port for about {after} s"))
        },
    },
    Sysctl {
        name: "tcp_syn_linear_timeouts",
        full: "net.ipv4.tcp_syn_linear_timeouts",
        unit: "",
        meaning: |_, _| None,
    },
    Sysctl {
        name: "ip_autobind_reuse",
        full: "net.ipv4.ip_autobind_reuse",
        unit: "",
        meaning: |value, _| {
            (value != 0).then(|| {
                "bind() to port 0 shares ports among sockets with SO_REUSEADDR when none is free"
                    .to_owned()
            })
        },
    },
];

/// Seconds until a SYN is given up, by the timers' grid.
fn syn_timeout(retries: u64, linear: u64, sysctls: &Sysctls) -> Option<f64> {
    let syn = SynTimeout::Linux {
        retries: u8::try_from(retries).ok()?,
        linear_timeouts: u8::try_from(linear).ok()?,
    };
    let wheel = TimerWheel::new(sysctls.timer_grid(), sysctls.linux().time_wait(), 0.5, 0);
    Some(syn.given_up(wheel, SimTime::START).as_secs_f64())
}

/// A list of single ports can take so many bytes; all other values are short.
const LONGEST_LIST: usize = 1 << 19;

/// A sysctl's value. In one read: a sysctl ends at the second, whatever it has left
/// (kernel/sysctl.c:proc_do_large_bitmap), and reading to the end begins with 32 bytes.
pub(crate) fn read_sysctl(path: &str) -> io::Result<String> {
    let mut buffer = vec![0; if path.ends_with("_ports") { LONGEST_LIST } else { 256 }];
    let length = File::open(path)?.read(&mut buffer)?;
    buffer.truncate(length);
    Ok(String::from_utf8_lossy(&buffer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&str, &str)]) -> Result<System, Unreadable> {
        let read = |name: &str| {
            let found = values.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned()).ok_or_else(|| "not there".to_owned())
        };
        let kernel = KernelInfo { release: "6.18.44".to_owned(), hz: Some(250) };
        Sysctls { read: &read, kernel }.system()
    }

    #[test]
    fn a_setting_is_told_with_what_its_value_means() {
        let system = of(&[
            ("ip_local_port_range", "32768\t60999\n"),
            ("ip_local_reserved_ports", "60103,40000-40009\n"),
            ("tcp_tw_reuse", "1\n"),
            ("tcp_tw_reuse_delay", "1000\n"),
            ("tcp_timestamps", "1\n"),
            ("tcp_syn_retries", "6\n"),
            ("tcp_syn_linear_timeouts", "4\n"),
        ])
        .unwrap();
        assert_eq!(system.range.num_ephemeral(), 28_232);
        assert_eq!(system.reserved.ports().len(), 11);
        let (here, there) = ([10, 0, 0, 1].into(), [10, 0, 0, 5].into());
        assert_eq!(system.taken_over_from(here, there), Some(Duration::from_micros(1_000_500)));
        assert_eq!(system.grid, Duration::from_millis(2_048));
        let meaning = |name: &str| {
            let setting = system.settings.iter().find(|setting| setting.name == name).unwrap();
            format!("{}: {}", setting.value, setting.meaning)
        };
        assert!(meaning("net.ipv4.ip_local_port_range").starts_with("32768-60999: 28,232 source"));
        assert!(meaning("net.ipv4.ip_local_reserved_ports").contains("11 of the range"));
        // 131 s, were timers exact.
        assert!(meaning("net.ipv4.tcp_syn_retries").contains("for about 134 s"));
        assert!(meaning("TIME-WAIT").starts_with("60.0 s to 62.0 s"));
        let reserved = ("ip_local_reserved_ports", "\"60103,40000-40009\"".to_owned());
        assert!(system.keys.contains(&reserved));
        assert!(system.keys.contains(&("tcp_tw_reuse", "1".to_owned())));
    }

    #[test]
    fn without_timestamps_nothing_is_taken_over() {
        let system = of(&[
            ("ip_local_port_range", "1024 65535"),
            ("tcp_tw_reuse", "1"),
            ("tcp_timestamps", "0"),
        ]);
        let (here, there) = ([10, 0, 0, 1].into(), [10, 0, 0, 5].into());
        assert_eq!(system.unwrap().taken_over_from(here, there), None);
    }

    #[test]
    fn a_range_that_cannot_be_read_is_told() {
        let error = of(&[]).unwrap_err().to_string();
        assert!(error.contains("ip_local_port_range") && error.contains("not there"), "{error}");
        assert!(of(&[("ip_local_port_range", "5")]).is_err());
    }

    /// The usual settings of a kernel are the preset of its version and nothing more, and every one that
    /// differs is a key that this preset takes.
    #[test]
    fn every_kernel_is_its_preset_and_what_differs_from_it() {
        for linux in Linux::known() {
            let usual =
                |sysctl: &Sysctl| linux.has(sysctl.name).then(|| sysctl.usual(linux)).flatten();
            let told = |change: u64| {
                let read = |name: &str| {
                    let sysctl = SYSCTLS.iter().find(|sysctl| sysctl.name == name);
                    let value = sysctl.and_then(usual).map(|value| (value + change).to_string());
                    let range = (name == "ip_local_port_range").then(|| "32768 60999".to_owned());
                    value.or(range).ok_or_else(|| "not there".to_owned())
                };
                let kernel = KernelInfo { release: format!("{linux}.7-generic"), hz: Some(250) };
                Sysctls { read: &read, kernel }.system().unwrap()
            };
            let system = told(0);
            assert_eq!(system.preset, linux.preset());
            assert_eq!(system.keys, [("ports", "\"32768-60999\"".to_owned())], "{linux}");
            assert_eq!(system.time_wait.as_nanos() as u64, linux.time_wait().as_nanos(), "{linux}");
            let mut differing: Vec<&str> =
                told(1).keys.iter().map(|(key, _)| *key).skip(1).collect();
            let sysctls = SYSCTLS.iter().filter(|sysctl| usual(sysctl).is_some());
            assert!(sysctls.map(|sysctl| sysctl.name).eq(differing.drain(..)), "{linux}");
            assert_eq!(system.unseen.len(), if linux < Linux(6, 8) { 2 } else { 1 }, "{linux}");
        }
    }

    #[test]
    fn a_kernel_that_is_not_known_is_taken_for_the_nearest_and_says_so() {
        let read = |_: &str| Ok("32768 60999".to_owned());
        let kernel = KernelInfo { release: "7.2.1".to_owned(), hz: Some(1000) };
        let system = Sysctls { read: &read, kernel }.system().unwrap();
        assert_eq!(system.preset, "linux");
        assert!(system.unseen.iter().any(|line| line.contains("taken for Linux 6.18")));
    }

    #[test]
    fn where_seconds_are_compared_a_port_is_taken_over_half_a_second_later() {
        for (release, seconds) in [("6.12.1", 0.5), ("4.19.2", 0.5), ("4.18.0", 1.5)] {
            let read = |name: &str| match name {
                "ip_local_port_range" => Ok("32768 60999".to_owned()),
                "tcp_tw_reuse" | "tcp_timestamps" => Ok("1".to_owned()),
                _ => Err("not there".to_owned()),
            };
            let kernel = KernelInfo { release: release.to_owned(), hz: Some(250) };
            let system = Sysctls { read: &read, kernel }.system().unwrap();
            let (here, there) = ([10, 0, 0, 1].into(), [10, 0, 0, 5].into());
            let from = Duration::from_secs_f64(seconds);
            assert_eq!(system.taken_over_from(here, there), Some(from), "{release}");
        }
    }
}
