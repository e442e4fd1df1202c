//! Wires in real time: a laptop has a link with a known rate, delay and loss.

use perigee_lab::sequence::{Seen, checker, generator};
use perigee_lab::{Bench, check};
use std::time::Duration;

const LINK: &str = r#"
[[port]]
name = "a"
device = "wire:lab,end=a,rate=100M,delay=2ms,loss=1%,duplicate=0.5%,reorder=0.5%,reorder-by=1ms"
[[port]]
name = "b"
device = "wire:lab,end=b"
[[module]]
name = "gen"
file = "gen.wat"
[[module]]
name = "check"
file = "check.wat"
[[chain]]
name = "generate"
source = { module = "gen" }
tx = ["a"]
when_full = "wait"
[[chain]]
name = "check"
source = { port = "b" }
stages = ["check"]
"#;

#[test]
fn a_wire_lives_in_real_time_and_accounts_for_every_packet() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator(0)).module("check.wat", &checker(0));
    let run = bench.start(LINK).unwrap();
    std::thread::sleep(Duration::from_millis(400));
    let seen = Seen::read(&run.message("check", b"").unwrap()[0]);
    let summary = run.stop();
    check(&summary);
    assert_eq!(summary.losses, Vec::<String>::new());
    let [a, b] = &summary.snapshot.ports[..] else { panic!("two ports") };
    let wire = a.wire.as_ref().expect("it is a wire");
    // 148,810 frames of 60 bytes a second, and a millisecond's worth of them in the port's ring.
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = a.tx_packets as f64 / (summary.snapshot.elapsed_ns as f64 / 1e9);
    assert!(rate < 148_810.0 * 1.05 + 2_600.0, "{rate} a second");
    assert_eq!(a.tx_packets + wire.duplicated, b.rx_packets + wire.lost + b.discarded + b.rx_missed, "{a:#?} {b:#?}");
    // How many packets there are depends on the machine: within five standard deviations of what is said, and what is lost neither comes
    // twice nor late.
    #[allow(clippy::cast_precision_loss, reason = "counts")]
    let is_about = |n: u64, part: f64| {
        let expected = a.tx_packets as f64 * part;
        (n as f64 - expected).abs() < 5.0 * expected.sqrt() + 1.0
    };
    assert!(is_about(wire.lost, 0.01), "{wire:?}");
    assert!(is_about(wire.duplicated, 0.99 * 0.005) && is_about(wire.reordered, 0.99 * 0.005), "{wire:?}");
    assert!(seen.late > 0 && seen.missing > 0, "{seen:?}");
    let back = b.wire.as_ref().expect("it is the other end");
    assert_eq!((b.tx_packets, back.lost), (0, 0));
}
