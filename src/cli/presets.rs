//! `portsim presets`: what is built in, each value with its source.

use super::Status;
use super::args::PresetsArgs;

/// Lists all presets, or shows one.
pub fn presets(_args: &PresetsArgs) -> Status {
    unimplemented!("until presets land")
}
