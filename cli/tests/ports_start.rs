//! Every kind of port starts with defaults, whatever it is for: to be sent to, to be read, or both. And what `check` passes
//! starts, what it refuses does not.

use crate::lab::{Kind, Lab, Mode, Namespace, Perigee, Summary, cpus, say};
use std::path::Path;
use std::time::Duration;

/// Longest time that such a run may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Sent,
    Read,
    Both,
}

/// Devices with no more arguments than they need: `eth` is an interface.
const DEVICES: [&str; 9] = [
    "net_null0",
    "net_ring0",
    "net_pcap0,rx_pcap=in.pcap",
    "net_pcap0,tx_pcap=out.pcap",
    "net_pcap0,iface=eth",
    "net_tap0",
    "net_af_packet0,iface=eth",
    "net_memif0,role=server",
    "net_af_xdp0,iface=eth",
];

/// A run on one port.
fn config(lab: &Lab, device: &str, used: Use) -> String {
    let lcore = cpus()[0];
    let generator = lab.module("udp-gen", "{ size = 64 }", &["a"]);
    let sink = lab.module("counter", "{ then = \"drop\" }", &[]);
    let sends = format!(
        "{generator}[[chain]]\nname = \"sends\"\nlcores = [{lcore}]\nsource = {{ module = \"udp-gen\" }}\ntx = [\"a\"]\n"
    );
    let reads = format!(
        "{sink}[[chain]]\nname = \"reads\"\nlcores = [{lcore}]\nsource = {{ port = \"a\" }}\nstages = [\"counter\"]\n"
    );
    let chains = match used {
        Use::Sent => sends,
        Use::Read => reads,
        Use::Both => sends + &reads,
    };
    format!("[run]\nduration = \"100ms\"\n[[port]]\nname = \"a\"\ndevice = \"{device}\"\n{chains}")
}

/// Starts and ends a run on each kind of port.
fn start_all(mode: Mode) {
    let Some(lab) = Lab::new(mode) else { return };
    lab.write("in.pcap", &capture());
    let host = lab.namespace();
    let peer = lab.namespace();
    host.join("eth", &peer, "far", 1_500);
    host.up("eth");
    peer.up("far");
    for device in DEVICES {
        if device.starts_with("net_af_xdp") && !lab.allows(Kind::AfXdp) {
            continue;
        }
        for used in [Use::Sent, Use::Read, Use::Both] {
            say(&format!("{device}: {used:?}"));
            let summary = run(&host, &config(&lab, device, used));
            let sent = summary.total("sent");
            assert!(used == Use::Read || sent > 0 || device.contains("memif"), "{device}: {}", summary.text());
        }
    }
}

fn run(host: &Namespace<'_>, config: &str) -> Summary {
    Perigee::start(host, "run", config).finish(LIMIT)
}

/// A capture of one packet, as the format has it: a header, a record.
fn capture() -> Vec<u8> {
    let numbers: [u32; 10] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1, 0, 0, 60, 60];
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    bytes.extend([0; 60]);
    bytes
}

#[test]
fn ports_start_with_defaults_as_root() {
    start_all(Mode::Root);
}

#[test]
fn ports_start_with_defaults_as_a_user() {
    start_all(Mode::User);
}

/// What `check` and `run` say of a configuration of one port that is sent to, or of several: exit code and texts.
fn said(host: &Namespace<'_>, verb: &str, text: &str) -> (Option<i32>, String) {
    let lab = host.lab();
    let file = lab.write("said.toml", text.as_bytes());
    let binary = lab.reachable(Path::new(env!("CARGO_BIN_EXE_perigee")));
    let mut command = host.command(&binary.to_string_lossy());
    command.arg(verb).arg(file);
    let finished = host.start_command(command).wait(LIMIT);
    (finished.status.code(), finished.err)
}

/// `check` and `run` refuse this with that text; nothing that DPDK says comes first.
fn refused(host: &Namespace<'_>, text: &str, expected: &str) {
    for verb in ["check", "run"] {
        let (code, err) = said(host, verb, text);
        assert_eq!(code, Some(1), "{verb} of\n{text}\nsaid:\n{err}");
        assert!(err.contains(expected), "{expected:?} is not in what {verb} said of\n{text}\n{err}");
        assert!(!err.contains("EAL:") && !err.contains("could not probe"), "{err}");
    }
}

