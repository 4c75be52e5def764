//! The keys of `[host.NAME]`; sysctls may be written there by their whole names too.

use super::words::{REUSE_KEYS, SELECTIONS, names};
use super::{Is, KEY, Key, Place, System, Usual};
use crate::units::SimDuration;

const HOST: Key = Key { at: Place::Host, ..KEY };
const PRESET: Key = Key { usual: Usual::Preset, ..HOST };
const SYSCTL: Key = Key { on: System::Sysctl, changes: true, ..PRESET };

const MILLISECOND: SimDuration = SimDuration::from_millis(1);
const SECOND: SimDuration = SimDuration::from_secs(1);

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "preset",
        is: Is::Preset,
        usual: Usual::Value("\"linux\""),
        doc: "the platform, whose defaults hold where no key says otherwise: `linux` (the newest), \
              `linux-X.Y` for every version from 3.10 on, `windows`, `macos`, `freebsd`, `iana`",
        example: "\"linux\"",
        ..HOST
    },
    Key {
        name: "count",
        is: Is::Whole(1..=1_000_000),
        usual: Usual::Value("1"),
        changes: true,
        doc: "identical machines, each with the full demand",
        example: "10",
        ..HOST
    },
    Key {
        name: "addresses",
        is: Is::Whole(1..=65_536),
        usual: Usual::Value("1"),
        changes: true,
        doc: "source addresses, taken in turn",
        example: "2",
        ..HOST
    },
    Key {
        name: "ports",
        is: Is::Range,
        changes: true,
        doc: "the range that source ports are taken from",
        example: "\"32768-60999\"",
        ..PRESET
    },
    Key {
        name: "reserved",
        is: Is::Ports,
        changes: true,
        doc: "ports and ranges that are never chosen",
        example: "[60103, \"40000-40009\"]",
        ..HOST
    },
    Key {
        name: "listeners",
        is: Is::Listeners,
        changes: true,
        doc: "something listens or is bound there: on the wildcard address, or by address in a table",
        example: "{ any = [60103], other = [\"40000-40004\"], 1 = [50000] }",
        ..HOST
    },
    Key {
        name: "server",
        is: Is::Table(Place::Server),
        doc: "a server that starts in the middle of the run and wants a port of its own",
        example: "{ port = 60103, at = \"5 min\" }",
        ..HOST
    },
    Key {
        name: "time_wait",
        is: Is::Time,
        changes: true,
        doc: "how long TIME-WAIT lasts",
        example: "\"60 s\"",
        ..PRESET
    },
    Key {
        name: "hz",
        is: Is::Whole(0..=10_000),
        doc: "HZ of the Linux timer wheel; 0 for timers that fire when they are due",
        example: "250",
        ..PRESET
    },
    Key {
        name: "selection",
        is: Is::Word(|| names(SELECTIONS)),
        doc: "how a port is chosen: as Linux does, by RFC 6056, or in order",
        example: "\"linux\"",
        ..PRESET
    },
    Key {
        name: "reuse_key",
        is: Is::Word(|| names(REUSE_KEYS)),
        doc: "which connections may not share a port",
        example: "\"four-tuple\"",
        ..PRESET
    },
    Key {
        name: "ip_local_port_range",
        is: Is::Range,
        usual: Usual::Is("`ports`"),
        doc: "`ports` in the sysctl's spelling",
        source: "ip-sysctl.rst",
        example: "\"32768 60999\"",
        ..SYSCTL
    },
    Key {
        name: "ip_local_reserved_ports",
        is: Is::Ports,
        usual: Usual::Is("`reserved`"),
        doc: "`reserved` likewise",
        source: "ip-sysctl.rst",
        example: "\"60103,40000-40009\"",
        ..SYSCTL
    },
    Key {
        name: "tcp_tw_reuse",
        is: Is::Whole(0..=2),
        doc: "a port in TIME-WAIT is taken again: 0 never, 1 always, 2 over loopback",
        source: "tcp_ipv4.c:tcp_twsk_unique",
        example: "1",
        ..SYSCTL
    },
    Key {
        name: "tcp_tw_reuse_delay",
        // Linux 6.18 `net/ipv4/sysctl_net_ipv4.c:tcp_tw_reuse_delay_max`; measured: 60000 is taken, 60001 is
        // not.
        is: Is::TimeIn { unit: MILLISECOND, bounds: MILLISECOND..=SimDuration::from_secs(60) },
        doc: "after which time in TIME-WAIT",
        source: "tcp_ipv4.c:tcp_twsk_unique",
        example: "1000",
        ..SYSCTL
    },
    Key {
        name: "tcp_timestamps",
        is: Is::Whole(0..=2),
        doc: "whether connections have timestamps, without which no port is taken again",
        source: "tcp_ipv4.c:tcp_sk_init",
        example: "1",
        ..SYSCTL
    },
    Key {
        name: "tcp_max_tw_buckets",
        is: Is::Whole(0..=i32::MAX as u64),
        usual: Usual::Is("no limit: the kernel's depends on memory"),
        doc: "how many connections can be in TIME-WAIT",
        source: "inet_timewait_sock.c:inet_twsk_alloc",
        example: "262144",
        ..SYSCTL
    },
    Key {
        name: "tcp_fin_timeout",
        // So many seconds are the most that an int of milliseconds holds.
        is: Is::TimeIn {
            unit: SECOND,
            bounds: SimDuration::ZERO..=SimDuration::from_secs(2_147_483),
        },
        doc: "how long FIN-WAIT-2 waits for a peer that never closes",
        source: "tcp.c:__tcp_close",
        example: "30",
        ..SYSCTL
    },
    Key {
        name: "tcp_syn_retries",
        is: Is::Whole(1..=127),
        doc: "how often a SYN that nobody answers is sent again",
        source: "tcp_timer.c:tcp_write_timeout",
        example: "6",
        ..SYSCTL
    },
    Key {
        name: "tcp_syn_linear_timeouts",
        is: Is::Whole(0..=127),
        doc: "how many of these come before the time between them doubles",
        source: "tcp_timer.c:tcp_write_timeout",
        example: "4",
        ..SYSCTL
    },
    Key {
        name: "ip_autobind_reuse",
        is: Is::Whole(0..=1),
        doc: "1: sockets with SO_REUSEADDR share ports where none is free",
        source: "inet_connection_sock.c:inet_csk_find_open_port",
        example: "1",
        ..SYSCTL
    },
    Key {
        name: "sysctl",
        is: Is::Sysctls,
        changes: true,
        doc: "lines of a sysctl.conf, as they are",
        example: "\"\"\" ... \"\"\"",
        ..HOST
    },
    Key {
        name: "tw_reuse_clock",
        is: Is::Time,
        on: System::Linux,
        doc: "the clock that `tcp_tw_reuse` counts by: \"1 ms\", before Linux 6.14 \"1 s\"",
        example: "\"1 s\"",
        ..PRESET
    },
    Key {
        name: "buckets_reopen",
        is: Is::Flag,
        on: System::Linux,
        doc: "a port of which all connections are in TIME-WAIT is open to others again (since Linux 6.18)",
        example: "true",
        ..PRESET
    },
    Key {
        name: "narrow_range_by_one",
        is: Is::Flag,
        on: System::Linux,
        doc: "a range of a socket's own is searched without its last port (since Linux 6.8)",
        example: "true",
        ..PRESET
    },
    Key {
        name: "connect_timeout",
        is: Is::SomeTime,
        on: System::Others,
        changes: true,
        doc: "how long a connection that nobody answers is tried",
        example: "\"75 s\"",
        ..PRESET
    },
    Key {
        name: "fin_wait_2",
        is: Is::Time,
        on: System::Others,
        changes: true,
        doc: "how long FIN-WAIT-2 waits for a peer that never closes",
        example: "\"60 s\"",
        ..PRESET
    },
    Key {
        name: "search_cost",
        is: Is::Table(Place::SearchCost),
        usual: Usual::Is("off"),
        changes: true,
        doc: "what a search takes, as `portsim validate --case cost` measures it",
        example: "{ connect = \"14 us\", probe = \"70 ns\" }",
        ..HOST
    },
];
