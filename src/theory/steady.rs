//! Of which machines the steady state is known well enough to begin in it.

use crate::model::{Arrivals, Client, Distribution, Ending, Host, World, shares_ports};
use crate::units::SimDuration;

use super::hold::is_taken_over;

/// Can a run of a machine of `host` begin in its steady state? Only if its pools are loss systems
/// (Poisson arrivals, no sharing of ports, holds of a finite mean), and all that a connection leaves
/// behind is a TIME-WAIT that nobody takes over.
///
/// What comes before or instead of TIME-WAIT (FIN-WAIT-2, CLOSE-WAIT, SYN-SENT) has a steady state
/// too, but no run begins in it.
#[must_use]
pub fn starts_steady(world: &World, host: &Host) -> bool {
    !shares_ports(host) && host.clients.iter().all(|client| is_plain(world, host, client))
}

fn is_plain(world: &World, host: &Host, client: &Client) -> bool {
    let mut to = client.targets.iter().map(|target| &world.destinations[target.destination]);
    let waits = client.can_end(Ending::Client);
    matches!(client.arrivals, Arrivals::Poisson { .. })
        && client.lifetime.mean_s().is_some()
        && client.second_fin == Distribution::Constant(SimDuration::ZERO)
        && !client.can_end(Ending::Half)
        && !client.can_end(Ending::Never)
        && !client.can_end(Ending::CloseWait)
        && to.all(|to| to.answers && !(waits && is_taken_over(host, client, to.loopback)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Binds, TcpSettings, TwReuse};
    use crate::theory::fixtures::{client, host, secs, world};

    fn known(client: Client) -> bool {
        let host = Host { clients: vec![client], ..host() };
        starts_steady(&world(host.clone()), &host)
    }

    fn ends(ending: Ending) -> Client {
        Client { closes: vec![(Ending::Client, 9.0), (ending, 1.0)], ..client() }
    }

    #[test]
    fn plain_connections_of_poisson_clients_have_a_steady_state() {
        assert!(known(client()) && known(ends(Ending::Server)) && known(ends(Ending::Unread)));
        assert!(known(Client { binds: Binds::Bind, ..client() }));
        assert!(!known(ends(Ending::Half)) && !known(ends(Ending::Never)));
        assert!(!known(Client { second_fin: Distribution::Constant(secs(1.0)), ..client() }));
        assert!(!known(Client { arrivals: Arrivals::Constant { rate_per_s: 9.0 }, ..client() }));
        let lifetime = Distribution::Pareto { minimum: secs(1.0), shape: 1.0 };
        assert!(!known(Client { lifetime, ..client() }));
    }

    #[test]
    fn a_destination_may_have_none() {
        let host = host();
        let mut world = world(host.clone());
        world.destinations[0].loopback = true;
        assert!(!starts_steady(&world, &host), "its TIME-WAITs are taken over");
        let server = Client { closes: vec![(Ending::Server, 1.0)], ..client() };
        assert!(starts_steady(&world, &Host { clients: vec![server], ..host.clone() }));
        let tcp = TcpSettings { tw_reuse: TwReuse::Never, ..TcpSettings::default() };
        assert!(starts_steady(&world, &Host { tcp, ..host.clone() }));
        world.destinations[0] = crate::model::Destination {
            answers: false,
            loopback: false,
            ..world.destinations[0].clone()
        };
        assert!(!starts_steady(&world, &host), "it never answers");
    }

    #[test]
    fn sockets_that_take_ports_from_each_other_have_none() {
        let mut host = host();
        host.tcp.max_tw_buckets = Some(1_000_000);
        assert!(!starts_steady(&world(host.clone()), &host));
    }
}
