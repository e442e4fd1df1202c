//! Guards the speed of the boundary where time cannot be measured: by instructions, which are the same on
//! every run and hardly differ between machines.
//! The limits are a tenth above what the host needs now, and a quarter for modules, whose compiler differs by machine.

use serde_json::Value;
use std::process::Command;

/// Work, piece, and most instructions per packet in a burst of 64.
const LIMITS: [(&str, &str, f64); 10] = [
    ("nothing", "crossing", 5.1),
    ("template", "publish", 20.5),
    ("template", "call", 11.0),
    ("template", "collect", 11.2),
    ("two-fields", "publish", 20.5),
    ("two-fields", "call", 31.5),
    ("two-fields", "collect", 11.2),
    ("mac-swap", "publish", 26.0),
    ("mac-swap", "call", 40.5),
    ("mac-swap", "collect", 11.9),
];

/// Works that a module on raw pointers does as well, and how many times its instructions the SDK's call may take.
/// With the checksum both loops are the same in WebAssembly, but need more registers than there are: Cranelift keeps other
/// values in memory in one than in the other, which is one instruction per packet.
const BESIDE_RAW: [(&str, f64); 3] = [("template", 1.02), ("two-fields", 1.02), ("two-fields+ip", 1.04)];

#[test]
fn no_piece_takes_more_instructions_than_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let bench =
        Command::new(env!("CARGO_BIN_EXE_perigee-bench")).arg("--instructions").arg("--json").arg(&json).output();
    let bench = bench.unwrap();
    assert!(bench.status.success(), "{}", String::from_utf8_lossy(&bench.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let counted = report["instructions"].as_array().unwrap();
    let count = |work: &str, piece: &str| {
        let found = counted.iter().find(|i| i["work"] == work && i["piece"] == piece);
        found.and_then(|i| i["per_packet"].as_f64()).unwrap()
    };
    let over = LIMITS.iter().filter(|(work, piece, most)| count(work, piece) > *most);
    let over: Vec<_> =
        over.map(|(work, piece, most)| format!("{work} {piece}: {}, {most}", count(work, piece))).collect();
    assert!(over.is_empty(), "more instructions per packet than allowed: {over:#?}");
    for (work, most) in BESIDE_RAW {
        let (sdk, raw) = (count(work, "SDK's call"), count(work, "raw call"));
        assert!(sdk <= raw * most, "{work}: {sdk} instructions per packet by the SDK, {raw} on raw pointers");
    }
}
