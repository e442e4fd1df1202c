//! Which probes of a flow have come, and which were called lost: two bits for each number, in a ring.
//!
//! A word of the ring holds 16 numbers, a bit for "came" and one for "lost" of each, and in its upper half the lap of the ring
//! that it belongs to. So whoever comes first to a word of a new lap makes it new, nobody has to clear the ring ahead, and a word
//! that is given up says exactly how many probes are given up with it. All that is decided about a number is decided in one
//! exchange of its word: it is lost once or came once, whichever lcores look at it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers in a word.
const IN_WORD: u64 = 16;

/// Bits of all numbers of a word.
const ALL: u64 = 0xffff;

/// Which lcores read a flow's probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// One, which also calls [`Window::expire`]: no locked instruction is needed. With several, counts would be wrong.
    One,
    /// Several at once; any thread may call [`Window::expire`].
    Several,
}

/// Whether a probe was under way for longer than the time-out, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// No.
    Young,
    /// Yes.
    Overdue,
}

/// What an arrival is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The first copy, before the time-out.
    InTime,
    /// The first copy, after the time-out, but before anybody called it lost.
    Late,
    /// The first copy, after the time-out, of a probe that was called lost: it is late now, and lost no more.
    LateFromLost,
    /// The first copy of a probe that was called lost too early: it came in time, and whoever reads it was behind.
    InTimeFromLost,
    /// A further copy.
    Duplicate,
    /// Its place in the ring has been taken by later numbers. A late probe stays lost; it may also be a copy.
    TooOld,
}

impl Arrival {
    /// The first copy of a probe.
    #[inline]
    pub fn is_first(self) -> bool {
        !matches!(self, Self::Duplicate | Self::TooOld)
    }
}

/// The ring.
pub struct Window {
    words: Box<[AtomicU64]>,
    /// How far a number is shifted to be its lap.
    lap_shift: u32,
    readers: Readers,
    /// Numbers below it have come or were called lost.
    boundary: AtomicU64,
    /// How many were ever called lost. Those that came afterwards are still in it.
    called_lost: AtomicU64,
    /// Of these, those whose places were needed.
    overrun: AtomicU64,
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window")
            .field("capacity", &self.capacity())
            .field("readers", &self.readers)
            .finish_non_exhaustive()
    }
}

impl Window {
    /// For so many numbers, rounded up to a power of two from 64. They should be those of the time-out and of the time within
    /// which late ones and copies are to be told: 4 bytes each.
    pub fn new(capacity: u64, readers: Readers) -> Self {
        let capacity = capacity.clamp(64, 1 << 40).next_power_of_two();
        Self {
            words: (0..capacity / IN_WORD).map(|_| AtomicU64::new(0)).collect(),
            lap_shift: capacity.ilog2(),
            readers,
            boundary: AtomicU64::new(0),
            called_lost: AtomicU64::new(0),
            overrun: AtomicU64::new(0),
        }
    }

    /// Numbers that it holds.
    pub fn capacity(&self) -> u64 {
        1 << self.lap_shift
    }

    /// A probe has come. Its number was given by the sender.
    #[inline]
    pub fn arrive(&self, sequence: u64, age: Age) -> Arrival {
        let bit = 1 << (sequence % IN_WORD);
        let (arrival, given_up) = self.change(sequence, |word| {
            let is_lost = word & bit << 16 != 0;
            match age {
                _ if word & bit != 0 => (Arrival::Duplicate, word),
                Age::Overdue if is_lost => (Arrival::LateFromLost, word | bit),
                Age::Young if is_lost => (Arrival::InTimeFromLost, word | bit),
                Age::Overdue => (Arrival::Late, word | bit),
                Age::Young => (Arrival::InTime, word | bit),
            }
        });
        self.give_up(given_up);
        arrival.unwrap_or(Arrival::TooOld)
    }

    /// Probes have come before their time-out whose numbers, which the sender gave, follow on each other. Returns how many of the first ones
    /// are [`Arrival::InTime`]; [`Self::arrive`] has to be asked of the others.
    #[inline]
    pub fn arrive_in_time(&self, first: u64, n: usize) -> usize {
        let (mut at, end, mut overrun) = (first, first + n as u64, 0);
        while at < end {
            let word_end = ((at / IN_WORD + 1) * IN_WORD).min(end);
            let bits = (ALL >> (IN_WORD - (word_end - at))) << (at % IN_WORD);
            let (is_open, given_up) = self.change(at, |word| {
                let is_open = word & (bits | bits << 16) == 0;
                (is_open, if is_open { word | bits } else { word })
            });
            overrun += given_up;
            if is_open != Some(true) {
                break;
            }
            at = word_end;
        }
        self.give_up(overrun);
        usize::try_from(at - first).unwrap_or(0)
    }

