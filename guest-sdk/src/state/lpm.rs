//! The longest prefix that contains an address.

use super::prefix::{Address, Prefix};
use super::{NONE, NoMemory, TableFull, filled, room};
use alloc::vec::Vec;

/// A table of at most so many prefixes, each with a value, which finds the longest one that contains an address.
///
/// ```
/// use core::net::Ipv4Addr;
/// use perigee_guest::state::Lpm;
///
/// let mut routes = Lpm::<Ipv4Addr, &str>::new(100)?;
/// routes.replace([("0.0.0.0/0".parse()?, "default"), ("10.0.0.0/8".parse()?, "ours")])?;
/// routes.insert("10.1.0.0/16".parse()?, "lab")?;
/// assert_eq!(routes.lookup([10, 1, 2, 3].into()), Some(&"lab"));
/// assert_eq!(routes.lookup([10, 2, 2, 3].into()), Some(&"ours"));
/// assert_eq!(routes.lookup([9, 9, 9, 9].into()), Some(&"default"));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// **How.** The prefixes cut the addresses into ranges, of which there are at most twice as many as prefixes and one.
/// The ranges' first addresses stand sorted, each with the prefix that is the longest in it. A lookup is an index by the
/// address's upper bits (16 at most, fewer in small tables) and a binary search in what lies there.
///
/// Where prefixes come and go one by one, or there are very many, take a [`RouteTable`](super::RouteTable).
///
/// A trie of nodes was the alternative. Where its nodes are wide (DIR-24-8, strides of 8 bits) a table of a few thousand
/// prefixes of IPv6 takes tens of megabytes at worst, and no capacity can be promised in a bounded memory; where they are
/// compressed (poptrie, tree bitmap) they need an allocator of their own and move when they grow. The ranges take a
/// fixed number of bytes for each prefix ([`bytes`](Self::bytes)), lie in one piece, and are the same for IPv4 and IPv6.
///
/// **What it costs.** A lookup takes [`steps`](Self::steps) comparisons at most. A change writes all ranges anew, so it
/// costs as much as there are prefixes: fill a table with one [`replace`](Self::replace).
pub struct Lpm<A, V> {
    /// Sorted.
    entries: Vec<Entry<A, V>>,
    /// The first address of each range, sorted. The first range begins at 0.
    starts: Vec<A>,
    /// The entry that is the longest in each range.
    owners: Vec<u32>,
    /// For each number in the upper bits, the first range that begins there or behind; and one more.
    index: Vec<u32>,
    index_bits: u8,
    capacity: usize,
}

struct Entry<A, V> {
    prefix: Prefix<A>,
    /// Where it stood in the list that was given: of two entries for a prefix the later one counts.
    order: u32,
    value: V,
}

/// Longest way from the shortest prefix to the longest one: /0 to /128.
const DEPTH: usize = 129;

impl<A: Address, V> Lpm<A, V> {
    /// An empty table for at most `capacity` prefixes (2^30 where it is more).
    ///
    /// # Errors
    ///
    /// The heap is too small.
    pub fn new(capacity: usize) -> Result<Self, NoMemory> {
        let capacity = capacity.min(1 << 30);
        let index_bits = Self::index_bits(capacity);
        let mut table = Self {
            entries: room(capacity)?,
            starts: room(2 * capacity + 1)?,
            owners: room(2 * capacity + 1)?,
            index: filled((1 << index_bits) + 1, 0)?,
            index_bits,
            capacity,
        };
        table.rebuild();
        Ok(table)
    }

    /// The value of the longest prefix that contains an address.
    #[inline]
    #[must_use]
    pub fn lookup(&self, address: A) -> Option<&V> {
        self.entries.get(self.owner(address)).map(|entry| &entry.value)
    }

    /// The value of the longest prefix that contains an address, to be changed.
    #[inline]
    pub fn lookup_mut(&mut self, address: A) -> Option<&mut V> {
        let owner = self.owner(address);
        self.entries.get_mut(owner).map(|entry| &mut entry.value)
    }

    /// The longest prefix that contains an address, with its value.
    #[must_use]
    pub fn longest(&self, address: A) -> Option<(Prefix<A>, &V)> {
        self.entries.get(self.owner(address)).map(|entry| (entry.prefix, &entry.value))
    }

    /// The value of exactly this prefix.
    #[must_use]
    pub fn get(&self, prefix: Prefix<A>) -> Option<&V> {
        self.place(prefix).ok().and_then(|at| self.entries.get(at)).map(|entry| &entry.value)
    }

    /// The value of exactly this prefix, to be changed.
    pub fn get_mut(&mut self, prefix: Prefix<A>) -> Option<&mut V> {
        let at = self.place(prefix).ok()?;
        self.entries.get_mut(at).map(|entry| &mut entry.value)
    }

