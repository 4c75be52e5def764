//! Ports that a record's connections held over time, against the range that they would be taken from.

use super::Picture;
use super::axis::{Panel, Scale, count_ticks, time_ticks};
use super::canvas::{Align, Canvas, bold, paint};
use super::frame::{Heading, LegendKey, Sign, cut, legend};
use super::pressure::{area_between, outline};
use super::style::{BLOCKED, ESTABLISHED, INK, PLOT_LEFT, PLOT_RIGHT, RIM, SMALL, line, sheer};
use crate::import::{Findings, Imported, clock};
use crate::numbers::{count, percent, plural, span};
use crate::traffic::{Demand, Micros, Peak, SourceSurvey, Watched};

/// Height of the panel of one source, and what stands above each.
const HEIGHT: f64 = 190.0;
const ABOVE: f64 = 40.0;
/// Sources that are drawn: more would not be looked at.
const MOST_SOURCES: usize = 4;
/// Parts of the time axis: two pixels each.
const PARTS: usize = 400;
/// Where a peak is below this share of the range, the axis ends above the peak and not above the range.
const LOW: f64 = 0.1;

/// Ports held over time by the sources with the highest peaks, each against what there is: to the destination
/// that each held most to, or to all where destinations cannot share a port.
///
/// `None` for a record of one moment, and where nothing counts.
#[must_use]
pub fn demand(record: &Imported, findings: &Findings, title: &str) -> Option<Picture> {
    let seen = &record.seen;
    if record.kind.is_snapshot() || seen.sources.is_empty() {
        return None;
    }
    let rows: Vec<Row<'_>> =
        seen.sources.iter().take(MOST_SOURCES).map(|source| Row::of(record, source)).collect();
    let facts = format!(
        " · {} · {} · ports {}, TIME-WAIT {}",
        record.kind.title(),
        plural(findings.connections, "connection", "connections"),
        findings.limit.ports,
        span(findings.limit.time_wait_s)
    );
    let sentence = findings.sentence.split_inclusive(". ").next().unwrap_or_default();
    let heading = Heading::new(sentence.trim(), title, &facts);
    let first = heading.height() + 30.0;
    let height = first + rows.len() as f64 * (HEIGHT + ABOVE) + 52.0;
    Some(paint(height, &heading.finding(), |canvas| {
        heading.draw(canvas);
        legend(canvas, &keys(&rows), heading.height() + 18.0);
        for (number, row) in rows.iter().enumerate() {
            let top = first + number as f64 * (HEIGHT + ABOVE) + ABOVE;
            row.draw(canvas, top, number + 1 == rows.len());
        }
    }))
}

/// What one source held.
struct Row<'a> {
    record: &'a Imported,
    name: String,
    peak: Peak,
    held: Demand,
}

impl<'a> Row<'a> {
    fn of(record: &'a Imported, source: &SourceSurvey) -> Self {
        let to_all = !record.limits.by_destination();
        let peak = if to_all { source.peak } else { source.tightest() };
        let (from, to) = window(record, peak);
        let name = match source.destinations.first() {
            Some((flow, _)) if !to_all => format!("{} to {}", source.address, flow.destination),
            _ => source.address.to_string(),
        };
        Self { record, name, peak, held: source.demand(to_all, from, to, PARTS) }
    }

    fn capacity(&self) -> f64 {
        f64::from(self.record.limits.usable_ports.max(1))
    }

    /// Does the axis end above the range?
    fn shows_range(&self) -> bool {
        self.peak.ports as f64 >= LOW * self.capacity()
    }

    /// Is what was held known to the port only within bounds that can be seen?
    fn is_band(&self) -> bool {
        self.held.parts.iter().any(|part| part.most > part.least)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, top: f64, last: bool) {
        let length = (self.held.to - self.held.from) as f64 * 1e-6;
        let peak = self.peak.ports as f64;
        let most = if self.shows_range() { peak.max(self.capacity()) } else { peak.max(1.0) };
        let panel = Panel {
            left: PLOT_LEFT,
            right: PLOT_RIGHT,
            top,
            bottom: top + HEIGHT - 20.0,
            x: Scale::Linear(0.0, length),
            y: Scale::Linear(0.0, most * 1.08),
        };
        let share = percent(peak / self.capacity());
        let of = format!(
            "at most {} of {} ports ({share})",
            count(self.peak.ports),
            count(self.capacity() as u64)
        );
        let beyond = match self.shows_range() {
            true => String::new(),
            false => {
                let times = self.capacity() / peak.max(1.0);
                format!(
                    "; the range is {} times as high as this picture",
                    count(times.round() as u64)
                )
            }
        };
        let text = format!("{}: {of}{beyond}", self.name);
        let look = bold(SMALL, INK);
        canvas.text(&cut(&text, look, PLOT_RIGHT - RIM), (RIM, top - 9.0), Align::Left, look);
        panel.y_axis(canvas, &count_ticks(most));
        self.draw_held(canvas, &panel, length);
        if self.shows_range() {
            let y = panel.y_of(self.capacity());
            canvas.dashes((panel.left, y), (panel.right, y), (6.0, 4.0), line(INK, 1.2));
        }
        let at = (self.peak.at - self.held.from) as f64 * 1e-6;
        canvas.dot(panel.at(at, peak), 3.5, line(BLOCKED, 1.0));
        let (unit, ticks) = time_ticks(length);
        let begin = match clock(self.held.from) {
            // A record that counts from its own start.
            begin if begin.ends_with('s') => format!("time since {begin} of the record ({unit})"),
            begin => format!("time since {begin} ({unit})"),
        };
        panel.x_axis(canvas, &ticks, if last { &begin } else { "" });
    }

