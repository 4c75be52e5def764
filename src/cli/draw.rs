//! The charts of finished runs, into their folders.

use portsim::chart::{self, Picture};
use portsim::replicate;
use portsim::report::file::WriteError;
use portsim::scenario::Scenario;
use portsim::search;
use portsim::stats::{LimitFigures, Outcome};
use rayon::prelude::*;

use super::args::{Chart, RunArgs};
use super::host_files;
use super::interrupt;
use super::output::Folder;

/// Cells of the raster of ports against time: one a pixel of a chart would be no clearer.
const PORT_COLUMNS: usize = 600;
const PORT_ROWS: usize = 256;

/// Of more hosts than these only the tightest is drawn: nobody would look at them all.
const MOST_HOSTS: usize = 8;

/// Draws the charts of one scenario that `args` ask for: `ports`, `reuse` and `search` of the tightest host,
/// `pressure` of the only one or of all side by side; and where there are several, `pressure-HOST` and
/// `ports-HOST` of each.
///
/// # Errors
/// A chart that could not be written.
pub fn charts(
    args: &RunArgs,
    scenario: &Scenario,
    outcome: &Outcome,
    folder: &mut Folder,
) -> Result<(), WriteError> {
    let Some(tightest) = outcome.tightest() else { return Ok(()) };
    let each = (2..=MOST_HOSTS).contains(&outcome.limits.len());
    let drawn = |limit: &&LimitFigures| each || limit.name == tightest.name;
    let limits: Vec<&LimitFigures> = outcome.limits.iter().filter(drawn).collect();
    let draw = |&limit: &&LimitFigures| HostCharts::draw(args, scenario, outcome, limit);
    let charts: Vec<HostCharts> = limits.par_iter().map(draw).collect();
    for (limit, charts) in
        limits.iter().zip(&charts).filter(|(limit, _)| limit.name == tightest.name)
    {
        // Of several hosts, `pressure` has all side by side.
        charts.write("", !each, folder)?;
        if each && args.draws(Chart::Pressure) {
            folder.write_picture("pressure", &chart::hosts(scenario, outcome))?;
        }
        if args.draws(Chart::Requests)
            && let Some(picture) = chart::requests(scenario, outcome)
        {
            folder.write_picture("requests", &picture)?;
        }
        if args.draws(Chart::Reuse) {
            folder.write_picture("reuse", &chart::reuse(scenario, outcome, limit))?;
        }
        if args.draws(Chart::Search) {
            let host = scenario.world.hosts.iter().find(|host| host.name == limit.name);
            let curves = host.map(search::curves).unwrap_or_default();
            let picture = chart::search(scenario, outcome, limit, &curves);
            folder.write_picture("search", &picture)?;
        }
    }
    let names = host_files::names(limits.iter().map(|limit| limit.name.as_str()));
    for (name, charts) in names.iter().zip(&charts).filter(|_| each) {
        charts.write(&format!("-{name}"), true, folder)?;
    }
    Ok(())
}

/// What is drawn of every host.
struct HostCharts {
    pressure: Option<Picture>,
    ports: Option<Picture>,
}

impl HostCharts {
    fn draw(args: &RunArgs, scenario: &Scenario, outcome: &Outcome, limit: &LimitFigures) -> Self {
        let pressure = args.draws(Chart::Pressure);
        let pressure = pressure.then(|| chart::pressure(scenario, outcome, limit));
        let Scenario { world, settings, .. } = scenario;
        let host = world.hosts.iter().position(|host| host.name == limit.name);
        // Ports against time take another simulation; whoever has interrupted will not wait for it.
        let wanted = args.draws(Chart::Ports) && !interrupt::stopped();
        let ports = host.filter(|_| wanted).map(|host| {
            let map = replicate::port_map(world, settings, host, PORT_COLUMNS, PORT_ROWS);
            chart::ports(scenario, &map)
        });
        Self { pressure, ports }
    }

    fn write(&self, suffix: &str, pressure: bool, folder: &mut Folder) -> Result<(), WriteError> {
        let pressure = self.pressure.as_ref().filter(|_| pressure);
        for (name, picture) in [("pressure", pressure), ("ports", self.ports.as_ref())] {
            if let Some(picture) = picture {
                folder.write_picture(&format!("{name}{suffix}"), picture)?;
            }
        }
        Ok(())
    }
}
