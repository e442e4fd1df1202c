//! Draws made of other draws.

use super::{Draw, Steps, Uniform, Weighted};
use crate::{Lcg64, Refusal};

/// See [`Draw::map`].
#[derive(Clone, Copy, Debug)]
pub struct Map<D, F> {
    pub(super) draw: D,
    pub(super) change: F,
}

impl<D: Draw, T: Copy, F: FnMut(D::Value) -> T> Draw for Map<D, F> {
    type Value = T;

    #[inline]
    fn next(&mut self, random: &mut Lcg64) -> T {
        (self.change)(self.draw.next(random))
    }

    #[inline]
    fn ended(&self) -> bool {
        self.draw.ended()
    }

    fn rounds_in(&self, values: u64) -> u64 {
        self.draw.rounds_in(values)
    }

    fn first_round(&self) -> u64 {
        self.draw.first_round()
    }
}

/// See [`Draw::times`].
#[derive(Clone, Copy, Debug)]
pub struct Times<D: Draw> {
    draw: D,
    times: u32,
    left: u32,
    value: Option<D::Value>,
}

impl<D: Draw> Times<D> {
    pub(super) fn new(draw: D, times: u32) -> Self {
        Self { draw, times, left: 0, value: None }
    }
}

impl<D: Draw> Draw for Times<D> {
    type Value = D::Value;

    #[inline]
    fn next(&mut self, random: &mut Lcg64) -> D::Value {
        if let Some(value) = self.value.filter(|_| self.left != 0) {
            self.left -= 1;
            return value;
        }
        self.left = self.times.saturating_sub(1);
        let value = self.draw.next(random);
        self.value = Some(value);
        value
    }

    #[inline]
    fn ended(&self) -> bool {
        self.left == 0 && self.draw.ended()
    }

    fn rounds_in(&self, values: u64) -> u64 {
        let Some(beyond) = values.checked_sub(u64::from(self.left) + 1) else { return 0 };
        self.draw.rounds_in(1 + beyond / u64::from(self.times.max(1)))
    }

    fn first_round(&self) -> u64 {
        self.draw.first_round()
    }
}

/// See [`Draw::zip`].
#[derive(Clone, Copy, Debug)]
pub struct Zip<A, B>(pub(super) A, pub(super) B);

impl<A: Draw, B: Draw> Draw for Zip<A, B> {
    type Value = (A::Value, B::Value);

    #[inline]
    fn next(&mut self, random: &mut Lcg64) -> Self::Value {
        (self.0.next(random), self.1.next(random))
    }

    #[inline]
    fn ended(&self) -> bool {
        self.0.ended() && self.1.ended()
    }
}

/// See [`Draw::carry`].
#[derive(Clone, Copy, Debug)]
pub struct Carry<A, B: Draw> {
    fast: A,
    slow: B,
    /// What the slow one holds until the fast one begins anew.
    held: Option<B::Value>,
    /// Values that the slow one moves on by before the next.
    due: u64,
}

impl<A: Draw, B: Draw> Carry<A, B> {
    pub(super) fn new(fast: A, slow: B) -> Self {
        let due = fast.first_round();
        Self { fast, slow, held: None, due }
    }
}

impl<A: Draw, B: Draw> Draw for Carry<A, B> {
    type Value = (A::Value, B::Value);

    #[inline]
    fn next(&mut self, random: &mut Lcg64) -> Self::Value {
        let fast = self.fast.next(random);
        let mut slow = self.held.unwrap_or_else(|| self.slow.next(random));
        for _ in 0..self.due {
            slow = self.slow.next(random);
        }
        (self.held, self.due) = (Some(slow), self.fast.rounds_in(1));
        (fast, slow)
    }

    #[inline]
    fn ended(&self) -> bool {
        self.rounds_in(1) != 0
    }

    fn rounds_in(&self, values: u64) -> u64 {
        self.slow.rounds_in(self.fast.rounds_in(values))
    }

