//! Ports in blocks.

use super::*;

fn start(blocks: &str) -> Host<Nat> {
    let rest = r#""pools": ["198.51.100.0/31"], "ports": [2000, 2015]"#;
    Host::start(&format!(r#"{{"inside": ["10.0.0.0/29"], {rest}, "blocks": {{{blocks}}}}}"#)).unwrap()
}

#[test]
fn a_host_has_its_ports_in_blocks() {
    let mut host = start(r#""size": 4, "most": 2"#);
    let mut ports = Vec::new();
    for n in 0..8 {
        let own = outside(&mut host, &udp(&format!("10.0.0.1:{}", 5_000 + n), "192.0.2.1:53"));
        ports.push(endpoint(&own).1);
    }
    let block = |port: &u16| (port - 2_000) / 4;
    let (first, second) = (block(&ports[0]), block(&ports[4]));
    assert!(ports[..4].iter().all(|port| block(port) == first) && first != second);
    assert!(ports[4..].iter().all(|port| block(port) == second));
    assert_eq!(send(&mut host, &udp("10.0.0.1:6000", "192.0.2.1:53")), "drop", "it may have two blocks");
    assert_eq!((host.counter("blocks"), host.counter("drop.ports_exhausted")), (2, 1));
    // The blocks are for all protocols.
    assert_eq!(block(&endpoint(&outside(&mut host, &tcp("10.0.0.1:5000", "192.0.2.1:53", "S"))).1), first);
    host.set_time(1_000 * SECOND);
    host.process(Vec::<Vec<u8>>::new());
    assert_eq!(host.counter("blocks.ended"), 2);
}

#[test]
fn no_two_hosts_share_a_block_and_none_is_lost() {
    let mut host = start(r#""size": 8"#);
    for round in 0..5 {
        host.set_time(round * 1_000 * SECOND);
        host.process(Vec::<Vec<u8>>::new());
        // Four blocks of eight ports, for four of five hosts.
        let owns: Vec<String> =
            (1..=5).map(|n| send(&mut host, &udp(&format!("10.0.0.{n}:5000"), "192.0.2.1:53"))).collect();
        let mut blocks: Vec<_> = owns[..4].iter().map(|own| own.split(" > ").next().unwrap()).map(endpoint).collect();
        blocks.iter_mut().for_each(|(_, port)| *port = (*port - 2_000) / 8);
        blocks.sort_unstable();
        blocks.dedup();
        assert_eq!((blocks.len(), owns[4].as_str()), (4, "drop"));
    }
}

#[test]
fn a_block_may_follow_from_the_address() {
    let mut host = start(r#""size": 4, "deterministic": true"#);
    for n in 0..8_u16 {
        let own = outside(&mut host, &udp(&format!("10.0.0.{n}:5001"), "192.0.2.1:53"));
        let (address, port) = endpoint(&own);
        assert_eq!(u16::from(address.octets()[3]), n / 4, "four blocks at each address");
        assert_eq!((port - 2_000) / 4, n % 4);
    }
    assert_eq!(host.counter("blocks"), 0, "nothing has to be told of them");
}
