//! What a module gives as text, against all that shows it: whatever its names and words are, a terminal, a log, JSON, metrics
//! and bundles get them short, on one line, and without anything that is obeyed or not seen.

use crate::ctl_lab::{CONFIG, Process};
use crate::modules::Bench;
use std::fs;

/// Most characters of a line in which a module has a part: a refusal has a thousand, JSON has a backtrace in one.
const LONGEST: usize = 4_000;
/// Most bytes of all that one command says of one bad module.
const MOST: usize = 64 << 10;

/// What no terminal should get, as a WAT string has it: a control sequence, a C1 one, marks of direction, what has no width,
/// other ends of lines, and a line break before what looks like a line of a log.
const EVIL: &str = r"\1b[2J\c2\9b2J\e2\80\ae\e2\81\a6\e2\80\8f\d8\9c\e2\80\8b\e2\80\a8\e2\80\a9\ef\bb\bf\0d\0a2026-01-01T00:00:00Z ERROR forged";

/// The same, and so long that no name should be.
fn evil() -> String {
    format!("{EVIL} {}", "x".repeat(90_000))
}

fn is_harmful(c: char) -> bool {
    let c = u32::from(c);
    let is_control = c < 0x20 && c != 0x0a && c != 0x09;
    is_control
        || (0x7f..=0x9f).contains(&c)
        || matches!(c, 0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff)
}

/// Fails where a text could do harm, or is longer than anybody reads.
fn harmless(what: &str, text: &str) {
    if let Some(at) = text.find(is_harmful) {
        let from = text[..at].rfind('\n').map_or(0, |at| at + 1);
        panic!("{what}: harmful at byte {at}: {:?}", text[from..].chars().take(200).collect::<String>());
    }
    for line in text.lines() {
        let start: String = line.trim_start().chars().take(80).collect();
        assert!(!start.starts_with("2026-01-01T00:00:00Z"), "{what}: begins a line of its own: {start}");
        assert!(line.chars().count() <= LONGEST, "{what}: a line of {} characters: {start}", line.chars().count());
    }
    assert!(text.len() <= MOST, "{what}: {} bytes", text.len());
}

/// The good module with `parts` in it, and `body` at the beginning of `process`.
fn module(bench: &Bench, parts: &str, body: &str) -> String {
    let good = bench.read("good.wat");
    let good = good.replacen("(local $at i32)", &format!("(local $at i32) {body}"), 1);
    // Imports come first; the data that a refusal points at lies between the batch area and the window.
    good.replacen("(module", &format!("(module {parts}"), 1)
}

/// A mailbox with these words in it, and what gives them as an answer: all of them refused, as they are.
fn words(text: &str, callbacks: &str) -> String {
    format!(
        "(data (i32.const 0x40000) \"{text}\") (global (export \"perigee_mailbox\") i32 (i32.const 0x40000))
         (global (export \"perigee_mailbox_len\") i32 (i32.const 0x20000)) {callbacks}"
    )
}

const LOG: &str = r#"(import "perigee" "log" (func $log (param i32 i32 i32)))"#;
const COUNTER: &str = r#"(import "perigee" "counter" (func $counter (param i32 i32 i32)))"#;
const DEEP: &str = "(call $deep (i32.const 0))";

/// Modules that say something harmful in one way each: a name, and the text.
fn all(bench: &Bench) -> Vec<(&'static str, String)> {
    let evil = evil();
    let refuses = "(func (export \"init\") (param i32) (result i32) (i32.const -90000))";
    // Mangled as compilers do it, and harmless: it must be shown as it stands, cut.
    let mangled = format!("_ZN4core9panicking{}17h0123456789abcdefE", "5panic".repeat(40));
    let deep = |name: &str| {
        format!(
            "(func $deep (@name \"{name}\") (param i32) (if (i32.eq (local.get 0) (i32.const 30)) (then (unreachable)))
             (call $deep (i32.add (local.get 0) (i32.const 1))))"
        )
    };
    let says = format!("(data (i32.const 0x40000) \"{EVIL}\")");
    let start = "(func $begin (export \"_initialize\")";
    vec![
        ("function", module(bench, &deep(&evil), DEEP)),
        ("mangled", module(bench, &deep(&mangled), DEEP)),
        ("start", module(bench, &format!("{} {start} {DEEP})", deep(&evil)), "")),
        ("module", module(bench, "", "(unreachable)").replacen("(module", &format!("(module (@name \"{evil}\")"), 1)),
        ("import", module(bench, &format!("(import \"{evil}\" \"{evil}\" (func))"), "")),
        ("wasi-import", module(bench, &format!("(import \"wasi_snapshot_preview1\" \"{evil}\" (func))"), "")),
        ("export", module(bench, &format!("(func (export \"{evil}\"))"), "")),
        ("section", module(bench, &format!("(@custom \"{evil}\" \"{evil}\")"), "(unreachable)")),
        ("refusal", module(bench, &words(&evil, refuses), "")),
        ("unknown", module(bench, "", &format!("(call $\"{evil}\")"))),
        ("operator", module(bench, "", &format!("(i32.{})", "y".repeat(1 << 20)))),
        ("line", module(bench, "", &format!("(; \u{202e}\u{9b}\u{1b}[2J {} ;) (wrong)", "z".repeat(1 << 20)))),
        ("invalid", module(bench, &deep(&evil), "(i64.add)")),
        ("no-text", "\u{1b}[2J\u{9b}\u{202e} (module".to_owned()),
        (
            "log",
            module(
                bench,
                &format!("{LOG} {says}"),
                "(call $log (i32.const 1) (i32.const 0x40000) (i32.const 240)) (unreachable)",
            ),
        ),
        (
            "counter",
            module(
                bench,
                &format!(
                    "{COUNTER} {says} (func (export \"init\") (param i32) (result i32)
                     (call $counter (i32.const 0) (i32.const 0x40000) (i32.const 64)) (i32.const 0))
                     {}",
                    words("", "")
                ),
                "(i64.store (i32.const 0x1480) (i64.const 7))",
            ),
        ),
    ]
}

