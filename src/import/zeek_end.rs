//! Who closed, from what Zeek saw of a connection: `conn_state` and `history`.
//!
//! `history` has a letter for what was seen, capital where the opener sent it: `S` a SYN, `h` a SYN and
//! ACK, `F` a FIN, `R` a reset; each side's first of a kind comes in the order of time. The first FIN
//! decides about TIME-WAIT (RFC 9293 section 3.6), unless a reset comes before the second.

use crate::model::Ending;
use crate::traffic::LastSeen;

/// How a connection with this `conn_state` and this `history` ended; both may be empty. `None`
/// where packets were seen of one that was opened before: who did is not known.
pub(super) fn last_seen(state: &[u8], history: &[u8]) -> Option<LastSeen> {
    Some(match state {
        b"S0" => LastSeen::Unanswered,
        b"S1" => LastSeen::Open,
        // The server, or a firewall, refused: the port is free at once. Or the opener gave up.
        b"REJ" | b"RSTOS0" | b"RSTRH" => LastSeen::Ended(Ending::Reset),
        b"OTH" => return None,
        _ => by_history(history).unwrap_or_else(|| by_state(state, history)),
    })
}

/// `None` where neither FIN nor reset was seen.
fn by_history(history: &[u8]) -> Option<LastSeen> {
    let letters = history.iter().filter(|letter| b"FfRr".contains(letter));
    let mut first = None;
    for letter in letters {
        match (first, letter) {
            // A reset before both have closed: no TIME-WAIT anywhere.
            (_, b'R' | b'r') => return Some(LastSeen::Ended(Ending::Reset)),
            (None, _) => first = Some(*letter),
            (Some(b'F'), b'f') => return Some(LastSeen::Ended(Ending::Client)),
            (Some(b'f'), b'F') => return Some(LastSeen::Ended(Ending::Server)),
            _ => {}
        }
    }
    match first? {
        b'F' => Some(LastSeen::Ended(Ending::Half)),
        // The server has closed and the opener has not: it holds its port in CLOSE-WAIT.
        _ => Some(LastSeen::Open),
    }
}

fn by_state(state: &[u8], history: &[u8]) -> LastSeen {
    match state {
        b"S2" | b"SH" => LastSeen::Ended(Ending::Half),
        b"S3" => LastSeen::Open,
        b"RSTO" | b"RSTR" => LastSeen::Ended(Ending::Reset),
        b"SHR" => LastSeen::Ended(Ending::Server),
        // Nothing but SYNs of the opener.
        b"" if !history.is_empty() && history.iter().all(|letter| *letter == b'S') => {
            LastSeen::Unanswered
        }
        _ => LastSeen::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fin_says_who_closed() {
        for (state, history, meant) in [
            ("SF", "ShADadFf", LastSeen::Ended(Ending::Client)),
            ("SF", "ShADadfF", LastSeen::Ended(Ending::Server)),
            ("SF", "ShADadFfR", LastSeen::Ended(Ending::Client)),
            ("SF", "ShADadFRf", LastSeen::Ended(Ending::Reset)),
            ("RSTO", "ShADadR", LastSeen::Ended(Ending::Reset)),
            ("RSTR", "ShADadFr", LastSeen::Ended(Ending::Reset)),
            ("S2", "ShADadF", LastSeen::Ended(Ending::Half)),
            ("S3", "ShADadf", LastSeen::Open),
            ("SHR", "^hadf", LastSeen::Open),
            ("S0", "S", LastSeen::Unanswered),
            ("S1", "ShADad", LastSeen::Open),
            ("REJ", "Sr", LastSeen::Ended(Ending::Reset)),
            ("SF", "", LastSeen::Unknown),
            ("S2", "", LastSeen::Ended(Ending::Half)),
            ("S3", "", LastSeen::Open),
            ("RSTR", "", LastSeen::Ended(Ending::Reset)),
            ("", "ShADadFf", LastSeen::Ended(Ending::Client)),
            ("", "S", LastSeen::Unanswered),
            ("", "", LastSeen::Unknown),
            ("new-state", "ShAD", LastSeen::Unknown),
        ] {
            assert_eq!(
                last_seen(state.as_bytes(), history.as_bytes()),
                Some(meant),
                "{state} {history}"
            );
        }
        assert_eq!(last_seen(b"OTH", b"Cc"), None);
    }
}
