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
fn what_does_not_bear_on_ports_is_left_out_with_a_warning_each() {
    let shown = warned(&with(CONF));
    for name in ["net.core.somaxconn", "vm.swappiness", "net.ipv4.tcp_rmem"] {
        let warning = format!("`{name}` does not bear on source ports; left out");
        assert!(shown.contains(&warning), "{shown}");
    }
    assert!(shown.ends_with("3 warnings in crawler.toml\n"), "{shown}");
    assert!(shown.contains("crawler.toml:8:1"), "the line is pointed at: {shown}");
    let shown = warned(&with("net.ipv4.tcp_congestion_control = bbr\nfs.file-max = 100"));
    assert!(shown.ends_with("2 warnings in crawler.toml\n"), "{shown}");
}

#[test]
fn sysctls_that_people_expect_something_of_have_a_word_of_their_own() {
    for (line, word) in [
        ("net.ipv4.tcp_tw_recycle = 1", "removed in Linux 4.12"),
        ("net.ipv6.conf.all.disable_ipv6 = 1", "IPv6 obey the sysctls below net.ipv4"),
        ("net.netfilter.nf_conntrack_max = 65536", "connection tracking is left out"),
        ("net.ipv4.tcp_max_orphans = 8192", "orphans are taken to be few"),
        ("net.ipv4.ip_local_port_step_width = 7", "the order of ports"),
    ] {
        let shown = warned(&with(line));
        assert!(shown.contains(word), "{shown}");
        assert!(shown.ends_with("1 warning in crawler.toml\n"), "{shown}");
    }
}

#[test]
fn a_sysctl_that_is_nearly_one_is_given_the_right_spelling() {
    for (line, blamed, meant) in [
        ("net.ipv4.tcp_tw_resue = 1", "tcp_tw_resue", "net.ipv4.tcp_tw_reuse"),
        ("net.core.tcp_fin_timeout = 1", "tcp_fin_timeout", "net.ipv4.tcp_fin_timeout"),
        ("net.ipv4.local_port_range = 1 2", "local_port_range", "net.ipv4.ip_local_port_range"),
        ("net.ipv4.tcp-timestamps = 1", "tcp-timestamps", "net.ipv4.tcp_timestamps"),
    ] {
        let column = line.find(blamed).unwrap() + 1;
        let help = format!("did you mean {meant}?");
        told(&bad(with(line)), (5, column, blamed), "there is no sysctl", &help);
    }
    let text =
        with("sysctl = \"\"\"\nnet.ipv4.tcp_tw_reuse = 1\nnet.ipv4.tcp_timestamp = 1\n\"\"\"");
    let name = "net.ipv4.tcp_timestamp";
    told(&bad(text), (7, 1, name), "there is no sysctl", "did you mean net.ipv4.tcp_timestamps?");
}

#[test]
fn a_wrong_value_is_pointed_at_where_it_was_pasted() {
    let line = "net.ipv4.ip_local_port_range = 32768 70000";
    told(&bad(with(line)), (5, 38, "70000"), "port 70000 does not exist", "32768-60999");
    let line = "net.ipv4.ip_local_reserved_ports = 1,x";
    told(&bad(with(line)), (5, 38, "x"), "`x` is not a port", "32768-60999");
    let line = "net.ipv4.tcp_tw_reuse = on";
    told(&bad(with(line)), (5, 25, "on"), "must be a whole number", "from 0 to 2");
    let text = with("sysctl = '''\n  net.ipv4.tcp_syn_retries = 0\n'''");
    told(&bad(text), (6, 30, "0"), "tcp_syn_retries = 0 is not possible", "from 1 to 127");
    let text = with("sysctl = \"\"\"\nnet.ipv4.tcp_tw_reuse 1\n\"\"\"");
    told(
        &bad(text),
        (6, 1, "net.ipv4.tcp_tw_reuse 1"),
        "not a line of a sysctl.conf",
        "name = value",
    );
    told(&bad(with("sysctl = 5")), (5, 10, "5"), "sysctl must be text", "\"\"\"");
}

#[test]
fn pasted_lines_do_not_move_what_stands_below_them() {
    let text = with("net.ipv4.ip_local_port_range = 32768 60999 # µ\ncount = 0");
    told(&bad(text), (6, 9, "0"), "count = 0", "from 1");
}

#[test]
fn the_same_sysctl_twice_is_refused_in_a_table() {
    let text = with("net.ipv4.ip_local_port_range = 1 2\nnet.ipv4.ip_local_port_range = 1 3");
    let at = (6, 10, "ip_local_port_range");
    told(&bad(text), at, "`ip_local_port_range` is written twice", "keep one of them");
    let text = with("tcp_tw_reuse = 1\nnet.ipv4.tcp_tw_reuse = 0");
    told(&bad(text), (6, 10, "tcp_tw_reuse"), "`tcp_tw_reuse` is given twice", "keep one of them");
    let text = with("ports = \"1-9\"\nsysctl = \"net.ipv4.ip_local_port_range = 1 2\"");
    let at = (6, 11, "net.ipv4.ip_local_port_range");
    told(&bad(text), at, "`ports` and `ip_local_port_range` cannot both", "keep one of them");
}

#[test]
fn sysctls_outside_a_host_are_sent_there() {
    let text = format!("net.ipv4.ip_local_port_range = 1 2\n{SMALLEST}");
    told(&bad(text), (1, 1, "net"), "unknown key `net`", "belongs in [host.NAME]");
    let text = format!("tcp_tw_reuse = 1\n{SMALLEST}");
    told(&bad(text), (1, 1, "tcp_tw_reuse"), "unknown key", "belongs in [host.NAME]");
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
