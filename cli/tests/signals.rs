//! What ends a run and what does not: each signal whose default would end the process, alone, twice, and in floods.

use crate::modules::Bench;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Ask for a clean stop.
const STOP: [&str; 8] = ["HUP", "INT", "TERM", "ALRM", "VTALRM", "PROF", "XCPU", "PWR"];
/// Mean nothing, as do the real-time ones.
const NOTHING: [&str; 6] = ["XFSZ", "IO", "PIPE", "USR1", "USR2", "STKFLT"];
/// Longest time that a stop may take on a busy machine.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A run without an end.
const RUN: [&str; 8] = ["--log", "info", "forward", "good.wat", "--port", "net_null0", "--port", "net_null1"];

/// As the command, with signals as a shell of one's own hands them on: what has started these tests may have ignored some, by
/// `nohup` or with an `&`, and children inherit that.
fn heard(command: &Command) -> Command {
    let mut heard = Command::new("env");
    heard.arg("--default-signal").arg(command.get_program()).args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        heard.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => heard.env(name, value),
            None => heard.env_remove(name),
        };
    }
    heard
}

/// Starts a command that becomes a run, and waits until it works.
fn start(command: &Command) -> Child {
    let mut child =
        heard(command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
    let (mut line, mut all) = (String::new(), String::new());
    while !line.contains("running") {
        line.clear();
        assert_ne!(log.read_line(&mut line).expect("it is text"), 0, "the run ended before it worked: {all}");
        all += &line;
    }
    // Read on, so that the run never waits for us.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    child
}

fn send(child: &Child, signal: &str) {
    let kill = format!("kill -{signal} {}", child.id());
    let status = Command::new("bash").args(["-c", &kill]).status();
    assert!(status.is_ok_and(|status| status.success()), "{kill}");
}

/// Waits until each thread stands still: on a busy machine one may still run when the signal has been sent.
fn stand_still(child: &Child) {
    send(child, "STOP");
    let tasks = format!("/proc/{}/task", child.id());
    let stands = |task: &fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    };
    let limit = Instant::now() + STOP_LIMIT;
    while !fs::read_dir(&tasks).expect("the process is there").flatten().all(|task| stands(&task)) {
        assert!(Instant::now() < limit, "the process does not stop");
        sleep(Duration::from_millis(1));
    }
}

/// Waits for the end of a run that was asked to stop: in time, with its summary.
fn ends_well(child: Child, what: &str) {
    let asked = Instant::now();
    let output = child.wait_with_output().expect("it ends");
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{what}: {}: {out}", output.status);
    assert!(out.contains("a signal asked for it") && out.contains(": balanced"), "{what}: {out}");
    assert!(asked.elapsed() < STOP_LIMIT, "{what} took {:?}", asked.elapsed());
}

/// A shell command in the bench's directory, with the binary as `$P`.
fn shell(bench: &Bench, script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", script]).env("P", env!("CARGO_BIN_EXE_perigee")).current_dir(bench.path("."));
    command.env_remove("PERIGEE_LOG");
    let mut heard = heard(&command);
    heard.stdin(Stdio::null());
    heard
}

/// What a shell command has left in `s.json`.
fn summary(bench: &Bench, output: &Output) -> Value {
    let err = String::from_utf8_lossy(&output.stderr);
    let text = fs::read_to_string(bench.path("s.json")).unwrap_or_default();
    let summary: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {}: {err}", output.status));
    assert_eq!(summary["accounting"]["balanced"], true, "{summary}");
    summary
}

#[test]
fn whoever_wants_it_to_end_gets_a_clean_stop() {
    let bench = Bench::new();
    for signal in STOP {
        let child = start(&bench.command(&RUN));
        send(&child, signal);
        ends_well(child, signal);
    }
}

#[test]
fn what_means_nothing_changes_nothing() {
    let bench = Bench::new();
    let mut child = start(&bench.command(&RUN));
    let real_time = (0..=30).map(|number| format!("RTMIN+{number}"));
    for signal in NOTHING.map(str::to_owned).into_iter().chain(real_time) {
        send(&child, &signal);
        assert_eq!(child.try_wait().expect("its state"), None, "SIG{signal} has ended it");
    }
    send(&child, "TERM");
    ends_well(child, "after all of them");
}

#[test]
fn a_run_that_shall_outlive_its_terminal_does() {
    let bench = Bench::new();
    let mut child = start(&shell(&bench, &format!("trap '' HUP; exec $P {}", RUN.join(" "))));
    send(&child, "HUP");
    sleep(Duration::from_millis(100));
    assert_eq!(child.try_wait().expect("its state"), None, "SIGHUP has ended it");
    send(&child, "INT");
    ends_well(child, "SIGINT after SIGHUP");
}

