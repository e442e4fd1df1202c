//! Flows that were saved.

use super::list::{List, Which};
use super::{FlowTable, NoMemory, room};
use core::hash::Hash;

/// A flow as it was saved: see [`FlowTable::restore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved<K, V> {
    /// Its key.
    pub key: K,
    /// Its value.
    pub value: V,
    /// When it was made.
    pub created: u64,
    /// When it was last used.
    pub used: u64,
}

impl<K: Copy + Eq + Hash, V> FlowTable<K, V> {
    /// Takes flows that were saved, with their times, in place of those that there are: in the order of [`Self::iter`], the
    /// one that was used last at the end. Where there is no room for all, those that were used last are kept, whatever
    /// [`WhenFull`](super::WhenFull) says. Of two with the same key the first one counts.
    ///
    /// Needs four bytes of heap for each flow until it returns.
    ///
    /// # Errors
    ///
    /// The heap is too small for that. The table is empty.
    pub fn restore(&mut self, flows: impl ExactSizeIterator<Item = Saved<K, V>>) -> Result<(), NoMemory> {
        self.clear();
        let too_many = flows.len().saturating_sub(self.capacity());
        let mut by_age = room(flows.len() - too_many)?;
        let mut latest = 0;
        for Saved { key, value, created, used } in flows.skip(too_many) {
            // The list stands in the order of these times, which may have been kept more exactly than its own.
            latest = used.max(latest);
            let hash = self.hash(&key);
            if self.find(&key, hash).is_none()
                && let Some((at, _)) = self.make(hash, latest)
                && let Some(slot) = self.slots.get_mut(at as usize)
            {
                (slot.created, slot.used, slot.pair) = (created, latest, Some((key, value)));
                by_age.push(at);
            }
        }
        // Where keys collide, one may have gone for another, which may have its place.
        by_age.retain(|&at| self.slot(at).is_some_and(|slot| slot.pair.is_some()));
        by_age.sort_unstable();
        by_age.dedup();
        by_age.sort_unstable_by_key(|&at| self.slot(at).map(|slot| slot.created));
        self.lists[Which::Created as usize] = List::EMPTY;
        by_age.into_iter().for_each(|at| self.append(Which::Created, at));
        Ok(())
    }
}
