//! Who computes which checksum.

use super::tests::{Labels, Mobile, Options, UDP4, config, digits, start};
use super::*;
use perigee_guest::abi::{offloads, tx_flags};
use perigee_guest::testing::{Host, Run};
use perigee_guest::wire::checksum;
use std::fmt::Write as _;

#[test]
fn a_port_is_asked_only_for_what_it_does_right() {
    let udp = |flags: u32| flags & tx_flags::UDP_CHECKSUM != 0;
    let make = |packet: &str, rest: &str| {
        let mut run = Run::default();
        let can = offloads::TX_IP_CHECKSUM | offloads::TX_UDP_CHECKSUM | offloads::TX_TCP_CHECKSUM;
        run.ports[usize::from(run.next_port)].offloads = can;
        let json = config(packet, &format!(r#""checksums": "offload"{rest}"#));
        Host::<StreamGen>::start_in(run, &json).unwrap().generate(3)
    };
    let spoilt = |packet: String| packet.replace("a5a5a5a5", "a5a5a5aa");
    // Extension headers, bytes behind the packet, bytes behind it that vary, a source route.
    let padded = format!("{UDP4} aaaaaaaaaaaaaaaaaaaaaaaaaa");
    let varied = r#", "vary": [{"offset": 59, "bits": 8, "from": 1, "to": 250}]"#;
    let sized = r#", "sizes": {"from": 90, "to": 97}"#;
    let routed = UDP4.replace("45 00 0022", "47 00 002a").replace("0a010001", "0a010001 8307040909090900");
    let cases = [
        (spoilt(digits::<Options>()), ""),
        (spoilt(digits::<Options>()), sized),
        (padded.clone(), ""),
        (UDP4.to_owned(), varied),
        (routed, ""),
    ];
    for (packet, rest) in cases {
        for output in make(&packet, rest) {
            assert!(!udp(output.desc.tx_flags), "{packet} {rest}");
            let mut right = output.bytes.clone();
            checksum::fill(&mut right).unwrap();
            // What is asked of the port is the header of IPv4.
            let header = if output.desc.tx_flags == 0 { 0..0 } else { 24..26 };
            right[header.clone()].copy_from_slice(&output.bytes[header]);
            assert_eq!(output.bytes, right, "{packet} {rest}");
        }
    }
    // Zeros that make a short frame long enough change nothing, and of other sizes all bytes belong to the packet.
    for (packet, rest) in [(UDP4.to_owned(), ""), (UDP4.to_owned(), sized), (padded, sized)] {
        assert!(make(&packet, rest).iter().all(|output| udp(output.desc.tx_flags)), "{packet} {rest}");
    }
}

#[test]
fn a_template_behind_labels_needs_no_checksums() {
    for packet in [digits::<Labels>(), digits::<Mobile>()] {
        let good = start(&packet, "").generate(1).remove(0);
        assert_eq!(checksum::check(&good.bytes), Ok(()));
        // The inner IPv4 header's, and UDP's.
        let inner = good.bytes.len() - 48;
        let mut text = String::new();
        for (at, byte) in good.bytes.iter().enumerate() {
            let is_sum = (inner + 10..inner + 12).contains(&at) || (inner + 26..inner + 28).contains(&at);
            write!(text, "{:02x}", if is_sum && at < inner + 12 { 0 } else { u8::from(is_sum) ^ *byte }).unwrap();
        }
        assert_eq!(start(&text, "").generate(1).remove(0).bytes, good.bytes);
    }
}
