//! Every version of Linux, as scenarios have it: what its preset makes of a host, which sysctls and socket
//! options it refuses, and what the model takes it for.
//!
//! The table below is written down by hand, from the sources of those kernels, so that a row of
//! `platform::FACTS` that begins a version too early or too late shows, and a reader of it that goes its
//! own way too.

use portsim::model::{Host, SynTimeout, TimerGrid};
use portsim::platform::{FACTS, Linux};
use portsim::scenario::{self, Scenario};

const CLIENT: &str = "[client.any]\narrivals = { process = \"poisson\", rate = \"1 / s\" }\n\
                      lifetime = \"0 s\"\n";

/// What cannot be asked of every kernel: a name, a line of the client, a line of the host.
const ASKED: [(&str, &str, &str); 6] = [
    ("no-port", "binds = \"bind-no-port\"", ""),
    ("hz", "", "hz = 1000"),
    ("autobind", "", "net.ipv4.ip_autobind_reuse = 1"),
    ("range", "port_range = \"40000-40009\"", ""),
    ("linear", "", "tcp_syn_linear_timeouts = 1"),
    ("delay", "", "sysctl = \"net.ipv4.tcp_tw_reuse_delay = 500\""),
];

fn parsed(kernel: Linux, client: &str, host: &str) -> Result<Scenario, String> {
    let text = format!("{CLIENT}{client}\n[host.here]\npreset = \"linux-{kernel}\"\n{host}\n");
    scenario::parse("here", "here.toml", text, &[]).map_err(|problems| problems.render(false))
}

/// One line about a host.
fn line(host: &Host) -> String {
    let tcp = host.tcp;
    let SynTimeout::Linux { retries: 6, linear_timeouts } = tcp.syn else {
        panic!("{:?}", tcp.syn)
    };
    let grid = if host.timer_grid == TimerGrid::Exact { "exact" } else { "wheel" };
    let flag = |flag: bool, word: &'static str| if flag { word } else { "-" };
    format!(
        "{} {} {grid} {:?} {:?} {}+{} {linear_timeouts} {} {} {}",
        host.ports,
        host.time_wait,
        host.selection,
        tcp.tw_reuse,
        tcp.tw_reuse_delay,
        tcp.tw_reuse_clock,
        flag(tcp.autobind_reuse, "shares"),
        flag(tcp.buckets_reopen, "reopens"),
        flag(tcp.narrow_range_by_one, "by-one"),
    )
}

/// Where what is true of a kernel differs from the one before: the preset, and what it refuses.
const CHANGES: &str = "\
3.10 32768-61000 56.25 s exact LinuxInOrder Never 1 s+1 s 0 shares - - | no-port hz autobind range linear delay
4.1 32768-61000 60 s exact LinuxInOrder Never 1 s+1 s 0 shares - - | no-port hz autobind range linear delay
4.2 32768-60999 60 s exact LinuxEvenStart Never 1 s+1 s 0 shares - - | hz autobind range linear delay
4.6 32768-60999 60 s exact LinuxSharedHint Never 1 s+1 s 0 shares - - | hz autobind range linear delay
4.8 32768-60999 60 s wheel LinuxSharedHint Never 1 s+1 s 0 shares - - | autobind range linear delay
4.11 32768-60999 60 s wheel LinuxSharedHint Never 1 s+1 s 0 - - - | autobind range linear delay
4.18 32768-60999 60 s wheel LinuxSharedHint Loopback 1 s+1 s 0 - - - | autobind range linear delay
4.19 32768-60999 60 s wheel LinuxSharedHint Loopback 0 s+1 s 0 - - - | autobind range linear delay
5.7 32768-60999 60 s wheel LinuxSharedHint Loopback 0 s+1 s 0 - - - | range linear delay
5.12 32768-60999 60 s wheel Linux Loopback 0 s+1 s 0 - - - | range linear delay
6.3 32768-60999 60 s wheel Linux Loopback 0 s+1 s 0 - - - | linear delay
6.5 32768-60999 60 s wheel Linux Loopback 0 s+1 s 4 - - - | delay
6.8 32768-60999 60 s wheel Linux Loopback 0 s+1 s 4 - - by-one | delay
6.14 32768-60999 60 s wheel Linux Loopback 1 s+1 ms 4 - - by-one |
6.18 32768-60999 60 s wheel Linux Loopback 1 s+1 ms 4 - reopens by-one |
";

#[test]
fn every_version_of_linux_is_what_its_source_says() {
    let (mut changes, mut last) = (String::new(), String::new());
    for kernel in Linux::known() {
        let mut world = parsed(kernel, "", "").unwrap_or_else(|told| panic!("{told}")).world;
        let mut text = format!("{} |", line(&world.hosts.remove(0)));
        for (name, client, host) in ASKED {
            if let Err(told) = parsed(kernel, client, host) {
                let begins = format!("Linux {kernel} has no ");
                assert!(told.contains(&begins) && told.contains("it came with "), "{told}");
                text.push_str(&format!(" {name}"));
            }
        }
        if text != last {
            changes.push_str(&format!("{kernel} {text}\n"));
            last = text;
        }
    }
    assert_eq!(changes, CHANGES);
}

/// A kernel may come with hundreds of sysctls: only what it removed is told as removed.
#[test]
fn tcp_tw_recycle_went_with_4_12() {
    for kernel in Linux::known() {
        let read = parsed(kernel, "", "net.ipv4.tcp_tw_recycle = 1").unwrap();
        let told = read.warnings.render(false);
        assert_eq!(told.contains("was removed in Linux 4.12"), kernel >= Linux(4, 12), "{told}");
    }
}

#[test]
fn what_is_no_version_of_linux_is_refused_with_what_to_write() {
    for (name, told) in [
        ("linux-9.9", "the newest known is Linux 6.18: write preset = \"linux\""),
        ("linux-2.4", "the oldest known is Linux 3.10"),
        ("linux-5.20", "after 5.19 came 6.0"),
        ("linux-6.1.55", "write preset = \"linux-6.1\""),
    ] {
        let text = format!("{CLIENT}[host.here]\npreset = \"{name}\"\n");
        let problems = scenario::parse("here", "here.toml", text, &[]).unwrap_err();
        let rendered = problems.render(false);
        assert!(rendered.contains(told), "{rendered}");
    }
}

#[test]
fn docs_linux_md_names_every_version_that_changed_something() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/linux.md")).unwrap();
    let section = text.split("## Versions").nth(1).unwrap().split("\n## ").next().unwrap();
    let begun = |line: &str| -> Option<Vec<String>> {
        let versions = line.strip_prefix("| ")?.split(" |").next()?;
        Some(versions.split(", ").map(str::to_owned).collect())
    };
    let told: Vec<String> = section.lines().filter_map(begun).flatten().collect();
    for fact in FACTS.iter().filter(|fact| fact.since > Linux::OLDEST) {
        assert!(told.contains(&fact.since.to_string()), "{} since {}", fact.key, fact.since);
    }
}
