//! Patterns that have the same prefixes, and what tells them apart.

use super::NONE;
use super::ports::{BITS, of, prefixes};
use super::table::Table;
use crate::pattern::Tail;
use crate::seen::NO_PORT;
use alloc::vec::Vec;
use perigee_guest::{Refusal, Text};

/// A group of more patterns than this is told apart by ports.
const LIST_MAX: usize = 6;
/// Most entries of a family: what its memory is bounded by.
const ENTRY_MAX: usize = 262_144;

/// A pattern in a list, which is in order.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) order: u32,
    pub(super) tail: Tail,
}

/// Where entries stand.
#[derive(Clone, Copy)]
struct Span {
    from: u32,
    to: u32,
}

/// Patterns with the same prefixes.
#[derive(Clone, Copy)]
pub(super) struct Group {
    number: u32,
    first: u32,
    last: u32,
    span: Span,
    /// Which lengths of prefixes of ports there are; none in a group that is one list.
    lengths: u32,
    /// Which port: 0 is the source's, 1 the destination's.
    port: u8,
}

/// The lists of all groups.
#[derive(Default)]
pub(super) struct Lists {
    entries: Vec<Entry>,
    spans: Vec<Span>,
    /// Until [`Self::close`].
    keys: Vec<(u64, u32)>,
    by_port: Table,
}

/// A group and a prefix of a port as a key.
#[inline]
fn key(group: u32, port: u32) -> u64 {
    u64::from(group) << 32 | u64::from(port)
}

impl Lists {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of heap.
    pub(super) fn bytes(&self) -> usize {
        self.entries.len() * size_of::<Entry>() + self.spans.len() * size_of::<Span>() + self.by_port.bytes()
    }

    /// Puts the patterns of a group in, which are in order.
    pub(super) fn group(&mut self, number: u32, members: &[(u64, Entry)]) -> Result<Group, Refusal> {
        let order = |member: Option<&(u64, Entry)>| member.map_or(NONE, |(_, entry)| entry.order);
        let mut group = Group {
            number,
            first: order(members.first()),
            last: order(members.last()),
            span: Span { from: 0, to: 0 },
            lengths: 0,
            port: 1,
        };
        if members.len() <= LIST_MAX {
            group.span = self.list(members.iter().map(|(_, entry)| *entry))?;
            return Ok(group);
        }
        let mut best = None;
        for port in [1, 0] {
            let keyed = by_port(members, port);
            let longest = keyed.chunk_by(|one, other| one.0 == other.0).map(<[_]>::len).max().unwrap_or(0);
            if best.as_ref().is_none_or(|(_, shortest, _)| longest < *shortest) {
                best = Some((port, longest, keyed));
            }
        }
        let Some((port, _, keyed)) = best else { return Ok(group) };
        group.port = port;
        for list in keyed.chunk_by(|one, other| one.0 == other.0) {
            let Some((part, _)) = list.first() else { continue };
            group.lengths |= 1 << (part >> BITS);
            self.keys.push((key(number, *part), u32::try_from(self.spans.len()).unwrap_or(NONE)));
            let span = self.list(list.iter().map(|(_, entry)| *entry))?;
            self.spans.push(span);
        }
        Ok(group)
    }

    fn list(&mut self, entries: impl Iterator<Item = Entry>) -> Result<Span, Refusal> {
        let from = self.entries.len();
        self.entries.extend(entries);
        let to = self.entries.len();
        if to > ENTRY_MAX {
            let mut text = Text::<240>::from("rules: with all their lists and ranges of ports they are more than ");
            text.push_number(ENTRY_MAX as u64).push(" entries: use fewer ranges of ports that are no powers of two");
            return Err(text.into());
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(NONE);
        Ok(Span { from: place(from), to: place(to) })
    }

    /// All groups are in.
    pub(super) fn close(&mut self) {
        self.by_port = Table::new(&self.keys);
        self.keys = Vec::new();
        self.entries.shrink_to_fit();
    }

    /// The first pattern of a group that is met, from `from` on and before `best`; else `best`.
    #[inline]
    pub(super) fn find(
        &self,
        group: &Group,
        ports: [u32; 2],
        from: u32,
        best: u32,
        is_met: &impl Fn(&Entry) -> bool,
    ) -> u32 {
        if group.first >= best || group.last < from {
            return best;
        }
        if group.lengths == 0 {
            return self.find_in(group.span, from, best, is_met);
        }
        let port = ports[usize::from(group.port & 1)];
        // A packet without a port has the prefix of no bits alone.
        let mut lengths = if port < NO_PORT { group.lengths } else { group.lengths & 1 };
        let mut best = best;
        while lengths != 0 {
            let len = u8::try_from(lengths.trailing_zeros()).unwrap_or(BITS);
            lengths &= lengths - 1;
            let span = self.by_port.get(key(group.number, of(port, len).key()));
            if let Some(span) = span.and_then(|at| self.spans.get(at as usize)) {
                best = self.find_in(*span, from, best, is_met);
            }
        }
        best
    }

    #[inline]
    fn find_in(&self, span: Span, from: u32, best: u32, is_met: &impl Fn(&Entry) -> bool) -> u32 {
        for entry in self.entries.get(span.from as usize..span.to as usize).unwrap_or_default() {
            if entry.order >= best {
                return best;
            }
            if entry.order >= from && is_met(entry) {
                return entry.order;
            }
        }
        best
    }
}

/// The patterns of a group by the prefixes of one of their ports, in order.
fn by_port(members: &[(u64, Entry)], port: u8) -> Vec<(u32, Entry)> {
    let mut keyed = Vec::with_capacity(members.len());
    for (_, entry) in members {
        let range = if port == 0 { entry.tail.source_port } else { entry.tail.destination_port };
        keyed.extend(prefixes(range).map(|prefix| (prefix.key(), *entry)));
    }
    keyed.sort_unstable_by_key(|(part, entry)| (*part, entry.order));
    keyed
}
