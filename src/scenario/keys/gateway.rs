//! The keys of `[gateway.NAME]`: what connections pass on their way.

use super::words::{
    ADDRESS_CHOICES, GATEWAY_KEYS, NAT_EXHAUSTED, NAT_SELECTIONS, SHARE_GROWTHS, names,
};
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
        doc: "how a port is chosen: as netfilter does, its scan alone (`random`, `fully-random`), any that is free, or \
              none: connections keep their own and only have an entry",
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
        name: "share",
        is: Is::WholeOr(0..=65_536, "all"),
        usual: Usual::Value("\"all\""),
        doc: "ports that each client address has for itself from the start; all of them have all otherwise",
        source: "RFC 7422",
        example: "1_024",
        ..GATEWAY
    },
    Key {
        name: "share_most",
        is: Is::Whole(1..=65_536),
        usual: Usual::Is("`share`: it does not grow"),
        doc: "ports that it has at most, with blocks that it gets when none of its own is free",
        example: "4_096",
        ..GATEWAY
    },
    Key {
        name: "share_block",
        is: Is::Whole(1..=65_536),
        usual: Usual::Is("`share`"),
        doc: "ports of a block",
        source: "RFC 7422; RFC 7768",
        example: "100",
        ..GATEWAY
    },
    Key {
        name: "share_grows",
        is: Is::Word(|| names(SHARE_GROWTHS)),
        usual: Usual::Value("\"by-block\""),
        doc: "by one block, or by as many as it has",
        example: "\"doubling\"",
        ..GATEWAY
    },
    Key {
        name: "share_idle",
        is: Is::Time,
        usual: Usual::Value("\"0 s\""),
        doc: "so long after its last connection another client can have a block",
        example: "\"60 s\"",
        ..GATEWAY
    },
    Key {
        name: "most_each",
        is: Is::WholeOr(1..=100_000_000, "unlimited"),
        usual: Usual::Value("\"unlimited\""),
        doc: "connections that one client address has at most at one time",
        source: "RFC 6888, REQ-4",
        example: "2_000",
        ..GATEWAY
    },
    Key {
        name: "most_entries",
        is: Is::WholeOr(1..=100_000_000, "unlimited"),
        usual: Usual::Value("\"unlimited\""),
        doc: "connections that it knows at most at one time, of all clients: the size of its table",
        source: "net.netfilter.nf_conntrack_max",
        example: "262_144",
        ..GATEWAY
    },
    Key {
        name: "evicts_unanswered",
        is: Is::Flag,
        doc: "may a full table drop a connection that nobody has answered?",
        source: "net/netfilter/nf_conntrack_core.c:early_drop",
        example: "true",
        ..PRESET
    },
    Key {
        name: "on_exhaustion",
        is: Is::Word(|| names(NAT_EXHAUSTED)),
        usual: Usual::Value("\"drop\""),
        doc: "what becomes of a SYN for which there is no place: it is dropped and sent again, `connect()` fails, or \
              it takes the place of the connection that was opened first",
        example: "\"reset\"",
        ..GATEWAY
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
