//! What runs write for other programs while they go on. python/tests reads it with the tools of others.

use crate::modules::Bench;
use serde_json::Value;

const GEN: [&str; 5] = ["gen", "generator.wat", "--port", "net_null0", "--duration"];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in:\n{text}"))
}

#[test]
fn lines_come_in_intervals_and_the_last_one_is_the_summarys() {
    let bench = Bench::new();
    let said = bench.perigee(
        &[&GEN[..], &["700ms", "--every", "100ms", "--json-lines", "-", "--csv", "r.csv", "--json", "s.json"]].concat(),
    );
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines: Vec<Value> = said.out.lines().map(json).collect();
    // On a machine that has no time for it intervals are longer, and never shorter.
    assert!((2..=8).contains(&lines.len()), "{}", lines.len());
    let (last, before) = lines.split_last().unwrap();
    let summary = json(&bench.read("s.json"));
    for (key, value) in last.as_object().unwrap().iter().filter(|(key, _)| *key != "final") {
        assert_eq!(*value, summary[key], "{key}");
    }
    assert!(last["final"] == true && last["accounting"]["balanced"] == true);
    assert!(before.iter().all(|line| line["final"] == false && line.get("accounting").is_none()));
    let times: Vec<u64> = lines.iter().map(|line| line["elapsed_ns"].as_u64().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    let rows = bench.read("r.csv");
    assert_eq!(rows.lines().count(), 1 + 2 * lines.len(), "{rows}");
    let sent = summary["ports"][0]["tx_packets"].to_string();
    // net_null counts no bytes.
    assert!(rows.lines().last().unwrap().ends_with(&format!(",,,{sent},")), "{rows}");
}

#[test]
fn a_file_that_cannot_be_is_told_before_the_run_and_a_full_disk_after_it() {
    let bench = Bench::new();
    let said = bench.perigee(&[&GEN[..], &["10s", "--csv", "no/such/folder.csv"]].concat());
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert_eq!(said.err, "error: cannot write no/such/folder.csv: No such file or directory (os error 2)\n");
    let said = bench.perigee(&[&GEN[..], &["300ms", "--every", "50ms", "--json-lines", "/dev/full"]].concat());
    assert_eq!(said.code, Some(1), "{}", said.err);
    let told = "cannot write /dev/full: No space left on device (os error 28)";
    assert!(said.err.contains(&format!("warning: {told}; the run goes on, ")), "{}", said.err);
    assert!(
        said.err.ends_with(&format!("error: {told}\n")) && said.out.contains(": balanced"),
        "{}{}",
        said.out,
        said.err
    );
}

#[test]
fn standard_output_has_one_owner() {
    let bench = Bench::new();
    let said = bench.perigee(&[&GEN[..], &["10s", "--json", "-", "--json-lines", "-"]].concat());
    assert_eq!(said.code, Some(1));
    assert!(said.err.starts_with("error: only one of --json, --json-lines, "), "{}", said.err);
}
