//! `portsim inspect` against sockets that are known, because the test has opened them: each in a network
//! namespace of its own, over loopback. Where none can be made the tests say so and pass.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, socket};
use portsim::testbed::{Failure, apart};
use serde_json::Value;

/// Ports 40000 to 40999, no reserved ones, TIME-WAIT never taken over.
const LOW: u16 = 40_000;
const PORTS: u64 = 1_000;

/// Does `work` in a namespace with a range of a thousand ports; says aloud why not where that cannot be.
fn in_a_namespace(test: &str, work: impl FnOnce() + Send) {
    let prepared = apart(|| {
        sysctl("ip_local_port_range", "40000 40999");
        sysctl("tcp_tw_reuse", "0");
        work();
    });
    match prepared {
        Ok(()) => {}
        Err(Failure::NotHere(not_here)) => {
            say(&format!("skipped: {test}: {not_here}; {}", not_here.help()));
        }
        Err(failure) => panic!("{test}: {failure}"),
    }
}

/// Not by `eprintln!`, of which nobody hears when the test passes.
fn say(words: &str) {
    io::stderr().write_all(format!("{words}\n").as_bytes()).expect("stderr is open");
}

fn sysctl(name: &str, value: &str) {
    fs::write(format!("/proc/sys/net/ipv4/{name}"), value).unwrap();
}

/// The program, as anybody would start it.
fn inspect(arguments: &[&str]) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_portsim"));
    process.arg("inspect").args(arguments);
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        process.env_remove(variable);
    }
    process.env("COLUMNS", "160");
    process
}

fn ended(arguments: &[&str]) -> Output {
    inspect(arguments).output().unwrap()
}

fn told(arguments: &[&str]) -> String {
    let output = ended(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn document(arguments: &[&str]) -> Value {
    serde_json::from_str(&told(arguments)).unwrap()
}

/// A server that keeps both ends of each connection.
struct Server {
    listener: TcpListener,
    address: SocketAddr,
    held: Vec<(TcpStream, TcpStream)>,
}

impl Server {
    fn at(address: Ipv4Addr, port: u16) -> Self {
        let listener = TcpListener::bind((address, port)).unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address, held: Vec::new() }
    }

    fn connect(&mut self) -> io::Result<u16> {
        let client = TcpStream::connect(self.address)?;
        let port = client.local_addr()?.port();
        self.held.push((client, self.listener.accept()?.0));
        Ok(port)
    }

    /// The client closes first: its port goes into TIME-WAIT.
    fn connect_and_close(&mut self) -> io::Result<()> {
        self.connect()?;
        self.close(self.held.len() - 1);
        Ok(())
    }

    /// Closes the client's end, and the server's once it has heard of it: of two that close at the same time
    /// either can be left with the TIME-WAIT.
    fn close(&mut self, index: usize) {
        let (client, mut server) = self.held.remove(index);
        drop(client);
        assert_eq!(server.read(&mut [0]).unwrap(), 0, "the end is all that comes");
    }
}

/// Waits until the kernel's own table has only sockets in these states (as include/net/tcp_states.h numbers
/// them): FINs and their answers are delivered in its own time.
fn settle(states: &[&str]) {
    let moving = || {
        let table = fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
        let now = table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(3));
        now.filter(|state| !states.contains(state)).count()
    };
    let start = Instant::now();
    while moving() > 0 {
        assert!(start.elapsed() < Duration::from_secs(5), "connections stay on their way");
        thread::sleep(Duration::from_millis(5));
    }
}

const ESTABLISHED: &str = "01";
const FIN_WAIT_2: &str = "05";
const TIME_WAIT: &str = "06";
const CLOSE_WAIT: &str = "08";
const LISTEN: &str = "0A";

const API: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);
const CDN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

/// A socket that is bound and nothing else.
fn bound(port: u16) -> std::os::fd::OwnedFd {
    use std::os::fd::AsRawFd as _;
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port)).unwrap();
    fd
}

