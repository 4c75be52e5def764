//! Whether a case makes sense, before anything is set up for it; and how long it can last.

use super::Failure;
use crate::validate::{Case, Churn, Experiment, Setup, Step};

/// Source addresses are 127.0.0.1 to 127.0.0.99, destinations lie above.
const MOST_SOURCES: u32 = 99;

/// The longest time the experiment can take, in seconds, apart from setting it up; what is done without
/// waiting counts as nothing.
#[must_use]
pub fn at_most_s(case: &Case) -> f64 {
    match &case.experiment {
        Experiment::Mix { steps, .. } => steps.iter().map(wait_s).sum(),
        Experiment::FinWait2 { limit, .. } | Experiment::SynSent { limit, .. } => *limit,
        Experiment::TwTime { gap, wait_to, .. } => gap * f64::from(case.setup.n) + wait_to,
        Experiment::Order(order) => {
            order.gap * f64::from(order.to.k) * f64::from(order.count.unwrap_or(case.setup.n))
        }
        Experiment::Churn(churn) => last_s(churn),
        _ => 0.0,
    }
}

fn wait_s(step: &Step) -> f64 {
    match step {
        Step::Open { wait, .. } => *wait,
        Step::Release { .. } => 0.0,
    }
}

/// When the last attempt is due.
pub(super) fn last_s(churn: &Churn) -> f64 {
    let until = churn.workers.as_ref().map_or(0.0, |workers| workers.until.as_secs_f64());
    churn.attempts.iter().map(|attempt| attempt.time).fold(until, f64::max)
}

/// Refuses a case that no machine can do.
pub(super) fn check(case: &Case) -> Result<(), Failure> {
    let Setup { lo, n, .. } = case.setup;
    if lo == 0 || n == 0 || u32::from(lo) + n > 65_536 {
        return impossible(format!("there is no range of {n} ports from {lo} on"));
    }
    match &case.experiment {
        Experiment::Hold(hold) => some(hold.to.k, "destination").and(sources(hold.sources)),
        Experiment::Squat(squat) => {
            if squat.count > n {
                return impossible(format!("{} ports of {n} are to be taken", squat.count));
            }
            some(squat.to.k, "destination")
        }
        Experiment::Order(order) => some(order.to.k, "destination").and(time(order.gap)),
        Experiment::Mix { to, steps } => {
            steps.iter().enumerate().try_for_each(|(index, step)| one_step(index, step, to.k))
        }
        Experiment::FinWait2 { server_after, limit } => {
            time(server_after.unwrap_or(0.0)).and(time(*limit))
        }
        Experiment::SynSent { limit, .. } => time(*limit),
        Experiment::TwTime { gap, server_delay, wait_from, wait_to, .. } => {
            [gap, server_delay, wait_from, wait_to].into_iter().try_for_each(|&t| time(t))
        }
        Experiment::Churn(churn) => all_attempts(churn),
        Experiment::Cost { levels, .. } => {
            let fine = levels.is_sorted() && levels.iter().all(|l| (0.0..=100.0).contains(l));
            if fine { Ok(()) } else { impossible("levels rise from 0 to 100".to_owned()) }
        }
        Experiment::Fixed { port: 0, .. } => impossible("port 0 stands for any port".to_owned()),
        Experiment::Fixed { .. } => Ok(()),
    }
}

fn one_step(index: usize, step: &Step, destinations: u32) -> Result<(), Failure> {
    match step {
        Step::Release { release } if *release >= index => {
            impossible(format!("step {index} releases step {release}, which comes later"))
        }
        Step::Release { .. } => Ok(()),
        Step::Open { dst, source, wait, .. } => {
            below(*dst, destinations).and(sources(*source)).and(time(*wait))
        }
    }
}

