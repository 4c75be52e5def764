//! Checks that need the whole world: can it be run, and would that ever end?

use crate::model::{
    Arrivals, Binds, Client, Distribution, Host, PoolPlan, RunSettings, SelectionKind, Target,
    World,
};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::source::Span;
use crate::scenario::text::suggest::shown;
use crate::scenario::text::tree::Entry;
use crate::scenario::text::walk::Walk;
use crate::theory::{attempts, starts_steady};
use crate::units::SimTime;

/// Attempts that one replication may have: hours of computing at ten million a second.
const MOST_ATTEMPTS: f64 = 1e11;

/// Clients that one host can have: the engine numbers them with 16 bits.
const MOST_CLIENTS: usize = 1 << 16;

/// Where the tables of a file stand, for what is wrong with their contents taken together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables<'a> {
    pub hosts: &'a [Entry],
    pub clients: &'a [Entry],
    pub gateways: &'a [Entry],
    /// Where it says `start = "stationary"`, if it does.
    pub stationary: Option<Span>,
    /// Was anything wrong before, so that the reason has been told?
    pub told: bool,
}

/// Reports what no single key is to blame for.
pub(crate) fn world(walk: &Walk, world: &World, settings: &RunSettings, tables: Tables<'_>) {
    behind_gateways(walk, world, tables);
    at_one_time(walk, world, settings, tables);
    let later = Tables { stationary: None, ..tables };
    for change in &world.changes {
        at_one_time(walk, &change.world, settings, later);
    }
    if world.changes.is_empty() {
        return;
    }
    for (index, host) in world.hosts.iter().enumerate() {
        let room = world.with_room_for(index);
        too_large(walk, &room, &room.hosts[0], tables);
        changing_start(walk, world, index, host, tables);
        if host.clients.len() * (world.changes.len() + 1) > MOST_CLIENTS {
            let message = format!(
                "{} clients on host `{}` are too many for {} changes",
                host.clients.len(),
                shown(&host.name),
                world.changes.len()
            );
            let most = MOST_CLIENTS / (world.changes.len() + 1);
            let problem = Problem::at(place_of(tables.hosts, &host.name, None), message)
                .label("too many")
                .help(format!("with so many changes a host has at most {most}"));
            walk.report(problem);
        }
    }
}

/// Ports in all, pool by pool, that machines behind one gateway may have: each is known by itself.
const MOST_PORTS_BEHIND: u64 = 1 << 29;

