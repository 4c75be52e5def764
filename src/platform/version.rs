//! A version of Linux: which there are, and what each is called.

use std::fmt;

/// A version of Linux, without the number of its stable release: 6.18.
///
/// ```
/// use portsim::platform::Linux;
/// assert!(Linux(5, 4) < Linux(5, 15));
/// assert_eq!(Linux::of_release("5.15.0-91-generic"), Some(Linux(5, 15)));
/// assert_eq!(Linux(7, 1).nearest_known(), Linux::NEWEST);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Linux(pub u16, pub u16);

/// The last version before the first number goes up, for each; that of the last is the newest known.
const LAST: [Linux; 4] = [Linux(3, 19), Linux(4, 20), Linux(5, 19), Linux::NEWEST];

/// The versions that people run for years, newest first, and what is known them for.
const WELL_KNOWN: [(Linux, &str); 12] = [
    (Linux(6, 12), "long-term, 2024"),
    (Linux(6, 6), "long-term, 2023"),
    (Linux(6, 1), "long-term, 2022"),
    (Linux(5, 15), "long-term, 2021"),
    (Linux(5, 10), "long-term, 2020"),
    (Linux(5, 4), "long-term, 2019"),
    (Linux(4, 19), "long-term, 2018"),
    (Linux(4, 18), "2018; RHEL 8"),
    (Linux(4, 14), "long-term, 2017"),
    (Linux(4, 9), "long-term, 2016"),
    (Linux(4, 4), "long-term, 2016"),
    (Linux(3, 10), "long-term, 2013; RHEL 7, CentOS 7"),
];

impl Linux {
    /// The oldest version of which the table says anything.
    pub const OLDEST: Self = Self(3, 10);
    /// The newest, on which the model was measured.
    pub const NEWEST: Self = Self(6, 18);

    /// The version that `uname -r` says, where it begins with one.
    #[must_use]
    pub fn of_release(release: &str) -> Option<Self> {
        let mut parts = release.split(|letter: char| !letter.is_ascii_digit());
        let mut number = || parts.next()?.parse().ok();
        Some(Self(number()?, number()?))
    }

    /// Every version that the table knows, oldest first.
    pub fn known() -> impl DoubleEndedIterator<Item = Self> {
        LAST.into_iter().flat_map(|Self(major, last)| {
            let first = if major == Self::OLDEST.0 { Self::OLDEST.1 } else { 0 };
            (first..=last).map(move |minor| Self(major, minor))
        })
    }

    /// The newest version known that is not newer than this one, else the oldest: a machine must be
    /// taken for something.
    #[must_use]
    pub fn nearest_known(self) -> Self {
        Self::known().rev().find(|known| *known <= self).unwrap_or(Self::OLDEST)
    }

    /// The versions that a list of presets names beside the newest, newest first.
    pub fn well_known() -> impl Iterator<Item = Self> {
        WELL_KNOWN.into_iter().map(|(version, _)| version)
    }

    /// What the preset of this version is called: `linux` for the newest, else `linux-5.15`.
    #[must_use]
    pub fn preset(self) -> String {
        if self == Self::NEWEST { "linux".to_owned() } else { format!("linux-{self}") }
    }

    /// The version whose preset is called `name`; the newest has two names.
    ///
    /// ```
    /// use portsim::platform::Linux;
    /// assert_eq!(Linux::of_preset("linux-6.18"), Linux::of_preset("linux"));
    /// assert_eq!(Linux::of_preset("linux-5.20"), None); // 6.0 came after 5.19
    /// ```
    #[must_use]
    pub fn of_preset(name: &str) -> Option<Self> {
        let newest = (name == "linux").then_some(Self::NEWEST);
        newest.or_else(|| Self::known().find(|known| name == format!("linux-{known}")))
    }

    /// What to write instead of `name`, which would be the preset of a version that is not known.
    #[must_use]
    pub fn instead_of(name: &str) -> Option<String> {
        let asked = Self::of_release(name.strip_prefix("linux-")?)?;
        let (oldest, newest, nearest) = (Self::OLDEST, Self::NEWEST, asked.nearest_known());
        Some(if asked > newest {
            format!("the newest known is Linux {newest}: write preset = \"{}\"", newest.preset())
        } else if asked < oldest {
            format!("the oldest known is Linux {oldest}: write preset = \"{}\"", oldest.preset())
        } else if asked == nearest {
            format!("write preset = \"{}\": stable releases count as one", asked.preset())
        } else {
            let next = Self::known().find(|known| *known > asked).unwrap_or(newest);
            format!("there was no Linux {asked}: after {nearest} came {next}")
        })
    }

    /// A line that says which system this is.
    #[must_use]
    pub fn title(self) -> String {
        let known_for = WELL_KNOWN.iter().find(|(version, _)| *version == self);
        let known_for = known_for.map_or_else(String::new, |(_, words)| format!(" ({words})"));
        format!("Linux {self} with default settings{known_for}")
    }
}

impl fmt::Display for Linux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_versions_are_those_that_were_released_in_their_order() {
        let known: Vec<Linux> = Linux::known().collect();
        assert!(known.is_sorted());
        assert_eq!((known.first(), known.last()), (Some(&Linux::OLDEST), Some(&Linux::NEWEST)));
        let after = |version| known.iter().find(|known| **known > version);
        assert_eq!(after(Linux(3, 19)), Some(&Linux(4, 0)));
        assert_eq!(after(Linux(4, 20)), Some(&Linux(5, 0)));
        assert_eq!(after(Linux(5, 19)), Some(&Linux(6, 0)));
        assert!(Linux::well_known().all(|version| known.contains(&version)));
    }

    #[test]
    fn what_is_no_preset_is_told_with_what_to_write() {
        for (name, told) in [
            ("linux-9.9", "the newest known is Linux 6.18: write preset = \"linux\""),
            ("linux-2.4", "the oldest known is Linux 3.10: write preset = \"linux-3.10\""),
            ("linux-5.25", "there was no Linux 5.25: after 5.19 came 6.0"),
            ("linux-6.1.55", "write preset = \"linux-6.1\": stable releases count as one"),
        ] {
            assert_eq!(Linux::of_preset(name), None);
            assert_eq!(Linux::instead_of(name).as_deref(), Some(told));
        }
        assert_eq!(Linux::instead_of("linus"), None);
        assert_eq!(Linux::instead_of("linux-new"), None);
    }

    #[test]
    fn a_machine_is_taken_for_the_version_next_below() {
        for (release, taken) in [
            ("6.18.44", Linux(6, 18)),
            ("7.2.0-rc1", Linux(6, 18)),
            ("5.4.0-150-generic", Linux(5, 4)),
            ("4.99", Linux(4, 20)),
            ("2.6.32-754.el6.x86_64", Linux(3, 10)),
        ] {
            assert_eq!(Linux::of_release(release).unwrap().nearest_known(), taken, "{release}");
        }
        assert_eq!(Linux::of_release("unknown"), None);
    }
}
