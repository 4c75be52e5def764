//! `[gateway.NAME]`: a preset, what overrides it, and whose connections pass it.

use super::fields::Fields;
use super::ports::range;
use crate::model::nat::{Mapping, NatRules, NatSelection, NatShare, NatTimers};
use crate::model::{Gateway, MOST_GATEWAYS, NatKey};
use crate::scenario::keys::{
    self, ADDRESS_CHOICES, GATEWAY_KEYS, NAT_EXHAUSTED, NAT_SELECTIONS, NatKeyWord, Place,
    SHARE_GROWTHS,
};
use crate::scenario::preset::{Preset, gateway_preset, gateway_presets};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::source::Span;
use crate::scenario::text::suggest::{instead, shown};
use crate::scenario::text::tree::{Entry, Node, Table, Value};
use crate::scenario::text::walk::Walk;

/// A gateway, and the names of those that it serves with where they stand.
#[derive(Clone, Debug)]
pub(crate) struct ReadGateway {
    pub gateway: Gateway,
    pub serves: Vec<(String, Span)>,
}

/// Reads the gateway of one entry of `[gateway]`.
pub(crate) fn gateway(walk: &Walk, entry: &Entry) -> Option<ReadGateway> {
    let name = format!("[gateway.{}]", shown(&entry.key));
    let help = format!("write a line {name} and its keys below it");
    let table = walk.table(&entry.node, &name, &keys::names(Place::Gateway), &help)?;
    let preset = match table.get("preset") {
        Some(entry) => named(walk, &entry.node),
        None => gateway_preset("netfilter"),
    };
    // With an unknown preset, what the table itself says is still checked.
    let assumed = preset.or_else(|| gateway_preset("netfilter"))?;
    let fields = Fields::new(walk, table, Place::Gateway).over(assumed);
    let serves = match fields.need("serves", entry.node.at, &name) {
        Some(node) => names(&fields, node),
        None => None,
    };
    let gateway = read(&fields, &entry.key, assumed);
    preset?;
    Some(ReadGateway { gateway: gateway?, serves: serves? })
}

fn named(walk: &Walk, node: &Node) -> Option<&'static Preset> {
    let name = walk.text(node, "preset", "for example preset = \"netfilter\"")?;
    let found = gateway_preset(&name);
    if found.is_none() {
        let names: Vec<&str> = gateway_presets().iter().map(|one| one.name.as_str()).collect();
        let message = format!("there is no gateway preset `{}`", shown(&name));
        let problem = Problem::at(node.at, message)
            .label("not known")
            .help(instead(&name, &names, "preset"))
            .help("`portsim presets` shows them all");
        walk.report(problem);
    }
    found
}

/// The names in `serves = ["node"]`.
fn names(fields: &Fields<'_>, node: &Node) -> Option<Vec<(String, Span)>> {
    let help = fields.example("serves");
    let Value::List(items) = &node.value else {
        fields.walk.wrong_kind(node, "serves", "a list of names", &help);
        return None;
    };
    if items.is_empty() {
        let problem = Problem::at(node.at, "serves nobody").label("an empty list").help(help);
        fields.walk.report(problem);
        return None;
    }
    let one = |item: &Node| Some((fields.walk.text(item, "serves", &help)?, item.at));
    items.iter().map(one).collect()
}

/// Reads every field before any failure counts, so that all mistakes are reported.
fn read(fields: &Fields<'_>, name: &str, preset: &'static Preset) -> Option<Gateway> {
    let addresses = fields.small("addresses");
    let choice = fields.word("address_choice", ADDRESS_CHOICES);
    let ports = fields.maybe("ports", |node| range(fields.walk, node, "ports"));
    let key = fields.word("key", GATEWAY_KEYS);
    let selection = fields.word("selection", NAT_SELECTIONS);
    let evicts_closing = fields.flag("evicts_closing");
    let evicts_unanswered = fields.flag("evicts_unanswered");
    let exhausted = fields.word("on_exhaustion", NAT_EXHAUSTED);
    let share = share(fields);
    let most_each = fields.small_or_none("most_each");
    let most_entries = fields.small_or_none("most_entries");
    let timers = timers(fields, preset);
    let (key, selection) = (key?, selection?);
    if selection == NatSelection::OwnPort {
        let of_ports = ["addresses", "address_choice", "ports", "key", "share"];
        if let Some(entry) = of_ports.into_iter().find_map(|key| fields.entry(key)) {
            let message = format!("{} says nothing where ports are not changed", entry.key);
            let help = "take it out, or selection = \"none\"";
            fields.walk.report(Problem::at(entry.node.at, message).label("here").help(help));
            return None;
        }
    }
    let mapping = match (key, selection) {
        (NatKeyWord::EndpointIndependent, _) => Mapping::Same,
        (_, NatSelection::Netfilter) => Mapping::SameWhereFree,
        _ => Mapping::EachItsOwn,
    };
    let key = match key {
        NatKeyWord::Endpoint => NatKey::Endpoint,
        NatKeyWord::Destination => NatKey::Destination,
        NatKeyWord::EndpointIndependent => NatKey::None,
    };
    let (addresses, choice) = (addresses?, choice?);
    let evicts_closing = evicts_closing?;
    let nat = NatRules {
        addresses,
        choice,
        ports: ports?,
        selection,
        mapping,
        evicts_closing,
        share: share?,
        most_each: most_each?,
        most_entries: most_entries?,
        evicts_unanswered: evicts_unanswered?,
        exhausted: exhausted?,
    };
    Some(Gateway { name: name.to_owned(), nat, key, timers: timers?, gateway: None })
}

