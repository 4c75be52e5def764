//! Demand: the attempts that the clients of one machine make, in the order of time.
//!
//! A client with open arrivals is a stream: its attempts are drawn some hundred at a time, each
//! property in a straight loop from its own random stream, and they are the same whatever becomes
//! of them. Workers of a closed loop come back when their connection is closed, so they wait in a
//! queue.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use rand::rngs::Xoshiro256PlusPlus;

use super::calendar::Calendar;
use super::random::Purpose;
use super::sample::{Exponential, Sampler, exponential, unit};
use super::target::Targets;
use crate::model::{
    Arrivals, Attempt, Client, Distribution, Ending, Remote, Spacing, TraceAttempt, Tuple,
};
use crate::units::{NANOS_PER_SECOND, SimDuration, SimTime};

/// Attempts drawn at a time: enough to keep the loops straight, few enough for the cache.
pub const BATCH: usize = 128;

/// What the clients of `job`'s machine attempt before `until`, at most `most` of it; for arrivals that do not
/// depend on what becomes of them.
#[must_use]
pub fn recorded(job: super::Job<'_>, until: SimTime, most: usize) -> Vec<Attempt> {
    let mut clients = Clients::new(job);
    let (mut drawn, mut all) = (Batch::default(), Vec::new());
    loop {
        clients.next_attempts(&mut drawn);
        let batch = &drawn.attempts;
        let before = batch.partition_point(|attempt| attempt.at < until);
        all.extend_from_slice(&batch[..before]);
        if before < batch.len() || batch.is_empty() || all.len() >= most {
            all.truncate(most);
            return all;
        }
    }
}

/// Those who ask a machine for ports.
pub trait Demand {
    /// Puts the next attempts into `into`, in the order of time: some hundred at most, or a single one where
    /// what becomes of it decides what comes next. None when nobody asks any more.
    fn next_attempts(&mut self, into: &mut Batch);

    /// What became of an attempt, told before anything later happens.
    fn hear(&mut self, attempt: &Attempt, became: Became);
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It was refused.
    Refused,
    /// It got a port.
    Opened {
        /// When its client has it behind it: at the first FIN, or when it is given up.
        closes: SimTime,
    },
}

/// Attempts in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// Time from the first FIN of each to the other side's; empty where that is always zero. Apart, for
    /// every byte of an attempt shows in the loop.
    pub second_fins: Vec<SimDuration>,
}

/// All clients of one machine.
#[derive(Clone, Debug)]
pub struct Clients {
    clients: Vec<ClientStream>,
    has_workers: bool,
    /// Does any client have a time between its two FINs?
    has_second_fins: bool,
    /// Where there are several clients: the time of the next attempt of each.
    heads: BinaryHeap<Reverse<(SimTime, u16)>>,
    /// The client whose attempt was taken last. It waits for the next one only when that is asked
    /// for, since it may depend on what has become of this one.
    last: Option<u16>,
}

/// The attempts of one client.
#[derive(Clone, Debug)]
struct ClientStream {
    number: u16,
    arrivals: Source,
    lifetime: Sampler,
    lifetimes: Xoshiro256PlusPlus,
    /// The time from the first FIN to the second, where it is not always zero.
    second_fin: Option<(Sampler, Xoshiro256PlusPlus)>,
    endings: Endings,
    targets: Targets,
    /// Attempts drawn and not yet made.
    batch: Vec<Attempt>,
    /// The time between the two FINs of each, where it is not always zero.
    second_fins: Vec<SimDuration>,
    made: usize,
}

/// Where arrival times come from.
#[derive(Clone, Debug)]
enum Source {
    Open(OpenArrivals),
    Workers(Workers),
    Trace { attempts: Arc<[TraceAttempt]>, made: usize },
}

impl Clients {
    /// The clients on the machine of `job`.
    ///
    /// # Panics
    /// When the host has more than 65,536 clients.
    #[must_use]
    pub fn new(job: super::Job<'_>) -> Self {
        let clients = job.host().clients.iter().enumerate().map(|(number, client)| {
            let number = u16::try_from(number).expect("at most 65,536 clients on a host");
            ClientStream::new(number, job, client)
        });
        let clients: Vec<ClientStream> = clients.collect();
        let has_workers = clients.iter().any(|c| matches!(c.arrivals, Source::Workers(_)));
        let has_second_fins = clients.iter().any(|client| client.second_fin.is_some());
        let (heads, last) = (BinaryHeap::new(), None);
        let mut new = Self { clients, has_workers, has_second_fins, heads, last };
        if new.clients.len() > 1 {
            (0..new.clients.len()).for_each(|client| new.wait(client as u16));
        }
        new
    }

