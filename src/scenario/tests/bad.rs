//! Values that are wrong: each is pointed at, named, and told what to type instead.

use super::good::{DESIGN, SMALLEST};
use super::*;

/// Replaces `from`, which is there once, in the design's example by `to`, and says what is wrong.
///
/// The offending text and its place are found by looking for `blamed` on the line of `to`.
#[track_caller]
fn changed(from: &str, to: &str, blamed: &str, message: &str, help: &str) {
    assert_eq!(DESIGN.matches(from).count(), 1, "`{from}` is not there once");
    let text = DESIGN.replace(from, to);
    let start = DESIGN.find(from).unwrap();
    let at = start + text[start..].find(blamed).unwrap();
    let line = text[..at].matches('\n').count() + 1;
    let column = at - text[..at].rfind('\n').map_or(0, |newline| newline + 1) + 1;
    told(&bad(&text), (line, column, blamed), message, help);
}

#[test]
fn a_number_without_a_unit_is_asked_for_one() {
    changed("\"10 min\"", "600", "600", "duration = 600 has no unit", "duration = \"600 s\"");
    changed("\"10 min\"", "\"600\"", "600", "the unit is missing", "\"600 s\"");
    changed("\"600 / s\"", "600", "600", "rate = 600 has no unit", "rate = \"600 / s\"");
    changed("\"600 / s\"", "\"600\"", "600", "the unit is missing", "\"600 / s\"");
    changed("\"60 s\"", "60", "60", "time_wait = 60 has no unit", "\"60 s\"");
    changed("\"48 s\"", "48", "48", "max = 48 has no unit", "max = \"48 s\"");
}

#[test]
fn a_wrong_unit_alone_is_underlined() {
    changed("\"10 min\"", "\"10 mni\"", "mni", "not a unit of time", "`min`");
    changed("\"600 / s\"", "\"600 / sec.\"", ".", "not understood", "600 / s");
    changed("\"200 ms\"", "\"200 m\"", "m", "minutes or milliseconds", "200 ms");
}

#[test]
fn what_cannot_be_is_refused() {
    changed("\"10 min\"", "\"0 s\"", "\"0 s\"", "must be above zero", "duration = \"10 min\"");
    changed("\"10 min\"", "\"-5 s\"", "-5 s", "cannot be negative", "\"60 s\"");
    changed("\"10 min\"", "\"20 years\"", "years", "not a unit", "ns, us, ms");
    changed("\"10 min\"", "\"9999 d\"", "9999 d", "longer than ten years", "3652 d");
    changed("\"600 / s\"", "\"0 / s\"", "0 / s", "zero never connects", "above zero");
    changed("\"600 / s\"", "\"-1 / s\"", "-1 / s", "cannot be negative", "600 / s");
    changed("\"600 / s\"", "\"1e300 / s\"", "1e300 / s", "more than 1e9", "1e9 a second");
    changed("\"600 / s\"", "\"NaN / s\"", "NaN / s", "not a rate", "600 / s");
    changed("\"600 / s\"", "nan", "nan", "has no unit", "\"nan / s\"");
    changed("\"200 ms\"", "\"0 ms\"", "\"0 ms\"", "must be above zero", "\"0 s\" instead");
    changed("\"25 %\"", "\"250 %\"", "\"250 %\"", "above 100 %", "0.25");
    changed("\"25 %\"", "-0.1", "-0.1", "cannot be negative", "25 %");
    changed("\"25 %\"", "nan", "nan", "not a number", "25 %");
}

/// As [`changed`], for a value at the end of its line.
#[track_caller]
fn key_set(key: &str, value: &str, message: &str, help: &str) {
    let line = DESIGN.lines().find(|line| line.split('=').next().unwrap().trim() == key).unwrap();
    let text = DESIGN.replace(line, &format!("{key} = {value}"));
    let number = DESIGN.lines().position(|other| other == line).unwrap() + 1;
    told(&bad(&text), (number, key.len() + 4, value), message, help);
}

