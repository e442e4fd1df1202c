//! Many prefixes that change: the table of a router.

mod blocks;
mod each;
mod key;
mod layout;
mod left;
mod memory;
mod node;
mod shortcut;
mod tree;
mod turns;

use super::prefix::{Address, Prefix};
use super::{NoMemory, TableFull};
use crate::Region;
use crate::raw;
use core::marker::PhantomData;
use key::{FIRST, Key, STRIDE, place};
use layout::{DEFAULT, LEN, Layout};
use memory::{Memory, follow, load, publish, store};
use node::{Node, rank};
use perigee_abi::names;
use shortcut::Shortcut;
use tree::{Tree, value_at};
use turns::Turns;

/// A table of at most so many prefixes, each with a number, which finds the longest one that contains an address. Made for many
/// prefixes that change all the time: a change costs as much as a lookup or two, however many there are.
///
/// ```
/// use core::net::Ipv4Addr;
/// use perigee_guest::state::RouteTable;
///
/// let mut routes = RouteTable::<Ipv4Addr>::new(1_000)?;
/// routes.insert("0.0.0.0/0".parse()?, 1)?;
/// routes.insert("10.1.0.0/16".parse()?, 2)?;
/// assert_eq!(routes.lookup([10, 1, 2, 3].into()), Some(2));
/// assert_eq!(routes.lookup([10, 2, 2, 3].into()), Some(1));
/// assert_eq!(routes.remove("10.1.0.0/16".parse()?), Some(2));
/// assert_eq!(routes.lookup([10, 1, 2, 3].into()), Some(1));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// **How.** A tree bitmap (Eatherton, Varghese and Dittia, 2004) whose ways are compressed. A node stands for six bits of the
/// address: one word says which of its 64 children there are, one which of the 63 prefixes of 0 to 5 bits. Children lie one
/// behind the other, values too, so a node is 32 bytes for IPv4 and 48 for IPv6. A level at which nothing is decided has no
/// node. So a lookup looks at one node for each level on its way, 6 of IPv4 at most and 22 of IPv6, and at one value: with a
/// full table of the Internet that is 3 or 4 nodes for IPv4, of which all but the last lie in caches.
///
/// **Memory** is taken once, and the capacity is a promise for any prefixes: there are at most twice as many nodes as
/// prefixes, and blocks of children and values are allocated without gaps (where one is given back, the last one of its length
/// moves to its place). [`bytes`](Self::bytes) is some 88 for each prefix of IPv4, and 133 of IPv6; what a table of real routes
/// touches is a quarter of that.
///
/// **What it costs.** A change walks down as a lookup does, writes two blocks of children and one of values anew, and moves one of each
/// at most: some 8 KiB, and no loop over prefixes.
///
/// **Where it lies.** In the heap, or [in the state region](Self::in_region), in which it goes to the next instance without a
/// copy, and in which [other instances](Region::is_anothers) look up while one changes it: each finds it as it was before a change or after it.
/// There a change leaves blocks behind, which are used again once all who look have gone on; until then they take up to 2 MiB more
/// ([`region_bytes`](Self::region_bytes)). Ask [`Self::is_ready`] before changes.
///
/// DIR-24-8 was the alternative for IPv4: two accesses, but 32 MiB for the first one alone, a change of a short prefix that
/// writes millions of entries, and a second table to know what to write. Poptrie writes the same values into many leaves, so
/// short prefixes are slow as well.
pub struct RouteTable<A> {
    memory: Memory,
    shortcut: Option<Shortcut>,
    capacity: usize,
    turns: Turns,
    /// It is another instance's, to look up in.
    is_anothers: bool,
    family: PhantomData<A>,
}

impl<A: Address> RouteTable<A> {
    /// An empty table for at most `capacity` prefixes, in the heap (2^24 where it is more).
    ///
    /// # Errors
    ///
    /// The heap is too small.
    pub fn new(capacity: usize) -> Result<Self, NoMemory> {
        let capacity = capacity.min(1 << 24);
        let memory = Memory::heap(Layout::<A>::words(capacity))?;
        Layout::<A>::start(memory.words(), 0);
        Ok(Self { memory, shortcut: None, capacity, turns: Turns::Alone, is_anothers: false, family: PhantomData })
    }

