//! A directory with modules in it, good and bad, and the binary to run on them.

use std::fs;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A module that passes packets on: all that the ABI asks for, and nothing else.
pub(crate) const GOOD: &str = r#"
(module
  (memory (export "memory") 528)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 0x1000))
  (global (export "perigee_window") i32 (i32.const 0x100000))
  (global (export "perigee_window_len") i32 (i32.const 0x2000000))
  (func (export "process") (param $count i32)
    (local $at i32)
    (local.set $at (i32.const 0x1680))                       ;; the first descriptor of the batch
    (block $done
      (loop $each
        (br_if $done (i32.eqz (local.get $count)))
        (i32.store offset=8 (local.get $at) (i32.const 1))   ;; verdict Next
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $each)))))
"#;

/// Bad ones: the good one with one text replaced.
const BAD: &[(&str, &str, &str)] = &[
    ("wrong-abi.wat", "\"perigee_abi\") i32 (i32.const 3)", "\"perigee_abi\") i32 (i32.const 99)"),
    ("no-window.wat", "\"perigee_window\"", "\"perigee_wnidow\""),
    ("no-process.wat", "(func (export \"process\")", "(func (export \"proces\")"),
    ("no-memory.wat", "(export \"memory\")", "(export \"mem\")"),
    ("mutable-batch.wat", "\"perigee_batch\") i32", "\"perigee_batch\") (mut i32)"),
    (
        "typed-process.wat",
        "(func (export \"process\")",
        "(func (export \"process\") (param i64))\n  (func (export \"other\")",
    ),
    ("import.wat", "(module", "(module\n  (import \"env\" \"fd_write\" (func (param i32)))"),
    ("small-window.wat", "(i32.const 0x2000000)", "(i32.const 0x10000)"),
    // Its packets are as long as their rooms: the host offers no others.
    ("generator.wat", "(func (export \"process\")", "(func (export \"generate\")"),
    // Makes packets once, and says that it makes no more.
    (
        "finishes.wat",
        "(func (export \"process\") (param $count i32)\n    (local $at i32)",
        "(func (export \"generate\") (param $count i32)\n    (local $at i32)\n    (i32.store (i32.const 0x1070) (i32.const 1))",
    ),
    ("traps.wat", "(local $at i32)", "(local $at i32)\n    (unreachable)"),
    (
        "refuses.wat",
        "(func (export \"process\")",
        "(data (i32.const 0x700) \"no such rate\")
  (global (export \"perigee_mailbox\") i32 (i32.const 0x800))
  (global (export \"perigee_mailbox_len\") i32 (i32.const 0x100))
  (func (export \"init\") (param i32) (result i32)
    (memory.copy (i32.const 0x800) (i32.const 0x700) (i32.const 12))
    (i32.const -12))
  (func (export \"process\")",
    ),
];

/// A directory of a test's own.
pub(crate) struct Bench(TempDir);

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bench {
    /// A directory with all modules.
    pub(crate) fn new() -> Self {
        let bench = Self(tempfile::tempdir().expect("a temporary directory"));
        bench.write("good.wat", GOOD);
        bench.write("text.wasm", "This is no module.");
        for (name, from, to) in BAD {
            assert!(GOOD.contains(from), "{name}: {from:?} is in the good module");
            bench.write(name, &GOOD.replacen(from, to, 1));
        }
        bench
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("a file in the temporary directory");
    }

    /// A path in this directory.
    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// Reads a file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect("a file that the command wrote")
    }

    /// A command in this directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perigee"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null()).env_remove("PERIGEE_LOG");
        command
    }

    /// Runs the binary in this directory.
    pub(crate) fn perigee(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().expect("the binary starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}