    /// Puts a batch of attempts of clients that do not listen into `into`.
    fn merge(&mut self, into: &mut Batch) {
        while into.attempts.len() < BATCH {
            let Some(&Reverse((_, client))) = self.heads.peek() else { return };
            self.take_next(client, into);
            let next = self.clients[usize::from(client)].peek();
            let mut head = self.heads.peek_mut().expect("it was there a moment ago");
            match next {
                Some(at) => *head = Reverse((at, client)),
                None => drop(PeekMut::pop(head)),
            }
        }
    }

    /// Moves the next attempt of a client to `into`.
    fn take_next(&mut self, client: u16, into: &mut Batch) {
        let stream = &mut self.clients[usize::from(client)];
        into.attempts.extend(stream.next_attempt());
        if self.has_second_fins {
            let second_fin = stream.second_fins.get(stream.made - 1);
            into.second_fins.push(second_fin.copied().unwrap_or(SimDuration::ZERO));
        }
    }

    /// Lets a client wait for the time of its next attempt, if it has one.
    fn wait(&mut self, client: u16) {
        let next = self.clients[usize::from(client)].peek();
        self.heads.extend(next.map(|at| Reverse((at, client))));
    }
}

impl Demand for Clients {
    /// Simultaneous ones in the order of the clients.
    fn next_attempts(&mut self, into: &mut Batch) {
        into.attempts.clear();
        into.second_fins.clear();
        if let [only] = &mut self.clients[..] {
            only.draw_batch();
            std::mem::swap(&mut into.attempts, &mut only.batch);
            std::mem::swap(&mut into.second_fins, &mut only.second_fins);
            return;
        }
        if !self.has_workers {
            return self.merge(into);
        }
        // What becomes of an attempt may decide which is the next.
        if let Some(client) = self.last.take() {
            self.wait(client);
        }
        let Some(Reverse((_, client))) = self.heads.pop() else { return };
        self.take_next(client, into);
        self.last = Some(client);
    }

    #[inline(always)]
    fn hear(&mut self, attempt: &Attempt, became: Became) {
        if !self.has_workers {
            return;
        }
        if let Source::Workers(workers) = &mut self.clients[usize::from(attempt.client)].arrivals {
            workers.think(match became {
                Became::Refused => attempt.at,
                Became::Opened { closes } => closes,
            });
        }
    }
}

impl ClientStream {
    fn new(number: u16, job: super::Job<'_>, client: &Client) -> Self {
        let streams = job.streams();
        let arrivals = streams.of_client(&client.name, Purpose::Arrivals);
        let destinations = streams.of_client(&client.name, Purpose::Destinations);
        Self {
            number,
            arrivals: Source::new(&client.arrivals, arrivals),
            lifetime: Sampler::new(&client.lifetime),
            lifetimes: streams.of_client(&client.name, Purpose::Lifetimes),
            second_fin: (client.second_fin != Distribution::Constant(SimDuration::ZERO)).then(
                || {
                    let rng = streams.of_client(&client.name, Purpose::SecondFins);
                    (Sampler::new(&client.second_fin), rng)
                },
            ),
            endings: Endings::new(client, streams.of_client(&client.name, Purpose::Endings)),
            targets: Targets::new(job.world, job.host, client, destinations),
            batch: Vec::with_capacity(BATCH),
            second_fins: Vec::new(),
            made: 0,
        }
    }

    fn next_attempt(&mut self) -> Option<Attempt> {
        if self.made == self.batch.len() {
            self.draw_batch();
        }
        let attempt = self.batch.get(self.made).copied();
        self.made += 1;
        attempt
    }

    fn peek(&mut self) -> Option<SimTime> {
        if self.made == self.batch.len() {
            self.draw_batch();
        }
        self.batch.get(self.made).map(|attempt| attempt.at)
    }

