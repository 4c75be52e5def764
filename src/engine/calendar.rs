//! The future: a calendar queue of releases, made for keys that come in almost in order.
//!
//! A year of equal days, each an unsorted list; only today is sorted, when it begins. Connections
//! that open now are released about a hold from now, so a push lands in a day that was just written
//! to and a pop comes from the day at hand: a few additions each, no comparisons beyond the handful
//! of entries of one day. What lies beyond the year waits in a heap.
//!
//! Chosen by measurement against the standard binary heap and a radix heap (`benches/queue.rs`).
//! Source: Brown, "Calendar queues: a fast O(1) priority queue implementation for the simulation
//! event set problem", CACM 31(10), 1988; here without resizing, since a scenario tells in advance
//! how many entries there will be and how far ahead they lie.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::units::{SimDuration, SimTime};

/// A queue of `T`s by due time. Entries due together leave in the order they were pushed.
#[derive(Clone, Debug)]
pub struct Calendar<T> {
    /// A day is `2^day_bits` nanoseconds.
    day_bits: u32,
    /// One list a day; a power of two of them.
    days: Vec<Vec<(u64, T)>>,
    /// Number of the day whose entries are in `today`, counted from the start of the run.
    day: u64,
    /// Sorted by due time; `today[next..]` is still to leave.
    today: Vec<(u64, T)>,
    next: usize,
    /// Entries in `days`.
    ahead: usize,
    /// What lies beyond the year, with a running number so that ties keep their order.
    far: BinaryHeap<Reverse<(u64, u64, T)>>,
    pushed_far: u64,
}

/// A list keeps the memory of so many entries at least when its day is over, and of more where there are few.
const MOST_KEPT: usize = 512;
const ENTRIES_KEPT: usize = 1 << 22;

/// Entries a day that a calendar is laid out for: few enough to sort in passing, many enough that
/// no time is lost on empty days.
const ENTRIES_A_DAY: u64 = 8;

impl<T: Copy + Ord> Calendar<T> {
    /// A calendar for about `entries` entries at a time, most of them less than `ahead` away.
    #[must_use]
    pub fn new(entries: u64, ahead: SimDuration) -> Self {
        let mut new = Self {
            day_bits: 0,
            days: Vec::new(),
            day: 0,
            today: Vec::new(),
            next: 0,
            ahead: 0,
            far: BinaryHeap::new(),
            pushed_far: 0,
        };
        new.start_again(entries, ahead);
        new
    }

    /// Empties the calendar and lays it out anew, at time zero; its memory is kept.
    pub fn start_again(&mut self, entries: u64, ahead: SimDuration) {
        let days = (entries / ENTRIES_A_DAY).clamp(16, 1 << 20).next_power_of_two();
        let day = (ahead.as_nanos() / days + 1).clamp(1, 1 << 62).next_power_of_two();
        self.day_bits = day.trailing_zeros();
        self.days.resize_with(days as usize, Vec::new);
        self.days.iter_mut().for_each(Vec::clear);
        (self.day, self.next, self.ahead, self.pushed_far) = (0, 0, 0, 0);
        self.today.clear();
        self.far.clear();
    }

