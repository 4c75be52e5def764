//! What the simulator knows of ports: ranges, pools, selection, holds, and the world they are in.

mod hold;
mod range;
mod settings;
mod world;

pub use hold::{HoldTimer, TimerGrid};
pub use range::{PortRange, PortSet};
pub use settings::{Replications, RunSettings, Start};
pub use world::{
    Arrivals, Binds, Client, Destination, Distribution, Ending, EndpointPick, Host, ReuseKey,
    SelectionKind, Spacing, Target, World,
};
