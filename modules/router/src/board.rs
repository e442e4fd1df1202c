//! What fast instances read in the slow one's region beside the tables of routes: next hops, groups of them, and how often routes have
//! changed.
//!
//! A route that is found has the number of a next hop, which says where a neighbour is. Each change of what a number says is counted, and
//! written before a route has the number; so who has found a route looks at the count, and then knows what the number says. A number says
//! something else only once nobody is called any more who may have found it before.

use crate::fib::{GROUPS, Group, HOPS, Hop, Link, Place};
use alloc::vec::Vec;
use perigee_guest::Region;
use perigee_guest::state::SharedWords;

/// How often a number has got another meaning, and how often routes have changed.
const COUNT: usize = 0;
const CHANGES: usize = 1;
/// Next hops: address, in two halves, and port (and one; 0: there is none).
const FIRST_HOP: usize = 8;
const OF_HOP: usize = 3;
/// Groups: numbers of next hops, 16 bits each, and how many there are.
const FIRST_GROUP: usize = FIRST_HOP + OF_HOP * HOPS;
const OF_GROUP: usize = 3;

/// Bytes of it.
pub(crate) const LEN: usize = (FIRST_GROUP + OF_GROUP * GROUPS) * size_of::<u64>();

pub(crate) struct Board {
    words: SharedWords,
    /// The count when it was read last.
    seen: u64,
}

#[allow(clippy::cast_possible_truncation, reason = "takes words apart")]
impl Board {
    pub(crate) fn new(region: Region) -> Self {
        let mut words = SharedWords::new(region);
        if !words.are_anothers() {
            // Other numbers than those of an instance before this one.
            let life = words.next_turn();
            words.set(COUNT, life << 32 | 1);
        }
        Self { words, seen: 0 }
    }

    pub(crate) fn is_anothers(&self) -> bool {
        self.words.are_anothers()
    }

    /// Whether changes are seen by those who read them.
    pub(crate) fn is_open(&self) -> bool {
        self.words.are_open()
    }

    /// From now on nobody finds a number of which no route is left. The turn, which all have to reach before it says something else.
    pub(crate) fn next_turn(&mut self) -> u64 {
        self.words.next_turn()
    }

    pub(crate) fn reached(&self) -> u64 {
        self.words.reached()
    }

    pub(crate) fn set_hop(&mut self, number: usize, place: Place) {
        let at = FIRST_HOP + OF_HOP * number;
        self.words.set(at, place.address as u64);
        self.words.set(at + 1, (place.address >> 64) as u64);
        self.words.set(at + 2, u64::from(place.port) + 1);
        self.count();
    }

    pub(crate) fn set_group(&mut self, number: usize, group: &Group) {
        let at = FIRST_GROUP + OF_GROUP * number;
        let word = |hops: &[u16]| hops.iter().rev().fold(0, |word, hop| word << 16 | u64::from(*hop));
        self.words.set(at, word(&group.hops[..4]));
        self.words.set(at + 1, word(&group.hops[4..]));
        self.words.set(at + 2, group.count.into());
        self.count();
    }

    fn count(&mut self) {
        self.words.set(COUNT, self.words.get(COUNT).wrapping_add(1));
    }

    /// How often routes have changed.
    pub(crate) fn changes(&self) -> u64 {
        self.words.get(CHANGES)
    }

    pub(crate) fn set_changes(&mut self, changes: u64) {
        self.words.set(CHANGES, changes);
    }

    /// Some number says something else than when it was read.
    #[inline(always)]
    pub(crate) fn is_news(&self) -> bool {
        self.words.get(COUNT) != self.seen
    }

    /// All is to be read anew.
    pub(crate) fn forget(&mut self) {
        self.seen = 0;
    }

    /// Reads what all numbers say.
    #[cold]
    #[inline(never)]
    pub(crate) fn read(&mut self, hops: &mut Vec<Hop>, groups: &mut Vec<Group>) {
        // What is written meanwhile is counted behind this, and no route that was found has it yet.
        self.seen = self.words.get(COUNT);
        for number in 0..HOPS {
            let at = FIRST_HOP + OF_HOP * number;
            let port = self.words.get(at + 2);
            if port == 0 {
                break;
            }
            let address = u128::from(self.words.get(at)) | u128::from(self.words.get(at + 1)) << 64;
            let place = Place { port: (port - 1) as u16, address };
            match hops.get_mut(number) {
                Some(hop) if hop.place == place => {}
                Some(hop) => *hop = Hop::new(place),
                None => hops.push(Hop::new(place)),
            }
        }
        for number in 0..GROUPS {
            let at = FIRST_GROUP + OF_GROUP * number;
            let count = self.words.get(at + 2) as u8;
            if count == 0 {
                break;
            }
            let both = [self.words.get(at), self.words.get(at + 1)];
            let hop = |n: usize| (both[n / 4] >> (n % 4 * 16)) as u16;
            let group = Group { hops: core::array::from_fn(hop), count, ..Group::default() };
            match groups.get_mut(number) {
                Some(place) => *place = group,
                None => groups.push(group),
            }
        }
    }
}

impl Hop {
    /// One that nobody uses yet.
    pub(crate) fn new(place: Place) -> Self {
        Self { place, users: 0, since: 0, seen_at: u32::MAX, link: Link::default() }
    }
}
