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
    CLOSING, CONNECTING, ESTABLISHED, FREE, GREY, LOST, PLOT_LEFT, PLOT_RIGHT, SMALL, TIME_WAIT,
    line, mix,
};
use super::verdict::capital;
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
/// Height of the band of ports outside the range, and the gap above it.
const BAND: f64 = 14.0;
const GAP: f64 = 12.0;
/// The part of a colour that fades fast where nearly all is taken.
const FADES: f32 = 0.65;
/// The colours of [`PortCell::STATES`].
const COLOURS: [RGBColor; 4] = [CONNECTING, ESTABLISHED, CLOSING, TIME_WAIT];
/// A moment with less than this share of the ports free counts as full: cells are means over their
/// time, so a port that is taken again at once leaves a trace of being free.
const FULL: f64 = 0.001;

/// Time across, port number up: each port's state.
pub fn ports(scenario: &Scenario, map: &PortMap) -> Picture {
    let (cells, shade) = (Cells::of(map), Shade::of(&map.cells));
    let several = scenario.world.hosts.len() > 1;
    let finding = finding(map, &cells);
    let finding = if several { format!("{}: {finding}", map.host) } else { capital(&finding) };
    let facts = format!(
        " · {} · one replication of one machine · seed {}",
        map.key.replace("->", "→"),
        scenario.settings.seed
    );
    let heading = Heading::new(&finding, &scenario.title, &facts);
    let apart = if map.outside_cells.is_empty() { 0.0 } else { GAP + BAND };
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
    let (width, height) = (panel.right - panel.left, panel.bottom - panel.top);
    paint(panel.bottom + apart + BENEATH, &heading.finding(), |canvas| {
        heading.draw(canvas);
        panel.caption(canvas, &caption(shade));
        legend(canvas, &keys(map, shade), panel.top - 8.0);
        if cells.cells.is_empty() {
            panel.says(canvas, "no port was watched");
        } else {
            canvas.raster(cells.raster(shade), panel.left, panel.top, width, height);
        }
        port_numbers(canvas, &panel, map.ports);
        let mut axis = panel;
        if apart > 0.0 {
            let band = Cells::merged(&map.outside_cells, map.columns);
            let y = panel.bottom + GAP;
            canvas.raster(band.raster(Shade::PLAIN), panel.left, y, width, BAND);
            let at = (panel.left - 8.0, y + BAND / 2.0 + 0.36 * SMALL);
            canvas.text(&outside(map), at, Align::Right, plain(SMALL, GREY));
            axis.bottom = y + BAND;
        }
        let (unit, times) = time_ticks(map.duration.as_secs_f64());
        axis.x_axis(canvas, &times, &format!("time since the start ({unit})"));
    })
}

/// What is up the side, and what full colour stands for where that is not all of a cell.
fn caption(shade: Shade) -> String {
    match shade.full {
        full if full < 1.0 => format!("port; full colour: {} in use", percent(f64::from(full))),
        _ => "port".to_owned(),
    }
}

/// The ports outside the range: the only one by its number.
fn outside(map: &PortMap) -> String {
    match map.outside.ports() {
        [only] => only.to_string(),
        many => format!("{} others", count(many.len() as u64)),
    }
}

/// How strongly the colour of a state shows for the share of a cell that it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shade {
    /// The share that shows in full.
    full: f32,
    power: f32,
}

impl Shade {
    /// A share shows as much as it is.
    const PLAIN: Self = Self { full: 1.0, power: 1.0 };

    /// Of a map on which something is to be seen: where little is taken anywhere, the most taken cell shows
    /// in full; where nearly all is taken nearly always, colours fade fast where some is free.
    fn of(cells: &[PortCell]) -> Self {
        let mut taken: Vec<f32> =
            cells.iter().map(PortCell::taken).filter(|taken| *taken > 0.0).collect();
        taken.sort_by(f32::total_cmp);
        // The busiest cells of many are single ones.
        let of = |hundredth: usize| taken.get(taken.len() * hundredth / 100).copied();
        let (Some(few), Some(most)) = (of(10), of(98)) else { return Self::PLAIN };
        if most < 0.6 {
            return Self { full: most, power: 1.0 };
        }
        // A cell that is among the emptiest tenth loses two thirds of what fades.
        let power = (1.0_f32 / 3.0).ln() / few.clamp(0.02, 0.98).ln();
        Self { full: 1.0, power: power.clamp(1.0, 30.0) }
    }

