//! Which ports are in which state when: the order in which they are chosen, made visible.
//!
//! Every cell of the map becomes one cell of an image, coloured by what held it for how much of
//! its time; selection order, parity and the waves of TIME-WAIT show as slopes, stripes and teeth.

use plotters::style::RGBColor;

use super::Picture;
use super::axis::{Panel, Scale, round_values, time_ticks};
use super::canvas::{Align, Canvas, paint, plain};
use super::frame::{Heading, LegendKey, Sign, legend};
use super::raster::Raster;
use super::style::{
    ESTABLISHED, FREE, GREY, LOST, PLOT_LEFT, PLOT_RIGHT, SMALL, TIME_WAIT, line, mix, strength,
};
use crate::model::PortRange;
use crate::numbers::{count, percent, plural, span};
use crate::scenario::Scenario;
use crate::stats::{PortCell, PortMap};

/// Height of the map in nominal pixels, and of what lies beneath it.
const HEIGHT: f64 = 400.0;
const BENEATH: f64 = 52.0;
/// More cells than nominal pixels cannot be told apart.
const MOST_COLUMNS: usize = (PLOT_RIGHT - PLOT_LEFT) as usize;
const MOST_ROWS: usize = HEIGHT as usize;
/// Longest image, in bytes: a third more as base 64, and the SVG stays below 300 kB.
const MOST_BYTES: usize = 200_000;
/// A moment with less than this share of the ports free counts as full: cells are means over their
/// time, so a port that is taken again at once leaves a trace of being free.
const FULL: f64 = 0.001;

/// Time across, port number up: each port's state.
pub fn ports(scenario: &Scenario, map: &PortMap) -> Picture {
    let cells = Cells::of(map);
    let several = scenario.world.hosts.len() > 1;
    let host = if several { format!(", {}", map.host) } else { String::new() };
    let finding = format!("{}{host}: {}", scenario.name, finding(map, &cells));
    let facts = format!(
        " · {}, {} · one replication · seed {}",
        map.host,
        map.key.replace("->", "→"),
        scenario.settings.seed
    );
    let heading = Heading::new(&finding, &scenario.title, &facts);
    let top = heading.height() + 34.0;
    let (lowest, highest) = (map.ports.min_ephemeral(), map.ports.max_ephemeral());
    let panel = Panel {
        left: PLOT_LEFT,
        right: PLOT_RIGHT,
        top,
        bottom: top + HEIGHT,
        x: Scale::Linear(0.0, map.duration.as_secs_f64().max(1e-9)),
        // Each port is as high as all others: the axis ends above the last one.
        y: Scale::Linear(f64::from(lowest), f64::from(highest) + 1.0),
    };
    paint(panel.bottom + BENEATH, &heading.finding(), |canvas| {
        heading.draw(canvas);
        panel.caption(canvas, "port");
        legend(canvas, &keys(&cells), panel.top - 8.0);
        if cells.cells.is_empty() {
            panel.says(canvas, "no port was watched");
        } else {
            let (width, height) = (panel.right - panel.left, panel.bottom - panel.top);
            canvas.raster(cells.raster(), panel.left, panel.top, width, height);
        }
        port_numbers(canvas, &panel, map.ports);
        let (unit, times) = time_ticks(map.duration.as_secs_f64());
        panel.x_axis(canvas, &times, &format!("time since the start ({unit})"));
    })
}

/// The map's cells, merged to what can be told apart; row 0 has the lowest ports.
struct Cells {
    columns: usize,
    rows: usize,
    cells: Vec<PortCell>,
}

impl Cells {
    fn of(map: &PortMap) -> Self {
        let rows = map.cells.len().checked_div(map.columns).unwrap_or(0);
        let (wide, high) =
            (map.columns.div_ceil(MOST_COLUMNS).max(1), rows.div_ceil(MOST_ROWS).max(1));
        let (columns, merged_rows) = (map.columns.div_ceil(wide), rows.div_ceil(high));
        let mut cells = Vec::with_capacity(columns * merged_rows);
        for row in (0..rows).step_by(high) {
            for column in (0..map.columns).step_by(wide) {
                let rows = row..(row + high).min(rows);
                let columns = column..(column + wide).min(map.columns);
                let at = |row: usize, column: usize| map.cells[row * map.columns + column];
                cells.push(mean(rows.flat_map(|row| columns.clone().map(move |c| at(row, c)))));
            }
        }
        Self { columns, rows: if columns == 0 { 0 } else { merged_rows }, cells }
    }

