//! Lines of intervals that are made here.

use super::*;
use perigee_runtime::PortStats;

fn snapshot(seconds: u64, packets: u64) -> Snapshot {
    let port = |name: &str, bytes: u64| PortStats {
        name: name.into(),
        rx_packets: packets,
        rx_bytes: packets * bytes,
        ..PortStats::default()
    };
    Snapshot {
        elapsed_ns: seconds * 1_000_000_000,
        ports: vec![port("a", 60), port("=b,\"", 0)],
        ..Snapshot::default()
    }
}

#[test]
fn rows_have_libmoons_figures() {
    let rows = csv::rows("7", &snapshot(1, 1_000_000), &snapshot(3, 5_000_000));
    let expected = "7,a,RX,2.000000,1024.000000,1344.000000,5000000,320000000
7,a,TX,0.000000,0.000000,0.000000,0,0
7,\"'=b,\"\"\",RX,2.000000,,,5000000,
7,\"'=b,\"\"\",TX,0.000000,0.000000,0.000000,0,0
";
    assert_eq!(rows, expected);
}

#[test]
fn no_name_is_a_formula() {
    for (of, cell) in [
        ("a b", "a b"),
        ("a,b", "\"a,b\""),
        ("=1+1", "\"'=1+1\""),
        ("+1", "\"'+1\""),
        ("-1", "\"'-1\""),
        ("@SUM(A1)", "\"'@SUM(A1)\""),
        ("a=1", "a=1"),
        ("say \"x\"", "\"say \"\"x\"\"\""),
    ] {
        assert_eq!(csv::name(of), cell);
    }
}

#[test]
fn the_last_line_says_that_it_is() {
    let of = |end: Option<&Accounting>| {
        let line = json_lines::line(&snapshot(2, 5), end).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        serde_json::from_slice::<serde_json::Value>(&line).unwrap()
    };
    let (line, last) = (of(None), of(Some(&Accounting::default())));
    assert_eq!((&line["final"], &last["final"]), (&false.into(), &true.into()));
    assert_eq!((&line["elapsed_ns"], &line["ports"][0]["rx_packets"]), (&2_000_000_000_u64.into(), &5.into()));
    assert!(line.get("accounting").is_none() && last["accounting"]["balanced"] == false);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let options = |every: Option<u64>, csv: Option<&str>| IntervalOptions {
        every: every.map(Duration::from_millis),
        csv: csv.map(Into::into),
        ..IntervalOptions::default()
    };
    let json = |file: &str| JsonOption { file: Some(file.into()) };
    let refused = |options: &IntervalOptions, json: &JsonOption| options.check(json, LEAST).unwrap_err().to_string();
    assert!(refused(&options(Some(1_000), None), &json("s")).starts_with("--every is the length"));
    assert!(refused(&options(Some(9), Some("f")), &json("s")).contains("at least 10ms"));
    assert!(refused(&options(None, Some("-")), &json("-")).starts_with("only one of --json, "));
    assert!(options(None, Some("-")).check(&json("s"), LEAST).is_ok() && options(None, Some("-")).is_stdout());
}
