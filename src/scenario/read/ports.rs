//! Which ports a host has: its range, and what takes ports out of it.

use crate::model::{PortRange, PortSet, Squatter, SquatterAddress};
use crate::scenario::text::port_text::{port_list, port_range};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::suggest::shown;
use crate::scenario::text::tree::{Entry, Node, Value};
use crate::scenario::text::walk::Walk;

/// The range of `key`: `"32768-60999"`.
pub(crate) fn range(walk: &Walk, node: &Node, key: &str) -> Option<PortRange> {
    if let Value::List(items) = &node.value
        && let [
            Node { value: Value::Integer(Some(low)), .. },
            Node { value: Value::Integer(Some(high)), .. },
        ] = items.as_slice()
    {
        let help = format!("write {key} = \"{low}-{high}\"");
        walk.wrong_kind(node, key, "a range in quotes", &help);
        return None;
    }
    let help = format!("for example {key} = \"32768-60999\"");
    let Value::Text(text) = &node.value else {
        walk.wrong_kind(node, key, "a range in quotes", &help);
        return None;
    };
    match port_range(text) {
        Ok(range) => Some(range),
        Err(wrong) => {
            walk.report_wrong(node, text, wrong);
            None
        }
    }
}

/// The range as `net.ipv4.ip_local_port_range` has it. One number alone would be a range of one port to
/// us, and sets the lower end only in the kernel (`net/ipv4/sysctl_net_ipv4.c:ipv4_local_port_range`,
/// Linux 6.18).
pub(crate) fn sysctl_range(walk: &Walk, node: &Node) -> Option<PortRange> {
    let key = "ip_local_port_range";
    let text = node.as_text().unwrap_or_default().trim();
    let alone = matches!(node.value, Value::Integer(_)) || text.parse::<u64>().is_ok();
    if alone {
        let problem = Problem::at(node.at, format!("{key} is two ports"))
            .label("one alone")
            .help(format!("write the lowest and the highest: {key} = \"32768 60999\""));
        walk.report(problem);
        return None;
    }
    range(walk, node, key)
}

/// A set of ports: a list of numbers and texts, or one text with commas.
pub(crate) fn port_set(walk: &Walk, node: &Node, key: &str) -> Option<PortSet> {
    let mut chosen = vec![false; 65_536];
    let fine = match &node.value {
        Value::List(items) => {
            let mut fine = true;
            for item in items {
                fine &= add_ports(walk, item, key, &mut chosen);
            }
            fine
        }
        _ => add_ports(walk, node, key, &mut chosen),
    };
    fine.then(|| (1..=u16::MAX).filter(|&port| chosen[usize::from(port)]).collect())
}

fn add_ports(walk: &Walk, node: &Node, key: &str, chosen: &mut [bool]) -> bool {
    match &node.value {
        Value::Integer(number) => match walk.port(node, *number) {
            Some(port) => {
                chosen[usize::from(port)] = true;
                true
            }
            None => false,
        },
        Value::Text(text) => match port_list(text) {
            Ok(ranges) => {
                for range in ranges {
                    let (low, high) = (range.min_ephemeral(), range.max_ephemeral());
                    chosen[usize::from(low)..=usize::from(high)].fill(true);
                }
                true
            }
            Err(wrongs) => {
                for wrong in wrongs {
                    walk.report_wrong(node, text, wrong);
                }
                false
            }
        },
        _ => {
            let help = format!("for example {key} = [60103, \"40000-40009\"]");
            walk.wrong_kind(node, key, "a list of ports", &help);
            false
        }
    }
}

/// Listeners: a set of ports on the wildcard address, or a table of them by address, where a number is
/// that of a source address, of which there are `addresses`.
pub(crate) fn listeners(
    walk: &Walk,
    node: &Node,
    addresses: Option<u32>,
) -> Option<(PortSet, Vec<Squatter>)> {
    let Some(table) = node.as_table() else {
        return Some((port_set(walk, node, "listeners")?, Vec::new()));
    };
    let mut any = PortSet::default();
    let mut squatters = Vec::new();
    let mut fine = true;
    for entry in &table.entries {
        let on = match entry.key.as_str() {
            "any" => Some(None),
            "other" => Some(Some(SquatterAddress::Other)),
            _ => source_address(walk, entry, addresses).map(Some),
        };
        match (on, port_set(walk, &entry.node, &format!("listeners.{}", shown(&entry.key)))) {
            (Some(None), Some(ports)) => any = ports,
            (Some(Some(on)), Some(ports)) => squatters.push(Squatter { ports, on }),
            _ => fine = false,
        }
    }
    fine.then_some((any, squatters))
}

fn source_address(walk: &Walk, entry: &Entry, addresses: Option<u32>) -> Option<SquatterAddress> {
    let number = entry.key.parse::<u32>().ok().filter(|number| *number > 0);
    if let Some(number) = number
        && addresses.is_none_or(|addresses| number <= addresses)
    {
        return Some(SquatterAddress::Source(number - 1));
    }
    let name = shown(&entry.key);
    let message = match number {
        Some(_) => format!("there is no source address number {name}"),
        None => format!("`{name}` is not an address that something can listen on"),
    };
    let most = match addresses {
        None | Some(1) => "1, the only source address".to_owned(),
        Some(addresses) => format!("the number of a source address, 1 to {addresses}"),
    };
    let problem = Problem::at(entry.key_at, message).label("not known").help(format!(
        "write any (the wildcard address), other (one that no client has) or {most}"
    ));
    walk.report(problem);
    None
}
