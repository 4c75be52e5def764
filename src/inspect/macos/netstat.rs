//! What `netstat -anvl` of macOS prints, as sockets.
//!
//! The columns behind the state changed with releases (network_cmds netstat.tproj): `rhiwat shiwat pid
//! epid ...` up to macOS 15.0, then `rxbytes txbytes` before them, and since macOS 26 `process:pid`, where a
//! process may have spaces in its name. What comes behind the process number is one word a column in all of
//! them, so the number is counted from the end of the line, as far as the header has it from its own end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::{Protocol, Socket, TcpState};

/// All sockets of `protocol` in `text`.
///
/// Lines of a form that is not known are left out; when there are no others, that is an error.
pub(super) fn sockets(text: &str, protocol: Protocol) -> Result<Vec<Socket>, String> {
    let prefix = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let behind_pid = text.lines().find_map(columns_behind_pid);
    let (mut sockets, mut first_unknown) = (Vec::new(), None);
    for line in text.lines().filter(|line| line.starts_with(prefix)) {
        match row(line, protocol, behind_pid) {
            Some(socket) => sockets.push(socket),
            None => first_unknown = first_unknown.or(Some(line)),
        }
    }
    match first_unknown {
        Some(line) if sockets.is_empty() => Err(format!("netstat says `{}`", line.trim())),
        // A socket that has no port takes none.
        _ => Ok(sockets.into_iter().filter(|socket| socket.local.port() != 0).collect()),
    }
}

/// How many columns stand behind the one with the process number, if `line` is the header.
fn columns_behind_pid(line: &str) -> Option<usize> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let place = words.iter().position(|word| *word == "pid" || *word == "process:pid")?;
    (words.first() == Some(&"Proto")).then(|| words.len() - 1 - place)
}

fn row(line: &str, protocol: Protocol, behind_pid: Option<usize>) -> Option<Socket> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [family, _, _, local, remote, rest @ ..] = words.as_slice() else { return None };
    // `tcp46` takes both kinds of addresses, as an IPv6 socket does.
    let anywhere = match *family {
        "tcp4" | "udp4" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let (local, remote) = (address(local, anywhere)?, address(remote, anywhere)?);
    let state = match protocol {
        Protocol::Tcp => tcp_state(rest.first()?, remote)?,
        Protocol::Udp if remote.port() != 0 => TcpState::Established,
        Protocol::Udp => TcpState::Closed,
    };
    let mut socket = Socket::new(protocol, state, local, remote);
    // The kernel remembers who had a TIME-WAIT last; nobody holds it.
    if state != TcpState::TimeWait {
        socket.pid = behind_pid.and_then(|columns| pid(rest, columns));
    }
    Some(socket)
}

/// The state; a socket that was bound and neither listens nor connects is told as CLOSED.
fn tcp_state(word: &str, remote: SocketAddr) -> Option<TcpState> {
    Some(match TcpState::parse(word)? {
        TcpState::Closed if remote.port() == 0 => TcpState::Bound,
        state => state,
    })
}

/// The number in `72`, `nginx:72` or, of a process that is gone, `:72`.
fn pid(rest: &[&str], columns_behind: usize) -> Option<u32> {
    let word = rest.iter().rev().nth(columns_behind)?;
    word.rsplit(':').next()?.parse().ok().filter(|&pid| pid != 0)
}