    /// Counts probes that were given up with earlier laps.
    #[inline]
    fn give_up(&self, probes: u64) {
        if probes > 0 {
            self.add(&self.overrun, probes);
            self.add(&self.called_lost, probes);
        }
    }

    /// Calls all probes lost whose numbers are below `boundary` and that have not come. Returns how many.
    pub fn expire(&self, boundary: u64) -> u64 {
        let from = self.boundary.load(Ordering::Acquire);
        if boundary <= from {
            return 0;
        }
        // Farther back, words are given up with all that is below this.
        let from = from.max(boundary.next_multiple_of(IN_WORD).saturating_sub(self.capacity()));
        let (mut lost, mut given_up) = (0, 0);
        let mut at = from;
        while at < boundary {
            let end = (at / IN_WORD + 1).saturating_mul(IN_WORD).min(boundary);
            let mask = (ALL >> (IN_WORD - (end - at))) << (at % IN_WORD);
            let (newly, overrun) = self.change(at, |word| {
                let open = mask & !word & !(word >> 16);
                (u64::from(open.count_ones()), word | open << 16)
            });
            // In a later lap already: whoever began that has counted these.
            lost += newly.unwrap_or(0);
            given_up += overrun;
            at = end;
        }
        self.add(&self.overrun, given_up);
        self.add(&self.called_lost, lost + given_up);
        self.boundary.fetch_max(boundary, Ordering::Release);
        lost + given_up
    }

    /// How many probes were ever called lost. Those that came afterwards are still in it.
    pub fn called_lost(&self) -> u64 {
        self.called_lost.load(Ordering::Acquire)
    }

    /// How many of them, because their places were needed.
    pub fn overrun(&self) -> u64 {
        self.overrun.load(Ordering::Acquire)
    }

    /// Changes the word of a number, made new where it is of an earlier lap. Returns what `decide` said, `None` where the word is of
    /// a later lap; and how many probes were given up with earlier laps.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a remainder, and laps of which 2^32 take centuries")]
    fn change<T>(&self, sequence: u64, decide: impl Fn(u64) -> (T, u64)) -> (Option<T>, u64) {
        let place = (sequence / IN_WORD) as usize & (self.words.len() - 1);
        let lap = (sequence >> self.lap_shift) as u32;
        let word = &self.words[place];
        let mut old = word.load(Ordering::Acquire);
        loop {
            let (word_now, given_up) = match lap.checked_sub((old >> 32) as u32) {
                Some(0) => (old, 0),
                Some(laps) => (u64::from(lap) << 32, open_in(old) + IN_WORD * u64::from(laps - 1)),
                None => return (None, 0),
            };
            let (said, new) = decide(word_now);
            if self.readers == Readers::One {
                word.store(new, Ordering::Release);
                return (Some(said), given_up);
            }
            match word.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return (Some(said), given_up),
                Err(seen) => old = seen,
            }
        }
    }

    /// Adds to a count, which may have several writers.
    fn add(&self, count: &AtomicU64, n: u64) {
        if n > 0 {
            count.fetch_add(n, Ordering::AcqRel);
        }
    }
}

