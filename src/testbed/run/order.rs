//! Which ports are taken, in which order.

use crate::testbed::Failure;
use crate::testbed::keeper::Keeper;
use crate::testbed::lab::{Lab, MOST_OPENED};
use crate::testbed::socket::Local;
use crate::validate::{Ending, Measured, Order, order_of};

/// [`crate::validate::Experiment::Order`].
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
                        pair.close(Ending::Reset)?;
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
    let destinations = seen.into_iter().map(|seen| {
        let (times, ports): (Vec<f64>, Vec<u32>) = seen.into_iter().unzip();
        order_of(lab.setup.n, ports, &times, order.gap > 0.0)
    });
    Ok(Measured::Order { destinations: destinations.collect() })
}
