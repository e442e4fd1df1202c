//! Ports on the kernel's interfaces: what comes in is whole and as it was on the wire, or is counted; and what happens to an
//! interface while a run goes on is seen, told once, and survived.

use crate::lab::frames::{Frame, pcap_read, sample, tagged};
use crate::lab::summary::number;
use crate::lab::{Kind, Lab, Mode, Namespace, Perigee, Summary, Wire, say, wait_until};
use std::path::PathBuf;
use std::time::Duration;

/// Longest time until something is seen that happens to an interface.
const LIMIT: Duration = Duration::from_secs(10);

/// The configuration of a port whose packets go to a file for each of its queues, as they are.
fn recorder(lab: &Lab, port: &str, queues: usize) -> (String, Vec<PathBuf>) {
    // What the rooms hold, whatever the port's MTU: nothing is dropped on the way out.
    let mtu = if port.contains("mtu = 9000") { 9_150 } else { 2_026 };
    let files: Vec<_> = (0..queues).map(|queue| lab.path(&format!("out{queue}.pcap"))).collect();
    let mut config = port.to_owned() + &lab.module("l2-forward", "{}", &["out0", "out1"][..queues]);
    for (queue, file) in files.iter().enumerate() {
        config += &format!(
            "[[port]]\nname = \"out{queue}\"\ndevice = \"net_pcap{},tx_pcap={}\"\nmtu = {mtu}\n\
             [[chain]]\nname = \"in{queue}\"\nsource = {{ port = \"a\", queue = {queue} }}\nstages = [\"l2-forward\"]\n\
             tx = [\"out{queue}\"]\n",
            queue + 4,
            file.display()
        );
    }
    (config, files)
}

/// Frames whose lengths pass every bound that a driver may have: of a frame of a ring, of a room, of a page, of an MTU. All
/// lengths from 1,900 to 2,150 are among them.
fn lengths(longest: usize) -> Vec<Frame> {
    let around = (1_900..2_150).chain((60..longest).step_by(37)).chain(longest - 40..=longest);
    let wanted: Vec<usize> = around.filter(|len| *len <= longest).collect();
    let frames = sample(wanted.len(), longest);
    let resized = frames.into_iter().zip(wanted).map(|(mut frame, len)| {
        frame.resize(len, 0x5a);
        frame
    });
    resized.collect()
}

/// IPv4 datagrams in fragments, without and with a tag, and some that lack one.
fn fragments() -> Vec<Frame> {
    let one = |id: u8, offset: u16, more: bool, len: usize| {
        let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x08, 0];
        let total = u16::try_from(20 + len).expect("a fragment's length").to_be_bytes();
        let place = ((offset / 8) | (u16::from(more) << 13)).to_be_bytes();
        let mut header =
            vec![0x45, 0, total[0], total[1], 0, id, place[0], place[1], 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        let sum = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum::<u32>();
        let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).expect("a folded sum");
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        frame.extend(header);
        frame.extend(vec![id; len]);
        frame
    };
    let mut frames = Vec::new();
    for id in 0..40 {
        let parts = [one(id, 0, true, 1_480), one(id, 1_480, true, 1_480), one(id, 2_960, false, 200)];
        let parts = parts.into_iter().take(if id % 4 == 3 { 2 } else { 3 });
        frames.extend(parts.map(|part| if id % 4 == 2 { tagged(&part, &[5]) } else { part }));
    }
    frames
}

