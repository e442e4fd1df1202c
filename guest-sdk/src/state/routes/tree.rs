//! Changes of the tree.
//!
//! A change takes blocks first, then links them, and gives others back last: then one block may move, and every offset that is
//! still at hand may be wrong.

use super::blocks::{Blocks, Moved};
use super::key::{FIRST, Key, STRIDE, level_of};
use super::layout::Layout;
use super::node::{Node, rank};
use super::shortcut::Shortcut;
use crate::state::prefix::Address;
use core::marker::PhantomData;

/// The tree, to be changed.
pub(super) struct Tree<'a, A> {
    words: &'a mut [u64],
    /// Forgets what a node that is written says.
    shortcut: Option<&'a mut Shortcut>,
    family: PhantomData<A>,
}

/// Where a walk down to a node ended.
struct Way {
    at: u32,
    /// The node above; the root is above itself.
    above: u32,
}

impl<'a, A: Address> Tree<'a, A> {
    const NODE: u32 = Layout::<A>::NODE;

    pub(super) fn new(words: &'a mut [u64], shortcut: Option<&'a mut Shortcut>) -> Self {
        Self { words, shortcut, family: PhantomData }
    }

    /// Puts a value at a place of the level at `depth`. Nothing where there is no memory; then nothing has changed.
    pub(super) fn insert(&mut self, key: Key, (depth, place): (u8, u32), value: u32) -> Option<Option<u32>> {
        let mut at = Layout::<A>::root(key);
        loop {
            let node = self.read(at);
            if node.depth == depth {
                return self.insert_value(at, &node, place, value);
            }
            let slot = key.slot::<A>(node.depth);
            let Some(below) = node.child::<A>(slot) else {
                let leaf = self.leaf(key, depth, place, value)?;
                return self.add_child(at, &node, slot, &leaf).map(|()| None);
            };
            let child = self.read(below);
            let same = key.common(child.key);
            let nearer = depth.min(child.depth);
            if same < u32::from(nearer) {
                self.fork(below, &child, u8::try_from(same).unwrap_or(0), (key, depth, place, value))?;
                return Some(None);
            }
            if depth < child.depth {
                self.put_above(below, &child, (key, depth, place, value))?;
                return Some(None);
            }
            at = below;
        }
    }

    /// Takes the value at a place out.
    pub(super) fn remove(&mut self, key: Key, (depth, place): (u8, u32)) -> Option<u32> {
        let way = self.find(key, depth)?;
        let node = self.read(way.at);
        let value = self.remove_value(way.at, &node, place)?;
        self.tidy(key, depth);
        Some(value)
    }

    fn read(&self, at: u32) -> Node {
        Node::read::<A>(self.words, at)
    }

    /// Each change of a node, of where it lies or of where its blocks lie comes through here, for this node or the one above.
    fn write(&mut self, at: u32, node: &Node) {
        if let Some(shortcut) = &mut self.shortcut {
            shortcut.forget(node.key, node.depth);
        }
        node.write::<A>(self.words, at);
    }