fn all_attempts(churn: &Churn) -> Result<(), Failure> {
    some(churn.to.k, "destination").and(sources(churn.sources))?;
    if churn.attempts.is_empty() && churn.workers.is_none() {
        return impossible(
            "it has no attempts; those of its trace are to be read first".to_owned(),
        );
    }
    churn.attempts.iter().try_for_each(|attempt| {
        if usize::from(attempt.how) > churn.others.len() {
            return impossible(format!("way {} to come by a port is named, not told", attempt.how));
        }
        below(attempt.destination, churn.to.k).and(time(attempt.time)).and(time(attempt.life))
    })
}

fn some(count: u32, what: &str) -> Result<(), Failure> {
    if count > 0 { Ok(()) } else { impossible(format!("it has no {what}")) }
}

fn sources(count: u32) -> Result<(), Failure> {
    some(count, "source address")?;
    if count <= MOST_SOURCES {
        return Ok(());
    }
    impossible(format!("{count} source addresses are more than the {MOST_SOURCES} there are"))
}

fn below(destination: u32, k: u32) -> Result<(), Failure> {
    if destination < k {
        return Ok(());
    }
    impossible(format!("destination {destination} of {k} is named; they count from 0"))
}

fn time(seconds: f64) -> Result<(), Failure> {
    if (0.0..=1e6).contains(&seconds) {
        return Ok(());
    }
    impossible(format!("{seconds} is no time to wait, in seconds"))
}

fn impossible(why: String) -> Result<(), Failure> {
    Err(Failure::Impossible(why))
}

#[cfg(test)]
mod tests {
    use super::{at_most_s, check};
    use crate::validate::{
        Attempt, Case, Churn, Destinations, Ending, Experiment, How, Setup, Step,
    };

    fn case(lo: u16, n: u32, experiment: Experiment) -> Case {
        let setup = Setup::new(lo, n);
        let (name, kernel, notes) = ("case".to_owned(), String::new(), String::new());
        Case { name, setup, experiment, measured: None, kernel, notes }
    }

    fn churn(destination: u32, time: f64) -> Experiment {
        churn_by(0, destination, time)
    }

    fn churn_by(how: u16, destination: u32, time: f64) -> Experiment {
        let attempts = vec![Attempt {
            time,
            destination,
            life: 0.0,
            close: Ending::Client,
            source: None,
            how,
            port: None,
        }];
        let (to, trace) = (Destinations { k: 2, by_address: false }, String::new());
        let (how, others) = (How::default(), Vec::new());
        Experiment::Churn(Churn {
            how,
            others,
            to,
            sources: 1,
            sitting: Vec::new(),
            attempts,
            workers: None,
            trace,
        })
    }

    fn refused(case: &Case) -> String {
        check(case).expect_err("no machine can do that").to_string()
    }

    #[test]
    fn the_last_port_may_be_used_and_the_one_above_may_not() {
        assert_eq!(check(&case(65_000, 536, churn(1, 0.0))), Ok(()));
        assert!(refused(&case(65_000, 537, churn(1, 0.0))).contains("537 ports from 65000 on"));
        assert!(refused(&case(0, 5, churn(1, 0.0))).contains("5 ports from 0 on"));
    }

    #[test]
    fn what_is_named_must_be_there() {
        assert!(refused(&case(40_000, 5, churn(2, 0.0))).contains("destination 2 of 2"));
        assert!(refused(&case(40_000, 5, churn_by(1, 0, 0.0))).contains("way 1 to come by"));
        let steps = vec![Step::Release { release: 0 }];
        let to = Destinations { k: 1, by_address: false };
        let mix = Experiment::Mix { to, steps };
        assert!(refused(&case(40_000, 5, mix)).contains("step 0 releases step 0"));
    }

    #[test]
    fn times_are_numbers_and_not_negative() {
        assert!(refused(&case(40_000, 5, churn(0, -1.0))).contains("-1 is no time"));
        assert!(refused(&case(40_000, 5, churn(0, f64::NAN))).contains("NaN is no time"));
    }

    #[test]
    fn churn_lasts_until_its_last_attempt() {
        assert!((at_most_s(&case(40_000, 5, churn(0, 12.5))) - 12.5).abs() < 1e-12);
    }
}
