//! Choices by weight.

use super::Draw;
use crate::{Lcg64, Refusal};

/// A choice among `N` things by weight: gives the number of the one that was chosen. One draw and two loads, however
/// many there are (Walker's alias method, its table built as Vose 1991 does, in whole numbers).
///
/// ```
/// use perigee_guest::vary::{Draw, Weighted};
///
/// # fn main() -> Result<(), perigee_guest::Refusal> {
/// let mut choice = Weighted::new([7, 4, 1])?;
/// assert!(choice.next(&mut perigee_guest::Lcg64::new(1)) < 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Weighted<const N: usize> {
    table: [u64; N],
}

impl<const N: usize> Weighted<N> {
    /// A choice by these weights; those of 0 are never chosen.
    ///
    /// # Errors
    ///
    /// All weights are 0, or there are none.
    pub fn new(weights: [u32; N]) -> Result<Self, Refusal> {
        let mut table = [0; N];
        for (entry, weight) in table.iter_mut().zip(weights) {
            *entry = weight.into();
        }
        build(&mut table)?;
        Ok(Self { table })
    }

    /// Its table.
    #[cfg(feature = "config")]
    pub(super) fn table(&self) -> &[u64] {
        &self.table
    }
}

impl<const N: usize> Draw for Weighted<N> {
    type Value = u64;

    #[inline]
    fn next(&mut self, random: &mut Lcg64) -> u64 {
        pick(&self.table, random)
    }
}

/// Bits of an entry that say which other one takes its place.
const ALIAS_BITS: u32 = 16;
/// More entries than weights of 32 bits could be told apart with.
const ENTRIES_MAX: usize = 1 << ALIAS_BITS;

/// Turns weights into the table: `threshold << 16 | alias`, the threshold of 2^32 being certain.
pub(super) fn build(table: &mut [u64]) -> Result<(), Refusal> {
    let total: u64 = table.iter().sum();
    let count = table.len() as u64;
    if total == 0 || table.len() > ENTRIES_MAX {
        return Err(Refusal::new("weights: at least one must be larger than 0"));
    }
    // An entry holds what is left of its weight, times the number of entries, until it is settled: then its upper bit
    // is set. A full entry holds `total`.
    const SETTLED: u64 = 1 << 63;
    for entry in table.iter_mut() {
        *entry *= count;
    }
    // Each turn settles one entry that is too small, and takes what it lacks from one that is too large.
    while let Some(small) = table.iter().position(|&entry| entry & SETTLED == 0 && entry < total) {
        let Some(large) = table.iter().position(|&entry| entry & SETTLED == 0 && entry > total) else { break };
        let kept = table[small];
        table[large] -= total - kept;
        // Of 2^32; the weight has 32 bits at most, so has the quotient.
        let threshold = u64::try_from((u128::from(kept) << 32) / u128::from(total)).unwrap_or_default();
        table[small] = SETTLED | threshold << ALIAS_BITS | large as u64;
    }
    for (index, entry) in table.iter_mut().enumerate() {
        *entry = if *entry & SETTLED == 0 { 1 << 32 << ALIAS_BITS | index as u64 } else { *entry & !SETTLED };
    }
    Ok(())
}

/// An index of the table: the product's upper half says which entry, its lower half whether it or its alias.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "an index of the table, which fits")]
pub(super) fn pick(table: &[u64], random: &mut Lcg64) -> u64 {
    let product = (random.next_u64() >> 32) * table.len() as u64;
    let index = product >> 32;
    let Some(entry) = table.get(index as usize) else { return 0 };
    let alias = entry & (ENTRIES_MAX as u64 - 1);
    if product & 0xffff_ffff < entry >> ALIAS_BITS { index } else { alias }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::vec;

    /// What each index gets, of `2^32 * count`, by the table alone.
    fn shares(table: &[u64]) -> vec::Vec<u64> {
        let mut shares = vec![0; table.len()];
        for (index, entry) in table.iter().enumerate() {
            shares[index] += entry >> ALIAS_BITS;
            shares[(entry & 0xffff) as usize] += (1 << 32) - (entry >> ALIAS_BITS);
        }
        shares
    }

    #[test]
    fn the_table_holds_the_weights_exactly() {
        for weights in [
            vec![1],
            vec![7, 4, 1],
            vec![0, 5, 0, 0],
            vec![1; 16],
            vec![1, 1_000_000],
            vec![u32::MAX, 1, u32::MAX, 3],
            (0..300).collect(),
        ] {
            let mut table: vec::Vec<u64> = weights.iter().map(|&weight| weight.into()).collect();
            build(&mut table).unwrap();
            let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
            for (share, weight) in shares(&table).into_iter().zip(&weights) {
                let exact = f64::from(*weight) / total as f64 * (table.len() as f64) * 4_294_967_296.0;
                assert!((share as f64 - exact).abs() <= table.len() as f64, "{weights:?}: {share} for {weight}");
                assert!(*weight != 0 || share == 0, "{weights:?}");
            }
        }
    }

    #[test]
    fn nothing_to_choose_from_is_refused() {
        assert!(Weighted::new([]).is_err());
        assert!(Weighted::new([0, 0]).is_err());
    }
}
