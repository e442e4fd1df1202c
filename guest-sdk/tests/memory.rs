//! The tables take their memory when they are made, as much as they say, and none later.

use perigee_guest::state::{
    FiveTuple, FiveTuple4, FiveTuple6, FlowLimits, FlowTable, Histogram, Lpm, Prefix, RouteTable, SECOND, TokenBucket,
    Wheel,
};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes that `make` takes from the heap, and what it makes.
fn taken<T>(make: impl FnOnce() -> T) -> (u64, T) {
    let mut made = None;
    let info = allocation_counter::measure(|| made = Some(make()));
    (info.bytes_max, made.unwrap_or_else(|| unreachable!("`measure` calls it")))
}

fn takes_nothing(run: impl FnOnce()) {
    assert_eq!(allocation_counter::measure(run).count_total, 0);
}

fn flow(n: u32) -> FiveTuple {
    let (source, destination) = (n.into(), Ipv4Addr::LOCALHOST);
    FiveTuple::V4(FiveTuple4 { source, destination, source_port: 1, destination_port: 2, protocol: 17 })
}

#[test]
fn flows_take_memory_once() {
    let (bytes, mut table) =
        taken(|| FlowTable::<FiveTuple, u64>::new(FlowLimits::new(1_000, 1).idle(SECOND)).unwrap());
    assert_eq!(bytes, FlowTable::<FiveTuple, u64>::bytes(1_000) as u64);
    takes_nothing(|| {
        for n in 0..20_000 {
            let now = u64::from(n) * 1_000_000;
            table.find_or_insert(flow(n % 3_000), now, || 0).unwrap();
            table.remove(&flow(n / 2));
            table.expire(now, 4, |_, _| ());
        }
        table.clear();
    });
}

#[test]
fn prefixes_take_memory_once() {
    let (bytes, mut table) = taken(|| Lpm::<Ipv4Addr, TokenBucket>::new(300).unwrap());
    assert_eq!(bytes, Lpm::<Ipv4Addr, TokenBucket>::bytes(300) as u64);
    let bucket = TokenBucket::new(1, 1, 0).unwrap();
    takes_nothing(|| {
        let mut numbers = (0_u32..).zip((0..=32_u8).cycle());
        let routes: [_; 300] = std::array::from_fn(|_| {
            let (n, len) = numbers.next().unwrap();
            (Prefix::new(Ipv4Addr::from(n.wrapping_mul(0x0123_4567)), len).unwrap(), bucket)
        });
        table.replace(routes).unwrap();
        table.clear();
        for (prefix, bucket) in routes {
            table.insert(prefix, bucket).unwrap();
        }
        assert!(table.lookup_mut(Ipv4Addr::LOCALHOST).unwrap().take(1, 0));
        assert!(table.remove(routes[0].0).is_some());
    });
}

#[test]
fn routes_take_memory_once() {
    let (bytes, mut table) = taken(|| RouteTable::<Ipv6Addr>::new(3_000).unwrap());
    assert_eq!(bytes, RouteTable::<Ipv6Addr>::bytes(3_000) as u64);
    takes_nothing(|| {
        for n in 0..20_000_u32 {
            let bits = u128::from(n % 3_000).wrapping_mul(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
            let len = u8::try_from(n % 129).unwrap();
            let prefix = Prefix::new(Ipv6Addr::from_bits(bits), len).unwrap();
            if n % 5 == 0 {
                table.remove(prefix);
            } else {
                let _ = table.insert(prefix, n);
            }
            assert!(table.lookup(prefix.address()).is_some() || n % 5 == 0 || table.len() == 3_000);
        }
        table.clear();
    });
}

/// A full table of the Internet, wherever its prefixes are, for all lcores that look up in it.
#[test]
fn the_routes_of_the_internet_fit_128_mib() {
    let both = RouteTable::<Ipv4Addr>::region_bytes(1_000_000) + RouteTable::<Ipv6Addr>::region_bytes(250_000);
    assert!(both <= 128 << 20, "{both}");
}

#[test]
fn timers_take_memory_once() {
    let (bytes, mut wheel) = taken(|| Wheel::<u32>::new(1_000, 1_000).unwrap());
    assert_eq!(bytes, Wheel::<u32>::bytes(1_000) as u64);
    takes_nothing(|| {
        for n in 0..20_000_u32 {
            let now = u64::from(n) * 777;
            let timer = wheel.schedule(now + u64::from(n % 50) * 9_999, n);
            if n % 3 == 0 {
                timer.map(|timer| wheel.cancel(timer)).unwrap();
            }
            wheel.advance(now, 8, |_| ());
        }
    });
}

#[test]
fn histograms_take_memory_once() {
    let (bytes, mut gaps) = taken(|| Histogram::new(1, 3_600 * SECOND, 2).unwrap());
    assert_eq!(bytes, Histogram::bytes(1, 3_600 * SECOND, 2).unwrap() as u64);
    takes_nothing(|| {
        (0..10_000).for_each(|n| gaps.record(n * n * n));
        gaps.encode(|_| Ok::<(), ()>(())).unwrap();
        assert!(gaps.quantile(999_000) > 0);
    });
}

/// The page of the book quotes this. Sizes differ by target only where a type has pointers; none of these has.
#[test]
fn the_book_says_what_an_entry_takes() {
    const MANY: usize = 1 << 20;
    let mut rows: Vec<String> = [
        ("FlowTable<FiveTuple4, u64>", FlowTable::<FiveTuple4, u64>::bytes(MANY)),
        ("FlowTable<FiveTuple6, u64>", FlowTable::<FiveTuple6, u64>::bytes(MANY)),
        ("FlowTable<FiveTuple, u64>", FlowTable::<FiveTuple, u64>::bytes(MANY)),
        ("Lpm<Ipv4Addr, u32>", Lpm::<Ipv4Addr, u32>::bytes(MANY)),
        ("Lpm<Ipv6Addr, u32>", Lpm::<Ipv6Addr, u32>::bytes(MANY)),
        ("Lpm<Ipv4Addr, TokenBucket>", Lpm::<Ipv4Addr, TokenBucket>::bytes(MANY)),
        ("RouteTable<Ipv4Addr>", RouteTable::<Ipv4Addr>::bytes(MANY)),
        ("RouteTable<Ipv6Addr>", RouteTable::<Ipv6Addr>::bytes(MANY)),
        ("Wheel<u32>", Wheel::<u32>::bytes(MANY)),
    ]
    .iter()
    .map(|(what, bytes)| format!("| `{what}` | {} |", bytes / MANY))
    .collect();
    let hour = 3_600 * SECOND;
    for (what, digits, highest) in
        [("an hour, two digits", 2, hour), ("an hour, three digits", 3, hour), ("9,000, three digits", 3, 9_000)]
    {
        rows.push(format!("| {what} | {} |", Histogram::bytes(1, highest, digits).unwrap()));
    }
    let book = include_str!("../../docs/state.md");
    let missing: Vec<&String> = rows.iter().filter(|row| !book.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "docs/state.md does not say: {missing:#?}");
}
