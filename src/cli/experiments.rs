//! Experiments on this machine's kernel, side by side: what is over at once first, then all that last.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use portsim::testbed::{self, Failure, Made};
use portsim::validate::{Case, Experiment};

/// Experiments that are over at once and run side by side: more would only wait for a core.
const SHORT_AT_A_TIME: usize = 2;

/// One experiment that came to an end: which of the cases it was, and how it ended.
pub type Ended = (usize, Result<Made, Failure>);

/// Makes all of `cases` and tells `ended` of each as it ends, in this thread; `tick` is called several
/// times a second meanwhile.
pub fn side_by_side(
    cases: &[Case],
    stop: &AtomicBool,
    mut ended: impl FnMut(Ended),
    mut tick: impl FnMut(),
) {
    let all: Vec<usize> = (0..cases.len()).collect();
    let (costs, others): (Vec<usize>, Vec<usize>) =
        all.into_iter().partition(|&at| matches!(cases[at].experiment, Experiment::Cost { .. }));
    let (short, long): (Vec<usize>, Vec<usize>) =
        others.into_iter().partition(|&at| testbed::at_most_s(&cases[at]) == 0.0);
    // What takes time must not share the machine with anything.
    for (at_a_time, group) in [(1, costs), (SHORT_AT_A_TIME, short), (usize::MAX, long)] {
        together(cases, &group, at_a_time, stop, &mut ended, &mut tick);
    }
}

fn together(
    cases: &[Case],
    group: &[usize],
    at_a_time: usize,
    stop: &AtomicBool,
    ended: &mut impl FnMut(Ended),
    tick: &mut impl FnMut(),
) {
    thread::scope(|scope| {
        let (sender, receiver): (Sender<Ended>, Receiver<Ended>) = channel();
        let mut waiting = group.iter().copied();
        let begin = |at: usize| {
            let sender = sender.clone();
            scope.spawn(move || {
                let measured = testbed::measure(&cases[at], stop);
                // The receiver outlives all of them.
                let _ = sender.send((at, measured));
            });
        };
        let mut running = 0;
        for at in waiting.by_ref().take(at_a_time) {
            begin(at);
            running += 1;
        }
        while running > 0 {
            tick();
            if let Ok(one) = receiver.recv_timeout(Duration::from_millis(100)) {
                ended(one);
                running -= 1;
                if let Some(next) = waiting.next() {
                    begin(next);
                    running += 1;
                }
            }
        }
    });
}
