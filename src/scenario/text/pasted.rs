//! Lines of a sysctl.conf in the middle of a scenario: `net.ipv4.ip_local_port_range = 32768 60999`.
//!
//! Such a line is not TOML, for its value has no quotes. Before the text is parsed, the value is
//! overwritten by a number of one digit and spaces, so that every byte stays where it is and messages
//! point at what the person wrote; in the parsed tree the value is put back as text.

use std::collections::HashMap;
use std::ops::Range;

use toml::de::DeValue;

use super::source::Span;
use super::tree::{Node, Table, Value};

/// The first part of every sysctl's name (the directories of `/proc/sys`).
const ROOTS: [&str; 10] =
    ["net", "vm", "kernel", "fs", "dev", "user", "debug", "sunrpc", "abi", "crypto"];

/// A text with pasted lines, made fit for the parser.
#[derive(Debug)]
pub(crate) struct Pasted {
    /// The text with the same number of bytes, as TOML.
    pub toml: String,
    /// Where the overwritten values begin in it, and where they stand in the text; rising.
    values: Vec<(usize, Range<usize>)>,
    /// Where sysctls are set that are set again further down in the same table: TOML would refuse the second
    /// line, and for sysctl the last one holds.
    pub overruled: Vec<Range<usize>>,
}

/// The root of the sysctl that `name` is, or is below; a leading `-`, as in sysctl.conf, may be there.
pub(crate) fn root_of(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix('-').unwrap_or(name).trim_start();
    ROOTS.into_iter().find(|root| {
        name.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
    })
}

/// `text` with the values of pasted lines overwritten; `None` where there is nothing to do.
pub(crate) fn pasted(text: &str) -> Option<Pasted> {
    let mut bytes = text.as_bytes().to_vec();
    let mut values = Vec::new();
    let mut open = None;
    let mut start = 0;
    // Of the table that the line is in: where each sysctl is set.
    let mut set: HashMap<String, (Range<usize>, Range<usize>)> = HashMap::new();
    let mut overruled: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let begun = open.is_none();
        let after = open_after(line, open);
        if begun && line.trim_start().starts_with('[') {
            set.clear();
        }
        if begun && let Some(setting) = Setting::of(line) {
            setting.overwrite(&mut bytes[start..start + line.len()], start, &mut values);
        }
        if begun
            && after.is_none()
            && let Some((key, _)) = key_of(line)
        {
            let name = line[key.clone()].trim_start_matches('-').replace('/', ".");
            let (key, whole) =
                (start + key.start..start + key.end, start..start + line.trim_end().len());
            overruled.extend(set.insert(name, (whole, key)));
        }
        open = after;
        start += line.len();
    }
    for (line, _) in &overruled {
        bytes[line.clone()].fill(b' ');
    }
    overruled.sort_by_key(|(line, _)| line.start);
    values.retain(|(begin, _)| {
        let next = overruled.partition_point(|(line, _)| line.end <= *begin);
        overruled.get(next).is_none_or(|(line, _)| !line.contains(begin))
    });
    if bytes == text.as_bytes() {
        return None;
    }
    let toml = String::from_utf8(bytes).expect("ASCII bytes took the place of whole values");
    Some(Pasted { toml, values, overruled: overruled.into_iter().map(|(_, key)| key).collect() })
}

impl Pasted {
    /// Puts the values of `text`, from which this was made, back into its parsed tree.
    pub fn restore(&self, text: &str, table: &mut Table) {
        for entry in &mut table.entries {
            let at = entry.node.at.start;
            if let Value::Table(inner) = &mut entry.node.value {
                self.restore(text, inner);
            } else if let Ok(index) = self.values.binary_search_by_key(&at, |(begin, _)| *begin) {
                let range = self.values[index].1.clone();
                let value = Value::Text(text[range.clone()].to_owned());
                entry.node = Node { value, at: Span::new(entry.node.at.source, range) };
            }
        }
    }
}

/// A line that sets a sysctl and is not TOML; places are counted from the line's start.
struct Setting {
    key: Range<usize>,
    equals: usize,
    value: Option<Range<usize>>,
}

