//! Every figure of a result, in the order of `summary.json`.
//!
//! The numbers after `at` are places in the orders of CSV, of the rows that tell of one host and of the
//! columns that compare several; they leave gaps for what comes between. Columns of CSV keep theirs for
//! good, since people count them.

use super::figure::{Facet, Figure, InSummary, Read, Unit, Value};
use super::outcome::{Estimate, Figures, LimitFigures, Moments, Quantiles, RequestFigures};
use super::subject::SubjectKind;
use crate::model::Refusal;
use crate::theory::Expected;

/// All figures: [`Figure`] says what each word of a row means.
pub static FIGURES: &[Figure] = &[
    of_limit("machines", "machines", Unit::Of("machines"), |limit| {
        Some(Value::Count(limit.machines.into()))
    })
    .brief()
    .about("identical machines, all of which are in the figures")
    .on(&[SubjectKind::Limit])
    .at([0, 90, 5]),
    of_requests("requests", "requests", REQUESTS, |r| r.pooled.then_some(Value::Count(r.made)))
        .about("requests made over connections that are kept, all replications together")
        .at([64, 1, 6]),
    of_requests("served", "answered", REQUESTS, |r| r.pooled.then_some(Value::Count(r.served)))
        .about("requests that were answered, all replications together")
        .at([65, 2, 0]),
    of_requests("failed", "failed", REQUESTS, |r| r.pooled.then_some(Value::Count(r.failed)))
        .about(
            "requests that failed, all replications together: no port, nobody answered, waited too long",
        )
        .at([66, 3, 7]),
    of_requests("connections_per_request", "connections a request", Unit::Of("connections"), |r| {
        r.pooled.then_some(Value::Mean(r.connections_per_request))
    })
    .about("connections wanted for each request: 1 without keep-alive")
    .head("opened a request")
    .expected(ITSELF)
    .with_interval()
    .at([67, 4, 8]),
    of_requests("waiting_s", "waiting", Unit::Time, |r| {
        r.pooled.then_some(Value::quantiles(&r.waiting))
    })
    .about("how long an answered request waited for its connection")
    .expected(&[Facet::P50, Facet::P99, Facet::Max])
    .parts(&[Facet::P50, Facet::P99])
    .at([68, 5, 0]),
    of_requests("idle", "idle, mean", Unit::Of("connections"), |r| {
        r.pooled.then_some(Value::Mean(r.mean_idle))
    })
    .about("mean of idle connections")
    .expected(ITSELF)
    .at([69, 6, 0]),
    of_requests("first_attempts", "first attempts", Unit::Of("attempts"), |r| {
        r.retries.then_some(Value::Count(r.made))
    })
    .about("attempts, or requests, without those that are tried again; all replications together")
    .at([70, 7, 0]),
    of_requests("amplification", "amplification", Unit::Of("tries"), |r| {
        let tries = (r.made + r.retried) as f64 / r.made.max(1) as f64;
        r.retries.then_some(Value::Number(tries))
    })
    .about("tries for each first one, those again included")
    .expected(ITSELF)
    .at([71, 8, 9]),
    of_requests("gave_up", "gave up", Unit::Of("attempts"), |r| {
        r.retries.then_some(Value::Count(r.failed))
    })
    .about("attempts, or requests, that failed for good, all replications together")
    .at([72, 9, 0]),
    count("attempts", "attempts", |f| f.attempts)
        .about("attempts to connect, all replications together")
        .brief()
        .at([10, 10, 10]),
    count("opened", "opened", |f| f.opened)
        .about("attempts that got a port, all replications together")
        .at([11, 11, 0]),
    count("blocked", "refused, count", |f| f.blocked)
        .about("attempts refused for want of a port, all replications together")
        .at([12, 13, 0]),
    group("refusals", Read::Refusals)
        .about("those blocked, by reason: on Linux `call:ERROR`, of other platforms the call")
        .brief()
        .at([0, 14, 70]),
    count("refused_connect", "refused by connect", |f| f.blocked - refused_by_bind(f))
        .about("those blocked in `connect()`")
        .summary(InSummary::Not)
        .at([50, 0, 0]),
    count("refused_bind", "refused by bind", refused_by_bind)
        .about("those blocked in `bind()`")
        .summary(InSummary::Not)
        .at([51, 0, 0]),
    count("tuple_taken", "tuple taken", |f| f.refused[Refusal::TupleTaken as usize])
        .about(
            "those blocked in `connect()` whose port was bound, but taken towards the destination",
        )
        .at([52, 0, 0]),
    count("unanswered", "timed out", |f| f.unanswered)
        .about("opened, then given up because nobody answered")
        .errno("ETIMEDOUT")
        .rare()
        .brief()
        .at([53, 12, 71]),
    count("late", "after a SYN again", |f| f.late)
        .about("opened, and answered at a SYN after the first, a second later at least")
        .rare()
        .brief()
        .at([57, 27, 74]),
    count("cut_off", "cut off", |f| f.cut_off)
        .about("open connections that a gateway forgot, for others to have their place")
        .rare()
        .brief()
        .at([75, 28, 75]),
    mean("blocking_ratio", "refused", Unit::Share, |f| f.blocking_ratio)
        .about("blocked / attempts")
        .in_theory(loss)
        .expected(ITSELF)
        .steady()
        .summary(InSummary::WithInterval)
        .with_interval()
        .brief()
        .at([13, 15, 11]),
    mean("timed_out_ratio", "timed out", Unit::Share, |f| f.timed_out_ratio)
        .about("unanswered / attempts")
        .expected(ITSELF)
        .steady()
        .summary(InSummary::WithInterval)
        .at([58, 0, 0]),
    mean("late_ratio", "after a SYN again", Unit::Share, |f| f.late_ratio)
        .about("late / attempts")
        .expected(ITSELF)
        .steady()
        .summary(InSummary::WithInterval)
        .at([59, 0, 0]),
    formula("loss", "in theory", Unit::Share, loss)
        .about("`erlang_b`, or `engset`")
        .summary(InSummary::Not)
        .brief()
        .at([0, 0, 12]),
    moment("first_blocked_s", "first refused", |f| f.first_blocked)
        .about(
            "when the first attempt was blocked, from the very start: median of the replications",
        )
        .in_theory(|t| t.fill_time_s)
        .expected(ITSELF)
        .with_interval()
        .brief()
        .at([14, 16, 13]),
    moment("recovered_s", "recovered", |f| f.recovered)
        .about("when the last episode of blocking was over: median of the replications")
        .expected(ITSELF)
        .at([15, 0, 0]),
    mean("blocked_time_share", "no port left", Unit::ShareOf("time"), |f| f.blocked_time_share)
        .about("share of the time without a free port")
        .expected(ITSELF)
        .at([16, 17, 0]),
    count("peak_in_use", "in use, peak", |f| f.peak_in_use)
        .about("most ports in use at once on one machine of any replication, from the very start")
        .head("peak")
        .unit(PORTS)
        .expected(ITSELF)
        .brief()
        .at([19, 21, 21]),
    mean("mean_in_use", "in use, mean", PORTS, |f| f.mean_in_use)
        .about("mean of ports that are held, in any state: the sum of the four that follow")
        .expected(ITSELF)
        .steady()
        .with_interval()
        .at([20, 20, 20]),
    mean("mean_connecting", "connecting, mean", PORTS, |f| f.mean_connecting)
        .about("mean of ports in SYN-SENT")
        .brief()
        .rare()
        .at([54, 22, 72]),
    mean("mean_established", "established, mean", PORTS, |f| f.mean_established)
        .about("mean of ports whose connection is established")
        .at([55, 0, 0]),
    mean("mean_closing", "half-closed, mean", PORTS, |f| f.mean_closing)
        .about("mean of ports whose connection is half closed (FIN-WAIT-2, CLOSE-WAIT)")
        .brief()
        .rare()
        .at([56, 23, 73]),
    mean("mean_time_wait", "TIME-WAIT, mean", PORTS, |f| f.mean_time_wait)
        .about("mean of ports in TIME-WAIT")
        .expected(ITSELF)
        .steady()
        .brief()
        .at([21, 24, 0]),
    count("num_ephemeral", "ports", |f| f.num_ephemeral)
        .about("ports that can be chosen on one machine")
        .unit(PORTS)
        .at([22, 0, 0]),
    count("capacity", "capacity", |f| f.capacity)
        .about("most connections that can hold a port at once: the ports for each reuse key")
        .unit(PORTS)
        .brief()
        .at([23, 25, 22]),
    mean("utilisation", "utilisation", Unit::Share, |f| f.utilisation)
        .about("`mean_in_use` / `capacity`")
        .expected(ITSELF)
        .steady()
        .at([24, 26, 0]),
    group("intervals", Read::Intervals)
        .about("the 95 % intervals of the figures that stand as plain numbers"),
    mean("episodes", "episodes", Unit::Of("episodes"), |f| f.episodes)
        .about("episodes of blocking a replication: from a refusal to the next success")
        .expected(ITSELF)
        .at([17, 0, 0]),
    number("longest_episode_s", "outage, longest", |f| f.longest_episode.as_secs_f64())
        .about("longest episode of any replication")
        .brief()
        .rare()
        .at([18, 19, 0]),
    number("mean_episode_s", "outage, mean", |f| f.mean_episode.as_secs_f64())
        .about("mean length of the episodes of all replications")
        .rare()
        .at([63, 18, 0]),
    quantiles("probes", "probes", Unit::Of("probes"), |f| &f.probes)
        .about("ports that one attempt looks at, blocked or not")
        .expected(&[Facet::P99])
        .parts(&[Facet::P50, Facet::P99])
        .at([30, 30, 30]),
    of_limit("search_s", "search", Unit::Time, |limit| limit.search.map(Value::search))
        .about("time that one attempt searches; with `search_cost` only")
        .parts(&[Facet::P50, Facet::P99])
        .summary(InSummary::WhereKnown)
        .brief()
        .at([60, 31, 31]),
    of_limit("search_core_share", "search, all", Unit::ShareOf("a core"), |limit| {
        Some(Value::Number(limit.search?.core_share))
    })
    .about("seconds of searching a second on one machine; with `search_cost` only")
    .head("of a core")
    .brief()
    .at([61, 32, 32]),
    of_limit("port_taken", "port taken", Unit::Share, |limit| {
        limit.server.as_ref().map(|server| Value::Mean(server.refused))
    })
    .about("share of machines on which the port of `server` is taken when it starts")
    .expected(ITSELF)
    .with_interval()
    .brief()
    .at([73, 34, 0]),
    of_limit("port_waiting_s", "port free after", Unit::Time, |limit| {
        let server = limit.server.as_ref().filter(|server| server.refused.mean > 0.0);
        server.map(|server| Value::quantiles(&server.waited))
    })
    .about("how long `server` waits for its port where it is taken and comes free in the run")
    .expected(&[Facet::P50, Facet::P99, Facet::Max])
    .parts(&[Facet::P50, Facet::Max])
    .brief()
    .at([74, 35, 0]),
    quantiles("reuse_interval_s", "reused after", Unit::Time, |f| &f.reuse_interval)
        .about("from one opening of a connection to the next on the same port and reuse key")
        .head("reuse")
        .parts(&[Facet::P50])
        .at([31, 33, 33]),
    group("binds", Read::Binds)
        .about("what each limit blocked, and its share of all that was blocked"),
    group("theory", Read::Theory).about("what the closed forms say of one machine"),
    formula("offered_load_erl", "offered load", Unit::Load, |t| t.offered_load_erl)
        .about("arrival rate times mean hold time, in erlangs")
        .at([40, 91, 0]),
    formula("erlang_b", "Erlang B", Unit::Share, |t| t.erlang_b)
        .about("Erlang's loss formula: the share of Poisson arrivals that is blocked")
        .at([41, 0, 0]),
    formula("engset", "Engset", Unit::Share, |t| t.engset)
        .about("Engset's call congestion: the same of a closed loop")
        .at([42, 0, 0]),
    formula("sustainable_rate_per_s", "sustainable rate", Unit::Rate, |t| t.sustainable_rate_per_s)
        .about("the highest rate of attempts that never runs out in the fluid limit")
        .at([43, 93, 0]),
    formula("safe_rate_per_s", "safe rate", Unit::Rate, |t| t.safe_rate_per_s)
        .about("the highest rate of attempts at which a run of that length refuses nobody")
        .brief()
        .at([62, 96, 0]),
    formula("fill_time_s", "fill time", Unit::Time, |t| t.fill_time_s)
        .about("when the first pool is full in the fluid limit")
        .at([44, 0, 0]),
    formula("mean_hold_s", "mean hold", Unit::Time, |t| t.mean_hold_s)
        .about("mean hold time: the connection, and what follows until its port may be had again")
        .at([45, 94, 0]),
    formula("offered_rate_per_s", "offered rate", Unit::Rate, |t| t.offered_rate_per_s)
        .about("attempts a second that the scenario offers")
        .brief()
        .at([46, 92, 0]),
];

