//! The kernel's time of each packet reaches modules, where DPDK's driver hands it on.

use crate::lab::frames::{Frame, sample};
use crate::lab::{Kind, Lab, Mode, Namespace, Perigee, Wire, say};
use crate::modules::GOOD;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

/// Writes what the host says of each packet over its bytes: `rx_flags` at 14, `time` at 18.
fn module() -> String {
    const VERDICT: &str = "(i32.store offset=8";
    let writes = "(i32.store offset=14 (i32.load (local.get $at)) (i32.load offset=24 (local.get $at)))
        (i64.store offset=18 (i32.load (local.get $at)) (i64.load offset=48 (local.get $at)))
        (i32.store offset=8";
    assert!(GOOD.contains(VERDICT));
    GOOD.replacen(VERDICT, writes, 1)
}

/// `time` is valid, in `rx_flags` (docs/abi.md).
const TIME: u32 = 1 << 6;
/// How many frames are looked at.
const FRAMES: usize = 50;
/// How long they may take to arrive.
const LIMIT: Duration = Duration::from_secs(10);

/// Nanoseconds of the clock that the kernel's times are of.
fn now() -> u64 {
    u64::try_from(UNIX_EPOCH.elapsed().expect("a clock after 1970").as_nanos()).expect("a clock before 2554")
}

/// Whether `perigee ports` says that the driver of such a port gives times.
fn is_promised(host: &Namespace<'_>, device: &str) -> bool {
    let binary = host.lab().reachable(Path::new(env!("CARGO_BIN_EXE_perigee")));
    let mut ports = host.command(&binary.to_string_lossy());
    ports.args(["ports", "--port", device]);
    let said = host.start_command(ports).wait(Duration::from_secs(30));
    let is_said = |answer: &str| said.out.contains(&format!("on rx: {answer}, "));
    assert!(is_said("yes") != is_said("no"), "{}{}", said.out, said.err);
    is_said("yes")
}

/// DPDK 24.11 and later have it, 22.11 has not; what is between says so itself.
fn is_known(version: &str) -> Option<bool> {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let release = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if release >= (24, 11) { Some(true) } else { (release <= (22, 11)).then_some(false) }
}

/// Whether times are promised, and what the module has written of each packet that it forwarded: its flags, and its time.
fn written(lab: &Lab, keys: &str) -> (bool, Vec<(u32, u64)>) {
    let host = lab.namespace();
    let [left, right] = [0, 1].map(|number| Wire::new(&host, Kind::AfPacket, number, 1_500));
    let promised = is_promised(&host, &format!("net_af_packet0,iface={}", left.host_device()));
    let module = lab.write("times.wat", module().as_bytes());
    let config = format!(
        "{}{}[[module]]\nname = \"times\"\nfile = \"{}\"\ngrants = {{ tx = [\"b\"] }}\n\
         [[chain]]\nsource = {{ port = \"a\" }}\nstages = [\"times\"]\ntx = [\"b\"]\n",
        left.port("a", keys),
        right.port("b", ""),
        module.display()
    );
    let mut perigee = Perigee::start(&host, "times", &config);
    left.connect_silently(&mut perigee);
    right.connect_silently(&mut perigee);
    let capture = right.peer().capture(&right.peer_device(), "ether src 02:00:00:00:00:02", FRAMES);
    left.peer().replay(&left.peer_device(), &sample(FRAMES, 200), 1_000);
    let frames = capture.frames(LIMIT);
    perigee.stop("INT");
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let told = |frame: &Frame| (u32::try_from(number(&frame[14..18])).expect("four bytes"), number(&frame[18..26]));
    (promised, frames.iter().map(told).collect())
}

#[test]
fn times_come_where_the_driver_gives_them() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let version = Command::new("pkg-config").args(["--modversion", "libdpdk"]).output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let before = now();
    let (promised, packets) = written(&lab, "");
    say(&format!("DPDK {version}: {} packets, times promised: {promised}", packets.len()));
    assert!(is_known(&version).is_none_or(|known| known == promised), "DPDK {version}: {promised}");
    assert_eq!(packets.len(), FRAMES);
    let mut last = before;
    for (flags, time) in packets {
        assert_eq!(flags & TIME != 0, promised, "flags {flags:#x}");
        if promised {
            assert!((last..now()).contains(&time), "{time} is before {last}, or to come");
            last = time;
        }
    }
}

#[test]
fn no_times_come_without_offloads() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let (_, packets) = written(&lab, "offload = false");
    assert_eq!(packets.len(), FRAMES);
    assert!(packets.iter().all(|(flags, _)| flags & TIME == 0), "{packets:?}");
}
