//! What a connect costs: ports looked at by how much of the range is held, and where the run was.

use plotters::style::RGBColor;

use super::Picture;
use super::axis::short;
use super::axis::{Panel, Scale, count_ticks, percent_ticks, round_values};
use super::canvas::{Align, Canvas, bold, paint, plain};
use super::frame::{Heading, LegendKey, Sign, legend};
use super::raster::Raster;
use super::style::{
    BLOCKED, CLOSING, ESTABLISHED, FREE, GREY, INK, PAPER, PLOT_LEFT, PLOT_RIGHT, SMALL, TIME_WAIT,
    line, mix,
};
use super::verdict::{facts, of_host, whose};
use crate::model::{ReuseKey, SearchCost};
use crate::numbers::{amount, count, percent, plural, span};
use crate::scenario::Scenario;
use crate::search::{Call, Curve};
use crate::stats::{LimitFigures, Outcome, search_seconds};

/// Heights of the panel, of the strip beneath it, and of what lies between and below.
const HEIGHT: f64 = 330.0;
const BETWEEN: f64 = 6.0;
const STRIP: f64 = 12.0;
const BENEATH: f64 = 52.0;
/// Room for the caption, above the legend.
const CAPTION: f64 = 20.0;
/// Room for the figures of the axis of time.
const TIME_AXIS: f64 = 58.0;
/// Cells of the strip: one for each per cent.
const CELLS: usize = 100;
/// From this share of the ports on, a search is a walk through the range, and worth a title when most
/// walks are so long.
const WALK: f64 = 0.1;
const LONG_WALK: f64 = 0.25;

/// Curves by colour and dash, so that a grey print tells them apart.
const LOOKS: [(RGBColor, Option<(f64, f64)>); 4] = [
    (ESTABLISHED, None),
    (CLOSING, Some((9.0, 5.0))),
    (TIME_WAIT, Some((2.0, 3.0))),
    (GREY, Some((14.0, 4.0))),
];

/// Ports looked at by one attempt of one limit's clients, by how many are held.
pub fn search(
    scenario: &Scenario,
    outcome: &Outcome,
    limit: &LimitFigures,
    curves: &[Curve],
) -> Picture {
    let curves = &curves[..curves.len().min(LOOKS.len())];
    let host = scenario.world.hosts.iter().find(|host| host.name == limit.name);
    let cost = host.and_then(|host| host.search_cost);
    let walks = curves.first().and_then(Walks::of);
    let finding = of_host(outcome, limit, &finding(curves, walks, limit, cost));
    let facts = whose(outcome, limit) + &facts(outcome);
    let heading = Heading::new(&finding, &scenario.title, &facts);
    let top = heading.height() + 34.0 + CAPTION;
    let right = if cost.is_some() { PLOT_RIGHT - TIME_AXIS } else { PLOT_RIGHT };
    let most = highest(curves, limit);
    // A step is a step on an even axis only; searches of a few ports show on a logarithmic one.
    let short = walks.is_none() && !curves.is_empty() && most > 100.0;
    let y = if short { Scale::Log(1.0, most * 2.0) } else { Scale::Linear(0.0, most * 1.12) };
    let (bottom, x) = (top + HEIGHT, Scale::Linear(0.0, 1.0));
    let panel = Panel { left: PLOT_LEFT, right, top, bottom, x, y };
    let bound = curves.iter().all(|curve| curve.call.bound) && !curves.is_empty();
    let key = match host.map_or(ReuseKey::FourTuple, |host| host.reuse_key) {
        // A bound port has no destination yet.
        ReuseKey::FourTuple if bound => ReuseKey::SourceAddress,
        key => key,
    };
    let chart = Chart { outcome, limit, curves, cost, key, panel };
    paint(panel.bottom + BETWEEN + STRIP + BENEATH, &heading.finding(), |canvas| {
        heading.draw(canvas);
        chart.draw(canvas);
    })
}

/// Where a curve begins to walk through the range at every attempt.
#[derive(Clone, Copy, Debug)]
struct Walks {
    /// Share of the range that is held then, 0 to 1.
    from: f64,
    /// Ports looked at from then on.
    ports: f64,
}

