//! How long `connect()` takes.

use std::time::Instant;

use crate::testbed::Failure;
use crate::testbed::keeper::Keeper;
use crate::testbed::lab::Lab;
use crate::testbed::socket::{Local, bound_wait, connect_to, prepare};
use crate::validate::{CostLevel, Destinations, Ending, How, Measured};

/// [`crate::validate::Experiment::Cost`].
pub(super) fn run(lab: &mut Lab<'_>, levels: &[f64], reps: u32) -> Result<Measured, Failure> {
    lab.serve(Destinations { k: 1, by_address: false })?;
    let (mut keeper, mut held) = (Keeper::new(), 0);
    let mut measured = Vec::new();
    for &level in levels {
        let wanted = f64::from(lab.setup.n) * level / 100.0;
        // Of an odd range, one port may not be to be had.
        while f64::from(held + 1) <= wanted
            && let Ok(pair) = lab.open(&How::default(), Local::Unbound, 0)?
        {
            keeper.keep(pair)?;
            held += 1;
        }
        let mut ok = 0;
        let mut times_us = Vec::new();
        for _ in 0..reps {
            let (took, came_about) = one(lab)?;
            times_us.push(took);
            ok += u32::from(came_about);
        }
        times_us.sort_by(f64::total_cmp);
        measured.push(CostLevel {
            fill_percent: level,
            held,
            ok,
            median_us: quantile(&times_us, 0.5),
            p90_us: quantile(&times_us, 0.9),
        });
    }
    Ok(Measured::Cost { levels: measured })
}

/// Times one call; the connection is aborted.
fn one(lab: &Lab<'_>) -> Result<(f64, bool), Failure> {
    lab.clock.go_on()?;
    let broken = |why: String| Failure::System { doing: "preparing a socket".to_owned(), why };
    let fd = prepare(&How::default(), Local::Unbound)?.map_err(|r| broken(r.to_string()))?;
    bound_wait(&fd)?;
    let server = lab.server(0);
    let began = Instant::now();
    let connected = connect_to(&fd, server.address)?;
    let took_us = began.elapsed().as_secs_f64() * 1e6;
    if connected.is_ok() {
        server.connected(fd)?.close(Ending::Reset)?;
    }
    Ok((took_us, connected.is_ok()))
}

/// The least value that this share of them does not exceed; 0 of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn nine_of_ten_are_at_most_the_ninth() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!(quantile(&ten, 0.9).to_bits(), 9.0_f64.to_bits());
        assert_eq!(quantile(&ten, 0.5).to_bits(), 5.0_f64.to_bits());
        assert_eq!(quantile(&[], 0.5).to_bits(), 0.0_f64.to_bits());
    }
}
