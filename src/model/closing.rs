//! How long a port stays taken when a connection ends otherwise than by a plain exchange of FINs, and
//! when it never comes about: FIN-WAIT-2 and SYN-SENT, as Linux times them.

use super::Host;
use super::hold::{HoldTimer, TimerWheel};
use super::tcp::{SynTimeout, TcpSettings, TwReuse};
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

/// The timers of one machine of a host in one run that decide when a port is free.
#[derive(Clone, Copy, Debug)]
pub struct Closing {
    wheel: TimerWheel,
    tcp: TcpSettings,
    linux: bool,
    time_wait: HoldTimer,
    taken_over: HoldTimer,
}

impl Closing {
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
            linux: host.is_linux(),
            time_wait: wheel.timer(host.time_wait),
            taken_over: HoldTimer::by_clock(tcp.tw_reuse_delay, tcp.tw_reuse_clock, tick),
        }
    }

    /// TIME-WAIT.
    #[must_use]
    pub const fn time_wait(&self) -> HoldTimer {
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

    /// From when on a port that went into TIME-WAIT at `since` may be taken over.
    ///
    /// `net/ipv4/tcp_ipv4.c:tcp_twsk_unique`, Linux 6.18: its age in milliseconds must be greater than
    /// `tcp_tw_reuse_delay`; before 6.14 the second must have changed.
    #[must_use]
    pub fn taken_over_from(&self, since: SimTime) -> SimTime {
        self.taken_over.expires(since).min(self.time_wait.expires(since))
    }

    /// From when to when a port is in FIN-WAIT-2 as a TIME-WAIT bucket, if the client's FIN was
    /// answered at `since` and the server's never comes.
    ///
    /// `net/ipv4/tcp.c:__tcp_close` and `tcp_timer.c:tcp_keepalive_timer`, Linux 6.18: up to a minute it
    /// is such a bucket at once; of a longer one the whole socket waits for what is above a minute, and
    /// then a bucket for as long again. So 61 s become 2, and 120 s stay 120.
    #[must_use]
    pub fn fin_wait_2(&self, since: SimTime) -> (SimTime, SimTime) {
        let timeout = self.tcp.fin_timeout;
        if !self.linux || timeout <= TIMEWAIT_LEN {
            let least = if self.linux { LEAST_FIN_WAIT_2 } else { SimDuration::ZERO };
            return (since, self.wheel.expires(since, timeout.max(least)));
        }
        let above = SimDuration::from_nanos(timeout.as_nanos() - TIMEWAIT_LEN.as_nanos());
        let bucket = self.wheel.expires(since, above);
        (bucket, self.wheel.expires(bucket, above.max(LEAST_FIN_WAIT_2)))
    }

    /// When a connection that was begun at `since` and is never answered is given up (ETIMEDOUT).
    ///
    /// `net/ipv4/tcp_timer.c:tcp_write_timeout` and `tcp_retransmit_timer`, Linux 6.18: a SYN is sent
    /// again `tcp_syn_linear_timeouts` times a second apart, then at intervals that double. It is given
    /// up by the timer at which it has been sent again `tcp_syn_retries` times more, or at which the time
    /// is over that `tcp_syn_retries` alone would have taken (`retransmits_timed_out`).
    #[must_use]
    pub fn syn_sent(&self, since: SimTime) -> SimTime {
        self.tcp.syn.given_up(self.wheel, since)
    }
}

impl SynTimeout {
    /// When a connection that was begun at `since` is given up, by the timers of `wheel`; see
    /// [`Closing::syn_sent`].
    #[must_use]
    pub fn given_up(self, wheel: TimerWheel, since: SimTime) -> SimTime {
        let (retries, linear) = match self {
            SynTimeout::After(timeout) => return wheel.expires(since, timeout),
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
    use crate::model::{PortRange, PortSet, ReuseKey, SelectionKind, TimerGrid};

    fn closing(tcp: TcpSettings, phase: f64) -> Closing {
        let host = Host {
            name: "h".into(),
            count: 1,
            addresses: 1,
            ports: PortRange::IANA_DYNAMIC,
            reserved: PortSet::default(),
            listeners: PortSet::default(),
            squatters: Vec::new(),
            time_wait: SimDuration::from_secs(60),
            timer_grid: TimerGrid::LinuxWheel { hz: 250 },
            selection: SelectionKind::Linux,
            reuse_key: ReuseKey::FourTuple,
            tcp,
            search_cost: None,
            clients: Vec::new(),
        };
        Closing::new(&host, phase, (phase * 7e5) as u64, phase)
    }

    /// The least and the greatest of `span` over 1,000 phases of the timer grid, in seconds.
    fn spread(tcp: TcpSettings, span: impl Fn(&Closing, SimTime) -> SimTime) -> (f64, f64) {
        let start = SimTime::from_nanos(3_333_333_333);
        let spans = (0..1_000).map(|index| {
            let closing = closing(tcp, f64::from(index) / 1_000.0);
            span(&closing, start).since(start).as_secs_f64()
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
            let (low, high) = spread(tcp, |closing, at| closing.fin_wait_2(at).1);
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
                spread(TcpSettings { syn, ..TcpSettings::default() }, |closing, at| {
                    closing.syn_sent(at)
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
            let closing = closing(tcp, 0.5);
            assert_eq!(closing.may_be_taken_over(false), elsewhere, "{tcp:?}");
            assert_eq!(closing.may_be_taken_over(true), loopback, "{tcp:?}");
        }
    }

    #[test]
    fn before_6_14_a_changed_second_is_enough() {
        let tcp = TcpSettings {
            tw_reuse_delay: SimDuration::ZERO,
            tw_reuse_clock: SimDuration::from_secs(1),
            ..TcpSettings::default()
        };
        let (low, high) = spread(tcp, |closing, at| closing.taken_over_from(at));
        assert!(low < 0.01 && high > 0.99 && high <= 1.0, "{low} to {high}");
    }
}
