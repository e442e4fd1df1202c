//! Streams as a person commands them: rates and pauses while packets flow, a run that is repeated, a port that is calibrated.

use crate::ctl_lab::{CONFIG, Process};
use crate::modules::Bench;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The run that `ctl` is tried on, whose generator waits for a word.
fn paused() -> String {
    format!("{CONFIG}\n[[stream]]\nname = \"voice\"\nchain = \"load\"\nrate = \"1 kpps\"\npaused = true\n")
}

fn stream(run: &Process<'_>) -> Value {
    let all: Value = serde_json::from_str(&run.ctl(&["streams", "--json"])).unwrap();
    all[0].clone()
}

/// Waits until so many packets have left.
fn wait_for(run: &Process<'_>, packets: u64) {
    let begun = Instant::now();
    while stream(run)["sent"].as_u64().unwrap() < packets {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", stream(run));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_stream_goes_on_pauses_and_gets_another_rate() {
    let bench = Bench::new();
    let run = Process::start(&bench, &paused(), &[]);
    let before = stream(&run);
    assert_eq!((before["state"].as_str(), before["sent"].as_u64()), (Some("paused"), Some(0)), "{before}");
    assert!(run.ctl(&["stream", "resume", "voice"]).contains("running"));
    wait_for(&run, 10);
    let said = run.ctl(&["rate", "voice", "100 kpps"]);
    assert!(said.contains("100 kpps"), "{said}");
    wait_for(&run, 2_000);
    let said = run.ctl(&["pattern", "voice", "{ kind = \"bursts\", size = 8 }"]);
    assert!(said.contains("bursts") && said.contains("100 kpps"), "{said}");
    assert!(run.ctl(&["pattern", "voice", "poisson", "--rate", "90 kpps"]).contains("90 kpps"));
    assert!(run.ctl(&["stream", "pause", "voice"]).contains("paused"));
    // What was made ahead leaves within 50 us; counters are told once a tick.
    std::thread::sleep(Duration::from_millis(30));
    let rests = stream(&run)["sent"].as_u64();
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(stream(&run)["sent"].as_u64(), rests);
    for (arguments, why) in [
        (&["rate", "music", "1 kpps"][..], "streams: voice"),
        (&["rate", "voice", "0 pps"], "0"),
        (&["rate", "voice", "fast"], "is no rate"),
        (&["pattern", "voice", "module"], "decided when the run starts"),
        (&["pattern", "voice", "bursts"], "needs `size`"),
    ] {
        let said = run.try_ctl(arguments);
        assert!(said.code == Some(1) && said.err.contains(why), "{arguments:?}: {}", said.err);
    }
    assert_eq!(run.ctl(&["stop"]), "stopped\n");
    let (summary, _) = run.end();
    assert_eq!(summary["accounting"]["balanced"], true);
}

#[test]
fn a_run_is_repeated_by_its_manifest_with_the_operators_word() {
    let bench = Bench::new();
    let text = paused().replace("paused = true", "count = 50");
    let (summary, _) = Process::start(&bench, &text, &["--duration", "200ms"]).end();
    bench.write("summary.json", &summary.to_string());
    let manifest = &summary["manifest"];
    assert!(manifest["config"].as_str().unwrap().contains("voice") && manifest["clock"]["tsc_hz"].as_u64() > Some(0));
    let shown = bench.perigee(&["rerun", "summary.json", "--modules", "."]);
    assert!(shown.code == Some(1) && shown.err.contains("net_null0") && shown.err.contains("--yes"), "{}", shown.err);
    std::fs::create_dir(bench.path("empty")).unwrap();
    let missing = bench.perigee(&["rerun", "summary.json", "--modules", "empty", "--yes"]);
    assert!(missing.code == Some(1) && missing.err.contains("no file has the digest"), "{}", missing.err);
    let done = bench.perigee(&["rerun", "summary.json", "--modules", ".", "--yes", "--duration", "200ms"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.contains("now/before") && !done.out.contains("not as before"), "{}", done.out);
}

#[test]
fn a_port_is_calibrated_and_runs_on_it_say_so() {
    let bench = Bench::new();
    let state = bench.path("state");
    let calibrate = |arguments: &[&str]| {
        let all = [&["calibrate", "--rate", "10 kpps", "--size", "60", "--each", "100ms"], arguments].concat();
        let output = bench.command(&all).env("XDG_STATE_HOME", &state).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = calibrate(&["--tx", "net_ring0"]);
    assert!(code == Some(0) && out.contains("10 kpps") && out.contains("software "), "{out}{err}");
    // A ring gives back what it gets: fillers too. What it cannot do at all is told by its name.
    assert!(out.contains("launch-time: stream") && out.contains("(driver net_ring) cannot do"), "{out}");
    assert!(out.contains("UNFIT: ") && out.contains("fillers were received"), "{out}");
    assert_eq!(std::fs::read_dir(state.join("perigee/calibration")).unwrap().count(), 1);
    let (code, _, err) = calibrate(&["--tx", "net_null0,copy=0"]);
    assert!(code == Some(1) && err.contains("none came back"), "{err}");
    let (code, _, err) = calibrate(&["--tx", "net_ring0", "--method", "launch-time"]);
    assert!(code == Some(1) && err.contains("it has no launch times"), "{err}");
    let (code, _, err) = calibrate(&["--tx", "net_ring0", "--method", "crystal"]);
    assert!(code == Some(1) && err.contains("it is one of software, rate-limit, launch-time, filler"), "{err}");
}

#[test]
fn a_wire_is_calibrated_by_each_method_and_streams_choose_by_it() {
    let bench = Bench::new();
    let state = bench.path("state");
    let run = |arguments: &[&str]| {
        let output = bench.command(arguments).env("XDG_STATE_HOME", &state).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {out}{err}");
        out
    };
    let wire = "wire:lab,end=a,rate=1G,launch=yes,shaper=yes";
    let calibrate = |arguments: &[&str]| {
        let common = ["calibrate", "--tx", wire, "--rx", "wire:lab,end=b", "--size", "101", "--each", "100ms"];
        run(&[&common, arguments].concat())
    };
    // 125 bytes on layer 1: 1 kpps is 1 Mbit/s.
    let table = calibrate(&["--rate", "1 kpps"]);
    for method in ["software ", "launch-time ", "filler ", "rate-limit "] {
        assert!(table.contains(&format!("\n  {method}")), "{method}: {table}");
    }
    let told = calibrate(&["--rate", "5 kpps", "--pattern", "poisson", "--method", "launch-time"]);
    assert!(told.contains("launch-time, 101 bytes at 5 kpps, arrivals: ") && told.contains("lambda"), "{told}");
    // What was measured is this machine's; so that one answer is right, it is written anew: launch times are best.
    let file = std::fs::read_dir(state.join("perigee/calibration")).unwrap().next().unwrap().unwrap().path();
    let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let points = kept["points"].as_array_mut().unwrap();
    assert_eq!(points.len(), 4, "that of the Poisson stream is not kept");
    for point in points {
        let is_launch = point["method"] == "launch-time";
        for (key, value) in
            [("off", Value::from(0.0)), ("lost", 0.into()), ("strangers", 0.into()), ("disturbed", Value::Null)]
        {
            point[key] = value;
        }
        point["deviation_ns"] = if is_launch { 1.0 } else { 500.0 }.into();
    }
    let port = format!("device = {wire:?}\n[[port]]\nname = \"in\"\ndevice = \"wire:lab,end=b\"");
    let config = CONFIG.replace("device = \"net_null0,no-rx=1\"\npool = 255", &port);
    bench.write("gen.wat", &bench.read("good.wat").replace("\"process\"", "\"generate\""));
    let config = config.replace("echo.wat", "good.wat");
    bench.write("choose.toml", &format!("{config}[[stream]]\nname = \"s\"\nchain = \"load\"\nrate = \"1 kpps\"\n"));
    let choose = |kept: &Value| {
        std::fs::write(&file, kept.to_string()).unwrap();
        run(&["run", "choose.toml", "--duration", "100ms", "--quiet", "--json", "-"])
    };
    let stream = |out: &str| {
        let summary: Value = serde_json::from_str(out).unwrap();
        summary["manifest"]["streams"][0].clone()
    };
    let chosen = stream(&choose(&kept));
    assert_eq!(chosen["method"], "launch-time", "{chosen}");
    assert!(chosen["calibration"].as_str().unwrap().starts_with("made at "), "{chosen}");
    kept["key"]["kernel"] = "0.1".into();
    let chosen = stream(&choose(&kept));
    assert_eq!(chosen["method"], "software", "{chosen}");
    assert!(chosen["calibration"].as_str().unwrap().contains("of another machine"), "{chosen}");
}
