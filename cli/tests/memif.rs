//! Two runs with shared memory between them: whole frames whatever their length, and what happens when one of them goes.

use crate::lab::frames::pcap_read;
use crate::lab::summary::number;
use crate::lab::{Lab, Mode, Namespace, Perigee, say, wait_until};
use std::path::Path;
use std::time::Duration;

/// Longest time until something is seen.
const LIMIT: Duration = Duration::from_secs(15);

fn memif(lab: &Lab, role: &str, further: &str, mtu: u16) -> String {
    let socket = lab.path("m.sock");
    let further = format!(",socket-abstract=no{further}");
    format!(
        "[[port]]\nname = \"m\"\ndevice = \"net_memif0,role={role},id=1,socket={}{further}\"\nmtu = {mtu}\n",
        socket.display()
    )
}

/// A server that writes what comes to a file.
fn server(lab: &Lab, mtu: u16) -> String {
    let buffers = if mtu > 2_026 { format!(",bsize={}", mtu + 22) } else { String::new() };
    memif(lab, "server", &buffers, mtu)
        + &lab.module("l2-forward", "{}", &["out"])
        + &format!(
            "[[port]]\nname = \"out\"\ndevice = \"net_pcap1,tx_pcap={}\"\nmtu = {mtu}\n\
             [[chain]]\nname = \"in\"\nsource = {{ port = \"m\" }}\nstages = [\"l2-forward\"]\ntx = [\"out\"]\n",
            lab.path("out.pcap").display()
        )
}

/// A client that sends `count` packets of lengths up to the longest of its MTU.
fn client(lab: &Lab, further: &str, mtu: u16, count: u32, rate: u32) -> String {
    let packet = "020000000002 020000000001 0800 4500 0022 0000 0000 4011 0000 c0000201 c0000202 0400 0009 000e ffff 706572696765";
    let sizes = format!("{{ from = 60, to = {}, step = 7 }}", mtu + 14);
    let config = format!("{{ packet = \"{packet}\", count = {count}, sizes = {sizes} }}");
    let module = lab.module("stream-gen", &config, &["m"]);
    let module = module.replace("grants = {", &format!("grants = {{ packets_per_second = {rate},"));
    memif(lab, "client", further, mtu)
        + &module
        + "[[chain]]\nname = \"load\"\nsource = { module = \"stream-gen\", pool = 511 }\ntx = [\"m\"]\n"
        // It stays when all are sent: what is still in the shared ring goes with it.
        + "[[port]]\nname = \"idle\"\ndevice = \"net_null9,no-rx=1\"\n[[chain]]\nname = \"stays\"\nsource = { port = \"idle\" }\n"
}

/// Whole frames of every length that the port's MTU allows, with the buffers that follow from it and with the least.
#[test]
fn each_frame_comes_whole_once() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let host = lab.namespace();
    for (mtu, further) in [(1_500, ""), (9_000, ""), (1_500, ",bsize=1522"), (2_026, ",bsize=2048")] {
        let mut server = Perigee::start(&host, "server", &server(&lab, mtu));
        server.wait_until_running();
        let mut client = Perigee::start(&host, "client", &client(&lab, further, mtu, 3_000, 100_000));
        client.wait_until_running();
        wait_until("all came", LIMIT, || Path::new(&lab.path("out.pcap")).metadata().is_ok_and(|m| m.len() > 100_000));
        std::thread::sleep(Duration::from_millis(800));
        let (sent, received) = (client.stop("INT"), server.stop("INT"));
        let frames = pcap_read(&lab.path("out.pcap"));
        say(&format!("mtu {mtu}{further}: sent {}, came {}", sent.total("sent"), frames.len()));
        assert_eq!(sent.total("sent"), 3_000, "{}", sent.text());
        assert_eq!(frames.len(), 3_000, "{}", received.text());
        let longest = usize::from(mtu) + 14;
        assert!(frames.iter().all(|frame| (60..=longest).contains(&frame.len())), "none is glued to another");
        assert_eq!(number(received.port("m"), "rx_packets"), 3_000, "{}", received.text());
        std::fs::remove_file(lab.path("out.pcap")).unwrap();
    }
}

