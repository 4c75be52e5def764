//! TIME-WAITs at the server's end of connections over loopback: buckets of this machine, though they hold no
//! port of the range.

use std::collections::{HashMap, VecDeque};

use crate::units::SimTime;

/// Those that there are.
#[derive(Clone, Debug, Default)]
pub struct ServerWaits {
    /// By the client's place: which of all there have been.
    numbers: HashMap<u32, u64>,
    /// When each is over, rising, with its place and number; what a new SYN ended is among them.
    over: VecDeque<(SimTime, u32, u64)>,
    /// How many there have been.
    count: u64,
}

impl ServerWaits {
    /// One begins at the server's end of the connection of `place`, until `over`.
    pub fn begin(&mut self, place: u32, over: SimTime) {
        self.count += 1;
        self.numbers.insert(place, self.count);
        self.over.push_back((over, place, self.count));
    }

    /// A new SYN of `place` ends the one that was there. Tells whether there was one.
    ///
    /// `net/ipv4/tcp_minisocks.c:tcp_timewait_state_process`, TCP_TW_SYN.
    #[inline]
    pub fn end(&mut self, place: u32) -> bool {
        !self.numbers.is_empty() && self.numbers.remove(&place).is_some()
    }

    /// Lets those end that are over at `now`. Tells how many did.
    pub fn end_until(&mut self, now: SimTime) -> u32 {
        let mut ended = 0;
        while let Some((_, place, number)) = self.over.pop_front_if(|first| first.0 <= now) {
            if self.numbers.get(&place) == Some(&number) {
                self.numbers.remove(&place);
                ended += 1;
            }
        }
        ended
    }
}
