//! The keys of `[host.NAME]` and `[destination.NAME]` that decide how long a port is held, and where.

use super::good::SMALLEST;
use super::*;
use crate::model::{
    Host, PortSet, SearchCost, SelectionKind, Squatter, SquatterAddress, SynTimeout, TwReuse,
};
use crate::units::SimDuration;

/// The host of the smallest scenario, with `lines` in its table.
#[track_caller]
fn host(lines: &str) -> Host {
    good(&format!("{SMALLEST}[host.a]\n{lines}\n")).world.hosts.remove(0)
}

/// What is wrong with the one line of a host; `blamed` stands on it.
#[track_caller]
fn refused(line: &str, blamed: &str, message: &str, help: &str) {
    let column = line.rfind(blamed).unwrap() + 1;
    told(&bad(format!("{SMALLEST}[host.a]\n{line}\n")), (5, column, blamed), message, help);
}

#[test]
fn sysctls_are_keys_of_a_host() {
    let tcp = host(
        "tcp_tw_reuse = 1\ntcp_tw_reuse_delay = 300\ntcp_timestamps = 0\n\
         tcp_max_tw_buckets = 0\ntcp_fin_timeout = 5\ntcp_syn_retries = 3\n\
         tcp_syn_linear_timeouts = 0\nip_autobind_reuse = 1",
    )
    .tcp;
    assert_eq!(tcp.tw_reuse, TwReuse::Always);
    assert_eq!(tcp.tw_reuse_delay, SimDuration::from_millis(300));
    assert_eq!((tcp.timestamps, tcp.max_tw_buckets), (false, Some(0)));
    assert_eq!(tcp.fin_timeout, SimDuration::from_secs(5));
    assert_eq!(tcp.syn, SynTimeout::Linux { retries: 3, linear_timeouts: 0 });
    assert!(tcp.autobind_reuse && tcp.buckets_reopen && tcp.narrow_range_by_one);
}

#[test]
fn times_may_have_their_unit() {
    let tcp = host("tcp_tw_reuse_delay = \"0.2 s\"\ntcp_fin_timeout = \"2 min\"").tcp;
    assert_eq!(tcp.tw_reuse_delay, SimDuration::from_millis(200));
    assert_eq!(tcp.fin_timeout, SimDuration::from_secs(120));
    assert!(host("tcp_timestamps = 2").tcp.timestamps);
    assert_eq!(host("tcp_max_tw_buckets = 262144").tcp.max_tw_buckets, Some(262_144));
}

#[test]
fn what_the_kernel_would_not_take_is_refused() {
    refused("tcp_tw_reuse = 3", "3", "tcp_tw_reuse = 3 is not possible", "from 0 to 2");
    refused("tcp_tw_reuse = true", "true", "must be a whole number", "from 0 to 2");
    refused("tcp_tw_reuse_delay = 0", "0", "tcp_tw_reuse_delay = 0", "from 1 to 60000");
    let long = "\"61 s\"";
    refused(&format!("tcp_tw_reuse_delay = {long}"), long, "\"61 s\" is not", "1 ms and 60 s");
    refused("tcp_tw_reuse_delay = \"1\"", "1", "the unit is missing", "\"1 s\"");
    refused("tcp_tw_reuse_delay = 0.5", "0.5", "0.5 has no unit", "0.5 s");
    refused("tcp_syn_retries = 0", "0", "tcp_syn_retries = 0", "from 1 to 127");
    refused("tcp_syn_linear_timeouts = 128", "128", "= 128 is not", "from 0 to 127");
    refused("tcp_max_tw_buckets = -1", "-1", "= -1 is not possible", "from 0 to 2147483647");
    refused("ip_autobind_reuse = 2", "2", "= 2 is not possible", "from 0 to 1");
    refused("tcp_fin_timeout = -1", "-1", "= -1 is not possible", "from 0 to 2147483");
}

#[test]
fn a_range_may_be_written_as_its_sysctl_is() {
    let text =
        "ip_local_port_range = \"1024\\t65535\"\nip_local_reserved_ports = \"2000,3000-3009\"";
    let host = host(text);
    assert_eq!(host.ports.num_ephemeral(), 64_512);
    assert_eq!(host.usable_ports(), 64_512 - 11);
    refused("ip_local_port_range = 1024", "1024", "is two ports", "\"32768 60999\"");
    refused("ip_local_port_range = \"9 1\"", "9 1", "upside down", "\"1-9\"");
}

