//! What the fuzz target `wire` checks (`fuzz/src/wire.rs`), without a fuzzer: for each file of its corpus, for files that are
//! like them but for some bytes, and for random bytes.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../../fuzz/src/wire.rs"]
#[allow(unreachable_pub, reason = "a module of a test, where nothing is reached from outside")]
mod wire;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use std::path::Path;

/// Changed files, unless PROPTEST_CASES says otherwise.
const CHANGED: u32 = 2_000;

/// One change of a packet.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Set(Index, u8),
    Word(Index, u16),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
    /// All from here on is the end of another packet.
    Splice(Index, Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let byte = prop_oneof![any::<u8>(), Just(0), Just(0xff), 1_u8..8];
    let word = prop_oneof![any::<u16>(), 0_u16..80, Just(0x0800), Just(0x86dd), Just(0x8100), Just(0xffff)];
    prop_oneof![
        (at(), 0_u8..8).prop_map(|(at, bit)| Change::Flip(at, 1 << bit)),
        (at(), byte.clone()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), word).prop_map(|(at, word)| Change::Word(at, word)),
        (at(), vec(byte, 1..24)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), 1_usize..24).prop_map(|(at, n)| Change::Remove(at, n)),
        at().prop_map(Change::Cut),
        (at(), at(), at()).prop_map(|(at, file, from)| Change::Splice(at, file, from)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, files: &[(String, Vec<u8>)]) {
        let end = bytes.len();
        let at = |index: &Index| index.index(end + 1);
        match self {
            Self::Flip(i, bit) if at(i) < end => bytes[at(i)] ^= bit,
            Self::Set(i, byte) if at(i) < end => bytes[at(i)] = *byte,
            Self::Word(i, word) if at(i) + 2 <= end => bytes[at(i)..at(i) + 2].copy_from_slice(&word.to_be_bytes()),
            Self::Insert(i, more) => drop(bytes.splice(at(i)..at(i), more.iter().copied())),
            Self::Remove(i, n) => drop(bytes.drain(at(i)..end.min(at(i) + n))),
            Self::Cut(i) => bytes.truncate(at(i)),
            Self::Splice(i, file, from) => {
                let other = &file.get(files).1;
                bytes.truncate(at(i));
                bytes.extend(&other[from.index(other.len() + 1)..]);
            }
            // Behind the end there is nothing to change.
            _ => {}
        }
    }
}

/// Files of the corpus, by name.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/wire");
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(file).collect();
    files.sort();
    assert!(!files.is_empty(), "no file in {}", folder.display());
    files
}

fn runner() -> TestRunner {
    let own = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { own.cases } else { CHANGED };
    let rng_seed = if own.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { own.rng_seed };
    TestRunner::new(Config { failure_persistence: None, cases, rng_seed, ..own })
}

fn changed(files: &[(String, Vec<u8>)], file: Index, changes: &[Change]) -> Vec<u8> {
    let mut bytes = file.get(files).1.clone();
    changes.iter().for_each(|change| change.apply(&mut bytes, files));
    bytes
}

#[test]
fn the_corpus_keeps_the_rules() {
    for (name, bytes) in corpus() {
        // The name of the file that fails stands in what the test printed.
        println!("{name}");
        wire::check(&bytes);
    }
}

#[test]
fn changed_packets_keep_the_rules() {
    let files = corpus();
    // Most packets are changed in one place only: then much of what they say is still understood.
    let changes = prop_oneof![3 => vec(change(), 1), 1 => vec(change(), 2..6)];
    let result = runner().run(&(any::<Index>(), changes), |(file, changes)| {
        wire::check(&changed(&files, file, &changes));
        Ok(())
    });
    if let Err(TestError::Fail(reason, (file, changes))) = &result {
        let bytes = changed(&files, *file, changes);
        panic!("{reason}\n{} changed to {} bytes:\n{}", file.get(&files).0, bytes.len(), bytes.escape_ascii());
    }
    result.unwrap();
}

#[test]
fn random_bytes_keep_the_rules() {
    let bytes = vec(prop_oneof![3 => any::<u8>(), 1 => Just(0), 1 => Just(0xff)], 0..200);
    runner()
        .run(&bytes, |bytes| {
            wire::check(&bytes);
            Ok(())
        })
        .unwrap();
}