    /// The fewest as an area, and what may have been held above them.
    fn draw_held(&self, canvas: &mut Canvas<'_>, panel: &Panel, length: f64) {
        let parts = self.held.parts.len() as f64;
        let curve = |value: fn(&crate::traffic::Held) -> u64| -> Vec<(f64, f64)> {
            let steps = self.held.parts.iter().enumerate();
            steps
                .flat_map(|(index, part)| {
                    let ends = [index, index + 1].map(|edge| edge as f64 / parts * length);
                    ends.map(|at| (at, value(part) as f64))
                })
                .collect()
        };
        let (least, most) = (curve(|part| part.least), curve(|part| part.most));
        let floor: Vec<(f64, f64)> = least.iter().map(|&(at, _)| (at, 0.0)).collect();
        area_between(canvas, panel, &floor, &least, line(ESTABLISHED, 0.0));
        area_between(canvas, panel, &least, &most, sheer(ESTABLISHED, 0.45, 0.0));
        outline(canvas, panel, &most, line(INK, 1.0));
    }
}

/// The time that is drawn: what was watched, with the peak in it.
fn window(record: &Imported, peak: Peak) -> (Micros, Micros) {
    let seen = &record.seen;
    let last = match seen.watched {
        // Held until the last port was free again.
        Watched::AtOnce(held) => seen.first.saturating_add(held.as_micros() as Micros),
        _ => seen.last,
    };
    (seen.first.min(peak.at), last.max(peak.at.saturating_add(1)))
}

fn keys(rows: &[Row<'_>]) -> Vec<LegendKey> {
    let mut keys = vec![LegendKey {
        text: "ports held, those in TIME-WAIT too".to_owned(),
        sign: Sign::Area(ESTABLISHED),
    }];
    if rows.iter().any(Row::is_band) {
        let sign = Sign::Band(sheer(ESTABLISHED, 0.45, 0.0), line(INK, 1.0));
        keys.push(LegendKey { text: "fewest to most within two pixels".to_owned(), sign });
    }
    if rows.iter().any(Row::shows_range) {
        let sign = Sign::Dashes(line(INK, 1.2), (6.0, 4.0));
        keys.push(LegendKey { text: "all that there are".to_owned(), sign });
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{Importer, Kind, Options};
    use crate::traffic::{Budget, Limits};

    /// `connections` at once at each of the times (in seconds), each for half a second.
    fn drawn(connections: usize, times: &[u32]) -> Option<Picture> {
        let mut text = "start,stop,source,destination,destination_port\n".to_owned();
        for at in times {
            let row = format!("{at}.0,{at}.5,10.0.0.1,192.0.2.1,443\n");
            text.push_str(&row.repeat(connections));
        }
        let options = Options {
            kind: Some(Kind::Csv),
            columns: Default::default(),
            state: None,
            only: Vec::new(),
            limits: Limits::of("linux", &[]).unwrap(),
            budget: Budget::default(),
        };
        let go_on = || false;
        let mut importer = Importer::new(&options, &go_on);
        importer.read(text.as_bytes()).unwrap();
        let record = importer.finish().unwrap();
        demand(&record, &Findings::new(&record, &["calls.csv".to_owned()]), "calls.csv")
    }

    #[test]
    fn demand_is_drawn_against_the_range_or_the_range_is_told() {
        let picture = drawn(3_000, &[1, 2, 600]).unwrap().svg;
        assert!(picture.contains("at most 6,000 of 28,232 ports (21 %)"), "{picture}");
        assert!(picture.contains("all that there are") && picture.contains("time since 1.00 s"));
        let picture = drawn(3, &[1, 2, 600]).unwrap().svg;
        assert!(picture.contains("the range is 4,705 times as high"), "{picture}");
        assert!(!picture.contains("all that there are"));
    }

    #[test]
    fn connections_of_one_moment_are_drawn_until_their_ports_are_free() {
        let picture = drawn(20, &[7]).unwrap().svg;
        assert!(picture.contains("20 of 28,232") && !picture.contains("NaN"), "{picture}");
    }
}
