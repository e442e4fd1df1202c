//! Sizes that cannot be, and lengths that follow them.

use super::*;

#[test]
fn sizes_that_the_port_would_drop_are_refused() {
    let mut run = Run { room_len: 10_000, ..Run::default() };
    let refusal = |run: &Run, packet: &str, rest: &str| {
        Host::<StreamGen>::start_in(run.clone(), &config(packet, rest)).map(|_| ()).unwrap_err()
    };
    let beyond = |key: &str, len: u32, mtu: u16| {
        format!(
            "{key}: {len} bytes are more than the port's MTU of {mtu} allows ({}, with Ethernet header and tags): make them \
             shorter, or the port's mtu larger",
            mtu + 22
        )
    };
    for (sizes, len) in [
        (r#"{"imix": "h"}"#, 2_108),
        (r#"{"imix": "aaaai"}"#, 8_996),
        (r#"{"imix": "j"}"#, 15_996),
        (r#"{"values": [60, 1523]}"#, 1_523),
        (r#"{"draw": "random", "from": 60, "to": 9000}"#, 9_000),
        (r#"{"draw": "weighted", "values": [60, 2000], "weights": [1000000, 1]}"#, 2_000),
        (r#"{"from": 60, "to": 5000, "step": -4940}"#, 5_000),
        (r#"{"from": 60, "to": 5000, "step": 4000}"#, 4_060),
        (r#"{"values": [60], "add": 3000}"#, 3_060),
    ] {
        assert_eq!(refusal(&run, UDP4, &format!(r#""sizes": {sizes}"#)), beyond("sizes", len, 1_500));
    }
    for sizes in
        [r#"{"values": [60, 9000], "draw": "weighted", "weights": [1, 0]}"#, r#"{"from": 60, "to": 9000, "limit": 9}"#]
    {
        assert_eq!(start(UDP4, &format!(r#""sizes": {sizes}"#)).generate(64).len(), 64);
    }
    // The port that packets leave by counts, and the template too.
    run.ports[3].mtu = 9_000;
    let long = r#""sizes": {"imix": "i"}"#;
    assert!(Host::<StreamGen>::start_in(run.clone(), &config(UDP4, &format!(r#"{long}, "port": 3"#))).is_ok());
    assert_eq!(refusal(&run, UDP4, long), beyond("sizes", 8_996, 1_500));
    run.ports[1].mtu = 576;
    assert_eq!(refusal(&run, &"02".repeat(599), ""), beyond("packet", 599, 576));
    // Without a port it is the room.
    run.next_port = u16::MAX;
    assert!(
        refusal(&run, UDP4, r#""sizes": {"imix": "j"}"#)
            .starts_with("sizes: 15996 bytes are more than a room of this run takes (10000,")
    );
}

#[test]
fn lengths_in_place_of_types_and_chunks_follow_the_size() {
    // LLC behind a length, with a tag and without.
    for (head, at) in [("020000000002020000000001", 12), ("0200000000020200000000018100 0005", 16)] {
        let packet = format!("{head} 0007 aaaa03 00000002 0000");
        for output in start(&packet, r#""sizes": {"from": 60, "to": 1500, "step": 7}"#).generate(200) {
            let says = u16::from_be_bytes([output.bytes[at], output.bytes[at + 1]]);
            assert_eq!(usize::from(says), output.bytes.len() - at - 2);
        }
        let text = format!(
            "sizes: an IEEE 802.3 length in place of a type says at most 1500: make packets at most {} bytes long, or give the \
             frame a type",
            at + 1_502
        );
        let sizes = format!(r#""sizes": {{"values": [{}]}}"#, at + 1_503);
        assert_eq!(refused(&config(&packet, &sizes)), text);
    }
    // A chunk of 17 bytes, filled up to 20.
    let chunk = "0003 0011 00000001 0000 0000 00000000 aa 000000";
    let packet = format!(
        "020000000002020000000001 0800 4500 0034 0000 0000 4084 0000 c0000201 c0000202 0b59 0b59 00000000 00000000 {chunk}"
    );
    for output in start(&packet, r#""sizes": {"from": 60, "to": 1500, "step": 7}"#).generate(200) {
        let sctp = &output.bytes[34..];
        assert!(sctp.len() % 4 == 0 && usize::from(u16::from_be_bytes([sctp[14], sctp[15]])) == sctp.len() - 12);
        assert_eq!(usize::from(u16::from_be_bytes([output.bytes[16], output.bytes[17]])), output.bytes.len() - 14);
        assert_eq!(checksum::check(&output.bytes), Ok(()));
    }
    let two = packet.replace("0034", "0048") + chunk;
    let text = "sizes: the template has several SCTP chunks, of which none can follow the size";
    assert_eq!(refused(&config(&two, r#""sizes": {"imix": "simple"}"#)), text);
}