/// The flow to `address` of a document.
fn flow(document: &Value, address: SocketAddr) -> Value {
    let flows = document["destinations"].as_array().unwrap();
    let of = flows.iter().find(|flow| flow["destination"] == address.to_string());
    of.unwrap_or_else(|| panic!("{address} is not in {document:#}")).clone()
}

#[test]
fn every_socket_that_was_opened_is_reported_where_it_belongs() {
    in_a_namespace("every_socket", || {
        let (mut api, mut cdn) = (Server::at(API, 443), Server::at(CDN, 80));
        let _inside = TcpListener::bind((Ipv4Addr::UNSPECIFIED, LOW + 7)).unwrap();
        let _also = [bound(LOW + 8), bound(LOW + 9)];
        let _outside = bound(33_333);
        sysctl("ip_local_reserved_ports", "40100-40109,50000");
        for _ in 0..7 {
            api.connect().unwrap();
        }
        for _ in 0..5 {
            cdn.connect().unwrap();
        }
        for _ in 0..400 {
            api.connect_and_close().unwrap();
        }
        settle(&[ESTABLISHED, TIME_WAIT, LISTEN]);
        let told = document(&["--format", "json", "--top", "1000"]);
        assert_eq!(told["range"], "40000-40999");
        assert_eq!(
            (&told["num_ephemeral"], &told["usable"]),
            (&PORTS.into(), &(PORTS - 13).into())
        );
        let to_api = flow(&told, api.address);
        assert_eq!((&to_api["established"], &to_api["time_wait"]), (&7.into(), &400.into()));
        assert_eq!((&to_api["held"], &to_api["left"]), (&407.into(), &580.into()));
        let to_cdn = flow(&told, cdn.address);
        assert_eq!((&to_cdn["established"], &to_cdn["left"]), (&5.into(), &982.into()));
        assert_eq!(told["num_destinations"], 2);
        assert_eq!(told["inbound"], 12);
        let squatters = told["squatters"].as_array().unwrap();
        let ports: Vec<_> =
            squatters.iter().map(|s| (s["port"].as_u64(), s["state"].as_str())).collect();
        let port = |offset: u16| Some(u64::from(LOW + offset));
        // Kernels before 6.8 do not list what is only bound.
        assert!(ports.contains(&(port(7), Some("LISTEN"))), "{ports:?}");
        assert!(ports.contains(&(port(8), Some("BOUND"))), "{ports:?}");
        assert_eq!(ports.len(), 3);
        let states = &told["sockets"];
        assert_eq!((&states["ESTABLISHED"], &states["TIME-WAIT"]), (&24.into(), &400.into()));
        assert_eq!((&states["LISTEN"], &states["BOUND"]), (&3.into(), &3.into()));
        let us = u64::from(std::process::id());
        assert_eq!(squatters[0]["holders"][0]["pid"], us);
        assert_eq!(to_api["holders"][0]["pid"], us);
    });
}

#[test]
fn time_waits_by_the_thousand_are_counted_in_the_table_too() {
    in_a_namespace("time_waits", || {
        sysctl("ip_local_port_range", "40000 42999");
        let mut api = Server::at(API, 443);
        for _ in 0..2_500 {
            api.connect_and_close().unwrap();
        }
        settle(&[ESTABLISHED, TIME_WAIT, LISTEN]);
        let table = told(&[]);
        assert!(table.contains("2,500 of 3,000 ports (83 %) are taken"), "{table}");
        let row = table.lines().find(|line| line.contains("127.0.0.5:443  ")).unwrap();
        assert!(row.contains(" 2,500 ") && row.contains(" 500 "), "{row}");
        assert!(table.contains("TCP sockets: 2,500 TIME-WAIT, 1 LISTEN"), "{table}");
    });
}

