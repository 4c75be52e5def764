//! Connections opened and held until no more can be.

use std::collections::HashSet;

use crate::testbed::Failure;
use crate::testbed::keeper::Keeper;
use crate::testbed::lab::{Lab, count};
use crate::testbed::socket::Local;
use crate::validate::{Destinations, Errors, Hold, How, Measured};

/// [`crate::validate::Experiment::Hold`].
pub(super) fn run(lab: &mut Lab<'_>, hold: &Hold) -> Result<Measured, Failure> {
    lab.serve(hold.to)?;
    let several = hold.sources > 1;
    let pairs: Vec<(Local, u32)> = (1..=hold.sources)
        .map(|source| Local::of(hold.how.call, source, several))
        .flat_map(|local| (0..hold.to.k).map(move |destination| (local, destination)))
        .collect();
    let held = fill(lab, &hold.how, &pairs, hold.round_robin)?;
    let ports: HashSet<u16> = held.ports.iter().flatten().copied().collect();
    Ok(Measured::Hold {
        per_pair: held.counts(),
        distinct_ports: u32::try_from(ports.len()).expect("ports are few"),
        errors: held.errors,
    })
}

/// Connections that were opened until no more could be, and are held.
pub(super) struct Held {
    /// The clients' ports, by pair of source address and destination.
    pub(super) ports: Vec<Vec<u16>>,
    /// What ended each pair.
    pub(super) errors: Errors,
    keeper: Keeper,
}

impl Held {
    /// How many they are, by pair.
    pub(super) fn counts(&self) -> Vec<u32> {
        let count = |ports: &Vec<u16>| u32::try_from(ports.len()).expect("a port comes once");
        self.ports.iter().map(count).collect()
    }

    /// Opens one connection more of pair `number`; says whether it came about.
    fn one_more(
        &mut self,
        lab: &Lab<'_>,
        how: &How,
        (local, destination): (Local, u32),
        number: usize,
    ) -> Result<bool, Failure> {
        match lab.open(how, local, destination)? {
            Ok(pair) => {
                self.ports[number].push(pair.port);
                self.keeper.keep(pair)?;
                Ok(true)
            }
            Err(refusal) => {
                count(&mut self.errors, refusal);
                Ok(false)
            }
        }
    }
}

/// Opens connections of all pairs until the first failure of each: pair by pair, or in turn.
fn fill(lab: &Lab<'_>, how: &How, pairs: &[(Local, u32)], in_turn: bool) -> Result<Held, Failure> {
    let ports = vec![Vec::new(); pairs.len()];
    let mut held = Held { ports, errors: Errors::new(), keeper: Keeper::new() };
    if !in_turn {
        for (number, &pair) in pairs.iter().enumerate() {
            while held.one_more(lab, how, pair, number)? {}
        }
        return Ok(held);
    }
    let mut going: Vec<usize> = (0..pairs.len()).collect();
    while !going.is_empty() {
        let mut still = Vec::new();
        for number in going {
            if held.one_more(lab, how, pairs[number], number)? {
                still.push(number);
            }
        }
        going = still;
    }
    Ok(held)
}

/// The same for each destination, one after the other, from one source address.
pub(super) fn fill_all(lab: &Lab<'_>, how: &How, to: Destinations) -> Result<Held, Failure> {
    let local = Local::of(how.call, 1, false);
    let pairs: Vec<(Local, u32)> = (0..to.k).map(|destination| (local, destination)).collect();
    fill(lab, how, &pairs, false)
}
