//! The ephemeral port range, and sets of single ports inside it.

use std::fmt;

/// An ephemeral port range, inclusive at both ends and never empty.
///
/// Built only by [`PortRange::new`], so whoever holds one need not check again. The registry's
/// dynamic range is 49152..=65535, 16,384 ports (RFC 6335 section 6); Linux defaults to
/// 32768..=60999, 28,232 ports; RFC 6056 section 3.2 asks for the whole of 1024..=65535.
///
/// ```
/// use portsim::model::PortRange;
/// let dynamic = PortRange::new(49152, 65535).unwrap();
/// assert_eq!(dynamic.num_ephemeral(), 16_384);
/// assert!(PortRange::new(61000, 60999).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRange {
    min: u16,
    max: u16,
}

impl PortRange {
    /// The registry's dynamic range, 49152-65535 (RFC 6335 section 6).
    pub const IANA_DYNAMIC: Self = Self { min: 49_152, max: 65_535 };

    /// The range `min..=max`; `None` when `min` is above `max` or port 0 is in it.
    #[must_use]
    pub const fn new(min: u16, max: u16) -> Option<Self> {
        if min == 0 || min > max { None } else { Some(Self { min, max }) }
    }

    /// The lowest port (`min_ephemeral` in RFC 6056 section 3.3).
    #[must_use]
    pub const fn min_ephemeral(self) -> u16 {
        self.min
    }

    /// The highest port (`max_ephemeral` in RFC 6056 section 3.3).
    #[must_use]
    pub const fn max_ephemeral(self) -> u16 {
        self.max
    }

    /// How many ports there are, 1 to 65,535.
    #[must_use]
    pub const fn num_ephemeral(self) -> u32 {
        self.max as u32 - self.min as u32 + 1
    }

    /// What is left of it for a socket that keeps to `part` (IP_LOCAL_PORT_RANGE).
    ///
    /// `net/ipv4/inet_connection_sock.c:inet_sk_get_local_port_range`, Linux 6.18: each end of `part`
    /// counts if it lies inside this range.
    ///
    /// ```
    /// use portsim::model::PortRange;
    /// let range = PortRange::new(40_000, 40_099).unwrap();
    /// let left = range.narrowed_to(PortRange::new(30_000, 40_009).unwrap());
    /// assert_eq!((left.min_ephemeral(), left.max_ephemeral()), (40_000, 40_009));
    /// ```
    #[must_use]
    pub const fn narrowed_to(self, part: Self) -> Self {
        let min = if self.contains(part.min) { part.min } else { self.min };
        let max = if self.contains(part.max) { part.max } else { self.max };
        // Both ends inside and in order, or one replaced by an end of this range.
        Self { min, max }
    }

    /// The smallest range that holds this one and `other`.
    #[must_use]
    pub fn and_all_between(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    /// Does the range hold `port`?
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.min <= port && port <= self.max
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.min, self.max)
    }
}

/// A set of single ports: reserved ones, or listeners. Sorted, without doubles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSet(Vec<u16>);

impl PortSet {
    /// The ports of the set, rising.
    #[must_use]
    pub fn ports(&self) -> &[u16] {
        &self.0
    }

    /// Does the set hold `port`?
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.binary_search(&port).is_ok()
    }

    /// The ports of the set that lie inside `range`, rising.
    pub fn inside(&self, range: PortRange) -> impl Iterator<Item = u16> {
        self.0.iter().copied().filter(move |&port| range.contains(port))
    }
}

impl FromIterator<u16> for PortSet {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        let mut ports: Vec<u16> = ports.into_iter().collect();
        ports.sort_unstable();
        ports.dedup();
        Self(ports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_never_empty_and_never_holds_port_zero() {
        assert!(PortRange::new(0, 10).is_none());
        assert!(PortRange::new(11, 10).is_none());
        assert_eq!(PortRange::new(65_535, 65_535).unwrap().num_ephemeral(), 1);
        assert_eq!(PortRange::new(1, 65_535).unwrap().num_ephemeral(), 65_535);
    }

    #[test]
    fn a_set_of_ports_forgets_doubles_and_knows_what_lies_in_a_range() {
        let set: PortSet = [9, 5, 9, 7].into_iter().collect();
        assert_eq!(set.ports(), [5, 7, 9]);
        let inside: Vec<u16> = set.inside(PortRange::new(6, 8).unwrap()).collect();
        assert_eq!(inside, [7]);
    }
}
