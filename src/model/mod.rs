//! What the simulator knows of ports: ranges, pools, selection, holds, and the world they are in.

mod attempt;
mod bitmap;
mod buckets;
mod callers;
mod exhaustion;
mod gateway;
mod keep_alive;
mod left;
mod life;
mod limit;
pub mod nat;
mod numbering;
mod pools;
mod range;
mod rates;
mod retries;
mod selection;
mod server_waits;
mod settings;
mod sockets;
mod space;
mod tcp;
mod timer;
mod view;
mod world;

pub use attempt::{Attempt, Remote, Tuple};
pub use gateway::{Gateway, MOST_GATEWAYS, NatKey};
pub use keep_alive::{Counts, IdleCheck, KeepAlive, Notices, Overflow, ServerKeeps, Take};
pub use life::{Life, Mark, Timers, Will};
pub use limit::{
    ConnectionId, Fate, Followed, Holder, Limit, Marks, Refusal, Refused, Reshape, Step, Taken,
};
pub use pools::{PoolId, PoolPlan, most_connections, reachable_ports, shares_ports};
pub use range::{PortRange, PortSet};
pub use rates::{Place, Rates};
pub use retries::Retries;
pub use selection::{Choice, Sight, below, mix};
pub use settings::{Replications, RunSettings, Start};
pub use sockets::{SocketTicket, Sockets};
pub use space::PortSpace;
pub use tcp::{SearchCost, SocketOptions, SynTimeout, TcpSettings, TwReuse};
pub use timer::{Timer, TimerGrid, TimerWheel};
pub use world::{
    Arrivals, Binds, Change, Client, Destination, Distribution, Ending, EndpointPick, FixedPort,
    Host, ReuseKey, SelectionKind, Spacing, Squatter, SquatterAddress, Target, TraceAttempt, World,
};