#[test]
fn a_count_out_of_its_limits_is_told_the_limits() {
    key_set("count", "0", "count = 0 is not possible", "from 1 to 1000000");
    key_set("count", "-3", "count = -3 is not possible", "from 1 to 1000000");
    key_set("count", "1.5", "1.5 is not a whole number", "from 1 to 1000000");
    key_set("count", "99999999999999999999999999999999999999999999", "not possible", "1000000");
    key_set("count", "true", "must be a whole number, not true or false", "from 1");
    key_set("count", "\"3\"", "must be a number, not text", "write count = 3");
    key_set("addresses", "0", "addresses = 0", "from 1 to 65536");
    key_set("addresses", "65537", "addresses = 65537", "from 1 to 65536");
    key_set("endpoints", "0", "endpoints = 0", "from 1 to 1000000");
    key_set("endpoints", "1000001", "endpoints = 1000001", "from 1 to 1000000");
    key_set("replications", "0", "replications = 0", "from 1 to 100000");
    key_set("replications", "100001", "replications = 100001", "from 1 to 100000");
    key_set("seed", "-1", "seed = -1", "from 0");
    key_set("seed", "0.5", "not a whole number", "from 0");
}

#[test]
fn a_wrong_port_is_pointed_at_inside_its_text() {
    let range = "\"32768-60999\"";
    changed(range, "\"1024-70000\"", "70000", "port 70000 does not exist", "32768-60999");
    changed(range, "\"0-60999\"", "0", "port 0 cannot be used", "32768-60999");
    changed(range, "\"60999-32768\"", "60999-32768", "upside down", "write \"32768-60999\"");
    changed(range, "\"all\"", "all", "not a port or a range", "32768-60999");
    changed(range, "[1024, 65535]", "[1024, 65535]", "range in quotes", "ports = \"1024-65535\"");
    changed(range, "1024", "1024", "must be a range in quotes", "32768-60999");
    changed("[60103]", "[60103, 70000]", "70000", "port 70000 does not exist", "1 to 65535");
    changed("[60103]", "[0]", "0", "port 0", "1 to 65535");
    changed("[60103]", "[-4]", "-4", "-4 is not a port", "1 to 65535");
    changed("[60103]", "true", "true", "must be a list of ports", "[60103, \"40000-40009\"]");
    changed("\"40000-40009\"]", "\"40009-40000\"]", "40009-40000", "upside down", "40000-40009");
}

#[test]
fn a_range_that_is_reserved_whole_is_refused() {
    let list = "[\"60103\", \"40000-40009\"]";
    let all = "\"1-65535\"";
    let text = DESIGN.replace(list, all);
    told(&bad(&text), (16, 13, all), "host `crawler` has no port left", "a wider range");
    let text = format!("{SMALLEST}[host.a]\nports = \"80\"\nlisteners = 80\n");
    told(&bad(text), (6, 13, "80"), "no port left: all 1 of 80-80", "a wider range");
}

#[test]
fn an_unknown_name_is_told_the_nearest() {
    changed("\"api\"\n", "\"apii\"\n", "\"apii\"", "no destination `apii`", "did you mean `api`?");
    changed("\"crawler\"\n", "\"web\"\n", "\"web\"", "no host `web`", "the only host is `crawler`");
    changed(
        "\"linux\"
count",
        "\"linx\"
count",
        "\"linx\"",
        "no preset `linx`",
        "did you mean `linux`?",
    );
    key_set("selection", "\"sequentail\"", "not a value of selection", "`sequential`");
    key_set("selection", "5", "selection must be text", "one of `linux`, ");
    changed("\"poisson\"", "\"possion\"", "\"possion\"", "not a value of process", "`poisson`");
    changed("\"exponential\"", "\"exp\"", "\"exp\"", "value of distribution", "`exponential`");
    changed("\"client\"\n", "\"cleint\"\n", "\"cleint\"", "value of closes", "`client`");
    changed("\"connect\"", "\"bnd\"", "\"bnd\"", "value of binds", "`bind`");
    changed("\"empty\"  ", "\"full\"  ", "\"full\"", "value of start", "`empty` and `stationary`");
}

