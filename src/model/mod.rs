//! What the simulator knows of ports: ranges, pools, selection, holds, and the world they are in.

mod bitmap;
mod buckets;
mod closing;
mod hold;
mod pools;
mod range;
mod selection;
mod settings;
mod sockets;
mod space;
mod tcp;
mod world;

pub use closing::Closing;
pub use hold::{HoldTimer, TimerGrid, TimerWheel};
pub use pools::{PoolId, PoolPlan, most_connections, reachable_ports, shares_ports};
pub use range::{PortRange, PortSet};
pub use selection::{Choice, below, mix};
pub use settings::{Replications, RunSettings, Start};
pub use sockets::{Got, Refusal, ServerWait, SocketId, Sockets, Wanted};
pub use space::PortSpace;
pub use tcp::{SearchCost, SocketOptions, SynTimeout, TcpSettings, TwReuse};
pub use world::{
    Arrivals, Binds, Client, Destination, Distribution, Ending, EndpointPick, Host, ReuseKey,
    SelectionKind, Spacing, Squatter, SquatterAddress, Target, TraceAttempt, World,
};
