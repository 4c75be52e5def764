//! Sysctls pasted into a host, line by line or as a whole file.

use super::good::SMALLEST;
use super::*;
use crate::model::{Host, TwReuse};
use crate::units::SimDuration;

/// The smallest scenario with `lines` in the table of its host.
fn with(lines: &str) -> String {
    format!("{SMALLEST}[host.a]\n{lines}\n")
}

#[track_caller]
fn host(lines: &str) -> Host {
    good(&with(lines)).world.hosts.remove(0)
}

#[test]
fn a_line_of_sysctl_conf_is_as_good_as_the_key() {
    for line in [
        "net.ipv4.tcp_tw_reuse = 1",
        "net.ipv4.tcp_tw_reuse=1",
        "  net.ipv4.tcp_tw_reuse = \"1\"  # as text",
        "net/ipv4/tcp_tw_reuse = 1",
        "\"net/ipv4/tcp_tw_reuse\" = 1",
        "\"net.ipv4.tcp_tw_reuse\" = 1",
        "-net.ipv4.tcp_tw_reuse = 1",
        "net.ipv4.tcp_tw_reuse = 01",
        "net = { ipv4 = { tcp_tw_reuse = 1 } }",
        "[host.a.net.ipv4]\ntcp_tw_reuse = 1",
        "sysctl = \"net.ipv4.tcp_tw_reuse = 1\"",
    ] {
        assert_eq!(host(line).tcp.tw_reuse, TwReuse::Always, "{line}");
    }
}

#[test]
fn values_with_spaces_and_commas_need_no_quotes() {
    let host = host(
        "net.ipv4.ip_local_port_range = 32768\t60999   # the default\n\
         net.ipv4.ip_local_reserved_ports = 60103,40000-40009\n\
         net.ipv4.tcp_fin_timeout = 30\ncount = 2",
    );
    assert_eq!(host.ports.num_ephemeral(), 28_232);
    assert_eq!(host.usable_ports(), 28_232 - 11);
    assert_eq!((host.tcp.fin_timeout, host.count), (SimDuration::from_secs(30), 2));
    assert_eq!(host.reserved.ports().len(), 11);
}

#[test]
fn a_reserved_list_may_be_empty() {
    assert!(host("net.ipv4.ip_local_reserved_ports =").reserved.ports().is_empty());
    assert!(host("net.ipv4.ip_local_reserved_ports = ").reserved.ports().is_empty());
    assert!(host("ip_local_reserved_ports = \"\"").reserved.ports().is_empty());
}

/// A file as it is found on servers.
const CONF: &str = r#"sysctl = """
# tuning for many connections
; and a comment of the other kind
net.core.somaxconn = 4096
net.ipv4.ip_local_port_range = 32768	60999
net.ipv4.tcp_tw_reuse = 0
-net.ipv4.tcp_max_tw_buckets = 200000
net/ipv4/tcp_fin_timeout = 15
vm.swappiness=10
net.ipv4.tcp_tw_reuse = 1
net.ipv4.ip_local_port_range = 1024 65535
net.ipv4.tcp_rmem = 4096 131072 6291456
"""
"#;

#[test]
fn a_whole_file_may_be_pasted_and_its_later_lines_win() {
    let host = host(CONF);
    assert_eq!(host.ports.num_ephemeral(), 64_512);
    assert_eq!(host.tcp.tw_reuse, TwReuse::Always);
    assert_eq!(host.tcp.max_tw_buckets, Some(200_000));
    assert_eq!(host.tcp.fin_timeout, SimDuration::from_secs(15));
}

#[test]
fn the_command_line_sets_sysctls_in_either_spelling_and_wins() {
    for set in ["host.a.net.ipv4.tcp_tw_reuse=1", "host.a.tcp_tw_reuse=1"] {
        for lines in ["", "tcp_tw_reuse = 0", "net.ipv4.tcp_tw_reuse = 0", CONF] {
            let scenario = good_with(&with(lines), &[set]);
            assert_eq!(scenario.world.hosts[0].tcp.tw_reuse, TwReuse::Always, "{set} over {lines}");
        }
    }
    let range = "host.a.net.ipv4.ip_local_port_range=1024 2047";
    let scenario = good_with(&with("ports = \"1-9\""), &[range]);
    assert_eq!(scenario.world.hosts[0].ports.num_ephemeral(), 1_024);
    let scenario = good_with(&with("net.ipv4.ip_local_port_range = 1 2"), &["host.a.ports=5-9"]);
    assert_eq!(scenario.world.hosts[0].ports.num_ephemeral(), 5);
}
