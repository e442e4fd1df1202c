//! Changes of the tree, while others may look up in it.
//!
//! A change writes new blocks, then the one word that leads to them, and leaves those that were there behind. Who looks meanwhile
//! finds all as it was or all as it is: nothing else is written of what can be reached, but a value in its place.

use super::key::{FIRST, Key, STRIDE, level_of};
use super::layout::{GAPS, Layout};
use super::left::Waiting;
use super::memory::{Word, copy, follow, load, publish, store};
use super::node::{LINKS, Node, rank};
use super::shortcut::{GROUP, Shortcut};
use super::turns::Turns;
use crate::state::prefix::Address;
use core::marker::PhantomData;

/// Most blocks of a class that one change moves.
const MOVES: u32 = 2;

/// The tree, to be changed.
pub(super) struct Tree<'a, A> {
    words: &'a [Word],
    /// Forgets what a node that is written says.
    shortcut: Option<&'a mut Shortcut>,
    turns: Turns,
    /// Classes of which blocks have become gaps, as bits.
    touched: u128,
    family: PhantomData<A>,
}

/// A node in its place: of `count` nodes of a block, to which the word at `link` leads.
#[derive(Clone, Copy)]
struct Spot {
    at: u32,
    link: u32,
    count: u32,
}

/// A prefix that comes: its level, its place there, and its value.
type New = (Key, u8, u32, u32);

impl<'a, A: Address> Tree<'a, A> {
    const NODE: u32 = Layout::<A>::NODE;

    pub(super) fn new(words: &'a [Word], shortcut: Option<&'a mut Shortcut>, turns: Turns) -> Self {
        Self { words, shortcut, turns, touched: 0, family: PhantomData }
    }

    /// Puts a value at a place of the level at `depth`. Nothing where there is no memory; then nothing has changed.
    pub(super) fn insert(mut self, key: Key, (depth, place): (u8, u32), value: u32) -> Option<Option<u32>> {
        let before = self.put(key, depth, place, value);
        self.finish();
        before
    }

    fn put(&mut self, key: Key, depth: u8, place: u32, value: u32) -> Option<Option<u32>> {
        let mut spot = self.root(key);
        loop {
            let node = self.read(spot.at);
            if node.depth == depth {
                return self.insert_value(spot, &node, place, value);
            }
            let slot = key.slot::<A>(node.depth);
            let Some(below) = Self::below(spot, &node, slot) else {
                let leaf = self.leaf(key, depth, place, value)?;
                return self.or_give_up(&leaf, |tree| tree.add_child(spot, &node, slot, &leaf)).map(|()| None);
            };
            let child = self.read(below.at);
            let same = key.common(child.key);
            let nearer = depth.min(child.depth);
            let new = (key, depth, place, value);
            if same < u32::from(nearer) {
                return self.fork(below, &child, u8::try_from(same).unwrap_or(0), new).map(|()| None);
            }
            if depth < child.depth {
                return self.put_above(below, &child, new).map(|()| None);
            }
            spot = below;
        }
    }

    /// Takes the value at a place out.
    pub(super) fn remove(mut self, key: Key, (depth, place): (u8, u32)) -> Option<u32> {
        let (spot, _) = self.find(key, depth)?;
        let node = self.read(spot.at);
        let value = self.remove_value(spot, &node, place);
        if value.is_some() {
            self.tidy(key, depth);
        }
        self.finish();
        value
    }

    /// Uses again what nobody looks at any more.
    pub(super) fn reclaim(mut self) {
        self.finish();
    }

    fn read(&self, at: u32) -> Node {
        Node::read::<A>(self.words, at)
    }

    fn root(&self, key: Key) -> Spot {
        Spot { at: Layout::<A>::root(self.words, key), link: Layout::<A>::root_link(key), count: 1 }
    }

    /// The child for a slot of the node at a spot.
    fn below(spot: Spot, node: &Node, slot: u32) -> Option<Spot> {
        let at = node.child::<A>(slot)?;
        Some(Spot { at, link: spot.at + LINKS, count: node.slots.count_ones() })
    }

    /// What is remembered of a node, or of what is below it, is to be forgotten: here, and wherever else somebody remembers it.
    fn forget(&mut self, key: Key, depth: u8) {
        if let Some(shortcut) = &mut self.shortcut {
            shortcut.forget(key, depth);
        }
        if self.turns.are_shared() && A::BITS <= 32 {
            Layout::<A>::left(self.words).forget(key, depth);
        }
    }

