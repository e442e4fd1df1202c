//! Samples of one lcore, on their way from the signal's handler to whoever counts them: a ring with one writer and one reader, made
//! before it is needed. The handler neither allocates nor waits; what does not fit is counted as lost.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// Most return addresses of a sample.
pub(crate) const FRAMES: usize = 40;
/// Samples that wait at most: a second of them at the usual rate.
const SLOTS: usize = 1024;
/// No timer.
const NONE: i64 = -1;

/// What an lcore was at when the signal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The seat whose call it was in, or [`crate::mark::NOBODY`].
    pub(crate) seat: u64,
    /// Addresses: where it was, then where calls return to, the innermost first.
    addresses: [u64; FRAMES + 1],
    len: usize,
}

impl Sample {
    pub(crate) fn new(seat: u64, pc: u64) -> Self {
        let mut addresses = [0; FRAMES + 1];
        addresses[0] = pc;
        Self { seat, addresses, len: 1 }
    }

    /// Adds a return address; false where there is no room for more.
    pub(crate) fn push(&mut self, address: u64) -> bool {
        match self.addresses.get_mut(self.len) {
            Some(place) => *place = address,
            None => return false,
        }
        self.len += 1;
        self.len < self.addresses.len()
    }

    /// Where it was, then where calls return to.
    pub(crate) fn addresses(&self) -> &[u64] {
        self.addresses.get(..self.len).unwrap_or_default()
    }
}

/// A sample as words that two threads may touch.
struct Slot {
    seat: AtomicU64,
    len: AtomicUsize,
    addresses: [AtomicU64; FRAMES + 1],
}

/// The samples of an lcore.
pub struct Lane {
    /// The lcore's CPU.
    pub(crate) cpu: u32,
    /// The thread's timer, by the kernel's number.
    timer: AtomicI64,
    slots: Box<[Slot]>,
    written: AtomicUsize,
    read: AtomicUsize,
    lost: AtomicU64,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("cpu", &self.cpu).field("lost", &self.lost).finish_non_exhaustive()
    }
}

impl Lane {
    pub(crate) fn new(cpu: u32) -> Self {
        let slot = || Slot {
            seat: AtomicU64::new(0),
            len: AtomicUsize::new(0),
            addresses: [const { AtomicU64::new(0) }; FRAMES + 1],
        };
        Self {
            cpu,
            timer: AtomicI64::new(NONE),
            slots: std::iter::repeat_with(slot).take(SLOTS).collect(),
            written: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Writes a sample down. Called in the signal's handler, of one thread: it must not allocate, wait or panic.
    pub(crate) fn push(&self, sample: &Sample) {
        let written = self.written.load(Ordering::Relaxed);
        let is_full = written.wrapping_sub(self.read.load(Ordering::Acquire)) >= SLOTS;
        let Some(slot) = self.slots.get(written % SLOTS).filter(|_| !is_full) else {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        slot.seat.store(sample.seat, Ordering::Relaxed);
        slot.len.store(sample.len, Ordering::Relaxed);
        for (place, address) in slot.addresses.iter().zip(sample.addresses()) {
            place.store(*address, Ordering::Relaxed);
        }
        self.written.store(written.wrapping_add(1), Ordering::Release);
    }

    /// Takes the oldest sample. One reader at a time.
    pub(crate) fn pop(&self) -> Option<Sample> {
        let read = self.read.load(Ordering::Relaxed);
        if read == self.written.load(Ordering::Acquire) {
            return None;
        }
        let slot = self.slots.get(read % SLOTS)?;
        let mut sample = Sample { seat: slot.seat.load(Ordering::Relaxed), addresses: [0; FRAMES + 1], len: 0 };
        for place in slot.addresses.iter().take(slot.len.load(Ordering::Relaxed)) {
            sample.push(place.load(Ordering::Relaxed));
        }
        self.read.store(read.wrapping_add(1), Ordering::Release);
        Some(sample)
    }

    /// Samples that found no room.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Keeps the number of the thread's timer.
    pub(crate) fn set_timer(&self, timer: i32) {
        self.timer.store(timer.into(), Ordering::Release);
    }

    /// The timer, for whoever ends it: once.
    pub(crate) fn take_timer(&self) -> Option<i32> {
        i32::try_from(self.timer.swap(NONE, Ordering::AcqRel)).ok().filter(|timer| *timer >= 0)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_is_written_is_read_in_order_and_what_does_not_fit_is_counted() {
        let lane = Lane::new(3);
        for n in 0..SLOTS as u64 + 5 {
            let mut sample = Sample::new(n, 100 + n);
            sample.push(7);
            lane.push(&sample);
        }
        let first = lane.pop().expect("a sample");
        assert_eq!((first.seat, first.addresses()), (0, [100, 7].as_slice()));
        assert_eq!((std::iter::from_fn(|| lane.pop()).count(), lane.lost()), (SLOTS - 1, 5));
        lane.push(&Sample::new(9, 1));
        assert_eq!(lane.pop().map(|sample| sample.seat), Some(9));
    }

    #[test]
    fn a_deep_stack_is_cut() {
        let mut sample = Sample::new(0, 1);
        let pushed = (0..100).take_while(|n| sample.push(*n)).count();
        assert_eq!((pushed, sample.addresses().len()), (FRAMES - 1, FRAMES + 1));
        assert!(!sample.push(1));
    }

    #[test]
    fn a_timer_is_ended_once() {
        let lane = Lane::new(0);
        assert_eq!(lane.take_timer(), None);
        lane.set_timer(0);
        assert_eq!((lane.take_timer(), lane.take_timer()), (Some(0), None));
    }
}
