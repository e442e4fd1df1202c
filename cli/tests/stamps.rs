//! How latencies are told: who took their times, how much of them is the measurement's own, and what a second observer saw.

use crate::lab::{Kind, Lab, Mode, Perigee, Wire, say};
use crate::modules::{Bench, Said};
use serde_json::Value;
use std::time::Duration;

/// The part of a generator's configuration that is the same for all ports. It makes frames of 64 bytes.
fn stream(module: &str, port: &str, count: u64) -> String {
    format!(
        "[[module]]\nname = \"gen\"\nfile = \"{module}\"\ngrants = {{ tx = [\"{port}\"] }}\n\
         [[chain]]\nname = \"send\"\nsource = {{ module = \"gen\" }}\ntx = [\"{port}\"]\n\
         [[chain]]\nname = \"receive\"\nsource = {{ port = \"{port}\" }}\n\
         [[stream]]\nname = \"probes\"\nchain = \"send\"\nrate = \"5 kpps\"\ncount = {count}\n\
         probes = {{ received_by = [\"receive\"] }}\n"
    )
}

/// Frames of an experimental EtherType, as `perigee calibrate` makes them.
const GENERATOR: &str = r#"(module
  (memory (export "memory") 1100)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 65536))
  (global (export "perigee_window") i32 (i32.const 196608))
  (global (export "perigee_window_len") i32 (i32.const 69206016))
  (func (export "generate") (param $n i32) (local $d i32)
    (local.set $d (i32.const 67200))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $n)))
      (i64.store (i32.load (local.get $d)) (i64.const 0x0002_0200_0000_0002))
      (i32.store offset=8 (i32.load (local.get $d)) (i32.const 0x0100_0000))
      (i32.store16 offset=12 (i32.load (local.get $d)) (i32.const 0xb588))
      (i32.store16 offset=4 (local.get $d) (i32.const 64))
      (i32.store offset=8 (local.get $d) (i32.const 1))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br $next)))))
"#;

