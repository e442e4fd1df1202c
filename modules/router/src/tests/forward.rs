//! What goes on, and how it looks then.

use super::*;

#[test]
fn ipv4_goes_to_the_link_of_its_destination() {
    let mut host = start();
    let frame = udp4(B4, 60);
    let out = one(&mut host, &frame);
    assert_eq!((out.verdict, macs(&out.bytes)), (Verdict::tx(1), (B_MAC, R1)));
    // One hop less, and nothing else.
    let mut expected = with_ip(frame, |ip| ip.set_ttl(63));
    expected[..12].copy_from_slice(&out.bytes[..12]);
    assert_eq!(out.bytes, expected);
    assert_eq!(checksum::check(&out.bytes), Ok(()));
    assert_eq!(host.counter("forwarded4"), 1);
}

#[test]
fn ipv6_goes_to_the_link_of_its_destination() {
    let mut host = start();
    let frame = udp6(B6, 80);
    let out = one(&mut host, &frame);
    assert_eq!((out.verdict, macs(&out.bytes)), (Verdict::tx(1), (B_MAC, R1)));
    let mut expected = frame;
    expected[21] = 63;
    expected[..12].copy_from_slice(&out.bytes[..12]);
    assert_eq!((out.bytes, host.counter("forwarded6")), (expected, 1));
}

#[test]
fn the_longest_prefix_says_where() {
    let mut host = start();
    for (to, count) in [([172, 16, 0, 1], "blackhole"), ([172, 31, 0, 1], "unreachable")] {
        assert!(one(&mut host, &udp4(to.into(), 40)).verdict.is_drop());
        assert_eq!(host.counter(count), 1, "{count}");
    }
    let out = one(&mut host, &udp4([192, 168, 7, 7].into(), 40));
    assert_eq!((out.verdict, macs(&out.bytes)), (Verdict::tx(1), (B_MAC, R1)));
    let far = "2001:db8:f123::1".parse().unwrap();
    assert_eq!(one(&mut host, &udp6(far, 60)).verdict, Verdict::tx(1));
}

#[test]
fn options_are_kept_and_recorded_in() {
    let mut host = start();
    // No operation, then a record of route with one place taken and two free; then router alert.
    let options = [1, 7, 15, 8, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0x94, 4, 0, 0];
    let out = one(&mut host, &with_options(udp4(B4, 40), &options));
    let ip = Ipv4::parse(&out.bytes[14..]).unwrap();
    let expected = [1, 7, 15, 12, 9, 9, 9, 9, 10, 0, 1, 1, 0, 0, 0, 0, 0x94, 4, 0, 0];
    assert_eq!((ip.variable, ip.ttl(), out.verdict), (&expected[..], 63, Verdict::tx(1)));
    assert!(ip.checksum_is_good(ip.variable));
    // A full record, and an option that nobody knows.
    for options in [[7, 7, 8, 1, 2, 3, 4, 0], [0x5e, 6, 1, 2, 3, 4, 0, 0]] {
        let out = one(&mut host, &with_options(udp4(B4, 40), &options));
        assert_eq!(Ipv4::parse(&out.bytes[14..]).unwrap().variable, options);
    }
    // One without a length.
    assert!(one(&mut host, &with_options(udp4(B4, 40), &[7, 0, 0, 0])).verdict.is_drop());
    assert_eq!(host.counter("malformed"), 1);
}

#[test]
fn what_is_too_long_is_cut() {
    let mut host = start();
    let options = [0x94, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0];
    let frame = with_options(udp4(B4, 1488), &options);
    let payload = frame[46..].to_vec();
    assert!(one(&mut host, &frame).verdict.is_drop());
    let parts = listed(&host);
    assert_eq!((parts.len(), host.counter("fragmented"), host.counter("fragments")), (2, 1, 2));
    let mut whole = Vec::new();
    for (index, (part, verdict)) in parts.iter().enumerate() {
        let ip = Ipv4::parse(&part[14..]).unwrap();
        assert_eq!((*verdict, macs(part), ip.ttl()), (Verdict::tx(1), (B_MAC, R1), 63));
        assert!(ip.checksum_is_good(ip.variable) && ip.total_length() <= 1400);
        assert_eq!((usize::from(ip.fragment_offset()) * 8, ip.more_fragments()), (whole.len(), index == 0));
        // The record is in the first alone, the alert in all.
        assert_eq!((ip.variable.len(), &ip.variable[..4]), (if index == 0 { 12 } else { 4 }, &options[..4]));
        whole.extend_from_slice(ip.payload);
    }
    assert_eq!(whole, payload);
}