impl Walks {
    /// `None` where searches stay short until the range is nearly full, or the range itself is short.
    fn of(curve: &Curve) -> Option<Self> {
        let refusal = curve.refusal.filter(|refusal| *refusal >= 100.0)?;
        let parts = &curve.parts;
        let short = parts.iter().rposition(|&probes| probes < WALK * refusal);
        let first = short.map_or(0, |last| last + 1);
        let (walks, from) = (&parts[first..], first as f64 / parts.len() as f64);
        let ports = *walks.get(walks.len() / 2)?;
        (from <= 0.9 && ports >= LONG_WALK * refusal).then_some(Self { from, ports })
    }

    /// The share of the run's attempts that walked so far; `None` where none was recorded.
    fn share_of(self, limit: &LimitFigures) -> Option<f64> {
        let probes = &limit.figures.probes;
        let all = probes.histogram.len();
        // The length of a walk is a mean: half of all walks are a little shorter.
        let least = (self.ports * 0.9 / probes.scale) as u64;
        let walked = probes.histogram.count_between(least, u64::MAX);
        (all > 0).then(|| walked as f64 / all as f64)
    }
}

/// What the curve of the first call says: where its walks begin and how many of the run's attempts
/// walk, or how long it needs no walk.
fn finding(
    curves: &[Curve],
    walks: Option<Walks>,
    limit: &LimitFigures,
    cost: Option<SearchCost>,
) -> String {
    let Some(curve) = curves.first() else {
        return "no client searches for a port".to_owned();
    };
    let Some(refusal) = curve.refusal else {
        return "there is no port to search for".to_owned();
    };
    let call = if curve.call.bound { "bind" } else { "connect" };
    let Some(walks) = walks else { return short_finding(curve, call, refusal) };
    let time = cost.map(|cost| format!(" ({})", span(search_seconds(cost, walks.ports))));
    let ports = plural(two_digits(walks.ports), "port", "ports");
    let from = match walks.from {
        0.0 => String::new(),
        share => format!("from {} full on, ", part(share)),
    };
    let here = match walks.share_of(limit) {
        None => String::new(),
        Some(0.0) => "; no attempt of this run did".to_owned(),
        Some(share) => format!("; {} of this run's did", percent(share)),
    };
    format!("{from}a {call} looks at up to {ports}{}{here}", time.unwrap_or_default())
}

/// How long a curve without walks stays short.
fn short_finding(curve: &Curve, call: &str, refusal: f64) -> String {
    const FEW: f64 = 10.0;
    let most = curve.parts.iter().copied().fold(0.0, f64::max);
    if most <= FEW {
        let (ports, refusal) =
            (plural(most.ceil() as u64, "port", "ports"), count(refusal.round() as u64));
        return format!(
            "while the range fills, a {call} looks at up to {ports}, a refusal at {refusal}"
        );
    }
    let short = curve.parts.iter().take_while(|&&probes| probes <= FEW).count();
    let until = percent(short as f64 / curve.parts.len() as f64);
    format!("until {until} of the ports are held, a {call} looks at {FEW} or fewer on average")
}

/// A share of the range in words: `half`, `38 %`.
fn part(share: f64) -> String {
    if (0.485..=0.515).contains(&share) { "half".to_owned() } else { percent(share) }
}

/// `14,116.4` as 14,000: no more digits than a title can bear.
fn two_digits(value: f64) -> u64 {
    let unit = 10f64.powf((value.max(1.0).log10().floor() - 1.0).max(0.0));
    ((value / unit).round() * unit) as u64
}

/// The most that is drawn: never nothing.
fn highest(curves: &[Curve], limit: &LimitFigures) -> f64 {
    let of_curve =
        |curve: &Curve| curve.parts.iter().copied().chain(curve.refusal).fold(0.0, f64::max);
    let run =
        if limit.figures.probes.histogram.is_empty() { 0.0 } else { limit.figures.probes.p99 };
    curves.iter().map(of_curve).fold(run, f64::max).max(1.0)
}