#[test]
fn what_comes_back_comes_back_when_it_was_told() {
    in_a_namespace("comes_back", || {
        // FIN-WAIT-2 of clients whose server does not close: its timer is the one that can be set.
        sysctl("tcp_fin_timeout", "3");
        let mut api = Server::at(API, 443);
        for _ in 0..50 {
            api.connect().unwrap();
        }
        let _servers_stay: Vec<TcpStream> = api.held.drain(..).map(|(_, server)| server).collect();
        settle(&[FIN_WAIT_2, CLOSE_WAIT, LISTEN]);
        let before = flow(&document(&["--format", "json"]), api.address);
        assert_eq!((&before["held"], &before["back_in_10_s"]), (&50.into(), &50.into()));
        // 3 s on a grid of 64 or 256 ms, whatever HZ is.
        thread::sleep(Duration::from_millis(3_500));
        let after = document(&["--format", "json"]);
        assert_eq!(after["num_destinations"], 0, "{after:#}");
    });
}

#[test]
fn the_forecast_is_what_then_happens() {
    in_a_namespace("forecast", || {
        let mut api = Server::at(API, 443);
        let start = Instant::now();
        let mut watching = None;
        let mut first_refused = None;
        for attempt in 0..2_000_u32 {
            // A hundred a second: a thousand ports in ten seconds.
            let due = Duration::from_millis(10) * attempt;
            thread::sleep(due.saturating_sub(start.elapsed()));
            if attempt == 100 {
                let mut process = inspect(&["--for", "4 s", "--format", "json", "-q"]);
                process.stdout(std::process::Stdio::piped());
                watching = Some((process.spawn().unwrap(), None));
            }
            if let Some((child, told_at @ None)) = &mut watching
                && child.try_wait().unwrap().is_some()
            {
                *told_at = Some(start.elapsed().as_secs_f64());
            }
            if api.connect_and_close().is_err() {
                first_refused = Some(start.elapsed().as_secs_f64());
                break;
            }
        }
        let (child, told_at) = watching.unwrap();
        let output = child.wait_with_output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let empty = &flow(&document, api.address)["empty_s"];
        let [middle, lo, hi] = ["middle", "lo", "hi"].map(|key| empty[key].as_f64().unwrap());
        let (told_at, refused) = (told_at.unwrap(), first_refused.unwrap());
        let came = refused - told_at;
        say(&format!("told {middle:.1} s ({lo:.1}-{hi:.1}), came {came:.2} s"));
        // The program took a moment to tell, and attempts are 10 ms apart.
        assert!(lo - 0.3 <= came && came <= hi + 0.1, "told {lo} to {hi}, came {came}");
        assert!(hi - lo < 2.5, "{lo} to {hi} says nothing");
        let opening = flow(&document, api.address)["opening_per_s"].as_f64().unwrap();
        assert!((opening - 100.0).abs() < 5.0, "{opening}");
    });
}

#[test]
fn a_process_is_found_by_its_port() {
    in_a_namespace("process", || {
        let _tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 60_103)).unwrap();
        let _udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 60_103)).unwrap();
        let told = document(&["60103", "--format", "json"]);
        assert_eq!((&told["class"], &told["num_sockets"]), (&"dynamic".into(), &2.into()));
        assert_eq!((&told["in_range"], &told["services"]), (&false.into(), &serde_json::json!({})));
        for (index, protocol, state) in [(0, "TCP", "LISTEN"), (1, "UDP", "CLOSED")] {
            let socket = &told["sockets"][index];
            assert_eq!((&socket["protocol"], &socket["state"]), (&protocol.into(), &state.into()));
            assert_eq!(socket["holders"][0]["pid"], u64::from(std::process::id()));
            assert_eq!(socket["local"], "127.0.0.1:60103");
        }
        assert!(told["own_command"].as_str().unwrap().starts_with("ss "));
        let table = ended(&["60103"]);
        let table = String::from_utf8(table.stdout).unwrap();
        let pid = format!("({})", std::process::id());
        assert!(table.contains("listens on 127.0.0.1:60103") && table.contains(&pid), "{table}");
    });
}

