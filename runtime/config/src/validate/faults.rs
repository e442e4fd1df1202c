//! Checks of what a module's failure leads to, and of the watchdog.

use super::super::{Config, OnFault};
use super::Problems;
use std::time::Duration;

pub(super) fn modules(config: &Config, found: &mut Problems) {
    for (index, module) in config.modules.iter().enumerate() {
        let (path, who) = (format!("module[{index}]"), format!("module {:?}", module.name));
        if module.on_fault == Some(OnFault::Open)
            && let Some(chain) = config.fed_by(&module.name).next()
        {
            let what = format!("{who}: on_fault is \"open\", but it is the source of chain {:?}", chain.name);
            let help = "no packets could pass by it; stop, restart or closed";
            found.error(format!("{path}.on_fault"), what, help);
        }
        let restart = &module.restart;
        let key = |key: &str| format!("{path}.restart.{key}");
        if restart.first.is_zero() {
            found.error(
                key("first"),
                format!("{who}: restart.first is 0"),
                "a new instance takes a while; 1ms is usual",
            );
        }
        if restart.longest < restart.first {
            let what = format!("{who}: restart.longest is shorter than restart.first");
            found.error(key("longest"), what, "the time between restarts grows from first to longest");
        }
        if restart.failures == 0 {
            let help = "no instance would ever be restarted; on_fault = \"closed\" says that";
            found.error(key("failures"), format!("{who}: restart.failures is 0"), help);
        }
        if restart.within.is_zero() {
            found.error(
                key("within"),
                format!("{who}: restart.within is 0"),
                "no two failures fall into it; 10m is usual",
            );
        }
    }
}

pub(super) fn watchdog(config: &Config, found: &mut Problems) {
    let (run, watchdog) = (&config.run, config.watchdog());
    let longest = config.modules.iter().max_by_key(|module| module.grants.longest_call());
    if let Some(module) = longest.filter(|module| watchdog <= module.grants.longest_call().saturating_mul(2)) {
        let what = format!(
            "run: watchdog is {watchdog:?}, module {:?} has a deadline of {:?}",
            module.name,
            module.grants.longest_call()
        );
        let help = "the watchdog would speak of calls that are allowed: more than twice the longest deadline";
        found.error("run.watchdog", what, help);
    } else if watchdog < Duration::from_millis(10) {
        let help = "an lcore tells each millisecond that it is alive; 1s is usual";
        found.error("run.watchdog", format!("run: watchdog is {watchdog:?}"), help);
    }
    if run.watchdog_abort.is_some_and(|abort| abort <= watchdog) {
        let what = format!("run: watchdog_abort is no longer than watchdog ({watchdog:?})");
        found.error("run.watchdog_abort", what, "an lcore that is late is told of first; ten times as long is usual");
    }
}
