//! Files that are fine.

use super::*;
use crate::model::{
    Arrivals, Binds, Distribution, Ending, EndpointPick, Replications, ReuseKey, SelectionKind,
    Spacing, Start, TimerGrid,
};
use crate::stats::Metric;
use crate::units::SimDuration;

/// The example of the design, without what is not modelled yet.
pub const DESIGN: &str = r#"title = "A crawler that opens a connection for every page"
asks  = "Do 600 connections a second to one API fit into Linux's default range?"

[run]
duration     = "10 min"
start        = "empty"        # or "stationary"
warm_up      = "0 s"          # steady-state figures leave this out; first_blocked never does
seed         = 1
replications = 20             # or precision = "1 %"

[host.crawler]
preset    = "linux"
count     = 1
addresses = 1
ports     = "32768-60999"
reserved  = ["60103", "40000-40009"]
listeners = [60103]
time_wait = "60 s"
selection = "linux"

[destination.api]
endpoints = 1

[client.fetcher]
on         = "crawler"
to         = "api"
arrivals   = { process = "poisson", rate = "600 / s" }
lifetime   = { distribution = "exponential", mean = "200 ms" }
closes     = "client"
binds      = "connect"

[expect]
first_blocked  = { min = "46 s", max = "48 s" }
blocking_ratio = { max = "25 %" }
"#;

/// The smallest useful file, and a basis for others.
pub const SMALLEST: &str = "[client.fetcher]
arrivals = { process = \"poisson\", rate = \"600 / s\" }
lifetime = \"200 ms\"
";

#[test]
fn the_example_of_the_design_is_read_as_written() {
    let scenario = good(DESIGN);
    assert_eq!(scenario.name, "crawler");
    assert!(scenario.title.starts_with("A crawler"));
    assert!(scenario.asks.as_deref().unwrap().starts_with("Do 600"));
    assert!(scenario.warnings.is_empty());
    let settings = scenario.settings;
    assert_eq!(settings.duration, SimDuration::from_secs(600));
    assert_eq!(settings.replications, Replications::Fixed(20));
    assert_eq!((settings.start, settings.seed), (Start::Empty, 1));
    let host = &scenario.world.hosts[0];
    assert_eq!(host.name, "crawler");
    assert_eq!(host.reserved.ports().len(), 11);
    assert_eq!(host.usable_ports(), 28_232 - 11);
    assert_eq!(host.timer_grid, TimerGrid::LinuxWheel { hz: 250 });
    assert_eq!(host.reuse_key, ReuseKey::FourTuple);
    let client = &host.clients[0];
    assert_eq!(client.arrivals, Arrivals::Poisson { rate_per_s: 600.0 });
    let mean = SimDuration::from_millis(200);
    assert_eq!(client.lifetime, Distribution::Exponential { mean });
    assert_eq!(client.closes, [(Ending::Client, 1.0)]);
    assert_eq!(client.binds, Binds::Connect);
    assert_eq!(
        scenario.expectations,
        [
            Expectation {
                scope: Scope::Whole,
                metric: Metric::named("first_blocked").unwrap(),
                bound: Bound::Within { min: Some(46.0), max: Some(48.0) },
            },
            Expectation {
                scope: Scope::Whole,
                metric: Metric::named("blocking_ratio").unwrap(),
                bound: Bound::Within { min: None, max: Some(0.25) },
            },
        ]
    );
}

#[test]
fn the_smallest_file_has_a_host_a_destination_and_sensible_settings() {
    let scenario = good(SMALLEST);
    assert_eq!(scenario.title, "crawler");
    assert_eq!(scenario.settings.duration, SimDuration::from_secs(600));
    assert_eq!(scenario.world.hosts[0].name, "host");
    assert_eq!(scenario.world.hosts[0].usable_ports(), 28_232);
    assert_eq!(scenario.world.destinations[0].name, "destination");
    assert_eq!(scenario.world.destinations[0].endpoints, 1);
    let lifetime = Distribution::Constant(SimDuration::from_millis(200));
    assert_eq!(scenario.world.hosts[0].clients[0].lifetime, lifetime);
}

#[test]
fn hosts_clients_and_destinations_keep_the_order_of_the_file() {
    let scenario = good(
        r#"
        [host.zeta]
        [host.alpha]
        preset = "macos"
        [destination.web]
        [destination.api]
        endpoints = 3
        pick = "in turn"
        [client.second]
        on = "alpha"
        to = { web = 1, api = "50 %" }
        arrivals = { process = "constant", rate = "6k / min" }
        lifetime = "1 s"
        [client.first]
        on = "zeta"
        to = "web"
        arrivals = { process = "batches", every = "30 s", size = 2000, spacing = "poisson" }
        lifetime = "1 s"
        closes = { client = 0.7, server = 0.3 }
        binds = "bind_no_port"
        "#,
    );
    let names: Vec<&str> = scenario.world.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["zeta", "alpha"]);
    let [zeta, alpha] = scenario.world.hosts.as_slice() else { panic!("two hosts") };
    assert_eq!(alpha.selection, SelectionKind::Sequential);
    assert_eq!(alpha.clients[0].targets[0].destination, 0);
    assert_eq!(alpha.clients[0].targets[1].weight, 0.5);
    assert_eq!(scenario.world.destinations[1].pick, EndpointPick::InTurn);
    assert_eq!(zeta.clients[0].closes, [(Ending::Client, 0.7), (Ending::Server, 0.3)]);
    assert_eq!(zeta.clients[0].binds, Binds::BindNoPort);
    let every = SimDuration::from_secs(30);
    let batches = Arrivals::Batches { every, size: 2000, spacing: Spacing::Poisson };
    assert_eq!(zeta.clients[0].arrivals, batches);
}

