//! Sysctls as people have them: `net.ipv4.tcp_tw_reuse = 1` line by line, or a whole sysctl.conf.
//!
//! However they are written, they become the keys of `[host.NAME]` of the same name before the host
//! is read. Those that do not bear on source ports are left out with a warning each, so that a
//! configuration can be pasted as it is.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

use crate::platform::Linux;
use crate::scenario::keys::{self, Place, System};
use crate::scenario::preset::Preset;
use crate::scenario::text::problem::Problem;
use crate::scenario::text::root_of;
use crate::scenario::text::source::Span;
use crate::scenario::text::suggest::shown;
use crate::scenario::text::tree::{Entry, Node, Table, Value};
use crate::scenario::text::walk::Walk;

/// Keys that say the same in two ways.
const ALIASES: [(&str, &str); 2] =
    [("ports", "ip_local_port_range"), ("reserved", "ip_local_reserved_ports")];

/// The table of a host of `preset` in which every sysctl, however written, has its own key.
pub(crate) fn native(walk: &Walk, table: &Table, preset: &Preset) -> Table {
    let mut keys = Table::default();
    let mut settings = Vec::new();
    for entry in &table.entries {
        if entry.key == "sysctl" {
            settings.extend(lines(walk, entry));
        } else if root_of(&entry.key).is_some_and(|root| is_setting(entry, root)) {
            flatten(entry, entry.key.trim_start_matches('-'), &mut settings);
        } else {
            keys.entries.push(entry.clone());
        }
    }
    let Some(kernel) = preset.kernel else {
        refuse(walk, &mut keys, &settings, preset);
        return keys;
    };
    for setting in settings {
        if let Some(entry) = judged(walk, setting, kernel) {
            add(walk, &mut keys, entry);
        }
    }
    for (one, other) in ALIASES {
        if let Some(entry) = keys.get(one).cloned()
            && keys.get(other).is_some()
        {
            keys.remove(one);
            settle(walk, &mut keys, other, entry);
        }
    }
    keys.entries.retain(|entry| is_in(walk, entry, preset));
    keys
}

/// A name of a sysctl, or a table of them, and not a key of another kind.
fn is_setting(entry: &Entry, root: &str) -> bool {
    entry.node.as_table().is_some() || entry.key.trim_start_matches('-') != root
}

/// The settings below `entry`, with their whole names as keys.
fn flatten(entry: &Entry, name: &str, settings: &mut Vec<Entry>) {
    let name = name.replace('/', ".");
    match &entry.node.value {
        Value::Table(table) => {
            for entry in &table.entries {
                flatten(entry, &format!("{name}.{}", entry.key), settings);
            }
        }
        _ => settings.push(Entry { key: name, ..entry.clone() }),
    }
}

/// The settings of a text that is written as /etc/sysctl.conf is; later lines win.
fn lines(walk: &Walk, entry: &Entry) -> Vec<Entry> {
    let help = "sysctl = \"\"\" ... \"\"\" with the lines of a sysctl.conf in between";
    let Some(text) = walk.text(&entry.node, "sysctl", help) else { return Vec::new() };
    // Where the text was written without escapes, its lines can be pointed at.
    let base = walk.written(entry.node.at).find(&text);
    let place = |range: std::ops::Range<usize>| match base {
        Some(base) => {
            let start = entry.node.at.start + base;
            Span::new(entry.node.at.source, start + range.start..start + range.end)
        }
        None => entry.node.at,
    };
    let mut settings: Vec<Entry> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let begin = start;
        start += line.len();
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let offset = |part: &str| begin + (part.as_ptr() as usize - line.as_ptr() as usize);
        let span = |part: &str| place(offset(part)..offset(part) + part.len());
        let setting = trimmed.strip_prefix('-').unwrap_or(trimmed).trim_start();
        let Some((name, value)) = setting.split_once('=') else {
            let message = format!("`{}` is not a line of a sysctl.conf", shown(trimmed));
            let problem = Problem::at(span(trimmed), message)
                .label("there is no `=`")
                .help("write name = value, and # before a comment");
            walk.report(problem);
            continue;
        };
        let (name, value) = (name.trim(), without_comment(value).trim());
        let key = name.replace('/', ".");
        let node = Node { value: Value::Text(value.to_owned()), at: span(value) };
        let new = Entry { key: key.clone(), key_at: span(name), node };
        match places.entry(key) {
            Occupied(place) => {
                let old = std::mem::replace(&mut settings[*place.get()], new);
                walk.overruled(&old.key, old.key_at);
            }
            Vacant(place) => {
                place.insert(settings.len());
                settings.push(new);
            }
        }
    }
    settings
}

/// A value without what people write behind it: the kernel would not take it either.
fn without_comment(value: &str) -> &str {
    let begins = |(at, _): &(usize, char)| value[..*at].ends_with([' ', '\t']);
    let end = value.char_indices().filter(|(_, c)| ['#', ';'].contains(c)).find(begins);
    end.map_or(value, |(at, _)| &value[..at])
}

/// The key that `setting` stands for; what it is otherwise is said.
fn judged(walk: &Walk, setting: Entry, kernel: Linux) -> Option<Entry> {
    let name = &setting.key;
    let last = name.rsplit('.').next().unwrap_or(name);
    let known = keys::sysctls().find(|known| *known == last);
    if let Some(known) = known.filter(|_| name.strip_prefix("net.ipv4.") == Some(last)) {
        let node = number(known, setting.node);
        return Some(Entry { key: known.to_owned(), node, ..setting });
    }
    if let Some(meant) = known.or_else(|| nearly(name, last)) {
        let problem = Problem::at(setting.key_at, format!("there is no sysctl `{}`", shown(name)))
            .label("not known")
            .help(format!("did you mean net.ipv4.{meant}?"));
        walk.report(problem);
        return None;
    }
    let (reason, help) = left_out(name, last, kernel);
    let problem = Problem::at(setting.key_at, format!("`{}` {reason}", shown(name)))
        .label("left out")
        .help_maybe(help);
    walk.warn(problem);
    None
}

