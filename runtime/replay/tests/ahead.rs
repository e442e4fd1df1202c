//! What a queue does whose packets have not been read yet: it goes on without them, and counts.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use perigee_config::HugePages;
use perigee_config::file::FileDevice;
use perigee_core::clock::Clock;
use perigee_core::tsc;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::eal::{Eal, EalOptions, Registered};
use perigee_dpdk::pool::Pool;
use perigee_dpdk::region::{Backing, Region};
use perigee_pcap::file::{Recording, Snapped, Wanted};
use perigee_replay::{Player, PlayerOptions, RxEnd, Tape};
use perigee_report::ReplayStats;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const PACKETS: u32 = 20_000;
const LEN: u16 = 200;

/// A port that plays packets a nanosecond apart, with the least memory that there can be.
fn player(how: &str, pool: &Arc<Pool>, clock: Clock) -> Player {
    let mut bytes = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0, 1].map(u32::to_le_bytes).concat();
    for time in 0..PACKETS {
        bytes.extend([0, time, LEN.into(), LEN.into()].map(u32::to_le_bytes).concat());
        bytes.resize(bytes.len() + usize::from(LEN), 7);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let device = FileDevice::parse(&format!("file:a,preload=no,memory=256K,{how}")).unwrap();
    let wanted = Wanted {
        makes_ethernet: false,
        snapped: Snapped::Refuse,
        longest: 1_522,
        memory: None,
        gap: device.gap,
        queues: 1,
    };
    let recording = Arc::new(Recording::read(&[file.path().to_str().unwrap()], &wanted).unwrap());
    // The file has no name any more from here on: what is played is what was opened.
    Player::new(PlayerOptions {
        name: "in".to_owned(),
        device: String::new(),
        number: 0,
        mtu: 1_500,
        tape: Tape::new(&recording, &device, 1),
        pool: Arc::clone(pool),
        strips_vlan: false,
        clock,
        trace: None,
    })
}

/// Takes all that comes until nothing does.
fn take(end: &mut RxEnd) -> u64 {
    let (mut burst, mut all) = (Burst::new(), 0);
    loop {
        let n = end.rx(&mut burst, 64);
        if n == 0 {
            return all;
        }
        all += n as u64;
        burst.free_all();
    }
}

fn stats(player: &Player) -> ReplayStats {
    player.stats().replay.unwrap()
}

#[test]
fn what_has_not_been_read_is_not_waited_for_and_counted() {
    const SLOW: Duration = Duration::from_millis(5);
    let (pci, extra) = (Vec::new(), Vec::new());
    Eal::start(&EalOptions { huge_pages: false, memory_mb: 64, pci, has_iommu: true, extra }).unwrap();
    let _registered = Registered::register().unwrap();
    let mut region = Region::new(32 << 20, Backing { huge: HugePages::Off, for_cards: false, at_once: true }).unwrap();
    let pool = Arc::new(Pool::new("p", 2_047, 2_368, &mut region).unwrap());
    for how in ["speed=max,loop=3", "speed=1,loop=3"] {
        let player = player(how, &pool, Clock::start(tsc::hz()));
        let mut end = player.rx_end(0);
        let mut readers = player.readers();
        assert_eq!((readers.len(), player.readers().len()), (1, 0), "each is given once");
        // Two chunks are there before anything starts. Nobody reads on.
        let first = take(&mut end);
        std::thread::sleep(SLOW);
        assert_eq!(take(&mut end), 0, "{how}");
        assert!(first > 500 && first < u64::from(PACKETS), "{how}: {first}");
        assert!(end.is_near(0) && !end.is_over(), "an lcore that waits for the disk does not sleep");
        assert_eq!((stats(&player).starved, stats(&player).packets), (0, first), "{how}: nothing has come yet");
        let reader = readers.remove(0);
        let reading = std::thread::spawn(move || reader.work());
        let mut all = first;
        while !end.is_over() {
            all += take(&mut end);
            std::thread::yield_now();
        }
        reading.join().unwrap();
        let told = stats(&player);
        assert_eq!((all, told.packets, told.rounds, told.changed), (3 * u64::from(PACKETS), all, 3, 0), "{how}");
        assert!(told.starved >= 1 && Duration::from_nanos(told.starved_ns) >= SLOW / 2, "{how}: {told:?}");
        // All of it was due long since, where it has times.
        assert!(how.contains("max") || told.starved > 100 && told.starved <= told.late, "{how}: {told:?}");
    }
    // A run that ends before its files do leaves no thread behind.
    let player = player("loop=forever", &pool, Clock::start(tsc::hz()));
    let _end = player.rx_end(0);
    let reader = player.readers().remove(0);
    let (stop, reading) = (reader.stop(), std::thread::spawn(move || reader.work()));
    assert!(!reading.is_finished());
    stop.store(true, Ordering::Relaxed);
    reading.join().unwrap();
}