/// Sends frames to a port, and checks that each has come as it was, or is counted as too long or as no fault of the port's.
fn all_come_whole_or_are_counted(mode: Mode, kind: Kind, (wire_mtu, port_mtu): (u16, u16), frames: &[Frame]) {
    let Some(lab) = Lab::new(mode) else { return };
    if !lab.allows(kind) {
        return;
    }
    let host = lab.namespace();
    // The interface grows only when the run goes on: one that is larger from the start is refused.
    let wire = Wire::new(&host, kind, 0, port_mtu);
    let (config, files) = recorder(&lab, &wire.port("a", ""), 1);
    let mut perigee = Perigee::start(&host, "whole", &config);
    wire.connect_silently(&mut perigee);
    for (namespace, device) in [(&host, wire.host_device()), (wire.peer(), wire.peer_device())] {
        // AF_XDP and TAP have bounds that the kernel or the driver keep.
        if kind == Kind::AfPacket || kind == Kind::Tap {
            namespace.ip(&format!("link set dev {device} mtu {wire_mtu}"));
        }
    }
    wire.peer().replay(&wire.peer_device(), frames, 500);
    std::thread::sleep(Duration::from_millis(200));
    let summary = perigee.stop("INT");
    let port = summary.port("a");
    let counted: u64 =
        ["rx_too_long", "kernel_drops", "rx_missed", "rx_errors"].into_iter().map(|key| number(port, key)).sum();
    let arrived = pcap_read(&files[0]);
    let whole = arrived.iter().all(|frame| frames.contains(frame));
    say(&format!("{kind:?}: {} sent, {} whole, {counted} counted", frames.len(), arrived.len()));
    assert!(whole, "{kind:?}: a frame came in otherwise than it was sent: {}", summary.text());
    let lost = u64::try_from(frames.len() - arrived.len()).expect("few frames");
    assert_eq!(lost, counted + summary.dropped(), "{kind:?}: each is counted: {}", summary.text());
    assert!(!arrived.is_empty(), "{kind:?}: {}", summary.text());
}

#[test]
fn frames_beyond_the_port_are_counted_and_never_cut_as_user() {
    all_come_whole_or_are_counted(Mode::User, Kind::AfPacket, (9_000, 1_500), &lengths(9_014));
    all_come_whole_or_are_counted(Mode::User, Kind::AfPacket, (16_000, 9_000), &lengths(16_014));
    all_come_whole_or_are_counted(Mode::User, Kind::Tap, (9_000, 1_500), &lengths(9_014));
}

#[test]
fn frames_beyond_the_port_are_counted_and_never_cut_as_root() {
    all_come_whole_or_are_counted(Mode::Root, Kind::AfPacket, (9_000, 1_500), &lengths(9_014));
    all_come_whole_or_are_counted(Mode::Root, Kind::AfXdp, (1_500, 1_500), &lengths(1_514));
}

#[test]
fn fragments_come_as_they_are_on_the_wire() {
    all_come_whole_or_are_counted(Mode::User, Kind::AfPacket, (1_500, 1_500), &fragments());
    all_come_whole_or_are_counted(Mode::User, Kind::Tap, (1_500, 1_500), &fragments());
    all_come_whole_or_are_counted(Mode::Root, Kind::AfXdp, (1_500, 1_500), &fragments());
}

/// More of one flow than its queue takes: the rest is lost and counted, and does not come out of another queue.
#[test]
fn a_flow_stays_in_its_queue() {
    let Some(lab) = Lab::alone(Mode::User) else { return };
    let host = lab.namespace();
    let wire = Wire::new(&host, Kind::AfPacket, 0, 1_500);
    let port = wire.port("a", "").replace("framecnt=512,qpairs=1", "framecnt=32,qpairs=2");
    assert!(port.contains("qpairs=2"), "{port}");
    let (config, files) = recorder(&lab, &port, 2);
    let mut perigee = Perigee::start(&host, "queues", &config);
    wire.connect_silently(&mut perigee);
    let one = fragments().swap_remove(0);
    // About as fast as it goes.
    wire.peer().replay(&wire.peer_device(), &vec![one; 5_000], 500_000);
    std::thread::sleep(Duration::from_millis(200));
    let summary = perigee.stop("INT");
    let queues = files.iter().map(|file| pcap_read(file).len()).collect::<Vec<_>>();
    let dropped = number(summary.port("a"), "kernel_drops");
    say(&format!("by queue {queues:?}, dropped by the kernel {dropped}"));
    assert!(queues.contains(&0), "one flow came out of two queues: {queues:?}");
    assert_eq!(queues.iter().sum::<usize>() as u64 + dropped, 5_000, "{}", summary.text());
}

