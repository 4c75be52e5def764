//! What a person writes (a TOML file) turned into what the engine runs.
//!
//! ```text
//! text ─► syntax ─► tree ─► overrides ─► read (run, hosts, destinations, clients, expect) ─► Scenario
//!                     every key and value with its place            └─► Problems ─► render
//! ```
//!
//! Nothing stops at the first mistake: readers report into one `walk::Walk` and go on, so that a
//! person is told everything that is wrong at once. Reading never looks at the machine; the only
//! files opened are the scenario and those with samples and attempts that it names.

use crate::model::{RunSettings, World};

mod checks;
mod expect;
mod load;
mod overrides;
mod pasted;
mod port_text;
mod preset;
mod problem;
mod quantity;
mod read;
mod read_arrivals;
mod read_client;
mod read_destination;
mod read_distribution;
mod read_expect;
mod read_host;
mod read_ports;
mod read_run;
mod read_shares;
mod read_socket;
mod read_tcp;
mod read_trace;
mod render;
mod scan;
mod source;
mod stationary;
mod suggest;
mod syntax;
mod sysctl;
mod tagged;
#[cfg(test)]
mod tests;
mod trace_lines;
mod tree;
mod walk;

pub use expect::{Bound, Expectation, Scope};
pub use load::{load, parse};
pub use overrides::{NotAnOverride, Override};
pub use preset::{Preset, PresetValue, preset, presets};
pub use problem::{Place, Problem, Problems};
pub use quantity::span as duration;

/// One scenario, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file's name without its ending; results go to `results/NAME/`.
    pub name: String,
    /// One line that says what it is; the name where the file gives none.
    pub title: String,
    /// The question it answers, if the file says.
    pub asks: Option<String>,
    /// What is simulated.
    pub world: World,
    /// How it is run.
    pub settings: RunSettings,
    /// What must come out.
    pub expectations: Vec<Expectation>,
    /// What to think twice about before trusting the figures; [`Problems::render`] shows it.
    pub warnings: Problems,
}