    /// An empty table in the state region, or in a part of it, with as many places as it has room for
    /// ([`Self::region_bytes`]). For `init`, where the region is zeros. When the content of another instance's region has come into
    /// its place, which is in `restore`, call [`Self::adopt`].
    ///
    /// In [another instance's region](Region::is_anothers) it is the table there, to look up in: it takes no prefixes, and is empty as
    /// long as there is none ([`Self::is_there`]).
    ///
    /// # Errors
    ///
    /// The region has no room for a single prefix.
    pub fn in_region(region: Region) -> Result<Self, NoMemory> {
        let is_anothers = region.is_anothers();
        let memory = Memory::Region(region);
        let capacity = Layout::<A>::capacity(memory.words().len()).min(1 << 24);
        if capacity == 0 {
            return Err(NoMemory { bytes: Self::region_bytes(1) });
        }
        if !is_anothers {
            Layout::<A>::start(memory.words(), raw::region(names::REGION_TURN));
        }
        Ok(Self { memory, shortcut: None, capacity, turns: Turns::Shared, is_anothers, family: PhantomData })
    }

    /// Says whether the region holds such a table, now that another instance's content has come into it. Where it does not,
    /// the table is empty.
    pub fn adopt(&mut self) -> bool {
        let is_table = self.is_there();
        if let Some(shortcut) = &mut self.shortcut {
            shortcut.clear();
        }
        if !is_table && !self.is_anothers {
            Layout::<A>::clear(self.memory.words());
        }
        is_table
    }

    /// Whether there is a table: always, but where it is another instance's, which may not have made it yet.
    #[inline]
    #[must_use]
    pub fn is_there(&self) -> bool {
        Layout::<A>::is_table(self.memory.words())
    }

    /// Whether so many changes may be made now. Where others look up in the table: not as long as they have not gone on since changes
    /// before, nor while an instance that had the region before this one may go on with it. A table that is another instance's takes none.
    #[must_use]
    pub fn is_ready(&mut self, changes: usize) -> bool {
        if self.is_anothers || self.turns.are_shared() && raw::region(names::REGION_WHOSE) != names::REGION_OWN {
            return false;
        }
        Tree::<A>::new(self.memory.words(), self.shortcut.as_mut(), self.turns).reclaim();
        Layout::<A>::left(self.memory.words()).has_room(changes)
    }

    /// The number of the longest prefix that contains an address.
    #[inline]
    #[must_use]
    pub fn lookup(&self, address: A) -> Option<u32> {
        let (words, key) = (self.memory.words(), Key::of(address));
        let mut at = Layout::<A>::root(words, key);
        let mut best = (0, 0);
        while at != 0 {
            let node = Node::read::<A>(words, at);
            if !key.agrees::<A>(node.key, node.depth) {
                break;
            }
            let slot = key.slot::<A>(node.depth);
            if let Some(place) = node.longest(slot) {
                best = (node.values, rank(node.places, place));
            }
            let Some(below) = node.child::<A>(slot) else { break };
            at = below;
        }
        match best {
            (0, _) => self.default_value(),
            (block, index) => Some(value_at::<A>(words, block, index)),
        }
    }

    /// The longest prefix that contains an address, with its number. Slower than [`Self::lookup`].
    #[must_use]
    pub fn longest(&self, address: A) -> Option<(Prefix<A>, u32)> {
        (0..=A::BITS).rev().find_map(|len| {
            let prefix = Prefix::new(address, len)?;
            self.get(prefix).map(|value| (prefix, value))
        })
    }

    /// The number of exactly this prefix.
    #[must_use]
    pub fn get(&self, prefix: Prefix<A>) -> Option<u32> {
        if prefix.len() == 0 {
            return self.default_value();
        }
        let (words, key) = (self.memory.words(), Key::of(prefix.address()));
        let (depth, place) = place::<A>(key, prefix.len());
        let mut at = Layout::<A>::root(words, key);
        loop {
            if at == 0 {
                return None;
            }
            let node = Node::read::<A>(words, at);
            if node.depth >= depth {
                let is_here = node.depth == depth && node.key == key.first(depth) && node.places >> place & 1 != 0;
                return is_here.then(|| value_at::<A>(words, node.values, rank(node.places, place)));
            }
            at = node.child::<A>(key.slot::<A>(node.depth))?;
        }
    }

    /// Puts a prefix in; the number that it had comes back.
    ///
    /// # Errors
    ///
    /// The table is full, or another instance's; or others look up in it, and it [is not ready](Self::is_ready).
    pub fn insert(&mut self, prefix: Prefix<A>, value: u32) -> Result<Option<u32>, TableFull<u32>> {
        // Whether the prefix is there already need be known only where no other one may come.
        if !self.may_change() || (self.len() >= self.capacity && self.get(prefix).is_none()) {
            return Err(TableFull(value));
        }
        let words = self.memory.words();
        let before = if prefix.len() == 0 {
            let before = load(words, DEFAULT);
            publish(words, DEFAULT, u64::from(value) + 1);
            stored(before)
        } else {
            let key = Key::of(prefix.address());
            let place = place::<A>(key, prefix.len());
            let tree = Tree::<A>::new(words, self.shortcut.as_mut(), self.turns);
            tree.insert(key, place, value).ok_or(TableFull(value))?
        };
        store(words, LEN, load(words, LEN) + u64::from(before.is_none()));
        Ok(before)
    }

