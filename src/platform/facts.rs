//! The table: what Linux does with ports, by the version that began it.
//!
//! A row holds from its version on, until the next row of its key. A stable or a distribution's release
//! may have had a change sooner, by a backport; the notes say where that is known.

use super::fact::{Fact, Kind, Value};
use super::version::Linux;
use crate::model::{ReuseKey, SelectionKind};
use crate::units::SimDuration;

const fn secs(seconds: u64) -> Value {
    Value::Span(SimDuration::from_secs(seconds))
}

const fn millis(milliseconds: u64) -> Value {
    Value::Span(SimDuration::from_millis(milliseconds))
}

/// The kernels on which `portsim validate` ran.
const MEASURED: &[Linux] = &[Linux(6, 1), Linux(6, 12), Linux(6, 18)];

/// What most rows have.
const RULE: Fact = Fact {
    key: "",
    since: Linux::OLDEST,
    kind: Kind::Rule,
    value: Value::Nothing,
    source: "",
    read: None,
    measured: &[],
    as_of: "2026-11-26",
    note: "",
};
const SYSCTL: Fact = Fact { kind: Kind::Sysctl, ..RULE };
const INSTEAD: Fact = Fact { kind: Kind::Instead, ..RULE };
const THERE: Fact = Fact { kind: Kind::There, ..RULE };

/// Where sysctls that are as old as the table are told of.
const DOCUMENTED: &str = "Documentation/networking/ip-sysctl.rst (until 5.7: .txt)";

