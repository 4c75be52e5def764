//! How long a port is taken: THE statement of it, which simulation, theory, predictions for the kernel,
//! records and inspection all ask.
//!
//! A connection goes through SYN-SENT, ESTABLISHED, FIN-WAIT-2 or CLOSE-WAIT, and TIME-WAIT; how it ends
//! decides which of them, and the timers of its machine for how long. A [`Life`] is the outcome: the
//! instants at which one state gives way to the next.

use super::attempt::Remote;
use super::tcp::{SynTimeout, TcpSettings, TwReuse};
use super::timer::{Timer, TimerGrid, TimerWheel};
use super::{Ending, Host};
use crate::units::{SimDuration, SimTime};

/// `include/net/tcp.h:TCP_TIMEWAIT_LEN`, Linux 6.18: what a longer `tcp_fin_timeout` is compared with.
const TIMEWAIT_LEN: SimDuration = SimDuration::from_secs(60);

/// `include/net/tcp.h:tcp_fin_time`, Linux 6.18: no FIN-WAIT-2 is shorter than 3.5 times the
/// retransmission timeout, which is 200 ms where packets take no time (`TCP_RTO_MIN`).
const LEAST_FIN_WAIT_2: SimDuration = SimDuration::from_millis(700);

/// `include/net/tcp.h:TCP_TIMEOUT_INIT`, RFC 6298 section 2: the first retransmission of a SYN.
const SYN_INTERVAL: SimDuration = SimDuration::from_secs(1);

/// `include/net/tcp.h:TCP_RTO_MAX`, Linux 6.18.
const LONGEST_SYN_INTERVAL: SimDuration = SimDuration::from_secs(120);

/// When what happens to one connection. The instants rise; a state whose two ends are equal is skipped, and
/// what is not to happen in any run is at [`SimTime::FAR_FUTURE`].
///
/// SYN-SENT until `answered`, ESTABLISHED until `first_fin`, FIN-WAIT-2 or CLOSE-WAIT until `second_fin`,
/// TIME-WAIT until `over` (RFC 9293 section 3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// It is established; where nobody answers, it is given up (ETIMEDOUT).
    pub answered: SimTime,
    /// The first FIN or reset.
    pub first_fin: SimTime,
    /// What is left becomes one of the TIME-WAIT buckets that `tcp_max_tw_buckets` counts.
    pub bucket: SimTime,
    /// The other side's FIN: TIME-WAIT begins, if the client closed first.
    pub second_fin: SimTime,
    /// `connect()` may have the port from now on, be it out of TIME-WAIT.
    pub takeable: SimTime,
    /// Nothing is left of it.
    pub over: SimTime,
}

impl Life {
    /// One of which nothing but its begin is known yet.
    pub const OPEN: Self = Self::ended(SimTime::START, SimTime::FAR_FUTURE);

    /// A life that leaves nothing behind.
    const fn ended(answered: SimTime, end: SimTime) -> Self {
        Self { answered, first_fin: end, bucket: end, second_fin: end, takeable: end, over: end }
    }

    /// What it becomes when the timers of its machine change at `now`: `by_new`, the same connection's life by the
    /// new ones, but for what has begun. A timer that runs goes on as it was set; whether a TIME-WAIT may be
    /// taken over, each `connect()` asks anew.
    #[must_use]
    pub fn changed(self, by_new: Self, now: SimTime) -> Self {
        let connecting = now < self.answered;
        let waits = self.second_fin <= now;
        let finishes = !waits && self.second_fin < self.over;
        if connecting {
            self
        } else if now < self.first_fin {
            by_new
        } else if finishes {
            // The second FIN comes in time, and the TIME-WAIT after it goes by the new timer.
            let Self { answered, first_fin, bucket, second_fin, .. } = self;
            Self { answered, first_fin, bucket, second_fin, ..by_new }
        } else if waits && now < self.takeable {
            Self { takeable: by_new.takeable.max(now).min(self.over), ..self }
        } else {
            self
        }
    }