/// How many numbers of a word have neither come nor been called lost.
fn open_in(word: u64) -> u64 {
    u64::from((!(word | word >> 16) & ALL).count_ones())
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn each_fate_has_its_name() {
        for readers in [Readers::One, Readers::Several] {
            let window = Window::new(64, readers);
            assert_eq!(window.arrive(0, Age::Young), Arrival::InTime);
            assert_eq!(window.arrive(0, Age::Young), Arrival::Duplicate);
            assert_eq!(window.arrive(1, Age::Overdue), Arrival::Late);
            assert_eq!(window.expire(5), 3);
            assert_eq!(window.expire(5), 0);
            assert_eq!(window.expire(4), 0);
            assert_eq!(window.arrive(3, Age::Overdue), Arrival::LateFromLost);
            assert_eq!(window.arrive(3, Age::Overdue), Arrival::Duplicate, "late, then a copy");
            assert_eq!(window.arrive(2, Age::Young), Arrival::InTimeFromLost);
            assert_eq!(window.arrive(70, Age::Young), Arrival::InTime);
            assert_eq!(window.arrive(4, Age::Overdue), Arrival::TooOld);
            assert_eq!(
                (window.called_lost(), window.overrun()),
                (3 + 11, 11),
                "numbers 5 to 15 made room for 64 to 79"
            );
            assert_eq!(window.expire(71), 48 + 6);
            assert_eq!(window.called_lost() + 3, 71);
        }
    }

    #[test]
    fn a_jump_over_many_laps_loses_each_once() {
        for jump in [64, 65, 127, 1_000, 1_000_003] {
            let window = Window::new(64, Readers::Several);
            window.arrive(2, Age::Young);
            window.arrive(jump, Age::Young);
            window.expire(jump + 1);
            assert_eq!(window.called_lost(), jump - 1, "{jump}");
            let window = Window::new(64, Readers::One);
            window.arrive(2, Age::Young);
            window.expire(jump);
            assert_eq!(window.called_lost(), jump - 1, "{jump}");
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Arrive(u64, Age),
        Expire(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let age = prop_oneof![4 => Just(Age::Young), 1 => Just(Age::Overdue)];
        prop_oneof![8 => (0..600_u64, age).prop_map(|(n, age)| Step::Arrive(n, age)), 1 => (0..600_u64).prop_map(Step::Expire)]
    }

    proptest! {
        /// Against plain sets. What the sets know of numbers whose place was taken, the window forgets.
        #[test]
        fn it_decides_as_sets_do(steps in proptest::collection::vec(step(), 0..400), capacity in 64..1_024_u64, one: bool) {
            let window = Window::new(capacity, if one { Readers::One } else { Readers::Several });
            let (mut came, mut lost) = (HashSet::new(), HashSet::new());
            let (mut in_time, mut late, mut from_lost) = (0, 0, 0);
            for step in steps {
                match step {
                    Step::Arrive(n, age) => {
                        let want = match age {
                            _ if came.contains(&n) => Arrival::Duplicate,
                            Age::Overdue if lost.contains(&n) => Arrival::LateFromLost,
                            Age::Young if lost.contains(&n) => Arrival::InTimeFromLost,
                            Age::Overdue => Arrival::Late,
                            Age::Young => Arrival::InTime,
                        };
                        let got = window.arrive(n, age);
                        if got == Arrival::TooOld {
                            prop_assert!(capacity < 600);
                            continue;
                        }
                        prop_assert_eq!(got, want);
                        came.insert(n);
                        in_time += u64::from(got == Arrival::InTime);
                        late += u64::from(got == Arrival::Late);
                        from_lost += u64::from(matches!(got, Arrival::LateFromLost | Arrival::InTimeFromLost));
                    }
                    Step::Expire(boundary) => {
                        window.expire(boundary);
                        lost.extend((0..boundary).filter(|n| !came.contains(n)));
                    }
                }
                // A place that was taken: what was in it and had not come is lost.
                lost.extend(given_up(&window, 600).filter(|n| !came.contains(n)));
                prop_assert_eq!(window.called_lost(), lost.len() as u64);
            }
            window.expire(600);
            prop_assert_eq!(in_time + late + window.called_lost(), 600);
            prop_assert!(from_lost <= window.called_lost());
        }
    }

    /// Numbers whose word is of a later lap.
    fn given_up(window: &Window, below: u64) -> impl Iterator<Item = u64> {
        (0..below).filter(|n| {
            let place = (n / IN_WORD) as usize & (window.words.len() - 1);
            window.words[place].load(Ordering::Relaxed) >> 32 > n >> window.lap_shift
        })
    }

    #[test]
    fn several_lcores_decide_each_number_once() {
        const N: u64 = 400_000;
        let window = Window::new(4_096, Readers::Several);
        let counts: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
        std::thread::scope(|scope| {
            for reader in 0..3_u64 {
                let (window, counts) = (&window, &counts);
                scope.spawn(move || {
                    // Each sends two thirds of all, so most come twice; some never.
                    for n in (0..N).filter(|n| n % 3 != reader && n % 7 != 0) {
                        let kind = match window.arrive(n, Age::Young) {
                            Arrival::InTime | Arrival::Late => 0,
                            Arrival::LateFromLost | Arrival::InTimeFromLost => 1,
                            Arrival::Duplicate => 2,
                            Arrival::TooOld => 3,
                        };
                        counts[kind].fetch_add(1, Ordering::Relaxed);
                        if n % 1_000 == 0 {
                            window.expire(n.saturating_sub(2_000));
                        }
                    }
                });
            }
        });
        window.expire(N);
        let [in_time, from_lost, copies, too_old] = [0, 1, 2, 3].map(|kind| counts[kind].load(Ordering::Relaxed));
        assert_eq!(in_time + window.called_lost(), N);
        assert_eq!(
            in_time + from_lost + copies + too_old,
            (0..3).map(|r| (0..N).filter(|n| n % 3 != r && n % 7 != 0).count() as u64).sum::<u64>()
        );
    }
}
