//! Real traffic, recorded by the test itself, goes from a pcap file through a module into a pcap file. tshark must find
//! the packets equal, but for what the module changed.

use crate::lab::frames::{Frame, pcap_read, swapped};
use crate::lab::peers::{name_server, web_server};
use crate::lab::{Lab, Mode, Namespace, Perigee, ipv4, ipv6, say};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name that the test's name server knows.
const NAME: &str = "recorded.example";
/// What is fetched by curl: some segments' worth.
const PAGE_SIZE: usize = 200_000;
/// Longest time that a run over the file may take.
const RUN_LIMIT: Duration = Duration::from_secs(20);

/// Records a client and a server at work: a page by HTTP over IPv4 and IPv6; a name's address by DNS over UDP and TCP; pings of both families, small and large enough to be fragmented.
fn record(lab: &Lab) -> PathBuf {
    let (client, server) = (lab.namespace(), lab.namespace());
    client.join("client", &server, "server", 1_500);
    client.address("client", 2);
    server.address("server", 1);
    client.wait_until_up("client");
    let page: Vec<u8> = (0..PAGE_SIZE).map(|at| b"0123456789abcdef\n"[at % 17]).collect();
    lab.write("page.txt", &page);
    let _web = web_server(&server, "::");
    let _names = name_server(&server, &ipv4(1), NAME, "192.0.2.7");

    let capture = client.capture("client", "", 1_000_000);
    for target in [ipv4(1), ipv6(1)] {
        client.wait_for_answer(&target);
    }
    for host in [ipv4(1), format!("[{}]", ipv6(1))] {
        let url = format!("--silent --show-error --globoff http://{host}:8080/page.txt");
        let fetched = client.run("curl", &url, Duration::from_secs(20)).expect_success();
        assert_eq!(fetched.len(), PAGE_SIZE, "curl fetches the whole page");
    }
    for way in ["+notcp", "+tcp"] {
        let query = format!("@{} {NAME} A +short +tries=3 +time=2 {way}", ipv4(1));
        let answer = client.run("dig", &query, Duration::from_secs(20)).expect_success();
        assert_eq!(answer.trim(), "192.0.2.7", "dig gets the address");
    }
    for target in [ipv4(1), ipv6(1)] {
        for size in ["-b 56", "-b 4000"] {
            let pings = client.ping(&target, 10, size);
            assert_eq!(pings.answered, 10, "the kernel answers the kernel's pings");
        }
    }
    capture.stop()
}

/// What a module does to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Nothing.
    None,
    /// It swaps the addresses of Ethernet.
    Swap,
}

/// Runs a recording through `module` and compares what comes out.
fn through(mode: Mode, module: &str, change: Change) {
    let Some(lab) = Lab::new(mode) else { return };
    let recorded = record(&lab);
    let host = lab.namespace();
    let output = run(&host, module, &recorded);
    compare_bytes(module, &pcap_read(&recorded), &pcap_read(&output), change);
    compare_dissections(&host, &recorded, &output, change);
}

/// Compares the frames byte for byte.
fn compare_bytes(module: &str, sent: &[Frame], arrived: &[Frame], change: Change) {
    say(&format!("{module}: {} of {} recorded frames came out", arrived.len(), sent.len()));
    assert_eq!(arrived.len(), sent.len(), "every frame comes out once");
    for (number, (sent, arrived)) in sent.iter().zip(arrived).enumerate() {
        let expected = if change == Change::Swap { swapped(sent) } else { sent.clone() };
        assert_eq!(&expected, arrived, "frame {number} is what the module makes of it");
    }
}

