//! `perigee streams` and `perigee convert`, as a person uses them. The packets need the module: ./x build-modules.

use crate::modules::Bench;
use serde_json::Value;
use std::path::Path;

/// Two streams, one behind the other.
const STREAMS: &str = r#"
[[stream]]
name = "voice"
headers = [ "ethernet", { vlan = { vid = 5 } }, { ipv4 = { source = "10.0.0.1", destination = "10.0.0.2" } }, "udp" ]
size = 128
vary = [ { field = "ipv4.source", draw = "random", from = "10.0.0.1", to = "10.0.0.200" } ]
rate = "10 kpps"
count = 20

[[stream]]
name = "web"
headers = [ "ethernet", "ipv6", { tcp = { destination_port = 80 } } ]
sizes = { imix = "simple" }
rate = "20 kpps"
pattern = "poisson"
after = "voice"
count = 30
"#;

/// A folder with that file and the module.
fn bench() -> Bench {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/modules/stream-gen.wasm");
    let bench = Bench::new();
    bench.write("streams.toml", STREAMS);
    std::fs::copy(module, bench.path("stream-gen.wasm")).expect("./x build-modules makes it");
    bench
}

/// The packets of a capture that this machine wrote, with their times in nanoseconds of its unit.
fn packets(bench: &Bench, name: &str) -> Vec<(u64, Vec<u8>)> {
    let bytes = std::fs::read(bench.path(name)).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let unit = if word(0) == 0xa1b2_3c4d { 1 } else { 1_000 };
    let (mut at, mut packets) = (24, Vec::new());
    while at < bytes.len() {
        let time = u64::from(word(at)) * 1_000_000_000 + u64::from(word(at + 4)) * unit;
        let end = at + 16 + word(at + 8) as usize;
        packets.push((time, bytes[at + 16..end].to_vec()));
        at = end;
    }
    packets
}

fn of_stream(packets: &[(u64, Vec<u8>)], is_voice: bool) -> Vec<&Vec<u8>> {
    packets.iter().map(|(_, bytes)| bytes).filter(|bytes| (bytes[12..14] == [0x81, 0]) == is_voice).collect()
}

#[test]
fn the_packets_that_are_written_are_those_of_a_run() {
    let bench = bench();
    let said = bench.perigee(&["streams", "streams.toml", "--module", "stream-gen.wasm", "--pcap", "told.pcap"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{}", said.err);
    assert!(said.err.starts_with("told.pcap: 50 packets, the last at 0.00"), "{}", said.err);
    let told = packets(&bench, "told.pcap");
    // Packet n of a constant rate leaves at n gaps; the other stream begins with the last packet of the first one.
    let times: Vec<u64> = told.iter().map(|(time, _)| *time).collect();
    assert!(
        (0..20).all(|n| times[n] == n as u64 * 100_000) && times[20] >= 1_900_000 && times.is_sorted(),
        "{times:?}"
    );
    let again = ["streams", "streams.toml", "--module", "stream-gen.wasm", "--pcap", "again.pcap", "--quiet"];
    assert_eq!(bench.perigee(&again).err, "");
    assert_eq!(packets(&bench, "again.pcap"), told);
    let port = format!("out=net_pcap0,tx_pcap={}", bench.path("sent.pcap").display());
    let run =
        ["streams", "streams.toml", "--module", "stream-gen.wasm", "--port", &port, "--control", "off", "--json", "-"];
    let said = bench.perigee(&run);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let summary: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&summary["accounting"]["created"], &summary["accounting"]["balanced"]), (&50.into(), &true.into()));
    let sent = packets(&bench, "sent.pcap");
    for is_voice in [true, false] {
        assert_eq!(of_stream(&sent, is_voice), of_stream(&told, is_voice));
    }
}

/// Two random fields, a counter that carries another, weights, and values that stay.
const VARIED: &str = r#"
[[port]]
name = "out"
device = "net_pcap0,tx_pcap=FILE"

[[module]]
name = "gen"
file = "stream-gen.wasm"
grants = { hostcalls = ["log", "counter"] }

[module.config]
COMPILE
packet = """
020000000002 020000000001 0800
45 00 0022 0000 0000 40 11 0000 0a000001 0a010001
0400 0009 000e ffff 706572696765
"""
seed = 42
count = 1000
vary = [
    { field = "ipv4.source", draw = "random", from = "10.0.0.0", to = "10.0.200.255" },
    { field = "udp.source_port", draw = "random", from = 1024, to = 65535, times = 3 },
    { field = "udp.destination_port", draw = "weighted", values = [80, 443], weights = [3, 1] },
    { name = "low", offset = 19, bits = 8, to = 3 },
    { offset = 18, bits = 8, to = 9, carry = "low" },
]

[[chain]]
source = { module = "gen", pool = 2047 }
tx = ["out"]
"#;