/// What of the ports each client address may have; `None` in it where all have all.
fn share(fields: &Fields<'_>) -> Option<Option<NatShare>> {
    let base = fields.small_or_none("share");
    let small = |key: &str| fields.find(key).map(|_| fields.small(key));
    let (most, block) = (small("share_most"), small("share_block"));
    let doubles = fields.word("share_grows", SHARE_GROWTHS);
    let idle = fields.time("share_idle");
    let told = |key: &str, message: String, help: &str| {
        let at = fields.find(key).expect("it is said").at;
        fields.walk.report(Problem::at(at, message).label("here").help(help.to_owned()));
        None
    };
    let Some(base) = base? else {
        let of_share = ["share_most", "share_block", "share_grows", "share_idle"];
        return match of_share.into_iter().find(|key| fields.find(key).is_some()) {
            Some(key) => {
                let help = "write share = 1_024, or share = 0 where clients get blocks alone";
                told(key, format!("{key} says nothing without share"), help)
            }
            None => Some(None),
        };
    };
    let most = most.map_or(Some(base), |most| most)?;
    let block = block.map_or(Some(base), |block| block)?;
    if most < base {
        let help = "share_most is at least as much as share";
        return told("share_most", "a share is more than it is at most".to_owned(), help);
    }
    if block == 0 || most == 0 {
        let help = "where clients get blocks alone, write share_block = 512, share_most = 2_048";
        return told("share", "a share of nothing".to_owned(), help);
    }
    Some(Some(NatShare { base, block, most, doubles: doubles?, idle: idle? }))
}

fn timers(fields: &Fields<'_>, preset: &'static Preset) -> Option<NatTimers> {
    let none = Table::default();
    let table = match fields.entry("timers") {
        Some(entry) => {
            let (known, help) = (keys::names(Place::NatTimers), fields.example("timers"));
            fields.walk.table(&entry.node, "timers", &known, &help)?
        }
        None => &none,
    };
    let fields = Fields::new(fields.walk, table, Place::NatTimers).over(preset);
    let [half_open, idle, half_closed, fin, reset] =
        ["half_open", "idle", "half_closed", "fin", "reset"].map(|key| fields.time(key));
    Some(NatTimers {
        half_open: half_open?,
        idle: idle?,
        half_closed: half_closed?,
        fin: fin?,
        reset: reset?,
    })
}

/// Who reaches the world through which gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paths {
    pub gateways: Vec<Gateway>,
    /// For each host the gateway that it is served by.
    pub of_hosts: Vec<Option<usize>>,
}

/// Finds out who is served by whom; `hosts` are the names of all hosts.
pub(crate) fn paths(walk: &Walk, entries: &[Entry], hosts: &[&str]) -> Option<Paths> {
    let read: Vec<Option<ReadGateway>> = entries.iter().map(|entry| gateway(walk, entry)).collect();
    let read = read.into_iter().collect::<Option<Vec<ReadGateway>>>()?;
    let names: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    let mut paths = Paths {
        gateways: read.iter().map(|one| one.gateway.clone()).collect(),
        of_hosts: vec![None; hosts.len()],
    };
    let before = walk.count();
    for (number, (name, at)) in read
        .iter()
        .enumerate()
        .flat_map(|(number, one)| one.serves.iter().map(move |name| (number, name)))
    {
        let host = hosts.iter().position(|host| host == name);
        let other = names.iter().position(|gateway| gateway == name);
        let (place, what) = match (host, other) {
            (Some(host), None) => (&mut paths.of_hosts[host], "host"),
            (None, Some(other)) => (&mut paths.gateways[other].gateway, "gateway"),
            (Some(_), Some(_)) => {
                let message = format!("`{}` is a host and a gateway", shown(name));
                walk.report(
                    Problem::at(*at, message)
                        .label("which of them?")
                        .help("give one of them another name"),
                );
                continue;
            }
            (None, None) => {
                let known: Vec<&str> = hosts.iter().chain(&names).copied().collect();
                let problem =
                    Problem::at(*at, format!("there is no host or gateway `{}`", shown(name)))
                        .label("not known")
                        .help(instead(name, &known, "host"));
                walk.report(problem);
                continue;
            }
        };
        if let Some(first) = place.replace(number) {
            let message = format!(
                "{what} `{}` is served by two gateways, `{}` and `{}`",
                shown(name),
                shown(names[first]),
                shown(names[number])
            );
            let help = "one behind the other: let one of them serve the other";
            walk.report(Problem::at(*at, message).label("served already").help(help));
        }
    }
    for (number, entry) in entries.iter().enumerate() {
        let next = |&at: &usize| paths.gateways[at].gateway;
        let behind = std::iter::successors(next(&number), next).take(entries.len());
        let path: Vec<usize> = behind.collect();
        if path.contains(&number) {
            let message =
                format!("gateway `{}` reaches the world through itself", shown(&entry.key));
            walk.report(
                Problem::at(entry.node.at, message)
                    .label("in a circle")
                    .help("the last gateway of a path is served by none"),
            );
            break;
        }
        if path.len() >= MOST_GATEWAYS {
            let message = format!("more than {MOST_GATEWAYS} gateways, one behind the other");
            walk.report(
                Problem::at(entry.node.at, message)
                    .label("the first of them")
                    .help("take some out"),
            );
        }
    }
    (walk.count() == before).then_some(paths)
}
