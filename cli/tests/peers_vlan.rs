//! Frames with VLAN tags go through every kind of port, and come out byte for byte as they went in.

use crate::lab::frames::{Frame, pcap_read, pcap_write, sample, tagged};
use crate::lab::{Kind, Lab, Mode, Perigee, Wire, cpus, forwarder, ipv4, ipv6, responder, say};
use std::time::Duration;

/// Frames of each kind of tagging.
const EACH: usize = 40;
/// Longest untagged frame: a tag makes it as long as a port of MTU 1500 must still take.
const LONGEST: usize = 1_514;
/// How long frames may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// Untagged frames, frames with one tag (with the lowest, a common and the highest VLAN and all bits that a tag has),
/// and frames with two.
fn frames() -> Vec<Frame> {
    let taggings: [&[u16]; 6] = [&[], &[0x0001], &[0x002a], &[0xffff], &[0x6000], &[0x0064, 0x20c8]];
    // Two tags on the longest frame would be more than a port must take.
    let longest = |tags: &[u16]| LONGEST - 4 * tags.len().saturating_sub(1);
    taggings.iter().flat_map(|tags| sample(EACH, longest(tags)).into_iter().map(|frame| tagged(&frame, tags))).collect()
}

/// Compares what arrived with what was sent: the same frames in the same order.
fn compare(what: &str, sent: &[Frame], arrived: &[Frame]) {
    say(&format!("{what}: {} of {} frames arrived", arrived.len(), sent.len()));
    for (number, (sent, arrived)) in sent.iter().zip(arrived).enumerate() {
        assert_eq!(hex(sent), hex(arrived), "{what}: frame {number} is as it was");
    }
    assert_eq!(sent.len(), arrived.len(), "{what}: every frame arrived");
}

/// The beginning of a frame, and its length: enough to see what is wrong with its tags, while the rest is compared by
/// its sum.
fn hex(frame: &[u8]) -> String {
    let start: String = frame.iter().take(24).map(|byte| format!("{byte:02x} ")).collect();
    let sum = frame.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
    format!("{start}... {} bytes, sum {sum:x}", frame.len())
}

/// Sends the frames from one wire's other end to the other's, and compares.
fn send_across(what: &str, from: &Wire<'_, '_>, to: &Wire<'_, '_>) {
    let sent = frames();
    let before = to.counts().rx;
    // The source address of the sample's frames: a tag does not move it.
    let capture = to.peer().capture(&to.peer_device(), "ether src 02:00:00:00:00:02", sent.len());
    from.peer().replay(&from.peer_device(), &sent, 2_000);
    compare(what, &sent, &capture.frames(ARRIVAL));
    assert_eq!(to.counts().rx - before, sent.len() as u64, "{what}: no frame arrived twice");
}

/// Both directions through `l2-forward` from a port of that kind to one of net_af_packet, with and without `vlan_strip`.
fn forward(kind: Kind, mode: Mode) {
    let Some(lab) = Lab::new(mode) else { return };
    if !lab.allows(kind) {
        return;
    }
    for keys in ["", "vlan_strip = true", "vlan_strip = true\noffload = false"] {
        let host = lab.namespace();
        let left = Wire::new(&host, kind, 0, 1_500);
        let right = Wire::new(&host, Kind::AfPacket, 1, 1_500);
        let ports = left.port("a", keys) + &right.port("b", keys);
        let config = forwarder(&ports, &lab.module("l2-forward", "{}", &["a", "b"]), "l2-forward", [cpus()[0]; 2]);
        let mut perigee = Perigee::start(&host, "forwarder", &config);
        left.connect_silently(&mut perigee);
        right.connect_silently(&mut perigee);
        let keys = keys.replace('\n', ", ");
        send_across(&format!("{kind:?} to AfPacket, {keys}"), &left, &right);
        send_across(&format!("AfPacket to {kind:?}, {keys}"), &right, &left);
        perigee.stop("INT");
    }
}

