//! Longest prefixes against a scan of all.

use crate::state::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;
use std::vec::Vec;

/// What the table should find.
fn scan<A: Address>(routes: &[(Prefix<A>, u32)], address: A) -> Option<&u32> {
    let fits = routes.iter().filter(|(prefix, _)| prefix.contains(address));
    fits.max_by_key(|(prefix, _)| prefix.len()).map(|(_, value)| value)
}

/// Addresses at both ends of each prefix and beside them, where mistakes are.
fn edges<A: Address>(routes: &[(Prefix<A>, u32)]) -> Vec<A> {
    let ends =
        routes.iter().flat_map(|(prefix, _)| [Some(prefix.address()), Some(prefix.last()), prefix.last().after()]);
    ends.flatten().chain([A::ZERO, A::ZERO.last(0)]).collect()
}

/// Few bits that differ, at all places, so that prefixes lie inside one another.
fn four() -> impl Strategy<Value = (Prefix<Ipv4Addr>, u32)> {
    let address = prop_oneof![any::<u32>(), any::<u8>().prop_map(|n| u32::from(n & 0x1f) << 27 | u32::from(n >> 5))];
    (address, 0_u8..=32, any::<u32>()).prop_map(|(n, len, value)| (Prefix::new(n.into(), len).unwrap(), value))
}

fn six() -> impl Strategy<Value = (Prefix<Ipv6Addr>, u32)> {
    let address = prop_oneof![any::<u128>(), any::<u8>().prop_map(|n| 0x2001_u128 << 112 | u128::from(n) << 60)];
    (address, 0_u8..=128, any::<u32>()).prop_map(|(n, len, value)| (Prefix::new(n.into(), len).unwrap(), value))
}

/// Inserts and removes one by one, and replaces at once: the same must come of it.
fn agrees<A: Address + core::fmt::Debug>(changes: &[(Prefix<A>, u32)], addresses: &[A]) {
    let mut table = Lpm::<A, u32>::new(changes.len()).unwrap();
    let mut routes: Vec<(Prefix<A>, u32)> = Vec::new();
    for &(prefix, value) in changes {
        let known = routes.iter().position(|(other, _)| *other == prefix);
        let before = known.map(|at| routes.remove(at).1);
        // Each third one goes instead.
        if value % 3 == 0 {
            assert_eq!(table.remove(prefix), before);
        } else {
            routes.push((prefix, value));
            assert_eq!(table.insert(prefix, value), Ok(before));
        }
        assert_eq!((table.len(), table.get(prefix)), (routes.len(), (value % 3 != 0).then_some(&value)));
    }
    let mut whole = Lpm::<A, u32>::new(changes.len()).unwrap();
    whole.replace(routes.iter().rev().copied()).unwrap();
    for address in edges(&routes).into_iter().chain(addresses.iter().copied()) {
        let expected = scan(&routes, address);
        assert_eq!(table.lookup(address), expected, "{address}");
        assert_eq!(whole.lookup(address), expected, "{address}");
        assert_eq!(whole.lookup_mut(address).map(|value| *value).as_ref(), expected);
        assert_eq!(whole.longest(address).is_some_and(|(prefix, _)| prefix.contains(address)), expected.is_some());
    }
    assert!(whole.iter().map(|(prefix, _)| prefix).is_sorted());
}

proptest! {
    #[test]
    fn it_finds_what_a_scan_finds(
        routes in prop::collection::vec(four(), 0..200),
        others in prop::collection::vec(any::<u32>().prop_map(Ipv4Addr::from), 0..200),
    ) {
        agrees(&routes, &others);
    }

    #[test]
    fn it_finds_what_a_scan_finds_of_ipv6(
        routes in prop::collection::vec(six(), 0..60),
        others in prop::collection::vec(any::<u128>().prop_map(Ipv6Addr::from), 0..60),
    ) {
        agrees(&routes, &others);
    }
}

#[test]
fn a_large_table_takes_few_steps() {
    let mut random = crate::Lcg64::new(3);
    let route = |random: &mut crate::Lcg64| {
        let len = 16 + u8::try_from(random.below(9)).unwrap();
        (Prefix::new(Ipv4Addr::from(random.below(1 << 32)), len).unwrap(), len)
    };
    let routes: Vec<_> = (0..100_000).map(|_| route(&mut random)).collect();
    let mut table = Lpm::new(100_000).unwrap();
    table.replace(routes).unwrap();
    assert!(table.steps() <= 5, "{}", table.steps());
}

#[test]
fn a_full_table_stays_as_it_is() {
    let mut table = Lpm::<Ipv4Addr, u8>::new(1).unwrap();
    let [ten, net] = ["10.0.0.0/8", "0.0.0.0/0"].map(|text| text.parse().unwrap());
    assert_eq!(table.replace([(ten, 1), (net, 2)]), Err(TableFull(())));
    assert_eq!(table.insert(ten, 1), Ok(None));
    assert_eq!(table.insert(net, 2), Err(TableFull(2)));
    assert_eq!(table.replace([(ten, 3), (net, 2)]), Err(TableFull(())));
    assert_eq!(table.insert(ten, 4), Ok(Some(1)));
    // Of two for a prefix the later one counts.
    let mut both = Lpm::<Ipv4Addr, u8>::new(2).unwrap();
    both.replace([(ten, 5), (ten, 6)]).unwrap();
    assert_eq!((both.len(), both.lookup([10, 0, 0, 0].into())), (1, Some(&6)));
    both.clear();
    assert!(both.is_empty() && both.lookup([10, 0, 0, 0].into()).is_none());
}

#[test]
fn prefixes_are_read_strictly() {
    let read = |text: &str| text.parse::<Prefix<Ipv4Addr>>().map(|prefix| prefix.len());
    assert_eq!((read("1.2.3.4/32"), read("0.0.0.0/0")), (Ok(32), Ok(0)));
    assert_eq!(read("10.0.0.1/8"), Err(BadPrefix::HostBits));
    for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/-1", "::/8", "x/8", "10.0.0.0/8 "]
    {
        assert_eq!(read(text), Err(BadPrefix::Syntax), "{text}");
    }
    assert_eq!("2001:db8::/32".parse::<Prefix<Ipv6Addr>>().map(Prefix::len), Ok(32));
    assert_eq!(Prefix::new(Ipv4Addr::from([10, 1, 2, 3]), 8).map(Prefix::address), Some([10, 0, 0, 0].into()));
    assert_eq!(Prefix::new(Ipv4Addr::from([10, 1, 2, 3]), 33), None);
}
