//! The attempts of one client, drawn some hundred at a time: when, where to, for how long, and who closes.

use std::sync::Arc;

use rand::rngs::Xoshiro256PlusPlus;

use super::batch::{BATCH, Batch};
use super::calendar::Calendar;
use super::endpoints::EndpointNumbers;
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
    /// Before this all is known; what follows a change is drawn after it.
    until: SimTime,
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
    /// Client number `number` of the machine of `job`, as it is `until` then.
    pub fn new(
        number: u16,
        job: super::Job<'_>,
        numbers: &EndpointNumbers,
        client: &Client,
        until: SimTime,
    ) -> Self {
        let streams = job.streams();
        let arrivals = streams.of_client(&client.name, Purpose::Arrivals);
        let destinations = streams.of_client(&client.name, Purpose::Destinations);
        Self {
            number,
            arrivals: Source::new(&client.arrivals, job.is_there(), arrivals),
            lifetime: Sampler::new(&client.lifetime),
            lifetimes: streams.of_client(&client.name, Purpose::Lifetimes),
            second_fin: second_fin(job, client),
            endings: Endings::new(client, streams.of_client(&client.name, Purpose::Endings)),
            targets: Targets::new(job, numbers, client, destinations),
            batch: Batch::default(),
            made: 0,
            until,
        }
    }

    /// Goes on from `at` as `client` of the machine of `job`, as that is `until` then. Tells how many workers
    /// begin.
    pub fn reshape(
        &mut self,
        job: super::Job<'_>,
        numbers: &EndpointNumbers,
        client: &Client,
        [at, until]: [SimTime; 2],
    ) -> u32 {
        debug_assert_eq!(self.made, self.batch.attempts.len(), "nothing is drawn beyond a change");
        self.until = until;
        let more = self.arrivals.reshape(&client.arrivals, job.is_there(), at);
        self.lifetime = Sampler::new(&client.lifetime);
        self.endings.reshape(client);
        self.targets.reshape(job, numbers, client);
        match &mut self.second_fin {
            Some((law, _)) => *law = Sampler::new(&client.second_fin),
            new => *new = second_fin(job, client),
        }
        more
    }

    /// Does it have to be told what becomes of its attempts?
    pub const fn listens(&self) -> bool {
        matches!(self.arrivals, Source::Workers(_) | Source::Loop(_))
    }

    /// How many workers it has.
    pub fn workers(&self) -> u32 {
        match &self.arrivals {
            Source::Workers(workers) => workers.crew.count,
            Source::Loop(recorded) => recorded.crew.count,
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

    /// Does the worker leave that would ask again, because there are fewer now?
    pub fn one_leaves(&mut self) -> bool {
        match &mut self.arrivals {
            Source::Workers(Workers { crew, .. }) | Source::Loop(RecordedLoop { crew, .. }) => {
                crew.one_leaves()
            }
            Source::Open(_) | Source::Trace { .. } => false,
        }
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

    /// How many attempts may be drawn of which it is not known when they are made.
    fn ahead(&self) -> usize {
        if self.until < SimTime::FAR_FUTURE { 1 } else { BATCH }
    }

    /// Draws the next attempts; those of workers `ahead` of the time at which they are made.
    fn draw(&mut self, ahead: bool) {
        let (until, most_ahead) = (self.until, self.ahead());
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
            machine: 0,
        };
        match &mut self.arrivals {
            Source::Open(open) => {
                open.fill_until(until, batch, blank);
            }
            Source::Workers(_) if ahead => batch.resize(most_ahead, blank),
            // A worker's next attempt may depend on this one, so there is no more than one.
            Source::Workers(workers) => {
                batch.extend(workers.next(until).map(|at| Attempt { at, ..blank }));
            }
            Source::Trace { attempts, made } => {
                let next = attempts[*made..].iter().take(BATCH).take_while(|next| next.at < until);
                batch.extend(next.map(|recorded| Attempt { at: recorded.at, ..blank }));
            }
            Source::Loop(recorded) => {
                batch.resize(recorded.left().len().min(most_ahead), blank);
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

/// The law of the times between the two FINs of `client`, and its random numbers; none where it is always zero.
fn second_fin(job: super::Job<'_>, client: &Client) -> Option<(Sampler, Xoshiro256PlusPlus)> {
    if client.second_fin == Distribution::Constant(SimDuration::ZERO) {
        return None;
    }
    let rng = job.streams().of_client(&client.name, Purpose::SecondFins);
    Some((Sampler::new(&client.second_fin), rng))
}

impl Source {
    /// Where the attempts of `arrivals` come from, on a machine that `is_there` or is yet to come.
    fn new(arrivals: &Arrivals, is_there: bool, rng: Xoshiro256PlusPlus) -> Self {
        match arrivals {
            Arrivals::Trace(attempts) => {
                let made = if is_there { 0 } else { attempts.len() };
                Self::Trace { attempts: Arc::clone(attempts), made }
            }
            Arrivals::RecordedLoop { workers, requests, thinks } => {
                let (requests, thinks) = (Arc::clone(requests), Arc::clone(thinks));
                let crew = Crew::of(*workers, is_there);
                Self::Loop(RecordedLoop { crew, requests, thinks, drawn: 0, asked: 0 })
            }
            Arrivals::ClosedLoop { workers, think } => {
                Self::Workers(Workers::new(*workers, is_there, Sampler::new(think), rng))
            }
            open => Self::Open(OpenArrivals::new(open, is_there, rng)),
        }
    }

    /// Goes on with `arrivals` from `at`. Tells how many workers begin.
    ///
    /// # Panics
    /// When these are arrivals of another kind: of workers, of a record, or neither.
    fn reshape(&mut self, arrivals: &Arrivals, is_there: bool, at: SimTime) -> u32 {
        match (self, arrivals) {
            (Self::Open(open), arrivals) => {
                open.reshape(arrivals, is_there, at);
                0
            }
            (Self::Workers(now), Arrivals::ClosedLoop { workers, think }) => {
                now.think = Sampler::new(think);
                now.crew.become_crew_of(*workers, is_there)
            }
            (Self::Loop(now), Arrivals::RecordedLoop { workers, .. }) => {
                now.crew.become_crew_of(*workers, is_there)
            }
            (Self::Trace { attempts, made }, _) => {
                // What is recorded of the time before is over, were it made or not.
                *made = attempts.partition_point(|attempt| attempt.at < at);
                if !is_there {
                    *made = attempts.len();
                }
                0
            }
            (now, arrivals) => panic!("{now:?} cannot become {arrivals:?}"),
        }
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
    /// What they follow, as it was said.
    said: Arrivals,
    law: OpenLaw,
    rng: Xoshiro256PlusPlus,
    /// The next arrival, in parts of a nanosecond: with whole ones, rounding would shift high rates.
    next: u64,
    /// Arrivals so far, since `origin`.
    count: u64,
    /// From when on evenly spaced ones are counted, in nanoseconds.
    origin: f64,
    /// Are there any at all now?
    is_there: bool,
}

#[derive(Clone, Debug)]
enum OpenLaw {
    Poisson { mean_gap: f64 },
    Constant { gap: f64 },
    Batches { every: SimDuration, size: u32, left: u32, spacing: Spacing },
    Moving { rates: Arc<Rates>, place: Place, spacing: Spacing },
    OnOff(OnOff),
}

/// Bursts and pauses: the rates of both in attempts a nanosecond, how long they last in nanoseconds, which it is now and
/// until when.
#[derive(Clone, Copy, Debug)]
struct OnOff {
    rates: [f64; 2],
    lasts: [f64; 2],
    now: usize,
    until: f64,
}

impl OnOff {
    /// Enters one of the two at `at`, as they share the time.
    fn begin(&mut self, at: f64, rng: &mut Xoshiro256PlusPlus) {
        let share = self.lasts[0] / (self.lasts[0] + self.lasts[1]);
        self.now = usize::from(unit(rng) >= share);
        self.until = at + exponential(rng) * self.lasts[self.now];
    }

    /// When the next attempt comes after `at`.
    fn next(&mut self, mut at: f64, rng: &mut Xoshiro256PlusPlus) -> f64 {
        // In attempts of a unit rate: what is left of it when a burst or a pause ends goes over into the next.
        let mut left = exponential(rng);
        loop {
            let rate = self.rates[self.now];
            let room = (self.until - at) * rate;
            if left < room {
                return at + left / rate;
            }
            left -= room;
            at = self.until;
            self.now = 1 - self.now;
            self.until = at + exponential(rng) * self.lasts[self.now];
        }
    }
}

impl OpenLaw {
    /// The law of `arrivals`.
    ///
    /// # Panics
    /// When they depend on something else than time.
    fn of(arrivals: &Arrivals) -> Self {
        let second = NANOS_PER_SECOND as f64;
        match *arrivals {
            Arrivals::Poisson { rate_per_s } => Self::Poisson { mean_gap: second / rate_per_s },
            Arrivals::Constant { rate_per_s } => Self::Constant { gap: second / rate_per_s },
            Arrivals::Moving { ref rates, spacing } => {
                Self::Moving { rates: Arc::clone(rates), place: Place::default(), spacing }
            }
            Arrivals::Batches { every, size, spacing } => {
                Self::Batches { every, size, left: size, spacing }
            }
            Arrivals::OnOff { rates_per_s, lasts } => Self::OnOff(OnOff {
                rates: rates_per_s.map(|rate| rate / second),
                lasts: lasts.map(|span| span.as_nanos() as f64),
                now: 0,
                until: 0.0,
            }),
            ref other => panic!("{other:?} are no open arrivals"),
        }
    }

    /// How much of its own time passes from one arrival, or batch, to the next in the mean, in nanoseconds;
    /// where that is one number.
    fn gap(&self) -> Option<f64> {
        match *self {
            Self::Poisson { mean_gap: gap } | Self::Constant { gap } => Some(gap),
            Self::Batches { every, .. } => Some(every.as_nanos() as f64),
            Self::Moving { .. } | Self::OnOff(_) => None,
        }
    }
}

impl OpenArrivals {
    fn new(said: &Arrivals, is_there: bool, rng: Xoshiro256PlusPlus) -> Self {
        let (said, law) = (said.clone(), OpenLaw::of(said));
        let mut new = Self { said, law, rng, next: 0, count: 0, origin: 0.0, is_there };
        new.begin(SimTime::START);
        new
    }

    /// Lets it begin at `at`, as it does at the start of a run.
    fn begin(&mut self, at: SimTime) {
        (self.count, self.origin) = (0, at.as_nanos() as f64);
        self.next = at.as_nanos() << PART_BITS;
        match &mut self.law {
            OpenLaw::Poisson { mean_gap } => {
                let gap = exponential(&mut self.rng) * *mean_gap;
                self.advance_by(gap);
            }
            OpenLaw::Moving { rates, place, .. } => {
                *place = rates.place_at(at.since(SimTime::START).as_secs_f64());
                self.advance_moving();
            }
            OpenLaw::OnOff(law) => {
                law.begin(at.as_nanos() as f64, &mut self.rng);
                self.advance_on_off();
            }
            OpenLaw::Constant { .. } | OpenLaw::Batches { .. } => {}
        }
    }

    /// Goes on with what is `said` from `at`: what is left of the time to the next arrival stretches or shrinks as the
    /// gaps do, where both laws are of one kind. Else it begins anew.
    fn reshape(&mut self, said: &Arrivals, is_there: bool, at: SimTime) {
        let was_there = std::mem::replace(&mut self.is_there, is_there);
        if was_there && self.said == *said {
            return;
        }
        self.said = said.clone();
        let next_at = self.next_at();
        let before = std::mem::replace(&mut self.law, OpenLaw::of(said));
        let of_a_kind = std::mem::discriminant(&before) == std::mem::discriminant(&self.law);
        let (Some(from), Some(to)) = (before.gap(), self.law.gap()) else { return self.begin(at) };
        if !was_there || !of_a_kind {
            return self.begin(at);
        }
        let left = (next_at - at.as_nanos() as f64) * (to / from);
        (self.count, self.origin) = (0, at.as_nanos() as f64 + left);
        self.next = at.as_nanos() << PART_BITS;
        self.advance_by(left);
    }

    /// When the next arrival is, in nanoseconds.
    fn next_at(&self) -> f64 {
        match self.law {
            OpenLaw::Constant { gap } => self.origin + self.count as f64 * gap,
            _ => self.next as f64 / PARTS,
        }
    }

    /// Puts the next arrivals before `until` into `batch`, a batch at most.
    fn fill_until(&mut self, until: SimTime, batch: &mut Vec<Attempt>, blank: Attempt) {
        if !self.is_there {
            return;
        }
        batch.resize(BATCH, blank);
        if until == SimTime::FAR_FUTURE {
            return self.fill(batch);
        }
        let before = self.clone();
        self.fill(batch);
        let made = batch.partition_point(|attempt| attempt.at < until);
        if made < batch.len() {
            // Nothing of what comes after is drawn yet, but for the first one.
            *self = before;
            batch.truncate(made);
            self.fill(batch);
        }
    }

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
                    let at = self.origin + self.count as f64 * gap;
                    attempt.at = SimTime::from_nanos((at + 0.5) as u64);
                    self.count += 1;
                }
            }
            OpenLaw::OnOff(_) => batch.iter_mut().for_each(|attempt| {
                attempt.at = self.at();
                self.advance_on_off();
            }),
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

    /// Goes to the moment of the next attempt, in a burst or between two.
    fn advance_on_off(&mut self) {
        let OpenLaw::OnOff(law) = &mut self.law else { return };
        let next = law.next(self.next as f64 / PARTS, &mut self.rng);
        // `as` saturates.
        self.next = (next * PARTS) as u64;
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

/// How many workers a client has.
#[derive(Clone, Copy, Debug)]
struct Crew {
    count: u32,
    /// How many more there still are: each leaves when it would ask again.
    leaving: u32,
}

impl Crew {
    /// So many, on a machine that `is_there` or is yet to come.
    const fn of(workers: u32, is_there: bool) -> Self {
        Self { count: if is_there { workers } else { 0 }, leaving: 0 }
    }

    /// Lets it be that many from now on. Tells how many begin.
    fn become_crew_of(&mut self, workers: u32, is_there: bool) -> u32 {
        let before = std::mem::replace(&mut self.count, Self::of(workers, is_there).count);
        let more = self.count.saturating_sub(before);
        let stay = more.min(self.leaving);
        self.leaving = self.leaving - stay + before.saturating_sub(self.count);
        more - stay
    }

    /// Does the worker leave that would ask again?
    fn one_leaves(&mut self) -> bool {
        let leaves = self.leaving > 0;
        self.leaving -= u32::from(leaves);
        leaves
    }
}

/// Workers that make recorded requests.
#[derive(Clone, Debug)]
struct RecordedLoop {
    crew: Crew,
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
    crew: Crew,
    think: Sampler,
    rng: Xoshiro256PlusPlus,
    ready: Calendar<()>,
}

impl Workers {
    fn new(workers: u32, is_there: bool, think: Sampler, rng: Xoshiro256PlusPlus) -> Self {
        let mut probe = rng.clone();
        let typical = (0..16).map(|_| think.sample(&mut probe) / 16).sum::<u64>();
        let ahead = SimDuration::from_nanos(typical.saturating_mul(2));
        let ready = Calendar::new(u64::from(workers), ahead);
        Self { crew: Crew::of(workers, is_there), think, rng, ready }
    }

    fn draw(&mut self) -> SimDuration {
        SimDuration::from_nanos(self.think.sample(&mut self.rng))
    }

    fn think(&mut self, from: SimTime, refused: bool) {
        let think = self.draw();
        let ready = from + if refused { ClientStream::after_refusal(think) } else { think };
        self.ready.push(ready, ());
    }

    /// When the next one asks, if that is before `until`.
    fn next(&mut self, until: SimTime) -> Option<SimTime> {
        loop {
            let due = self.ready.next_due().filter(|&due| due < until)?;
            let (at, ()) = self.ready.pop_due(due)?;
            if !self.crew.one_leaves() {
                return Some(at);
            }
        }
    }
}

/// Who closes: always the same, or a mix, with the share up to each.
#[derive(Clone, Debug)]
struct Endings {
    upto: Vec<(f64, Ending)>,
    rng: Xoshiro256PlusPlus,
}

impl Endings {
    fn new(client: &Client, rng: Xoshiro256PlusPlus) -> Self {
        let mut new = Self { upto: Vec::new(), rng };
        new.reshape(client);
        new
    }

    /// Goes on as those of `client`.
    fn reshape(&mut self, client: &Client) {
        let total: f64 = client.closes.iter().map(|close| close.1).sum();
        let mut sum = 0.0;
        let upto = client.closes.iter().map(|&(ending, weight)| {
            sum += weight / total;
            (sum, ending)
        });
        self.upto = upto.collect();
    }

    /// The ending, if it is always the same.
    fn only(&self) -> Option<Ending> {
        if let [(_, only)] = self.upto[..] { Some(only) } else { None }
    }

    fn fill(&mut self, batch: &mut [Attempt]) {
        for attempt in batch {
            let place = unit(&mut self.rng);
            let found = self.upto.iter().find(|entry| place < entry.0).or(self.upto.last());
            attempt.ending = found.expect("a client has an ending").1;
        }
    }
}
