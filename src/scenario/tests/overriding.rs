//! `--set KEY=VALUE`.

use super::good::{DESIGN, SMALLEST};
use super::*;
use crate::model::{Arrivals, Replications};
use crate::units::SimDuration;

#[test]
fn any_key_can_be_set_with_or_without_quotes() {
    let scenario = good_with(
        DESIGN,
        &[
            "client.fetcher.arrivals.rate=900 / s",
            "run.duration=\"1 min\"",
            "host.crawler.ports=1024-65535",
            "host.crawler.count = 10",
            "host.crawler.reserved=[1024, \"1025-1026\"]",
            "title=7",
            "expect.blocking_ratio.max=50 %",
            "client.\"fetcher\".closes={ client = 1, server = 1 }",
        ],
    );
    let host = &scenario.world.hosts[0];
    assert_eq!(host.clients[0].arrivals, Arrivals::Poisson { rate_per_s: 900.0 });
    assert_eq!(host.clients[0].closes.len(), 2);
    assert_eq!(scenario.settings.duration, SimDuration::from_secs(60));
    assert_eq!((host.count, host.ports.num_ephemeral()), (10, 64_512));
    assert_eq!(host.reserved.ports(), [1024, 1025, 1026]);
    assert_eq!(scenario.title, "7");
    let max = Bound::Within { min: None, max: Some(0.5) };
    assert_eq!(scenario.expectations[1].bound, max);
}

#[test]
fn what_the_file_leaves_out_can_be_set_too() {
    let sets = ["run.seed=7", "host.host.ports=49152-65535", "destination.web.endpoints=3"];
    let scenario = good_with(SMALLEST, &sets);
    assert_eq!(scenario.settings.seed, 7);
    assert_eq!(scenario.world.hosts[0].ports.num_ephemeral(), 16_384);
    assert_eq!(scenario.world.destinations[0].endpoints, 3);
}

#[test]
fn precision_and_replications_replace_each_other() {
    let precise = good_with(DESIGN, &["run.precision=1 %"]);
    assert_eq!(precise.settings.replications, Replications::Precision(0.01));
    let fixed = good_with(DESIGN, &["run.precision=1 %", "run.replications=5"]);
    assert_eq!(fixed.settings.replications, Replications::Fixed(5));
}

#[test]
fn the_last_of_two_overrides_holds() {
    assert_eq!(good_with(SMALLEST, &["run.seed=1", "run.seed=2"]).settings.seed, 2);
}

/// One override of the design's example, and what is wrong with it.
#[track_caller]
fn set(text: &str, blamed: &str, message: &str, help: &str) {
    let line = format!("--set {text}");
    let column = line.find(blamed).unwrap() + 1;
    let problems = bad_with(DESIGN, &[text]);
    told(&problems, (1, column, blamed), message, help);
    assert!(problems.to_string().contains("command line:1"), "{problems}");
    assert!(problems.to_string().contains(&line), "the override is not shown: {problems}");
}

#[test]
fn a_mistake_in_an_override_is_pointed_at_in_its_own_text() {
    set("client.fetcher.arrivals.rat=900 / s", "rat", "unknown key `rat`", "did you mean `rate`?");
    set(
        "client.fetchr.arrivals.rate=9 / s",
        "fetchr",
        "no client `fetchr`",
        "did you mean `fetcher`?",
    );
    set("hosts.crawler.count=3", "hosts", "unknown key `hosts`", "did you mean `host`?");
    set("run.duration=5", "5", "duration = 5 has no unit", "\"5 s\"");
    set("run.duration=5 mni", "mni", "not a unit of time", "`min`");
    set("client.fetcher.to=apii", "apii", "no destination `apii`", "did you mean `api`?");
    set("host.crawler.ports=1024-70000", "70000", "port 70000", "32768-60999");
    set("host.crawler.count=0", "0", "count = 0", "from 1 to 1000000");
    set("run.warm_up=1 h", "1 h", "leaves nothing", "shorter warm_up");
    set(
        "client.fetcher.to.api=1",
        "to",
        "`to` is text here, not a table",
        "client.fetcher.to={ ... }",
    );
    let open = "{ mean = 1";
    set(&format!("client.fetcher.lifetime={open}"), open, "not TOML", "{ key = value }");
}

#[test]
fn a_key_that_is_no_key_is_refused() {
    let problems = bad_with(DESIGN, &["run..seed=1"]);
    assert!(problems.to_string().contains("`run..seed` is not a key"), "{problems}");
    for text in ["run.seed", "=5", ""] {
        assert!(text.parse::<Override>().is_err(), "{text}");
    }
}