    /// One of which nothing is left at `at`, before anybody answered.
    #[must_use]
    pub const fn abandoned(at: SimTime) -> Self {
        Self::ended(at, at)
    }

    /// When it comes to `mark`.
    #[must_use]
    pub const fn at(&self, mark: Mark) -> SimTime {
        match mark {
            Mark::Syn => self.answered,
            Mark::FirstFin => self.first_fin,
            Mark::Bucket => self.bucket,
            Mark::Takeable => self.takeable,
            Mark::Over => self.over,
        }
    }

    /// One with TIME-WAIT at its end, which nobody takes over.
    #[inline(always)]
    const fn waiting(at: SimTime, first_fin: SimTime, second_fin: SimTime, over: SimTime) -> Self {
        Self { answered: at, first_fin, bucket: second_fin, second_fin, takeable: over, over }
    }

    /// A connection that has been in TIME-WAIT since before the run, until `over`.
    #[must_use]
    pub const fn waiting_until(over: SimTime) -> Self {
        Self::waiting(SimTime::START, SimTime::START, SimTime::START, over)
    }
}

/// An instant of a [`Life`] that a limit may have to know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Mark {
    /// Its SYN is sent again: a limit has not let the one before pass.
    Syn,
    /// [`Life::first_fin`].
    FirstFin,
    /// [`Life::bucket`].
    Bucket,
    /// [`Life::takeable`].
    Takeable,
    /// [`Life::over`].
    Over,
}

impl Mark {
    /// Those of a life, in the order in which it comes to them.
    pub const ALL: [Self; 4] = [Self::FirstFin, Self::Bucket, Self::Takeable, Self::Over];

    /// The one after it; the last has none after it and is its own.
    #[inline]
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Syn => Self::FirstFin,
            Self::FirstFin => Self::Bucket,
            Self::Bucket => Self::Takeable,
            Self::Takeable | Self::Over => Self::Over,
        }
    }
}

/// What a connection will do, as far as that decides how long its port is taken.
#[derive(Clone, Copy, Debug)]
pub struct Will {
    /// From its opening to the first FIN or reset.
    pub lifetime: SimDuration,
    /// From the first FIN to the other side's.
    pub second_fin: SimDuration,
    /// Who ends it.
    pub ending: Ending,
    /// What it is opened to.
    pub remote: Remote,
    /// Does its port come from `bind()`?
    pub bound: bool,
}

/// The timers of one machine of a host in one run that decide when a port is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    wheel: TimerWheel,
    tcp: TcpSettings,
    /// FIN-WAIT-2: as a whole socket, where it begins as one, and as a TIME-WAIT bucket.
    fin_wait_2: (Option<Timer>, Timer),
    time_wait: Timer,
    taken_over: Timer,
    /// See [`Timers::of_plain_connections`].
    plain: bool,
}

impl Timers {
    /// The timers of a machine of `host` whose grid lies `phase` (0 to 1 of TIME-WAIT's step) late;
    /// `coarser` says where coarser grids lie, `tick` (0 to 1) where the clock does that tells the age of
    /// a TIME-WAIT.
    #[must_use]
    pub fn new(host: &Host, phase: f64, coarser: u64, tick: f64) -> Self {
        let wheel = TimerWheel::new(host.timer_grid, host.time_wait, phase, coarser);
        let tcp = host.tcp;
        Self {
            wheel,
            tcp,
            fin_wait_2: fin_wait_2(tcp, host.is_linux(), |timeout| wheel.timer(timeout)),
            time_wait: wheel.timer(host.time_wait),
            taken_over: Timer::by_clock(tcp.tw_reuse_delay, tcp.tw_reuse_clock, tick),
            plain: false,
        }
    }