/// Why a sysctl changes nothing here, and what to do instead.
fn left_out(name: &str, last: &str, kernel: Linux) -> (&'static str, Option<&'static str>) {
    if last == "tcp_tw_recycle" && kernel.has(last) {
        return ("is not modelled, and never went well behind a NAT; left out", None);
    }
    if last == "tcp_tw_recycle" {
        let help = "what is left for outgoing connections is net.ipv4.tcp_tw_reuse = 1";
        return ("was removed in Linux 4.12 and does nothing", Some(help));
    }
    if name.starts_with("net.ipv6.") {
        let help = "ports, TIME-WAIT and SYN retries of IPv6 obey the sysctls below net.ipv4 too";
        return ("does not bear on source ports; left out", Some(help));
    }
    if name.starts_with("net.netfilter.") || last.starts_with("ip_conntrack") {
        let help = "a full table of tracked connections refuses some that would find a port";
        return ("is not modelled: connection tracking is left out", Some(help));
    }
    match last {
        "tcp_max_orphans" | "tcp_orphan_retries" => {
            let reason = "is not modelled: orphans are taken to be few, and their peers to answer";
            (reason, None)
        }
        "ip_local_port_step_width" => {
            ("is not modelled: it changes the order of ports, not how many there are", None)
        }
        _ => ("does not bear on source ports; left out", None),
    }
}

/// The sysctl that was probably meant by one below `net`.
fn nearly(name: &str, last: &str) -> Option<&'static str> {
    let meant = |known: &&str| {
        strsim::osa_distance(last, known) <= 2 || last.len() >= 8 && known.ends_with(last)
    };
    keys::sysctls().find(meant).filter(|_| name.starts_with("net."))
}

/// The value of a sysctl is text to the kernel, and a number to the reader of its key.
fn number(name: &str, node: Node) -> Node {
    let ports = name.starts_with("ip_local_");
    match node.as_text().and_then(|text| text.trim().parse().ok()).filter(|_| !ports) {
        Some(number) => Node { value: Value::Integer(Some(number)), ..node },
        None => node,
    }
}

fn add(walk: &Walk, keys: &mut Table, entry: Entry) {
    let key = entry.key.clone();
    match keys.get(&key) {
        Some(_) => settle(walk, keys, &key, entry),
        None => keys.entries.push(entry),
    }
}

/// `other` says what the entry of `key` says too: the command line wins over the file, and two in the
/// same text are a mistake.
fn settle(walk: &Walk, keys: &mut Table, key: &str, other: Entry) {
    let Some(entry) = keys.get(key).cloned() else { return };
    if entry.key_at.source != other.key_at.source {
        if other.key_at.source > entry.key_at.source {
            keys.remove(key);
            keys.entries.push(other);
        }
        return;
    }
    let (first, second) = match entry.key_at.start < other.key_at.start {
        true => (&entry, &other),
        false => (&other, &entry),
    };
    let message = match first.key == second.key {
        true => format!("`{}` is given twice", first.key),
        false => format!("`{}` and `{}` cannot both be given", first.key, second.key),
    };
    let problem = Problem::at(second.key_at, message)
        .label("this one is too much")
        .context(first.key_at, "given here")
        .help("keep one of them: they set the same");
    walk.report(problem);
}

/// Has the preset's kernel this key? What was asked of one that has it not is reported.
fn is_in(walk: &Walk, entry: &Entry, preset: &Preset) -> bool {
    let instead = match entry.key.as_str() {
        "connect_timeout" => "tcp_syn_retries",
        "fin_wait_2" => "tcp_fin_timeout",
        _ => "",
    };
    let problem = if let Some(problem) = preset.lacks(&entry.key, entry.key_at) {
        problem.help("take it out, or take a newer kernel: preset = \"linux\"")
    } else if !instead.is_empty() {
        let message = format!("`{}` is not a setting of Linux", entry.key);
        Problem::at(entry.key_at, message)
            .label("for systems other than Linux")
            .help(format!("Linux has {instead} instead: {instead} = {}", usual(preset, instead)))
    } else {
        return true;
    };
    walk.report(problem);
    false
}

fn usual(preset: &Preset, key: &str) -> String {
    let value = preset.values.iter().find(|value| value.key == key);
    value.map_or_else(String::new, |value| value.value.clone())
}

/// Takes out what only Linux has, and reports the first of it.
fn refuse(walk: &Walk, keys: &mut Table, settings: &[Entry], preset: &Preset) {
    let is_linux = |entry: &Entry| {
        let row = keys::find(Place::Host, &entry.key);
        row.is_some_and(|row| matches!(row.on, System::Sysctl | System::Linux))
    };
    let (linux, others) = keys.entries.drain(..).partition(is_linux);
    keys.entries = others;
    let mut refused: Vec<&Entry> = linux.iter().chain(settings).collect();
    refused.sort_by_key(|entry| (entry.key_at.source, entry.key_at.start));
    let Some(first) = refused.first() else { return };
    let more = match refused.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more below)"),
    };
    let message = format!("`{}` is a setting of Linux{more}", shown(&first.key));
    let problem = Problem::at(first.key_at, message)
        .label(format!("the preset `{}` is not Linux", preset.name))
        .help("take it out, or write preset = \"linux\"");
    walk.report(problem);
}