    /// Share of the ports that can be had and are free, for each moment.
    fn free_by_column(&self) -> Vec<f64> {
        let share = |column: usize| {
            let (mut free, mut to_be_had) = (0.0, 0.0);
            for row in 0..self.rows {
                let cell = self.cells[row * self.columns + column];
                to_be_had += f64::from(1.0 - cell.lost);
                free += f64::from(1.0 - cell.lost - cell.established - cell.time_wait).max(0.0);
            }
            if to_be_had > 0.0 { free / to_be_had } else { 0.0 }
        };
        (0..self.columns).map(share).collect()
    }

    /// The image: as many shades as fit into [`MOST_BYTES`].
    fn raster(&self) -> Raster {
        let with_shades = |shades: f32| {
            let rows = (0..self.rows).rev();
            let from_top = rows.flat_map(|row| &self.cells[row * self.columns..][..self.columns]);
            let colours: Vec<RGBColor> = from_top.map(|cell| colour(cell, shades)).collect();
            Raster::new(self.columns, &colours)
        };
        let fitting = [32.0, 16.0, 8.0].into_iter().map(with_shades);
        fitting
            .into_iter()
            .find(|raster| raster.size() <= MOST_BYTES)
            .unwrap_or_else(|| with_shades(4.0))
    }
}

fn mean(cells: impl Iterator<Item = PortCell>) -> PortCell {
    let (mut sum, mut n) = (PortCell::default(), 0.0);
    let share = |value: f32| if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
    for cell in cells {
        sum.established += share(cell.established);
        sum.time_wait += share(cell.time_wait);
        sum.lost += share(cell.lost);
        n += 1.0;
    }
    PortCell { established: sum.established / n, time_wait: sum.time_wait / n, lost: sum.lost / n }
}

/// The mixture of the states' colours by their shares, each rounded to one of `shades`.
fn colour(cell: &PortCell, shades: f32) -> RGBColor {
    let rounded = |share: f32| f64::from((share * shades).round() / shades);
    let (established, time_wait, lost) =
        (rounded(cell.established), rounded(cell.time_wait), rounded(cell.lost));
    let taken = established + time_wait;
    let held = if taken > 0.0 { mix(TIME_WAIT, ESTABLISHED, established / taken) } else { FREE };
    mix(mix(FREE, held, strength(taken.min(1.0))), LOST, lost)
}

fn keys(cells: &Cells) -> Vec<LegendKey> {
    let key = |text: &str, sign: Sign| LegendKey { text: text.to_owned(), sign };
    let mut keys = vec![
        key("free", Sign::Area(FREE)),
        key("established", Sign::Blend(FREE, ESTABLISHED)),
        key("TIME-WAIT", Sign::Blend(FREE, TIME_WAIT)),
    ];
    if cells.cells.iter().any(|cell| cell.lost > 0.0) {
        keys.push(key("reserved or listened on", Sign::Area(LOST)));
    }
    keys
}

/// Numbers beside the map: both ends of the range and round ones between.
fn port_numbers(canvas: &mut Canvas<'_>, panel: &Panel, range: PortRange) {
    let (lowest, highest) = (range.min_ephemeral(), range.max_ephemeral());
    let ends = [lowest, highest].map(f64::from);
    let row = (panel.bottom - panel.top) / f64::from(range.num_ephemeral());
    // A number stands beside the middle of its port.
    let y_of = |port: f64| panel.y_of(port) - row / 2.0;
    let clear = |port: &f64| ends.iter().all(|&end| (y_of(end) - y_of(*port)).abs() > 18.0);
    let between = round_values(ends[0], ends[1], 8).into_iter();
    let between = between.filter(|port| port.fract() == 0.0 && clear(port));
    let ends = if lowest == highest { &ends[..1] } else { &ends[..] };
    for port in between.chain(ends.iter().copied()) {
        let y = y_of(port);
        canvas.path(&[(panel.left - 4.0, y), (panel.left, y)], line(GREY, 1.0));
        let at = (panel.left - 8.0, y + 0.36 * SMALL);
        canvas.text(&format!("{port:.0}"), at, Align::Right, plain(SMALL, GREY));
    }
}