#[test]
fn signals_within_a_moment_are_one_wish() {
    let bench = Bench::new();
    for _ in 0..3 {
        let child = start(&bench.command(&RUN));
        // All are there before it could stop cleanly.
        stand_still(&child);
        for signal in ["INT", "TERM", "HUP", "CONT"] {
            send(&child, signal);
        }
        ends_well(child, "three signals at once");
        // timeout sends its signal to the process and to its group.
        let timeout = format!("timeout 0.5 $P {} --quiet --json s.json", RUN.join(" "));
        let output = shell(&bench, &timeout).output().expect("timeout");
        assert_eq!(output.status.code(), Some(124), "{timeout}");
        summary(&bench, &output);
        fs::remove_file(bench.path("s.json")).expect("the summary");
    }
}

#[test]
fn a_second_signal_after_a_moment_ends_it_at_once() {
    let bench = Bench::new();
    let good = bench.read("good.wat");
    bench.write("loops.wat", &good.replace("(local $at i32)", "(local $at i32)\n    (loop $always (br $always))"));
    let mut run = RUN;
    run[3] = "loops.wat";
    let deadline = ["--grant", "deadline = \"60s\""];
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let child = start(&bench.command(&[run.as_slice(), &deadline].concat()));
        let asked = Instant::now();
        send(&child, signal);
        sleep(Duration::from_millis(1_500));
        send(&child, signal);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(code), "SIG{signal}: {}", output.status);
        assert!(output.stdout.is_empty(), "nothing was accounted for, so nothing is told");
        assert!(asked.elapsed() < STOP_LIMIT, "SIG{signal} took {:?}", asked.elapsed());
    }
}

#[test]
fn a_limit_that_the_kernel_keeps_costs_no_summary() {
    let bench = Bench::new();
    // The size of a file: what does not fit is not written. The packets' own memory counts as a file too.
    let file = "ulimit -f 30000; exec $P forward good.wat --port net_null0,size=1500 --port net_pcap0,tx_pcap=out.pcap \
                --duration 1s --quiet --json s.json";
    let output = shell(&bench, file).output().expect("a shell");
    assert!(matches!(output.status.code(), Some(0 | 2)), "{}", output.status);
    summary(&bench, &output);
    let written = bench.path("out.pcap").metadata().expect("the capture").len();
    // A packet that did not fit whole is cut off again.
    let limit = 30_000 << 10;
    assert!((limit - 1_600..=limit).contains(&written), "it has reached its limit: {written} bytes");
    // CPU time, and an alarm that whoever started it has set: a stop.
    for limit in ["ulimit -S -t 1; exec", "exec perl -e 'alarm 1; exec @ARGV'"] {
        fs::remove_file(bench.path("s.json")).expect("the summary");
        let run = "$P gen generator.wat --port net_null0 --duration 60s --quiet --json s.json";
        let begin = Instant::now();
        let output = shell(&bench, &format!("{limit} {run}")).output().expect("a shell");
        assert_eq!(output.status.code(), Some(0), "{limit}: {}", String::from_utf8_lossy(&output.stderr));
        summary(&bench, &output);
        assert!(begin.elapsed() < Duration::from_secs(30), "{limit}: {:?}", begin.elapsed());
    }
}

/// While the process stands still, as it does where it gets no CPU, more packets come in than the kernel queues signals.
#[test]
fn a_flood_on_a_tap_costs_packets_and_not_the_run() {
    let bench = Bench::new();
    let script = r#"
        ulimit -i 50
        "$P" forward good.wat --port net_tap0,iface=flood0 --port net_null1 --quiet --json s.json --log info 2>log & run=$!
        until grep -q running log || ! kill -0 $run; do sleep 0.02; done
        ip link set flood0 up
        kill -STOP $run
        python3 -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("flood0", 0))
for i in range(3000):
    try: s.send(b"\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5" + bytes(46))
    except OSError: pass'
        kill -CONT $run; sleep 0.5; kill -INT $run; wait $run; code=$?; cat log >&2; exit $code"#;
    let mut command = shell(&bench, "exec unshare --user --map-root-user --net bash -c \"$SCRIPT\"");
    let output = command.env("SCRIPT", script).output().expect("a shell");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{}: {err}", output.status);
    let summary = summary(&bench, &output);
    let received = summary["ports"][0]["rx_packets"].as_u64();
    assert!(received > Some(400), "what the kernel had room for came in: {summary}");
    assert!(!err.contains("rt-signals"), "that is our own doing: {err}");
}
