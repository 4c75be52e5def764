//! Steps one after the other on one machine, and one port over and over.

use std::collections::HashSet;

use crate::testbed::Failure;
use crate::testbed::lab::{Lab, MOST_OPENED, count};
use crate::testbed::pair::Pair;
use crate::testbed::socket::{Local, source_address};
use crate::validate::{Destinations, Ending, Errors, How, Measured, Step, StepMeasured};

/// [`crate::validate::Experiment::Mix`].
pub(super) fn mix(
    lab: &mut Lab<'_>,
    to: Destinations,
    steps: &[Step],
) -> Result<Measured, Failure> {
    lab.serve(to)?;
    let mut held: Vec<Vec<Pair>> = Vec::new();
    let mut measured = Vec::new();
    // Servers that never close.
    let mut silent = Vec::new();
    for step in steps {
        let mut kept = Vec::new();
        measured.push(match step {
            Step::Release { release } => abort(std::mem::take(&mut held[*release]))?,
            Step::Open { how, dst, count, close, source, wait } => {
                lab.clock.sleep_until(lab.clock.now() + wait)?;
                let local = Local::of(how.call, *source, *source != 1);
                let mut opening = Opening::new(lab);
                for _ in 0..count.unwrap_or(MOST_OPENED) {
                    match lab.open(how, local, *dst)? {
                        Ok(pair) => {
                            opening.saw(pair.port);
                            match close {
                                Some(close) => silent.extend(pair.close(*close)?),
                                None => kept.push(pair),
                            }
                        }
                        Err(refusal) => {
                            opening.step.error = Some(refusal.to_string());
                            break;
                        }
                    }
                }
                opening.step
            }
        });
        held.push(kept);
    }
    Ok(Measured::Mix { steps: measured })
}

fn abort(pairs: Vec<Pair>) -> Result<StepMeasured, Failure> {
    let mut step = StepMeasured::default();
    for pair in pairs {
        pair.close(Ending::Reset)?;
        step.opened += 1;
    }
    Ok(step)
}

/// Counts what a step opens.
struct Opening {
    step: StepMeasured,
    seen: HashSet<u16>,
    lo: u16,
}

impl Opening {
    fn new(lab: &Lab<'_>) -> Self {
        Self { step: StepMeasured::default(), seen: HashSet::new(), lo: lab.setup.lo }
    }

    fn saw(&mut self, port: u16) {
        self.step.opened += 1;
        if self.seen.insert(port) {
            self.step.distinct_ports += 1;
            self.step.low_parity += u32::from(port % 2 == self.lo % 2);
        }
    }
}

/// [`crate::validate::Experiment::Fixed`].
pub(super) fn fixed(
    lab: &mut Lab<'_>,
    port: u16,
    cycles: u32,
    reuse_address: bool,
    close: Ending,
) -> Result<Measured, Failure> {
    lab.serve(Destinations { k: 1, by_address: false })?;
    let how = How { reuse_address, ..How::default() };
    let mut ok = 0;
    let mut errors = Errors::new();
    let mut silent = Vec::new();
    for _ in 0..cycles {
        match lab.open(&how, Local::Port(source_address(1), port), 0)? {
            Ok(pair) => {
                ok += 1;
                silent.extend(pair.close(close)?);
            }
            Err(refusal) => count(&mut errors, refusal),
        }
    }
    Ok(Measured::Fixed { ok, errors })
}
