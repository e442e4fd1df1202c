//! A set as configurations for `perigee run`, and its packets as captures.

use crate::pattern::{ANY_PORT, ANY_PROTOCOL, Nets, Range};
use crate::seen::{Addresses, Seen};
use crate::sets::Set;
use perigee_guest::wire::checksum;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// Packets of the capture.
const PACKETS: usize = 65_536;
/// Length of each.
const LEN: usize = 60;

/// Writes three runs: `none.toml` without rules, `stateless.toml` with those of the set, and `stateful.toml`, in which each packet is followed
/// by its answer.
pub fn write(folder: &Path, set: &Set) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let packets = set.packets(PACKETS, 2);
    let answered = packets[..PACKETS / 2].iter().flat_map(|seen| [*seen, answer(*seen)]).collect::<Vec<_>>();
    std::fs::write(folder.join("packets.pcap"), capture(&packets))?;
    std::fs::write(folder.join("answered.pcap"), capture(&answered))?;
    let rules = rules(set);
    let run = |capture: &str, keys: &str| run(&folder.join(capture), keys);
    std::fs::write(folder.join("none.toml"), run("packets.pcap", "policy = \"accept\"\n"))?;
    std::fs::write(folder.join("stateless.toml"), run("packets.pcap", &rules))?;
    let stateful = format!("stateful = true\nloose = true\nconnections = 262144\n{rules}");
    std::fs::write(folder.join("stateful.toml"), run("answered.pcap", &stateful))
}

/// A packet the other way.
fn answer(seen: Seen) -> Seen {
    let Addresses::V4(source, destination) = seen.addresses else { return seen };
    let (source_port, destination_port) = (seen.destination_port, seen.source_port);
    Seen { addresses: Addresses::V4(destination, source), source_port, destination_port, ..seen }
}

/// A capture that is played as fast as it goes, a wire, and the firewall behind it.
fn run(capture: &Path, keys: &str) -> String {
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/modules/firewall.wasm");
    format!(
        "[run]\nduration = \"4s\"\nidle = \"spin\"\n\n\
         [[port]]\nname = \"play\"\ndevice = \"file:{},speed=max,loop=forever\"\n\n\
         [[port]]\nname = \"wire\"\ndevice = \"net_ring0\"\n\n[[port]]\nname = \"sink\"\ndevice = \"net_null0\"\n\n\
         [[chain]]\nname = \"load\"\nsource = {{ port = \"play\" }}\ntx = [\"wire\"]\nwhen_full = \"wait\"\n\n\
         [[chain]]\nname = \"judge\"\nsource = {{ port = \"wire\" }}\nstages = [\"firewall\"]\ntx = [\"sink\"]\nstage_times = true\n\n\
         [[module]]\nname = \"firewall\"\nfile = \"{module}\"\n\
         grants = {{ hostcalls = [\"log\", \"counter\", \"time\"] }}\n\n[module.config]\n{keys}",
        capture.display()
    )
}

fn rules(set: &Set) -> String {
    let mut text = "rules = [\n".to_owned();
    let ports = |key: &str, range: Range<u32>| {
        if range == ANY_PORT { String::new() } else { format!("{key} = \"{}-{}\", ", range.from, range.to) }
    };
    for pattern in &set.patterns {
        let Nets::V4(source, destination) = pattern.nets else { continue };
        let tail = &pattern.tail;
        let protocol =
            if tail.protocol == ANY_PROTOCOL { String::new() } else { format!("proto = {}, ", tail.protocol) };
        let (sport, dport) = (ports("sport", tail.source_port), ports("dport", tail.destination_port));
        let _ = writeln!(
            text,
            "    {{ src = \"{source}\", dst = \"{destination}\", {protocol}{sport}{dport}action = \"accept\" }},"
        );
    }
    text + "]\n"
}

/// Classic pcap, Ethernet, a packet each microsecond.
fn capture(packets: &[Seen]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        bytes.extend(word.to_le_bytes());
    }
    for (number, seen) in packets.iter().enumerate() {
        let (seconds, micros) = (number as u32 / 1_000_000, number as u32 % 1_000_000);
        for word in [seconds, micros, LEN as u32, LEN as u32] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(frame(seen));
    }
    bytes
}

fn frame(seen: &Seen) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
    bytes[14] = 0x45;
    bytes[16..18].copy_from_slice(&(LEN as u16 - 14).to_be_bytes());
    (bytes[22], bytes[23]) = (64, seen.protocol);
    let Addresses::V4(source, destination) = seen.addresses else { return bytes };
    bytes[26..30].copy_from_slice(&source.octets());
    bytes[30..34].copy_from_slice(&destination.octets());
    if seen.source_port < 65_536 {
        bytes[34..36].copy_from_slice(&(seen.source_port as u16).to_be_bytes());
        bytes[36..38].copy_from_slice(&(seen.destination_port as u16).to_be_bytes());
        match seen.protocol {
            6 => (bytes[46], bytes[47]) = (0x50, seen.flags),
            _ => bytes[38..40].copy_from_slice(&(LEN as u16 - 34).to_be_bytes()),
        }
    }
    let _ = checksum::fill(&mut bytes);
    bytes
}
