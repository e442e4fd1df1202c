//! The addresses outside, and which of their ports this instance may give away.

use alloc::vec::Vec;

/// Consecutive addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl Range {
    #[inline]
    pub(crate) const fn contains(self, address: u32) -> bool {
        self.first <= address && address <= self.last
    }

    pub(crate) const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    pub(crate) const fn len(self) -> u64 {
        (self.last - self.first) as u64 + 1
    }
}

/// The number of an address in ranges that are counted through, one behind the other.
pub(crate) fn number_in(ranges: &[Range], address: u32) -> Option<u64> {
    let mut before = 0;
    for range in ranges {
        if range.contains(address) {
            return Some(before + u64::from(address - range.first));
        }
        before += range.len();
    }
    None
}

/// Ports from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl Ports {
    #[inline]
    pub(crate) const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    pub(crate) const fn len(self) -> u32 {
        self.last as u32 - self.first as u32 + 1
    }
}

/// How ports are given to hosts in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// Ports of a block.
    pub(crate) size: u16,
    /// Most blocks of a host.
    pub(crate) most: u16,
    /// Which block a host has follows from its address (RFC 7422).
    pub(crate) deterministic: bool,
}

/// Which of several instances this is: each has a part of the ports of every address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) index: u32,
    pub(crate) of: u32,
}

/// Addresses and ports outside.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    ranges: Vec<Range>,
    /// Addresses that have forwards, and no dynamic ports.
    extra: Vec<u32>,
    /// The dynamic ports of all instances together.
    all: Ports,
    slice: Slice,
    pub(crate) blocks: Option<Blocks>,
}

impl Pool {
    /// `all` has as many ports for each of the slices, and `extra` is sorted.
    pub(crate) fn new(ranges: Vec<Range>, extra: Vec<u32>, all: Ports, slice: Slice, blocks: Option<Blocks>) -> Self {
        Self { ranges, extra, all, slice, blocks }
    }

    /// Addresses that have dynamic ports.
    #[allow(clippy::cast_possible_truncation, reason = "the configuration has 65,535 at most")]
    pub(crate) fn len(&self) -> u32 {
        self.ranges.iter().map(|range| range.len()).sum::<u64>() as u32
    }

    /// The number of an address that has dynamic ports.
    #[inline]
    pub(crate) fn number(&self, address: u32) -> Option<u32> {
        u32::try_from(number_in(&self.ranges, address)?).ok()
    }

    /// The address of a number.
    pub(crate) fn address(&self, mut number: u32) -> u32 {
        for range in &self.ranges {
            if u64::from(number) < range.len() {
                return range.first + number;
            }
            number -= u32::try_from(range.len()).unwrap_or(number);
        }
        0
    }

    /// Whether an address is one of ours.
    #[inline]
    pub(crate) fn contains(&self, address: u32) -> bool {
        let is_in_range = match *self.ranges {
            [only] => only.contains(address),
            _ => self.ranges.iter().any(|range| range.contains(address)),
        };
        is_in_range || !self.extra.is_empty() && self.extra.binary_search(&address).is_ok()
    }

    /// Ports of a slice.
    fn slice_len(&self) -> u32 {
        self.all.len() / self.slice.of
    }

    /// The ports that this instance gives away.
    #[allow(clippy::cast_possible_truncation, reason = "a part of a range of ports")]
    pub(crate) fn ports(&self) -> Ports {
        let first = u32::from(self.all.first) + self.slice.index * self.slice_len();
        Ports { first: first as u16, last: (first + self.slice_len() - 1) as u16 }
    }

    /// Which instance gives away a port of an address; nothing where none does.
    #[inline]
    pub(crate) fn owner(&self, address: u32, port: u16) -> Option<u32> {
        if !self.all.contains(port) || self.number(address).is_none() {
            return None;
        }
        Some((u32::from(port - self.all.first) / self.slice_len()).min(self.slice.of - 1))
    }

    pub(crate) fn slice(&self) -> Slice {
        self.slice
    }

    /// Blocks of each address.
    pub(crate) fn block_count(&self) -> u32 {
        self.blocks.map_or(0, |blocks| self.slice_len() / u32::from(blocks.size))
    }

    /// The ports of a block.
    #[allow(clippy::cast_possible_truncation, reason = "a part of a range of ports")]
    pub(crate) fn block(&self, number: u32) -> Ports {
        let size = self.blocks.map_or(1, |blocks| u32::from(blocks.size));
        let first = u32::from(self.ports().first) + number * size;
        Ports { first: first as u16, last: (first + size - 1) as u16 }
    }

    /// What the tables depend on: where any of it differs, what was handed over does not fit.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        let ranges = self.ranges.iter().flat_map(|range| [range.first, range.last]);
        let blocks = self.blocks.map_or([0; 3], |b| [b.size.into(), b.most.into(), b.deterministic.into()]);
        let ports = self.ports();
        let rest: [u32; 5] = [ports.first.into(), ports.last.into(), blocks[0], blocks[1], blocks[2]];
        ranges.chain(rest).map(u64::from)
    }
}