    /// Takes a prefix out. Nothing: it was not there; or the table is another instance's, or [is not ready](Self::is_ready).
    pub fn remove(&mut self, prefix: Prefix<A>) -> Option<u32> {
        if !self.may_change() {
            return None;
        }
        let words = self.memory.words();
        let before = if prefix.len() == 0 {
            let before = load(words, DEFAULT);
            publish(words, DEFAULT, 0);
            stored(before)
        } else {
            let key = Key::of(prefix.address());
            let place = place::<A>(key, prefix.len());
            Tree::<A>::new(words, self.shortcut.as_mut(), self.turns).remove(key, place)
        };
        store(words, LEN, load(words, LEN).saturating_sub(u64::from(before.is_some())));
        before
    }

    /// There is room for what one more change leaves behind.
    fn may_change(&self) -> bool {
        !self.is_anothers && (!self.turns.are_shared() || Layout::<A>::left(self.memory.words()).has_room(1))
    }

    /// Takes all prefixes out: of a table in the heap at once, in a region one by one.
    pub fn clear(&mut self) {
        if self.turns.are_shared() {
            let mut first = None;
            loop {
                self.visit(None, |prefix, _| {
                    first = Some(prefix);
                    false
                });
                if first.take().and_then(|prefix| self.remove(prefix)).is_none() {
                    return;
                }
            }
        }
        if let Some(shortcut) = &mut self.shortcut {
            shortcut.clear();
        }
        Layout::<A>::clear(self.memory.words());
    }

    /// Shows prefixes in order, from `from` on or from the first, until `visit` returns false. What lies before is passed over
    /// by the level, so the cost is that of what is shown, and some 64 steps for each level.
    pub fn visit(&self, from: Option<Prefix<A>>, mut visit: impl FnMut(Prefix<A>, u32) -> bool) {
        let from = from.map_or((Key::default(), 0), |prefix| (Key::of(prefix.address()), prefix.len()));
        let default = Prefix::new(A::ZERO, 0).zip(self.default_value());
        if let Some((prefix, value)) = default.filter(|_| from <= (Key::default(), 0))
            && !visit(prefix, value)
        {
            return;
        }
        for hi in [0, 1 << 63] {
            let root = Layout::<A>::root(self.memory.words(), Key { hi, lo: 0 });
            if root != 0 && !self.visit_node(root, from, &mut visit) {
                return;
            }
        }
    }

    /// As [`Self::visit`], of a node and what is below it; false: `visit` has had enough.
    fn visit_node(&self, at: u32, from: (Key, u8), visit: &mut impl FnMut(Prefix<A>, u32) -> bool) -> bool {
        let words = self.memory.words();
        let node = Node::read::<A>(words, at);
        for slot in 0..1 << STRIDE {
            let key = node.key.with_slot(node.depth, slot);
            // The prefixes that begin here, the shortest first; then those that are longer.
            for more in (0..STRIDE).filter(|more| slot.trailing_zeros() >= u32::from(STRIDE - more)) {
                let place = 1 << more | slot >> (STRIDE - more);
                let len = node.depth + more;
                if node.places >> place & 1 == 0 || (key, len) < from {
                    continue;
                }
                let value = value_at::<A>(words, node.values, rank(node.places, place));
                if !Prefix::new(key.address(), len).is_none_or(|prefix| visit(prefix, value)) {
                    return false;
                }
            }
            let is_before = key < from.0.first((node.depth + STRIDE).min(128));
            if let Some(below) = node.child::<A>(slot).filter(|_| !is_before)
                && !self.visit_node(below, from, visit)
            {
                return false;
            }
        }
        true
    }

    /// Number of prefixes.
    #[must_use]
    pub fn len(&self) -> usize {
        Layout::<A>::len(self.memory.words())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most prefixes that there can be.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of heap for a table of `capacity` prefixes.
    #[must_use]
    pub const fn bytes(capacity: usize) -> usize {
        Layout::<A>::words(capacity) * size_of::<u64>()
    }

    /// Bytes of a region for one, in which others may look up.
    #[must_use]
    pub const fn region_bytes(capacity: usize) -> usize {
        Layout::<A>::shared_words(capacity) * size_of::<u64>()
    }

    fn default_value(&self) -> Option<u32> {
        stored(follow(self.memory.words(), DEFAULT))
    }
}

/// The value of the prefix of no bits, which is stored as one more.
#[allow(clippy::cast_possible_truncation, reason = "one more than a number of 32 bits")]
fn stored(word: u64) -> Option<u32> {
    word.checked_sub(1).map(|value| value as u32)
}

const _: () = assert!(FIRST == 1, "there is a root for each value of the first bit");
