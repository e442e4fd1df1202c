//! State regions that instances of other modules read while one instance writes them.
//!
//! The host knows which turn each reader has reached: it notes that before each call, in which the reader cannot yet have looked at
//! anything. So the writer knows when nobody looks any more at what it gave up. Nobody locks or waits for that.

use crate::flat::RegionFile;
use crossbeam_queue::ArrayQueue;
use perigee_core::lock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex};

/// Most instances that read one region, those included that were replaced and may go on.
pub const READERS: usize = 256;

/// Most files that lcores have done with between two looks of the control thread.
const DONE_WITH: usize = 2 * READERS;

/// Nobody has this place.
const FREE: u64 = 0;
/// Its reader is not called.
const ABSENT: u64 = u64::MAX;

/// The region of one module, for those that read it. It stays while instances come and go.
pub struct Shared {
    /// What it lies in: of the instance that works.
    current: Mutex<Option<Arc<RegionFile>>>,
    /// Its number; 0 before there is one.
    number: AtomicU64,
    turn: AtomicU64,
    /// The turns that readers have reached.
    reached: [AtomicU64; READERS],
    /// What an lcore has done with: to close a file is nothing for an lcore.
    done_with: ArrayQueue<Arc<RegionFile>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("number", &self.number).field("turn", &self.turn).finish_non_exhaustive()
    }
}

impl Default for Shared {
    fn default() -> Self {
        let reached = std::array::from_fn(|_| AtomicU64::new(FREE));
        let done_with = ArrayQueue::new(DONE_WITH);
        Self { current: Mutex::default(), number: AtomicU64::new(0), turn: AtomicU64::new(1), reached, done_with }
    }
}

impl Shared {
    /// From now on readers find this one.
    pub(super) fn publish(&self, file: &Arc<RegionFile>) {
        if self.number.load(Ordering::Relaxed) != file.number() {
            let before = lock(&self.current).replace(Arc::clone(file));
            self.number.store(file.number(), Ordering::Release);
            before.into_iter().for_each(|file| self.give_back(file));
        }
    }

    /// Takes what [`Self::current`] gave, on whatever thread.
    pub(super) fn give_back(&self, file: Arc<RegionFile>) {
        if let Err(file) = self.done_with.push(file) {
            // Nobody has looked for so long that it stays open rather than end the run.
            std::mem::forget(file);
        }
    }

    /// The number of what it lies in.
    #[inline]
    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// What it lies in now; to be given back.
    pub(super) fn current(&self) -> Option<Arc<RegionFile>> {
        lock(&self.current).clone()
    }

    /// Somebody reads it.
    pub(super) fn is_read(&self) -> bool {
        self.reached.iter().any(|reached| reached.load(Ordering::Relaxed) != FREE)
    }

    /// Begins a turn: who is called from now on finds what was written before.
    pub(super) fn next_turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The turn that all readers have reached.
    pub(super) fn reached(&self) -> u64 {
        let now = self.turn.load(Ordering::SeqCst);
        let reached = self.reached.iter().map(|reached| reached.load(Ordering::SeqCst));
        reached.filter(|reached| *reached != FREE).fold(now, u64::min)
    }
}

/// The place of an instance that reads a region.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    place: usize,
}

impl Reader {
    /// A place for one more.
    ///
    /// # Errors
    /// As a text: there are too many.
    pub fn new(shared: &Arc<Shared>) -> Result<Self, String> {
        let free =
            |place: &AtomicU64| place.compare_exchange(FREE, ABSENT, Ordering::SeqCst, Ordering::Relaxed).is_ok();
        let place = shared.reached.iter().position(free);
        let place = place.ok_or_else(|| format!("more than {READERS} instances would read one state region"))?;
        Ok(Self { shared: Arc::clone(shared), place })
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// A call begins: whatever the instance has looked at in earlier ones it looks at no more. True: it was not called before.
    #[inline]
    pub(super) fn enter(&self) -> bool {
        let (reached, now) = (&self.shared.reached[self.place], self.shared.turn.load(Ordering::Acquire));
        let before = reached.load(Ordering::Relaxed);
        if before == ABSENT {
            // Either the writer sees this before it uses again what it gave up, or the call sees that it was given up.
            reached.store(now, Ordering::SeqCst);
            fence(Ordering::SeqCst);
        } else if before != now {
            // What was read before is read: nothing is stored before that.
            reached.store(now, Ordering::Release);
        }
        before == ABSENT
    }

    /// It is not called any more, until it is.
    pub(super) fn leave(&self) {
        self.shared.reached[self.place].store(ABSENT, Ordering::Release);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.reached[self.place].store(FREE, Ordering::Release);
    }
}

/// The regions of a run by the modules whose they are.
#[derive(Debug, Default)]
pub struct Regions(Mutex<BTreeMap<String, Arc<Shared>>>);

impl Regions {
    /// Closes what lcores have done with: of the control thread, from time to time.
    pub fn close(&self) {
        lock(&self.0).values().for_each(|shared| while shared.done_with.pop().is_some() {});
    }

    /// That of the module of this name.
    pub fn of(&self, module: &str) -> Arc<Shared> {
        Arc::clone(lock(&self.0).entry(module.to_owned()).or_default())
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_turn_is_that_of_the_reader_who_is_furthest_behind() {
        let shared = Arc::<Shared>::default();
        assert!(!shared.is_read());
        assert_eq!(shared.next_turn(), shared.reached(), "nobody reads");
        let (one, other) = (Reader::new(&shared).unwrap(), Reader::new(&shared).unwrap());
        assert!(shared.is_read());
        assert_eq!(shared.next_turn(), shared.reached(), "nobody was called");
        assert!(one.enter());
        let before = shared.reached();
        let now = shared.next_turn();
        assert_eq!(shared.reached(), before);
        assert!(!one.enter());
        assert_eq!(shared.reached(), now);
        assert!(other.enter());
        shared.next_turn();
        one.enter();
        assert_eq!(shared.reached(), now);
        other.leave();
        assert_eq!(shared.reached(), now + 1);
        drop((one, other));
        assert!(!shared.is_read());
    }

    #[test]
    fn there_are_so_many_places_and_they_are_given_back() {
        let shared = Arc::<Shared>::default();
        let all: Vec<_> = (0..READERS).map(|_| Reader::new(&shared).unwrap()).collect();
        assert!(Reader::new(&shared).unwrap_err().contains("256 instances"));
        drop(all);
        Reader::new(&shared).unwrap();
    }
}
