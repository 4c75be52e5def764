//! An observer that draws what each port did: the raster behind the `ports` chart.

use super::observe::{Observer, Opening, Openings, Release};
use crate::model::{Host, PoolPlan};
use crate::stats::{PortCell, PortMap};
use crate::units::{SimDuration, SimTime};

/// Collects port-time by state, cell by cell.
#[derive(Clone, Debug)]
pub struct PortMapper {
    plan: PoolPlan,
    map: PortMap,
    open: Openings,
    /// Port-nanoseconds of each cell, filled up to what the cell's shares are made of.
    established: Vec<f64>,
    time_wait: Vec<f64>,
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
        let mut map = PortMap {
            host: host.name.clone(),
            key,
            ports: host.ports,
            duration,
            columns,
            rows,
            cells: vec![PortCell::default(); columns * rows],
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
        let areas = vec![0.0; columns * rows];
        Self { plan, map, open: Openings::default(), established: areas.clone(), time_wait: areas }
    }

    /// The finished raster.
    #[must_use]
    pub fn map(mut self) -> PortMap {
        for opening in std::mem::take(&mut self.open).rest() {
            self.draw(&opening, opening.life.takeable);
        }
        let column_nanos = self.map.duration.as_nanos() as f64 / self.map.columns as f64;
        for row in 0..self.map.rows {
            let whole = (column_nanos * ports_of(&self.map, row) as f64) as f32;
            for index in row * self.map.columns..(row + 1) * self.map.columns {
                let cell = &mut self.map.cells[index];
                cell.established = self.established[index] as f32 / whole;
                cell.time_wait = self.time_wait[index] as f32 / whole;
            }
        }
        self.map
    }
}

impl PortMapper {
    fn draw(&mut self, opening: &Opening, release: SimTime) {
        let (row, close) = (row_of(&self.map, opening.port), opening.life.first_fin.min(release));
        spread(&self.map, &mut self.established, row, opening.at, close);
        spread(&self.map, &mut self.time_wait, row, close, release);
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
