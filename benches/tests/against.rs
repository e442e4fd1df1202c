//! Two builds in turns: here one and the same, laid out twice.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

fn bench(folder: &Path, more: &[&str]) -> Output {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_perigee-bench"));
    bench.args(["--quick", "--against"]).arg(folder).args(more).output().expect("it starts")
}

#[test]
fn a_build_is_compared_with_another_one_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let other = folder.path().join("0123456789ab");
    fs::create_dir_all(other.join("target/release")).unwrap();
    symlink(root.join("benches"), other.join("benches")).unwrap();
    symlink(root.join("target/modules"), other.join("target/modules")).unwrap();
    let json = folder.path().join("bench.json");

    let said = bench(&other, &["--only", "stages"]);
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(!said.status.success() && text.contains("target/release/perigee-bench"), "{text}");

    symlink(env!("CARGO_BIN_EXE_perigee-bench"), other.join("target/release/perigee-bench")).unwrap();
    let said = bench(&other, &["--only", "stages", "--json", json.to_str().unwrap()]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let report: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let against = &report["against"];
    assert_eq!((&against["revision"], &against["turns"]), (&"0123456789ab".into(), &1.into()));
    let rows = against["rows"].as_array().unwrap();
    let of = |variant: &str| rows.iter().find(|row| row["variant"] == variant).unwrap_or_else(|| panic!("{rows:#?}"));
    assert!(of("stage:+7")["before_ratio"].as_f64() > Some(1.0) && of("stage:+7")["now_ratio"].as_f64() > Some(1.0));
    assert!(of("price:stage")["now_ratio"].is_null() && of("price:stage")["change"].is_number());
    assert_eq!(report["results"], serde_json::json!([]));
    let table = String::from_utf8_lossy(&said.stdout);
    assert!(table.contains("Beside 0123456789ab, medians of 1 runs each, in turns"), "{table}");
}
