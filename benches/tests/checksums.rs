//! The guest SDK's checksums, compiled to WebAssembly and called by the runtime, are those of DPDK: the benchmark compares
//! them for packets of each length before it measures, and fails where they differ.

use serde_json::Value;
use std::process::Command;

#[test]
fn checksums_in_webassembly_are_those_of_c() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let mut bench = Command::new(env!("CARGO_BIN_EXE_perigee-bench"));
    let bench = bench.args(["--quick", "--only", "checksums", "--json"]).arg(&json).output().unwrap();
    assert!(bench.status.success(), "{}", String::from_utf8_lossy(&bench.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let results = report["results"].as_array().unwrap();
    let works: Vec<_> =
        results.iter().filter(|r| r["variant"] == "call").map(|r| r["work"].as_str().unwrap()).collect();
    assert_eq!(works, ["sum-64", "sum-512", "sum-1500", "crc32c-1500"]);
    assert!(results.iter().all(|r| r["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0)), "{results:#?}");
}
