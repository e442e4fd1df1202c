//! The neighbours of all links: IPv4's by ARP (RFC 826), IPv6's by neighbour discovery (RFC 4861), by one set of rules.
//!
//! The table has a fixed size. Neighbours that are not found yet have a part of it to themselves, in which the oldest goes for a
//! new one: so whoever scans a link's addresses pushes out other questions, and never a neighbour (RFC 6583).

mod news;
mod rules;

use crate::fib::{Place, room};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use perigee_guest::seed_mix;
use perigee_guest::state::{MILLISECOND, NoMemory, Timer, Wheel};
use perigee_guest::wire::Mac;
pub(crate) use rules::{Heard, Step, TIMERS};

/// Stands for "none" where an index is kept.
pub(crate) const NONE: u32 = u32::MAX;
/// How exact the timers are.
const RESOLUTION: u64 = 10 * MILLISECOND;
/// How many neighbours are looked at for one that nobody uses, where the table is full.
const LOOKED_AT: usize = 64;

/// What is known of a neighbour (RFC 4861, section 7.3.2). What is called Delay there is a part of Stale: after a while as stale,
/// one that was used meanwhile is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody.
    Free,
    /// It was asked for, and has not answered yet.
    Incomplete,
    /// It has answered lately.
    Reachable,
    /// It has not, and nobody has asked.
    Stale,
    /// It is asked whether it is still there.
    Probe,
    /// The operator said so.
    Permanent,
}

/// A neighbour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbour {
    pub(crate) place: Place,
    pub(crate) mac: Mac,
    pub(crate) state: State,
    /// How often it was asked.
    pub(crate) tries: u8,
    /// Packets that wait for it.
    pub(crate) waiting: u8,
    /// When it was used last.
    pub(crate) used: u64,
    /// When it was last heard that it might be somebody else.
    doubted: u64,
    timer: Option<Timer>,
    /// Somebody is still to be told of it.
    is_news: bool,
    /// The next one with the same hash, or free.
    next: u32,
}

/// How large the table is, and how long is waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) neighbours: usize,
    pub(crate) unresolved: usize,
    /// For how long a neighbour that answered counts as reachable, in nanoseconds.
    pub(crate) reachable: u64,
}

/// The table.
pub(crate) struct Neighbours {
    all: Vec<Neighbour>,
    /// Counts whenever a neighbour may have changed: what was read of one before is read again.
    changes: u64,
    buckets: Vec<u32>,
    free: u32,
    /// Those that are incomplete, the oldest first.
    unresolved: VecDeque<u32>,
    timers: Wheel<u32>,
    /// Before this time no timer is looked for.
    next_look: u64,
    limits: Limits,
    seed: u64,
    /// How many are not free.
    count: usize,
    /// Where was looked last for one that nobody uses.
    hand: usize,
    /// Those of whom others are to be told, where there are others.
    news: Option<News>,
}

/// Neighbours that have come, changed or gone, in this order.
struct News {
    places: VecDeque<Place>,
    most: usize,
    /// There were more.
    is_lost: bool,
}

impl Neighbours {
    pub(crate) fn new(limits: Limits, seed: u64) -> Result<Self, NoMemory> {
        let mut buckets = room(limits.neighbours.next_power_of_two())?;
        buckets.resize(limits.neighbours.next_power_of_two(), NONE);
        let mut unresolved = VecDeque::new();
        let bytes = limits.unresolved * size_of::<u32>();
        unresolved.try_reserve_exact(limits.unresolved).map_err(|_| NoMemory { bytes })?;
        let timers = Wheel::new(limits.neighbours, RESOLUTION)?;
        let all = room(limits.neighbours)?;
        Ok(Self {
            all,
            changes: 1,
            buckets,
            free: NONE,
            unresolved,
            timers,
            next_look: 0,
            limits,
            seed,
            count: 0,
            hand: 0,
            news: None,
        })
    }

    /// Where a neighbour stands.
    #[inline]
    pub(crate) fn find(&self, place: Place) -> Option<u32> {
        let mut at = *self.buckets.get(self.bucket(place))?;
        while let Some(neighbour) = self.get(at) {
            if neighbour.place == place {
                return Some(at);
            }
            at = neighbour.next;
        }
        None
    }

