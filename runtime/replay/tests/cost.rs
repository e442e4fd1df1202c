//! What a packet from memory costs beside one that a generator's pool gives: `cargo test --release -p perigee-replay --test cost --
//! --ignored --nocapture`.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(clippy::cast_precision_loss, reason = "cycles of a packet, for people")]

use perigee_config::HugePages;
use perigee_config::file::FileDevice;
use perigee_core::clock::{Clock, cycles};
use perigee_core::{HEADROOM, tsc};
use perigee_dpdk::burst::Burst;
use perigee_dpdk::eal::{Eal, EalOptions, Registered};
use perigee_dpdk::pool::Pool;
use perigee_dpdk::region::{Backing, Region};
use perigee_pcap::file::{Recording, Snapped, Wanted};
use perigee_replay::{Player, PlayerOptions, RxEnd, Tape};
use std::sync::Arc;

const BURST: usize = 64;
const PACKETS: usize = 200_000;

/// So many packets of that length, a nanosecond apart.
fn recording(packets: u32, len: u16) -> Arc<Recording> {
    let mut bytes = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0, 1].map(u32::to_le_bytes).concat();
    for time in 0..packets {
        bytes.extend([0, time, len.into(), len.into()].map(u32::to_le_bytes).concat());
        bytes.resize(bytes.len() + usize::from(len), 7);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let wanted = Wanted { makes_ethernet: false, snapped: Snapped::Refuse, longest: 1_522, memory: 1 << 30, gap: None };
    Arc::new(Recording::read(&[file.path().to_str().unwrap()], &wanted).unwrap())
}

fn end(recording: &Arc<Recording>, how: &str, pool: &Arc<Pool>) -> RxEnd {
    let tape = Tape::new(recording, &FileDevice::parse(&format!("file:a,{how},loop=forever")).unwrap(), 1);
    let (name, device, pool, clock) = (String::new(), String::new(), Arc::clone(pool), Clock::start(tsc::hz()));
    let options =
        PlayerOptions { name, device, number: 0, mtu: 1_500, tape, pool, strips_vlan: false, clock, trace: None };
    Player::new(options).rx_end(0)
}

/// Cycles of a packet that `give` appends to the burst; it is freed then.
fn cost(mut give: impl FnMut(&mut Burst) -> usize) -> f64 {
    let (mut burst, begin, mut packets) = (Burst::new(), cycles(), 0);
    while packets < PACKETS {
        packets += give(&mut burst);
        burst.free_all();
    }
    (cycles() - begin) as f64 / packets as f64
}

#[test]
#[ignore = "it measures, and says something in release builds only"]
fn a_packet_from_memory_costs_little_more_than_its_room() {
    let (pci, extra) = (Vec::new(), Vec::new());
    Eal::start(&EalOptions { huge_pages: false, memory_mb: 64, pci, has_iommu: true, extra }).unwrap();
    let _registered = Registered::register().unwrap();
    let mut region = Region::new(32 << 20, Backing { huge: HugePages::Off, for_cards: false, at_once: true }).unwrap();
    let pool = Arc::new(Pool::new("p", 2_047, 2_368, &mut region).unwrap());
    for (len, packets) in [(60, 1_000), (60, 1_000_000), (590, 100_000), (1_514, 50_000)] {
        let recording = recording(packets, len);
        for how in ["speed=max", "speed=1000"] {
            let mut end = end(&recording, how, &pool);
            let played = || cost(|burst| end.rx(burst, BURST));
            let played = std::iter::repeat_with(played).take(20).fold(f64::MAX, f64::min);
            let made = || {
                cost(|burst| {
                    let n = pool.take(burst, BURST);
                    burst.iter_mut().for_each(|packet| packet.renew(HEADROOM, len));
                    n
                })
            };
            let made = std::iter::repeat_with(made).take(20).fold(f64::MAX, f64::min);
            println!("{packets} packets of {len} bytes, {how}: {played:.1} cycles each, {made:.1} without the file");
            assert!(len > 60 || played - made < 15.0 || cfg!(debug_assertions));
        }
    }
}
