//! One clock: what runs beside packets and modules asks no other, so that a run can be simulated in a time of its own.

use super::Finding;
use crate::files::File;
use crate::source;

/// What tells a time. `thread_cpu_time` is none of them: it is no clock of packets, and deadlines need it.
const CLOCKS: [&str; 3] = ["Instant", "SystemTime", "_rdtsc"];
/// Where nobody asks them.
const WITHOUT: [&str; 9] = [
    "runtime/core/src/",
    "runtime/datapath/src/",
    "runtime/pace/src/",
    "runtime/measure/src/",
    "runtime/wasm/src/",
    "runtime/wire/src/",
    "runtime/replay/src/",
    "runtime/src/fault/",
    "runtime/src/sim/",
];
/// But for these: the clock itself, and what makes it late.
const ALLOWED: [&str; 4] = [
    "runtime/core/src/clock.rs",
    "runtime/wasm/src/ticker.rs",
    "runtime/wasm/src/uninterrupted.rs",
    // Looks at the machine's time on purpose: whether lcores go on. A simulation has none.
    "runtime/src/fault/watchdog.rs",
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let inside = |file: &&File| {
        WITHOUT.iter().any(|folder| file.path.starts_with(folder)) && !ALLOWED.contains(&file.path.as_str())
    };
    let mut findings = Vec::new();
    for file in files.iter().filter(inside).filter(|file| file.is(&[".rs"])) {
        for clock in CLOCKS {
            let lines = source::lines_with_word(&file.text, clock);
            let told = lines.iter().map(|line| format!("{}:{line}: {clock}: ask the run's Clock", file.path));
            findings.extend(told.map(Finding::Error));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&[File { path: path.into(), text: text.into() }]).len()
    }

    #[test]
    fn other_clocks_are_found_where_none_may_be() {
        assert_eq!(found("runtime/datapath/src/a.rs", "use std::time::Instant;\nlet now = Instant::now();"), 2);
        assert_eq!(found("runtime/wasm/src/host.rs", "let t = SystemTime::now(); // Instant"), 1);
        assert_eq!(found("runtime/core/src/tsc.rs", "unsafe { _rdtsc() }"), 1);
    }

    #[test]
    fn elsewhere_they_may_be() {
        assert_eq!(found("runtime/core/src/clock.rs", "unsafe { _rdtsc() }"), 0);
        assert_eq!(found("runtime/src/run.rs", "Instant::now()"), 0);
        assert_eq!(found("runtime/datapath/src/a.rs", "/// Instant\nlet instant = 1;"), 0);
    }
}