/// `10.0.0.2.51512`, `*.22`, `*.*`, `::1.631`, `fe80::1%lo0.80`: the port stands behind the last dot.
fn address(text: &str, anywhere: IpAddr) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once('.')?;
    let host = host.split('%').next()?;
    let ip = if host == "*" { anywhere } else { host.parse().ok()? };
    let port = if port == "*" { 0 } else { port.parse().ok()? };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// macOS 10.14.
    const OLD: &str = "\
Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address                                 Foreign Address                               (state)     rhiwat shiwat    pid   epid  state    options
tcp4       0      0  192.168.1.191.52044                           31.13.66.35.443                               ESTABLISHED 131072 131860   9811      0 0x0102 0x00000008
tcp4      24      0  192.168.1.191.52040                           140.82.114.4.443                              CLOSE_WAIT  131072 132432   9811      0 0x0122 0x00000008
tcp46      0      0  *.8082                                        *.*                                           LISTEN      131072 131072  70902      0 0x0100 0x00000006
tcp6       0      0  ::1.631                                       *.*                                           LISTEN      131072 131072    412      0 0x0100 0x00000006
tcp4       0      0  127.0.0.1.60103                               *.*                                           CLOSED      131072 131072    977      0 0x0000 0x00000000
tcp4       0      0  *.*                                           *.*                                           CLOSED      131072 131072    977      0 0x0000 0x00000000
tcp4       0      0  192.168.1.191.52001                           140.82.114.4.443                              TIME_WAIT   131072 131072   9811      0 0x2031 0x00000000
";

    /// macOS 15.1.
    const MIDDLE: &str = "\
Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address                                 Foreign Address                               (state)          rxbytes      txbytes  rhiwat  shiwat    pid   epid state  options           gencnt    flags   flags1 usscnt rtncnt fltrs
tcp4       0    126  192.168.1.233.52137                           34.117.41.85.443                              ESTABLISHED         9026          316  131072  131600   2903      0 00102 00000000 00000000023c645f 20000081 04000900      2      0 000004
tcp6       0      0  fe80::1c2b:3a4d:5e6f:7a8b%utun10.51234        fe80::aede:48ff:fe33:4455%utun10.443          SYN_SENT               0            0  131072  131600   2904      0 00102 00000000 00000000023c645f 20000081 04000900      2      0 000004
";

    /// macOS 26.
    const NEW: &str = "\
Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address                                 Foreign Address                               (state)          rxbytes      txbytes  rhiwat  shiwat          process:pid    state  options           gencnt    flags   flags1 usecnt rtncnt fltrs
tcp4       0      0  127.0.0.1.49515                               127.0.0.1.49472                               ESTABLISHED       118268        40208  408008  146988  Autodesk Fusion:22712  00002 00000000 000000000025c5ff 00000081 04000800      3      0 000000
tcp4       0      0  10.0.0.2.51512                                10.0.0.9.443                                  FIN_WAIT_2            12           34  131072  131072                 :56486  00002 00000000 000000000025c5fe 00000081 04000800      3      0 000000
tcp6       0      0  2001:db8:4041:4133:1234:5678:9abc:def0.58881  2001:db8:4860:4847::4.443                     TIME_WAIT             12           34  131072  131072          Safari:600    00102 00000000 000000000025c5fd 00000081 04000800      3      0 000000
";

    const UDP: &str = "\
Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address                                 Foreign Address                               (state)          rxbytes      txbytes  rhiwat  shiwat          process:pid    state  options           gencnt    flags   flags1 usecnt rtncnt fltrs
udp4       0      0  *.5353                                        *.*                                                            258           99  786896    9216              adb:21865  00100 00000204 000000000005b823 00000001 04000800      1      0 000002
udp46      0      0  *.137                                         *.*                                                            258           99  786896    9216         netbiosd:321    00100 00000204 000000000005b823 00000001 04000800      1      0 000002
udp4       0      0  192.168.0.105.64161                           108.177.119.95.443                                           13398         5574 1048576   29040 Brave Browser He:855    00102 00000000 000000000005b699 00000000 04200900      1      0 000002
udp4       0      0  *.*                                           *.*                                                              0            0  786896    9216           syslogd:130   00000 00000000 000000000005b699 00000000 04200900      1      0 000002
";

    /// Local and remote address, state, process number.
    type Told = (String, String, TcpState, Option<u32>);

    fn told(text: &str, protocol: Protocol) -> Vec<Told> {
        let sockets = sockets(text, protocol).unwrap();
        let told = |socket: &Socket| {
            (socket.local.to_string(), socket.remote.to_string(), socket.state, socket.pid)
        };
        sockets.iter().map(told).collect()
    }

    fn line(local: &str, remote: &str, state: TcpState, pid: Option<u32>) -> Told {
        (local.to_owned(), remote.to_owned(), state, pid)
    }

    #[test]
    fn old_releases_have_the_process_number_in_a_column_of_its_own() {
        use TcpState::{Bound, CloseWait, Established, Listen, TimeWait};
        let expected = [
            line("192.168.1.191:52044", "31.13.66.35:443", Established, Some(9811)),
            line("192.168.1.191:52040", "140.82.114.4:443", CloseWait, Some(9811)),
            line("[::]:8082", "[::]:0", Listen, Some(70_902)),
            line("[::1]:631", "[::]:0", Listen, Some(412)),
            line("127.0.0.1:60103", "0.0.0.0:0", Bound, Some(977)),
            line("192.168.1.191:52001", "140.82.114.4:443", TimeWait, None),
        ];
        assert_eq!(told(OLD, Protocol::Tcp), expected);
    }

    #[test]
    fn zones_and_byte_counts_do_not_confuse_the_columns() {
        let (here, there) =
            ("[fe80::1c2b:3a4d:5e6f:7a8b]:51234", "[fe80::aede:48ff:fe33:4455]:443");
        let expected = [
            line("192.168.1.233:52137", "34.117.41.85:443", TcpState::Established, Some(2903)),
            line(here, there, TcpState::SynSent, Some(2904)),
        ];
        assert_eq!(told(MIDDLE, Protocol::Tcp), expected);
    }

    #[test]
    fn a_process_with_a_space_in_its_name_and_one_without_a_name_have_their_numbers() {
        let here = "[2001:db8:4041:4133:1234:5678:9abc:def0]:58881";
        let expected = [
            line("127.0.0.1:49515", "127.0.0.1:49472", TcpState::Established, Some(22_712)),
            line("10.0.0.2:51512", "10.0.0.9:443", TcpState::FinWait2, Some(56_486)),
            line(here, "[2001:db8:4860:4847::4]:443", TcpState::TimeWait, None),
        ];
        assert_eq!(told(NEW, Protocol::Tcp), expected);
    }

    #[test]
    fn udp_has_no_state_and_one_without_a_port_is_left_out() {
        let expected = [
            line("0.0.0.0:5353", "0.0.0.0:0", TcpState::Closed, Some(21_865)),
            line("[::]:137", "[::]:0", TcpState::Closed, Some(321)),
            line("192.168.0.105:64161", "108.177.119.95:443", TcpState::Established, Some(855)),
        ];
        assert_eq!(told(UDP, Protocol::Udp), expected);
        assert_eq!(sockets(UDP, Protocol::Tcp), Ok(Vec::new()));
    }

    #[test]
    fn a_list_without_process_numbers_still_tells_the_ports() {
        let text = "\
Proto Recv-Q Send-Q  Local Address  Foreign Address  (state)
tcp4       0      0  10.0.0.2.51512         10.0.0.9.443           ESTABLISHED
";
        let expected = [line("10.0.0.2:51512", "10.0.0.9:443", TcpState::Established, None)];
        assert_eq!(told(text, Protocol::Tcp), expected);
    }

    #[test]
    fn a_list_of_nothing_is_empty_and_one_that_nobody_understands_is_an_error() {
        assert_eq!(sockets("", Protocol::Tcp), Ok(Vec::new()));
        let error = sockets("tcp4 0 0 in some new way\n", Protocol::Tcp).unwrap_err();
        assert_eq!(error, "netstat says `tcp4 0 0 in some new way`");
    }
}
