//! What gives values.

use super::combine::{Carry, Map, Then, Times, Zip};
use crate::Lcg64;

/// Something that gives one value after the other, without end.
pub trait Draw {
    /// What it gives.
    type Value: Copy;

    /// The next value. Those that are not random leave `random` alone.
    fn next(&mut self, random: &mut Lcg64) -> Self::Value;

    /// Whether the value given last was the last of a round: the next one begins anew. Draws without rounds never say so.
    #[inline]
    fn ended(&self) -> bool {
        false
    }

    /// How many rounds end before the value that comes `values` values after the one given last. More than one ends at a time
    /// where a share's steps ([`Steps::split`](super::Steps::split)) are longer than the round. Draws that do not know say what [`Self::ended`] says.
    #[inline]
    fn rounds_in(&self, values: u64) -> u64 {
        u64::from(values != 0 && self.ended())
    }

    /// In which round the first value comes: not in the first one, 0, only in a share of fewer values than instances. Asked
    /// before there is a value.
    #[inline]
    fn first_round(&self) -> u64 {
        0
    }

    /// Changes each value.
    #[inline]
    fn map<T: Copy, F: FnMut(Self::Value) -> T>(self, change: F) -> Map<Self, F>
    where
        Self: Sized,
    {
        Map { draw: self, change }
    }

    /// Gives each value so many times before the next one.
    #[inline]
    fn times(self, times: u32) -> Times<Self>
    where
        Self: Sized,
    {
        Times::new(self, times)
    }

    /// Gives the values of both, side by side.
    #[inline]
    fn zip<B: Draw>(self, other: B) -> Zip<Self, B>
    where
        Self: Sized,
    {
        Zip(self, other)
    }

    /// Gives the values of both, of which `slow` moves on only when this one begins anew: all combinations of two
    /// counters, each once.
    #[inline]
    fn carry<B: Draw>(self, slow: B) -> Carry<Self, B>
    where
        Self: Sized,
    {
        Carry::new(self, slow)
    }

    /// Gives `count` values of this one, then those of `rest`.
    #[inline]
    fn then<B: Draw<Value = Self::Value>>(self, count: u64, rest: B) -> Then<Self, B>
    where
        Self: Sized,
    {
        Then { first: self, left: count, rest }
    }
}
