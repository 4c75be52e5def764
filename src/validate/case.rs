//! Experiments that both the model and a real kernel can make, and what they find.
//!
//! A [`Case`] is plain data, one JSON object: which experiment, with which settings, and (where it has
//! been made already) what a kernel did. Every experiment runs on one machine with a range of `n` ports
//! from `lo` on, over the loopback device, with sysctls that are all written out; so the same case means
//! the same to the model, to this machine's kernel and to a kernel that was measured a year ago.

use serde::{Deserialize, Serialize};

use super::attempt::{Attempt, ending};
use super::measured::Measured;
use super::workers::Workers;
use crate::model::Ending;

/// One experiment and, where it has been made, its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// `hold/connect/k3`: kind of experiment, then what sets this one apart.
    pub name: String,
    /// The machine and its sysctls.
    pub setup: Setup,
    /// What is done on it.
    pub experiment: Experiment,
    /// What a kernel did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// The release of the kernel that did it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kernel: String,
    /// What to know of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
}

/// The machine: its range and its sysctls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Lowest port of `net.ipv4.ip_local_port_range`.
    pub lo: u16,
    /// Ports in the range, at least 1.
    pub n: u32,
    /// `net.ipv4.tcp_tw_reuse`: 0, 1 or 2.
    #[serde(default)]
    pub tw_reuse: u8,
    /// `net.ipv4.tcp_tw_reuse_delay`, in milliseconds; the kernel's default where it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tw_reuse_delay: Option<u32>,
    /// `net.ipv4.tcp_max_tw_buckets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tw: Option<u32>,
    /// `net.ipv4.tcp_fin_timeout`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fin_timeout: Option<u32>,
    /// `net.ipv4.tcp_timestamps`: 0 or 1.
    #[serde(default = "one")]
    pub timestamps: u8,
    /// `net.ipv4.ip_local_reserved_ports`, as the sysctl is written.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reserved: String,
    /// `net.ipv4.ip_autobind_reuse`: 0 or 1.
    #[serde(default)]
    pub autobind_reuse: u8,
}

impl Setup {
    /// A range of `n` ports from `lo` on, nothing taken out of TIME-WAIT, and the kernel's defaults.
    #[must_use]
    pub const fn new(lo: u16, n: u32) -> Self {
        Self {
            lo,
            n,
            tw_reuse: 0,
            tw_reuse_delay: None,
            max_tw: None,
            fin_timeout: None,
            timestamps: 1,
            reserved: String::new(),
            autobind_reuse: 0,
        }
    }
}

const fn one() -> u8 {
    1
}

/// What is done on the machine. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Experiment {
    /// Opens connections and holds them, until the first one fails for each pair of source address and
    /// destination.
    Hold(Hold),
    /// Steps one after the other on one machine.
    Mix {
        /// How the destinations differ, and how many there are.
        to: Destinations,
        /// The steps.
        steps: Vec<Step>,
    },
    /// Something sits on ports of the range; then as [`Experiment::Hold`] for each destination.
    Squat(Squat),
    /// One explicit source port, used over and over towards one destination.
    Fixed {
        /// The port.
        port: u16,
        /// Connections tried, each closed before the next.
        cycles: u32,
        /// SO_REUSEADDR on each socket?
        reuse_address: bool,
        /// Who closes.
        #[serde(with = "ending")]
        close: Ending,
    },
    /// The client closes, the server never or late: how long is the client's port taken?
    FinWait2 {
        /// Time from the client's FIN to the server's; `None` for never.
        server_after: Option<f64>,
        /// Give up after so long.
        limit: f64,
    },
    /// Nobody answers: how long until ETIMEDOUT?
    SynSent {
        /// `net.ipv4.tcp_syn_retries`.
        syn_retries: u8,
        /// `net.ipv4.tcp_syn_linear_timeouts`.
        syn_linear: u8,
        /// Give up after so long.
        limit: f64,
    },
    /// As many connections as there are ports, closed one after the other, each one's port asked for
    /// again and again: how long was it taken?
    TwTime {
        /// Time from one close to the next.
        gap: f64,
        /// Who closes.
        #[serde(with = "ending")]
        close: Ending,
        /// Time from the client's FIN to the server's; 0 for at once.
        server_delay: f64,
        /// Ports are asked for from this age on.
        wait_from: f64,
        /// Give up at this age.
        wait_to: f64,
    },
    /// Which ports are taken, in which order?
    Order(Order),
    /// Attempts at given times, whatever becomes of the earlier ones.
    Churn(Churn),
    /// How long `connect()` takes, with so much of the range held towards the same destination.
    Cost {
        /// Shares of the range, in percent, rising.
        levels: Vec<f64>,
        /// Connections timed at each level, each aborted before the next.
        reps: u32,
    },
}

