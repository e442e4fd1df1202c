//! Metadata and offloads: tags, checksums, timestamps, lengths; on ports that leave all of it to software.

use perigee_abi::{rx_flags, tx_flags, verdict as v};
use perigee_lab::{Bench, CHAIN, each, module, packets, verdict};

fn run(body: &str, input: &[Vec<u8>], strip: bool) -> perigee_lab::Outcome {
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", body))).input(input);
    let config = bench.config(CHAIN);
    let config = if strip { config.replacen("name = \"in\"", "name = \"in\"\nvlan_strip = true", 1) } else { config };
    bench.run(&config)
}

/// The ones' complement sum over all 16-bit words (RFC 1071); 0xffff where a checksum inside is right.
fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

/// An IPv4 packet with `options` words of options and an odd payload, checksums zero.
fn ipv4(protocol: u8, options: usize, l4: &[u8]) -> Vec<u8> {
    let header_len = 20 + 4 * options;
    let total = u16::try_from(header_len + l4.len()).unwrap();
    let mut p = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    p.push(0x45 + u8::try_from(options).unwrap());
    p.push(0);
    p.extend(total.to_be_bytes());
    p.extend([0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    p.extend(std::iter::repeat_n(1, 4 * options));
    p.extend(l4);
    // Padding that is not zero must not get into any sum.
    p.extend([0xee; 7]);
    p
}

fn pseudo_sum(packet: &[u8], ip_len: usize, l4_len: usize) -> u16 {
    let mut bytes = packet[26..34].to_vec();
    bytes.extend([0, packet[23]]);
    bytes.extend(u16::try_from(l4_len).unwrap().to_be_bytes());
    bytes.extend(&packet[14 + ip_len..14 + ip_len + l4_len]);
    sum(&bytes)
}

fn ask_checksums(flags: u32, l3_len: usize) -> String {
    format!(
        "{} (i32.store offset=28 (local.get $d) (i32.const {flags}))
         (i32.store8 offset=40 (local.get $d) (i32.const 14)) (i32.store8 offset=41 (local.get $d) (i32.const {l3_len}))",
        verdict(v::NEXT)
    )
}

#[test]
fn checksums_are_computed_where_the_port_cannot() {
    let udp = [&[0x12, 0x34, 0, 53, 0, 17, 0, 0][..], b"an odd 9."].concat();
    let tcp = [&[0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0][..], b"odd"].concat();
    for (protocol, l4, flag) in [(17, udp, tx_flags::UDP_CHECKSUM), (6, tcp, tx_flags::TCP_CHECKSUM)] {
        for options in [0, 1, 10] {
            let input = ipv4(protocol, options, &l4);
            let ip_len = 20 + 4 * options;
            let body = ask_checksums(tx_flags::IP_CHECKSUM | tx_flags::IPV4 | flag, ip_len);
            let outcome = run(&body, std::slice::from_ref(&input), false);
            let packet = &outcome.out[0];
            assert_eq!(sum(&packet[14..14 + ip_len]), 0xffff, "IP header with {options} words of options");
            assert_eq!(pseudo_sum(packet, ip_len, l4.len()), 0xffff, "protocol {protocol}, {options} words of options");
            assert_eq!(packet[packet.len() - 7..], [0xee; 7]);
        }
    }
}

#[test]
fn an_offload_that_makes_no_sense_drops_that_packet() {
    let udp = [0x12, 0x34, 0, 53, 0, 8, 0, 0];
    for (flags, l3_len) in [
        (tx_flags::UDP_CHECKSUM | tx_flags::TCP_CHECKSUM | tx_flags::IPV4, 20),
        (tx_flags::UDP_CHECKSUM, 20),
        (tx_flags::UDP_CHECKSUM | tx_flags::IPV4, 200),
        (tx_flags::UDP_CHECKSUM | tx_flags::IPV4, 8),
        (tx_flags::IP_CHECKSUM | tx_flags::IPV6, 40),
        (1 << 20, 20),
    ] {
        let outcome = run(&ask_checksums(flags, l3_len), &[ipv4(17, 0, &udp)], false);
        assert_eq!((outcome.out.len(), outcome.dropped("bad_offload")), (0, 1), "flags {flags:#x}, l3_len {l3_len}");
    }
}

#[test]
fn a_lying_ip_length_never_reaches_past_the_packet() {
    let udp = [0x12, 0x34, 0, 53, 0, 8, 0, 0];
    let mut packet = ipv4(17, 0, &udp);
    packet[16..18].copy_from_slice(&60_000_u16.to_be_bytes());
    let outcome = run(&ask_checksums(tx_flags::UDP_CHECKSUM | tx_flags::IPV4, 20), &[packet], false);
    assert_eq!(outcome.dropped("bad_offload"), 1);
}

/// A packet with a tag.
fn tagged(i: u32) -> Vec<u8> {
    let mut p = packets(i + 1, 64).pop().unwrap();
    p.splice(12..12, [0x81, 0, 0x20, 42]);
    p
}

#[test]
fn tags_stay_in_the_bytes_unless_they_are_asked_for() {
    let input: Vec<_> = (0..5).map(tagged).collect();
    // A module that requires the EtherType 0x8100 in place.
    let body = format!(
        "(if (i32.eq (i32.load16_u offset=12 (i32.load (local.get $d))) (i32.const 0x0081)) (then {}))",
        verdict(v::NEXT)
    );
    assert_eq!(run(&body, &input, false).out, input);
}

#[test]
fn a_stripped_tag_goes_out_again_unless_the_module_clears_it() {
    let input: Vec<_> = (0..5).map(tagged).collect();
    let untagged: Vec<Vec<u8>> = (0..5).map(|i| packets(i + 1, 64).pop().unwrap()).collect();
    // Passes on only what has the flag, the TCI in the metadata, and no tag in the bytes.
    let check = format!(
        "(if (i32.and (i32.and (i32.load offset=24 (local.get $d)) (i32.const {}))
                      (i32.and (i32.eq (i32.load16_u offset=38 (local.get $d)) (i32.const 0x202a))
                               (i32.eq (i32.load16_u offset=12 (i32.load (local.get $d))) (i32.const 0xb588))))
           (then {}))",
        rx_flags::VLAN_STRIPPED,
        verdict(v::NEXT)
    );
    // The two conditions are 0 or 1, the flag is a bit of its own: make it 0 or 1 as well.
    let check = check
        .replacen("(i32.and (i32.load offset=24", "(i32.ne (i32.const 0) (i32.and (i32.load offset=24", 1)
        .replacen(
            &format!("(i32.const {}))", rx_flags::VLAN_STRIPPED),
            &format!("(i32.const {})))", rx_flags::VLAN_STRIPPED),
            1,
        );
    assert_eq!(run(&check, &input, true).out, input);
    let clear = format!("{check} (i32.store offset=28 (local.get $d) (i32.const 0))");
    assert_eq!(run(&clear, &input, true).out, untagged);
    let retag = format!("{check} (i32.store16 offset=38 (local.get $d) (i32.const 7))");
    let expected: Vec<_> = input.iter().map(|p| [&p[..14], &[0, 7], &p[16..]].concat()).collect();
    assert_eq!(run(&retag, &input, true).out, expected);
}

