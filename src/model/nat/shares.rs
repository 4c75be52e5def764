//! How a NAT parts its ports among the addresses behind it: a share of its own for each, blocks on demand, or both.

use std::collections::{HashMap, VecDeque};

use super::scan::Span;
use crate::units::{SimDuration, SimTime};

/// What of the ports each address behind a NAT may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatShare {
    /// Ports that it has from the start and for good; 0 where it gets blocks alone.
    pub base: u32,
    /// Ports of a block, by which it grows when none of its own is free.
    pub block: u32,
    /// Ports that it has at most, at least `base`.
    pub most: u32,
    /// Does it grow by as many as it has (Google Cloud NAT, dynamic port allocation), or by a block?
    pub doubles: bool,
    /// A block that nobody uses can be had by another after so long.
    pub idle: SimDuration,
}

/// Ports of one of the NAT's addresses that one address behind it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub address: u32,
    pub span: Span,
}

/// The shares of all addresses behind a NAT.
///
/// Those that are there from the start lie in the order of these addresses, as many on each address of the NAT
/// (RFC 7422, section 2.2); what they leave is for blocks.
#[derive(Clone, Debug)]
pub struct Shares {
    rules: NatShare,
    of: HashMap<u32, Vec<Part>>,
    blocks: Vec<Block>,
    /// For each address of the NAT the bit and the number of its first block.
    first: Vec<(u32, usize)>,
    /// Blocks that nobody has, the next one last.
    vacant: Vec<usize>,
    /// Blocks that nobody uses since, the longest first; some of them are used again.
    idle: VecDeque<(SimTime, usize)>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    part: Part,
    owner: Option<u32>,
    /// Entries in it.
    used: u32,
    idle_since: SimTime,
}

impl Shares {
    /// Those of `insides`, in their order, of `bits` ports on each of `addresses`.
    pub fn new(rules: NatShare, addresses: u32, bits: u32, insides: &[u32]) -> Self {
        let each = (insides.len() as u32).div_ceil(addresses);
        let each = bits.checked_div(rules.base).map_or(0, |fit| fit.min(each));
        let mut of = HashMap::new();
        for (rank, &inside) in insides.iter().enumerate().take((each * addresses) as usize) {
            let (address, number) = (rank as u32 / each, rank as u32 % each);
            let span = Span::new(number * rules.base, rules.base);
            of.insert(inside, vec![Part { address, span }]);
        }
        let (mut blocks, mut first) = (Vec::new(), Vec::new());
        for address in 0..addresses {
            let from = each * rules.base;
            first.push((from, blocks.len()));
            let grows = rules.most > rules.base;
            for number in 0..if grows { (bits - from) / rules.block } else { 0 } {
                let span = Span::new(from + number * rules.block, rules.block);
                let part = Part { address, span };
                blocks.push(Block { part, owner: None, used: 0, idle_since: SimTime::START });
            }
        }
        let vacant = (0..blocks.len()).rev().collect();
        Self { rules, of, blocks, first, vacant, idle: VecDeque::new() }
    }

    /// What `inside` has, the oldest first.
    pub fn of(&self, inside: u32) -> &[Part] {
        self.of.get(&inside).map_or(&[], Vec::as_slice)
    }

    /// Lets `inside` have more. Tells whether there is more for it.
    pub fn grow(&mut self, inside: u32, now: SimTime) -> bool {
        let NatShare { block, most, doubles, .. } = self.rules;
        let mut has: u32 = self.of(inside).iter().map(|part| part.span.length()).sum();
        let aim = if doubles { (2 * has).max(block) } else { has + block }.min(most);
        let before = has;
        while has + block <= aim
            && let Some(number) = self.vacant.pop().or_else(|| self.reclaim(now))
        {
            let part = self.blocks[number].part;
            self.blocks[number].owner = Some(inside);
            self.of.entry(inside).or_default().push(part);
            // Until somebody uses it.
            self.blocks[number].idle_since = now;
            self.idle.push_back((now, number));
            has += block;
        }
        has > before
    }

    /// An entry is made at a port.
    pub fn take(&mut self, address: u32, bit: u32) {
        if let Some(number) = self.block(address, bit) {
            self.blocks[number].used += 1;
        }
    }