#[test]
fn what_a_module_says_does_a_terminal_no_harm() {
    let bench = Bench::new();
    for (name, text) in all(&bench) {
        let file = format!("{name}.wat");
        bench.write(&file, &text);
        bench.write(
            "run.toml",
            &format!(
                "[run]\nduration = \"150ms\"\nevidence = \"kept-{name}\"\n[[port]]\nname = \"a\"\ndevice = \"net_null0\"\n\
                 pool = 255\n[[module]]\nname = \"m\"\nfile = \"{file}\"\non_fault = \"restart\"\n\
                 grants = {{ hostcalls = [\"log\", \"counter\"] }}\n[[chain]]\nname = \"c\"\nsource = {{ port = \"a\" }}\n\
                 stages = [\"m\"]\ntx = [\"a\"]\n"
            ),
        );
        let record = format!("recorded-{name}");
        for arguments in [
            vec!["check", &file],
            vec!["inspect", &file],
            vec!["inspect", &file, "--json", "-"],
            vec!["conformance", &file, "--verbose"],
            vec!["run", "run.toml"],
            vec!["--log", "trace", "run", "run.toml", "--quiet", "--json", "-", "--record", &record],
        ] {
            let said = bench.perigee(&arguments);
            assert!(said.code.is_some(), "{name}: {arguments:?} was ended by a signal: {}", said.err);
            if name == "mangled" && arguments[0] == "run" {
                // 80 characters of it, as they stand in the module.
                let shown = format!("_ZN4core9panicking{}", "5panic".repeat(40));
                assert!(said.err.contains(&format!("  {}… (function", &shown[..80])), "{}", said.err);
            }
            // The runtime's own words at `trace` are many; the bound is for what is said of a module.
            let most = if arguments[0] == "--log" { 0 } else { said.err.len() };
            harmless(&format!("{name}: {arguments:?}, output"), &said.out);
            harmless(&format!("{name}: {arguments:?}, errors"), &said.err[said.err.len() - most..]);
            if most == 0 {
                said.err.lines().for_each(|line| harmless(&format!("{name}: log"), line));
            }
        }
        for directory in [format!("kept-{name}"), record] {
            bundles(&bench, &directory);
        }
    }
}

