//! What commands are given beside files: a descriptor on which they tell that a run works, and texts for modules.

use crate::modules::Bench;
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs a script of a shell's beside the modules, in which $P is the binary; returns what it printed.
fn shell(bench: &Bench, script: &str) -> String {
    let mut bash = Command::new("bash");
    bash.args(["-c", script]).env("P", env!("CARGO_BIN_EXE_perigee"));
    bash.current_dir(bench.command(&[]).get_current_dir().expect("the bench's folder"));
    let output = bash.output().expect("bash starts");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn whoever_waits_for_the_start_is_told() {
    let bench = Bench::new();
    let run = "mkfifo ready; $P gen generator.wat --port net_null0 --duration 60 --quiet --ready-fd 3 3> ready &";
    // The descriptor is closed behind the line, while the run goes on: `cat` ends.
    let begin = Instant::now();
    assert_eq!(
        shell(&bench, &format!("{run} cat ready; kill -INT $!; wait $!; echo ended with $?")),
        "ready\nended with 0\n"
    );
    assert!(begin.elapsed() < Duration::from_secs(50), "`cat` has waited for the end of the run");
    let failed =
        run.replace("generator.wat", "wrong-abi.wat").replace("mkfifo ready; ", "").replace("ready &", "ready 2>&- &");
    assert_eq!(shell(&bench, &format!("{failed} read -r < ready || echo nothing")), "nothing\n");
    for (more, why) in [
        ("--ready-fd 1", "0, 1 and 2 are standard input, output and error"),
        // Whoever starts the tests may have left one open.
        ("--ready-fd 9 9>&-", "no open file descriptor has this number; a shell opens one: 9> FILE"),
        ("--ready-fd 9 9< generator.wat", "it is open for reading only"),
    ] {
        let said = shell(&bench, &format!("$P gen generator.wat --port net_null0 {more}"));
        assert!(said.starts_with("error: --ready-fd") && said.contains(why) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_text_reaches_the_module_as_it_is() {
    let bench = Bench::new();
    // It refuses each configuration, with the configuration as its reason.
    let refuses = bench.read("refuses.wat");
    let says = refuses.replacen("(memory.copy (i32.const 0x800) (i32.const 0x700) (i32.const 12))", "", 1);
    let says = says.replacen("(i32.const -12)", "(i32.sub (i32.const 0) (local.get 0))", 1);
    assert_ne!(refuses, says);
    bench.write("says.wat", &says);
    bench.write("says-gen.wat", &says.replace("\"process\"", "\"generate\""));
    bench.write("rules.txt", "permit = all, \"but\" 10/8");
    for given in ["permit = all, \"but\" 10/8", "@rules.txt"] {
        for command in [
            &["gen", "says-gen.wat", "--port", "net_null0"][..],
            &["forward", "says.wat", "--port", "net_null0", "--port", "net_null1"],
            &["conformance", "says.wat"],
        ] {
            let said = bench.perigee(&[command, &["--config-text", given]].concat());
            let told = said.out.clone() + &said.err;
            assert!(said.code != Some(0) && told.contains("permit = all, \"but\" 10/8"), "{command:?}: {told}");
        }
    }
    let both = ["gen", "says-gen.wat", "--port", "net_null0", "--config", "a=1", "--config-text", "b"];
    let said = bench.perigee(&both);
    assert!(said.code == Some(1) && said.err.contains("cannot be used with"), "{}", said.err);
}
