//! What is said of ports' devices before any driver sees them.

use super::super::*;

/// What is wrong with these ports, each given by its device and further keys, as texts.
fn problems(ports: &[&str]) -> Vec<String> {
    let config = Config::read(&text(ports), "x").unwrap();
    let errors = config.validate().into_iter().filter(|problem| problem.severity == Severity::Error);
    errors.map(|problem| problem.to_string()).collect()
}

/// A configuration of these ports, which are called a, b, and so on.
fn text(ports: &[&str]) -> String {
    let port = |(number, device): (usize, &&str)| {
        let name = char::from(b'a' + u8::try_from(number).unwrap());
        format!("[[port]]\nname = \"{name}\"\ndevice = \"{}\n", device.replacen('|', "\"\n", 1))
    };
    let ports: String = ports.iter().enumerate().map(port).map(|port| closed(&port)).collect();
    format!("{ports}[[module]]\nname = \"m\"\nfile = \"m\"\n[[chain]]\nsource = {{ module = \"m\" }}\ntx = [\"a\"]\n")
}

/// The text of a port with the quotation mark behind its device, where no further key stands there.
fn closed(port: &str) -> String {
    let lines = port.lines().map(|line| {
        let is_open = line.starts_with("device = ") && !line.ends_with('"');
        format!("{line}{}\n", if is_open { "\"" } else { "" })
    });
    lines.collect()
}

#[test]
fn devices_that_work_pass() {
    for device in [
        "net_null0,size=1500,copy=1",
        "net_null0,no-rx=1",
        "net_ring0",
        "net_ring_34567890",
        "net_tap_89012345678901",
        "net_pcap0,rx_pcap=a,rx_pcap=b,tx_pcap=c",
        "net_pcap0,iface=lo",
        "net_tap0",
        "net_tap0,iface=tap-a,mac=fixed",
        "net_tap0|mtu = 1504",
        "net_af_packet0,iface=eth0,framesz=9216,blocksz=36864,framecnt=128,qpairs=2,qdisc_bypass=0",
        "net_af_packet0,iface=eth0,blocksz=65536",
        "net_af_xdp0,iface=eth0,start_queue=1,queue_count=2",
        "net_memif0,role=server,id=1,socket=/tmp/x.sock,socket-abstract=no,bsize=9216,rsize=11,zero-copy=no",
        "net_vhost0,iface=/tmp/x,queues=1",
        "net_virtio_user0,path=/dev/vhost-net",
        "0000:01:00.0,whatever=1",
    ] {
        assert_eq!(problems(&[device]), [""; 0], "{device}");
    }
}

