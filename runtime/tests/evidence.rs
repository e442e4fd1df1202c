//! Evidence of failures: what is in a crash bundle, and that a recording replays to the same trap.

use perigee_lab::failing::{Case, module};
use perigee_lab::{Bench, check, packets};
use perigee_runtime::config::Config;
use perigee_runtime::{EvidenceOptions, Options, Replay, Run, Summary, Verdict};
use sha2::Digest;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn options(evidence: EvidenceOptions) -> Options {
    let mut options = Options::default();
    options.evidence = Some(evidence);
    options
}

/// Runs a configuration until its sources have ended and the module has failed.
fn run(bench: &Bench, config: &str, evidence: EvidenceOptions) -> Summary {
    let config = Config::parse(&bench.config(config), "test.toml").unwrap_or_else(|e| panic!("{e}\n{config}"));
    let run = Run::start_with(&config, bench.path(".").as_path(), &options(evidence)).unwrap();
    wait(&run);
    let summary = run.stop();
    check(&summary);
    summary
}

fn wait(run: &Run) {
    let begin = Instant::now();
    while !run.is_finished() || run.snapshot().modules.iter().all(|m| m.failed.is_none()) {
        assert!(begin.elapsed() < Duration::from_secs(20), "the module does not fail: {:#?}", run.snapshot());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The bundles in a directory, oldest first.
fn bundles(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn replay(bundle: &Path) -> Replay {
    Replay::run(bundle, None).unwrap()
}

/// Traps in batch 7, in a function that is called by another one.
fn seventh() -> String {
    module(&Case {
        process: "(if (i32.eq (global.get $batches) (i32.const 7)) (then (call $outer)))",
        ..Case::default()
    })
}

#[test]
fn a_bundle_tells_what_happened() {
    let bench = Bench::new();
    let directory = bench.path("evidence");
    bench.module("m.wat", &seventh()).input(&packets(400, 100));
    let summary =
        run(&bench, &format!("[run]\nburst = 4\n{}", Case::default().chain()), EvidenceOptions::new(&directory));
    let stats = summary.snapshot.evidence.unwrap();
    assert_eq!((stats.written, stats.skipped, stats.failed), (1, 0, 0));
    let bundle = bundles(&directory).pop().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&bundle), mode(&bundle.join("core.wasm"))), (0o700, 0o700, 0o600));

    let fault = json(&bundle.join("fault.json"));
    assert_eq!(fault["class"], "unreachable");
    assert_eq!(fault["trap"]["class"], "UnreachableCodeReached");
    assert_eq!(fault["batch"]["packets"], 4);
    assert_eq!(fault["module"]["name"], "m");
    assert_eq!(fault["versions"]["wasmtime"].as_str().unwrap().split('.').next(), Some("48"));
    assert!(fault["versions"]["dpdk"].as_str().unwrap().starts_with("DPDK "));
    let backtrace = fs::read_to_string(bundle.join("backtrace.txt")).unwrap();
    let at = |name: &str| backtrace.find(name).unwrap_or_else(|| panic!("no {name} in {backtrace}"));
    assert!(at("  inner (") < at("  outer (") && at("  outer (") < at("  process ("), "{backtrace}");

    let descriptors = json(&bundle.join("descriptors.json"));
    // Ticks without packets count too, so it is the seventh or a later one.
    assert!(fault["batch"]["sequence"].as_u64().unwrap() >= 7);
    assert_eq!(descriptors["header"]["sequence"], fault["batch"]["sequence"]);
    let first = &descriptors["packets"][0];
    assert_eq!((&first["published"]["len"], &first["published"]["verdict_text"]), (&100.into(), &"Drop".into()));
    assert_eq!(first["left"]["verdict_text"], "Next");
    check_pcapng(&bundle.join("batch.pcapng"));
    check_core(&fs::read(bundle.join("core.wasm")).unwrap(), &fault);
}

