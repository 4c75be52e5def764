//! An observer that draws what each port did: the raster behind the `ports` chart.

use super::observe::{Observer, Opening, Openings, Release};
use crate::model::{Host, PoolPlan, PortSet};
use crate::stats::{PortCell, PortMap};
use crate::units::{SimDuration, SimTime};

/// Collects port-time by state, cell by cell.
#[derive(Clone, Debug)]
pub struct PortMapper {
    plan: PoolPlan,
    map: PortMap,
    open: Openings,
    /// Port-nanoseconds of each cell by state, filled up to what the cell's shares are made of; behind the
    /// rows of the range one of the ports outside it.
    areas: [Vec<f64>; PortCell::STATES.len()],
}

impl PortMapper {
    /// A raster of at most `columns` x `rows` cells over one machine of `host`, whose first pool
    /// `key` describes.
    #[must_use]
    pub fn new(
        host: &Host,
        plan: PoolPlan,
        key: String,
        duration: SimDuration,
        columns: usize,
        rows: usize,
    ) -> Self {
        let rows = rows.clamp(1, host.ports.num_ephemeral() as usize);
        let columns = columns.max(1);
        let asked_for = host.clients.iter().flat_map(|client| client.socket.source_ports.ports());
        let outside: PortSet =
            asked_for.copied().filter(|&port| !host.ports.contains(port)).collect();
        let beside = if outside.ports().is_empty() { 0 } else { columns };
        let mut map = PortMap {
            host: host.name.clone(),
            key,
            ports: host.ports,
            duration,
            columns,
            rows,
            cells: vec![PortCell::default(); columns * rows],
            outside,
            outside_cells: vec![PortCell::default(); beside],
        };
        let mut lost = vec![0_u32; rows];
        let mut unusable: Vec<u16> = host.unusable().collect();
        unusable.sort_unstable();
        unusable.dedup();
        for port in unusable {
            lost[row_of(&map, port)] += 1;
        }
        for (row, &count) in lost.iter().enumerate() {
            let share = count as f32 / ports_of(&map, row) as f32;
            map.cells[row * columns..][..columns].iter_mut().for_each(|cell| cell.lost = share);
        }
        let areas = std::array::from_fn(|_| vec![0.0; columns * rows + beside]);
        Self { plan, map, open: Openings::default(), areas }
    }

    /// The finished raster.
    #[must_use]
    pub fn map(mut self) -> PortMap {
        for opening in std::mem::take(&mut self.open).rest() {
            self.draw(&opening, opening.life.takeable);
        }
        let (rows, columns) = (self.map.rows, self.map.columns);
        let column_nanos = self.map.duration.as_nanos() as f64 / columns as f64;
        for row in 0..rows {
            let whole = column_nanos * ports_of(&self.map, row) as f64;
            self.fill(row * columns, whole, |map| &mut map.cells[row * columns..][..columns]);
        }
        let whole = column_nanos * self.map.outside.ports().len() as f64;
        self.fill(rows * columns, whole, |map| &mut map.outside_cells);
        self.map
    }

    /// Makes shares of `whole` of what was collected from place `first` on.
    fn fill(&mut self, first: usize, whole: f64, cells: impl Fn(&mut PortMap) -> &mut [PortCell]) {
        for (place, cell) in cells(&mut self.map).iter_mut().enumerate() {
            cell.held =
                std::array::from_fn(|state| (self.areas[state][first + place] / whole) as f32);
        }
    }

    fn draw(&mut self, opening: &Opening, release: SimTime) {
        let row = match self.map.ports.contains(opening.port) {
            true => row_of(&self.map, opening.port),
            false => self.map.rows,
        };
        let life = &opening.life;
        let mut from = opening.at;
        for (areas, to) in
            self.areas.iter_mut().zip([life.answered, life.first_fin, life.second_fin, release])
        {
            let to = to.min(release).max(from);
            spread(&self.map, areas, row, from, to);
            from = to;
        }
    }
}

impl Observer for PortMapper {
    fn opened(&mut self, opening: &Opening) {
        if self.plan.takes_from_first(opening.pool) {
            self.open.keep(opening);
        }
    }

    fn released(&mut self, release: &Release) {
        if self.plan.takes_from_first(release.pool) {
            let opening = self.open.take(release);
            self.draw(&opening, release.at);
        }
    }

    fn kept(&mut self, release: &Release) {
        self.released(release);
    }
}

/// The row that `port` lies in.
fn row_of(map: &PortMap, port: u16) -> usize {
    let offset = usize::from(port - map.ports.min_ephemeral());
    offset * map.rows / map.ports.num_ephemeral() as usize
}

/// Ports in a row.
fn ports_of(map: &PortMap, row: usize) -> usize {
    let n = map.ports.num_ephemeral() as usize;
    ((row + 1) * n).div_ceil(map.rows) - (row * n).div_ceil(map.rows)
}

/// Adds the time from `from` to `to` to the cells of `row` that it crosses.
fn spread(map: &PortMap, areas: &mut [f64], row: usize, from: SimTime, to: SimTime) {
    let column_nanos = map.duration.as_nanos() as f64 / map.columns as f64;
    let end = map.duration.as_nanos() as f64;
    let (from, to) = ((from.as_nanos() as f64).min(end), (to.as_nanos() as f64).min(end));
    if from >= to {
        return;
    }
    let first = ((from / column_nanos) as usize).min(map.columns - 1);
    let last = ((to / column_nanos) as usize).min(map.columns - 1);
    for column in first..=last {
        let start = column as f64 * column_nanos;
        let covered = to.min(start + column_nanos) - from.max(start);
        areas[row * map.columns + column] += covered.max(0.0);
    }
}
