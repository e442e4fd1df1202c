//! Bad files: cut at every byte, with lengths that cannot be, with blocks that nobody knows, and written to while they are read.

use super::super::*;
use super::{Writer, compare, good, new_file, ours, wanted};
use std::sync::Arc;

#[test]
fn a_file_that_is_cut_has_its_whole_records() {
    for (name, bytes) in good() {
        let (whole, fault, _) = ours(&bytes);
        for len in 0..bytes.len() {
            let (seen, why, cut) = ours(&bytes[..len]);
            assert!(whole.starts_with(&seen), "{name}: {len}");
            // Where a record begins is an end like any other.
            assert!(cut.is_none_or(|at| at < len as u64 && why.is_none()), "{name}: {len}: {cut:?} {why:?}");
            assert!(why.is_none() || len < 24 || fault.is_some(), "{name}: {len}: {why:?}");
        }
    }
}

/// Cut at every byte: what libpcap still delivers of it, ours does.
#[test]
fn libpcap_sees_no_more_in_files_that_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in good() {
        (0..bytes.len()).for_each(|len| compare(&folder.path().join(&name), &bytes[..len]));
    }
}

/// Where the blocks of a pcapng file begin, and their numbers.
fn blocks(bytes: &[u8], is_big: bool) -> Vec<(usize, u32)> {
    let word = |at: usize| {
        let word = bytes[at..at + 4].try_into().unwrap();
        if is_big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    };
    let mut found: Vec<(usize, u32)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        found.push((at, word(at)));
        at += usize::try_from(word(at + 4)).unwrap();
    }
    found
}

/// Blocks that nobody knows, of all lengths, before each block; and each block with a number that nobody knows.
#[test]
fn blocks_that_nobody_knows_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    for is_big in [false, true] {
        let file = new_file(is_big);
        let whole = ours(&file).0;
        for (at, kind) in blocks(&file, is_big) {
            for (unknown, len) in [(0x0bad, 0), (0x4000_0bad, 1), (0x8000_0001, 4_001), (0xffff_ffff, 300_000)] {
                let block = Writer::new(is_big).block(unknown, &Writer::new(is_big).raw(&vec![0xa5; len])).bytes;
                let with = [&file[..at], &block, &file[at..]].concat();
                // A file begins with a section.
                assert!(at == 0 || ours(&with) == (whole.clone(), None, None), "{unknown:x} of {len} bytes at {at}");
                compare(&folder.path().join("inserted"), &with);
            }
            let mut renamed = file.clone();
            renamed[at..at + 4].copy_from_slice(&if is_big { [0x0b, 0xad, 0, 1] } else { [1, 0, 0xad, 0x0b] });
            let packets = ours(&renamed).0.len();
            assert!(packets <= whole.len(), "block {kind:x} at {at}");
            compare(&folder.path().join("renamed"), &renamed);
        }
    }
}

/// Numbers that look like lengths, and change.
fn spoil(bytes: &mut Vec<u8>, draw: &mut impl FnMut(usize) -> usize) {
    const NUMBERS: [u32; 10] = [0, 1, 4, 12, 28, 65_535, 262_144, 262_145, 0x7fff_ffff, u32::MAX];
    let at = draw(bytes.len());
    match draw(5) {
        0 => bytes[at] ^= 1 << draw(8),
        1 => bytes.truncate(at.max(1)),
        2 => {
            let number = NUMBERS[draw(NUMBERS.len())].to_le_bytes();
            let end = bytes.len().min((at & !3) + 4);
            bytes[at & !3..end].copy_from_slice(&number[..end - (at & !3)]);
        }
        3 => drop(bytes.drain(at..(at + draw(9)).min(bytes.len()))),
        _ => {
            let piece: Vec<u8> = bytes[at..(at + draw(40)).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
}

/// Numbers below those that are asked for, the same ones each time.
fn draws() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap()
    }
}

#[test]
fn thousands_of_bad_files_are_read_like_libpcap_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (good, mut draw) = (good(), draws());
    let (mut refused, mut cut) = (0, 0);
    for number in 0..6_000 {
        let (name, bytes) = &good[number % good.len()];
        let mut bytes = bytes.clone();
        if bytes.is_empty() {
            continue;
        }
        (0..=draw(3)).for_each(|_| spoil(&mut bytes, &mut draw));
        let (seen, fault, at) = ours(&bytes);
        let taken: usize = seen.iter().map(|(_, data, _)| data.len()).sum();
        assert!(taken <= bytes.len(), "{name} {number}");
        if let Some(fault) = fault {
            refused += 1;
            assert!(fault.at <= bytes.len() as u64 && fault.packets == seen.len() as u64 && !fault.what.is_empty());
        }
        cut += usize::from(at.is_some());
        compare(&folder.path().join(format!("{name}-{number}")), &bytes);
    }
    assert!(refused > 500 && cut > 500, "{refused} {cut}");
}