/// From peer to peer by way of ports that have no kernel at their other end: `enter` is what the first forwarder sends to,
/// `leave` what the second reads. Each is the other end of the other, or both are one.
fn through(mode: Mode, what: &str, processes: impl Fn(&Lab, [String; 2]) -> Vec<String>) {
    let Some(lab) = Lab::new(mode) else { return };
    for keys in ["", "vlan_strip = true"] {
        let host = lab.namespace();
        let [left, right] = [0, 1].map(|number| Wire::new(&host, Kind::AfPacket, number, 1_500));
        let configs = processes(&lab, [left.port("a", keys), right.port("b", keys)]);
        let mut running = Vec::new();
        for (number, config) in configs.iter().enumerate() {
            let config = config.replace("KEYS", keys) + &lab.module("l2-forward", "{}", &[]);
            let mut perigee = Perigee::start(&host, &format!("{what}{number}"), &config);
            // One after the other: a memif's client needs its server.
            perigee.wait_until_running();
            running.push(perigee);
        }
        left.connect_silently(&mut running[0]);
        right.connect_silently(&mut running[0]);
        send_across(&format!("{what} there, {keys}"), &left, &right);
        send_across(&format!("{what} back, {keys}"), &right, &left);
        for perigee in running {
            perigee.stop("INT");
        }
    }
}

/// One process, a ring for each direction.
fn rings(_: &Lab, [left, right]: [String; 2]) -> Vec<String> {
    let ports = left + &right + &plain_port("r0", "net_ring0") + &plain_port("r1", "net_ring1");
    let chains = [("a", "r0"), ("r0", "b"), ("b", "r1"), ("r1", "a")].map(|(from, to)| chain(from, to));
    vec![ports + &chains.concat()]
}

/// Two processes that share memory.
fn memifs(lab: &Lab, [left, right]: [String; 2]) -> Vec<String> {
    let socket = lab.path("memif.sock").display().to_string();
    let ends = [("server", left, "a"), ("client", right, "b")];
    let process = |(role, port, name): (&str, String, &str)| {
        let device = format!("net_memif0,role={role},id=1,socket={socket},socket-abstract=no");
        port + &plain_port("m", &device) + &chain(name, "m") + &chain("m", name)
    };
    ends.map(process).to_vec()
}

/// From a pcap file into a pcap file.
fn through_files(mode: Mode) {
    let Some(lab) = Lab::new(mode) else { return };
    let host = lab.namespace();
    let sent = frames();
    let (input, output) = (lab.path("in.pcap"), lab.path("out.pcap"));
    pcap_write(&input, &sent);
    for keys in ["", "vlan_strip = true"] {
        let device = format!("net_pcap0,rx_pcap={},tx_pcap={}", input.display(), output.display());
        let config = plain_port("file", &device) + &lab.module("l2-forward", "{}", &["file"]) + &chain("file", "file");
        let perigee = Perigee::start(&host, "files", &config.replace("KEYS", keys));
        let summary = perigee.finish(ARRIVAL);
        assert_eq!(summary.dropped(), 0, "nothing is dropped: {}", summary.text());
        compare(&format!("pcap, {keys}"), &sent, &pcap_read(&output));
    }
}

/// The `[[port]]` entry of a port that needs no wire; KEYS stands for further keys.
fn plain_port(name: &str, device: &str) -> String {
    format!("[[port]]\nname = \"{name}\"\ndevice = \"{device}\"\nKEYS\n")
}

/// A chain from one port through `l2-forward` to another.
fn chain(from: &str, to: &str) -> String {
    let lcore = cpus()[0];
    format!(
        "[[chain]]\nname = \"{from}-{to}\"\nlcores = [{lcore}]\nsource = {{ port = \"{from}\" }}\n\
         stages = [\"l2-forward\"]\ntx = [\"{to}\"]\n"
    )
}

/// Pings `responder` through VLAN interfaces of the kernel, which tag and untag by themselves.
fn ping_over_vlan_interface(kind: Kind, mode: Mode) {
    let Some(lab) = Lab::new(mode) else { return };
    if !lab.namespace().ip_works("link add link lo name try type vlan id 42") {
        say("not run: this kernel has no VLAN interfaces (CONFIG_VLAN_8021Q)");
        return;
    }
    let host = lab.namespace();
    let wire = Wire::new(&host, kind, 0, 1_500);
    let mut perigee = Perigee::start(&host, "responder", &responder(&lab, &wire.port("a", "vlan_strip = true")));
    wire.connect_silently(&mut perigee);
    let (peer, device) = (wire.peer(), wire.peer_device());
    peer.ip(&format!("link add link {device} name vlan42 type vlan id 42"));
    peer.address("vlan42", 2);
    for target in [ipv4(1), ipv6(1)] {
        peer.wait_for_answer(&target);
        let pings = peer.ping(&target, 100, "");
        say(&format!("{} of {} pings to {target} in VLAN 42 answered", pings.answered, pings.sent));
        assert_eq!(pings.answered, 100, "every ping in a VLAN is answered");
    }
    perigee.stop("INT");
}