    /// Entries waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.today.len() - self.next + self.ahead + self.far.len()
    }

    /// Is nothing waiting?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds `item`, due at `due`. What is due before the last entry that left leaves next.
    #[inline(always)] // Once a connection.
    pub fn push(&mut self, due: SimTime, item: T) {
        let due = due.as_nanos();
        let day = due >> self.day_bits;
        if day > self.day && day - self.day < self.days.len() as u64 {
            let index = day as usize & (self.days.len() - 1);
            self.days[index].push((due, item));
            self.ahead += 1;
        } else {
            self.push_elsewhere(due, item);
        }
    }

    /// Adds what is due today or beyond the year.
    #[inline(never)]
    fn push_elsewhere(&mut self, due: u64, item: T) {
        if due >> self.day_bits > self.day {
            self.far.push(Reverse((due, self.pushed_far, item)));
            self.pushed_far += 1;
        } else {
            // After everything that is due no later: ties keep their order.
            let at = self.next + self.today[self.next..].partition_point(|entry| entry.0 <= due);
            self.today.insert(at, (due, item));
        }
    }

    /// The next entry, if it is due at `now` or before.
    #[inline(always)] // Twice an attempt, and mostly a look at one entry.
    pub fn pop_due(&mut self, now: SimTime) -> Option<(SimTime, T)> {
        let now = now.as_nanos();
        loop {
            if let Some(&(due, item)) = self.today.get(self.next) {
                if due > now {
                    return None;
                }
                self.next += 1;
                return Some((SimTime::from_nanos(due), item));
            }
            if self.day >= now >> self.day_bits {
                return None;
            }
            self.turn_page(now >> self.day_bits);
        }
    }

    /// When the next entry is due.
    #[must_use]
    pub fn next_due(&mut self) -> Option<SimTime> {
        while self.next == self.today.len() && !self.is_empty() {
            self.turn_page(u64::MAX >> self.day_bits);
        }
        self.today.get(self.next).map(|entry| SimTime::from_nanos(entry.0))
    }

    /// Goes to the next day; where the days ahead are all empty, to the day of the first entry that
    /// is far, or to `latest`, whichever comes first.
    #[inline(never)]
    fn turn_page(&mut self, latest: u64) {
        let next_day = if self.ahead > 0 {
            self.day + 1
        } else {
            let far = self.far.peek().map_or(u64::MAX, |entry| entry.0.0 >> self.day_bits);
            far.min(latest).max(self.day + 1)
        };
        self.day = next_day;
        self.next = 0;
        self.today.clear();
        let last_index = self.days.len() - 1;
        // Entries that are all due at one point of a timer grid make a huge day, each time another one: kept,
        // their memory would grow for as long as the run does.
        if self.today.capacity() > MOST_KEPT.max(ENTRIES_KEPT / self.days.len()) {
            self.today = Vec::new();
        }
        std::mem::swap(&mut self.today, &mut self.days[next_day as usize & last_index]);
        self.ahead -= self.today.len();
        let year_end = next_day.saturating_add(self.days.len() as u64);
        while let Some(&Reverse((due, _, item))) = self.far.peek() {
            let day = due >> self.day_bits;
            if day >= year_end {
                break;
            }
            self.far.pop();
            if day == next_day {
                self.today.push((due, item));
            } else {
                self.days[day as usize & last_index].push((due, item));
                self.ahead += 1;
            }
        }
        // Stable, and quick on what a timer grid makes: entries that are all due together.
        sort_by_due(&mut self.today);
    }
}

/// Sorts stably by due time: a day's handful by insertion, more by the standard sort.
fn sort_by_due<T: Copy>(entries: &mut [(u64, T)]) {
    if entries.len() > 24 {
        entries.sort_by_key(|entry| entry.0);
        return;
    }
    for end in 1..entries.len() {
        let entry = entries[end];
        let mut at = end;
        while at > 0 && entries[at - 1].0 > entry.0 {
            entries[at] = entries[at - 1];
            at -= 1;
        }
        entries[at] = entry;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Law: whatever is pushed and popped when, the calendar does what a sorted list does, and
        /// ties leave in the order they were pushed.
        #[test]
        fn it_leaves_in_order_and_keeps_ties(
            steps in prop::collection::vec((0_u64..5_000, 0_u64..40, any::<bool>()), 1..400),
            entries in 1_u64..200,
            ahead in 1_u64..3_000,
        ) {
            let mut calendar = Calendar::new(entries, SimDuration::from_nanos(ahead));
            let mut list: Vec<(u64, usize)> = Vec::new();
            let mut now = 0;
            for (number, (delay, step, far)) in steps.into_iter().enumerate() {
                let due = now + if far { delay * 50 } else { delay % 60 };
                calendar.push(SimTime::from_nanos(due), number);
                list.push((due, number));
                list.sort_by_key(|entry| entry.0);
                now += step;
                while let Some((due, item)) = calendar.pop_due(SimTime::from_nanos(now)) {
                    prop_assert_eq!((due.as_nanos(), item), list.remove(0));
                }
                prop_assert!(list.first().is_none_or(|entry| entry.0 > now));
                prop_assert_eq!(calendar.len(), list.len());
            }
            while let Some(due) = calendar.next_due() {
                let (_, item) = calendar.pop_due(due).unwrap();
                prop_assert_eq!((due.as_nanos(), item), list.remove(0));
            }
            prop_assert!(list.is_empty());
        }
    }

    #[test]
    fn the_far_future_is_reached_in_one_step() {
        let mut calendar = Calendar::new(10, SimDuration::from_nanos(100));
        calendar.push(SimTime::from_nanos(u64::MAX - 1), 1);
        calendar.push(SimTime::from_nanos(1 << 60), 2);
        assert_eq!(calendar.pop_due(SimTime::from_nanos(1 << 61)).unwrap().1, 2);
        assert_eq!(calendar.pop_due(SimTime::FAR_FUTURE).unwrap().1, 1);
        assert!(calendar.pop_due(SimTime::FAR_FUTURE).is_none());
    }
}
