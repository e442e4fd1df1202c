//! Checks of the files that a configuration names.

use super::super::Config;
use super::{Problems, entries};
use std::path::Path;

pub(super) fn modules(config: &Config, base: &Path, found: &mut Problems) {
    for (index, module) in config.modules.iter().enumerate().filter(|(_, module)| !module.file.is_empty()) {
        let file = base.join(&module.file);
        let reason = match std::fs::metadata(&file) {
            Ok(facts) if facts.is_file() => continue,
            Ok(_) => "is not a file".to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "does not exist".to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        };
        let what = format!("module {:?}: file {:?} {reason}", module.name, module.file);
        let help = format!("looked for {}", std::path::absolute(&file).unwrap_or(file).display());
        found.error(format!("module[{index}].file"), what, help);
    }
}

/// DPDK's message for a missing capture file speaks of a failed probe, so its input files are checked here.
pub(super) fn devices(config: &Config, found: &mut Problems) {
    for (index, port) in config.ports.iter().enumerate() {
        if !entries::device_name(&port.device).starts_with("net_pcap") {
            continue;
        }
        for file in port.device.split(',').filter_map(|argument| argument.trim().strip_prefix("rx_pcap=")) {
            if !Path::new(file).is_file() {
                let what = format!("port {:?}: capture file {file:?} does not exist", port.name);
                let help = "DPDK takes such a path from the working directory, not from the configuration's";
                found.error(format!("port[{index}].device"), what, help);
            }
        }
    }
}
