//! Captures of a port on an interface beside a second observer at the other end: what that has seen leave is in the file, or in a count
//! with a name, which the file has, too.

use crate::lab::frames::sample;
use crate::lab::summary::number;
use crate::lab::{Kind, Lab, Mode, Perigee, Wire, say};
use pcap_file::pcapng::blocks::interface_statistics::InterfaceStatisticsOption as Is;
use pcap_file::pcapng::{Block, PcapNgReader};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

const N: usize = 5_000;

/// The packets of a file, and what it says of its one point: seen, lost by the port, lost by the capture, delivered.
fn read(path: &Path) -> (Vec<Vec<u8>>, [u64; 4]) {
    let mut reader = PcapNgReader::new(File::open(path).expect("a file")).expect("a section");
    let (mut packets, mut counts) = (Vec::new(), [0; 4]);
    while let Some(block) = reader.next_block() {
        match block.expect("a block") {
            Block::EnhancedPacket(packet) => packets.push(packet.data.into_owned()),
            Block::InterfaceStatistics(block) => {
                for option in &block.options {
                    match option {
                        Is::IsbIfRecv(n) => counts[0] = *n,
                        Is::IsbIfDrop(n) => counts[1] = *n,
                        Is::IsbOsDrop(n) => counts[2] = *n,
                        Is::IsbUsrDeliv(n) => counts[3] = *n,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    (packets, counts)
}

/// Sends frames at a rate to a port whose ring has so many places.
fn observed(ring: &str, rate: u32) -> Option<u64> {
    let lab = Lab::alone(Mode::User)?;
    let host = lab.namespace();
    let wire = Wire::new(&host, Kind::AfPacket, 0, 1_500);
    let port = wire.port("a", "").replace("framecnt=512", ring);
    let config = format!(
        "{port}[[chain]]\nname = \"in\"\nsource = {{ port = \"a\" }}\n\
         [[capture]]\nat = [\"port:a:rx\"]\nfile = \"own/a.pcapng\"\n"
    );
    let mut perigee = Perigee::start(&host, "seen", &config);
    wire.connect_silently(&mut perigee);
    let observer = wire.peer().capture(&wire.peer_device(), "ether proto 0x88b5", N);
    wire.peer().replay(&wire.peer_device(), &sample(N, 200), rate);
    let sent = observer.frames(Duration::from_secs(20));
    std::thread::sleep(Duration::from_millis(200));
    let summary = perigee.stop("INT");
    let lost = ["kernel_drops", "rx_missed", "rx_nombuf"].map(|key| number(summary.port("a"), key)).into_iter().sum();
    let (packets, counts) = read(&lab.path("own/a.pcapng"));
    say(&format!(
        "{ring} at {rate}/s: {} sent, {} in the file, the port has lost {lost}; the file says {counts:?}",
        sent.len(),
        packets.len()
    ));
    let (theirs, ours): (BTreeSet<_>, BTreeSet<_>) = (sent.iter().collect(), packets.iter().collect());
    assert_eq!((sent.len(), theirs.len(), ours.len()), (N, N, packets.len()), "each once");
    assert!(ours.is_subset(&theirs), "the file has packets that were not sent");
    let missing = (theirs.len() - ours.len()) as u64;
    let [seen, by_port, by_capture, delivered] = counts;
    assert_eq!((seen, delivered), (by_capture + delivered, packets.len() as u64));
    assert_eq!((missing, by_port), (lost + by_capture, lost), "{}", summary.text());
    Some(missing)
}

#[test]
fn what_the_peer_has_sent_is_in_the_file() {
    assert!(observed("framecnt=512", 5_000).is_none_or(|missing| missing == 0));
}

#[test]
fn what_the_port_has_lost_is_told_in_the_file() {
    assert!(observed("framecnt=32", 500_000).is_none_or(|missing| missing > 0));
}
