//! Checks of files that ports play.

use super::super::{Config, Port};
use super::Problems;
use crate::file::{FileDevice, Pace};
use crate::sizes::MAX_L2;
use perigee_machine::Memory;
use perigee_pcap::capture::look_at_path;
use perigee_pcap::file::{Facts, Recording, Wanted};
use std::path::Path;
use std::sync::Arc;

const MIB: u64 = 1 << 20;

/// A device's text.
pub(super) fn file(index: usize, port: &Port, found: &mut Problems) {
    let who = format!("port {:?}", port.name);
    if let Err((what, help)) = FileDevice::parse(&port.device) {
        found.error(format!("port[{index}].device"), format!("{who}: {what}"), help);
    }
}

/// Files only give packets.
pub(super) fn sends(config: &Config, path: String, who: &str, port: &str, found: &mut Problems) {
    if config.ports.iter().any(|entry| entry.name == port && entry.is_file()) {
        let help = "what is sent needs a port of another kind: net_pcap with tx_pcap=FILE writes a file";
        found.error(path, format!("{who}: port {port:?} plays a file, and sends nothing"), help);
    }
}

/// Files that are not there.
pub(super) fn paths(config: &Config, base: &Path, found: &mut Problems) {
    for (index, port) in config.ports.iter().enumerate() {
        for file in port.file().iter().flat_map(|device| &device.files) {
            let path = base.join(file);
            if let Err(refusal) = look_at_path(&path) {
                let help =
                    if path.exists() { refusal.help } else { "paths start from the configuration's folder".to_owned() };
                found.error(format!("port[{index}].device"), format!("port {:?}: {}", port.name, refusal.what), help);
            }
        }
    }
}

/// Reads what a port will play.
pub(super) fn read(config: &Config, base: &Path, index: usize, found: &mut Problems) -> Option<Arc<Recording>> {
    let port = &config.ports[index];
    let device = port.file()?;
    let (path, who) = (format!("port[{index}].device"), format!("port {:?}", port.name));
    let files: Vec<String> = device.files.iter().map(|file| base.join(file).to_string_lossy().into_owned()).collect();
    let queues = config.rx_queues(index);
    if !has_memory(&path, &who, &device, &files, queues, found) {
        return None;
    }
    let longest = u32::from(port.mtu) + u32::try_from(MAX_L2).unwrap_or(0);
    let wanted = Wanted {
        makes_ethernet: device.makes_ethernet,
        snapped: device.snapped,
        longest,
        memory: device.is_preloaded.then_some(device.memory),
        gap: device.gap,
        queues,
    };
    let files: Vec<&str> = files.iter().map(|file| &**file).collect();
    match Recording::read(&files, &wanted) {
        Ok(recording) => {
            remarks(&path, &who, longest, recording.facts(), found);
            endless(&path, &who, &device, recording.facts(), found);
            Some(Arc::new(recording))
        }
        Err(refusal) => {
            found.error(path, format!("{who}: {}", refusal.what), refusal.help);
            None
        }
    }
}

/// Whether there is memory for what it may take, before any of it is taken.
fn has_memory(path: &str, who: &str, device: &FileDevice, files: &[String], queues: u16, found: &mut Problems) -> bool {
    let bytes: u64 = files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|facts| facts.len()).sum();
    let least = FileDevice::least_ahead(queues);
    if !device.is_preloaded && device.memory < least {
        let what = format!(
            "{who}: memory is {} KiB, and to read ahead for {queues} rx queues takes {} KiB at least",
            device.memory >> 10,
            least >> 10
        );
        found.error(path, what, format!("`memory={}K`, or fewer lcores", least >> 10));
        return false;
    }
    let Some(free) = Memory::now().free.filter(|free| bytes.min(device.memory) > free.bytes) else { return true };
    let (has, free) = (bytes.div_ceil(MIB), format!("{} {} MiB free", free.who, free.bytes / MIB));
    let (what, help) = if device.is_preloaded {
        (
            format!("{who}: its files have {has} MiB, and {free}"),
            "files are played from memory: `preload=no` reads them from the disk while they are played, or take fewer packets \
             of them (`editcap -r IN OUT 1-1000`)",
        )
    } else {
        (format!("{who}: it may read {} MiB ahead, and {free}", device.memory / MIB), "give it less `memory`")
    };
    found.error(path, what, help);
    false
}

/// What somebody may not expect of what is played.
fn remarks(path: &str, who: &str, longest: u32, facts: &Facts, found: &mut Problems) {
    let of = |n: u64| format!("{n} of {} packets", facts.packets + facts.too_long + facts.not_ethernet);
    for (file, at) in &facts.cut {
        let what = format!("{who}: file {file:?} ends within a record, which begins at byte {at}");
        found.warning(path, what, "it is played to the last whole one");
    }
    for file in &facts.with_fcs {
        let what = format!("{who}: file {file:?} says that a frame check sequence ends each packet");
        found.warning(
            path,
            what,
            "modules see it as the packet's last bytes: `editcap -F nsecpcap -L -C -4 IN OUT` takes it off",
        );
    }
    if facts.too_long > 0 {
        let (what, most) = (of(facts.too_long), facts.longest);
        let what =
            format!("{who}: {what} are longer than {longest} bytes (up to {most}), and are left out as too_long");
        found.warning(path, what, "raise the port's `mtu`");
    }
    if facts.not_ethernet > 0 {
        let what = format!("{who}: {} are left out, because nothing makes a frame of them", of(facts.not_ethernet));
        found.warning(path, what, "they are neither IPv4 nor IPv6, or have no type of Ethernet's");
    }
    if facts.snapped > 0 {
        let what = format!("{who}: {} were cut short when they were captured", of(facts.snapped));
        found.warning(path, what, "capture them whole (snap length 0)");
    }
    if facts.backwards > 0 {
        let what = format!("{who}: the times of {} are earlier than one before", of(facts.backwards));
        found.warning(
            path,
            what,
            "they come at once behind it, in the file's order; `reordercap IN OUT` sorts a file by time",
        );
    }
    if facts.timeless > 0 {
        let what = format!("{who}: {} have no time", of(facts.timeless));
        found.warning(
            path,
            what,
            "they come at once with the one before: `rate=` gives all packets times of their own",
        );
    }
}

/// Rounds of nothing, or without time, would never end.
fn endless(path: &str, who: &str, device: &FileDevice, facts: &Facts, found: &mut Problems) {
    if facts.packets == 0 && device.rounds.is_none() {
        found.error(path, format!("{who}: there is no packet to begin again with"), "leave loop= away");
    } else if facts.packets == 0 {
        found.warning(path, format!("{who}: there is no packet to be played"), "`capinfos FILE` tells what is in it");
    }
    if facts.period == 0 && device.rounds != Some(1) && matches!(device.pace, Pace::Times { .. }) && facts.packets > 0 {
        let help = "gap=1ms is the time between two rounds, and rate=1kpps a time for each packet";
        found.error(path, format!("{who}: all packets have the same time, so no time passes in a round"), help);
    }
}