#[test]
fn an_unknown_key_is_told_the_nearest_or_its_home() {
    changed("endpoints", "endponts", "endponts", "unknown key `endponts`", "`endpoints`");
    changed(
        "rate =",
        "ratee =",
        "ratee",
        "unknown key `ratee` in arrivals",
        "did you mean `rate`?",
    );
    changed(
        "lifetime ",
        "liftime ",
        "liftime",
        "unknown key `liftime`",
        "did you mean `lifetime`?",
    );
    changed("warm_up ", "warmup ", "warmup", "unknown key `warmup` in [run]", "`warm_up`");
    changed(
        "[destination.api]",
        "rate = \"5 / s\"\n[destination.api]",
        "rate",
        "unknown key `rate`",
        "in a client's `arrivals",
    );
    changed("[run]", "[runs]", "runs", "unknown key `runs` in the scenario", "did you mean `run`?");
    changed(
        "first_blocked  =",
        "first_blokced  =",
        "first_blokced",
        "no figure `first_blokced`",
        "did you mean `first_blocked`?",
    );
    changed("binds ", "workers = 5\nbinds ", "workers", "unknown key `workers`", "arrivals");
    changed(
        "mean = ",
        "sigma = 1, mean = ",
        "sigma",
        "distribution \"exponential\" has no `sigma`",
        "`sigma` belongs to distribution = \"lognormal\"",
    );
}

#[test]
fn what_is_missing_is_named_at_its_table() {
    let text = "[client.fetcher]\nlifetime = \"1 s\"\n";
    told(
        &bad(text),
        (1, 1, "[client.fetcher]"),
        "client `fetcher` has no `arrivals`",
        "arrivals = {",
    );
    let text = SMALLEST.replace("lifetime = \"200 ms\"\n", "");
    told(&bad(text), (1, 1, "[client.fetcher]"), "has no `lifetime`", "lifetime = {");
    let two = format!("{SMALLEST}[host.a]\n[host.b]\n");
    told(
        &bad(two),
        (1, 1, "[client.fetcher]"),
        "has no `on`",
        "which host it runs on: `a` and `b`",
    );
    let two = format!("{SMALLEST}[destination.a]\n[destination.b]\n");
    told(&bad(two), (1, 1, "[client.fetcher]"), "has no `to`", "`a` and `b`");
    let process = SMALLEST.replace("process = \"poisson\", ", "");
    told(
        &bad(process),
        (2, 12, "{ rate = \"600 / s\" }"),
        "arrivals has no `process`",
        "`poisson`",
    );
    let rate = SMALLEST.replace(", rate = \"600 / s\"", "");
    told(&bad(rate), (2, 12, "{ process = \"poisson\" }"), "needs a `rate`", "rate = \"600 / s\"");
}

#[test]
fn a_reference_in_a_file_without_such_tables_is_told_both_ways_out() {
    let text = format!("{SMALLEST}on = \"web\"\n");
    told(
        &bad(text),
        (4, 6, "\"web\""),
        "no host `web`",
        "write a line [host.web], or leave `on` out",
    );
    let text = format!("{SMALLEST}to = \"api\"\n");
    told(&bad(text), (4, 6, "\"api\""), "no destination `api`", "[destination.api], or leave `to`");
}

/// The smallest file with its arrivals replaced: what is wrong at `blamed`.
#[track_caller]
fn arrivals(text: &str, blamed: &str, message: &str, help: &str) {
    let column = 12 + text.find(blamed).unwrap();
    let text = format!("[client.fetcher]\narrivals = {text}\nlifetime = \"1 s\"\n");
    told(&bad(text), (2, column, blamed), message, help);
}

#[test]
fn wrong_arrivals_are_told_what_to_write() {
    arrivals(
        "\"600 / s\"",
        "\"600 / s\"",
        "which process",
        "{ process = \"poisson\", rate = \"600 / s\" }",
    );
    arrivals("5", "5", "arrivals must be a table, not a number", "process = \"poisson\"");
    arrivals(
        "{ process = \"batches\", every = \"0 s\", size = 5 }",
        "\"0 s\"",
        "above zero",
        "30 s",
    );
    arrivals("{ process = \"batches\", every = \"1 s\", size = 0 }", "0", "size = 0", "from 1");
    arrivals(
        "{ process = \"batches\", every = \"1 s\" }",
        "{ process = \"batches\", every = \"1 s\" }",
        "needs a `size`",
        "size = 2000",
    );
    arrivals(
        "{ process = \"batches\", every = \"1 s\", size = 5, spacing = \"even\" }",
        "\"even\"",
        "value of spacing",
        "`constant` and `poisson`",
    );
    arrivals(
        "{ process = \"closed-loop\", workers = 99999999, think = \"1 s\" }",
        "99999999",
        "not possible",
        "10000000",
    );
    arrivals(
        "{ process = \"closed-loop\", workers = 5, think = \"0 s\" }",
        "\"0 s\"",
        "think must be above zero",
        "think = \"1 ms\"",
    );
    arrivals(
        "{ process = \"closed-loop\", workers = 5, think = 1 }",
        "1",
        "think = 1 has no unit",
        "\"1 s\"",
    );
    arrivals(
        "{ process = \"poisson\", rate = \"1 / s\", size = 5 }",
        "size",
        "has no `size`",
        "process = \"batches\"",
    );
}