/// Reports what is not modelled of machines that share a gateway.
fn behind_gateways(walk: &Walk, world: &World, tables: Tables<'_>) {
    let Some(first) = tables.gateways.first() else { return };
    let told = |at: Span, what: &str, label: &str, help: &str| {
        let message = format!("{what} is not modelled behind a gateway yet");
        walk.report(Problem::at(at, message).label(label.to_owned()).help(help.to_owned()));
    };
    let context = first.node.at;
    if !world.changes.is_empty() {
        told(
            context,
            "a world that changes",
            "the gateway",
            "take the [[change]] out, or the gateway",
        );
    }
    if let Some(start) = tables.stationary {
        let help = "write start = \"empty\", with a warm_up if the start should not count";
        told(start, "a stationary start", "asked for here", help);
    }
    for (number, gateway) in world.gateways.iter().enumerate() {
        let Some(base) = gateway.nat.share.map(|share| share.base).filter(|&base| base > 0) else {
            continue;
        };
        let clients = world.addresses_behind(number);
        let each = u64::from(gateway.nat.num_ephemeral());
        let fit = each / u64::from(base);
        if clients > fit * u64::from(gateway.nat.addresses) {
            let name = shown(&gateway.name);
            let message = format!(
                "gateway `{name}` has no share of {base} ports for each of {clients} client addresses"
            );
            let help = match clients.checked_div(fit) {
                Some(_) => {
                    format!("write addresses = {}, or a smaller share", clients.div_ceil(fit))
                }
                None => format!("an address has {each} ports: write a smaller share"),
            };
            let at = place_of(tables.gateways, &gateway.name, Some("share"));
            walk.report(Problem::at(at, message).label("too much").help(help));
        }
    }
    for host in world.hosts.iter().filter(|host| host.gateway.is_some()) {
        if host.server.is_some() {
            let at = place_of(tables.hosts, &host.name, Some("server"));
            told(
                at,
                "a server that wants a port of its own",
                "here",
                "put it on a host of its own",
            );
        }
        for client in &host.clients {
            let at = |key| place_of(tables.clients, &client.name, Some(key));
            if client.pool.is_some() {
                told(
                    at("pool"),
                    "a pool of kept connections",
                    "kept here",
                    "say arrivals of connections and their lifetime instead",
                );
            } else if client.arrivals.has_workers() {
                told(
                    at("arrivals"),
                    "a closed loop",
                    "workers",
                    "say an arrival rate instead: process = \"poisson\", rate = \"100 / s\"",
                );
            }
            if client.retries.is_some() {
                told(
                    at("retries"),
                    "what a program tries again",
                    "here",
                    "take it out: SYNs are sent again anyway",
                );
            }
            let here = |target: &Target| world.destinations[target.destination].loopback;
            if client.targets.iter().any(here) {
                told(
                    at("to"),
                    "a destination on the same machine",
                    "over loopback",
                    "put this client on a host that no gateway serves",
                );
            }
        }
    }
    for hosts in world.islands() {
        let ports = |&host: &usize| {
            let model = &world.hosts[host];
            let pools = PoolPlan::places(model, endpoints(world, model))
                / u128::from(model.ports.num_ephemeral());
            (u128::from(model.count) * pools) << 16
        };
        let all: u128 = hosts.iter().map(ports).sum();
        if all > u128::from(MOST_PORTS_BEHIND) {
            let host = &world.hosts[hosts[0]];
            let message = format!(
                "the machines behind one gateway have {} pools of ports in all: too many",
                crate::numbers::count((all >> 16) as u64)
            );
            let most = crate::numbers::count(MOST_PORTS_BEHIND >> 16);
            let problem = Problem::at(place_of(tables.hosts, &host.name, Some("count")), message)
                .label("too many")
                .help(format!("fewer machines, addresses or endpoints: at most {most} pools"));
            walk.report(problem);
        }
    }
}

/// Endpoints that the clients of a host connect to.
fn endpoints(world: &World, host: &Host) -> u64 {
    let used = |index: usize| {
        host.clients.iter().flat_map(|client| &client.targets).any(|to| to.destination == index)
    };
    let all = world.destinations.iter().enumerate().filter(|(index, _)| used(*index));
    all.map(|(_, destination)| u64::from(destination.endpoints)).sum()
}

/// Reports a stationary start of a machine whose ports are to change: then they are kept as sockets keep
/// them, and no steady state is laid out for that.
fn changing_start(walk: &Walk, world: &World, index: usize, host: &Host, tables: Tables<'_>) {
    let Some(start) = tables.stationary.filter(|_| world.reshapes(index)) else { return };
    let message = format!(
        "a stationary start of host `{}` is not possible: its ports change in the middle of the run",
        shown(&host.name)
    );
    let problem = Problem::at(start, message)
        .label("asked for here")
        .help("write start = \"empty\", with a warm_up if the start should not count");
    walk.report(problem);
}

fn at_one_time(walk: &Walk, world: &World, settings: &RunSettings, tables: Tables<'_>) {
    for host in &world.hosts {
        too_large(walk, world, host, tables);
        narrowed(walk, host, tables);
        if let Some(start) = tables.stationary {
            let before = walk.count();
            mixed_start(walk, host, tables, start);
            if walk.count() == before && !tables.told && !starts_steady(world, host) {
                unknown_start(walk, host, tables, start);
            }
        }
        amount_of_work(walk, world, host, settings, tables.clients);
        left_out(walk, host, settings, tables.clients);
    }
}

