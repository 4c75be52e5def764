//! Ctrl-C: the first one asks for an end, the second one is the end.

use std::sync::atomic::{AtomicBool, Ordering};

use portsim::report::file;

use super::Status;
use super::terminal::talk;

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Catches interrupts from now on (also SIGTERM, and SIGHUP where it was not ignored, as nohup has it).
pub fn catch() {
    catch_saying(
        "\nStopping: what is finished is saved, what is under way is given up. Press Ctrl-C again to leave \
         at once.",
    );
}

/// The same; `words` are said at the first one, if there are any.
pub fn catch_saying(words: &'static str) {
    let caught = on_signals(move || {
        if STOPPED.swap(true, Ordering::SeqCst) {
            // Held to the end, so that no writer begins another file.
            let _writers_wait = file::abandon();
            std::process::exit(Status::Interrupted as i32);
        }
        if !words.is_empty() {
            talk(words);
        }
    });
    if let Err(error) = caught {
        talk(&format!("note: Ctrl-C will not save what is finished ({error})"));
    }
}

/// Calls `handler` in a thread of its own for every signal that asks for an end.
#[cfg(unix)]
fn on_signals(handler: impl Fn() + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut wanted = vec![SIGINT, SIGTERM];
    if !hang_up_is_ignored() {
        wanted.push(SIGHUP);
    }
    let mut signals = Signals::new(wanted)?;
    let listen = move || signals.forever().for_each(|_| handler());
    std::thread::Builder::new().name("signals".to_owned()).spawn(listen)?;
    Ok(())
}

#[cfg(not(unix))]
fn on_signals(handler: impl Fn() + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(handler)
}

/// Is set when an end has been asked for.
pub fn flag() -> &'static AtomicBool {
    &STOPPED
}

/// Has an end been asked for?
pub fn stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

/// Linux says which signals are ignored, as a mask in hexadecimal; SIGHUP is its first bit.
#[cfg(unix)]
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}
