//! The attempts of one client, drawn some hundred at a time: when, where to, for how long, and who closes.

use std::sync::Arc;

use rand::rngs::Xoshiro256PlusPlus;

use super::batch::{BATCH, Batch};
use super::calendar::Calendar;
use super::random::Purpose;
use super::sample::{Exponential, Sampler, exponential, unit};
use super::target::Targets;
use crate::model::{
    Arrivals, Attempt, Client, Distribution, Ending, Place, Rates, Remote, Spacing, TraceAttempt,
    Tuple,
};
use crate::units::{NANOS_PER_SECOND, SimDuration, SimTime};

/// The attempts of one client.
#[derive(Clone, Debug)]
pub struct ClientStream {
    number: u16,
    arrivals: Source,
    lifetime: Sampler,
    lifetimes: Xoshiro256PlusPlus,
    /// The time from the first FIN to the second, where it is not always zero.
    second_fin: Option<(Sampler, Xoshiro256PlusPlus)>,
    endings: Endings,
    targets: Targets,
    /// Attempts drawn and not yet made.
    batch: Batch,
    made: usize,
}

/// Where arrival times come from.
#[derive(Clone, Debug)]
enum Source {
    Open(OpenArrivals),
    Workers(Workers),
    Trace { attempts: Arc<[TraceAttempt]>, made: usize },
    Loop(RecordedLoop),
}

