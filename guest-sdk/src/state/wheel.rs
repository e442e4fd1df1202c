//! Timers.

use super::{NONE, NoMemory, TableFull, filled, room};
use alloc::vec::Vec;
use core::mem::replace;

/// Bits of a tick that one level tells apart: as many slots as a word has bits.
const BITS: u32 = 6;
/// Slots of a level.
const SLOTS: usize = 1 << BITS;
/// Levels that tell all ticks of 64 bits apart.
const LEVELS: usize = 11;
/// The list of timers whose slot has been reached: they run, or go down to a finer level.
const REACHED: usize = LEVELS * SLOTS;

/// A hierarchical timer wheel: at most so many things to do, each at its time.
///
/// ```
/// use perigee_guest::state::{MILLISECOND, Wheel};
///
/// let mut timers = Wheel::<&str>::new(100, MILLISECOND)?;
/// let retry = timers.schedule(5 * MILLISECOND, "retry")?;
/// timers.schedule(3 * MILLISECOND, "keepalive")?;
/// let mut due = Vec::new();
/// timers.advance(4 * MILLISECOND, 64, |what| due.push(what));
/// assert_eq!(due, ["keepalive"]);
/// assert_eq!(timers.cancel(retry), Some("retry"));
/// assert_eq!(timers.advance(9 * MILLISECOND, 64, |what| due.push(what)), 0);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// Time runs in ticks. A timer's tick is the first one that is not before its time, so it never runs early; it runs in
/// the first call of [`advance`](Self::advance) at or after that tick. Timers of different ticks run in their order.
///
/// There are eleven levels of 64 slots. A timer waits in the slot of the highest digit, to the base of 64, in which its
/// tick differs from now, and goes down a level when that digit is reached: ten times at most, for the tick of a timer
/// in the far future. Slots without timers are skipped by a bit map, so time may jump as far as it likes.
/// [`schedule`](Self::schedule) and [`cancel`](Self::cancel) take the same few steps however many timers there are.
pub struct Wheel<T> {
    nodes: Vec<Node<T>>,
    /// The first free node; free ones are chained.
    free: u32,
    /// The first node of each slot, and of the list of those reached. Lists are rings: before the first is the last.
    heads: Vec<u32>,
    /// For each level, which slots have timers.
    occupied: [u64; LEVELS],
    /// The tick that was reached.
    reached: u64,
    resolution: u64,
    capacity: usize,
    len: usize,
}

struct Node<T> {
    previous: u32,
    next: u32,
    /// Counts how often the place was used, so that an old [`Timer`] names nothing.
    generation: u32,
    /// The slot that it was put into; it may have gone with all of it to the list of those reached.
    slot: u16,
    tick: u64,
    token: Option<T>,
}

/// A timer that was scheduled: to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    at: u32,
    generation: u32,
}

impl<T> Wheel<T> {
    /// A wheel for at most `capacity` timers (2^30 where it is more), with ticks of `resolution` nanoseconds (1 where it
    /// is 0).
    ///
    /// # Errors
    ///
    /// The heap is too small.
    pub fn new(capacity: usize, resolution: u64) -> Result<Self, NoMemory> {
        let capacity = capacity.min(1 << 30);
        Ok(Self {
            nodes: room(capacity)?,
            free: NONE,
            heads: filled(REACHED + 1, NONE)?,
            occupied: [0; LEVELS],
            reached: 0,
            resolution: resolution.max(1),
            capacity,
            len: 0,
        })
    }

    /// Has [`advance`](Self::advance) give `token` at the time `at`.
    ///
    /// # Errors
    ///
    /// There are as many timers as there can be. The token comes back.
    #[inline]
    pub fn schedule(&mut self, at: u64, token: T) -> Result<Timer, TableFull<T>> {
        if self.len >= self.capacity {
            return Err(TableFull(token));
        }
        let tick = at.div_ceil(self.resolution);
        let (at, generation) = match self.nodes.get_mut(self.free as usize) {
            Some(node) => {
                node.tick = tick;
                node.token = Some(token);
                let generation = node.generation;
                let next = node.next;
                (replace(&mut self.free, next), generation)
            }
            None => {
                // The capacity is below 2^30, and the room was reserved when the wheel was made.
                let at = u32::try_from(self.nodes.len()).unwrap_or(NONE);
                self.nodes.push(Node { previous: at, next: at, generation: 0, slot: 0, tick, token: Some(token) });
                (at, 0)
            }
        };
        self.len += 1;
        self.put(at, tick);
        Ok(Timer { at, generation })
    }

