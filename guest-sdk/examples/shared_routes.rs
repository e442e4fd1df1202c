//! A table of routes for each lcore, or one that all read: what a lookup and a change cost, and the memory of both.
//!
//! `cargo run --release -p perigee-guest --features state --example shared_routes [SECONDS]`
//!
//! Two threads look up, each in a table of its own and then both in one, by turns, so that what else the machine does meets both. Last,
//! the same while the table changes ten thousand times a second.

use perigee_guest::Lcg64;
use perigee_guest::state::{Prefix, RouteTable};
use perigee_guest::testing::{RegionSeat, SharedMemory};
use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ROUTES: usize = 1_000_000;
const ROUTES6: usize = 250_000;
/// Addresses that are looked up: far more than caches hold.
const ADDRESSES: usize = 1 << 20;
const BURST: usize = 64;
const CHANGES: f64 = 10_000.0;

type Route = (Prefix<Ipv4Addr>, u32);
type Table = RouteTable<Ipv4Addr>;

/// Different prefixes of lengths as in the Internet's tables.
fn draw() -> Vec<Route> {
    let (mut random, mut seen, mut routes) = (Lcg64::new(14), HashSet::new(), Vec::new());
    while routes.len() < ROUTES {
        let len = match random.below(1_000) {
            0..10 => 25 + random.below(8),
            10..600 => 24,
            600..800 => 22 + random.below(2),
            800..960 => 19 + random.below(3),
            960..995 => 16 + random.below(3),
            _ => 11 + random.below(5),
        };
        let address = random.below(1 << 32) & (u32::MAX << (32 - len));
        if let Some(prefix) = Prefix::new(address.into(), u8::try_from(len).unwrap_or(32))
            && seen.insert(prefix)
        {
            routes.push((prefix, random.below(16)));
        }
    }
    routes
}

fn fill(table: &mut Table, routes: &[Route]) {
    for (prefix, value) in routes {
        assert!(table.is_ready(1) && table.insert(*prefix, *value).is_ok(), "there is room for all");
    }
}

/// Addresses that have a route, in no order.
fn addresses(routes: &[Route], seed: u64) -> Vec<u32> {
    let mut random = Lcg64::new(seed);
    let mut one = || {
        let (prefix, _) = routes[random.below(ROUTES as u64) as usize];
        let (first, last) = (prefix.address().to_bits(), prefix.last().to_bits());
        first + random.below(u64::from(last - first) + 1)
    };
    (0..ADDRESSES).map(|_| one()).collect()
}

/// Looks up until it is over: nanoseconds for an address.
fn look(table: &mut Table, seat: Option<&RegionSeat>, addresses: &[u32], is_over: &AtomicBool) -> f64 {
    let (mut found, mut count, begin) = ([0; BURST], 0_u32, Instant::now());
    for burst in addresses.chunks_exact(BURST).cycle() {
        let mut look = || table.lookup_each(burst, &mut found, u32::MAX);
        match seat {
            Some(seat) => seat.call(look),
            None => look(),
        }
        assert!(found[0] != u32::MAX, "each address has a route");
        count += 1;
        if count % 64 == 0 && is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    begin.elapsed().as_nanos() as f64 / f64::from(count) / BURST as f64
}

/// Two threads look up for so long; meanwhile `change` is called.
fn both(
    readers: &mut [(Table, Option<RegionSeat>)],
    addresses: &[Vec<u32>],
    time: Duration,
    mut change: impl FnMut(Duration),
) -> f64 {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|s| {
        let is_over = &is_over;
        let threads: Vec<_> = readers
            .iter_mut()
            .zip(addresses)
            .map(|((table, seat), addresses)| s.spawn(move || look(table, seat.as_ref(), addresses, is_over)))
            .collect();
        let begin = Instant::now();
        while begin.elapsed() < time {
            change(begin.elapsed());
            std::thread::sleep(Duration::from_millis(1));
        }
        is_over.store(true, Ordering::Relaxed);
        let times: Vec<f64> = threads.into_iter().filter_map(|thread| thread.join().ok()).collect();
        times.iter().sum::<f64>() / times.len() as f64
    })
}

