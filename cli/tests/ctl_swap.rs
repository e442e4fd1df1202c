//! Modules and configurations that change under a running process, which is in its jail: `perigee ctl swap` and `apply`.

use crate::ctl_lab::{CONFIG, Process, http, request, status_of};
use crate::modules::Bench;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as STANDARD;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What a swap must say of itself, whatever it was asked by.
fn nothing_lost(swap: &Value) {
    assert_eq!((&swap["lost"], &swap["rolled_back"]), (&json!(0), &Value::Null), "{swap}");
    assert!(swap["max_pause_ns"].as_u64().is_some_and(|pause| pause > 0), "{swap}");
    assert_ne!(swap["old_digest"], swap["new_digest"], "{swap}");
}

/// The module `echo`, with an answer of its own.
fn answering(bench: &Bench, answer: u8) -> String {
    let echo = bench.read("echo.wat");
    let echoes = "(result i32) (local.get 0))";
    assert!(echo.contains(echoes), "{echo}");
    let answers = format!("(result i32) (i32.store8 (i32.const 0x10000) (i32.const {answer})) (i32.const 1))");
    echo.replace(echoes, &answers)
}

#[test]
fn a_module_is_swapped_and_a_configuration_applied_while_packets_flow() {
    let bench = Bench::new();
    let run = Process::start(&bench, CONFIG, &[]);
    bench.write("second.wat", &answering(&bench, b'2'));
    let swap = json_of(&run.ctl(&["swap", "echo", "second.wat", "--grace", "0s", "--json"]));
    nothing_lost(&swap);
    assert_eq!(run.ctl(&["message", "echo", "x"]), "2\n");
    println!("swap through the socket: pause {} us", swap["max_pause_ns"].as_u64().unwrap_or(0) / 1000);

    // What is refused leaves the module that is there at work.
    let refused = run.try_ctl(&["swap", "echo", "wrong-abi.wat"]);
    assert!(refused.err.contains("module \"echo\", load: ") && refused.err.contains("goes on"), "{}", refused.err);
    let refused = run.try_ctl(&["swap", "nobody", "second.wat"]);
    assert!(refused.err.contains("there is no such module; modules: gen, echo"), "{}", refused.err);
    let refused = http(&run.socket(), request("POST", "/v1/modules/echo/swap", r#"{"module": "%%"}"#).as_bytes());
    assert!(status_of(&refused) == 400 && refused.contains("no base64"), "{refused}");
    assert_eq!(run.ctl(&["message", "echo", "x"]), "2\n");

    // The file says what was there first: that is a difference again.
    assert_eq!(run.ctl(&["diff", "run.toml"]), "swap module echo (file changed)\n");
    bench.write("third.wat", &answering(&bench, b'3'));
    bench.write("run.toml", &CONFIG.replace("echo.wat", "third.wat"));
    let applied = json_of(&run.ctl(&["apply", "run.toml", "--json"]));
    nothing_lost(&applied["swaps"][0]);
    assert_eq!(run.ctl(&["message", "echo", "x"]), "3\n");
    assert_eq!(run.ctl(&["diff", "run.toml"]), "no difference\n");

    bench.write("run.toml", &CONFIG.replace("pool = 255", "pool = 511").replace("echo.wat", "second.wat"));
    let differences = run.ctl(&["diff", "run.toml"]);
    assert!(differences.contains("pool 255 -> 511 needs a restart"), "{differences}");
    let refused = run.try_ctl(&["apply", "run.toml"]);
    assert!(refused.err.contains("nothing was done") && refused.err.contains("pool 255 -> 511"), "{}", refused.err);
    assert_eq!(run.ctl(&["message", "echo", "x"]), "3\n", "a part was applied");

    let metrics = run.ctl(&["metrics"]);
    for told in ["perigee_swaps_total{result=\"done\"} 2\n", "perigee_swaps_total{result=\"refused\"} 1\n"] {
        assert!(metrics.contains(told), "{told} is not in {metrics}");
    }
    assert!(metrics.contains("perigee_swap_last_pause_seconds{module=\"echo\"} "), "{metrics}");
    let modules = json_of(&run.ctl(&["modules", "--json"]));
    assert_eq!(modules[1]["digest"], applied["swaps"][0]["new_digest"], "{modules}");
    let (summary, _) = run.stop();
    let all = &summary["accounting"];
    assert_eq!((&all["dropped"], &all["sent"]), (&json!({}), &all["created"]), "{all}");
}

fn rolled_back(run: &Process<'_>) -> u64 {
    let metrics = run.ctl(&["metrics"]);
    let line = metrics.lines().find_map(|line| line.strip_prefix("perigee_swaps_total{result=\"rolled_back\"} "));
    line.and_then(|number| number.parse().ok()).expect("a number of swaps")
}

/// Copies a module that `./x build-modules` has built.
fn built(bench: &Bench, name: &str) {
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/modules").join(name);
    fs::copy(&from, bench.path(name)).unwrap_or_else(|e| panic!("{}: {e}; ./x build-modules", from.display()));
}

#[test]
fn a_flat_region_moves_between_modules_of_two_languages_under_the_jail() {
    let bench = Bench::new();
    for name in ["tally.wasm", "tally-c.wasm", "udp-gen.wasm"] {
        built(&bench, name);
    }
    let config = CONFIG
        .replace("file = \"gen.wat\"", "file = \"udp-gen.wasm\"\nconfig = { dst = \"10.1.0.10\", dst_port = 5000, src = \"10.0.0.1\", size = 100 }")
        .replace("echo.wat", "tally.wasm");
    let run = Process::start(&bench, &config, &["--jail", "on"]);
    let counts = || {
        let answer = json_of(&run.ctl(&["message", "echo", "100", "--json"]));
        let text = answer["answers"][0]["base64"].as_str().expect("an answer");
        let bytes = STANDARD.decode(text).expect("base64");
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        (word(0), word(8))
    };
    let mut last = counts().0;
    for (number, file) in ["tally-c.wasm", "tally.wasm", "tally-c.wasm", "tally.wasm"].into_iter().enumerate() {
        let swap = json_of(&run.ctl(&["swap", "echo", file, "--grace", "0s", "--json"]));
        nothing_lost(&swap);
        let seat = &swap["seats"][0];
        assert_eq!((&seat["region_bytes"], &seat["state_bytes"]), (&json!(4 << 20), &json!(8)), "{swap}");
        let (count, takeovers) = counts();
        assert!(count > last, "{count} packets after {last}");
        assert_eq!(takeovers, number as u64 + 1, "{file} goes on from what it took over");
        println!("{file}: {count} packets, pause {} us", swap["max_pause_ns"].as_u64().unwrap_or(0) / 1_000);
        last = count;
    }
    // What is refused at the switch, and what fails soon after it, leaves the region to the one that had it.
    let refused = run.try_ctl(&["swap", "echo", "tally.wasm", "--config", "then = 'refuse'"]);
    assert!(refused.err.contains("switch: restore refused: it was told to refuse"), "{}", refused.err);
    run.ctl(&["swap", "echo", "tally.wasm", "--config", "then = 'trap'", "--grace", "60s"]);
    let begun = Instant::now();
    while json_of(&run.ctl(&["status", "--json"]))["failed"] == json!([]) && rolled_back(&run) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the old one does not come back");
    }
    let (count, takeovers) = counts();
    assert!(count > last && takeovers == 4, "{count} after {last}, {takeovers}");
    // Its stage goes, and another comes.
    bench.write("run.toml", &config.replace("stages = [\"echo\"]", "stages = []"));
    let applied = json_of(&run.ctl(&["apply", "run.toml", "--json"]));
    assert_eq!(applied["chains"][0]["modules"], json!(["gen"]), "{applied}");
    bench.write("run.toml", &config);
    run.ctl(&["apply", "run.toml"]);
    assert_eq!(counts().1, 0, "it began anew");
    let (summary, _) = run.stop();
    let all = &summary["accounting"];
    let trapped = all["dropped"]["trap"].as_u64().unwrap_or(0);
    assert!(trapped <= 64 && all["dropped"].as_object().is_some_and(|dropped| dropped.len() == 1), "{all}");
    assert!(all["created"].as_u64() >= Some(last), "{all}");
}

/// A module of so many bytes, most of them a comment.
fn padded(module: &str, bytes: usize) -> String {
    let padding = bytes.saturating_sub(module.len() + "(;;)".len());
    format!("(;{};){module}", "x".repeat(padding))
}

/// Modules of every size up to what docs/control.md and docs/configuration.md say are taken come through the socket: a body is
/// a third larger than its module. What is larger is refused by the number that it passes.
#[test]
fn modules_of_all_sizes_up_to_the_limit_come_through_the_socket() {
    const BODY: usize = 64 << 20;
    let bench = Bench::new();
    let config = CONFIG.replacen("[run]", "[load]\nmodule_size = \"60M\"\n[run]", 1);
    let run = Process::start(&bench, &config, &[]);
    let echo = bench.read("echo.wat");
    let swap = |bytes: usize| {
        bench.write("sized.wat", &padded(&echo, bytes));
        run.try_ctl(&["swap", "echo", "sized.wat", "--grace", "0s", "--json"])
    };
    // Around 2 MiB, as a body and as a module, which is axum's own limit; what Go's compiler makes; the largest but for the
    // words around it.
    let edge = (2 << 20) / 4 * 3;
    for bytes in [edge - 4_096, edge, edge + 4_096, 2 << 20, 3 << 20, BODY / 4 * 3 - 4_096] {
        let said = swap(bytes);
        assert_eq!(said.code, Some(0), "{bytes}: {}", said.err);
        nothing_lost(&json_of(&said.out));
    }
    bench.write("run.toml", &config.replace("echo.wat", "sized.wat"));
    for bytes in [edge + 1, 3 << 20] {
        bench.write("sized.wat", &padded(&echo, bytes));
        let applied = json_of(&run.ctl(&["apply", "run.toml", "--json"]));
        nothing_lost(&applied["swaps"][0]);
    }
    assert_eq!(run.ctl(&["message", "echo", "x"]), "x\n");
    let refused = swap(BODY / 4 * 3 + 1);
    assert!(refused.code == Some(1) && refused.err.contains("has more than 50331648 bytes"), "{}", refused.err);
    // By the length that a client announces, or by what it sends: the last byte that is taken is no JSON.
    let answer = |path: &str, bytes: usize| {
        let answer = http(&run.socket(), request("POST", path, &" ".repeat(bytes)).as_bytes());
        (status_of(&answer), answer)
    };
    for (path, bytes, status) in [
        ("/v1/modules/echo/swap", BODY, 400),
        ("/v1/modules/echo/swap", BODY + 1, 413),
        ("/v1/config/diff", BODY, 400),
        ("/v1/config/apply", BODY + 1, 413),
        // Other bodies have 1 MiB, whatever the module's mailbox, which has 4 KiB here.
        ("/v1/modules/echo/message", 4_096, 200),
        ("/v1/modules/echo/message", 4_097, 422),
        ("/v1/modules/echo/message", 1 << 20, 422),
        ("/v1/modules/echo/message", (1 << 20) + 1, 413),
    ] {
        let (came, answer) = answer(path, bytes);
        assert_eq!(came, status, "{path}, {bytes}: {}", answer.chars().take(300).collect::<String>());
    }
    run.stop();
}