    fn draw_batch(&mut self) {
        self.made = 0;
        self.batch.clear();
        let blank = Attempt {
            at: SimTime::START,
            lifetime: SimDuration::ZERO,
            tuple: self.targets.only().map_or(Tuple::default(), |only| only.0),
            ending: self.endings.only().unwrap_or(Ending::Never),
            remote: self.targets.only().map_or(Remote::Answers, |only| only.1),
            client: self.number,
        };
        match &mut self.arrivals {
            Source::Open(open) => {
                self.batch.resize(BATCH, blank);
                open.fill(&mut self.batch);
            }
            // A worker's next attempt may depend on this one, so there is no more than one.
            Source::Workers(workers) => {
                self.batch.extend(workers.next().map(|at| Attempt { at, ..blank }));
            }
            Source::Trace { attempts, made } => {
                let next = attempts[*made..].iter().take(BATCH);
                self.batch.extend(next.map(|recorded| Attempt { at: recorded.at, ..blank }));
            }
        }
        let lifetimes = self.batch.iter_mut().map(|attempt| &mut attempt.lifetime);
        self.lifetime.fill(lifetimes, &mut self.lifetimes);
        if self.endings.only().is_none() {
            self.endings.fill(&mut self.batch);
        }
        if let Some((law, rng)) = &mut self.second_fin {
            self.second_fins.clear();
            self.second_fins.resize(self.batch.len(), SimDuration::ZERO);
            law.fill(self.second_fins.iter_mut(), rng);
        }
        if self.targets.only().is_none() && !self.arrivals.records_destinations() {
            self.targets.fill(&mut self.batch);
        }
        self.as_recorded();
    }

    /// Lets what was recorded of the attempts of a trace count before what was drawn.
    fn as_recorded(&mut self) {
        let Source::Trace { attempts, made } = &mut self.arrivals else { return };
        for (attempt, recorded) in self.batch.iter_mut().zip(&attempts[*made..]) {
            attempt.lifetime = recorded.lifetime.unwrap_or(attempt.lifetime);
            attempt.ending = recorded.ending.unwrap_or(attempt.ending);
            if let Some((target, endpoint)) = recorded.to {
                self.targets.direct(attempt, usize::from(target), endpoint, recorded.source);
            }
        }
        *made += self.batch.len();
    }
}

impl Source {
    fn new(arrivals: &Arrivals, rng: Xoshiro256PlusPlus) -> Self {
        let second = NANOS_PER_SECOND as f64;
        let law = match *arrivals {
            Arrivals::Poisson { rate_per_s } => OpenLaw::Poisson { mean_gap: second / rate_per_s },
            Arrivals::Constant { rate_per_s } => OpenLaw::Constant { gap: second / rate_per_s },
            Arrivals::Batches { every, size, spacing } => {
                OpenLaw::Batches { every, size, left: size, spacing }
            }
            Arrivals::Trace(ref attempts) => {
                return Self::Trace { attempts: Arc::clone(attempts), made: 0 };
            }
            Arrivals::ClosedLoop { workers, ref think } => {
                return Self::Workers(Workers::new(workers, Sampler::new(think), rng));
            }
        };
        let mut open = OpenArrivals { law, rng, next: 0, count: 0 };
        if let OpenLaw::Poisson { mean_gap } = law {
            let gap = exponential(&mut open.rng) * mean_gap;
            open.advance_by(gap);
        }
        Self::Open(open)
    }

    /// Is it a record that says of every attempt where it went?
    fn records_destinations(&self) -> bool {
        match self {
            Self::Trace { attempts, .. } => {
                attempts.first().is_some_and(|first| first.to.is_some())
            }
            _ => false,
        }
    }
}

/// Arrivals that do not depend on what becomes of them.
#[derive(Clone, Debug)]
struct OpenArrivals {
    law: OpenLaw,
    rng: Xoshiro256PlusPlus,
    /// The next arrival, in parts of a nanosecond: with whole ones, rounding would shift high rates.
    next: u64,
    /// Arrivals so far.
    count: u64,
}

#[derive(Clone, Copy, Debug)]
enum OpenLaw {
    Poisson { mean_gap: f64 },
    Constant { gap: f64 },
    Batches { every: SimDuration, size: u32, left: u32, spacing: Spacing },
}

