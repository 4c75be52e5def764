//! Which bit stands for which port.

use super::selection::{Layout, Part};
use super::{Host, PortRange};

/// Which bit stands for which port: the range first, then explicit source ports outside it.
#[derive(Clone, Debug)]
pub struct PortNumbers {
    range: PortRange,
    layout: Layout,
    /// Rising.
    outside: Vec<u16>,
}

impl PortNumbers {
    /// The ports of `host`.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let explicit = host.clients.iter().flat_map(|client| client.socket.source_ports.ports());
        let mut outside: Vec<u16> =
            explicit.copied().filter(|&port| !host.ports.contains(port)).collect();
        outside.sort_unstable();
        outside.dedup();
        Self { range: host.ports, layout: Layout::of(host.selection), outside }
    }

    /// Ports of the range.
    #[must_use]
    pub const fn num_ephemeral(&self) -> u32 {
        self.range.num_ephemeral()
    }

    /// The lowest port of the range.
    #[must_use]
    pub const fn min_ephemeral(&self) -> u16 {
        self.range.min_ephemeral()
    }

    /// How its ports are laid out.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// A range inside it, as a part of it.
    #[must_use]
    pub const fn part(&self, inside: PortRange) -> Part {
        let first = (inside.min_ephemeral() - self.range.min_ephemeral()) as u32;
        Part { first, length: inside.num_ephemeral() }
    }

    /// Ports in all.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        self.range.num_ephemeral() + self.outside.len() as u32
    }

    /// The bit of a port of the range.
    #[must_use]
    pub fn bit(&self, port: u16) -> u32 {
        self.layout.bit(u32::from(port - self.range.min_ephemeral()), self.num_ephemeral())
    }

    /// The bit of any port, if it has one.
    #[must_use]
    pub fn find(&self, port: u16) -> Option<u32> {
        if self.range.contains(port) {
            return Some(self.bit(port));
        }
        let place = self.outside.binary_search(&port).ok()?;
        Some(self.num_ephemeral() + place as u32)
    }

    /// The port that `bit` stands for.
    #[must_use]
    pub fn port(&self, bit: u32) -> u16 {
        match bit.checked_sub(self.num_ephemeral()) {
            Some(place) => self.outside[place as usize],
            None => self.port_inside(bit),
        }
    }

    /// The same of a bit that stands for a port of the range.
    #[inline(always)]
    #[must_use]
    pub const fn port_inside(&self, bit: u32) -> u16 {
        self.range.min_ephemeral() + self.layout.offset(bit, self.num_ephemeral()) as u16
    }

    /// The first bit of the second half of a layout by parity; all bits of the range lie below it in others.
    #[must_use]
    pub fn high_bits(&self) -> u32 {
        let n = self.num_ephemeral();
        if self.layout == Layout::ByParity { n.div_ceil(2) } else { n }
    }
}
