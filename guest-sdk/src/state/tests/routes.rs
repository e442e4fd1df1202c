//! Tables of routes against a map and a scan of all its prefixes.

use crate::Lcg64;
use crate::state::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::vec::Vec;

pub(super) type Model<A> = BTreeMap<Prefix<A>, u32>;

pub(super) fn scan<A: Address>(model: &Model<A>, address: A) -> Option<(Prefix<A>, u32)> {
    let fits = model.iter().filter(|(prefix, _)| prefix.contains(address));
    fits.max_by_key(|(prefix, _)| prefix.len()).map(|(prefix, value)| (*prefix, *value))
}

/// Addresses at both ends of each prefix and beside them, where mistakes are.
fn edges<A: Address>(model: &Model<A>) -> Vec<A> {
    let ends = model.keys().flat_map(|prefix| [Some(prefix.address()), Some(prefix.last()), prefix.last().after()]);
    ends.flatten().chain([A::ZERO, A::ZERO.last(0)]).collect()
}

fn all<A: Address>(table: &RouteTable<A>, from: Option<Prefix<A>>) -> Vec<(Prefix<A>, u32)> {
    let mut shown = Vec::new();
    table.visit(from, |prefix, value| {
        shown.push((prefix, value));
        true
    });
    shown
}

/// Makes the same changes in both (a value that three divides takes the prefix out), and compares.
fn agrees<A: Address + core::fmt::Debug>(changes: &[(Prefix<A>, u32)], addresses: &[A]) {
    let mut table = RouteTable::<A>::new(changes.len()).unwrap();
    let mut model = Model::new();
    for &(prefix, value) in changes {
        if value % 3 == 0 {
            assert_eq!(table.remove(prefix), model.remove(&prefix));
        } else {
            assert_eq!(table.insert(prefix, value), Ok(model.insert(prefix, value)));
        }
        assert_eq!((table.len(), table.get(prefix)), (model.len(), model.get(&prefix).copied()));
    }
    for address in edges(&model).into_iter().chain(addresses.iter().copied()) {
        let expected = scan(&model, address);
        assert_eq!(table.longest(address), expected, "{address}");
        assert_eq!(table.lookup(address), expected.map(|(_, value)| value), "{address}");
    }
    assert!(all(&table, None).into_iter().eq(model.iter().map(|(prefix, value)| (*prefix, *value))));
    for (from, _) in changes.iter().take(20) {
        let expected = model.range(from..).map(|(prefix, value)| (*prefix, *value));
        assert!(all(&table, Some(*from)).into_iter().eq(expected), "from {from:?}");
    }
}

/// Few bits that differ, at all places, so that prefixes lie inside one another and come again.
pub(super) fn four() -> impl Strategy<Value = (Prefix<Ipv4Addr>, u32)> {
    let address = prop_oneof![any::<u32>(), any::<u8>().prop_map(|n| u32::from(n & 0x1f) << 27 | u32::from(n >> 5))];
    (address, 0_u8..=32, 1..u32::MAX).prop_map(|(n, len, value)| (Prefix::new(n.into(), len).unwrap(), value))
}

pub(super) fn six() -> impl Strategy<Value = (Prefix<Ipv6Addr>, u32)> {
    let near = any::<u8>().prop_map(|n| 0x2001_u128 << 112 | u128::from(n & 0xf) << 60 | u128::from(n >> 4));
    let address = prop_oneof![any::<u128>(), near];
    (address, 0_u8..=128, 1..u32::MAX).prop_map(|(n, len, value)| (Prefix::new(n.into(), len).unwrap(), value))
}

/// Looks up between all changes, so that a shortcut that is not forgotten shows.
fn shortcut_agrees(changes: &[(Prefix<Ipv4Addr>, u32)], others: &[u32]) {
    let mut table = RouteTable::<Ipv4Addr>::new(changes.len()).unwrap().with_shortcut().unwrap();
    let ends = changes.iter().flat_map(|(prefix, _)| [prefix.address().to_bits(), prefix.last().to_bits()]);
    let addresses: Vec<u32> = ends.chain(others.iter().copied()).collect();
    let mut found = std::vec![0; addresses.len()];
    for &(prefix, value) in changes {
        if value % 3 == 0 {
            let _ = table.remove(prefix);
        } else {
            table.insert(prefix, value).unwrap();
        }
        table.lookup_each(&addresses, &mut found, u32::MAX);
        for (address, found) in addresses.iter().zip(&found) {
            let address = Ipv4Addr::from_bits(*address);
            assert_eq!(*found, table.lookup(address).unwrap_or(u32::MAX), "{address}");
        }
    }
    table.clear();
    table.lookup_each(&addresses, &mut found, u32::MAX);
    assert!(found.iter().all(|found| *found == u32::MAX));
}