    /// Puts a prefix in; the value that it had comes back. Costs as much as there are prefixes.
    ///
    /// # Errors
    ///
    /// The table is full.
    pub fn insert(&mut self, prefix: Prefix<A>, value: V) -> Result<Option<V>, TableFull<V>> {
        match self.place(prefix) {
            Ok(at) => Ok(Some(core::mem::replace(&mut self.entries[at].value, value))),
            Err(_) if self.entries.len() >= self.capacity => Err(TableFull(value)),
            Err(at) => {
                self.entries.insert(at, Entry { prefix, order: 0, value });
                self.rebuild();
                Ok(None)
            }
        }
    }

    /// Takes a prefix out. Costs as much as there are prefixes.
    pub fn remove(&mut self, prefix: Prefix<A>) -> Option<V> {
        let at = self.place(prefix).ok()?;
        let entry = self.entries.remove(at);
        self.rebuild();
        Some(entry.value)
    }

    /// Replaces the whole table. Of two values for a prefix the later one counts. Sorting takes n log n steps for n
    /// prefixes.
    ///
    /// # Errors
    ///
    /// There are more prefixes than the table has places. It is as it was.
    pub fn replace<I>(&mut self, prefixes: I) -> Result<(), TableFull<()>>
    where
        I: IntoIterator<Item = (Prefix<A>, V), IntoIter: ExactSizeIterator>,
    {
        let prefixes = prefixes.into_iter();
        if prefixes.len() > self.capacity {
            return Err(TableFull(()));
        }
        self.entries.clear();
        // No more than there is room for, even of an iterator that counts wrongly.
        for (order, (prefix, value)) in (0..).zip(prefixes.take(self.capacity)) {
            self.entries.push(Entry { prefix, order, value });
        }
        self.entries.sort_unstable_by_key(|entry| (entry.prefix, core::cmp::Reverse(entry.order)));
        self.entries.dedup_by_key(|entry| entry.prefix);
        self.rebuild();
        Ok(())
    }

    /// Takes all prefixes out.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.rebuild();
    }

    /// All prefixes in order, with their values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Prefix<A>, &V)> {
        self.entries.iter().map(|entry| (entry.prefix, &entry.value))
    }

    /// Number of prefixes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Most prefixes that there can be.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Most comparisons of a lookup in the table as it is.
    #[must_use]
    pub fn steps(&self) -> u32 {
        let longest = self.index.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        u32::BITS - longest.leading_zeros()
    }

    /// Bytes of heap for a table of `capacity` prefixes.
    #[must_use]
    pub fn bytes(capacity: usize) -> usize {
        capacity * size_of::<Entry<A, V>>()
            + (2 * capacity + 1) * (size_of::<A>() + size_of::<u32>())
            + ((1 << Self::index_bits(capacity)) + 1) * size_of::<u32>()
    }

    /// As many bits as give each range a number of its own, if addresses are spread evenly.
    #[allow(clippy::cast_possible_truncation, reason = "16 at most")]
    fn index_bits(capacity: usize) -> u8 {
        (2 * capacity + 1).ilog2().min(16) as u8
    }

    /// Where a prefix stands, or where it would.
    fn place(&self, prefix: Prefix<A>) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&prefix, |entry| entry.prefix)
    }

    /// The entry of the longest prefix that contains an address; a number beyond all entries where there is none.
    #[inline]
    fn owner(&self, address: A) -> usize {
        let top = address.top(self.index_bits);
        let (from, to) = (self.index[top] as usize, self.index[top + 1] as usize);
        let inside = self.starts[from..to].partition_point(|&start| start <= address);
        // The first range begins at 0, so there is always one that begins at the address or before.
        self.owners[from + inside - 1] as usize
    }

    /// Writes the ranges anew.
    #[allow(clippy::cast_possible_truncation, reason = "there are at most 2^30 entries")]
    fn rebuild(&mut self) {
        self.starts.clear();
        self.owners.clear();
        // The prefixes around the place that we are at, from the shortest to the longest.
        let (mut around, mut depth) = ([0_u32; DEPTH], 0);
        self.begin(A::ZERO, NONE);
        for at in 0..self.entries.len() {
            let prefix = self.entries[at].prefix;
            while depth > 0 && !self.entries[around[depth - 1] as usize].prefix.contains(prefix.address()) {
                depth -= 1;
                self.end(&around, depth);
            }
            self.begin(prefix.address(), at as u32);
            around[depth] = at as u32;
            depth += 1;
        }
        while depth > 0 {
            depth -= 1;
            self.end(&around, depth);
        }
        let mut at = 0;
        for (top, first) in self.index.iter_mut().enumerate() {
            while self.starts.get(at).is_some_and(|start| start.top(self.index_bits) < top) {
                at += 1;
            }
            *first = at as u32;
        }
    }

    /// Ends the prefix that stands at `depth`: behind it, the one around it is the longest.
    fn end(&mut self, around: &[u32; DEPTH], depth: usize) {
        let owner = if depth == 0 { NONE } else { around[depth - 1] };
        if let Some(behind) = self.entries[around[depth] as usize].prefix.last().after() {
            self.begin(behind, owner);
        }
    }

    /// Begins a range. One that began at the same place has no address.
    fn begin(&mut self, start: A, owner: u32) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.owners.pop();
        }
        self.starts.push(start);
        self.owners.push(owner);
    }
}
