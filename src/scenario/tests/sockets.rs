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
}

#[test]
fn the_second_fin_follows_a_law() {
    let three = SimDuration::from_secs(3);
    let at_once = Distribution::Constant(SimDuration::ZERO);
    assert_eq!(client("").second_fin, at_once);
    assert_eq!(client("second_fin_after = \"3 s\"").second_fin, Distribution::Constant(three));
    let law = "second_fin_after = { distribution = \"exponential\", mean = \"3 s\" }";
    assert_eq!(client(law).second_fin, Distribution::Exponential { mean: three });
}

#[test]
fn a_client_may_choose_its_ports_itself() {
    let one = client("binds = { port = 40010 }\nreuse_address = true");
    assert_eq!((one.binds, one.socket.source_ports.ports()), (Binds::Port, &[40_010][..]));
    assert!(one.socket.reuse_address && !one.socket.reuse_port);
    let ten = client("binds = { ports = \"40000-40009\" }\nreuse_port = true");
    assert_eq!(ten.socket.source_ports.ports().len(), 10);
    assert!(ten.socket.reuse_port);
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
}

#[test]
fn a_preset_of_a_kernel_that_has_an_option_takes_it() {
    let range = "\"50000-50009\"";
    good(&format!("{SMALLEST}reuse_port = false\n[host.a]\npreset = \"freebsd\"\n"));
    good(&format!("{SMALLEST}port_range = {range}\n[host.a]\npreset = \"linux-6.6\"\n"));
}

#[test]
fn a_client_may_keep_to_one_source_address() {
    let two = good(&format!("{SMALLEST}address = 2\n[host.a]\naddresses = 3\n"));
    assert_eq!(two.world.hosts[0].clients[0].socket.address, Some(1));
    assert_eq!(client("").socket.address, None);
}