/// The smallest file with its lifetime replaced: what is wrong at `blamed`.
#[track_caller]
fn lifetime(text: &str, blamed: &str, message: &str, help: &str) {
    let column = 12 + text.find(blamed).unwrap();
    let text = SMALLEST.replace("\"200 ms\"", text);
    told(&bad(text), (3, column, blamed), message, help);
}

#[test]
fn wrong_lifetimes_are_told_what_to_write() {
    lifetime("200", "200", "lifetime = 200 has no unit", "lifetime = \"200 s\"");
    lifetime("true", "true", "must be a table", "exponential");
    let law = "{ distribution = \"uniform\", min = \"2 s\", max = \"1 s\" }";
    lifetime(law, "\"2 s\"", "min 2 s is above max 1 s", "write min = \"1 s\", max = \"2 s\"");
    let law = "{ distribution = \"pareto\", shape = 1.0, mean = \"1 s\" }";
    lifetime(law, "\"1 s\"", "has no mean", "`minimum` instead");
    let law = "{ distribution = \"pareto\", shape = 0, mean = \"1 s\" }";
    lifetime(law, "0", "shape = 0 is not possible", "1.1 to 3");
    let law = "{ distribution = \"pareto\", shape = 2 }";
    lifetime(law, law, "needs a `mean` or a `minimum`", "shape = 1.5");
    let law = "{ distribution = \"pareto\", shape = 2, mean = \"1 s\", minimum = \"1 s\" }";
    lifetime(law, "minimum", "cannot both be given", "leave one of them out");
    let law = "{ distribution = \"lognormal\", mean = \"1 s\" }";
    lifetime(law, law, "needs a `sigma`", "sigma = 1.5");
    let law = "{ distribution = \"lognormal\", median = \"9 d\", sigma = 10 }";
    lifetime(law, "\"9 d\"", "longer than ten years", "smaller sigma");
    let law = "{ distribution = \"lognormal\", mean = \"1 s\", sigma = 0.0 }";
    lifetime(law, "0.0", "sigma = 0 is not possible", "above 0");
    let law = "{ distribution = \"empirical\", samples = [] }";
    lifetime(law, "[]", "there are no samples", "samples = [");
    let law = "{ distribution = \"empirical\", samples = [\"1 s\", \"2\"] }";
    lifetime(law, "2", "the unit is missing", "\"2 s\"");
    let law = "{ distribution = \"empirical\", file = \"not-there.txt\" }";
    lifetime(law, "\"not-there.txt\"", "there is no such file", "directory of the scenario");
}

#[test]
fn weights_must_be_above_zero_and_name_something() {
    changed("\"api\"\n", "{ api = 0 }\n", "0", "weight of api must be above zero", "leave api out");
    changed("\"api\"\n", "{ api = -0.5 }\n", "-0.5", "cannot be negative", "0.25");
    changed("\"api\"\n", "{}\n", "{}", "to names nothing", "leave to out");
    changed("\"api\"\n", "[\"api\"]\n", "[\"api\"]", "to must be text", "{ api = 0.7, cdn = 0.3 }");
    changed("\"api\"\n", "{ apii = 1 }\n", "apii", "no destination `apii`", "did you mean `api`?");
    changed(
        "\"client\"\n",
        "{ clinet = 1 }\n",
        "clinet",
        "unknown key `clinet` in closes",
        "`client`",
    );
    changed("\"client\"\n", "{ client = \"x\" }\n", "x", "not a share", "25 %");
}

