//! A survey as a scenario that `portsim run` takes at once.
//!
//! The busiest destinations, by the ports that they hold, are told apart; the rest of a host is one
//! destination with as many endpoints. Lifetimes are up to a hundred equally likely values, each the
//! mean of its share, so that the mean is the one that was seen. A machine that was watched is in the
//! midst of things: the run starts in the steady state, where the scenario reader knows one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::busiest::{ScenarioFlow, busiest};
use super::wording::{comment, key, quoted, rate, shares, time};
use super::{Ends, HostSurvey, Lifetimes, Limits, Survey};
use crate::numbers::{self, count, plural};
use crate::scenario::{self, Scenario};

/// Values that stand for a law of lifetimes, at most.
const SAMPLES: u64 = 100;

/// Endpoints of the destination that sums the rest of a host, at most: each has all ports of its own in
/// the simulator's memory, and the more there are, the less each of them gets.
const MOST_ENDPOINTS: u32 = 1_000;

/// Attempts a second below this are none to the scenario reader.
const LEAST_RATE: f64 = 1e-8;

/// The text of a scenario with everything that was seen.
///
/// `portsim run` takes it as long as anything was: of a survey without connections nothing can be made
/// but comments.
#[must_use]
pub fn text(survey: &Survey) -> String {
    let steady = Writer::new(survey, None).text();
    match read(&steady) {
        Some(_) => steady,
        None => Writer::new(survey, Some(filling(survey))).text(),
    }
}

/// The scenario, if the reader has nothing against it.
fn read(text: &str) -> Option<Scenario> {
    let read = scenario::parse("survey", "survey.toml", text, &[]).ok();
    read.filter(|scenario| scenario.warnings.is_empty())
}

/// Whole minutes after which a run that starts empty has about filled up: three holds, an hour at most.
fn filling(survey: &Survey) -> u64 {
    let lives = survey.hosts.iter().flat_map(|host| &host.flows);
    let longest = lives.filter_map(|flow| flow.lifetimes.mean()).max().unwrap_or_default();
    let minutes = 3.0 * (longest.as_secs_f64() + 62.0) / 60.0;
    (minutes.ceil() as u64).clamp(4, 60)
}

struct Writer<'a> {
    survey: &'a Survey,
    /// Minutes that the figures leave out; none for a start in the steady state.
    warm_up: Option<u64>,
    /// Is there more than one source address, so that clients must say theirs?
    several: bool,
    destinations: BTreeSet<String>,
    text: String,
}

impl<'a> Writer<'a> {
    fn new(survey: &'a Survey, warm_up: Option<u64>) -> Self {
        let sources = survey.hosts.iter().map(|host| host.addresses.len()).sum::<usize>();
        let several = sources > 1 || survey.hosts.len() > 1;
        Self { survey, warm_up, several, destinations: BTreeSet::new(), text: String::new() }
    }

