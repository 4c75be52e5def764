//! `[destination.NAME]`: what clients connect to.

use super::fields::Fields;
use crate::model::{Destination, ServerKeeps};
use crate::scenario::keys::{PICKS, Place};
use crate::scenario::text::suggest::shown;
use crate::scenario::text::tree::{Entry, Table};
use crate::scenario::text::walk::Walk;

/// Reads the destination of one entry of `[destination]`.
pub(crate) fn destination(walk: &Walk, entry: &Entry) -> Option<Destination> {
    let name = format!("[destination.{}]", shown(&entry.key));
    let help = format!("write a line {name} and its keys below it");
    let fields = Fields::open(walk, &entry.node, Place::Destination, &name, &help)?;
    read(&fields, &entry.key)
}

/// The destination of a file that has none: one server.
pub(crate) fn implicit(walk: &Walk, name: &str) -> Option<Destination> {
    read(&Fields::new(walk, &Table::default(), Place::Destination), name)
}

fn read(fields: &Fields<'_>, name: &str) -> Option<Destination> {
    let (endpoints, pick) = (fields.small("endpoints"), fields.word("pick", PICKS));
    let (answers, loopback) = (fields.flag("answers"), fields.flag("loopback"));
    let idle_timeout = fields.time_or_none("idle_timeout");
    let requests_per_connection = fields.small_or_none("requests_per_connection");
    Some(Destination {
        name: name.to_owned(),
        endpoints: endpoints?,
        pick: pick?,
        answers: answers?,
        loopback: loopback?,
        keeps: ServerKeeps {
            idle_timeout: idle_timeout?,
            requests_per_connection: requests_per_connection?,
        },
    })
}