const EVERYWHERE: &[SubjectKind] = &[SubjectKind::Whole, SubjectKind::Client, SubjectKind::Limit];
const WITHOUT_CLIENTS: &[SubjectKind] = &[SubjectKind::Whole, SubjectKind::Limit];
const ITSELF: &[Facet] = &[Facet::Itself];
const PORTS: Unit = Unit::Of("ports");

fn refused_by_bind(figures: &Figures) -> u64 {
    figures.refused[Refusal::BindInUse as usize]
}

/// The formula for the share blocked, whichever holds.
fn loss(theory: &Expected) -> Option<f64> {
    theory.erlang_b.or(theory.engset)
}

/// A key, or a title.
type Name = &'static str;

const fn figure(key: Name, title: Name, unit: Unit, read: Read) -> Figure {
    Figure {
        key,
        title,
        head: title,
        about: "",
        unit,
        read,
        in_theory: None,
        on: EVERYWHERE,
        expected: &[],
        steady: false,
        summary: InSummary::Always,
        csv: 0,
        row: 0,
        column: 0,
        parts: ITSELF,
        with_interval: false,
        rare: false,
        brief: false,
        errno: None,
        none: "",
    }
}

const fn count(key: Name, title: Name, read: fn(&Figures) -> u64) -> Figure {
    figure(key, title, Unit::Of("attempts"), Read::Count(read))
}

