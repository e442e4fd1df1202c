//! `[[trigger]]` and `keep`: what a run waits for by itself, in processes that can do nothing else; and what it forgets.

use crate::capture_lab::{let_go, numbered, numbers, packets};
use crate::ctl_lab::Process;
use crate::modules::{Bench, GOOD};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const N: u64 = 4_000;
const LIMIT: Duration = Duration::from_secs(40);

fn config(rate: &str, history: &str, more: &str) -> String {
    let history = format!("[[history]]\nname = \"h\"\nat = [\"fwd:rx\"]\nmemory = \"4MiB\"\n{history}\n");
    numbered(N, 100, rate, "stages = [\"pass\"]") + &history + more
}

/// The dumps below a folder of the bench, whoever they belong to: by what is in them.
fn dumps(bench: &Bench, folder: &str) -> Vec<Vec<u32>> {
    let own = bench.path(folder);
    let folder = Some(own.join("uid-65534")).filter(|below| below.exists()).unwrap_or(own);
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder").map(|found| found.expect("a file").path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| numbers(&packets(std::slice::from_ref(file)).remove("fwd:rx").expect("the point")))
        .collect()
}

#[test]
fn a_run_dumps_what_it_waits_for_by_itself() {
    let bench = Bench::new();
    // It sends each packet whose number is a multiple of 1,024, and passes on the others.
    bench.write(
        "scan.wat",
        &GOOD.replace(
            "(i32.store offset=8 (local.get $at) (i32.const 1))",
            "(i32.store offset=8 (local.get $at) (select (i32.const 2) (i32.const 1)
              (i32.eqz (i32.and (i32.load16_u offset=44 (i32.load (local.get $at))) (i32.const 0xff03)))))",
        ),
    );
    let more = r#"
[[module]]
name = "scan"
file = "scan.wat"
grants = { history = ["h"] }
[[trigger]]
name = "two thousand"
history = "h"
into = "by-filter"
filter = "udp[8:4] = 2000"
past = "30ms"
future = "20ms"
[[trigger]]
name = "scan"
history = "h"
into = "by-module"
module = "scan"
past = "1ms"
future = "1ms"
[[trigger]]
name = "burst"
history = "h"
into = "by-burst"
burst = "1kB/1ms"
past = "1ms"
future = "1ms"
per_minute = 1
"#;
    let run = Process::start(&bench, &config("20kpps", "", more), &[]);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.pid())).expect("its children");
    let of = |pid: &&str, file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let waiting: Vec<&str> =
        children.split_whitespace().filter(|pid| of(pid, "cmdline").contains("trigger-writer")).collect();
    assert_eq!(waiting.len(), 3, "each has a process");
    for status in waiting.iter().map(|pid| of(pid, "status")) {
        for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"] {
            assert!(status.contains(line), "{line}: {status}");
        }
    }
    let_go(&run, N);
    let (summary, said) = run.stop();
    assert_eq!(summary["accounting"]["balanced"], true);
    let filter = dumps(&bench, "by-filter");
    assert!(filter.len() == 1 && filter[0].contains(&2_000) && filter[0].contains(&1_700), "{said}");
    assert!(filter[0].is_sorted() && filter[0].len() < 2_000, "{filter:?}");
    let module = dumps(&bench, "by-module");
    assert_eq!(module.len(), 4, "{said}");
    assert!((0..).zip(&module).all(|(number, dump)| dump.contains(&(number * 1_024))), "{module:?}");
    assert_eq!(dumps(&bench, "by-burst").len(), 1, "{said}");
    assert!(said.contains("trigger two thousand: events 1: 1 dumped"), "{said}");
    assert!(said.contains("trigger scan: events 4: 4 dumped") && said.contains("module: 4000 packets seen"), "{said}");
}

#[test]
fn a_failure_is_dumped_with_what_came_before_it() {
    let bench = Bench::new();
    let more = "[[trigger]]\nname = \"failed\"\nhistory = \"h\"\ninto = \"dumps\"\nfault = true\nfuture = \"0s\"\n";
    // It passes packets on, and fails with the one of number 2,000.
    let line = "(i32.store offset=8 (local.get $at) (i32.const 1))";
    let fails =
        "(if (i32.eq (i32.load16_u offset=44 (i32.load (local.get $at))) (i32.const 0xd007)) (then (unreachable)))";
    bench.write("fails.wat", &GOOD.replace(line, &format!("{fails} {line}")));
    let config = config("20kpps", "", more).replace("\"good.wat\"", "\"fails.wat\"\non_fault = \"restart\"");
    let run = Process::start(&bench, &config, &[]);
    let_go(&run, N);
    // It is looked for ten times a second.
    std::thread::sleep(Duration::from_millis(300));
    let (_, said) = run.stop();
    let dumps = dumps(&bench, "dumps");
    assert!(dumps.len() == 1 && dumps[0].contains(&2_000) && dumps[0].contains(&0), "{said}");
}

#[test]
fn what_is_older_than_it_may_be_is_gone() {
    let bench = Bench::new();
    let run = Process::start(&bench, &config("40kpps", "keep = \"200ms\"", ""), &[]);
    let_go(&run, N);
    let held = || {
        let answer = run.ctl_get("/v1/histories");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let listed: Value = serde_json::from_str(body).expect("JSON");
        (listed[0]["held"].as_u64().expect("a number"), listed[0]["keep_ns"].as_u64())
    };
    let begun = Instant::now();
    while held().0 > 0 {
        assert!(begun.elapsed() < LIMIT, "it keeps {} packets", held().0);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(held(), (0, Some(200_000_000)));
    let (summary, _) = run.stop();
    assert_eq!(summary["accounting"]["balanced"], true);
}

#[test]
fn what_is_wrong_with_an_entry_is_found_before_the_start() {
    let bench = Bench::new();
    let refused = |trigger: &str, told: &str| {
        let module = "[[module]]\nname = \"scan\"\nfile = \"good.wat\"\n";
        let trigger = format!("{module}[[trigger]]\nname = \"t\"\nhistory = \"h\"\ninto = \"d\"\n{trigger}");
        bench.write("run.toml", &config("20kpps", "", &trigger));
        let said = bench.perigee(&["check", "run.toml"]);
        let all = said.out + &said.err;
        assert!(said.code == Some(1) && all.contains(told), "{trigger}: {all}");
    };
    refused("", "waits for nothing, or for several things");
    refused("fault = true\nfilter = \"udp\"", "give it one of filter, module, burst, fault");
    refused("module = \"scan\"", "grants = { history = [\"h\"] } allows that");
    refused("module = \"skan\"", "did you mean \"scan\"?");
    refused("burst = \"1MB\"", "write bytes and a time, as 1MB/100us");
    refused("fault = true\nper_minute = 0", "0 dumps or bytes are none");
    bench.write("run.toml", &config("20kpps", "keep = \"1us\"", ""));
    assert!(bench.perigee(&["check", "run.toml"]).err.contains("take 1ms or more"));
    // What only the process itself can see keeps the run from starting, too.
    let filter = "[[trigger]]\nname = \"t\"\nhistory = \"h\"\ninto = \"d\"\nfilter = \"udp prot 5\"\n";
    bench.write("run.toml", &config("20kpps", "", filter));
    let said = bench.perigee(&["run", "run.toml", "--control", "off", "--duration", "100ms"]);
    assert!(said.code == Some(1) && said.err.contains("trigger \"t\": filter \"udp prot 5\""), "{}", said.err);
}