fn perigee(bench: &Bench, state: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = bench.command(arguments).env("XDG_STATE_HOME", bench.path(state)).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_latency_is_told_with_who_took_its_times_and_with_its_floor() {
    let bench = Bench::new();
    bench.write("gen.wat", GENERATOR);
    let ports = "[run]\nduration = \"1s\"\n[[port]]\nname = \"loop\"\ndevice = \"net_ring7\"\n";
    bench.write("loop.toml", &format!("{ports}{}", stream("gen.wat", "loop", 2_000)));
    let run = || {
        let (code, out, err) = perigee(&bench, "state", &["run", "loop.toml", "--json", "loop.json"]);
        assert_eq!(code, Some(0), "{err}");
        let summary: Value = serde_json::from_str(&std::fs::read_to_string(bench.path("loop.json")).unwrap()).unwrap();
        (summary["measured"][0]["stamps"].clone(), out)
    };
    let (stamps, out) = run();
    assert_eq!(stamps["departure"], "software, before the port call");
    assert_eq!(stamps["arrival"], serde_json::json!(["software, when the lcore looked"]));
    assert_eq!(stamps["unstamped"], 0);
    let command = stamps["floor"]["unknown"]["command"].as_str().unwrap();
    assert!(
        command == "perigee calibrate --tx net_ring7" && out.contains(&format!("no floor known: {command}")),
        "{out}"
    );
    // What it says is done as it says, but shorter.
    let short = ["--rate", "1 kpps", "--rate", "5 kpps", "--size", "60", "--each", "1s"];
    let arguments: Vec<&str> = command.split(' ').skip(1).chain(short).collect();
    let (code, table, err) = perigee(&bench, "state", &arguments);
    assert!(code == Some(0) && table.contains("p99-p50"), "{table}{err}");
    let (stamps, out) = run();
    let floor = &stamps["floor"]["known"];
    let [min, half] = ["min_ns", "p50_ns"].map(|key| floor[key].as_u64().unwrap());
    assert!(0 < min && min <= half && floor["jitter_ns"].is_u64(), "{floor}");
    let of = floor["calibration"].as_str().unwrap();
    assert!(of.starts_with("net_ring7 at 5 kpps of 60 bytes") && out.contains(of), "{of}: {out}");
}

#[test]
fn a_floor_of_another_machine_or_another_kind_of_port_is_none() {
    let bench = Bench::new();
    bench.write("gen.wat", GENERATOR);
    let (code, _, err) = perigee(
        &bench,
        "state",
        &[
            "calibrate",
            "--tx",
            "net_ring0",
            "--rate",
            "5 kpps",
            "--size",
            "60",
            "--each",
            "300ms",
            "--method",
            "software",
        ],
    );
    assert_eq!(code, Some(0), "{err}");
    let folder = bench.path("state").join("perigee/calibration");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let kept = std::fs::read_to_string(&file).unwrap();
    let ports = "[run]\nduration = \"500ms\"\n[[port]]\nname = \"loop\"\ndevice = \"net_ring3\"\n";
    bench.write("loop.toml", &format!("{ports}{}", stream("gen.wat", "loop", 500)));
    let is_known = |kept: &Value| {
        std::fs::write(&file, kept.to_string()).unwrap();
        let (code, _, err) = perigee(&bench, "state", &["run", "loop.toml", "--json", "loop.json"]);
        assert_eq!(code, Some(0), "{err}");
        let summary: Value = serde_json::from_str(&std::fs::read_to_string(bench.path("loop.json")).unwrap()).unwrap();
        summary["measured"][0]["stamps"]["floor"]["known"].is_object()
    };
    let as_kept: Value = serde_json::from_str(&kept).unwrap();
    assert!(is_known(&as_kept), "another ring of the same machine has the same floor");
    for (at, value) in [
        ("/key/cpu", "another"),
        ("/key/kernel", "6.0.0"),
        ("/key/driver", "net_null"),
        ("/rx/driver", "net_tap"),
        ("/points/0/latency/arrival/0", "port's rx timestamp (kernel)"),
    ] {
        let mut other = as_kept.clone();
        *other.pointer_mut(at).unwrap() = Value::from(value);
        assert!(!is_known(&other), "{at}");
    }
}

/// What was told of a stream that left by such a port with a second observer.
fn observed(kind: Kind, count: u64) -> Option<(Value, String)> {
    let lab = Lab::new(Mode::User)?;
    let host = lab.namespace();
    let module = lab.write("gen.wat", GENERATOR.as_bytes()).display().to_string();
    let wire = Wire::new(&host, kind, 0, 1_500);
    // Nobody receives them: this is of those that leave.
    let nowhere = "[[port]]\nname = \"b\"\ndevice = \"net_null9,no-rx=1\"\n";
    let stream = stream(&module, "a", count).replace("source = { port = \"a\" }", "source = { port = \"b\" }");
    // What is sent before the link is up the kernel drops, and nobody sees it leave.
    let stream = stream.replace("count = ", "start = \"3s\"\ncount = ");
    let config = format!("{}{nowhere}{stream}", wire.port("a", "observe = true"));
    let mut perigee = Perigee::start(&host, "observed", &config);
    wire.connect_silently(&mut perigee);
    std::thread::sleep(Duration::from_millis(count / 5 + 3_500));
    let summary = perigee.stop("INT");
    let text = summary.text();
    Some((serde_json::from_str(&text).ok()?, text))
}

#[test]
fn the_kernel_sees_each_probe_leave_after_its_stamp() {
    for (kind, by) in [(Kind::AfPacket, "as it leaves by"), (Kind::Tap, "as it comes in by")] {
        let Some((summary, text)) = observed(kind, 3_000) else { return };
        let stream = &summary["measured"][0];
        let seen = &stream["observed"];
        say(&format!("{kind:?}: {seen}"));
        assert_eq!((stream["probes"]["sent"].as_u64(), seen["seen"].as_u64()), (Some(3_000), Some(3_000)), "{text}");
        assert_eq!((seen["missed"].as_u64(), seen["after_stamp"]["before_departure"].as_u64()), (Some(0), Some(0)));
        assert!(seen["by"][0].as_str().unwrap().contains(by), "{seen}");
        let [min, max] = ["min_ns", "max_ns"].map(|key| seen["after_stamp"][key].as_u64().unwrap());
        assert!(0 < min && min <= max, "{seen}");
        // All of them are neighbours, and the gap that was asked for is known.
        assert_eq!(seen["gaps"]["gaps"]["count"].as_u64(), Some(2_999), "{seen}");
        assert_eq!(seen["gaps"]["asked_ns"].as_u64(), Some(200_000));
    }
}

#[test]
fn clocks_are_compared_and_ports_without_one_are_named() {
    let bench = Bench::new();
    let Said { code, out, err } = bench.perigee(&["clocks", "--for", "300ms", "--json", "-"]);
    assert_eq!(code, Some(0), "{err}");
    let seen: Value = serde_json::from_str(&out).unwrap();
    let tsc = &seen["tsc"];
    assert!(tsc["hz"].as_f64().unwrap() > 5e8 && tsc["unsure_ppm"].as_f64().unwrap() > 0.0, "{tsc}");
    let slew = seen["realtime"]["ppm"].as_f64().unwrap();
    assert!(slew.abs() < 600.0, "the kernel slews by 500 millionths at most: {slew}");
    let Said { code, out, err } = bench.perigee(&["clocks", "net_null0", "--for", "50ms"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(
        out.contains("net_null0: its driver net_null has no clock that can be read (rte_eth_timesync_enable: "),
        "{out}"
    );
    let Said { code, out, .. } = bench.perigee(&["clocks", "net_ring0", "--stamps", "--for", "50ms", "--json", "-"]);
    let seen: Value = serde_json::from_str(&out).unwrap();
    let trials = seen["trials"].as_array().unwrap();
    let counts = |key| trials.iter().map(|trial| trial[key].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(
        (code, counts("sent"), counts("came")),
        (Some(1), vec![3; 5], vec![3; 5]),
        "a ring gives back what it gets: {out}"
    );
    assert_eq!(
        (counts("rx_in_register"), counts("rx_in_packet")),
        (vec![0; 5], vec![0; 5]),
        "and stamps nothing: {out}"
    );
    let Said { code, out, .. } = bench.perigee(&["clocks", "net_pcap0,rx_pcap=nowhere.pcap", "--for", "50ms"]);
    assert!(code == Some(1) && out.contains("nowhere.pcap"), "{out}");
}