const fn mean(key: Name, title: Name, unit: Unit, read: fn(&Figures) -> Estimate) -> Figure {
    figure(key, title, unit, Read::Mean(read))
}

const fn moment(key: Name, title: Name, read: fn(&Figures) -> Option<Moments>) -> Figure {
    Figure { none: "never", ..figure(key, title, Unit::Time, Read::Moment(read)) }
}

const fn number(key: Name, title: Name, read: fn(&Figures) -> f64) -> Figure {
    figure(key, title, Unit::Time, Read::Number(read))
}

const fn quantiles(key: Name, title: Name, unit: Unit, read: fn(&Figures) -> &Quantiles) -> Figure {
    figure(key, title, unit, Read::Quantiles(read)).on(WITHOUT_CLIENTS)
}

const fn of_limit(
    key: Name,
    title: Name,
    unit: Unit,
    read: fn(&LimitFigures) -> Option<Value>,
) -> Figure {
    figure(key, title, unit, Read::Limit(read)).on(WITHOUT_CLIENTS).summary(InSummary::WhereKnown)
}

const REQUESTS: Unit = Unit::Of("requests");

/// Told where some client makes requests.
const fn of_requests(
    key: Name,
    title: Name,
    unit: Unit,
    read: fn(&RequestFigures) -> Option<Value>,
) -> Figure {
    let figure = figure(key, title, unit, Read::Requests(read)).summary(InSummary::WhereKnown);
    Figure { brief: true, rare: true, ..figure }
}

