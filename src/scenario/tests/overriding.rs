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

#[test]
fn a_key_that_is_no_key_is_refused() {
    for text in ["run.seed", "=5", ""] {
        assert!(text.parse::<Override>().is_err(), "{text}");
    }
}