/// How destinations differ, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destinations {
    /// How many, at least 1.
    pub k: u32,
    /// By address instead of by port?
    #[serde(default)]
    pub by_address: bool,
}

/// How a socket comes by its port: the call, and the options set before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct How {
    /// The call.
    #[serde(default)]
    pub call: Call,
    /// SO_REUSEADDR.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reuse_address: bool,
    /// SO_REUSEPORT.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reuse_port: bool,
    /// IP_LOCAL_PORT_RANGE, both ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_range: Option<(u16, u16)>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The call that chooses the port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// `connect()`.
    #[default]
    Connect,
    /// `bind()` to the source address and port 0.
    Bind,
    /// The same with IP_BIND_ADDRESS_NO_PORT.
    BindNoPort,
}

/// [`Experiment::Hold`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// How each socket comes by its port.
    pub how: How,
    /// The destinations.
    pub to: Destinations,
    /// Source addresses 127.0.0.1, 127.0.0.2 ...: every pair of one and a destination is filled.
    pub sources: u32,
    /// All pairs in turn, one connection each, instead of one pair after the other?
    #[serde(default)]
    pub round_robin: bool,
}

/// One step of [`Experiment::Mix`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// Aborts (SO_LINGER 0) all that step number `release` holds.
    Release {
        /// Number of that step, from 0.
        release: usize,
    },
    /// Opens connections.
    Open {
        /// How each socket comes by its port.
        how: How,
        /// Number of the destination, from 0.
        dst: u32,
        /// So many; until the first failure where it does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
        /// Closes each at once; holds them where it does not say.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "ending")]
        close: Option<Ending>,
        /// Number of the source address, from 1: 127.0.0.1 and so on.
        #[serde(default = "first_address")]
        source: u32,
        /// Time to wait before the step.
        #[serde(default)]
        wait: f64,
    },
}

const fn first_address() -> u32 {
    1
}

/// [`Experiment::Squat`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Squat {
    /// How each socket comes by its port.
    pub how: How,
    /// The destinations.
    pub to: Destinations,
    /// What sits on ports of the range.
    pub squatter: SquatterKind,
    /// How many ports it sits on.
    pub count: u32,
}

/// What sits on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SquatterKind {
    /// A listener on 0.0.0.0.
    ListenAny,
    /// A listener on the clients' own address.
    ListenSource,
    /// A listener on another local address.
    ListenOther,
    /// The same with SO_REUSEADDR.
    ListenReuseAddressOther,
    /// A listener on the IPv6 wildcard address.
    ListenV6Any,
    /// A bound, idle socket on another local address.
    BoundOther,
    /// A connection that a listener, closed since, had accepted on the port.
    AcceptedChild,
    /// A connection to elsewhere whose client bound the port, closed by it: in TIME-WAIT.
    BoundConnectTimeWait,
    /// The same, aborted: nothing is left of it.
    BoundConnectReset,
    /// A UDP socket on 0.0.0.0.
    Udp,
}

/// [`Experiment::Order`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// How each socket comes by its port.
    pub how: How,
    /// The destinations, in turn.
    pub to: Destinations,
    /// Connections to each; until the first failure where it does not say.
    pub count: Option<u32>,
    /// Time from one to the next.
    #[serde(default)]
    pub gap: f64,
    /// Aborts each at once instead of holding it?
    #[serde(default)]
    pub abort: bool,
}

/// [`Experiment::Churn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Churn {
    /// How the sockets of an attempt come by their port that says nothing else.
    pub how: How,
    /// How others do: [`Attempt::how`] counts from 1 through these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<How>,
    /// The destinations.
    pub to: Destinations,
    /// Source addresses, in turn.
    pub sources: u32,
    /// What sits on ports meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sitting: Vec<(SquatterKind, u16)>,
    /// The attempts; empty in a data file, which names them by `trace`.
    #[serde(skip)]
    pub attempts: Vec<Attempt>,
    /// Who makes the attempts instead, where what becomes of them decides which come next.
    #[serde(skip)]
    pub workers: Option<Box<Workers>>,
    /// The CSV file of the attempts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace: String,
}

impl Churn {
    /// How the socket of `attempt` comes by its port.
    #[must_use]
    pub fn how_of(&self, attempt: &Attempt) -> &How {
        match usize::from(attempt.how).checked_sub(1) {
            None => &self.how,
            Some(other) => &self.others[other],
        }
    }
}
