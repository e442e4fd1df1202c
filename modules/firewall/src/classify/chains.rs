//! The prefixes that contain an address, from the longest to the shortest.

use super::NONE;
use alloc::vec::Vec;
use perigee_guest::Refusal;
use perigee_guest::state::{Address, Lpm, Prefix};

/// The prefixes that one field of the patterns has, by number.
pub(super) struct Chains<A> {
    /// In order; a prefix's number is its place.
    prefixes: Vec<Prefix<A>>,
    longest: Lpm<A, u32>,
    links: Vec<Link>,
}

#[derive(Clone, Copy)]
struct Link {
    /// The longest prefix around it.
    outer: u32,
    /// The first pattern that has it.
    first: u32,
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
        let mut links: Vec<Link> = Vec::with_capacity(all.len());
        // Sorted, a prefix stands behind those around it: they are on the way outwards from the one before it.
        for (at, (prefix, first)) in all.iter().enumerate() {
            let mut outer = u32::try_from(at).ok().and_then(|at| at.checked_sub(1)).unwrap_or(NONE);
            while let Some((around, _)) = all.get(outer as usize) {
                if around.contains(prefix.address()) && around.len() < prefix.len() {
                    break;
                }
                outer = links.get(outer as usize).map_or(NONE, |link| link.outer);
            }
            links.push(Link { outer, first: *first });
        }
        Ok(Self { prefixes: all.into_iter().map(|(prefix, _)| prefix).collect(), longest, links })
    }

    /// The number of a prefix.
    pub(super) fn number(&self, prefix: Prefix<A>) -> u32 {
        self.prefixes.binary_search(&prefix).ok().and_then(|at| u32::try_from(at).ok()).unwrap_or(NONE)
    }

    /// The number of the longest prefix that contains an address.
    #[inline]
    pub(super) fn longest(&self, address: A) -> u32 {
        self.longest.lookup(address).copied().unwrap_or(NONE)
    }

    /// This prefix and those around it, each with the first pattern that has it.
    #[inline]
    pub(super) fn from(&self, number: u32) -> impl Iterator<Item = (u32, u32)> {
        let mut number = number;
        core::iter::from_fn(move || {
            let link = self.links.get(number as usize)?;
            let here = (number, link.first);
            number = link.outer;
            Some(here)
        })
    }

    /// Bytes of heap.
    pub(super) fn bytes(&self) -> usize {
        let count = self.links.len();
        count * (size_of::<Prefix<A>>() + size_of::<Link>()) + Lpm::<A, u32>::bytes(count)
    }

    /// Length of the longest chain.
    pub(super) fn depth(&self) -> usize {
        (0..).take(self.links.len()).map(|number| self.from(number).count()).max().unwrap_or(0)
    }
}
