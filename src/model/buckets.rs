//! Who uses which port: one bucket a port, whatever the address (`struct inet_bind_bucket`).

use super::bitmap::Bitmaps;
use super::tcp::SocketOptions;

/// What becomes of the options of a socket when others ask for its port: its class among the users of
/// the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(usize);

impl Class {
    /// How many there are.
    const COUNT: usize = 4;
    /// Neither option, or a listener: shares with nobody.
    pub const STUBBORN: Self = Self(0);

    /// The class of a socket with these options.
    #[must_use]
    pub fn of(options: &SocketOptions) -> Self {
        Self(usize::from(options.reuse_address) | usize::from(options.reuse_port) << 1)
    }

    const fn reuse_address(self) -> bool {
        self.0 & 1 == 1
    }

    const fn reuse_port(self) -> bool {
        self.0 & 2 == 2
    }

    /// May a search of `bind()` by `ip_autobind_reuse` give a port that a socket of this class uses to one with
    /// SO_REUSEADDR, and with SO_REUSEPORT too or not? Two that both have SO_REUSEPORT do not share one there.
    ///
    /// `net/ipv4/inet_connection_sock.c:inet_bind_conflict`, Linux 6.18, with `relax` and without
    /// `reuseport_ok`.
    const fn shares_relaxed(self, with_reuse_port: bool) -> bool {
        self.reuse_address() && !(with_reuse_port && self.reuse_port())
    }
}

/// The buckets of one machine, and which ports they leave to whom.
#[derive(Clone, Debug)]
pub struct Buckets {
    bits: u32,
    /// One row: ports that are neither reserved nor bound by anybody.
    pub for_connect: Bitmaps,
    /// One row a source address: ports that are not reserved and that nobody of the address uses.
    pub for_bind: Bitmaps,
    /// The same, and those that only sockets use which a socket with SO_REUSEADDR may share a port with; in
    /// the second, one that has SO_REUSEPORT too. Where somebody may.
    relaxed: Option<[Bitmaps; 2]>,
    /// One row: ports that are not reserved.
    unreserved: Bitmaps,
    /// Users of each port of each source address, class by class.
    users: Vec<[u32; Class::COUNT]>,
    /// Bound users of each port, on whatever address.
    bound_users: Vec<u32>,
    /// All users of each port.
    all_users: Vec<u32>,
    /// Is a bucket for `connect()` again when its last bound user leaves, and not only its last user?
    reopen: bool,
}

impl Buckets {
    /// Empty buckets of `bits` ports for so many source addresses; `relaxes` says that somebody may share
    /// ports by `ip_autobind_reuse`.
    #[must_use]
    pub fn new(bits: u32, addresses: usize, reserved: &[u32], relaxes: bool, reopen: bool) -> Self {
        let rows = |count: usize| Bitmaps::full(count, bits, reserved);
        Self {
            bits,
            for_connect: rows(1),
            for_bind: rows(addresses),
            relaxed: relaxes.then(|| [rows(addresses), rows(addresses)]),
            unreserved: rows(1),
            users: vec![[0; Class::COUNT]; addresses * bits as usize],
            bound_users: vec![0; bits as usize],
            all_users: vec![0; bits as usize],
            reopen,
        }
    }

    /// Bits of a row.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// Does anybody use the port of `bit`?
    #[must_use]
    pub fn is_used(&self, bit: u32) -> bool {
        self.all_users[bit as usize] > 0
    }

    /// The ports that `ip_autobind_reuse` lets a socket of class `asking` have.
    #[must_use]
    pub fn for_relaxed_bind(&self, asking: Class) -> Option<&Bitmaps> {
        self.relaxed.as_ref().map(|rows| &rows[usize::from(asking.reuse_port())])
    }

    /// Would a search of `bind()` on this address find the port of `bit` free, or one that a socket of class
    /// `asking` may share, if it `relaxes`?
    #[must_use]
    pub fn may_search(&self, bit: u32, source: u32, asking: Class, relaxes: bool) -> bool {
        let is_set = |rows: &Bitmaps| rows.is_set(source as usize, bit);
        is_set(&self.for_bind) || relaxes && self.for_relaxed_bind(asking).is_some_and(is_set)
    }