#[test]
fn a_fragment_is_cut_again() {
    let mut host = start();
    let frame = with_ip(udp4(B4, 1500), |ip| {
        ip.set_fragment_offset(100);
        ip.set_more_fragments(true);
    });
    one(&mut host, &frame);
    let heads: Vec<_> = listed(&host)
        .iter()
        .map(|(part, _)| {
            let ip = Ipv4::parse(&part[14..]).unwrap();
            (ip.fragment_offset(), ip.more_fragments(), ip.total_length())
        })
        .collect();
    assert_eq!(heads, [(100, true, 1396), (272, true, 124)]);
}

#[test]
fn flows_keep_to_one_of_several_next_hops() {
    let config = CONFIG
        .replace(r#""192.168.0.0/16 via 10.0.1.2""#, r#""192.168.0.0/16 via 10.0.1.2 via 10.0.1.3 via 10.0.1.4""#);
    let config = config.replace(
        r#""2001:db8::2 lladdr"#,
        r#""10.0.1.3 lladdr 02:00:00:00:00:b2 dev 1", "10.0.1.4 lladdr 02:00:00:00:00:b3 dev 1", "2001:db8::2 lladdr"#,
    );
    let mut host = Host::<Router>::start(&config).unwrap();
    let mut seen = [0; 3];
    for n in 0..300_u16 {
        let mut frame = udp4([192, 168, 0, 1].into(), 40);
        frame[34..36].copy_from_slice(&n.to_be_bytes());
        let to = one(&mut host, &frame).bytes[5];
        assert_eq!(to, one(&mut host, &frame).bytes[5]);
        seen[usize::from(to - 0xb1)] += 1;
    }
    assert!(seen.iter().all(|count| (70..130).contains(count)), "{seen:?}");
    // Both directions are one flow.
    let there = udp4([192, 168, 0, 1].into(), 40);
    let mut back = there.clone();
    back[26..30].copy_from_slice(&there[30..34]);
    back[30..34].copy_from_slice(&there[26..30]);
    back[34..36].copy_from_slice(&there[36..38]);
    back[36..38].copy_from_slice(&there[34..36]);
    let hash = |frame: &[u8]| fast::flow_hash(7, &frame[14..], Ecmp::Ports);
    assert_eq!(hash(&there), hash(&back));
    assert_ne!(hash(&there), fast::flow_hash(8, &there[14..], Ecmp::Ports));
}

#[test]
fn what_no_router_passes_on_is_dropped() {
    let mut host = start();
    let mut drop = |frame: Vec<u8>, count: &str| {
        let before = host.counter(count);
        let out = one(&mut host, &frame);
        assert!(out.verdict.is_drop() && listed(&host).is_empty(), "{count}");
        assert_eq!(host.counter(count), before + 1, "{count}");
    };
    let change = |at: usize, value: u8| {
        let mut frame = udp4(B4, 60);
        frame[at] = value;
        frame
    };
    drop(change(0, 4), "other_station");
    drop(change(13, 6), "malformed");
    drop(change(12, 9), "other_protocol");
    drop(change(14, 0x46), "bad_checksum");
    drop(change(14, 0x55), "malformed");
    drop(change(16, 9), "malformed");
    drop(change(25, 1), "bad_checksum");
    drop(udp4([224, 0, 0, 5].into(), 40), "group");
    drop(udp4([10, 0, 1, 255].into(), 40), "group");
    drop(udp4([255; 4].into(), 40), "group");
    drop(udp4([127, 0, 0, 1].into(), 40), "martian");
    drop(with_ip(udp4(B4, 40), |ip| ip.set_source([224, 0, 0, 1].into())), "martian");
    let mut to_all = udp4(B4, 40);
    to_all[..6].fill(0xff);
    drop(to_all, "group");
    let mut tagged = udp4(B4, 40);
    tagged.splice(12..12, [0x81, 0, 0, 5]);
    drop(tagged, "tagged");
    drop(udp6("::1".parse().unwrap(), 60), "martian");
    drop(udp6("fe80::7".parse().unwrap(), 60), "local_other");
    drop(udp6("ff02::7".parse().unwrap(), 60), "group");
}