/// Nanoseconds for a change: a route goes and comes again.
fn changes(table: &mut Table, routes: &[Route], count: usize) -> f64 {
    let begin = Instant::now();
    for (prefix, value) in routes.iter().step_by(ROUTES / count) {
        assert!(table.is_ready(2) && table.remove(*prefix).is_some() && table.insert(*prefix, *value).is_ok());
    }
    begin.elapsed().as_nanos() as f64 / count as f64 / 2.0
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(1);
    let time = Duration::from_secs(seconds);
    let routes = draw();
    let addresses = [addresses(&routes, 1), addresses(&routes, 2)];
    let own = || {
        let mut table = Table::new(ROUTES).and_then(Table::with_shortcut).unwrap_or_else(|e| panic!("{e:?}"));
        fill(&mut table, &routes);
        (table, None)
    };
    let mut copies = [own(), own()];
    let memory = SharedMemory::new(Table::region_bytes(ROUTES));
    let at = |seat: &RegionSeat| {
        let region = seat.call(perigee_guest::testing::region).unwrap_or_else(|| panic!("there is a region"));
        seat.call(|| Table::in_region(region).and_then(Table::with_shortcut)).unwrap_or_else(|e| panic!("{e:?}"))
    };
    let writer = memory.writer();
    let mut written = at(&writer);
    writer.call(|| fill(&mut written, &routes));
    let mut readers = [memory.reader(), memory.reader()].map(|seat| (at(&seat), Some(seat)));
    let (mut of_copies, mut of_one, mut of_changing, mut late) = (Vec::new(), Vec::new(), Vec::new(), 0_u64);
    for _ in 0..5 {
        of_copies.push(both(&mut copies, &addresses, time, |_| ()));
        of_one.push(both(&mut readers, &addresses, time, |_| ()));
        let mut made = 0_usize;
        of_changing.push(both(&mut readers, &addresses, time, |since| {
            while (made as f64) < CHANGES * since.as_secs_f64() {
                let (prefix, value) = routes[made * 7 % ROUTES];
                // The same route, which others see at once; another one that comes and goes.
                let other = 0xf000_0000 | u32::try_from(made).unwrap_or(0);
                let other = Prefix::new(Ipv4Addr::from_bits(other), 32).unwrap_or_else(|| unreachable!());
                writer.call(|| {
                    if !written.is_ready(4) {
                        late += 1;
                        return;
                    }
                    assert!(written.insert(prefix, value).is_ok() && written.insert(other, 3).is_ok());
                    assert!(written.remove(other).is_some());
                });
                made += 3;
            }
        }));
    }
    // Who does not look is not waited for.
    drop(readers);
    let in_heap = changes(&mut copies[0].0, &routes, 20_000);
    let in_region = writer.call(|| changes(&mut written, &routes, 20_000));
    let mib = |bytes: usize| bytes.div_ceil(1 << 20);
    let copy = Table::bytes(ROUTES) + RouteTable::<Ipv6Addr>::bytes(ROUTES6);
    let one = Table::region_bytes(ROUTES) + RouteTable::<Ipv6Addr>::region_bytes(ROUTES6);
    println!("| | Each its own | One for all |");
    println!("| --- | --- | --- |");
    println!(
        "| A lookup, in bursts of {BURST}, two threads | {:.1} ns | {:.1} ns |",
        median(of_copies),
        median(of_one)
    );
    println!("| The same, while it changes {CHANGES} times a second | | {:.1} ns |", median(of_changing));
    println!("| A change, for two fast instances and a slow one | {:.0} ns | {in_region:.0} ns |", 3.0 * in_heap);
    println!("| Memory of both families' tables, for all three | {} MiB | {} MiB |", mib(3 * copy), mib(one));
    println!("Changes that had to wait: {late}.");
}
