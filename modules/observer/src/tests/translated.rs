//! What else a translator does: forwards, hairpins, questions of ICMP.

use super::*;
use crate::seen::ICMP;

const HOSTS: &str = r#"{"mode": "nat", "pools": ["198.51.100.2/32"], "inside": ["10.0.0.0/24"], "idle": 100, "answers": true,
    "forwards": [{"outside": "198.51.100.2:53", "inside": "10.0.0.5:5353"}]}"#;

/// A packet with other ends: source and destination, each with a port.
fn with(packet: &[u8], source: ([u8; 4], u16), destination: ([u8; 4], u16)) -> Vec<u8> {
    changed(packet, |bytes| {
        for (at, (address, port)) in [(0, source), (1, destination)] {
            bytes[IP + 12 + 4 * at..][..4].copy_from_slice(&address);
            bytes[IP + 20 + 2 * at..][..2].copy_from_slice(&port.to_be_bytes());
        }
    })
}

#[test]
fn a_forward_leads_inside() {
    let (client, outside, inside) = (([203, 0, 113, 9], 1024), ([198, 51, 100, 2], 53), ([10, 0, 0, 5], 5353));
    let asked = with(&packet(UDP, outside.0, outside.1), client, outside);
    let sent = stamped(&[asked]).remove(0);
    let run = |source, destination| broken(&mut start(HOSTS), 9, &[with(&sent, source, destination)]);
    assert_eq!(run(client, inside), None);
    assert!(run(client, ([10, 0, 0, 5], 53)).unwrap().contains("goes to"));
    assert!(run(client, ([10, 0, 0, 6], 5353)).unwrap().contains("goes to"));
    assert!(run(([203, 0, 113, 9], 1025), inside).unwrap().contains("comes from"));
    // By hairpin it comes from an address of the pool.
    let host = ([10, 0, 0, 9], 1024);
    let sent = stamped(&[with(&packet(UDP, outside.0, outside.1), host, outside)]).remove(0);
    let run = |source, destination| broken(&mut start(HOSTS), 9, &[with(&sent, source, destination)]);
    assert_eq!(run(([198, 51, 100, 2], 2000), inside), None);
    assert!(run(host, inside).unwrap().contains("in no pool"));
}

#[test]
fn an_echo_has_a_number_in_place_of_ports() {
    let mut ask = packet(ICMP, [192, 0, 2, 1], 0);
    let l4 = IP + 20;
    ask[l4..l4 + 8].copy_from_slice(&[8, 0, 0, 0, 0x12, 0x34, 0, 1]);
    let sent = stamped(&[ask]).remove(0);
    let out = |number: u16| {
        changed(&sent, |bytes| {
            bytes[IP + 12..IP + 16].copy_from_slice(&[198, 51, 100, 2]);
            bytes[l4 + 4..l4 + 6].copy_from_slice(&number.to_be_bytes());
        })
    };
    let mut world = start(HOSTS);
    world.set_time(9 * MS);
    let back = world.process([out(77)]).remove(0).bytes;
    assert_eq!((back[l4], Seen::read(&back).unwrap().ports), (0, (0, 77)));
    let inside = |number: u16| {
        changed(&back, |bytes| {
            bytes[IP + 16..IP + 20].copy_from_slice(&[10, 0, 0, 9]);
            bytes[l4 + 4..l4 + 6].copy_from_slice(&number.to_be_bytes());
        })
    };
    assert_eq!(broken(&mut start(HOSTS), 10, &[inside(0x1234)]), None);
    assert!(broken(&mut start(HOSTS), 10, &[inside(77)]).unwrap().contains("comes to"));
    assert!(broken(&mut world, 10, &[out(78)]).unwrap().contains("in front of"));
}