#[test]
fn slips_in_devices_are_named() {
    for (device, expected) in [
        (
            "net_ring_to_firewall",
            "port \"a\": the device's name \"net_ring_to_firewall\" has 20 characters; net_ring takes names of 17 characters at most, as in \"net_ring0\"",
        ),
        (
            "net_nul0",
            "port \"a\": no driver makes device \"net_nul0\"; did you mean \"net_null0\"? known virtual devices: net_null, ",
        ),
        (
            "net_afpacket0,iface=x",
            "port \"a\": no driver makes device \"net_afpacket0\"; did you mean \"net_af_packet0\"? ",
        ),
        (
            "net_nonsense0",
            "port \"a\": no driver makes device \"net_nonsense0\"; known virtual devices: net_null, net_ring, ",
        ),
        (
            "net_tap0,ifcae=tap-a",
            "port \"a\": net_tap has no argument \"ifcae\"; did you mean \"iface\"? known arguments: iface, remote, mac",
        ),
        ("net_tap0, iface=tap-a", "port \"a\": net_tap has no argument \" iface\"; did you mean \"iface\"? "),
        ("net_tap0,iface", "port \"a\": argument \"iface\" has no value; write iface=VALUE"),
        ("net_tap0,iface=a,iface=b", "port \"a\": argument \"iface\" is there twice; once is enough"),
        (
            "net_tap0,iface=sixteen-letters-",
            "port \"a\": \"sixteen-letters-\" is no name for an interface; it has at most 15 characters",
        ),
        ("net_tap0|mtu = 1505", "port \"a\": mtu is 1505, and net_tap takes 1504 at most; its frames have 1,522 bytes"),
        ("net_null0,no-rx=yes", "port \"a\": no-rx is \"yes\"; it must be a number from 0 to 1"),
        ("net_memif0,role=main", "port \"a\": role is \"main\"; it must be server or client"),
        ("net_memif0,rsize=15", "port \"a\": rsize is \"15\"; it must be a number from 1 to 14"),
        ("net_af_packet0", "port \"a\": net_af_packet works on an interface; give it as iface=NAME"),
        ("net_af_xdp0,start_queue=0", "port \"a\": net_af_xdp works on an interface; give it as iface=NAME"),
        ("net_pcap0", "port \"a\": net_pcap has no file; give rx_pcap=FILE, tx_pcap=FILE, or iface=NAME"),
        ("net_af_packet0,iface=x,qpairs=257", "port \"a\": qpairs is \"257\"; it must be a number from 1 to 256"),
        (
            "net_af_xdp0,iface=x|rx_descriptors = 1000",
            "port \"a\": rx_descriptors is 1000, and net_af_xdp takes powers of two; 1024 is near",
        ),
        ("net_af_xdp0,iface=x|mtu = 3507", "port \"a\": mtu is 3507, and net_af_xdp takes 3506 at most; net_af_packet"),
        (
            "net_memif0,socket=here.sock,socket-abstract=no",
            "port \"a\": socket \"here.sock\" cannot be made; DPDK takes an absolute path of at most 107 characters",
        ),
        ("net_tap0|pool = 511", "port \"a\": a pool of 511 rooms; it must have 1151 to 16777216"),
    ] {
        let found = problems(&[device]);
        assert!(matches!(&found[..], [only] if only.starts_with(expected)), "{device}: {found:?}");
    }
}

#[test]
fn further_drivers_are_nobodys_business() {
    let config = Config::read(&format!("[run]\neal_args = [\"-d\", \"mine.so\"]\n{}", text(&["net_mine0"])), "x");
    assert_eq!(config.unwrap().validate(), []);
}

#[test]
fn two_ports_on_one_interface_are_noticed() {
    let already = "port \"b\": interface \"x\" is that of port \"a\" already; ";
    for (one, other, help) in [
        ("net_tap0,iface=x", "net_tap1,iface=x", "the kernel would spread flows over both"),
        ("net_af_packet0,iface=x", "net_af_packet1,iface=x", "both would get all of its frames"),
        ("net_af_packet0,iface=x", "net_pcap1,iface=x", "both would get all of its frames"),
        ("net_af_packet0,iface=x", "net_af_xdp1,iface=x", "both would get all of its frames"),
        ("net_pcap0,rx_iface=x", "net_pcap1,rx_iface_in=x", "both would get all of its frames"),
        ("net_af_xdp0,iface=x", "net_af_xdp1,iface=x", "a queue of an interface belongs to one port"),
        ("net_af_xdp0,iface=x,queue_count=2", "net_af_xdp1,iface=x,start_queue=1", "a queue of an interface belongs"),
    ] {
        for (a, b) in [(one, other), (other, one)] {
            let found = problems(&[a, b]);
            assert!(
                matches!(&found[..], [only] if only.starts_with(&format!("{already}{help}"))),
                "{a} {b}: {found:?}"
            );
        }
    }
    for (one, other) in [
        ("net_tap0,iface=x", "net_tap1,iface=y"),
        ("net_tap0", "net_tap1"),
        // The kernel's end of a TAP is an interface like others.
        ("net_tap0,iface=x", "net_af_packet0,iface=x"),
        ("net_af_xdp0,iface=x", "net_af_xdp1,iface=x,start_queue=1"),
        ("net_pcap0,rx_iface=x", "net_pcap1,tx_iface=x"),
        ("net_vhost0,iface=/tmp/x", "net_vhost1,iface=/tmp/y"),
    ] {
        assert_eq!(problems(&[one, other]), [""; 0], "{one} {other}");
    }
}