#[test]
fn what_ports_want_of_the_kernel_is_checked_before() {
    let Some(lab) = Lab::new(Mode::Root) else { return };
    let (host, peer) = (lab.namespace(), lab.namespace());
    host.join("eth", &peer, "far", 9_000);
    host.ip("link property add dev eth altname the-long-name-of-eth altname lan");
    host.up("eth");
    host.ip("link add bridged type bridge");
    host.ip("tuntap add narrow mode tap");
    host.ip("tuntap add bare mode tun multi_queue");
    host.ip("tuntap add wide mode tap multi_queue");
    let one = |device: &str| config(&lab, device, Use::Sent);
    refused(&host, &one("net_af_packet0,iface=eht"), "port \"a\": there is no interface \"eht\"; `ip link` shows");
    refused(&host, &one("net_pcap0,tx_iface=eht"), "port \"a\": there is no interface \"eht\"");
    refused(
        &host,
        &one("net_af_packet0,iface=the-long-name-of-eth"),
        "port \"a\": the interface's name \"the-long-name-of-eth\" is too long for its driver; iface=eth is the same",
    );
    refused(&host, &one("net_tap0,iface=bridged"), "there is an interface \"bridged\" already, and it is no TAP");
    refused(&host, &one("net_tap0,iface=bare"), "there is an interface \"bare\" already, and it is no TAP");
    refused(&host, &one("net_tap0,iface=narrow"), "there is an interface \"narrow\" already, a TAP of one queue; DPDK");
    run(&host, &one("net_tap0,iface=wide"));
    refused(
        &host,
        &one("net_af_xdp0,iface=eth"),
        "port \"a\": interface \"eth\" has an MTU of 9000, and XDP takes 3506 at most; ip link set eth mtu 1500",
    );
    host.ip("link set eth mtu 3506");
    peer.ip("link set far mtu 3506");
    let (queues, expected) =
        ("net_af_xdp0,iface=eth,start_queue=7,queue_count=200", "it wants rx queue 206 of interface");
    refused(&host, &one(queues), expected);
    let two = |second: &str| {
        let first = one("net_af_packet0,iface=eth");
        format!("{first}[[port]]\nname = \"b\"\ndevice = \"{second}\"\n")
    };
    let already = "port \"b\": interface \"eth\" is that of port \"a\" already; both would get all of its frames";
    for second in ["net_af_packet1,iface=eth", "net_af_packet1,iface=lan", "net_pcap1,iface=the-long-name-of-eth"] {
        refused(&host, &two(second), already);
    }
    // The other end of a TAP that the same run makes: it is not there yet.
    let (code, err) = said(
        &host,
        "check",
        &one("net_tap0,iface=new").replacen(
            "[[module]]",
            "[[port]]\nname = \"b\"\ndevice = \"net_af_packet0,iface=new\"\n[[module]]",
            1,
        ),
    );
    assert_eq!(code, Some(0), "{err}");
    let down = "port \"a\": interface \"bridged\" is down, and net_pcap opens none that is; ip link set bridged up";
    refused(&host, &one("net_pcap0,iface=bridged"), down);
    let (code, err) = said(&host, "check", &one("net_af_packet0,iface=bridged"));
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("warning: port \"a\": interface \"bridged\" is down"), "{err}");
    // The largest MTU that is let through works.
    if lab.allows(Kind::AfXdp) {
        run(&host, &one("net_af_xdp0,iface=eth"));
    }
}

#[test]
fn rights_are_checked_before() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let host = lab.namespace();
    refused(&host, &config(&lab, "net_af_xdp0,iface=lo", Use::Sent), "this process lacks root's rights");
    let binary = lab.reachable(Path::new(env!("CARGO_BIN_EXE_perigee")));
    // Without a namespace of its own, it is a user like any other.
    for (device, needs) in [("net_tap0", "CAP_NET_ADMIN to make a TAP"), ("net_pcap0,iface=lo", "CAP_NET_RAW to open")]
    {
        let file = lab.write("rights.toml", config(&lab, device, Use::Sent).as_bytes());
        let mut command = host.command("setpriv");
        command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs"]);
        command.arg(&binary).arg("check").arg(&file);
        let finished = host.start_command(command).wait(LIMIT);
        assert_eq!(finished.status.code(), Some(1), "{}", finished.err);
        assert!(finished.err.contains(&format!("port \"a\": this process lacks {needs}")), "{}", finished.err);
    }
}

/// What is refused before a port is there follows the driver, whose bounds differ between releases of DPDK.
#[test]
fn queues_are_known_as_the_driver_has_them() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let host = lab.namespace();
    let binary = lab.reachable(Path::new(env!("CARGO_BIN_EXE_perigee")));
    for device in ["net_tap0", "net_ring0"] {
        let mut ports = host.command(&binary.to_string_lossy());
        ports.args(["ports", "--port", device]);
        let seen = host.start_command(ports).wait(LIMIT);
        let most = seen.out.split_once("at most ").and_then(|(_, rest)| rest.split_once(" rx, "));
        let most = most.and_then(|(most, _)| most.parse::<u16>().ok());
        let most = most.unwrap_or_else(|| panic!("{device}: {}{}", seen.out, seen.err));
        say(&format!("{device} has {most} queues"));
        let (plain, line) = (config(&lab, device, Use::Read), format!("device = \"{device}\"\n"));
        assert!(plain.contains(&line), "{plain}");
        let more = plain.replace(&line, &format!("{line}rx_queues = {}\n", most + 1));
        refused(&host, &more, &format!("the device has {most} and {most}"));
    }
}