/// When none is left and what holds them; or how many are taken at most.
fn finding(map: &PortMap, cells: &Cells) -> String {
    let free = cells.free_by_column();
    let lost = cells.cells.iter().map(|cell| f64::from(cell.lost)).sum::<f64>();
    let to_be_had = 1.0 - lost / (cells.cells.len().max(1) as f64);
    let usable = (f64::from(map.ports.num_ephemeral()) * to_be_had).round();
    if free.is_empty() {
        return "nothing was watched".to_owned();
    }
    if usable < 1.0 {
        return format!("not one of {} can be had", ports_of(map));
    }
    // Of few ports the one that is missing is always more than that share.
    let all_but = FULL.max(0.5 / usable);
    let [one, many] = if lost > 0.0 { ["usable port", "usable ports"] } else { ["port", "ports"] };
    let (ports, few) = (plural(usable as u64, one, many), usable * FULL < 0.5);
    match free.iter().position(|&share| share < all_but) {
        Some(column) => {
            let moments = free.len() as f64;
            let at = span(map.duration.as_secs_f64() * column as f64 / moments);
            // How long none was left, the cells cannot tell: it comes and goes within one.
            let mean = percent(1.0 - free.iter().sum::<f64>() / moments);
            let taken = if few { "all" } else { "99.9 %" };
            format!("{taken} of {ports} taken at {at}, {mean} on average")
        }
        None => {
            let most = 1.0 - free.iter().copied().fold(1.0, f64::min);
            // A cell is a mean, so all may have been taken for less than its time.
            let length = map.duration.as_secs_f64() / free.len() as f64;
            let length = span(length);
            format!("at most {} of {ports} taken in any {length}", percent(most))
        }
    }
}

fn ports_of(map: &PortMap) -> String {
    format!("{} ports", count(u64::from(map.ports.num_ephemeral())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SimDuration;

    fn map(columns: usize, rows: usize, cell: impl Fn(usize) -> PortCell) -> PortMap {
        PortMap {
            host: "host".to_owned(),
            key: "a -> b".to_owned(),
            ports: PortRange::IANA_DYNAMIC,
            duration: SimDuration::from_secs(60),
            columns,
            rows,
            cells: (0..columns * rows).map(cell).collect(),
        }
    }

    /// Goal: the image keeps the SVG small whatever it shows. Method: noise, which no PNG shortens.
    #[test]
    fn a_map_of_noise_stays_below_300_kilobytes() {
        let noise = |index: usize| {
            let bits = (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let bits = (bits ^ bits >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let share = |shift: u32| (bits >> shift & 0xFF) as f32 / 512.0;
            PortCell { established: share(0), time_wait: share(8), lost: 0.0 }
        };
        let cells = Cells::of(&map(1_600, 800, noise));
        assert_eq!((cells.columns, cells.rows), (800, 400));
        let raster = cells.raster();
        assert!(raster.data_uri().len() < 290_000, "{}", raster.data_uri().len());
    }

    #[test]
    fn a_cell_takes_the_colour_of_what_held_it() {
        let cell = |established, time_wait, lost| PortCell { established, time_wait, lost };
        let colour = |cell: PortCell| super::colour(&cell, 32.0);
        assert_eq!(colour(cell(0.0, 0.0, 0.0)), FREE);
        assert_eq!(colour(cell(1.0, 0.0, 0.0)), ESTABLISHED);
        assert_eq!(colour(cell(0.0, 1.0, 0.0)), TIME_WAIT);
        assert_eq!(colour(cell(0.0, 0.0, 1.0)), LOST);
        assert_eq!(colour(cell(0.0, 0.5, 0.0)), mix(FREE, TIME_WAIT, 0.25));
    }

    #[test]
    fn the_title_says_when_no_port_is_left() {
        let half_time = |index: usize| PortCell {
            time_wait: if index % 10 < 5 { 0.25 } else { 1.0 },
            ..PortCell::default()
        };
        let full = map(10, 4, half_time);
        let said = finding(&full, &Cells::of(&full));
        assert_eq!(said, "99.9 % of 16,384 ports taken at 30.0 s, 62 % on average");
        let quarter = map(10, 4, |_| PortCell { established: 0.25, ..PortCell::default() });
        let said = finding(&quarter, &Cells::of(&quarter));
        assert_eq!(said, "at most 25 % of 16,384 ports taken in any 6.00 s");
    }
}