    /// Timers that fire when they are due, of which TIME-WAIT lasts `time_wait`, on Linux or not.
    #[must_use]
    pub fn exact(tcp: TcpSettings, linux: bool, time_wait: SimDuration) -> Self {
        let wheel = TimerWheel::new(TimerGrid::Exact, time_wait, 0.0, 0);
        Self {
            wheel,
            tcp,
            fin_wait_2: fin_wait_2(tcp, linux, Timer::exact),
            time_wait: Timer::exact(time_wait),
            taken_over: Timer::exact(mean_age(tcp)),
            plain: false,
        }
    }

    /// The same, but for TIME-WAIT and the age at which one is taken over, which last as long as they do
    /// in the mean over all places of the grid.
    #[must_use]
    pub fn with_mean_time_wait(self, host: &Host) -> Self {
        Self {
            time_wait: Timer::exact(host.timer_grid.mean(host.time_wait)),
            taken_over: Timer::exact(mean_age(self.tcp)),
            ..self
        }
    }

    /// Timers of `host` that all last as long as they do in the mean, but for those of SYN-SENT, of which
    /// each begins when the one before it fires.
    #[must_use]
    pub fn in_the_mean(host: &Host) -> Self {
        let mean = |timeout| Timer::exact(host.timer_grid.mean(timeout));
        let timers = Self::new(host, 0.5, 0, 0.5).with_mean_time_wait(host);
        Self { fin_wait_2: fin_wait_2(host.tcp, host.is_linux(), mean), ..timers }
    }

    /// TIME-WAIT.
    #[must_use]
    pub const fn time_wait(&self) -> Timer {
        self.time_wait
    }

    /// May `connect()` take a port out of TIME-WAIT, over loopback or not?
    ///
    /// `net/ipv4/tcp_ipv4.c:tcp_twsk_unique`, Linux 6.18: with timestamps only, and with the setting 2
    /// over loopback only.
    #[must_use]
    pub fn may_be_taken_over(&self, loopback: bool) -> bool {
        let allowed = match self.tcp.tw_reuse {
            TwReuse::Never => false,
            TwReuse::Always => true,
            TwReuse::Loopback => loopback,
        };
        allowed && self.tcp.timestamps
    }

    /// The same, told that all connections of the machine are answered, have their second FIN with the
    /// first, and are never taken over: a life is known in a few steps then.
    #[must_use]
    pub fn of_plain_connections(self) -> Self {
        Self { plain: true, ..self }
    }

    /// Has it been told so?
    #[must_use]
    pub const fn is_of_plain_connections(&self) -> bool {
        self.plain
    }

    /// The life of a connection that is opened at `at`.
    ///
    /// The client's end of it: where the server closes first, TIME-WAIT is at the server (RFC 9293 section
    /// 3.6.1, MUST-13), and a reset leaves none anywhere. FIN-WAIT-2 ends by its own timer when the second
    /// FIN does not come in time, and nothing follows it.
    #[inline(always)] // Once an attempt: the call would cost as much as all of it.
    #[must_use]
    pub fn life(&self, at: SimTime, will: &Will) -> Life {
        if self.plain && will.ending == Ending::Client {
            let close = at + will.lifetime;
            return Life::waiting(at, close, close, self.time_wait.expires(close));
        }
        self.any_life(at, will)
    }