    /// What fades is [`FADES`] of the colour; the rest tells filling from free.
    fn strength(self, share: f32) -> f32 {
        let share = (share / self.full).clamp(0.0, 1.0);
        (1.0 - FADES) * share + FADES * share.powf(self.power)
    }
}

/// The map's cells, merged to what can be told apart; row 0 has the lowest ports.
struct Cells {
    columns: usize,
    rows: usize,
    cells: Vec<PortCell>,
}

impl Cells {
    fn of(map: &PortMap) -> Self {
        Self::merged(&map.cells, map.columns)
    }

    /// Of `all`, row by row, `across` in each.
    fn merged(all: &[PortCell], across: usize) -> Self {
        let rows = all.len().checked_div(across).unwrap_or(0);
        let (wide, high) = (across.div_ceil(MOST_COLUMNS).max(1), rows.div_ceil(MOST_ROWS).max(1));
        let (columns, merged_rows) = (across.div_ceil(wide), rows.div_ceil(high));
        let mut cells = Vec::with_capacity(columns * merged_rows);
        for row in (0..rows).step_by(high) {
            for column in (0..across).step_by(wide) {
                let rows = row..(row + high).min(rows);
                let columns = column..(column + wide).min(across);
                let at = |row: usize, column: usize| all[row * across + column];
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
                free += f64::from(1.0 - cell.lost - cell.taken()).max(0.0);
            }
            if to_be_had > 0.0 { free / to_be_had } else { 0.0 }
        };
        (0..self.columns).map(share).collect()
    }

    /// The image: as many shades as fit into [`MOST_BYTES`].
    fn raster(&self, shade: Shade) -> Raster {
        let with_shades = |shades: f32| {
            let rows = (0..self.rows).rev();
            let from_top = rows.flat_map(|row| &self.cells[row * self.columns..][..self.columns]);
            let colours: Vec<RGBColor> = from_top.map(|cell| colour(cell, shade, shades)).collect();
            Raster::new(self.columns, &colours)
        };
        let fitting = [32.0, 16.0, 8.0, 4.0].into_iter().map(with_shades);
        fitting
            .into_iter()
            .find(|raster| raster.size() <= MOST_BYTES)
            .unwrap_or_else(|| with_shades(2.0))
    }
}

fn mean(cells: impl Iterator<Item = PortCell>) -> PortCell {
    let (mut sum, mut n) = (PortCell::default(), 0.0);
    let share = |value: f32| if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
    for cell in cells {
        sum.held.iter_mut().zip(cell.held).for_each(|(sum, held)| *sum += share(held));
        sum.lost += share(cell.lost);
        n += 1.0;
    }
    PortCell { held: sum.held.map(|held| held / n), lost: sum.lost / n }
}

/// The mixture of the states' colours by their shares, how strong it is rounded to one of `shades`.
fn colour(cell: &PortCell, shade: Shade, shades: f32) -> RGBColor {
    let rounded = |share: f32| f64::from((share * shades).round() / shades);
    let taken = cell.taken();
    let (mut held, mut so_far) = (FREE, 0.0);
    for (&share, colour) in cell.held.iter().zip(COLOURS).filter(|(share, _)| **share > 0.0) {
        so_far += share;
        held = mix(held, colour, rounded(share / so_far));
    }
    mix(mix(FREE, held, rounded(shade.strength(taken))), LOST, rounded(cell.lost))
}

