//! Random streams: one for each purpose, all from one seed.
//!
//! A stream is named by (seed, replication, host, machine, client, purpose) and by nothing else, so
//! two variants of a scenario see the same demand: another selection algorithm, a longer
//! TIME-WAIT or one more client does not move anybody else's arrivals. Names, not positions, stand
//! for hosts and clients for the same reason.
//!
//! The generator is xoshiro256++ (Blackman, Vigna, "Scrambled linear pseudorandom number
//! generators", ACM TOMS 2021), which `rand` gives the same sequence on every machine. Its 256-bit
//! state is filled with four hashes of the stream's name.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::model::mix;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// When attempts are made; think times too.
    Arrivals = 1,
    /// How long connections last.
    Lifetimes = 2,
    /// Where they go.
    Destinations = 3,
    /// Who closes them.
    Endings = 4,
    /// Which port they get.
    Selection = 5,
    /// Where the timer grid lies.
    TimerPhase = 6,
    /// What is in use at a stationary start.
    Start = 7,
    /// How long after the first FIN the second comes.
    SecondFins = 8,
    /// How long programs wait before they try again.
    Retries = 9,
    /// Which ports a gateway gives out; where sequence numbers begin.
    Gateway = 10,
}

/// The streams of one machine in one replication.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    machine: u64,
}

impl Streams {
    /// The streams of machine number `machine` of the host called `host`.
    #[must_use]
    pub fn new(seed: u64, replication: u32, host: &str, machine: u32) -> Self {
        let run = mix(mix(seed).wrapping_add(u64::from(replication)));
        Self { machine: mix(mix(run ^ name(host)).wrapping_add(u64::from(machine))) }
    }

    /// The machine's own stream for `purpose`.
    #[must_use]
    pub fn of_machine(self, purpose: Purpose) -> Xoshiro256PlusPlus {
        self.stream(0, purpose)
    }

    /// The stream for `purpose` of the client called `client`.
    #[must_use]
    pub fn of_client(self, client: &str, purpose: Purpose) -> Xoshiro256PlusPlus {
        self.stream(name(client), purpose)
    }

    fn stream(self, client: u64, purpose: Purpose) -> Xoshiro256PlusPlus {
        let key = mix(self.machine ^ client).wrapping_add(purpose as u64);
        let mut state = [0; 32];
        for (index, word) in state.chunks_exact_mut(8).enumerate() {
            // Odd constants far apart keep the four words independent of each other.
            let salt = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(2 * index as u64 + 1);
            word.copy_from_slice(&mix(mix(key ^ salt).wrapping_add(salt)).to_le_bytes());
        }
        Xoshiro256PlusPlus::from_seed(state)
    }
}

/// A name as 64 bits (FNV-1a).
fn name(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(hash)
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn a_stream_depends_on_every_part_of_its_name() {
        let first = |s: Streams, client, purpose| s.of_client(client, purpose).next_u64();
        let base = Streams::new(1, 0, "host", 0);
        let mut seen = vec![first(base, "a", Purpose::Arrivals)];
        seen.push(first(base, "b", Purpose::Arrivals));
        seen.push(first(base, "a", Purpose::Lifetimes));
        for other in [
            Streams::new(2, 0, "host", 0),
            Streams::new(1, 1, "host", 0),
            Streams::new(1, 0, "other", 0),
            Streams::new(1, 0, "host", 1),
        ] {
            seen.push(first(other, "a", Purpose::Arrivals));
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    /// Results are promised to stay: whoever changes this changes every published figure.
    #[test]
    fn the_streams_are_unchanged_for_seed_1() {
        let mut stream = Streams::new(1, 0, "host", 0).of_client("client", Purpose::Arrivals);
        let drawn: Vec<u64> = (0..3).map(|_| stream.next_u64()).collect();
        assert_eq!(
            drawn,
            [9_014_929_969_998_168_183, 16_101_113_088_571_063_712, 7_675_959_869_617_339_083]
        );
    }
}
