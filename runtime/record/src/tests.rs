//! Both ends of lanes in one process; the reader has a mapping of its own, as another process would.

use super::*;
use crate::layout::{HEAD_LEN, LEN};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn made(lanes: u64, chunks: u64) -> (Arc<Memory>, Arc<Map>) {
    let memory = Memory::new(Shape { lanes, chunks }).expect("memory");
    let map = Map::new(memory.descriptor()).expect("a map");
    (memory, map)
}

fn record(writer: &mut Writer, number: u64, len: u16) {
    let head = Head { ns: number * 10, original: u32::from(len) + 1, cause: 3, flags: 4 };
    writer.record(head, len, |bytes| bytes.fill(number.to_le_bytes()[0]));
}

/// Reads what is there; the numbers of the records, each of which was looked at.
fn read(reader: &mut Reader) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(record) = reader.peek() {
        assert_eq!(record.ns, record.number * 10);
        assert_eq!(
            (record.cause, record.flags, record.original),
            (3, 4, u32::try_from(record.bytes.len()).expect("short") + 1)
        );
        assert!(record.bytes.iter().all(|byte| *byte == record.number.to_le_bytes()[0]));
        numbers.push(record.number);
        reader.pass();
    }
    numbers
}

#[test]
fn what_was_shown_is_read_once_in_order() {
    let (memory, map) = made(2, 4);
    let (mut first, mut second) = (memory.writer().expect("one"), memory.writer().expect("two"));
    assert!(memory.writer().is_none());
    let (mut a, mut b) = (map.reader(0).expect("one"), map.reader(1).expect("two"));
    assert!(map.reader(2).is_none());
    record(&mut first, 0, 60);
    assert_eq!(read(&mut a), [0_u64; 0], "not shown yet");
    first.show();
    second.refuse();
    second.show();
    assert_eq!((read(&mut a), read(&mut b)), (vec![0], vec![]));
    (1..5).for_each(|number| record(&mut first, number, 50));
    first.show();
    assert_eq!((read(&mut a), read(&mut a)), (vec![1, 2, 3, 4], vec![]));
    drop((first, second));
    assert_eq!(a.counts(), Counts { seen: 5, refused: 0, recorded: 5, ended: true });
    assert_eq!(b.counts(), Counts { seen: 1, refused: 1, recorded: 0, ended: true });
    assert_eq!((a.missed(), b.missed()), (0, 0));
}

#[test]
fn a_slow_reader_knows_exactly_what_it_has_missed() {
    let (memory, map) = made(1, 8);
    let (mut writer, mut reader) = (memory.writer().expect("one"), map.reader(0).expect("one"));
    let mut got = 0;
    for number in 0..40_000_u64 {
        record(&mut writer, number, 100 + u16::try_from(number % 300).expect("few"));
        if number % 16 == 15 {
            writer.show();
        }
        if number % 5_000 == 4_999 {
            let numbers = read(&mut reader);
            assert_eq!(numbers.last(), Some(&((number + 1) / 16 * 16 - 1)), "up to what was shown last");
            got += numbers.len() as u64;
        }
    }
    drop(writer);
    got += read(&mut reader).len() as u64;
    reader.finish();
    assert!(reader.missed() > 10_000, "{}", reader.missed());
    assert_eq!(got + reader.missed(), 40_000);
}

#[test]
fn what_is_taken_back_was_never_there() {
    let (memory, map) = made(1, 4);
    let (mut writer, mut reader) = (memory.writer().expect("one"), map.reader(0).expect("one"));
    let mut number = 0;
    // Far enough for marks that lie chunks back.
    for kept in [0_u64, 1, 90, 100] {
        for _ in 0..20 {
            let mut marks = Vec::new();
            for i in 0..100 {
                marks.push(writer.mark());
                record(&mut writer, number + i, 1_500);
            }
            if let Some(mark) = marks.get(usize::try_from(kept).expect("few")) {
                writer.back_to(*mark);
            }
            number += kept;
            writer.show();
        }
        let numbers = read(&mut reader);
        assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.last().is_none_or(|last| *last == number - 1));
    }
    reader.finish();
    assert_eq!(reader.counts().recorded, number);
    assert_eq!(reader.counts().seen, number);
}

