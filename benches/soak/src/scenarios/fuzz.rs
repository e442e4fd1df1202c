//! Configurations, grants, signatures, policies and requests of control that are nearly right: none is taken for what it is
//! not, and none ends the host.

use crate::fuzz::{Random, config, control, grants, mutant, provenance};
use crate::{Report, Scenario, Task};
use anyhow::{Context, Result, anyhow};
use std::any::Any;
use std::path::Path;
use std::time::{Duration, Instant};

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "fuzz",
    about: "changed files of the fuzz targets' corpora, in this process: config, grants, signature, policy, control",
    unit: "seconds of each",
    quick: 20,
    full: 60,
    run,
};

/// A target: its name, which is its corpus' too, and what checks bytes.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("config", config::check),
    ("grants", grants::check),
    ("signature", provenance::signature),
    ("policy", provenance::policy),
    ("control", control::check),
];
/// Clocks are read once in so many files.
const AT_ONCE: u32 = 64;

fn run(task: &Task) -> Result<Report> {
    println!(
        "in plain loops without coverage, {} s each. Descriptors and verdicts against the model are property tests of \
         ./x soak (runtime/tests/model.rs), and packets are libFuzzer's there",
        task.size
    );
    let time = Duration::from_secs(task.size);
    // Two at a time: each has a processor.
    let mut counts = Vec::new();
    for pair in TARGETS.chunks(2) {
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                pair.iter().map(|&target| scope.spawn(move || changed(&task.root, target, time, task.seed))).collect();
            threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
        });
        for ((name, _), result) in pair.iter().zip(results) {
            let count = result.map_err(|panic| said(panic.as_ref())).and_then(|count| count);
            counts.push((*name, count.with_context(|| (*name).to_owned())?));
        }
    }
    let report = Report::new(counts.iter().map(|(_, count)| count).sum());
    Ok(counts.into_iter().fold(report, |report, (name, count)| report.figure(&format!("{name}_files"), count)))
}

fn said(panic: &(dyn Any + Send)) -> anyhow::Error {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    anyhow!("{}", text.unwrap_or("a panic without words"))
}

/// Checks the corpus, then files made of it until the time is over; how many.
fn changed(root: &Path, (name, check): Target, time: Duration, seed: u64) -> Result<u64> {
    let files = corpus(root, name)?;
    files.iter().for_each(|file| check(file));
    let (begin, mut random, mut count) = (Instant::now(), Random(seed), files.len() as u64);
    while begin.elapsed() < time {
        for _ in 0..AT_ONCE {
            let bytes = mutant(&files, &mut random);
            let result = std::panic::catch_unwind(|| check(&bytes));
            result.map_err(|panic| said(panic.as_ref())).with_context(|| format!("of \"{}\"", bytes.escape_ascii()))?;
        }
        count += u64::from(AT_ONCE);
    }
    Ok(count)
}

fn corpus(root: &Path, name: &str) -> Result<Vec<Vec<u8>>> {
    if name == "grants" {
        return Ok(grants::CORPUS.iter().map(|text| text.as_bytes().to_vec()).collect());
    }
    let folder = root.join("fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(&path).with_context(|| path.display().to_string())).collect()
}
