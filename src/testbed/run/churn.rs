//! Attempts at given times, whatever becomes of the earlier ones.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::TcpStream;

use super::squat::sit;
use crate::testbed::check::last_s;
use crate::testbed::lab::{Lab, count};
use crate::testbed::pair::Pair;
use crate::testbed::socket::{Local, source_address};
use crate::testbed::{Failure, Progress};
use crate::validate::{Asking, Attempt, Churn, ChurnMeasured, Ending, Measured, TimeWaits};

/// Failures are counted by so many seconds.
const BIN_S: f64 = 10.0;

/// Time from one word on the progress to the next.
const REPORT_S: f64 = 0.25;

/// TIME-WAITs are counted at most this often, in seconds: each count reads a file of the kernel's.
const COUNT_S: f64 = 0.25;

/// Times that differ by less are the same: they are written with nine digits.
const SAME_S: f64 = 1e-9;

/// [`crate::validate::Experiment::Churn`].
///
/// Attempts and closes keep to the plan: an attempt to its time, the close of its connection to that time
/// and its life. So lateness is not handed on. What is due together begins with the closes.
pub(super) fn run(
    lab: &mut Lab<'_>,
    churn: &Churn,
    tell: &dyn Fn(Progress),
) -> Result<Measured, Failure> {
    lab.serve(churn.to)?;
    let elsewhere = lab.serve_elsewhere()?;
    let sitting = churn.sitting.iter().map(|&(kind, port)| sit(lab, kind, port, &elsewhere));
    let _sitting = sitting.collect::<Result<Vec<_>, _>>()?;
    lab.clock.restart();
    let mut run = ChurnRun::new(lab, churn);
    let mut next_report = 0.0;
    let mut next_count = 0.0;
    let mut planned = Planned::new(churn);
    while let Some((source, attempt)) = planned.next_attempt() {
        run.close_until(attempt.time)?;
        lab.clock.sleep_until(attempt.time)?;
        if next_count <= attempt.time {
            run.measured.time_waits.extend(time_waits(lab.clock.now()));
            next_count = attempt.time + COUNT_S;
        }
        let refused = run.attempt(&attempt, source)?;
        planned.hear(refused);
        let now = lab.clock.now();
        if next_report <= now {
            tell(run.progress());
            next_report = now + REPORT_S;
        }
    }
    tell(run.progress());
    Ok(Measured::Churn(run.measured))
}

/// What is attempted when.
enum Planned<'a> {
    List(std::vec::IntoIter<(u32, Attempt)>),
    Workers(Asking<'a>),
}

impl<'a> Planned<'a> {
    fn new(churn: &'a Churn) -> Self {
        match &churn.workers {
            None => Self::List(in_order(churn).into_iter()),
            Some(workers) => Self::Workers(workers.begin()),
        }
    }

    /// The next attempt, with the number of its source address.
    fn next_attempt(&mut self) -> Option<(u32, Attempt)> {
        match self {
            Self::List(list) => list.next(),
            Self::Workers(workers) => {
                let attempt = workers.next_attempt()?;
                Some((attempt.source.unwrap_or(0) + 1, attempt))
            }
        }
    }

    fn hear(&mut self, refused: bool) {
        if let Self::Workers(workers) = self {
            workers.hear(refused);
        }
    }
}

/// The attempts by time, each with the number of its source address.
fn in_order(churn: &Churn) -> Vec<(u32, Attempt)> {
    let sources = (1..=churn.sources).cycle();
    let own = |(source, attempt): (u32, &Attempt)| {
        (attempt.source.map_or(source, |number| number + 1), *attempt)
    };
    let mut attempts: Vec<_> = sources.zip(&churn.attempts).map(own).collect();
    attempts.sort_by(|(_, a), (_, b)| a.time.total_cmp(&b.time));
    attempts
}

/// The TIME-WAITs of the thread's namespace (net/ipv4/proc.c:sockstat_seq_show).
fn time_waits(at_s: f64) -> Option<TimeWaits> {
    let text = std::fs::read_to_string("/proc/thread-self/net/sockstat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "tw");
    Some(TimeWaits { at_s, count: words.nth(1)?.parse().ok()? })
}

/// A connection to be closed. The heap gives the earliest first.
struct Due {
    at: f64,
    pair: Pair,
    close: Ending,
    /// Its number among the attempts that were made.
    number: usize,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.total_cmp(&other.at)
    }
}

struct ChurnRun<'a, 'b> {
    lab: &'a Lab<'b>,
    churn: &'a Churn,
    open: BinaryHeap<Reverse<Due>>,
    /// Servers that never close.
    silent: Vec<TcpStream>,
    measured: ChurnMeasured,
}

impl<'a, 'b> ChurnRun<'a, 'b> {
    fn new(lab: &'a Lab<'b>, churn: &'a Churn) -> Self {
        let bins = (last_s(churn) / BIN_S) as usize + 1;
        let measured = ChurnMeasured { fail_per_10s: vec![0; bins], ..ChurnMeasured::default() };
        Self { lab, churn, open: BinaryHeap::new(), silent: Vec::new(), measured }
    }

    /// Closes each connection that is due by then, at its time.
    fn close_until(&mut self, time: f64) -> Result<(), Failure> {
        while self.open.peek().is_some_and(|Reverse(due)| due.at <= time + SAME_S)
            && let Some(Reverse(Due { at, pair, close, number })) = self.open.pop()
        {
            self.lab.clock.sleep_until(at)?;
            let made = &mut self.measured.made[number];
            made.life = self.lab.clock.now() - made.time;
            self.silent.extend(pair.close(close)?);
        }
        Ok(())
    }

    /// Makes it, and says whether it was refused.
    fn attempt(&mut self, attempt: &Attempt, source: u32) -> Result<bool, Failure> {
        let Attempt { time, destination, life, close, .. } = *attempt;
        let how = self.churn.how_of(attempt);
        let now = self.lab.clock.now();
        self.measured.max_late_s = self.measured.max_late_s.max(now - time);
        self.measured.attempts += 1;
        let number = self.measured.made.len();
        self.measured.made.push(Attempt { time: now, source: Some(source - 1), ..*attempt });
        let local = match attempt.port {
            Some(port) => Local::Port(source_address(source), port),
            None => Local::of(how.call, source, self.churn.sources > 1),
        };
        let mut refused = false;
        match self.lab.open(how, local, destination)? {
            // At once, so that no attempt comes between however late both are.
            Ok(pair) if life == 0.0 => self.silent.extend(pair.close(close)?),
            Ok(pair) => self.open.push(Reverse(Due { at: time + life, pair, close, number })),
            Err(refusal) => {
                refused = true;
                self.measured.fail += 1;
                self.measured.first_fail_s.get_or_insert(time);
                self.measured.refused_at_s.push(time);
                self.measured.fail_per_10s[(time / BIN_S) as usize] += 1;
                count(&mut self.measured.errors, refusal);
            }
        }
        Ok(refused)
    }

    fn progress(&self) -> Progress {
        Progress {
            elapsed_s: self.lab.clock.now(),
            attempts: self.measured.attempts,
            failed: self.measured.fail,
        }
    }
}
