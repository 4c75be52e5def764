//! How the clients of a machine ask for ports, worked out once.

use super::buckets::{Buckets, Class};
use super::numbering::PortNumbers;
use super::selection::Part;
use super::world::{Binds, Host};

/// How one client asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// Number of the client on its host.
    pub client: u16,
    /// The call that chooses the port.
    pub binds: Binds,
    /// What its options make of it among the users of a port.
    pub class: Class,
    /// The part of the range that it keeps to (IP_LOCAL_PORT_RANGE), if it does.
    pub part: Option<Part>,
    /// Does `bind()` search the range by halves (SO_REUSEADDR on Linux)?
    pub by_halves: bool,
    /// May `bind()` to port 0 take a port that sockets with SO_REUSEADDR use (`ip_autobind_reuse`)?
    pub relaxes: bool,
    /// The bits of the ports that it brings, in turn ([`Binds::Port`]).
    ports: Vec<u32>,
    /// How many of those it has asked for.
    asked: usize,
    /// By bit: may that port be chosen for it at all?
    pub reaches: Vec<bool>,
}

impl Caller {
    /// How client number `client` of `host` asks, whose range lies within `numbers`.
    #[must_use]
    pub fn new(host: &Host, client: u16, numbers: &PortNumbers) -> Self {
        let number = client;
        let client = &host.clients[usize::from(number)];
        let options = &client.socket;
        let part = options.port_range.map(|part| {
            let part = host.ports.narrowed_to(part);
            numbers.part(part)
        });
        let explicit = options.source_ports.ports().iter();
        let ports = explicit.map(|&port| numbers.find(port).expect("explicit ports have numbers"));
        let by_halves = host.is_linux() && client.binds == Binds::Bind && options.reuse_address;
        let mut new = Self {
            client: number,
            binds: client.binds,
            class: Class::of(options),
            part,
            by_halves,
            relaxes: by_halves && host.tcp.autobind_reuse,
            ports: ports.collect(),
            asked: 0,
            reaches: Vec::new(),
        };
        new.reaches = new.reach(host, numbers);
        new
    }

    /// By bit, the ports that it may get.
    fn reach(&self, host: &Host, numbers: &PortNumbers) -> Vec<bool> {
        let mut reaches = vec![false; numbers.bits() as usize];
        if self.binds == Binds::Port {
            self.ports.iter().for_each(|&bit| reaches[bit as usize] = true);
            return reaches;
        }
        let Part { first, length } = self.part.unwrap_or(numbers.part(host.ports));
        for offset in first..first + length {
            let port = numbers.min_ephemeral() + offset as u16;
            reaches[numbers.bit(port) as usize] = !host.reserved.contains(port);
        }
        reaches
    }

    /// Goes on with its own ports where `before` stopped.
    pub fn go_on_from(&mut self, before: &Self) {
        self.asked = before.asked;
    }

    /// Would `other` be given the same ports?
    #[must_use]
    pub fn asks_like(&self, other: &Self) -> bool {
        let asks = |one: &Self| (one.binds, one.class, one.relaxes);
        asks(self) == asks(other) && self.reaches == other.reaches
    }

    /// The bit of the port of its own choice that it asks for now.
    pub fn next_port(&mut self) -> u32 {
        let bit = self.ports[self.asked % self.ports.len()];
        self.asked += 1;
        bit
    }

    /// Is it bound, and would `bind()` give it the port of `bit` on this address now?
    #[inline(always)]
    #[must_use]
    pub fn may_bind(&self, bit: u32, source: u32, buckets: &Buckets) -> bool {
        self.reaches[bit as usize]
            && match self.binds {
                Binds::Connect | Binds::BindNoPort => false,
                Binds::Bind => buckets.may_search(bit, source, self.class, self.relaxes),
                Binds::Port => buckets.may_bind_to(bit, source, self.class),
            }
    }
}