/// Everything the chart is made of, laid out.
struct Chart<'a> {
    outcome: &'a Outcome,
    limit: &'a LimitFigures,
    curves: &'a [Curve],
    cost: Option<SearchCost>,
    /// Of what a pool is one.
    key: ReuseKey,
    panel: Panel,
}

impl Chart<'_> {
    fn draw(&self, canvas: &mut Canvas<'_>) {
        let panel = &self.panel;
        let what = match self.cost {
            Some(_) => "ports looked at (left) and time taken (right)",
            None => "ports looked at",
        };
        let caption = Panel { top: panel.top - CAPTION, ..*panel };
        caption.caption(canvas, &format!("{what} by one attempt while the range fills"));
        panel.y_axis(canvas, &self.ticks());
        self.draw_time_axis(canvas);
        let looks = self.curves.iter().zip(LOOKS);
        looks.clone().for_each(|(curve, look)| self.draw_curve(canvas, curve, look));
        let sign = |(colour, dash)| match dash {
            None => Sign::Line(line(colour, 2.0)),
            Some(dash) => Sign::Dashes(line(colour, 2.0), dash),
        };
        let mut keys: Vec<LegendKey> = looks
            .map(|(curve, look)| LegendKey { text: in_words(curve.call), sign: sign(look) })
            .collect();
        panel.base_line(canvas, &[]);
        let strip =
            Panel { top: panel.bottom + BETWEEN, bottom: panel.bottom + BETWEEN + STRIP, ..*panel };
        if self.draw_strip(canvas, &strip) {
            let sign = Sign::Blend(FREE, INK);
            keys.push(LegendKey { text: "time that the run spent there".to_owned(), sign });
        }
        legend(canvas, &keys, panel.top - 8.0);
        strip.x_axis(canvas, &percent_ticks(1.0), self.held_by_whom());
        if self.curves.is_empty() {
            panel.says(canvas, "clients bring ports of their own: nothing is searched");
        }
        self.draw_run(canvas);
        self.draw_refusal(canvas);
    }

    /// What is on the axis of occupancy.
    const fn held_by_whom(&self) -> &'static str {
        match self.key {
            ReuseKey::FourTuple => "ports held towards one destination, of those that can be had",
            ReuseKey::SourceAddress => "ports held by one source address, of those that can be had",
            ReuseKey::Host => "ports held, of those that can be had",
        }
    }

    /// Round numbers of ports, by powers of ten on a logarithmic axis.
    fn ticks(&self) -> Vec<(f64, String)> {
        match self.panel.y {
            Scale::Linear(_, most) => count_ticks(most),
            Scale::Log(_, most) => {
                let powers = (0..6).map(|power| 10f64.powi(power));
                powers.filter(|&ports| ports <= most).map(|ports| (ports, short(ports))).collect()
            }
        }
    }

    /// The time that a search takes, to the right.
    fn draw_time_axis(&self, canvas: &mut Canvas<'_>) {
        let Some(cost) = self.cost else { return };
        let panel = &self.panel;
        let look = plain(SMALL, GREY);
        for (probes, time) in self.times(cost) {
            let y = panel.y_of(probes);
            canvas.path(&[(panel.right, y), (panel.right + 4.0, y)], line(GREY, 1.0));
            let at = (panel.right + 8.0, y + 0.36 * SMALL);
            canvas.text(&span(time), at, Align::Left, look);
        }
        canvas.path(&[(panel.right, panel.top), (panel.right, panel.bottom)], line(GREY, 1.0));
    }

    /// Probes and the seconds they take: round times, beside the ports on a logarithmic axis.
    fn times(&self, cost: SearchCost) -> Vec<(f64, f64)> {
        let (least, probe) = (cost.connect.as_secs_f64(), cost.probe.as_secs_f64());
        let Scale::Linear(_, most) = self.panel.y else {
            let ticks = self.ticks().into_iter();
            return ticks.map(|(ports, _)| (ports, search_seconds(cost, ports))).collect();
        };
        // Where no probe costs anything, every search takes the same.
        if probe <= 0.0 {
            return vec![(0.0, least)];
        }
        let times = round_values(0.0, search_seconds(cost, most), 5).into_iter();
        times
            .filter(|&time| time >= least)
            .map(|time| ((time - least) / probe + 1.0, time))
            .collect()
    }

    /// Means over equal parts as steps, and the leap to what a refusal looks at.
    fn draw_curve(
        &self,
        canvas: &mut Canvas<'_>,
        curve: &Curve,
        (colour, dash): (RGBColor, Option<(f64, f64)>),
    ) {
        let parts = curve.parts.len() as f64;
        let corners = curve.parts.iter().enumerate().flat_map(|(index, &probes)| {
            [index as f64 / parts, (index + 1) as f64 / parts].map(|x| self.panel.at(x, probes))
        });
        let refusal = curve.refusal.map(|refusal| self.panel.at(1.0, refusal));
        let points: Vec<(f64, f64)> = corners.chain(refusal).collect();
        match dash {
            None => canvas.path(&points, line(colour, 2.0)),
            Some(dash) => canvas.dashes_along(&points, dash, line(colour, 2.0)),
        }
    }

    /// What was held in each bin of the steady state, as shares of what can be had, rising.
    fn held(&self) -> Vec<f64> {
        let capacity = self.limit.timeline.capacity as f64;
        let warm_up = self.outcome.warm_up.as_secs_f64();
        let rows = self.limit.timeline.rows.iter();
        let steady = rows.filter(|row| row.time.as_secs_f64() >= warm_up);
        let shares = steady.map(|row| 1.0 - row.free.mean / capacity);
        let mut held: Vec<f64> = shares.filter(|share| share.is_finite()).collect();
        held.sort_by(f64::total_cmp);
        held
    }

    /// How much of the run's time each per cent of the range was held: darker is more.
    fn draw_strip(&self, canvas: &mut Canvas<'_>, strip: &Panel) -> bool {
        let mut spent = [0.0_f64; CELLS];
        for held in self.held() {
            let cell = (held.clamp(0.0, 1.0) * CELLS as f64) as usize;
            spent[cell.min(CELLS - 1)] += 1.0;
        }
        let most = spent.iter().copied().fold(0.0, f64::max);
        if most == 0.0 {
            return false;
        }
        let shade = |share: f64| match share {
            0.0 => FREE,
            // A moment must be seen too.
            share => mix(FREE, INK, super::style::strength((share / most).max(0.05))),
        };
        let cells: Vec<RGBColor> = spent.into_iter().map(shade).collect();
        let (width, height) = (strip.right - strip.left, strip.bottom - strip.top);
        canvas.raster(Raster::new(CELLS, &cells), strip.left, strip.top, width, height);
        true
    }

    /// Where the run was for half of its time, and what its attempts looked at.
    fn draw_run(&self, canvas: &mut Canvas<'_>) {
        let (panel, figures) = (&self.panel, &self.limit.figures);
        let probes = &figures.probes;
        if probes.histogram.is_empty() {
            return;
        }
        let shares = self.held();
        let held = shares.get(shares.len() / 2).copied().unwrap_or(figures.utilisation.mean);
        let held = held.clamp(0.0, 1.0);
        let mean = probes.histogram.mean() * probes.scale;
        let (x, pen) = (panel.x_of(held), line(BLOCKED, 1.6));
        let ends = [probes.p50, probes.p99].map(|probes| panel.y_of(probes));
        canvas.path(&[(x, ends[0]), (x, ends[1])], pen);
        for y in ends {
            canvas.path(&[(x - 5.0, y), (x + 5.0, y)], pen);
        }
        canvas.dot((x, panel.y_of(mean)), 6.0, line(PAPER, 1.0));
        canvas.dot((x, panel.y_of(mean)), 4.5, line(BLOCKED, 1.0));
        self.label_run(canvas, held, mean);
    }

    /// Three lines beside the dot, on the side that has more room.
    fn label_run(&self, canvas: &mut Canvas<'_>, held: f64, mean: f64) {
        let (panel, probes) = (&self.panel, &self.limit.figures.probes);
        let dot = panel.at(held, mean);
        let texts = [
            format!("the run (median: {} held): an attempt looks", percent(held)),
            format!(
                "at {} ports on average, half at {} or fewer,",
                amount(mean),
                amount(probes.p50)
            ),
            format!("99 % at {} or fewer", amount(probes.p99)),
        ];
        let (x, align) = match dot.0 > (panel.left + panel.right) / 2.0 {
            true => (dot.0 - 14.0, Align::Right),
            false => (dot.0 + 14.0, Align::Left),
        };
        // Beneath the dot where there is room: curves lie above the mean.
        let y = (dot.1 + 20.0).clamp(panel.top + 14.0, panel.bottom - 38.0);
        for (row, text) in texts.iter().enumerate() {
            canvas.label(text, (x, y + row as f64 * 15.0), align, bold(SMALL, BLOCKED));
        }
    }

    /// What a refusal looks at, at the end of the first curve.
    fn draw_refusal(&self, canvas: &mut Canvas<'_>) {
        let panel = &self.panel;
        let Some(refusal) = self.curves.first().and_then(|curve| curve.refusal) else { return };
        let at = panel.at(1.0, refusal);
        canvas.dot(at, 3.5, line(INK, 1.0));
        let time = self.cost.map(|cost| format!(", {}", span(search_seconds(cost, refusal))));
        let text = format!(
            "a refusal looks at {}{}",
            plural(refusal.round() as u64, "port", "ports"),
            time.unwrap_or_default()
        );
        canvas.label(&text, (at.0, at.1 - 9.0), Align::Right, bold(SMALL, INK));
    }
}

