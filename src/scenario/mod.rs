//! What a person writes (a TOML file) turned into what the engine runs.
//!
//! ```text
//! text ─► text::syntax ─► tree ─► overrides ─► read (run, hosts, destinations, clients, expect) ─► Scenario
//!                         every key and value with its place           └─► Problems ─► text::render
//! ```
//!
//! What keys there are, and what each may be, is said once, in `keys`: the readers, `schema` and `settable` walk
//! its rows. A new key is a row there and its use in `read`.
//!
//! Nothing stops at the first mistake: readers report into one `walk::Walk` and go on, so that a
//! person is told everything that is wrong at once. Reading never looks at the machine; the only
//! files opened are the scenario and those with samples and attempts that it names.

use crate::model::{RunSettings, World};

mod by_hand;
mod expect;
mod keys;
mod load;
mod overrides;
mod preset;
mod read;
#[cfg(feature = "report")]
mod schema;
mod settable;
#[cfg(test)]
mod tests;
mod text;
mod written;

pub use expect::{Bound, Expectation, Scope};
pub use load::{load, parse};
pub use overrides::{NotAnOverride, Override};
pub use preset::{
    Preset, PresetValue, gateway_preset, gateway_presets, pool_preset, pool_presets, preset,
    presets,
};
#[cfg(feature = "report")]
pub use schema::schema;
pub use settable::settable;
pub use text::problem::{Place, Problem, Problems};
pub use text::quantity::span as duration;
pub(crate) use written::Text;

/// One scenario, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file's name without its ending; results go to `results/NAME/`.
    pub name: String,
    /// One line that says what it is; the name where the file gives none.
    pub title: String,
    /// The question it answers, if the file says.
    pub asks: Option<String>,
    /// Of an incident that really happened, what was reported.
    pub reported: Option<String>,
    /// What would have prevented such an incident.
    pub prevented: Option<String>,
    /// Where that was reported.
    pub source: Option<String>,
    /// What is simulated.
    pub world: World,
    /// How it is run.
    pub settings: RunSettings,
    /// What must come out.
    pub expectations: Vec<Expectation>,
    /// What to think twice about before trusting the figures; [`Problems::render`] shows it.
    pub warnings: Problems,
    pub(crate) text: Text,
}
