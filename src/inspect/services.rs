//! Which service a port number stands for: the machine's own `services` file, else a small table.

use std::env;
use std::path::PathBuf;

use super::Protocol;

/// An excerpt of IANA's registry, for machines without a file of their own.
const EXCERPT: &str = include_str!("services.tsv");

/// The name of a service, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// As registered: `https`.
    pub name: String,
    /// The file that has it, or the registry's excerpt within this program.
    pub source: String,
}

/// The service that `port` stands for on this machine.
///
/// A name says what the port is meant for, never who uses it.
///
/// ```
/// use portsim::inspect::{Protocol, service};
/// assert_eq!(service(443, Protocol::Tcp).unwrap().name, "https");
/// ```
#[must_use]
pub fn service(port: u16, protocol: Protocol) -> Option<Service> {
    let path = own_file();
    // Some systems' files are not UTF-8; names are ASCII all the same.
    let text = std::fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let own = text.ok().and_then(|text| in_file(&text, port, protocol).map(str::to_owned));
    own.map(|name| Service { name, source: path.display().to_string() }).or_else(|| {
        let name = in_excerpt(EXCERPT, port, protocol)?.to_owned();
        Some(Service { name, source: "IANA's registry (excerpt)".to_owned() })
    })
}

fn own_file() -> PathBuf {
    if cfg!(windows) {
        let root = env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
        PathBuf::from(root).join(r"System32\drivers\etc\services")
    } else {
        PathBuf::from("/etc/services")
    }
}

/// The first name that `text`, in the format of `services(5)`, has for `port`.
fn in_file(text: &str, port: u16, protocol: Protocol) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut fields = line.split('#').next()?.split_whitespace();
        let name = fields.next()?;
        let (number, suffix) = fields.next()?.split_once('/')?;
        (number.parse() == Ok(port) && suffix.eq_ignore_ascii_case(suffix_of(protocol)))
            .then_some(name)
    })
}

/// The name that lines of `port, protocols, name` have for `port`.
fn in_excerpt(table: &str, port: u16, protocol: Protocol) -> Option<&str> {
    table.lines().find_map(|line| {
        let mut fields = line.split('\t');
        let number = fields.next()?;
        let mut suffixes = fields.next()?.split(',');
        let fits =
            number.parse() == Ok(port) && suffixes.any(|suffix| suffix == suffix_of(protocol));
        fields.next().filter(|_| fits)
    })
}

const fn suffix_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PortClass, class};
    use super::*;

    const FILE: &str = "\
# Network services, Internet style
ssh\t\t22/tcp\t\t\t# SSH Remote Login Protocol
#gone\t\t22/udp
domain          53/tcp                          # Domain Name Server
domain\t\t53/UDP
www 80/tcp http # WorldWideWeb HTTP
broken
";

    #[test]
    fn a_services_file_is_read_by_port_and_protocol() {
        assert_eq!(in_file(FILE, 22, Protocol::Tcp), Some("ssh"));
        assert_eq!(in_file(FILE, 22, Protocol::Udp), None);
        assert_eq!(in_file(FILE, 53, Protocol::Udp), Some("domain"));
        assert_eq!(in_file(FILE, 80, Protocol::Tcp), Some("www"));
        assert_eq!(in_file(FILE, 8, Protocol::Tcp), None);
    }

    #[test]
    fn the_excerpt_is_well_formed_rises_and_has_one_name_a_port_and_protocol() {
        let mut seen = std::collections::BTreeSet::new();
        let mut last = 0;
        for line in EXCERPT.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [port, suffixes, name] = fields[..] else { panic!("three fields: {line}") };
            let port: u16 = port.parse().expect(line);
            assert!(port >= last, "{line}");
            last = port;
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
            assert_ne!(class(port), PortClass::Dynamic, "never assigned: {line}");
            for suffix in suffixes.split(',') {
                assert!(["tcp", "udp"].contains(&suffix), "{line}");
                assert!(seen.insert((port, suffix)), "twice: {line}");
            }
        }
        assert!(seen.len() > 200);
    }

    #[test]
    fn the_excerpt_knows_what_people_meet_and_what_linux_gives_to_connections() {
        assert_eq!(in_excerpt(EXCERPT, 5432, Protocol::Tcp), Some("postgresql"));
        assert_eq!(in_excerpt(EXCERPT, 40_000, Protocol::Tcp), Some("safetynetp"));
        assert_eq!(in_excerpt(EXCERPT, 53, Protocol::Udp), Some("domain"));
        assert_eq!(in_excerpt(EXCERPT, 60_103, Protocol::Tcp), None);
    }
}
