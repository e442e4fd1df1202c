//! A module whose fields are compiled, recorded and replayed: that the code is there shows in what it writes.

use crate::modules::Bench;

/// Its plan (`abi/src/fields.rs`: the version, a head, one stream of 60 bytes) has no items, so what is made of it writes verdicts alone; its own function in that place writes something else. It traps
/// in call number LAST.
const MODULE: &str = r#"(module (memory (export "memory") 400)
  (type $f (func (param i32 i32 i32 i32) (result i32)))
  (table (export "__indirect_function_table") 2 funcref)
  (elem (i32.const 1) $stub)
  (func $stub (type $f) (i32.store (i32.const 62000) (i32.const 7)) (i32.const 0))
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 64))
  (global (export "perigee_mailbox") i32 (i32.const 57344))
  (global (export "perigee_mailbox_len") i32 (i32.const 4096))
  (global (export "perigee_window") i32 (i32.const 65536))
  (global (export "perigee_window_len") i32 (i32.const 16777216))
  (data (i32.const 57344) "\02\00\00\00\00\00\00\00\03\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\6d\00\00\00\00\00\00\00\3c\00\00\00\00\00\00\00\3c\00\00\00\00\00\00\00\3c\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\3c\00\00\00\00\00\00\00")
  (func (export "fields") (result i32) (i32.const 80))
  (func (export "generate") (param $n i32)
    (drop (call_indirect (type $f) (i32.const 1728) (local.get $n) (i32.const 61440) (i32.const 1) (i32.const 1)))
    (i32.store (i32.const 62004) (i32.add (i32.const 1) (i32.load (i32.const 62004))))
    (if (i32.eq (i32.load (i32.const 62004)) (i32.const LAST)) (then unreachable))))"#;

const RUN: &str = r#"
[[port]]
name = "out"
device = "net_null0"

[[module]]
name = "gen"
file = "gen.wat"

[[chain]]
source = { module = "gen", pool = 2047 }
tx = ["out"]
"#;

#[test]
fn a_replay_compiles_what_the_run_has_compiled() {
    // Recorded from its start, and from a snapshot.
    for last in ["5", "3000"] {
        let bench = Bench::new();
        bench.write("gen.wat", &MODULE.replace("LAST", last));
        bench.write("run.toml", RUN);
        let run = ["run", "run.toml", "--record", "evidence", "--control", "off", "--log", "debug", "--quiet"];
        let said = bench.perigee(&run);
        assert!(said.err.contains("module \"gen\": its fields are compiled"), "{}", said.err);
        let mut bundles = std::fs::read_dir(bench.path("evidence")).unwrap();
        let bundle = bundles.next().unwrap().unwrap().path();
        let said = bench.perigee(&["replay", &bundle.display().to_string()]);
        assert!(said.out.starts_with("The same trap, bit by bit"), "{}{}", said.out, said.err);
    }
}
