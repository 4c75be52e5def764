//! What the files of one host among several are called.

/// What of each host is fit for a file name, one for each and all different: letters, digits, `.`,
/// `_` and `-` stay, everything else becomes `_`.
pub fn names<'a>(hosts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for host in hosts {
        let fit = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
        let name: String = host.chars().map(fit).collect();
        // Some disks do not tell `A` from `a`.
        let taken = |name: &str| names.iter().any(|other| other.eq_ignore_ascii_case(name));
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name));
        names.push(free.expect("there are more numbers than hosts"));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_files_and_all_different() {
        let hosts = ["web", "../../etc", "a b", "a/b", "WEB", "web-2"];
        let expected = ["web", ".._.._etc", "a_b", "a_b-2", "WEB-2", "web-2-2"];
        assert_eq!(names(hosts.into_iter()), expected);
    }
}