#[test]
fn a_run_must_make_sense_as_a_whole() {
    changed(
        "\"0 s\"",
        "\"10 min\"",
        "\"10 min\"",
        "leaves nothing of a run of 10 min",
        "shorter warm_up",
    );
    changed(
        "replications = 20",
        "replications = 20\nprecision = \"1 %\"",
        "precision",
        "cannot both",
        "so many times",
    );
    changed("replications = 20", "precision = 0", "0", "precision is not possible", "\"1 %\"");
    changed("replications = 20", "precision = \"200 %\"", "\"200 %\"", "not possible", "100 %");
    let text = SMALLEST.replace("600 / s", "900M / s");
    let blamed = "{ process = \"poisson\", rate = \"900M / s\" }";
    told(&bad(text), (2, 12, blamed), "5e11 attempts", "a lower rate");
}

#[test]
fn a_stationary_start_is_refused_where_there_is_none() {
    let stationary =
        |text: &str| DESIGN.replace("\"empty\"     ", "\"stationary\"").replace("600 / s", text);
    good(&stationary("600 / s"));
    let constant = stationary("600 / s").replace("\"poisson\"", "\"constant\"");
    let arrivals = "{ process = \"constant\", rate = \"600 / s\" }";
    told(&bad(constant), (27, 14, arrivals), "only known for Poisson", "start = \"empty\"");
    let never = stationary("600 / s").replace("\"client\"\n", "\"never\"\n");
    told(&bad(never), (29, 14, "\"never\""), "never closed fill the range", "start = \"empty\"");
    let some = stationary("600 / s").replace("\"client\"\n", "{ client = 9, never = 1 }\n");
    told(&bad(some), (29, 14, "{ client = 9, never = 1 }"), "never closed", "start = \"empty\"");
    let law = "{ distribution = \"pareto\", shape = 0.9, minimum = \"1 s\" }";
    let pareto =
        stationary("600 / s").replace("{ distribution = \"exponential\", mean = \"200 ms\" }", law);
    told(&bad(pareto), (28, 14, law), "without a finite mean", "start = \"empty\"");
}

#[test]
fn a_stationary_start_is_refused_where_bound_and_plain_clients_mix() {
    let plain = SMALLEST.replace("[client.fetcher]", "[client.plain]");
    let text = format!("{SMALLEST}\nbinds = \"bind\"\n{plain}\n[run]\nstart = \"stationary\"\n");
    good(&text.replace("stationary", "empty"));
    good(&text.replace("\"bind\"", "\"bind-no-port\""));
    let line = text.lines().position(|line| line.starts_with("binds")).unwrap() + 1;
    told(&bad(text), (line, 9, "\"bind\""), "steady state of such a mixture", "start = \"empty\"");
}

#[test]
fn more_ports_than_can_be_numbered_are_refused_before_anything_is_multiplied() {
    let text =
        format!("{SMALLEST}\n[host.h]\naddresses = 60000\n[destination.d]\nendpoints = 100000\n");
    let problems = bad(&text);
    assert!(problems.to_string().contains("169392000000000 ports to keep track of"), "{problems}");
    assert!(problems.to_string().contains("60000 source addresses x 100000 endpoints x 28232"));
    good(&text.replace("60000", "1"));
    // What the key leaves out does not count.
    good(&text.replace("[destination.d]", "reuse_key = \"host\"\n[destination.d]"));
}

#[test]
fn workers_that_would_try_again_without_end_are_refused() {
    let arrivals = "{ process = \"closed-loop\", workers = 100, think = \"1 ns\" }";
    let text = SMALLEST
        .replace("{ process = \"poisson\", rate = \"600 / s\" }", arrivals)
        .replace("200 ms", "1 s");
    let narrow = format!("{text}\n[host.h]\nports = \"50000-50009\"\n");
    told(&bad(&narrow), (2, 12, arrivals), "e13 attempts", "longer think time");
    good(&narrow.replace("1 ns", "1 ms"));
    good(&text);
}

