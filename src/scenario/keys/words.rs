//! The words that a value may be, and what each stands for.

use crate::model::nat::{NatAddresses, NatExhausted, NatSelection};
use crate::model::{
    Binds, Counts, Ending, EndpointPick, IdleCheck, Notices, Overflow, ReuseKey, SelectionKind,
    Spacing, Start, Take,
};

/// Words and what they stand for.
pub(crate) type Words<T> = [(&'static str, T)];

pub(crate) const STARTS: &Words<Start> =
    &[("empty", Start::Empty), ("stationary", Start::Stationary)];

pub(crate) const SELECTIONS: &Words<SelectionKind> = &[
    ("linux", SelectionKind::Linux),
    ("linux-4.6", SelectionKind::LinuxSharedHint),
    ("linux-4.2", SelectionKind::LinuxEvenStart),
    ("linux-3.10", SelectionKind::LinuxInOrder),
    ("simple_randomization", SelectionKind::SimpleRandomization),
    ("another_simple_randomization", SelectionKind::AnotherSimpleRandomization),
    ("simple_hash", SelectionKind::SimpleHash),
    ("double_hash", SelectionKind::DoubleHash),
    ("random_increments", SelectionKind::RandomIncrements),
    ("sequential", SelectionKind::Sequential),
];

pub(crate) const REUSE_KEYS: &Words<ReuseKey> = &[
    ("four-tuple", ReuseKey::FourTuple),
    ("source-address", ReuseKey::SourceAddress),
    ("host", ReuseKey::Host),
];

pub(crate) const PICKS: &Words<EndpointPick> =
    &[("random", EndpointPick::Random), ("in turn", EndpointPick::InTurn)];

/// What `key` of a gateway may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NatKeyWord {
    Endpoint,
    Destination,
    EndpointIndependent,
}

pub(crate) const GATEWAY_KEYS: &Words<NatKeyWord> = &[
    ("destination-endpoint", NatKeyWord::Endpoint),
    ("destination-address", NatKeyWord::Destination),
    ("endpoint-independent", NatKeyWord::EndpointIndependent),
];

pub(crate) const NAT_SELECTIONS: &Words<NatSelection> = &[
    ("netfilter", NatSelection::Netfilter),
    ("netfilter-random", NatSelection::NetfilterRandom),
    ("uniform", NatSelection::Uniform),
    ("none", NatSelection::OwnPort),
];

pub(crate) const NAT_EXHAUSTED: &Words<NatExhausted> = &[
    ("drop", NatExhausted::Drop),
    ("reset", NatExhausted::Reset),
    ("evict-oldest", NatExhausted::EvictOldest),
];

/// How a share of a gateway's ports grows: does it double?
pub(crate) const SHARE_GROWTHS: &Words<bool> = &[("by-block", false), ("doubling", true)];

pub(crate) const ADDRESS_CHOICES: &Words<NatAddresses> = &[
    ("by-pair", NatAddresses::ByPair),
    ("by-client", NatAddresses::ByClient),
    ("in-order", NatAddresses::InOrder),
    ("any", NatAddresses::AnyFree),
];

pub(crate) const SPACINGS: &Words<Spacing> =
    &[("constant", Spacing::Constant), ("poisson", Spacing::Poisson)];

pub(crate) const BINDS: &Words<Binds> =
    &[("connect", Binds::Connect), ("bind", Binds::Bind), ("bind-no-port", Binds::BindNoPort)];

pub(crate) const ENDINGS: &Words<Ending> = &[
    ("client", Ending::Client),
    ("server", Ending::Server),
    ("reset", Ending::Reset),
    ("server-reset", Ending::ServerReset),
    ("unread", Ending::Unread),
    ("half", Ending::Half),
    ("close-wait", Ending::CloseWait),
    ("never", Ending::Never),
];

pub(crate) const TAKES: &Words<Take> =
    &[("last", Take::Last), ("oldest", Take::Oldest), ("first", Take::First)];

pub(crate) const OVERFLOWS: &Words<Overflow> =
    &[("returning", Overflow::Returning), ("oldest", Overflow::Oldest), ("first", Overflow::First)];

pub(crate) const COUNTS: &Words<Counts> = &[("idle", Counts::Idle), ("all", Counts::All)];

pub(crate) const IDLE_CHECKS: &Words<IdleCheck> = &[
    ("timer", IdleCheck::Timer),
    ("lazy", IdleCheck::Lazy),
    ("sweep", IdleCheck::Sweep),
    ("whole-second", IdleCheck::WholeSecond),
];

pub(crate) const NOTICES: &Words<Notices> =
    &[("at-once", Notices::AtOnce), ("on-use", Notices::OnUse)];

pub(crate) const POOL_CLOSES: &Words<Ending> =
    &[("client", Ending::Client), ("server", Ending::Server), ("reset", Ending::Reset)];

/// Endings that people say the other way round.
pub(super) const TURNED: &Words<Ending> =
    &[("client-reset", Ending::Reset), ("reset-server", Ending::ServerReset)];

/// The ending that `word` means; `-`, `_`, spaces and case do not matter.
pub(crate) fn ending(word: &str) -> Option<Ending> {
    let plain = word.trim().to_lowercase().replace(['_', ' '], "-");
    let found = ENDINGS.iter().chain(TURNED).find(|(name, _)| *name == plain);
    found.map(|(_, ending)| *ending)
}

/// The words alone.
pub(super) fn names<T>(words: &'static Words<T>) -> Vec<&'static str> {
    words.iter().map(|(name, _)| *name).collect()
}
