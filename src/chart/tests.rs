//! What every chart promises, whatever it is given.

use std::fs;

use super::sample::{BURSTY, HOLDING, OVERLOAD, Sample, TINY};
use super::*;

/// Goal: charts that a person can look at. Method: all samples into the directory for temporary
/// files; run by hand with `cargo test --lib chart -- --ignored`.
#[test]
#[ignore = "writes pictures to look at"]
fn every_sample_is_drawn_into_the_temporary_directory() {
    let directory = std::env::temp_dir().join("portsim-charts");
    fs::create_dir_all(&directory).unwrap();
    let save = |name: String, picture: Picture| {
        fs::write(directory.join(format!("{name}.svg")), &picture.svg).unwrap();
        fs::write(directory.join(format!("{name}.png")), &picture.png).unwrap();
    };
    let samples: [Sample; 4] = [OVERLOAD, HOLDING, BURSTY, TINY];
    let mut runs = Vec::new();
    for sample in samples {
        let (scenario, (outcome, map)) = (sample.scenario(), sample.outcome());
        save(format!("pressure-{}", sample.name), pressure(&scenario, &outcome));
        save(format!("ports-{}", sample.name), ports(&scenario, &map));
        save(format!("reuse-{}", sample.name), reuse(&scenario, &outcome));
        runs.push((scenario, outcome));
    }
    let together: Vec<_> = runs.iter().map(|(scenario, outcome)| (scenario, outcome)).collect();
    save("blocking".to_owned(), blocking(&together));
}