/// Records a real ping of `responder`, puts a tag on each of its frames and sends them again: the answers must be those
/// of the first time, with the same tag. Needs no VLAN interface of the kernel. Not for a TAP, whose two ends have the same
/// address, by which requests and answers are told apart here.
fn recorded_ping_in_vlan(kind: Kind, mode: Mode) {
    let Some(lab) = Lab::new(mode) else { return };
    if !lab.allows(kind) {
        return;
    }
    let host = lab.namespace();
    let wire = Wire::new(&host, kind, 0, 1_500);
    let mut perigee = Perigee::start(&host, "responder", &responder(&lab, &wire.port("a", "vlan_strip = true")));
    let (peer, device) = (wire.peer(), wire.peer_device());
    wire.connect_silently(&mut perigee);
    let recording = peer.capture(&device, "", 1_000);
    wire.connect_v4(&mut perigee, 2);
    peer.wait_for_answer(&ipv4(1));
    assert_eq!(peer.ping(&ipv4(1), 20, "").answered, 20, "every ping is answered");
    let mac = peer.mac(&device);
    let (requests, answers): (Vec<_>, Vec<_>) =
        pcap_read(&recording.stop()).into_iter().partition(|frame| source(frame) == mac);

    for tci in [0x002a, 0xefff] {
        let tag = |frames: &[Frame]| frames.iter().map(|frame| tagged(frame, &[tci])).collect::<Vec<_>>();
        let expected = tag(&answers);
        let capture = peer.capture(&device, &format!("not ether src {mac}"), expected.len());
        peer.replay(&device, &tag(&requests), 1_000);
        compare(&format!("answers with tag {tci:#06x} over {kind:?}"), &expected, &capture.frames(ARRIVAL));
    }
    perigee.stop("INT");
}

/// The source address of a frame, as in "02:00:00:00:00:01".
fn source(frame: &[u8]) -> String {
    frame[6..12].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

#[test]
fn tags_survive_af_packet_as_root() {
    forward(Kind::AfPacket, Mode::Root);
}

#[test]
fn tags_survive_af_packet_as_user() {
    forward(Kind::AfPacket, Mode::User);
}

#[test]
fn tags_survive_af_xdp_as_root() {
    forward(Kind::AfXdp, Mode::Root);
}

#[test]
fn tags_survive_tap_as_root() {
    forward(Kind::Tap, Mode::Root);
}

#[test]
fn tags_survive_tap_as_user() {
    forward(Kind::Tap, Mode::User);
}

#[test]
fn tags_survive_pcap_as_root() {
    through_files(Mode::Root);
}

#[test]
fn tags_survive_pcap_as_user() {
    through_files(Mode::User);
}

#[test]
fn tags_survive_ring_as_user() {
    through(Mode::User, "ring", rings);
}

#[test]
fn tags_survive_memif_as_root() {
    through(Mode::Root, "memif", memifs);
}

#[test]
fn tags_survive_memif_as_user() {
    through(Mode::User, "memif", memifs);
}

#[test]
fn ping_over_vlan_interface_on_af_packet_as_user() {
    ping_over_vlan_interface(Kind::AfPacket, Mode::User);
}

#[test]
fn ping_over_vlan_interface_on_tap_as_root() {
    ping_over_vlan_interface(Kind::Tap, Mode::Root);
}

#[test]
fn recorded_ping_in_vlan_on_af_packet_as_user() {
    recorded_ping_in_vlan(Kind::AfPacket, Mode::User);
}

#[test]
fn recorded_ping_in_vlan_on_af_xdp_as_root() {
    recorded_ping_in_vlan(Kind::AfXdp, Mode::Root);
}