#[test]
fn a_port_that_is_nobodys_is_said_to_be() {
    in_a_namespace("nobody", || {
        let table = told(&["60104"]);
        assert!(table.starts_with("Port 60104 is nobody's now"), "{table}");
        assert!(told(&["443"]).contains("https over TCP"));
    });
}

#[test]
fn a_connection_and_its_time_wait_are_found_by_their_port() {
    in_a_namespace("connection", || {
        let mut api = Server::at(API, 443);
        let port = api.connect().unwrap().to_string();
        let table = told(&[&port]);
        assert!(table.contains("is the source port of a connection to 127.0.0.5:443"), "{table}");
        assert!(table.contains("connect() may choose it at any time"), "{table}");
        api.close(0);
        settle(&[ESTABLISHED, TIME_WAIT, LISTEN]);
        let table = told(&[&port]);
        assert!(
            table.contains("is in TIME-WAIT: no process holds it any more; it comes back in"),
            "{table}"
        );
    });
}

#[test]
fn without_privilege_it_says_what_it_could_not_see() {
    if !nix::unistd::geteuid().is_root() {
        say("skipped: without_privilege: only root can become nobody");
        return;
    }
    in_a_namespace("without_privilege", || {
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, LOW + 7)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = directory.path().join("portsim");
        fs::copy(env!("CARGO_BIN_EXE_portsim"), &program).unwrap();
        let as_nobody = |arguments: &[&str]| {
            let mut process = Command::new(&program);
            process.args(arguments).current_dir(directory.path()).uid(65_534).gid(65_534);
            let output = process.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let table = as_nobody(&["inspect", "40007"]);
        assert!(table.contains("a process of user root that cannot be seen listens"), "{table}");
        assert!(table.contains("run it as root"), "{table}");
        let whole = as_nobody(&["inspect", "--format", "json"]);
        let whole: Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(whole["sockets"]["LISTEN"], 1);
        assert!(whole["unseen_processes"].as_u64().unwrap() > 0);
    });
}

#[test]
fn a_watch_counts_what_is_opened_and_closed() {
    in_a_namespace("watch", || {
        let mut api = Server::at(API, 443);
        let mut process =
            inspect(&["--watch", "--every", "500 ms", "--for", "3 s", "--format", "json"]);
        let child = process.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        for attempt in 0..150_u32 {
            thread::sleep((Duration::from_millis(20) * attempt).saturating_sub(start.elapsed()));
            api.connect_and_close().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let looks: Vec<Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!((6..=8).contains(&looks.len()), "{} looks", looks.len());
        let last = looks.last().unwrap();
        let flow = flow(last, api.address);
        let [opened, closed] =
            ["opening_per_s", "closing_per_s"].map(|key| flow[key].as_f64().unwrap());
        assert!((opened - 50.0).abs() < 6.0 && (closed - 50.0).abs() < 6.0, "{opened} {closed}");
        let begun = last["begun_per_s"].as_f64().unwrap();
        assert!((begun - 50.0).abs() < 6.0, "{begun}");
    });
}

#[test]
fn an_alert_sets_the_exit_status() {
    in_a_namespace("alert", || {
        sysctl("ip_local_port_range", "40000 40009");
        let mut api = Server::at(API, 443);
        for _ in 0..8 {
            api.connect().unwrap();
        }
        let status = |arguments: &[&str]| ended(arguments).status.code();
        assert_eq!(status(&["--alert", "81%"]), Some(0));
        assert_eq!(status(&["--alert", "80%"]), Some(3));
        assert_eq!(status(&["--alert", "0.8", "--watch", "--for", "60 s"]), Some(3));
        let output = ended(&["--alert", "80%", "-q"]);
        let talk = String::from_utf8(output.stderr).unwrap();
        assert!(
            talk.contains("alert: towards 127.0.0.5:443 from 127.0.0.1, 80 % of 10 ports"),
            "{talk}"
        );
    });
}

#[test]
fn a_page_for_prometheus_is_replaced_whole() {
    in_a_namespace("prometheus", || {
        let mut api = Server::at(API, 443);
        api.connect().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("portsim.prom");
        let out = file.to_str().unwrap();
        let watch = ["--watch", "--for", "1 s", "--every", "200 ms", "--format", "prometheus"];
        assert_eq!(told(&[&watch[..], &["--out", out]].concat()), "");
        let page = fs::read_to_string(&file).unwrap();
        let series = "portsim_ports_left{source=\"127.0.0.1\",destination=\"127.0.0.5:443\"} 999\n";
        assert!(page.contains(series), "{page}");
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "nothing else is left there"
        );
        assert_eq!(ended(&watch).status.code(), Some(2));
    });
}