/// A frame as it is played: its time and its bytes.
type Played = (u64, Vec<u8>);

/// What is played of open files, and what is wrong.
fn played(files: &Arc<Files>) -> (Vec<Played>, Vec<String>, Facts) {
    let (mut frames, mut seen, mut wrong, mut bytes) = (Frames::new(files), Vec::new(), Vec::new(), Vec::new());
    loop {
        match frames.next_frame(&mut bytes) {
            Ok(Some(frame)) => seen.push((frame.at, std::mem::take(&mut bytes))),
            Ok(None) => return (seen, wrong, frames.into_facts()),
            Err(refusal) => wrong.push(refusal.what),
        }
    }
}

/// The same files as they are played: from memory, or from the disk, where they may have been written to since they were looked at.
#[test]
fn thousands_of_bad_files_are_played_from_memory_as_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let path = path.to_str().unwrap();
    let (good, mut draw) = (good(), draws());
    let in_memory = Wanted { makes_ethernet: true, longest: 65_535, memory: Some(1 << 30), ..wanted() };
    let on_disk = Wanted { memory: None, queues: 3, ..in_memory };
    let (mut refused, mut differ) = (0, 0);
    for number in 0..2_000 {
        let bytes = &good[number % good.len()].1;
        if bytes.is_empty() {
            continue;
        }
        std::fs::write(path, bytes).unwrap();
        let was = Files::open(&[path, path], &on_disk).unwrap();
        let before = played(&was);
        let mut bad = bytes.clone();
        (0..=draw(3)).for_each(|_| spoil(&mut bad, &mut draw));
        std::fs::write(path, &bad).unwrap();
        // What is played of a file that others have written to ends, and is never more than there was.
        let after = played(&was);
        assert!(after.0.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() <= 2 * (bytes.len() + 40 * after.0.len()));
        differ += usize::from(before != after);
        let kept = Recording::read(&[path, path], &in_memory);
        let read = Recording::read(&[path, path], &on_disk);
        match (kept, read) {
            (Ok(kept), Ok(read)) => {
                let (seen, wrong, facts) = played(read.files().unwrap());
                let one = |number: usize| (kept.packets()[number].at, kept.bytes_of(number).to_vec());
                assert_eq!(seen, (0..kept.packets().len()).map(one).collect::<Vec<_>>(), "{number}");
                assert_eq!((wrong, &facts), (vec![], read.facts()), "{number}");
                assert_eq!(facts.shares.iter().sum::<u64>(), facts.packets);
                assert_eq!(Facts { shares: vec![facts.packets], ..facts }, *kept.facts(), "{number}");
                assert_eq!((read.bytes().len(), read.packets().len()), (0, 0));
            }
            (kept, read) => {
                refused += 1;
                assert_eq!(kept.map(|_| ()), read.map(|_| ()), "{number}");
            }
        }
    }
    assert!(refused > 200 && differ > 1_000, "{refused} {differ}");
}