/// The times of a file's records are of no clock of the run's.
#[test]
fn what_a_capture_says_of_time_is_no_time_of_arrival() {
    // Writes rx_flags behind the header.
    let body = format!(
        "{} (i32.store offset=14 (i32.load (local.get $d)) (i32.load offset=24 (local.get $d)))",
        verdict(v::NEXT)
    );
    let outcome = run(&body, &packets(3, 60), false);
    assert_eq!(outcome.out.len(), 3);
    for packet in &outcome.out {
        let flags = u32::from_le_bytes(packet[14..18].try_into().unwrap());
        assert_eq!(flags & rx_flags::TIME, 0);
    }
}

#[test]
fn a_packet_that_no_room_holds_is_dropped_by_name_and_one_that_the_mtu_forbids_too() {
    let outcome = run(&verdict(v::NEXT), &[packets(1, 5_000), packets(1, 60), packets(1, 1_523)].concat(), false);
    assert_eq!(outcome.out.len(), 1);
    assert_eq!((outcome.dropped("too_long_for_room"), outcome.dropped("too_long")), (1, 1));
}

#[test]
fn jumbo_frames_pass_where_the_mtu_says_so() {
    let bench = Bench::new();
    let input = packets(20, 9_014);
    bench.module("m.wat", &module(&each("process", &verdict(v::NEXT)))).input(&input);
    let config = bench
        .config(CHAIN)
        .replace("name = \"in\"", "name = \"in\"\nmtu = 9000")
        .replace("name = \"out\"", "name = \"out\"\nmtu = 9000");
    assert_eq!(bench.run(&config).out, input);
}
