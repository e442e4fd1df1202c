//! Modules that must not replace one: each is refused at its step, and the old one goes on.

use super::LOAD;
use crate::Task;
use anyhow::{Context, Result, bail, ensure};
use perigee_abi::verdict as v;
use perigee_lab::sequence::{function, words};
use perigee_lab::{Bench, check, each, module, verdict};
use perigee_runtime::config::Config;
use perigee_runtime::load::Upload;
use perigee_runtime::{Error, Options, Run, SwapOptions};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is wrong with a module, and at which step of the swap with which words it is refused.
struct Case {
    text: String,
    step: &'static str,
    words: &'static str,
}

/// The unfit modules, in turn.
pub(super) struct Unfit {
    cases: Vec<Case>,
    /// How many were refused.
    pub(super) refused: u64,
    /// By step and words.
    pub(super) steps: BTreeMap<String, u64>,
}

impl Unfit {
    pub(super) fn new() -> Self {
        let case = |text, step, words| Case { text, step, words };
        let pass = each("process", &verdict(v::NEXT));
        let init = r#"(func (export "init") (param i32) (result i32) unreachable)"#;
        let refuse = r#"(func (export "restore") (param i32) (result i32)
            (i32.store (i32.const 131072) (i32.const 0x646c6f)) (i32.const -3))"#;
        let abi = function(1).replace("\"perigee_abi\") i32 (i32.const 3)", "\"perigee_abi\") i32 (i32.const 1)");
        let cases = vec![
            case(abi, "load", "ABI version 1"),
            case(module(&format!("{pass} {} {init}", words(1))), "canary", "trap in \"init\""),
            case(module(&format!("{pass} {refuse}")), "switch", "restore refused: old"),
            case(bomb(), "load", "within"),
            case("no module at all".to_owned(), "load", "not a WebAssembly module"),
            case(module(&format!("{} {}", each("process", "unreachable"), words(1))), "canary", "trap in \"process\""),
            case(module(&format!("{pass} {}", words(2))), "switch", "restore refused"),
            case(module(&format!("{pass} {} (func (export \"tick\") (loop (br 0)))", words(1))), "canary", "deadline"),
        ];
        Self { cases, refused: 0, steps: BTreeMap::new() }
    }

    /// Tries the next one in place of the function.
    pub(super) fn next(&mut self, run: &Run) -> Result<()> {
        let case = &self.cases[usize::try_from(self.refused)? % self.cases.len()];
        let upload = Upload::from(case.text.as_bytes());
        let step = refused(run, "fn", upload, case.step, case.words)?;
        *self.steps.entry(format!("{step}: {}", case.words)).or_default() += 1;
        self.refused += 1;
        Ok(())
    }
}

/// Functions that each take long to compile, and together longer than allowed.
fn bomb() -> String {
    let adds = "(local.set 0 (i32.add (local.get 0) (i32.const 1)))".repeat(140_000);
    module(&format!("{} {}", each("process", ""), format!("(func (param i32) {adds})").repeat(15)))
}

fn refused(run: &Run, name: &str, upload: Upload, at: &str, words: &str) -> Result<&'static str> {
    let mut options = SwapOptions::default();
    options.grace = Duration::ZERO;
    match run.swap(name, upload, &options) {
        Err(Error::Swap { step, what, .. }) => {
            ensure!(step == at && what.contains(words), "refused at {step}, not {at}, or without {words:?}: {what}");
            Ok(step)
        }
        other => bail!("{words:?} was expected: {other:?}"),
    }
}

/// Accepts what nobody has signed, and of what is signed only what this key has.
const POLICY: &str = r#"unsigned = "lowest"
[[key]]
name = "k"
key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
unversioned = "accept"
"#;

const CONFIG: &str = r#"
[[port]]
name = "p"
device = "net_null0"
[[module]]
name = "m"
file = "m.wat"
[[chain]]
source = { port = "p" }
stages = ["m"]
tx = ["p"]
"#;

/// So many modules with a signature of other bytes, under a policy and full load.
pub(super) fn signatures(task: &Task, options: &Options, count: u64) -> Result<u64> {
    let signature = task.root.join("fuzz/corpus/signature/good.minisig");
    let signature = std::fs::read_to_string(&signature).with_context(|| signature.display().to_string())?;
    let bench = Bench::new();
    bench.module("m.wat", &function(0)).module("policy.toml", POLICY);
    let config = Config::parse(&format!("{LOAD}policy = \"policy.toml\"\nstate = \"off\"\n{CONFIG}"), "signed.toml")?;
    let base = bench.path("m.wat");
    let run = Run::start_with(&config, base.parent().context("a file without a folder")?, options)?;
    for number in 0..count {
        let upload =
            Upload { bytes: function(u32::try_from(number)?).into_bytes(), signature: Some(signature.clone()) };
        refused(&run, "m", upload, "load", "signature")?;
    }
    // The same bytes are taken where they do not claim to be signed.
    let mut fresh = SwapOptions::default();
    fresh.fresh = true;
    run.swap("m", function(1).as_bytes(), &fresh)?;
    ensure!(run.swaps().refused == count, "{:#?}", run.swaps());
    check(&run.stop());
    Ok(count)
}