#[test]
fn an_interface_that_is_too_large_is_refused() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let host = lab.namespace();
    let wire = Wire::new(&host, Kind::AfPacket, 0, 9_000);
    let said = |mtu: u16| {
        let port =
            format!("[[port]]\nname = \"a\"\ndevice = \"net_af_packet0,iface={}\"\nmtu = {mtu}\n", wire.host_device());
        let file = lab.write("large.toml", recorder(&lab, &port, 1).0.as_bytes());
        let binary = lab.reachable(std::path::Path::new(env!("CARGO_BIN_EXE_perigee")));
        let mut check = host.command(&binary.to_string_lossy());
        check.arg("check").arg(file);
        host.start_command(check).wait(Duration::from_secs(30))
    };
    let refused = said(1_500);
    assert_eq!(refused.status.code(), Some(1));
    let text = format!("{}{}", refused.out, refused.err);
    for part in ["interface port0 has an MTU of 9000", "more than 1960 bytes", "mtu = 9000 for the port"] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert_eq!(said(9_000).status.code(), Some(0));
}

/// What is done to an interface, and what is said of it.
struct Deed<'a> {
    done: &'a [&'a str],
    told: &'a str,
    undone: &'a [&'a str],
    told_then: &'a str,
    /// Packets flow again afterwards.
    works: bool,
}

const NEW: &[&str] = &["link add port0 type veth peer name peer0", "link set port0 up", "link set peer0 up"];

/// Does something to the interface below a port under traffic in both directions.
fn survives(mode: Mode, kind: Kind, deed: &Deed<'_>) {
    let Some(lab) = Lab::new(mode) else { return };
    if !lab.allows(kind) {
        return;
    }
    // Both ends in one namespace, so that one command makes them anew.
    let host = lab.namespace();
    NEW.iter().for_each(|words| drop(host.ip(words)));
    let device = if kind == Kind::AfXdp { "net_af_xdp" } else { "net_af_packet" };
    let ports = format!("[[port]]\nname = \"a\"\ndevice = \"{device}0,iface=port0\"\n");
    let module = lab.module("reflector", "{}", &["a"]);
    let chain = "[[chain]]\nname = \"back\"\nsource = { port = \"a\" }\nstages = [\"reflector\"]\ntx = [\"a\"]\n";
    let mut perigee = Perigee::start(&host, "links", &format!("{ports}{module}{chain}"));
    perigee.wait_until_running();
    assert_eq!(answers(&host), 5, "{kind:?}: before {:?}", deed.done);

    deed.done.iter().for_each(|words| drop(host.ip(words)));
    wait_until(&format!("{kind:?}: {:?} was told", deed.told), LIMIT, || perigee.output().contains(deed.told));
    deed.undone.iter().for_each(|words| drop(host.ip(words)));
    wait_until(&format!("{kind:?}: {:?} was told", deed.told_then), LIMIT, || {
        perigee.output().contains(deed.told_then)
    });
    if deed.works {
        assert_eq!(answers(&host), 5, "{kind:?}: after {:?}", deed.undone);
    }
    std::thread::sleep(Duration::from_millis(300));
    let written = perigee.output();
    let summary = perigee.stop("INT");
    for told in [deed.told, deed.told_then] {
        let warned = written.lines().filter(|line| line.contains(told) && line.contains("WARN")).count();
        assert_eq!(warned, 1, "{kind:?}: {told:?} once, as a warning:\n{written}");
        let events = summary.port("a")["events"].to_string();
        assert!(events.contains(told), "{kind:?}: {told:?} is in the summary: {events}");
    }
}

/// How many of five frames come back from the other end of the wire. What else arrives there counts, too: frames that were
/// left behind by an earlier time.
fn answers(host: &Namespace<'_>) -> usize {
    host.wait_until_up("peer0");
    host.wait_until_up("port0");
    let frames = sample(5, 300);
    // The reflector has exchanged their addresses.
    let capture = host.capture("peer0", "ether dst 02:00:00:00:00:02", 1_000);
    let before = host.counts("peer0").rx;
    host.replay("peer0", &frames, 100);
    let limit = std::time::Instant::now() + LIMIT;
    while host.counts("peer0").rx < before + 5 && std::time::Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(20));
    }
    pcap_read(&capture.stop()).len()
}