    /// It is gone.
    pub fn free(&mut self, address: u32, bit: u32, at: SimTime) {
        let Some(number) = self.block(address, bit) else { return };
        let block = &mut self.blocks[number];
        block.used -= 1;
        if block.used == 0 {
            block.idle_since = at;
            self.idle.push_back((at, number));
        }
    }

    /// The block of a port.
    fn block(&self, address: u32, bit: u32) -> Option<usize> {
        let (from, first) = self.first[address as usize];
        let number = first + (bit.checked_sub(from)? / self.rules.block.max(1)) as usize;
        self.blocks.get(number).filter(|block| block.part.address == address).map(|_| number)
    }

    /// A block that nobody has used for long enough, taken from whoever has it.
    fn reclaim(&mut self, now: SimTime) -> Option<usize> {
        while let Some(&(since, number)) = self.idle.front() {
            let Block { owner, used, idle_since, part } = self.blocks[number];
            if used == 0 && idle_since == since && since + self.rules.idle > now {
                return None;
            }
            self.idle.pop_front();
            if used > 0 || idle_since != since {
                continue;
            }
            let owner = owner.expect("a block that was in use has an owner");
            self.of.get_mut(&owner).expect("an owner has parts").retain(|one| *one != part);
            return Some(number);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC_7422: NatShare = NatShare {
        base: 4_032,
        block: 100,
        most: 5_040,
        doubles: false,
        idle: SimDuration::from_secs(60),
    };

    fn ports(shares: &Shares, inside: u32) -> Vec<(u32, u32)> {
        let port = |part: &Part| {
            let first = 1_024 + part.span.first();
            (first, first + part.span.length() - 1)
        };
        shares.of(inside).iter().map(port).collect()
    }

    #[test]
    fn the_example_of_rfc_7422_comes_out_to_the_port() {
        // Section 2.3: 198.51.100.1 to .14 on one address, 1,024 ports reserved, (65536 - 1024) / 16 = 4032 each.
        let insides: Vec<u32> = (1..=14).collect();
        let mut shares = Shares::new(RFC_7422, 1, 64_512, &insides);
        assert_eq!(ports(&shares, 1), [(1_024, 5_055)]);
        assert_eq!(ports(&shares, 2), [(5_056, 9_087)]);
        assert_eq!(ports(&shares, 14), [(53_440, 57_471)]);
        // The dynamic pool is 57472 to 65535; with 5,040 at most, 1,008 more fit as ten whole blocks of 100.
        for _ in 0..10 {
            assert!(shares.grow(2, SimTime::START));
        }
        assert!(!shares.grow(2, SimTime::START), "more than 5,040 ports are not to be had");
        let all = ports(&shares, 2);
        assert_eq!((all.len(), all[1].0), (11, 57_472));
        let pool: u32 = shares.blocks.iter().map(|block| block.part.span.length()).sum();
        assert_eq!(pool, 8_064 / 100 * 100, "all of the dynamic pool that blocks fill");
    }

    #[test]
    fn a_share_doubles_up_to_its_most_and_while_there_are_ports() {
        let rules = NatShare { base: 32, block: 32, most: 256, doubles: true, ..RFC_7422 };
        let mut shares = Shares::new(rules, 1, 512, &[7, 8]);
        let has = |shares: &Shares, inside| {
            shares.of(inside).iter().map(|part| part.span.length()).sum::<u32>()
        };
        for expected in [64, 128, 256] {
            assert!(shares.grow(7, SimTime::START));
            assert_eq!(has(&shares, 7), expected);
        }
        assert!(!shares.grow(7, SimTime::START));
        while shares.grow(8, SimTime::START) {}
        assert_eq!(has(&shares, 8), 256, "what is left is its too");
    }

    #[test]
    fn an_idle_block_goes_to_another_when_its_time_is_over() {
        let rules = NatShare { base: 0, block: 100, most: 100, ..RFC_7422 };
        let mut shares = Shares::new(rules, 1, 100, &[1, 2]);
        let at = |s| SimTime::START + SimDuration::from_secs(s);
        assert!(shares.grow(1, at(0)));
        shares.take(0, 5);
        assert!(!shares.grow(2, at(1_000)), "it is in use");
        shares.free(0, 5, at(1_000));
        assert!(!shares.grow(2, at(1_059)), "it has not rested for a minute");
        assert!(shares.grow(2, at(1_060)));
        assert!(shares.of(1).is_empty());
    }
}