    fn blocks(&mut self) -> Blocks<'_> {
        Layout::<A>::blocks(self.words)
    }

    /// The node of exactly this level.
    fn find(&self, key: Key, depth: u8) -> Option<Way> {
        let root = Layout::<A>::root(key);
        let mut way = Way { at: root, above: root };
        loop {
            let node = self.read(way.at);
            if node.depth >= depth {
                return (node.depth == depth && node.key == key.first(depth)).then_some(way);
            }
            way = Way { at: node.child::<A>(key.slot::<A>(node.depth))?, above: way.at };
        }
    }

    /// A node with one prefix.
    fn leaf(&mut self, key: Key, depth: u8, place: u32, value: u32) -> Option<Node> {
        let mut leaf = Node { key: key.first(depth), depth, places: 1 << place, ..Node::default() };
        leaf.values = self.take_values(1)?;
        self.own(&leaf);
        set_value::<A>(self.words, leaf.values, 0, value);
        Some(leaf)
    }

    /// Writes into a block of values whose it is, so that who moves it finds the node.
    fn own(&mut self, node: &Node) {
        let both = [node.key.hi, node.key.lo];
        let owner = Layout::<A>::OWNER;
        self.words[node.values as usize..][..owner].copy_from_slice(&both[..owner]);
    }

    fn insert_value(&mut self, at: u32, node: &Node, place: u32, value: u32) -> Option<Option<u32>> {
        let (count, index) = (node.places.count_ones(), rank(node.places, place));
        if node.places >> place & 1 != 0 {
            let before = value_at::<A>(self.words, node.values, index);
            set_value::<A>(self.words, node.values, index, value);
            return Some(Some(before));
        }
        let mut new = Node { places: node.places | 1 << place, ..*node };
        let moves = Layout::<A>::value_words(count) != Layout::<A>::value_words(count + 1);
        if moves {
            new.values = self.take_values(count + 1)?;
            self.own(&new);
        }
        for from in (0..count).rev() {
            let to = if from < index { from } else { from + 1 };
            let value = value_at::<A>(self.words, node.values, from);
            set_value::<A>(self.words, new.values, to, value);
        }
        set_value::<A>(self.words, new.values, index, value);
        self.write(at, &new);
        if moves {
            self.give_values(node.values, count);
        }
        Some(None)
    }

    fn remove_value(&mut self, at: u32, node: &Node, place: u32) -> Option<u32> {
        if node.places >> place & 1 == 0 {
            return None;
        }
        let (count, index) = (node.places.count_ones(), rank(node.places, place));
        let gone = value_at::<A>(self.words, node.values, index);
        let mut new = Node { places: node.places & !(1 << place), ..*node };
        let moves = Layout::<A>::value_words(count) != Layout::<A>::value_words(count - 1);
        if moves {
            new.values = if count == 1 { 0 } else { self.take_values(count - 1)? };
        }
        if moves && count > 1 {
            self.own(&new);
        }
        for to in 0..count - 1 {
            let from = if to < index { to } else { to + 1 };
            let value = value_at::<A>(self.words, node.values, from);
            set_value::<A>(self.words, new.values, to, value);
        }
        self.write(at, &new);
        if moves {
            self.give_values(node.values, count);
        }
        Some(gone)
    }

    /// Puts a node between one and what is above it, for a prefix that is shorter.
    fn put_above(&mut self, at: u32, child: &Node, (key, depth, place, value): (Key, u8, u32, u32)) -> Option<()> {
        let children = self.take_children(1)?;
        let Some(leaf) = self.leaf(key, depth, place, value) else {
            self.give_children(children, 1);
            return None;
        };
        self.write(children, child);
        let slots = 1 << child.key.slot::<A>(depth);
        self.write(at, &Node { slots, children, ..leaf });
        Some(())
    }

    /// Puts a node between one and what is above it, where the ways of two prefixes part behind `same` bits.
    fn fork(&mut self, at: u32, child: &Node, same: u8, new: (Key, u8, u32, u32)) -> Option<()> {
        let (key, depth, place, value) = new;
        let level = level_of(same.max(FIRST));
        let children = self.take_children(2)?;
        let Some(leaf) = self.leaf(key, depth, place, value) else {
            self.give_children(children, 2);
            return None;
        };
        let (old_slot, new_slot) = (child.key.slot::<A>(level), key.slot::<A>(level));
        let (old_at, new_at) = if old_slot < new_slot { (0, Self::NODE) } else { (Self::NODE, 0) };
        self.write(children + old_at, child);
        self.write(children + new_at, &leaf);
        let slots = 1 << old_slot | 1 << new_slot;
        self.write(at, &Node { slots, children, key: key.first(level), depth: level, ..Node::default() });
        Some(())
    }

    fn add_child(&mut self, at: u32, node: &Node, slot: u32, child: &Node) -> Option<()> {
        let (count, index) = (node.slots.count_ones(), rank(node.slots, slot));
        let Some(children) = self.take_children(count + 1) else {
            self.give_values(child.values, 1);
            return None;
        };
        self.copy_nodes(node.children, children, index);
        self.copy_nodes(node.children + index * Self::NODE, children + (index + 1) * Self::NODE, count - index);
        self.write(children + index * Self::NODE, child);
        self.write(at, &Node { slots: node.slots | 1 << slot, children, ..*node });
        self.give_children(node.children, count);
        Some(())
    }

    fn remove_child(&mut self, at: u32, node: &Node, slot: u32) -> Option<()> {
        let (count, index) = (node.slots.count_ones(), rank(node.slots, slot));
        let children = if count == 1 { 0 } else { self.take_children(count - 1)? };
        if count > 1 {
            self.copy_nodes(node.children, children, index);
            let behind = node.children + (index + 1) * Self::NODE;
            self.copy_nodes(behind, children + index * Self::NODE, count - 1 - index);
        }
        self.write(at, &Node { slots: node.slots & !(1 << slot), children, ..*node });
        self.give_children(node.children, count);
        Some(())
    }

    /// Takes out nodes that have no prefix any more and do not part ways, from this one up.
    fn tidy(&mut self, key: Key, mut depth: u8) {
        while let Some(way) = self.find(key, depth) {
            let node = self.read(way.at);
            if node.depth == FIRST || node.places != 0 || node.slots.count_ones() > 1 {
                break;
            }
            if node.slots != 0 {
                let only = self.read(node.children);
                self.write(way.at, &only);
                self.give_children(node.children, 1);
                break;
            }
            let above = self.read(way.above);
            depth = above.depth;
            if self.remove_child(way.above, &above, key.slot::<A>(above.depth)).is_none() {
                break;
            }
        }
    }

    fn copy_nodes(&mut self, from: u32, to: u32, count: u32) {
        let len = (count * Self::NODE) as usize;
        self.words.copy_within(from as usize..from as usize + len, to as usize);
    }

    fn take_children(&mut self, count: u32) -> Option<u32> {
        let (class, len) = Layout::<A>::children_class(count);
        self.blocks().take(class, len)
    }

    fn give_children(&mut self, block: u32, count: u32) {
        if count == 0 {
            return;
        }
        let (class, len) = Layout::<A>::children_class(count);
        if let Some(moved) = self.blocks().give_back(class, len, block) {
            let key = self.read(moved.to).key;
            self.relink(key, moved, |node| &mut node.children);
        }
    }

    fn take_values(&mut self, count: u32) -> Option<u32> {
        let (class, len) = Layout::<A>::values_class(count);
        self.blocks().take(class, len)
    }

    fn give_values(&mut self, block: u32, count: u32) {
        if count == 0 {
            return;
        }
        let (class, len) = Layout::<A>::values_class(count);
        if let Some(moved) = self.blocks().give_back(class, len, block) {
            let owner = &self.words[moved.to as usize..];
            let key = Key { hi: owner[0], lo: if Layout::<A>::OWNER > 1 { owner[1] } else { 0 } };
            self.relink(key, moved, |node| &mut node.values);
        }
    }

    /// Tells the node whose block has moved. It lies on the way to `key`.
    fn relink(&mut self, key: Key, moved: Moved, link: fn(&mut Node) -> &mut u32) {
        let mut at = Layout::<A>::root(key);
        loop {
            let mut node = self.read(at);
            if *link(&mut node) == moved.from {
                *link(&mut node) = moved.to;
                self.write(at, &node);
                return;
            }
            let Some(below) = node.child::<A>(key.slot::<A>(node.depth)) else { return };
            at = below;
        }
    }
}

/// A value of a block: two in a word, behind the owner.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "one half of the word")]
pub(super) fn value_at<A: Address>(words: &[u64], block: u32, index: u32) -> u32 {
    let at = block as usize + Layout::<A>::OWNER + (index / 2) as usize;
    (words.get(at).copied().unwrap_or_default() >> (index % 2 * 32)) as u32
}

fn set_value<A: Address>(words: &mut [u64], block: u32, index: u32, value: u32) {
    let at = block as usize + Layout::<A>::OWNER + (index / 2) as usize;
    let shift = index % 2 * 32;
    words[at] = words[at] & !(0xffff_ffff << shift) | u64::from(value) << shift;
}

const _: () = assert!(STRIDE == 6, "a level's places and slots are bits of a word");
