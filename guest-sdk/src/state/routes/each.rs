//! Many addresses of IPv4 at once.

use super::RouteTable;
use super::key::Key;
use super::layout::Layout;
use super::memory::{Word, load};
use super::node::Node;
use super::shortcut::{Entry, Shortcut, best, value};
use crate::state::NoMemory;
use core::net::Ipv4Addr;

/// So many addresses go through one step together: enough that memory answers for many at once, and little to keep.
const TOGETHER: usize = 64;

impl RouteTable<Ipv4Addr> {
    /// Adds a shortcut past the upper levels, 4 MiB of heap: [`Self::lookup_each`] then looks at it, at one node and at one value.
    /// It is filled when it is used, and each change forgets a part of it: 64 entries of 8 bytes for a prefix of 13 bits or more,
    /// and twice as many for each bit less.
    ///
    /// # Errors
    ///
    /// The heap is too small.
    pub fn with_shortcut(mut self) -> Result<Self, NoMemory> {
        self.shortcut = Some(Shortcut::new()?);
        Ok(self)
    }

    /// What [`Self::lookup`] finds for each of `addresses`, as numbers; `missing` where that is nothing. In steps that all take
    /// together, so that one waits for memory while the others do: for a burst of packets.
    ///
    /// ```
    /// use core::net::Ipv4Addr;
    /// use perigee_guest::state::RouteTable;
    ///
    /// let mut routes = RouteTable::<Ipv4Addr>::new(1_000)?.with_shortcut()?;
    /// routes.insert("10.1.0.0/16".parse()?, 7)?;
    /// let mut found = [0; 2];
    /// routes.lookup_each(&[0x0a01_0203, 0x0a02_0203], &mut found, u32::MAX);
    /// assert_eq!(found, [7, u32::MAX]);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn lookup_each(&mut self, addresses: &[u32], found: &mut [u32], missing: u32) {
        let is_table = !self.is_anothers || self.is_there();
        let otherwise = self.default_value().filter(|_| is_table).unwrap_or(missing);
        let Some(shortcut) = &mut self.shortcut else {
            for (found, address) in found.iter_mut().zip(addresses) {
                *found = self.lookup(Ipv4Addr::from_bits(*address)).unwrap_or(missing);
            }
            return;
        };
        let words = self.memory.words();
        if self.is_anothers {
            if !is_table {
                return found.fill(missing);
            }
            shortcut.follow(Layout::<Ipv4Addr>::left(words));
        }
        for (addresses, found) in addresses.chunks(TOGETHER).zip(found.chunks_mut(TOGETHER)) {
            together(words, shortcut, addresses, found, otherwise);
        }
    }
}

fn together(words: &[Word], shortcut: &mut Shortcut, addresses: &[u32], found: &mut [u32], otherwise: u32) {
    let mut entries = [Entry { node: 0, best: 0 }; TOGETHER];
    for (entry, address) in entries.iter_mut().zip(addresses) {
        *entry = shortcut.get::<Ipv4Addr>(words, key(*address));
    }
    ask_for(words, &entries);
    for (entry, address) in entries.iter_mut().zip(addresses) {
        if entry.node != 0 {
            walk(words, key(*address), entry);
        }
    }
    for (entry, found) in entries.iter().zip(found) {
        *found = if entry.best == 0 { otherwise } else { value(words, entry.best) };
    }
}

/// Reads a word of each node, which lies in one line of the cache, and decides nothing by it: so all of them are asked for at once, which
/// they are not where a branch that was taken for another waits for each.
#[inline(always)]
fn ask_for(words: &[Word], entries: &[Entry]) {
    let seen = entries.iter().fold(0, |seen, entry| seen ^ load(words, entry.node as usize));
    // Nobody needs it, which the compiler must not know.
    core::hint::black_box(seen);
}

/// Goes on from a node to the longest prefix.
#[inline(always)]
fn walk(words: &[Word], key: Key, entry: &mut Entry) {
    let mut at = entry.node;
    loop {
        let node = Node::read::<Ipv4Addr>(words, at);
        if !key.agrees::<Ipv4Addr>(node.key, node.depth) {
            return;
        }
        let slot = key.slot::<Ipv4Addr>(node.depth);
        entry.best = best(&node, slot).unwrap_or(entry.best);
        let Some(below) = node.child::<Ipv4Addr>(slot) else { return };
        at = below;
    }
}

#[inline(always)]
fn key(address: u32) -> Key {
    Key { hi: u64::from(address) << 32, lo: 0 }
}