#[test]
fn machine_code_sends_the_packets_of_the_interpreter() {
    let bench = bench();
    let sent = |file: &str, compile: &str, told: &str| {
        let path = bench.path(file).display().to_string();
        bench.write("varied.toml", &VARIED.replace("FILE", &path).replace("COMPILE", compile));
        let said = bench.perigee(&["run", "varied.toml", "--control", "off", "--log", "debug", "--quiet"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(said.err.contains(told), "{told}: {}", said.err);
        packets(&bench, file).into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>()
    };
    let compiled = sent("compiled.pcap", "", "module \"gen\": its fields are compiled");
    let why = "module \"gen\": its fields are interpreted: compile = false";
    assert_eq!((compiled.len(), compiled), (1_000, sent("interpreted.pcap", "compile = false", why)));
}

#[test]
fn streams_are_told_in_words() {
    let bench = bench();
    let said = bench.perigee(&["streams", "streams.toml", "--module", "stream-gen.wasm", "--print", "--count", "1"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for part in [
        "stream voice on port out\n  leaves   at 10 kpps, evenly; ends after 20 packets\n",
        "  packets  128 bytes: Ethernet, VLAN, IPv4, UDP, 82 bytes of payload\n",
        "  varies   ipv4.source: 10.0.0.1 to 10.0.0.200, random\n",
        "  leaves   at 20 kpps, with gaps by chance (Poisson); begins behind voice; ends after 30 packets\n",
        "  packets  sizes IMIX simple, counter: Ethernet, IPv6, TCP\n",
        "packet 1 at 0.000000000 s: voice, 128 bytes\n  Ethernet ",
        "  000010 08 00 45 00 00 6e",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let bench = bench();
    let said = |from: &str, to: &str, arguments: &[&str]| {
        assert!(STREAMS.contains(from), "{from}");
        bench.write("bad.toml", &STREAMS.replacen(from, to, 1));
        let said = bench.perigee(&[&["streams", "bad.toml", "--module", "stream-gen.wasm"], arguments].concat());
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{to}: {}", said.err);
        said.err
    };
    for (from, to, told) in [
        ("size = 128", "sise = 128", "bad.toml:5: unknown key `sise`; did you mean `size`? known keys: name, rate,"),
        ("size = 128", "size = 40", "bad.toml:5: size is 40, and headers and payload have 46 bytes; sizes are without"),
        (
            "{ vlan = { vid = 5 } }",
            "{ vlan = { vid = 5000 } }",
            "bad.toml:4: vlan.vid: 5000 is not what fits here: a number up to 4095",
        ),
        ("\"udp\" ]", "\"upd\" ]", "bad.toml:4: unknown header \"upd\"; did you mean \"udp\"? docs/headers.md has all"),
        ("rate = \"10 kpps\"", "rate = \"10 kp\"", "bad.toml:7:8: \"10 kp\" is no rate; write packets per second as"),
        (
            "after = \"voice\"",
            "after = \"vioce\"",
            "bad.toml:16: stream \"web\": unknown stream \"vioce\"; did you mean \"voice\"?",
        ),
        ("count = 30", "count = 30\nqueue = 1", "bad.toml:18: a tx queue has no number of its own; "),
        (
            "ipv4.source\", draw",
            "ipv4.sauce\", draw",
            "bad.toml:6: stream \"voice\": vary[0]: field: the packet has no \"ipv4.sauce\"",
        ),
        ("imix = \"simple\"", "imix = \"simpel\"", "bad.toml:13: stream \"web\": sizes: "),
        (
            "sizes = { imix = \"simple\" }\nrate = \"20 kpps\"",
            "",
            "stream \"web\": it has no rate; as in rate = \"1 Mpps\"",
        ),
        ("size = 128", "size = true", "bad.toml:5:8: invalid type: boolean `true`, expected u16"),
    ] {
        let err = said(from, to, &["--print"]);
        assert!(err.contains(told), "{told}\n{err}");
    }
    assert!(said("name", "name", &[]).contains("there is no port to send on: add --port out=DEVICE"));
    let err = said("name = \"web\"", "name = \"web\"\nport = \"aut\"", &["--port", "out=net_null0"]);
    assert!(err.contains("bad.toml:12: stream \"web\": unknown port \"aut\"; did you mean \"out\"?"), "{err}");
    let err = said("ipv4.source\", draw", "ipv4.sauce\", draw", &["--port", "out=net_null0", "--control", "off"]);
    assert!(err.contains("bad.toml:6: stream \"voice\": ") && err.contains("ipv4.sauce"), "{err}");
    let said = bench.perigee(&["streams", "streams.toml", "--module", "gone.wasm", "--print"]);
    assert_eq!(said.err, "error: --module gone.wasm: there is no such file\n");
}

#[test]
fn what_was_converted_runs() {
    let bench = bench();
    bench.write(
        "flows.lua",
        "Flow{\"load\", Packet.Udp{ ip4Src = range(ip\"10.0.0.1\", ip\"10.0.0.9\"), udpDst = 42, pktLength = 60 },\n  rate = \"10kp/s\" }\n",
    );
    let said = bench.perigee(&["convert", "flows.lua", "-o", "flows.toml"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "", ""));
    let said = bench.perigee(&[
        "streams",
        "flows.toml",
        "--module",
        "stream-gen.wasm",
        "--pcap",
        "a.pcap",
        "--count",
        "12",
        "-q",
    ]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let sources: Vec<u8> = packets(&bench, "a.pcap").iter().map(|(_, bytes)| bytes[29]).collect();
    assert_eq!(sources, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3]);
    bench.write("bad.lua", "Flow{\"load\",\n  Packet.Udp{ pktLength = 5 * 12 } }\n");
    let said = bench.perigee(&["convert", "bad.lua"]);
    let told = "bad.lua:2: `*` reckons, and no Lua is run: write the value\n";
    assert_eq!((said.code, said.err.as_str()), (Some(1), told));
    let told = bench.perigee(&["convert", "streams.toml"]).err;
    assert!(told.contains(".yaml for a profile of TRex, .lua for flows of moongen-simple"), "{told}");
}