    #[inline(never)]
    fn any_life(&self, at: SimTime, will: &Will) -> Life {
        if !will.remote.answers() {
            let given_up = self.tcp.syn.given_up(self.wheel, at);
            return Life::ended(given_up, given_up);
        }
        let first_fin = at + will.lifetime;
        let second_fin = first_fin + will.second_fin;
        let (bucket, given_up) = match will.ending {
            Ending::Never => return Life::ended(at, SimTime::FAR_FUTURE),
            Ending::Reset | Ending::ServerReset | Ending::Unread => {
                return Life::ended(at, first_fin);
            }
            Ending::CloseWait => return Life { first_fin, ..Life::ended(at, SimTime::FAR_FUTURE) },
            Ending::Server => return Life { first_fin, ..Life::ended(at, second_fin) },
            Ending::Client if will.second_fin.is_zero() => (first_fin, SimTime::FAR_FUTURE),
            Ending::Client | Ending::Half => self.fin_wait_2(first_fin),
        };
        if will.ending == Ending::Half || second_fin >= given_up {
            return Life { first_fin, bucket, ..Life::ended(at, given_up) };
        }
        let over = self.time_wait.expires(second_fin);
        let bucket = bucket.min(second_fin);
        let waiting = Life { bucket, ..Life::waiting(at, first_fin, second_fin, over) };
        // A bound socket's bucket stays closed to connect(), and bind() takes nothing over.
        if will.bound || !self.may_be_taken_over(will.remote.is_here()) {
            return waiting;
        }
        // `net/ipv4/tcp_ipv4.c:tcp_twsk_unique`, Linux 6.18: its age in milliseconds must be greater than
        // `tcp_tw_reuse_delay`; before 6.14 the second must have changed.
        Life { takeable: self.taken_over.expires(second_fin).min(over), ..waiting }
    }

    /// When an attempt of `opened` that nobody has answered sends its SYN again, at `now` or later; `None` when it does
    /// no more.
    #[must_use]
    pub fn next_syn(&self, opened: SimTime, now: SimTime) -> Option<SimTime> {
        let mut next = None;
        self.tcp.syn.sends_again(self.wheel, opened, |at| {
            next = next.or((at >= now).then_some(at));
        });
        next
    }

    /// From when to when a port is in FIN-WAIT-2 as a TIME-WAIT bucket, if the client's FIN was
    /// answered at `since` and the server's never comes.
    fn fin_wait_2(&self, since: SimTime) -> (SimTime, SimTime) {
        let (whole, bucket) = self.fin_wait_2;
        let since = whole.map_or(since, |timer| timer.expires(since));
        (since, bucket.expires(since))
    }
}

/// The age at which a TIME-WAIT may be taken over, in the mean over where the clock stands that tells it.
fn mean_age(tcp: TcpSettings) -> SimDuration {
    tcp.tw_reuse_delay + SimDuration::from_nanos(tcp.tw_reuse_clock.as_nanos() / 2)
}

/// The timers of FIN-WAIT-2; `timer` makes one.
///
/// `net/ipv4/tcp.c:__tcp_close` and `tcp_timer.c:tcp_keepalive_timer`, Linux 6.18: up to a minute it
/// is a TIME-WAIT bucket at once; of a longer one the whole socket waits for what is above a minute, and
/// then a bucket for as long again. So 61 s become 2, and 120 s stay 120.
fn fin_wait_2(
    tcp: TcpSettings,
    linux: bool,
    timer: impl Fn(SimDuration) -> Timer,
) -> (Option<Timer>, Timer) {
    let timeout = tcp.fin_timeout;
    if !linux {
        return (None, timer(timeout));
    }
    if timeout <= TIMEWAIT_LEN {
        return (None, timer(timeout.max(LEAST_FIN_WAIT_2)));
    }
    let above = SimDuration::from_nanos(timeout.as_nanos() - TIMEWAIT_LEN.as_nanos());
    (Some(timer(above)), timer(above.max(LEAST_FIN_WAIT_2)))
}

impl SynTimeout {
    /// When a connection that was begun at `since` and is never answered is given up (ETIMEDOUT), by the
    /// timers of `wheel`.
    ///
    /// `net/ipv4/tcp_timer.c:tcp_write_timeout` and `tcp_retransmit_timer`, Linux 6.18: a SYN is sent
    /// again `tcp_syn_linear_timeouts` times a second apart, then at intervals that double. It is given
    /// up by the timer at which it has been sent again `tcp_syn_retries` times more, or at which the time
    /// is over that `tcp_syn_retries` alone would have taken (`retransmits_timed_out`).
    #[must_use]
    pub fn given_up(self, wheel: TimerWheel, since: SimTime) -> SimTime {
        self.sends_again(wheel, since, |_| ())
    }

