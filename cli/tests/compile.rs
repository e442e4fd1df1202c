//! The compile server: modules made to exhaust a compiler are stopped within their limits, while packets flow; and the cache
//! gives back only what we put in.

use perigee_runtime::config::{Config, Directory, Load, Module};
use perigee_runtime::load::{Compiler, Loader, Upload};
use perigee_runtime::{Options, Run};
use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The least that is a module for Perigee, with other code in it.
fn module(items: &str) -> String {
    format!(
        r#"(module (memory (export "memory") 1100)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 64))
  (global (export "perigee_window") i32 (i32.const 65536))
  (global (export "perigee_window_len") i32 (i32.const 69206016))
  (func (export "process") (param i32))
  (func (export "generate") (param i32) (local $d i32)
    (local.set $d (i32.const 1728))
    (block (loop
      (br_if 1 (i32.eqz (local.get 0)))
      (i32.store16 offset=4 (local.get $d) (i32.const 60))
      (i32.store offset=8 (local.get $d) (i32.const 1))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br 0))))
  {items})"#
    )
}

fn server() -> Options {
    let mut options = Options::default();
    let program = env!("CARGO_BIN_EXE_perigee").into();
    options.compiler = Compiler::Process { program, arguments: vec!["compile-server".into()] };
    options
}

fn upload(text: String) -> Upload {
    Upload::from(text.into_bytes())
}

/// Modules that cost more than they should, with what they are called and the words that must stop them; without words it is
/// enough that they end in time.
fn bombs() -> Vec<(&'static str, String, &'static str)> {
    let many = |n: usize, item: &str| item.repeat(n);
    let adds = |n: usize| many(n, "(local.set 0 (i32.add (local.get 0) (i32.const 1)))");
    let targets = many(2_000, "0 ");
    let params = many(1_000, "i64 ");
    // Each value is used twice by the next one: the graph is small, what it stands for is not.
    let doubling = (0..60_000).fold(String::new(), |mut text, i| {
        let _ =
            write!(text, "(local.set {} (i64.mul (local.get {}) (local.get {})))", (i + 1) % 90, i % 90, (i * 7) % 90);
        text
    });
    let pressure: String = (0..9_000).map(|i| format!("(local.set {i} (i64.load offset={i} (i32.const 0)))")).collect();
    let used: String = (0..9_000).map(|i| format!("(i64.store offset={i} (i32.const 8) (local.get {i}))")).collect();
    let calls = many(20_000, "(call $f)");
    vec![
        ("a function that is too long", module(&format!("(func (param i32) {})", adds(200_000))), "function of"),
        ("as long as functions may be", module(&format!("(func (param i32) {})", adds(140_000))), ""),
        ("fifteen of them", module(&many(15, &format!("(func (param i32) {})", adds(140_000)))), ""),
        ("many locals", module(&format!("(func (local {}))", many(50_000, "i64 "))), "locals"),
        (
            "locals that all live at once",
            module(&format!("(func (local {}) {pressure}{used})", many(9_000, "i64 "))),
            "",
        ),
        (
            "blocks in blocks, as text",
            module(&format!("(func {}{})", many(100_000, "(block "), many(100_000, ")"))),
            "",
        ),
        ("blocks in blocks", module(&format!("(func {} {})", many(300_000, "block "), many(300_000, "end "))), ""),
        ("loops in loops", module(&format!("(func {} {})", many(50_000, "loop "), many(50_000, "end "))), ""),
        ("jump tables", module(&format!("(func {})", many(400, &format!("(br_table {targets} (i32.const 0))")))), ""),
        ("types", module(&many(20_000, "(type (func (param i32 i64)))")), "types"),
        ("wide types", module(&many(9_000, &format!("(type (func (param {params})))"))), ""),
        ("functions", module(&many(60_000, "(func)")), "functions"),
        ("calls", module(&format!("(func $f) {}", many(40, &format!("(func {calls})")))), ""),
        ("products of products", module(&format!("(func (local {}) {doubling})", many(90, "i64 "))), ""),
        ("data", module(&format!("(data (i32.const 0) \"{}\")", many(20 << 20, "x"))), ""),
        ("data segments", module(&many(60_000, "(data \"\")")), "data segments"),
        ("tables", module(&many(20, "(table 1 funcref)")), "tables"),
        ("a table that is too large", module("(table 4000000000 funcref)"), ""),
        ("exports", module(&(0..6_000).map(|i| format!("(export \"{i}\" (func 0))")).collect::<String>()), "exports"),
        ("imports", format!("(module {})", many(2_000, "(import \"a\" \"b\" (func))")), "imports"),
        ("globals", module(&many(20_000, "(global i32 (i32.const 0))")), "globals"),
    ]
}

/// A generator that sends to nowhere: packets that must go on while somebody else's module is compiled.
fn traffic(folder: &Path) -> Config {
    std::fs::write(folder.join("gen.wat"), module("")).unwrap();
    let text = "[load]\ntime = \"1s\"\nmemory = \"192M\"\nmodule_size = \"128M\"\ncache = \"off\"\n\
        [[port]]\nname = \"out\"\ndevice = \"net_null0\"\n[[module]]\nname = \"gen\"\nfile = \"gen.wat\"\n\
        [[chain]]\nsource = { module = \"gen\" }\ntx = [\"out\"]\n";
    Config::parse(text, "test.toml").unwrap()
}

