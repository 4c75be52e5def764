//! The statistics of one machine: what is known of its pools and clients while it runs, and what is
//! entered in the tally of its host.

use super::observe::{Failed, Observer, Opening, Release, Served, Settling};
use super::uncounted::{Begun, Ended, LastTaken, Lived, Uncounted};
use crate::model::{Life, PoolId, Refused};
use crate::stats::{BinCursor, HostTally, StretchTally, Window};
use crate::units::{SimDuration, SimTime};

/// What is known of one client while it runs.
#[derive(Clone, Copy, Debug)]
struct ClientState {
    in_use: u64,
    peak_in_use: u64,
    /// Since when every attempt has been refused; far future when the last one was not.
    blocked_since: SimTime,
    /// Idle connections, and since when there are so many.
    idle: (u32, SimTime),
}

/// The statistics of one machine.
pub struct Statistics<'a> {
    window: Window,
    /// What the machine's host has done so far.
    tally: &'a mut HostTally,
    uncounted: Uncounted,
    /// For each pool since when every attempt has been refused; far future when the last one was not.
    blocked_since: Vec<SimTime>,
    clients: Vec<ClientState>,
    in_use: u64,
    peak_in_use: u64,
    /// Pools and clients in the middle of an episode of blocking.
    blocked: u32,
    release_cursor: BinCursor,
    /// Are there several clients? The ports in use of a single one are those of the machine.
    several: bool,
    /// May an answer come later than the opening, or the second FIN later than the first?
    stages: bool,
    /// Which clients keep connections for their requests?
    pooled: Vec<bool>,
    /// The last refusal, or failure of a request, since the last change; far future where there is none.
    last_trouble: SimTime,
    /// Where the world changes: the stretch between two changes that is going on, and what had been counted when
    /// it began.
    stretch: Option<(usize, StretchTally)>,
}

/// What the statistics of a machine are laid out for.
#[derive(Clone, Debug)]
pub struct Size {
    /// Clients of the host.
    pub clients: usize,
    /// Pools of the machine.
    pub pools: usize,
    /// Ports of each.
    pub bits: u32,
    /// May an answer come later than the opening, or the second FIN later than the first?
    pub stages: bool,
    /// Which clients keep connections for their requests?
    pub pooled: Vec<bool>,
    /// Does the world change while the run goes on?
    pub changes: bool,
}

impl<'a> Statistics<'a> {
    /// Of a machine that has not begun, in the memory of another one.
    #[must_use]
    pub fn new(size: Size, window: Window, tally: &'a mut HostTally, memory: LastTaken) -> Self {
        let (blocked_since, idle) = (SimTime::FAR_FUTURE, (0, SimTime::START));
        let client = ClientState { in_use: 0, peak_in_use: 0, blocked_since, idle };
        let places = size.pools * size.bits as usize;
        let stretch = size.changes.then(|| (0, counted(tally)));
        Self {
            window,
            tally,
            last_trouble: SimTime::FAR_FUTURE,
            stretch,
            uncounted: Uncounted::new(window, places, size.stages, memory),
            blocked_since: vec![SimTime::FAR_FUTURE; size.pools],
            clients: vec![client; size.clients],
            in_use: 0,
            peak_in_use: 0,
            blocked: 0,
            release_cursor: BinCursor::default(),
            several: size.clients > 1,
            stages: size.stages,
            pooled: size.pooled,
        }
    }

    #[inline(never)]
    fn end_episodes(&mut self, pool: PoolId, number: u16, at: SimTime) {
        let pool_since = &mut self.blocked_since[pool.0 as usize];
        let client_since = &mut self.clients[usize::from(number)].blocked_since;
        let of_client = &mut self.tally.clients[usize::from(number)].blocking;
        for (since, blocking) in
            [(pool_since, &mut self.tally.limit.blocking), (client_since, of_client)]
        {
            if *since != SimTime::FAR_FUTURE {
                blocking.end(*since, at, self.window);
                *since = SimTime::FAR_FUTURE;
                self.blocked -= 1;
            }
        }
    }

    /// Enters what has happened since the last change.
    fn end_stretch(&mut self) {
        let Some((number, before)) = self.stretch else { return };
        self.uncounted.count(self.tally);
        let now = counted(self.tally);
        let since =
            |now: [u64; 2], before: [u64; 2]| [0, 1].map(|which| now[which] - before[which]);
        let done = StretchTally {
            attempts: since(now.attempts, before.attempts),
            requests: since(now.requests, before.requests),
            last_trouble: std::mem::replace(&mut self.last_trouble, SimTime::FAR_FUTURE),
        };
        let all = &mut self.tally.stretches;
        all.resize_with(all.len().max(number + 1), StretchTally::default);
        all[number].merge(&done);
        self.stretch = Some((number + 1, now));
    }

