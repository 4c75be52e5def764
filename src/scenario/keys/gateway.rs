//! The keys of `[gateway.NAME]`: what connections pass on their way.

use super::words::{ADDRESS_CHOICES, GATEWAY_KEYS, NAT_SELECTIONS, names};
use super::{Is, KEY, Key, Place, Usual};

const GATEWAY: Key = Key { at: Place::Gateway, ..KEY };
const PRESET: Key = Key { usual: Usual::Preset, ..GATEWAY };
const TIMER: Key = Key { at: Place::NatTimers, is: Is::Time, usual: Usual::Preset, ..KEY };

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "preset",
        is: Is::GatewayPreset,
        usual: Usual::Value("\"netfilter\""),
        doc: "what it is, for what is not said here: `netfilter` (Linux since 6.5), `netfilter-6.4` (before)",
        example: "\"netfilter\"",
        ..GATEWAY
    },
    Key {
        name: "serves",
        is: Is::NameList,
        usual: Usual::Needed,
        doc: "the hosts, or other gateways, whose connections pass it",
        example: "[\"node\"]",
        ..GATEWAY
    },
    Key {
        name: "addresses",
        is: Is::Whole(1..=4_096),
        usual: Usual::Value("1"),
        doc: "its own addresses, each with all of its ports",
        example: "4",
        ..GATEWAY
    },
    Key {
        name: "address_choice",
        is: Is::Word(|| names(ADDRESS_CHOICES)),
        usual: Usual::Value("\"by-pair\""),
        doc: "which of them a connection gets: by client and destination, by client alone, the next one when those \
              before are full, or any that has a port left",
        source: "net/netfilter/nf_nat_core.c:find_best_ips_proto",
        example: "\"by-client\"",
        ..GATEWAY
    },
    Key {
        name: "ports",
        is: Is::Range,
        doc: "the ports of each address",
        example: "\"1024-65535\"",
        ..PRESET
    },
    Key {
        name: "key",
        is: Is::Word(|| names(GATEWAY_KEYS)),
        doc: "which connections may not share a port of one address: those to the same endpoint, those to the same \
              destination, or those of other clients to anything (endpoint-independent mapping)",
        source: "RFC 4787, REQ-1",
        example: "\"destination-endpoint\"",
        ..PRESET
    },
    Key {
        name: "selection",
        is: Is::Word(|| names(NAT_SELECTIONS)),
        doc: "how a port is chosen: as netfilter does, its scan alone (`random`, `fully-random`), or any that is free",
        source: "net/netfilter/nf_nat_core.c:nf_nat_l4proto_unique_tuple",
        example: "\"netfilter-random\"",
        ..PRESET
    },
    Key {
        name: "evicts_closing",
        is: Is::Flag,
        doc: "may a SYN take the port of a connection that is closed and waits for its time-out?",
        source: "net/netfilter/nf_nat_core.c:nf_nat_used_tuple_harder, since 6.5",
        example: "false",
        ..PRESET
    },
    Key {
        name: "timers",
        is: Is::Table(Place::NatTimers),
        usual: Usual::Preset,
        doc: "how long a port stays taken after what became of its connection",
        example: "{ fin = \"65 s\", reset = \"16 s\" }",
        ..GATEWAY
    },
    Key {
        name: "half_open",
        doc: "after the first SYN, where nobody answers",
        source: "nf_conntrack_tcp_timeout_syn_sent",
        example: "\"30 s\"",
        ..TIMER
    },
    Key {
        name: "idle",
        doc: "after the last packet of a connection that is open",
        source: "nf_conntrack_tcp_timeout_established",
        example: "\"4 min\"",
        ..TIMER
    },
    Key {
        name: "half_closed",
        doc: "after the first FIN, while the other side's is not there",
        source: "nf_conntrack_tcp_timeout_close_wait",
        example: "\"60 s\"",
        ..TIMER
    },
    Key {
        name: "fin",
        doc: "after both",
        source: "nf_conntrack_tcp_timeout_time_wait",
        example: "\"65 s\"",
        ..TIMER
    },
    Key {
        name: "reset",
        doc: "after a reset",
        source: "nf_conntrack_tcp_timeout_close",
        example: "\"16 s\"",
        ..TIMER
    },
];