#[test]
fn a_card_is_noticed_by_its_other_spelling() {
    let found = problems(&["0000:01:0a.0", "01:0A.0"]);
    let expected = "port \"b\": device \"01:0A.0\" is port \"a\" already; a card is one port";
    assert!(matches!(&found[..], [only] if only.starts_with(expected)), "{found:?}");
}

#[test]
fn a_chain_names_each_port_once() {
    let text = text(&["net_null0"]).replace("tx = [\"a\"]", "tx = [\"a\", \"a\"]");
    let found = Config::read(&text, "x").unwrap().validate();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].to_string().starts_with("chain \"chain0\": port \"a\" is named twice; once is enough"),
        "{found:?}"
    );
}

#[test]
fn a_list_of_lcores_has_some() {
    let text = text(&["net_null0"]).replace("source = ", "lcores = []\nsource = ");
    let said = Config::read(&text, "x").expect_err("it names no CPU").to_string();
    assert!(said.contains("lcores is an empty list; name CPUs, or leave the key away to get one by load"), "{said}");
}

#[test]
fn wires_have_two_ends_that_differ() {
    let wire = |arguments: &str| format!("wire:lab,{arguments}");
    let told = |ports: &[&str]| {
        problems(&ports.iter().map(|port| wire(port)).collect::<Vec<_>>().iter().map(|p| &**p).collect::<Vec<_>>())
    };
    assert_eq!(told(&["end=a,rate=10G,delay=5us", "end=b"]), [""; 0]);
    for (ports, expected) in [
        (
            &["end=a"][..],
            "port \"a\": wire \"lab\" has no other end; add a port with device = \"wire:lab,end=...\", and another name for its end",
        ),
        (
            &["end=a", "end=a"],
            "port \"b\": end \"a\" of wire \"lab\" is port \"a\" already; the two ends of a wire have different names",
        ),
        (
            &["end=a", "end=b", "end=c"],
            "port \"c\": wire \"lab\" has two ends already; a wire joins two ports; give this one a wire of its own",
        ),
        (&["end=a,rate=0", "end=b"], "port \"a\": rate is 0: nothing would ever arrive; "),
        (
            &["end=a,dealy=5us", "end=b"],
            "port \"a\": wire: has no argument \"dealy\"; did you mean \"delay\"? known arguments: end, rate, ",
        ),
        (&["end=a,loss=", "end=b"], "port \"a\": argument \"loss\" has no value; write loss=VALUE"),
        (&["end=a,loss=1%,loss=2%", "end=b"], "port \"a\": argument \"loss\" is there twice; once is enough"),
        (&["rate=1G", "end=b"], "port \"a\": wire \"lab\": this end has no name; "),
    ] {
        let found = told(ports);
        assert!(found.iter().any(|found| found.starts_with(expected)), "{ports:?}: {found:#?}");
    }
}

#[test]
fn a_wire_has_one_rx_queue() {
    let two = "[[port]]\nname = \"a\"\ndevice = \"wire:lab,end=a\"\nrx_queues = 2\n[[port]]\nname = \"b\"\ndevice = \"wire:lab,end=b\"\n\
               [[module]]\nname = \"m\"\nfile = \"m\"\n[[chain]]\nsource = { port = \"a\", queue = 1 }\nstages = [\"m\"]\ntx = [\"b\"]\n";
    let config = Config::read(two, "x").unwrap();
    let found: Vec<String> = config.validate_cpus(&[0]).iter().map(ToString::to_string).collect();
    assert!(
        found.iter().any(|found| found.contains("\"a\"") && found.contains("the device has 1 and 1024")),
        "{found:#?}"
    );
}

/// A port that plays a file, a sink, and what else is said.
fn with_file(device: &str, rest: &str) -> Vec<String> {
    let text =
        format!("[[port]]\nname = \"in\"\ndevice = \"{device}\"\n[[chain]]\nsource = {{ port = \"in\" }}\n{rest}");
    let config = Config::read(&text, "x").unwrap();
    config.validate().iter().map(ToString::to_string).collect()
}

