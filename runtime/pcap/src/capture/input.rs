//! A capture that a port is to read, looked at from its beginning to its end before the run starts.

use super::header::has_fcs;
use super::libpcap::{Reader, link_name};
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Most bytes of a packet of DPDK's: its length has 16 bits.
pub(super) const LONGEST: u32 = 65_535;
/// Ethernet, as libpcap numbers it.
const ETHERNET: i32 = 1;

/// What is in a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Packets in it.
    pub packets: u64,
    /// Bytes of its longest packet.
    pub longest: u32,
    /// Packets of which the file has fewer bytes than they had.
    pub cut: u64,
    /// It says that a frame check sequence ends each packet.
    pub has_fcs: bool,
}

/// Why a capture is not read, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub what: String,
    /// What to do; empty where nobody knows.
    pub help: String,
}

impl Refusal {
    fn new(path: &Path, what: impl fmt::Display, help: impl Into<String>) -> Self {
        Self { what: format!("capture {:?} {what}", path.display().to_string()), help: help.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "; {}", self.help) }
    }
}

/// Says what is wrong with a capture's path, without opening it: a pipe would wait for somebody to write.
pub fn look_at_path(path: &Path) -> Result<(), Refusal> {
    const TWICE: &str = "a capture is read twice, first to count it, so it must be a plain file: `cat IT > FILE`";
    let refuse = |what: &str, help: &str| Err(Refusal::new(path, what, help));
    let kind = match std::fs::metadata(path) {
        Ok(facts) => facts.file_type(),
        Err(_) if path == Path::new("-") => return refuse("is standard input", TWICE),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return refuse(
                "does not exist",
                "DPDK takes such a path from the working directory, not from the configuration's",
            );
        }
        Err(error) => return refuse(&format!("cannot be read: {error}"), ""),
    };
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return refuse("is a directory", "name the file in it");
    }
    let what = if kind.is_fifo() {
        "is a pipe"
    } else if kind.is_socket() {
        "is a socket"
    } else {
        "is a device"
    };
    refuse(what, TWICE)
}

/// Reads a capture as net_pcap will read it.
pub fn look(path: &Path) -> Result<Contents, Refusal> {
    look_at_path(path)?;
    let file = File::open(path).map_err(|e| Refusal::new(path, format_args!("cannot be read: {e}"), ""))?;
    let mut reader = Reader::open(path).map_err(|what| {
        let help = "net_pcap reads pcap and pcapng files that are not compressed: `capinfos FILE` says what it is";
        Refusal::new(path, format_args!("cannot be read: {what}"), help)
    })?;
    let link_type = reader.link_type();
    if link_type != ETHERNET {
        return Err(not_ethernet(path, link_type));
    }
    // A file that has no header of ours has been refused by the reader.
    let has_fcs = has_fcs(&mut BufReader::new(file)).unwrap_or(false);
    let mut facts = Contents { has_fcs, ..Contents::default() };
    loop {
        match reader.next() {
            Ok(None) => return Ok(facts),
            Ok(Some(record)) if record.len > LONGEST => {
                let what = format!(
                    "has {} bytes in packet {}, and DPDK's packets at most {LONGEST}",
                    record.len,
                    facts.packets + 1
                );
                return Err(Refusal::new(path, what, format!("`editcap -s {LONGEST} {} OUT` cuts it", path.display())));
            }
            Ok(Some(record)) => {
                facts.packets += 1;
                facts.longest = facts.longest.max(record.len);
                facts.cut += u64::from(record.len < record.original);
            }
            Err(what) => return Err(unreadable(path, facts.packets, &what)),
        }
    }
}

fn not_ethernet(path: &Path, link_type: i32) -> Refusal {
    let what = format!("has packets of link type {}, not Ethernet", link_name(link_type));
    // What Scapy puts together is as old as that, not as the packet in it; without a destination it asks the network for one.
    let help = "modules get Ethernet frames: capture on an interface that has them, or put a header before each packet (raw IP, \
                in Scapy: `for p in rdpcap('IN'): q = Ether(dst='02:00:00:00:00:02')/p; q.time = p.time; wrpcap('OUT', q, \
                append=True, nano=True)`)";
    Refusal::new(path, what, help)
}

/// The reader stops behind so many packets, and the driver would go on as if nothing were. (editcap's format `pcap` has
/// microseconds, and cuts longer times to them without a word.)
fn unreadable(path: &Path, packets: u64, what: &str) -> Refusal {
    let name = path.display();
    let help = if what.contains("different from the type") {
        format!(
            "libpcap reads one link type in a file: `tshark -r {name} -Y 'frame.interface_id == 0' -w PART` takes those of \
             one interface, and `editcap -F nsecpcap -T ether PART OUT` makes a file of them"
        )
    } else if what.contains("snapshot length of the first") || what.contains("snaplen") && is_pcapng(path) {
        format!("`editcap -F nsecpcap {name} OUT` writes all of them so that libpcap reads them")
    } else if packets > 0 {
        format!("`editcap -r {name} OUT 1-{packets}` takes those before it")
    } else {
        "get the file anew".to_owned()
    };
    let told = format!("cannot be read beyond its first {packets} packets, at packet {}: {what}", packets + 1);
    Refusal::new(path, told, help)
}

fn is_pcapng(path: &Path) -> bool {
    let mut start = [0; 4];
    File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start)).is_ok()
        && start == [0x0a, 0x0d, 0x0d, 0x0a]
}
