//! Which format it is, from its first lines.

use super::csv_columns::Columns;
use super::tally::excerpt as of_bytes;
use super::{conntrack, csv_columns, netstat, ss, vpc};

/// A format of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Zeek's conn.log, tab-separated or JSON lines.
    Zeek,
    /// VPC flow logs of AWS.
    Vpc,
    /// `ss -tan`.
    Ss,
    /// `netstat -an`.
    Netstat,
    /// `conntrack -L`.
    Conntrack,
    /// Columns under a header.
    Csv,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Zeek, Self::Vpc, Self::Ss, Self::Netstat, Self::Conntrack, Self::Csv];

    /// As `--kind` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zeek => "zeek",
            Self::Vpc => "vpc",
            Self::Ss => "ss",
            Self::Netstat => "netstat",
            Self::Conntrack => "conntrack",
            Self::Csv => "csv",
        }
    }

    /// What it is, in words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Zeek => "Zeek conn.log",
            Self::Vpc => "VPC flow log",
            Self::Ss => "output of ss",
            Self::Netstat => "output of netstat -an",
            Self::Conntrack => "output of conntrack -L",
            Self::Csv => "CSV",
        }
    }

    /// Does it tell one moment, and not what happened over time?
    #[must_use]
    pub const fn is_snapshot(self) -> bool {
        matches!(self, Self::Ss | Self::Netstat | Self::Conntrack)
    }
}

/// First bytes of packed files, and what unpacks them to stdout.
const PACKERS: [(&[u8], &str, &str); 4] = [
    (b"\x1f\x8b", "gzip", "zcat"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstdcat"),
    (b"\xfd7zXZ\0", "xz", "xzcat"),
    (b"BZh", "bzip2", "bzcat"),
];

/// Is it packed, and what unpacks it?
pub(super) fn packed(head: &[u8]) -> Option<(&'static str, &'static str)> {
    PACKERS.iter().find(|(magic, ..)| head.starts_with(magic)).map(|&(_, name, by)| (name, by))
}

/// The format, from some lines that say something.
pub(super) fn detect(head: &[u8], columns: &Columns) -> Option<Kind> {
    if columns.are_given() {
        return Some(Kind::Csv);
    }
    let lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let mut first = None;
    for line in lines.filter(|line| !line.is_empty()).take(20) {
        let line = String::from_utf8_lossy(line);
        let zeek = ["#separator", "#set_separator", "#fields", "#path"];
        if zeek.iter().any(|start| line.starts_with(start))
            || (line.starts_with('{') && line.contains("\"id.orig_h\""))
        {
            return Some(Kind::Zeek);
        }
        if vpc::is_one(&line) {
            return Some(Kind::Vpc);
        }
        if conntrack::is_one(&line) {
            return Some(Kind::Conntrack);
        }
        if netstat::is_one(&line) {
            return Some(Kind::Netstat);
        }
        if ss::is_one(&line) {
            return Some(Kind::Ss);
        }
        first = first.or(Some(line));
    }
    first.filter(|line| csv_columns::is_header(line)).map(|_| Kind::Csv)
}

/// How it begins, for a message.
pub(super) fn excerpt(head: &[u8]) -> String {
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    of_bytes(lines.find(|line| !line.is_empty()).unwrap_or_default(), 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_told_from_its_first_lines() {
        let none = Columns::default();
        for (head, kind) in [
            ("#separator \\x09\n#fields\tts\n", Some(Kind::Zeek)),
            ("{\"ts\":1.5,\"uid\":\"C\",\"id.orig_h\":\"10.0.0.1\"}\n", Some(Kind::Zeek)),
            (
                "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 \
                 1418530010 1418530070 ACCEPT OK\n",
                Some(Kind::Vpc),
            ),
            ("version srcaddr dstaddr srcport dstport start end protocol\n", Some(Kind::Vpc)),
            ("State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n", Some(Kind::Ss)),
            ("TIME-WAIT 0 0 10.0.0.1:40000 10.0.0.5:443\n", Some(Kind::Ss)),
            (
                "tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 \
                 dst=10.0.0.1 sport=2 dport=1 [ASSURED] mark=0 use=1\n",
                Some(Kind::Conntrack),
            ),
            ("start,src,dst,dport\n", Some(Kind::Csv)),
            ("Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n", Some(Kind::Ss)),
            ("0 0 192.0.2.10:40001 198.51.100.7:443\n", Some(Kind::Ss)),
            ("tcp ESTAB 0 0 10.0.0.1:40000 10.0.0.5:443\n", Some(Kind::Ss)),
            (
                "Active Connections\n\n  Proto  Local Address  Foreign Address  State\n",
                Some(Kind::Netstat),
            ),
            ("tcp4 0 0 192.0.2.10.49170 198.51.100.7.443 TIME_WAIT\n", Some(Kind::Netstat)),
            (
                "2026-07-18T17:27:03.000Z 2 123456789012 eni-0a1b 192.0.2.10 198.51.100.7 40001 443 6 20 \
                 4249 1468862800 1468862823 ACCEPT OK\n",
                Some(Kind::Vpc),
            ),
            (
                "\"srcaddr\",\"dstaddr\",\"srcport\",\"dstport\",\"protocol\",\"start\",\"end\"\n",
                Some(Kind::Vpc),
            ),
            ("\n\n#path\tconn\n", Some(Kind::Zeek)),
            ("Dear sir, or madam\n", None),
            ("\0\0\0", None),
        ] {
            assert_eq!(detect(head.as_bytes(), &none), kind, "{head}");
        }
    }

    #[test]
    fn packed_files_are_known_by_their_first_bytes() {
        assert_eq!(packed(b"\x1f\x8b\x08\0"), Some(("gzip", "zcat")));
        assert_eq!(packed(b"#fields"), None);
    }
}