#[test]
fn compile_bombs_are_stopped_and_packets_flow() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start_with(&traffic(folder.path()), folder.path(), &server()).unwrap();
    let sent = || run.snapshot().chains.iter().map(|chain| chain.sent).sum::<u64>();
    let (mut worst, mut limited) = (Duration::ZERO, 0);
    let bombs = bombs();
    for (name, text, said) in &bombs {
        let before = sent();
        let start = Instant::now();
        let outcome = run.examine("gen", &upload(text.clone()));
        let took = start.elapsed();
        let flowed = sent() - before;
        let what = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        println!("{name}: {took:.1?}, {flowed} packets meanwhile: {}", if what.is_empty() { "loads" } else { &what });
        assert!(what.contains(said), "{name}: expected {said:?}, got {what:?}");
        // Three times a second of CPU time, and what the server needs to read and to end it.
        assert!(took < Duration::from_secs(6), "{name} took {took:?}");
        // Counters are published once a tick.
        assert!(flowed > 0 || took < Duration::from_millis(20), "{name}: no packet was sent in {took:?}");
        limited += usize::from(what.contains("within") || what.contains("at most"));
        worst = worst.max(took);
    }
    // The server is there and does its work.
    assert_eq!(run.examine("gen", &upload(module(""))).unwrap().callbacks, ["generate", "process"]);
    let summary = run.stop();
    assert!(summary.accounting.balanced && summary.pools.iter().all(|pool| pool.full));
    println!("{} bombs, {limited} stopped by a limit, the longest after {worst:.1?}", bombs.len());
    assert!(limited >= 10);
}

fn load(cache: &Path) -> Load {
    Load { cache: Directory::Path(cache.to_str().unwrap().to_owned()), ..Load::default() }
}

fn start(cache: &Path, options: &Options) -> Result<Loader, perigee_runtime::Error> {
    options.loader(&load(cache), Path::new("/"))
}

/// Whether the code came out of the cache.
fn cached(cache: &Path, options: &Options, text: &str) -> bool {
    let loader = start(cache, options).unwrap();
    loader.inspect(&Module::new("m", ""), &upload(text.to_owned())).unwrap().origin.cached
}

fn code_files(cache: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "native")).collect();
    files.sort();
    files
}

#[test]
fn what_was_compiled_is_kept_and_nothing_else_is_taken() {
    for options in [Options::default(), server()] {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let text = module("");
        let cached = |text: &str| cached(&cache, &options, text);
        assert!(!cached(&text));
        assert!(cached(&text));
        assert!(!cached(&module("(func)")), "another module");
        let facts = |path: &Path| std::fs::metadata(path).unwrap();
        assert_eq!(facts(&cache).mode() & 0o777, 0o700);
        assert_eq!(facts(&cache.join("key")).mode() & 0o777, 0o600);
        let files = code_files(&cache);
        assert_eq!(files.len(), 2);
        // Flipped bytes, all along the file, and cut off at several lengths.
        let good: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
        let mut poisoned = 0;
        let shortest = good[0].len().min(good[1].len());
        for at in [0, 8, 39, 40, 47, 48, 100, shortest / 2, shortest - 1] {
            for file in [0, 1] {
                let mut bytes = good[file].clone();
                bytes[at] ^= 1;
                std::fs::write(&files[file], &bytes).unwrap();
            }
            assert!(!cached(&text), "byte {at} was flipped");
            assert!(cached(&text), "it is kept again");
            poisoned += 1;
        }
        for len in [0, 7, 47, 48, shortest - 1] {
            files.iter().zip(&good).for_each(|(file, bytes)| std::fs::write(file, &bytes[..len]).unwrap());
            assert!(!cached(&text), "cut to {len} bytes");
            poisoned += 1;
        }
        // Another module's code under this one's name.
        assert!(!cached(&module("(func)")));
        assert!(cached(&text));
        std::fs::write(&files[0], &good[1]).unwrap();
        std::fs::write(&files[1], &good[0]).unwrap();
        assert!(!cached(&text), "exchanged files");
        // A link to a good file.
        let aside = folder.path().join("aside");
        files.iter().zip(&good).for_each(|(file, bytes)| {
            std::fs::write(&aside, bytes).unwrap();
            std::fs::remove_file(file).unwrap();
            std::os::unix::fs::symlink(&aside, file).unwrap();
        });
        assert!(!cached(&text), "a link");
        // A file that others can write.
        files.iter().zip(&good).for_each(|(file, bytes)| {
            let _ = std::fs::remove_file(file);
            std::fs::write(file, bytes).unwrap();
            std::fs::set_permissions(file, PermissionsExt::from_mode(0o666)).unwrap();
        });
        assert!(!cached(&text), "a file that others can write");
        // Another key: as after the cache was copied from another machine.
        std::fs::write(cache.join("key"), [7; 32]).unwrap();
        assert!(!cached(&text), "another key");
        println!("{} poisoned files, 0 taken", poisoned + 4);
    }
}