const fn formula(key: Name, title: Name, unit: Unit, read: fn(&Expected) -> Option<f64>) -> Figure {
    figure(key, title, unit, Read::Formula(read)).on(WITHOUT_CLIENTS).summary(InSummary::InTheory)
}

/// Several figures under one key.
const fn group(key: Name, read: Read) -> Figure {
    figure(key, key, Unit::Group, read)
}

impl Figure {
    /// All that have a place in one order, in that order.
    #[must_use]
    pub fn ordered(place: fn(&Self) -> u8) -> Vec<&'static Self> {
        let mut placed: Vec<&Self> = FIGURES.iter().filter(|figure| place(figure) > 0).collect();
        placed.sort_by_key(|figure| place(figure));
        placed
    }
}

/// The words of a row that not every figure needs.
impl Figure {
    const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    const fn head(self, head: &'static str) -> Self {
        Self { head, ..self }
    }

    const fn unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    const fn in_theory(self, formula: fn(&Expected) -> Option<f64>) -> Self {
        Self { in_theory: Some(formula), ..self }
    }

    const fn on(self, on: &'static [SubjectKind]) -> Self {
        Self { on, ..self }
    }

    const fn expected(self, expected: &'static [Facet]) -> Self {
        Self { expected, ..self }
    }

    const fn steady(self) -> Self {
        Self { steady: true, ..self }
    }