/// Looks at what people and programs read of all bundles in a directory, and replays them.
fn bundles(bench: &Bench, directory: &str) {
    let Ok(found) = bench.path(directory).read_dir() else { return };
    for entry in found {
        let path = entry.expect("an entry").path();
        for file in ["backtrace.txt", "fault.json", "log.txt", "descriptors.json", "manifest.json"] {
            let text = fs::read_to_string(path.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
            text.lines().for_each(|line| harmless(file, line));
            assert!(file == "descriptors.json" || text.len() < MOST, "{file}: {} bytes", text.len());
        }
        if path.join("recording.bin").exists() {
            let said = bench.perigee(&["replay", &path.display().to_string()]);
            assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
            assert!(said.out.starts_with("The same trap, bit by bit"), "{}", said.out);
            harmless("replay", &said.out);
        }
    }
}

/// The names of functions are shown as they stand in the module, cut: those of a text without its `$`, mangled ones mangled.
#[test]
fn functions_are_shown_by_the_names_that_they_have() {
    let bench = Bench::new();
    let parts = "(func $a (call $b)) (func $b (call $_ZN4core9panicking5panic17h0123456789abcdefE))
                 (func $_ZN4core9panicking5panic17h0123456789abcdefE (unreachable))";
    bench.write("named.wat", &module(&bench, parts, "(call $a)"));
    bench.write("run.toml", "[[port]]\nname = \"a\"\ndevice = \"net_null0\"\npool = 255\n[[module]]\nname = \"m\"\nfile = \"named.wat\"\non_fault = \"closed\"\n[[chain]]\nsource = { port = \"a\" }\nstages = [\"m\"]\ntx = [\"a\"]\n");
    let run = bench.perigee(&["run", "run.toml", "--duration", "100ms", "--quiet"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    for name in ["  a (function ", "  b (function ", "  _ZN4core9panicking5panic17h0123456789abcdefE (function "] {
        assert!(run.err.contains(name), "{name} is not in {}", run.err);
    }
}

/// Answers, refusals, counters and failures on their way through the control socket.
#[test]
fn what_a_module_answers_does_a_terminal_no_harm() {
    let bench = Bench::new();
    // The first byte of a message says what to do: answer with the words, refuse with them, or trap.
    let callbacks = format!(
        "(func $deep (@name \"{0}\") (param i32) (if (i32.eq (local.get 0) (i32.const 30)) (then (unreachable)))
         (call $deep (i32.add (local.get 0) (i32.const 1))))
         (func (export \"message\") (param i32) (result i32)
           (local $do i32)
           (local.set $do (i32.load8_u (i32.const 0x40000)))
           (memory.copy (i32.const 0x40000) (i32.const 0x60000) (i32.const 0x8000))
           (if (i32.eq (local.get $do) (i32.const 0x61)) (then (return (i32.const 4000))))
           (if (i32.eq (local.get $do) (i32.const 0x72)) (then (return (i32.const -4000))))
           (if (i32.eq (local.get $do) (i32.const 0x74)) (then {DEEP}))
           (i32.const 0))",
        evil()
    );
    let parts = words("", &callbacks) + &format!("(data (i32.const 0x60000) \"{}\")", evil());
    let run = Process::start(&bench, CONFIG, &[]);
    bench.write("speaks.wat", &module(&bench, &parts, ""));
    run.ctl(&["swap", "echo", "speaks.wat", "--grace", "0s"]);
    for message in ["a", "r", "t", "a"] {
        for json in [&[][..], &["--json"]] {
            let said = run.try_ctl(&[&["message", "echo", message][..], json].concat());
            harmless(&format!("message {message}"), &said.err);
            let answer = said.out.strip_prefix("base64 ").unwrap_or(&said.out);
            answer.lines().for_each(|line| assert!(!line.contains(is_harmful), "{message}: {line}"));
        }
    }
    for verb in [&["status"][..], &["status", "--json"], &["stats"], &["stats", "--json"], &["modules"], &["metrics"]] {
        harmless(&format!("{verb:?}"), &run.ctl(verb));
    }
    let refused = run.try_ctl(&["swap", "echo", "text.wasm"]);
    harmless("swap", &refused.err);
    let (summary, log) = run.stop();
    harmless("log", &log);
    harmless("summary", &serde_json::to_string_pretty(&summary).expect("JSON"));
}

/// Files that somebody has sent: what is wrong in them is told with the place, and short.
#[test]
fn what_is_wrong_in_a_file_is_told_without_its_harm() {
    let bench = Bench::new();
    let raw = "\u{1b}[2J\u{9b}2J\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}\u{2028}";
    let long = "x".repeat(90_000);
    let quoted = format!("\\u001b[2J\\u009b\\u202e\\n2026-01-01T00:00:00Z ERROR forged {long}");
    for text in [
        format!("{raw} = 1 {long}"),
        format!("[run]\n\"{quoted}\" = 1"),
        format!("[[port]]\nname = \"{quoted}\"\ndevice = \"net_null0\""),
        format!("[[port]]\nname = \"a\"\ndevice = \"{quoted}\""),
        format!("[run]\nburst = \"{quoted}\""),
        format!("[run]\nburst = \"{long}{raw}"),
    ] {
        bench.write("bad.toml", &text);
        for arguments in [
            &["check", "bad.toml"][..],
            &["run", "bad.toml"],
            &["conformance", "good.wat", "--suite", "bad.toml"],
            &["verify", "good.wat", "--policy", "bad.toml"],
        ] {
            let said = bench.perigee(arguments);
            assert_ne!(said.code, Some(0), "{arguments:?}: {text}");
            assert!(!(said.out + &said.err).contains(is_harmful), "{arguments:?}: {}", said.err);
        }
    }
    // A bundle whose manifest is anybody's.
    fs::create_dir(bench.path("bundle")).expect("a directory");
    for manifest in [
        format!("{{\"{quoted}\": 1}}"),
        format!(
            "{{\"perigee_bundle\": 1, \"files\": {{\"module.wasm\": {{\"bytes\": 1, \"sha256\": \"{quoted}\"}}}}}}"
        ),
        format!("{raw}{long}"),
    ] {
        bench.write("bundle/manifest.json", &manifest);
        bench.write("bundle/module.wasm", "x");
        let said = bench.perigee(&["replay", "bundle"]);
        assert_eq!(said.code, Some(1), "{manifest}");
        harmless("manifest", &said.err);
    }
}
