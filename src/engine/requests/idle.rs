//! The idle connections of one pool, in the orders in which they are taken and closed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::model::Take;

/// A connection at the time when it became idle: it is valid until it is idle no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    /// Its number.
    pub connection: u32,
    /// How often it has become idle, or ceased to be.
    pub epoch: u32,
}

/// Idle connections; those that were taken out are left in place until they are met.
#[derive(Clone, Debug, Default)]
pub(super) struct Idle {
    by_return: VecDeque<Stamp>,
    /// By when they were opened; only where they are taken or closed in that order.
    by_opening: BinaryHeap<Reverse<(u64, Stamp)>>,
    count: u32,
}

impl Idle {
    pub(super) const fn len(&self) -> u32 {
        self.count
    }

    /// A connection comes back that was the `opened`-th; `ordered` when they are asked for in that order.
    #[inline]
    pub(super) fn put(&mut self, stamp: Stamp, opened: u64, ordered: bool) {
        self.by_return.push_back(stamp);
        if ordered {
            self.by_opening.push(Reverse((opened, stamp)));
        }
        self.count += 1;
    }

    /// One is idle no more, by whatever way it was found.
    #[inline]
    pub(super) fn removed(&mut self, valid: impl Fn(Stamp) -> bool) {
        self.count -= 1;
        // No more dead entries than live ones: each is looked at a few times at most.
        let most = 2 * self.count as usize + 32;
        if self.by_return.len() > most {
            self.by_return.retain(|&stamp| valid(stamp));
        }
        if self.by_opening.len() > most {
            self.by_opening.retain(|&Reverse((_, stamp))| valid(stamp));
        }
    }

    /// The one that comes first in that order.
    #[inline]
    pub(super) fn first(&mut self, take: Take, valid: impl Fn(Stamp) -> bool) -> Option<Stamp> {
        match take {
            Take::Last => {
                while let Some(&stamp) = self.by_return.back() {
                    if valid(stamp) {
                        return Some(stamp);
                    }
                    self.by_return.pop_back();
                }
            }
            Take::Oldest => {
                while let Some(&stamp) = self.by_return.front() {
                    if valid(stamp) {
                        return Some(stamp);
                    }
                    self.by_return.pop_front();
                }
            }
            Take::First => {
                while let Some(&Reverse((_, stamp))) = self.by_opening.peek() {
                    if valid(stamp) {
                        return Some(stamp);
                    }
                    self.by_opening.pop();
                }
            }
        }
        None
    }
}
