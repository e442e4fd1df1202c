//! iperf3 between two namespaces whose only way to each other is `l2-forward`, with every packet accounted for by the
//! counters of the kernel on both sides.

use crate::lab::peers::Load;
use crate::lab::summary::{Summary, number};
use crate::lab::{Counts, Kind, Lab, Mode, Perigee, Wire, cpus, forwarder, ipv4, say};
use std::thread::sleep;
use std::time::Duration;

/// A rate in Mbit/s at which nothing may be lost: some 1,800 datagrams a second.
const MODERATE: u32 = 20;

/// Runs iperf3 with TCP, with UDP at a moderate rate and with UDP as fast as it goes.
fn iperf(kind: Kind, mode: Mode) {
    let Some(lab) = Lab::alone(mode) else { return };
    if !lab.allows(kind) {
        return;
    }
    for load in [Load::Tcp(1), Load::Udp(MODERATE), Load::Udp(0)] {
        iperf_once(&lab, kind, load);
    }
}

/// One run of perigee and iperf3, from a peer on the left to a peer on the right.
fn iperf_once(lab: &Lab, kind: Kind, load: Load) {
    let host = lab.namespace();
    let left = Wire::new(&host, kind, 0, 1_500);
    let right = Wire::new(&host, Kind::AfPacket, 1, 1_500);
    let ports = left.port("a", "") + &right.port("b", "");
    let config = forwarder(&ports, &lab.module("l2-forward", "{}", &["a", "b"]), "l2-forward", [cpus()[0]; 2]);
    let mut perigee = Perigee::start(&host, "forwarder", &config);
    left.connect_v4(&mut perigee, 2);
    right.connect_v4(&mut perigee, 3);
    left.peer().wait_for_answer(&ipv4(3));

    let result = left.peer().iperf(right.peer(), &ipv4(3), load);
    say(&format!("{load:?}: {:.0} Mbit/s, {} datagrams sent, {} lost", result.mbps, result.sent, result.lost));
    let by_the_socket = right.peer().socket_drops();
    for wire in [&left, &right] {
        wire.disconnect();
    }
    // What is still on its way gets a moment to arrive.
    sleep(Duration::from_millis(100));
    let kernel = [&left, &right].map(|wire| (wire.counts(), wire.lost_between()));
    let summary = perigee.stop("TERM");

    assert!(result.mbps > 1.0, "something comes through: {result:?}");
    check_against_the_kernel(&summary, kernel);
    let by_perigee = summary.dropped() + not_fetched(&summary, "a");
    let by_the_kernel = kernel[0].0.tx_dropped + kernel[1].1 + by_the_socket;
    say(&format!("{load:?}: dropped by perigee {by_perigee}, by the peers' kernel {by_the_kernel}"));
    assert!(result.lost <= by_perigee + by_the_kernel, "each loss is counted somewhere: {}", summary.text());
    if let Load::Udp(MODERATE) = load {
        assert_eq!((result.lost, by_perigee), (0, 0), "nothing is lost at a moderate rate: {}", summary.text());
    }
}

/// Compares the ports' counts with those of the kernel at their other ends: what the kernel sent was received, or is a
/// drop that the port reports; what was sent has arrived, or was lost on the wire, which the kernel counts.
fn check_against_the_kernel(summary: &Summary, kernel: [(Counts, u64); 2]) {
    for ((port, chain), (kernel, lost)) in [("a", "there"), ("b", "back")].into_iter().zip(kernel) {
        let received: u64 = summary.chain(chain).into_iter().map(|lcore| number(lcore, "received")).sum();
        let port_counts = summary.port(port);
        assert_eq!(received, number(port_counts, "rx_packets"), "chain {chain} got all of port {port}: {port_counts}");
        let seen = received + not_fetched(summary, port);
        assert_eq!(seen, kernel.tx, "port {port} knows of all that the kernel sent: {port_counts}, {kernel:?}");
        let sent = number(port_counts, "tx_packets");
        assert!(
            (kernel.rx..=kernel.rx + lost).contains(&sent),
            "all that port {port} sent came to the kernel, but for {lost}: {port_counts}, {kernel:?}"
        );
    }
}

/// Packets that a port lost before perigee could fetch them, in the kernel or in the port itself.
fn not_fetched(summary: &Summary, port: &str) -> u64 {
    ["kernel_drops", "rx_missed"].map(|key| number(summary.port(port), key)).into_iter().sum()
}

/// Many connections, whose packets the kernel spreads over two queues: each queue has an lcore that carries both
/// directions.
fn iperf_over_two_queues(kind: Kind, mode: Mode) {
    let cpus = cpus();
    let [first, second, ..] = cpus[..] else {
        say("not run: this needs two CPUs");
        return;
    };
    let Some(lab) = Lab::alone(mode) else { return };
    let host = lab.namespace();
    let left = Wire::new(&host, kind, 0, 1_500).with_queues(2);
    let right = Wire::new(&host, Kind::AfPacket, 1, 1_500).with_queues(2);
    let ports = left.port("a", "") + &right.port("b", "");
    // `queue` is that of the first lcore; the second gets the next one.
    let config = forwarder(&ports, &lab.module("l2-forward", "{}", &["a", "b"]), "l2-forward", [first, first])
        .replace(&format!("lcores = [{first}]"), &format!("lcores = [{first}, {second}]"));
    let mut perigee = Perigee::start(&host, "queues", &config);
    left.connect_v4(&mut perigee, 2);
    right.connect_v4(&mut perigee, 3);
    left.peer().wait_for_answer(&ipv4(3));
    // The kernel draws a queue for each connection: that one queue gets all of 24 happens once in 2^23 runs.
    let result = left.peer().iperf(right.peer(), &ipv4(3), Load::Tcp(24));
    let summary = perigee.stop("INT");
    let shares: Vec<u64> = summary.chain("there").into_iter().map(|lcore| number(lcore, "received")).collect();
    say(&format!("{:.0} Mbit/s, packets by lcore {shares:?}", result.mbps));
    assert!(result.mbps > 1.0, "something comes through: {result:?}");
    assert_eq!(shares.len(), 2, "two lcores run the chain: {}", summary.text());
    assert!(shares.iter().all(|share| *share > 100), "both queues carry flows: {shares:?}");
}

#[test]
fn iperf_over_af_packet_as_root() {
    iperf(Kind::AfPacket, Mode::Root);
}

#[test]
fn iperf_over_af_packet_as_user() {
    iperf(Kind::AfPacket, Mode::User);
}

#[test]
fn iperf_over_tap_as_user() {
    iperf(Kind::Tap, Mode::User);
}

#[test]
fn iperf_over_two_queues_of_af_packet_as_user() {
    iperf_over_two_queues(Kind::AfPacket, Mode::User);
}

#[test]
fn iperf_over_two_queues_of_tap_as_root() {
    iperf_over_two_queues(Kind::Tap, Mode::Root);
}

#[test]
fn iperf_over_af_xdp_as_root() {
    iperf(Kind::AfXdp, Mode::Root);
}
