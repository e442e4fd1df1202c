//! Sizes that a configuration names are worked out before anything is mapped: a value that is too large costs no memory and
//! no time, and the cure that its message names works.

use crate::modules::Bench;
use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// A generator and a stage behind a ring, with everything whose size can be given.
const GOOD: &str = r#"
[run]
duration = "20ms"
jail = "off"

[load]
cache = "off"

[[port]]
name = "a"
device = "net_null0"

[[module]]
name = "m"
file = "wide.wat"
[module.grants]
memory = "4G"
rings = ["r"]
hostcalls = ["log", "counter"]

[[ring]]
name = "r"

[[chain]]
name = "load"
lcores = [0]
source = { port = "a" }
stages = ["m"]
tx = ["a"]

[[chain]]
name = "behind"
lcores = [0]
source = { ring = "r" }
stages = ["m"]
tx = ["a"]
"#;

/// Keys by what stands before their line in the good configuration, with the largest value that can be written or that a
/// range allows.
const LARGEST: &[(&str, &str)] = &[
    ("[run]", "burst = 256"),
    ("[run]", "eal_memory = \"1T\""),
    ("[run]", "seed = 9223372036854775807"),
    ("[run]", "tick = \"10s\""),
    ("[run]", "watchdog = \"100years\""),
    ("[load]", "module_size = \"256M\""),
    ("[load]", "memory = \"64G\""),
    ("[load]", "cache_size = \"1T\""),
    ("[load]", "time = \"10min\""),
    ("device = \"net_null0\"", "mtu = 16000"),
    ("device = \"net_null0\"", "pool = 16777216"),
    ("device = \"net_null0\"", "pool = 4294967295"),
    ("device = \"net_null0\"", "rx_descriptors = 65535"),
    ("device = \"net_null0\"", "tx_descriptors = 65535"),
    ("device = \"net_null0\"", "rx_queues = 65535"),
    ("device = \"net_null0\"", "tx_queues_per_lcore = 16"),
    ("[module.grants]", "table = 1048576"),
    ("[module.grants]", "stack = \"1M\""),
    ("[module.grants]", "hold = 4294967295"),
    ("[module.grants]", "hold = 16777216"),
    ("[module.grants]", "log_lines = 4294967295"),
    ("[module.grants]", "counters = 64"),
    ("[module.grants]", "deadline = \"100years\""),
    ("[module.grants]", "hold_age = \"100years\""),
    ("[module.grants]", "packets_per_second = 8796093022208"),
    ("[module.grants]", "bits_per_second = 8796093022208"),
    ("name = \"r\"", "size = 1048576"),
];

/// A directory with the good module, and one like it whose window takes half a gigabyte.
fn bench() -> Bench {
    let bench = Bench::new();
    let wide = bench.read("good.wat").replace("528)", "16384)").replace("0x2000000", "0x20000000");
    bench.write("wide.wat", &wide);
    bench
}

/// What a command did.
struct Done {
    code: Option<i32>,
    err: String,
    /// Processor time: a machine that does other work as well makes it no longer.
    took: Duration,
    /// The most memory that it had.
    mib: u64,
}

/// Runs the binary, and looks at its memory meanwhile.
fn watched(bench: &Bench, arguments: &[&str]) -> Done {
    // A file takes whatever it has to say; a pipe that nobody reads would not.
    let err = fs::File::create(bench.path("err.txt")).expect("its own directory");
    let mut child = bench.command(arguments).stdout(Stdio::null()).stderr(err).spawn().expect("the binary starts");
    let (status, stat) = (format!("/proc/{}/status", child.id()), format!("/proc/{}/stat", child.id()));
    let (mut kib, mut ticks) = (0_u64, 0_u64);
    while child.try_wait().expect("a child can be waited for").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
        kib = kib.max(now.unwrap_or(0));
        let stat = fs::read_to_string(&stat).unwrap_or_default();
        // Behind the name: user and system time are the 12th and the 13th field, in hundredths of a second.
        let times = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        ticks = ticks.max(times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum());
        assert!(kib >> 10 < MOST_MIB || child.kill().is_err(), "{arguments:?} takes {} MiB", kib >> 10);
        sleep(Duration::from_millis(1));
    }
    let took = Duration::from_millis(ticks * 10);
    let code = child.wait().expect("a child can be waited for").code();
    Done { code, err: bench.read("err.txt"), took, mib: kib >> 10 }
}

/// The most that a run on small ports may take.
const MOST_MIB: u64 = 600;
/// How soon a size that is too large is told.
const SOON: Duration = Duration::from_secs(1);

