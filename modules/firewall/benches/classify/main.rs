//! Which structure finds rules best? Compares the module's classifier with others over rule sets of several shapes, each with packets
//! that are drawn from its rules; all of them must find the same.
//!
//! ```sh
//! cargo bench -p firewall                                  # the table
//! cargo bench -p firewall -- --write DIR acl 10000         # a configuration and a capture for perigee run
//! ```
#![allow(missing_docs, unreachable_pub, reason = "a program")]
#![allow(dead_code, unused_imports, reason = "parts of the module that it uses come with the rest of them")]
#![allow(clippy::cast_possible_truncation, reason = "numbers of rules and lengths of frames are small")]

extern crate alloc;

#[path = "../../src/classify/mod.rs"]
mod classify;
#[path = "../../src/pattern.rs"]
mod pattern;
#[path = "../../src/seen.rs"]
mod seen;

mod files;
mod rivals;
mod sets;

use classify::Classifier;
use rivals::{Bits, Tuples, Walk};
use seen::Seen;
use sets::{Set, Shape};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long each structure is measured.
const TIME: Duration = Duration::from_millis(300);
const PACKETS: usize = 4_096;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [write, folder, shape, count] = args.as_slice()
        && write == "--write"
    {
        let shape = Shape::ALL.into_iter().find(|known| known.name() == shape).expect("acl, fw or ipc");
        let set = Set::new(shape, count.parse().expect("a number of rules"), 1);
        files::write(std::path::Path::new(folder), &set).expect("the folder can be written");
        return;
    }
    println!("{:<4} {:>6}  {:<14} {:>9} {:>9} {:>10}", "set", "rules", "structure", "build ms", "KiB", "ns/packet");
    for shape in Shape::ALL {
        for count in [1_000, 10_000] {
            compare(shape, count);
        }
    }
}

fn compare(shape: Shape, count: usize) {
    let set = Set::new(shape, count, 1);
    let packets = set.packets(PACKETS, 2);
    let walk = Walk::new(&set.patterns);
    let expected: Vec<_> = packets.iter().map(|seen| walk.find(seen)).collect();
    let line = |name: &str, build: Duration, bytes: usize, find: &dyn Fn(&Seen) -> Option<u32>| {
        assert!(packets.iter().map(find).eq(expected.iter().copied()), "{name} finds other rules than a walk");
        let milliseconds = build.as_secs_f64() * 1e3;
        let time = measure(&packets, find);
        println!("{:<4} {count:>6}  {name:<14} {milliseconds:>9.1} {:>9} {time:>10.1}", shape.name(), bytes / 1024);
    };
    let (walk, time) = timed(|| Walk::new(&set.patterns));
    line("walk", time, walk.bytes(), &|seen| walk.find(seen));
    let (tuples, time) = timed(|| Tuples::new(&set.patterns));
    line("tuple space", time, tuples.bytes(), &|seen| tuples.find(seen));
    let (bits, time) = timed(|| Bits::new(&set.patterns));
    line("bit vectors", time, bits.bytes(), &|seen| bits.find(seen));
    let (pairs, time) = timed(|| Classifier::new(&set.patterns).expect("it fits"));
    line("prefix pairs", time, pairs.bytes(), &|seen| pairs.find(seen, 0));
}

fn timed<T>(make: impl Fn() -> T) -> (T, Duration) {
    let start = Instant::now();
    let made = make();
    (made, start.elapsed())
}

/// Nanoseconds for each packet: the best of the rounds, for others use the machine as well.
fn measure(packets: &[Seen], find: &dyn Fn(&Seen) -> Option<u32>) -> f64 {
    let start = Instant::now();
    let mut best = f64::MAX;
    while start.elapsed() < TIME {
        let round = Instant::now();
        for seen in packets {
            black_box(find(black_box(seen)));
        }
        best = best.min(round.elapsed().as_nanos() as f64 / packets.len() as f64);
    }
    best
}
