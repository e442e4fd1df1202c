//! What the fuzz targets check (`fuzz/src`), without a fuzzer: for each file of their corpora, and for files that are like
//! them but for some bytes.
#![allow(unreachable_pub, reason = "the targets' modules are public elsewhere")]

#[path = "../../fuzz/src/config.rs"]
mod config;
#[path = "../../fuzz/src/control.rs"]
mod control;
#[path = "../../fuzz/src/module.rs"]
mod module;
#[path = "../../fuzz/src/pcap.rs"]
mod pcap;
#[path = "../../fuzz/src/provenance.rs"]
mod provenance;
#[path = "../../fuzz/src/routes.rs"]
mod routes;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use std::path::Path;

/// Changed files per target, unless PROPTEST_CASES says otherwise.
const CHANGED: u32 = 2_000;

/// One change of a file.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Set(Index, u8),
    Number(Index, u32),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    /// Another number in place of the next one that is written in digits.
    Digits(Index, u64),
    /// The line is gone, or there twice.
    Line(Index, bool),
    /// All from here on is the end of another file.
    Splice(Index, Index, Index),
    Swap(Index, Index),
}

/// Files of a target's corpus, by name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(file).collect();
    // Text that is changed is seldom text of a module; a binary often still is one.
    let binary = |(name, bytes): &(String, Vec<u8>)| {
        let is_text = Path::new(name).extension().is_some_and(|end| end == "wat");
        is_text.then(|| (format!("{name} as binary"), wat::parse_bytes(bytes).unwrap().into_owned()))
    };
    files.extend(files.iter().filter_map(binary).collect::<Vec<_>>());
    files.sort();
    assert!(!files.is_empty(), "no file in {}", folder.display());
    files
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let byte = prop_oneof![any::<u8>(), select(b"\"'[]{}()=.,#\\\n \t-019aZ\x00\x7f\xff".to_vec())];
    let number = prop_oneof![any::<u32>(), select(vec![0, 1, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, u32::MAX])];
    let digits = prop_oneof![0_u64..70, any::<u64>(), (0_u32..64, 0_u64..2).prop_map(|(bit, less)| (1 << bit) - less)];
    prop_oneof![
        (at(), 0_u8..8).prop_map(|(at, bit)| Change::Flip(at, 1 << bit)),
        (at(), byte.clone()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), number).prop_map(|(at, number)| Change::Number(at, number)),
        (at(), vec(byte, 1..6)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), 1_usize..40).prop_map(|(at, n)| Change::Remove(at, n)),
        (at(), 1_usize..40).prop_map(|(at, n)| Change::Repeat(at, n)),
        (at(), digits).prop_map(|(at, number)| Change::Digits(at, number)),
        (at(), any::<bool>()).prop_map(|(at, twice)| Change::Line(at, twice)),
        (at(), at(), at()).prop_map(|(at, file, from)| Change::Splice(at, file, from)),
        (at(), at()).prop_map(|(a, b)| Change::Swap(a, b)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, files: &[(String, Vec<u8>)]) {
        // Every place in the file, and the one behind it.
        let end = bytes.len();
        let at = |index: &Index| index.index(end + 1);
        match self {
            Self::Flip(i, bit) if at(i) < end => bytes[at(i)] ^= bit,
            Self::Set(i, byte) if at(i) < end => bytes[at(i)] = *byte,
            Self::Number(i, number) if at(i) + 4 <= end => {
                bytes[at(i)..at(i) + 4].copy_from_slice(&number.to_le_bytes());
            }
            Self::Insert(i, more) => drop(bytes.splice(at(i)..at(i), more.iter().copied())),
            Self::Remove(i, n) => drop(bytes.drain(at(i)..end.min(at(i) + n))),
            Self::Repeat(i, n) => {
                let again = bytes[at(i)..end.min(at(i) + n)].to_vec();
                drop(bytes.splice(at(i)..at(i), again));
            }
            Self::Digits(i, number) => {
                let Some(start) = (at(i)..end).find(|&i| bytes[i].is_ascii_digit()) else { return };
                let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                drop(bytes.splice(start..start + digits, number.to_string().into_bytes()));
            }
            Self::Line(i, twice) => {
                let start = bytes[..at(i)].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
                let len = bytes[start..].iter().position(|byte| *byte == b'\n').map_or(end - start, |n| n + 1);
                let line = bytes[start..start + len].to_vec();
                drop(bytes.splice(start..start + len, if *twice { line.repeat(2) } else { Vec::new() }));
            }
            Self::Splice(i, file, from) => {
                let other = &file.get(files).1;
                bytes.truncate(at(i));
                bytes.extend(&other[from.index(other.len() + 1)..]);
            }
            Self::Swap(a, b) if at(a) < end && at(b) < end => bytes.swap(at(a), at(b)),
            // Behind the end there is nothing to change.
            _ => {}
        }
    }
}

/// Checks a target's corpus, then changed files.
fn check(target: &str, check: fn(&[u8])) {
    let files = corpus(target);
    for (name, bytes) in &files {
        // The name of the file that fails stands in what the test printed.
        println!("{target}/{name}");
        check(bytes);
    }
    let own = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { own.cases } else { CHANGED };
    let rng_seed = if own.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { own.rng_seed };
    let mut runner = TestRunner::new(Config { failure_persistence: None, cases, rng_seed, ..own });
    // Most files are changed in one place only: then much of what they say is still understood.
    let changes = prop_oneof![3 => vec(change(), 1), 1 => vec(change(), 2..6)];
    let result = runner.run(&(any::<Index>(), changes), |(file, changes)| {
        check(&changed(&files, file, &changes));
        Ok(())
    });
    if let Err(TestError::Fail(reason, (file, changes))) = &result {
        let bytes = changed(&files, *file, changes);
        panic!("{reason}\n{} changed to {} bytes:\n{}", file.get(&files).0, bytes.len(), bytes.escape_ascii());
    }
    result.unwrap();
}

fn changed(files: &[(String, Vec<u8>)], file: Index, changes: &[Change]) -> Vec<u8> {
    let mut bytes = file.get(files).1.clone();
    changes.iter().for_each(|change| change.apply(&mut bytes, files));
    bytes
}

#[test]
fn any_configuration_is_read_or_refused_with_lines() {
    check("config", config::check);
}

#[test]
fn any_connection_to_the_control_server_is_answered_or_closed() {
    check("control", control::check);
}

#[test]
fn any_module_is_inspected_or_refused() {
    check("module", module::check);
}

#[test]
fn any_capture_is_counted_or_refused() {
    check("pcap", pcap::check);
}

#[test]
fn any_signature_is_wrong_but_the_one_that_was_made() {
    check("signature", provenance::signature);
}

#[test]
fn any_policy_is_read_or_refused_and_admits_nothing_by_itself() {
    check("policy", provenance::policy);
}

#[test]
fn any_routes_are_read_or_refused() {
    check("routes", routes::check);
}