impl ClientStream {
    /// Client number `number` of the machine of `job`.
    pub fn new(number: u16, job: super::Job<'_>, client: &Client) -> Self {
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
            batch: Batch::default(),
            made: 0,
        }
    }

    /// Does it have to be told what becomes of its attempts?
    pub const fn listens(&self) -> bool {
        matches!(self.arrivals, Source::Workers(_) | Source::Loop(_))
    }

    /// How many workers it has.
    pub fn workers(&self) -> u32 {
        match &self.arrivals {
            Source::Workers(workers) => workers.count,
            Source::Loop(recorded) => recorded.workers,
            Source::Open(_) | Source::Trace { .. } => 0,
        }
    }

    /// How long a worker thinks before its first request.
    pub fn think(&mut self) -> SimDuration {
        match &mut self.arrivals {
            Source::Workers(workers) => workers.draw(),
            _ => SimDuration::ZERO,
        }
    }

    /// What a worker asks for at `at`, the time between its two FINs, and how long it thinks after that; nothing
    /// when all that was recorded has been asked for.
    pub fn ask(&mut self, at: SimTime) -> Option<(Attempt, SimDuration, SimDuration)> {
        if self.made == self.batch.attempts.len() {
            self.draw(true);
        }
        let attempt = Attempt { at, ..*self.batch.attempts.get(self.made)? };
        let second_fin = self.batch.second_fins.get(self.made).copied();
        self.made += 1;
        let think = match &mut self.arrivals {
            Source::Loop(recorded) => recorded.think(),
            _ => self.think(),
        };
        Some((attempt, second_fin.unwrap_or(SimDuration::ZERO), think))
    }

    /// How long a worker waits that was refused and thinks for `think`: else it would try again at the same
    /// instant, without end.
    pub fn after_refusal(think: SimDuration) -> SimDuration {
        if think.is_zero() { Arrivals::REFUSED_PAUSE } else { think }
    }

    /// Has it a time between its two FINs?
    pub const fn has_second_fins(&self) -> bool {
        self.second_fin.is_some()
    }

    /// Puts what is drawn next into `into`.
    pub fn next_batch(&mut self, into: &mut Batch) {
        self.draw_batch();
        std::mem::swap(into, &mut self.batch);
    }

    /// The next attempt, and the time between its two FINs.
    pub fn next_attempt(&mut self) -> Option<(Attempt, SimDuration)> {
        self.peek()?;
        let Batch { attempts, second_fins, .. } = &self.batch;
        let second_fin = second_fins.get(self.made).copied().unwrap_or(SimDuration::ZERO);
        self.made += 1;
        Some((attempts[self.made - 1], second_fin))
    }

    /// When the next attempt is made.
    pub fn peek(&mut self) -> Option<SimTime> {
        if self.made == self.batch.attempts.len() {
            self.draw_batch();
        }
        self.batch.attempts.get(self.made).map(|attempt| attempt.at)
    }

    /// All workers begin to think at the start of the run.
    pub fn begin(&mut self) {
        for _ in 0..self.workers() {
            self.worker_free(SimTime::START, false);
        }
    }

    /// A worker is free at `at`, if it has any; its attempt was `refused`, or its connection is closed.
    pub fn worker_free(&mut self, at: SimTime, refused: bool) {
        if let Source::Workers(workers) = &mut self.arrivals {
            workers.think(at, refused);
        }
    }

    fn draw_batch(&mut self) {
        self.draw(false);
    }

    /// Draws the next attempts; those of workers `ahead` of the time at which they are made.
    fn draw(&mut self, ahead: bool) {
        let Batch { attempts: batch, second_fins, .. } = &mut self.batch;
        self.made = 0;
        batch.clear();
        let only = self.targets.only();
        let blank = Attempt {
            at: SimTime::START,
            lifetime: SimDuration::ZERO,
            tuple: only.map_or(Tuple::default(), |only| only.0),
            ending: self.endings.only().unwrap_or(Ending::Never),
            remote: only.map_or(Remote::Answers, |only| only.1),
            client: self.number,
        };
        match &mut self.arrivals {
            Source::Open(open) => {
                batch.resize(BATCH, blank);
                open.fill(batch);
            }
            Source::Workers(_) if ahead => batch.resize(BATCH, blank),
            // A worker's next attempt may depend on this one, so there is no more than one.
            Source::Workers(workers) => {
                batch.extend(workers.next().map(|at| Attempt { at, ..blank }));
            }
            Source::Trace { attempts, made } => {
                let next = attempts[*made..].iter().take(BATCH);
                batch.extend(next.map(|recorded| Attempt { at: recorded.at, ..blank }));
            }
            Source::Loop(recorded) => {
                batch.resize(recorded.left().len().min(BATCH), blank);
            }
        }
        let lifetimes = batch.iter_mut().map(|attempt| &mut attempt.lifetime);
        self.lifetime.fill(lifetimes, &mut self.lifetimes);
        if self.endings.only().is_none() {
            self.endings.fill(batch);
        }
        second_fins.clear();
        if let Some((law, rng)) = &mut self.second_fin {
            second_fins.resize(batch.len(), SimDuration::ZERO);
            law.fill(second_fins.iter_mut(), rng);
        }
        if only.is_none() && !self.arrivals.records_destinations() {
            self.targets.fill(batch);
        }
        self.as_recorded();
    }

    /// Lets what was recorded of the attempts of a trace count before what was drawn.
    fn as_recorded(&mut self) {
        let (attempts, made) = match &mut self.arrivals {
            Source::Trace { attempts, made } => (attempts, made),
            Source::Loop(recorded) => (&mut recorded.requests, &mut recorded.drawn),
            Source::Open(_) | Source::Workers(_) => return,
        };
        for (attempt, recorded) in self.batch.attempts.iter_mut().zip(&attempts[*made..]) {
            attempt.lifetime = recorded.lifetime.unwrap_or(attempt.lifetime);
            attempt.ending = recorded.ending.unwrap_or(attempt.ending);
            if let Some((target, endpoint)) = recorded.to {
                self.targets.direct(attempt, usize::from(target), endpoint, recorded.source);
            }
        }
        *made += self.batch.attempts.len();
    }
}

