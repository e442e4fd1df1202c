//! What is written of packets that are made here.

use super::*;
use perigee_guest::wire::{Arp, Ethernet, Icmp, IcmpEcho, Ipv4, Ipv6, Layers, Stack, Tcp, Udp, Vlan, Vxlan, show};
use perigee_pcap::file::Record;
use std::net::{Ipv4Addr, Ipv6Addr};

perigee_guest::stack! { struct Udp4 { eth: Ethernet, tag: Vlan, ip: Ipv4, udp: Udp } }
perigee_guest::stack! { struct Tcp6 { eth: Ethernet, ip: Ipv6, tcp: Tcp } }
perigee_guest::stack! { struct Question { eth: Ethernet, arp: Arp } }
perigee_guest::stack! { struct Ping { eth: Ethernet, ip: Ipv4, icmp: Icmp, echo: IcmpEcho } }
perigee_guest::stack! {
    struct Tunnel { eth: Ethernet, ip: Ipv4, udp: Udp, vxlan: Vxlan, inner: Ethernet, inner_ip: Ipv4, inner_udp: Udp }
}

const TIME: i128 = 1_700_000_000_000_000_007;

fn written(form: &mut Form, link: u16, bytes: &[u8]) -> String {
    let mut line = Line::with_capacity(0);
    let original = u32::try_from(bytes.len()).unwrap();
    form.write(&Packet::of(3, &Record { time: Some(TIME), bytes, original, link }), &mut line);
    String::from_utf8(line.bytes().to_vec()).unwrap()
}

fn brief(link: u16, bytes: &[u8]) -> String {
    written(&mut Form::Brief(brief::Briefs::default()), link, bytes)
}

fn udp4() -> [u8; 70] {
    let mut packet = [0; 70];
    Udp4::fill(&mut packet, |p| {
        p.tag.set_vid(7);
        p.ip.set_source(Ipv4Addr::new(10, 0, 0, 1));
        p.ip.set_destination(Ipv4Addr::new(192, 168, 100, 255));
        p.udp.set_source_port(4_000);
        p.udp.set_destination_port(9);
    })
    .unwrap();
    packet
}

#[test]
fn one_line_has_addresses_and_ports() {
    let of = "00:00:00:00:00:00 > 00:00:00:00:00:00";
    assert_eq!(
        brief(1, &udp4()),
        format!(
            "3 1700000000.000000007 70: Ethernet {of}, VLAN vid=7, IPv4 10.0.0.1 > 192.168.100.255, UDP 4000 > 9, 24 bytes\n"
        )
    );
    let mut packet = [0; 80];
    Tcp6::fill(&mut packet, |p| {
        p.ip.set_source(Ipv6Addr::LOCALHOST);
        p.tcp.set_syn(true);
        p.tcp.set_ack(true);
        p.tcp.set_destination_port(80);
    })
    .unwrap();
    assert!(brief(1, &packet).ends_with("IPv6 ::1 > ::, TCP 0 > 80 SA sequence=0, 6 bytes\n"), "{}", brief(1, &packet));
    let mut packet = [0; 60];
    Question::fill(&mut packet, |p| p.arp.set_target(Ipv4Addr::new(10, 0, 0, 9))).unwrap();
    let told = brief(1, &packet);
    assert!(told.ends_with("ARP 0.0.0.0 > 10.0.0.9 operation=1, 18 bytes\n"), "{told}");
    // What Ethernet adds to a short packet does not belong to it.
    let mut packet = [0; 46];
    Udp4::fill(&mut packet, |_| {}).unwrap();
    let padded = [&packet[..], &[0; 14]].concat();
    assert!(brief(1, &padded).ends_with("UDP 0 > 0, 14 bytes of padding\n"), "{}", brief(1, &padded));
    let mut packet = [0; 60];
    Ping::fill(&mut packet, |p| p.icmp.set_kind(8)).unwrap();
    assert!(brief(1, &packet).contains("ICMP kind=8 code=0, echo identifier=0 sequence=0, 18 bytes"));
    let mut packet = [0; 120];
    Tunnel::fill(&mut packet, |p| p.vxlan.set_vni(5)).unwrap();
    assert!(brief(1, &packet).contains("VXLAN vni=5, Ethernet "), "{}", brief(1, &packet));
}

#[test]
fn packets_without_ethernet_begin_where_they_begin() {
    let packet = udp4();
    assert!(
        brief(101, &packet[18..]).starts_with("3 1700000000.000000007 52: IPv4 10.0.0.1 > "),
        "{}",
        brief(101, &packet[18..])
    );
    let cooked = [&[0, 0, 0, 1, 0, 6, 9, 8, 7, 6, 5, 4, 0, 0, 0x08, 0x00][..], &packet[18..]].concat();
    assert!(brief(113, &cooked).contains(" 68: IPv4 10.0.0.1 > "), "{}", brief(113, &cooked));
    assert!(brief(105, &[1; 20]).ends_with(" 20: 802.11 (IEEE802_11)\n"), "{}", brief(105, &[1; 20]));
    let json: serde_json::Value = serde_json::from_str(&written(&mut Form::Json, 113, &cooked)).unwrap();
    assert_eq!((&json["headers"][0]["name"], &json["headers"][0]["at"]), (&"IPv4".into(), &16.into()));
}

