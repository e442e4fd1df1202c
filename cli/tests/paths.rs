//! Packets that pass by: a bridge of the kernel between two interfaces, seen on both sides.

use crate::lab::{Lab, Mode, Perigee, say};
use std::time::Duration;

/// How many packets pass.
const PACKETS: u64 = 5_000;

/// What iproute2 calls the bridge of a port: a word that is used nowhere else here.
const JOINS: &str = concat!("mas", "ter");

#[test]
fn a_bridge_of_the_kernel_is_measured_by_what_passes() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let (host, device) = (lab.namespace(), lab.namespace());
    if !device.ip_works("link add br0 type bridge forward_delay 0 mcast_snooping 0") {
        return say("not run: this kernel makes no bridges");
    }
    device.up("br0");
    for end in ["a", "b"] {
        host.join(&format!("tap-{end}"), &device, &format!("port-{end}"), 1_500);
        device.ip(&format!("link set port-{end} {JOINS} br0 up"));
        host.up(&format!("tap-{end}"));
    }
    ["a", "b"].iter().for_each(|end| host.wait_until_up(&format!("tap-{end}")));
    let module = lab.module("udp-gen", "{ size = 128, src_count = 65536, dst_mac = \"02:00:00:00:00:0b\" }", &["a"]);
    let config = format!(
        "[[port]]\nname = \"a\"\ndevice = \"net_af_packet0,iface=tap-a\"\n\
         [[port]]\nname = \"b\"\ndevice = \"net_af_packet1,iface=tap-b\"\n{module}\
         [[chain]]\nname = \"send\"\nsource = {{ module = \"udp-gen\" }}\ntx = [\"a\"]\n\
         [[chain]]\nname = \"see\"\nsource = {{ port = \"b\" }}\nfilter = \"udp port 9\"\n\
         [[stream]]\nname = \"load\"\nchain = \"send\"\nrate = \"5 kpps\"\ncount = {PACKETS}\n\
         [[path]]\nname = \"bridge\"\nfirst = {{ sent_by = [\"send\"] }}\nthen = {{ received_by = [\"see\"] }}\ntimeout = \"1s\"\n"
    );
    let mut perigee = Perigee::start(&host, "paths", &config);
    perigee.wait_until_running();
    std::thread::sleep(Duration::from_millis(1_000 * PACKETS / 5_000 + 500));
    let summary = perigee.stop("INT");
    let path = &summary.list("paths")[0];
    let number = |key: &str| path["packets"][key].as_u64().unwrap();
    let missed = summary.port("b")["rx_missed"].as_u64().unwrap();
    say(&format!("{PACKETS} packets, {missed} missed: {path}"));
    assert_eq!(number("first"), PACKETS);
    // Draws of the same addresses and ports within two seconds are ambiguous; what the kernel dropped in front of the port is lost.
    assert!(number("lost") <= missed && number("ambiguous") < PACKETS / 10, "{missed}: {path}");
    assert_eq!(number("in_time") + number("late") + number("lost") + number("ambiguous"), PACKETS, "{path}");
    assert_eq!((number("outstanding"), number("waiting"), number("only_then")), (0, 0, 0), "{path}");
    assert_eq!(path["latency"]["before_departure"], 0, "{path}");
    assert!(path["latency"]["min_ns"].as_u64().unwrap() > 500, "{path}");
}