/// Runs a file through a module and returns the file that comes out. The end of the input ends the run by itself.
fn run(host: &Namespace<'_>, module: &str, input: &Path) -> PathBuf {
    let output = host.lab().path(&format!("{module}.pcap"));
    let config = format!(
        "{entry}
        [[port]]
        name = \"file\"
        device = \"net_pcap0,rx_pcap={},tx_pcap={}\"

        [[chain]]
        source = {{ port = \"file\" }}
        stages = [\"{module}\"]
        tx = [\"file\"]
        ",
        input.display(),
        output.display(),
        entry = host.lab().module(module, "{}", &["file"]),
    );
    let summary = Perigee::start(host, module, &config).finish(RUN_LIMIT);
    assert_eq!(summary.dropped(), 0, "nothing is dropped: {}", summary.text());
    output
}

/// Compares what tshark makes of two files: all layers of all packets.
fn compare_dissections(host: &Namespace<'_>, before: &Path, after: &Path, change: Change) {
    let [before, after] = [before, after].map(|file| dissect(host, file));
    assert_eq!(before.len(), after.len(), "tshark finds as many packets");
    let mut protocols = BTreeMap::<String, usize>::new();
    for (number, (mut before, after)) in before.into_iter().zip(after).enumerate() {
        if change == Change::Swap {
            before.addresses.reverse();
        }
        assert_eq!(before, after, "tshark finds packet {number} equal");
        *protocols.entry(after.protocol).or_default() += 1;
    }
    say(&format!("tshark finds equal, by protocol: {protocols:?}"));
    for expected in ["arp", "http", "dns", "icmp", "icmpv6", "tcp"] {
        assert!(protocols.contains_key(expected), "the recording holds {expected}: {protocols:?}");
    }
}

/// What tshark makes of a packet.
#[derive(Debug, PartialEq)]
struct Dissection {
    /// Source and destination of Ethernet.
    addresses: Vec<Value>,
    /// The innermost protocol that is not just data.
    protocol: String,
    /// All layers above Ethernet, without what depends on the time at which the packet was written.
    layers: Value,
}

/// Lets tshark dissect a file. Without its analysis of TCP's sequence numbers, which judges by time whether a segment was
/// sent again or came late.
fn dissect(host: &Namespace<'_>, file: &Path) -> Vec<Dissection> {
    let arguments =
        format!("-n -r {} -T json --no-duplicate-keys -o tcp.analyze_sequence_numbers:FALSE", file.display());
    let text = host.run("tshark", &arguments, Duration::from_secs(60)).expect_success();
    let packets: Vec<Value> = serde_json::from_str(&text).expect("`tshark -T json` writes JSON");
    packets.into_iter().map(|mut packet| dissection(packet["_source"]["layers"].take())).collect()
}

fn dissection(mut layers: Value) -> Dissection {
    let eth = layers["eth"].take();
    let protocols = layers["frame"]["frame.protocols"].as_str().unwrap_or("").to_owned();
    let protocol = protocols.rsplit(':').find(|name| !name.starts_with("data"));
    let frame = layers["frame"].take();
    layers["eth"] = eth["eth.type"].clone();
    layers["frame"] = frame["frame.len"].clone();
    drop_times(&mut layers);
    let addresses = vec![eth["eth.src"].clone(), eth["eth.dst"].clone()];
    Dissection { addresses, protocol: protocol.unwrap_or("").to_owned(), layers }
}

/// Removes what depends on when packets were recorded or written.
fn drop_times(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|name, _| !name.contains("time") && !name.contains("_rtt"));
        fields.values_mut().for_each(drop_times);
    }
    if let Value::Array(values) = value {
        values.iter_mut().for_each(drop_times);
    }
}

#[test]
fn recorded_traffic_through_l2_forward_as_root() {
    through(Mode::Root, "l2-forward", Change::None);
}

#[test]
fn recorded_traffic_through_l2_forward_as_user() {
    through(Mode::User, "l2-forward", Change::None);
}

#[test]
fn recorded_traffic_through_reflector_as_root() {
    through(Mode::Root, "reflector", Change::Swap);
}

#[test]
fn recorded_traffic_through_reflector_as_user() {
    through(Mode::User, "reflector", Change::Swap);
}
