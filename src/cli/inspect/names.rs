//! Names of addresses, for `--resolve`: asked for only when wanted, all at once, and never waited for long.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use portsim::inspect::Inspection;

use super::super::args::InspectArgs;
use super::super::terminal::{self, tame};

/// A name server that has not answered until then is left alone.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many are asked for at the same time.
const AT_ONCE: usize = 64;

/// Addresses and what they are called; nothing for those that have no name or got no answer in time, which are
/// not asked for again.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<IpAddr, Option<String>>);

impl Names {
    /// `api.example.com:443`, or the address where no name is known.
    pub(super) fn endpoint(&self, endpoint: SocketAddr) -> String {
        match self.0.get(&endpoint.ip()) {
            Some(Some(name)) => format!("{name}:{}", endpoint.port()),
            _ => endpoint.to_string(),
        }
    }

    /// Asks for the names of the first `many` destinations, if they are wanted.
    pub(super) fn learn(&mut self, args: &InspectArgs, inspection: &Inspection, many: usize) {
        if args.resolve {
            let flows = inspection.census.flows.iter().take(many.min(AT_ONCE));
            self.ask(flows.map(|flow| flow.destination.ip()).collect());
        }
    }

    /// Asks the system what these addresses are called, unless it was asked before.
    pub(super) fn ask(&mut self, mut addresses: BTreeSet<IpAddr>) {
        addresses.retain(|address| !self.0.contains_key(address));
        self.0.extend(addresses.iter().map(|&address| (address, None)));
        self.0.extend(answers(addresses).into_iter().map(|(address, name)| (address, Some(name))));
    }
}

/// What the system calls these addresses.
fn answers(addresses: BTreeSet<IpAddr>) -> BTreeMap<IpAddr, String> {
    let (sender, receiver) = mpsc::channel();
    let asked = addresses.len();
    for address in addresses {
        let sender = sender.clone();
        // Left behind when it takes too long: a look-up cannot be called off.
        std::thread::spawn(move || {
            let name = dns_lookup::lookup_addr(&address).ok();
            let _ = sender.send((address, name));
        });
    }
    drop(sender);
    let due = Instant::now() + PATIENCE;
    let mut names = BTreeMap::new();
    let mut answered = 0;
    while let Ok((address, name)) =
        receiver.recv_timeout(due.saturating_duration_since(Instant::now()))
    {
        answered += 1;
        // Without a name the system gives the address again.
        let name = name.filter(|name| name.parse::<IpAddr>().is_err());
        names.extend(name.map(|name| (address, tame(&name))));
    }
    if answered < asked {
        let late = asked - answered;
        terminal::talk(&format!("note: {late} of {asked} addresses got no answer in 3 s"));
    }
    names
}