/// `connect()`, `bind(0), SO_REUSEADDR`, `connect(), 40000-40999 only`.
fn in_words(call: Call) -> String {
    let mut text = if call.bound { "bind(0)" } else { "connect()" }.to_owned();
    if call.reuse_address {
        text += ", SO_REUSEADDR";
    }
    if let Some(range) = call.port_range {
        text += &format!(", {range} only");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample::TINY;
    use super::*;
    use crate::units::SimDuration;

    /// The title of a curve, in a run whose attempts looked at `probes` ports.
    fn title(parts: Vec<f64>, probes: &[u64], cost: Option<SearchCost>) -> String {
        let mut limit = TINY.outcome().0.limits.remove(0);
        limit.figures.probes.scale = 1.0;
        probes.iter().for_each(|&probes| limit.figures.probes.histogram.record(probes).unwrap());
        let call = Call { bound: false, reuse_address: false, port_range: None };
        let curve = Curve { call, parts, refusal: Some(28_232.0) };
        finding(std::slice::from_ref(&curve), Walks::of(&curve), &limit, cost)
    }

    #[test]
    fn the_title_says_where_walks_begin_what_they_cost_and_who_walks() {
        let step = |part| if part < 100 { 1.5 } else { 14_116.4 };
        let parts: Vec<f64> = (0..200).map(step).collect();
        let told = "from half full on, a connect looks at up to 14,000 ports";
        assert_eq!(title(parts.clone(), &[], None), told);
        assert_eq!(
            title(parts.clone(), &[1, 2], None),
            format!("{told}; no attempt of this run did")
        );
        let (connect, probe) = (SimDuration::from_nanos(14_000), SimDuration::from_nanos(70));
        let cost = Some(SearchCost { connect, probe });
        let run = [1, 1, 14_117, 28_232];
        assert_eq!(title(parts, &run, cost), format!("{told} (1.00 ms); 50 % of this run's did"));
    }

    #[test]
    fn the_title_of_a_search_that_hardly_walks_says_how_long_it_stays_short() {
        let parts = (0..200).map(|part| 1.0 / (1.0 - f64::from(part) / 200.0)).collect();
        let told = "until 90 % of the ports are held, a connect looks at 10 or fewer on average";
        assert_eq!(title(parts, &[3], None), told);
        let told = "while the range fills, a connect looks at up to 1 port, a refusal at 28,232";
        assert_eq!(title(vec![1.0; 200], &[3], None), told);
    }

    #[test]
    fn calls_are_named_with_what_changes_their_search() {
        let call = Call { bound: true, reuse_address: true, port_range: None };
        assert_eq!(in_words(call), "bind(0), SO_REUSEADDR");
    }
}
