//! The system's own word for who has a port, so that nobody needs to believe ours.

/// A family of systems, by its tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tools {
    Linux,
    Mac,
    Windows,
    Bsd,
    Other,
}

const fn tools() -> Tools {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        Tools::Linux
    } else if cfg!(target_os = "macos") {
        Tools::Mac
    } else if cfg!(windows) {
        Tools::Windows
    } else if cfg!(target_os = "freebsd") {
        Tools::Bsd
    } else {
        Tools::Other
    }
}

/// The command of this system that shows which sockets have `port` as their own, and whose they are.
///
/// On Linux `ss` of all states, TCP and UDP, with the processes that the caller may see. On macOS
/// `lsof`, which knows no TIME-WAIT, for no process holds one. On Windows PowerShell's, for TCP;
/// `netstat -ano` has UDP too.
///
/// ```
/// assert!(portsim::inspect::own_command(60_103).contains("60103"));
/// ```
#[must_use]
pub fn own_command(port: u16) -> String {
    command(tools(), port)
}

fn command(tools: Tools, port: u16) -> String {
    match tools {
        Tools::Linux => format!("ss -tuanp 'sport = :{port}'"),
        Tools::Mac => format!("lsof -nP -i :{port}"),
        Tools::Windows => format!("Get-NetTCPConnection -LocalPort {port}"),
        Tools::Bsd => format!("sockstat -46 -p {port}"),
        Tools::Other => format!("netstat -an | grep {port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_is_asked_in_its_own_words() {
        assert_eq!(command(Tools::Linux, 60_103), "ss -tuanp 'sport = :60103'");
        assert_eq!(command(Tools::Mac, 60_103), "lsof -nP -i :60103");
        assert_eq!(command(Tools::Windows, 60_103), "Get-NetTCPConnection -LocalPort 60103");
        assert_eq!(command(Tools::Bsd, 60_103), "sockstat -46 -p 60103");
        assert_eq!(command(Tools::Other, 60_103), "netstat -an | grep 60103");
    }

    #[test]
    fn this_system_is_known() {
        assert!(own_command(1).contains('1'));
        if cfg!(target_os = "linux") {
            assert_eq!(tools(), Tools::Linux);
        }
    }
}