/// What is there to be seen, and what full colour stands for where that is not all.
fn keys(map: &PortMap, shade: Shade) -> Vec<LegendKey> {
    let all = || map.cells.iter().chain(&map.outside_cells);
    let key = |text: String, sign: Sign| LegendKey { text, sign };
    let mut keys = Vec::new();
    if all().any(|cell| cell.taken() + cell.lost < 0.999) {
        keys.push(key("free".to_owned(), Sign::Area(FREE)));
    }
    for (state, (name, colour)) in PortCell::STATES.into_iter().zip(COLOURS).enumerate() {
        if all().any(|cell| cell.held[state] > 0.02 * cell.taken().max(shade.full / 10.0)) {
            keys.push(key(name.to_owned(), Sign::Blend(FREE, colour)));
        }
    }
    if all().any(|cell| cell.lost > 0.0) {
        keys.push(key("reserved or listened on".to_owned(), Sign::Area(LOST)));
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
    use crate::model::PortSet;
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
            outside: PortSet::default(),
            outside_cells: Vec::new(),
        }
    }

    /// Goal: the image keeps the SVG small whatever it shows. Method: noise, which no PNG shortens.
    #[test]
    fn a_map_of_noise_stays_below_300_kilobytes() {
        let noise = |index: usize| {
            let bits = (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let bits = (bits ^ bits >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let share = |shift: u32| (bits >> shift & 0xFF) as f32 / 512.0;
            PortCell { held: [0.0, share(0), 0.0, share(8)], lost: 0.0 }
        };
        let cells = Cells::of(&map(1_600, 800, noise));
        assert_eq!((cells.columns, cells.rows), (800, 400));
        let raster = cells.raster(Shade::PLAIN);
        assert!(raster.data_uri().len() < 290_000, "{}", raster.data_uri().len());
    }

    #[test]
    fn a_cell_takes_the_colour_of_what_held_it() {
        let colour =
            |held: [f32; 4], lost| super::colour(&PortCell { held, lost }, Shade::PLAIN, 32.0);
        assert_eq!(colour([0.0; 4], 0.0), FREE);
        for (state, only) in COLOURS.into_iter().enumerate() {
            let held = std::array::from_fn(|other| if other == state { 1.0 } else { 0.0 });
            assert_eq!(colour(held, 0.0), only);
        }
        assert_eq!(colour([0.0; 4], 1.0), LOST);
        assert_eq!(colour([0.0, 0.0, 0.0, 0.5], 0.0), mix(FREE, TIME_WAIT, 0.5));
    }

    #[test]
    fn little_taken_and_little_free_can_both_be_seen() {
        let strengths = |shares: &[f32]| {
            let cells: Vec<PortCell> = shares
                .iter()
                .map(|&share| PortCell { held: [0.0, 0.0, 0.0, share], lost: 0.0 })
                .collect();
            let shade = Shade::of(&cells);
            shares.iter().map(|&share| shade.strength(share)).collect::<Vec<f32>>()
        };
        let faint = strengths(&[0.01, 0.02, 0.04]);
        assert!(faint[0] > 0.2 && faint[2] == 1.0, "{faint:?}");
        let wall = strengths(&[0.9, 0.95, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert!(wall[0] < 0.6 && wall[1] < 0.8 && wall[2] == 1.0, "{wall:?}");
    }

    #[test]
    fn only_what_is_there_has_a_key() {
        let texts = |held: [f32; 4]| {
            let map = map(4, 4, move |_| PortCell { held, lost: 0.0 });
            keys(&map, Shade::of(&map.cells))
                .into_iter()
                .map(|key| key.text)
                .collect::<Vec<String>>()
        };
        assert_eq!(texts([1.0, 0.0, 0.0, 0.0]), ["connecting"]);
        assert_eq!(texts([0.0, 0.0, 0.7, 0.0]), ["free", "half-closed"]);
        assert_eq!(texts([0.0, 0.02, 0.0, 0.04]), ["free", "established", "TIME-WAIT"]);
    }

    #[test]
    fn the_title_says_when_no_port_is_left() {
        let half_time = |index: usize| PortCell {
            held: [0.0, 0.0, 0.0, if index % 10 < 5 { 0.25 } else { 1.0 }],
            ..PortCell::default()
        };
        let full = map(10, 4, half_time);
        let said = finding(&full, &Cells::of(&full));
        assert_eq!(said, "99.9 % of 16,384 ports taken at 30.0 s, 62 % on average");
        let quarter =
            map(10, 4, |_| PortCell { held: [0.0, 0.25, 0.0, 0.0], ..PortCell::default() });
        let said = finding(&quarter, &Cells::of(&quarter));
        assert_eq!(said, "at most 25 % of 16,384 ports taken in any 6.00 s");
    }
}