#[test]
fn files_say_what_is_wrong_with_them() {
    assert_eq!(with_file("file:a.pcap,file=b.pcap,speed=0.5,loop=3", ""), [""; 0]);
    for (device, expected) in [
        ("file:", "port \"in\": no file is named; its path stands behind the colon"),
        ("file:a,speed=fast", "port \"in\": speed = \"fast\" is not understood; 1 keeps the files' times"),
        (
            "file:a,sped=1",
            "port \"in\": file: has no argument \"sped\"; did you mean \"speed\"? known arguments: file, speed, ",
        ),
        ("file:a,speed=1,speed=2", "port \"in\": argument \"speed\" is there twice; once is enough"),
        ("file:a,rate=1M", "port \"in\": rate = \"1M\" does not say of what; packets, as in rate=100kpps, or bits"),
        ("file:a,snapped=cut", "port \"in\": snapped is \"cut\"; it must be refuse or send or pad"),
        ("file:a,link=ip", "port \"in\": link is \"ip\"; it must be ethernet"),
        ("file:a,loop", "port \"in\": argument \"loop\" has no value; write loop=VALUE"),
    ] {
        let found = with_file(device, "");
        assert!(found.iter().any(|found| found.starts_with(expected)), "{device}: {found:#?}");
    }
}

#[test]
fn a_file_takes_no_packets() {
    let told = "port \"in\" plays a file, and sends nothing; what is sent needs a port of another kind";
    let found = with_file("file:a", "tx = [\"in\"]\n");
    assert!(found.iter().any(|found| found.contains(told)), "{found:#?}");
    let found =
        with_file("file:a", "stages = [\"m\"]\n[[module]]\nname = \"m\"\nfile = \"m\"\ngrants = { tx = [\"in\"] }\n");
    assert!(found.iter().any(|found| found.contains(told)), "{found:#?}");
}

#[test]
fn two_ports_may_play_one_file_and_wait_where_there_is_no_place() {
    let text = "[[port]]\nname = \"a\"\ndevice = \"file:x\"\n[[port]]\nname = \"b\"\ndevice = \"file:x\"\n\
                [[chain]]\nsource = { port = \"a\" }\n[[chain]]\nsource = { port = \"b\" }\nwhen_full = \"drop\"\n";
    let config = Config::read(text, "x").unwrap();
    assert_eq!(config.validate(), []);
    assert_eq!((config.chains[0].when_full(), config.chains[1].when_full()), (WhenFull::Wait, WhenFull::Drop));
}

#[test]
fn who_can_be_observed_is_known() {
    for device in [
        "net_af_packet0,iface=eth0",
        "net_af_packet0,iface=eth0,qdisc_bypass=0",
        "net_tap0,iface=t",
        "net_pcap0,iface=lo",
    ] {
        assert_eq!(problems(&[&format!("{device}|observe = true")]), [""; 0], "{device}");
    }
    for (device, expected) in [
        ("net_null0", "leave `observe` away"),
        ("net_af_xdp0,iface=eth0", "AF_XDP sends past all who look on"),
        ("net_tap0", "iface=NAME"),
        ("net_pcap0,rx_pcap=a,tx_pcap=b", "iface=NAME"),
        ("net_af_packet0,iface=eth0,qdisc_bypass=1", "leave qdisc_bypass away"),
        ("0000:01:00.0", "leave `observe` away"),
    ] {
        let found = problems(&[&format!("{device}|observe = true")]);
        assert!(found.len() == 1 && found[0].contains(expected) && found[0].contains("observe"), "{device}: {found:?}");
    }
}

#[test]
fn a_port_that_is_observed_does_not_go_past_who_looks_on() {
    let ring = |observe| {
        let port = Port { observe, ..Port::new("a", "net_af_packet0,iface=eth0") };
        crate::device::PacketRing::of(&port).unwrap().bypass
    };
    assert_eq!([false, true].map(ring), [true, false]);
}
