//! Tables of routes in a region that others read, against a map: by turns, and at the same time.

use super::routes::{Model, four, scan, six};
use crate::Lcg64;
use crate::raw;
use crate::state::*;
use crate::testing::{RegionSeat, SharedMemory};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use proptest::prelude::*;
use std::vec::Vec;

/// What a table in a region of so many prefixes takes, and the table of who sits there.
fn memory<A: Address>(capacity: usize) -> SharedMemory {
    SharedMemory::new(RouteTable::<A>::region_bytes(capacity))
}

fn table<A: Address>(seat: &RegionSeat) -> RouteTable<A> {
    seat.call(|| RouteTable::in_region(crate::Region::take(1, 0).unwrap()).unwrap())
}

/// One who looks up, with a shortcut.
struct Reader {
    seat: RegionSeat,
    table: RouteTable<Ipv4Addr>,
}

impl Reader {
    fn new(memory: &SharedMemory) -> Self {
        let seat = memory.reader();
        let table = table(&seat).with_shortcut().unwrap();
        Self { seat, table }
    }

    fn look(&mut self, addresses: &[u32]) -> Vec<u32> {
        let mut found = std::vec![0; addresses.len()];
        let Self { seat, table } = self;
        seat.call(|| table.lookup_each(addresses, &mut found, u32::MAX));
        found
    }
}

