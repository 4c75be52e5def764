//! A stationary start: what a loss system holds at a random moment, long after it began.
//!
//! In Erlang's loss system the number in use is a Poisson variable cut off at the number of ports
//! and, given that number, what is left of each hold is an independent draw from the hold's
//! equilibrium residual law, whatever the law of the lifetimes. Drawing that makes a start that needs
//! no warm-up.
//!
//! Exact for Poisson arrivals and holds that do not depend on the clock. A timer grid makes holds depend on
//! it: then the number drawn is exact as long as nothing is blocked, and close to it otherwise.
//! Which ports are taken is not drawn from the steady state; the selection algorithm picks them one
//! after the other.
//!
//! It knows established connections and TIME-WAIT only; of which machines that is all there is says
//! [`starts_steady`].
//!
//! Source: Sevast'yanov, "An ergodic theorem for Markov processes and its application to telephone
//! systems with refusals", Theory of Probability and its Applications 2(1), 1957; for the residual
//! law, Kleinrock, *Queueing Systems* volume 1, section 5.2.

use rand::rngs::Xoshiro256PlusPlus;

use super::job::Job;
use super::sample::{Sampler, unit};
use super::target::pool_shares;
use crate::model::{
    Arrivals, Attempt, Client, Distribution, Ending, Host, Life, PoolId, PoolPlan, Remote, Timer,
    Timers, Will, World, shares_ports,
};
use crate::theory::{HoldLaw, rate_per_s, starts_steady};
use crate::units::{SimDuration, SimTime};

/// Draws what the machine of `job` holds at a random moment: attempts made at the start, and
/// what is left of the life of each.
///
/// # Panics
/// When its steady state is not known.
pub fn draw(job: Job<'_>, plan: PoolPlan, rng: &mut Xoshiro256PlusPlus) -> Vec<(Attempt, Life)> {
    let (world, host_model, timers) = (job.world, job.host(), &job.timers());
    let numbers = job.numbers();
    assert!(starts_steady(world, host_model), "no steady state is known of {}", host_model.name);
    let usable = host_model.usable_ports();
    let holders = Holders::new(host_model, timers.time_wait());
    // Each pool is a loss system of its own: the sum of its clients' loads, cut at its ports.
    let mut loads = vec![vec![0.0; holders.clients.len()]; plan.pools() as usize];
    for (client, phases) in holders.clients.iter().enumerate() {
        for (pool, share) in pool_shares(world, job.host, &numbers, client, plan) {
            loads[pool.0 as usize][client] += phases.load() * share;
        }
    }
    let mut standing = Vec::new();
    for (pool, by_client) in loads.iter().enumerate() {
        let pool = PoolId(pool as u32);
        let offered: f64 = by_client.iter().sum();
        for _ in 0..truncated_poisson(offered, usable, rng) {
            let client = weighted(by_client, offered, rng);
            let life = holders.clients[client].residual(timers, rng);
            standing.push((
                Attempt {
                    at: SimTime::START,
                    lifetime: life.first_fin.since(SimTime::START),
                    tuple: plan.a_tuple_of(pool),
                    ending: Ending::Client,
                    remote: Remote::Answers,
                    client: client as u16,
                    machine: 0,
                },
                life,
            ));
        }
    }
    standing
}

/// The mean loads that the clients put on a machine, by what a connection is doing.
struct Holders {
    clients: Vec<Phases>,
}

/// One client's mean number of connections, were none blocked.
struct Phases {
    lifetime: Sampler,
    /// Established and to be closed by the client: TIME-WAIT follows.
    established_client: f64,
    /// Established and to be closed otherwise.
    established_other: f64,
    /// In TIME-WAIT.
    time_wait: f64,
    /// How long ago the oldest TIME-WAIT began that has not ended at the start of the run.
    oldest: u64,
}

impl Holders {
    fn new(host: &Host, timer: Timer) -> Self {
        // On a grid, what closed up to `oldest` ago is still there: every connection that closed
        // later is released at a later grid point.
        let oldest = timer.oldest_at_start().as_nanos();
        let clients = host.clients.iter().map(|client| {
            let rate = mean_rate_of(&client.arrivals);
            let total: f64 = client.closes.iter().map(|close| close.1).sum();
            let by_client: f64 =
                client.closes.iter().filter(|c| c.0 == Ending::Client).map(|c| c.1).sum();
            let share = by_client / total;
            let life = mean_s(&client.lifetime);
            Phases {
                lifetime: Sampler::new(&client.lifetime),
                established_client: rate * life * share,
                established_other: rate * life * (1.0 - share),
                time_wait: rate * share * oldest as f64 * 1e-9,
                oldest,
            }
        });
        Self { clients: clients.collect() }
    }
}