    /// A gateway forgets an open connection of `client`.
    pub fn cut_off(&mut self, at: SimTime, client: u16) {
        let steady = u64::from(self.window.is_steady(at));
        self.tally.clients[usize::from(client)].cut_off += steady;
    }

    /// Closes the books at the end of the run and leaves their memory; `exhausted` are the nanoseconds that
    /// pools had no port left, summed over the pools.
    pub fn close(mut self, exhausted: u128) -> LastTaken {
        self.end_stretch();
        self.uncounted.count(self.tally);
        let limit = &mut self.tally.limit;
        limit.full += exhausted;
        limit.peak_in_use = limit.peak_in_use.max(self.peak_in_use);
        for &since in self.blocked_since.iter().filter(|&&since| since != SimTime::FAR_FUTURE) {
            limit.blocking.cut(since, self.window);
        }
        let end = SimTime::from_nanos(self.window.end());
        for (state, tally) in self.clients.iter().zip(&mut self.tally.clients) {
            tally.requests.idle += idled(self.window, state.idle, end);
            self.tally.requests.idle(self.window, state.idle.0, [state.idle.1, end]);
            let peak = if self.several { state.peak_in_use } else { self.peak_in_use };
            tally.peak_in_use = tally.peak_in_use.max(peak);
            if state.blocked_since != SimTime::FAR_FUTURE {
                tally.blocking.cut(state.blocked_since, self.window);
            }
        }
        self.uncounted.into_memory()
    }

    /// What a connection goes through before it is established and after its close, if that is settled.
    #[inline(never)]
    fn stages(
        &mut self,
        at: SimTime,
        client: u16,
        life: Life,
        [settled, answered, pending]: [bool; 3],
    ) {
        if pending {
            // How it ends is told when that is known.
            return self.uncounted.answered(SimTime::FAR_FUTURE.as_nanos());
        }
        self.uncounted.answered(life.answered.as_nanos());
        if settled {
            self.ended(client, life.first_fin, life.second_fin, life.takeable);
        }
        if !answered {
            let steady = u64::from(self.window.is_steady(at));
            self.tally.clients[usize::from(client)].unanswered += steady;
        }
    }

    /// What became after its close of a connection whose port is free at `release`.
    #[inline]
    fn ended(&mut self, client: u16, close: SimTime, second_fin: SimTime, release: SimTime) {
        self.uncounted.ended(Ended {
            close: close.as_nanos(),
            second_fin: second_fin.as_nanos(),
            release: release.as_nanos(),
            client,
        });
    }
}

