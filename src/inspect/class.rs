//! The three kinds of port numbers, and what each promises (RFC 6335 section 6).

use std::fmt;

/// What IANA does with a port number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortClass {
    /// 0-1023, "System Ports" or "Well Known Ports".
    System,
    /// 1024-49151, "User Ports" or "Registered Ports".
    User,
    /// 49152-65535, "Dynamic Ports", "Private or Ephemeral Ports".
    Dynamic,
}

/// The class of `port`.
///
/// ```
/// use portsim::inspect::{PortClass, class};
/// assert_eq!(class(443), PortClass::System);
/// assert_eq!(class(40_000), PortClass::User);
/// assert_eq!(class(60_103), PortClass::Dynamic);
/// ```
#[must_use]
pub const fn class(port: u16) -> PortClass {
    match port {
        0..=1023 => PortClass::System,
        1024..=49_151 => PortClass::User,
        49_152..=65_535 => PortClass::Dynamic,
    }
}

impl PortClass {
    /// Its first and its last port.
    #[must_use]
    pub const fn bounds(self) -> (u16, u16) {
        match self {
            Self::System => (0, 1023),
            Self::User => (1024, 49_151),
            Self::Dynamic => (49_152, 65_535),
        }
    }

    /// What it means that a port is of this class, in a sentence or two.
    ///
    /// RFC 6335 section 6 has the classes, section 8.1.2 who may assign what.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::System => {
                "assigned by IANA after review by the IETF; many systems let only a privileged \
                 program listen here, and none takes source ports from here by default"
            }
            Self::User => {
                "assigned by IANA to whoever asks with a reason; any program may listen here. \
                 A system whose dynamic range reaches down here, as Linux's does, gives these \
                 ports to connections too"
            }
            Self::Dynamic => {
                "never assigned: no service can be registered for it, and any connection may be \
                 given it. A program that must listen here has to have it reserved on each \
                 machine"
            }
        }
    }
}

impl fmt::Display for PortClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::System => "system port",
            Self::User => "user port",
            Self::Dynamic => "dynamic port",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PortRange;

    #[test]
    fn every_port_has_the_class_whose_bounds_hold_it() {
        for port in 0..=u16::MAX {
            let (first, last) = class(port).bounds();
            assert!((first..=last).contains(&port), "{port}");
        }
    }

    #[test]
    fn the_dynamic_class_is_the_registry_s_dynamic_range() {
        let (first, last) = PortClass::Dynamic.bounds();
        assert_eq!(PortRange::new(first, last), Some(PortRange::IANA_DYNAMIC));
    }

    #[test]
    fn a_class_tells_what_it_means_without_naming_a_port() {
        for class in [PortClass::System, PortClass::User, PortClass::Dynamic] {
            assert!(class.meaning().contains("assigned"));
            assert!(class.to_string().ends_with("port"));
        }
    }
}
