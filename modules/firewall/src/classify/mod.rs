//! Finds the first of many patterns that a packet meets, without a look at most of them.
//!
//! Patterns with the same pair of source and destination prefix are a group. The prefixes of a family that contain an address are a
//! chain, and each pair of a packet's two chains is looked up in a hash table of groups, but for pairs that 64 bits at either
//! prefix say not to be there. Chains begin with the prefix that the first pattern has: what begins behind the best pattern found so far
//! is not looked at, be it the rest of a chain, a group, or the rest of a list.
//!
//! A group of more than a few patterns has a second hash table in front, by the port that tells its patterns apart best:
//! a range of ports is at most thirty prefixes of port numbers (`ports.rs`), and a packet asks once for each length that the group
//! has.
//!
//! So memory grows with the number of patterns, whatever they are. The README has what else was measured.

mod chains;
mod group;
mod ports;
mod table;

use crate::pattern::{Nets, Pattern};
use crate::seen::{Addresses, Seen};
use alloc::vec::Vec;
use chains::Chains;
use core::net::{Ipv4Addr, Ipv6Addr};
use group::{Entry, Group, Lists};
use perigee_guest::Refusal;
use perigee_guest::state::{Address, Prefix};
use table::Table;

/// Stands for "none".
pub(crate) const NONE: u32 = u32::MAX;

/// All patterns, by family.
pub(crate) struct Classifier {
    v4: Family<Ipv4Addr>,
    v6: Family<Ipv6Addr>,
}

/// How large a classifier is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub(crate) groups: usize,
    pub(crate) entries: usize,
    /// Most groups that a packet is looked up in.
    pub(crate) probes: usize,
}

struct Family<A> {
    sources: Chains<A>,
    destinations: Chains<A>,
    /// By the numbers of both prefixes.
    pairs: Table,
    groups: Vec<Group>,
    lists: Lists,
}

/// A pattern of one family.
#[derive(Clone, Copy)]
struct Member<A> {
    source: Prefix<A>,
    destination: Prefix<A>,
    entry: Entry,
}

impl Classifier {
    /// Of patterns in order.
    ///
    /// # Errors
    ///
    /// The heap is too small.
    pub(crate) fn new(patterns: &[Pattern]) -> Result<Self, Refusal> {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for (pattern, order) in patterns.iter().zip(0_u32..) {
            let entry = Entry { order, tail: pattern.tail };
            match pattern.nets {
                Nets::V4(source, destination) => v4.push(Member { source, destination, entry }),
                Nets::V6(source, destination) => v6.push(Member { source, destination, entry }),
            }
        }
        Ok(Self { v4: Family::new(&v4)?, v6: Family::new(&v6)? })
    }

    /// The first pattern from this one on that a packet meets.
    #[inline]
    pub(crate) fn find(&self, seen: &Seen, from: u32) -> Option<u32> {
        let ports = [seen.source_port, seen.destination_port];
        let is_met = |entry: &Entry| entry.tail.is_met_by(seen);
        let found = match seen.addresses {
            Addresses::V4(source, destination) => self.v4.find(source, destination, ports, from, is_met),
            Addresses::V6(source, destination) => self.v6.find(source, destination, ports, from, is_met),
        };
        (found != NONE).then_some(found)
    }

    /// An earlier pattern that covers this one, which so is never met.
    pub(crate) fn cover(&self, patterns: &[Pattern], order: u32) -> Option<u32> {
        let covered = patterns.get(order as usize)?;
        let ports = [covered.tail.source_port.from, covered.tail.destination_port.from];
        let covers = |entry: &Entry| {
            entry.order < order && patterns.get(entry.order as usize).is_some_and(|pattern| pattern.covers(covered))
        };
        let found = match covered.nets {
            Nets::V4(from, to) => self.v4.find(from.address(), to.address(), ports, 0, covers),
            Nets::V6(from, to) => self.v6.find(from.address(), to.address(), ports, 0, covers),
        };
        (found != NONE).then_some(found)
    }

    /// Bytes of heap.
    pub(crate) fn bytes(&self) -> usize {
        self.v4.bytes() + self.v6.bytes()
    }

    /// How large it is.
    pub(crate) fn size(&self) -> Size {
        let (v4, v6) = (self.v4.size(), self.v6.size());
        Size { groups: v4.groups + v6.groups, entries: v4.entries + v6.entries, probes: v4.probes.max(v6.probes) }
    }
}

/// Two numbers of prefixes as a key.
fn pair(source: u32, destination: u32) -> u64 {
    u64::from(source) << 32 | u64::from(destination)
}

/// Both numbers of a key.
#[allow(clippy::cast_possible_truncation, reason = "the halves that `pair` put together")]
fn both(key: u64) -> (u32, u32) {
    ((key >> 32) as u32, key as u32)
}

impl<A: Address> Family<A> {
    fn new(members: &[Member<A>]) -> Result<Self, Refusal> {
        let mut sources = Chains::new(members.iter().map(|member| (member.source, member.entry.order)))?;
        let mut destinations = Chains::new(members.iter().map(|member| (member.destination, member.entry.order)))?;
        let mut keyed: Vec<(u64, Entry)> = Vec::with_capacity(members.len());
        for member in members {
            let (source, destination) = (sources.number(member.source), destinations.number(member.destination));
            keyed.push((pair(source, destination), member.entry));
        }
        keyed.sort_unstable_by_key(|(key, entry)| (*key, entry.order));
        sources.pair(keyed.iter().map(|(key, _)| both(*key)));
        destinations.pair(keyed.iter().map(|(key, _)| both(key.rotate_left(32))));
        let mut groups = Vec::new();
        let mut lists = Lists::default();
        let mut keys = Vec::new();
        for members in keyed.chunk_by(|one, other| one.0 == other.0) {
            let Some((key, _)) = members.first() else { continue };
            keys.push((*key, u32::try_from(groups.len()).unwrap_or(NONE)));
            groups.push(lists.group(u32::try_from(groups.len()).unwrap_or(NONE), members)?);
        }
        lists.close();
        Ok(Self { sources, destinations, pairs: Table::new(&keys), groups, lists })
    }

    #[inline]
    fn find(&self, source: A, destination: A, ports: [u32; 2], from: u32, is_met: impl Fn(&Entry) -> bool) -> u32 {
        let mut best = NONE;
        let destinations = self.destinations.of(destination);
        for source in self.sources.of(source) {
            if source.first >= best {
                break;
            }
            for destination in destinations {
                if destination.first >= best {
                    break;
                }
                if !source.may_pair(destination) {
                    continue;
                }
                let key = pair(source.number, destination.number);
                if let Some(group) = self.pairs.get(key).and_then(|at| self.groups.get(at as usize)) {
                    best = self.lists.find(group, ports, from, best, &is_met);
                }
            }
        }
        best
    }

    fn bytes(&self) -> usize {
        let chains = self.sources.bytes() + self.destinations.bytes();
        chains + self.pairs.bytes() + self.groups.len() * size_of::<Group>() + self.lists.bytes()
    }

    fn size(&self) -> Size {
        Size {
            groups: self.groups.len(),
            entries: self.lists.len(),
            probes: self.sources.depth() * self.destinations.depth(),
        }
    }
}

#[cfg(test)]
mod tests;