impl Source {
    fn new(arrivals: &Arrivals, rng: Xoshiro256PlusPlus) -> Self {
        let second = NANOS_PER_SECOND as f64;
        let law = match *arrivals {
            Arrivals::Poisson { rate_per_s } => OpenLaw::Poisson { mean_gap: second / rate_per_s },
            Arrivals::Constant { rate_per_s } => OpenLaw::Constant { gap: second / rate_per_s },
            Arrivals::Moving { ref rates, spacing } => {
                OpenLaw::Moving { rates: Arc::clone(rates), place: Place::default(), spacing }
            }
            Arrivals::Batches { every, size, spacing } => {
                OpenLaw::Batches { every, size, left: size, spacing }
            }
            Arrivals::Trace(ref attempts) => {
                return Self::Trace { attempts: Arc::clone(attempts), made: 0 };
            }
            Arrivals::RecordedLoop { workers, ref requests, ref thinks } => {
                let (requests, thinks) = (Arc::clone(requests), Arc::clone(thinks));
                return Self::Loop(RecordedLoop { workers, requests, thinks, drawn: 0, asked: 0 });
            }
            Arrivals::ClosedLoop { workers, ref think } => {
                return Self::Workers(Workers::new(workers, Sampler::new(think), rng));
            }
        };
        let mut open = OpenArrivals { law, rng, next: 0, count: 0 };
        match &open.law {
            OpenLaw::Poisson { mean_gap } => {
                let gap = exponential(&mut open.rng) * mean_gap;
                open.advance_by(gap);
            }
            OpenLaw::Moving { .. } => open.advance_moving(),
            _ => {}
        }
        Self::Open(open)
    }

    /// Is it a record that says of every attempt where it went?
    fn records_destinations(&self) -> bool {
        match self {
            Self::Trace { attempts, .. } | Self::Loop(RecordedLoop { requests: attempts, .. }) => {
                attempts.first().is_some_and(|first| first.to.is_some())
            }
            Self::Open(_) | Self::Workers(_) => false,
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

#[derive(Clone, Debug)]
enum OpenLaw {
    Poisson { mean_gap: f64 },
    Constant { gap: f64 },
    Batches { every: SimDuration, size: u32, left: u32, spacing: Spacing },
    Moving { rates: Arc<Rates>, place: Place, spacing: Spacing },
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
            OpenLaw::Moving { .. } => batch.iter_mut().for_each(|attempt| {
                attempt.at = self.at();
                self.advance_moving();
            }),
            OpenLaw::Batches { .. } => batch.iter_mut().for_each(|attempt| {
                attempt.at = self.at();
                self.advance_batches();
            }),
        }
    }

    /// Goes to the moment of the next attempt at a rate that moves; to the far future when there is none.
    fn advance_moving(&mut self) {
        let OpenLaw::Moving { rates, place, spacing } = &mut self.law else { return };
        let more = match spacing {
            Spacing::Constant => 1.0,
            Spacing::Poisson => exponential(&mut self.rng),
        };
        let secs = rates.advance(place, more);
        // `as` saturates.
        self.next = (secs * NANOS_PER_SECOND as f64 * PARTS) as u64;
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

/// Workers that make recorded requests.
#[derive(Clone, Debug)]
struct RecordedLoop {
    workers: u32,
    requests: Arc<[TraceAttempt]>,
    thinks: Arc<[SimDuration]>,
    /// Requests that were drawn, and that were asked for.
    drawn: usize,
    asked: usize,
}

impl RecordedLoop {
    fn left(&self) -> &[TraceAttempt] {
        &self.requests[self.drawn..]
    }

    /// How long its worker thinks after the next request.
    fn think(&mut self) -> SimDuration {
        self.asked += 1;
        self.thinks.get(self.asked - 1).copied().unwrap_or(SimDuration::ZERO)
    }
}

/// The workers of a closed loop that are thinking.
#[derive(Clone, Debug)]
struct Workers {
    count: u32,
    think: Sampler,
    rng: Xoshiro256PlusPlus,
    ready: Calendar<()>,
}

impl Workers {
    fn new(workers: u32, think: Sampler, rng: Xoshiro256PlusPlus) -> Self {
        let mut probe = rng.clone();
        let typical = (0..16).map(|_| think.sample(&mut probe) / 16).sum::<u64>();
        let ahead = SimDuration::from_nanos(typical.saturating_mul(2));
        let ready = Calendar::new(u64::from(workers), ahead);
        Self { count: workers, think, rng, ready }
    }

    fn draw(&mut self) -> SimDuration {
        SimDuration::from_nanos(self.think.sample(&mut self.rng))
    }

    fn think(&mut self, from: SimTime, refused: bool) {
        let think = self.draw();
        let ready = from + if refused { ClientStream::after_refusal(think) } else { think };
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
