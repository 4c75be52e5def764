//! Many replications of one world over rayon, merged in a fixed order.

use crate::model::{RunSettings, World};
use crate::stats::{Outcome, PortMap};

/// Watches a run from outside: is told of progress, and says when to stop.
pub trait Watch: Sync {
    /// `share` more of the whole run (0 to 1; all calls of a run with a fixed number of
    /// replications add up to 1) has been done. Called from any thread.
    fn advanced(&self, share: f64);

    /// True as soon as no further replication should begin; those begun are finished.
    fn stopped(&self) -> bool;
}

/// Watches nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn advanced(&self, _share: f64) {}

    fn stopped(&self) -> bool {
        false
    }
}

/// Runs all replications on the current rayon pool and merges them.
///
/// `None` when `watch` stopped it before the first replication was finished.
pub fn replicate(_world: &World, _settings: &RunSettings, _watch: &dyn Watch) -> Option<Outcome> {
    None
}

/// Runs the first replication of one machine of `world.hosts[host]` again and keeps what each port did.
///
/// The raster has at most `columns` x `rows` cells.
pub fn port_map(
    _world: &World,
    _settings: &RunSettings,
    _host: usize,
    _columns: usize,
    _rows: usize,
) -> PortMap {
    unimplemented!()
}