    fn first_round(&self) -> u64 {
        match self.fast.first_round() {
            0 => 0,
            rounds => self.slow.rounds_in(rounds + 1),
        }
    }
}

/// See [`Draw::then`].
#[derive(Clone, Copy, Debug)]
pub struct Then<A, B> {
    pub(super) first: A,
    pub(super) left: u64,
    pub(super) rest: B,
}

impl<A: Draw, B: Draw<Value = A::Value>> Draw for Then<A, B> {
    type Value = A::Value;

    #[inline]
    fn next(&mut self, random: &mut Lcg64) -> A::Value {
        if self.left == 0 {
            return self.rest.next(random);
        }
        self.left -= 1;
        self.first.next(random)
    }

    #[inline]
    fn ended(&self) -> bool {
        self.left == 0 && self.rest.ended()
    }
}

/// The same value always.
#[derive(Clone, Copy, Debug)]
pub struct Always<T>(pub T);

impl<T: Copy> Draw for Always<T> {
    type Value = T;

    #[inline]
    fn next(&mut self, _random: &mut Lcg64) -> T {
        self.0
    }

    #[inline]
    fn ended(&self) -> bool {
        true
    }

    fn rounds_in(&self, values: u64) -> u64 {
        values
    }
}

/// Values of a list, in an order that another draw gives.
///
/// ```
/// use perigee_guest::vary::{Draw, Items};
///
/// # fn main() -> Result<(), perigee_guest::Refusal> {
/// let mut random = perigee_guest::Lcg64::new(1);
/// let mut ports = Items::in_order([80_u16, 443, 8080])?;
/// assert_eq!([(); 4].map(|()| ports.next(&mut random)), [80, 443, 8080, 80]);
/// let mut names = Items::weighted(["often", "seldom"], [9, 1])?;
/// assert!(["often", "seldom"].contains(&names.next(&mut random)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Items<T, D, const N: usize> {
    items: [T; N],
    order: D,
}

impl<T: Copy, const N: usize> Items<T, Steps, N> {
    /// One after the other, then from the beginning.
    ///
    /// # Errors
    ///
    /// The list is empty.
    pub fn in_order(items: [T; N]) -> Result<Self, Refusal> {
        Ok(Self { items, order: Steps::indexes(last::<N>()?) })
    }

    /// Takes this instance's share: see [`Steps::split`].
    #[must_use]
    pub fn split(mut self, instance: u32, instances: u32) -> Self {
        self.order = self.order.split(instance, instances);
        self
    }
}

impl<T: Copy, const N: usize> Items<T, Uniform, N> {
    /// At random, each as likely.
    ///
    /// # Errors
    ///
    /// The list is empty.
    pub fn at_random(items: [T; N]) -> Result<Self, Refusal> {
        Ok(Self { items, order: Uniform::indexes(last::<N>()?) })
    }
}

impl<T: Copy, const N: usize> Items<T, Weighted<N>, N> {
    /// At random, by weight.
    ///
    /// # Errors
    ///
    /// No weight is larger than 0.
    pub fn weighted(items: [T; N], weights: [u32; N]) -> Result<Self, Refusal> {
        Ok(Self { items, order: Weighted::new(weights)? })
    }
}

impl<T: Copy, D: Draw<Value = u64>, const N: usize> Items<T, D, N> {
    /// In any order: `order` gives indexes, of which those beyond the list count from its beginning again.
    ///
    /// # Errors
    ///
    /// The list is empty.
    pub fn ordered_by(items: [T; N], order: D) -> Result<Self, Refusal> {
        last::<N>().map(|_| Self { items, order })
    }
}

fn last<const N: usize>() -> Result<u64, Refusal> {
    (N as u64).checked_sub(1).ok_or_else(|| Refusal::new("values: the list is empty"))
}

