//! The kernel pings `responder`, over every kind of port that has the kernel at its other end.

use crate::lab::summary::number;
use crate::lab::{Kind, Lab, Mode, Perigee, Wire, ipv4, ipv6, responder, say};

/// Echo requests of each test and address family.
const COUNT: u64 = 300;

/// Pings `responder` with payloads of `size` bytes over a wire of that kind and MTU: every request must be answered.
fn ping(kind: Kind, mode: Mode, mtu: u16, size: usize) {
    let Some(lab) = Lab::new(mode) else { return };
    if !lab.allows(kind) {
        return;
    }
    let host = lab.namespace();
    let wire = Wire::new(&host, kind, 0, mtu);
    let mut perigee = Perigee::start(&host, "responder", &responder(&lab, &wire.port("a", "")));
    wire.connect(&mut perigee, 2);

    let peer = wire.peer();
    let further = format!("-b {size} -M");
    for target in [ipv4(1), ipv6(1)] {
        peer.wait_for_answer(&target);
        let pings = peer.ping(&target, COUNT, &further);
        say(&format!("{} of {} pings to {target} answered", pings.answered, pings.sent));
        assert_eq!((pings.sent, pings.answered), (COUNT, COUNT), "every ping is answered");
    }
    let summary = perigee.stop("INT");
    assert!(summary.total("sent") > 2 * COUNT, "the answers were sent: {}", summary.text());
}

/// Frames that are longer than a port's MTU allows are errors that the port counts, and the next ones are answered again.
fn oversized(kind: Kind, mode: Mode) {
    let Some(lab) = Lab::new(mode) else { return };
    let host = lab.namespace();
    let wire = Wire::new(&host, kind, 0, 1_500);
    let mut perigee = Perigee::start(&host, "responder", &responder(&lab, &wire.port("a", "")));
    wire.connect_v4(&mut perigee, 2);
    let (peer, device) = (wire.peer(), wire.peer_device());
    peer.ip(&format!("link set {device} mtu 9000"));
    peer.wait_for_answer(&ipv4(1));
    assert_eq!(peer.ping(&ipv4(1), 10, "-b 4000 -M").answered, 0, "what is too long is not answered");
    assert_eq!(peer.ping(&ipv4(1), 10, "").answered, 10, "what comes after it is");
    let summary = perigee.stop("INT");
    let errors = number(summary.port("a"), "rx_errors") + summary.dropped();
    say(&format!("of 10 frames that were too long {errors} were counted"));
    assert_eq!(errors, 10, "each frame that was too long is counted: {}", summary.text());
}

#[test]
fn oversized_frames_over_tap_as_user() {
    oversized(Kind::Tap, Mode::User);
}

#[test]
fn ping_over_af_packet_as_root() {
    ping(Kind::AfPacket, Mode::Root, 1_500, 56);
}

#[test]
fn ping_over_af_packet_as_user() {
    ping(Kind::AfPacket, Mode::User, 1_500, 56);
}

#[test]
fn ping_over_af_xdp_as_root() {
    ping(Kind::AfXdp, Mode::Root, 1_500, 56);
}

#[test]
fn ping_over_tap_as_root() {
    ping(Kind::Tap, Mode::Root, 1_500, 56);
}

#[test]
fn ping_over_tap_as_user() {
    ping(Kind::Tap, Mode::User, 1_500, 56);
}

#[test]
fn ping_with_jumbo_frames_over_af_packet_as_root() {
    ping(Kind::AfPacket, Mode::Root, 9_000, 8_000);
}

#[test]
fn ping_with_jumbo_frames_over_af_packet_as_user() {
    ping(Kind::AfPacket, Mode::User, 9_000, 8_000);
}
