//! Many prefixes that change: the table of a router.

mod blocks;
mod each;
mod key;
mod layout;
mod memory;
mod node;
mod shortcut;
mod tree;

use super::prefix::{Address, Prefix};
use super::{NoMemory, TableFull};
use crate::Region;
use core::marker::PhantomData;
use key::{FIRST, Key, STRIDE, place};
use layout::{DEFAULT, LEN, Layout};
use memory::Memory;
use node::{Node, rank};
use shortcut::Shortcut;
use tree::{Tree, value_at};

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
/// **What it costs.** A change walks down as a lookup does, copies the children and the values of one node, and moves one block
/// of either at most: some 5 KiB, and no loop over prefixes.
///
/// **Where it lies.** In the heap, or [in the state region](Self::in_region), in which it goes to the next instance without a
/// copy.
///
/// DIR-24-8 was the alternative for IPv4: two accesses, but 32 MiB for the first one alone, a change of a short prefix that
/// writes millions of entries, and a second table to know what to write. Poptrie writes the same values into many leaves, so
/// short prefixes are slow as well.
pub struct RouteTable<A> {
    memory: Memory,
    shortcut: Option<Shortcut>,
    capacity: usize,
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
        Self::start(Memory::heap(Layout::<A>::words(capacity))?, capacity)
    }

    /// An empty table in the state region, or in a part of it, with as many places as it has room for
    /// ([`Self::bytes`]). For `init`, where the region is zeros. When the content of another instance's region has come into
    /// its place, which is in `restore`, call [`Self::adopt`].
    ///
    /// # Errors
    ///
    /// The region has no room for a single prefix.
    pub fn in_region(region: Region) -> Result<Self, NoMemory> {
        let memory = Memory::Region(region);
        let words = memory.words().len();
        match Layout::<A>::capacity(words) {
            0 => Err(NoMemory { bytes: Self::bytes(1) }),
            capacity => Self::start(memory, capacity.min(1 << 24)),
        }
    }

    fn start(mut memory: Memory, capacity: usize) -> Result<Self, NoMemory> {
        Layout::<A>::start(memory.words_mut());
        Ok(Self { memory, shortcut: None, capacity, family: PhantomData })
    }

    /// Says whether the region holds such a table, now that another instance's content has come into it. Where it does not,
    /// the table is empty.
    pub fn adopt(&mut self) -> bool {
        let is_table = Layout::<A>::is_table(self.memory.words());
        if let Some(shortcut) = &mut self.shortcut {
            shortcut.clear();
        }
        if !is_table {
            self.clear();
        }
        is_table
    }

    /// The number of the longest prefix that contains an address.
    #[inline]
    #[must_use]
    pub fn lookup(&self, address: A) -> Option<u32> {
        let (words, key) = (self.memory.words(), Key::of(address));
        let mut at = Layout::<A>::root(key);
        let mut best = (0, 0);
        loop {
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
        let mut at = Layout::<A>::root(key);
        loop {
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
    /// The table is full.
    pub fn insert(&mut self, prefix: Prefix<A>, value: u32) -> Result<Option<u32>, TableFull<u32>> {
        // Whether the prefix is there already need be known only where no other one may come.
        if self.len() >= self.capacity && self.get(prefix).is_none() {
            return Err(TableFull(value));
        }
        let words = self.memory.words_mut();
        let before = if prefix.len() == 0 {
            let before = core::mem::replace(&mut words[DEFAULT], u64::from(value) + 1);
            stored(before)
        } else {
            let key = Key::of(prefix.address());
            let place = place::<A>(key, prefix.len());
            Tree::<A>::new(words, self.shortcut.as_mut()).insert(key, place, value).ok_or(TableFull(value))?
        };
        words[LEN] += u64::from(before.is_none());
        Ok(before)
    }

    /// Takes a prefix out.
    pub fn remove(&mut self, prefix: Prefix<A>) -> Option<u32> {
        let words = self.memory.words_mut();
        let before = if prefix.len() == 0 {
            stored(core::mem::take(&mut words[DEFAULT]))
        } else {
            let key = Key::of(prefix.address());
            let place = place::<A>(key, prefix.len());
            Tree::<A>::new(words, self.shortcut.as_mut()).remove(key, place)
        };
        words[LEN] -= u64::from(before.is_some());
        before
    }

    /// Takes all prefixes out.
    pub fn clear(&mut self) {
        if let Some(shortcut) = &mut self.shortcut {
            shortcut.clear();
        }
        Layout::<A>::clear(self.memory.words_mut());
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
            if !self.visit_node(Layout::<A>::root(Key { hi, lo: 0 }), from, &mut visit) {
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
    #[allow(clippy::cast_possible_truncation, reason = "at most 2^24")]
    pub fn len(&self) -> usize {
        self.memory.words().get(LEN).copied().unwrap_or_default() as usize
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

    /// Bytes of heap, or of a region, for a table of `capacity` prefixes.
    #[must_use]
    pub const fn bytes(capacity: usize) -> usize {
        Layout::<A>::words(capacity) * size_of::<u64>()
    }

    fn default_value(&self) -> Option<u32> {
        stored(self.memory.words().get(DEFAULT).copied().unwrap_or_default())
    }
}

/// The value of the prefix of no bits, which is stored as one more.
#[allow(clippy::cast_possible_truncation, reason = "one more than a number of 32 bits")]
fn stored(word: u64) -> Option<u32> {
    word.checked_sub(1).map(|value| value as u32)
}

const _: () = assert!(FIRST == 1, "there is a root for each value of the first bit");
