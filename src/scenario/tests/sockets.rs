//! What a client sets on its sockets, how it comes by its ports, and how its connections end.

use super::good::SMALLEST;
use super::*;
use crate::model::{Binds, Client, Distribution, Ending, PortRange};
use crate::units::SimDuration;

/// The client of the smallest scenario, with `lines` in its table.
#[track_caller]
fn client(lines: &str) -> Client {
    good(&format!("{SMALLEST}{lines}\n")).world.hosts[0].clients.remove(0)
}

/// What is wrong with the one line of a client; `blamed` stands on it.
#[track_caller]
fn refused(line: &str, blamed: &str, message: &str, help: &str) {
    let column = line.rfind(blamed).unwrap() + 1;
    told(&bad(format!("{SMALLEST}{line}\n")), (4, column, blamed), message, help);
}

#[test]
fn every_way_to_end_has_its_words() {
    for (word, ending) in [
        ("half", Ending::Half),
        ("unread", Ending::Unread),
        ("server-reset", Ending::ServerReset),
        ("reset_server", Ending::ServerReset),
        ("reset", Ending::Reset),
        ("Client-Reset", Ending::Reset),
    ] {
        assert_eq!(client(&format!("closes = \"{word}\"")).closes, [(ending, 1.0)]);
        let closes = client(&format!("closes = {{ client = 1, {word} = 3 }}")).closes;
        assert_eq!(closes, [(Ending::Client, 1.0), (ending, 3.0)]);
    }
    refused("closes = \"rst\"", "\"rst\"", "not a value of closes", "`server-reset`");
    refused("closes = { halve = 1 }", "halve", "unknown key `halve`", "did you mean `half`?");
}

#[test]
fn the_second_fin_follows_a_law() {
    let three = SimDuration::from_secs(3);
    let at_once = Distribution::Constant(SimDuration::ZERO);
    assert_eq!(client("").second_fin, at_once);
    assert_eq!(client("second_fin_after = \"3 s\"").second_fin, Distribution::Constant(three));
    let law = "second_fin_after = { distribution = \"exponential\", mean = \"3 s\" }";
    assert_eq!(client(law).second_fin, Distribution::Exponential { mean: three });
    refused("second_fin_after = 3", "3", "second_fin_after = 3 has no unit", "\"3 s\"");
}

#[test]
fn a_client_may_choose_its_ports_itself() {
    let one = client("binds = { port = 40010 }\nreuse_address = true");
    assert_eq!((one.binds, one.socket.source_ports.ports()), (Binds::Port, &[40_010][..]));
    assert!(one.socket.reuse_address && !one.socket.reuse_port);
    let ten = client("binds = { ports = \"40000-40009\" }\nreuse_port = true");
    assert_eq!(ten.socket.source_ports.ports().len(), 10);
    assert!(ten.socket.reuse_port);
    refused("binds = 40010", "40010", "binds must be a word or a table", "{ port = 40010 }");
    refused("binds = { port = 0 }", "0", "port 0 cannot be used", "1 to 65535");
    refused("binds = {}", "{}", "binds names no port", "{ port = 40010 }");
    refused("binds = { ports = [] }", "[]", "binds names no port", "{ port = 40010 }");
    refused("binds = { prot = 1 }", "prot", "unknown key `prot`", "did you mean `port`?");
    refused("binds = { port = 1, ports = \"2\" }", "ports", "cannot both be given", "`ports`");
    refused("reuse_address = 1", "1", "must be true or false", "reuse_address = true");
}

#[test]
fn a_range_of_its_own_lies_inside_that_of_the_host() {
    let range = client("port_range = \"40010-40029\"").socket.port_range;
    assert_eq!(range, PortRange::new(40_010, 40_029));
    let warning = |range: &str| warned(&format!("{SMALLEST}port_range = \"{range}\"\n"));
    assert_eq!(warning("32768-60999"), "");
    assert!(warning("40010-65000").contains("40010-60999 remains"));
    assert!(warning("1000 40009").contains("32768-40009 remains"));
    let shown = warning("1000-2000");
    assert!(shown.contains("the whole range 32768-60999 remains"), "{shown}");
    assert!(shown.contains("write both ends from 32768 to 60999"), "{shown}");
    refused(
        "port_range = 40010",
        "40010",
        "must be a range in quotes",
        "port_range = \"32768-60999\"",
    );
}

