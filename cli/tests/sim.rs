//! `perigee sim`, as a person uses it: in its jail, with one seed and with many, and with somebody else who owns the time.

use crate::modules::Bench;
use perigee_lab::simulated::{EVENTS, LINE, lay_modules};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{self, JoinHandle};

fn bench(text: &str) -> Bench {
    let bench = Bench::new();
    lay_modules(&bench.path(""));
    bench.write("sim.toml", text);
    bench
}

fn json(bench: &Bench, arguments: &[&str]) -> Value {
    let said = bench.perigee(&[&["sim", "sim.toml", "--json", "-"], arguments].concat());
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn a_seed_is_the_same_in_two_processes() {
    let bench = bench(&format!("{LINE}{EVENTS}"));
    let [one, other] = [(); 2].map(|()| json(&bench, &["--seed", "9", "--for", "5ms"]));
    assert_eq!(one["digest"], other["digest"]);
    assert_eq!((one["happened"].as_array().unwrap().len(), &one["happened"]), (9, &other["happened"]));
    assert_ne!(one["digest"], json(&bench, &["--seed", "10"])["digest"]);
    assert_eq!(json(&bench, &["--seed", "9", "--events", "1,3"])["happened"].as_array().unwrap().len(), 2);
}

/// The files of intervals have what had happened by then, and looking changes nothing.
#[test]
fn intervals_are_written_in_virtual_time() {
    let bench = bench(&format!("{LINE}{EVENTS}"));
    let alone = json(&bench, &["--seed", "9", "--for", "5ms"]);
    let files = ["--json-lines", "lines", "--csv", "rates.csv", "--hdr-log", "times.hlog", "--every", "1ms"];
    let looked = json(&bench, &[&["--seed", "9", "--for", "5ms"], &files[..]].concat());
    assert_eq!(alone["digest"], looked["digest"]);
    let lines: Vec<Value> =
        bench.read("lines").lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect();
    let times: Vec<u64> = lines.iter().filter_map(|line| line["elapsed_ns"].as_u64()).collect();
    assert_eq!(times[..4], [1_000_000, 2_000_000, 3_000_000, 4_000_000], "{times:?}");
    let sent = |value: &Value| value["ports"][0]["tx_packets"].as_u64().unwrap();
    assert!(lines.iter().map(sent).is_sorted() && sent(&lines[0]) > 0);
    assert_eq!(lines.last().map(sent), Some(sent(&looked["summary"])), "{looked}");
    let rates = bench.read("rates.csv");
    assert!(rates.lines().nth(1).is_some_and(|row| row.starts_with("946684800.001,")), "{rates}");
    assert!(bench.read("times.hlog").contains("[Histogram log format version 1.3]"));
    let said = bench.perigee(&["sim", "sim.toml", "--seeds", "2", "--csv", "rates.csv"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("--csv and --hdr-log are of one seed: leave --seeds out"), "{}", said.err);
}

/// In its jail, and for as long as it says: the machine may be slow, but nothing is lost and the order is kept.
#[test]
fn the_same_runs_in_real_time() {
    let bench = bench(LINE);
    let said = bench.perigee(&["run", "sim.toml", "--duration", "300ms", "--json", "-", "--control", "off"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let summary: Value = serde_json::from_str(&said.out).unwrap();
    let number = |path: &str| summary.pointer(path).and_then(Value::as_u64).unwrap();
    let (sent, came) = (number("/ports/0/tx_packets"), number("/ports/1/rx_packets"));
    assert!(came > 1_000 && sent == came + number("/ports/1/discarded") + number("/ports/1/rx_missed"), "{summary}");
    assert_eq!(summary["accounting"]["balanced"], true);
}

#[test]
fn many_seeds_are_told_in_few_lines() {
    let bench = bench(&format!("{LINE}{EVENTS}"));
    let said = bench.perigee(&["sim", "sim.toml", "--seeds", "5", "--log", "off"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("5 seeds from 1: nothing broke") && said.out.lines().count() < 20, "{}", said.out);
}

#[test]
fn what_is_asked_wrong_is_said() {
    let bench = bench(LINE);
    for (arguments, expected) in [
        (&["--events", "0"][..], "--events 0: the configuration has 0 events, numbered from 0"),
        (&["--clock-from", "sim.toml"], "--clock-from sim.toml: is no socket"),
        (&["--clock-from", "none"], "--clock-from none"),
        (&["--for", "soon"], "\"soon\" is no duration"),
        (&["--seeds", "0"], "0 is not in 1.."),
        (&["--lcores", "0"], "sim: lcores must be from 1 to 128"),
    ] {
        let said = bench.perigee(&[&["sim", "sim.toml"], arguments].concat());
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains(expected), "{arguments:?}: {}", said.err);
    }
    bench.write(
        "real.toml",
        &LINE
            .replace("wire:lab,end=a,rate=10G,delay=5us,jitter=2us", "net_null0")
            .replace("wire:lab,end=b", "net_null1"),
    );
    let said = bench.perigee(&["sim", "real.toml"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("real.toml:6: port \"load\": \"net_null0\" cannot be simulated"), "{}", said.err);
}

/// Listens on `clock` and answers each line that comes with the next of these, then waits for the end.
fn owner(bench: &Bench, answers: &'static [&'static str]) -> JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(bench.path("clock")).unwrap();
    let answer = move |stream: UnixStream| {
        let mut heard = Vec::new();
        let mut answers = answers.iter();
        for line in BufReader::new(&stream).lines().map_while(Result::ok) {
            heard.push(line);
            match answers.next() {
                Some(&"") => {}
                Some(answer) => (&stream).write_all(format!("{answer}\n").as_bytes()).unwrap(),
                None => break,
            }
        }
        heard
    };
    thread::spawn(move || answer(listener.accept().unwrap().0))
}

#[test]
fn somebody_else_owns_the_time() {
    let alone = json(&bench(LINE), &["--for", "2ms"]);
    let bench = bench(LINE);
    let owner = owner(&bench, &["until 500000", "until 1500000", "until 9999999999"]);
    let paced = json(&bench, &["--for", "2ms", "--clock-from", "clock"]);
    assert_eq!(owner.join().unwrap(), ["reached 0", "reached 500000", "reached 1500000"]);
    assert_eq!(paced["digest"], alone["digest"], "however time is cut into pieces");
}

#[test]
fn an_owner_of_the_time_who_makes_no_sense_ends_it() {
    for (answers, expected) in [
        (&["until 500000", "until 400000"][..], "time cannot go back from 500000 to 400000 ns"),
        (&["go on"], "\"go on\" is not understood; \"until NANOSECONDS\" is"),
        (&["until 500000"], "who owns the time is gone, at 500000 ns"),
        (&[""], "no word for 200ms after \"reached 0\""),
    ] {
        let bench = bench(LINE);
        let owner = owner(&bench, answers);
        let said = bench.perigee(&["sim", "sim.toml", "--clock-from", "clock", "--clock-timeout", "200ms"]);
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains(&format!("--clock-from: {expected}")), "{answers:?}: {}", said.err);
        owner.join().unwrap();
    }
}