#[test]
fn what_happens_to_an_interface_is_told_once_and_survived() {
    let gone = Deed {
        done: &["link del port0"],
        told: "interface port0 is gone",
        undone: NEW,
        told_then: "there is an interface port0 again, and the port uses it",
        works: true,
    };
    let down = Deed {
        done: &["link set port0 down"],
        told: "link down: it was set down",
        undone: &["link set port0 up"],
        told_then: "link up",
        works: true,
    };
    let carrier = Deed {
        done: &["link set peer0 down"],
        told: "link down: it has no carrier",
        undone: &["link set peer0 up"],
        told_then: "link up",
        works: true,
    };
    for deed in [&gone, &down, &carrier] {
        survives(Mode::User, Kind::AfPacket, deed);
    }
    let gone = Deed { told_then: "there is an interface port0 again, which only a new start", works: false, ..gone };
    let unhooked = Deed {
        done: &["link set dev port0 xdp off"],
        told: "the XDP program was taken off",
        undone: &["link set port0 down"],
        told_then: "link down: it was set down",
        works: false,
    };
    for deed in [&down, &carrier, &unhooked, &gone] {
        survives(Mode::Root, Kind::AfXdp, deed);
    }
}

/// Frames that a port could not send while its interface was down are counted, and do not go out when it comes up.
#[test]
fn what_is_counted_as_lost_does_not_go_out_later() {
    for (mode, kind, device) in [(Mode::User, Kind::AfPacket, "net_af_packet"), (Mode::Root, Kind::AfXdp, "net_af_xdp")]
    {
        let Some(lab) = Lab::new(mode) else { continue };
        if !lab.allows(kind) {
            continue;
        }
        let host = lab.namespace();
        for words in NEW.iter().chain(&["link add in type veth peer name feed", "link set in up", "link set feed up"]) {
            host.ip(words);
        }
        let ports = format!(
            "[[port]]\nname = \"a\"\ndevice = \"net_af_packet7,iface=in\"\n[[port]]\nname = \"b\"\ndevice = \"{device}0,iface=port0\"\npool = 4095\n"
        );
        let module = lab.module("l2-forward", "{}", &["b"]);
        let chain = "[[chain]]\nname = \"there\"\nsource = { port = \"a\" }\nstages = [\"l2-forward\"]\ntx = [\"b\"]\n";
        let mut perigee = Perigee::start(&host, "late", &format!("{ports}{module}{chain}"));
        perigee.wait_until_running();
        host.wait_until_up("feed");
        let capture = host.capture("peer0", "ether proto 0x88b5", 1_000);
        host.ip("link set port0 down");
        // At once, before the keeper has looked, and later.
        host.replay("feed", &sample(20, 200), 1_000);
        wait_until("it was told", LIMIT, || perigee.output().contains("link down"));
        host.replay("feed", &sample(20, 200), 1_000);
        host.ip("link set port0 up");
        host.wait_until_up("port0");
        wait_until("it was told", LIMIT, || perigee.output().contains("link up"));
        host.replay("feed", &sample(3, 200), 100);
        std::thread::sleep(Duration::from_millis(300));
        let arrived = pcap_read(&capture.stop()).len() as u64;
        let summary = perigee.stop("INT");
        check_lost(kind, &summary, arrived);
    }
}

fn check_lost(kind: Kind, summary: &Summary, arrived: u64) {
    let (received, sent) = (summary.total("received"), summary.total("sent"));
    let lost = number(summary.port("b"), "tx_errors");
    say(&format!("{kind:?}: received {received}, sent {sent}, of them lost {lost}; arrived {arrived}"));
    assert_eq!(received, 43, "{}", summary.text());
    assert!(summary.dropped() >= 20, "what came when the link was known to be down: {}", summary.text());
    assert!(sent - lost >= arrived && arrived >= 3, "what was lost has not arrived: {}", summary.text());
    if kind == Kind::AfPacket {
        assert_eq!(sent - lost, arrived, "and the rest has: {}", summary.text());
    }
}