    const fn summary(self, summary: InSummary) -> Self {
        Self { summary, ..self }
    }

    /// Places in CSV, among rows and among columns; 0 where it is not shown.
    const fn at(self, [csv, row, column]: [u8; 3]) -> Self {
        Self { csv, row, column, ..self }
    }

    const fn parts(self, parts: &'static [Facet]) -> Self {
        Self { parts, ..self }
    }

    const fn with_interval(self) -> Self {
        Self { with_interval: true, ..self }
    }

    const fn rare(self) -> Self {
        Self { rare: true, ..self }
    }

    const fn brief(self) -> Self {
        Self { brief: true, ..self }
    }

    const fn errno(self, errno: &'static str) -> Self {
        Self { errno: Some(errno), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Metric;

    /// A place that two figures have would leave their order to chance, and a key its meaning.
    #[test]
    fn keys_and_places_are_given_once() {
        let distinct = |mut of: Vec<String>| {
            of.sort_unstable();
            let all = of.len();
            of.dedup();
            assert_eq!(of.len(), all);
        };
        distinct(FIGURES.iter().map(|figure| figure.key.to_owned()).collect());
        let orders: [fn(&Figure) -> u8; 3] = [|f| f.csv, |f| f.row, |f| f.column];
        for order in orders {
            let places = FIGURES.iter().map(order).filter(|&place| place > 0);
            distinct(places.map(|place| place.to_string()).collect());
        }
    }

    #[test]
    fn every_figure_is_found_by_its_key_and_says_what_it_is() {
        for figure in FIGURES {
            assert!(!figure.about.is_empty(), "{}", figure.key);
            let found = Metric::named(figure.key).map(|metric| metric.figure.key);
            assert_eq!(found.ok(), (figure.unit != Unit::Group).then_some(figure.key));
        }
        for metric in Metric::expected() {
            assert_eq!(Metric::named(&metric.name()), Ok(metric));
        }
    }
}