#[test]
fn a_range_for_a_port_that_is_named_makes_no_sense() {
    let text = format!("{SMALLEST}binds = {{ port = 40010 }}\nport_range = \"40010-40029\"\n");
    let message = "`port_range` says nothing where `binds` names the port";
    told(&bad(text), (5, 14, "\"40010-40029\""), message, "keep one of them");
}

#[test]
fn socket_options_of_linux_are_refused_where_they_are_not() {
    let on = |preset: &str, line: &str| {
        bad(format!("{SMALLEST}{line}\n[host.a]\npreset = \"{preset}\"\n"))
    };
    let range = "\"50000-50009\"";
    let problems = on("macos", &format!("port_range = {range}"));
    let message = "IP_LOCAL_PORT_RANGE is modelled for Linux only";
    told(&problems, (4, 14, range), message, "the host has preset = \"macos\"");
    let problems = on("windows", "reuse_address = true");
    told(&problems, (4, 17, "true"), "what SO_REUSEADDR does to ports", "take it out");
    let problems = on("linux-5.15", &format!("port_range = {range}"));
    let message = "Linux 5.15 has no IP_LOCAL_PORT_RANGE: it came with 6.3";
    told(&problems, (4, 14, range), message, "newer kernel");
    good(&format!("{SMALLEST}reuse_port = false\n[host.a]\npreset = \"freebsd\"\n"));
    good(&format!("{SMALLEST}port_range = {range}\n[host.a]\npreset = \"linux-6.6\"\n"));
}

#[test]
fn a_client_may_keep_to_one_source_address() {
    let two = good(&format!("{SMALLEST}address = 2\n[host.a]\naddresses = 3\n"));
    assert_eq!(two.world.hosts[0].clients[0].socket.address, Some(1));
    assert_eq!(client("").socket.address, None);
    refused("address = 2", "2", "address = 2 is not possible", "from 1 to 1");
    refused("address = 0", "0", "address = 0 is not possible", "from 1 to 1");
}

/// A stationary start, with one line of a client and one of a host or a destination.
#[track_caller]
fn no_steady_state(client: &str, around: &str, blamed: &str, reason: &str) {
    let text =
        format!("{SMALLEST}{client}\n[run]\nstart = \"stationary\"\n[host.a]\n[destination.d]\n");
    let text = match around.split_once(' ') {
        Some((table, line)) => text.replace(&format!("[{table}]"), &format!("[{table}]\n{line}")),
        None => text,
    };
    let problems = bad(&text);
    assert_eq!(problems.len(), 1, "{problems}");
    let problem = problems.iter().next().unwrap();
    assert_eq!(problems.place(problem).unwrap().text, blamed, "{problems}");
    let message = problem.message();
    assert!(message.starts_with("a stationary start is not possible: "), "{message}");
    assert!(message.contains(reason), "{message}");
    good(&text.replace("stationary", "empty"));
}

#[test]
fn a_stationary_start_is_refused_where_the_state_is_not_laid_out_in_advance() {
    no_steady_state("closes = \"half\"", "", "\"half\"", "half closed");
    no_steady_state("second_fin_after = \"1 s\"", "", "\"1 s\"", "between its two FINs");
    no_steady_state("binds = { port = 1 }", "", "{ port = 1 }", "chooses its ports");
    let reuse = "binds = \"bind\"\nreuse_address = true";
    no_steady_state(reuse, "host.a ip_autobind_reuse = 1", "true", "share ports at random");
    no_steady_state("", "destination.d answers = false", "[client.fetcher]", "`d` are never");
    let limit = "host.a tcp_max_tw_buckets = 9";
    no_steady_state("", limit, "[client.fetcher]", "depends on all others");
}