/// Where a line that sets a sysctl has its name, and its equals sign.
fn key_of(line: &str) -> Option<(Range<usize>, usize)> {
    let indent = line.len() - line.trim_start().len();
    let equals = line.find('=')?;
    let key = line.get(indent..equals)?.trim_end();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./*".contains(c);
    let is_sysctl = root_of(key)? != key && key.chars().all(plain);
    is_sysctl.then_some((indent..indent + key.len(), equals))
}

impl Setting {
    fn of(line: &str) -> Option<Self> {
        let (key, equals) = key_of(line)?;
        let written = &line[equals + 1..];
        let bare = written.trim_start();
        let begin = equals + 1 + written.len() - bare.len();
        let value = bare.split('#').next().unwrap_or("").trim_end();
        let is_toml = bare.starts_with(['"', '\'', '[', '{'])
            || DeValue::parse_recoverable(value).1.is_empty();
        if is_toml && !line[key.clone()].contains(['/', '*']) {
            return None;
        }
        Some(Self { key, equals, value: (!is_toml).then(|| begin..begin + value.len()) })
    }

    /// Overwrites it in `line`, which begins at byte `start`.
    fn overwrite(&self, line: &mut [u8], start: usize, values: &mut Vec<(usize, Range<usize>)>) {
        for byte in &mut line[self.key.clone()] {
            match byte {
                b'/' => *byte = b'.',
                b'*' => *byte = b'_',
                _ => {}
            }
        }
        let Some(value) = &self.value else { return };
        let range = value.start + start..value.end + start;
        if !value.is_empty() {
            line[value.clone()].fill(b' ');
            line[value.start] = b'0';
            values.push((start + value.start, range));
        } else if self.equals > self.key.end && line[self.equals - 1].is_ascii() {
            // Nothing stands behind the equals sign; a space before it leaves room for a digit.
            line[self.equals - 1] = b'=';
            line[self.equals] = b'0';
            values.push((start + self.equals, range));
        }
    }
}

/// The quotes of the text over several lines that is still open behind `line`, if one is.
fn open_after(line: &str, mut open: Option<&'static str>) -> Option<&'static str> {
    let mut rest = line;
    loop {
        if let Some(quotes) = open {
            let Some(end) = rest.find(quotes) else { return open };
            rest = &rest[end + quotes.len()..];
        }
        rest = &rest[rest.find(['"', '\'', '#'])?..];
        open = ["\"\"\"", "'''"].into_iter().find(|quotes| rest.starts_with(quotes));
        match open {
            Some(quotes) => rest = &rest[quotes.len()..],
            None if rest.starts_with('#') => return None,
            None => rest = &rest[1 + closing(&rest[1..], &rest[..1])?..],
        }
    }
}

/// The byte behind the `quote` that ends a text on one line.
fn closing(text: &str, quote: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && text[at..].starts_with(quote) {
            return Some(at + 1);
        }
        escaped = c == '\\' && quote == "\"" && !escaped;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_toml_is_overwritten_and_no_byte_moves() {
        let text = "[host.a]\nnet.ipv4.ip_local_port_range = 1024\t65535 # wide\r\n\
                    net.ipv4.tcp_tw_reuse = 1\nnet/ipv4/tcp_fin_timeout=30\n";
        let pasted = pasted(text).unwrap();
        assert_eq!(
            pasted.toml,
            "[host.a]\nnet.ipv4.ip_local_port_range = 0          # wide\r\n\
             net.ipv4.tcp_tw_reuse = 1\nnet.ipv4.tcp_fin_timeout=30\n"
        );
        assert_eq!(&text[pasted.values[0].1.clone()], "1024\t65535");
    }

    #[test]
    fn a_value_of_nothing_finds_room_before_the_equals_sign() {
        let pasted = pasted("net.ipv4.ip_local_reserved_ports =\n").unwrap();
        assert_eq!(pasted.toml, "net.ipv4.ip_local_reserved_ports=0\n");
    }

    #[test]
    fn texts_over_several_lines_are_left_alone() {
        for text in [
            "sysctl = \"\"\"\nnet.ipv4.ip_local_port_range = 1 2\n\"\"\"\n",
            "sysctl = '''\n# one\nnet.ipv4.ip_local_port_range = 1 2\n'''\n",
            "a = \"it's\" # \"\"\"\nnet.ipv4.tcp_tw_reuse = 1\n",
            "net = 5\nports = 1 2\nnetwork.x = 1 2\n",
        ] {
            assert!(pasted(text).is_none(), "{text}");
        }
        let after = "a = '''x''' # '''\nb = \"\\\"'''\"\nnet.a = 1 2\n";
        assert_eq!(pasted(after).unwrap().toml, after.replace("1 2", "0  "));
    }
}