/// The lifetime that `text` describes.
#[track_caller]
fn lifetime(text: &str) -> Distribution {
    let scenario = good(&SMALLEST.replace("\"200 ms\"", text));
    scenario.world.hosts[0].clients[0].lifetime.clone()
}

#[test]
fn every_law_of_lifetimes_is_read() {
    let ms = SimDuration::from_millis;
    assert_eq!(
        lifetime(r#"{ distribution = "constant", value = "1 s" }"#),
        Distribution::Constant(ms(1000))
    );
    assert_eq!(
        lifetime(r#"{ distribution = "uniform", min = "1 ms", max = "3 ms" }"#),
        Distribution::Uniform { min: ms(1), max: ms(3) }
    );
    assert_eq!(
        lifetime(r#"{ distribution = "pareto", shape = 1.5, minimum = "100 ms" }"#),
        Distribution::Pareto { minimum: ms(100), shape: 1.5 }
    );
    assert_eq!(
        lifetime(r#"{ distribution = "pareto", shape = 1.5, mean = "300 ms" }"#),
        Distribution::Pareto { minimum: ms(100), shape: 1.5 }
    );
    assert_eq!(
        lifetime(r#"{ distribution = "lognormal", mean = "100 ms", sigma = 1 }"#),
        Distribution::Lognormal { mean: ms(100), sigma: 1.0 }
    );
    let Distribution::Lognormal { mean, .. } =
        lifetime(r#"{ distribution = "lognormal", median = "100 ms", sigma = 1 }"#)
    else {
        panic!("not lognormal")
    };
    assert!((mean.as_secs_f64() - 0.1 * 0.5_f64.exp()).abs() < 1e-9, "{mean}");
    assert_eq!(
        lifetime(r#"{ distribution = "empirical", samples = ["1 ms", "2 ms"] }"#),
        Distribution::Empirical([ms(1), ms(2)].into())
    );
}

#[test]
fn samples_come_from_a_file_beside_the_scenario() {
    let directory = tempfile::tempdir().unwrap();
    let samples = "# measured\n120 ms\n\n 1.5 s  # slow\n";
    std::fs::write(directory.path().join("samples.txt"), samples).unwrap();
    let law = r#"{ distribution = "empirical", file = "samples.txt" }"#;
    let path = directory.path().join("crawler.toml");
    std::fs::write(&path, SMALLEST.replace("\"200 ms\"", law)).unwrap();
    let scenario = load(&path, &[]).unwrap();
    assert_eq!(scenario.name, "crawler");
    let expected = [SimDuration::from_millis(120), SimDuration::from_millis(1500)];
    assert_eq!(
        scenario.world.hosts[0].clients[0].lifetime,
        Distribution::Empirical(expected.into())
    );
}

#[test]
fn a_closed_loop_thinks_by_any_law() {
    for think in ["\"1 s\"", "{ distribution = \"constant\", value = \"1 s\" }"] {
        let arrivals = format!("process = \"closed-loop\", workers = 50, think = {think}");
        let text = SMALLEST.replace("process = \"poisson\", rate = \"600 / s\"", &arrivals);
        let scenario = good(&text);
        let think = Distribution::Constant(SimDuration::from_secs(1));
        let expected = Arrivals::ClosedLoop { workers: 50, think };
        assert_eq!(scenario.world.hosts[0].clients[0].arrivals, expected);
    }
}

#[test]
fn a_host_overrides_its_preset_key_by_key() {
    let scenario = good(&format!(
        "{SMALLEST}
        [host.box]
        preset = \"windows\"
        ports = \"1024 65535\"
        reserved = \"8080, 9000-9009,70\"
        hz = 1000
        selection = \"random-increments\"
        reuse_key = \"four_tuple\"
        "
    ));
    let host = &scenario.world.hosts[0];
    assert_eq!(host.ports.num_ephemeral(), 64_512);
    assert_eq!(host.usable_ports(), 64_512 - 11, "port 70 is reserved outside the range");
    assert_eq!(host.time_wait, SimDuration::from_secs(120));
    assert_eq!(host.timer_grid, TimerGrid::LinuxWheel { hz: 1000 });
    assert_eq!(host.selection, SelectionKind::RandomIncrements);
    assert_eq!(host.reuse_key, ReuseKey::FourTuple);
}

#[test]
fn expectations_may_be_of_one_client_or_host() {
    let scenario = good(&format!(
        "{SMALLEST}
        [expect]
        first_blocked = \"never\"
        [expect.client.fetcher]
        mean_in_use = {{ min = 100, max = 200.5 }}
        [expect.host.host]
        probes_p99 = {{ max = 8 }}
        utilisation = {{ min = 0.5 }}
        "
    ));
    let scopes: Vec<&Scope> = scenario.expectations.iter().map(|one| &one.scope).collect();
    let host = Scope::Host("host".into());
    assert_eq!(scopes, [&Scope::Whole, &Scope::Client("fetcher".into()), &host, &host]);
    assert_eq!(scenario.expectations[0].bound, Bound::Never);
    let within = Bound::Within { min: Some(100.0), max: Some(200.5) };
    assert_eq!(scenario.expectations[1].bound, within);
}

#[test]
fn what_nobody_uses_is_left_out_with_a_warning() {
    let scenario = good(
        r#"
        [host.used]
        [host.idle]
        [destination.quiet]
        [destination.api]
        [client.fetcher]
        on = "used"
        to = "api"
        arrivals = { process = "poisson", rate = "600 / s" }
        lifetime = "200 ms"
        "#,
    );
    assert_eq!(scenario.world.hosts.len(), 1);
    assert_eq!(scenario.world.destinations.len(), 1);
    assert_eq!(scenario.world.hosts[0].clients[0].targets[0].destination, 0);
    let shown = scenario.warnings.render(false);
    assert!(shown.contains("host `idle` is left out") && shown.contains("`quiet`"), "{shown}");
    assert!(shown.ends_with("2 warnings in crawler.toml\n"), "{shown}");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_fine() {
    let text = format!("\u{feff}{}", DESIGN.replace('\n', "\r\n"));
    assert_eq!(good(&text).world, good(DESIGN).world);
}

#[test]
fn a_destination_may_be_silent_or_on_the_same_machine() {
    let text = format!("{SMALLEST}[destination.a]\nanswers = false\nloopback = true\n");
    let destination = &good(&text).world.destinations[0];
    assert!(!destination.answers && destination.loopback);
    let destination = &good(SMALLEST).world.destinations[0];
    assert!(destination.answers && !destination.loopback);
    let set = good_with(SMALLEST, &["destination.d.answers=false"]);
    assert!(!set.world.destinations[0].answers);
}

/// What the bad files of `tests/messages/` are refused for, and nothing near it.
#[test]
fn what_stops_short_of_a_limit_is_fine() {
    let stationary = format!("{SMALLEST}[run]\nstart = \"stationary\"\n");
    good(&stationary);
    good(&format!("{stationary}{}", SMALLEST.replace("fetcher", "plain")));
    let many = "[host.h]\naddresses = 60000\n[destination.d]\nendpoints = 100000\n";
    good(&format!("{SMALLEST}{}", many.replace("60000", "1")));
    // What the key leaves out does not count.
    good(&format!("{SMALLEST}{}", many.replace("60000", "60000\nreuse_key = \"host\"")));
    let workers = SMALLEST.replace(
        "\"poisson\", rate = \"600 / s\"",
        "\"closed-loop\", workers = 100, think = \"1 ms\"",
    );
    good(&format!("{workers}[host.h]\nports = \"50000-50009\"\n"));
}

#[test]
fn a_report_is_coloured_where_it_may_be_and_plain_elsewhere() {
    let problems = bad("[host.a]\ncount = 0\n");
    assert!(
        problems.render(true).contains("\u{1b}[") && !problems.render(false).contains('\u{1b}')
    );
}

#[test]
fn a_lognormal_law_is_said_by_two_quantiles() {
    let text = "[client.c]\narrivals = { process = \"poisson\", rate = \"10 / s\" }\n\
                lifetime = { distribution = \"lognormal\", p50 = \"80 ms\", p99 = \"2 s\" }";
    let client = good(text).world.hosts[0].clients[0].clone();
    let Distribution::Lognormal { mean, sigma } = client.lifetime else {
        panic!("{:?}", client.lifetime)
    };
    assert!((sigma - libm::log(25.0) / 2.326_347_874).abs() < 1e-9, "{sigma}");
    let median_s = mean.as_secs_f64() / libm::exp(sigma * sigma / 2.0);
    assert!((median_s - 0.08).abs() < 1e-6, "{median_s}");
}

#[test]
fn workers_may_think_for_no_time_at_all() {
    let arrivals = "{ process = \"closed-loop\", workers = 5, think = \"0 s\" }";
    let text = format!("[client.load]\narrivals = {arrivals}\nlifetime = \"1 s\"");
    assert!(parse("load", "load.toml", text, &[]).is_ok());
}

#[test]
fn of_sysctls_that_are_set_twice_the_last_holds_and_it_is_said() {
    for text in [
        "net.ipv4.tcp_fin_timeout = 60\nnet.core.wmem_max = 1\nnet.ipv4.tcp_fin_timeout = 30   # seconds\n",
        "sysctl = \"\"\"\nnet.ipv4.tcp_fin_timeout = 60\nnet.ipv4.tcp_fin_timeout = 30   # seconds\n\"\"\"\n",
        "net.ipv4.ip_local_port_range = 1024 2047\nnet.ipv4.tcp_fin_timeout = 30\n\
         net.ipv4.ip_local_port_range = 32768 60999 # usual\n",
    ] {
        let text = format!(
            "[host.a]\npreset = \"linux\"\n{text}[client.c]\n\
             arrivals = {{ process = \"poisson\", rate = \"10 / s\" }}\nlifetime = \"1 s\""
        );
        let scenario =
            parse("twice", "twice.toml", &text, &[]).unwrap_or_else(|all| panic!("{all}"));
        let host = &scenario.world.hosts[0];
        assert_eq!(host.tcp.fin_timeout, SimDuration::from_secs(30), "{text}");
        assert_eq!(host.ports.num_ephemeral(), 28_232, "{text}");
        assert!(scenario.warnings.render(false).contains("is set again further down"), "{text}");
    }
}
