//! Datagrams with all samples, as tshark reads them, and what is malformed.

use super::*;
use crate::wire::protocols::captured::hex;
use crate::wire::{Ethernet, Fields as _, Header as _, Layers};
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

/// The beginning of a UDP packet of 1400 bytes.
const PACKET: &str = "00000001 00000040 00000001 00000578 00000004 0000002d
    020000000001 020000000002 0800 4500001f00010000401166cb0a0000010a000002 00010002000b2770 616263 000000";
const SWITCH: &str = "000003e9 00000010 0000000a 00000001 00000014 00000002";
const PORT: &str = "00000001 00000058 00000003 00000006 00000002540be400 00000001 00000003 000000000000006f 00000001
    00000002 00000003 00000004 00000005 00000006 00000000000000de 00000007 00000008 00000009 0000000a 0000000b 00000000";

pub(in crate::wire::protocols) fn datagram() -> String {
    format!(
        "00000005 00000001 c0000209 00000001 0000004d 0001e240 00000005
         00000001 00000080 0000000b 00000003 000003e8 00001388 00000001 00000003 80000002 00000002 {PACKET} {SWITCH}
         00000003 00000044 0000000c 00000000 00000003 000007d0 00001770 00000002 00000000 00000003 00000001 00000102
                           00000001 {SWITCH}
         00000002 0000006c 0000000d 00000003 00000001 {PORT}
         00000004 00000070 0000000e 00000000 00000003 00000001 {PORT}
         0113d007 00000004 00000001"
    )
}

#[test]
fn packets_are_read() {
    let bytes = hex(&datagram());
    let datagram = Datagram::parse(&bytes).unwrap();
    assert_eq!((datagram.agent, datagram.sequence), ([192, 0, 2, 9].into(), 77));
    assert_eq!((datagram.sub_agent, datagram.uptime, datagram.sample_count), (1, 123_456, 5));
    let samples: Vec<_> = datagram.samples().map(Result::unwrap).collect();
    let [Sample::Flow(plain), Sample::Flow(expanded), ..] = &samples[..] else { panic!("{samples:?}") };
    assert_eq!((plain.source, plain.rate, plain.pool, plain.drops), ((0, 3), 1000, 5000, 1));
    assert_eq!((plain.input, plain.output), ((0, 3), (2, 2)));
    assert_eq!((expanded.source, expanded.rate, expanded.pool, expanded.drops), ((0, 3), 2000, 6000, 2));
    assert_eq!((expanded.input, expanded.output), ((0, 3), (1, 258)));
    let records: Vec<_> = plain.records().map(Result::unwrap).collect();
    let [Record::Packet { header, bytes }, Record::Switch(switch)] = records[..] else { panic!("{records:?}") };
    assert_eq!((header.protocol(), header.frame_length(), header.stripped()), (SflowPacket::ETHERNET, 1400, 4));
    assert_eq!((bytes.len(), Layers::starting_with(&Ethernet::INFO, bytes).count()), (45, 3));
    assert_eq!((switch.source_vlan(), switch.source_priority()), (10, 1));
    assert_eq!((switch.destination_vlan(), switch.destination_priority()), (20, 2));
    assert_eq!(expanded.records().count(), 1);
}

#[test]
fn counters_are_read() {
    let bytes = hex(&datagram());
    let samples: Vec<_> = Datagram::parse(&bytes).unwrap().samples().skip(2).map(Result::unwrap).collect();
    let [Sample::Counters(plain), Sample::Counters(expanded), other] = &samples[..] else { panic!("{samples:?}") };
    assert!(matches!(other, Sample::Other { enterprise: 4413, format: 7, bytes: [0, 0, 0, 1] }));
    for (counters, sequence) in [(plain, 13), (expanded, 14)] {
        assert_eq!((counters.sequence, counters.source), (sequence, (0, 3)));
        let record = counters.records().next().unwrap().unwrap();
        let Record::Port(port) = record else { panic!("{record:?}") };
        assert_eq!((port.index(), port.kind(), port.speed(), port.status()), (3, 6, 10_000_000_000, 3));
        assert_eq!((port.in_bytes(), port.in_unicast(), port.in_unknown()), (111, 1, 6));
        assert_eq!((port.out_bytes(), port.out_unicast(), port.out_errors()), (222, 7, 11));
    }
}

#[test]
fn an_agent_may_have_an_ipv6_address() {
    let bytes = hex("00000005 00000002 20010db8000000000000000000000009 00000001 0000004e 0001e241 00000000");
    let datagram = Datagram::parse(&bytes).unwrap();
    assert_eq!((datagram.agent.to_string(), datagram.sequence), ("2001:db8::9".into(), 78));
    assert_eq!(datagram.samples().count(), 0);
    let mut outer = Sflow::default();
    outer.set_next(&SflowIpv6::FORMAT);
    assert_eq!(outer.address_type(), 2);
    for (at, value) in [(3, 4), (7, 3), (7, 0)] {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        assert!(Datagram::parse(&bytes).is_err(), "{at} {value}");
    }
}

#[test]
fn what_leaves_its_sample_is_an_error_once() {
    let good = hex(&datagram());
    let errors = |bytes: &[u8]| -> Vec<bool> {
        Datagram::parse(bytes).unwrap().samples().map(|sample| sample.is_err()).collect()
    };
    assert_eq!(errors(&good), [false; 5]);
    assert_eq!(errors(&good[..good.len() - 1]), [false, false, false, false, true]);
    let mut bytes = good.clone();
    bytes[35] = 0xff;
    bytes[32] = 0xff;
    assert_eq!(errors(&bytes), [true]);
    // The sample says that it has more records than there are, and its first record more bytes.
    let mut bytes = good;
    bytes[67] = 0xff;
    let records = |bytes: &[u8]| -> Vec<bool> {
        let Sample::Flow(flow) = Datagram::parse(bytes).unwrap().samples().next().unwrap().unwrap() else { panic!() };
        flow.records().map(|record| record.is_err()).collect()
    };
    assert_eq!(records(&bytes), [false, false, true]);
    bytes[91] = 0xff;
    assert_eq!(records(&bytes), [true, false, true]);
}