#[test]
fn a_cache_that_others_could_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    assert!(!cached(&cache, &Options::default(), &module("")));
    let refused = |said: &str| {
        for options in [Options::default(), server()] {
            let what = start(&cache, &options).unwrap_err().to_string();
            assert!(what.contains(said), "expected {said:?}, got {what:?}");
        }
    };
    for mode in [0o770, 0o707, 0o722] {
        std::fs::set_permissions(&cache, PermissionsExt::from_mode(mode)).unwrap();
        refused("others can write to it");
    }
    std::fs::set_permissions(&cache, PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::set_permissions(cache.join("key"), PermissionsExt::from_mode(0o644)).unwrap();
    refused("others can read the cache's key");
    std::fs::remove_file(cache.join("key")).unwrap();
    std::fs::write(cache.join("key"), [0; 31]).unwrap();
    std::fs::set_permissions(cache.join("key"), PermissionsExt::from_mode(0o600)).unwrap();
    refused("is not the cache's key");
    std::fs::remove_dir_all(&cache).unwrap();
    std::os::unix::fs::symlink(folder.path(), &cache).unwrap();
    refused("is a link");
}

#[test]
fn the_cache_has_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let loader = Options::default().loader(&Load { cache_size: 1 << 20, ..load(&cache) }, Path::new("/")).unwrap();
    let size = || code_files(&cache).iter().map(|file| std::fs::metadata(file).unwrap().len()).sum::<u64>();
    for n in 0..80 {
        let code = "(func (param i32) (result i32) (i32.mul (local.get 0) (i32.const 5)))".repeat(100 + n);
        loader.inspect(&Module::new("m", ""), &upload(module(&code))).unwrap();
        assert!(size() <= 1 << 20, "{} bytes", size());
    }
    assert!(code_files(&cache).len() < 80, "nothing was evicted");
}

#[test]
fn a_server_that_is_lost_is_an_error_and_no_hang() {
    let loader = server().loader(&Load { cache: Directory::Off, ..Load::default() }, Path::new("/")).unwrap();
    let entry = Module::new("m", "");
    assert!(loader.inspect(&entry, &upload(module(""))).is_ok());
    let server = loader.server().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-9", &server]).status().unwrap().success());
    for _ in 0..2 {
        let start = Instant::now();
        let what = loader.inspect(&entry, &upload(module(""))).unwrap_err().to_string();
        assert!(what.contains("the compile server is lost"), "{what}");
        assert!(start.elapsed() < Duration::from_secs(2));
    }
    for program in ["/bin/true", "/bin/cat", "/nonexistent"] {
        let mut options = Options::default();
        options.compiler = Compiler::Process { program: program.into(), arguments: Vec::new() };
        let what = options.loader(&Load::default(), Path::new("/")).unwrap_err().to_string();
        assert!(what.contains("compile server"), "{program}: {what}");
    }
}

#[test]
fn what_is_no_plain_file_or_too_large_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("large.wasm"), vec![0; 20 << 20]).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe.wasm")).status().unwrap().success());
    std::fs::create_dir(at("folder.wasm")).unwrap();
    std::fs::write(at("signed.wasm"), module("")).unwrap();
    std::fs::write(at("signed.wasm.minisig"), vec![b'a'; 10_000]).unwrap();
    let loader = Options::default().loader(&Load { cache: Directory::Off, ..Load::default() }, Path::new("/"));
    let loader = loader.unwrap();
    for (name, said) in [
        ("large.wasm", "more than 16777216 bytes"),
        ("pipe.wasm", "not a plain file"),
        ("folder.wasm", "not a plain file"),
        ("signed.wasm", "more than 8192 bytes"),
        ("none.wasm", "No such file"),
        ("/dev/zero", "not a plain file"),
    ] {
        let what = loader.read(&at(name)).unwrap_err().to_string();
        assert!(what.contains(said), "{name}: expected {said:?}, got {what:?}");
    }
    let what = loader.inspect(&Module::new("m", ""), &Upload::from(vec![0; 17 << 20])).unwrap_err().to_string();
    assert!(what.contains("raise [load] module_size"), "{what}");
}

#[test]
fn the_server_has_given_up_what_it_does_not_need() {
    let folder = tempfile::tempdir().unwrap();
    let loader = start(&folder.path().join("cache"), &server()).unwrap();
    let server = loader.server().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{server}/status")).unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(line("NoNewPrivs:"), "1");
    assert_eq!(line("Seccomp:"), "2");
    assert_eq!(line("Threads:"), "1");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(line(set), "0000000000000000", "{set}");
    }
    let open: Vec<String> = std::fs::read_dir(format!("/proc/{server}/fd"))
        .map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap();
    // Input, output, errors, and the socket once more.
    assert!(open.len() <= 4, "{open:?}");
    assert!(loader.inspect(&Module::new("m", ""), &upload(module(""))).is_ok());
    drop(loader);
    assert!(!Path::new(&format!("/proc/{server}")).exists(), "the server ends with its run");
}