/// The seventh batch of four: packets 24 to 27, read by our own reader and by Wireshark's.
fn check_pcapng(path: &Path) {
    let mut reader = pcap_file::pcapng::PcapNgReader::new(fs::File::open(path).unwrap()).unwrap();
    let mut seen = Vec::new();
    while let Some(block) = reader.next_block() {
        if let pcap_file::pcapng::Block::EnhancedPacket(packet) = block.unwrap().into_owned() {
            seen.push(packet.data[96..].to_vec());
        }
    }
    assert_eq!(seen, (24_u32..28).map(|i| i.to_be_bytes().to_vec()).collect::<Vec<_>>());
    let fields = ["-T", "fields", "-e", "frame.len", "-e", "frame.comment", "-e", "frame.time_epoch"];
    let out = std::process::Command::new("tshark").arg("-r").arg(path).args(fields).output();
    let Ok(out) = out else { return eprintln!("no tshark here: not checked with it") };
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}{}", String::from_utf8_lossy(&out.stderr));
    assert!(lines[0].starts_with("100\tpacket 0 of 4"), "{text}");
    let stamp: f64 = lines[0].rsplit('\t').next().unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - stamp).abs() < 60.0, "{text}");
}

/// The dump is a module that is valid, with frames, globals and memory where the conventions say.
fn check_core(core: &[u8], fault: &serde_json::Value) {
    use wasmparser::{KnownCustom, Parser, Payload};
    wasmparser::validate(core).unwrap();
    let (mut frames, mut memory, mut globals, mut bytes) = (Vec::new(), 0, Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(core) {
        match payload.unwrap() {
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::CoreDump(dump) => assert_eq!(dump.name, "perigee"),
                KnownCustom::CoreDumpModules(modules) => assert_eq!(modules.modules, ["m"]),
                KnownCustom::CoreDumpInstances(instances) => assert_eq!(instances.instances.len(), 1),
                KnownCustom::CoreDumpStack(stack) => frames = stack.frames,
                _ => panic!("an unknown section {:?}", section.name()),
            },
            Payload::MemorySection(memories) => memory = memories.into_iter().next().unwrap().unwrap().initial,
            Payload::GlobalSection(section) => {
                for global in section {
                    globals.push(global.unwrap().init_expr.get_operators_reader().read().unwrap());
                }
            }
            Payload::DataSection(data) => bytes.extend(data.into_iter().flat_map(|d| d.unwrap().data.to_vec())),
            _ => {}
        }
    }
    let wanted = fault["trap"]["frames"].as_array().unwrap();
    let pairs = frames.iter().map(|f| (u64::from(f.funcidx), u64::from(f.codeoffset)));
    let wanted = wanted.iter().map(|f| (f["function"].as_u64().unwrap(), f["offset"].as_u64().unwrap()));
    assert_eq!(pairs.collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
    assert_eq!(frames.len(), 3);
    assert_eq!(memory, 1_100);
    // The global that counts batches is the last one: a number that is not exported.
    let last = format!("{:?}", globals.last().unwrap());
    assert!(last.contains("value: 7"), "{globals:?}");
    // What the module writes into its memory in each batch.
    assert!(bytes.windows(8).any(|window| window == b"batch 7!"));
}

#[test]
fn recorded_runs_replay_to_the_same_trap() {
    for case in perigee_lab::failing::cases() {
        let bench = Bench::new();
        let directory = bench.path("evidence");
        bench.module("m.wat", &module(&case)).input(&packets(600, 90));
        let config = format!("[run]\nburst = 4\n{}", case.chain());
        let summary = run(&bench, &config, EvidenceOptions::recording(&directory, 10));
        assert_eq!(summary.snapshot.evidence.unwrap().written, 1, "{}", case.name);
        let bundle = bundles(&directory).pop().unwrap();
        let replay = replay(&bundle);
        assert_eq!(replay.verdict, Verdict::Same, "{}: {replay:#?}", case.name);
        assert!(replay.made == replay.calls && replay.calls >= 5, "{}: {} calls", case.name, replay.calls);
        // Two intervals of ten batches at most, but where no snapshot can be made.
        assert_eq!(replay.calls <= 20, !case.is_from_start, "{}: {} calls", case.name, replay.calls);
        wasmparser::validate(&replay.core).unwrap();
    }
}

#[test]
fn a_hundred_replays_are_the_same() {
    let bench = Bench::new();
    let directory = bench.path("evidence");
    bench.module("m.wat", &module(&perigee_lab::failing::cases()[0])).input(&packets(600, 90));
    run(&bench, &format!("[run]\nburst = 4\n{}", Case::default().chain()), EvidenceOptions::recording(&directory, 10));
    let bundle = bundles(&directory).pop().unwrap();
    let cores: Vec<Vec<u8>> = (0..100)
        .map(|_| {
            let replay = replay(&bundle);
            assert_eq!(replay.verdict, Verdict::Same);
            replay.core
        })
        .collect();
    assert!(cores.iter().all(|core| *core == cores[0]));
    assert_eq!(cores[0], fs::read(bundle.join("core.wasm")).unwrap());
    let stopped = Replay::run(&bundle, Some(3)).unwrap();
    assert_eq!((stopped.made, stopped.verdict), (3, Verdict::Stopped));
}

#[test]
fn a_message_that_traps_leaves_a_bundle() {
    let bench = Bench::new();
    let directory = bench.path("evidence");
    let case = Case { message: "(call $outer)", ..Case::default() };
    bench.module("m.wat", &module(&case)).input(&packets(40, 90));
    let config =
        Config::parse(&bench.config(&format!("[run]\nburst = 4\n{}", Case::default().chain())), "test.toml").unwrap();
    let run = Run::start_with(&config, &bench.path("."), &options(EvidenceOptions::recording(&directory, 10))).unwrap();
    let refused = run.message("m", b"what now?").unwrap_err().to_string();
    assert!(refused.contains("trap in \"message\""), "{refused}");
    wait(&run);
    check(&run.stop());
    let replay = replay(&bundles(&directory).pop().unwrap());
    assert_eq!(replay.verdict, Verdict::Same, "{replay:#?}");
    assert_eq!(replay.last_call, ["Message with 9 bytes in the mailbox"]);
}

#[test]
fn a_module_that_traps_at_its_start_leaves_a_bundle() {
    for case in
        [Case { init: "(call $outer)", ..Case::default() }, Case { prefill: "(call $outer)", ..Case::generator() }]
    {
        let bench = Bench::new();
        let directory = bench.path("evidence");
        bench.module("m.wat", &module(&case)).input(&packets(4, 90));
        let config = Config::parse(&bench.config(&case.chain()), "test.toml").unwrap();
        let options = options(EvidenceOptions::recording(&directory, 10));
        let refused = Run::start_with(&config, &bench.path("."), &options).unwrap_err().to_string();
        assert!(refused.contains("trap in"), "{refused}");
        let replay = replay(&bundles(&directory).pop().unwrap());
        assert_eq!(replay.verdict, Verdict::Same, "{replay:#?}");
    }
}

#[test]
fn an_endless_loop_is_replayed_to_its_deadline() {
    let bench = Bench::new();
    let directory = bench.path("evidence");
    let case =
        Case { process: "(if (i32.eq (global.get $batches) (i32.const 20)) (then (loop (br 0))))", ..Case::default() };
    bench.module("m.wat", &module(&case)).input(&packets(400, 90));
    let chain = case.chain().replace("hold = 8", "deadline = \"10ms\"");
    run(&bench, &format!("[run]\nburst = 4\n{chain}"), EvidenceOptions::recording(&directory, 10));
    let replay = replay(&bundles(&directory).pop().unwrap());
    assert_eq!(replay.verdict, Verdict::SameDeadline, "{replay:#?}");
}

/// Another input leads to another end, and is found out: one byte of a packet, with a manifest that agrees.
#[test]
fn a_replay_with_another_input_differs() {
    let bench = Bench::new();
    let directory = bench.path("evidence");
    bench.module("m.wat", &module(&perigee_lab::failing::cases()[0])).input(&packets(600, 90));
    run(&bench, &format!("[run]\nburst = 4\n{}", Case::default().chain()), EvidenceOptions::recording(&directory, 10));
    let bundle = bundles(&directory).pop().unwrap();
    let mut recording = fs::read(bundle.join("recording.bin")).unwrap();
    // The number at the end of the first packet of the first batch, which the module adds to its sum.
    let begin = recording.windows(6).position(|w| w == [0x5a, 0x5a, 0x5a, 0x5a, 0, 0]).unwrap();
    recording[begin + 6] ^= 0x40;
    fs::write(bundle.join("recording.bin"), &recording).unwrap();
    let mut manifest = json(&bundle.join("manifest.json"));
    let digest = sha2::Sha256::digest(&recording);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    manifest["files"]["recording.bin"]["sha256"] = digest.into();
    fs::write(bundle.join("manifest.json"), manifest.to_string()).unwrap();
    let Verdict::Differs(differences) = replay(&bundle).verdict else { panic!("the same") };
    assert!(differences.iter().any(|d| d.starts_with("the memory is")), "{differences:?}");
}

#[test]
fn a_tampered_bundle_is_refused() {
    let bench = Bench::new();
    let directory = bench.path("evidence");
    bench.module("m.wat", &seventh()).input(&packets(400, 90));
    run(&bench, &format!("[run]\nburst = 4\n{}", Case::default().chain()), EvidenceOptions::recording(&directory, 3));
    let bundle = bundles(&directory).pop().unwrap();
    let refused = || Replay::run(&bundle, None).unwrap_err().to_string();
    for name in ["recording.bin", "module.wasm"] {
        let bytes = fs::read(bundle.join(name)).unwrap();
        let mut changed = bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(bundle.join(name), &changed).unwrap();
        assert!(refused().contains(&format!("{name} is not what was written")), "{}", refused());
        fs::write(bundle.join(name), &bytes[..middle]).unwrap();
        assert!(refused().contains(&format!("{name} is not what was written")), "{}", refused());
        fs::write(bundle.join(name), &bytes).unwrap();
    }
    assert_eq!(replay(&bundle).verdict, Verdict::Same);
    fs::remove_file(bundle.join("manifest.json")).unwrap();
    assert!(refused().contains("manifest.json"), "{}", refused());
    let elsewhere = bench.path("nothing");
    let refused = Replay::run(&elsewhere, None).unwrap_err().to_string();
    assert!(refused.contains("this is no bundle"), "{refused}");
}

/// A module as it is shipped, compiled from Rust, with a flat state region and a mapped window.
#[test]
fn a_module_in_rust_replays_to_the_same_trap() {
    let bench = Bench::new();
    let directory = bench.path("evidence");
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/modules/tally.wasm");
    fs::copy(&built, bench.path("m.wasm")).unwrap_or_else(|e| panic!("{}: {e}; ./x build-modules", built.display()));
    let config = "[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[[module]]\nname = \"m\"\nfile = \"m.wasm\"\non_fault = \
                  \"closed\"\nconfig = { then = \"trap\" }\n[[chain]]\nsource = { port = \"p\" }\nstages = [\"m\"]\n";
    let config = Config::parse(config, "test.toml").unwrap();
    let recording = options(EvidenceOptions::recording(&directory, 50));
    let run = Run::start_with(&config, bench.path(".").as_path(), &recording).unwrap();
    let begin = Instant::now();
    while run.snapshot().modules[0].failed.is_none() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{:#?}", run.snapshot());
        std::thread::sleep(Duration::from_millis(2));
    }
    check(&run.stop());
    let replay = replay(&bundles(&directory).pop().unwrap());
    assert_eq!(replay.verdict, Verdict::Same, "{replay:#?}");
    assert!(replay.made == replay.calls && replay.calls <= 100, "{} calls", replay.calls);
    wasmparser::validate(&replay.core).unwrap();
}

/// What a module hears of itself, and what it is answered, whose queue is full at some time: both are in the recording.
#[test]
fn what_is_told_and_heard_replays_to_the_same_trap() {
    let case = Case {
        imports: r#"(import "perigee" "tell" (func $tell (param i32 i32 i32) (result i32)))"#,
        items: "(func $read (local $i i32) (loop
            (call $mix (call $tell (i32.const 0) (i32.const 16) (i32.const 4)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $i) (i32.const 3)))))",
        process: "(call $read)",
        message: "(call $mix (i32.load (i32.const 131072)))",
        ..Case::default()
    };
    let bench = Bench::new();
    let directory = bench.path("evidence");
    bench.module("m.wat", &module(&case)).input(&packets(600, 90));
    let config = case.chain().replace("create = true", "create = true\ntell = [\"m\"]");
    let config = format!("[run]\nburst = 4\n{config}");
    let summary = run(&bench, &config, EvidenceOptions::recording(&directory, 10));
    let told = &summary.snapshot.modules[0];
    assert!(told.told + told.tell_full == 3 * 47 && told.told >= 64, "{told:?}");
    let replay = replay(&bundles(&directory).pop().unwrap());
    assert_eq!(replay.verdict, Verdict::Same, "{replay:#?}");
}
