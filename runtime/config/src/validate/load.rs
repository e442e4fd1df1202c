//! Checks of `[load]`.

use super::super::{Config, Directory};
use super::Problems;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

const MODULE_SIZE: RangeInclusive<u64> = 1 << 10..=256 << 20;
const TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);
/// The compiler needs some for itself; beyond 64 GiB it is a slip of a unit.
const MEMORY: RangeInclusive<u64> = 64 << 20..=64 << 30;
const CACHE_SIZE: RangeInclusive<u64> = 1 << 20..=1 << 40;

pub(super) fn load(config: &Config, found: &mut Problems) {
    let load = &config.load;
    if !MODULE_SIZE.contains(&load.module_size) {
        let what = format!("module_size is {} bytes", load.module_size);
        found.error("load.module_size", what, "it must be 1K to 256M");
    }
    if !TIME.contains(&load.time) {
        let what = format!("time is {}", humantime::format_duration(load.time));
        found.error("load.time", what, "it must be 1s to 10min");
    }
    if !MEMORY.contains(&load.memory) {
        found.error("load.memory", format!("memory is {} bytes", load.memory), "it must be 64M to 64G");
    }
    if !CACHE_SIZE.contains(&load.cache_size) {
        let what = format!("cache_size is {} bytes", load.cache_size);
        found.error("load.cache_size", what, "it must be 1M to 1T; cache = \"off\" keeps nothing");
    }
    for (key, directory) in [("cache", &load.cache), ("state", &load.state)] {
        if *directory == Directory::Path(String::new()) {
            found.error(format!("load.{key}"), format!("{key} is empty"), "give \"auto\", \"off\" or a directory");
        }
    }
    if load.policy.as_deref() == Some("") {
        found.error("load.policy", "policy is empty", "give the policy's file, or leave the key away");
    }
    if load.policy.is_some() && load.state == Directory::Off {
        let help = "signed modules of an older version are accepted after a restart";
        found.warning("load.state", "a policy without a memory of versions", help);
    }
}

pub(super) fn files(config: &Config, base: &Path, found: &mut Problems) {
    let Some(policy) = config.load.policy.as_ref().filter(|policy| !policy.is_empty()) else { return };
    let file = base.join(policy);
    if !file.is_file() {
        let help = format!("looked for {}", std::path::absolute(&file).unwrap_or(file).display());
        found.error("load.policy", format!("policy {policy:?} is no file"), help);
    }
}