    /// Calls a timer off. Its token comes back; nothing where it has run or was called off before.
    #[inline]
    pub fn cancel(&mut self, timer: Timer) -> Option<T> {
        let node = self.nodes.get(timer.at as usize)?;
        if node.generation != timer.generation || node.token.is_none() {
            return None;
        }
        let slot = if self.heads[REACHED] == timer.at { REACHED } else { node.slot.into() };
        self.unlink(slot, timer.at);
        self.release(timer.at)
    }

    /// Goes on to the time `now` and gives the tokens of all timers that are due to `each`, in at most `limit` steps.
    /// Returns the number of steps; `limit` means that there may be more to do, which the next call does first.
    ///
    /// A step runs one timer or takes it a level down.
    pub fn advance(&mut self, now: u64, limit: usize, mut each: impl FnMut(T)) -> usize {
        let target = now / self.resolution;
        let mut steps = 0;
        loop {
            while let Some(node) = self.nodes.get(self.heads[REACHED] as usize) {
                if steps == limit {
                    return steps;
                }
                steps += 1;
                let (at, tick) = (self.heads[REACHED], node.tick);
                self.unlink(REACHED, at);
                if tick > self.reached {
                    self.put(at, tick);
                } else if let Some(token) = self.release(at) {
                    each(token);
                }
            }
            match self.next_slot() {
                Some((slot, tick)) if tick <= target => {
                    self.reached = tick;
                    self.heads[REACHED] = replace(&mut self.heads[slot], NONE);
                    self.occupied[slot / SLOTS] &= !(1 << (slot % SLOTS));
                }
                _ => {
                    self.reached = self.reached.max(target);
                    return steps;
                }
            }
        }
    }

    /// Number of timers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Most timers that there can be.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of heap for a wheel of `capacity` timers.
    #[must_use]
    pub const fn bytes(capacity: usize) -> usize {
        capacity * size_of::<Node<T>>() + (REACHED + 1) * size_of::<u32>()
    }

    /// The earliest slot with timers, and its first tick. A finer level's slots all come before those of a coarser one,
    /// which lie behind the finer one's end.
    #[inline]
    fn next_slot(&self) -> Option<(usize, u64)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        let slot = self.occupied[level].trailing_zeros() as usize;
        let shift = BITS * u32::try_from(level).unwrap_or(0);
        let above = u64::MAX.checked_shl(shift + BITS).unwrap_or(0);
        Some((level * SLOTS + slot, self.reached & above | (slot as u64) << shift))
    }

    /// Puts a node into the slot of its tick.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "there are 705 slots")]
    fn put(&mut self, at: u32, tick: u64) {
        let slot = if tick <= self.reached {
            REACHED
        } else {
            let level = (tick ^ self.reached).ilog2() / BITS;
            let slot = (tick >> (level * BITS)) as usize % SLOTS;
            self.occupied[level as usize] |= 1 << slot;
            level as usize * SLOTS + slot
        };
        let head = self.heads[slot];
        let last = self.nodes.get(head as usize).map(|node| node.previous);
        let (previous, next) = (last.unwrap_or(at), if last.is_some() { head } else { at });
        if let Some(node) = self.nodes.get_mut(at as usize) {
            (node.previous, node.next, node.slot) = (previous, next, slot as u16);
        }
        if last.is_some() {
            self.nodes[previous as usize].next = at;
            self.nodes[next as usize].previous = at;
        } else {
            self.heads[slot] = at;
        }
    }

    /// Takes a node out of the list of a slot.
    #[inline]
    fn unlink(&mut self, slot: usize, at: u32) {
        let Some(&Node { previous, next, .. }) = self.nodes.get(at as usize) else { return };
        self.nodes[previous as usize].next = next;
        self.nodes[next as usize].previous = previous;
        if self.heads[slot] == at {
            self.heads[slot] = if next == at { NONE } else { next };
            if next == at && slot < REACHED {
                self.occupied[slot / SLOTS] &= !(1 << (slot % SLOTS));
            }
        }
    }

    /// Gives a node back that is in no list.
    #[inline]
    fn release(&mut self, at: u32) -> Option<T> {
        let node = self.nodes.get_mut(at as usize)?;
        node.generation = node.generation.wrapping_add(1);
        node.next = self.free;
        self.free = at;
        self.len -= 1;
        node.token.take()
    }
}