/// A client whose frames are longer than the server's rooms: what fits comes whole, and the rest is counted.
#[test]
fn frames_beyond_the_servers_rooms_are_counted() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let host = lab.namespace();
    let mut server = Perigee::start(&host, "server", &server(&lab, 1_500));
    server.wait_until_running();
    let mut client = Perigee::start(&host, "client", &client(&lab, "", 9_000, 3_000, 50_000));
    client.wait_until_running();
    wait_until("all came", LIMIT, || Path::new(&lab.path("out.pcap")).metadata().is_ok_and(|m| m.len() > 100_000));
    std::thread::sleep(Duration::from_millis(800));
    let (sent, received) = (client.stop("INT"), server.stop("INT"));
    let frames = pcap_read(&lab.path("out.pcap"));
    let too_long = received.dropped();
    say(&format!("sent {}, whole {}, too long for a room {too_long}", sent.total("sent"), frames.len()));
    assert_eq!((sent.total("sent"), received.total("received")), (3_000, 3_000), "{}", received.text());
    assert_eq!(frames.len() as u64 + too_long, 3_000, "{}", received.text());
    assert!(too_long > 1_000 && received.text().contains("too_long_for_room"), "{}", received.text());
    assert!(frames.iter().all(|frame| frame[14] == 0x45), "each is a packet from its begin on");
}

#[test]
fn buffers_below_a_frame_are_refused() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let host = lab.namespace();
    for bsize in [64, 1_000, 1_521] {
        let refused = check(&lab, &host, &client(&lab, &format!(",bsize={bsize}"), 1_500, 1, 1));
        assert!(refused.contains(&format!("bsize = {bsize} holds no whole frame")), "{refused}");
    }
}

fn check(lab: &Lab, host: &Namespace<'_>, config: &str) -> String {
    let file = lab.write("check.toml", config.as_bytes());
    let binary = lab.reachable(Path::new(env!("CARGO_BIN_EXE_perigee")));
    let mut command = host.command(&binary.to_string_lossy());
    command.arg("check").arg(file);
    let finished = host.start_command(command).wait(Duration::from_secs(30));
    format!("{}{}", finished.out, finished.err)
}

/// The server is killed and comes back on the socket that it left: the client finds it, and its counters go on.
#[test]
fn a_server_that_was_killed_comes_back_as_user() {
    comes_back(Mode::User, "no");
    comes_back(Mode::User, "yes");
}

/// By now both are nobody, and the socket is root's.
#[test]
fn a_server_that_was_killed_comes_back_as_root() {
    comes_back(Mode::Root, "no");
}

fn comes_back(mode: Mode, is_abstract: &str) {
    let Some(lab) = Lab::new(mode) else { return };
    let with = |config: String| config.replace("socket-abstract=no", &format!("socket-abstract={is_abstract}"));
    let host = lab.namespace();
    let mut first = Perigee::start(&host, "first", &with(server(&lab, 1_500)));
    first.wait_until_running();
    let mut client = Perigee::start(&host, "client", &with(client(&lab, "", 1_500, 10_000_000, 2_000)));
    client.wait_until_running();
    wait_until("the peer was there", LIMIT, || client.output().contains("link up: the peer is there"));
    std::thread::sleep(Duration::from_millis(300));
    first.kill();
    wait_until("the peer was missed", LIMIT, || client.output().contains("link down: the peer is gone"));
    assert_eq!(lab.path("m.sock").exists(), is_abstract == "no", "a killed server leaves its socket");
    let mut second = Perigee::start(&host, "second", &with(server(&lab, 1_500)));
    second.wait_until_running();
    let removed = second.output().contains("a memif socket that a killed process had left was removed");
    assert_eq!(removed, is_abstract == "no", "{}", second.output());
    wait_until("the peer was there again", LIMIT, || {
        client.output().matches("link up: the peer is there").count() == 2
    });
    std::thread::sleep(Duration::from_millis(300));
    let (sent, received) = (client.stop("INT"), second.stop("INT"));
    let (port, came) = (sent.port("m"), received.total("received"));
    say(&format!("sent {} in all, {came} to the second server", sent.total("sent")));
    assert!(came > 0, "packets flow again: {}", received.text());
    assert_eq!(number(port, "tx_packets"), sent.total("sent"), "its counters did not fall: {port}");
    assert_eq!(number(port, "link_downs"), 1, "{port}");
    assert!(number(port, "tx_packets") > came, "{port}");
}

/// A port without a peer says what it waits for.
#[test]
fn a_port_without_a_peer_says_why() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let host = lab.namespace();
    let mut server = Perigee::start(&host, "server", &server(&lab, 1_500));
    server.wait_until_running();
    // Two queues, where the server has one.
    let two = client(&lab, "", 1_500, 10, 10).replace("mtu = 1500", "mtu = 1500\ntx_queues_per_lcore = 2");
    let mut client = Perigee::start(&host, "client", &two);
    client.wait_until_running();
    wait_until("it was told", LIMIT, || {
        client.output().contains("which does not take us: id, secret, or fewer queues")
    });
    wait_until("it was told", LIMIT, || server.output().contains("no peer has connected to the socket"));
    let summary = client.stop("INT");
    assert!(summary.port("m")["events"].to_string().contains("no link over"), "{}", summary.text());
    server.stop("INT");
}