#[test]
fn the_same_in_two_ways_is_refused() {
    let text =
        format!("{SMALLEST}[host.a]\nports = \"1024-65535\"\nip_local_port_range = \"1 2\"\n");
    let message = "`ports` and `ip_local_port_range` cannot both be given";
    told(&bad(text), (6, 1, "ip_local_port_range"), message, "keep one of them");
    let text = format!("{SMALLEST}[host.a]\nip_local_reserved_ports = \"\"\nreserved = [1]\n");
    let message = "`ip_local_reserved_ports` and `reserved` cannot both be given";
    told(&bad(text), (6, 1, "reserved"), message, "keep one of them");
}

#[test]
fn what_differs_between_kernels_can_be_set_one_by_one() {
    let tcp =
        host("tw_reuse_clock = \"1 s\"\nbuckets_reopen = false\nnarrow_range_by_one = false").tcp;
    assert_eq!(tcp.tw_reuse_clock, SimDuration::from_secs(1));
    assert!(!tcp.buckets_reopen && !tcp.narrow_range_by_one);
    assert_eq!(host("selection = \"linux-4.6\"").selection, SelectionKind::LinuxSharedHint);
    assert_eq!(host("selection = \"linux-4.2\"").selection, SelectionKind::LinuxEvenStart);
    refused("tw_reuse_clock = \"2 s\"", "\"2 s\"", "no kernel has", "\"1 ms\" for Linux 6.14");
    refused("buckets_reopen = 1", "1", "must be true or false", "buckets_reopen = true");
    refused("buckets_reopen = \"no\"", "\"no\"", "not text", "without quotes");
}

#[test]
fn a_kernel_has_only_the_sysctls_of_its_time() {
    let old = |preset: &str, line: &str| {
        bad(format!("{SMALLEST}[host.a]\npreset = \"{preset}\"\n{line}\n"))
    };
    let problems = old("linux-6.6", "tcp_tw_reuse_delay = 300");
    let message = "Linux 6.6 has no tcp_tw_reuse_delay: it came with 6.14";
    told(&problems, (6, 1, "tcp_tw_reuse_delay"), message, "preset = \"linux\"");
    let problems = old("linux-5.15", "net.ipv4.tcp_syn_linear_timeouts = 1");
    let at = (6, 10, "tcp_syn_linear_timeouts");
    told(&problems, at, "Linux 5.15 has no tcp_syn_linear_timeouts: it came with 6.5", "newer");
    let problems = old("linux-4.18", "ip_autobind_reuse = 1");
    told(&problems, (6, 1, "ip_autobind_reuse"), "came with 5.7", "newer kernel");
}

#[test]
fn other_systems_have_times_of_their_own() {
    let tcp = host("preset = \"macos\"\nconnect_timeout = \"20 s\"\nfin_wait_2 = \"10 s\"").tcp;
    assert_eq!(tcp.syn, SynTimeout::After(SimDuration::from_secs(20)));
    assert_eq!((tcp.fin_timeout, tcp.tw_reuse), (SimDuration::from_secs(10), TwReuse::Never));
    let timeout = "connect_timeout = \"75 s\"";
    refused(timeout, "connect_timeout", "not a setting of Linux", "tcp_syn_retries = 6");
    let message = "not a setting of Linux";
    refused("fin_wait_2 = \"9 s\"", "fin_wait_2", message, "tcp_fin_timeout = \"60 s\"");
    let text = format!("{SMALLEST}[host.a]\npreset = \"macos\"\nconnect_timeout = \"0 s\"\n");
    told(&bad(text), (6, 19, "\"0 s\""), "must be above zero", "75 s");
}

#[test]
fn settings_of_linux_are_refused_elsewhere_once_with_the_reason() {
    let lines = "tcp_tw_reuse = 1\nnet.ipv4.tcp_fin_timeout = 5\nvm.swappiness = 1";
    let text = format!("{SMALLEST}[host.a]\npreset = \"windows\"\n{lines}\n");
    let message = "`tcp_tw_reuse` is a setting of Linux (and 2 more below)";
    told(&bad(text), (6, 1, "tcp_tw_reuse"), message, "preset = \"linux\"");
    let text = format!("{SMALLEST}[host.a]\npreset = \"iana\"\nbuckets_reopen = true\n");
    told(&bad(text), (6, 1, "buckets_reopen"), "is a setting of Linux", "take it out");
}

