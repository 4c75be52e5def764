//! A start in the steady state needs one that is known in advance: where there is none, and why.

use super::fields::Fields;
use super::parts::Parts;
use crate::model::{Arrivals, Binds, Destination, Distribution, Ending, Host};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::source::Span;
use crate::scenario::text::suggest::shown;
use crate::units::SimDuration;

/// A client that shall start in its steady state, and what is around it.
pub(crate) struct Start<'a> {
    /// Where `start = "stationary"` stands.
    pub asked: Span,
    /// The client's keys, and where its table stands.
    pub fields: Fields<'a>,
    pub at: Span,
    /// Its host, if that could be read.
    pub host: Option<&'a Host>,
    /// All destinations; `None` for those that could not be read.
    pub destinations: &'a [Option<Destination>],
}

impl Start<'_> {
    /// Reports every reason why the client has no steady state that is known.
    pub fn check(&self, client: &Parts) {
        if client.arrivals.as_ref().is_some_and(|a| !matches!(a, Arrivals::Poisson { .. })) {
            let reason = "the steady state is only known for Poisson arrivals";
            self.refuse("arrivals", "these are not Poisson", reason);
        }
        if client.lifetime.as_ref().is_some_and(|lifetime| lifetime.mean_s().is_none()) {
            let reason = "lifetimes without a finite mean never settle";
            self.refuse("lifetime", "its mean is infinite", reason);
        }
        if client.pool.as_ref().is_some_and(Option::is_some) {
            let reason = "connections that are kept are not laid out in advance";
            self.refuse("pool", "keeps connections", reason);
        }
        if client.retries.as_ref().is_some_and(Option::is_some) {
            let reason = "what is tried again is not laid out in advance";
            self.refuse("retries", "tries again", reason);
        }
        self.check_endings(client);
        let silent = client.targets.iter().flatten().find_map(|target| {
            let destination = self.destinations[target.destination].as_ref();
            destination.filter(|destination| !destination.answers)
        });
        if let Some(silent) = silent {
            let reason = format!("connections to `{}` are never answered", shown(&silent.name));
            self.refuse("to", "this does not answer", &reason);
        }
        self.check_ports(client);
    }

    fn check_endings(&self, client: &Parts) {
        let ends = |ending| client.closes.iter().flatten().any(|(other, _)| *other == ending);
        if ends(Ending::Never) || ends(Ending::CloseWait) {
            let reason = "connections that are never closed fill the range sooner or later";
            self.refuse("closes", "never closed", reason);
        }
        if ends(Ending::Half) {
            let reason = "what is half closed is not laid out in advance";
            self.refuse("closes", "half closed", reason);
        }
        let at_once = Distribution::Constant(SimDuration::ZERO);
        if client.second_fin.as_ref().is_some_and(|second_fin| *second_fin != at_once) {
            let reason = "what is between its two FINs is not laid out in advance";
            self.refuse("second_fin_after", "not zero", reason);
        }
    }

    fn check_ports(&self, client: &Parts) {
        let binds = client.socket.as_ref().map(|(binds, _)| *binds);
        if binds == Some(Binds::Port) {
            let reason = "a client that chooses its ports takes them in turn, free or not";
            self.refuse("binds", "these are chosen by the client", reason);
        }
        let Some(tcp) = self.host.map(|host| host.tcp) else { return };
        let reuses = client.socket.as_ref().is_some_and(|(_, options)| options.reuse_address);
        if reuses && tcp.autobind_reuse {
            let reason = "with ip_autobind_reuse, sockets with SO_REUSEADDR share ports at random";
            self.refuse("reuse_address", "shares ports", reason);
        }
        if tcp.max_tw_buckets.is_some() {
            let reason = "with tcp_max_tw_buckets set, the hold of a port depends on all others";
            self.refuse("on", "its host has tcp_max_tw_buckets", reason);
        }
    }

    fn refuse(&self, key: &str, label: &str, reason: &str) {
        let at = self.fields.entry(key).map_or(self.at, |entry| entry.node.at);
        let message = format!("a stationary start is not possible: {reason}");
        let problem = Problem::at(at, message)
            .label(label)
            .context(self.asked, "asked for here")
            .help("write start = \"empty\", with a warm_up if the start should not count");
        self.fields.walk.report(problem);
    }
}
