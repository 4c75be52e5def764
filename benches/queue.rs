//! The event queue alone: one event out, one in, at a steady backlog.
//!
//! Releases lie 60 s and a lifetime of up to a second ahead, as in the engine. The
//! engine's calendar is held against the standard binary heap and a radix heap.
//! `cargo bench --bench queue`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use portsim::engine::Calendar;
use portsim::units::{SimDuration, SimTime};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

const EVENTS: u64 = 100_000;

trait Queue {
    fn push(&mut self, due: u64, item: u64);
    /// The next event due at or before `now`.
    fn pop_due(&mut self, now: u64) -> Option<u64>;
}

impl Queue for Calendar<u64> {
    fn push(&mut self, due: u64, item: u64) {
        Self::push(self, SimTime::from_nanos(due), item);
    }

    fn pop_due(&mut self, now: u64) -> Option<u64> {
        Self::pop_due(self, SimTime::from_nanos(now)).map(|entry| entry.1)
    }
}

/// The standard heap, with a running number for ties.
#[derive(Default)]
struct Heap {
    heap: BinaryHeap<Reverse<(u64, u64, u64)>>,
    pushed: u64,
}

impl Queue for Heap {
    fn push(&mut self, due: u64, item: u64) {
        self.heap.push(Reverse((due, self.pushed, item)));
        self.pushed += 1;
    }

    fn pop_due(&mut self, now: u64) -> Option<u64> {
        if self.heap.peek()?.0.0 > now {
            return None;
        }
        self.heap.pop().map(|entry| entry.0.2)
    }
}

/// A radix heap: buckets by the highest bit in which a key differs from the last one popped (Ahuja,
/// Mehlhorn, Orlin, Tarjan, JACM 37(2), 1990).
struct RadixHeap {
    buckets: Vec<Vec<(u64, u64)>>,
    last: u64,
}

impl RadixHeap {
    fn new() -> Self {
        Self { buckets: vec![Vec::new(); 65], last: 0 }
    }

    fn bucket(&self, due: u64) -> usize {
        64 - (due ^ self.last).leading_zeros() as usize
    }
}

impl Queue for RadixHeap {
    fn push(&mut self, due: u64, item: u64) {
        let bucket = self.bucket(due);
        self.buckets[bucket].push((due, item));
    }

    fn pop_due(&mut self, now: u64) -> Option<u64> {
        if self.buckets[0].is_empty() {
            let first = self.buckets.iter().position(|bucket| !bucket.is_empty())?;
            let least = self.buckets[first].iter().map(|entry| entry.0).min()?;
            if least > now {
                return None;
            }
            self.last = least;
            for entry in std::mem::take(&mut self.buckets[first]) {
                let bucket = self.bucket(entry.0);
                self.buckets[bucket].push(entry);
            }
        }
        self.buckets[0].pop().map(|entry| entry.1)
    }
}

/// Runs `EVENTS` releases and as many new holds through `queue`, `gap` nanoseconds apart.
fn churn(queue: &mut impl Queue, now: &mut u64, gap: u64, rng: &mut Xoshiro256PlusPlus) -> u64 {
    let mut sum = 0;
    for item in 0..EVENTS {
        *now += rng.next_u64() % (2 * gap);
        while let Some(item) = queue.pop_due(*now) {
            sum += item;
        }
        // Lifetimes up to about a second, the shorter ones likelier: what they cost is not measured.
        let life = (rng.next_u64() >> 34).min(rng.next_u64() >> 34);
        queue.push(*now + 60_000_000_000 + life, item);
    }
    sum
}

fn queues(c: &mut Criterion) {
    let mut group = c.benchmark_group("event queue");
    group.throughput(Throughput::Elements(EVENTS));
    group.sample_size(20);
    for backlog in [300_u64, 16_384, 1_000_000] {
        let gap = 61_000_000_000 / backlog;
        let calendar = Calendar::new(backlog, SimDuration::from_secs(63));
        bench(&mut group, "calendar", backlog, gap, calendar);
        bench(&mut group, "binary heap", backlog, gap, Heap::default());
        bench(&mut group, "radix heap", backlog, gap, RadixHeap::new());
    }
    group.finish();
}

fn bench(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    backlog: u64,
    gap: u64,
    mut queue: impl Queue,
) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut now = 0;
    // Until as much leaves as comes in.
    while now < 70_000_000_000 {
        churn(&mut queue, &mut now, gap, &mut rng);
    }
    group.bench_function(BenchmarkId::new(name, backlog), |b| {
        b.iter(|| churn(&mut queue, &mut now, gap, &mut rng));
    });
}

criterion_group!(benches, queues);
criterion_main!(benches);