#[test]
fn an_expectation_that_could_never_speak_is_refused() {
    changed("min = \"46 s\"", "min = \"49 s\"", "\"49 s\"", "min is above max", "smaller bound");
    changed("{ max = \"25 %\" }", "{}", "{}", "blocking_ratio needs bounds", "{ max = \"25 %\" }");
    changed("{ max = \"25 %\" }", "0.25", "0.25", "needs bounds", "seldom exactly 0.25");
    changed(
        "{ max = \"25 %\" }",
        "\"never\"",
        "\"never\"",
        "only first_blocked",
        "first_blocked = \"never\"",
    );
    changed("{ max = \"25 %\" }", "{ mxa = 1 }", "mxa", "unknown key `mxa`", "did you mean `max`?");
    let tail = |more: &str| format!("{SMALLEST}{more}");
    let text = tail("[expect.client.fetch]\nmean_in_use = { max = 1 }\n");
    told(&bad(text), (4, 16, "fetch"), "no client `fetch`", "did you mean `fetcher`?");
    let text = tail("[expect.host.web]\nmean_in_use = { max = 1 }\n");
    told(&bad(text), (4, 14, "web"), "no host `web`", "the only host is `host`");
    let text = tail("[expect.client]\nmean_in_use = { max = 1 }\n");
    told(&bad(text), (5, 1, "mean_in_use"), "needs the name of a client", "[expect.client.NAME]");
    let text = tail("[expect.client.fetcher]\nprobes_p99 = { max = 1 }\n");
    told(&bad(text), (5, 1, "probes_p99"), "counted for hosts", "[expect.host.NAME]");
    let text = tail("[expect]\npeak_in_use = { max = \"5 s\" }\n");
    told(&bad(text), (5, 23, "\"5 s\""), "must be a number", "max = 28232");
    told(
        &bad(tail("expect = 5\n")
            .replace("[client.fetcher]\n", "client.fetcher.")
            .replace("lifetime", "client.fetcher.lifetime")),
        (3, 10, "5"),
        "[expect] must be a table",
        "below a line [expect]",
    );
}

#[test]
fn what_is_not_modelled_yet_is_said_plainly() {
    let gateway = format!("{SMALLEST}[gateway.nat]\npreset = \"aws-nat-gateway\"\n");
    told(&bad(gateway), (4, 2, "gateway"), "not modelled yet", "take the [gateway] tables out");
    let change = format!("{SMALLEST}[[change]]\nat = \"5 min\"\n");
    told(&bad(change), (4, 3, "change"), "not modelled yet", "a scenario of its own");
}

#[test]
fn a_table_without_its_name_is_asked_for_one() {
    let host = format!("{SMALLEST}[host]\nports = \"1024-65535\"\n");
    told(&bad(host), (4, 1, "[host]"), "[host] needs a name", "[host.NAME]");
    let client = SMALLEST.replace(".fetcher", "");
    let problems = bad(client);
    assert!(problems.to_string().contains("[client] needs a name"), "{problems}");
    told(&bad(SMALLEST.replace("fetcher", "\"\"")), (1, 9, "\"\""), "is empty", "[client.crawler]");
    told(
        &bad(SMALLEST.replace("fetcher", "\"a\\nb\"")),
        (1, 9, "\"a\\nb\""),
        "control character",
        "plain name",
    );
}

#[test]
fn every_mistake_of_a_file_is_told_at_once_in_its_order() {
    let text = DESIGN
        .replace("\"10 min\"", "10")
        .replace("preset    = \"linux\"", "preset    = \"linx\"")
        .replace("\"32768-60999\"", "\"60999-32768\"")
        .replace("endpoints = 1", "endpoints = 0")
        .replace("\"api\"\n", "\"apii\"\n")
        .replace("rate =", "ratee =")
        .replace("\"200 ms\"", "\"200 lightyears\"")
        .replace("\"client\"", "\"clinet\"")
        .replace("blocking_ratio", "blocked_ratio");
    let problems = bad(text);
    let lines: Vec<usize> =
        problems.iter().map(|problem| problems.place(problem).unwrap().line).collect();
    assert_eq!(lines, [5, 12, 15, 22, 26, 27, 28, 29, 34], "{problems}");
    let shown = problems.render(false);
    assert!(shown.ends_with("9 mistakes in crawler.toml\n"), "{shown}");
    let coloured = problems.render(true);
    assert!(coloured.contains("\u{1b}[") && !shown.contains('\u{1b}'));
}
