//! What the classifier is compared with; IPv4 alone.

use crate::pattern::{Nets, Pattern, Range};
use crate::seen::{Addresses, Seen};
use core::net::Ipv4Addr;
use std::collections::HashMap;

fn addresses(seen: &Seen) -> (u32, u32) {
    match seen.addresses {
        Addresses::V4(source, destination) => (source.to_bits(), destination.to_bits()),
        Addresses::V6(..) => unreachable!("all are of IPv4"),
    }
}

/// One rule after the other.
pub struct Walk<'a>(&'a [Pattern]);

impl<'a> Walk<'a> {
    pub fn new(patterns: &'a [Pattern]) -> Self {
        Self(patterns)
    }

    pub fn find(&self, seen: &Seen) -> Option<u32> {
        let Addresses::V4(source, destination) = seen.addresses else { return None };
        let is_met = |pattern: &&Pattern| {
            let Nets::V4(from, to) = pattern.nets else { return false };
            from.contains(source) && to.contains(destination) && pattern.tail.is_met_by(seen)
        };
        self.0.iter().find(is_met).map(|pattern| pattern.rule)
    }

    pub fn bytes(&self) -> usize {
        size_of_val(self.0)
    }
}

/// Tuple space search (Srinivasan, Suri and Varghese, 1999) as Open vSwitch has it: a hash table for each pair of lengths, those with
/// the first rules first, and none is asked that has only later ones than what was found.
pub struct Tuples {
    tables: Vec<Tuple>,
    patterns: Vec<Pattern>,
}

struct Tuple {
    lengths: (u8, u8),
    first: u32,
    rules: HashMap<(u32, u32), Vec<u32>, foldhash::fast::FixedState>,
}

fn masked(address: u32, len: u8) -> u32 {
    address & !u32::MAX.checked_shr(len.into()).unwrap_or(0)
}

impl Tuples {
    pub fn new(patterns: &[Pattern]) -> Self {
        let mut tables: HashMap<(u8, u8), Tuple> = HashMap::new();
        for pattern in patterns {
            let Nets::V4(source, destination) = pattern.nets else { continue };
            let lengths = (source.len(), destination.len());
            let new = || Tuple { lengths, first: pattern.rule, rules: HashMap::default() };
            let key = (source.address().to_bits(), destination.address().to_bits());
            tables.entry(lengths).or_insert_with(new).rules.entry(key).or_default().push(pattern.rule);
        }
        let mut tables: Vec<Tuple> = tables.into_values().collect();
        tables.sort_by_key(|table| table.first);
        Self { tables, patterns: patterns.to_vec() }
    }

    pub fn find(&self, seen: &Seen) -> Option<u32> {
        let (source, destination) = addresses(seen);
        let mut best = u32::MAX;
        for table in &self.tables {
            if table.first >= best {
                break;
            }
            let key = (masked(source, table.lengths.0), masked(destination, table.lengths.1));
            for rule in table.rules.get(&key).into_iter().flatten().take_while(|rule| **rule < best) {
                if self.patterns[*rule as usize].tail.is_met_by(seen) {
                    best = *rule;
                    break;
                }
            }
        }
        (best != u32::MAX).then_some(best)
    }

    pub fn bytes(&self) -> usize {
        let entries: usize = self.tables.iter().map(|table| table.rules.capacity()).sum();
        entries * (8 + size_of::<Vec<u32>>() + 1) + self.patterns.len() * (4 + size_of::<Pattern>())
    }
}

/// Aggregated bit vectors (Baboescu and Varghese, 2001): for each range of each field the rules that it may meet, as bits, and over
/// each 64 of them one that says whether any is set.
pub struct Bits {
    fields: [FieldBits; 3],
    patterns: Vec<Pattern>,
}

struct FieldBits {
    starts: Vec<u32>,
    words: Vec<u64>,
    summary: Vec<u64>,
    /// Words of one range, and of its summary.
    width: usize,
    summary_width: usize,
}

impl FieldBits {
    fn new(ranges: &[Range<u32>]) -> Self {
        let ends = ranges.iter().flat_map(|range| [Some(range.from), range.to.checked_add(1)]);
        let mut starts: Vec<u32> = ends.flatten().chain([0]).collect();
        starts.sort_unstable();
        starts.dedup();
        let width = ranges.len().div_ceil(64);
        let summary_width = width.div_ceil(64);
        let mut field = Self {
            words: vec![0; starts.len() * width],
            summary: vec![0; starts.len() * summary_width],
            starts,
            width,
            summary_width,
        };
        for (rule, range) in ranges.iter().enumerate() {
            let first = field.place(range.from);
            for place in first..=field.place(range.to) {
                field.words[place * width + rule / 64] |= 1 << (rule % 64);
                field.summary[place * summary_width + rule / 4_096] |= 1 << (rule / 64 % 64);
            }
        }
        field
    }

    fn place(&self, value: u32) -> usize {
        self.starts.partition_point(|start| *start <= value) - 1
    }

    fn parts(&self, value: u32) -> (&[u64], &[u64]) {
        let place = self.place(value);
        let words = &self.words[place * self.width..][..self.width];
        (words, &self.summary[place * self.summary_width..][..self.summary_width])
    }
}

impl Bits {
    pub fn new(patterns: &[Pattern]) -> Self {
        let net = |pattern: &Pattern, which: usize| {
            let Nets::V4(source, destination) = pattern.nets else { unreachable!("all are of IPv4") };
            let prefix = [source, destination][which];
            Range { from: Ipv4Addr::to_bits(prefix.address()), to: prefix.last().to_bits() }
        };
        let of =
            |field: &dyn Fn(&Pattern) -> Range<u32>| FieldBits::new(&patterns.iter().map(field).collect::<Vec<_>>());
        let fields = [of(&|p| net(p, 0)), of(&|p| net(p, 1)), of(&|p| p.tail.destination_port)];
        Self { fields, patterns: patterns.to_vec() }
    }

    pub fn find(&self, seen: &Seen) -> Option<u32> {
        let (source, destination) = addresses(seen);
        let [(a, a_sum), (b, b_sum), (c, c_sum)] = [
            self.fields[0].parts(source),
            self.fields[1].parts(destination),
            self.fields[2].parts(seen.destination_port),
        ];
        for (block, ((a_sum, b_sum), c_sum)) in a_sum.iter().zip(b_sum).zip(c_sum).enumerate() {
            let mut summary = a_sum & b_sum & c_sum;
            while summary != 0 {
                let word = block * 64 + summary.trailing_zeros() as usize;
                summary &= summary - 1;
                let mut rules = a[word] & b[word] & c[word];
                while rules != 0 {
                    let rule = word * 64 + rules.trailing_zeros() as usize;
                    rules &= rules - 1;
                    if self.patterns[rule].tail.is_met_by(seen) {
                        return Some(rule as u32);
                    }
                }
            }
        }
        None
    }

    pub fn bytes(&self) -> usize {
        let fields =
            self.fields.iter().map(|field| field.starts.len() * 4 + (field.words.len() + field.summary.len()) * 8);
        fields.sum::<usize>() + size_of_val(self.patterns.as_slice())
    }
}
