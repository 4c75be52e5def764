//! What a client asks of the ports: how often it takes one, and for how long.

use crate::model::{Arrivals, Client, Distribution, Ending, Host, TraceAttempt};

use super::moments::limited_mean_s;

/// Mean attempts a second of `arrivals`; `None` for a closed loop, whose rate depends on how its
/// attempts fare.
///
/// ```
/// use portsim::model::{Arrivals, Spacing};
/// use portsim::theory::rate_per_s;
/// use portsim::units::SimDuration;
/// let every = SimDuration::from_secs(10);
/// let batches = Arrivals::Batches { every, size: 500, spacing: Spacing::Constant };
/// assert_eq!(rate_per_s(&batches), Some(50.0));
/// ```
#[must_use]
pub fn rate_per_s(arrivals: &Arrivals) -> Option<f64> {
    match arrivals {
        Arrivals::Poisson { rate_per_s } | Arrivals::Constant { rate_per_s } => Some(*rate_per_s),
        Arrivals::Batches { every, size, .. } => Some(f64::from(*size) / every.as_secs_f64()),
        Arrivals::Trace(attempts) => Some(recorded_rate_per_s(attempts)),
        Arrivals::ClosedLoop { .. } => None,
    }
}

/// Attempts a second from the first recorded one to the last; of less than a second, as many as there
/// are.
fn recorded_rate_per_s(attempts: &[TraceAttempt]) -> f64 {
    let (Some(first), Some(last)) = (attempts.first(), attempts.last()) else { return 0.0 };
    attempts.len() as f64 / last.at.since(first.at).as_secs_f64().max(1.0)
}

/// How long a connection of one client holds its port: its lifetime, and TIME-WAIT after it when
/// the client closes first.
///
/// TIME-WAIT counts with its mean (61.02 s for Linux's 60 s at HZ=250), not with its spread.
#[derive(Clone, Copy, Debug)]
pub struct HoldLaw<'a> {
    lifetime: &'a Distribution,
    time_wait_s: f64,
    /// Share of the connections that the client closes, 0 to 1.
    by_client: f64,
    /// Share of the connections that are never closed, 0 to 1.
    never: f64,
}

impl<'a> HoldLaw<'a> {
    /// The hold of a connection of `client` on `host`.
    #[must_use]
    pub fn of(host: &Host, client: &'a Client) -> Self {
        let total: f64 = client.closes.iter().map(|&(_, weight)| weight).sum();
        let share = |wanted: Ending| {
            let weights = client.closes.iter().filter(|&&(ending, _)| ending == wanted);
            weights.map(|&(_, weight)| weight).sum::<f64>() / total
        };
        Self {
            lifetime: &client.lifetime,
            time_wait_s: host.timer_grid.mean(host.time_wait).as_secs_f64(),
            by_client: share(Ending::Client),
            never: share(Ending::Never),
        }
    }

    /// Mean hold in seconds; `None` when it is infinite: some connections are never closed, or the
    /// lifetime has no mean.
    #[must_use]
    pub fn mean_s(&self) -> Option<f64> {
        if self.never > 0.0 {
            return None;
        }
        Some(self.lifetime.mean_s()? + self.by_client * self.time_wait_s)
    }

    /// Mean of the part of a hold that lies within `limit_s` of its start, in seconds.
    #[must_use]
    pub fn limited_mean_s(&self, limit_s: f64) -> f64 {
        // min(L + W, t) is t while t <= W, and W + min(L, t - W) from then on.
        let waits = self.time_wait_s.min(limit_s);
        let with_time_wait = waits + limited_mean_s(self.lifetime, limit_s - waits);
        let without = limited_mean_s(self.lifetime, limit_s);
        self.by_client * with_time_wait
            + self.never * limit_s
            + (1.0 - self.by_client - self.never) * without
    }

    /// Is a port free as soon as its connection ends?
    #[must_use]
    pub fn ends_with_the_connection(&self) -> bool {
        self.never == 0.0 && self.by_client * self.time_wait_s == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::fixtures::{client, host, secs};

    fn closing(closes: &[(Ending, f64)]) -> Client {
        Client { closes: closes.to_vec(), ..client() }
    }

    #[test]
    fn time_wait_counts_for_the_share_that_the_client_closes() {
        let host = host();
        for (closes, mean) in [
            (vec![(Ending::Client, 2.0)], Some(61.0)),
            (vec![(Ending::Server, 2.0)], Some(1.0)),
            (vec![(Ending::Reset, 1.0), (Ending::Client, 3.0)], Some(46.0)),
            (vec![(Ending::Client, 3.0), (Ending::Never, 0.001)], None),
        ] {
            let client = closing(&closes);
            assert_eq!(HoldLaw::of(&host, &client).mean_s(), mean, "{closes:?}");
        }
    }

    #[test]
    fn a_hold_is_cut_off_behind_its_time_wait() {
        let client = Client { lifetime: Distribution::Constant(secs(2.0)), ..client() };
        let host = host();
        let hold = HoldLaw::of(&host, &client);
        for (limit, cut) in [(1.0, 1.0), (60.0, 60.0), (61.0, 61.0), (63.0, 62.0)] {
            assert_eq!(hold.limited_mean_s(limit), cut);
        }
        assert!(!hold.ends_with_the_connection());
    }

    #[test]
    fn a_connection_that_is_never_closed_holds_its_port_to_the_limit() {
        let client = closing(&[(Ending::Never, 1.0), (Ending::Reset, 1.0)]);
        let host = host();
        let hold = HoldLaw::of(&host, &client);
        assert!((hold.limited_mean_s(1e9) - 0.5e9).abs() < 1.0);
        assert!(!hold.ends_with_the_connection());
    }
}
