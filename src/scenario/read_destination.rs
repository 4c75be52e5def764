//! `[destination.NAME]`: what clients connect to.

use super::suggest::shown;
use super::tree::Entry;
use super::walk::Walk;
use crate::model::{Destination, EndpointPick};

/// The keys of `[destination.NAME]`.
pub(super) const KEYS: [&str; 4] = ["endpoints", "pick", "answers", "loopback"];

const PICKS: [(&str, EndpointPick); 2] =
    [("random", EndpointPick::Random), ("in turn", EndpointPick::InTurn)];

/// Reads the destination of one entry of `[destination]`.
pub(super) fn destination(walk: &Walk, entry: &Entry) -> Option<Destination> {
    let name = format!("[destination.{}]", shown(&entry.key));
    let help = format!("write a line {name} and its keys below it");
    let table = walk.table(&entry.node, &name, &KEYS, &help)?;
    let endpoints = match table.get("endpoints") {
        Some(entry) => walk.small_integer(&entry.node, "endpoints", 1, 1_000_000),
        None => Some(1),
    };
    let pick = match table.get("pick") {
        Some(entry) => walk.choice(&entry.node, "pick", &PICKS),
        None => Some(EndpointPick::Random),
    };
    let flag = |key: &str, usual: bool| match table.get(key) {
        Some(entry) => walk.flag(&entry.node, key),
        None => Some(usual),
    };
    let (answers, loopback) = (flag("answers", true), flag("loopback", false));
    Some(Destination {
        name: entry.key.clone(),
        endpoints: endpoints?,
        pick: pick?,
        answers: answers?,
        loopback: loopback?,
    })
}

/// The destination of a file that has none: one server.
pub(super) fn implicit(name: &str) -> Destination {
    Destination {
        name: name.to_owned(),
        endpoints: 1,
        pick: EndpointPick::Random,
        answers: true,
        loopback: false,
    }
}
