//! Guards the speed of the boundary where time cannot be measured: by instructions, which are the same on
//! every run: `benches/INSTRUCTIONS.lock` has them.

use serde_json::Value;
use std::process::Command;

/// Works that a module on raw pointers does as well, and how many times its instructions the SDK's call may take.
/// With the checksum both loops are the same in WebAssembly, but need more registers than there are: Cranelift keeps other
/// values in memory in one than in the other, which is one instruction per packet.
const BESIDE_RAW: [(&str, f64); 3] = [("template", 1.02), ("two-fields", 1.02), ("two-fields+ip", 1.04)];

#[test]
fn each_piece_takes_the_instructions_that_the_lock_says() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let bench = Command::new(env!("CARGO_BIN_EXE_perigee-bench"))
        .args(["--instructions", "--check", "--json"])
        .arg(&json)
        .output();
    let bench = bench.unwrap();
    assert!(bench.status.success(), "{}", String::from_utf8_lossy(&bench.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let counted = report["instructions"].as_array().unwrap();
    let count = |work: &str, piece: &str| {
        let found = counted.iter().find(|i| i["work"] == work && i["piece"] == piece);
        found.and_then(|i| i["per_packet"].as_f64()).unwrap()
    };
    for (work, most) in BESIDE_RAW {
        let (sdk, raw) = (count(work, "SDK's call"), count(work, "raw call"));
        assert!(sdk <= raw * most, "{work}: {sdk} instructions per packet by the SDK, {raw} on raw pointers");
    }
}
