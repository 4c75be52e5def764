//! What `tasklist /fo csv /nh` prints, as processes.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Process, Socket};

/// Those that hold one of `sockets`. Whose they are would take `/v`, which takes seconds.
pub(super) fn processes(text: &str, sockets: &[Socket]) -> BTreeMap<u32, Process> {
    let wanted: BTreeSet<u32> = sockets.iter().filter_map(|socket| socket.pid).collect();
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let parsed = reader.records().filter_map(|record| {
        let record = record.ok()?;
        let pid = record.get(1)?.parse().ok()?;
        Some(Process { pid, name: record.get(0)?.to_owned(), user: None })
    });
    parsed.filter(|process| wanted.contains(&process.pid)).map(|p| (p.pid, p)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::{NOBODY, Protocol, TcpState};
    use super::*;

    #[test]
    fn a_process_has_its_image_s_name_whatever_the_language_of_the_rest() {
        let text = "\
\"System Idle Process\",\"0\",\"Services\",\"0\",\"8 K\"\r
\"svchost.exe\",\"1092\",\"Services\",\"0\",\"14,204 K\"\r
\"My, App.exe\",\"7312\",\"Console\",\"1\",\"142.204 K\"\r
";
        let local = "127.0.0.1:60103".parse().unwrap();
        let socket = Socket::new(Protocol::Tcp, TcpState::Listen, local, NOBODY);
        let held = [Some(7312), Some(99), None].map(|pid| Socket { pid, ..socket });
        let told = processes(text, &held);
        assert_eq!(told.len(), 1);
        assert_eq!(told[&7312].name, "My, App.exe");
    }
}
