//! Windows, read through its own commands.
//!
//! Sockets come from PowerShell's `Get-NetTCPConnection` and not from `GetExtendedTcpTable` through a
//! crate, nor from `netstat -ano`. The table of that function leaves out ports that are bound and not
//! connected, which is what ports become after TIME-WAIT when a program has not closed its socket:
//! Microsoft's page "Troubleshoot port exhaustion issues" sends people to `netstat -q` and to this cmdlet
//! for them. And `netstat` writes states in the language of the system. What the commands print is turned
//! into our types by functions of text alone, which are tested everywhere.

use std::env;
use std::path::PathBuf;

use super::command::printed;
use super::{Owners, Protocol, Socket, System, Unreadable};

mod processes;
mod settings;
mod table;

/// Columns by name, whose names and values are translated nowhere.
const TCP: &str = "Get-NetTCPConnection | Select-Object LocalAddress,LocalPort,RemoteAddress,\
                   RemotePort,State,OwningProcess | ConvertTo-Csv -NoTypeInformation";
const UDP: &str = "Get-NetUDPEndpoint | Select-Object LocalAddress,LocalPort,OwningProcess | \
                   ConvertTo-Csv -NoTypeInformation";
const REUSE: &str = "Get-NetTCPSetting -SettingName Internet | Select-Object \
                     AutoReusePortRangeStartPort,AutoReusePortRangeNumberOfPorts | \
                     ConvertTo-Csv -NoTypeInformation";
const PARAMETERS: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";

pub(super) fn system() -> Result<System, Unreadable> {
    let what = "the dynamic range of ports";
    let netsh = |show: [&str; 2]| {
        printed(what, &tool("netsh.exe"), &["int", "ipv4", "show", show[0], show[1]])
    };
    let query = ["query", PARAMETERS, "/v", settings::TIMED_WAIT_DELAY];
    let answers = settings::Answers {
        version: printed("the release", &tool("cmd.exe"), &["/c", "ver"]).unwrap_or_default(),
        dynamic: netsh(["dynamicport", "tcp"])?,
        excluded: netsh(["excludedportrange", "protocol=tcp"]).unwrap_or_default(),
        timed_wait_delay: printed("a setting", &tool("reg.exe"), &query).unwrap_or_default(),
        reuse: powershell("a setting", REUSE).unwrap_or_default(),
    };
    settings::system(&answers).map_err(|why| Unreadable { what: what.to_owned(), why })
}

/// Nothing that is counted is read.
pub(super) fn active_opens() -> Option<u64> {
    None
}

pub(super) fn sockets(protocol: Protocol) -> Result<Vec<Socket>, Unreadable> {
    let what = format!("the list of {protocol} sockets");
    let (command, read): (_, fn(&str) -> _) = match protocol {
        Protocol::Tcp => (TCP, table::tcp),
        Protocol::Udp => (UDP, table::udp),
    };
    read(&powershell(&what, command)?).map_err(|why| Unreadable { what, why })
}

pub(super) fn owners(sockets: &[Socket]) -> Owners {
    let text = printed("the processes", &tool("tasklist.exe"), &["/fo", "csv", "/nh"]);
    let by_pid = processes::processes(&text.unwrap_or_default(), sockets);
    Owners { by_pid, ..Owners::default() }
}

/// Windows has no numbers of users, and its lists of sockets tell none.
pub(super) fn user(_: u32) -> Option<String> {
    None
}

fn powershell(what: &str, command: &str) -> Result<String, Unreadable> {
    let program = tool(r"WindowsPowerShell\v1.0\powershell.exe");
    printed(what, &program, &["-NoProfile", "-NonInteractive", "-Command", command])
}

/// A program of the system's own folder, whatever else a search of the path would find.
fn tool(name: &str) -> PathBuf {
    let root = env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    PathBuf::from(root).join("System32").join(name)
}