    /// May a socket of `class` bind to the port of `bit` on this address?
    ///
    /// `net/ipv4/inet_connection_sock.c:inet_bind_conflict`, Linux 6.18, with `relax` and
    /// `reuseport_ok`: SO_REUSEADDR on both and no listener, or SO_REUSEPORT on both (and one user).
    #[must_use]
    pub fn may_bind_to(&self, bit: u32, source: u32, asking: Class) -> bool {
        let users = &self.users[self.user_place(bit, source)];
        (0..Class::COUNT).map(Class).zip(users).all(|(class, &count)| {
            count == 0
                || asking.reuse_address() && class.reuse_address()
                || asking.reuse_port() && class.reuse_port()
        })
    }

    /// Somebody bound the port of `bit`, on whatever address: it is closed to `connect()`. Tells whether it
    /// was open.
    pub fn add_bound_user(&mut self, bit: u32) -> bool {
        self.bound_users[bit as usize] += 1;
        let was_open = self.for_connect.is_set(0, bit);
        self.for_connect.clear(0, bit);
        was_open
    }

    /// Somebody of source address number `source` uses the port of `bit`.
    pub fn add_user(&mut self, bit: u32, source: u32, class: Class) {
        let place = self.user_place(bit, source);
        self.users[place][class.0] += 1;
        self.all_users[bit as usize] += 1;
        self.for_bind.clear(source as usize, bit);
        for (rows, with_reuse_port) in self.relaxed.iter_mut().flatten().zip([false, true]) {
            if !class.shares_relaxed(with_reuse_port) {
                rows.clear(source as usize, bit);
            }
        }
    }

    /// A user leaves, who had bound the port or not. Tells whether that opens it to `connect()`.
    pub fn remove_user(&mut self, bit: u32, source: u32, class: Class, bound: bool) -> bool {
        let place = self.user_place(bit, source);
        let users = &mut self.users[place];
        users[class.0] -= 1;
        let bucket = bit as usize;
        self.all_users[bucket] -= 1;
        self.bound_users[bucket] -= u32::from(bound);
        if !self.unreserved.is_set(0, bit) {
            return false;
        }
        if users.iter().all(|&count| count == 0) {
            self.for_bind.set(source as usize, bit);
        }
        for (rows, with_reuse_port) in self.relaxed.iter_mut().flatten().zip([false, true]) {
            let shares = |class: usize| Class(class).shares_relaxed(with_reuse_port);
            if users.iter().enumerate().all(|(class, &count)| count == 0 || shares(class)) {
                rows.set(source as usize, bit);
            }
        }
        // The bucket is for connect() again as soon as its last bound user leaves (6.18,
        // `inet_bind_bucket_destroy`; before, not until the bucket itself was gone).
        let opens = self.bound_users[bucket] == 0
            && (self.reopen || self.all_users[bucket] == 0)
            && !self.for_connect.is_set(0, bit);
        if opens {
            self.for_connect.set(0, bit);
        }
        opens
    }

    /// Before 6.18 a port that nobody binds any more stays closed to `connect()` as long as anybody uses it: those
    /// that were so in `before` still are.
    pub fn keep_closed(&mut self, before: &Self) {
        if self.reopen {
            return;
        }
        for bit in 0..self.bits {
            let only_by_its_past = before.unreserved.is_set(0, bit)
                && before.bound_users[bit as usize] == 0
                && !before.for_connect.is_set(0, bit);
            if only_by_its_past && self.is_used(bit) {
                self.for_connect.clear(0, bit);
            }
        }
    }

    const fn user_place(&self, bit: u32, source: u32) -> usize {
        source as usize * self.bits as usize + bit as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_both_options_shares_with_those_that_have_one() {
        let class = |reuse_address, reuse_port| {
            Class::of(&SocketOptions { reuse_address, reuse_port, ..SocketOptions::default() })
        };
        let (one, both, other) = (class(true, false), class(true, true), class(false, true));
        for (holder, with_one, with_both) in [
            (one, true, true),
            (both, true, false),
            (other, false, false),
            (Class::STUBBORN, false, false),
        ] {
            let mut buckets = Buckets::new(4, 1, &[], true, true);
            buckets.add_user(2, 0, holder);
            for (asking, shares) in [(one, with_one), (both, with_both)] {
                assert_eq!(buckets.may_search(2, 0, asking, true), shares, "{holder:?} {asking:?}");
                assert!(!buckets.may_search(2, 0, asking, false));
            }
            buckets.remove_user(2, 0, holder, false);
            assert!(buckets.may_search(2, 0, both, true));
        }
    }
}