#[test]
fn what_a_search_costs_is_off_unless_it_is_said() {
    let cost =
        SearchCost { connect: SimDuration::from_nanos(14_000), probe: SimDuration::from_nanos(70) };
    let line = "search_cost = { connect = \"14 us\", probe = \"70 ns\" }";
    assert_eq!(host(line).search_cost, Some(cost));
    assert_eq!(host("").search_cost, None);
    let half = "search_cost = { connect = \"14 us\" }";
    refused(half, &half[14..], "search_cost has no `probe`", "probe = \"70 ns\"");
    refused("search_cost = \"14 us\"", "\"14 us\"", "must be a table", "connect = \"14 us\"");
    refused("search_cost = { connect = \"1 us\", probe = 7 }", "7", "no unit", "\"7 s\"");
}

fn ports(ports: &[u16]) -> PortSet {
    ports.iter().copied().collect()
}

#[test]
fn listeners_may_sit_on_single_addresses() {
    let host = host(
        "addresses = 2\nports = \"60000-60999\"\n\
         listeners = { any = [60103], other = [\"60000-60002\"], 1 = 60200, 2 = [60201, 60202] }",
    );
    assert_eq!(host.listeners, ports(&[60_103]));
    let squatter = |on, list: &[u16]| Squatter { ports: ports(list), on };
    let expected = [
        squatter(SquatterAddress::Other, &[60_000, 60_001, 60_002]),
        squatter(SquatterAddress::Source(0), &[60_200]),
        squatter(SquatterAddress::Source(1), &[60_201, 60_202]),
    ];
    assert_eq!(host.squatters, expected);
    assert_eq!(host.usable_ports(), 1_000 - 7);
}

#[test]
fn listeners_on_an_address_that_is_not_there_are_refused() {
    refused(
        "listeners = { 2 = [1] }",
        "2",
        "no source address number 2",
        "the only source address",
    );
    refused("listeners = { all = [1] }", "all", "`all` is not an address", "write any");
    refused("listeners = { 0 = [1] }", "0", "`0` is not an address", "write any");
    refused("listeners = { any = [0] }", "0", "port 0", "1 to 65535");
    let text = format!("{SMALLEST}[host.a]\naddresses = 3\nlisteners = {{ 4 = [1] }}\n");
    told(&bad(text), (6, 15, "4"), "no source address number 4", "a source address, 1 to 3");
}

/// What a client, its host and its destination say, the text that is pointed at, and the reason.
type Unsteady = (&'static str, &'static str, &'static str, &'static str, &'static str);

#[test]
fn a_stationary_start_is_refused_where_sockets_and_time_waits_leave_no_known_state() {
    let bind = "binds = \"bind\"";
    let reuse = "binds = \"bind\"\nreuse_address = true";
    let range = "port_range = \"40000-40009\"";
    let taken = "what is taken over is not laid out in advance";
    let cases: [Unsteady; 5] = [
        // The default takes over on loopback: there is no key to point at, so the table is.
        ("", "", "loopback = true", "[host.a]", taken),
        ("", "tcp_tw_reuse = 1", "", "1", taken),
        (range, "", "", "\"40000-40009\"", "its sockets share the range with others"),
        (reuse, "", "", "true", "its sockets share ports by their options"),
        (
            bind,
            "listeners = { other = [60000] }",
            "",
            "{ other = [60000] }",
            "listeners on single addresses take ports from some calls only",
        ),
    ];
    for (client, host, destination, blamed, reason) in cases {
        let run = "[run]\nstart = \"stationary\"";
        let text = format!(
            "{SMALLEST}{client}\n{run}\n[host.a]\n{host}\n[destination.d]\n{destination}\n"
        );
        good(&text.replace("stationary", "empty"));
        let problems = bad(&text);
        let line = text.lines().position(|line| line.contains(blamed)).unwrap();
        let column = text.lines().nth(line).unwrap().rfind(blamed).unwrap() + 1;
        let message = format!("a stationary start of host `a` is not possible: {reason}");
        told(&problems, (line + 1, column, blamed), &message, "start = \"empty\"");
    }
}

#[test]
fn a_stationary_start_is_possible_where_nothing_of_that_is_used() {
    let steady = |host: &str, destination: &str| {
        let run = "[run]\nstart = \"stationary\"";
        good(&format!("{SMALLEST}{run}\n[host.a]\n{host}\n[destination.d]\n{destination}\n"));
    };
    steady("", "");
    steady("tcp_tw_reuse = 0", "loopback = true");
    steady("tcp_tw_reuse = 1\ntcp_timestamps = 0", "");
    // On ports that plain connect() alone asks for, a listener takes one for good.
    steady("listeners = { other = [60000] }", "");
}