/// Makes changes, of which readers with a shortcut see each or only some, and compares. `lazy`: one of them looks so seldom.
fn readers_agree(changes: &[(Prefix<Ipv4Addr>, u32)], others: &[u32], lazy: usize) {
    let memory = memory::<Ipv4Addr>(changes.len().max(1));
    let writer = memory.writer();
    let mut written: RouteTable<Ipv4Addr> = table(&writer).with_shortcut().unwrap();
    let (mut reader, mut late) = (Reader::new(&memory), Reader::new(&memory));
    let ends = changes.iter().flat_map(|(prefix, _)| [prefix.address().to_bits(), prefix.last().to_bits()]);
    let addresses: Vec<u32> = ends.chain(others.iter().copied()).collect();
    let mut model = Model::new();
    for (nth, &(prefix, value)) in changes.iter().enumerate() {
        writer.call(|| {
            assert!(written.is_ready(1));
            if value % 3 == 0 {
                assert_eq!(written.remove(prefix), model.remove(&prefix));
            } else {
                assert_eq!(written.insert(prefix, value), Ok(model.insert(prefix, value)));
            }
        });
        let expected = |address: &u32| scan(&model, Ipv4Addr::from_bits(*address)).map_or(u32::MAX, |(_, value)| value);
        let expected: Vec<u32> = addresses.iter().map(expected).collect();
        assert_eq!(reader.look(&addresses), expected);
        if nth % lazy == 0 {
            assert_eq!(late.look(&addresses), expected, "who looks seldom");
        }
        let mut found = expected.clone();
        writer.call(|| written.lookup_each(&addresses, &mut found, u32::MAX));
        assert_eq!(found, expected, "who writes");
    }
    assert_eq!(reader.seat.call(|| reader.table.len()), model.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn who_reads_finds_what_a_scan_finds(
        changes in prop::collection::vec(four(), 0..80),
        others in prop::collection::vec(any::<u32>(), 0..20),
        lazy in 1_usize..40,
    ) {
        readers_agree(&changes, &others, lazy);
    }

    #[test]
    fn it_visits_what_is_there_of_ipv6(changes in prop::collection::vec(six(), 0..100)) {
        let memory = memory::<Ipv6Addr>(changes.len().max(1));
        let (writer, reader) = (memory.writer(), memory.reader());
        let mut written: RouteTable<Ipv6Addr> = table(&writer);
        let read: RouteTable<Ipv6Addr> = table(&reader);
        let mut model = Model::new();
        for (prefix, value) in changes {
            writer.call(|| written.insert(prefix, value)).unwrap();
            model.insert(prefix, value);
            reader.call(|| assert_eq!(read.get(prefix), Some(value)));
        }
        let mut shown = Vec::new();
        reader.call(|| read.visit(None, |prefix, value| { shown.push((prefix, value)); true }));
        assert!(shown.into_iter().eq(model));
    }
}

/// As long as a reader has not gone on, nothing that it may look at is used again; then all of it is.
#[test]
fn what_is_left_waits_for_who_looks() {
    let memory = memory::<Ipv4Addr>(3_000);
    let (writer, reader) = (memory.writer(), memory.reader());
    let mut written: RouteTable<Ipv4Addr> = table(&writer);
    reader.call(|| ());
    let mut random = Lcg64::new(3);
    let mut change = |written: &mut RouteTable<Ipv4Addr>| {
        let prefix = Prefix::new(Ipv4Addr::from_bits(random.below(1 << 32)), 24).unwrap();
        writer.call(|| written.is_ready(1) && written.insert(prefix, 7).is_ok() && written.remove(prefix) == Some(7))
    };
    let made = (0..100_000).take_while(|_| change(&mut written)).count();
    assert!((200..3_000).contains(&made), "{made}");
    let prefix = "10.0.0.0/8".parse().unwrap();
    writer.call(|| while written.insert(prefix, 1).is_ok() && written.remove(prefix).is_some() {});
    writer.call(|| assert!(!written.is_ready(1) && written.remove(prefix).is_none()));
    reader.call(|| ());
    writer.call(|| assert!(written.is_ready(64)));
    // Who sits there no more is not waited for.
    drop(reader);
    assert!((0..20_000).all(|_| change(&mut written)));
}

#[test]
fn a_table_that_is_anothers_takes_nothing() {
    let memory = memory::<Ipv4Addr>(100);
    let (writer, reader) = (memory.writer(), memory.reader());
    let mut read: RouteTable<Ipv4Addr> = table(&reader).with_shortcut().unwrap();
    let prefix = "10.0.0.0/8".parse().unwrap();
    let mut found = [0];
    reader.call(|| {
        assert!(!read.is_there() && !read.adopt() && read.is_empty());
        assert_eq!((read.lookup([10, 0, 0, 1].into()), read.get(prefix)), (None, None));
        read.visit(None, |_, _| panic!("there is nothing"));
        read.lookup_each(&[0x0a00_0001], &mut found, 77);
    });
    assert_eq!(found, [77]);
    let mut written: RouteTable<Ipv4Addr> = table(&writer);
    writer.call(|| written.insert(prefix, 5)).unwrap();
    reader.call(|| {
        assert!(read.is_there() && !read.is_ready(1));
        assert_eq!((read.insert(prefix, 6), read.remove(prefix)), (Err(TableFull(6)), None));
        read.clear();
        assert_eq!(read.lookup([10, 0, 0, 1].into()), Some(5));
    });
    memory.set_waiting(true);
    writer.call(|| assert!(!written.is_ready(1)));
    memory.set_waiting(false);
    writer.call(|| assert!(written.is_ready(1)));
}

/// Fills a table to its last place again and again, half of it new each time, while somebody looks now and then.
fn keeps_its_promise<A: Address + core::fmt::Debug>(capacity: usize, lengths: &[u8]) {
    let memory = memory::<A>(capacity);
    let (writer, reader) = (memory.writer(), memory.reader());
    let mut table: RouteTable<A> = table(&writer);
    let (mut model, mut random, mut changes) = (Model::new(), Lcg64::new(9), 0);
    let mut ready = |table: &mut RouteTable<A>| {
        changes += 1;
        if changes % 200 == 0 {
            reader.call(|| ());
        }
        assert!(table.is_ready(1));
    };
    for len in lengths.iter().cycle().take(3 * lengths.len()) {
        let gone: Vec<_> = model.keys().copied().filter(|_| random.below(2) == 0).collect();
        for prefix in gone {
            writer.call(|| ready(&mut table));
            assert_eq!(writer.call(|| table.remove(prefix)), model.remove(&prefix));
        }
        while model.len() < table.capacity() {
            let bits = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
            let prefix = Prefix::new(A::from_bits_left(bits), *len).unwrap();
            writer.call(|| ready(&mut table));
            let before = model.insert(prefix, 1);
            assert_eq!(writer.call(|| table.insert(prefix, 1)), Ok(before), "{} of {capacity}", model.len());
        }
    }
    for prefix in model.keys() {
        assert_eq!(table.get(*prefix), Some(1));
    }
}

#[test]
fn all_places_are_there_while_others_look() {
    keeps_its_promise::<Ipv4Addr>(20_000, &[32, 20, 31, 19]);
    keeps_its_promise::<Ipv6Addr>(8_000, &[128, 48, 126]);
}

/// One writes and three look up at the same time: each finds one of the two values that a prefix may have then, or that of the one around it.
#[test]
fn who_looks_meanwhile_finds_what_was_or_what_is() {
    const AROUND: u32 = 1;
    let memory = memory::<Ipv4Addr>(20_000);
    let writer = memory.writer();
    let mut written: RouteTable<Ipv4Addr> = table(&writer);
    writer.call(|| written.insert("0.0.0.0/1".parse().unwrap(), AROUND)).unwrap();
    // Values say to which prefix they belong, so that one of another place is seen.
    let prefix_of = |n: u32| {
        let len = [32, 24, 24, 24, 22, 19, 16, 14][(n % 8) as usize];
        let address = n.wrapping_mul(0x9e37_79b1) >> 1 & u32::MAX << (32 - len);
        Prefix::new(Ipv4Addr::from_bits(address), u8::try_from(len).unwrap()).unwrap()
    };
    let (is_over, looked, torn) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let look = |seed: u64| {
        let (mut reader, mut random) = (Reader::new(&memory), Lcg64::new(seed));
        while !is_over.load(Ordering::Relaxed) {
            let numbers: [u32; 32] = core::array::from_fn(|_| random.below(5_000));
            let addresses = numbers.map(|n| prefix_of(n).last().to_bits());
            for (address, value) in addresses.iter().zip(reader.look(&addresses)) {
                // The prefix that the value names contains the address.
                let fits = value == AROUND || prefix_of(value >> 8).contains(Ipv4Addr::from_bits(*address));
                torn.fetch_add(u64::from(!fits), Ordering::Relaxed);
            }
            let Reader { seat, table } = &reader;
            let value = seat.call(|| table.lookup(Ipv4Addr::from_bits(addresses[0]))).unwrap_or(0);
            let fits = value == AROUND || prefix_of(value >> 8).contains(Ipv4Addr::from_bits(addresses[0]));
            torn.fetch_add(u64::from(!fits), Ordering::Relaxed);
            looked.fetch_add(33, Ordering::Relaxed);
        }
    };
    let (mut made, mut late) = (0_u32, 0_u32);
    std::thread::scope(|s| {
        (1..4).for_each(|seed| drop(s.spawn(move || look(seed))));
        let mut random = Lcg64::new(77);
        while made < 60_000 || looked.load(Ordering::Relaxed) < 100_000 {
            let n = random.below(5_000);
            let done = writer.call(|| {
                written.is_ready(1) && {
                    match random.below(3) {
                        0 => drop(written.remove(prefix_of(n))),
                        more => drop(written.insert(prefix_of(n), n << 8 | more).unwrap()),
                    }
                    true
                }
            });
            (made, late) = (made + u32::from(done), late + u32::from(!done));
            if !done {
                std::thread::yield_now();
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(torn.load(Ordering::Relaxed), 0, "of {looked:?}, {made} changes, {late} times not ready");
}

#[test]
fn words_are_seen_by_others_and_written_by_one() {
    let memory = SharedMemory::new(8_192);
    let (writer, reader) = (memory.writer(), memory.reader());
    let take = || SharedWords::new(crate::Region::take(1, 0).unwrap().split_at(4_096).1);
    let (mut written, mut read) = (writer.call(take), reader.call(take));
    assert!(!written.are_anothers() && read.are_anothers());
    written.set(3, 77);
    read.set(3, 78);
    assert_eq!((read.get(3), read.get(512), written.get(3)), (77, 0, 77));
    reader.call(|| ());
    let turn = writer.call(|| written.next_turn());
    assert!(writer.call(|| written.reached()) < turn);
    reader.call(|| assert!(!read.are_open()));
    assert_eq!(writer.call(|| (written.reached(), written.are_open())), (turn, true));
    assert_eq!(raw::region(0), 0, "who has no region may do what it likes");
}