    /// When an attempt of `since` is given up; `sent` is told of each SYN after the first. Where a time-out alone is
    /// known, they come after 1, 3, 7 ... s (RFC 6298, 2.1 and 5.5).
    fn sends_again(
        self,
        wheel: TimerWheel,
        since: SimTime,
        mut sent: impl FnMut(SimTime),
    ) -> SimTime {
        let (retries, linear) = match self {
            SynTimeout::After(timeout) => {
                let over = wheel.expires(since, timeout);
                let (mut at, mut interval) = (since + SYN_INTERVAL, SYN_INTERVAL);
                while at < over {
                    sent(at);
                    interval = interval + interval;
                    at = at + interval;
                }
                return over;
            }
            SynTimeout::Linux { retries, linear_timeouts } => (retries, linear_timeouts),
        };
        let longest = doubled(retries);
        let most = u32::from(retries) + u32::from(linear);
        let (mut at, mut interval) = (since, SYN_INTERVAL);
        for sent_again in 0.. {
            at = wheel.expires(at, interval);
            if sent_again >= most || at.since(since) >= longest {
                break;
            }
            sent(at);
            if sent_again >= u32::from(linear) {
                interval = (interval + interval).min(LONGEST_SYN_INTERVAL);
            }
        }
        at
    }
}

