//! A table of flows.

mod burst;
pub(crate) mod hasher;
mod limits;
mod list;
mod numbers;
mod restore;

pub use hasher::FlowHash;
pub use limits::{FlowLimits, WhenFull};
pub use restore::Saved;

use super::{NONE, NoMemory, filled, room};
use alloc::vec::Vec;
use core::hash::Hash;
use list::{Link, List, Which};

/// Most flows in one chain of the hash table. With no more flows than chains, a chain of even half that length is all
/// but impossible unless keys are chosen to collide; so this bounds the work of a packet and costs nothing.
const CHAIN_MAX: usize = 32;

/// A hash table of at most so many flows, each with a key, a value, and the times when it was made and last used.
///
/// ```
/// use perigee_guest::state::{FlowLimits, FlowTable, SECOND};
///
/// // At most 1,000 flows; one that is not used for 30 seconds is forgotten.
/// let mut packets = FlowTable::<u64, u32>::new(FlowLimits::new(1_000, 7).idle(30 * SECOND))?;
/// for (now, key) in [(0, 5), (1, 9), (2, 5)] {
///     if let Some(found) = packets.find_or_insert(key, now, || 0) {
///         *found.value += 1;
///     }
/// }
/// assert_eq!((packets.get(&5), packets.get(&9), packets.get(&1)), (Some(&2), Some(&1), None));
///
/// // In `process` at most 64 with each batch, and in `tick` what is left.
/// let mut forgotten = 0;
/// packets.expire(40 * SECOND, 64, |_key, _value| forgotten += 1);
/// assert_eq!((forgotten, packets.len()), (2, 0));
/// # Ok::<(), perigee_guest::state::NoMemory>(())
/// ```
///
/// **Time.** Flows stand in a list in the order of their last use, and in another in the order in which they were made.
/// So what is due is at the head of a list: nothing is searched, and [`expire`](Self::expire) costs as much as there is
/// to forget. A flow that is due stays and can be used again until `expire` takes it out.
///
/// **Hashing** mixes the key's words with a fixed seed (splitmix64), so that a run can be repeated. Who knows the seed can choose keys that
/// collide; what it costs is bounded: a chain has 32 flows at most, and the next one that would go there is treated as
/// if the table were full (counted by [`crowded`](Self::crowded)). So an attack costs flows, never time. Give the seed
/// of the instance ([`Setup::seed`](crate::Setup::seed)), and the run a `seed` of its own that nobody else knows.
pub struct FlowTable<K, V> {
    /// The first flow of each chain.
    chains: Vec<u32>,
    slots: Vec<Slot<K, V>>,
    /// The first free slot; free ones are chained.
    free: u32,
    lists: [List; 2],
    limits: FlowLimits,
    len: u32,
    clock: u64,
    /// Flows that were made where flows have to go, or soon will: the clock of [`Slot::seen`] and [`Slot::moved`].
    made: u32,
    evicted: u64,
    refused: u64,
    crowded: u64,
}

/// Where a flow is, or nothing.
struct Slot<K, V> {
    hash: u32,
    /// The next flow of the same chain.
    next: u32,
    links: [Link; 2],
    /// How many flows had been made when it was last used, and when it was last moved to the end of the list.
    seen: u32,
    moved: u32,
    created: u64,
    /// When it was last moved to the end of the list: within `resolution` of its last use.
    used: u64,
    pair: Option<(K, V)>,
}

/// A flow that was found or made.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<'a, K, V> {
    /// Its value.
    pub value: &'a mut V,
    /// Whether it was made just now.
    pub is_new: bool,
    /// The flow that had to go for it.
    pub evicted: Option<(K, V)>,
}

/// A flow of a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Flow<'a, K, V> {
    /// Its key.
    pub key: &'a K,
    /// Its value.
    pub value: &'a V,
    /// When it was made.
    pub created: u64,
    /// When it was last used, to the table's resolution: at that time or by so much later.
    pub used: u64,
}

impl<K: Copy + Eq + Hash, V> FlowTable<K, V> {
    /// An empty table.
    ///
    /// # Errors
    ///
    /// The heap is too small.
    pub fn new(limits: FlowLimits) -> Result<Self, NoMemory> {
        let capacity = limits.capacity();
        Ok(Self {
            chains: filled((capacity as usize).next_power_of_two(), NONE)?,
            slots: room(capacity as usize)?,
            free: NONE,
            lists: [List::EMPTY; 2],
            limits,
            len: 0,
            clock: 0,
            made: 0,
            evicted: 0,
            refused: 0,
            crowded: 0,
        })
    }

