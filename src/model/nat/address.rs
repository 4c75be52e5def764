//! Which of its addresses a NAT gives a connection.

use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use crate::model::selection::below;

/// How a NAT chooses one of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatAddresses {
    /// By the addresses of client and destination, always the same one (netfilter).
    ByPair,
    /// By the address of the client alone (netfilter's `persistent`; RFC 4787, REQ-2: paired pooling).
    ByClient,
    /// The next one only when those before have no port left.
    InOrder,
    /// Any that has a port left.
    AnyFree,
}

/// The addresses of client and destination, IPv4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// Of the client.
    pub client: u32,
    /// Of the destination.
    pub destination: u32,
}

impl NatAddresses {
    /// The numbers of those of `count` addresses that a connection may have, in the order in which they are tried.
    pub fn order(
        self,
        pair: Pair,
        count: u32,
        rng: &mut Xoshiro256PlusPlus,
    ) -> impl Iterator<Item = u32> + use<> {
        let (first, tries) = match self {
            _ if count == 1 => (0, 1),
            Self::ByPair => (best_address(pair.client, pair.destination, count), 1),
            Self::ByClient => (best_address(pair.client, 0, count), 1),
            Self::InOrder => (0, count),
            Self::AnyFree => (below(count, rng.next_u64() as u32), count),
        };
        (0..tries).map(move |index| (first + index) % count)
    }
}

/// The number of the address that netfilter gives a pair; no random key goes into it, so it is the same on every
/// machine (`net/netfilter/nf_nat_core.c:find_best_ips_proto`, Linux 6.2; measured on 6.18).
fn best_address(client: u32, destination: u32, count: u32) -> u32 {
    // As a little-endian processor sees what lies there in network order.
    let hash = jhash2([client.swap_bytes(), 0, 0, 0], destination.swap_bytes());
    below(count, hash)
}

/// `include/linux/jhash.h:jhash2` of four words.
fn jhash2(words: [u32; 4], seed: u32) -> u32 {
    const INITVAL: u32 = 0xdead_beef;
    let start = INITVAL.wrapping_add(4 << 2).wrapping_add(seed);
    let [mut a, mut b, mut c] = [0, 1, 2].map(|word: usize| start.wrapping_add(words[word]));
    // __jhash_mix
    for (step, by) in [4, 6, 8, 16, 19, 4].into_iter().enumerate() {
        match step % 3 {
            0 => {
                a = a.wrapping_sub(c) ^ c.rotate_left(by);
                c = c.wrapping_add(b);
            }
            1 => {
                b = b.wrapping_sub(a) ^ a.rotate_left(by);
                a = a.wrapping_add(c);
            }
            _ => {
                c = c.wrapping_sub(b) ^ b.rotate_left(by);
                b = b.wrapping_add(a);
            }
        }
    }
    a = a.wrapping_add(words[3]);
    // __jhash_final
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}