#[test]
fn a_burst_that_a_lane_does_not_hold_is_missing_and_numbered() {
    let (memory, map) = made(1, 4);
    let (mut writer, mut reader) = (memory.writer().expect("one"), map.reader(0).expect("one"));
    (0..1_000).for_each(|number| record(&mut writer, number, 9_000));
    writer.show();
    (1_000..1_002).for_each(|number| record(&mut writer, number, 9_000));
    writer.show();
    let numbers = read(&mut reader);
    assert_eq!(numbers.last(), Some(&1_001));
    assert_eq!(numbers.len() as u64 + reader.missed(), 1_002);
}

#[test]
fn a_reader_beside_a_writer_never_has_a_spoilt_record() {
    let (memory, map) = made(1, 4);
    let (mut writer, done) = (memory.writer().expect("one"), Arc::new(AtomicBool::new(false)));
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (map, done) = (Arc::clone(&map), Arc::clone(&done));
                scope.spawn(move || {
                    let (mut reader, mut got) = (map.reader(0).expect("one"), 0);
                    loop {
                        let ended = done.load(Ordering::Acquire);
                        got += read(&mut reader).len() as u64;
                        if ended {
                            reader.finish();
                            return got + reader.missed();
                        }
                    }
                })
            })
            .collect();
        for number in 0..400_000 {
            record(&mut writer, number, u16::try_from(number % 700).expect("few"));
            if number % 32 == 0 {
                writer.show();
            }
        }
        drop(writer);
        done.store(true, Ordering::Release);
        for reader in readers {
            assert_eq!(reader.join().expect("a reader"), 400_000);
        }
    });
}

#[test]
fn a_time_is_found_by_the_heads_of_chunks() {
    let (memory, map) = made(1, 16);
    let mut writer = memory.writer().expect("one");
    for number in 0..20_000 {
        record(&mut writer, number, 200);
        writer.show();
    }
    for wanted in [160_000, 170_000, 199_990, 500_000] {
        let mut reader = map.reader(0).expect("one");
        reader.seek(wanted);
        let first = reader.peek().expect("a record").ns;
        assert!(first <= wanted && wanted.min(199_990) - first < 10 * 65_536 / 216, "{first} {wanted}");
        assert_eq!(reader.missed(), 0);
    }
    let mut reader = map.reader(0).expect("one");
    reader.seek(0);
    let oldest = reader.peek().expect("a record").number;
    assert!(oldest > 10_000, "what was written over is not found: {oldest}");
    assert_eq!(read(&mut reader).len() as u64, 20_000 - oldest);
}

#[test]
fn whoever_has_the_descriptor_may_only_read() {
    let (memory, _map) = made(1, 4);
    let mut writer = memory.writer().expect("one");
    let other = memory.descriptor().try_clone_to_owned().expect("a descriptor");
    let len = memory.shape().bytes();
    let map = |rights| {
        let size = usize::try_from(len).expect("it fits");
        // SAFETY:
        // - the kernel chooses an address at which nothing is.
        unsafe { mmap(std::ptr::null_mut(), size, rights, MapFlags::SHARED, &other, 0) }
    };
    map(ProtFlags::READ | ProtFlags::WRITE).expect_err("mapped to be written");
    map(ProtFlags::READ).expect("mapped to be read");
    assert_eq!(rustix::io::write(&other, b"x"), Err(rustix::io::Errno::PERM));
    for longer_or_shorter in [0, len - 4_096, len + 4_096] {
        assert_eq!(rustix::fs::ftruncate(&other, longer_or_shorter), Err(rustix::io::Errno::PERM));
    }
    let hole = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
    assert_eq!(rustix::fs::fallocate(&other, hole, 0, 4_096), Err(rustix::io::Errno::PERM));
    // A way around: the same file opened anew.
    use std::os::fd::AsRawFd;
    let again = std::fs::OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", other.as_raw_fd()));
    if let Ok(again) = again {
        use std::os::unix::fs::FileExt;
        again.write_at(b"x", 0).expect_err("written by a descriptor of its own");
    }
    assert!(rustix::fs::fcntl_add_seals(&other, rustix::fs::SealFlags::WRITE).is_err());
    // The one that has it goes on.
    record(&mut writer, 0, 60);
    writer.show();
}

#[test]
fn what_is_no_record_is_refused() {
    let file = tempfile::tempfile().expect("a file");
    use std::os::fd::AsFd;
    Map::new(file.as_fd()).expect_err("a file");
    let flags = rustix::fs::MemfdFlags::ALLOW_SEALING;
    let other = rustix::fs::memfd_create("other", flags).expect("memory");
    rustix::fs::ftruncate(&other, 1 << 20).expect("its length");
    assert!(Map::new(other.as_fd()).expect_err("not sealed").to_string().contains("shorter"));
    rustix::fs::fcntl_add_seals(&other, rustix::fs::SealFlags::SHRINK).expect("a seal");
    assert!(Map::new(other.as_fd()).expect_err("nothing in it").to_string().contains("version"));
}

