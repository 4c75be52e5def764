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
fn a_range_may_be_written_as_its_sysctl_is() {
    let text =
        "ip_local_port_range = \"1024\\t65535\"\nip_local_reserved_ports = \"2000,3000-3009\"";
    let host = host(text);
    assert_eq!(host.ports.num_ephemeral(), 64_512);
    assert_eq!(host.usable_ports(), 64_512 - 11);
}

#[test]
fn what_differs_between_kernels_can_be_set_one_by_one() {
    let tcp =
        host("tw_reuse_clock = \"1 s\"\nbuckets_reopen = false\nnarrow_range_by_one = false").tcp;
    assert_eq!(tcp.tw_reuse_clock, SimDuration::from_secs(1));
    assert!(!tcp.buckets_reopen && !tcp.narrow_range_by_one);
    assert_eq!(host("selection = \"linux-4.6\"").selection, SelectionKind::LinuxSharedHint);
    assert_eq!(host("selection = \"linux-4.2\"").selection, SelectionKind::LinuxEvenStart);
}

#[test]
fn other_systems_have_times_of_their_own() {
    let tcp = host("preset = \"macos\"\nconnect_timeout = \"20 s\"\nfin_wait_2 = \"10 s\"").tcp;
    assert_eq!(tcp.syn, SynTimeout::After(SimDuration::from_secs(20)));
    assert_eq!((tcp.fin_timeout, tcp.tw_reuse), (SimDuration::from_secs(10), TwReuse::Never));
}

#[test]
fn what_a_search_costs_is_off_unless_it_is_said() {
    let cost =
        SearchCost { connect: SimDuration::from_nanos(14_000), probe: SimDuration::from_nanos(70) };
    let line = "search_cost = { connect = \"14 us\", probe = \"70 ns\" }";
    assert_eq!(host(line).search_cost, Some(cost));
    assert_eq!(host("").search_cost, None);
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
