//! A stop by signal in the middle of traffic: clean, soon, with every packet accounted for, and without a trace on the
//! peers' side. And packets that a driver does not take, which must not stop what is behind them.

use crate::lab::{Kind, Lab, Mode, Namespace, Perigee, Wire, cpus, forwarder, frames, ipv4, say, wait_until};
use std::time::{Duration, Instant};

/// Longest time from the signal to the end of the process.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Lets datagrams flow through a forwarder as fast as they go, ends it by `signal`, and starts it anew on the same
/// interfaces, where it must work again.
fn stop(kind: Kind, mode: Mode, signal: &str) {
    let Some(lab) = Lab::alone(mode) else { return };
    if !lab.allows(kind) {
        return;
    }
    let host = lab.namespace();
    let left = Wire::new(&host, kind, 0, 1_500);
    let right = Wire::new(&host, Kind::AfPacket, 1, 1_500);
    let ports = left.port("a", "") + &right.port("b", "");
    let config = forwarder(&ports, &lab.module("l2-forward", "{}", &["a", "b"]), "l2-forward", [cpus()[0]; 2]);

    let mut perigee = Perigee::start(&host, "first", &config);
    left.connect_v4(&mut perigee, 2);
    right.connect_v4(&mut perigee, 3);
    left.peer().wait_for_answer(&ipv4(3));
    {
        let mut server = right.peer().start("iperf3", "--server --forceflush");
        server.wait_for_output("listening");
        let before = right.counts().rx;
        let further = "--udp --length 200 --bitrate 0 --time 60 --connect-timeout 5000";
        let _client = left.peer().start("iperf3", &format!("--client {} {further}", ipv4(3)));
        wait_until("traffic was flowing", Duration::from_secs(20), || right.counts().rx > before + 10_000);
        let asked = Instant::now();
        let summary = perigee.stop(signal);
        let took = asked.elapsed();
        say(&format!("SIG{signal} after {} packets: ended within {took:?}", summary.total("sent")));
        assert!(took < STOP_LIMIT, "the end came too late: {took:?}");
        assert!(summary.total("sent") > 10_000, "it was busy when the signal came: {}", summary.text());
    }
    assert_untouched(&host, &left, &right);

    let mut perigee = Perigee::start(&host, "second", &config);
    if kind == Kind::Tap {
        // Its interface went with the first run.
        left.connect_v4(&mut perigee, 2);
    }
    left.peer().wait_for_answer(&ipv4(3));
    assert_eq!(left.peer().ping(&ipv4(3), 100, "").answered, 100, "a second run works as the first one did");
    perigee.stop(signal);
}

/// The peers' interfaces are as before, and perigee's carry no XDP program and are not promiscuous any more.
fn assert_untouched(host: &Namespace<'_>, left: &Wire<'_, '_>, right: &Wire<'_, '_>) {
    for wire in [left, right] {
        if let Some(device) = wire.lasting_device() {
            wire.peer().wait_until_up(&wire.peer_device());
            let text = host.ip(&format!("-details link show dev {device}"));
            assert!(!text.contains("xdp"), "an XDP program is left behind: {text}");
            assert!(text.contains("promiscuity 0"), "the interface is still promiscuous: {text}");
        }
    }
}

#[test]
fn stop_by_sigint_over_af_packet_as_root() {
    stop(Kind::AfPacket, Mode::Root, "INT");
}

#[test]
fn stop_by_sigterm_over_af_packet_as_user() {
    stop(Kind::AfPacket, Mode::User, "TERM");
}

#[test]
fn stop_by_sigterm_over_af_xdp_as_root() {
    stop(Kind::AfXdp, Mode::Root, "TERM");
}

#[test]
fn stop_by_sigint_over_tap_as_user() {
    stop(Kind::Tap, Mode::User, "INT");
}

/// Frames that are too long for the interface behind a port, which only the kernel knows: each is dropped by its name, and
/// all others arrive, whatever `when_full` says.
#[test]
fn packets_that_an_interface_refuses_stop_nobody() {
    let Some(lab) = Lab::new(Mode::Root) else { return };
    for when_full in ["drop", "wait"] {
        let (host, peer) = (lab.namespace(), lab.namespace());
        host.join("to", &peer, "from", 1_500);
        host.ip("link set to mtu 1000 up");
        peer.ip("link set from mtu 1500 up");
        host.wait_until_up("to");
        // Of all sizes, in no order: the interface takes 1,000 bytes and the Ethernet header.
        let sample = frames::sample(120, 1_514);
        let frames: Vec<_> = (0..sample.len()).map(|i| sample[i * 37 % sample.len()].clone()).collect();
        let long = frames.iter().filter(|frame| frame.len() > 1_014).count() as u64;
        let file = lab.path(&format!("{when_full}.pcap"));
        frames::pcap_write(&file, &frames);
        let config = format!(
            "[run]\nburst = 32\n[[port]]\nname = \"in\"\ndevice = \"net_pcap0,rx_pcap={}\"\n\
             [[port]]\nname = \"out\"\ndevice = \"net_pcap1,iface=to\"\n{}[[chain]]\nname = \"c\"\n\
             source = {{ port = \"in\" }}\nstages = [\"counter\"]\ntx = [\"out\"]\nwhen_full = \"{when_full}\"\n",
            file.display(),
            lab.module("counter", "{}", &["out"]),
        );
        let before = peer.counts("from").rx;
        let summary = Perigee::start(&host, when_full, &config).finish(Duration::from_secs(20));
        say(&format!("{when_full}: {}", summary.text()));
        assert_eq!((summary.dropped(), summary.total("sent")), (long, 120 - long), "{}", summary.text());
        assert!(summary.text().contains("tx_refused") && !summary.text().contains("tx_full"), "{}", summary.text());
        assert_eq!(peer.counts("from").rx - before, 120 - long, "{when_full}");
    }
}
