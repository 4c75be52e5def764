//! Which ports are taken, in which order.

use std::collections::BTreeMap;

use crate::kernel::Failure;
use crate::kernel::keeper::Keeper;
use crate::kernel::lab::{Lab, MOST_OPENED};
use crate::kernel::socket::Local;
use crate::trial::{Call, Close, Measured, Order, OrderMeasured};

/// So many ports of each destination are told.
const TOLD: usize = 100;

/// The next port of an empty range is at most so far up: a step that `connect()` draws.
const LONGEST_STEP: u32 = 16;

/// [`crate::trial::Experiment::Order`].
pub(super) fn run(lab: &mut Lab<'_>, order: &Order) -> Result<Measured, Failure> {
    lab.serve(order.to)?;
    let local = Local::of(order.how.call, 1, false);
    let mut seen: Vec<Vec<(f64, u32)>> = vec![Vec::new(); order.to.k as usize];
    let mut ended = vec![false; seen.len()];
    let mut keeper = Keeper::new();
    let mut due = 0.0;
    for _ in 0..order.count.unwrap_or(MOST_OPENED) {
        for destination in 0..order.to.k {
            let number = destination as usize;
            if ended[number] {
                continue;
            }
            lab.clock.sleep_until(due)?;
            due += order.gap;
            match lab.open(&order.how, local, destination)? {
                Ok(pair) => {
                    seen[number].push((lab.clock.now(), lab.above_lo(pair.port)));
                    if order.abort {
                        pair.close(Close::Rst)?;
                    } else {
                        keeper.keep(pair)?;
                    }
                }
                Err(_) => ended[number] = true,
            }
        }
        if ended.iter().all(|&ended| ended) {
            break;
        }
    }
    let steady = order.abort && order.how.call != Call::Bind;
    Ok(Measured::Order {
        destinations: seen.iter().map(|seen| summary(seen, lab.setup.n, steady)).collect(),
    })
}

/// What is to say of the ports of a destination: when and which. `steady` when the range stays empty and
/// `connect()` chooses, so that no step should be a long one.
fn summary(seen: &[(f64, u32)], n: u32, steady: bool) -> OrderMeasured {
    let mut deltas: BTreeMap<u32, u32> = BTreeMap::new();
    let mut jumps = Vec::new();
    for two in seen.windows(2) {
        let delta = (two[1].1 + n - two[0].1) % n;
        *deltas.entry(delta).or_default() += 1;
        if steady && delta > LONGEST_STEP {
            jumps.push((two[1].0, delta));
        }
    }
    let mut deltas: Vec<(u32, u32)> = deltas.into_iter().collect();
    deltas.sort_by_key(|&(delta, count)| (std::cmp::Reverse(count), delta));
    let number = |count: usize| u32::try_from(count).expect("bounded by MOST_OPENED");
    OrderMeasured {
        count: number(seen.len()),
        ports_minus_lo: seen.iter().take(TOLD).map(|&(_, port)| port).collect(),
        first_index_of_other_parity: seen.iter().position(|(_, port)| port % 2 == 1).map(number),
        in_low_parity: number(seen.iter().filter(|(_, port)| port % 2 == 0).count()),
        deltas,
        jumps_over_16: jumps,
    }
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn steps_are_counted_round_the_range_and_jumps_are_told() {
        let seen = [(0.0, 0), (0.1, 6), (0.2, 12), (0.3, 60), (0.4, 2)];
        let told = summary(&seen, 64, true);
        assert_eq!(told.deltas, [(6, 3), (48, 1)]);
        assert_eq!(told.jumps_over_16, [(0.3, 48)]);
        assert_eq!((told.count, told.in_low_parity), (5, 5));
        assert_eq!(told.first_index_of_other_parity, None);
    }
}
