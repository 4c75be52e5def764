//! What a figure means where it is not what other tools show by the same name.

use crate::model::{Client, Ending, Host, TwReuse, World};
use crate::scenario::Scenario;

/// What to know of the figures of `scenario`, a sentence each; mostly none.
#[must_use]
pub fn about(scenario: &Scenario) -> Vec<String> {
    let world = &scenario.world;
    let first = world.hosts.iter().find(|host| takes_over(world, host));
    let note = |host: &Host| {
        format!(
            "A port in TIME-WAIT counts as in use only until it may be taken over (tcp_tw_reuse): \
             ss shows it for {}.",
            host.time_wait
        )
    };
    first.map(note).into_iter().collect()
}

/// Does some client of `host` take ports out of TIME-WAIT?
fn takes_over(world: &World, host: &Host) -> bool {
    let allowed = |client: &Client| {
        client.targets.iter().any(|target| match host.tcp.tw_reuse {
            TwReuse::Never => false,
            TwReuse::Always => true,
            TwReuse::Loopback => world.destinations[target.destination].loopback,
        })
    };
    let waits = |client: &Client| client.can_end(Ending::Client);
    // bind() fails before a destination is known, so nothing is taken over by it.
    let plain = |client: &Client| !client.binds.is_bound();
    host.is_linux()
        && host.tcp.timestamps
        && host.clients.iter().any(|client| plain(client) && waits(client) && allowed(client))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Binds, SelectionKind};
    use crate::report::samples;

    #[test]
    fn a_time_wait_that_may_be_taken_over_is_told_apart_from_what_ss_shows() {
        let (mut scenario, _) = samples::overloaded();
        assert_eq!(about(&scenario), [""; 0], "the default is for loopback only");
        scenario.world.destinations[0].loopback = true;
        assert!(about(&scenario)[0].ends_with("(tcp_tw_reuse): ss shows it for 60 s."));
        scenario.world.destinations[0].loopback = false;
        scenario.world.hosts[0].tcp.tw_reuse = TwReuse::Always;
        assert_eq!(about(&scenario).len(), 1);
    }

    #[test]
    fn where_nothing_is_taken_over_nothing_is_told() {
        let changes: [fn(&mut Host); 4] = [
            |host| host.tcp.timestamps = false,
            |host| host.selection = SelectionKind::Sequential,
            |host| host.clients[0].binds = Binds::Bind,
            |host| host.clients[0].closes = vec![(Ending::Server, 1.0)],
        ];
        for change in changes {
            let (mut scenario, _) = samples::overloaded();
            scenario.world.hosts[0].tcp.tw_reuse = TwReuse::Always;
            change(&mut scenario.world.hosts[0]);
            assert_eq!(about(&scenario), [""; 0]);
        }
    }
}
