//! Who closed, from what Zeek saw of a connection: `conn_state` and `history`.
//!
//! `history` has a letter for what was seen, capital where the opener sent it: `S` a SYN, `h` a SYN and
//! ACK, `F` a FIN, `R` a reset; each side's first of a kind comes in the order of time. The first FIN
//! decides about TIME-WAIT (RFC 9293 section 3.6), unless a reset comes before the second.

use crate::traffic::End;

/// How a connection with this `conn_state` and this `history` ended; both may be empty. `None`
/// where packets were seen of one that was opened before: who did is not known.
pub(super) fn end(state: &[u8], history: &[u8]) -> Option<End> {
    Some(match state {
        b"S0" => End::Unanswered,
        b"S1" => End::Open,
        // The server, or a firewall, refused: the port is free at once. Or the opener gave up.
        b"REJ" | b"RSTOS0" | b"RSTRH" => End::Reset,
        b"OTH" => return None,
        _ => by_history(history).unwrap_or_else(|| by_state(state, history)),
    })
}

/// `None` where neither FIN nor reset was seen.
fn by_history(history: &[u8]) -> Option<End> {
    let letters = history.iter().filter(|letter| b"FfRr".contains(letter));
    let mut first = None;
    for letter in letters {
        match (first, letter) {
            // A reset before both have closed: no TIME-WAIT anywhere.
            (_, b'R' | b'r') => return Some(End::Reset),
            (None, _) => first = Some(*letter),
            (Some(b'F'), b'f') => return Some(End::Client),
            (Some(b'f'), b'F') => return Some(End::Server),
            _ => {}
        }
    }
    match first? {
        b'F' => Some(End::Half),
        // The server has closed and the opener has not: it holds its port in CLOSE-WAIT.
        _ => Some(End::Open),
    }
}

fn by_state(state: &[u8], history: &[u8]) -> End {
    match state {
        b"S2" | b"SH" => End::Half,
        b"S3" => End::Open,
        b"RSTO" | b"RSTR" => End::Reset,
        b"SHR" => End::Server,
        // Nothing but SYNs of the opener.
        b"" if !history.is_empty() && history.iter().all(|letter| *letter == b'S') => {
            End::Unanswered
        }
        _ => End::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fin_says_who_closed() {
        for (state, history, meant) in [
            ("SF", "ShADadFf", End::Client),
            ("SF", "ShADadfF", End::Server),
            ("SF", "ShADadFfR", End::Client),
            ("SF", "ShADadFRf", End::Reset),
            ("RSTO", "ShADadR", End::Reset),
            ("RSTR", "ShADadFr", End::Reset),
            ("S2", "ShADadF", End::Half),
            ("S3", "ShADadf", End::Open),
            ("SHR", "^hadf", End::Open),
            ("S0", "S", End::Unanswered),
            ("S1", "ShADad", End::Open),
            ("REJ", "Sr", End::Reset),
            ("SF", "", End::Unknown),
            ("S2", "", End::Half),
            ("S3", "", End::Open),
            ("RSTR", "", End::Reset),
            ("", "ShADadFf", End::Client),
            ("", "S", End::Unanswered),
            ("", "", End::Unknown),
            ("new-state", "ShAD", End::Unknown),
        ] {
            assert_eq!(end(state.as_bytes(), history.as_bytes()), Some(meant), "{state} {history}");
        }
        assert_eq!(end(b"OTH", b"Cc"), None);
    }
}