    fn text(mut self) -> String {
        let survey = self.survey;
        survey.notes.iter().for_each(|note| self.text.push_str(&comment(note)));
        self.line(&format!("title = {}", quoted(&survey.title)));
        self.line(
            "asks  = \"Do the connections that were seen fit into the ports that there are?\"",
        );
        self.run();
        for host in &survey.hosts {
            self.host(host);
        }
        self.text
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn run(&mut self) {
        self.line("\n[run]");
        match self.warm_up {
            None => self.line("duration = \"10 min\"\nstart    = \"stationary\""),
            Some(minutes) => {
                self.text.push_str(&comment(
                    "From empty: for some of these connections no steady state is known in advance.",
                ));
                let all = minutes + 10;
                self.line(&format!("duration = \"{all} min\"\nwarm_up  = \"{minutes} min\""));
            }
        }
    }

    fn host(&mut self, host: &HostSurvey) {
        // A host that the reader refuses is written all the same: it says what is wrong with it.
        let limits = Limits::of(&host.preset, &host.keys).or_else(|_| Limits::of("linux", &[]));
        let limits = limits.expect("the usual preset is there");
        let parts = busiest(host, self.survey.seconds.max(f64::MIN_POSITIVE), &limits);
        if parts.is_empty() {
            return;
        }
        self.line(&format!("\n[host.{}]\npreset = {}", key(&host.name), quoted(&host.preset)));
        if host.addresses.len() > 1 {
            self.line(&format!("addresses = {}", host.addresses.len()));
        }
        for (key, value) in &host.keys {
            self.line(&format!("{key} = {value}"));
        }
        for part in &parts {
            self.part(host, part, &limits);
        }
    }

    fn part(&mut self, host: &HostSurvey, part: &ScenarioFlow, limits: &Limits) {
        let flow = &part.flow;
        self.text.push('\n');
        let place = self.place(host, part);
        let seen = seen(&place, part, limits);
        self.text.push_str(&comment(&seen));
        if part.rate > LEAST_RATE {
            self.destination(&place, part, true);
            let mut client = self.client(host, part, &place, "");
            let _ = writeln!(client, "arrivals = {}", poisson(part.rate));
            let _ = writeln!(client, "lifetime = {}", law(&flow.lifetimes));
            client.push_str(&closes(flow.ends));
            self.gap();
            self.text.push_str(&client);
        }
        if part.unanswered_rate > LEAST_RATE {
            let place = format!("{place} unanswered");
            self.destination(&place, part, false);
            let mut client = self.client(host, part, &place, "");
            let _ = writeln!(client, "arrivals = {}", poisson(part.unanswered_rate));
            client.push_str("lifetime = \"0 s\"\n");
            self.gap();
            self.text.push_str(&client);
        }
        if flow.standing > 0 {
            self.destination(&place, part, true);
            let mut client = self.client(host, part, &place, " held");
            let _ = writeln!(
                client,
                "arrivals = {{ process = \"closed-loop\", workers = {}, think = \"1 s\" }}",
                flow.standing.min(1_000_000)
            );
            client.push_str("lifetime = \"365 d\"     # open all the time\n");
            self.gap();
            self.text.push_str(&client);
        }
    }

    /// What the destination of `part` is called.
    fn place(&self, host: &HostSurvey, part: &ScenarioFlow) -> String {
        let flow = &part.flow;
        let name = match flow.endpoints {
            1 => flow.destination.to_string(),
            _ if self.several => format!("others of {}", self.origin(host, part)),
            _ => "others".to_owned(),
        };
        let told = flow.endpoints == 1 && flow.destination.ip().is_loopback();
        if flow.loopback && !told { format!("{name} over loopback") } else { name }
    }

    /// Where the connections of `part` come from, as names have it.
    fn origin(&self, host: &HostSurvey, part: &ScenarioFlow) -> String {
        match (self.survey.hosts.len(), host.addresses.len()) {
            (1, _) => part.flow.source.to_string(),
            (_, 0 | 1) => host.name.clone(),
            _ => format!("{} {}", host.name, part.flow.source),
        }
    }

    /// The table of a destination, unless it was written before: hosts share it.
    fn destination(&mut self, place: &str, part: &ScenarioFlow, answers: bool) {
        if !self.destinations.insert(place.to_owned()) {
            return;
        }
        self.gap();
        self.line(&format!("[destination.{}]", key(place)));
        if part.flow.endpoints > 1 {
            self.line(&format!("endpoints = {}", part.flow.endpoints.min(MOST_ENDPOINTS)));
        }
        if !answers {
            self.line("answers = false");
        }
        if part.flow.loopback {
            self.line("loopback = true");
        }
    }

    /// Sets a table apart from the one before it, but not from the comment above it.
    fn gap(&mut self) {
        let last = self.text.lines().next_back().unwrap_or_default();
        if !last.is_empty() && !last.starts_with('#') {
            self.text.push('\n');
        }
    }

    /// The lines of a client up to where it connects to.
    fn client(&self, host: &HostSurvey, part: &ScenarioFlow, place: &str, what: &str) -> String {
        let flow = &part.flow;
        let number = host.addresses.iter().position(|address| *address == flow.source);
        let from = if self.several && !place.starts_with("others") {
            format!("{} to ", self.origin(host, part))
        } else {
            String::new()
        };
        let name = format!("{from}{place}{what}");
        let mut text = format!("[client.{}]\n", key(&name));
        let _ = writeln!(text, "on       = {}", quoted(&host.name));
        let _ = writeln!(text, "to       = {}", quoted(place));
        if let Some(number) = number.filter(|_| host.addresses.len() > 1) {
            let _ = writeln!(text, "address  = {}", number + 1);
        }
        text
    }
}

fn poisson(per_second: f64) -> String {
    format!("{{ process = \"poisson\", rate = \"{}\" }}", rate(per_second.min(1e9)))
}

/// What was seen, and the ports that follow from it.
fn seen(place: &str, part: &ScenarioFlow, limits: &Limits) -> String {
    let (flow, lifetimes) = (&part.flow, &part.flow.lifetimes);
    let mut text = format!("{place}: {}", plural(flow.opened, "connection", "connections"));
    if let (Some(mean), false) = (lifetimes.mean(), lifetimes.is_assumed()) {
        let span = |time: Duration| numbers::span(time.as_secs_f64());
        let quantile = |p| span(lifetimes.quantile(p).unwrap_or_default());
        let _ = write!(
            text,
            ", p50 {}, p90 {}, p99 {}, mean {}",
            quantile(0.5),
            quantile(0.9),
            quantile(0.99),
            span(mean)
        );
    }
    if lifetimes.still_open() > 0 {
        let open = count(lifetimes.still_open());
        let _ = write!(text, "; {open} of them were still open when last seen");
    }
    if flow.standing > 0 {
        let _ = write!(text, "; {} open all the time", count(flow.standing));
    }
    let ports = plural(part.ports.round() as u64, "port", "ports");
    let _ =
        write!(text, ". They hold {ports} of {} on average.", count(limits.usable_ports.into()));
    if flow.endpoints > MOST_ENDPOINTS {
        let _ = write!(
            text,
            " They went to {} destinations; {} are simulated, so each gets more than it did.",
            count(flow.endpoints.into()),
            count(MOST_ENDPOINTS.into())
        );
    }
    text + &assumed(part)
}

/// What had to be assumed.
fn assumed(part: &ScenarioFlow) -> String {
    let (lifetimes, ends) = (&part.flow.lifetimes, part.flow.ends);
    let mut text = String::new();
    if part.rate > LEAST_RATE && lifetimes.is_assumed() {
        text.push_str(
            " How long they last was not seen: the mean is the number open over the rate (Little's \
             law), and exponential is an assumption.",
        );
    } else if part.rate > LEAST_RATE && lifetimes.number() == 0 {
        text.push_str(" How long they last was not seen: only TIME-WAIT holds ports here.");
    }
    let answered = ends.answered();
    if part.rate > LEAST_RATE && (ends.unknown > 0 || answered == 0) {
        let share = if answered == 0 { 1.0 } else { ends.unknown as f64 / answered as f64 };
        let of =
            if share == 1.0 { String::new() } else { format!(" of {}", numbers::percent(share)) };
        let _ = write!(
            text,
            " Who closed is not told{of}: they count as closed by the client, which costs ports."
        );
    }
    text
}

/// Lifetimes as a distribution.
fn law(lifetimes: &Lifetimes) -> String {
    let Some(mean) = lifetimes.mean() else { return "\"0 s\"".to_owned() };
    if lifetimes.is_assumed() && !mean.is_zero() {
        return format!("{{ distribution = \"exponential\", mean = \"{}\" }}", time(mean));
    }
    let samples = lifetimes.quantiles(lifetimes.number().clamp(1, SAMPLES) as usize);
    let mut texts: Vec<String> = samples.into_iter().map(|sample| quoted(&time(sample))).collect();
    if texts.iter().all(|text| *text == texts[0]) {
        return texts.swap_remove(0);
    }
    let lines: Vec<String> = texts.chunks(8).map(|line| line.join(", ")).collect();
    format!("{{ distribution = \"empirical\", samples = [\n    {},\n] }}", lines.join(",\n    "))
}

/// Who closes, as far as that was seen.
fn closes(ends: Ends) -> String {
    let client = ends.client + ends.unknown;
    let counts =
        [("client", client), ("server", ends.server), ("reset", ends.reset), ("half", ends.half)];
    match &shares(&counts)[..] {
        [] => "closes   = \"client\"\n".to_owned(),
        [(word, _)] => format!("closes   = \"{word}\"\n"),
        several => {
            let shares: Vec<String> =
                several.iter().map(|(word, share)| format!("{word} = {share:.6}")).collect();
            // A share that rounds to nothing would be refused.
            let text = shares.join(", ").replace("0.000000", "0.000001");
            format!("closes   = {{ {text} }}\n")
        }
    }
}

#[cfg(test)]
mod tests;