impl<T: Copy, D: Draw<Value = u64>, const N: usize> Draw for Items<T, D, N> {
    type Value = T;

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "less than the number of items")]
    fn next(&mut self, random: &mut Lcg64) -> T {
        let index = self.order.next(random);
        let index = if index < N as u64 { index } else { index % N as u64 };
        self.items[index as usize]
    }

    #[inline]
    fn ended(&self) -> bool {
        self.order.ended()
    }

    fn rounds_in(&self, values: u64) -> u64 {
        self.order.rounds_in(values)
    }

    fn first_round(&self) -> u64 {
        self.order.first_round()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn take<D: Draw, const N: usize>(mut draw: D) -> [D::Value; N] {
        let mut random = Lcg64::new(1);
        [(); N].map(|()| draw.next(&mut random))
    }

    fn up(to: u64) -> Steps {
        Steps::new(0, to, 1).unwrap()
    }

    #[test]
    fn draws_are_combined() {
        assert_eq!(take(up(2).map(|x| x * 10)), [0, 10, 20, 0]);
        assert_eq!(take(up(2).times(2)), [0, 0, 1, 1, 2, 2, 0]);
        assert_eq!(take(up(2).times(0)), [0, 1, 2, 0]);
        assert_eq!(take(up(1).zip(Always(7))), [(0, 7), (1, 7), (0, 7)]);
        assert_eq!(take(up(9).then(3, Always(99))), [0, 1, 2, 99, 99]);
        assert_eq!(take(Items::ordered_by(['a', 'b'], up(2)).unwrap()), ['a', 'b', 'a', 'a']);
        assert_eq!(take(Items::in_order([5, 6, 7]).unwrap().split(1, 2)), [6, 5, 7, 6]);
    }

    #[test]
    fn a_carry_takes_every_combination_once() {
        assert_eq!(take(up(1).carry(up(2))), [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2), (0, 0)]);
        // Three wheels, the middle one staying at each value for two turns of the first.
        let wheels = up(1).carry(up(1)).carry(up(1));
        assert_eq!(take::<_, 9>(wheels).map(|((a, b), c)| a + 2 * b + 4 * c), [0, 1, 2, 3, 4, 5, 6, 7, 0]);
        let slow = up(1).times(2).carry(up(1));
        assert_eq!(take(slow), [(0, 0), (0, 0), (1, 0), (1, 0), (0, 1), (0, 1), (1, 1)]);
    }

    #[test]
    fn a_carry_of_a_share_takes_what_one_would() {
        for (fast, slow, last) in [(1, 2, 3), (2, 1, 5), (3, 3, 1), (5, 2, 2), (4, 7, 3)] {
            let wheels = |fast: Steps| fast.times(2).carry(up(slow - 1).times(3)).carry(up(last - 1).map(|x| x + 10));
            let plain = |fast: Steps| fast.carry(up(slow - 1)).carry(up(last - 1));
            let mut random = Lcg64::new(1);
            let (mut one, mut expected) = (plain(up(fast - 1)), std::vec![]);
            (0..400).for_each(|_| expected.push(one.next(&mut random)));
            for instances in 1..=8_u32 {
                for instance in 0..instances {
                    let mut share = plain(up(fast - 1).split(instance, instances));
                    // A counter that does not start at its first round has passed it already.
                    for n in (instance as usize..400).step_by(instances as usize) {
                        let value = share.next(&mut random);
                        assert_eq!(value, expected[n], "{fast} {slow} {last}: {n}, {instance} of {instances}");
                    }
                }
            }
            // All combinations, with values that are used several times.
            let mut one = wheels(up(fast - 1));
            let (mut round, mut values) = (0, std::vec![]);
            while round == 0 {
                values.push(one.next(&mut random));
                round = one.rounds_in(1);
            }
            assert_eq!(values.len() as u64, fast * 2 * slow * 3 * last);
        }
    }

    #[test]
    fn empty_lists_are_refused() {
        assert!(Items::<u8, _, 0>::in_order([]).is_err() && Items::<u8, _, 0>::at_random([]).is_err());
        assert!(Items::<u8, _, 0>::weighted([], []).is_err() && Items::<u8, _, 0>::ordered_by([], up(1)).is_err());
    }
}
