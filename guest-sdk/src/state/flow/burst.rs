//! The flows of a burst: their hashes first, then all of them asked for together, then one after the other.

use super::{FlowHash, FlowTable};
use core::hash::Hash;
use core::hint::black_box;

/// For a burst: hashes first, then all flows together, then one after the other.
///
/// ```
/// use perigee_guest::state::{FlowLimits, FlowTable};
///
/// let mut flows = FlowTable::<u64, u32>::new(FlowLimits::new(1_000, 7))?;
/// flows.find_or_insert(5, 0, || 50);
/// let hashes = [5, 9].map(|key| flows.hash_of(&key));
/// flows.ask_for(&mut hashes.map(|hash| hash.to_number()));
/// assert_eq!(flows.get_mut_by(&5, hashes[0], 1), Some(&mut 50));
/// assert_eq!(flows.get_mut_by(&9, hashes[1], 1), None);
/// # Ok::<(), perigee_guest::state::NoMemory>(())
/// ```
impl<K: Copy + Eq + Hash, V> FlowTable<K, V> {
    /// The hash of a key, for the other functions here. Tables with the same seed have the same hashes.
    #[inline(always)]
    #[must_use]
    pub fn hash_of(&self, key: &K) -> FlowHash {
        FlowHash::of(key, self.limits.seed())
    }

    /// Reads the first flow of each hash ([`FlowHash::to_number`]), all at once: where a table is larger than the caches, it waits for
    /// memory once and not once for each flow. What `hashes` has is gone then.
    pub fn ask_for(&self, hashes: &mut [u32]) {
        for hash in hashes.iter_mut() {
            *hash = self.chains[self.chain(*hash)];
        }
        let read = hashes.iter().fold(0, |read, at| {
            let slot = self.slots.get(*at as usize);
            slot.map_or(read, |slot| read ^ slot.hash ^ u32::from(slot.pair.is_some()))
        });
        // Nobody needs it, which the compiler must not know.
        black_box(read);
    }

    /// As [`Self::get_mut`], with the key's hash.
    #[inline(always)]
    pub fn get_mut_by(&mut self, key: &K, hash: FlowHash, now: u64) -> Option<&mut V> {
        let at = self.find(key, hash.0)?;
        self.touch(at, now);
        self.value(at)
    }
}
