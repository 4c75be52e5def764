//! The charts of finished runs, into their folders.

use portsim::chart;
use portsim::replicate;
use portsim::report::file::WriteError;
use portsim::report::verdict;
use portsim::scenario::Scenario;
use portsim::stats::Outcome;

use super::interrupt;
use super::output::Folder;

/// Cells of the raster of ports against time: one a pixel of a chart would be no clearer.
const PORT_COLUMNS: usize = 600;
const PORT_ROWS: usize = 256;

/// Draws the charts of one scenario.
///
/// # Errors
/// A chart that could not be written.
pub fn charts(
    scenario: &Scenario,
    outcome: &Outcome,
    folder: &mut Folder,
) -> Result<(), WriteError> {
    folder.write_picture("pressure", &chart::pressure(scenario, outcome))?;
    folder.write_picture("reuse", &chart::reuse(scenario, outcome))?;
    // Ports against time take another simulation; whoever has interrupted will not wait for it.
    if interrupt::stopped() {
        return Ok(());
    }
    let tightest = verdict::tightest(outcome).map(|limit| limit.name.as_str());
    let hosts = &scenario.world.hosts;
    if let Some(host) = hosts.iter().position(|host| Some(host.name.as_str()) == tightest) {
        let Scenario { world, settings, .. } = scenario;
        let map = replicate::port_map(world, settings, host, PORT_COLUMNS, PORT_ROWS);
        folder.write_picture("ports", &chart::ports(scenario, &map))?;
    }
    Ok(())
}