impl Phases {
    fn load(&self) -> f64 {
        self.established_client + self.established_other + self.time_wait
    }

    /// What is left of the life of a connection that is there at the start.
    fn residual(&self, timers: &Timers, rng: &mut Xoshiro256PlusPlus) -> Life {
        let place = unit(rng) * self.load();
        if place < self.time_wait {
            let closed_ago = SimDuration::from_nanos((unit(rng) * self.oldest as f64) as u64);
            return Life::waiting_until(timers.time_wait().expires_if_set_before(closed_ago));
        }
        let by_client = place < self.time_wait + self.established_client;
        let will = Will {
            lifetime: SimDuration::from_nanos(self.lifetime.sample_residual(rng)),
            second_fin: SimDuration::ZERO,
            ending: if by_client { Ending::Client } else { Ending::Reset },
            remote: Remote::Answers,
            bound: false,
        };
        timers.life(SimTime::START, &will)
    }
}

/// A Poisson variable of mean `mean`, given that it is at most `most`: by inversion from the mode,
/// outwards, so that it takes about as many steps as the standard deviation.
fn truncated_poisson(mean: f64, most: u32, rng: &mut Xoshiro256PlusPlus) -> u32 {
    if mean <= 0.0 || most == 0 {
        return 0;
    }
    let mode = (mean as u32).min(most);
    // Probabilities relative to the mode's.
    let mut total = 1.0;
    let (mut weight, mut k) = (1.0, mode);
    while k > 0 && weight > 1e-18 {
        weight *= f64::from(k) / mean;
        k -= 1;
        total += weight;
    }
    let (mut weight, mut k) = (1.0, mode);
    while k < most && weight > 1e-18 {
        k += 1;
        weight *= mean / f64::from(k);
        total += weight;
    }
    let mut left = unit(rng) * total - 1.0;
    if left < 0.0 {
        return mode;
    }
    let (mut down, mut up) = ((1.0, mode), (1.0, mode));
    loop {
        if down.1 > 0 {
            down.0 *= f64::from(down.1) / mean;
            down.1 -= 1;
            left -= down.0;
            if left < 0.0 {
                return down.1;
            }
        }
        if up.1 < most {
            up.1 += 1;
            up.0 *= mean / f64::from(up.1);
            left -= up.0;
            if left < 0.0 {
                return up.1;
            }
        }
        // What rounding left over belongs to the far tails: the mode stands in for them.
        if (down.1 == 0 || down.0 < 1e-20) && (up.1 == most || up.0 < 1e-20) {
            return mode;
        }
    }
}

fn weighted(weights: &[f64], total: f64, rng: &mut Xoshiro256PlusPlus) -> usize {
    let mut left = unit(rng) * total;
    let found = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    found.unwrap_or(weights.len() - 1)
}

/// Attempts a second of all clients together, as long as none is refused; roughly, for workers of a
/// closed loop.
#[must_use]
pub fn mean_rate(host: &Host) -> f64 {
    host.clients.iter().map(|client| mean_rate_of(&client.arrivals)).sum()
}

fn mean_rate_of(arrivals: &Arrivals) -> f64 {
    match arrivals {
        // No more than all workers hold a port at any time, whatever their rate.
        Arrivals::ClosedLoop { workers, think } => f64::from(*workers) / mean_s(think).max(1e-3),
        Arrivals::Moving { rates, .. } => rates.most(),
        Arrivals::OnOff { rates_per_s, .. } => rates_per_s[0].max(rates_per_s[1]),
        Arrivals::RecordedLoop { workers, .. } => f64::from(*workers) * 1e3,
        open => rate_per_s(open).expect("open arrivals have a rate"),
    }
}

/// How far ahead most releases of `host` lie.
#[must_use]
pub fn typical_hold(world: &World, host: &Host) -> SimDuration {
    let of_client = |client: &Client| {
        let hold = HoldLaw::of(world, host, client).mostly_within_s();
        // Where sockets share ports, a TIME-WAIT that may be taken over is kept to its end.
        let kept = shares_ports(host) && client.can_end(Ending::Client);
        if kept { hold.max(host.time_wait.as_secs_f64()) } else { hold }
    };
    let longest = host.clients.iter().map(of_client).fold(0.0, f64::max);
    SimDuration::from_secs_f64(longest) + host.timer_grid.step(host.time_wait)
}

/// Mean of a law in seconds; of one without a mean, ten times its least value.
fn mean_s(law: &Distribution) -> f64 {
    law.mean_s().unwrap_or(match law {
        Distribution::Pareto { minimum, .. } => minimum.as_secs_f64() * 10.0,
        _ => 0.0,
    })
}