impl Observer for Statistics<'_> {
    #[inline(always)]
    fn opened(&mut self, opening: &Opening) {
        let &Opening { at, client, pool, life, .. } = opening;
        if opening.attempted {
            // That ends the episodes of blocking of its pool and its client.
            if self.blocked > 0 {
                self.end_episodes(pool, client, at);
            }
        } else {
            self.tally.bins.stand(at.as_nanos());
        }
        let mut release = life.takeable;
        if self.stages {
            release = if opening.pending { SimTime::FAR_FUTURE } else { life.first_fin };
            // By value: an `Opening` that has to be in memory costs every attempt 28 instructions.
            let how = [opening.settled, opening.answered, opening.pending];
            self.stages(at, client, life, how);
        } else if !opening.settled {
            release = life.first_fin;
        }
        let close = if opening.pending { SimTime::FAR_FUTURE } else { life.first_fin };
        self.uncounted.begun(Begun {
            at: at.as_nanos(),
            close: close.as_nanos(),
            release: release.as_nanos(),
            place: opening.place,
            probes: opening.probes,
            client,
            attempted: opening.attempted,
            endless: opening.pending || !opening.settled && life.first_fin == SimTime::FAR_FUTURE,
        });
        if self.several {
            let state = &mut self.clients[usize::from(client)];
            state.in_use += 1;
            state.peak_in_use = state.peak_in_use.max(state.in_use);
        }
        self.in_use += 1;
        self.peak_in_use = self.peak_in_use.max(self.in_use);
    }

    #[inline(always)]
    fn released(&mut self, release: &Release) {
        self.tally.bins.release(&mut self.release_cursor, release.at.as_nanos());
        self.in_use -= 1;
        if self.several {
            self.clients[usize::from(release.client)].in_use -= 1;
        }
        if let Some(life) = release.life {
            self.ended(release.client, life.first_fin, life.second_fin, release.at);
        }
    }

    fn settles(&mut self, &Settling { client, opened, answered, life }: &Settling) {
        let (at, known) = (opened.as_nanos(), life.first_fin < SimTime::FAR_FUTURE);
        let answer = life.answered.as_nanos();
        let close = if known { Some(life.first_fin.as_nanos()) } else { None };
        self.uncounted.lived(Lived { waited: Some(at), answered: answer, close, client });
        let steady = u64::from(self.window.is_steady(opened));
        let of_client = &mut self.tally.clients[usize::from(client)];
        *(if answered { &mut of_client.late } else { &mut of_client.unanswered }) += steady;
    }

    fn closed(&mut self, client: u16, life: &Life) {
        self.uncounted.lived(Lived {
            waited: None,
            answered: life.answered.as_nanos(),
            close: Some(life.first_fin.as_nanos()),
            client,
        });
    }

    fn kept(&mut self, release: &Release) {
        if let Some(life) = release.life {
            if life.first_fin == SimTime::FAR_FUTURE {
                self.closed(release.client, &life);
            }
            self.ended(release.client, life.first_fin, life.second_fin, release.at);
        }
    }

    #[inline(always)]
    fn refused(&mut self, at: SimTime, client: u16, refused: &Refused) {
        let tally = &mut self.tally.clients[usize::from(client)];
        if self.window.is_steady(at) {
            self.uncounted.blocked(refused.probes);
            tally.blocked += 1;
            tally.refused[refused.refusal as usize] += 1;
        }
        self.last_trouble = at;
        self.tally.bins.block(at.as_nanos());
        let since = &mut self.blocked_since[refused.pool.0 as usize];
        if *since == SimTime::FAR_FUTURE {
            *since = at;
            self.blocked += 1;
            self.tally.limit.blocking.begin(at);
        }
        let since = &mut self.clients[usize::from(client)].blocked_since;
        if *since == SimTime::FAR_FUTURE {
            *since = at;
            self.blocked += 1;
            tally.blocking.begin(at);
        }
    }

    #[inline(always)]
    fn asked(&mut self, at: SimTime, client: u16) {
        let steady = u64::from(self.window.is_steady(at));
        self.tally.clients[usize::from(client)].requests.made += steady;
        if self.pooled[usize::from(client)] {
            self.tally.requests.made(self.window, at);
        }
    }

    #[inline(always)]
    fn served(&mut self, served: &Served) {
        self.tally.requests.served(self.window, served.at);
        if self.window.is_steady(served.asked) {
            let tally = &mut self.tally.clients[usize::from(served.client)].requests;
            tally.served += 1;
            let waited = served.begun.since(served.asked).as_nanos() / 1_000;
            tally.waited.record(u32::try_from(waited).unwrap_or(u32::MAX));
        }
    }

    fn retried(&mut self, at: SimTime, client: u16) {
        let steady = u64::from(self.window.is_steady(at));
        self.tally.clients[usize::from(client)].requests.retried += steady;
    }

    fn failed(&mut self, failed: &Failed) {
        self.last_trouble = failed.at;
        let steady = u64::from(self.window.is_steady(failed.asked));
        self.tally.clients[usize::from(failed.client)].requests.failed += steady;
        if self.pooled[usize::from(failed.client)] {
            self.tally.requests.failed(self.window, failed.at);
        }
    }

    #[inline(always)]
    fn idles(&mut self, at: SimTime, client: u16, change: i32) {
        let state = &mut self.clients[usize::from(client)];
        let tally = &mut self.tally.clients[usize::from(client)].requests;
        tally.idle += idled(self.window, state.idle, at);
        self.tally.requests.idle(self.window, state.idle.0, [state.idle.1, at]);
        state.idle = (state.idle.0.wrapping_add_signed(change), at);
    }

    fn listens(&mut self, waited: Option<SimDuration>) {
        let tally = &mut self.tally.servers;
        tally.started += 1;
        match waited {
            Some(SimDuration::ZERO) => {}
            Some(waited) => {
                tally.refused += 1;
                let millis = waited.as_nanos() / 1_000_000;
                tally.waited.record(u32::try_from(millis).unwrap_or(u32::MAX));
            }
            None => {
                tally.refused += 1;
                tally.never += 1;
            }
        }
    }

    fn changed(&mut self, _: SimTime) {
        self.end_stretch();
    }

    fn batch_made(&mut self) {
        self.uncounted.count_if_due(self.tally);
    }
}

/// What `tally` has counted so far of that which stretches tell.
fn counted(tally: &HostTally) -> StretchTally {
    let mut sum = StretchTally::default();
    for client in &tally.clients {
        sum.attempts[0] += client.opened + client.blocked;
        sum.attempts[1] += client.blocked;
        sum.requests[0] += client.requests.made;
        sum.requests[1] += client.requests.failed;
    }
    sum
}

/// Nanoseconds of the steady state until `to`, times as many connections as have been idle since.
fn idled(window: Window, (count, since): (u32, SimTime), to: SimTime) -> u128 {
    let steady = window.clip(to.as_nanos()) - window.clip(since.as_nanos());
    u128::from(count) * u128::from(steady)
}