    /// Nodes lie elsewhere now.
    fn forget_places(&mut self, block: u32, count: u32) {
        let mut last = None;
        for n in 0..count {
            let node = self.read(block + n * Self::NODE);
            let group = node.key.first(GROUP);
            if node.depth > GROUP && last.replace(group) != Some(group) {
                self.forget(group, GROUP);
            }
        }
    }

    /// Puts a node in the place of another: by a copy of its block.
    fn replace(&mut self, spot: Spot, node: &Node) -> Option<()> {
        let block = self.half(spot.link, false);
        let new = self.take_children(spot.count)?;
        copy(self.words, block, new, spot.count * Self::NODE);
        node.write::<A>(self.words, new + (spot.at - block));
        self.lead(spot.link, false, new);
        self.forget(node.key, node.depth);
        self.forget_places(new, spot.count);
        self.leave_children(block, spot.count);
        Some(())
    }

    /// Where the word at `link` leads: to children, or to values.
    #[allow(clippy::cast_possible_truncation, reason = "one half of the word")]
    fn half(&self, link: u32, values: bool) -> u32 {
        (load(self.words, link as usize) >> (u32::from(values) * 32)) as u32
    }

    fn lead(&self, link: u32, values: bool, to: u32) {
        let shift = u32::from(values) * 32;
        let word = load(self.words, link as usize) & !(0xffff_ffff << shift) | u64::from(to) << shift;
        publish(self.words, link as usize, word);
    }

