//! Checks of the files that a configuration names.

use super::super::{Config, secret};
use super::Problems;
use perigee_pcap::capture::{PcapDevice, look_at_path, why_not_written};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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

pub(super) fn secrets(config: &Config, base: &Path, found: &mut Problems) {
    for (index, module) in config.modules.iter().enumerate() {
        // One that somebody has handed over is not looked for.
        let wanted = module.secrets.iter().filter(|(_, entry)| entry.secret.is_none() && !entry.file.is_empty());
        for (name, entry) in wanted {
            let Err(unfit) = secret::look(&base.join(&entry.file)) else { continue };
            let what = format!("module {:?}: secret {name:?}: file {:?} {}", module.name, entry.file, unfit.what);
            found.error(format!("module[{index}].secrets"), what, unfit.help);
        }
    }
}

/// A file as the system knows it: two names may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Identity {
    Node(u64, u64),
    /// Not there yet.
    Path(PathBuf),
}

impl Identity {
    /// `None` for pipes and devices, which many may use.
    fn of(path: &Path) -> Option<Self> {
        if let Ok(facts) = std::fs::metadata(path) {
            return facts.is_file().then(|| Self::Node(facts.dev(), facts.ino()));
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(Self::Path(parent.canonicalize().ok()?.join(path.file_name()?)))
    }
}

/// DPDK's message for a file that cannot be had speaks of a failed probe, so files of ports are looked at here.
pub(super) fn devices(config: &Config, found: &mut Problems) {
    let ports = config.ports.iter().enumerate();
    let devices: Vec<_> = ports.filter_map(|(i, port)| Some((i, port, PcapDevice::of(&port.device)?))).collect();
    let mut read = Vec::new();
    for (index, port, device) in &devices {
        for file in device.rx_files.iter().map(Path::new) {
            if let Err(refusal) = look_at_path(file) {
                let what = format!("port {:?}: {}", port.name, refusal.what);
                found.error(format!("port[{index}].device"), what, refusal.help);
            }
            read.extend(Identity::of(file).map(|identity| (identity, &port.name)));
        }
    }
    let mut written: Vec<(Identity, &String)> = Vec::new();
    for (index, port, device) in &devices {
        for file in device.tx_files.iter().map(Path::new) {
            let (path, who) = (format!("port[{index}].device"), format!("port {:?}: {file:?}", port.name));
            if let Some(why) = why_not_written(file) {
                found.error(&path, format!("{who} {why}"), "name a file in a directory that this user may write to");
            }
            let Some(identity) = Identity::of(file) else { continue };
            if let Some((_, other)) = read.iter().find(|(other, _)| *other == identity) {
                let what = format!("{who} is what port {other:?} reads");
                found.error(&path, what, "it would be emptied before it is read: write to another file");
            }
            if let Some((_, other)) = written.iter().find(|(other, _)| *other == identity) {
                let what = format!("{who} is written by port {other:?} already");
                found.error(path, what, "two would write over each other: give each tx queue a file of its own");
            }
            written.push((identity, &port.name));
        }
    }
}
