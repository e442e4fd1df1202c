//! The prefixes that contain an address, those that the first patterns have first.

use super::NONE;
use alloc::vec::Vec;
use perigee_guest::Refusal;
use perigee_guest::state::{Address, Lpm, Prefix};

/// Most steps of all chains together: what their memory is bounded by.
const STEP_MAX: usize = 1 << 20;

/// The prefixes that one field of the patterns has, by number.
pub(super) struct Chains<A> {
    /// In order; a prefix's number is its place.
    prefixes: Vec<Prefix<A>>,
    longest: Lpm<A, u32>,
    /// Where the chain of each prefix begins, and one more.
    starts: Vec<u32>,
    steps: Vec<Step>,
}

/// A prefix in a chain.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) number: u32,
    /// The first pattern that has it.
    pub(super) first: u32,
    /// Its bit.
    own: u64,
    /// The bits of the prefixes of the other field with which it is a pair; several prefixes share one.
    partners: u64,
}

impl Step {
    /// Whether there may be a pair of it and this one. Both are asked: one that has many partners would say yes to all.
    #[inline]
    pub(super) fn may_pair(&self, other: &Self) -> bool {
        self.partners & other.own != 0 && other.partners & self.own != 0
    }
}

/// The bit of a prefix among partners.
#[inline]
fn bit(number: u32) -> u64 {
    // 2^32 by the golden ratio: neighbours in a list get different bits.
    1 << (number.wrapping_mul(0x9e37_79b9) >> 26)
}

impl<A: Address> Chains<A> {
    /// Of prefixes and the order of their patterns.
    pub(super) fn new(all: impl Iterator<Item = (Prefix<A>, u32)>) -> Result<Self, Refusal> {
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        all.dedup_by_key(|(prefix, _)| *prefix);
        let mut longest = Lpm::new(all.len())?;
        let numbered: Vec<_> = all.iter().zip(0_u32..).map(|((prefix, _), number)| (*prefix, number)).collect();
        longest.replace(numbered)?;
        let mut chains = Self { prefixes: Vec::new(), longest, starts: Vec::new(), steps: Vec::new() };
        // Sorted, a prefix stands behind those around it: which are those of the one before it that contain it.
        let mut around: Vec<(Prefix<A>, Step)> = Vec::new();
        for ((prefix, first), number) in all.iter().zip(0_u32..) {
            around.retain(|(outer, _)| outer.contains(prefix.address()));
            around.push((*prefix, Step { number, first: *first, own: bit(number), partners: 0 }));
            chains.starts.push(u32::try_from(chains.steps.len()).unwrap_or(NONE));
            let start = chains.steps.len();
            if start + around.len() > STEP_MAX {
                return Err(Refusal::new("rules: too many prefixes lie in each other"));
            }
            chains.steps.extend(around.iter().map(|(_, step)| *step));
            if let Some(chain) = chains.steps.get_mut(start..) {
                chain.sort_unstable_by_key(|step| step.first);
            }
        }
        chains.starts.push(u32::try_from(chains.steps.len()).unwrap_or(NONE));
        chains.prefixes = all.into_iter().map(|(prefix, _)| prefix).collect();
        Ok(chains)
    }

    /// The number of a prefix.
    pub(super) fn number(&self, prefix: Prefix<A>) -> u32 {
        self.prefixes.binary_search(&prefix).ok().and_then(|at| u32::try_from(at).ok()).unwrap_or(NONE)
    }

    /// Notes the pairs of prefixes that there are: of each that of this field first.
    pub(super) fn pair(&mut self, pairs: impl Iterator<Item = (u32, u32)>) {
        let mut partners = alloc::vec![0; self.prefixes.len()];
        for (number, other) in pairs {
            if let Some(bits) = partners.get_mut(number as usize) {
                *bits |= bit(other);
            }
        }
        for step in &mut self.steps {
            step.partners = partners.get(step.number as usize).copied().unwrap_or(u64::MAX);
        }
    }

    /// The prefixes that contain an address, by the first patterns that have them.
    #[inline]
    pub(super) fn of(&self, address: A) -> &[Step] {
        let Some(number) = self.longest.lookup(address) else { return &[] };
        let at = *number as usize;
        let (Some(from), Some(to)) = (self.starts.get(at), self.starts.get(at + 1)) else { return &[] };
        self.steps.get(*from as usize..*to as usize).unwrap_or_default()
    }

    /// Bytes of heap.
    pub(super) fn bytes(&self) -> usize {
        let count = self.prefixes.len();
        let lists = count * (size_of::<Prefix<A>>() + size_of::<u32>()) + self.steps.len() * size_of::<Step>();
        lists + Lpm::<A, u32>::bytes(count)
    }

    /// Length of the longest chain.
    pub(super) fn depth(&self) -> usize {
        self.starts.windows(2).map(|ends| (ends[1] - ends[0]) as usize).max().unwrap_or(0)
    }
}