    /// The value of a flow, without using it: it does not live longer for that.
    #[inline]
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let at = self.find(key, self.hash(key))?;
        self.slot(at)?.pair.as_ref().map(|(_, value)| value)
    }

    /// The value of a flow that is used now.
    #[inline]
    pub fn get_mut(&mut self, key: &K, now: u64) -> Option<&mut V> {
        let at = self.find(key, self.hash(key))?;
        self.touch(at, now);
        self.value(at)
    }

    /// The value of a flow that is used now; where there is none, `make` gives its first value. Nothing where there is no
    /// room for it ([`WhenFull::Refuse`]).
    #[inline]
    pub fn find_or_insert(&mut self, key: K, now: u64, make: impl FnOnce() -> V) -> Option<Found<'_, K, V>> {
        let hash = self.hash(&key);
        if let Some(at) = self.find(&key, hash) {
            self.touch(at, now);
            return self.value(at).map(|value| Found { value, is_new: false, evicted: None });
        }
        let (at, evicted) = self.make(hash, now)?;
        let slot = self.slots.get_mut(at as usize)?;
        let (_, value) = slot.pair.insert((key, make()));
        Some(Found { value, is_new: true, evicted })
    }

    /// Takes a flow out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(key, self.hash(key))?;
        self.take(at).map(|(_, value)| value)
    }

    /// Takes out flows that have not been used for longer than they may, or that have lived for longer than they may, at
    /// most `limit` of them, the longest due first. Returns how many; `limit` means that there may be more.
    ///
    /// Costs as much as flows are taken out.
    pub fn expire(&mut self, now: u64, limit: usize, mut each: impl FnMut(K, V)) -> usize {
        let now = self.tell(now);
        let mut count = 0;
        while count < limit {
            let Some(at) = self.due(now) else { break };
            let Some((key, value)) = self.take(at) else { break };
            each(key, value);
            count += 1;
        }
        count
    }

    /// All flows, the one that was used last at the end.
    pub fn iter(&self) -> impl Iterator<Item = Flow<'_, K, V>> {
        let mut at = self.lists[Which::Used as usize].head;
        core::iter::from_fn(move || {
            let slot = self.slot(at)?;
            at = slot.links[Which::Used as usize].next;
            let (key, value) = slot.pair.as_ref()?;
            Some(Flow { key, value, created: slot.created, used: slot.used })
        })
    }

    /// Takes all flows out.
    pub fn clear(&mut self) {
        self.chains.fill(NONE);
        self.slots.clear();
        self.free = NONE;
        self.lists = [List::EMPTY; 2];
        self.len = 0;
    }
}

impl<K: Copy + Eq + Hash, V> FlowTable<K, V> {
    #[inline]
    fn hash(&self, key: &K) -> u32 {
        self.hash_of(key).0
    }

    /// The chain of a hash.
    #[inline]
    fn chain(&self, hash: u32) -> usize {
        hash as usize & (self.chains.len() - 1)
    }

    #[inline]
    fn slot(&self, at: u32) -> Option<&Slot<K, V>> {
        self.slots.get(at as usize)
    }

    #[inline]
    fn value(&mut self, at: u32) -> Option<&mut V> {
        self.slots.get_mut(at as usize)?.pair.as_mut().map(|(_, value)| value)
    }

    #[inline(always)]
    fn find(&self, key: &K, hash: u32) -> Option<u32> {
        let mut at = self.chains[self.chain(hash)];
        while let Some(slot) = self.slot(at) {
            if slot.hash == hash && slot.pair.as_ref().is_some_and(|(known, _)| known == key) {
                return Some(at);
            }
            at = slot.next;
        }
        None
    }

    /// The time, which never goes back.
    #[inline]
    fn tell(&mut self, now: u64) -> u64 {
        self.clock = self.clock.max(now);
        self.clock
    }

