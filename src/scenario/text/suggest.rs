//! "Did you mean": the nearest of the names that would have been right.

use std::borrow::Cow;

use crate::names;

/// More names than a person writes: a generated file with thousands of wrong references must not
/// take minutes to be refused.
const MOST_COMPARED: usize = 100;

/// The name most like `written`, if any is alike enough to be meant.
pub(crate) fn nearest<'a>(
    written: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = plain(written);
    // Long garbage is like nothing, and comparing it would cost its length squared.
    if written.chars().count() > 64 {
        return None;
    }
    let mut best: Option<(f64, &str)> = None;
    for name in names.into_iter().take(MOST_COMPARED) {
        let candidate = plain(name);
        let mut likeness = strsim::jaro_winkler(&written, &candidate);
        // A plural, a prefix or a missing word is meant far more often than chance likeness.
        if written.len() >= 3 && (candidate.starts_with(&*written) || candidate.contains(&*written))
        {
            likeness = likeness.max(0.9);
        }
        if candidate.len() >= 3 && written.starts_with(&*candidate) {
            likeness = likeness.max(0.9);
        }
        if strsim::osa_distance(&written, &candidate) <= 1 && candidate.len() >= 2 {
            likeness = likeness.max(0.95);
        }
        if likeness >= 0.8 && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Case and the choice between `-`, `_` and a space are never what is meant.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['-', ' '], "_")
}

/// A list longer than this says less than the nearest name alone.
const LONG_LIST: usize = 15;

/// "did you mean `api`? There are `api` and `cdn`", or only one half.
pub(crate) fn instead(written: &str, names: &[&str], there_are: &str) -> String {
    let list = match names {
        [one] => format!("the only {there_are} is `{}`", shown(one)),
        _ => format!("known: {}", listed(names)),
    };
    match nearest(written, names.iter().copied()) {
        Some(name) if names.len() == 1 || names.len() > LONG_LIST => {
            format!("did you mean `{}`?", shown(name))
        }
        Some(name) => format!("did you mean `{}`? {list}", shown(name)),
        None => list,
    }
}

/// `` `a`, `b` and `c` ``; at most 30 of them.
pub(crate) fn listed(names: &[&str]) -> String {
    const MOST: usize = 30;
    let quoted: Vec<String> =
        names.iter().take(MOST).map(|name| format!("`{}`", shown(name))).collect();
    match quoted.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        _ if names.len() > MOST => {
            format!("{} and {} more", quoted.join(", "), names.len() - MOST)
        }
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A person's text made fit for a message: no control characters, not endless.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 60;
    let clean = names::tame(text);
    if matches!(clean, Cow::Borrowed(_)) && text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let mut short: String = clean.chars().take(LONGEST).collect();
    if clean.chars().count() > LONGEST {
        short.push('…');
    }
    Cow::Owned(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_a_person_meant() {
        let keys = ["process", "rate", "every", "size", "spacing", "workers", "think"];
        for (written, meant) in
            [("ratee", "rate"), ("rat", "rate"), ("worker", "workers"), ("Rate", "rate")]
        {
            assert_eq!(nearest(written, keys), Some(meant), "{written}");
        }
        let metrics = ["first_blocked", "blocking_ratio", "blocked_time_share", "peak_in_use"];
        assert_eq!(nearest("first-blocked", metrics), Some("first_blocked"));
        assert_eq!(nearest("blocked_ratio", metrics), Some("blocking_ratio"));
    }

    #[test]
    fn nothing_is_suggested_for_what_is_like_nothing() {
        assert_eq!(nearest("zzz", ["rate", "size"]), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), ["rate"]), None);
        assert_eq!(nearest("", ["rate", "size"]), None);
    }

    #[test]
    fn control_characters_never_reach_a_message() {
        assert_eq!(shown("a\u{1b}[31mb\u{202e}"), "a [31mb ");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), 61);
    }
}