    #[inline]
    pub(crate) fn get(&self, at: u32) -> Option<&Neighbour> {
        self.all.get(at as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: u32) -> Option<&mut Neighbour> {
        self.changes += 1;
        self.all.get_mut(at as usize)
    }

    /// The MAC address of a neighbour at `at`, if it is the one that is meant and may be sent to; it is used at `now`.
    #[inline]
    pub(crate) fn use_at(&mut self, at: u32, place: Place, now: u64) -> Option<Mac> {
        let neighbour = self.all.get_mut(at as usize)?;
        if neighbour.place != place || matches!(neighbour.state, State::Free | State::Incomplete) {
            return None;
        }
        neighbour.used = now;
        Some(neighbour.mac)
    }

    /// How often neighbours may have changed, from 1. Without a change, [`Self::use_at`] gives what it gave.
    #[inline]
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// The neighbour at `at` is used at `now`, which [`Self::use_at`] has found since the last change.
    #[inline]
    pub(crate) fn use_again(&mut self, at: u32, now: u64) {
        if let Some(neighbour) = self.all.get_mut(at as usize) {
            neighbour.used = now;
        }
    }

    /// One more packet waits for a neighbour.
    pub(crate) fn add_waiting(&mut self, place: Place) {
        if let Some(neighbour) = self.find(place).and_then(|at| self.get_mut(at)) {
            neighbour.waiting = neighbour.waiting.saturating_add(1);
        }
    }

    /// All that there are.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Neighbour> {
        self.all.iter().filter(|neighbour| neighbour.state != State::Free)
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn unresolved(&self) -> usize {
        self.unresolved.len()
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "fewer than 2^32 buckets")]
    fn bucket(&self, place: Place) -> usize {
        let (upper, lower) = ((place.address >> 64) as u64, place.address as u64);
        // Twice, so that who chooses both halves of an address cannot choose the bucket.
        let hash = seed_mix(seed_mix(self.seed ^ upper).wrapping_add(lower ^ u64::from(place.port) << 48));
        hash as usize & (self.buckets.len() - 1)
    }

    /// A new place in the table, of a neighbour of which nothing is known. `evicts`: one that nobody has used goes for it.
    fn make(&mut self, place: Place, evicts: Evicts, now: u64) -> Option<u32> {
        if self.free == NONE && self.all.len() >= self.limits.neighbours && evicts == Evicts::Unused {
            self.evict_unused();
        }
        let new = Neighbour {
            place,
            mac: Mac([0; 6]),
            state: State::Stale,
            tries: 0,
            waiting: 0,
            used: now,
            doubted: 0,
            timer: None,
            is_news: false,
            next: NONE,
        };
        self.changes += 1;
        let at = match self.get(self.free) {
            Some(free) => {
                let at = self.free;
                self.free = free.next;
                self.all[at as usize] = new;
                at
            }
            None if self.all.len() < self.limits.neighbours => {
                self.all.push(new);
                u32::try_from(self.all.len() - 1).ok()?
            }
            None => return None,
        };
        let bucket = self.bucket(place);
        self.all[at as usize].next = self.buckets[bucket];
        self.buckets[bucket] = at;
        self.count += 1;
        Some(at)
    }

    /// Takes a neighbour out.
    pub(crate) fn remove(&mut self, at: u32) {
        let Some(gone) = self.get(at).copied() else { return };
        if gone.state == State::Free {
            return;
        }
        self.settle(at);
        self.stop_timer(at);
        if gone.state != State::Incomplete {
            self.note(gone.place);
        }
        let bucket = self.bucket(gone.place);
        if self.buckets[bucket] == at {
            self.buckets[bucket] = gone.next;
        } else {
            let mut before = self.buckets[bucket];
            while let Some(neighbour) = self.get_mut(before) {
                if neighbour.next == at {
                    neighbour.next = gone.next;
                    break;
                }
                before = neighbour.next;
            }
        }
        self.changes += 1;
        let nobody = Place { port: u16::MAX, address: 0 };
        self.all[at as usize] = Neighbour { place: nobody, state: State::Free, next: self.free, waiting: 0, ..gone };
        self.free = at;
        self.count -= 1;
    }

    /// Of the next few, the stale one goes that was not used for longest.
    fn evict_unused(&mut self) {
        let len = self.all.len();
        let seen = (0..LOOKED_AT.min(len)).map(|step| (self.hand + step) % len);
        let stale = seen.filter(|&at| self.all[at].state == State::Stale);
        let oldest = stale.min_by_key(|&at| self.all[at].used).and_then(|at| u32::try_from(at).ok());
        self.hand = (self.hand + LOOKED_AT) % len.max(1);
        if let Some(at) = oldest {
            self.remove(at);
        }
    }

    /// It is not among the unresolved any more.
    fn settle(&mut self, at: u32) {
        if self.get(at).is_some_and(|neighbour| neighbour.state == State::Incomplete) {
            self.unresolved.retain(|other| *other != at);
        }
    }

    fn set_timer(&mut self, at: u32, due: u64) {
        self.stop_timer(at);
        let timer = self.timers.schedule(due, at).ok();
        if let Some(neighbour) = self.get_mut(at) {
            neighbour.timer = timer;
        }
    }

    fn stop_timer(&mut self, at: u32) {
        if let Some(timer) = self.get_mut(at).and_then(|neighbour| neighbour.timer.take()) {
            self.timers.cancel(timer);
        }
    }
}

/// Whether a new neighbour may take the place of another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Evicts {
    Unused,
    Nobody,
}
