//! Packets that a module keeps: found again by slot and generation, freed when they get too old.

use hashlink::LinkedHashMap;
use std::hash::RandomState;

/// One held packet.
#[derive(Debug)]
struct Entry<P> {
    packet: P,
    generation: u32,
    since_ns: u64,
    /// It was handed over by the instance before.
    inherited: bool,
}

/// The packets that one instance holds, oldest first. Their number is bounded, so after the first use of its nodes the
/// map allocates nothing. What stands for a packet (`P`) is a handle of DPDK's, in a trial a number.
#[derive(Debug)]
pub struct Held<P> {
    by_slot: LinkedHashMap<u32, Entry<P>, RandomState>,
    quota: usize,
    max_age_ns: u64,
}

impl<P> Held<P> {
    /// For at most `quota` packets, each for at most `max_age_ns`.
    pub fn new(quota: u32, max_age_ns: u64) -> Self {
        let quota = quota as usize;
        Self { by_slot: LinkedHashMap::with_capacity_and_hasher(quota, RandomState::new()), quota, max_age_ns }
    }

    /// Packets held now.
    #[inline]
    pub fn len(&self) -> usize {
        self.by_slot.len()
    }

    /// None is held.
    pub fn is_empty(&self) -> bool {
        self.by_slot.is_empty()
    }

    /// Most packets that can be held.
    pub fn quota(&self) -> u32 {
        u32::try_from(self.quota).unwrap_or(u32::MAX)
    }

    /// Takes a packet in custody; gives it back where the quota is used up.
    pub fn keep(&mut self, slot: u32, generation: u32, packet: P, now_ns: u64) -> Result<(), P> {
        if self.by_slot.len() >= self.quota {
            return Err(packet);
        }
        self.by_slot.insert(slot, Entry { packet, generation, since_ns: now_ns, inherited: false });
        Ok(())
    }

    /// Hands all packets over to the instance that takes this one's place, which has none yet. They may be more than it may
    /// hold. Returns how many.
    pub fn hand_over(&mut self, to: &mut Self) -> usize {
        debug_assert!(to.by_slot.is_empty());
        std::mem::swap(&mut self.by_slot, &mut to.by_slot);
        to.by_slot.values_mut().for_each(|entry| entry.inherited = true);
        to.by_slot.len()
    }

    /// Takes back what is left of what was handed over; what the other has taken in since stays there.
    pub fn take_back(&mut self, from: &mut Self) {
        let all: Vec<_> = from.by_slot.drain().collect();
        for (slot, entry) in all {
            let to = if entry.inherited { &mut *self } else { &mut *from };
            to.by_slot.insert(slot, Entry { inherited: false, ..entry });
        }
    }

    /// All of them, oldest first.
    pub fn packets(&self) -> impl Iterator<Item = &P> {
        self.by_slot.values().map(|entry| &entry.packet)
    }

    /// Whether the packet in this slot is in custody.
    pub fn has(&self, slot: u32) -> bool {
        self.by_slot.contains_key(&slot)
    }

    /// The packet of this identity, to give away.
    pub fn take(&mut self, slot: u32, generation: u32) -> Option<P> {
        self.by_slot.get(&slot).filter(|e| e.generation == generation)?;
        self.by_slot.remove(&slot).map(|e| e.packet)
    }

    /// The oldest packet, where it is too old.
    pub fn expired(&mut self, now_ns: u64) -> Option<P> {
        let (_, oldest) = self.by_slot.front()?;
        if now_ns.saturating_sub(oldest.since_ns) <= self.max_age_ns {
            return None;
        }
        self.by_slot.pop_front().map(|(_, e)| e.packet)
    }

    /// Any packet, until there is none.
    pub fn pop(&mut self) -> Option<P> {
        self.by_slot.pop_front().map(|(_, e)| e.packet)
    }
}