/// Reports sockets that keep to a part of the range where the chooser knows no such option: it came with
/// Linux 6.3, whose chooser is that of 5.12 on.
fn narrowed(walk: &Walk, host: &Host, tables: Tables<'_>) {
    let narrow = |client: &&Client| client.socket.port_range.is_some();
    let Some(client) = host.clients.iter().find(narrow) else { return };
    if host.selection == SelectionKind::Linux || tables.told {
        return;
    }
    let at = place_of(tables.clients, &client.name, Some("port_range"));
    let message = format!(
        "client `{}` keeps to a part of the range, which the chooser of host `{}` does not know",
        shown(&client.name),
        shown(&host.name)
    );
    let problem = Problem::at(at, message).label("IP_LOCAL_PORT_RANGE: Linux since 6.3").help(
        "take it out, or write selection = \"linux\"; `ports` of a [host] narrows all its clients",
    );
    walk.report(problem);
}

/// Warns of recorded attempts that the run is too short for.
fn left_out(walk: &Walk, host: &Host, settings: &RunSettings, clients: &[Entry]) {
    for client in &host.clients {
        let Arrivals::Trace(attempts) = &client.arrivals else { continue };
        let end = SimTime::START + settings.duration;
        let made = attempts.partition_point(|attempt| attempt.at < end);
        let (Some(last), true) = (attempts.last(), made < attempts.len()) else { continue };
        let (all, left_out) = (attempts.len(), attempts.len() - made);
        let message = format!("the run ends before {left_out} of {all} recorded attempts");
        let at = place_of(clients, &client.name, Some("arrivals"));
        let problem = Problem::at(at, message)
            .label(format!("the last one is made at {}", last.at))
            .help(format!("the run takes {}: write a longer duration in [run]", settings.duration));
        walk.warn(problem);
    }
}

/// Reports a host whose ports, pool by pool, are more than the engine can number.
fn too_large(walk: &Walk, world: &World, host: &Host, tables: Tables<'_>) {
    let at = place_of(tables.hosts, &host.name, None);
    if host.clients.len() > MOST_CLIENTS {
        let message = format!("{} clients run on host `{}`", host.clients.len(), shown(&host.name));
        let problem = Problem::at(at, message)
            .label("too many")
            .help(format!("a host has at most {MOST_CLIENTS}; give some to another [host.NAME]"));
        walk.report(problem);
    }
    let mut targets: Vec<usize> =
        host.clients.iter().flat_map(|c| c.targets.iter().map(|t| t.destination)).collect();
    targets.sort_unstable();
    targets.dedup();
    let endpoints =
        targets.iter().map(|&target| u64::from(world.destinations[target].endpoints)).sum();
    let places = PoolPlan::places(host, endpoints);
    if places <= PoolPlan::MOST_PLACES {
        return;
    }
    let message = format!(
        "host `{}` would have {places} ports to keep track of, far beyond any memory",
        shown(&host.name)
    );
    let sizes = format!(
        "{} x {} x {} ports",
        amount(u64::from(host.addresses), "source address", "es"),
        amount(endpoints, "endpoint", "s"),
        host.ports.num_ephemeral()
    );
    let problem = Problem::at(at, message)
        .label(sizes)
        .help(format!("at most {} are simulated on one machine", PoolPlan::MOST_PLACES))
        .help("write fewer addresses, fewer endpoints or a smaller range: what matters is how much one pool gets");
    walk.report(problem);
}

fn amount(number: u64, what: &str, ending: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}{ending}") }
}

/// Reports a stationary start where `connect()` and `bind()` take ports from each other: that is no
/// loss system, and its steady state is not known.
fn mixed_start(walk: &Walk, host: &Host, tables: Tables<'_>, start: Span) {
    let bound = host.clients.iter().find(|client| client.binds == Binds::Bind);
    let plain = host.clients.iter().find(|client| client.binds != Binds::Bind);
    let (Some(bound), Some(plain)) = (bound, plain) else { return };
    let message = format!(
        "a stationary start is not possible: on host `{}` client `{}` binds first and client `{}` \
         does not, and the steady state of such a mixture is not known",
        shown(&host.name),
        shown(&bound.name),
        shown(&plain.name)
    );
    let problem = Problem::at(place_of(tables.clients, &bound.name, Some("binds")), message)
        .label("takes ports from those that do not")
        .context(start, "asked for here")
        .help("write start = \"empty\", with a warm_up if the start should not count");
    walk.report(problem);
}