proptest! {
    #[test]
    fn a_shortcut_finds_what_a_lookup_finds(
        changes in prop::collection::vec(four(), 0..120),
        others in prop::collection::vec(any::<u32>(), 0..40),
    ) {
        shortcut_agrees(&changes, &others);
    }

    #[test]
    fn it_finds_what_a_scan_finds(
        changes in prop::collection::vec(four(), 0..300),
        others in prop::collection::vec(any::<u32>().prop_map(Ipv4Addr::from), 0..100),
    ) {
        agrees(&changes, &others);
    }

    #[test]
    fn it_finds_what_a_scan_finds_of_ipv6(
        changes in prop::collection::vec(six(), 0..150),
        others in prop::collection::vec(any::<u128>().prop_map(Ipv6Addr::from), 0..100),
    ) {
        agrees(&changes, &others);
    }
}

/// Prefixes that make as many nodes as can be: few bits in common, or each at the end of a long way of its own.
fn scattered<A: Address>(random: &mut Lcg64, len: u8) -> Prefix<A> {
    let bits = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
    Prefix::new(A::from_bits_left(bits), len).unwrap()
}

/// Fills a table to its last place again and again, with prefixes of other lengths each time, half of them new: a memory
/// that had gaps, or was measured for the mean, would end before the places do.
fn keeps_its_promise<A: Address + core::fmt::Debug>(capacity: usize, lengths: &[core::ops::RangeInclusive<u8>]) {
    let mut table = RouteTable::<A>::new(capacity).unwrap();
    let (mut model, mut random) = (Model::new(), Lcg64::new(7));
    for lengths in lengths.iter().cycle().take(3 * lengths.len()) {
        let gone: Vec<_> = model.keys().copied().filter(|_| random.below(2) == 0).collect();
        for prefix in gone {
            assert_eq!(table.remove(prefix), model.remove(&prefix));
        }
        while model.len() < capacity {
            let span = u32::from(lengths.end() - lengths.start()) + 1;
            let len = lengths.start() + u8::try_from(random.below(span.into())).unwrap();
            let prefix = scattered(&mut random, len);
            let value = random.below(1 << 32);
            assert_eq!(table.insert(prefix, value), Ok(model.insert(prefix, value)), "{} of {capacity}", model.len());
        }
        assert_eq!(table.len(), capacity);
        for (prefix, value) in &model {
            assert_eq!(table.get(*prefix), Some(*value));
        }
    }
    let prefix = scattered(&mut random, A::BITS);
    assert_eq!(table.insert(prefix, 5), Err(TableFull(5)));
    for prefix in model.into_keys() {
        assert!(table.remove(prefix).is_some());
    }
    assert!(table.is_empty() && all(&table, None).is_empty() && table.lookup(A::ZERO).is_none());
}

#[test]
fn all_places_are_there_for_any_prefixes() {
    keeps_its_promise::<Ipv4Addr>(20_000, &[32..=32, 16..=24, 30..=32, 19..=20]);
    keeps_its_promise::<Ipv6Addr>(10_000, &[128..=128, 20..=64, 44..=48, 120..=128]);
}

/// Each branch parts two ways, and each prefix has a node of its own: more nodes there cannot be.
#[test]
fn the_most_nodes_have_room() {
    const BITS: u8 = 13;
    let mut table = RouteTable::<Ipv6Addr>::new(1 << BITS).unwrap();
    for n in 0..1_u128 << BITS {
        // One bit of the number in each level of six bits.
        let bits = (0..BITS).fold(0_u128, |bits, bit| bits | (n >> bit & 1) << (126 - 6 * u32::from(bit)));
        table.insert(Prefix::new(Ipv6Addr::from_bits(bits), 128).unwrap(), 1).unwrap();
    }
    assert_eq!(table.len(), 1 << BITS);
}

#[test]
fn a_full_table_takes_what_it_has() {
    let mut table = RouteTable::<Ipv4Addr>::new(2).unwrap();
    let [ten, net, other] = ["10.0.0.0/8", "0.0.0.0/0", "11.0.0.0/8"].map(|text| text.parse().unwrap());
    assert_eq!((table.insert(ten, 1), table.insert(net, u32::MAX)), (Ok(None), Ok(None)));
    assert_eq!(table.insert(other, 3), Err(TableFull(3)));
    assert_eq!((table.insert(ten, 4), table.insert(net, 0)), (Ok(Some(1)), Ok(Some(u32::MAX))));
    assert_eq!((table.lookup([10, 0, 0, 1].into()), table.lookup([12, 0, 0, 1].into())), (Some(4), Some(0)));
    table.clear();
    assert!(table.is_empty() && table.lookup([10, 0, 0, 1].into()).is_none());
    assert_eq!((table.insert(other, 3), table.len()), (Ok(None), 1));
}

#[test]
fn visiting_ends_when_told() {
    let mut table = RouteTable::<Ipv4Addr>::new(600).unwrap();
    for n in 0..600_u32 {
        table.insert(Prefix::new((n << 20).into(), 12).unwrap(), n).unwrap();
    }
    let mut shown = 0;
    table.visit(None, |_, _| {
        shown += 1;
        shown < 10
    });
    assert_eq!(shown, 10);
}
