//! What `Get-NetTCPConnection` and `Get-NetUDPEndpoint` say, as sockets.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use super::super::{NOBODY, Protocol, Socket, TcpState};

/// Lines of `LocalAddress,LocalPort,RemoteAddress,RemotePort,State,OwningProcess`, below a header.
///
/// A connection whose port the system chose is told twice, as bound and as what it is: of a port that
/// something else has, Bound is left out.
pub(super) fn tcp(text: &str) -> Result<Vec<Socket>, String> {
    let mut sockets = rows(text, |fields| {
        let [local, local_port, remote, remote_port, state, pid] = fields else { return None };
        let (local, remote) = (address(local, local_port)?, address(remote, remote_port)?);
        Some(socket(Protocol::Tcp, tcp_state(state)?, local, remote, pid))
    })?;
    let bound = |socket: &Socket| socket.state == TcpState::Bound;
    let others: HashSet<u16> =
        sockets.iter().filter(|socket| !bound(socket)).map(|socket| socket.local.port()).collect();
    sockets.retain(|socket| !bound(socket) || !others.contains(&socket.local.port()));
    Ok(sockets)
}

/// Lines of `LocalAddress,LocalPort,OwningProcess`, below a header.
pub(super) fn udp(text: &str) -> Result<Vec<Socket>, String> {
    rows(text, |fields| {
        let [local, port, pid] = fields else { return None };
        Some(socket(Protocol::Udp, TcpState::Closed, address(local, port)?, NOBODY, pid))
    })
}

/// All records below the header that `read` understands; an error when there are none of these but
/// others, or not even a header.
fn rows(text: &str, read: impl Fn(&[&str]) -> Option<Socket>) -> Result<Vec<Socket>, String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err("PowerShell says nothing".to_owned());
    }
    let records = csv::Reader::from_reader(text.as_bytes()).into_records();
    let (mut sockets, mut first_unknown) = (Vec::new(), None);
    for record in records {
        let record = record.map_err(|error| error.to_string())?;
        match read(&record.iter().collect::<Vec<_>>()) {
            Some(socket) => sockets.push(socket),
            None => first_unknown = first_unknown.or(Some(record)),
        }
    }
    match first_unknown {
        Some(record) if sockets.is_empty() => {
            let told: Vec<&str> = record.iter().collect();
            Err(format!("PowerShell says `{}`", told.join(",")))
        }
        _ => Ok(sockets.into_iter().filter(|socket| socket.local.port() != 0).collect()),
    }
}

fn socket(
    protocol: Protocol,
    state: TcpState,
    local: SocketAddr,
    remote: SocketAddr,
    pid: &str,
) -> Socket {
    // 0 is the idle process: nobody holds a TIME-WAIT.
    let pid = pid.parse().ok().filter(|&pid| pid != 0);
    Socket { pid, ..Socket::new(protocol, state, local, remote) }
}

/// The names of the cmdlet's enumeration, which are English everywhere.
fn tcp_state(name: &str) -> Option<TcpState> {
    match name {
        // "Delete the transmission control block": on its way out.
        "DeleteTCB" => Some(TcpState::Closed),
        _ => TcpState::parse(name),
    }
}

fn address(ip: &str, port: &str) -> Option<SocketAddr> {
    let ip: IpAddr = ip.split('%').next()?.parse().ok()?;
    Some(SocketAddr::new(ip, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "\
\"LocalAddress\",\"LocalPort\",\"RemoteAddress\",\"RemotePort\",\"State\",\"OwningProcess\"\r
\"::\",\"135\",\"::\",\"0\",\"Listen\",\"1092\"\r
\"fe80::d9a0:2b1e:5c3f:7a11%12\",\"139\",\"::\",\"0\",\"Listen\",\"4\"\r
\"0.0.0.0\",\"50312\",\"0.0.0.0\",\"0\",\"Bound\",\"7312\"\r
\"0.0.0.0\",\"50400\",\"0.0.0.0\",\"0\",\"Bound\",\"7312\"\r
\"192.168.0.7\",\"50312\",\"52.97.135.114\",\"443\",\"Established\",\"7312\"\r
\"192.168.0.7\",\"50313\",\"52.97.135.114\",\"443\",\"TimeWait\",\"0\"\r
\"192.168.0.7\",\"50314\",\"52.97.135.114\",\"443\",\"FinWait2\",\"7312\"\r
\"192.168.0.7\",\"50315\",\"52.97.135.114\",\"443\",\"DeleteTCB\",\"7312\"\r
";

    const UDP: &str = "\
\"LocalAddress\",\"LocalPort\",\"OwningProcess\"
\"::1\",\"1900\",\"5128\"
\"0.0.0.0\",\"5353\",\"2304\"
";

    #[test]
    fn every_state_and_address_of_the_cmdlet_is_understood() {
        let sockets = tcp(TCP).unwrap();
        let told: Vec<_> = sockets.iter().map(|s| (s.local.port(), s.state, s.pid)).collect();
        let expected = [
            (135, TcpState::Listen, Some(1092)),
            (139, TcpState::Listen, Some(4)),
            (50_400, TcpState::Bound, Some(7312)),
            (50_312, TcpState::Established, Some(7312)),
            (50_313, TcpState::TimeWait, None),
            (50_314, TcpState::FinWait2, Some(7312)),
            (50_315, TcpState::Closed, Some(7312)),
        ];
        assert_eq!(told, expected);
        assert_eq!(sockets[1].local, "[fe80::d9a0:2b1e:5c3f:7a11]:139".parse().unwrap());
        assert_eq!(sockets[3].remote, "52.97.135.114:443".parse().unwrap());
    }

    #[test]
    fn every_name_of_the_cmdlet_s_states_is_known() {
        let names = "Bound Closed CloseWait Closing DeleteTCB Established FinWait1 FinWait2 LastAck \
                     Listen SynReceived SynSent TimeWait";
        assert!(names.split_whitespace().all(|name| tcp_state(name).is_some()));
    }

    #[test]
    fn udp_endpoints_have_no_other_end() {
        let told: Vec<_> = udp(UDP).unwrap().iter().map(|s| (s.local.to_string(), s.pid)).collect();
        let expected =
            [("[::1]:1900".to_owned(), Some(5128)), ("0.0.0.0:5353".to_owned(), Some(2304))];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_header_alone_is_an_empty_list_and_silence_or_an_unknown_form_is_an_error() {
        assert_eq!(tcp(" \r\n").unwrap_err(), "PowerShell says nothing");
        assert_eq!(udp("\"LocalAddress\",\"LocalPort\",\"OwningProcess\"\r\n"), Ok(Vec::new()));
        let error = udp("\"A\",\"B\"\r\n\"1\",\"2\"\r\n").unwrap_err();
        assert_eq!(error, "PowerShell says `1,2`");
    }
}