impl OpenArrivals {
    fn fill(&mut self, batch: &mut [Attempt]) {
        match self.law {
            OpenLaw::Poisson { mean_gap } => {
                let law = Exponential::new();
                for attempt in batch {
                    attempt.at = self.at();
                    let gap = law.draw(&mut self.rng) * mean_gap;
                    self.advance_by(gap);
                }
            }
            OpenLaw::Constant { gap } => {
                for attempt in batch {
                    // From the start each time, so that errors do not add up.
                    attempt.at = SimTime::from_nanos((self.count as f64 * gap + 0.5) as u64);
                    self.count += 1;
                }
            }
            OpenLaw::Batches { .. } => batch.iter_mut().for_each(|attempt| {
                attempt.at = self.at();
                self.advance_batches();
            }),
        }
    }

    fn advance_batches(&mut self) {
        let OpenLaw::Batches { every, size, ref mut left, spacing } = self.law else { return };
        *left -= 1;
        if *left == 0 {
            *left = size;
            let gap = every.as_nanos() as f64;
            match spacing {
                Spacing::Constant => self.advance_by(gap),
                Spacing::Poisson => {
                    let gap = gap * exponential(&mut self.rng);
                    self.advance_by(gap);
                }
            }
        }
    }

    /// The next arrival, rounded down to a nanosecond.
    #[inline]
    const fn at(&self) -> SimTime {
        SimTime::from_nanos(self.next >> PART_BITS)
    }

    /// Moves on by `gap` nanoseconds, rounded to the nearest part.
    #[inline]
    fn advance_by(&mut self, gap: f64) {
        // `as` saturates; the sum stops at 18 years, after every run's end.
        let parts = (gap * PARTS + 0.5) as i64 as u64;
        self.next = self.next.saturating_add(parts);
    }
}

/// A nanosecond has `2^PART_BITS` parts.
const PART_BITS: u32 = 5;
const PARTS: f64 = (1_u64 << PART_BITS) as f64;

/// The workers of a closed loop that are thinking.
#[derive(Clone, Debug)]
struct Workers {
    think: Sampler,
    rng: Xoshiro256PlusPlus,
    ready: Calendar<()>,
}

impl Workers {
    /// All workers begin to think at the start of the run.
    fn new(workers: u32, think: Sampler, rng: Xoshiro256PlusPlus) -> Self {
        let mut probe = rng.clone();
        let typical = (0..16).map(|_| think.sample(&mut probe) / 16).sum::<u64>();
        let ahead = SimDuration::from_nanos(typical.saturating_mul(2));
        let mut new = Self { think, rng, ready: Calendar::new(u64::from(workers), ahead) };
        (0..workers).for_each(|_| new.think(SimTime::START));
        new
    }

    fn think(&mut self, from: SimTime) {
        let ready = from + SimDuration::from_nanos(self.think.sample(&mut self.rng));
        self.ready.push(ready, ());
    }

    fn next(&mut self) -> Option<SimTime> {
        let due = self.ready.next_due()?;
        self.ready.pop_due(due).map(|entry| entry.0)
    }
}

/// Who closes: always the same, or a mix.
#[derive(Clone, Debug)]
enum Endings {
    Always(Ending),
    Mix { upto: Vec<(f64, Ending)>, rng: Xoshiro256PlusPlus },
}

impl Endings {
    fn new(client: &Client, rng: Xoshiro256PlusPlus) -> Self {
        if let [(ending, _)] = client.closes[..] {
            return Self::Always(ending);
        }
        let total: f64 = client.closes.iter().map(|close| close.1).sum();
        let mut sum = 0.0;
        let upto = client.closes.iter().map(|&(ending, weight)| {
            sum += weight / total;
            (sum, ending)
        });
        Self::Mix { upto: upto.collect(), rng }
    }

    /// The ending, if it is always the same.
    fn only(&self) -> Option<Ending> {
        match self {
            Self::Always(ending) => Some(*ending),
            Self::Mix { .. } => None,
        }
    }

    fn fill(&mut self, batch: &mut [Attempt]) {
        if let Self::Mix { upto, rng } = self {
            for attempt in batch {
                let place = unit(rng);
                let found = upto.iter().find(|entry| place < entry.0).or(upto.last());
                attempt.ending = found.expect("a client has an ending").1;
            }
        }
    }
}