#[test]
fn a_scenario_of_what_was_seen_runs_at_once() {
    in_a_namespace("to_scenario", || {
        let mut api = Server::at(API, 443);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("machine.toml");
        let mut process = inspect(&["--to-scenario", "--for", "4 s", "-q", "--out"]);
        let mut child = process.arg(&file).spawn().unwrap();
        let start = Instant::now();
        for attempt in 0..500_u32 {
            thread::sleep((Duration::from_millis(10) * attempt).saturating_sub(start.elapsed()));
            // Each is open for a tenth of a second.
            api.connect().unwrap();
            if api.held.len() > 10 {
                api.close(0);
            }
            if child.try_wait().unwrap().is_some() {
                break;
            }
        }
        assert!(child.wait().unwrap().success());
        let text = fs::read_to_string(&file).unwrap();
        let scenario = portsim::scenario::parse("machine", "machine.toml", &text, &[]).unwrap();
        let host = &scenario.world.hosts[0];
        assert_eq!(u64::from(host.ports.num_ephemeral()), PORTS);
        let [client] = &host.clients[..] else { panic!("{text}") };
        let portsim::model::Arrivals::Poisson { rate_per_s: rate } = client.arrivals else {
            panic!("{text}")
        };
        assert!((rate - 100.0).abs() < 5.0, "{rate}");
        let lifetime = client.lifetime.mean_s().unwrap();
        assert!((lifetime - 0.1).abs() < 0.02, "{lifetime}");
        run(&file, directory.path());
    });
}

/// `portsim run` takes the scenario.
fn run(file: &Path, directory: &Path) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_portsim"));
    let output =
        process.arg("run").arg(file).arg("--no-charts").current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(directory.join("results/machine/summary.json").exists());
}

#[test]
fn it_opens_no_connection_and_changes_no_setting() {
    in_a_namespace("read_only", || {
        let mut api = Server::at(API, 443);
        api.connect().unwrap();
        let state = || {
            let snmp = fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
            let tcp = snmp.lines().filter(|line| line.starts_with("Tcp:")).nth(1).unwrap();
            // ActiveOpens and PassiveOpens; segments in and out.
            let counts: Vec<String> = tcp.split(' ').map(str::to_owned).collect();
            let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
            (counts[5..7].to_vec(), counts[10..12].to_vec(), range)
        };
        let before = state();
        told(&["--for", "1 s", "-q"]);
        told(&["443"]);
        told(&["--format", "prometheus"]);
        assert_eq!(state(), before);
    });
}

#[test]
fn what_is_asked_wrongly_is_told_how() {
    for (arguments, words) in [
        (&["70000"][..], "a port is a number from 1 to 65535"),
        (&["http"], "a port is a number from 1 to 65535"),
        (&["--alert", "120%"], "write a share such as 80%"),
        (&["--watch", "--every", "5"], "write a time with its unit"),
        (&["--every", "1 s"], "--watch"),
        (&["60103", "--watch"], "cannot be used with"),
    ] {
        let output = ended(arguments);
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {talk}");
        assert!(talk.contains(words), "{arguments:?}: {talk}");
        assert!(output.stdout.is_empty());
    }
}