#[test]
fn what_is_cut_is_malformed_and_whatever_the_bytes_are_they_are_written() {
    let packet = udp4();
    for len in 0..packet.len() {
        for link in [1, 101, 113, 276, 147] {
            for form in [&mut Form::Brief(brief::Briefs::default()), &mut Form::Verbose, &mut Form::Json] {
                let text = written(form, link, &packet[..len]);
                assert!(text.ends_with('\n') && text.is_ascii() && !text.contains('\x1b'), "{text}");
                let json = matches!(form, Form::Json).then(|| serde_json::from_str::<serde_json::Value>(&text));
                assert!(json.is_none_or(|json| json.is_ok()), "{text}");
            }
        }
    }
    assert!(brief(1, &packet[..30]).ends_with(", 12 bytes, malformed\n"), "{}", brief(1, &packet[..30]));
}

#[test]
fn json_has_all_fields_and_keeps_all_digits() {
    let json: serde_json::Value = serde_json::from_str(&written(&mut Form::Json, 1, &udp4())).unwrap();
    assert_eq!((&json["number"], &json["time_ns"]), (&3.into(), &"1700000000000000007".into()));
    let ip = &json["headers"][2];
    assert_eq!((&ip["name"], &ip["at"], &ip["length"]), (&"IPv4".into(), &18.into(), &20.into()));
    assert_eq!((&ip["fields"]["destination"], &ip["fields"]["ttl"]), (&"192.168.100.255".into(), &64.into()));
    assert_eq!((&json["payload"], &json["padding"], &json["malformed"]), (&24.into(), &0.into(), &false.into()));
}

#[test]
fn values_are_those_of_the_sdk() {
    for packet in [&udp4()[..], &{ [0xa5; 70] }[..]] {
        for place in Layers::new(packet) {
            for field in place.info.format.fields {
                let (mut ours, mut theirs) = (Line::with_capacity(0), String::new());
                ours.value(field, &packet[place.header()]);
                field.show(&packet[place.header()], &mut theirs).unwrap();
                assert_eq!(String::from_utf8_lossy(ours.bytes()), theirs, "{}", field.name);
            }
        }
    }
    let mut text = String::new();
    let layers: Vec<_> = Layers::new(&udp4()).collect();
    show(&layers[1].info.format, &udp4()[14..18], &mut text).unwrap();
    assert!(written(&mut Form::Verbose, 1, &udp4()).contains(&text));
}

#[test]
fn times_have_nine_digits() {
    let of = |ns: i128| {
        let mut line = Line::with_capacity(0);
        line.seconds(ns);
        String::from_utf8(line.bytes().to_vec()).unwrap()
    };
    assert_eq!([of(0), of(1), of(-1_500_000_000)], ["0.000000000", "0.000000001", "-1.500000000"]);
    assert_eq!(of(i128::from(u64::MAX) * 1_000), "18446744073709.551615000");
}

#[test]
fn addresses_are_as_the_library_writes_them() {
    use perigee_guest::wire::Header as _;
    let source = Ipv6::INFO.format.fields.iter().find(|field| field.name == "source").unwrap();
    // Each way to have zeros in an address, with groups of one to four digits between them, and IPv4 within.
    let values = [[1, 0x23, 0x456, 0x789a, 0xf, 0xff, 0xfff, 0xffff], [0xffff; 8]];
    let patterns = (0..256_u16).flat_map(|zeros| values.map(|groups| (zeros, groups)));
    for (zeros, mut groups) in patterns {
        groups.iter_mut().enumerate().filter(|(at, _)| zeros >> at & 1 != 0).for_each(|(_, group)| *group = 0);
        let address = Ipv6Addr::from(groups);
        let mut header = [0; 40];
        header[8..24].copy_from_slice(&address.octets());
        let mut line = Line::with_capacity(0);
        line.value(source, &header);
        assert_eq!(String::from_utf8_lossy(line.bytes()), address.to_string());
    }
    let source = Ipv4::INFO.format.fields.iter().find(|field| field.name == "source").unwrap();
    for byte in 0..=255 {
        let mut header = [0; 20];
        header[12..16].copy_from_slice(&[byte, 255 - byte, 0, byte]);
        let mut line = Line::with_capacity(0);
        line.value(source, &header);
        assert_eq!(String::from_utf8_lossy(line.bytes()), Ipv4Addr::new(byte, 255 - byte, 0, byte).to_string());
    }
}