    /// Notes that a flow is used. Moving it to the end of the list touches its neighbours, so a flow that was moved a
    /// moment ago stays where it is: in time, and in flows that were made since, so that none comes near the list's head
    /// that is in use.
    #[inline]
    fn touch(&mut self, at: u32, now: u64) {
        let (now, made) = (self.tell(now), self.made);
        let Some(slot) = self.slots.get_mut(at as usize) else { return };
        if slot.seen != made {
            slot.seen = made;
        }
        let is_due = now.saturating_sub(slot.used) >= self.limits.step();
        if is_due || made.wrapping_sub(slot.moved) >= self.limits.turn() {
            (slot.used, slot.moved) = (now, made);
            self.unlink(Which::Used, at);
            self.append(Which::Used, at);
        }
    }

    /// A slot for a new flow, in its chain and lists; and the flow that had to go for it.
    #[inline(never)]
    fn make(&mut self, hash: u32, now: u64) -> Option<(u32, Option<(K, V)>)> {
        let now = self.tell(now);
        let evicted = self.make_room(hash)?;
        let at = match self.slot(self.free).map(|slot| slot.next) {
            Some(next) => core::mem::replace(&mut self.free, next),
            None => u32::try_from(self.slots.len()).ok()?,
        };
        let chain = self.chain(hash);
        let next = core::mem::replace(&mut self.chains[chain], at);
        let (seen, moved) = (self.made, self.made);
        let slot = Slot { hash, next, links: [Link::EMPTY; 2], seen, moved, created: now, used: now, pair: None };
        match self.slots.get_mut(at as usize) {
            Some(free) => *free = slot,
            // The room was reserved when the table was made, so this never allocates.
            None => self.slots.push(slot),
        }
        self.append(Which::Used, at);
        self.append(Which::Created, at);
        self.len += 1;
        Some((at, evicted))
    }

    /// Sees to it that a flow with this hash can be made. Nothing where it cannot.
    fn make_room(&mut self, hash: u32) -> Option<Option<(K, V)>> {
        let (mut length, mut at) = (0, self.chains[self.chain(hash)]);
        let (mut oldest, mut age) = (at, 0);
        while let Some(slot) = self.slot(at) {
            length += 1;
            // Of flows that were used between the same two, the one that stands further back in the chain was made before.
            if self.made.wrapping_sub(slot.seen) >= age {
                (oldest, age) = (at, self.made.wrapping_sub(slot.seen));
            }
            at = slot.next;
        }
        let is_full = self.len >= self.limits.capacity();
        if self.len >= self.limits.pressed() || length >= CHAIN_MAX / 2 {
            self.made = self.made.wrapping_add(1);
        }
        if !is_full && length < CHAIN_MAX {
            return Some(None);
        }
        self.crowded += u64::from(!is_full);
        if self.limits.policy() == WhenFull::Refuse || self.limits.capacity() == 0 {
            self.refused += 1;
            return None;
        }
        self.evicted += 1;
        // A full chain gives up one of its own also where the table is full, so that it does not grow.
        let goes = if length < CHAIN_MAX { self.lists[Which::Used as usize].head } else { oldest };
        Some(self.take(goes))
    }

    /// A flow whose time is over.
    fn due(&self, now: u64) -> Option<u32> {
        let used = self.lists[Which::Used as usize].head;
        // The flow may have been used until a step after it was moved in the list.
        let idle = self.limits.idle_ns().saturating_add(self.limits.step());
        if self.slot(used).is_some_and(|slot| now.saturating_sub(slot.used) >= idle) {
            return Some(used);
        }
        let created = self.lists[Which::Created as usize].head;
        let is_over =
            self.slot(created).is_some_and(|slot| now.saturating_sub(slot.created) >= self.limits.lifetime_ns());
        is_over.then_some(created)
    }

    /// Takes a flow out.
    fn take(&mut self, at: u32) -> Option<(K, V)> {
        let slot = self.slots.get_mut(at as usize)?;
        let pair = slot.pair.take()?;
        let (hash, next) = (slot.hash, core::mem::replace(&mut slot.next, self.free));
        let chain = self.chain(hash);
        if self.chains[chain] == at {
            self.chains[chain] = next;
        } else {
            let mut before = self.chains[chain];
            while let Some(slot) = self.slots.get_mut(before as usize) {
                if slot.next == at {
                    slot.next = next;
                    break;
                }
                before = slot.next;
            }
        }
        self.unlink(Which::Used, at);
        self.unlink(Which::Created, at);
        self.free = at;
        self.len -= 1;
        Some(pair)
    }
}
