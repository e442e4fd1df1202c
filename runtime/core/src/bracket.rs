//! Two clocks at one moment: the other clock is read between two readings of the counter, some times, and the reading that took least
//! counts. A counter that was read before an interruption and a clock after it do not belong together.

use super::clock::cycles;

/// What a clock said, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment<T> {
    /// The time stamp counter, in the middle between the readings around the clock.
    pub cycles: u64,
    /// Cycles between these: the clock was read somewhere in between.
    pub width: u64,
    /// What the clock said.
    pub value: T,
}

/// The narrowest of so many readings, at least one.
pub fn narrowest<T>(readings: u32, mut read: impl FnMut() -> T) -> Moment<T> {
    let mut one = || {
        let before = cycles();
        let value = read();
        let width = cycles().saturating_sub(before);
        Moment { cycles: before + width / 2, width, value }
    };
    let first = one();
    (1..readings).fold(first, |best, _| {
        let next = one();
        if next.width < best.width { next } else { best }
    })
}

#[cfg(test)]
mod test {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_reading_that_was_interrupted_does_not_count() {
        let mut turn = 0;
        let moment = narrowest(4, || {
            turn += 1;
            if turn != 3 {
                std::thread::sleep(Duration::from_millis(2));
            }
            turn
        });
        assert_eq!((moment.value, turn), (3, 4));
        assert!(moment.cycles >= moment.width / 2);
    }
}