    /// The node of exactly this level, and the one above it (of the root: itself).
    fn find(&self, key: Key, depth: u8) -> Option<(Spot, Spot)> {
        let mut spot = self.root(key);
        let mut above = spot;
        loop {
            let node = self.read(spot.at);
            if node.depth >= depth {
                return (node.depth == depth && node.key == key.first(depth)).then_some((spot, above));
            }
            above = spot;
            spot = Self::below(spot, &node, key.slot::<A>(node.depth))?;
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

    /// Makes a change with a new leaf; where that has no memory, the leaf goes.
    fn or_give_up(&mut self, leaf: &Node, change: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let done = change(self);
        if done.is_none() {
            self.give_up(Layout::<A>::values_class(1).0, leaf.values);
        }
        done
    }

    /// Writes into a block of values whose it is, so that who moves it finds the node.
    fn own(&self, node: &Node) {
        let both = [node.key.hi, node.key.lo];
        (0..Layout::<A>::OWNER).for_each(|n| store(self.words, node.values as usize + n, both[n]));
    }

    fn insert_value(&mut self, spot: Spot, node: &Node, place: u32, value: u32) -> Option<Option<u32>> {
        let (count, index) = (node.places.count_ones(), rank(node.places, place));
        if node.places >> place & 1 != 0 {
            let before = value_at::<A>(self.words, node.values, index);
            set_value::<A>(self.words, node.values, index, value);
            return Some(Some(before));
        }
        let values = self.take_values(count + 1)?;
        let new = Node { places: node.places | 1 << place, values, ..*node };
        self.own(&new);
        for from in 0..count {
            let to = if from < index { from } else { from + 1 };
            set_value::<A>(self.words, values, to, value_at::<A>(self.words, node.values, from));
        }
        set_value::<A>(self.words, values, index, value);
        if self.replace(spot, &new).is_none() {
            self.give_up(Layout::<A>::values_class(count + 1).0, values);
            return None;
        }
        self.leave_values(node.values, count);
        Some(None)
    }

    fn remove_value(&mut self, spot: Spot, node: &Node, place: u32) -> Option<u32> {
        if node.places >> place & 1 == 0 {
            return None;
        }
        let (count, index) = (node.places.count_ones(), rank(node.places, place));
        let gone = value_at::<A>(self.words, node.values, index);
        let values = if count == 1 { 0 } else { self.take_values(count - 1)? };
        let new = Node { places: node.places & !(1 << place), values, ..*node };
        if count > 1 {
            self.own(&new);
        }
        for to in 0..count - 1 {
            let from = if to < index { to } else { to + 1 };
            set_value::<A>(self.words, values, to, value_at::<A>(self.words, node.values, from));
        }
        if self.replace(spot, &new).is_none() {
            if count > 1 {
                self.give_up(Layout::<A>::values_class(count - 1).0, values);
            }
            return None;
        }
        self.leave_values(node.values, count);
        Some(gone)
    }

    /// Puts a node between one and what is above it, for a prefix that is shorter.
    fn put_above(&mut self, spot: Spot, child: &Node, (key, depth, place, value): New) -> Option<()> {
        let leaf = self.leaf(key, depth, place, value)?;
        self.or_give_up(&leaf, |tree| {
            let slots = 1 << child.key.slot::<A>(depth);
            tree.hang(spot, &[*child], |children| Node { slots, children, ..leaf })
        })
    }

    /// Puts a node between one and what is above it, where the ways of two prefixes part behind `same` bits.
    fn fork(&mut self, spot: Spot, child: &Node, same: u8, (key, depth, place, value): New) -> Option<()> {
        let level = level_of(same.max(FIRST));
        let leaf = self.leaf(key, depth, place, value)?;
        self.or_give_up(&leaf, |tree| {
            let (old_slot, new_slot) = (child.key.slot::<A>(level), key.slot::<A>(level));
            let both = if old_slot < new_slot { [*child, leaf] } else { [leaf, *child] };
            let slots = 1 << old_slot | 1 << new_slot;
            let fork = Node { slots, key: key.first(level), depth: level, ..Node::default() };
            tree.hang(spot, &both, |children| Node { children, ..fork })
        })
    }

    /// Puts a new node with these children in the place of another.
    fn hang(&mut self, spot: Spot, nodes: &[Node], above: impl FnOnce(u32) -> Node) -> Option<()> {
        let count = u32::try_from(nodes.len()).ok()?;
        let children = self.take_children(count)?;
        for (at, node) in (children..).step_by(Self::NODE as usize).zip(nodes) {
            node.write::<A>(self.words, at);
        }
        let done = self.replace(spot, &above(children));
        if done.is_none() {
            self.give_up(Layout::<A>::children_class(count).0, children);
        }
        done
    }

    fn add_child(&mut self, spot: Spot, node: &Node, slot: u32, child: &Node) -> Option<()> {
        let (count, index) = (node.slots.count_ones(), rank(node.slots, slot));
        let children = self.take_children(count + 1)?;
        let at = index * Self::NODE;
        copy(self.words, node.children, children, at);
        copy(self.words, node.children + at, children + at + Self::NODE, (count - index) * Self::NODE);
        child.write::<A>(self.words, children + at);
        let new = Node { slots: node.slots | 1 << slot, children, ..*node };
        if self.replace(spot, &new).is_none() {
            self.give_up(Layout::<A>::children_class(count + 1).0, children);
            return None;
        }
        self.leave_children(node.children, count);
        Some(())
    }

    fn remove_child(&mut self, spot: Spot, node: &Node, slot: u32) -> Option<()> {
        let (count, index) = (node.slots.count_ones(), rank(node.slots, slot));
        let children = if count == 1 { 0 } else { self.take_children(count - 1)? };
        let at = index * Self::NODE;
        if count > 1 {
            copy(self.words, node.children, children, at);
            copy(self.words, node.children + at + Self::NODE, children + at, (count - 1 - index) * Self::NODE);
        }
        let new = Node { slots: node.slots & !(1 << slot), children, ..*node };
        if self.replace(spot, &new).is_none() {
            if count > 1 {
                self.give_up(Layout::<A>::children_class(count - 1).0, children);
            }
            return None;
        }
        self.leave_children(node.children, count);
        Some(())
    }

    /// Takes out nodes that have no prefix any more and do not part ways, from this one up.
    fn tidy(&mut self, key: Key, mut depth: u8) {
        while let Some((spot, above)) = self.find(key, depth) {
            let node = self.read(spot.at);
            if node.depth == FIRST || node.places != 0 || node.slots.count_ones() > 1 {
                break;
            }
            if node.slots != 0 {
                let only = self.read(node.children);
                // What is remembered of its place is of the node that goes.
                self.forget(node.key, node.depth);
                if self.replace(spot, &only).is_some() {
                    self.leave_children(node.children, 1);
                }
                break;
            }
            let parent = self.read(above.at);
            depth = parent.depth;
            if self.remove_child(above, &parent, key.slot::<A>(parent.depth)).is_none() {
                break;
            }
        }
    }

    fn take_children(&mut self, count: u32) -> Option<u32> {
        let (class, len) = Layout::<A>::children_class(count);
        Layout::<A>::blocks(self.words).take(class, len)
    }

    fn take_values(&mut self, count: u32) -> Option<u32> {
        let (class, len) = Layout::<A>::values_class(count);
        Layout::<A>::blocks(self.words).take(class, len)
    }

    fn leave_children(&mut self, block: u32, count: u32) {
        if count != 0 {
            self.leave(Layout::<A>::children_class(count).0, block);
        }
    }

    fn leave_values(&mut self, block: u32, count: u32) {
        if count != 0 {
            self.leave(Layout::<A>::values_class(count).0, block);
        }
    }

    /// Nothing leads to a block any more, but somebody may look at it still.
    fn leave(&mut self, class: usize, block: u32) {
        Layout::<A>::left(self.words).leave(Waiting { class, block }, Layout::<A>::class_len(class));
    }

    /// A block to which nothing has ever led is a gap.
    fn give_up(&mut self, class: usize, block: u32) {
        Layout::<A>::blocks(self.words).add_gap(class, block);
        self.touched |= 1 << class;
    }

    /// The change is made: what it left behind waits for those who look; what has waited is used again.
    fn finish(&mut self) {
        let left = Layout::<A>::left(self.words);
        loop {
            if !self.turns.are_shared() {
                left.date(0);
            }
            let reached = self.turns.reached();
            while let Some(Waiting { class, block }) = left.next(reached) {
                left.subtract(Layout::<A>::class_len(class));
                self.give_up(class, block);
            }
            let touched = core::mem::take(&mut self.touched);
            let mut has_moved = false;
            for class in (0..u128::BITS as usize).filter(|class| touched >> class & 1 != 0) {
                has_moved |= self.close_gaps(class);
            }
            // Alone, what has moved leaves a gap at once.
            if !has_moved || self.turns.are_shared() {
                break;
            }
        }
        left.date(self.turns.next());
    }

    /// Moves blocks from the end of a class into its gaps, where it has too many. True: some were moved.
    fn close_gaps(&mut self, class: usize) -> bool {
        let (blocks, left) = (Layout::<A>::blocks(self.words), Layout::<A>::left(self.words));
        let len = Layout::<A>::class_len(class);
        let most = if self.turns.are_shared() { GAPS } else { 0 };
        let mut moved = 0;
        while blocks.gaps(class) > most && moved < MOVES {
            let Some(last) = blocks.last(class, len) else { break };
            if let Some((link, values)) = self.who_leads(class, last) {
                let Some(gap) = blocks.take_gap(class) else { break };
                copy(self.words, last, gap, len);
                self.lead(link, values, gap);
                if values {
                    let owner = self.read(link - LINKS);
                    self.forget(owner.key, owner.depth);
                } else {
                    self.forget_places(gap, len / Self::NODE);
                }
                self.leave(class, last);
                moved += 1;
            } else if left.has(Waiting { class, block: last }) {
                break;
            } else {
                blocks.drop_last(class, len);
            }
        }
        moved != 0
    }

    /// The word that leads to a block, and whether as values; nothing where nobody does.
    fn who_leads(&self, class: usize, block: u32) -> Option<(u32, bool)> {
        let values = !Layout::<A>::has_children(class);
        let key = if values {
            let owner = |n| load(self.words, block as usize + n);
            Key { hi: owner(0), lo: if Layout::<A>::OWNER > 1 { owner(1) } else { 0 } }
        } else {
            self.read(block).key
        };
        let mut spot = self.root(key);
        if !values && spot.at == block {
            return Some((spot.link, false));
        }
        loop {
            let node = self.read(spot.at);
            if block == if values { node.values } else { node.children } {
                return Some((spot.at + LINKS, values));
            }
            spot = Self::below(spot, &node, key.slot::<A>(node.depth))?;
        }
    }
}

/// A value of a block: two in a word, behind the owner.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "one half of the word")]
pub(super) fn value_at<A: Address>(words: &[Word], block: u32, index: u32) -> u32 {
    let at = block as usize + Layout::<A>::OWNER + (index / 2) as usize;
    (follow(words, at) >> (index % 2 * 32)) as u32
}

fn set_value<A: Address>(words: &[Word], block: u32, index: u32, value: u32) {
    let at = block as usize + Layout::<A>::OWNER + (index / 2) as usize;
    let shift = index % 2 * 32;
    publish(words, at, load(words, at) & !(0xffff_ffff << shift) | u64::from(value) << shift);
}

const _: () = assert!(STRIDE == 6, "a level's places and slots are bits of a word");