/// What Linux does with ports: rows of one key stand together, oldest first; the keys that presets have
/// come first, in the order in which they are shown.
pub const FACTS: &[Fact] = &[
    Fact {
        key: "ports",
        value: Value::Ports(32_768, 61_000),
        source: "net/ipv4/inet_connection_sock.c:sysctl_local_ports (3.10), net/ipv4/af_inet.c (3.19)",
        read: Some(Linux(3, 10)),
        note: "28,233 ports; net.ipv4.ip_local_port_range changes it; RHEL 7 ends at 60999 (read in \
               3.10.0-1127)",
        ..RULE
    },
    Fact {
        key: "ports",
        since: Linux(4, 2),
        value: Value::Ports(32_768, 60_999),
        source: "net/ipv4/af_inet.c:inet_init_net; Documentation/networking/ip-sysctl.rst (until 5.7: \
                 .txt), ip_local_port_range; commit 07f4c90062f8 (4.2)",
        read: Some(Linux(4, 2)),
        note: "28,232 ports; net.ipv4.ip_local_port_range changes it",
        ..RULE
    },
    Fact {
        key: "time_wait",
        value: millis(56_250),
        source: "net/ipv4/inet_timewait_sock.c:inet_twsk_schedule, inet_twdr_hangman \
                 (TCP_TIMEWAIT_LEN / INET_TWDR_TWKILL_SLOTS)",
        read: Some(Linux(3, 10)),
        note: "TCP_TIMEWAIT_LEN is 60 s, but a TIME-WAIT ends at the eighth sweep of a timer that fires \
               every 7.5 s, and so after 52.5 to 60 s; modelled is the mean, without the batches \
               (FIN-WAIT-2 ends in the same sweeps, modelled is tcp_fin_timeout itself); not measured",
        ..RULE
    },
    Fact {
        key: "time_wait",
        since: Linux(4, 1),
        value: secs(60),
        source: "include/net/tcp.h:TCP_TIMEWAIT_LEN; a timer for each TIME-WAIT since commit \
                 789f558cfb36 (4.1)",
        read: Some(Linux(4, 1)),
        measured: MEASURED,
        note: "a constant of the kernel: no sysctl changes it (tcp_fin_timeout is another timer)",
        ..RULE
    },
    Fact {
        key: "hz",
        kind: Kind::Instead,
        value: Value::Number(0),
        source: "kernel/time/timer.c:internal_add_timer, cascade, apply_slack (3.10: kernel/timer.c)",
        read: Some(Linux(3, 10)),
        note: "before 4.8 a far timer moved down the wheel and fired in its own jiffy, whatever HZ; what \
               mod_timer may add for slack, 0.4 % at most, is not modelled",
        ..RULE
    },
    Fact {
        key: "hz",
        since: Linux(4, 8),
        value: Value::Number(250),
        source: "kernel/time/timer.c:calc_wheel_index, calc_index (commit 500462a9de65, 4.8); \
                 kernel/Kconfig.hz (default HZ_250)",
        read: Some(Linux(4, 8)),
        measured: MEASURED,
        note: "a 60 s timer fires on a grid of 2.048 s, so TIME-WAIT lasts 60 to 62.05 s; what a \
               distribution builds with differs: 1000 (RHEL; grid 4.096 s), 250 (Debian, Ubuntu), 300 or \
               100",
        ..RULE
    },
    Fact {
        key: "selection",
        value: Value::Selection(SelectionKind::LinuxInOrder),
        source: "net/ipv4/inet_hashtables.c:__inet_hash_connect (static u32 hint, hint += i), \
                 net/ipv4/inet_connection_sock.c:inet_csk_get_port (rover)",
        read: Some(Linux(3, 10)),
        note: "connect() goes on port by port, on one counter for all destinations over a keyed hash of \
               each (RFC 6056 algorithm 3); bind() walks up from a random port; RHEL 7 has what came with \
               4.2 (read in 3.10.0-1127): then write selection = \"linux-4.2\"; not measured",
        ..RULE
    },
    Fact {
        key: "selection",
        since: Linux(4, 2),
        value: Value::Selection(SelectionKind::LinuxEvenStart),
        source: "net/ipv4/inet_hashtables.c:__inet_hash_connect (offset &= ~1, hint += (i + 2) & ~1; \
                 commit 07f4c90062f8, 4.2), net/ipv4/inet_connection_sock.c:inet_csk_get_port",
        read: Some(Linux(4, 2)),
        note: "connect() starts at a port of the lowest one's parity and walks on port by port; bind() \
               walks up from a random port (with SO_REUSEADDR in the lower half of the range first, which \
               is not modelled); not measured",
        ..RULE
    },
    Fact {
        key: "selection",
        since: Linux(4, 6),
        value: Value::Selection(SelectionKind::LinuxSharedHint),
        source: "net/ipv4/inet_hashtables.c:__inet_hash_connect (static u32 hint), \
                 net/ipv4/inet_connection_sock.c:inet_csk_get_port, commits 1580ab63fc9a and ea8add2b1903 \
                 (4.6)",
        read: Some(Linux(4, 6)),
        note: "parity as in 6.18, one counter for all destinations; late stable releases and \
               distributions have the double hash (read in 4.19.304, 5.4.273, 5.10.198 and Ubuntu's \
               4.15.18): then write selection = \"linux\"; not measured",
        ..RULE
    },
    Fact {
        key: "selection",
        since: Linux(5, 12),
        value: Value::Selection(SelectionKind::Linux),
        source: "net/ipv4/inet_hashtables.c:__inet_hash_connect, \
                 net/ipv4/inet_connection_sock.c:inet_csk_find_open_port and \
                 net/core/secure_seq.c:secure_ipv4_port_ephemeral; commit 190cc82489f4 (5.12)",
        read: Some(Linux(5, 15)),
        measured: MEASURED,
        note: "double hash with parity: connect() tries the parity of the lowest port first, bind() the \
               other; 5.12 to 5.17 began with 256 counters, steps of 2 and no new starts (read in 5.12.9, \
               5.15.0 and 5.17-rc5); the table of 65536 counters, random increments and new starts every \
               10 s were read in 5.15.85, 5.18.12 and 5.19, and in none of 5.12 to 5.14",
        ..RULE
    },
    Fact {
        key: "reuse_key",
        value: Value::ReuseKey(ReuseKey::FourTuple),
        source: "net/ipv4/inet_hashtables.c:__inet_check_established",
        read: Some(Linux(3, 10)),
        measured: MEASURED,
        note: "a port serves each (source address, destination address, destination port) once",
        ..RULE
    },
    Fact {
        key: "tcp_tw_reuse",
        value: Value::Number(0),
        source: "net/ipv4/tcp_ipv4.c:tcp_sk_init (until 4.9: sysctl_tcp_tw_reuse)",
        read: Some(Linux(3, 10)),
        note: "a port stays in TIME-WAIT until its timer fires; 4.17 is the last (read there too)",
        ..SYSCTL
    },
    Fact {
        key: "tcp_tw_reuse",
        since: Linux(4, 18),
        value: Value::Number(2),
        source: "net/ipv4/tcp_ipv4.c:tcp_sk_init, tcp_twsk_unique; commit 79e9fed46038 (June 2018, 4.18)",
        read: Some(Linux(4, 18)),
        measured: MEASURED,
        note: "over loopback only: there a port comes out of TIME-WAIT after tcp_tw_reuse_delay; 1 is \
               everywhere, 0 nowhere; FIN-WAIT-2 could be taken over too, which is not modelled, in 6.8 \
               and before, and not in 6.12 (commit 0d9e5df4a257, also in stable releases)",
        ..SYSCTL
    },
    Fact {
        key: "tcp_tw_reuse_delay",
        value: secs(1),
        source: "net/ipv4/tcp_ipv4.c:tcp_twsk_unique: get_seconds() - tw_ts_recent_stamp > 1",
        read: Some(Linux(3, 10)),
        note: "there is no such sysctl: two seconds must have begun since the last segment, which is 1 to \
               2 s of age; not measured",
        ..INSTEAD
    },
    Fact {
        key: "tcp_tw_reuse_delay",
        since: Linux(4, 19),
        value: secs(0),
        source: "net/ipv4/tcp_ipv4.c:tcp_twsk_unique: time_after32(ktime_get_seconds(), \
                 tw_ts_recent_stamp); commit cca9bab1b72c (4.19)",
        read: Some(Linux(4, 19)),
        measured: &[Linux(6, 1)],
        note: "there is no such sysctl: the second must have changed since the last segment, which is 0 \
               to 1 s of age",
        ..INSTEAD
    },
    Fact {
        key: "tcp_tw_reuse_delay",
        since: Linux(6, 14),
        value: secs(1),
        source: "net/ipv4/tcp_ipv4.c:tcp_sk_init (sysctl_tcp_tw_reuse_delay, in milliseconds); commit \
                 ca6a6f93867a (6.14)",
        read: Some(Linux(6, 14)),
        measured: &[Linux(6, 18)],
        note: "the age of a TIME-WAIT must be greater; taken over at 1.000 to 1.002 s",
        ..SYSCTL
    },
    Fact {
        key: "tw_reuse_clock",
        value: secs(1),
        source: "net/ipv4/tcp_ipv4.c:tcp_twsk_unique: ktime_get_seconds(), before 4.19 get_seconds()",
        read: Some(Linux(3, 10)),
        measured: &[Linux(6, 1)],
        note: "ages are told in whole seconds",
        ..RULE
    },
    Fact {
        key: "tw_reuse_clock",
        since: Linux(6, 14),
        value: millis(1),
        source: "net/ipv4/tcp_ipv4.c:tcp_twsk_unique: time_after32(tcp_clock_ms(), reuse_thresh); commit \
                 19ce8cd30465 (6.14)",
        read: Some(Linux(6, 14)),
        measured: &[Linux(6, 18)],
        note: "ages are told in milliseconds since 6.14, in whole seconds before",
        ..RULE
    },
    Fact {
        key: "tcp_timestamps",
        value: Value::Number(1),
        source: "net/ipv4/tcp_ipv4.c:tcp_sk_init (3.10: net/ipv4/tcp_input.c:sysctl_tcp_timestamps)",
        read: Some(Linux(3, 10)),
        note: "the other side must have them too, as every usual system has; without them nothing is \
               taken out of TIME-WAIT",
        ..SYSCTL
    },
    Fact {
        key: "tcp_fin_timeout",
        value: secs(60),
        source: "include/net/tcp.h:TCP_FIN_TIMEOUT",
        read: Some(Linux(3, 10)),
        measured: MEASURED,
        note: "how long an orphan waits in FIN-WAIT-2 for a server that does not close; it never changes \
               TIME-WAIT",
        ..SYSCTL
    },
    Fact {
        key: "tcp_syn_retries",
        value: Value::Number(6),
        source: "include/net/tcp.h:TCP_SYN_RETRIES",
        read: Some(Linux(3, 10)),
        measured: MEASURED,
        note: "connect() gives up after 127 s, with tcp_syn_linear_timeouts = 4 after 131 s; on the \
               timers' grid 130 s and 134 s",
        ..SYSCTL
    },
    Fact {
        key: "tcp_syn_linear_timeouts",
        value: Value::Number(0),
        source: "net/ipv4/tcp_timer.c, before commit ccce324dabfe (6.5)",
        read: Some(Linux(3, 10)),
        measured: &[Linux(6, 1)],
        note: "there is no such sysctl before 6.5: the intervals between SYNs double from the first on",
        ..INSTEAD
    },
    Fact {
        key: "tcp_syn_linear_timeouts",
        since: Linux(6, 5),
        value: Value::Number(4),
        source: "net/ipv4/tcp_ipv4.c:tcp_sk_init, tcp_timer.c; commit ccce324dabfe (6.5)",
        read: Some(Linux(6, 5)),
        measured: &[Linux(6, 12), Linux(6, 18)],
        note: "so many SYNs are sent again a second apart before the intervals double; since 6.5",
        ..SYSCTL
    },
    Fact {
        key: "ip_autobind_reuse",
        value: Value::Number(1),
        source: "net/ipv4/inet_connection_sock.c:inet_csk_get_port (smallest_rover; since 4.6 \
                 smallest_port)",
        read: Some(Linux(3, 10)),
        note: "there is no such sysctl, and bind() to port 0 shares ports among sockets with SO_REUSEADDR \
               once none is free, as it does again since 5.7 with 1; it takes the port with the fewest \
               users, modelled is the next one; since 4.2 it shares once none of the lower half of the \
               range is free, since 4.6 once none of one parity of that half is, which is not modelled",
        ..INSTEAD
    },
    Fact {
        key: "ip_autobind_reuse",
        since: Linux(4, 11),
        value: Value::Number(0),
        source: "net/ipv4/inet_connection_sock.c:inet_csk_find_open_port; commit b9470c27607b (January \
                 2017, 4.11)",
        read: Some(Linux(4, 11)),
        note: "there is no such sysctl before 5.7, and bind() to port 0 shares none",
        ..INSTEAD
    },
    Fact {
        key: "ip_autobind_reuse",
        since: Linux(5, 7),
        value: Value::Number(0),
        source: "net/ipv4/inet_connection_sock.c:inet_csk_find_open_port; \
                 Documentation/networking/ip-sysctl.rst (5.7: .txt); commit 4b01a9674231 (5.7)",
        read: Some(Linux(5, 7)),
        note: "with 1, bind() to port 0 shares ports among sockets with SO_REUSEADDR once none is free; \
               since 5.7",
        ..SYSCTL
    },
    Fact {
        key: "buckets_reopen",
        value: Value::Flag(false),
        source: "net/ipv4/inet_hashtables.c:inet_bind_bucket_destroy, before commit d57f4b874946 (6.18)",
        read: Some(Linux(3, 10)),
        note: "a port that bound and plain sockets shared stays closed to connect() until the last of \
               them is gone; 6.17 as released is so, and its stable release 6.17.8 has the change of 6.18 \
               (commit 7f3df9e527c5): then write buckets_reopen = true",
        ..RULE
    },
    Fact {
        key: "buckets_reopen",
        since: Linux(6, 18),
        value: Value::Flag(true),
        source: "net/ipv4/inet_hashtables.c:inet_bind_bucket_destroy, \"update bind bucket state on port \
                 release\", commit d57f4b874946 (6.18)",
        read: Some(Linux(6, 18)),
        measured: &[Linux(6, 18)],
        note: "a port that bound and plain sockets share is open to connect() again as soon as the last \
               bound one is gone",
        ..RULE
    },
    Fact {
        key: "narrow_range_by_one",
        value: Value::Flag(false),
        source: "net/ipv4/inet_hashtables.c:__inet_hash_connect (i += 2, port += 2)",
        read: Some(Linux(4, 6)),
        note: "a range of IP_LOCAL_PORT_RANGE, which came with 6.3, is walked by parity, until 6.8",
        ..RULE
    },
    Fact {
        key: "narrow_range_by_one",
        since: Linux(6, 8),
        value: Value::Flag(true),
        source: "net/ipv4/inet_hashtables.c:__inet_hash_connect (step = local_ports ? 1 : 2), commit \
                 207184853dbd (6.8)",
        read: Some(Linux(6, 8)),
        measured: &[Linux(6, 12), Linux(6, 18)],
        note: "a range of IP_LOCAL_PORT_RANGE is walked port by port since 6.8, before by parity",
        ..RULE
    },
    Fact { key: "ip_local_port_range", source: DOCUMENTED, read: Some(Linux(3, 10)), ..THERE },
    Fact { key: "ip_local_reserved_ports", source: DOCUMENTED, read: Some(Linux(3, 10)), ..THERE },
    Fact { key: "tcp_max_tw_buckets", source: DOCUMENTED, read: Some(Linux(3, 10)), ..THERE },
    Fact {
        key: "tcp_tw_recycle",
        source: "net/ipv4/sysctl_net_ipv4.c:ipv4_table; ip-sysctl.txt",
        read: Some(Linux(3, 10)),
        ..THERE
    },
    Fact {
        key: "tcp_tw_recycle",
        since: Linux(4, 12),
        kind: Kind::Gone,
        source: "net/ipv4/sysctl_net_ipv4.c; commit 4396e46187ca (4.12)",
        read: Some(Linux(4, 12)),
        ..RULE
    },
    Fact {
        key: "IP_BIND_ADDRESS_NO_PORT",
        since: Linux(4, 2),
        source: "net/ipv4/ip_sockglue.c:do_ip_setsockopt; ip(7); commit 90c337da1524 (4.2)",
        read: Some(Linux(4, 2)),
        note: "RHEL 7 has it (read in 3.10.0-1127)",
        ..THERE
    },
    Fact {
        key: "IP_LOCAL_PORT_RANGE",
        since: Linux(6, 3),
        source: "net/ipv4/ip_sockglue.c:do_ip_setsockopt; ip(7)",
        read: Some(Linux(6, 3)),
        ..THERE
    },
    Fact {
        key: "sock_diag of bound sockets",
        since: Linux(6, 8),
        source: "net/ipv4/inet_diag.c:inet_diag_dump_icsk (6.18: net/ipv4/tcp_diag.c), commit \
                 91051f003948 (6.8)",
        read: Some(Linux(6, 8)),
        ..THERE
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_key_stand_together_and_rise() {
        let mut seen: Vec<&str> = Vec::new();
        for pair in FACTS.windows(2) {
            if pair[0].key == pair[1].key {
                assert!(pair[0].since < pair[1].since, "{}", pair[1].key);
            } else {
                seen.push(pair[0].key);
                assert!(!seen.contains(&pair[1].key), "{} stands in two places", pair[1].key);
            }
        }
    }

    #[test]
    fn every_row_has_a_source_and_a_kernel_of_its_own_time() {
        for fact in FACTS {
            let at = format!("{} since {}", fact.key, fact.since);
            let until = Linux::known()
                .rev()
                .find(|version| version.fact(fact.key).is_some_and(|row| row.since == fact.since));
            let until = until.unwrap_or_else(|| panic!("{at}: holds for no kernel"));
            let own = |version: &Linux| (fact.since..=until).contains(version);
            assert!(fact.source.len() > 10, "{at}");
            assert!(
                fact.read.iter().chain(fact.measured).all(own),
                "{at}: read or measured outside"
            );
            assert!(Linux::known().any(|known| known == fact.since), "{at}");
        }
    }
}