/// Reports a stationary start of a machine whose steady state is not known for a reason that lies in its
/// sockets or in its TIME-WAITs.
fn unknown_start(walk: &Walk, host: &Host, tables: Tables<'_>, start: Span) {
    let options = |wanted: fn(&Client) -> bool| host.clients.iter().find(|client| wanted(client));
    let narrow = options(|client| client.socket.port_range.is_some());
    let reuses = options(|client| client.socket.reuse_address);
    let (at, label, reason) = if let Some(client) = narrow {
        let at = place_of(tables.clients, &client.name, Some("port_range"));
        (at, "keeps to a part of the range", "its sockets share the range with others")
    } else if let Some(client) = reuses.filter(|client| client.binds == Binds::Bind) {
        let at = place_of(tables.clients, &client.name, Some("reuse_address"));
        (at, "searches the range by halves", "its sockets share ports by their options")
    } else if !host.squatters.is_empty() {
        let at = place_of(tables.hosts, &host.name, Some("listeners"));
        (at, "on single addresses", "listeners on single addresses take ports from some calls only")
    } else {
        let at = place_of(tables.hosts, &host.name, Some("tcp_tw_reuse"));
        (at, "its TIME-WAITs may be taken over", "what is taken over is not laid out in advance")
    };
    let message =
        format!("a stationary start of host `{}` is not possible: {reason}", shown(&host.name));
    let problem = Problem::at(at, message)
        .label(label)
        .context(start, "asked for here")
        .help("write start = \"empty\", with a warm_up if the start should not count");
    walk.report(problem);
}

/// Reports the client whose attempts alone would take a run beyond all patience.
fn amount_of_work(
    walk: &Walk,
    world: &World,
    host: &Host,
    settings: &RunSettings,
    clients: &[Entry],
) {
    for client in host.clients.iter().filter(|client| asks_at_one_instant(client)) {
        let message = format!("client `{}` would make requests without end", shown(&client.name));
        let problem = Problem::at(place_of(clients, &client.name, Some("requests")), message)
            .label("its workers neither think nor wait for an answer")
            .help("write a `service` or a `think` that takes some time: \"1 ms\"");
        walk.report(problem);
    }
    let made = attempts(world, host, settings.duration.as_secs_f64());
    for (client, attempts) in host.clients.iter().zip(made) {
        let attempts = attempts * f64::from(host.count);
        if attempts <= MOST_ATTEMPTS {
            continue;
        }
        let message = format!(
            "client `{}` would make about {attempts:.0e} attempts in one replication",
            shown(&client.name)
        );
        let over = amount(u64::from(host.count), "machine", "s");
        let mut problem = Problem::at(place_of(clients, &client.name, Some("arrivals")), message)
            .label(format!("over {} on {over}", settings.duration))
            .help(format!("at most {MOST_ATTEMPTS:.0e} are simulated"));
        problem = problem.help(match &client.arrivals {
            Arrivals::ClosedLoop { .. } => {
                "write a longer think time (a refused worker tries again after it), fewer workers, \
                 a shorter duration or fewer machines"
            }
            _ => "write a shorter duration, a lower rate or fewer machines",
        });
        walk.report(problem);
    }
}

/// Do its workers make one request after the other in no time at all?
fn asks_at_one_instant(client: &Client) -> bool {
    let none = |law: &Distribution| law.mean_s() == Some(0.0);
    let Arrivals::ClosedLoop { think, .. } = &client.arrivals else { return false };
    let at_once = client.pool.as_ref().is_some_and(|pool| pool.turnaround.is_zero());
    at_once && none(think) && none(&client.lifetime)
}

/// Where `key` of the table `name` stands; the table itself where it does not say.
fn place_of(tables: &[Entry], name: &str, key: Option<&str>) -> Span {
    let Some(table) = tables.iter().find(|entry| entry.key == name) else {
        return Span::BUILT_IN;
    };
    let entry = key.and_then(|key| table.node.as_table()?.get(key));
    entry.map_or(table.node.at, |entry| entry.node.at)
}
