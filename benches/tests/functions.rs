//! Network functions in WebAssembly and their twins in C send the same packets: the benchmark compares them before it measures, and
//! fails where they differ or where one is missing.

use serde_json::Value;
use std::process::Command;

#[test]
fn functions_do_what_their_twins_in_c_do() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let mut bench = Command::new(env!("CARGO_BIN_EXE_perigee-bench"));
    let bench = bench.args(["--quick", "--only", "functions,varied", "--json"]).arg(&json).output().unwrap();
    assert!(bench.status.success(), "{}", String::from_utf8_lossy(&bench.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let results = report["results"].as_array().unwrap();
    let of = |part: &str| -> Vec<_> {
        results.iter().filter(|r| r["part"] == part).map(|r| r["variant"].as_str().unwrap()).collect()
    };
    let functions = [
        "hot : rte_lpm",
        "hot : rte_fib",
        "cold : rte_lpm",
        "cold : rte_fib",
        // Of UDP, and of TCP.
        "outbound : hash tables",
        "outbound : hash tables",
        "stateless : rte_acl scalar",
        "stateless : rte_acl widest",
        "mac : maglev",
    ];
    assert_eq!(of("functions"), functions);
    let varied = ["set:L2, 0.2 MiB", "set:L3, 3.0 MiB", "size:60", "size:590", "size:1514", "set:near, 1.6 MiB"];
    // What lies in memory depends on the machine's caches.
    let near: Vec<_> = of("varied").into_iter().filter(|name| !name.starts_with("set:memory")).collect();
    assert_eq!(near[..6], varied);
    assert!(results.iter().all(|r| r["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0)), "{results:#?}");
    let has_none = |r: &Value| r["variant"] == "lcores:1" || r["work"] == "payload-scan";
    assert!(results.iter().all(|r| r["aim"].is_number() != has_none(r)), "{results:#?}");
}
