//! Texts that are not TOML, or not text.

use proptest::prelude::*;

use super::good::{DESIGN, SMALLEST};
use super::*;

#[test]
fn prose_is_not_answered_with_a_complaint_for_every_line() {
    let problems = bad("this is no scenario at all\n".repeat(500));
    assert!(problems.len() <= 11, "{}", problems.len());
    assert!(problems.to_string().contains("490 more lines are not TOML"), "{problems}");
}

#[test]
fn an_empty_file_is_shown_the_smallest() {
    for text in ["", "\n\n", "# only a comment\n", "\u{feff}"] {
        let problems = bad(text);
        assert_eq!(problems.len(), 1);
        let shown = problems.render(false);
        assert!(shown.contains("empty") && shown.contains("[client.fetcher]"), "{shown}");
    }
    let problems = bad("title = \"x\"\n[run]\n");
    assert!(problems.to_string().contains("has no client"), "{problems}");
}

#[test]
fn the_smallest_file_that_is_shown_is_fine() {
    let text = crate::scenario::read::SMALLEST.split_once('\n').unwrap().1;
    assert_eq!(good(text).world, good(SMALLEST).world);
}

#[test]
fn nesting_without_end_is_refused_and_not_followed() {
    let deep = format!("{SMALLEST}x = {}", "[".repeat(100_000));
    assert!(!bad(deep).is_empty());
    let deep = format!("{SMALLEST}x = {}", "{a=".repeat(100_000));
    assert!(!bad(deep).is_empty());
    let deep = format!("[{}]\n", vec!["a"; 5_000].join("."));
    assert!(!bad(deep).is_empty());
}

/// Pieces from which texts are made that come close to scenarios.
fn piece() -> impl Strategy<Value = String> {
    let lines: Vec<String> = DESIGN.lines().map(str::to_owned).collect();
    prop_oneof![
        prop::sample::select(lines),
        prop::sample::select(vec![
            "[",
            "]",
            "{",
            "}",
            "=",
            ".",
            ",",
            "\"",
            "'",
            "\n",
            "\r\n",
            "#",
            "[[change]]",
            "[host.crawler]",
            "net.ipv4.ip_local_port_range = 32768 60999",
            "-net/ipv4/tcp_tw_reuse\u{a0}=",
            "sysctl = ",
            "vm.x=",
            "\u{feff}",
            "\"\"\"",
            "µ",
            "-",
            "1e999",
            "\"1e300 / s\"",
            "[client.\"\"]",
            "a.b.c = 1",
            "\0",
            "é",
        ])
        .prop_map(str::to_owned),
        ".{0,12}",
    ]
}

/// Reads `text`, and shows what is wrong with it in both ways.
fn survive(text: &[u8], overrides: &[Override]) {
    if let Err(problems) = parse("x", "x.toml", text, overrides) {
        assert!(!problems.is_empty());
        assert!(!problems.render(false).contains('\u{1b}'));
        assert!(!problems.render(true).is_empty());
        for problem in &problems {
            let _ = problems.place(problem);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_byte_string_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survive(&bytes, &[]);
    }

    #[test]
    fn no_text_like_a_scenario_makes_it_panic(
        pieces in prop::collection::vec(piece(), 0..30),
        newlines in any::<bool>(),
    ) {
        survive(pieces.join(if newlines { "\n" } else { "" }).as_bytes(), &[]);
    }

    #[test]
    fn no_damage_to_a_scenario_makes_it_panic(
        at in 0..DESIGN.len(),
        length in 0..40_usize,
        put in piece(),
    ) {
        let mut bytes = DESIGN.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, put.bytes());
        survive(&bytes, &[]);
    }

    #[test]
    fn no_override_makes_it_panic(key in "[a-z.\"' ]{0,30}|client.fetcher.[a-z.]{0,20}|.{0,9}", value in ".{0,20}|[\\[{\"0-9.,=}]{0,12}") {
        survive(DESIGN.as_bytes(), &[Override { key, value }]);
    }

    #[test]
    fn no_quantity_makes_it_panic(text in "[0-9.,eE+_-]{0,8} ?[a-zµ/%]{0,6} ?.{0,4}") {
        use crate::scenario::text::{port_text, quantity};
        let inside = |range: std::ops::Range<usize>| assert!(text.get(range.clone()).is_some(), "{range:?}");
        let _ = quantity::duration(&text).map_err(|wrong| inside(wrong.range));
        let _ = quantity::rate(&text).map_err(|wrong| inside(wrong.range));
        let _ = quantity::share(&text).map_err(|wrong| inside(wrong.range));
        let _ = port_text::port_list(&text)
            .map_err(|wrongs| wrongs.into_iter().for_each(|wrong| inside(wrong.range)));
    }
}