#[test]
fn largest_values_cost_nothing() {
    let bench = bench();
    for (before, line) in LARGEST {
        assert!(GOOD.contains(before), "{before:?} is in the good configuration");
        bench.write("perigee.toml", &GOOD.replacen(before, &format!("{before}\n{line}"), 1));
        for verb in ["check", "run"] {
            let done = watched(&bench, &[verb, "perigee.toml"]);
            let (code, err) = (done.code, &done.err);
            assert!(code == Some(0) || code == Some(1), "{verb} with {line}: {code:?}\n{err}");
            let key = line.split(' ').next().unwrap_or_default();
            let is_small = done.mib < 100 && done.took < SOON;
            assert!(
                code == Some(0) || (is_small && err.contains(key)),
                "{verb} with {line}: {} MiB, {:?}\n{err}",
                done.mib,
                done.took
            );
        }
    }
}

/// A window that is too small for the pools is known before they are mapped.
#[test]
fn check_finds_a_window_that_is_too_small() {
    let bench = bench();
    let narrow = GOOD.replacen("wide.wat", "good.wat", 1);
    bench.write("perigee.toml", &narrow.replacen("net_null0\"", "net_null0\"\nmtu = 16000", 1));
    let what = "module \"m\": its window takes 32505856 bytes of packets, this run's pools need ";
    let said = ["check", "run"].map(|verb| bench.perigee(&[verb, "perigee.toml"]));
    for said in &said {
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains(what), "{}", said.err);
    }
    let needed = said.each_ref().map(|said| number_behind(&said.err, "this run's pools need ", ": declare"));
    assert_eq!(needed[0], needed[1], "check knows what the run would map");
}

#[test]
fn sums_count_as_well() {
    let bench = bench();
    let rings: String = (0..4_000).map(|n| format!("[[ring]]\nname = \"x{n}\"\nsize = 1048576\n")).collect();
    bench.write("rings.toml", &format!("{GOOD}{rings}"));
    let done = watched(&bench, &["run", "rings.toml"]);
    let err = &done.err;
    assert_eq!(done.code, Some(1), "{err}");
    assert!(
        err.contains("and eal_memory is 256 MiB") && done.mib < 100,
        "{} MiB\n{}",
        done.mib,
        err.lines().last().unwrap_or_default()
    );
}

/// The number in front of `unit` behind `text`.
fn number_behind(said: &str, text: &str, unit: &str) -> u64 {
    let rest = said.split_once(text).unwrap_or_else(|| panic!("{text:?} is not in: {said}")).1;
    let number = rest.split_once(unit).map(|(number, _)| number);
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number behind {text:?} in: {said}"))
}

/// With what the message asks for, each of these runs; so DPDK needs no more than is planned.
#[test]
fn the_cure_for_too_little_eal_memory_works() {
    let bench = bench();
    for (before, line) in [
        ("device = \"net_null0\"", "pool = 65535"),
        ("device = \"net_null0\"", "pool = 4095"),
        ("device = \"net_null0\"", "mtu = 9000\npool = 32767"),
        ("device = \"net_null0\"", "rx_descriptors = 65535\ntx_descriptors = 65535\ntx_queues_per_lcore = 16"),
        ("name = \"r\"", "size = 1048576"),
    ] {
        let text = GOOD.replacen(before, &format!("{before}\n{line}"), 1);
        bench.write("small.toml", &text.replacen("[run]", "[run]\neal_memory = \"16M\"", 1));
        let said = bench.perigee(&["check", "small.toml"]);
        if said.code == Some(0) {
            let said = bench.perigee(&["run", "small.toml"]);
            assert_eq!(said.code, Some(0), "{line}, with 16 MiB:\n{}{}", said.out, said.err);
            continue;
        }
        let wanted = number_behind(&said.err, "eal_memory = \"", "M\"");
        bench.write("large.toml", &bench.read("small.toml").replacen("16M", &format!("{wanted}M"), 1));
        let said = bench.perigee(&["run", "large.toml"]);
        assert_eq!(said.code, Some(0), "{line}, with {wanted} MiB:\n{}{}", said.out, said.err);
    }
}

#[test]
fn huge_pages_that_are_lacking_are_counted() {
    let bench = bench();
    bench.write(
        "perigee.toml",
        &GOOD.replacen("[run]", "[run]\nhuge_pages = \"on\"", 1).replace("net_null0\"", "net_null0\"\npool = 1048575"),
    );
    let done = watched(&bench, &["run", "perigee.toml"]);
    let err = &done.err;
    // Two GiB of them are more than a machine of tests has.
    assert_eq!(done.code, Some(1), "{err}");
    let needed = number_behind(err, "huge_pages is \"on\": ", " pages");
    assert!(needed > 1_024 && err.contains(" are free; echo ") && done.mib < 100, "{err}");
}

#[test]
fn address_space_that_is_lacking_is_told() {
    let bench = bench();
    bench.write("perigee.toml", GOOD);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 6000000; exec \"$0\" run perigee.toml", env!("CARGO_BIN_EXE_perigee")]);
    let output = command.current_dir(bench.path("")).output().expect("a shell");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(
        err.contains("MiB of address space, 4 GiB of it for each instance of a module") && err.contains("ulimit -v"),
        "{err}"
    );
}
