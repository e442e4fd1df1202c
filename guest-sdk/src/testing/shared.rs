//! State regions in tests: one instance writes, others read, perhaps on other threads.

use perigee_abi::names;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::Vec;

/// A state region that instances in tests share, as the host makes one where `state_of` is granted: one of them writes it, and
/// others read it. Put a [`RegionSeat`] of it into [`Run::region`](super::Run::region), or call something at one.
#[derive(Clone)]
pub struct SharedMemory(Arc<Inner>);

struct Inner {
    words: Vec<AtomicU64>,
    turn: AtomicU64,
    /// The turns that readers have reached.
    readers: Mutex<Vec<Arc<AtomicU64>>>,
    waits: AtomicBool,
}

/// Where an instance sits at such a region.
#[derive(Clone)]
pub struct RegionSeat {
    here: Laid,
    /// Of a reader: the turn that it has reached.
    reached: Option<Arc<AtomicU64>>,
}

/// What has been laid where an instance has its region: the last one lies there now. All are kept, for the instance refers to them.
#[derive(Clone)]
pub(crate) struct Laid(Arc<Mutex<Vec<SharedMemory>>>);

impl Laid {
    fn new(memory: &SharedMemory) -> Self {
        Self(Arc::new(Mutex::new(std::vec![memory.clone()])))
    }

    pub(crate) fn memory(&self) -> SharedMemory {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.last().unwrap_or_else(|| unreachable!("there was one from the beginning")).clone()
    }
}

/// A reader that has not looked yet.
const ABSENT: u64 = u64::MAX;

std::thread_local! {
    static HERE: RefCell<Option<RegionSeat>> = const { RefCell::new(None) };
}

impl SharedMemory {
    /// Zeros, as many bytes as a module declares.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let mut words = Vec::new();
        words.resize_with(bytes / size_of::<u64>(), AtomicU64::default);
        let (readers, waits) = (Mutex::default(), AtomicBool::new(false));
        Self(Arc::new(Inner { words, turn: AtomicU64::new(0), readers, waits }))
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        &self.0.words
    }

    /// The seat of the instance that writes.
    #[must_use]
    pub fn writer(&self) -> RegionSeat {
        RegionSeat { here: Laid::new(self), reached: None }
    }

    /// A seat of one that reads. It counts as one as long as it or a copy of it lives.
    #[must_use]
    pub fn reader(&self) -> RegionSeat {
        let reached = Arc::new(AtomicU64::new(ABSENT));
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&reached));
        RegionSeat { here: Laid::new(self), reached: Some(reached) }
    }

    /// Whether the writer is to wait, as in the time in which the instance before it may go on.
    pub fn set_waiting(&self, waits: bool) {
        self.0.waits.store(waits, Ordering::Relaxed);
    }

    fn reached(&self) -> u64 {
        let now = self.0.turn.load(Ordering::SeqCst);
        let mut readers = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner);
        // Whose seat is gone reads no more.
        readers.retain(|reader| Arc::strong_count(reader) > 1);
        readers.iter().map(|reader| reader.load(Ordering::SeqCst)).fold(now, u64::min)
    }
}

impl RegionSeat {
    /// Calls something as the instance that sits here: so a reader has gone on since its last call.
    pub fn call<R>(&self, call: impl FnOnce() -> R) -> R {
        if let Some(reached) = &self.reached {
            reached.store(self.here.memory().0.turn.load(Ordering::SeqCst), Ordering::SeqCst);
            fence(Ordering::SeqCst);
        }
        let before = HERE.replace(Some(self.clone()));
        let result = call();
        HERE.replace(before);
        result
    }

    /// Lays the region of another seat in the place of this one's.
    pub(super) fn move_to(&self, other: &Self) {
        self.here.0.lock().unwrap_or_else(PoisonError::into_inner).push(other.here.memory());
    }

    fn answer(&self, question: i32) -> u64 {
        let memory = self.here.memory();
        match question {
            names::REGION_TURN => memory.0.turn.fetch_add(1, Ordering::SeqCst) + 1,
            names::REGION_REACHED => memory.reached(),
            _ if self.reached.is_some() => names::REGION_OTHERS,
            _ if memory.0.waits.load(Ordering::Relaxed) => names::REGION_WAITS,
            _ => names::REGION_OWN,
        }
    }
}

/// The region that this thread's call has.
pub(crate) fn region_here() -> Option<Laid> {
    HERE.with_borrow(|here| here.as_ref().map(|seat| seat.here.clone()))
}

/// The region of the instance that is called here: as [`Setup::region`](crate::Setup::region), without a module.
#[must_use]
pub fn region() -> Option<crate::Region> {
    crate::Region::take(1, 0)
}

/// The hostcall `region`.
pub(crate) fn host_region(question: i32) -> u64 {
    HERE.with_borrow(|here| here.as_ref().map_or(0, |seat| seat.answer(question)))
}