/// The time that `retries` retransmissions and the wait after the last take, were all timers exact
/// (`net/ipv4/tcp_timer.c:tcp_model_timeout`, Linux 6.18).
fn doubled(retries: u8) -> SimDuration {
    let (mut sum, mut interval) = (SYN_INTERVAL, SYN_INTERVAL);
    for _ in 0..retries {
        interval = (interval + interval).min(LONGEST_SYN_INTERVAL);
        sum = sum + interval;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Closed by the client at once, and by the server with it.
    const WILL: Will = Will {
        lifetime: SimDuration::ZERO,
        second_fin: SimDuration::ZERO,
        ending: Ending::Client,
        remote: Remote::Answers,
        bound: false,
    };

    fn timers(tcp: TcpSettings, phase: f64) -> Timers {
        let host = Host { tcp, ..Host::linux("h") };
        Timers::new(&host, phase, (phase * 7e5) as u64, phase)
    }

    /// The least and the greatest of `span` over 1,000 phases of the timer grid, in seconds.
    fn spread(tcp: TcpSettings, span: impl Fn(&Timers, SimTime) -> SimTime) -> (f64, f64) {
        let start = SimTime::from_nanos(3_333_333_333);
        let spans = (0..1_000).map(|index| {
            let timers = timers(tcp, f64::from(index) / 1_000.0);
            span(&timers, start).since(start).as_secs_f64()
        });
        spans.fold((f64::INFINITY, 0.0), |(low, high), span| (span.min(low), span.max(high)))
    }

    /// Measured on Linux 6.18, HZ=250, by polling: up to 50 ms late.
    #[test]
    fn fin_wait_2_lasts_as_long_as_measured() {
        for (secs, measured) in
            [(5, 5.18), (5, 5.04), (60, 60.59), (61, 2.1), (70, 20.45), (90, 61.7), (120, 123.45)]
        {
            let tcp =
                TcpSettings { fin_timeout: SimDuration::from_secs(secs), ..TcpSettings::default() };
            let (low, high) = spread(tcp, |timers, at| timers.fin_wait_2(at).1);
            assert!(low <= measured + 0.02 && measured <= high + 0.05, "{secs} s: {low} to {high}");
        }
    }

    /// Measured on Linux 6.18, HZ=250: `tcp_syn_retries`, `tcp_syn_linear_timeouts`, seconds.
    #[test]
    fn a_syn_is_given_up_when_measured() {
        for (retries, linear_timeouts, measured) in [
            (1, 4, 3.08),
            (2, 0, 7.3),
            (2, 4, 7.12),
            (3, 0, 15.49),
            (4, 4, 35.59),
            (6, 4, 134.19),
            (6, 0, 129.7),
            (5, 4, 69.0),
        ] {
            let syn = SynTimeout::Linux { retries, linear_timeouts };
            let (low, high) =
                spread(TcpSettings { syn, ..TcpSettings::default() }, |timers, at| {
                    let will = Will { remote: Remote::Silent, ..WILL };
                    timers.life(at, &will).over
                });
            let held = low - 0.01 <= measured && measured <= high + 0.02;
            assert!(held, "{retries}, {linear_timeouts}: {low} to {high} s, measured {measured}");
        }
    }

    #[test]
    fn a_port_is_taken_over_by_the_setting_the_place_and_timestamps() {
        let set =
            |tw_reuse, timestamps| TcpSettings { tw_reuse, timestamps, ..TcpSettings::default() };
        for (tcp, elsewhere, loopback) in [
            (set(TwReuse::Never, true), false, false),
            (set(TwReuse::Always, true), true, true),
            (set(TwReuse::Loopback, true), false, true),
            (set(TwReuse::Always, false), false, false),
        ] {
            let timers = timers(tcp, 0.5);
            assert_eq!(timers.may_be_taken_over(false), elsewhere, "{tcp:?}");
            assert_eq!(timers.may_be_taken_over(true), loopback, "{tcp:?}");
        }
    }

    #[test]
    fn before_6_14_a_changed_second_is_enough() {
        let tcp = TcpSettings {
            tw_reuse_delay: SimDuration::ZERO,
            tw_reuse_clock: SimDuration::from_secs(1),
            ..TcpSettings::default()
        };
        let (low, high) = spread(tcp, |timers, at| {
            timers.life(at, &Will { remote: Remote::AnswersHere, ..WILL }).takeable
        });
        assert!(low < 0.01 && high > 0.99 && high <= 1.0, "{low} to {high}");
    }

    #[test]
    fn the_instants_of_a_life_rise_however_it_ends() {
        let tcp = TcpSettings { fin_timeout: SimDuration::from_secs(61), ..TcpSettings::default() };
        let timers = timers(TcpSettings { tw_reuse: TwReuse::Always, ..tcp }, 0.3);
        let at = SimTime::from_nanos(7_777);
        for (ending, second_s) in Ending::ALL.iter().flat_map(|&end| [0, 1, 70].map(|s| (end, s))) {
            for remote in [Remote::Answers, Remote::AnswersHere, Remote::Silent] {
                let second_fin = SimDuration::from_secs(second_s);
                let lifetime = SimDuration::from_millis(5);
                let life = timers.life(at, &Will { lifetime, second_fin, ending, remote, ..WILL });
                let Life { answered, first_fin, bucket, second_fin, takeable, over } = life;
                let instants =
                    [at, answered, first_fin, bucket.min(second_fin), second_fin, takeable, over];
                assert!(instants.is_sorted(), "{ending:?} {second_s} s {remote:?}: {life:?}");
            }
        }
    }

    #[test]
    fn a_machine_of_plain_connections_has_the_same_lives() {
        let timers = timers(TcpSettings::default(), 0.7);
        let plain = timers.of_plain_connections();
        for ending in Ending::ALL.into_iter().filter(|&ending| ending != Ending::Half) {
            for nanos in [0, 1, 5_000_000, 2_048_000_000, 77_777_777_777] {
                let will = Will { lifetime: SimDuration::from_nanos(nanos), ending, ..WILL };
                let at = SimTime::from_nanos(nanos / 3);
                assert_eq!(plain.life(at, &will), timers.life(at, &will), "{ending:?} {nanos} ns");
            }
        }
    }
}