#[test]
fn whatever_lies_in_a_memory_is_read_without_harm() {
    let mut state = 1_u64;
    let mut next = move || {
        // Any numbers will do: xorshift64 (Marsaglia, 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..200 {
        let (memory, map) = made(1, 4);
        let base = memory.shape().lane(0);
        let mut writer = memory.writer().expect("one");
        (0..2_000).for_each(|number| record(&mut writer, number, 100));
        writer.show();
        for _ in 0..1 + round {
            // Heads more often than the rest: they decide what is read.
            let at = match next() % 3 {
                0 => base + next() % 14 * 8,
                1 => base + memory.shape().chunk(next() % 4) + next() % 8 * 8,
                _ => base + 4_096 + next() % (4 * CHUNK / 8) * 8,
            };
            let value = if next() % 2 == 0 { next() } else { next() % (5 * CHUNK) };
            memory.words().store(at, value, Ordering::Relaxed);
        }
        let mut reader = map.reader(0).expect("one");
        reader.seek(next());
        for _ in 0..10_000 {
            if reader.peek().is_none() {
                break;
            }
            reader.pass();
        }
        reader.finish();
        let _ = (reader.counts(), reader.missed(), reader.shown_ns());
    }
}

#[test]
fn memory_is_divided_or_too_small() {
    let shape = Shape::of(64 << 20, 3).expect("enough");
    assert!(shape.bytes() <= 64 << 20 && shape.bytes() > 63 << 20);
    let needed = Shape::of(100_000, 2).expect_err("too small");
    assert_eq!(Shape::of(needed, 2), Ok(Shape { lanes: 2, chunks: 4 }));
    assert!(Shape::of(needed - 1, 2).is_err());
}

/// Records in order whose times are their numbers times 10, and some time later.
#[test]
fn what_is_too_old_is_forgotten_and_erased() {
    const KEEP: u64 = 40_000;
    let (memory, map) = made(1, 8);
    let mut writer = memory.writer().expect("one").keeping(KEEP);
    let reader = || map.reader(0).expect("one");
    for number in 0..20_000 {
        record(&mut writer, number, 40);
        writer.show();
        writer.forget(number * 10);
        let (_, oldest) = reader().oldest().expect("one is there");
        assert!(oldest + KEEP * 5 / 4 + 10 >= number * 10, "{oldest} is there at {}", number * 10);
    }
    let numbers = read(&mut reader());
    assert!(numbers.len() as u64 >= KEEP / 10, "what is younger is there: {}", numbers.len());
    // Nothing comes any more: the rest goes, too, and time that goes on brings nothing new.
    for now in (200_000..400_000).step_by(2_000) {
        writer.forget(now);
    }
    assert_eq!(read(&mut reader()), [0_u64; 0]);
    for number in 0..8 {
        let chunk = map.shape().lane(0) + map.shape().chunk(number);
        let mut bytes = [0; (LEN - HEAD_LEN) / 8];
        map.words().copy_to(chunk + HEAD_LEN as u64, &mut bytes);
        assert!(bytes.iter().all(|word| *word == 0), "the bytes of chunk {number} are gone");
    }
    let mut late = reader();
    record(&mut writer, 20_000, 40);
    writer.show();
    assert_eq!(read(&mut late), [20_000]);
    assert_eq!(late.missed(), 20_000, "all that it was too late for");
}

#[test]
fn a_reader_in_what_is_forgotten_goes_on_behind_it_and_knows_how_much_it_missed() {
    let (memory, map) = made(1, 64);
    let (mut writer, mut slow) = (memory.writer().expect("one").keeping(20_000), map.reader(0).expect("one"));
    for number in 0..2_000 {
        record(&mut writer, number, 400);
    }
    writer.show();
    assert_eq!(slow.peek().map(|record| record.number), Some(0));
    for now in 0..40 {
        writer.forget(50_000 + now);
    }
    (2_000..2_100).for_each(|number| record(&mut writer, number, 400));
    writer.show();
    let got = read(&mut slow).len() as u64;
    slow.finish();
    assert_eq!(got + slow.missed(), 2_100);
    assert!(slow.missed() > 1_000 && got >= 100, "{got}");
}
